(module
  (import "host" "swap" (func $swap (param i32 i64 f32 f64 funcref externref) (result externref funcref f64 f32 i64 i32)))
  (import "host" "fail" (func $fail (param i32) (result i32)))
  (func (export "through") (param i32 i64 f32 f64 funcref externref) (result externref funcref f64 f32 i64 i32)
    (call $swap (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))
  (func (export "fail") (param i32) (result i32) (call $fail (local.get 0)))
  (func (export "same") (param funcref) (result funcref) (local.get 0)))
