//! Permits: so many may do it at a time.
//!
//! Whoever waits is served in order, however many permits it asks for: a large wish at
//! the head of the line is not passed by small ones behind it. Permits are handed over
//! when they come back, so nobody is woken for nothing.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::error::{AcquireError, TryLockError};
use crate::scheduler::park::{self, Interrupted, Patience, WaitQueue};
use crate::scheduler::{TaskRef, WaitReason};

/// Permits, so many of which may be held at a time.
///
/// ```
/// use greenroom::{gather_limited, run, scope, sync::Semaphore, yield_now};
/// use std::cell::Cell;
///
/// run(|| {
///     let kitchen = Semaphore::new(2);
///     let (cooks, most) = (Cell::new(0), Cell::new(0));
///     scope(|s| {
///         for _ in 0..5 {
///             s.spawn(|| {
///                 let _place = kitchen.acquire();
///                 cooks.set(cooks.get() + 1);
///                 most.set(most.get().max(cooks.get()));
///                 yield_now();
///                 cooks.set(cooks.get() - 1);
///             });
///         }
///     });
///     assert_eq!(most.get(), 2);
/// });
/// ```
///
/// Nobody owns a permit, so a circle of waits is not found here as it is with a
/// [`Mutex`](super::Mutex).
pub struct Semaphore {
    free: Cell<usize>,
    /// How many permits each wants. Only while the first of them cannot be served.
    waiting: WaitQueue<usize>,
}

/// Permits of a [`Semaphore`], given back when it is dropped. That never switches.
#[must_use = "dropping it gives the permits back"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

/// Permits of a [`Semaphore`] that keep it alive: they may go wherever they like.
#[must_use = "dropping it gives the permits back"]
pub struct OwnedSemaphorePermit {
    semaphore: Rc<Semaphore>,
    count: usize,
}

impl Semaphore {
    /// So many permits, all free.
    ///
    /// ```
    /// use greenroom::sync::Semaphore;
    ///
    /// assert_eq!(Semaphore::new(3).available_permits(), 3);
    /// ```
    #[must_use]
    pub const fn new(permits: usize) -> Self {
        Self {
            free: Cell::new(permits),
            waiting: WaitQueue::new(),
        }
    }

