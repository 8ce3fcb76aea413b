//! Which code the instances of a store run: production code, or private debug code while somebody listens. Attaching
//! and detaching change that, the first also while guests run: `left.rs` tells what becomes of their frames.
//! [`register`], by which each instantiation takes in its module, follows it, and tells those who listen.

use crate::abi::StopCell;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Result, Shared, WasmOffset};
use crate::code::{CodeSlot, EngineCode, Ownership, TextBase};
use crate::isa::{self, StopContext};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::module::{Module, ModuleId, StackRatio};
use crate::runtime::control::resume::deepest;
use crate::runtime::control::stop::on_stop;
use crate::runtime::control::{announce, call};
use crate::runtime::objects::owned::Owned;
use crate::runtime::store::events::{Attachment, Event, EventSink, Listeners, Listens, RECENT, StopTarget};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::modules::{ModuleEntry, ResumeEntry};
use crate::runtime::store::views::{AsStore, StoreMut, StoreRef};
use std::ptr::{NonNull, null};
use std::rc::Rc;

impl StoreInner {
    /// The entry of a module, which is registered now if it was not.
    pub(in crate::runtime) fn add_module(&mut self, module: &Module) -> Result<usize> {
        if let Some(index) = self.modules.position(module.id()) {
            return Ok(index);
        }
        if !Engine::same(&self.engine, module.engine()) {
            return Err(Error::new(ErrorKind::Argument, "the module was compiled by another engine than the store's"));
        }
        let heap_types = self.heap_types(module)?;
        let production = self.registry.register(module.production_code(), Ownership::Shared)?;
        self.publish_code(production, module);
        if !module.refuels() && self.engine.config().refuels() {
            self.fuel_traps = true;
            self.lay_fuel_out();
        }
        let index = self.modules.push(module.near(), production, heap_types);
        if self.attachment.is_some()
            && let Err(error) = self.register_debug(index)
        {
            self.modules.pop();
            self.registry.unregister(production)?;
            return Err(error);
        }
        Ok(index)
    }

