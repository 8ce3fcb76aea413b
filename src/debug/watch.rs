//! The watchpoints of one debugger: which there are, which sites they arm, and what they have seen.
//!
//! # Globals
//!
//! A stop point stands behind each `global.set`. Those behind the ones that may write a watched global are armed: of
//! its own index in the module that defines it, and of each imported global of its type in every module of the store.
//! The instances of a module share its code, so which global was written is looked at where the guest arrives.
//!
//! # The host
//!
//! What a host function has written is found when it returns: all values are compared, and what is another one is told
//! at the stop point behind the call, which is the next that the frame comes to. A host function may also enter a
//! guest, within which stops are told: so values are compared there, too, and what has changed is noted for the frame
//! that has called. What is written while no guest waits for a host function is nobody's write: by the host between
//! two calls, or by a stop callback. Then the values are taken as they are.

use super::layers::{Layer, Layers, add_sites, remove_sites};
use super::places::site_of;
use super::watchpoint::{WatchHit, WatchKind, WatchTarget, Watchpoint, WatchpointId};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, FuncIndex, GlobalIndex, Result, WasmOffset};
use crate::code::{CodeSlot, StepScope};
use crate::image::SiteId;
use crate::runtime::{AsStore, Extern, Global, Instance, Module, ModuleId, Rooted, StopInfo, StoreMut, StoreRef};
use crate::wasm::{GlobalWrite, ValType, global_writes};
use std::ops::ControlFlow;

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
}

struct Entry {
    watchpoint: Watchpoint,
    /// The value that was seen last, as the global has it.
    seen: [u64; 2],
    /// Keeps what is watched from being collected.
    _rooted: Rooted,
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
    fn global(&self) -> Global {
        let WatchTarget::Global(global) = self.watchpoint.target;
        global
    }

    /// Looks at the value; the old one and the new one as bytes, if it is a hit.
    fn compare(&mut self, store: StoreRef<'_>, written: bool) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let global = self.global();
        let now = global.bits(store)?;
        let old = std::mem::replace(&mut self.seen, now);
        let hit = old != now || (written && self.watchpoint.kind == WatchKind::Write);
        let ty = global.ty(store)?.content;
        Ok(hit.then(|| (bytes_of(ty, old), bytes_of(ty, now))))
    }

    fn hit(&self, by: (FuncIndex, WasmOffset), by_host: bool, (old, new): (Vec<u8>, Vec<u8>)) -> WatchHit {
        WatchHit { id: self.watchpoint.id, func: by.0, offset: by.1, by_host, old, new }
    }
}

/// The bytes of a value; none of a reference, which may refer to nothing any more.
fn bytes_of(ty: ValType, bits: [u64; 2]) -> Vec<u8> {
    match ty {
        ValType::Ref(_) => Vec::new(),
        _ => bits.iter().flat_map(|word| word.to_le_bytes()).take(ty.width() as usize).collect(),
    }
}

