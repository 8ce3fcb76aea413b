//! What all references of the C ABI have in common. Written by `cargo xtask headers` from the table in
//! `xtask/src/refs.rs`: do not edit.

use super::plumbing::guard::or_last_error;
use super::plumbing::handles::{
    wasm_extern_t, wasm_foreign_t, wasm_func_t, wasm_global_t, wasm_instance_t, wasm_memory_t, wasm_module_t,
    wasm_ref_t, wasm_table_t, wasm_trap_t,
};
use super::plumbing::host_info;
use super::plumbing::object::{convert, copy, same};
use super::plumbing::own::Own;
use std::ffi::c_void;

/// Deletes the handle of a reference; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_delete(object: Own<wasm_ref_t>) {
    or_last_error("wasm_ref_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_ref_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same reference. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_copy(object: *const wasm_ref_t) -> Own<wasm_ref_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_ref_copy", object) }
}

/// Whether two handles are of the same reference.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_same(a: *const wasm_ref_t, b: *const wasm_ref_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_ref_same", a, b) }
}

/// What the host keeps with a reference: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_get_host_info(object: *const wasm_ref_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_ref_get_host_info", object) }
}

/// Keeps a pointer with a reference, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_set_host_info(object: *mut wasm_ref_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_ref_set_host_info", object, info, None) }
}

/// Keeps a pointer with a reference, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_set_host_info_with_finalizer(
    object: *mut wasm_ref_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_ref_set_host_info_with_finalizer", object, info, finalizer) }
}

/// Deletes the handle of a trap; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_delete(object: Own<wasm_trap_t>) {
    or_last_error("wasm_trap_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_trap_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same trap. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_copy(object: *const wasm_trap_t) -> Own<wasm_trap_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_trap_copy", object) }
}

/// Whether two handles are of the same trap.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_same(a: *const wasm_trap_t, b: *const wasm_trap_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_trap_same", a, b) }
}

/// What the host keeps with a trap: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_get_host_info(object: *const wasm_trap_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_trap_get_host_info", object) }
}

/// Keeps a pointer with a trap, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_set_host_info(object: *mut wasm_trap_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_trap_set_host_info", object, info, None) }
}

/// Keeps a pointer with a trap, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_set_host_info_with_finalizer(
    object: *mut wasm_trap_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_trap_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_as_ref(object: *mut wasm_trap_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_trap_as_ref", object) }
}

/// The same handle, borrowed, as that of a trap; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_trap(object: *mut wasm_ref_t) -> *mut wasm_trap_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_trap", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_as_ref_const(object: *const wasm_trap_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_trap_as_ref_const", object) }
}

/// The same handle, borrowed, as that of a trap; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_trap_const(object: *const wasm_ref_t) -> *const wasm_trap_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_trap_const", object) }
}

/// Deletes the handle of a foreign object; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_delete(object: Own<wasm_foreign_t>) {
    or_last_error("wasm_foreign_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_foreign_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same foreign object. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_copy(object: *const wasm_foreign_t) -> Own<wasm_foreign_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_foreign_copy", object) }
}

/// Whether two handles are of the same foreign object.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_same(a: *const wasm_foreign_t, b: *const wasm_foreign_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_foreign_same", a, b) }
}

/// What the host keeps with a foreign object: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_get_host_info(object: *const wasm_foreign_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_foreign_get_host_info", object) }
}

/// Keeps a pointer with a foreign object, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_set_host_info(object: *mut wasm_foreign_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_foreign_set_host_info", object, info, None) }
}

/// Keeps a pointer with a foreign object, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_set_host_info_with_finalizer(
    object: *mut wasm_foreign_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_foreign_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_as_ref(object: *mut wasm_foreign_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_foreign_as_ref", object) }
}

/// The same handle, borrowed, as that of a foreign object; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_foreign(object: *mut wasm_ref_t) -> *mut wasm_foreign_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_foreign", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_as_ref_const(object: *const wasm_foreign_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_foreign_as_ref_const", object) }
}

