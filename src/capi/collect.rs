//! Giving back what no handle, linker or guest holds any more. Handles say what the host holds; this decides when to
//! look.

use super::plumbing::guard::{or_error, or_value};
use super::plumbing::handles::{stepwell_error_t, wasm_store_t};
use super::plumbing::own::{Own, borrow};
use crate::runtime::AsStore;

/// Gives back what nothing holds any more: instances with their memories, tables and globals, host functions (their
/// finalizers run), and foreign objects that no handle, no linker, and nothing else in the store leads to. A handle of
/// a function, memory, table or global of an instance holds the instance. Without this it is done from time to time,
/// when handles are deleted or objects made. Inside a callback of the store it is an error.
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

/// How many objects the store has: instances, memories, tables, globals and functions of the host, foreign objects;
/// what is to be collected included. 0 on failure.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_object_count(store: *const wasm_store_t) -> usize {
    or_value("stepwell_store_object_count", 0, || {
        // SAFETY: C passes a live store or NULL.
        Ok(unsafe { borrow(store, "store") }?.enter()?.as_store().usage().objects())
    })
}
