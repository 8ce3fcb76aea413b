//! Heap objects at stable addresses, and the names of the stores they belong to.

use std::hash::Hash;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a [`Store`](crate::runtime::Store) for as long as the process lives. Handles carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(u64);

impl StoreId {
    /// The next store's.
    pub(in crate::runtime) fn next() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        StoreId(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// Names an event for as long as the process lives: frames that it has shown are looked up while it is being told, and
/// never later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    store: StoreId,
    number: u64,
}

impl EventId {
    /// That of a store's event of this number.
    #[inline]
    pub(in crate::runtime) fn new(store: StoreId, number: u64) -> EventId {
        EventId { store, number }
    }
}

/// A heap object at a stable address, known by pointers: what a `Box` would be if moving it did not invalidate them.
pub(in crate::runtime) struct Owned<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Owned<T> {
    pub(in crate::runtime) fn new(value: Box<T>) -> Self {
        // SAFETY: a box is never null.
        Owned(unsafe { NonNull::new_unchecked(Box::into_raw(value)) })
    }

    pub(in crate::runtime) fn ptr(&self) -> NonNull<T> {
        self.0
    }
}

impl<T: ?Sized> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made from a box; its one owner is here.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
