//! `wasm_module_t`: a compiled module.

use super::bytes::lend_name;
use super::exporttype::ExportObject;
use super::importtype::ImportObject;
use super::plumbing::guard::{or_abort, or_error, or_null};
use super::plumbing::handles::{
    stepwell_error_t, wasm_engine_t, wasm_exporttype_t, wasm_importtype_t, wasm_module_t, wasm_shared_module_t,
    wasm_store_t,
};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, borrow, handle, plain, string};
use super::plumbing::vec::{self, Owned};
use super::progress::{Progress, stepwell_progress_callback_t};
use super::type_object::TypeObject;
use super::vecs::{wasm_byte_vec_t, wasm_exporttype_vec_t, wasm_importtype_vec_t};
use crate::base::{FuncIndex, Result};
use crate::runtime::{Engine, Module};
use crate::wasm::ModuleInfo;
use std::ffi::{c_char, c_void};

handle!(wasm_module_t => Object, |object| matches!(object.kind, Kind::Module(_)));

handle!(wasm_shared_module_t => Module);

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live module.
pub(super) unsafe fn get<'a>(pointer: *const wasm_module_t) -> Result<&'a Module> {
    // SAFETY: by the contract.
    match &unsafe { borrow(pointer, "module") }?.kind {
        Kind::Module(module) => Ok(module),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// Compiles a module for a store.
///
/// # Safety
/// The pointers are NULL or live.
unsafe fn new(store: *mut wasm_store_t, binary: *const wasm_byte_vec_t) -> Result<Own<wasm_module_t>> {
    // SAFETY: by the contract.
    let cell = unsafe { borrow(store, "store") }?;
    // SAFETY: by the contract.
    let binary = unsafe { plain(binary, "binary")?.as_bytes() };
    let engine: Engine = cell.enter()?.engine().clone();
    Ok(Own::new(Object::new(cell, Module::new(&engine, binary)?)))
}

/// Validates and compiles a module. NULL if it is invalid or uses a proposal that is not there;
/// `stepwell_last_error()` says which and where.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_new(
    store: *mut wasm_store_t,
    binary: *const wasm_byte_vec_t,
) -> Own<wasm_module_t> {
    // SAFETY: C passes live objects or NULL.
    or_null("wasm_module_new", || unsafe { new(store, binary) })
}

/// Validates and compiles a module, with an error that says what is wrong and where.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_new(
    store: *mut wasm_store_t,
    binary: *const wasm_byte_vec_t,
    out: Out<Own<wasm_module_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_new", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL, and `out` is C's.
        unsafe { out.write(new(store, binary)?) };
        Ok(())
    })
}

/// Validates and compiles a module for no store in particular: many stores, on many threads, can obtain it.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_shared_module_new(
    engine: *const wasm_engine_t,
    binary: *const wasm_byte_vec_t,
    out: Out<Own<wasm_shared_module_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_shared_module_new", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let (engine, binary) = unsafe { (borrow(engine, "engine")?, plain(binary, "binary")?.as_bytes()) };
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(Module::new(engine, binary)?)) };
        Ok(())
    })
}

/// Compiles a module's debug code.
fn compile_debug(module: &Module, callback: stepwell_progress_callback_t, env: *mut c_void) -> Result<()> {
    let progress = Progress::new(callback, env);
    module.debug_code(&|done, total| progress.tell(done, total)).map(drop)
}

/// Compiles the debug code of a module now, so that attaching a debugger to a store with it takes no time for that. It
/// is compiled once for all stores; a later call has nothing to do. `progress` may be NULL. Where it returns false,
/// compiling ends with `STEPWELL_ERROR_CANCELLED`, and can be begun again.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_compile_debug(
    module: *const wasm_module_t,
    progress: stepwell_progress_callback_t,
    env: *mut c_void,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_compile_debug", || {
        // SAFETY: C passes a live module or NULL.
        compile_debug(unsafe { get(module) }?, progress, env)
    })
}

/// The same for a shared module: a thread of the host can prepare the debug code while others run the module.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_shared_module_compile_debug(
    module: *const wasm_shared_module_t,
    progress: stepwell_progress_callback_t,
    env: *mut c_void,
) -> Own<stepwell_error_t> {
    or_error("stepwell_shared_module_compile_debug", || {
        // SAFETY: C passes a live module or NULL.
        compile_debug(unsafe { borrow(module, "module") }?, progress, env)
    })
}

/// Whether a module is valid and uses only what is there; if not, `stepwell_last_error()` says why.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_validate(store: *mut wasm_store_t, binary: *const wasm_byte_vec_t) -> bool {
    or_null("wasm_module_validate", || {
        // SAFETY: C passes live objects or NULL.
        let (cell, binary) = unsafe { (borrow(store, "store")?, plain(binary, "binary")?.as_bytes()) };
        let engine = cell.enter()?.engine().clone();
        Module::validate(&engine, binary)?;
        Ok(true)
    })
}

/// Whether a module is valid for this engine and uses only what is there: no error if it is; else the error says what
/// is wrong and where. Nothing is compiled.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_validate(
    engine: *const wasm_engine_t,
    binary: *const wasm_byte_vec_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_validate", || {
        // SAFETY: C passes live objects or NULL.
        let (engine, binary) = unsafe { (borrow(engine, "engine")?, plain(binary, "binary")?.as_bytes()) };
        Module::validate(engine, binary)
    })
}

