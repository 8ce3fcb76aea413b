//! Memories that map their module's data: what an instance takes, that nothing of one is seen by the next, and that
//! all of it works where the system refuses files in memory. What they hold is compared with another engine by
//! `bench/`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use stepwell::base::{ErrorKind, Result};
use stepwell::internals::sys::faults;
use stepwell::runtime::{Config, Engine, Extern, Fallbacks, Global, Instance, Memory, Module, Store, Val};
use stepwell::{GlobalType, ValType};

#[path = "common/descriptors.rs"]
mod descriptors;

static ONE: Mutex<()> = Mutex::new(());

/// Tests here look at the whole process.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

fn instance(store: &mut Store, module: &Module) -> Instance {
    Instance::new(store, module, &[]).unwrap()
}

fn memory(store: &mut Store, instance: &Instance) -> Memory {
    let Some(Extern::Memory(memory)) = instance.export(&mut *store, "m") else { panic!("no memory") };
    memory
}

fn call(store: &mut Store, instance: &Instance, name: &str, arg: i32) -> Result<i32> {
    instance.typed_func::<i32, i32>(&mut *store, name).unwrap().call(store, arg)
}

/// A mebibyte of data behind a mebibyte of zeros, as linkers make it, with ways to look and to change.
fn usual() -> String {
    let data = "\\01\\7f\\fe step into the well, and look around ".repeat((1 << 20) / 40);
    format!(
        r#"(module (memory (export "m") 34 99) (data (i32.const 1048576) "{data}")
            (data $passive "passive bytes")
            (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
            (func (export "store") (param i32) (result i32)
                (i32.store (local.get 0) (i32.const -1)) (i32.load (local.get 0)))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "init") (param i32) (result i32)
                (memory.init $passive (local.get 0) (i32.const 0) (i32.const 13)) (data.drop $passive)
                (i32.load8_u (local.get 0)))
            (func (export "init_active") (param i32) (result i32)
                (memory.init 0 (local.get 0) (i32.const 0) (i32.const 1)) (i32.const 0)))"#
    )
}

/// Mappings of the process, and its memory that no other has, in bytes.
fn taken() -> (usize, usize) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let sizes = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let private = sizes
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .map(|line| line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10);
    (maps, private.sum())
}

#[test]
fn an_instance_takes_what_it_touches() {
    let _one = one_at_a_time();
    let engine = Engine::new(Config::default()).unwrap();
    let module = module(&engine, &usual());
    let make = || {
        let mut store = Store::new(&engine);
        let instance = instance(&mut store, &module);
        (store, instance)
    };
    let first = make();
    let before = taken();
    let mut many: Vec<_> = (0..500).map(|_| make()).collect();
    let after = taken();
    assert!(after.0 <= before.0 + 2 * 500 + 20, "{} mappings for 500 memories", after.0 - before.0);
    assert!(after.1 <= before.1 + 500 * 6 * 1024, "{} bytes for 500 instances", after.1 - before.1);
    // One page of each is written.
    for (store, instance) in &mut many {
        assert_eq!(call(store, instance, "store", 1 << 20).unwrap(), -1);
    }
    assert!(taken().1 <= after.1 + 500 * 16 * 1024);
    // The others have what they had.
    let (mut store, instance) = first;
    assert_eq!(call(&mut store, &instance, "load", 1 << 20).unwrap(), i32::from_le_bytes(*b"\x01\x7f\xfe "));
}

/// Configurations in which memories are made in different ways.
fn configurations() -> Vec<Config> {
    vec![
        Config::default(),
        Config { debug: true, ..Config::default() },
        Config { memory_images: false, ..Config::default() },
        Config { kept_memories: 0, ..Config::default() },
        Config { kept_memories: 1, ..Config::default() },
        Config { signals: false, memory_reservation: 0, memory_guard: 0, ..Config::default() },
        Config { memory_reservation: 1 << 20, memory_guard: 1 << 16, ..Config::default() },
    ]
}

