//! Where a function's locals and operands live while it is translated. There are three ways, one file each, and
//! which of them it is, is asked once, where a function is begun:
//!
//! | | locals | operands | made for |
//! |---|---|---|---|
//! | [`values`] | variables of the code generator | its values | production |
//! | [`slots`] | the same, and slots in the frame that are up to date at points | the same | both kinds of debug code |
//! | [`memory`] | memory alone | memory alone | rerun, in a [`buffer`], and resume code, in its [`frame`] |
//!
//! The translator says what Wasm does (it pushes and takes operands, reads and changes locals) and where control goes
//! (ways part and meet); what has to be written where for that is decided here. `local.get 0`, `i32.const 1`,
//! `i32.add`, `br_if 0` is in production a variable that is read, an addition and a branch that passes operands on as
//! arguments; in debug code the same, and before the branch whatever is not yet in its slot is stored; in rerun a
//! load, a store, a store, two loads, a store, and a branch without arguments that leads to code that moves operands
//! down.

pub(super) mod buffer;
pub(super) mod frame;
pub(super) mod memory;
pub(super) mod slots;
pub(super) mod values;

use crate::base::{Result, WasmOffset};
use crate::compile::debug::{FrameRecord, OperandPlace};
use crate::compile::env::abi_type;
use crate::compile::internal;
use crate::compile::safepoints::References;
use crate::image::RerunImage;
use crate::wasm::{Row, ValType};
use cranelift_codegen::ir::{Block, BlockArg, Endianness, InstBuilder, MemFlagsData, StackSlot, Type, Value};
use cranelift_codegen::packed_option::ReservedValue;
use cranelift_frontend::FunctionBuilder;

/// An operand.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    /// Reserved where it lives in memory alone.
    pub(super) value: Value,
    pub(super) ty: ValType,
    /// Where its slot is, or would be: so many words go before it.
    pub(super) word: u32,
    /// Debug: where it is, if it is anywhere but in a register.
    pub(super) place: Option<OperandPlace>,
    /// Debug: the shape of the operand stack up to and including this one, if it has been at a point as it is now. Then
    /// those below have one too.
    pub(super) shape: u32,
}

impl Operand {
    /// The word behind its slot.
    pub(super) fn end(&self) -> u32 {
        self.word + self.ty.words()
    }

    /// Its value as it was made, if it has not been left to memory: a vector may have any shape.
    pub(super) fn at_hand(&self) -> Option<Value> {
        (!self.value.is_reserved_value()).then_some(self.value)
    }
}

/// A vector in another shape: the same bytes, lane 0 first.
pub(super) fn reshaped(builder: &mut FunctionBuilder<'_>, value: Value, shape: Type) -> Value {
    if builder.func.dfg.value_type(value) == shape {
        return value;
    }
    builder.ins().bitcast(shape, MemFlagsData::new().with_endianness(Endianness::Little), value)
}

/// A value of this type as it is handed on: a vector in the one shape that all have.
pub(super) fn in_one_shape(builder: &mut FunctionBuilder<'_>, value: Value, ty: ValType) -> Value {
    if ty == ValType::V128 { reshaped(builder, value, abi_type(ValType::V128)) } else { value }
}

/// The words that the slots of these operands take: where the slot of the next one is.
pub(super) fn words(stack: &[Operand]) -> u32 {
    stack.last().map_or(0, Operand::end)
}

/// What a translated function has besides its code.
#[derive(Default)]
pub(in crate::compile) struct Record {
    /// Debug: its frame.
    pub(in crate::compile) frame: Option<FrameRecord>,
    /// Production: where its frame keeps the vmctx, if it does.
    pub(in crate::compile) vmctx: Option<StackSlot>,
    /// What the collector has to see, where something may be collected.
    pub(in crate::compile) references: Option<References>,
    /// Split code that is entered: the `loop`s where it can be.
    pub(in crate::compile) ways_in: Vec<WasmOffset>,
    /// Rerun: its instructions, without code.
    pub(in crate::compile) rerun: Option<RerunImage>,
}

/// What a branch does on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Edge {
    /// Rerun: only the guest can go there.
    Guest,
    /// Moves its operands down and goes on.
    Move {
        /// How many words they take.
        words: u32,
        /// The word of the first, where it comes from.
        from: u32,
        /// The word that it goes to.
        to: u32,
        /// Where to go on.
        target: Block,
    },
}

/// What a [`Storage`] works on: the code being made, at the instruction at hand, and the operands.
pub(super) struct Here<'t, 'b> {
    pub(super) builder: &'t mut FunctionBuilder<'b>,
    pub(super) stack: &'t mut Vec<Operand>,
    pub(super) at: u32,
}

