//! Linear memories: reserved address space, of which a prefix is accessible, or a mapping that moves as it grows.

use crate::abi::VMMemory;
use crate::base::Result;
use crate::runtime::compiled::engine::Engine;
use crate::runtime::objects::instance::{InstanceData, Place};
use crate::runtime::objects::mapped::{length, map, no_room_for, too_large};
use crate::runtime::objects::owned::Owned;
use crate::runtime::objects::shared::SharedMemory;
use crate::sys::mapping::{MemoryImage, MemoryMapping};
use crate::sys::pages::round_up_to_page;
use crate::wasm::{Limits, MemoryType};
use std::cell::Cell;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

/// The inside of a memory.
pub(in crate::runtime) struct MemoryData {
    /// What compiled code sees: in its instance, or `own`.
    vm: NonNull<VMMemory>,
    own: VMMemory,
    /// Its type as it was made; the least size is the one that it had then.
    made: MemoryType,
    /// `None` when it has been given to the engine.
    mapping: Option<MemoryMapping>,
    /// What it is, if other stores may have it too.
    shared: Option<SharedMemory>,
    /// As many bytes of it count for the limit of its store.
    pub(in crate::runtime) counted: u64,
    /// How often a guest had been entered when it was made, if none was running then: while that is so, no guest can
    /// have written to it.
    untouched_at: Option<u64>,
    /// Whether the runtime or the host was given the address of its bytes.
    shown: Cell<bool>,
    /// Bytes of the mapping that the memory may fill; behind them is the guard.
    pub(in crate::runtime) capacity: usize,
    /// Whether it may move when it grows beyond its capacity.
    pub(in crate::runtime) movable: bool,
    /// The instance it is a part of.
    pub(in crate::runtime) owner: Option<NonNull<InstanceData>>,
    /// Set during a collection, if it can be reached.
    pub(in crate::runtime) marked: bool,
}

/// Bytes reserved behind a memory that may move, so that growing little by little does not move it each time.
const SPARE: usize = 1 << 20;

