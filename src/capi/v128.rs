//! `v128` in a `wasm_val_t`. The standard's union has room for 8 bytes, and its size is part of the ABI; so it holds a
//! pointer to 16 bytes. Whose they are follows the rule of references: what is passed is lent, what is written or given
//! away is owned, and `wasm_val_copy`, `wasm_val_delete` and the vectors know it. What is lent may be any memory of the
//! host's, so that nothing is allocated for an argument. What is owned is made here.

use super::plumbing::check;
use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::own::{Out, Own, handle, null, plain};
use super::val::{wasm_val_t, wasm_val_union_t};
use super::valtype::{kind_of, stepwell_valkind_enum};
use crate::base::{Error, ErrorKind, ValType};
use crate::runtime::Val;

/// The bytes of a vector, lane 0 first.
pub(super) type Bytes = [u8; 16];

const ZERO: Bytes = [0; 16];

/// What an owned pointer is to.
#[allow(non_camel_case_types)]
struct v128 {
    _opaque: [u8; 0],
}

handle!(v128 => Bytes);

/// Bytes that C owns. Zeros are NULL: most of them are results that a host function has not written yet.
pub(super) fn owned(bytes: Bytes) -> wasm_val_union_t {
    if bytes == ZERO {
        return wasm_val_union_t { i64: 0 };
    }
    wasm_val_union_t { r#ref: Own::<v128>::new(bytes).into_raw().cast() }
}

/// Bytes that are lent to C.
pub(super) fn lent(bytes: &Bytes) -> wasm_val_union_t {
    wasm_val_union_t { r#ref: std::ptr::from_ref(bytes).cast_mut().cast() }
}

/// The bytes that C passed, as `param` or inside it.
///
/// # Safety
/// The union is of a `v128`: it holds NULL, or a pointer to 16 bytes.
pub(super) unsafe fn bytes<'a>(of: wasm_val_union_t, param: &str) -> &'a Bytes {
    // SAFETY: by the contract.
    unsafe {
        check::not_gone(of.r#ref.cast::<v128>(), param);
        of.r#ref.cast::<Bytes>().as_ref().unwrap_or(&ZERO)
    }
}

/// Whether the bytes are those of one of `vals`, which were lent.
///
/// # Safety
/// The union is of a `v128`.
pub(super) unsafe fn is_lent_of(of: wasm_val_union_t, vals: &[Val]) -> bool {
    // SAFETY: by the contract.
    vals.as_ptr_range().contains(&unsafe { of.r#ref }.cast_const().cast::<Val>())
}

/// Frees bytes that C owned, and leaves NULL.
///
/// # Safety
/// As [`bytes`]; they were made by [`owned`], and are not used again.
pub(super) unsafe fn delete(of: &mut wasm_val_union_t) {
    // SAFETY: by the contract.
    unsafe { Own::<v128>::from_raw(of.r#ref.cast()).delete("wasm_val_delete", "v") };
    of.r#ref = std::ptr::null_mut();
}

/// Writes a `v128` of these 16 bytes, lane 0 first, to `out`, which owns a copy of them: `wasm_val_delete` frees it. So
/// are results of host functions made. What is only passed can be lent: `STEPWELL_V128_VAL`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_val_new_v128(bytes: *const u8, out: Out<wasm_val_t>) {
    or_abort("stepwell_val_new_v128", || {
        let out = out.check("out")?;
        // SAFETY: C passes 16 bytes or NULL.
        let bytes = unsafe { bytes.cast::<Bytes>().as_ref() }.ok_or_else(|| null("bytes"))?;
        let kind = stepwell_valkind_enum::STEPWELL_VALKIND_V128 as u8;
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_val_t { kind, of: owned(*bytes) }) };
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
        Ok(unsafe { bytes(val.of, "val") }.as_ptr())
    })
}
