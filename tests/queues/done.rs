//! When all is done, and the end of a queue.

use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Queue, RecvError, SendError};
use greenroom::{Instant, Runtime, scope, sleep, spawn, timeout, try_run, yield_now};

use crate::support::{Log, on_virtual, panic_text};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn join_waits_until_every_item_is_done() {
    on_virtual(|| {
        let start = Instant::now();
        let queue = Queue::fifo(2);
        scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    for seconds in &queue {
                        sleep(SECOND * seconds);
                        queue.task_done();
                    }
                });
            }
            queue.join();
            assert_eq!(start.elapsed(), Duration::ZERO, "there was nothing to do");
            for seconds in [4, 2, 3, 1, 1] {
                queue.push(seconds).unwrap();
            }
            queue.join();
            assert_eq!(start.elapsed(), SECOND * 4);
            assert_eq!(queue.unfinished(), 0);
            queue.shutdown();
        });
        assert_eq!(start.elapsed(), SECOND * 4);
    });
}

/// All who wait are let go at the moment all is done, whatever comes before they run.
#[test]
fn those_who_join_are_let_go_together() {
    on_virtual(|| {
        let queue = Queue::unbounded();
        let log = Log::new();
        queue.push(1).unwrap();
        scope(|s| {
            for n in 0..3 {
                let (queue, log) = (&queue, log.clone());
                s.spawn(move || {
                    queue.join();
                    log.add(n);
                });
            }
            yield_now();
            assert_eq!(queue.pop(), Ok(1));
            yield_now();
            assert_eq!(log.len(), 0, "taken is not done");
            queue.task_done();
            queue.push(2).unwrap();
        });
        assert_eq!(log.take(), [0, 1, 2]);
        assert_eq!(queue.unfinished(), 1);
    });
}

/// An item counts from the moment it is handed over, also before the one who has it runs.
#[test]
fn an_item_on_its_way_is_not_done() {
    on_virtual(|| {
        let queue = Rc::new(Queue::fifo(0));
        let worker = spawn({
            let queue = Rc::clone(&queue);
            move || queue.pop()
        });
        yield_now();
        queue.try_push(1).unwrap();
        assert!(timeout(SECOND, || queue.join()).is_err());
        assert_eq!(worker.join().unwrap(), Ok(1));
        queue.task_done();
        queue.join();
    });
}

#[test]
fn more_done_than_taken_is_an_error_of_the_program() {
    let queue = Queue::priority(3);
    let wanted = "task_done was called more often than items were taken";
    assert_eq!(panic_text(|| queue.task_done()), wanted);
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    assert_eq!(panic_text(|| queue.task_done()), wanted);
    assert_eq!(queue.pop(), Ok(2));
    queue.task_done();
    assert_eq!(panic_text(|| queue.task_done()), wanted);
    assert_eq!((queue.len(), queue.unfinished()), (1, 1));
}

#[test]
fn on_a_plain_thread_join_does_not_wait() {
    let queue = Queue::fifo(1);
    queue.join();
    queue.push(1).unwrap();
    let text = panic_text(|| queue.join());
    assert!(text.contains("no runtime is running here"), "{text}");
}

/// A worker that fails has not done its item: the program hears of it.
#[test]
fn an_item_that_is_never_done_is_a_deadlock_with_a_reason() {
    let error = try_run(|| {
        let queue = Rc::new(Queue::fifo(1));
        queue.push(1).unwrap();
        assert_eq!(queue.pop(), Ok(1));
        queue.join();
    })
    .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the items of a queue to be done"), "{text}");
    let error = try_run(|| Queue::<u8>::fifo(1).pop()).unwrap_err();
    assert!(error.to_string().contains("an item in a queue"), "{error}");
    let error = try_run(|| Queue::lifo(0).push(1)).unwrap_err();
    assert!(error.to_string().contains("room in a queue"), "{error}");
}

#[test]
fn shut_down_while_they_wait() {
    on_virtual(|| {
        let queue = Queue::fifo(2);
        let log = Log::new();
        queue.push(0).unwrap();
        queue.push(1).unwrap();
        scope(|s| {
            for n in 10..12 {
                let (queue, log) = (&queue, log.clone());
                s.spawn(move || log.add(queue.push(n)));
            }
            yield_now();
            queue.shutdown();
            assert_eq!(log.len(), 0, "it switched");
        });
        let back = |n| Err(SendError::Disconnected(n));
        assert_eq!(log.take(), [back(10), back(11)]);
        assert!(queue.iter().eq(0..2));
        let queue = Queue::<u8>::unbounded();
        scope(|s| {
            let popper = s.spawn(|| queue.pop());
            let looping = s.spawn(|| queue.iter().count());
            yield_now();
            queue.shutdown();
            assert_eq!(popper.join(), Err(RecvError::Disconnected));
            assert_eq!(looping.join(), 0);
        });
    });
}

/// What lay inside counts as done; what somebody works on does not.
#[test]
fn shut_down_now() {
    on_virtual(|| {
        let queue = Queue::priority(3);
        let log = Log::new();
        [1, 3, 2].into_iter().for_each(|n| queue.push(n).unwrap());
        scope(|s| {
            let pusher = s.spawn(|| queue.push(4));
            let joiner = s.spawn(|| {
                queue.join();
                log.add("joined");
            });
            yield_now();
            assert_eq!(queue.pop(), Ok(3)); // lets the pusher in
            let late = s.spawn(|| queue.push(5));
            yield_now();
            assert_eq!(queue.shutdown_now(), [4, 2, 1]);
            assert_eq!(pusher.join(), Ok(()));
            assert_eq!(late.join(), Err(SendError::Disconnected(5)));
            assert_eq!((queue.len(), queue.unfinished()), (0, 1));
            yield_now();
            assert_eq!(log.len(), 0, "one is being worked on");
            queue.task_done();
            joiner.join();
        });
        assert_eq!(log.take(), ["joined"]);
        assert!(queue.shutdown_now().is_empty());
        queue.join();
    });
}

#[test]
fn shut_down_now_lets_those_go_who_join() {
    on_virtual(|| {
        let queue = Queue::unbounded();
        queue.push(1).unwrap();
        scope(|s| {
            let joiner = s.spawn(|| queue.join());
            yield_now();
            assert_eq!(queue.shutdown_now(), [1]);
            joiner.join();
        });
    });
}

/// A queue belongs to no runtime: it outlives one, and is used in another.
#[test]
fn a_queue_outlives_its_runtime() {
    let queue = Rc::new(Queue::fifo(4));
    let inside = Rc::clone(&queue);
    Runtime::new().run(move || {
        spawn({
            let queue = Rc::clone(&inside);
            move || {
                queue.push(1).unwrap();
                queue.pop().unwrap();
                queue.pop() // cut off
            }
        });
        yield_now();
    });
    queue.push(2).unwrap();
    let inside = Rc::clone(&queue);
    assert_eq!(Runtime::new().run(move || inside.pop()), Ok(2));
    assert_eq!(queue.unfinished(), 2);
}
