//! Constants, arithmetic, comparisons, conversions.

use super::Translator;
use crate::abi::TrapCode;
use crate::base::Result;
use crate::wasm::ValType::{self, F32, F64, I32, I64};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::FunctionBuilder;
use wasmparser::Operator;

/// The first values of type `f32` and `f64` below and above the range of an integer type, as bits: truncation
/// overflows at or beyond them.
struct TruncBounds {
    /// The largest float that truncates below the range.
    below: f64,
    /// The smallest float that truncates above the range.
    above: f64,
}

impl Translator<'_, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    #[rustfmt::skip]
    pub(super) fn numeric_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        /// Pops one operand, pushes what the method of Cranelift's builder makes of it.
        macro_rules! unary {
            ($ty:expr, $method:ident) => {{
                let x = self.pop()?;
                let result = self.builder.ins().$method(x);
                self.push($ty, result);
            }};
        }
        /// The same for two operands.
        macro_rules! binary {
            ($ty:expr, $method:ident) => {{
                let (x, y) = self.pop_two()?;
                let result = self.builder.ins().$method(x, y);
                self.push($ty, result);
            }};
        }
        /// The same for a method that takes the type of its result.
        macro_rules! convert {
            ($ty:expr, $method:ident) => {{
                let x = self.pop()?;
                let result = self.builder.ins().$method(super::abi_type($ty), x);
                self.push($ty, result);
            }};
        }
        macro_rules! reinterpret {
            ($ty:expr) => {{
                let x = self.pop()?;
                let result = self.builder.ins().bitcast(super::abi_type($ty), MemFlagsData::new(), x);
                self.push($ty, result);
            }};
        }
        macro_rules! extend {
            ($ty:expr, $narrow:expr) => {{
                let x = self.pop()?;
                let narrow = self.builder.ins().ireduce($narrow, x);
                let result = self.builder.ins().sextend(super::abi_type($ty), narrow);
                self.push($ty, result);
            }};
        }
        match operator {
            Operator::I32Const { value } => {
                let constant = self.builder.ins().iconst(types::I32, i64::from(*value as u32));
                self.push_constant(I32, constant, *value);
            }
            Operator::I64Const { value } => {
                let constant = self.builder.ins().iconst(types::I64, *value);
                match i32::try_from(*value) {
                    Ok(bits) => self.push_constant(I64, constant, bits),
                    Err(_) => self.push(I64, constant),
                }
            }
            Operator::F32Const { value } => {
                let constant = self.builder.ins().f32const(Ieee32::with_bits(value.bits()));
                self.push_constant(F32, constant, value.bits() as i32);
            }
            Operator::F64Const { value } => {
                let value = self.builder.ins().f64const(Ieee64::with_bits(value.bits()));
                self.push(F64, value);
            }

            Operator::I32Eqz | Operator::I64Eqz => {
                let x = self.pop()?;
                let result = self.builder.ins().icmp_imm_u(IntCC::Equal, x, 0);
                self.push_bool(result);
            }
            Operator::I32Eq | Operator::I64Eq => self.compare(IntCC::Equal)?,
            Operator::I32Ne | Operator::I64Ne => self.compare(IntCC::NotEqual)?,
            Operator::I32LtS | Operator::I64LtS => self.compare(IntCC::SignedLessThan)?,
            Operator::I32LtU | Operator::I64LtU => self.compare(IntCC::UnsignedLessThan)?,
            Operator::I32GtS | Operator::I64GtS => self.compare(IntCC::SignedGreaterThan)?,
            Operator::I32GtU | Operator::I64GtU => self.compare(IntCC::UnsignedGreaterThan)?,
            Operator::I32LeS | Operator::I64LeS => self.compare(IntCC::SignedLessThanOrEqual)?,
            Operator::I32LeU | Operator::I64LeU => self.compare(IntCC::UnsignedLessThanOrEqual)?,
            Operator::I32GeS | Operator::I64GeS => self.compare(IntCC::SignedGreaterThanOrEqual)?,
            Operator::I32GeU | Operator::I64GeU => self.compare(IntCC::UnsignedGreaterThanOrEqual)?,
            Operator::F32Eq | Operator::F64Eq => self.compare_float(FloatCC::Equal)?,
            Operator::F32Ne | Operator::F64Ne => self.compare_float(FloatCC::NotEqual)?,
            Operator::F32Lt | Operator::F64Lt => self.compare_float(FloatCC::LessThan)?,
            Operator::F32Gt | Operator::F64Gt => self.compare_float(FloatCC::GreaterThan)?,
            Operator::F32Le | Operator::F64Le => self.compare_float(FloatCC::LessThanOrEqual)?,
            Operator::F32Ge | Operator::F64Ge => self.compare_float(FloatCC::GreaterThanOrEqual)?,

            Operator::I32Clz => unary!(I32, clz),
            Operator::I32Ctz => unary!(I32, ctz),
            Operator::I32Popcnt => unary!(I32, popcnt),
            Operator::I64Clz => unary!(I64, clz),
            Operator::I64Ctz => unary!(I64, ctz),
            Operator::I64Popcnt => unary!(I64, popcnt),
            Operator::I32Add => binary!(I32, iadd),
            Operator::I32Sub => binary!(I32, isub),
            Operator::I32Mul => binary!(I32, imul),
            Operator::I32And => binary!(I32, band),
            Operator::I32Or => binary!(I32, bor),
            Operator::I32Xor => binary!(I32, bxor),
            Operator::I32Shl => binary!(I32, ishl),
            Operator::I32ShrS => binary!(I32, sshr),
            Operator::I32ShrU => binary!(I32, ushr),
            Operator::I32Rotl => binary!(I32, rotl),
            Operator::I32Rotr => binary!(I32, rotr),
            Operator::I64Add => binary!(I64, iadd),
            Operator::I64Sub => binary!(I64, isub),
            Operator::I64Mul => binary!(I64, imul),
            Operator::I64And => binary!(I64, band),
            Operator::I64Or => binary!(I64, bor),
            Operator::I64Xor => binary!(I64, bxor),
            Operator::I64Shl => binary!(I64, ishl),
            Operator::I64ShrS => binary!(I64, sshr),
            Operator::I64ShrU => binary!(I64, ushr),
            Operator::I64Rotl => binary!(I64, rotl),
            Operator::I64Rotr => binary!(I64, rotr),
            Operator::I32DivS => { self.check_signed_division(types::I32)?; binary!(I32, sdiv) }
            Operator::I32DivU => { self.check_divisor()?; binary!(I32, udiv) }
            Operator::I32RemS => { self.check_divisor()?; binary!(I32, srem) }
            Operator::I32RemU => { self.check_divisor()?; binary!(I32, urem) }
            Operator::I64DivS => { self.check_signed_division(types::I64)?; binary!(I64, sdiv) }
            Operator::I64DivU => { self.check_divisor()?; binary!(I64, udiv) }
            Operator::I64RemS => { self.check_divisor()?; binary!(I64, srem) }
            Operator::I64RemU => { self.check_divisor()?; binary!(I64, urem) }

            Operator::F32Abs => unary!(F32, fabs),
            Operator::F32Neg => unary!(F32, fneg),
            Operator::F32Ceil => unary!(F32, ceil),
            Operator::F32Floor => unary!(F32, floor),
            Operator::F32Trunc => unary!(F32, trunc),
            Operator::F32Nearest => unary!(F32, nearest),
            Operator::F32Sqrt => unary!(F32, sqrt),
            Operator::F32Add => binary!(F32, fadd),
            Operator::F32Sub => binary!(F32, fsub),
            Operator::F32Mul => binary!(F32, fmul),
            Operator::F32Div => binary!(F32, fdiv),
            Operator::F32Min => binary!(F32, fmin),
            Operator::F32Max => binary!(F32, fmax),
            Operator::F32Copysign => binary!(F32, fcopysign),
            Operator::F64Abs => unary!(F64, fabs),
            Operator::F64Neg => unary!(F64, fneg),
            Operator::F64Ceil => unary!(F64, ceil),
            Operator::F64Floor => unary!(F64, floor),
            Operator::F64Trunc => unary!(F64, trunc),
            Operator::F64Nearest => unary!(F64, nearest),
            Operator::F64Sqrt => unary!(F64, sqrt),
            Operator::F64Add => binary!(F64, fadd),
            Operator::F64Sub => binary!(F64, fsub),
            Operator::F64Mul => binary!(F64, fmul),
            Operator::F64Div => binary!(F64, fdiv),
            Operator::F64Min => binary!(F64, fmin),
            Operator::F64Max => binary!(F64, fmax),
            Operator::F64Copysign => binary!(F64, fcopysign),

            Operator::I32WrapI64 => convert!(I32, ireduce),
            Operator::I64ExtendI32S => convert!(I64, sextend),
            Operator::I64ExtendI32U => convert!(I64, uextend),
            Operator::I32Extend8S => extend!(I32, types::I8),
            Operator::I32Extend16S => extend!(I32, types::I16),
            Operator::I64Extend8S => extend!(I64, types::I8),
            Operator::I64Extend16S => extend!(I64, types::I16),
            Operator::I64Extend32S => extend!(I64, types::I32),
            Operator::F32ConvertI32S | Operator::F32ConvertI64S => convert!(F32, fcvt_from_sint),
            Operator::F32ConvertI32U | Operator::F32ConvertI64U => convert!(F32, fcvt_from_uint),
            Operator::F64ConvertI32S | Operator::F64ConvertI64S => convert!(F64, fcvt_from_sint),
            Operator::F64ConvertI32U | Operator::F64ConvertI64U => convert!(F64, fcvt_from_uint),
            Operator::F32DemoteF64 => convert!(F32, fdemote),
            Operator::F64PromoteF32 => convert!(F64, fpromote),
            Operator::I32ReinterpretF32 => reinterpret!(I32),
            Operator::I64ReinterpretF64 => reinterpret!(I64),
            Operator::F32ReinterpretI32 => reinterpret!(F32),
            Operator::F64ReinterpretI64 => reinterpret!(F64),

            Operator::I32TruncF32S | Operator::I32TruncF64S => self.truncate(I32, true)?,
            Operator::I32TruncF32U | Operator::I32TruncF64U => self.truncate(I32, false)?,
            Operator::I64TruncF32S | Operator::I64TruncF64S => self.truncate(I64, true)?,
            Operator::I64TruncF32U | Operator::I64TruncF64U => self.truncate(I64, false)?,
            Operator::I32TruncSatF32S | Operator::I32TruncSatF64S => convert!(I32, fcvt_to_sint_sat),
            Operator::I32TruncSatF32U | Operator::I32TruncSatF64U => convert!(I32, fcvt_to_uint_sat),
            Operator::I64TruncSatF32S | Operator::I64TruncSatF64S => convert!(I64, fcvt_to_sint_sat),
            Operator::I64TruncSatF32U | Operator::I64TruncSatF64U => convert!(I64, fcvt_to_uint_sat),
            Operator::I64Add128 => self.wide(|builder, x, y| builder.ins().iadd(x, y))?,
            Operator::I64Sub128 => self.wide(|builder, x, y| builder.ins().isub(x, y))?,
            Operator::I64MulWideS => self.wide_product(|builder, x| builder.ins().sextend(types::I128, x))?,
            Operator::I64MulWideU => self.wide_product(|builder, x| builder.ins().uextend(types::I128, x))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Pops two numbers of 128 bits, each as its lower and its upper half, and pushes what `compute` makes of them.
    fn wide(&mut self, compute: impl FnOnce(&mut FunctionBuilder<'_>, Value, Value) -> Value) -> Result<()> {
        let halves = self.pop_many(4)?;
        let x = self.builder.ins().iconcat(halves[0], halves[1]);
        let y = self.builder.ins().iconcat(halves[2], halves[3]);
        let result = compute(&mut self.builder, x, y);
        self.push_wide(result);
        Ok(())
    }

    /// Pops two numbers of 64 bits and pushes the whole product of what `extend` makes of them.
    fn wide_product(&mut self, extend: impl Fn(&mut FunctionBuilder<'_>, Value) -> Value) -> Result<()> {
        let (x, y) = self.pop_two()?;
        let (x, y) = (extend(&mut self.builder, x), extend(&mut self.builder, y));
        let result = self.builder.ins().imul(x, y);
        self.push_wide(result);
        Ok(())
    }

    /// Pushes a number of 128 bits, the lower half first.
    fn push_wide(&mut self, value: Value) {
        let (low, high) = self.builder.ins().isplit(value);
        self.push(I64, low);
        self.push(I64, high);
    }

    fn pop_two(&mut self) -> Result<(Value, Value)> {
        let y = self.pop()?;
        let x = self.pop()?;
        Ok((x, y))
    }

    pub(super) fn push_bool(&mut self, condition: Value) {
        let wide = self.builder.ins().uextend(types::I32, condition);
        self.push(I32, wide);
    }

    fn compare(&mut self, condition: IntCC) -> Result<()> {
        let (x, y) = self.pop_two()?;
        let result = self.builder.ins().icmp(condition, x, y);
        self.push_bool(result);
        Ok(())
    }

    fn compare_float(&mut self, condition: FloatCC) -> Result<()> {
        let (x, y) = self.pop_two()?;
        let result = self.builder.ins().fcmp(condition, x, y);
        self.push_bool(result);
        Ok(())
    }

    /// Without signals, traps if the divisor on top of the stack is zero. With them the division itself does.
    fn check_divisor(&mut self) -> Result<()> {
        if !self.env.options.signals {
            let divisor = self.top_values(1)?[0];
            let zero = self.builder.ins().icmp_imm_u(IntCC::Equal, divisor, 0);
            self.trap_if(zero, TrapCode::IntegerDivisionByZero);
        }
        Ok(())
    }

    /// The same for a signed division, which overflows too.
    fn check_signed_division(&mut self, ty: cranelift_codegen::ir::Type) -> Result<()> {
        self.check_divisor()?;
        if !self.env.options.signals {
            let operands = self.top_values(2)?;
            let (dividend, divisor) = (operands[0], operands[1]);
            let smallest = self.builder.ins().iconst(ty, 1 << (ty.bits() - 1));
            let smallest = self.builder.ins().icmp(IntCC::Equal, dividend, smallest);
            let minus_one = self.builder.ins().icmp_imm_s(IntCC::Equal, divisor, -1);
            let overflow = self.builder.ins().band(smallest, minus_one);
            self.trap_if(overflow, TrapCode::IntegerOverflow);
        }
        Ok(())
    }

    /// A truncation that traps.
    fn truncate(&mut self, ty: ValType, signed: bool) -> Result<()> {
        let operand = self.pop_operand()?;
        let target = super::abi_type(ty);
        let value = operand.value;
        let result = if self.env.options.signals {
            if signed {
                self.builder.ins().fcvt_to_sint(target, value)
            } else {
                self.builder.ins().fcvt_to_uint(target, value)
            }
        } else {
            let nan = self.builder.ins().fcmp(FloatCC::Unordered, value, value);
            self.trap_if(nan, TrapCode::InvalidConversion);
            let TruncBounds { below, above } = trunc_bounds(operand.ty, ty, signed);
            let (below, above) = if operand.ty == F32 {
                // Exact: the bounds were chosen among the values of this type.
                (self.builder.ins().f32const(below as f32), self.builder.ins().f32const(above as f32))
            } else {
                (self.builder.ins().f64const(below), self.builder.ins().f64const(above))
            };
            let low = self.builder.ins().fcmp(FloatCC::LessThanOrEqual, value, below);
            let high = self.builder.ins().fcmp(FloatCC::GreaterThanOrEqual, value, above);
            let outside = self.builder.ins().bor(low, high);
            self.trap_if(outside, TrapCode::IntegerOverflow);
            if signed {
                self.builder.ins().fcvt_to_sint_sat(target, value)
            } else {
                self.builder.ins().fcvt_to_uint_sat(target, value)
            }
        };
        self.push(ty, result);
        Ok(())
    }
}

/// The bounds of truncating `from` to an integer of type `to`.
fn trunc_bounds(from: ValType, to: ValType, signed: bool) -> TruncBounds {
    let bits = if to == I32 { 32 } else { 64 };
    if !signed {
        return TruncBounds { below: -1.0, above: 2f64.powi(bits) };
    }
    let above = 2f64.powi(bits - 1);
    // The next value below -2^(bits - 1) in the type truncated; -2^(bits - 1) - 1 itself where the type has it.
    let below = match (from, to) {
        (F64, I32) => -above - 1.0,
        (F32, _) => f64::from((-above as f32).next_down()),
        _ => (-above).next_down(),
    };
    TruncBounds { below, above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_bounds_are_tight() {
        for (to, signed, min, max) in [
            (I32, true, i128::from(i32::MIN), i128::from(i32::MAX)),
            (I32, false, 0, i128::from(u32::MAX)),
            (I64, true, i128::from(i64::MIN), i128::from(i64::MAX)),
            (I64, false, 0, i128::from(u64::MAX)),
        ] {
            let fits = |x: f64| (min..=max).contains(&(x.trunc() as i128));
            for from in [F32, F64] {
                let bounds = trunc_bounds(from, to, signed);
                assert!(!fits(bounds.below) && !fits(bounds.above));
                let (inside_low, inside_high) = if from == F32 {
                    assert_eq!(f64::from(bounds.below as f32), bounds.below);
                    assert_eq!(f64::from(bounds.above as f32), bounds.above);
                    (f64::from((bounds.below as f32).next_up()), f64::from((bounds.above as f32).next_down()))
                } else {
                    (bounds.below.next_up(), bounds.above.next_down())
                };
                assert!(fits(inside_low) && fits(inside_high), "{from} {to} {signed}");
            }
        }
    }
}
