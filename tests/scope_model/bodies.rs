//! Steps with a body: from their beginning to their end, however that comes.

use greenroom::Delivery;

use super::super::program::{Ending, Event, How, Kind, Step, What};
use super::{Flow, Item, Model, Payload, Remote, Scope, ScopeAt, Spawning, TaskAt, Time, Wait};

/// Scopes, from opening to closing.
impl<'p> Model<'p> {
    fn open(&mut self, task: TaskAt, deadline: Option<Time>, shield: bool) -> ScopeAt {
        self.open_because(task, deadline, shield, None)
    }

    /// Opens a scope that is cancelled already, if there is a cause.
    fn open_because(
        &mut self,
        task: TaskAt,
        deadline: Option<Time>,
        shield: bool,
        cause: Option<bool>,
    ) -> ScopeAt {
        let delivery = self.delivery(task);
        self.scopes.push(Scope {
            task,
            deadline,
            shield,
            delivery,
            cause,
            kind: None,
            children: Vec::new(),
            failure: None,
            joining: false,
            cut_short: false,
            room: false,
            promised: 0,
            limit: usize::MAX,
        });
        let scope = self.scopes.len() - 1;
        self.tasks[task].scopes.push(scope);
        self.set_scope_timer(task);
        self.expire(task);
        scope
    }

    /// Closes the innermost scope of a task. Whether it caught what unwound.
    fn close(&mut self, task: TaskAt, thrown: Option<Payload>) -> (ScopeAt, bool) {
        let scope = self.tasks[task].scopes.pop().expect("one is open");
        self.set_scope_timer(task);
        let this = &self.scopes[scope];
        let caught = matches!(thrown, Some(Payload::Cancelled))
            && this.cause.is_some()
            && (this.shield || !self.is_pending(task));
        (scope, caught)
    }

    /// Goes on after a step with a body.
    fn leave(&mut self, id: usize, caught: bool, thrown: Option<Payload>) -> Flow {
        let (how, flow) = match thrown {
            None => (How::Returned, Flow::On),
            Some(error @ Payload::Error(_)) => (How::Returned, Flow::Throw(error)),
            Some(_) if caught => (How::Caught, Flow::On),
            Some(payload) => (How::Unwound, Flow::Throw(payload)),
        };
        self.note(Event::Left(id, how));
        flow
    }

    /// Begins a step with a body.
    pub(super) fn enter(&mut self, task: TaskAt, step: &'p Step) {
        let id = step.id;
        let (item, body) = match &step.what {
            What::Timeout(units, body) => {
                let deadline = self.now + self.program.nanos(id, *units);
                self.open(task, Some(deadline), false);
                (Item::Timed(id), body)
            }
            What::Shield(body) => {
                self.open(task, None, true);
                (Item::Shield(id), body)
            }
            What::Catch(body) => (Item::Catch(id), body),
            What::CancelScope(terms, body) => {
                let find = |(of, _): &(usize, _)| *of == id;
                let place = self.program.scopes.iter().position(find).expect("numbered");
                let Remote {
                    deadline, cause, ..
                } = self.remotes[place];
                // It may have been cancelled before.
                let scope = self.open_because(task, deadline, terms.shield, cause);
                if let Some(delivery) = terms.delivery {
                    self.scopes[scope].delivery = delivery;
                }
                let remote = &mut self.remotes[place];
                (remote.open, remote.used) = (Some(scope), true);
                (Item::CancelScope(id, place), body)
            }
            What::With { close, grace, body } => {
                self.open(task, None, false);
                let times = (
                    self.program.nanos(id, *close),
                    self.program.nanos(id, *grace),
                );
                (Item::With(id, times.0, times.1), body)
            }
            What::Guard {
                units,
                shielded,
                body,
            } => (
                Item::Guard(id, self.program.nanos(id, *units), *shielded),
                body,
            ),
            What::Group {
                kind,
                limit,
                children,
                body,
            } => {
                let scope = self.open(task, None, false);
                self.scopes[scope].kind = Some(*kind);
                self.scopes[scope].limit = limit.unwrap_or(usize::MAX);
                let spawning = Spawning {
                    id,
                    rest: children,
                    handles: Vec::new(),
                    body,
                };
                self.tasks[task].items.push(Item::Spawning(spawning));
                return;
            }
            _ => unreachable!("it has no body"),
        };
        self.tasks[task].items.extend([item, Item::Steps(body)]);
    }

