//! Giving back what nobody can reach any more: marking from what the host holds, through instances, tables, globals and
//! external references, and sweeping the rest. Handles of this room are plain copies, so a store cannot know by itself
//! what its host holds: whoever asks for a collection says it. No guest runs meanwhile, so that no frame has to be
//! looked at.

use crate::abi::{EXTERN_OF_GUEST, FuncElement, HOST_FUNC, VMContext, VMException, VMFuncRef, VMGlobal, ValRaw};
use crate::base::Family;
use crate::base::{Error, ErrorKind, FuncIndex, GlobalIndex, Result};
use crate::runtime::objects::exceptions::{TagData, tag_of, values_of};
use crate::runtime::objects::externs::ExternSlot;
use crate::runtime::objects::global::HostGlobal;
use crate::runtime::objects::handles::{Extern, Instance, InstanceId, Root};
use crate::runtime::objects::heap::{Beyond, Marking};
use crate::runtime::objects::host::{HostHead, HostObject};
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::owned::Owned;
use crate::runtime::objects::roots::{Rooted, Roots};
use crate::runtime::objects::table::TableData;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut, Store, StoreMut, StoreRef};
use crate::wasm::ValType;
use once_cell::sync::OnceCell;
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

/// What a store has now, what nobody can reach included until it is collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreUsage {
    /// Instances, those whose instantiation failed included.
    pub instances: usize,
    /// Functions of the host.
    pub host_functions: usize,
    /// Memories, of instances and of the host.
    pub memories: usize,
    /// Tables, of instances and of the host.
    pub tables: usize,
    /// Globals of the host. Those of instances are a part of them.
    pub globals: usize,
    /// External references.
    pub externrefs: usize,
    /// Tags, of instances and of the host.
    pub tags: usize,
    /// Exceptions.
    pub exceptions: usize,
    /// Bytes of all memories.
    pub memory_bytes: u64,
    /// Elements of all tables.
    pub table_elements: u64,
    /// Bytes of what guests have made: of what the last collection has left, and of all that was made since, gaps
    /// between objects included.
    pub heap_bytes: u64,
}

impl StoreUsage {
    /// How many objects there are.
    pub fn objects(&self) -> usize {
        let of_instances = self.instances + self.memories + self.tables + self.globals + self.tags;
        of_instances + self.host_functions + self.externrefs + self.exceptions
    }
}

/// What a collection has taken out of a store. Host functions, external references and host data are dropped with this:
/// their destructors find a store that is whole.
#[must_use = "destructors of host functions and values run when this is dropped"]
pub struct Collected {
    objects: usize,
    _host: Vec<Owned<dyn HostObject>>,
    _values: Vec<ExternSlot>,
    _data: Vec<Box<dyn Any + Send>>,
}

impl Collected {
    /// How many objects were taken out.
    pub fn objects(&self) -> usize {
        self.objects
    }
}

impl std::fmt::Debug for Collected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collected").field("objects", &self.objects).finish_non_exhaustive()
    }
}

impl StoreRef<'_> {
    /// What the store has now.
    pub fn usage(self) -> StoreUsage {
        let inner = self.inner();
        StoreUsage {
            instances: inner.instances.len(),
            host_functions: inner.host.len(),
            memories: inner.memories.len(),
            tables: inner.tables.len(),
            globals: inner.globals.len(),
            externrefs: inner.externrefs.len(),
            tags: inner.tags.len(),
            exceptions: inner.exceptions.len(),
            memory_bytes: inner.usage.memory_bytes,
            table_elements: inner.usage.table_elements,
            heap_bytes: inner.heap.as_ref().map_or(0, |heap| heap.bytes()),
        }
    }
}

