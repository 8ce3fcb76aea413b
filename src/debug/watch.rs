//! The watchpoints of one debugger: which there are, which sites they arm, and what they have seen.
//!
//! # Globals
//!
//! A stop point stands behind each `global.set`. Those behind the ones that may write a watched global are armed: of
//! its own index in the module that defines it, and of each imported global of its type in every module of the store.
//! The instances of a module share its code, so which global was written is looked at where the guest arrives.
//!
//! # Memories
//!
//! The store says when a guest accesses a watched byte, or one near it ([`Event::Access`](crate::runtime::Event)). What
//! the guest does from there up to the next stop point is looked at by rerun, instruction by instruction: a read of a
//! watched byte is told behind it, inside the region. What ends the region, a write above all, is *expected*: the guest
//! does it, with nothing protected, and stops at the next stop point, where it is told. Bulk instructions say
//! themselves what they are about to do.
//!
//! A fault takes as long as hundreds of instructions that are rerun. So where one came, the guest is *followed* for a
//! while: it stops at each stop point, what it does up to the next is looked at in the same way, and it goes there with
//! nothing protected. While there are accesses of watched pages among that, whether of watched bytes or not, it goes on
//! like this.
//!
//! # Locals
//!
//! A local is that of one frame ([`Bound`]). Nothing but `local.set` and `local.tee` of its function writes it, and no
//! stop point need be behind those. So the debugger has breakpoints of its own there, and whoever comes to one in that
//! frame, be it by rerun, compares the value.
//!
//! # The end of a frame
//!
//! Watchpoints that are bound to a frame end with it: those of locals, and those of memory that the frame has for its
//! variables. That is told where its caller goes on, as a step out ends there; where the host is the caller, or a trap
//! leaves the frame, they go without a word.
//!
//! # The host
//!
//! What a host function has written is found when it returns: all values are compared, and what is another one is told
//! at the stop point behind the call, which is the next that the frame comes to. A host function may also enter a
//! guest, within which stops are told: so values are compared there, too, and what has changed is noted for the frame
//! that has called. What is written while no guest waits for a host function is nobody's write: by the host between
//! two calls, or by a stop callback. Then the values are taken as they are.

use super::bound::{Bound, live, local_of};
use super::breakpoints::Breakpoints;
use super::condition::Ask;
use super::layers::{Layer, Layers, add_sites, remove_sites};
use super::places::site_of;
use super::watchpoint::{WatchHit, WatchKind, WatchTarget, Watchpoint, WatchpointId};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, FuncIndex, GlobalIndex, LocalIndex, Result, WasmOffset, filled};
use crate::code::{CodeSlot, StepScope};
use crate::image::SiteId;
use crate::runtime::{
    AsStore, Extern, Global, Instance, Memory, Module, ModuleId, Rooted, StopInfo, StoreMut, StoreRef, VirtualFrame,
};
use crate::wasm::{GlobalWrite, ValType, global_writes};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

mod frames;
mod memories;

use memories::{Expected, Following};

/// The watchpoints of a debugger.
#[derive(Default)]
pub(super) struct Watch {
    last: u32,
    /// In the order in which they were set, which is that of their ids.
    entries: Vec<Entry>,
    /// The instructions of modules that write globals, for as long as any global is watched.
    writes: Vec<(ModuleId, Vec<GlobalWrite>)>,
    /// The armed sites, sorted. Each is wanted once, however many watchpoints there are.
    armed: Vec<(CodeSlot, SiteId)>,
    /// What stands before them, sorted: an arrival looks its instruction up here.
    behind: Vec<Behind>,
    /// What the host has written, to be told where this frame, by its id, goes on, or one further out. While it is
    /// there, all stop points are armed.
    due: Option<(usize, Vec<WatchHit>)>,
    /// What the host has written, by the id of the frame that has called it and has not gone on yet.
    noted: Vec<(usize, WatchHit)>,
    /// What the guest is about to do, to be told at the next stop point. While there is any, all are armed.
    expected: Vec<Expected>,
    /// Whether any memory is watched.
    memories: bool,
    /// The guest is followed.
    following: Option<Following>,
    /// Whether all stop points are armed, for what is due or expected, or since the guest is followed.
    everywhere: bool,
}

