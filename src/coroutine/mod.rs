//! Coroutines: a body on a stack of its own.
//!
//! Every `corosensei::` name of the crate is in this room. It offers the public
//! `Coroutine`, and to the scheduler the bare `fiber`.
//!
//! ```text
//!   high addresses   one stack of a slab (sys/slab.rs)
//!   +--------------------------+  end of a page
//!   | colour: 0 to 31 times 64 |  so that tops do not share one cache set
//!   +--------------------------+
//!   | StackHeader              |  limits, attention word, name, class
//!   +--------------------------+
//!   | Packet, or a task's head |  what passes between the two sides
//!   +--------------------------+  <- base, as corosensei sees it
//!   | initial function, parent |  corosensei's two words: whom to return to
//!   | the body's captures      |  up to 1 KiB; larger ones are boxed
//!   | frames                   |
//!   |   ...grow downwards      |
//!   +--------------------------+  <- limit
//!   | guard, faults            |
//!   +--------------------------+  low addresses: the next stack's end
//! ```
//!
//! Rules of the room: a stack is reused only after its body returned or was
//! fully unwound; bodies are `'static` or live in a scope that owns them; every
//! stop is an ordinary resume with a signal, never a forced jump.

mod builder;
mod error;
#[cfg(feature = "runtime")]
pub(crate) mod fiber;
mod object;
#[cfg(stacks = "slab")]
pub(crate) mod pool;
#[cfg(stacks = "slab")]
pub(crate) mod scope_mark;
pub(crate) mod scoped;
#[cfg(stacks = "slab")]
mod stack;
#[cfg(stacks = "system")]
mod system;
mod unstarted;
mod yielder;

#[cfg(stacks = "system")]
use system::{Pool, PooledStack};
#[cfg(stacks = "slab")]
use {pool::Pool, stack::PooledStack};

pub use builder::{CoroutineBuilder, DEFAULT_GUARD_SIZE, DEFAULT_STACK_SIZE};
pub use error::{CloseError, ResumeError, ThrowError, Thrown};
pub use object::{Coroutine, CoroutineState, Status};
pub use scoped::ScopedCoroutine;
pub use unstarted::{Unstarted, set_unstarted_hook};
pub use yielder::Yielder;
