//! The machine's own way with what WebAssembly's relaxed vector instructions leave open. Each gives `None` where this
//! processor has none that the specification allows; there is a general way for all.

use cranelift_codegen::ir::{InstBuilder, Type, Value};
use cranelift_codegen::isa::TargetIsa;

/// `i8x16.relaxed_swizzle`: by an index from 16 to 127 the lane of its low four bits.
pub fn swizzle<'f>(isa: &dyn TargetIsa, ins: impl InstBuilder<'f>, x: Value, lanes: Value) -> Option<Value> {
    isa.has_x86_pshufb_lowering().then(|| ins.x86_pshufb(x, lanes))
}

/// `i32x4.relaxed_trunc_f32x4_s`, and the first half of `i32x4.relaxed_trunc_f64x2_s_zero`: the smallest integer for
/// what is out of range or no number.
pub fn truncate<'f>(ins: impl InstBuilder<'f>, shape: Type, x: Value) -> Option<Value> {
    Some(ins.x86_cvtt2dq(shape, x))
}

/// `i16x8.relaxed_q15mulr_s`: the smallest product overflows.
pub fn multiply_q15<'f>(isa: &dyn TargetIsa, ins: impl InstBuilder<'f>, x: Value, y: Value) -> Option<Value> {
    isa.has_x86_pmulhrsw_lowering().then(|| ins.x86_pmulhrsw(x, y))
}

/// `i16x8.relaxed_dot_i8x16_i7x16_s`: lanes of the second are unsigned, and sums saturate.
pub fn dot<'f>(isa: &dyn TargetIsa, ins: impl InstBuilder<'f>, x: Value, y: Value) -> Option<Value> {
    isa.has_x86_pmaddubsw_lowering().then(|| ins.x86_pmaddubsw(x, y))
}
