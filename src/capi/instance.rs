//! `wasm_instance_t`: instances of modules.

use super::module;
use super::plumbing::cell::StoreCell;
use super::plumbing::guard::{caught, or_abort, or_error, or_null};
use super::plumbing::handles::{
    stepwell_error_t, wasm_extern_t, wasm_func_t, wasm_global_t, wasm_instance_t, wasm_memory_t, wasm_module_t,
    wasm_store_t, wasm_table_t, wasm_trap_t,
};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, borrow, handle, string};
use super::plumbing::vec;
use super::trap::{trap_of, trap_or_error};
use super::vecs::wasm_extern_vec_t;
use crate::base::{Error, ErrorKind, Escaped, FuncIndex, GlobalIndex, MemoryIndex, Result, TableIndex};
use crate::runtime::{Extern, Instance, Module};
use std::sync::Arc;

handle!(wasm_instance_t => Object, |object| matches!(object.kind, Kind::Instance(_)));

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live instance.
pub(super) unsafe fn get<'a>(pointer: *const wasm_instance_t) -> Result<(&'a Object, Instance)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(pointer, "instance") }?;
    match object.kind {
        Kind::Instance(instance) => Ok((object, instance)),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// What instantiating takes, out of C's hands: callbacks may delete the handles.
struct Parts {
    cell: Arc<StoreCell>,
    module: Module,
    imports: Vec<Extern>,
}

impl Parts {
    /// # Safety
    /// The pointers are NULL or live, the vector is valid.
    unsafe fn of(
        store: *mut wasm_store_t,
        module: *const wasm_module_t,
        imports: *const wasm_extern_vec_t,
    ) -> Result<Parts> {
        // SAFETY: by the contract.
        let (cell, module) = unsafe { (borrow(store, "store")?.clone(), module::get(module)?.clone()) };
        // SAFETY: by the contract.
        let list = unsafe { imports.as_ref().map_or(&[][..], |vec| vec::elements(vec)) };
        let imports = list.iter().enumerate().map(|(i, item)| {
            // SAFETY: by the contract.
            let object = unsafe { borrow(item.cast_const(), &format!("imports[{i}]")) }?;
            if !Arc::ptr_eq(&cell, &object.cell) {
                return Err(Error::new(ErrorKind::Argument, format!("`imports[{i}]` is an object of another store")));
            }
            Ok(object.as_extern().expect("checked by `borrow`"))
        });
        let imports = imports.collect::<Result<_>>()?;
        Ok(Parts { cell, module, imports })
    }

    /// Instantiates.
    fn instantiate(&self) -> Result<Own<wasm_instance_t>> {
        let mut store = self.cell.enter()?;
        let instance = store.with_room(|store| Instance::new(store, &self.module, &self.imports))?;
        Ok(Own::new(Object::new(&self.cell, instance)))
    }
}

/// Instantiates a module with its imports, in the order the module asks for them, and runs its start function. On
/// failure NULL is returned, and `trap_out`, unless it is NULL, gets a trap: the guest's, or one that says what was
/// wrong (as `stepwell_last_error()` does). On success it gets NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_new(
    store: *mut wasm_store_t,
    module: *const wasm_module_t,
    imports: *const wasm_extern_vec_t,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Own<wasm_instance_t> {
    or_null("wasm_instance_new", || {
        let trap_out = trap_out.optional();
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?.clone();
        // SAFETY: C passes live objects and a valid vector, or NULL.
        let outcome = caught("wasm_instance_new", || unsafe { Parts::of(store, module, imports) }?.instantiate());
        match (outcome, trap_out) {
            (Err(error), None) => Err(error),
            (Err(error), Some(out)) => {
                // SAFETY: `trap_out` is C's.
                unsafe { out.write(trap_of(&cell, error)) };
                Ok(Own::null())
            }
            (Ok(instance), out) => {
                if let Some(out) = out {
                    // SAFETY: `trap_out` is C's.
                    unsafe { out.write(Own::null()) };
                }
                Ok(instance)
            }
        }
    })
}

/// As `wasm_instance_new`, with traps and errors apart: a trap is written to `trap_out` (NULL if there is none), and
/// then `*out` is not written; everything else is the error. With `trap_out` NULL a trap is an error, too.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_instance_new(
    store: *mut wasm_store_t,
    module: *const wasm_module_t,
    imports: *const wasm_extern_vec_t,
    out: Out<Own<wasm_instance_t>>,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_instance_new", || {
        let out = out.check("out")?;
        // SAFETY: C passes live objects and a valid vector, or NULL.
        let parts = unsafe { Parts::of(store, module, imports) }?;
        // SAFETY: `trap_out` is C's.
        if let Some(instance) = unsafe { trap_or_error(&parts.cell, parts.instantiate(), trap_out) }? {
            // SAFETY: `out` is C's.
            unsafe { out.write(instance) };
        }
        Ok(())
    })
}

