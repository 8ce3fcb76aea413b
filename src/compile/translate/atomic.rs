//! Atomic instructions: accesses at once, as all threads see them, in one order; waiting and waking, which the runtime
//! does. Each address has to be a multiple of the width. They are the same on memories that are not shared.

use super::Translator;
use super::memory::Access;
use crate::abi::{Builtin, TrapCode};
use crate::base::Result;
use crate::compile::internal;
use crate::wasm::ValType::{self, I32, I64};
use cranelift_codegen::ir::AtomicRmwOp::{self, Add, And, Or, Sub, Xchg, Xor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use wasmparser::{MemArg, MemArgTarget, Operator};

impl Translator<'_, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    #[rustfmt::skip]
    pub(super) fn atomic_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::I32AtomicLoad8U { memarg } => self.atomic_load(memarg, types::I8, I32)?,
            Operator::I32AtomicLoad16U { memarg } => self.atomic_load(memarg, types::I16, I32)?,
            Operator::I32AtomicLoad { memarg } => self.atomic_load(memarg, types::I32, I32)?,
            Operator::I64AtomicLoad8U { memarg } => self.atomic_load(memarg, types::I8, I64)?,
            Operator::I64AtomicLoad16U { memarg } => self.atomic_load(memarg, types::I16, I64)?,
            Operator::I64AtomicLoad32U { memarg } => self.atomic_load(memarg, types::I32, I64)?,
            Operator::I64AtomicLoad { memarg } => self.atomic_load(memarg, types::I64, I64)?,
            Operator::I32AtomicStore8 { memarg } => self.atomic_store(memarg, types::I8, I32)?,
            Operator::I32AtomicStore16 { memarg } => self.atomic_store(memarg, types::I16, I32)?,
            Operator::I32AtomicStore { memarg } => self.atomic_store(memarg, types::I32, I32)?,
            Operator::I64AtomicStore8 { memarg } => self.atomic_store(memarg, types::I8, I64)?,
            Operator::I64AtomicStore16 { memarg } => self.atomic_store(memarg, types::I16, I64)?,
            Operator::I64AtomicStore32 { memarg } => self.atomic_store(memarg, types::I32, I64)?,
            Operator::I64AtomicStore { memarg } => self.atomic_store(memarg, types::I64, I64)?,
            Operator::I32AtomicRmw8AddU { memarg } => self.atomic_rmw(memarg, Add, types::I8, I32)?,
            Operator::I32AtomicRmw16AddU { memarg } => self.atomic_rmw(memarg, Add, types::I16, I32)?,
            Operator::I32AtomicRmwAdd { memarg } => self.atomic_rmw(memarg, Add, types::I32, I32)?,
            Operator::I64AtomicRmw8AddU { memarg } => self.atomic_rmw(memarg, Add, types::I8, I64)?,
            Operator::I64AtomicRmw16AddU { memarg } => self.atomic_rmw(memarg, Add, types::I16, I64)?,
            Operator::I64AtomicRmw32AddU { memarg } => self.atomic_rmw(memarg, Add, types::I32, I64)?,
            Operator::I64AtomicRmwAdd { memarg } => self.atomic_rmw(memarg, Add, types::I64, I64)?,
            Operator::I32AtomicRmw8SubU { memarg } => self.atomic_rmw(memarg, Sub, types::I8, I32)?,
            Operator::I32AtomicRmw16SubU { memarg } => self.atomic_rmw(memarg, Sub, types::I16, I32)?,
            Operator::I32AtomicRmwSub { memarg } => self.atomic_rmw(memarg, Sub, types::I32, I32)?,
            Operator::I64AtomicRmw8SubU { memarg } => self.atomic_rmw(memarg, Sub, types::I8, I64)?,
            Operator::I64AtomicRmw16SubU { memarg } => self.atomic_rmw(memarg, Sub, types::I16, I64)?,
            Operator::I64AtomicRmw32SubU { memarg } => self.atomic_rmw(memarg, Sub, types::I32, I64)?,
            Operator::I64AtomicRmwSub { memarg } => self.atomic_rmw(memarg, Sub, types::I64, I64)?,
            Operator::I32AtomicRmw8AndU { memarg } => self.atomic_rmw(memarg, And, types::I8, I32)?,
            Operator::I32AtomicRmw16AndU { memarg } => self.atomic_rmw(memarg, And, types::I16, I32)?,
            Operator::I32AtomicRmwAnd { memarg } => self.atomic_rmw(memarg, And, types::I32, I32)?,
            Operator::I64AtomicRmw8AndU { memarg } => self.atomic_rmw(memarg, And, types::I8, I64)?,
            Operator::I64AtomicRmw16AndU { memarg } => self.atomic_rmw(memarg, And, types::I16, I64)?,
            Operator::I64AtomicRmw32AndU { memarg } => self.atomic_rmw(memarg, And, types::I32, I64)?,
            Operator::I64AtomicRmwAnd { memarg } => self.atomic_rmw(memarg, And, types::I64, I64)?,
            Operator::I32AtomicRmw8OrU { memarg } => self.atomic_rmw(memarg, Or, types::I8, I32)?,
            Operator::I32AtomicRmw16OrU { memarg } => self.atomic_rmw(memarg, Or, types::I16, I32)?,
            Operator::I32AtomicRmwOr { memarg } => self.atomic_rmw(memarg, Or, types::I32, I32)?,
            Operator::I64AtomicRmw8OrU { memarg } => self.atomic_rmw(memarg, Or, types::I8, I64)?,
            Operator::I64AtomicRmw16OrU { memarg } => self.atomic_rmw(memarg, Or, types::I16, I64)?,
            Operator::I64AtomicRmw32OrU { memarg } => self.atomic_rmw(memarg, Or, types::I32, I64)?,
            Operator::I64AtomicRmwOr { memarg } => self.atomic_rmw(memarg, Or, types::I64, I64)?,
            Operator::I32AtomicRmw8XorU { memarg } => self.atomic_rmw(memarg, Xor, types::I8, I32)?,
            Operator::I32AtomicRmw16XorU { memarg } => self.atomic_rmw(memarg, Xor, types::I16, I32)?,
            Operator::I32AtomicRmwXor { memarg } => self.atomic_rmw(memarg, Xor, types::I32, I32)?,
            Operator::I64AtomicRmw8XorU { memarg } => self.atomic_rmw(memarg, Xor, types::I8, I64)?,
            Operator::I64AtomicRmw16XorU { memarg } => self.atomic_rmw(memarg, Xor, types::I16, I64)?,
            Operator::I64AtomicRmw32XorU { memarg } => self.atomic_rmw(memarg, Xor, types::I32, I64)?,
            Operator::I64AtomicRmwXor { memarg } => self.atomic_rmw(memarg, Xor, types::I64, I64)?,
            Operator::I32AtomicRmw8XchgU { memarg } => self.atomic_rmw(memarg, Xchg, types::I8, I32)?,
            Operator::I32AtomicRmw16XchgU { memarg } => self.atomic_rmw(memarg, Xchg, types::I16, I32)?,
            Operator::I32AtomicRmwXchg { memarg } => self.atomic_rmw(memarg, Xchg, types::I32, I32)?,
            Operator::I64AtomicRmw8XchgU { memarg } => self.atomic_rmw(memarg, Xchg, types::I8, I64)?,
            Operator::I64AtomicRmw16XchgU { memarg } => self.atomic_rmw(memarg, Xchg, types::I16, I64)?,
            Operator::I64AtomicRmw32XchgU { memarg } => self.atomic_rmw(memarg, Xchg, types::I32, I64)?,
            Operator::I64AtomicRmwXchg { memarg } => self.atomic_rmw(memarg, Xchg, types::I64, I64)?,
            Operator::I32AtomicRmw8CmpxchgU { memarg } => self.atomic_exchange_if(memarg, types::I8, I32)?,
            Operator::I32AtomicRmw16CmpxchgU { memarg } => self.atomic_exchange_if(memarg, types::I16, I32)?,
            Operator::I32AtomicRmwCmpxchg { memarg } => self.atomic_exchange_if(memarg, types::I32, I32)?,
            Operator::I64AtomicRmw8CmpxchgU { memarg } => self.atomic_exchange_if(memarg, types::I8, I64)?,
            Operator::I64AtomicRmw16CmpxchgU { memarg } => self.atomic_exchange_if(memarg, types::I16, I64)?,
            Operator::I64AtomicRmw32CmpxchgU { memarg } => self.atomic_exchange_if(memarg, types::I32, I64)?,
            Operator::I64AtomicRmwCmpxchg { memarg } => self.atomic_exchange_if(memarg, types::I64, I64)?,
            Operator::AtomicFence { .. } => {
                self.builder.ins().fence();
            }
            Operator::MemoryAtomicNotify { memarg } => {
                let count = self.pop()?;
                self.call_at(memarg, Builtin::AtomicNotify, &[count])?;
            }
            Operator::MemoryAtomicWait32 { memarg } => {
                let timeout = self.pop()?;
                let expected = self.pop()?;
                self.call_at(memarg, Builtin::AtomicWait32, &[expected, timeout])?;
            }
            Operator::MemoryAtomicWait64 { memarg } => {
                let timeout = self.pop()?;
                let expected = self.pop()?;
                self.call_at(memarg, Builtin::AtomicWait64, &[expected, timeout])?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn atomic_load(&mut self, memarg: &MemArg, width: Type, ty: ValType) -> Result<()> {
        let (address, flags) = self.atomic_access(memarg, width)?;
        let value = self.builder.ins().atomic_load(width, flags, address);
        self.push_widened(value, width, ty);
        Ok(())
    }

    fn atomic_store(&mut self, memarg: &MemArg, width: Type, ty: ValType) -> Result<()> {
        let value = self.pop_narrow(width, ty)?;
        let (address, flags) = self.atomic_access(memarg, width)?;
        self.builder.ins().atomic_store(flags, value, address);
        Ok(())
    }

    fn atomic_rmw(&mut self, memarg: &MemArg, op: AtomicRmwOp, width: Type, ty: ValType) -> Result<()> {
        let operand = self.pop_narrow(width, ty)?;
        let (address, flags) = self.atomic_access(memarg, width)?;
        let old = self.builder.ins().atomic_rmw(width, flags, op, address, operand);
        self.push_widened(old, width, ty);
        Ok(())
    }

    /// `cmpxchg`: of what is expected, as much as the access is wide is compared.
    fn atomic_exchange_if(&mut self, memarg: &MemArg, width: Type, ty: ValType) -> Result<()> {
        let new = self.pop_narrow(width, ty)?;
        let expected = self.pop_narrow(width, ty)?;
        let (address, flags) = self.atomic_access(memarg, width)?;
        let old = self.builder.ins().atomic_cas(flags, address, expected, new);
        self.push_widened(old, width, ty);
        Ok(())
    }

    /// Pops a value of which as much is stored as an access is wide.
    fn pop_narrow(&mut self, width: Type, ty: ValType) -> Result<Value> {
        let value = self.pop()?;
        Ok(if bits(ty) == width.bits() { value } else { self.builder.ins().ireduce(width, value) })
    }

    /// Pushes what an access of this width has read.
    fn push_widened(&mut self, value: Value, width: Type, ty: ValType) {
        let wide = if ty == I64 { types::I64 } else { types::I32 };
        let value = if bits(ty) == width.bits() { value } else { self.builder.ins().uextend(wide, value) };
        self.push(ty, value);
    }

    /// Pops an address, and makes it one that can be accessed at once, or that traps when it is.
    fn atomic_access(&mut self, memarg: &MemArg, width: Type) -> Result<(Value, MemFlagsData)> {
        // The index as it was made, not yet widened: of one that is masked it is seen there that it is aligned.
        let index = self.pop()?;
        self.check_alignment(index, memarg.offset, width.bytes());
        let index = match self.builder.func.dfg.value_type(index) {
            types::I32 => self.builder.ins().uextend(types::I64, index),
            _ => index,
        };
        let Access { address, offset, flags } = self.access_at(index, memarg, width.bytes().into())?;
        let address = if offset == 0 { address } else { self.builder.ins().iadd_imm_s(address, i64::from(offset)) };
        Ok((address, flags.with_aligned()))
    }

    /// Traps where `offset` behind `index` is no multiple of `bytes`, which is a power of two. What does not fit 64
    /// bits has the same lowest bits as what is left of it.
    fn check_alignment(&mut self, index: Value, offset: u64, bytes: u32) {
        let low = u64::from(bytes - 1);
        if low == 0 {
            return;
        }
        let place = match offset & low {
            0 => index,
            rest => self.builder.ins().iadd_imm_s(index, rest as i64),
        };
        let rest = self.builder.ins().band_imm_u(place, low as i64);
        let unaligned = self.builder.ins().icmp_imm_u(IntCC::NotEqual, rest, 0);
        self.trap_if(unaligned, TrapCode::UnalignedAtomic);
    }

    /// Pops an index and has the runtime do something there, whose outcome is an `i32`. It checks the place.
    fn call_at(&mut self, memarg: &MemArg, builtin: Builtin, arguments: &[Value]) -> Result<()> {
        let MemArgTarget::Memory(memory) = memarg.target else {
            return Err(internal("an access to something else than a memory"));
        };
        let index = self.pop_index(memarg)?;
        let memory = self.index_value(memory);
        let offset = self.builder.ins().iconst(types::I64, memarg.offset as i64);
        let mut all = vec![memory, index, offset];
        all.extend_from_slice(arguments);
        let outcome = self.call_builtin(builtin, &all).ok_or_else(|| internal("a builtin without result"))?;
        let outcome = self.builder.ins().ireduce(types::I32, outcome);
        self.push(I32, outcome);
        Ok(())
    }
}

fn bits(ty: ValType) -> u32 {
    if ty == I64 { 64 } else { 32 }
}
