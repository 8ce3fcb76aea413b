//! One call of an export in Stepwell, in each of three ways, and in another engine (wasmtime): what became of it in
//! words that are the same where both did the same. Results or trap, and then every global, memory and table. Imported
//! functions return zeros, and change memories and globals and call exports on the way, the same in both.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stepwell::base::FuncIndex;
use stepwell::debug::{Action, Debugger, Stop};
use stepwell::runtime::{Caller, Engine, Extern, Func, Instance, Module, Store, Val};
use stepwell::{ExternType, ValType};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[path = "words.rs"]
mod words;

#[path = "vectors.rs"]
mod vectors;

use words::{own_trap, own_value, their_trap, their_value};

/// What is said of a stack overflow: neither engine promises a depth.
pub const OVERFLOW: &str = "trap call stack exhausted";

/// Stepwell's engine for this.
pub fn own_engine() -> Result<Engine> {
    let config = stepwell::runtime::Config {
        features: stepwell::Features { custom_page_sizes: true, ..Default::default() },
        debug: true,
        nan_canonicalization: true,
        relaxed_simd_deterministic: true,
        ..Default::default()
    };
    Ok(Engine::new(config)?)
}

/// The configuration of the other engine.
pub fn other_config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config.cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true);
    config.collector(wasmtime::Collector::Null).wasm_custom_page_sizes(true);
    config
}

/// How Stepwell runs a call.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// In production code.
    Production,
    /// With a breakpoint in every function.
    Breakpoints,
    /// Single-stepped.
    Steps,
}

