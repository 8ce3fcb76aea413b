//! From one function body to Cranelift's IR. The body is valid; it is walked once, with a stack of typed operands and a
//! stack of open blocks, and code that cannot be reached is skipped. Nothing here recurses: bodies may nest deeply.
//!
//! All kinds of code come from the same translation:
//!
//! * `numeric`, `vector`, `relaxed`, `memory`, `atomic`, `table`, `heap` and `call` translate the instructions that
//!   compute,
//!   `control` those that say where to go on; they take operands and give results, and do not know which kind of code
//!   they make;
//! * `storage` knows where locals and operands live, and so makes the difference between the kinds;
//! * `trap` has the ends of code: traps, returns, and what rerun leaves to the guest; `limits` takes fuel and looks at
//!   the clock;
//! * `exceptions` has what throws and where exceptions land;
//! * `run` translates a run of a function's instructions alone, for rerun; `scan` looks ahead for loops.

mod atomic;
mod call;
mod control;
mod exceptions;
mod heap;
mod joins;
mod limits;
mod memory;
mod numeric;
mod relaxed;
pub(super) mod run;
mod scan;
mod storage;
mod table;
mod trap;
mod vector;
mod ways_in;

use super::DebugTier;
use super::debug::{FrameWriter, NAMESPACE_BODY, OperandPlace};
use super::env::{Env, Mode, POINTER, abi_type, trap_code};
use super::flags::Flags;
use super::internal;
use super::regions::RegionClasses;
use super::safepoints::References;
use crate::abi::{Builtin, TrapCode, VMContext, VMStoreContext};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Family, FuncIndex, GlobalIndex, Result, WasmOffset};
use crate::wasm::{BranchHint, Flow, Instruction, Instructions, Step, Surroundings, Tries, ValType, Walk};
use control::Control;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, Block, ExtFuncData, ExternalName, FuncRef, GlobalValueData, InstBuilder, SigRef, Signature, SourceLoc,
    StackSlot, UserExternalName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use exceptions::Handler;
use limits::Limits;
use std::collections::HashMap;
use storage::buffer::{self, return_raw};
use storage::frame;
use storage::slots::Slots;
use storage::values::Variables;
use storage::{Here, Operand, Record, Storage};
use wasmparser::{FunctionBody, Operator};
use ways_in::WaysIn;

/// How stack overflow is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StackCheck {
    /// By Cranelift's prologue, which traps by a signal.
    Prologue,
    /// By a comparison after the prologue has made the frame, which calls the runtime.
    Explicit,
    /// Not at all: whoever calls has checked for the whole frame.
    Caller,
}

/// The values that a function may have in Cranelift's IR, arguments of calls and branches counted too, however small
/// its body is; and for each byte of that so many more. Cranelift itself refuses more than two million that need a
/// register; this keeps a small body (loops around locals that all of them change) from taking all memory before it is
/// asked.
const MAX_VALUES: usize = 1 << 18;
const VALUES_PER_BYTE: usize = 16;
/// How far apart the uses of all locals may be together, counted in blocks, for each byte of a body, and the least
/// bytes that count. The table of where each local was set has a place for every block in between.
const SPREAD_PER_BYTE: u64 = 300;
/// How many operands there may be at all blocks and branches together, likewise: registers are allocated for each at
/// each.
const CARRIED_PER_BYTE: u64 = 250;
const LEAST_BYTES: u64 = 100_000;
/// How much may be gone through to find out which locals differ where ways come together, likewise: a second's work in
/// 100,000 bytes.
const JOINING_PER_BYTE: u64 = 10_000;

