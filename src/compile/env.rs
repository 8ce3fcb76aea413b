//! What every function of a module is translated with: its module, its layout, the options; and how Wasm's types
//! and trap codes are Cranelift's.

use crate::abi::TrapCode;
use crate::wasm::{FuncType, ValType};
use cranelift_codegen::ir::{self, AbiParam, ArgumentPurpose, Signature, types};
use cranelift_codegen::isa::CallConv;

/// A pointer of the target.
pub(super) const POINTER: ir::Type = types::I64;

/// A Wasm type as Cranelift's.
pub(super) fn abi_type(ty: ValType) -> ir::Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 | ValType::FuncRef | ValType::ExternRef => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => types::I8X16,
    }
}

/// The signature of Wasm functions of type `ty`, as `abi` describes it.
pub(super) fn wasm_signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.push(AbiParam::special(POINTER, ArgumentPurpose::VMContext));
    signature.params.push(AbiParam::new(POINTER));
    signature.params.extend(ty.params.iter().map(|ty| AbiParam::new(abi_type(*ty))));
    signature.returns.extend(ty.results.iter().map(|ty| AbiParam::new(abi_type(*ty))));
    signature
}

/// A trap code as Cranelift's.
pub(super) fn trap_code(code: TrapCode) -> ir::TrapCode {
    const { assert!(ir::TrapCode::user(TrapCode::Interrupt as u8).is_some()) };
    ir::TrapCode::unwrap_user(code as u8)
}
