//! `wasm_memorytype_t`: a memory's type.

use super::plumbing::guard::or_null;
use super::plumbing::handles::wasm_memorytype_t;
use super::plumbing::own::{Own, borrow, handle, plain};
use super::type_object::{TypeObject, check_limits, wasm_limits_t};

handle!(wasm_memorytype_t => TypeObject, |ty| matches!(ty, TypeObject::Memory { .. }));

/// A new memory type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_new(limits: *const wasm_limits_t) -> Own<wasm_memorytype_t> {
    or_null("wasm_memorytype_new", || {
        // SAFETY: C passes limits or NULL.
        let limits = *unsafe { plain(limits, "limits") }?;
        check_limits(&limits)?;
        Ok(Own::new(TypeObject::Memory { limits }))
    })
}

/// Deletes a memory's type. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_delete(ty: Own<wasm_memorytype_t>) {
    // SAFETY: C gives it back.
    unsafe { ty.delete("wasm_memorytype_delete", "ty") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_copy(ty: *const wasm_memorytype_t) -> Own<wasm_memorytype_t> {
    // SAFETY: C passes a live type or NULL.
    or_null("wasm_memorytype_copy", || Ok(Own::new(unsafe { borrow(ty, "ty") }?.clone())))
}

/// Its size in pages of 64 KiB, borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_limits(ty: *const wasm_memorytype_t) -> *const wasm_limits_t {
    or_null("wasm_memorytype_limits", || {
        // SAFETY: C passes a live type or NULL.
        match unsafe { borrow(ty, "ty") }? {
            TypeObject::Memory { limits } => Ok(std::ptr::from_ref(limits)),
            _ => unreachable!("checked by `borrow`"),
        }
    })
}
