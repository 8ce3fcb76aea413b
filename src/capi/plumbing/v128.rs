//! `v128` in a `wasm_val_t`. The standard's union has room for 8 bytes, and its size is part of the ABI; so it holds a
//! pointer to 16 bytes, in the place of a reference. Whose they are follows the rule of references: what is passed is
//! lent, what is written or given away is owned, and `wasm_val_copy`, `wasm_val_delete` and the vectors know it. What
//! is lent may be any memory of the host's, so that nothing is allocated for an argument. What is owned is made here.

use super::check;
use super::handles::wasm_ref_t;
use super::own::{Own, handle};
use crate::runtime::Val;

/// The bytes of a vector, lane 0 first.
pub(in crate::capi) type Bytes = [u8; 16];

const ZERO: Bytes = [0; 16];

/// What an owned pointer is to.
#[allow(non_camel_case_types)]
struct v128 {
    _opaque: [u8; 0],
}

handle!(v128 => Bytes);

/// Bytes that C owns. Zeros are NULL: most of them are results that a host function has not written yet.
pub(in crate::capi) fn owned(bytes: Bytes) -> *mut wasm_ref_t {
    if bytes == ZERO { std::ptr::null_mut() } else { Own::<v128>::new(bytes).into_raw().cast() }
}

/// Bytes that are lent to C.
pub(in crate::capi) fn lent(bytes: &Bytes) -> *mut wasm_ref_t {
    std::ptr::from_ref(bytes).cast_mut().cast()
}

/// The bytes that C passed, as `param` or inside it.
///
/// # Safety
/// The pointer is NULL, or to 16 bytes.
pub(in crate::capi) unsafe fn bytes<'a>(pointer: *mut wasm_ref_t, param: &str) -> &'a Bytes {
    check::not_gone(pointer.cast::<v128>(), param);
    // SAFETY: by the contract.
    unsafe { pointer.cast::<Bytes>().as_ref() }.unwrap_or(&ZERO)
}

/// Whether the bytes are those of one of `vals`, which were lent.
pub(in crate::capi) fn is_lent_of(pointer: *mut wasm_ref_t, vals: &[Val]) -> bool {
    vals.as_ptr_range().contains(&pointer.cast_const().cast::<Val>())
}

/// Frees bytes that C owned, and leaves NULL.
///
/// # Safety
/// As [`bytes`]; they were made by [`owned`], and are not used again.
pub(in crate::capi) unsafe fn delete(pointer: &mut *mut wasm_ref_t) {
    // SAFETY: by the contract.
    unsafe { Own::<v128>::from_raw(pointer.cast()).delete("wasm_val_delete", "v") };
    *pointer = std::ptr::null_mut();
}
