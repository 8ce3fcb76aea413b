;; Writes, reads and exits by WASI.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\04\00\00\00")
  (data (i32.const 16) "abcd")
  ;; Writes "abcd" to a descriptor.
  (func (export "write") (param i32) (result i32)
    (call $write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8)))
  ;; Reads four bytes over "abcd".
  (func (export "read") (param i32) (result i32)
    (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
  ;; How many arguments there are.
  (func (export "args") (param i32) (result i32)
    (drop (call $args_sizes (i32.const 32) (i32.const 36)))
    (i32.load (i32.const 32)))
  ;; The first four bytes of the environment.
  (func (export "environ") (param i32) (result i32)
    (drop (call $environ (i32.const 64) (i32.const 128)))
    (i32.load (i32.const 128)))
  ;; The error of looking at a preopened directory.
  (func (export "prestat") (param i32) (result i32)
    (call $prestat (local.get 0) (i32.const 32)))
  (func (export "exit") (param i32) (result i32)
    (call $exit (local.get 0))
    (unreachable)))
