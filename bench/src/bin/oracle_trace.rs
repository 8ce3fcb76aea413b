//! Writes the trace of one call: a line before every instruction, as another engine (wasmtime, through its guest
//! debugging) sees it. It is what `stepwell-trace` is compared with, so it may not use anything of Stepwell.
//!
//! `oracle-trace [--max N] MODULE EXPORT [ARGS...]`. The format is described in `bench/README.md`.
//!
//! wasmtime stops at every reachable operator, and its translation of `else`, `end` and `loop` gives exactly the lines
//! wanted: a branch goes past the `end` it names, a back edge goes past the `loop`, an `else` is met only by falling
//! into it. No line has to be added or dropped afterwards; `bench/tests/trace.rs` holds this against traces written by
//! hand.
//!
//! Two things have to be mended. In the first branch of an `if` with parameters wasmtime keeps a second copy of them
//! below the operands, for the `else`, and shows it (with whatever its slots hold by then) as soon as the first
//! parameter is taken off the stack. The validator knows the true height of the stack at each instruction, so the
//! copies can be told and left out. Likewise wasmtime shows what `extern.convert_any` and `any.convert_extern` yield
//! with the type that it had before.

#[path = "../vectors.rs"]
mod vectors;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wasmparser::{BlockType, FrameKind, Operator, OperatorsReader, Parser, ValidPayload, Validator, WasmFeatures};
use wasmtime::error::Context as _;
use wasmtime::{
    AsContextMut, Collector, Config, DebugEvent, DebugHandler, Engine, Error, ExternType, FrameHandle, FuncType,
    Instance, Module, Ref, Result, Store, StoreContextMut, ThrownException, Trap, Val, ValType, bail, format_err,
};

const USAGE: &str = "usage: oracle-trace [--max N] MODULE EXPORT [ARGS...]";
/// Space for the guest's frames, twice the usual: they are larger when every operand has a slot. Not more, because
/// counting the frames at every stop makes a runaway recursion quadratic.
const GUEST_STACK: usize = 1 << 20;
/// `call_indirect` and `return_call_indirect`, whose out-of-range index has a message of its own.
const CALLS_INDIRECT: [u8; 2] = [0x11, 0x13];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oracle-trace: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    let mut max = None;
    if words.next_if(|word| word == "--max").is_some() {
        let number = words.next().context(USAGE)?;
        max = Some(number.parse::<u64>().with_context(|| format!("--max {number}: not a number of lines"))?);
    }
    let path = words.next().context(USAGE)?;
    let export = words.next().context(USAGE)?;
    let args: Vec<String> = words.collect();
    let binary = wat::parse_file(&path).map_err(|error| format_err!("{error}"))?;
    // Set before the engine exists: what follows may end the process from inside the guest.
    let tracer = Tracer::new(max);
    tracer.state().heights = heights(&binary).with_context(|| path.clone())?;
    let outcome = trace(&tracer, &binary, &export, &args).with_context(|| path.clone())?;
    let mut state = tracer.state();
    match outcome {
        Ok(values) => {
            state.line.clear();
            state.line.push_str("return");
            for value in &values {
                state.line.push(' ');
                write_value(&mut state.line, value);
            }
        }
        Err(Ended::Thrown) => state.line = String::from("trap uncaught exception"),
        Err(Ended::Trap(trap)) => {
            let at = state.last_offset.and_then(|offset| binary.get(offset as usize));
            let message = trap_message(trap, at.is_some_and(|byte| CALLS_INDIRECT.contains(byte)));
            state.line = format!("trap {message}");
        }
    }
    state.put();
    state.flush();
    Ok(())
}

