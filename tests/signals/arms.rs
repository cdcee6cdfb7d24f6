//! A receiver as an arm of a `select!`.

use std::time::Duration;

use greenroom::signal::Signals;
use greenroom::sync::bounded;
use greenroom::{run, select, select_biased, spawn, yield_now};

use crate::support::{OnDrop, quiet_panic};
use crate::{own_kind, raise};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn it_is_ready_when_a_signal_has_come_or_comes() {
    let kind = own_kind(10);
    run(|| {
        let signals = Signals::new([kind]).unwrap();
        let ready = || {
            select! {
                recv(signals) -> got => Some(got.unwrap()),
                default => None,
            }
        };
        assert_eq!(ready(), None);
        raise(kind);
        assert_eq!(ready(), Some(kind));
        assert_eq!(ready(), None);
        let raises = spawn(move || raise(kind));
        let got = select! {
            wait(&signals) -> got => got.unwrap(),
            after(LONG) => unreachable!(),
        };
        assert_eq!(got, kind);
        raises.join().unwrap();
        raise(kind);
        select! {
            readable(signals) -> ready => ready.unwrap(),
            after(LONG) => unreachable!(),
        }
        assert_eq!(signals.try_recv(), Some(kind));
    });
}

#[test]
fn an_arm_that_is_not_chosen_has_taken_nothing() {
    let kind = own_kind(11);
    run(|| {
        let signals = Signals::new([kind]).unwrap();
        let (send, receive) = bounded(1);
        send.send(1).unwrap();
        raise(kind);
        select_biased! {
            recv(receive) -> value => assert_eq!(value, Ok(1)),
            recv(signals) => unreachable!(),
        }
        let sends = spawn(move || {
            raise(kind);
            send.send(2)
        });
        select_biased! {
            recv(signals) -> got => assert_eq!(got.unwrap(), kind),
            recv(receive) => unreachable!(),
        }
        sends.join().unwrap().unwrap();
        // Both came while it waited: one is left.
        let waits = spawn(move || {
            let which = select_biased! {
                recv(receive) => "value",
                recv(signals) => "signal",
            };
            (which, signals)
        });
        assert_eq!(waits.join().unwrap().0, "value");
    });
}

#[test]
fn a_cancelled_select_takes_nothing_and_one_that_unwinds_fails() {
    let kind = own_kind(12);
    run(|| {
        let signals = std::rc::Rc::new(Signals::new([kind]).unwrap());
        let ours = std::rc::Rc::clone(&signals);
        let waits = spawn(move || {
            select! {
                recv(ours) -> got => got.unwrap(),
                after(LONG) => unreachable!(),
            }
        });
        yield_now();
        waits.cancel();
        assert!(waits.join().unwrap_err().is_cancelled());
        raise(kind);
        assert_eq!(signals.try_recv(), Some(kind));
        let unwinds = spawn(move || {
            let _guard = OnDrop(|| {
                select! {
                    recv(signals) -> got => assert!(got.is_err()),
                    after(LONG) => unreachable!(),
                }
            });
            quiet_panic("on purpose");
        });
        assert!(unwinds.join().unwrap_err().is_panic());
    });
}
