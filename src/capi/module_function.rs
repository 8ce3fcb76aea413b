//! A module's functions and instructions as data: for lists and for views of its code.

use super::module::get;
use super::module_source::{offset_of, write_rows};
use super::plumbing::guard::{or_abort, or_error, or_value};
use super::plumbing::handles::{stepwell_error_t, wasm_module_t};
use super::plumbing::own::{Out, Own, null};
use super::trap::wasm_message_t;
use super::vecs::wasm_byte_vec_t;
use crate::base::FuncIndex;
use std::ffi::c_char;

/// A function of a module. The strings are UTF-8, NUL-terminated and borrowed, as `stepwell_module_name`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_function_t {
    /// Its index, imports counted.
    pub index: u32,
    /// The line that it is declared in, from 1; 0 where that is not known.
    pub line: u32,
    /// Its name as the source has it, with namespaces where those are known; without DWARF, what the name section or an
    /// export calls it, demangled; of an import without a name, what it is imported as. NULL where it has none.
    pub name: *const c_char,
    /// What the linker knew it by, where that is another name; else NULL.
    pub linkage_name: *const c_char,
    /// The file that it is written in, as the compiler knew it; NULL where that is not known.
    pub file: *const c_char,
    /// Where its body begins and ends, in bytes from the start of the module, declarations of locals included; both 0
    /// for an import.
    pub begin: usize,
    pub end: usize,
    /// Its first instruction; 0 for an import.
    pub entry: usize,
}

/// An instruction of a function.
#[repr(C)]
pub struct stepwell_instruction_t {
    /// Where it begins, in bytes from the start of the module.
    pub offset: usize,
    /// How many bytes it has.
    pub size: usize,
    /// What the text format calls it, `i32.load offset=4`: NUL-terminated (the NUL is counted), and the caller's, to be
    /// given to `wasm_byte_vec_delete`. Names of functions, globals and locals are told in comments: `call 3 (;add;)`.
    pub text: wasm_message_t,
}

/// A piece of a function's machine code: an instruction of the machine, or, in a library that was built without the
/// feature `disassembler`, all that follows each other and is of the same instruction of WebAssembly.
#[repr(C)]
pub struct stepwell_machine_code_t {
    /// Where it begins in the text that all functions of the module share, in bytes. Those of debug code have another.
    pub offset: usize,
    /// The offset in the module of the instruction of WebAssembly that it belongs to; `SIZE_MAX` where that is not
    /// known. In production code it mostly is; in debug code it is of stop points and of calls of the runtime.
    pub module_offset: usize,
    /// Its bytes: the caller's, to be given to `wasm_byte_vec_delete`.
    pub bytes: wasm_byte_vec_t,
    /// The instruction, with targets of jumps and addresses as offsets in the text: NUL-terminated (the NUL is
    /// counted), and the caller's, as the bytes. `(data)` for what is none: tables of jumps, constants, and what
    /// nothing leads to. Empty, with no NUL, without the feature `disassembler`.
    pub text: wasm_message_t,
}

/// Where the contents of the module's code section begin, in bytes from its start: DWARF counts addresses of code from
/// there. 0 without a code section.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_code_start(module: *const wasm_module_t) -> usize {
    // SAFETY: C passes a live module or NULL.
    or_abort("stepwell_module_code_start", || Ok(unsafe { get(module) }?.code_start().index()))
}

/// Writes functions of the module to `out`, from the one with the index `first` on, imports counted: as many as there
/// are and as fit into `capacity`. Returns how many were written. With a `capacity` of 0, `out` may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_functions(
    module: *const wasm_module_t,
    first: u32,
    out: *mut stepwell_function_t,
    capacity: usize,
) -> usize {
    or_value("stepwell_module_functions", 0, || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        if capacity > 0 && out.is_null() {
            return Err(null("out"));
        }
        let end = first.saturating_add(u32::try_from(capacity).unwrap_or(u32::MAX));
        let text = |text: Option<&str>| text.map_or(std::ptr::null(), |text| module.name_with_nul(text));
        let found = module.function_list(first..end);
        let rows = found.iter().map(|function| {
            let body = function.body.as_ref().map_or((0, 0), |body| (body.start.index(), body.end.index()));
            stepwell_function_t {
                index: function.function.get(),
                line: function.line,
                name: text(function.name.as_deref()),
                linkage_name: text(function.linkage_name.as_deref()),
                file: text(function.file),
                begin: body.0,
                end: body.1,
                entry: function.entry.map_or(0, |entry| entry.index()),
            }
        });
        // SAFETY: C has room for `capacity` there, or passes NULL.
        unsafe { write_rows(rows, out, capacity) }
    })
}

/// Writes instructions of a function that the module defines to `out`, from the first one at `offset` or behind it on
/// (0 is before all): as many as there are and as fit into `capacity`. `count_out` gets how many were written; their
/// texts are the caller's. With a `capacity` of 0, `out` may be NULL. An error for a function that is imported or not
/// there.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_instructions(
    module: *const wasm_module_t,
    func_index: u32,
    offset: usize,
    out: *mut stepwell_instruction_t,
    capacity: usize,
    count_out: *mut usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_instructions", || {
        let count_out = Out::plain(count_out).check("count_out")?;
        if capacity > 0 && out.is_null() {
            return Err(null("out"));
        }
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let found = module.instructions(FuncIndex::new(func_index), offset_of(offset), capacity)?;
        let rows = found.iter().map(|instruction| stepwell_instruction_t {
            offset: instruction.offset.index(),
            size: instruction.size as usize,
            text: wasm_byte_vec_t::text_nul(&instruction.text),
        });
        // SAFETY: C has room for `capacity` there, or passes NULL.
        let count = unsafe { write_rows(rows, out, capacity) }?;
        // SAFETY: `count_out` is C's.
        unsafe { count_out.write(count) };
        Ok(())
    })
}

/// Writes the machine code of a function that the module defines to `out`, from the first piece at `offset` in its text
/// or behind it on (0 is before all): as many pieces as there are and as fit into `capacity`. `debug` is whether it is
/// that of debug code, which is compiled where it is not there yet; otherwise it is that of production. Breakpoints
/// that a store has set are not in it. `count_out` gets how many were written; their bytes and texts are the caller's.
/// With a `capacity` of 0, `out` may be NULL. An error for a function that is imported or not there, and for debug code
/// where the engine is not configured for debugging.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_machine_code(
    module: *const wasm_module_t,
    func_index: u32,
    debug: bool,
    offset: usize,
    out: *mut stepwell_machine_code_t,
    capacity: usize,
    count_out: *mut usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_machine_code", || {
        let count_out = Out::plain(count_out).check("count_out")?;
        if capacity > 0 && out.is_null() {
            return Err(null("out"));
        }
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let found = module.machine_code(FuncIndex::new(func_index), debug)?;
        let first = found.partition_point(|piece| piece.offset.index() < offset);
        let rows = found[first..].iter().take(capacity).map(|piece| stepwell_machine_code_t {
            offset: piece.offset.index(),
            module_offset: piece.wasm.map_or(usize::MAX, |offset| offset.index()),
            bytes: wasm_byte_vec_t::bytes(&piece.bytes),
            text: piece
                .text
                .as_ref()
                .map_or_else(|| wasm_byte_vec_t::bytes(&[]), |text| wasm_byte_vec_t::text_nul(text)),
        });
        // SAFETY: C has room for `capacity` there, or passes NULL.
        let count = unsafe { write_rows(rows, out, capacity) }?;
        // SAFETY: `count_out` is C's.
        unsafe { count_out.write(count) };
        Ok(())
    })
}
