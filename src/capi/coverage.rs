//! What guests have reached of a debugged store's modules.

use super::breakpoint::module_or_any;
use super::debugger::DebuggerObject;
use super::module_source::write_rows;
use super::plumbing::guard::{or_error, or_value};
use super::plumbing::handles::{stepwell_debugger_t, stepwell_error_t, wasm_module_t};
use super::plumbing::own::{Out, Own, borrow, null};
use super::vecs::wasm_byte_vec_t;
use crate::base::Result;
use crate::debug::{Coverage, CoveredBlock, CoveredBranch};

/// Instructions that are reached together, but for traps among them: a basic block, or what is between two calls of
/// one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_covered_block_t {
    /// The first instruction, in bytes from the start of the module.
    pub begin: usize,
    /// Where the next block begins, or the function ends.
    pub end: usize,
    /// The index of its function, imports counted.
    pub func_index: u32,
    /// Whether a guest has come to the first instruction.
    pub is_reached: bool,
}

/// A side of a branch: one of the ways that control goes from `if`, `br_if`, `br_on_null` and its kin, or from a
/// `br_table` of more than one block.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_covered_side_t {
    /// The branch, in bytes from the start of the module.
    pub branch: usize,
    /// The instruction that the side leads to, in bytes from the start of the module; where the function's body ends,
    /// if that is out of the function.
    pub to: usize,
    /// The index of its function, imports counted.
    pub func_index: u32,
    /// Which of the branch's sides it is: 0 where the condition holds, 1 where it does not; of a `br_table` each block
    /// that it names has one, in the order in which they are named first, the default last.
    pub side: u32,
    /// Whether a guest has taken it.
    pub is_reached: bool,
}

/// Notes from now on what of a module is reached in the debugger's store, or, with NULL, of all modules that the store
/// has and will have. Nobody is called for it: `stepwell_debugger_coverage`, `stepwell_debugger_coverage_branches` and
/// `stepwell_debugger_coverage_lcov` say it. What was reached costs nothing any more. An error with
/// `STEPWELL_ERROR_STATE` where the engine's debug code is of the kind `STEPWELL_DEBUG_TIER_REGIONS`, which has no
/// place to stop at in each block (`STEPWELL_DEBUG_TIER_BLOCKS` has), and where the store has no instance of the module
/// yet. Also allowed inside a stop.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_cover(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_cover", || {
        // SAFETY: C passes live objects or NULL.
        let (object, module) = unsafe { (borrow(debugger, "debugger")?, module_or_any(module)?) };
        object.debugger.cover(&mut *object.cell.enter()?, module)
    })
}

/// What has been reached of a module, if the debugger covers it.
///
/// # Safety
/// C passes live objects or NULL.
unsafe fn coverage_of(debugger: *const stepwell_debugger_t, module: *const wasm_module_t) -> Result<Option<Coverage>> {
    // SAFETY: by the contract.
    let (object, module) = unsafe { (borrow(debugger, "debugger")?, module_or_any(module)?) };
    let module = module.ok_or_else(|| null("module"))?;
    let DebuggerObject { cell, debugger } = object;
    let all = debugger.coverage(&*cell.enter_to_look()?)?;
    Ok(all.into_iter().find(|coverage| coverage.module().id() == module.id()))
}

/// Writes the blocks of a module to `out`, by their offsets, with what has been reached of them: the first ones, if
/// there are more than `capacity`. Returns how many there are, none of a module that `stepwell_debugger_cover` was not
/// asked for; with a `capacity` of 0, `out` may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_debugger_coverage(
    debugger: *const stepwell_debugger_t,
    module: *const wasm_module_t,
    out: *mut stepwell_covered_block_t,
    capacity: usize,
) -> usize {
    or_value("stepwell_debugger_coverage", 0, || {
        // SAFETY: C passes live objects or NULL.
        let found = unsafe { coverage_of(debugger, module) }?;
        let row = |block: &CoveredBlock| stepwell_covered_block_t {
            begin: block.start.index(),
            end: block.end.index(),
            func_index: block.func.get(),
            is_reached: block.reached,
        };
        let blocks = found.as_ref().map_or(&[][..], Coverage::blocks);
        // SAFETY: C has room for `capacity` there, or passes NULL.
        unsafe { write_rows(blocks.iter().map(row), out, capacity) }
    })
}

/// Writes the sides of a module's branches to `out`, branch by branch by their offsets, with which of them were taken:
/// the first ones, if there are more than `capacity`. Returns how many there are, none of a module that
/// `stepwell_debugger_cover` was not asked for, and none where the engine's debug code is of the kind
/// `STEPWELL_DEBUG_TIER_SIMPLE`; with a `capacity` of 0, `out` may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_debugger_coverage_branches(
    debugger: *const stepwell_debugger_t,
    module: *const wasm_module_t,
    out: *mut stepwell_covered_side_t,
    capacity: usize,
) -> usize {
    or_value("stepwell_debugger_coverage_branches", 0, || {
        // SAFETY: C passes live objects or NULL.
        let found = unsafe { coverage_of(debugger, module) }?;
        let branches = found.as_ref().map_or(&[][..], Coverage::branches);
        let rows: Vec<stepwell_covered_side_t> = branches.iter().flat_map(sides).collect();
        // SAFETY: C has room for `capacity` there, or passes NULL.
        unsafe { write_rows(rows.into_iter(), out, capacity) }
    })
}

/// The rows of a branch.
fn sides(branch: &CoveredBranch) -> impl Iterator<Item = stepwell_covered_side_t> + '_ {
    branch.sides.iter().zip(0..).map(|(side, number)| stepwell_covered_side_t {
        branch: branch.at.index(),
        to: side.to.index(),
        func_index: branch.func.get(),
        side: number,
        is_reached: side.reached,
    })
}

/// Writes what has been reached of the lines, functions and branches of the sources of all modules that
/// `stepwell_debugger_cover` was asked for to `out`, in the format of lcov's tracefiles: 1 for what was, 0 for what was
/// not, `-` for the sides of a branch that was not come to. A module without debug information has no part in it.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_coverage_lcov(
    debugger: *const stepwell_debugger_t,
    out: Out<wasm_byte_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_coverage_lcov", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live debugger or NULL.
        let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
        let all = debugger.coverage(&*cell.enter_to_look()?)?;
        let text: String = all.iter().map(|coverage| coverage.lcov()).collect();
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::bytes(text.as_bytes())) };
        Ok(())
    })
}
