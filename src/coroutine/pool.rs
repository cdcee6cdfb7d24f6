//! The stacks of a thread: taken here, returned here, last in first out.
//!
//! A stack that was just freed is warm in the cache, so it is the next to be
//! used. Stacks are kept in classes of one size; a class grows by slabs. Memory
//! that free stacks still hold is given back in batches by [`trim`], and by the
//! release of a large stack; never on the way of an ordinary switch.
//!
//! One pool a thread, because a stack never leaves its thread. It must not
//! unmap a stack that somebody holds: where a thread ends with stacks in use,
//! their slabs are leaked.

#![expect(unsafe_code, reason = "hands out and takes back stack memory")]

use std::cell::UnsafeCell;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::rc::Rc;

use corosensei::stack::valgrind::ValgrindStackRegistration;

use crate::sys::fault::{self, ThreadReady};
use crate::sys::slab::{self, Slab};
use crate::sys::stack::{Geometry, StackHeader};

/// The first slab of a class reserves at most this many bytes of addresses.
const FIRST_SLAB: usize = 1024 * 1024;
/// No slab reserves more, unless one stack alone is larger.
const LARGEST_SLAB: usize = 256 * 1024 * 1024;
/// Free stacks that keep their memory when the pool is trimmed: by bytes, and by count.
const WARM_BYTES: usize = 64 * 1024 * 1024;
const WARM_STACKS: usize = 1024;
/// A stack this large gives its memory back as soon as it is free.
const LARGE_STACK: usize = 1024 * 1024;
/// Free stacks holding memory beyond this many are trimmed without waiting for idleness.
const TOO_MANY: usize = 64 * 1024;

thread_local! {
    static POOL: Pool = Pool(Rc::new(UnsafeCell::new(Stacks::new())));
}

/// The pool of a thread. Clones are the same pool; a runtime keeps one, which
/// spares it the look-up.
#[derive(Clone)]
pub(crate) struct Pool(Rc<UnsafeCell<Stacks>>);

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

struct Stacks {
    classes: Vec<Class>,
    /// The class asked for last: the next stack is mostly of the same.
    recent: usize,
    _ready: ThreadReady,
}

struct Class {
    number: u32,
    geometry: Geometry,
    slabs: Vec<Slab>,
    /// Free stacks that may hold memory; the last was freed last.
    warm: Vec<NonNull<StackHeader>>,
    /// Free stacks whose memory was given back, record and all.
    cold: Vec<NonNull<StackHeader>>,
    live: usize,
    /// More warm stacks than this are not kept: 0 for large ones.
    most_warm: usize,
}

impl Pool {
    /// The pool of the calling thread; an error when the thread is ending.
    pub(crate) fn of_thread() -> io::Result<Self> {
        POOL.try_with(Self::clone)
            .map_err(|_gone| io::Error::other("this thread is ending: it has no stacks to give"))
    }

    /// The stacks. Each method below takes this reference for the time of one
    /// operation; none of those calls foreign code, which could come back here.
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "one short-lived reference at a time, as said above"
    )]
    fn stacks(&self) -> &mut Stacks {
        // SAFETY: the pool is used by one thread, and no two references from
        // here live at a time.
        unsafe { &mut *self.0.get() }
    }

    /// A free stack of the wished shape.
    #[inline(always)]
    pub(super) fn acquire(
        &self,
        stack_size: usize,
        guard_size: usize,
    ) -> io::Result<NonNull<StackHeader>> {
        self.stacks().acquire(stack_size, guard_size)
    }

    /// Takes a stack back.
    ///
    /// # Safety
    ///
    /// It came from this pool, and nothing on it is used again.
    #[inline(always)]
    pub(super) unsafe fn release(&self, stack: NonNull<StackHeader>) {
        self.stacks().release(stack);
    }

    /// Gives back memory that many free stacks hold. For the idle moments of a loop.
    #[cfg(feature = "runtime")]
    pub(crate) fn trim(&self) {
        for class in &mut self.stacks().classes {
            class.trim();
        }
    }
}

/// Takes a stack back into the pool of this thread.
///
/// # Safety
///
/// It came from the pool of this thread, and nothing on it is used again.
pub(super) unsafe fn release(stack: NonNull<StackHeader>) {
    // Once the pool is gone the slab has been leaked, and the stack with it.
    let _gone = POOL.try_with(|pool| {
        // SAFETY: the caller's duty.
        unsafe { pool.release(stack) };
    });
}

#[cfg(feature = "testing")]
/// How many stacks of this thread are in use, for tests and counters.
pub(crate) fn stacks_in_use() -> usize {
    POOL.try_with(|pool| pool.stacks().classes.iter().map(|class| class.live).sum())
        .unwrap_or(0)
}

impl Stacks {
    fn new() -> Self {
        Self {
            classes: Vec::new(),
            recent: 0,
            _ready: fault::prepare_thread(),
        }
    }

    #[inline(always)]
    fn acquire(
        &mut self,
        stack_size: usize,
        guard_size: usize,
    ) -> io::Result<NonNull<StackHeader>> {
        let exact = Geometry {
            usable: stack_size,
            guard: guard_size,
        };
        match self.classes.get_mut(self.recent) {
            Some(class) if class.geometry == exact => class.acquire(),
            _ => self.acquire_other(stack_size, guard_size),
        }
    }

