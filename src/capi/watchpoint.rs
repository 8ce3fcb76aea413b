//! `stepwell_watchpoint_t`: a watchpoint of a debugger, by its number; and what watchpoints have seen, at a stop.

use super::debugger::DebuggerObject;
use super::plumbing::guard::{or_abort, or_error, or_null, or_value};
use super::plumbing::handles::{
    stepwell_debugger_t, stepwell_error_t, stepwell_frame_t, stepwell_stop_t, stepwell_variable_t, wasm_global_t,
    wasm_memory_t,
};
use super::plumbing::own::{Out, Own, borrow};
use super::stop::{with_frame_to_change, with_reason};
use super::vecs::wasm_byte_vec_t;
use super::{global, memory, variable};
use crate::base::{Error, ErrorKind, Result};
use crate::debug::{WatchHit, WatchKind, Watchpoint, WatchpointId};

/// A watchpoint's number: unique in its debugger, never 0, never reused. Breakpoints have numbers of their own.
pub type stepwell_watchpoint_t = u32;

/// What of a watched place is a hit, one of `enum stepwell_watch_kind_enum`.
pub type stepwell_watch_kind_t = i32;

/// What of a watched place is a hit.
#[repr(C)]
pub enum stepwell_watch_kind_enum {
    /// Each write, also of the value that is there.
    STEPWELL_WATCH_KIND_WRITE = 1,
    /// Each write by which the value becomes another one.
    STEPWELL_WATCH_KIND_CHANGE = 2,
    /// Each read. Of memories alone, so of no variable that is in a local or a global.
    STEPWELL_WATCH_KIND_READ = 3,
    /// Each read and each write. Of memories alone.
    STEPWELL_WATCH_KIND_ACCESS = 4,
}

/// What C's number of a kind means.
fn kind_from_c(kind: stepwell_watch_kind_t) -> Result<WatchKind> {
    use stepwell_watch_kind_enum as k;
    match kind {
        _ if kind == k::STEPWELL_WATCH_KIND_WRITE as i32 => Ok(WatchKind::Write),
        _ if kind == k::STEPWELL_WATCH_KIND_CHANGE as i32 => Ok(WatchKind::Change),
        _ if kind == k::STEPWELL_WATCH_KIND_READ as i32 => Ok(WatchKind::Read),
        _ if kind == k::STEPWELL_WATCH_KIND_ACCESS as i32 => Ok(WatchKind::Access),
        _ => Err(Error::new(ErrorKind::Argument, format!("`kind` is {kind}, which is no kind of watchpoint"))),
    }
}

/// Writes a watchpoint's number to `out`, unless that is NULL.
///
/// # Safety
/// `out` is C's.
unsafe fn give(out: *mut stepwell_watchpoint_t, id: WatchpointId) {
    if let Some(out) = Out::plain(out).optional() {
        // SAFETY: by the contract.
        unsafe { out.write(id.get()) };
    }
}

/// Has writes of a mutable global stop the guest, with the reason `STEPWELL_STOP_WATCHPOINT`, behind the instruction
/// that writes, whichever instance it is of. What a host function writes while a guest waits for it is told behind the
/// call, if the value is another one then. The global is kept from being collected. The watchpoint's number is written
/// to `out`, which may be NULL. Also allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_watch_global(
    debugger: *mut stepwell_debugger_t,
    global: *const wasm_global_t,
    kind: stepwell_watch_kind_t,
    out: *mut stepwell_watchpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_watch_global", || {
        // SAFETY: C passes live objects or NULL.
        let (object, global) = unsafe { (borrow(debugger, "debugger")?, global::get(global)?.1) };
        let id = object.debugger.watch_global(&mut *object.cell.enter()?, global, kind_from_c(kind)?)?;
        // SAFETY: `out` is C's.
        unsafe { give(out, id) };
        Ok(())
    })
}

