//! Where several arms are always ready, none starves another, whatever loop they
//! stand in; with `select_biased!` the first always wins.

use greenroom::sync::{Receiver, Sender, bounded, unbounded};
use greenroom::{select, select_biased, spawn, yield_now};

use crate::clean;

/// A number that is always there.
struct Always(Sender<()>, Receiver<()>);

impl Always {
    fn new() -> Self {
        let (send, receive) = unbounded();
        assert_eq!(send.try_send(()), Ok(()));
        Self(send, receive)
    }

    fn again(&self) {
        assert_eq!(self.0.try_send(()), Ok(()));
    }
}

/// One selection among so many arms, all of which are ready: which it took.
fn choose(arms: usize, a: &[Always]) -> usize {
    let n = match arms {
        1 => select! { recv(a[0].1) => 0 },
        2 => select! { recv(a[0].1) => 0, recv(a[1].1) => 1 },
        3 => select! { recv(a[0].1) => 0, recv(a[1].1) => 1, recv(a[2].1) => 2 },
        4 => select! { recv(a[0].1) => 0, recv(a[1].1) => 1, recv(a[2].1) => 2, recv(a[3].1) => 3 },
        5 => select! {
            recv(a[0].1) => 0, recv(a[1].1) => 1, recv(a[2].1) => 2, recv(a[3].1) => 3,
            recv(a[4].1) => 4,
        },
        6 => select! {
            recv(a[0].1) => 0, recv(a[1].1) => 1, recv(a[2].1) => 2, recv(a[3].1) => 3,
            recv(a[4].1) => 4, recv(a[5].1) => 5,
        },
        7 => select! {
            recv(a[0].1) => 0, recv(a[1].1) => 1, recv(a[2].1) => 2, recv(a[3].1) => 3,
            recv(a[4].1) => 4, recv(a[5].1) => 5, recv(a[6].1) => 6,
        },
        _ => select! {
            recv(a[0].1) => 0, recv(a[1].1) => 1, recv(a[2].1) => 2, recv(a[3].1) => 3,
            recv(a[4].1) => 4, recv(a[5].1) => 5, recv(a[6].1) => 6, recv(a[7].1) => 7,
        },
    };
    a[n].again();
    n
}

/// A loop of selections of these sizes; each arm of each must have its share.
fn shares(sizes: &[usize], rounds: usize, factor: usize, a: &[Always]) {
    let mut counts = vec![[0usize; 8]; sizes.len()];
    for _ in 0..rounds {
        for (place, arms) in sizes.iter().enumerate() {
            let chosen = choose(*arms, a);
            counts[place][chosen] += 1;
        }
    }
    for (arms, counts) in sizes.iter().zip(&counts) {
        let share = rounds / arms;
        for count in &counts[..*arms] {
            assert!(
                (share / factor..=share * factor).contains(count),
                "{sizes:?}: {counts:?} in {rounds} rounds"
            );
        }
    }
}

/// Loops of 1 to 8 selections of 2 to 8 arms each.
#[test]
fn each_arm_has_its_share_in_every_loop() {
    clean(|| {
        let always: Vec<_> = (0..8).map(|_| Always::new()).collect();
        for selections in 1..=8 {
            for arms in 2..=8 {
                shares(&vec![arms; selections], 1024, 2, &always);
            }
        }
    });
}

/// Loops of two and three selections of different sizes.
#[test]
fn each_arm_has_its_share_in_mixed_loops() {
    clean(|| {
        let always: Vec<_> = (0..8).map(|_| Always::new()).collect();
        for first in 1..=8 {
            for second in 1..=8 {
                shares(&[first, second], 512, 2, &always);
                for third in [2, 3, 8] {
                    shares(&[first, second, third], 512, 2, &always);
                }
            }
        }
    });
}

/// Long loops, whose length could meet the turns of the runtime.
#[test]
fn each_arm_has_its_share_in_long_loops() {
    clean(|| {
        let always: Vec<_> = (0..8).map(|_| Always::new()).collect();
        for length in [15, 16, 17, 31, 32, 33, 62, 64] {
            for arms in [2, 3, 6, 8] {
                shares(&vec![arms; length], 1024, 2, &always);
            }
        }
    });
}

