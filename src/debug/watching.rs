//! What a host asks of a debugger's watchpoints. The work is done in `watch.rs`, with the debugger's state out of the
//! store.

use super::Debugger;
use super::watchpoint::{WatchKind, Watchpoint, WatchpointId};
use crate::base::Result;
use crate::runtime::{AsStore, AsStoreMut, Global};

impl Debugger {
    /// Has writes of a global stop the guest, behind the instruction that writes, whichever instance it is of, with
    /// [`Reason::Watchpoint`](super::Reason::Watchpoint). What a host function writes, while a guest waits for it, is
    /// told behind the call, if the value is another one then.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) where the global is immutable, or of another store;
    /// a refused mapping otherwise.
    pub fn watch_global(&self, store: &mut impl AsStoreMut, global: Global, kind: WatchKind) -> Result<WatchpointId> {
        self.with(store, |state, store| state.watch.add_global(store, global, kind))
    }

    /// Removes a watchpoint.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) when there is none of this id; a refused mapping
    /// otherwise.
    pub fn remove_watchpoint(&self, store: &mut impl AsStoreMut, id: WatchpointId) -> Result<()> {
        self.with(store, |state, store| state.watch.remove(store, &[id]))
    }

    /// Enables a watchpoint or not. What is written while it is not enabled is not told later.
    ///
    /// # Errors
    /// As [`Debugger::remove_watchpoint`].
    pub fn enable_watchpoint(&self, store: &mut impl AsStoreMut, id: WatchpointId, enabled: bool) -> Result<()> {
        self.with(store, |state, store| state.watch.enable(store, id, enabled))
    }

    /// The watchpoints there are, in the order they were set.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) when the store is another one,
    /// [`ErrorKind::State`](crate::base::ErrorKind::State) when this debugger is no longer attached.
    pub fn watchpoints(&self, store: &impl AsStore) -> Result<Vec<Watchpoint>> {
        self.look_at(store, |state| state.watch.all().cloned().collect())
    }

    /// The watchpoint of this id, if there is one.
    ///
    /// # Errors
    /// As of [`Debugger::watchpoints`].
    pub fn watchpoint(&self, store: &impl AsStore, id: WatchpointId) -> Result<Option<Watchpoint>> {
        self.look_at(store, |state| state.watch.get(id).cloned())
    }
}
