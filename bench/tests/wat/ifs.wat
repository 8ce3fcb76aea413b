;; An `if` with parameters within another: the first branch takes all of them off the stack and goes on.
(module (func (export "f") (result i32)
  i32.const 100
  i64.const 7
  f32.const 8
  i32.const 1
  if (param i64 f32) (result i32)
    i32.const 1
    drop
    drop
    i32.const 2
    drop
    nop
    drop
    nop
    i32.const 3
    i64.const 55
    i32.const 1
    if (param i32 i64) (result i32)
      nop
      drop
      nop
      drop
      nop
      i32.const 4
      i32.const 5
      i32.add
      nop
    else
      drop
    end
    nop
  else
    drop drop i32.const 9
  end
  i32.add))
