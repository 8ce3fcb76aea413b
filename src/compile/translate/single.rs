//! Functions that can be entered at any instruction: replay and resume code. Locals and operands live in memory, each
//! at a place of its own, and no value passes from one instruction to the next in any other way. So a way in can lead
//! to every instruction, and compiling stays linear.

use super::{Operand, Translator};
use crate::abi::{ResumeState, TrapCode, VMContext, VMStoreContext};
use crate::base::{Error, ErrorKind, Result};
use crate::compile::debug::{Held, Instrument, NO_SHAPE, SLOT_BYTES, kind};
use crate::compile::env::{Mode, POINTER, abi_type};
use crate::compile::internal;
use crate::image::{ReplayEnd, SlotKind};
use crate::wasm::ValType;
use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, MemFlagsData, Value, types};
use cranelift_codegen::packed_option::ReservedValue;
use std::collections::HashMap;

/// The most instructions that one piece of such code has ways into: each takes about 5 KB while it is compiled. Replay
/// code is made for far fewer at once.
const MAX_POSITIONS: usize = 128 << 10;

/// Where the state is.
pub(super) enum Home {
    /// Replay: in a buffer.
    Buffer {
        /// Its address.
        values: Value,
        /// The address of one byte per instruction: whether to stop there.
        stops: Value,
    },
    /// Resume: in the frame.
    Frame(Instrument),
}

/// What a function of this kind is translated with.
pub(super) struct Single {
    pub(super) home: Home,
    flags: MemFlagsData,
    locals: u32,
    deepest: u32,
    /// Leads to the first instruction, or wherever it is told.
    dispatch: Block,
    /// Replay: the position to start from.
    from: Option<Value>,
    /// Where each instruction starts, behind its stop.
    bodies: Vec<Block>,
    /// The position of the first of `positions`.
    pub(super) first: u32,
    /// Each instruction's offset, and the operand stack before it.
    pub(super) positions: Vec<(u32, u32)>,
    /// Operand stacks, each as a kind on top of another.
    pub(super) stacks: Vec<(u32, SlotKind)>,
    interned: HashMap<(u32, SlotKind), u32>,
    /// Branches of the instruction at hand that need code of their own.
    edges_due: Vec<(Block, Edge)>,
    edges_known: HashMap<Edge, Block>,
}

/// What a branch does on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Edge {
    /// Replay: only the guest can go there.
    Native,
    /// Moves its operands down and goes on.
    Move {
        /// How many.
        count: usize,
        /// The depth of the first, where it comes from.
        from: usize,
        /// The depth that it goes to.
        to: usize,
        /// Where to go on.
        target: Block,
    },
}

impl Single {
    /// The position of the instruction at hand.
    fn position(&self) -> u32 {
        self.first + self.positions.len() as u32 - 1
    }

    /// Where replay code counts fuel: in front of the locals.
    pub(super) fn fuel(&self) -> Option<(Value, i32)> {
        match self.home {
            Home::Buffer { values, .. } => Some((values, -(SLOT_BYTES as i32))),
            Home::Frame(_) => None,
        }
    }

    /// The operands of the deepest stack.
    pub(super) fn deepest(&self) -> u32 {
        self.deepest
    }
}

impl Translator<'_, '_> {
    /// Begins replay code, whose parameters the function has.
    pub(super) fn begin_replay(&mut self, locals: usize) -> Result<()> {
        let [_, values, stops, from] = self.params[..] else {
            return Err(internal("replay code has four parameters"));
        };
        self.begin_single(Home::Buffer { values, stops }, Some(from), locals);
        Ok(())
    }

    /// Begins resume code, with its frame.
    pub(super) fn begin_resume(&mut self, instrument: Instrument, locals: usize) {
        self.begin_single(Home::Frame(instrument), None, locals);
    }

    fn begin_single(&mut self, home: Home, from: Option<Value>, locals: usize) {
        let dispatch = self.builder.create_block();
        self.builder.ins().jump(dispatch, &[]);
        let dead = self.builder.create_block();
        self.builder.switch_to_block(dead);
        self.single = Some(Single {
            home,
            flags: self.flags.slot,
            locals: locals as u32,
            deepest: 0,
            dispatch,
            from,
            bodies: Vec::new(),
            first: 0,
            positions: Vec::new(),
            stacks: Vec::new(),
            interned: HashMap::new(),
            edges_due: Vec::new(),
            edges_known: HashMap::new(),
        });
    }

