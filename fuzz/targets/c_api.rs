//! Sequences of C API calls over several stores and engines: `c/c_api.c` says what an input does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
// Its exported functions are what the driver calls.
use stepwell as _;
// It has the driver.
use stepwell_fuzz as _;

unsafe extern "C" {
    fn c_api_setup(wasm: *const *const u8, sizes: *const usize, count: usize);
    fn c_api_run(data: *const u8, size: usize);
}

/// What stores instantiate: exports of each kind, calls of the host, references of both kinds, traps and recursion.
const MODULES: [&str; 7] = [
    r#"(module (import "e" "f" (func $f (param i32) (result i32)))
        (table (export "t") 4 10 funcref) (elem (i32.const 0) $g $h) (memory (export "m") 1 3)
        (global (export "x") (mut funcref) (ref.func $g))
        (func $g (export "g") (param i32) (result i32) (local funcref) (local.set 1 (table.get (i32.const 1)))
          (i32.add (call $f (local.get 0)) (i32.load (local.get 0))))
        (func $h (export "h") (param i32) (result i32) (if (result i32) (local.get 0)
          (then (i32.div_s (i32.const 100) (call $h (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
        (func (export "up") (param i32) (result i32) (i32.add (i32.const 1) (call_indirect (param i32) (result i32) (local.get 0) (local.get 0))))
        (func $over (export "call") (param i32) (result i32) (i32.add (i32.const 1) (call $over (local.get 0)))))"#,
    r#"(module (import "e" "f" (func $f (param externref) (result externref)))
        (table (export "t") 4 10 externref) (global $x (export "x") (mut externref) (ref.null extern))
        (func (export "g") (param externref) (result externref) (local externref)
          (local.set 1 (call $f (local.get 0))) (global.set $x (local.get 1))
          (table.set 0 (i32.const 1) (local.get 1)) (call $f (local.get 1)))
        (func (export "h") (result externref) (table.get 0 (i32.const 1))))"#,
    r#"(module (import "e" "f" (func $f (param funcref) (result funcref)))
        (table $t (export "t") 4 10 funcref) (global $x (export "x") (mut funcref) (ref.null func))
        (func (export "g") (param funcref) (result funcref) (local funcref)
          (table.set $t (i32.const 0) (local.get 0)) (local.set 1 (call $f (table.get $t (i32.const 0))))
          (global.set $x (local.get 1)) (local.get 1))
        (func (export "h") (call_indirect $t (i32.const 0))))"#,
    r#"(module (import "e" "f" (func $f)) (import "e" "t" (table 1 10 funcref)) (memory (export "m") 1)
        (func (export "g") (loop (call $f) (i32.store (i32.const 0) (i32.add (i32.const 1) (i32.load (i32.const 0))))
          (br_if 0 (i32.lt_u (i32.load (i32.const 0)) (i32.const 20)))))
        (func (export "h") (call_indirect (i32.const 0))) (func (export "up") unreachable))"#,
    r#"(module (import "e" "f" (func $f)) (export "f" (func $f)) (memory (export "m") 1 2)
        (func $s (call $f) (drop (memory.grow (i32.const 1))) (i32.store8 (i32.const 65536) (i32.const 1)) (call $f)) (start $s)
        (func (export "g") (call $s) (call $f) (i32.store (i32.const -1) (i32.const 1))))"#,
    r#"(module (import "e" "x" (global $x (mut externref))) (import "e" "t" (table 1 10 externref)) (import "e" "m" (memory 1))
        (export "x" (global $x)) (export "t" (table 0)) (export "m" (memory 0))
        (func (export "g") (local externref) (local.set 0 (table.get (i32.const 0))) (table.set (i32.const 0) (global.get $x))
          (global.set $x (local.get 0)) (i32.store (i32.const 8) (i32.const 1))))"#,
    r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "m") 1 2) (data (i32.const 0) "\08\00\00\00\04\00\00\00text")
        (func (export "g") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
        (func (export "h") (call $exit (i32.const 3))))"#,
];

static SETUP: LazyLock<()> = LazyLock::new(|| {
    let binaries = MODULES.map(|text| wat::parse_str(text).expect("a text"));
    let data = binaries.each_ref().map(|binary| binary.as_ptr());
    let sizes = binaries.each_ref().map(|binary| binary.len());
    // SAFETY: the driver copies so many modules of these sizes.
    unsafe { c_api_setup(data.as_ptr(), sizes.as_ptr(), data.len()) };
});

fuzz_target!(|bytes: &[u8]| {
    LazyLock::force(&SETUP);
    // SAFETY: the driver reads so many bytes, on one thread.
    unsafe { c_api_run(bytes.as_ptr(), bytes.len()) };
});
