//! Blocks, branches and the code between them that cannot be reached.

use super::single::Edge;
use super::{Operand, Translator, abi_type};
use crate::abi::TrapCode;
use crate::base::Result;
use crate::compile::internal;
use crate::compile::outline::{KnownBlock, NONE, Outline};
use crate::image::ReplayEnd;
use crate::wasm::{BlockKind, FuncType, ValType, unreadable, val_type};
use cranelift_codegen::ir::{Block, BlockArg, BlockCall, InstBuilder, JumpTableData, Value};
use wasmparser::{BlockType, BrTable, Operator};

/// A block with more results ends without a block of Cranelift's behind it where nothing branches there. With fewer
/// that block costs nothing, and ordinary code comes out a little smaller with it.
const FEW_RESULTS: usize = 4;

/// What is known of an open block.
#[derive(Default)]
pub(super) struct Control<'a> {
    params: Types<'a>,
    results: Types<'a>,
    /// Of a loop that is gone through again, the block of its first instruction.
    header: Option<Block>,
    /// Of an `if` before its `else`, the block where that starts, and the parameters it starts with.
    otherwise: Option<(Block, Vec<Operand>)>,
    /// What follows its `end`, with its results as parameters: made when a branch leads there. Where only what stands
    /// before the `end` does, that goes on as if there were no block.
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