/// Has accesses of `size` bytes of a memory from `offset` on stop the guest, with the reason
/// `STEPWELL_STOP_WATCHPOINT`, behind the instruction that accesses any of them. What a host function writes while a
/// guest waits for it is told behind the call, if a byte is another one then; what it reads is not seen, and it may do
/// with the memory what it likes. Bytes beyond the memory's end, and memories that are shared, are an error; so is an
/// engine that is configured without signals (`stepwell_config_signals_set`). Otherwise as
/// `stepwell_debugger_watch_global`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_watch_memory(
    debugger: *mut stepwell_debugger_t,
    memory: *const wasm_memory_t,
    offset: u64,
    size: u64,
    kind: stepwell_watch_kind_t,
    out: *mut stepwell_watchpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_watch_memory", || {
        // SAFETY: C passes live objects or NULL.
        let (object, memory) = unsafe { (borrow(debugger, "debugger")?, memory::get(memory)?.1) };
        let bytes = offset..offset.saturating_add(size);
        let id = object.debugger.watch_memory(&mut *object.cell.enter()?, memory, bytes, kind_from_c(kind)?)?;
        // SAFETY: `out` is C's.
        unsafe { give(out, id) };
        Ok(())
    })
}

/// Has writes of a local of a frame, parameters first, stop the guest, with the reason `STEPWELL_STOP_WATCHPOINT`,
/// behind the instruction that writes: innermost frames and others. Other frames of the same function have locals of
/// their own. What a stop callback writes is told to nobody. Reads cannot be watched. The watchpoint's number is
/// written to `out`, which may be NULL.
///
/// The watchpoint ends with the frame: it is removed, and that is told where the caller goes on, or where an exception
/// is caught, by a stop with the same reason, for which `stepwell_stop_watchpoint_is_end` says so. Where the host is
/// the caller, and where a trap or an exception that no frame catches leaves the frame, it is removed without a word.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_watch_local(
    debugger: *mut stepwell_debugger_t,
    frame: *const stepwell_frame_t,
    index: usize,
    kind: stepwell_watch_kind_t,
    out: *mut stepwell_watchpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_watch_local", || {
        // SAFETY: C passes a live debugger or NULL.
        let debugger = &unsafe { borrow(debugger, "debugger") }?.debugger;
        let kind = kind_from_c(kind)?;
        let id = with_frame_to_change(frame, |_, stop, number| debugger.watch_local(stop, number, index, kind))?;
        // SAFETY: `out` is C's.
        unsafe { give(out, id) };
        Ok(())
    })
}

/// Watches a variable where it is now: what is in memory as `stepwell_debugger_watch_memory` does, by the size of its
/// type, what is in a local as `stepwell_debugger_watch_local` does, what is in a global as
/// `stepwell_debugger_watch_global` does. At `-O2` a local may be that of several variables, each at its time; what is
/// told is what is written to the local. The watchpoint's number is written to `out`, which may be NULL.
///
/// A parameter or a variable of a block ends with its frame, as of `stepwell_debugger_watch_local`, in memory too: what
/// is there later is something else. A static variable does not, nor does what a pointer points to.
///
/// An error with `STEPWELL_ERROR_STATE` for what is missing, a constant, computed, an operand, or in several places,
/// and where the frame has moved since the variable was found.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_watch_variable(
    debugger: *mut stepwell_debugger_t,
    variable: *const stepwell_variable_t,
    kind: stepwell_watch_kind_t,
    out: *mut stepwell_watchpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_watch_variable", || {
        // SAFETY: C passes a live debugger or NULL.
        let debugger = &unsafe { borrow(debugger, "debugger") }?.debugger;
        let kind = kind_from_c(kind)?;
        // SAFETY: C passes a live variable or NULL.
        let id = unsafe {
            variable::with_to_change(variable, |stop, frame, variable| {
                debugger.watch_variable(stop, frame, variable, kind)
            })
        }?;
        // SAFETY: `out` is C's.
        unsafe { give(out, id) };
        Ok(())
    })
}

/// How many watchpoints there are.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_debugger_watchpoint_count(debugger: *const stepwell_debugger_t) -> usize {
    // SAFETY: C passes a live debugger or NULL.
    or_abort("stepwell_debugger_watchpoint_count", || Ok(unsafe { all(debugger) }?.len()))
}

/// The number of a watchpoint, in the order in which they were set; 0 beyond the last.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_debugger_watchpoint(
    debugger: *const stepwell_debugger_t,
    index: usize,
) -> stepwell_watchpoint_t {
    or_value("stepwell_debugger_watchpoint", 0, || {
        // SAFETY: C passes a live debugger or NULL.
        Ok(unsafe { all(debugger) }?.get(index).map_or(0, |watchpoint| watchpoint.id.get()))
    })
}

