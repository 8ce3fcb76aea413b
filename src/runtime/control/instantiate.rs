//! Instantiation (specification section 4.5.4).

use crate::abi::{TrapCode, VMContext, VMFuncRef, VMGlobal, VMMemory, VMTable, ValRaw};
use crate::base::{
    DataIndex, Error, ErrorKind, Escaped, FuncIndex, GlobalIndex, MemoryIndex, Result, TableIndex, TagIndex,
};
use crate::runtime::compiled::initial::Images;
use crate::runtime::compiled::module::Module;
use crate::runtime::control::segments::{evaluate, evaluate_making, memory_init, table_init};
use crate::runtime::control::{announce, attach, builtins, call, limiter, trap};
use crate::runtime::objects::handles::Extern;
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::owned::Owned;
use crate::runtime::objects::table::element_of;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::StoreMut;
use crate::wasm::{ConstOp, ElementItems, EntityType, ExternType, IndexType, SegmentMode, Subtype, ValType, is_below};
use std::ptr::NonNull;

/// Makes an instance and runs its start function.
pub(in crate::runtime) fn instantiate(
    store: &mut StoreMut<'_>,
    module: &Module,
    imports: &[Extern],
) -> Result<NonNull<InstanceData>> {
    store.inner().lacked_room = false;
    store.inner().check_poison()?;
    module.engine().check_runs()?;
    check_imports(store.inner(), module, imports)?;
    // SAFETY: no reference to the store's inside is held here.
    unsafe { limiter::check_instance(store.ptr(), module) }?;
    attach::register(store, module)?;
    // SAFETY: no reference to the inside of an object is held here, and the host holds what it imports.
    unsafe { super::heap::collect_if_due(store.inner()) };
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
        initialise(store.ptr(), module, instance)?;
        announce::instance(store.ptr(), instance)?;
        if let Some(start) = module.info().start {
            let func = instance.as_ref().func_ref(start);
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
            let message = format!("{} is missing: {}", name(), wanted());
            return Err(Error::new(ErrorKind::Link, message));
        };
        store.check(given.store()).map_err(|error| error.context(name()))?;
        // SAFETY: the handle was checked against the store.
        if unsafe { !fits(module, *given, import.ty) } {
            let given = store.extern_type(*given)?;
            let mut message = format!("{}: expected {}, got {}", name(), wanted(), given);
            if matches!(given, ExternType::Func(_) | ExternType::Tag(_)) && given == wanted() {
                message +=
                    ", which is another type that looks alike; make it with the type that the module's import has";
            }
            return Err(Error::new(ErrorKind::Link, message));
        }
    }
    if imports.len() > info.imports.len() {
        let message = format!("{} imports given to a module that asks for {}", imports.len(), info.imports.len());
        return Err(Error::new(ErrorKind::Link, message));
    }
    Ok(())
}

/// Whether an object may be imported as `wanted`.
///
/// # Safety
/// It is live.
unsafe fn fits(module: &Module, given: Extern, wanted: EntityType) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        match (given, wanted) {
            (Extern::Func(func), EntityType::Func(ty)) => is_below(func.ptr.as_ref().sig, module.sigs()[ty.index()]),
            (Extern::Tag(tag), EntityType::Tag(ty)) => tag.ptr.as_ref().sig == module.sigs()[ty.index()],
            (Extern::Global(global), EntityType::Global(ty)) => global.ty.fits(&ty),
            (Extern::Memory(memory), EntityType::Memory(ty)) => memory.ptr.as_ref().ty().fits(&ty),
            (Extern::Table(table), EntityType::Table(ty)) => table.ptr.as_ref().ty().fits(&ty),
            _ => false,
        }
    }
}

