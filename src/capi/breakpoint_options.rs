//! What a breakpoint has besides its places: whether it is enabled, what must hold, what is counted; and sets of them.

use super::breakpoint::{find, stepwell_breakpoint_t};
use super::debugger::DebuggerObject;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_error, or_null, or_value};
use super::plumbing::handles::{
    stepwell_debugger_t, stepwell_error_t, stepwell_stop_t, wasm_instance_t, wasm_module_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow, bytes, null, string};
use super::trap::wasm_message_t;
use super::vecs::wasm_byte_vec_t;
use super::{instance, module, stop};
use crate::base::{Error, ErrorKind, Result, WasmOffset};
use crate::debug::{BreakOptions, BreakRequest, BreakpointId, Condition};
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// Says whether a breakpoint stops the guest. It runs on the guest's thread, with the store in its hands, and may do
/// what a stop callback may; breakpoints, steps and traps of guests that it calls are not told. It may not throw or
/// `longjmp`.
pub type stepwell_condition_callback_t =
    Option<unsafe extern "C-unwind" fn(env: *mut c_void, stop: *mut stepwell_stop_t) -> bool>;

/// Changes what a breakpoint has.
///
/// # Safety
/// The pointer is NULL or live.
unsafe fn change(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    change: impl FnOnce(&mut BreakOptions),
) -> Result<()> {
    // SAFETY: by the contract.
    let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
    debugger.change_breakpoint(&mut *cell.enter()?, BreakpointId::new(breakpoint), change)
}

/// Whether a breakpoint is enabled, as all are at first; false if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_enabled(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> bool {
    // SAFETY: C passes a live debugger or NULL.
    or_null("stepwell_breakpoint_enabled", || Ok(unsafe { find(debugger, breakpoint) }?.options.enabled))
}

/// Enables a breakpoint or not. One that is not enabled stops nothing and costs nothing; places of modules that come
/// meanwhile are found all the same. Also allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_enabled_set(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    enabled: bool,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_enabled_set", || {
        // SAFETY: C passes a live debugger or NULL.
        unsafe { change(debugger, breakpoint, |options| options.enabled = enabled) }
    })
}

/// How often a breakpoint was come to while its condition held, those times counted that were ignored; 0 if there is no
/// such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_hit_count(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> u64 {
    // SAFETY: C passes a live debugger or NULL.
    or_value("stepwell_breakpoint_hit_count", 0, || Ok(unsafe { find(debugger, breakpoint) }?.hits))
}

/// Sets how often a breakpoint was come to: 0 begins to count anew.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_hit_count_set(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    count: u64,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_hit_count_set", || {
        // SAFETY: C passes a live debugger or NULL.
        let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
        debugger.set_hit_count(&mut *cell.enter()?, BreakpointId::new(breakpoint), count)
    })
}

/// How many times more a breakpoint is passed before it stops; 0 if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_ignore_count(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> u64 {
    // SAFETY: C passes a live debugger or NULL.
    or_value("stepwell_breakpoint_ignore_count", 0, || Ok(unsafe { find(debugger, breakpoint) }?.options.ignore))
}

/// Sets how many times a breakpoint is passed before it stops. It counts down, once each time that the breakpoint is
/// come to and its condition holds.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_ignore_count_set(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    count: u64,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_ignore_count_set", || {
        // SAFETY: C passes a live debugger or NULL.
        unsafe { change(debugger, breakpoint, |options| options.ignore = count) }
    })
}

/// Whether a breakpoint is removed the first time that it stops; false if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_one_shot(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> bool {
    // SAFETY: C passes a live debugger or NULL.
    or_null("stepwell_breakpoint_one_shot", || Ok(unsafe { find(debugger, breakpoint) }?.options.one_shot))
}