impl StoreMut<'_> {
    /// Gives back what cannot be reached from `roots`, or from what is rooted: see [`Store::collect`].
    ///
    /// # Safety
    /// As for [`Store::collect`]; and no host function of the store is running, as one that the host has called
    /// directly might.
    ///
    /// # Errors
    /// As there.
    pub unsafe fn collect(&mut self, roots: impl IntoIterator<Item = Root>) -> Result<Collected> {
        let inner = self.inner();
        if inner.has_frames() {
            return Err(Error::new(
                ErrorKind::State,
                "a Wasm function of this store is running: what cannot be reached is collected after it has returned",
            ));
        }
        inner.check_poison()?;
        let mut all: Vec<Root> = Vec::new();
        for root in roots {
            inner.check_root(root)?;
            all.push(root);
        }
        inner.roots.give_up_but(&all);
        all.extend(inner.roots.all());
        let mut heap = inner.heap.take();
        // A heap that turns out to be damaged does not come back.
        inner.poisoned = true;
        let marking = heap.as_deref_mut().map(|heap| heap.begin(&mut inner.vm.heap));
        // SAFETY: the roots are live by the caller's promise, and no guest runs.
        unsafe {
            let mut marker = Marker::new(inner);
            all.into_iter().for_each(|root| marker.root(root));
            marker.calls();
            let marked = marker.run(marking);
            inner.heap = heap;
            inner.poisoned = false;
            inner.modules.flip_marks();
            let collected = sweep(inner, marked);
            let usage = inner.view().usage();
            // Elements are quicker to look at than objects.
            let live = usage.objects() + usage.table_elements as usize / 8;
            inner.roots.collected(collected.objects, live, usage.memory_bytes);
            Ok(collected)
        }
    }

    /// Whether the last attempt to make an instance, a memory or a table failed for want of room, before anything of it
    /// could be seen: what cannot be reached may be in the way. Asking forgets it.
    pub fn lacked_room(&mut self) -> bool {
        std::mem::take(&mut self.inner().lacked_room)
    }

    /// Keeps `data` with an object until the object is collected or the store dropped; `None` ends that. What was there
    /// is returned.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for an object of another store, and for what a guest has made.
    pub fn set_host_data(
        &mut self,
        of: impl Into<Root>,
        data: Option<Box<dyn Any + Send>>,
    ) -> Result<Option<Box<dyn Any + Send>>> {
        let (inner, of) = (self.inner(), of.into());
        inner.check_root(of)?;
        if of.made_by_guest().is_some() {
            return Err(Error::new(ErrorKind::Argument, "what a guest has made carries no data of the host's"));
        }
        Ok(match data {
            Some(data) => inner.host_data.insert(of, data),
            None => inner.host_data.remove(&of),
        })
    }
}

impl StoreRef<'_> {
    /// The instance of this name, if it is one of this store and has not been collected.
    pub fn find_instance(&self, id: InstanceId) -> Option<Instance> {
        self.inner().instance(id)
    }

    /// What [`StoreMut::set_host_data`] has left with an object.
    pub fn host_data(&self, of: impl Into<Root>) -> Option<&(dyn Any + Send)> {
        Some(&**self.inner().host_data.get(&of.into())?)
    }
}

impl Store {
    /// Gives back what cannot be reached from `roots`, or from what is rooted ([`Store::root`]): instances with their
    /// memories, tables and globals, host functions, external references. An instance reaches what it imports and
    /// defines, and what its tables and globals hold; a function, memory, table or global reaches the instance that
    /// defines it. What a host function's closure has captured is not looked at. Modules stay registered.
    ///
    /// # Safety
    /// Handles of this store ([`Func`](crate::runtime::Func), [`TypedFunc`](crate::runtime::TypedFunc),
    /// [`Instance`](crate::runtime::Instance), [`Memory`](crate::runtime::Memory), ...), wherever they are (in
    /// closures, in a [`Linker`](crate::runtime::Linker)), are used afterwards only if they are among the roots,
    /// rooted, or can be reached from such. A linker's, if they were defined with the store in hand, are rooted.
    ///
    /// # Errors
    /// [`ErrorKind::State`] while a Wasm function of the store is running, [`ErrorKind::Poisoned`],
    /// [`ErrorKind::Argument`] for a root of another store. Then nothing is given back.
    pub unsafe fn collect(&mut self, roots: impl IntoIterator<Item = Root>) -> Result<Collected> {
        // SAFETY: the caller's promise; host functions run only while the store is borrowed.
        unsafe { self.as_store_mut().collect(roots) }
    }