/// What the memories of an instance with these imports begin with.
fn images_for<'a>(module: &'a Module, imports: &[Extern]) -> Images<'a> {
    module.images(|index| {
        let mut globals = imports.iter().filter_map(|import| match import {
            Extern::Global(global) => Some(global),
            _ => None,
        });
        // SAFETY: the imports were checked against the module and the store: there are as many globals as it asks for,
        // of its types, and they are live. An offset is an integer, which only constant ones may say.
        globals.nth(index.index()).map_or(0, |global| unsafe {
            let value = global.ptr.as_ref().value;
            if global.ty.content == ValType::I64 { value.i64 } else { i64::from(value.i32) }
        })
    })
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
    let images = images_for(module, imports);
    let images = images.get();
    // It counts where the store's own does: near the thread that made that.
    let own = store.modules[entry].module.clone();
    let owned = Owned::new(Box::new(InstanceData::new(store.instances_made, entry, own, images)?));
    store.instances_made += 1;
    let ptr = owned.ptr();
    (store.vm.refuel, store.vm.allocate) = (builtins::refuel_address(), builtins::allocate_address());
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
            heap_types: store.modules[entry].heap_types.as_ptr(),
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
                Extern::Tag(tag) => data.tags.push(tag.ptr),
                Extern::Table(table) => {
                    let (offset, _) = layout.table(TableIndex::from_usize(data.tables.len()));
                    data.place::<NonNull<VMTable>>(offset).write(table.ptr.as_ref().vm_ptr());
                    data.tables.push(table.ptr);
                }
            }
        }
        data.use_code(store.code_of(entry));
    }
    store.instances.push(owned);
    for i in data.memories.len()..info.memories.len() {
        let index = MemoryIndex::from_usize(i);
        // SAFETY: the layout's place for a memory of its own.
        let place = unsafe { data.place(layout.memory(index).0) };
        let image = images.and_then(|images| images.image(i - info.imported_memories as usize));
        data.memories.push(store.add_own_memory(&info.memory(index), image, (ptr, place))?);
    }
    for i in data.tables.len()..info.tables.len() {
        let index = TableIndex::from_usize(i);
        // SAFETY: the layout's place for a table of its own.
        let place = unsafe { data.place(layout.table(index).0) };
        data.tables.push(store.add_table(&info.table(index), Some(((ptr, place), index)))?);
    }
    for i in data.tags.len()..info.tags.len() {
        let sig = module.sigs()[info.tags[i].index()];
        data.tags.push(store.add_tag(sig, Some((data.vmctx(), TagIndex::from_usize(i)))));
    }
    for (i, init) in info.global_inits.iter().enumerate() {
        let value = evaluate_making(store, data, init).map_err(|code| full(store, code))?;
        let place = data.global(GlobalIndex::new(info.imported_globals + i as u32));
        // SAFETY: a global of its own.
        unsafe { (*place.as_ptr()).value = value };
    }
    for (i, init) in info.table_inits.iter().enumerate() {
        let Some(init) = init else { continue };
        let value = evaluate_making(store, data, init).map_err(|code| full(store, code))?;
        let table = data.tables[info.imported_tables as usize + i];
        // SAFETY: a table of its own.
        let table = unsafe { &mut *table.as_ptr() };
        let element = element_of(table.element.heap, value);
        table.write().fill(element);
    }
    make_items(store, data)?;
    Ok(ptr)
}

/// The place that a value of this type says.
///
/// # Safety
/// It is of that type.
unsafe fn place(index: IndexType, value: ValRaw) -> u64 {
    // SAFETY: the caller's promise.
    index.place(unsafe { if index.is_64() { value.i64 } else { i64::from(value.i32) } })
}

/// Makes what element segments make, which is done once.
fn make_items(store: &mut StoreInner, data: &mut InstanceData) -> Result<()> {
    let module = data.module.clone();
    let elements = &module.info().elements;
    let makes = |items: &ElementItems| match items {
        ElementItems::Funcs(_) => false,
        ElementItems::Exprs(exprs) => exprs.iter().flatten().any(ConstOp::makes),
    };
    if !elements.iter().any(|segment| makes(&segment.items)) {
        return Ok(());
    }
    let mut made = Vec::with_capacity(elements.len());
    for segment in elements {
        made.push(match &segment.items {
            ElementItems::Exprs(exprs) if makes(&segment.items) => {
                let items: std::result::Result<Box<[ValRaw]>, TrapCode> =
                    exprs.iter().map(|expr| evaluate_making(store, data, expr)).collect();
                Some(items.map_err(|code| full(store, code))?)
            }
            _ => None,
        });
    }
    data.items = made.into();
    Ok(())
}

/// The error for an instance whose constant expressions find no room.
#[cold]
fn full(store: &StoreInner, code: TrapCode) -> Error {
    trap::without_frames(store, code, format!("{code}: a constant expression finds no room"))
}

/// Applies the active segments, in order.
///
/// # Safety
/// The instance is one of the store, and no reference to either inside is held.
unsafe fn initialise(store: NonNull<StoreInner>, module: &Module, instance: NonNull<InstanceData>) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let info = module.info();
        let trapped = |what: &str, i: usize, code: TrapCode| {
            let message = format!("{code}: active {what} segment {i} does not fit");
            trap::without_frames(&*store.as_ptr(), code, message)
        };
        // The others are in the images of their tables.
        for index in info.table_images.due() {
            let i = index.index();
            let segment = &info.elements[i];
            if let SegmentMode::Active(table, offset) = &segment.mode {
                let offset = place(info.table(*table).index, evaluate(instance.as_ref(), offset));
                let len = segment.items.len() as u64;
                table_init(instance, *table, *index, offset, 0, len).map_err(|code| trapped("element", i, code))?;
            }
            (&mut (*instance.as_ptr()).dropped_elements)[i] = true;
        }
        for (i, segment) in info.data.iter().enumerate() {
            let index = DataIndex::from_usize(i);
            // What is in an image is there.
            if let SegmentMode::Active(memory, offset) = &segment.mode
                && !(&(*instance.as_ptr()).dropped_data)[i]
            {
                let offset = place(info.memory(*memory).index, evaluate(instance.as_ref(), offset));
                let len = segment.bytes.len() as u64;
                memory_init(instance, *memory, index, offset, 0, len).map_err(|code| trapped("data", i, code))?;
                (*instance.as_ptr()).dropped_data[i] = true;
            }
        }
    }
    Ok(())
}