/// Runs the call. The outer error is a failure to run it at all, the inner one the guest's trap.
fn trace(tracer: &Tracer, binary: &[u8], export: &str, args: &[String]) -> Result<Result<Vec<Val>, Ended>> {
    let mut config = Config::new();
    config
        .guest_debug(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .collector(Collector::Null)
        .wasm_custom_page_sizes(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_wide_arithmetic(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(GUEST_STACK + (2 << 20));
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, binary)?;
    let Some(ExternType::Func(ty)) = module.get_export(export) else {
        bail!("no function is exported as {export:?}");
    };
    let params = parse_args(&ty, args)?;
    tracer.state().imported_funcs =
        u32::try_from(module.imports().filter(|import| matches!(import.ty(), ExternType::Func(_))).count())?;

    let mut store = Store::new(&engine, ());
    store.set_debug_handler(tracer.clone());
    store.edit_breakpoints().context("guest debugging is off")?.single_step(true)?;
    let mut imports = Vec::new();
    for import in module.imports() {
        imports.push(import.ty().default_value(&mut store)?);
    }
    let instance = match finish(Instance::new_async(&mut store, &module, &imports)) {
        Ok(instance) => instance,
        Err(error) => return into_trap(error).map(Err),
    };
    tracer.state().instantiating = false;
    let func = instance.get_func(&mut store, export).context("the export is gone")?;
    let mut results = vec![Val::I32(0); ty.results().len()];
    match finish(func.call_async(&mut store, &params, &mut results)) {
        Ok(()) => Ok(Ok(results)),
        Err(error) => into_trap(error).map(Err),
    }
}

/// The operand stack's height before an instruction, and of each `if` with parameters whose first branch it stands in,
/// outermost first, the height below its parameters and their number.
struct Height {
    true_height: usize,
    open_ifs: Vec<(usize, usize)>,
    /// Which operands are external references, bottom first.
    external: Vec<bool>,
}

/// The heights at all instructions, by offset, where wasmtime may show too many operands.
fn heights(binary: &[u8]) -> Result<HashMap<u32, Height>> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut heights = HashMap::new();
    let mut types = Vec::new();
    for payload in Parser::new(0).parse_all(binary) {
        let payload = payload?;
        if let wasmparser::Payload::TypeSection(section) = &payload {
            for group in section.clone() {
                types.extend(group?.into_types().map(|ty| match ty.composite_type.inner {
                    wasmparser::CompositeInnerType::Func(ty) => ty.params().len(),
                    _ => 0,
                }));
            }
        }
        let ValidPayload::Func(func, body) = validator.payload(&payload)? else {
            continue;
        };
        let mut func = func.into_validator(Default::default());
        let mut reader = body.get_binary_reader();
        func.read_locals(&mut reader)?;
        let mut operators = OperatorsReader::new(reader);
        let mut converts = false;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            let frames =
                (0..func.control_stack_height()).rev().filter_map(|depth| func.get_control_frame(depth as usize));
            let open_ifs: Vec<_> = frames
                .filter_map(|frame| match (frame.kind, frame.block_type) {
                    (FrameKind::If, BlockType::FuncType(ty)) => Some((frame.height, types[ty as usize])),
                    _ => None,
                })
                .filter(|(_, params)| *params > 0)
                .collect();
            if converts || !open_ifs.is_empty() {
                let true_height = func.operand_stack_height() as usize;
                let external = (0..true_height).rev().map(|depth| is_external(func.get_operand_type(depth)));
                let external = external.collect();
                heights.insert(u32::try_from(offset)?, Height { true_height, open_ifs, external });
            }
            converts |= matches!(operator, Operator::ExternConvertAny | Operator::AnyConvertExtern);
            func.op(offset, &operator)?;
        }
    }
    Ok(heights)
}

/// Whether an operand, as the validator knows it, is an external reference.
fn is_external(operand: Option<Option<wasmparser::ValType>>) -> bool {
    use wasmparser::{AbstractHeapType, HeapType, ValType};
    let Some(Some(ValType::Ref(ty))) = operand else { return false };
    matches!(ty.heap_type(), HeapType::Abstract { ty: AbstractHeapType::Extern | AbstractHeapType::NoExtern, .. })
}

impl Height {
    /// Takes the copies out of what wasmtime shows: those of all the `if`s, or of the only choice of them that fits.
    fn mend(&self, shown: &mut Vec<Val>) {
        let extra = shown.len().saturating_sub(self.true_height);
        let copies = |choice: &usize| {
            let chosen = self.open_ifs.iter().enumerate().filter(|(index, _)| choice & (1 << index) != 0);
            chosen.map(|(_, (_, params))| params).sum::<usize>()
        };
        let all = 1_usize << self.open_ifs.len().min(16);
        let Some(choice) = (0..all).rev().find(|choice| copies(choice) == extra) else {
            return;
        };
        for (index, (height, params)) in self.open_ifs.iter().enumerate() {
            if choice & (1 << index) != 0 {
                shown.drain(*height..height + params);
            }
        }
    }
}

/// How a guest ends that does not return.
enum Ended {
    Trap(Trap),
    Thrown,
}