    /// See [`Store::attach`](crate::runtime::Store::attach).
    pub(in crate::runtime) fn attach(
        &mut self,
        listener: Rc<dyn Listens>,
        progress: &(dyn Fn(usize, usize) -> bool + Sync),
    ) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(ErrorKind::State, what));
        if !self.engine.config().debug {
            return refuse("this engine is not configured for debugging; set `debug` in its configuration");
        }
        if self.attachment.is_some() {
            return refuse("a debugger is attached to this store already; detach it first");
        }
        self.check_poison()?;
        self.compile_debug(progress)?;
        let mut listeners = Listeners::default();
        listeners.add(listener);
        self.attachment = Some(Box::new(Attachment { listeners, contexts: Vec::new(), stack_ratio: StackRatio::ONE }));
        // What can be refused comes first.
        let registered = (0..self.modules.len()).try_for_each(|index| self.register_debug(index));
        let found = registered.and_then(|()| self.returns());
        let returns = match found.and_then(|returns| self.register_left(&returns).map(|()| returns)) {
            Ok(returns) => returns,
            Err(error) => {
                self.remove_debug();
                return Err(error);
            }
        };
        self.repoint();
        self.leave_frames(&returns);
        call::widen_stack(self);
        Ok(())
    }

    /// See [`Store::add_listener`](crate::runtime::Store::add_listener).
    pub(in crate::runtime) fn add_listener(&mut self, listener: Rc<dyn Listens>) -> Result<()> {
        self.attached()?.listeners.add(listener);
        Ok(())
    }

    /// See [`Store::remove_listener`](crate::runtime::Store::remove_listener).
    pub(in crate::runtime) fn remove_listener<S: EventSink>(&mut self, sink: &S) -> Result<()> {
        match self.attached()?.listeners.remove(sink) {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::Argument, "the sink does not listen to this store")),
        }
    }

    fn attached(&mut self) -> Result<&mut Attachment> {
        let missing = || Error::new(ErrorKind::State, "nothing is attached to this store");
        self.attachment.as_deref_mut().ok_or_else(missing)
    }

    /// See [`Store::detach`](crate::runtime::Store::detach).
    pub(in crate::runtime) fn detach(&mut self) -> Result<()> {
        if self.attachment.is_none() {
            return Err(Error::new(ErrorKind::State, "no debugger is attached to this store"));
        }
        if self.has_frames() {
            return Err(Error::new(
                ErrorKind::State,
                "a Wasm function of this store is running; detach after it has returned",
            ));
        }
        let slots: Vec<_> = self.modules.iter_mut().map(|entry| entry.debug.take()).collect();
        self.repoint();
        for (entry, slot) in self.modules.iter_mut().zip(slots) {
            entry.debug = slot;
        }
        self.remove_debug();
        Ok(())
    }

    /// Compiles the debug code of every module that has none yet. Nothing of the store changes.
    fn compile_debug(&self, progress: &(dyn Fn(usize, usize) -> bool + Sync)) -> Result<()> {
        let modules = self.modules.iter().map(|entry| &entry.module);
        let due: Vec<_> = modules.filter(|module| module.debug_if_compiled().is_none()).collect();
        let total = due.iter().map(|module| module.info().bodies.len()).sum();
        let mut before = 0;
        for module in due {
            module.debug_code(&|done, _| progress(before + done, total))?;
            before += module.info().bodies.len();
        }
        Ok(())
    }

    /// Registers the debug code of a module, with a stop context of its own.
    fn register_debug(&mut self, index: usize) -> Result<()> {
        let module = self.modules[index].module.clone();
        let code = module.debug_code(&|_, _| true)?;
        let slot = self.register_private(&code, index)?;
        self.modules[index].debug = Some(slot);
        let attachment = self.attachment.as_mut().expect("debug code is registered for a debugger");
        attachment.stack_ratio = attachment.stack_ratio.max(module.stack_ratio());
        Ok(())
    }

    /// Registers a private copy of code with stop points, with a stop context of its own. An error leaves everything as
    /// it was.
    fn register_private(&mut self, code: &Shared<EngineCode>, module: usize) -> Result<CodeSlot> {
        let store = NonNull::from(&mut *self);
        let attachment = self.attachment.as_mut().expect("code with stop points is registered for a debugger");
        let target = Owned::new(Box::new(StopTarget {
            head: StopContext { on_stop },
            store,
            slot: self.modules[module].production,
            base: TextBase::default(),
            tables: code.tables(),
            last: 0,
            recent: [None; RECENT],
        }));
        let at = target.ptr();
        let cell = StopCell { handler: isa::stop_handler(), context: at.as_ptr().cast() };
        let slot = self.registry.register(code, Ownership::Private { cell })?;
        // SAFETY: the target is ours, and no guest runs in the new code yet.
        unsafe {
            (*at.as_ptr()).slot = slot;
            (*at.as_ptr()).base = self.registry.entry(slot).store.text_base();
        }
        attachment.contexts.push(target);
        self.modules.note_slot(slot, module);
        let told = self.modules[module].module.clone();
        self.publish_code(slot, &told);
        Ok(slot)
    }

    /// Unregisters all debug code, which nothing points to, and forgets those who listen.
    fn remove_debug(&mut self) {
        for entry in self.modules.iter_mut() {
            if let Some(copy) = entry.left.take() {
                self.registry.unregister(copy).expect("the copy stands in its slot");
            }
            let entered = entry.resume.drain(..).chain(entry.entered.drain(..)).map(|resume| resume.slot);
            for slot in entry.debug.take().into_iter().chain(entered).chain(entry.split.drain(..).map(|split| split.1))
            {
                self.registry.unregister(slot).expect("debug code stands in its slot");
            }
        }
        self.forget_resume_state();
        // Step mode is the debugger's: the next one starts without.
        let mut edit = self.registry.edit();
        let cleared = edit.set_step(crate::code::StepScope::Off);
        debug_assert!(cleared.is_ok());
        drop(edit);
        self.registry.forget_pauser();
        (self.values_watched, self.calls_told, self.callers_changed, self.watched) = (false, false, false, false);
        self.passing = false;
        self.changed = Vec::new();
        self.memory_watch = None;
        self.attachment = None;
    }

    /// Points every initialised function reference at the code its module runs now.
    fn repoint(&mut self) {
        for instance in &self.instances {
            // SAFETY: instances live as long as the store, and nobody else has a reference to their inside now.
            unsafe {
                let instance = &mut *instance.ptr().as_ptr();
                instance.use_code(self.code_of(instance.entry as usize));
            }
        }
    }
}

/// Registers a module and tells those who listen, unless they have been told. Where they refuse it, they are told again
/// when it is next asked for.
pub(in crate::runtime) fn register(store: &mut StoreMut<'_>, module: &Module) -> Result<()> {
    let inner = store.inner();
    let index = inner.add_module(module)?;
    // Before it is done, lest a listener that instantiates it be told without end.
    if std::mem::replace(&mut inner.modules[index].told, true) || inner.attachment.is_none() {
        return Ok(());
    }
    let told = tell_module(store, module.id());
    store.inner().modules[index].told = told.is_ok();
    told
}

/// Tells those who listen of a new module.
fn tell_module(store: &mut StoreMut<'_>, module: ModuleId) -> Result<()> {
    // SAFETY: the store is in hand, and no reference to its inside is held.
    unsafe { announce::announce(store.ptr(), &Event::Module(module)) }
}

