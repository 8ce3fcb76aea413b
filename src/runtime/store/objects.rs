//! Making memories and tables of a store, and growing them, within its limits; and what its objects are.

use crate::abi::{VMContext, VMMemory, VMTable, ValRaw};
use crate::base::{Error, ErrorKind, Result, TableIndex, TagIndex, TypeId};
use crate::runtime::objects::exceptions::TagData;
use crate::runtime::objects::handles::{Extern, Instance, InstanceId};
use crate::runtime::objects::instance::{InstanceData, Place};
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::owned::Owned;
use crate::runtime::objects::shared::SharedMemory;
use crate::runtime::objects::table::TableData;
use crate::runtime::store::inner::StoreInner;
use crate::sys::mapping::MemoryImage;
use crate::wasm::{ExternType, MemoryType, TableType};
use std::ptr::NonNull;
use std::sync::Arc;

impl StoreInner {
    /// Adds a memory to a store, that begins with an image if there is one.
    pub(in crate::runtime) fn add_memory(
        &mut self,
        ty: &MemoryType,
        image: Option<&Arc<MemoryImage>>,
        of: Option<Place<VMMemory>>,
    ) -> Result<NonNull<MemoryData>> {
        let wanted = ty.least_bytes();
        self.check_room(ty.limits.min, wanted)?;
        let untouched_at = self.vm.activation.is_null().then_some(self.runs);
        let memory = MemoryData::new(&self.engine, ty, image, of, untouched_at)?;
        self.usage.memory_bytes += wanted;
        let ptr = memory.ptr();
        self.memories.push(memory);
        Ok(ptr)
    }

    /// Refuses a memory of so many pages and bytes where it is beyond the store's limit.
    fn check_room(&self, pages: u64, bytes: u64) -> Result<()> {
        if bytes > self.limits.memory_bytes.saturating_sub(self.usage.memory_bytes) {
            let message = format!("a memory of {pages} pages is beyond the store's limit on memory");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }

    /// Adds a memory to a store that others may have too. What it has now counts for this store's limit, and what this
    /// store's guests and host make it grow by.
    pub(in crate::runtime) fn add_shared(
        &mut self,
        shared: SharedMemory,
        of: Option<Place<NonNull<VMMemory>>>,
    ) -> Result<NonNull<MemoryData>> {
        let memory = MemoryData::of_shared(shared, of);
        let ptr = memory.ptr();
        // SAFETY: it is new, and ours.
        let (pages, bytes) = unsafe { (ptr.as_ref().pages(), ptr.as_ref().counted) };
        self.check_room(pages, bytes)?;
        self.usage.memory_bytes += bytes;
        self.memories.push(memory);
        Ok(ptr)
    }

    /// Adds a memory that an instance defines, with the place where its compiled code looks; it begins with an image if
    /// there is one.
    pub(in crate::runtime) fn add_own_memory(
        &mut self,
        ty: &MemoryType,
        image: Option<&Arc<MemoryImage>>,
        (owner, place): Place<VMMemory>,
    ) -> Result<NonNull<MemoryData>> {
        match ty.shared {
            true => {
                self.check_room(ty.limits.min, ty.least_bytes())?;
                self.add_shared(SharedMemory::make(&self.engine, ty)?, Some((owner, place.cast())))
            }
            false => self.add_memory(ty, image, Some((owner, place))),
        }
    }

    /// Grows a memory within the store's limits; the old size in pages, or `None`.
    ///
    /// # Safety
    /// The memory is one of the store.
    pub(in crate::runtime) unsafe fn grow_memory(&mut self, memory: NonNull<MemoryData>, delta: u64) -> Option<u64> {
        let budget = self.limits.memory_bytes.saturating_sub(self.usage.memory_bytes);
        // SAFETY: the caller's promise; objects of a store live as long as it, apart from its inside.
        let memory = unsafe { &mut *memory.as_ptr() };
        let more = memory.bytes(delta)?;
        let old = memory.grow(&self.engine, delta, budget)?;
        memory.counted += more;
        self.usage.memory_bytes += more;
        Some(old)
    }

    /// Adds a table to a store, with nothing in it but what its image says; `of` is the instance it is a part of, with
    /// the place where its compiled code looks, and its index there.
    pub(in crate::runtime) fn add_table(
        &mut self,
        ty: &TableType,
        of: Option<(Place<VMTable>, TableIndex)>,
    ) -> Result<NonNull<TableData>> {
        let len = ty.limits.min;
        if len > self.limits.table_elements.saturating_sub(self.usage.table_elements) {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("a table of {len} elements is beyond the store's limit on table elements"),
            ));
        }
        let table = TableData::new(&self.engine, ty, of)?;
        self.usage.table_elements += len;
        let ptr = table.ptr();
        self.tables.push(table);
        Ok(ptr)
    }

    /// Grows a table within the store's limits; the old size, or `None`.
    ///
    /// # Safety
    /// The table is one of the store, and so is the reference.
    pub(in crate::runtime) unsafe fn grow_table(
        &mut self,
        table: NonNull<TableData>,
        delta: u64,
        init: ValRaw,
    ) -> Option<u64> {
        let budget = self.limits.table_elements.saturating_sub(self.usage.table_elements);
        // SAFETY: the caller's promise; objects of a store live as long as it, apart from its inside.
        let old = unsafe { (*table.as_ptr()).grow(&self.engine, delta, init, budget)? };
        self.usage.table_elements += delta;
        Some(old)
    }

    /// Adds a tag to a store; `of` is the instance that defines it, and its index there.
    pub(in crate::runtime) fn add_tag(
        &mut self,
        sig: TypeId,
        owner: Option<(NonNull<VMContext>, TagIndex)>,
    ) -> NonNull<TagData> {
        let values = self.engine.signature(sig).func().params.len();
        let tag = Owned::new(Box::new(TagData { sig, values, owner, marked: false }));
        let ptr = tag.ptr();
        self.tags.push(tag);
        ptr
    }

    /// What an object is, memories and tables with their current size.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it belongs to another store.
    pub(in crate::runtime) fn extern_type(&self, item: Extern) -> Result<ExternType> {
        self.check(item.store())?;
        // SAFETY: just checked.
        Ok(unsafe {
            match item {
                Extern::Func(func) => ExternType::Func(self.engine.signature(func.ptr.as_ref().sig).told()),
                Extern::Table(table) => ExternType::Table(table.ptr.as_ref().ty()),
                Extern::Memory(memory) => ExternType::Memory(memory.ptr.as_ref().ty()),
                Extern::Global(global) => ExternType::Global(global.ty),
                Extern::Tag(tag) => ExternType::Tag(self.engine.signature(tag.ptr.as_ref().sig).told()),
            }
        })
    }

    /// The instance of this name, if it is one of this store and has not been collected.
    pub(in crate::runtime) fn instance(&self, id: InstanceId) -> Option<Instance> {
        if id.store != self.id {
            return None;
        }
        // They stay in the order in which they were made.
        // SAFETY: all instances of a store are live.
        let number = |instance: &Owned<InstanceData>| unsafe { instance.ptr().as_ref() }.number;
        let at = self.instances.binary_search_by_key(&id.number, number).ok()?;
        Some(Instance::from_parts(id.store, self.instances[at].ptr()))
    }
}
