//! What can be done with a store, whichever view of it is at hand.

use crate::base::{Error, ErrorKind, Result};
use crate::code::{CodeRegistry, CodeSlot, PatchEdit, Pauser};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::module::{Module, ModuleId};
use crate::runtime::control::attach;
use crate::runtime::control::frames::RawFrame;
use crate::runtime::objects::attachers::Attacher;
use crate::runtime::objects::handles::{Instance, InstanceId};
use crate::runtime::objects::owned::StoreId;
use crate::runtime::store::events::{EventSink, Listener};
use crate::runtime::store::inner::StoreLimits;
use crate::runtime::store::views::{AsStore, AsStoreMut, Caller, Store, StoreMut};
use std::any::Any;
use std::ffi::c_void;
use std::ops::ControlFlow;
use std::ptr::NonNull;
use std::sync::Arc;

/// The methods that all three have.
macro_rules! store_methods {
    ($($type:ty),*) => { $(
        impl $type {
            /// Its name among all stores of the process.
            pub fn id(&self) -> StoreId {
                self.as_store().inner().id
            }

            /// Its engine.
            pub fn engine(&self) -> &Engine {
                &self.as_store().inner().engine
            }

            /// Sets what it may take. What was taken already stays.
            pub fn set_limits(&mut self, limits: StoreLimits) {
                let mut store = self.as_store_mut();
                let inner = store.inner();
                inner.limits = limits;
                if let Some(heap) = &mut inner.heap {
                    heap.set_limit(limits.heap_bytes);
                }
            }

            /// What it may take.
            pub fn limits(&self) -> StoreLimits {
                self.as_store().inner().limits
            }

            /// Asks for core dumps, or does so no more: each trap that leaves a guest then has one, which is made
            /// before anybody else comes to the store ([`Trap::core_dump`](crate::runtime::Trap::core_dump)). At first
            /// none is asked for, which costs nothing.
            pub fn set_core_dumps(&mut self, asked: bool) {
                self.as_store_mut().inner().ask_for_core_dumps(asked);
            }

            /// Whether core dumps are asked for.
            pub fn core_dumps(&self) -> bool {
                self.as_store().inner().dumping.is_some()
            }

            /// Whether it is unusable, after a panic in a host function or callback, or a change of machine code that
            /// the system let neither be made nor be taken back: calls fail with
            /// [`ErrorKind::Poisoned`](crate::base::ErrorKind::Poisoned).
            pub fn is_poisoned(&self) -> bool {
                self.as_store().inner().check_poison().is_err()
            }

            /// Makes it unusable, for instance after a foreign exception in a callback.
            pub fn poison(&mut self) {
                self.as_store_mut().inner().poisoned = true;
            }

            /// Whether a guest function of it is on a stack.
            pub fn live_frames(&self) -> bool {
                self.as_store().inner().has_frames()
            }

            /// A number for the call that is under way, or that was the last: the innermost on a stack of its own
            /// ([`Call`](crate::runtime::Call)), or the outermost. It is another for each, and the same for one.
            pub fn run(&self) -> u64 {
                self.as_store().inner().run
            }

            /// Does `work`. Handles of what guests have made ([`AnyRef`](crate::runtime::AnyRef)) that come out of the
            /// store meanwhile, and are not rooted, are given up at its end.
            pub fn scope<R>(&mut self, work: impl FnOnce(&mut StoreMut<'_>) -> R) -> R {
                let mut store = self.as_store_mut();
                let scope = store.inner().roots.scope();
                let done = work(&mut store);
                store.inner().roots.end_scope(scope);
                done
            }

            /// The host's own data.
            pub fn data(&self) -> Option<&(dyn Any + Send)> {
                self.as_store().inner().data.as_deref()
            }

            /// The host's own data, to change.
            pub fn data_mut(&mut self) -> Option<&mut (dyn Any + Send)> {
                self.as_store_mut().into_inner().data.as_deref_mut()
            }

            /// Sets the host's own data, which the store owns; what was there is returned.
            pub fn set_data(&mut self, data: Option<Box<dyn Any + Send>>) -> Option<Box<dyn Any + Send>> {
                std::mem::replace(&mut self.as_store_mut().inner().data, data)
            }

            /// Attaches to the store: every instance runs debug code from now on, in a private copy, and `sink` is the
            /// first to listen to the store's events, with `state` to work on.
            ///
            /// # Errors
            /// [`ErrorKind::State`](crate::base::ErrorKind::State) where the engine is not configured for debugging, a
            /// frame of the store is live, or something is attached already; errors of compiling and mapping the debug
            /// code, which leave the store as it was.
            pub fn attach<S: EventSink>(&mut self, sink: Arc<S>, state: S::State) -> Result<()> {
                self.attach_with_progress(sink, state, &|_, _| true)
            }

            /// The same; `progress` is told how many functions of how many have their debug code, from whatever thread;
            /// `false` cancels.
            ///
            /// # Errors
            /// As without, and [`ErrorKind::Cancelled`](crate::base::ErrorKind::Cancelled), which leaves the store as
            /// it was.
            pub fn attach_with_progress<S: EventSink>(
                &mut self,
                sink: Arc<S>,
                state: S::State,
                progress: &(dyn Fn(usize, usize) -> bool + Sync),
            ) -> Result<()> {
                self.as_store_mut().inner().attach(Listener::listening(sink, state), progress)
            }

            /// Has another sink listen, behind those who do already. It hears of the next event.
            ///
            /// # Errors
            /// [`ErrorKind::State`](crate::base::ErrorKind::State) where nothing is attached.
            pub fn add_listener<S: EventSink>(&mut self, sink: Arc<S>, state: S::State) -> Result<()> {
                self.as_store_mut().inner().add_listener(Listener::listening(sink, state))
            }

            /// Has a sink listen no more, not even to the rest of an event that is being told. Its state is dropped.
            /// What it has had patched stays as it is.
            ///
            /// # Errors
            /// [`ErrorKind::State`](crate::base::ErrorKind::State) where nothing is attached,
            /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) where the sink does not listen.
            pub fn remove_listener<S: EventSink>(&mut self, sink: &S) -> Result<()> {
                self.as_store_mut().inner().remove_listener(sink)
            }

            /// Detaches all who listen: every instance runs production code again, and the private copies are gone.
            ///
            /// # Errors
            /// [`ErrorKind::State`](crate::base::ErrorKind::State) where a frame of the store is live, or nothing is
            /// attached.
            pub fn detach(&mut self) -> Result<()> {
                self.as_store_mut().inner().detach()
            }

            /// Whether anything is attached.
            pub fn is_attached(&self) -> bool {
                self.as_store().inner().attachment.is_some()
            }

            /// Its code.
            pub fn registry(&self) -> &CodeRegistry {
                &self.as_store().inner().registry
            }

            /// Starts an edit of what is patched in its debug code.
            pub fn edit(&mut self) -> PatchEdit<'_> {
                self.as_store_mut().into_inner().registry.edit()
            }

            /// What has guests of this store stop that compute: see [`Pauser::pause`]. While nobody listens it does
            /// nothing.
            ///
            /// # Errors
            /// Those of mapping code.
            pub fn pauser(&mut self) -> Result<Pauser> {
                self.as_store_mut().inner().registry.pauser()
            }

            /// A pause has been told, or taken back: guests go on as the plan has it, until another is asked for.
            ///
            /// # Errors
            /// As of an edit.
            pub fn end_pause(&mut self) -> Result<()> {
                self.as_store_mut().inner().registry.end_pause()
            }

            /// Calls `visit` with the live Wasm frames: see
            /// [`StoreRef::walk_frames`](crate::runtime::StoreRef::walk_frames).
            pub fn walk_frames<'s>(&'s self, visit: impl FnMut(&RawFrame<'s>) -> ControlFlow<()>) {
                self.as_store().walk_frames(visit);
            }

            /// The slot of a module's debug code, while something is attached.
            pub fn code_slot(&self, module: ModuleId) -> Option<CodeSlot> {
                let inner = self.as_store().inner();
                inner.modules[inner.modules.position(module)?].debug
            }

            /// The module whose code is in a slot.
            pub fn module_in(&self, slot: CodeSlot) -> Option<&Module> {
                let inner = self.as_store().inner();
                inner.registry.get(slot)?;
                Some(&inner.modules.of_slot(slot).module)
            }

            /// Whether guests can be stopped in the code of a slot: not in production code, in which frames go on that
            /// were live when the store was attached to.
            pub fn is_private(&self, slot: CodeSlot) -> bool {
                self.as_store().inner().registry.get(slot).is_some_and(|code| code.store.is_private())
            }

            /// Its modules, in the order of their first instantiation.
            pub fn modules(&self) -> impl ExactSizeIterator<Item = &Module> {
                self.as_store().inner().modules.iter().map(|entry| &entry.module)
            }

            /// Its instances, in order, those whose instantiation failed included.
            pub fn instances(&self) -> impl ExactSizeIterator<Item = Instance> + '_ {
                let inner = self.as_store().inner();
                inner.instances.iter().map(|instance| Instance::from_parts(inner.id, instance.ptr()))
            }

            /// The instance of this name, if it is one of this store and has not been collected.
            pub fn find_instance(&self, id: InstanceId) -> Option<Instance> {
                self.as_store().find_instance(id)
            }
        }
    )* };
}