/// The same handle, borrowed, as that of a foreign object; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_foreign_const(object: *const wasm_ref_t) -> *const wasm_foreign_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_foreign_const", object) }
}

/// Deletes the handle of a module; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_delete(object: Own<wasm_module_t>) {
    or_last_error("wasm_module_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_module_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same module. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_copy(object: *const wasm_module_t) -> Own<wasm_module_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_module_copy", object) }
}

/// Whether two handles are of the same module.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_same(a: *const wasm_module_t, b: *const wasm_module_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_module_same", a, b) }
}

/// What the host keeps with a module: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_get_host_info(object: *const wasm_module_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_module_get_host_info", object) }
}

/// Keeps a pointer with a module, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_set_host_info(object: *mut wasm_module_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_module_set_host_info", object, info, None) }
}

/// Keeps a pointer with a module, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_set_host_info_with_finalizer(
    object: *mut wasm_module_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_module_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_as_ref(object: *mut wasm_module_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_module_as_ref", object) }
}

/// The same handle, borrowed, as that of a module; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_module(object: *mut wasm_ref_t) -> *mut wasm_module_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_module", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_as_ref_const(object: *const wasm_module_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_module_as_ref_const", object) }
}

/// The same handle, borrowed, as that of a module; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_module_const(object: *const wasm_ref_t) -> *const wasm_module_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_module_const", object) }
}

/// Deletes the handle of a function; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_delete(object: Own<wasm_func_t>) {
    or_last_error("wasm_func_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_func_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same function. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_copy(object: *const wasm_func_t) -> Own<wasm_func_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_func_copy", object) }
}

/// Whether two handles are of the same function.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_same(a: *const wasm_func_t, b: *const wasm_func_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_func_same", a, b) }
}

/// What the host keeps with a function: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_get_host_info(object: *const wasm_func_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_func_get_host_info", object) }
}

/// Keeps a pointer with a function, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_set_host_info(object: *mut wasm_func_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_func_set_host_info", object, info, None) }
}

/// Keeps a pointer with a function, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_set_host_info_with_finalizer(
    object: *mut wasm_func_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_func_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_as_ref(object: *mut wasm_func_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_func_as_ref", object) }
}

/// The same handle, borrowed, as that of a function; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_func(object: *mut wasm_ref_t) -> *mut wasm_func_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_func", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_as_ref_const(object: *const wasm_func_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_func_as_ref_const", object) }
}

/// The same handle, borrowed, as that of a function; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_func_const(object: *const wasm_ref_t) -> *const wasm_func_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_func_const", object) }
}

/// The same handle, borrowed, as an import or export. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_as_extern(object: *mut wasm_func_t) -> *mut wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_func_as_extern", object) }
}

/// The same handle, borrowed, as that of a function; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_func(object: *mut wasm_extern_t) -> *mut wasm_func_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_func", object) }
}

/// The same handle, borrowed, as an import or export. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_as_extern_const(object: *const wasm_func_t) -> *const wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_func_as_extern_const", object) }
}

/// The same handle, borrowed, as that of a function; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_func_const(object: *const wasm_extern_t) -> *const wasm_func_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_func_const", object) }
}

/// Deletes the handle of a global; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_delete(object: Own<wasm_global_t>) {
    or_last_error("wasm_global_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_global_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same global. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_copy(object: *const wasm_global_t) -> Own<wasm_global_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_global_copy", object) }
}

/// Whether two handles are of the same global.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_same(a: *const wasm_global_t, b: *const wasm_global_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_global_same", a, b) }
}

/// What the host keeps with a global: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_get_host_info(object: *const wasm_global_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_global_get_host_info", object) }
}

/// Keeps a pointer with a global, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_set_host_info(object: *mut wasm_global_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_global_set_host_info", object, info, None) }
}

/// Keeps a pointer with a global, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_set_host_info_with_finalizer(
    object: *mut wasm_global_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_global_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_as_ref(object: *mut wasm_global_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_global_as_ref", object) }
}

