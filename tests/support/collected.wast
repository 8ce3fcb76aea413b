;; What guests have made is collected while they run: it is there wherever it can still be reached from, and counts as
;; it should. Run with a collection before each object, with what is not live written over.

(module
  (type $node (sub (struct (field $value i32) (field $next (mut (ref null $node))))))
  (type $tree (struct (field (ref null $tree)) (field (ref null $tree)) (field i32)))
  (type $nodes (array (mut (ref null $node))))
  (type $anys (array (mut anyref)))
  (type $externs (array (mut externref)))
  (type $bytes (array (mut i8)))
  (type $wide (struct (field v128) (field (mut (ref null $node))) (field i8) (field (mut externref)) (field (mut funcref))))
  (type $pass (func (param (ref null $node) i32) (result (ref null $node))))
  (table $anys 4 anyref)
  (table $externs 4 externref)
  (table $funcs funcref (elem $longer))
  (global $kept (mut (ref null $node)) (struct.new $node (i32.const 5) (ref.null $node)))
  (global $foreign (mut externref) (extern.convert_any (struct.new $node (i32.const 6) (ref.null $node))))
  (elem $made (ref null $node) (item (struct.new $node (i32.const 8) (ref.null $node))) (item (ref.null $node)))

  ;; Room is made again and again, so that whatever is not held is gone.
  (func $churn (param i32) (local i32)
    loop $more
      (drop (struct.new $tree (ref.null $tree) (ref.null $tree) (i32.const -1)))
      (drop (array.new $bytes (i32.const 77) (i32.const 300)))
      (br_if $more (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0)))
    end)

  (func $list (param $length i32) (result (ref null $node)) (local $list (ref null $node))
    (if (local.get $length) (then
      loop $more
        (local.set $list (struct.new $node (local.get $length) (local.get $list)))
        (br_if $more (local.tee $length (i32.sub (local.get $length) (i32.const 1))))
      end))
    local.get $list)
  (func $sum (param $list (ref null $node)) (result i32) (local $sum i32)
    block $end
      loop $more
        (br_if $end (ref.is_null (local.get $list)))
        (local.set $sum (i32.add (local.get $sum) (struct.get $node $value (local.get $list))))
        (local.set $list (struct.get $node $next (local.get $list)))
        br $more
      end
    end
    local.get $sum)
  (func (export "list") (param i32) (result i32) (local (ref null $node))
    (local.set 1 (call $list (local.get 0)))
    (call $churn (i32.const 5))
    (call $sum (local.get 1)))

  ;; Operands, below and as arguments of what makes more.
  (func (export "operands") (result i32)
    (call $list (i32.const 3))
    (call $list (i32.const 4))
    (struct.new $node (i32.const 100) (call $list (i32.const 5)))
    call $sum
    (call $churn (i32.const 2))
    global.set $long
    call $sum
    (i32.mul (i32.const 1000))
    global.set $longer
    call $sum
    (i32.mul (i32.const 100000))
    (i32.add (global.get $longer))
    (i32.add (global.get $long)))
  (global $long (mut i32) (i32.const 0))
  (global $longer (mut i32) (i32.const 0))

  (func $tree (param i32) (result (ref $tree))
    (if (result (ref $tree)) (local.get 0)
      (then (struct.new $tree
        (call $tree (i32.sub (local.get 0) (i32.const 1)))
        (call $tree (i32.sub (local.get 0) (i32.const 1)))
        (local.get 0)))
      (else (struct.new_default $tree))))
  (func $count (param (ref null $tree)) (result i32)
    (if (result i32) (ref.is_null (local.get 0))
      (then (i32.const 0))
      (else (i32.add (i32.const 1)
        (i32.add
          (call $count (struct.get $tree 0 (local.get 0)))
          (call $count (struct.get $tree 1 (local.get 0))))))))
  (func (export "tree") (param i32) (result i32) (call $count (call $tree (local.get 0))))

  ;; A ring of two, reached from one place and then from none.
  (func (export "ring") (result i32) (local $one (ref null $node)) (local $other (ref null $node))
    (local.set $one (struct.new $node (i32.const 1) (ref.null $node)))
    (local.set $other (struct.new $node (i32.const 2) (local.get $one)))
    (struct.set $node $next (local.get $one) (local.get $other))
    (local.set $one (ref.null $node))
    (call $churn (i32.const 3))
    (i32.add
      (i32.mul (i32.const 10) (struct.get $node $value (struct.get $node $next (local.get $other))))
      (struct.get $node $value (struct.get $node $next (struct.get $node $next (local.get $other))))))

  ;; Globals, tables, element segments.
  (func (export "globals") (result i32)
    (call $churn (i32.const 3))
    (i32.add (call $sum (global.get $kept))
      (call $sum (ref.cast (ref null $node) (any.convert_extern (global.get $foreign))))))
  (func (export "set") (param i32)
    (global.set $kept (call $list (local.get 0)))
    (global.set $foreign (extern.convert_any (call $list (i32.add (local.get 0) (i32.const 1))))))
  (func (export "tables") (param i32) (result i32) (local i32)
    (table.set $anys (i32.const 1) (call $list (local.get 0)))
    (table.set $anys (i32.const 2) (ref.i31 (i32.const 40)))
    (table.set $externs (i32.const 3) (extern.convert_any (call $list (local.get 0))))
    (call $churn (i32.const 2))
    (drop (table.grow $anys (table.get $anys (i32.const 1)) (i32.const 2)))
    (table.set $anys (i32.const 1) (ref.null any))
    (call $churn (i32.const 2))
    (local.set 1 (call $sum (ref.cast (ref null $node) (table.get $anys (i32.sub (table.size $anys) (i32.const 1))))))
    (i32.add (local.get 1)
      (call $sum (ref.cast (ref null $node) (any.convert_extern (table.get $externs (i32.const 3)))))))
  (func (export "segment") (result i32) (local $nodes (ref null $nodes))
    (call $churn (i32.const 2))
    (local.set $nodes (array.new_elem $nodes $made (i32.const 0) (i32.const 2)))
    (call $churn (i32.const 2))
    (i32.add (call $sum (array.get $nodes (local.get $nodes) (i32.const 0)))
      (ref.is_null (array.get $nodes (local.get $nodes) (i32.const 1)))))

  ;; Arrays of references of all families, and structures with some among other fields.
  (func (export "arrays") (param $length i32) (result i32) (local $nodes (ref null $nodes)) (local $i i32) (local $sum i32)
    (local.set $nodes (array.new $nodes (struct.new $node (i32.const 1) (ref.null $node)) (local.get $length)))
    loop $more
      (array.set $nodes (local.get $nodes) (local.get $i)
        (struct.new $node (local.get $i) (array.get $nodes (local.get $nodes) (local.get $i))))
      (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 3))) (local.get $length)))
    end
    (array.copy $nodes $nodes (local.get $nodes) (i32.const 1) (local.get $nodes) (i32.const 0) (i32.const 1))
    (call $churn (i32.const 1))
    (local.set $i (i32.const 0))
    loop $more
      (local.set $sum (i32.add (local.get $sum) (call $sum (array.get $nodes (local.get $nodes) (local.get $i)))))
      (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $length)))
    end
    local.get $sum)
  (func (export "fixed") (result i32) (local $anys (ref null $anys))
    (local.set $anys (array.new_fixed $anys 3 (call $list (i32.const 2)) (ref.i31 (i32.const 4)) (call $list (i32.const 3))))
    (call $churn (i32.const 2))
    (i32.add
      (call $sum (ref.cast (ref null $node) (array.get $anys (local.get $anys) (i32.const 0))))
      (i32.add
        (i31.get_u (ref.cast (ref i31) (array.get $anys (local.get $anys) (i32.const 1))))
        (call $sum (ref.cast (ref null $node) (array.get $anys (local.get $anys) (i32.const 2)))))))
  (func (export "foreign") (param externref) (result i32) (local $externs (ref null $externs))
    (local.set $externs (array.new $externs (local.get 0) (i32.const 4)))
    (array.set $externs (local.get $externs) (i32.const 2) (extern.convert_any (call $list (i32.const 6))))
    (call $churn (i32.const 2))
    (i32.add
      (call $sum (ref.cast (ref null $node) (any.convert_extern (array.get $externs (local.get $externs) (i32.const 2)))))
      (ref.is_null (array.get $externs (local.get $externs) (i32.const 1)))))
  (func (export "wide") (result i32) (local $it (ref null $wide))
    (local.set $it (struct.new $wide (v128.const i32x4 1 2 3 4) (call $list (i32.const 2)) (i32.const 200)
      (extern.convert_any (call $list (i32.const 3))) (ref.func $longer)))
    (call $churn (i32.const 2))
    (i32.add (i32x4.extract_lane 3 (struct.get $wide 0 (local.get $it)))
      (i32.add (call $sum (struct.get $wide 1 (local.get $it)))
        (i32.add (struct.get_u $wide 2 (local.get $it))
          (i32.add (call $sum (ref.cast (ref null $node) (any.convert_extern (struct.get $wide 3 (local.get $it)))))
            (ref.is_null (struct.get $wide 4 (local.get $it))))))))
  (func (export "long") (param i32) (result i32) (local $bytes (ref null $bytes))
    (local.set $bytes (array.new $bytes (i32.const 9) (local.get 0)))
    (call $churn (i32.const 3))
    (i32.add (array.len (local.get $bytes))
      (array.get_u $bytes (local.get $bytes) (i32.sub (local.get 0) (i32.const 1)))))

  ;; Frames: what callers need behind calls of every kind.
  (func $longer (type $pass) (struct.new $node (local.get 1) (local.get 0)))
  (func $away (type $pass) (return_call $longer (local.get 0) (i32.add (local.get 1) (i32.const 1))))
  (elem declare func $longer $away)
  (func (export "calls") (result i32) (local $a (ref null $node)) (local $b (ref null $node))
    (local.set $a (call $list (i32.const 2)))
    (local.set $b (call_ref $pass (local.get $a) (i32.const 10) (ref.func $longer)))
    (local.set $b (call_indirect $funcs (type $pass) (local.get $b) (i32.const 20) (i32.const 0)))
    (local.set $b (call $away (local.get $b) (i32.const 30)))
    (call $churn (i32.const 2))
    (i32.add (i32.mul (i32.const 1000) (call $sum (local.get $a))) (call $sum (local.get $b))))
  ;; Either way leads to where it is used, and only one makes it.
  (func (export "ways") (param i32) (result i32) (local $it (ref null $node)) (local $i i32)
    (local.set $it (ref.null $node))
    (if (local.get 0)
      (then (local.set $it (call $list (i32.const 3))))
      (else (call $churn (i32.const 1))))
    loop $more
      (call $churn (i32.const 1))
      (if (i32.eq (local.get $i) (i32.const 2)) (then
        (local.set $it (struct.new $node (i32.const 50) (local.get $it)))))
      (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4)))
    end
    (call $sum (local.get $it)))
  (func (export "block") (param i32) (result i32)
    (block $b (result (ref null $node))
      (br_if $b (call $list (i32.const 7)) (local.get 0))
      drop
      (call $churn (i32.const 1))
      (call $list (i32.const 8)))
    (call $churn (i32.const 1))
    (call $sum))
  ;; Sixty references at once.
  (func $many (param i32 (ref null $node) (ref null $node) (ref null $node) (ref null $node) (ref null $node)
      (ref null $node) (ref null $node) (ref null $node) (ref null $node) (ref null $node)) (result i32)
    (call $churn (i32.const 1))
    (if (local.get 0) (then
      (return (call $many (i32.sub (local.get 0) (i32.const 1))
        (local.get 10) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7)
        (local.get 8) (struct.new $node (local.get 0) (local.get 9))))))
    (call $sum (local.get 1)) (call $sum (local.get 2)) (call $sum (local.get 3)) (call $sum (local.get 4))
    (call $sum (local.get 5)) (call $sum (local.get 6)) (call $sum (local.get 7)) (call $sum (local.get 8))
    (call $sum (local.get 9)) (call $sum (local.get 10))
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add)
  (func (export "many") (param i32) (result i32)
    (call $many (local.get 0)
      (call $list (i32.const 1)) (call $list (i32.const 2)) (call $list (i32.const 3)) (call $list (i32.const 4))
      (call $list (i32.const 5)) (call $list (i32.const 6)) (call $list (i32.const 7)) (call $list (i32.const 8))
      (call $list (i32.const 9)) (call $list (i32.const 10))))
  (func (export "pass") (param anyref) (result anyref) (call $churn (i32.const 2)) local.get 0)
  (func (export "new") (param i32) (result (ref null $node)) (call $list (local.get 0)))
)
(assert_return (invoke "list" (i32.const 0)) (i32.const 0))
(assert_return (invoke "list" (i32.const 20)) (i32.const 210))
(assert_return (invoke "operands") (i32.const 610115))
(assert_return (invoke "tree" (i32.const 4)) (i32.const 31))
(assert_return (invoke "ring") (i32.const 12))
(assert_return (invoke "globals") (i32.const 11))
(assert_return (invoke "set" (i32.const 4)))
(assert_return (invoke "globals") (i32.const 25))
(assert_return (invoke "tables" (i32.const 5)) (i32.const 30))
(assert_return (invoke "segment") (i32.const 9))
(assert_return (invoke "segment") (i32.const 9))
(assert_return (invoke "arrays" (i32.const 10)) (i32.const 28))
(assert_return (invoke "fixed") (i32.const 13))
(assert_return (invoke "foreign" (ref.extern 3)) (i32.const 21))
(assert_return (invoke "foreign" (ref.null extern)) (i32.const 22))
(assert_return (invoke "wide") (i32.const 213))
(assert_return (invoke "long" (i32.const 1)) (i32.const 10))
(assert_return (invoke "long" (i32.const 100)) (i32.const 109))
(assert_return (invoke "long" (i32.const 20000)) (i32.const 20009))
(assert_return (invoke "long" (i32.const 70000)) (i32.const 70009))
(assert_return (invoke "calls") (i32.const 3064))
(assert_return (invoke "ways" (i32.const 0)) (i32.const 50))
(assert_return (invoke "ways" (i32.const 1)) (i32.const 56))
(assert_return (invoke "block" (i32.const 0)) (i32.const 36))
(assert_return (invoke "block" (i32.const 1)) (i32.const 28))
(assert_return (invoke "many" (i32.const 0)) (i32.const 220))
(assert_return (invoke "many" (i32.const 12)) (i32.const 298))
(assert_return (invoke "new" (i32.const 3)) (ref.struct))

