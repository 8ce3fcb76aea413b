//! Writes the trace of one call as `oracle-trace` does, from Stepwell's Rust API: what the comparison runs where the C
//! examples are not built, and what tells a fault of the C ABI from one below it.
//!
//! `own-trace [--max N] MODULE EXPORT [ARGS...]`. The format is described in `bench/README.md`.

#[path = "../vectors.rs"]
mod vectors;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stepwell::debug::{Action, Debugger, Reason, Stop};
use stepwell::runtime::{Config, Engine, Extern, Func, Global, Instance, Memory, Module, Store, Table, Trap, Val};
use stepwell::{ExternType, FuncType, ValType};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const USAGE: &str = "usage: own-trace [--max N] MODULE EXPORT [ARGS...]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("own-trace: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    let mut max = None;
    if words.next_if(|word| word == "--max").is_some() {
        max = Some(words.next().ok_or(USAGE)?.parse::<u64>()?);
    }
    let path = words.next().ok_or(USAGE)?;
    let export = words.next().ok_or(USAGE)?;
    let args: Vec<String> = words.collect();
    let binary = wat::parse_file(&path)?;

    let features = stepwell::Features { custom_page_sizes: true, gc: true, ..Default::default() };
    let engine = Engine::new(Config {
        features,
        debug: true,
        nan_canonicalization: true,
        relaxed_simd_deterministic: true,
        ..Config::default()
    })?;
    let module = Module::new(&engine, &binary)?;
    let ty = module.exports().find_map(|(name, ty)| match ty {
        ExternType::Func(ty) if name == export => Some(ty),
        _ => None,
    });
    let Some(ty) = ty else {
        return Err(format!("no function is exported as {export:?}").into());
    };
    let params = parse_args(&ty, &args)?;

    let tracer = Tracer(Arc::new(Mutex::new(State {
        out: std::io::BufWriter::with_capacity(1 << 16, std::io::stdout()),
        line: String::new(),
        lines_left: max,
    })));
    let mut store = Store::new(&engine);
    let debugger = Debugger::attach(&mut store, {
        let tracer = tracer.clone();
        move |stop: &mut Stop<'_>| {
            tracer.state().stop(stop);
            Action::Continue
        }
    })?;
    debugger.step_always(&mut store, true)?;
    let outcome = call(&mut store, &module, &export, &params, &ty);

    let mut state = tracer.state();
    state.line.clear();
    match outcome {
        Ok(values) => {
            state.line.push_str("return");
            for value in &values {
                state.line.push(' ');
                write_value(&mut state.line, value);
            }
        }
        Err(error) => match error.payload::<Trap>() {
            Some(trap) if trap.exception().is_some() => state.line.push_str("trap uncaught exception"),
            Some(trap) => {
                // A trap in instantiation says more than the reason.
                let message = trap.code().map_or(trap.message(), |code| code.message());
                state.line = format!("trap {message}");
            }
            None => return Err(error.into()),
        },
    }
    state.put();
    state.flush();
    Ok(())
}

fn call(
    store: &mut Store,
    module: &Module,
    export: &str,
    params: &[Val],
    ty: &FuncType,
) -> stepwell::base::Result<Vec<Val>> {
    let mut imports = Vec::new();
    for (_, _, ty) in module.imports() {
        imports.push(zero(store, ty)?);
    }
    let instance = Instance::new(&mut *store, module, &imports)?;
    let func = instance.export(&mut *store, export).and_then(Extern::func).expect("the type was found");
    let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
    func.call(store, params, &mut results)?;
    Ok(results)
}

fn zero(store: &mut Store, ty: ExternType) -> stepwell::base::Result<Extern> {
    Ok(match ty {
        ExternType::Func(ty) => {
            let results = ty.results.clone();
            let body = move |_: stepwell::runtime::Caller<'_>, _: &[Val], to: &mut [Val]| {
                for (value, ty) in to.iter_mut().zip(&results) {
                    *value = Val::default_for(*ty);
                }
                Ok(())
            };
            Func::new(store, ty, body)?.into()
        }
        ExternType::Table(ty) => Table::new(store, ty, Val::default_for(ty.element.into()))?.into(),
        ExternType::Memory(ty) => Memory::new(store, ty)?.into(),
        ExternType::Tag(ty) => stepwell::Tag::new(store, ty)?.into(),
        ExternType::Global(ty) => Global::new(store, ty, Val::default_for(ty.content))?.into(),
    })
}

