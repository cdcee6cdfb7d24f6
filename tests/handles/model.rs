//! Any order of spawns, cancels, drops and turns: each body is run or dropped once, in
//! the order sent, and each joiner is told the truth.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use greenroom::{RemoteJoinHandle, Runtime, yield_now};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use crate::support::quiet_panic;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Sends a body that yields so often, and panics in the end or not.
    Send(u8, bool),
    Cancel(usize),
    Drop(usize),
    Turn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..4, any::<bool>()).prop_map(|(yields, panics)| Step::Send(yields, panics)),
        2 => any::<usize>().prop_map(Step::Cancel),
        1 => any::<usize>().prop_map(Step::Drop),
        3 => any::<()>().prop_map(|()| Step::Turn),
    ];
    prop::collection::vec(step, 1..80)
}

/// What is known of one body.
struct Sent {
    handle: Option<RemoteJoinHandle<usize>>,
    cancelled: bool,
    panics: bool,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

fn perform(steps: Vec<Step>, to_the_end: bool) -> Result<(), TestCaseError> {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut sent: Vec<Sent> = Vec::new();
    for step in steps {
        match step {
            Step::Send(yields, panics) => {
                let number = sent.len();
                let [begun, ended, dropped] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
                let counted = Counted(Arc::clone(&dropped));
                let (begins, ends) = (Arc::clone(&begun), Arc::clone(&ended));
                let order = Arc::clone(&order);
                let body = move || {
                    let _counted = counted;
                    begins.fetch_add(1, Ordering::AcqRel);
                    order.lock().unwrap().push(number);
                    (0..yields).for_each(|_| yield_now());
                    ends.fetch_add(1, Ordering::AcqRel);
                    if panics {
                        quiet_panic("on purpose");
                    }
                    number
                };
                sent.push(Sent {
                    handle: Some(handle.spawn(body)),
                    cancelled: false,
                    panics,
                    begun,
                    ended,
                    dropped,
                });
            }
            Step::Cancel(index) if !sent.is_empty() => {
                let at = index % sent.len();
                if let Some(handle) = &sent[at].handle {
                    handle.cancel();
                    sent[at].cancelled = true;
                }
            }
            Step::Drop(index) if !sent.is_empty() => {
                let at = index % sent.len();
                sent[at].handle = None;
            }
            Step::Turn => {
                rt.turn();
            }
            _ => {}
        }
    }
    if to_the_end {
        while rt.tasks_alive() > 0 || sent.iter().any(|sent| !is_over(sent)) {
            rt.turn();
        }
    }
    drop(handle);
    drop(rt);
    check(sent, &order.lock().unwrap(), to_the_end)
}

fn is_over(sent: &Sent) -> bool {
    sent.dropped.load(Ordering::Acquire) > 0
}

fn check(all: Vec<Sent>, order: &[usize], to_the_end: bool) -> Result<(), TestCaseError> {
    prop_assert!(order.is_sorted());
    for (number, sent) in all.into_iter().enumerate() {
        let count = |what: &AtomicUsize| what.load(Ordering::Acquire);
        let (begun, ended) = (count(&sent.begun), count(&sent.ended));
        prop_assert_eq!(count(&sent.dropped), 1);
        prop_assert!(ended <= begun && begun <= 1);
        prop_assert_eq!(order.contains(&number), begun == 1);
        if to_the_end && !sent.cancelled {
            prop_assert_eq!(ended, 1);
        }
        let Some(handle) = sent.handle else {
            continue;
        };
        prop_assert!(handle.is_finished());
        match handle.join() {
            Ok(value) => prop_assert_eq!((value, ended, sent.panics), (number, 1, false)),
            Err(error) if error.is_panic() => prop_assert_eq!((ended, sent.panics), (1, true)),
            Err(_) => prop_assert_eq!(ended, 0),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn each_body_is_run_or_dropped_once(steps in steps(), to_the_end in any::<bool>()) {
        perform(steps, to_the_end)?;
    }
}
