//! Where a frame really is while its guest stands at a stop point of a region, or has trapped in one. Between two stop points the
//! guest is at one of them, and the position that is shown is *virtual*: found by rerun, with a state of its own.
//!
//! A virtual position is exact. The guest is sent on from its stop point only if it will come to the same position with
//! the same state, which rerunning once more tells; if something it reads was changed meanwhile, it goes on in resume code instead.

use super::slot::read_state;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Result, ValType, WasmOffset, filled};
use crate::code::CodeSlot;
use crate::image::{ImageTables, Place, RerunEnd, RerunImage, ShapeId};
use crate::runtime::{LastRun, Replacement, RerunCode, StoreMut, VMContext, ValRaw, VirtualFrame};
use std::sync::Arc;

/// A function whose rerun code is at hand.
type Key = (CodeSlot, DefinedFuncIndex);

/// The functions that were lately looked into, and room for what is known of a frame.
#[derive(Default)]
pub(super) struct VirtualPositions {
    /// Boxed: what is known of a frame stays where it is while it is shown.
    #[expect(clippy::vec_box, reason = "frames point to what is in the boxes")]
    spare: Vec<Box<VirtualPosition>>,
    /// The last frame that was sent on in resume code: the store points to it until that has begun.
    leaving: Option<Box<VirtualPosition>>,
}

/// The most frames' worth of room kept.
const MAX_SPARE: usize = 4;

/// Where the fuel is in a state, and where the values begin.
const FUEL: usize = 0;
const VALUES: usize = 1;

/// A frame inside a region.
pub(super) struct VirtualPosition {
    key: Key,
    code: Arc<RerunCode>,
    /// The run of it that was rerun last.
    run: LastRun,
    vmctx: *mut VMContext,
    fp: usize,
    /// The stop point, and the operand stack there.
    start: u32,
    shape: ShapeId,
    /// The instruction about to run.
    position: u32,
    /// In words: the fuel that is left ([`FUEL`]), then the locals, then the operands before it.
    state: Vec<u64>,
    /// For rerunning once more.
    again: Vec<u64>,
    /// A stop nowhere.
    nowhere: Vec<u8>,
}

// SAFETY: the vmctx is that of an instance of the store that the debugger belongs to, and is used with the store in hand only.
unsafe impl Send for VirtualPosition {}

/// A frame at a point where its slots hold its state.
#[derive(Clone, Copy)]
pub(super) struct RealFrame {
    pub(super) slot: CodeSlot,
    pub(super) func: DefinedFuncIndex,
    pub(super) fp: usize,
    pub(super) wasm: WasmOffset,
    pub(super) shape: ShapeId,
}

impl VirtualPositions {
    /// Whether code has regions at all.
    pub(super) fn in_code(store: &StoreMut<'_>, slot: CodeSlot) -> bool {
        store.registry().get(slot).is_some_and(|entry| entry.engine.tables().regions)
    }

    /// Looks into the region that begins where a frame stands.
    ///
    /// # Errors
    /// Those of compiling rerun code.
    pub(super) fn enter(&mut self, store: &StoreMut<'_>, at: RealFrame) -> Result<Box<VirtualPosition>> {
        let key = (at.slot, at.func);
        let mut inside = match self.spare.pop() {
            Some(inside) if inside.key == key => inside,
            other => {
                let module = store.module_in(at.slot).ok_or_else(|| fault("a stop in code that is not registered"))?;
                let code = module.rerun(at.func)?;
                match other {
                    Some(mut inside) => {
                        (inside.key, inside.code) = (key, code);
                        inside
                    }
                    None => Box::new(VirtualPosition {
                        key,
                        code,
                        run: None,
                        vmctx: std::ptr::null_mut(),
                        fp: 0,
                        start: 0,
                        shape: ShapeId::EMPTY,
                        position: 0,
                        state: Vec::new(),
                        again: Vec::new(),
                        nowhere: Vec::new(),
                    }),
                }
            }
        };
        let image = inside.code.image();
        if inside.nowhere.len() != image.instructions.len() {
            inside.nowhere = filled(0, image.instructions.len(), "the stops of a function")?;
        }
        let position = image.position(at.wasm).ok_or_else(|| fault("a point that is no instruction"))?;
        let tables = tables(store, at.slot)?;
        let vmctx = match tables.function(at.func).and_then(|function| function.vmctx) {
            Some(Place::Frame(offset)) => at.fp.wrapping_add_signed(offset as isize) as *const *mut VMContext,
            _ => return Err(fault("a frame without its vmctx")),
        };
        // SAFETY: the frame is live and is one of debug code, which keeps its vmctx there.
        inside.vmctx = unsafe { *vmctx };
        (inside.fp, inside.start, inside.shape, inside.position) = (at.fp, position, at.shape, position);
        let mut state = std::mem::take(&mut inside.state);
        // SAFETY: the caller says that its slots hold its state.
        unsafe { inside.read(tables, &mut state) };
        state[FUEL] = store.fuel_left() as u64;
        inside.state = state;
        Ok(inside)
    }

