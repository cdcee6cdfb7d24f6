//! `select!`: the first of several waits, in one task.
//!
//! The macro makes an arm of each line, polls them in line, and only if none is
//! ready goes to `scheduler/select.rs` to wait. It holds no unsafe code, and no
//! names of the user's can meet its own.

use std::fmt;

use crate::scheduler::park;
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{self, Arm, Entry, Selectable};

/// What the expansion of `select!` calls.
#[doc(hidden)]
#[derive(Debug)]
pub struct Turn {
    /// The arm that is polled first.
    pub start: usize,
}

impl Turn {
    /// Begins a selection of so many arms; `rotates` says that the first to be
    /// polled is another one each time.
    #[doc(hidden)]
    #[must_use]
    #[inline(always)]
    pub fn begin(arms: usize, rotates: bool) -> Self {
        let mut start = 0;
        if let Some(task) = park::current() {
            park::spend(task);
            if rotates {
                start = select::next_start(task, arms);
            }
        }
        Self { start }
    }

    /// Waits until an arm is ready, and tells which.
    #[doc(hidden)]
    #[must_use]
    #[track_caller]
    pub fn wait(&self, arms: &[&dyn Arm]) -> usize {
        match park::current() {
            Some(task) => select::wait(task, self.start, arms),
            None => panic!("select! would have to wait, and no runtime is running here"),
        }
    }
}

/// An arm, and what it gives.
#[doc(hidden)]
pub struct Wait<S: Selectable>(S::Arm);

impl<S: Selectable> fmt::Debug for Wait<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}

/// The arms are done with.
#[doc(hidden)]
#[inline(always)]
pub fn done<T>(_arms: T) {}

/// Makes an arm of what is waited for.
#[doc(hidden)]
#[inline(always)]
pub fn into_arm<S: Selectable>(what: S) -> Wait<S> {
    Wait(what.into_arm())
}

impl<S: Selectable> Wait<S> {
    /// The arm was chosen.
    #[doc(hidden)]
    #[inline(always)]
    #[track_caller]
    pub fn finish(&mut self) -> S::Output {
        S::finish(&mut self.0)
    }
}

impl<S: Selectable> Sealed for Wait<S> {}

impl<S: Selectable> Arm for Wait<S> {
    #[inline(always)]
    fn poll(&self) -> bool {
        self.0.poll()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        self.0.enter(entry)
    }

    fn leave(&self) {
        self.0.leave();
    }

    fn take_given(&self) {
        self.0.take_given();
    }

    fn line(&self) -> *const () {
        self.0.line()
    }

    fn give_way(&self) {
        self.0.give_way();
    }

    fn is_last(&self) -> bool {
        self.0.is_last()
    }

    fn interrupt(&self) -> bool {
        self.0.interrupt()
    }
}

