//! `stepwell_linker_t`: finding imports by name.

use super::func::wasm_func_callback_with_env_t;
use super::functype::func_type;
use super::host_func::call_back;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_error, or_null};
use super::plumbing::handles::{
    stepwell_error_t, stepwell_linker_t, wasm_engine_t, wasm_extern_t, wasm_functype_t, wasm_instance_t, wasm_module_t,
    wasm_store_t, wasm_trap_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow, borrow_mut, handle, null, string};
use super::trap::trap_or_error;
use super::{instance, instance_pre, module};
use crate::base::{Error, ErrorKind, Escaped};
use crate::runtime::{HostOrigin, Linker};
use std::ffi::{c_char, c_void};

handle!(stepwell_linker_t => Linker);

/// A new linker without names.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_linker_new(engine: *const wasm_engine_t) -> Own<stepwell_linker_t> {
    // SAFETY: C passes a live engine or NULL.
    or_null("stepwell_linker_new", || Ok(Own::new(Linker::new(unsafe { borrow(engine, "engine") }?))))
}

/// Deletes a linker; instances it made stay. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_linker_delete(linker: Own<stepwell_linker_t>) {
    // SAFETY: C gives it back.
    unsafe { linker.delete("stepwell_linker_delete", "linker") }
}

/// A new linker with the names that a linker has now. What is defined in one later is not in the other. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_linker_clone(linker: *const stepwell_linker_t) -> Own<stepwell_linker_t> {
    // SAFETY: C passes a live linker or NULL.
    or_null("stepwell_linker_clone", || Ok(Own::new(unsafe { borrow(linker, "linker") }?.clone())))
}

/// Says whether a name may be defined again. At first it may not.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_shadowing_set(
    linker: *mut stepwell_linker_t,
    allow: bool,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_shadowing_set", || {
        // SAFETY: C passes a live linker or NULL.
        unsafe { borrow_mut(linker, "linker") }?.allow_shadowing(allow);
        Ok(())
    })
}

/// Defines `module`.`name` as an object.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define(
    linker: *mut stepwell_linker_t,
    module: *const c_char,
    name: *const c_char,
    item: *const wasm_extern_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_define", || {
        // SAFETY: C passes live objects and C strings, or NULL.
        let (linker, item) = unsafe { (borrow_mut(linker, "linker")?, borrow(item, "item")?) };
        // SAFETY: as above.
        let (module, name) = unsafe { (string(module, "module")?, string(name, "name")?) };
        let store = item.cell.enter()?;
        linker.define_in(&*store, module, name, item.as_extern().expect("checked by `borrow`"))?;
        Ok(())
    })
}

/// Defines `module`.`name` as a host function, for every store. `finalizer(env)` runs when the linker and all instances
/// it made are gone, or when this fails. The finalizer may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_func(
    linker: *mut stepwell_linker_t,
    module: *const c_char,
    name: *const c_char,
    r#type: *const wasm_functype_t,
    callback: wasm_func_callback_with_env_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_linker_define_func", move || {
        // SAFETY: C passes live objects and C strings, or NULL.
        let (linker, ty) = unsafe { (borrow_mut(linker, "linker")?, func_type(r#type)?) };
        // SAFETY: as above.
        let (module, name) = unsafe { (string(module, "module")?, string(name, "name")?) };
        let callback = callback.ok_or_else(|| null("callback"))?;
        linker.func_new(module, name, ty, move |mut caller, params, results| {
            // SAFETY: C registered the callback with this environment.
            call_back(&mut caller, params, results, |args, results| unsafe { callback(env.get(), args, results) })
        })?;
        linker.set_origin(module, name, HostOrigin::Callback(callback as usize));
        Ok(())
    })
}

/// Defines all exports of an instance as names of `module`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_instance(
    linker: *mut stepwell_linker_t,
    module: *const c_char,
    instance: *const wasm_instance_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_define_instance", || {
        // SAFETY: C passes live objects and a C string, or NULL.
        let (linker, module) = unsafe { (borrow_mut(linker, "linker")?, string(module, "module")?) };
        // SAFETY: as above.
        let (object, instance) = unsafe { instance::get(instance) }?;
        linker.instance(&mut *object.cell.enter()?, module, instance)?;
        Ok(())
    })
}

