//! Pages of memory: reserving address space, making a part of it accessible, giving it back. Executable mappings are
//! made in `text` alone. Protection, and the size of pages, are the crate `region`'s; how address space is reserved and
//! given back differs from system to system.

use super::faults;
use super::system::{SealedFile, discard, map_anonymous, map_anonymous_at, protect_failed, unmap};
use crate::base::{Error, ErrorKind, Result};
use region::Protection;
use std::ops::Range;
use std::ptr::NonNull;

pub use super::system::address_space_limit;
pub use crate::isa::PAGE_SIZE;

/// Read and execute: the protection of code.
pub(super) const RX: Protection = Protection::READ_EXECUTE;
/// Read and write: the protection of pages being patched, and of the cell page.
pub(super) const RW: Protection = Protection::READ_WRITE;

/// Makes sure that the system's pages are no larger than ours, and divide them.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where they do not.
pub(super) fn check_page_size() -> Result<()> {
    let page = region::page::size();
    if PAGE_SIZE.is_multiple_of(page) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("the system has pages of {page} bytes; at most {PAGE_SIZE} will do"),
    ))
}

/// `bytes` rounded up to whole pages, or `None` on overflow.
pub const fn round_up_to_page(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(PAGE_SIZE)
}

/// Address space of our own, inaccessible until a part of it is made accessible. Dropping it unmaps it. What lies
/// behind the accessible part, and any guard reserved with it, faults on access.
#[derive(Debug)]
pub struct Reservation {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a reservation is memory without thread affinity; access to its bytes is by raw pointer and the users'
// concern.
unsafe impl Send for Reservation {}
// SAFETY: as above; every method that changes the mapping takes `&mut self`.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves `bytes`, rounded up to whole pages (guards included: reserve as much as is wanted). Nothing of it is
    /// accessible. Zero bytes make an empty reservation.
    pub fn new(bytes: usize) -> Result<Self> {
        Ok(Reservation::several(bytes, 1)?.pop().unwrap_or(Reservation { base: NonNull::dangling(), len: 0 }))
    }

    /// Reserves address space for `count` of them at once, one behind the other, which takes one call instead of many.
    pub fn several(bytes: usize, count: usize) -> Result<Vec<Reservation>> {
        let sizes = round_up_to_page(bytes).and_then(|len| Some((len, len.checked_mul(count)?)));
        let (len, all) = sizes.ok_or_else(|| {
            Error::new(ErrorKind::Limit, format!("cannot reserve {count} times {bytes} bytes of address space"))
        })?;
        if all == 0 {
            return Ok(Vec::new());
        }
        check_page_size()?;
        let start = map_anonymous(all, Protection::NONE)
            .map_err(|e| e.context(format_args!("reserving {all} bytes of address space")))?;
        // A successful mapping without a fixed address is never at null.
        Ok((0..count)
            .filter_map(|i| Some(Reservation { base: NonNull::new((start + i * len) as *mut u8)?, len }))
            .collect())
    }

    /// The first byte. Dangling (but aligned to nothing in particular) for an empty reservation.
    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Bytes reserved.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is reserved.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the pages of `range` readable and writable (zeros where never touched before). The bounds are page
    /// multiples.
    pub fn make_accessible(&mut self, range: Range<usize>) -> Result<()> {
        self.protect(range, RW)
    }

    /// Drops the private contents of pages: those of a file read as the file again, others as zeros. False where the
    /// system does not do that, as with locked memory (mlockall). The bounds are page multiples.
    pub(super) fn give_back(&mut self, range: Range<usize>) -> Result<bool> {
        self.check(&range)?;
        // SAFETY: the range was checked to lie in this reservation: private memory that nobody holds a Rust reference
        // to.
        Ok(range.is_empty() || unsafe { discard(self.base() as usize + range.start, range.len()) })
    }

    /// Puts pages in the place of those of `range` that are as they were when the space was reserved: inaccessible,
    /// with nothing in them. The bounds are page multiples.
    pub(super) fn forget(&mut self, range: Range<usize>) -> Result<()> {
        self.check(&range)?;
        if range.is_empty() {
            return Ok(());
        }
        // SAFETY: the range was checked to lie in this reservation, of which nobody holds Rust references.
        unsafe { map_anonymous_at(self.base() as usize + range.start, range.len(), Protection::NONE) }
    }

