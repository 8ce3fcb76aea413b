//! WASI that is defined once in a linker, and what each store has of it.

use super::guest::*;
use std::sync::{Arc, Mutex};
use stepwell::base::ErrorKind;
use stepwell::runtime::InstancePre;
use stepwell::wasi::{MODULE, OutputBuffer, WasiConfig, define};
use stepwell::*;

/// A program that tells how many arguments it has, and writes the first.
const ECHO: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "echo") (result i32)
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $args (i32.const 16) (i32.const 64)))
    (i32.store (i32.const 32) (i32.const 64))
    (i32.store (i32.const 36) (i32.const 1))
    (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40)))
  (func (export "args") (result i32)
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (i32.load (i32.const 0)))
  (func (export "close") (result i32) (call $close (i32.const 1)))
  (func (export "exit") (result i32) (call $exit (i32.const 3)) (i32.const 0)))"#;

fn pre(engine: &Engine) -> InstancePre {
    let mut linker = Linker::new(engine);
    define(&mut linker).unwrap();
    linker.instantiate_pre(&Module::new(engine, &wat::parse_str(ECHO).unwrap()).unwrap()).unwrap()
}

fn call(store: &mut Store, instance: Instance, name: &str) -> Result<i32> {
    instance.typed_func::<(), i32>(&mut *store, name).unwrap().call(store, ())
}

fn config(args: &[&str], out: &OutputBuffer) -> WasiConfig {
    let mut config = WasiConfig::new();
    config.set_args(args.iter().copied()).unwrap().set_stdout_buffer(out);
    config
}

#[test]
fn each_store_has_its_own_of_functions_defined_once() {
    let engine = Engine::new(Config::default()).unwrap();
    let pre = pre(&engine);
    std::thread::scope(|scope| {
        for letter in ["a", "b", "c", "d"] {
            let (engine, pre) = (&engine, &pre);
            scope.spawn(move || {
                for round in [1, 2, 3, 1, 2, 3, 3, 2] {
                    let out = OutputBuffer::new(100);
                    let mut store = Store::new(engine);
                    config(&vec![letter; round as usize], &out).give_to(&mut store).unwrap();
                    let (one, two) = (pre.instantiate(&mut store).unwrap(), pre.instantiate(&mut store).unwrap());
                    assert_eq!(call(&mut store, one, "args").unwrap(), round);
                    assert_eq!((call(&mut store, one, "echo"), call(&mut store, two, "echo")).0.unwrap(), SUCCESS);
                    assert_eq!(out.contents(), letter.repeat(2).as_bytes());
                    // One table of descriptors in a store.
                    assert_eq!(call(&mut store, two, "close").unwrap(), SUCCESS);
                    assert_eq!(call(&mut store, one, "echo").unwrap(), EBADF);
                }
            });
        }
    });
}

#[test]
fn a_store_without_wasi_traps_and_says_what_to_do() {
    let engine = Engine::new(Config::default()).unwrap();
    let pre = pre(&engine);
    let mut store = Store::new(&engine);
    let instance = pre.instantiate(&mut store).unwrap();
    for (export, function) in [("echo", "args_sizes_get"), ("exit", "proc_exit"), ("close", "fd_close")] {
        let error = call(&mut store, instance, export).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Trap);
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!((trap.code(), trap.exit_status()), (None, None));
        assert_eq!(trap.frames().len(), 1);
        for word in [function, "no WASI", "`stepwell_store_wasi_set`"] {
            assert!(trap.message().contains(word), "{word}: {error}");
        }
    }
    // An instance that is there already finds what comes later, and what comes then.
    let (first, second) = (OutputBuffer::new(9), OutputBuffer::new(9));
    config(&["x"], &first).give_to(&mut store).unwrap();
    assert_eq!(call(&mut store, instance, "echo").unwrap(), SUCCESS);
    assert_eq!(call(&mut store, instance, "close").unwrap(), SUCCESS);
    config(&["y", "z"], &second).give_to(&mut store).unwrap();
    assert_eq!(call(&mut store, instance, "echo").unwrap(), SUCCESS);
    assert_eq!(call(&mut store, instance, "args").unwrap(), 2);
    assert_eq!((first.contents(), second.contents()), (b"x".to_vec(), b"y".to_vec()));
    let error = call(&mut store, instance, "exit").unwrap_err();
    assert_eq!(error.payload::<Trap>().and_then(Trap::exit_status), Some(3));
}

/// What a store had goes when it is given something else, and with the store; not while a call uses it.
#[test]
fn what_a_store_had_is_given_up_once() {
    struct Gone(Arc<Mutex<Vec<u8>>>, u8);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
        }
    }
    let gone = Arc::new(Mutex::new(Vec::new()));
    let to = |number: u8| {
        let gone = Gone(gone.clone(), number);
        let mut config = WasiConfig::new();
        config.set_args(["a"]).unwrap().set_stdout(move |_| {
            let gone = &gone;
            assert!(gone.1 > 0);
        });
        config
    };
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let instance = pre(&engine).instantiate(&mut store).unwrap();
    to(1).give_to(&mut store).unwrap();
    assert_eq!(call(&mut store, instance, "echo").unwrap(), SUCCESS);
    assert!(gone.lock().unwrap().is_empty());
    to(2).give_to(&mut store).unwrap();
    assert_eq!(*gone.lock().unwrap(), [1]);
    assert_eq!(call(&mut store, instance, "echo").unwrap(), SUCCESS);
    drop(store);
    assert_eq!(*gone.lock().unwrap(), [1, 2]);
}

