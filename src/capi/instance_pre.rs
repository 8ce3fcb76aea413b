//! `stepwell_instance_pre_t`: a module whose imports were found, for many instances.

use super::module;
use super::plumbing::cell::StoreCell;
use super::plumbing::guard::or_error;
use super::plumbing::handles::{
    stepwell_error_t, stepwell_instance_pre_t, stepwell_linker_t, wasm_instance_t, wasm_module_t, wasm_shared_module_t,
    wasm_store_t, wasm_trap_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Checked, Out, Own, borrow, handle};
use super::trap::trap_or_error;
use crate::base::Result;
use crate::runtime::InstancePre;
use std::sync::Arc;

handle!(stepwell_instance_pre_t => InstancePre);

/// Makes an instance for C: it or a trap goes out.
///
/// # Safety
/// `out` and `trap_out` are C's, the latter may be NULL; `pre` and `cell` are not borrowed from handles, which
/// callbacks may delete.
pub(super) unsafe fn instantiate(
    pre: &InstancePre,
    cell: &Arc<StoreCell>,
    out: Checked<Own<wasm_instance_t>>,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Result<()> {
    let mut store = cell.enter()?;
    let outcome = store.with_room(|store| pre.instantiate(store));
    // SAFETY: by the contract.
    if let Some(instance) = unsafe { trap_or_error(cell, outcome, trap_out) }? {
        // SAFETY: by the contract.
        unsafe { out.write(Own::new(Object::new(cell, instance))) };
    }
    Ok(())
}

/// Looks a module's imports up by their names, once for many instances. An error where one is not defined. The linker
/// may not be changed meanwhile.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_instantiate_pre(
    linker: *const stepwell_linker_t,
    module: *const wasm_module_t,
    out: Out<Own<stepwell_instance_pre_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_instantiate_pre", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let (linker, module) = unsafe { (borrow(linker, "linker")?, module::get(module)?) };
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(linker.instantiate_pre(module)?)) };
        Ok(())
    })
}

/// The same for a shared module, which is of no store, as the result is.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_instantiate_pre_shared(
    linker: *const stepwell_linker_t,
    module: *const wasm_shared_module_t,
    out: Out<Own<stepwell_instance_pre_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_instantiate_pre_shared", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let (linker, module) = unsafe { (borrow(linker, "linker")?, borrow(module, "module")?) };
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(linker.instantiate_pre(module)?)) };
        Ok(())
    })
}

/// Makes an instance and runs its start function. A trap is written to `trap_out` (NULL if there is none), and then
/// `*out` is not written; everything else is the error. With `trap_out` NULL a trap is an error, too.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_instance_pre_instantiate(
    pre: *const stepwell_instance_pre_t,
    store: *mut wasm_store_t,
    out: Out<Own<wasm_instance_t>>,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_instance_pre_instantiate", || {
        let out = out.check("out")?;
        // Callbacks may delete the handles: the call holds what it needs.
        // SAFETY: C passes live objects or NULL.
        let (pre, cell) = unsafe { (borrow(pre, "pre")?.clone(), borrow(store, "store")?.clone()) };
        // SAFETY: both are C's.
        unsafe { instantiate(&pre, &cell, out, trap_out) }
    })
}

/// Deletes it; instances it made stay. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_instance_pre_delete(pre: Own<stepwell_instance_pre_t>) {
    // SAFETY: C gives it back.
    unsafe { pre.delete("stepwell_instance_pre_delete", "pre") }
}
