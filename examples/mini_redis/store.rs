//! Keys, their values, and when they expire.
//!
//! A key that expires stands in a second list as well, by its moment, so that those whose
//! time is over are found without looking at the others.
//!
//! Must never: wait, or give out a value whose time is over.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use greenroom::Instant;

/// All keys.
#[derive(Debug, Default)]
pub(crate) struct Store {
    entries: HashMap<Rc<[u8]>, Entry>,
    /// Exactly the keys that expire.
    expiring: BTreeSet<(Instant, Rc<[u8]>)>,
}

#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    expires: Option<Instant>,
}

impl Store {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// A key's entry, if its time is not over. Its value may be changed.
    #[inline]
    pub(crate) fn get(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let over = match self.entries.get(key)?.expires {
            Some(moment) => moment <= Instant::now(),
            None => false,
        };
        if over {
            self.remove(key);
            return None;
        }
        self.entries.get_mut(key)
    }

    /// Sets a key, which expires at that moment, or never.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8], expires: Option<Instant>) {
        match self.entries.get_mut(key) {
            Some(entry) => {
                entry.value.clear();
                entry.value.extend_from_slice(value);
                // A short value does not hold the room of a long one.
                entry.value.shrink_to(2 * value.len() + 64);
                if entry.expires != expires {
                    self.expire(key, expires);
                }
            }
            None => {
                let key = Rc::from(key);
                self.expiring
                    .extend(expires.map(|moment| (moment, Rc::clone(&key))));
                let value = value.to_vec();
                self.entries.insert(key, Entry { value, expires });
            }
        }
    }

    /// Has a key that is there expire at that moment, or never.
    pub(crate) fn expire(&mut self, key: &[u8], expires: Option<Instant>) {
        let Some((key, _)) = self.entries.get_key_value(key) else {
            return;
        };
        let key = Rc::clone(key);
        let before = self
            .entries
            .get_mut(&key)
            .and_then(|entry| std::mem::replace(&mut entry.expires, expires));
        if let Some(before) = before {
            self.expiring.remove(&(before, Rc::clone(&key)));
        }
        self.expiring.extend(expires.map(|moment| (moment, key)));
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let Some((key, entry)) = self.entries.remove_entry(key) else {
            return false;
        };
        let Some(moment) = entry.expires else {
            return true;
        };
        self.expiring.remove(&(moment, key));
        moment > Instant::now()
    }

    /// Removes up to so many keys whose time is over. How many it were.
    pub(crate) fn remove_expired(&mut self, most: usize) -> usize {
        for count in 0..most {
            match self.expiring.first() {
                Some((moment, _)) if *moment <= Instant::now() => {}
                _ => return count,
            }
            if let Some((_, key)) = self.expiring.pop_first() {
                self.entries.remove(&key);
            }
        }
        most
    }
}

impl Entry {
    pub(crate) fn expires(&self) -> Option<Instant> {
        self.expires
    }
}
