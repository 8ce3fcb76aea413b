//! Looking into a region: from the frame of an event, at a stop point, rerun goes on with a copy of its state. A
//! position that is found so is *virtual*: the guest has not run to it.
//!
//! A virtual position is exact. The guest is sent on from its stop point only if it will come to the same position with
//! the same state, which rerunning once more tells; if something it reads was changed meanwhile, it goes on in resume
//! code instead.
//!
//! When that is done, and how far, is decided above.

use crate::abi::{TrapCode, VMContext};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Pc, Result, WasmOffset, filled};
use crate::code::CodeSlot;
use crate::compile::fuel_begun;
use crate::image::{ImageTables, Place, RerunEnd, ShapeId};
use crate::runtime::control::frames;
use crate::runtime::control::slot::read_state;
use crate::runtime::objects::owned::EventId;
use crate::runtime::store::events::{Replacement, StopInfo};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, StoreMut};
use crate::runtime::store::virtual_frame::{FUEL, Looked, Room, VALUES, VirtualFrame};
use std::ops::ControlFlow;

/// A frame at a point, where its slots hold its state.
#[derive(Clone, Copy)]
pub(super) struct AtPoint {
    pub(super) slot: CodeSlot,
    pub(super) func: DefinedFuncIndex,
    pub(super) fp: usize,
    pub(super) wasm: WasmOffset,
    pub(super) shape: ShapeId,
    /// What the guest has paid of its fuel since then.
    pub(super) paid: i64,
}

impl StoreMut<'_> {
    /// Says where the frame of the event being told really is (of several that nest, the newest), until that is taken
    /// back or the event ends. Frames are walked accordingly. False if it is not a frame of that event.
    #[inline]
    pub fn set_virtual(&mut self, frame: Box<VirtualFrame>) -> bool {
        let newest = self.inner().events;
        // SAFETY: records are linked while they are live, and nobody else has the store.
        unsafe {
            if newest.is_null() || (*newest).id != frame.event {
                return false;
            }
            (*newest).shown = Some(frame);
        }
        true
    }

    /// Whether something has been said of the event being told: its frame is not where the guest stands.
    #[inline]
    pub fn has_virtual(&self) -> bool {
        let newest = self.as_store().inner().events;
        // SAFETY: as in `set_virtual`.
        unsafe { !newest.is_null() && (*newest).shown.is_some() }
    }

    /// Takes back what has been said of the event being told: its frame is where the guest stands.
    #[inline]
    pub fn take_virtual(&mut self) -> Option<Box<VirtualFrame>> {
        let newest = self.inner().events;
        // SAFETY: as in `set_virtual`.
        unsafe { if newest.is_null() { None } else { (*newest).shown.take() } }
    }

    /// Looks into the region that begins where the guest stands, at the stop that is being told.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where no stop is being told; those of compiling rerun code.
    pub fn look_inside(&mut self, room: Option<Room>) -> Result<Box<VirtualFrame>> {
        let (Looked::Inside(frame) | Looked::OfGuest(Room(frame))) = self.look(room, true)?;
        Ok(frame)
    }

    /// The same, but where only the guest may run the instruction before which it stands, nothing is read.
    ///
    /// # Errors
    /// As of [`StoreMut::look_inside`].
    #[inline]
    pub fn look_ahead(&mut self, room: Option<Room>) -> Result<Looked> {
        self.look(room, false)
    }

    #[inline]
    fn look(&mut self, room: Option<Room>, always: bool) -> Result<Looked> {
        let inner = self.inner();
        let event = inner.newest_event().ok_or_else(no_event)?;
        // SAFETY: the stop stands as long as its record.
        let stop = unsafe { event.stop.as_ref() }.ok_or_else(no_event)?;
        let at = AtPoint {
            slot: stop.slot,
            func: stop.func,
            fp: event.fp,
            wasm: stop.wasm,
            shape: stop.shape,
            paid: event.paid,
        };
        // SAFETY: at a stop the slots hold the state.
        unsafe { look_inside(inner, event.id, &at, room, always) }
    }

    /// At an access, where the guest stands behind the point at which it is shown: says what it has paid of its fuel
    /// since then, so that what is shown on the way there has as much as is right there.
    ///
    /// # Errors
    /// As of [`StoreMut::look_inside`].
    pub fn note_paid(&mut self, room: Option<Room>) -> Result<Option<Room>> {
        if !self.inner().engine.config().fuel {
            return Ok(room);
        }
        let mut frame = self.look_inside(room)?;
        let inner = self.inner();
        let module = inner.modules.of_slot(frame.slot).module.clone();
        let pc = inner.newest_event().ok_or_else(no_event)?.pc;
        let place = inner.registry.lookup(Pc::new(pc));
        let wasm = place.and_then(|(slot, at)| inner.registry.get(slot)?.engine.tables().wasm_at(at));
        let wasm = wasm.ok_or_else(|| fault("an access by no known instruction"))?;
        frame.state[FUEL] = i64::MAX as u64;
        while frame.wasm() != wasm && matches!(frame.step(self)?, RerunEnd::Stopped(_)) {}
        let begins = match frame.step(self)? {
            // Only the guest runs it. It has paid for the run of instructions that this begins, if it begins one.
            _ if frame.wasm() == wasm => fuel_begun(module.info(), module.binary(), frame.func, wasm)?,
            _ => 0,
        };
        let newest = self.inner().events;
        // SAFETY: as in `set_virtual`; an event is being told.
        unsafe { (*newest).paid = i64::MAX - frame.fuel() + begins };
        Ok(Some(Room(frame)))
    }

    /// The state of the frame that has trapped with this code, in the event that is being told, by rerun from the last
    /// point before. [`None`] if that is not in code that has regions.
    ///
    /// # Errors
    /// As of [`StoreMut::look_inside`]; [`ErrorKind::Panic`] if rerun does not come to the trap.
    pub fn look_at_trap(&mut self, code: TrapCode, room: Option<Room>) -> Result<Option<Box<VirtualFrame>>> {
        let inner = self.inner();
        let event = inner.newest_event().ok_or_else(no_event)?;
        let mut innermost = None;
        frames::walk(inner, |frame| {
            let func = frame.module.info().defined(frame.func);
            innermost = func.filter(|_| frame.set_up).map(|func| (frame.slot, func, frame.fp, frame.wasm));
            ControlFlow::Break(())
        });
        let Some((slot, func, fp, wasm)) = innermost else { return Ok(None) };
        let tables = tables(inner, slot)?;
        if !tables.regions {
            return Ok(None);
        }
        let point = tables.complete_before(func, wasm);
        let point = point.ok_or_else(|| fault("a trap before the first point of its function"))?;
        let at = AtPoint { slot, func, fp, wasm: point.wasm, shape: point.shape, paid: 0 };
        // SAFETY: the slots hold the state of the last point.
        let (Looked::Inside(mut frame) | Looked::OfGuest(Room(mut frame))) =
            unsafe { look_inside(inner, event.id, &at, room, true) }?;
        if matches!(code, TrapCode::OutOfFuel | TrapCode::Interrupt) {
            // Checked where the instruction has not begun, which is at a point.
            return if point.wasm == wasm {
                Ok(Some(frame))
            } else {
                Err(fault("a limit checked inside a region").at(wasm))
            };
        }
        // The guest has run here already and has paid.
        frame.state[FUEL] = i64::MAX as u64;
        let end = frame.run_out(self)?;
        // Of instructions that were merged, a load and what uses it, the code knows only one. Rerun knows better.
        let same = matches!(end, RerunEnd::Traps(_, found) if found == code);
        if frame.wasm() != wasm && !same {
            return Err(fault("rerun has not come to the instruction that trapped").at(wasm));
        }
        Ok(Some(frame))
    }
}

