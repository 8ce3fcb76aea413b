//! Linear memories: reserved address space, of which a prefix is accessible, or a mapping that moves as it grows.

use super::config::Config;
use super::engine::Engine;
use super::instance::{InstanceData, Place};
use super::store::{AsStore, AsStoreMut, Owned, StoreId, StoreInner};
use crate::abi::VMMemory;
use crate::base::{Error, ErrorKind, Result};
use crate::sys::pages::Reservation;
use crate::wasm::{Limits, MAX_PAGES, MemoryType, PAGE_BYTES};
use std::ptr::NonNull;

/// The inside of a memory.
pub(super) struct MemoryData {
    /// What compiled code sees: in its instance, or `own`.
    vm: NonNull<VMMemory>,
    own: VMMemory,
    max: Option<u64>,
    mapping: Reservation,
    /// Bytes of the mapping that the memory may fill; behind them is the guard.
    capacity: usize,
    /// Whether it may move when it grows beyond its capacity.
    movable: bool,
    /// The instance it is a part of.
    pub(super) owner: Option<NonNull<InstanceData>>,
    /// Set during a collection, if it can be reached.
    pub(super) marked: bool,
}

/// Bytes reserved behind a memory that may move, so that growing little by little does not move it each time.
const SPARE: usize = 1 << 20;

impl MemoryData {
    /// A memory of zeros; `of` is the instance it is a part of, with the place where its compiled code looks.
    fn new(engine: &Engine, ty: &MemoryType, of: Option<Place<VMMemory>>) -> Result<Owned<MemoryData>> {
        let config = engine.config();
        let len = bytes(ty.limits.min).ok_or_else(|| too_large(ty.limits.min))?;
        let most = bytes(ty.limits.max.unwrap_or(MAX_PAGES).min(MAX_PAGES)).unwrap_or(usize::MAX);
        let movable = !config.fixed_memories();
        let reserved = config.memory_reservation as usize;
        let capacity = if movable { reserved.min(most).max(len) } else { reserved };
        let mapping = match movable {
            true => map(capacity, config.memory_guard as usize, len)?,
            // Code that checks no bounds can use no other memory.
            false => engine.pool().take(capacity.saturating_add(config.memory_guard as usize), len).map_err(|error| {
                error.context(
                    "a memory of its full address space (an engine with a smaller `memory_reservation`, or one made after the \
                     process's address space was limited, needs less)",
                )
            })?,
        };
        let own = VMMemory { base: mapping.base(), len };
        let memory = Owned::new(Box::new(MemoryData {
            vm: NonNull::dangling(),
            own,
            max: ty.limits.max,
            mapping,
            capacity,
            movable,
            owner: of.map(|(owner, _)| owner),
            marked: false,
        }));
        let at = memory.ptr().as_ptr();
        // SAFETY: the object is new and ours; a given place is the instance's own, and writable.
        unsafe {
            (*at).vm = of.map(|(_, vm)| vm).unwrap_or(NonNull::new_unchecked(&raw mut (*at).own));
            (*at).vm.as_ptr().write(own);
        }
        Ok(memory)
    }

    /// Its length and first byte.
    pub(super) fn vm(&self) -> VMMemory {
        // SAFETY: the place lives as long as the store, as this does.
        unsafe { *self.vm.as_ptr() }
    }

    /// Gives its mapping to the engine's next memory. It is being dropped.
    pub(super) fn recycle(&mut self, engine: &Engine) {
        if let (false, Ok(empty)) = (self.movable, Reservation::new(0)) {
            let len = self.vm().len;
            engine.pool().give(std::mem::replace(&mut self.mapping, empty), len);
        }
    }

    /// What compiled code looks at.
    pub(super) fn vm_ptr(&self) -> NonNull<VMMemory> {
        self.vm
    }

    pub(super) fn pages(&self) -> u64 {
        self.vm().len as u64 / PAGE_BYTES
    }

    pub(super) fn ty(&self) -> MemoryType {
        MemoryType { limits: Limits { min: self.pages(), max: self.max } }
    }

    /// Grows by `delta` pages within `budget` more bytes; the old size in pages, or `None`.
    fn grow(&mut self, config: &Config, delta: u64, budget: u64) -> Option<u64> {
        let old = self.vm();
        let pages = old.len as u64 / PAGE_BYTES;
        let new = pages.checked_add(delta)?;
        if new > self.max.unwrap_or(MAX_PAGES).min(MAX_PAGES) || delta.checked_mul(PAGE_BYTES)? > budget {
            return None;
        }
        let len = bytes(new)?;
        if len <= self.capacity {
            self.mapping.make_accessible(old.len..len).ok()?;
        } else {
            if !self.movable {
                return None;
            }
            let capacity = len + len / 8 + SPARE;
            let mapping = map(capacity, config.memory_guard as usize, len).ok()?;
            // SAFETY: both are accessible up to the old length, and they are different mappings.
            unsafe { std::ptr::copy_nonoverlapping(old.base, mapping.base(), old.len) };
            self.mapping = mapping;
            self.capacity = capacity;
        }
        // SAFETY: the place lives as long as the store; the guest that reads it is not running.
        unsafe { self.vm.as_ptr().write(VMMemory { base: self.mapping.base(), len }) };
        Some(pages)
    }
}