store_methods!(Store, StoreMut<'_>, Caller<'_>);

impl Caller<'_> {
    /// What WASI keeps with the store.
    pub(crate) fn wasi(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.as_store().inner().wasi.clone()
    }
}

impl StoreMut<'_> {
    /// Sets what WASI keeps with the store; what was there is returned.
    pub(crate) fn set_wasi(&mut self, wasi: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn Any + Send + Sync>> {
        self.inner().wasi.replace(wasi)
    }

    /// Registers a module, as instantiating it would. A debugger can then set breakpoints in it before its start
    /// function runs.
    ///
    /// # Errors
    /// As for the code part of [`Instance::new`].
    pub fn register(&mut self, module: &Module) -> Result<()> {
        attach::register(self, module)
    }
}

impl StoreMut<'_> {
    /// What has this store call `call`, with the store in its hands, on the thread that uses it, when another thread or
    /// a signal handler asks: see [`Attacher::request`]. There, a debugger can be attached, whatever guests run. Where
    /// it is called in the middle of a guest, guests cannot be called. An error ends the guest's call.
    ///
    /// While nobody asks it costs one look at a word where guests are entered and where host functions return; and
    /// guests that count fuel and look at no epochs come by the runtime once in some ten thousand turns of a loop.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the engine is not configured for debugging.
    pub fn attacher(
        &mut self,
        call: impl Fn(&mut StoreMut<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Attacher> {
        let inner = self.inner();
        if inner.engine.config().debug {
            let call = move |at: NonNull<c_void>| call(&mut StoreMut::from_inner(at.cast()));
            let attacher = inner.attachers.make(inner.deadline.waker(), Box::new(call));
            inner.lay_fuel_out();
            return Ok(attacher);
        }
        let message = "this engine is not configured for debugging; set `debug` in its configuration";
        Err(Error::new(ErrorKind::State, message))
    }
}

impl Store {
    /// See [`StoreMut::attacher`].
    ///
    /// # Errors
    /// As there.
    pub fn attacher(
        &mut self,
        call: impl Fn(&mut StoreMut<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Attacher> {
        self.as_store_mut().attacher(call)
    }

    /// See [`StoreMut::register`].
    ///
    /// # Errors
    /// As there.
    pub fn register(&mut self, module: &Module) -> Result<()> {
        attach::register(&mut self.as_store_mut(), module)
    }
}
