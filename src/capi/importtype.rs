//! `wasm_importtype_t`: what a module imports.

use super::bytes::wasm_name_t;
use super::plumbing::guard::or_null;
use super::plumbing::handles::{wasm_externtype_t, wasm_importtype_t};
use super::plumbing::own::{Own, Take, borrow, handle, lend};
use super::plumbing::vec::Owned;
use super::type_object::TypeObject;

handle!(wasm_importtype_t => ImportObject);

/// What stands behind [`wasm_importtype_t`].
#[derive(Clone)]
pub(super) struct ImportObject {
    /// The first half of its name.
    pub(super) module: Owned<wasm_name_t>,
    /// The second half.
    pub(super) name: Owned<wasm_name_t>,
    /// Its type.
    pub(super) ty: Box<TypeObject>,
}

/// An import of this name and type. Takes the contents of the names and the type, also when it fails.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_new(
    module: Take<wasm_name_t>,
    name: Take<wasm_name_t>,
    ty: Own<wasm_externtype_t>,
) -> Own<wasm_importtype_t> {
    or_null("wasm_importtype_new", || {
        // SAFETY: C passes a valid name or NULL.
        let module = unsafe { Owned::take(module, "module") };
        // SAFETY: C passes a valid name or NULL.
        let name = unsafe { Owned::take(name, "name") };
        // SAFETY: C gives it to us.
        let ty = unsafe { ty.require("ty") }?;
        Ok(Own::new(ImportObject { module, name, ty }))
    })
}

/// Deletes it. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_delete(importtype: Own<wasm_importtype_t>) {
    // SAFETY: C gives it back.
    unsafe { importtype.delete("wasm_importtype_delete", "importtype") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_copy(importtype: *const wasm_importtype_t) -> Own<wasm_importtype_t> {
    // SAFETY: C passes a live object or NULL.
    or_null("wasm_importtype_copy", || Ok(Own::new(unsafe { borrow(importtype, "importtype") }?.clone())))
}

/// The first half of its name, borrowed from it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_module(importtype: *const wasm_importtype_t) -> *const wasm_name_t {
    or_null("wasm_importtype_module", || {
        // SAFETY: C passes a live object or NULL.
        Ok(unsafe { borrow(importtype, "importtype") }?.module.as_ptr())
    })
}

/// The second half of its name, borrowed from it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_name(importtype: *const wasm_importtype_t) -> *const wasm_name_t {
    or_null("wasm_importtype_name", || {
        // SAFETY: C passes a live object or NULL.
        Ok(unsafe { borrow(importtype, "importtype") }?.name.as_ptr())
    })
}

/// Its type, borrowed from it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_type(importtype: *const wasm_importtype_t) -> *const wasm_externtype_t {
    or_null("wasm_importtype_type", || {
        // SAFETY: C passes a live object or NULL.
        Ok(lend(&*unsafe { borrow(importtype, "importtype") }?.ty))
    })
}
