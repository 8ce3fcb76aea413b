//! References to what guests make: integers of 31 bits, structures and arrays. How all of them look is said in
//! `abi/heap.rs`. Objects never move, so an address may be kept; whether there is room in the hole for a new one is
//! looked at here, and the rest is the runtime's.
//!
//! What is read of an object is read in the range that references lie in: an element's offset is computed in 32 bits,
//! so that not even a wrong length leads out of it.

use super::{Translator, abi_type, trap_code};
use crate::abi::{
    ARRAY_ELEMENTS, ARRAY_LENGTH, Builtin, DESCRIBES_ARRAY, DESCRIBES_STRUCT, DESCRIPTOR_CHAIN, DESCRIPTOR_DEPTH,
    DESCRIPTOR_KIND, DESCRIPTOR_LEAST, EXTERN_OF_GUEST, HOST_SHIFT, HOST_TAG, I31_TAG, OBJECT_ALIGN, OBJECT_MARK,
    TrapCode, VMContext, VMFuncRef, VMStoreContext, array_size,
};
use crate::base::{Family, HeapType, Result};
use crate::compile::env::POINTER;
use crate::compile::internal;
use crate::wasm::ValType::{self, I32};
use crate::wasm::{DefinedType, FieldType, StorageType};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use std::mem::offset_of;
use wasmparser::Operator;

/// The bits of a reference that is no object.
const TAGS: i64 = (I31_TAG | HOST_TAG) as i64;

/// More bytes of a new structure are cleared by the runtime.
const CLEARED_HERE: u32 = 128;

/// How a small number is read.
#[derive(Clone, Copy)]
enum Extend {
    Signed,
    Unsigned,
}

/// A place in an object: an address, an offset from it, and how it is accessed.
struct Place {
    address: Value,
    offset: i32,
    flags: MemFlagsData,
}

