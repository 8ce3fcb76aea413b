//! Exceptions. A call inside of a `try_table`, or a `try`, is one that has, for each clause that may catch what comes
//! out of it, a *landing*: a block where the function goes on then, with the exception in hand. The code generator says
//! where the landings of a call are, which becomes the image's table of handlers; on the way that calls usually take
//! there is nothing of it. Who throws looks in that table (`runtime/control/exceptions.rs`).
//!
//! A landing takes what the exception carries out of it, and goes where its clause says; of a `try`, that is what
//! stands behind the clause. At a call the state is complete, so locals, and the operands that the clause leaves, are
//! where they were before it. A clause of a `try` whose exception is thrown again keeps it in a local until then
//! (`wasm::Tries`).

use super::Translator;
use super::call::Callee;
use crate::abi::{Builtin, TrapCode, VMContext, VMException, ValRaw};
use crate::base::{HeapType, RefType, Result, TagIndex, ValType, WasmOffset};
use crate::compile::env::{Mode, POINTER, abi_type, builtin_signature, trap_code};
use crate::compile::internal;
use crate::wasm::Handling;
use cranelift_codegen::cursor::{Cursor as _, FuncCursor};
use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, ExceptionTableData, ExceptionTableItem, ExceptionTag, InstBuilder, SigRef,
    StackSlotData, StackSlotKind, Value, types,
};
use wasmparser::{Catch, Operator};

const VALUE_BYTES: u32 = size_of::<ValRaw>() as u32;

/// A reference to an exception, as a clause gives it.
const CAUGHT: ValType = ValType::Ref(RefType { heap: HeapType::Exn, nullable: false });

/// A clause of an open `try_table` or `try`.
#[derive(Clone, Copy)]
pub(super) struct Clause {
    /// Whose exceptions it catches: all, if there is none.
    tag: Option<TagIndex>,
    /// The landing.
    landing: Block,
}

/// A clause of a `try_table`.
#[derive(Clone, Copy)]
pub(super) struct Way {
    clause: Clause,
    /// Whether it hands on the exception itself.
    by_ref: bool,
    /// Where it goes, seen from outside of the `try_table`.
    label: u32,
}

/// What an open block does with exceptions that come out of it, where it does anything.
pub(super) struct Handler {
    /// How many blocks are open around it.
    around: usize,
    what: What,
}

enum What {
    Catches(Vec<Clause>),
    /// They are those of a block that so many are open around.
    Delegates(usize),
}

impl Translator<'_, '_> {
    /// A `try_table` is opened with these clauses.
    pub(super) fn open_clauses(&mut self, catches: &[Catch]) -> Vec<Way> {
        let way = |catch: &Catch| {
            let (tag, by_ref, label) = match *catch {
                Catch::One { tag, label } => (Some(tag), false, label),
                Catch::OneRef { tag, label } => (Some(tag), true, label),
                Catch::All { label } => (None, false, label),
                Catch::AllRef { label } => (None, true, label),
            };
            let clause = Clause { tag: tag.map(TagIndex::new), landing: self.new_landing() };
            Way { clause, by_ref, label }
        };
        let ways: Vec<Way> = catches.iter().map(way).collect();
        self.handle(What::Catches(ways.iter().map(|way| way.clause).collect()));
        ways
    }

    /// The `try` at hand is opened. Its landings, the first one last.
    pub(super) fn open_try(&mut self) -> Vec<Block> {
        let around = self.walk.depth() - 1;
        let (what, landings) = match self.tries.handling(WasmOffset::new(self.at)) {
            None => return Vec::new(),
            Some(Handling::Clauses(tags)) if tags.is_empty() => return Vec::new(),
            Some(Handling::Clauses(tags)) => {
                let tags = tags.clone();
                let clause = |tag| Clause { tag, landing: self.new_landing() };
                let clauses: Vec<Clause> = tags.into_iter().map(clause).collect();
                let landings = clauses.iter().rev().map(|clause| clause.landing).collect();
                (What::Catches(clauses), landings)
            }
            // Seen from outside: the block around it is the one at depth 0.
            Some(Handling::Delegates(depth)) => {
                (What::Delegates(around.saturating_sub(1 + *depth as usize)), Vec::new())
            }
        };
        self.handle(what);
        landings
    }

    fn new_landing(&mut self) -> Block {
        let landing = self.builder.create_block();
        self.builder.append_block_param(landing, POINTER);
        self.builder.set_cold_block(landing);
        landing
    }

    /// The innermost block does this with exceptions.
    fn handle(&mut self, what: What) {
        self.handlers.push(Handler { around: self.walk.depth() - 1, what });
    }

