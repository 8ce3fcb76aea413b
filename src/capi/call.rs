//! `stepwell_call_t`: calls on stacks of their own, which can be left in the middle.

use super::func::get;
use super::module_source::write_rows;
use super::plumbing::cell::{Entered, StoreCell};
use super::plumbing::guard::{or_abort, or_error, or_last_error, or_null, or_value};
use super::plumbing::handles::{
    stepwell_call_t, stepwell_error_t, wasm_func_t, wasm_functype_t, wasm_store_t, wasm_trap_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow, handle, is_misuse};
use super::plumbing::trap_object::TrapObject;
use super::plumbing::vec;
use super::stop;
use super::trap::{take_error, trap_or_error};
use super::type_object::TypeObject;
use super::val::{list_from_c, to_c};
use super::vecs::wasm_val_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{Blocked, BlockedOn, Call, CallStatus, NotYet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

handle!(stepwell_call_t => Arc<CallObject>);

/// What stands behind [`stepwell_call_t`]: who works with it holds it, since a callback may delete the handle.
pub(super) struct CallObject {
    pub(super) cell: Arc<StoreCell>,
    pub(super) call: Call,
    /// By what C knows the stop at which its guest stands, if it has asked for it.
    stop: Mutex<Option<u64>>,
}

impl CallObject {
    /// By what C knows the stop at which its guest stands.
    pub(super) fn stop(&self) -> Option<u64> {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// C knows that stop by this from now on, or by nothing: its guest is about to go on, or to be left.
    pub(super) fn set_stop(&self, stop: Option<u64>) {
        let before = std::mem::replace(&mut *self.stop.lock().unwrap_or_else(PoisonError::into_inner), stop);
        before.into_iter().for_each(stop::forget);
    }
}

/// Up to where a call has come, one of `enum stepwell_call_enum`.
pub type stepwell_call_status_t = i32;

/// Up to where a call has come. More may come.
#[repr(C)]
pub enum stepwell_call_enum {
    /// It has not been run.
    STEPWELL_CALL_NEW = 0,
    /// It runs: who asks is called by its guest.
    STEPWELL_CALL_RUNNING = 1,
    /// It is done: `stepwell_call_results` has its results, or it has failed.
    STEPWELL_CALL_FINISHED = 2,
    /// A host function that its guest has called has no answer yet (`stepwell_trap_not_yet`). `stepwell_call_answer` or
    /// `stepwell_call_answer_trap` gives it.
    STEPWELL_CALL_WAITING = 3,
    /// The slice of fuel that `stepwell_call_run_slice` was given is used up.
    STEPWELL_CALL_OUT_OF_SLICE = 4,
    /// The store's deadline is over: `stepwell_call_wait_at_deadline`.
    STEPWELL_CALL_AT_DEADLINE = 5,
    /// The stop callback has said `STEPWELL_ACTION_LATER`. `stepwell_debugger_stop_of` has the stop, and
    /// `stepwell_debugger_answer` answers it.
    STEPWELL_CALL_STOPPED = 6,
    /// WASI was to wait, for a time or for something to read, and would block: `stepwell_call_wait_at_io`.
    /// `stepwell_call_io_timeout` and `stepwell_call_io` say for what.
    STEPWELL_CALL_BLOCKED = 7,
}

/// A descriptor of the process that a call's guest waits for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_call_io_t {
    /// Its number. It is the guest's: it is there until the call is run.
    pub fd: i32,
    /// Whether there is to be room to write, in the place of something to read.
    pub write: bool,
}

fn to_status(status: CallStatus) -> stepwell_call_status_t {
    use stepwell_call_enum as c;
    let status = match status {
        CallStatus::New => c::STEPWELL_CALL_NEW,
        CallStatus::Running => c::STEPWELL_CALL_RUNNING,
        CallStatus::Finished => c::STEPWELL_CALL_FINISHED,
        CallStatus::Waiting(_) => c::STEPWELL_CALL_WAITING,
        CallStatus::OutOfSlice => c::STEPWELL_CALL_OUT_OF_SLICE,
        CallStatus::AtDeadline => c::STEPWELL_CALL_AT_DEADLINE,
        CallStatus::Stopped => c::STEPWELL_CALL_STOPPED,
        CallStatus::Blocked => c::STEPWELL_CALL_BLOCKED,
    };
    status as i32
}

/// A call of a function with these arguments, on a stack of its own, so that it can be left in the middle and gone on
/// with later: `stepwell_call_run` runs it. It keeps its store alive, and its function.
///
/// Host functions and callbacks run on the stack of whoever runs the call. A guest that a host function calls in turn,
/// as usual, cannot wait. While a call's guest waits, the store is as one with a guest that runs: nothing is collected
/// but what guests make, and no debugger is detached.
///
/// ```c
/// stepwell_call_t *call = NULL;
/// stepwell_error_t *error = stepwell_call_new(func, &args, &call);
/// stepwell_call_status_t status = STEPWELL_CALL_NEW;
/// while (!error && status != STEPWELL_CALL_FINISHED) {
///   error = stepwell_call_run(call, NULL, &status);
///   if (!error && status == STEPWELL_CALL_WAITING)
///     error = stepwell_call_answer(call, wait_for(stepwell_call_token(call)));
/// }
/// ```
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_call_new(
    func: *const wasm_func_t,
    args: *const wasm_val_vec_t,
    out: Out<Own<stepwell_call_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_call_new", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live function or NULL.
        let (object, func) = unsafe { get(func) }?;
        let cell = object.cell.clone();
        let call = {
            let mut store = cell.enter()?;
            // SAFETY: C passes a valid vector or NULL.
            let params = unsafe { list_from_c(&cell, &mut *store, args, "args") }?;
            Call::new(&mut *store, func, &params)?
        };
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(Arc::new(CallObject { cell, call, stop: Mutex::default() }))) };
        Ok(())
    })
}

