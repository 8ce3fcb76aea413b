//! A store: one heap object at a stable address, which owns everything its guests can reach, and the views of it that
//! hosts and host functions get. References to the object's inside are made for short moments only and never held while a guest runs,
//! since host functions reach the same object again.

use super::collect::{HostGlobal, Root};
use super::events::{Attachment, EventRecord, EventSink};
use super::frames::{self, FramesFrom, RawFrame};
use super::host::HostObject;
use super::instance::{Instance, InstanceData};
use super::limits::Deadline;
use super::memory::MemoryData;
use super::module::{Module, ModuleId};
use super::resume::{ResumeEntry, Resuming};
use super::roots::Roots;
use super::table::TableData;
use super::values::ExternRefs;
use super::{Engine, call::Exit};
use crate::abi::{VMContext, VMStoreContext};
use crate::base::{Error, ErrorKind, Result};
use crate::code::{CodeRegistry, CodeSlot, Ownership, PatchEdit};
use smallvec::SmallVec;
use std::any::Any;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a [`Store`] for as long as the process lives. Handles carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(u64);

impl StoreId {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// What a store may take, over all its instances. The default is generous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of all memories together.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Instances, those that are dropped and not collected yet included.
    pub instances: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits { memory_bytes: u64::MAX, table_elements: 20_000_000, instances: usize::MAX }
    }
}

/// What a store has taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) memory_bytes: u64,
    pub(super) table_elements: u64,
}

/// A heap object at a stable address, known by pointers: what a `Box` would be if moving it did not invalidate them.
pub(super) struct Owned<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Owned<T> {
    pub(super) fn new(value: Box<T>) -> Self {
        // SAFETY: a box is never null.
        Owned(unsafe { NonNull::new_unchecked(Box::into_raw(value)) })
    }

    pub(super) fn ptr(&self) -> NonNull<T> {
        self.0
    }
}

impl<T: ?Sized> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made from a box; its one owner is here.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A module of a store, with the slots of its code.
pub(super) struct ModuleEntry {
    pub(super) module: Module,
    pub(super) production: CodeSlot,
    /// While a debugger is attached.
    pub(super) debug: Option<CodeSlot>,
    /// The resume code of its functions, while a debugger is attached.
    pub(super) resume: Vec<ResumeEntry>,
}

/// The inside of a store.
#[repr(C)]
pub(super) struct StoreInner {
    /// What compiled code sees. First, so that both have one address.
    pub(super) vm: VMStoreContext,
    pub(super) id: StoreId,
    pub(super) deadline: Deadline,
    pub(super) poisoned: bool,
    pub(super) engine: Engine,
    /// Below this address no guest is entered, and nobody is told of a trap: what is left is for leaving the guest.
    pub(super) stack_floor: usize,
    /// How often the host has entered the guest with no frame of the store live.
    pub(super) runs: u64,
    /// The error or panic with which guest frames are being left.
    pub(super) pending: Option<Exit>,
    /// The newest event being told to the sink.
    pub(super) events: *mut EventRecord,
    /// What [`VMStoreContext::resume`] points to, with its values.
    pub(super) resuming: Option<Box<Resuming>>,
    pub(super) attachment: Option<Box<Attachment>>,
    pub(super) limits: StoreLimits,
    pub(super) usage: Usage,
    pub(super) data: Option<Box<dyn Any + Send>>,
    // Instances go before the code and objects they use.
    pub(super) instances: SmallVec<[Owned<InstanceData>; 1]>,
    /// How many there have ever been.
    pub(super) instances_made: u64,
    pub(super) modules: SmallVec<[ModuleEntry; 1]>,
    /// The entry of `modules` for each slot of the registry.
    slot_modules: SmallVec<[u32; 2]>,
    pub(super) registry: CodeRegistry,
    pub(super) memories: SmallVec<[Owned<MemoryData>; 1]>,
    pub(super) tables: SmallVec<[Owned<TableData>; 1]>,
    /// Those made by the host; others are in their instances.
    pub(super) globals: Vec<Owned<HostGlobal>>,
    pub(super) host: Vec<Owned<dyn HostObject>>,
    pub(super) externrefs: ExternRefs,
    /// What the host holds.
    pub(super) roots: Arc<Roots>,
    /// What the host keeps with objects.
    pub(super) host_data: HashMap<Root, Box<dyn Any + Send>>,
    /// Whether an instantiation has failed for want of room, with nothing of it seen by anybody.
    pub(super) lacked_room: bool,
}