/// State of every kind: memories, tables of both types, globals of all types, segments, functions that were referred
/// to.
const EVERYTHING: &str = r#"(module
    (memory (export "m") 20) (data (i32.const 70000) "data") (data $d (i32.const 200000) "more") (data $p "passive")
    (table $t (export "t") 50 funcref) (table $x (export "x") 50 externref) (table $u 20000 funcref)
    (elem (table $t) (i32.const 5) func $f $g) (elem (table $u) (i32.const 0) func $g) (elem $e func $f)
    (global (export "i") (mut i32) (i32.const 7)) (global (export "l") (mut i64) (i64.const 8))
    (global (export "s") (mut f32) (f32.const 9)) (global (export "d") (mut f64) (f64.const 10))
    (global (export "r") (mut funcref) (ref.func $f)) (global (export "e") (mut externref) (ref.null extern))
    (func $f (export "f") (result i32) (i32.const 1))
    (func $g (export "g") (result i32) (i32.const 2))
    (func (export "passive") (result i32) (memory.init $p (i32.const 0) (i32.const 0) (i32.const 7)) (i32.load8_u (i32.const 0)))
    (func (export "elements") (result i32) (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const 0))
    (func (export "drop") (data.drop $p) (elem.drop $e))
    (func (export "u") (param i32) (result i32) (ref.is_null (table.get $u (local.get 0))))
    (func (export "fill") (table.fill $u (i32.const 0) (ref.func $f) (i32.const 20000))
        (table.fill $t (i32.const 0) (ref.func $f) (i32.const 50))
        (drop (table.grow $t (ref.func $g) (i32.const 9))) (drop (table.grow $u (ref.func $g) (i32.const 9)))
        (drop (memory.grow (i32.const 3)))))"#;

/// All that can be seen of an instance from outside.
fn seen(store: &mut Store, instance: &Instance) -> String {
    let mut seen = String::new();
    let memory = memory(store, instance);
    let data = memory.data(&*store).unwrap();
    let filled: Vec<_> = data.iter().enumerate().filter(|(_, byte)| **byte != 0).collect();
    seen += &format!("memory {}: {} {:?}\n", data.len(), filled.len(), &filled[..filled.len().min(20)]);
    for name in ["t", "x"] {
        let Some(Extern::Table(table)) = instance.export(&mut *store, name) else { panic!("no table") };
        let size = table.size(&*store).unwrap();
        let filled = (0..size).filter(|at| !is_null(&table.get(&*store, *at).unwrap().unwrap()));
        seen += &format!("table {size}: {:?}\n", filled.collect::<Vec<_>>());
    }
    for name in ["i", "l", "s", "d", "r", "e"] {
        let Some(Extern::Global(global)) = instance.export(&mut *store, name) else { panic!("no global") };
        let value = global.get(&*store).unwrap();
        seen += &match value {
            Val::FuncRef(_) | Val::ExternRef(_) | Val::ExnRef(_) => format!("{}\n", is_null(&value)),
            value => format!("{value:?}\n"),
        };
    }
    let nulls = [0, 1, 2, 19_999].map(|at| call(store, instance, "u", at).unwrap());
    seen += &format!("{nulls:?} {:?}\n", call(store, instance, "u", 20_000).map_err(|error| error.kind()));
    for name in ["passive", "elements"] {
        let func = instance.typed_func::<(), i32>(&mut *store, name).unwrap();
        seen += &format!("{name}: {:?}\n", func.call(&mut *store, ()).map_err(|error| error.kind()));
    }
    seen
}

fn is_null(value: &Val) -> bool {
    matches!(value, Val::FuncRef(None) | Val::ExternRef(None) | Val::ExnRef(None) | Val::AnyRef(None))
}

/// Changes all of it.
fn spoil(store: &mut Store, instance: &Instance) {
    for name in ["drop", "fill"] {
        instance.typed_func::<(), ()>(&mut *store, name).unwrap().call(&mut *store, ()).unwrap();
    }
    memory(store, instance).data_mut(store).unwrap().fill(0xaa);
    let Some(Extern::Func(func)) = instance.export(&mut *store, "g") else { panic!("no function") };
    let values = [
        ("i", Val::I32(-1)),
        ("l", Val::I64(-1)),
        ("s", Val::F32(u32::MAX)),
        ("d", Val::F64(u64::MAX)),
        ("r", Val::FuncRef(Some(func))),
    ];
    for (name, value) in values {
        let Some(Extern::Global(global)) = instance.export(&mut *store, name) else { panic!("no global") };
        global.set(&mut *store, value).unwrap();
    }
}