/// The same handle, borrowed, as that of a global; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_global(object: *mut wasm_ref_t) -> *mut wasm_global_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_global", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_as_ref_const(object: *const wasm_global_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_global_as_ref_const", object) }
}

/// The same handle, borrowed, as that of a global; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_global_const(object: *const wasm_ref_t) -> *const wasm_global_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_global_const", object) }
}

/// The same handle, borrowed, as an import or export. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_as_extern(object: *mut wasm_global_t) -> *mut wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_global_as_extern", object) }
}

/// The same handle, borrowed, as that of a global; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_global(object: *mut wasm_extern_t) -> *mut wasm_global_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_global", object) }
}

/// The same handle, borrowed, as an import or export. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_as_extern_const(object: *const wasm_global_t) -> *const wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_global_as_extern_const", object) }
}

/// The same handle, borrowed, as that of a global; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_global_const(object: *const wasm_extern_t) -> *const wasm_global_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_global_const", object) }
}

/// Deletes the handle of a table; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_delete(object: Own<wasm_table_t>) {
    or_last_error("wasm_table_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_table_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same table. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_copy(object: *const wasm_table_t) -> Own<wasm_table_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_table_copy", object) }
}

/// Whether two handles are of the same table.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_same(a: *const wasm_table_t, b: *const wasm_table_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_table_same", a, b) }
}

/// What the host keeps with a table: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_get_host_info(object: *const wasm_table_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_table_get_host_info", object) }
}

/// Keeps a pointer with a table, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_set_host_info(object: *mut wasm_table_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_table_set_host_info", object, info, None) }
}

/// Keeps a pointer with a table, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_set_host_info_with_finalizer(
    object: *mut wasm_table_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_table_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_as_ref(object: *mut wasm_table_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_table_as_ref", object) }
}

/// The same handle, borrowed, as that of a table; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_table(object: *mut wasm_ref_t) -> *mut wasm_table_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_table", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_as_ref_const(object: *const wasm_table_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_table_as_ref_const", object) }
}

/// The same handle, borrowed, as that of a table; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_table_const(object: *const wasm_ref_t) -> *const wasm_table_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_table_const", object) }
}

/// The same handle, borrowed, as an import or export. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_as_extern(object: *mut wasm_table_t) -> *mut wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_table_as_extern", object) }
}

/// The same handle, borrowed, as that of a table; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_table(object: *mut wasm_extern_t) -> *mut wasm_table_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_table", object) }
}

/// The same handle, borrowed, as an import or export. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_as_extern_const(object: *const wasm_table_t) -> *const wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_table_as_extern_const", object) }
}

/// The same handle, borrowed, as that of a table; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_table_const(object: *const wasm_extern_t) -> *const wasm_table_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_table_const", object) }
}

/// Deletes the handle of a memory; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_delete(object: Own<wasm_memory_t>) {
    or_last_error("wasm_memory_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_memory_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same memory. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_copy(object: *const wasm_memory_t) -> Own<wasm_memory_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_memory_copy", object) }
}

/// Whether two handles are of the same memory.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_same(a: *const wasm_memory_t, b: *const wasm_memory_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_memory_same", a, b) }
}

/// What the host keeps with a memory: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_get_host_info(object: *const wasm_memory_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_memory_get_host_info", object) }
}

/// Keeps a pointer with a memory, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_set_host_info(object: *mut wasm_memory_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_memory_set_host_info", object, info, None) }
}

/// Keeps a pointer with a memory, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_set_host_info_with_finalizer(
    object: *mut wasm_memory_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_memory_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_as_ref(object: *mut wasm_memory_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_memory_as_ref", object) }
}

/// The same handle, borrowed, as that of a memory; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_memory(object: *mut wasm_ref_t) -> *mut wasm_memory_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_memory", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_as_ref_const(object: *const wasm_memory_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_memory_as_ref_const", object) }
}

/// The same handle, borrowed, as that of a memory; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_memory_const(object: *const wasm_ref_t) -> *const wasm_memory_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_memory_const", object) }
}

