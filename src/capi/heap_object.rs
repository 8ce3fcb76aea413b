//! Structures, arrays and integers of 31 bits in the host's hand: their types, and references to them, made, looked
//! into and changed. Such a reference is a `wasm_ref_t`, as all are.

use super::plumbing::guard::{or_abort, or_error, or_null};
use super::plumbing::handles::{stepwell_error_t, wasm_ref_t, wasm_store_t, wasm_valtype_t};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, borrow, bytes, lend, plain, room};
use super::val::{from_c, list_from_c, ref_from_c, ref_to_c, to_c, wasm_val_t};
use super::valtype::ValTypeObject;
use super::vecs::wasm_val_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{AnyRef, AsStoreMut as _, ExternRef, StoreMut, Val};
use crate::wasm::{ArrayType, Composite, DefinedType, FieldType, HeapType, RefType, StorageType, StructType, ValType};
use std::ffi::c_void;

/// How a field is kept, one of `enum stepwell_storage_enum`.
pub type stepwell_storage_t = u8;

/// How fields are kept.
#[repr(C)]
pub enum stepwell_storage_enum {
    /// As a value of its type.
    STEPWELL_STORAGE_VALUE = 0,
    /// `i8`: the lowest 8 bits of an `i32`.
    STEPWELL_STORAGE_I8 = 1,
    /// `i16`: the lowest 16 bits of an `i32`.
    STEPWELL_STORAGE_I16 = 2,
}

/// A field of a structure, or what all elements of an array are.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_field_t {
    /// The type of its values: `i32` where it is kept in fewer bits; there it may be NULL for a new type.
    pub r#type: *const wasm_valtype_t,
    /// How it is kept, one of `enum stepwell_storage_enum`.
    pub storage: stepwell_storage_t,
    /// Whether it can be written.
    pub is_mutable: bool,
}

/// A field that C passed.
///
/// # Safety
/// Its type is NULL or a live type.
unsafe fn field_from_c(field: &stepwell_field_t, what: &str) -> Result<FieldType> {
    use stepwell_storage_enum as s;
    // SAFETY: by the contract.
    let ty = || unsafe { borrow(field.r#type, what) }.map(|object| object.ty);
    let packed = |storage| {
        if field.r#type.is_null() || ty()? == ValType::I32 {
            return Ok(storage);
        }
        let message = format!("`{what}` is kept in fewer bits, and its type is {}, not i32", ty()?);
        Err(Error::new(ErrorKind::Argument, message))
    };
    let storage = match field.storage {
        value if value == s::STEPWELL_STORAGE_VALUE as u8 => StorageType::Val(ty()?),
        value if value == s::STEPWELL_STORAGE_I8 as u8 => packed(StorageType::I8)?,
        value if value == s::STEPWELL_STORAGE_I16 as u8 => packed(StorageType::I16)?,
        value => {
            let message = format!("the storage of `{what}` is {value}, which is none");
            return Err(Error::new(ErrorKind::Argument, message));
        }
    };
    Ok(FieldType { storage, mutable: field.is_mutable })
}

/// The fields of a type that has been defined: of an array's type the one that all elements are.
fn fields(ty: &ValTypeObject) -> &[FieldType] {
    match ty.defined.as_ref().map(|ty| &ty.composite) {
        Some(Composite::Struct(ty)) => &ty.fields,
        Some(Composite::Array(ty)) => std::slice::from_ref(&ty.element),
        _ => &[],
    }
}

/// The type of references to what has been defined, never null.
fn ref_to(defined: &DefinedType) -> Own<wasm_valtype_t> {
    Own::new(ValType::Ref(RefType { heap: defined.heap(), nullable: false }).into())
}

/// A new type of references to structures of these fields, which are `count`; null is not among them. Where modules or
/// the host define the same, which is in no group with others and final, it is the same type. NULL for fields that are
/// none; `stepwell_last_error()` says which.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_new_struct(
    fields: *const stepwell_field_t,
    count: usize,
) -> Own<wasm_valtype_t> {
    or_null("stepwell_valtype_new_struct", || {
        let mut known = Vec::new();
        for index in 0..count {
            // SAFETY: C passes so many fields.
            let field = unsafe { plain(fields.wrapping_add(index), "fields") }?;
            // SAFETY: their types are live or NULL.
            known.push(unsafe { field_from_c(field, &format!("fields[{index}]")) }?);
        }
        Ok(ref_to(&DefinedType::structure(StructType { fields: known.into() })?))
    })
}

