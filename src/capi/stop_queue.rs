//! `stepwell_stop_queue_t`: stops that wait for another thread to look at them and answer; and lending a stop to other
//! threads by hand.

use super::debugger::attach;
use super::plumbing::abort::watched;
use super::plumbing::guard::{or_error, or_last_error, or_null};
use super::plumbing::handles::{
    stepwell_debugger_t, stepwell_error_t, stepwell_stop_queue_t, stepwell_stop_t, wasm_store_t,
};
use super::plumbing::own::{Out, Own, borrow, handle, null};
use super::progress::Progress;
use super::stop::{serve, stepwell_action_enum, stepwell_action_t};
use crate::base::{Error, ErrorKind, Result};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

handle!(stepwell_stop_queue_t => Arc<StopQueue>);

/// Stops that wait, of any number of debuggers.
#[derive(Default)]
pub(super) struct StopQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Those that nobody has taken.
    waiting: VecDeque<StopAddress>,
    /// Those that were taken and are not answered.
    taken: Vec<StopAddress>,
    answered: Vec<(StopAddress, stepwell_action_t)>,
    closed: bool,
}

/// What C has for a stop. It is a number, never used again.
#[derive(Clone, Copy, PartialEq, Eq)]
struct StopAddress(usize);

impl StopAddress {
    fn of(stop: *const stepwell_stop_t) -> Self {
        StopAddress(stop.addr())
    }

    fn to_c(self) -> *mut stepwell_stop_t {
        std::ptr::without_provenance_mut(self.0)
    }
}

/// What a guest does whose queue is closed.
const GO_ON: stepwell_action_t = stepwell_action_enum::STEPWELL_ACTION_CONTINUE as stepwell_action_t;

impl StopQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is done at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits on the guest's thread until a stop is answered.
    fn wait_for_answer(&self, stop: StopAddress) -> stepwell_action_t {
        let mut state = self.lock();
        if state.closed {
            return GO_ON;
        }
        state.waiting.push_back(stop);
        self.changed.notify_all();
        loop {
            if let Some(at) = state.answered.iter().position(|answered| answered.0 == stop) {
                return state.answered.swap_remove(at).1;
            }
            if state.closed {
                state.waiting.retain(|waiting| *waiting != stop);
                state.taken.retain(|taken| *taken != stop);
                return GO_ON;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the next stop, until the time is over (`None`: for ever) or the queue is closed.
    fn next(&self, until: Option<Instant>) -> Option<StopAddress> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(stop) = state.waiting.pop_front() {
                state.taken.push(stop);
                return Some(stop);
            }
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn answer(&self, stop: StopAddress, action: stepwell_action_t) -> Result<()> {
        let mut state = self.lock();
        let Some(at) = state.taken.iter().position(|taken| *taken == stop) else {
            let message = "`stop` does not wait for an answer of this queue; it may have been answered";
            return Err(Error::new(ErrorKind::Argument, message));
        };
        state.taken.swap_remove(at);
        state.answered.push((stop, action));
        self.changed.notify_all();
        Ok(())
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// A new queue. Debuggers of any number of stores may have their stops wait in it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_queue_new() -> Own<stepwell_stop_queue_t> {
    or_null("stepwell_stop_queue_new", || Ok(Own::new(Arc::default())))
}

/// Closes the queue and deletes it: guests whose stops wait go on, and do so at each later stop. Nobody may be in
/// `stepwell_stop_queue_next` with it. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_queue_delete(queue: Own<stepwell_stop_queue_t>) {
    or_last_error("stepwell_stop_queue_delete", || {
        if queue.is_null() {
            return Ok(());
        }
        // SAFETY: C passes a live queue.
        unsafe { borrow(queue.as_ptr(), "queue") }?.close();
        // SAFETY: C gives it back.
        unsafe { queue.delete("stepwell_stop_queue_delete", "queue") };
        Ok(())
    });
}

/// Closes the queue: who waits for a stop is told that none comes (NULL), guests whose stops wait go on, and do so at
/// each later stop.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_queue_close(queue: *mut stepwell_stop_queue_t) {
    or_last_error("stepwell_stop_queue_close", || {
        // SAFETY: C passes a live queue or NULL.
        unsafe { borrow(queue, "queue") }?.close();
        Ok(())
    });
}

/// Attaches a debugger to a store as `stepwell_debugger_attach` does, but no callback is called at a stop: it waits in
/// the queue, and the guest's thread with it, until another thread has taken and answered it. The queue may be deleted
/// before the debugger.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_attach_with_queue(
    store: *mut wasm_store_t,
    queue: *mut stepwell_stop_queue_t,
    out: Out<Own<stepwell_debugger_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_attach_with_queue", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live queue or NULL.
        let queue = unsafe { borrow(queue, "queue") }?.clone();
        let call = move |stop: *mut stepwell_stop_t| serve(stop, || queue.wait_for_answer(StopAddress::of(stop)));
        // SAFETY: C passes a live store or NULL, and `out` is C's.
        unsafe { out.write(attach(store, call, Progress::new(None, null_mut()))?) };
        Ok(())
    })
}

/// Takes the stop that has waited longest; if none waits, the next one. Borrowed: until it is answered, this thread and
/// others, one at a time, may do with it what a stop callback may: look at frames, read and write memories, change
/// frames, edit breakpoints. Guests of its store cannot be called, since one waits on another thread.
///
/// It waits for at most so many milliseconds, with `UINT64_MAX` for as long as it takes. NULL if none came in time, or
/// the queue was closed.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_queue_next(
    queue: *mut stepwell_stop_queue_t,
    milliseconds: u64,
) -> *mut stepwell_stop_t {
    or_null("stepwell_stop_queue_next", || {
        // SAFETY: C passes a live queue or NULL. It is kept while this waits.
        let queue = unsafe { borrow(queue, "queue") }?.clone();
        let wait = (milliseconds != u64::MAX).then(|| Duration::from_millis(milliseconds));
        let until = wait.and_then(|wait| Instant::now().checked_add(wait));
        Ok(queue.next(until).map_or(null_mut(), StopAddress::to_c))
    })
}

/// Answers a stop that was taken from the queue: its guest goes on. The stop and its frames are gone then. False where
/// it does not wait for an answer.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_queue_answer(
    queue: *mut stepwell_stop_queue_t,
    stop: *mut stepwell_stop_t,
    action: stepwell_action_t,
) -> bool {
    or_null("stepwell_stop_queue_answer", || {
        // SAFETY: C passes a live queue or NULL.
        let queue = unsafe { borrow(queue, "queue") }?;
        if stop.is_null() {
            return Err(null("stop"));
        }
        queue.answer(StopAddress::of(stop), action)?;
        Ok(true)
    })
}

/// What blocks while others use a stop: see `stepwell_stop_serve`.
pub type stepwell_wait_callback_t = Option<unsafe extern "C-unwind" fn(env: *mut c_void)>;

/// Calls `wait`, inside a stop callback, and lends the stop to other threads until that returns: they may do with it,
/// one at a time, what the callback may, but call guests of the store. `wait` blocks until they are done: on a
/// condition variable, a socket, whatever the host has. It may not throw or `longjmp`.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_stop_serve(
    stop: *mut stepwell_stop_t,
    wait: stepwell_wait_callback_t,
    env: *mut c_void,
) -> Own<stepwell_error_t> {
    or_error("stepwell_stop_serve", || {
        let wait = wait.ok_or_else(|| null("wait"))?;
        // SAFETY: C gives the callback with this environment.
        serve(stop, || watched("a callback that waits", || unsafe { wait(env) }))
    })
}