/// The same handle, borrowed, as an import or export. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_as_extern(object: *mut wasm_memory_t) -> *mut wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_memory_as_extern", object) }
}

/// The same handle, borrowed, as that of a memory; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_memory(object: *mut wasm_extern_t) -> *mut wasm_memory_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_memory", object) }
}

/// The same handle, borrowed, as an import or export. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_as_extern_const(object: *const wasm_memory_t) -> *const wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_memory_as_extern_const", object) }
}

/// The same handle, borrowed, as that of a memory; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_memory_const(object: *const wasm_extern_t) -> *const wasm_memory_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_memory_const", object) }
}

/// Deletes the handle of an import or export; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_delete(object: Own<wasm_extern_t>) {
    or_last_error("wasm_extern_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_extern_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same import or export. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_copy(object: *const wasm_extern_t) -> Own<wasm_extern_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_extern_copy", object) }
}

/// Whether two handles are of the same import or export.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_same(a: *const wasm_extern_t, b: *const wasm_extern_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_extern_same", a, b) }
}

/// What the host keeps with an import or export: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_get_host_info(object: *const wasm_extern_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_extern_get_host_info", object) }
}

/// Keeps a pointer with an import or export, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_set_host_info(object: *mut wasm_extern_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_extern_set_host_info", object, info, None) }
}

/// Keeps a pointer with an import or export, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_set_host_info_with_finalizer(
    object: *mut wasm_extern_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_extern_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_ref(object: *mut wasm_extern_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_ref", object) }
}

/// The same handle, borrowed, as that of an import or export; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_extern(object: *mut wasm_ref_t) -> *mut wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_extern", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_as_ref_const(object: *const wasm_extern_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_extern_as_ref_const", object) }
}

/// The same handle, borrowed, as that of an import or export; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_extern_const(object: *const wasm_ref_t) -> *const wasm_extern_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_extern_const", object) }
}

/// Deletes the handle of an instance; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_delete(object: Own<wasm_instance_t>) {
    or_last_error("wasm_instance_delete", || {
        // SAFETY: C gives it back.
        unsafe { object.delete("wasm_instance_delete", "object") };
        Ok(())
    });
}

/// Another handle of the same instance. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_copy(object: *const wasm_instance_t) -> Own<wasm_instance_t> {
    // SAFETY: C passes a live handle or NULL.
    unsafe { copy("wasm_instance_copy", object) }
}

/// Whether two handles are of the same instance.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_same(a: *const wasm_instance_t, b: *const wasm_instance_t) -> bool {
    // SAFETY: C passes live handles or NULL.
    unsafe { same("wasm_instance_same", a, b) }
}

/// What the host keeps with an instance: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_get_host_info(object: *const wasm_instance_t) -> *mut c_void {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::get("wasm_instance_get_host_info", object) }
}

/// Keeps a pointer with an instance, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_set_host_info(object: *mut wasm_instance_t, info: *mut c_void) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_instance_set_host_info", object, info, None) }
}

/// Keeps a pointer with an instance, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_set_host_info_with_finalizer(
    object: *mut wasm_instance_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(info: *mut c_void)>,
) {
    // SAFETY: C passes a live handle or NULL.
    unsafe { host_info::set("wasm_instance_set_host_info_with_finalizer", object, info, finalizer) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_as_ref(object: *mut wasm_instance_t) -> *mut wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_instance_as_ref", object) }
}

/// The same handle, borrowed, as that of an instance; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_instance(object: *mut wasm_ref_t) -> *mut wasm_instance_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_instance", object) }
}

/// The same handle, borrowed, as a reference. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_as_ref_const(object: *const wasm_instance_t) -> *const wasm_ref_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_instance_as_ref_const", object) }
}

/// The same handle, borrowed, as that of an instance; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_ref_as_instance_const(object: *const wasm_ref_t) -> *const wasm_instance_t {
    // SAFETY: C passes a live handle or NULL.
    unsafe { convert("wasm_ref_as_instance_const", object) }
}
