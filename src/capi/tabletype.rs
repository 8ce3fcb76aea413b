//! `wasm_tabletype_t`: a table's type.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::{wasm_tabletype_t, wasm_valtype_t};
use super::plumbing::own::{Out, Own, borrow, handle, lend, plain};
use super::type_object::{TypeObject, limits_from_c, limits_from_parts, wasm_limits_t};
use crate::base::{Error, ErrorKind, RefType, Result, ValType};
use crate::wasm::{IndexType, TableType};

handle!(wasm_tabletype_t => TypeObject, |ty| matches!(ty, TypeObject::Table { .. }));

/// A new table type, with places of 32 bits; `stepwell_tabletype_new` makes the others. Takes `element`, also when it
/// fails.
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
        let ty = reference(element.ty)?;
        Ok(Own::new(TypeObject::from_table(TableType::new(ty, limits_from_c(&limits)?))))
    })
}

/// A new table type of either kind: at least `min` elements, and with `has_max` at most `max`; with places of 64 bits
/// or of 32. Takes `element`, also when it fails.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tabletype_new(
    element: Own<wasm_valtype_t>,
    min: u64,
    has_max: bool,
    max: u64,
    is_64: bool,
) -> Own<wasm_tabletype_t> {
    or_null("stepwell_tabletype_new", || {
        // SAFETY: C gives it to us.
        let element = unsafe { element.require("element") }?;
        let element = reference(element.ty)?;
        let (index, limits) = (IndexType::new(is_64), limits_from_parts(min, has_max.then_some(max))?);
        Ok(Own::new(TypeObject::from_table(TableType { element, index, limits })))
    })
}

/// The type of a table's elements.
fn reference(element: ValType) -> Result<RefType> {
    match element {
        ValType::Ref(ty) => Ok(ty),
        other => Err(Error::new(ErrorKind::Argument, format!("`element` is {other}; tables hold references"))),
    }
}

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live type.
unsafe fn get(ty: *const wasm_tabletype_t) -> Result<TableType> {
    // SAFETY: by the contract.
    match unsafe { borrow(ty, "ty") }? {
        TypeObject::Table { ty, .. } => Ok(*ty),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// The least elements that it has, whatever number that is.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tabletype_min(ty: *const wasm_tabletype_t) -> u64 {
    // SAFETY: C passes a live type or NULL.
    or_abort("stepwell_tabletype_min", || Ok(unsafe { get(ty) }?.limits.min))
}

/// The most elements that it may have. False, and nothing written, where it says nothing of that.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tabletype_max(ty: *const wasm_tabletype_t, out: *mut u64) -> bool {
    or_null("stepwell_tabletype_max", || {
        // SAFETY: C passes a live type or NULL.
        let ty = unsafe { get(ty) }?;
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes room for a number.
        Ok(ty.limits.max.inspect(|max| unsafe { out.write(*max) }).is_some())
    })
}

/// Whether its places have 64 bits.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tabletype_is_64(ty: *const wasm_tabletype_t) -> bool {
    // SAFETY: C passes a live type or NULL.
    or_null("stepwell_tabletype_is_64", || Ok(unsafe { get(ty) }?.index.is_64()))
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

/// Its size in elements, borrowed from the type. Numbers that need more than 32 bits are the largest of 32;
/// `stepwell_tabletype_min` and `stepwell_tabletype_max` have them as they are.
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
