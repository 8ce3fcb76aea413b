//! Vectors of 128 bits (specification section 4.3.3): every instruction of the proposal "simd"; those of "relaxed-simd"
//! are in `relaxed`.
//!
//! The code generator has a type for each shape that a vector may have. Here an operand keeps the shape in which it was
//! made, and is seen in another by a `bitcast`, which costs nothing: so what follows one another in one shape, as most
//! does, has none in between that would hide from the code generator what it could join. Everywhere else, in locals,
//! blocks' parameters and memory, vectors have the shape `i8x16` (`storage::in_one_shape`).

use super::Translator;
use super::memory::Access;
use super::storage::reshaped;
use crate::base::Result;
use crate::compile::internal;
use crate::wasm::ValType::{self, F32, F64, I32, I64, V128};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8, I8X16, I16, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{ConstantData, InstBuilder, Type, Value, types};
use wasmparser::{MemArg, Operator};

/// Which half of a vector's lanes.
#[derive(Clone, Copy)]
enum Half {
    Low,
    High,
}

impl Translator<'_, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    #[rustfmt::skip]
    pub(super) fn vector_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        /// Pops a vector of this shape, pushes what the method of Cranelift's builder makes of it.
        macro_rules! unary {
            ($shape:expr, $method:ident) => {{
                let x = self.pop_vector($shape)?;
                let result = self.builder.ins().$method(x);
                self.push(V128, result);
            }};
        }
        /// The same for two operands.
        macro_rules! binary {
            ($shape:expr, $method:ident) => {{
                let (x, y) = self.pop_vectors($shape)?;
                let result = self.builder.ins().$method(x, y);
                self.push(V128, result);
            }};
        }
        /// The same for a method that takes the shape of its result.
        macro_rules! convert {
            ($from:expr, $to:expr, $method:ident) => {{
                let x = self.pop_vector($from)?;
                let result = self.builder.ins().$method($to, x);
                self.push(V128, result);
            }};
        }
        /// Shifts all lanes by a number that is taken modulo their width.
        macro_rules! shift {
            ($shape:expr, $method:ident) => {{
                let by = self.pop()?;
                let x = self.pop_vector($shape)?;
                let result = self.builder.ins().$method(x, by);
                self.push(V128, result);
            }};
        }
        /// Pushes the `i32` that a method makes of a vector.
        macro_rules! test {
            ($shape:expr, $method:ident) => {{
                let x = self.pop_vector($shape)?;
                let result = self.builder.ins().$method(x);
                self.push_bool(result);
            }};
        }
        macro_rules! bitmask {
            ($shape:expr) => {{
                let x = self.pop_vector($shape)?;
                let result = self.builder.ins().vhigh_bits(types::I32, x);
                self.push(I32, result);
            }};
        }
        /// Loads half a vector and makes its lanes as wide again.
        macro_rules! load_wider {
            ($memarg:expr, $method:ident) => {{
                let Access { address, offset, flags } = self.access($memarg, 8)?;
                let value = self.builder.ins().$method(flags, address, offset);
                self.push(V128, value);
            }};
        }
        match operator {
            Operator::V128Const { value } => {
                let value = self.vector_constant(*value.bytes());
                self.push(V128, value);
            }

            Operator::V128Load { memarg } => {
                let Access { address, offset, flags } = self.access(memarg, 16)?;
                let value = self.builder.ins().load(I8X16, flags, address, offset);
                self.push(V128, value);
            }
            Operator::V128Load8x8S { memarg } => load_wider!(memarg, sload8x8),
            Operator::V128Load8x8U { memarg } => load_wider!(memarg, uload8x8),
            Operator::V128Load16x4S { memarg } => load_wider!(memarg, sload16x4),
            Operator::V128Load16x4U { memarg } => load_wider!(memarg, uload16x4),
            Operator::V128Load32x2S { memarg } => load_wider!(memarg, sload32x2),
            Operator::V128Load32x2U { memarg } => load_wider!(memarg, uload32x2),
            Operator::V128Load8Splat { memarg } => self.load_splat(memarg, I8X16)?,
            Operator::V128Load16Splat { memarg } => self.load_splat(memarg, I16X8)?,
            Operator::V128Load32Splat { memarg } => self.load_splat(memarg, I32X4)?,
            Operator::V128Load64Splat { memarg } => self.load_splat(memarg, I64X2)?,
            Operator::V128Load32Zero { memarg } => self.load_zero(memarg, I32X4)?,
            Operator::V128Load64Zero { memarg } => self.load_zero(memarg, I64X2)?,
            Operator::V128Load8Lane { memarg, lane } => self.load_lane(memarg, *lane, I8X16)?,
            Operator::V128Load16Lane { memarg, lane } => self.load_lane(memarg, *lane, I16X8)?,
            Operator::V128Load32Lane { memarg, lane } => self.load_lane(memarg, *lane, I32X4)?,
            Operator::V128Load64Lane { memarg, lane } => self.load_lane(memarg, *lane, I64X2)?,
            Operator::V128Store { memarg } => {
                let value = self.pop()?;
                let Access { address, offset, flags } = self.access(memarg, 16)?;
                self.builder.ins().store(flags, value, address, offset);
            }
            Operator::V128Store8Lane { memarg, lane } => self.store_lane(memarg, *lane, I8X16)?,
            Operator::V128Store16Lane { memarg, lane } => self.store_lane(memarg, *lane, I16X8)?,
            Operator::V128Store32Lane { memarg, lane } => self.store_lane(memarg, *lane, I32X4)?,
            Operator::V128Store64Lane { memarg, lane } => self.store_lane(memarg, *lane, I64X2)?,

            Operator::I8x16Shuffle { lanes } => {
                let (x, y) = self.pop_vectors(I8X16)?;
                let lanes = self.builder.func.dfg.immediates.push(ConstantData::from(lanes.as_slice()));
                let result = self.builder.ins().shuffle(x, y, lanes);
                self.push(V128, result);
            }
            Operator::I8x16Swizzle => binary!(I8X16, swizzle),
            Operator::I8x16Splat => self.splat(I8X16)?,
            Operator::I16x8Splat => self.splat(I16X8)?,
            Operator::I32x4Splat => self.splat(I32X4)?,
            Operator::I64x2Splat => self.splat(I64X2)?,
            Operator::F32x4Splat => self.splat(F32X4)?,
            Operator::F64x2Splat => self.splat(F64X2)?,
            Operator::I8x16ExtractLaneS { lane } => self.extract_narrow(*lane, I8X16, true)?,
            Operator::I8x16ExtractLaneU { lane } => self.extract_narrow(*lane, I8X16, false)?,
            Operator::I16x8ExtractLaneS { lane } => self.extract_narrow(*lane, I16X8, true)?,
            Operator::I16x8ExtractLaneU { lane } => self.extract_narrow(*lane, I16X8, false)?,
            Operator::I32x4ExtractLane { lane } => self.extract(*lane, I32X4, I32)?,
            Operator::I64x2ExtractLane { lane } => self.extract(*lane, I64X2, I64)?,
            Operator::F32x4ExtractLane { lane } => self.extract(*lane, F32X4, F32)?,
            Operator::F64x2ExtractLane { lane } => self.extract(*lane, F64X2, F64)?,
            Operator::I8x16ReplaceLane { lane } => self.replace(*lane, I8X16)?,
            Operator::I16x8ReplaceLane { lane } => self.replace(*lane, I16X8)?,
            Operator::I32x4ReplaceLane { lane } => self.replace(*lane, I32X4)?,
            Operator::I64x2ReplaceLane { lane } => self.replace(*lane, I64X2)?,
            Operator::F32x4ReplaceLane { lane } => self.replace(*lane, F32X4)?,
            Operator::F64x2ReplaceLane { lane } => self.replace(*lane, F64X2)?,

            Operator::V128Not => unary!(I8X16, bnot),
            Operator::V128And => binary!(I8X16, band),
            Operator::V128AndNot => {
                let (x, y) = self.pop_vectors(I8X16)?;
                let not = self.builder.ins().bnot(y);
                let result = self.builder.ins().band(x, not);
                self.push(V128, result);
            }
            Operator::V128Or => binary!(I8X16, bor),
            Operator::V128Xor => binary!(I8X16, bxor),
            Operator::V128Bitselect => self.select_bits(I8X16)?,
            Operator::V128AnyTrue => test!(I8X16, vany_true),

            Operator::I8x16Eq => self.compare_lanes(I8X16, IntCC::Equal)?,
            Operator::I8x16Ne => self.compare_lanes(I8X16, IntCC::NotEqual)?,
            Operator::I8x16LtS => self.compare_lanes(I8X16, IntCC::SignedLessThan)?,
            Operator::I8x16LtU => self.compare_lanes(I8X16, IntCC::UnsignedLessThan)?,
            Operator::I8x16GtS => self.compare_lanes(I8X16, IntCC::SignedGreaterThan)?,
            Operator::I8x16GtU => self.compare_lanes(I8X16, IntCC::UnsignedGreaterThan)?,
            Operator::I8x16LeS => self.compare_lanes(I8X16, IntCC::SignedLessThanOrEqual)?,
            Operator::I8x16LeU => self.compare_lanes(I8X16, IntCC::UnsignedLessThanOrEqual)?,
            Operator::I8x16GeS => self.compare_lanes(I8X16, IntCC::SignedGreaterThanOrEqual)?,
            Operator::I8x16GeU => self.compare_lanes(I8X16, IntCC::UnsignedGreaterThanOrEqual)?,
            Operator::I16x8Eq => self.compare_lanes(I16X8, IntCC::Equal)?,
            Operator::I16x8Ne => self.compare_lanes(I16X8, IntCC::NotEqual)?,
            Operator::I16x8LtS => self.compare_lanes(I16X8, IntCC::SignedLessThan)?,
            Operator::I16x8LtU => self.compare_lanes(I16X8, IntCC::UnsignedLessThan)?,
            Operator::I16x8GtS => self.compare_lanes(I16X8, IntCC::SignedGreaterThan)?,
            Operator::I16x8GtU => self.compare_lanes(I16X8, IntCC::UnsignedGreaterThan)?,
            Operator::I16x8LeS => self.compare_lanes(I16X8, IntCC::SignedLessThanOrEqual)?,
            Operator::I16x8LeU => self.compare_lanes(I16X8, IntCC::UnsignedLessThanOrEqual)?,
            Operator::I16x8GeS => self.compare_lanes(I16X8, IntCC::SignedGreaterThanOrEqual)?,
            Operator::I16x8GeU => self.compare_lanes(I16X8, IntCC::UnsignedGreaterThanOrEqual)?,
            Operator::I32x4Eq => self.compare_lanes(I32X4, IntCC::Equal)?,
            Operator::I32x4Ne => self.compare_lanes(I32X4, IntCC::NotEqual)?,
            Operator::I32x4LtS => self.compare_lanes(I32X4, IntCC::SignedLessThan)?,
            Operator::I32x4LtU => self.compare_lanes(I32X4, IntCC::UnsignedLessThan)?,
            Operator::I32x4GtS => self.compare_lanes(I32X4, IntCC::SignedGreaterThan)?,
            Operator::I32x4GtU => self.compare_lanes(I32X4, IntCC::UnsignedGreaterThan)?,
            Operator::I32x4LeS => self.compare_lanes(I32X4, IntCC::SignedLessThanOrEqual)?,
            Operator::I32x4LeU => self.compare_lanes(I32X4, IntCC::UnsignedLessThanOrEqual)?,
            Operator::I32x4GeS => self.compare_lanes(I32X4, IntCC::SignedGreaterThanOrEqual)?,
            Operator::I32x4GeU => self.compare_lanes(I32X4, IntCC::UnsignedGreaterThanOrEqual)?,
            Operator::I64x2Eq => self.compare_lanes(I64X2, IntCC::Equal)?,
            Operator::I64x2Ne => self.compare_lanes(I64X2, IntCC::NotEqual)?,
            Operator::I64x2LtS => self.compare_lanes(I64X2, IntCC::SignedLessThan)?,
            Operator::I64x2GtS => self.compare_lanes(I64X2, IntCC::SignedGreaterThan)?,
            Operator::I64x2LeS => self.compare_lanes(I64X2, IntCC::SignedLessThanOrEqual)?,
            Operator::I64x2GeS => self.compare_lanes(I64X2, IntCC::SignedGreaterThanOrEqual)?,
            Operator::F32x4Eq => self.compare_float_lanes(F32X4, FloatCC::Equal)?,
            Operator::F32x4Ne => self.compare_float_lanes(F32X4, FloatCC::NotEqual)?,
            Operator::F32x4Lt => self.compare_float_lanes(F32X4, FloatCC::LessThan)?,
            Operator::F32x4Gt => self.compare_float_lanes(F32X4, FloatCC::GreaterThan)?,
            Operator::F32x4Le => self.compare_float_lanes(F32X4, FloatCC::LessThanOrEqual)?,
            Operator::F32x4Ge => self.compare_float_lanes(F32X4, FloatCC::GreaterThanOrEqual)?,
            Operator::F64x2Eq => self.compare_float_lanes(F64X2, FloatCC::Equal)?,
            Operator::F64x2Ne => self.compare_float_lanes(F64X2, FloatCC::NotEqual)?,
            Operator::F64x2Lt => self.compare_float_lanes(F64X2, FloatCC::LessThan)?,
            Operator::F64x2Gt => self.compare_float_lanes(F64X2, FloatCC::GreaterThan)?,
            Operator::F64x2Le => self.compare_float_lanes(F64X2, FloatCC::LessThanOrEqual)?,
            Operator::F64x2Ge => self.compare_float_lanes(F64X2, FloatCC::GreaterThanOrEqual)?,

            Operator::I8x16Abs => unary!(I8X16, iabs),
            Operator::I8x16Neg => unary!(I8X16, ineg),
            Operator::I8x16Popcnt => unary!(I8X16, popcnt),
            Operator::I8x16AllTrue => test!(I8X16, vall_true),
            Operator::I8x16Bitmask => bitmask!(I8X16),
            Operator::I8x16NarrowI16x8S => binary!(I16X8, snarrow),
            Operator::I8x16NarrowI16x8U => binary!(I16X8, unarrow),
            Operator::I8x16Shl => shift!(I8X16, ishl),
            Operator::I8x16ShrS => shift!(I8X16, sshr),
            Operator::I8x16ShrU => shift!(I8X16, ushr),
            Operator::I8x16Add => binary!(I8X16, iadd),
            Operator::I8x16AddSatS => binary!(I8X16, sadd_sat),
            Operator::I8x16AddSatU => binary!(I8X16, uadd_sat),
            Operator::I8x16Sub => binary!(I8X16, isub),
            Operator::I8x16SubSatS => binary!(I8X16, ssub_sat),
            Operator::I8x16SubSatU => binary!(I8X16, usub_sat),
            Operator::I8x16MinS => binary!(I8X16, smin),
            Operator::I8x16MinU => binary!(I8X16, umin),
            Operator::I8x16MaxS => binary!(I8X16, smax),
            Operator::I8x16MaxU => binary!(I8X16, umax),
            Operator::I8x16AvgrU => binary!(I8X16, avg_round),

            Operator::I16x8ExtAddPairwiseI8x16S => self.add_pairs(I8X16, true)?,
            Operator::I16x8ExtAddPairwiseI8x16U => self.add_pairs(I8X16, false)?,
            Operator::I16x8Abs => unary!(I16X8, iabs),
            Operator::I16x8Neg => unary!(I16X8, ineg),
            Operator::I16x8Q15MulrSatS => binary!(I16X8, sqmul_round_sat),
            Operator::I16x8AllTrue => test!(I16X8, vall_true),
            Operator::I16x8Bitmask => bitmask!(I16X8),
            Operator::I16x8NarrowI32x4S => binary!(I32X4, snarrow),
            Operator::I16x8NarrowI32x4U => binary!(I32X4, unarrow),
            Operator::I16x8ExtendLowI8x16S => unary!(I8X16, swiden_low),
            Operator::I16x8ExtendHighI8x16S => unary!(I8X16, swiden_high),
            Operator::I16x8ExtendLowI8x16U => unary!(I8X16, uwiden_low),
            Operator::I16x8ExtendHighI8x16U => unary!(I8X16, uwiden_high),
            Operator::I16x8Shl => shift!(I16X8, ishl),
            Operator::I16x8ShrS => shift!(I16X8, sshr),
            Operator::I16x8ShrU => shift!(I16X8, ushr),
            Operator::I16x8Add => binary!(I16X8, iadd),
            Operator::I16x8AddSatS => binary!(I16X8, sadd_sat),
            Operator::I16x8AddSatU => binary!(I16X8, uadd_sat),
            Operator::I16x8Sub => binary!(I16X8, isub),
            Operator::I16x8SubSatS => binary!(I16X8, ssub_sat),
            Operator::I16x8SubSatU => binary!(I16X8, usub_sat),
            Operator::I16x8Mul => binary!(I16X8, imul),
            Operator::I16x8MinS => binary!(I16X8, smin),
            Operator::I16x8MinU => binary!(I16X8, umin),
            Operator::I16x8MaxS => binary!(I16X8, smax),
            Operator::I16x8MaxU => binary!(I16X8, umax),
            Operator::I16x8AvgrU => binary!(I16X8, avg_round),
            Operator::I16x8ExtMulLowI8x16S => self.multiply_wide(I8X16, Half::Low, true)?,
            Operator::I16x8ExtMulHighI8x16S => self.multiply_wide(I8X16, Half::High, true)?,
            Operator::I16x8ExtMulLowI8x16U => self.multiply_wide(I8X16, Half::Low, false)?,
            Operator::I16x8ExtMulHighI8x16U => self.multiply_wide(I8X16, Half::High, false)?,

            Operator::I32x4ExtAddPairwiseI16x8S => self.add_pairs(I16X8, true)?,
            Operator::I32x4ExtAddPairwiseI16x8U => self.add_pairs(I16X8, false)?,
            Operator::I32x4Abs => unary!(I32X4, iabs),
            Operator::I32x4Neg => unary!(I32X4, ineg),
            Operator::I32x4AllTrue => test!(I32X4, vall_true),
            Operator::I32x4Bitmask => bitmask!(I32X4),
            Operator::I32x4ExtendLowI16x8S => unary!(I16X8, swiden_low),
            Operator::I32x4ExtendHighI16x8S => unary!(I16X8, swiden_high),
            Operator::I32x4ExtendLowI16x8U => unary!(I16X8, uwiden_low),
            Operator::I32x4ExtendHighI16x8U => unary!(I16X8, uwiden_high),
            Operator::I32x4Shl => shift!(I32X4, ishl),
            Operator::I32x4ShrS => shift!(I32X4, sshr),
            Operator::I32x4ShrU => shift!(I32X4, ushr),
            Operator::I32x4Add => binary!(I32X4, iadd),
            Operator::I32x4Sub => binary!(I32X4, isub),
            Operator::I32x4Mul => binary!(I32X4, imul),
            Operator::I32x4MinS => binary!(I32X4, smin),
            Operator::I32x4MinU => binary!(I32X4, umin),
            Operator::I32x4MaxS => binary!(I32X4, smax),
            Operator::I32x4MaxU => binary!(I32X4, umax),
            Operator::I32x4DotI16x8S => {
                let (x, y) = self.pop_vectors(I16X8)?;
                let result = self.dot(x, y);
                self.push(V128, result);
            }
            Operator::I32x4ExtMulLowI16x8S => self.multiply_wide(I16X8, Half::Low, true)?,
            Operator::I32x4ExtMulHighI16x8S => self.multiply_wide(I16X8, Half::High, true)?,
            Operator::I32x4ExtMulLowI16x8U => self.multiply_wide(I16X8, Half::Low, false)?,
            Operator::I32x4ExtMulHighI16x8U => self.multiply_wide(I16X8, Half::High, false)?,
            Operator::I32x4TruncSatF32x4S => convert!(F32X4, I32X4, fcvt_to_sint_sat),
            Operator::I32x4TruncSatF32x4U => convert!(F32X4, I32X4, fcvt_to_uint_sat),
            Operator::I32x4TruncSatF64x2SZero => {
                let x = self.pop_vector(F64X2)?;
                let wide = self.builder.ins().fcvt_to_sint_sat(I64X2, x);
                let zero = self.zeros(I64X2);
                let result = self.builder.ins().snarrow(wide, zero);
                self.push(V128, result);
            }
            Operator::I32x4TruncSatF64x2UZero => {
                let x = self.pop_vector(F64X2)?;
                let wide = self.builder.ins().fcvt_to_uint_sat(I64X2, x);
                let zero = self.zeros(I64X2);
                let result = self.builder.ins().uunarrow(wide, zero);
                self.push(V128, result);
            }

            Operator::I64x2Abs => unary!(I64X2, iabs),
            Operator::I64x2Neg => unary!(I64X2, ineg),
            Operator::I64x2AllTrue => test!(I64X2, vall_true),
            Operator::I64x2Bitmask => bitmask!(I64X2),
            Operator::I64x2ExtendLowI32x4S => unary!(I32X4, swiden_low),
            Operator::I64x2ExtendHighI32x4S => unary!(I32X4, swiden_high),
            Operator::I64x2ExtendLowI32x4U => unary!(I32X4, uwiden_low),
            Operator::I64x2ExtendHighI32x4U => unary!(I32X4, uwiden_high),
            Operator::I64x2Shl => shift!(I64X2, ishl),
            Operator::I64x2ShrS => shift!(I64X2, sshr),
            Operator::I64x2ShrU => shift!(I64X2, ushr),
            Operator::I64x2Add => binary!(I64X2, iadd),
            Operator::I64x2Sub => binary!(I64X2, isub),
            Operator::I64x2Mul => binary!(I64X2, imul),
            Operator::I64x2ExtMulLowI32x4S => self.multiply_wide(I32X4, Half::Low, true)?,
            Operator::I64x2ExtMulHighI32x4S => self.multiply_wide(I32X4, Half::High, true)?,
            Operator::I64x2ExtMulLowI32x4U => self.multiply_wide(I32X4, Half::Low, false)?,
            Operator::I64x2ExtMulHighI32x4U => self.multiply_wide(I32X4, Half::High, false)?,

            Operator::F32x4Ceil => unary!(F32X4, ceil),
            Operator::F32x4Floor => unary!(F32X4, floor),
            Operator::F32x4Trunc => unary!(F32X4, trunc),
            Operator::F32x4Nearest => unary!(F32X4, nearest),
            Operator::F32x4Abs => unary!(F32X4, fabs),
            Operator::F32x4Neg => unary!(F32X4, fneg),
            Operator::F32x4Sqrt => unary!(F32X4, sqrt),
            Operator::F32x4Add => binary!(F32X4, fadd),
            Operator::F32x4Sub => binary!(F32X4, fsub),
            Operator::F32x4Mul => binary!(F32X4, fmul),
            Operator::F32x4Div => binary!(F32X4, fdiv),
            Operator::F32x4Min => binary!(F32X4, fmin),
            Operator::F32x4Max => binary!(F32X4, fmax),
            Operator::F32x4PMin => self.smaller_or_first(F32X4)?,
            Operator::F32x4PMax => self.larger_or_first(F32X4)?,
            Operator::F32x4ConvertI32x4S => convert!(I32X4, F32X4, fcvt_from_sint),
            Operator::F32x4ConvertI32x4U => convert!(I32X4, F32X4, fcvt_from_uint),
            Operator::F32x4DemoteF64x2Zero => unary!(F64X2, fvdemote),

            Operator::F64x2Ceil => unary!(F64X2, ceil),
            Operator::F64x2Floor => unary!(F64X2, floor),
            Operator::F64x2Trunc => unary!(F64X2, trunc),
            Operator::F64x2Nearest => unary!(F64X2, nearest),
            Operator::F64x2Abs => unary!(F64X2, fabs),
            Operator::F64x2Neg => unary!(F64X2, fneg),
            Operator::F64x2Sqrt => unary!(F64X2, sqrt),
            Operator::F64x2Add => binary!(F64X2, fadd),
            Operator::F64x2Sub => binary!(F64X2, fsub),
            Operator::F64x2Mul => binary!(F64X2, fmul),
            Operator::F64x2Div => binary!(F64X2, fdiv),
            Operator::F64x2Min => binary!(F64X2, fmin),
            Operator::F64x2Max => binary!(F64X2, fmax),
            Operator::F64x2PMin => self.smaller_or_first(F64X2)?,
            Operator::F64x2PMax => self.larger_or_first(F64X2)?,
            Operator::F64x2ConvertLowI32x4S => {
                let x = self.pop_vector(I32X4)?;
                let wide = self.builder.ins().swiden_low(x);
                let result = self.builder.ins().fcvt_from_sint(F64X2, wide);
                self.push(V128, result);
            }
            Operator::F64x2ConvertLowI32x4U => {
                let x = self.pop_vector(I32X4)?;
                let wide = self.builder.ins().uwiden_low(x);
                let result = self.builder.ins().fcvt_from_uint(F64X2, wide);
                self.push(V128, result);
            }
            Operator::F64x2PromoteLowF32x4 => unary!(F32X4, fvpromote_low),
            _ => return self.relaxed_operator(operator),
        }
        Ok(true)
    }

    /// Pops a vector, in this shape.
    pub(super) fn pop_vector(&mut self, shape: Type) -> Result<Value> {
        let operand = self.stack.pop().ok_or_else(|| internal("the operand stack is empty"))?;
        // As it was made, if it is at hand.
        let value = match operand.at_hand() {
            Some(value) => value,
            None => self.value_of(&operand),
        };
        Ok(reshaped(&mut self.builder, value, shape))
    }

    /// Pops two; the first is the one below.
    pub(super) fn pop_vectors(&mut self, shape: Type) -> Result<(Value, Value)> {
        let y = self.pop_vector(shape)?;
        let x = self.pop_vector(shape)?;
        Ok((x, y))
    }

    fn vector_constant(&mut self, bytes: [u8; 16]) -> Value {
        let constant = self.builder.func.dfg.constants.insert(bytes.as_slice().into());
        self.builder.ins().vconst(I8X16, constant)
    }

    /// A vector of zeros.
    pub(super) fn zeros(&mut self, shape: Type) -> Value {
        let zeros = self.builder.func.dfg.constants.insert([0; 16].as_slice().into());
        self.builder.ins().vconst(shape, zeros)
    }

    // Lanes.

    /// Pops a number that is to be a lane of this shape.
    fn pop_lane(&mut self, shape: Type) -> Result<Value> {
        let value = self.pop()?;
        Ok(match shape.lane_type() {
            lane @ (I8 | I16) => self.builder.ins().ireduce(lane, value),
            _ => value,
        })
    }

    fn splat(&mut self, shape: Type) -> Result<()> {
        let lane = self.pop_lane(shape)?;
        let result = self.builder.ins().splat(shape, lane);
        self.push(V128, result);
        Ok(())
    }

    fn extract(&mut self, lane: u8, shape: Type, ty: ValType) -> Result<()> {
        let x = self.pop_vector(shape)?;
        let result = self.builder.ins().extractlane(x, lane);
        self.push(ty, result);
        Ok(())
    }

    fn extract_narrow(&mut self, lane: u8, shape: Type, signed: bool) -> Result<()> {
        let x = self.pop_vector(shape)?;
        let lane = self.builder.ins().extractlane(x, lane);
        let result = match signed {
            true => self.builder.ins().sextend(types::I32, lane),
            false => self.builder.ins().uextend(types::I32, lane),
        };
        self.push(I32, result);
        Ok(())
    }

    fn replace(&mut self, lane: u8, shape: Type) -> Result<()> {
        let value = self.pop_lane(shape)?;
        let x = self.pop_vector(shape)?;
        let result = self.builder.ins().insertlane(x, value, lane);
        self.push(V128, result);
        Ok(())
    }

    fn load_one(&mut self, memarg: &MemArg, shape: Type) -> Result<Value> {
        let lane = shape.lane_type();
        let Access { address, offset, flags } = self.access(memarg, u64::from(lane.bytes()))?;
        Ok(self.builder.ins().load(lane, flags, address, offset))
    }

    fn load_splat(&mut self, memarg: &MemArg, shape: Type) -> Result<()> {
        let lane = self.load_one(memarg, shape)?;
        let result = self.builder.ins().splat(shape, lane);
        self.push(V128, result);
        Ok(())
    }

    fn load_zero(&mut self, memarg: &MemArg, shape: Type) -> Result<()> {
        let lane = self.load_one(memarg, shape)?;
        let result = self.builder.ins().scalar_to_vector(shape, lane);
        self.push(V128, result);
        Ok(())
    }

    fn load_lane(&mut self, memarg: &MemArg, lane: u8, shape: Type) -> Result<()> {
        let x = self.pop_vector(shape)?;
        let value = self.load_one(memarg, shape)?;
        let result = self.builder.ins().insertlane(x, value, lane);
        self.push(V128, result);
        Ok(())
    }

    fn store_lane(&mut self, memarg: &MemArg, lane: u8, shape: Type) -> Result<()> {
        let x = self.pop_vector(shape)?;
        let value = self.builder.ins().extractlane(x, lane);
        let Access { address, offset, flags } = self.access(memarg, u64::from(shape.lane_type().bytes()))?;
        self.builder.ins().store(flags, value, address, offset);
        Ok(())
    }

    // Comparisons and choices.

    fn compare_lanes(&mut self, shape: Type, condition: IntCC) -> Result<()> {
        let (x, y) = self.pop_vectors(shape)?;
        let result = self.builder.ins().icmp(condition, x, y);
        self.push(V128, result);
        Ok(())
    }

    fn compare_float_lanes(&mut self, shape: Type, condition: FloatCC) -> Result<()> {
        let (x, y) = self.pop_vectors(shape)?;
        let result = self.builder.ins().fcmp(condition, x, y);
        self.push(V128, result);
        Ok(())
    }

    /// The bits of the first operand where those of the third are 1, and of the second elsewhere.
    pub(super) fn select_bits(&mut self, shape: Type) -> Result<()> {
        let condition = self.pop_vector(shape)?;
        let (x, y) = self.pop_vectors(shape)?;
        let result = self.builder.ins().bitselect(condition, x, y);
        self.push(V128, result);
        Ok(())
    }

    /// The first operand, or the second where that is smaller.
    pub(super) fn smaller_or_first(&mut self, shape: Type) -> Result<()> {
        let (x, y) = self.pop_vectors(shape)?;
        self.second_if_less((y, x), (x, y));
        Ok(())
    }

    /// The first operand, or the second where that is larger.
    pub(super) fn larger_or_first(&mut self, shape: Type) -> Result<()> {
        let (x, y) = self.pop_vectors(shape)?;
        self.second_if_less((x, y), (x, y));
        Ok(())
    }

    /// Pushes `second` where `less` is less than `than`, and `first` elsewhere.
    fn second_if_less(&mut self, (less, than): (Value, Value), (first, second): (Value, Value)) {
        let shape = self.builder.func.dfg.value_type(first);
        let second_is = self.builder.ins().fcmp(FloatCC::LessThan, less, than);
        let second_is = reshaped(&mut self.builder, second_is, shape);
        let result = self.builder.ins().bitselect(second_is, second, first);
        self.push(V128, result);
    }

    // Lanes that become wider.

    /// Half of the lanes, as wide again.
    fn widen(&mut self, x: Value, half: Half, signed: bool) -> Value {
        let ins = self.builder.ins();
        match (half, signed) {
            (Half::Low, true) => ins.swiden_low(x),
            (Half::High, true) => ins.swiden_high(x),
            (Half::Low, false) => ins.uwiden_low(x),
            (Half::High, false) => ins.uwiden_high(x),
        }
    }

    fn add_pairs(&mut self, shape: Type, signed: bool) -> Result<()> {
        let x = self.pop_vector(shape)?;
        let (low, high) = (self.widen(x, Half::Low, signed), self.widen(x, Half::High, signed));
        let result = self.builder.ins().iadd_pairwise(low, high);
        self.push(V128, result);
        Ok(())
    }

    fn multiply_wide(&mut self, shape: Type, half: Half, signed: bool) -> Result<()> {
        let (x, y) = self.pop_vectors(shape)?;
        let (x, y) = (self.widen(x, half, signed), self.widen(y, half, signed));
        let result = self.builder.ins().imul(x, y);
        self.push(V128, result);
        Ok(())
    }

    /// The sums of two products each, of signed lanes, twice as wide.
    pub(super) fn dot(&mut self, x: Value, y: Value) -> Value {
        let [low, high] = [Half::Low, Half::High].map(|half| {
            let (x, y) = (self.widen(x, half, true), self.widen(y, half, true));
            self.builder.ins().imul(x, y)
        });
        self.builder.ins().iadd_pairwise(low, high)
    }
}
