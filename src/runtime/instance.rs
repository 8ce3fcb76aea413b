//! Instances: the structure compiled code works on, and what the runtime knows beside it.

use super::func::{Func, TypedFunc};
use super::global::Global;
use super::memory::{Memory, MemoryData};
use super::module::Module;
use super::store::{AsStore, AsStoreMut, Owned, StoreId, StoreInner};
use super::table::{Table, TableData};
use super::typed::WasmValues;
use super::{Extern, instantiate};
use crate::abi::{VMContext, VMFuncRef, VMGlobal, VmLayout};
use crate::base::{
    DefinedFuncIndex, Error, ErrorKind, Escaped, FuncIndex, GlobalIndex, MemoryIndex, Result, TableIndex, no_room,
};
use crate::image::FunctionEntry;
use crate::wasm::EntityIndex;
use smallvec::SmallVec;
use std::alloc::Layout;
use std::ptr::NonNull;

/// An instance's structure for compiled code, of the size its module's layout says.
struct VmBlock {
    at: NonNull<u8>,
    layout: Layout,
}

impl VmBlock {
    /// A zeroed block.
    fn new(layout: &VmLayout) -> Result<VmBlock> {
        let layout =
            Layout::from_size_align(layout.size() as usize, align_of::<VMContext>()).expect("layouts are below 2 GiB");
        // SAFETY: the size is at least that of `VMContext`.
        let at = unsafe { std::alloc::alloc_zeroed(layout) };
        let at = NonNull::new(at).ok_or_else(|| no_room(layout.size(), "an instance"))?;
        Ok(VmBlock { at, layout })
    }
}

impl Drop for VmBlock {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { std::alloc::dealloc(self.at.as_ptr(), self.layout) };
    }
}

/// An instance, and a place in its structure.
pub(super) type Place<T> = (NonNull<InstanceData>, NonNull<T>);

/// The inside of an instance. It stays at one address until it is collected or its store dropped.
pub(super) struct InstanceData {
    /// How many instances its store had made before.
    number: u64,
    block: VmBlock,
    pub(super) module: Module,
    /// Its module's position in the store.
    pub(super) entry: u32,
    /// The address of the text it runs.
    text_base: usize,
    /// Where the functions are in that text. Borrowed from the code registered in the store, which outlives its use: changing
    /// the text changes this too.
    functions: NonNull<[FunctionEntry]>,
    /// The functions whose `VMFuncRef` is initialised: all that a change of code has to touch.
    initialised: Vec<DefinedFuncIndex>,
    /// Its memories, imports first.
    pub(super) memories: SmallVec<[NonNull<MemoryData>; 1]>,
    /// Its tables, imports first.
    pub(super) tables: SmallVec<[NonNull<TableData>; 1]>,
    /// Which element segments are dropped.
    pub(super) dropped_elements: Box<[bool]>,
    /// Which data segments are dropped.
    pub(super) dropped_data: Box<[bool]>,
    /// Set during a collection, if it can be reached.
    pub(super) marked: bool,
}

impl InstanceData {
    /// An instance with nothing in it, whose module is `store.modules[entry]`.
    pub(super) fn new(store: &mut StoreInner, entry: usize) -> Result<InstanceData> {
        let module = store.modules[entry].module.clone();
        let block = VmBlock::new(module.layout())?;
        let number = store.instances_made;
        store.instances_made += 1;
        let info = module.info();
        Ok(InstanceData {
            number,
            block,
            entry: entry as u32,
            text_base: 0,
            functions: NonNull::from(&[] as &[FunctionEntry]),
            initialised: Vec::new(),
            memories: SmallVec::new(),
            tables: SmallVec::new(),
            dropped_elements: vec![false; info.elements.len()].into(),
            dropped_data: vec![false; info.data.len()].into(),
            marked: false,
            module,
        })
    }

    /// A place in its structure.
    ///
    /// # Safety
    /// `offset` is one that its module's layout gave out for a `T`.
    pub(super) unsafe fn place<T>(&self, offset: u32) -> NonNull<T> {
        debug_assert!(offset as usize + size_of::<T>() <= self.block.layout.size());
        // SAFETY: inside the block.
        unsafe { self.block.at.add(offset as usize).cast() }
    }

    /// How many bytes its structure has.
    pub(super) fn block_size(&self) -> usize {
        self.block.layout.size()
    }

