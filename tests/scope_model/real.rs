//! Runs a program with the crate.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::testing::{Choices, stacks_in_use};
use greenroom::{
    CancelScope, Cancelled, Clock, Close, Config, Instant, JoinError, Runtime, ScopedJoinHandle,
    SupervisedJoinHandle, checkpoint, is_cancelled, scope, shield, sleep, supervise, timeout,
    try_scope, with, yield_now,
};

use super::program::{Ending, Event, How, Kind, Outcome, Program, ScopeState, Step, What};
use super::support::OnDrop;

/// What a step panics with.
struct Failure(usize);

/// One run.
struct Run<'p> {
    program: &'p Program,
    clock: Clock,
    events: Rc<RefCell<Vec<(u64, Event)>>>,
    scopes: Vec<CancelScope>,
}

/// Runs the program, and looks whether anything is left of it.
pub(crate) fn run(program: &Program) -> Outcome {
    let before = stacks_in_use();
    let clock = Clock::virtual_();
    let events = Rc::new(RefCell::new(Vec::new()));
    let mut config = Config::new()
        .clock(clock.clone())
        .delivery(program.delivery)
        .event_interval(u32::MAX)
        .on_unobserved({
            let (events, clock) = (Rc::clone(&events), clock.clone());
            move |told| {
                let id = match told.payload.downcast_ref::<Failure>() {
                    Some(failure) => failure.0,
                    None => error_of(&*told.payload),
                };
                events
                    .borrow_mut()
                    .push((nanos(clock.elapsed()), Event::Told(id)));
            }
        });
    if !program.choices.is_empty() {
        config = config.schedule(Choices(program.choices.clone()));
    }
    let mut runtime = Runtime::with(config);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        runtime.run(|| {
            let run = Run::new(program, clock.clone(), Rc::clone(&events));
            let ended = catch_unwind(AssertUnwindSafe(|| {
                run.perform(&program.main, &Handles::none())
            }));
            (run.scope_states(), ended)
        })
    }));
    let left = runtime.left_over();
    assert!(left.is_nothing(), "{left}");
    assert_eq!(runtime.tasks_alive(), 0);
    assert_eq!(stacks_in_use(), before);
    assert_eq!(runtime.next_deadline(), None);
    let (scopes, ended) = ran.unwrap_or_else(|panic| resume_unwind(panic));
    let main = match ended {
        Ok(_) => Ending::Returned,
        Err(payload) if payload.is::<Cancelled>() => Ending::Cancelled,
        Err(payload) => match payload.downcast::<Failure>() {
            Ok(failure) => Ending::Panicked(failure.0),
            Err(other) => resume_unwind(other),
        },
    };
    Outcome {
        events: events.take(),
        main,
        scopes,
        elapsed: nanos(clock.elapsed()),
    }
}

/// The step whose error the hook was told of.
fn error_of(told: &(dyn Any + Send)) -> usize {
    let text = told
        .downcast_ref::<String>()
        .expect("the Debug of an error");
    text.parse().expect("a number")
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("not for ever")
}

/// The children of the innermost group of a task.
struct Handles<'a> {
    children: RefCell<Vec<Option<Box<dyn Child + 'a>>>>,
    cancel_all: Option<&'a dyn Fn()>,
}

impl Handles<'_> {
    fn none() -> Self {
        Self {
            children: RefCell::default(),
            cancel_all: None,
        }
    }
}

trait Child {
    fn wait(self: Box<Self>) -> Result<(), JoinError>;
    fn cancel(&self);
}

impl<T> Child for ScopedJoinHandle<'_, T> {
    fn wait(self: Box<Self>) -> Result<(), JoinError> {
        self.try_join().map(drop)
    }

    fn cancel(&self) {
        ScopedJoinHandle::cancel(self);
    }
}

impl<T> Child for SupervisedJoinHandle<'_, T> {
    fn wait(self: Box<Self>) -> Result<(), JoinError> {
        self.join().map(drop)
    }

    fn cancel(&self) {
        SupervisedJoinHandle::cancel(self);
    }
}

/// Notes how something ended, also if nobody says so.
struct Ends<'a, F: Fn(How) -> Event> {
    run: &'a Run<'a>,
    event: F,
    how: Cell<How>,
}

