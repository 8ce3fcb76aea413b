//! Threads that programs begin: what they share, how they end, how many there may be. Also WASI's functions in a memory
//! that other threads use.

use super::guest::SUCCESS;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stepwell::base::ErrorKind;
use stepwell::wasi::{OutputBuffer, WasiConfig};
use stepwell::*;

/// A program whose threads do what their argument says: add it up; trap; exit; turn forever; wait forever.
const PROGRAM: &str = r#"(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") (import "env" "memory") 1 4 shared)
  (global $numbers (mut i32) (i32.const 0))
  (func (export "wasi_thread_start") (param $number i32) (param $what i32)
    (block $count (block $trap (block $exit (block $turn (block $wait (block $write
      (br_table $count $trap $exit $turn $wait $write (local.get $what)))
      ;; Writes its number, a digit.
      (i32.store (i32.mul (local.get $number) (i32.const 32)) (i32.add (i32.const 48) (local.get $number)))
      (i32.store offset=8 (i32.mul (local.get $number) (i32.const 32)) (i32.mul (local.get $number) (i32.const 32)))
      (i32.store offset=12 (i32.mul (local.get $number) (i32.const 32)) (i32.const 1))
      (drop (call $write (i32.const 1) (i32.add (i32.const 8) (i32.mul (local.get $number) (i32.const 32))) (i32.const 1)
        (i32.add (i32.const 16) (i32.mul (local.get $number) (i32.const 32)))))
      (br $count))
      (drop (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1)))
      (return))
      (loop (br 0)))
      (call $exit (i32.const 42)))
      unreachable)
    ;; Each has globals of its own.
    (global.set $numbers (i32.add (global.get $numbers) (local.get $number)))
    (drop (i32.atomic.rmw.add (i32.const 0) (global.get $numbers)))
    (drop (i32.atomic.rmw.add (i32.const 4) (i32.const 1)))
    (drop (memory.atomic.notify (i32.const 4) (i32.const -1))))
  (func (export "spawn") (param i32) (result i32) (call $spawn (local.get 0)))
  ;; Waits until so many have counted: the sum of their numbers.
  (func (export "counted") (param i32) (result i32) (local i32)
    (loop $again
      (if (i32.lt_u (local.tee 1 (i32.atomic.load (i32.const 4))) (local.get 0))
        (then
          (drop (memory.atomic.wait32 (i32.const 4) (local.get 1) (i64.const -1)))
          (br $again))))
    (i32.atomic.load (i32.const 0)))
  (func (export "forever") (loop (drop (call $yield)) (br 0)))
  (func (export "exit") (param i32) (call $exit (local.get 0)))
  (func (export "random") (param i32 i32) (result i32) (call $random (local.get 0) (local.get 1)))
  (func (export "read") (param i32 i32 i32 i32) (result i32)
    (call $read (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "write") (param i32 i32 i32 i32) (result i32)
    (call $write (local.get 0) (local.get 1) (local.get 2) (local.get 3))))"#;

struct Program {
    store: Store,
    instance: Instance,
    memory: SharedMemory,
}