/// A function being translated.
pub(super) struct Translator<'a, 'b> {
    env: &'a Env<'a>,
    builder: FunctionBuilder<'b>,
    flags: Flags,
    vmctx: Value,
    /// The first block.
    entry: Block,
    /// The function's parameters, both vmctx first.
    params: Vec<Value>,
    /// The offset of the instruction being translated.
    at: u32,
    stack: Vec<Operand>,
    /// Where control goes, and the open blocks.
    walk: Walk<Control<'a>>,
    /// How many results the function has.
    results: usize,
    /// Whether a branch leads back to each `loop` that is still to come.
    loops: std::vec::IntoIter<bool>,
    /// Arguments of calls and branches so far.
    arguments: usize,
    /// The most values that there may be.
    max_values: usize,
    locals: Vec<ValType>,
    /// How far apart the uses of all of them may be together.
    max_spread: u64,
    /// How many blocks of the code generator there were before the instruction at hand.
    blocks: usize,
    /// The operands at all of them, and the most that they may be.
    carried: u64,
    max_carried: u64,
    /// The locals where ways come together, and the most that may be gone through for them.
    joins: joins::Joins,
    max_joining: u64,
    signatures: HashMap<u32, SigRef>,
    functions: HashMap<FuncIndex, FuncRef>,
    builtins: [Option<SigRef>; Builtin::ALL.len()],
    /// That of what leaves every register as it was.
    preserving: Option<SigRef>,
    /// What the open blocks do with exceptions, the innermost last.
    handlers: Vec<Handler>,
    /// What the `try`s do, whether or not they have been come to. Rerun does not ask.
    tries: Tries,
    /// Where the frame keeps what is thrown, and the vmctx, if it does for that.
    thrown_slot: Option<StackSlot>,
    vmctx_slot: Option<StackSlot>,
    /// Which way branches mostly go, those before the instruction at hand left out.
    hints: &'a [BranchHint],
    /// Whether the instruction at hand is mostly not come to: its code is out of the way.
    rare: bool,
    /// What the collector has to see; not in rerun, during which nothing is collected.
    references: Option<References>,
    /// What is checked and counted as the guest runs.
    limits: Limits,
    /// Split code that is entered: the ways in.
    ways_in: Option<WaysIn>,
    /// Where locals and operands live.
    storage: Box<dyn Storage + 'a>,
}

/// Translates the body of `func` into `into`, which has its signature already. Gives what debug code records.
pub(super) fn translate(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    into: &mut ir::Function,
    context: &mut FunctionBuilderContext,
    stack_check: StackCheck,
) -> Result<Record> {
    let body = env.info.body(func, env.binary)?;
    let start = body.range().start as u32;
    let translator = Translator::new(env, start, into, context);
    translator.body(func, &body, stack_check).map_err(|error| match error.offset() {
        Some(_) => error,
        None => error.at(WasmOffset::new(start)),
    })
}

/// Translates an entry for `func` into `into`: it checks the stack for a body with a frame of `frame_size` bytes and
/// goes on there.
pub(super) fn translate_entry(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    into: &mut ir::Function,
    context: &mut FunctionBuilderContext,
    frame_size: u32,
) -> Result<()> {
    let start = env.info.bodies[func.index()].bytes.start as u32;
    let mut translator = Translator::new(env, start, into, context);
    translator.locate(start);
    let entry = translator.builder.current_block().ok_or_else(|| internal("an entry without block"))?;
    let params = translator.builder.block_params(entry).to_vec();
    translator.explicit_stack_check(frame_size);
    let builder = &mut translator.builder;
    let name = UserExternalName { namespace: NAMESPACE_BODY, index: func.get() };
    let name = builder.func.declare_imported_user_function(name);
    let signature = builder.func.signature.clone();
    let signature = builder.import_signature(signature);
    let body = builder.import_function(ExtFuncData {
        name: ExternalName::user(name),
        signature,
        colocated: true,
        patchable: false,
    });
    builder.ins().return_call(body, &params);
    translator.builder.finalize(env.isa.frontend_config());
    Ok(())
}

impl<'a, 'b> Translator<'a, 'b> {
    /// Begins a function whose instructions start at `start`.
    fn new(
        env: &'a Env<'a>,
        start: u32,
        into: &'b mut ir::Function,
        context: &'b mut FunctionBuilderContext,
    ) -> Translator<'a, 'b> {
        let mut builder = FunctionBuilder::new(into, context);
        let flags = Flags::new(builder.func);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let params = builder.block_params(entry).to_vec();
        Translator {
            env,
            builder,
            flags,
            vmctx: params[0],
            entry,
            params,
            at: start,
            stack: Vec::new(),
            walk: Walk::inside(0),
            results: 0,
            loops: Vec::new().into_iter(),
            arguments: 0,
            max_values: MAX_VALUES,
            locals: Vec::new(),
            max_spread: SPREAD_PER_BYTE * LEAST_BYTES,
            blocks: 0,
            carried: 0,
            max_carried: CARRIED_PER_BYTE * LEAST_BYTES,
            joins: joins::Joins::default(),
            max_joining: JOINING_PER_BYTE * LEAST_BYTES,
            signatures: HashMap::new(),
            functions: HashMap::new(),
            builtins: [None; Builtin::ALL.len()],
            preserving: None,
            handlers: Vec::new(),
            tries: Tries::default(),
            thrown_slot: None,
            vmctx_slot: None,
            hints: &[],
            rare: false,
            references: None,
            limits: Limits::default(),
            ways_in: None,
            storage: Box::new(Variables::default()),
        }
    }