impl StoreInner {
    /// A view for reading.
    pub(super) fn view(&self) -> StoreRef<'_> {
        StoreRef { inner: NonNull::from(self), life: PhantomData }
    }

    /// The entry of a module, which is registered now if it was not.
    pub(super) fn add_module(&mut self, module: &Module) -> Result<usize> {
        if let Some(index) = self.modules.iter().rposition(|entry| Module::same(&entry.module, module)) {
            return Ok(index);
        }
        if !Engine::same(&self.engine, module.engine()) {
            return Err(Error::new(ErrorKind::Argument, "the module was compiled by another engine than the store's"));
        }
        let production = self.registry.register(module.production_code(), Ownership::Shared)?;
        self.tell_outside(production, module);
        let index = self.modules.len();
        self.note_slot(production, index);
        self.modules.push(ModuleEntry { module: module.clone(), production, debug: None, resume: Vec::new() });
        if self.attachment.is_some()
            && let Err(error) = self.register_debug(index)
        {
            self.modules.pop();
            self.registry.unregister(production)?;
            return Err(error);
        }
        Ok(index)
    }

    /// Tells whom the engine tells of code that was registered.
    pub(super) fn tell_outside(&mut self, slot: CodeSlot, module: &Module) {
        let outside = self.engine.outside();
        if outside.listens() {
            self.registry.accompany(slot, |code| outside.tell(module, code.engine.tables(), &code.store));
        }
    }

    /// Notes which module's code is in a slot.
    pub(super) fn note_slot(&mut self, slot: CodeSlot, module: usize) {
        if self.slot_modules.len() <= slot.index() {
            self.slot_modules.resize(slot.index() + 1, 0);
        }
        self.slot_modules[slot.index()] = module as u32;
    }

    /// The entry of the module whose code is in a slot.
    pub(super) fn module_index(&self, slot: CodeSlot) -> usize {
        self.slot_modules[slot.index()] as usize
    }

    /// The module whose code is in a slot.
    pub(super) fn module_of(&self, slot: CodeSlot) -> &Module {
        &self.modules[self.module_index(slot)].module
    }

    /// Refuses a handle of another store.
    #[inline]
    pub(super) fn check(&self, handle: StoreId) -> Result<()> {
        if handle == self.id { Ok(()) } else { Err(wrong_store()) }
    }

    #[inline]
    pub(super) fn check_poison(&self) -> Result<()> {
        match (self.registry.is_broken(), self.poisoned) {
            (false, false) => Ok(()),
            (true, _) => Err(broken()),
            (false, true) => Err(poisoned()),
        }
    }
}

#[cold]
fn wrong_store() -> Error {
    Error::new(ErrorKind::Argument, "the object belongs to another store")
}

#[cold]
pub(super) fn broken() -> Error {
    let message = "the system refuses to make machine code of this store executable again; drop it";
    Error::new(ErrorKind::Poisoned, message)
}

#[cold]
fn poisoned() -> Error {
    Error::new(ErrorKind::Poisoned, "an earlier panic in a host function or callback left the store unusable; drop it")
}

/// A store: instances and all they own. It belongs to one thread at a time.
pub struct Store {
    inner: NonNull<StoreInner>,
}

// SAFETY: everything in a store may change threads between uses: host functions and data are `Send`, code and memories have no
// thread affinity, and while a guest runs the store is borrowed.
unsafe impl Send for Store {}

