//! What others do to the same signals.

use std::io;

use greenroom::signal::{SignalKind, Signals};

use crate::raise::{counted, install_another, put_the_default_back, runs_on_the_alternate_stack};
use crate::support::{case, rerun};
use crate::{own_kind, raise};

#[test]
fn a_receiver_that_cannot_be_made_changes_no_signal() {
    let test = "handlers::a_receiver_that_cannot_be_made_changes_no_signal";
    let kind = SignalKind::USER_DEFINED1;
    let Some(case) = case() else {
        for bad in ["9", "11", "100000", "-1"] {
            rerun(test, bad, &[]).assert_signal(kind.as_raw());
        }
        return;
    };
    let bad = SignalKind::from_raw(case.parse().unwrap());
    let error = Signals::new([kind, bad]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    raise(kind); // and so it ends here
}

#[test]
fn where_the_default_was_put_back_the_next_receiver_receives() {
    let test = "handlers::where_the_default_was_put_back_the_next_receiver_receives";
    if case().is_none() {
        return rerun(test, "default", &[]).assert_success();
    }
    let kind = own_kind(1);
    for dropped in [true, false] {
        let first = Signals::new([kind]).unwrap();
        let first = (!dropped).then_some(first);
        put_the_default_back(kind);
        let second = Signals::new([kind]).unwrap();
        assert!(runs_on_the_alternate_stack(kind));
        raise(kind);
        assert_eq!(second.try_recv(), Some(kind));
        assert_eq!(
            first.and_then(|first| first.try_recv()),
            (!dropped).then_some(kind)
        );
    }
}

#[test]
fn another_handler_that_came_later_is_an_error_and_stays() {
    let test = "handlers::another_handler_that_came_later_is_an_error_and_stays";
    if case().is_none() {
        return rerun(test, "another", &[]).assert_success();
    }
    let (kind, other) = (SignalKind::USER_DEFINED1, SignalKind::USER_DEFINED2);
    drop(Signals::new([kind]).unwrap());
    install_another(kind);
    install_another(other);
    let error = Signals::new([other, kind]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy, "{error}");
    assert!(error.to_string().contains("SIGUSR1"), "{error}");
    raise(kind);
    assert_eq!(counted(), 1);
    // One that was there before the first receiver is called, and hides nothing.
    let signals = Signals::new([other]).unwrap();
    raise(other);
    assert_eq!((counted(), signals.try_recv()), (2, Some(other)));
}
