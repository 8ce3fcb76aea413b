;; References to what guests make, wherever values go: integers of 31 bits.

(module
  (type $pair (sub (struct (field i32) (field (mut i8)))))
  (type $more (sub final $pair (struct (field i32) (field (mut i8)) (field (ref null $pair)))))
  (type $bytes (array (mut i8)))
  (type $many (func (param i31ref i64 anyref) (result anyref i64 i31ref)))
  (global $kept (mut anyref) (ref.i31 (i32.const -7)))
  (global $least (export "least") i31ref (ref.i31 (i32.const 0x40000000)))
  (table $table (export "table") 4 12 anyref)
  (table $filled 3 (ref i31) (ref.i31 (i32.const 9)))
  (elem $more i31ref (ref.i31 (i32.const 1)) (ref.null i31) (ref.i31 (i32.const 3)))
  (elem (table $table) (i32.const 2) eqref (ref.i31 (i32.const 22)))

  (func (export "make") (param i32) (result (ref i31)) local.get 0 ref.i31)
  (func (export "both") (param i32) (result i32 i32)
    (local $it (ref null i31))
    local.get 0 ref.i31 local.set $it
    local.get $it i31.get_s
    local.get $it i31.get_u)
  (func (export "of") (param i31ref) (result i32) local.get 0 i31.get_s)
  (func (export "of_unsigned") (param i31ref) (result i32) local.get 0 i31.get_u)
  (func (export "pass") (param anyref) (result anyref) local.get 0)
  (func (export "null") (result anyref) (local (ref null $more)) local.get 0)
  (func (export "nulls") (result i32)
    (local anyref) (local eqref) (local i31ref) (local structref) (local arrayref) (local nullref) (local (ref null $bytes))
    local.get 0 ref.is_null local.get 1 ref.is_null i32.add
    local.get 2 ref.is_null i32.add local.get 3 ref.is_null i32.add
    local.get 4 ref.is_null i32.add local.get 5 ref.is_null i32.add
    local.get 6 ref.is_null i32.add ref.null none ref.is_null i32.add)

  (func (export "same") (param i32 i32) (result i32)
    local.get 0 ref.i31 local.get 1 ref.i31 ref.eq)
  (func (export "same_as_null") (param eqref) (result i32) local.get 0 ref.null eq ref.eq)
  (func (export "not_null") (param i31ref) (result i32) local.get 0 ref.as_non_null i31.get_s)

  (func $many (type $many) local.get 2 local.get 1 local.get 0)
  (func (export "through_a_call") (param i32) (result i32 i64 i32)
    local.get 0 ref.i31 i64.const 5 ref.null any
    call $many
    i31.get_s
    local.set 0
    global.set $long
    ref.is_null
    global.get $long
    local.get 0)
  (global $long (mut i64) (i64.const 0))
  (func (export "through_a_reference") (param i32) (result i32)
    ref.null i31 i64.const 0 local.get 0 ref.i31 ref.func $many call_ref $many
    drop drop ref.is_null)
  (elem declare func $many)

  (func (export "chosen") (param i32) (result i32)
    i32.const 10 ref.i31 i32.const 20 ref.i31 local.get 0 select (result i31ref) i31.get_s)
  (func (export "joined") (param i32) (result i32)
    block $none
      local.get 0 if (result i31ref) i32.const 4 ref.i31 else ref.null i31 end
      br_on_null $none i31.get_s return
    end
    i32.const -1)
  (func (export "branched") (param i31ref) (result i32)
    block $some (result (ref i31)) local.get 0 br_on_non_null $some i32.const -1 return end
    i31.get_u)
  ;; The sum of what is between, counted in a reference.
  (func (export "sum") (param i32) (result i32)
    (local $at i31ref) (local $sum i32)
    local.get 0 ref.i31 local.set $at
    loop $again (result i31ref)
      local.get $sum local.get $at i31.get_s i32.add local.set $sum
      local.get $at i31.get_s i32.const 1 i32.sub ref.i31 local.tee $at
      i31.get_s br_if $again
      local.get $at
    end
    drop local.get $sum)

  (func (export "keep") (param anyref) local.get 0 global.set $kept)
  (func (export "kept") (result anyref) global.get $kept)
  (func (export "get") (param i32) (result anyref) local.get 0 table.get $table)
  (func (export "set") (param i32 anyref) local.get 0 local.get 1 table.set $table)
  (func (export "grow") (param i32 i32) (result i32) local.get 1 ref.i31 local.get 0 table.grow $table)
  (func (export "grow_by_null") (param i32) (result i32) ref.null none local.get 0 table.grow $table)
  (func (export "fill") (param i32 i32 i32)
    local.get 0 local.get 1 ref.i31 local.get 2 table.fill $table)
  (func (export "copy") (param i32 i32 i32) local.get 0 local.get 1 local.get 2 table.copy $table $filled)
  (func (export "init") (param i32 i32 i32) local.get 0 local.get 1 local.get 2 table.init $table $more)
  (func (export "filled") (param i32) (result i32) local.get 0 table.get $filled i31.get_s)
)

