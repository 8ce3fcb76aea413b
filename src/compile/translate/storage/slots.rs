//! Locals and operands as in production, and besides in slots of the frame from which all of them can be told at
//! *points*: debug code. Between points nothing is stored. At a point those locals are written that have changed since
//! the last, and those operands that are still there and not known without: a constant, or a copy of a local that has
//! not changed since.
//!
//! Say a stop point stands before `local.get 0` and the next one before the `call` in
//!
//! ```text
//! local.get 0     is what local 0 is: no slot
//! i32.const 7     a constant: no slot
//! local.get 1
//! local.set 0     operand 0 is not told from local 0 any more; the slot of local 0 is out of date
//! call $f         complete: operand 0 goes to its own slot, local 0 to its
//! ```

use super::values::Variables;
use super::{Here, Operand, Record, Storage, in_one_shape, words};
use crate::base::{Result, WasmOffset};
use crate::compile::debug::{FrameWriter, NO_SHAPE, OperandPlace, UNSHAPED};
use crate::compile::regions::RegionClasses;
use crate::wasm::{Class, Flow, Row, ValType};
use cranelift_codegen::ir::Value;
use cranelift_codegen::packed_option::ReservedValue;
use cranelift_frontend::FunctionBuilder;

/// The deepest operand stack of which operands are told from locals. All of them are looked at when a local changes,
/// and those above one that is stored get shapes anew, so this keeps translation linear and the shapes few.
const MAX_ALIASED: usize = 16;
/// How many operands, from the top, are kept at hand at a point, and how many more there may be before one is
/// made. Those below are taken from their slots when they are used: with more values alive than there are registers, to
/// allocate these takes time for each pair.
const MAX_AT_HAND: usize = 16;

/// Variables and values, and slots that tell them at points.
pub(in super::super) struct Slots<'a> {
    variables: Variables,
    frame: FrameWriter,
    /// Whether every instruction has a stop point, not only those where a region begins.
    everywhere: bool,
    /// Instructions that have one besides, those that are still to come.
    splits: &'a [WasmOffset],
    classes: RegionClasses,
    /// A stop point is due before the next instruction.
    stop_due: bool,
    /// How many operands, from the bottom, are in their slots.
    placed: usize,
    /// The state is complete before the next instruction.
    complete: bool,
}

impl<'a> Slots<'a> {
    /// With these locals in `variables`, whose first values `params` and zeros are written to their slots. Stop points
    /// stand everywhere, or where regions begin and before some more instructions.
    pub(in super::super) fn new(
        builder: &mut FunctionBuilder<'_>,
        variables: Variables,
        frame: FrameWriter,
        params: &[Value],
        locals: usize,
        (everywhere, splits): (bool, &'a [WasmOffset]),
    ) -> Slots<'a> {
        for (index, param) in params.iter().enumerate() {
            frame.store_local(builder, index, *param);
        }
        frame.zero_locals(builder, params.len()..locals);
        let classes = RegionClasses::new();
        Slots { variables, frame, everywhere, splits, classes, stop_due: true, placed: 0, complete: false }
    }

    /// Whether the instruction at hand is one that has a stop point besides.
    fn is_split(&mut self, at: u32) -> bool {
        while let [next, rest @ ..] = self.splits
            && next.get() <= at
        {
            self.splits = rest;
            if next.get() == at {
                return true;
            }
        }
        false
    }

    /// No operand is told from `local` (`None`: from any local) any more; each is stored in a slot of its own at the
    /// next point. Due before the local changes, and before ways part that come together again, since the slots must be
    /// the same on every way.
    fn forget(&mut self, stack: &mut [Operand], local: Option<u32>) {
        if stack.len() > MAX_ALIASED {
            return;
        }
        let mut changed = false;
        for operand in stack {
            if let Some(OperandPlace::Local(told)) = operand.place
                && local.is_none_or(|local| local == told)
            {
                operand.place = None;
                changed = true;
            }
            if changed {
                operand.shape = UNSHAPED;
            }
        }
    }
}

