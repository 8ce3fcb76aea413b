;; Bits of every kind of value, and NaNs: the one an operation makes is canonical, the one a constant has is kept.
(module
  (func (export "floats") (param f32 f64) (result f32 f64 f32)
    local.get 0
    f32.const -0.5
    f32.add
    local.get 1
    f64.neg
    f32.const 0
    f32.const 0
    f32.div)
  (func (export "nan") (result f64)
    f64.const -nan:0x4000000000001
    i32.const 0
    f64.convert_i32_s
    f64.add)
  (func (export "ints") (param i32 i64) (result i64 i32)
    local.get 1
    local.get 0))
