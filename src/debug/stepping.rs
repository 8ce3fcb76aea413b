//! What a step is waiting for. A step is tied to a frame by its id, which is an address, not to a count: recursion,
//! nested runs and traps need no special case. Only the functions in which it can end are armed, so a callee runs at
//! full speed.
//!
//! A tail call leaves its frame for good, and the one that takes its place has its id. So a step over a tail call is a
//! step out: there is nothing else of the frame to come back to. A step into one ends at the callee's first
//! instruction, and a step out of that in the caller of both.

use super::layers::{Layer, Layers};
use crate::base::{DefinedFuncIndex, Result, WasmOffset};
use crate::code::{CodeSlot, StepScope};
use crate::runtime::{AsStore, Catcher, StopInfo, StoreMut};
use crate::wasm::is_tail_call;
use std::ops::ControlFlow;

/// The callback's answer to a stop. A step ends at the first stop it describes, at a breakpoint on the way, or
/// when the guest's outermost call returns to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run to the next breakpoint.
    Continue,
    /// Stop at the next instruction, whatever function it is in.
    StepInstruction,
    /// Stop at the next instruction of this frame, or of its caller once it returns; calls run through. A tail call is
    /// the end of the frame: the next instruction is its caller's.
    StepOver,
    /// Stop at the next instruction of the caller.
    StepOut,
    /// End the guest's call with a trap of this message.
    Trap(String),
}

/// What ends the step that is under way. Numbers are ids of frames: a callee's is lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Goal {
    #[default]
    None,
    Anywhere,
    /// In this frame or a caller of it.
    NotBelow(usize),
    /// In a caller of this frame.
    Above(usize),
}

#[derive(Default)]
pub(super) struct Stepping {
    /// Whether every instruction stops: what the layer of that name wants.
    always: bool,
    goal: Goal,
    /// The outermost call the step began in; it ends with it.
    run: u64,
}

impl Stepping {
    pub(super) fn set_always(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>, on: bool) -> Result<()> {
        layers.set_scope(store, Layer::Always, if on { StepScope::All } else { StepScope::Off })?;
        self.always = on;
        Ok(())
    }

    /// Whether a stop ends the step under way; if so, it is over.
    #[inline]
    pub(super) fn satisfied(&mut self, layers: &Layers, store: &StoreMut<'_>, at: &StopInfo) -> bool {
        if self.wants(layers, store, at) {
            self.goal = Goal::None;
            return true;
        }
        false
    }

    /// Whether the next instruction of the frame that has stopped would be stopped at. A stop may be for a breakpoint
    /// alone, in a run beside the one that the step began in, or in a function in which the step cannot end: there, ids
    /// of frames mean nothing to it.
    #[inline]
    pub(super) fn wants(&self, layers: &Layers, store: &StoreMut<'_>, at: &StopInfo) -> bool {
        self.always
            || (self.reached(store, at) && self.run == store.run() && layers.covers(Layer::Step, (at.slot, at.func)))
    }

    #[inline]
    fn reached(&self, store: &StoreMut<'_>, at: &StopInfo) -> bool {
        self.reached_in(|| id(store, at))
    }

    /// Whether it ends in a frame of this id.
    #[inline]
    fn reached_in(&self, id: impl FnOnce() -> usize) -> bool {
        match self.goal {
            Goal::None => false,
            Goal::Anywhere => true,
            Goal::NotBelow(frame) => id() >= frame,
            Goal::Above(frame) => id() > frame,
        }
    }

    /// Resume code takes the place of a function's code in a frame: a step through that function goes on in it.
    pub(super) fn frame_replaced(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        resume: CodeSlot,
        func: DefinedFuncIndex,
    ) -> Result<()> {
        widen(layers, store, (resume, func))
    }

    /// An exception leaves frames, up to one that catches it: a step that waits for one of those, or for one further
    /// out, ends there.
    pub(super) fn thrown(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        caught: Option<Catcher>,
    ) -> Result<()> {
        let Some(Catcher { slot, func, fp, .. }) = caught else { return Ok(()) };
        if self.run == store.run() && self.reached_in(|| store.as_store().frame_id(slot, func, fp)) {
            widen(layers, store, (slot, func))?;
        }
        Ok(())
    }

    /// Disarms what a step that ended with its call has left behind.
    pub(super) fn forget_ended(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>) -> Result<()> {
        if self.goal == Goal::None || self.run != store.run() {
            return self.cancel(layers, store);
        }
        Ok(())
    }