#[test]
fn nothing_of_an_instance_is_seen_by_the_next() {
    let _one = one_at_a_time();
    for config in configurations() {
        let engine = Engine::new(config).unwrap();
        let module = module(&engine, EVERYTHING);
        let mut store = Store::new(&engine);
        let first = instance(&mut store, &module);
        let expected = seen(&mut store, &first);
        for round in 0..6 {
            let mut store = Store::new(&engine);
            // Many at once, a few of which are collected, and some are dropped with the store.
            for _ in 0..3 {
                let next = instance(&mut store, &module);
                assert_eq!(seen(&mut store, &next), expected, "round {round}, {:?}", engine.config());
                spoil(&mut store, &next);
                assert_ne!(seen(&mut store, &next), expected);
            }
            // SAFETY: no handle of what is collected is used any more.
            drop(unsafe { store.collect([]) }.unwrap());
            let next = instance(&mut store, &module);
            assert_eq!(seen(&mut store, &next), expected);
            if round % 2 == 0 {
                engine.trim();
            }
        }
    }
}

/// Few pages are put back by hand, and many are given back: what is left is the same.
#[test]
fn every_page_that_was_written_is_put_back() {
    let _one = one_at_a_time();
    let engine = Engine::new(Config::default()).unwrap();
    let module = module(&engine, &usual());
    let mut store = Store::new(&engine);
    let first = instance(&mut store, &module);
    let expected = memory(&mut store, &first).data(&store).unwrap().to_vec();
    let pages = expected.len() / 4096;
    for (count, step) in [(1, 1), (3, 100), (16, 34), (17, 20), (pages, 1)] {
        let mut store = Store::new(&engine);
        let own = instance(&mut store, &module);
        for page in 0..count {
            call(&mut store, &own, "store", (page * step * 4096 + 4092) as i32).unwrap();
        }
        call(&mut store, &own, "grow", 1).unwrap();
        call(&mut store, &own, "store", expected.len() as i32).unwrap();
        drop(store);
        let mut store = Store::new(&engine);
        let next = instance(&mut store, &module);
        let next = memory(&mut store, &next);
        assert!(next.data(&store).unwrap() == expected, "{count} pages");
    }
}

#[test]
fn what_was_copied_at_instantiation_is_dropped_for_memory_init() {
    let _one = one_at_a_time();
    for config in configurations() {
        let engine = Engine::new(config).unwrap();
        let module = module(&engine, &usual());
        let mut store = Store::new(&engine);
        let own = instance(&mut store, &module);
        assert!(call(&mut store, &own, "init_active", 0).is_err());
        assert_eq!(call(&mut store, &own, "init", 0).unwrap(), i32::from(b'p'));
        assert!(call(&mut store, &own, "init", 0).is_err());
        assert_eq!(call(&mut store, &own, "grow", 65).unwrap(), 34);
        assert_eq!(call(&mut store, &own, "grow", 1).unwrap(), -1);
        assert_eq!(call(&mut store, &own, "load", 99 * 65536 - 4).unwrap(), 0);
        assert!(call(&mut store, &own, "load", 99 * 65536 - 3).is_err());
        assert_eq!(call(&mut store, &own, "load", 1 << 20).unwrap(), i32::from_le_bytes(*b"\x01\x7f\xfe "));
    }
}

/// An element segment that does not fit keeps what is behind it from being copied, and what a failed instance has left
/// in a table of others shows it.
#[test]
fn data_behind_a_segment_that_traps_is_not_there() {
    let _one = one_at_a_time();
    for config in configurations() {
        let engine = Engine::new(config).unwrap();
        let mut store = Store::new(&engine);
        let others = module(
            &engine,
            r#"(module (table (export "t") 3 funcref) (type $load (func (param i32) (result i32)))
            (func (export "call") (param i32) (result i32) (call_indirect (type $load) (local.get 0) (i32.const 0))))"#,
        );
        let others = instance(&mut store, &others);
        let table = others.export(&mut store, "t").unwrap();
        let text = |second: &str, third: &str| {
            format!(
                r#"(module (import "" "t" (table 1 funcref)) (memory 1) (func $load (param i32) (result i32)
                    (i32.load8_u (local.get 0))) (elem (i32.const 0) $load) {second}
                    (data (i32.const 10) "first") {third} (data (i32.const 10) "after"))"#
            )
        };
        for (second, third, byte) in [
            ("(elem (i32.const 3) $load)", "", 0),
            ("", r#"(data (i32.const 65534) "out")"#, i32::from(b'f')),
            ("(elem (i32.const 2) $load)", "", i32::from(b'a')),
        ] {
            let own = module(&engine, &text(second, third));
            let outcome = Instance::new(&mut store, &own, &[table]);
            assert_eq!(outcome.is_ok(), byte == i32::from(b'a'));
            assert_eq!(call(&mut store, &others, "call", 10).unwrap(), byte, "{second}{third}");
        }
    }
}

