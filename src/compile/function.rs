//! One function: translated, compiled, and what Cranelift says about its code, in our terms.

use super::convention::stack_arguments;
use super::debug::{
    FrameRecord, NAMESPACE_BODY, NAMESPACE_FUNCTION, NAMESPACE_STOP, NO_SHAPE, ON_SIDE, OperandPlace, RecordedPoint,
};
use super::env::{Env, our_trap_code, rerun_signature, wasm_signature};
use super::locate::{Stores, locate};
use super::outline::Outline;
use super::safepoints::{counts, write_references};
use super::translate::run::translate_run;
use super::translate::{StackCheck, translate, translate_entry};
use super::{codegen_error, internal};
use crate::abi::TrapCode;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Result, SlotLayout, TagIndex, WasmOffset};
use crate::image::{Place, RerunImage, Shape, ShapeId, Slot, Tier};
use crate::isa::{
    CALL_DISTANCE_BYTES, FILL, FRAME_HEAD, FUNCTION_ALIGN, PreservedRegister, SITE_BYTES, SITE_NOP, SavedRegisters,
    TRAP_BYTES, call_distance, is_call,
};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, Function, StackSlot, UserFuncName};
use cranelift_codegen::isa::unwind::UnwindInst;
use cranelift_codegen::{CompiledCode, Context, FinalizedMachExceptionHandler, FinalizedRelocTarget};
use cranelift_frontend::FunctionBuilderContext;

/// The largest frame that may be made before the stack is checked: little beside the least that the runtime keeps below
/// the limit.
const CHECKED_IN_FRAME: u32 = 4 * 1024;

/// A point of the debug tier, before its image is laid out.
#[derive(Debug)]
pub(super) struct FunctionPoint {
    /// The instruction.
    pub(super) wasm: WasmOffset,
    /// Where its site returns to, from the function's start, if it has one.
    pub(super) after: Option<u32>,
    /// Its operand stack, a row of the function's own shapes.
    pub(super) shape: ShapeId,
}

/// A function's code and tables; offsets count from its start.
#[derive(Debug)]
pub(super) struct CompiledFunction {
    pub(super) code: Vec<u8>,
    /// Bytes of stack that an activation takes.
    pub(super) frame_size: u32,
    /// Bytes between its frame's head and what its caller has: arguments on the stack, and room for those of tail
    /// calls.
    pub(super) arguments: u32,
    /// The 32-bit distances to other functions that are to be filled in.
    pub(super) calls: Vec<(u32, DefinedFuncIndex)>,
    pub(super) traps: Vec<(u32, TrapCode)>,
    /// From here on the code belongs to this instruction.
    pub(super) addresses: Vec<(u32, Option<WasmOffset>)>,
    /// The last byte of each call that is no stop site.
    pub(super) returns: Vec<u32>,
    /// Where exceptions land: return address of the call, whose exceptions (all, if there is no tag), landing.
    pub(super) handlers: Vec<(u32, Option<TagIndex>, u32)>,
    /// Where references are while a call runs that may collect: its return address, and how many there are of the
    /// family of `anyref`, and of external ones behind.
    pub(super) references: Vec<(u32, u32, u32)>,
    /// Where the first of them is, from the frame pointer.
    pub(super) references_at: i32,
    /// Its locals.
    pub(super) locals: SlotLayout,
    /// How many of them, the last ones, are none of the guest's.
    pub(super) kept: u32,
    /// Where the first local is, from the frame pointer.
    pub(super) locals_at: i32,
    pub(super) shapes: Vec<Shape>,
    /// By Wasm offset.
    pub(super) points: Vec<FunctionPoint>,
    /// Where the frame keeps the vmctx.
    pub(super) vmctx: Option<Place>,
    /// Where the frame keeps its caller's registers, in the debug tier.
    pub(super) saved: SavedRegisters,
    /// The `loop`s where it can be entered, in the order of their numbers.
    pub(super) ways_in: Vec<WasmOffset>,
}

