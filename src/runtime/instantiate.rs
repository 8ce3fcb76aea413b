//! Instantiation (specification section 4.5.4), and what it shares with the builtins: constant expressions and
//! segments.

use super::builtins;
use super::instance::InstanceData;
use super::module::Module;
use super::store::{self, Owned, StoreInner, StoreMut};
use super::table::element_of;
use super::values::Shown;
use super::{Extern, call, memory, table, trap};
use crate::abi::{TrapCode, VMContext, VMFuncRef, VMGlobal, VMMemory, VMTable, ValRaw};
use crate::base::{
    DataIndex, ElemIndex, Error, ErrorKind, Escaped, FuncIndex, GlobalIndex, MemoryIndex, Result, TableIndex,
};
use crate::wasm::{ConstExpr, ConstOp, ElementItems, EntityType, ExternType, SegmentMode};
use smallvec::SmallVec;
use std::ptr::NonNull;

/// Makes an instance and runs its start function.
pub(super) fn instantiate(
    store: &mut StoreMut<'_>,
    module: &Module,
    imports: &[Extern],
) -> Result<NonNull<InstanceData>> {
    store.inner().lacked_room = false;
    store.inner().check_poison()?;
    check_imports(store.inner(), module, imports)?;
    store::register(store, module)?;
    let instance = allocate(store.inner(), module, imports).inspect_err(|error| {
        store.inner().lacked_room = matches!(error.kind(), ErrorKind::Limit | ErrorKind::System);
    })?;
    // SAFETY: the instance is the store's, complete but for its segments; no reference to either inside is held.
    let outcome = unsafe { start(store, module, instance) };
    // What a start function has failed to instantiate is its own concern.
    store.inner().lacked_room = false;
    outcome.map(|()| instance)
}

/// Applies the active segments and runs the start function.
///
/// # Safety
/// The instance is one of the store and complete but for that, and no reference to either inside is held.
unsafe fn start(store: &mut StoreMut<'_>, module: &Module, instance: NonNull<InstanceData>) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        initialise(store.ptr(), instance)?;
        if let Some(start) = module.info().start {
            let func = (*instance.as_ptr()).func_ref(start);
            let inner = store.inner();
            let trampoline = match func.as_ref().func {
                crate::abi::HOST_FUNC => None,
                _ => Some(inner.engine.signature(func.as_ref().sig).host_to_wasm(&inner.engine)?),
            };
            // Room for the values of a function without any.
            let mut values = [ValRaw::default()];
            call::invoke(store.ptr(), func, trampoline, values.as_mut_ptr())?;
        }
    }
    Ok(())
}

/// Compares what is given with what the module asks for.
fn check_imports(store: &StoreInner, module: &Module, imports: &[Extern]) -> Result<()> {
    let info = module.info();
    for (i, import) in info.imports.iter().enumerate() {
        let name = || format!("import \"{}\".\"{}\"", Escaped(&import.module), Escaped(&import.name));
        let wanted = || info.extern_type(import.ty);
        let Some(given) = imports.get(i) else {
            let message = format!("{} is missing: {}", name(), Shown(&wanted()));
            return Err(Error::new(ErrorKind::Link, message));
        };
        store.check(given.store()).map_err(|error| error.context(name()))?;
        if !fits(store, module, *given, import.ty) {
            let given = given.ty(store.view())?;
            let message = format!("{}: expected {}, got {}", name(), Shown(&wanted()), Shown(&given));
            return Err(Error::new(ErrorKind::Link, message));
        }
    }
    if imports.len() > info.imports.len() {
        let message = format!("{} imports given to a module that asks for {}", imports.len(), info.imports.len());
        return Err(Error::new(ErrorKind::Link, message));
    }
    Ok(())
}

