//! Watched memories: what a guest is about to access, by itself or by rerun, and following it from stop point to stop
//! point where faults would follow each other. The head of `watch.rs` tells how that goes.

use super::{Entry, Seen, Watch, caller, instance_of, read};
use crate::base::{FuncIndex, Result, WasmOffset};
use crate::debug::layers::Layers;
use crate::debug::watchpoint::{WatchHit, WatchKind, WatchpointId};
use crate::runtime::{AsStore, Memory, StopInfo, StoreMut, StoreRef, Touched, VirtualFrame, WATCHED_PAGE};
use crate::wasm::memory_access;
use std::ops::Range;

/// A guest that is followed from stop point to stop point.
pub(super) struct Following {
    /// How many more, if none of the watched pages is accessed.
    left: u32,
    /// Whether any was.
    found: bool,
}

/// So many stop points a guest is followed without an access: about as long as a fault takes.
const FOLLOWED: u32 = 32;

/// An access of watched bytes that the guest is about to do.
pub(super) struct Expected {
    pub(super) id: WatchpointId,
    by: (FuncIndex, WasmOffset),
    bytes: Range<u64>,
    old: Vec<u8>,
    writes: bool,
}

/// What an instruction is about to do to a memory.
pub(in crate::debug) struct Accessing {
    memory: Memory,
    bytes: Range<u64>,
    reads: bool,
    writes: bool,
    by: (FuncIndex, WasmOffset),
}

impl Watch {
    /// Whether any memory is watched, so that what rerun goes over has to be looked at.
    #[inline]
    pub(in crate::debug) fn memories(&self) -> bool {
        self.memories
    }

    /// A guest has accessed what is watched, or the pages of that: it is followed from there.
    pub(in crate::debug) fn follow(&mut self) {
        self.following.get_or_insert(Following { left: 0, found: false }).left = FOLLOWED;
    }

    /// Whether the guest is followed: what it does up to the next stop point is looked at, and it goes there quietly.
    #[inline]
    pub(in crate::debug) fn follows(&self) -> bool {
        self.following.is_some()
    }

    /// A guest that is followed has come to a stop point: whether it still is.
    pub(super) fn goes_on_following(&mut self, store: &mut StoreMut<'_>) -> bool {
        let Some(following) = &mut self.following else { return false };
        if following.left > 0 && self.memories {
            following.left -= 1;
            return true;
        }
        store.looked_at_accesses(following.found);
        self.following = None;
        false
    }

    /// What the instruction before which a frame stands is about to do to a memory, if any of it is watched.
    pub(in crate::debug) fn access_of(
        &mut self,
        store: &StoreMut<'_>,
        at: &StopInfo,
        inside: &VirtualFrame,
    ) -> Result<Option<Accessing>> {
        let Some(module) = store.module_in(at.slot) else { return Ok(None) };
        let (info, offset) = (module.info(), inside.wasm());
        let Some(access) = memory_access(info, module.binary(), at.func, offset)? else { return Ok(None) };
        let Some((ty, index)) = inside.operands().nth(access.operand) else { return Ok(None) };
        let index = index.words()[0] & if ty.width() == 4 { 0xffff_ffff } else { u64::MAX };
        let memory = instance_of(store.as_store()).and_then(|instance| instance.memory(store, access.memory));
        let end = index.checked_add(access.offset).and_then(|start| Some((start, start.checked_add(access.width)?)));
        let (Some(memory), Some((start, end))) = (memory, end) else { return Ok(None) };
        let by = (info.func_index(at.func), offset);
        let accessing = Accessing { memory, bytes: start..end, reads: access.reads, writes: access.writes, by };
        let is_watched = self.concerned(&accessing).next().is_some();
        if self.following.is_some() && (is_watched || self.is_near(&accessing)) {
            self.following = Some(Following { left: FOLLOWED, found: true });
        }
        Ok(is_watched.then_some(accessing))
    }

    /// Whether an access would be a fault: it is on a page with watched bytes.
    fn is_near(&self, accessing: &Accessing) -> bool {
        self.entries.iter().filter(|entry| entry.is_on()).any(|entry| {
            let Some((memory, bytes)) = entry.memory() else { return false };
            let fits = accessing.writes || entry.watchpoint.kind.of_reads();
            let pages = bytes.start / WATCHED_PAGE * WATCHED_PAGE..bytes.end.next_multiple_of(WATCHED_PAGE);
            fits && memory == accessing.memory && pages.start < accessing.bytes.end && accessing.bytes.start < pages.end
        })
    }