/// A value that was seen.
enum Seen {
    /// As the global has it.
    Global([u64; 2]),
    /// The watched bytes; none where only reads are hits.
    Memory(Vec<u8>),
    /// Of this type, and as far as that is wide.
    Local(ValType, [u64; 2]),
}

/// What has changed: where, of a memory; the bytes before and now.
type Changed = (Option<u64>, Vec<u8>, Vec<u8>);

struct Entry {
    watchpoint: Watchpoint,
    /// The value that was seen last.
    seen: Seen,
    /// The frame that it is bound to, if it is.
    bound: Option<Bound>,
    /// Of bytes of a memory, the bits that are meant, byte by byte; all, where there are fewer of these.
    mask: Vec<u8>,
    /// Which of its hits are told; all, without.
    condition: Option<Arc<Ask>>,
    /// Keeps what is watched from being collected; a frame keeps its locals.
    _rooted: Option<Rooted>,
}

/// A write of a global that has been run where a guest arrives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Behind {
    slot: CodeSlot,
    /// The instruction behind it.
    wasm: WasmOffset,
    /// The write.
    at: WasmOffset,
    global: GlobalIndex,
}

/// What is wanted: the sites, and what stands before them.
type Wanted = (Vec<(CodeSlot, SiteId)>, Vec<Behind>);

impl Entry {
    fn global(&self) -> Option<Global> {
        match self.watchpoint.target {
            WatchTarget::Global(global) => Some(global),
            WatchTarget::Memory { .. } | WatchTarget::Local(_) => None,
        }
    }

    fn memory(&self) -> Option<(Memory, Range<u64>)> {
        match &self.watchpoint.target {
            WatchTarget::Global(_) | WatchTarget::Local(_) => None,
            WatchTarget::Memory { memory, bytes } => Some((*memory, bytes.clone())),
        }
    }

    /// Whether bytes of a memory differ in what is meant; the first is so many behind the first that is watched.
    fn differs(&self, from: usize, old: &[u8], new: &[u8]) -> bool {
        let mask = |index: usize| self.mask.get(from + index).copied().unwrap_or(0xff);
        std::iter::zip(old, new).enumerate().any(|(index, (old, new))| (old ^ new) & mask(index) != 0)
    }

    /// Whether accesses are told: it is enabled, and the frame that it is bound to is there.
    fn is_on(&self) -> bool {
        self.watchpoint.enabled && self.bound.as_ref().is_none_or(Bound::is_live)
    }

    /// The value that is there now.
    fn look(watchpoint: &Watchpoint, store: StoreRef<'_>) -> Result<Seen> {
        Ok(match &watchpoint.target {
            WatchTarget::Global(global) => Seen::Global(global.bits(store)?),
            WatchTarget::Memory { .. } if !watchpoint.kind.of_writes() => Seen::Memory(Vec::new()),
            WatchTarget::Memory { memory, bytes } => Seen::Memory(read(store, *memory, bytes)?),
            WatchTarget::Local(local) => {
                let found = watchpoint.frame.and_then(|frame| local_of(store, frame, *local));
                let (ty, bits) = found.ok_or_else(|| no_local(*local))?;
                seen_local(ty, bits)
            }
        })
    }

    /// A write of the local has been run: the values, if it is a hit.
    fn written_local(&mut self, (ty, bits): (ValType, [u64; 2])) -> Option<Changed> {
        let now = seen_local(ty, bits);
        let values = match (&self.seen, &now) {
            (Seen::Local(_, old), Seen::Local(_, new)) => (*old, *new),
            _ => return None,
        };
        self.seen = now;
        let is_hit = self.watchpoint.kind == WatchKind::Write || values.0 != values.1;
        is_hit.then(|| (None, bytes_of(ty, values.0), bytes_of(ty, values.1)))
    }

