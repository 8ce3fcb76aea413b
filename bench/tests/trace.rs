//! Holds `oracle-trace` and `own-trace` against traces that were checked by hand, instruction by instruction: a rule it
//! got wrong would otherwise be "confirmed" by every comparison with it.
//!
//! Beside each `tests/wat/NAME.wat` stands `NAME.traces`: a line `> [--max N] EXPORT ARGS...`, then the trace it must
//! give.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wat")
}

const PROGRAMS: [&str; 2] = [env!("CARGO_BIN_EXE_oracle-trace"), env!("CARGO_BIN_EXE_own-trace")];

/// What the program printed; its standard error where it failed.
fn trace(program: &str, module: &Path, options: &[&str], words: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(options).arg(module).args(words).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

fn check(name: &str) {
    let text = std::fs::read_to_string(folder().join(name).with_extension("traces")).unwrap();
    let mut runs = text.split("> ");
    assert_eq!(runs.next(), Some(""), "{name}.traces must begin with a call");
    let mut checked = 0;
    for run in runs {
        let (call, expected) = run.split_once('\n').unwrap();
        let words: Vec<&str> = call.split(' ').collect();
        let (options, words) = if words[0] == "--max" { words.split_at(2) } else { words.split_at(0) };
        for program in PROGRAMS {
            assert_eq!(
                trace(program, &folder().join(name).with_extension("wat"), options, words).as_deref(),
                Ok(expected),
                "{program}: {name}: {call}"
            );
        }
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn control() {
    check("control");
}

#[test]
fn ifs() {
    check("ifs");
}

#[test]
fn calls() {
    check("calls");
}

#[test]
fn values() {
    check("values");
}

#[test]
fn traps() {
    check("traps");
}

#[test]
fn segment() {
    check("segment");
}

/// `--max` counts lines, and ends the program although the guest would go on for ever.
#[test]
fn recursion_ends_at_max() {
    for program in PROGRAMS {
        let text = trace(program, &folder().join("traps.wat"), &["--max", "500"], &["deep"]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 501);
        assert!(lines[499].starts_with("500 "), "{}", lines[499]);
        assert_eq!(lines[500], "max");
    }
}

#[test]
fn mistakes_are_named() {
    let module = folder().join("values.wat");
    for (words, expected) in [
        (&["none"][..], "no function is exported as \"none\""),
        (&["ints", "1"][..], "the function takes 2 arguments, 1 given"),
        (&["ints", "x", "1"][..], "argument \"x\" as i32"),
        (&["ints", "4294967296", "1"][..], "out of range"),
    ] {
        for program in PROGRAMS {
            let error = trace(program, &module, &[], words).unwrap_err();
            assert!(error.contains(expected), "{program}: {error}");
        }
    }
    for program in PROGRAMS {
        assert!(trace(program, &folder().join("absent.wat"), &[], &["f"]).unwrap_err().contains("absent.wat"));
    }
}