    /// What it has now.
    pub fn usage(&self) -> StoreUsage {
        self.as_store().usage()
    }
}

/// The instance that a function belongs to, or what stands behind it if it is the host's.
///
/// # Safety
/// It is live.
unsafe fn owner_of_func(func: NonNull<VMFuncRef>) -> std::result::Result<NonNull<InstanceData>, NonNull<HostHead>> {
    // SAFETY: the vmctx of a host function is its own head, that of a guest's its instance's structure.
    unsafe {
        let func = func.as_ref();
        if func.func == HOST_FUNC {
            return Err(NonNull::new_unchecked(func.vmctx.cast()));
        }
        Ok(NonNull::new_unchecked((*func.vmctx.cast::<VMContext>()).instance.cast()))
    }
}

/// Something that is marked, and whose references are not looked at yet.
enum Work {
    Instance(NonNull<InstanceData>),
    Table(NonNull<TableData>),
    Exception(NonNull<VMException>),
    Root(Root),
}

/// What marking has found, beside the marks on the objects.
struct Marked {
    /// Which external references are marked.
    externs: Vec<bool>,
    /// Which exceptions.
    exceptions: Vec<bool>,
    /// The objects with host data that are not marked.
    data: Vec<Root>,
}

/// Marks what can be reached.
struct Marker<'a> {
    store: &'a StoreInner,
    work: Vec<Work>,
    /// Which external references are marked.
    externs: Vec<bool>,
    /// Which exceptions.
    exceptions: Vec<bool>,
    /// References to what guests have made, which are still to be marked.
    made: Vec<u32>,
    /// The instances' structures by their addresses; made when the owner of a global is first asked for.
    blocks: OnceCell<Vec<(usize, NonNull<InstanceData>)>>,
}

impl<'a> Marker<'a> {
    fn new(store: &'a StoreInner) -> Self {
        let externs = vec![false; store.externrefs.slots()];
        let exceptions = vec![false; store.exceptions.len()];
        Marker { store, work: Vec::new(), externs, exceptions, made: Vec::new(), blocks: OnceCell::new() }
    }

    /// Looks at what is marked until nothing is left.
    ///
    /// # Safety
    /// All objects that were marked are live, and no reference to their inside is held.
    unsafe fn run(mut self, mut marking: Option<Marking<'_>>) -> Marked {
        // SAFETY: what a live object refers to is live, and so is what carries host data.
        unsafe {
            loop {
                while let Some(work) = self.work.pop() {
                    match work {
                        Work::Instance(instance) => self.scan_instance(instance),
                        Work::Table(table) => self.scan_table(table),
                        Work::Exception(exception) => self.scan_exception(exception),
                        Work::Root(root) => self.root(root),
                    }
                }
                // What guests have made may refer to anything, and anything to it.
                let Some(marking) = marking.as_mut().filter(|_| !self.made.is_empty()) else { break };
                for word in std::mem::take(&mut self.made) {
                    marking.any(word, &mut self);
                }
                marking.follow(&mut self);
            }
            if let Some(marking) = marking {
                marking.end();
            }
            let data = self.store.host_data.keys().filter(|of| !self.is_marked(of)).copied().collect();
            Marked { externs: self.externs, exceptions: self.exceptions, data }
        }
    }

