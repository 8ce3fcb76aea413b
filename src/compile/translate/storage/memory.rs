//! Locals and operands in memory alone, each at a place of its own: functions that can be entered at any instruction.
//! No value passes from one instruction to the next in any other way. So a way in can lead to every instruction, and
//! compiling stays linear.
//!
//! The function begins with a jump to `dispatch`, which is filled in at the end: it leads to the instruction that
//! whoever entered asks for. Which memory it is, and what stands before each instruction, is a [`Area`]'s: of
//! [`buffer`](super::buffer) for rerun, of [`frame`](super::frame) for resume code.

use super::{Edge, Here, Operand, Record, Storage, words};
use crate::base::{Error, ErrorKind, Result};
use crate::compile::debug::{NO_SHAPE, OperandPlace, slot_flags};
use crate::compile::env::abi_type;
use crate::compile::internal;
use crate::compile::regions::RegionClasses;
use crate::image::RerunEnd;
use crate::wasm::{Row, ValType};
use cranelift_codegen::ir::{Block, BlockArg, BlockCall, InstBuilder, JumpTableData, MemFlagsData, Value, types};
use cranelift_codegen::packed_option::ReservedValue;
use cranelift_frontend::FunctionBuilder;
use std::collections::HashMap;

/// The most instructions that one piece of such code has ways into: each takes about 5 KB while it is compiled. Rerun
/// code is made for far fewer at once.
const MAX_POSITIONS: usize = 128 << 10;

