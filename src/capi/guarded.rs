//! Callbacks that write an outcome ([`stepwell_outcome_t`](super::outcome)) instead of returning one. Bindings of other
//! languages need it: an exception may leave their callbacks at any point, and what such a callback returns is
//! undefined.

use super::breakpoint::stepwell_breakpoint_t;
use super::breakpoint_options::set_condition;
use super::bytes::byte_t;
use super::caller::CallerParts;
use super::debugger::attach;
use super::functype::func_type;
use super::host_func::call_guarded;
use super::outcome::stepwell_outcome_t;
use super::plumbing::ending;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::or_error;
use super::plumbing::handles::{
    stepwell_caller_t, stepwell_debugger_t, stepwell_error_t, stepwell_linker_t, stepwell_stop_t,
    stepwell_wasi_config_t, wasm_func_t, wasm_functype_t, wasm_shared_module_t, wasm_store_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow, borrow_mut, null, string};
use super::progress::{Progress, stepwell_guarded_progress_callback_t};
use super::vecs::wasm_val_vec_t;
use crate::base::Result;
use crate::runtime::{Caller, Func, HostOrigin, Val};
use crate::sys::floats::note_host;
use std::ffi::{c_char, c_void};

/// As `stepwell_func_callback_t`, with an outcome.
pub type stepwell_guarded_func_callback_t = Option<
    unsafe extern "C-unwind" fn(
        env: *mut c_void,
        caller: *const stepwell_caller_t,
        args: *const wasm_val_vec_t,
        results: *mut wasm_val_vec_t,
        outcome: *mut stepwell_outcome_t,
    ),
>;

/// As `stepwell_stop_callback_t`; the outcome's value is the action. An outcome that is not done ends the guest's call
/// with a trap.
pub type stepwell_guarded_stop_callback_t =
    Option<unsafe extern "C-unwind" fn(env: *mut c_void, stop: *mut stepwell_stop_t, outcome: *mut stepwell_outcome_t)>;

/// As `stepwell_wasi_input_callback_t`; the outcome's value is how many bytes were written. An outcome that is not done
/// is a failure, which the program sees as `EIO`; a trap in it is deleted, and is one, too.
pub type stepwell_guarded_input_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, data: *mut byte_t, size: usize, outcome: *mut stepwell_outcome_t)>;

/// What [`Func::new`] takes.
trait HostBody: Fn(Caller<'_>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static {}

impl<F: Fn(Caller<'_>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static> HostBody for F {}

/// The Rust function of a guarded callback.
fn body(callback: stepwell_guarded_func_callback_t, env: Env) -> Result<impl HostBody> {
    let callback = callback.ok_or_else(|| null("callback"))?;
    Ok(move |mut caller: Caller<'_>, params: &[Val], results: &mut [Val]| {
        let parts = CallerParts::of(&mut caller)?;
        call_guarded(&mut caller, params, results, |args, results| {
            // SAFETY: C registered the callback with this environment.
            let call = |out| unsafe { callback(env.get(), parts.as_c(), args, results, out) };
            stepwell_outcome_t::of("host function", call).map(drop)
        })
    })
}

/// Where a host function of such a callback comes from.
fn origin_of(callback: stepwell_guarded_func_callback_t) -> HostOrigin {
    callback.map_or(HostOrigin::Closure, |callback| HostOrigin::Callback(callback as usize))
}

/// As `stepwell_func_new`, with a callback that says by an outcome how it ended.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_guarded_func_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_functype_t,
    callback: stepwell_guarded_func_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
    out: Out<Own<wasm_func_t>>,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_guarded_func_new", move || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let (cell, ty) = unsafe { (borrow(store, "store")?, func_type(r#type)?) };
        let mut store = cell.enter()?;
        let func = Func::new(&mut *store, ty, body(callback, env)?)?;
        func.set_origin(&mut *store, origin_of(callback))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(Object::new(cell, func))) };
        Ok(())
    })
}

