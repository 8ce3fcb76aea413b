//! What an engine tells its host: messages, and what it has fallen back to.

use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_abort, or_error};
use super::plumbing::handles::{stepwell_error_t, wasm_config_t, wasm_engine_t};
use super::plumbing::own::{Own, borrow, borrow_mut, null};
use crate::base::{Error, ErrorKind};
use crate::runtime::{Fallbacks, LogLevel, Logger};
use std::ffi::{CString, c_char, c_void};

/// How much a message matters, one of `enum stepwell_log_level_enum`.
pub type stepwell_log_level_t = i32;

/// How much a message matters; the smaller, the more.
#[repr(C)]
pub enum stepwell_log_level_enum {
    /// Something is not as the configuration asks for; it works all the same.
    STEPWELL_LOG_WARN = 1,
    /// A module was compiled, or its debug code, or one that was compiled before was found in the cache.
    STEPWELL_LOG_INFO = 2,
    /// Code that was kept for later is let go.
    STEPWELL_LOG_DEBUG = 3,
}

// The header's numbers are the engine's.
const _: () = {
    use stepwell_log_level_enum as c;
    assert!(c::STEPWELL_LOG_WARN as i32 == LogLevel::Warn as i32);
    assert!(c::STEPWELL_LOG_INFO as i32 == LogLevel::Info as i32);
    assert!(c::STEPWELL_LOG_DEBUG as i32 == LogLevel::Debug as i32);
};

/// Told what an engine does, in a message that is valid during the call. Any thread calls it, also several at once. It
/// may not call Stepwell.
pub type stepwell_log_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, level: stepwell_log_level_t, message: *const c_char)>;

/// What an engine does in another way than its configuration asks for, since the system refuses: bits.
#[repr(C)]
pub enum stepwell_fallback_enum {
    /// There is no `memfd` for machine code: each debugged store copies it.
    STEPWELL_FALLBACK_COPIED_CODE = 1,
    /// Address space cannot be reserved for memories as the configuration says: memories move as they grow, and
    /// accesses are checked by instructions.
    STEPWELL_FALLBACK_NO_RESERVATION = 2,
    /// No threads can be made: modules are compiled on the thread that asks.
    STEPWELL_FALLBACK_NO_THREADS = 4,
    /// No signal handlers can be installed: compiled code checks for traps by itself, as without
    /// `stepwell_config_signals_set`.
    STEPWELL_FALLBACK_NO_SIGNALS = 8,
    /// Machine code cannot be executed where it was written (`PR_SET_MDWE`, systemd's `MemoryDenyWriteExecute`): pages
    /// with breakpoints are made anew for each change, which takes somewhat longer. The system may begin to refuse it
    /// at any time.
    STEPWELL_FALLBACK_REPLACED_CODE = 16,
    /// There is no `memfd` for a module's data: each instance copies it, as without
    /// `stepwell_config_memory_images_set`.
    STEPWELL_FALLBACK_COPIED_DATA = 32,
    /// The folder of `stepwell_config_cache_set` cannot be read or written, or others may write to it: compiled modules
    /// are not kept there, or not all of them.
    STEPWELL_FALLBACK_NO_CACHE = 64,
}

// The header's numbers are the engine's.
const _: () = {
    use stepwell_fallback_enum as c;
    assert!(c::STEPWELL_FALLBACK_COPIED_CODE as i32 == Fallbacks::COPIED_CODE.bits() as i32);
    assert!(c::STEPWELL_FALLBACK_NO_RESERVATION as i32 == Fallbacks::NO_RESERVATION.bits() as i32);
    assert!(c::STEPWELL_FALLBACK_NO_THREADS as i32 == Fallbacks::NO_THREADS.bits() as i32);
    assert!(c::STEPWELL_FALLBACK_NO_SIGNALS as i32 == Fallbacks::NO_SIGNALS.bits() as i32);
    assert!(c::STEPWELL_FALLBACK_REPLACED_CODE as i32 == Fallbacks::REPLACED_CODE.bits() as i32);
    assert!(c::STEPWELL_FALLBACK_COPIED_DATA as i32 == Fallbacks::COPIED_DATA.bits() as i32);
    assert!(c::STEPWELL_FALLBACK_NO_CACHE as i32 == Fallbacks::NO_CACHE.bits() as i32);
};

/// Where the engine's messages go, those of `level` and those that matter more. The finalizer runs when the engine is
/// gone, or another callback is set, also when this fails.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_config_log_set(
    config: *mut wasm_config_t,
    level: stepwell_log_level_t,
    callback: stepwell_log_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_config_log_set", || {
        // SAFETY: C passes a live configuration or NULL.
        let config = unsafe { borrow_mut(config, "config") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        let levels = [LogLevel::Warn, LogLevel::Info, LogLevel::Debug];
        let Some(level) = levels.into_iter().find(|known| *known as i32 == level) else {
            let message = format!("`level` is {level}, which is no level; `enum stepwell_log_level_enum` has them");
            return Err(Error::new(ErrorKind::Argument, message));
        };
        config.log = Some(Logger::new(level, move |level, message| {
            let message = CString::new(message.replace('\0', "?")).unwrap_or_default();
            // SAFETY: C gave both for as long as the engine lives, for any thread.
            unsafe { callback(env.get(), level as i32, message.as_ptr()) };
        }));
        Ok(())
    })
}

/// What the engine has fallen back to so far: bits of `enum stepwell_fallback_enum`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_engine_fallbacks(engine: *const wasm_engine_t) -> u32 {
    // SAFETY: C passes a live engine or NULL.
    or_abort("stepwell_engine_fallbacks", || Ok(unsafe { borrow(engine, "engine") }?.fallbacks().bits()))
}
