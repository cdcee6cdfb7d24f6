//! What the example programs share: the runtime their arguments ask for, and
//! `say`.
//!
//! It is no part of the crate. A program says what it has to say through
//! [`say`], so that a test can listen and note the clock at each line; nothing
//! here may make a program run otherwise when somebody listens.

#![allow(dead_code, reason = "no program uses all of it")]
#![expect(clippy::print_stdout, reason = "programs talk to people")]

use std::cell::RefCell;
use std::rc::Rc;

use greenroom::{Clock, Config, Runtime};

/// What hears each line before the next one is said.
pub(crate) type Listener = Rc<dyn Fn(&str)>;

thread_local! {
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Whether the program was started with `--virtual`.
pub(crate) fn is_virtual() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => false,
        [only] if only == "--virtual" => true,
        _ => panic!("the only argument is --virtual, for a clock that jumps instead of waiting"),
    }
}

/// A runtime on the real clock, or on the virtual one if the arguments say so.
pub(crate) fn runtime() -> Runtime {
    let clock = if is_virtual() {
        Clock::virtual_()
    } else {
        Clock::real()
    };
    Runtime::with(Config::new().clock(clock))
}

/// Prints a line.
pub(crate) fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
    let listener = LISTENER.with_borrow(Clone::clone);
    if let Some(listener) = listener {
        listener(line.as_ref());
    }
}

/// Sets who hears the lines of this thread. For tests.
pub(crate) fn listen(listener: Option<Listener>) {
    LISTENER.set(listener);
}