impl Store {
    /// An empty store.
    pub fn new(engine: &Engine) -> Store {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let deadline = Deadline::new(engine.config());
        let inner = Box::new(StoreInner {
            vm: VMStoreContext {
                stack_limit: 0,
                exit_fp: 0,
                exit_pc: 0,
                activation: null_mut(),
                store: null_mut(),
                resume: null(),
                fuel: 0,
                epoch: engine.epoch_counter(),
                deadline: deadline.address(),
            },
            deadline,
            id: StoreId(NEXT.fetch_add(1, Ordering::Relaxed)),
            poisoned: false,
            engine: engine.clone(),
            stack_floor: 0,
            runs: 0,
            pending: None,
            events: null_mut(),
            resuming: None,
            attachment: None,
            limits: StoreLimits::default(),
            usage: Usage::default(),
            data: None,
            instances: SmallVec::new(),
            instances_made: 0,
            modules: SmallVec::new(),
            slot_modules: SmallVec::new(),
            registry: CodeRegistry::new(),
            memories: SmallVec::new(),
            tables: SmallVec::new(),
            globals: Vec::new(),
            host: Vec::new(),
            externrefs: ExternRefs::default(),
            roots: Roots::new(),
            host_data: HashMap::new(),
            lacked_room: false,
        });
        let inner = Box::into_raw(inner);
        // SAFETY: a box is never null, and the object is not shared yet.
        unsafe {
            (*inner).vm.store = inner.cast();
            Store { inner: NonNull::new_unchecked(inner) }
        }
    }

    /// Gives up ownership: the store lives until [`Store::from_raw`] takes it back.
    pub fn into_raw(self) -> StorePtr {
        StorePtr(std::mem::ManuallyDrop::new(self).inner)
    }

    /// Takes ownership of a store that [`Store::into_raw`] gave up.
    ///
    /// # Safety
    /// The pointer came from `into_raw`, was not taken back yet, and no view of the store is in use.
    pub unsafe fn from_raw(store: StorePtr) -> Store {
        Store { inner: store.0 }
    }

    /// A pointer to the store, for bindings to other languages. It is valid until the store is dropped.
    pub fn as_ptr(&self) -> StorePtr {
        StorePtr(self.inner)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: the object was made by `new` and this is its one owner.
        unsafe {
            let inner = &mut *self.inner.as_ptr();
            if !inner.vm.activation.is_null() {
                // Only unsafe code can bring this about. What the frames stand on is left to them.
                return;
            }
            for memory in &inner.memories {
                (*memory.ptr().as_ptr()).recycle(&inner.engine);
            }
            drop(Box::from_raw(self.inner.as_ptr()));
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A store known by its address: what bindings to other languages keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorePtr(NonNull<StoreInner>);

// SAFETY: a mere address; using it is unsafe.
unsafe impl Send for StorePtr {}
// SAFETY: as above.
unsafe impl Sync for StorePtr {}

impl StorePtr {
    /// A view of the store.
    ///
    /// # Safety
    /// The store is alive for `'a`, used by this thread alone, and no other view of it is *in use* at the same time: within a
    /// host function or callback, views made outside are at rest. No frame of it is live on another thread.
    pub unsafe fn as_mut<'a>(self) -> StoreMut<'a> {
        StoreMut { inner: self.0, life: PhantomData }
    }
}

/// A view of a store for reading.
#[derive(Clone, Copy)]
pub struct StoreRef<'a> {
    inner: NonNull<StoreInner>,
    life: PhantomData<&'a StoreInner>,
}

impl<'a> StoreRef<'a> {
    #[inline]
    pub(super) fn inner(self) -> &'a StoreInner {
        // SAFETY: the store is alive and not written to for `'a`.
        unsafe { &*self.inner.as_ptr() }
    }

    /// The store's code.
    pub fn registry(self) -> &'a CodeRegistry {
        &self.inner().registry
    }

    /// The module whose code is in a slot.
    pub fn module_in(self, slot: CodeSlot) -> Option<&'a Module> {
        let inner = self.inner();
        inner.registry.get(slot)?;
        Some(inner.module_of(slot))
    }

    /// Calls `visit` with the live Wasm frames, innermost first, over all nested runs of this store, until it breaks.
    /// Inside a stop or trap event the first is the frame that was stopped.
    pub fn walk_frames(self, visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>) {
        frames::walk(self.inner(), visit);
    }

    /// Where a walk over the frames begins now.
    pub fn frames_from(self) -> FramesFrom {
        FramesFrom::here(self.inner())
    }

    /// As [`StoreRef::walk_frames`], from where the guest had been left before: the frames within that one are passed over.
    ///
    /// # Safety
    /// `from` is of this store, and the guest has not gone on from there.
    pub unsafe fn walk_frames_from(self, from: FramesFrom, visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>) {
        // SAFETY: handed on to the caller.
        unsafe { frames::walk_from(self.inner(), from, visit) }
    }
}

