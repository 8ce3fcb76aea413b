//! `wasm_global_t`: globals.

use super::plumbing::guard::{or_abort, or_last_error, or_null};
use super::plumbing::handles::{wasm_global_t, wasm_globaltype_t, wasm_store_t};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, borrow, handle, plain};
use super::type_object::TypeObject;
use super::val::{from_c, to_c, wasm_val_t};
use crate::base::Result;
use crate::runtime::Global;
use crate::wasm::ExternType;

handle!(wasm_global_t => Object, |object| matches!(object.kind, Kind::Global(_)));

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live global.
pub(super) unsafe fn get<'a>(pointer: *const wasm_global_t) -> Result<(&'a Object, Global)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(pointer, "global") }?;
    match object.kind {
        Kind::Global(global) => Ok((object, global)),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// A new global of this type and value. NULL if the value is of another type; `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_globaltype_t,
    value: *const wasm_val_t,
) -> Own<wasm_global_t> {
    or_null("wasm_global_new", || {
        // SAFETY: C passes live objects or NULL.
        let (cell, ty, value) = unsafe { (borrow(store, "store")?, borrow(r#type, "type")?, plain(value, "value")?) };
        let ExternType::Global(ty) = ty.to_rust() else { unreachable!("checked by `borrow`") };
        let mut store = cell.enter()?;
        // SAFETY: C passes a valid value.
        let value = unsafe { from_c(cell, &mut *store, value, "value") }?;
        Ok(Own::new(Object::new(cell, Global::new(&mut *store, ty, value)?)))
    })
}

/// The global's type.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_type(global: *const wasm_global_t) -> Own<wasm_globaltype_t> {
    or_null("wasm_global_type", || {
        // SAFETY: C passes a live global or NULL.
        let (object, global) = unsafe { get(global) }?;
        let ty = global.ty(&*object.cell.enter()?)?;
        Ok(Own::new(TypeObject::from(&ExternType::Global(ty))))
    })
}

/// Writes the global's value to `out`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_get(global: *const wasm_global_t, out: Out<wasm_val_t>) {
    or_abort("wasm_global_get", || {
        // SAFETY: C passes a live global or NULL.
        let (object, global) = unsafe { get(global) }?;
        let out = out.check("out")?;
        let mut store = object.cell.enter()?;
        let value = global.get(&*store)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(to_c(&object.cell, &mut *store, value)) };
        Ok(())
    });
}

/// Sets the global's value. A value of another type, or a global that cannot be written, changes nothing;
/// `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_set(global: *mut wasm_global_t, value: *const wasm_val_t) {
    or_last_error("wasm_global_set", || {
        // SAFETY: C passes a live global and a valid value, or NULL.
        let ((object, global), value) = unsafe { (get(global)?, plain(value, "value")?) };
        let mut store = object.cell.enter()?;
        // SAFETY: C passes a valid value.
        let value = unsafe { from_c(&object.cell, &mut *store, value, "value") }?;
        global.set(&mut *store, value)
    });
}
