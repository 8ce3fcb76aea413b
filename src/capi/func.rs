//! `wasm_func_t`: functions, of guests and of the host.

use super::functype::func_type;
use super::host_func::call_back;
use super::plumbing::abort::abort;
use super::plumbing::cell::StoreCell;
use super::plumbing::env::Env;
use super::plumbing::guard::{caught, or_abort, or_error, or_null};
use super::plumbing::handles::{stepwell_error_t, wasm_func_t, wasm_functype_t, wasm_store_t, wasm_trap_t};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, borrow, handle, null};
use super::plumbing::vec;
use super::trap::{trap_of, trap_or_error};
use super::type_object::TypeObject;
use super::val::{list_from_c, to_c};
use super::vecs::wasm_val_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{Func, HostOrigin, Val};
use smallvec::SmallVec;
use std::ffi::c_void;
use std::sync::Arc;

handle!(wasm_func_t => Object, |object| matches!(object.kind, Kind::Func(_)));

/// A host function. `args` are borrowed; `results` has room for the results, and what is written there is given away.
/// A trap that is returned is given away, and ends the guest's call; NULL is success.
pub type wasm_func_callback_t =
    Option<unsafe extern "C-unwind" fn(args: *const wasm_val_vec_t, results: *mut wasm_val_vec_t) -> Own<wasm_trap_t>>;

/// A host function with an environment.
pub type wasm_func_callback_with_env_t = Option<
    unsafe extern "C-unwind" fn(
        env: *mut c_void,
        args: *const wasm_val_vec_t,
        results: *mut wasm_val_vec_t,
    ) -> Own<wasm_trap_t>,
>;

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live function.
pub(super) unsafe fn get<'a>(pointer: *const wasm_func_t) -> Result<(&'a Object, Func)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(pointer, "func") }?;
    match object.kind {
        Kind::Func(func) => Ok((object, func)),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// Makes a host function, whose callback is at this address.
///
/// # Safety
/// The pointers are NULL or live.
unsafe fn new(
    store: *mut wasm_store_t,
    ty: *const wasm_functype_t,
    address: usize,
    body: impl Fn(*const wasm_val_vec_t, *mut wasm_val_vec_t) -> Own<wasm_trap_t> + Send + Sync + 'static,
) -> Result<Own<wasm_func_t>> {
    // SAFETY: by the contract.
    let (cell, ty) = unsafe { (borrow(store, "store")?, func_type(ty)?) };
    let mut store = cell.enter()?;
    let func =
        Func::new(&mut *store, ty, move |mut caller, params, results| call_back(&mut caller, params, results, &body))?;
    func.set_origin(&mut *store, HostOrigin::Callback(address))?;
    Ok(Own::new(Object::new(cell, func)))
}

/// A new host function. NULL on failure; `stepwell_last_error()` says why.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_functype_t,
    callback: wasm_func_callback_t,
) -> Own<wasm_func_t> {
    or_null("wasm_func_new", || {
        let callback = callback.ok_or_else(|| null("callback"))?;
        // SAFETY: C passes live objects or NULL, and a callback of this type.
        unsafe { new(store, r#type, callback as usize, move |args, results| callback(args, results)) }
    })
}

/// A new host function with an environment. `finalizer(env)` runs when nothing holds the function any more, or when
/// this fails. The finalizer may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_new_with_env(
    store: *mut wasm_store_t,
    r#type: *const wasm_functype_t,
    callback: wasm_func_callback_with_env_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(env: *mut c_void)>,
) -> Own<wasm_func_t> {
    let env = Env::new(env, finalizer);
    or_null("wasm_func_new_with_env", move || {
        let callback = callback.ok_or_else(|| null("callback"))?;
        // SAFETY: C passes live objects or NULL, and a callback of this type with its environment.
        unsafe { new(store, r#type, callback as usize, move |args, results| callback(env.get(), args, results)) }
    })
}

/// The function's type.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_type(func: *const wasm_func_t) -> Own<wasm_functype_t> {
    or_null("wasm_func_type", || {
        // SAFETY: C passes a live function or NULL.
        let (object, func) = unsafe { get(func) }?;
        Ok(Own::new(TypeObject::from_func(&func.ty(&*object.cell.enter()?)?)))
    })
}

/// How many parameters the function has.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_param_arity(func: *const wasm_func_t) -> usize {
    or_abort("wasm_func_param_arity", || {
        // SAFETY: C passes a live function or NULL.
        let (object, func) = unsafe { get(func) }?;
        Ok(func.arity(&*object.cell.enter()?)?.0)
    })
}

/// How many results the function has.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_result_arity(func: *const wasm_func_t) -> usize {
    or_abort("wasm_func_result_arity", || {
        // SAFETY: C passes a live function or NULL.
        let (object, func) = unsafe { get(func) }?;
        Ok(func.arity(&*object.cell.enter()?)?.1)
    })
}

