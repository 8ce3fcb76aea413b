//! What the callback holds while the guest stands.

use super::breakpoint_id::{BreakpointId, Hits};
use super::frame::{Frame, unknown_values};
use super::watchpoint::WatchHit;
use super::{Core, Debugger};
use crate::base::{Error, ErrorKind, FuncIndex, Result, WasmOffset};
use crate::runtime::{
    AsStore, AsStoreMut, EventId, ExceptionInfo, ExnRef, Grown, HostCalled, Instance, KeptFrame, ModuleId, StoreMut,
    StoreRef, TrapCode, Val,
};
use crate::wasm::{EntityType, Import, calls_in, written_param};
use std::cell::OnceCell;

/// Why the guest was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is about to run an instruction with these breakpoints, in the order they were set.
    Breakpoint(Hits),
    /// A step came to its end.
    Step,
    /// What these watchpoints watch was written, by the instruction before the one that it is about to run. A step that
    /// was under way is over; breakpoints at the instruction are told behind this.
    Watchpoint(Vec<WatchHit>),
    /// A [`Pauser`](super::Pauser) has asked for it. A step that was under way is over. Where the guest waits for what
    /// it has called of WASI, it is told there: its frames are shown in the call, and cannot be changed.
    Pause,
    /// It trapped; its frames stand, and are left when the callback returns, whatever it answers. A stack overflow is
    /// shown at the call that did not fit: the function called has no frame yet.
    Trap(TrapCode),
    /// The store has this module, which it had not; none of its instances is there yet. Breakpoints may be set in it.
    /// This and what follows are told where [`Debugger::set_events`] asks for it.
    Module(ModuleId),
    /// This instance has been made, and its segments applied; its start function has not been called.
    Instance(Instance),
    /// A memory has grown, by the `memory.grow` that the guest is at, or by the host.
    MemoryGrown(Grown),
    /// A guest calls a host function, which has not begun.
    HostCall(HostCalled),
    /// A host function returns to the guest that has called it.
    HostReturn(HostCalled),
    /// An exception is thrown, and [`Debugger::stop_at_exceptions`] asks for its like; its frames stand, and those that
    /// do not catch it are left when the callback returns. A step from here ends where it is caught.
    Exception,
}

/// Which exceptions are stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ExceptionStops {
    /// None.
    #[default]
    None,
    /// Those that no frame catches, up to the last that the host has entered.
    Uncaught,
    /// All.
    All,
}

impl Reason {
    /// The breakpoints, if that is the reason.
    pub fn breakpoints(&self) -> &[BreakpointId] {
        match self {
            Reason::Breakpoint(ids) => ids,
            _ => &[],
        }
    }

    /// The call of a host function, before it or behind it, if that is the reason.
    pub fn host_call(&self) -> Option<&HostCalled> {
        match self {
            Reason::HostCall(called) | Reason::HostReturn(called) => Some(called),
            _ => None,
        }
    }

    /// What watchpoints have seen, if that is the reason.
    pub fn watchpoints(&self) -> &[WatchHit] {
        match self {
            Reason::Watchpoint(hits) => hits,
            _ => &[],
        }
    }
}

/// A stop: the guest stands, and its store is in the callback's hands. Calling exports from here is allowed; they may
/// stop in turn.
pub struct Stop<'a> {
    store: StoreMut<'a>,
    core: &'a Core,
    reason: &'a Reason,
    /// The exception, if one is the reason.
    thrown: Option<&'a ExceptionInfo>,
    /// Whose frames are shown: who asks for them may be in a stop within this one.
    event: Option<EventId>,
    /// All, walked on first use.
    frames: OnceCell<Vec<KeptFrame>>,
    /// The innermost, which most callbacks look at alone.
    top: OnceCell<Option<KeptFrame>>,
}

impl<'a> Stop<'a> {
    pub(super) fn new(
        store: StoreMut<'a>,
        core: &'a Core,
        reason: &'a Reason,
        thrown: Option<&'a ExceptionInfo>,
    ) -> Self {
        let event = store.as_store().event();
        Stop { store, core, reason, thrown, event, frames: OnceCell::new(), top: OnceCell::new() }
    }

    /// Why the guest was stopped.
    pub fn reason(&self) -> &Reason {
        self.reason
    }

    /// The exception that is thrown, if that is the reason. It is kept until the guest's outermost call returns.
    pub fn exception(&self) -> Option<ExnRef> {
        self.thrown.map(ExceptionInfo::exception)
    }