/// Which memory it is. Addresses are a base and an offset.
pub(in super::super) trait Area {
    /// Where a local is.
    fn local(&self, builder: &mut FunctionBuilder<'_>, local: u32) -> (Value, i32);

    /// Where this word of the operands is, for which there is room.
    fn operand(&self, builder: &mut FunctionBuilder<'_>, word: u32) -> (Value, i32);

    /// Makes room for operands up to this word.
    fn have_room_to(&mut self, word: u32);

    /// The shape of an operand stack with this on top of `below`, at `word`.
    fn shape(&mut self, below: u32, ty: ValType, word: u32) -> u32;

    /// Before the instruction at hand, the `index`-th: where it can be stopped. It goes on at `body`. There is its
    /// operand stack, and whether only the guest may run it.
    fn stop(&mut self, here: &mut Here<'_, '_>, index: u32, about: (u32, bool), body: Block) -> Result<()>;

    /// See [`Storage::side`].
    fn side(&mut self, _builder: &mut FunctionBuilder<'_>, _at: u32) {}

    /// See [`Storage::end_of_rerun`], before the `index`-th instruction.
    fn end_of_rerun(&self, _kind: u32, _index: u32) -> Option<u64> {
        None
    }

    /// See [`Storage::fuel_of_rerun`].
    fn fuel_of_rerun(&self) -> Option<(Value, i32)> {
        None
    }

    /// Enters: has the state in this memory. Gives the index of the instruction to go on at.
    fn enter(&self, builder: &mut FunctionBuilder<'_>) -> Value;

    /// Ends the function in a block for an index that no instruction has.
    fn finish(self, builder: &mut FunctionBuilder<'_>) -> Record;
}

/// A function whose state is in memory.
pub(in super::super) struct InMemory<P> {
    area: P,
    flags: MemFlagsData,
    classes: RegionClasses,
    /// Leads to the first instruction, or wherever it is told.
    dispatch: Block,
    /// Where each instruction starts, behind its stop.
    bodies: Vec<Block>,
    /// Branches of the instruction at hand that need code of their own.
    edges_due: Vec<(Block, Edge)>,
    edges_known: HashMap<Edge, Block>,
}

impl<P: Area> InMemory<P> {
    /// Begins such a function. What is known of regions there is in `classes`.
    pub(super) fn begin(
        builder: &mut FunctionBuilder<'_>,
        flags: MemFlagsData,
        area: P,
        classes: RegionClasses,
    ) -> InMemory<P> {
        let dispatch = builder.create_block();
        builder.ins().jump(dispatch, &[]);
        let dead = builder.create_block();
        builder.switch_to_block(dead);
        let (bodies, edges_due, edges_known) = (Vec::new(), Vec::new(), HashMap::new());
        InMemory { area, flags, classes, dispatch, bodies, edges_due, edges_known }
    }

    /// The place of an operand of this type at `word`, for which there is room then.
    fn operand(&mut self, builder: &mut FunctionBuilder<'_>, word: u32, ty: ValType) -> (Value, i32) {
        self.area.have_room_to(word + ty.words());
        self.area.operand(builder, word)
    }

    /// How slots of this type are accessed.
    fn flags_of(&self, ty: ValType) -> MemFlagsData {
        slot_flags(self.flags, ty)
    }

    /// Pushes an operand that is in its place already. No instruction is made: the current block may be full.
    pub(in super::super) fn push_placed(&mut self, stack: &mut Vec<Operand>, ty: ValType) {
        let (ty, word) = (ty.in_slots(), words(stack));
        self.area.have_room_to(word + ty.words());
        let shape = self.area.shape(top_shape(stack), ty, word);
        stack.push(Operand { value: Value::reserved_value(), ty, word, place: None, shape });
    }

    /// A block for a branch of the instruction at hand; its code follows when the instruction is done.
    fn edge(&mut self, builder: &mut FunctionBuilder<'_>, edge: Edge) -> Block {
        // Branches of one instruction that do the same share their code.
        *self.edges_known.entry(edge).or_insert_with(|| {
            let block = builder.create_block();
            self.edges_due.push((block, edge));
            block
        })
    }
}

fn top_shape(stack: &[Operand]) -> u32 {
    stack.last().map_or(NO_SHAPE, |operand| operand.shape)
}

impl<P: Area> Storage for InMemory<P> {
    fn begin(&mut self, here: &mut Here<'_, '_>, row: &Row) -> Result<bool> {
        let class = self.classes.next(row);
        let body = here.builder.create_block();
        let index = self.bodies.len();
        if index == MAX_POSITIONS {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("resume code is made for functions of up to {MAX_POSITIONS} instructions only; split it"),
            ));
        }
        self.bodies.push(body);
        let shape = top_shape(here.stack);
        self.area.stop(here, index as u32, (shape, class.ends_region()), body)?;
        here.builder.switch_to_block(body);
        Ok(class.ends_region() && self.end_of_rerun(RerunEnd::NATIVE).is_some())
    }

    fn push(&mut self, here: &mut Here<'_, '_>, ty: ValType, value: Value, _: Option<OperandPlace>) {
        let (base, offset) = self.operand(here.builder, words(here.stack), ty);
        here.builder.ins().store(self.flags_of(ty), value, base, offset);
        self.push_placed(here.stack, ty);
    }

    fn push_params(&mut self, here: &mut Here<'_, '_>, _: Block, types: &[ValType]) {
        types.iter().for_each(|ty| self.push_placed(here.stack, *ty));
    }

    fn value_of(&mut self, here: &mut Here<'_, '_>, operand: &Operand) -> Value {
        let (base, offset) = self.operand(here.builder, operand.word, operand.ty);
        here.builder.ins().load(abi_type(operand.ty), self.flags_of(operand.ty), base, offset)
    }

    fn local(&mut self, here: &mut Here<'_, '_>, local: u32, ty: ValType) -> Value {
        let (base, offset) = self.area.local(here.builder, local);
        here.builder.ins().load(abi_type(ty), self.flags_of(ty), base, offset)
    }

    fn set_local(&mut self, here: &mut Here<'_, '_>, local: u32, ty: ValType, value: Value) {
        let (base, offset) = self.area.local(here.builder, local);
        here.builder.ins().store(self.flags_of(ty), value, base, offset);
    }

    fn passed<'t>(&self, _: &'t [ValType]) -> &'t [ValType] {
        &[]
    }

    fn arguments(&mut self, _: &mut Here<'_, '_>, _: usize) -> Result<Vec<BlockArg>> {
        Ok(Vec::new())
    }

    fn branch(
        &mut self,
        here: &mut Here<'_, '_>,
        target: Block,
        count: usize,
        height: usize,
    ) -> Result<(Block, Vec<BlockArg>)> {
        let from = here.stack.len().checked_sub(count).ok_or_else(|| internal("too few operands"))?;
        let below = |depth: usize| here.stack.get(..depth).map(words).ok_or_else(|| internal("too few operands"));
        let (from, to, end) = (below(from)?, below(height)?, words(here.stack));
        Ok((self.edge(here.builder, Edge::Move { words: end - from, from, to, target }), Vec::new()))
    }

    fn branch_of_guest(&mut self, builder: &mut FunctionBuilder<'_>) -> Option<Block> {
        self.end_of_rerun(RerunEnd::NATIVE).map(|_| self.edge(builder, Edge::Guest))
    }

    fn side(&mut self, builder: &mut FunctionBuilder<'_>, at: u32) {
        self.area.side(builder, at);
    }

    fn take_edges(&mut self) -> Vec<(Block, Edge)> {
        self.edges_known.clear();
        std::mem::take(&mut self.edges_due)
    }

    fn move_operands(&mut self, builder: &mut FunctionBuilder<'_>, words: u32, from: u32, to: u32) {
        if from == to {
            return;
        }
        self.area.have_room_to(from.max(to) + words);
        // Upwards: what is overwritten has been moved already.
        for i in 0..words {
            let (base, offset) = self.area.operand(builder, from + i);
            let value = builder.ins().load(types::I64, self.flags, base, offset);
            let (base, offset) = self.area.operand(builder, to + i);
            builder.ins().store(self.flags, value, base, offset);
        }
    }

    fn end_of_rerun(&self, kind: u32) -> Option<u64> {
        self.area.end_of_rerun(kind, (self.bodies.len() as u32).saturating_sub(1))
    }

    fn fuel_of_rerun(&self) -> Option<(Value, i32)> {
        self.area.fuel_of_rerun()
    }

    /// Fills in the way to every instruction, now that all are known.
    fn finish(self: Box<Self>, here: &mut Here<'_, '_>) -> Result<Record> {
        let builder = &mut *here.builder;
        builder.switch_to_block(self.dispatch);
        let nowhere = builder.create_block();
        let index = self.area.enter(builder);
        let mut call = |block| BlockCall::new(block, [], &mut builder.func.dfg.value_lists);
        let default = call(nowhere);
        let bodies: Vec<BlockCall> = self.bodies.iter().map(|body| call(*body)).collect();
        let table = builder.create_jump_table(JumpTableData::new(default, &bodies));
        builder.ins().br_table(index, table);
        builder.switch_to_block(nowhere);
        let record = self.area.finish(builder);
        builder.seal_all_blocks();
        Ok(record)
    }
}
