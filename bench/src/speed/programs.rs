//! Whole programs: what the debug tier costs each, in time, text, compiling and tables, beside the other engine's guest
//! debugging. Where a program calls `bench.start` and `bench.end`, the time between them counts, else that of `_start`.

use super::{Table, median, timed};
use crate::Result;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Config, DebugTier, Engine, Linker, Module, Store, Trap};
use stepwell::wasi::{Access, WasiConfig};

const ROUNDS: usize = 7;
/// In the order of the columns.
const TIERS: [DebugTier; 2] = [DebugTier::Regions, DebugTier::Simple];
/// What `proc_exit` ends the program with.
const EXIT: &str = "the program has ended";

/// The rows of this package's programs and of those in `../shared`, where that folder exists.
pub fn rows(table: &Table<'_>) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/programs/shootout");
    let wanted = |paths: Vec<PathBuf>| paths.into_iter().filter(|path| table.wants(&name(path))).collect();
    let mut paths: Vec<PathBuf> = wanted(own_programs()?);
    if folder.is_dir() {
        paths.extend::<Vec<_>>(wanted(wasm_files(&folder)?));
    } else if table.wants("program") {
        println!("program: there is no {}", folder.display());
    }
    print(&paths)
}

/// The programs of this package.
pub fn own_programs() -> Result<Vec<PathBuf>> {
    wasm_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("programs"))
}

fn wasm_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();
    Ok(paths)
}

/// What a program is called in a row: its file's name, or its folder's where that says nothing.
fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let name = if stem == "benchmark" { folder } else { stem };
    format!("program-{}", name.trim_start_matches("shootout-"))
}

/// Prints a line for each program, the geometric means, and the worst.
///
/// # Errors
/// Where programs could not be run, after all others.
pub fn print(paths: &[PathBuf]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let ratios = format!("{:>6} {:>6} {:>7}", "time", "text", "compile");
    println!(
        "{:22} {:>10} | wasmtime's: {:>5} {:>7} | regions: {ratios} {:>7} | simple: {ratios} {:>7} | wasmtime: {ratios}",
        "debug / production", "production", "time", "compile", "tables", "tables"
    );
    let mut rows = Vec::new();
    let mut refused = 0;
    for path in paths {
        let name = name(path);
        match program(path) {
            Ok(row) => {
                row.print(&name);
                rows.push((name, row));
            }
            Err(error) => {
                println!("{name:22} refused: {error}");
                refused += 1;
            }
        }
    }
    let column = |title: &str, of: &dyn Fn(&Row) -> Option<f64>| {
        let known: Vec<(&str, f64)> = rows.iter().filter_map(|(name, row)| Some((&**name, of(row)?))).collect();
        let logs: f64 = known.iter().map(|(_, ratio)| ratio.ln()).sum();
        if let Some((name, worst)) = known.iter().max_by(|(_, a), (_, b)| a.total_cmp(b)) {
            let mean = (logs / known.len() as f64).exp();
            println!("{title:36} geomean {mean:5.2}, worst {worst:5.2} ({})", name.trim_start_matches("program-"));
        }
    };
    for (name, tier) in [("regions", 0), ("simple", 1)] {
        column(&format!("{name}: time, debug / production"), &|row| row.tiers[tier].ratios.time);
        column(&format!("{name}: text, debug / production"), &|row| Some(row.tiers[tier].ratios.text));
        column(&format!("{name}: compiling, debug / production"), &|row| Some(row.tiers[tier].ratios.compile));
        column(&format!("{name}: tables / text"), &|row| Some(row.tiers[tier].tables));
    }
    column("time, production / wasmtime's", &|row| row.against_theirs);
    column("compiling, production / wasmtime's", &|row| Some(row.compile_against_theirs));
    column("wasmtime: time, debug / production", &|row| row.theirs.time);
    column("wasmtime: text, debug / production", &|row| Some(row.theirs.text));
    column("wasmtime: compiling", &|row| Some(row.theirs.compile));
    match refused {
        0 => Ok(()),
        _ => Err(format!("{refused} of {} programs refused", paths.len()).into()),
    }
}

