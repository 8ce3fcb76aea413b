//! Split code that takes the place of a frame: it goes on where a turn of a loop begins, with its locals from where
//! [`VMStoreContext::RESUME`] says. Behind that it is like any other code of the debug tier, its locals in registers;
//! so it can be entered only where there are no operands, which are values that nothing but a way through the code
//! brings.
//!
//! The function begins with a jump to `dispatch`, which is filled in at the end, when all loops are known.

use super::Translator;
use crate::abi::{ResumeState, TrapCode, VMContext, VMStoreContext};
use crate::base::{SlotLayout, WORD_BYTES, WasmOffset};
use crate::compile::debug::slot_flags;
use crate::compile::env::{POINTER, abi_type, trap_code};
use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, Value, types};

/// The ways into a function.
pub(super) struct WaysIn {
    dispatch: Block,
    /// The number of the way that is taken.
    way: Value,
    /// Its first instruction.
    start: Block,
    /// Where a turn of a loop begins, by the `loop`.
    headers: Vec<(WasmOffset, Block)>,
}

impl WaysIn {
    /// Whether one leads to a block.
    pub(super) fn lead_to(&self, block: Block) -> bool {
        self.headers.iter().any(|(_, header)| *header == block)
    }

    /// One leads to the turns of the `loop` at an offset.
    pub(super) fn add(&mut self, at: u32, header: Block) {
        self.headers.push((WasmOffset::new(at), header));
    }
}

impl Translator<'_, '_> {
    /// Reads what every local is to be, and which way is taken.
    pub(super) fn read_ways_in(&mut self) -> (Vec<Value>, Value) {
        let locals: SlotLayout = self.locals.iter().copied().collect();
        let store = self.load_constant(VMContext::STORE);
        let header = self.flags.header;
        let state = self.builder.ins().load(POINTER, header, store, VMStoreContext::RESUME);
        let way = self.builder.ins().load(types::I32, header, state, ResumeState::ENTRY);
        let values = self.builder.ins().load(POINTER, header, state, ResumeState::VALUES);
        let read = |(ty, word): (_, u32)| {
            let flags = slot_flags(header, ty);
            self.builder.ins().load(abi_type(ty), flags, values, (word * WORD_BYTES) as i32)
        };
        (locals.all().iter().map(read).collect(), way)
    }

    /// Behind what every way goes through: the first instruction is next.
    pub(super) fn open_ways_in(&mut self, way: Value) {
        let (dispatch, start) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().jump(dispatch, &[]);
        self.builder.seal_block(dispatch);
        self.builder.switch_to_block(start);
        self.ways_in = Some(WaysIn { dispatch, way, start, headers: Vec::new() });
    }

    /// Fills in where the ways lead, now that all are known. Gives the loops, in the order of the ways from 1 on.
    pub(super) fn close_ways_in(&mut self) -> Vec<WasmOffset> {
        let Some(WaysIn { dispatch, way, start, headers }) = self.ways_in.take() else { return Vec::new() };
        let builder = &mut self.builder;
        builder.switch_to_block(dispatch);
        let nowhere = builder.create_block();
        let mut call = |block| BlockCall::new(block, [], &mut builder.func.dfg.value_lists);
        let default = call(nowhere);
        let blocks = std::iter::once(start).chain(headers.iter().map(|(_, header)| *header));
        let calls: Vec<BlockCall> = blocks.map(&mut call).collect();
        let table = builder.create_jump_table(JumpTableData::new(default, &calls));
        builder.ins().br_table(way, table);
        builder.switch_to_block(nowhere);
        builder.ins().trap(trap_code(TrapCode::Unreachable));
        builder.seal_all_blocks();
        headers.into_iter().map(|(at, _)| at).collect()
    }
}
