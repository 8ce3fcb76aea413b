(module
  (import "h" "at" (func $at))
  (global $end (export "end") (mut i32) (i32.const 0))
  (func $leaf (export "leaf") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  ;; Calls itself so often, the host at the bottom, and leaf on the way back.
  (func $deep (export "deep") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (call $deep (i32.sub (local.get $n) (i32.const 1))) (call $leaf (local.get $n))))
      (else (call $at) (i32.const 0))))
  (func $spin (export "spin") (param i32) (result i32)
    (loop $turn
      (local.set 0 (call $leaf (local.get 0)))
      (br_if $turn (i32.eqz (global.get $end))))
    (local.get 0)))
