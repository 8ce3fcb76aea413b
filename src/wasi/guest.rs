//! The calling guest's memory. Every pointer is checked; one that leads out of the memory is `EFAULT`.

use super::errno::{Errno, Failure};
use crate::base::{Error, ErrorKind};
use crate::runtime::{Blocked, Caller, Extern, Memory, WouldBlock};
use std::borrow::Cow;
use std::ops::Range;

/// As many bytes are read at once into a memory that other threads use.
const PIECE: usize = 1 << 16;

/// The memory of the guest that called.
pub(super) struct Guest<'a> {
    caller: Caller<'a>,
    memory: Memory,
    /// Whether other threads may use it meanwhile.
    is_shared: bool,
}

impl<'a> Guest<'a> {
    /// The memory that the caller exports as "memory".
    pub(super) fn new(mut caller: Caller<'a>, function: &str) -> Result<Guest<'a>, Error> {
        match caller.export("memory") {
            Some(Extern::Memory(memory)) => {
                let is_shared = memory.shared(&caller)?.is_some();
                Ok(Guest { caller, memory, is_shared })
            }
            _ => Err(Error::new(
                ErrorKind::Host,
                format!(
                    "WASI's `{function}` was called by a module that exports no memory named \"memory\"; it reads and \
                     writes its arguments there"
                ),
            )),
        }
    }

    /// Whether it can be ended while something is waited for, or a debugger be asked for.
    pub(super) fn can_be_ended(&self) -> bool {
        self.caller.looks_while_it_waits()
    }

    /// Ends it, if it would be ended as soon as it ran again: nothing more is to be waited for.
    pub(super) fn end_if_due(&mut self) -> Result<(), Failure> {
        Ok(self.caller.end_if_due()?)
    }

    /// Whether it is to be left where it would block: then [`Guest::leave_to_block`] is what the function returns.
    pub(super) fn may_wait(&self) -> bool {
        self.caller.may_wait()
    }

    /// What the function has said when it was left to block, if this is the same once more.
    pub(super) fn memo(&self) -> Option<u64> {
        self.caller.memo()
    }

    /// Has it wait for something on a stack that is left, unless it is to end: nothing has been done yet, and the
    /// function is called again.
    pub(super) fn leave_to_block(&mut self, on: Blocked, memo: u64) -> Failure {
        match self.end_if_due() {
            Ok(()) => Failure::Fatal(WouldBlock { on, memo }.into()),
            Err(failure) => failure,
        }
    }

    /// Whether there are `len` bytes at `at`.
    pub(super) fn check(&self, at: u32, len: u32) -> Result<Range<usize>, Failure> {
        let at = at as usize;
        let end = at.checked_add(len as usize).ok_or(Errno::Fault)?;
        match end <= self.memory.data_size(&self.caller)? {
            true => Ok(at..end),
            false => Err(Errno::Fault.into()),
        }
    }

    /// `len` bytes at `at`, to read: as they are, or, where other threads may write them, as they were.
    pub(super) fn bytes(&self, at: u32, len: u32) -> Result<Cow<'_, [u8]>, Failure> {
        let range = self.check(at, len)?;
        if !self.is_shared {
            return Ok(Cow::Borrowed(&self.memory.data(&self.caller)?[range]));
        }
        let mut copy = vec![0; range.len()];
        self.memory.read(&self.caller, range.start, &mut copy)?;
        Ok(Cow::Owned(copy))
    }

    /// The same, but no more than a piece of them is copied.
    pub(super) fn piece(&self, at: u32, len: u32) -> Result<Cow<'_, [u8]>, Failure> {
        let range = self.check(at, len)?;
        self.bytes(at, if self.is_shared { range.len().min(PIECE) as u32 } else { len })
    }

    /// Has `len` bytes at `at` be written, or as many of the first of them as `fill` says: themselves, or, where other
    /// threads may use them, a piece of others that are copied there.
    pub(super) fn fill(
        &mut self,
        at: u32,
        len: u32,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, Failure>,
    ) -> Result<usize, Failure> {
        self.fill_within((at, len), PIECE, fill)
    }

    /// The same, but a copy is as long as what is asked for, which no more of than is written takes memory.
    pub(super) fn fill_all(
        &mut self,
        at: u32,
        len: u32,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, Failure>,
    ) -> Result<usize, Failure> {
        self.fill_within((at, len), usize::MAX, fill)
    }

    fn fill_within(
        &mut self,
        (at, len): (u32, u32),
        most: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, Failure>,
    ) -> Result<usize, Failure> {
        let range = self.check(at, len)?;
        if !self.is_shared {
            return fill(&mut self.memory.data_mut(&mut self.caller)?[range]);
        }
        let mut piece = vec![0; range.len().min(most)];
        let done = fill(&mut piece)?;
        self.memory.write(&mut self.caller, range.start, &piece[..done])?;
        Ok(done)
    }

    fn array<const N: usize>(&mut self, at: u32) -> Result<[u8; N], Failure> {
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes(at, N as u32)?);
        Ok(out)
    }

    pub(super) fn read_u32(&mut self, at: u32) -> Result<u32, Failure> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    pub(super) fn write(&mut self, at: u32, from: &[u8]) -> Result<(), Failure> {
        let len = u32::try_from(from.len()).map_err(|_| Errno::Overflow)?;
        let range = self.check(at, len)?;
        self.memory.write(&mut self.caller, range.start, from)?;
        Ok(())
    }

    pub(super) fn write_u32(&mut self, at: u32, value: u32) -> Result<(), Failure> {
        self.write(at, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, at: u32, value: u64) -> Result<(), Failure> {
        self.write(at, &value.to_le_bytes())
    }

    /// The address and length that an `iovec` at `list` holds; the one with number `index`.
    pub(super) fn io_vector(&mut self, list: u32, index: u32) -> Result<(u32, u32), Failure> {
        let at = index.checked_mul(8).and_then(|offset| list.checked_add(offset)).ok_or(Errno::Fault)?;
        let length_at = at.checked_add(4).ok_or(Errno::Fault)?;
        Ok((self.read_u32(at)?, self.read_u32(length_at)?))
    }

    /// A path of the guest's.
    pub(super) fn path(&mut self, at: u32, len: u32) -> Result<String, Failure> {
        // The host's longest, its NUL counted; a longer one is not copied.
        if self.check(at, len)?.len() >= libc::PATH_MAX as usize {
            return Err(Errno::NameTooLong.into());
        }
        let bytes = self.bytes(at, len)?;
        let path = std::str::from_utf8(&bytes).map_err(|_| Errno::IllegalBytes)?;
        if path.contains('\0') {
            return Err(Errno::Invalid.into());
        }
        Ok(path.to_owned())
    }
}