    /// Looks at the value again; what has changed. Of a local nothing is: nobody but its function writes it.
    fn compare(&mut self, store: StoreRef<'_>) -> Result<Option<Changed>> {
        if matches!(self.watchpoint.target, WatchTarget::Local(_)) {
            return Ok(None);
        }
        let now = Entry::look(&self.watchpoint, store)?;
        let changed = match (&self.seen, &now, &self.watchpoint.target) {
            (Seen::Global(old), Seen::Global(now), WatchTarget::Global(global)) => (old != now).then(|| {
                let ty = global.ty(store).map(|ty| ty.content);
                let bytes = |bits| ty.as_ref().map_or(Vec::new(), |ty| bytes_of(*ty, bits));
                (None, bytes(*old), bytes(*now))
            }),
            (Seen::Memory(old), Seen::Memory(now), WatchTarget::Memory { bytes, .. }) => {
                let differs = |(old, now): (&u8, &u8)| old != now;
                let first = old.iter().zip(now).position(differs).filter(|_| self.differs(0, old, now));
                let last = old.iter().zip(now).rposition(differs);
                first.zip(last).map(|(first, last)| {
                    let address = bytes.start + first as u64;
                    (Some(address), old[first..=last].to_vec(), now[first..=last].to_vec())
                })
            }
            _ => None,
        };
        self.seen = now;
        Ok(changed)
    }

    /// A write of the global has been run: the values, if it is a hit.
    fn written(&mut self, store: StoreRef<'_>) -> Result<Option<Changed>> {
        let changed = self.compare(store)?;
        let (Seen::Global(bits), Some(global), WatchKind::Write) = (&self.seen, self.global(), self.watchpoint.kind)
        else {
            return Ok(changed);
        };
        let ty = global.ty(store)?.content;
        Ok(changed.or_else(|| Some((None, bytes_of(ty, *bits), bytes_of(ty, *bits)))))
    }

    fn hit(&self, by: (FuncIndex, WasmOffset), by_host: bool, (address, old, new): Changed) -> WatchHit {
        let id = self.watchpoint.id;
        WatchHit { id, func: by.0, offset: by.1, is_end: false, is_read: false, by_host, address, old, new }
    }

    /// What is told of the end of its frame, with the value that was seen last.
    fn end(&self, bound: &Bound) -> WatchHit {
        let (address, old) = match (&self.seen, &self.watchpoint.target) {
            (Seen::Memory(old), WatchTarget::Memory { bytes, .. }) => (Some(bytes.start), old.clone()),
            (Seen::Local(ty, bits), _) => (None, bytes_of(*ty, *bits)),
            _ => (None, Vec::new()),
        };
        WatchHit { is_end: true, ..self.hit(bound.by(), false, (address, old, Vec::new())) }
    }
}

#[cold]
fn no_local(local: LocalIndex) -> Error {
    Error::new(ErrorKind::Argument, format!("the frame's function has no local {}", local.get()))
}

/// A local as it is seen: bits beyond the width of its type mean nothing.
fn seen_local(ty: ValType, bits: [u64; 2]) -> Seen {
    let [low, high] = bits;
    Seen::Local(
        ty,
        match ty.width() {
            16 => [low, high],
            8 => [low, 0],
            _ => [low & 0xffff_ffff, 0],
        },
    )
}

/// Bytes of a memory.
fn read(store: StoreRef<'_>, memory: Memory, bytes: &Range<u64>) -> Result<Vec<u8>> {
    let mut found = filled(0, (bytes.end - bytes.start) as usize, "the bytes of a watchpoint")?;
    memory.read(store, bytes.start as usize, &mut found)?;
    Ok(found)
}

/// The bytes of a value; none of a reference, which may refer to nothing any more.
fn bytes_of(ty: ValType, bits: [u64; 2]) -> Vec<u8> {
    match ty {
        ValType::Ref(_) => Vec::new(),
        _ => bits.iter().flat_map(|word| word.to_le_bytes()).take(ty.width() as usize).collect(),
    }
}