/// Debug over production.
struct Ratios {
    /// Unknown where the program cannot be run.
    time: Option<f64>,
    text: f64,
    compile: f64,
}

/// What a debug tier of ours costs.
struct Tier {
    ratios: Ratios,
    /// Bytes of the debug image's tables over bytes of its text.
    tables: f64,
}

struct Row {
    /// Nanoseconds in production code.
    production: f64,
    /// In the order of [`TIERS`].
    tiers: [Tier; 2],
    /// Over wasmtime's.
    against_theirs: Option<f64>,
    /// The same of compiling, validation on neither side.
    compile_against_theirs: f64,
    theirs: Ratios,
}

/// A ratio, if it is known.
fn shown(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| String::from("    -"), |ratio| format!("{ratio:5.2}"))
}

impl Row {
    fn print(&self, name: &str) {
        let [regions, simple] = &self.tiers;
        println!(
            "{name:22} {:>7.2} ms |             {} {:>7.2} |          {} {:>7.2} |         {} {:>7.2} |           {}",
            self.production / 1e6,
            shown(self.against_theirs),
            self.compile_against_theirs,
            regions.ratios.shown(),
            regions.tables,
            simple.ratios.shown(),
            simple.tables,
            self.theirs.shown()
        );
    }
}

impl Ratios {
    fn shown(&self) -> String {
        format!("{:>6} {:>6.2} {:>7.2}", shown(self.time), self.text, self.compile)
    }
}

/// The middle one of the quotients of each round, where both were measured in all.
fn ratio(over: &[f64], under: &[f64]) -> Option<f64> {
    let mut ratios: Vec<f64> = over.iter().zip(under).map(|(a, b)| a / b).collect();
    (ratios.len() == ROUNDS).then(|| median(&mut ratios))
}

