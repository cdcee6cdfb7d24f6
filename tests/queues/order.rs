//! Which item is next, who is served next, and what comes back.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{
    Lifo, Order, Priority, Queue, RecvError, SendError, TryRecvError, TrySendError,
};
use greenroom::{Awaitable, Config, Runtime, scope, select, sleep, spawn, timeout, yield_now};

use crate::model::Item;
use crate::support::{Log, OnDrop, on_virtual};

#[test]
fn three_orders() {
    let fill = |push: &dyn Fn(u32)| [3, 1, 4, 1, 5, 9, 2, 6].into_iter().for_each(push);
    let queue = Queue::unbounded();
    fill(&|n| queue.push(n).unwrap());
    queue.shutdown();
    assert!(queue.iter().eq([3, 1, 4, 1, 5, 9, 2, 6]));
    let queue = Queue::lifo(usize::MAX);
    fill(&|n| queue.push(n).unwrap());
    queue.shutdown();
    assert!(queue.iter().eq([6, 2, 9, 5, 1, 4, 1, 3]));
    let queue = Queue::priority(usize::MAX);
    fill(&|n| queue.push(n).unwrap());
    queue.shutdown();
    assert!(queue.iter().eq([9, 6, 5, 4, 3, 2, 1, 1]));
    let queue = Queue::priority(usize::MAX);
    fill(&|n| queue.push(Reverse(n)).unwrap());
    queue.shutdown();
    assert!(
        (&queue)
            .into_iter()
            .map(|n| n.0)
            .eq([1, 1, 2, 3, 4, 5, 6, 9])
    );
}

/// Of equal ones the one that came first is next, whatever was taken meanwhile.
#[test]
fn equal_ones_in_order_of_arrival() {
    let queue = Queue::priority(usize::MAX);
    let item = |rank, name| Item { rank, name };
    for name in 0..20 {
        queue.push(item(name % 3, name)).unwrap();
    }
    let mut names: Vec<_> = (0..5).map(|_| queue.pop().unwrap().name).collect();
    (20..30).for_each(|name| queue.push(item(name % 3, name)).unwrap());
    queue.shutdown();
    names.extend(queue.iter().map(|item| item.name));
    let of = |rank| (0..30).filter(move |name| name % 3 == rank);
    assert!(names.into_iter().eq(of(2).chain(of(1)).chain(of(0))));
}

#[test]
fn what_a_queue_says_of_itself() {
    fn check<O: Order<u32>>(queue: &Queue<u32, O>) {
        assert_eq!(queue.capacity(), Some(2));
        assert!(queue.is_empty() && !queue.is_full() && !queue.is_shut_down());
        queue.try_push(1).unwrap();
        queue.push(2).unwrap();
        assert_eq!(queue.try_push(3), Err(TrySendError::Full(3)));
        // On a plain thread nobody could make room, or push.
        assert_eq!(queue.push(3), Err(SendError::WouldBlock(3)));
        assert!(queue.is_full() && queue.len() == 2);
        queue.pop().unwrap();
        queue.try_pop().unwrap();
        assert_eq!(queue.pop(), Err(RecvError::WouldBlock));
        assert_eq!(queue.try_pop(), Err(TryRecvError::Empty));
        assert_eq!(queue.iter().next(), None);
        queue.shutdown();
        queue.shutdown();
        assert!(queue.is_shut_down());
        assert_eq!(queue.push(4), Err(SendError::Disconnected(4)));
        assert_eq!(queue.try_push(4), Err(TrySendError::Disconnected(4)));
        assert_eq!(queue.pop(), Err(RecvError::Disconnected));
        assert_eq!(queue.try_pop(), Err(TryRecvError::Disconnected));
        assert_eq!(
            format!("{queue:?}"),
            "Queue { len: 0, capacity: Some(2), unfinished: 2, is_shut_down: true }"
        );
    }
    check(&Queue::fifo(2));
    check(&Queue::lifo(2));
    check(&Queue::priority(2));
    on_virtual(|| {
        assert_eq!(Queue::<u8>::unbounded().capacity(), None);
        assert_eq!(Queue::<u8, Lifo>::lifo(usize::MAX).capacity(), None);
        let hands = Queue::<u8, Priority>::priority(0);
        assert_eq!(hands.capacity(), Some(0));
        assert!(hands.is_full() && hands.is_empty());
        assert_eq!(hands.try_push(1), Err(TrySendError::Full(1)));
    });
}

