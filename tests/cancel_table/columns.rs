//! The columns of the table: the states in which a cancellation may find a call.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Duration;

use greenroom::{
    Clock, Config, Delivery, Instant, JoinHandle, Runtime, park, scope, shield, sleep, spawn,
    testing, timeout, timeout_at, yield_now,
};

use crate::SECOND;
use crate::rows::{Call, LONG, Rig};
use crate::support::{Log, OnDrop, quiet_panic, text_of};

/// One cell: a runtime on the virtual clock, and what its tasks say.
pub(crate) struct Place {
    call: Call,
    delivery: Delivery,
    log: Log<String>,
}

impl Place {
    /// Runs a cell, and looks at what is left of it.
    pub(crate) fn run(call: Call, delivery: Delivery, main: impl FnOnce(&Self)) {
        let before = testing::stacks_in_use();
        let config = Config::new().clock(Clock::virtual_()).delivery(delivery);
        let mut runtime = Runtime::with(config);
        let cell = Self {
            call,
            delivery,
            log: Log::new(),
        };
        runtime.run(|| main(&cell));
        assert_eq!(runtime.tasks_alive(), 0);
        assert_eq!(runtime.next_deadline(), None, "a timer is left");
        assert_eq!(testing::stacks_in_use(), before, "a stack is left");
    }

    fn rig(&self, completes: bool) -> Rig {
        (self.call.rig)(completes)
    }

    fn unwinds(&self) -> bool {
        self.delivery == Delivery::Unwind
    }

    /// A task that makes the call somehow, then waits once more.
    fn spawn(&self, call: impl FnOnce() -> String + 'static) -> JoinHandle<()> {
        let log = self.log.clone();
        spawn(move || body(&log, call))
    }

    /// Lets the task go as far as it can get.
    fn settle(&self) {
        let turns = if self.call.turns { 1 } else { 4 };
        (0..turns).for_each(|_| yield_now());
    }

    /// Fails unless the log is this. It is empty then.
    #[track_caller]
    fn assert_log(&self, lines: &[&str]) {
        assert_eq!(self.log.take(), lines);
    }

    /// The call was cancelled while it waited: it ends as it should, at once.
    #[track_caller]
    fn assert_cancelled(&self, task: JoinHandle<()>, rig: Rig) {
        let start = Instant::now();
        (0..4).for_each(|_| yield_now());
        let lingers = if self.unwinds() {
            self.call.opens
        } else {
            self.call.patient
        };
        if lingers {
            assert!(!task.is_finished(), "it waits for what cannot be hurried");
            (rig.complete)();
            drop(rig.intact);
        } else {
            assert!(task.is_finished(), "it ends at once");
            (rig.intact)();
        }
        let ended = task.join();
        if !lingers && self.call.time.is_zero() {
            assert_eq!(start.elapsed(), Duration::ZERO);
        }
        if self.unwinds() {
            assert!(ended.unwrap_err().is_cancelled());
            self.assert_log(&["before", "dropped"]);
        } else {
            ended.unwrap();
            let says = format!("says {}", self.call.cancelled);
            self.assert_log(&["before", &says, "end", "dropped"]);
        }
    }

    /// The call was completed: nothing of it is lost, and the next one is cut short.
    #[track_caller]
    fn assert_completed(&self, task: JoinHandle<()>) {
        let says = format!("says {}", self.call.done);
        let ended = task.join();
        if self.unwinds() {
            assert!(ended.unwrap_err().is_cancelled());
            self.assert_log(&["before", &says, "dropped"]);
        } else {
            ended.unwrap();
            self.assert_log(&["before", &says, "end", "dropped"]);
        }
    }
}

/// What the task of a cell does: a guard, the call, and one wait more.
pub(crate) fn body(log: &Log<String>, call: impl FnOnce() -> String) {
    let dropped = log.clone();
    let _guard = OnDrop(move || dropped.add("dropped".to_owned()));
    log.add("before".to_owned());
    let said = call();
    log.add(format!("says {said}"));
    yield_now();
    log.add("end".to_owned());
}