/// Calls a function. The results are written only when it succeeds.
///
/// # Safety
/// The vectors are valid, or the pointers NULL.
unsafe fn call(
    cell: &Arc<StoreCell>,
    func: Func,
    args: *const wasm_val_vec_t,
    results: *mut wasm_val_vec_t,
) -> Result<()> {
    let mut store = cell.enter()?;
    // SAFETY: by the contract.
    let params = unsafe { list_from_c(cell, &mut *store, args, "args") }?;
    // SAFETY: by the contract.
    let room = unsafe { results.as_ref() }.map_or(0, |vec| if vec.data.is_null() { 0 } else { vec.size });
    let (_, count) = func.arity(&*store)?;
    // The standard's own programs pass no room where they expect a trap.
    if 0 < room && room < count {
        let message = format!("`results` has room for {room} values; the function has {count} results");
        return Err(Error::new(ErrorKind::Argument, message));
    }
    let mut values: SmallVec<[Val; 8]> = smallvec::smallvec![Val::I32(0); count];
    func.call(&mut *store, &params, &mut values)?;
    if room > 0 && count > 0 {
        // SAFETY: by the contract, and there is room.
        let out = unsafe { vec::elements_mut(&*results) };
        for (to, value) in out.iter_mut().zip(values) {
            *to = to_c(cell, &mut *store, value);
        }
    }
    Ok(())
}

/// Calls a function with `args`, of its parameters' types, and writes its results to `results`, which has room for all
/// of them, or is empty or NULL, and they are dropped. (What was there is overwritten, not deleted.) Returns NULL, or
/// the trap that ended the call; then nothing is written. A call that could not be made, for instance with arguments of
/// other types, is a trap as well, and `stepwell_last_error()` says why.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_call(
    func: *const wasm_func_t,
    args: *const wasm_val_vec_t,
    results: *mut wasm_val_vec_t,
) -> Own<wasm_trap_t> {
    // Callbacks may delete the handle: the call holds the store itself.
    // SAFETY: C passes a live function or NULL.
    let callee = caught("wasm_func_call", || unsafe { get(func) }.map(|(object, func)| (object.cell.clone(), func)));
    let (cell, func) = callee.unwrap_or_else(|error| abort(&error.to_string()));
    // SAFETY: C passes valid vectors or NULL.
    match caught("wasm_func_call", || unsafe { call(&cell, func, args, results) }) {
        Ok(()) => Own::null(),
        Err(error) => trap_of(&cell, error),
    }
}

/// As `wasm_func_call`, with traps and errors apart: a trap of the guest or of a host function is written to
/// `trap_out` (NULL if there is none), everything else is the error. With `trap_out` NULL a trap is an error, too.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_func_call(
    func: *const wasm_func_t,
    args: *const wasm_val_vec_t,
    results: *mut wasm_val_vec_t,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_func_call", || {
        // SAFETY: C passes a live function or NULL.
        let (cell, func) = unsafe { get(func) }.map(|(object, func)| (object.cell.clone(), func))?;
        // SAFETY: C passes valid vectors or NULL, and `trap_out` is C's.
        unsafe { trap_or_error(&cell, call(&cell, func, args, results), trap_out) }.map(|_| ())
    })
}
