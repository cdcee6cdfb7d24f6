//! The inbox by itself: nobody sleeps over a message, and a burst rouses once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Inbox, Message, Rouse};
use crate::id::TaskId;

fn message(number: u32) -> Message {
    Message::Wake(number, TaskId::new(std::num::NonZeroU64::MIN))
}

fn number(message: &Message) -> u32 {
    match message {
        Message::Wake(number, _) => *number,
        other => panic!("nobody sent {other:?}"),
    }
}

#[cfg(not(loom))]
mod counted {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Rouse for Count {
        fn rouse(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn taken(inbox: &Inbox<Count>) -> Vec<u32> {
        let mut arrived = VecDeque::new();
        inbox.take(&mut arrived);
        arrived.iter().map(number).collect()
    }

    #[test]
    fn a_burst_rouses_once() {
        let count = Arc::new(Count::default());
        let inbox = Arc::new(Inbox::new(Arc::clone(&count)));
        let roused = || count.0.swap(0, Ordering::Relaxed);
        // Nobody has looked yet: it may be long until somebody does.
        assert!(inbox.send(message(0)).is_none());
        assert_eq!((roused(), taken(&inbox)), (1, vec![0]));
        // Nobody sleeps: nobody is roused.
        for n in 0..1000 {
            assert!(inbox.send(message(n)).is_none());
        }
        assert_eq!(roused(), 0);
        assert!(inbox.is_filled() && !inbox.fall_asleep());
        assert!(taken(&inbox).into_iter().eq(0..1000));
        // It sleeps, and a thousand messages come, from four threads.
        for _ in 0..10 {
            assert!(inbox.fall_asleep());
            std::thread::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| (0..250).for_each(|n| drop(inbox.send(message(n)))));
                }
            });
            assert_eq!(roused(), 1);
            assert_eq!(taken(&inbox).len(), 1000);
        }
        assert!(!inbox.is_filled());
    }

    #[test]
    fn nothing_is_taken_in_after_the_end() {
        let inbox = Inbox::new(Arc::new(Count::default()));
        assert!(inbox.send(message(1)).is_none());
        inbox.close();
        assert!(inbox.send(message(2)).is_some());
        assert!(taken(&inbox).is_empty());
    }
}

#[cfg(loom)]
mod every_order {
    use loom::sync::{Condvar, Mutex};
    use loom::thread;

    use super::*;
    use crate::sys::threads::Ordering;

    /// The counter a loop sleeps on: what a descriptor is to a real one.
    #[derive(Default)]
    struct Bell {
        rung: Mutex<(bool, usize)>,
        ringing: Condvar,
    }

    impl Rouse for Bell {
        fn rouse(&self) {
            let mut rung = self.rung.lock().unwrap();
            rung.0 = true;
            rung.1 += 1;
            self.ringing.notify_one();
        }
    }

    impl Bell {
        fn sleep(&self) {
            let mut rung = self.rung.lock().unwrap();
            while !rung.0 {
                rung = self.ringing.wait(rung).unwrap();
            }
            rung.0 = false;
        }
    }

    /// The loop, as far as it is about messages: until so many have come.
    fn receive(inbox: &Inbox<Bell>, bell: &Bell, count: usize) -> Vec<u32> {
        let mut all = Vec::new();
        loop {
            if inbox.is_filled() {
                let mut arrived = VecDeque::new();
                inbox.take(&mut arrived);
                all.extend(arrived.iter().map(number));
            }
            if all.len() == count {
                return all;
            }
            if inbox.fall_asleep() {
                // A message that is lost leaves it here for ever, which loom reports.
                bell.sleep();
            } else {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn nobody_sleeps_over_a_message() {
        loom::model(|| {
            let bell = Arc::new(Bell::default());
            let inbox = Arc::new(Inbox::new(Arc::clone(&bell)));
            let senders: Vec<_> = (0..2)
                .map(|n| {
                    let inbox = Arc::clone(&inbox);
                    thread::spawn(move || drop(inbox.send(message(n))))
                })
                .collect();
            let mut all = receive(&inbox, &bell, 2);
            all.sort_unstable();
            assert_eq!(all, [0, 1]);
            senders.into_iter().for_each(|s| s.join().unwrap());
        });
    }

    #[test]
    fn a_burst_rings_once() {
        loom::model(|| {
            let bell = Arc::new(Bell::default());
            let inbox = Arc::new(Inbox::new(Arc::clone(&bell)));
            assert!(inbox.fall_asleep());
            let sender = {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || (0..2).for_each(|n| drop(inbox.send(message(n)))))
            };
            drop(inbox.send(message(2)));
            sender.join().unwrap();
            assert_eq!(bell.rung.lock().unwrap().1, 1);
            bell.sleep();
            assert_eq!(receive(&inbox, &bell, 3).len(), 3);
        });
    }

    /// The last outsider gone rouses a loop that waits for it, also if it goes just
    /// after the loop has looked, and before it sleeps.
    #[test]
    fn the_end_is_not_slept_over() {
        loom::model(|| {
            let bell = Arc::new(Bell::default());
            let inbox = Arc::new(Inbox::new(Arc::clone(&bell)));
            inbox.outsiders.fetch_add(1, Ordering::AcqRel);
            let outsider = {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || {
                    inbox.outsiders.fetch_sub(1, Ordering::AcqRel);
                    inbox.change(|_| {});
                })
            };
            while inbox.has_outsiders() {
                if inbox.fall_asleep() {
                    // An end that is slept over leaves it here for ever, which loom reports.
                    bell.sleep();
                } else {
                    thread::yield_now();
                }
            }
            outsider.join().unwrap();
        });
    }
}
