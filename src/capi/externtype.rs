//! `wasm_externtype_t`, and the object behind it and behind the types of functions, globals, tables and memories:
//! the standard's `_as_externtype` conversions borrow, so all five are one object.

use super::functype::wasm_functype_t;
use super::globaltype::wasm_globaltype_t;
use super::guard::{or_abort, or_null};
use super::memorytype::wasm_memorytype_t;
use super::own::{Handle, Own, borrow, handle};
use super::tabletype::wasm_tabletype_t;
use super::tagtype::wasm_tagtype_t;
use super::valtype::wasm_valtype_t;
use super::vec::Owned;
use super::vecs::wasm_valtype_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::wasm::{ExternType, FuncType, GlobalType, Limits, MemoryType, TableType, ValType};

/// The type of something imported or exported.
pub struct wasm_externtype_t {
    _opaque: [u8; 0],
}
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
    /// A tag. There are none yet.
    WASM_EXTERN_TAG = 4,
}

/// The limits of a table (in elements) or a memory (in pages).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wasm_limits_t {
    /// The initial size.
    pub min: u32,
    /// The largest size it may grow to; `wasm_limits_max_default` for no limit.
    pub max: u32,
}

/// `max` of [`wasm_limits_t`] for "no limit".
const NO_MAX: u32 = u32::MAX;

/// A type with its parts as C borrows them.
pub(super) enum TypeObject {
    /// A function's.
    Func {
        /// The parameters.
        params: Owned<wasm_valtype_vec_t>,
        /// The results.
        results: Owned<wasm_valtype_vec_t>,
    },
    /// A global's.
    Global {
        /// The type of its value.
        content: Box<ValType>,
        /// Whether it can be written.
        mutable: bool,
    },
    /// A table's.
    Table {
        /// The type of its elements.
        element: Box<ValType>,
        /// Its size.
        limits: wasm_limits_t,
    },
    /// A memory's.
    Memory {
        /// Its size.
        limits: wasm_limits_t,
    },
    /// A tag's, which the engine does not know.
    Tag {
        /// What it carries, a function's type.
        functype: Box<TypeObject>,
    },
}

// SAFETY: the raw pointers in the vectors are owned, and what they point to is plain data.
unsafe impl Send for TypeObject {}
// SAFETY: as above; nothing changes behind a shared reference.
unsafe impl Sync for TypeObject {}

impl Clone for TypeObject {
    fn clone(&self) -> Self {
        match self {
            TypeObject::Tag { functype } => TypeObject::Tag { functype: functype.clone() },
            _ => TypeObject::from(&self.to_rust()),
        }
    }
}

impl From<&ExternType> for TypeObject {
    fn from(ty: &ExternType) -> Self {
        match ty {
            ExternType::Func(ty) => TypeObject::from_func(ty),
            ExternType::Global(ty) => TypeObject::Global { content: Box::new(ty.content), mutable: ty.mutable },
            ExternType::Table(ty) => {
                TypeObject::Table { element: Box::new(ty.element), limits: limits_to_c(&ty.limits) }
            }
            ExternType::Memory(ty) => TypeObject::Memory { limits: limits_to_c(&ty.limits) },
        }
    }
}

impl TypeObject {
    /// A function's type.
    pub(super) fn from_func(ty: &FuncType) -> Self {
        let list = |types: &[ValType]| Owned::of(types.iter().map(|ty| Own::<wasm_valtype_t>::new(*ty).into_raw()));
        TypeObject::Func { params: list(&ty.params), results: list(&ty.results) }
    }

    /// The type as the engine has it. That of a tag, which it does not know, is that of what the tag carries.
    pub(super) fn to_rust(&self) -> ExternType {
        match self {
            TypeObject::Func { params, results } => {
                ExternType::Func(FuncType { params: types_of(params), results: types_of(results) })
            }
            TypeObject::Global { content, mutable } => {
                ExternType::Global(GlobalType { content: **content, mutable: *mutable })
            }
            TypeObject::Table { element, limits } => {
                ExternType::Table(TableType { element: **element, limits: limits_from_c(limits) })
            }
            TypeObject::Memory { limits } => ExternType::Memory(MemoryType { limits: limits_from_c(limits) }),
            TypeObject::Tag { functype } => functype.to_rust(),
        }
    }

    /// What this is the type of.
    fn kind(&self) -> wasm_externkind_enum {
        match self {
            TypeObject::Func { .. } => wasm_externkind_enum::WASM_EXTERN_FUNC,
            TypeObject::Global { .. } => wasm_externkind_enum::WASM_EXTERN_GLOBAL,
            TypeObject::Table { .. } => wasm_externkind_enum::WASM_EXTERN_TABLE,
            TypeObject::Memory { .. } => wasm_externkind_enum::WASM_EXTERN_MEMORY,
            TypeObject::Tag { .. } => wasm_externkind_enum::WASM_EXTERN_TAG,
        }
    }
}

/// The types in a vector that [`check_types`] passed.
fn types_of(types: &Owned<wasm_valtype_vec_t>) -> Box<[ValType]> {
    // SAFETY: the elements are live, and none is NULL.
    types.elements().iter().map(|ty| unsafe { *ty.cast::<ValType>() }).collect()
}

/// Refuses a vector with NULL among its types.
pub(super) fn check_types(types: &Owned<wasm_valtype_vec_t>, param: &str) -> Result<()> {
    match types.elements().iter().position(|ty| ty.is_null()) {
        Some(i) => Err(Error::new(ErrorKind::Argument, format!("`{param}` has NULL at {i}"))),
        None => Ok(()),
    }
}

/// Limits as C has them. Sizes beyond 32 bits do not occur in the types a module of ours can have.
fn limits_to_c(limits: &Limits) -> wasm_limits_t {
    let clamp = |size: u64| u32::try_from(size).unwrap_or(NO_MAX);
    wasm_limits_t { min: clamp(limits.min), max: limits.max.map_or(NO_MAX, clamp) }
}

/// Limits as the engine has them.
fn limits_from_c(limits: &wasm_limits_t) -> Limits {
    Limits { min: limits.min.into(), max: (limits.max != NO_MAX).then_some(limits.max.into()) }
}

/// Refuses limits whose minimum is above their maximum.
pub(super) fn check_limits(limits: &wasm_limits_t) -> Result<()> {
    if limits.min > limits.max {
        let wasm_limits_t { min, max } = limits;
        return Err(Error::new(
            ErrorKind::Argument,
            format!("`limits` has a minimum of {min} above its maximum {max}"),
        ));
    }
    Ok(())
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
