//! Shared memories: what several stores, on several threads, have as a memory each. One has all its address space from
//! the start, so that it never moves; it grows under a lock, and its length is an atomic that compiled code reads.
//! Everybody who has one keeps it alive. No store is known here.

use crate::abi::{VMMemory, VMSharedMemory};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::objects::mapped::{length, map, no_room_for, too_large};
use crate::runtime::objects::waiting::Waiting;
use crate::sys::mapping::MemoryMapping;
use crate::sys::pages::round_up_to_page;
use crate::sys::racy;
use crate::wasm::{Limits, MemoryType};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A memory that stores of one engine, on any threads, share. A clone is the same memory.
#[derive(Clone)]
pub struct SharedMemory(Arc<Inner>);

struct Inner {
    /// What compiled code sees, of whatever store.
    vm: VMSharedMemory,
    engine: Engine,
    /// Its type as it was made.
    made: MemoryType,
    /// `None` once it is being dropped. Locked by whoever makes it grow.
    mapping: Mutex<Option<MemoryMapping>>,
    waiting: Waiting,
}

// SAFETY: the address is that of the mapping, which lives as long as this; what stands there is read and written by
// guests, whose language says what races mean, and by `sys::racy`.
unsafe impl Send for Inner {}

// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        let mapping = self.mapping.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mapping) = mapping.take() {
            self.engine.pool().give(mapping, true);
        }
    }
}

/// A word for which a guest waits.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) enum Word {
    /// Of 32 bits.
    Narrow(u32),
    /// Of 64 bits.
    Wide(u64),
}

impl SharedMemory {
    /// See the method of the same name in `handle`.
    pub(in crate::runtime) fn make(engine: &Engine, ty: &MemoryType) -> Result<SharedMemory> {
        if ty.limits.min > ty.possible_pages() {
            return Err(too_large(ty));
        }
        let len = length(ty, ty.limits.min).ok_or_else(|| too_large(ty))?;
        let config = engine.config();
        let most = usize::try_from(ty.most_bytes()).unwrap_or(usize::MAX);
        let capacity = if config.is_reserved_memory(ty) { config.memory_reservation as usize } else { most.max(len) };
        let mapping = map(engine, capacity, len, None).map_err(|error| {
            let at_most =
                format!("{}, and {most} at most, for which a shared memory has all address space", no_room_for(ty));
            error.context(at_most)
        })?;
        Ok(SharedMemory(Arc::new(Inner {
            vm: VMSharedMemory { base: mapping.base(), len: AtomicUsize::new(len) },
            engine: engine.clone(),
            made: *ty,
            mapping: Mutex::new(Some(mapping)),
            waiting: Waiting::default(),
        })))
    }

    /// Whether both are the same memory.
    pub fn same(a: &SharedMemory, b: &SharedMemory) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// The engine whose stores can have it.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Its type, with its size at some moment as the least.
    pub fn ty(&self) -> MemoryType {
        MemoryType { limits: Limits { min: self.size(), ..self.0.made.limits }, ..self.0.made }
    }

    /// Its size in pages, at some moment. It never becomes smaller.
    pub fn size(&self) -> u64 {
        self.len() as u64 / self.0.made.page_size.bytes()
    }

    /// Its bytes, at some moment. They never become fewer.
    pub fn len(&self) -> usize {
        self.0.vm.len.load(Ordering::SeqCst)
    }

    /// Whether it has no byte, at some moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The address of its first byte, which never changes. Whoever reads and writes there must reckon with other
    /// threads that do.
    pub fn data_ptr(&self) -> *mut u8 {
        self.0.vm.base
    }

    /// Its type as it was made.
    pub(in crate::runtime) fn made(&self) -> &MemoryType {
        &self.0.made
    }

    /// Its first byte and its length at some moment.
    pub(in crate::runtime) fn vm(&self) -> VMMemory {
        VMMemory { base: self.data_ptr(), len: self.len() }
    }

    /// What compiled code looks at, for as long as somebody has the memory.
    pub(in crate::runtime) fn vm_ptr(&self) -> NonNull<VMMemory> {
        NonNull::from(&self.0.vm).cast()
    }

    /// Grows by `delta` pages within `budget` more bytes; the old size in pages, or `None`.
    pub(in crate::runtime) fn grow_within(&self, delta: u64, budget: u64) -> Option<u64> {
        let Inner { vm, made, mapping, .. } = &*self.0;
        // A mapping that has failed to grow is as it was.
        let mut mapping = mapping.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = self.size();
        let new = pages.checked_add(delta)?;
        if new > made.most_pages() || made.bytes(delta)? > budget {
            return None;
        }
        let len = length(made, new)?;
        mapping.as_mut()?.grow(round_up_to_page(len)?).ok()?;
        // Who finds it longer may access what is there.
        vm.len.store(len, Ordering::SeqCst);
        Some(pages)
    }

    /// The address of so many bytes, if they are inside.
    fn range(&self, offset: usize, len: usize) -> Result<*mut u8> {
        let now = self.len();
        match offset.checked_add(len) {
            Some(end) if end <= now => Ok(self.data_ptr().wrapping_add(offset)),
            _ => {
                let message = format!("{len} bytes at {offset:#x} are beyond a memory of {now:#x} bytes");
                Err(Error::new(ErrorKind::Argument, message))
            }
        }
    }

    /// Copies bytes out, not all at once: other threads may write in between.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] beyond its end.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        let from = self.range(offset, to.len())?;
        // SAFETY: accessible, which it stays.
        unsafe { racy::read(from, to) };
        Ok(())
    }

    /// Copies bytes in, not all at once: other threads may read and write in between.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] beyond its end.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result<()> {
        let to = self.range(offset, from.len())?;
        // SAFETY: accessible, which it stays.
        unsafe { racy::write(from, to) };
        Ok(())
    }

    /// Whether this word stands at `at`, which is inside and aligned.
    pub(in crate::runtime) fn holds(&self, at: usize, word: Word) -> bool {
        let at = self.data_ptr().wrapping_add(at);
        // SAFETY: the caller's promise.
        unsafe {
            match word {
                Word::Narrow(word) => AtomicU32::from_ptr(at.cast()).load(Ordering::SeqCst) == word,
                Word::Wide(word) => AtomicU64::from_ptr(at.cast()).load(Ordering::SeqCst) == word,
            }
        }
    }

    /// Who waits in it.
    pub(in crate::runtime) fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }
}

impl std::fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedMemory").field("ty", &self.ty()).finish_non_exhaustive()
    }
}
