//! Blocks, branches and the code between them that cannot be reached.

use super::single::Edge;
use super::{Operand, Translator, abi_type};
use crate::abi::TrapCode;
use crate::base::Result;
use crate::compile::env::Mode;
use crate::compile::internal;
use crate::compile::outline::{BlockKind, NONE, OpenBlock, Outline};
use crate::image::ReplayEnd;
use crate::wasm::{FuncType, ValType, val_type};
use cranelift_codegen::ir::{Block, BlockArg, BlockCall, InstBuilder, JumpTableData, Value};
use wasmparser::{BlockType, BrTable, Operator};

/// A block with more results ends without a block of Cranelift's behind it where nothing branches there. With fewer that block costs
/// nothing, and ordinary code comes out a little smaller with it.
const FEW_RESULTS: usize = 4;

/// What kind of block is open.
enum Kind {
    /// `block`, or the function itself.
    Block,
    /// `loop`, with the block of its first instruction.
    Loop(Block),
    /// `if` before its `else`: the block where that starts, and the parameters it starts with.
    If(Block, Vec<Operand>),
    /// `if` behind its `else`.
    Else,
}

/// An open block.
pub(super) struct Control<'a> {
    kind: Kind,
    params: Types<'a>,
    results: Types<'a>,
    /// What follows its `end`, with its results as parameters: made when a branch leads there. Where only what stands before the `end`
    /// does, that goes on as if there were no block.
    follow: Option<Block>,
    /// Operands below its parameters.
    height: usize,
}

/// A block's parameters or results.
#[derive(Clone, Copy)]
enum Types<'a> {
    One([ValType; 1]),
    Many(&'a [ValType]),
}

impl Types<'_> {
    fn as_slice(&self) -> &[ValType] {
        match self {
            Types::One(one) => one,
            Types::Many(many) => many,
        }
    }
}

