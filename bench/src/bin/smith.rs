//! Writes modules made by wasm-smith from fixed seeds, for the comparison of traces: the same numbers give the same
//! files.
//!
//! `smith [--all] [--seed FIRST] COUNT FOLDER` writes `NNNNN.wasm` and beside it `NNNNN.calls`, whose lines are `EXPORT
//! ARGS...` as the trace programs take them. A module uses WebAssembly 2.0, relaxed SIMD and extended constants, ends
//! by itself, imports functions at most (every third module imports none), and exports everything it defines or imports
//! under plain names (`f0`, `t0`, `m0`, `g0`). Each second seed makes a module that avoids traps, since one that does
//! not is over after a few instructions. With `--all` there are exceptions, structures and arrays, too.

#[path = "../generate.rs"]
mod generate;

use generate::{Proposals, make};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: smith [--all] [--seed FIRST] COUNT FOLDER";

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smith: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    let all = words.next_if(|word| word == "--all").is_some();
    let proposals = if all { Proposals::All } else { Proposals::Uncollected };
    let mut first = 0;
    if words.next_if(|word| word == "--seed").is_some() {
        first = words.next().ok_or(USAGE)?.parse::<u64>()?;
    }
    let count = words.next().ok_or(USAGE)?.parse::<u64>()?;
    let folder = words.next().ok_or(USAGE)?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    for seed in first..first + count {
        let made = make(seed, proposals).map_err(|error| format!("seed {seed}: {error}"))?;
        std::fs::write(folder.join(format!("{seed:05}.wasm")), &made.binary)?;
        std::fs::write(folder.join(format!("{seed:05}.calls")), &made.calls)?;
    }
    Ok(())
}
