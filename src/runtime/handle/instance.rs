//! Instances in the host's hand.

use crate::abi::VMFuncRef;
use crate::base::{Error, ErrorKind, Escaped, FuncIndex, GlobalIndex, MemoryIndex, Result, TableIndex, TagIndex};
use crate::runtime::compiled::module::Module;
use crate::runtime::control::instantiate;
use crate::runtime::handle::func::TypedFunc;
use crate::runtime::handle::typed::WasmValues;
use crate::runtime::objects::handles::{Extern, Func, Global, Instance, InstanceId, Memory, Table, Tag};
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut, Caller};
use crate::wasm::EntityIndex;
use std::ptr::NonNull;

impl Instance {
    /// Instantiates a module with these imports, in the order the module asks for them, and runs its start function.
    ///
    /// # Errors
    /// [`ErrorKind::Link`] where an import is missing or does not fit; [`ErrorKind::Trap`] where a segment does not fit
    /// or the start function trapped (what was written by then stays); [`ErrorKind::Limit`] and [`ErrorKind::System`].
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

    /// What names it also when it has been collected.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, as in all methods here that return a `Result`.
    pub fn id(&self, store: &impl AsStore) -> Result<InstanceId> {
        Ok(InstanceId { store: self.store, number: self.get(store.as_store().inner())?.number })
    }

    /// Its module.
    ///
    /// # Errors
    /// As [`Instance::id`].
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
            EntityIndex::Tag(index) => Extern::Tag(Tag { store, ptr: data.tags[index.index()] }),
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

    /// An imported function by its index; `None` beyond them, or with another store.
    pub fn imported_func(&self, store: impl AsStore, index: FuncIndex) -> Option<Func> {
        let inner = store.as_store().inner();
        let data = self.get(inner).ok()?;
        if data.module.info().defined(index).is_some() || index.index() >= data.module.info().funcs.len() {
            return None;
        }
        let offset = data.module.layout().imported_func(index);
        // SAFETY: the layout's place for an import, which is there as long as the instance is.
        let ptr = unsafe { data.place::<NonNull<VMFuncRef>>(offset).read() };
        Some(Func { store: inner.id, ptr })
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

    /// A tag by its index; `None` as for [`Instance::func`].
    pub fn tag(&self, store: impl AsStore, index: TagIndex) -> Option<Tag> {
        let inner = store.as_store().inner();
        let ptr = *self.get(inner).ok()?.tags.get(index.index())?;
        Some(Tag { store: inner.id, ptr })
    }

    /// A table by its index; `None` as for [`Instance::func`].
    pub fn table(&self, store: impl AsStore, index: TableIndex) -> Option<Table> {
        let inner = store.as_store().inner();
        let ptr = *self.get(inner).ok()?.tables.get(index.index())?;
        Some(Table { store: inner.id, ptr })
    }
}

impl<'a> Caller<'a> {
    /// The calling instance's export of this name.
    pub fn export(&mut self, name: &str) -> Option<Extern> {
        self.instance()?.export(&mut self.store, name)
    }
}