/// Deletes a call; NULL does nothing. A guest of it that waits is left where it stands, as by a trap that no debugger
/// is told of. Refused while it runs: the handle stays valid, and `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_call_delete(call: Own<stepwell_call_t>) {
    or_last_error("stepwell_call_delete", || {
        if call.is_null() {
            return Ok(());
        }
        {
            // SAFETY: C passes a live call.
            let object = unsafe { borrow(call.as_ptr(), "call") }?.clone();
            object.call.delete(&mut *object.cell.enter()?)?;
            object.set_stop(None);
        }
        // SAFETY: C gives it back.
        unsafe { call.delete("stepwell_call_delete", "call") };
        Ok(())
    });
}

/// Runs a call until it is done, or until its guest waits: `status_out` says which, and may be NULL. It goes on from
/// where it was left, on whatever thread. A trap of the guest or of a host function ends it, and is written to
/// `trap_out` (NULL if there is none); everything else that it fails with is the error. With `trap_out` NULL a trap is
/// an error, too. `STEPWELL_ERROR_STATE` where it cannot be run now: it runs, is done, or has not been answered; then
/// it is as before.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_call_run(
    call: *mut stepwell_call_t,
    trap_out: Out<Own<wasm_trap_t>>,
    status_out: *mut stepwell_call_status_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_call_run", || {
        // SAFETY: C passes a live call or NULL.
        unsafe { run(call, None, trap_out, Out::plain(status_out)) }
    })
}

/// The same for so much fuel, of what the store has: when that is used up, the guest waits where it next begins a
/// function or a turn of a loop. A guest that a host function has called goes on beyond that, until it has returned.
/// The engine is to be configured by `stepwell_config_fuel_set` and `stepwell_config_fuel_slices_set`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_call_run_slice(
    call: *mut stepwell_call_t,
    fuel: u64,
    trap_out: Out<Own<wasm_trap_t>>,
    status_out: *mut stepwell_call_status_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_call_run_slice", || {
        // SAFETY: C passes a live call or NULL.
        unsafe { run(call, Some(fuel), trap_out, Out::plain(status_out)) }
    })
}