/// What there is at a point of a frame, to rerun from there. If not `always`, what only the guest may run is let be.
///
/// # Safety
/// It is the innermost frame of the event, which is being told, or one that waits; and its slots hold its state at the
/// point.
#[inline]
pub(super) unsafe fn look_inside(
    store: &StoreInner,
    event: EventId,
    at: &AtPoint,
    room: Option<Room>,
    always: bool,
) -> Result<Looked> {
    let tables = tables(store, at.slot)?;
    let module = &store.modules.of_slot(at.slot).module;
    let vmctx = match tables.function(at.func).and_then(|function| function.vmctx) {
        Some(Place::Frame(offset)) => at.fp.wrapping_add_signed(offset as isize) as *const usize,
        _ => return Err(fault("a frame without its vmctx")),
    };
    // SAFETY: the frame is live and is one of debug code, which keeps its vmctx there.
    let vmctx = unsafe { *vmctx };
    let mut frame = match room {
        Some(Room(room)) if room.func == at.func && room.module == module.id() => room,
        other => {
            let code = module.rerun(at.func)?;
            let nowhere = filled(0, code.image().instructions.len(), "the stops of a function")?;
            match other {
                Some(Room(mut room)) => {
                    (room.module, room.func, room.code, room.nowhere) = (module.id(), at.func, code, nowhere);
                    room
                }
                None => Box::new(VirtualFrame {
                    event,
                    slot: at.slot,
                    module: module.id(),
                    func: at.func,
                    fp: at.fp,
                    vmctx,
                    code,
                    run: None,
                    start: 0,
                    shape: at.shape,
                    paid: at.paid,
                    position: 0,
                    state: Vec::new(),
                    had: None,
                    given: false,
                    again: Vec::new(),
                    nowhere,
                }),
            }
        }
    };
    let image = frame.code.image();
    // Mostly the guest has run the instruction before which rerun has ended, or is in a loop.
    let near = [frame.position.saturating_add(1), frame.start];
    let position = image.position_near(at.wasm, near).ok_or_else(|| fault("a point that is no instruction"))?;
    let of_guest = image.instructions[position as usize].is_of_guest();
    (frame.event, frame.slot, frame.fp, frame.vmctx) = (event, at.slot, at.fp, vmctx);
    (frame.start, frame.shape, frame.position, frame.had) = (position, at.shape, position, None);
    (frame.paid, frame.given) = (at.paid, false);
    if of_guest && !always {
        return Ok(Looked::OfGuest(Room(frame)));
    }
    let mut state = std::mem::take(&mut frame.state);
    // SAFETY: handed on to the caller.
    unsafe { frame.read(store, tables, &mut state) };
    frame.state = state;
    Ok(Looked::Inside(frame))
}