impl Default for Types<'_> {
    fn default() -> Self {
        Types::Many(&[])
    }
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
        self.results = ty.results.len();
        let function = Control { results: Types::Many(&ty.results), ..Control::default() };
        self.walk.open_known(BlockKind::Block, false, function);
    }

    /// What follows the `end` of the block that a branch to this depth goes to.
    fn follow(&mut self, depth: u32) -> Result<Block> {
        let control = &self.walk.target(depth)?.known;
        if let Some(follow) = control.follow {
            return Ok(follow);
        }
        let results = control.results;
        let follow = self.block_with(results.as_slice());
        self.walk.target(depth)?.known.follow = Some(follow);
        Ok(follow)
    }

    /// Where a branch to an open block goes, and with how many operands.
    fn target(&mut self, depth: u32) -> Result<(Block, usize)> {
        let control = &self.walk.target(depth)?.known;
        let count = control.results.as_slice().len();
        match control.header {
            Some(header) => Ok((header, control.params.as_slice().len())),
            None => Ok((self.follow(depth)?, count)),
        }
    }

    /// Whether a branch leads back to the next `loop`.
    pub(super) fn repeated(&mut self) -> bool {
        self.loops.next().unwrap_or(true)
    }

    /// Replay of a run: a block that was open before the run began, at `position`.
    pub(super) fn open_again(&mut self, block: &KnownBlock, position: u32) -> Result<()> {
        let (params, results) = self.block_type(block.ty)?;
        let mut control = Control { params, results, height: block.height as usize, ..Control::default() };
        let kind = block.kind_at(position);
        match kind {
            BlockKind::Block | BlockKind::Else => {}
            BlockKind::Loop => control.header = Some(self.builder.create_block()),
            BlockKind::If => control.otherwise = Some((self.builder.create_block(), Vec::new())),
        }
        // Something leads there if it is reached at all, be it from another run.
        let followed = block.follow != NONE;
        if followed {
            control.follow = Some(self.builder.create_block());
        }
        self.walk.open_known(kind, followed, control);
        Ok(())
    }

    /// Replay: the run ends here, before the instruction at `next`. What the blocks that are still open lead to is
    /// elsewhere; the innermost of them is the outline's `block`.
    pub(super) fn leave_run(&mut self, next: u32, mut block: u32, outline: &Outline) -> Result<()> {
        if !self.walk.reached() {
            return Err(internal("a run ends where nothing leads"));
        }
        self.go_on_at(next);
        for open in self.walk.take_open().into_iter().rev() {
            let known = outline.blocks.get(block as usize).ok_or_else(|| internal("a block that is not open"))?;
            if let Some((otherwise, _)) = open.known.otherwise {
                self.builder.switch_to_block(otherwise);
                self.go_on_at(if known.otherwise == NONE { known.follow } else { known.otherwise });
            }
            if let Some(follow) = open.known.follow.filter(|_| known.outer != NONE && known.follow != NONE) {
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

    /// Opens a block, which the walk has just done.
    pub(super) fn open(&mut self, ty: BlockType) -> Result<()> {
        let kind = self.walk.innermost()?.kind;
        let condition = if kind == BlockKind::If { Some(self.pop()?) } else { None };
        let (params, results) = self.block_type(ty)?;
        let height = self.height_below(params.as_slice().len())?;
        self.walk.innermost()?.known = Control { params, results, height, ..Control::default() };
        self.part()?;
        if let Some(condition) = condition {
            self.complete()?;
            let then = self.builder.create_block();
            let otherwise = self.builder.create_block();
            self.builder.ins().brif(condition, then, &[], otherwise, &[]);
            self.builder.seal_block(then);
            self.builder.seal_block(otherwise);
            let params = self.stack[height..].to_vec();
            self.walk.innermost()?.known.otherwise = Some((otherwise, params));
            self.builder.switch_to_block(then);
        }
        if kind == BlockKind::Loop {
            self.complete()?;
            self.stop_due = true;
            let repeated = self.repeated();
            if !repeated && self.single.is_none() {
                // Nothing leads back to it: it is run once.
                return Ok(());
            }
            let header = self.block_with(params.as_slice());
            self.walk.innermost()?.known.header = Some(header);
            if self.is_replay() {
                self.end_replay_natively();
            }
            let entering = self.block_args(self.stack.len() - height)?;
            self.builder.ins().jump(header, &entering);
            self.enter(header, height, params.as_slice())?;
        }
        Ok(())
    }

    /// Translates a branch.
    pub(super) fn branch_operator(&mut self, operator: &Operator<'_>) -> Result<()> {
        match operator {
            Operator::Br { relative_depth } => {
                if !self.walk.leaves(*relative_depth) {
                    self.store_locals()?;
                }
                let (target, arguments) = self.branch(*relative_depth)?;
                self.builder.ins().jump(target, &arguments);
                self.write_edges();
            }
            Operator::BrIf { relative_depth } => {
                let condition = self.pop()?;
                // Locals must be in their slots where ways come together. Then those of the last point are gone, and
                // operands have to be there as well.
                let leaves = self.walk.leaves(*relative_depth);
                if !leaves && self.instrument.as_ref().is_some_and(|frame| frame.any_dirty()) {
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
            _ => return Err(internal(format!("no branch: {operator:?}"))),
        }
        Ok(())
    }

    /// Leaves the function: by a return, or by a trap.
    pub(super) fn leave(&mut self, operator: &Operator<'_>) -> Result<()> {
        match operator {
            Operator::Unreachable => self.trap(TrapCode::Unreachable),
            Operator::Return if self.is_replay() => self.end_replay(ReplayEnd::NATIVE),
            Operator::Return => {
                let results = self.pop_many(self.results)?;
                self.return_(&results);
            }
            _ => return Err(internal(format!("no way out of the function: {operator:?}"))),
        }
        Ok(())
    }

    /// The number of operands below the topmost `count`.
    fn height_below(&self, count: usize) -> Result<usize> {
        self.stack.len().checked_sub(count).ok_or_else(|| internal("too few operands"))
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
        if self.is_replay() && self.walk.leaves(depth) {
            return Ok((self.edge(Edge::Native), Vec::new()));
        }
        let (target, count) = self.target(depth)?;
        self.arguments += count;
        if self.single.is_none() {
            return Ok((target, self.block_args(count)?));
        }
        let control = &self.walk.target(depth)?.known;
        let (loops, to) = (control.header.is_some(), control.height);
        let edge = match loops && self.is_replay() {
            true => Edge::Native,
            false => Edge::Move { count, from: self.height_below(count)?, to, target },
        };
        Ok((self.edge(edge), Vec::new()))
    }

    fn branch_table(&mut self, targets: &BrTable<'_>) -> Result<()> {
        let index = self.pop()?;
        self.store_locals()?;
        let mut calls = Vec::with_capacity(targets.len() as usize);
        for depth in targets.targets() {
            let (target, arguments) = self.branch(depth.map_err(unreadable)?)?;
            self.check_size()?;
            calls.push(BlockCall::new(target, arguments, &mut self.builder.func.dfg.value_lists));
        }
        let (target, arguments) = self.branch(targets.default())?;
        let default = BlockCall::new(target, arguments, &mut self.builder.func.dfg.value_lists);
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(index, table);
        self.write_edges();
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

    /// The `else` of the innermost block, into whose end what stands before it falls or not.
    pub(super) fn switch_to_else(&mut self, fallen: bool) -> Result<()> {
        if fallen {
            self.store_locals()?;
            let follow = self.follow(0)?;
            let results = self.walk.innermost()?.known.results.as_slice().len();
            self.jump_with(follow, results)?;
        }
        let control = &mut self.walk.innermost()?.known;
        let (height, types) = (control.height, control.params);
        let (otherwise, params) = control.otherwise.take().ok_or_else(|| internal("an else without its if"))?;
        self.stack.truncate(height);
        // Their slots still hold them on this path.
        if self.single.is_some() {
            for ty in types.as_slice() {
                self.push_placed(*ty);
            }
        } else {
            self.stack.extend(params);
        }
        self.builder.switch_to_block(otherwise);
        self.arrive();
        Ok(())
    }

    /// Jumps to a block with the topmost `count` operands.
    fn jump_with(&mut self, block: Block, count: usize) -> Result<()> {
        let arguments = self.block_args(count)?;
        self.builder.ins().jump(block, &arguments);
        Ok(())
    }

    /// The innermost block has ended, and control falls out of it or not.
    pub(super) fn close(&mut self, control: Control<'a>, fallen: bool) -> Result<()> {
        let Control { results, header, otherwise, height, mut follow, .. } = control;
        let function = self.walk.depth() == 0;
        let results = results.as_slice();
        if fallen && !function && otherwise.is_none() && results.len() > FEW_RESULTS && follow.is_none() {
            // No other way leads behind it.
            if let Some(header) = header {
                self.builder.seal_block(header);
            }
            return Ok(());
        }
        if otherwise.is_some() {
            follow = follow.or_else(|| Some(self.block_with(results)));
        }
        if fallen {
            if !function {
                self.store_locals()?;
            } else if self.is_replay() {
                self.end_replay_natively();
            }
            let follow = *follow.get_or_insert_with(|| self.block_with(results));
            self.jump_with(follow, results.len())?;
        }
        if let Some(header) = header {
            self.builder.seal_block(header);
        }
        let Some(follow) = follow else {
            self.stack.truncate(height);
            return Ok(());
        };
        if let Some((otherwise, params)) = otherwise {
            self.builder.switch_to_block(otherwise);
            let mut arguments = Vec::new();
            if self.single.is_none() {
                for (i, operand) in params.iter().enumerate() {
                    arguments.push(BlockArg::Value(self.value_of(height + i, operand)?));
                }
            }
            self.builder.ins().jump(follow, &arguments);
        }
        self.builder.seal_block(follow);
        if !function {
            return self.enter(follow, height, results);
        }
        self.builder.switch_to_block(follow);
        self.stack.clear();
        let values = match self.single {
            None => self.builder.block_params(follow).to_vec(),
            Some(_) => {
                for ty in results {
                    self.push_placed(*ty);
                }
                self.pop_many(results.len())?
            }
        };
        self.return_(&values);
        self.stack.clear();
        Ok(())
    }
}
