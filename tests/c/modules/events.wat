;; Grows, calls the host, and has a start function that does both.
(module
  (import "host" "add" (func $add (param i32 i64) (result i64)))
  (import "host" "fail" (func $fail (param i32)))
  (memory (export "memory") 1 4)
  (global $started (export "started") (mut i32) (i32.const 0))
  (func $start (global.set $started (i32.add (global.get $started) (i32.const 1))))
  (start $start)
  (func (export "add") (param i32) (result i64) (call $add (local.get 0) (i64.const 40)))
  (func (export "fail") (param i32) (call $fail (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "trap") unreachable))
