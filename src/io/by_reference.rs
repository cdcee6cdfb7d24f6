//! Types whose references can be read and written.
//!
//! A bound `&T: Read` on an impl for `&Async<T>` would make the compiler search for ever, in everybody's
//! code, wherever it does not know the type behind a reference yet. With a trait of `T` itself it stops at once.
//!
//! Must never: do anything but pass on.

use std::io::{IoSlice, IoSliceMut, Read, Result, Write};

/// `&T: Read`.
#[doc(hidden)]
pub trait ReadByReference {
    #[doc(hidden)]
    fn read_by_reference(&self, buf: &mut [u8]) -> Result<usize>;
    #[doc(hidden)]
    fn read_vectored_by_reference(&self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize>;
}

impl<T> ReadByReference for T
where
    for<'a> &'a T: Read,
{
    fn read_by_reference(&self, buf: &mut [u8]) -> Result<usize> {
        let mut source = self;
        source.read(buf)
    }

    fn read_vectored_by_reference(&self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let mut source = self;
        source.read_vectored(bufs)
    }
}

/// `&T: Write`.
#[doc(hidden)]
pub trait WriteByReference {
    #[doc(hidden)]
    fn write_by_reference(&self, buf: &[u8]) -> Result<usize>;
    #[doc(hidden)]
    fn write_vectored_by_reference(&self, bufs: &[IoSlice<'_>]) -> Result<usize>;
    #[doc(hidden)]
    fn flush_by_reference(&self) -> Result<()>;
}

impl<T> WriteByReference for T
where
    for<'a> &'a T: Write,
{
    fn write_by_reference(&self, buf: &[u8]) -> Result<usize> {
        let mut source = self;
        source.write(buf)
    }

    fn write_vectored_by_reference(&self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        let mut source = self;
        source.write_vectored(bufs)
    }

    fn flush_by_reference(&self) -> Result<()> {
        let mut source = self;
        source.flush()
    }
}
