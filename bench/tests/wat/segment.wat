;; A segment that does not fit: the trap comes before any instruction.
(module
  (memory 1)
  (data (i32.const 65535) "ab")
  (func (export "f")))
