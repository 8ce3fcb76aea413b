//! What binds a watchpoint to a frame: that of the local which it watches, or that in whose part of a memory the
//! watched variable is. Here is known how the frame is told from others, where the guest has to be looked at for that,
//! and when the frame has ended. What is watched, and what is told, is the affair of `watch.rs`.
//!
//! A frame is known by its id and its function. An id alone is not enough: a frame's is that of those which take its
//! place by tail calls, and of later ones that are called from the same place. So the guest is looked at at
//!
//! - the first instruction of the function: who comes there in a frame of this id has just been called, and the bound
//!   frame is gone;
//! - its tail calls: the frame is about to be gone, unless the debugger has it go on elsewhere;
//! - what stands behind the call in its caller: it has returned.
//!
//! The debugger's own breakpoints are there ([`Breakpoints::add_own`]). An exception is told to the debugger before the
//! frames are left, and so is a trap. Whatever else leaves frames ends in the host, and is found by a look at the
//! frames that are live, before the host enters a guest or returns to one, from a function of its or from a callback.

use super::breakpoint_id::BreakpointId;
use super::breakpoints::Breakpoints;
use super::places::{Target, target_at};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, FuncIndex, LocalIndex, Result, WasmOffset};
use crate::runtime::{AsStore, Module, ModuleId, StopInfo, StoreMut, StoreRef};
use crate::wasm::{LocalWrite, is_tail_call, local_writes};
use std::ops::ControlFlow;

/// A frame: its id, and its function.
pub(super) type FrameName = (usize, ModuleId, DefinedFuncIndex);

/// What a watchpoint is bound to.
pub(super) struct Bound {
    frame: FrameName,
    /// The function's first instruction.
    entry: WasmOffset,
    life: Life,
    /// The frame that goes on when this one has ended: its caller, or who catches what ends it. None where that is the
    /// host.
    next: Option<usize>,
    /// The call that it is the callee of, or where there is none its own first instruction.
    by: (FuncIndex, WasmOffset),
    /// The debugger's own breakpoints by which its end is seen.
    ends: BreakpointId,
    /// What is known of the local, if one is watched.
    local: Option<Local>,
}

/// A watched local.
struct Local {
    /// What writes it and can be reached, by what stands behind it, ascending.
    writes: Vec<LocalWrite>,
    module: Module,
    /// Where the debugger's own breakpoint goes: behind each write.
    places: Vec<(Module, Target)>,
    /// That breakpoint, while it is there.
    breakpoint: Option<BreakpointId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Live,
    /// It stands at a tail call.
    Leaving,
    Over,
}

/// Where the guest arrives.
pub(super) struct Place {
    frame: FrameName,
    wasm: WasmOffset,
    /// Whether that is a tail call.
    leaves: bool,
}

impl Place {
    /// Before this instruction of the frame that has stopped.
    pub(super) fn new(store: &StoreMut<'_>, at: &StopInfo, wasm: WasmOffset) -> Option<Place> {
        let module = store.module_in(at.slot)?;
        let id = store.as_store().frame_id(at.slot, at.func, at.fp);
        let leaves = is_tail_call(module.binary(), wasm);
        Some(Place { frame: (id, module.id(), at.func), wasm, leaves })
    }

    /// The id of the frame.
    pub(super) fn frame(&self) -> usize {
        self.frame.0
    }
}

/// What the guest's arrival somewhere means to a bound frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Nothing.
    Elsewhere,
    /// It goes on, behind this write of the watched local, if it is one.
    Here(Option<WasmOffset>),
    /// It is gone. That is not told yet.
    Over,
    /// It is gone, and what goes on behind it does so now.
    Told,
}

/// A frame as it is found among those that are live.
struct Found {
    module: Module,
    func: DefinedFuncIndex,
    /// The instruction that it stands at.
    wasm: WasmOffset,
    caller: Option<Caller>,
}

struct Caller {
    id: usize,
    module: Module,
    func: DefinedFuncIndex,
    call: WasmOffset,
}