    /// The module and name by which the guest that calls imports the host function, if that is the reason, and it does.
    pub fn host_import(&mut self) -> Option<(String, String)> {
        let called = self.reason.host_call()?.func;
        let instance = self.top()?.instance()?;
        let module = instance.module(&self.store).ok()?.clone();
        let is_func = |import: &&Import| matches!(import.ty, EntityType::Func(_));
        let imported = module.info().imports.iter().filter(is_func).zip((0..).map(FuncIndex::new));
        for (import, index) in imported {
            if instance.func(&mut self.store, index) == Some(called) {
                return Some((import.module.to_string(), import.name.to_string()));
            }
        }
        None
    }

    /// The index of the frame that catches the exception; none if no frame does up to the last that the host has
    /// entered, or if no exception is the reason. It stands at the instruction inside its `try_table` that threw, or
    /// called what did.
    pub fn catching_frame(&self) -> Option<usize> {
        let catcher = self.thrown?.caught?;
        let store = self.store.as_store();
        let id = store.frame_id(catcher.slot, catcher.func, catcher.fp);
        self.frames().iter().position(|frame| Frame::new(store, frame).id() == id)
    }

    /// The debugger, for editing breakpoints. Edits take effect before the guest resumes.
    pub fn debugger(&self) -> Debugger {
        self.core.debugger()
    }

    /// How many Wasm frames of the store are live, in all nested runs.
    pub fn frame_count(&self) -> usize {
        self.frames().len()
    }