    /// What a block does with exceptions is over, around which so many are open.
    pub(super) fn end_handling(&mut self, around: usize) {
        self.handlers.pop_if(|handler| handler.around == around);
    }

    /// Goes on where an exception lands, on top of the lowest `height` operands: with what it carries, if it has this
    /// tag. Gives the exception, as a value that is not kept.
    fn take_caught(&mut self, clause: Clause, height: usize) -> Value {
        self.builder.switch_to_block(clause.landing);
        self.stack.truncate(height);
        // Calls are points: whatever way led here, locals are in their slots.
        self.storage.ways_met();
        let exception = self.builder.block_params(clause.landing)[0];
        let values = clause.tag.map_or(&[][..], |tag| self.env.info.tag_values(tag));
        for (i, ty) in values.iter().enumerate() {
            let offset = VMException::VALUES + i as i32 * VALUE_BYTES as i32;
            let value = self.builder.ins().load(abi_type(*ty), self.flags.header, exception, offset);
            self.push(*ty, value);
        }
        exception
    }

    /// Has the runtime know that an exception which has been caught is referred to.
    fn keep_exception(&mut self, exception: Value) {
        let kept = self.builder.ins().iconst(types::I32, 1);
        self.builder.ins().store(self.flags.header, kept, exception, VMException::KEPT);
    }

    /// The `try` that is innermost goes on with its next clause, which is this instruction, and control falls into that
    /// or not. Here is where exceptions land.
    pub(super) fn switch_to_clause(&mut self, operator: &Operator<'_>, fallen: bool) -> Result<()> {
        if fallen {
            self.fall_to_end()?;
        }
        self.end_handling(self.walk.depth() - 1);
        // Rerun is not told what is ahead, and needs no more than a place where what stands here begins.
        let landing = self.walk.innermost()?.known.landings.pop();
        let landing = landing.unwrap_or_else(|| self.new_landing());
        self.builder.seal_block(landing);
        self.rare = true;
        let tag = match operator {
            Operator::Catch { tag_index } => Some(TagIndex::new(*tag_index)),
            _ => None,
        };
        let height = self.walk.innermost()?.known.height;
        let exception = self.take_caught(Clause { tag, landing }, height);
        let first_kept = self.locals.len() - self.tries.kept() as usize;
        let kept = self.tries.kept_at(WasmOffset::new(self.at)).map(|kept| first_kept as u32 + kept);
        self.walk.innermost()?.known.kept = kept;
        if let Some(local) = kept {
            self.keep_exception(exception);
            self.set_local(local, exception)?;
        }
        self.storage.end_region();
        Ok(())
    }

    /// Throws again what the clause at this depth has caught; ends the block.
    pub(super) fn rethrow(&mut self, depth: u32) -> Result<()> {
        let kept = self.walk.target(depth)?.known.kept;
        let local = kept.ok_or_else(|| internal("an exception that is not kept"))?;
        let ty = self.local(local)?;
        let (storage, mut here) = self.storage();
        let exception = storage.local(&mut here, local, ty);
        self.throw_by(Builtin::ThrowRef, &[exception]);
        Ok(())
    }

    /// The `try_table` with these clauses has ended, with what is on top of the lowest `height` operands; the current
    /// block is full. Here is where its exceptions land.
    pub(super) fn land(&mut self, ways: &[Way], height: usize) -> Result<()> {
        for Way { clause, by_ref, label } in ways {
            self.builder.seal_block(clause.landing);
            if self.env.mode == Mode::Rerun {
                // Only the guest comes from a call. But the instructions behind the label can be run again.
                if !self.walk.leaves(*label) {
                    self.target(*label)?;
                }
                continue;
            }
            let exception = self.take_caught(*clause, height);
            if *by_ref {
                self.keep_exception(exception);
                self.push(CAUGHT, exception);
            }
            let (target, arguments) = self.branch(*label)?;
            self.builder.ins().jump(target, &arguments);
            self.write_edges();
        }
        self.stack.truncate(height);
        Ok(())
    }

    /// What may catch the exceptions of a call here, the first that does before others. Rerun calls nothing.
    fn clauses(&self) -> Vec<Clause> {
        let mut found: Vec<Clause> = Vec::new();
        // Those of blocks further in are left out.
        let mut within = usize::MAX;
        for handler in self.handlers.iter().rev().filter(|_| self.env.mode != Mode::Rerun) {
            if handler.around > within {
                continue;
            }
            match &handler.what {
                What::Delegates(around) => within = *around,
                What::Catches(clauses) => {
                    for clause in clauses {
                        if found.iter().all(|before| before.tag != clause.tag) {
                            found.push(*clause);
                        }
                        if clause.tag.is_none() {
                            return found;
                        }
                    }
                }
            }
        }
        found
    }

