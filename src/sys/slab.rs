//! Memory for many stacks from one mapping, and the table that finds them.
//!
//! ```text
//!  one slab = one mmap (MAP_NORESERVE | MAP_STACK, no huge pages)
//!  |guard| stack 0 .......... top|guard| stack 1 ....... top  |guard| stack 2 ...
//!                    header at top -+    lowered by 64 bytes -+     by 128 ...
//! ```
//!
//! A guard is made when its stack is first used. `MADV_GUARD_INSTALL` (Linux
//! 6.13) marks pages inside the mapping, so a million guards need no mapping of
//! their own. Where the call fails, `mprotect` does it and costs two mappings a
//! stack; then stacks are refused some way before `vm.max_map_count`, so that
//! the rest of the process can still map memory.
//!
//! Slabs are listed in a lock-free table that the fault handler walks. Nothing
//! here may run code on a stack, or unmap one that somebody still holds.

#![expect(unsafe_code, reason = "maps and unmaps memory")]

use std::cell::Cell;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::check;
use super::stack::{COLOUR_STEP, COLOURS, Geometry, StackHeader, Use};

/// Marking pages fills page tables, 8 bytes a page. Larger guards are worth two
/// mappings.
#[cfg(memory = "linux")]
const LARGEST_MARKED: usize = 1024 * 1024;

/// One slab's place, as the fault handler sees it.
#[derive(Debug)]
struct Record {
    start: AtomicUsize,
    end: AtomicUsize,
    usable: AtomicUsize,
    guard: AtomicUsize,
    next: AtomicPtr<Record>,
}

/// The table: records are pushed, reused, and never freed.
static RECORDS: AtomicPtr<Record> = AtomicPtr::new(ptr::null_mut());

/// Guards made by `mprotect`, in all threads.
static PROTECTED: AtomicUsize = AtomicUsize::new(0);

/// `MADV_GUARD_INSTALL`, Linux 6.13 and later.
#[cfg(memory = "linux")]
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// The size of a page, in bytes.
pub(crate) fn page_size() -> usize {
    static PAGE: OnceLock<usize> = OnceLock::new();
    *PAGE.get_or_init(|| {
        // SAFETY: sysconf only reads a number.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).unwrap_or(4096)
    })
}

/// One mapping of `count` stacks.
#[derive(Debug)]
pub(crate) struct Slab {
    start: usize,
    count: usize,
    /// Stacks `0..used` have had their guard made.
    used: usize,
    protected: usize,
    geometry: Geometry,
    record: &'static Record,
}

impl Slab {
    /// Maps room for `count` stacks. Costs address space, no memory.
    pub(crate) fn map(geometry: Geometry, count: usize) -> io::Result<Self> {
        let length = geometry
            .stride()
            .checked_mul(count)
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let start = map_memory(length)?;
        let record = claim_record(start, length, geometry);
        Ok(Self {
            start,
            count,
            used: 0,
            protected: 0,
            geometry,
            record,
        })
    }

    /// How many stacks this slab has room for.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether every stack has been used at least once.
    pub(crate) fn is_used_up(&self) -> bool {
        self.used == self.count
    }

    /// The next stack that was never used, with its guard and record made.
    ///
    /// There must be one: see [`is_used_up`](Self::is_used_up).
    pub(crate) fn next_fresh(&mut self, class: u32) -> io::Result<NonNull<StackHeader>> {
        assert!(self.used < self.count, "the slab has a stack left");
        let bottom = self.start + self.used * self.geometry.stride();
        if make_guard(bottom, self.geometry.guard)? {
            self.protected += 1;
        }
        let header = self.header(self.used);
        self.used += 1;
        // SAFETY: `header` lies in this slab's mapping, at the top of a stack
        // that nobody has been given yet.
        unsafe { write_header(header, self.geometry, class) };
        Ok(header)
    }

    /// Where the header of stack `index` lies.
    fn header(&self, index: usize) -> NonNull<StackHeader> {
        let top = self.start + (index + 1) * self.geometry.stride();
        let address = top - colour(index) - size_of::<StackHeader>();
        let pointer = ptr::with_exposed_provenance_mut(address);
        NonNull::new(pointer).expect("a mapping never starts at address zero")
    }
}

