;; What a debugger changes: locals and operands of every kind, where a function goes on, what it returns.
(module
  (global $g (export "g") (mut i32) (i32.const 0))
  (func $values (export "values") (param $i i32) (param $l i64) (param $f f32) (param $d f64) (param $v v128) (param $x externref)
    (result i32 i64 f32 f64 v128 externref)
    nop
    local.get $i local.get $l local.get $f local.get $d local.get $v local.get $x)
  (func $steps (export "steps") (result i32)
    (global.set $g (i32.const 1))
    (i32.const 9))
  (func $outer (export "outer") (param i64) (result i64) (i64.add (call $inner (local.get 0)) (i64.const 1)))
  (func $inner (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2)))
  (func (export "waits") (param i64) (result i64)
    (i64.const 10)
    (call $inner (local.get 0))
    (i64.add)
    (i64.add (local.get 0)))
  (func (export "fail") (param i32) unreachable))
