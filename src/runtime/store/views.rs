//! Stores as hosts and host functions have them: owned, lent, or as the store of the guest that called.

use crate::abi::{VMContext, VMHeap, VMStoreContext};
use crate::code::{CodeRegistry, CodeSlot};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::module::Module;
use crate::runtime::objects::attachers::Attachers;
use crate::runtime::objects::deadline::Deadline;
use crate::runtime::objects::exceptions::Exceptions;
use crate::runtime::objects::externs::ExternRefs;
use crate::runtime::objects::handles::Instance;
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::owned::{EventIds, StoreId};
use crate::runtime::objects::roots::Roots;
use crate::runtime::store::calls::Calls;
use crate::runtime::store::inner::{StoreInner, StoreLimits, Usage};
use crate::runtime::store::modules::Modules;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::ptr::{NonNull, null, null_mut};

/// A store: instances and all they own. It belongs to one thread at a time.
pub struct Store {
    inner: NonNull<StoreInner>,
}

// SAFETY: everything in a store may change threads between uses: host functions and data are `Send`, code and memories
// have no thread affinity, listeners are `Send` and counted by this thread alone while it has the store, and while a
// guest runs the store is borrowed.
unsafe impl Send for Store {}

impl Store {
    /// An empty store.
    pub fn new(engine: &Engine) -> Store {
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
                heap: VMHeap::NONE,
                exit_head: 0,
                refuel: null(),
                allocate: null(),
                object: 0,
            },
            deadline,
            id: StoreId::next(),
            poisoned: false,
            watched: false,
            attachers: Attachers::default(),
            fuel_kept: 0,
            fuel_traps: false,
            values_watched: false,
            passing: false,
            calls_told: false,
            callers_changed: false,
            changed: Vec::new(),
            memory_watch: None,
            engine: engine.near(),
            stack_floor: 0,
            runs: 0,
            run: 0,
            pending: None,
            dumping: None,
            events: null_mut(),
            event_ids: EventIds::default(),
            resuming: None,
            attachment: None,
            limits: StoreLimits::default(),
            usage: Usage::default(),
            limiter: None,
            limiting: false,
            wasi: None,
            data: None,
            calls: Calls::default(),
            waits_at_deadline: false,
            waits: 0,
            slice: None,
            instances: SmallVec::new(),
            instances_made: 0,
            modules: Modules::default(),
            registry: CodeRegistry::new(),
            memories: SmallVec::new(),
            tables: SmallVec::new(),
            globals: Vec::new(),
            host: Vec::new(),
            externrefs: ExternRefs::default(),
            exceptions: Exceptions::default(),
            tags: Vec::new(),
            heap: None,
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
            if (*self.inner.as_ptr()).vm.activation.is_null() {
                StoreInner::give_up_calls(self.inner);
            }
            let inner = &mut *self.inner.as_ptr();
            if inner.has_frames() {
                // Only unsafe code can bring this about. What the frames stand on is left to them.
                return;
            }
            for memory in &inner.memories {
                (*memory.ptr().as_ptr()).recycle(&inner.engine, inner.runs);
            }
            for table in &inner.tables {
                (*table.ptr().as_ptr()).recycle();
            }
            drop(Box::from_raw(self.inner.as_ptr()));
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("id", &self.as_store().inner().id).finish_non_exhaustive()
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
    /// The store is alive for `'a`, used by this thread alone, and no other view of it is *in use* at the same time:
    /// within a host function or callback, views made outside are at rest. No frame of it is live on another thread.
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

impl StoreInner {
    /// A view for reading.
    pub(in crate::runtime) fn view(&self) -> StoreRef<'_> {
        StoreRef { inner: NonNull::from(self), life: PhantomData }
    }
}

impl<'a> StoreRef<'a> {
    #[inline]
    pub(in crate::runtime) fn inner(self) -> &'a StoreInner {
        // SAFETY: the store is alive and not written to for `'a`.
        unsafe { &*self.inner.as_ptr() }
    }

    /// Its name among all stores of the process.
    pub fn id(self) -> StoreId {
        self.inner().id
    }

    /// The store's code.
    pub fn registry(self) -> &'a CodeRegistry {
        &self.inner().registry
    }

    /// The module whose code is in a slot.
    pub fn module_in(self, slot: CodeSlot) -> Option<&'a Module> {
        let inner = self.inner();
        inner.registry.get(slot)?;
        Some(&inner.modules.of_slot(slot).module)
    }
}

/// A view of a store: what [`Store`] lends and host functions get.
pub struct StoreMut<'a> {
    inner: NonNull<StoreInner>,
    life: PhantomData<&'a mut StoreInner>,
}

impl<'a> StoreMut<'a> {
    #[inline]
    pub(in crate::runtime) fn from_inner(inner: NonNull<StoreInner>) -> StoreMut<'a> {
        StoreMut { inner, life: PhantomData }
    }

    #[inline]
    pub(in crate::runtime) fn ptr(&self) -> NonNull<StoreInner> {
        self.inner
    }

    /// The inside, for a short moment.
    #[inline]
    pub(in crate::runtime) fn inner(&mut self) -> &mut StoreInner {
        // SAFETY: the store is alive and this view has it alone; the reference ends before a guest runs.
        unsafe { &mut *self.inner.as_ptr() }
    }

    /// The inside, for as long as the view could be used.
    #[inline]
    pub(in crate::runtime) fn into_inner(self) -> &'a mut StoreInner {
        // SAFETY: as `inner`; the view is gone.
        unsafe { &mut *self.inner.as_ptr() }
    }
}

/// What a host function gets: its store, and the instance that called it.
pub struct Caller<'a> {
    pub(in crate::runtime) store: StoreMut<'a>,
    instance: Option<NonNull<InstanceData>>,
}

impl<'a> Caller<'a> {
    /// # Safety
    /// `caller` is null or a vmctx of the store.
    #[inline]
    pub(in crate::runtime) unsafe fn new(store: NonNull<StoreInner>, caller: *mut VMContext) -> Caller<'a> {
        let instance = match caller.is_null() {
            true => None,
            // SAFETY: handed on to the caller.
            false => NonNull::new(unsafe { (*caller).instance }.cast::<InstanceData>()),
        };
        Caller { store: StoreMut::from_inner(store), instance }
    }

    #[inline]
    pub(in crate::runtime) fn as_store_ptr(&self) -> NonNull<StoreInner> {
        self.store.inner
    }

    /// The instance whose function called, or `None` if the host called directly.
    pub fn instance(&self) -> Option<Instance> {
        Some(Instance::from_parts(self.as_store().inner().id, self.instance?))
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
