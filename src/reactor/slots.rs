//! The slots of a reactor: one for each registered descriptor, found by a key that is never used twice.
//!
//! The kernel names descriptors by numbers and gives a closed number to the next one opened. An event
//! fetched late, or a handle kept too long, would then meet a stranger. So each slot counts its
//! tenants, and a key (or the token in the kernel, which is a key in 64 bits) holds that count too.
//!
//! ```text
//!     token:   63 ....... 32   31 ........ 0
//!              generation      index            index u32::MAX is never a slot: the waker's
//! ```
//!
//! Must never: hand out a slot for a key of an earlier tenant, or move a slot that somebody holds.

use std::cell::Cell;
use std::rc::Rc;

/// The index no slot has, so that one token is left for the waker.
const NO_SLOT: u32 = u32::MAX;

/// The token that is no slot's.
pub(super) const WAKER_TOKEN: u64 = u64::MAX;

/// Names one registration of one reactor, for ever. It may outlive the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotKey {
    index: u32,
    generation: u32,
}

impl SlotKey {
    pub(super) fn to_token(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(super) fn from_token(token: u64) -> Self {
        let [g3, g2, g1, g0, i3, i2, i1, i0] = token.to_be_bytes();
        Self {
            index: u32::from_be_bytes([i3, i2, i1, i0]),
            generation: u32::from_be_bytes([g3, g2, g1, g0]),
        }
    }
}

/// What is known of one registered descriptor, and who waits for it.
///
/// `W` is a place to wait, such as a queue of tasks. The reactor makes it and never looks inside.
#[derive(Debug)]
pub(crate) struct Slot<W> {
    /// Who waits until a read is worth a try.
    pub(crate) readers: W,
    /// Who waits until a write is worth a try.
    pub(crate) writers: W,
    /// A read would block, as far as is known.
    drained: Cell<bool>,
    /// One direction at least is finished. Never becomes false again.
    closed: Cell<bool>,
}

impl<W> Slot<W> {
    /// Notes that a read took all there was, so the next would block unless an edge came first.
    ///
    /// Whoever reads may say so after `WouldBlock`, and on stream sockets and pipes after a short read.
    /// Once the descriptor is closed this does nothing: the end of a stream makes no further edge, so
    /// from then on only trying tells.
    pub(crate) fn mark_drained(&self) {
        self.drained.set(!self.closed.get());
    }

    /// Whether a read would block, as far as is known, so that trying is a waste.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained.get()
    }

    pub(super) fn note(&self, readable: bool, closed: bool) {
        if closed {
            self.closed.set(true);
        }
        if readable || closed {
            self.drained.set(false);
        }
    }
}

/// A place in the table: the tenant, and how many there were before it.
#[derive(Debug)]
struct Place<W> {
    generation: u32,
    slot: Option<Rc<Slot<W>>>,
}

/// All slots of one reactor. A slot's address is its own: it stays where it is while the table grows.
#[derive(Debug)]
pub(super) struct Slots<W> {
    places: Vec<Place<W>>,
    /// Places without a tenant. The one left last is used first, as its memory is warm.
    free: Vec<u32>,
}

impl<W: Default> Slots<W> {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// How many slots are in use.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// A new slot; `None` when four billion are in use.
    pub(super) fn insert(&mut self) -> Option<SlotKey> {
        let slot = Some(Rc::new(Slot {
            readers: W::default(),
            writers: W::default(),
            drained: Cell::new(false),
            closed: Cell::new(false),
        }));
        if let Some(index) = self.free.pop() {
            let place = self.place_mut(index)?;
            place.slot = slot;
            return Some(SlotKey {
                index,
                generation: place.generation,
            });
        }
        let index = u32::try_from(self.places.len())
            .ok()
            .filter(|index| *index != NO_SLOT)?;
        self.places.push(Place {
            generation: 0,
            slot,
        });
        Some(SlotKey {
            index,
            generation: 0,
        })
    }

    /// Empties a slot. `None` if the key is of an earlier tenant.
    ///
    /// The generation wraps around after four billion tenants of the same place; a key would have to be
    /// kept all that time to meet a stranger.
    pub(super) fn remove(&mut self, key: SlotKey) -> Option<Rc<Slot<W>>> {
        let place = self.place_mut(key.index)?;
        if place.generation != key.generation {
            return None;
        }
        let slot = place.slot.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(slot)
    }

    pub(super) fn get(&self, key: SlotKey) -> Option<&Rc<Slot<W>>> {
        let place = self.places.get(usize::try_from(key.index).ok()?)?;
        if place.generation == key.generation {
            place.slot.as_ref()
        } else {
            None
        }
    }

    fn place_mut(&mut self, index: u32) -> Option<&mut Place<W>> {
        self.places.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{SlotKey, Slots, WAKER_TOKEN};

    #[test]
    fn a_token_is_a_key_and_never_the_wakers() {
        for (index, generation) in [
            (0, 0),
            (1, 0),
            (0, 1),
            (7, u32::MAX),
            (u32::MAX - 1, u32::MAX),
        ] {
            let key = SlotKey { index, generation };
            assert_eq!(SlotKey::from_token(key.to_token()), key);
            assert_ne!(key.to_token(), WAKER_TOKEN);
        }
    }

    #[test]
    fn a_place_is_used_again_and_old_keys_find_nothing() {
        let mut slots = Slots::<()>::new();
        let old = slots.insert().unwrap();
        assert!(slots.remove(old).is_some());
        let new = slots.insert().unwrap();
        assert_eq!(new.index, old.index);
        assert!(slots.get(old).is_none());
        assert!(slots.remove(old).is_none());
        assert!(slots.get(new).is_some());
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn a_removed_slot_lives_as_long_as_somebody_holds_it() {
        let mut slots = Slots::<u8>::new();
        let key = slots.insert().unwrap();
        let held = Rc::clone(slots.get(key).unwrap());
        drop(slots.remove(key));
        let next = slots.insert().unwrap();
        assert!(!Rc::ptr_eq(&held, slots.get(next).unwrap()));
    }

    #[test]
    fn slots_keep_their_address_while_the_table_grows() {
        let mut slots = Slots::<u64>::new();
        let first = slots.insert().unwrap();
        let before = Rc::as_ptr(slots.get(first).unwrap());
        for _ in 1..1_000 {
            slots.insert().unwrap();
        }
        assert_eq!(Rc::as_ptr(slots.get(first).unwrap()), before);
        assert_eq!(slots.len(), 1_000);
    }

    #[test]
    fn drained_holds_until_an_edge_and_never_once_closed() {
        let mut slots = Slots::<()>::new();
        let key = slots.insert().unwrap();
        let slot = slots.get(key).unwrap();
        slot.mark_drained();
        assert!(slot.is_drained());
        slot.note(false, false);
        assert!(slot.is_drained());
        slot.note(true, false);
        assert!(!slot.is_drained());
        slot.mark_drained();
        slot.note(false, true);
        assert!(!slot.is_drained() && slot.closed.get());
        slot.mark_drained();
        slot.note(true, false);
        assert!(!slot.is_drained() && slot.closed.get());
    }
}