impl<'a> Translator<'a, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    pub(super) fn heap_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match *operator {
            Operator::RefEq => {
                let (right, left) = (self.pop()?, self.pop()?);
                let equal = self.builder.ins().icmp(IntCC::Equal, left, right);
                let equal = self.builder.ins().uextend(types::I32, equal);
                self.push(I32, equal);
            }
            Operator::RefI31 => {
                let value = self.pop()?;
                let shifted = self.builder.ins().ishl_imm_u(value, 1);
                let reference = self.builder.ins().bor_imm_u(shifted, i64::from(I31_TAG));
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
            Operator::StructNew { struct_type_index } => self.struct_new(struct_type_index)?,
            Operator::StructNewDefault { struct_type_index } => self.struct_new_default(struct_type_index)?,
            Operator::StructGet { struct_type_index, field_index } => {
                self.struct_get((struct_type_index, field_index), Extend::Unsigned)?;
            }
            Operator::StructGetS { struct_type_index, field_index } => {
                self.struct_get((struct_type_index, field_index), Extend::Signed)?;
            }
            Operator::StructGetU { struct_type_index, field_index } => {
                self.struct_get((struct_type_index, field_index), Extend::Unsigned)?;
            }
            Operator::StructSet { struct_type_index, field_index } => {
                let (field, offset) = self.field(struct_type_index, field_index)?;
                let value = self.pop()?;
                let reference = self.pop()?;
                let place = self.in_object(reference, offset as i32);
                self.store_to(field.storage, value, &place);
            }
            Operator::ArrayNew { array_type_index } => {
                let length = self.pop()?;
                let value = self.pop()?;
                let width = self.element(array_type_index)?.storage.width();
                let array = self.new_array(array_type_index, length)?;
                let first = self.builder.ins().iadd_imm_s(array, i64::from(ARRAY_ELEMENTS));
                self.fill(first, width, length, value)?;
                self.push(ValType::ANYREF, array);
            }
            Operator::ArrayNewDefault { array_type_index } => {
                let length = self.pop()?;
                let width = self.element(array_type_index)?.storage.width();
                let array = self.new_array(array_type_index, length)?;
                let first = self.builder.ins().iadd_imm_s(array, i64::from(ARRAY_ELEMENTS));
                let zero = self.builder.ins().iconst(types::I64, 0);
                self.fill(first, width, length, zero)?;
                self.push(ValType::ANYREF, array);
            }
            Operator::ArrayNewFixed { array_type_index, array_size: count } => {
                let element = self.element(array_type_index)?.storage;
                let bytes = array_size(element.width(), count);
                let bytes = u32::try_from(bytes).map_err(|_| internal("an array of too many operands"))?;
                let values = self.pop_many(count as usize)?;
                let array = self.new_object(array_type_index, bytes)?;
                let (address, flags) = (self.address(array), self.flags.object);
                let length = self.builder.ins().iconst(types::I32, i64::from(count));
                self.builder.ins().store(flags, length, address, ARRAY_LENGTH);
                let mut offset = ARRAY_ELEMENTS as i32;
                for value in values {
                    self.store_to(element, value, &Place { address, offset, flags });
                    offset += element.width() as i32;
                }
                self.push(ValType::ANYREF, array);
            }
            Operator::ArrayNewData { array_type_index, array_data_index } => {
                self.new_from_segment(Builtin::ArrayNewData, array_type_index, array_data_index)?;
            }
            Operator::ArrayNewElem { array_type_index, array_elem_index } => {
                self.new_from_segment(Builtin::ArrayNewElem, array_type_index, array_elem_index)?;
            }
            Operator::ArrayGet { array_type_index } => self.array_get(array_type_index, Extend::Unsigned)?,
            Operator::ArrayGetS { array_type_index } => self.array_get(array_type_index, Extend::Signed)?,
            Operator::ArrayGetU { array_type_index } => self.array_get(array_type_index, Extend::Unsigned)?,
            Operator::ArraySet { array_type_index } => {
                let element = self.element(array_type_index)?.storage;
                let value = self.pop()?;
                let index = self.pop()?;
                let array = self.pop()?;
                let place = self.element_place(array, index, element.width());
                self.store_to(element, value, &place);
            }
            Operator::ArrayLen => {
                let array = self.pop()?;
                let length = self.length(array);
                self.push(I32, length);
            }
            Operator::ArrayFill { array_type_index } => {
                let width = self.element(array_type_index)?.storage.width();
                let count = self.pop()?;
                let value = self.pop()?;
                let index = self.pop()?;
                let array = self.pop()?;
                let first = self.elements(array, index, count, width);
                self.fill(first, width, count, value)?;
            }
            Operator::ArrayCopy { array_type_index_dst, .. } => {
                let width = self.element(array_type_index_dst)?.storage.width();
                let count = self.pop()?;
                let (from_index, from) = (self.pop()?, self.pop()?);
                let (to_index, to) = (self.pop()?, self.pop()?);
                let to = self.elements(to, to_index, count, width);
                let from = self.elements(from, from_index, count, width);
                let count = self.builder.ins().uextend(types::I64, count);
                let bytes = self.builder.ins().imul_imm_u(count, i64::from(width));
                self.call_builtin(Builtin::HeapMove, &[to, from, bytes]);
            }
            Operator::ArrayInitData { array_data_index, .. } => {
                self.init_from_segment(Builtin::ArrayInitData, array_data_index)?;
            }
            Operator::ArrayInitElem { array_elem_index, .. } => {
                self.init_from_segment(Builtin::ArrayInitElem, array_elem_index)?;
            }
            Operator::RefTestNonNull { hty } => self.ref_test(hty, false)?,
            Operator::RefTestNullable { hty } => self.ref_test(hty, true)?,
            Operator::RefCastNonNull { hty } => self.ref_cast(hty, false)?,
            Operator::RefCastNullable { hty } => self.ref_cast(hty, true)?,
            Operator::AnyConvertExtern => {
                let external = self.pop()?;
                let low = self.builder.ins().ireduce(types::I32, external);
                let index = self.builder.ins().iadd_imm_s(low, -1);
                let host = self.builder.ins().ishl_imm_u(index, i64::from(HOST_SHIFT));
                let host = self.builder.ins().bor_imm_u(host, i64::from(HOST_TAG));
                const { assert!(EXTERN_OF_GUEST == 1 << 63) };
                let of_guest = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, external, 0);
                let null = self.builder.ins().icmp_imm_u(IntCC::Equal, external, 0);
                let as_it_is = self.builder.ins().bor(of_guest, null);
                let reference = self.builder.ins().select(as_it_is, low, host);
                self.push(ValType::ANYREF, reference);
            }
            Operator::ExternConvertAny => {
                let reference = self.pop()?;
                let tag = self.builder.ins().band_imm_u(reference, TAGS);
                let is_host = self.builder.ins().icmp_imm_u(IntCC::Equal, tag, i64::from(HOST_TAG));
                let wide = self.builder.ins().uextend(types::I64, reference);
                let index = self.builder.ins().ushr_imm_u(wide, i64::from(HOST_SHIFT));
                let host = self.builder.ins().iadd_imm_s(index, 1);
                let mark = self.builder.ins().iconst(types::I64, EXTERN_OF_GUEST as i64);
                let guest = self.builder.ins().bor(wide, mark);
                let external = self.builder.ins().select(is_host, host, guest);
                let null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
                let external = self.builder.ins().select(null, wide, external);
                self.push(ValType::EXTERNREF, external);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    // Types.

    /// A type of structures.
    fn structure(&self, type_index: u32) -> Result<(&'a DefinedType, &'a [FieldType])> {
        let ty = self.env.info.types.get(type_index as usize).ok_or_else(|| internal("no such type"))?;
        Ok((ty, &ty.as_struct().ok_or_else(|| internal("no type of structures"))?.fields))
    }

    /// A field of a type of structures, and where it is.
    fn field(&self, type_index: u32, field: u32) -> Result<(FieldType, u32)> {
        let (ty, fields) = self.structure(type_index)?;
        let found = fields.get(field as usize).zip(ty.offsets().get(field as usize));
        found.map(|(field, at)| (*field, *at)).ok_or_else(|| internal("no such field"))
    }

    /// What the elements of a type of arrays are.
    fn element(&self, type_index: u32) -> Result<FieldType> {
        Ok(self.env.info.array_type_at(type_index).ok_or_else(|| internal("no such type"))?.element)
    }

    /// The first word of new objects of a type.
    fn header_of(&mut self, type_index: u32) -> Value {
        let headers = self.load_constant(VMContext::HEAP_TYPES);
        self.builder.ins().load(types::I32, self.flags.header, headers, type_index as i32 * 4)
    }

    // Addresses.

    /// The address of what is at an offset of the heap.
    fn address(&mut self, offset: Value) -> Value {
        let store = self.load_constant(VMContext::STORE);
        let base = self.builder.ins().load(POINTER, self.flags.constant, store, VMStoreContext::HEAP_BASE);
        let offset = self.builder.ins().uextend(types::I64, offset);
        self.builder.ins().iadd(base, offset)
    }

    /// A place of an object, which traps when it is accessed if the reference is null.
    fn in_object(&mut self, reference: Value, offset: i32) -> Place {
        let mut flags = self.flags.object;
        if self.env.options.signals {
            flags = flags.with_trap_code(Some(trap_code(TrapCode::NullReference)));
        } else {
            self.trap_if_null(reference);
        }
        Place { address: self.address(reference), offset, flags }
    }

    fn trap_if_null(&mut self, reference: Value) {
        let null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
        self.trap_if(null, TrapCode::NullReference);
    }

    /// Pops a reference, which must not be null.
    fn pop_not_null(&mut self) -> Result<Value> {
        let reference = self.pop()?;
        self.trap_if_null(reference);
        Ok(reference)
    }

    /// The length of an array, which traps if it is null.
    fn length(&mut self, array: Value) -> Value {
        let Place { address, offset, flags } = self.in_object(array, ARRAY_LENGTH);
        self.builder.ins().load(types::I32, flags, address, offset)
    }

    /// The offset of an element.
    fn element_offset(&mut self, array: Value, index: Value, width: u32) -> Value {
        let distance = self.builder.ins().imul_imm_u(index, i64::from(width));
        let first = self.builder.ins().iadd_imm_s(array, i64::from(ARRAY_ELEMENTS));
        self.builder.ins().iadd(first, distance)
    }

    /// The place of an element, after a check of its index.
    fn element_place(&mut self, array: Value, index: Value, width: u32) -> Place {
        let length = self.length(array);
        let beyond = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        self.trap_if(beyond, TrapCode::ArrayOutOfBounds);
        let offset = self.element_offset(array, index, width);
        Place { address: self.address(offset), offset: 0, flags: self.flags.object }
    }

    /// The offset of the first of so many elements, after a check of all.
    fn elements(&mut self, array: Value, index: Value, count: Value, width: u32) -> Value {
        let length = self.length(array);
        let [wide_index, wide_count, length] =
            [index, count, length].map(|value| self.builder.ins().uextend(types::I64, value));
        let end = self.builder.ins().iadd(wide_index, wide_count);
        let beyond = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, length);
        self.trap_if(beyond, TrapCode::ArrayOutOfBounds);
        self.element_offset(array, index, width)
    }