/// Whether an object, which belongs to the store, may be imported as `wanted`.
fn fits(store: &StoreInner, module: &Module, given: Extern, wanted: EntityType) -> bool {
    match (given, wanted) {
        // SAFETY: the handle was checked against the store.
        (Extern::Func(func), EntityType::Func(ty)) => unsafe { func.ptr.as_ref() }.sig == module.sigs()[ty.index()],
        (Extern::Global(global), EntityType::Global(ty)) => global.ty == ty,
        (Extern::Memory(memory), EntityType::Memory(ty)) => {
            memory.ty(store.view()).is_ok_and(|given| given.limits.fit(&ty.limits))
        }
        (Extern::Table(table), EntityType::Table(ty)) => {
            table.ty(store.view()).is_ok_and(|given| given.element == ty.element && given.limits.fit(&ty.limits))
        }
        _ => false,
    }
}

/// Makes the instance with imports, memories, tables and globals. From here on it stays with the store, whatever fails:
/// its functions may have got into tables of others.
fn allocate(store: &mut StoreInner, module: &Module, imports: &[Extern]) -> Result<NonNull<InstanceData>> {
    if store.instances.len() >= store.limits.instances {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("the store may have {} instances at most", store.limits.instances),
        ));
    }
    let entry = store.add_module(module)?;
    let owned = Owned::new(Box::new(InstanceData::new(store, entry)?));
    let ptr = owned.ptr();
    let vm = &raw mut store.vm;
    // SAFETY: the instance is new and ours alone; the offsets are those of its layout.
    let data = unsafe { &mut *ptr.as_ptr() };
    let layout = *module.layout();
    let info = module.info();
    // SAFETY: as above.
    unsafe {
        data.vmctx().as_ptr().write(VMContext {
            store: vm,
            builtins: builtins::table(),
            sigs: module.sigs().as_ptr(),
            instance: ptr.as_ptr().cast(),
        });
        let (mut funcs, mut globals) = (0, 0);
        for import in imports {
            match import {
                Extern::Func(func) => {
                    data.place::<NonNull<VMFuncRef>>(layout.imported_func(FuncIndex::new(funcs))).write(func.ptr);
                    funcs += 1;
                }
                Extern::Global(global) => {
                    let (offset, _) = layout.global(GlobalIndex::new(globals));
                    data.place::<NonNull<VMGlobal>>(offset).write(global.ptr);
                    globals += 1;
                }
                Extern::Memory(memory) => {
                    let (offset, _) = layout.memory(MemoryIndex::from_usize(data.memories.len()));
                    data.place::<NonNull<VMMemory>>(offset).write(memory.ptr.as_ref().vm_ptr());
                    data.memories.push(memory.ptr);
                }
                Extern::Table(table) => {
                    let (offset, _) = layout.table(TableIndex::from_usize(data.tables.len()));
                    data.place::<NonNull<VMTable>>(offset).write(table.ptr.as_ref().vm_ptr());
                    data.tables.push(table.ptr);
                }
            }
        }
        data.use_code(store);
    }
    store.instances.push(owned);
    for i in data.memories.len()..info.memories.len() {
        let index = MemoryIndex::from_usize(i);
        // SAFETY: the layout's place for a memory of its own.
        let place = unsafe { data.place(layout.memory(index).0) };
        data.memories.push(memory::add(store, &info.memory(index), Some((ptr, place)))?);
    }
    for i in data.tables.len()..info.tables.len() {
        let index = TableIndex::from_usize(i);
        // SAFETY: the layout's place for a table of its own.
        let place = unsafe { data.place(layout.table(index).0) };
        data.tables.push(table::add(store, &info.table(index), Some((ptr, place)))?);
    }
    for (i, init) in info.global_inits.iter().enumerate() {
        let value = evaluate(data, init);
        let place = data.global(GlobalIndex::new(info.imported_globals + i as u32));
        // SAFETY: a global of its own.
        unsafe { (*place.as_ptr()).value = value };
    }
    Ok(ptr)
}