    /// # Safety
    /// As for all methods below: the object is live, and no reference to its inside is held.
    unsafe fn root(&mut self, root: Root) {
        // SAFETY: the caller's promise.
        unsafe {
            match root {
                Root::Extern(Extern::Func(func)) => self.func(func.ptr),
                Root::Extern(Extern::Table(table)) => self.table(table.ptr),
                Root::Extern(Extern::Memory(memory)) => self.memory(memory.ptr),
                Root::Extern(Extern::Global(global)) => self.global(global.ptr),
                Root::Extern(Extern::Tag(tag)) => self.tag(tag.ptr),
                Root::ExnRef(exception) => self.exception(exception.ptr),
                Root::Instance(instance) => self.instance(instance.data()),
                Root::AnyRef(value) => self.made.push(value.to_word()),
                Root::ExternRef(value) if value.of_guest.is_some() => self.made.push(value.number()),
                Root::ExternRef(value) => self.externref(value.number()),
            }
        }
    }

    /// What calls on stacks of their own hold that have not begun, or are done. Others keep anybody from collecting.
    unsafe fn calls(&mut self) {
        let store = self.store;
        for call in store.calls.all() {
            // SAFETY: the caller's promise. The store owns its calls, whose values are of their types.
            unsafe {
                let call = call.as_ref();
                self.func(call.func);
                call.held.iter().for_each(|(ty, value)| self.value(*value, *ty));
            }
        }
    }

    unsafe fn instance(&mut self, instance: NonNull<InstanceData>) {
        // SAFETY: the caller's promise.
        let marked = unsafe { &mut (*instance.as_ptr()).marked };
        if !std::mem::replace(marked, true) {
            self.work.push(Work::Instance(instance));
        }
    }

    unsafe fn func(&mut self, func: NonNull<VMFuncRef>) {
        // SAFETY: the caller's promise.
        unsafe {
            match owner_of_func(func) {
                Ok(instance) => self.instance(instance),
                Err(host) => (*host.as_ptr()).marked = true,
            }
        }
    }

    unsafe fn memory(&mut self, memory: NonNull<MemoryData>) {
        // SAFETY: the caller's promise.
        unsafe {
            (*memory.as_ptr()).marked = true;
            if let Some(owner) = (*memory.as_ptr()).owner {
                self.instance(owner);
            }
        }
    }

    unsafe fn table(&mut self, table: NonNull<TableData>) {
        // SAFETY: the caller's promise.
        unsafe {
            if !std::mem::replace(&mut (*table.as_ptr()).marked, true) {
                self.work.push(Work::Table(table));
                if let Some(owner) = (*table.as_ptr()).owner {
                    self.instance(owner.instance);
                }
            }
        }
    }

    unsafe fn tag(&mut self, tag: NonNull<TagData>) {
        // SAFETY: the caller's promise.
        unsafe {
            (*tag.as_ptr()).marked = true;
            if let Some((owner, _)) = (*tag.as_ptr()).owner {
                self.instance(NonNull::new_unchecked(owner.as_ref().instance.cast()));
            }
        }
    }

    unsafe fn exception(&mut self, exception: NonNull<VMException>) {
        // SAFETY: the caller's promise.
        let marked = &mut self.exceptions[unsafe { exception.as_ref() }.place as usize];
        if !std::mem::replace(marked, true) {
            self.work.push(Work::Exception(exception));
        }
    }

    /// What an exception refers to.
    unsafe fn scan_exception(&mut self, exception: NonNull<VMException>) {
        // SAFETY: the caller's promise: it has values of its tag's types.
        unsafe {
            let tag = tag_of(exception);
            self.tag(tag);
            let store = self.store;
            for (i, ty) in store.engine.signature(tag.as_ref().sig).func().params.iter().enumerate() {
                self.value(*values_of(exception).add(i), *ty);
            }
        }
    }

