//! `wasm_valtype_t`: a value's type, and the kinds it has in C.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::wasm_valtype_t;
use super::plumbing::own::{Own, borrow, handle, string};
use crate::base::{Defined, DefinedKind, Error, ErrorKind, Family, NulText, Result, TypeId};
use crate::wasm::{DefinedType, FuncType, HeapType, RefType, Subtype, ValType};
use std::ffi::c_char;
use std::sync::OnceLock;

handle!(wasm_valtype_t => ValTypeObject);

/// What stands behind a value's type.
pub(super) struct ValTypeObject {
    pub(super) ty: ValType,
    /// What a reference refers to, if that has been defined: it stays known as long as C has the type.
    pub(super) defined: Option<DefinedType>,
    /// The types of its fields, once C has asked for them.
    pub(super) fields: OnceLock<Box<[ValTypeObject]>>,
    /// The type as text, once C has asked for it.
    text: OnceLock<NulText>,
}

impl ValTypeObject {
    /// The type of the functions that are referred to, if that is one.
    pub(super) fn func_type(&self) -> Option<FuncType> {
        FuncType::of_defined(self.defined.as_ref()?)
    }
}

impl From<ValType> for ValTypeObject {
    fn from(ty: ValType) -> ValTypeObject {
        let defined = match ty {
            ValType::Ref(RefType { heap: HeapType::Defined(Defined { id, .. }), .. }) => DefinedType::of(id),
            _ => None,
        };
        ValTypeObject { ty, defined, fields: OnceLock::new(), text: OnceLock::new() }
    }
}

/// The kind of a value, one of `enum wasm_valkind_enum` or of `enum stepwell_valkind_enum`.
pub type wasm_valkind_t = u8;

/// The kinds of values.
#[repr(C)]
pub enum wasm_valkind_enum {
    /// A 32-bit integer.
    WASM_I32 = 0,
    /// A 64-bit integer.
    WASM_I64 = 1,
    /// A 32-bit float.
    WASM_F32 = 2,
    /// A 64-bit float.
    WASM_F64 = 3,
    /// A reference to anything of the host's.
    WASM_EXTERNREF = 128,
    /// A reference to a function.
    WASM_FUNCREF = 129,
}

/// The kinds of values that the standard's header has no word for.
#[repr(C)]
pub enum stepwell_valkind_enum {
    /// A vector of 128 bits.
    STEPWELL_VALKIND_V128 = 4,
    /// A reference to an exception.
    STEPWELL_VALKIND_EXNREF = 130,
    /// A reference to anything that a guest has made.
    STEPWELL_VALKIND_ANYREF = 131,
}

impl Clone for ValTypeObject {
    fn clone(&self) -> ValTypeObject {
        ValTypeObject { ty: self.ty, defined: self.defined.clone(), fields: OnceLock::new(), text: OnceLock::new() }
    }
}

/// What a reference refers to, one of `enum stepwell_heapkind_enum`.
pub type stepwell_heapkind_t = u8;

/// What references refer to. Names are those of the text format.
#[repr(C)]
pub enum stepwell_heapkind_enum {
    /// The type is no reference's.
    STEPWELL_HEAPKIND_NO_REF = 0,
    /// `func`: a function, of whatever type.
    STEPWELL_HEAPKIND_FUNC = 1,
    /// `nofunc`: no function, null alone.
    STEPWELL_HEAPKIND_NOFUNC = 2,
    /// `extern`: anything of the host's.
    STEPWELL_HEAPKIND_EXTERN = 3,
    /// `noextern`: nothing of the host's, null alone.
    STEPWELL_HEAPKIND_NOEXTERN = 4,
    /// `exn`: an exception.
    STEPWELL_HEAPKIND_EXN = 5,
    /// `noexn`: no exception, null alone.
    STEPWELL_HEAPKIND_NOEXN = 6,
    /// `any`: anything that a guest has made.
    STEPWELL_HEAPKIND_ANY = 7,
    /// `eq`: of these, what can be compared.
    STEPWELL_HEAPKIND_EQ = 8,
    /// `i31`: an integer of 31 bits.
    STEPWELL_HEAPKIND_I31 = 9,
    /// `struct`: a structure, of whatever type.
    STEPWELL_HEAPKIND_STRUCT = 10,
    /// `array`: an array, of whatever type.
    STEPWELL_HEAPKIND_ARRAY = 11,
    /// `none`: nothing that a guest has made, null alone.
    STEPWELL_HEAPKIND_NONE = 12,
    /// A function of a type that has been defined.
    STEPWELL_HEAPKIND_DEFINED_FUNC = 13,
    /// A structure of a type that has been defined.
    STEPWELL_HEAPKIND_DEFINED_STRUCT = 14,
    /// An array of a type that has been defined.
    STEPWELL_HEAPKIND_DEFINED_ARRAY = 15,
}

