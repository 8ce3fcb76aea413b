;; Every way into and past a label. The comments count on the rules in bench/README.md.
(module
  ;; A loop with a parameter, left by falling out of it.
  (func (export "loop") (param i32) (result i32)
    local.get 0
    loop (param i32) (result i32)   ;; a line on entry only
      i32.const 1
      i32.sub
      local.tee 0
      local.get 0
      br_if 0                       ;; to the instruction after `loop`
    end)                            ;; a line: fallen into

  ;; Taken: the `else` is a line, fallen into, and goes past the `end`. Not taken: neither is.
  (func (export "if") (param i32) (result i32)
    i32.const 7
    local.get 0
    if (param i32) (result i32)
      i32.const 1
      i32.add
    else
      i32.const 2
      i32.mul
    end)

  ;; An `if` without `else`: not taken, it goes past its `end`.
  (func (export "if-only") (param i32)
    local.get 0
    if
      nop
    end
    nop)

  ;; Branches out of blocks go past the `end`; what cannot be reached has no line.
  (func (export "table") (param i32) (result i32)
    block
      block
        local.get 0
        br_table 0 1 0
        nop
      end
      i32.const 10
      return
    end
    i32.const 20)

  ;; A branch to the function's own label passes its final `end`, as `return` does.
  (func (export "out") (param i32) (result i32)
    i64.const -1
    local.get 0
    local.get 0
    br_if 0
    i32.const 5
    i32.add
    return)

  ;; Two values through a block, operands of the outer frame beneath them.
  (func (export "pair") (result i32 i64)
    f64.const 1.5
    block (result i32 i64)
      i32.const 1
      i64.const 2
      i32.const 0
      br_if 0
      br 0
    end
    call $drop3
    i32.const -1
    i64.const -2)
  (func $drop3 (param f64 i32 i64) (local f32)
    local.get 3
    drop))
