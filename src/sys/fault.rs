//! What happens when a stack runs into its guard: one line, then abort.
//!
//! The handler runs on the thread's alternate signal stack and calls nothing
//! that is not async-signal-safe. It finds the stack by the faulting address,
//! never by asking who runs. A fault anywhere else goes to the handler that was
//! there before (the standard library's, or a user's), as if this one were not.

#![expect(unsafe_code, reason = "installs a signal handler")]

use std::ptr;
use std::sync::Once;
use std::sync::OnceLock;

use super::slab;
use super::stack::{StackHeader, Use};

/// Bytes of an alternate signal stack, for threads that have none.
const ALTERNATE_STACK: usize = 64 * 1024;

static INSTALL: Once = Once::new();
static PREVIOUS_SEGV: OnceLock<libc::sigaction> = OnceLock::new();
static PREVIOUS_BUS: OnceLock<libc::sigaction> = OnceLock::new();

/// The alternate signal stack made for a thread that had none.
#[derive(Debug)]
pub(crate) struct ThreadReady {
    alternate: Option<*mut libc::c_void>,
}

/// Makes the calling thread report overflows; the process's handler is
/// installed on the first call of all.
pub(crate) fn prepare_thread() -> ThreadReady {
    INSTALL.call_once(|| {
        install(libc::SIGSEGV, &PREVIOUS_SEGV);
        install(libc::SIGBUS, &PREVIOUS_BUS);
    });
    ThreadReady {
        alternate: make_alternate_stack(),
    }
}

impl Drop for ThreadReady {
    fn drop(&mut self) {
        let Some(stack) = self.alternate else { return };
        let disable = libc::stack_t {
            ss_sp: ptr::null_mut(),
            ss_flags: libc::SS_DISABLE,
            ss_size: ALTERNATE_STACK,
        };
        // SAFETY: turns off the alternate stack that this thread got from us.
        let disabled = unsafe { libc::sigaltstack(&disable, ptr::null_mut()) };
        if disabled == 0 {
            // SAFETY: the mapping made in `make_alternate_stack`, in use no more.
            let _ignored = unsafe { libc::munmap(stack, ALTERNATE_STACK) };
        }
    }
}

fn make_alternate_stack() -> Option<*mut libc::c_void> {
    let mut now = libc::stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: 0,
        ss_size: 0,
    };
    // SAFETY: only reads this thread's setting.
    let asked = unsafe { libc::sigaltstack(ptr::null(), &mut now) };
    if asked != 0 || now.ss_flags & libc::SS_DISABLE == 0 {
        return None;
    }
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: a new anonymous mapping at a place of the kernel's choice.
    let place = unsafe { libc::mmap(ptr::null_mut(), ALTERNATE_STACK, protection, flags, -1, 0) };
    if place == libc::MAP_FAILED {
        return None;
    }
    let stack = libc::stack_t {
        ss_sp: place.cast(),
        ss_flags: 0,
        ss_size: ALTERNATE_STACK,
    };
    // SAFETY: hands the thread memory that stays mapped until `ThreadReady` drops.
    let set = unsafe { libc::sigaltstack(&stack, ptr::null_mut()) };
    (set == 0).then_some(place)
}

fn install(signal: libc::c_int, previous: &'static OnceLock<libc::sigaction>) {
    // SAFETY: a sigaction of zeros is a valid value of the plain C struct.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only reads the present handler.
    if unsafe { libc::sigaction(signal, ptr::null(), &mut before) } != 0 {
        return;
    }
    // Kept before ours can run, so that the handler always finds it.
    let _already = previous.set(before);
    // SAFETY: a sigaction of zeros is a valid value of the plain C struct.
    let mut ours: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_fault;
    ours.sa_sigaction = handler as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `on_fault` has the signature SA_SIGINFO asks for and is
    // async-signal-safe.
    let _ignored = unsafe { libc::sigaction(signal, &ours, ptr::null_mut()) };
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid siginfo.
    let told = unsafe { &*info };
    let code = told.si_code;
    // A code of 0 or less was sent by a process: there is no address in it.
    if code > 0 {
        // SAFETY: SIGSEGV and SIGBUS of the kernel carry an address.
        let address = unsafe { told.si_addr() }.addr();
        if let Some(found) = slab::find(address) {
            if found.in_guard {
                report(found.header, found.usable);
                // SAFETY: abort may be called from a signal handler.
                unsafe { libc::abort() };
            }
        }
    }
    chain(signal, info, context);
}

/// Hands a fault that is not ours to whoever was there before.
fn chain(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = if signal == libc::SIGSEGV {
        &PREVIOUS_SEGV
    } else {
        &PREVIOUS_BUS
    };
    let Some(previous) = previous.get() else {
        return;
    };
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // Returning runs the faulting instruction again, now without us.
            // SAFETY: puts back a disposition that was in force before.
            let _ignored = unsafe { libc::sigaction(signal, previous, ptr::null_mut()) };
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            type Full = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            // SAFETY: the flag says that the handler has this signature.
            let handler = unsafe { std::mem::transmute::<usize, Full>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without the flag the handler takes the number alone.
            let handler =
                unsafe { std::mem::transmute::<usize, extern "C" fn(libc::c_int)>(handler) };
            handler(signal);
        }
    }
}

/// Prints the line about an overflow.
fn report(header: *const StackHeader, usable: usize) {
    // SAFETY: the header lies in a mapped page at the top of the stack found;
    // memory that was given back reads as zeros, a valid record.
    let header = unsafe { &*header };
    let used_for = header.used_for.get();
    let (name, length) = header.name.get();
    put(b"greenroom: ");
    put(match used_for {
        Use::Coroutine => b"coroutine ",
        #[cfg(feature = "runtime")]
        Use::Task | Use::Main => b"task ",
    });
    if length == 0 {
        put(match used_for {
            #[cfg(feature = "runtime")]
            Use::Main => b"'main'",
            _ => b"(unnamed)",
        });
    } else {
        put(b"'");
        // SAFETY: the owner of the stack keeps its name alive as long as the
        // stack is in use.
        put(unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(name), length) });
        put(b"'");
    }
    put(b" has overflowed its stack of ");
    put_number(usable);
    put(b" bytes; raise it with ");
    put(match used_for {
        Use::Coroutine => b"CoroutineBuilder::stack_size",
        #[cfg(feature = "runtime")]
        Use::Task => b"Builder::stack_size or Config::stack_size",
        #[cfg(feature = "runtime")]
        Use::Main => b"Config::main_stack_size",
    });
    put(b"\n");
}

fn put(text: &[u8]) {
    // SAFETY: write may be called from a signal handler; the slice is valid.
    let _ignored = unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

fn put_number(mut number: usize) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    put(&digits[at..]);
}