impl Watch {
    /// All, in the order in which they were set. Those of frames that are gone are none any more, though it has not
    /// been told yet.
    pub(super) fn all(&self, store: StoreRef<'_>) -> impl Iterator<Item = &Watchpoint> {
        let live = if self.is_bound() { live(store) } else { Vec::new() };
        let is_there = move |entry: &&Entry| {
            let mut bound = entry.bound.iter();
            bound.all(|bound| !bound.is_over() && live.contains(&bound.frame()))
        };
        self.entries.iter().filter(is_there).map(|entry| &entry.watchpoint)
    }

    /// The one of this id.
    pub(super) fn get(&self, store: StoreRef<'_>, id: WatchpointId) -> Option<&Watchpoint> {
        self.all(store).find(|watchpoint| watchpoint.id == id)
    }

    /// Has hits of a watchpoint be told only where somebody says so.
    pub(super) fn set_condition(&mut self, id: WatchpointId, condition: Arc<Ask>) -> Result<()> {
        let index = self.index(id)?;
        self.entries[index].condition = Some(condition);
        Ok(())
    }

    /// Who says whether a hit is told. The end of a frame always is.
    pub(super) fn asked(&self, hit: &WatchHit) -> Option<Arc<Ask>> {
        if hit.is_end {
            return None;
        }
        self.find(hit.id).and_then(|index| self.entries[index].condition.clone())
    }

    /// Whether any is bound to a frame.
    #[inline]
    pub(super) fn is_bound(&self) -> bool {
        self.entries.iter().any(|entry| entry.bound.is_some())
    }

    fn find(&self, id: WatchpointId) -> Option<usize> {
        self.entries.binary_search_by_key(&id, |entry| entry.watchpoint.id).ok()
    }