    fn body(mut self, func: DefinedFuncIndex, body: &FunctionBody<'_>, stack_check: StackCheck) -> Result<Record> {
        self.locate(self.at);
        match stack_check {
            StackCheck::Prologue => self.prologue_stack_check(),
            StackCheck::Explicit => self.explicit_stack_check(0),
            StackCheck::Caller => {}
        }
        self.begin_locals(func, body)?;
        if self.env.mode != Mode::Production {
            let blocks = self.env.options.debug_tier == DebugTier::Blocks;
            self.walk.set_surroundings(Surroundings::of(&self.env.info.memories, body, blocks)?);
        }
        if self.env.mode != Mode::Rerun {
            self.tries = self.env.info.tries(body)?;
        }
        self.open_function(self.env.info.func_type(self.env.info.func_index(func)));
        let range = body.range();
        self.max_values += VALUES_PER_BYTE * (range.end - range.start) as usize;
        let bytes = LEAST_BYTES.max(range.end - range.start);
        (self.max_spread, self.max_carried) = (SPREAD_PER_BYTE * bytes, CARRIED_PER_BYTE * bytes);
        self.max_joining = JOINING_PER_BYTE * bytes;
        for instruction in Instructions::of(body)? {
            self.instruction(&instruction?)?;
        }
        if self.walk.depth() > 0 {
            return Err(internal("a body ends inside a block"));
        }
        self.finish_joins()?;
        self.finish()
    }

    /// Ends the function.
    fn finish(mut self) -> Result<Record> {
        let ways_in = self.close_ways_in();
        let mut here = Here { builder: &mut self.builder, stack: &mut self.stack, at: self.at };
        let mut record = self.storage.finish(&mut here)?;
        record.ways_in = ways_in;
        record.vmctx = self.vmctx_slot;
        record.references = self.references;
        self.builder.finalize(self.env.isa.frontend_config());
        Ok(record)
    }

    /// Refuses a function that has become too large.
    fn check_size(&mut self) -> Result<()> {
        self.joins.grown(self.builder.func);
        self.check_joins()?;
        if self.builder.func.dfg.num_values() + self.arguments > self.max_values {
            return Err(Error::new(
                ErrorKind::Limit,
                "the function is too large to compile: it has too many values; split it",
            ));
        }
        if self.carried > self.max_carried {
            return Err(Error::new(
                ErrorKind::Limit,
                "the function is too large to compile: it has too many operands at too many blocks and branches; \
                 split it",
            ));
        }
        if self.storage.spread() > self.max_spread {
            return Err(Error::new(
                ErrorKind::Limit,
                "the function is too large to compile: it uses too many locals over too many blocks; split it",
            ));
        }
        Ok(())
    }

    /// What is emitted from here on belongs to the instruction at `at`.
    fn locate(&mut self, at: u32) {
        self.at = at;
        self.builder.set_srcloc(SourceLoc::new(at));
    }

    /// A new block, which is out of the way if what it is for is.
    fn new_block(&mut self) -> ir::Block {
        self.new_block_that_is(self.rare)
    }

    fn new_block_that_is(&mut self, rare: bool) -> ir::Block {
        let block = self.builder.create_block();
        if rare {
            self.builder.set_cold_block(block);
        }
        block
    }

    /// Whether the branch at hand is mostly taken, if that is known.
    fn hint(&mut self) -> Option<bool> {
        while let [BranchHint { at, taken }, rest @ ..] = self.hints {
            if at.get() > self.at {
                break;
            }
            self.hints = rest;
            if at.get() == self.at {
                return Some(*taken);
            }
        }
        None
    }

    /// Has the prologue compare the stack pointer with the store's limit.
    fn prologue_stack_check(&mut self) {
        let flags = self.builder.func.dfg.mem_flags.insert_unchecked(self.flags.header);
        let mut value = |data| self.builder.create_global_value(data);
        let vmctx = value(GlobalValueData::VMContext);
        let load =
            |base, offset: i32| GlobalValueData::Load { base, offset: offset.into(), global_type: POINTER, flags };
        let store = value(load(vmctx, VMContext::STORE));
        let limit = value(load(store, VMStoreContext::STACK_LIMIT));
        self.builder.func.stack_limit = Some(limit);
    }

