//! `wasm_exporttype_t`: what a module exports.

use super::bytes::wasm_name_t;
use super::plumbing::guard::or_null;
use super::plumbing::handles::{wasm_exporttype_t, wasm_externtype_t};
use super::plumbing::own::{Own, Take, borrow, handle, lend};
use super::plumbing::vec::Owned;
use super::type_object::TypeObject;

handle!(wasm_exporttype_t => ExportObject);

/// What stands behind [`wasm_exporttype_t`].
#[derive(Clone)]
pub(super) struct ExportObject {
    /// Its name.
    pub(super) name: Owned<wasm_name_t>,
    /// Its type.
    pub(super) ty: Box<TypeObject>,
}

/// An export of this name and type. Takes the contents of the name and the type, also when it fails.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_new(
    name: Take<wasm_name_t>,
    ty: Own<wasm_externtype_t>,
) -> Own<wasm_exporttype_t> {
    or_null("wasm_exporttype_new", || {
        // SAFETY: C passes a valid name or NULL.
        let name = unsafe { Owned::take(name, "name") };
        // SAFETY: C gives it to us.
        let ty = unsafe { ty.require("ty") }?;
        Ok(Own::new(ExportObject { name, ty }))
    })
}

/// Deletes it. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_delete(exporttype: Own<wasm_exporttype_t>) {
    // SAFETY: C gives it back.
    unsafe { exporttype.delete("wasm_exporttype_delete", "exporttype") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_copy(exporttype: *const wasm_exporttype_t) -> Own<wasm_exporttype_t> {
    // SAFETY: C passes a live object or NULL.
    or_null("wasm_exporttype_copy", || Ok(Own::new(unsafe { borrow(exporttype, "exporttype") }?.clone())))
}

/// Its name, borrowed from it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_name(exporttype: *const wasm_exporttype_t) -> *const wasm_name_t {
    or_null("wasm_exporttype_name", || {
        // SAFETY: C passes a live object or NULL.
        Ok(unsafe { borrow(exporttype, "exporttype") }?.name.as_ptr())
    })
}

/// Its type, borrowed from it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_type(exporttype: *const wasm_exporttype_t) -> *const wasm_externtype_t {
    or_null("wasm_exporttype_type", || {
        // SAFETY: C passes a live object or NULL.
        Ok(lend(&*unsafe { borrow(exporttype, "exporttype") }?.ty))
    })
}