/// The live frame of this id, and the one that waits for it.
fn find(store: StoreRef<'_>, id: usize) -> Option<Found> {
    let mut found: Option<Found> = None;
    store.walk_frames(|frame| {
        let Some(func) = frame.module.info().defined(frame.func).filter(|_| frame.set_up) else {
            return ControlFlow::Continue(());
        };
        let (own, module) = (store.frame_id(frame.slot, func, frame.fp), frame.module.clone());
        match &mut found {
            None if own != id => ControlFlow::Continue(()),
            None => {
                found = Some(Found { module, func, wasm: frame.wasm, caller: None });
                ControlFlow::Continue(())
            }
            Some(found) => {
                // One that stands at a stop waits for no call: the debugger's callback has made one. Nobody sees one in
                // production code go on.
                let goes_on = frame.after_call && !frame.is_production();
                found.caller = goes_on.then_some(Caller { id: own, module, func, call: frame.wasm });
                ControlFlow::Break(())
            }
        }
    });
    found
}

/// All live frames.
pub(super) fn live(store: StoreRef<'_>) -> Vec<FrameName> {
    let mut live = Vec::new();
    store.walk_frames(|frame| {
        if let Some(func) = frame.module.info().defined(frame.func).filter(|_| frame.set_up) {
            live.push((store.frame_id(frame.slot, func, frame.fp), frame.module.id(), func));
        }
        ControlFlow::Continue(())
    });
    live
}

/// The ids of the frames that are left: all up to the one that goes on, or up to the host if none does.
pub(super) fn left(store: StoreRef<'_>, goes_on: Option<usize>) -> Vec<usize> {
    let mut left = Vec::new();
    store.walk_frames(|frame| {
        let Some(func) = frame.module.info().defined(frame.func) else { return ControlFlow::Continue(()) };
        let id = store.frame_id(frame.slot, func, frame.fp);
        if goes_on == Some(id) || (goes_on.is_none() && frame.host_boundary_before) {
            return ControlFlow::Break(());
        }
        left.push(id);
        ControlFlow::Continue(())
    });
    left
}

/// The frame that the one of this id returns to, by its id, and whether that runs production code; none if it is the
/// host.
pub(super) fn next_out(store: StoreRef<'_>, id: usize) -> Option<(usize, bool)> {
    let (mut found, mut next) = (false, None);
    store.walk_frames(|frame| {
        let Some(func) = frame.module.info().defined(frame.func) else { return ControlFlow::Continue(()) };
        let own = store.frame_id(frame.slot, func, frame.fp);
        if found {
            next = (!frame.host_boundary_before).then_some((own, frame.is_production()));
            return ControlFlow::Break(());
        }
        found = own == id;
        ControlFlow::Continue(())
    });
    next
}

