//! Up to when the guests of a store may run, and what ends them from another thread.

use crate::base::{Error, ErrorKind, Result};
use crate::runtime::compiled::config::Config;
use std::ptr::null;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The deadline that is always over.
const NOW: u64 = 0;

/// The deadline that never is.
const NEVER: u64 = u64::MAX;

/// Up to when the guests of a store may run, and what the host is asked meanwhile.
#[derive(Default)]
pub(in crate::runtime) struct Deadline {
    /// Without anything where the engine's code does not look at it.
    armed: Option<Armed>,
    /// The host is being asked.
    asking: bool,
    /// Why it said no, until the guest is left for that.
    refusal: Option<Error>,
}

struct Armed {
    flags: Arc<Flags>,
    /// What was set.
    set: u64,
    /// What the host says when it is asked.
    ask: Option<Arc<Ask>>,
    /// What it says when the deadline is over; without it the guest is left.
    at_deadline: Option<Arc<OnDeadline>>,
}

/// What other threads and signal handlers write.
#[derive(Debug)]
struct Flags {
    /// What guests compare the epoch with: what was set, or [`NOW`] after an interrupt or a question, or when somebody
    /// wants to be called.
    checked: AtomicU64,
    /// It was an interrupt. Written before `checked`, read behind it.
    ended: AtomicBool,
    /// It was a question. As `ended`.
    asked: AtomicBool,
    /// What the guest is to end with, if not with a trap that says no more. Written before `ended`. No signal handler
    /// locks it.
    reason: Mutex<Option<Error>>,
}

/// Whether a guest may go on. It runs on the guest's thread; an error ends the guest.
pub type Ask = dyn Fn() -> Result<()> + Send + Sync;

/// What becomes of a guest whose deadline is over. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtDeadline {
    /// It ends with a trap, [`TrapCode::Interrupt`](crate::runtime::TrapCode::Interrupt).
    End,
    /// It goes on until the engine's epoch is so many further than it is when it does; 0 counts as 1.
    Extend(u64),
    /// It waits, if it was called by a [`Call`](crate::runtime::Call), which returns
    /// [`CallStatus::AtDeadline`](crate::runtime::CallStatus::AtDeadline). When it goes on with a deadline that is
    /// still over, it has until the next epoch. A guest that cannot wait ends with an error that says so.
    Wait,
}

/// What says what becomes of a guest whose deadline is over. It runs on the guest's thread; an error ends the guest.
pub type OnDeadline = dyn Fn() -> Result<AtDeadline> + Send + Sync;

impl Deadline {
    pub(in crate::runtime) fn new(config: &Config) -> Deadline {
        let armed = config.epoch.then(|| Armed {
            flags: Arc::new(Flags {
                checked: AtomicU64::new(NEVER),
                ended: AtomicBool::new(false),
                asked: AtomicBool::new(false),
                reason: Mutex::default(),
            }),
            set: NEVER,
            ask: None,
            at_deadline: None,
        });
        Deadline { armed, ..Deadline::default() }
    }

    /// Where guests read it.
    pub(in crate::runtime) fn address(&self) -> *const AtomicU64 {
        self.armed.as_ref().map_or(null(), |armed| &raw const armed.flags.checked)
    }

    /// Whether it is over; `None` where the engine's code does not look at it.
    pub(in crate::runtime) fn is_over(&self, epoch: u64) -> Option<bool> {
        self.armed.as_ref().map(|armed| armed.flags.ended.load(Ordering::SeqCst) || epoch >= armed.set)
    }

    /// The epoch in which it is over; `None` where the engine's code does not look at it.
    pub(in crate::runtime) fn epoch(&self) -> Option<u64> {
        self.armed.as_ref().map(|armed| armed.set)
    }

    /// Sets the epoch in which it is over.
    pub(in crate::runtime) fn set(&mut self, epoch: u64) -> Result<()> {
        let epoch = epoch.max(NOW + 1);
        let armed = self.armed_mut()?;
        armed.set = epoch;
        // An interrupt that waits comes first.
        let set = |old| if old == NOW { None } else { Some(epoch) };
        let _ = armed.flags.checked.fetch_update(Ordering::SeqCst, Ordering::SeqCst, set);
        Ok(())
    }

    /// What ends the guests from another thread.
    pub(in crate::runtime) fn interrupter(&self) -> Result<Interrupter> {
        let armed = self.armed.as_ref().ok_or_else(|| unchecked("epoch"))?;
        Ok(Interrupter(armed.flags.clone()))
    }

    /// What has its guests look; `None` where the engine's code does not.
    pub(in crate::runtime) fn waker(&self) -> Option<Waker> {
        self.armed.as_ref().map(|armed| Waker(armed.flags.clone()))
    }

    /// The host is about to be asked something, to be followed by [`Deadline::answer`]. False if it is being asked
    /// already.
    pub(in crate::runtime) fn begin_asking(&mut self) -> bool {
        !std::mem::replace(&mut self.asking, true)
    }

    /// Sets what is asked.
    pub(in crate::runtime) fn set_ask(&mut self, ask: Option<Arc<Ask>>) -> Result<()> {
        self.armed_mut()?.ask = ask;
        Ok(())
    }

    /// Sets what is asked when the deadline is over.
    pub(in crate::runtime) fn set_at_deadline(&mut self, at_deadline: Option<Arc<OnDeadline>>) -> Result<()> {
        self.armed_mut()?.at_deadline = at_deadline;
        Ok(())
    }

    /// What is asked when the deadline is over.
    pub(in crate::runtime) fn at_deadline(&self) -> Option<Arc<OnDeadline>> {
        self.armed.as_ref()?.at_deadline.clone()
    }

