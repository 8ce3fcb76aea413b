//! `cargo xtask asan-rust` and `cargo xtask tsan`: the Rust tests under AddressSanitizer, and those that have threads under
//! ThreadSanitizer. The C tests under AddressSanitizer are `asan`'s.

use crate::root;
use std::process::Command;

/// The target, named so that build scripts and procedural macros are built without the sanitizer.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Guests' traps are signals that the library handles itself.
const SIGNALS: &str = "handle_segv=0:handle_sigill=0:handle_sigfpe=0:handle_sigbus=0:allow_user_segv_handler=1";

/// Test files that look into the library itself, without a process of their own.
const TESTS: [&str; 16] = [
    "attach",
    "code_image",
    "code_ownership",
    "collect",
    "configurations",
    "debug",
    "inside",
    "limits",
    "regions",
    "replay",
    "resume",
    "runtime",
    "serialize",
    "source",
    "spec",
    "spike_frames",
];
/// Those of them in which threads share something, and the names of the tests, where not all.
const THREADED: [&str; 6] = ["debug", "inside", "limits", "replay", "resume", "runtime"];

/// A sanitizer.
#[derive(Clone, Copy)]
pub enum Sanitizer {
    /// Uses of freed memory, overflows, leaks.
    Address,
    /// Races.
    Thread,
}

/// Runs the tests with a sanitizer; with names, only those files.
pub fn run(sanitizer: Sanitizer, names: &[&str]) -> Result<(), String> {
    let (flags, folder, variable, tests) = match sanitizer {
        Sanitizer::Address => ("-Zsanitizer=address", "target/asan", "ASAN_OPTIONS", &TESTS[..]),
        // The standard library comes without it, and what it does inside is not seen.
        Sanitizer::Thread => {
            ("-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer", "target/tsan", "TSAN_OPTIONS", &THREADED[..])
        }
    };
    let options = match sanitizer {
        Sanitizer::Address => format!("detect_leaks=1:{SIGNALS}"),
        Sanitizer::Thread => {
            format!("{SIGNALS}:halt_on_error=1:suppressions={}", root().join("xtask/tsan.supp").display())
        }
    };
    let mut failed = Vec::new();
    for test in tests.iter().filter(|test| names.is_empty() || names.contains(test)) {
        let status = Command::new(env!("CARGO"))
            .args(["test", "--quiet", "--workspace", "--target", TARGET, "--test", test, "--target-dir"])
            .arg(root().join(folder))
            // The toolchain is a stable one; sanitizers are an unstable flag of it.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags)
            .env(variable, &options)
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
            failed.push(*test);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("{} failed", failed.join(", "))) }
}
