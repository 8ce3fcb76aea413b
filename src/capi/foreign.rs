//! `wasm_foreign_t`: an object of the host's that guests can hold as an `externref`.

use super::plumbing::guard::or_null;
use super::plumbing::handles::{wasm_foreign_t, wasm_store_t};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Own, borrow, handle};
use crate::runtime::ExternRef;

handle!(wasm_foreign_t => Object, |object| matches!(object.kind, Kind::Foreign(_)));

/// A new foreign object. It lives as long as a handle or the store's guests hold it.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_new(store: *mut wasm_store_t) -> Own<wasm_foreign_t> {
    or_null("wasm_foreign_new", || {
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        let mut store = cell.enter()?;
        Ok(Own::new(Object::new(cell, ExternRef::new(&mut *store, Box::new(()))?)))
    })
}