/// Data that stands where an imported global says is an image for each of the first few places, and copied for others.
#[test]
fn data_stands_where_imported_globals_say() {
    let _one = one_at_a_time();
    let engine = Engine::new(Config::default()).unwrap();
    let own = module(
        &engine,
        r#"(module (import "" "base" (global $base i32)) (memory (export "m") 2) (data (global.get $base) "here"))"#,
    );
    for base in (0..10).map(|i| i * 9000).chain([131_068, 131_069, -1]).chain([0, 9000]) {
        let mut store = Store::new(&engine);
        let global =
            Global::new(&mut store, GlobalType { content: ValType::I32, mutable: false }, Val::I32(base)).unwrap();
        let outcome = Instance::new(&mut store, &own, &[global.into()]);
        if !(0..=131_068).contains(&base) {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Trap);
            continue;
        }
        let memory = memory(&mut store, &outcome.unwrap());
        let data = memory.data(&store).unwrap();
        assert_eq!(&data[base as usize..base as usize + 4], b"here");
        assert_eq!(data.iter().filter(|byte| **byte != 0).count(), 4);
    }
}

#[test]
fn a_system_without_files_in_memory_copies_and_says_so() {
    let _one = one_at_a_time();
    let engine = Engine::new(Config::default()).unwrap();
    let own = module(&engine, &usual());
    assert_eq!(engine.fallbacks(), Fallbacks::default());
    let mut store = Store::new(&engine);
    {
        let _refused = faults::refuse_memfd();
        let first = instance(&mut store, &own);
        assert_eq!(call(&mut store, &first, "load", 1 << 20).unwrap(), i32::from_le_bytes(*b"\x01\x7f\xfe "));
    }
    assert!(engine.fallbacks().contains(Fallbacks::COPIED_DATA));
    let second = instance(&mut store, &own);
    assert_eq!(call(&mut store, &second, "load", 1 << 20).unwrap(), i32::from_le_bytes(*b"\x01\x7f\xfe "));
}

#[test]
fn each_call_that_fails_is_an_error_and_leaves_the_store_whole() {
    let _one = one_at_a_time();
    let mut failed = 0;
    loop {
        let engine = Engine::new(Config { kept_memories: 0, ..Config::default() }).unwrap();
        let own = module(&engine, &usual());
        let mut store = Store::new(&engine);
        store.register(&own).unwrap();
        let guard = faults::fail_nth(failed + 1);
        let outcome = Instance::new(&mut store, &own, &[]);
        let hit = guard.hit();
        drop(guard);
        if let Err(error) = &outcome {
            assert_eq!(error.kind(), ErrorKind::System, "{error}");
        }
        let next = instance(&mut store, &own);
        assert_eq!(call(&mut store, &next, "load", 1 << 20).unwrap(), i32::from_le_bytes(*b"\x01\x7f\xfe "));
        if !hit {
            outcome.unwrap();
            break;
        }
        failed += 1;
    }
    assert!(failed >= 3, "the file, its mapping, the space: {failed}");
}

#[test]
fn a_file_that_the_host_has_closed_is_not_taken_for_another() {
    let _one = one_at_a_time();
    let engine = Engine::new(Config::default()).unwrap();
    let own = module(&engine, &usual());
    let mut store = Store::new(&engine);
    let first = instance(&mut store, &own);
    let fd = descriptors::replaced("stepwell-data");
    // Those made before go on, and what comes has a copy.
    for round in 0..3 {
        let next = instance(&mut store, &own);
        for instance in [&first, &next] {
            assert_eq!(
                call(&mut store, instance, "load", (1 << 20) + 40).unwrap(),
                i32::from_le_bytes(*b"\x01\x7f\xfe ")
            );
        }
        assert!(memory(&mut store, &next).data(&store).unwrap()[..1 << 20].iter().all(|byte| *byte == 0));
        call(&mut store, &next, "store", 1 << 20).unwrap();
        call(&mut store, &next, "store", 0).unwrap();
        // SAFETY: no handle of what is collected is used any more.
        drop(unsafe { store.collect([first.into()]) }.unwrap());
        assert!(engine.fallbacks().contains(Fallbacks::COPIED_DATA), "round {round}");
    }
    drop((store, own, engine));
    // It is not ours to close.
    descriptors::close_other(fd);
}