/// # Safety
/// The pointers are NULL or live.
unsafe fn run(
    call: *mut stepwell_call_t,
    slice: Option<u64>,
    trap_out: Out<Own<wasm_trap_t>>,
    status_out: Out<stepwell_call_status_t>,
) -> Result<()> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(call, "call") }?.clone();
    let cell = object.cell.clone();
    let outcome = (|| {
        let mut store = cell.enter()?;
        match slice {
            Some(fuel) => object.call.run_slice(&mut *store, fuel),
            None => object.call.run(&mut *store),
        }
    })();
    let reached = match &outcome {
        Ok(reached) => to_status(*reached),
        Err(_) => to_status(object.call.status(&*cell.enter_to_look()?)?),
    };
    // Where it could not be run, its guest stands where it did.
    if outcome.is_ok() || reached != stepwell_call_enum::STEPWELL_CALL_STOPPED as i32 {
        object.set_stop(None);
    }
    if let Some(status) = status_out.optional() {
        // SAFETY: `status_out` is C's.
        unsafe { status.write(reached) };
    }
    // SAFETY: `trap_out` is C's.
    unsafe { trap_or_error(&cell, outcome, trap_out) }.map(drop)
}

/// Does something with a call and its store.
///
/// # Safety
/// The pointer is NULL or a live call.
unsafe fn with<R>(
    call: *const stepwell_call_t,
    work: impl FnOnce(&CallObject, &mut Entered<'_>) -> Result<R>,
) -> Result<R> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(call, "call") }?.clone();
    work(&object, &mut object.cell.enter_to_look()?)
}

/// Up to where a call has come, one of `enum stepwell_call_enum`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_call_status(call: *const stepwell_call_t) -> stepwell_call_status_t {
    or_abort("stepwell_call_status", || {
        // SAFETY: C passes a live call or NULL.
        unsafe { with(call, |object, store| Ok(to_status(object.call.status(&*store)?))) }
    })
}

/// The number with which a host function has said that it has no answer yet; 0 where the call's guest waits for none.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_call_token(call: *const stepwell_call_t) -> u64 {
    or_abort("stepwell_call_token", || {
        // SAFETY: C passes a live call or NULL.
        unsafe {
            with(call, |object, store| match object.call.status(&*store)? {
                CallStatus::Waiting(token) => Ok(token),
                _ => Ok(0),
            })
        }
    })
}

/// The type of the host function that has no answer yet: what it is to be answered with. NULL, and
/// `stepwell_last_error()`, where the call's guest waits for none.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_call_awaited_type(call: *const stepwell_call_t) -> Own<wasm_functype_t> {
    or_null("stepwell_call_awaited_type", || {
        // SAFETY: C passes a live call or NULL.
        unsafe { with(call, |object, store| Ok(Own::new(TypeObject::from_func(&object.call.awaited_type(&*store)?)))) }
    })
}

/// Answers the host function that had no answer yet with its results, which are borrowed; NULL are none. The guest has
/// them when the call is run next.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_call_answer(
    call: *mut stepwell_call_t,
    results: *const wasm_val_vec_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_call_answer", || {
        // SAFETY: C passes a live call or NULL, and a valid vector or NULL.
        unsafe {
            with(call, |object, store| {
                let results = list_from_c(&object.cell, &mut **store, results, "results")?;
                object.call.answer(&mut **store, Ok(&results))
            })
        }
    })
}

/// Answers the host function that had no answer yet with a trap, which is given away: it ends the guest when the call
/// is run next.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_call_answer_trap(
    call: *mut stepwell_call_t,
    trap: Own<wasm_trap_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_call_answer_trap", || {
        // SAFETY: C gives the trap away.
        let error = unsafe { take_error(trap) };
        if is_misuse(&error) {
            return Err(error);
        }
        // SAFETY: C passes a live call or NULL.
        unsafe { with(call, |object, store| object.call.answer(&mut **store, Err(error))) }
    })
}

/// Writes the results of a call that has returned to `results`, which has room for all of them. What was there is
/// overwritten, not deleted; what is written is given away. It may be asked again.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_call_results(
    call: *const stepwell_call_t,
    results: *mut wasm_val_vec_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_call_results", || {
        // SAFETY: C passes a live call or NULL, and a valid vector or NULL.
        unsafe {
            with(call, |object, store| {
                let values = object.call.results(&mut **store)?;
                let room = results.as_ref().map_or(0, |vec| if vec.data.is_null() { 0 } else { vec.size });
                if room < values.len() {
                    let message =
                        format!("`results` has room for {room} values; the call has {} results", values.len());
                    return Err(Error::new(ErrorKind::Argument, message));
                }
                if !values.is_empty() {
                    for (to, value) in vec::elements_mut(&*results).iter_mut().zip(values) {
                        *to = to_c(&object.cell, &mut **store, value);
                    }
                }
                Ok(())
            })
        }
    })
}

