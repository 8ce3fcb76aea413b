//! From one function body to Cranelift's IR. The body is valid; it is walked once, with a stack of typed operands and a
//! stack of open blocks, and code that cannot be reached is skipped. Nothing here recurses: bodies may nest deeply.

mod call;
mod class;
mod control;
mod effect;
mod joins;
mod limits;
mod memory;
mod numeric;
mod run;
mod scan;
mod single;
mod table;
mod trap;

use super::debug::{FrameRecord, Held, Instrument, NO_SHAPE, UNSHAPED, kind};
use super::env::{Env, Mode, POINTER, abi_type, trap_code};
use super::function::NAMESPACE_BODY;
use super::internal;
use crate::abi::{Builtin, TrapCode, VMContext, VMStoreContext};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, FuncIndex, GlobalIndex, Result, WasmOffset};
use crate::image::{ReplayImage, ReplayInstruction, SlotKind};
use crate::wasm::{FuncType, ValType};
pub(super) use class::{Class, Classes};
use control::Control;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AliasRegionData, ExtFuncData, ExternalName, FuncRef, GlobalValueData, InstBuilder, MemFlagsData, SigRef,
    SourceLoc, UserExternalName, Value, types,
};
use cranelift_codegen::packed_option::ReservedValue;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
pub(super) use effect::effect;
pub(super) use limits::Due;
use limits::Limits;
pub(super) use run::translate_run;
use single::{Home, Single};
use std::collections::HashMap;
use wasmparser::{BinaryReader, FunctionBody, Operator};

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

/// The values that a function may have in Cranelift's IR, arguments of calls and branches counted too, however small its body is; and
/// for each byte of that so many more. Cranelift itself refuses more than two million that need a register; this keeps a
/// small body (loops around locals that all of them change) from taking all memory before it is asked.
const MAX_VALUES: usize = 1 << 18;
const VALUES_PER_BYTE: usize = 16;
/// The deepest operand stack of which operands are told from locals. All of them are looked at when a local changes, and
/// those above one that is stored get shapes anew, so this keeps translation linear and the shapes few.
const MAX_ALIASED: usize = 16;
/// Debug: how many operands, from the top, are kept at hand at a point, and how many more there may be before one is made. Those below are
/// taken from their slots when they are used: with more values alive than there are registers, to allocate these takes time for each pair.
const MAX_AT_HAND: usize = 16;
/// How far apart the uses of all locals may be together, counted in blocks, for each byte of a body, and the least bytes that count. The
/// table of where each local was set has a place for every block in between.
const SPREAD_PER_BYTE: u64 = 300;
/// How many operands there may be at all blocks and branches together, likewise: registers are allocated for each at each.
const CARRIED_PER_BYTE: u64 = 250;
const LEAST_BYTES: u64 = 100_000;
/// How much may be gone through to find out which locals differ where ways come together, likewise: a second's work in 100,000 bytes.
const JOINING_PER_BYTE: u64 = 10_000;

/// An operand.
#[derive(Clone, Copy)]
struct Operand {
    /// Reserved where it lives in memory alone.
    value: Value,
    ty: ValType,
    /// Debug: where it is, if it is anywhere but in a register.
    held: Option<Held>,
    /// Debug: the shape of the operand stack up to and including this one, if it has been at a point as it is now. Then those
    /// below have one too.
    shape: u32,
}

/// How memory of each kind is accessed. Kinds cannot overlap, so a store of one does not invalidate loads of another.
#[derive(Clone, Copy)]
struct Flags {
    /// Never changes while an instance lives: pointers in the `VMContext`.
    constant: MemFlagsData,
    /// Changes when something else runs: headers of memories and tables, the store's context.
    header: MemFlagsData,
    /// Linear memory that was checked or may fault, by its trap code.
    heap: MemFlagsData,
    /// Elements of tables.
    table: MemFlagsData,
    /// Globals.
    global: MemFlagsData,
    /// `VMFuncRef`s.
    func_ref: MemFlagsData,
    /// The frame's slots.
    slot: MemFlagsData,
    /// The store's fuel.
    fuel: MemFlagsData,
}