    /// A global known by its address.
    unsafe fn global(&mut self, global: NonNull<VMGlobal>) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.owner_of(global) {
                Ok(instance) => self.instance(instance),
                Err(global) => {
                    if !std::mem::replace(&mut (*global.as_ptr()).marked, true) {
                        self.value((*global.as_ptr()).vm.value, (*global.as_ptr()).ty.content);
                    }
                }
            }
        }
    }

    /// The instance that a global is a part of, or that it is the host's.
    unsafe fn owner_of(
        &self,
        global: NonNull<VMGlobal>,
    ) -> std::result::Result<NonNull<InstanceData>, NonNull<HostGlobal>> {
        let blocks = self.blocks.get_or_init(|| {
            let instances = self.store.instances.iter().map(Owned::ptr);
            // SAFETY: all instances of a store are live.
            let mut blocks: Vec<_> =
                instances.map(|instance| (unsafe { instance.as_ref() }.vmctx().as_ptr() as usize, instance)).collect();
            blocks.sort_unstable();
            blocks
        });
        let address = global.as_ptr() as usize;
        let before = blocks.partition_point(|(start, _)| *start <= address);
        match before.checked_sub(1).map(|index| blocks[index]) {
            // SAFETY: as above.
            Some((start, instance)) if address - start < unsafe { instance.as_ref() }.block_size() => Ok(instance),
            // A live global that is no part of an instance is the host's.
            _ => Err(global.cast()),
        }
    }

    /// Whether what carries host data is marked.
    unsafe fn is_marked(&self, of: &Root) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            match of {
                Root::Instance(instance) => instance.data().as_ref().marked,
                // It carries no data.
                Root::AnyRef(_) => true,
                Root::ExternRef(value) if value.of_guest.is_some() => true,
                Root::ExternRef(value) => self.externs.get(value.number() as usize) == Some(&true),
                Root::ExnRef(exception) => self.exceptions[exception.ptr.as_ref().place as usize],
                Root::Extern(Extern::Tag(tag)) => tag.ptr.as_ref().marked,
                Root::Extern(Extern::Memory(memory)) => memory.ptr.as_ref().marked,
                Root::Extern(Extern::Table(table)) => table.ptr.as_ref().marked,
                Root::Extern(Extern::Func(func)) => match owner_of_func(func.ptr) {
                    Ok(instance) => instance.as_ref().marked,
                    Err(host) => host.as_ref().marked,
                },
                Root::Extern(Extern::Global(global)) => match self.owner_of(global.ptr) {
                    Ok(instance) => instance.as_ref().marked,
                    Err(host) => host.as_ref().marked,
                },
            }
        }
    }

    unsafe fn value(&mut self, value: ValRaw, ty: ValType) {
        // SAFETY: the field read is the one of the type.
        unsafe {
            match ty {
                ValType::Ref(ty) => match ty.heap.family() {
                    Family::Func => {
                        if let Some(func) = NonNull::new(value.funcref) {
                            self.func(func);
                        }
                    }
                    Family::Extern => self.extern_word(value.externref),
                    Family::Exn => {
                        if let Some(exception) = NonNull::new(value.exnref) {
                            self.exception(exception);
                        }
                    }
                    Family::Any => self.made.push(value.anyref),
                },
                ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128 => {}
            }
        }
    }

    /// An external reference as compiled code has it.
    fn extern_word(&mut self, word: u64) {
        if word & EXTERN_OF_GUEST != 0 {
            self.made.push(word as u32);
        } else if let Some(index) = word.checked_sub(1) {
            self.externref(index as u32);
        }
    }

    fn externref(&mut self, index: u32) {
        let marked = &mut self.externs[index as usize];
        if !std::mem::replace(marked, true)
            && let Some(root) = self.store.externrefs.get(index).and_then(|slot| slot.holds)
        {
            self.work.push(Work::Root(root));
        }
    }

    /// What an instance refers to. Element segments that make nothing refer to its functions and globals only.
    unsafe fn scan_instance(&mut self, instance: NonNull<InstanceData>) {
        // SAFETY: the caller's promise: marking writes to other fields than those that are read here, through raw
        // pointers. Imports are in place before an instance is its store's.
        unsafe {
            let module = (*instance.as_ptr()).module.clone();
            let info = module.info();
            let layout = module.layout();
            for index in 0..info.imported_funcs {
                let place =
                    (*instance.as_ptr()).place::<NonNull<VMFuncRef>>(layout.imported_func(FuncIndex::new(index)));
                self.func(*place.as_ref());
            }
            for index in 0..(*instance.as_ptr()).memories.len() {
                let memory = (&(*instance.as_ptr()).memories)[index];
                self.memory(memory);
            }
            for index in 0..(*instance.as_ptr()).tables.len() {
                let table = (&(*instance.as_ptr()).tables)[index];
                self.table(table);
            }
            for index in 0..(*instance.as_ptr()).tags.len() {
                let tag = (&(*instance.as_ptr()).tags)[index];
                self.tag(tag);
            }
            for (segment, items) in info.elements.iter().zip(&(*instance.as_ptr()).items) {
                for item in items.iter().flatten() {
                    self.value(*item, ValType::Ref(segment.element));
                }
            }
            for (index, ty) in info.globals.iter().enumerate() {
                let place = (*instance.as_ptr()).global(GlobalIndex::from_usize(index));
                if index < info.imported_globals as usize {
                    self.global(place);
                } else {
                    self.value(place.as_ref().value, ty.content);
                }
            }
        }
    }

    /// What a table refers to. What it has from its image are functions of its instance, which is marked with it, and
    /// those that that imports.
    unsafe fn scan_table(&mut self, table: NonNull<TableData>) {
        // SAFETY: the caller's promise: marking writes to no table's elements.
        unsafe {
            if !table.as_ref().is_written() {
                return;
            }
            let elements = &raw const (*table.as_ptr()).elements;
            let heap = (*table.as_ptr()).element.heap;
            for element in (0..(*elements).len()).filter_map(|index| (*elements).get(index)) {
                match heap.family() {
                    Family::Func => {
                        if let FuncElement::Func(func) = element.func() {
                            self.func(func);
                        }
                    }
                    Family::Extern => self.extern_word(element.external()),
                    Family::Exn => {
                        if let Some(exception) = NonNull::new(element.external() as *mut VMException) {
                            self.exception(exception);
                        }
                    }
                    Family::Any => self.made.push(element.any()),
                }
            }
        }
    }
}