/// Those who wait for room are let in in their order; the queue's own order is that of
/// the items inside.
#[test]
fn who_waits_for_room_is_let_in_first_come_first_served() {
    on_virtual(|| {
        let queue = Rc::new(Queue::priority(1));
        queue.push(5).unwrap();
        for n in [1, 9, 3] {
            let queue = Rc::clone(&queue);
            spawn(move || queue.push(n).unwrap());
        }
        yield_now();
        assert_eq!(queue.len(), 1);
        assert_eq!(
            queue.try_push(7),
            Err(TrySendError::Full(7)),
            "nobody barges in"
        );
        queue.shutdown_later();
        let all: Vec<_> = queue.iter().collect();
        assert_eq!(all, [5, 1, 9, 3]);
    });
}

/// Shuts a queue down after everything that is ready has run.
trait ShutdownLater {
    fn shutdown_later(&self);
}

impl<T: 'static, O: Order<T> + 'static> ShutdownLater for Rc<Queue<T, O>> {
    fn shutdown_later(&self) {
        let queue = Rc::clone(self);
        spawn(move || {
            sleep(Duration::from_secs(1));
            queue.shutdown();
        });
    }
}

#[test]
fn hand_to_hand() {
    fn check<O: Order<u32> + 'static>(queue: Queue<u32, O>) {
        let log = Log::new();
        on_virtual(|| {
            let queue = Rc::new(queue);
            let pusher = spawn({
                let (queue, log) = (Rc::clone(&queue), log.clone());
                move || {
                    for n in 0..3 {
                        queue.push(n).unwrap();
                        log.add(format!("pushed {n}"));
                    }
                }
            });
            (0..5).for_each(|_| yield_now());
            assert!(log.take().is_empty() && queue.is_empty());
            assert_eq!(queue.unfinished(), 0, "it is not pushed yet");
            for n in 0..3 {
                assert_eq!(queue.pop(), Ok(n));
            }
            pusher.join().unwrap();
            assert_eq!(log.take(), ["pushed 0", "pushed 1", "pushed 2"]);
            assert_eq!(queue.unfinished(), 3);
            // A pop that waits is served at once.
            let popper = spawn({
                let queue = Rc::clone(&queue);
                move || queue.pop()
            });
            yield_now();
            queue.try_push(9).unwrap();
            assert_eq!(queue.unfinished(), 4, "it is on its way");
            assert_eq!(popper.join().unwrap(), Ok(9));
        });
    }
    check(Queue::fifo(0));
    check(Queue::lifo(0));
    check(Queue::priority(0));
}

#[test]
fn each_item_goes_to_whoever_waits_longest() {
    on_virtual(|| {
        let queue = Queue::lifo(8);
        let log = Log::new();
        scope(|s| {
            for n in 0..4 {
                let (queue, log) = (&queue, log.clone());
                s.spawn(move || log.add((n, queue.pop().unwrap())));
            }
            yield_now();
            (10..14).for_each(|n| queue.try_push(n).unwrap());
            assert!(queue.is_empty());
        });
        assert_eq!(log.take(), [(0, 10), (1, 11), (2, 12), (3, 13)]);
    });
}