    /// Keeps the room for the next.
    pub(super) fn put_back(&mut self, inside: Box<VirtualPosition>) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(inside);
        }
    }

    /// Keeps a frame that gives way to resume code, in the place of the last one.
    pub(super) fn keep_replaced(&mut self, inside: Box<VirtualPosition>) {
        if let Some(last) = self.leaving.replace(inside) {
            self.put_back(last);
        }
    }

    /// The frame that was to give way to resume code and did not, to be shown once more.
    pub(super) fn take_replaced(&mut self) -> Option<Box<VirtualPosition>> {
        self.leaving.take()
    }

    /// How the guest goes on from where rerun could not: by itself ([`None`]) if it will come there with the same state, else in
    /// resume code.
    ///
    /// # Errors
    /// Those of compiling and mapping resume code.
    pub(super) fn leave(store: &mut StoreMut<'_>, inside: &mut VirtualPosition) -> Result<Option<Replacement>> {
        let mut again = std::mem::take(&mut inside.again);
        // SAFETY: the guest has not moved: its slots are as they were.
        unsafe { inside.read(tables(store, inside.key.0)?, &mut again) };
        again[FUEL] = store.fuel_left() as u64;
        let values = again[VALUES..].as_mut_ptr();
        // SAFETY: as in `run`.
        let end =
            unsafe { inside.code.run(&mut inside.run, inside.vmctx, values, inside.nowhere.as_ptr(), inside.start) }?;
        let same = position_of(end) == inside.position && {
            // With the fuel: another way to the same state has taken another amount of it, and would be paid for by the guest.
            let live = VALUES + inside.image().live_words(inside.position) as usize;
            again[FUEL] == inside.state[FUEL] && again[VALUES..live] == inside.state[VALUES..live]
        };
        inside.again = again;
        if same {
            return Ok(None);
        }
        let resume = store.resume_code(inside.key.0, inside.key.1)?;
        let values = inside.values().into();
        let fuel = inside.state[FUEL] as i64;
        let with = Replacement { slot: resume, entry: inside.position, wasm: inside.wasm(), values, fuel };
        Ok(Some(with))
    }
}

impl VirtualPosition {
    /// Has the store have the fuel that is left here, while this is shown. Gives what it had: the guest, when it goes on from its stop
    /// point, pays by itself.
    pub(super) fn pay(&self, store: &mut StoreMut<'_>) -> i64 {
        std::mem::replace(store.fuel_left_mut(), self.state[FUEL] as i64)
    }

    /// Gives the store back what [`VirtualPosition::pay`] has taken, less what was used meanwhile, more what was given.
    pub(super) fn take_back(&mut self, store: &mut StoreMut<'_>, had: i64) {
        let left = *store.fuel_left_mut();
        *store.fuel_left_mut() = had.saturating_add(left.saturating_sub(self.state[FUEL] as i64));
        self.state[FUEL] = left as u64;
    }

