//! A live Wasm frame as it is shown: which function it is of, where in it, and every local and every operand.

use crate::base::{Error, ErrorKind, FuncIndex, LocalIndex, Result, WasmOffset};
use crate::code::CodeSlot;
use crate::dwarf::Location;
use crate::runtime::{FrameState, Instance, InstanceId, KeptFrame, Module, StoreRef, Val};
use crate::wasm::{Called, called};

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

    /// The slot of its code.
    pub(super) fn slot(&self) -> CodeSlot {
        self.kept.slot()
    }

    pub(super) fn store(&self) -> StoreRef<'a> {
        self.store
    }

    /// Whether it runs in production code, for it was entered before the debugger was attached. It does so until it
    /// returns. What is in its locals and operands is not known, nor is its instance where the store has several of its
    /// module.
    pub fn is_production(&self) -> bool {
        self.kept.is_production()
    }

    /// Refuses a frame whose locals and operands are not known.
    ///
    /// # Errors
    /// [`ErrorKind::State`] for one that [runs in production code](Self::is_production).
    pub fn check_values(&self) -> Result<()> {
        if self.is_production() { Err(unknown_values()) } else { Ok(()) }
    }

    /// The instance whose function this is; `None` where that is not known: see [`Frame::is_production`].
    pub fn instance(&self) -> Option<Instance> {
        self.kept.instance()
    }

    /// What names it.
    pub fn instance_id(&self) -> Option<InstanceId> {
        self.instance()?.id(&self.store).ok()
    }

    /// The same as [`Frame::instance`].
    ///
    /// # Errors
    /// [`ErrorKind::State`] where it is not known.
    pub(crate) fn known_instance(&self) -> Result<Instance> {
        self.instance().ok_or_else(|| {
            let message = "this frame runs in production code, which does not say which of several instances it is of";
            Error::new(ErrorKind::State, message)
        })
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

    /// The name of the host function that the frame waits for, as far as it has one: see
    /// [`Func::host_symbol`](crate::runtime::Func::host_symbol). It is of
    /// the function that the guest has called; host frames further in are not looked at. None where the frame waits for
    /// none, or has found it in a table, which may be another one meanwhile, and in production code where the instance
    /// or the reference is not known.
    pub fn host_symbol(&self) -> Option<String> {
        if !self.kept.is_in_call() {
            return None;
        }
        let func = match called(self.module().binary(), self.offset())? {
            Called::Func(index) => self.instance()?.imported_func(self.store, index)?,
            Called::Reference => match self.operands().pop()? {
                Val::FuncRef(func) => func?,
                _ => return None,
            },
        };
        func.host_symbol(self.store)
    }

    /// Whether it waits for what its instruction calls.
    pub(super) fn is_in_call(&self) -> bool {
        self.kept.is_in_call()
    }

    /// A number that is the same for one activation at every stop, and for those that take its place by tail calls. A
    /// caller's is higher.
    pub fn id(&self) -> usize {
        self.store.id_of(self.kept)
    }

    /// How many locals the function has, parameters counted.
    pub fn local_count(&self) -> usize {
        let module = self.module();
        match (self.state(), module.info().defined(self.func())) {
            (Some(state), _) => state.local_count(),
            (None, Some(func)) => module.info().declared_locals(func, module.binary()).len(),
            (None, None) => 0,
        }
    }

    /// A local, parameters first; `None` beyond the last, and in production code.
    pub fn local(&self, index: usize) -> Option<Val> {
        self.state()?.local(index)
    }

    /// All locals, parameters first; none in production code.
    pub fn locals(&self) -> Vec<Val> {
        self.state().map_or(Vec::new(), |state| state.locals())
    }

    /// A local's name, if the module's name section has one.
    pub fn local_name(&self, index: LocalIndex) -> Option<&'a str> {
        self.module().info().names.locals.get(&self.kept.func())?.get(&index).map(String::as_str)
    }

    /// How many operands are on the frame's stack. In a caller, the call's arguments are still counted; in production
    /// code there are none.
    pub fn operand_count(&self) -> usize {
        self.state().map_or(0, |state| state.operand_count())
    }

    /// All operands, bottom first; none in production code.
    pub fn operands(&self) -> Vec<Val> {
        self.state().map_or(Vec::new(), |state| state.operands())
    }

    /// What is in it; `None` in production code. The frame borrows the stop, whose event is being told.
    fn state(&self) -> Option<FrameState<'a>> {
        self.store.state_of(self.kept)
    }
}

/// The error of asking for what production code does not keep.
#[cold]
pub(super) fn unknown_values() -> Error {
    let message = "this frame runs in production code, whose values are not kept: it was entered before the debugger \
                   was attached";
    Error::new(ErrorKind::State, message)
}