    /// A frame, 0 the innermost.
    pub fn frame(&self, index: usize) -> Option<Frame<'_>> {
        if index == 0 {
            return self.top();
        }
        Some(Frame::new(self.store.as_store(), self.frames().get(index)?))
    }

    /// The frame that stopped, without a walk over the others.
    pub fn top(&self) -> Option<Frame<'_>> {
        let top = self.top.get_or_init(|| self.store.as_store().keep_top(self.event?));
        Some(Frame::new(self.store.as_store(), top.as_ref()?))
    }

    /// Gives a local of a frame, 0 the innermost, another value; parameters are first. The guest goes on with it: a
    /// frame that waits for a call, once that has returned, or where it catches an exception that has left it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is no such frame or local, or the value is not of the local's type;
    /// [`ErrorKind::State`] at a trap or an exception, of the frame of a stop within which this one is told, and while
    /// a stop within this one is told. Nothing is changed then.
    pub fn set_local(&mut self, frame: usize, local: usize, value: Val) -> Result<()> {
        match frame {
            0 => self.change(|store| store.set_local(local, value)),
            _ => self.change_caller(frame, |store, caller| store.set_caller_local(caller, local, value)),
        }
    }

    /// Gives an operand on a frame's stack another value; the bottom one is the first. In a frame that waits for a
    /// call, what the call has taken from the stack, which is on top, is gone.
    ///
    /// # Errors
    /// As of [`Stop::set_local`]; [`ErrorKind::Argument`] for what the call has taken. Of the types of references on
    /// the stack nothing is known but what they refer to: what is written must be of the type of what is there, or one
    /// of its subtypes.
    pub fn set_operand(&mut self, frame: usize, operand: usize, value: Val) -> Result<()> {
        match frame {
            0 => self.change(|store| store.set_operand(operand, value)),
            _ => self.change_caller(frame, |store, caller| store.set_caller_operand(caller, operand, value)),
        }
    }

    /// Has the innermost frame go on with another instruction of its function, which is not run yet: with the locals
    /// and operands that it has.
    ///
    /// # Errors
    /// As of [`Stop::set_local`]; [`ErrorKind::Argument`] where no instruction that can be reached is at the offset, or
    /// one that needs other operands, where references to functions or objects are among the operands, and in a
    /// function with locals that may not be null or with `catch` blocks as they were before 3.0.
    pub fn jump(&mut self, offset: WasmOffset) -> Result<()> {
        self.change(|store| store.jump(offset))
    }

    /// Has the innermost frame return these values to its caller: it stands at the instruction by which it does so.
    ///
    /// # Errors
    /// As of [`Stop::set_local`]; [`ErrorKind::Argument`] where the values are not of the function's types, or no
    /// instruction by which it returns can be reached.
    pub fn return_early(&mut self, values: &[Val]) -> Result<()> {
        self.change(|store| store.return_early(values))
    }

    /// Has a frame, 0 the innermost, return these values to its caller. Those within it are left, as an exception
    /// leaves them: from here on the frame is the innermost, and stands at the instruction by which it returns.
    ///
    /// # Errors
    /// As of [`Stop::return_early`]; [`ErrorKind::Argument`] where there is no such frame; [`ErrorKind::State`] where a
    /// host function is among what would be left, and in a breakpoint's condition. Nothing is changed then.
    pub fn return_early_from(&mut self, frame: usize, values: &[Val]) -> Result<()> {
        if frame == 0 {
            return self.return_early(values);
        }
        self.leave_for(frame, |store, kept| store.return_early_from(kept, values))
    }

    /// Leaves frames for one further out, which is changed.
    fn leave_for(
        &mut self,
        frame: usize,
        change: impl FnOnce(&mut StoreMut<'_>, &KeptFrame) -> Result<()>,
    ) -> Result<()> {
        let kept = self.caller(frame)?;
        if self.core.debugger().look_at(self, |state| state.asking)? {
            let message = "no frame can be left while a condition is asked about: stop, and do it there";
            return Err(Error::new(ErrorKind::State, message));
        }
        change(&mut self.store, &kept)?;
        (self.frames, self.top) = (OnceCell::new(), OnceCell::new());
        Ok(())
    }

    /// Where statements of a line begin in the function of the innermost frame, of the file that its instruction is of;
    /// ascending. [`Action::RunTo`](super::Action::RunTo) runs to them.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is no frame, where its function has no lines, or not this one; which it has
    /// is said.
    pub fn offsets_of_line(&self, line: u32) -> Result<Vec<WasmOffset>> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Argument, message));
        let Some(frame) = self.top() else { return refuse("there is no frame".to_owned()) };
        let Some(func) = frame.module().info().defined(frame.func()) else {
            return refuse("it is imported".to_owned());
        };
        let lines = frame.module().function_lines(func);
        let Some((first, last)) = lines.bounds() else {
            return refuse(format!("function {} has no lines (compile it with -g)", frame.func()));
        };
        let starts = lines.starts_of(frame.offset(), line);
        if starts.is_empty() {
            let func = frame.func();
            return refuse(format!(
                "function {func} has no code at line {line}; it has some from line {first} to {last}"
            ));
        }
        Ok(starts)
    }

    /// The calls of the line that the innermost frame stands at, from its instruction on, each with the function that
    /// it names; one that takes its function from a table or a reference names none. In a function without lines, the
    /// call that it is about to run. [`Action::StepInto`](super::Action::StepInto) goes into one.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is no frame.
    pub fn calls_of_line(&self) -> Result<Vec<(WasmOffset, Option<FuncIndex>)>> {
        let frame = self.top().ok_or_else(|| Error::new(ErrorKind::Argument, "there is no frame"))?;
        let (module, at) = (frame.module(), frame.offset());
        let Some(func) = module.info().defined(frame.func()) else { return Ok(Vec::new()) };
        let lines = module.function_lines(func);
        let mut calls = calls_in(module.info(), module.binary(), func)?;
        calls.retain(|(call, _)| *call == at || (*call > at && lines.is_one_line(at, *call)));
        Ok(calls)
    }

    /// Whether a frame, 0 the innermost, can be begun anew: whether [`Stop::restart`] has what its function was called
    /// with.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is no such frame, and where its function gives a parameter another value:
    /// what it was called with is not kept then; [`ErrorKind::State`] for production code.
    pub fn check_restart(&self, frame: usize) -> Result<()> {
        let shown = self.frame(frame).ok_or_else(|| Error::new(ErrorKind::Argument, "there is no such frame"))?;
        shown.check_values()?;
        let (module, func) = (shown.module(), shown.func());
        let info = module.info();
        let Some(defined) = info.defined(func) else { return Ok(()) };
        let Some(param) = written_param(info, module.binary(), defined)? else { return Ok(()) };
        let message = format!(
            "the frame cannot be begun anew: function {func} writes its parameter {}, so what it was called with is \
             not known any more",
            param.get()
        );
        Err(Error::new(ErrorKind::Argument, message))
    }

    /// Has a frame, 0 the innermost, begin anew: it stands at the first instruction of its function, with the
    /// parameters that it has and all other locals zero. Those within it are left, as an exception leaves them: from
    /// here on the frame is the innermost. What has been written to memories, globals and tables stays.
    ///
    /// # Errors
    /// As of [`Stop::check_restart`] and [`Stop::return_early_from`]. Nothing is changed then.
    pub fn restart(&mut self, frame: usize) -> Result<()> {
        self.check_restart(frame)?;
        if frame == 0 {
            return self.change(|store| store.restart());
        }
        self.leave_for(frame, |store, kept| store.restart_from(kept))
    }

    /// An instruction of the innermost frame's function, for [`Action::RunTo`](super::Action::RunTo).
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is no frame, or the offset is outside of its function.
    pub fn offset_in_function(&self, offset: WasmOffset) -> Result<Vec<WasmOffset>> {
        let frame = self.top();
        let body = frame.as_ref().and_then(|frame| {
            let info = frame.module().info();
            Some(info.bodies[info.defined(frame.func())?.index()].bytes.clone())
        });
        match (frame, body) {
            (Some(_), Some(body)) if body.contains(&offset.index()) => Ok(vec![offset]),
            (Some(frame), Some(body)) => {
                let message = format!(
                    "this offset is outside of function {}, which is from {:#x} to {:#x}",
                    frame.func(),
                    body.start,
                    body.end
                );
                Err(Error::new(ErrorKind::Argument, message).at(offset))
            }
            _ => Err(Error::new(ErrorKind::Argument, "there is no frame")),
        }
    }

    /// Refuses to change frames where that cannot be done.
    fn check_change(&self) -> Result<()> {
        let refuse = |kind, message: String| Err(Error::new(kind, message));
        match self.reason {
            Reason::Trap(_) => return refuse(ErrorKind::State, "the guest has trapped: it does not go on".to_owned()),
            Reason::Exception => {
                let message = "a frame cannot be changed where an exception is thrown; step to where it is caught";
                return refuse(ErrorKind::State, message.to_owned());
            }
            Reason::Module(_)
            | Reason::Instance(_)
            | Reason::MemoryGrown(_)
            | Reason::HostCall(_)
            | Reason::HostReturn(_) => {
                let message = "no frame can be changed where an event is told: all wait for calls, or none is there";
                return refuse(ErrorKind::State, message.to_owned());
            }
            Reason::Pause if self.top().is_some_and(|frame| frame.is_in_call()) => {
                let message = "no frame can be changed while the guest waits for what it has called of the host";
                return refuse(ErrorKind::State, message.to_owned());
            }
            Reason::Breakpoint(_) | Reason::Watchpoint(_) | Reason::Step | Reason::Pause => {}
        }
        if self.event != self.store.as_store().event() {
            return refuse(
                ErrorKind::State,
                "a stop within this one is told: frames can be changed only there".to_owned(),
            );
        }
        Ok(())
    }

    /// A frame further out than the innermost, which may be changed.
    fn caller(&self, frame: usize) -> Result<KeptFrame> {
        self.check_change()?;
        let kept = self.frames().get(frame).copied().ok_or_else(|| {
            let message = format!("there is no frame {frame}: there are {}", self.frame_count());
            Error::new(ErrorKind::Argument, message)
        })?;
        if kept.is_production() { Err(unknown_values()) } else { Ok(kept) }
    }

    /// Changes a frame further out than the innermost.
    fn change_caller(
        &mut self,
        frame: usize,
        change: impl FnOnce(&mut StoreMut<'_>, &KeptFrame) -> Result<()>,
    ) -> Result<()> {
        let kept = self.caller(frame)?;
        self.core.debugger().with(self, |state, store| {
            let work = |store: &mut StoreMut<'_>| change(store, &kept);
            state.callers.change(&mut state.breakpoints, &mut state.layers, store, &kept, work)
        })
    }

    /// Changes the innermost frame.
    fn change(&mut self, change: impl FnOnce(&mut StoreMut<'_>) -> Result<()>) -> Result<()> {
        self.check_change()?;
        change(&mut self.store)?;
        // It is somewhere else now.
        (self.frames, self.top) = (OnceCell::new(), OnceCell::new());
        Ok(())
    }

    fn frames(&self) -> &[KeptFrame] {
        self.frames
            .get_or_init(|| self.event.map_or(Vec::new(), |event| self.store.as_store().keep_frames(event, usize::MAX)))
    }
}

impl AsStore for Stop<'_> {
    fn as_store(&self) -> StoreRef<'_> {
        self.store.as_store()
    }
}

impl AsStoreMut for Stop<'_> {
    fn as_store_mut(&mut self) -> StoreMut<'_> {
        self.store.as_store_mut()
    }
}