    /// Fills in the way to every instruction, now that all are known.
    pub(super) fn finish_single(&mut self) -> Result<Option<Single>> {
        let Some(mut single) = self.single.take() else { return Ok(None) };
        self.builder.switch_to_block(single.dispatch);
        let nowhere = self.builder.create_block();
        let entry = match &mut single.home {
            Home::Buffer { .. } => {
                let from = single.from.ok_or_else(|| internal("replay code without a start"))?;
                self.builder.ins().iadd_imm_s(from, -i64::from(single.first))
            }
            Home::Frame(instrument) => {
                let store = self.builder.ins().load(POINTER, self.flags.constant, self.vmctx, VMContext::STORE);
                let state = self.builder.ins().load(POINTER, self.flags.header, store, VMStoreContext::RESUME);
                let entry = self.builder.ins().load(types::I32, self.flags.header, state, ResumeState::ENTRY);
                let values = self.builder.ins().load(POINTER, self.flags.header, state, ResumeState::VALUES);
                for index in 0..single.locals + single.deepest {
                    let from = (index * SLOT_BYTES) as i32;
                    let value = self.builder.ins().load(types::I64, self.flags.header, values, from);
                    let (base, to) = match index.checked_sub(single.locals) {
                        None => instrument.local_address(&mut self.builder, index),
                        Some(depth) => instrument.operand_address(&mut self.builder, depth),
                    };
                    self.builder.ins().store(single.flags, value, base, to);
                }
                entry
            }
        };
        let mut call = |block| BlockCall::new(block, [], &mut self.builder.func.dfg.value_lists);
        let default = call(nowhere);
        let bodies: Vec<BlockCall> = single.bodies.iter().map(|body| call(*body)).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &bodies));
        self.builder.ins().br_table(entry, table);
        self.builder.switch_to_block(nowhere);
        match single.home {
            // No end that there is.
            Home::Buffer { .. } => self.return_raw(u64::MAX),
            Home::Frame(_) => {
                self.builder.ins().trap(super::trap_code(TrapCode::Unreachable));
            }
        }
        self.builder.seal_all_blocks();
        Ok(Some(single))
    }

    /// The next instruction begins.
    pub(super) fn begin_position(&mut self) -> Result<()> {
        let stack = self.shape();
        let body = self.builder.create_block();
        let Some(single) = &mut self.single else { return Ok(()) };
        let position = single.first + single.positions.len() as u32;
        if single.positions.len() == MAX_POSITIONS {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("resume code is made for functions of up to {MAX_POSITIONS} instructions only; split it"),
            ));
        }
        single.positions.push((self.at, stack));
        single.bodies.push(body);
        match &mut single.home {
            Home::Buffer { stops, .. } => {
                let offset = i32::try_from(position).map_err(|_| internal("too many instructions"))?;
                let stop = self.builder.ins().load(types::I8, self.flags.header, *stops, offset);
                let stopped = self.builder.create_block();
                self.builder.set_cold_block(stopped);
                self.builder.ins().brif(stop, stopped, &[], body, &[]);
                self.builder.switch_to_block(stopped);
                self.return_raw(u64::from(ReplayEnd::STOPPED) << 32 | u64::from(position));
            }
            Home::Frame(instrument) => {
                instrument.stop_point(&mut self.builder, self.at, stack);
                self.builder.ins().jump(body, &[]);
            }
        }
        self.builder.switch_to_block(body);
        Ok(())
    }

    /// Whether this is replay code.
    pub(super) fn is_replay(&self) -> bool {
        self.env.mode == Mode::Replay
    }

    pub(super) fn return_raw(&mut self, raw: u64) {
        let raw = self.builder.ins().iconst(types::I64, raw as i64);
        self.builder.ins().return_(&[raw]);
    }

    /// Replay: ends the block with the end that `kind` stands for, before the instruction at hand.
    pub(super) fn end_replay(&mut self, kind: u32) {
        self.give_fuel_back();
        let position = self.single.as_ref().map_or(0, Single::position);
        self.return_raw(u64::from(kind) << 32 | u64::from(position));
    }

    /// Replay: only the guest can run the instruction at hand. What is translated from here on is never run; it says
    /// what the instruction does to the operand stack.
    pub(super) fn end_replay_natively(&mut self) {
        self.end_replay(ReplayEnd::NATIVE);
        let dead = self.builder.create_block();
        self.builder.switch_to_block(dead);
    }

    /// The row of the operand stack with a value of this type on top.
    fn stack_with(&mut self, ty: ValType) -> u32 {
        let below = self.shape();
        let depth = self.stack.len() as u32;
        let Some(single) = &mut self.single else { return NO_SHAPE };
        let row = (below, kind(ty));
        let stacks = &mut single.stacks;
        match &mut single.home {
            Home::Frame(instrument) => instrument.shape(below, ty, Held::Operand(depth)),
            Home::Buffer { .. } => *single.interned.entry(row).or_insert_with(|| {
                stacks.push(row);
                stacks.len() as u32 - 1
            }),
        }
    }

    /// The frame or the buffer has room for the operand at `depth`.
    fn have_room_for(&mut self, depth: u32) {
        let Some(single) = &mut self.single else { return };
        single.deepest = single.deepest.max(depth + 1);
        if let Home::Frame(instrument) = &mut single.home {
            instrument.have_room_for(depth);
        }
    }

    fn operand_home(&mut self, depth: usize) -> Option<(Value, i32, MemFlagsData)> {
        let depth = depth as u32;
        self.have_room_for(depth);
        let single = self.single.as_mut()?;
        let (base, offset) = match &mut single.home {
            Home::Buffer { values, .. } => (*values, ((single.locals + depth) * SLOT_BYTES) as i32),
            Home::Frame(instrument) => instrument.operand_address(&mut self.builder, depth),
        };
        Some((base, offset, single.flags))
    }

    fn local_home(&mut self, local: u32) -> Option<(Value, i32, MemFlagsData)> {
        let single = self.single.as_ref()?;
        let (base, offset) = match &single.home {
            Home::Buffer { values, .. } => (*values, (local * SLOT_BYTES) as i32),
            Home::Frame(instrument) => instrument.local_address(&mut self.builder, local),
        };
        Some((base, offset, single.flags))
    }

    /// Pushes an operand to its place.
    pub(super) fn push_single(&mut self, ty: ValType, value: Value) {
        if let Some((base, offset, flags)) = self.operand_home(self.stack.len()) {
            self.builder.ins().store(flags, value, base, offset);
        }
        self.push_placed(ty);
    }

    /// Pushes an operand that is in its place already. No instruction is made: the current block may be full.
    pub(super) fn push_placed(&mut self, ty: ValType) {
        self.have_room_for(self.stack.len() as u32);
        let shape = self.stack_with(ty);
        self.stack.push(Operand { value: Value::reserved_value(), ty, held: None, shape });
    }

    /// The value of the operand at `depth`.
    pub(super) fn load_operand(&mut self, depth: usize, ty: ValType) -> Option<Value> {
        let (base, offset, flags) = self.operand_home(depth)?;
        Some(self.builder.ins().load(abi_type(ty), flags, base, offset))
    }

    /// The value of a local.
    pub(super) fn load_local(&mut self, local: u32, ty: ValType) -> Option<Value> {
        let (base, offset, flags) = self.local_home(local)?;
        Some(self.builder.ins().load(abi_type(ty), flags, base, offset))
    }

    /// Changes a local; `false` where locals are not in memory.
    pub(super) fn store_local_single(&mut self, local: u32, value: Value) -> bool {
        let Some((base, offset, flags)) = self.local_home(local) else { return false };
        self.builder.ins().store(flags, value, base, offset);
        true
    }

    /// A block for a branch of the instruction at hand; its code follows when the instruction is done.
    pub(super) fn edge(&mut self, edge: Edge) -> Block {
        // Branches of one instruction that do the same share their code.
        let due = self.single.as_ref().and_then(|single| single.edges_known.get(&edge).copied());
        if let Some(block) = due {
            return block;
        }
        let block = self.builder.create_block();
        if let Some(single) = &mut self.single {
            single.edges_known.insert(edge, block);
            single.edges_due.push((block, edge));
        }
        block
    }

    /// Writes the code of the branches of the instruction at hand. The current block is full.
    pub(super) fn write_edges(&mut self) {
        let Some(single) = &mut self.single else { return };
        single.edges_known.clear();
        let due = std::mem::take(&mut single.edges_due);
        for (block, edge) in due {
            self.builder.switch_to_block(block);
            match edge {
                Edge::Native => self.end_replay(ReplayEnd::NATIVE),
                Edge::Move { count, from, to, target } => {
                    if from != to {
                        // Upwards: what is overwritten has been moved already.
                        for i in 0..count {
                            if let Some((base, offset, flags)) = self.operand_home(from + i) {
                                let value = self.builder.ins().load(types::I64, flags, base, offset);
                                if let Some((base, offset, flags)) = self.operand_home(to + i) {
                                    self.builder.ins().store(flags, value, base, offset);
                                }
                            }
                        }
                    }
                    self.builder.ins().jump(target, &[]);
                }
            }
        }
    }
}