/// What an imported function does at one of its calls, beside returning zeros. The number is that of the call.
#[derive(Clone, Copy)]
enum Act<'a> {
    /// Writes a byte of a memory.
    Write(&'a str, usize),
    /// Makes a memory larger by a page.
    Grow(&'a str),
    /// Sets a global, if it can be set and is an integer.
    Set(&'a str, i32),
    /// Calls an export with zeros.
    Call(&'a str),
}

/// What the imported functions of a store do in turn.
struct Acts {
    funcs: Vec<String>,
    memories: Vec<String>,
    globals: Vec<String>,
    calls: AtomicUsize,
    /// Calls of exports that have not returned.
    inside: AtomicUsize,
    /// What came of those that have.
    said: Mutex<String>,
}

/// Calls of imported functions that do something.
const MOST_ACTS: usize = 40;
/// Calls of exports inside of each other.
const DEEPEST: usize = 2;

impl Acts {
    /// With the exports of these names, and so many of the functions imported.
    fn new<'a>(names: impl Iterator<Item = &'a str>, imported: usize) -> Arc<Acts> {
        let names: Vec<&str> = names.collect();
        let of = |letter| names.iter().filter(move |name| name.starts_with(letter)).map(|name| (*name).to_owned());
        Arc::new(Acts {
            funcs: of('f').skip(imported).collect(),
            memories: of('m').collect(),
            globals: of('g').collect(),
            calls: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            said: Mutex::default(),
        })
    }

    fn next(&self) -> Option<Act<'_>> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let one = |names: &'_ [String]| (!names.is_empty()).then(|| number / 4 % names.len());
        if number >= MOST_ACTS {
            return None;
        }
        Some(match number % 4 {
            0 if self.inside.load(Ordering::Relaxed) < DEEPEST => Act::Call(&self.funcs[one(&self.funcs)?]),
            1 => Act::Write(&self.memories[one(&self.memories)?], number),
            2 => Act::Set(&self.globals[one(&self.globals)?], number as i32),
            3 => Act::Grow(&self.memories[one(&self.memories)?]),
            _ => return None,
        })
    }

    /// Calls an export, by `call`, which says what came of it.
    fn call<E>(&self, call: impl FnOnce() -> Result<String, E>) -> Result<(), E> {
        self.inside.fetch_add(1, Ordering::Relaxed);
        let said = call();
        self.inside.fetch_sub(1, Ordering::Relaxed);
        let mut all = self.said.lock().expect("nobody panics with it");
        write!(all, " ({})", said?).expect("a string takes all");
        Ok(())
    }

    fn said(&self) -> String {
        self.said.lock().expect("nobody panics with it").clone()
    }
}

/// Does in Stepwell what comes next.
fn own_act(mut caller: Caller<'_>, acts: &Acts) -> stepwell::base::Result<()> {
    let Some(act) = acts.next() else { return Ok(()) };
    let (Act::Write(name, _) | Act::Grow(name) | Act::Set(name, _) | Act::Call(name)) = act;
    match (act, caller.export(name)) {
        (Act::Write(_, number), Some(Extern::Memory(memory))) => {
            if let Some(byte) = memory.data_mut(&mut caller)?.get_mut(number * 7) {
                *byte = number as u8;
            }
        }
        (Act::Grow(_), Some(Extern::Memory(memory))) => drop(memory.grow(&mut caller, 1)),
        (Act::Set(_, to), Some(Extern::Global(global))) => {
            let ty = global.ty(&caller)?;
            match ty.content {
                ValType::I32 if ty.mutable => global.set(&mut caller, Val::I32(to))?,
                ValType::I64 if ty.mutable => global.set(&mut caller, Val::I64(to.into()))?,
                _ => {}
            }
        }
        (Act::Call(_), Some(Extern::Func(func))) => acts.call(|| {
            let ty = func.ty(&caller)?;
            let params: Vec<Val> = ty.params.iter().map(|ty| Val::default_for(*ty)).collect();
            let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
            let mut text = String::new();
            match func.call(&mut caller, &params, &mut results) {
                Ok(()) => results.iter().for_each(|value| own_value(&mut text, value)),
                Err(error) => text = own_trap(error)?,
            }
            Ok::<_, stepwell::base::Error>(text)
        })?,
        _ => {}
    }
    Ok(())
}

/// Does the same in the other engine.
fn their_act(caller: &mut wasmtime::Caller<'_, ()>, acts: &Acts) -> wasmtime::Result<()> {
    use wasmtime::{Extern, Mutability, Val, ValType};
    let Some(act) = acts.next() else { return Ok(()) };
    let (Act::Write(name, _) | Act::Grow(name) | Act::Set(name, _) | Act::Call(name)) = act;
    match (act, caller.get_export(name)) {
        (Act::Write(_, number), Some(Extern::Memory(memory))) => {
            if let Some(byte) = memory.data_mut(&mut *caller).get_mut(number * 7) {
                *byte = number as u8;
            }
        }
        (Act::Grow(_), Some(Extern::Memory(memory))) => drop(memory.grow(&mut *caller, 1)),
        (Act::Set(_, to), Some(Extern::Global(global))) => {
            let ty = global.ty(&*caller);
            match ty.content() {
                ValType::I32 if ty.mutability() == Mutability::Var => global.set(&mut *caller, Val::I32(to))?,
                ValType::I64 if ty.mutability() == Mutability::Var => global.set(&mut *caller, Val::I64(to.into()))?,
                _ => {}
            }
        }
        (Act::Call(name), Some(Extern::Func(func))) => acts.call(|| {
            let ty = func.ty(&*caller);
            let params: Vec<Val> = ty.params().filter_map(|ty| Val::default_for_ty(&ty)).collect();
            let mut results = vec![Val::I32(0); ty.results().len()];
            let mut text = String::new();
            match func.call(&mut *caller, &params, &mut results) {
                Ok(()) => results.iter().for_each(|value| their_value(&mut text, value)),
                Err(error) => {
                    text = their_trap(&error, name).map_err(wasmtime::Error::msg)?;
                }
            }
            Ok::<_, wasmtime::Error>(text)
        })?,
        _ => {}
    }
    Ok(())
}

/// Runs a call, given as a line of a `.calls` file, in a store of its own.
pub fn call_ours(engine: &Engine, module: &Module, line: &str, mode: Mode) -> Result<String> {
    let mut store = Store::new(engine);
    match mode {
        Mode::Production => {}
        Mode::Breakpoints => {
            let debugger = attach(&mut store)?;
            let info = module.info();
            for func in 0..info.funcs.len() {
                if info.defined(FuncIndex::from_usize(func)).is_some() {
                    debugger.break_at_function(&mut store, module, FuncIndex::from_usize(func))?;
                }
            }
        }
        Mode::Steps => attach(&mut store)?.step_always(&mut store, true)?,
    }
    let mut imports = Vec::new();
    let acts = Acts::new(module.exports().map(|(name, _)| name), module.imports().count());
    for (_, _, ty) in module.imports() {
        let ExternType::Func(ty) = ty else {
            return Err("an import that is no function".into());
        };
        let acts = acts.clone();
        // The results are zeros and nulls already.
        let body = move |caller: Caller<'_>, _: &[Val], _: &mut [Val]| own_act(caller, &acts);
        imports.push(Func::new(&mut store, ty, body)?.into());
    }
    let instance = match Instance::new(&mut store, module, &imports) {
        Ok(instance) => instance,
        Err(error) => return Ok(own_trap(error)? + &acts.said()),
    };
    let mut words = line.split(' ');
    let func = words.next().and_then(|name| instance.export(&mut store, name)).and_then(Extern::func);
    let func = func.ok_or("the export is no function")?;
    let ty = func.ty(&store)?;
    let mut params = Vec::new();
    for (ty, word) in ty.params.iter().zip(words) {
        params.push(match ty {
            ValType::I32 => Val::I32(word.parse::<i64>()? as i32),
            ValType::I64 => Val::I64(word.parse()?),
            ValType::F32 => Val::F32(word.parse::<f32>()?.to_bits()),
            ValType::F64 => Val::F64(word.parse::<f64>()?.to_bits()),
            ValType::V128 => Val::V128(vectors::parse(word)?.to_le_bytes()),
            ty => Val::default_for(*ty),
        });
    }
    let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
    let mut text = String::new();
    match func.call(&mut store, &params, &mut results) {
        Ok(()) => results.iter().for_each(|value| own_value(&mut text, value)),
        Err(error) => text.push_str(&own_trap(error)?),
    }
    text.push_str(&acts.said());
    for (name, item) in instance.exports(&mut store)? {
        match item {
            Extern::Func(_) | Extern::Tag(_) => continue,
            Extern::Global(global) => own_value(&mut text, &global.get(&store)?),
            Extern::Memory(memory) => write!(text, " {:x}", hash(memory.data(&store)?))?,
            Extern::Table(table) => {
                for index in 0..table.size(&store)? {
                    own_value(&mut text, &table.get(&store, index)?.ok_or("a table without an element")?);
                }
            }
        }
        write!(text, "={name}")?;
    }
    Ok(text)
}

fn attach(store: &mut Store) -> Result<Debugger> {
    Ok(Debugger::attach(store, |stop: &mut Stop<'_>| {
        // Looking must not change anything.
        if let Some(frame) = stop.top() {
            std::hint::black_box((frame.locals(), frame.operands()));
        }
        Action::Continue
    })?)
}

