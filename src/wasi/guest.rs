//! The calling guest's memory. Every pointer is checked; one that leads out of the memory is `EFAULT`.

use super::errno::{Errno, Failure};
use crate::base::{Error, ErrorKind};
use crate::runtime::{Caller, Extern, Memory};

/// The memory of the guest that called.
pub(super) struct Guest<'a> {
    caller: Caller<'a>,
    memory: Memory,
}

impl<'a> Guest<'a> {
    /// The memory that the caller exports as "memory".
    pub(super) fn new(mut caller: Caller<'a>, function: &str) -> Result<Guest<'a>, Error> {
        match caller.export("memory") {
            Some(Extern::Memory(memory)) => Ok(Guest { caller, memory }),
            _ => Err(Error::new(
                ErrorKind::Host,
                format!(
                    "WASI's `{function}` was called by a module that exports no memory named \"memory\"; it reads and \
                     writes its arguments there"
                ),
            )),
        }
    }

    /// Whether it can be ended while something is waited for.
    pub(super) fn can_be_ended(&self) -> bool {
        self.caller.deadline_is_over().is_some()
    }

    /// Ends it, if it would be ended as soon as it ran again: nothing more is to be waited for.
    pub(super) fn end_if_due(&mut self) -> Result<(), Failure> {
        Ok(self.caller.end_if_due()?)
    }

    /// `len` bytes at `at`.
    pub(super) fn bytes(&mut self, at: u32, len: u32) -> Result<&mut [u8], Failure> {
        let data = self.memory.data_mut(&mut self.caller)?;
        let at = at as usize;
        let end = at.checked_add(len as usize).ok_or(Errno::Fault)?;
        Ok(data.get_mut(at..end).ok_or(Errno::Fault)?)
    }

    fn array<const N: usize>(&mut self, at: u32) -> Result<[u8; N], Failure> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(at, N as u32)?);
        Ok(out)
    }

    pub(super) fn read_u32(&mut self, at: u32) -> Result<u32, Failure> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    pub(super) fn write(&mut self, at: u32, from: &[u8]) -> Result<(), Failure> {
        let len = u32::try_from(from.len()).map_err(|_| Errno::Overflow)?;
        self.bytes(at, len)?.copy_from_slice(from);
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
        let bytes = self.bytes(at, len)?;
        // The host's longest, its NUL counted; a longer one is not copied.
        if bytes.len() >= libc::PATH_MAX as usize {
            return Err(Errno::NameTooLong.into());
        }
        let path = std::str::from_utf8(bytes).map_err(|_| Errno::IllegalBytes)?;
        if path.contains('\0') {
            return Err(Errno::Invalid.into());
        }
        Ok(path.to_owned())
    }
}