impl Flags {
    fn new(func: &mut ir::Function) -> Flags {
        let mut region = |user_id: u32, description: &'static str| {
            let data = AliasRegionData { user_id, description: description.into() };
            MemFlagsData::trusted().with_alias_region(Some(func.dfg.alias_regions.insert(data)))
        };
        Flags {
            constant: region(1, "constant").with_readonly().with_can_move(),
            header: region(2, "header"),
            heap: region(3, "heap"),
            table: region(4, "table"),
            global: region(5, "global"),
            func_ref: region(6, "func_ref"),
            slot: region(7, "slot"),
            fuel: region(8, "fuel"),
        }
    }
}

/// A function being translated.
pub(super) struct Translator<'a, 'b> {
    env: &'a Env<'a>,
    builder: FunctionBuilder<'b>,
    flags: Flags,
    vmctx: Value,
    /// The function's parameters, both vmctx first.
    params: Vec<Value>,
    /// The offset of the instruction being translated.
    at: u32,
    stack: Vec<Operand>,
    control: Vec<Control<'a>>,
    /// Replay of a run: the open blocks around those in `control`.
    outer: usize,
    /// Whether control can get here.
    reachable: bool,
    /// Blocks opened since code became unreachable.
    skipped: u32,
    /// Whether a branch leads back to each `loop` that is still to come.
    loops: std::vec::IntoIter<bool>,
    /// Arguments of calls and branches so far.
    arguments: usize,
    /// The most values that there may be.
    max_values: usize,
    locals: Vec<(Variable, ValType)>,
    /// The last block that each of them was used in, the sum of that, and the most that it may be.
    reach: Vec<u32>,
    spread: u64,
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
    /// Debug: the slots, unless they are the only home of the state.
    instrument: Option<Instrument>,
    /// What is checked and counted as the guest runs.
    limits: Limits,
    /// Debug: what the next instruction means to a region.
    classes: Classes,
    /// Regions: a stop point is due before the next instruction.
    stop_due: bool,
    /// Debug: how many operands, from the bottom, are in their slots.
    placed: usize,
    /// Debug: the state is complete before the next instruction.
    complete: bool,
    /// Replay and resume code.
    single: Option<Single>,
}

/// What a translated function has besides its code.
#[derive(Default)]
pub(super) struct Record {
    /// Debug: its frame.
    pub(super) frame: Option<FrameRecord>,
    /// Replay: its instructions, without code.
    pub(super) replay: Option<ReplayImage>,
}