/// Several tasks that take turns share the runtime's order, and none loses by it.
#[test]
fn each_arm_has_its_share_in_each_of_several_tasks() {
    clean(|| {
        for tasks in 1..=8 {
            for arms in [2, 3, 5, 8] {
                let tasks: Vec<_> = (0..tasks)
                    .map(|_| {
                        spawn(move || {
                            let always: Vec<_> = (0..arms).map(|_| Always::new()).collect();
                            let mut counts = [0usize; 8];
                            for _ in 0..1024 {
                                counts[choose(arms, &always)] += 1;
                                yield_now();
                            }
                            counts
                        })
                    })
                    .collect();
                for task in tasks {
                    let counts = task.join().unwrap();
                    let share = 1024 / arms;
                    let fair = |n: &usize| (share / 2..=share * 2).contains(n);
                    assert!(counts[..arms].iter().all(fair), "{counts:?}");
                }
            }
        }
    });
}

/// Arms of different kinds, all ready.
#[test]
fn kinds_do_not_matter() {
    clean(|| {
        let always = Always::new();
        let (send, receive) = unbounded();
        let over = greenroom::Timer::after(std::time::Duration::ZERO);
        let event = greenroom::sync::Event::new();
        event.set();
        let mut counts = [0usize; 5];
        for _ in 0..5000 {
            let n = select! {
                recv(always.1) => { always.again(); 0 }
                send(send, ()) -> sent => { sent.unwrap(); 1 }
                wait(over) => 2,
                wait(&event) => 3,
                after(std::time::Duration::ZERO) => 4,
                default => panic!("they are ready"),
            };
            counts[n] += 1;
        }
        drop(receive);
        assert!(counts.iter().all(|n| (800..1200).contains(n)), "{counts:?}");
    });
}

/// Of three arms one is never ready: the others still have a share.
#[test]
fn an_arm_that_is_never_ready_lets_the_others_have_theirs() {
    clean(|| {
        let (a, b) = (Always::new(), Always::new());
        let (_never, quiet) = bounded::<()>(0);
        let mut counts = [0usize; 2];
        for _ in 0..3000 {
            let n = select! { recv(a.1) => 0, recv(quiet) => panic!("never"), recv(b.1) => 1 };
            [&a, &b][n].again();
            counts[n] += 1;
        }
        assert!(counts.iter().all(|n| *n >= 800), "{counts:?}");
    });
}

#[test]
fn with_a_bias_the_first_wins() {
    clean(|| {
        let always: Vec<_> = (0..4).map(|_| Always::new()).collect();
        let (never, quiet) = bounded::<()>(0);
        for _ in 0..1000 {
            let n = select_biased! {
                recv(quiet) => 9,
                send(never, ()) => 9,
                recv(always[1].1) => 1,
                recv(always[0].1) => 0,
                after(std::time::Duration::ZERO) => 8,
                recv(always[2].1) => 2,
            };
            assert_eq!(n, 1);
            always[1].again();
        }
        drop(quiet);
        for n in 0..10 {
            let first =
                select_biased! { send(never, ()) -> s => s.is_err(), recv(always[0].1) => false };
            assert!(first, "{n}");
        }
    });
}

/// Among arms that became ready while it waited, by the same rule: what was handed
/// over first is taken.
#[test]
fn what_was_handed_over_first_is_taken() {
    clean(|| {
        for biased in [false, true] {
            for _ in 0..10 {
                let ((sa, ra), (sb, rb)) = (bounded::<u32>(1), bounded::<u32>(1));
                let task = spawn(move || {
                    if biased {
                        select_biased! { recv(ra) -> v => (v, rb.try_recv().ok()), recv(rb) -> v => (v, ra.try_recv().ok()) }
                    } else {
                        select! { recv(ra) -> v => (v, rb.try_recv().ok()), recv(rb) -> v => (v, ra.try_recv().ok()) }
                    }
                });
                yield_now();
                sb.try_send(2).unwrap();
                sa.try_send(1).unwrap();
                assert_eq!(task.join().unwrap(), (Ok(2), Some(1)));
            }
        }
    });
}