    /// The watchpoints to which an access may be a hit, with what of their bytes it concerns.
    fn concerned<'a>(&'a self, accessing: &'a Accessing) -> impl Iterator<Item = (&'a Entry, Range<u64>)> {
        self.entries.iter().filter(|entry| entry.is_on()).filter_map(|entry| {
            let (memory, bytes) = entry.memory()?;
            let kind = entry.watchpoint.kind;
            let start = bytes.start.max(accessing.bytes.start);
            let end = bytes.end.min(accessing.bytes.end);
            let fits = (accessing.reads && kind.of_reads()) || (accessing.writes && kind.of_writes());
            (memory == accessing.memory && start < end && fits).then_some((entry, start..end))
        })
    }

    /// A read was run inside a region: what is to be told of it. It is counted.
    pub(in crate::debug) fn was_read(&mut self, store: StoreRef<'_>, accessing: &Accessing) -> Result<Vec<WatchHit>> {
        let mut hits = Vec::new();
        for (entry, bytes) in self.concerned(accessing) {
            let found = read(store, accessing.memory, &bytes)?;
            let changed = (Some(bytes.start), found.clone(), found);
            hits.push(WatchHit { is_read: true, ..entry.hit(accessing.by, false, changed) });
        }
        self.count(&hits);
        Ok(hits)
    }

    /// The guest is about to do this by itself, and then comes to a stop point. What cannot be read is not there: the
    /// guest traps.
    pub(in crate::debug) fn expect(&mut self, store: StoreRef<'_>, accessing: &Accessing) -> Result<()> {
        let mut more = Vec::new();
        for (entry, bytes) in self.concerned(accessing) {
            let old = read(store, accessing.memory, &bytes)?;
            let writes = accessing.writes && entry.watchpoint.kind.of_writes();
            more.push(Expected { id: entry.watchpoint.id, by: accessing.by, bytes, old, writes });
        }
        self.expected.append(&mut more);
        Ok(())
    }

    /// Has the guest stop at the next stop point that it comes to, to which it goes on quietly.
    pub(in crate::debug) fn go_on_quietly(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>) -> Result<()> {
        self.stop_everywhere(layers, store)?;
        store.go_on_quietly();
        Ok(())
    }

    /// A bulk instruction is about to do this.
    pub(in crate::debug) fn touching(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        touched: &Touched,
    ) -> Result<()> {
        let Some(caller) = caller(store) else { return Ok(()) };
        let Touched { memory, bytes, is_write } = touched.clone();
        let accessing = Accessing { memory, bytes, reads: !is_write, writes: is_write, by: (caller.func, caller.at) };
        self.expect(store.as_store(), &accessing)?;
        if self.expected.is_empty() { Ok(()) } else { self.stop_everywhere(layers, store) }
    }

    /// The guest has come to a stop point: what it was expected to do there is done, and is told.
    pub(super) fn compare_expected(&mut self, store: StoreRef<'_>, hits: &mut Vec<WatchHit>) -> Result<()> {
        for Expected { id, by, bytes, old, writes } in std::mem::take(&mut self.expected) {
            let Some(index) = self.find(id) else { continue };
            let entry = &mut self.entries[index];
            let Some((memory, watched)) = entry.memory() else { continue };
            let new = read(store, memory, &bytes)?;
            let from = (bytes.start - watched.start) as usize;
            if let (Seen::Memory(seen), true) = (&mut entry.seen, writes && entry.watchpoint.kind.of_writes()) {
                seen[from..from + new.len()].copy_from_slice(&new);
            }
            if entry.watchpoint.kind == WatchKind::Change && !entry.differs(from, &old, &new) {
                continue;
            }
            // Of a read, what was read, though the same instruction may have written.
            let new = if writes { new } else { old.clone() };
            hits.push(WatchHit { is_read: !writes, ..entry.hit(by, false, (Some(bytes.start), old, new)) });
        }
        Ok(())
    }
}