impl<'a> Translator<'a, '_> {
    pub(super) fn open_function(&mut self, ty: &'a FuncType) {
        self.open(Kind::Block, Types::Many(&[]), Types::Many(&ty.results), 0);
    }

    fn open(&mut self, kind: Kind, params: Types<'a>, results: Types<'a>, height: usize) {
        self.control.push(Control { kind, params, results, follow: None, height });
    }

    /// What follows the `end` of an open block, which something leads to.
    fn follow(&mut self, index: usize) -> Result<Block> {
        let control = self.control.get(index).ok_or_else(|| internal("no block is open"))?;
        if let Some(follow) = control.follow {
            return Ok(follow);
        }
        let results = control.results;
        let follow = self.block_with(results.as_slice());
        self.control[index].follow = Some(follow);
        Ok(follow)
    }

    /// Where a branch to an open block goes, and with how many operands.
    fn target(&mut self, index: usize) -> Result<(Block, usize)> {
        let control = self.control.get(index).ok_or_else(|| internal("no block is open"))?;
        let count = control.results.as_slice().len();
        match control.kind {
            Kind::Loop(header) => Ok((header, control.params.as_slice().len())),
            _ => Ok((self.follow(index)?, count)),
        }
    }

    /// Whether a branch leads back to the next `loop`.
    fn repeated(&mut self) -> bool {
        self.loops.next().unwrap_or(true)
    }

    /// Replay of a run: a block that was open before the run began, at `position`.
    pub(super) fn open_again(&mut self, block: &OpenBlock, position: u32) -> Result<()> {
        let (params, results) = self.block_type(block.ty)?;
        let kind = match block.kind_at(position) {
            BlockKind::Block => Kind::Block,
            BlockKind::Loop => Kind::Loop(self.builder.create_block()),
            BlockKind::If => Kind::If(self.builder.create_block(), Vec::new()),
            BlockKind::Else => Kind::Else,
        };
        self.open(kind, params, results, block.height as usize);
        // Something leads there if it is reached at all, be it from another run.
        if block.follow != NONE {
            self.innermost()?.follow = Some(self.builder.create_block());
        }
        Ok(())
    }

    /// Replay: the run ends here, before the instruction at `next`. What the blocks that are still open lead to is elsewhere; the
    /// innermost of them is the outline's `block`.
    pub(super) fn leave_run(&mut self, next: u32, mut block: u32, outline: &Outline) -> Result<()> {
        if !self.reachable {
            return Err(internal("a run ends where nothing leads"));
        }
        self.go_on_at(next);
        while let Some(control) = self.control.pop() {
            let known = outline.blocks.get(block as usize).ok_or_else(|| internal("a block that is not open"))?;
            if let Kind::If(otherwise, _) = control.kind {
                self.builder.switch_to_block(otherwise);
                self.go_on_at(if known.otherwise == NONE { known.follow } else { known.otherwise });
            }
            if let Some(follow) = control.follow.filter(|_| known.outer != NONE && known.follow != NONE) {
                self.builder.switch_to_block(follow);
                self.go_on_at(known.follow);
            }
            block = known.outer;
        }
        Ok(())
    }

    /// Replay: goes on in another run.
    fn go_on_at(&mut self, position: u32) {
        self.return_raw(u64::from(ReplayEnd::ONWARD) << 32 | u64::from(position));
    }

    /// A new block that takes values of these types.
    fn block_with(&mut self, types: &[ValType]) -> Block {
        let block = self.builder.create_block();
        // Where operands live in memory, they are there.
        let types = if self.single.is_some() { &[] } else { types };
        for ty in types {
            self.builder.append_block_param(block, abi_type(*ty));
        }
        block
    }

    fn block_type(&self, ty: BlockType) -> Result<(Types<'a>, Types<'a>)> {
        Ok(match ty {
            BlockType::Empty => (Types::Many(&[]), Types::Many(&[])),
            BlockType::Type(ty) => {
                let ty = val_type(ty).ok_or_else(|| internal("a block of unknown type"))?;
                (Types::Many(&[]), Types::One([ty]))
            }
            BlockType::FuncType(index) => {
                let ty = self.env.info.types.get(index as usize).ok_or_else(|| internal("a block of unknown type"))?;
                (Types::Many(&ty.params), Types::Many(&ty.results))
            }
        })
    }

    /// Translates an instruction of this kind; `false` for any other.
    pub(super) fn control_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::Unreachable => {
                self.trap(TrapCode::Unreachable);
                self.reachable = false;
            }
            Operator::Block { blockty } => {
                let (params, results) = self.block_type(*blockty)?;
                let height = self.height_below(params.as_slice().len())?;
                self.part()?;
                self.open(Kind::Block, params, results, height);
            }
            Operator::Loop { blockty } => {
                let (params, results) = self.block_type(*blockty)?;
                let height = self.height_below(params.as_slice().len())?;
                self.part()?;
                self.complete()?;
                self.stop_due = true;
                let repeated = self.repeated();
                if !repeated && self.single.is_none() {
                    // Nothing leads back to it: it is run once.
                    self.open(Kind::Block, params, results, height);
                    return Ok(true);
                }
                let header = self.block_with(params.as_slice());
                if self.is_replay() {
                    self.end_replay_natively();
                }
                let entering = self.block_args(self.stack.len() - height)?;
                self.builder.ins().jump(header, &entering);
                self.open(Kind::Loop(header), params, results, height);
                self.enter(header, height, params.as_slice())?;
            }
            Operator::If { blockty } => {
                let condition = self.pop()?;
                let (params, results) = self.block_type(*blockty)?;
                let height = self.height_below(params.as_slice().len())?;
                self.part()?;
                self.complete()?;
                let then = self.builder.create_block();
                let otherwise = self.builder.create_block();
                self.builder.ins().brif(condition, then, &[], otherwise, &[]);
                self.builder.seal_block(then);
                self.builder.seal_block(otherwise);
                self.open(Kind::If(otherwise, self.stack[height..].to_vec()), params, results, height);
                self.builder.switch_to_block(then);
            }
            Operator::Else => self.switch_to_else()?,
            Operator::End => self.close()?,
            Operator::Br { relative_depth } => {
                if !self.leaves(*relative_depth) {
                    self.store_locals()?;
                }
                let (target, arguments) = self.branch(*relative_depth)?;
                self.builder.ins().jump(target, &arguments);
                self.write_edges();
                self.reachable = false;
            }
            Operator::BrIf { relative_depth } => {
                let condition = self.pop()?;
                // Locals must be in their slots where ways come together. Then those of the last point are gone, and operands
                // have to be there as well.
                if !self.leaves(*relative_depth) && self.instrument.as_ref().is_some_and(|frame| frame.any_dirty()) {
                    self.complete()?;
                }
                let (target, arguments) = self.branch(*relative_depth)?;
                let next = self.builder.create_block();
                self.builder.ins().brif(condition, target, &arguments, next, &[]);
                self.write_edges();
                self.builder.seal_block(next);
                self.builder.switch_to_block(next);
            }
            Operator::BrTable { targets } => self.branch_table(targets)?,
            Operator::Return => {
                if self.is_replay() {
                    self.end_replay(ReplayEnd::NATIVE);
                    self.reachable = false;
                    return Ok(true);
                }
                let count = self.control[0].results.as_slice().len();
                let results = self.pop_many(count)?;
                self.return_(&results);
                self.reachable = false;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The number of operands below the topmost `count`.
    fn height_below(&self, count: usize) -> Result<usize> {
        self.stack.len().checked_sub(count).ok_or_else(|| internal("too few operands"))
    }

    fn innermost(&mut self) -> Result<&mut Control<'a>> {
        self.control.last_mut().ok_or_else(|| internal("no block is open"))
    }

    /// Whether a branch leaves the function: behind it no state is left to be seen.
    fn leaves(&self, depth: u32) -> bool {
        depth as usize + 1 == self.outer + self.control.len()
    }

    /// Debug: ways part here that come together again. Every operand has to be where it will be found on all of them.
    fn part(&mut self) -> Result<()> {
        self.forget(None);
        if self.instrument.is_some() && self.stack.iter().any(|operand| operand.held.is_none()) {
            self.complete()?;
        }
        Ok(())
    }

    /// The topmost `count` operands as arguments of a block; none where they live in memory.
    fn block_args(&mut self, count: usize) -> Result<Vec<BlockArg>> {
        if self.single.is_some() {
            return Ok(Vec::new());
        }
        Ok(self.top_values(count)?.into_iter().map(BlockArg::Value).collect())
    }

    /// Returns these values; in replay code, whose result is another, only where it is never run.
    fn return_(&mut self, results: &[Value]) {
        if self.is_replay() {
            self.end_replay(crate::image::ReplayEnd::NATIVE);
        } else {
            self.builder.ins().return_(results);
        }
    }

    /// The target of a branch and what it is given.
    fn branch(&mut self, depth: u32) -> Result<(Block, Vec<BlockArg>)> {
        let leaves = self.leaves(depth);
        if leaves && self.is_replay() {
            return Ok((self.edge(Edge::Native), Vec::new()));
        }
        let outer = self.control.len().checked_sub(depth as usize + 1);
        let outer = outer.ok_or_else(|| internal("a branch out of the function"))?;
        let (target, count) = self.target(outer)?;
        self.arguments += count;
        let control = &self.control[outer];
        let native = self.env.mode == Mode::Replay && matches!(control.kind, Kind::Loop(_));
        let to = control.height;
        if self.single.is_none() {
            self.joins.branch(target);
            return Ok((target, self.block_args(count)?));
        }
        let edge = match native {
            true => Edge::Native,
            false => Edge::Move { count, from: self.height_below(count)?, to, target },
        };
        Ok((self.edge(edge), Vec::new()))
    }

    fn branch_table(&mut self, targets: &BrTable<'_>) -> Result<()> {
        let index = self.pop()?;
        self.store_locals()?;
        let mut calls = Vec::with_capacity(targets.len() as usize);
        let mut blocks = Vec::with_capacity(targets.len() as usize + 1);
        for depth in targets.targets() {
            let depth = depth.map_err(super::unreadable)?;
            let (target, arguments) = self.branch(depth)?;
            self.check_size()?;
            blocks.push(target);
            calls.push(BlockCall::new(target, arguments, &mut self.builder.func.dfg.value_lists));
        }
        let (target, arguments) = self.branch(targets.default())?;
        let default = BlockCall::new(target, arguments, &mut self.builder.func.dfg.value_lists);
        blocks.push(target);
        self.joins.table(blocks);
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(index, table);
        self.write_edges();
        self.reachable = false;
        Ok(())
    }

    /// Goes on at `block`, with its parameters as operands on top of the lowest `height`.
    fn enter(&mut self, block: Block, height: usize, types: &[ValType]) -> Result<()> {
        self.builder.switch_to_block(block);
        self.stack.truncate(height);
        for (i, ty) in types.iter().enumerate() {
            if self.single.is_some() {
                self.push_placed(*ty);
                continue;
            }
            let value = self.builder.block_params(block)[i];
            self.push(*ty, value);
        }
        self.arrive();
        self.complete()
    }

    /// Debug: whatever way led here, the locals are in their slots.
    fn arrive(&mut self) {
        if let Some(instrument) = &mut self.instrument {
            instrument.take_dirty();
            self.complete = true;
        }
    }

    /// Leaves the innermost block for what follows it, if control gets here.
    fn fall_out(&mut self) -> Result<()> {
        if self.reachable {
            if self.outer + self.control.len() > 1 {
                self.store_locals()?;
            } else if self.is_replay() {
                self.end_replay_natively();
            }
            let count = self.innermost()?.results.as_slice().len();
            let follow = self.follow(self.control.len() - 1)?;
            let arguments = self.block_args(count)?;
            self.builder.ins().jump(follow, &arguments);
        }
        Ok(())
    }

    fn switch_to_else(&mut self) -> Result<()> {
        self.fall_out()?;
        let control = self.innermost()?;
        let height = control.height;
        let Kind::If(otherwise, params) = std::mem::replace(&mut control.kind, Kind::Else) else {
            return Err(internal("an else without its if"));
        };
        self.stack.truncate(height);
        // Their slots still hold them on this path.
        if self.single.is_some() {
            let params = self.innermost()?.params;
            for ty in params.as_slice() {
                self.push_placed(*ty);
            }
        } else {
            self.stack.extend(params);
        }
        self.builder.switch_to_block(otherwise);
        self.reachable = true;
        self.arrive();
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let falls_out = self.control.len() > 1 && self.reachable;
        let control = self.innermost()?;
        let parted = matches!(control.kind, Kind::If(..));
        let wide = control.results.as_slice().len() > FEW_RESULTS;
        if falls_out && !parted && wide && control.follow.is_none() {
            // No other way leads behind it.
            let control = self.control.pop().ok_or_else(|| internal("no block is open"))?;
            if let Kind::Loop(header) = control.kind {
                self.seal_loop(header)?;
            }
            return Ok(());
        }
        if parted {
            self.follow(self.control.len() - 1)?;
        }
        self.fall_out()?;
        let control = self.control.pop().ok_or_else(|| internal("no block is open"))?;
        match control.kind {
            Kind::If(otherwise, params) => {
                let follow = control.follow.ok_or_else(|| internal("an if that nothing follows"))?;
                self.builder.switch_to_block(otherwise);
                let mut arguments = Vec::new();
                if self.single.is_none() {
                    for (i, operand) in params.iter().enumerate() {
                        arguments.push(BlockArg::Value(self.value_of(control.height + i, operand)?));
                    }
                }
                self.builder.ins().jump(follow, &arguments);
            }
            Kind::Loop(header) => self.seal_loop(header)?,
            Kind::Block | Kind::Else => {}
        }
        self.reachable = control.follow.is_some();
        let Some(follow) = control.follow else {
            self.stack.truncate(control.height);
            return Ok(());
        };
        self.builder.seal_block(follow);
        if self.outer + self.control.len() == 0 {
            self.builder.switch_to_block(follow);
            self.stack.clear();
            let results = match self.single {
                None => self.builder.block_params(follow).to_vec(),
                Some(_) => {
                    for ty in control.results.as_slice() {
                        self.push_placed(*ty);
                    }
                    self.pop_many(control.results.as_slice().len())?
                }
            };
            self.return_(&results);
            self.stack.clear();
        } else {
            self.enter(follow, control.height, control.results.as_slice())?;
        }
        Ok(())
    }

    /// Steps over an instruction that cannot be reached, up to the `else` or `end` where control may come back.
    pub(super) fn unreachable_operator(&mut self, operator: &Operator<'_>) -> Result<()> {
        match operator {
            Operator::Block { .. } | Operator::If { .. } => self.skipped += 1,
            Operator::Loop { .. } => {
                self.skipped += 1;
                self.repeated();
            }
            Operator::End if self.skipped > 0 => self.skipped -= 1,
            Operator::Else if self.skipped == 0 => self.switch_to_else()?,
            Operator::End => self.close()?,
            _ => {}
        }
        Ok(())
    }
}