    /// Calls what may throw; its results.
    pub(super) fn call_throwing(&mut self, callee: Callee, signature: SigRef, arguments: &[Value]) -> Vec<Value> {
        let clauses = self.clauses();
        if clauses.is_empty() {
            let call = match callee {
                Callee::Direct(function) => self.builder.ins().call(function, arguments),
                Callee::Pointer(code) => self.builder.ins().call_indirect(signature, code, arguments),
            };
            return self.builder.inst_results(call).to_vec();
        }
        self.keep_vmctx();
        self.arguments += clauses.len();
        let next = self.new_block();
        let results: Vec<_> =
            self.builder.func.dfg.signatures[signature].returns.iter().map(|of| of.value_type).collect();
        for ty in &results {
            self.builder.append_block_param(next, *ty);
        }
        let lists = &mut self.builder.func.dfg.value_lists;
        let returned: Vec<BlockArg> = (0..results.len() as u32).map(BlockArg::TryCallRet).collect();
        let normal = BlockCall::new(next, returned, lists);
        let items: Vec<ExceptionTableItem> = clauses
            .iter()
            .map(|clause| {
                let target = BlockCall::new(clause.landing, [BlockArg::TryCallExn(0)], lists);
                match clause.tag {
                    Some(tag) => ExceptionTableItem::Tag(ExceptionTag::from_u32(tag.get()), target),
                    None => ExceptionTableItem::Default(target),
                }
            })
            .collect();
        let table = self.builder.func.dfg.exception_tables.push(ExceptionTableData::new(signature, normal, items));
        match callee {
            Callee::Direct(function) => self.builder.ins().try_call(function, arguments, table),
            Callee::Pointer(code) => self.builder.ins().try_call_indirect(code, arguments, table),
        };
        for clause in &clauses {
            self.joins.branch(clause.landing);
        }
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        self.builder.block_params(next).to_vec()
    }

    /// Has the frame keep the vmctx, by which tags are known, from the function's start on. Debug code does anyway.
    fn keep_vmctx(&mut self) {
        if self.env.mode != Mode::Production || self.vmctx_slot.is_some() {
            return;
        }
        let slot = self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3));
        self.vmctx_slot = Some(slot);
        if self.builder.current_block() == Some(self.entry) {
            let at = self.builder.ins().stack_addr(POINTER, slot, 0);
            self.builder.ins().store(self.flags.slot, self.vmctx, at, 0);
            return;
        }
        let mut cursor = FuncCursor::new(self.builder.func).at_first_insertion_point(self.entry);
        let at = cursor.ins().stack_addr(POINTER, slot, 0);
        cursor.ins().store(self.flags.slot, self.vmctx, at, 0);
    }

    /// Throws a new exception of this tag; ends the block.
    pub(super) fn throw(&mut self, tag: TagIndex) -> Result<()> {
        let count = self.env.info.tag_values(tag).len();
        let values = self.pop_many(count)?;
        self.arguments += count;
        let slot = match self.thrown_slot {
            Some(slot) => slot,
            None => {
                let shift = align_of::<ValRaw>().trailing_zeros() as u8;
                let data = StackSlotData::new(StackSlotKind::ExplicitSlot, 0, shift);
                *self.thrown_slot.insert(self.builder.create_sized_stack_slot(data))
            }
        };
        let size = &mut self.builder.func.sized_stack_slots[slot].size;
        *size = (*size).max(count as u32 * VALUE_BYTES);
        let at = self.builder.ins().stack_addr(POINTER, slot, 0);
        for (i, value) in values.into_iter().enumerate() {
            self.builder.ins().store(self.flags.header, value, at, i as i32 * VALUE_BYTES as i32);
        }
        let tag = self.index_value(tag.get());
        self.throw_by(Builtin::Throw, &[tag, at]);
        Ok(())
    }

    /// Throws the exception on top of the stack again; ends the block.
    pub(super) fn throw_ref(&mut self) -> Result<()> {
        let exception = self.pop()?;
        self.throw_by(Builtin::ThrowRef, &[exception]);
        Ok(())
    }

    fn throw_by(&mut self, builtin: Builtin, arguments: &[Value]) {
        let signature = self.builder.import_signature(builtin_signature(builtin));
        let builtins = self.load_constant(VMContext::BUILTINS);
        let function = self.builder.ins().load(POINTER, self.flags.constant, builtins, builtin as i32 * 8);
        let all: Vec<Value> = [self.vmctx].into_iter().chain(arguments.iter().copied()).collect();
        self.call_throwing(Callee::Pointer(function), signature, &all);
        // It never returns.
        self.builder.ins().trap(trap_code(TrapCode::Unreachable));
    }
}