impl Program {
    fn new(wasi: WasiConfig) -> Program {
        let engine = Engine::new(Config { epoch: true, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(PROGRAM).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let ty = MemoryType { shared: true, ..MemoryType::new(Limits { min: 1, max: Some(4) }) };
        let memory = SharedMemory::new(&engine, ty).unwrap();
        let own = Memory::from_shared(&mut store, &memory).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define("env", "memory", own).unwrap();
        wasi.add_to(&mut linker, &mut store).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Program { store, instance, memory }
    }

    fn with_threads(most: u32) -> Program {
        let mut wasi = WasiConfig::new();
        wasi.set_max_threads(most);
        Program::new(wasi)
    }

    fn call(&mut self, name: &str, arguments: &[i32]) -> Result<i32> {
        let func = self.instance.export(&mut self.store, name).and_then(Extern::func).unwrap();
        let arguments: Vec<Val> = arguments.iter().map(|argument| Val::I32(*argument)).collect();
        let mut results = vec![Val::I32(0); func.ty(&self.store).unwrap().results.len()];
        func.call(&mut self.store, &arguments, &mut results)?;
        match results[..] {
            [Val::I32(result)] => Ok(result),
            _ => Ok(0),
        }
    }

    fn spawn(&mut self, what: i32) -> i32 {
        self.call("spawn", &[what]).unwrap()
    }
}

const COUNT: i32 = 0;
const TRAP: i32 = 1;
const EXIT: i32 = 2;
const TURN: i32 = 3;
const WAIT: i32 = 4;
const WRITE: i32 = 5;

#[test]
fn threads_share_memory_and_nothing_else() {
    let mut program = Program::with_threads(8);
    let numbers: Vec<i32> = (0..5).map(|_| program.spawn(COUNT)).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(program.call("counted", &[5]).unwrap(), 1 + 2 + 3 + 4 + 5);
}

#[test]
fn there_are_no_more_than_allowed() {
    let mut program = Program::with_threads(2);
    assert_eq!((program.spawn(WAIT), program.spawn(TURN), program.spawn(COUNT)), (1, 2, -6));
    while program.memory.notify(8, 1) == 0 {
        std::thread::yield_now();
    }
    // The first has come to its end, or will.
    let mut number = -6;
    while number == -6 {
        number = program.spawn(COUNT);
    }
    assert_eq!(program.call("counted", &[1]).unwrap(), 3);
    // The store waits for the one that turns.
    drop(program);
}

#[test]
fn all_end_with_one_that_traps_or_exits() {
    for what in [TRAP, EXIT] {
        let mut program = Program::with_threads(8);
        for what in [WAIT, TURN, TURN] {
            program.spawn(what);
        }
        assert_eq!(program.spawn(what), 4);
        let error = program.call("forever", &[]).unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        match what {
            TRAP => assert_eq!(trap.code(), Some(TrapCode::Unreachable)),
            _ => assert_eq!(trap.exit_status(), Some(42)),
        }
        // And no others begin.
        assert_eq!(program.spawn(COUNT), -6);
        // They are gone, or going.
        let begun = Instant::now();
        drop(program);
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn all_end_when_the_first_exits() {
    let mut program = Program::with_threads(8);
    for what in [WAIT, TURN] {
        program.spawn(what);
    }
    let error = program.call("exit", &[7]).unwrap_err();
    assert_eq!(error.payload::<Trap>().and_then(Trap::exit_status), Some(7));
    assert_eq!(program.memory.notify(8, 9), 0);
    assert_eq!(program.spawn(COUNT), -6);
}

/// What threads write goes to one place, through one callback at a time.
#[test]
fn threads_share_streams() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let mut wasi = WasiConfig::new();
    let seen = written.clone();
    wasi.set_max_threads(8).set_stdout(move |bytes| {
        // Others come meanwhile.
        std::thread::sleep(Duration::from_millis(2));
        seen.lock().unwrap().extend_from_slice(bytes);
    });
    let mut program = Program::new(wasi);
    for _ in 0..6 {
        program.spawn(WRITE);
    }
    program.call("counted", &[6]).unwrap();
    let mut written = written.lock().unwrap().clone();
    written.sort_unstable();
    assert_eq!(written, b"123456");
}

#[test]
fn what_threads_need_is_told() {
    let told = |wasi: WasiConfig, epoch: bool, text: &str| -> Error {
        let engine = Engine::new(Config { epoch, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let mut linker = Linker::new(&engine);
        if let Err(error) = wasi.add_to(&mut linker, &mut store) {
            return error;
        }
        match linker.instantiate(&mut store, &module) {
            Ok(instance) => {
                let run = instance.export(&mut store, "run").and_then(Extern::func).unwrap();
                run.call(&mut store, &[Val::I32(0)], &mut [Val::I32(0)]).unwrap_err()
            }
            Err(error) => error,
        }
    };
    let threads = || {
        let mut wasi = WasiConfig::new();
        wasi.set_max_threads(2);
        wasi
    };
    let text = r#"(module (import "wasi" "thread-spawn" (func $s (param i32) (result i32))) (export "run" (func $r))
        (func $r (param i32) (result i32) (call $s (local.get 0))))"#;
    let error = told(WasiConfig::new(), true, text);
    assert_eq!(error.kind(), ErrorKind::Link);
    assert!(error.message().contains("lets it have none"), "{error}");
    let error = told(threads(), false, text);
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.message().contains("WASI threads") && error.message().contains("`epoch`"), "{error}");
    let error = told(threads(), true, text);
    assert!(error.message().contains("imports no memory"), "{error}");
}

/// Reads and writes go by way of a copy, piece by piece.
#[test]
fn buffers_may_stand_in_a_shared_memory() {
    let out = OutputBuffer::new(1 << 20);
    let mut wasi = WasiConfig::new();
    let input: Vec<u8> = (0..100_000u32).map(|i| i as u8 ^ (i >> 8) as u8).collect();
    wasi.set_max_threads(1).set_stdin_bytes(input.clone()).set_stdout_buffer(&out);
    let mut program = Program::new(wasi);
    program.memory.grow(2).unwrap();
    let u32_at = |program: &Program, at: usize| {
        let mut bytes = [0; 4];
        program.memory.read(at, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    };
    let (mut read, at) = (0u32, 1024u32);
    while read < 100_000 {
        let vector = [(at + read).to_le_bytes(), (100_000 - read).to_le_bytes()].concat();
        program.memory.write(0, &vector).unwrap();
        assert_eq!(program.call("read", &[0, 0, 1, 8]).unwrap(), SUCCESS);
        let count = u32_at(&program, 8);
        assert!(count > 0 && count <= 1 << 16);
        read += count;
    }
    let mut written = 0u32;
    while written < 100_000 {
        let vector = [(at + written).to_le_bytes(), (100_000 - written).to_le_bytes()].concat();
        program.memory.write(0, &vector).unwrap();
        assert_eq!(program.call("write", &[1, 0, 1, 8]).unwrap(), SUCCESS);
        written += u32_at(&program, 8);
    }
    assert_eq!(out.len(), 100_000);
    let mut back = vec![0; 100_000];
    program.memory.read(at as usize, &mut back).unwrap();
    assert!(back == input);
    assert_eq!(program.call("random", &[1024, 70_000]).unwrap(), SUCCESS);
    program.memory.read(1024, &mut back).unwrap();
    assert!(back[..70_000] != input[..70_000] && back[70_000..] == input[70_000..]);
    let efault = 21;
    assert_eq!(program.call("random", &[3 << 16, 1]).unwrap(), efault);
    assert_eq!(program.call("read", &[0, (3 << 16) - 4, 1, 8]).unwrap(), efault);
}