    /// Compares the stack pointer with the store's limit here, after the prologue: this frame has been made, and may
    /// have been written to as far down as parameters are spilled. So it must fit the reserve that the runtime keeps
    /// below the limit. `needed` bytes more are to be free.
    fn explicit_stack_check(&mut self, needed: u32) {
        let store = self.load_constant(VMContext::STORE);
        let limit = self.builder.ins().load(POINTER, self.flags.header, store, VMStoreContext::STACK_LIMIT);
        let needed = self.builder.ins().iconst(POINTER, i64::from(needed));
        let lowest = self.builder.ins().iadd(limit, needed);
        let pointer = self.builder.ins().get_stack_pointer(POINTER);
        let overflow = self.builder.ins().icmp(IntCC::UnsignedLessThan, pointer, lowest);
        self.trap_if(overflow, TrapCode::StackOverflow);
    }

    /// Gives every local its place and first value. This is where it is decided where locals and operands live.
    fn begin_locals(&mut self, func: DefinedFuncIndex, body: &FunctionBody<'_>) -> Result<()> {
        self.locals = self.env.info.frame_locals(func, self.env.binary);
        let entered = match self.env.mode {
            Mode::Split { entered: true } => Some(self.read_ways_in()),
            _ => None,
        };
        // Behind the two vmctx parameters.
        let params = entered.as_ref().map_or(&self.params[2..], |(locals, _)| locals);
        let (builder, locals, flags, vmctx) = (&mut self.builder, &*self.locals, self.flags, self.vmctx);
        if self.env.mode == Mode::Rerun {
            let begin = (0, RegionClasses::new());
            self.storage = Box::new(buffer::begin(builder, flags, locals, &self.params, begin)?);
            return Ok(());
        }
        let mut references = References::new(flags.slot);
        // Resume code has its locals in the frame.
        if self.env.mode != Mode::Resume {
            let params = params.iter().zip(locals);
            params.filter(|(_, ty)| is_collected(**ty)).for_each(|(param, _)| references.note(*param));
        }
        self.references = Some(references);
        let slots = (self.env.mode != Mode::Production).then(|| FrameWriter::new(builder, locals, vmctx, flags.slot));
        self.storage = match slots {
            Some(slots) if self.env.mode == Mode::Resume => Box::new(frame::begin(builder, flags, vmctx, slots)),
            slots => {
                self.loops = scan::repeated_loops(body)?.into_iter();
                self.hints = self.env.info.hints_of(func);
                let variables = Variables::new(builder, locals, params)?;
                let stops = (self.env.mode == Mode::Simple, self.env.splits);
                match slots {
                    None => Box::new(variables),
                    Some(slots) => Box::new(Slots::new(builder, variables, slots, params, locals.len(), stops)),
                }
            }
        };
        if let Some((_, way)) = entered {
            self.open_ways_in(way);
        }
        Ok(())
    }

    // Operands.

    /// Where locals and operands live, and what that works on.
    fn storage(&mut self) -> (&mut dyn Storage, Here<'_, 'b>) {
        (&mut *self.storage, Here { builder: &mut self.builder, stack: &mut self.stack, at: self.at })
    }

    /// Pushes a new value.
    fn push(&mut self, ty: ValType, value: Value) {
        self.push_known(ty, value, None);
    }

    /// Pushes a constant of these bits, or what these 32 bits are when their sign is extended.
    fn push_constant(&mut self, ty: ValType, value: Value, bits: i32) {
        self.push_known(ty, value, Some(OperandPlace::Constant(bits)));
    }

    fn push_known(&mut self, ty: ValType, value: Value, place: Option<OperandPlace>) {
        self.note_reference(ty, value);
        let (storage, mut here) = self.storage();
        storage.push(&mut here, ty, value, place);
    }

    /// Has the collector see a value, if it is one of those that it has to.
    fn note_reference(&mut self, ty: ValType, value: Value) {
        if let Some(references) = &mut self.references
            && is_collected(ty)
        {
            references.note(value);
        }
    }

    /// See [`Storage::complete`].
    fn complete(&mut self) {
        let (storage, mut here) = self.storage();
        storage.complete(&mut here);
    }

    /// See [`Storage::store_locals`].
    fn store_locals(&mut self) {
        let (storage, mut here) = self.storage();
        storage.store_locals(&mut here);
    }