/// All watchpoints.
///
/// # Safety
/// The pointer is NULL or live.
unsafe fn all(debugger: *const stepwell_debugger_t) -> Result<Vec<Watchpoint>> {
    // SAFETY: by the contract.
    let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
    debugger.watchpoints(&*cell.enter_to_look()?)
}

/// A watchpoint by its number.
///
/// # Safety
/// The pointer is NULL or live.
unsafe fn find(debugger: *const stepwell_debugger_t, watchpoint: stepwell_watchpoint_t) -> Result<Watchpoint> {
    // SAFETY: by the contract.
    let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
    let found = debugger.watchpoint(&*cell.enter_to_look()?, WatchpointId::new(watchpoint))?;
    found.ok_or_else(|| Error::new(ErrorKind::Argument, format!("the debugger has no watchpoint {watchpoint}")))
}

/// Removes a watchpoint. Also allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_watchpoint_remove(
    debugger: *mut stepwell_debugger_t,
    watchpoint: stepwell_watchpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_watchpoint_remove", || {
        // SAFETY: C passes a live debugger or NULL.
        let object = unsafe { borrow(debugger, "debugger") }?;
        object.debugger.remove_watchpoint(&mut *object.cell.enter()?, WatchpointId::new(watchpoint))
    })
}

/// What of its place is a hit to a watchpoint, one of `enum stepwell_watch_kind_enum`; 0 if there is no such
/// watchpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_watchpoint_kind(
    debugger: *const stepwell_debugger_t,
    watchpoint: stepwell_watchpoint_t,
) -> stepwell_watch_kind_t {
    or_value("stepwell_watchpoint_kind", 0, || {
        // SAFETY: C passes a live debugger or NULL.
        Ok(match unsafe { find(debugger, watchpoint) }?.kind {
            WatchKind::Write => stepwell_watch_kind_enum::STEPWELL_WATCH_KIND_WRITE as i32,
            WatchKind::Change => stepwell_watch_kind_enum::STEPWELL_WATCH_KIND_CHANGE as i32,
            WatchKind::Read => stepwell_watch_kind_enum::STEPWELL_WATCH_KIND_READ as i32,
            WatchKind::Access => stepwell_watch_kind_enum::STEPWELL_WATCH_KIND_ACCESS as i32,
        })
    })
}

/// Whether a watchpoint is enabled, as all are at first; false if there is no such watchpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_watchpoint_enabled(
    debugger: *const stepwell_debugger_t,
    watchpoint: stepwell_watchpoint_t,
) -> bool {
    // SAFETY: C passes a live debugger or NULL.
    or_null("stepwell_watchpoint_enabled", || Ok(unsafe { find(debugger, watchpoint) }?.enabled))
}

/// Enables a watchpoint or not. One that is not enabled stops nothing and costs nothing; what is written meanwhile is
/// not told later. Also allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_watchpoint_enabled_set(
    debugger: *mut stepwell_debugger_t,
    watchpoint: stepwell_watchpoint_t,
    enabled: bool,
) -> Own<stepwell_error_t> {
    or_error("stepwell_watchpoint_enabled_set", || {
        // SAFETY: C passes a live debugger or NULL.
        let object = unsafe { borrow(debugger, "debugger") }?;
        object.debugger.enable_watchpoint(&mut *object.cell.enter()?, WatchpointId::new(watchpoint), enabled)
    })
}

/// How often a watchpoint was hit; 0 if there is no such watchpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_watchpoint_hit_count(
    debugger: *const stepwell_debugger_t,
    watchpoint: stepwell_watchpoint_t,
) -> u64 {
    // SAFETY: C passes a live debugger or NULL.
    or_value("stepwell_watchpoint_hit_count", 0, || Ok(unsafe { find(debugger, watchpoint) }?.hits))
}

/// Does something with a hit of the stop that C means; [`None`] beyond the last.
fn with_hit<R>(stop: *const stepwell_stop_t, index: usize, body: impl FnOnce(&WatchHit) -> R) -> Result<Option<R>> {
    with_reason(stop, |reason| reason.watchpoints().get(index).map(body))
}

/// How many hits of watchpoints the stop is for; 0 if they are not the reason.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_count(stop: *const stepwell_stop_t) -> usize {
    or_value("stepwell_stop_watchpoint_count", 0, || with_reason(stop, |reason| reason.watchpoints().len()))
}