/// What is in a local of a live frame: its type, and its bits.
pub(super) fn local_of(store: StoreRef<'_>, id: usize, local: LocalIndex) -> Option<(crate::base::ValType, [u64; 2])> {
    let mut value = None;
    store.walk_frames(|frame| {
        let func = frame.module.info().defined(frame.func).filter(|_| frame.set_up);
        match func.filter(|func| store.frame_id(frame.slot, *func, frame.fp) == id) {
            Some(_) => {
                value = frame.local(local.index()).map(|(ty, raw)| (ty, raw.words()));
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    });
    value
}

impl Bound {
    /// Binds to a live frame, by its id, and to one of its locals, if one is to be watched.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where there is no such frame; those of compiling debug code and of patching it.
    pub(super) fn new(
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        frame: usize,
        local: Option<LocalIndex>,
    ) -> Result<Bound> {
        let Some(Found { module, func, wasm, caller }) = find(store.as_store(), frame) else {
            return Err(Error::new(ErrorKind::State, "the frame is not there any more"));
        };
        // Each that can be reached.
        let graph = module.region_graph(func)?;
        let reached = &graph.instructions;
        let entry = reached.first().copied().unwrap_or(wasm);
        let mut places = Vec::new();
        let leaves = reached.iter().filter(|at| **at != entry && is_tail_call(module.binary(), **at));
        for at in leaves.copied().chain([entry]) {
            places.push((module.clone(), target_at(&module, func, at)?));
        }
        let local = match local {
            None => None,
            Some(index) => {
                let mut local =
                    Local { writes: Vec::new(), module: module.clone(), places: Vec::new(), breakpoint: None };
                for write in local_writes(module.info(), module.binary(), func, index)? {
                    if reached.binary_search(&write.at).is_ok() {
                        local.writes.push(write);
                        local.places.push((module.clone(), target_at(&module, func, write.behind)?));
                    }
                }
                Some(local)
            }
        };
        let mut by = (module.info().func_index(func), entry);
        if let Some(Caller { module, func, call, .. }) = &caller {
            by = (module.info().func_index(*func), *call);
            let graph = module.region_graph(*func)?;
            let behind = graph.instructions.partition_point(|at| at <= call);
            if let Some(behind) = graph.instructions.get(behind) {
                places.push((module.clone(), target_at(module, *func, *behind)?));
            }
        }
        let ends = breakpoints.add_own(store, &module, &places)?;
        let life = if is_tail_call(module.binary(), wasm) { Life::Leaving } else { Life::Live };
        let next = caller.map(|caller| caller.id);
        Ok(Bound { frame: (frame, module.id(), func), entry, life, next, by, ends, local })
    }

    /// Has the guest looked at behind writes of the local, or no longer.
    pub(super) fn enable(
        &mut self,
        breakpoints: &mut Breakpoints,
        store: &mut StoreMut<'_>,
        enabled: bool,
    ) -> Result<()> {
        let Some(local) = &mut self.local else { return Ok(()) };
        match local.breakpoint {
            None if enabled && !local.places.is_empty() => {
                local.breakpoint = Some(breakpoints.add_own(store, &local.module, &local.places)?);
            }
            Some(breakpoint) if !enabled => {
                breakpoints.remove_own(store, &[breakpoint])?;
                local.breakpoint = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// The debugger's own breakpoints that it has.
    pub(super) fn breakpoints(&self) -> impl Iterator<Item = BreakpointId> + '_ {
        let written = self.local.as_ref().and_then(|local| local.breakpoint);
        std::iter::once(self.ends).chain(written)
    }

    /// The frame.
    pub(super) fn frame(&self) -> FrameName {
        self.frame
    }

    /// The call by which the frame came to be, with the function that it is in.
    pub(super) fn by(&self) -> (FuncIndex, WasmOffset) {
        self.by
    }

    /// Whether the frame is there, and not about to be left by a tail call.
    pub(super) fn is_live(&self) -> bool {
        self.life == Life::Live
    }

    /// Whether the frame is gone.
    pub(super) fn is_over(&self) -> bool {
        self.life == Life::Over
    }

    /// The guest arrives somewhere.
    pub(super) fn arrive(&mut self, at: &Place) -> Arrival {
        let is_next = self.next == Some(at.frame.0);
        if self.life == Life::Over {
            return if is_next { Arrival::Told } else { Arrival::Elsewhere };
        }
        if at.frame.0 != self.frame.0 {
            if is_next {
                self.life = Life::Over;
            }
            return if is_next { Arrival::Told } else { Arrival::Elsewhere };
        }
        if at.frame != self.frame || at.wasm == self.entry {
            self.life = Life::Over;
            return Arrival::Over;
        }
        self.stand(at);
        let written = self.local.as_ref().and_then(|local| {
            let index = local.writes.binary_search_by_key(&at.wasm, |write| write.behind).ok()?;
            Some(local.writes[index].at)
        });
        Arrival::Here(written)
    }

    /// The guest stands somewhere, where it may have been put by a callback.
    pub(super) fn stand(&mut self, at: &Place) {
        if self.life != Life::Over && self.frame == at.frame {
            self.life = if at.leaves { Life::Leaving } else { Life::Live };
        }
    }

    /// These frames are being left for another one, or for the host. Whether that concerns this one: it is over then,
    /// and goes on in that.
    pub(super) fn leave(&mut self, left: &[usize], goes_on: Option<usize>) -> bool {
        let concerned = match self.life {
            Life::Over => self.next.is_some_and(|next| left.contains(&next) || goes_on == Some(next)),
            Life::Live | Life::Leaving => left.contains(&self.frame.0),
        };
        if concerned {
            (self.life, self.next) = (Life::Over, goes_on);
        }
        concerned
    }

    /// Looks whether the frame is among those that are live. Whether anything is still to be told of it.
    pub(super) fn look(&mut self, live: &[FrameName]) -> bool {
        if self.life != Life::Over && !live.contains(&self.frame) {
            self.life = Life::Over;
        }
        self.life != Life::Over || self.next.is_some_and(|next| live.iter().any(|frame| frame.0 == next))
    }
}
