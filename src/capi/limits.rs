//! What ends guests that run too long: fuel, epochs and their deadlines, `stepwell_interrupt_t`.

use super::outcome::stepwell_outcome_t;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_abort, or_error};
use super::plumbing::handles::{stepwell_error_t, stepwell_interrupt_t, wasm_engine_t, wasm_store_t};
use super::plumbing::own::{Out, Own, borrow, handle, null};
use crate::runtime::Interrupter;
use std::ffi::c_void;
use std::sync::Arc;

handle!(stepwell_interrupt_t => Interrupter);

/// Asked whether a guest may go on: see `stepwell_store_ask_set`.
pub type stepwell_ask_callback_t =
    Option<unsafe extern "C-unwind" fn(env: *mut c_void, outcome: *mut stepwell_outcome_t)>;

/// Gives a store's guests so much fuel, in the place of what they had. Every instruction takes one unit, but for `nop`,
/// `block`, `loop`, `else` and `end`, which take none. Instructions that run one after the other are paid for together,
/// before the first of them. When a function or a turn of a loop begins and the fuel is used up, the guest traps with
/// `STEPWELL_TRAP_OUT_OF_FUEL`. Production and debug code count the same. A new store has none. At most 2^63 - 1 is
/// kept. An error where the engine was not configured with `stepwell_config_fuel_set`.
///
/// Also allowed in a host function and a stop callback.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_fuel_set(store: *mut wasm_store_t, fuel: u64) -> Own<stepwell_error_t> {
    or_error("stepwell_store_fuel_set", || {
        // SAFETY: C passes a live store or NULL.
        unsafe { borrow(store, "store") }?.enter()?.set_fuel(fuel)
    })
}

/// Writes the fuel that is left to `*out`. An error where the engine was not configured with
/// `stepwell_config_fuel_set`.
///
/// Also allowed in a host function and a stop callback.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_fuel_get(store: *const wasm_store_t, out: *mut u64) -> Own<stepwell_error_t> {
    or_error("stepwell_store_fuel_get", || {
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes a live store or NULL.
        let left = unsafe { borrow(store, "store") }?.enter()?.fuel()?;
        // SAFETY: `out` is C's.
        unsafe { out.write(left) };
        Ok(())
    })
}

/// Makes the engine's epoch one more. Guests whose deadline has come trap with `STEPWELL_TRAP_INTERRUPT` when they next
/// begin a function or a turn of a loop. Usually a thread of the host's does this at regular times.
///
/// Thread: any, async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_engine_epoch_increment(engine: *const wasm_engine_t) {
    or_abort("stepwell_engine_epoch_increment", || {
        // SAFETY: C passes a live engine or NULL.
        unsafe { borrow(engine, "engine") }?.increment_epoch();
        Ok(())
    });
}

/// Lets a store's guests run until the engine's epoch is `epochs` more than it is now; then, and with 0 at once, they
/// trap with `STEPWELL_TRAP_INTERRUPT`, until another deadline is set. A new store has no deadline. An error where the
/// engine was not configured with `stepwell_config_epoch_set`.
///
/// Also allowed in a host function and a stop callback.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_epoch_deadline_set(
    store: *mut wasm_store_t,
    epochs: u64,
) -> Own<stepwell_error_t> {
    or_error("stepwell_store_epoch_deadline_set", || {
        // SAFETY: C passes a live store or NULL.
        unsafe { borrow(store, "store") }?.enter()?.set_epoch_deadline(epochs)
    })
}

/// A new handle by which other threads end the store's guests. An error where the engine was not configured with
/// `stepwell_config_epoch_set`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_interrupt_new(
    store: *const wasm_store_t,
    out: Out<Own<stepwell_interrupt_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_interrupt_new", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live store or NULL.
        let interrupter = unsafe { borrow(store, "store") }?.enter()?.interrupter()?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(interrupter)) };
        Ok(())
    })
}

/// Deletes the handle. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_interrupt_delete(interrupt: Own<stepwell_interrupt_t>) {
    // SAFETY: C gives it back.
    unsafe { interrupt.delete("stepwell_interrupt_delete", "interrupt") }
}

/// Ends the guest that runs in the store with `STEPWELL_TRAP_INTERRUPT` when it next begins a function or a turn of a
/// loop, or while it waits for another thread (`memory.atomic.wait32`). If it is in a host function, that ends first.
/// If none runs, the next one is ended, unless `stepwell_store_interrupt_clear` is called before.
///
/// Thread: any, async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_interrupt_raise(interrupt: *const stepwell_interrupt_t) {
    or_abort("stepwell_interrupt_raise", || {
        // SAFETY: C passes a live handle or NULL.
        unsafe { borrow(interrupt, "interrupt") }?.interrupt();
        Ok(())
    });
}

/// Asks, by the callback of `stepwell_store_ask_set`, whether the guest that runs in the store may go on, when it next
/// begins a function or a turn of a loop, or waits, in WASI or for another thread. If it is in another host function,
/// that ends first; if none runs, the next one asks. Without such a callback it does nothing.
///
/// Thread: any, async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_interrupt_ask(interrupt: *const stepwell_interrupt_t) {
    or_abort("stepwell_interrupt_ask", || {
        // SAFETY: C passes a live handle or NULL.
        unsafe { borrow(interrupt, "interrupt") }?.ask();
        Ok(())
    });
}

/// Sets what says whether the store's guests may go on, once `stepwell_interrupt_ask` wants to know: it runs on the
/// guest's thread, which waits meanwhile. A trap in the outcome ends the guest, and so does an outcome that is not
/// done. It may read the store and change it, but calls of its guests are refused. An error where the engine was not
/// configured with `stepwell_config_epoch_set`. `finalizer(env)` runs when another callback is set, the store is gone,
/// or when this fails; it may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_ask_set(
    store: *mut wasm_store_t,
    callback: stepwell_ask_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_store_ask_set", move || {
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        // SAFETY: C registered the callback with this environment.
        let ask = move || stepwell_outcome_t::of("ask callback", |out| unsafe { callback(env.get(), out) }).map(drop);
        cell.enter()?.set_ask(Some(Arc::new(ask)))
    })
}

/// Takes back an interrupt that no guest of the store has found yet.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_interrupt_clear(store: *mut wasm_store_t) {
    or_abort("stepwell_store_interrupt_clear", || {
        // SAFETY: C passes a live store or NULL.
        unsafe { borrow(store, "store") }?.enter()?.clear_interrupt();
        Ok(())
    });
}
