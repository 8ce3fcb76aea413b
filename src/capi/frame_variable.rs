//! Variables of the source in a frame of a stop, as text.

use super::plumbing::guard::or_error;
use super::plumbing::handles::{stepwell_error_t, stepwell_frame_t};
use super::plumbing::own::{Out, Own, string};
use super::stop::{with_frame, with_frame_to_change};
use super::trap::wasm_message_t;
use super::vecs::wasm_byte_vec_t;
use std::ffi::c_char;

/// Writes to `text_out` what an expression comes to in a frame, in one line, and to `type_out`, which may be NULL, the
/// name of its type; both NUL-terminated (the NUL is counted in their size), and the caller's. `path` is a variable of
/// the source, or leads on from it (`p->x.y[3]`, `*p`, `&x`), or has C's operators on such, on registers (`$local0`,
/// `$stack0`, `$global0`, `$pc`), on memory (`i32[ADDRESS]`) and constants. It cannot assign or call. Names are those
/// at the frame's instruction, of the function that is innermost there if some are inlined; then static variables, then
/// enumerators. An error, and nothing written, where it is no expression, where nothing has a name that is in it, where
/// an operator does not fit its types, and where what is computed with cannot be read; `stepwell_error_columns` tells
/// where in the text. What the compiler has left out is no error by itself: the text says so.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_frame_evaluate(
    frame: *const stepwell_frame_t,
    path: *const c_char,
    text_out: Out<wasm_message_t>,
    type_out: Out<wasm_message_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_frame_evaluate", || {
        let text_out = text_out.check("text_out")?;
        // SAFETY: C passes a C string or NULL.
        let path = unsafe { string(path, "path") }?;
        let found = with_frame(frame, |_, frame| frame.evaluate(path))?;
        // SAFETY: both are C's.
        unsafe {
            if let Some(type_out) = type_out.optional() {
                type_out.write(wasm_byte_vec_t::text_nul(&found.type_name));
            }
            text_out.write(wasm_byte_vec_t::text_nul(&found.text));
        }
        Ok(())
    })
}

/// Gives what an expression leads to (see `stepwell_frame_evaluate`: a variable of the source, a register, a number in
/// memory) another value, with which the guest goes on: a number, a character, a truth value, a pointer or an
/// enumerator, which the expression `text` comes to in the same frame. An error, and nothing changed, for other types,
/// for a value that the type does not have, for what the compiler has left out, and where the variable is in a
/// local or an operand that cannot be changed: see `stepwell_frame_local_set`.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_frame_assign(
    frame: *const stepwell_frame_t,
    path: *const c_char,
    text: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_frame_assign", || {
        // SAFETY: C passes C strings or NULL.
        let (path, text) = unsafe { (string(path, "path")?, string(text, "text")?) };
        with_frame_to_change(frame, |_, stop, number| stop.assign(number, path, text))
    })
}
