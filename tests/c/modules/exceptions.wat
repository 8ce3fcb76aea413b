;; An exception that a frame catches, and one that none does.
(module
  (tag $t (export "t") (param i32))
  (func $throws (param i32) local.get 0 throw $t)
  (func $caught (export "caught") (param i32) (result i32)
    block $h (result i32)
      try_table (catch $t $h) local.get 0 call $throws end
      i32.const 0
    end)
  (func $uncaught (export "uncaught") (param i32) (result i32) local.get 0 call $throws i32.const 0))