impl CompiledFunction {
    /// The instruction that the code at `at` belongs to.
    pub(super) fn wasm_at(&self, at: u32) -> Option<WasmOffset> {
        let behind = self.addresses.partition_point(|row| row.0 <= at);
        self.addresses[behind.checked_sub(1)?].1
    }
}

/// What compiling needs and can use again.
pub(super) struct Scratch {
    context: Context,
    builder: FunctionBuilderContext,
    registers: regalloc2::Ctx,
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        Scratch {
            context: Context::new(),
            builder: FunctionBuilderContext::new(),
            registers: regalloc2::Ctx::default(),
        }
    }
}

/// Compiles a function.
pub(super) fn compile(env: &Env<'_>, func: DefinedFuncIndex, scratch: &mut Scratch) -> Result<CompiledFunction> {
    let mut compiled = compile_checked(env, func, scratch)?;
    drop_unused_shapes(&mut compiled);
    Ok(compiled)
}

/// Compiles a function that checks whether there is stack for it.
fn compile_checked(env: &Env<'_>, func: DefinedFuncIndex, scratch: &mut Scratch) -> Result<CompiledFunction> {
    if env.options.signals {
        return compile_with(env, func, scratch, StackCheck::Prologue);
    }
    let compiled = compile_with(env, func, scratch, StackCheck::Explicit)?;
    if compiled.frame_size <= CHECKED_IN_FRAME {
        return Ok(compiled);
    }
    // Its frame would be made below the reserve before the check. Again, with an entry in front that knows the size.
    let body = compile_with(env, func, scratch, StackCheck::Caller)?;
    entry_for(env, func, scratch, body)
}

fn compile_with(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    scratch: &mut Scratch,
    stack_check: StackCheck,
) -> Result<CompiledFunction> {
    prepare(env, func, scratch);
    let record = translate(env, func, &mut scratch.context.func, &mut scratch.builder, stack_check)?;
    let bytes = env.info.bodies[func.index()].bytes.len();
    let references = match &record.references {
        Some(references) => write_references(&mut scratch.context.func, references, bytes)?,
        None => None,
    };
    let (mut compiled, slots) = generate(env, func, scratch)?;
    let place_of = |slot: StackSlot| {
        slots.slots.get(slot.as_u32() as usize).copied().ok_or_else(|| internal("a slot without place"))
    };
    if let Some(slot) = record.vmctx {
        compiled.vmctx = Some(Place::Frame(place_of(slot)?));
    }
    if let Some(slot) = references {
        compiled.references_at = place_of(slot)?;
    }
    compiled.ways_in = record.ways_in;
    if let Some(record) = record.frame {
        compiled.kept = env.info.kept_count(func, env.binary);
        place(&mut compiled, record, slots)?;
    }
    Ok(compiled)
}

/// Compiles rerun code for a function.
pub(super) fn compile_rerun(env: &Env<'_>, func: DefinedFuncIndex) -> Result<RerunImage> {
    let mut scratch = Scratch::new();
    scratch.context.func = Function::with_name_signature(UserFuncName::default(), rerun_signature());
    let record = translate(env, func, &mut scratch.context.func, &mut scratch.builder, StackCheck::Caller)?;
    let (compiled, _) = generate(env, func, &mut scratch)?;
    let mut image = record.rerun.ok_or_else(|| internal("rerun code without instructions"))?;
    if !compiled.calls.is_empty() {
        return Err(internal("rerun code with a call"));
    }
    image.code = compiled.code;
    image.kept = env.info.kept_count(func, env.binary);
    Ok(image)
}

/// Compiles rerun code for a run of a function's instructions.
pub(super) fn compile_run(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    known: (&Outline, &RerunImage),
    number: u32,
) -> Result<Vec<u8>> {
    let mut scratch = Scratch::new();
    scratch.context.func = Function::with_name_signature(UserFuncName::default(), rerun_signature());
    translate_run(env, func, &mut scratch.context.func, &mut scratch.builder, known, number)?;
    let (compiled, _) = generate(env, func, &mut scratch)?;
    if !compiled.calls.is_empty() {
        return Err(internal("rerun code with a call"));
    }
    Ok(compiled.code)
}