impl Watch {
    /// All, in the order in which they were set.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &Watchpoint> {
        self.entries.iter().map(|entry| &entry.watchpoint)
    }

    /// The one of this id.
    pub(super) fn get(&self, id: WatchpointId) -> Option<&Watchpoint> {
        self.find(id).map(|index| &self.entries[index].watchpoint)
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
        let last = self.last.checked_add(1);
        let last = last.ok_or_else(|| Error::new(ErrorKind::Limit, "no numbers are left for more watchpoints"))?;
        let id = WatchpointId(last);
        let target = WatchTarget::Global(global);
        let watchpoint = Watchpoint { id, target, kind, enabled: true, hits: 0 };
        let (seen, _rooted) = (global.bits(&*store)?, store.root(Extern::Global(global))?);
        self.entries.push(Entry { watchpoint, seen, _rooted });
        if let Err(error) = self.arm(store) {
            self.entries.pop();
            return Err(error);
        }
        self.last = last;
        Ok(id)
    }

    /// Removes watchpoints, all or none. One that is named twice is removed once.
    pub(super) fn remove(&mut self, store: &mut StoreMut<'_>, ids: &[WatchpointId]) -> Result<()> {
        for id in ids {
            self.index(*id)?;
        }
        let before: Vec<bool> = self.entries.iter().map(|entry| entry.watchpoint.enabled).collect();
        for entry in &mut self.entries {
            entry.watchpoint.enabled &= !ids.contains(&entry.watchpoint.id);
        }
        if let Err(error) = self.arm(store) {
            self.entries.iter_mut().zip(before).for_each(|(entry, enabled)| entry.watchpoint.enabled = enabled);
            return Err(error);
        }
        self.entries.retain(|entry| !ids.contains(&entry.watchpoint.id));
        self.forget(|id| ids.contains(&id));
        Ok(())
    }

    /// Enables a watchpoint or not. What is written while it is not is not told later.
    pub(super) fn enable(&mut self, store: &mut StoreMut<'_>, id: WatchpointId, enabled: bool) -> Result<()> {
        let index = self.index(id)?;
        let before = std::mem::replace(&mut self.entries[index].watchpoint.enabled, enabled);
        if before == enabled {
            return Ok(());
        }
        if let Err(error) = self.arm(store) {
            self.entries[index].watchpoint.enabled = before;
            return Err(error);
        }
        let entry = &mut self.entries[index];
        entry.seen = entry.global().bits(&*store)?;
        self.forget(|known| known == id);
        Ok(())
    }

    /// Tells no more what these have seen.
    fn forget(&mut self, whose: impl Fn(WatchpointId) -> bool) {
        if let Some((_, hits)) = &mut self.due {
            hits.retain(|hit| !whose(hit.id));
        }
        self.noted.retain(|(_, hit)| !whose(hit.id));
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
        (self.armed, self.behind) = (sites, behind);
        store.set_watched(self.entries.iter().any(|entry| entry.watchpoint.enabled));
        if self.entries.is_empty() {
            self.writes = Vec::new();
        }
        Ok(())
    }

    /// The sites behind all that may write a watched global.
    fn wanted(&mut self, store: &StoreMut<'_>) -> Result<Wanted> {
        let mut globals: Vec<(Global, Option<(ModuleId, GlobalIndex)>)> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.watchpoint.enabled) {
            let global = entry.global();
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
                .chain(store.resume_slots(module.id()).map(|(func, slot)| (Some(func), slot)))
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

    /// What is to be told where the guest arrives at a stop point; it is counted.
    #[inline]
    pub(super) fn arrived(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        at: &StopInfo,
    ) -> Result<Vec<WatchHit>> {
        if self.entries.is_empty() && self.due.is_none() {
            return Ok(Vec::new());
        }
        self.look_at_arrival(layers, store, at)
    }

    #[inline(never)]
    fn look_at_arrival(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        at: &StopInfo,
    ) -> Result<Vec<WatchHit>> {
        let mut hits = Vec::new();
        let id = || store.as_store().frame_id(at.slot, at.func, at.fp);
        if let Some((_, due)) = self.due.take_if(|due| id() >= due.0) {
            layers.set_scope(store, Layer::Host, StepScope::Off)?;
            hits = due;
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
                    if written == Some(entry.global())
                        && let Some(values) = entry.compare(store.as_store(), true)?
                    {
                        hits.push(entry.hit((func, row.at), false, values));
                    }
                }
            }
        }
        for hit in &hits {
            if let Some(index) = self.find(hit.id) {
                let count = &mut self.entries[index].watchpoint.hits;
                *count = count.saturating_add(1);
            }
        }
        Ok(hits)
    }

    /// Takes the values as they are: what has been written is nobody's write.
    pub(super) fn refresh(&mut self, store: StoreRef<'_>) -> Result<()> {
        for entry in &mut self.entries {
            entry.seen = entry.global().bits(store)?;
        }
        Ok(())
    }

    /// The host is about to enter a guest: in a host function that a guest waits for, or otherwise.
    pub(super) fn entering(&mut self, store: &mut StoreMut<'_>, within_call: bool) -> Result<()> {
        if within_call {
            return self.note_host(store);
        }
        if !store.live_frames() {
            // Frames that were left without going on.
            (self.due, self.noted) = (None, Vec::new());
        }
        self.refresh(store.as_store())
    }

    /// A host function is about to return to the guest that has called it, or to leave it.
    pub(super) fn returning(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>) -> Result<()> {
        self.note_host(store)?;
        let Some(caller) = caller(store) else { return Ok(()) };
        // Frames further in were left.
        self.noted.retain(|noted| noted.0 >= caller.id);
        let here: Vec<WatchHit> =
            self.noted.iter().filter(|noted| noted.0 == caller.id).map(|(_, hit)| hit.clone()).collect();
        self.noted.retain(|noted| noted.0 != caller.id);
        if !here.is_empty() {
            // It goes on behind the call, or where an exception lands.
            layers.set_scope(store, Layer::Host, StepScope::All)?;
            self.due = Some((caller.id, here));
        }
        Ok(())
    }

    /// Notes what has changed since the guest was left.
    fn note_host(&mut self, store: &mut StoreMut<'_>) -> Result<()> {
        let Some(caller) = caller(store) else { return Ok(()) };
        for entry in self.entries.iter_mut().filter(|entry| entry.watchpoint.enabled) {
            if let Some(values) = entry.compare(store.as_store(), false)? {
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

/// The frame that waits for the host function that runs.
fn caller(store: &StoreMut<'_>) -> Option<CallerOfHost> {
    let mut found = None;
    store.walk_frames(|frame| {
        let func = frame.module.info().defined(frame.func);
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
