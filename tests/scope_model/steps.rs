//! Steps of tasks: what they begin with, where they wait, how they end.

use super::super::program::{Ending, Event, How, Kind, Step, What};
use super::{Flow, Item, Model, Payload, ScopeAt, TaskAt, Time, Timer, Wait};

/// Steps of tasks.
impl<'p> Model<'p> {
    pub(super) fn step(&mut self, task: TaskAt) {
        let mut flow = self.resume(task);
        loop {
            flow = match flow {
                Flow::Wait(wait) => {
                    self.tasks[task].wait = wait;
                    self.tasks[task].counted = self.is_anyone_unwinding();
                    return;
                }
                Flow::On => match self.tasks[task].items.pop() {
                    None => return self.end(task, None),
                    Some(Item::Steps([step, rest @ ..])) => {
                        self.tasks[task].items.push(Item::Steps(rest));
                        self.perform(task, step)
                    }
                    Some(item) => self.exit(task, item, None),
                },
                Flow::Throw(payload) => match self.tasks[task].items.pop() {
                    Some(item) => self.exit(task, item, Some(payload)),
                    None => return self.end(task, Some(payload)),
                },
            };
        }
    }

    /// Goes on where the task waited, if it need not wait on.
    fn resume(&mut self, task: TaskAt) -> Flow {
        let wait = std::mem::replace(&mut self.tasks[task].wait, Wait::Not);
        self.tasks[task].counted = false;
        match wait {
            Wait::Not => unreachable!("it was in the queue"),
            Wait::FirstStep if self.throws(task) => {
                self.tasks[task].items.clear();
                Flow::Throw(Payload::Cancelled)
            }
            Wait::FirstStep => {
                self.tasks[task].begun = true;
                Flow::On
            }
            Wait::YieldUnwinding => Flow::On,
            Wait::Yield if self.throws(task) => Flow::Throw(Payload::Cancelled),
            Wait::Yield => Flow::On,
            Wait::Checkpoint(_) if self.throws(task) => Flow::Throw(Payload::Cancelled),
            Wait::Checkpoint(id) => {
                self.note(Event::Checked(id, !self.is_pending(task)));
                Flow::On
            }
            Wait::Sleep(true) => Flow::On,
            Wait::Sleep(false) => {
                if !self.is_pending(task) {
                    return Flow::Wait(wait);
                }
                self.timers.retain(|timer| timer.2 != Timer::Sleep(task));
                if self.throws(task) {
                    Flow::Throw(Payload::Cancelled)
                } else {
                    Flow::On
                }
            }
            Wait::Join(id, child, true) => self.joined(id, child),
            Wait::Join(_, child, _) if self.throws(task) => {
                self.tasks[child].wanted = false;
                Flow::Throw(Payload::Cancelled)
            }
            Wait::Join(..) => Flow::Wait(wait),
            Wait::Place(true) => {
                let scope = *self.tasks[task].scopes.last().expect("the group's");
                self.scopes[scope].promised -= 1;
                self.spawn_child(task);
                Flow::On
            }
            Wait::Place(false) if self.throws(task) => {
                let scope = *self.tasks[task].scopes.last().expect("the group's");
                self.scopes[scope].room = false;
                Flow::Throw(Payload::Cancelled)
            }
            Wait::Place(false) => Flow::Wait(wait),
            Wait::Children => {
                let scope = *self.tasks[task].scopes.last().expect("the group's");
                if self.scopes[scope].children.is_empty() {
                    Flow::On
                } else {
                    Flow::Wait(wait)
                }
            }
        }
    }

    pub(super) fn yield_(&mut self, task: TaskAt, wait: Wait) -> Flow {
        self.wake(task);
        Flow::Wait(wait)
    }

    pub(super) fn sleep(&mut self, task: TaskAt, nanos: Time) -> Flow {
        if self.throws(task) {
            return Flow::Throw(Payload::Cancelled);
        }
        if self.is_pending(task) || nanos == 0 {
            return self.yield_(task, Wait::Yield);
        }
        self.set_timer(self.now + nanos, Timer::Sleep(task));
        Flow::Wait(Wait::Sleep(false))
    }

    fn joined(&mut self, id: usize, child: TaskAt) -> Flow {
        let ending = self.tasks[child].ending.expect("it has ended");
        self.note(Event::Joined(id, ending));
        Flow::On
    }

    /// The handles of the innermost group.
    fn handles(&mut self, task: TaskAt) -> Option<&mut Vec<Option<TaskAt>>> {
        let items = self.tasks[task].items.iter_mut().rev();
        items.into_iter().find_map(|item| match item {
            Item::Group(_, handles) => Some(handles),
            _ => None,
        })
    }