impl<F: Fn(How) -> Event> Drop for Ends<'_, F> {
    fn drop(&mut self) {
        self.run.note((self.event)(self.how.get()));
    }
}

struct Resource<'a> {
    run: &'a Run<'a>,
    id: usize,
    close: Duration,
    grace: Duration,
}

impl Close for Resource<'_> {
    type Error = usize;

    fn close(self) -> Result<(), usize> {
        sleep(self.close);
        self.run.note(Event::Closed(self.id));
        Ok(())
    }

    fn grace(&self) -> Duration {
        self.grace
    }
}

impl<'p> Run<'p> {
    /// Begins a run. In its main task: cancel scopes may have deadlines.
    fn new(program: &'p Program, clock: Clock, events: Rc<RefCell<Vec<(u64, Event)>>>) -> Self {
        let mut run = Self {
            program,
            clock,
            events,
            scopes: Vec::new(),
        };
        for &(id, terms) in &program.scopes {
            let mut builder = CancelScope::builder();
            if let Some(units) = terms.deadline {
                builder = builder.deadline(run.after(id, units));
            }
            if terms.shield {
                builder = builder.shield();
            }
            if let Some(delivery) = terms.delivery {
                builder = builder.delivery(delivery);
            }
            run.scopes.push(builder.build());
        }
        run
    }

    fn scope_states(&self) -> Vec<ScopeState> {
        let start = Instant::now() - self.clock.elapsed();
        let state = |scope: &CancelScope| ScopeState {
            called: scope.cancel_called(),
            passed: scope.deadline_passed(),
            caught: scope.cancelled_caught(),
            deadline: scope.deadline().map(|deadline| nanos(deadline - start)),
        };
        self.scopes.iter().map(state).collect()
    }

    fn duration(&self, id: usize, units: u64) -> Duration {
        Duration::from_nanos(self.program.nanos(id, units))
    }

    fn after(&self, id: usize, units: u64) -> Instant {
        Instant::now() + self.duration(id, units)
    }

    fn note(&self, event: Event) {
        let now = nanos(self.clock.elapsed());
        self.events.borrow_mut().push((now, event));
    }

    /// Performs the steps of a body; an error ends it before its time.
    fn perform(&self, body: &[Step], group: &Handles<'_>) -> Result<(), usize> {
        body.iter().try_for_each(|step| self.step(step, group))
    }

    /// The steps with a body. Notes how they ended, and gives the body's result.
    fn compound(&self, step: &Step, group: &Handles<'_>) -> Result<(), usize> {
        let id = step.id;
        let ends = Ends {
            run: self,
            event: |how| Event::Left(id, how),
            how: Cell::new(How::Unwound),
        };
        let perform = |body| self.perform(body, group);
        let kept = match &step.what {
            What::Timeout(units, body) => timeout(self.duration(id, *units), || perform(body)).ok(),
            What::Shield(body) => Some(shield(|| perform(body))),
            What::Catch(body) => catch_unwind(AssertUnwindSafe(|| perform(body))).ok(),
            What::CancelScope(_, body) => {
                let place = self.program.scopes.iter().position(|(of, _)| *of == id);
                self.scopes[place.expect("it was numbered")].run(|| perform(body))
            }
            What::With { close, grace, body } => {
                let resource = Resource {
                    run: self,
                    id,
                    close: self.duration(id, *close),
                    grace: self.duration(id, *grace),
                };
                Some(with(resource, |_| perform(body)))
            }
            What::Guard {
                units,
                shielded,
                body,
            } => {
                let _sleeps = OnDrop(|| self.sleep_in_destructor(id, *units, *shielded));
                Some(perform(body))
            }
            What::Group {
                kind,
                limit,
                children,
                body,
            } => {
                let group = Group {
                    run: self,
                    id,
                    limit: *limit,
                    children,
                    body,
                };
                Some(group.perform(*kind))
            }
            _ => unreachable!("it has no body"),
        };
        let returned = kept.is_some();
        ends.how
            .set(if returned { How::Returned } else { How::Caught });
        kept.unwrap_or(Ok(()))
    }

    fn sleep_in_destructor(&self, id: usize, units: u64, shielded: bool) {
        let time = self.duration(id, units);
        if shielded {
            shield(|| sleep(time));
        } else {
            sleep(time);
        }
        self.note(Event::Dropped(id));
    }