/// A new type of references to arrays of such elements; else as `stepwell_valtype_new_struct`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_new_array(element: *const stepwell_field_t) -> Own<wasm_valtype_t> {
    or_null("stepwell_valtype_new_array", || {
        // SAFETY: C passes a field, whose type is live or NULL.
        let element = unsafe { field_from_c(plain(element, "element")?, "element") }?;
        Ok(ref_to(&DefinedType::array(ArrayType { element })?))
    })
}

/// How many fields the structures have that references of this type refer to, if they have been defined; 1 for arrays,
/// and 0 for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_field_count(ty: *const wasm_valtype_t) -> usize {
    // SAFETY: C passes a live type or NULL.
    or_abort("stepwell_valtype_field_count", || Ok(fields(unsafe { borrow(ty, "ty") }?).len()))
}

/// Writes the field of this number to `out`, or what the elements are; false where there is none. The field's type is
/// borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_field(
    ty: *const wasm_valtype_t,
    index: usize,
    out: Out<stepwell_field_t>,
) -> bool {
    use stepwell_storage_enum as s;
    or_null("stepwell_valtype_field", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live type or NULL.
        let object = unsafe { borrow(ty, "ty") }?;
        let fields = fields(object);
        let Some(field) = fields.get(index) else { return Ok(false) };
        let types = object.fields.get_or_init(|| fields.iter().map(|field| field.storage.unpacked().into()).collect());
        let storage = match field.storage {
            StorageType::Val(_) => s::STEPWELL_STORAGE_VALUE,
            StorageType::I8 => s::STEPWELL_STORAGE_I8,
            StorageType::I16 => s::STEPWELL_STORAGE_I16,
        } as u8;
        let field = stepwell_field_t { r#type: lend(&types[index]), storage, is_mutable: field.mutable };
        // SAFETY: `out` is C's.
        unsafe { out.write(field) };
        Ok(true)
    })
}

/// What has been defined that references of a type refer to.
///
/// # Safety
/// The pointer is NULL or a live type.
unsafe fn defined<'a>(ty: *const wasm_valtype_t) -> Result<&'a DefinedType> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(ty, "type") }?;
    object.defined.as_ref().ok_or_else(|| {
        let message = format!("`type` is {}, which is no type of references to what has been defined", object.ty);
        Error::new(ErrorKind::Argument, message)
    })
}

/// What stands behind a reference to what a guest could have made.
///
/// # Safety
/// The pointer is NULL or a live reference.
unsafe fn get<'a>(r#ref: *const wasm_ref_t) -> Result<(&'a Object, AnyRef)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(r#ref, "ref") }?;
    match object.kind {
        Kind::Any(value) => Ok((object, value)),
        _ => Err(Error::new(ErrorKind::Argument, "`ref` is neither to a structure nor to an array")),
    }
}

/// Makes a structure of the type that `type` refers to, with these fields, and writes a reference to it to `out`. Of a
/// field that is kept in fewer bits the lowest of an `i32` are taken. An error where the values are not those of its
/// fields, and where the heap is full.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_struct_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_valtype_t,
    fields: *const wasm_val_vec_t,
    out: Out<Own<wasm_ref_t>>,
) -> Own<stepwell_error_t> {
    // SAFETY: handed on to C.
    unsafe {
        make("stepwell_struct_new", store, r#type, (fields, "fields"), out, |store, ty, fields| {
            AnyRef::new_struct(store, ty, fields)
        })
    }
}

/// Makes an array of the type that `type` refers to, with these elements; else as `stepwell_struct_new`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_array_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_valtype_t,
    elements: *const wasm_val_vec_t,
    out: Out<Own<wasm_ref_t>>,
) -> Own<stepwell_error_t> {
    // SAFETY: handed on to C.
    unsafe {
        make("stepwell_array_new", store, r#type, (elements, "elements"), out, |store, ty, elements| {
            AnyRef::new_array(store, ty, elements)
        })
    }
}

