;; Exceptions as they were before `try_table`. What each export gives follows from the text alone, not from what another
;; engine says.
(module $thrower
  (tag $t (export "t") (param i32))
  (func (export "throw") (param i32) local.get 0 throw $t))
(register "thrower" $thrower)
(module
  (import "thrower" "t" (tag $t (param i32)))
  (import "thrower" "throw" (func $foreign (param i32)))
  (tag $same (param i32))
  (tag $none)
  (tag $all (param i32 i64 f32 f64 v128 funcref externref))
  (table funcref (elem $throw))
  (elem declare func $throw)
  (func $throw (param i32)
    local.get 0 i32.eqz if return end
    local.get 0 i32.const 10 i32.lt_s if throw $none end
    local.get 0 throw $same)

  ;; The first clause that fits.
  (func (export "which") (param i32) (result i32)
    try (result i32)
      local.get 0 call $throw
      i32.const -1
    catch $none
      i32.const -2
    catch $same
    catch $none
      unreachable
    catch_all
      unreachable
    end)
  (func (export "foreign") (param i32) (result i32)
    try (result i32)
      try
        local.get 0 call $foreign
      catch $same
        drop
      end
      i32.const -1
    catch $t
      i32.const 1000 i32.add
    end)
  (func (export "any") (param i32) (result i32)
    try
      local.get 0 call $foreign
    catch_all
    end
    local.get 0)
  (func (export "values") (param externref) (result i32 i64 f32 f64 v128 funcref externref)
    try (result i32 i64 f32 f64 v128 funcref externref)
      i32.const -7 i64.const -8 f32.const 1.5 f64.const 2.5 v128.const i32x4 1 2 3 4 ref.null func local.get 0 throw $all
    catch $all
    end)

  ;; Without clauses nothing is caught.
  (func (export "no-clauses") (param i32) (result i32)
    try local.get 0 call $throw end
    i32.const 1)
  (func (export "params") (param i32 i32) (result i32)
    local.get 0 local.get 1
    try (param i32 i32) (result i32)
      i32.add throw $same
    catch $same
      i32.const 2 i32.mul
    end)

  ;; A trap is no exception.
  (func (export "trap") try unreachable catch_all end)
  (func $divide (param i32) (result i32) i32.const 1 local.get 0 i32.div_u)
  (func (export "trap-in-callee") (param i32) (result i32)
    try (result i32) local.get 0 call $divide catch_all i32.const 11 end)

  ;; Branches out of both parts.
  (func (export "branches") (param i32) (result i32)
    block $out (result i32)
      try $try (result i32)
        i32.const 1 local.get 0 i32.const 1 i32.and br_if $try
        drop i32.const 2 local.get 0 i32.const 2 i32.and br_if $out
        drop local.get 0 throw $same
      catch $same
        drop i32.const 3 local.get 0 i32.const 4 i32.and br_if $try
        drop i32.const 4 local.get 0 i32.const 8 i32.and br_if $out
        drop i32.const 5 return
      end
      i32.const 100 i32.add
    end
    i32.const 1000 i32.add)
  ;; What is left is not there any more.
  (func (export "left") (param i32) (result i32)
    try (result i32)
      block $out
        try br $out catch_all unreachable end
      end
      local.get 0 throw $same
    catch $same
      i32.const 1 i32.add
    end)
  (func (export "loop") (param i32) (result i32) (local i32)
    loop $again
      try
        local.get 0 throw $same
      catch $same
        local.get 1 i32.add local.set 1
        local.get 0 i32.const 1 i32.sub local.tee 0 br_if $again
      end
    end
    local.get 1)

  ;; Thrown again, and what has been thrown meanwhile does not matter.
  (func (export "again") (param i32) (result i32)
    try (result i32)
      try
        local.get 0 call $throw
      catch_all
        rethrow 0
      end
      i32.const -1
    catch $same
      i32.const 1 i32.add
    catch $none
      i32.const -2
    end)
  (func (export "meanwhile") (param i32) (result i32) (local i32)
    try (result i32)
      try (result i32)
        local.get 0 throw $same
      catch $same
        drop
        loop $more
          try i32.const 99 throw $same catch $same drop end
          local.get 1 i32.const 1 i32.add local.tee 1 i32.const 20 i32.lt_s br_if $more
        end
        try (result i32) i32.const 98 throw $same catch_all rethrow 1 end
      end
    catch $same
    end)
  (func (export "outer") (param i32) (result i32)
    try (result i32)
      try (result i32)
        i32.const 5 throw $same
      catch $same
        drop
        try (result i32)
          i32.const 6 throw $same
        catch $same
          drop
          local.get 0 if rethrow 2 end
          rethrow 0
        end
      end
    catch $same
    end)
  (func (export "again-here") (param i32) (result i32)
    try (result i32)
      local.get 0 throw $same
    catch_all
      try (result i32) rethrow 1 catch $same end
      try (result i32) rethrow 1 catch $same end
      i32.add
    end)
  (func $hand-on (param i32 i32)
    local.get 1 i32.eqz if local.get 0 call $throw return end
    try
      local.get 0 local.get 1 i32.const 1 i32.sub call $hand-on
    catch_all
      rethrow 0
    end)
  (func (export "deep") (param i32 i32) (result i32)
    try (result i32) local.get 0 local.get 1 call $hand-on i32.const -1 catch $same catch $none i32.const -2 end)
  (func (export "again-out") (param i32)
    try local.get 0 call $throw catch $same drop rethrow 0 catch $none end)

  ;; `delegate`: to a `try`, past one, to a clause, to a block, out of the function, to a `try_table`.
  (func (export "delegates") (param i32) (result i32)
    try $outer (result i32)
      try (result i32)
        try local.get 0 call $throw delegate $outer
        i32.const -1
      catch_all
        unreachable
      end
    catch $none
      i32.const -2
    catch $same
    end)
  (func (export "delegates-next") (param i32) (result i32)
    try (result i32)
      block
        try local.get 0 call $throw delegate 0
      end
      i32.const -1
    catch_all
      i32.const -3
    end)
  (func (export "delegates-to-a-clause") (param i32) (result i32)
    try (result i32)
      try (result i32)
        local.get 0 throw $same
      catch $same
        drop
        try (result i32) rethrow 1 delegate 0
      catch_all
        unreachable
      end
    catch $same
      i32.const 7 i32.add
    end)
  (func (export "delegates-out") (param i32)
    try
      try local.get 0 call $throw delegate 1
    catch_all
      unreachable
    end)
  (func (export "delegates-twice") (param i32) (result i32)
    try $c (result i32)
      try $b (result i32)
        try $a (result i32)
          try (result i32) local.get 0 throw $same delegate $b
        catch_all
          unreachable
        end
      delegate $c
    catch $same
      i32.const 3 i32.add
    end)
  (func (export "delegates-to-a-table") (param i32) (result i32)
    block $h (result i32)
      try_table $table (catch $same $h)
        try
          try local.get 0 throw $same delegate $table
        catch_all
          unreachable
        end
      end
      unreachable
    end)
  (func (export "left-delegate") (param i32) (result i32)
    try $outer (result i32)
      try (result i32)
        block $a try br $a delegate $outer end
        local.get 0 throw $same
      catch $same
        i32.const 1 i32.add
      end
    catch_all
      unreachable
    end)

  ;; A tail call leaves the frame, and with it its clauses.
  (func (export "tail") (param i32) try local.get 0 return_call $throw catch_all end)
  (func (export "tail-indirect") (param i32)
    try local.get 0 i32.const 0 return_call_indirect (param i32) catch_all end)
  (func (export "tail-delegate") (param i32)
    try $t try local.get 0 return_call $throw delegate $t catch_all end)

  ;; Beside `try_table`.
  (func (export "both") (param i32) (result i32)
    try $try (result i32)
      block $none
        block $h (result exnref)
          try_table (catch $none $none) (catch_all_ref $h) local.get 0 call $throw end
          i32.const -1
          br $try
        end
        throw_ref
      end
      i32.const -2
    catch $same
      i32.const 1 i32.add
    end)

  ;; What nothing leads to.
  (func (export "unreached") (result i32)
    i32.const 1
    return
    try (result i32) i32.const 0 call 0 i32.const 2 catch $same rethrow 0 catch_all rethrow 0 end)
  (func (export "never-thrown") (result i32)
    try (result i32) i32.const 1 br 0 try nop catch_all rethrow 0 end unreachable catch_all try rethrow 1 delegate 0 unreachable end)
)