impl MemoryData {
    /// A memory that begins with an image, if it has one, and zeros else; `of` is the instance it is a part of, with
    /// the place where its compiled code looks.
    pub(in crate::runtime) fn new(
        engine: &Engine,
        ty: &MemoryType,
        image: Option<&Arc<MemoryImage>>,
        of: Option<Place<VMMemory>>,
        untouched_at: Option<u64>,
    ) -> Result<Owned<MemoryData>> {
        let config = engine.config();
        if ty.limits.min > ty.possible_pages() {
            return Err(too_large(ty));
        }
        let len = length(ty, ty.limits.min).ok_or_else(|| too_large(ty))?;
        let most = usize::try_from(ty.most_bytes()).unwrap_or(usize::MAX);
        let movable = !config.is_fixed_memory(ty);
        let reserved = config.memory_reservation as usize;
        let capacity = if movable { reserved.min(most).max(len) } else { reserved };
        // Without its full address space, code that checks no bounds can use none that does not move.
        let mapping = map(engine, capacity, len, image).map_err(|error| error.context(no_room_for(ty)))?;
        let own = VMMemory { base: mapping.base(), len };
        let memory = Owned::new(Box::new(MemoryData {
            vm: NonNull::dangling(),
            own,
            made: *ty,
            mapping: Some(mapping),
            shared: None,
            counted: len as u64,
            untouched_at,
            shown: Cell::new(false),
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

    /// A shared memory as one of a store; `of` is the instance it is a part of, with the place where its compiled code
    /// looks for the address of what it sees.
    pub(in crate::runtime) fn of_shared(
        shared: SharedMemory,
        of: Option<Place<NonNull<VMMemory>>>,
    ) -> Owned<MemoryData> {
        let vm = shared.vm_ptr();
        if let Some((_, place)) = of {
            // SAFETY: a given place is the instance's own, and writable.
            unsafe { place.as_ptr().write(vm) };
        }
        let header = shared.vm();
        Owned::new(Box::new(MemoryData {
            vm,
            own: header,
            made: *shared.made(),
            mapping: None,
            counted: header.len as u64,
            untouched_at: None,
            shown: Cell::new(true),
            capacity: usize::MAX,
            movable: false,
            owner: of.map(|(owner, _)| owner),
            marked: false,
            shared: Some(shared),
        }))
    }

    /// What it is, if other stores may have it too.
    pub(in crate::runtime) fn shared(&self) -> Option<&SharedMemory> {
        self.shared.as_ref()
    }

    /// Its length and first byte, to read or to write there.
    pub(in crate::runtime) fn vm(&self) -> VMMemory {
        self.shown.set(true);
        self.header()
    }

    fn header(&self) -> VMMemory {
        if let Some(shared) = &self.shared {
            return shared.vm();
        }
        // SAFETY: the place lives as long as the store, as this does.
        unsafe { *self.vm.as_ptr() }
    }

    /// The parts of it that may hold something else than zeros, lowest first, which may reach beyond its end. [`None`]
    /// where that is not known without reading it.
    pub(in crate::runtime) fn filled(&self) -> Option<Vec<Range<usize>>> {
        self.mapping.as_ref()?.filled()
    }

    /// Its length.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.header().len
    }

    /// Gives its mapping to the engine's next memory. It is being dropped; guests have been entered `runs` times.
    pub(in crate::runtime) fn recycle(&mut self, engine: &Engine, runs: u64) {
        let touched = self.shown.get() || self.untouched_at != Some(runs);
        if let Some(mapping) = self.mapping.take() {
            engine.pool().give(mapping, touched);
        }
    }

    /// What compiled code looks at.
    pub(in crate::runtime) fn vm_ptr(&self) -> NonNull<VMMemory> {
        self.vm
    }

    pub(in crate::runtime) fn pages(&self) -> u64 {
        self.len() as u64 / self.made.page_size.bytes()
    }

    /// Its type, with its current size as the least.
    pub(in crate::runtime) fn ty(&self) -> MemoryType {
        MemoryType { limits: Limits { min: self.pages(), ..self.made.limits }, ..self.made }
    }

    /// The most bytes that it may ever have.
    pub(in crate::runtime) fn most_bytes(&self) -> u64 {
        self.made.most_bytes()
    }

    /// How many bytes `delta` pages more are; `None` where no memory has so many.
    pub(in crate::runtime) fn bytes(&self, delta: u64) -> Option<u64> {
        self.made.bytes(delta)
    }

    /// Grows by `delta` pages within `budget` more bytes; the old size in pages, or `None`.
    pub(in crate::runtime) fn grow(&mut self, engine: &Engine, delta: u64, budget: u64) -> Option<u64> {
        if let Some(shared) = &self.shared {
            return shared.grow_within(delta, budget);
        }
        let old = self.vm();
        let pages = self.pages();
        let new = pages.checked_add(delta)?;
        if new > self.made.most_pages() || self.bytes(delta)? > budget {
            return None;
        }
        let len = length(&self.made, new)?;
        let mapping = self.mapping.as_mut()?;
        if len <= self.capacity {
            // Where the last page of the system was not filled, what is behind the end is there already, and zero.
            mapping.grow(round_up_to_page(len)?).ok()?;
        } else {
            if !self.movable {
                return None;
            }
            let capacity = len.checked_add(len / 8)?.checked_add(SPARE)?;
            let larger = map(engine, capacity, len, None).ok()?;
            // SAFETY: both are accessible up to the old length, and they are different mappings.
            unsafe { std::ptr::copy_nonoverlapping(old.base, larger.base(), old.len) };
            engine.pool().give(std::mem::replace(mapping, larger), true);
            self.capacity = capacity;
        }
        // SAFETY: the place lives as long as the store; the guest that reads it is not running.
        unsafe { self.vm.as_ptr().write(VMMemory { base: mapping.base(), len }) };
        Some(pages)
    }
}
