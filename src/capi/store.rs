//! `wasm_store_t`, and the cell that all handles of a store share and keep it alive by.

use super::plumbing::cell::StoreCell;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_abort, or_error, or_last_error, or_null};
use super::plumbing::handles::{stepwell_error_t, wasm_engine_t, wasm_store_t};
use super::plumbing::own::{Own, borrow};
use crate::base::{Error, ErrorKind};
use crate::runtime::{AsStore, Engine, StoreLimits};
use std::ffi::c_void;
use std::sync::Arc;

/// A new, empty store of an engine.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_new(engine: *mut wasm_engine_t) -> Own<wasm_store_t> {
    or_null("wasm_store_new", || {
        // SAFETY: C passes a live engine or NULL.
        let engine = unsafe { borrow(engine, "engine") }?;
        if engine.config().signals {
            // It was possible when the engine was made; a system that refuses it now leaves what there is.
            let _ = Engine::renew_signal_handlers();
        }
        Ok(Own::new(StoreCell::new(engine)))
    })
}

/// Deletes the handle of a store; the store goes with the last handle of an object in it. NULL does nothing.
///
/// Refused while a call into the store is running, that is, inside a callback of it: the handle stays valid, and
/// `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_delete(store: Own<wasm_store_t>) {
    or_last_error("wasm_store_delete", || {
        if store.is_null() {
            return Ok(());
        }
        // SAFETY: C passes a live store.
        if unsafe { borrow(store.as_ptr(), "store") }?.in_use() {
            let message = "the store cannot be deleted inside a callback of it; the handle stays valid";
            return Err(Error::new(ErrorKind::State, message));
        }
        // SAFETY: C gives it back.
        unsafe { store.delete("wasm_store_delete", "store") };
        Ok(())
    });
}

/// Sets what a store may take: bytes of all memories together, elements of all tables together, instances. What was
/// taken already stays; what nothing holds any more makes room.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_limits_set(
    store: *mut wasm_store_t,
    memory_bytes: u64,
    table_elements: u64,
    instances: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_store_limits_set", || {
        // SAFETY: C passes a live store or NULL.
        let mut store = unsafe { borrow(store, "store") }?.enter()?;
        let others = store.limits();
        store.set_limits(StoreLimits { memory_bytes, table_elements, instances, ..others });
        Ok(())
    })
}

/// Sets how many calls on stacks of their own (`stepwell_call_t`) the store may have that were not deleted. As many as
/// there can be at first.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_call_limit_set(
    store: *mut wasm_store_t,
    calls: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_store_call_limit_set", || {
        // SAFETY: C passes a live store or NULL.
        let mut store = unsafe { borrow(store, "store") }?.enter()?;
        let others = store.limits();
        store.set_limits(StoreLimits { calls, ..others });
        Ok(())
    })
}

/// Sets how many bytes the structures and arrays may take that the store's guests make: what nobody can reach is
/// collected first, and where there is no room still, the guest traps. At first it is all that there can be, about
/// 4 GiB. What was taken already stays.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_heap_limit_set(store: *mut wasm_store_t, bytes: u64) -> Own<stepwell_error_t> {
    or_error("stepwell_store_heap_limit_set", || {
        // SAFETY: C passes a live store or NULL.
        let mut store = unsafe { borrow(store, "store") }?.enter()?;
        let others = store.limits();
        store.set_limits(StoreLimits { heap_bytes: bytes, ..others });
        Ok(())
    })
}

/// The bytes of what the store's guests have made and the last collection has left, and of all that was made since,
/// gaps between objects included.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_heap_bytes(store: *const wasm_store_t) -> u64 {
    or_abort("stepwell_store_heap_bytes", || {
        // SAFETY: C passes a live store or NULL.
        let store = unsafe { borrow(store, "store") }?.enter_to_look()?;
        Ok(AsStore::as_store(&store).usage().heap_bytes)
    })
}

/// Whether two handles are of the same store, as those of a caller, of a stop, and the host's own may be. False if one
/// is NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_same(a: *const wasm_store_t, b: *const wasm_store_t) -> bool {
    or_null("stepwell_store_same", || {
        // SAFETY: C passes live stores or NULL.
        let (a, b) = unsafe { (borrow(a, "a")?, borrow(b, "b")?) };
        Ok(Arc::ptr_eq(a, b))
    })
}

/// Whether an earlier panic or failure left the store unusable: calls fail, deleting works.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_is_poisoned(store: *const wasm_store_t) -> bool {
    // SAFETY: C passes a live store or NULL.
    or_null("stepwell_store_is_poisoned", || Ok(unsafe { borrow(store, "store") }?.enter()?.is_poisoned()))
}

/// Keeps something of the host's with a store, in the place of what was there. `finalizer(data)` runs once: when
/// something else is set (NULL too), when the store is gone, behind everything that was in it, or when this fails. It
/// may be NULL. Callbacks find it by the store they get (`stepwell_caller_data`, `stepwell_stop_store`).
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_data_set(
    store: *mut wasm_store_t,
    data: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let data = Env::new(data, finalizer);
    or_error("stepwell_store_data_set", move || {
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        let before = cell.host_data.set((), data);
        drop(before);
        Ok(())
    })
}

/// What the host keeps with a store; NULL if that is nothing. Whose it is, and how long it lives, is as before.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_data_get(store: *const wasm_store_t) -> *mut c_void {
    // SAFETY: C passes a live store or NULL.
    or_null("stepwell_store_data_get", || Ok(unsafe { borrow(store, "store") }?.host_data.get(&())))
}
