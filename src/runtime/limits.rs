//! What ends guests that run too long: fuel, deadlines in epochs, and interrupts from other threads. Compiled code checks, by
//! what is set here; it does so only where the engine is configured for it.

use super::store::{AsStore, AsStoreMut, Caller, Store, StoreInner, StoreMut};
use super::{Config, Engine};
use crate::base::{Error, ErrorKind, Result};
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The deadline that is always over.
const NOW: u64 = 0;
/// The deadline that never is.
const NEVER: u64 = u64::MAX;

/// Up to when the guests of a store may run; without anything where the engine's code does not look at it.
#[derive(Debug, Default)]
pub(super) struct Deadline(Option<Armed>);

#[derive(Debug)]
struct Armed {
    /// What guests compare the epoch with: what was set, or [`NOW`] after an interrupt.
    checked: Arc<AtomicU64>,
    /// What was set.
    set: u64,
}

impl Deadline {
    pub(super) fn new(config: &Config) -> Deadline {
        Deadline(config.epoch.then(|| Armed { checked: Arc::new(AtomicU64::new(NEVER)), set: NEVER }))
    }

    /// Where guests read it.
    pub(super) fn address(&self) -> *const AtomicU64 {
        self.0.as_ref().map_or(null(), |armed| Arc::as_ptr(&armed.checked))
    }

    /// Whether it is over; `None` where the engine's code does not look at it.
    fn is_over(&self, epoch: u64) -> Option<bool> {
        self.0.as_ref().map(|armed| epoch >= armed.checked.load(Ordering::Relaxed))
    }

    /// An interrupt, if there was one, has done what it was for.
    pub(super) fn clear_interrupt(&self) {
        if let Some(Armed { checked, set }) = &self.0 {
            let _ = checked.compare_exchange(NOW, *set, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// Ends the guests of a store, from any thread, even from a signal handler. It may outlive the store.
#[derive(Clone, Debug)]
pub struct Interrupter(Arc<AtomicU64>);

impl Interrupter {
    /// Ends the guest that runs in the store with a trap, [`TrapCode::Interrupt`](super::TrapCode::Interrupt), when it next begins a
    /// function or a turn of a loop. If none runs, the next one is ended, unless [`StoreMut::clear_interrupt`] comes first. A guest that is in
    /// a host function is ended when it has come back.
    pub fn interrupt(&self) {
        self.0.store(NOW, Ordering::Relaxed);
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
        let _ = armed.checked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, set);
        Ok(())
    }

    fn interrupter(&self) -> Result<Interrupter> {
        let armed = self.deadline.0.as_ref().ok_or_else(|| unchecked("epoch"))?;
        Ok(Interrupter(armed.checked.clone()))
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

            /// Takes back an interrupt that no guest has found yet.
            pub fn clear_interrupt(&mut self) {
                self.as_store_mut().inner().deadline.clear_interrupt();
            }
        }
    )* };
}

limit_methods!(Store, StoreMut<'_>, Caller<'_>);
