//! The state of a store as a core dump: at a stop, and at traps.

use super::plumbing::guard::or_error;
use super::plumbing::handles::{stepwell_error_t, stepwell_stop_t, wasm_store_t, wasm_trap_t};
use super::plumbing::own::{Out, Own, borrow};
use super::stop::with_stop_to_change;
use super::trap;
use super::vecs::wasm_byte_vec_t;
use crate::base::{Error, ErrorKind};

/// Writes the state of the stopped store to `out` as a core dump: a WebAssembly module in the format "Coredump" of the
/// tools of WebAssembly. It has all instances of the store with their memories and globals, and all frames with their
/// locals and operands, the innermost first. Stretches of zeros in memories are left out; locals and operands that are
/// vectors or references are told as missing, and globals that are references as null. An error with
/// `STEPWELL_ERROR_LIMIT` where memories have more than 1 GiB that is not zero.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_stop_core_dump(
    stop: *const stepwell_stop_t,
    out: Out<wasm_byte_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_stop_core_dump", || {
        let out = out.check("out")?;
        let dump = with_stop_to_change(stop.cast_mut(), |_, stop| stop.core_dump())?;
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::bytes(&dump)) };
        Ok(())
    })
}

/// Has each trap that leaves a guest of the store have a core dump, which `stepwell_trap_core_dump` gives, or ends
/// that. At first there are none, which costs nothing. The dump is made when the guest's frames have been left and
/// before anybody else comes to the store; it takes the time of reading all memories, and memory for what in them is
/// not zero. Where guests and host functions call each other, the innermost guest that traps leaves the dump, with the
/// frames of all, also if a host function then goes on without telling of the trap.
///
/// No debugger is needed. With one, frames of debug code have locals and operands in the dump; those of production code
/// have them told as missing, and their instance as unknown where the store has several of the module.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_core_dumps_set(
    store: *mut wasm_store_t,
    core_dumps: bool,
) -> Own<stepwell_error_t> {
    or_error("stepwell_store_core_dumps_set", || {
        // SAFETY: C passes a live store or NULL.
        unsafe { borrow(store, "store") }?.enter()?.set_core_dumps(core_dumps);
        Ok(())
    })
}

/// Writes the core dump that was made of a trap to `out`: as `stepwell_stop_core_dump` makes one, of the store as it
/// was when the guest trapped. An error with `STEPWELL_ERROR_STATE` where there is none: it was not asked for by
/// `stepwell_store_core_dumps_set`, the trap has left no guest, or a program has ended itself; one with
/// `STEPWELL_ERROR_LIMIT` where memories had more than 1 GiB that was not zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_trap_core_dump(
    trap: *const wasm_trap_t,
    out: Out<wasm_byte_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_trap_core_dump", || {
        // SAFETY: C passes a live trap or NULL.
        let (_, trap) = unsafe { trap::get(trap) }?;
        let out = out.check("out")?;
        let dump = match &trap.trap {
            Some(trap) => trap.core_dump()?,
            None => {
                return Err(Error::new(
                    ErrorKind::State,
                    "this is the error of a host function, which has no core dump",
                ));
            }
        };
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::bytes(dump)) };
        Ok(())
    })
}