/// Makes an array of so many elements that are all the same; else as `stepwell_array_new`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_array_new_of(
    store: *mut wasm_store_t,
    r#type: *const wasm_valtype_t,
    value: *const wasm_val_t,
    length: u32,
    out: Out<Own<wasm_ref_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_array_new_of", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let (cell, ty, value) = unsafe { (borrow(store, "store")?, defined(r#type)?, plain(value, "value")?) };
        let mut store = cell.enter()?;
        // SAFETY: a valid value.
        let value = unsafe { from_c(cell, &mut *store, value, "value") }?;
        let made = AnyRef::new_array_of(&mut *store, ty, value, length)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(ref_to_c(cell, &mut *store, Val::AnyRef(Some(made)))) };
        Ok(())
    })
}

/// The one way from values to an object.
///
/// # Safety
/// The pointers are NULL or live, and the values valid.
unsafe fn make(
    function: &str,
    store: *mut wasm_store_t,
    ty: *const wasm_valtype_t,
    (values, what): (*const wasm_val_vec_t, &str),
    out: Out<Own<wasm_ref_t>>,
    make: impl FnOnce(StoreMut<'_>, &DefinedType, &[Val]) -> Result<AnyRef>,
) -> Own<stepwell_error_t> {
    or_error(function, || {
        let out = out.check("out")?;
        // SAFETY: by the contract.
        let (cell, ty) = unsafe { (borrow(store, "store")?, defined(ty)?) };
        let mut store = cell.enter()?;
        // SAFETY: by the contract.
        let values = unsafe { list_from_c(cell, &mut *store, values, what) }?;
        let made = make(store.as_store_mut(), ty, &values)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(ref_to_c(cell, &mut *store, Val::AnyRef(Some(made)))) };
        Ok(())
    })
}

/// A reference that is the lowest 31 bits of an integer, as `ref.i31` makes it.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_i31_new(store: *mut wasm_store_t, value: i32) -> Own<wasm_ref_t> {
    or_null("stepwell_i31_new", || {
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        Ok(Own::new(Object::new(cell, Kind::Any(AnyRef::i31(value)))))
    })
}

/// Whether a reference is an integer of 31 bits, which is written to `out`, with its sign.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_ref_i31(r#ref: *const wasm_ref_t, out: *mut i32) -> bool {
    or_null("stepwell_ref_i31", || {
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes a live reference or NULL.
        let Kind::Any(value) = unsafe { borrow(r#ref, "ref") }?.kind else { return Ok(false) };
        let Some(value) = value.as_i31() else { return Ok(false) };
        // SAFETY: `out` is C's.
        unsafe { out.write(value) };
        Ok(true)
    })
}

/// The lowest type that a reference is of: of a structure, an array or a function the one that has been defined, `i31`,
/// `exn`, and for what is the host's `extern`, or `any` where it has been made one of the family of `anyref`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_ref_type(r#ref: *const wasm_ref_t) -> Own<wasm_valtype_t> {
    or_null("stepwell_ref_type", || {
        // SAFETY: C passes a live reference or NULL.
        let object = unsafe { borrow(r#ref, "ref") }?;
        let store = object.cell.enter()?;
        let heap = match object.kind {
            Kind::Any(value) => value.ty(&*store)?,
            Kind::Func(func) => func.heap_type(&*store)?,
            Kind::Exception(_) => HeapType::Exn,
            _ => HeapType::Extern,
        };
        Ok(Own::new(ValType::Ref(RefType { heap, nullable: false }).into()))
    })
}

/// Writes to `out` how many fields the structure has, or elements the array. An error where it is neither.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_object_length(r#ref: *const wasm_ref_t, out: *mut u32) -> Own<stepwell_error_t> {
    or_error("stepwell_object_length", || {
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes a live reference or NULL.
        let (object, value) = unsafe { get(r#ref) }?;
        let length = value.len(&*object.cell.enter()?)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(length) };
        Ok(())
    })
}

/// Writes the field of this number to `out`, or the element. One that is kept in fewer bits is an `i32` without sign.
/// An error where there is none.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_object_get(
    r#ref: *const wasm_ref_t,
    index: u32,
    out: Out<wasm_val_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_object_get", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live reference or NULL.
        let (object, value) = unsafe { get(r#ref) }?;
        let mut store = object.cell.enter()?;
        let value = value.get(&*store, index)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(to_c(&object.cell, &mut *store, value)) };
        Ok(())
    })
}