/// What a type refers to, as C has it.
fn heapkind_of(ty: ValType) -> stepwell_heapkind_t {
    use stepwell_heapkind_enum as k;
    let ValType::Ref(RefType { heap, .. }) = ty else { return k::STEPWELL_HEAPKIND_NO_REF as u8 };
    (match heap {
        HeapType::Func => k::STEPWELL_HEAPKIND_FUNC,
        HeapType::NoFunc => k::STEPWELL_HEAPKIND_NOFUNC,
        HeapType::Extern => k::STEPWELL_HEAPKIND_EXTERN,
        HeapType::NoExtern => k::STEPWELL_HEAPKIND_NOEXTERN,
        HeapType::Exn => k::STEPWELL_HEAPKIND_EXN,
        HeapType::NoExn => k::STEPWELL_HEAPKIND_NOEXN,
        HeapType::Any => k::STEPWELL_HEAPKIND_ANY,
        HeapType::Eq => k::STEPWELL_HEAPKIND_EQ,
        HeapType::I31 => k::STEPWELL_HEAPKIND_I31,
        HeapType::Struct => k::STEPWELL_HEAPKIND_STRUCT,
        HeapType::Array => k::STEPWELL_HEAPKIND_ARRAY,
        HeapType::None => k::STEPWELL_HEAPKIND_NONE,
        HeapType::Defined(Defined { kind, .. }) => match kind {
            DefinedKind::Func => k::STEPWELL_HEAPKIND_DEFINED_FUNC,
            DefinedKind::Struct => k::STEPWELL_HEAPKIND_DEFINED_STRUCT,
            DefinedKind::Array => k::STEPWELL_HEAPKIND_DEFINED_ARRAY,
        },
    }) as u8
}

/// The type that a text names, as [`ValType`] is shown, or a reference's in its long form.
fn of_text(text: &str) -> Result<ValType> {
    let no_type = || Error::new(ErrorKind::Argument, format!("`text` is {text:?}, which is no type of values"));
    if let Some(ty) = ValType::SLOTS.into_iter().find(|ty| ty.to_string() == text) {
        return Ok(ty);
    }
    if let Some(inside) = text.strip_prefix("(ref ").and_then(|rest| rest.strip_suffix(')')) {
        let (nullable, name) = inside.strip_prefix("null ").map_or((false, inside), |name| (true, name));
        let heap = match name.strip_prefix("$type") {
            None => HeapType::ABSTRACT.into_iter().find(|heap| heap.to_string() == name).ok_or_else(no_type)?,
            Some(number) => {
                let id = TypeId::new(number.parse().map_err(|_| no_type())?);
                let gone =
                    || Error::new(ErrorKind::Argument, format!("`text` is {text:?}; there is no such type any more"));
                DefinedType::of(id).ok_or_else(gone)?.heap()
            }
        };
        return Ok(RefType { heap, nullable }.into());
    }
    let short = HeapType::ABSTRACT.into_iter().map(RefType::nullable).find(|ty| ty.to_string() == text);
    short.map(ValType::Ref).ok_or_else(no_type)
}

/// The kind of a type: the one place where the types of values meet their kinds in C.
pub(super) fn kind_of(ty: ValType) -> wasm_valkind_t {
    use wasm_valkind_enum as k;
    match ty {
        ValType::I32 => k::WASM_I32 as u8,
        ValType::I64 => k::WASM_I64 as u8,
        ValType::F32 => k::WASM_F32 as u8,
        ValType::F64 => k::WASM_F64 as u8,
        ValType::V128 => stepwell_valkind_enum::STEPWELL_VALKIND_V128 as u8,
        ValType::Ref(ty) => match ty.heap.family() {
            Family::Extern => k::WASM_EXTERNREF as u8,
            Family::Func => k::WASM_FUNCREF as u8,
            Family::Exn => stepwell_valkind_enum::STEPWELL_VALKIND_EXNREF as u8,
            Family::Any => stepwell_valkind_enum::STEPWELL_VALKIND_ANYREF as u8,
        },
    }
}

/// The type of a kind that came from C.
pub(super) fn of_kind(kind: wasm_valkind_t, param: &str) -> Result<ValType> {
    ValType::SLOTS.into_iter().find(|ty| kind_of(*ty) == kind).ok_or_else(|| no_kind(kind, param))
}

