//! What coverage costs programs that have run for a while, and what the code costs that it needs.

use super::{Table, programs, timed};
use crate::Result;
use std::path::Path;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Config, DebugTier, Engine, InstancePre, Linker, Module, Store};

const ROUNDS: usize = 15;

/// Over the programs of this package: with coverage of lines, functions and branches over without, in the same code,
/// when each has run once; and that code over what debug code is at first.
pub fn rows(table: &Table<'_>) -> Result<()> {
    let (mut covered, mut code, mut text) = (Vec::new(), Vec::new(), Vec::new());
    for path in programs::own_programs()? {
        let name = format!("coverage-{}", path.file_stem().unwrap_or_default().to_string_lossy());
        if !table.wants(&name) {
            continue;
        }
        let [with, of_code, of_text] = program(&path)?;
        table.line(&name, "< 1.02", [Some(with), None, None], ratio);
        covered.push(with);
        code.push(of_code);
        text.push(of_text);
    }
    if !table.wants("coverage") {
        return Ok(());
    }
    let mean = |ratios: &[f64]| (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    table.line("coverage", "< 1.02, mean of these", [Some(mean(&covered)), None, None], ratio);
    table.line("coverage-code", "its code over regions, time", [Some(mean(&code)), None, None], ratio);
    table.line("coverage-text", "the same, bytes", [Some(mean(&text)), None, None], ratio);
    Ok(())
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.3}")
}

/// A store in which a program can be run again and again, each time as an instance of its own.
struct Runs {
    store: Store,
    program: InstancePre,
}

impl Runs {
    fn new(engine: &Engine, module: &Module, covers: bool) -> Result<Runs> {
        let mut store = Store::new(engine);
        let debugger = Debugger::attach(&mut store, |_| Action::Continue)?;
        if covers {
            debugger.cover(&mut store, None)?;
        }
        let mut linker = Linker::new(engine);
        for name in ["start", "end"] {
            linker.func_wrap("bench", name, || ())?;
        }
        let program = linker.instantiate_pre(module)?;
        Ok(Runs { store, program })
    }

    fn run(&mut self) -> Result<f64> {
        let instance = self.program.instantiate(&mut self.store)?;
        let start = instance.typed_func::<(), ()>(&mut self.store, "_start")?;
        timed(|| Ok(start.call(&mut self.store, ())?))
    }
}

/// Coverage over none, and the code with stop points in each block over that with regions: its time and its bytes.
fn program(path: &Path) -> Result<[f64; 3]> {
    let binary = wat::parse_file(path)?;
    let made = |debug_tier| -> Result<(Engine, Module, f64)> {
        let engine = Engine::new(Config { debug: true, debug_tier, ..Config::default() })?;
        let module = Module::new(&engine, &binary)?;
        let bytes = f64::from(module.debug_code(&|_, _| true)?.text_len());
        Ok((engine, module, bytes))
    };
    let (blocks, regions) = (made(DebugTier::Blocks)?, made(DebugTier::Regions)?);
    let mut bare = Runs::new(&blocks.0, &blocks.1, false)?;
    let mut covered = Runs::new(&blocks.0, &blocks.1, true)?;
    let mut other = Runs::new(&regions.0, &regions.1, false)?;
    // The first round warms up: what is reached is noted then.
    for runs in [&mut covered, &mut bare, &mut other] {
        runs.run()?;
    }
    // What else the machine does makes a run longer, never shorter: of two that differ by less than that, the shortest
    // runs are compared.
    let mut best = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        let times = [covered.run()?, bare.run()?, other.run()?];
        best.iter_mut().zip(times).for_each(|(best, time)| *best = best.min(time));
    }
    let [covered, bare, other] = best;
    Ok([covered / bare, bare / other, blocks.2 / regions.2])
}