#[test]
fn both_ways_meet_in_one_store() {
    let engine = Engine::new(Config::default()).unwrap();
    let module = Module::new(&engine, &wat::parse_str(ECHO).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let (own, shared) = (OutputBuffer::new(9), OutputBuffer::new(9));
    let mut linker = Linker::new(&engine);
    config(&["o", "o"], &own).add_to(&mut linker, &mut store).unwrap();
    let before = linker.instantiate(&mut store, &module).unwrap();
    config(&["s"], &shared).give_to(&mut store).unwrap();
    let behind = pre(&engine).instantiate(&mut store).unwrap();
    for instance in [before, behind] {
        assert_eq!(call(&mut store, instance, "echo").unwrap(), SUCCESS);
    }
    assert_eq!((own.contents(), shared.contents()), (b"o".to_vec(), b"s".to_vec()));
    assert_eq!((call(&mut store, before, "args").unwrap(), call(&mut store, behind, "args").unwrap()), (2, 1));
    // A name is defined once.
    assert_eq!(define(&mut linker).unwrap_err().kind(), ErrorKind::Argument);
}

/// All functions are there, of the types that they have in the other way: the module imports each.
#[test]
fn nothing_is_missing() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut linker = Linker::new(&engine);
    define(&mut linker).unwrap();
    let mut store = Store::new(&engine);
    for (name, params) in FUNCTIONS {
        let Some(Extern::Func(func)) = linker.get(&mut store, MODULE, name).unwrap() else { panic!("{name}") };
        assert_eq!(func.ty(&store).unwrap().params.len(), params.len(), "{name}");
    }
}

/// A program begins threads, in a store that has some, and gets `EAGAIN` in one that has none.
#[test]
fn threads_are_those_of_the_store() {
    const PROGRAM: &str = r#"(module
      (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
      (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
      (memory (export "memory") (import "env" "memory") 1 4 shared)
      (func (export "wasi_thread_start") (param i32 i32)
        (drop (call $sizes (i32.const 16) (i32.const 20)))
        (i32.atomic.store (i32.const 4) (i32.const 1))
        (drop (memory.atomic.notify (i32.const 4) (i32.const -1)))
        (loop (br_if 0 (local.get 1))))
      (func (export "spawn") (param i32) (result i32) (call $spawn (local.get 0)))
      (func (export "wait") (param i32) (result i32)
        (drop (memory.atomic.wait32 (i32.const 4) (i32.const 0) (i64.const -1)))
        (i32.load (i32.const 16))))"#;
    let engine = Engine::new(Config { epoch: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat::parse_str(PROGRAM).unwrap()).unwrap();
    let ty = MemoryType { shared: true, ..MemoryType::new(Limits { min: 1, max: Some(4) }) };
    let mut linker = Linker::new(&engine);
    define(&mut linker).unwrap();
    for (most, numbers) in [(0, [-6, -6]), (1, [1, -6]), (2, [1, 2])] {
        let mut store = Store::new(&engine);
        let mut linker = linker.clone();
        let memory = Memory::new(&mut store, ty).unwrap();
        linker.define("env", "memory", memory).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let mut config = WasiConfig::new();
        config.set_args(["1", "2", "3"]).unwrap().set_max_threads(most);
        config.give_to(&mut store).unwrap();
        let spawn = instance.typed_func::<i32, i32>(&mut store, "spawn").unwrap();
        // They turn until the store ends them.
        assert_eq!([0; 2].map(|_| spawn.call(&mut store, 1).unwrap()), numbers);
        if most > 0 {
            let wait = instance.typed_func::<i32, i32>(&mut store, "wait").unwrap();
            assert_eq!(wait.call(&mut store, 0).unwrap(), 3, "a thread has the arguments of its program");
        }
        // What the store is given next ends them, too, and has its own.
        let mut config = WasiConfig::new();
        config.set_max_threads(1);
        config.give_to(&mut store).unwrap();
        assert_eq!([0; 2].map(|_| spawn.call(&mut store, 1).unwrap()), [1, -6]);
    }
    // Threads need an engine whose guests can be ended.
    let mut store = Store::new(&Engine::new(Config::default()).unwrap());
    let mut config = WasiConfig::new();
    config.set_max_threads(1);
    assert_eq!(config.give_to(&mut store).unwrap_err().kind(), ErrorKind::State);
}

#[test]
fn arguments_of_this_process_are_inherited() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let mut config = WasiConfig::new();
    config.inherit_args();
    config.give_to(&mut store).unwrap();
    let instance = pre(&engine).instantiate(&mut store).unwrap();
    assert_eq!(call(&mut store, instance, "args").unwrap(), std::env::args_os().count() as i32);
}