/// Compiles resume code for a function, or split code that is entered likewise. Its shapes are all that occur: whoever
/// enters it brings the deepest stack.
pub(super) fn compile_resume(env: &Env<'_>, func: DefinedFuncIndex) -> Result<CompiledFunction> {
    compile_with(env, func, &mut Scratch::new(), StackCheck::Caller)
}

/// Puts the code that checks the stack in front of a body with a large frame.
fn entry_for(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    scratch: &mut Scratch,
    body: CompiledFunction,
) -> Result<CompiledFunction> {
    prepare(env, func, scratch);
    translate_entry(env, func, &mut scratch.context.func, &mut scratch.builder, body.frame_size)?;
    let (mut entry, slots) = generate(env, func, scratch)?;
    let shift = (entry.code.len() as u32).next_multiple_of(FUNCTION_ALIGN);
    entry.code.resize(shift as usize, FILL);
    for at in slots.body_calls {
        fill_distance(&mut entry.code, at, shift)?;
    }
    entry.code.extend(&body.code);
    entry.frame_size = body.frame_size;
    entry.arguments = body.arguments;
    entry.calls.extend(body.calls.into_iter().map(|(at, callee)| (at + shift, callee)));
    entry.traps.extend(body.traps.into_iter().map(|(at, code)| (at + shift, code)));
    entry.addresses.extend(body.addresses.into_iter().map(|(at, wasm)| (at + shift, wasm)));
    entry.returns.extend(body.returns.into_iter().map(|last| last + shift));
    entry.handlers.extend(body.handlers.into_iter().map(|(at, tag, landing)| (at + shift, tag, landing + shift)));
    let references = body.references.into_iter();
    entry.references.extend(references.map(|(at, any, external)| (at + shift, any, external)));
    entry.references_at = body.references_at;
    entry.locals = body.locals;
    entry.kept = body.kept;
    entry.locals_at = body.locals_at;
    entry.shapes = body.shapes;
    entry.points = body.points;
    entry.vmctx = body.vmctx;
    entry.saved = body.saved;
    for after in entry.points.iter_mut().filter_map(|point| point.after.as_mut()) {
        *after += shift;
    }
    Ok(entry)
}

/// Writes the distance to `target` where a call has it.
pub(super) fn fill_distance(text: &mut [u8], at: u32, target: u32) -> Result<()> {
    let distance = call_distance(at, target);
    let bytes = text.get_mut(at as usize..at as usize + distance.len());
    bytes.ok_or_else(|| internal("a call outside its text"))?.copy_from_slice(&distance);
    Ok(())
}

/// Makes the scratch ready for `func`.
fn prepare(env: &Env<'_>, func: DefinedFuncIndex, scratch: &mut Scratch) {
    scratch.context.clear();
    let name = UserFuncName::user(NAMESPACE_FUNCTION, func.get());
    let ty = env.info.func_type(env.info.func_index(func));
    scratch.context.func = Function::with_name_signature(name, wasm_signature(ty));
}

/// What is needed once, to place slots and to link an entry to its body.
struct Generated {
    /// Offsets from the frame pointer.
    slots: Vec<i32>,
    /// Return addresses of the stop points, ascending.
    stops: Vec<u32>,
    /// Distances to the body behind this entry.
    body_calls: Vec<u32>,
}

