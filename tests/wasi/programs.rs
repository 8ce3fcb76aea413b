//! C programs of our own that use files, directories, links and waiting (`tests/wasi-programs`): what they print here
//! must be what the same source, compiled for this system, prints.

use super::guest::Folder;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use stepwell::wasi::{Access, OutputBuffer, WasiConfig};
use stepwell::*;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wasi-programs");

/// What is typed, and how long that takes. Most programs have ended by then.
fn type_late(mut to: impl Write + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        let _ = to.write_all(b"typed");
    })
}

/// Compiled by the system's compiler, in an empty folder.
fn natively(folder: &Path, name: &str) -> (i32, String) {
    let (program, inside) = (folder.join(name), folder.join("native"));
    fs::create_dir(&inside).unwrap();
    let options = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-w", "-o"];
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let source = format!("{SOURCES}/{name}.c");
    let status = Command::new(compiler).args(options).arg(&program).arg(source).status().expect("a C compiler");
    assert!(status.success());
    let mut child =
        Command::new(program).current_dir(inside).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let typing = type_late(child.stdin.take().unwrap());
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    typing.join().unwrap();
    (child.wait().unwrap().code().unwrap(), out)
}

/// As a guest, in another one.
fn as_guest(folder: &Path, name: &str) -> (i32, String) {
    let inside = folder.join("guest");
    fs::create_dir(&inside).unwrap();
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let module = Module::new(&engine, &fs::read(PathBuf::from(SOURCES).join(format!("{name}.wasm"))).unwrap()).unwrap();
    let out = OutputBuffer::new(1 << 20);
    // A pipe as standard input: a file of the host's that can be waited for.
    let (input, output) = rustix::pipe::pipe().unwrap();
    let mut config = WasiConfig::new();
    config.set_stdin_file(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&input))).unwrap();
    config.set_stdout_buffer(&out).set_stderr_buffer(&out);
    config.set_args([name]).unwrap();
    config.preopen_dir(&inside, ".", Access::ReadWrite).unwrap();
    let typing = type_late(fs::File::from(output));
    let mut linker = Linker::new(&engine);
    config.add_to(&mut linker, &mut store).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let start = instance.export(&mut store, "_start").unwrap().func().unwrap();
    let status = match start.call(&mut store, &[], &mut []) {
        Ok(()) => 0,
        Err(error) => error.payload::<Trap>().and_then(Trap::exit_status).unwrap_or_else(|| panic!("{error}")),
    };
    typing.join().unwrap();
    (status, String::from_utf8(out.take()).unwrap())
}

fn same(name: &str) {
    let folder = Folder::new();
    let (status, expected) = natively(&folder.0, name);
    let (our_status, ours) = as_guest(&folder.0, name);
    assert!(expected.lines().count() > 10, "{expected}");
    for (line, (expected, ours)) in expected.lines().zip(ours.lines()).enumerate() {
        assert_eq!(ours, expected, "line {} of {name}", line + 1);
    }
    assert_eq!((our_status, ours), (status, expected));
    assert_eq!(fs::read_dir(folder.0.join("guest")).unwrap().count(), 0, "all was removed");
}

#[test]
fn files_are_as_on_linux() {
    same("files");
}

#[test]
fn directories_are_as_on_linux() {
    same("directories");
}

#[test]
fn links_are_as_on_linux() {
    same("links");
}

#[test]
fn waiting_is_as_on_linux() {
    same("waiting");
}