/// Writes the instance's exports to `out`, in the order of the module's.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_exports(instance: *const wasm_instance_t, out: Out<wasm_extern_vec_t>) {
    or_abort("wasm_instance_exports", || {
        // SAFETY: C passes a live instance or NULL.
        let (object, instance) = unsafe { get(instance) }?;
        let out = out.check("out")?;
        let exports = instance.exports(&mut *object.cell.enter()?)?;
        let handles =
            exports.into_iter().map(|(_, item)| Own::<wasm_extern_t>::new(Object::new(&object.cell, item)).into_raw());
        // SAFETY: `out` is C's.
        unsafe { out.write(vec::from_elements(handles)) };
        Ok(())
    });
}

/// The instance's export of this name; NULL if there is none.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_instance_export(
    instance: *const wasm_instance_t,
    name: *const std::ffi::c_char,
) -> Own<wasm_extern_t> {
    or_null("stepwell_instance_export", || {
        // SAFETY: C passes a live instance and a C string, or NULL.
        let ((object, instance), name) = unsafe { (get(instance)?, string(name, "name")?) };
        let item = instance.export(&mut *object.cell.enter()?, name).ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("the instance has no export \"{}\"", Escaped(name)))
        })?;
        Ok(Own::new(Object::new(&object.cell, item)))
    })
}

/// The instance's module.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_instance_module(instance: *const wasm_instance_t) -> Own<wasm_module_t> {
    or_null("stepwell_instance_module", || {
        // SAFETY: C passes a live instance or NULL.
        let (object, instance) = unsafe { get(instance) }?;
        let module = instance.module(&*object.cell.enter()?)?.clone();
        Ok(Own::new(Object::new(&object.cell, module)))
    })
}

/// A function of the instance by its index in the module, imports counted, exported or not; NULL beyond the last.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_instance_func(instance: *const wasm_instance_t, index: u32) -> Own<wasm_func_t> {
    or_null("stepwell_instance_func", || {
        // SAFETY: C passes a live instance or NULL.
        let (object, instance) = unsafe { get(instance) }?;
        let item = instance.func(&mut *object.cell.enter()?, FuncIndex::new(index));
        Ok(item.map_or(Own::null(), |item| Own::new(Object::new(&object.cell, item))))
    })
}

/// A global of the instance by its index in the module, imports counted, exported or not; NULL beyond the last.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_instance_global(instance: *const wasm_instance_t, index: u32) -> Own<wasm_global_t> {
    or_null("stepwell_instance_global", || {
        // SAFETY: C passes a live instance or NULL.
        let (object, instance) = unsafe { get(instance) }?;
        let item = instance.global(&*object.cell.enter()?, GlobalIndex::new(index));
        Ok(item.map_or(Own::null(), |item| Own::new(Object::new(&object.cell, item))))
    })
}

/// A memory of the instance by its index in the module, imports counted, exported or not; NULL beyond the last.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_instance_memory(instance: *const wasm_instance_t, index: u32) -> Own<wasm_memory_t> {
    or_null("stepwell_instance_memory", || {
        // SAFETY: C passes a live instance or NULL.
        let (object, instance) = unsafe { get(instance) }?;
        let item = instance.memory(&*object.cell.enter()?, MemoryIndex::new(index));
        Ok(item.map_or(Own::null(), |item| Own::new(Object::new(&object.cell, item))))
    })
}

/// A table of the instance by its index in the module, imports counted, exported or not; NULL beyond the last.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_instance_table(instance: *const wasm_instance_t, index: u32) -> Own<wasm_table_t> {
    or_null("stepwell_instance_table", || {
        // SAFETY: C passes a live instance or NULL.
        let (object, instance) = unsafe { get(instance) }?;
        let item = instance.table(&*object.cell.enter()?, TableIndex::new(index));
        Ok(item.map_or(Own::null(), |item| Own::new(Object::new(&object.cell, item))))
    })
}