    fn perform(&mut self, task: TaskAt, step: &'p Step) -> Flow {
        let id = step.id;
        match &step.what {
            What::Emit => self.note(Event::Emitted(id)),
            What::Ask => self.note(Event::Asked(id, self.is_pending(task))),
            What::Yield => return self.yield_(task, Wait::Yield),
            What::Checkpoint if self.throws(task) => return Flow::Throw(Payload::Cancelled),
            What::Checkpoint if self.is_pending(task) => self.note(Event::Checked(id, false)),
            What::Checkpoint => return self.yield_(task, Wait::Checkpoint(id)),
            What::Sleep(units) => return self.sleep(task, self.program.nanos(id, *units)),
            What::Fail => return Flow::Throw(Payload::Failure(id)),
            What::Throw => return Flow::Throw(Payload::Cancelled),
            What::Quit => return Flow::Throw(Payload::Error(id)),
            What::Join(number) => return self.join(task, id, *number),
            What::CancelChild(number) => {
                let place = |handles: &mut Vec<_>| number.checked_rem(handles.len());
                if let Some(handles) = self.handles(task) {
                    if let Some(child) = place(handles).and_then(|at| handles[at]) {
                        self.request(child);
                    }
                }
            }
            What::CancelChildren => self.cancel_children(task),
            What::Cancel(number) => {
                if let Some(place) = self.program.scope(*number) {
                    let remote = &mut self.remotes[place];
                    match remote.open {
                        Some(scope) => self.cancel(scope, false),
                        None if remote.used => {}
                        None => remote.cause = Some(false),
                    }
                }
            }
            What::Move(number, units) => {
                if let Some(place) = self.program.scope(*number) {
                    let deadline = units.map(|units| self.now + self.program.nanos(id, units));
                    self.move_deadline(place, deadline);
                }
            }
            _ => self.enter(task, step),
        }
        Flow::On
    }

    fn join(&mut self, task: TaskAt, id: usize, number: usize) -> Flow {
        let Some(handles) = self.handles(task) else {
            return Flow::On;
        };
        let place = number.checked_rem(handles.len());
        let Some(child) = place.and_then(|at| handles[at].take()) else {
            return Flow::On;
        };
        if self.tasks[child].ending.is_some() {
            return self.joined(id, child);
        }
        if self.throws(task) {
            self.tasks[child].wanted = false;
            return Flow::Throw(Payload::Cancelled);
        }
        Flow::Wait(Wait::Join(id, child, false))
    }

    /// Cancels the children of the innermost group of a task.
    fn cancel_children(&mut self, task: TaskAt) {
        let open = self.tasks[task].scopes.iter().rev();
        let group = open
            .copied()
            .find(|scope| self.scopes[*scope].kind.is_some());
        if let Some(scope) = group {
            for child in self.scopes[scope].children.clone() {
                self.request(child);
            }
        }
    }

    fn move_deadline(&mut self, place: usize, deadline: Option<Time>) {
        self.remotes[place].deadline = deadline;
        if let Some(scope) = self.remotes[place].open {
            let task = self.scopes[scope].task;
            self.change(task, |model| model.scopes[scope].deadline = deadline);
            self.expire(task);
        }
    }

    fn end(&mut self, task: TaskAt, thrown: Option<Payload>) {
        let parent = self.tasks[task].parent;
        if let Some((_, group, place)) = parent {
            let how = match thrown {
                _ if !self.tasks[task].begun => How::Unrun,
                Some(Payload::Cancelled | Payload::Failure(_)) => How::Unwound,
                Some(Payload::Error(_)) | None => How::Returned,
            };
            self.note(Event::Ended(group, place, how));
        }
        let kind = parent.and_then(|(scope, ..)| self.scopes[scope].kind);
        let ending = match (thrown, kind) {
            (Some(Payload::Failure(_)), Some(Kind::Scope | Kind::TryScope))
            | (Some(Payload::Error(_)), Some(Kind::TryScope)) => {
                self.fail(parent.expect("it has one").0, thrown);
                Ending::Cancelled
            }
            (Some(Payload::Failure(id)), _) => Ending::Panicked(id),
            (Some(Payload::Cancelled), _) => Ending::Cancelled,
            (Some(Payload::Error(_)) | None, _) => Ending::Returned,
        };
        self.tasks[task].ending = Some(ending);
        if let (Ending::Panicked(id), false) = (ending, self.tasks[task].wanted) {
            self.note(Event::Told(id));
        }
        for at in 0..self.tasks.len() {
            if let Wait::Join(id, child, false) = self.tasks[at].wait {
                if child == task {
                    self.tasks[at].wait = Wait::Join(id, child, true);
                    self.wake(at);
                }
            }
        }
        if let Some((scope, ..)) = parent {
            self.leave_group(task, scope);
        }
    }

    /// A child has ended: its group may have waited for that.
    fn leave_group(&mut self, task: TaskAt, scope: ScopeAt) {
        let group = &mut self.scopes[scope];
        let owner = group.task;
        group.children.retain(|child| *child != task);
        if group.children.is_empty() && group.joining {
            self.wake(owner);
        } else if group.room && group.children.len() + group.promised < group.limit {
            group.promised += 1;
            group.room = false;
            self.tasks[owner].wait = Wait::Place(true);
            self.wake(owner);
        }
    }
}
