//! Breakpoints, stepping, frames: decides *what* to stop at and what to show. It edits the store's patch plan and
//! never touches machine code; where the guest is inside a region it has the store find out by rerun.
//!
//! A [`Debugger`] is attached to one store. From then on the store runs debug code, in a private copy of its own, and
//! every stop calls the [`Debugger`]'s callback on the guest's thread with the [`Stop`] in its hands. Stores without a
//! debugger never notice. Frames that are live when it is attached run on in production code. They are further out than
//! all others, are shown without what is in them, and are to steps and watchpoints what the host is.
//!
//! # Who has the state
//!
//! The debugger is one who listens to the store ([`EventSink`]). Its [`State`] is the store's. Each method of
//! [`Debugger`], and each half of telling the callback of a stop, takes it out of the store, works, and puts it back
//! ([`Told::with`]). So it is in its place whenever the callback or the guest runs, and whatever they ask of the
//! debugger is done at once, at any depth of nested stops.
//!
//! # A stop inside a region
//!
//! In `f` the instructions `i0 i1 i2 i3` are one region: a stop point is at `i0` alone. A breakpoint is set at `i2`.
//!
//! 1. `breakpoints.rs` knows from the region graph that `i2` is reached from the site of `i0`, and wants that site
//!    armed: `layers.rs` edits the plan with it.
//! 2. The guest comes to `i0` and stops. The store tells us ([`Event::Stop`]); [`State::arrive`] finds no breakpoint at
//!    `i0` itself and no step that would end there, but one at `i2`.
//! 3. It looks into the region ([`StoreMut::look_ahead`]) and has it rerun to `i2`. The frame found there is given to
//!    the event ([`StoreMut::set_virtual`]), the state back to the store, and the callback is called: it sees `f` at
//!    `i2` with the locals and operands there.
//! 4. The callback answers with a step. [`State::answered`] takes the frame back and notes what the step waits for; the
//!    layer of steps wants every site armed now, which `layers.rs` joins with what the others want, and edits the plan.
//! 5. The step itself is rerun by one instruction, to `i3`: the callback is called again, and no code was changed. It
//!    answers that the guest may go on.
//! 6. Rerun comes to the end of the region. Once more it is run from the slots of the frame: if that comes to the same
//!    state, nothing that it reads was changed meanwhile, and the guest goes on from `i0` by itself ([`Answer::GoOn`]);
//!    otherwise in resume code, with the state that was shown ([`Answer::Replace`]).
#![forbid(unsafe_code)]

mod bound;
mod branches;
mod breaking;
mod breakpoint;
mod breakpoint_id;
mod breakpoint_set;
mod breakpoints;
mod callers;
mod condition;
mod core_dump;
mod course;
mod coverage;
mod events;
mod expr;
mod frame;
mod later;
mod layers;
mod line_step;
mod machine;
mod places;
mod split;
mod stepping;
mod stop;
mod variables;
mod watch;
mod watching;
mod watchpoint;

pub use crate::code::Pauser;
pub use breakpoint::{BreakOptions, BreakPlace, BreakRequest, BreakTarget, Breakpoint};
pub use breakpoint_id::BreakpointId;
pub use breakpoint_set::BreakpointSet;
pub use condition::Condition;
pub use coverage::{Coverage, CoveredBlock, CoveredBranch, CoveredSide};
pub use events::Events;
pub use expr::{EvaluateOptions, Expression, error_columns};
pub use frame::Frame;
pub use stepping::Action;
pub use stop::{ExceptionStops, Reason, Stop};
pub use variables::{Evaluated, FrameVariable, Scope};
pub use watchpoint::{WatchHit, WatchKind, WatchTarget, Watchpoint, WatchpointId};

use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{
    Answer, AsStore, AsStoreMut, Event, EventSink, ExceptionInfo, Module, Room, Side, StandingFrame, StopInfo, StoreId,
    StoreMut, Told, Trap, TrapInfo,
};
use breakpoint_id::Hits;
use breakpoints::{Asked, Breakpoints};
use callers::Callers;
use course::{Next, Place};
use coverage::Marks;
use later::Standing;
use layers::Layers;
use std::sync::{Arc, Weak};
use stepping::Stepping;
use watch::Watch;

