//! What a module says about itself: custom sections, names, how many imports and exports, sizes.

use super::bytes::lend_name;
use super::module::get;
use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::wasm_module_t;
use super::plumbing::own::{Out, string};
use crate::base::{
    DataIndex, ElemIndex, Error, ErrorKind, FuncIndex, GlobalIndex, LocalIndex, MemoryIndex, Result, TableIndex,
};
use crate::runtime::Module;
use std::ffi::c_char;

/// The custom section of a number: name, contents.
fn section(module: &Module, index: usize) -> Result<(&str, &[u8])> {
    let mut sections = module.custom_sections();
    let count = sections.len();
    sections.nth(index).ok_or_else(|| {
        Error::new(ErrorKind::Argument, format!("`index` is {index}, the module has {count} custom sections"))
    })
}

/// How many custom sections the module has.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_custom_section_count(module: *const wasm_module_t) -> usize {
    // SAFETY: C passes a live module or NULL.
    or_abort("stepwell_module_custom_section_count", || Ok(unsafe { get(module) }?.custom_sections().len()))
}

/// The name of a custom section, in the order of the binary; NULL if there is no such section. Several sections may
/// have the same name. Borrowed, as `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_custom_section_name(
    module: *const wasm_module_t,
    index: usize,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_custom_section_name", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let (name, _) = section(module, index)?;
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(module, Some(name), size_out) })
    })
}

/// The contents of a custom section; NULL if there is no such section; those of an empty section are not NULL.
/// Borrowed: valid while a handle of the module, or of an instance of it, is. They are bytes, no text: nothing ends
/// them, and how many they are is written to `size_out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_custom_section_data(
    module: *const wasm_module_t,
    index: usize,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_custom_section_data", || {
        let out = Out::plain(size_out).check("size_out")?;
        // SAFETY: C passes a live module or NULL.
        let bytes: &[u8] = section(unsafe { get(module) }?, index)?.1;
        // SAFETY: `size_out` is C's.
        unsafe { out.write(bytes.len()) };
        Ok(bytes.as_ptr().cast())
    })
}

/// Looks for a custom section of this name, from that of number `from` on, and writes its number to `index_out`; false,
/// and nothing written, if there is none.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_custom_section_find(
    module: *const wasm_module_t,
    name: *const c_char,
    from: usize,
    index_out: *mut usize,
) -> bool {
    or_null("stepwell_module_custom_section_find", || {
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, name) = unsafe { (get(module)?, string(name, "name")?) };
        let out = Out::plain(index_out).check("index_out")?;
        let mut sections = module.custom_sections().enumerate().skip(from);
        let Some((index, _)) = sections.find(|(_, (known, _))| *known == name) else { return Ok(false) };
        // SAFETY: `index_out` is C's.
        unsafe { out.write(index) };
        Ok(true)
    })
}

/// How many imports the module has.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_import_count(module: *const wasm_module_t) -> usize {
    // SAFETY: C passes a live module or NULL.
    or_abort("stepwell_module_import_count", || Ok(unsafe { get(module) }?.imports().len()))
}

/// How many exports the module has.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_export_count(module: *const wasm_module_t) -> usize {
    // SAFETY: C passes a live module or NULL.
    or_abort("stepwell_module_export_count", || Ok(unsafe { get(module) }?.exports().len()))
}

/// Whether the module has a start function, which runs when it is instantiated.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_has_start(module: *const wasm_module_t) -> bool {
    // SAFETY: C passes a live module or NULL.
    or_null("stepwell_module_has_start", || Ok(unsafe { get(module) }?.info().start.is_some()))
}

/// Bytes of the module's production code.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_text_size(module: *const wasm_module_t) -> usize {
    // SAFETY: C passes a live module or NULL.
    or_abort("stepwell_module_text_size", || Ok(unsafe { get(module) }?.text_size()))
}

/// Bytes of the module's debug code; 0 while it has not been compiled.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_debug_text_size(module: *const wasm_module_t) -> usize {
    // SAFETY: C passes a live module or NULL.
    or_abort("stepwell_module_debug_text_size", || Ok(unsafe { get(module) }?.debug_text_size().unwrap_or(0)))
}

/// The name of a local; parameters come first. NULL if the name section has none for it. Borrowed, as
/// `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_local_name(
    module: *const wasm_module_t,
    func: u32,
    local: u32,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_local_name", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let locals = module.info().names.locals.get(&FuncIndex::new(func));
        let name = locals.and_then(|locals| locals.get(&LocalIndex::new(local)));
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(module, name.map(String::as_str), size_out) })
    })
}

/// The name of a global (by index, imports counted); NULL if the name section has none for it. Borrowed, as
/// `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_global_name(
    module: *const wasm_module_t,
    index: u32,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_global_name", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let name = module.info().names.globals.get(&GlobalIndex::new(index));
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(module, name.map(String::as_str), size_out) })
    })
}

/// The name of a table (by index, imports counted); NULL if the name section has none for it. Borrowed, as
/// `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_table_name(
    module: *const wasm_module_t,
    index: u32,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_table_name", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let name = module.info().names.tables.get(&TableIndex::new(index));
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(module, name.map(String::as_str), size_out) })
    })
}

/// The name of a memory (by index, imports counted); NULL if the name section has none for it. Borrowed, as
/// `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_memory_name(
    module: *const wasm_module_t,
    index: u32,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_memory_name", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let name = module.info().names.memories.get(&MemoryIndex::new(index));
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(module, name.map(String::as_str), size_out) })
    })
}

/// The name of a data segment (by index); NULL if the name section has none for it. Borrowed, as
/// `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_data_name(
    module: *const wasm_module_t,
    index: u32,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_data_name", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let name = module.info().names.data.get(&DataIndex::new(index));
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(module, name.map(String::as_str), size_out) })
    })
}

/// The name of an element segment (by index); NULL if the name section has none for it. Borrowed, as
/// `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_elem_name(
    module: *const wasm_module_t,
    index: u32,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_elem_name", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let name = module.info().names.elements.get(&ElemIndex::new(index));
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(module, name.map(String::as_str), size_out) })
    })
}
