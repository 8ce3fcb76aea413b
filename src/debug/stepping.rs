//! What a step is waiting for. A step is tied to a frame by its address, not to a count: recursion, nested runs and
//! traps need no special case. Only the functions in which it can end are armed, so a callee runs at full speed.

use super::layers::{Layer, Layers};
use crate::base::{DefinedFuncIndex, Result};
use crate::code::{CodeSlot, StepScope};
use crate::runtime::{Catcher, StoreMut};
use std::ops::ControlFlow;

/// The callback's answer to a stop. A step ends at the first stop it describes, at a breakpoint on the way, or
/// when the guest's outermost call returns to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run to the next breakpoint.
    Continue,
    /// Stop at the next instruction, whatever function it is in.
    StepInstruction,
    /// Stop at the next instruction of this frame, or of its caller once it returns; calls run through.
    StepOver,
    /// Stop at the next instruction of the caller.
    StepOut,
    /// End the guest's call with a trap of this message.
    Trap(String),
}

/// What ends the step that is under way. Addresses are frame pointers; the stack grows down, so a callee's is lower.
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

    /// Whether a stop in the frame at `fp`, of the function `code`, ends the step under way; if so, it is over.
    #[inline]
    pub(super) fn satisfied(
        &mut self,
        layers: &Layers,
        store: &StoreMut<'_>,
        fp: usize,
        code: (CodeSlot, DefinedFuncIndex),
    ) -> bool {
        if self.wants(layers, store, fp, code) {
            self.goal = Goal::None;
            return true;
        }
        false
    }

    /// Whether the next instruction in the frame at `fp`, of the function `code`, would be stopped at. A stop may be
    /// for a breakpoint alone, in a run beside the one that the step began in, or in a function in which the step
    /// cannot end: there, addresses of frames mean nothing to it.
    #[inline]
    pub(super) fn wants(
        &self,
        layers: &Layers,
        store: &StoreMut<'_>,
        fp: usize,
        code: (CodeSlot, DefinedFuncIndex),
    ) -> bool {
        self.always || (self.reached(fp) && self.run == store.run() && layers.covers(Layer::Step, code))
    }

    #[inline]
    fn reached(&self, fp: usize) -> bool {
        match self.goal {
            Goal::None => false,
            Goal::Anywhere => true,
            Goal::NotBelow(frame) => fp >= frame,
            Goal::Above(frame) => fp > frame,
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
        match caught {
            Some(Catcher { slot, func, fp, .. }) if self.reached(fp) && self.run == store.run() => {
                widen(layers, store, (slot, func))
            }
            _ => Ok(()),
        }
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

    /// Starts what the callback asked for, at a stop in the frame at `fp`.
    #[inline]
    pub(super) fn start(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        action: &Action,
        fp: usize,
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
        self.start_anew(layers, store, action, fp)
    }

    fn start_anew(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>, action: &Action, fp: usize) -> Result<()> {
        let (goal, scope) = match action {
            Action::Continue | Action::Trap(_) => return self.cancel(layers, store),
            Action::StepInstruction => (Goal::Anywhere, StepScope::All),
            Action::StepOver => (Goal::NotBelow(fp), functions(store, 0)),
            Action::StepOut => (Goal::Above(fp), functions(store, 1)),
        };
        self.goal = goal;
        self.run = store.run();
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
