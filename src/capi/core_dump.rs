//! The state of a stopped store as a core dump.

use super::plumbing::guard::or_error;
use super::plumbing::handles::{stepwell_error_t, stepwell_stop_t};
use super::plumbing::own::{Out, Own};
use super::stop::with_stop_to_change;
use super::vecs::wasm_byte_vec_t;

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