/// Whether the call's guest waits where the store's deadline in epochs is over, in the place of a trap. When it goes on
/// with a deadline that is still over, it has until the next epoch. It does not at first.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_call_wait_at_deadline(call: *mut stepwell_call_t, wait: bool) {
    or_abort("stepwell_call_wait_at_deadline", || {
        // SAFETY: C passes a live call or NULL.
        unsafe { with(call, |object, store| object.call.set_waits_at_deadline(&mut **store, wait)) }
    });
}

/// Whether the call's guest waits where WASI would block: where it sleeps, or reads what is not there yet. Then the
/// call is `STEPWELL_CALL_BLOCKED`. It goes on when it is run at the time, or when one of the descriptors is ready; run
/// before that, it waits again. It does not wait at first: whoever runs it is blocked. What is written always blocks,
/// and so does WASI in a guest that a host function has called in turn.
///
/// ```c
/// stepwell_call_wait_at_io(call, true);
/// while (!(error = stepwell_call_run(call, &trap, &status)) && status == STEPWELL_CALL_BLOCKED) {
///   stepwell_call_io_t waits[16];
///   size_t count = stepwell_call_io(call, waits, 16);
///   poll_or_work(waits, count < 16 ? count : 16, stepwell_call_io_timeout(call));
/// }
/// ```
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_call_wait_at_io(call: *mut stepwell_call_t, wait: bool) {
    or_abort("stepwell_call_wait_at_io", || {
        // SAFETY: C passes a live call or NULL.
        unsafe { with(call, |object, store| object.call.set_waits_at_io(&mut **store, wait)) }
    });
}

/// What a call's guest waits for where WASI would block; nothing where it waits for something else.
///
/// # Safety
/// The pointer is NULL or a live call.
unsafe fn blocked(call: *const stepwell_call_t) -> Result<Option<Blocked>> {
    // SAFETY: by the contract.
    unsafe {
        with(call, |object, store| match object.call.status(&*store)? {
            CallStatus::Blocked => object.call.blocked(&*store).map(Some),
            _ => Ok(None),
        })
    }
}

/// In how many nanoseconds from now a call is to be run whose guest waits where WASI would block: 0 if that is now.
/// `UINT64_MAX` where it waits for no time, or not for WASI.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_call_io_timeout(call: *const stepwell_call_t) -> u64 {
    or_abort("stepwell_call_io_timeout", || {
        // SAFETY: C passes a live call or NULL.
        let until = unsafe { blocked(call) }?.and_then(|blocked| blocked.until);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()).as_nanos());
        Ok(left.and_then(|left| u64::try_from(left).ok()).unwrap_or(u64::MAX))
    })
}

/// Writes the descriptors that a call's guest waits for where WASI would block to `out`, the first ones, if there are
/// more than `capacity`. Returns how many there are, none where it waits for a time alone, or not for WASI; with a
/// `capacity` of 0, `out` may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_call_io(
    call: *const stepwell_call_t,
    out: *mut stepwell_call_io_t,
    capacity: usize,
) -> usize {
    or_value("stepwell_call_io", 0, || {
        // SAFETY: C passes a live call or NULL.
        let list = unsafe { blocked(call) }?.map_or_else(Vec::new, |blocked| blocked.descriptors);
        let row = |on: &BlockedOn| stepwell_call_io_t { fd: on.descriptor, write: on.write };
        // SAFETY: C has room for `capacity` there, or passes NULL.
        unsafe { write_rows(list.iter().map(row), out, capacity) }
    })
}

/// What a host function returns in the place of a trap when it has no answer yet. If the guest was called by
/// `stepwell_call_run`, and not by a host function in turn, it waits, and that returns with `STEPWELL_CALL_WAITING`:
/// what the host function has written as results is nothing. Else the guest ends with an error that says that it cannot
/// wait, `STEPWELL_ERROR_STATE`.
/// `token` is whatever the host wants to know it by: `stepwell_call_token`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_not_yet(store: *mut wasm_store_t, token: u64) -> Own<wasm_trap_t> {
    or_null("stepwell_trap_not_yet", || {
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        let trap = TrapObject::from_error(cell, &NotYet(token).into());
        Ok(Own::new(Object::new(cell, Arc::new(trap))))
    })
}