/// Writes what the module imports to `out`, in order.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_imports(module: *const wasm_module_t, out: Out<wasm_importtype_vec_t>) {
    or_abort("wasm_module_imports", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let out = out.check("out")?;
        // SAFETY: `out` is C's.
        unsafe { out.write(imports_of(module.info())) };
        Ok(())
    });
}

/// Import types, as C owns them.
fn imports_of(info: &ModuleInfo) -> wasm_importtype_vec_t {
    let name = |text: &str| Owned::of(text.bytes().map(|byte| byte as c_char).collect::<Vec<_>>());
    let imports = info.import_types().map(|(from, item, ty)| {
        let import = ImportObject { module: name(from), name: name(item), ty: Box::new(TypeObject::from(&ty)) };
        Own::<wasm_importtype_t>::new(import).into_raw()
    });
    vec::from_elements(imports.collect::<Vec<_>>())
}

/// Writes what a module would import to `out`, in order, without compiling it: to say what is missing before that takes
/// its time. Functions' bodies are not looked at, so a module that is not valid may have imports. Else the errors are
/// those of `stepwell_module_new`.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_imports_read(
    engine: *const wasm_engine_t,
    binary: *const wasm_byte_vec_t,
    out: Out<wasm_importtype_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_imports_read", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects or NULL.
        let (engine, binary) = unsafe { (borrow(engine, "engine")?, plain(binary, "binary")?.as_bytes()) };
        // SAFETY: `out` is C's.
        unsafe { out.write(imports_of(&Module::read_outside(engine, binary)?)) };
        Ok(())
    })
}

/// Writes what the module exports to `out`, in order.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_exports(module: *const wasm_module_t, out: Out<wasm_exporttype_vec_t>) {
    or_abort("wasm_module_exports", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let out = out.check("out")?;
        let exports = module.exports().map(|(name, ty)| {
            let name = Owned::of(name.bytes().map(|byte| byte as c_char).collect::<Vec<_>>());
            Own::<wasm_exporttype_t>::new(ExportObject { name, ty: Box::new(TypeObject::from(&ty)) }).into_raw()
        });
        // SAFETY: `out` is C's.
        unsafe { out.write(vec::from_elements(exports.collect::<Vec<_>>())) };
        Ok(())
    });
}

/// The module without its store, to hand to another thread.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_share(module: *const wasm_module_t) -> Own<wasm_shared_module_t> {
    // SAFETY: C passes a live module or NULL.
    or_null("wasm_module_share", || Ok(Own::new(unsafe { get(module) }?.clone())))
}

/// A shared module in a store. NULL if the store is of another engine; `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_obtain(
    store: *mut wasm_store_t,
    shared: *const wasm_shared_module_t,
) -> Own<wasm_module_t> {
    or_null("wasm_module_obtain", || {
        // SAFETY: C passes live objects or NULL.
        let (cell, module) = unsafe { (borrow(store, "store")?, borrow(shared, "shared")?) };
        if !Engine::same(cell.enter()?.engine(), module.engine()) {
            let message = "`shared` is a module of another engine than the store's";
            return Err(crate::base::Error::new(crate::base::ErrorKind::Argument, message));
        }
        Ok(Own::new(Object::new(cell, module.clone())))
    })
}

/// Deletes a shared module. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_shared_module_delete(shared: Own<wasm_shared_module_t>) {
    // SAFETY: C gives it back.
    unsafe { shared.delete("wasm_shared_module_delete", "shared") }
}

/// The module's name; NULL if it has none. Borrowed: valid while a handle of the module, or of an instance of it, is.
/// Its length is written to `size_out`, which may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_name(module: *const wasm_module_t, size_out: *mut usize) -> *const c_char {
    // SAFETY: C passes a live module or NULL, and `out` is C's.
    or_null("stepwell_module_name", || unsafe {
        let module = get(module)?;
        Ok(lend_name(module, module.name(), size_out))
    })
}

/// How many functions the module has, imports counted.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_func_count(module: *const wasm_module_t) -> u32 {
    // SAFETY: C passes a live module or NULL.
    or_abort("stepwell_module_func_count", || Ok(unsafe { get(module) }?.info().funcs.len() as u32))
}

/// The name of a function: that of the name section, else that of its first export. NULL if it has none, or if there is
/// no such function. Borrowed, as `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_func_name(
    module: *const wasm_module_t,
    index: u32,
    size_out: *mut usize,
) -> *const c_char {
    // SAFETY: C passes a live module or NULL, and `out` is C's.
    or_null("stepwell_module_func_name", || unsafe {
        let module = get(module)?;
        Ok(lend_name(module, module.info().func_name(FuncIndex::new(index)), size_out))
    })
}

/// Writes the index of the function of this name, an export's or one of the name section, to `index_out`; false, and
/// nothing written, if there is none.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_func_find(
    module: *const wasm_module_t,
    name: *const c_char,
    index_out: *mut u32,
) -> bool {
    or_null("stepwell_module_func_find", || {
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, name) = unsafe { (get(module)?, string(name, "name")?) };
        let out = Out::plain(index_out).check("index_out")?;
        let Some(index) = module.info().func_named(name) else { return Ok(false) };
        // SAFETY: the pointer is C's.
        unsafe { out.write(index.get()) };
        Ok(true)
    })
}