    // Access.

    fn load_from(&mut self, storage: StorageType, extend: Extend, place: &Place) -> Value {
        let Place { address, offset, flags } = *place;
        let ins = self.builder.ins();
        match (storage, extend) {
            (StorageType::I8, Extend::Signed) => ins.sload8(types::I32, flags, address, offset),
            (StorageType::I8, Extend::Unsigned) => ins.uload8(types::I32, flags, address, offset),
            (StorageType::I16, Extend::Signed) => ins.sload16(types::I32, flags, address, offset),
            (StorageType::I16, Extend::Unsigned) => ins.uload16(types::I32, flags, address, offset),
            (StorageType::Val(ty), _) => ins.load(abi_type(ty), loose(flags, ty), address, offset),
        }
    }

    fn store_to(&mut self, storage: StorageType, value: Value, place: &Place) {
        let Place { address, offset, flags } = *place;
        let ins = self.builder.ins();
        match storage {
            StorageType::I8 => ins.istore8(flags, value, address, offset),
            StorageType::I16 => ins.istore16(flags, value, address, offset),
            StorageType::Val(ty) => ins.store(loose(flags, ty), value, address, offset),
        };
    }

    fn struct_get(&mut self, (type_index, field): (u32, u32), extend: Extend) -> Result<()> {
        let (field, offset) = self.field(type_index, field)?;
        let reference = self.pop()?;
        let place = self.in_object(reference, offset as i32);
        let value = self.load_from(field.storage, extend, &place);
        self.push(field.storage.unpacked(), value);
        Ok(())
    }

