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

use super::super::{MAX_ALIASED, MAX_AT_HAND, Operand, Record};
use super::values::Variables;
use super::{Site, Storage};
use crate::base::Result;
use crate::compile::debug::{Held, Instrument, NO_SHAPE, UNSHAPED};
use crate::compile::regions::RegionClasses;
use crate::wasm::{Class, Flow, Row, ValType};
use cranelift_codegen::ir::Value;
use cranelift_codegen::packed_option::ReservedValue;
use cranelift_frontend::FunctionBuilder;

/// Variables and values, and slots that tell them at points.
pub(in super::super) struct Slots {
    variables: Variables,
    frame: Instrument,
    /// Whether every instruction has a stop point, not only those where a region begins.
    everywhere: bool,
    classes: RegionClasses,
    /// A stop point is due before the next instruction.
    stop_due: bool,
    /// How many operands, from the bottom, are in their slots.
    placed: usize,
    /// The state is complete before the next instruction.
    complete: bool,
}

impl Slots {
    /// With these locals in `variables`, whose first values `params` and zeros are written to their slots.
    pub(in super::super) fn new(
        builder: &mut FunctionBuilder<'_>,
        variables: Variables,
        frame: Instrument,
        params: &[Value],
        locals: usize,
        everywhere: bool,
    ) -> Slots {
        for (index, param) in params.iter().enumerate() {
            frame.store_local(builder, index, *param);
        }
        frame.zero_locals(builder, params.len()..locals);
        let classes = RegionClasses::new();
        Slots { variables, frame, everywhere, classes, stop_due: true, placed: 0, complete: false }
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
            if let Some(Held::Local(told)) = operand.held
                && local.is_none_or(|local| local == told)
            {
                operand.held = None;
                changed = true;
            }
            if changed {
                operand.shape = UNSHAPED;
            }
        }
    }
}

impl Storage for Slots {
    /// `end` and `else` as well: they are points when fallen into, and here they are.
    fn begin(&mut self, site: &mut Site<'_, '_>, row: &Row) -> Result<bool> {
        let class = self.classes.next(row);
        let stops = self.everywhere || self.stop_due;
        self.placed = self.placed.min(site.stack.len());
        if stops || class == Class::Call || site.stack.len() - self.placed > MAX_AT_HAND {
            self.complete(site)?;
        }
        let complete = std::mem::take(&mut self.complete);
        let shape = site.stack.last().map_or(NO_SHAPE, |operand| operand.shape);
        if stops {
            self.frame.stop_point(site.builder, site.at, shape);
        } else if complete {
            self.frame.point(site.at, shape);
        }
        if matches!(class, Class::Traps | Class::Effect | Class::Call) {
            self.frame.need_point();
        }
        // A region ends behind what only the guest can run, and where a turn of a loop begins.
        self.stop_due = class.ends_region() || row.flow == Flow::Loop;
        Ok(false)
    }

    /// The slot gets it at the next point, if it is still there.
    fn push(&mut self, site: &mut Site<'_, '_>, ty: ValType, value: Value, held: Option<Held>) {
        if site.stack.len() == MAX_ALIASED {
            self.forget(site.stack, None);
        }
        let held = held.filter(|held| matches!(held, Held::Constant(_)) || site.stack.len() < MAX_ALIASED);
        site.stack.push(Operand { value, ty, held, shape: UNSHAPED });
    }

    fn value_of(&mut self, site: &mut Site<'_, '_>, depth: usize, operand: &Operand) -> Value {
        if !operand.value.is_reserved_value() {
            return operand.value;
        }
        self.frame.load_operand(site.builder, depth, operand.ty)
    }

    fn local(&mut self, site: &mut Site<'_, '_>, local: u32, _: ValType) -> Value {
        self.variables.read(site.builder, local)
    }

    fn set_local(&mut self, site: &mut Site<'_, '_>, local: u32, value: Value) {
        self.forget(site.stack, Some(local));
        self.variables.write(site.builder, local, value);
        self.frame.mark_dirty(local);
    }

    fn top_is_local(&mut self, stack: &mut [Operand], local: u32) {
        if stack.len() <= MAX_ALIASED
            && let Some(operand @ Operand { held: None, .. }) = stack.last_mut()
        {
            operand.held = Some(Held::Local(local));
        }
    }

    /// Every operand has to be where it will be found on all ways.
    fn part(&mut self, site: &mut Site<'_, '_>) -> Result<()> {
        self.forget(site.stack, None);
        if site.stack.iter().any(|operand| operand.held.is_none()) {
            self.complete(site)?;
        }
        Ok(())
    }

    /// Locals must be in their slots where ways come together. Then those of the last point are gone, and operands have
    /// to be there as well.
    fn branch_off(&mut self, site: &mut Site<'_, '_>) -> Result<()> {
        if self.frame.any_dirty() { self.complete(site) } else { Ok(()) }
    }

    /// What follows begins a point, since the slots do not hold the state of the last one any more.
    fn complete(&mut self, site: &mut Site<'_, '_>) -> Result<()> {
        self.store_locals(site)?;
        let first = site.stack.iter().rposition(|operand| operand.shape != UNSHAPED).map_or(0, |last| last + 1);
        let mut below = first.checked_sub(1).map_or(NO_SHAPE, |last| site.stack[last].shape);
        for (depth, operand) in site.stack.iter_mut().enumerate().skip(first) {
            let held = operand.held.unwrap_or(Held::Operand(depth as u32));
            if operand.held.is_none() {
                self.frame.store_operand(site.builder, depth, operand.ty, operand.value);
                operand.held = Some(held);
            }
            operand.shape = self.frame.shape(below, operand.ty, held);
            below = operand.shape;
        }
        let deep = site.stack.len().saturating_sub(MAX_AT_HAND);
        for operand in site.stack[..deep].iter_mut().rev() {
            if operand.value.is_reserved_value() {
                break;
            }
            if let Some(Held::Operand(_)) = operand.held {
                operand.value = Value::reserved_value();
            }
        }
        self.placed = site.stack.len();
        self.complete = true;
        Ok(())
    }

    fn store_locals(&mut self, site: &mut Site<'_, '_>) -> Result<()> {
        for local in self.frame.take_dirty() {
            let value = self.variables.read(site.builder, local);
            self.frame.store_local(site.builder, local as usize, value);
        }
        Ok(())
    }

    /// Whatever way led here, the locals are in their slots.
    fn arrive(&mut self) {
        self.frame.take_dirty();
        self.complete = true;
    }

    fn spread(&self) -> u64 {
        self.variables.spread()
    }

    fn finish(self: Box<Self>, site: &mut Site<'_, '_>) -> Result<Record> {
        Ok(Record { frame: Some(self.frame.finish(site.builder)), replay: None })
    }
}
