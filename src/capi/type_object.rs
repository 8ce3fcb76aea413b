//! What stands behind the types of functions, globals, tables, memories and tags, and behind `wasm_externtype_t`: the
//! standard's `_as_externtype` conversions borrow, so all are one object.

use super::externtype::wasm_externkind_enum;
use super::plumbing::handles::wasm_valtype_t;
use super::plumbing::own::Own;
use super::plumbing::vec::Owned;
use super::valtype::ValTypeObject;
use super::vecs::wasm_valtype_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::wasm::{ExternType, FuncType, GlobalType, Limits, MemoryType, TableType, ValType};

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
        /// The type as the engine has it, if that is where it comes from.
        known: Option<FuncType>,
    },
    /// A global's.
    Global {
        /// The type of its value.
        content: Box<ValTypeObject>,
        /// Whether it can be written.
        mutable: bool,
    },
    /// A table's.
    Table {
        /// The type.
        ty: TableType,
        /// The type of its elements, as C borrows it.
        element: Box<ValTypeObject>,
        /// Its size, as C borrows it.
        limits: wasm_limits_t,
    },
    /// A memory's.
    Memory {
        /// The type.
        ty: MemoryType,
        /// Its size, as C borrows it.
        limits: wasm_limits_t,
    },
    /// A tag's.
    Tag {
        /// What it carries, a function's type.
        functype: Box<TypeObject>,
    },
}

impl Clone for TypeObject {
    fn clone(&self) -> Self {
        TypeObject::from(&self.to_rust())
    }
}

impl TypeObject {
    /// A function's type.
    pub(super) fn from_func(ty: &FuncType) -> Self {
        let list =
            |types: &[ValType]| Owned::of(types.iter().map(|ty| Own::<wasm_valtype_t>::new((*ty).into()).into_raw()));
        TypeObject::Func {
            params: list(&ty.params),
            results: list(&ty.results),
            known: ty.defined().map(|_| ty.clone()),
        }
    }

    /// The type as the engine has it.
    pub(super) fn to_rust(&self) -> ExternType {
        match self {
            TypeObject::Func { known: Some(ty), .. } => ExternType::Func(ty.clone()),
            TypeObject::Func { params, results, known: None } => {
                ExternType::Func(FuncType::new(types_of(params), types_of(results)))
            }
            TypeObject::Global { content, mutable } => {
                ExternType::Global(GlobalType { content: content.ty, mutable: *mutable })
            }
            TypeObject::Table { ty, .. } => ExternType::Table(*ty),
            TypeObject::Memory { ty, .. } => ExternType::Memory(*ty),
            TypeObject::Tag { functype } => match functype.to_rust() {
                ExternType::Func(ty) => ExternType::Tag(ty),
                other => other,
            },
        }
    }

    /// A table's type.
    pub(super) fn from_table(ty: TableType) -> Self {
        TypeObject::Table { ty, element: Box::new(ValType::Ref(ty.element).into()), limits: limits_to_c(&ty.limits) }
    }

    /// A memory's type.
    pub(super) fn from_memory(ty: MemoryType) -> Self {
        TypeObject::Memory { ty, limits: limits_to_c(&ty.limits) }
    }

    /// What this is the type of.
    pub(in crate::capi) fn kind(&self) -> wasm_externkind_enum {
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
fn types_of(types: &Owned<wasm_valtype_vec_t>) -> impl Iterator<Item = ValType> {
    // SAFETY: the elements are live, and none is NULL.
    types.elements().iter().map(|ty| unsafe { (*ty.cast::<ValTypeObject>()).ty })
}

/// Refuses a vector with NULL among its types.
pub(super) fn check_types(types: &Owned<wasm_valtype_vec_t>, param: &str) -> Result<()> {
    match types.elements().iter().position(|ty| ty.is_null()) {
        Some(i) => Err(Error::new(ErrorKind::Argument, format!("`{param}` has NULL at {i}"))),
        None => Ok(()),
    }
}

/// Limits as C has them. Of sizes that need more than 32 bits it has the largest, which for a maximum says none.
fn limits_to_c(limits: &Limits) -> wasm_limits_t {
    let clamp = |size: u64| u32::try_from(size).unwrap_or(NO_MAX);
    wasm_limits_t { min: clamp(limits.min), max: limits.max.map_or(NO_MAX, clamp) }
}

/// Limits as the engine has them.
///
/// # Errors
/// [`ErrorKind::Argument`] where the minimum is above the maximum.
pub(super) fn limits_from_c(limits: &wasm_limits_t) -> Result<Limits> {
    if limits.min > limits.max {
        let wasm_limits_t { min, max } = limits;
        return Err(Error::new(
            ErrorKind::Argument,
            format!("`limits` has a minimum of {min} above its maximum {max}"),
        ));
    }
    Ok(Limits { min: limits.min.into(), max: (limits.max != NO_MAX).then_some(limits.max.into()) })
}

/// Limits of 64 bits, as C gives them.
///
/// # Errors
/// [`ErrorKind::Argument`] where the minimum is above the maximum.
pub(super) fn limits_from_parts(min: u64, max: Option<u64>) -> Result<Limits> {
    if let Some(max) = max.filter(|max| *max < min) {
        return Err(Error::new(ErrorKind::Argument, format!("`min` is {min}, above `max`, which is {max}")));
    }
    Ok(Limits { min, max })
}
