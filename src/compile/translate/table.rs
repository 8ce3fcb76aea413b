//! Tables and references.

use super::Translator;
use super::storage::Operand;
use crate::abi::{Builtin, TABLE_ELEMENT_SIZE, TableElement, TrapCode, VMTable};
use crate::base::{Family, Result, TableIndex};
use crate::compile::env::{abi_type, null_type};
use crate::compile::internal;
use crate::wasm::IndexType;
use crate::wasm::ValType::{self, I32};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use std::mem::offset_of;
use wasmparser::Operator;

const BASE: i32 = offset_of!(VMTable, base) as i32;
const LEN: i32 = offset_of!(VMTable, len) as i32;
const WRITTEN: i32 = offset_of!(VMTable, written) as i32;

impl Translator<'_, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    pub(super) fn table_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::RefNull { hty } => {
                let ty = null_type(self.env.info, *hty)?;
                let null = self.builder.ins().iconst(abi_type(ty), 0);
                self.push_constant(ty, null, 0);
            }
            Operator::RefIsNull => {
                let reference = self.pop()?;
                let null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
                let null = self.builder.ins().uextend(types::I32, null);
                self.push(I32, null);
            }
            Operator::RefAsNonNull => {
                let Operand { value, ty, .. } = self.pop_operand()?;
                let null = self.builder.ins().icmp_imm_u(IntCC::Equal, value, 0);
                self.trap_if(null, TrapCode::NullReference);
                self.push(ty, value);
            }
            Operator::RefFunc { function_index } => {
                let function = self.index_value(*function_index);
                let reference = self.call_builtin(Builtin::RefFunc, &[function]);
                let reference = reference.ok_or_else(|| internal("a builtin without result"))?;
                self.push(ValType::FUNCREF, reference);
            }
            Operator::TableGet { table } => {
                let table = TableIndex::new(*table);
                let index = self.pop_place(self.table_index(table))?;
                let element = self.table_element(table, index, TrapCode::TableOutOfBounds);
                let mut reference = self.builder.ins().load(types::I64, self.flags.table, element, 0);
                let ty = self.env.info.table(table).element;
                match ty.heap.family() {
                    Family::Func => {
                        reference = self.resolved(table, index, reference)?;
                        // References are aligned; null has this one bit.
                        const { assert!(TableElement::NULL.word() == 1) };
                        reference = self.builder.ins().band_imm_s(reference, !1);
                    }
                    Family::Extern | Family::Exn => {}
                    Family::Any => reference = self.builder.ins().ireduce(types::I32, reference),
                }
                self.push(ty.into(), reference);
            }
            Operator::TableSet { table } => {
                let table = TableIndex::new(*table);
                let mut reference = self.pop_reference()?;
                let index = self.pop_place(self.table_index(table))?;
                let element = self.table_element(table, index, TrapCode::TableOutOfBounds);
                if self.env.info.table(table).element.heap.family() == Family::Func {
                    let null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
                    let null = self.builder.ins().uextend(types::I64, null);
                    reference = self.builder.ins().bor(reference, null);
                }
                self.builder.ins().store(self.flags.table, reference, element, 0);
                let written = self.builder.ins().iconst(types::I64, 1);
                let (header, offset) = self.entity(self.env.layout.table(table));
                self.builder.ins().store(self.flags.table, written, header, offset + WRITTEN);
            }
            Operator::TableSize { table } => {
                let table = TableIndex::new(*table);
                let len = self.table_len(table);
                self.push_size(self.table_index(table), len);
            }
            Operator::TableGrow { table } => {
                let index = self.table_index(TableIndex::new(*table));
                let delta = self.pop_place(index)?;
                let initial = self.pop_reference()?;
                let table = self.index_value(*table);
                self.call_for_size(index, Builtin::TableGrow, &[table, initial, delta])?;
            }
            Operator::TableFill { table } => {
                let index = self.table_index(TableIndex::new(*table));
                let length = self.pop_place(index)?;
                let reference = self.pop_reference()?;
                let to = self.pop_place(index)?;
                let table = self.index_value(*table);
                self.call_builtin(Builtin::TableFill, &[table, to, reference, length]);
            }
            Operator::TableCopy { dst_table, src_table } => {
                let [to, from] = [*dst_table, *src_table].map(|table| self.table_index(TableIndex::new(table)));
                let (to, from, length) = self.pop_bulk(to, from, to.narrower(from))?;
                let (to_table, from_table) = (self.index_value(*dst_table), self.index_value(*src_table));
                self.call_builtin(Builtin::TableCopy, &[to_table, from_table, to, from, length]);
            }
            Operator::TableInit { elem_index, table } => {
                let to = self.table_index(TableIndex::new(*table));
                let (to, from, length) = self.pop_bulk(to, IndexType::I32, IndexType::I32)?;
                let (table, elements) = (self.index_value(*table), self.index_value(*elem_index));
                self.call_builtin(Builtin::TableInit, &[table, elements, to, from, length]);
            }
            Operator::ElemDrop { elem_index } => {
                let elements = self.index_value(*elem_index);
                self.call_builtin(Builtin::ElemDrop, &[elements]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Pops a reference, as 64 bits.
    fn pop_reference(&mut self) -> Result<Value> {
        let value = self.pop()?;
        let narrow = self.builder.func.dfg.value_type(value) == types::I32;
        Ok(if narrow { self.builder.ins().uextend(types::I64, value) } else { value })
    }

    /// The type of places in a table.
    pub(super) fn table_index(&self, table: TableIndex) -> IndexType {
        self.env.info.table(table).index
    }

    /// Whether a table has the same size for ever. Its base is constant then, too.
    fn fixed_len(&self, table: TableIndex) -> Option<u64> {
        let limits = self.env.info.table(table).limits;
        (limits.max == Some(limits.min)).then_some(limits.min)
    }

    /// The number of a table's elements.
    fn table_len(&mut self, table: TableIndex) -> Value {
        if let Some(len) = self.fixed_len(table) {
            return self.builder.ins().iconst(types::I64, len as i64);
        }
        let (header, offset) = self.entity(self.env.layout.table(table));
        self.builder.ins().load(types::I64, self.flags.header, header, offset + LEN)
    }

    /// The address of an element, after a check of its index.
    pub(super) fn table_element(&mut self, table: TableIndex, index: Value, code: TrapCode) -> Value {
        let len = self.table_len(table);
        let beyond = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.trap_if(beyond, code);
        let flags = if self.fixed_len(table).is_some() { self.flags.constant } else { self.flags.header };
        let (header, offset) = self.entity(self.env.layout.table(table));
        let base = self.builder.ins().load(types::I64, flags, header, offset + BASE);
        let distance = self.builder.ins().imul_imm_u(index, i64::from(TABLE_ELEMENT_SIZE));
        self.builder.ins().iadd(base, distance)
    }

    /// An element of a table of functions, which may be untouched: what it says then is asked from the runtime. It is
    /// null or a function, as in a table or as a reference.
    pub(super) fn resolved(&mut self, table: TableIndex, index: Value, element: Value) -> Result<Value> {
        if !self.env.info.may_have_image(table) {
            return Ok(element);
        }
        let resolve = self.builder.create_block();
        let next = self.new_block();
        let known = self.builder.append_block_param(next, types::I64);
        self.builder.set_cold_block(resolve);
        const { assert!(TableElement::UNTOUCHED.word() == 0) };
        self.builder.ins().brif(element, next, &[element.into()], resolve, &[]);
        self.builder.seal_block(resolve);
        self.builder.switch_to_block(resolve);
        let table = self.index_value(table.get());
        let reference = self.call_builtin(Builtin::TableResolve, &[table, index]);
        let reference = reference.ok_or_else(|| internal("a builtin without result"))?;
        self.builder.ins().jump(next, &[reference.into()]);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        Ok(known)
    }
}
