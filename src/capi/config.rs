//! `wasm_config_t`: how an engine is made.

use super::plumbing::check;
use super::plumbing::guard::{or_abort, or_error};
use super::plumbing::handles::{stepwell_error_t, wasm_config_t};
use super::plumbing::own::{Own, borrow_mut, handle, null, string};
use crate::base::{Error, ErrorKind};
use crate::runtime::{Cache, Config, DebugTier, Processor};
use crate::sys::files::path_of;
use std::ffi::{CStr, c_char};

handle!(wasm_config_t => Config);

/// What debug code is like, one of `enum stepwell_debug_tier_enum`.
pub type stepwell_debug_tier_t = i32;

/// What debug code is like. It decides what debugging costs, not what can be seen: every instruction is a place to stop
/// at, with every local and operand. An engine has `STEPWELL_DEBUG_TIER_REGIONS` at first.
#[repr(C)]
pub enum stepwell_debug_tier_enum {
    /// The default. State is stored where a region begins whose instructions can be run again with the same outcome: at
    /// the start of functions and loops, behind side effects. What is inside a region is found by running it again, on
    /// a copy of the state.
    STEPWELL_DEBUG_TIER_REGIONS = 0,
    /// State is stored at every instruction, and nothing is run again: slower, larger, and simple.
    STEPWELL_DEBUG_TIER_SIMPLE = 1,
    /// As `STEPWELL_DEBUG_TIER_REGIONS`, with a region for each basic block: a little slower, and what
    /// `stepwell_debugger_cover` needs.
    STEPWELL_DEBUG_TIER_BLOCKS = 2,
}

/// A proposal, one of `enum stepwell_feature_enum`.
pub type stepwell_feature_t = i32;

/// The proposals to WebAssembly 1.0 that can be switched off. The numbers stay.
#[repr(C)]
pub enum stepwell_feature_enum {
    /// `i32.extend8_s` and its kin.
    STEPWELL_FEATURE_SIGN_EXTENSION = 0,
    /// `i32.trunc_sat_f32_s` and its kin.
    STEPWELL_FEATURE_SATURATING_FLOAT_TO_INT = 1,
    /// Several results, and blocks with parameters.
    STEPWELL_FEATURE_MULTI_VALUE = 2,
    /// `memory.copy`, `table.init` and their kin; passive segments.
    STEPWELL_FEATURE_BULK_MEMORY = 3,
    /// `externref`, `table.get`, `ref.null` and their kin; several tables.
    STEPWELL_FEATURE_REFERENCE_TYPES = 4,
    /// Additions, subtractions and multiplications in constant expressions.
    STEPWELL_FEATURE_EXTENDED_CONST = 5,
    /// Vectors of 128 bits.
    STEPWELL_FEATURE_SIMD = 6,
    /// Operations on them whose outcome may differ between machines. They need `STEPWELL_FEATURE_SIMD`.
    STEPWELL_FEATURE_RELAXED_SIMD = 7,
    /// Several memories in a module.
    STEPWELL_FEATURE_MULTI_MEMORY = 8,
    /// Memories and tables with places of 64 bits.
    STEPWELL_FEATURE_MEMORY64 = 9,
    /// Memories with pages of one byte. Off at first.
    STEPWELL_FEATURE_CUSTOM_PAGE_SIZES = 10,
    /// References to functions of one type, and those that are never null.
    STEPWELL_FEATURE_FUNCTION_REFERENCES = 11,
    /// `return_call` and its kin.
    STEPWELL_FEATURE_TAIL_CALL = 12,
    /// Sums, differences and products of 128 bits, in two numbers of 64 bits.
    STEPWELL_FEATURE_WIDE_ARITHMETIC = 13,
    /// Imports that share a module's name, or a type, in the binary.
    STEPWELL_FEATURE_COMPACT_IMPORTS = 14,
    /// Exceptions: tags, `throw`, `try_table`, `throw_ref`, `exnref`.
    STEPWELL_FEATURE_EXCEPTIONS = 15,
    /// Garbage collection: structures, arrays, integers of 31 bits, recursive types, casts.
    STEPWELL_FEATURE_GC = 16,
    /// Shared memories, atomic instructions, waiting and waking.
    STEPWELL_FEATURE_THREADS = 17,
    /// Exceptions as they were before `try_table`: `try`, `catch`, `catch_all`, `delegate`, `rethrow`. They need
    /// `STEPWELL_FEATURE_EXCEPTIONS`. Off at first.
    STEPWELL_FEATURE_LEGACY_EXCEPTIONS = 18,
}

