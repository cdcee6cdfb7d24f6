//! What everything made of a [`Descriptor`](crate::io::descriptor::Descriptor) of std's has: conversions as std's types have them, and arms of
//! a `select!`.
//!
//! A macro, since the types differ in nothing here. A conversion into std's type first ends what runtimes
//! know of the descriptor and takes back the flag if it was set here; all go through that one.
//!
//! Must never: change a descriptor on its way in, or let one out that is still watched.

/// The conversions of `$ours`, a tuple of one `Descriptor<$std>`, which itself gives `From<$std>`.
macro_rules! conversions {
    ($ours:ident, $std:ty) => {
        impl std::fmt::Debug for $ours {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        /// Ends what runtimes know of the descriptor, which is as it was when it came.
        impl From<$ours> for $std {
            fn from(socket: $ours) -> Self {
                socket.0.into_std()
            }
        }

        impl crate::io::Watch for $ours {
            type Std = $std;

            fn watched(&self) -> crate::io::Watched<'_, $std> {
                crate::io::Watched(&self.0)
            }
        }

        impl crate::io::arms::Lend for $ours {
            type Lent = $std;

            fn lent(&self) -> &$std {
                self.0.std()
            }
        }

        /// Waiting without a read or write, and not waiting at all.
        impl $ours {
            /// Waits until a read is worth a try (of a listener, `accept`): there is something, or the end, or an error.
            ///
            /// It takes nothing, and limits of time do not count for it: use
            /// [`timeout`](crate::timeout). Somebody else may be faster.
            ///
            /// # Errors
            ///
            /// If the descriptor cannot be watched; while the task unwinds, if it would have to wait.
            ///
            /// # Scheduling
            ///
            /// As reading: it waits in the same line.
            ///
            /// # Cancellation
            ///
            /// Unwinds; nothing is lost.
            pub fn readable(&self) -> std::io::Result<()> {
                self.0.ready(crate::scheduler::io::Direction::Read)
            }

            /// Waits until a write is worth a try: there is room, or an error.
            ///
            /// # Errors
            ///
            /// As [`readable`](Self::readable).
            ///
            /// # Scheduling
            ///
            /// As writing: it waits in the same line.
            ///
            /// # Cancellation
            ///
            /// Unwinds; nothing is lost.
            pub fn writable(&self) -> std::io::Result<()> {
                self.0.ready(crate::scheduler::io::Direction::Write)
            }

            /// A view through which calls say `WouldBlock` instead of waiting, for code driven by
            /// events and for C libraries: see [`NonBlocking`](crate::io::NonBlocking).
            ///
            /// # Errors
            ///
            /// What the system says.
            pub fn nonblocking(&self) -> std::io::Result<crate::io::NonBlocking<'_, Self>> {
                crate::io::nonblocking(self)
            }
        }

        impl From<std::os::fd::OwnedFd> for $ours {
            fn from(fd: std::os::fd::OwnedFd) -> Self {
                <$std>::from(fd).into()
            }
        }

        impl From<$ours> for std::os::fd::OwnedFd {
            fn from(socket: $ours) -> Self {
                socket.0.into_std().into()
            }
        }

        impl std::os::fd::AsFd for $ours {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.0.std().as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $ours {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.0.std().as_raw_fd()
            }
        }

        impl std::os::fd::IntoRawFd for $ours {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                self.0.into_std().into_raw_fd()
            }
        }

        impl std::os::fd::FromRawFd for $ours {
            unsafe fn from_raw_fd(fd: std::os::fd::RawFd) -> Self {
                // SAFETY: the caller's duty is the same: the descriptor is open, and theirs to give away.
                unsafe { <$std>::from_raw_fd(fd) }.into()
            }
        }
    };
}

pub(super) use conversions;
