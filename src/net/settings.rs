//! What std's sockets have in common: duplicates, time limits, errors that wait, `set_nonblocking`.
//!
//! Macros, since the types differ in nothing here but their names.
//!
//! Must never: wait.

/// The methods every socket has. `$ours` is a tuple of one `Descriptor` of std's socket.
macro_rules! socket {
    ($ours:ident, $address:ty) => {
        impl $ours {
            /// The address of this side.
            ///
            /// # Errors
            ///
            /// What the system says.
            pub fn local_addr(&self) -> std::io::Result<$address> {
                self.0.std().local_addr()
            }

            /// A second handle of the same socket, with a descriptor of its own. What is set on one holds for both.
            ///
            /// # Errors
            ///
            /// If the process has no descriptor left.
            pub fn try_clone(&self) -> std::io::Result<Self> {
                let duplicate = self.0.std().try_clone()?;
                Ok(Self(self.0.duplicated(duplicate)))
            }

            /// Fetches and clears the error that waits in the socket.
            ///
            /// # Errors
            ///
            /// If it cannot be asked.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.0.std().take_error()
            }

            /// Makes calls return `WouldBlock` instead of waiting, or wait again.
            ///
            /// As in std it holds for all handles of the socket, and it sets or clears `O_NONBLOCK`. While it is
            /// on, the socket's calls never let another task run.
            ///
            /// # Errors
            ///
            /// What the system says.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.0.std().set_nonblocking(nonblocking)?;
                self.0.set_never_waits(nonblocking);
                Ok(())
            }
        }
    };
}

/// How long a call may wait, and the conversion from std's socket, which may have such limits.
macro_rules! time_limits {
    ($ours:ident, $std:ty) => {
        impl $ours {
            /// Sets how long a call that receives may wait; `None` is for ever.
            ///
            /// The limit holds for each call by itself, and for all handles of the socket; a call that waits
            /// already keeps the limit it began with. It is a property of the socket, as in std: it is still
            /// there after a conversion to std's type. At the limit a call gives `TimedOut`, on every system.
            ///
            /// # Errors
            ///
            /// `InvalidInput` for a limit of zero.
            pub fn set_read_timeout(
                &self,
                dur: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.0.std().set_read_timeout(dur)?;
                self.0.set_limit(crate::scheduler::io::Direction::Read, dur);
                Ok(())
            }

            /// Sets how long a call that sends may wait; `None` is for ever. As
            /// [`set_read_timeout`](Self::set_read_timeout).
            ///
            /// # Errors
            ///
            /// `InvalidInput` for a limit of zero.
            pub fn set_write_timeout(
                &self,
                dur: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.0.std().set_write_timeout(dur)?;
                self.0
                    .set_limit(crate::scheduler::io::Direction::Write, dur);
                Ok(())
            }

            /// How long a call that receives may wait.
            ///
            /// # Errors
            ///
            /// None. It returns a `Result` because std's does.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.0.limit(crate::scheduler::io::Direction::Read))
            }

            /// How long a call that sends may wait.
            ///
            /// # Errors
            ///
            /// None. It returns a `Result` because std's does.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.0.limit(crate::scheduler::io::Direction::Write))
            }
        }

        /// Changes nothing of the descriptor. Time limits that were set stay in force; `O_NONBLOCK` is left as it is,
        /// and does not keep calls from waiting.
        impl From<$std> for $ours {
            fn from(socket: $std) -> Self {
                let socket = crate::io::descriptor::Descriptor::new(socket);
                let limits = [
                    (
                        crate::scheduler::io::Direction::Read,
                        socket.std().read_timeout(),
                    ),
                    (
                        crate::scheduler::io::Direction::Write,
                        socket.std().write_timeout(),
                    ),
                ];
                for (direction, limit) in limits {
                    socket.set_limit(direction, limit.unwrap_or(None));
                }
                Self(socket)
            }
        }
    };
}

pub(super) use {socket, time_limits};