fn into_trap(error: Error) -> Result<Ended> {
    match error.downcast_ref::<Trap>() {
        Some(trap) => Ok(Ended::Trap(*trap)),
        None if error.is::<ThrownException>() => Ok(Ended::Thrown),
        None => Err(error),
    }
}

/// The specification's words where it has some, so that engines can be compared.
fn trap_message(trap: Trap, in_call_indirect: bool) -> String {
    let text = match trap {
        Trap::UnreachableCodeReached => "unreachable",
        Trap::MemoryOutOfBounds => "out of bounds memory access",
        Trap::TableOutOfBounds if in_call_indirect => "undefined element",
        Trap::TableOutOfBounds => "out of bounds table access",
        Trap::IndirectCallToNull => "uninitialized element",
        Trap::BadSignature => "indirect call type mismatch",
        Trap::IntegerDivisionByZero => "integer divide by zero",
        Trap::IntegerOverflow => "integer overflow",
        Trap::BadConversionToInteger => "invalid conversion to integer",
        Trap::StackOverflow => "call stack exhausted",
        Trap::NullReference => "null reference",
        Trap::CastFailure => "cast failure",
        Trap::ArrayOutOfBounds => "out of bounds array access",
        Trap::AllocationTooLarge => "allocation size too large",
        other => return other.to_string(),
    };
    text.to_owned()
}

fn parse_args(ty: &FuncType, args: &[String]) -> Result<Vec<Val>> {
    let params: Vec<ValType> = ty.params().collect();
    if params.len() != args.len() {
        bail!("the function takes {} arguments, {} given", params.len(), args.len());
    }
    params
        .iter()
        .zip(args)
        .map(|(ty, text)| parse_arg(ty, text).with_context(|| format!("argument {text:?} as {ty}")))
        .collect()
}

fn parse_arg(ty: &ValType, text: &str) -> Result<Val> {
    Ok(match ty {
        ValType::I32 => Val::I32(parse_int(text, 32)? as i32),
        ValType::I64 => Val::I64(parse_int(text, 64)? as i64),
        ValType::F32 => Val::F32(text.parse::<f32>()?.to_bits()),
        ValType::F64 => Val::F64(text.parse::<f64>()?.to_bits()),
        ValType::Ref(ty) if text == "null" && ty.is_nullable() => Val::null_ref(ty.heap_type()),
        ValType::V128 => Val::V128(vectors::parse(text)?.into()),
        ValType::Ref(_) => {
            bail!("arguments of this type cannot be given (references: null)")
        }
    })
}

/// Signed or unsigned decimal, or `0x` and hexadecimal; the bits of an integer of the given width.
fn parse_int(text: &str, bits: u32) -> Result<u64> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => i128::from(u64::from_str_radix(digits, 16)?),
        None => text.parse::<i128>()?,
    };
    if value < -(1 << (bits - 1)) || value >= 1 << bits {
        bail!("out of range");
    }
    Ok(value as u64)
}

/// Polls to the end: nothing here ever waits.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// The handler the store calls at every instruction.
#[derive(Clone)]
struct Tracer(Arc<Mutex<State>>);

struct State {
    out: std::io::BufWriter<std::io::Stdout>,
    line: String,
    imported_funcs: u32,
    heights: HashMap<u32, Height>,
    last_offset: Option<u32>,
    /// The start function is called by a function of wasmtime's own, which shows up as an outermost frame with the data
    /// of some other one. It is not the guest's, and must not be looked into.
    instantiating: bool,
    lines_left: Option<u64>,
}