impl VirtualFrame {
    /// The frame's state at its point, into `state`.
    ///
    /// # Safety
    /// The frame is live, and its slots hold its state.
    unsafe fn read(&self, store: &StoreInner, tables: &ImageTables, state: &mut Vec<u64>) {
        state.clear();
        state.resize(VALUES + self.code.image().words(), 0);
        state[FUEL] = (store.fuel_left() + self.paid) as u64;
        // SAFETY: the caller's promise.
        unsafe { read_state(self.fp, tables, self.func, self.shape, &mut state[VALUES..]) };
    }

    /// Whether it is the frame that stands at a stop; otherwise it is one further out, and those within it are to be
    /// left.
    #[inline]
    pub fn stands_at(&self, stop: &StopInfo) -> bool {
        self.fp == stop.fp
    }

    /// A stop of a frame further out, as if the guest had left those within it and stood there.
    pub fn stop(&self, of: &StopInfo) -> StopInfo {
        let (slot, func, wasm, shape, fp) = (self.slot, self.func, self.wasm(), self.shape, self.fp);
        StopInfo { slot, func, wasm, shape, fp, ..*of }
    }

    /// Runs on from where it is, to the first of these instructions or as far as rerun can.
    ///
    /// # Errors
    /// Those of compiling rerun code; [`ErrorKind::State`] where the event that it is of is not the one being told.
    ///
    /// # Panics
    /// If there is not a byte for each instruction of the function that can be reached.
    #[inline]
    pub fn run_to(&mut self, store: &mut StoreMut<'_>, stops: &[u8]) -> Result<RerunEnd> {
        assert_eq!(stops.len(), self.nowhere.len(), "a byte for each instruction");
        self.run(store, stops.as_ptr())
    }

    /// Runs the next instruction, if rerun can.
    ///
    /// # Errors
    /// As of [`VirtualFrame::run_to`].
    #[inline]
    pub fn step(&mut self, store: &mut StoreMut<'_>) -> Result<RerunEnd> {
        self.run(store, self.code.all_stops().as_ptr())
    }

    /// Runs on as far as rerun can.
    ///
    /// # Errors
    /// As of [`VirtualFrame::run_to`].
    pub fn run_out(&mut self, store: &mut StoreMut<'_>) -> Result<RerunEnd> {
        self.run(store, self.nowhere.as_ptr())
    }

    #[inline]
    fn run(&mut self, store: &mut StoreMut<'_>, stops: *const u8) -> Result<RerunEnd> {
        let event = store.inner().newest_event();
        if event.is_none_or(|event| event.id != self.event) {
            return Err(over());
        }
        let (vmctx, values) = (self.vmctx as *mut VMContext, self.state[VALUES..].as_mut_ptr());
        // SAFETY: the event is told, so its frame is live, and so is the frame's instance; the store is in hand, so
        // nothing changes meanwhile; values, stops and position are the code's.
        let end = unsafe { self.code.run(&mut self.run, vmctx, values, stops, self.position) }?;
        self.position = position_of(end);
        Ok(end)
    }

    /// The fuel that is left here.
    pub fn fuel(&self) -> i64 {
        self.state[FUEL] as i64
    }

    /// Has the store have the fuel that is left here, while this is shown.
    #[inline]
    pub fn pay(&mut self, store: &mut StoreMut<'_>) {
        let store = store.inner();
        self.had = Some(store.fuel_left());
        store.set_fuel_left(self.state[FUEL] as i64);
    }

    /// Gives the store back what [`VirtualFrame::pay`] has taken, if it has, less what was used meanwhile, more what
    /// was given.
    #[inline]
    pub fn take_back(&mut self, store: &mut StoreMut<'_>) {
        let Some(had) = self.had.take() else { return };
        let store = store.inner();
        let left = store.fuel_left();
        store.set_fuel_left(had.saturating_add(left.saturating_sub(self.state[FUEL] as i64)));
        self.given |= left != self.fuel();
        self.state[FUEL] = left as u64;
    }