    fn array_get(&mut self, type_index: u32, extend: Extend) -> Result<()> {
        let element = self.element(type_index)?.storage;
        let index = self.pop()?;
        let array = self.pop()?;
        let place = self.element_place(array, index, element.width());
        let value = self.load_from(element, extend, &place);
        self.push(element.unpacked(), value);
        Ok(())
    }

    /// Fills so many elements, from the one at this offset on, with a value, or what is one when its lowest bytes are
    /// taken.
    fn fill(&mut self, first: Value, width: u32, count: Value, value: Value) -> Result<()> {
        let ty = self.builder.func.dfg.value_type(value);
        let flags = MemFlagsData::new().with_endianness(cranelift_codegen::ir::Endianness::Little);
        let mut high = None;
        let low = if ty == types::I64 {
            value
        } else if ty == types::F64 {
            self.builder.ins().bitcast(types::I64, flags, value)
        } else if ty == types::I32 {
            self.builder.ins().uextend(types::I64, value)
        } else if ty == types::F32 {
            let bits = self.builder.ins().bitcast(types::I32, flags, value);
            self.builder.ins().uextend(types::I64, bits)
        } else if ty.is_vector() {
            let halves = self.builder.ins().bitcast(types::I64X2, flags, value);
            high = Some(self.builder.ins().extractlane(halves, 1));
            self.builder.ins().extractlane(halves, 0)
        } else {
            return Err(internal(format!("elements of type {ty}")));
        };
        let high = high.unwrap_or_else(|| self.builder.ins().iconst(types::I64, 0));
        let width = self.builder.ins().iconst(types::I32, i64::from(width));
        let count = self.builder.ins().uextend(types::I64, count);
        self.call_builtin(Builtin::HeapFill, &[first, width, count, low, high]);
        Ok(())
    }

    // New objects.

    fn struct_new(&mut self, type_index: u32) -> Result<()> {
        let (ty, fields) = self.structure(type_index)?;
        let values = self.pop_many(fields.len())?;
        let object = self.new_object(type_index, ty.size())?;
        let (address, flags) = (self.address(object), self.flags.object);
        for ((field, offset), value) in fields.iter().zip(ty.offsets()).zip(values) {
            self.store_to(field.storage, value, &Place { address, offset: *offset as i32, flags });
        }
        self.push(ValType::ANYREF, object);
        Ok(())
    }