impl StoreMut<'_> {
    /// Where the resume code of a function is, by a slot in which code of its module is; compiled and registered on
    /// first use. Its tables know this one function, by its index in the module. Nothing is armed in it at first,
    /// unless stepping stops everywhere.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where no debugger is attached; those of compiling and mapping, which leave everything as it
    /// was.
    pub fn resume_code(&mut self, slot: CodeSlot, func: DefinedFuncIndex) -> Result<CodeSlot> {
        self.inner().resume_code(slot, func)
    }

    /// Compiles and registers code of its own for a function of the debug code in `slot`: the same, with a stop point
    /// before each of these instructions as well, which ascend. Nobody runs it yet: it is called once
    /// [`PatchEdit::set_detour`](crate::code::PatchEdit::set_detour) says so; or, to be `entered`, it takes the place
    /// of frames by a [`Replacement`](crate::runtime::Replacement) whose entry is 0 for the function's start and counts
    /// from 1 on the `loop`s that are given, where a turn of them begins. It stays until the debugger is detached.
    ///
    /// # Errors
    /// As of [`StoreMut::resume_code`].
    pub fn split_code(
        &mut self,
        slot: CodeSlot,
        func: DefinedFuncIndex,
        splits: &[WasmOffset],
        entered: bool,
    ) -> Result<(CodeSlot, Vec<WasmOffset>)> {
        self.inner().split_code(slot, func, splits, entered)
    }

    /// Where resume code of a module's functions is: the slots, besides [`StoreMut::code_slot`], that breakpoints in it
    /// concern.
    pub fn resume_slots(&self, module: ModuleId) -> impl Iterator<Item = (DefinedFuncIndex, CodeSlot)> + '_ {
        self.as_store().resume_slots(module)
    }
}

impl<'a> StoreRef<'a> {
    /// Where other code of a module's functions is than in [`StoreMut::code_slot`]: resume code and split code.
    pub fn other_slots(self, module: ModuleId) -> impl Iterator<Item = (DefinedFuncIndex, CodeSlot)> + 'a {
        let inner = self.inner();
        let entry = inner.modules.position(module).map(|index| &inner.modules[index]);
        let entered =
            |entry: &'a ModuleEntry| entry.resume.iter().chain(&entry.entered).map(|code| (code.func, code.slot));
        entry.into_iter().flat_map(move |entry| entered(entry).chain(entry.split.iter().copied()))
    }

    /// See [`StoreMut::resume_slots`].
    pub fn resume_slots(self, module: ModuleId) -> impl Iterator<Item = (DefinedFuncIndex, CodeSlot)> + 'a {
        let inner = self.inner();
        let entry = inner.modules.position(module).map(|index| &inner.modules[index]);
        entry.into_iter().flat_map(|entry| entry.resume.iter().map(|resume| (resume.func, resume.slot)))
    }
}

impl StoreInner {
    /// See [`StoreMut::resume_code`].
    fn resume_code(&mut self, slot: CodeSlot, func: DefinedFuncIndex) -> Result<CodeSlot> {
        if self.attachment.is_none() {
            return Err(Error::new(
                ErrorKind::State,
                "resume code is a debugger's, and none is attached to this store",
            ));
        }
        if self.registry.get(slot).is_none() {
            return Err(Error::new(ErrorKind::Argument, "no code is registered in this slot"));
        }
        let index = self.modules.in_slot(slot);
        let entry = &self.modules[index];
        if let Some(resume) = entry.resume.iter().find(|resume| resume.func == func) {
            return Ok(resume.slot);
        }
        let code = entry.module.resume_code(func)?;
        let slot = self.register_private(&code, index)?;
        let values = code.tables().locals_of(func).words() as usize + deepest(code.tables());
        self.modules[index].resume.push(ResumeEntry { func, slot, values });
        Ok(slot)
    }

    /// See [`StoreMut::split_code`].
    fn split_code(
        &mut self,
        slot: CodeSlot,
        func: DefinedFuncIndex,
        splits: &[WasmOffset],
        entered: bool,
    ) -> Result<(CodeSlot, Vec<WasmOffset>)> {
        if self.attachment.is_none() || self.registry.get(slot).is_none() {
            return Err(Error::new(ErrorKind::State, "no debugger is attached that has code in this slot"));
        }
        let index = self.modules.in_slot(slot);
        let (code, ways_in) = self.modules[index].module.split_code(func, splits, entered)?;
        let slot = self.register_private(&code, index)?;
        match entered {
            true => {
                let values = code.tables().locals_of(func).words() as usize;
                self.modules[index].entered.push(ResumeEntry { func, slot, values });
            }
            false => self.modules[index].split.push((func, slot)),
        }
        Ok((slot, ways_in))
    }

    /// No resume code is left that could read its state.
    fn forget_resume_state(&mut self) {
        self.vm.resume = null();
        self.resuming = None;
    }
}