    fn pop_operand(&mut self) -> Result<Operand> {
        let mut operand = self.stack.pop().ok_or_else(|| internal("the operand stack is empty"))?;
        operand.value = self.value_of(&operand);
        Ok(operand)
    }

    /// The value of an operand that is, or was, on the stack.
    fn value_of(&mut self, operand: &Operand) -> Value {
        let (storage, mut here) = self.storage();
        let value = storage.value_of(&mut here, operand);
        self.note_reference(operand.ty, value);
        value
    }

    fn pop(&mut self) -> Result<Value> {
        Ok(self.pop_operand()?.value)
    }

    /// The values of the topmost `count` operands, bottom first.
    fn top_values(&mut self, count: usize) -> Result<Vec<Value>> {
        let start = self.stack.len().checked_sub(count).ok_or_else(|| internal("too few operands"))?;
        Ok((start..start + count)
            .map(|depth| {
                let operand = self.stack[depth];
                self.value_of(&operand)
            })
            .collect())
    }

    /// Pops `count` operands, bottom first.
    fn pop_many(&mut self, count: usize) -> Result<Vec<Value>> {
        let values = self.top_values(count)?;
        self.stack.truncate(self.stack.len() - count);
        Ok(values)
    }

    // Loads.

    /// A pointer of the `VMContext` that never changes.
    fn load_constant(&mut self, offset: i32) -> Value {
        self.builder.ins().load(POINTER, self.flags.constant, self.vmctx, offset)
    }

    /// The address `offset` bytes into the `VMContext`, or, when `imported`, the address that stands there: as
    /// a base and an offset from it.
    fn entity(&mut self, (offset, imported): (u32, bool)) -> (Value, i32) {
        if imported { (self.load_constant(offset as i32), 0) } else { (self.vmctx, offset as i32) }
    }

    // Instructions.

    fn instruction(&mut self, instruction: &Instruction<'_>) -> Result<()> {
        self.locate(instruction.at.get());
        let done = match self.walk.reached() {
            true => self.reached(instruction),
            false => self.unreached(instruction),
        };
        done.and_then(|()| self.check_size()).map_err(|error| error.at(instruction.at))
    }

    /// An instruction that nothing leads to, unless ways come in with it.
    fn unreached(&mut self, instruction: &Instruction<'_>) -> Result<()> {
        self.step(instruction)?;
        if instruction.row.flow == Flow::Loop {
            self.repeated();
        }
        self.limits_behind_unreachable();
        Ok(())
    }

    fn reached(&mut self, instruction: &Instruction<'_>) -> Result<()> {
        let row = self.walk.row(instruction);
        let (storage, mut here) = self.storage();
        if storage.begin(&mut here, row)? {
            self.leave_to_guest();
        }
        self.keep_limits(instruction.row);
        self.step(instruction)?;
        let blocks = self.builder.func.dfg.num_blocks();
        self.carried += ((blocks - self.blocks) * self.stack.len()) as u64;
        self.blocks = blocks;
        self.limits_behind(instruction.row);
        Ok(())
    }

    fn step(&mut self, instruction: &Instruction<'_>) -> Result<()> {
        let operator = &instruction.operator;
        match self.walk.step(instruction)? {
            Step::Unreached => Ok(()),
            Step::Next => self.compute(operator),
            Step::Open(ty) => self.open(ty, operator),
            Step::Else { fallen } => {
                if self.walk.innermost()?.caught {
                    self.storage.end_region();
                }
                self.switch_to_else(fallen)
            }
            Step::Catch { fallen } => self.switch_to_clause(operator, fallen),
            Step::End { block, fallen } => {
                self.close(block.known, fallen)?;
                // A block may be named by a `try_table` that nothing leads to: then nothing lands behind it.
                if block.caught && self.walk.reached() {
                    self.storage.end_region();
                }
                Ok(())
            }
            Step::Branch => self.branch_operator(operator),
            Step::Leave => self.leave(operator),
        }
    }