/// As `stepwell_linker_define_caller_func`, with a callback that says by an outcome how it ended.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_guarded_func(
    linker: *mut stepwell_linker_t,
    module: *const c_char,
    name: *const c_char,
    r#type: *const wasm_functype_t,
    callback: stepwell_guarded_func_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_linker_define_guarded_func", move || {
        // SAFETY: C passes live objects and C strings, or NULL.
        let (linker, ty) = unsafe { (borrow_mut(linker, "linker")?, func_type(r#type)?) };
        // SAFETY: as above.
        let (module, name) = unsafe { (string(module, "module")?, string(name, "name")?) };
        linker.func_new(module, name, ty, body(callback, env)?)?;
        linker.set_origin(module, name, origin_of(callback));
        Ok(())
    })
}

/// As `stepwell_debugger_attach_with_progress`, with callbacks that say by an outcome how they ended. `progress` may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_attach_guarded(
    store: *mut wasm_store_t,
    callback: stepwell_guarded_stop_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
    progress: stepwell_guarded_progress_callback_t,
    progress_env: *mut c_void,
    out: Out<Own<stepwell_debugger_t>>,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    let progress = Progress::guarded(progress, progress_env);
    or_error("stepwell_debugger_attach_guarded", move || {
        let out = out.check("out")?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        let call = move |stop: *mut stepwell_stop_t| {
            // SAFETY: C registered the callback with this environment.
            let call = |out| unsafe { callback(env.get(), stop, out) };
            Ok(i32::try_from(stepwell_outcome_t::of("stop callback", call)?).unwrap_or(-1))
        };
        // SAFETY: C passes a live store or NULL, and `out` is C's.
        unsafe { out.write(attach(store, call, progress)?) };
        Ok(())
    })
}

/// As `stepwell_breakpoint_condition_callback_set`, with a callback that says by an outcome how it ended: its value is
/// whether the breakpoint stops. An outcome that is not done ends the guest's call with a trap.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_condition_guarded_set(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    callback: stepwell_guarded_stop_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_breakpoint_condition_guarded_set", move || {
        // SAFETY: C passes a live debugger or NULL.
        unsafe { borrow(debugger, "debugger") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        let call = move |stop: *mut stepwell_stop_t| {
            // SAFETY: C registered the callback with this environment.
            let call = |out| unsafe { callback(env.get(), stop, out) };
            Ok(stepwell_outcome_t::of("condition", call)? != 0)
        };
        // SAFETY: C passes a live debugger or NULL.
        unsafe { set_condition(debugger, breakpoint, call) }
    })
}

/// As `stepwell_wasi_config_stdin_callback_set`, with a callback that says by an outcome how it ended.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stdin_guarded_set(
    config: *mut stepwell_wasi_config_t,
    callback: stepwell_guarded_input_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_wasi_config_stdin_guarded_set", move || {
        // SAFETY: C passes a live configuration or NULL.
        let config = unsafe { borrow_mut(config, "config") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        config.set_stdin(move |to| {
            let (data, size) = (to.as_mut_ptr().cast(), to.len());
            // SAFETY: C registered the callback with this environment.
            let call = |out| unsafe { callback(env.get(), data, size, out) };
            let given = stepwell_outcome_t::of("input callback", call);
            note_host();
            // More than there is room for is a failure.
            given.ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX)
        });
        Ok(())
    })
}

/// As `stepwell_shared_module_compile_debug`, with a callback that says by an outcome how it ended: compiling ends,
/// too, if it is not done.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_shared_module_compile_debug_guarded(
    module: *const wasm_shared_module_t,
    callback: stepwell_guarded_progress_callback_t,
    env: *mut c_void,
) -> Own<stepwell_error_t> {
    or_error("stepwell_shared_module_compile_debug_guarded", || {
        if callback.is_none() {
            return Err(null("callback"));
        }
        let progress = Progress::guarded(callback, env);
        // SAFETY: C passes a live module or NULL.
        unsafe { borrow(module, "module") }?.debug_code(&|done, total| progress.tell(done, total)).map(drop)
    })
}

/// Says that the language behind guarded callbacks ends, on the calling thread: an interpreter that is shut down. On
/// other threads no guarded callback is called from now on, and neither is `finalizer`, which may be NULL: such a
/// callback counts as left before it came to its end, which ends the guest's call. A thread that the interpreter ends
/// inside of a guarded callback, by `pthread_exit`, waits there until the process ends, for a guest's frames cannot be
/// unwound. Cannot be taken back.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_guarded_callbacks_end(finalizer: stepwell_finalizer_t) {
    ending::end(finalizer.map_or(0, |finalizer| finalizer as usize));
}
