//! How many operands an instruction takes and what it gives, for those of which that does not depend on where they are.

use crate::base::{GlobalIndex, TableIndex};
use crate::wasm::ValType::{ExternRef, F32, F64, FuncRef, I32, I64};
use crate::wasm::{ModuleInfo, ValType};
use wasmparser::{HeapType, Operator};

/// The number of operands taken, and the type of the one that is given, if one is. `None` for other instructions; those on
/// locals, whose types the body tells, are among them.
#[rustfmt::skip]
pub(in crate::compile) fn effect(operator: &Operator<'_>, info: &ModuleInfo) -> Option<(usize, Option<ValType>)> {
    Some(match operator {
        Operator::Drop | Operator::GlobalSet { .. } => (1, None),
        Operator::GlobalGet { global_index } => (0, Some(info.global(GlobalIndex::new(*global_index)).content)),
        Operator::MemorySize { .. } | Operator::TableSize { .. } => (0, Some(I32)),
        Operator::MemoryGrow { .. } | Operator::RefIsNull => (1, Some(I32)),
        Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => (3, None),
        Operator::TableFill { .. } | Operator::TableCopy { .. } | Operator::TableInit { .. } => (3, None),
        Operator::DataDrop { .. } | Operator::ElemDrop { .. } => (0, None),
        Operator::RefNull { hty: HeapType::FUNC } | Operator::RefFunc { .. } => (0, Some(FuncRef)),
        Operator::RefNull { hty: HeapType::EXTERN } => (0, Some(ExternRef)),
        Operator::TableGet { table } => (1, Some(info.table(TableIndex::new(*table)).element)),
        Operator::TableSet { .. } => (2, None),
        Operator::TableGrow { .. } => (2, Some(I32)),
        Operator::I32Load { .. } | Operator::I32Load8S { .. } | Operator::I32Load8U { .. } |
        Operator::I32Load16S { .. } | Operator::I32Load16U { .. } | Operator::I32Eqz | Operator::I64Eqz |
        Operator::I32Clz | Operator::I32Ctz | Operator::I32Popcnt | Operator::I32WrapI64 | Operator::I32Extend8S |
        Operator::I32Extend16S | Operator::I32ReinterpretF32 | Operator::I32TruncF32S | Operator::I32TruncF64S |
        Operator::I32TruncF32U | Operator::I32TruncF64U | Operator::I32TruncSatF32S | Operator::I32TruncSatF64S |
        Operator::I32TruncSatF32U | Operator::I32TruncSatF64U => (1, Some(I32)),
        Operator::I64Load { .. } | Operator::I64Load8S { .. } | Operator::I64Load8U { .. } |
        Operator::I64Load16S { .. } | Operator::I64Load16U { .. } | Operator::I64Load32S { .. } |
        Operator::I64Load32U { .. } | Operator::I64Clz | Operator::I64Ctz | Operator::I64Popcnt |
        Operator::I64ExtendI32S | Operator::I64ExtendI32U | Operator::I64Extend8S | Operator::I64Extend16S |
        Operator::I64Extend32S | Operator::I64ReinterpretF64 | Operator::I64TruncF32S | Operator::I64TruncF64S |
        Operator::I64TruncF32U | Operator::I64TruncF64U | Operator::I64TruncSatF32S | Operator::I64TruncSatF64S |
        Operator::I64TruncSatF32U | Operator::I64TruncSatF64U => (1, Some(I64)),
        Operator::F32Load { .. } | Operator::F32Abs | Operator::F32Neg | Operator::F32Ceil | Operator::F32Floor |
        Operator::F32Trunc | Operator::F32Nearest | Operator::F32Sqrt | Operator::F32ConvertI32S |
        Operator::F32ConvertI64S | Operator::F32ConvertI32U | Operator::F32ConvertI64U | Operator::F32DemoteF64 |
        Operator::F32ReinterpretI32 => (1, Some(F32)),
        Operator::F64Load { .. } | Operator::F64Abs | Operator::F64Neg | Operator::F64Ceil | Operator::F64Floor |
        Operator::F64Trunc | Operator::F64Nearest | Operator::F64Sqrt | Operator::F64ConvertI32S |
        Operator::F64ConvertI64S | Operator::F64ConvertI32U | Operator::F64ConvertI64U | Operator::F64PromoteF32 |
        Operator::F64ReinterpretI64 => (1, Some(F64)),
        Operator::I32Store { .. } | Operator::F32Store { .. } | Operator::I64Store { .. } |
        Operator::F64Store { .. } | Operator::I32Store8 { .. } | Operator::I64Store8 { .. } |
        Operator::I32Store16 { .. } | Operator::I64Store16 { .. } | Operator::I64Store32 { .. } => (2, None),
        Operator::I32Const { .. } => (0, Some(I32)),
        Operator::I64Const { .. } => (0, Some(I64)),
        Operator::F32Const { .. } => (0, Some(F32)),
        Operator::F64Const { .. } => (0, Some(F64)),
        Operator::I32Eq | Operator::I64Eq | Operator::I32Ne | Operator::I64Ne | Operator::I32LtS | Operator::I64LtS |
        Operator::I32LtU | Operator::I64LtU | Operator::I32GtS | Operator::I64GtS | Operator::I32GtU |
        Operator::I64GtU | Operator::I32LeS | Operator::I64LeS | Operator::I32LeU | Operator::I64LeU |
        Operator::I32GeS | Operator::I64GeS | Operator::I32GeU | Operator::I64GeU | Operator::F32Eq |
        Operator::F64Eq | Operator::F32Ne | Operator::F64Ne | Operator::F32Lt | Operator::F64Lt | Operator::F32Gt |
        Operator::F64Gt | Operator::F32Le | Operator::F64Le | Operator::F32Ge | Operator::F64Ge | Operator::I32Add |
        Operator::I32Sub | Operator::I32Mul | Operator::I32And | Operator::I32Or | Operator::I32Xor |
        Operator::I32Shl | Operator::I32ShrS | Operator::I32ShrU | Operator::I32Rotl | Operator::I32Rotr |
        Operator::I32DivS | Operator::I32DivU | Operator::I32RemS | Operator::I32RemU => (2, Some(I32)),
        Operator::I64Add | Operator::I64Sub | Operator::I64Mul | Operator::I64And | Operator::I64Or |
        Operator::I64Xor | Operator::I64Shl | Operator::I64ShrS | Operator::I64ShrU | Operator::I64Rotl |
        Operator::I64Rotr | Operator::I64DivS | Operator::I64DivU | Operator::I64RemS | Operator::I64RemU => (2, Some(I64)),
        Operator::F32Add | Operator::F32Sub | Operator::F32Mul | Operator::F32Div | Operator::F32Min |
        Operator::F32Max | Operator::F32Copysign => (2, Some(F32)),
        Operator::F64Add | Operator::F64Sub | Operator::F64Mul | Operator::F64Div | Operator::F64Min |
        Operator::F64Max | Operator::F64Copysign => (2, Some(F64)),
        _ => return None,
    })
}
