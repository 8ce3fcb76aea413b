//! Breakpoints, stepping, frames: decides *what* to stop at and what to show. It edits the store's patch plan and
//! never touches machine code; it reads frames where the image's tables say they are, and finds by rerun what no frame holds.
//!
//! A [`Debugger`] is attached to one store while none of its frames is live. From then on the store runs debug code, in
//! a private copy of its own, and every stop calls the [`Debugger`]'s callback on the guest's thread with the [`Stop`]
//! in its hands. Stores without a debugger never notice.

mod breakpoints;
mod frame;
mod slot;
mod stepping;
mod stop;
mod virtual_position;

pub use breakpoints::{Breakpoint, BreakpointId};
pub use frame::Frame;
pub use stepping::Action;
pub use stop::{Reason, Stop};

use crate::base::{Error, ErrorKind, FuncIndex, Result, WasmOffset};
use crate::image::RerunEnd;
use crate::runtime::{
    AsStoreMut, EventSink, Module, ModuleId, Resume, StopInfo, StoreId, StoreMut, Trap, TrapCode, TrapInfo,
};
use breakpoints::Breakpoints;
use std::cell::UnsafeCell;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use stepping::Stepping;
use virtual_position::{RealFrame, VirtualPosition, VirtualPositions, fault};

/// The stop callback.
type Handler = dyn Fn(&mut Stop<'_>) -> Action + Send + Sync;

/// A debugger attached to a store. Clones stand for the same debugger. Dropping the last one does not detach it: the store keeps it
/// until [`Debugger::detach`].
#[derive(Clone)]
pub struct Debugger {
    core: Arc<Core>,
}

/// What the store calls and the [`Debugger`] edits.
struct Core {
    me: Weak<Core>,
    store: StoreId,
    handler: Box<Handler>,
    /// Touched only with the store in hand, so that a stop takes no lock: see [`Core::state`].
    state: UnsafeCell<State>,
    /// The breakpoints in the order they were set, for those who ask without the store.
    listed: Mutex<Vec<Breakpoint>>,
}

// SAFETY: `state` is `Send` and reached only with the store in hand, which one thread has at a time; the rest is `Sync`.
unsafe impl Sync for Core {}

#[derive(Default)]
struct State {
    breakpoints: Breakpoints,
    stepping: Stepping,
    regions: VirtualPositions,
    /// Another debugger may have taken its place.
    detached: bool,
}

impl Core {
    /// # Safety
    /// The caller has the store in hand exclusively, as every method with a [`StoreMut`] of it has, and the reference ends before
    /// the callback or the guest runs.
    #[expect(clippy::mut_from_ref, reason = "the store, held exclusively, stands for the state")]
    unsafe fn state(&self) -> &mut State {
        // SAFETY: handed on to the caller.
        unsafe { &mut *self.state.get() }
    }

    fn listed(&self) -> MutexGuard<'_, Vec<Breakpoint>> {
        // A panic while it is locked leaves plain data in a usable state.
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debugger {
    /// Attaches to `store`: its modules' debug code is compiled if it was not yet (once per module and engine), and from the next
    /// call on the store runs it in a private copy. `handler` is called at every stop.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when the engine is not configured for debugging, when a debugger is attached already, or when a
    /// Wasm frame of the store is live; otherwise what compiling or mapping the code said.
    pub fn attach(
        store: &mut impl AsStoreMut,
        handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
    ) -> Result<Debugger> {
        Debugger::attach_with_progress(store, handler, &|_, _| true)
    }

    /// The same; `progress` is told how many functions of how many have their debug code, from whatever thread; `false` cancels.
    ///
    /// # Errors
    /// As [`Debugger::attach`], and [`ErrorKind::Cancelled`], which leaves the store as it was.
    pub fn attach_with_progress(
        store: &mut impl AsStoreMut,
        handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
        progress: &(dyn Fn(usize, usize) -> bool + Sync),
    ) -> Result<Debugger> {
        let mut store = store.as_store_mut();
        let core = Arc::new_cyclic(|me| Core {
            me: me.clone(),
            store: store.id(),
            handler: Box::new(handler),
            state: UnsafeCell::default(),
            listed: Mutex::default(),
        });
        store.attach_with_progress(core.clone(), progress)?;
        Ok(Debugger { core })
    }

    /// Detaches: breakpoints are gone, the store runs production code again, its private copies are unmapped.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when a Wasm frame of the store is live, or when this debugger is no longer attached.
    pub fn detach(&self, store: &mut impl AsStoreMut) -> Result<()> {
        let mut store = self.check(store)?;
        store.detach()?;
        // SAFETY: the store is in hand.
        *unsafe { self.core.state() } = State { detached: true, ..State::default() };
        self.core.listed().clear();
        Ok(())
    }

    /// Sets a breakpoint at the instruction at `offset` of `module`, or the next one that can be reached in the same
    /// function. The module need not be instantiated yet.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when `offset` is in no function's body, or when no reachable instruction of the function is at or after
    /// it; a refused mapping otherwise.
    pub fn break_at(&self, store: &mut impl AsStoreMut, module: &Module, offset: WasmOffset) -> Result<Breakpoint> {
        let mut store = self.check(store)?;
        // SAFETY: the store is in hand, and adding calls nobody.
        let placed = unsafe { self.core.state() }.breakpoints.add(&mut store, module, offset)?;
        self.core.listed().push(placed.clone());
        Ok(placed)
    }

    /// Sets a breakpoint at the first instruction of a function, imports counted.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is no such function or it is imported; otherwise as [`Debugger::break_at`].
    pub fn break_at_function(
        &self,
        store: &mut impl AsStoreMut,
        module: &Module,
        func: FuncIndex,
    ) -> Result<Breakpoint> {
        let mut store = self.check(store)?;
        // SAFETY: the store is in hand, and adding calls nobody.
        let placed = unsafe { self.core.state() }.breakpoints.add_at_function(&mut store, module, func)?;
        self.core.listed().push(placed.clone());
        Ok(placed)
    }

    /// Sets a breakpoint at the first instruction of the function of this name: an export's, else one of the module's
    /// name section.
    ///
    /// # Errors
    /// As [`Debugger::break_at_function`], and [`ErrorKind::Argument`] when nothing has that name.
    pub fn break_at_name(&self, store: &mut impl AsStoreMut, module: &Module, name: &str) -> Result<Breakpoint> {
        let func = module.info().func_named(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Argument,
                format!("the module has no function named {name:?}, neither by export nor in its name section"),
            )
        })?;
        self.break_at_function(store, module, func)
    }

    /// Removes a breakpoint.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is none of this id; a refused mapping otherwise.
    pub fn remove(&self, store: &mut impl AsStoreMut, id: BreakpointId) -> Result<()> {
        let mut store = self.check(store)?;
        // SAFETY: the store is in hand, and removing calls nobody.
        unsafe { self.core.state() }.breakpoints.remove(&mut store, id)?;
        self.core.listed().retain(|breakpoint| breakpoint.id != id);
        Ok(())
    }

    /// The breakpoints there are, in the order they were set.
    pub fn breakpoints(&self) -> Vec<Breakpoint> {
        self.core.listed().clone()
    }

    /// With `on`, every instruction of every call stops, from now on, whatever the callback answers; without, that ends.
    ///
    /// # Errors
    /// A refused mapping.
    pub fn step_always(&self, store: &mut impl AsStoreMut, on: bool) -> Result<()> {
        let mut store = self.check(store)?;
        // SAFETY: the store is in hand, and arming calls nobody.
        unsafe { self.core.state() }.stepping.set_always(&mut store, on)
    }

    fn check<'s>(&self, store: &'s mut impl AsStoreMut) -> Result<StoreMut<'s>> {
        let store = store.as_store_mut();
        if store.id() != self.core.store {
            return Err(Error::new(ErrorKind::Argument, "the debugger is attached to another store"));
        }
        // SAFETY: the store is in hand, and reading calls nobody.
        if !store.is_attached() || unsafe { self.core.state() }.detached {
            return Err(Error::new(ErrorKind::State, "the debugger is no longer attached"));
        }
        Ok(store)
    }
}

