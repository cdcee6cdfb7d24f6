//! The await-style face of channels. Nothing here that `channel/` does not do.

use super::channel::Receiver;
use super::error::RecvError;
use crate::awaitable::Awaitable;

/// Waits for the next value: see [`Receiver::recv`].
///
/// ```
/// use greenroom::{Awaitable, run, sync::bounded};
///
/// run(|| {
///     let (sender, receiver) = bounded(1);
///     sender.send(5).unwrap();
///     assert_eq!((&receiver).wait(), Ok(5));
/// });
/// ```
impl<T> Awaitable for &Receiver<T> {
    type Output = Result<T, RecvError>;

    fn wait(self) -> Self::Output {
        self.recv()
    }
}
