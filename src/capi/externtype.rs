//! `wasm_externtype_t`, and the object behind it and behind the types of functions, globals, tables and memories:
//! the standard's `_as_externtype` conversions borrow, so all five are one object.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::{
    wasm_externtype_t, wasm_functype_t, wasm_globaltype_t, wasm_memorytype_t, wasm_tabletype_t, wasm_tagtype_t,
};
use super::plumbing::own::{Handle, Own, borrow, handle};
use super::type_object::TypeObject;
use crate::wasm::ExternType;

handle!(wasm_externtype_t => TypeObject);

/// What something imported or exported is, one of `enum wasm_externkind_enum`.
pub type wasm_externkind_t = u8;

/// What something imported or exported can be.
#[repr(C)]
pub enum wasm_externkind_enum {
    /// A function.
    WASM_EXTERN_FUNC = 0,
    /// A global.
    WASM_EXTERN_GLOBAL = 1,
    /// A table.
    WASM_EXTERN_TABLE = 2,
    /// A memory.
    WASM_EXTERN_MEMORY = 3,
    /// A tag.
    WASM_EXTERN_TAG = 4,
}

// SAFETY: the raw pointers in the vectors are owned, and what they point to is plain data.
unsafe impl Send for TypeObject {}

// SAFETY: as above; nothing changes behind a shared reference.
unsafe impl Sync for TypeObject {}

impl From<&ExternType> for TypeObject {
    fn from(ty: &ExternType) -> Self {
        match ty {
            ExternType::Func(ty) => TypeObject::from_func(ty),
            ExternType::Global(ty) => TypeObject::Global { content: Box::new(ty.content.into()), mutable: ty.mutable },
            ExternType::Table(ty) => TypeObject::from_table(*ty),
            ExternType::Memory(ty) => TypeObject::from_memory(*ty),
            ExternType::Tag(ty) => TypeObject::Tag { functype: Box::new(TypeObject::from_func(ty)) },
        }
    }
}

/// Borrows a type object as another C type, if it is of that kind.
///
/// # Safety
/// The pointer is NULL or a live type.
unsafe fn convert<A, B>(function: &str, ty: *const A) -> *mut B
where
    A: Handle<Rust = TypeObject>,
    B: Handle<Rust = TypeObject>,
{
    or_null(function, || {
        if ty.is_null() {
            return Ok(std::ptr::null_mut());
        }
        // SAFETY: by the contract.
        let object = unsafe { borrow(ty, "ty") }?;
        // Another kind is an answer, not an error.
        Ok(if B::check(object) { ty.cast::<B>().cast_mut() } else { std::ptr::null_mut() })
    })
}

/// Deletes a type. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_delete(ty: Own<wasm_externtype_t>) {
    // SAFETY: C gives it back.
    unsafe { ty.delete("wasm_externtype_delete", "ty") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_copy(ty: *const wasm_externtype_t) -> Own<wasm_externtype_t> {
    // SAFETY: C passes a live type or NULL.
    or_null("wasm_externtype_copy", || Ok(Own::new(unsafe { borrow(ty, "ty") }?.clone())))
}

/// What this is the type of, one of `enum wasm_externkind_enum`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_kind(ty: *const wasm_externtype_t) -> wasm_externkind_t {
    // SAFETY: C passes a live type or NULL.
    or_abort("wasm_externtype_kind", || Ok(unsafe { borrow(ty, "ty") }?.kind() as u8))
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_as_externtype(ty: *mut wasm_functype_t) -> *mut wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_functype_as_externtype", ty) }
}

/// The same type, borrowed, as a function's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_functype(ty: *mut wasm_externtype_t) -> *mut wasm_functype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_functype", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_as_externtype(ty: *mut wasm_globaltype_t) -> *mut wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_globaltype_as_externtype", ty) }
}

/// The same type, borrowed, as a global's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_globaltype(ty: *mut wasm_externtype_t) -> *mut wasm_globaltype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_globaltype", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_as_externtype(ty: *mut wasm_tabletype_t) -> *mut wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_tabletype_as_externtype", ty) }
}

/// The same type, borrowed, as a table's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_tabletype(ty: *mut wasm_externtype_t) -> *mut wasm_tabletype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_tabletype", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_as_externtype(ty: *mut wasm_memorytype_t) -> *mut wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_memorytype_as_externtype", ty) }
}

/// The same type, borrowed, as a memory's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_memorytype(ty: *mut wasm_externtype_t) -> *mut wasm_memorytype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_memorytype", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_as_externtype_const(ty: *const wasm_functype_t) -> *const wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_functype_as_externtype_const", ty) }
}

/// The same type, borrowed, as a function's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_functype_const(ty: *const wasm_externtype_t) -> *const wasm_functype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_functype_const", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_as_externtype_const(ty: *const wasm_globaltype_t) -> *const wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_globaltype_as_externtype_const", ty) }
}

/// The same type, borrowed, as a global's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_globaltype_const(ty: *const wasm_externtype_t) -> *const wasm_globaltype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_globaltype_const", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_as_externtype_const(ty: *const wasm_tabletype_t) -> *const wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_tabletype_as_externtype_const", ty) }
}

/// The same type, borrowed, as a table's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_tabletype_const(ty: *const wasm_externtype_t) -> *const wasm_tabletype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_tabletype_const", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_as_externtype_const(ty: *const wasm_memorytype_t) -> *const wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_memorytype_as_externtype_const", ty) }
}

/// The same type, borrowed, as a memory's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_memorytype_const(ty: *const wasm_externtype_t) -> *const wasm_memorytype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_memorytype_const", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_as_externtype(ty: *mut wasm_tagtype_t) -> *mut wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_tagtype_as_externtype", ty) }
}

/// The same type, borrowed, as a tag's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_tagtype(ty: *mut wasm_externtype_t) -> *mut wasm_tagtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_tagtype", ty) }
}

/// The same type, borrowed, as the type of something imported or exported.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_as_externtype_const(ty: *const wasm_tagtype_t) -> *const wasm_externtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_tagtype_as_externtype_const", ty) }
}

/// The same type, borrowed, as a tag's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_as_tagtype_const(ty: *const wasm_externtype_t) -> *const wasm_tagtype_t {
    // SAFETY: C passes a live type or NULL.
    unsafe { convert("wasm_externtype_as_tagtype_const", ty) }
}