/// Where locals and operands live.
pub(super) trait Storage {
    /// Before an instruction that is reached: what has to stand there. Says whether this code leaves it to the guest.
    fn begin(&mut self, here: &mut Here<'_, '_>, row: &Row) -> Result<bool>;

    /// A region begins behind the instruction at hand, whether or not control comes through it.
    fn end_region(&mut self) {}

    /// Pushes an operand; `place` says how it is known without being stored, if it is.
    fn push(&mut self, here: &mut Here<'_, '_>, ty: ValType, value: Value, place: Option<OperandPlace>);

    /// Pushes what a block has for parameters of these types, where it begins.
    fn push_params(&mut self, here: &mut Here<'_, '_>, block: Block, types: &[ValType]) {
        for (i, ty) in types.iter().enumerate() {
            let value = here.builder.block_params(block)[i];
            self.push(here, *ty, value, None);
        }
    }

    /// The value of an operand that is, or was, on the stack; of a vector, in the shape that all have.
    fn value_of(&mut self, here: &mut Here<'_, '_>, operand: &Operand) -> Value;

    /// The value of a local.
    fn local(&mut self, here: &mut Here<'_, '_>, local: u32, ty: ValType) -> Value;

    /// Changes a local.
    fn set_local(&mut self, here: &mut Here<'_, '_>, local: u32, ty: ValType, value: Value);

    /// The topmost operand is what `local` is now.
    fn top_is_local(&mut self, _stack: &mut [Operand], _local: u32) {}

    /// A stop point on a side of a branch, which has this offset. The current block leads nowhere else.
    fn side(&mut self, _builder: &mut FunctionBuilder<'_>, _at: u32) {}

    /// Ways part here that come together again.
    fn ways_part(&mut self, _here: &mut Here<'_, '_>) {}

    /// A branch follows that may be taken or not, to where other ways come in.
    fn before_branch(&mut self, _here: &mut Here<'_, '_>) {}

    /// Every local and operand is to be where it can be found by whoever looks at the frame, or comes by another way.
    fn complete(&mut self, _here: &mut Here<'_, '_>) {}

    /// Every local is to be where it can be found behind a jump.
    fn store_locals(&mut self, _here: &mut Here<'_, '_>) {}

    /// Ways have come together here.
    fn ways_met(&mut self) {}

    /// Those of a block's parameters that are passed as its arguments: all or none.
    fn passed<'t>(&self, types: &'t [ValType]) -> &'t [ValType] {
        types
    }

    /// The topmost `count` operands as arguments of a block.
    fn arguments(&mut self, here: &mut Here<'_, '_>, count: usize) -> Result<Vec<BlockArg>> {
        let first = here.stack.len().checked_sub(count).ok_or_else(|| internal("too few operands"))?;
        let argument = |depth| {
            let operand = here.stack[depth];
            BlockArg::Value(self.value_of(here, &operand))
        };
        Ok((first..first + count).map(argument).collect())
    }

    /// Where a branch goes, and with which arguments, that takes `count` operands to `target`, where they are on top of
    /// `height` others.
    fn branch(
        &mut self,
        here: &mut Here<'_, '_>,
        target: Block,
        count: usize,
        _height: usize,
    ) -> Result<(Block, Vec<BlockArg>)> {
        Ok((target, self.arguments(here, count)?))
    }

    /// Where a branch goes that only the guest can take, if this code leaves it to the guest.
    fn branch_of_guest(&mut self, _builder: &mut FunctionBuilder<'_>) -> Option<Block> {
        None
    }

    /// The code that is due behind a branch, each piece in a block of its own.
    fn take_edges(&mut self) -> Vec<(Block, Edge)> {
        Vec::new()
    }

    /// Such a piece: moves operands of so many words at the word `from` down to `to`.
    fn move_operands(&mut self, _builder: &mut FunctionBuilder<'_>, _words: u32, _from: u32, _to: u32) {}

    /// Rerun: what it returns where it ends so, before the instruction at hand.
    fn end_of_rerun(&self, _kind: u32) -> Option<u64> {
        None
    }

    /// Rerun: where it counts fuel.
    fn fuel_of_rerun(&self) -> Option<(Value, i32)> {
        None
    }

    /// How far apart the uses of all locals are together, counted in blocks.
    fn spread(&self) -> u64 {
        0
    }

    /// Ends the function.
    fn finish(self: Box<Self>, here: &mut Here<'_, '_>) -> Result<Record>;
}