/// A new configuration, of the defaults.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_config_new() -> Own<wasm_config_t> {
    Own::new(Config::default())
}

/// Deletes a configuration. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_config_delete(config: Own<wasm_config_t>) {
    // SAFETY: C gives it back.
    unsafe { config.delete("wasm_config_delete", "config") }
}

/// Sets one field.
///
/// # Safety
/// C passes a live configuration or NULL.
unsafe fn set(function: &str, config: *mut wasm_config_t, change: impl FnOnce(&mut Config)) {
    or_abort(function, || {
        // SAFETY: by the contract.
        change(unsafe { borrow_mut(config, "config") }?);
        Ok(())
    });
}

/// Whether pointers that C passes are checked: a handle that was deleted or given away before, a vector that was, a
/// handle of another kind, other memory. What is found ends the process, with a message that names function and
/// parameter. It is for tests: calls take longer, and memory that is given back is kept for a while. The check is of
/// the whole process, from now on and for good, so `false` does nothing. Call it with the first thing that is made
/// here: of what was made before, less is known. The environment variable `STEPWELL_CHECK_HANDLES=1` does the same,
/// from the beginning.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_check_handles_set(config: *mut wasm_config_t, enable: bool) {
    or_abort("stepwell_config_check_handles_set", || {
        // SAFETY: C passes a live configuration or NULL.
        let config = unsafe { borrow_mut(config, "config") }?;
        if enable {
            check::turn_on::<wasm_config_t>(config);
        }
        Ok(())
    });
}

/// Whether stores of the engine may have a debugger attached: it can then make debug code. It costs a store without a
/// debugger nothing. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_debug_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_debug_set", config, |config| config.debug = enable) }
}

/// Whether modules have their debug code compiled with them, not when a debugger is first attached to a store that has
/// them. For single modules `stepwell_module_compile_debug` does it. Without `stepwell_config_debug_set` it means
/// nothing. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_debug_eagerly_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_debug_eagerly_set", config, |config| config.debug_eagerly = enable) }
}

/// What debug code is like, one of `enum stepwell_debug_tier_enum`. `STEPWELL_DEBUG_TIER_REGIONS` at first. For a
/// number that is no tier: an error, and the configuration is as before.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_config_debug_tier_set(
    config: *mut wasm_config_t,
    tier: stepwell_debug_tier_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_config_debug_tier_set", || {
        // SAFETY: C passes a live configuration or NULL.
        let config = unsafe { borrow_mut(config, "config") }?;
        use stepwell_debug_tier_enum as t;
        config.debug_tier = match tier {
            _ if tier == t::STEPWELL_DEBUG_TIER_REGIONS as i32 => DebugTier::Regions,
            _ if tier == t::STEPWELL_DEBUG_TIER_SIMPLE as i32 => DebugTier::Simple,
            _ if tier == t::STEPWELL_DEBUG_TIER_BLOCKS as i32 => DebugTier::Blocks,
            _ => {
                let message = format!("`tier` is {tier}, which is no tier; `enum stepwell_debug_tier_enum` has them");
                return Err(Error::new(ErrorKind::Argument, message));
            }
        };
        Ok(())
    })
}

/// How many bytes of rerun code the engine keeps: code that finds what is inside a region, compiled when a debugger
/// first needs it for a function, and shared by all stores. Each function takes at least a page. What was used last is
/// kept, the rest is compiled again when it is needed again. 64 MiB at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_rerun_cache_set(config: *mut wasm_config_t, bytes: usize) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_rerun_cache_set", config, |config| config.rerun_cache = bytes) }
}

/// Whether every NaN that arithmetic yields is made the same one, so that production and debug code agree on NaNs to
/// the bit. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_nan_canonicalization_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_nan_canonicalization_set", config, |config| config.nan_canonicalization = enable) }
}

/// Whether relaxed vector instructions do what the specification's deterministic profile says, the same on all
/// machines. Else they do what costs this one least. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_relaxed_simd_deterministic_set(config: *mut wasm_config_t, enable: bool) {
    let set_to = |config: &mut Config| config.relaxed_simd_deterministic = enable;
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_relaxed_simd_deterministic_set", config, set_to) }
}

/// Whether guests count the instructions that they run, and trap when they have used up the fuel that
/// `stepwell_store_fuel_set` gave them. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_fuel_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_fuel_set", config, |config| config.fuel = enable) }
}

