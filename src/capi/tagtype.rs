//! `wasm_tagtype_t`: a tag's type.

use super::plumbing::guard::or_null;
use super::plumbing::handles::{wasm_functype_t, wasm_tagtype_t};
use super::plumbing::own::{Handle, Own, borrow, handle, lend};
use super::type_object::TypeObject;

handle!(wasm_tagtype_t => TypeObject, |ty| matches!(ty, TypeObject::Tag { .. }));

/// A new tag type. Takes the function type, also when it fails.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_new(ty: Own<wasm_functype_t>) -> Own<wasm_tagtype_t> {
    or_null("wasm_tagtype_new", || {
        // SAFETY: C gives it to us.
        let functype = unsafe { ty.require("ty") }?;
        Ok(Own::new(TypeObject::Tag { functype }))
    })
}

/// Deletes a tag's type. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_delete(ty: Own<wasm_tagtype_t>) {
    // SAFETY: C gives it back.
    unsafe { ty.delete("wasm_tagtype_delete", "ty") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_copy(ty: *const wasm_tagtype_t) -> Own<wasm_tagtype_t> {
    // SAFETY: C passes a live type or NULL.
    or_null("wasm_tagtype_copy", || Ok(Own::new(unsafe { borrow(ty, "ty") }?.clone())))
}

/// The type of what the tag carries, borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_functype(ty: *const wasm_tagtype_t) -> *const wasm_functype_t {
    or_null("wasm_tagtype_functype", || {
        // SAFETY: C passes a live type or NULL.
        match unsafe { borrow(ty, "ty") }? {
            TypeObject::Tag { functype } => {
                debug_assert!(wasm_functype_t::check(functype));
                Ok(lend(&**functype))
            }
            _ => unreachable!("checked by `borrow`"),
        }
    })
}
