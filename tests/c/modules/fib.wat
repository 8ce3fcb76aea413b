(module $fib
  (global $calls (mut i32) (i32.const 0))
  (memory 1 4)
  (data (i32.const 8) "hello")
  (func $fib (export "fib") (param $n i32) (result i32) (local $twice i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (local.set $twice (i32.mul (local.get $n) (i32.const 2)))
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else
        (i32.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func $helper (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
  (func $outer (export "outer") (param $x i32) (result i32)
    (i32.add (call $helper (local.get $x)) (i32.const 1)))
  (func (export "calls") (result i32) (global.get $calls)))
