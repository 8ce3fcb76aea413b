//! What ends guests that run too long: fuel, epochs and their deadlines, `stepwell_interrupt_t`.

use super::outcome::stepwell_outcome_t;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_abort, or_error};
use super::plumbing::handles::{stepwell_error_t, stepwell_interrupt_t, wasm_engine_t, wasm_store_t};
use super::plumbing::own::{Out, Own, borrow, handle, null};
use crate::base::{Error, ErrorKind};
use crate::runtime::{AtDeadline, Growing, Growth, Interrupter};
use std::ffi::c_void;
use std::sync::Arc;

handle!(stepwell_interrupt_t => Interrupter);

/// Asked whether a guest may go on: see `stepwell_store_ask_set`.
pub type stepwell_ask_callback_t =
    Option<unsafe extern "C-unwind" fn(env: *mut c_void, outcome: *mut stepwell_outcome_t)>;

/// What becomes of a guest whose deadline is over. More may come.
#[repr(C)]
pub enum stepwell_at_deadline_enum {
    /// It ends with a trap, `STEPWELL_TRAP_INTERRUPT`.
    STEPWELL_AT_DEADLINE_END = 0,
    /// It goes on until the engine's epoch is so many further than it is then.
    STEPWELL_AT_DEADLINE_EXTEND = 1,
    /// It waits, if it was called by `stepwell_call_run`, which returns with `STEPWELL_CALL_AT_DEADLINE`. When it goes
    /// on with a deadline that is still over, it has until the next epoch. A guest that cannot wait ends with an error.
    STEPWELL_AT_DEADLINE_WAIT = 2,
}

/// Asked what becomes of a guest whose deadline is over: see `stepwell_store_at_deadline_set`. The outcome's value is
/// one of `enum stepwell_at_deadline_enum`; for `STEPWELL_AT_DEADLINE_EXTEND`, `*epochs` says by how many, which is
/// preset to 1, and 0 counts as that.
pub type stepwell_at_deadline_callback_t =
    Option<unsafe extern "C-unwind" fn(env: *mut c_void, epochs: *mut u64, outcome: *mut stepwell_outcome_t)>;

/// What is to become larger.
#[repr(C)]
pub enum stepwell_growing_enum {
    /// A memory, whose sizes are told in bytes.
    STEPWELL_GROWING_MEMORY = 0,
    /// A table, whose sizes are told in elements.
    STEPWELL_GROWING_TABLE = 1,
}

/// A memory or a table that is to be made, or to grow. The library makes it; more may be added at its end.
#[repr(C)]
pub struct stepwell_growth_t {
    /// Which of the two: one of `enum stepwell_growing_enum`.
    pub what: u32,
    /// Its size now; 0 where it is to be made.
    pub current: u64,
    /// Its size if it may.
    pub desired: u64,
    /// The most that its type lets it have; `UINT64_MAX` if that says nothing.
    pub maximum: u64,
}

/// Asked whether a memory or a table may become larger: see `stepwell_store_limiter_set`. The outcome's value is not 0
/// if it may. `growth` is borrowed.
pub type stepwell_limiter_callback_t = Option<
    unsafe extern "C-unwind" fn(env: *mut c_void, growth: *const stepwell_growth_t, outcome: *mut stepwell_outcome_t),
>;

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

/// Sets what says what becomes of a guest of the store whose deadline is over: it goes on, or it ends, which it does
/// without such a callback. It runs on the guest's thread, which waits meanwhile. A trap in the outcome ends the guest
/// with that trap, and so does an outcome that is not done, or that is none there is. It may read the store and change
/// it, but calls of its guests are refused. Behind an interrupt it is not asked. Threads that a program of the store
/// has begun (WASI) ask it about themselves, each on its own. An error where the engine was not configured with
/// `stepwell_config_epoch_set`. `finalizer(env)` runs when another callback is set, the store is gone, or when this
/// fails; it may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_at_deadline_set(
    store: *mut wasm_store_t,
    callback: stepwell_at_deadline_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    const END: u64 = stepwell_at_deadline_enum::STEPWELL_AT_DEADLINE_END as u64;
    const EXTEND: u64 = stepwell_at_deadline_enum::STEPWELL_AT_DEADLINE_EXTEND as u64;
    const WAIT: u64 = stepwell_at_deadline_enum::STEPWELL_AT_DEADLINE_WAIT as u64;
    let env = Env::new(env, finalizer);
    or_error("stepwell_store_at_deadline_set", move || {
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        let ask = move || {
            let mut epochs = 1;
            // SAFETY: C registered the callback with this environment.
            let call = |outcome| unsafe { callback(env.get(), &raw mut epochs, outcome) };
            match stepwell_outcome_t::of("deadline callback", call)? {
                END => Ok(AtDeadline::End),
                EXTEND => Ok(AtDeadline::Extend(epochs)),
                WAIT => Ok(AtDeadline::Wait),
                other => Err(Error::new(
                    ErrorKind::Host,
                    format!(
                        "the deadline callback answered {other}, which is none of `enum stepwell_at_deadline_enum`"
                    ),
                )),
            }
        };
        cell.enter()?.set_at_deadline(Some(Arc::new(ask)))
    })
}

/// Sets what says whether a memory or a table of the store may be made, or grow, whoever wants that: a guest's
/// instruction yields -1 where it may not, and everything else fails with `STEPWELL_ERROR_LIMIT`. It is asked for each
/// memory and table of an instance before that is made, and for what the type allows; `stepwell_store_limits_set` holds
/// besides, and so does what the system has. It is not told what is given back: `current` says how large the memory or
/// table is now.
///
/// It runs before anything is changed, on the thread that uses the store. A trap in the outcome ends the guest's call
/// with that trap, or fails the host's, and so does an outcome that is not done. It may read the store and change it,
/// but calls of its guests are refused, and so is all that would ask it again: memories and tables are neither made nor
/// grow meanwhile. Threads that a program of the store has begun (WASI) ask it, too, each on its own. Memories that
/// stores share ask the limiter of the store by which they grow; `stepwell_sharedmemory_grow` asks nobody.
///
/// `finalizer(env)` runs when another callback is set, the store is gone, or when this fails; it may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_limiter_set(
    store: *mut wasm_store_t,
    callback: stepwell_limiter_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_store_limiter_set", move || {
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        let ask = move |growth: &Growth| {
            let told = stepwell_growth_t {
                what: match growth.of {
                    Growing::Memory => stepwell_growing_enum::STEPWELL_GROWING_MEMORY,
                    Growing::Table => stepwell_growing_enum::STEPWELL_GROWING_TABLE,
                } as u32,
                current: growth.current,
                desired: growth.desired,
                maximum: growth.maximum.unwrap_or(u64::MAX),
            };
            // SAFETY: C registered the callback with this environment.
            let call = |outcome| unsafe { callback(env.get(), &raw const told, outcome) };
            Ok(stepwell_outcome_t::of("limiter", call)? != 0)
        };
        cell.enter()?.set_limiter(Some(Arc::new(ask)));
        Ok(())
    })
}
