//! Pages that are zero until they are written to: large tables, of which an instance mostly touches little.

use super::pages::{PAGE_SIZE, RW, check_page_size, round_up_to_page};
use super::system::{discard, map_anonymous, map_anonymous_at, unmap};
use crate::base::{Error, ErrorKind, Result};
use std::ptr::NonNull;

/// Readable and writable memory in whole pages, zero at first. What was not written to takes no memory.
#[derive(Debug)]
pub struct ZeroPages {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: memory without thread affinity; access to its bytes is by raw pointer and the users' concern.
unsafe impl Send for ZeroPages {}

impl ZeroPages {
    /// `bytes`, rounded up to whole pages; at least one.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for more than can be addressed, [`ErrorKind::System`] where the system refuses it.
    pub fn new(bytes: usize) -> Result<ZeroPages> {
        let len = round_up_to_page(bytes.max(1)).filter(|len| *len <= isize::MAX as usize);
        let len = len.ok_or_else(|| Error::new(ErrorKind::Limit, format!("cannot map {bytes} bytes")))?;
        check_page_size()?;
        let base = map_anonymous(len, RW).map_err(|error| error.context(format_args!("mapping {len} bytes")))?;
        // SAFETY: a successful mapping without a fixed address is never at null.
        Ok(ZeroPages { base: unsafe { NonNull::new_unchecked(base as *mut u8) }, len })
    }

    /// The first byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Makes whole pages of some zero again, and gives their memory back.
    ///
    /// # Safety
    /// They are of such pages, the caller's, and nobody holds a reference to what is in them.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where the system refuses it. What they hold then is not known.
    pub unsafe fn reset(start: NonNull<u8>, len: usize) -> Result<()> {
        let start = start.as_ptr() as usize;
        debug_assert!(start.is_multiple_of(PAGE_SIZE) && len.is_multiple_of(PAGE_SIZE));
        // SAFETY: the caller's promise.
        if unsafe { discard(start, len) } {
            return Ok(());
        }
        // Locked memory (mlockall) refuses to be given back. A fresh mapping in its place does the same.
        // SAFETY: as above.
        unsafe { map_anonymous_at(start, len, RW) }
    }
}

impl Drop for ZeroPages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and its owner is gone.
        unsafe { unmap(self.base.as_ptr() as usize, self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::faults;

    #[test]
    fn they_are_zero_at_first_and_after_a_reset() {
        let pages = ZeroPages::new(PAGE_SIZE + 1).unwrap();
        assert_eq!((pages.len(), ZeroPages::new(0).unwrap().len()), (2 * PAGE_SIZE, PAGE_SIZE));
        for refused in [false, true] {
            // SAFETY: of this length, and no other reference is held.
            let bytes = unsafe { std::slice::from_raw_parts_mut(pages.base().as_ptr(), pages.len()) };
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(7);
            let guard = refused.then(|| faults::fail_nth(1));
            // SAFETY: all of them, of which no reference is used any more.
            unsafe { ZeroPages::reset(pages.base(), pages.len()) }.unwrap();
            assert!(guard.is_none_or(|guard| guard.hit()));
        }
        // SAFETY: as above.
        let bytes = unsafe { std::slice::from_raw_parts(pages.base().as_ptr(), pages.len()) };
        assert!(bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn too_much_is_refused() {
        assert_eq!(ZeroPages::new(usize::MAX).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(ZeroPages::new(isize::MAX as usize - PAGE_SIZE).unwrap_err().kind(), ErrorKind::System);
        let guard = faults::fail_nth(1);
        assert_eq!(ZeroPages::new(1).unwrap_err().kind(), ErrorKind::System);
        assert!(guard.hit());
    }
}