    /// What a child runs.
    fn child<'a>(
        &'a self,
        group: usize,
        place: usize,
        body: &'a [Step],
    ) -> impl FnOnce() -> Result<(), usize> + 'a {
        let ends = Ends {
            run: self,
            event: move |how| Event::Ended(group, place, how),
            how: Cell::new(How::Unrun),
        };
        move || {
            ends.how.set(How::Unwound);
            let result = self.perform(body, &Handles::none());
            ends.how.set(How::Returned);
            result
        }
    }

    fn step(&self, step: &Step, group: &Handles<'_>) -> Result<(), usize> {
        let id = step.id;
        let place = |number: usize| number.checked_rem(group.children.borrow().len());
        match &step.what {
            What::Emit => self.note(Event::Emitted(id)),
            What::Ask => self.note(Event::Asked(id, is_cancelled())),
            What::Yield => yield_now(),
            What::Checkpoint => {
                let checked = checkpoint();
                self.note(Event::Checked(id, checked.is_ok()));
            }
            What::Sleep(units) => sleep(self.duration(id, *units)),
            What::Fail => resume_unwind(Box::new(Failure(id))),
            What::Throw => resume_unwind(Box::new(Cancelled::default())),
            What::Join(number) => {
                let child = place(*number).and_then(|at| group.children.borrow_mut()[at].take());
                if let Some(child) = child {
                    let ending = ending(child.wait());
                    self.note(Event::Joined(id, ending));
                }
            }
            What::CancelChild(number) => {
                let children = group.children.borrow();
                if let Some(child) = place(*number).and_then(|at| children[at].as_ref()) {
                    child.cancel();
                }
            }
            What::CancelChildren => group.cancel_all.iter().for_each(|cancel| cancel()),
            What::Cancel(number) => {
                if let Some(place) = self.program.scope(*number) {
                    self.scopes[place].cancel("");
                }
            }
            What::Move(number, units) => {
                if let Some(place) = self.program.scope(*number) {
                    self.scopes[place].set_deadline(units.map(|units| self.after(id, units)));
                }
            }
            What::Quit => return Err(id),
            _ => return self.compound(step, group),
        }
        Ok(())
    }
}

/// A step with children.
struct Group<'a> {
    run: &'a Run<'a>,
    id: usize,
    limit: Option<usize>,
    children: &'a [Vec<Step>],
    body: &'a [Step],
}

impl Group<'_> {
    fn perform(&self, kind: Kind) -> Result<(), usize> {
        match kind {
            Kind::Scope => scope(|s| {
                self.limit.into_iter().for_each(|limit| s.set_limit(limit));
                self.lead(&|| s.cancel_children(), |place, body| {
                    Box::new(s.spawn(self.run.child(self.id, place, body)))
                })
            }),
            Kind::Supervise => supervise(|s| {
                self.limit.into_iter().for_each(|limit| s.set_limit(limit));
                self.lead(&|| s.cancel_children(), |place, body| {
                    Box::new(s.spawn(self.run.child(self.id, place, body)))
                })
            }),
            Kind::TryScope => try_scope(|s| {
                self.limit.into_iter().for_each(|limit| s.set_limit(limit));
                self.lead(&|| s.cancel_children(), |place, body| {
                    Box::new(s.spawn(self.run.child(self.id, place, body)))
                })
            }),
        }
    }

    /// The body of the scope.
    fn lead<'b>(
        &'b self,
        cancel_all: &dyn Fn(),
        spawn: impl Fn(usize, &'b [Step]) -> Box<dyn Child + 'b>,
    ) -> Result<(), usize> {
        let handles = Handles {
            children: RefCell::default(),
            cancel_all: Some(cancel_all),
        };
        for (place, body) in self.children.iter().enumerate() {
            let child = spawn(place, body);
            handles.children.borrow_mut().push(Some(child));
        }
        self.run.perform(self.body, &handles)
    }
}

fn ending(joined: Result<(), JoinError>) -> Ending {
    match joined {
        Ok(()) => Ending::Returned,
        Err(error) if error.is_cancelled() => Ending::Cancelled,
        Err(error) => {
            let panic = error.into_panic();
            Ending::Panicked(panic.downcast::<Failure>().expect("only steps panic").0)
        }
    }
}
