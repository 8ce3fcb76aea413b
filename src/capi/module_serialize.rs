//! Compiled modules as bytes and as files, and back. What is checked, and why it is no protection against malice, says
//! `runtime::serialize`.

use super::module::get;
use super::plumbing::guard::{or_error, or_last_error, or_null};
use super::plumbing::handles::{stepwell_error_t, wasm_engine_t, wasm_module_t, wasm_shared_module_t, wasm_store_t};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow, null, plain};
use super::vecs::wasm_byte_vec_t;
use crate::base::Result;
use crate::runtime::{Engine, Module};
use crate::sys::files::path_of;
use std::ffi::{CStr, c_char};
use std::path::Path;

/// A path, which need not be UTF-8.
///
/// # Safety
/// The pointer is NULL or points to a NUL-terminated string that is not changed during `'a`.
unsafe fn path<'a>(path: *const c_char) -> Result<&'a Path> {
    if path.is_null() {
        return Err(null("path"));
    }
    // SAFETY: by the contract.
    Ok(path_of(unsafe { CStr::from_ptr(path) }.to_bytes()))
}

/// A module in a store, as `load` makes it for the store's engine.
///
/// # Safety
/// The store is NULL or live.
unsafe fn in_store(
    store: *mut wasm_store_t,
    load: impl FnOnce(&Engine) -> Result<Module>,
) -> Result<Own<wasm_module_t>> {
    // SAFETY: by the contract.
    let cell = unsafe { borrow(store, "store") }?;
    let engine = cell.enter()?.engine().clone();
    Ok(Own::new(Object::new(cell, load(&engine)?)))
}

/// Writes the module to `out` as bytes from which `wasm_module_deserialize` makes it again without compiling: its
/// WebAssembly, its code, and its debug code if that has been compiled. Where that fails `out` is empty, and
/// `stepwell_last_error()` says why.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_serialize(module: *const wasm_module_t, out: Out<wasm_byte_vec_t>) {
    or_last_error("wasm_module_serialize", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live module or NULL.
        let bytes = unsafe { get(module) }.and_then(Module::serialize);
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::bytes(bytes.as_deref().unwrap_or_default())) };
        bytes.map(drop)
    });
}

/// The module of bytes that `wasm_module_serialize` gave, for an engine of the same configuration and version on the
/// same kind of machine. Nothing is compiled, but debug code where the engine is configured for it and the bytes hold
/// none of its kind: when it is first needed. NULL if they are anything else; `stepwell_last_error()` says what.
///
/// Load only what you trust: it is machine code, like a shared library. Damage is found, malice is not.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_deserialize(
    store: *mut wasm_store_t,
    binary: *const wasm_byte_vec_t,
) -> Own<wasm_module_t> {
    or_null("wasm_module_deserialize", || {
        // SAFETY: C passes live objects or NULL.
        unsafe {
            let bytes = plain(binary, "binary")?.as_bytes();
            in_store(store, |engine| Module::deserialize(engine, bytes))
        }
    })
}

/// As `wasm_module_serialize`, with an error that says what is wrong.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_serialize(
    module: *const wasm_module_t,
    out: Out<wasm_byte_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_serialize", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live module or NULL.
        let bytes = unsafe { get(module) }?.serialize()?;
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::bytes(&bytes)) };
        Ok(())
    })
}

/// Writes what `wasm_module_serialize` gives to a file, replacing one that is there. Who reads it meanwhile finds the
/// old file or the whole new one, never a part.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_serialize_file(
    module: *const wasm_module_t,
    path: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_serialize_file", || {
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, path) = unsafe { (get(module)?, self::path(path)?) };
        module.serialize_to_file(path)
    })
}

/// As `wasm_module_deserialize`, with an error that says what is wrong.
///
/// Errors: `STEPWELL_ERROR_INVALID_MODULE` for what is no serialized module, or was damaged;
/// `STEPWELL_ERROR_UNSUPPORTED` for one of another version, kind of machine or configuration, naming the difference. In
/// both cases, compile the module again.
///
/// Load only what you trust: it is machine code, like a shared library. Damage is found, malice is not.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_deserialize(
    store: *mut wasm_store_t,
    binary: *const wasm_byte_vec_t,
    out: Out<Own<wasm_module_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_deserialize", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL, and `out` is C's.
        unsafe {
            let bytes = plain(binary, "binary")?.as_bytes();
            out.write(in_store(store, |engine| Module::deserialize(engine, bytes))?);
        }
        Ok(())
    })
}

/// As `stepwell_module_deserialize`, from a file. It is copied once to where nobody can change it, checked there, and
/// executed from there: what becomes of the file afterwards is nothing to the module. A file that cannot be read is
/// `STEPWELL_ERROR_SYSTEM`.
///
/// Load only what you trust: it is machine code, like a shared library. Damage is found, malice is not.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_deserialize_file(
    store: *mut wasm_store_t,
    path: *const c_char,
    out: Out<Own<wasm_module_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_deserialize_file", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live store or NULL, a C string or NULL, and `out` is C's.
        unsafe {
            let path = self::path(path)?;
            out.write(in_store(store, |engine| Module::deserialize_from_file(engine, path))?);
        }
        Ok(())
    })
}

/// As `stepwell_module_serialize`, of a shared module.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_shared_module_serialize(
    module: *const wasm_shared_module_t,
    out: Out<wasm_byte_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_shared_module_serialize", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live module or NULL.
        let bytes = unsafe { borrow(module, "module") }?.serialize()?;
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::bytes(&bytes)) };
        Ok(())
    })
}

/// As `stepwell_module_serialize_file`, of a shared module.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_shared_module_serialize_file(
    module: *const wasm_shared_module_t,
    path: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_shared_module_serialize_file", || {
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, path) = unsafe { (borrow(module, "module")?, self::path(path)?) };
        module.serialize_to_file(path)
    })
}

/// As `stepwell_module_deserialize`, for no store in particular: many stores, on many threads, can obtain the module.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_shared_module_deserialize(
    engine: *const wasm_engine_t,
    binary: *const wasm_byte_vec_t,
    out: Out<Own<wasm_shared_module_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_shared_module_deserialize", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL, and `out` is C's.
        unsafe {
            let (engine, bytes) = (borrow(engine, "engine")?, plain(binary, "binary")?.as_bytes());
            out.write(Own::new(Module::deserialize(engine, bytes)?));
        }
        Ok(())
    })
}

/// As `stepwell_module_deserialize_file`, for no store in particular.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_shared_module_deserialize_file(
    engine: *const wasm_engine_t,
    path: *const c_char,
    out: Out<Own<wasm_shared_module_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_shared_module_deserialize_file", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live engine or NULL, a C string or NULL, and `out` is C's.
        unsafe {
            let (engine, path) = (borrow(engine, "engine")?, self::path(path)?);
            out.write(Own::new(Module::deserialize_from_file(engine, path)?));
        }
        Ok(())
    })
}