/// Has a breakpoint be removed the first time that it stops, before the stop callback is called, or not. The stop still
/// tells its number.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_one_shot_set(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    one_shot: bool,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_one_shot_set", || {
        // SAFETY: C passes a live debugger or NULL.
        unsafe { change(debugger, breakpoint, |options| options.one_shot = one_shot) }
    })
}

/// Writes the text of a breakpoint's condition to `out`, NUL-terminated (the NUL is counted in its size), and the
/// caller's. False, and nothing written, if it has none, if its condition is a callback, or if there is no such
/// breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_condition(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    out: Out<wasm_message_t>,
) -> bool {
    or_null("stepwell_breakpoint_condition", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live debugger or NULL.
        let found = unsafe { find(debugger, breakpoint) }?;
        let Some(text) = found.options.condition.as_ref().and_then(Condition::as_text) else { return Ok(false) };
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::text_nul(text)) };
        Ok(true)
    })
}

/// Has a breakpoint stop only where a text holds of the frame: `local(0) > 10 && i32[local(1) + 8] == 3`. NULL takes
/// the condition away.
///
/// It is an expression as of `stepwell_frame_evaluate` in the innermost frame, `at->key == limit` for instance, and
/// holds where it comes to another number than 0. A place that is passed because one of locals, globals, memory and
/// constants alone does not hold costs little more than nothing: nobody is called. One with variables of the source
/// takes longer.
///
/// What fails at a stop, as a read beyond the memory or a division by zero, makes the whole condition false. An error,
/// and nothing changed, for a text that is no expression, or assigns or calls, or that does not fit a place of the
/// breakpoint: variables, locals, globals and memories that are not there, or are no numbers; `stepwell_error_columns`
/// tells where in the text. At places that come later and that it does not fit it does not hold.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_condition_set(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    text: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_condition_set", || {
        // SAFETY: C passes a live debugger or NULL.
        unsafe { borrow(debugger, "debugger") }?;
        let condition = match text.is_null() {
            true => None,
            // SAFETY: C passes a C string or NULL.
            false => Some(Condition::text(unsafe { string(text, "text") }?)?),
        };
        // SAFETY: C passes a live debugger or NULL.
        unsafe { change(debugger, breakpoint, |options| options.condition = condition) }
    })
}

/// Has a breakpoint stop only where `callback` says so. `finalizer(env)` runs when the breakpoint has another condition
/// or is gone, or when this fails; it may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_condition_callback_set(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    callback: stepwell_condition_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_breakpoint_condition_callback_set", move || {
        // SAFETY: C passes a live debugger or NULL.
        unsafe { borrow(debugger, "debugger") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        // SAFETY: C registered the callback with this environment.
        let call = move |stop: *mut stepwell_stop_t| Ok(unsafe { callback(env.get(), stop) });
        // SAFETY: C passes a live debugger or NULL.
        unsafe { set_condition(debugger, breakpoint, call) }
    })
}

/// Gives a breakpoint a condition that C is asked for.
///
/// # Safety
/// The pointer is NULL or live.
pub(super) unsafe fn set_condition(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    call: impl Fn(*mut stepwell_stop_t) -> Result<bool> + Send + Sync + 'static,
) -> Result<()> {
    // SAFETY: by the contract.
    let cell = Arc::downgrade(&unsafe { borrow(debugger, "debugger") }?.cell);
    let condition = Condition::fallible(move |stop| stop::ask(stop, &cell, &call));
    // SAFETY: by the contract.
    unsafe { change(debugger, breakpoint, |options| options.condition = Some(condition)) }
}

/// The one instance whose frames a breakpoint stops; NULL if it stops those of all, or if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_instance(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> Own<wasm_instance_t> {
    or_null("stepwell_breakpoint_instance", || {
        // SAFETY: C passes a live debugger or NULL.
        let (found, object) = unsafe { (find(debugger, breakpoint)?, borrow(debugger, "debugger")?) };
        let entered = object.cell.enter_to_look()?;
        let instance = found.options.instance.and_then(|instance| entered.find_instance(instance));
        Ok(instance.map_or_else(Own::null, |instance| Own::new(Object::new(&object.cell, instance))))
    })
}

