;; Depth, function indices (the import counts), the start function, references, an indirect call.
(module
  (type $t (func (param i32) (result i32)))
  (import "host" "two" (func $host (param i32) (result i32 externref)))
  (import "host" "memory" (memory 1))
  (import "host" "table" (table 2 funcref))
  (import "host" "global" (global $zero i64))
  (table $own 2 funcref)
  (elem (table $own) (i32.const 0) func $fac)
  (global $mark (mut i32) (i32.const 0))
  (start $begin)
  (func $begin
    i32.const 42
    global.set $mark)
  (func $fac (export "fac") (type $t)
    local.get 0
    i32.eqz
    if (result i32)
      i32.const 1
    else
      local.get 0
      local.get 0
      i32.const 1
      i32.sub
      i32.const 0
      call_indirect $own (type $t)
      i32.mul
    end)
  (func (export "refs") (param externref) (result funcref externref i32 i64) (local funcref)
    ref.func $fac
    local.set 1
    local.get 1
    i32.const 3
    call $host
    drop
    drop
    local.get 0
    global.get $mark
    global.get $zero))
