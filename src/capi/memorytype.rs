//! `wasm_memorytype_t`: a memory's type.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::wasm_memorytype_t;
use super::plumbing::own::{Out, Own, borrow, handle, plain};
use super::type_object::{TypeObject, limits_from_c, limits_from_parts, wasm_limits_t};
use crate::base::{Error, ErrorKind, Result};
use crate::wasm::{IndexType, MemoryType, PageSize};

handle!(wasm_memorytype_t => TypeObject, |ty| matches!(ty, TypeObject::Memory { .. }));

/// A new memory type, with addresses of 32 bits and pages of 64 KiB; `stepwell_memorytype_new` makes the others.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_new(limits: *const wasm_limits_t) -> Own<wasm_memorytype_t> {
    or_null("wasm_memorytype_new", || {
        // SAFETY: C passes limits or NULL.
        let limits = *unsafe { plain(limits, "limits") }?;
        Ok(Own::new(TypeObject::from_memory(MemoryType::new(limits_from_c(&limits)?))))
    })
}

/// A new memory type of any kind: at least `min` pages, and with `has_max` at most `max`; with addresses of 64 bits or
/// of 32; shared, which several threads may use at once and which must have a maximum, or not; with pages of 2 to the
/// power `page_size_log2` bytes, 16 for the usual 64 KiB, or 0 for single bytes. NULL for another size of pages, a
/// minimum above the maximum, and a shared memory without maximum; `stepwell_last_error()` says which.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memorytype_new(
    min: u64,
    has_max: bool,
    max: u64,
    is_64: bool,
    is_shared: bool,
    page_size_log2: u32,
) -> Own<wasm_memorytype_t> {
    or_null("stepwell_memorytype_new", || {
        let limits = limits_from_parts(min, has_max.then_some(max))?;
        let page_size = PageSize::from_log2(page_size_log2).ok_or_else(|| {
            let message = format!("there are no pages of 2^{page_size_log2} bytes: they have 2^16, or 2^0");
            Error::new(ErrorKind::Argument, message)
        })?;
        if is_shared && !has_max {
            return Err(Error::new(ErrorKind::Argument, "a shared memory must have a maximum"));
        }
        let ty = MemoryType { index: IndexType::new(is_64), page_size, shared: is_shared, limits };
        Ok(Own::new(TypeObject::from_memory(ty)))
    })
}

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live type.
unsafe fn get(ty: *const wasm_memorytype_t) -> Result<MemoryType> {
    // SAFETY: by the contract.
    match unsafe { borrow(ty, "ty") }? {
        TypeObject::Memory { ty, .. } => Ok(*ty),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// The least pages that it has, whatever number that is.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memorytype_min(ty: *const wasm_memorytype_t) -> u64 {
    // SAFETY: C passes a live type or NULL.
    or_abort("stepwell_memorytype_min", || Ok(unsafe { get(ty) }?.limits.min))
}

/// The most pages that it may have. False, and nothing written, where it says nothing of that.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memorytype_max(ty: *const wasm_memorytype_t, out: *mut u64) -> bool {
    or_null("stepwell_memorytype_max", || {
        // SAFETY: C passes a live type or NULL.
        let ty = unsafe { get(ty) }?;
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes room for a number.
        Ok(ty.limits.max.inspect(|max| unsafe { out.write(*max) }).is_some())
    })
}

/// Whether its addresses have 64 bits.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memorytype_is_64(ty: *const wasm_memorytype_t) -> bool {
    // SAFETY: C passes a live type or NULL.
    or_null("stepwell_memorytype_is_64", || Ok(unsafe { get(ty) }?.index.is_64()))
}

/// Whether it is shared: several threads may use such a memory at once, each with a store of its own.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memorytype_is_shared(ty: *const wasm_memorytype_t) -> bool {
    // SAFETY: C passes a live type or NULL.
    or_null("stepwell_memorytype_is_shared", || Ok(unsafe { get(ty) }?.shared))
}

/// The power of 2 that says how many bytes a page has: 16, or 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memorytype_page_size_log2(ty: *const wasm_memorytype_t) -> u32 {
    // SAFETY: C passes a live type or NULL.
    or_abort("stepwell_memorytype_page_size_log2", || Ok(unsafe { get(ty) }?.page_size.log2()))
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

/// Its size in pages, borrowed from the type. Numbers that need more than 32 bits are the largest of 32;
/// `stepwell_memorytype_min` and `stepwell_memorytype_max` have them as they are.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_limits(ty: *const wasm_memorytype_t) -> *const wasm_limits_t {
    or_null("wasm_memorytype_limits", || {
        // SAFETY: C passes a live type or NULL.
        match unsafe { borrow(ty, "ty") }? {
            TypeObject::Memory { limits, .. } => Ok(std::ptr::from_ref(limits)),
            _ => unreachable!("checked by `borrow`"),
        }
    })
}
