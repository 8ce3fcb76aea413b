//! Giving back what no handle, linker or guest holds any more. Handles say what the host holds; this decides when to look.

use super::error::stepwell_error_t;
use super::guard::or_error;
use super::own::{Own, borrow};
use super::store::{Entered, StoreCell, wasm_store_t};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{AsStore, Root, Rooted, StoreMut};

impl StoreCell {
    /// Keeps an object of the store from being collected. An object of another store is nothing to keep here.
    pub(super) fn hold(&self, root: Root) -> Rooted {
        self.roots().hold(root)
    }

    /// Says that something has become garbage of which there was no handle.
    pub(super) fn note_garbage(&self) {
        self.roots().note_garbage();
    }

    /// Collects, if that is worth its while and nobody is inside: else whoever enters next does.
    #[inline]
    pub(super) fn collect_if_due(&self) {
        if self.roots().is_due() {
            self.collect_now();
        }
    }

    #[cold]
    fn collect_now(&self) {
        // A thread that only deletes handles leaves it to the one that uses the store, and does not get in its way.
        if !self.in_use() && self.was_last_used_here() && !std::thread::panicking() {
            // Entering does it. On another thread someone may be faster, and then he does.
            drop(self.enter());
        }
    }
}

impl Entered<'_> {
    /// Collects, unless someone is inside who waits for this call.
    #[cold]
    pub(super) fn collect_if_outermost(&mut self) {
        // A store that cannot be collected from is poisoned: it is to be deleted.
        if !self.is_nested() && self.collect_garbage().is_err() {
            self.cell().roots().put_off();
        }
    }

    /// Collects. Destructors run in here, so that what they delete is left to the next time.
    fn collect_garbage(&mut self) -> Result<usize> {
        if self.is_nested() {
            return Err(Error::new(
                ErrorKind::State,
                "the store is in use: inside a callback of it nothing can be collected; that is done later by itself",
            ));
        }
        // SAFETY: nobody else is inside the store, so no host function of it is running; all handles that C has are rooted, and so
        // is what its linkers have. Host functions of this room capture no handles.
        let collected = unsafe { self.collect([]) }?;
        let count = collected.objects();
        drop(collected);
        Ok(count)
    }

    /// Makes an object. Where much memory is taken, or there is no room, what nothing holds is given back first.
    pub(super) fn with_room<T>(&mut self, mut make: impl FnMut(&mut StoreMut<'_>) -> Result<T>) -> Result<T> {
        if self.is_nested() {
            return make(self);
        }
        let bytes = self.as_store().usage().memory_bytes;
        if self.as_store().roots().is_due_with(bytes) {
            self.collect_garbage()?;
        }
        match make(self) {
            Err(_) if self.lacked_room() && self.collect_garbage()? > 0 => make(self),
            outcome => outcome,
        }
    }
}

/// Gives back what nothing holds any more: instances with their memories, tables and globals, host functions (their
/// finalizers run), and foreign objects that no handle, no linker, and nothing else in the store leads to. A handle of a
/// function, memory, table or global of an instance holds the instance. Without this it is done from time to time, when handles are deleted or objects
/// made. Inside a callback of the store it is an error.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_collect(store: *mut wasm_store_t) -> Own<stepwell_error_t> {
    or_error("stepwell_store_collect", || {
        // Finalizers may delete the handle.
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?.clone();
        let mut store = cell.enter()?;
        store.collect_garbage().map(drop)
    })
}

/// How many objects the store has: instances, memories, tables, globals and functions of the host, foreign objects; what is to be
/// collected included. 0 on failure.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_object_count(store: *const wasm_store_t) -> usize {
    let mut count = 0;
    super::guard::or_last_error("stepwell_store_object_count", || {
        // SAFETY: C passes a live store or NULL.
        count = unsafe { borrow(store, "store") }?.enter()?.as_store().usage().objects();
        Ok(())
    });
    count
}
