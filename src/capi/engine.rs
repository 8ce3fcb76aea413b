//! `wasm_engine_t`: what compiles modules and is shared by stores.

use super::plumbing::guard::{or_abort, or_error, or_null};
use super::plumbing::handles::{stepwell_error_t, wasm_config_t, wasm_engine_t};
use super::plumbing::own::{Out, Own, borrow, handle};
use crate::runtime::{Config, Engine};

handle!(wasm_engine_t => Engine);

/// A configuration that C gave; NULL is the default one.
///
/// # Safety
/// C gives the configuration to us.
unsafe fn taken(function: &str, config: Own<wasm_config_t>) -> Config {
    // SAFETY: passed on.
    unsafe { config.optional(function, "config") }.map_or_else(Config::default, |config| *config)
}

/// A new engine of the default configuration. NULL on failure; `stepwell_last_error()` says why.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_engine_new() -> Own<wasm_engine_t> {
    or_null("wasm_engine_new", || Ok(Own::new(Engine::new(Config::default())?)))
}

/// A new engine of a configuration, which it takes, also when it fails; NULL is the default one. NULL on failure;
/// `stepwell_last_error()` says why.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_engine_new_with_config(config: Own<wasm_config_t>) -> Own<wasm_engine_t> {
    // SAFETY: C gives the configuration to us.
    let config = unsafe { taken("wasm_engine_new_with_config", config) };
    or_null("wasm_engine_new_with_config", || Ok(Own::new(Engine::new(config)?)))
}

/// As `wasm_engine_new_with_config`, with an error.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_engine_new(
    config: Own<wasm_config_t>,
    out: Out<Own<wasm_engine_t>>,
) -> Own<stepwell_error_t> {
    // SAFETY: C gives the configuration to us.
    let config = unsafe { taken("stepwell_engine_new", config) };
    or_error("stepwell_engine_new", || {
        let out = out.check("out")?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(Engine::new(config)?)) };
        Ok(())
    })
}

/// Deletes the handle of an engine; the engine goes with the last store and module of it. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_engine_delete(engine: Own<wasm_engine_t>) {
    // SAFETY: C gives it back.
    unsafe { engine.delete("wasm_engine_delete", "engine") }
}

/// Lets go of what the engine keeps for instances to come: pages of tables, and the address space of memories that are
/// gone, of which `stepwell_config_kept_memories_set` limits the number. What lives stays as it is; what is given up
/// later is kept again.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_engine_trim(engine: *const wasm_engine_t) {
    or_abort("stepwell_engine_trim", || {
        // SAFETY: C passes a live engine or NULL.
        unsafe { borrow(engine, "engine") }?.trim();
        Ok(())
    });
}

/// Makes sure that the library's signal handlers are in front of those that the host has installed since the first
/// engine was made: for a host that does so later (as Python's `faulthandler` does), and calls this afterwards. Making
/// an engine or a store does it too. Handlers that are found in front get every signal that is not a guest's. Without
/// engines that use signals it does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_signal_handlers_renew() -> Own<stepwell_error_t> {
    or_error("stepwell_signal_handlers_renew", Engine::renew_signal_handlers)
}