    /// Puts the pages of a file in the place of those of `range`, from `at` on: readable, and writable without anything
    /// reaching the file. False, and nothing done, where the host has closed the file. The bounds are page multiples.
    pub(super) fn map_copied(&mut self, range: Range<usize>, file: &SealedFile, at: usize) -> Result<bool> {
        self.check(&range)?;
        if range.is_empty() {
            return Ok(true);
        }
        // SAFETY: the range was checked to lie in this reservation, of which nobody holds Rust references.
        unsafe { file.map_copied_at(self.base() as usize + range.start, at, range.len()) }
    }

    fn protect(&mut self, range: Range<usize>, protection: Protection) -> Result<()> {
        self.check(&range)?;
        if range.is_empty() {
            return Ok(());
        }
        // SAFETY: the range was checked to lie in this reservation, of which nobody holds Rust references.
        unsafe { protect(self.base() as usize + range.start, range.len(), protection) }
    }

    fn check(&self, range: &Range<usize>) -> Result<()> {
        let aligned = range.start.is_multiple_of(PAGE_SIZE) && range.end.is_multiple_of(PAGE_SIZE);
        if aligned && range.start <= range.end && range.end <= self.len {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Argument,
            format!(
                "bytes {:#x}..{:#x} are no whole pages of a reservation of {:#x} bytes",
                range.start, range.end, self.len
            ),
        ))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.len != 0 {
            // SAFETY: the reservation is ours, whole, and its owner is gone.
            unsafe { unmap(self.base() as usize, self.len) };
        }
    }
}

/// Changes the protection of pages.
///
/// # Safety
/// The range belongs to the caller, and no access that the new protection forbids can be going on.
pub(super) unsafe fn protect(start: usize, len: usize, protection: Protection) -> Result<()> {
    // SAFETY: the caller's promise. The pages are whole, so that no others are touched.
    let change = || unsafe { region::protect(start as *const u8, len, protection) };
    if faults::fails() || change().is_err() {
        return Err(protect_failed());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_accessible_and_zero_again_after_reset() {
        let mut memory = Reservation::new(1 << 32).unwrap();
        assert_eq!(memory.len(), 1 << 32);
        memory.make_accessible(0..PAGE_SIZE * 2).unwrap();
        let last = memory.base().wrapping_add(PAGE_SIZE * 2 - 1);
        // SAFETY: two pages were made accessible.
        unsafe {
            assert_eq!(*last, 0);
            *last = 7;
        }
        assert!(memory.give_back(0..PAGE_SIZE * 2).unwrap());
        // SAFETY: as above.
        assert_eq!(unsafe { *last }, 0);
        // SAFETY: as above.
        unsafe { *last = 7 };
        memory.forget(PAGE_SIZE..PAGE_SIZE * 2).unwrap();
        memory.make_accessible(PAGE_SIZE..PAGE_SIZE * 2).unwrap();
        // SAFETY: the page is accessible again.
        assert_eq!(unsafe { *last }, 0);
    }

    #[test]
    fn ranges_outside_are_refused() {
        let mut memory = Reservation::new(PAGE_SIZE * 4).unwrap();
        assert!(memory.make_accessible(0..PAGE_SIZE * 5).is_err());
        assert!(memory.make_accessible(1..PAGE_SIZE).is_err());
        assert!(memory.make_accessible(PAGE_SIZE * 8..PAGE_SIZE * 9).is_err());
        memory.make_accessible(0..0).unwrap();
        assert!(Reservation::new(usize::MAX).is_err());
        let mut empty = Reservation::new(0).unwrap();
        assert!(empty.is_empty());
        empty.make_accessible(0..0).unwrap();
    }

    #[test]
    fn refusal_is_an_error() {
        let guard = faults::fail_nth(1);
        let error = Reservation::new(PAGE_SIZE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System);
        assert!(guard.hit());
        Reservation::new(PAGE_SIZE).unwrap();
    }
}