/// Changes the field of this number, or the element. An error where there is none, where it may not change, and where
/// the value is not of its type.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_object_set(
    r#ref: *const wasm_ref_t,
    index: u32,
    value: *const wasm_val_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_object_set", || {
        // SAFETY: C passes a live reference and a valid value, or NULL.
        let ((object, reference), value) = unsafe { (get(r#ref)?, plain(value, "value")?) };
        let mut store = object.cell.enter()?;
        // SAFETY: a valid value.
        let value = unsafe { from_c(&object.cell, &mut *store, value, "value") }?;
        reference.set(&mut *store, index, value)
    })
}

/// Copies elements of an array of numbers to `out`, from `first` on: as many as fill `size` bytes, little-endian, one
/// behind the other. An error, and nothing is copied, where they are not all in the array, and where `size` is no
/// multiple of an element's.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_array_read(
    r#ref: *const wasm_ref_t,
    first: u32,
    out: *mut c_void,
    size: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_array_read", || {
        // SAFETY: C passes a live reference or NULL.
        let (object, reference) = unsafe { get(r#ref) }?;
        // SAFETY: C has room for so many bytes there.
        let out = unsafe { room(out, size, "out") }?;
        reference.read_elements(&*object.cell.enter()?, first, out)
    })
}

/// Changes elements of an array of numbers, from `first` on: as many as `size` bytes are; else as
/// `stepwell_array_read`, and an error where they may not change.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_array_write(
    r#ref: *const wasm_ref_t,
    first: u32,
    data: *const c_void,
    size: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_array_write", || {
        // SAFETY: C passes a live reference or NULL.
        let (object, reference) = unsafe { get(r#ref) }?;
        // SAFETY: C has so many bytes there.
        let from = unsafe { bytes(data, size, "data") }?;
        reference.write_elements(&mut *object.cell.enter()?, first, from)
    })
}

/// What a reference is as one of the family of `anyref`, as `any.convert_extern` makes it of an external one; another
/// handle of what is one already. NULL for functions and exceptions; `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_ref_to_any(r#ref: *const wasm_ref_t) -> Own<wasm_ref_t> {
    or_null("stepwell_ref_to_any", || {
        // SAFETY: C passes a live reference or NULL.
        let object = unsafe { borrow(r#ref, "ref") }?;
        match object.kind {
            Kind::Any(_) => return Ok(Own::new(object.clone())),
            Kind::Func(_) | Kind::Exception(_) => {
                return Err(Error::new(
                    ErrorKind::Argument,
                    "`ref` is a function or an exception, which no `anyref` is",
                ));
            }
            _ => {}
        }
        let mut store = object.cell.enter()?;
        let ty = RefType::nullable(HeapType::Extern);
        // SAFETY: a live reference.
        let Val::ExternRef(Some(value)) = (unsafe { ref_from_c(&object.cell, &mut *store, ty, r#ref, "ref") })? else {
            unreachable!("it is not null")
        };
        Ok(ref_to_c(&object.cell, &mut *store, Val::AnyRef(Some(AnyRef::of_extern(value)))))
    })
}

/// What a reference of the family of `anyref` is as an external one, as `extern.convert_any` makes it; another handle
/// of any other.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_ref_to_extern(r#ref: *const wasm_ref_t) -> Own<wasm_ref_t> {
    or_null("stepwell_ref_to_extern", || {
        // SAFETY: C passes a live reference or NULL.
        let object = unsafe { borrow(r#ref, "ref") }?;
        let Kind::Any(value) = object.kind else { return Ok(Own::new(object.clone())) };
        let mut store = object.cell.enter()?;
        let value = ExternRef::convert_any(&*store, value)?;
        Ok(ref_to_c(&object.cell, &mut *store, Val::ExternRef(Some(value))))
    })
}
