//! What a host asks of a debugger's breakpoints. The work is done in `breakpoints.rs`, with the debugger's state out of
//! the store.

use super::Debugger;
use super::breakpoint::{BreakOptions, BreakRequest, Breakpoint};
use super::breakpoint_id::BreakpointId;
use super::breakpoint_set::BreakpointSet;
use crate::base::{Error, ErrorKind, FuncIndex, Result, WasmOffset};
use crate::runtime::{AsStore, AsStoreMut, Module};

impl Debugger {
    /// Sets a breakpoint at the instruction at `offset` of `module`, or the next one that can be reached in the same
    /// function. The module need not be instantiated yet.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when `offset` is in no function's body, or when no reachable instruction of the function
    /// is at or after it; a refused mapping otherwise.
    pub fn break_at(&self, store: &mut impl AsStoreMut, module: &Module, offset: WasmOffset) -> Result<Breakpoint> {
        self.add_breakpoint(store, BreakRequest::offset(module, offset))
    }

    /// Sets a breakpoint at the first instruction of a function, imports counted; of one that is imported, at each call
    /// of it: see [`BreakTarget::FunctionIndex`](super::BreakTarget::FunctionIndex).
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is no such function, or it is imported and nothing calls it by its index;
    /// otherwise as [`Debugger::break_at`].
    pub fn break_at_function(
        &self,
        store: &mut impl AsStoreMut,
        module: &Module,
        func: FuncIndex,
    ) -> Result<Breakpoint> {
        self.add_breakpoint(store, BreakRequest::function_index(module, func))
    }

    /// Sets a breakpoint at the first instruction of every function that a name means, in a module or, with `None`, in
    /// all modules of the store and those that come later: by its name in the source, whole or from the start of any of
    /// its parts on (`area` and `Shape::area` mean `geo::Shape::area`), by its linkage name, by its name in the name
    /// section, or as an export. Inlined copies too.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when nothing in the module has that name, with what is spelt like it; otherwise as
    /// [`Debugger::break_at`]. For any module it is no error that none has it yet.
    pub fn break_at_name<'m>(
        &self,
        store: &mut impl AsStoreMut,
        module: impl Into<Option<&'m Module>>,
        name: &str,
    ) -> Result<Breakpoint> {
        self.add_breakpoint(store, BreakRequest::function(module, name))
    }

    /// Sets a breakpoint at every place of a line of the source, in a module or, with `None`, in all modules of the
    /// store and those that come later: in each function that has it, inlined copies too. Of a function's first line it
    /// stands behind what sets up the frame. Without code for the line, the next one that has some is meant:
    /// [`Breakpoint::line`] tells. `file` is a path as the compiler knew it, or the end of one, whole names only. With
    /// a column, only what begins there, or at the next column of the line.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the module has no code of such a line or behind it; otherwise as
    /// [`Debugger::break_at`]. For any module it is no error that none has it yet.
    pub fn break_at_line<'m>(
        &self,
        store: &mut impl AsStoreMut,
        module: impl Into<Option<&'m Module>>,
        file: &str,
        line: u32,
        column: Option<u32>,
    ) -> Result<Breakpoint> {
        self.add_breakpoint(store, BreakRequest::line(module, file, line, column))
    }

    /// Sets a breakpoint at what is asked for.
    ///
    /// # Errors
    /// As [`Debugger::break_at`].
    pub fn add_breakpoint(&self, store: &mut impl AsStoreMut, request: BreakRequest) -> Result<Breakpoint> {
        self.with(store, |state, store| {
            let ids = state.breakpoints.add(store, std::iter::once((&request, None)))?;
            let set = ids.first().and_then(|id| state.breakpoints.get(*id));
            set.ok_or_else(|| Error::new(ErrorKind::Panic, "the breakpoint that was set is gone"))
        })
    }

    /// Sets breakpoints at all that is asked for, or none, in one edit of the machine code: many are set as fast as
    /// one. Their numbers, in that order.
    ///
    /// # Errors
    /// As [`Debugger::break_at`]. Nothing is set then.
    pub fn break_at_all(&self, store: &mut impl AsStoreMut, requests: &[BreakRequest]) -> Result<Vec<BreakpointId>> {
        self.with(store, |state, store| state.breakpoints.add(store, requests.iter().map(|request| (request, None))))
    }

    /// Sets all breakpoints of a set, or none, in one edit of the machine code. Nothing is looked up for it. Their
    /// numbers, in the order in which they were added to the set.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where a module is of another engine; a refused mapping otherwise. Nothing is set then.
    pub fn break_at_set(&self, store: &mut impl AsStoreMut, set: &BreakpointSet) -> Result<Vec<BreakpointId>> {
        self.with(store, |state, store| state.breakpoints.add(store, set.entries()))
    }

    /// Changes what a breakpoint has: `change` is given that. It takes effect before the guest goes on.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is none of this id, when a condition's text does not fit the function that a
    /// place of the breakpoint is in, and for an instance of another store; a refused mapping. Nothing is changed then.
    pub fn change_breakpoint(
        &self,
        store: &mut impl AsStoreMut,
        id: BreakpointId,
        change: impl FnOnce(&mut BreakOptions),
    ) -> Result<()> {
        self.with(store, |state, store| state.breakpoints.change(store, id, change))
    }

    /// Sets how often a breakpoint was come to: 0 begins to count anew.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is none of this id.
    pub fn set_hit_count(&self, store: &mut impl AsStoreMut, id: BreakpointId, hits: u64) -> Result<()> {
        self.with(store, |state, _| state.breakpoints.set_hits(id, hits))
    }

    /// Removes a breakpoint.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is none of this id; a refused mapping otherwise.
    pub fn remove(&self, store: &mut impl AsStoreMut, id: BreakpointId) -> Result<()> {
        self.with(store, |state, store| state.breakpoints.remove(store, &[id]))
    }

    /// Removes breakpoints, all or none, in one edit of the machine code. One that is named twice is removed once.
    ///
    /// # Errors
    /// As [`Debugger::remove`]. Nothing is removed then.
    pub fn remove_all(&self, store: &mut impl AsStoreMut, ids: &[BreakpointId]) -> Result<()> {
        self.with(store, |state, store| state.breakpoints.remove(store, ids))
    }

    /// The breakpoints there are, in the order they were set.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the store is another one, [`ErrorKind::State`] when this debugger is no longer
    /// attached.
    pub fn breakpoints(&self, store: &impl AsStore) -> Result<Vec<Breakpoint>> {
        self.look(store, |breakpoints| breakpoints.all().collect())
    }

    /// How many breakpoints there are.
    ///
    /// # Errors
    /// As of [`Debugger::breakpoints`].
    pub fn breakpoint_count(&self, store: &impl AsStore) -> Result<usize> {
        self.look(store, |breakpoints| breakpoints.all().len())
    }

    /// The breakpoint of this id, if there is one.
    ///
    /// # Errors
    /// As of [`Debugger::breakpoints`].
    pub fn breakpoint(&self, store: &impl AsStore, id: BreakpointId) -> Result<Option<Breakpoint>> {
        self.look(store, |breakpoints| breakpoints.get(id))
    }
}