    /// Translates an instruction behind which control goes on to the next one.
    fn compute(&mut self, operator: &Operator<'_>) -> Result<()> {
        match *operator {
            Operator::Nop => {}
            Operator::Drop => {
                self.pop()?;
            }
            Operator::LocalGet { local_index } => {
                let ty = self.local(local_index)?;
                let (storage, mut here) = self.storage();
                let value = storage.local(&mut here, local_index, ty);
                self.push_known(ty, value, Some(OperandPlace::Local(local_index)));
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop()?;
                self.set_local(local_index, value)?;
            }
            Operator::LocalTee { local_index } => {
                let value = self.top_values(1)?[0];
                self.set_local(local_index, value)?;
                self.storage.top_is_local(&mut self.stack, local_index);
            }
            Operator::GlobalGet { global_index } => self.global_get(GlobalIndex::new(global_index)),
            Operator::GlobalSet { global_index } => self.global_set(GlobalIndex::new(global_index))?,
            Operator::Select | Operator::TypedSelect { .. } => {
                let condition = self.pop()?;
                let otherwise = self.pop()?;
                let Operand { value, ty, .. } = self.pop_operand()?;
                let selected = self.builder.ins().select(condition, value, otherwise);
                self.push(ty, selected);
            }
            _ => {
                if !(self.numeric_operator(operator)?
                    || self.memory_operator(operator)?
                    || self.table_operator(operator)?
                    || self.call_operator(operator)?
                    || self.heap_operator(operator)?
                    || self.vector_operator(operator)?
                    || self.atomic_operator(operator)?)
                {
                    return Err(internal(format!("no translation of {operator:?}")));
                }
            }
        }
        Ok(())
    }

    fn local(&self, index: u32) -> Result<ValType> {
        self.locals.get(index as usize).copied().ok_or_else(|| internal("no such local"))
    }

    fn set_local(&mut self, index: u32, value: Value) -> Result<()> {
        let ty = self.local(index)?;
        let (storage, mut here) = self.storage();
        storage.set_local(&mut here, index, ty, value);
        Ok(())
    }

    fn global_get(&mut self, index: GlobalIndex) {
        let ty = self.env.info.global(index);
        let (base, offset) = self.entity(self.env.layout.global(index));
        let flags = if ty.mutable { self.flags.global } else { self.flags.global.with_readonly() };
        let value = self.builder.ins().load(abi_type(ty.content), flags, base, offset);
        self.push(ty.content, value);
    }

    fn global_set(&mut self, index: GlobalIndex) -> Result<()> {
        let value = self.pop()?;
        let (base, offset) = self.entity(self.env.layout.global(index));
        self.builder.ins().store(self.flags.global, value, base, offset);
        Ok(())
    }

    /// Calls a builtin; its arguments stand behind the vmctx.
    fn call_builtin(&mut self, builtin: Builtin, arguments: &[Value]) -> Option<Value> {
        let signature = match self.builtins[builtin as usize] {
            Some(signature) => signature,
            None => {
                let signature = self.builder.import_signature(super::env::builtin_signature(builtin));
                self.builtins[builtin as usize] = Some(signature);
                signature
            }
        };
        let builtins = self.load_constant(VMContext::BUILTINS);
        let function = self.builder.ins().load(POINTER, self.flags.constant, builtins, builtin as i32 * 8);
        let mut all = Vec::with_capacity(arguments.len() + 1);
        all.push(self.vmctx);
        all.extend_from_slice(arguments);
        let call = self.builder.ins().call_indirect(signature, function, &all);
        if let Some(references) = &mut self.references
            && !builtin.may_collect()
        {
            references.note_quiet(call);
        }
        self.builder.inst_results(call).first().copied()
    }

    /// Calls what stands at an offset of the store's context, which takes nothing and leaves every register as it was.
    /// So no value has to be in the frame for it; the other way, which mostly is gone, is as it would be without.
    fn call_preserving(&mut self, store: Value, offset: i32) {
        let function = self.builder.ins().load(POINTER, self.flags.header, store, offset);
        let signature = match self.preserving {
            Some(signature) => signature,
            None => self.builder.import_signature(Signature::new(CallConv::PreserveAll)),
        };
        self.preserving = Some(signature);
        self.builder.ins().call_indirect(signature, function, &[]);
    }

    fn index_value(&mut self, index: u32) -> Value {
        self.builder.ins().iconst(types::I32, i64::from(index))
    }

    /// Pops an `i32` that is a length or an address, as 64 bits.
    fn pop_wide(&mut self) -> Result<Value> {
        let value = self.pop()?;
        Ok(self.builder.ins().uextend(types::I64, value))
    }
}

/// Whether a value of this type may refer to what is collected while guests run.
fn is_collected(ty: ValType) -> bool {
    matches!(ty, ValType::Ref(ty) if matches!(ty.heap.family(), Family::Any | Family::Extern))
}