/// Whether guests look at the engine's epoch and trap when it has come to their store's deadline, or when another
/// thread interrupts them: `stepwell_store_epoch_deadline_set`, `stepwell_interrupt_raise`. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_epoch_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_epoch_set", config, |config| config.epoch = enable) }
}

/// Whether modules may use a proposal, one of `enum stepwell_feature_enum`. On at first are all that are not said to be
/// off. For a number that is none: an error, and the configuration is as before.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_config_feature_set(
    config: *mut wasm_config_t,
    feature: stepwell_feature_t,
    enable: bool,
) -> Own<stepwell_error_t> {
    or_error("stepwell_config_feature_set", || {
        // SAFETY: C passes a live configuration or NULL.
        let features = &mut unsafe { borrow_mut(config, "config") }?.features;
        use stepwell_feature_enum as f;
        let field = match feature {
            _ if feature == f::STEPWELL_FEATURE_SIGN_EXTENSION as i32 => &mut features.sign_extension,
            _ if feature == f::STEPWELL_FEATURE_SATURATING_FLOAT_TO_INT as i32 => &mut features.saturating_float_to_int,
            _ if feature == f::STEPWELL_FEATURE_MULTI_VALUE as i32 => &mut features.multi_value,
            _ if feature == f::STEPWELL_FEATURE_BULK_MEMORY as i32 => &mut features.bulk_memory,
            _ if feature == f::STEPWELL_FEATURE_REFERENCE_TYPES as i32 => &mut features.reference_types,
            _ if feature == f::STEPWELL_FEATURE_EXTENDED_CONST as i32 => &mut features.extended_const,
            _ if feature == f::STEPWELL_FEATURE_SIMD as i32 => &mut features.simd,
            _ if feature == f::STEPWELL_FEATURE_RELAXED_SIMD as i32 => &mut features.relaxed_simd,
            _ if feature == f::STEPWELL_FEATURE_MULTI_MEMORY as i32 => &mut features.multi_memory,
            _ if feature == f::STEPWELL_FEATURE_MEMORY64 as i32 => &mut features.memory64,
            _ if feature == f::STEPWELL_FEATURE_FUNCTION_REFERENCES as i32 => &mut features.function_references,
            _ if feature == f::STEPWELL_FEATURE_TAIL_CALL as i32 => &mut features.tail_call,
            _ if feature == f::STEPWELL_FEATURE_CUSTOM_PAGE_SIZES as i32 => &mut features.custom_page_sizes,
            _ if feature == f::STEPWELL_FEATURE_WIDE_ARITHMETIC as i32 => &mut features.wide_arithmetic,
            _ if feature == f::STEPWELL_FEATURE_COMPACT_IMPORTS as i32 => &mut features.compact_imports,
            _ if feature == f::STEPWELL_FEATURE_EXCEPTIONS as i32 => &mut features.exceptions,
            _ if feature == f::STEPWELL_FEATURE_GC as i32 => &mut features.gc,
            _ if feature == f::STEPWELL_FEATURE_THREADS as i32 => &mut features.threads,
            _ if feature == f::STEPWELL_FEATURE_LEGACY_EXCEPTIONS as i32 => &mut features.legacy_exceptions,
            _ => {
                let message = format!("`feature` is {feature}, which is none; `enum stepwell_feature_enum` has them");
                return Err(Error::new(ErrorKind::Argument, message));
            }
        };
        *field = enable;
        Ok(())
    })
}

/// Whether traps are found by signals (SIGSEGV, SIGILL, SIGFPE, SIGBUS), which makes guests faster. Without, compiled
/// code checks by itself, and no signal handler is installed. On at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_signals_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_signals_set", config, |config| config.signals = enable) }
}

/// How many bytes of address space are reserved for each memory. With 4 GiB (as at first) and signals, most bounds
/// checks vanish; with less, a memory that grows beyond it is moved.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_memory_reservation_set(config: *mut wasm_config_t, bytes: u64) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_memory_reservation_set", config, |config| config.memory_reservation = bytes) }
}

/// How many inaccessible bytes are kept behind the reservation of each memory.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_memory_guard_set(config: *mut wasm_config_t, bytes: u64) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_memory_guard_set", config, |config| config.memory_guard = bytes) }
}