    /// Its structure.
    pub(super) fn vmctx(&self) -> NonNull<VMContext> {
        self.block.at.cast()
    }

    /// Makes it run the code its module runs in the store now: every initialised function reference is pointed there.
    pub(super) fn use_code(&mut self, store: &StoreInner) {
        let entry = &store.modules[self.entry as usize];
        let loaded = store.registry.entry(entry.debug.unwrap_or(entry.production));
        self.text_base = loaded.store.base().get();
        self.functions = NonNull::from(loaded.engine.tables().functions.as_slice());
        let layout = self.module.layout();
        for func in &self.initialised {
            // SAFETY: the layout's place for it; the functions are borrowed from code that is registered.
            unsafe {
                let start = self.functions.as_ref()[func.index()].start;
                let func_ref = self.place::<VMFuncRef>(layout.func_ref(*func)).as_ptr();
                (*func_ref).code = (self.text_base + start.index()) as *const _;
            }
        }
    }

    /// The reference of a function, initialised now if it was not.
    pub(super) fn func_ref(&mut self, func: FuncIndex) -> NonNull<VMFuncRef> {
        let layout = self.module.layout();
        let Some(defined) = self.module.info().defined(func) else {
            // SAFETY: the layout's place for it; imports are in place before anything asks.
            return unsafe { *self.place::<NonNull<VMFuncRef>>(layout.imported_func(func)).as_ref() };
        };
        // SAFETY: the layout's place for it; the functions are borrowed from code that is registered.
        unsafe {
            let func_ref = self.place::<VMFuncRef>(layout.func_ref(defined));
            if func_ref.as_ref().code.is_null() {
                let start = self.functions.as_ref()[defined.index()].start;
                func_ref.as_ptr().write(VMFuncRef {
                    code: (self.text_base + start.index()) as *const _,
                    vmctx: self.vmctx().as_ptr().cast(),
                    sig: self.module.func_sig(func),
                    func: func.get(),
                });
                self.initialised.push(defined);
            }
            func_ref
        }
    }

    /// The place of a global.
    pub(super) fn global(&self, global: GlobalIndex) -> NonNull<VMGlobal> {
        let (offset, imported) = self.module.layout().global(global);
        // SAFETY: the layout's place for it or for the pointer to it, which is set before anything asks.
        unsafe { if imported { *self.place::<NonNull<VMGlobal>>(offset).as_ref() } else { self.place(offset) } }
    }
}

/// An instance of a module in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    store: StoreId,
    ptr: NonNull<InstanceData>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

/// Names an instance for as long as the process lives, whatever becomes of it: what is kept where the instance may be gone, or given to
/// another store, has this and not the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct InstanceId {
    store: StoreId,
    number: u64,
}

impl InstanceId {
    /// The instance, if it is one of this store and has not been collected.
    pub(super) fn find(self, store: &StoreInner) -> Option<Instance> {
        if self.store != store.id {
            return None;
        }
        // They stay in the order in which they were made.
        // SAFETY: all instances of a store are live.
        let number = |instance: &Owned<InstanceData>| unsafe { instance.ptr().as_ref() }.number;
        let at = store.instances.binary_search_by_key(&self.number, number).ok()?;
        Some(Instance::from_parts(self.store, store.instances[at].ptr()))
    }
}

impl Instance {
    /// Its name.
    ///
    /// # Safety
    /// It has not been collected, and its store is alive.
    pub(super) unsafe fn id(&self) -> InstanceId {
        // SAFETY: the caller's promise.
        InstanceId { store: self.store, number: unsafe { self.ptr.as_ref() }.number }
    }

    #[inline]
    pub(super) fn from_parts(store: StoreId, ptr: NonNull<InstanceData>) -> Instance {
        Instance { store, ptr }
    }

    pub(super) fn store(&self) -> StoreId {
        self.store
    }

    pub(super) fn data(&self) -> NonNull<InstanceData> {
        self.ptr
    }

    /// Instantiates a module with these imports, in the order the module asks for them, and runs its start function.
    ///
    /// # Errors
    /// [`ErrorKind::Link`] where an import is missing or does not fit; [`ErrorKind::Trap`] where a segment does not fit or the start
    /// function trapped (what was written by then stays); [`ErrorKind::Limit`] and [`ErrorKind::System`].
    pub fn new(mut store: impl AsStoreMut, module: &Module, imports: &[Extern]) -> Result<Instance> {
        let mut store = store.as_store_mut();
        let ptr = instantiate::instantiate(&mut store, module, imports)?;
        Ok(Instance { store: store.id(), ptr })
    }