/// The stop callback.
type Handler = dyn Fn(&mut Stop<'_>) -> Action + Send + Sync;

/// A debugger attached to a store. Clones stand for the same debugger. Dropping the last one does not detach it: the
/// store keeps it until [`Debugger::detach`].
#[derive(Clone)]
pub struct Debugger {
    core: Arc<Core>,
}

/// A [`Debugger`] that may be gone: it keeps nothing.
#[derive(Clone)]
pub struct WeakDebugger {
    core: Weak<Core>,
}

impl WeakDebugger {
    /// The debugger, while its store has it or anybody else does.
    pub fn upgrade(&self) -> Option<Debugger> {
        Some(Debugger { core: self.core.upgrade()? })
    }
}

/// Who listens to the store for a [`Debugger`].
struct Core {
    me: Weak<Core>,
    store: StoreId,
    handler: Box<Handler>,
}

/// What the debugger knows and wants.
#[derive(Default)]
struct State {
    layers: Layers,
    breakpoints: Breakpoints,
    stepping: Stepping,
    marks: Marks,
    watch: Watch,
    callers: Callers,
    exceptions: ExceptionStops,
    events: Events,
    /// Whether the host is told of an event of that set: what runs within that is not told of.
    announcing: bool,
    /// Whether the host is asked about a condition: what runs within that is not told.
    asking: bool,
    /// The stops that are to be answered.
    standing: Standing,
    /// Room for frames inside regions, so that looking into one allocates nothing.
    spare: Vec<Room>,
}

impl Debugger {
    /// Attaches to `store`: its modules' debug code is compiled if it was not yet (once per module and engine), and
    /// from the next call on the store runs it in a private copy. `handler` is called at every stop.
    ///
    /// Guests may be running, which have called the host function in which this is called. Their frames go on in
    /// production code until they return: see [`Frame::is_production`]. What they call is debug code.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when the engine is not configured for debugging, or when a debugger is attached already;
    /// otherwise what compiling or mapping the code said.
    pub fn attach(
        store: &mut impl AsStoreMut,
        handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
    ) -> Result<Debugger> {
        Debugger::attach_with_progress(store, handler, &|_, _| true)
    }

    /// The same; `progress` is told how many functions of how many have their debug code, from whatever thread; `false`
    /// cancels.
    ///
    /// # Errors
    /// As [`Debugger::attach`], and [`ErrorKind::Cancelled`], which leaves the store as it was.
    pub fn attach_with_progress(
        store: &mut impl AsStoreMut,
        handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
        progress: &(dyn Fn(usize, usize) -> bool + Sync),
    ) -> Result<Debugger> {
        let mut store = store.as_store_mut();
        let core = Arc::new_cyclic(|me| Core { me: me.clone(), store: store.id(), handler: Box::new(handler) });
        store.attach_with_progress(core.clone(), State::default(), progress)?;
        Ok(Debugger { core })
    }

    /// Detaches: breakpoints are gone, the store runs production code again, its private copies are unmapped.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when a Wasm frame of the store is live, or when this debugger is no longer attached.
    pub fn detach(&self, store: &mut impl AsStoreMut) -> Result<()> {
        self.with(store, |_, _| Ok(()))?;
        store.as_store_mut().detach()
    }

    /// With `on`, every instruction of every call stops, from now on, whatever the callback answers; without, that
    /// ends.
    ///
    /// # Errors
    /// A refused mapping.
    pub fn step_always(&self, store: &mut impl AsStoreMut, on: bool) -> Result<()> {
        self.with(store, |state, store| state.stepping.set_always(&mut state.layers, store, on))
    }

    /// Says which exceptions are stops from now on, [`Reason::Exception`]; none are at first. Those that are none still
    /// end a step where they are caught.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the store is another one, [`ErrorKind::State`] when this debugger is no longer
    /// attached.
    pub fn stop_at_exceptions(&self, store: &mut impl AsStoreMut, which: ExceptionStops) -> Result<()> {
        self.with(store, |state, _| {
            state.exceptions = which;
            Ok(())
        })
    }

    /// What has the guest stop that computes in the store, with [`Reason::Pause`], from another thread or a signal
    /// handler: see [`Pauser::pause`]. Debug code does nothing for it; what the store's code looks like with every stop
    /// point armed is made now, and for modules that come later.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the store is another one, [`ErrorKind::State`] when this debugger is no longer
    /// attached; what mapping code said.
    pub fn pauser(&self, store: &mut impl AsStoreMut) -> Result<Pauser> {
        self.with(store, |_, store| store.pauser())
    }

    /// Notes from now on what of a module is reached, or of all modules of the store, those too that come later. The
    /// callback is not called for it. A debugger that is detached notes nothing more, and forgets.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the engine's [`DebugTier`](crate::runtime::DebugTier) is `Regions`, whose code has no
    /// stop points for it, and where the store has no instance of the module yet; [`ErrorKind::Argument`] when the
    /// store is another one; what patching code said.
    pub fn cover(&self, store: &mut impl AsStoreMut, module: Option<&Module>) -> Result<()> {
        self.with(store, |state, store| state.marks.add(store, module))
    }

    /// What has been reached so far of each module that [`Debugger::cover`] was asked for, in the order in which the
    /// store came to have them.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the store is another one, [`ErrorKind::State`] when this debugger is no longer
    /// attached.
    pub fn coverage(&self, store: &impl AsStore) -> Result<Vec<Coverage>> {
        let store = store.as_store();
        self.check(store.id())?;
        store.look_at_state(&*self.core, |state| state.marks.all())?.ok_or_else(detached)
    }

    /// The same debugger, kept by nobody.
    pub fn downgrade(&self) -> WeakDebugger {
        WeakDebugger { core: self.core.me.clone() }
    }

    /// Works with the state, which is out of the store meanwhile.
    fn with<R>(
        &self,
        store: &mut impl AsStoreMut,
        work: impl FnOnce(&mut State, &mut StoreMut<'_>) -> Result<R>,
    ) -> Result<R> {
        let mut store = store.as_store_mut();
        self.check(store.id())?;
        store.with_state(&*self.core, work)?.ok_or_else(detached)
    }

    /// Looks at the breakpoints.
    fn look<R>(&self, store: &impl AsStore, look: impl FnOnce(&Breakpoints) -> R) -> Result<R> {
        self.look_at(store, |state| look(&state.breakpoints))
    }

    /// Looks at the state.
    fn look_at<R>(&self, store: &impl AsStore, look: impl FnOnce(&State) -> R) -> Result<R> {
        let store = store.as_store();
        self.check(store.id())?;
        store.look_at_state(&*self.core, look)?.ok_or_else(detached)
    }

    fn check(&self, store: StoreId) -> Result<()> {
        if store == self.core.store {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Argument, "the debugger is attached to another store"))
    }
}

#[cold]
fn detached() -> Error {
    Error::new(ErrorKind::State, "the debugger is no longer attached")
}

impl EventSink for Core {
    type State = State;

    fn on_event(&self, told: &mut Told<'_, State>, event: &Event<'_>) -> Result<Answer> {
        match event {
            Event::Stop(stop) => self.stop(told, stop, false),
            Event::Access(stop) => self.stop(told, stop, true),
            Event::Touching(touched) => {
                let touch = |state: &mut State, store: &mut StoreMut<'_>| match state.asking {
                    true => Ok(()),
                    false => state.watch.touching(&mut state.layers, store, touched),
                };
                told.with(touch).map(|()| Answer::GoOn)
            }
            Event::Trap(trap) => self.trap(told, trap).map(|()| Answer::GoOn),
            Event::Exception(exception) => self.exception(told, exception).map(|()| Answer::GoOn),
            Event::Module(module) => {
                told.with(|state, store| {
                    state.breakpoints.module_registered(store, *module)?;
                    state.marks.module_registered(store, *module)?;
                    state.watch.code_registered(store)
                })?;
                self.announce(told, Some(Events::MODULE), || Reason::Module(*module))
            }
            Event::Instance(instance) => self.announce(told, Some(Events::INSTANCE), || Reason::Instance(*instance)),
            Event::Grown(grown) => self.announce(told, Some(Events::MEMORY_GROWN), || Reason::MemoryGrown(**grown)),
            Event::Calling(called) => {
                self.announce(told, Some(Events::HOST_CALL), || Reason::HostCall((*called).clone()))
            }
            Event::Waiting => self.waiting(told),
            Event::Called(called) => {
                self.announce(told, Some(Events::HOST_RETURN), || Reason::HostReturn((*called).clone()))
            }
            Event::Entering { within_call } => told
                .with(|state, store| {
                    state.callers.look(&mut state.breakpoints, &mut state.layers, store)?;
                    state.watch.entering(&mut state.breakpoints, store, *within_call)
                })
                .map(|()| Answer::GoOn),
            Event::Returning => told
                .with(|state, store| {
                    state.callers.look(&mut state.breakpoints, &mut state.layers, store)?;
                    state.watch.returning(&mut state.breakpoints, &mut state.layers, store)
                })
                .map(|()| Answer::GoOn),
        }
    }

    fn on_side(&self, state: &mut State, side: &mut Side<'_>) -> Result<()> {
        state.marks.reach_side(side)
    }

    fn passes(&self, state: &mut State, frame: &StandingFrame<'_>) -> bool {
        state.passes(frame)
    }
}