/// The same in the other engine.
pub fn call_theirs(engine: &wasmtime::Engine, module: &wasmtime::Module, line: &str) -> Result<String> {
    use wasmtime::{Extern, Ref, Store, Val, ValType};
    let mut store = Store::new(engine, ());
    let mut imports = Vec::new();
    let acts = Acts::new(module.exports().map(|export| export.name()), module.imports().count());
    for import in module.imports() {
        let acts = acts.clone();
        let ty = import.ty().func().cloned().ok_or("an import that is no function")?;
        let zeros: Vec<Val> = ty.results().filter_map(|ty| Val::default_for_ty(&ty)).collect();
        let func = wasmtime::Func::new(&mut store, ty, move |mut caller, _, results| {
            their_act(&mut caller, &acts)?;
            results.copy_from_slice(&zeros);
            Ok(())
        });
        imports.push(func.into());
    }
    let instance = match wasmtime::Instance::new(&mut store, module, &imports) {
        Ok(instance) => instance,
        Err(error) => return Ok(their_trap(&error, line)? + &acts.said()),
    };
    let mut words = line.split(' ');
    let func = words.next().and_then(|name| instance.get_func(&mut store, name)).ok_or("the export is no function")?;
    let ty = func.ty(&store);
    let mut params = Vec::new();
    for (ty, word) in ty.params().zip(words) {
        params.push(match ty {
            ValType::I32 => Val::I32(word.parse::<i64>()? as i32),
            ValType::I64 => Val::I64(word.parse()?),
            ValType::F32 => Val::F32(word.parse::<f32>()?.to_bits()),
            ValType::F64 => Val::F64(word.parse::<f64>()?.to_bits()),
            ValType::V128 => Val::V128(vectors::parse(word)?.into()),
            ty => Val::default_for_ty(&ty).ok_or("a type without a default")?,
        });
    }
    let mut results = vec![Val::I32(0); ty.results().len()];
    let mut text = String::new();
    match func.call(&mut store, &params, &mut results) {
        Ok(()) => results.iter().for_each(|result| their_value(&mut text, result)),
        Err(error) => text.push_str(&their_trap(&error, line)?),
    }
    text.push_str(&acts.said());
    let names: Vec<String> = module.exports().map(|export| export.name().to_owned()).collect();
    for name in names {
        match instance.get_export(&mut store, &name).ok_or("the export is gone")? {
            Extern::Global(global) => {
                let global = global.get(&mut store);
                their_value(&mut text, &global);
            }
            Extern::Memory(memory) => write!(text, " {:x}", hash(memory.data(&store)))?,
            Extern::Table(table) => {
                for index in 0..table.size(&store) {
                    let element: Ref = table.get(&mut store, index).ok_or("a table without an element")?;
                    write!(text, " {}", !element.is_null())?;
                }
            }
            _ => continue,
        }
        write!(text, "={name}")?;
    }
    Ok(text)
}

/// FNV-1a over words.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(0xcbf2_9ce4_8422_2325, |hash, word| step(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| step(hash, u64::from(*byte)))
}
