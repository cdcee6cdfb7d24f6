//! Who is here, in which room, and what each is to be told.
//!
//! Nothing in here waits. So what a function finds is what it leaves, but for its own
//! changes: that is all the locking there is.
//!
//! Must never: wait, or keep anything of somebody who has left.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use greenroom::sync::BroadcastSender;

/// A line for many: what each queue holds is a pointer.
pub(crate) type Line = Rc<str>;

/// Where everybody begins.
const LOBBY: &str = "lobby";
const LONGEST_NAME: usize = 16;
/// How many names a list has, at most: they fit into a line, in any script.
const NAMED: usize = 10;

/// All rooms.
#[derive(Debug, Default)]
pub(crate) struct Hall {
    people: RefCell<BTreeMap<Rc<str>, Person>>,
}

#[derive(Debug)]
struct Person {
    room: Rc<str>,
    queue: BroadcastSender<Line>,
}

/// A client with a name. It leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat<'hall> {
    hall: &'hall Hall,
    name: Rc<str>,
    room: Rc<str>,
    queue: BroadcastSender<Line>,
}

impl Hall {
    /// Comes in, with a name nobody has.
    pub(crate) fn enter(
        &self,
        name: &str,
        queue: &BroadcastSender<Line>,
    ) -> Result<Seat<'_>, String> {
        let seat = Seat {
            hall: self,
            name: self.free(name)?,
            room: LOBBY.into(),
            queue: queue.clone(),
        };
        seat.sit();
        Ok(seat)
    }

    /// The name, if somebody may have it.
    fn free(&self, name: &str) -> Result<Rc<str>, String> {
        if !is_name(name) {
            Err(format!(
                "a name is up to {LONGEST_NAME} letters, digits, - and _"
            ))
        } else if self.people.borrow().contains_key(name) {
            Err(format!("{name} is taken"))
        } else {
            Ok(name.into())
        }
    }

    /// The names of those in a room, but for one: a few of them if they are many.
    fn others(&self, room: &str, but: &str) -> String {
        let people = self.people.borrow();
        let here = people
            .iter()
            .filter(|(name, person)| &*person.room == room && &***name != but);
        let mut names = here.map(|(name, _)| &**name);
        let named: Vec<&str> = names.by_ref().take(NAMED).collect();
        match (named.join(", "), names.count()) {
            (none, 0) if none.is_empty() => "nobody else".to_owned(),
            (all, 0) => all,
            (some, more) => format!("{some} and {more} more"),
        }
    }
}

impl Seat<'_> {
    /// Says something to the others in the room.
    pub(crate) fn say(&self, text: &str) {
        self.tell_others(&format!("{}: {text}", self.name));
    }

    /// What begins with a slash.
    pub(crate) fn command(&mut self, line: &str) {
        let done = match line.split_once(' ').unwrap_or((line, "")) {
            ("/join", room) => self.join(room),
            ("/name", name) => self.rename(name),
            ("/who", "") => {
                self.hear(&format!(
                    "here: {}",
                    self.hall.others(&self.room, &self.name)
                ));
                Ok(())
            }
            _ => Err("there is /join ROOM, /name NAME, /who and /quit".to_owned()),
        };
        if let Err(why) = done {
            self.hear(&why);
        }
    }

    fn join(&mut self, room: &str) -> Result<(), String> {
        if !is_name(room) {
            return Err("a room has a name like yours".to_owned());
        }
        if *room != *self.room {
            self.leave(&format!("went to {room}"));
            self.room = room.into();
            self.sit();
        }
        Ok(())
    }

    fn rename(&mut self, name: &str) -> Result<(), String> {
        let name = self.hall.free(name)?;
        let mut people = self.hall.people.borrow_mut();
        let person = people.remove(&self.name);
        people.extend(person.map(|person| (Rc::clone(&name), person)));
        drop(people);
        let before = std::mem::replace(&mut self.name, name);
        self.hear(&format!("you are {} now", self.name));
        self.tell_others(&format!("* {before} is {} now", self.name));
        Ok(())
    }

    fn sit(&self) {
        let Self {
            hall, name, room, ..
        } = self;
        let here = hall.others(room, name);
        self.hear(&format!("welcome to {room}, {name}. Here: {here}"));
        self.tell_others(&format!("* {name} is here"));
        let person = Person {
            room: Rc::clone(room),
            queue: self.queue.clone(),
        };
        hall.people.borrow_mut().insert(Rc::clone(name), person);
    }

    fn leave(&self, how: &str) {
        self.hall.people.borrow_mut().remove(&self.name);
        self.tell_others(&format!("* {} {how}", self.name));
    }

    /// Hears something nobody else does.
    fn hear(&self, text: &str) {
        hear(&self.queue, text);
    }

    fn tell_others(&self, text: &str) {
        let line = Line::from(format!("{text}\n"));
        for (name, person) in &*self.hall.people.borrow() {
            if person.room == self.room && *name != self.name {
                // Somebody whose connection is at its end hears nothing more.
                let _heard = person.queue.send(Rc::clone(&line));
            }
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.leave("left");
    }
}

/// Something the server has to say to one.
pub(crate) fn hear(queue: &BroadcastSender<Line>, text: &str) {
    let _heard = queue.send(format!("* {text}\n").into());
}

fn is_name(name: &str) -> bool {
    let of_a_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    (1..=LONGEST_NAME).contains(&name.chars().count()) && name.chars().all(of_a_name)
}
