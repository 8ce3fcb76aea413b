//! `stepwell_caller_t`: what a host function learns of who called it, and host functions that get one.

use super::functype::func_type;
use super::host_func::call_back;
use super::plumbing::cell::StoreCell;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_error, or_null};
use super::plumbing::handles::{
    stepwell_caller_t, stepwell_error_t, stepwell_linker_t, wasm_extern_t, wasm_func_t, wasm_functype_t,
    wasm_instance_t, wasm_store_t, wasm_trap_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow, borrow_mut, handle, lend, null, string};
use super::vecs::wasm_val_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{Caller, Func, HostOrigin, Instance, Val};
use std::ffi::{c_char, c_void};
use std::sync::Arc;

handle!(stepwell_caller_t => CallerParts);

/// What stands behind the handle.
pub(super) struct CallerParts {
    cell: Arc<StoreCell>,
    instance: Option<Instance>,
}

impl CallerParts {
    /// Of a host function that is being called.
    pub(super) fn of(caller: &mut Caller<'_>) -> Result<CallerParts> {
        let instance = caller.instance();
        let cell = StoreCell::of(&crate::runtime::AsStoreMut::as_store_mut(caller))
            .ok_or_else(|| Error::new(ErrorKind::State, "a host function of the C API was called outside it"))?;
        Ok(CallerParts { cell, instance })
    }

    /// As C gets it.
    pub(super) fn as_c(&self) -> *const stepwell_caller_t {
        lend(self)
    }
}

/// A host function that learns who calls it. `args` are borrowed; `results` has room for the results, and what is
/// written there is given away. A trap that is returned is given away, and ends the guest's call; NULL is success.
pub type stepwell_func_callback_t = Option<
    unsafe extern "C-unwind" fn(
        env: *mut c_void,
        caller: *const stepwell_caller_t,
        args: *const wasm_val_vec_t,
        results: *mut wasm_val_vec_t,
    ) -> Own<wasm_trap_t>,
>;

/// A callback that is there, with its environment.
struct Body {
    callback: unsafe extern "C-unwind" fn(
        *mut c_void,
        *const stepwell_caller_t,
        *const wasm_val_vec_t,
        *mut wasm_val_vec_t,
    ) -> Own<wasm_trap_t>,
    env: Env,
}

impl Body {
    fn new(callback: stepwell_func_callback_t, env: Env) -> Result<Body> {
        Ok(Body { callback: callback.ok_or_else(|| null("callback"))?, env })
    }

    fn origin(&self) -> HostOrigin {
        HostOrigin::Callback(self.callback as usize)
    }

    fn call(&self, mut caller: Caller<'_>, params: &[Val], results: &mut [Val]) -> Result<()> {
        let parts = CallerParts::of(&mut caller)?;
        // SAFETY: C registered the callback with this environment.
        call_back(&mut caller, params, results, |args, results| unsafe {
            (self.callback)(self.env.get(), parts.as_c(), args, results)
        })
    }
}

/// A new host function that learns who calls it. `finalizer(env)` runs when nothing holds the function any more, or
/// when this fails. The finalizer may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_func_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_functype_t,
    callback: stepwell_func_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
    out: Out<Own<wasm_func_t>>,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_func_new", move || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let (cell, ty) = unsafe { (borrow(store, "store")?, func_type(r#type)?) };
        let mut store = cell.enter()?;
        let body = Body::new(callback, env)?;
        let origin = body.origin();
        let call = move |caller: Caller<'_>, params: &[Val], results: &mut [Val]| body.call(caller, params, results);
        let func = Func::new(&mut *store, ty, call)?;
        func.set_origin(&mut *store, origin)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(Object::new(cell, func))) };
        Ok(())
    })
}

/// As `stepwell_linker_define_func`, with a callback that learns who calls it: from there it gets at the memory of its
/// guest, whatever store that is in.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_caller_func(
    linker: *mut stepwell_linker_t,
    module: *const c_char,
    name: *const c_char,
    r#type: *const wasm_functype_t,
    callback: stepwell_func_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_linker_define_caller_func", move || {
        // SAFETY: C passes live objects and C strings, or NULL.
        let (linker, ty) = unsafe { (borrow_mut(linker, "linker")?, func_type(r#type)?) };
        // SAFETY: as above.
        let (module, name) = unsafe { (string(module, "module")?, string(name, "name")?) };
        let body = Body::new(callback, env)?;
        let origin = body.origin();
        linker.func_new(module, name, ty, move |caller, params, results| body.call(caller, params, results))?;
        linker.set_origin(module, name, origin);
        Ok(())
    })
}

/// The caller's store. Borrowed, for as long as the host function runs: it is not to be deleted.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_caller_store(caller: *const stepwell_caller_t) -> *mut wasm_store_t {
    or_null("stepwell_caller_store", || {
        // SAFETY: C passes what its callback got, or NULL.
        Ok(lend::<wasm_store_t>(&unsafe { borrow(caller, "caller") }?.cell).cast_mut())
    })
}

/// What the host keeps with the caller's store (`stepwell_store_data_set`); NULL if that is nothing.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_caller_data(caller: *const stepwell_caller_t) -> *mut c_void {
    // SAFETY: C passes what its callback got, or NULL.
    or_null("stepwell_caller_data", || Ok(unsafe { borrow(caller, "caller") }?.cell.host_data.get(&())))
}

/// The instance whose function called. NULL if the host called directly.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_caller_instance(caller: *const stepwell_caller_t) -> Own<wasm_instance_t> {
    or_null("stepwell_caller_instance", || {
        // SAFETY: C passes what its callback got, or NULL.
        let caller = unsafe { borrow(caller, "caller") }?;
        Ok(caller.instance.map_or_else(Own::null, |instance| Own::new(Object::new(&caller.cell, instance))))
    })
}

/// The export of this name of the instance whose function called. NULL if there is none, or if the host called
/// directly.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_caller_export(
    caller: *const stepwell_caller_t,
    name: *const c_char,
) -> Own<wasm_extern_t> {
    or_null("stepwell_caller_export", || {
        // SAFETY: C passes what its callback got and a C string, or NULL.
        let (caller, name) = unsafe { (borrow(caller, "caller")?, string(name, "name")?) };
        let Some(instance) = caller.instance else { return Ok(Own::null()) };
        let item = instance.export(&mut *caller.cell.enter()?, name);
        Ok(item.map_or_else(Own::null, |item| Own::new(Object::new(&caller.cell, item))))
    })
}
