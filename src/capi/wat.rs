//! `stepwell_wat2wasm`: modules in the text format.

use super::plumbing::guard::or_error;
use super::plumbing::handles::stepwell_error_t;
use super::plumbing::own::{Out, Own, null};
use super::vecs::wasm_byte_vec_t;
use crate::wasm::wat2wasm;
use std::ffi::c_char;

/// Writes the binary of a module in the text format to `out`: `size` bytes of UTF-8, which need not end with a NUL. An
/// error says at which line and column the text is wrong. What is a binary already is written as it is. The binary is
/// not validated: that is done when it is compiled.
///
/// A library that was built without the feature `wat` gives `STEPWELL_ERROR_UNSUPPORTED` for every text.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wat2wasm(
    text: *const c_char,
    size: usize,
    out: Out<wasm_byte_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_wat2wasm", || {
        let out = out.check("out")?;
        if text.is_null() {
            return Err(null("text"));
        }
        // SAFETY: C says that so many bytes are there, and does not change them meanwhile.
        let binary = wat2wasm(unsafe { std::slice::from_raw_parts(text.cast(), size) })?;
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::bytes(&binary)) };
        Ok(())
    })
}
