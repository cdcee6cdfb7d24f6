//! Return codes of the C library, turned into `io::Result`.
//!
//! Nearly every call this room makes says "failed" with -1 and puts the reason into `errno`.
//! That is read in one place, here, so that no caller can forget to look. The `unsafe` call itself
//! stays at the call site, in sight of its `SAFETY` comment.
//!
//! Must never: make a system call of its own, or swallow an error other than `EINTR`.

use std::io;

/// An integer in which the C library reports failure as -1.
pub(crate) trait ReturnCode: Copy {
    /// Whether this value says that the call failed.
    fn is_failure(self) -> bool;
}

macro_rules! return_codes {
    ($($integer:ty)*) => {$(
        impl ReturnCode for $integer {
            fn is_failure(self) -> bool {
                self == -1
            }
        }
    )*};
}

// `c_int` is i32, `ssize_t` is isize, and `c_long` is i32 or i64.
return_codes! { i32 i64 isize }

/// The value a call returned, or the error it left in `errno`.
///
/// To be called right after the system call, before anything else can change `errno`.
pub(crate) fn check<T: ReturnCode>(returned: T) -> io::Result<T> {
    if returned.is_failure() {
        Err(io::Error::last_os_error())
    } else {
        Ok(returned)
    }
}

/// Like [`check`], but makes the call again as often as a signal interrupts it.
///
/// Only for calls that start anew without harm: not for waits with a time limit, whose limit would
/// start anew too.
#[cfg(all(feature = "runtime", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) fn retry<T: ReturnCode>(mut call: impl FnMut() -> T) -> io::Result<T> {
    loop {
        match check(call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(all(test, feature = "runtime", any(reactor = "epoll", reactor = "kqueue")))]
#[path = "interrupts.rs"]
pub(super) mod interrupts;

#[cfg(all(test, feature = "runtime", any(reactor = "epoll", reactor = "kqueue")))]
mod tests {
    use std::io;

    use super::{check, retry};

    #[test]
    fn only_minus_one_is_a_failure() {
        assert_eq!(check(0_i32).unwrap(), 0);
        assert_eq!(check(7_isize).unwrap(), 7);
        assert_eq!(check(-2_i64).unwrap(), -2);
        assert!(check(-1_i32).is_err());
    }

    #[test]
    fn retry_gives_other_errors_back() {
        let mut calls = 0;
        let result = retry(|| {
            calls += 1;
            // Leaves `ENOENT` in `errno`.
            assert!(std::fs::File::open("/there is no such file").is_err());
            -1_i32
        });
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(calls, 1);
    }
}