/// A view of a store: what [`Store`] lends and host functions get.
pub struct StoreMut<'a> {
    inner: NonNull<StoreInner>,
    life: PhantomData<&'a mut StoreInner>,
}

impl<'a> StoreMut<'a> {
    #[inline]
    pub(super) fn from_inner(inner: NonNull<StoreInner>) -> StoreMut<'a> {
        StoreMut { inner, life: PhantomData }
    }

    #[inline]
    pub(super) fn ptr(&self) -> NonNull<StoreInner> {
        self.inner
    }

    /// The inside, for a short moment.
    #[inline]
    pub(super) fn inner(&mut self) -> &mut StoreInner {
        // SAFETY: the store is alive and this view has it alone; the reference ends before a guest runs.
        unsafe { &mut *self.inner.as_ptr() }
    }

    /// The inside, for as long as the view could be used.
    #[inline]
    pub(super) fn into_inner(self) -> &'a mut StoreInner {
        // SAFETY: as `inner`; the view is gone.
        unsafe { &mut *self.inner.as_ptr() }
    }
}

/// What a host function gets: its store, and the instance that called it.
pub struct Caller<'a> {
    store: StoreMut<'a>,
    instance: Option<NonNull<InstanceData>>,
}

impl<'a> Caller<'a> {
    /// # Safety
    /// `caller` is null or a vmctx of the store.
    #[inline]
    pub(super) unsafe fn new(store: NonNull<StoreInner>, caller: *mut VMContext) -> Caller<'a> {
        let instance = match caller.is_null() {
            true => None,
            // SAFETY: handed on to the caller.
            false => NonNull::new(unsafe { (*caller).instance }.cast::<InstanceData>()),
        };
        Caller { store: StoreMut::from_inner(store), instance }
    }

    #[inline]
    pub(super) fn as_store_ptr(&self) -> NonNull<StoreInner> {
        self.store.inner
    }

    /// The instance whose function called, or `None` if the host called directly.
    pub fn instance(&self) -> Option<Instance> {
        Some(Instance::from_parts(self.id(), self.instance?))
    }

    /// The calling instance's export of this name.
    pub fn export(&mut self, name: &str) -> Option<super::Extern> {
        self.instance()?.export(&mut self.store, name)
    }
}

/// What can be read as a store: [`Store`], [`StoreMut`], [`StoreRef`], [`Caller`], and references to them.
pub trait AsStore {
    /// The view.
    fn as_store(&self) -> StoreRef<'_>;
}

/// What can be used as a store: [`Store`], [`StoreMut`], [`Caller`], and mutable references to them.
pub trait AsStoreMut: AsStore {
    /// The view.
    fn as_store_mut(&mut self) -> StoreMut<'_>;
}

impl AsStore for StoreRef<'_> {
    #[inline]
    fn as_store(&self) -> StoreRef<'_> {
        *self
    }
}

/// Implements the two traits for a type with a pointer to the inside.
macro_rules! as_store {
    ($type:ty, $self:ident => $inner:expr) => {
        impl AsStore for $type {
            #[inline]
            fn as_store(&$self) -> StoreRef<'_> {
                StoreRef { inner: $inner, life: PhantomData }
            }
        }
        impl AsStoreMut for $type {
            #[inline]
            fn as_store_mut(&mut $self) -> StoreMut<'_> {
                StoreMut { inner: $inner, life: PhantomData }
            }
        }
    };
}

as_store!(Store, self => self.inner);
as_store!(StoreMut<'_>, self => self.inner);
as_store!(Caller<'_>, self => self.store.inner);

impl<T: AsStore + ?Sized> AsStore for &T {
    #[inline]
    fn as_store(&self) -> StoreRef<'_> {
        T::as_store(self)
    }
}

impl<T: AsStore + ?Sized> AsStore for &mut T {
    #[inline]
    fn as_store(&self) -> StoreRef<'_> {
        T::as_store(self)
    }
}

