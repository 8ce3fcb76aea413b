//! Times Stepwell beside another engine (wasmtime): both in turn, many short rounds, medians.
//!
//! `stepwell-bench [ROW...]` prints the rows whose names begin so, or all; `stepwell-bench tier [PROGRAM.wasm...]` says
//! what the debug tier costs. `bench/README.md` says what each row is.

mod speed;

use std::process::ExitCode;

/// The crate's own error, boxed: nothing here has to be told apart.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((first, programs)) if first == "tier" => speed::tier(programs),
        Some((first, words)) if first == speed::alive::WORD => speed::alive::print(words),
        _ => speed::run(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stepwell-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
