//! `wasm_extern_t`: what instances import and export. The conversions are in `refs.rs`.

use super::externtype::{wasm_externkind_enum, wasm_externkind_t};
use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::{wasm_extern_t, wasm_externtype_t};
use super::plumbing::object::Object;
use super::plumbing::own::{Own, borrow, handle};
use super::type_object::TypeObject;
use crate::runtime::Extern;

handle!(wasm_extern_t => Object, |object| object.as_extern().is_some());

/// What it is, one of `enum wasm_externkind_enum`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_kind(external: *const wasm_extern_t) -> wasm_externkind_t {
    or_abort("wasm_extern_kind", || {
        // SAFETY: C passes a live object or NULL.
        let kind = match unsafe { borrow(external, "external") }?.as_extern() {
            Some(Extern::Func(_)) => wasm_externkind_enum::WASM_EXTERN_FUNC,
            Some(Extern::Global(_)) => wasm_externkind_enum::WASM_EXTERN_GLOBAL,
            Some(Extern::Table(_)) => wasm_externkind_enum::WASM_EXTERN_TABLE,
            Some(Extern::Memory(_)) => wasm_externkind_enum::WASM_EXTERN_MEMORY,
            Some(Extern::Tag(_)) => wasm_externkind_enum::WASM_EXTERN_TAG,
            None => unreachable!("checked by `borrow`"),
        };
        Ok(kind as wasm_externkind_t)
    })
}

/// Its type.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_type(external: *const wasm_extern_t) -> Own<wasm_externtype_t> {
    or_null("wasm_extern_type", || {
        // SAFETY: C passes a live object or NULL.
        let object = unsafe { borrow(external, "external") }?;
        let Some(item) = object.as_extern() else { unreachable!("checked by `borrow`") };
        Ok(Own::new(TypeObject::from(&item.ty(&*object.cell.enter()?)?)))
    })
}
