;; What relaxed instructions give in the deterministic profile, by the specification (section 4.3.6, where each parameter is
;; 0): at least one case each in which another choice would give something else.

(module
  (func (export "swizzle") (param v128 v128) (result v128) local.get 0 local.get 1 i8x16.relaxed_swizzle)
  (func (export "trunc_f32x4_s") (param v128) (result v128) local.get 0 i32x4.relaxed_trunc_f32x4_s)
  (func (export "trunc_f32x4_u") (param v128) (result v128) local.get 0 i32x4.relaxed_trunc_f32x4_u)
  (func (export "trunc_f64x2_s_zero") (param v128) (result v128) local.get 0 i32x4.relaxed_trunc_f64x2_s_zero)
  (func (export "trunc_f64x2_u_zero") (param v128) (result v128) local.get 0 i32x4.relaxed_trunc_f64x2_u_zero)
  (func (export "f32x4.madd") (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f32x4.relaxed_madd)
  (func (export "f32x4.nmadd") (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f32x4.relaxed_nmadd)
  (func (export "f64x2.madd") (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f64x2.relaxed_madd)
  (func (export "f64x2.nmadd") (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f64x2.relaxed_nmadd)
  (func (export "i8x16.laneselect") (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 i8x16.relaxed_laneselect)
  (func (export "i16x8.laneselect") (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 i16x8.relaxed_laneselect)
  (func (export "i32x4.laneselect") (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 i32x4.relaxed_laneselect)
  (func (export "i64x2.laneselect") (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 i64x2.relaxed_laneselect)
  (func (export "f32x4.min") (param v128 v128) (result v128) local.get 0 local.get 1 f32x4.relaxed_min)
  (func (export "f32x4.max") (param v128 v128) (result v128) local.get 0 local.get 1 f32x4.relaxed_max)
  (func (export "f64x2.min") (param v128 v128) (result v128) local.get 0 local.get 1 f64x2.relaxed_min)
  (func (export "f64x2.max") (param v128 v128) (result v128) local.get 0 local.get 1 f64x2.relaxed_max)
  (func (export "q15mulr") (param v128 v128) (result v128) local.get 0 local.get 1 i16x8.relaxed_q15mulr_s)
  (func (export "dot") (param v128 v128) (result v128) local.get 0 local.get 1 i16x8.relaxed_dot_i8x16_i7x16_s)
  (func (export "dot_add") (param v128 v128 v128) (result v128)
    local.get 0 local.get 1 local.get 2 i32x4.relaxed_dot_i8x16_i7x16_add_s))

;; An index from 16 on gives 0.
(assert_return (invoke "swizzle"
    (v128.const i8x16 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115)
    (v128.const i8x16 0 15 16 17 31 32 64 127 128 129 143 240 255 7 1 14))
  (v128.const i8x16 100 115 0 0 0 0 0 0 0 0 0 0 0 107 101 114))

;; What is no number is 0, and what is out of range the nearest that is not.
(assert_return (invoke "trunc_f32x4_s" (v128.const f32x4 nan 3e9 -3e9 -1.9)) (v128.const i32x4 0 0x7fffffff 0x80000000 -1))
(assert_return (invoke "trunc_f32x4_s" (v128.const f32x4 inf -inf 2147483648 -2147483648))
  (v128.const i32x4 0x7fffffff 0x80000000 0x7fffffff 0x80000000))
(assert_return (invoke "trunc_f32x4_u" (v128.const f32x4 nan -1 5e9 3.9)) (v128.const i32x4 0 0 0xffffffff 3))
(assert_return (invoke "trunc_f32x4_u" (v128.const f32x4 inf -inf 4294967296 4294967040))
  (v128.const i32x4 0xffffffff 0 0xffffffff 0xffffff00))
(assert_return (invoke "trunc_f64x2_s_zero" (v128.const f64x2 nan 1e10)) (v128.const i32x4 0 0x7fffffff 0 0))
(assert_return (invoke "trunc_f64x2_s_zero" (v128.const f64x2 -1e10 -2.5)) (v128.const i32x4 0x80000000 -2 0 0))
(assert_return (invoke "trunc_f64x2_s_zero" (v128.const f64x2 inf -inf)) (v128.const i32x4 0x7fffffff 0x80000000 0 0))
(assert_return (invoke "trunc_f64x2_u_zero" (v128.const f64x2 -1 1e10)) (v128.const i32x4 0 0xffffffff 0 0))
(assert_return (invoke "trunc_f64x2_u_zero" (v128.const f64x2 nan 4294967295.9)) (v128.const i32x4 0 0xffffffff 0 0))

;; The product is rounded before it is added to: with one rounding these are 0x1p-24, 0x1p127, 0x1p-54 and so on.
(assert_return (invoke "f32x4.madd" (v128.const f32x4 0x1.001p0 0x1p127 3 nan) (v128.const f32x4 0x1.001p0 2 5 1)
    (v128.const f32x4 -0x1.002p0 -0x1p127 7 1))
  (v128.const f32x4 0 inf 22 nan:canonical))
(assert_return (invoke "f32x4.nmadd" (v128.const f32x4 0x1.001p0 0x1p127 3 -3) (v128.const f32x4 0x1.001p0 2 5 5)
    (v128.const f32x4 0x1.002p0 0x1p127 7 7))
  (v128.const f32x4 0 -inf -8 22))
(assert_return (invoke "f64x2.madd" (v128.const f64x2 0x1.0000002p0 0x1p1023) (v128.const f64x2 0x1.0000002p0 2)
    (v128.const f64x2 -0x1.0000004p0 -0x1p1023))
  (v128.const f64x2 0 inf))
(assert_return (invoke "f64x2.nmadd" (v128.const f64x2 0x1.0000002p0 0x1p1023) (v128.const f64x2 0x1.0000002p0 2)
    (v128.const f64x2 0x1.0000004p0 0x1p1023))
  (v128.const f64x2 0 -inf))

;; Bit by bit, also where a lane's bits are not all the same.
(assert_return (invoke "i8x16.laneselect" (v128.const i32x4 -1 -1 -1 -1) (v128.const i32x4 0 0 0 0)
    (v128.const i32x4 0x80018001 0x7fff7fff 0xffffffff 0x0f0f0f0f))
  (v128.const i32x4 0x80018001 0x7fff7fff 0xffffffff 0x0f0f0f0f))
(assert_return (invoke "i16x8.laneselect" (v128.const i32x4 -1 -1 -1 -1) (v128.const i32x4 0 0 0 0)
    (v128.const i32x4 0x80018001 0x7fff7fff 0xffffffff 0x0f0f0f0f))
  (v128.const i32x4 0x80018001 0x7fff7fff 0xffffffff 0x0f0f0f0f))
(assert_return (invoke "i32x4.laneselect" (v128.const i32x4 -1 -1 -1 -1) (v128.const i32x4 0 0 0 0)
    (v128.const i32x4 0x80000001 0x7fffffff 0xffffffff 0x0f0f0f0f))
  (v128.const i32x4 0x80000001 0x7fffffff 0xffffffff 0x0f0f0f0f))
(assert_return (invoke "i64x2.laneselect" (v128.const i64x2 -1 -1) (v128.const i64x2 0 0)
    (v128.const i64x2 0x8000000000000001 0x7fffffffffffffff))
  (v128.const i64x2 0x8000000000000001 0x7fffffffffffffff))

;; As the instructions that are not relaxed: NaN wins, and zeros have an order.
(assert_return (invoke "f32x4.min" (v128.const f32x4 nan 1 -0 0) (v128.const f32x4 1 nan 0 -0))
  (v128.const f32x4 nan:canonical nan:canonical -0 -0))
(assert_return (invoke "f32x4.max" (v128.const f32x4 nan 1 -0 0) (v128.const f32x4 1 nan 0 -0))
  (v128.const f32x4 nan:canonical nan:canonical 0 0))
(assert_return (invoke "f64x2.min" (v128.const f64x2 nan -0) (v128.const f64x2 1 0)) (v128.const f64x2 nan:canonical -0))
(assert_return (invoke "f64x2.min" (v128.const f64x2 1 0) (v128.const f64x2 nan -0)) (v128.const f64x2 nan:canonical -0))
(assert_return (invoke "f64x2.max" (v128.const f64x2 nan -0) (v128.const f64x2 1 0)) (v128.const f64x2 nan:canonical 0))
(assert_return (invoke "f64x2.max" (v128.const f64x2 1 0) (v128.const f64x2 nan -0)) (v128.const f64x2 nan:canonical 0))

;; The one product that overflows saturates.
(assert_return (invoke "q15mulr" (v128.const i16x8 -32768 -32768 32767 1 2 -3 16384 0)
    (v128.const i16x8 -32768 32767 32767 16384 16384 16384 -32768 5))
  (v128.const i16x8 32767 -32767 32766 1 1 -1 -16384 0))

;; Both operands have signs, and sums of two products saturate.
(assert_return (invoke "dot" (v128.const i8x16 -128 -128 -128 -128 127 127 1 2 -1 -1 0 0 100 50 3 4)
    (v128.const i8x16 -128 -128 -127 -127 -128 -128 3 4 -1 1 9 9 -100 -50 5 6))
  (v128.const i16x8 32767 32512 -32512 11 0 0 -12500 39))
(assert_return (invoke "dot_add" (v128.const i8x16 -128 -128 -128 -128 127 127 127 127 1 2 3 4 -128 -128 0 0)
    (v128.const i8x16 -128 -128 -128 -128 -128 -128 -128 -128 5 6 7 8 -128 -128 0 0) (v128.const i32x4 1 2 3 0x7fffffff))
  (v128.const i32x4 65535 -65022 73 0x80007ffe))