/// Generates the code of what is in the scratch.
fn generate(env: &Env<'_>, func: DefinedFuncIndex, scratch: &mut Scratch) -> Result<(CompiledFunction, Generated)> {
    let start = WasmOffset::new(env.info.bodies[func.index()].bytes.start as u32);
    let context = &mut scratch.context;
    let control = &mut ControlPlane::default();
    let refused = |error| codegen_error(error).at(start);
    let stores = Stores::of(&context.func);
    context.optimize(env.isa, control).map_err(refused)?;
    locate(&mut context.func, &context.domtree, &stores);
    let (func_ir, domtree, registers) = (&context.func, &context.domtree, &mut scratch.registers);
    let code = env.isa.compile_function(func_ir, domtree, registers, false, control).map_err(refused)?;
    let code = &code.apply_params(&context.func.params);
    let buffer = &code.buffer;
    if buffer.alignment > FUNCTION_ALIGN {
        return Err(internal(format!("a function is aligned to {} bytes", buffer.alignment)));
    }
    let layout = buffer.frame_layout().ok_or_else(|| internal("a function without frame layout"))?;
    let frame = layout.frame_to_fp_offset;
    let slots = layout.stackslots.values().map(|slot| slot.offset as i32 - frame as i32).collect();
    let mut compiled = CompiledFunction {
        code: buffer.data().to_vec(),
        frame_size: frame + FRAME_HEAD,
        arguments: 0,
        calls: Vec::new(),
        traps: Vec::with_capacity(buffer.traps().len()),
        addresses: addresses(code, start),
        returns: Vec::new(),
        handlers: Vec::new(),
        references: Vec::new(),
        references_at: 0,
        locals: SlotLayout::new(),
        kept: 0,
        locals_at: 0,
        shapes: Vec::new(),
        points: Vec::new(),
        vmctx: None,
        saved: SavedRegisters::NONE,
        ways_in: Vec::new(),
    };
    let lowered = lowered_by(&buffer.unwind_info);
    compiled.frame_size += lowered;
    if env.tier == Tier::Debug {
        compiled.saved = saved_registers(&buffer.unwind_info)?;
        compiled.arguments = lowered + stack_arguments(env.info.func_type(env.info.func_index(func)));
    }
    for trap in buffer.traps() {
        let ours = our_trap_code(trap.code).ok_or_else(|| internal(format!("unknown trap {}", trap.code)))?;
        compiled.traps.push((trap.offset, ours));
    }
    let mut generated = Generated { slots, stops: Vec::new(), body_calls: Vec::new() };
    for site in buffer.patchable_call_sites() {
        if site.len != SITE_BYTES {
            return Err(internal(format!("a stop site of {} bytes", site.len)));
        }
        generated.stops.push(site.ret_addr);
    }
    for site in buffer.call_sites() {
        for handler in site.exception_handlers {
            let (tag, landing) = match handler {
                FinalizedMachExceptionHandler::Tag(tag, landing) => (Some(TagIndex::new(tag.as_u32())), *landing),
                FinalizedMachExceptionHandler::Default(landing) => (None, *landing),
                other => return Err(internal(format!("an exception handler of another kind: {other:?}"))),
            };
            // Who lands there finds the stack pointer by it.
            if site.frame_offset != Some(frame) {
                return Err(internal("a call with another frame than its function"));
            }
            compiled.handlers.push((site.ret_addr, tag, landing));
        }
    }
    for (after, _, map) in buffer.user_stack_maps() {
        let (any, external) = counts(map.entries())?;
        compiled.references.push((*after, any, external));
    }
    let returns = buffer.call_sites().map(|site| site.ret_addr);
    compiled.returns = returns.filter(|at| generated.stops.binary_search(at).is_err()).map(|at| at - 1).collect();
    let names = context.func.params.user_named_funcs();
    for reloc in buffer.relocs() {
        let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = reloc.target else {
            return Err(internal(format!("a relocation to {:?}", reloc.target)));
        };
        if !is_call(reloc.kind, reloc.addend) {
            return Err(internal(format!("a relocation of kind {:?}", reloc.kind)));
        }
        match names[name].namespace {
            NAMESPACE_FUNCTION => compiled.calls.push((reloc.offset, DefinedFuncIndex::new(names[name].index))),
            // Becomes a NOP.
            NAMESPACE_STOP if generated.stops.binary_search(&(reloc.offset + CALL_DISTANCE_BYTES)).is_ok() => {}
            NAMESPACE_BODY => generated.body_calls.push(reloc.offset),
            other => return Err(internal(format!("a relocation in namespace {other}"))),
        }
    }
    Ok((compiled, generated))
}

