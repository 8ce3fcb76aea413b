//! Telling profilers and native debuggers of machine code.

use super::plumbing::guard::{or_abort, or_error};
use super::plumbing::handles::{stepwell_error_t, wasm_config_t};
use super::plumbing::own::{Own, borrow_mut};
use crate::base::{Error, ErrorKind};
use crate::runtime::Profiler;

/// Which profilers are told where machine code is, one of `enum stepwell_profiler_enum`.
pub type stepwell_profiler_t = i32;

/// Which profilers are told where machine code is: that of modules, in both tiers, and trampolines. A function has the
/// name that the module's name section gives it, else `MODULE!wasm-function[INDEX]`. An engine tells none at first.
#[repr(C)]
pub enum stepwell_profiler_enum {
    /// None.
    STEPWELL_PROFILER_NONE = 0,
    /// A line for each function is added to `/tmp/perf-PID.map`, which `perf report` reads. It does so for code in
    /// anonymous memory only, so machine code is kept there, as by `stepwell_config_copied_code_set`.
    STEPWELL_PROFILER_PERF_MAP = 1,
    /// Each function is written, with its machine code, to `jit-PID.dump` in the folder that the environment variable
    /// `JITDUMPDIR` names, or in the current one. Record with `perf record -k mono`, and put the code into the record
    /// with `perf inject --jit`.
    STEPWELL_PROFILER_JITDUMP = 2,
}

/// Which profilers are told where machine code is, one of `enum stepwell_profiler_enum`. `STEPWELL_PROFILER_NONE` at
/// first. For a number that is no profiler: an error, and the configuration is as before. The engine cannot be made if
/// the file cannot.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_config_profiler_set(
    config: *mut wasm_config_t,
    profiler: stepwell_profiler_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_config_profiler_set", || {
        // SAFETY: C passes a live configuration or NULL.
        let config = unsafe { borrow_mut(config, "config") }?;
        use stepwell_profiler_enum as p;
        config.profiler = match profiler {
            _ if profiler == p::STEPWELL_PROFILER_NONE as i32 => Profiler::None,
            _ if profiler == p::STEPWELL_PROFILER_PERF_MAP as i32 => Profiler::PerfMap,
            _ if profiler == p::STEPWELL_PROFILER_JITDUMP as i32 => Profiler::JitDump,
            _ => {
                let message =
                    format!("`profiler` is {profiler}, which is no profiler; `enum stepwell_profiler_enum` has them");
                return Err(Error::new(ErrorKind::Argument, message));
            }
        };
        Ok(())
    })
}

/// Whether debuggers of the process (gdb, lldb) are told where machine code is, of both tiers, and how to unwind its
/// frames: a backtrace of the host then goes through guests, by the names of their functions. Off at first.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_config_native_debug_info_set(config: *mut wasm_config_t, enable: bool) {
    or_abort("stepwell_config_native_debug_info_set", || {
        // SAFETY: C passes a live configuration or NULL.
        unsafe { borrow_mut(config, "config") }?.native_debug_info = enable;
        Ok(())
    });
}
