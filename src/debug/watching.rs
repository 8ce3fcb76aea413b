//! What a host asks of a debugger's watchpoints. The work is done in `watch.rs`, with the debugger's state out of the
//! store.

use super::Debugger;
use super::condition::Ask;
use super::stop::Stop;
use super::watchpoint::{WatchKind, Watchpoint, WatchpointId};
use crate::base::{Error, ErrorKind, LocalIndex, Result};
use crate::runtime::{AsStore, AsStoreMut, Global, Memory};
use std::ops::Range;
use std::sync::Arc;

impl Debugger {
    /// Has writes of a global stop the guest, behind the instruction that writes, whichever instance it is of, with
    /// [`Reason::Watchpoint`](super::Reason::Watchpoint). What a host function writes, while a guest waits for it, is
    /// told behind the call, if the value is another one then.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) where the global is immutable, or of another store,
    /// and for kinds of reads; a refused mapping otherwise.
    pub fn watch_global(&self, store: &mut impl AsStoreMut, global: Global, kind: WatchKind) -> Result<WatchpointId> {
        self.with(store, |state, store| state.watch.add_global(store, global, kind))
    }

    /// Has accesses of bytes of a memory stop the guest, behind the instruction that accesses any of them, with
    /// [`Reason::Watchpoint`](super::Reason::Watchpoint). While guest code runs the pages of those bytes are protected:
    /// what else is on them costs each access a fault. What a host function writes, while a guest waits for it, is told
    /// behind the call, if a byte is another one then; what it reads is not seen.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) for no bytes, bytes beyond the memory's end, and a
    /// memory that is shared, or of another store; [`ErrorKind::State`](crate::base::ErrorKind::State) in an engine
    /// without signals ([`Config::signals`](crate::runtime::Config)), and where the host has taken SIGTRAP.
    pub fn watch_memory(
        &self,
        store: &mut impl AsStoreMut,
        memory: Memory,
        bytes: Range<u64>,
        kind: WatchKind,
    ) -> Result<WatchpointId> {
        self.watch_bytes(store, (memory, bytes, Vec::new()), kind, None)
    }

    /// The same, of the bits that a mask says, byte by byte (all, where it is shorter), and for as long as a frame is
    /// there, by its id, if one is given.
    pub(super) fn watch_bytes(
        &self,
        store: &mut impl AsStoreMut,
        bytes: (Memory, Range<u64>, Vec<u8>),
        kind: WatchKind,
        frame: Option<usize>,
    ) -> Result<WatchpointId> {
        self.with(store, |state, store| state.watch.add_memory(&mut state.breakpoints, store, bytes, kind, frame))
    }

    /// Has writes of a local of a frame, 0 the innermost, stop the guest, behind the `local.set` or `local.tee`, with
    /// [`Reason::Watchpoint`](super::Reason::Watchpoint); parameters are the first locals. Other frames of the same
    /// function have locals of their own. What a stop callback writes is told to nobody.
    ///
    /// The watchpoint ends with the frame: it is removed, and that is told where the caller goes on, or where an
    /// exception is caught, by a hit that [says so](super::WatchHit::is_end). Where the host is the caller, and where a
    /// trap or an exception that no frame catches leaves the frame, it is removed without a word.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) where there is no such frame or local, where the stop
    /// is of another store, and for kinds of reads; those of compiling debug code; a refused mapping.
    pub fn watch_local(
        &self,
        stop: &mut Stop<'_>,
        frame: usize,
        local: usize,
        kind: WatchKind,
    ) -> Result<WatchpointId> {
        let shown = stop.frame(frame).ok_or_else(|| {
            let count = stop.frame_count();
            Error::new(ErrorKind::Argument, format!("there is no frame {frame}: there are {count}"))
        })?;
        shown.check_values()?;
        let (id, count) = (shown.id(), shown.local_count());
        if local >= count {
            let message = format!("the frame's function has no local {local}: it has {count}");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let local = LocalIndex::from_usize(local);
        self.with(stop, |state, store| state.watch.add_local(&mut state.breakpoints, store, id, local, kind))
    }

    /// Has hits of a watchpoint be told only where `holds` says so, which is asked on the guest's thread; where it does
    /// not, the guest goes on with what it did. Breakpoints, steps and traps within it are not told. Hits are counted
    /// whether or not they are told, and the end of a frame always is.
    ///
    /// # Errors
    /// As [`Debugger::remove_watchpoint`].
    pub fn watch_if(
        &self,
        store: &mut impl AsStoreMut,
        id: WatchpointId,
        holds: impl Fn(&Stop<'_>) -> bool + Send + Sync + 'static,
    ) -> Result<()> {
        let holds: Arc<Ask> = Arc::new(move |stop: &mut Stop<'_>| Ok(holds(stop)));
        self.with(store, |state, _| state.watch.set_condition(id, holds))
    }

    /// Removes a watchpoint.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) when there is none of this id; a refused mapping
    /// otherwise.
    pub fn remove_watchpoint(&self, store: &mut impl AsStoreMut, id: WatchpointId) -> Result<()> {
        self.with(store, |state, store| state.watch.remove(&mut state.breakpoints, store, &[id]))
    }

    /// Enables a watchpoint or not. What is written while it is not enabled is not told later.
    ///
    /// # Errors
    /// As [`Debugger::remove_watchpoint`].
    pub fn enable_watchpoint(&self, store: &mut impl AsStoreMut, id: WatchpointId, enabled: bool) -> Result<()> {
        self.with(store, |state, store| state.watch.enable(&mut state.breakpoints, store, id, enabled))
    }

    /// The watchpoints there are, in the order they were set.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) when the store is another one,
    /// [`ErrorKind::State`](crate::base::ErrorKind::State) when this debugger is no longer attached.
    pub fn watchpoints(&self, store: &impl AsStore) -> Result<Vec<Watchpoint>> {
        let shown = store.as_store();
        self.look_at(store, |state| state.watch.all(shown).cloned().collect())
    }

    /// The watchpoint of this id, if there is one.
    ///
    /// # Errors
    /// As of [`Debugger::watchpoints`].
    pub fn watchpoint(&self, store: &impl AsStore, id: WatchpointId) -> Result<Option<Watchpoint>> {
        let shown = store.as_store();
        self.look_at(store, |state| state.watch.get(shown, id).cloned())
    }
}