/// Which code belongs to which instruction. The prologue belongs to the function's `start`, and so does its trap, which
/// Cranelift puts behind the function's code.
fn addresses(code: &CompiledCode, start: WasmOffset) -> Vec<(u32, Option<WasmOffset>)> {
    let mut rows: Vec<(u32, Option<WasmOffset>)> = vec![(0, Some(start))];
    let mut add = |at: u32, wasm| match rows.last_mut() {
        Some(last) if last.1 == wasm => {}
        Some(last) if last.0 == at => last.1 = wasm,
        _ => rows.push((at, wasm)),
    };
    let mut end = None;
    for range in code.buffer.get_srclocs_sorted() {
        if range.start == range.end || range.loc.is_default() {
            continue;
        }
        if let Some(end) = end
            && end < range.start
        {
            add(end, None);
        }
        add(range.start, Some(WasmOffset::new(range.loc.bits())));
        end = Some(range.end);
    }
    if let Some(end) = end
        && (end as usize) < code.buffer.data().len()
    {
        add(end, None);
    }
    for trap in code.buffer.traps() {
        let behind = rows.partition_point(|row| row.0 <= trap.offset);
        if let Some((at, None)) = behind.checked_sub(1).map(|row| rows[row]) {
            let from = if at == trap.offset { behind - 1 } else { behind };
            rows.splice(from..behind, [(trap.offset, Some(start))]);
            let end = trap.offset + TRAP_BYTES;
            if rows.get(from + 1).is_none_or(|row| row.0 > end) && (end as usize) < code.buffer.data().len() {
                rows.insert(from + 1, (end, None));
            }
        }
    }
    rows
}

/// How much lower the prologue makes the frame, for tail calls with more arguments on the stack than the function has.
fn lowered_by(unwind_info: &[(u32, UnwindInst)]) -> u32 {
    let lowered = |(_, inst): &(u32, UnwindInst)| match inst {
        UnwindInst::DefineNewFrame { offset_upward_to_caller_sp, .. } => Some(offset_upward_to_caller_sp - FRAME_HEAD),
        _ => None,
    };
    unwind_info.iter().find_map(lowered).unwrap_or(0)
}

/// Where the prologue saves registers.
fn saved_registers(unwind_info: &[(u32, UnwindInst)]) -> Result<SavedRegisters> {
    let mut top = 0;
    let mut saved = Vec::new();
    for (_, inst) in unwind_info {
        match inst {
            UnwindInst::DefineNewFrame { offset_downward_to_clobbers, .. } => top = *offset_downward_to_clobbers,
            UnwindInst::SaveReg { clobber_offset, reg } => saved.push((*clobber_offset, reg.hw_enc())),
            _ => {}
        }
    }
    let unknown = || internal(format!("registers saved in an unknown way: {unwind_info:?}"));
    let registers = saved.iter().map(|(_, number)| PreservedRegister::numbered(*number)).collect::<Option<Vec<_>>>();
    let registers = registers.ok_or_else(unknown)?;
    let Some((first, _)) = saved.first() else { return Ok(SavedRegisters::NONE) };
    let below = top.checked_sub(*first).and_then(|bytes| u8::try_from(bytes / 8).ok()).ok_or_else(unknown)?;
    let found = SavedRegisters::new(registers.iter().copied(), below).ok_or_else(unknown)?;
    // One beside the other, or it could not be told so.
    for (register, (at, _)) in registers.iter().zip(&saved) {
        if found.offset_of(*register) != Some(*at as i32 - top as i32) {
            return Err(unknown());
        }
    }
    Ok(found)
}

