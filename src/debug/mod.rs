//! Breakpoints, stepping, frames: decides *what* to stop at and what to show. It edits the store's patch plan and
//! never touches machine code; where the guest is inside a region it has the store find out by rerun.
//!
//! A [`Debugger`] is attached to one store while none of its frames is live. From then on the store runs debug code, in
//! a private copy of its own, and every stop calls the [`Debugger`]'s callback on the guest's thread with the [`Stop`]
//! in its hands. Stores without a debugger never notice.
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

mod breaking;
mod breakpoint;
mod breakpoint_id;
mod breakpoints;
mod condition;
mod core_dump;
mod coverage;
mod frame;
mod layers;
mod line_step;
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
pub use condition::Condition;
pub use coverage::{Coverage, CoveredBlock};
pub use frame::Frame;
pub use stepping::Action;
pub use stop::{ExceptionStops, Reason, Stop};
pub use variables::{Evaluated, FrameVariable, Scope};
pub use watchpoint::{WatchHit, WatchKind, WatchTarget, Watchpoint, WatchpointId};

use crate::base::{Error, ErrorKind, Result, WasmOffset};
use crate::image::RerunEnd;
use crate::runtime::{
    Answer, AsStore, AsStoreMut, Event, EventSink, ExceptionInfo, Looked, Module, Room, StopInfo, StoreId, StoreMut,
    StoreRef, Told, Trap, TrapCode, TrapInfo, VirtualFrame,
};
use breakpoint_id::Hits;
use breakpoints::{Asked, Breakpoints};
use condition::{Reader, Values};
use coverage::Marks;
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
    exceptions: ExceptionStops,
    /// Whether the host is asked about a condition: what runs within that is not told.
    asking: bool,
    /// Room for frames inside regions, so that looking into one allocates nothing.
    spare: Vec<Room>,
}

/// The most frames' worth of room kept.
const MAX_SPARE: usize = 4;

impl Debugger {
    /// Attaches to `store`: its modules' debug code is compiled if it was not yet (once per module and engine), and
    /// from the next call on the store runs it in a private copy. `handler` is called at every stop.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when the engine is not configured for debugging, when a debugger is attached already, or
    /// when a Wasm frame of the store is live; otherwise what compiling or mapping the code said.
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
                let register = |state: &mut State, store: &mut StoreMut<'_>| {
                    state.breakpoints.module_registered(store, *module)?;
                    state.marks.module_registered(store, *module)?;
                    state.watch.code_registered(store)
                };
                told.with(register).map(|()| Answer::GoOn)
            }
            Event::Entering { within_call } => {
                told.with(|state, store| state.watch.entering(store, *within_call)).map(|()| Answer::GoOn)
            }
            Event::Returning => {
                told.with(|state, store| state.watch.returning(&mut state.layers, store)).map(|()| Answer::GoOn)
            }
        }
    }
}

impl Core {
    /// Calls the callback for an event; gives its answer.
    #[inline]
    fn call_back(&self, told: &mut Told<'_, State>, reason: &Reason, thrown: Option<&ExceptionInfo>) -> Action {
        told.call_host(|store| (self.handler)(&mut Stop::new(store, self, reason, thrown)))
    }

    /// Tells of every instruction that is to be stopped at from a stop point on, as far as rerun gets, and says how the
    /// guest goes on then.
    ///
    /// `accessed`: the guest is inside the region behind that, at an access of what is watched.
    fn stop(&self, told: &mut Told<'_, State>, info: &StopInfo, accessed: bool) -> Result<Answer> {
        let mut at = Place::new(info);
        let mut next = told.with(|state, store| match accessed {
            true => state.accessed(store, &mut at),
            false => state.arrive(store, &mut at),
        })?;
        loop {
            match next {
                Next::Done(answer) => return Ok(answer),
                Next::Ask => next = self.ask(told, &mut at)?,
                Next::Tell => {
                    if at.reason == Reason::Pause {
                        told.with(|_, store| store.end_pause())?;
                    }
                    let mut action = self.call_back(told, &at.reason, None);
                    next = told.with(|state, store| state.answered(store, &mut at, &mut action))?;
                }
            }
        }
    }