    fn struct_new_default(&mut self, type_index: u32) -> Result<()> {
        let (ty, _) = self.structure(type_index)?;
        let object = self.new_object(type_index, ty.size())?;
        if ty.size() <= CLEARED_HERE {
            // The second word, then two at a time.
            let address = self.address(object);
            let zero = self.builder.ins().iconst(types::I32, 0);
            self.builder.ins().store(self.flags.object, zero, address, 4);
            let zeros = self.builder.ins().iconst(types::I64, 0);
            for offset in (OBJECT_ALIGN..ty.size()).step_by(OBJECT_ALIGN as usize) {
                self.builder.ins().store(self.flags.object, zeros, address, offset as i32);
            }
        } else {
            let first = self.builder.ins().iadd_imm_s(object, 4);
            let count = self.builder.ins().iconst(types::I32, i64::from(ty.size() - 4));
            let zero = self.builder.ins().iconst(types::I64, 0);
            self.fill(first, 1, count, zero)?;
        }
        self.push(ValType::ANYREF, object);
        Ok(())
    }

    /// An object of so many bytes, of which the first word is written.
    fn new_object(&mut self, type_index: u32, bytes: u32) -> Result<Value> {
        let bytes = self.builder.ins().iconst(types::I64, i64::from(bytes));
        self.new_of_bytes(type_index, bytes)
    }

    /// An array, of which the length is written too.
    fn new_array(&mut self, type_index: u32, length: Value) -> Result<Value> {
        let width = self.element(type_index)?.storage.width();
        let wide = self.builder.ins().uextend(types::I64, length);
        let elements = self.builder.ins().imul_imm_u(wide, i64::from(width));
        let up = i64::from(ARRAY_ELEMENTS + OBJECT_ALIGN - 1);
        let bytes = self.builder.ins().iadd_imm_s(elements, up);
        let bytes = self.builder.ins().band_imm_s(bytes, -i64::from(OBJECT_ALIGN));
        let array = self.new_of_bytes(type_index, bytes)?;
        let address = self.address(array);
        self.builder.ins().store(self.flags.object, length, address, ARRAY_LENGTH);
        Ok(array)
    }

    fn new_of_bytes(&mut self, type_index: u32, bytes: Value) -> Result<Value> {
        let store = self.load_constant(VMContext::STORE);
        let header = self.flags.header;
        let next = self.builder.ins().load(types::I64, header, store, VMStoreContext::HEAP_NEXT);
        let end = self.builder.ins().load(types::I64, header, store, VMStoreContext::HEAP_END);
        let after = self.builder.ins().iadd(next, bytes);
        let beyond = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, after, end);
        let (here, elsewhere, made) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let object = self.builder.append_block_param(made, types::I32);
        self.builder.set_cold_block(elsewhere);
        self.builder.ins().brif(beyond, elsewhere, &[], here, &[]);
        self.builder.seal_block(here);
        self.builder.seal_block(elsewhere);

        self.builder.switch_to_block(elsewhere);
        self.builder.ins().store(header, bytes, store, VMStoreContext::OBJECT);
        self.call_preserving(store, VMStoreContext::ALLOCATE);
        let found = self.builder.ins().load(types::I64, header, store, VMStoreContext::OBJECT);
        let found = self.builder.ins().ireduce(types::I32, found);
        self.builder.ins().jump(made, &[found.into()]);

        self.builder.switch_to_block(here);
        self.builder.ins().store(header, after, store, VMStoreContext::HEAP_NEXT);
        let found = self.builder.ins().ireduce(types::I32, next);
        self.builder.ins().jump(made, &[found.into()]);

