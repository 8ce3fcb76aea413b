//! Linear memory: loads, stores, bounds, and what the runtime does for it.

use super::{Mode, Translator, trap_code};
use crate::abi::{Builtin, TrapCode, VMMemory};
use crate::base::{MemoryIndex, Result};
use crate::compile::internal;
use crate::wasm::ValType::{F32, F64, I32, I64};
use crate::wasm::{IndexType, MemoryType, PageSize};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use std::mem::offset_of;
use wasmparser::{MemArg, MemArgTarget, Operator};

const BASE: i32 = offset_of!(VMMemory, base) as i32;
const LEN: i32 = offset_of!(VMMemory, len) as i32;

/// Where an access goes, and how.
pub(super) struct Access {
    pub(super) address: Value,
    pub(super) offset: i32,
    pub(super) flags: MemFlagsData,
}

impl Translator<'_, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    #[rustfmt::skip]
    pub(super) fn memory_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        macro_rules! load {
            ($memarg:expr, $bytes:expr, $ty:expr, $method:ident($($first:expr)?)) => {{
                let Access { address, offset, flags } = self.access($memarg, $bytes)?;
                let value = self.builder.ins().$method($($first,)? flags, address, offset);
                self.push($ty, value);
            }};
        }
        macro_rules! store {
            ($memarg:expr, $bytes:expr, $method:ident) => {{
                let value = self.pop()?;
                let Access { address, offset, flags } = self.access($memarg, $bytes)?;
                self.builder.ins().$method(flags, value, address, offset);
            }};
        }
        match operator {
            Operator::I32Load { memarg } => load!(memarg, 4, I32, load(types::I32)),
            Operator::I64Load { memarg } => load!(memarg, 8, I64, load(types::I64)),
            Operator::F32Load { memarg } => load!(memarg, 4, F32, load(types::F32)),
            Operator::F64Load { memarg } => load!(memarg, 8, F64, load(types::F64)),
            Operator::I32Load8S { memarg } => load!(memarg, 1, I32, sload8(types::I32)),
            Operator::I32Load8U { memarg } => load!(memarg, 1, I32, uload8(types::I32)),
            Operator::I32Load16S { memarg } => load!(memarg, 2, I32, sload16(types::I32)),
            Operator::I32Load16U { memarg } => load!(memarg, 2, I32, uload16(types::I32)),
            Operator::I64Load8S { memarg } => load!(memarg, 1, I64, sload8(types::I64)),
            Operator::I64Load8U { memarg } => load!(memarg, 1, I64, uload8(types::I64)),
            Operator::I64Load16S { memarg } => load!(memarg, 2, I64, sload16(types::I64)),
            Operator::I64Load16U { memarg } => load!(memarg, 2, I64, uload16(types::I64)),
            Operator::I64Load32S { memarg } => load!(memarg, 4, I64, sload32()),
            Operator::I64Load32U { memarg } => load!(memarg, 4, I64, uload32()),
            Operator::I32Store { memarg } | Operator::F32Store { memarg } => store!(memarg, 4, store),
            Operator::I64Store { memarg } | Operator::F64Store { memarg } => store!(memarg, 8, store),
            Operator::I32Store8 { memarg } | Operator::I64Store8 { memarg } => store!(memarg, 1, istore8),
            Operator::I32Store16 { memarg } | Operator::I64Store16 { memarg } => store!(memarg, 2, istore16),
            Operator::I64Store32 { memarg } => store!(memarg, 4, istore32),
            Operator::MemorySize { mem } => {
                let (base, offset) = self.memory(MemoryIndex::new(*mem));
                let ty = self.env.info.memory(MemoryIndex::new(*mem));
                let mut pages = match ty.shared {
                    // Whoever has seen what another thread wrote behind the old end finds it inside.
                    true => {
                        let at = self.builder.ins().iadd_imm_s(base, i64::from(offset + LEN));
                        self.builder.ins().atomic_load(types::I64, self.flags.header, at)
                    }
                    false => self.builder.ins().load(types::I64, self.flags.header, base, offset + LEN),
                };
                if ty.page_size != PageSize::BYTE {
                    pages = self.builder.ins().ushr_imm_u(pages, i64::from(ty.page_size.log2()));
                }
                self.push_size(ty.index, pages);
            }
            Operator::MemoryGrow { mem } => {
                let index = self.memory_index(*mem);
                let delta = self.pop_place(index)?;
                let memory = self.index_value(*mem);
                self.call_for_size(index, Builtin::MemoryGrow, &[memory, delta])?;
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let (to, from) = (self.memory_index(*dst_mem), self.memory_index(*src_mem));
                let (to, from, length) = self.pop_bulk(to, from, to.narrower(from))?;
                let (to_memory, from_memory) = (self.index_value(*dst_mem), self.index_value(*src_mem));
                self.call_builtin(Builtin::MemoryCopy, &[to_memory, to, from_memory, from, length]);
            }
            Operator::MemoryFill { mem } => {
                let index = self.memory_index(*mem);
                let length = self.pop_place(index)?;
                let byte = self.pop()?;
                let to = self.pop_place(index)?;
                let memory = self.index_value(*mem);
                self.call_builtin(Builtin::MemoryFill, &[memory, to, byte, length]);
            }
            Operator::MemoryInit { data_index, mem } => {
                let (to, from, length) = self.pop_bulk(self.memory_index(*mem), IndexType::I32, IndexType::I32)?;
                let (memory, data) = (self.index_value(*mem), self.index_value(*data_index));
                self.call_builtin(Builtin::MemoryInit, &[memory, data, to, from, length]);
            }
            Operator::DataDrop { data_index } => {
                let data = self.index_value(*data_index);
                self.call_builtin(Builtin::DataDrop, &[data]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Pops a place or a length, of this type, as 64 bits.
    pub(super) fn pop_place(&mut self, index: IndexType) -> Result<Value> {
        if index.is_64() { self.pop() } else { self.pop_wide() }
    }

    /// Pops destination, source and length of a bulk operation, of these types, all as 64 bits.
    pub(super) fn pop_bulk(
        &mut self,
        to: IndexType,
        from: IndexType,
        length: IndexType,
    ) -> Result<(Value, Value, Value)> {
        let length = self.pop_place(length)?;
        let from = self.pop_place(from)?;
        let to = self.pop_place(to)?;
        Ok((to, from, length))
    }

    /// Pushes a size, which is there as 64 bits, as a value of this type.
    pub(super) fn push_size(&mut self, index: IndexType, size: Value) {
        let size = if index.is_64() { size } else { self.builder.ins().ireduce(types::I32, size) };
        self.push(index.val_type(), size);
    }

    /// Calls a builtin whose 64-bit result is a size or -1, and pushes it as a value of this type.
    pub(super) fn call_for_size(&mut self, index: IndexType, builtin: Builtin, arguments: &[Value]) -> Result<()> {
        let result = self.call_builtin(builtin, arguments).ok_or_else(|| internal("a builtin without result"))?;
        self.push_size(index, result);
        Ok(())
    }

    /// The type of places in a memory.
    fn memory_index(&self, memory: u32) -> IndexType {
        self.env.info.memory(MemoryIndex::new(memory)).index
    }

    /// A memory's [`VMMemory`]: base and offset. Of a shared one it is elsewhere, also where the module defines it.
    fn memory(&mut self, memory: MemoryIndex) -> (Value, i32) {
        let (offset, imported) = self.env.layout.memory(memory);
        self.entity((offset, imported || self.env.info.memory(memory).shared))
    }

    /// The memory that an access is to.
    fn accessed(memarg: &MemArg) -> Result<MemoryIndex> {
        match memarg.target {
            MemArgTarget::Memory(memory) => Ok(MemoryIndex::new(memory)),
            _ => Err(internal("an access to something else than a memory")),
        }
    }

    /// Pops the index of an access, as 64 bits.
    pub(super) fn pop_index(&mut self, memarg: &MemArg) -> Result<Value> {
        let ty = self.env.info.memory(Self::accessed(memarg)?);
        self.pop_place(ty.index)
    }

    /// Pops an address and makes it one that can be accessed for `bytes` bytes, or that traps when it is.
    pub(super) fn access(&mut self, memarg: &MemArg, bytes: u64) -> Result<Access> {
        let index = self.pop_index(memarg)?;
        self.access_at(index, memarg, bytes)
    }

    /// The same of an index that was popped.
    pub(super) fn access_at(&mut self, index: Value, memarg: &MemArg, bytes: u64) -> Result<Access> {
        let memory = Self::accessed(memarg)?;
        let ty = self.env.info.memory(memory);
        let (header, offset) = self.memory(memory);
        let options = self.env.options;
        let flags = match options.guard_of(&ty).filter(|guard| guard.catches(memarg.offset, bytes)) {
            Some(guard) => {
                self.trap_from(index, guard.from);
                self.flags.heap.with_trap_code(Some(trap_code(TrapCode::MemoryOutOfBounds)))
            }
            None => {
                let len = self.builder.ins().load(types::I64, self.flags.header, header, offset + LEN);
                self.check_bounds(&ty, index, memarg.offset, bytes, len);
                match self.env.mode {
                    Mode::Production | Mode::Rerun => self.flags.heap,
                    // It cannot trap any more, but where memories are watched it may fault: it is listed, and stays
                    // where it is even if nobody uses what it reads.
                    _ => self.flags.heap.with_trap_code(Some(trap_code(TrapCode::MemoryOutOfBounds))),
                }
            }
        };
        let base_flags = if options.is_fixed(&ty) { self.flags.constant } else { self.flags.header };
        let base = self.builder.ins().load(types::I64, base_flags, header, offset + BASE);
        let address = self.builder.ins().iadd(base, index);
        // Accesses need not be aligned.
        let flags = unaligned(flags);
        Ok(match i32::try_from(memarg.offset) {
            Ok(offset) => Access { address, offset, flags },
            Err(_) => {
                let far = self.builder.ins().iconst(types::I64, memarg.offset as i64);
                Access { address: self.builder.ins().iadd(address, far), offset: 0, flags }
            }
        })
    }

    /// Traps where `bytes` bytes at `offset` behind `index` are not all inside of the `len` bytes of a memory.
    fn check_bounds(&mut self, ty: &MemoryType, index: Value, offset: u64, bytes: u64, len: Value) {
        let beyond = match offset.checked_add(bytes) {
            // Both are 32 bits wide, so their sum has no more than 64.
            Some(end) if !ty.index.is_64() => {
                let end = self.builder.ins().iconst(types::I64, end as i64);
                let end = self.builder.ins().iadd(index, end);
                self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, len)
            }
            // The memory is never smaller than that, so the difference is not below zero.
            Some(end) if end <= ty.least_bytes() => {
                let end = self.builder.ins().iconst(types::I64, end as i64);
                let last = self.builder.ins().isub(len, end);
                self.builder.ins().icmp(IntCC::UnsignedGreaterThan, index, last)
            }
            Some(end) => {
                let distance = self.builder.ins().iconst(types::I64, end as i64);
                let end = self.builder.ins().iadd(index, distance);
                let wrapped = self.builder.ins().icmp(IntCC::UnsignedLessThan, end, distance);
                let beyond = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
                self.builder.ins().bor(wrapped, beyond)
            }
            // No memory reaches that far.
            None => self.builder.ins().iconst(types::I8, 1),
        };
        self.trap_if(beyond, TrapCode::MemoryOutOfBounds);
    }

    /// Traps where an index is `from` or more, if there is such a bound.
    fn trap_from(&mut self, index: Value, from: Option<u64>) {
        let Some(from) = from else { return };
        let beyond = if from.is_power_of_two() && from > i32::MAX as u64 {
            // As an operand this number would take a register.
            let above = self.builder.ins().ushr_imm_u(index, i64::from(from.trailing_zeros()));
            self.builder.ins().icmp_imm_u(IntCC::NotEqual, above, 0)
        } else {
            self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, index, from as i64)
        };
        self.trap_if(beyond, TrapCode::MemoryOutOfBounds);
    }
}

/// The same flags without the promise of alignment.
fn unaligned(flags: MemFlagsData) -> MemFlagsData {
    MemFlagsData::new().with_trap_code(flags.trap_code()).with_alias_region(flags.alias_region())
}
