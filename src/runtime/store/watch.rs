//! Where guests are left and go on, so that what is watched of a store's memories is protected while guest code runs,
//! and only then. Whoever enters or leaves guest code asks first whether anything is watched at all: one look at a
//! flag.

use crate::base::Result;
use crate::runtime::store::inner::StoreInner;
use std::ptr::NonNull;

/// Allows all accesses: the guest is left. Whether they were not.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn lift(store: NonNull<StoreInner>) -> Result<bool> {
    // SAFETY: the caller's promise.
    match unsafe { &mut (*store.as_ptr()).memory_watch } {
        Some(watch) => watch.lift(),
        None => Ok(false),
    }
}

/// Protects what is watched: the guest goes on.
///
/// # Safety
/// As [`lift`].
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn protect(store: NonNull<StoreInner>) -> Result<()> {
    // SAFETY: the caller's promise.
    match unsafe { &mut (*store.as_ptr()).memory_watch } {
        Some(watch) => watch.protect(),
        None => Ok(()),
    }
}

/// The guest stands at a stop, or has been left for the host: it does not go on quietly any more.
///
/// # Safety
/// As [`lift`].
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn end_quiet(store: NonNull<StoreInner>) {
    // SAFETY: the caller's promise.
    if let Some(watch) = unsafe { &mut (*store.as_ptr()).memory_watch } {
        watch.quiet = false;
    }
}