        self.builder.seal_block(made);
        self.builder.switch_to_block(made);
        // A collection changes what new objects begin with.
        let first = self.header_of(type_index);
        let address = self.address(object);
        self.builder.ins().store(self.flags.object, first, address, 0);
        Ok(object)
    }

    fn new_from_segment(&mut self, builtin: Builtin, type_index: u32, segment: u32) -> Result<()> {
        let length = self.pop()?;
        let from = self.pop()?;
        let (ty, segment) = (self.index_value(type_index), self.index_value(segment));
        let array = self.call_builtin(builtin, &[ty, segment, from, length]);
        let array = array.ok_or_else(|| internal("a builtin without result"))?;
        let array = self.builder.ins().ireduce(types::I32, array);
        self.push(ValType::ANYREF, array);
        Ok(())
    }

    fn init_from_segment(&mut self, builtin: Builtin, segment: u32) -> Result<()> {
        let length = self.pop()?;
        let from = self.pop()?;
        let index = self.pop()?;
        let array = self.pop_not_null()?;
        let segment = self.index_value(segment);
        self.call_builtin(builtin, &[array, index, segment, from, length]);
        Ok(())
    }

    // Casts.

    fn ref_test(&mut self, ty: wasmparser::HeapType, nullable: bool) -> Result<()> {
        let reference = self.pop()?;
        let fits = self.fits(reference, ty, nullable)?;
        let fits = self.builder.ins().uextend(types::I32, fits);
        self.push(I32, fits);
        Ok(())
    }

    fn ref_cast(&mut self, ty: wasmparser::HeapType, nullable: bool) -> Result<()> {
        let operand = self.pop_operand()?;
        let fits = self.fits(operand.value, ty, nullable)?;
        let other = self.builder.ins().icmp_imm_u(IntCC::Equal, fits, 0);
        self.trap_if(other, TrapCode::CastFailure);
        self.push(operand.ty, operand.value);
        Ok(())
    }

    /// Whether a reference is of this type: 1 or 0, in 8 bits.
    pub(super) fn fits(&mut self, reference: Value, ty: wasmparser::HeapType, nullable: bool) -> Result<Value> {
        let heap = self.env.info.heap_type(ty).ok_or_else(|| internal("a cast to an unknown type"))?;
        let null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
        let if_null = |this: &mut Self, fits: Value| match nullable {
            true => this.builder.ins().bor(fits, null),
            false => {
                let some = this.builder.ins().icmp_imm_u(IntCC::Equal, null, 0);
                this.builder.ins().band(fits, some)
            }
        };
        let constant = |this: &mut Self, value: i64| this.builder.ins().iconst(types::I8, value);
        let fits = match heap {
            HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn => constant(self, 1),
            HeapType::None | HeapType::NoFunc | HeapType::NoExtern | HeapType::NoExn => constant(self, 0),
            HeapType::I31 => {
                let tag = self.builder.ins().band_imm_u(reference, i64::from(I31_TAG));
                self.builder.ins().icmp_imm_u(IntCC::NotEqual, tag, 0)
            }
            HeapType::Eq => {
                let tag = self.builder.ins().band_imm_u(reference, TAGS);
                self.builder.ins().icmp_imm_u(IntCC::NotEqual, tag, i64::from(HOST_TAG))
            }
            HeapType::Struct | HeapType::Array | HeapType::Defined(_) if heap.family() == Family::Any => {
                let wasmparser_index = match ty {
                    wasmparser::HeapType::Concrete(index) => index.as_module_index(),
                    _ => None,
                };
                return self.fits_object(reference, (heap, wasmparser_index), nullable);
            }
            _ => return self.fits_func(reference, ty, nullable),
        };
        Ok(if_null(self, fits))
    }

    /// Whether it is an object of this type.
    fn fits_object(
        &mut self,
        reference: Value,
        (heap, type_index): (HeapType, Option<u32>),
        nullable: bool,
    ) -> Result<Value> {
        let (some, object, done) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let fits = self.builder.append_block_param(done, types::I8);
        let no = self.builder.ins().iconst(types::I8, 0);
        let if_null = self.builder.ins().iconst(types::I8, i64::from(nullable));
        self.builder.ins().brif(reference, some, &[], done, &[if_null.into()]);
        self.builder.seal_block(some);
        self.builder.switch_to_block(some);
        let tag = self.builder.ins().band_imm_u(reference, TAGS);
        self.builder.ins().brif(tag, done, &[no.into()], object, &[]);
        self.builder.seal_block(object);
        self.builder.switch_to_block(object);
        let flags = self.flags.object;
        let address = self.address(reference);
        let header = self.builder.ins().load(types::I32, flags, address, 0);
        let found = match (heap, type_index) {
            (HeapType::Defined(_), Some(index)) => {
                let ty = self.env.info.types.get(index as usize).ok_or_else(|| internal("no such type"))?;
                let (depth, is_final) = (ty.chain().len() as u32 - 1, ty.is_final);
                let wanted = self.header_of(index);
                if is_final {
                    // They may differ in the collector's bit alone.
                    let differ = self.builder.ins().bxor(header, wanted);
                    const { assert!(OBJECT_MARK == 1) };
                    self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, differ, i64::from(OBJECT_MARK))
                } else {
                    let descriptor = self.builder.ins().band_imm_s(header, !i64::from(OBJECT_MARK));
                    let wanted = self.builder.ins().band_imm_s(wanted, !i64::from(OBJECT_MARK));
                    let descriptor = self.address(descriptor);
                    if depth >= DESCRIPTOR_LEAST {
                        let deep = self.builder.create_block();
                        let known = self.builder.ins().load(types::I32, flags, descriptor, DESCRIPTOR_DEPTH);
                        let enough = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, known, i64::from(depth));
                        self.builder.ins().brif(enough, deep, &[], done, &[no.into()]);
                        self.builder.seal_block(deep);
                        self.builder.switch_to_block(deep);
                    }
                    let at = DESCRIPTOR_CHAIN + 4 * depth as i32;
                    let above = self.builder.ins().load(types::I32, flags, descriptor, at);
                    self.builder.ins().icmp(IntCC::Equal, above, wanted)
                }
            }
            _ => {
                let kind = if heap == HeapType::Array { DESCRIBES_ARRAY } else { DESCRIBES_STRUCT };
                let descriptor = self.builder.ins().band_imm_s(header, !i64::from(OBJECT_MARK));
                let descriptor = self.address(descriptor);
                let found = self.builder.ins().load(types::I32, flags, descriptor, DESCRIPTOR_KIND);
                self.builder.ins().icmp_imm_u(IntCC::Equal, found, i64::from(kind))
            }
        };
        self.builder.ins().jump(done, &[found.into()]);
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        Ok(fits)
    }
}