/// Waits for the first of several things, in one task, and does what is written for
/// that one. The others have lost nothing: no value was taken, no place kept.
///
/// ```
/// use std::time::Duration;
/// use greenroom::sync::bounded;
/// use greenroom::{run, select, spawn};
///
/// run(|| {
///     let (jobs, inbox) = bounded::<u32>(1);
///     let (results, outbox) = bounded::<u32>(1);
///     let mut worker = spawn(move || outbox.recv());
///     jobs.send(20).unwrap();
///     let mut sum = 0;
///     loop {
///         select! {
///             recv(inbox) -> job => {
///                 sum += job.unwrap();
///                 results.send(sum).unwrap();
///             }
///             join(&mut worker) -> end => {
///                 assert_eq!(end.unwrap(), Ok(20));
///                 break;
///             }
///             after(Duration::from_secs(60)) => panic!("too slow"),
///         }
///     }
/// });
/// ```
///
/// | arm | is ready when | gives |
/// |---|---|---|
/// | `recv(receiver) -> value` | a value is there, or the channel is closed, or all senders are gone | as `recv` |
/// | `recv(signals) -> kind` of `signal` | a signal has come | as `recv` |
/// | `send(sender, value) -> sent` | there is room, or the channel is closed, or all receivers are gone | as `send`; the value is evaluated only then |
/// | `readable(socket) -> ready`, `writable(socket) -> ready` | a read, an accept or a write would not wait; what a `BufReader` holds already does not count | `io::Result<()>` |
/// | `join(&mut handle) -> end` | the task has ended; of this thread or, by its `RemoteJoinHandle`, of another | as `join`; the handle is used up |
/// | `wait(&event)` | the event is set | `()` |
/// | `wait(&queue) -> item` | an item is there, or the queue is shut down | as `pop` |
/// | `wait(&mut receiver) -> value` of `broadcast`, `watch`, `oneshot` | a value is there, or has changed, or no more will come | as `recv`, for `watch` as `changed` |
/// | `wait(what) -> output` | whatever else is [`Selectable`](crate::Selectable) is: a [`Timer`](crate::Timer), `&mut interval`, `&receiver`, `&mut handle` | its output |
/// | `after(duration)`, `at(instant)` | that time has come | `()` |
/// | `default` | no other arm is ready at once | |
/// | `default(duration)` | no other arm is ready for so long | |
///
/// An arm of a channel that has ended is always ready: in a loop, leave, or put
/// [`never`](crate::sync::never) in its place.
///
/// Up to twenty arms; more need a larger `recursion_limit`. `-> pattern` may be left out; after a body that is no block there is a comma. Where several arms are ready at once, the one to
/// be looked at first is another each time, in an order that depends on the runtime
/// alone, so no arm starves another; [`select_biased!`](crate::select_biased) takes
/// the first in written order. Expressions of sockets, receivers and handles are
/// evaluated once, before anything is waited for; temporaries in them live until the
/// body is done, as in `match`.
///
/// # Panics
///
/// On a plain thread, if it would have to wait.
///
/// # Scheduling
///
/// With an arm ready it goes on at once; one of every 128 calls yields. Else the
/// others run.
///
/// The value of a chosen `send` should be there soon: until it is, those who wait
/// behind this call to send wait on. If evaluating it lets others run, and the receiver it
/// was for is gone then, it waits for another. Until it is chosen it has no value: `try_recv`, and a
/// `select!` with a `default`, find nothing there.
///
/// # Cancellation
///
/// If it waits, it unwinds when the task is cancelled; an arm that was decided
/// before wins. With [`Delivery::Error`](crate::Delivery::Error), and while the task
/// unwinds, the first arm in written order that can fail does, or a timer's arm ends
/// early; `join` and events wait on.
#[macro_export]
macro_rules! select {
    ($($arms:tt)*) => { $crate::__select!(@parse (true) [] () $($arms)*) };
}

/// [`select!`](crate::select), but of the arms that are ready the first in written
/// order is chosen.
///
/// ```
/// use greenroom::{run, select_biased, sync::bounded};
///
/// run(|| {
///     let (urgent, first) = bounded(8);
///     let (normal, second) = bounded(8);
///     normal.send("later").unwrap();
///     urgent.send("now").unwrap();
///     let got = select_biased! {
///         recv(first) -> job => job,
///         recv(second) -> job => job,
///     };
///     assert_eq!(got, Ok("now"));
/// });
/// ```
#[macro_export]
macro_rules! select_biased {
    ($($arms:tt)*) => { $crate::__select!(@parse (false) [] () $($arms)*) };
}

