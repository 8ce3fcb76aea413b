//! Resume code: the state is in the frame, where every instruction has a stop point. Whoever enters has left the state
//! where [`VMStoreContext::RESUME`] says, from where it is copied first.

use super::memory::{Area, InMemory};
use super::{Here, Record};
use crate::abi::{ResumeState, TrapCode, VMContext, VMStoreContext};
use crate::base::{Result, WORD_BYTES};
use crate::compile::debug::{FrameWriter, OperandPlace};
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
    slots: FrameWriter,
    /// The words of the deepest operand stack.
    deepest: u32,
}

/// Begins resume code.
pub(in super::super) fn begin(
    builder: &mut FunctionBuilder<'_>,
    flags: Flags,
    vmctx: Value,
    slots: FrameWriter,
) -> InMemory<Frame> {
    let frame = Frame { flags, vmctx, slots, deepest: 0 };
    InMemory::begin(builder, flags.slot, frame, RegionClasses::new())
}

impl Area for Frame {
    fn local(&self, builder: &mut FunctionBuilder<'_>, local: u32) -> (Value, i32) {
        self.slots.local_address(builder, local)
    }

    fn operand(&self, builder: &mut FunctionBuilder<'_>, word: u32) -> (Value, i32) {
        self.slots.operands_address(builder, word)
    }

    fn have_room_to(&mut self, word: u32) {
        self.deepest = self.deepest.max(word);
        self.slots.have_room_to(word);
    }

    fn shape(&mut self, below: u32, ty: ValType, word: u32) -> u32 {
        self.slots.shape(below, ty, OperandPlace::Slot(word))
    }

    fn stop(&mut self, here: &mut Here<'_, '_>, _: u32, (shape, _): (u32, bool), body: Block) -> Result<()> {
        self.slots.stop_point(here.builder, here.at, shape);
        here.builder.ins().jump(body, &[]);
        Ok(())
    }

    fn side(&mut self, builder: &mut FunctionBuilder<'_>, at: u32) {
        self.slots.side(builder, at);
    }

    fn enter(&self, builder: &mut FunctionBuilder<'_>) -> Value {
        let Flags { constant, header, slot, .. } = self.flags;
        let store = builder.ins().load(POINTER, constant, self.vmctx, VMContext::STORE);
        let state = builder.ins().load(POINTER, header, store, VMStoreContext::RESUME);
        let entry = builder.ins().load(types::I32, header, state, ResumeState::ENTRY);
        let values = builder.ins().load(POINTER, header, state, ResumeState::VALUES);
        // A word at a time, whatever they are of: in the buffer the operands follow on the locals.
        let locals = self.slots.locals().words();
        for word in 0..locals + self.deepest {
            let value = builder.ins().load(types::I64, header, values, (word * WORD_BYTES) as i32);
            let (base, to) = match word.checked_sub(locals) {
                None => self.slots.locals_address(builder, word),
                Some(word) => self.operand(builder, word),
            };
            builder.ins().store(slot, value, base, to);
        }
        entry
    }

    fn finish(self, builder: &mut FunctionBuilder<'_>) -> Record {
        builder.ins().trap(trap_code(TrapCode::Unreachable));
        Record { frame: Some(self.slots.finish(builder)), ..Record::default() }
    }
}