impl Translator<'_, '_> {
    /// Whether it is a function of this type, which a module defines.
    fn fits_func(&mut self, reference: Value, ty: wasmparser::HeapType, nullable: bool) -> Result<Value> {
        let wasmparser::HeapType::Concrete(index) = ty else { return Err(internal("a cast to an unknown type")) };
        let index = index.as_module_index().ok_or_else(|| internal("a type that is not the module's"))?;
        let ty = self.env.info.types.get(index as usize).ok_or_else(|| internal("no such type"))?;
        let (depth, is_final) = (ty.chain().len() as u32 - 1, ty.is_final);
        let (some, done) = (self.builder.create_block(), self.builder.create_block());
        let fits = self.builder.append_block_param(done, types::I8);
        let if_null = self.builder.ins().iconst(types::I8, i64::from(nullable));
        self.builder.ins().brif(reference, some, &[], done, &[if_null.into()]);
        self.builder.seal_block(some);
        self.builder.switch_to_block(some);
        let flags = self.flags.func_ref;
        let signatures = self.load_constant(VMContext::SIGS);
        let wanted = self.builder.ins().load(types::I32, self.flags.constant, signatures, index as i32 * 4);
        let found = if is_final {
            self.builder.ins().load(types::I32, flags, reference, offset_of!(VMFuncRef, sig) as i32)
        } else {
            let above = self.builder.ins().load(POINTER, flags, reference, offset_of!(VMFuncRef, above) as i32);
            let count = self.builder.ins().load(types::I32, flags, above, 0);
            let deep = self.builder.create_block();
            let enough = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, count, i64::from(depth));
            let no = self.builder.ins().iconst(types::I8, 0);
            self.builder.ins().brif(enough, deep, &[], done, &[no.into()]);
            self.builder.seal_block(deep);
            self.builder.switch_to_block(deep);
            self.builder.ins().load(types::I32, flags, above, 4 + 4 * depth as i32)
        };
        let found = self.builder.ins().icmp(IntCC::Equal, found, wanted);
        self.builder.ins().jump(done, &[found.into()]);
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        Ok(fits)
    }
}

/// How a value of this type is accessed: a vector is aligned to 8 bytes alone.
fn loose(flags: MemFlagsData, ty: ValType) -> MemFlagsData {
    if !ty.is_wide() {
        return flags;
    }
    MemFlagsData::new().with_trap_code(flags.trap_code()).with_alias_region(flags.alias_region())
}