(assert_return (invoke "which" (i32.const 0)) (i32.const -1))
(assert_return (invoke "which" (i32.const 3)) (i32.const -2))
(assert_return (invoke "which" (i32.const 33)) (i32.const 33))
(assert_return (invoke "foreign" (i32.const 5)) (i32.const 1005))
(assert_return (invoke "any" (i32.const 5)) (i32.const 5))
(assert_return (invoke "values" (ref.extern 3))
  (i32.const -7) (i64.const -8) (f32.const 1.5) (f64.const 2.5) (v128.const i32x4 1 2 3 4) (ref.null func) (ref.extern 3))
(assert_return (invoke "no-clauses" (i32.const 0)) (i32.const 1))
(assert_exception (invoke "no-clauses" (i32.const 1)))
(assert_return (invoke "params" (i32.const 3) (i32.const 4)) (i32.const 14))
(assert_trap (invoke "trap") "unreachable")
(assert_trap (invoke "trap-in-callee" (i32.const 0)) "integer divide by zero")
(assert_return (invoke "trap-in-callee" (i32.const 1)) (i32.const 1))
(assert_return (invoke "branches" (i32.const 1)) (i32.const 1101))
(assert_return (invoke "branches" (i32.const 2)) (i32.const 1002))
(assert_return (invoke "branches" (i32.const 4)) (i32.const 1103))
(assert_return (invoke "branches" (i32.const 8)) (i32.const 1004))
(assert_return (invoke "branches" (i32.const 16)) (i32.const 5))
(assert_return (invoke "left" (i32.const 7)) (i32.const 8))
(assert_return (invoke "loop" (i32.const 10)) (i32.const 55))
(assert_return (invoke "again" (i32.const 0)) (i32.const -1))
(assert_return (invoke "again" (i32.const 5)) (i32.const -2))
(assert_return (invoke "again" (i32.const 50)) (i32.const 51))
(assert_return (invoke "meanwhile" (i32.const 7)) (i32.const 7))
(assert_return (invoke "outer" (i32.const 0)) (i32.const 6))
(assert_return (invoke "outer" (i32.const 1)) (i32.const 5))
(assert_return (invoke "again-here" (i32.const 21)) (i32.const 42))
(assert_return (invoke "deep" (i32.const 0) (i32.const 9)) (i32.const -1))
(assert_return (invoke "deep" (i32.const 5) (i32.const 9)) (i32.const -2))
(assert_return (invoke "deep" (i32.const 50) (i32.const 9)) (i32.const 50))
(assert_return (invoke "again-out" (i32.const 0)))
(assert_return (invoke "again-out" (i32.const 5)))
(assert_exception (invoke "again-out" (i32.const 50)))
(assert_return (invoke "delegates" (i32.const 0)) (i32.const -1))
(assert_return (invoke "delegates" (i32.const 5)) (i32.const -2))
(assert_return (invoke "delegates" (i32.const 50)) (i32.const 50))
(assert_return (invoke "delegates-next" (i32.const 0)) (i32.const -1))
(assert_return (invoke "delegates-next" (i32.const 5)) (i32.const -3))
(assert_return (invoke "delegates-to-a-clause" (i32.const 3)) (i32.const 10))
(assert_return (invoke "delegates-out" (i32.const 0)))
(assert_exception (invoke "delegates-out" (i32.const 3)))
(assert_return (invoke "delegates-twice" (i32.const 5)) (i32.const 8))
(assert_return (invoke "delegates-to-a-table" (i32.const 5)) (i32.const 5))
(assert_return (invoke "left-delegate" (i32.const 5)) (i32.const 6))
(assert_return (invoke "tail" (i32.const 0)))
(assert_exception (invoke "tail" (i32.const 5)))
(assert_exception (invoke "tail-indirect" (i32.const 50)))
(assert_exception (invoke "tail-delegate" (i32.const 50)))
(assert_return (invoke "both" (i32.const 0)) (i32.const -1))
(assert_return (invoke "both" (i32.const 5)) (i32.const -2))
(assert_return (invoke "both" (i32.const 50)) (i32.const 51))
(assert_return (invoke "unreached") (i32.const 1))
(assert_return (invoke "never-thrown") (i32.const 1))
;; What is not valid, or not even read.
(assert_malformed (module quote "(module (func catch_all end))") "unexpected token")
(assert_malformed (module quote "(module (func try catch_all catch_all end))") "unexpected token")
(assert_malformed (module quote "(module (func try catch_all delegate 0))") "unexpected token")
(assert_malformed (module quote "(module (func delegate 0))") "unexpected token")
(assert_invalid (module (func try delegate 1)) "unknown label")
(assert_invalid (module (func try catch 0 end)) "unknown tag")
(assert_invalid (module (func try rethrow 0 catch_all end)) "invalid rethrow label")
(assert_invalid (module (func rethrow 0)) "invalid rethrow label")
(assert_invalid (module (func block try catch_all rethrow 1 end end)) "invalid rethrow label")
(assert_invalid (module (tag (param i64)) (func (result i32) try (result i32) i32.const 1 catch 0 end)) "type mismatch")