impl Core {
    /// Calls the callback for an event in the frame at `fp`; gives its answer and the store back.
    fn deliver<'a>(&'a self, mut store: StoreMut<'a>, reason: Reason, fp: usize) -> (Action, StoreMut<'a>) {
        // SAFETY: an event is being told.
        let _floats = unsafe { store.host_floats() };
        let mut stop = Stop::new(store, self, reason, fp);
        let action = (self.handler)(&mut stop);
        (action, stop.into_store())
    }

    /// Tells of every instruction that is to be stopped at from a stop point on, as far as rerun gets, and says how the guest goes
    /// on then.
    fn tell_stop<'a>(
        &'a self,
        mut store: StoreMut<'a>,
        info: &StopInfo,
        room: &mut Option<Box<VirtualPosition>>,
    ) -> Result<Resume> {
        let &StopInfo { slot, func, fp, shape, .. } = info;
        let mut wasm = info.wasm;
        let mut told_inside = false;
        let regions = VirtualPositions::in_code(&store, slot);
        loop {
            let reason = {
                // SAFETY: the store is in hand; the reference ends with the block, and arming calls nobody.
                let state = unsafe { self.state() };
                let hits = state.breakpoints.at(slot, wasm);
                let stepped = state.stepping.satisfied(&store, fp, (slot, func));
                match (hits.is_empty(), stepped) {
                    (false, _) => Some(Reason::Breakpoint(hits)),
                    (true, true) => Some(Reason::Step),
                    (true, false) => None,
                }
            };
            let idle = reason.is_none();
            if let Some(reason) = reason {
                told_inside |= room.is_some();
                let fuel = room.as_ref().map(|inside| inside.pay(&mut store));
                let (action, returned) = self.deliver(store, reason, fp);
                store = returned;
                // SAFETY: the store is back in hand, and arming calls nobody.
                let state = unsafe { self.state() };
                if let Action::Trap(message) = action {
                    state.stepping.cancel(&mut store)?;
                    return Err(Trap::new(message).into());
                }
                if let (Some(inside), Some(fuel)) = (room.as_mut(), fuel) {
                    inside.take_back(&mut store, fuel);
                }
                state.stepping.start(&mut store, &action, fp)?;
            }
            // SAFETY: the store is in hand, and neither rerunning nor arming calls anybody.
            let state = unsafe { self.state() };
            if idle {
                state.stepping.forget_ended(&mut store)?;
            }
            let steps = state.stepping.wants(&store, fp, (slot, func));
            let stops = state.breakpoints.inside(slot, func);
            if !regions || (!steps && stops.is_none() && room.is_none()) {
                return Ok(Resume::Native);
            }
            let inside = match room {
                Some(inside) => inside,
                None => room.insert(state.regions.enter(&store, RealFrame { slot, func, fp, wasm, shape })?),
            };
            let end = match (steps, stops) {
                (true, _) => inside.step(),
                (false, Some(stops)) => inside.run_to(stops),
                (false, None) => inside.run_out(),
            }?;
            if let RerunEnd::Stopped(_) = end {
                wasm = inside.wasm();
                store.set_virtual(Some(inside.shown()));
                continue;
            }
            if !told_inside {
                return Ok(Resume::Native);
            }
            store.set_virtual(Some(inside.shown()));
            let Some(with) = VirtualPositions::leave(&mut store, inside)? else { return Ok(Resume::Native) };
            state.breakpoints.arm_resume_code(&mut store, slot, with.slot, func)?;
            state.stepping.frame_replaced(&mut store, with.slot, func)?;
            return Ok(Resume::Replace(Box::new(with)));
        }
    }

    /// The state of the frame that has trapped, if that is inside a region.
    fn trapped_inside(&self, store: &StoreMut<'_>, code: TrapCode) -> Result<Option<Box<VirtualPosition>>> {
        let mut innermost = None;
        store.walk_frames(|frame| {
            let func = frame.module.info().defined(frame.func);
            innermost = func.map(|func| (frame.slot, func, frame.fp, frame.wasm));
            ControlFlow::Break(())
        });
        let Some((slot, func, fp, wasm)) = innermost.filter(|frame| VirtualPositions::in_code(store, frame.0)) else {
            return Ok(None);
        };
        let entry = store.registry().get(slot).ok_or_else(|| fault("a trap in code that is not registered"))?;
        let point = entry.engine.tables().complete_before(func, wasm);
        let point = point.ok_or_else(|| fault("a trap before the first point of its function"))?;
        let at = RealFrame { slot, func, fp, wasm: point.wasm, shape: point.shape };
        // SAFETY: the store is in hand, and rerunning calls nobody.
        let mut inside = unsafe { self.state() }.regions.enter(store, at)?;
        if matches!(code, TrapCode::OutOfFuel | TrapCode::Interrupt) {
            // Checked where the instruction has not begun, which is at a point.
            return if point.wasm == wasm {
                Ok(Some(inside))
            } else {
                Err(fault("a limit checked inside a region").at(wasm))
            };
        }
        let end = inside.run_out_again()?;
        // Of instructions that were merged, a load and what uses it, the code knows only one. Rerun knows better.
        let same = matches!(end, RerunEnd::Traps(_, found) if found == code);
        if inside.wasm() != wasm && !same {
            return Err(fault("rerun has not come to the instruction that trapped").at(wasm));
        }
        Ok(Some(inside))
    }

    /// A handle.
    ///
    /// # Panics
    /// Never while attached: the store keeps the core.
    fn debugger(&self) -> Debugger {
        Debugger { core: self.me.upgrade().expect("the store keeps its debugger") }
    }
}

