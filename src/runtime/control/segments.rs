//! Constant expressions and segments: what instantiation and the builtins share.

use crate::abi::{TableElement, TrapCode, ValRaw};
use crate::base::{DataIndex, ElemIndex, FuncIndex, MemoryIndex, Result, TableIndex};
use crate::runtime::compiled::module::Module;
use crate::runtime::control::heap;
use crate::runtime::objects::handles::{AnyRef, any_of_extern, extern_of_any};
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::table::{element_of, range};
use crate::runtime::store::inner::StoreInner;
use crate::sys::racy;
use crate::wasm::{ConstExpr, ConstOp, ElementItems};
use smallvec::SmallVec;
use std::ptr::NonNull;

/// The operands of a constant expression.
pub(super) type Operands = SmallVec<[ValRaw; 4]>;

/// The value of a constant expression that makes nothing. What it reads never changes, so it does not matter when it is
/// asked for.
pub(in crate::runtime) fn evaluate(instance: &InstanceData, expr: &ConstExpr) -> ValRaw {
    let mut stack = Operands::new();
    for op in expr {
        let value = step(instance, op, &mut stack);
        stack.push(value);
    }
    stack.pop().unwrap_or_default()
}

/// The value of any constant expression.
///
/// # Errors
/// [`TrapCode::HeapFull`].
pub(super) fn evaluate_making(
    store: &mut StoreInner,
    instance: &InstanceData,
    expr: &ConstExpr,
) -> Result<ValRaw, TrapCode> {
    let mut stack = Operands::new();
    for op in expr {
        let value = match op.makes() {
            true => heap::make(store, instance, op, &mut stack)?,
            false => step(instance, op, &mut stack),
        };
        stack.push(value);
    }
    Ok(stack.pop().unwrap_or_default())
}

/// What an instruction that makes nothing gives.
fn step(instance: &InstanceData, op: &ConstOp, stack: &mut Operands) -> ValRaw {
    let mut raw = ValRaw::default();
    let mut pop = || stack.pop().unwrap_or_default();
    // SAFETY: validation has checked the types of operands.
    unsafe {
        match op {
            ConstOp::I32Const(value) => raw.i32 = *value,
            ConstOp::I64Const(value) => raw.i64 = *value,
            ConstOp::F32Const(bits) => raw.f32 = *bits,
            ConstOp::F64Const(bits) => raw.f64 = *bits,
            ConstOp::V128Const(bytes) => raw.v128 = *bytes,
            ConstOp::RefNull(_) => {}
            ConstOp::RefFunc(func) => raw.funcref = instance.func_ref(*func).as_ptr(),
            ConstOp::RefI31 => raw.anyref = AnyRef::i31(pop().i32).to_word(),
            ConstOp::AnyConvertExtern => raw.anyref = any_of_extern(pop().externref),
            ConstOp::ExternConvertAny => raw.externref = extern_of_any(pop().anyref),
            ConstOp::GlobalGet(global) => raw = instance.global(*global).as_ref().value,
            ConstOp::I32Add | ConstOp::I32Sub | ConstOp::I32Mul => {
                let (b, a) = (pop().i32, pop().i32);
                raw.i32 = match op {
                    ConstOp::I32Add => a.wrapping_add(b),
                    ConstOp::I32Sub => a.wrapping_sub(b),
                    _ => a.wrapping_mul(b),
                };
            }
            ConstOp::I64Add | ConstOp::I64Sub | ConstOp::I64Mul => {
                let (b, a) = (pop().i64, pop().i64);
                raw.i64 = match op {
                    ConstOp::I64Add => a.wrapping_add(b),
                    ConstOp::I64Sub => a.wrapping_sub(b),
                    _ => a.wrapping_mul(b),
                };
            }
            ConstOp::StructNew(_)
            | ConstOp::StructNewDefault(_)
            | ConstOp::ArrayNew(_)
            | ConstOp::ArrayNewDefault(_)
            | ConstOp::ArrayNewFixed(..) => unreachable!("what makes something is evaluated with the store"),
        }
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
        ElementItems::Exprs(exprs) => match data.made_items(segment) {
            Some(items) => {
                for (to, item) in to.iter_mut().zip(&items[from]) {
                    *to = element_of(heap, *item);
                }
            }
            None => {
                for (to, expr) in to.iter_mut().zip(&exprs[from]) {
                    *to = element_of(heap, evaluate(data, expr));
                }
            }
        },
    }
    Ok(())
}

/// The bytes of a data segment of an instance of this module.
pub(super) fn data_bytes<'m>(data: &InstanceData, module: &'m Module, segment: DataIndex) -> &'m [u8] {
    match data.dropped_data[segment.index()] {
        true => &[],
        false => module.data(segment),
    }
}

/// So many of the references of an element segment.
pub(super) fn element_items(
    data: &InstanceData,
    segment: ElemIndex,
    source: u64,
    len: u64,
) -> Result<Vec<ValRaw>, TrapCode> {
    let items = &data.module.info().elements[segment.index()].items;
    let available = if data.dropped_elements[segment.index()] { 0 } else { items.len() as u64 };
    if source.checked_add(len).is_none_or(|end| end > available) {
        return Err(TrapCode::TableOutOfBounds);
    }
    let from = source as usize..(source + len) as usize;
    Ok(match items {
        ElementItems::Funcs(funcs) => {
            let reference = |func: &FuncIndex| {
                let mut raw = ValRaw::default();
                raw.funcref = data.func_ref(*func).as_ptr();
                raw
            };
            funcs[from].iter().map(reference).collect()
        }
        ElementItems::Exprs(exprs) => match data.made_items(segment) {
            Some(items) => items[from].to_vec(),
            None => exprs[from].iter().map(|expr| evaluate(data, expr)).collect(),
        },
    })
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
    let bytes = data_bytes(data, &data.module, segment);
    // SAFETY: memories live as long as the store.
    let memory = unsafe { data.memories[memory.index()].as_ref() };
    let vm = memory.vm();
    let fits = |start: u64, of: usize| start.checked_add(len).is_some_and(|end| end <= of as u64);
    if !fits(source, bytes.len()) || !fits(destination, vm.len) {
        return Err(TrapCode::MemoryOutOfBounds);
    }
    // SAFETY: both ranges were checked; a module's bytes are no part of a memory.
    unsafe {
        if memory.shared().is_some() {
            racy::write(&bytes[source as usize..(source + len) as usize], vm.base.add(destination as usize));
            return Ok(());
        }
        std::ptr::copy_nonoverlapping(
            bytes.as_ptr().add(source as usize),
            vm.base.add(destination as usize),
            len as usize,
        );
    }
    Ok(())
}
