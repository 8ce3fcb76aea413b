//! Resume code: the state is in the frame, where every instruction has a stop point. Whoever enters has left the state
//! where [`VMStoreContext::RESUME`] says, from where it is copied first.

use super::memory::{Area, InMemory};
use super::{Here, Record};
use crate::abi::{ResumeState, TrapCode, VMContext, VMStoreContext};
use crate::base::Result;
use crate::compile::debug::{Instrument, OperandPlace, SLOT_BYTES};
use crate::compile::env::{POINTER, trap_code};
use crate::compile::flags::Flags;
use crate::compile::regions::RegionClasses;
use crate::wasm::ValType;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;

/// The frame of resume code.
pub(in super::super) struct Frame {
    flags: Flags,
    vmctx: Value,
    slots: Instrument,
    /// How many locals there are, and the operands of the deepest stack.
    locals: u32,
    deepest: u32,
}

/// Begins resume code with so many locals.
pub(in super::super) fn begin(
    builder: &mut FunctionBuilder<'_>,
    flags: Flags,
    vmctx: Value,
    slots: Instrument,
    locals: usize,
) -> InMemory<Frame> {
    let frame = Frame { flags, vmctx, slots, locals: locals as u32, deepest: 0 };
    InMemory::begin(builder, flags.slot, frame, RegionClasses::new())
}

impl Area for Frame {
    fn local(&self, builder: &mut FunctionBuilder<'_>, local: u32) -> (Value, i32) {
        self.slots.local_address(builder, local)
    }

    fn operand(&self, builder: &mut FunctionBuilder<'_>, depth: u32) -> (Value, i32) {
        self.slots.operand_address(builder, depth)
    }

    fn have_room_for(&mut self, depth: u32) {
        self.deepest = self.deepest.max(depth + 1);
        self.slots.have_room_for(depth);
    }

    fn shape(&mut self, below: u32, ty: ValType, depth: u32) -> u32 {
        self.slots.shape(below, ty, OperandPlace::Slot(depth))
    }

    fn stop(&mut self, here: &mut Here<'_, '_>, _: u32, shape: u32, body: Block) -> Result<()> {
        self.slots.stop_point(here.builder, here.at, shape);
        here.builder.ins().jump(body, &[]);
        Ok(())
    }

    fn enter(&self, builder: &mut FunctionBuilder<'_>) -> Value {
        let Flags { constant, header, slot, .. } = self.flags;
        let store = builder.ins().load(POINTER, constant, self.vmctx, VMContext::STORE);
        let state = builder.ins().load(POINTER, header, store, VMStoreContext::RESUME);
        let entry = builder.ins().load(types::I32, header, state, ResumeState::ENTRY);
        let values = builder.ins().load(POINTER, header, state, ResumeState::VALUES);
        for index in 0..self.locals + self.deepest {
            let value = builder.ins().load(types::I64, header, values, (index * SLOT_BYTES) as i32);
            let (base, to) = match index.checked_sub(self.locals) {
                None => self.local(builder, index),
                Some(depth) => self.operand(builder, depth),
            };
            builder.ins().store(slot, value, base, to);
        }
        entry
    }

    fn finish(self, builder: &mut FunctionBuilder<'_>) -> Record {
        builder.ins().trap(trap_code(TrapCode::Unreachable));
        Record { frame: Some(self.slots.finish(builder)), rerun: None }
    }
}