/// Whether the frame is gone that the watchpoint was bound to, and the watchpoint with it, which is removed already:
/// nothing was accessed. The instruction is the call by which the frame came to be, and the guest stands where it goes
/// on behind that, or where an exception was caught. `stepwell_stop_watchpoint_old_value` has what was there last.
/// False beyond the last hit.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_is_end(stop: *const stepwell_stop_t, index: usize) -> bool {
    or_null("stepwell_stop_watchpoint_is_end", || Ok(with_hit(stop, index, |hit| hit.is_end)?.unwrap_or(false)))
}

/// The number of a watchpoint that was hit; 0 beyond the last hit.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint(stop: *const stepwell_stop_t, index: usize) -> stepwell_watchpoint_t {
    or_value("stepwell_stop_watchpoint", 0, || Ok(with_hit(stop, index, |hit| hit.id.get())?.unwrap_or(0)))
}

/// The instruction that did it, as a byte offset from the start of its module: one that accesses, or the call of the
/// host function that has written. The guest stands behind it. `SIZE_MAX` beyond the last hit.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_offset(stop: *const stepwell_stop_t, index: usize) -> usize {
    or_value("stepwell_stop_watchpoint_offset", usize::MAX, || {
        Ok(with_hit(stop, index, |hit| hit.offset.index())?.unwrap_or(usize::MAX))
    })
}

/// The index of the function of that instruction, imports counted. `UINT32_MAX` beyond the last hit.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_func_index(stop: *const stepwell_stop_t, index: usize) -> u32 {
    or_value("stepwell_stop_watchpoint_func_index", u32::MAX, || {
        Ok(with_hit(stop, index, |hit| hit.func.get())?.unwrap_or(u32::MAX))
    })
}

/// Whether the host did it, in a function that the instruction has called; false beyond the last hit.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_by_host(stop: *const stepwell_stop_t, index: usize) -> bool {
    or_null("stepwell_stop_watchpoint_by_host", || Ok(with_hit(stop, index, |hit| hit.by_host)?.unwrap_or(false)))
}

/// Whether it has only read; false beyond the last hit.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_is_read(stop: *const stepwell_stop_t, index: usize) -> bool {
    or_null("stepwell_stop_watchpoint_is_read", || Ok(with_hit(stop, index, |hit| hit.is_read)?.unwrap_or(false)))
}

/// Where in the memory the first of the bytes is that `stepwell_stop_watchpoint_old_value` writes: what of the watched
/// bytes was accessed, or, by the host, the first that has changed. `UINT64_MAX` of a global or a local, and beyond the
/// last hit.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_address(stop: *const stepwell_stop_t, index: usize) -> u64 {
    or_value("stepwell_stop_watchpoint_address", u64::MAX, || {
        Ok(with_hit(stop, index, |hit| hit.address)?.flatten().unwrap_or(u64::MAX))
    })
}

/// Writes the bytes that were there before to `out`, which is the caller's then: of a global or a local its value, in
/// the order of bytes of a memory; of a memory those that were accessed. Of a reference there are none, for what it
/// refers to may be gone. False, and nothing written, beyond the last hit.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_old_value(
    stop: *const stepwell_stop_t,
    index: usize,
    out: Out<wasm_byte_vec_t>,
) -> bool {
    // SAFETY: `out` is C's.
    or_null("stepwell_stop_watchpoint_old_value", || unsafe { bytes(stop, index, out, |hit| &hit.old) })
}

/// Writes the bytes that are there now, as `stepwell_stop_watchpoint_old_value` does those that were.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_watchpoint_new_value(
    stop: *const stepwell_stop_t,
    index: usize,
    out: Out<wasm_byte_vec_t>,
) -> bool {
    // SAFETY: `out` is C's.
    or_null("stepwell_stop_watchpoint_new_value", || unsafe { bytes(stop, index, out, |hit| &hit.new) })
}

/// Writes bytes of a hit.
///
/// # Safety
/// `out` is C's.
unsafe fn bytes(
    stop: *const stepwell_stop_t,
    index: usize,
    out: Out<wasm_byte_vec_t>,
    which: impl FnOnce(&WatchHit) -> &[u8],
) -> Result<bool> {
    let out = out.check("out")?;
    let Some(found) = with_hit(stop, index, |hit| which(hit).to_vec())? else { return Ok(false) };
    // SAFETY: by the contract.
    unsafe { out.write(wasm_byte_vec_t::bytes(&found)) };
    Ok(true)
}
