//! Relaxed vector instructions (specification section 4.3.3): those whose outcome may differ between machines, within
//! what the specification lists for each. Here it is what costs the machine least, and with
//! [`Options::relaxed_simd_deterministic`](crate::compile::Options::relaxed_simd_deterministic) what the
//! specification's deterministic profile says.
//!
//! On one engine all code does the same, whatever its tier and however it was optimised: each becomes instructions of
//! the code generator whose outcome is fixed.

use super::Translator;
use crate::base::{Error, ErrorKind, Result};
use crate::isa::relaxed;
use crate::wasm::ValType::V128;
use cranelift_codegen::ir::types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type};
use wasmparser::Operator;

impl Translator<'_, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    #[rustfmt::skip]
    pub(super) fn relaxed_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::I8x16RelaxedSwizzle => {
                let (x, lanes) = self.pop_vectors(I8X16)?;
                let free = self.free();
                let own = free.then(|| relaxed::swizzle(self.env.isa, self.builder.ins(), x, lanes)).flatten();
                let result = own.unwrap_or_else(|| self.builder.ins().swizzle(x, lanes));
                self.push(V128, result);
            }
            Operator::I32x4RelaxedTruncF32x4S => {
                let x = self.pop_vector(F32X4)?;
                let own = self.free().then(|| relaxed::truncate(self.builder.ins(), I32X4, x)).flatten();
                let result = own.unwrap_or_else(|| self.builder.ins().fcvt_to_sint_sat(I32X4, x));
                self.push(V128, result);
            }
            Operator::I32x4RelaxedTruncF32x4U => {
                let x = self.pop_vector(F32X4)?;
                let result = self.builder.ins().fcvt_to_uint_sat(I32X4, x);
                self.push(V128, result);
            }
            Operator::I32x4RelaxedTruncF64x2SZero => {
                let x = self.pop_vector(F64X2)?;
                let own = self.free().then(|| relaxed::truncate(self.builder.ins(), I64X2, x)).flatten();
                let wide = own.unwrap_or_else(|| self.builder.ins().fcvt_to_sint_sat(I64X2, x));
                let zero = self.zeros(I64X2);
                let result = self.builder.ins().snarrow(wide, zero);
                self.push(V128, result);
            }
            Operator::I32x4RelaxedTruncF64x2UZero => {
                let x = self.pop_vector(F64X2)?;
                let wide = self.builder.ins().fcvt_to_uint_sat(I64X2, x);
                let zero = self.zeros(I64X2);
                let result = self.builder.ins().uunarrow(wide, zero);
                self.push(V128, result);
            }
            Operator::F32x4RelaxedMadd => self.multiply_add(F32X4, false)?,
            Operator::F32x4RelaxedNmadd => self.multiply_add(F32X4, true)?,
            Operator::F64x2RelaxedMadd => self.multiply_add(F64X2, false)?,
            Operator::F64x2RelaxedNmadd => self.multiply_add(F64X2, true)?,
            Operator::I8x16RelaxedLaneselect => self.select_lanes(I8X16)?,
            Operator::I16x8RelaxedLaneselect => self.select_lanes(I16X8)?,
            Operator::I32x4RelaxedLaneselect => self.select_lanes(I32X4)?,
            Operator::I64x2RelaxedLaneselect => self.select_lanes(I64X2)?,
            Operator::F32x4RelaxedMin => self.least(F32X4)?,
            Operator::F32x4RelaxedMax => self.greatest(F32X4)?,
            Operator::F64x2RelaxedMin => self.least(F64X2)?,
            Operator::F64x2RelaxedMax => self.greatest(F64X2)?,
            Operator::I16x8RelaxedQ15mulrS => {
                let (x, y) = self.pop_vectors(I16X8)?;
                let own = self.free().then(|| relaxed::multiply_q15(self.env.isa, self.builder.ins(), x, y)).flatten();
                let result = own.unwrap_or_else(|| self.builder.ins().sqmul_round_sat(x, y));
                self.push(V128, result);
            }
            Operator::I16x8RelaxedDotI8x16I7x16S => {
                let result = self.relaxed_dot()?;
                self.push(V128, result);
            }
            Operator::I32x4RelaxedDotI8x16I7x16AddS => {
                let sum = self.pop_vector(I32X4)?;
                let dot = self.relaxed_dot()?;
                let (low, high) = (self.builder.ins().swiden_low(dot), self.builder.ins().swiden_high(dot));
                let dot = self.builder.ins().iadd_pairwise(low, high);
                let result = self.builder.ins().iadd(dot, sum);
                self.push(V128, result);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the machine's own way may be taken.
    fn free(&self) -> bool {
        !self.env.options.relaxed_simd_deterministic
    }

    /// The product of the first two operands, or its negation, and the third: rounded once where the machine can do
    /// that, as it always is when the outcome is to be the same everywhere.
    fn multiply_add(&mut self, shape: Type, negated: bool) -> Result<()> {
        let z = self.pop_vector(shape)?;
        let (mut x, y) = self.pop_vectors(shape)?;
        if negated {
            x = self.builder.ins().fneg(x);
        }
        let result = if self.env.isa.has_native_fma() {
            self.builder.ins().fma(x, y, z)
        } else if self.free() {
            let product = self.builder.ins().fmul(x, y);
            self.builder.ins().fadd(product, z)
        } else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "relaxed multiplication and addition rounds once when its outcome is to be the same on all machines, \
                 and this processor cannot do that; let outcomes differ, or run on a processor made since 2013",
            ));
        };
        self.push(V128, result);
        Ok(())
    }

    /// The first operand's lanes where the third's are all ones, the second's where they are all zeros.
    fn select_lanes(&mut self, shape: Type) -> Result<()> {
        if !(self.free() && self.env.isa.has_blendv_lowering(shape)) {
            return self.select_bits(shape);
        }
        let condition = self.pop_vector(shape)?;
        let (x, y) = self.pop_vectors(shape)?;
        let result = self.builder.ins().blendv(condition, x, y);
        self.push(V128, result);
        Ok(())
    }

    fn least(&mut self, shape: Type) -> Result<()> {
        if self.free() {
            return self.smaller_or_first(shape);
        }
        let (x, y) = self.pop_vectors(shape)?;
        let result = self.builder.ins().fmin(x, y);
        self.push(V128, result);
        Ok(())
    }

    fn greatest(&mut self, shape: Type) -> Result<()> {
        if self.free() {
            return self.larger_or_first(shape);
        }
        let (x, y) = self.pop_vectors(shape)?;
        let result = self.builder.ins().fmax(x, y);
        self.push(V128, result);
        Ok(())
    }

    /// Pops two vectors and gives the sums of two products each, where the lanes of the second have 7 bits.
    fn relaxed_dot(&mut self) -> Result<cranelift_codegen::ir::Value> {
        let (x, y) = self.pop_vectors(I8X16)?;
        let own = self.free().then(|| relaxed::dot(self.env.isa, self.builder.ins(), x, y)).flatten();
        Ok(own.unwrap_or_else(|| self.dot(x, y)))
    }
}