/// Turns what the debug tier recorded into tables, now that the frame is laid out.
fn place(compiled: &mut CompiledFunction, record: FrameRecord, generated: Generated) -> Result<()> {
    let base = |slot: StackSlot| {
        let index = slot.as_u32() as usize;
        generated.slots.get(index).copied().ok_or_else(|| internal("a slot without place"))
    };
    let locals = base(record.locals_slot)?;
    compiled.vmctx = Some(Place::in_frame(locals, record.locals.words()));
    compiled.locals_at = locals;
    let operands = base(record.operands_slot)?;
    let shape_id = |shape: u32| match shape {
        NO_SHAPE => ShapeId::EMPTY,
        ON_SIDE => ShapeId::SIDE,
        shape => ShapeId(shape),
    };
    let local_word = |local: u32| record.locals.all().get(local as usize).expect("a local of the function").1;
    compiled.shapes = record
        .shapes
        .iter()
        .map(|shape| {
            let place = match shape.place {
                OperandPlace::Slot(word) => Place::in_frame(operands, word),
                OperandPlace::Local(local) => Place::in_frame(locals, local_word(local)),
                OperandPlace::Constant(value) => Place::Constant(value),
            };
            Shape { below: shape_id(shape.below), top: Slot { ty: shape.ty, place } }
        })
        .collect();

    compiled.locals = record.locals;

    // A site belongs to the instruction that the call was translated for.
    let mut points = record.points;
    // Where there are two of one instruction, the stop point is the first.
    let order = |point: &RecordedPoint| (point.wasm, !point.stops);
    points.sort_by_key(order);
    let mut after = vec![None; points.len()];
    for stop in &generated.stops {
        let point =
            compiled.wasm_at(*stop - 1).and_then(|wasm| points.binary_search_by_key(&(wasm.get(), false), order).ok());
        match point.and_then(|point| after.get_mut(point)) {
            Some(place @ None) => *place = Some(*stop),
            _ => return Err(internal("a stop site that belongs to no instruction, or to one that has another")),
        }
        let site = (*stop - SITE_BYTES) as usize;
        compiled.code[site..site + SITE_BYTES as usize].copy_from_slice(&SITE_NOP);
    }
    // Stop points whose code turned out to be unreachable have no site; they are no points then.
    for (point, after) in points.iter().zip(after) {
        let again = compiled.points.last().is_some_and(|last| last.wasm.get() == point.wasm);
        if !again && after.is_some() == point.stops {
            let wasm = WasmOffset::new(point.wasm);
            compiled.points.push(FunctionPoint { wasm, after, shape: shape_id(point.shape) });
        }
    }
    Ok(())
}

/// Keeps only the shapes that points have: where few instructions are points, that is few of them.
fn drop_unused_shapes(compiled: &mut CompiledFunction) {
    let mut used = vec![false; compiled.shapes.len()];
    for point in &compiled.points {
        let mut at = point.shape;
        // What is below one in use was marked with it.
        while let Some(seen @ false) = used.get_mut(at.0 as usize) {
            *seen = true;
            at = compiled.shapes[at.0 as usize].below;
        }
    }
    let count = |kept: &mut u32, used: &bool| Some(std::mem::replace(kept, *kept + u32::from(*used)));
    let new: Vec<u32> = used.iter().scan(0, count).collect();
    let renamed = |shape: ShapeId| match shape {
        ShapeId::SIDE => shape,
        shape => new.get(shape.0 as usize).map_or(ShapeId::EMPTY, |new| ShapeId(*new)),
    };
    let mut row = 0;
    compiled.shapes.retain_mut(|shape| {
        shape.below = renamed(shape.below);
        row += 1;
        used[row - 1]
    });
    compiled.points.iter_mut().for_each(|point| point.shape = renamed(point.shape));
}

/// The error for code that would not fit a text.
#[cold]
pub(super) fn too_large(tier: Tier) -> Error {
    let tier = match tier {
        Tier::Production => "production",
        Tier::Debug => "debug",
    };
    Error::new(ErrorKind::Limit, format!("the module's {tier} code would be 2 GiB or more; split the module"))
}