/// Has a breakpoint stop the frames of one instance only, or those of all, with NULL. It does not keep the instance
/// from being collected: then it stops nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_instance_set(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    instance: *const wasm_instance_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_instance_set", || {
        let instance = match instance.is_null() {
            true => None,
            false => {
                // SAFETY: C passes a live instance or NULL.
                let (object, instance) = unsafe { instance::get(instance) }?;
                Some(instance.id(&*object.cell.enter_to_look()?)?)
            }
        };
        // SAFETY: C passes a live debugger or NULL.
        unsafe { change(debugger, breakpoint, |options| options.instance = instance) }
    })
}

/// Sets `count` breakpoints at instructions of a module, all or none, in one edit of the machine code: many are set as
/// fast as one. `offsets` are as for `stepwell_breakpoint_add`. The numbers are written to `out`, which has room for
/// `count` or is NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add_all(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    offsets: *const usize,
    count: usize,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add_all", || {
        // SAFETY: C passes live objects or NULL.
        let (object, module) = unsafe { (borrow(debugger, "debugger")?, module::get(module)?) };
        // SAFETY: C passes so many.
        let offsets = unsafe { array(offsets, count, "offsets") }?;
        let request = |offset: usize| {
            let offset = u32::try_from(offset).map_err(|_| {
                let message = format!("`offsets` has {offset}; a module has less than 4 GiB");
                Error::new(ErrorKind::Argument, message)
            })?;
            Ok(BreakRequest::offset(module, WasmOffset::new(offset)))
        };
        let requests = offsets.map(request).collect::<Result<Vec<_>>>()?;
        let set = object.debugger.break_at_all(&mut *object.cell.enter()?, &requests)?;
        // SAFETY: C has room for so many.
        unsafe { write_numbers(out, &set) };
        Ok(())
    })
}

/// Writes the numbers of breakpoints, unless `out` is NULL.
///
/// # Safety
/// `out` is C's, and has room for them.
pub(super) unsafe fn write_numbers(out: *mut stepwell_breakpoint_t, ids: &[BreakpointId]) {
    let out = Out::plain(out);
    if !out.is_null() {
        for (index, id) in ids.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { out.at(index).write(id.get()) };
        }
    }
}

/// Removes `count` breakpoints, all or none, in one edit of the machine code. One that is named twice is removed once.
/// Also allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_remove_all(
    debugger: *mut stepwell_debugger_t,
    breakpoints: *const stepwell_breakpoint_t,
    count: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_remove_all", || {
        // SAFETY: C passes a live debugger or NULL, and so many breakpoints.
        let (object, breakpoints) =
            unsafe { (borrow(debugger, "debugger")?, array(breakpoints, count, "breakpoints")?) };
        let ids: Vec<_> = breakpoints.map(BreakpointId::new).collect();
        object.debugger.remove_all(&mut *object.cell.enter()?, &ids)
    })
}

/// So many numbers of C's.
///
/// # Safety
/// The pointer is NULL or points to so many that are not changed during `'a`.
unsafe fn array<'a, T: Copy + 'a>(
    pointer: *const T,
    count: usize,
    param: &str,
) -> Result<impl Iterator<Item = T> + 'a> {
    let size = count.checked_mul(size_of::<T>()).filter(|size| *size <= isize::MAX as usize);
    let size = size.ok_or_else(|| {
        Error::new(ErrorKind::Argument, format!("`count` is {count}, which is more than memory has room for"))
    })?;
    // SAFETY: by the contract; NULL is refused, unless there are none.
    unsafe { bytes(pointer.cast(), size, param) }?;
    // SAFETY: as above; numbers of C's are aligned as C has them, and read as if they need not be.
    Ok((0..count).map(move |index| unsafe { pointer.add(index).read_unaligned() }))
}