    /// Asks the host about the conditions of the breakpoints that the guest has come to.
    fn ask(&self, told: &mut Told<'_, State>, at: &mut Place<'_>) -> Result<Next> {
        let mut held = Hits::new();
        let due = Hits::from_slice(at.reason.breakpoints());
        for id in due {
            let asked = told.with(|state, store| {
                state.asking = true;
                if state.watch.memories() {
                    // What runs within is not told.
                    store.watch_memories(&[])?;
                }
                Ok(state.breakpoints.asked(id))
            })?;
            let holds = match asked {
                Asked::Gone => Ok(false),
                Asked::Nobody => Ok(true),
                Asked::Host(ask) => {
                    let reason = Reason::Breakpoint(Hits::from_slice(&[id]));
                    told.call_host(|store| ask(&mut Stop::new(store, self, &reason, None)))
                }
            };
            told.with(|state, store| {
                state.asking = false;
                if state.watch.memories() {
                    state.watch.protect(store)?;
                }
                // What the host and its guests have written was nobody's to tell.
                state.watch.refresh(store.as_store())?;
                if holds.is_err() {
                    state.stepping.cancel(&mut state.layers, store)?;
                }
                Ok(())
            })?;
            if holds? {
                held.push(id);
            }
        }
        told.with(|state, store| state.asked(store, at, held))
    }

