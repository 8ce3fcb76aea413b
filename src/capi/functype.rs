//! `wasm_functype_t`: a function's type, and types of references to such functions.

use super::plumbing::guard::or_null;
use super::plumbing::handles::{wasm_functype_t, wasm_valtype_t};
use super::plumbing::own::{Own, Take, borrow, handle};
use super::plumbing::vec::Owned;
use super::type_object::{TypeObject, check_types};
use super::vecs::wasm_valtype_vec_t;
use crate::base::Result;
use crate::wasm::{DefinedType, ExternType, FuncType, RefType, ValType};

handle!(wasm_functype_t => TypeObject, |ty| matches!(ty, TypeObject::Func { .. }));

/// A function type that C passed.
///
/// # Safety
/// The pointer is NULL or a live type.
pub(super) unsafe fn func_type(ty: *const wasm_functype_t) -> Result<FuncType> {
    // SAFETY: by the contract.
    match unsafe { borrow(ty, "type") }?.to_rust() {
        ExternType::Func(ty) => Ok(ty),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// A new function type. Takes the contents of both vectors, also when it fails; NULL counts as empty.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_new(
    params: Take<wasm_valtype_vec_t>,
    results: Take<wasm_valtype_vec_t>,
) -> Own<wasm_functype_t> {
    or_null("wasm_functype_new", || {
        // SAFETY: C passes valid vectors or NULL.
        let (params, results) = unsafe { (Owned::take(params, "params"), Owned::take(results, "results")) };
        check_types(&params, "params")?;
        check_types(&results, "results")?;
        Ok(Own::new(TypeObject::Func { params, results, known: None }))
    })
}

/// Deletes a function's type. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_delete(ty: Own<wasm_functype_t>) {
    // SAFETY: C gives it back.
    unsafe { ty.delete("wasm_functype_delete", "ty") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_copy(ty: *const wasm_functype_t) -> Own<wasm_functype_t> {
    // SAFETY: C passes a live type or NULL.
    or_null("wasm_functype_copy", || Ok(Own::new(unsafe { borrow(ty, "ty") }?.clone())))
}

/// The parameters, borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_params(ty: *const wasm_functype_t) -> *const wasm_valtype_vec_t {
    or_null("wasm_functype_params", || {
        // SAFETY: C passes a live type or NULL.
        match unsafe { borrow(ty, "ty") }? {
            TypeObject::Func { params, .. } => Ok(params.as_ptr()),
            _ => unreachable!("checked by `borrow`"),
        }
    })
}

/// The results, borrowed from the type.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_results(ty: *const wasm_functype_t) -> *const wasm_valtype_vec_t {
    or_null("wasm_functype_results", || {
        // SAFETY: C passes a live type or NULL.
        match unsafe { borrow(ty, "ty") }? {
            TypeObject::Func { results, .. } => Ok(results.as_ptr()),
            _ => unreachable!("checked by `borrow`"),
        }
    })
}

/// A new type of references to functions of one type; null is among them, or not.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_new_func_ref(
    r#type: *const wasm_functype_t,
    nullable: bool,
) -> Own<wasm_valtype_t> {
    or_null("stepwell_valtype_new_func_ref", || {
        // SAFETY: C passes a live type or NULL.
        let defined = DefinedType::func(&unsafe { func_type(r#type) }?)?;
        Ok(Own::new(ValType::Ref(RefType { heap: defined.heap(), nullable }).into()))
    })
}

/// The type of the functions that references of this type refer to, if that is one. Else NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_valtype_functype(ty: *const wasm_valtype_t) -> Own<wasm_functype_t> {
    or_null("stepwell_valtype_functype", || {
        // SAFETY: C passes a live type or NULL.
        let func = unsafe { borrow(ty, "ty") }?.func_type();
        Ok(func.map_or(Own::null(), |func| Own::new(TypeObject::from_func(&func))))
    })
}