/// Translates the body of `func` into `into`, which has its signature already. Gives what debug code records.
pub(super) fn translate(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    into: &mut ir::Function,
    context: &mut FunctionBuilderContext,
    stack_check: StackCheck,
) -> Result<Record> {
    let ty = env.info.func_type(env.info.func_index(func));
    let range = env.info.bodies[func.index()].bytes.clone();
    let start = range.start as u32;
    let bytes = env.binary.get(range).ok_or_else(|| internal("a body lies outside its binary"))?;
    let body = FunctionBody::new(BinaryReader::new(bytes, u64::from(start)));

    let translator = Translator::new(env, start, into, context);
    translator.body(ty, &body, stack_check).map_err(|error| match error.offset() {
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

/// A reader's refusal of a body that was validated before.
fn unreadable(error: wasmparser::Error) -> Error {
    internal(format!("a validated body cannot be read: {error}"))
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
            params,
            at: start,
            stack: Vec::new(),
            control: Vec::new(),
            outer: 0,
            reachable: true,
            skipped: 0,
            loops: Vec::new().into_iter(),
            arguments: 0,
            max_values: MAX_VALUES,
            locals: Vec::new(),
            reach: Vec::new(),
            spread: 0,
            max_spread: SPREAD_PER_BYTE * LEAST_BYTES,
            blocks: 0,
            carried: 0,
            max_carried: CARRIED_PER_BYTE * LEAST_BYTES,
            joins: joins::Joins::default(),
            max_joining: JOINING_PER_BYTE * LEAST_BYTES,
            signatures: HashMap::new(),
            functions: HashMap::new(),
            builtins: [None; Builtin::ALL.len()],
            instrument: None,
            limits: Limits::default(),
            classes: Classes::new(),
            stop_due: false,
            placed: 0,
            complete: false,
            single: None,
        }
    }

    fn body(mut self, ty: &'a FuncType, body: &FunctionBody<'_>, stack_check: StackCheck) -> Result<Record> {
        self.locate(self.at);
        match stack_check {
            StackCheck::Prologue => self.prologue_stack_check(),
            StackCheck::Explicit => self.explicit_stack_check(0),
            StackCheck::Caller => {}
        }
        self.declare_locals(ty, body)?;
        self.open_function(ty);
        let range = body.range();
        self.max_values += VALUES_PER_BYTE * (range.end - range.start) as usize;
        let bytes = LEAST_BYTES.max(range.end - range.start);
        (self.max_spread, self.max_carried) = (SPREAD_PER_BYTE * bytes, CARRIED_PER_BYTE * bytes);
        self.max_joining = JOINING_PER_BYTE * bytes;
        self.loops = scan::repeated_loops(body)?.into_iter();
        let mut reader = body.get_operators_reader().map_err(unreadable)?;
        while !reader.eof() {
            let (operator, at) = reader.read_with_offset().map_err(unreadable)?;
            self.locate(at as u32);
            let done = self.operator(&operator).and_then(|()| self.check_size());
            done.map_err(|error| error.at(WasmOffset::new(at as u32)))?;
        }
        if !self.control.is_empty() {
            return Err(internal("a body ends inside a block"));
        }
        self.finish_joins()?;
        let mut record = Record::default();
        let mut instrument = self.instrument.take();
        if let Some(single) = self.finish_single()? {
            match single.home {
                Home::Frame(frame) => instrument = Some(frame),
                Home::Buffer { .. } => record.replay = Some(self.replay_image(single)),
            }
        }
        record.frame = instrument.map(|instrument| instrument.finish(&mut self.builder));
        self.builder.finalize(self.env.isa.frontend_config());
        Ok(record)
    }

    /// What replay code is described by.
    fn replay_image(&self, single: Single) -> ReplayImage {
        let locals: Vec<SlotKind> = self.locals.iter().map(|local| kind(local.1)).collect();
        let deepest = single.deepest();
        let row = |(at, stack): &(u32, u32)| ReplayInstruction {
            wasm: WasmOffset::new(*at),
            stack: if *stack == NO_SHAPE { ReplayImage::EMPTY } else { *stack },
        };
        let instructions = single.positions.iter().map(row).collect();
        ReplayImage { code: Vec::new(), locals, deepest, instructions, stacks: single.stacks }
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
                "the function is too large to compile: it has too many operands at too many blocks and branches; split it",
            ));
        }
        if self.spread > self.max_spread {
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

    /// Compares the stack pointer with the store's limit here, after the prologue: this frame has been made, and may have
    /// been written to as far down as parameters are spilled. So it must fit the reserve that the runtime keeps below
    /// the limit. `needed` bytes more are to be free.
    fn explicit_stack_check(&mut self, needed: u32) {
        let store = self.load_constant(VMContext::STORE);
        let limit = self.builder.ins().load(POINTER, self.flags.header, store, VMStoreContext::STACK_LIMIT);
        let needed = self.builder.ins().iconst(POINTER, i64::from(needed));
        let lowest = self.builder.ins().iadd(limit, needed);
        let pointer = self.builder.ins().get_stack_pointer(POINTER);
        let overflow = self.builder.ins().icmp(IntCC::UnsignedLessThan, pointer, lowest);
        self.trap_if(overflow, TrapCode::StackOverflow);
    }

    /// Gives every local its variable and first value, in the debug tier its slot too.
    fn declare_locals(&mut self, ty: &FuncType, body: &FunctionBody<'_>) -> Result<()> {
        let mut locals = ty.params.to_vec();
        for group in body.get_locals_reader().map_err(unreadable)? {
            let (count, ty) = group.map_err(unreadable)?;
            let ty = crate::wasm::val_type(ty).ok_or_else(|| internal("a local of unknown type"))?;
            locals.extend(std::iter::repeat_n(ty, count as usize));
        }
        match self.env.mode {
            Mode::Production => {}
            Mode::Replay => self.begin_replay(locals.len())?,
            Mode::Simple | Mode::Regions | Mode::Resume => {
                let instrument = Instrument::new(&mut self.builder, &locals, self.vmctx, self.flags.slot);
                if self.env.mode == Mode::Resume {
                    self.begin_resume(instrument, locals.len());
                } else {
                    self.instrument = Some(instrument);
                    self.stop_due = true;
                }
            }
        }
        let mut zeros: HashMap<ValType, Value> = HashMap::new();
        for (index, ty) in locals.into_iter().enumerate() {
            let variable = self.builder.declare_var(abi_type(ty));
            self.locals.push((variable, ty));
            self.reach.push(0);
            if self.single.is_some() {
                continue;
            }
            // Behind the two vmctx parameters.
            let value = match self.params.get(index + 2) {
                Some(param) => *param,
                None => match zeros.get(&ty) {
                    Some(zero) => *zero,
                    None => {
                        let zero = self.zero(ty)?;
                        zeros.insert(ty, zero);
                        zero
                    }
                },
            };
            self.builder.def_var(variable, value);
        }
        if let Some(instrument) = &self.instrument {
            let params = self.params.len() - 2;
            for (index, param) in self.params[2..].iter().enumerate() {
                instrument.store_local(&mut self.builder, index, *param);
            }
            instrument.zero_locals(&mut self.builder, params..self.locals.len());
        }
        Ok(())
    }

    /// The value that locals of this type start with.
    fn zero(&mut self, ty: ValType) -> Result<Value> {
        Ok(match ty {
            ValType::I32 => self.builder.ins().iconst(types::I32, 0),
            ValType::I64 | ValType::FuncRef | ValType::ExternRef => self.builder.ins().iconst(types::I64, 0),
            ValType::F32 => self.builder.ins().f32const(0.0),
            ValType::F64 => self.builder.ins().f64const(0.0),
            ValType::V128 => return Err(internal("a v128 without SIMD")),
        })
    }

    // Operands.

    /// The shape of the whole operand stack.
    fn shape(&self) -> u32 {
        self.stack.last().map_or(NO_SHAPE, |operand| operand.shape)
    }

    /// Pushes a new value; in debug code its slot gets it at the next point, if it is still there.
    fn push(&mut self, ty: ValType, value: Value) {
        self.push_held(ty, value, None);
    }

    /// Pushes a constant of these bits, or what these 32 bits are when their sign is extended. It needs no slot.
    fn push_constant(&mut self, ty: ValType, value: Value, bits: i32) {
        self.push_held(ty, value, Some(Held::Constant(bits)));
    }

    fn push_held(&mut self, ty: ValType, value: Value, held: Option<Held>) {
        if self.single.is_some() {
            self.push_single(ty, value);
            return;
        }
        if self.stack.len() == MAX_ALIASED {
            self.forget(None);
        }
        let held = held.filter(|held| matches!(held, Held::Constant(_)) || self.stack.len() < MAX_ALIASED);
        self.stack.push(Operand { value, ty, held, shape: UNSHAPED });
    }

    /// Debug: no operand is told from `local` (`None`: from any local) any more; each is stored in a slot of its own at the next
    /// point. Due before the local changes, and before ways part that come together again, since the slots must be the
    /// same on every way.
    fn forget(&mut self, local: Option<u32>) {
        if self.instrument.is_none() || self.stack.len() > MAX_ALIASED {
            return;
        }
        let mut changed = false;
        for operand in &mut self.stack {
            if let Some(Held::Local(told)) = operand.held
                && local.is_none_or(|local| local == told)
            {
                operand.held = None;
                changed = true;
            }
            if changed {
                operand.shape = UNSHAPED;
            }
        }
    }

    /// Debug: writes every local and operand to its slot that is not there yet. What follows begins a point, since the slots do
    /// not hold the state of the last one any more.
    fn complete(&mut self) -> Result<()> {
        self.store_locals()?;
        let Some(instrument) = &mut self.instrument else { return Ok(()) };
        let first = self.stack.iter().rposition(|operand| operand.shape != UNSHAPED).map_or(0, |last| last + 1);
        let mut below = first.checked_sub(1).map_or(NO_SHAPE, |last| self.stack[last].shape);
        for (depth, operand) in self.stack.iter_mut().enumerate().skip(first) {
            let held = operand.held.unwrap_or(Held::Operand(depth as u32));
            if operand.held.is_none() {
                instrument.store_operand(&mut self.builder, depth, operand.ty, operand.value);
                operand.held = Some(held);
            }
            operand.shape = instrument.shape(below, operand.ty, held);
            below = operand.shape;
        }
        let deep = self.stack.len().saturating_sub(MAX_AT_HAND);
        for operand in self.stack[..deep].iter_mut().rev() {
            if operand.value.is_reserved_value() {
                break;
            }
            if let Some(Held::Operand(_)) = operand.held {
                operand.value = Value::reserved_value();
            }
        }
        self.placed = self.stack.len();
        self.complete = true;
        Ok(())
    }

    /// Debug: writes every local to its slot that is not there. Only before a jump, behind which a point begins.
    fn store_locals(&mut self) -> Result<()> {
        let Some(instrument) = &mut self.instrument else { return Ok(()) };
        for local in instrument.take_dirty() {
            let (variable, _) = *self.locals.get(local as usize).ok_or_else(|| internal("no such local"))?;
            self.note_reach(local);
            let value = self.builder.use_var(variable);
            if let Some(instrument) = &self.instrument {
                instrument.store_local(&mut self.builder, local as usize, value);
            }
        }
        Ok(())
    }

    fn pop_operand(&mut self) -> Result<Operand> {
        let mut operand = self.stack.pop().ok_or_else(|| internal("the operand stack is empty"))?;
        operand.value = self.value_of(self.stack.len(), &operand)?;
        Ok(operand)
    }

    /// The value of an operand that is, or was, at `depth`: in a register, or from where it lives.
    fn value_of(&mut self, depth: usize, operand: &Operand) -> Result<Value> {
        if !operand.value.is_reserved_value() {
            return Ok(operand.value);
        }
        let value = match &mut self.instrument {
            Some(instrument) => Some(instrument.load_operand(&mut self.builder, depth, operand.ty)),
            None => self.load_operand(depth, operand.ty),
        };
        value.ok_or_else(|| internal("an operand without a home"))
    }

    fn pop(&mut self) -> Result<Value> {
        Ok(self.pop_operand()?.value)
    }

    /// The values of the topmost `count` operands, bottom first.
    fn top_values(&mut self, count: usize) -> Result<Vec<Value>> {
        let start = self.stack.len().checked_sub(count).ok_or_else(|| internal("too few operands"))?;
        (start..start + count)
            .map(|depth| {
                let operand = self.stack[depth];
                self.value_of(depth, &operand)
            })
            .collect()
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

    fn operator(&mut self, operator: &Operator<'_>) -> Result<()> {
        if !self.reachable {
            self.unreachable_operator(operator)?;
            self.limits_behind_unreachable();
            return Ok(());
        }
        let class = self.begin(operator)?;
        self.keep_limits(operator);
        self.translate(operator)?;
        let blocks = self.builder.func.dfg.num_blocks();
        self.carried += ((blocks - self.blocks) * self.stack.len()) as u64;
        self.blocks = blocks;
        self.limits_behind(operator);
        // A region ends behind what only the guest can run.
        self.stop_due |= matches!(class, Class::Effect | Class::Call);
        Ok(())
    }

    /// Debug: what stands before an instruction. `end` and `else` as well: they are points when fallen into, and here they
    /// are.
    fn begin(&mut self, operator: &Operator<'_>) -> Result<Class> {
        if self.env.mode == Mode::Production {
            return Ok(Class::Pure);
        }
        let class = self.classes.next(operator).ok_or_else(|| internal(format!("no class of {operator:?}")))?;
        if self.single.is_some() {
            self.begin_position()?;
            if self.is_replay() && matches!(class, Class::Effect | Class::Call) {
                self.end_replay_natively();
            }
            return Ok(class);
        }
        let stops = self.env.mode == Mode::Simple || std::mem::take(&mut self.stop_due);
        self.placed = self.placed.min(self.stack.len());
        if stops || class == Class::Call || self.stack.len() - self.placed > MAX_AT_HAND {
            self.complete()?;
        }
        let complete = std::mem::take(&mut self.complete);
        let shape = self.shape();
        if let Some(instrument) = &mut self.instrument {
            if stops {
                instrument.stop_point(&mut self.builder, self.at, shape);
            } else if complete {
                instrument.point(self.at, shape);
            }
            if matches!(class, Class::Traps | Class::Effect | Class::Call) {
                instrument.need_point();
            }
        }
        Ok(class)
    }

    fn translate(&mut self, operator: &Operator<'_>) -> Result<()> {
        match *operator {
            Operator::Nop => {}
            Operator::Drop => {
                self.pop()?;
            }
            Operator::LocalGet { local_index } => {
                let (variable, ty) = self.local(local_index)?;
                let value = match self.load_local(local_index, ty) {
                    Some(value) => value,
                    None => {
                        self.note_reach(local_index);
                        self.builder.use_var(variable)
                    }
                };
                self.push_held(ty, value, Some(Held::Local(local_index)));
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop()?;
                self.set_local(local_index, value)?;
            }
            Operator::LocalTee { local_index } => {
                let value = self.top_values(1)?[0];
                self.set_local(local_index, value)?;
                self.tell_top_from(local_index);
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
                if !(self.control_operator(operator)?
                    || self.numeric_operator(operator)?
                    || self.memory_operator(operator)?
                    || self.table_operator(operator)?
                    || self.call_operator(operator)?)
                {
                    return Err(internal(format!("no translation of {operator:?}")));
                }
            }
        }
        Ok(())
    }

    /// A local is used in the block at hand.
    fn note_reach(&mut self, local: u32) {
        if let (Some(block), Some(reach)) = (self.builder.current_block(), self.reach.get_mut(local as usize)) {
            let block = block.as_u32();
            self.spread += u64::from(block.saturating_sub(*reach));
            *reach = block.max(*reach);
        }
    }

    fn local(&self, index: u32) -> Result<(Variable, ValType)> {
        self.locals.get(index as usize).copied().ok_or_else(|| internal("no such local"))
    }

    fn set_local(&mut self, index: u32, value: Value) -> Result<()> {
        let (variable, _) = self.local(index)?;
        if self.store_local_single(index, value) {
            return Ok(());
        }
        self.forget(Some(index));
        self.note_reach(index);
        self.builder.def_var(variable, value);
        if let Some(instrument) = &mut self.instrument {
            instrument.mark_dirty(index);
        }
        Ok(())
    }

    /// Debug: the topmost operand is what `local` is now, and need not be stored.
    fn tell_top_from(&mut self, local: u32) {
        let few = self.stack.len() <= MAX_ALIASED;
        if let Some(operand) = self.stack.last_mut()
            && few
            && self.instrument.is_some()
            && operand.held.is_none()
        {
            operand.held = Some(Held::Local(local));
        }
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
        self.builder.inst_results(call).first().copied()
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
