;; Globals that are written by the guest, by the host, and not at all; and a memory that is read and written.
(module
  (import "" "set" (func $set (param i32)))
  (global $count (export "count") (mut i32) (i32.const 10))
  (global $fixed (export "fixed") i32 (i32.const 1))
  (global $other (export "other") (mut i64) (i64.const 2))
  (func (export "down") (param i32)
    loop
      global.get $count
      i32.const 1
      i32.sub
      global.set $count
      i64.const 3
      global.set $other
      local.get 0
      i32.const 1
      i32.sub
      local.tee 0
      br_if 0
    end)
  (func (export "host") (param i32)
    local.get 0
    call $set
    nop)
  (memory (export "memory") 1)
  (func (export "store") (param i32)
    i32.const 64
    local.get 0
    i32.store)
  (func (export "load") (param i32)
    local.get 0
    i32.load
    drop)
  (func (export "outer") (param i32)
    local.get 0
    call 1
    nop))
