//! `mmap`, `mremap`, `madvise`, and the limits of the process.
//!
//! The crate `region` makes anonymous mappings too, but counts them against what memory the system promises, and knows
//! neither files nor how to move a mapping or to give its contents back. Ours are made without that promise
//! (`MAP_NORESERVE`): pages that were writable once merge again with those that never were, and a memory that may grow
//! is no loss to others before it does.

use super::errors::last_error;
use super::exhausted::call_failed;
use crate::base::{Error, Result};
use crate::sys::faults;
use region::Protection;

/// A private anonymous mapping wherever the system likes; its address. Nothing is set aside for it (`MAP_NORESERVE`).
pub(in crate::sys) fn map_anonymous(len: usize, protection: Protection) -> Result<usize> {
    // SAFETY: without MAP_FIXED no existing mapping is touched.
    unsafe { map(0, len, protection, libc::MAP_ANONYMOUS, (-1, 0)) }
}

/// A private anonymous mapping at `start`, replacing what is there.
///
/// # Safety
/// The range belongs to the caller, and nothing of what it holds is needed any more.
pub(in crate::sys) unsafe fn map_anonymous_at(start: usize, len: usize, protection: Protection) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { map(start, len, protection, libc::MAP_ANONYMOUS | libc::MAP_FIXED, (-1, 0))? };
    Ok(())
}

/// `mmap`, private and without reserved swap, of what stands in the file from an offset on that is a page multiple.
///
/// # Safety
/// With `MAP_FIXED` in `flags`, the range belongs to the caller.
pub(super) unsafe fn map(
    start: usize,
    len: usize,
    protection: Protection,
    flags: libc::c_int,
    (file, at): (libc::c_int, usize),
) -> Result<usize> {
    if faults::fails() {
        return Err(call_failed("mmap", len));
    }
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_NORESERVE;
    // On this system the bits are those of `mmap`.
    let protection = protection.bits() as libc::c_int;
    // SAFETY: the caller's promise; without MAP_FIXED no existing mapping is touched.
    let address = unsafe { libc::mmap(start as *mut libc::c_void, len, protection, flags, file, at as libc::off_t) };
    if address == libc::MAP_FAILED {
        return Err(call_failed("mmap", len));
    }
    Ok(address as usize)
}

/// The error for a change of protection that the system has just refused.
#[cold]
pub(in crate::sys) fn protect_failed() -> Error {
    call_failed("mprotect", 0)
}

/// Puts a copy of these bytes, whole pages, executable in the place of those at `start`, which others may be executing:
/// they find, at each moment, the old ones or these. No lock is taken and nothing allocated. False where the system
/// refuses.
///
/// # Safety
/// The range belongs to the caller, and what is there is not needed.
pub(in crate::sys) unsafe fn put_executable_at(start: usize, bytes: &[u8]) -> bool {
    let (len, flags) = (bytes.len(), libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_ANONYMOUS);
    if faults::fails() {
        return false;
    }
    // SAFETY: a new mapping, which is written before anybody knows of it, and moved to a place that is the caller's.
    unsafe {
        let new = libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if new == libc::MAP_FAILED {
            return false;
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), new.cast(), len);
        let moves = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let done = libc::mprotect(new, len, libc::PROT_READ | libc::PROT_EXEC) == 0
            && libc::mremap(new, len, len, moves, start as *mut libc::c_void) != libc::MAP_FAILED;
        if !done {
            libc::munmap(new, len);
        }
        done
    }
}

/// Drops the private contents of pages: anonymous ones read as zeros again, those of a file as the file. Says whether
/// the system agreed (it does not for locked memory).
///
/// # Safety
/// The range belongs to the caller, and its private contents are not needed.
pub(in crate::sys) unsafe fn discard(start: usize, len: usize) -> bool {
    // SAFETY: the caller's promise.
    !faults::fails() && unsafe { libc::madvise(start as *mut libc::c_void, len, libc::MADV_DONTNEED) } == 0
}

/// Unmaps whole mappings. That needs no memory, so it does not fail; were it to, the mapping would merely stay.
///
/// # Safety
/// The range belongs to the caller and is not used any more.
pub(in crate::sys) unsafe fn unmap(start: usize, len: usize) {
    // SAFETY: the caller's promise.
    let result = unsafe { libc::munmap(start as *mut libc::c_void, len) };
    debug_assert_eq!(result, 0, "munmap of a mapping of our own");
}

/// Moves a mapping to the place of what is at `to`. If the system refuses, nothing has changed.
///
/// # Safety
/// Both ranges belong to the caller; what is at `to` is not needed.
pub(in crate::sys) unsafe fn move_mapping(from: usize, to: usize, len: usize) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { remap(from, to, len, 0) }
}

/// Why pages were not moved.
pub(in crate::sys) enum Unmoved {
    /// This system never does that.
    Never(Error),
    /// It does not with these: they are more than one mapping.
    InPieces(Error),
    /// For another reason.
    Failed(Error),
}

impl Unmoved {
    /// What the system said.
    pub(in crate::sys) fn into_error(self) -> Error {
        let (Unmoved::Never(error) | Unmoved::InPieces(error) | Unmoved::Failed(error)) = self;
        error
    }
}

/// Moves the pages of one mapping to another place, leaving the mapping, without its pages, behind.
///
/// # Safety
/// Both ranges belong to the caller; what is at `to` is not needed.
pub(in crate::sys) unsafe fn move_pages(from: usize, to: usize, len: usize) -> Result<(), Unmoved> {
    let outcome = match faults::swap_refused() {
        true => Err(call_failed("mremap", 0)),
        // SAFETY: the caller's promise.
        false => unsafe { remap(from, to, len, libc::MREMAP_DONTUNMAP) },
    };
    outcome.map_err(|error| match last_error() {
        libc::EINVAL => Unmoved::Never(error),
        libc::EFAULT => Unmoved::InPieces(error),
        _ => Unmoved::Failed(error),
    })
}

/// `mremap` to a place of the caller's.
///
/// # Safety
/// As [`move_mapping`].
unsafe fn remap(from: usize, to: usize, len: usize, flags: libc::c_int) -> Result<()> {
    let flags = flags | libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller's promise.
    let moved = !faults::fails()
        && unsafe { libc::mremap(from as *mut libc::c_void, len, len, flags, to as *mut libc::c_void) }
            != libc::MAP_FAILED;
    if moved { Ok(()) } else { Err(call_failed("mremap", 0)) }
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
