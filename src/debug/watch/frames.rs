//! Watchpoints that are bound to frames: what they tell where the guest comes to, and their end with the frame.

use super::{Watch, seen_local};
use crate::base::{LocalIndex, Result, ValType, WasmOffset};
use crate::debug::bound::{Arrival, Bound, Place, left, live, local_of, next_out};
use crate::debug::breakpoints::Breakpoints;
use crate::debug::layers::Layers;
use crate::debug::watchpoint::{WatchHit, WatchTarget};
use crate::runtime::{AsStore, Catcher, StopInfo, StoreMut, StoreRef, VirtualFrame};
use crate::wasm::is_return;

impl Watch {
    /// What is to be told of watchpoints that are bound to frames where the guest has come to an instruction, at a stop
    /// point or by rerun inside of a region; hits are counted. And whether the instruction is behind a write of a
    /// watched local, of which nothing may be to be told.
    #[inline(never)]
    pub(in crate::debug) fn in_frames(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        at: &StopInfo,
        wasm: WasmOffset,
        inside: Option<&VirtualFrame>,
    ) -> Result<(Vec<WatchHit>, bool)> {
        let Some(place) = Place::new(store, at, wasm) else { return Ok((Vec::new(), false)) };
        let Some(module) = store.module_in(at.slot) else { return Ok((Vec::new(), false)) };
        let func = module.info().func_index(at.func);
        let (mut hits, mut told, mut over, mut looked) = (Vec::new(), Vec::new(), false, false);
        for entry in &mut self.entries {
            let Some(bound) = &mut entry.bound else { continue };
            match bound.arrive(&place) {
                Arrival::Here(Some(by)) if entry.watchpoint.enabled => {
                    looked = true;
                    if let WatchTarget::Local(local) = entry.watchpoint.target
                        && let Some(value) = value_of(store.as_store(), place.frame(), local, inside)
                        && let Some(values) = entry.written_local(value)
                    {
                        hits.push(entry.hit((func, by), false, values));
                    }
                }
                Arrival::Elsewhere | Arrival::Here(_) => {}
                Arrival::Over => over = true,
                Arrival::Told => told.push(entry.watchpoint.id),
            }
        }
        self.count(&hits);
        if over {
            self.protect(store)?;
        }
        if !told.is_empty() {
            let ended = self.entries.iter().filter(|entry| told.contains(&entry.watchpoint.id));
            let ended = ended.filter(|entry| entry.watchpoint.enabled);
            hits.extend(ended.filter_map(|entry| Some(entry.end(entry.bound.as_ref()?))));
            self.remove(breakpoints, store, &told)?;
        }
        Ok((hits, looked))
    }

    /// The guest is to go on from an instruction, where a callback may have given its frame other values, or have put
    /// it: that is nobody's write.
    pub(in crate::debug) fn stand(
        &mut self,
        store: &StoreMut<'_>,
        at: &StopInfo,
        wasm: WasmOffset,
        inside: Option<&VirtualFrame>,
    ) {
        let Some(place) = Place::new(store, at, wasm) else { return };
        for entry in &mut self.entries {
            let Some(bound) = &mut entry.bound else { continue };
            bound.stand(&place);
            if let WatchTarget::Local(local) = entry.watchpoint.target
                && bound.frame().0 == place.frame()
                && !bound.is_over()
                && let Some((ty, bits)) = value_of(store.as_store(), place.frame(), local, inside)
            {
                entry.seen = seen_local(ty, bits);
            }
        }
    }

    /// Looks which frames are live: watchpoints of others end. Where nobody goes on behind a frame, they are removed.
    pub(in crate::debug) fn look_at_frames(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
    ) -> Result<()> {
        if !self.is_bound() {
            return Ok(());
        }
        let live = live(store.as_store());
        self.end(breakpoints, store, |bound| {
            let was_over = bound.is_over();
            let stays = bound.look(&live);
            (was_over != bound.is_over(), stays)
        })
    }

    /// Frames have ended: `look` says of each whether it has, and whether that is still to be told.
    fn end(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        mut look: impl FnMut(&mut Bound) -> (bool, bool),
    ) -> Result<()> {
        let (mut ended, mut gone) = (false, Vec::new());
        for entry in &mut self.entries {
            let Some(bound) = &mut entry.bound else { continue };
            let (is_over, stays) = look(bound);
            ended |= is_over;
            if !stays {
                gone.push(entry.watchpoint.id);
            }
        }
        match (ended, gone.is_empty()) {
            (_, false) => self.remove(breakpoints, store, &gone),
            (true, true) => self.protect(store),
            (false, true) => Ok(()),
        }
    }

    /// An exception is about to leave frames, up to one that catches it.
    pub(in crate::debug) fn thrown(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        caught: Option<Catcher>,
    ) -> Result<()> {
        if !self.is_bound() {
            return Ok(());
        }
        let goes_on = caught.map(|Catcher { slot, func, fp, .. }| store.as_store().frame_id(slot, func, fp));
        // Where production code catches it, nobody is told.
        let told = caught.is_some_and(|catcher| store.is_private(catcher.slot));
        self.leave_for(breakpoints, layers, store, goes_on, told)
    }

    /// The guest leaves the frames within one, as a callback has said, which stands at a stop then. If that is about to
    /// return, it is left as well.
    pub(in crate::debug) fn left_for(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        at: &StopInfo,
    ) -> Result<()> {
        if !self.is_bound() {
            return Ok(());
        }
        let frame = store.as_store().frame_id(at.slot, at.func, at.fp);
        let returns = store.module_in(at.slot).is_some_and(|module| {
            let end = module.info().bodies[at.func.index()].bytes.end;
            at.wasm.index() + 1 == end || is_return(module.binary(), at.wasm)
        });
        let goes_on = if returns { next_out(store.as_store(), frame) } else { Some((frame, false)) };
        let told = goes_on.is_some_and(|(_, production)| !production);
        self.leave_for(breakpoints, layers, store, goes_on.map(|(frame, _)| frame), told)
    }

    /// Frames are left, up to the one of this id, or to the host. `told`: the guest stops where that goes on.
    fn leave_for(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        goes_on: Option<usize>,
        told: bool,
    ) -> Result<()> {
        let left = left(store.as_store(), goes_on);
        let goes_on = goes_on.filter(|_| told);
        let mut due = false;
        self.end(breakpoints, store, |bound| {
            let ended = bound.leave(&left, goes_on);
            due |= ended && goes_on.is_some();
            (ended, !ended || goes_on.is_some())
        })?;
        // It is told where that goes on.
        if due { self.stop_everywhere(layers, store) } else { Ok(()) }
    }

    /// A trap is about to leave frames, up to the host.
    pub(in crate::debug) fn trap_told(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
    ) -> Result<()> {
        if !self.is_bound() {
            return Ok(());
        }
        let left = left(store.as_store(), None);
        self.end(breakpoints, store, |bound| {
            let ended = bound.leave(&left, None);
            (ended, !ended)
        })
    }
}

/// What is in a local of the frame where the guest stands, by its id, or of what rerun has come to in that.
fn value_of(
    store: StoreRef<'_>,
    frame: usize,
    local: LocalIndex,
    inside: Option<&VirtualFrame>,
) -> Option<(ValType, [u64; 2])> {
    match inside {
        Some(inside) => inside.local(local.index()).map(|(ty, raw)| (ty, raw.words())),
        None => local_of(store, frame, local),
    }
}