;; Exceptions: what they carry, where they land, and what is needed behind.
(module
  (type $box (struct (field i32)))
  (tag $t (param (ref null $box) i32))
  (tag $e (param externref))
  (func $churn (local i32)
    loop $more
      (drop (struct.new $box (i32.const -1)))
      (br_if $more (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3)))
    end)
  (func $throws (param i32)
    (call $churn)
    (throw $t (struct.new $box (local.get 0)) (local.get 0)))
  (func (export "carried") (param i32) (result i32) (local $mine (ref null $box)) (local $found (ref null $box))
    (local.set $mine (struct.new $box (i32.const 1000)))
    block $h (result (ref null $box) i32)
      (try_table (catch $t $h) (call $throws (local.get 0)))
      unreachable
    end
    drop
    local.set $found
    (call $churn)
    (i32.add (struct.get $box 0 (local.get $found)) (struct.get $box 0 (local.get $mine))))
  (func (export "kept") (param i32) (result i32) (local exnref)
    block $h (result exnref)
      (try_table (catch_all_ref $h) (call $throws (local.get 0)))
      unreachable
    end
    local.set 1
    (call $churn)
    block $h (result (ref null $box) i32)
      (try_table (catch $t $h) (throw_ref (local.get 1)))
      unreachable
    end
    drop
    (call $churn)
    struct.get $box 0)
  (func (export "foreign") (result i32)
    block $h (result externref)
      (try_table (catch $e $h) (call $churn) (throw $e (extern.convert_any (struct.new $box (i32.const 17)))))
      unreachable
    end
    (call $churn)
    any.convert_extern
    (struct.get $box 0 (ref.cast (ref $box))))
)
(assert_return (invoke "carried" (i32.const 5)) (i32.const 1005))
(assert_return (invoke "kept" (i32.const 6)) (i32.const 6))
(assert_return (invoke "foreign") (i32.const 17))