    #[inline(never)]
    fn acquire_other(
        &mut self,
        stack_size: usize,
        guard_size: usize,
    ) -> io::Result<NonNull<StackHeader>> {
        let geometry = Geometry::new(stack_size, guard_size, slab::page_size())?;
        let known = self
            .classes
            .iter()
            .position(|class| class.geometry == geometry);
        if let Some(known) = known {
            self.recent = known;
            return self.classes[known].acquire();
        }
        let number = u32::try_from(self.classes.len()).map_err(io::Error::other)?;
        let mut class = Class {
            number,
            geometry,
            slabs: Vec::new(),
            warm: Vec::new(),
            cold: Vec::new(),
            live: 0,
            most_warm: if geometry.usable >= LARGE_STACK {
                0
            } else {
                TOO_MANY
            },
        };
        let stack = class.acquire()?;
        self.recent = self.classes.len();
        self.classes.push(class);
        Ok(stack)
    }

    #[inline(always)]
    fn release(&mut self, stack: NonNull<StackHeader>) {
        // SAFETY: the caller of `release` above returns a stack of this
        // thread's pool, whose record stays readable.
        let class = unsafe { stack.as_ref() }.class;
        self.classes[class as usize].release(stack);
    }
}

impl Class {
    #[inline(always)]
    fn acquire(&mut self) -> io::Result<NonNull<StackHeader>> {
        let stack = match self.warm.pop() {
            Some(stack) => stack,
            None => self.acquire_untouched()?,
        };
        self.live += 1;
        Ok(stack)
    }

    #[cold]
    fn acquire_untouched(&mut self) -> io::Result<NonNull<StackHeader>> {
        if let Some(stack) = self.cold.pop() {
            // SAFETY: the stack is free, so its record is nobody's but ours.
            unsafe { slab::write_header(stack, self.geometry, self.number) };
            return Ok(stack);
        }
        if self.slabs.last().is_none_or(Slab::is_used_up) {
            self.grow()?;
        }
        let slab = self.slabs.last_mut().expect("grow adds a slab or fails");
        let stack = slab.next_fresh(self.number)?;
        let (bottom, top) = slab::bounds(stack, self.geometry);
        let limit = bottom + self.geometry.guard;
        // Never deregistered: a later stack at the same place registers anew.
        let _registered = ManuallyDrop::new(ValgrindStackRegistration::new(
            std::ptr::without_provenance_mut(limit),
            top - limit,
        ));
        Ok(stack)
    }

    /// Maps the next slab: as many stacks as there are already, within bounds.
    fn grow(&mut self) -> io::Result<()> {
        let stride = self.geometry.stride();
        let have: usize = self.slabs.iter().map(Slab::count).sum();
        let mut count = have
            .max(FIRST_SLAB / stride)
            .min(LARGEST_SLAB / stride)
            .max(1);
        loop {
            match Slab::map(self.geometry, count) {
                Ok(slab) => {
                    self.slabs.push(slab);
                    return Ok(());
                }
                Err(error) if count == 1 => return Err(error),
                Err(_no_room) => count /= 2,
            }
        }
    }

    #[inline(always)]
    fn release(&mut self, stack: NonNull<StackHeader>) {
        self.live -= 1;
        self.warm.push(stack);
        if self.warm.len() > self.most_warm {
            self.release_memory();
        }
    }

    #[cold]
    fn release_memory(&mut self) {
        if self.geometry.usable >= LARGE_STACK {
            self.cool(0);
        } else {
            self.trim();
        }
    }

    /// Keeps the stacks freed last warm, and gives back the memory of the rest.
    fn trim(&mut self) {
        let keep = (WARM_BYTES / self.geometry.usable).clamp(1, WARM_STACKS);
        // A few stacks are not worth a system call each.
        if self.warm.len() >= 2 * keep {
            self.cool(keep);
        }
    }

    /// Gives back all memory but that of the `keep` stacks freed last.
    fn cool(&mut self, keep: usize) {
        let count = self.warm.len().saturating_sub(keep);
        let first_new = self.cold.len();
        self.cold.extend(self.warm.drain(..count));
        let cooled = &mut self.cold[first_new..];
        // Highest first, so that stacks are later used in rising order.
        cooled.sort_unstable_by(|a, b| b.cmp(a));
        let mut run: Option<(usize, usize)> = None;
        for stack in cooled {
            let (low, high) = slab::bounds(*stack, self.geometry);
            run = match run {
                Some((start, end)) if start == high => Some((low, end)),
                other => {
                    discard(other);
                    Some((low, high))
                }
            };
        }
        discard(run);
    }
}

fn discard(run: Option<(usize, usize)>) {
    if let Some((start, end)) = run {
        // SAFETY: `cool` passes whole stacks that are free.
        unsafe { slab::discard(start, end - start) };
    }
}

impl Drop for Stacks {
    fn drop(&mut self) {
        for class in self.classes.drain(..) {
            if class.live > 0 {
                let _leaked = ManuallyDrop::new(class.slabs);
            }
        }
    }
}
