//! Constant expressions and segments: what instantiation and the builtins share.

use crate::abi::{TableElement, TrapCode, ValRaw};
use crate::base::{DataIndex, ElemIndex, MemoryIndex, Result, TableIndex};
use crate::runtime::objects::handles::AnyRef;
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::table::{element_of, range};
use crate::wasm::{ConstExpr, ConstOp, ElementItems};
use smallvec::SmallVec;
use std::ptr::NonNull;

/// The value of a constant expression. What it reads never changes, so it does not matter when it is asked for.
pub(in crate::runtime) fn evaluate(instance: &InstanceData, expr: &ConstExpr) -> ValRaw {
    let mut stack: SmallVec<[ValRaw; 4]> = SmallVec::new();
    let mut raw = ValRaw::default();
    for op in expr {
        raw = ValRaw::default();
        // SAFETY: validation has checked the types of operands.
        unsafe {
            let mut binary = || {
                let right = stack.pop().unwrap_or_default();
                (stack.pop().unwrap_or_default(), right)
            };
            match op {
                ConstOp::I32Const(value) => raw.i32 = *value,
                ConstOp::I64Const(value) => raw.i64 = *value,
                ConstOp::F32Const(bits) => raw.f32 = *bits,
                ConstOp::F64Const(bits) => raw.f64 = *bits,
                ConstOp::V128Const(bytes) => raw.v128 = *bytes,
                ConstOp::RefNull(_) => {}
                ConstOp::RefFunc(func) => raw.funcref = instance.func_ref(*func).as_ptr(),
                ConstOp::RefI31 => raw.anyref = AnyRef::i31(stack.pop().unwrap_or_default().i32).to_word(),
                ConstOp::GlobalGet(global) => raw = instance.global(*global).as_ref().value,
                ConstOp::I32Add | ConstOp::I32Sub | ConstOp::I32Mul => {
                    let (a, b) = binary();
                    raw.i32 = match op {
                        ConstOp::I32Add => a.i32.wrapping_add(b.i32),
                        ConstOp::I32Sub => a.i32.wrapping_sub(b.i32),
                        _ => a.i32.wrapping_mul(b.i32),
                    };
                }
                ConstOp::I64Add | ConstOp::I64Sub | ConstOp::I64Mul => {
                    let (a, b) = binary();
                    raw.i64 = match op {
                        ConstOp::I64Add => a.i64.wrapping_add(b.i64),
                        ConstOp::I64Sub => a.i64.wrapping_sub(b.i64),
                        _ => a.i64.wrapping_mul(b.i64),
                    };
                }
            }
        }
        stack.push(raw);
    }
    raw
}

/// `table.init`.
///
/// # Safety
/// The instance is live, and no reference to its inside is held.
pub(in crate::runtime) unsafe fn table_init(
    instance: NonNull<InstanceData>,
    table: TableIndex,
    segment: ElemIndex,
    destination: u64,
    source: u64,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the caller's promise; tables are objects apart from the instance.
    let data = unsafe { instance.as_ref() };
    let module = data.module.clone();
    let items = &module.info().elements[segment.index()].items;
    let available = if data.dropped_elements[segment.index()] { 0 } else { items.len() as u64 };
    // SAFETY: as above. Evaluating items touches function references and globals, never a table.
    let to = unsafe { &mut *data.tables[table.index()].as_ptr() };
    if source.checked_add(len).is_none_or(|end| end > available) {
        return Err(TrapCode::TableOutOfBounds);
    }
    let (from, heap) = (source as usize..(source + len) as usize, to.element.heap);
    let destination = range(destination, len, &to.elements)?;
    if from.is_empty() {
        return Ok(());
    }
    let to = &mut to.write()[destination];
    match items {
        ElementItems::Funcs(funcs) => {
            for (to, func) in to.iter_mut().zip(&funcs[from]) {
                *to = TableElement::of_func(data.func_ref(*func).as_ptr());
            }
        }
        ElementItems::Exprs(exprs) => {
            for (to, expr) in to.iter_mut().zip(&exprs[from]) {
                *to = element_of(heap, evaluate(data, expr));
            }
        }
    }
    Ok(())
}

/// `memory.init`.
///
/// # Safety
/// As [`table_init`].
pub(in crate::runtime) unsafe fn memory_init(
    instance: NonNull<InstanceData>,
    memory: MemoryIndex,
    segment: DataIndex,
    destination: u64,
    source: u64,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the caller's promise.
    let data = unsafe { instance.as_ref() };
    let bytes = match data.dropped_data[segment.index()] {
        true => &[],
        false => data.module.data(segment),
    };
    // SAFETY: memories live as long as the store.
    let vm = unsafe { data.memories[memory.index()].as_ref() }.vm();
    let fits = |start: u64, of: usize| start.checked_add(len).is_some_and(|end| end <= of as u64);
    if !fits(source, bytes.len()) || !fits(destination, vm.len) {
        return Err(TrapCode::MemoryOutOfBounds);
    }
    // SAFETY: both ranges were checked; a module's bytes are no part of a memory.
    unsafe {
        std::ptr::copy_nonoverlapping(
            bytes.as_ptr().add(source as usize),
            vm.base.add(destination as usize),
            len as usize,
        );
    }
    Ok(())
}
