//! Descriptors, and waiting for them.
//!
//! Must never: know what a descriptor is good for. Sockets, processes and signals are rooms above.

pub(crate) mod descriptor;
mod select;

/// What `select!` makes of descriptors.
pub(crate) mod arms {
    pub use super::select::{Readable, ReadyArm, Watch, Watched, Writable};
}

pub(crate) use select::{Watch, Watched};
