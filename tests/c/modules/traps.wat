(module $traps
  (memory 1)
  (table 2 funcref)
  (func $divide (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $nested (export "nested") (param i32 i32) (result i32) (call $divide (local.get 0) (local.get 1)))
  (func (export "unreachable") unreachable)
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "indirect") (param i32) (call_indirect (local.get 0)))
  (func $recurse (export "recurse") (call $recurse)))
