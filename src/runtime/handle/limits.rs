//! What ends guests that run too long: fuel, deadlines in epochs, and interrupts from other threads. Compiled code
//! checks, by what is set here; it does so only where the engine is configured for it.

use crate::abi::TrapCode;
use crate::base::Result;
use crate::runtime::control::announce::announce;
use crate::runtime::control::deadline::may_go_on;
use crate::runtime::control::suspended::call_of_newest;
use crate::runtime::objects::deadline::{Ask, Interrupter, OnDeadline, unchecked};
use crate::runtime::objects::limiter::Limiter;
use crate::runtime::objects::trap::Trap;
use crate::runtime::store::events::Event;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut, Caller, Store, StoreMut};
use std::sync::Arc;

impl StoreInner {
    fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.check_fuel()?;
        self.set_fuel_left(i64::try_from(fuel).unwrap_or(i64::MAX));
        Ok(())
    }

    fn fuel(&self) -> Result<u64> {
        self.check_fuel()?;
        Ok(u64::try_from(self.fuel_left()).unwrap_or(0))
    }

    fn check_fuel(&self) -> Result<()> {
        if self.engine.config().fuel { Ok(()) } else { Err(unchecked("fuel")) }
    }
}

/// The methods that all three have.
macro_rules! limit_methods {
    ($($type:ty),*) => { $(
        impl $type {
            /// Gives the guests so much fuel, in the place of what they had. Every instruction takes one unit, but for
            /// `nop`, `block`, `loop`, `else` and `end`, which take none. Instructions that run one after the other are
            /// paid for together, before the first of them; when a function or a turn of a loop begins and the fuel is
            /// used up, the guest traps with [`TrapCode::OutOfFuel`](crate::runtime::TrapCode::OutOfFuel). Both tiers
            /// count the same. A new store has none. At most 2^63 - 1 is kept.
            ///
            /// # Errors
            /// [`ErrorKind::State`](crate::base::ErrorKind::State) where the engine is not configured with
            /// [`Config::fuel`](crate::runtime::Config::fuel).
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
            /// [`TrapCode::Interrupt`](crate::runtime::TrapCode::Interrupt), at once with 0, until another deadline is
            /// set. A new store has none.
            ///
            /// # Errors
            /// [`ErrorKind::State`](crate::base::ErrorKind::State) where the engine is not configured with
            /// [`Config::epoch`](crate::runtime::Config::epoch).
            pub fn set_epoch_deadline(&mut self, epochs: u64) -> Result<()> {
                let mut store = self.as_store_mut();
                let inner = store.inner();
                inner.deadline.set(inner.engine.epoch().saturating_add(epochs))
            }

            /// What ends its guests from another thread.
            ///
            /// # Errors
            /// As [`Self::set_epoch_deadline`].
            pub fn interrupter(&self) -> Result<Interrupter> {
                self.as_store().inner().deadline.interrupter()
            }

            /// Whether its guests would be ended when they next look, for host functions that wait: they ought to come
            /// back then. `None` where the engine is not configured with
            /// [`Config::epoch`](crate::runtime::Config::epoch).
            pub fn deadline_is_over(&self) -> Option<bool> {
                let store = self.as_store();
                let inner = store.inner();
                inner.deadline.is_over(inner.engine.epoch())
            }

            /// Sets what says whether a guest may go on, once [`Interrupter::ask`] wants that: on the guest's thread,
            /// where it may look at the store and change it, but call none of its guests. Its error ends the guest.
            ///
            /// # Errors
            /// As [`Self::set_epoch_deadline`].
            pub fn set_ask(&mut self, ask: Option<Arc<Ask>>) -> Result<()> {
                self.as_store_mut().inner().deadline.set_ask(ask)
            }

            /// Sets what says what becomes of a guest whose deadline is over: on the guest's thread, where it may look
            /// at the store and change it, but call none of its guests. Without it, and behind an interrupt, the guest
            /// ends. Threads of the guest's (WASI) ask it, too, about themselves; of a call that yields at deadlines it
            /// is not asked.
            ///
            /// # Errors
            /// As [`Self::set_epoch_deadline`].
            pub fn set_at_deadline(&mut self, at_deadline: Option<Arc<OnDeadline>>) -> Result<()> {
                self.as_store_mut().inner().deadline.set_at_deadline(at_deadline)
            }

            /// Sets what says whether a memory or a table of the store may be made, or grow, whoever wants that:
            /// `false` refuses it, and an error ends the guest's call, or is that of the host's. It is asked for what
            /// the type allows; what is set by [`Self::set_limits`] holds besides, and so does what the system has.
            /// What is given back it is not told; each question says how large the memory or table is now.
            ///
            /// It runs before anything is changed, on the thread that uses the store. It may look at the store and
            /// change it, but call none of its guests, and make no memory or table, nor have one grow: those are
            /// refused meanwhile. Threads of the guest's (WASI) ask it, too. A memory that stores share asks the one of
            /// the store by which it grows; one that grows by itself
            /// ([`SharedMemory::grow`](crate::runtime::SharedMemory::grow)) asks nobody.
            pub fn set_limiter(&mut self, limiter: Option<Arc<Limiter>>) {
                let before = std::mem::replace(&mut self.as_store_mut().inner().limiter, limiter);
                // It goes when nobody has the store's inside.
                drop(before);
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
    /// Limits a new store of the same engine as this one is: what it may take, and its deadline; and gives it half of
    /// the fuel that is left.
    pub(crate) fn share_limits(&mut self, other: &mut Store) -> Result<()> {
        let mut store = self.as_store_mut();
        let inner = store.inner();
        let mut other = other.as_store_mut();
        let new = other.inner();
        new.limits = inner.limits;
        new.limiter = inner.limiter.clone();
        if let Some(epoch) = inner.deadline.epoch() {
            new.deadline.set(epoch)?;
            new.deadline.set_at_deadline(inner.deadline.at_deadline())?;
        }
        if inner.engine.config().fuel {
            let half = inner.fuel()? / 2;
            inner.set_fuel(inner.fuel()? - half)?;
            new.set_fuel(half)?;
        }
        Ok(())
    }

    /// For host functions that wait: whether they are to call [`Caller::end_if_due`] now and then.
    pub(crate) fn looks_while_it_waits(&self) -> bool {
        self.as_store().inner().looks_while_it_waits()
    }

    /// For host functions that wait: whether one is to say [`WouldBlock`](crate::runtime::WouldBlock) in the place of
    /// waiting.
    pub(crate) fn may_wait(&self) -> bool {
        // SAFETY: the caller's store is alive, and the call is only looked at.
        unsafe { call_of_newest(self.as_store_ptr()) }.is_some_and(|call| call.may_block)
    }

    /// What a host function has said that it wants to be told when it is called again, if it is.
    pub(crate) fn memo(&self) -> Option<u64> {
        // SAFETY: as above.
        Some(unsafe { call_of_newest(self.as_store_ptr()) }?.blocked.as_ref()?.memo)
    }

    /// For host functions that wait: nothing if the guest may go on, else the error that it ends with, which the
    /// function is to return. The host is asked, if somebody wants that. Always nothing where the engine is not
    /// configured with [`Config::epoch`](crate::runtime::Config::epoch). A pause that is asked for is told.
    pub(crate) fn end_if_due(&mut self) -> Result<()> {
        if self.as_store().inner().registry.is_pause_asked() {
            // SAFETY: as below; a guest waits for the host function, and where it has been left is noted.
            unsafe { announce(self.as_store_ptr(), &Event::Waiting) }?;
        }
        // SAFETY: the caller's store is alive, and nobody has a reference to its inside while a host function runs.
        if unsafe { may_go_on(self.as_store_ptr()) } {
            return Ok(());
        }
        let mut store = self.as_store_mut();
        let deadline = &mut store.inner().deadline;
        let refusal = deadline.take_refusal();
        deadline.clear_interrupt();
        Err(refusal.unwrap_or_else(|| Trap::from_code(TrapCode::Interrupt).into()))
    }
}
