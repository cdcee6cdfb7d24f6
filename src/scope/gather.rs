//! Running several jobs at once, and waiting for all of them.

use std::fmt;
use std::panic::Location;

use super::job::{Job, Waiting};
use super::supervise::supervise;
use super::tasks::{ScopedJoinHandle, no_result, scope};
use super::try_scope::try_scope;
use crate::awaitable::Awaitable;
use crate::error::JoinError;

/// A collection of jobs: an array, a `Vec`, or a tuple of up to eight.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be gathered",
    note = "gather takes an array, a `Vec`, or a tuple of closures or handles",
    note = "collect an iterator into a `Vec`, or use gather_limited"
)]
pub trait Gather {
    /// The outputs, in a collection of the same kind.
    type Output;

    /// The outputs and failures, in a collection of the same kind.
    type Settled;

    /// See [`gather`].
    fn gather(self) -> Self::Output;

    /// See [`gather_settled`].
    fn gather_settled(self) -> Self::Settled;
}

/// A collection of jobs that give a `Result`.
pub trait TryGather<E> {
    /// The values, in a collection of the same kind.
    type Values;

    /// See [`try_gather`].
    ///
    /// # Errors
    ///
    /// The first error.
    fn try_gather(self) -> Result<Self::Values, E>;
}

/// Runs several jobs at once, each as a task of its own, and returns their outputs in
/// the order of the jobs.
///
/// Jobs are closures, which may borrow, or handles of tasks.
///
/// ```
/// use greenroom::{gather, run};
///
/// run(|| {
///     let word = String::from("room");
///     let cubes = gather([3, 4, 5].map(|x| move || x * x * x));
///     assert_eq!(cubes, [27, 64, 125]);
///     let (n, upper) = gather((|| 8, || word.to_uppercase())); // different types
///     assert_eq!((n, &*upper), (8, "ROOM"));
///     assert!(gather(Vec::<fn() -> u8>::new()).is_empty());
/// });
/// ```
///
/// They are started in order. When one panics the others are cancelled and joined,
/// as in a [`scope`]; then the panic goes on. To run no more than so many at once, see
/// [`gather_limited`].
///
/// # Panics
///
/// With the first panic of a job; and on a plain thread.
///
/// # Scheduling
///
/// Waits until all have ended.
///
/// # Cancellation
///
/// When the caller is cancelled, so are the jobs; it unwinds when all have ended.
#[track_caller]
pub fn gather<G: Gather>(jobs: G) -> G::Output {
    jobs.gather()
}

/// Like [`gather`], for jobs that give a `Result`: the first error cancels the others
/// and is returned.
///
/// ```
/// use greenroom::{park, run, try_gather};
///
/// run(|| {
///     let all: Result<_, String> = try_gather((|| Ok(1), || Ok("two")));
///     assert_eq!(all, Ok((1, "two")));
///     let failed = try_gather((|| Ok(park()), || Err::<(), _>("no")));
///     assert_eq!(failed, Err("no"));
/// });
/// ```
///
/// # Errors
///
/// The error of the job that failed first. Later ones are told to
/// [`Config::on_unobserved`](crate::Config::on_unobserved).
///
/// # Panics
///
/// As [`gather`].
#[track_caller]
pub fn try_gather<E, G: TryGather<E>>(jobs: G) -> Result<G::Values, E> {
    jobs.try_gather()
}

/// Like [`gather`], but jobs fail alone: each gives its output, or how it failed.
///
/// ```
/// use greenroom::{gather_settled, run};
///
/// run(|| {
///     let (good, bad) = gather_settled((|| 5, || -> u32 { panic!("no") }));
///     assert_eq!(good.unwrap(), 5);
///     assert!(bad.unwrap_err().is_panic());
/// });
/// ```
///
/// # Panics
///
/// On a plain thread.
#[track_caller]
pub fn gather_settled<G: Gather>(jobs: G) -> G::Settled {
    jobs.gather_settled()
}

/// Like [`gather`] of a `Vec`, with at most `limit` jobs at once, at least one. Jobs
/// are taken from the iterator as there is room for them.
///
/// ```
/// use greenroom::{gather_limited, run};
///
/// run(|| {
///     let squares = gather_limited(2, (0..5).map(|n| move || n * n));
///     assert_eq!(squares, [0, 1, 4, 9, 16]);
/// });
/// ```
///
/// # Panics
///
/// As [`gather`].
#[track_caller]
pub fn gather_limited<J: Job>(limit: usize, jobs: impl IntoIterator<Item = J>) -> Vec<J::Output> {
    let place = Location::caller();
    scope(|s| {
        s.set_limit(limit);
        let children: Vec<_> = jobs
            .into_iter()
            .map(|job| s.spawn_at(place, move || job.run()))
            .collect();
        children.into_iter().map(|child| child.join()).collect()
    })
}

impl<J: Job> Gather for Vec<J> {
    type Output = Vec<J::Output>;
    type Settled = Vec<Result<J::Output, JoinError>>;

