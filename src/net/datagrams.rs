//! Room for several datagrams, to be received by one call.
//!
//! Must never: show what an earlier call has received.

use std::fmt;
use std::iter::FusedIterator;
use std::net::SocketAddr;

use crate::sys::datagram::{Arrived, Scratch};

/// Room for several datagrams, filled by [`UdpSocket::recv_many`](super::UdpSocket::recv_many), and used again by
/// the next call.
///
/// ```
/// use greenroom::net::{Datagrams, UdpSocket};
///
/// greenroom::run(|| {
///     let near = UdpSocket::bind("127.0.0.1:0")?;
///     let far = UdpSocket::bind("127.0.0.1:0")?;
///     let to = far.local_addr()?;
///     assert_eq!(near.send_many(&[("one", to), ("two", to)])?, 2);
///
///     let mut datagrams = Datagrams::new(64, 1_500);
///     let mut all = Vec::new();
///     while all.len() < 2 {
///         far.recv_many(&mut datagrams)?;
///         for (data, from) in &datagrams {
///             assert_eq!(from, near.local_addr()?);
///             all.push(data.to_vec());
///         }
///     }
///     assert_eq!(all, [b"one", b"two"]);
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Datagrams {
    pub(super) buffer: Box<[u8]>,
    pub(super) size: usize,
    pub(super) arrived: Vec<Arrived>,
    pub(super) scratch: Scratch,
}

impl Datagrams {
    /// Room for `count` datagrams of up to `size` bytes each. What is longer is cut.
    ///
    /// No datagram is longer than 65,535 bytes; on most networks none is longer than 1,500.
    ///
    /// # Panics
    ///
    /// If there is room for nothing, or for more than memory has.
    #[must_use]
    pub fn new(count: usize, size: usize) -> Self {
        assert!(
            count > 0 && size > 0,
            "there must be room for at least one byte of one datagram"
        );
        let bytes = count.checked_mul(size);
        let bytes = bytes.expect("no memory has room for so many datagrams");
        let mut arrived = Vec::new();
        // A try first: where there is no memory for zeros, asking for them ends the process.
        Vec::<u8>::new()
            .try_reserve_exact(bytes)
            .and_then(|()| arrived.try_reserve_exact(count))
            .expect("no memory has room for so many datagrams");
        Self {
            buffer: vec![0; bytes].into_boxed_slice(),
            size,
            arrived,
            scratch: Scratch::default(),
        }
    }

    /// How many datagrams there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buffer.len() / self.size
    }

    /// How many there are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arrived.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// One of them, with its sender's address, in the order in which they came.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<(&[u8], SocketAddr)> {
        let (length, address) = *self.arrived.get(index)?;
        let slot = self.buffer.chunks_exact(self.size).nth(index)?;
        Some((&slot[..length], address))
    }

    /// All of them, each with its sender's address, in the order in which they came.
    pub fn iter(&self) -> DatagramsIter<'_> {
        DatagramsIter {
            datagrams: self,
            next: 0,
        }
    }
}

impl<'a> IntoIterator for &'a Datagrams {
    type Item = (&'a [u8], SocketAddr);
    type IntoIter = DatagramsIter<'a>;

    fn into_iter(self) -> DatagramsIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// The datagrams that were received: see [`Datagrams::iter`].
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing by themselves"]
pub struct DatagramsIter<'a> {
    datagrams: &'a Datagrams,
    next: usize,
}

impl<'a> Iterator for DatagramsIter<'a> {
    type Item = (&'a [u8], SocketAddr);

    fn next(&mut self) -> Option<Self::Item> {
        let datagram = self.datagrams.get(self.next)?;
        self.next += 1;
        Some(datagram)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.datagrams.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for DatagramsIter<'_> {}
impl FusedIterator for DatagramsIter<'_> {}
