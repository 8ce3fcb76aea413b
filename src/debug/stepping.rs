//! What a step is waiting for. A step is tied to a frame by its address, not to a count: recursion, nested runs and
//! traps need no special case. Only the functions in which it can end are armed, so a callee runs at full speed.

use crate::base::DefinedFuncIndex;
use crate::base::Result;
use crate::code::{CodeSlot, StepScope};
use crate::runtime::StoreMut;
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
    always: bool,
    goal: Goal,
    /// The outermost call the step began in; it ends with it.
    run: u64,
    /// What is armed for stepping now.
    armed: StepScope,
}

impl Stepping {
    pub(super) fn set_always(&mut self, store: &mut StoreMut<'_>, on: bool) -> Result<()> {
        let scope = if on { StepScope::All } else { self.armed.clone() };
        let scope = if !on && self.goal != Goal::Anywhere { StepScope::Off } else { scope };
        self.arm(store, scope)?;
        self.always = on;
        Ok(())
    }

    /// Whether a stop in the frame at `fp`, of the function `code`, ends the step under way; if so, it is over.
    #[inline]
    pub(super) fn satisfied(&mut self, store: &StoreMut<'_>, fp: usize, code: (CodeSlot, DefinedFuncIndex)) -> bool {
        if self.wants(store, fp, code) {
            self.goal = Goal::None;
            return true;
        }
        false
    }

    /// Whether the next instruction in the frame at `fp`, of the function `code`, would be stopped at.
    #[inline]
    pub(super) fn wants(&self, store: &StoreMut<'_>, fp: usize, code: (CodeSlot, DefinedFuncIndex)) -> bool {
        self.always || (self.reached(fp) && self.run == store.run() && self.covers(code))
    }

    /// Whether the step could end in this function. A stop may be for a breakpoint alone, in a run beside the one that the
    /// step began in: there, addresses of frames mean nothing to it.
    #[inline]
    fn covers(&self, code: (CodeSlot, DefinedFuncIndex)) -> bool {
        match &self.armed {
            StepScope::Off => false,
            StepScope::All => true,
            StepScope::Functions(functions) => functions.contains(&code),
        }
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
        store: &mut StoreMut<'_>,
        resume: CodeSlot,
        func: DefinedFuncIndex,
    ) -> Result<()> {
        let mut scope = self.armed.clone();
        if let StepScope::Functions(functions) = &mut scope
            && let Err(at) = functions.binary_search(&(resume, func))
        {
            functions.insert(at, (resume, func));
        }
        self.arm(store, scope)
    }

    /// Disarms what a step that ended with its call has left behind.
    pub(super) fn forget_ended(&mut self, store: &mut StoreMut<'_>) -> Result<()> {
        if self.goal == Goal::None || self.run != store.run() {
            return self.cancel(store);
        }
        Ok(())
    }

    /// No step is under way any more.
    pub(super) fn cancel(&mut self, store: &mut StoreMut<'_>) -> Result<()> {
        self.goal = Goal::None;
        let scope = if self.always { StepScope::All } else { StepScope::Off };
        self.arm(store, scope)
    }

    /// The stop is about to be shown: what the callback runs in between is not stepped.
    pub(super) fn pause(&mut self) {
        self.goal = Goal::None;
    }

    /// Starts what the callback asked for, at a stop in the frame at `fp`.
    #[inline]
    pub(super) fn start(&mut self, store: &mut StoreMut<'_>, action: &Action, fp: usize) -> Result<()> {
        // One step after the other.
        if *action == Action::StepInstruction && self.armed == StepScope::All {
            (self.goal, self.run) = (Goal::Anywhere, store.run());
            return Ok(());
        }
        self.start_anew(store, action, fp)
    }

    fn start_anew(&mut self, store: &mut StoreMut<'_>, action: &Action, fp: usize) -> Result<()> {
        let (goal, scope) = match action {
            Action::Continue | Action::Trap(_) => return self.cancel(store),
            Action::StepInstruction => (Goal::Anywhere, StepScope::All),
            Action::StepOver => (Goal::NotBelow(fp), functions(store, 0)),
            Action::StepOut => (Goal::Above(fp), functions(store, 1)),
        };
        self.goal = goal;
        self.run = store.run();
        let scope = if self.always { StepScope::All } else { scope };
        self.arm(store, scope)
    }

    fn arm(&mut self, store: &mut StoreMut<'_>, scope: StepScope) -> Result<()> {
        if self.armed != scope {
            let mut edit = store.edit();
            edit.set_step(scope.clone())?;
            edit.commit()?;
            self.armed = scope;
        }
        Ok(())
    }
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
