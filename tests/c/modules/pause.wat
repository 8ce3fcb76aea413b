;; What computes until its local 1 is not 0, and counts its turns; and what is called meanwhile.
(module
  (memory (export "memory") 1)
  (func (export "leaf") (result i32) i32.const 5)
  (func (export "spin") (param i32 i32) (result i32)
    loop
      local.get 0
      i32.const 1
      i32.add
      local.set 0
      local.get 1
      i32.eqz
      br_if 0
    end
    local.get 0))
