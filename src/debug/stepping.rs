//! What a step is waiting for. A step is tied to a frame by its id, which is an address, not to a count: recursion,
//! nested runs and traps need no special case. Only the functions in which it can end are armed, so a callee runs at
//! full speed.
//!
//! A tail call leaves its frame for good, and the one that takes its place has its id. So a step over a tail call is a
//! step out: there is nothing else of the frame to come back to. A step into one ends at the callee's first
//! instruction, and a step out of that in the caller of both.
//!
//! Where a step ends is said by its [`Goal`], which looks at frames alone. Some steps have more to say: of the
//! instructions that the goal lets through, their [`Plan`] says which one ends them.

use super::layers::{Layer, Layers};
use super::line_step::{Enters, KnownLines, LineStep};
use crate::base::{DefinedFuncIndex, Result, WasmOffset};
use crate::code::{CodeSlot, StepScope};
use crate::dwarf::FunctionLines;
use crate::runtime::{AsStore, Catcher, Module, StopInfo, StoreMut};
use crate::wasm::is_tail_call;
use std::ops::ControlFlow;
use std::sync::Arc;

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
    /// Stop where another line of the source begins, in this function or in one with lines that it calls: there behind
    /// what sets up its frame. What has no lines is run through, with all that it calls; what a host function calls
    /// back is not. Once the frame returns, stop at once in the next one further out that has lines. In a function
    /// without lines it is a step out to one that has some, and [`Action::StepInstruction`] where there is none.
    StepLine,
    /// The same, but calls run through, and so does what is inlined. In a function without lines where no caller has
    /// any, it is [`Action::StepOver`].
    NextLine,
    /// As [`Action::NextLine`], but into what the call at this instruction of the frame's function calls: there behind
    /// what sets up its frame, or at its first instruction where it has no lines. In a function without lines it is
    /// [`Action::StepInstruction`] at the call, and [`Action::StepOver`] elsewhere. [`Stop::calls_of_line`] has them.
    ///
    /// [`Stop::calls_of_line`]: super::Stop::calls_of_line
    StepInto(WasmOffset),
    /// Stop at the next instruction of the frame of this index, or of its caller once it returns: so many frames are
    /// left, of which 1 is [`Action::StepOut`], and 0 [`Action::StepOver`]. With more than there are, run to the next
    /// breakpoint.
    StepOutOf(usize),
    /// Stop at one of these instructions of this frame's function, in this frame, or at the next instruction of the
    /// caller once it returns. Calls run through, also those of the same function. [`Stop::offsets_of_line`] has those
    /// of a line.
    ///
    /// [`Stop::offsets_of_line`]: super::Stop::offsets_of_line
    RunTo(Vec<WasmOffset>),
    /// End the guest's call with a trap of this message.
    Trap(String),
    /// It is not known yet: the call that the guest is in waits, and is answered by
    /// [`Debugger::answer`](super::Debugger::answer). Where the guest was not called by a
    /// [`Call`](crate::runtime::Call), or by a host function inside of one, and where a host function is told of, it
    /// cannot wait: then it ends with a trap that says so.
    Later,
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

/// What a step says of the instructions that its goal lets through.
#[derive(Default)]
enum Plan {
    /// The first one ends it.
    #[default]
    None,
    Lines(LineStep),
    Offsets(Offsets),
}

/// A step to a place.
struct Offsets {
    /// The id of its frame.
    frame: usize,
    /// What is known of its function.
    lines: Arc<FunctionLines>,
    /// Where it ends; ascending.
    offsets: Vec<WasmOffset>,
}

#[derive(Default)]
pub(super) struct Stepping {
    /// Whether every instruction stops: what the layer of that name wants.
    always: bool,
    goal: Goal,
    plan: Plan,
    known: KnownLines,
    /// The outermost call the step began in; it ends with it.
    run: u64,
}

impl Stepping {
    pub(super) fn set_always(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>, on: bool) -> Result<()> {
        layers.set_scope(store, Layer::Always, if on { StepScope::All } else { StepScope::Off })?;
        self.always = on;
        Ok(())
    }

    /// Whether no step is under way, and none has left anything armed.
    #[inline]
    pub(super) fn is_idle(&self, layers: &Layers) -> bool {
        self.goal == Goal::None && matches!(layers.scope(Layer::Step), StepScope::Off)
    }

