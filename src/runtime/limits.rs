//! What ends guests that run too long: fuel, deadlines in epochs, and interrupts from other threads. Compiled code checks, by
//! what is set here; it does so only where the engine is configured for it.

use super::frames::PcKind;
use super::store::{AsStore, AsStoreMut, Caller, Store, StoreInner, StoreMut};
use super::{Config, Engine, call, trap};
use crate::abi::TrapCode;
use crate::base::{Error, ErrorKind, Result};
use crate::sys::floats::HostFloats;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{NonNull, null};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The deadline that is always over.
const NOW: u64 = 0;
/// The deadline that never is.
const NEVER: u64 = u64::MAX;

/// Up to when the guests of a store may run; without anything where the engine's code does not look at it.
#[derive(Default)]
pub(super) struct Deadline(Option<Armed>);

struct Armed {
    flags: Arc<Flags>,
    /// What was set.
    set: u64,
    /// What the host says when it is asked.
    ask: Option<Arc<Ask>>,
    /// It is being asked.
    asking: bool,
    /// Why it said no, until the guest is left for that.
    refusal: Option<Error>,
}

/// What other threads and signal handlers write.
#[derive(Debug)]
struct Flags {
    /// What guests compare the epoch with: what was set, or [`NOW`] after an interrupt or a question.
    checked: AtomicU64,
    /// It was an interrupt. Written before `checked`, read behind it.
    ended: AtomicBool,
}

/// Whether a guest may go on. It runs on the guest's thread; an error ends the guest.
pub type Ask = dyn Fn() -> Result<()> + Send + Sync;

impl Deadline {
    pub(super) fn new(config: &Config) -> Deadline {
        Deadline(config.epoch.then(|| Armed {
            flags: Arc::new(Flags { checked: AtomicU64::new(NEVER), ended: AtomicBool::new(false) }),
            set: NEVER,
            ask: None,
            asking: false,
            refusal: None,
        }))
    }

    /// Where guests read it.
    pub(super) fn address(&self) -> *const AtomicU64 {
        self.0.as_ref().map_or(null(), |armed| &raw const armed.flags.checked)
    }

    /// Whether it is over; `None` where the engine's code does not look at it.
    fn is_over(&self, epoch: u64) -> Option<bool> {
        self.0.as_ref().map(|armed| armed.flags.ended.load(Ordering::SeqCst) || epoch >= armed.set)
    }