// Arms are gathered one by one: `[ {arm (kind (made of) (pattern)) (body)} ... ]`. The identifier
// `arm` of each comes from another step, so they differ.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // Nothing is left: build it.
    (@parse $mode:tt [] ()) => { ::core::compile_error!("select! needs an arm") };
    (@parse $mode:tt [$($arms:tt)+] $default:tt) => {
        $crate::__select!(@build $mode [$($arms)+] $default)
    };
    (@parse $mode:tt [] ($($default:tt)+)) => {{ $($default)+ }};

    // The default arms.
    (@parse $mode:tt $arms:tt () default => $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms () (default) $($rest)+)
    };
    (@parse $mode:tt $arms:tt () default($limit:expr) => $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms ()
            (wait ($crate::__private::otherwise($limit)) (_)) $($rest)+)
    };
    (@parse $mode:tt $arms:tt ($($default:tt)+) default $($rest:tt)+) => {
        ::core::compile_error!("select! takes one default arm")
    };

    // What is no arm.
    (@parse $mode:tt $arms:tt $default:tt else $($rest:tt)*) => {
        ::core::compile_error!("where no arm is ready: `default => ..`, or `default(duration) => ..`")
    };

    // Arms without a pattern.
    (@parse $mode:tt $arms:tt $default:tt $kind:ident($($made:tt)*) => $($rest:tt)+) => {
        $crate::__select!(@kind $mode $arms $default $kind ($($made)*) (_) $($rest)+)
    };
    (@parse $mode:tt $arms:tt $default:tt $kind:ident($($made:tt)*) -> $pattern:pat => $($rest:tt)+) => {
        $crate::__select!(@kind $mode $arms $default $kind ($($made)*) ($pattern) $($rest)+)
    };

    (@parse $mode:tt $arms:tt $default:tt $($rest:tt)+) => {
        ::core::compile_error!(
            "an arm of select! is `recv(receiver) -> value => body`, with a comma after a body that is no block"
        )
    };

    // What each kind is made of.
    (@kind $mode:tt $arms:tt $default:tt recv ($made:expr $(,)?) $pattern:tt $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms $default
            (wait ($crate::__private::receiver(&$made)) $pattern) $($rest)+)
    };
    (@kind $mode:tt $arms:tt $default:tt send ($sender:expr, $value:expr $(,)?) $pattern:tt $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms $default (send ($sender) ($value) $pattern) $($rest)+)
    };
    (@kind $mode:tt $arms:tt $default:tt readable ($made:expr $(,)?) $pattern:tt $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms $default
            (wait ($crate::__private::Readable(&$made)) $pattern) $($rest)+)
    };
    (@kind $mode:tt $arms:tt $default:tt writable ($made:expr $(,)?) $pattern:tt $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms $default
            (wait ($crate::__private::Writable(&$made)) $pattern) $($rest)+)
    };
    (@kind $mode:tt $arms:tt $default:tt join ($made:expr $(,)?) $pattern:tt $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms $default (wait ($made) $pattern) $($rest)+)
    };
    (@kind $mode:tt $arms:tt $default:tt wait ($made:expr $(,)?) $pattern:tt $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms $default (wait ($made) $pattern) $($rest)+)
    };
    (@kind $mode:tt $arms:tt $default:tt after ($made:expr $(,)?) $pattern:tt $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms $default
            (wait ($crate::Timer::after($made)) $pattern) $($rest)+)
    };
    (@kind $mode:tt $arms:tt $default:tt at ($made:expr $(,)?) $pattern:tt $($rest:tt)+) => {
        $crate::__select!(@body $mode $arms $default
            (wait ($crate::Timer::at($made)) $pattern) $($rest)+)
    };
    (@kind $mode:tt $arms:tt $default:tt $kind:ident $made:tt $pattern:tt $($rest:tt)+) => {
        ::core::compile_error!(::core::concat!(
            "select! has no arm `", ::core::stringify!($kind), ::core::stringify!($made),
            "`: there are recv, send, readable, writable, join, wait, after, at, default"
        ))
    };

    // The body: a block, or an expression and a comma.
    (@body $mode:tt $arms:tt $default:tt $what:tt $body:block, $($rest:tt)*) => {
        $crate::__select!(@add $mode $arms $default $what ($body) $($rest)*)
    };
    (@body $mode:tt $arms:tt $default:tt $what:tt $body:block $($rest:tt)*) => {
        $crate::__select!(@add $mode $arms $default $what ($body) $($rest)*)
    };
    (@body $mode:tt $arms:tt $default:tt $what:tt $body:expr, $($rest:tt)*) => {
        $crate::__select!(@add $mode $arms $default $what ($body) $($rest)*)
    };
    (@body $mode:tt $arms:tt $default:tt $what:tt $body:expr) => {
        $crate::__select!(@add $mode $arms $default $what ($body))
    };

    (@add $mode:tt $arms:tt () (default) ($body:expr) $($rest:tt)*) => {
        $crate::__select!(@parse $mode $arms ($body) $($rest)*)
    };
    (@add $mode:tt [$($arms:tt)*] $default:tt $what:tt $body:tt $($rest:tt)*) => {
        $crate::__select!(@parse $mode [$($arms)* {arm $what $body}] $default $($rest)*)
    };

    // All in one function: a `match`, so that what the arms are made of may be
    // temporaries. The arms are gone before a body runs.
    (@build ($rotates:tt) [$({$arm:ident $what:tt ($body:expr)})+] $default:tt) => {
        match ($($crate::__select!(@make $what),)+) {
            ($(mut $arm,)+) => {
                let turn = $crate::__private::Turn::begin(
                    0 $(+ $crate::__select!(@one $arm))+, $rotates);
                let mut chosen = ::core::option::Option::None;
                let mut number = 0_usize;
                $(
                    if number >= turn.start && chosen.is_none() && $crate::__private::Arm::poll(&$arm) {
                        chosen = ::core::option::Option::Some(number);
                    }
                    number += 1;
                )+
                number = 0;
                $(
                    if number < turn.start && chosen.is_none() && $crate::__private::Arm::poll(&$arm) {
                        chosen = ::core::option::Option::Some(number);
                    }
                    number += 1;
                )+
                let _ = number;
                let chosen = $crate::__select!(@wait turn chosen [$($arm)+] $default);
                $crate::__select!(@branches chosen (0_usize) [$($arm)+] [$({$arm $what ($body)})+] $default)
            }
        }
    };

    (@one $arm:ident) => { 1 };

    (@make (wait ($made:expr) $pattern:tt)) => { $crate::__private::into_arm($made) };
    (@make (send ($sender:expr) $value:tt $pattern:tt)) => { $crate::__private::send(&$sender) };

    // Without a default it waits.
    (@wait $turn:ident $chosen:ident [$($arm:ident)+] ()) => {
        match $chosen {
            ::core::option::Option::None => {
                ::core::option::Option::Some($turn.wait(&[$(&$arm),+]))
            }
            chosen => chosen,
        }
    };
    (@wait $turn:ident $chosen:ident $arms:tt ($default:expr)) => { $chosen };

    (@branches $chosen:ident ($number:expr) $all:tt [{$arm:ident $what:tt ($body:expr)} $($rest:tt)*] $default:tt) => {
        if $chosen == ::core::option::Option::Some($number) {
            $crate::__select!(@run $arm $all $what $body)
        } else {
            $crate::__select!(@branches $chosen ($number + 1) $all [$($rest)*] $default)
        }
    };
    (@branches $chosen:ident $number:tt [$($all:ident)+] [] ($default:expr)) => {{
        $crate::__private::done(($($all,)+));
        $default
    }};
    (@branches $chosen:ident $number:tt $all:tt [] ()) => {
        ::core::unreachable!("select! has chosen no arm")
    };

    (@run $arm:ident [$($all:ident)+] (wait $made:tt ($pattern:pat)) $body:expr) => {{
        let output = $arm.finish();
        $crate::__private::done(($($all,)+));
        let $pattern = output;
        $body
    }};
    (@run $arm:ident [$($all:ident)+] (send $sender:tt ($value:expr) ($pattern:pat)) $body:expr) => {{
        let value = $value;
        let output = $arm.finish(value);
        $crate::__private::done(($($all,)+));
        let $pattern = output;
        $body
    }};
}
