//! `wasm_globaltype_t`: a global's type.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::{wasm_globaltype_t, wasm_valtype_t};
use super::plumbing::own::{Own, borrow, handle, lend};
use super::type_object::TypeObject;
use crate::base::{Error, ErrorKind};

handle!(wasm_globaltype_t => TypeObject, |ty| matches!(ty, TypeObject::Global { .. }));

/// Whether a global can be written, one of `enum wasm_mutability_enum`.
pub type wasm_mutability_t = u8;

/// Whether a global can be written.
#[repr(C)]
pub enum wasm_mutability_enum {
    /// It cannot.
    WASM_CONST = 0,
    /// It can.
    WASM_VAR = 1,
}

/// A new global type. Takes `content`, also when it fails.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_new(
    content: Own<wasm_valtype_t>,
    mutability: wasm_mutability_t,
) -> Own<wasm_globaltype_t> {
    or_null("wasm_globaltype_new", || {
        // SAFETY: C gives it to us.
        let content = unsafe { content.require("content") }?;
        let mutable = match mutability {
            _ if mutability == wasm_mutability_enum::WASM_CONST as u8 => false,
            _ if mutability == wasm_mutability_enum::WASM_VAR as u8 => true,
            _ => {
                let message = format!("`mutability` is {mutability}; it is WASM_CONST (0) or WASM_VAR (1)");
                return Err(Error::new(ErrorKind::Argument, message));
            }
        };
        Ok(Own::new(TypeObject::Global { content, mutable }))
    })
}

/// Deletes a global's type. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_delete(ty: Own<wasm_globaltype_t>) {
    // SAFETY: C gives it back.
    unsafe { ty.delete("wasm_globaltype_delete", "ty") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_copy(ty: *const wasm_globaltype_t) -> Own<wasm_globaltype_t> {
    // SAFETY: C passes a live type or NULL.
    or_null("wasm_globaltype_copy", || Ok(Own::new(unsafe { borrow(ty, "ty") }?.clone())))
}

/// The type of its value, borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_content(ty: *const wasm_globaltype_t) -> *const wasm_valtype_t {
    or_null("wasm_globaltype_content", || {
        // SAFETY: C passes a live type or NULL.
        match unsafe { borrow(ty, "ty") }? {
            TypeObject::Global { content, .. } => Ok(lend(&**content)),
            _ => unreachable!("checked by `borrow`"),
        }
    })
}

/// Whether it can be written, one of `enum wasm_mutability_enum`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_mutability(ty: *const wasm_globaltype_t) -> wasm_mutability_t {
    or_abort("wasm_globaltype_mutability", || {
        // SAFETY: C passes a live type or NULL.
        Ok(u8::from(matches!(unsafe { borrow(ty, "ty") }?, TypeObject::Global { mutable: true, .. })))
    })
}