    /// An interrupt, if there was one, has done what it was for.
    pub(super) fn clear_interrupt(&mut self) {
        if let Some(armed) = &mut self.0 {
            armed.refusal = None;
            armed.flags.ended.store(false, Ordering::SeqCst);
            let _ = armed.flags.checked.compare_exchange(NOW, armed.set, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// Whether the host is being asked: then no guest is called.
    pub(super) fn is_asking(&self) -> bool {
        self.0.as_ref().is_some_and(|armed| armed.asking)
    }
}

/// What a guest does that finds its deadline over: true if it goes on; else it is to be left, for the reason that is in the store.
///
/// # Safety
/// The store is alive, no reference to its inside is held, and the exit frame is noted.
pub(super) unsafe fn due(store: NonNull<StoreInner>) -> bool {
    // SAFETY: the caller's promise; each reference to the inside ends before the host is called.
    unsafe {
        let at = store.as_ptr();
        let (pc, fp) = ((*at).vm.exit_pc, (*at).vm.exit_fp);
        let goes_on = match catch_unwind(AssertUnwindSafe(|| may_go_on(store))) {
            Ok(goes_on) => goes_on,
            Err(payload) => return call::leave_with_panic(store, payload),
        };
        ((*at).vm.exit_pc, (*at).vm.exit_fp) = (pc, fp);
        if goes_on {
            return true;
        }
        let deadline = &mut (*at).deadline;
        if let Some(error) = deadline.0.as_mut().and_then(|armed| armed.refusal.take()) {
            deadline.clear_interrupt();
            return call::leave_with_error(store, error);
        }
        trap::raise(store, TrapCode::Interrupt, pc, fp, PcKind::Return);
        false
    }
}

/// Whether guests may go on; asks the host if somebody wants that.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
unsafe fn may_go_on(store: NonNull<StoreInner>) -> bool {
    // SAFETY: the caller's promise; each reference to the inside ends before the host is called.
    unsafe {
        let at = store.as_ptr();
        let epoch = (*at).engine.epoch();
        let Some(armed) = (*at).deadline.0.as_mut() else { return true };
        if armed.flags.ended.load(Ordering::SeqCst) || epoch >= armed.set {
            return false;
        }
        if armed.flags.checked.compare_exchange(NOW, armed.set, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return true;
        }
        if armed.flags.ended.load(Ordering::SeqCst) {
            // An interrupt came in between; it stays.
            armed.flags.checked.store(NOW, Ordering::SeqCst);
            return false;
        }
        let Some(ask) = armed.ask.clone().filter(|_| !armed.asking) else { return true };
        armed.asking = true;
        let floats = HostFloats::of((*at).vm.activation);
        let answer = catch_unwind(AssertUnwindSafe(|| ask()));
        drop(floats);
        let Some(armed) = (*at).deadline.0.as_mut() else { return true };
        armed.asking = false;
        match answer {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                armed.refusal = Some(error);
                armed.flags.end();
                false
            }
            Err(payload) => resume_unwind(payload),
        }
    }
}

impl Flags {
    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.checked.store(NOW, Ordering::SeqCst);
    }
}

/// Ends the guests of a store, from any thread, even from a signal handler. It may outlive the store.
#[derive(Clone, Debug)]
pub struct Interrupter(Arc<Flags>);

impl Interrupter {
    /// Ends the guest that runs in the store with a trap, [`TrapCode::Interrupt`](super::TrapCode::Interrupt), when it next begins a
    /// function or a turn of a loop. If none runs, the next one is ended, unless [`StoreMut::clear_interrupt`] comes first. A guest that is in
    /// a host function is ended when it has come back.
    pub fn interrupt(&self) {
        self.0.end();
    }

    /// Has the host asked, by what [`StoreMut::set_ask`] set, whether the guest that runs in the store may go on, when it next begins a
    /// function or a turn of a loop, or waits in WASI. If none runs, the next one asks. Without such a function it does nothing.
    pub fn ask(&self) {
        self.0.checked.store(NOW, Ordering::SeqCst);
    }
}

impl Engine {
    /// Makes the epoch one more: what has its deadline there ends. Guests find out when they next begin a function or a turn of a loop.
    /// It may be called from a signal handler.
    pub fn increment_epoch(&self) {
        self.epoch_counter().fetch_add(1, Ordering::Relaxed);
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch_counter().load(Ordering::Relaxed)
    }
}

impl StoreInner {
    fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.check_fuel()?;
        self.vm.fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
        Ok(())
    }

    fn fuel(&self) -> Result<u64> {
        self.check_fuel()?;
        Ok(u64::try_from(self.vm.fuel).unwrap_or(0))
    }

    fn check_fuel(&self) -> Result<()> {
        if self.engine.config().fuel { Ok(()) } else { Err(unchecked("fuel")) }
    }

    fn set_epoch_deadline(&mut self, epochs: u64) -> Result<()> {
        let deadline = self.engine.epoch().saturating_add(epochs).max(NOW + 1);
        let armed = self.deadline.0.as_mut().ok_or_else(|| unchecked("epoch"))?;
        armed.set = deadline;
        // An interrupt that waits comes first.
        let set = |old| if old == NOW { None } else { Some(deadline) };
        let _ = armed.flags.checked.fetch_update(Ordering::SeqCst, Ordering::SeqCst, set);
        Ok(())
    }

    fn interrupter(&self) -> Result<Interrupter> {
        let armed = self.deadline.0.as_ref().ok_or_else(|| unchecked("epoch"))?;
        Ok(Interrupter(armed.flags.clone()))
    }