/// The error for a number that is no kind.
#[cold]
fn no_kind(kind: wasm_valkind_t, param: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("`{param}` is {kind}, which is no kind of value"))
}

/// A new value type of `kind`, one of `enum wasm_valkind_enum` or of `enum stepwell_valkind_enum`. NULL for any other
/// number; `stepwell_last_error()` says so.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_valtype_new(kind: wasm_valkind_t) -> Own<wasm_valtype_t> {
    or_null("wasm_valtype_new", || Ok(Own::new(of_kind(kind, "kind")?.into())))
}

/// Deletes a value type. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_delete(ty: Own<wasm_valtype_t>) {
    // SAFETY: C gives it back.
    unsafe { ty.delete("wasm_valtype_delete", "ty") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_copy(ty: *const wasm_valtype_t) -> Own<wasm_valtype_t> {
    // SAFETY: C passes a live type or NULL.
    or_null("wasm_valtype_copy", || Ok(Own::new(unsafe { borrow(ty, "ty") }?.clone())))
}

/// The kind of a value type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_kind(ty: *const wasm_valtype_t) -> wasm_valkind_t {
    // SAFETY: C passes a live type or NULL.
    or_abort("wasm_valtype_kind", || Ok(kind_of(unsafe { borrow(ty, "ty") }?.ty)))
}

/// A new type of references, to what `heap` says, one of `enum stepwell_heapkind_enum`; null is among them, or not.
/// NULL for what has been defined, and for any other number; `stepwell_last_error()` says so.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_valtype_new_ref(heap: stepwell_heapkind_t, nullable: bool) -> Own<wasm_valtype_t> {
    or_null("stepwell_valtype_new_ref", || {
        let mut all = HeapType::ABSTRACT.into_iter().map(|heap| ValType::Ref(RefType { heap, nullable }));
        let found = all.find(|ty| heapkind_of(*ty) == heap);
        let refused = || {
            let message =
                format!("`heap` is {heap}, which is none of the kinds of references that have not been defined");
            Error::new(ErrorKind::Argument, message)
        };
        Ok(Own::new(found.ok_or_else(refused)?.into()))
    })
}

/// The type that a text names: as `stepwell_valtype_text` gives it, or as the text format has it. NULL for another
/// text, and for a `$type` that is no more; `stepwell_last_error()` says so.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_parse(text: *const c_char) -> Own<wasm_valtype_t> {
    // SAFETY: C passes a string or NULL.
    or_null("stepwell_valtype_parse", || Ok(Own::new(of_text(unsafe { string(text, "text") }?)?.into())))
}

/// The type as the text format has it: `i32`, `funcref`, `(ref eq)`. What modules have defined has a number, which is
/// the same for the same type in the whole process: `(ref null $type17)`. Borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_text(ty: *const wasm_valtype_t) -> *const c_char {
    or_null("stepwell_valtype_text", || {
        // SAFETY: C passes a live type or NULL.
        let object = unsafe { borrow(ty, "ty") }?;
        Ok(object.text.get_or_init(|| NulText::new(&object.ty.to_string())).as_ptr())
    })
}

/// What a type of references refers to, one of `enum stepwell_heapkind_enum`; `STEPWELL_HEAPKIND_NO_REF` for another
/// type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_heapkind(ty: *const wasm_valtype_t) -> stepwell_heapkind_t {
    // SAFETY: C passes a live type or NULL.
    or_abort("stepwell_valtype_heapkind", || Ok(heapkind_of(unsafe { borrow(ty, "ty") }?.ty)))
}

/// Whether null is a value of the type. False for types of numbers.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_is_nullable(ty: *const wasm_valtype_t) -> bool {
    or_null("stepwell_valtype_is_nullable", || {
        // SAFETY: C passes a live type or NULL.
        Ok(matches!(unsafe { borrow(ty, "ty") }?.ty, ValType::Ref(RefType { nullable: true, .. })))
    })
}

/// Whether two types are the same: as modules see it, where several define the same.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_same(a: *const wasm_valtype_t, b: *const wasm_valtype_t) -> bool {
    or_null("stepwell_valtype_same", || {
        // SAFETY: C passes live types or NULL.
        Ok(unsafe { borrow(a, "a")?.ty == borrow(b, "b")?.ty })
    })
}

/// Whether each value of type `ty` is one of type `wanted`: they are the same, or `ty` is below it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_matches(ty: *const wasm_valtype_t, wanted: *const wasm_valtype_t) -> bool {
    or_null("stepwell_valtype_matches", || {
        // SAFETY: C passes live types or NULL.
        Ok(unsafe { borrow(ty, "ty")?.ty.fits(&borrow(wanted, "wanted")?.ty) })
    })
}
