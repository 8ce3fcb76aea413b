//! Whole programs: production code beside the other engine's, and what debugging makes of each. Where a program calls
//! `bench.start` and `bench.end`, the time between them counts, else that of `_start`.

use super::{Table, median};
use crate::Result;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Caller, Config, Engine, Func, Instance, Module, Store, Trap, Val};
use stepwell::wasm::ExternType;

const ROUNDS: usize = 3;
/// What `proc_exit` ends the program with.
const EXIT: &str = "the program has ended";

/// The rows of the programs in `../shared`, where that folder exists.
pub fn rows(table: &Table<'_>) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/programs/shootout");
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(_) if table.wants("program") => {
            println!("program: skipped, there is no {}", folder.display());
            return Ok(());
        }
        Err(_) => return Ok(()),
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm") && table.wants(&name(path)));
    paths.sort();
    print(&paths)
}

/// The rows of these programs.
pub fn run(programs: &[String]) -> Result<()> {
    if programs.is_empty() {
        return Err("usage: stepwell-bench tier PROGRAM.wasm...".into());
    }
    print(&programs.iter().map(PathBuf::from).collect::<Vec<_>>())
}

fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    format!("program-{}", stem.trim_start_matches("shootout-"))
}

fn print(paths: &[PathBuf]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    println!(
        "{:22} {:>11} {:>11} {:>6} {:>11} {:>6}   debug text / production text, bytes",
        "program, ms", "wasmtime", "production", "ratio", "debug", "ratio"
    );
    let (mut production, mut debug, mut theirs) = (1.0, 1.0, 1.0);
    let mut debugged = 0;
    for path in paths {
        let row = program(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let their_debug = match row.their_debug {
            Some(time) => format!("{:.2}", time / row.theirs),
            None => String::from("fails"),
        };
        println!(
            "{:22} {:>11.2} {:>11.2} {:>6.2} {:>11.2} {:>6.2}   {} / {}, wasmtime's debug ratio {their_debug}",
            name(path),
            row.theirs / 1e6,
            row.production / 1e6,
            row.production / row.theirs,
            row.debug / 1e6,
            row.debug / row.production,
            row.debug_text,
            row.production_text,
        );
        production *= row.production / row.theirs;
        debug *= row.debug / row.production;
        if let Some(time) = row.their_debug {
            theirs *= time / row.theirs;
            debugged += 1;
        }
    }
    let mean = |product: f64, count: usize| product.powf(1.0 / count.max(1) as f64);
    println!(
        "geometric means: production / wasmtime {:.2}, debug / production {:.2}, wasmtime's debug / its production {:.2}",
        mean(production, paths.len()),
        mean(debug, paths.len()),
        mean(theirs, debugged)
    );
    Ok(())
}

/// Medians, in nanoseconds, and bytes of text.
struct Row {
    production: f64,
    debug: f64,
    theirs: f64,
    their_debug: Option<f64>,
    production_text: u32,
    debug_text: u32,
}

fn program(path: &Path) -> Result<Row> {
    let binary = wat::parse_file(path)?;
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let debug_text = module.debug_code(&|_, _| true)?.text_len();
    let other = wasmtime::Engine::default();
    let their_module = wasmtime::Module::new(&other, &binary)?;
    let mut config = wasmtime::Config::new();
    config.guest_debug(true).collector(wasmtime::Collector::Null);
    let other_debug = wasmtime::Engine::new(&config)?;
    let their_debug_module = wasmtime::Module::new(&other_debug, &binary)?;
    let mut samples: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        samples[0].push(ours(&own, &module, false)?);
        samples[1].push(theirs(&other, &their_module)?);
        samples[2].push(ours(&own, &module, true)?);
        samples[3].extend(theirs(&other_debug, &their_debug_module));
    }
    let [production, their, debug, their_debug] = &mut samples;
    Ok(Row {
        production: median(production),
        debug: median(debug),
        theirs: median(their),
        their_debug: (!their_debug.is_empty()).then(|| median(their_debug)),
        production_text: module.production_code().text_len(),
        debug_text,
    })
}

/// The moments `bench.start` and `bench.end` were called.
#[derive(Clone, Default)]
struct Marks(Arc<Mutex<(Option<Instant>, Option<Instant>)>>);

impl Marks {
    fn note(&self, name: &str) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match name {
            "start" => marks.0 = Some(Instant::now()),
            "end" => marks.1 = Some(Instant::now()),
            _ => {}
        }
    }

    fn between(&self, started: Instant, ended: Instant) -> f64 {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = match *marks {
            (Some(from), Some(to)) => (from, to),
            _ => (started, ended),
        };
        (to - from).as_nanos() as f64
    }
}

fn ours(engine: &Engine, module: &Module, debug: bool) -> Result<f64> {
    let mut store = Store::new(engine);
    if debug {
        Debugger::attach(&mut store, |_| Action::Continue)?;
    }
    let marks = Marks::default();
    let mut imports = Vec::new();
    for (from, name, ty) in module.imports() {
        let ExternType::Func(ty) = ty else {
            return Err(format!("the import \"{from}\".\"{name}\" is no function").into());
        };
        let (marks, bench, name) = (marks.clone(), from == "bench", name.to_owned());
        let body = move |_: Caller<'_>, _: &[Val], _: &mut [Val]| {
            if bench {
                marks.note(&name);
            } else if name == "proc_exit" {
                return Err(Trap::new(EXIT).into());
            }
            Ok(())
        };
        imports.push(Func::new(&mut store, ty, body)?.into());
    }
    let instance = Instance::new(&mut store, module, &imports)?;
    let start = instance.typed_func::<(), ()>(&mut store, "_start")?;
    let started = Instant::now();
    let outcome = start.call(&mut store, ());
    let ended = Instant::now();
    match outcome {
        Err(error) if error.payload::<Trap>().is_none_or(|trap| trap.message() != EXIT) => Err(error.into()),
        _ => Ok(marks.between(started, ended)),
    }
}

fn theirs(engine: &wasmtime::Engine, module: &wasmtime::Module) -> Result<f64> {
    let mut store = wasmtime::Store::new(engine, ());
    let marks = Marks::default();
    let mut imports = Vec::new();
    for import in module.imports() {
        let wasmtime::ExternType::Func(ty) = import.ty() else {
            return Err("an import is no function".into());
        };
        let (marks, bench, name) = (marks.clone(), import.module() == "bench", import.name().to_owned());
        let func = wasmtime::Func::new(&mut store, ty, move |_, _, _| {
            if bench {
                marks.note(&name);
            } else if name == "proc_exit" {
                return Err(wasmtime::Error::msg(EXIT));
            }
            Ok(())
        });
        imports.push(func.into());
    }
    let instance = wasmtime::Instance::new(&mut store, module, &imports)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    let started = Instant::now();
    let outcome = start.call(&mut store, ());
    let ended = Instant::now();
    match outcome {
        Err(error) if !format!("{error:?}").contains(EXIT) => Err(error.into()),
        _ => Ok(marks.between(started, ended)),
    }
}
