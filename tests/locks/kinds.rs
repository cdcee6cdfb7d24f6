//! The three kinds of lock, as one: a number of places, of which a holder takes some.

use greenroom::sync::{
    Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
};

/// Something to be held. A mutex has one place; of a lock with readers a writer takes
/// all.
#[derive(Debug)]
pub(crate) enum Lock {
    Mutex(Mutex<()>),
    RwLock(RwLock<()>),
    Semaphore(Semaphore),
}

/// What holds it until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "guards are kept, not looked at")]
pub(crate) enum Guard<'a> {
    Mutex(MutexGuard<'a, ()>),
    Read(RwLockReadGuard<'a, ()>),
    Write(RwLockWriteGuard<'a, ()>),
    Permit(SemaphorePermit<'a>),
}

/// More readers than any test has.
const MANY: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Mutex,
    RwLock,
    Semaphore,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Mutex, Kind::RwLock, Kind::Semaphore];

impl Kind {
    /// How many places there are.
    pub(crate) fn places(self) -> usize {
        match self {
            Self::Mutex => 1,
            Self::RwLock => MANY,
            Self::Semaphore => 3,
        }
    }

    /// How many places a wish of this size takes.
    pub(crate) fn wanted(self, size: usize) -> usize {
        match self {
            Self::Mutex => 1,
            Self::RwLock if size % 2 == 1 => 1,
            Self::RwLock => MANY,
            Self::Semaphore => size,
        }
    }

    pub(crate) fn make(self) -> Lock {
        match self {
            Self::Mutex => Lock::Mutex(Mutex::new(())),
            Self::RwLock => Lock::RwLock(RwLock::new(())),
            Self::Semaphore => Lock::Semaphore(Semaphore::new(self.places())),
        }
    }
}

impl Lock {
    /// Takes so many places, waiting for them.
    pub(crate) fn hold(&self, places: usize) -> Guard<'_> {
        match self {
            Self::Mutex(mutex) => Guard::Mutex(mutex.lock()),
            Self::RwLock(lock) if places == 1 => Guard::Read(lock.read()),
            Self::RwLock(lock) => Guard::Write(lock.write()),
            Self::Semaphore(semaphore) => Guard::Permit(semaphore.acquire_many(places)),
        }
    }

    /// The same without waiting.
    pub(crate) fn try_hold(&self, places: usize) -> Option<Guard<'_>> {
        match self {
            Self::Mutex(mutex) => mutex.try_lock().ok().map(Guard::Mutex),
            Self::RwLock(lock) if places == 1 => lock.try_read().ok().map(Guard::Read),
            Self::RwLock(lock) => lock.try_write().ok().map(Guard::Write),
            Self::Semaphore(semaphore) => {
                semaphore.try_acquire_many(places).ok().map(Guard::Permit)
            }
        }
    }

    /// Nobody holds it, and nobody waits.
    #[track_caller]
    pub(crate) fn assert_free(&self, kind: Kind) {
        let all = if kind == Kind::Mutex {
            1
        } else {
            kind.places()
        };
        assert!(self.try_hold(all).is_some(), "{self:?} is not free");
    }
}
