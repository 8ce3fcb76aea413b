(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; Sleeps so many milliseconds: 0, or an error number.
  (func (export "sleep") (param $n i32) (result i32)
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.mul (i64.extend_i32_u (local.get $n)) (i64.const 1000000)))
    (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
  ;; The next byte of standard input and n, -1 at its end.
  (func (export "read") (param $n i32) (result i32)
    (i32.store (i32.const 132) (i32.const 144))
    (i32.store (i32.const 136) (i32.const 1))
    (drop (call $read (i32.const 0) (i32.const 132) (i32.const 1) (i32.const 140)))
    (if (result i32) (i32.load (i32.const 140))
      (then (i32.add (i32.load8_u (i32.const 144)) (local.get $n)))
      (else (i32.const -1)))))