    fn index(&self, id: WatchpointId) -> Result<usize> {
        self.find(id).ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("there is no watchpoint {}; it may have been removed", id.0))
        })
    }

    /// Watches a global.
    pub(super) fn add_global(
        &mut self,
        store: &mut StoreMut<'_>,
        global: Global,
        kind: WatchKind,
    ) -> Result<WatchpointId> {
        if !global.ty(&*store)?.mutable {
            return Err(Error::new(ErrorKind::Argument, "the global is immutable: nothing can write it"));
        }
        if !matches!(kind, WatchKind::Write | WatchKind::Change) {
            let message = "reads of globals cannot be watched; writes and changes can";
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let rooted = store.root(Extern::Global(global))?;
        self.add(store, WatchTarget::Global(global), kind, None, Some(rooted))
    }

    /// Watches a local of a live frame, by its id.
    pub(super) fn add_local(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        frame: usize,
        local: LocalIndex,
        kind: WatchKind,
    ) -> Result<WatchpointId> {
        if !matches!(kind, WatchKind::Write | WatchKind::Change) {
            let message = "reads of locals cannot be watched; writes and changes can";
            return Err(Error::new(ErrorKind::Argument, message));
        }
        if local_of(store.as_store(), frame, local).is_none() {
            return Err(no_local(local));
        }
        let mut bound = Bound::new(breakpoints, store, frame, Some(local))?;
        match bound.enable(breakpoints, store, true) {
            Ok(()) => self.add_bound(breakpoints, store, WatchTarget::Local(local), kind, bound, None),
            Err(error) => {
                let _kept = breakpoints.remove_own(store, &bound.breakpoints().collect::<Vec<_>>());
                Err(error)
            }
        }
    }

    /// Watches what a frame is bound to; on an error nothing is left of that.
    fn add_bound(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        target: WatchTarget,
        kind: WatchKind,
        bound: Bound,
        rooted: Option<Rooted>,
    ) -> Result<WatchpointId> {
        let own: Vec<_> = bound.breakpoints().collect();
        let added = self.add(store, target, kind, Some(bound), rooted);
        if added.is_err() {
            // Where that is refused, too, they stop nobody for anything.
            let _kept = breakpoints.remove_own(store, &own);
        }
        added
    }

    /// Watches bytes of a memory, or the bits of these that a mask says, for as long as a frame is there, by its id, if
    /// one is given.
    pub(super) fn add_memory(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        (memory, bytes, mask): (Memory, Range<u64>, Vec<u8>),
        kind: WatchKind,
        frame: Option<usize>,
    ) -> Result<WatchpointId> {
        let size = memory.data_size(&*store)? as u64;
        if bytes.is_empty() || bytes.end > size {
            let message =
                format!("bytes {:#x} up to {:#x} are none of a memory of {size:#x} bytes", bytes.start, bytes.end);
            return Err(Error::new(ErrorKind::Argument, message));
        }
        if memory.ty(&*store)?.shared {
            let message = "a shared memory cannot be watched: other threads access it";
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let rooted = Some(store.root(Extern::Memory(memory))?);
        let target = WatchTarget::Memory { memory, bytes };
        let id = match frame {
            None => self.add(store, target, kind, None, rooted)?,
            Some(frame) => {
                let bound = Bound::new(breakpoints, store, frame, None)?;
                self.add_bound(breakpoints, store, target, kind, bound, rooted)?
            }
        };
        let index = self.index(id)?;
        self.entries[index].mask = mask;
        Ok(id)
    }

    fn add(
        &mut self,
        store: &mut StoreMut<'_>,
        target: WatchTarget,
        kind: WatchKind,
        bound: Option<Bound>,
        _rooted: Option<Rooted>,
    ) -> Result<WatchpointId> {
        let last = self.last.checked_add(1);
        let last = last.ok_or_else(|| Error::new(ErrorKind::Limit, "no numbers are left for more watchpoints"))?;
        let id = WatchpointId(last);
        let frame = bound.as_ref().map(|bound| bound.frame().0);
        let watchpoint = Watchpoint { id, target, kind, frame, enabled: true, hits: 0 };
        let seen = Entry::look(&watchpoint, store.as_store())?;
        self.entries.push(Entry { watchpoint, seen, bound, mask: Vec::new(), condition: None, _rooted });
        if let Err(error) = self.arm(store) {
            self.entries.pop();
            return Err(error);
        }
        self.last = last;
        Ok(id)
    }

    /// Removes watchpoints, all or none. One that is named twice is removed once.
    pub(super) fn remove(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        ids: &[WatchpointId],
    ) -> Result<()> {
        for id in ids {
            self.index(*id)?;
        }
        let before: Vec<bool> = self.entries.iter().map(|entry| entry.watchpoint.enabled).collect();
        for entry in &mut self.entries {
            entry.watchpoint.enabled &= !ids.contains(&entry.watchpoint.id);
        }
        let bound = self.entries.iter().filter(|entry| ids.contains(&entry.watchpoint.id));
        let own: Vec<_> = bound.filter_map(|entry| entry.bound.as_ref()).flat_map(Bound::breakpoints).collect();
        let disarmed = self.arm(store).and_then(|()| match own.is_empty() {
            true => Ok(()),
            false => breakpoints.remove_own(store, &own),
        });
        if let Err(error) = disarmed {
            self.entries.iter_mut().zip(before).for_each(|(entry, enabled)| entry.watchpoint.enabled = enabled);
            // Where that is refused, too, some are not told until the next edit.
            let _fewer = self.arm(store);
            return Err(error);
        }
        self.entries.retain(|entry| !ids.contains(&entry.watchpoint.id));
        self.forget(|id| ids.contains(&id));
        self.say_watched(store);
        Ok(())
    }

    /// Tells the store whether anything is watched.
    fn say_watched(&self, store: &mut StoreMut<'_>) {
        store.set_watched(self.entries.iter().any(|entry| entry.watchpoint.enabled || entry.bound.is_some()));
    }

    /// Enables a watchpoint or not. What is written while it is not is not told later.
    pub(super) fn enable(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        id: WatchpointId,
        enabled: bool,
    ) -> Result<()> {
        self.look_at_frames(breakpoints, store)?;
        let index = self.index(id)?;
        let entry = &mut self.entries[index];
        if entry.watchpoint.enabled == enabled || entry.bound.as_ref().is_some_and(Bound::is_over) {
            return Ok(());
        }
        let seen = Entry::look(&entry.watchpoint, store.as_store())?;
        if let Some(bound) = &mut entry.bound {
            bound.enable(breakpoints, store, enabled)?;
        }
        entry.watchpoint.enabled = enabled;
        if let Err(error) = self.arm(store) {
            let entry = &mut self.entries[index];
            entry.watchpoint.enabled = !enabled;
            if let Some(bound) = &mut entry.bound {
                // Where that is refused, too, it is looked at for nothing, or told nothing.
                let _other = bound.enable(breakpoints, store, !enabled);
            }
            return Err(error);
        }
        self.entries[index].seen = seen;
        self.forget(|known| known == id);
        Ok(())
    }

    /// Tells no more what these have seen.
    fn forget(&mut self, whose: impl Fn(WatchpointId) -> bool) {
        if let Some((_, hits)) = &mut self.due {
            hits.retain(|hit| !whose(hit.id));
        }
        self.noted.retain(|(_, hit)| !whose(hit.id));
        self.expected.retain(|expected| !whose(expected.id));
    }

    /// Arms what is wanted now, and nothing else. On an error all is as it was.
    fn arm(&mut self, store: &mut StoreMut<'_>) -> Result<()> {
        let (sites, behind) = self.wanted(store)?;
        let is_in = |list: &[(CodeSlot, SiteId)], site: &_| list.binary_search(site).is_ok();
        let more: Vec<_> = sites.iter().filter(|site| !is_in(&self.armed, site)).copied().collect();
        let fewer: Vec<_> = self.armed.iter().filter(|site| !is_in(&sites, site)).copied().collect();
        if !more.is_empty() {
            add_sites(store, &more)?;
        }
        if !fewer.is_empty()
            && let Err(error) = remove_sites(store, &fewer)
        {
            // Where that is refused too the plan wants more than we do: a stop there is let pass.
            let _ = remove_sites(store, &more);
            return Err(error);
        }
        if let Err(error) = self.protect(store) {
            let _ = add_sites(store, &fewer);
            let _ = remove_sites(store, &more);
            return Err(error);
        }
        (self.armed, self.behind) = (sites, behind);
        self.say_watched(store);
        if self.entries.is_empty() {
            self.writes = Vec::new();
        }
        Ok(())
    }

    /// Has the store look after the memories that are watched now.
    pub(super) fn protect(&mut self, store: &mut StoreMut<'_>) -> Result<()> {
        let watched: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.watchpoint.enabled && !entry.bound.as_ref().is_some_and(Bound::is_over))
            .filter_map(|entry| {
                let (memory, bytes) = entry.memory()?;
                Some((memory, bytes.start as usize..bytes.end as usize, entry.watchpoint.kind.of_reads()))
            })
            .collect();
        store.watch_memories(&watched)?;
        self.memories = !watched.is_empty();
        Ok(())
    }

    /// The sites behind all that may write a watched global.
    fn wanted(&mut self, store: &StoreMut<'_>) -> Result<Wanted> {
        let mut globals: Vec<(Global, Option<(ModuleId, GlobalIndex)>)> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.watchpoint.enabled) {
            let Some(global) = entry.global() else { continue };
            if !globals.iter().any(|known| known.0 == global) {
                globals.push((global, definition(store, global)?));
            }
        }
        let (mut sites, mut behind) = (Vec::new(), Vec::new());
        if globals.is_empty() {
            return Ok((sites, behind));
        }
        for module in store.modules() {
            let Some(slot) = store.code_slot(module.id()) else { continue };
            let mut indices: Vec<GlobalIndex> = Vec::new();
            for (global, definition) in &globals {
                let own = definition.filter(|definition| definition.0 == module.id());
                indices.extend(own.map(|definition| definition.1));
                let (ty, info) = (global.ty(store)?, module.info());
                let imported = (0..info.imported_globals).map(GlobalIndex::new);
                indices.extend(imported.filter(|index| info.globals[index.index()] == ty));
            }
            if indices.is_empty() {
                continue;
            }
            let slots: Vec<(Option<DefinedFuncIndex>, CodeSlot)> = std::iter::once((None, slot))
                .chain(store.as_store().other_slots(module.id()).map(|(func, slot)| (Some(func), slot)))
                .collect();
            let writes = self.writes_of(module)?;
            for write in writes.iter().filter(|write| indices.contains(&write.global)) {
                let GlobalWrite { global, at, behind: wasm, .. } = *write;
                for &(_, slot) in slots.iter().filter(|(func, _)| func.is_none_or(|func| func == write.func)) {
                    let Some(code) = store.registry().get(slot) else { continue };
                    // No site is behind what cannot be reached.
                    let Some(site) = site_of(code.engine.tables(), wasm) else { continue };
                    sites.push((slot, site));
                    behind.push(Behind { slot, wasm, at, global });
                }
            }
        }
        sites.sort_unstable();
        sites.dedup();
        behind.sort_unstable();
        Ok((sites, behind))
    }

    /// The instructions of a module that write globals.
    fn writes_of(&mut self, module: &Module) -> Result<&[GlobalWrite]> {
        let known = self.writes.iter().position(|known| known.0 == module.id());
        let index = match known {
            Some(index) => index,
            None => {
                self.writes.push((module.id(), global_writes(module.info(), module.binary())?));
                self.writes.len() - 1
            }
        };
        Ok(&self.writes[index].1)
    }

    /// The store has code that it had not: a module's, or resume code.
    pub(super) fn code_registered(&mut self, store: &mut StoreMut<'_>) -> Result<()> {
        if self.entries.is_empty() { Ok(()) } else { self.arm(store) }
    }

    /// Whether anything is watched, or to be told: otherwise there is nothing to look at where a guest stops.
    #[inline]
    pub(super) fn is_awake(&self) -> bool {
        !self.entries.is_empty() || self.everywhere
    }

    /// What is to be told where the guest arrives at a stop point; it is counted. `inside` is its frame, where that is
    /// not what the guest has there.
    #[inline(never)]
    pub(super) fn arrived(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        at: &StopInfo,
        inside: Option<&VirtualFrame>,
    ) -> Result<Vec<WatchHit>> {
        let mut hits = Vec::new();
        let id = || store.as_store().frame_id(at.slot, at.func, at.fp);
        if let Some((_, due)) = self.due.take_if(|due| id() >= due.0) {
            hits = due;
        }
        self.compare_expected(store.as_store(), &mut hits)?;
        if !self.goes_on_following(store) && self.everywhere && self.due.is_none() {
            layers.set_scope(store, Layer::Host, StepScope::Off)?;
            self.everywhere = false;
        }
        let from = self.behind.partition_point(|row| (row.slot, row.wasm) < (at.slot, at.wasm));
        let rows = self.behind[from..].iter().take_while(|row| (row.slot, row.wasm) == (at.slot, at.wasm));
        if rows.clone().next().is_some()
            && let Some(instance) = instance_of(store.as_store())
            && let Some(module) = store.module_in(at.slot)
        {
            let func = module.info().func_index(at.func);
            for row in rows {
                let written = instance.global(&*store, row.global);
                for entry in self.entries.iter_mut().filter(|entry| entry.watchpoint.enabled) {
                    if written.is_some()
                        && written == entry.global()
                        && let Some(values) = entry.written(store.as_store())?
                    {
                        hits.push(entry.hit((func, row.at), false, values));
                    }
                }
            }
        }
        self.count(&hits);
        if self.is_bound() {
            hits.extend(self.in_frames(breakpoints, store, at, at.wasm, inside)?.0);
        }
        Ok(hits)
    }

    fn count(&mut self, hits: &[WatchHit]) {
        for hit in hits {
            if let Some(index) = self.find(hit.id) {
                let count = &mut self.entries[index].watchpoint.hits;
                *count = count.saturating_add(1);
            }
        }
    }

    /// Arms all stop points, up to the next that the guest comes to.
    fn stop_everywhere(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>) -> Result<()> {
        self.everywhere = true;
        layers.set_scope(store, Layer::Host, StepScope::All)
    }

    /// A guest has trapped: what was expected has not been done.
    pub(super) fn trapped(&mut self) {
        self.expected.clear();
    }

    /// Takes the values as they are: what has been written is nobody's write.
    pub(super) fn refresh(&mut self, store: StoreRef<'_>) -> Result<()> {
        // Of locals those of the frame that goes on are looked at, where it does.
        let others = self.entries.iter_mut().filter(|entry| !matches!(entry.watchpoint.target, WatchTarget::Local(_)));
        for entry in others {
            entry.seen = Entry::look(&entry.watchpoint, store)?;
        }
        Ok(())
    }

    /// The host is about to enter a guest: in a host function that a guest waits for, or otherwise.
    pub(super) fn entering(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        within_call: bool,
    ) -> Result<()> {
        self.look_at_frames(breakpoints, store)?;
        if within_call {
            return self.note_host(store);
        }
        if !store.live_frames() {
            // Frames that were left without going on.
            (self.due, self.noted, self.expected) = (None, Vec::new(), Vec::new());
        }
        self.refresh(store.as_store())
    }

    /// A host function is about to return to the guest that has called it, or to leave it.
    pub(super) fn returning(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
    ) -> Result<()> {
        self.look_at_frames(breakpoints, store)?;
        self.note_host(store)?;
        let Some(caller) = caller(store) else { return Ok(()) };
        // Frames further in were left.
        self.noted.retain(|noted| noted.0 >= caller.id);
        let here: Vec<WatchHit> =
            self.noted.iter().filter(|noted| noted.0 == caller.id).map(|(_, hit)| hit.clone()).collect();
        self.noted.retain(|noted| noted.0 != caller.id);
        if !here.is_empty() {
            // It goes on behind the call, or where an exception lands.
            self.stop_everywhere(layers, store)?;
            self.due = Some((caller.id, here));
        }
        Ok(())
    }

    /// Notes what has changed since the guest was left.
    fn note_host(&mut self, store: &mut StoreMut<'_>) -> Result<()> {
        let Some(caller) = caller(store) else {
            // What production code has written, and the host for it, is nobody's write.
            return self.refresh(store.as_store());
        };
        for entry in self.entries.iter_mut().filter(|entry| entry.is_on()) {
            if let Some(values) = entry.compare(store.as_store())? {
                self.noted.push((caller.id, entry.hit((caller.func, caller.at), true, values)));
            }
        }
        Ok(())
    }
}

