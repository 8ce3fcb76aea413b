//! Heap objects at stable addresses, and the names of the stores they belong to.

use std::cell::Cell;
use std::hash::Hash;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a [`Store`](crate::runtime::Store) for as long as the process lives. Handles carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(u64);

impl StoreId {
    /// The next store's.
    pub(in crate::runtime) fn next() -> StoreId {
        /// As many names are a thread's at a time, so that threads that make many stores do not wait for each other.
        const BLOCK: u64 = 256;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        thread_local! {
            /// The last name that was given. A multiple of `BLOCK` is the last of its block.
            static LAST: Cell<u64> = const { Cell::new(0) };
        }
        LAST.with(|last| {
            if last.get().is_multiple_of(BLOCK) {
                last.set(NEXT.fetch_add(BLOCK, Ordering::Relaxed));
            }
            last.set(last.get() + 1);
            StoreId(last.get())
        })
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// Names an event for as long as the process lives: frames that it has shown are looked up while it is being told, and
/// never later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId(u64);

/// What a store names its events from: a block of names at a time, which no other store has.
#[derive(Default)]
pub(in crate::runtime) struct EventIds(u64);

impl EventIds {
    const BLOCK: u64 = 1 << 32;

    /// The next event's.
    #[inline]
    pub(in crate::runtime) fn next(&mut self) -> EventId {
        if self.0.is_multiple_of(Self::BLOCK) {
            self.0 = Self::block();
        }
        self.0 += 1;
        EventId(self.0)
    }

    #[cold]
    fn block() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(Self::BLOCK, Ordering::Relaxed)
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
