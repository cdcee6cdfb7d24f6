//! A line of those who wait: first come, first served, and whoever gives up leaves
//! from anywhere in it.
//!
//! ```text
//!   places:  [ A ][ - ][ C ][ B ]      A stands first, then B, then C
//!              '------->'--'<---'      linked by number, so no pointer can dangle
//! ```
//!
//! Whoever joins is given the number of a place, and it is theirs until they leave:
//! to be called out of the line does not take it away, for there lies what they were
//! given. So a number never means somebody else. Every call takes the same short
//! time, and a line as long as one before it needs no memory.
//!
//! Must never: know of locks, threads, or what is waited for.

/// No place.
const NOWHERE: usize = usize::MAX;

/// Those who wait, each with a `W` in its place.
#[derive(Debug)]
pub(super) struct Line<W> {
    places: Vec<Place<W>>,
    first: usize,
    last: usize,
    /// The first of the places that are free, linked by `next`.
    free: usize,
    /// Who joins next.
    ticket: u64,
}

#[derive(Debug)]
struct Place<W> {
    who: Option<W>,
    /// When it joined, compared to the others.
    ticket: u64,
    standing: bool,
    next: usize,
    previous: usize,
}

impl<W> Line<W> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            first: NOWHERE,
            last: NOWHERE,
            free: NOWHERE,
            ticket: 0,
        }
    }

    /// Whether nobody stands in line.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.first == NOWHERE
    }

    /// Joins at the end. The number of the place is good until [`leave`](Self::leave).
    pub(super) fn join(&mut self, who: W) -> usize {
        let place = Place {
            who: Some(who),
            ticket: self.ticket,
            standing: false,
            next: NOWHERE,
            previous: NOWHERE,
        };
        self.ticket += 1;
        let number = self.free;
        let number = match self.places.get_mut(number) {
            Some(free) => {
                self.free = free.next;
                *free = place;
                number
            }
            None => {
                self.places.push(place);
                self.places.len() - 1
            }
        };
        self.link(number, self.last);
        number
    }

    /// Who stands first.
    pub(super) fn first(&mut self) -> Option<&mut W> {
        self.places.get_mut(self.first)?.who.as_mut()
    }

    /// Calls the first out of the line. The place stays theirs.
    pub(super) fn call(&mut self) -> Option<&mut W> {
        let number = self.first;
        if number == NOWHERE {
            return None;
        }
        self.unlink(number);
        self.places[number].who.as_mut()
    }

    /// Goes back to where it stood, after a call that came to nothing.
    pub(super) fn rejoin(&mut self, number: usize) {
        debug_assert!(!self.places[number].standing, "it stands there");
        let ticket = self.places[number].ticket;
        // Only those who came back themselves can be in front of it.
        let mut before = NOWHERE;
        let mut after = self.first;
        while let Some(place) = self.places.get(after).filter(|p| p.ticket < ticket) {
            before = after;
            after = place.next;
        }
        self.link(number, before);
    }

    /// Whoever has this place.
    pub(super) fn get(&mut self, number: usize) -> Option<&mut W> {
        self.places.get_mut(number)?.who.as_mut()
    }

    /// Whether it stands in line, and was not called.
    pub(super) fn stands(&self, number: usize) -> bool {
        self.places[number].standing
    }

    /// Gives the place up, in line or called.
    pub(super) fn leave(&mut self, number: usize) -> Option<W> {
        if self.places[number].standing {
            self.unlink(number);
        }
        let place = &mut self.places[number];
        place.next = self.free;
        self.free = number;
        place.who.take()
    }

    /// Lets it stand behind `before`, or first.
    fn link(&mut self, number: usize, before: usize) {
        let after = match self.places.get_mut(before) {
            Some(before) => std::mem::replace(&mut before.next, number),
            None => std::mem::replace(&mut self.first, number),
        };
        match self.places.get_mut(after) {
            Some(after) => after.previous = number,
            None => self.last = number,
        }
        let place = &mut self.places[number];
        place.standing = true;
        place.previous = before;
        place.next = after;
    }

    fn unlink(&mut self, number: usize) {
        let place = &mut self.places[number];
        place.standing = false;
        let (before, after) = (place.previous, place.next);
        match self.places.get_mut(before) {
            Some(before) => before.next = after,
            None => self.first = after,
        }
        match self.places.get_mut(after) {
            Some(after) => after.previous = before,
            None => self.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Line;
    use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

    /// The same in plain words: who stands, in order, and who was called.
    #[derive(Debug, Default)]
    struct Model {
        standing: Vec<u32>,
        called: Vec<u32>,
    }

    #[derive(Debug, Clone)]
    enum Act {
        Join,
        Call,
        Rejoin(prop::sample::Index),
        Leave(prop::sample::Index),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = (0..7u8, any::<prop::sample::Index>()).prop_map(|(kind, who)| match kind {
            0..=2 => Act::Join,
            3..=4 => Act::Call,
            5 => Act::Rejoin(who),
            _ => Act::Leave(who),
        });
        prop::collection::vec(act, 0..120)
    }

    proptest! {
        #[test]
        fn a_line_is_a_line(acts in acts()) {
            let mut line = Line::new();
            let mut model = Model::default();
            let mut numbers = Vec::new();
            let mut names = 0;
            for act in acts {
                match act {
                    Act::Join => {
                        numbers.push((names, line.join(names)));
                        model.standing.push(names);
                        names += 1;
                    }
                    Act::Call => {
                        let called = line.call().copied();
                        prop_assert_eq!(called, model.standing.first().copied());
                        if let Some(called) = called {
                            model.standing.remove(0);
                            model.called.push(called);
                        }
                    }
                    Act::Rejoin(who) if !model.called.is_empty() => {
                        let who = model.called.remove(who.index(model.called.len()));
                        let number = numbers.iter().find(|(name, _)| *name == who);
                        line.rejoin(number.expect("it has a place").1);
                        model.standing.push(who);
                        model.standing.sort_unstable();
                    }
                    Act::Leave(who) if !numbers.is_empty() => {
                        let (name, number) = numbers.remove(who.index(numbers.len()));
                        prop_assert_eq!(line.get(number).copied(), Some(name));
                        prop_assert_eq!(line.stands(number), model.standing.contains(&name));
                        prop_assert_eq!(line.leave(number), Some(name));
                        model.standing.retain(|other| *other != name);
                        model.called.retain(|other| *other != name);
                    }
                    Act::Rejoin(_) | Act::Leave(_) => {}
                }
                prop_assert_eq!(line.is_empty(), model.standing.is_empty());
                prop_assert_eq!(line.first().copied(), model.standing.first().copied());
                let most = model.standing.len() + model.called.len();
                prop_assert!(numbers.len() == most && line.places.len() <= names as usize);
            }
            // The rest comes out in order.
            while let Some(called) = line.call().copied() {
                prop_assert_eq!(called, model.standing.remove(0));
            }
            prop_assert!(model.standing.is_empty());
        }
    }

    #[test]
    fn places_are_used_again() {
        let mut line = Line::new();
        for round in 0..100 {
            let places: Vec<_> = (0..5).map(|n| line.join(round * 5 + n)).collect();
            for place in places.into_iter().rev() {
                assert!(line.leave(place).is_some());
            }
        }
        assert_eq!(line.places.len(), 5);
    }
}
