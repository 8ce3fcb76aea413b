//! What a host keeps with an object: `wasm_X_get_host_info` and its kin. It belongs to the object, not to a handle:
//! every handle of the object finds it, and its finalizer runs when the object goes.

use super::env::{Env, stepwell_finalizer_t};
use super::guard::{or_last_error, or_null};
use super::object::{Kind, Object};
use super::own::{Handle, borrow};
use crate::base::Result;
use crate::runtime::AsStore;
use std::ffi::c_void;

/// `wasm_X_get_host_info`.
///
/// # Safety
/// The pointer is NULL or a live handle.
pub(in crate::capi) unsafe fn get<T: Handle<Rust = Object>>(function: &str, object: *const T) -> *mut c_void {
    or_null(function, || {
        // SAFETY: by the contract.
        let object = unsafe { borrow(object, "object") }?;
        Ok(match &object.kind {
            Kind::Trap(trap) => trap.host_info.get(&()),
            Kind::Module(module) => object.cell.module_info.get(&module.id()),
            kind => {
                let Some(root) = kind.root() else { unreachable!("all other objects are their store's") };
                let store = object.cell.enter()?;
                let store = store.as_store();
                let info = store.host_data(root).and_then(|info| info.downcast_ref::<Env>());
                info.map_or(std::ptr::null_mut(), Env::get)
            }
        })
    })
}

/// `wasm_X_set_host_info`, with and without a finalizer.
///
/// # Safety
/// The pointer is NULL or a live handle.
pub(in crate::capi) unsafe fn set<T: Handle<Rust = Object>>(
    function: &str,
    object: *const T,
    info: *mut c_void,
    finalizer: stepwell_finalizer_t,
) {
    let info = Env::new(info, finalizer);
    or_last_error(function, move || {
        // SAFETY: by the contract.
        let object = unsafe { borrow(object, "object") }?;
        // The finalizer of what was there may delete the handle.
        let (cell, kind) = (object.cell.clone(), object.kind.clone());
        match &kind {
            Kind::Trap(trap) => drop(trap.host_info.set((), info)),
            Kind::Module(module) => drop(cell.module_info.set(module.id(), info)),
            kind => {
                let Some(root) = kind.root() else { unreachable!("all other objects are their store's") };
                let before: Result<_> = cell.enter()?.set_host_data(root, Some(Box::new(info)));
                drop(before?);
            }
        }
        Ok(())
    });
}