impl EventSink for Core {
    fn on_stop(&self, store: StoreMut<'_>, info: &StopInfo) -> Result<Resume> {
        let mut inside = None;
        let result = self.tell_stop(store, info, &mut inside);
        if let Some(inside) = inside {
            // SAFETY: the event is told, and with it the store is in hand again.
            let regions = &mut unsafe { self.state() }.regions;
            match result {
                // Should it not fit the stack, it is shown once more.
                Ok(Resume::Replace(_)) => regions.keep_replaced(inside),
                _ => regions.put_back(inside),
            }
        }
        result
    }

    fn on_trap(&self, mut store: StoreMut<'_>, trap: &TrapInfo) -> Result<()> {
        let frameless = trap.code == TrapCode::StackOverflow && !trap.at_stop;
        let inside = if trap.at_stop {
            // It has been said where the guest really is.
            // SAFETY: the store is in hand.
            unsafe { self.state() }.regions.take_replaced()
        } else if frameless {
            None
        } else {
            self.trapped_inside(&store, trap.code)?
        };
        if let Some(inside) = &inside {
            store.set_virtual(Some(inside.shown()));
        }
        // SAFETY: the store is in hand, and pausing calls nobody.
        unsafe { self.state() }.stepping.pause();
        // The guest's call has ended, whatever the answer is.
        let (_, mut store) = self.deliver(store, Reason::Trap(trap.code), trap.fp);
        // SAFETY: the store is back in hand, and arming calls nobody.
        let state = unsafe { self.state() };
        if let Some(inside) = inside {
            state.regions.put_back(inside);
        }
        state.stepping.cancel(&mut store)
    }

    fn on_module(&self, mut store: StoreMut<'_>, module: ModuleId) -> Result<()> {
        // SAFETY: the store is in hand, and arming calls nobody.
        unsafe { self.state() }.breakpoints.module_registered(&mut store, module)
    }
}

#[cfg(test)]
mod tests;
