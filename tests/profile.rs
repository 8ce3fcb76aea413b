//! What profilers are told: each function of each mapping, in both tiers, at its address, with its code. One test,
//! since the files belong to the process.

use linux_perf_data::jitdump::{JitDumpReader, JitDumpRecord};
use std::collections::BTreeSet;
use std::path::Path;
use stepwell::debug::{Action, Debugger};
use stepwell::*;

/// A name with a line break, one function without a name, and an import before all.
const GUEST: &str = r#"(module $guest (import "" "" (func (result i32)))
    (func $inner (param i32) (result i32) (i32.add (local.get 0) (call 0)))
    (func (export "outer") (param i32) (result i32) (call 1 (local.get 0)))
    (func $"two\nlines \u{e9}" (export "third")))"#;
const NAMES: [&str; 3] = ["inner", "guest!wasm-function[2]", "two?lines \u{e9}"];

/// A function: name, address, bytes.
type Row = (String, usize, usize);

/// What is mapped in a store of this module, by its tables.
fn mapped(store: &Store) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for (_, code) in store.registry().iter() {
        let tables = code.engine.tables();
        for (row, name) in tables.functions.iter().zip(NAMES) {
            rows.insert((name.to_owned(), code.store.pc(row.start).get(), row.len as usize));
        }
        if let Some(stub) = tables.stop_stub {
            let len = code.engine.text_len() as usize - stub.index();
            rows.insert(("wasm-stop-stub".to_owned(), code.store.pc(stub).get(), len));
        }
    }
    rows
}

/// Runs the guest in two stores in production and in two under a debugger; the rows that must be told of.
fn run(profiler: Profiler) -> (BTreeSet<Row>, Vec<Store>) {
    let engine = Engine::new(Config { debug: true, profiler, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat::parse_str(GUEST).unwrap()).unwrap();
    let mut expected = BTreeSet::new();
    let mut stores = Vec::new();
    for debugged in [false, true, false, true] {
        let mut store = Store::new(&engine);
        if debugged {
            Debugger::attach(&mut store, |_: &mut stepwell::debug::Stop<'_>| Action::Continue).unwrap();
        }
        let host = Func::wrap(&mut store, || 40).unwrap();
        let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
        let outer = instance.typed_func::<i32, i32>(&mut store, "outer").unwrap();
        assert_eq!(outer.call(&mut store, 2).unwrap(), 42);
        expected.append(&mut mapped(&store));
        stores.push(store);
    }
    // One production text for all, and a private debug text for each of two.
    assert_eq!(expected.len(), 3 + 2 * 4);
    (expected, stores)
}

/// Splits what was told into modules' functions and the names of trampolines.
fn sorted_out(rows: Vec<Row>) -> (BTreeSet<Row>, BTreeSet<String>) {
    let (trampolines, functions): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| row.0.starts_with("wasm-trampoline"));
    let count = functions.len();
    let functions: BTreeSet<Row> = functions.into_iter().collect();
    assert_eq!(functions.len(), count, "each is told of once");
    (functions, trampolines.into_iter().map(|row| row.0).collect())
}

fn trampolines() -> BTreeSet<String> {
    let names = ["wasm-trampoline to wasm (i32) -> (i32)", "wasm-trampoline to host () -> (i32)"];
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_function_is_told_of() {
    if let Some(elsewhere) = std::env::var_os("STEPWELL_PROFILE_LINK") {
        return refused_files_are_errors(&elsewhere);
    }
    let pid = std::process::id();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // SAFETY: no other thread reads or writes the environment: this is the only test.
    unsafe { std::env::set_var("JITDUMPDIR", folder) };

    let map = format!("/tmp/perf-{pid}.map");
    let _ = std::fs::remove_file(&map);
    let (expected, _stores) = run(Profiler::None);
    assert!(!expected.is_empty() && !Path::new(&map).exists());

    let (expected, _stores) = run(Profiler::PerfMap);
    let text = std::fs::read_to_string(&map).unwrap();
    std::fs::remove_file(&map).unwrap();
    let row = |line: &str| -> Row {
        let (address, rest) = line.split_once(' ').unwrap();
        let (size, name) = rest.split_once(' ').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        (name.to_owned(), number(address), number(size))
    };
    let (functions, names) = sorted_out(text.lines().map(row).collect());
    assert_eq!(functions, expected);
    assert_eq!(names, trampolines());

    let (expected, _stores) = run(Profiler::JitDump);
    let path = folder.join(format!("jit-{pid}.dump"));
    let mut reader = JitDumpReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    assert_eq!((reader.header().pid, reader.header().elf_machine_arch), (pid, 62));
    let (mut rows, mut indices, mut time) = (Vec::new(), BTreeSet::new(), reader.header().timestamp);
    assert!(time > 0);
    while let Some(record) = reader.next_record().unwrap() {
        assert!(record.timestamp >= time);
        time = record.timestamp;
        let JitDumpRecord::CodeLoad(load) = record.parse().unwrap() else { panic!("a record of another kind") };
        assert_eq!(load.pid, pid);
        assert_eq!(load.vma, load.code_addr);
        assert!(indices.insert(load.code_index));
        let code = load.code_bytes.as_slice();
        // SAFETY: what was told of is still mapped, and nothing is armed in it.
        let memory = unsafe { std::slice::from_raw_parts(load.vma as *const u8, code.len()) };
        assert_eq!(code, memory);
        rows.push((String::from_utf8(load.function_name.as_slice().to_vec()).unwrap(), load.vma as usize, code.len()));
    }
    let (functions, names) = sorted_out(rows);
    assert_eq!(functions, expected);
    assert_eq!(names, trampolines());
    // What `perf record` looks for.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let marker = maps.lines().find(|line| line.ends_with(&format!("jit-{pid}.dump"))).expect("the file is mapped");
    assert!(marker.contains("r-xp"), "{marker}");
    std::fs::remove_file(&path).unwrap();

    // A file that cannot be made is an error when the engine is made; a link that someone left is not followed.
    let elsewhere = folder.join("elsewhere");
    let _ = std::fs::remove_file(&elsewhere);
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "every_function_is_told_of"])
        .env("STEPWELL_PROFILE_LINK", &elsewhere)
        .env("JITDUMPDIR", "/nonexistent/folder")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(!elsewhere.exists());
}

/// In a process of its own: files that cannot be made, and a link that leads elsewhere.
fn refused_files_are_errors(elsewhere: &std::ffi::OsStr) {
    let map = format!("/tmp/perf-{}.map", std::process::id());
    std::os::unix::fs::symlink(elsewhere, &map).unwrap();
    for (profiler, path) in [(Profiler::PerfMap, map.as_str()), (Profiler::JitDump, "/nonexistent/folder/jit-")] {
        let error = Engine::new(Config { profiler, ..Config::default() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System);
        assert!(error.message().contains(path), "{error}");
    }
    std::fs::remove_file(map).unwrap();
}
