//! Developer commands: `cargo xtask COMMAND`. What continuous integration runs, it runs through these.

mod asan;
mod groups;
mod headers;
mod refs;
mod sanitize;
mod symbols;
mod vecs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  headers [--check]    write the headers in include/ and src/capi/{vecs,refs}.rs; or fail if they differ
  symbols [--bless] [LIBRARY]
                       compare the exported symbols with the headers and tests/abi/symbols.txt; or write that file
  asan [NAME...]       run the C tests (or those named) with the Rust library built with AddressSanitizer
  asan-rust [TEST...]  run the Rust tests (or those files) with AddressSanitizer
  tsan [TEST...]       run the Rust tests that have threads (or those files) with ThreadSanitizer
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["asan", names @ ..] => asan::run(names),
        ["asan-rust", names @ ..] => sanitize::run(sanitize::Sanitizer::Address, names),
        ["tsan", names @ ..] => sanitize::run(sanitize::Sanitizer::Thread, names),
        ["headers"] => headers::run(false),
        ["headers", "--check"] => headers::run(true),
        ["symbols"] => symbols::run(None, false),
        ["symbols", "--bless"] => symbols::run(None, true),
        ["symbols", library] => symbols::run(Some(Path::new(library)), false),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{}", message.trim_end());
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the repository").to_owned()
}

/// Reads a file of the repository.
fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Writes `text` to a file of the repository, or, to check, fails if the file has other contents.
fn write_or_check(path: &Path, text: &str, check: bool, command: &str) -> Result<(), String> {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    if old == text {
        return Ok(());
    }
    if check {
        let line = old.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
        return Err(format!(
            "{}:{} differs from what the sources say; run `cargo xtask {command}`\n  is:     {}\n  should: {}",
            path.strip_prefix(root()).unwrap_or(path).display(),
            line + 1,
            old.lines().nth(line).unwrap_or("(end of file)"),
            text.lines().nth(line).unwrap_or("(end of file)"),
        ));
    }
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("wrote {}", path.strip_prefix(root()).unwrap_or(path).display());
    Ok(())
}
