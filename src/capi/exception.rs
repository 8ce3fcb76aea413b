//! `stepwell_tag_t` and `stepwell_exception_t`: tags, and exceptions in the host's hand. The standard's header has the
//! type of a tag alone.

use super::plumbing::guard::{or_error, or_null};
use super::plumbing::handles::{
    stepwell_error_t, stepwell_exception_t, stepwell_tag_t, wasm_extern_t, wasm_ref_t, wasm_store_t, wasm_tagtype_t,
    wasm_trap_t,
};
use super::plumbing::object::{Kind, Object, convert, copy, same};
use super::plumbing::own::{Out, Own, borrow, handle};
use super::plumbing::vec;
use super::trap::{get as get_trap, trap_of};
use super::type_object::TypeObject;
use super::val::{list_from_c, to_c};
use super::vecs::wasm_val_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{ExnRef, Tag, Trap};
use crate::wasm::ExternType;

handle!(stepwell_tag_t => Object, |object| matches!(object.kind, Kind::Tag(_)));
handle!(stepwell_exception_t => Object, |object| matches!(object.kind, Kind::Exception(_)));

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live tag.
unsafe fn get_tag<'a>(pointer: *const stepwell_tag_t) -> Result<(&'a Object, Tag)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(pointer, "tag") }?;
    match object.kind {
        Kind::Tag(tag) => Ok((object, tag)),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live exception.
unsafe fn get<'a>(pointer: *const stepwell_exception_t) -> Result<(&'a Object, ExnRef)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(pointer, "exception") }?;
    match object.kind {
        Kind::Exception(exception) => Ok((object, exception)),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// A new tag, which is the same as no other. NULL for a type with results; `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tag_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_tagtype_t,
) -> Own<stepwell_tag_t> {
    or_null("stepwell_tag_new", || {
        // SAFETY: C passes live objects or NULL.
        let (cell, ty) = unsafe { (borrow(store, "store")?, borrow(r#type, "type")?) };
        let ExternType::Tag(ty) = ty.to_rust() else { unreachable!("checked by `borrow`") };
        Ok(Own::new(Object::new(cell, Tag::new(&mut *cell.enter()?, ty)?)))
    })
}

/// Deletes the handle of a tag; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tag_delete(tag: Own<stepwell_tag_t>) {
    // SAFETY: C gives it back.
    unsafe { tag.delete("stepwell_tag_delete", "tag") }
}

/// Another handle of the same tag. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tag_copy(object: *const stepwell_tag_t) -> Own<stepwell_tag_t> {
    // SAFETY: C passes a live tag or NULL.
    unsafe { copy("stepwell_tag_copy", object) }
}

/// Whether two handles are of the same tag.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tag_same(a: *const stepwell_tag_t, b: *const stepwell_tag_t) -> bool {
    // SAFETY: C passes live tags or NULL.
    unsafe { same("stepwell_tag_same", a, b) }
}

/// The tag's type.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tag_type(tag: *const stepwell_tag_t) -> Own<wasm_tagtype_t> {
    or_null("stepwell_tag_type", || {
        // SAFETY: C passes a live tag or NULL.
        let (object, tag) = unsafe { get_tag(tag) }?;
        let ty = tag.ty(&*object.cell.enter()?)?;
        Ok(Own::new(TypeObject::from(&ExternType::Tag(ty))))
    })
}

/// The same handle, borrowed, as something imported or exported. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_tag_as_extern(tag: *mut stepwell_tag_t) -> *mut wasm_extern_t {
    // SAFETY: C passes a live tag or NULL.
    unsafe { convert("stepwell_tag_as_extern", tag) }
}

/// The same handle, borrowed, as a tag's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_extern_as_tag(external: *mut wasm_extern_t) -> *mut stepwell_tag_t {
    // SAFETY: C passes a live object or NULL.
    unsafe { convert("stepwell_extern_as_tag", external) }
}

