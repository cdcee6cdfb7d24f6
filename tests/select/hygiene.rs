//! Whatever the program calls its own things, and the crate: the macro's names are
//! other names.

use std::time::Duration;

use greenroom as g;
use greenroom::sync::{Receiver, bounded, unbounded};
use greenroom::{select, select_biased};

use crate::{SECOND, clean};

/// A receiver with some values in it; its sender is gone.
fn filled(values: impl IntoIterator<Item = u32>) -> Receiver<u32> {
    let (send, receive) = unbounded();
    for value in values {
        assert!(send.try_send(value).is_ok());
    }
    receive
}

#[test]
fn names_of_the_user_stay_the_user_s() {
    clean(|| {
        let (arm, out) = bounded::<u32>(4);
        let (turn, chosen, number) = (100, 1000, 10_000);
        let (value, output, arms, start) = (1, 2, 3, 4);
        let got = select_biased! {
            recv(out) -> arm => arm.unwrap() + number,
            send(arm, value + output + arms + start + turn + chosen) -> out => { out.unwrap(); turn + value }
        };
        assert_eq!(got, 101);
        let got = select! {
            recv(out) -> output => output.unwrap() + turn + chosen + number + value,
            after(SECOND) -> number => { let () = number; 0 },
        };
        assert_eq!(got, 1110 + 11_101);
        let output = 7;
        let got = select! { default => output + value, };
        assert_eq!(got, 8);
        let got = select! { after(Duration::ZERO) => output + value + number };
        assert_eq!(got, 10_008);
    });
}

/// What a program calls its own things does not matter to the macro.
mod shadowed {
    use ::greenroom as g;

    enum Option {
        Some,
        None,
    }
    enum Result {
        Ok,
        Err,
    }
    use Option::{None, Some};
    use Result::{Err, Ok};

    mod core {}
    mod std {}
    mod greenroom {}

    pub(super) fn ask(r: &g::sync::Receiver<u32>, s: &g::sync::Sender<u32>) -> bool {
        let (_, _, _, _) = (Some, None, Ok, Err);
        g::select! {
            recv(r) -> v => v.is_ok(),
            send(s, 1) -> sent => sent.is_ok(),
            after(::core::time::Duration::MAX) => false,
            default => false
        }
    }
}

#[test]
fn nothing_the_program_calls_its_own_gets_in_the_way() {
    clean(|| {
        let (s, r) = bounded(0);
        assert!(!shadowed::ask(&r, &s));
        assert!(shadowed::ask(&filled([1]), &s));
    });
}

#[test]
fn under_another_name_of_the_crate() {
    g::run(|| {
        let r = filled([1, 2]);
        assert_eq!(g::select! { recv(r) -> v => v, default => Ok(0) }, Ok(1));
        assert_eq!(
            g::select_biased! { recv(r) -> v => v, default => Ok(0) },
            Ok(2)
        );
    });
}
