//! A queue as something to wait for: taking its next item. Nothing here that `pop` does
//! not do, or an arm that receives from a channel.

use super::counted::Counted;
use super::{Order, Queue};
use crate::awaitable::Awaitable;
use crate::scheduler::select::Selectable;
use crate::sync::error::RecvError;
use crate::sync::select::RecvArm;

/// Takes the next item: see [`Queue::pop`].
///
/// ```
/// use greenroom::{Awaitable, sync::Queue};
///
/// let queue = Queue::fifo(1);
/// queue.push(5).unwrap();
/// assert_eq!((&queue).wait(), Ok(5));
/// ```
impl<T, O: Order<T>> Awaitable for &Queue<T, O> {
    type Output = Result<T, RecvError>;

    fn wait(self) -> Self::Output {
        self.pop()
    }
}

/// The arm `wait(&queue)` takes the next item.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{run, select, sync::Queue};
///
/// run(|| {
///     let queue = Queue::<u8>::unbounded();
///     queue.push(5).unwrap();
///     for expected in [Some(5), None] {
///         let item = select! {
///             wait(&queue) -> item => item.ok(),
///             after(Duration::from_millis(1)) => None,
///         };
///         assert_eq!(item, expected);
///     }
/// });
/// ```
impl<'a, T, O: Order<T>> Selectable for &'a Queue<T, O> {
    type Output = Result<T, RecvError>;
    type Arm = RecvArm<'a, T, Counted<O::Items>>;

    #[inline(always)]
    fn into_arm(self) -> Self::Arm {
        RecvArm::new(&self.channel)
    }

    #[inline(always)]
    fn finish(arm: &mut Self::Arm) -> Self::Output {
        arm.result()
    }
}