impl Core {
    /// Calls the callback for an event; gives its answer.
    #[inline]
    fn call_back(&self, told: &mut Told<'_, State>, reason: &Reason, thrown: Option<&ExceptionInfo>) -> Action {
        let action = told.call_host(|store| (self.handler)(&mut Stop::new(store, self, reason, thrown)));
        if action == Action::Later { self.wait(told, reason, thrown) } else { action }
    }

    /// Tells of every instruction that is to be stopped at from a stop point on, as far as rerun gets, and says how the
    /// guest goes on then.
    ///
    /// `accessed`: the guest is inside the region behind that, at an access of what is watched.
    fn stop(&self, told: &mut Told<'_, State>, info: &StopInfo, accessed: bool) -> Result<Answer> {
        if !accessed && let Some(id) = told.with(|state, store| Ok(state.hit_alone(store, info)))? {
            let reason = Reason::Breakpoint(Hits::from_slice(&[id]));
            let mut action = self.call_back(told, &reason, None);
            if told.with(|state, store| Ok(state.goes_on(store, info, &action)))? {
                return Ok(Answer::GoOn);
            }
            let mut at = Place::told(info, reason);
            let next = told.with(|state, store| state.answered(store, &mut at, &mut action))?;
            return self.follow(told, &mut at, next);
        }
        let mut at = Place::new(info);
        let next = told.with(|state, store| match accessed {
            true => state.accessed(store, &mut at),
            false => state.arrive(store, &mut at),
        })?;
        self.follow(told, &mut at, next)
    }