    #[track_caller]
    fn gather(self) -> Self::Output {
        gather_limited(usize::MAX, self)
    }

    #[track_caller]
    fn gather_settled(self) -> Self::Settled {
        let place = Location::caller();
        supervise(|s| {
            let children: Vec<_> = self
                .into_iter()
                .map(|job| s.spawn_at(place, move || job.run()))
                .collect();
            children.into_iter().map(|child| child.join()).collect()
        })
    }
}

impl<J: Job, const N: usize> Gather for [J; N] {
    type Output = [J::Output; N];
    type Settled = [Result<J::Output, JoinError>; N];

    #[track_caller]
    fn gather(self) -> Self::Output {
        let place = Location::caller();
        scope(|s| {
            self.map(|job| s.spawn_at(place, move || job.run()))
                .map(|child| child.join())
        })
    }

    #[track_caller]
    fn gather_settled(self) -> Self::Settled {
        let place = Location::caller();
        supervise(|s| {
            self.map(|job| s.spawn_at(place, move || job.run()))
                .map(|child| child.join())
        })
    }
}

impl<J, T, E> TryGather<E> for Vec<J>
where
    J: Job<Output = Result<T, E>>,
    E: fmt::Debug,
{
    type Values = Vec<T>;

    #[track_caller]
    fn try_gather(self) -> Result<Vec<T>, E> {
        // Not `join`: where a child has failed, it could only unwind.
        let place = Location::caller();
        let values: Vec<_> = try_scope(|s| {
            let children: Vec<_> = self
                .into_iter()
                .map(|job| s.spawn_at(place, move || job.run()))
                .collect();
            Ok(children
                .into_iter()
                .map(ScopedJoinHandle::try_join)
                .collect())
        })?;
        Ok(values.into_iter().map(value).collect())
    }
}

impl<J, T, E, const N: usize> TryGather<E> for [J; N]
where
    J: Job<Output = Result<T, E>>,
    E: fmt::Debug,
{
    type Values = [T; N];

    #[track_caller]
    fn try_gather(self) -> Result<[T; N], E> {
        let place = Location::caller();
        let values = try_scope(|s| {
            Ok(self
                .map(|job| s.spawn_at(place, move || job.run()))
                .map(ScopedJoinHandle::try_join))
        })?;
        Ok(values.map(value))
    }
}

/// The value of a job of a scope that has not failed.
fn value<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|_cancelled| no_result())
}

macro_rules! tuples {
    ($(($($name:ident $value:ident $place:tt),+))+) => {$(
        impl<$($name: Job),+> Gather for ($($name,)+) {
            type Output = ($($name::Output,)+);
            type Settled = ($(Result<$name::Output, JoinError>,)+);

            #[track_caller]
            fn gather(self) -> Self::Output {
                let place = Location::caller();
                scope(|s| {
                    let children = ($(s.spawn_at(place, move || self.$place.run()),)+);
                    ($(children.$place.join(),)+)
                })
            }

            #[track_caller]
            fn gather_settled(self) -> Self::Settled {
                let place = Location::caller();
                supervise(|s| {
                    let children = ($(s.spawn_at(place, move || self.$place.run()),)+);
                    ($(children.$place.join(),)+)
                })
            }
        }

        impl<Err, $($name, $value),+> TryGather<Err> for ($($name,)+)
        where
            $($name: Job<Output = Result<$value, Err>>,)+
            Err: fmt::Debug,
        {
            type Values = ($($value,)+);

            #[track_caller]
            fn try_gather(self) -> Result<Self::Values, Err> {
                let place = Location::caller();
                let values = try_scope(|s| {
                    let children = ($(s.spawn_at(place, move || self.$place.run()),)+);
                    Ok(($(children.$place.try_join(),)+))
                })?;
                Ok(($(value(values.$place),)+))
            }
        }

        impl<$($name: Awaitable),+> Awaitable for ($($name,)+) {
            type Output = ($($name::Output,)+);

            #[track_caller]
            fn wait(self) -> Self::Output {
                gather(($(Waiting(self.$place),)+))
            }
        }
    )+};
}

tuples! {
    (A TA 0)
    (A TA 0, B TB 1)
    (A TA 0, B TB 1, C TC 2)
    (A TA 0, B TB 1, C TC 2, D TD 3)
    (A TA 0, B TB 1, C TC 2, D TD 3, E TE 4)
    (A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5)
    (A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6)
    (A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7)
}

impl<A: Awaitable, const N: usize> Awaitable for [A; N] {
    type Output = [A::Output; N];

    #[track_caller]
    fn wait(self) -> Self::Output {
        gather(self.map(Waiting))
    }
}

impl<A: Awaitable> Awaitable for Vec<A> {
    type Output = Vec<A::Output>;

    #[track_caller]
    fn wait(self) -> Self::Output {
        gather_limited(usize::MAX, self.into_iter().map(Waiting))
    }
}
