//! Random programs on one channel: what goes in comes out.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::bounded;
use greenroom::{Config, Runtime, sleep, spawn, yield_now};
use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

#[derive(Debug, Clone)]
enum Op {
    Send,
    TrySend,
    Recv,
    TryRecv,
    Yield,
    Sleep(u64),
}

fn programs() -> impl Strategy<Value = (usize, u32, Vec<Vec<Op>>)> {
    let op = prop_oneof![
        4 => Just(Op::Send),
        1 => Just(Op::TrySend),
        4 => Just(Op::Recv),
        1 => Just(Op::TryRecv),
        2 => Just(Op::Yield),
        1 => (0u64..3).prop_map(Op::Sleep),
    ];
    let capacity = prop_oneof![Just(0usize), Just(1), Just(2), Just(5), Just(usize::MAX)];
    let tasks = prop::collection::vec(prop::collection::vec(op, 0..12), 1..6);
    (capacity, any::<u32>().prop_map(|n| n % 10), tasks)
}

/// What a program did: who sent what, and who received what, each in order.
#[derive(Debug, Default)]
struct Seen {
    sent: Vec<(usize, u32)>,
    refused: usize,
    received: Vec<Vec<(usize, u32)>>,
    /// The largest number of values that were on their way at once.
    most: usize,
}

/// Performs a program. Tasks that wait for ever in the end are cut off.
fn perform(capacity: usize, budget: u32, tasks: Vec<Vec<Op>>) -> (Seen, Vec<(usize, u32)>) {
    let seen = Rc::new(RefCell::new(Seen::default()));
    seen.borrow_mut().received = vec![Vec::new(); tasks.len()];
    let config = Config::new()
        .clock(greenroom::Clock::virtual_())
        .budget(budget);
    let s = Rc::clone(&seen);
    let rest = Runtime::with(config.stack_size(64 * 1024)).run(move || {
        let (send, receive) = bounded(capacity);
        for (me, ops) in tasks.into_iter().enumerate() {
            let (send, receive, seen) = (send.clone(), receive.clone(), Rc::clone(&s));
            spawn(move || {
                for (n, op) in (0..).zip(ops) {
                    let value = (me, n);
                    let (mut sent, mut got) = (None, None);
                    match op {
                        // What waits may have been sent though it never returns.
                        Op::Send => sent = Some(send.send(value).is_ok()),
                        Op::TrySend => sent = Some(send.try_send(value).is_ok()),
                        Op::Recv => got = receive.recv().ok(),
                        Op::TryRecv => got = receive.try_recv().ok(),
                        Op::Yield => yield_now(),
                        Op::Sleep(secs) => sleep(Duration::from_secs(secs)),
                    }
                    let mut seen = seen.borrow_mut();
                    seen.most = seen.most.max(send.len());
                    match sent {
                        Some(true) => seen.sent.push(value),
                        Some(false) => seen.refused += 1,
                        None => {}
                    }
                    seen.received[me].extend(got);
                }
            });
        }
        sleep(Duration::from_secs(1000));
        receive
    });
    let rest = rest.try_iter().collect();
    let seen = seen.take();
    (seen, rest)
}

proptest! {
    /// Every value that was sent was received once, or is in the channel; nothing
    /// else was; those of one sender come in order; no more than the capacity
    /// were on their way; and a second performance does the same.
    #[test]
    fn random_programs_lose_nothing((capacity, budget, tasks) in programs()) {
        let (seen, rest) = perform(capacity, budget, tasks.clone());
        prop_assert!(seen.most <= capacity);
        let mut out: Vec<_> = seen.received.concat();
        out.extend(&rest);
        out.sort_unstable();
        let mut sent = seen.sent.clone();
        sent.sort_unstable();
        // A send whose task was switched away from after it, and cancelled there,
        // may be missing among those that returned; never the other way.
        for value in &sent {
            prop_assert!(out.binary_search(value).is_ok(), "{value:?} was lost");
        }
        prop_assert!(out.windows(2).all(|pair| pair[0] != pair[1]), "received twice");
        if budget >= 12 {
            prop_assert_eq!(&out, &sent);
        }
        for part in seen.received.iter().chain([&rest]) {
            for sender in 0..tasks.len() {
                prop_assert!(part.iter().filter(|(s, _)| *s == sender).is_sorted());
            }
        }
        let (again, rest_again) = perform(capacity, budget, tasks);
        prop_assert_eq!((seen.sent, seen.received, rest), (again.sent, again.received, rest_again));
    }
}