fn parse_args(ty: &FuncType, args: &[String]) -> Result<Vec<Val>> {
    if ty.params.len() != args.len() {
        return Err(format!("the function takes {} arguments, {} given", ty.params.len(), args.len()).into());
    }
    ty.params
        .iter()
        .zip(args)
        .map(|(ty, text)| parse_arg(*ty, text).map_err(|error| format!("argument {text:?} as {ty}: {error}").into()))
        .collect()
}

fn parse_arg(ty: ValType, text: &str) -> Result<Val> {
    Ok(match ty {
        ValType::I32 => Val::I32(parse_int(text, 32)? as i32),
        ValType::I64 => Val::I64(parse_int(text, 64)? as i64),
        ValType::F32 => Val::F32(text.parse::<f32>()?.to_bits()),
        ValType::F64 => Val::F64(text.parse::<f64>()?.to_bits()),
        ValType::V128 => Val::V128(vectors::parse(text)?.to_le_bytes()),
        ty if text == "null" && ty.is_ref() => Val::default_for(ty),
        _ => return Err("arguments of this type cannot be given (references: null)".into()),
    })
}

/// Signed or unsigned decimal, or `0x` and hexadecimal; the bits of an integer of the given width.
fn parse_int(text: &str, bits: u32) -> Result<u64> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => i128::from(u64::from_str_radix(digits, 16)?),
        None => text.parse::<i128>()?,
    };
    if value < -(1 << (bits - 1)) || value >= 1 << bits {
        return Err("out of range".into());
    }
    Ok(value as u64)
}

#[derive(Clone)]
struct Tracer(Arc<Mutex<State>>);

struct State {
    out: std::io::BufWriter<std::io::Stdout>,
    line: String,
    lines_left: Option<u64>,
}

impl Tracer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stop(&mut self, stop: &Stop<'_>) {
        if *stop.reason() != Reason::Step {
            return;
        }
        if self.lines_left == Some(0) {
            self.end_at_max();
        }
        let frame = stop.top().expect("a stop has a frame");
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.line, "{} {} {} [", stop.frame_count(), frame.func(), frame.offset());
        self.items(&frame.locals());
        self.line.push_str("] [");
        self.items(&frame.operands());
        self.line.push(']');
        self.put();
        if let Some(left) = &mut self.lines_left {
            *left -= 1;
            if *left == 0 {
                self.end_at_max();
            }
        }
    }

    fn items(&mut self, values: &[Val]) {
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.line.push(' ');
            }
            write_value(&mut self.line, value);
        }
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
    eprintln!("own-trace: cannot write the trace: {error}");
    std::process::exit(1);
}

fn write_value(line: &mut String, value: &Val) {
    let set = |is_null: bool| if is_null { "null" } else { "set" };
    // Writing to a string cannot fail.
    let _ = match value {
        Val::I32(bits) => write!(line, "i32:{bits:08x}"),
        Val::I64(bits) => write!(line, "i64:{bits:016x}"),
        Val::F32(bits) => write!(line, "f32:{bits:08x}"),
        Val::F64(bits) => write!(line, "f64:{bits:016x}"),
        Val::V128(bytes) => write!(line, "v128:{:032x}", u128::from_le_bytes(*bytes)),
        Val::FuncRef(func) => write!(line, "funcref:{}", set(func.is_none())),
        Val::ExternRef(value) => write!(line, "externref:{}", set(value.is_none())),
        Val::ExnRef(value) => write!(line, "exnref:{}", set(value.is_none())),
        Val::AnyRef(value) => write!(line, "anyref:{}", set(value.is_none())),
    };
}