    /// What the innermost item does now that its body returned, or threw.
    pub(super) fn exit(&mut self, task: TaskAt, item: Item<'p>, thrown: Option<Payload>) -> Flow {
        match item {
            Item::Steps(_) => thrown.map_or(Flow::On, Flow::Throw),
            Item::Catch(id) => self.leave(id, true, thrown),
            Item::Timed(id) | Item::Shield(id) => {
                let (_, caught) = self.close(task, thrown);
                self.leave(id, caught, thrown)
            }
            Item::CancelScope(id, place) => {
                let (scope, caught) = self.close(task, thrown);
                let remote = &mut self.remotes[place];
                remote.cause = self.scopes[scope].cause;
                (remote.open, remote.caught) = (None, caught);
                self.leave(id, caught, thrown)
            }
            Item::With(id, close, grace) => {
                self.close(task, None);
                let deadline = self.now + grace;
                let scope = self.open(task, Some(deadline), true);
                self.scopes[scope].delivery = Delivery::Error;
                self.tasks[task].items.push(Item::Closing(id, thrown));
                self.sleep(task, close)
            }
            Item::Closing(id, before) => {
                self.note(Event::Closed(id));
                self.close(task, None);
                self.leave(id, false, before)
            }
            Item::Guard(id, nanos, shielded) => self.drop_guard(task, id, nanos, shielded, thrown),
            Item::Dropping(id, shielded, before) => {
                if shielded {
                    self.close(task, None);
                }
                if thrown.is_none() {
                    self.note(Event::Dropped(id));
                }
                self.leave(id, false, thrown.or(before))
            }
            Item::Spawning(group) => match thrown {
                // It met its cancellation where it waited for a place.
                Some(_) => {
                    let place = group.handles.len();
                    self.note(Event::Ended(group.id, place, How::Unrun));
                    self.end_of_body(task, group.id, &group.handles, thrown)
                }
                None => self.spawn_next(task, group),
            },
            Item::Group(id, handles) => self.end_of_body(task, id, &handles, thrown),
            Item::Joining(id, body) => {
                let (scope, _) = self.close(task, None);
                let first = self.scopes[scope].failure;
                let returns = !matches!(body, Some(Payload::Cancelled | Payload::Failure(_)));
                if first.is_none() && returns && self.scopes[scope].cut_short && self.throws(task) {
                    return self.leave(id, false, Some(Payload::Cancelled));
                }
                self.leave(id, false, first.or(body))
            }
        }
    }

    /// Runs a destructor that sleeps: at once, if it is not shielded and the task unwinds.
    fn drop_guard(
        &mut self,
        task: TaskAt,
        id: usize,
        nanos: Time,
        shielded: bool,
        thrown: Option<Payload>,
    ) -> Flow {
        if shielded {
            self.open(task, None, true);
        }
        self.tasks[task]
            .items
            .push(Item::Dropping(id, shielded, thrown));
        match thrown {
            // Others that are in the middle of unwinding get a turn.
            Some(Payload::Cancelled | Payload::Failure(_)) if !shielded => {
                if self.tasks.iter().any(|task| task.counted) {
                    return self.yield_(task, Wait::YieldUnwinding);
                }
                Flow::On
            }
            _ => self.sleep(task, nanos),
        }
    }

    /// Spawns the next child of a group, if there is a place for it.
    fn spawn_next(&mut self, task: TaskAt, group: Spawning<'p>) -> Flow {
        if group.rest.is_empty() {
            let items = [
                Item::Group(group.id, group.handles),
                Item::Steps(group.body),
            ];
            self.tasks[task].items.extend(items);
            return Flow::On;
        }
        self.tasks[task].items.push(Item::Spawning(group));
        let scope = *self.tasks[task].scopes.last().expect("the group's");
        let this = &mut self.scopes[scope];
        if this.children.len() + this.promised < this.limit {
            self.spawn_child(task);
            return Flow::On;
        }
        if self.throws(task) {
            return Flow::Throw(Payload::Cancelled);
        }
        self.scopes[scope].room = true;
        Flow::Wait(Wait::Place(false))
    }

    pub(super) fn spawn_child(&mut self, task: TaskAt) {
        let scope = *self.tasks[task].scopes.last().expect("the group's");
        let Some(Item::Spawning(mut group)) = self.tasks[task].items.pop() else {
            unreachable!("it is spawning");
        };
        if let [body, rest @ ..] = group.rest {
            let parent = (scope, group.id, group.handles.len());
            let child = self.spawn(body, self.scopes[scope].delivery, Some(parent));
            group.handles.push(Some(child));
            group.rest = rest;
        }
        self.tasks[task].items.push(Item::Spawning(group));
    }

    fn end_of_body(
        &mut self,
        task: TaskAt,
        id: usize,
        handles: &[Option<TaskAt>],
        thrown: Option<Payload>,
    ) -> Flow {
        for child in handles.iter().copied().flatten() {
            self.tasks[child].wanted = false;
            if let Some(Ending::Panicked(failure)) = self.tasks[child].ending {
                self.note(Event::Told(failure));
            }
        }
        let scope = *self.tasks[task].scopes.last().expect("the group's");
        match thrown {
            Some(Payload::Failure(_)) => self.fail(scope, thrown),
            Some(Payload::Error(_)) if self.scopes[scope].kind == Some(Kind::TryScope) => {
                self.fail(scope, thrown);
            }
            Some(Payload::Cancelled) => self.cancel(scope, false),
            Some(Payload::Error(_)) | None => {}
        }
        self.tasks[task].items.push(Item::Joining(id, thrown));
        if self.scopes[scope].children.is_empty() {
            return Flow::On;
        }
        self.scopes[scope].joining = true;
        self.scopes[scope].cut_short = self.is_cancelled(scope);
        Flow::Wait(Wait::Children)
    }

    /// A group fails with this.
    pub(super) fn fail(&mut self, scope: ScopeAt, with: Option<Payload>) {
        if self.scopes[scope].failure.is_none() {
            self.scopes[scope].failure = with;
            self.cancel(scope, false);
        } else if let Some(Payload::Failure(id) | Payload::Error(id)) = with {
            self.note(Event::Told(id));
        }
    }
}