    /// Whether every instruction stops.
    #[inline]
    pub(super) fn is_always(&self) -> bool {
        self.always
    }

    /// Whether the next instruction that any guest of the store comes to ends a step.
    #[inline]
    pub(super) fn goes_anywhere(&self, layers: &Layers, store: &StoreMut<'_>) -> bool {
        self.always
            || (self.goal == Goal::Anywhere
                && matches!(self.plan, Plan::None)
                && self.run == store.run()
                && matches!(layers.scope(Layer::Step), StepScope::All))
    }

    /// Whether the instruction at `wasm` ends the step under way; if so, it is over.
    #[inline]
    pub(super) fn satisfied(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        at: &StopInfo,
        wasm: WasmOffset,
    ) -> Result<bool> {
        if !self.wants(layers, store, at) {
            return Ok(false);
        }
        if !matches!(self.plan, Plan::None) && !self.always && !self.look(layers, store, at, wasm)? {
            return Ok(false);
        }
        self.pause();
        Ok(true)
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
        if self.run != store.run() {
            return Ok(());
        }
        if !store.is_private(slot) {
            // In production code no step ends; but one that does so anywhere goes on.
            return if self.goal == Goal::Anywhere { Ok(()) } else { self.cancel(layers, store) };
        }
        let frame = store.as_store().frame_id(slot, func, fp);
        let reached = self.reached_in(|| frame);
        match &mut self.plan {
            Plan::Lines(step) if frame > step.frame() => {
                // Its own frame is gone.
                let lines = store.module_in(slot).map(|module| self.known.of(module, func));
                let Some(lines) = lines.filter(|lines| !lines.is_empty()) else {
                    return self.go_out_to_lines(layers, store, frame).map(drop);
                };
                step.move_to(frame, lines);
                self.go_on_in(layers, store, frame)
            }
            _ if reached => widen(layers, store, (slot, func)),
            _ => Ok(()),
        }
    }

    /// Disarms what a step that ended with its call has left behind.
    pub(super) fn forget_ended(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>) -> Result<()> {
        // A step may be through a call that waits, while others run.
        let is_over = || self.run != store.run() && !store.as_store().is_run_live(self.run);
        if self.goal == Goal::None || is_over() {
            return self.cancel(layers, store);
        }
        Ok(())
    }

    /// No step is under way any more.
    pub(super) fn cancel(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>) -> Result<()> {
        self.pause();
        self.known.forget();
        layers.set_scope(store, Layer::Step, StepScope::Off)
    }

    /// The stop is about to be shown: what the callback runs in between is not stepped.
    #[inline]
    pub(super) fn pause(&mut self) {
        self.goal = Goal::None;
        if !matches!(self.plan, Plan::None) {
            self.plan = Plan::None;
        }
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
        if matches!(action, Action::Continue) && self.is_idle(layers) {
            return Ok(());
        }
        self.start_anew(layers, store, action, at, wasm)
    }

    /// Starts what the callback asked for where the innermost frame is in a call: of the host, or of what throws.
    pub(super) fn start_in_call(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        action: &Action,
    ) -> Result<()> {
        let mut innermost = None;
        store.walk_frames(|frame| {
            innermost = Some((frame.wasm, frame.is_production()));
            ControlFlow::Break(())
        });
        let wasm = match innermost {
            Some((wasm, false)) => wasm,
            // It goes on in production code, up to the next call.
            Some((_, true)) if matches!(action, Action::StepInstruction | Action::StepLine) => {
                self.pause();
                (self.goal, self.run) = (Goal::Anywhere, store.run());
                return layers.set_scope(store, Layer::Step, StepScope::All);
            }
            _ => return self.cancel(layers, store),
        };
        let Some((frame, code)) = nth_frame(store, 0) else { return self.cancel(layers, store) };
        // What it calls comes back to it, or leaves it without a call.
        self.start_in(layers, store, action, From { frame, code, wasm, leaves: false })
    }

    fn start_anew(
        &mut self,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        action: &Action,
        at: &StopInfo,
        wasm: WasmOffset,
    ) -> Result<()> {
        let leaves = !matches!(action, Action::Continue | Action::StepInstruction) && leaves_by_call(store, at, wasm);
        let from = From { frame: id(store, at), code: (at.slot, at.func), wasm, leaves };
        self.start_in(layers, store, action, from)
    }

