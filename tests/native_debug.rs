//! A debugger of the process, gdb, looks through guests: their frames have names, and are unwound right at every instruction, in both
//! tiers. gdb is asked in its batch mode, about a C program.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Values that live across calls (so that registers are saved), results in memory, and a frame so large that its stack is
/// checked first.
const GUEST: &str = r#"(module $guest
    (import "host" "call" (func $host (param i32) (result i32)))
    (func $inner (param i32) (result i32) (call $host (local.get 0)))
    (func $middle (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32 i32 i32)
        (i32.add (call $inner (local.get 0)) (local.get 1))
        (i32.mul (local.get 3) (i32.add (local.get 2) (local.get 4)))
        (i32.add (local.get 5) (i32.add (local.get 6) (i32.add (local.get 7) (local.get 8)))))
    (func (export "outer") (param i32) (result i32) (local i32 i32)
        (call $middle (local.get 0) (i32.const 1) (local.get 0) (i32.const 3) (local.get 0) (i32.const 5)
            (local.get 0) (i32.const 7) (local.get 0))
        (local.set 1) (local.set 2)
        (i32.add (local.get 1) (i32.add (local.get 2)))))"#;

/// Its functions, innermost first, and what stands between them and the host.
const GUESTS: [&str; 3] = ["inner", "middle", "guest!wasm-function[3]"];
const TO_HOST: &str = "wasm-trampoline to host (i32) -> (i32)";
const TO_WASM: &str = "wasm-trampoline to wasm (i32) -> (i32)";

/// The program, and its guest in a file.
fn program() -> (PathBuf, PathBuf) {
    let dir = support::scratch("native");
    let (program, guest) = (dir.join("native"), dir.join("guest.wasm"));
    let source = support::root().join("tests/c/outside/native.c");
    support::compile("cc", &[&source], &program, &["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-O1"]);
    std::fs::write(&guest, wat::parse_str(GUEST).unwrap()).unwrap();
    (program, guest)
}

/// What gdb says to these commands.
fn gdb(commands: &[&str], program: &Path, args: &[&str]) -> String {
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set confirm off"]);
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let output =
        gdb.arg("--args").arg(program).args(args).env("LC_ALL", "C").output().expect("gdb runs; apt install gdb");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether frames of these functions come in this order, innermost first, and none without a name.
fn check(said: &str, wanted: &[&str]) {
    let frames: Vec<&str> = said.lines().filter(|line| line.starts_with('#')).collect();
    assert!(!frames.iter().any(|frame| frame.contains("??")), "{said}");
    let mut rest = frames.iter();
    for name in wanted {
        // `#0  name (`, or `#1  0xaddress in name (`.
        let is = |frame: &&str| frame.contains(&format!(" {name} (")) || frame.contains(&format!(" {name}::h"));
        assert!(rest.any(is), "no frame of {name} where it should be:\n{said}");
    }
}

#[test]
fn a_backtrace_goes_through_guests() {
    let (program, guest) = program();
    let guest = guest.to_str().unwrap();
    let commands = ["set breakpoint pending on", "break in_host", "run", "bt", "delete", "continue"];
    for tier in ["production", "debug"] {
        let said = gdb(&commands, &program, &[guest, tier]);
        let host = ["in_host", "host", TO_HOST];
        let main = [TO_WASM, "stepwell::isa::x86_64::entry::enter_raw", "wasm_func_call", "call_i32", "main"];
        check(&said, &[&host[..], &GUESTS, &main].concat());
        assert!(said.contains("exited normally"), "{said}");
    }
    let said = gdb(&["break at_stop", "run", "bt"], &program, &[guest, "debug"]);
    let stop = ["at_stop", "on_stop", "stepwell::isa::x86_64::entry::stop_trampoline"];
    check(&said, &[&stop[..], &GUESTS, &[TO_WASM, "main"]].concat());
}

/// Goes on instruction by instruction, from the host back to the host, and has every frame unwound each time.
const STEPS: &str = r#"
import gdb
seen, steps = set(), 0
def frames():
    names, frame = [], gdb.newest_frame()
    while frame is not None:
        names.append(frame.name() or "??")
        frame = frame.older()
    return names
while steps < 20000:
    names = frames()
    if "main" not in names:
        print("LOST", gdb.execute("x/2i $pc", to_string=True), names)
        break
    guests = [name for name in names if name in ("inner", "middle", "guest!wasm-function[3]") or name.startswith("wasm-tramp")]
    if names[0] in guests:
        seen.add(names[0])
        order = ["wasm-trampoline to host (i32) -> (i32)", "inner", "middle", "guest!wasm-function[3]", "wasm-trampoline to wasm (i32) -> (i32)"]
        if guests != order[order.index(guests[0]):]:
            print("WRONG", guests)
            break
    elif not guests:
        print("DONE", steps, sorted(seen))
        break
    gdb.execute("stepi", to_string=True)
    steps += 1
"#;

#[test]
fn every_instruction_is_unwound_right() {
    let (program, guest) = program();
    let script = support::scratch("native").join("steps.py");
    std::fs::write(&script, STEPS).unwrap();
    let source = format!("source {}", script.display());
    for tier in ["production", "debug"] {
        let commands = ["break in_host", "run", "delete", &source];
        let said = gdb(&commands, &program, &[guest.to_str().unwrap(), tier]);
        let done = said.lines().find(|line| line.starts_with("DONE")).unwrap_or_else(|| panic!("{tier}:\n{said}"));
        for name in ["inner", "middle", "wasm-function[3]", "to host", "to wasm"] {
            assert!(done.contains(name), "{tier}: {done}");
        }
    }
}
