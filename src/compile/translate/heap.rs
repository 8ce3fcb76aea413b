//! References to what guests make: integers of 31 bits, structures and arrays. How they are represented is said in
//! `abi/`.

use super::Translator;
use crate::abi::TrapCode;
use crate::base::{Error, ErrorKind, Result};
use crate::wasm::ValType::{self, I32};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use wasmparser::Operator;

impl Translator<'_, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    pub(super) fn heap_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::RefEq => {
                let (right, left) = (self.pop()?, self.pop()?);
                let equal = self.builder.ins().icmp(IntCC::Equal, left, right);
                let equal = self.builder.ins().uextend(types::I32, equal);
                self.push(I32, equal);
            }
            Operator::RefI31 => {
                let value = self.pop()?;
                let shifted = self.builder.ins().ishl_imm_u(value, 1);
                let reference = self.builder.ins().bor_imm_u(shifted, 1);
                self.push(ValType::ANYREF, reference);
            }
            Operator::I31GetS => {
                let reference = self.pop_not_null()?;
                let value = self.builder.ins().sshr_imm_u(reference, 1);
                self.push(I32, value);
            }
            Operator::I31GetU => {
                let reference = self.pop_not_null()?;
                let value = self.builder.ins().ushr_imm_u(reference, 1);
                self.push(I32, value);
            }
            Operator::StructNew { .. }
            | Operator::StructNewDefault { .. }
            | Operator::StructGet { .. }
            | Operator::StructGetS { .. }
            | Operator::StructGetU { .. }
            | Operator::StructSet { .. }
            | Operator::ArrayNew { .. }
            | Operator::ArrayNewDefault { .. }
            | Operator::ArrayNewFixed { .. }
            | Operator::ArrayNewData { .. }
            | Operator::ArrayNewElem { .. }
            | Operator::ArrayGet { .. }
            | Operator::ArrayGetS { .. }
            | Operator::ArrayGetU { .. }
            | Operator::ArraySet { .. }
            | Operator::ArrayLen
            | Operator::ArrayFill { .. }
            | Operator::ArrayCopy { .. }
            | Operator::ArrayInitData { .. }
            | Operator::ArrayInitElem { .. }
            | Operator::RefTestNonNull { .. }
            | Operator::RefTestNullable { .. }
            | Operator::RefCastNonNull { .. }
            | Operator::RefCastNullable { .. }
            | Operator::AnyConvertExtern
            | Operator::ExternConvertAny => return Err(missing(operator)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Pops a reference, which must not be null.
    fn pop_not_null(&mut self) -> Result<Value> {
        let reference = self.pop()?;
        let null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
        self.trap_if(null, TrapCode::NullReference);
        Ok(reference)
    }
}

/// The error for an instruction that is not translated.
#[cold]
pub(super) fn missing(operator: &Operator<'_>) -> Error {
    let name = format!("{operator:?}");
    let name = name.split([' ', '{']).next().unwrap_or_default();
    Error::new(ErrorKind::Unsupported, format!("{name} is not supported (needs the proposal: gc)"))
}
