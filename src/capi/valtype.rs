//! `wasm_valtype_t`: a value's type, and the kinds it has in C.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::wasm_valtype_t;
use super::plumbing::own::{Own, borrow, handle};
use crate::base::{Error, ErrorKind, Family, Result};
use crate::wasm::ValType;

handle!(wasm_valtype_t => ValType);

/// The kind of a value, one of `enum wasm_valkind_enum` or of `enum stepwell_valkind_enum`.
pub type wasm_valkind_t = u8;

/// The kinds of values.
#[repr(C)]
pub enum wasm_valkind_enum {
    /// A 32-bit integer.
    WASM_I32 = 0,
    /// A 64-bit integer.
    WASM_I64 = 1,
    /// A 32-bit float.
    WASM_F32 = 2,
    /// A 64-bit float.
    WASM_F64 = 3,
    /// A reference to anything of the host's.
    WASM_EXTERNREF = 128,
    /// A reference to a function.
    WASM_FUNCREF = 129,
}

/// The kinds of values that the standard's header has no word for.
#[repr(C)]
pub enum stepwell_valkind_enum {
    /// A vector of 128 bits.
    STEPWELL_VALKIND_V128 = 4,
    /// A reference to an exception.
    STEPWELL_VALKIND_EXNREF = 130,
    /// A reference to anything that a guest has made.
    STEPWELL_VALKIND_ANYREF = 131,
}

/// The kind of a type: the one place where the types of values meet their kinds in C.
pub(super) fn kind_of(ty: ValType) -> wasm_valkind_t {
    use wasm_valkind_enum as k;
    match ty {
        ValType::I32 => k::WASM_I32 as u8,
        ValType::I64 => k::WASM_I64 as u8,
        ValType::F32 => k::WASM_F32 as u8,
        ValType::F64 => k::WASM_F64 as u8,
        ValType::V128 => stepwell_valkind_enum::STEPWELL_VALKIND_V128 as u8,
        ValType::Ref(ty) => match ty.heap.family() {
            Family::Extern => k::WASM_EXTERNREF as u8,
            Family::Func => k::WASM_FUNCREF as u8,
            Family::Exn => stepwell_valkind_enum::STEPWELL_VALKIND_EXNREF as u8,
            Family::Any => stepwell_valkind_enum::STEPWELL_VALKIND_ANYREF as u8,
        },
    }
}

/// The type of a kind that came from C.
pub(super) fn of_kind(kind: wasm_valkind_t, param: &str) -> Result<ValType> {
    ValType::SLOTS.into_iter().find(|ty| kind_of(*ty) == kind).ok_or_else(|| no_kind(kind, param))
}

/// The error for a number that is no kind.
#[cold]
fn no_kind(kind: wasm_valkind_t, param: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("`{param}` is {kind}, which is no kind of value"))
}

/// A new value type of `kind`, one of `enum wasm_valkind_enum` or of `enum stepwell_valkind_enum`. NULL for any other
/// number; `stepwell_last_error()` says so.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_valtype_new(kind: wasm_valkind_t) -> Own<wasm_valtype_t> {
    or_null("wasm_valtype_new", || Ok(Own::new(of_kind(kind, "kind")?)))
}

/// Deletes a value type. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_delete(ty: Own<wasm_valtype_t>) {
    // SAFETY: C gives it back.
    unsafe { ty.delete("wasm_valtype_delete", "ty") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_copy(ty: *const wasm_valtype_t) -> Own<wasm_valtype_t> {
    // SAFETY: C passes a live type or NULL.
    or_null("wasm_valtype_copy", || Ok(Own::new(*unsafe { borrow(ty, "ty") }?)))
}

/// The kind of a value type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_kind(ty: *const wasm_valtype_t) -> wasm_valkind_t {
    // SAFETY: C passes a live type or NULL.
    or_abort("wasm_valtype_kind", || Ok(kind_of(*unsafe { borrow(ty, "ty") }?)))
}