    /// How many permits are free. Some may be, and still not be had: if the first in
    /// line waits for more.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.free.get()
    }

    /// Waits for a permit, and takes it.
    ///
    /// ```
    /// use greenroom::{run, sync::Semaphore};
    ///
    /// run(|| {
    ///     let semaphore = Semaphore::new(1);
    ///     let permit = semaphore.acquire();
    ///     assert_eq!(semaphore.available_permits(), 0);
    ///     drop(permit);
    ///     assert_eq!(semaphore.available_permits(), 1);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// On a plain thread, where nobody could give one back, if there is none.
    ///
    /// # Scheduling
    ///
    /// If one is free, and nobody waits, it goes on at once; one of every 128 calls
    /// yields. Else the others run. Tasks are served in order.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; its place in line is given
    /// up. Permits handed over before that are taken. It cannot fail: with
    /// [`Delivery::Error`](crate::Delivery::Error), and while the task unwinds, it really
    /// waits.
    #[inline(always)]
    #[track_caller]
    pub fn acquire(&self) -> SemaphorePermit<'_> {
        self.acquire_many(1)
    }

    /// Waits for so many permits, and takes them all at once. None are taken before.
    ///
    /// With 0 it returns at once.
    ///
    /// ```
    /// use greenroom::{run, sync::Semaphore};
    ///
    /// run(|| {
    ///     let megabytes = Semaphore::new(10);
    ///     let large = megabytes.acquire_many(7);
    ///     assert_eq!(large.count(), 7);
    ///     assert!(megabytes.try_acquire_many(4).is_err());
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Scheduling
    ///
    /// As [`acquire`](Self::acquire): later ones wait behind this, also for fewer.
    ///
    /// # Cancellation
    ///
    /// As [`acquire`](Self::acquire).
    #[inline(always)]
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> SemaphorePermit<'_> {
        match self.take(count, Patience::Waits) {
            Ok(()) => self.permit(count),
            Err(error) => refuse(error),
        }
    }

    /// [`checked_acquire_many`](Self::checked_acquire_many) of one.
    ///
    /// # Errors
    ///
    /// As [`checked_acquire_many`](Self::checked_acquire_many).
    ///
    /// # Scheduling
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancellation
    ///
    /// As [`checked_acquire_many`](Self::checked_acquire_many).
    #[inline]
    pub fn checked_acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.checked_acquire_many(1)
    }

    /// Like [`acquire_many`](Self::acquire_many), but returns an error where that panics,
    /// and where that really waits though the task is cancelled or unwinding.
    ///
    /// ```
    /// use greenroom::sync::{AcquireError, Semaphore};
    ///
    /// let semaphore = Semaphore::new(1);
    /// let refused = semaphore.checked_acquire_many(2).unwrap_err();
    /// assert_eq!(refused, AcquireError::WouldBlock); // on this plain thread
    /// ```
    ///
    /// # Errors
    ///
    /// [`AcquireError`] tells them apart. No permit is taken.
    ///
    /// # Scheduling
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled, or, with
    /// [`Delivery::Error`](crate::Delivery::Error), fails.
    #[inline]
    pub fn checked_acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.take(count, Patience::Fails)?;
        Ok(self.permit(count))
    }

    /// Takes a permit if one is free, and nobody waits. Never waits.
    ///
    /// ```
    /// use greenroom::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert!(semaphore.try_acquire().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none to be had.
    #[inline]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryLockError> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if they are free, and nobody waits. Never waits.
    ///
    /// ```
    /// use greenroom::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(2);
    /// assert!(semaphore.try_acquire_many(3).is_err());
    /// assert!(semaphore.try_acquire_many(2).is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// If there are not so many to be had. None are taken.
    #[inline]
    pub fn try_acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, TryLockError> {
        if self.try_take(count) {
            Ok(self.permit(count))
        } else {
            Err(TryLockError)
        }
    }

    /// [`acquire_many`](Self::acquire_many) for permits that keep the semaphore alive.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use greenroom::{run, spawn, sync::Semaphore};
    ///
    /// run(|| {
    ///     let places = Rc::new(Semaphore::new(2));
    ///     for customer in 0..5 {
    ///         let place = Rc::clone(&places).acquire_many_owned(1);
    ///         spawn(move || {
    ///             let _place = place; // until the task ends
    ///             assert!(customer < 5);
    ///         });
    ///     }
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Scheduling
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancellation
    ///
    /// As [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_many_owned(self: Rc<Self>, count: usize) -> OwnedSemaphorePermit {
        match self.take(count, Patience::Waits) {
            Ok(()) => OwnedSemaphorePermit {
                semaphore: self,
                count,
            },
            Err(error) => refuse(error),
        }
    }

    /// [`acquire`](Self::acquire) for a permit that keeps the semaphore alive: see
    /// [`acquire_many_owned`](Self::acquire_many_owned).
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Scheduling
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancellation
    ///
    /// As [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_owned(self: Rc<Self>) -> OwnedSemaphorePermit {
        self.acquire_many_owned(1)
    }

    /// [`try_acquire_many`](Self::try_acquire_many) for permits that keep the semaphore
    /// alive. Never waits.
    ///
    /// # Errors
    ///
    /// If there are not so many to be had. None are taken.
    pub fn try_acquire_many_owned(
        self: Rc<Self>,
        count: usize,
    ) -> Result<OwnedSemaphorePermit, TryLockError> {
        if !self.try_take(count) {
            return Err(TryLockError);
        }
        Ok(OwnedSemaphorePermit {
            semaphore: self,
            count,
        })
    }

    /// Adds permits. Never waits.
    ///
    /// ```
    /// use greenroom::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// If there would be more than `usize::MAX` free ones. None are added.
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who are served go to the end of the queue.
    #[track_caller]
    pub fn add_permits(&self, count: usize) {
        let Some(free) = self.free.get().checked_add(count) else {
            panic!("a semaphore has at most usize::MAX free permits");
        };
        self.free.set(free);
        self.serve();
    }

    /// Takes up to so many of the free permits away for good; returns how many.
    ///
    /// ```
    /// use greenroom::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(5);
    /// assert_eq!(semaphore.forget_permits(3), 3);
    /// assert_eq!(semaphore.forget_permits(3), 2);
    /// ```
    pub fn forget_permits(&self, count: usize) -> usize {
        let gone = self.free.get().min(count);
        self.free.set(self.free.get() - gone);
        gone
    }

    #[inline(always)]
    fn try_take(&self, count: usize) -> bool {
        match self.free.get().checked_sub(count) {
            Some(left) if self.waiting.is_empty() || count == 0 => {
                self.free.set(left);
                true
            }
            _ => false,
        }
    }

    #[inline(always)]
    fn take(&self, count: usize, patience: Patience) -> Result<(), AcquireError> {
        let task = park::current();
        if let Some(task) = task {
            park::spend(task);
        }
        if self.try_take(count) {
            Ok(())
        } else {
            self.wait(task, count, patience)
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(
        &self,
        task: Option<TaskRef>,
        count: usize,
        patience: Patience,
    ) -> Result<(), AcquireError> {
        let task = task.ok_or(AcquireError::WouldBlock)?;
        // Should it leave the line, those behind it may be served.
        let _leaving = Serve(self);
        match self
            .waiting
            .wait(task, WaitReason::Permits(count), patience, Some(count))
        {
            Ok(_) => Ok(()),
            Err(Interrupted(_)) => Err(AcquireError::Cancelled),
        }
    }

    /// Gives free permits to those who wait, in order.
    #[inline(always)]
    fn serve(&self) {
        while !self.waiting.is_empty() {
            let free = self.free.get();
            let Some(next) = self.waiting.pop_if(|wanted| wanted <= free) else {
                return;
            };
            let wanted = next.take().unwrap_or(0);
            self.free.set(free - wanted);
        }
    }

    #[inline(always)]
    fn give_back(&self, count: usize) {
        // Permits that were added meanwhile may leave no room for these.
        self.free.set(self.free.get().saturating_add(count));
        self.serve();
    }

    #[inline(always)]
    fn permit(&self, count: usize) -> SemaphorePermit<'_> {
        SemaphorePermit {
            semaphore: self,
            count,
        }
    }
}