/// Cancelled before its first step: nothing of the body runs.
pub(crate) fn unstarted(cell: &Place) {
    let rig = cell.rig(false);
    let guard_log = cell.log.clone();
    let guard = OnDrop(move || guard_log.add("dropped".to_owned()));
    let (call, log) = (rig.call, cell.log.clone());
    let task = spawn(move || {
        let _guard = guard;
        log.add("ran".to_owned());
        call()
    });
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
    cell.assert_log(&["dropped"]);
    // A closure that was dropped has not waited for anybody.
    (rig.intact)();
}

/// Cancelled while it is in the queue, about to make the call.
pub(crate) fn ready(cell: &Place) {
    let rig = cell.rig(false);
    let call = rig.call;
    let log = cell.log.clone();
    let task = cell.spawn(move || {
        yield_now();
        log.add("about to".to_owned());
        call()
    });
    yield_now();
    task.cancel();
    let helped = !cell.unwinds() && cell.call.patient;
    if helped {
        (rig.complete)();
    }
    let start = Instant::now();
    let ended = task.join();
    assert_eq!(start.elapsed(), Duration::ZERO);
    let says = format!("says {}", cell.call.born);
    if cell.unwinds() {
        cell.assert_log(&["before", "dropped"]);
    } else {
        cell.assert_log(&["before", "about to", &says, "end", "dropped"]);
    }
    let unwound = ended.is_err_and(|error| error.is_cancelled());
    assert_eq!(unwound, cell.unwinds());
    if !helped {
        (rig.intact)();
    }
}

pub(crate) fn parked(cell: &Place) {
    let mut rig = cell.rig(false);
    let call = std::mem::replace(&mut rig.call, Box::new(String::new));
    let task = cell.spawn(call);
    cell.settle();
    cell.assert_log(&["before"]);
    cell.log.add("before".to_owned());
    task.cancel();
    cell.assert_cancelled(task, rig);
}

pub(crate) fn twice(cell: &Place) {
    let mut rig = cell.rig(false);
    let call = std::mem::replace(&mut rig.call, Box::new(String::new));
    let task = cell.spawn(call);
    cell.settle();
    task.cancel();
    task.cancel();
    cell.assert_cancelled(task, rig);
}

/// A task that cancels itself goes on until it makes the call.
pub(crate) fn self_cancelled(cell: &Place) {
    let rig = cell.rig(false);
    let me: Rc<OnceCell<JoinHandle<()>>> = Rc::default();
    let (own, call, log) = (Rc::clone(&me), rig.call, cell.log.clone());
    let task = cell.spawn(move || {
        own.get().unwrap().cancel();
        drop(own);
        log.add("goes on".to_owned());
        call()
    });
    assert!(me.set(task).is_ok());
    (0..4).for_each(|_| yield_now());
    let helped = !cell.unwinds() && cell.call.patient;
    if helped {
        (rig.complete)();
    }
    let task = Rc::into_inner(me).unwrap().into_inner().unwrap();
    let ended = task.join();
    let says = format!("says {}", cell.call.born);
    if cell.unwinds() {
        assert!(ended.unwrap_err().is_cancelled());
        cell.assert_log(&["before", "goes on", "dropped"]);
    } else {
        ended.unwrap();
        cell.assert_log(&["before", "goes on", &says, "end", "dropped"]);
    }
    if !helped {
        (rig.intact)();
    }
}

/// Cancelled after its end: that changes nothing.
pub(crate) fn finished(cell: &Place) {
    let rig = cell.rig(true);
    let start = Instant::now();
    let task = cell.spawn(rig.call);
    cell.settle();
    (rig.complete)();
    while !task.is_finished() {
        sleep(SECOND);
    }
    assert!(start.elapsed() >= cell.call.time);
    task.cancel();
    task.join().unwrap();
    let says = format!("says {}", cell.call.done);
    cell.assert_log(&["before", &says, "end", "dropped"]);
}

