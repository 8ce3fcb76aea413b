//! Runs generated modules to the end in production code, in debug code with a breakpoint in every function,
//! single-stepped, and in another engine (wasmtime), and compares what they did: results or trap, and then every
//! global, memory and table's size.
//!
//! `agree FOLDER` takes the modules and calls that `smith` has written; each call gets a store of its own. It prints
//! the calls that differ and closes with `N equal, M different, K out of stack`: neither engine promises a depth.

#[path = "../compare.rs"]
mod compare;

use compare::{Mode, OVERFLOW, call_ours, call_theirs};
use std::process::ExitCode;
use stepwell::runtime::Module;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("agree: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<usize> {
    let folder = std::env::args().nth(1).ok_or("usage: agree FOLDER")?;
    let own = compare::own_engine()?;
    let other = wasmtime::Engine::new(&compare::other_config())?;
    let mut paths: Vec<_> = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "calls"));
    paths.sort();
    let (mut equal, mut different, mut overflows) = (0, 0, 0);
    for path in paths {
        let binary = std::fs::read(path.with_extension("wasm"))?;
        let theirs = wasmtime::Module::new(&other, &binary)?;
        let ours = Module::new(&own, &binary).map_err(|error| format!("{}: {error}", path.display()))?;
        for line in std::fs::read_to_string(&path)?.lines() {
            let expected = call_theirs(&other, &theirs, line)?;
            let mut overflow = expected.contains(OVERFLOW);
            let mut fine = true;
            for mode in [Mode::Production, Mode::Breakpoints, Mode::Steps] {
                let found = call_ours(&own, &ours, line, mode)?;
                overflow |= found.contains(OVERFLOW);
                if found != expected && !overflow {
                    fine = false;
                    println!("{}: {line}: {mode:?}\n  stepwell {found}\n  other    {expected}", path.display());
                }
            }
            match (overflow, fine) {
                (true, _) => overflows += 1,
                (false, true) => equal += 1,
                (false, false) => different += 1,
            }
        }
    }
    println!("{equal} equal, {different} different, {overflows} out of stack");
    Ok(different)
}