(assert_return (invoke "make" (i32.const 1)) (ref.i31))
(assert_return (invoke "make" (i32.const 1)) (ref.eq))
(assert_return (invoke "both" (i32.const 0)) (i32.const 0) (i32.const 0))
(assert_return (invoke "both" (i32.const -1)) (i32.const -1) (i32.const 0x7fffffff))
(assert_return (invoke "both" (i32.const 0x40000000)) (i32.const -0x40000000) (i32.const 0x40000000))
(assert_return (invoke "both" (i32.const 0x80000001)) (i32.const 1) (i32.const 1))
(assert_trap (invoke "of" (ref.null i31)) "null i31 reference")
(assert_trap (invoke "of_unsigned" (ref.null i31)) "null i31 reference")
(assert_trap (invoke "not_null" (ref.null none)) "null reference")
(assert_return (invoke "pass" (ref.null any)) (ref.null any))
(assert_return (invoke "pass" (ref.null struct)) (ref.null none))
(assert_return (invoke "null") (ref.null))
(assert_return (invoke "nulls") (i32.const 8))
(assert_return (invoke "same" (i32.const 5) (i32.const 5)) (i32.const 1))
(assert_return (invoke "same" (i32.const 5) (i32.const 6)) (i32.const 0))
(assert_return (invoke "same" (i32.const 0) (i32.const 0x80000000)) (i32.const 1))
(assert_return (invoke "same_as_null" (ref.null eq)) (i32.const 1))
(assert_return (invoke "through_a_call" (i32.const -3)) (i32.const 1) (i64.const 5) (i32.const -3))
(assert_return (invoke "through_a_reference" (i32.const 3)) (i32.const 0))
(assert_return (invoke "chosen" (i32.const 1)) (i32.const 10))
(assert_return (invoke "chosen" (i32.const 0)) (i32.const 20))
(assert_return (invoke "joined" (i32.const 1)) (i32.const 4))
(assert_return (invoke "joined" (i32.const 0)) (i32.const -1))
(assert_return (invoke "branched" (ref.null i31)) (i32.const -1))
(assert_return (invoke "sum" (i32.const 100)) (i32.const 5050))
(assert_return (get "least") (ref.i31))

(assert_return (invoke "kept") (ref.i31))
(invoke "keep" (ref.null array))
(assert_return (invoke "kept") (ref.null))

(assert_return (invoke "get" (i32.const 0)) (ref.null))
(assert_return (invoke "get" (i32.const 2)) (ref.i31))
(assert_trap (invoke "get" (i32.const 4)) "out of bounds table access")
(assert_return (invoke "grow" (i32.const 2) (i32.const 7)) (i32.const 4))
(assert_return (invoke "get" (i32.const 5)) (ref.i31))
(assert_return (invoke "grow_by_null" (i32.const 1)) (i32.const 6))
(assert_return (invoke "get" (i32.const 6)) (ref.null any))
(assert_return (invoke "grow" (i32.const 6) (i32.const 7)) (i32.const -1))
(invoke "fill" (i32.const 0) (i32.const 1) (i32.const 2))
(assert_return (invoke "get" (i32.const 1)) (ref.any))
(invoke "set" (i32.const 1) (ref.null i31))
(assert_return (invoke "get" (i32.const 1)) (ref.null))
(invoke "copy" (i32.const 4) (i32.const 0) (i32.const 3))
(assert_return (invoke "get" (i32.const 6)) (ref.i31))
(invoke "init" (i32.const 0) (i32.const 0) (i32.const 3))
(assert_return (invoke "get" (i32.const 1)) (ref.null))
(assert_return (invoke "get" (i32.const 2)) (ref.i31))
(assert_return (invoke "filled" (i32.const 2)) (i32.const 9))
(assert_trap (invoke "init" (i32.const 0) (i32.const 1) (i32.const 3)) "out of bounds table access")

;; Types are the same in all modules, and below those that they name.
(module $a
  (rec (type $list (sub (struct (field i32) (field (mut (ref null $list)))))) (type $lists (array (ref $list))))
  (type $numbered (sub $list (struct (field i32) (field (mut (ref null $list))) (field i64))))
  (global (export "empty") (ref null $numbered) (ref.null none))
  (func (export "take") (param (ref null $list)) (result (ref null $lists)) ref.null $lists))
(register "a" $a)
(module
  (type (func))
  (rec (type $l (sub (struct (field i32) (field (mut (ref null $l)))))) (type $ls (array (ref $l))))
  (type $n (sub $l (struct (field i32) (field (mut (ref null $l))) (field i64))))
  (import "a" "empty" (global (ref null $l)))
  (import "a" "take" (func $take (param (ref null $l)) (result (ref null $ls))))
  (func (export "run") (result i32) global.get 0 call $take ref.is_null))
(assert_return (invoke "run") (i32.const 1))
(assert_unlinkable
  (module
    (type $l (sub (struct (field i32) (field (mut (ref null $l))))))
    (import "a" "empty" (global (ref null $l))))
  "incompatible import type")
(assert_invalid
  (module (type $a (struct (field i32))) (type $b (sub $a (struct (field i32)))))
  "sub type")
(assert_invalid
  (module (type $s (struct)) (func (param (ref null $s)) (result i31ref) local.get 0))
  "type mismatch")
