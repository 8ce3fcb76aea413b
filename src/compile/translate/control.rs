//! Blocks, branches and the code between them that cannot be reached.

use super::exceptions::Way;
use super::storage::{Edge, Operand};
use super::{Translator, abi_type, return_raw};
use crate::abi::TrapCode;
use crate::base::{Result, TagIndex, WasmOffset};
use crate::compile::internal;
use crate::compile::outline::{KnownBlock, NONE, Outline};
use crate::image::{RerunEnd, branch_side};
use crate::wasm::{BlockKind, FuncType, ValType, unreadable};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, BlockCall, InstBuilder, JumpTableData, Value};
use std::collections::HashMap;
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
    /// Of an `if` before its `else`, the block where that starts, and the operands that are its parameters there, if
    /// they are known.
    otherwise: Option<(Block, Option<Vec<Operand>>)>,
    /// What follows its `end`, with its results as parameters: made when a branch leads there. Where only what stands
    /// before the `end` does, that goes on as if there were no block.
    follow: Option<Block>,
    /// Operands below its parameters.
    pub(super) height: usize,
    /// Where the instruction is that has opened it.
    opened: u32,
    /// Whether what is around it is mostly not come to; and, of an `if` before its `else`, what is behind that.
    rare: bool,
    rare_else: bool,
    /// Of a `try_table`, its clauses.
    clauses: Vec<Way>,
    /// Of a `try`, where the exceptions of its clauses land that are still to come, the next one last.
    pub(super) landings: Vec<Block>,
    /// Of a clause of a `try`, the local where its exception is kept.
    pub(super) kept: Option<u32>,
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
        self.walk.open_known(BlockKind::Block, (false, false), function);
    }

    /// What follows the `end` of the block that a branch to this depth goes to.
    fn follow(&mut self, depth: u32) -> Result<Block> {
        let control = &self.walk.target(depth)?.known;
        if let Some(follow) = control.follow {
            return Ok(follow);
        }
        let (results, rare) = (control.results, control.rare);
        let follow = self.block_with(results.as_slice(), rare);
        self.walk.target(depth)?.known.follow = Some(follow);
        Ok(follow)
    }

    /// Where a branch to an open block goes, and with how many operands.
    pub(super) fn target(&mut self, depth: u32) -> Result<(Block, usize)> {
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

    /// Rerun of a run: a block that was open before the run began, at `position`.
    pub(super) fn open_again(&mut self, block: &KnownBlock, position: u32) -> Result<()> {
        let (params, results) = self.block_type(block.ty)?;
        let mut control = Control { params, results, height: block.height as usize, ..Control::default() };
        let kind = block.kind_at(position);
        match kind {
            BlockKind::Block | BlockKind::Else => {}
            BlockKind::Loop => control.header = Some(self.builder.create_block()),
            BlockKind::If => control.otherwise = Some((self.builder.create_block(), None)),
        }
        // Something leads there if it is reached at all, be it from another run.
        let followed = block.follow != NONE;
        if followed {
            control.follow = Some(self.builder.create_block());
        }
        self.walk.open_known(kind, (followed, block.caught), control);
        Ok(())
    }

    /// Rerun: the run ends here, before the instruction at `next`. What the blocks that are still open lead to is
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

    /// Rerun: goes on in another run.
    fn go_on_at(&mut self, position: u32) {
        return_raw(&mut self.builder, u64::from(RerunEnd::ONWARD) << 32 | u64::from(position));
    }

    /// A new block that takes values of these types, and is mostly not come to or is.
    fn block_with(&mut self, types: &[ValType], rare: bool) -> Block {
        let block = self.new_block_that_is(rare);
        for ty in self.storage.passed(types) {
            self.builder.append_block_param(block, abi_type(*ty));
        }
        block
    }

    fn block_type(&self, ty: BlockType) -> Result<(Types<'a>, Types<'a>)> {
        Ok(match ty {
            BlockType::Empty => (Types::Many(&[]), Types::Many(&[])),
            BlockType::Type(ty) => {
                let ty = self.env.info.val_type(ty).ok_or_else(|| internal("a block of unknown type"))?;
                (Types::Many(&[]), Types::One([ty]))
            }
            BlockType::FuncType(index) => {
                let ty = self.env.info.func_type_at(index).ok_or_else(|| internal("a block of unknown type"))?;
                (Types::Many(&ty.params), Types::Many(&ty.results))
            }
        })
    }

    /// Opens a block, which the walk has just done.
    pub(super) fn open(&mut self, ty: BlockType, operator: &Operator<'_>) -> Result<()> {
        let kind = self.walk.innermost()?.kind;
        let condition = if kind == BlockKind::If { Some(self.pop()?) } else { None };
        let (params, results) = self.block_type(ty)?;
        let height = self.height_below(params.as_slice().len())?;
        let hint = if kind == BlockKind::If { self.hint() } else { None };
        let (rare, rare_else) = (self.rare, hint == Some(true));
        let opened = self.at;
        self.walk.innermost()?.known =
            Control { params, results, height, opened, rare, rare_else, ..Control::default() };
        let (storage, mut here) = self.storage();
        storage.ways_part(&mut here);
        if let Operator::TryTable { try_table } = operator
            && !try_table.catches.is_empty()
        {
            self.walk.innermost()?.known.clauses = self.open_clauses(&try_table.catches);
        }
        if let Operator::Try { .. } = operator {
            self.walk.innermost()?.known.landings = self.open_try();
        }
        if let Some(condition) = condition {
            self.complete();
            let otherwise = self.new_block_that_is(rare || rare_else);
            self.rare |= hint == Some(false);
            let then = self.new_block();
            self.builder.ins().brif(condition, then, &[], otherwise, &[]);
            self.builder.seal_block(then);
            self.builder.seal_block(otherwise);
            let operands = self.stack[height..].to_vec();
            self.walk.innermost()?.known.otherwise = Some((otherwise, Some(operands)));
            self.builder.switch_to_block(then);
        }
        if kind == BlockKind::Loop {
            self.complete();
            if !self.repeated() {
                // Nothing leads back to it: it is run once.
                return Ok(());
            }
            let header = self.block_with(params.as_slice(), rare);
            self.walk.innermost()?.known.header = Some(header);
            self.leave_to_guest();
            self.jump_with(header, self.stack.len() - height)?;
            if let Some(ways) = self.ways_in.as_mut().filter(|_| self.stack.is_empty()) {
                ways.add(self.at, header);
            }
            self.enter(header, height, params.as_slice());
        }
        Ok(())
    }

    /// Translates a branch.
    pub(super) fn branch_operator(&mut self, operator: &Operator<'_>) -> Result<()> {
        match operator {
            Operator::Br { relative_depth } => {
                if !self.walk.leaves(*relative_depth) {
                    self.store_locals();
                }
                let (target, arguments) = self.branch(*relative_depth)?;
                self.builder.ins().jump(target, &arguments);
                self.write_edges();
            }
            Operator::BrIf { relative_depth } => {
                let condition = self.pop()?;
                self.before_branch(*relative_depth);
                self.branch_if(condition, *relative_depth)?;
            }
            Operator::BrOnNull { relative_depth } => {
                let value = self.top_values(1)?[0];
                let null = self.builder.ins().icmp_imm_u(IntCC::Equal, value, 0);
                self.before_branch(*relative_depth);
                // It is not passed on, and is still there where the branch is not taken.
                let reference = self.stack.pop().ok_or_else(|| internal("the operand stack is empty"))?;
                self.branch_if(null, *relative_depth)?;
                self.stack.push(reference);
            }
            Operator::BrOnNonNull { relative_depth } => {
                let value = self.top_values(1)?[0];
                let refers = self.builder.ins().icmp_imm_u(IntCC::NotEqual, value, 0);
                self.before_branch(*relative_depth);
                self.branch_if(refers, *relative_depth)?;
                self.pop()?;
            }
            Operator::BrTable { targets } => self.branch_table(targets)?,
            Operator::BrOnCast { relative_depth, to_ref_type, .. } => {
                let value = self.top_values(1)?[0];
                let fits = self.fits(value, to_ref_type.heap_type(), to_ref_type.is_nullable())?;
                self.before_branch(*relative_depth);
                self.branch_if(fits, *relative_depth)?;
            }
            Operator::BrOnCastFail { relative_depth, to_ref_type, .. } => {
                let value = self.top_values(1)?[0];
                let fits = self.fits(value, to_ref_type.heap_type(), to_ref_type.is_nullable())?;
                let other = self.builder.ins().icmp_imm_u(IntCC::Equal, fits, 0);
                self.before_branch(*relative_depth);
                self.branch_if(other, *relative_depth)?;
            }
            _ => return Err(internal(format!("no branch: {operator:?}"))),
        }
        Ok(())
    }

    /// Before a branch that may be taken or not, with the operands that are there if it is not.
    fn before_branch(&mut self, depth: u32) {
        if !self.walk.leaves(depth) {
            let (storage, mut here) = self.storage();
            storage.before_branch(&mut here);
        }
    }

    /// Branches if `condition` is not zero, with the topmost operands.
    fn branch_if(&mut self, condition: Value, depth: u32) -> Result<()> {
        let (target, arguments) = self.branch(depth)?;
        let hint = self.hint();
        let rare = self.rare;
        // What is behind it in its block is mostly left out then.
        self.rare |= hint == Some(true);
        let next = self.new_block();
        if hint == Some(false) || self.env.has_sides() {
            // What has to be done on the way is out of the way.
            let jump = self.new_block_that_is(rare || hint == Some(false));
            self.builder.ins().brif(condition, jump, &[], next, &[]);
            self.builder.seal_block(jump);
            self.builder.switch_to_block(jump);
            self.side(self.at, 0);
            self.builder.ins().jump(target, &arguments);
        } else {
            self.builder.ins().brif(condition, target, &arguments, next, &[]);
        }
        self.write_edges();
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        Ok(())
    }

    /// The current block is on a side of the branch at `branch`, the `number`-th of those that have a place to stop at;
    /// that is here, if this code has them.
    fn side(&mut self, branch: u32, number: u32) {
        if !self.env.has_sides() {
            return;
        }
        let (at, side) = (self.at, branch_side(WasmOffset::new(branch), number).get());
        self.locate(side);
        self.storage.side(&mut self.builder, side);
        self.locate(at);
    }

    /// Leaves the function: by a return, a trap, an exception, or by a tail call.
    pub(super) fn leave(&mut self, operator: &Operator<'_>) -> Result<()> {
        match operator {
            Operator::Unreachable => self.trap(TrapCode::Unreachable),
            Operator::Return => self.return_top(self.results)?,
            // What rerun comes to is left to the guest already, and what would be translated here is never run.
            _ if self.end_rerun(RerunEnd::NATIVE) => {}
            _ if self.tail_call_operator(operator)? => {}
            Operator::Throw { tag_index } => self.throw(TagIndex::new(*tag_index))?,
            Operator::ThrowRef => self.throw_ref()?,
            Operator::Rethrow { relative_depth } => self.rethrow(*relative_depth)?,
            _ => return Err(internal(format!("no way out of the function: {operator:?}"))),
        }
        Ok(())
    }

    /// The number of operands below the topmost `count`.
    fn height_below(&self, count: usize) -> Result<usize> {
        self.stack.len().checked_sub(count).ok_or_else(|| internal("too few operands"))
    }

    /// The target of a branch and what it is given.
    pub(super) fn branch(&mut self, depth: u32) -> Result<(Block, Vec<BlockArg>)> {
        // Out of the function, back to the start of a loop, and where exceptions lead goes the guest alone.
        let (of_guest, goes_behind) = match self.walk.leaves(depth) {
            true => (true, false),
            false => {
                let target = self.walk.target(depth)?;
                let repeats = target.kind == BlockKind::Loop;
                (repeats || target.caught, !repeats)
            }
        };
        if of_guest && let Some(block) = self.storage.branch_of_guest(&mut self.builder) {
            if goes_behind {
                // What stands there can be run again, even if the `try_table` itself is never reached.
                self.follow(depth)?;
            }
            return Ok((block, Vec::new()));
        }
        let (target, count) = self.target(depth)?;
        self.arguments += count;
        self.joins.branch(target);
        let height = self.walk.target(depth)?.known.height;
        let (storage, mut here) = self.storage();
        storage.branch(&mut here, target, count, height)
    }

    /// Writes the code of the branches of the instruction at hand that need some. The current block is full.
    pub(super) fn write_edges(&mut self) {
        for (block, edge) in self.storage.take_edges() {
            self.builder.switch_to_block(block);
            match edge {
                Edge::Guest => {
                    self.end_rerun(RerunEnd::NATIVE);
                }
                Edge::Move { words, from, to, target } => {
                    self.storage.move_operands(&mut self.builder, words, from, to);
                    self.builder.ins().jump(target, &[]);
                }
            }
        }
    }

    fn branch_table(&mut self, targets: &BrTable<'_>) -> Result<()> {
        let index = self.pop()?;
        self.store_locals();
        if self.env.has_sides() {
            return self.branch_table_by_sides(index, targets);
        }
        let mut calls = Vec::with_capacity(targets.len() as usize);
        let mut blocks = Vec::with_capacity(targets.len() as usize + 1);
        for depth in targets.targets() {
            let (target, arguments) = self.branch(depth.map_err(unreadable)?)?;
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
        Ok(())
    }

    /// A `br_table` each of whose targets is come to on a side of its own, however often it is named.
    fn branch_table_by_sides(&mut self, index: Value, targets: &BrTable<'_>) -> Result<()> {
        let mut sides: Vec<(Block, (Block, Vec<BlockArg>))> = Vec::new();
        let mut known: HashMap<u32, Block> = HashMap::new();
        let mut calls = Vec::with_capacity(targets.len() as usize + 1);
        for depth in targets.targets().chain([Ok(targets.default())]) {
            let depth = depth.map_err(unreadable)?;
            let side = match known.get(&depth) {
                Some(side) => *side,
                None => {
                    let target = self.branch(depth)?;
                    let side = self.new_block();
                    known.insert(depth, side);
                    sides.push((side, target));
                    self.check_size()?;
                    side
                }
            };
            calls.push(BlockCall::new(side, [], &mut self.builder.func.dfg.value_lists));
        }
        let default = calls.pop().ok_or_else(|| internal("a br_table without targets"))?;
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(index, table);
        for (number, (side, (target, arguments))) in sides.into_iter().enumerate() {
            self.builder.seal_block(side);
            self.builder.switch_to_block(side);
            self.side(self.at, number as u32);
            self.builder.ins().jump(target, &arguments);
        }
        self.write_edges();
        Ok(())
    }

    /// Goes on at `block`, with its parameters as operands on top of the lowest `height`.
    fn enter(&mut self, block: Block, height: usize, types: &[ValType]) {
        self.switch_to(block, height, types);
        self.storage.ways_met();
        self.complete();
    }

    fn switch_to(&mut self, block: Block, height: usize, types: &[ValType]) {
        self.builder.switch_to_block(block);
        self.stack.truncate(height);
        let (storage, mut here) = self.storage();
        storage.push_params(&mut here, block, types);
    }

    /// Goes on where an `if` does not hold.
    fn switch_to_otherwise(&mut self, block: Block, height: usize, operands: Option<Vec<Operand>>, types: &[ValType]) {
        match operands {
            // Their slots still hold them on this path.
            Some(operands) => {
                self.builder.switch_to_block(block);
                self.stack.truncate(height);
                self.stack.extend(operands);
            }
            None => self.switch_to(block, height, types),
        }
    }

    /// The `else` of the innermost block, into whose end what stands before it falls or not.
    pub(super) fn switch_to_else(&mut self, fallen: bool) -> Result<()> {
        if fallen {
            self.fall_to_end()?;
        }
        let control = &mut self.walk.innermost()?.known;
        let (height, types) = (control.height, control.params);
        self.rare = control.rare || control.rare_else;
        let (otherwise, params) = control.otherwise.take().ok_or_else(|| internal("an else without its if"))?;
        self.switch_to_otherwise(otherwise, height, params, types.as_slice());
        self.storage.ways_met();
        Ok(())
    }

    /// Goes behind the end of the innermost block, from before its `else` or a clause.
    pub(super) fn fall_to_end(&mut self) -> Result<()> {
        self.store_locals();
        let follow = self.follow(0)?;
        let results = self.walk.innermost()?.known.results.as_slice().len();
        self.jump_with(follow, results)
    }

    /// Jumps to a block with the topmost `count` operands.
    fn jump_with(&mut self, block: Block, count: usize) -> Result<()> {
        let (storage, mut here) = self.storage();
        let arguments = storage.arguments(&mut here, count)?;
        self.builder.ins().jump(block, &arguments);
        Ok(())
    }

    /// The innermost block has ended, and control falls out of it or not.
    pub(super) fn close(&mut self, control: Control<'a>, fallen: bool) -> Result<()> {
        let Control { params, results, header, otherwise, height, opened, mut follow, rare, clauses, .. } = control;
        self.rare = rare;
        self.end_handling(self.walk.depth());
        let function = self.walk.depth() == 0;
        let results = results.as_slice();
        let alone = otherwise.is_none() && clauses.is_empty() && follow.is_none();
        if fallen && !function && alone && results.len() > FEW_RESULTS {
            // No other way leads behind it.
            if let Some(header) = header {
                self.seal_loop(header)?;
            }
            return Ok(());
        }
        if otherwise.is_some() {
            follow = follow.or_else(|| Some(self.block_with(results, rare)));
        }
        if fallen {
            if !function {
                self.store_locals();
            } else {
                self.leave_to_guest();
            }
            let follow = *follow.get_or_insert_with(|| self.block_with(results, rare));
            self.jump_with(follow, results.len())?;
        }
        if !clauses.is_empty() {
            self.land(&clauses, height)?;
        }
        if let Some(header) = header {
            self.seal_loop(header)?;
        }
        let Some(follow) = follow else {
            self.stack.truncate(height);
            return Ok(());
        };
        if let Some((otherwise, operands)) = otherwise {
            self.switch_to_otherwise(otherwise, height, operands, params.as_slice());
            self.side(opened, 0);
            self.jump_with(follow, params.as_slice().len())?;
        }
        self.builder.seal_block(follow);
        if !function {
            self.enter(follow, height, results);
            return Ok(());
        }
        self.switch_to(follow, 0, results);
        self.return_top(results.len())
    }
}
