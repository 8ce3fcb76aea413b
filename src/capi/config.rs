//! `wasm_config_t`: how an engine is made.

use super::error::stepwell_error_t;
use super::guard::{or_abort, or_error};
use super::own::{Own, borrow_mut, handle};
use crate::base::{Error, ErrorKind};
use crate::runtime::{Config, DebugTier};

/// How an engine is made: `stepwell.h` has the settings.
pub struct wasm_config_t {
    _opaque: [u8; 0],
}
handle!(wasm_config_t => Config);

/// What debug code is like, one of `enum stepwell_debug_tier_enum`.
pub type stepwell_debug_tier_t = i32;

/// What debug code is like. It decides what debugging costs, not what can be seen: every instruction is a place to stop at,
/// with every local and operand. An engine has `STEPWELL_DEBUG_TIER_REGIONS` at first.
#[repr(C)]
pub enum stepwell_debug_tier_enum {
    /// The default. State is stored where a region begins whose instructions can be run again with the same outcome: at the start
    /// of functions and loops, behind side effects. What is inside a region is found by running it again, on a copy of the state.
    STEPWELL_DEBUG_TIER_REGIONS = 0,
    /// State is stored at every instruction, and nothing is run again: slower, larger, and simple.
    STEPWELL_DEBUG_TIER_SIMPLE = 1,
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
    unsafe { config.delete() }
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

/// Whether stores of the engine may have a debugger attached: it can then make debug code. It costs a store without a
/// debugger nothing. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_debug_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_debug_set", config, |config| config.debug = enable) }
}

/// What debug code is like, one of `enum stepwell_debug_tier_enum`. `STEPWELL_DEBUG_TIER_REGIONS` at first. For a number that is no
/// tier: an error, and the configuration is as before.
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
            _ => {
                let message = format!("`tier` is {tier}, which is no tier; `enum stepwell_debug_tier_enum` has them");
                return Err(Error::new(ErrorKind::Argument, message));
            }
        };
        Ok(())
    })
}

/// How many bytes of replay code the engine keeps: code that finds what is inside a region, compiled when a debugger first
/// needs it for a function, and shared by all stores. Each function takes at least a page. What was used last is kept, the rest is
/// compiled again when it is needed again. 64 MiB at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_replay_cache_set(config: *mut wasm_config_t, bytes: usize) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_replay_cache_set", config, |config| config.replay_cache_bytes = bytes) }
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

/// How many bytes of stack guests may use, counted from the outermost call; beyond, they trap. 512 KiB at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_max_stack_set(config: *mut wasm_config_t, bytes: usize) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_max_stack_set", config, |config| config.max_wasm_stack = bytes) }
}

/// How many bytes of stack are kept free below the guests' limit for host functions, traps and stop callbacks, and for what is
/// compiled when a guest is stopped. 256 KiB at first.
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
/// `memfd_create`. It holds for the whole process. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_copied_code_set(config: *mut wasm_config_t, enable: bool) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_config_copied_code_set", config, |config| config.force_copied_code = enable) }
}