    /// Does what is to be done next at a stop, until the guest goes on.
    #[inline]
    fn follow(&self, told: &mut Told<'_, State>, at: &mut Place<'_>, mut next: Next) -> Result<Answer> {
        loop {
            match next {
                Next::Done(answer) => return Ok(answer),
                Next::Ask => next = self.ask(told, at)?,
                Next::AskWatched => next = self.ask_watched(told, at)?,
                Next::Tell => {
                    if matches!(at.reason, Reason::Pause) {
                        told.with(|_, store| store.end_pause())?;
                    }
                    let mut action = self.call_back(told, &at.reason, None);
                    next = told.with(|state, store| state.answered(store, at, &mut action))?;
                }
            }
        }
    }

    /// Asks the host about the conditions of the breakpoints that the guest has come to.
    fn ask(&self, told: &mut Told<'_, State>, at: &mut Place<'_>) -> Result<Next> {
        let mut held = Hits::new();
        let due = Hits::from_slice(at.reason.breakpoints());
        for id in due {
            let asked = self.begin_asking(told, |state| state.breakpoints.asked(id))?;
            let holds = match asked {
                Asked::Gone => Ok(false),
                Asked::Nobody => Ok(true),
                Asked::Source(source) => {
                    let reason = Reason::Breakpoint(Hits::from_slice(&[id]));
                    Ok(told.call_host(|store| {
                        let stop = Stop::new(store, self, &reason, None);
                        stop.top().is_some_and(|frame| source.holds(&frame))
                    }))
                }
                Asked::Host(ask) => {
                    let reason = Reason::Breakpoint(Hits::from_slice(&[id]));
                    told.call_host(|store| ask(&mut Stop::new(store, self, &reason, None)))
                }
            };
            self.end_asking(told, holds.is_err())?;
            if holds? {
                held.push(id);
            }
        }
        told.with(|state, store| state.asked(store, at, held))
    }

    /// Asks the host which hits of watchpoints are told.
    fn ask_watched(&self, told: &mut Told<'_, State>, at: &mut Place<'_>) -> Result<Next> {
        let mut held = Vec::new();
        for hit in at.reason.watchpoints().to_vec() {
            let asked = told.with(|state, _| Ok(state.watch.asked(&hit)))?;
            let holds = match asked {
                None => Ok(true),
                Some(ask) => {
                    self.begin_asking(told, |_| ())?;
                    let reason = Reason::Watchpoint(vec![hit.clone()]);
                    let holds = told.call_host(|store| ask(&mut Stop::new(store, self, &reason, None)));
                    self.end_asking(told, holds.is_err())?;
                    holds
                }
            };
            if holds? {
                held.push(hit);
            }
        }
        told.with(|state, store| state.watch_asked(store, at, held))
    }

    /// From here on the host is asked: what runs within that is not told.
    fn begin_asking<R>(&self, told: &mut Told<'_, State>, look: impl FnOnce(&mut State) -> R) -> Result<R> {
        told.with(|state, store| {
            state.asking = true;
            if state.watch.memories() {
                store.watch_memories(&[])?;
            }
            Ok(look(state))
        })
    }

