//! `cargo xtask asan-rust` and `cargo xtask tsan`: the Rust tests under AddressSanitizer, and those that have threads
//! under ThreadSanitizer. The C tests under AddressSanitizer are `asan`'s.
//!
//! Code of guests has no sanitizer in it: what it reads and writes is not looked at, and of two threads only what Rust
//! does is. Guests of two stores share nothing that they write, so that nothing is missed there; and what they read of
//! the runtime's structures is written by Rust on the same thread.

use crate::root;
use std::process::Command;

/// The target, named so that build scripts and procedural macros are built without the sanitizer.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Guests' traps are signals that the library handles itself; those that are none of its guests' it hands on to the
/// sanitizer. Memory that is not to be had is an error of the library's.
const OPTIONS: &str = "handle_segv=1:handle_sigill=1:handle_sigfpe=1:handle_sigbus=1:allow_user_segv_handler=1:allocator_may_return_null=1";
/// The unit tests, which are no file of `tests/`.
const UNIT: &str = "lib";

/// Test programs that are not run with AddressSanitizer, and why not.
const NOT_ADDRESS: [(&str, &str); 7] = [
    ("c_api", "programs in C with the shared library: `asan` runs them"),
    ("docs", "runs nothing of the library"),
    ("headers", "runs nothing of the library, and wants its exports to be exactly those of the headers"),
    ("layering", "runs nothing of the library"),
    ("native_debug", "a program in C with the shared library, under gdb"),
    ("plugin", "a program in C that loads the shared library, which would need the sanitizer's runtime before all"),
    ("refused", "the system refuses calls that the sanitizer cannot do without"),
];

/// Test programs with threads that share something of the library's, and which of their tests: none named, all.
const THREADED: [(&str, &[&str]); 7] = [
    ("code_ownership", &[]),
    ("debugger", &["debug::", "inside::", "resume::"]),
    ("engine", &["limits::", "rerun::", "runtime::"]),
    ("serialize", &[]),
    ("threads", &[]),
    ("tiers", &[]),
    ("wasi", &[]),
];

/// A sanitizer.
#[derive(Clone, Copy)]
pub enum Sanitizer {
    /// Uses of freed memory, overflows, leaks.
    Address,
    /// Races.
    Thread,
}

impl Sanitizer {
    /// What is run with it: programs, and which of their tests.
    fn tests(self) -> Result<Vec<(String, &'static [&'static str])>, String> {
        let all: &[&str] = &[];
        let mut tests = vec![(UNIT.to_owned(), all)];
        match self {
            Sanitizer::Address => {
                let files = files()?.into_iter().filter(|file| NOT_ADDRESS.iter().all(|(not, _)| not != file));
                tests.extend(files.map(|file| (file, all)));
            }
            Sanitizer::Thread => tests.extend(THREADED.map(|(program, which)| (program.to_owned(), which))),
        }
        Ok(tests)
    }

    /// Cargo, as it is called for it.
    fn cargo(self) -> Command {
        let mut command = Command::new(env!("CARGO"));
        // The toolchain is a stable one; sanitizers are an unstable flag of it.
        command
            .args(["test", "--quiet", "--workspace", "--target", TARGET, "--target-dir"])
            .env("RUSTC_BOOTSTRAP", "1");
        match self {
            Sanitizer::Address => command
                .arg(root().join("target/asan"))
                .env("RUSTFLAGS", "-Zsanitizer=address --cfg stepwell_check_handles")
                // Locals stand on the stack, whose bounds the library looks at.
                .env("ASAN_OPTIONS", format!("detect_leaks=1:detect_stack_use_after_return=0:{OPTIONS}")),
            // The standard library that comes with the toolchain has no sanitizer in it: what its locks and counters
            // order is not seen.
            Sanitizer::Thread => command
                .arg(root().join("target/tsan"))
                .arg("-Zbuild-std")
                .env("RUSTFLAGS", "-Zsanitizer=thread")
                .env("TSAN_OPTIONS", format!("halt_on_error=1:{OPTIONS}")),
        };
        command
    }
}

/// The test programs.
fn files() -> Result<Vec<String>, String> {
    let dir = root().join("tests");
    let entries = std::fs::read_dir(&dir).map_err(|error| format!("cannot read {}: {error}", dir.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let tests = paths.filter(|path| path.extension().is_some_and(|e| e == "rs") || path.join("main.rs").exists());
    let mut names: Vec<String> = tests.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// Runs the tests with a sanitizer; with names, only those files.
pub fn run(sanitizer: Sanitizer, names: &[&str]) -> Result<(), String> {
    if let Sanitizer::Thread = sanitizer {
        sources_of_std()?;
    }
    let mut failed = Vec::new();
    for (test, which) in sanitizer.tests()? {
        if !names.is_empty() && !names.contains(&&*test) {
            continue;
        }
        let mut command = sanitizer.cargo();
        if test == UNIT {
            command.args(["--package", "stepwell", "--lib"]);
        } else {
            command.args(["--test", &test, "--"]).args(which);
        }
        let status = command
            // Fewer of what is many: each access costs several times what it costs else.
            .env("STEPWELL_SMITH", "20")
            .env("STEPWELL_SEEDS", "2")
            .env("STEPWELL_STEPS", "2000")
            .env_remove("RUST_BACKTRACE")
            .current_dir(root())
            .status()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        println!("sanitized {test} ... {}", if status.success() { "ok" } else { "FAILED" });
        if !status.success() {
            failed.push(test);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("{} failed", failed.join(", "))) }
}

/// Gets the source of the standard library, where it is missing.
fn sources_of_std() -> Result<(), String> {
    let asked = Command::new("rustc").args(["--print", "sysroot"]).output();
    let asked = asked.map_err(|error| format!("cannot run rustc: {error}"))?;
    let sysroot = String::from_utf8_lossy(&asked.stdout);
    if std::path::Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").exists() {
        return Ok(());
    }
    match Command::new("rustup").args(["component", "add", "rust-src"]).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("ThreadSanitizer needs the standard library's source: `rustup component add rust-src`".to_owned()),
    }
}
