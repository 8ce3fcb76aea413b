//! What a debugger's callback is called for besides what is asked for one by one, such as breakpoints and steps: a set,
//! which the host chooses.

use super::Debugger;
use crate::base::Result;
use crate::runtime::{AsStore, AsStoreMut};
use std::ops::{BitOr, Not};

/// A set of events that are stops. At first these are [`Events::TRAP`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Events(u32);

impl Events {
    /// None.
    pub const NONE: Events = Events(0);
    /// A guest traps: [`Reason::Trap`](super::Reason::Trap).
    pub const TRAP: Events = Events(1);
    /// The store has a module that it had not: [`Reason::Module`](super::Reason::Module).
    pub const MODULE: Events = Events(1 << 1);
    /// An instance has been made: [`Reason::Instance`](super::Reason::Instance).
    pub const INSTANCE: Events = Events(1 << 2);
    /// A memory has grown: [`Reason::MemoryGrown`](super::Reason::MemoryGrown).
    pub const MEMORY_GROWN: Events = Events(1 << 3);
    /// A guest calls a host function: [`Reason::HostCall`](super::Reason::HostCall).
    pub const HOST_CALL: Events = Events(1 << 4);
    /// A host function returns to a guest: [`Reason::HostReturn`](super::Reason::HostReturn).
    pub const HOST_RETURN: Events = Events(1 << 5);
    /// All of these.
    pub const ALL: Events = Events((1 << 6) - 1);

    /// The set of these bits; none if a bit is no event.
    pub fn from_bits(bits: u32) -> Option<Events> {
        (bits & !Events::ALL.0 == 0).then_some(Events(bits))
    }

    /// Its bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are in it.
    pub fn contains(self, other: Events) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in it.
    pub(super) fn has_any(self, other: Events) -> bool {
        self.0 & other.0 != 0
    }
}

impl Default for Events {
    fn default() -> Events {
        Events::TRAP
    }
}

impl BitOr for Events {
    type Output = Events;

    fn bitor(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

impl Not for Events {
    type Output = Events;

    fn not(self) -> Events {
        Events(!self.0 & Events::ALL.0)
    }
}

impl Debugger {
    /// Says which events are stops from now on. They cost nothing while they are not asked for; calls of the host cost
    /// each a call of the callback while they are.
    ///
    /// A guest may wait meanwhile, for a host function or in `memory.grow`: its frames are shown, and a step that the
    /// callback answers with starts there. A step that was under way is over. Where no guest waits there are no frames,
    /// and nothing can be stepped. What runs within the callback is not told of by these events, but for traps.
    /// [`Action::Trap`](super::Action::Trap) fails what is told of.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) when the store is another one,
    /// [`ErrorKind::State`](crate::base::ErrorKind::State) when this debugger is no longer attached.
    pub fn set_events(&self, store: &mut impl AsStoreMut, events: Events) -> Result<()> {
        self.with(store, |state, store| {
            state.events = events;
            store.set_calls_told(events.has_any(Events::HOST_CALL | Events::HOST_RETURN));
            Ok(())
        })
    }

    /// Which events are stops.
    ///
    /// # Errors
    /// As of [`Debugger::set_events`].
    pub fn events(&self, store: &impl AsStore) -> Result<Events> {
        self.look_at(store, |state| state.events)
    }
}
