//! `stepwell_typed_func_t`: calls both ways without conversion, on raw values.

use super::caller::CallerParts;
use super::func;
use super::functype::func_type;
use super::host_func::succeeded;
use super::plumbing::abort::watched_for_guest;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::or_error;
use super::plumbing::handles::{
    stepwell_caller_t, stepwell_error_t, stepwell_linker_t, stepwell_typed_func_t, wasm_func_t, wasm_functype_t,
    wasm_store_t, wasm_trap_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow, borrow_mut, handle, null, string};
use super::trap::trap_or_error;
use super::val::{float32_t, float64_t};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{Caller, Func, HostOrigin, RawFunc, ValRaw};
use crate::wasm::FuncType;
use std::ffi::{c_char, c_void};

/// A number or a vector, of the type that the function's type says; the bytes beyond it mean nothing.
#[repr(C)]
#[derive(Clone, Copy)]
pub union stepwell_raw_val_t {
    /// An `i32`.
    pub i32: i32,
    /// An `i64`.
    pub i64: i64,
    /// An `f32`.
    pub f32: float32_t,
    /// An `f64`.
    pub f64: float64_t,
    /// The bytes of a `v128`, lane 0 first.
    pub v128: [u8; 16],
    /// How large it is.
    pub words: [u64; 2],
}

const _: () = assert!(size_of::<stepwell_raw_val_t>() == size_of::<ValRaw>());
const _: () = assert!(align_of::<stepwell_raw_val_t>() == align_of::<ValRaw>());

handle!(stepwell_typed_func_t => Typed);

/// What stands behind the handle.
pub(super) struct Typed {
    object: Object,
    func: RawFunc,
    /// How many values its array needs.
    room: usize,
}

/// A host function on raw values: the parameters are in `values`, and the results are written over them, from the first
/// on; there is room for the larger number of both. A trap that is returned is given away, and ends the guest's call;
/// NULL is success.
pub type stepwell_func_unchecked_callback_t = Option<
    unsafe extern "C-unwind" fn(
        env: *mut c_void,
        caller: *const stepwell_caller_t,
        values: *mut stepwell_raw_val_t,
    ) -> Own<wasm_trap_t>,
>;

/// Refuses types with references, which raw values do not keep alive.
fn numbers_only(ty: FuncType) -> Result<FuncType> {
    if ty.params.iter().chain(&*ty.results).any(|ty| ty.is_ref()) {
        let message = format!(
            "raw values are numbers and vectors; the type {ty} has references: use `wasm_val_t` and `wasm_func_call`"
        );
        return Err(Error::new(ErrorKind::Argument, message));
    }
    Ok(ty)
}

/// Compares the function's type with `type`, once. An error where it is another, or where it has references.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_typed_func_new(
    func: *const wasm_func_t,
    r#type: *const wasm_functype_t,
    out: Out<Own<stepwell_typed_func_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_typed_func_new", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let ((object, func), ty) = unsafe { (func::get(func)?, numbers_only(func_type(r#type)?)?) };
        let func = func.prepare(&*object.cell.enter()?, &ty)?;
        let room = ty.params.len().max(ty.results.len());
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(Typed { object: object.clone(), func, room })) };
        Ok(())
    })
}

/// Deletes the handle. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_typed_func_delete(func: Own<stepwell_typed_func_t>) {
    // SAFETY: C gives it back.
    unsafe { func.delete("stepwell_typed_func_delete", "func") }
}

/// Calls the function: the parameters are taken from `values`, and the results are written over them, from the first
/// on. `values` has room for the larger number of both, and `size` says for how many it has room. Nothing is allocated,
/// and only `size` is checked. A trap is written to `trap_out` (NULL if there is none), everything else is the error;
/// with `trap_out` NULL a trap is an error, too. After a trap or an error `values` is not defined.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_typed_func_call(
    func: *const stepwell_typed_func_t,
    values: *mut stepwell_raw_val_t,
    size: usize,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_typed_func_call", || {
        // SAFETY: C passes a live handle or NULL.
        let Typed { object, func, room } = unsafe { borrow(func, "func") }?;
        if size < *room {
            let message = format!("`values` has room for {size} values; the function needs {room}");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        if values.is_null() && *room > 0 {
            return Err(null("values"));
        }
        // Callbacks may delete the handle: the call holds what it needs.
        let (cell, func) = (object.cell.clone(), *func);
        let mut store = cell.enter()?;
        // SAFETY: there is room, for values of the function's type: each is at the start of 16 bytes.
        let outcome = unsafe { func.call(&mut *store, values.cast()) };
        // SAFETY: `trap_out` is C's.
        unsafe { trap_or_error(&cell, outcome, trap_out) }.map(|_| ())
    })
}

/// What a host function of such a callback does.
fn body(
    callback: stepwell_func_unchecked_callback_t,
    env: Env,
) -> Result<impl Fn(Caller<'_>, *mut ValRaw) -> Result<()> + Send + Sync> {
    let callback = callback.ok_or_else(|| null("callback"))?;
    Ok(move |mut caller: Caller<'_>, values: *mut ValRaw| {
        let parts = CallerParts::of(&mut caller)?;
        // SAFETY: C registered the callback with this environment; the values are those of the call.
        let trap = watched_for_guest("a host function", || unsafe { callback(env.get(), parts.as_c(), values.cast()) });
        // SAFETY: the callback gives the trap to us.
        unsafe { succeeded(trap) }
    })
}

/// Where a host function of such a callback comes from.
fn origin_of(callback: stepwell_func_unchecked_callback_t) -> HostOrigin {
    callback.map_or(HostOrigin::Closure, |callback| HostOrigin::Callback(callback as usize))
}

/// A new host function on raw values, of a type without references. `finalizer(env)` runs when nothing holds the
/// function any more, or when this fails. The finalizer may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_func_new_unchecked(
    store: *mut wasm_store_t,
    r#type: *const wasm_functype_t,
    callback: stepwell_func_unchecked_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
    out: Out<Own<wasm_func_t>>,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_func_new_unchecked", move || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let (cell, ty) = unsafe { (borrow(store, "store")?, numbers_only(func_type(r#type)?)?) };
        let mut store = cell.enter()?;
        // SAFETY: the callback keeps to the type: that is what C registers it for.
        let func = unsafe { Func::new_raw(&mut *store, ty, body(callback, env)?) }?;
        func.set_origin(&mut *store, origin_of(callback))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(Object::new(cell, func))) };
        Ok(())
    })
}

/// As `stepwell_linker_define_func`, on raw values, of a type without references.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_func_unchecked(
    linker: *mut stepwell_linker_t,
    module: *const c_char,
    name: *const c_char,
    r#type: *const wasm_functype_t,
    callback: stepwell_func_unchecked_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_linker_define_func_unchecked", move || {
        // SAFETY: C passes live objects and C strings, or NULL.
        let (linker, ty) = unsafe { (borrow_mut(linker, "linker")?, numbers_only(func_type(r#type)?)?) };
        // SAFETY: as above.
        let (module, name) = unsafe { (string(module, "module")?, string(name, "name")?) };
        // SAFETY: the callback keeps to the type: that is what C registers it for.
        unsafe { linker.func_new_raw(module, name, ty, body(callback, env)?)? };
        linker.set_origin(module, name, origin_of(callback));
        Ok(())
    })
}
