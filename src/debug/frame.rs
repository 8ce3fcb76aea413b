//! A live Wasm frame as it is shown: which function it is of, where in it, and every local and every operand.

use crate::base::{FuncIndex, LocalIndex, WasmOffset};
use crate::dwarf::Location;
use crate::runtime::{FrameState, Instance, KeptFrame, Module, StoreRef, Val};

/// A frame of a stop. It borrows the stop, so it cannot outlive it.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    store: StoreRef<'a>,
    kept: &'a KeptFrame,
}

impl<'a> Frame<'a> {
    pub(super) fn new(store: StoreRef<'a>, kept: &'a KeptFrame) -> Self {
        Frame { store, kept }
    }

    pub(super) fn store(&self) -> StoreRef<'a> {
        self.store
    }

    /// The instance whose function this is.
    ///
    /// # Panics
    /// Never: all frames of a store with a debugger run debug code, which keeps its instance in the frame.
    pub fn instance(&self) -> Instance {
        self.kept.instance().expect("debug code keeps its instance")
    }

    /// Its module.
    ///
    /// # Panics
    /// Never: code that runs is registered.
    pub fn module(&self) -> &'a Module {
        self.store.module_in(self.kept.slot()).expect("code that runs is registered")
    }

    /// The function, imports counted.
    #[inline]
    pub fn func(&self) -> FuncIndex {
        self.kept.func()
    }

    /// The function's name, if the module knows one.
    pub fn func_name(&self) -> Option<&'a str> {
        self.module().info().func_name(self.kept.func())
    }

    /// The instruction about to run; in a caller, the call that is under way; after a trap, the one that trapped.
    #[inline]
    pub fn offset(&self) -> WasmOffset {
        self.kept.wasm()
    }

    /// Where in the source that is, if the module has DWARF: see [`Module::locations`].
    pub fn locations(&self) -> Vec<Location<'a>> {
        self.module().locations(self.kept.wasm())
    }

    /// Whether the host was called from this frame and called the next inner one: host frames stand between.
    pub fn called_through_host(&self) -> bool {
        self.kept.called_through_host()
    }

    /// A number that is the same for one activation at every stop, and for those that take its place by tail calls. A
    /// caller's is higher.
    pub fn id(&self) -> usize {
        self.store.id_of(self.kept)
    }

    /// How many locals the function has, parameters counted.
    pub fn local_count(&self) -> usize {
        self.state().local_count()
    }

    /// A local, parameters first.
    pub fn local(&self, index: usize) -> Option<Val> {
        self.state().local(index)
    }

    /// All locals, parameters first.
    pub fn locals(&self) -> Vec<Val> {
        self.state().locals()
    }

    /// A local's name, if the module's name section has one.
    pub fn local_name(&self, index: LocalIndex) -> Option<&'a str> {
        self.module().info().names.locals.get(&self.kept.func())?.get(&index).map(String::as_str)
    }

    /// How many operands are on the frame's stack. In a caller, the call's arguments are still counted.
    pub fn operand_count(&self) -> usize {
        self.state().operand_count()
    }

    /// All operands, bottom first.
    pub fn operands(&self) -> Vec<Val> {
        self.state().operands()
    }

    /// # Panics
    /// Never: the frame borrows the stop, whose event is being told.
    fn state(&self) -> FrameState<'a> {
        self.store.state_of(self.kept).expect("the stop is being told")
    }
}