fn program(path: &Path) -> Result<Row> {
    let binary = wat::parse_file(path)?;
    let mut own = Vec::new();
    for debug_tier in TIERS {
        // One thread, for the compile times.
        let engine = Engine::new(Config { debug: true, debug_tier, parallel: false, ..Config::default() })?;
        let module = Module::new(&engine, &binary)?;
        let code = module.debug_code(&|_, _| true)?;
        own.push((engine, module, code));
    }
    // Production code is the same whatever the tier of debug code.
    let (engine, module, _) = &own[0];

    let mut config = wasmtime::Config::new();
    config.parallel_compilation(false);
    let other = wasmtime::Engine::new(&config)?;
    let their_module = wasmtime::Module::new(&other, &binary)?;
    config.guest_debug(true).collector(wasmtime::Collector::Null);
    let other_debug = wasmtime::Engine::new(&config)?;
    let their_debug_module = wasmtime::Module::new(&other_debug, &binary)?;

    // Production, the tiers, theirs, theirs for debugging; so too the samples below.
    let mut compiles: [Vec<f64>; 5] = Default::default();
    // Theirs without validation, as ours is.
    let mut compiled_there = Vec::new();
    for _ in 0..ROUNDS {
        // Validation is in the production time alone, and is taken off.
        let validation = timed(|| Ok(Module::validate(engine, &binary)?))?;
        compiles[0].push(timed(|| Ok(Module::new(engine, &binary)?))? - validation);
        for (tier, (engine, ..)) in own.iter().enumerate() {
            let again = Module::new(engine, &binary)?;
            compiles[1 + tier].push(timed(|| Ok(again.debug_code(&|_, _| true)?))?);
        }
        let validation = timed(|| Ok(wasmtime::Module::validate(&other, &binary)?))?;
        compiles[3].push(timed(|| Ok(wasmtime::Module::new(&other, &binary)?))?);
        compiled_there.push(compiles[3][compiles[3].len() - 1] - validation);
        compiles[4].push(timed(|| Ok(wasmtime::Module::new(&other_debug, &binary)?))?);
    }

    // Theirs has no WASI to offer but the end of the program.
    let runs_there = module
        .imports()
        .all(|(from, name, _)| from == "bench" || (from, name) == (stepwell::wasi::MODULE, "proc_exit"));
    let mut samples: [Vec<f64>; 5] = Default::default();
    for round in 0..=ROUNDS {
        let mut times = vec![ours(engine, module, path, false)?];
        for (engine, module, _) in &own {
            times.push(ours(engine, module, path, true)?);
        }
        if runs_there {
            times.push(theirs(&other, &their_module)?);
            // Guest debugging can run out of stack where nothing else does.
            times.extend(theirs(&other_debug, &their_debug_module).ok());
        }
        // The first round warms up.
        if round > 0 {
            samples.iter_mut().zip(times).for_each(|(samples, time)| samples.push(time));
        }
    }
    let text = f64::from(module.production_code().text_len());
    let tier = |tier: usize| -> Result<Tier> {
        let code = &own[tier].2;
        let debug_text = f64::from(code.text_len());
        Ok(Tier {
            ratios: Ratios {
                time: ratio(&samples[1 + tier], &samples[0]),
                text: debug_text / text,
                compile: ratio(&compiles[1 + tier], &compiles[0]).ok_or("no samples")?,
            },
            tables: code.tables().bytes() as f64 / debug_text,
        })
    };
    Ok(Row {
        tiers: [tier(0)?, tier(1)?],
        against_theirs: ratio(&samples[0], &samples[3]),
        compile_against_theirs: ratio(&compiles[0], &compiled_there).ok_or("no samples")?,
        theirs: Ratios {
            time: ratio(&samples[4], &samples[3]),
            text: their_text(&their_debug_module) / their_text(&their_module),
            compile: ratio(&compiles[4], &compiles[3]).ok_or("no samples")?,
        },
        production: median(&mut samples[0]),
    })
}

/// The bytes of its functions: the text as a whole is filled up to pages.
fn their_text(module: &wasmtime::Module) -> f64 {
    module.functions().map(|function| function.len as f64).sum()
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

/// Runs the program of that path, with its folder as the current one. It must end well, having printed what the file
/// beside it expects, if there is one.
fn ours(engine: &Engine, module: &Module, path: &Path, debug: bool) -> Result<f64> {
    let mut store = Store::new(engine);
    if debug {
        Debugger::attach(&mut store, |_| Action::Continue)?;
    }
    let marks = Marks::default();
    let mut linker = Linker::new(engine);
    for name in ["start", "end"] {
        let marks = marks.clone();
        linker.func_wrap("bench", name, move || marks.note(name))?;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let printed = Arc::new(Mutex::new(Vec::new()));
    let mut wasi = WasiConfig::new();
    wasi.set_args(["program"])?.preopen_dir(folder, ".", Access::ReadOnly)?.set_stdout({
        let printed = printed.clone();
        move |bytes| printed.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes)
    });
    wasi.add_to(&mut linker, &mut store)?;
    let instance = linker.instantiate(&mut store, module)?;
    let start = instance.typed_func::<(), ()>(&mut store, "_start")?;
    let started = Instant::now();
    let outcome = start.call(&mut store, ());
    let ended = Instant::now();
    match outcome {
        Err(error) if error.payload::<Trap>().and_then(Trap::exit_status) != Some(0) => return Err(error.into()),
        _ => {}
    }
    if let Ok(expected) = std::fs::read(path.with_extension("stdout.expected"))
        && expected != *printed.lock().unwrap_or_else(PoisonError::into_inner)
    {
        return Err("it has printed something else than expected".into());
    }
    Ok(marks.between(started, ended))
}

/// In wasmtime, where WASI is not to be had but for the end of the program.
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
