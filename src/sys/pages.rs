//! Pages of memory: reserving address space, making a part of it accessible, giving it back. The thin layer
//! over `mmap`, `mprotect` and `madvise` that the rest of the room builds on. Executable mappings are
//! made in `text` alone.

use super::faults;
use crate::base::{Error, ErrorKind, Result};
use std::ops::Range;
use std::ptr::NonNull;

/// Bytes of a page. x86-64 has no other base page.
pub const PAGE_SIZE: usize = 4096;

/// Read and execute: the protection of code.
pub(super) const RX: libc::c_int = libc::PROT_READ | libc::PROT_EXEC;
/// Read and write: the protection of pages being patched, and of the cell page.
pub(super) const RW: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;

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

// SAFETY: a reservation is memory without thread affinity; access to its bytes is by raw pointer and the users' concern.
unsafe impl Send for Reservation {}
// SAFETY: as above; every method that changes the mapping takes `&mut self`.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves `bytes`, rounded up to whole pages (guards included: reserve as much as is wanted). Nothing of it is
    /// accessible. Zero bytes make an empty reservation.
    pub fn new(bytes: usize) -> Result<Self> {
        let len = round_up_to_page(bytes)
            .ok_or_else(|| Error::new(ErrorKind::Limit, format!("cannot reserve {bytes} bytes of address space")))?;
        if len == 0 {
            return Ok(Reservation { base: NonNull::dangling(), len });
        }
        let base = map_anonymous(len, libc::PROT_NONE)
            .map_err(|e| e.context(format_args!("reserving {len} bytes of address space")))?;
        // SAFETY: a successful mapping without a fixed address is never at null.
        let base = unsafe { NonNull::new_unchecked(base as *mut u8) };
        Ok(Reservation { base, len })
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

    /// Makes the pages of `range` readable and writable (zeros where never touched before). The bounds are page multiples.
    pub fn make_accessible(&mut self, range: Range<usize>) -> Result<()> {
        self.protect(range, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Makes the pages of `range` inaccessible and gives their memory back: made accessible again they are zero. The bounds
    /// are page multiples.
    pub fn make_inaccessible(&mut self, range: Range<usize>) -> Result<()> {
        self.reset_to_zero(range.clone())?;
        self.protect(range, libc::PROT_NONE)
    }

    /// Gives the memory of the pages of `range` back; they read as zeros afterwards. The bounds are page multiples.
    pub fn reset_to_zero(&mut self, range: Range<usize>) -> Result<()> {
        self.check(&range)?;
        if range.is_empty() {
            return Ok(());
        }
        let start = self.base() as usize + range.start;
        // SAFETY: the range was checked to lie in this reservation: anonymous memory that nobody holds a Rust reference to.
        if unsafe { discard(start, range.len()) } {
            return Ok(());
        }
        // Locked memory (mlockall) refuses to be given back. A fresh mapping in its place does the same.
        // SAFETY: as above; the mapping replaces pages of this reservation alone.
        unsafe { map_anonymous_at(start, range.len(), libc::PROT_NONE)? };
        self.protect(range, libc::PROT_READ | libc::PROT_WRITE)
    }

    fn protect(&mut self, range: Range<usize>, protection: libc::c_int) -> Result<()> {
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

/// How much address space the process may have, where that is limited.
pub fn address_space_limit() -> Option<u64> {
    limit(libc::RLIMIT_AS)
}

/// A limit of the process, where it has one.
pub(super) fn limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the place is of the type that the call fills in.
    let known = unsafe { libc::getrlimit(resource, &mut limit) } == 0;
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// A private anonymous mapping wherever the system likes; its address. Nothing is set aside for it (`MAP_NORESERVE`).
pub(super) fn map_anonymous(len: usize, protection: libc::c_int) -> Result<usize> {
    // SAFETY: without MAP_FIXED no existing mapping is touched.
    unsafe { map(0, len, protection, libc::MAP_ANONYMOUS, -1) }
}

/// A private anonymous mapping at `start`, replacing what is there.
///
/// # Safety
/// The range belongs to the caller, and nothing of what it holds is needed any more.
pub(super) unsafe fn map_anonymous_at(start: usize, len: usize, protection: libc::c_int) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { map(start, len, protection, libc::MAP_ANONYMOUS | libc::MAP_FIXED, -1)? };
    Ok(())
}

/// `mmap`, private and without reserved swap: pages that were writable once merge again with those that never were.
///
/// # Safety
/// With `MAP_FIXED` in `flags`, the range belongs to the caller.
pub(super) unsafe fn map(
    start: usize,
    len: usize,
    protection: libc::c_int,
    flags: libc::c_int,
    fd: libc::c_int,
) -> Result<usize> {
    // SAFETY: the caller's promise.
    unsafe { map_from(start, len, protection, flags, fd, 0) }
}

/// The same for what stands in the file from `at` on, which is a page multiple.
///
/// # Safety
/// As [`map`].
pub(super) unsafe fn map_from(
    start: usize,
    len: usize,
    protection: libc::c_int,
    flags: libc::c_int,
    fd: libc::c_int,
    at: usize,
) -> Result<usize> {
    if faults::fails() {
        return Err(Error::last_os_error("mmap"));
    }
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_NORESERVE;
    // SAFETY: the caller's promise; without MAP_FIXED no existing mapping is touched.
    let address = unsafe { libc::mmap(start as *mut libc::c_void, len, protection, flags, fd, at as libc::off_t) };
    if address == libc::MAP_FAILED {
        return Err(Error::last_os_error("mmap"));
    }
    Ok(address as usize)
}

/// Changes the protection of pages.
///
/// # Safety
/// The range belongs to the caller, and no access that the new protection forbids can be going on.
pub(super) unsafe fn protect(start: usize, len: usize, protection: libc::c_int) -> Result<()> {
    // SAFETY: the caller's promise.
    let change = || unsafe { libc::mprotect(start as *mut libc::c_void, len, protection) };
    if faults::fails() || change() != 0 {
        return Err(Error::last_os_error("mprotect"));
    }
    Ok(())
}

/// Drops the private contents of pages: anonymous ones read as zeros again, those of a file as the file. Says whether the
/// system agreed (it does not for locked memory).
///
/// # Safety
/// The range belongs to the caller, and its private contents are not needed.
pub(super) unsafe fn discard(start: usize, len: usize) -> bool {
    // SAFETY: the caller's promise.
    !faults::fails() && unsafe { libc::madvise(start as *mut libc::c_void, len, libc::MADV_DONTNEED) } == 0
}

/// Unmaps whole mappings. That needs no memory, so it does not fail; were it to, the mapping would merely stay.
///
/// # Safety
/// The range belongs to the caller and is not used any more.
pub(super) unsafe fn unmap(start: usize, len: usize) {
    // SAFETY: the caller's promise.
    let result = unsafe { libc::munmap(start as *mut libc::c_void, len) };
    debug_assert_eq!(result, 0, "munmap of a mapping of our own");
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
        memory.reset_to_zero(0..PAGE_SIZE * 2).unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { *last }, 0);
        // SAFETY: as above.
        unsafe { *last = 7 };
        memory.make_inaccessible(PAGE_SIZE..PAGE_SIZE * 2).unwrap();
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