    fn start_in(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>, action: &Action, from: From) -> Result<()> {
        let From { frame, leaves, .. } = from;
        // In the frame or a caller of it; once the next instruction has left it for good, in a caller alone.
        let here = if leaves { Goal::Above(frame) } else { Goal::NotBelow(frame) };
        let (goal, scope) = match action {
            // Who answers later has answered by now.
            Action::Continue | Action::Trap(_) | Action::Later => return self.cancel(layers, store),
            Action::StepLine => return self.start_lines(layers, store, Enters::All, from),
            Action::NextLine => return self.start_lines(layers, store, Enters::Nothing, from),
            Action::StepInto(call) => return self.start_lines(layers, store, Enters::Call(*call), from),
            Action::StepInstruction => (Goal::Anywhere, StepScope::All),
            Action::StepOver | Action::StepOutOf(0) => (here, functions(store, usize::from(leaves))),
            Action::StepOut => (Goal::Above(frame), functions(store, 1)),
            Action::StepOutOf(count) => match nth_frame(store, *count) {
                Some((frame, code)) => (Goal::NotBelow(frame), StepScope::Functions(vec![code])),
                None => return self.cancel(layers, store),
            },
            Action::RunTo(_) => (here, functions(store, 0)),
        };
        self.pause();
        if let (Action::RunTo(offsets), Some(module)) = (action, store.module_in(from.code.0)) {
            let mut offsets = offsets.clone();
            offsets.sort_unstable();
            self.plan = Plan::Offsets(Offsets { frame, lines: self.known.of(module, from.code.1), offsets });
        }
        (self.goal, self.run) = (goal, store.run());
        layers.set_scope(store, Layer::Step, scope)
    }

    /// Starts a step through lines.
    fn start_lines(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>, enters: Enters, from: From) -> Result<()> {
        let From { frame, code, wasm, leaves } = from;
        self.pause();
        self.run = store.run();
        let Some(lines) = store.module_in(code.0).map(|module| self.known.of(module, code.1)) else {
            return self.cancel(layers, store);
        };
        if lines.is_empty() {
            let has_chosen = matches!(enters, Enters::Call(_));
            if !has_chosen && self.go_out_to_lines(layers, store, frame)? {
                return Ok(());
            }
            let action = if enters.into_call_at(wasm) { Action::StepInstruction } else { Action::StepOver };
            return self.start_in(layers, store, &action, from);
        }
        let mut step = LineStep::new(enters, frame, lines, wasm);
        let into = step.goes_in();
        step.leaves = leaves;
        self.plan = Plan::Lines(step);
        self.go_on_in(layers, store, frame)?;
        if leaves && !into {
            self.goal = Goal::Above(frame);
        }
        Ok(())
    }

