//! `wasm_table_t`: tables of references.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::{wasm_ref_t, wasm_store_t, wasm_table_t, wasm_tabletype_t};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Own, borrow, handle};
use super::type_object::TypeObject;
use super::val::{ref_from_c, ref_to_c};
use crate::base::Result;
use crate::runtime::Table;
use crate::wasm::ExternType;

handle!(wasm_table_t => Object, |object| matches!(object.kind, Kind::Table(_)));

/// A size of a table, or a place in it.
pub type wasm_table_size_t = u32;

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live table.
unsafe fn get<'a>(pointer: *const wasm_table_t) -> Result<(&'a Object, Table)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(pointer, "table") }?;
    match object.kind {
        Kind::Table(table) => Ok((object, table)),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// A new table, each element `init`; NULL is null. NULL if `init` is of another type or the limits are too large;
/// `stepwell_last_error()` says which.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_tabletype_t,
    init: *mut wasm_ref_t,
) -> Own<wasm_table_t> {
    or_null("wasm_table_new", || {
        // SAFETY: C passes live objects or NULL.
        let (cell, ty) = unsafe { (borrow(store, "store")?, borrow(r#type, "type")?) };
        let ExternType::Table(ty) = ty.to_rust() else { unreachable!("checked by `borrow`") };
        let mut store = cell.enter()?;
        let table = store.with_room(|store| {
            // SAFETY: C passes a live reference or NULL.
            let init = unsafe { ref_from_c(cell, &mut *store, ty.element, init, "init") }?;
            Table::new(store, ty, init)
        })?;
        Ok(Own::new(Object::new(cell, table)))
    })
}

/// The table's type, with its current size as the least.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_type(table: *const wasm_table_t) -> Own<wasm_tabletype_t> {
    or_null("wasm_table_type", || {
        // SAFETY: C passes a live table or NULL.
        let (object, table) = unsafe { get(table) }?;
        let ty = table.ty(&*object.cell.enter()?)?;
        Ok(Own::new(TypeObject::from(&ExternType::Table(ty))))
    })
}

/// The element at `index`; NULL if it is null, and beyond the table's end.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_get(table: *const wasm_table_t, index: wasm_table_size_t) -> Own<wasm_ref_t> {
    or_null("wasm_table_get", || {
        // SAFETY: C passes a live table or NULL.
        let (object, table) = unsafe { get(table) }?;
        let mut store = object.cell.enter()?;
        let element = table.get(&*store, index.into())?;
        Ok(element.map_or(Own::null(), |element| ref_to_c(&object.cell, &mut *store, element)))
    })
}

/// Sets the element at `index`; NULL is null. False beyond the table's end or for a reference of another type;
/// `stepwell_last_error()` says which.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_set(
    table: *mut wasm_table_t,
    index: wasm_table_size_t,
    value: *mut wasm_ref_t,
) -> bool {
    or_null("wasm_table_set", || {
        // SAFETY: C passes a live table or NULL.
        let (object, table) = unsafe { get(table) }?;
        let mut store = object.cell.enter()?;
        let ty = table.ty(&*store)?.element;
        // SAFETY: C passes a live reference or NULL.
        let value = unsafe { ref_from_c(&object.cell, &mut *store, ty, value, "value") }?;
        table.set(&mut *store, index.into(), value)?;
        Ok(true)
    })
}

/// The table's size.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_size(table: *const wasm_table_t) -> wasm_table_size_t {
    or_abort("wasm_table_size", || {
        // SAFETY: C passes a live table or NULL.
        let (object, table) = unsafe { get(table) }?;
        Ok(table.size(&*object.cell.enter()?)? as wasm_table_size_t)
    })
}

/// Grows the table by `delta` elements, each `init`; NULL is null. False, and nothing grown, beyond its limits or for a
/// reference of another type; `stepwell_last_error()` says which.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_grow(
    table: *mut wasm_table_t,
    delta: wasm_table_size_t,
    init: *mut wasm_ref_t,
) -> bool {
    or_null("wasm_table_grow", || {
        // SAFETY: C passes a live table or NULL.
        let (object, table) = unsafe { get(table) }?;
        let mut store = object.cell.enter()?;
        let ty = table.ty(&*store)?.element;
        // SAFETY: C passes a live reference or NULL.
        let init = unsafe { ref_from_c(&object.cell, &mut *store, ty, init, "init") }?;
        table.grow(&mut *store, delta.into(), init)?;
        Ok(true)
    })
}