/// Reserves `capacity` bytes and a guard, the first `len` accessible.
fn map(capacity: usize, guard: usize, len: usize) -> Result<Reservation> {
    let mut mapping = Reservation::new(capacity.saturating_add(guard))?;
    mapping.make_accessible(0..len)?;
    Ok(mapping)
}

fn bytes(pages: u64) -> Option<usize> {
    if pages > MAX_PAGES { None } else { Some((pages * PAGE_BYTES) as usize) }
}

fn too_large(pages: u64) -> Error {
    Error::new(ErrorKind::Limit, format!("a memory of {pages} pages is larger than the {MAX_PAGES} that are possible"))
}

/// Adds a memory to a store.
pub(super) fn add(store: &mut StoreInner, ty: &MemoryType, of: Option<Place<VMMemory>>) -> Result<NonNull<MemoryData>> {
    let wanted = ty.limits.min.saturating_mul(PAGE_BYTES);
    if wanted > store.limits.memory_bytes.saturating_sub(store.usage.memory_bytes) {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("a memory of {} pages is beyond the store's limit on memory", ty.limits.min),
        ));
    }
    let memory = MemoryData::new(&store.engine, ty, of)?;
    store.usage.memory_bytes += wanted;
    let ptr = memory.ptr();
    store.memories.push(memory);
    Ok(ptr)
}

/// Grows a memory within the store's limits; the old size in pages, or `None`.
///
/// # Safety
/// The memory is one of the store.
pub(super) unsafe fn grow(store: &mut StoreInner, memory: NonNull<MemoryData>, delta: u64) -> Option<u64> {
    let budget = store.limits.memory_bytes.saturating_sub(store.usage.memory_bytes);
    // SAFETY: the caller's promise; objects of a store live as long as it, apart from its inside.
    let old = unsafe { (*memory.as_ptr()).grow(store.engine.config(), delta, budget)? };
    store.usage.memory_bytes += delta * PAGE_BYTES;
    Some(old)
}

/// A memory of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    pub(super) store: StoreId,
    pub(super) ptr: NonNull<MemoryData>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// A memory of zeros.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for limits that contradict each other, [`ErrorKind::Limit`], [`ErrorKind::System`].
    pub fn new(mut store: impl AsStoreMut, ty: MemoryType) -> Result<Memory> {
        if ty.limits.max.is_some_and(|max| max < ty.limits.min) {
            return Err(Error::new(ErrorKind::Argument, "the memory's least size is above its largest"));
        }
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let ptr = add(inner, &ty, None).inspect_err(|_| inner.lacked_room = true)?;
        Ok(Memory { store: inner.id, ptr })
    }

    fn get<'a>(&self, inner: &'a StoreInner) -> Result<&'a MemoryData> {
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
    /// [`ErrorKind::Limit`] beyond its maximum, the store's limit, or what the system has.
    pub fn grow(&self, mut store: impl AsStoreMut, delta: u64) -> Result<u64> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        unsafe { grow(inner, self.ptr, delta) }
            .ok_or_else(|| Error::new(ErrorKind::Limit, format!("the memory cannot grow by {delta} pages")))
    }

    /// Its bytes.
    ///
    /// # Errors
    /// As [`Memory::ty`].
    pub fn data<'a>(&self, store: &'a impl AsStore) -> Result<&'a [u8]> {
        let vm = self.get(store.as_store().inner())?.vm();
        // SAFETY: accessible, and nobody writes while the store is borrowed.
        Ok(unsafe { std::slice::from_raw_parts(vm.base, vm.len) })
    }

    /// Its bytes, to change.
    ///
    /// # Errors
    /// As [`Memory::ty`].
    pub fn data_mut<'a>(&self, store: &'a mut impl AsStoreMut) -> Result<&'a mut [u8]> {
        let vm = self.get(store.as_store_mut().inner())?.vm();
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
        Ok(!memory.movable || memory.max.and_then(bytes).is_some_and(|most| most <= memory.capacity))
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] beyond its end, or with another store.
    pub fn read(&self, store: impl AsStore, offset: usize, to: &mut [u8]) -> Result<()> {
        let data = self.data(&store)?;
        let from = offset.checked_add(to.len()).and_then(|end| data.get(offset..end));
        to.copy_from_slice(from.ok_or_else(|| beyond(offset, to.len(), data.len()))?);
        Ok(())
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// As [`Memory::read`].
    pub fn write(&self, mut store: impl AsStoreMut, offset: usize, from: &[u8]) -> Result<()> {
        let data = self.data_mut(&mut store)?;
        let len = data.len();
        let to = offset.checked_add(from.len()).and_then(|end| data.get_mut(offset..end));
        to.ok_or_else(|| beyond(offset, from.len(), len))?.copy_from_slice(from);
        Ok(())
    }
}

fn beyond(offset: usize, count: usize, len: usize) -> Error {
    Error::new(ErrorKind::Argument, format!("{count} bytes at {offset:#x} are beyond a memory of {len:#x} bytes"))
}
