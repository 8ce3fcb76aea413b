//! Shared memories in the host's hand, apart from any store and in one.

use crate::base::{Error, ErrorKind, MemoryIndex, Result};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::control::limiter;
use crate::runtime::objects::handles::{Instance, Memory};
use crate::runtime::objects::limiter::Growth;
use crate::runtime::objects::shared::SharedMemory;
use crate::runtime::store::views::{AsStore, AsStoreMut};
use crate::wasm::{EntityType, Import, MemoryType};

impl SharedMemory {
    /// A shared memory of zeros, for stores of this engine. It counts for the limit of each store that
    /// [has](Memory::from_shared) it. All the address space that it may ever need is reserved now.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a type that is not shared, has no largest size, or contradicts itself;
    /// [`ErrorKind::Limit`], [`ErrorKind::System`].
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<SharedMemory> {
        let wrong = match (ty.shared, ty.limits.max) {
            (false, _) => Some("the type of a shared memory must be shared"),
            (_, None) => Some("a shared memory must have a largest size"),
            (_, Some(max)) if max < ty.limits.min => Some("the memory's least size is above its largest"),
            _ => None,
        };
        match wrong {
            Some(wrong) => Err(Error::new(ErrorKind::Argument, wrong)),
            None => SharedMemory::make(engine, &ty),
        }
    }

    /// Grows it by `delta` pages; its old size. Guests of all stores that have it see it at once. No store's limit is
    /// asked.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] beyond its maximum, or what the system has.
    pub fn grow(&self, delta: u64) -> Result<u64> {
        let grown = self.grow_within(delta, u64::MAX);
        grown.ok_or_else(|| Error::new(ErrorKind::Limit, format!("the memory cannot grow by {delta} pages")))
    }

    /// Wakes up to `most` guests that wait at an offset; how many they were.
    pub fn notify(&self, offset: usize, most: u32) -> u32 {
        self.waiting().wake(offset, most)
    }
}

impl Instance {
    /// The memories that it imports, by the two halves of their names; without the memory where that is not shared.
    ///
    /// # Errors
    /// As [`Instance::module`].
    pub(crate) fn imported_memories(&self, store: impl AsStore) -> Result<Vec<(String, String, Option<SharedMemory>)>> {
        let info = self.module(&store)?.info();
        let memories = info.imports.iter().filter(|import| matches!(import.ty, EntityType::Memory(_)));
        let named = |(index, import): (usize, &Import)| {
            let memory = self.memory(&store, MemoryIndex::from_usize(index));
            let shared = memory.map(|memory| memory.shared(&store)).transpose()?.flatten();
            Ok((import.module.clone(), import.name.clone(), shared))
        };
        memories.enumerate().map(named).collect()
    }
}

impl Memory {
    /// A shared memory as one of a store: to be imported, or for whatever a memory is good for. A store may have one
    /// several times.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it was made for another engine; [`ErrorKind::Limit`] where it has more bytes now
    /// than the store may still have.
    pub fn from_shared(mut store: impl AsStoreMut, shared: &SharedMemory) -> Result<Memory> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        if !Engine::same(&inner.engine, shared.engine()) {
            return Err(Error::new(ErrorKind::Argument, "the shared memory was made for another engine"));
        }
        // SAFETY: the store is in hand, and no reference to its inside is held.
        unsafe { limiter::check(store.ptr(), &Growth::new_memory(&shared.ty())) }?;
        let inner = store.inner();
        let ptr = inner.add_shared(shared.clone(), None).inspect_err(|_| inner.lacked_room = true)?;
        Ok(Memory { store: inner.id, ptr })
    }

    /// The memory apart from its store, for other stores and threads, if it is shared.
    ///
    /// # Errors
    /// As [`Memory::ty`].
    pub fn shared(&self, store: impl AsStore) -> Result<Option<SharedMemory>> {
        Ok(self.get(store.as_store().inner())?.shared().cloned())
    }
}