    /// The step through lines goes on in this frame, which is its own.
    fn go_on_in(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>, frame: usize) -> Result<()> {
        if matches!(&self.plan, Plan::Lines(step) if step.goes_in() && !step.running_through) {
            self.goal = Goal::Anywhere;
            return layers.set_scope(store, Layer::Step, StepScope::All);
        }
        self.goal = Goal::NotBelow(frame);
        // In its caller it is seen that it has returned, before another frame is in its place.
        let mut code = Vec::with_capacity(2);
        walk_code(store, |id, found, _| {
            if id >= frame {
                code.push(found);
            }
            if code.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        code.sort_unstable();
        code.dedup();
        layers.set_scope(store, Layer::Step, StepScope::Functions(code))
    }

    /// The step goes on to the next frame outside of this one that has lines, and ends there. Without one it is over;
    /// whether there is one.
    fn go_out_to_lines(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>, frame: usize) -> Result<bool> {
        let (known, mut outside) = (&mut self.known, None);
        walk_code(store, |id, code, module| {
            if id <= frame || known.of(module, code.1).is_empty() {
                return ControlFlow::Continue(());
            }
            outside = Some((id, code));
            ControlFlow::Break(())
        });
        let Some((outside, code)) = outside else { return self.cancel(layers, store).map(|()| false) };
        (self.plan, self.goal) = (Plan::None, Goal::NotBelow(outside));
        layers.set_scope(store, Layer::Step, StepScope::Functions(vec![code])).map(|()| true)
    }

    /// Whether an instruction that the goal lets through ends the step, as its plan says. It may go on by another goal.
    #[inline(never)]
    fn look(&mut self, layers: &mut Layers, store: &mut StoreMut<'_>, at: &StopInfo, wasm: WasmOffset) -> Result<bool> {
        let frame = id(store, at);
        match &mut self.plan {
            Plan::None => Ok(true),
            Plan::Offsets(step) => {
                if frame > step.frame {
                    return Ok(true);
                }
                // It has returned to a host function, which has called the same once more; or it will be gone.
                if step.lines.is_entered_at(wasm) || leaves_by_call(store, at, wasm) {
                    self.goal = Goal::Above(frame);
                    return Ok(step.offsets.binary_search(&wasm).is_ok() && !step.lines.is_entered_at(wasm));
                }
                Ok(step.offsets.binary_search(&wasm).is_ok())
            }
            Plan::Lines(step) if frame == step.frame() && !step.leaves => {
                if step.running_through {
                    // It has returned.
                    step.running_through = false;
                    self.go_on_in(layers, store, frame)?;
                }
                if let Plan::Lines(step) = &mut self.plan
                    && step.turns_at(wasm)
                {
                    self.go_on_in(layers, store, frame)?;
                }
                let Plan::Lines(step) = &mut self.plan else { return Ok(true) };
                if step.is_entered_anew(wasm) {
                    // It has returned to a host function, which has called the same once more.
                    if !step.goes_in() {
                        return self.go_out_to_lines(layers, store, frame).map(|_| false);
                    }
                    let lines = step.lines();
                    step.enter(frame, lines);
                }
                if step.ends_at(wasm) {
                    return Ok(true);
                }
                step.leaves = leaves_by_call(store, at, wasm);
                if step.leaves && !step.goes_in() {
                    self.goal = Goal::Above(frame);
                }
                Ok(false)
            }
            Plan::Lines(step) => {
                // What runs before the function's own code is run through, too.
                if frame < step.frame() && step.sets_up() {
                    return Ok(false);
                }
                let lines = store.module_in(at.slot).map(|module| self.known.of(module, at.func));
                match lines.filter(|lines| !lines.is_empty()) {
                    // It has returned.
                    Some(_) if frame > step.frame() => Ok(true),
                    // Called, or in the place of its own.
                    Some(lines) => {
                        step.enter(frame, lines);
                        let ends = step.ends_at(wasm);
                        step.leaves = leaves_by_call(store, at, wasm);
                        Ok(ends)
                    }
                    None if step.has_chosen() && frame <= step.frame() => Ok(true),
                    None if frame < step.frame() => {
                        step.running_through = true;
                        let own = step.frame();
                        self.go_on_in(layers, store, own).map(|()| false)
                    }
                    None => self.go_out_to_lines(layers, store, frame).map(|_| false),
                }
            }
        }
    }
}

/// A function's code.
type Code = (CodeSlot, DefinedFuncIndex);

/// Where a step starts: before an instruction of a frame, which leaves it for good or not.
#[derive(Clone, Copy)]
struct From {
    frame: usize,
    code: Code,
    wasm: WasmOffset,
    leaves: bool,
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

/// Goes over the frames in which a step can end, innermost first: their ids, their code, and the modules. A function
/// that did not fit on the stack does not go on, and is not shown. Frames of production code are further out than all
/// others, and are to a step what the host is.
fn walk_code(store: &StoreMut<'_>, mut visit: impl FnMut(usize, Code, &Module) -> ControlFlow<()>) {
    store.walk_frames(|frame| {
        if frame.is_production() {
            return ControlFlow::Break(());
        }
        let Some(func) = frame.module.info().defined(frame.func).filter(|_| frame.set_up) else {
            return ControlFlow::Continue(());
        };
        visit(store.as_store().frame_id(frame.slot, func, frame.fp), (frame.slot, func), frame.module)
    });
}

/// The frame of an index, 0 the innermost: its id and its code.
fn nth_frame(store: &StoreMut<'_>, index: usize) -> Option<(usize, Code)> {
    let (mut found, mut seen) = (None, 0);
    walk_code(store, |id, code, _| {
        found = (seen == index).then_some((id, code));
        seen += 1;
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// The functions of the innermost two frames, without the first `skip`.
fn functions(store: &StoreMut<'_>, skip: usize) -> StepScope {
    let mut found = Vec::with_capacity(2);
    let mut seen = 0;
    walk_code(store, |_, code, _| {
        if seen >= skip {
            found.push(code);
        }
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found.sort_unstable();
    found.dedup();
    if found.is_empty() { StepScope::Off } else { StepScope::Functions(found) }
}