/// A frame that waits for a host function.
struct CallerOfHost {
    id: usize,
    func: FuncIndex,
    /// The call.
    at: WasmOffset,
}

/// The frame that waits for the host function that runs; none in production code, in which nobody can be told of it.
fn caller(store: &StoreMut<'_>) -> Option<CallerOfHost> {
    let mut found = None;
    store.walk_frames(|frame| {
        let func = frame.module.info().defined(frame.func).filter(|_| !frame.is_production());
        found = func.map(|defined| (frame.slot, defined, frame.fp, frame.func, frame.wasm));
        ControlFlow::Break(())
    });
    let (slot, defined, fp, func, at) = found?;
    Some(CallerOfHost { id: store.as_store().frame_id(slot, defined, fp), func, at })
}

/// The instance whose frame has stopped.
fn instance_of(store: StoreRef<'_>) -> Option<Instance> {
    store.keep_top(store.event()?)?.instance()
}

/// The module that defines a global and its index there; none of the host's.
fn definition(store: &StoreMut<'_>, global: Global) -> Result<Option<(ModuleId, GlobalIndex)>> {
    for instance in store.instances() {
        let module = instance.module(store)?;
        let info = module.info();
        let own = info.imported_globals..info.globals.len() as u32;
        for index in own.map(GlobalIndex::new) {
            if info.globals[index.index()].mutable && instance.global(store, index) == Some(global) {
                return Ok(Some((module.id(), index)));
            }
        }
    }
    Ok(None)
}
