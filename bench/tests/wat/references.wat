;; References of every kind, null and not, and vectors; exceptions that are caught, and one that is not.
(module
  (type $pair (struct (field i32) (field (mut (ref null $pair)))))
  (type $bytes (array i8))
  (tag $t (param i32))
  (func $kinds (export "kinds") (param v128 funcref externref exnref anyref) (result anyref exnref)
    (local (ref null $pair) (ref null $bytes) i31ref)
    i32.const 7
    ref.null $pair
    struct.new $pair
    local.tee 5
    drop
    i32.const 3
    array.new_default $bytes
    local.set 6
    i32.const -1
    ref.i31
    local.set 7
    ref.func $kinds
    ref.null nofunc
    local.get 5
    extern.convert_any
    any.convert_extern
    drop
    drop
    drop
    local.get 7
    ref.null noexn)
  (func (export "caught") (param i32) (result i32 exnref)
    block $h (result i32 exnref)
      try_table (catch_ref $t $h)
        local.get 0
        throw $t
      end
      unreachable
    end)
  (func (export "uncaught") (param i32)
    local.get 0
    throw $t)
  (func (export "cast") (param anyref) (result i32)
    local.get 0
    ref.cast (ref $pair)
    struct.get $pair 0)
  (func (export "none") (param (ref null $pair)) (result i32)
    local.get 0
    struct.get $pair 0)
  (func (export "beyond") (result i32)
    i32.const 1
    array.new_default $bytes
    i32.const 1
    array.get_u $bytes))