/// Makes an exception of a tag, which carries these values, and writes it to `out`. An error where they are not of the
/// tag's types.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_exception_new(
    tag: *const stepwell_tag_t,
    values: *const wasm_val_vec_t,
    out: Out<Own<stepwell_exception_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_exception_new", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live tag or NULL.
        let (object, tag) = unsafe { get_tag(tag) }?;
        let mut store = object.cell.enter()?;
        // SAFETY: C passes valid values or NULL.
        let values = unsafe { list_from_c(&object.cell, &mut *store, values, "values") }?;
        let exception = ExnRef::new(&mut *store, tag, &values)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(Object::new(&object.cell, exception))) };
        Ok(())
    })
}

/// Deletes the handle of an exception; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_exception_delete(exception: Own<stepwell_exception_t>) {
    // SAFETY: C gives it back.
    unsafe { exception.delete("stepwell_exception_delete", "exception") }
}

/// Another handle of the same exception. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_exception_copy(object: *const stepwell_exception_t) -> Own<stepwell_exception_t> {
    // SAFETY: C passes a live exception or NULL.
    unsafe { copy("stepwell_exception_copy", object) }
}

/// The exception's tag.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_exception_tag(exception: *const stepwell_exception_t) -> Own<stepwell_tag_t> {
    or_null("stepwell_exception_tag", || {
        // SAFETY: C passes a live exception or NULL.
        let (object, exception) = unsafe { get(exception) }?;
        let tag = exception.tag(&*object.cell.enter()?)?;
        Ok(Own::new(Object::new(&object.cell, tag)))
    })
}

/// Writes what the exception carries to `out`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_exception_values(
    exception: *const stepwell_exception_t,
    out: Out<wasm_val_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_exception_values", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live exception or NULL.
        let (object, exception) = unsafe { get(exception) }?;
        let mut store = object.cell.enter()?;
        let values = exception.values(&*store)?;
        let values: Vec<_> = values.into_iter().map(|value| to_c(&object.cell, &mut *store, value)).collect();
        // SAFETY: `out` is C's.
        unsafe { out.write(vec::from_elements(values)) };
        Ok(())
    })
}

/// The trap by which a host function throws the exception: it is caught where one of a guest's would be that the call
/// throws.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_exception_throw(exception: *const stepwell_exception_t) -> Own<wasm_trap_t> {
    or_null("stepwell_exception_throw", || {
        // SAFETY: C passes a live exception or NULL.
        let (object, exception) = unsafe { get(exception) }?;
        let error = exception.throw(&*object.cell.enter()?)?;
        Ok(trap_of(&object.cell, error))
    })
}

/// The exception, if the trap is one that nobody has caught; else NULL. A host function that returns the trap hands it
/// on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_exception(trap: *const wasm_trap_t) -> Own<stepwell_exception_t> {
    or_null("stepwell_trap_exception", || {
        // SAFETY: C passes a live trap or NULL.
        let (object, trap) = unsafe { get_trap(trap) }?;
        let Some(exception) = trap.trap.as_ref().and_then(Trap::exception) else { return Ok(Own::null()) };
        // One of another store stays with that.
        if exception.tag(&*object.cell.enter()?).is_err() {
            return Err(Error::new(ErrorKind::Argument, "the exception is one of another store than the trap"));
        }
        Ok(Own::new(Object::new(&object.cell, exception)))
    })
}

/// The same handle, borrowed, as a reference, for values of the kind `STEPWELL_VALKIND_EXNREF`. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_exception_as_ref(exception: *mut stepwell_exception_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live exception or NULL.
    unsafe { convert("stepwell_exception_as_ref", exception) }
}

/// The same handle, borrowed, as an exception's; NULL if it is something else's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_ref_as_exception(r#ref: *mut wasm_ref_t) -> *mut stepwell_exception_t {
    // SAFETY: C passes a live reference or NULL.
    unsafe { convert("stepwell_ref_as_exception", r#ref) }
}