/// Defines a module's exports as names of `name`, as WASI has it for the two kinds of modules.
///
/// A command exports a function `_start`. Its functions are defined, for every store: each call makes an instance of
/// its own in the store that it comes from, calls the export there, and leaves the instance to be collected. Its
/// imports are found now. Other exports of a command are no names, since there is no one instance that they could be
/// of. A program's end by `proc_exit` ends the call of whoever called it, too.
///
/// Everything else is a reactor: it is instantiated now, in `store`, its function `_initialize` is called, if it
/// exports one, and all other exports are defined. A trap of either is written to `trap_out` (NULL if there is none),
/// and nothing is defined then; everything else is the error. With `trap_out` NULL a trap is an error, too. What is
/// defined in the linker meanwhile, by a host function that is called, is lost.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_module(
    linker: *mut stepwell_linker_t,
    store: *mut wasm_store_t,
    name: *const c_char,
    module: *const wasm_module_t,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_define_module", || {
        // Callbacks may delete the handles: the call holds what it needs, and the linker is changed behind it.
        // SAFETY: C passes live objects or NULL.
        let (mut changed, cell) = unsafe { (borrow_mut(linker, "linker")?.clone(), borrow(store, "store")?.clone()) };
        // SAFETY: C passes a C string and a live module, or NULL.
        let (name, module) = unsafe { (string(name, "name")?.to_owned(), module::get(module)?.clone()) };
        let mut store = cell.enter()?;
        let outcome = changed.module(&mut *store, &name, &module);
        // SAFETY: `trap_out` is NULL or C's.
        if unsafe { trap_or_error(&cell, outcome, trap_out) }?.is_some() {
            // SAFETY: the linker is as alive as before, unless a callback has deleted what its own caller is using.
            *unsafe { borrow_mut(linker, "linker") }? = changed;
        }
        Ok(())
    })
}

/// Defines the functions that the module imports and nobody has defined, for every store: each traps when it is called,
/// and says its name. Imports that are no functions are left as they are.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_unknown_imports_as_traps(
    linker: *mut stepwell_linker_t,
    module: *const wasm_module_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_define_unknown_imports_as_traps", || {
        // SAFETY: C passes live objects or NULL.
        let (linker, module) = unsafe { (borrow_mut(linker, "linker")?, module::get(module)?) };
        linker.define_unknown_imports_as_traps(module)
    })
}

/// What `module`.`name` stands for, in a store; NULL if it is not defined.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_linker_get(
    linker: *const stepwell_linker_t,
    store: *mut wasm_store_t,
    module: *const c_char,
    name: *const c_char,
) -> Own<wasm_extern_t> {
    or_null("stepwell_linker_get", || {
        // SAFETY: C passes live objects and C strings, or NULL.
        let (linker, cell) = unsafe { (borrow(linker, "linker")?, borrow(store, "store")?) };
        // SAFETY: as above.
        let (module, name) = unsafe { (string(module, "module")?, string(name, "name")?) };
        let mut store = cell.enter()?;
        let item = linker.get(&mut *store, module, name)?;
        let item = item.ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("\"{}\".\"{}\" is not defined", Escaped(module), Escaped(name)))
        })?;
        // It could be of another store.
        item.ty(&*store)?;
        Ok(Own::new(Object::new(cell, item)))
    })
}

/// Defines what the module imports and nobody has defined: functions that return zeros and nulls, zero globals, empty
/// memories and tables.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_fill_missing_with_defaults(
    linker: *mut stepwell_linker_t,
    store: *mut wasm_store_t,
    module: *const wasm_module_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_fill_missing_with_defaults", || {
        // SAFETY: C passes live objects or NULL.
        let (linker, cell) = unsafe { (borrow_mut(linker, "linker")?, borrow(store, "store")?) };
        // SAFETY: as above.
        let module = unsafe { module::get(module) }?;
        linker.fill_missing_with_defaults(&mut *cell.enter()?, module)?;
        Ok(())
    })
}

/// Instantiates a module with imports by their names, and runs its start function. A trap is written to `trap_out`
/// (NULL if there is none), and then `*out` is not written; everything else is the error. With `trap_out` NULL a trap
/// is an error, too.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_instantiate(
    linker: *const stepwell_linker_t,
    store: *mut wasm_store_t,
    module: *const wasm_module_t,
    out: Out<Own<wasm_instance_t>>,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_instantiate", || {
        let out = out.check("out")?;
        // Callbacks may delete the handles: the call holds what it needs.
        // SAFETY: C passes live objects or NULL.
        let (linker, cell) = unsafe { (borrow(linker, "linker")?, borrow(store, "store")?.clone()) };
        // SAFETY: as above.
        let pre = linker.instantiate_pre(unsafe { module::get(module) }?)?;
        // SAFETY: both are C's.
        unsafe { instance_pre::instantiate(&pre, &cell, out, trap_out) }
    })
}