impl Storage for Slots<'_> {
    /// `end` and `else` as well: they are points when fallen into, and here they are.
    fn begin(&mut self, here: &mut Here<'_, '_>, row: &Row) -> Result<bool> {
        let class = self.classes.next(row);
        let stops = self.everywhere || self.stop_due || self.is_split(here.at);
        self.placed = self.placed.min(here.stack.len());
        if stops || class == Class::Call || here.stack.len() - self.placed > MAX_AT_HAND {
            self.complete(here);
        }
        let complete = std::mem::take(&mut self.complete);
        let shape = here.stack.last().map_or(NO_SHAPE, |operand| operand.shape);
        if stops {
            self.frame.stop_point(here.builder, here.at, shape);
        } else if complete {
            self.frame.point(here.at, shape);
        }
        if matches!(class, Class::Traps | Class::Effect | Class::Call) {
            self.frame.need_point();
        }
        // A region ends behind what only the guest can run, and where a turn of a loop begins. Behind a tail call comes
        // nothing: what stands there is inside the regions from which it is reached.
        self.stop_due = (class.ends_region() && row.flow != Flow::Leave) || row.flow == Flow::Loop;
        Ok(false)
    }

    fn end_region(&mut self) {
        self.stop_due = true;
    }

    /// The slot gets it at the next point, if it is still there.
    fn push(&mut self, here: &mut Here<'_, '_>, ty: ValType, value: Value, place: Option<OperandPlace>) {
        if here.stack.len() == MAX_ALIASED {
            self.forget(here.stack, None);
        }
        let place = place.filter(|place| matches!(place, OperandPlace::Constant(_)) || here.stack.len() < MAX_ALIASED);
        let word = words(here.stack);
        here.stack.push(Operand { value, ty: ty.in_slots(), word, place, shape: UNSHAPED });
    }

    fn value_of(&mut self, here: &mut Here<'_, '_>, operand: &Operand) -> Value {
        if let Some(value) = operand.at_hand() {
            return in_one_shape(here.builder, value, operand.ty);
        }
        self.frame.load_operand(here.builder, operand.word, operand.ty)
    }

    fn local(&mut self, here: &mut Here<'_, '_>, local: u32, _: ValType) -> Value {
        self.variables.read(here.builder, local)
    }

    fn set_local(&mut self, here: &mut Here<'_, '_>, local: u32, _: ValType, value: Value) {
        self.forget(here.stack, Some(local));
        self.variables.write(here.builder, local, value);
        self.frame.mark_dirty(local);
    }

    fn top_is_local(&mut self, stack: &mut [Operand], local: u32) {
        if stack.len() <= MAX_ALIASED
            && let Some(operand @ Operand { place: None, .. }) = stack.last_mut()
        {
            operand.place = Some(OperandPlace::Local(local));
        }
    }

    fn side(&mut self, builder: &mut FunctionBuilder<'_>, at: u32) {
        self.frame.side(builder, at);
    }

    /// Every operand has to be where it will be found on all ways.
    fn ways_part(&mut self, here: &mut Here<'_, '_>) {
        self.forget(here.stack, None);
        if here.stack.iter().any(|operand| operand.place.is_none()) {
            self.complete(here);
        }
    }

    /// Locals must be in their slots where ways come together. Then those of the last point are gone, and operands have
    /// to be there as well.
    fn before_branch(&mut self, here: &mut Here<'_, '_>) {
        if self.frame.any_dirty() {
            self.complete(here);
        }
    }

    /// What follows begins a point, since the slots do not hold the state of the last one any more.
    fn complete(&mut self, here: &mut Here<'_, '_>) {
        self.store_locals(here);
        let first = here.stack.iter().rposition(|operand| operand.shape != UNSHAPED).map_or(0, |last| last + 1);
        let mut below = first.checked_sub(1).map_or(NO_SHAPE, |last| here.stack[last].shape);
        for operand in here.stack.iter_mut().skip(first) {
            let place = operand.place.unwrap_or(OperandPlace::Slot(operand.word));
            if operand.place.is_none() {
                self.frame.store_operand(here.builder, operand.word, operand.ty, operand.value);
                operand.place = Some(place);
            }
            operand.shape = self.frame.shape(below, operand.ty, place);
            below = operand.shape;
        }
        let deep = here.stack.len().saturating_sub(MAX_AT_HAND);
        for operand in here.stack[..deep].iter_mut().rev() {
            if operand.value.is_reserved_value() {
                break;
            }
            if let Some(OperandPlace::Slot(_)) = operand.place {
                operand.value = Value::reserved_value();
            }
        }
        self.placed = here.stack.len();
        self.complete = true;
    }

    fn store_locals(&mut self, here: &mut Here<'_, '_>) {
        for local in self.frame.take_dirty() {
            let value = self.variables.read(here.builder, local);
            self.frame.store_local(here.builder, local as usize, value);
        }
    }

    /// Whatever way led here, the locals are in their slots.
    fn ways_met(&mut self) {
        self.frame.take_dirty();
        self.complete = true;
    }

    fn spread(&self) -> u64 {
        self.variables.spread()
    }

    fn finish(self: Box<Self>, here: &mut Here<'_, '_>) -> Result<Record> {
        Ok(Record { frame: Some(self.frame.finish(here.builder)), ..Record::default() })
    }
}