impl Beyond for Marker<'_> {
    fn func(&mut self, func: NonNull<VMFuncRef>) {
        // SAFETY: what an object of the heap refers to is live, as it was when the collection began.
        unsafe { Marker::func(self, func) }
    }

    fn external(&mut self, index: u32) {
        self.externref(index);
    }

    fn exception(&mut self, exception: NonNull<VMException>) {
        // SAFETY: as above.
        unsafe { Marker::exception(self, exception) }
    }
}

impl StoreInner {
    /// Calls `see` with all values that may be references to what guests have made and that the objects of the store
    /// hold, and its host: whether or not anybody reaches those.
    ///
    /// # Safety
    /// No reference to the inside of an object is held.
    pub(in crate::runtime) unsafe fn held_references(&self, see: &mut dyn FnMut(ValType, ValRaw)) {
        let collected =
            |ty: ValType| matches!(ty, ValType::Ref(ty) if matches!(ty.heap.family(), Family::Any | Family::Extern));
        let raw_of = |word: u32| {
            let mut raw = ValRaw::default();
            raw.anyref = word;
            raw
        };
        self.roots.made_by_guests(|word| see(ValType::ANYREF, raw_of(word)));
        self.held_by_calls(&mut |ty, value| see(ty, value));
        for slot in self.externrefs.slots.iter().flatten() {
            if let Some(made) = slot.holds.and_then(|root| root.made_by_guest()) {
                see(ValType::ANYREF, raw_of(made.to_word()));
            }
        }
        // SAFETY: all objects of a store are live; the caller's promise. Values are of their types.
        unsafe {
            for instance in &self.instances {
                let data = instance.ptr().as_ref();
                let module = data.module.clone();
                let info = module.info();
                let own = info.globals.iter().enumerate().skip(info.imported_globals as usize);
                for (index, ty) in own.filter(|(_, ty)| collected(ty.content)) {
                    see(ty.content, data.global(GlobalIndex::from_usize(index)).as_ref().value);
                }
                for (segment, items) in info.elements.iter().zip(&data.items) {
                    let ty = ValType::Ref(segment.element);
                    items.iter().flatten().filter(|_| collected(ty)).for_each(|item| see(ty, *item));
                }
            }
            for global in &self.globals {
                let global = global.ptr().as_ref();
                if collected(global.ty.content) {
                    see(global.ty.content, global.vm.value);
                }
            }
            for table in self.tables.iter().map(|table| table.ptr().as_ref()) {
                let ty = ValType::Ref(table.element);
                if collected(ty) && table.is_written() {
                    (0..table.elements.len())
                        .filter_map(|index| table.get(index as u64))
                        .for_each(|item| see(ty, item));
                }
            }
            for exception in self.exceptions.all() {
                let signature = self.engine.signature(tag_of(exception).as_ref().sig);
                for (index, ty) in signature.func().params.iter().enumerate().filter(|(_, ty)| collected(**ty)) {
                    see(*ty, *values_of(exception).add(index));
                }
            }
        }
    }
}