    /// Tells of a trap.
    fn trap(&self, told: &mut Told<'_, State>, trap: &TrapInfo) -> Result<()> {
        if told.with(|state, store| if state.asking { Ok(true) } else { state.trapped(store, trap).map(|()| false) })? {
            return Ok(());
        }
        // The guest's call has ended, whatever the answer is.
        self.call_back(told, &Reason::Trap(trap.code), None);
        told.with(|state, store| {
            state.watch.refresh(store.as_store())?;
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
            _ => state.stepping.thrown(&mut state.layers, store, caught).map(|()| false),
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
            state.stepping.start_at_throw(&mut state.layers, store, &action)?;
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

/// Where a guest is that stands at a stop point: there, or inside the region behind it.
struct Place<'a> {
    info: &'a StopInfo,
    /// The instruction about to run.
    wasm: WasmOffset,
    /// What is known of it inside the region. While it is shown, the event has it.
    inside: Option<Box<VirtualFrame>>,
    /// Whether the callback has seen something inside the region, or has changed the frame.
    told_inside: bool,
    /// Whether a step ends here.
    stepped: bool,
    /// Whether the guest would not come here by itself, for what the callback has changed.
    diverged: bool,
    /// Whether a watchpoint is told here, and breakpoints have not been looked at.
    watched: bool,
    /// What is known where the guest is at an access of what is watched: it goes on from there.
    access: Option<Box<Access>>,
    /// Whether the guest is to go on quietly, since what it does then is known.
    quiet: bool,
    /// Why the callback is called. It is written where it stands: moving what was just written in parts is slow.
    reason: Reason,
}

impl<'a> Place<'a> {
    fn new(info: &'a StopInfo) -> Self {
        Place {
            info,
            wasm: info.wasm,
            inside: None,
            told_inside: false,
            stepped: false,
            diverged: false,
            watched: false,
            access: None,
            quiet: false,
            reason: Reason::Step,
        }
    }
}

/// A guest that is inside a region, where it was stopped at an access. What it has read on the way, or ahead of its
/// turn, it does not read again.
struct Access {
    /// The fuel that it has left; that of the region is paid for.
    fuel: i64,
    /// Where it comes to by itself, and with what locals and operands.
    end: (WasmOffset, Vec<[u64; 2]>),
}

/// Where a frame stands, and what is in it.
fn snapshot(inside: &VirtualFrame) -> (WasmOffset, Vec<[u64; 2]>) {
    (inside.wasm(), inside.locals().chain(inside.operands()).map(|(_, value)| value.words()).collect())
}

/// Whether the callback is to see an instruction.
enum Due {
    No,
    Yes,
    /// If the host says so.
    Ask,
}

/// What is to be done next at a stop.
enum Next {
    /// The callback is called, for [`Place::reason`], and the answer handed to [`State::answered`].
    Tell,
    /// The host is asked about the conditions of the breakpoints of [`Place::reason`], and [`State::asked`] told.
    Ask,
    /// The guest goes on.
    Done(Answer),
}

impl State {
    /// The guest has come to a stop point.
    fn arrive(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<Next> {
        if store.registry().has_pause_to_end() {
            // It was taken back.
            store.end_pause()?;
        }
        self.marks.reach(store, at.info.slot, at.wasm)?;
        if self.asking {
            return Ok(Next::Done(Answer::GoOn));
        }
        if self.watch.is_awake() {
            let watched = self.watch.arrived(&mut self.layers, store, at.info)?;
            if !watched.is_empty() {
                // The step under way is over.
                self.stepping.pause();
                at.reason = Reason::Watchpoint(watched);
                at.watched = true;
                return Ok(Next::Tell);
            }
        }
        match self.is_due(store, at, None)? {
            Due::Yes => return Ok(self.tell()),
            Due::Ask => return Ok(Next::Ask),
            Due::No => {}
        }
        self.stepping.forget_ended(&mut self.layers, store)?;
        self.go_on(store, at)
    }

    /// The callback is to be called. What it runs meanwhile is not stepped; how the guest goes on, its answer says.
    #[inline]
    fn tell(&mut self) -> Next {
        self.stepping.pause();
        Next::Tell
    }

    /// The guest has accessed what is watched, or what is near it, behind a stop point.
    fn accessed(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<Next> {
        let mut ahead = store.look_inside(self.spare.pop())?;
        let fuel = ahead.fuel();
        if !has_regions(store, at.info) {
            // The access is the next instruction, and a stop point is behind it.
            if let Some(accessing) = self.watch.access_of(store, at.info, &ahead)? {
                self.watch.expect(store.as_store(), &accessing)?;
            }
            self.keep(ahead.into());
            self.watch.go_on_quietly(&mut self.layers, store)?;
            return Ok(Next::Done(Answer::GoOn));
        }
        // Split code stops between.
        match self.breakpoints.splits(at.info.slot) {
            Some(splits) => ahead.run_to(store, splits),
            None => ahead.run_out(store),
        }?;
        at.access = Some(Box::new(Access { fuel, end: snapshot(&ahead) }));
        at.quiet = true;
        self.keep(ahead.into());
        at.inside = Some(store.look_inside(self.spare.pop())?);
        self.go_on(store, at)
    }

    /// The host has been asked: these breakpoints are come to.
    fn asked(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>, held: Hits) -> Result<Next> {
        // Shown inside the region, or changed meanwhile.
        if let Some(mut inside) = store.take_virtual() {
            inside.take_back(store);
            at.wasm = inside.wasm();
            at.inside = Some(inside);
            at.told_inside = true;
        }
        at.reason = Reason::Breakpoint(held);
        if self.settle(store, at)? {
            if let Some(mut inside) = at.inside.take() {
                inside.pay(store);
                store.set_virtual(inside);
            }
            return Ok(self.tell());
        }
        self.stepping.forget_ended(&mut self.layers, store)?;
        self.go_on(store, at)
    }

    /// The callback has been called and has answered.
    fn answered(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>, action: &mut Action) -> Result<Next> {
        if self.watch.is_awake() {
            // What the callback and its guests have written was nobody's to tell.
            self.watch.refresh(store.as_store())?;
        }
        if let Action::Trap(message) = action {
            self.stepping.cancel(&mut self.layers, store)?;
            return Err(Trap::new(std::mem::take(message)).into());
        }
        // Shown inside the region, or changed by the callback.
        if let Some(mut inside) = store.take_virtual() {
            inside.take_back(store);
            // The callback may have had it jump.
            at.wasm = inside.wasm();
            at.inside = Some(inside);
            at.told_inside = true;
        }
        self.stepping.start(&mut self.layers, store, action, at.info, at.wasm)?;
        // A watchpoint was told first: breakpoints at the instruction come behind it.
        if std::mem::take(&mut at.watched)
            && at.inside.as_ref().is_none_or(|inside| inside.wasm() == at.wasm)
            && let Some(found) = self.breakpoints.at(at.info.slot, at.wasm)
        {
            let mut inside = at.inside.take();
            let due = self.breakpoints_due(store, at, found, inside.as_deref())?;
            if !matches!(due, Due::No) {
                if let Some(mut inside) = inside {
                    inside.pay(store);
                    store.set_virtual(inside);
                }
                return Ok(if matches!(due, Due::Ask) { Next::Ask } else { Next::Tell });
            }
            at.inside = inside.take();
        }
        self.go_on(store, at)
    }

    /// Whether the callback is to see the instruction about to run; why is noted. A step that ends here is over.
    #[inline]
    fn is_due(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>, inside: Option<&VirtualFrame>) -> Result<Due> {
        let found = self.breakpoints.at(at.info.slot, at.wasm);
        let stepped = self.stepping.satisfied(&mut self.layers, store, at.info, at.wasm)?;
        at.stepped = stepped;
        let Some(found) = found else {
            return Ok(if without_breakpoint(store, at) { Due::Yes } else { Due::No });
        };
        self.breakpoints_due(store, at, found, inside)
    }

    /// The same, of breakpoints that were found at the instruction.
    fn breakpoints_due(
        &mut self,
        store: &mut StoreMut<'_>,
        at: &mut Place<'_>,
        found: usize,
        inside: Option<&VirtualFrame>,
    ) -> Result<Due> {
        if !matches!(at.reason, Reason::Breakpoint(_)) {
            at.reason = Reason::Breakpoint(Hits::new());
        }
        if let Reason::Breakpoint(hits) = &mut at.reason {
            hits.clear();
            if let Some(id) = self.breakpoints.hit_plain(found) {
                hits.push(id);
                return Ok(Due::Yes);
            }
            if self.breakpoints.reached(found, || reader(store.as_store(), inside), hits) {
                return Ok(Due::Ask);
            }
        }
        Ok(if self.settle(store, at)? { Due::Yes } else { Due::No })
    }

    /// Counts the breakpoints that the guest has come to; whether the callback is to see it. Those that stop once are
    /// removed.
    #[inline]
    fn settle(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<bool> {
        let Reason::Breakpoint(hits) = &mut at.reason else { return Ok(at.stepped) };
        let once = self.breakpoints.count(hits);
        if !hits.is_empty() {
            if !once.is_empty() {
                self.breakpoints.remove(store, &once)?;
            }
            return Ok(true);
        }
        Ok(without_breakpoint(store, at))
    }

    /// Has the guest's frame go on in code of its own, if that is there and can be entered where it stands.
    #[inline]
    fn enter_split(&mut self, store: &mut StoreMut<'_>, at: &Place<'_>) -> Result<Option<Answer>> {
        let &StopInfo { slot, func, .. } = at.info;
        let Some((split, way)) = self.breakpoints.way_in(slot, func, at.wasm) else { return Ok(None) };
        let inside = store.look_inside(self.spare.pop())?;
        self.stepping.frame_replaced(&mut self.layers, store, split, func)?;
        let with = inside.enter(split, way);
        self.keep(inside.into());
        Ok(Some(Answer::Replace(Box::new(with))))
    }

    /// Reruns from where the guest is to the next instruction that the callback is to see; or says how the guest goes
    /// on by itself.
    fn go_on(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<Next> {
        let &StopInfo { slot, func, .. } = at.info;
        loop {
            // What rerun goes over it is asked about one by one, where memories are watched.
            let watching = self.watch.memories();
            let steps = self.stepping.wants(&self.layers, store, at.info);
            if at.inside.is_none() && !steps && self.breakpoints.inside(slot, func).is_none() {
                return Ok(Next::Done(Answer::GoOn));
            }
            if at.inside.is_none()
                && !steps
                && !watching
                && let Some(answer) = self.enter_split(store, at)?
            {
                return Ok(Next::Done(answer));
            }
            let stops = self.breakpoints.inside(slot, func);
            let splits = self.breakpoints.splits(slot);
            if at.inside.is_none() && !has_regions(store, at.info) {
                return Ok(Next::Done(Answer::GoOn));
            }
            if !has_regions(store, at.info)
                && let Some(changed) = at.inside.take()
            {
                // Each instruction has a site, at which the guest itself stops.
                return self.leave(store, at, changed).map(Next::Done);
            }
            let mut inside = match at.inside.take() {
                Some(inside) => inside,
                None => match enter(store, &mut self.spare)? {
                    Some(inside) => inside,
                    None => return Ok(Next::Done(Answer::GoOn)),
                },
            };
            let accessing = match watching {
                true => self.watch.access_of(store, at.info, &inside)?,
                false => None,
            };
            let before = inside.wasm();
            let end = match (steps || watching, stops.or(splits)) {
                (true, _) => inside.step(store),
                (false, Some(stops)) => inside.run_to(store, stops),
                (false, None) => inside.run_out(store),
            }?;
            let split = match (splits, end) {
                (Some(splits), RerunEnd::Stopped(position)) => splits[position as usize] != 0,
                _ => false,
            };
            if let Some(accessing) = accessing.filter(|_| inside.wasm() != before) {
                at.wasm = inside.wasm();
                at.quiet = true;
                let hits = self.watch.was_read(store.as_store(), &accessing)?;
                if !hits.is_empty() {
                    self.stepping.pause();
                    at.reason = Reason::Watchpoint(hits);
                    at.watched = true;
                    // What stops there is told at this position, too.
                    at.diverged |= split;
                    inside.pay(store);
                    store.set_virtual(inside);
                    return Ok(Next::Tell);
                }
            }
            if !matches!(end, RerunEnd::Stopped(_)) {
                if watching && let Some(accessing) = self.watch.access_of(store, at.info, &inside)? {
                    if matches!(end, RerunEnd::Native(_)) {
                        self.watch.expect(store.as_store(), &accessing)?;
                    }
                    at.quiet = true;
                }
                if stops.is_some()
                    && !steps
                    && !watching
                    && !at.told_inside
                    && let Some(split) = self.breakpoints.passed(store, slot, func)
                {
                    self.marks.arm_also(store, slot, split, func)?;
                    self.watch.code_registered(store)?;
                }
                return self.leave(store, at, inside).map(Next::Done);
            }
            if split
                && !at.diverged
                && let Some(splits) = splits
            {
                let stale = at.access.as_ref().is_some_and(|access| is_stale(store, access, &inside));
                if !at.told_inside || (!stale && inside.is_ahead(store, splits)?) {
                    // The guest comes here by itself, and stops if anything wants it to.
                    if at.quiet {
                        self.watch.go_on_quietly(&mut self.layers, store)?;
                    }
                    self.keep(inside.into());
                    return Ok(Next::Done(Answer::GoOn));
                }
                at.diverged = true;
            }
            at.wasm = inside.wasm();
            let due = self.is_due(store, at, Some(&*inside))?;
            if !matches!(due, Due::No) {
                inside.pay(store);
                store.set_virtual(inside);
                return Ok(if matches!(due, Due::Ask) { Next::Ask } else { self.tell() });
            }
            at.inside = Some(inside);
            self.stepping.forget_ended(&mut self.layers, store)?;
        }
    }

    /// How the guest goes on from where rerun cannot.
    fn leave(&mut self, store: &mut StoreMut<'_>, at: &Place<'_>, mut inside: Box<VirtualFrame>) -> Result<Answer> {
        let mut with = match at.told_inside {
            false => None,
            true if at.diverged => Some(inside.replace(store)?),
            true => inside.leave(store, self.breakpoints.splits(at.info.slot))?,
        };
        if let Some(access) = &at.access {
            if at.told_inside && with.is_none() && is_stale(store, access, &inside) {
                with = Some(inside.replace(store)?);
            }
            if let Some(with) = &mut with {
                with.fuel = access.fuel;
            }
        }
        if at.quiet {
            self.watch.go_on_quietly(&mut self.layers, store)?;
        }
        let Some(with) = with else {
            self.keep(inside.into());
            return Ok(Answer::GoOn);
        };
        self.breakpoints.arm_also(store, at.info.slot, with.slot, at.info.func)?;
        self.marks.arm_also(store, at.info.slot, with.slot, at.info.func)?;
        self.watch.code_registered(store)?;
        self.stepping.frame_replaced(&mut self.layers, store, with.slot, at.info.func)?;
        // Should the new frame not fit the stack, the trap is shown there.
        store.set_virtual(inside);
        Ok(Answer::Replace(Box::new(with)))
    }

    /// Keeps the room for the next.
    #[inline]
    fn keep(&mut self, room: Room) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(room);
        }
    }

    /// A guest has trapped: where it really is is shown, if that is inside a region.
    fn trapped(&mut self, store: &mut StoreMut<'_>, trap: &TrapInfo) -> Result<()> {
        // At a stop, it has been said. A function that did not fit on the stack has no frame yet.
        if !trap.at_stop
            && trap.code != TrapCode::StackOverflow
            && let Some(inside) = store.look_at_trap(trap.code, self.spare.pop())?
        {
            store.set_virtual(inside);
        }
        self.stepping.pause();
        self.watch.trapped();
        Ok(())
    }
}

/// Whether the callback is to see the instruction about to run although no breakpoint stops there: a pause is asked
/// for, or a step has ended.
#[inline]
fn without_breakpoint(store: &StoreMut<'_>, at: &mut Place<'_>) -> bool {
    if store.registry().is_pause_asked() {
        at.reason = Reason::Pause;
        return true;
    }
    if at.stepped {
        at.reason = Reason::Step;
    }
    at.stepped
}

/// Looks into the region behind the stop point, unless only the guest may run what comes next; then the room is spare
/// again. Once for a stop, and so kept out of the steps inside.
#[inline(never)]
fn enter(store: &mut StoreMut<'_>, spare: &mut Vec<Room>) -> Result<Option<Box<VirtualFrame>>> {
    match store.look_ahead(spare.pop())? {
        Looked::Inside(inside) => Ok(Some(inside)),
        Looked::OfGuest(room) => {
            spare.push(room);
            Ok(None)
        }
    }
}

/// What a condition is read from: the frame where the guest stands, or what is known of it inside a region.
fn reader<'a>(store: StoreRef<'a>, inside: Option<&'a VirtualFrame>) -> Option<Reader<'a>> {
    let top = store.keep_top(store.event()?)?;
    let values = match inside {
        Some(inside) => Values::Inside(inside),
        None => Values::Frame(store.state_of(&top)?),
    };
    Some(Reader { store, values, instance: top.instance() })
}

/// Whether what was read ahead of its turn may have been changed since; what is in registers keeps no object, too.
fn is_stale(store: &StoreMut<'_>, access: &Access, inside: &VirtualFrame) -> bool {
    snapshot(inside) != access.end || store.as_store().usage().heap_bytes > 0
}

/// Whether the code that has stopped has regions at all.
fn has_regions(store: &StoreMut<'_>, stop: &StopInfo) -> bool {
    store.registry().get(stop.slot).is_some_and(|entry| entry.engine.tables().regions)
}

#[cfg(test)]
mod tests;