    fn set_ask(&mut self, ask: Option<Arc<Ask>>) -> Result<()> {
        let armed = self.deadline.0.as_mut().ok_or_else(|| unchecked("epoch"))?;
        armed.ask = ask;
        Ok(())
    }
}

fn unchecked(what: &str) -> Error {
    let message = format!("guests of this engine do not check for it: set `{what}` in the configuration");
    Error::new(ErrorKind::State, message)
}

impl StoreMut<'_> {
    /// The fuel that is left, below zero when it is used up.
    pub(crate) fn fuel_left(&self) -> i64 {
        self.as_store().inner().vm.fuel
    }

    /// The same, to change.
    pub(crate) fn fuel_left_mut(&mut self) -> &mut i64 {
        &mut self.inner().vm.fuel
    }
}

/// The methods that all three have.
macro_rules! limit_methods {
    ($($type:ty),*) => { $(
        impl $type {
            /// Gives the guests so much fuel, in the place of what they had. Every instruction takes one unit, but for `nop`, `block`,
            /// `loop`, `else` and `end`, which take none. Instructions that run one after the other are paid for together, before
            /// the first of them; when a function or a turn of a loop begins and the fuel is used up, the guest traps with
            /// [`TrapCode::OutOfFuel`](super::TrapCode::OutOfFuel). Both tiers count the same. A new store has none. At most
            /// 2^63 - 1 is kept.
            ///
            /// # Errors
            /// [`ErrorKind::State`] where the engine is not configured with [`Config::fuel`].
            pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
                self.as_store_mut().inner().set_fuel(fuel)
            }

            /// The fuel that is left.
            ///
            /// # Errors
            /// As [`Self::set_fuel`].
            pub fn fuel(&self) -> Result<u64> {
                self.as_store().inner().fuel()
            }

            /// Guests may run until the engine's epoch is `epochs` further than it is now; then they trap with
            /// [`TrapCode::Interrupt`](super::TrapCode::Interrupt), at once with 0, until another deadline is set. A new store has none.
            ///
            /// # Errors
            /// [`ErrorKind::State`] where the engine is not configured with [`Config::epoch`].
            pub fn set_epoch_deadline(&mut self, epochs: u64) -> Result<()> {
                self.as_store_mut().inner().set_epoch_deadline(epochs)
            }

            /// What ends its guests from another thread.
            ///
            /// # Errors
            /// As [`Self::set_epoch_deadline`].
            pub fn interrupter(&self) -> Result<Interrupter> {
                self.as_store().inner().interrupter()
            }

            /// Whether its guests would be ended when they next look, for host functions that wait: they ought to come back then.
            /// `None` where the engine is not configured with [`Config::epoch`].
            pub fn deadline_is_over(&self) -> Option<bool> {
                let store = self.as_store();
                let inner = store.inner();
                inner.deadline.is_over(inner.engine.epoch())
            }

            /// Sets what says whether a guest may go on, once [`Interrupter::ask`] wants that: on the guest's thread, where it may look at
            /// the store and change it, but call none of its guests. Its error ends the guest.
            ///
            /// # Errors
            /// As [`Self::set_epoch_deadline`].
            pub fn set_ask(&mut self, ask: Option<Arc<Ask>>) -> Result<()> {
                self.as_store_mut().inner().set_ask(ask)
            }

            /// Takes back an interrupt that no guest has found yet.
            pub fn clear_interrupt(&mut self) {
                self.as_store_mut().inner().deadline.clear_interrupt();
            }
        }
    )* };
}

limit_methods!(Store, StoreMut<'_>, Caller<'_>);

impl Caller<'_> {
    /// For host functions that wait: whether the guest will be ended when it next looks. The host is asked, if somebody wants that.
    /// `None` where the engine is not configured with [`Config::epoch`].
    pub(crate) fn is_to_end(&self) -> Option<bool> {
        self.deadline_is_over()?;
        // SAFETY: the caller's store is alive, and nobody has a reference to its inside while a host function runs.
        Some(!unsafe { may_go_on(self.as_store_ptr()) })
    }
}