impl<T: AsStoreMut + ?Sized> AsStoreMut for &mut T {
    #[inline]
    fn as_store_mut(&mut self) -> StoreMut<'_> {
        T::as_store_mut(self)
    }
}

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
                self.as_store_mut().inner().limits = limits;
            }

            /// What it may take.
            pub fn limits(&self) -> StoreLimits {
                self.as_store().inner().limits
            }

            /// Whether a panic in a host function or callback left it unusable: calls fail with
            /// [`ErrorKind::Poisoned`].
            pub fn is_poisoned(&self) -> bool {
                self.as_store().inner().poisoned
            }

            /// Makes it unusable, for instance after a foreign exception in a callback.
            pub fn poison(&mut self) {
                self.as_store_mut().inner().poisoned = true;
            }

            /// Whether a guest function of it is on a stack.
            pub fn live_frames(&self) -> bool {
                !self.as_store().inner().vm.activation.is_null()
            }

            /// A number for the outermost call that is under way, or that was the last: it changes with each.
            pub fn run(&self) -> u64 {
                self.as_store().inner().runs
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

            /// Attaches a debugger's sink: every instance runs debug code from now on, in a private copy.
            ///
            /// # Errors
            /// [`ErrorKind::State`] where the engine is not configured for debugging, a frame of the store is live, or something is
            /// attached already; errors of compiling and mapping the debug code, which leave the store as it was.
            pub fn attach(&mut self, sink: Arc<dyn EventSink>) -> Result<()> {
                self.attach_with_progress(sink, &|_, _| true)
            }

            /// The same; `progress` is told how many functions of how many have their debug code, from whatever thread; `false` cancels.
            ///
            /// # Errors
            /// As without, and [`ErrorKind::Cancelled`], which leaves the store as it was.
            pub fn attach_with_progress(
                &mut self,
                sink: Arc<dyn EventSink>,
                progress: &(dyn Fn(usize, usize) -> bool + Sync),
            ) -> Result<()> {
                self.as_store_mut().inner().attach(sink, progress)
            }

            /// Detaches it: every instance runs production code again, and the private copies are gone.
            ///
            /// # Errors
            /// [`ErrorKind::State`] where a frame of the store is live, or nothing is attached.
            pub fn detach(&mut self) -> Result<()> {
                self.as_store_mut().inner().detach()
            }

            /// Whether a sink is attached.
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

            /// Calls `visit` with the live Wasm frames: see [`StoreRef::walk_frames`].
            pub fn walk_frames<'s>(&'s self, visit: impl FnMut(&RawFrame<'s>) -> ControlFlow<()>) {
                self.as_store().walk_frames(visit);
            }

            /// The slot of a module's debug code, while something is attached.
            pub fn code_slot(&self, module: ModuleId) -> Option<CodeSlot> {
                self.as_store().inner().modules.iter().find(|entry| entry.module.id() == module)?.debug
            }

            /// The module whose code is in a slot.
            pub fn module_in(&self, slot: CodeSlot) -> Option<&Module> {
                let inner = self.as_store().inner();
                inner.registry.get(slot)?;
                Some(inner.module_of(slot))
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
        }
    )* };
}

store_methods!(Store, StoreMut<'_>, Caller<'_>);

impl StoreMut<'_> {
    /// Registers a module, as instantiating it would. A debugger can then set breakpoints in it before its start function
    /// runs.
    ///
    /// # Errors
    /// As for the code part of [`Instance::new`].
    pub fn register(&mut self, module: &Module) -> Result<()> {
        register(self, module)
    }
}

impl Store {
    /// See [`StoreMut::register`].
    ///
    /// # Errors
    /// As there.
    pub fn register(&mut self, module: &Module) -> Result<()> {
        register(&mut self.as_store_mut(), module)
    }
}

/// Registers a module and tells the sink, if that is new.
pub(super) fn register(store: &mut StoreMut<'_>, module: &Module) -> Result<()> {
    let before = store.inner().modules.len();
    store.inner().add_module(module)?;
    if store.inner().modules.len() > before {
        super::events::tell_module(store, module.id())?;
    }
    Ok(())
}