/// What is between segments takes memory once a guest has read it, and nothing limits that but how far they may be
/// from each other.
#[test]
fn segments_far_from_each_other_hold_no_memory() {
    let _one = one_at_a_time();
    let shared = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("RssShmem:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
    };
    let engine = Engine::new(Config::default()).unwrap();
    let before = shared();
    for (start, end) in [(0, 4096 * 65536 - 4), (0, 9 << 20), (100 << 20, 110 << 20), (5 << 20, 5 << 20)] {
        let own = module(
            &engine,
            &format!(
                r#"(module (memory (export "m") 4096) (data (i32.const {start}) "a") (data (i32.const {end}) "last")
                (func (export "read") (param $at i32) (result i32) (local $sum i32)
                    (loop $next
                        (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
                        (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4096)))
                            (i32.const 268435456))))
                    (local.get $sum)))"#
            ),
        );
        let mut store = Store::new(&engine);
        let instance = instance(&mut store, &own);
        call(&mut store, &instance, "read", 0).unwrap();
        let memory = memory(&mut store, &instance);
        assert_eq!(&memory.data(&store).unwrap()[end..end + 4], b"last");
        let taken = shared().saturating_sub(before);
        assert!(taken <= 8 << 20, "{taken} bytes for segments at {start} and {end}");
    }
}

/// Modules leave descriptors for the host: of those with data, as many as there may be have a file of their own.
#[test]
fn many_modules_leave_descriptors_for_the_host() {
    let _one = one_at_a_time();
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the place is of the type that the call fills in.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    let few = libc::rlimit { rlim_cur: 200, ..limit };
    // SAFETY: as above; fewer than that are open.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) }, 0);
    let engine = Engine::new(Config { copied_code: true, ..Config::default() }).unwrap();
    let text = r#"(module (memory (export "m") 1) (data (i32.const 0) "data"))"#;
    let modules: Vec<_> = (0..150).map(|_| module(&engine, text)).collect();
    for own in &modules {
        let mut store = Store::new(&engine);
        let own = instance(&mut store, own);
        assert_eq!(&memory(&mut store, &own).data(&store).unwrap()[..5], b"data\0");
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    // SAFETY: as it was.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    assert!(open <= 50 + 60, "{open} descriptors are open");
    assert!(engine.fallbacks().contains(Fallbacks::COPIED_DATA));
    drop(modules);
    let own = module(&engine, text);
    let mut store = Store::new(&engine);
    instance(&mut store, &own);
}

#[test]
fn an_image_goes_with_its_module() {
    let _one = one_at_a_time();
    let count = || {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let files = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
        let ours = |path: &std::path::PathBuf| {
            std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("stepwell-data"))
        };
        (maps.lines().filter(|line| line.contains("stepwell-data")).count(), files.filter(ours).count())
    };
    let before = count();
    let engine = Engine::new(Config::default()).unwrap();
    for _ in 0..3 {
        let own = module(&engine, &usual());
        let mut store = Store::new(&engine);
        instance(&mut store, &own);
        drop(store);
        assert_eq!(count(), (before.0 + 2, before.1 + 1), "one is kept, and one is read from");
    }
    assert_eq!(count(), before);
}

/// Threads that make, spoil and drop instances of one module at once see what a new instance has, each time.
#[test]
fn threads_share_an_engine() {
    let _one = one_at_a_time();
    let engine = Engine::new(Config { kept_memories: 3, ..Config::default() }).unwrap();
    let own = module(&engine, EVERYTHING);
    let mut store = Store::new(&engine);
    let first = instance(&mut store, &own);
    let expected = seen(&mut store, &first);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for round in 0..20 {
                    let mut store = Store::new(&engine);
                    let next = instance(&mut store, &own);
                    assert_eq!(seen(&mut store, &next), expected);
                    spoil(&mut store, &next);
                    if round % 7 == 0 {
                        engine.trim();
                    }
                }
            });
        }
    });
}
