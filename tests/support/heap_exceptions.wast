;; Exceptions in structures and arrays, and casts of references to them.
(module
  (tag $t (param i32))
  (type $box (struct (field (mut exnref)) (field i32)))
  (type $boxes (array (mut exnref)))
  (func $thrown (param i32) (result exnref)
    block $h (result exnref)
      try_table (catch_all_ref $h) local.get 0 throw $t end
      unreachable
    end)
  (func $carried (param exnref) (result i32)
    block $h (result i32)
      try_table (catch $t $h) local.get 0 throw_ref end
      unreachable
    end)
  (func (export "in-a-structure") (param i32) (result i32) (local $box (ref null $box))
    (local.set $box (struct.new $box (call $thrown (local.get 0)) (i32.const 3)))
    (call $carried (struct.get $box 0 (local.get $box))))
  (func (export "by-default") (result i32)
    (ref.is_null (struct.get $box 0 (struct.new_default $box))))
  (func (export "in-an-array") (param i32) (result i32) (local $boxes (ref null $boxes))
    (local.set $boxes (array.new $boxes (call $thrown (local.get 0)) (i32.const 3)))
    (array.set $boxes (local.get $boxes) (i32.const 1) (ref.null noexn))
    (i32.add
      (call $carried (array.get $boxes (local.get $boxes) (i32.const 2)))
      (ref.is_null (array.get $boxes (local.get $boxes) (i32.const 1)))))
  (func (export "casts") (param i32) (result i32) (local $exception exnref)
    (local.set $exception (call $thrown (local.get 0)))
    (i32.add
      (i32.shl (ref.test (ref exn) (local.get $exception)) (i32.const 4))
      (i32.add
        (i32.shl (ref.test (ref null noexn) (local.get $exception)) (i32.const 3))
        (i32.add
          (i32.shl (ref.test (ref exn) (ref.null exn)) (i32.const 2))
          (i32.add
            (i32.shl (ref.test (ref null noexn) (ref.null exn)) (i32.const 1))
            (ref.test exnref (ref.null exn)))))))
  (func (export "cast") (param i32) (result i32)
    (call $carried (ref.cast (ref exn) (call $thrown (local.get 0)))))
  (func (export "no-cast") (param i32) (result i32)
    (ref.is_null (ref.cast nullexnref (call $thrown (local.get 0)))))
  (func (export "on-cast") (param i32) (result i32)
    block $is (result (ref exn))
      (br_on_cast $is exnref (ref exn) (call $thrown (local.get 0)))
      drop
      i32.const -1
      return
    end
    call $carried))
(assert_return (invoke "in-a-structure" (i32.const 5)) (i32.const 5))
(assert_return (invoke "by-default") (i32.const 1))
(assert_return (invoke "in-an-array" (i32.const 7)) (i32.const 8))
(assert_return (invoke "casts" (i32.const 1)) (i32.const 0x13))
(assert_return (invoke "cast" (i32.const 9)) (i32.const 9))
(assert_trap (invoke "no-cast" (i32.const 9)) "cast failure")
(assert_return (invoke "on-cast" (i32.const 11)) (i32.const 11))