    fn get<'a>(&self, inner: &'a StoreInner) -> Result<&'a InstanceData> {
        inner.check(self.store)?;
        // SAFETY: just checked.
        Ok(unsafe { self.ptr.as_ref() })
    }

    /// Its module.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, as in all methods here that return a `Result`.
    pub fn module<'a>(&self, store: &'a impl AsStore) -> Result<&'a Module> {
        Ok(&self.get(store.as_store().inner())?.module)
    }

    /// The export of this name; `None` where there is none, or with another store.
    pub fn export(&self, mut store: impl AsStoreMut, name: &str) -> Option<Extern> {
        let mut store = store.as_store_mut();
        let index = self.get(store.inner()).ok()?.module.info().export(name)?.index;
        Some(self.item(store.inner(), index))
    }

    /// All exports, in order: name and object.
    ///
    /// # Errors
    /// As [`Instance::module`].
    pub fn exports(&self, mut store: impl AsStoreMut) -> Result<Vec<(String, Extern)>> {
        let mut store = store.as_store_mut();
        let module = self.get(store.inner())?.module.clone();
        let exports = module.info().exports.iter();
        Ok(exports.map(|export| (export.name.clone(), self.item(store.inner(), export.index))).collect())
    }

    /// The exported function of this name with this type.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is none, or its type is another.
    pub fn typed_func<P: WasmValues, R: WasmValues>(
        &self,
        mut store: impl AsStoreMut,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        let mut store = store.as_store_mut();
        store.inner().check(self.store)?;
        let func = self.export(&mut store, name).and_then(Extern::func);
        let func = func.ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("the instance exports no function \"{}\"", Escaped(name)))
        })?;
        func.typed(&store).map_err(|error| error.context(format_args!("\"{}\"", Escaped(name))))
    }

    /// An object of its index spaces.
    fn item(&self, inner: &mut StoreInner, index: EntityIndex) -> Extern {
        let store = inner.id;
        // SAFETY: the callers have checked the handle; nobody else has a reference to the inside now.
        let data = unsafe { &mut *self.ptr.as_ptr() };
        match index {
            EntityIndex::Func(index) => Extern::Func(Func { store, ptr: data.func_ref(index) }),
            EntityIndex::Table(index) => Extern::Table(Table { store, ptr: data.tables[index.index()] }),
            EntityIndex::Memory(index) => Extern::Memory(Memory { store, ptr: data.memories[index.index()] }),
            EntityIndex::Global(index) => {
                let ty = data.module.info().global(index);
                Extern::Global(Global { store, ptr: data.global(index), ty })
            }
        }
    }

    /// A function by its index, exported or not; `None` beyond them, or with another store.
    pub fn func(&self, mut store: impl AsStoreMut, index: FuncIndex) -> Option<Func> {
        let mut store = store.as_store_mut();
        self.get(store.inner()).ok()?.module.info().funcs.get(index.index())?;
        self.item(store.inner(), EntityIndex::Func(index)).func()
    }

    /// A global by its index; `None` as for [`Instance::func`].
    pub fn global(&self, store: impl AsStore, index: GlobalIndex) -> Option<Global> {
        let inner = store.as_store().inner();
        let data = self.get(inner).ok()?;
        let ty = *data.module.info().globals.get(index.index())?;
        Some(Global { store: inner.id, ptr: data.global(index), ty })
    }

    /// A memory by its index; `None` as for [`Instance::func`].
    pub fn memory(&self, store: impl AsStore, index: MemoryIndex) -> Option<Memory> {
        let inner = store.as_store().inner();
        let ptr = *self.get(inner).ok()?.memories.get(index.index())?;
        Some(Memory { store: inner.id, ptr })
    }

    /// A table by its index; `None` as for [`Instance::func`].
    pub fn table(&self, store: impl AsStore, index: TableIndex) -> Option<Table> {
        let inner = store.as_store().inner();
        let ptr = *self.get(inner).ok()?.tables.get(index.index())?;
        Some(Table { store: inner.id, ptr })
    }
}