/// Takes what is not marked out of the store, and the marks off the rest.
///
/// # Safety
/// What can be reached is marked, and nothing else of the store is used any more.
unsafe fn sweep(inner: &mut StoreInner, Marked { externs, exceptions, data }: Marked) -> Collected {
    let before = inner.view().usage().objects();
    let data = data.iter().filter_map(|of| inner.host_data.remove(of)).collect();
    // SAFETY: all objects are live until they are taken out here, and nobody has a reference to their inside.
    unsafe {
        for memory in &inner.memories {
            let memory = memory.ptr().as_ptr();
            if !(*memory).marked {
                inner.usage.memory_bytes -= (*memory).counted;
                (*memory).recycle(&inner.engine, inner.runs);
            }
        }
        for table in &inner.tables {
            let table = table.ptr().as_ptr();
            if !(*table).marked {
                inner.usage.table_elements -= (*table).elements.len() as u64;
                (*table).recycle();
            }
        }
        inner.exceptions.sweep(&exceptions);
        inner.tags.retain(|tag| std::mem::take(&mut (*tag.ptr().as_ptr()).marked));
        inner.memories.retain(|memory| std::mem::take(&mut (*memory.ptr().as_ptr()).marked));
        inner.tables.retain(|table| std::mem::take(&mut (*table.ptr().as_ptr()).marked));
        inner.instances.retain(|instance| std::mem::take(&mut (*instance.ptr().as_ptr()).marked));
        inner.globals.retain(|global| std::mem::take(&mut (*global.ptr().as_ptr()).marked));
        let gone =
            |host: &mut Owned<dyn HostObject>| !std::mem::take(&mut (*host.ptr().as_ptr().cast::<HostHead>()).marked);
        let host = inner.host.extract_if(.., gone).collect();
        let values = inner.externrefs.sweep(&externs);
        inner.memories.shrink_to_fit();
        inner.tables.shrink_to_fit();
        inner.instances.shrink_to_fit();
        inner.globals.shrink_to_fit();
        inner.host.shrink_to_fit();
        let objects = before - inner.view().usage().objects();
        Collected { objects, _host: host, _values: values, _data: data }
    }
}

impl StoreRef<'_> {
    /// What the host of the store holds.
    pub fn roots(&self) -> &Arc<Roots> {
        &self.inner().roots
    }

    /// Keeps an object from being collected.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for an object of another store.
    pub fn root(&self, item: impl Into<Root>) -> Result<Rooted> {
        let (inner, item) = (self.inner(), item.into());
        inner.check_root(item)?;
        Ok(inner.roots.hold(item))
    }
}

impl StoreMut<'_> {
    /// See [`StoreRef::root`].
    ///
    /// # Errors
    /// As there.
    pub fn root(&self, item: impl Into<Root>) -> Result<Rooted> {
        self.as_store().root(item)
    }
}

impl Store {
    /// Keeps an object from being collected.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for an object of another store.
    pub fn root(&self, item: impl Into<Root>) -> Result<Rooted> {
        self.as_store().root(item)
    }
}