    /// Whether the fuel was changed while this was shown. A guest that stands between two stop points may have what it
    /// was before in a register.
    pub fn was_given_fuel(&self) -> bool {
        self.given
    }

    /// Whether the guest, which goes on from its stop point, comes here with this state, before any other of these
    /// instructions.
    ///
    /// # Errors
    /// As of [`VirtualFrame::run_to`].
    ///
    /// # Panics
    /// As of [`VirtualFrame::run_to`].
    pub fn is_ahead(&mut self, store: &mut StoreMut<'_>, stops: &[u8]) -> Result<bool> {
        assert_eq!(stops.len(), self.nowhere.len(), "a byte for each instruction");
        self.is_where_guest_comes(store, stops.as_ptr())
    }

    /// The same, with a byte for each instruction that is rerun.
    fn is_where_guest_comes(&mut self, store: &mut StoreMut<'_>, stops: *const u8) -> Result<bool> {
        let inner = store.inner();
        if inner.newest_event().is_none_or(|event| event.id != self.event) {
            return Err(over());
        }
        let mut again = std::mem::take(&mut self.again);
        // SAFETY: the guest has not moved: its slots are as they were.
        unsafe { self.read(inner, tables(inner, self.slot)?, &mut again) };
        let values = again[VALUES..].as_mut_ptr();
        let vmctx = self.vmctx as *mut VMContext;
        // SAFETY: as in `run`.
        let end = unsafe { self.code.run(&mut self.run, vmctx, values, stops, self.start) }?;
        let same = position_of(end) == self.position && {
            // With the fuel: another way to the same state has taken another amount of it, and would be paid for by the
            // guest.
            let live = VALUES + self.code.image().live_words(self.position) as usize;
            again[FUEL] == self.state[FUEL] && again[VALUES..live] == self.state[VALUES..live]
        };
        self.again = again;
        Ok(same)
    }

    /// How the guest goes on from where rerun could not: by itself ([`None`]) if it will come there with the same
    /// state, and past none of these instructions, else in resume code.
    ///
    /// # Errors
    /// Those of compiling and mapping resume code, and as of [`VirtualFrame::run_to`].
    ///
    /// # Panics
    /// As of [`VirtualFrame::run_to`].
    pub fn leave(&mut self, store: &mut StoreMut<'_>, stops: Option<&[u8]>) -> Result<Option<Replacement>> {
        let same = match stops {
            Some(stops) => self.is_ahead(store, stops),
            None => self.is_where_guest_comes(store, self.nowhere.as_ptr()),
        }?;
        if same { Ok(None) } else { self.replace(store).map(Some) }
    }

    /// Has the guest go on from here in resume code.
    ///
    /// # Errors
    /// Those of compiling and mapping resume code.
    pub fn replace(&self, store: &mut StoreMut<'_>) -> Result<Replacement> {
        let slot = store.resume_code(self.slot, self.func)?;
        let values = self.values().into();
        let fuel = self.state[FUEL] as i64;
        let stands = store.inner().newest_event().is_some_and(|event| event.fp == self.fp);
        let outer = (!stands).then_some(self.fp);
        Ok(Replacement { slot, entry: self.position, wasm: self.wasm(), values, fuel, optional: false, outer })
    }

    /// Has the guest go on from its stop point, where this stands, in split code that is entered there: see
    /// [`StoreMut::split_code`]. It need not.
    pub fn enter(&self, slot: CodeSlot, entry: u32) -> Replacement {
        let (values, fuel) = (self.values().into(), self.state[FUEL] as i64);
        Replacement { slot, entry, wasm: self.wasm(), values, fuel, optional: true, outer: None }
    }
}

fn position_of(end: RerunEnd) -> u32 {
    match end {
        RerunEnd::Stopped(at) | RerunEnd::Native(at) | RerunEnd::Traps(at, _) => at,
    }
}

pub(super) fn tables(store: &StoreInner, slot: CodeSlot) -> Result<&ImageTables> {
    let entry = store.registry.get(slot).ok_or_else(|| fault("a frame of code that is not registered"))?;
    Ok(entry.engine.tables())
}

#[cold]
fn no_event() -> Error {
    Error::new(ErrorKind::State, "no stop is being told")
}

#[cold]
fn over() -> Error {
    Error::new(ErrorKind::State, "the frame's event is not the one that is being told")
}

/// A fault of our own.
#[cold]
fn fault(what: &str) -> Error {
    Error::new(ErrorKind::Panic, format!("fault of the debugger: {what}"))
}