impl Tracer {
    fn new(max: Option<u64>) -> Tracer {
        Tracer(Arc::new(Mutex::new(State {
            out: std::io::BufWriter::with_capacity(1 << 16, std::io::stdout()),
            line: String::new(),
            imported_funcs: 0,
            heights: HashMap::new(),
            last_offset: None,
            instantiating: true,
            lines_left: max,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, store: impl AsContextMut, frames: &[FrameHandle]) {
        let mut state = self.state();
        if let Err(error) = state.write_stop(store, frames) {
            state.flush();
            eprintln!("oracle-trace: {error:#}");
            std::process::exit(1);
        }
    }
}

impl DebugHandler for Tracer {
    type Data = ();

    fn handle(&self, mut store: StoreContextMut<'_, ()>, event: DebugEvent<'_>) -> impl Future<Output = ()> + Send {
        if let DebugEvent::Breakpoint = event {
            // Of each activation, its innermost frame; the parents are counted below.
            let frames: Vec<FrameHandle> = store.debug_exit_frames().collect();
            self.stop(&mut store, &frames);
        }
        std::future::ready(())
    }
}

impl State {
    fn write_stop(&mut self, mut store: impl AsContextMut, activations: &[FrameHandle]) -> Result<()> {
        if self.lines_left == Some(0) {
            self.end_at_max();
        }
        let frame = activations.first().context("a stop without a frame")?;
        let mut depth = if self.instantiating { -1 } else { 0 };
        for exit in activations {
            let mut next = Some(exit.clone());
            while let Some(frame) = next {
                depth += 1;
                next = frame.parent(&mut store)?;
            }
        }
        let (func, pc) =
            frame.wasm_function_index_and_pc(&mut store)?.context("a stop outside of a guest's function")?;
        let (func, offset) = (self.imported_funcs + func.as_u32(), pc.raw());
        self.last_offset = Some(offset);
        self.line.clear();
        write!(self.line, "{depth} {func} {offset} [")?;
        for index in 0..frame.num_locals(&mut store)? {
            let value = frame.local(&mut store, index)?;
            write_item(&mut self.line, index, &value);
        }
        self.line.push_str("] [");
        let mut operands = Vec::new();
        for index in 0..frame.num_stacks(&mut store)? {
            operands.push(frame.stack(&mut store, index)?);
        }
        let height = self.heights.get(&offset);
        if let Some(height) = height {
            height.mend(&mut operands);
        }
        for (index, value) in (0..).zip(&operands) {
            let external = height.and_then(|height| height.external.get(index as usize));
            match (external, value) {
                (Some(true), Val::AnyRef(any)) => {
                    write_separator(&mut self.line, index);
                    write_reference(&mut self.line, "externref", any.is_none());
                }
                (Some(false), Val::ExternRef(external)) => {
                    write_separator(&mut self.line, index);
                    write_reference(&mut self.line, "anyref", external.is_none());
                }
                _ => write_item(&mut self.line, index, value),
            }
        }
        self.line.push(']');
        self.put();
        if let Some(left) = &mut self.lines_left {
            *left -= 1;
            if *left == 0 {
                self.end_at_max();
            }
        }
        Ok(())
    }

    fn put(&mut self) {
        self.line.push('\n');
        if let Err(error) = self.out.write_all(self.line.as_bytes()) {
            end_unwritten(&error);
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.out.flush() {
            end_unwritten(&error);
        }
    }

    fn end_at_max(&mut self) -> ! {
        self.line.clear();
        self.line.push_str("max");
        self.put();
        self.flush();
        std::process::exit(0);
    }
}

/// The reader has gone, or the disk is full: nobody to tell on standard output.
fn end_unwritten(error: &std::io::Error) -> ! {
    eprintln!("oracle-trace: cannot write the trace: {error}");
    std::process::exit(1);
}

fn write_item(line: &mut String, index: u32, value: &Val) {
    write_separator(line, index);
    write_value(line, value);
}

fn write_separator(line: &mut String, index: u32) {
    if index > 0 {
        line.push(' ');
    }
}

fn write_value(line: &mut String, value: &Val) {
    // Writing to a string cannot fail.
    let _ = match value {
        Val::I32(bits) => write!(line, "i32:{bits:08x}"),
        Val::I64(bits) => write!(line, "i64:{bits:016x}"),
        Val::F32(bits) => write!(line, "f32:{bits:08x}"),
        Val::F64(bits) => write!(line, "f64:{bits:016x}"),
        Val::V128(bits) => write!(line, "v128:{:032x}", bits.as_u128()),
        Val::FuncRef(func) => return write_reference(line, "funcref", func.is_none()),
        Val::ExternRef(value) => return write_reference(line, "externref", value.is_none()),
        Val::AnyRef(value) => return write_reference(line, "anyref", value.is_none()),
        Val::ExnRef(value) => return write_reference(line, "exnref", value.is_none()),
        other => return write_reference(line, "ref", other.ref_().is_none_or(|value: Ref| value.is_null())),
    };
}

fn write_reference(line: &mut String, kind: &str, is_null: bool) {
    line.push_str(kind);
    line.push_str(if is_null { ":null" } else { ":set" });
}