/// Made in a destructor while a panic unwinds the task.
pub(crate) fn in_a_panic(cell: &Place) {
    let rig = cell.rig(false);
    let (call, log) = (rig.call, cell.log.clone());
    let task: JoinHandle<()> = spawn(move || {
        let mut call = Some(call);
        let _guard = OnDrop(move || {
            let said = call.take().unwrap()();
            log.add(format!("says {said}"));
        });
        quiet_panic("mine");
    });
    let start = Instant::now();
    (0..4).for_each(|_| yield_now());
    assert_eq!(task.is_finished(), !cell.call.patient);
    if cell.call.patient {
        (rig.complete)();
    } else {
        (rig.intact)();
    }
    let ended = task.join();
    assert_eq!(text_of(&*ended.unwrap_err().into_panic()), "mine");
    if cell.call.patient {
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
    cell.assert_log(&[&format!("says {}", cell.call.unwinding)]);
}

/// Made in a destructor while a cancellation unwinds the task. A scope opened
/// there is a matter of its own.
pub(crate) fn in_a_cancellation(cell: &Place) {
    if !cell.unwinds() || cell.call.opens {
        return;
    }
    let rig = cell.rig(false);
    let (call, log) = (rig.call, cell.log.clone());
    let task = spawn(move || {
        let mut call = Some(call);
        let _guard = OnDrop(move || {
            let said = call.take().unwrap()();
            log.add(format!("says {said}"));
        });
        park();
    });
    yield_now();
    task.cancel();
    (0..4).for_each(|_| yield_now());
    assert_eq!(task.is_finished(), !cell.call.patient);
    if cell.call.patient {
        (rig.complete)();
    } else {
        (rig.intact)();
    }
    assert!(task.join().unwrap_err().is_cancelled());
    cell.assert_log(&[&format!("says {}", cell.call.cancelled)]);
}

/// Cancelled while it waits in a shield: it really waits.
pub(crate) fn shielded(cell: &Place) {
    let rig = cell.rig(true);
    let call = rig.call;
    let start = Instant::now();
    let task = cell.spawn(move || shield(call));
    cell.settle();
    task.cancel();
    cell.settle();
    if cell.call.needs_help() {
        (rig.complete)();
    }
    cell.assert_completed(task);
    assert_eq!(start.elapsed(), cell.call.time);
}

/// Made in a shield by a task that is cancelled already.
pub(crate) fn shielded_late(cell: &Place) {
    let rig = cell.rig(true);
    let call = rig.call;
    let me: Rc<OnceCell<JoinHandle<()>>> = Rc::default();
    let own = Rc::clone(&me);
    let start = Instant::now();
    let task = cell.spawn(move || {
        own.get().unwrap().cancel();
        drop(own);
        shield(call)
    });
    assert!(me.set(task).is_ok());
    cell.settle();
    if cell.call.needs_help() {
        (rig.complete)();
    }
    cell.assert_completed(Rc::into_inner(me).unwrap().into_inner().unwrap());
    assert_eq!(start.elapsed(), cell.call.time);
}

/// Made under a deadline that has passed: it is the first wait, so it is met.
pub(crate) fn past_deadline(cell: &Place) {
    let rig = cell.rig(false);
    let (call, now) = (rig.call, Instant::now());
    let born = cell.call.born;
    let task = cell.spawn(move || match timeout_at(now, call) {
        Ok(said) => said,
        Err(elapsed) => format!("{elapsed:?}"),
    });
    (0..4).for_each(|_| yield_now());
    let helped = !cell.unwinds() && cell.call.patient;
    if helped {
        (rig.complete)();
    }
    task.join().unwrap();
    assert_eq!(now.elapsed(), Duration::ZERO);
    let said = match born {
        _ if cell.unwinds() => "Elapsed",
        "Cancelled" => cell.call.late,
        born => born,
    };
    cell.assert_log(&["before", &format!("says {said}"), "end", "dropped"]);
    if !helped {
        (rig.intact)();
    }
}

/// A deadline comes while it waits, perhaps that of two scopes at once: then it is
/// the outer one that ends.
pub(crate) fn deadlines(cell: &Place, count: u32) {
    if cell.call.turns || cell.call.still {
        return;
    }
    let rig = cell.rig(false);
    let (call, log) = (rig.call, cell.log.clone());
    let start = Instant::now();
    let task = cell.spawn(move || {
        let limited = timeout(SECOND, || {
            if count == 1 {
                return call();
            }
            let inner = timeout(SECOND, call);
            log.add("between".to_owned());
            inner.unwrap()
        });
        let said = limited.unwrap_or_else(|elapsed| format!("{elapsed:?}"));
        format!("{said} after {:?}", start.elapsed())
    });
    sleep(2 * SECOND);
    let lingers = if cell.unwinds() {
        cell.call.opens
    } else {
        cell.call.patient
    };
    let after = if lingers {
        (rig.complete)();
        2 * SECOND
    } else {
        SECOND
    };
    task.join().unwrap();
    if cell.unwinds() {
        let says = format!("says Elapsed after {after:?}");
        cell.assert_log(&["before", &says, "end", "dropped"]);
    } else {
        let says = format!("says {} after {after:?}", cell.call.late);
        let lines = ["before", "between", &says, "end", "dropped"];
        let lines = lines
            .into_iter()
            .filter(|line| count > 1 || *line != "between");
        cell.assert_log(&lines.collect::<Vec<_>>());
    }
    if !lingers {
        (rig.intact)();
    }
}

pub(crate) fn deadline(cell: &Place) {
    deadlines(cell, 1);
}

pub(crate) fn equal_deadlines(cell: &Place) {
    deadlines(cell, 2);
}

/// Made by a child, while its parent waits in the exit of the scope and is
/// cancelled there.
pub(crate) fn in_a_child(cell: &Place) {
    let mut rig = cell.rig(false);
    let call = std::mem::replace(&mut rig.call, Box::new(String::new));
    let log = cell.log.clone();
    let owner = spawn(move || {
        scope(|s| drop(s.spawn(|| body(&log, call))));
    });
    // One turn more: the child begins after its parent.
    yield_now();
    cell.settle();
    owner.cancel();
    let child_ended = Rc::new(Cell::new(false));
    let sees = Rc::clone(&child_ended);
    let task = spawn(move || {
        let _ended = owner.join();
        sees.set(true);
    });
    (0..6).for_each(|_| yield_now());
    let lingers = if cell.unwinds() {
        cell.call.opens
    } else {
        cell.call.patient
    };
    assert_eq!(child_ended.get(), !lingers);
    if lingers {
        (rig.complete)();
    } else {
        (rig.intact)();
    }
    task.join().unwrap();
    if cell.unwinds() {
        cell.assert_log(&["before", "dropped"]);
    } else {
        let says = format!("says {}", cell.call.cancelled);
        cell.assert_log(&["before", &says, "end", "dropped"]);
    }
}

/// The call had completed when the cancellation came: it wins.
pub(crate) fn completed(cell: &Place) {
    if cell.call.turns {
        return;
    }
    let rig = cell.rig(true);
    let start = Instant::now();
    let me: Rc<OnceCell<JoinHandle<()>>> = Rc::default();
    if cell.call.time.is_zero() {
        let task = cell.spawn(rig.call);
        cell.settle();
        (rig.complete)();
        if cell.call.patient {
            // Who it waits for ends, and wakes it.
            yield_now();
        }
        task.cancel();
        cell.assert_completed(task);
    } else {
        // Asleep before the task is, and so awake before it.
        let theirs = Rc::clone(&me);
        let canceller = spawn(move || {
            sleep(LONG);
            theirs.get().unwrap().cancel();
        });
        yield_now();
        assert!(me.set(cell.spawn(rig.call)).is_ok());
        canceller.join().unwrap();
        cell.assert_completed(Rc::into_inner(me).unwrap().into_inner().unwrap());
    }
    assert_eq!(start.elapsed(), cell.call.time);
}