impl Drop for Slab {
    /// Unmaps. It is the owner's duty that no stack of it is in use.
    fn drop(&mut self) {
        self.record.start.store(0, Ordering::Release);
        self.record.end.store(0, Ordering::Release);
        PROTECTED.fetch_sub(self.protected, Ordering::Relaxed);
        let length = self.geometry.stride() * self.count;
        // SAFETY: this is the mapping made in `map`; the owner drops a slab
        // only when none of its stacks is in use.
        let _ignored =
            unsafe { libc::munmap(ptr::with_exposed_provenance_mut(self.start), length) };
    }
}

/// Writes the record of a stack that is not in use.
///
/// # Safety
///
/// `header` is the place of a record in a slab of `geometry`, and the stack is
/// free.
pub(crate) unsafe fn write_header(header: NonNull<StackHeader>, geometry: Geometry, class: u32) {
    let (bottom, _) = bounds(header, geometry);
    let limit = bottom + geometry.guard;
    let record = StackHeader {
        bottom,
        limit,
        extent: header.addr().get() - limit,
        attention: Cell::new(0),
        class,
        name: Cell::new((0, 0)),
        used_for: Cell::new(Use::Coroutine),
    };
    // SAFETY: the caller's duty.
    unsafe { header.write(record) };
}

/// Where the stack of a record begins (its guard included) and ends.
pub(crate) fn bounds(header: NonNull<StackHeader>, geometry: Geometry) -> (usize, usize) {
    // The record lies within the colours' distance below the top, and the top
    // is the end of a page.
    let top = header.addr().get().next_multiple_of(page_size());
    (top - geometry.stride(), top)
}

/// How far the top of stack `index` is lowered.
fn colour(index: usize) -> usize {
    (index % COLOURS) * COLOUR_STEP
}

fn map_memory(length: usize) -> io::Result<usize> {
    #[cfg(memory = "linux")]
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    #[cfg(not(memory = "linux"))]
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new anonymous mapping at a place of the kernel's choice.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        let error = io::Error::last_os_error();
        return Err(io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!(
                "no memory for coroutine stacks: mmap of {length} bytes: {error} (limits: RLIMIT_AS, vm.max_map_count, vm.overcommit_memory)"
            ),
        ));
    }
    #[cfg(memory = "linux")]
    {
        // SAFETY: advice on the mapping just made. A refusal does no harm: then
        // there are no huge pages to avoid.
        let _ignored = unsafe { libc::madvise(start, length, libc::MADV_NOHUGEPAGE) };
    }
    Ok(start.expose_provenance())
}

/// Makes `length` bytes at `bottom` fault. Tells whether it cost mappings.
fn make_guard(bottom: usize, length: usize) -> io::Result<bool> {
    #[cfg(memory = "linux")]
    if length <= LARGEST_MARKED && by_madvise() {
        let place = ptr::with_exposed_provenance_mut(bottom);
        // SAFETY: the range lies in a slab of ours, below a stack that is not
        // in use yet.
        if unsafe { libc::madvise(place, length, MADV_GUARD_INSTALL) } == 0 {
            return Ok(false);
        }
    }
    let limit = protected_limit();
    if PROTECTED.fetch_add(1, Ordering::Relaxed) >= limit {
        PROTECTED.fetch_sub(1, Ordering::Relaxed);
        return Err(io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!(
                "{limit} guarded stacks are in use, as many as vm.max_map_count allows with room left for the rest of the process (this kernel has no MADV_GUARD_INSTALL, so each guard costs two mappings)"
            ),
        ));
    }
    let place = ptr::with_exposed_provenance_mut(bottom);
    // SAFETY: the range lies in a slab of ours, below a stack that is not in
    // use yet.
    let protected = check(unsafe { libc::mprotect(place, length, libc::PROT_NONE) });
    match protected {
        Ok(_) => Ok(true),
        Err(error) => {
            PROTECTED.fetch_sub(1, Ordering::Relaxed);
            Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                format!(
                    "no guard for a coroutine stack: mprotect: {error} (limit: vm.max_map_count)"
                ),
            ))
        }
    }
}

/// Whether guards are to be made by `madvise`.
///
/// The environment variable `GREENROOM_GUARD=mprotect` forces the other way, for
/// tests of it and for systems that accept the call and do nothing.
#[cfg(memory = "linux")]
fn by_madvise() -> bool {
    static FORCED: OnceLock<bool> = OnceLock::new();
    !*FORCED
        .get_or_init(|| std::env::var_os("GREENROOM_GUARD").is_some_and(|way| way == "mprotect"))
}

