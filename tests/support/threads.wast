;; Threads that run at once, each with a store of its own, on one memory.
(module $mem (memory (export "shared") 1 4 shared))
(module definition $work
  (memory (import "mem" "shared") 1 4 shared)
  (func (export "count") (param i32) (result i32)
    (loop
      (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
      (i64.atomic.store (i32.const 8) (i64.add (i64.atomic.load (i32.const 8)) (i64.const 0)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))
  ;; Counts under a lock: plain loads and stores between atomic ones.
  (func (export "count_locked") (param i32) (result i32)
    (loop
      (block $taken
        (loop $again
          (br_if $taken (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 16) (i32.const 0) (i32.const 1))))
          (drop (memory.atomic.wait32 (i32.const 16) (i32.const 1) (i64.const -1)))
          (br $again)))
      (i32.store (i32.const 20) (i32.add (i32.load (i32.const 20)) (i32.const 1)))
      (i32.atomic.store (i32.const 16) (i32.const 0))
      (drop (memory.atomic.notify (i32.const 16) (i32.const 1)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))
  ;; Waits until a word is not zero.
  (func (export "wait_for") (param i32) (result i32)
    (block $there
      (loop $again
        (br_if $there (i32.atomic.load (local.get 0)))
        (drop (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const -1)))
        (br $again)))
    (i32.load offset=4 (local.get 0)))
  (func (export "tell") (param i32 i32) (result i32)
    (i32.store offset=4 (local.get 0) (local.get 1))
    (i32.atomic.store (local.get 0) (i32.const 1))
    (drop (memory.atomic.notify (local.get 0) (i32.const -1)))
    (i32.const 0))
  (func (export "wait_for_page") (param i32) (result i32)
    (loop (br_if 0 (i32.lt_u (memory.size) (local.get 0))))
    (i32.load (i32.mul (i32.sub (local.get 0) (i32.const 1)) (i32.const 65536))))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "load") (param i32) (result i32) (i32.atomic.load (local.get 0))))

(thread $a (shared (module $mem))
  (register "mem" $mem)
  (module definition $work
    (memory (import "mem" "shared") 1 4 shared)
    (func (export "count") (param i32) (result i32)
      (loop
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 0))
    (func (export "count_locked") (param i32) (result i32)
      (loop
        (block $taken
          (loop $again
            (br_if $taken (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 16) (i32.const 0) (i32.const 1))))
            (drop (memory.atomic.wait32 (i32.const 16) (i32.const 1) (i64.const -1)))
            (br $again)))
        (i32.store (i32.const 20) (i32.add (i32.load (i32.const 20)) (i32.const 1)))
        (i32.atomic.store (i32.const 16) (i32.const 0))
        (drop (memory.atomic.notify (i32.const 16) (i32.const 1)))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 0))
    (func (export "trap") (param i32) (result i32) (i32.atomic.load offset=1 (local.get 0))))
  (module instance $work $work)
  (assert_return (invoke "count" (i32.const 300)) (i32.const 0))
  (assert_return (invoke "count_locked" (i32.const 100)) (i32.const 0))
  (assert_trap (invoke "trap" (i32.const 0)) "unaligned atomic")
  ;; A thread has no instance of another.
  (assert_unlinkable (module (func (import "elsewhere" "f"))) "unknown import"))
(thread $b (shared (module $mem))
  (register "mem" $mem)
  (module $work
    (memory (import "mem" "shared") 1 4 shared)
    (func (export "count") (param i32) (result i32)
      (loop
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 0))
    (func (export "wait_for") (param i32) (result i32)
      (block $there
        (loop $again
          (br_if $there (i32.atomic.load (local.get 0)))
          (drop (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const -1)))
          (br $again)))
      (i32.load offset=4 (local.get 0)))
    (func (export "wait_for_page") (param i32) (result i32)
      (loop (br_if 0 (i32.lt_u (memory.size) (local.get 0))))
      (i32.load (i32.mul (i32.sub (local.get 0) (i32.const 1)) (i32.const 65536))))
    (func (export "tell") (param i32 i32) (result i32)
      (i32.store offset=4 (local.get 0) (local.get 1))
      (i32.atomic.store (local.get 0) (i32.const 1))
      (drop (memory.atomic.notify (local.get 0) (i32.const -1)))
      (i32.const 0)))
  (assert_return (invoke "count" (i32.const 300)) (i32.const 0))
  (assert_return (invoke "wait_for" (i32.const 32)) (i32.const 77))
  (assert_return (invoke "wait_for_page" (i32.const 2)) (i32.const 0))
  (assert_return (invoke "tell" (i32.const 48) (i32.const 88)) (i32.const 0)))

(register "mem" $mem)
(module instance $here $work)
(assert_return (invoke "count" (i32.const 300)) (i32.const 0))
(assert_return (invoke "count_locked" (i32.const 100)) (i32.const 0))
(wait $a)
(assert_return (invoke "load" (i32.const 20)) (i32.const 200))
(assert_return (invoke "tell" (i32.const 32) (i32.const 77)) (i32.const 0))
(assert_return (invoke "grow") (i32.const 1))
(wait $b)
(assert_return (invoke "wait_for" (i32.const 48)) (i32.const 88))
(assert_return (invoke "load" (i32.const 0)) (i32.const 900))