    /// The host has been asked, and may have failed.
    fn end_asking(&self, told: &mut Told<'_, State>, has_failed: bool) -> Result<()> {
        told.with(|state, store| {
            state.asking = false;
            if state.watch.memories() {
                state.watch.protect(store)?;
            }
            // Frames of guests that it has called are gone, and what they have written was nobody's to tell.
            state.watch.look_at_frames(&mut state.breakpoints, store)?;
            state.watch.refresh(store.as_store())?;
            if has_failed {
                state.stepping.cancel(&mut state.layers, store)?;
            }
            Ok(())
        })
    }

    /// Tells of a pause that somebody has asked for while the guest waits for the host.
    fn waiting(&self, told: &mut Told<'_, State>) -> Result<Answer> {
        let due = told.with(|state, store| {
            let due = !state.asking && !state.announcing;
            if due {
                store.end_pause()?;
            }
            Ok(due)
        })?;
        if due { self.announce(told, None, || Reason::Pause) } else { Ok(Answer::GoOn) }
    }

    /// Tells of an event that is no stop of a guest's own, if it is asked for; without a set that it is of, always.
    fn announce(
        &self,
        told: &mut Told<'_, State>,
        of: Option<Events>,
        reason: impl FnOnce() -> Reason,
    ) -> Result<Answer> {
        let due = told.with(|state, _| {
            let is_asked = of.is_none_or(|of| state.events.contains(of));
            let due = is_asked && !state.asking && !state.announcing;
            if due {
                state.stepping.pause();
                state.announcing = true;
            }
            Ok(due)
        })?;
        if due {
            let action = self.call_back(told, &reason(), None);
            told.with(|state, store| {
                state.announcing = false;
                state.watch.refresh(store.as_store())?;
                if let Action::Trap(message) = action {
                    state.stepping.cancel(&mut state.layers, store)?;
                    return Err(Trap::new(message).into());
                }
                state.stepping.start_in_call(&mut state.layers, store, &action)
            })?;
        }
        Ok(Answer::GoOn)
    }

    /// Tells of a trap.
    fn trap(&self, told: &mut Told<'_, State>, trap: &TrapInfo) -> Result<()> {
        if told.with(|state, store| if state.asking { Ok(true) } else { state.trapped(store, trap).map(|()| false) })? {
            return Ok(());
        }
        // The guest's call has ended, whatever the answer is.
        if told.with(|state, _| Ok(state.events.contains(Events::TRAP)))? {
            self.call_back(told, &Reason::Trap(trap.code), None);
        }
        told.with(|state, store| {
            state.watch.refresh(store.as_store())?;
            state.watch.trap_told(&mut state.breakpoints, store)?;
            state.callers.left(&mut state.breakpoints, &mut state.layers, store, None)?;
            state.stepping.cancel(&mut state.layers, store)
        })
    }

    /// Tells of an exception, if that is asked for. A step goes on where it is caught.
    fn exception(&self, told: &mut Told<'_, State>, exception: &ExceptionInfo) -> Result<()> {
        let caught = exception.caught;
        let due = told.with(|state, store| match (state.exceptions, caught) {
            _ if state.asking => Ok(false),
            (ExceptionStops::All, _) | (ExceptionStops::Uncaught, None) => {
                state.stepping.pause();
                Ok(true)
            }
            _ => {
                state.watch.thrown(&mut state.breakpoints, &mut state.layers, store, caught)?;
                state.callers.left(&mut state.breakpoints, &mut state.layers, store, caught)?;
                state.stepping.thrown(&mut state.layers, store, caught).map(|()| false)
            }
        })?;
        if !due {
            return Ok(());
        }
        let action = self.call_back(told, &Reason::Exception, Some(exception));
        told.with(|state, store| {
            state.watch.refresh(store.as_store())?;
            if let Action::Trap(message) = action {
                state.stepping.cancel(&mut state.layers, store)?;
                return Err(Trap::new(message).into());
            }
            state.watch.thrown(&mut state.breakpoints, &mut state.layers, store, caught)?;
            state.callers.left(&mut state.breakpoints, &mut state.layers, store, caught)?;
            state.stepping.start_in_call(&mut state.layers, store, &action)?;
            state.stepping.thrown(&mut state.layers, store, caught)
        })
    }

    /// A handle.
    ///
    /// # Panics
    /// Never while attached: the store keeps the core.
    fn debugger(&self) -> Debugger {
        Debugger { core: self.me.upgrade().expect("the store keeps its debugger") }
    }
}

#[cfg(test)]
mod tests;
