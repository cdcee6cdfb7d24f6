//! The record at the top of every stack, and the shape of stacks.
//!
//! The record is what the running code of a stack (a bounds check at every
//! yield) and the fault handler (a name to print) need to find without asking
//! anyone. It must never own anything: memory given back to the system reads
//! as zeros, and a record of zeros must stay harmless.

use std::cell::Cell;
use std::io;

/// Bytes between the tops of neighbouring stacks' frames, modulo a page.
///
/// Equally aligned tops all fall into one set of the processor's cache. Stack
/// `i` therefore starts `(i % COLOURS) * COLOUR_STEP` bytes lower.
#[cfg(stacks = "slab")]
pub(crate) const COLOUR_STEP: usize = 64;
/// How many different tops there are.
#[cfg(stacks = "slab")]
pub(crate) const COLOURS: usize = 32;

/// The least stack size anyone may ask for, in bytes.
pub(crate) const MIN_STACK_SIZE: usize = 16 * 1024;

/// What runs on a stack: the fault handler names the setting that raises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Use {
    /// A coroutine or generator driven by hand.
    Coroutine = 0,
    /// A task of a runtime.
    #[cfg(feature = "runtime")]
    Task = 1,
    /// The main task of a runtime.
    #[cfg(feature = "runtime")]
    Main = 2,
}

/// The record at the top of a stack. See the picture in `coroutine/mod.rs`.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct StackHeader {
    /// The lowest address, where the guard begins.
    pub(crate) bottom: usize,
    /// The lowest usable address, just above the guard.
    pub(crate) limit: usize,
    /// Bytes from `limit` up to this record.
    pub(crate) extent: usize,
    /// Not zero when a yield must look closer: open scopes, or a signal.
    pub(crate) attention: Cell<u32>,
    /// The pool's class this stack belongs to.
    pub(crate) class: u32,
    /// Address and length of the name of what runs here; length 0 is unnamed.
    pub(crate) name: Cell<(usize, usize)>,
    /// What runs here.
    pub(crate) used_for: Cell<Use>,
}

impl StackHeader {
    /// Whether an address lies in the usable part of this stack.
    #[inline]
    pub(crate) fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.limit) < self.extent
    }
}

/// The shape shared by all stacks of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Usable bytes, a whole number of pages.
    pub(crate) usable: usize,
    /// Bytes of guard below them, a whole number of pages.
    pub(crate) guard: usize,
}

impl Geometry {
    /// Rounds the wished sizes up to pages, and refuses what cannot work.
    pub(crate) fn new(stack_size: usize, guard_size: usize, page: usize) -> io::Result<Self> {
        let refuse = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        if stack_size < MIN_STACK_SIZE {
            return refuse(format!(
                "a stack of {stack_size} bytes is too small: the least is {MIN_STACK_SIZE}"
            ));
        }
        if guard_size == 0 {
            return refuse("a stack needs a guard of at least one page".to_owned());
        }
        let usable = stack_size.checked_next_multiple_of(page);
        let guard = guard_size.checked_next_multiple_of(page);
        let (Some(usable), Some(guard)) = (usable, guard) else {
            return refuse(format!(
                "a stack of {stack_size} bytes with {guard_size} of guard does not fit into memory"
            ));
        };
        match usable.checked_add(guard) {
            Some(stride) if isize::try_from(stride).is_ok() => Ok(Self { usable, guard }),
            _ => refuse(format!(
                "a stack of {stack_size} bytes with {guard_size} of guard does not fit into memory"
            )),
        }
    }

    /// Bytes from one stack to the next.
    #[cfg(stacks = "slab")]
    pub(crate) fn stride(self) -> usize {
        self.usable + self.guard
    }
}