/// Applies the active segments, in order.
///
/// # Safety
/// The instance is one of the store, and no reference to either inside is held.
unsafe fn initialise(store: NonNull<StoreInner>, instance: NonNull<InstanceData>) -> Result<()> {
    // SAFETY: the caller's promise; the module is kept alive by the clone.
    unsafe {
        let module = (*instance.as_ptr()).module.clone();
        let info = module.info();
        let trapped = |what: &str, i: usize, code: TrapCode| {
            let message = format!("{code}: active {what} segment {i} does not fit");
            trap::without_frames(&*store.as_ptr(), code, message)
        };
        for (i, segment) in info.elements.iter().enumerate() {
            let index = ElemIndex::from_usize(i);
            match &segment.mode {
                SegmentMode::Active(table, offset) => {
                    let offset = u64::from(evaluate(&mut *instance.as_ptr(), offset).i32 as u32);
                    let len = segment.items.len() as u64;
                    table_init(instance, *table, index, offset, 0, len).map_err(|code| trapped("element", i, code))?;
                    (*instance.as_ptr()).dropped_elements[i] = true;
                }
                SegmentMode::Declared => (*instance.as_ptr()).dropped_elements[i] = true,
                SegmentMode::Passive => {}
            }
        }
        for (i, segment) in info.data.iter().enumerate() {
            let index = DataIndex::from_usize(i);
            if let SegmentMode::Active(memory, offset) = &segment.mode {
                let offset = u64::from(evaluate(&mut *instance.as_ptr(), offset).i32 as u32);
                let len = segment.bytes.len() as u64;
                memory_init(instance, *memory, index, offset, 0, len).map_err(|code| trapped("data", i, code))?;
                (*instance.as_ptr()).dropped_data[i] = true;
            }
        }
    }
    Ok(())
}

/// The value of a constant expression. What it reads never changes, so it does not matter when it is asked for.
pub(super) fn evaluate(instance: &mut InstanceData, expr: &ConstExpr) -> ValRaw {
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
                ConstOp::RefNull(_) => {}
                ConstOp::RefFunc(func) => raw.funcref = instance.func_ref(*func).as_ptr(),
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
pub(super) unsafe fn table_init(
    instance: NonNull<InstanceData>,
    table: TableIndex,
    segment: ElemIndex,
    destination: u64,
    source: u64,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the caller's promise; tables are objects apart from the instance.
    let data = unsafe { &mut *instance.as_ptr() };
    let module = data.module.clone();
    let items = &module.info().elements[segment.index()].items;
    let available = if data.dropped_elements[segment.index()] { 0 } else { items.len() as u64 };
    // SAFETY: as above. Evaluating items touches function references and globals, never a table.
    let elements = unsafe { (*data.tables[table.index()].as_ptr()).elements_mut() };
    let fits = |start: u64, of: u64| start.checked_add(len).is_some_and(|end| end <= of);
    if !fits(source, available) || !fits(destination, elements.len() as u64) {
        return Err(TrapCode::TableOutOfBounds);
    }
    let from = source as usize..(source + len) as usize;
    let to = &mut elements[destination as usize..(destination + len) as usize];
    match items {
        ElementItems::Funcs(funcs) => {
            for (to, func) in to.iter_mut().zip(&funcs[from]) {
                *to = data.func_ref(*func).as_ptr() as u64;
            }
        }
        ElementItems::Exprs(exprs) => {
            for (to, expr) in to.iter_mut().zip(&exprs[from]) {
                *to = element_of(evaluate(data, expr));
            }
        }
    }
    Ok(())
}

/// `memory.init`.
///
/// # Safety
/// As [`table_init`].
pub(super) unsafe fn memory_init(
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
        false => &data.module.binary()[data.module.info().data[segment.index()].bytes.clone()],
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

/// The default object for an import: see [`Linker::fill_missing_with_defaults`](super::Linker::fill_missing_with_defaults).
pub(super) fn default_extern(store: &mut StoreMut<'_>, ty: &ExternType) -> Result<Extern> {
    Ok(match ty {
        // Results are preset to zero and null.
        ExternType::Func(ty) => super::Func::new(store, ty.clone(), |_, _, _| Ok(()))?.into(),
        ExternType::Global(ty) => super::Global::new(store, *ty, super::Val::default_for(ty.content))?.into(),
        ExternType::Memory(ty) => super::Memory::new(store, *ty)?.into(),
        ExternType::Table(ty) => super::Table::new(store, *ty, super::Val::default_for(ty.element))?.into(),
    })
}