#[test]
fn a_queue_is_an_arm_and_can_be_waited_for() {
    on_virtual(|| {
        let (first, second) = (Rc::new(Queue::priority(4)), Queue::<u32>::fifo(0));
        let filler = Rc::clone(&first);
        spawn(move || {
            sleep(Duration::from_secs(1));
            filler.push(3).unwrap();
            filler.push(7).unwrap();
            filler.shutdown();
        });
        let mut got = Vec::new();
        loop {
            select! {
                wait(&first) -> item => match item {
                    Ok(item) => got.push(item),
                    Err(error) => {
                        assert_eq!(error, RecvError::Disconnected);
                        break;
                    }
                },
                wait(&second) -> _ => panic!("nobody pushes there"),
            }
        }
        assert_eq!(got, [3, 7], "the first was handed over when it came");
        assert_eq!((&*first).wait(), Err(RecvError::Disconnected));
        let queue = Queue::fifo(1);
        queue.push(1).unwrap();
        assert_eq!((&queue, Timer).wait(), (Ok(1), "done"));
    });

    struct Timer;
    impl Awaitable for Timer {
        type Output = &'static str;
        fn wait(self) -> &'static str {
            yield_now();
            "done"
        }
    }
}

/// A losing arm has taken nothing, and nobody thinks that it waits.
#[test]
fn a_losing_arm_takes_nothing() {
    on_virtual(|| {
        let queue = Rc::new(Queue::fifo(1));
        let lost = select! {
            wait(&queue) -> item => item.ok(),
            after(Duration::from_secs(1)) => None,
        };
        assert_eq!(lost, None);
        queue.try_push(1).unwrap();
        assert_eq!(queue.len(), 1);
        assert!(timeout(Duration::ZERO, || queue.push(2)).is_err());
        assert_eq!((queue.try_pop(), queue.len()), (Ok(1), 0));
        assert_eq!(queue.unfinished(), 1);
    });
}

/// A budget that is used up is used up before anything is taken.
#[test]
fn no_item_is_lost_when_a_worker_out_of_budget_is_cancelled() {
    for budget in 0..6 {
        let log = Log::new();
        let mut runtime = Runtime::with(Config::new().budget(budget));
        let queue = Rc::new(Queue::unbounded());
        (0..20).for_each(|n| queue.try_push(n).unwrap());
        runtime.run(|| {
            let (log, queue) = (log.clone(), Rc::clone(&queue));
            drop(spawn(move || queue.iter().for_each(|n| log.add(n))));
            yield_now();
        });
        let mut all = log.take();
        assert_eq!(queue.unfinished(), 20);
        all.extend(queue.shutdown_now());
        assert!(all.into_iter().eq(0..20), "with a budget of {budget}");
    }
}

/// Items nobody took are dropped with the queue, once. What is done with the queue in a
/// destructor is done.
#[test]
fn items_whose_destructors_use_the_queue() {
    struct Loud {
        queue: Rc<RefCell<Option<Rc<Queue<Loud>>>>>,
        again: bool,
    }
    impl Drop for Loud {
        fn drop(&mut self) {
            let queue = self.queue.borrow().clone();
            if let Some(queue) = queue.filter(|_| self.again) {
                assert!(queue.len() < 100);
                let another = Loud {
                    queue: Rc::clone(&self.queue),
                    again: false,
                };
                let _pushed = queue.try_push(another);
            }
        }
    }
    let place: Rc<RefCell<Option<Rc<Queue<Loud>>>>> = Rc::default();
    let queue = Rc::new(Queue::unbounded());
    place.replace(Some(Rc::clone(&queue)));
    let item = || Loud {
        queue: Rc::clone(&place),
        again: true,
    };
    (0..10).for_each(|_| assert!(queue.try_push(item()).is_ok()));
    drop(queue.try_pop()); // pushes another
    assert_eq!((queue.len(), queue.unfinished()), (10, 11));
    drop(queue.shutdown_now()); // cannot
    assert_eq!((queue.len(), queue.unfinished()), (0, 1));
    place.replace(None);
    assert_eq!(Rc::strong_count(&place), 1, "nothing was leaked");
    let dropped = Log::new();
    let queue = Queue::lifo(3);
    for n in 0..3 {
        let dropped = dropped.clone();
        assert!(queue.try_push(OnDrop(move || dropped.add(n))).is_ok());
    }
    drop(queue);
    assert_eq!(dropped.len(), 3);
}
