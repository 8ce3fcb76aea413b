//! `wasm_tabletype_t`: a table's type.

use super::plumbing::guard::or_null;
use super::plumbing::handles::{wasm_tabletype_t, wasm_valtype_t};
use super::plumbing::own::{Own, borrow, handle, lend, plain};
use super::type_object::{TypeObject, check_limits, wasm_limits_t};
use crate::base::{Error, ErrorKind, ValType};

handle!(wasm_tabletype_t => TypeObject, |ty| matches!(ty, TypeObject::Table { .. }));

/// A new table type. Takes `element`, also when it fails.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_new(
    element: Own<wasm_valtype_t>,
    limits: *const wasm_limits_t,
) -> Own<wasm_tabletype_t> {
    or_null("wasm_tabletype_new", || {
        // SAFETY: C gives it to us.
        let element = unsafe { element.require("element") }?;
        // SAFETY: C passes limits or NULL.
        let limits = *unsafe { plain(limits, "limits") }?;
        let ValType::Ref(ty) = *element else {
            return Err(Error::new(ErrorKind::Argument, format!("`element` is {element}; tables hold references")));
        };
        check_limits(&limits)?;
        Ok(Own::new(TypeObject::Table { ty, element, limits }))
    })
}

/// Deletes a table's type. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_delete(ty: Own<wasm_tabletype_t>) {
    // SAFETY: C gives it back.
    unsafe { ty.delete("wasm_tabletype_delete", "ty") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_copy(ty: *const wasm_tabletype_t) -> Own<wasm_tabletype_t> {
    // SAFETY: C passes a live type or NULL.
    or_null("wasm_tabletype_copy", || Ok(Own::new(unsafe { borrow(ty, "ty") }?.clone())))
}

/// The type of its elements, borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_element(ty: *const wasm_tabletype_t) -> *const wasm_valtype_t {
    or_null("wasm_tabletype_element", || {
        // SAFETY: C passes a live type or NULL.
        match unsafe { borrow(ty, "ty") }? {
            TypeObject::Table { element, .. } => Ok(lend(&**element)),
            _ => unreachable!("checked by `borrow`"),
        }
    })
}

/// Its size in elements, borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_limits(ty: *const wasm_tabletype_t) -> *const wasm_limits_t {
    or_null("wasm_tabletype_limits", || {
        // SAFETY: C passes a live type or NULL.
        match unsafe { borrow(ty, "ty") }? {
            TypeObject::Table { limits, .. } => Ok(std::ptr::from_ref(limits)),
            _ => unreachable!("checked by `borrow`"),
        }
    })
}