/// How many guards may be made by `mprotect`: each costs two mappings, and an
/// eighth of the limit is left to everyone else.
fn protected_limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/vm/max_map_count")
            .ok()
            .and_then(|text| text.trim().parse::<usize>().ok())
            .map_or(usize::MAX, |maps| (maps - maps / 8) / 2)
    })
}

/// Gives the memory of `length` bytes at `start` back to the system. Guards
/// stay; what is read there next is zero.
///
/// # Safety
///
/// The range must be whole pages of slabs of this crate, and no frame or value
/// in it may be used again.
pub(crate) unsafe fn discard(start: usize, length: usize) {
    let place = ptr::with_exposed_provenance_mut(start);
    // SAFETY: the caller's duty. A refusal leaves the memory as it was.
    let _ignored = unsafe { libc::madvise(place, length, libc::MADV_DONTNEED) };
}

fn claim_record(start: usize, length: usize, geometry: Geometry) -> &'static Record {
    let mut cursor = RECORDS.load(Ordering::Acquire);
    // SAFETY: records are leaked boxes, so a pointer to one stays valid.
    while let Some(record) = unsafe { cursor.as_ref() } {
        if record.end.load(Ordering::Relaxed) == 0
            && record
                .end
                .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        {
            record.fill(start, length, geometry);
            return record;
        }
        cursor = record.next.load(Ordering::Acquire);
    }
    let record: &'static Record = Box::leak(Box::new(Record {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(1),
        usable: AtomicUsize::new(0),
        guard: AtomicUsize::new(0),
        next: AtomicPtr::new(ptr::null_mut()),
    }));
    record.fill(start, length, geometry);
    let mut head = RECORDS.load(Ordering::Acquire);
    loop {
        record.next.store(head, Ordering::Relaxed);
        let new = ptr::from_ref(record).cast_mut();
        match RECORDS.compare_exchange(head, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return record,
            Err(now) => head = now,
        }
    }
}

impl Record {
    fn fill(&self, start: usize, length: usize, geometry: Geometry) {
        self.usable.store(geometry.usable, Ordering::Relaxed);
        self.guard.store(geometry.guard, Ordering::Relaxed);
        self.start.store(start, Ordering::Release);
        self.end.store(start + length, Ordering::Release);
    }
}

/// A stack found by an address inside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Its record.
    pub(crate) header: *const StackHeader,
    /// Its usable size in bytes.
    pub(crate) usable: usize,
    /// Whether the address lies in its guard.
    pub(crate) in_guard: bool,
}

/// The stack an address belongs to. Async-signal-safe: only atomic loads.
pub(crate) fn find(address: usize) -> Option<Found> {
    let mut cursor = RECORDS.load(Ordering::Acquire);
    // SAFETY: records are leaked boxes, so a pointer to one stays valid.
    while let Some(record) = unsafe { cursor.as_ref() } {
        let end = record.end.load(Ordering::Acquire);
        let start = record.start.load(Ordering::Acquire);
        if start != 0 && (start..end).contains(&address) {
            let usable = record.usable.load(Ordering::Relaxed);
            let guard = record.guard.load(Ordering::Relaxed);
            let stride = usable + guard;
            let index = (address - start) / stride;
            let top = start + (index + 1) * stride - colour(index);
            return Some(Found {
                header: ptr::with_exposed_provenance(top - size_of::<StackHeader>()),
                usable,
                in_guard: (address - start) % stride < guard,
            });
        }
        cursor = record.next.load(Ordering::Acquire);
    }
    None
}

/// Bytes of a stack that are in memory, in whole pages: as deep as it was ever
/// used since it was last given back. 0 where the system does not tell.
#[cfg(feature = "runtime")]
pub(crate) fn in_memory(stack: &StackHeader) -> usize {
    const PAGES: usize = 256;
    let page = page_size();
    let end = (stack.limit + stack.extent).next_multiple_of(page);
    let mut from = stack.limit;
    let mut resident = 0;
    while from < end {
        let length = (end - from).min(PAGES * page);
        let mut pages = [0_u8; PAGES];
        let place = ptr::with_exposed_provenance_mut(from);
        // SAFETY: the array has a byte for each page of the range, which is mapped.
        let asked = check(unsafe { libc::mincore(place, length, pages.as_mut_ptr().cast()) });
        if asked.is_err() {
            return 0;
        }
        resident += pages[..length / page]
            .iter()
            .filter(|page| **page & 1 == 1)
            .count();
        from += length;
    }
    resident * page
}
