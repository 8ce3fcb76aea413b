//! `cargo xtask asan`: the C tests with AddressSanitizer, in the Rust library itself as well as in the programs: a use
//! of freed memory, an overflow or a leak on either side of the C ABI fails.

use crate::root;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target, named so that build scripts and procedural macros are built without the sanitizer.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds the library and the programs with AddressSanitizer, and runs them. With names, only those.
pub fn run(names: &[&str]) -> Result<(), String> {
    let target_dir = root().join("target/asan");
    // The toolchain is a stable one; the sanitizer is an unstable flag of it.
    command(
        Command::new(env!("CARGO"))
            .args(["rustc", "--package", "stepwell", "--lib", "--crate-type", "staticlib", "--target", TARGET])
            .arg("--target-dir")
            .arg(&target_dir)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address --cfg stepwell_check_handles")
            .current_dir(root()),
    )?;
    let library = target_dir.join(TARGET).join("debug/libstepwell.a");
    let mut failed = Vec::new();
    let generated = target_dir.join("misuse_all.c");
    command(
        Command::new("python3")
            .arg(root().join("tests/c/misuse/generate.py"))
            .arg(root().join("include"))
            .arg(&generated),
    )?;
    for source in sources()?.into_iter().chain([generated]) {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !names.is_empty() && !names.contains(&&*name) {
            continue;
        }
        let program = target_dir.join(&name);
        command(
            Command::new("cc")
                .args(["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-g", "-O1", "-fsanitize=address", "-pthread", "-I"])
                .arg(root().join("include"))
                .arg("-I")
                .arg(root().join("tests/c"))
                .arg(&source)
                .arg(&library)
                .args(["-ldl", "-lm", "-o"])
                .arg(&program),
        )?;
        match check(&program) {
            Ok(()) => println!("asan {name} ... ok"),
            Err(message) => {
                println!("asan {name} ... FAILED");
                eprintln!("{message}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("AddressSanitizer: {} failed", failed.join(", "))) }
}

/// The C tests.
fn sources() -> Result<Vec<PathBuf>, String> {
    let dir = root().join("tests/c");
    let entries = std::fs::read_dir(&dir).map_err(|error| format!("cannot read {}: {error}", dir.display()))?;
    let mut sources: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .collect();
    sources.sort();
    Ok(sources)
}

/// Runs a program, which must succeed and leak nothing.
fn check(program: &Path) -> Result<(), String> {
    // Guests' traps are signals that the library handles itself, and memory that is not to be had is an error of its
    // own.
    let options = "detect_leaks=1:handle_segv=0:handle_sigill=0:handle_sigfpe=0:handle_sigbus=0:allow_user_segv_handler=1:\
                   allocator_may_return_null=1";
    let output = Command::new(program)
        .env("ASAN_OPTIONS", options)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}\n{}", program.display(), output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Runs a command, which must succeed.
fn command(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}