struct Serve<'a>(&'a Semaphore);

impl Drop for Serve<'_> {
    fn drop(&mut self) {
        self.0.serve();
    }
}

#[cold]
#[track_caller]
fn refuse(error: AcquireError) -> ! {
    panic!("{error}")
}

macro_rules! common {
    () => {
        /// How many permits it holds.
        #[must_use]
        pub fn count(&self) -> usize {
            self.count
        }

        /// Takes the permits away from the semaphore for good.
        pub fn forget(mut self) {
            self.count = 0;
        }

        /// Holds the permits of `other` as well.
        ///
        /// # Panics
        ///
        /// If they are of another semaphore, or would be more than `usize::MAX`. Those of
        /// `other` are given back then.
        #[track_caller]
        pub fn merge(&mut self, mut other: Self) {
            assert!(
                std::ptr::eq(&raw const *self.semaphore, &raw const *other.semaphore),
                "permits of different semaphores cannot be merged"
            );
            let Some(sum) = self.count.checked_add(other.count) else {
                panic!("a permit holds at most usize::MAX permits");
            };
            self.count = sum;
            other.count = 0;
        }
    };
}

impl SemaphorePermit<'_> {
    common!();

    /// Splits so many permits off; `None` if it does not hold so many.
    ///
    /// ```
    /// use greenroom::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(5);
    /// let mut all = semaphore.try_acquire_many(5).unwrap();
    /// let two = all.split(2).unwrap();
    /// assert_eq!((all.count(), two.count()), (3, 2));
    /// assert!(all.split(4).is_none());
    /// all.merge(two);
    /// assert_eq!(all.count(), 5);
    /// ```
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(self.semaphore.permit(count))
    }
}

impl OwnedSemaphorePermit {
    common!();

    /// The semaphore it belongs to.
    #[must_use]
    pub fn semaphore(&self) -> &Rc<Semaphore> {
        &self.semaphore
    }

    /// Splits so many permits off; `None` if it does not hold so many.
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self {
            semaphore: Rc::clone(&self.semaphore),
            count,
        })
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.semaphore.give_back(self.count);
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.semaphore.give_back(self.count);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.available_permits())
            .finish()
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphorePermit")
            .field("count", &self.count)
            .finish()
    }
}

impl fmt::Debug for OwnedSemaphorePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedSemaphorePermit")
            .field("count", &self.count)
            .finish()
    }
}