    fn armed_mut(&mut self) -> Result<&mut Armed> {
        self.armed.as_mut().ok_or_else(|| unchecked("epoch"))
    }

    /// What a guest does that has found the deadline over. [`Verdict::Ask`] and [`Verdict::Over`] are followed by
    /// [`Deadline::answer`].
    pub(in crate::runtime) fn judge(&mut self, epoch: u64) -> Verdict {
        let Some(armed) = &mut self.armed else { return Verdict::GoOn };
        if armed.flags.ended.load(Ordering::SeqCst)
            && let Some(reason) = armed.flags.reason().take()
        {
            self.refusal = Some(reason);
        }
        if armed.flags.ended.load(Ordering::SeqCst) {
            return Verdict::End;
        }
        if epoch >= armed.set {
            return match armed.at_deadline.clone().filter(|_| !self.asking) {
                Some(at_deadline) => {
                    self.asking = true;
                    Verdict::Over(at_deadline)
                }
                None => Verdict::End,
            };
        }
        if armed.flags.checked.compare_exchange(NOW, armed.set, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return Verdict::GoOn;
        }
        if armed.flags.ended.load(Ordering::SeqCst) {
            // An interrupt came in between; it stays.
            armed.flags.checked.store(NOW, Ordering::SeqCst);
            return Verdict::End;
        }
        // It may have been another who had the guest look.
        let asked = armed.flags.asked.swap(false, Ordering::SeqCst);
        match armed.ask.clone().filter(|_| asked && !self.asking) {
            Some(ask) => {
                self.asking = true;
                Verdict::Ask(ask)
            }
            None => Verdict::GoOn,
        }
    }

    /// The host has been asked: `refusal` is why the guest may not go on, `None` if it may, or if there was no answer.
    pub(in crate::runtime) fn answer(&mut self, refusal: Option<Error>) {
        self.asking = false;
        if refusal.is_some() {
            self.refusal = refusal;
            if let Some(armed) = &self.armed {
                armed.flags.end();
            }
        }
    }

    /// The guest that looks is to be left, for this.
    pub(in crate::runtime) fn refuse(&mut self, reason: Error) {
        self.refusal = Some(reason);
    }

    /// Whether it is over by the epoch, and no interrupt has come.
    pub(in crate::runtime) fn is_reached(&self, epoch: u64) -> bool {
        self.armed.as_ref().is_some_and(|armed| epoch >= armed.set && !armed.flags.ended.load(Ordering::SeqCst))
    }

    /// It is over in this epoch, and not before.
    pub(in crate::runtime) fn put_off(&mut self, epoch: u64) {
        // Guests look at it, so there is one.
        let _ = self.set(epoch);
    }

    /// Why the host said no, if that is why the guest is left; with it, the interrupt is over.
    pub(in crate::runtime) fn take_refusal(&mut self) -> Option<Error> {
        let refusal = self.refusal.take()?;
        self.clear_interrupt();
        Some(refusal)
    }

    /// An interrupt, if there was one, has done what it was for.
    pub(in crate::runtime) fn clear_interrupt(&mut self) {
        self.refusal = None;
        if let Some(armed) = &mut self.armed {
            *armed.flags.reason() = None;
            armed.flags.ended.store(false, Ordering::SeqCst);
            let _ = armed.flags.checked.compare_exchange(NOW, armed.set, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// Whether the host is being asked: then no guest is called.
    pub(in crate::runtime) fn is_asking(&self) -> bool {
        self.asking
    }
}

/// What a guest does that has found its deadline over.
pub(in crate::runtime) enum Verdict {
    /// It runs on.
    GoOn,
    /// It is left.
    End,
    /// It waits for what the host says.
    Ask(Arc<Ask>),
    /// The same, and without an answer it is left.
    Over(Arc<OnDeadline>),
}

/// The error of asking for what guests do not check.
pub(in crate::runtime) fn unchecked(what: &str) -> Error {
    let message = format!("guests of this engine do not check for it: set `{what}` in the configuration");
    Error::new(ErrorKind::State, message)
}

impl Flags {
    fn reason(&self) -> MutexGuard<'_, Option<Error>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.checked.store(NOW, Ordering::SeqCst);
    }
}

/// Ends the guests of a store, from any thread, even from a signal handler. It may outlive the store.
#[derive(Clone, Debug)]
pub struct Interrupter(Arc<Flags>);

impl Interrupter {
    /// Ends the guest that runs in the store with a trap, [`TrapCode::Interrupt`](crate::runtime::TrapCode::Interrupt),
    /// when it next begins a function or a turn of a loop, or while it waits for another thread. If none runs, the next
    /// one is ended, unless [`StoreMut::clear_interrupt`](crate::runtime::StoreMut::clear_interrupt) comes first. A
    /// guest that is in a host function is ended when it has come back.
    pub fn interrupt(&self) {
        self.0.end();
    }

    /// The same with an error of the host's in place of the trap. No signal handler may call it.
    pub(crate) fn end_with(&self, error: Error) {
        *self.0.reason() = Some(error);
        self.0.end();
    }

    /// Has the host asked, by what [`StoreMut::set_ask`](crate::runtime::StoreMut::set_ask) set, whether the guest that
    /// runs in the store may go on, when it next begins a function or a turn of a loop, or waits, in WASI or for
    /// another thread. If none runs, the next one asks. Without such a function it does nothing.
    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        self.0.checked.store(NOW, Ordering::SeqCst);
    }
}

/// Has the guests of a store look at their deadline, from any thread, even from a signal handler: nothing else comes of
/// it.
pub(in crate::runtime) struct Waker(Arc<Flags>);

impl Waker {
    /// Does so.
    pub(in crate::runtime) fn wake(&self) {
        self.0.checked.store(NOW, Ordering::SeqCst);
    }
}
