//! Memories in the host's hand.

use crate::base::{Error, ErrorKind, Result};
use crate::runtime::control::{announce, limiter};
use crate::runtime::objects::handles::Memory;
use crate::runtime::objects::limiter::Growth;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::shared::SharedMemory;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut};
use crate::wasm::MemoryType;

impl Memory {
    /// A memory of zeros. One that is shared can be had by other stores too: see [`Memory::shared`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for limits that contradict each other, [`ErrorKind::Limit`], [`ErrorKind::System`].
    pub fn new(mut store: impl AsStoreMut, ty: MemoryType) -> Result<Memory> {
        if ty.limits.max.is_some_and(|max| max < ty.limits.min) {
            return Err(Error::new(ErrorKind::Argument, "the memory's least size is above its largest"));
        }
        let mut store = store.as_store_mut();
        if ty.shared {
            let shared = SharedMemory::new(&store.inner().engine, ty)?;
            return Memory::from_shared(store, &shared);
        }
        // SAFETY: the store is in hand, and no reference to its inside is held.
        unsafe { limiter::check(store.ptr(), &Growth::new_memory(&ty)) }?;
        let inner = store.inner();
        let ptr = inner.add_memory(&ty, None, None).inspect_err(|_| inner.lacked_room = true)?;
        Ok(Memory { store: inner.id, ptr })
    }

    pub(in crate::runtime) fn get<'a>(&self, inner: &'a StoreInner) -> Result<&'a MemoryData> {
        inner.check(self.store)?;
        // SAFETY: just checked.
        Ok(unsafe { self.ptr.as_ref() })
    }

    /// Its type, with its current size as the least.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, as in all methods here.
    pub fn ty(&self, store: impl AsStore) -> Result<MemoryType> {
        Ok(self.get(store.as_store().inner())?.ty())
    }

    /// Its size in pages.
    ///
    /// # Errors
    /// As [`Memory::ty`].
    pub fn size(&self, store: impl AsStore) -> Result<u64> {
        Ok(self.get(store.as_store().inner())?.pages())
    }

    /// Grows it by `delta` pages; its old size.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] beyond its maximum, the store's limit, or what the system has, and where the store's
    /// limiter says no.
    pub fn grow(&self, mut store: impl AsStoreMut, delta: u64) -> Result<u64> {
        let mut store = store.as_store_mut();
        if let Some(growth) = Growth::of_memory(self.get(store.inner())?, delta) {
            // SAFETY: the store is in hand, and no reference to its inside is held.
            unsafe { limiter::check(store.ptr(), &growth) }?;
        }
        let inner = store.inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        let before = unsafe { inner.grow_memory(self.ptr, delta) }
            .ok_or_else(|| Error::new(ErrorKind::Limit, format!("the memory cannot grow by {delta} pages")))?;
        // SAFETY: the store is in hand, and no reference to its inside is held.
        unsafe { announce::grown(store.ptr(), self.ptr, before) }?;
        Ok(before)
    }

    /// How many bytes it has.
    ///
    /// # Errors
    /// As [`Memory::ty`].
    pub fn data_size(&self, store: impl AsStore) -> Result<usize> {
        Ok(self.get(store.as_store().inner())?.len())
    }

    /// Its bytes.
    ///
    /// # Errors
    /// As [`Memory::ty`]; [`ErrorKind::State`] for a shared memory, which other threads write.
    pub fn data<'a>(&self, store: &'a impl AsStore) -> Result<&'a [u8]> {
        let vm = self.get(store.as_store().inner()).and_then(alone)?.vm();
        // SAFETY: accessible, and nobody writes while the store is borrowed.
        Ok(unsafe { std::slice::from_raw_parts(vm.base, vm.len) })
    }

    /// Its bytes, to change.
    ///
    /// # Errors
    /// As [`Memory::data`].
    pub fn data_mut<'a>(&self, store: &'a mut impl AsStoreMut) -> Result<&'a mut [u8]> {
        let vm = self.get(store.as_store_mut().inner()).and_then(alone)?.vm();
        // SAFETY: accessible, and the store is borrowed for this alone.
        Ok(unsafe { std::slice::from_raw_parts_mut(vm.base, vm.len) })
    }

    /// The address of its first byte. Growing it may move it.
    ///
    /// # Errors
    /// As [`Memory::ty`].
    pub fn data_ptr(&self, store: impl AsStore) -> Result<*mut u8> {
        Ok(self.get(store.as_store().inner())?.vm().base)
    }

    /// Whether it never moves, however it grows.
    ///
    /// # Errors
    /// As [`Memory::ty`].
    pub fn is_fixed(&self, store: impl AsStore) -> Result<bool> {
        let memory = self.get(store.as_store().inner())?;
        // One that does not say how large it may become is not promised to stay.
        let has_room = || memory.ty().limits.max.is_some() && memory.most_bytes() <= memory.capacity as u64;
        Ok(!memory.movable || has_room())
    }

    /// Copies bytes out; of a shared memory not all at once.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] beyond its end, or with another store.
    pub fn read(&self, store: impl AsStore, offset: usize, to: &mut [u8]) -> Result<()> {
        if let Some(shared) = self.get(store.as_store().inner())?.shared() {
            return shared.read(offset, to);
        }
        let data = self.data(&store)?;
        let from = offset.checked_add(to.len()).and_then(|end| data.get(offset..end));
        to.copy_from_slice(from.ok_or_else(|| beyond(offset, to.len(), data.len()))?);
        Ok(())
    }

    /// Copies bytes in; into a shared memory not all at once.
    ///
    /// # Errors
    /// As [`Memory::read`].
    pub fn write(&self, mut store: impl AsStoreMut, offset: usize, from: &[u8]) -> Result<()> {
        if let Some(shared) = self.get(store.as_store_mut().inner())?.shared() {
            return shared.write(offset, from);
        }
        let data = self.data_mut(&mut store)?;
        let len = data.len();
        let to = offset.checked_add(from.len()).and_then(|end| data.get_mut(offset..end));
        to.ok_or_else(|| beyond(offset, from.len(), len))?.copy_from_slice(from);
        Ok(())
    }
}

/// The memory, if it is not shared.
fn alone(memory: &MemoryData) -> Result<&MemoryData> {
    match memory.shared() {
        None => Ok(memory),
        Some(_) => Err(Error::new(
            ErrorKind::State,
            "other threads may write the bytes of a shared memory; copy them out and in, or use its address",
        )),
    }
}

fn beyond(offset: usize, count: usize, len: usize) -> Error {
    Error::new(ErrorKind::Argument, format!("{count} bytes at {offset:#x} are beyond a memory of {len:#x} bytes"))
}