    /// The locals, then the operands, in words.
    fn values(&self) -> &[u64] {
        &self.state[VALUES..]
    }

    /// The frame's state at its point, into `state`.
    ///
    /// # Safety
    /// The frame is live, and its slots hold its state.
    unsafe fn read(&self, tables: &ImageTables, state: &mut Vec<u64>) {
        state.clear();
        state.resize(VALUES + self.code.image().words(), 0);
        // SAFETY: the caller's promise.
        unsafe { read_state(self.fp, tables, self.key.1, self.shape, &mut state[VALUES..]) };
    }

    /// Runs on from where it is, to the first of these instructions or as far as rerun can.
    pub(super) fn run_to(&mut self, stops: &[u8]) -> Result<RerunEnd> {
        assert_eq!(stops.len(), self.nowhere.len(), "a byte for each instruction");
        self.run(stops.as_ptr())
    }

    /// Runs the next instruction, if rerun can.
    pub(super) fn step(&mut self) -> Result<RerunEnd> {
        self.run(self.code.all_stops().as_ptr())
    }

    /// Runs on as far as rerun can, without counting fuel: the guest has run here already and has paid.
    pub(super) fn run_out_again(&mut self) -> Result<RerunEnd> {
        self.state[FUEL] = i64::MAX as u64;
        self.run_out()
    }

    /// Runs on as far as rerun can.
    pub(super) fn run_out(&mut self) -> Result<RerunEnd> {
        self.run(self.nowhere.as_ptr())
    }

    fn run(&mut self, stops: *const u8) -> Result<RerunEnd> {
        // The frame is live, and so its instance; the store is in hand, so nothing changes meanwhile; values, stops and
        // position are the image's.
        let values = self.state[VALUES..].as_mut_ptr();
        // SAFETY: as above.
        let end = unsafe { self.code.run(&mut self.run, self.vmctx, values, stops, self.position) }?;
        self.position = position_of(end);
        Ok(end)
    }

    pub(super) fn image(&self) -> &RerunImage {
        self.code.image()
    }

    /// The instruction about to run.
    pub(super) fn wasm(&self) -> WasmOffset {
        self.image().instructions[self.position as usize].wasm
    }

    /// As the store is told, for as long as it is neither moved nor changed.
    pub(super) fn shown(&self) -> VirtualFrame {
        let about: *const VirtualPosition = self;
        VirtualFrame { wasm: self.wasm(), about: about.cast() }
    }

    /// A local: its type and value.
    pub(super) fn local(&self, index: usize) -> Option<(ValType, ValRaw)> {
        self.image().locals.all().get(index).map(|at| self.value(at))
    }

    /// The locals, parameters first.
    pub(super) fn locals(&self) -> impl Iterator<Item = (ValType, ValRaw)> + '_ {
        self.image().locals.all().iter().map(|at| self.value(at))
    }

    /// The operands, top first.
    pub(super) fn operands(&self) -> impl Iterator<Item = (ValType, ValRaw)> + '_ {
        self.image().operands(self.position).map(|at| self.value(at))
    }

    /// The value of this type at a word of the state.
    #[inline(always)]
    fn value(&self, (ty, word): (ValType, u32)) -> (ValType, ValRaw) {
        let words = &self.values()[word as usize..];
        (ty, ValRaw::from_words([words[0], if ty.is_wide() { words[1] } else { 0 }]))
    }
}

fn position_of(end: RerunEnd) -> u32 {
    match end {
        RerunEnd::Stopped(at) | RerunEnd::Native(at) | RerunEnd::Traps(at, _) => at,
    }
}

fn tables<'a>(store: &'a StoreMut<'_>, slot: CodeSlot) -> Result<&'a ImageTables> {
    let entry = store.registry().get(slot).ok_or_else(|| fault("a frame of code that is not registered"))?;
    Ok(entry.engine.tables())
}

/// A fault of our own.
#[cold]
pub(super) fn fault(what: &str) -> Error {
    Error::new(ErrorKind::Panic, format!("fault of the debugger: {what}"))
}