    /// No step is under way any more.
    pub(super) fn cancel(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>) -> Result<()> {
        self.goal = Goal::None;
        layers.set_scope(store, Layer::Step, StepScope::Off)
    }

    /// The stop is about to be shown: what the callback runs in between is not stepped.
    pub(super) fn pause(&mut self) {
        self.goal = Goal::None;
    }

    /// Starts what the callback asked for, at a stop before the instruction at `wasm`, there or in the region behind.
    #[inline]
    pub(super) fn start(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        action: &Action,
        at: &StopInfo,
        wasm: WasmOffset,
    ) -> Result<()> {
        // One step after the other.
        if *action == Action::StepInstruction && *layers.scope(Layer::Step) == StepScope::All {
            (self.goal, self.run) = (Goal::Anywhere, store.run());
            return Ok(());
        }
        // No step is under way, and none is to be.
        if matches!(action, Action::Continue)
            && self.goal == Goal::None
            && matches!(layers.scope(Layer::Step), StepScope::Off)
        {
            return Ok(());
        }
        self.start_anew(layers, store, action, at, wasm)
    }

    /// Starts what the callback asked for where an exception is thrown, by the innermost frame or what it called.
    pub(super) fn start_at_throw(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        action: &Action,
    ) -> Result<()> {
        let mut top = None;
        store.walk_frames(|frame| {
            top = frame.module.info().defined(frame.func).map(|func| (frame.slot, func, frame.fp));
            ControlFlow::Break(())
        });
        let Some((slot, func, fp)) = top else { return self.cancel(layers, store) };
        let frame = store.as_store().frame_id(slot, func, fp);
        self.start_in(layers, store, action, (frame, false))
    }

    fn start_anew(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        action: &Action,
        at: &StopInfo,
        wasm: WasmOffset,
    ) -> Result<()> {
        let leaves = *action == Action::StepOver && leaves_by_call(store, at, wasm);
        self.start_in(layers, store, action, (id(store, at), leaves))
    }

    /// The same, in the frame of this id, which the next instruction leaves for good or not.
    fn start_in(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        action: &Action,
        (frame, leaves): (usize, bool),
    ) -> Result<()> {
        let (goal, scope) = match action {
            Action::Continue | Action::Trap(_) => return self.cancel(layers, store),
            Action::StepInstruction => (Goal::Anywhere, StepScope::All),
            Action::StepOver if !leaves => (Goal::NotBelow(frame), functions(store, 0)),
            Action::StepOver | Action::StepOut => (Goal::Above(frame), functions(store, 1)),
        };
        (self.goal, self.run) = (goal, store.run());
        layers.set_scope(store, Layer::Step, scope)
    }
}

/// A step may end in this function too.
fn widen(layers: &mut Layers, store: &mut StoreMut<'_>, code: (CodeSlot, DefinedFuncIndex)) -> Result<()> {
    let mut scope = layers.scope(Layer::Step).clone();
    if let StepScope::Functions(functions) = &mut scope
        && let Err(at) = functions.binary_search(&code)
    {
        functions.insert(at, code);
    }
    layers.set_scope(store, Layer::Step, scope)
}

/// What the frame that has stopped is known by.
#[inline]
fn id(store: &StoreMut<'_>, at: &StopInfo) -> usize {
    store.as_store().frame_id(at.slot, at.func, at.fp)
}

/// Whether the instruction at `wasm`, in the function that has stopped, is a tail call.
fn leaves_by_call(store: &StoreMut<'_>, at: &StopInfo, wasm: WasmOffset) -> bool {
    store.module_in(at.slot).is_some_and(|module| is_tail_call(module.binary(), wasm))
}

/// The functions of the innermost two frames, without the first `skip`.
fn functions(store: &StoreMut<'_>, skip: usize) -> StepScope {
    let mut found = Vec::with_capacity(2);
    let mut seen = 0;
    store.walk_frames(|frame| {
        // A function that did not fit on the stack does not go on.
        if !frame.set_up {
            return ControlFlow::Continue(());
        }
        if seen >= skip {
            found.extend(frame.module.info().defined(frame.func).map(|func| (frame.slot, func)));
        }
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found.sort_unstable();
    found.dedup();
    if found.is_empty() { StepScope::Off } else { StepScope::Functions(found) }
}
