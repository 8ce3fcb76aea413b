//! Values of type `v128` as C makes them, and looks at them.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::own::{Out, null, plain};
use super::plumbing::v128;
use super::val::{wasm_val_t, wasm_val_union_t};
use super::valtype::kind_of;
use crate::base::{Error, ErrorKind, ValType};

/// Writes a `v128` of these 16 bytes, lane 0 first, to `out`, which owns a copy of them: `wasm_val_delete` frees it. So
/// are results of host functions made. What is only passed can be lent: `STEPWELL_V128_VAL`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_val_new_v128(bytes: *const u8, out: Out<wasm_val_t>) {
    or_abort("stepwell_val_new_v128", || {
        let out = out.check("out")?;
        // SAFETY: C passes 16 bytes or NULL.
        let bytes = unsafe { bytes.cast::<v128::Bytes>().as_ref() }.ok_or_else(|| null("bytes"))?;
        let of = wasm_val_union_t { r#ref: v128::owned(*bytes) };
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_val_t { kind: kind_of(ValType::V128), of }) };
        Ok(())
    });
}

/// The 16 bytes of a `v128`, lane 0 first, borrowed from the value. NULL for a value of another kind;
/// `stepwell_last_error()` says so.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_val_v128(val: *const wasm_val_t) -> *const u8 {
    or_null("stepwell_val_v128", || {
        // SAFETY: C passes a valid value or NULL.
        let val = unsafe { plain(val, "val") }?;
        if val.kind != kind_of(ValType::V128) {
            let message = format!("`val` is of kind {}, and not a v128", val.kind);
            return Err(Error::new(ErrorKind::Argument, message));
        }
        // SAFETY: a valid value.
        Ok(unsafe { v128::bytes(val.of.r#ref, "val") }.as_ptr())
    })
}