/// Whether a module's data becomes an image in a file in memory, once, which memories map: an instance then has pages
/// of its own for what it writes alone. Without, and where the system has no such files, each instance copies the data.
/// On at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_memory_images_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_memory_images_set", config, |config| config.memory_images = enable) }
}

/// Of how many memories of instances that are gone the engine keeps the address space for the next, at most, with their
/// data as it was at first. Each is two of the mappings of which a process has some 65,000. `stepwell_engine_trim` lets
/// them go. 1,000 at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_kept_memories_set(config: *mut wasm_config_t, count: usize) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_kept_memories_set", config, |config| config.kept_memories = count) }
}

/// Of how many calls that are done (`stepwell_call_t`) the engine keeps the stack for the next, at most, with the
/// memory that it has come to use. 128 at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_kept_stacks_set(config: *mut wasm_config_t, count: usize) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_kept_stacks_set", config, |config| config.kept_stacks = count) }
}

/// Whether a call's guest waits where the slice of fuel is used up that `stepwell_call_run_slice` gave it. With
/// `stepwell_config_fuel_set`. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_fuel_slices_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_fuel_slices_set", config, |config| config.fuel_slices = enable) }
}

/// How many bytes of stack guests may use, counted from the outermost call; beyond, they trap. 512 KiB at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_max_stack_set(config: *mut wasm_config_t, bytes: usize) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_max_stack_set", config, |config| config.max_stack = bytes) }
}

/// How many bytes of stack are kept free below the guests' limit for host functions, traps and stop callbacks, and for
/// what is compiled when a guest is stopped. 256 KiB at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_stop_reserve_set(config: *mut wasm_config_t, bytes: usize) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_stop_reserve_set", config, |config| config.stop_reserve = bytes) }
}

/// Whether modules are compiled on several threads. On at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_parallel_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_parallel_set", config, |config| config.parallel = enable) }
}

/// Whether compiled code is optimised for speed; else compiling is. On at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_optimize_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_optimize_set", config, |config| config.optimize = enable) }
}

/// Whether machine code is kept in anonymous memory and copied for each debugged store, as on systems that refuse
/// `memfd_create`. It holds for the engine. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_copied_code_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_copied_code_set", config, |config| config.copied_code = enable) }
}

/// Has compiled modules be kept in a folder: whoever makes a module of the same bytes, by an engine of the same
/// configuration and version on the same kind of processor, in this process or another, finds it there and does not
/// compile it again. `folder` is made if there is none, for this user alone. What was used longest ago is thrown away
/// when the files have more than `max_bytes`. Several processes may use a folder at once.
///
/// What is in the folder is machine code, and taken as `wasm_module_deserialize` does: a damaged file is noticed, and
/// the module compiled anew; malice is not. So a folder is not used that belongs to another user, or that others may
/// write to.
///
/// A folder that cannot be used is no error: modules are compiled, `stepwell_engine_fallbacks` has
/// `STEPWELL_FALLBACK_NO_CACHE`, and the log says why.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_config_cache_set(
    config: *mut wasm_config_t,
    folder: *const c_char,
    max_bytes: u64,
) -> Own<stepwell_error_t> {
    or_error("stepwell_config_cache_set", || {
        // SAFETY: C passes a live configuration or NULL.
        let config = unsafe { borrow_mut(config, "config") }?;
        if folder.is_null() {
            return Err(null("folder"));
        }
        // SAFETY: it is a C string then.
        let folder = path_of(unsafe { CStr::from_ptr(folder) }.to_bytes());
        if folder.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::Argument, "`folder` is empty; it is to name a folder"));
        }
        config.cache = Some(Cache::new(folder, max_bytes));
        Ok(())
    })
}

/// The processor that code is compiled for, where that is not this machine's: words with spaces or commas between them,
/// each a level of such processors or a feature, which `docs/modules.md` has. Code uses nothing else. For a word that
/// is neither: an error that names it, with the levels, and the configuration is as before.
///
/// A module that is compiled so can be serialized, and loaded by whatever engine of the same configuration on a
/// processor that has all of it; on another, loading it is refused, and so is instantiating where it was made. The
/// error names what is lacking.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_config_processor_set(
    config: *mut wasm_config_t,
    processor: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_config_processor_set", || {
        // SAFETY: C passes a live configuration or NULL, and a C string or NULL.
        let (config, words) = unsafe { (borrow_mut(config, "config")?, string(processor, "processor")?) };
        config.processor = Some(Processor::parse(words).map_err(|error| error.context("`processor`"))?);
        Ok(())
    })
}
