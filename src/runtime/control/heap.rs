//! What guests make on the heap of their store, where compiled code does not do it alone.

use crate::abi::{ARRAY_ELEMENTS, HEAP_OBJECTS, HEAP_RANGE, TrapCode, ValRaw, array_size};
use crate::base::{DataIndex, ElemIndex, Error, ErrorKind, Result, TypeIndex};
use crate::runtime::compiled::module::Module;
use crate::runtime::control::collect::collect;
use crate::runtime::control::segments::{Operands, data_bytes, element_items};
use crate::runtime::objects::heap::{Full, Heap};
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::store::inner::StoreInner;
use crate::wasm::{ConstOp, DefinedType};
use std::ptr::NonNull;

impl StoreInner {
    /// What new objects of the types of a module begin with. There is a heap then, if it has such types.
    pub(in crate::runtime) fn heap_types(&mut self, module: &Module) -> Result<Box<[u32]>> {
        let types = &module.info().types;
        if types.iter().all(|ty| ty.as_func().is_some()) {
            return Ok(Box::default());
        }
        let heap = self.heap_or_new()?;
        types.iter().map(|ty| if ty.as_func().is_some() { Ok(0) } else { heap.define(ty) }).collect()
    }
}

impl StoreInner {
    /// The heap, which there is from here on.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where there is no address space for it.
    pub(in crate::runtime) fn heap_or_new(&mut self) -> Result<&mut Heap> {
        Ok(match &mut self.heap {
            Some(heap) => heap,
            heap => {
                let new = Box::new(Heap::new(self.limits.heap_bytes)?);
                self.vm.heap = new.vm();
                heap.insert(new)
            }
        })
    }
}

/// Room for an object that the host makes, and what it begins with.
///
/// # Safety
/// As [`allocate`].
unsafe fn make_object(store: &mut StoreInner, ty: &DefinedType, bytes: u64) -> Result<(u32, u32)> {
    if !store.engine.config().features.gc {
        let message = "structures and arrays need the feature `gc`, which is switched off in the configuration";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    store.heap_or_new()?.define(ty)?;
    // SAFETY: handed on to the caller.
    let object = unsafe { allocate(store, bytes) }.map_err(|_| full(store))?;
    // A collection changes what new objects begin with.
    let header = store.heap_or_new()?.define(ty)?;
    Ok((object, header))
}

/// A new structure with these fields.
///
/// # Safety
/// As [`allocate`]; the fields are of the type.
///
/// # Errors
/// As [`AnyRef::new_struct`](crate::runtime::AnyRef::new_struct).
pub(in crate::runtime) unsafe fn make_struct(
    store: &mut StoreInner,
    ty: &DefinedType,
    fields: &[ValRaw],
) -> Result<u32> {
    // SAFETY: handed on to the caller.
    let (object, header) = unsafe { make_object(store, ty, ty.size().into()) }?;
    let heap = store.heap_or_new()?;
    write_struct(heap, object, header, ty, Some(fields));
    Ok(object)
}

/// A new array, whose elements are still to be written.
///
/// # Safety
/// As [`allocate`], and the type is one of arrays.
///
/// # Errors
/// As [`AnyRef::new_array`](crate::runtime::AnyRef::new_array).
pub(in crate::runtime) unsafe fn make_array(store: &mut StoreInner, ty: &DefinedType, length: u32) -> Result<u32> {
    let width = ty.as_array().map_or(1, |ty| ty.element.storage.width());
    // SAFETY: handed on to the caller.
    let (array, header) = unsafe { make_object(store, ty, array_size(width, length)) }?;
    store.heap_or_new()?.begin_array(array, header, length);
    Ok(array)
}

/// The error for an object that the host finds no room for.
#[cold]
pub(in crate::runtime) fn full(store: &StoreInner) -> Error {
    let most = store.limits.heap_bytes.min(HEAP_RANGE - u64::from(HEAP_OBJECTS));
    Error::new(ErrorKind::Limit, format!("the heap of the store's guests is full: it takes at most {most} bytes"))
}

/// Writes a structure, with these fields or with all of them zero and null.
fn write_struct(heap: &mut Heap, object: u32, header: u32, ty: &DefinedType, fields: Option<&[ValRaw]>) {
    heap.fill(object, 1, ty.size().into(), [0; 2]);
    heap.write(object, &header.to_le_bytes());
    let known = ty.as_struct().map(|ty| &*ty.fields).unwrap_or_default();
    for ((at, field), value) in ty.offsets().iter().zip(known).zip(fields.unwrap_or_default()) {
        write_items(heap, object + at, field.storage.width(), &[*value]);
    }
}

/// The heap of a store whose guests make something.
pub(super) fn of(store: &mut StoreInner) -> Result<&mut Heap, TrapCode> {
    store.heap.as_deref_mut().ok_or(TrapCode::HeapFull)
}

/// Room for an object. What nobody can reach is collected if it is time for that, or if there is no room else.
///
/// # Safety
/// No reference to the inside of an object of the store is held, and nothing on the heap is used afterwards that the
/// store, frames of its guests and its host do not hold.
pub(super) unsafe fn allocate(store: &mut StoreInner, bytes: u64) -> Result<u32, TrapCode> {
    if store.engine.config().force_collections {
        // SAFETY: handed on to the caller.
        unsafe { collect(store) };
        let at = allocate_here(store, bytes).map_err(|_| TrapCode::HeapFull)?;
        // The next one is to come here as well.
        (store.vm.heap.next, store.vm.heap.end) = (0, 0);
        return Ok(at);
    }
    match allocate_here(store, bytes) {
        Ok(at) => Ok(at),
        Err(Full::Due | Full::Limit) => {
            // SAFETY: handed on to the caller.
            unsafe { collect(store) };
            allocate_here(store, bytes).map_err(|_| TrapCode::HeapFull)
        }
    }
}

/// Room for an object that is made while nothing can be collected: by a constant expression, whose instance does not
/// hold yet what its expressions have made.
fn allocate_uncollected(store: &mut StoreInner, bytes: u64) -> Result<u32, TrapCode> {
    match allocate_here(store, bytes) {
        Err(Full::Due) => {
            of(store)?.put_off(bytes);
            allocate_here(store, bytes).map_err(|_| TrapCode::HeapFull)
        }
        other => other.map_err(|_| TrapCode::HeapFull),
    }
}

fn allocate_here(store: &mut StoreInner, bytes: u64) -> Result<u32, Full> {
    let heap = store.heap.as_deref_mut().ok_or(Full::Limit)?;
    heap.allocate(&mut store.vm.heap, bytes)
}

/// Collects, if it is time for that or there is little room, before an instance is made: what its constant expressions
/// make can wait for no collection.
///
/// # Safety
/// As [`allocate`].
pub(super) unsafe fn collect_if_due(store: &mut StoreInner) {
    if store.heap.as_ref().is_some_and(|heap| heap.is_due()) {
        // SAFETY: handed on to the caller.
        unsafe { collect(store) };
    }
}

/// A new array of a module's type, whose elements are still to be written: the reference, the first element's offset,
/// and the bytes of each.
///
/// # Safety
/// The instance is one of the store, and the index that of a type of arrays; and as [`allocate`].
unsafe fn new_array(
    store: &mut StoreInner,
    instance: NonNull<InstanceData>,
    ty: u32,
    len: u32,
) -> Result<(u32, u32, u32), TrapCode> {
    // SAFETY: the caller's promise: there are as many as there are types.
    let header = |instance: NonNull<InstanceData>| unsafe {
        (*instance.as_ref().vmctx().as_ptr()).heap_types.add(ty as usize).read()
    };
    let width = of(store)?.element_of(header(instance));
    // SAFETY: the caller's promise.
    let array = unsafe { allocate(store, array_size(width, len)) }?;
    of(store)?.begin_array(array, header(instance), len);
    Ok((array, array + ARRAY_ELEMENTS, width))
}

/// `array.new_data`.
///
/// # Safety
/// The instance is one of the store, with no reference to its inside held; the indices are validated.
pub(super) unsafe fn array_new_data(
    store: &mut StoreInner,
    instance: NonNull<InstanceData>,
    ty: u32,
    segment: DataIndex,
    (from, len): (u32, u32),
) -> Result<u32, TrapCode> {
    // SAFETY: the caller's promise.
    unsafe {
        let module = instance.as_ref().module.clone();
        let width = element_width(&module, ty);
        let bytes = part(data_bytes(instance.as_ref(), &module, segment), from, u64::from(len) * u64::from(width))?;
        let (array, first, _) = new_array(store, instance, ty, len)?;
        of(store)?.write(first, bytes);
        Ok(array)
    }
}

/// `array.init_data`.
///
/// # Safety
/// As [`array_new_data`]; and the array is one of the store.
pub(super) unsafe fn array_init_data(
    store: &mut StoreInner,
    instance: NonNull<InstanceData>,
    (array, index): (u32, u32),
    segment: DataIndex,
    (from, len): (u32, u32),
) -> Result<(), TrapCode> {
    let heap = of(store)?;
    let (first, width) = heap.elements(array, index, len).ok_or(TrapCode::ArrayOutOfBounds)?;
    // SAFETY: the caller's promise.
    let module = unsafe { instance.as_ref() }.module.clone();
    // SAFETY: as above.
    let bytes = data_bytes(unsafe { instance.as_ref() }, &module, segment);
    heap.write(first, part(bytes, from, u64::from(len) * u64::from(width))?);
    Ok(())
}

/// `array.new_elem`.
///
/// # Safety
/// As [`array_new_data`].
pub(super) unsafe fn array_new_elem(
    store: &mut StoreInner,
    instance: NonNull<InstanceData>,
    ty: u32,
    segment: ElemIndex,
    (from, len): (u32, u32),
) -> Result<u32, TrapCode> {
    // SAFETY: the caller's promise.
    unsafe {
        // The instance holds what they refer to, whatever is collected.
        let items = element_items(instance.as_ref(), segment, u64::from(from), u64::from(len))?;
        let (array, first, width) = new_array(store, instance, ty, len)?;
        write_items(of(store)?, first, width, &items);
        Ok(array)
    }
}

/// `array.init_elem`.
///
/// # Safety
/// As [`array_init_data`].
pub(super) unsafe fn array_init_elem(
    store: &mut StoreInner,
    instance: NonNull<InstanceData>,
    (array, index): (u32, u32),
    segment: ElemIndex,
    (from, len): (u32, u32),
) -> Result<(), TrapCode> {
    let heap = of(store)?;
    let (first, width) = heap.elements(array, index, len).ok_or(TrapCode::ArrayOutOfBounds)?;
    // SAFETY: the caller's promise.
    let items = element_items(unsafe { instance.as_ref() }, segment, u64::from(from), u64::from(len))?;
    write_items(heap, first, width, &items);
    Ok(())
}

/// Writes values one behind the other: of the widths that they have, the lowest bytes of each.
pub(in crate::runtime) fn write_items(heap: &mut Heap, first: u32, width: u32, items: &[ValRaw]) {
    for (item, at) in items.iter().zip((first..).step_by(width as usize)) {
        // SAFETY: all bytes of a raw value are defined.
        let bytes = unsafe { item.v128 };
        heap.write(at, &bytes[..width as usize]);
    }
}

/// The bytes of an element of a module's type of arrays.
fn element_width(module: &Module, ty: u32) -> u32 {
    module.info().array_type_at(ty).map_or(1, |ty| ty.element.storage.width())
}

/// What an instruction of a constant expression makes of its operands.
pub(super) fn make(
    store: &mut StoreInner,
    instance: &InstanceData,
    op: &ConstOp,
    operands: &mut Operands,
) -> Result<ValRaw, TrapCode> {
    let info = instance.module.info();
    // SAFETY: there are as many as there are types.
    let header = |ty: TypeIndex| unsafe { (*instance.vmctx().as_ptr()).heap_types.add(ty.index()).read() };
    let mut raw = ValRaw::default();
    raw.anyref = match *op {
        ConstOp::StructNew(ty) | ConstOp::StructNewDefault(ty) => {
            let known = &info.types[ty.index()];
            let fields = known.as_struct().map(|ty| &*ty.fields).unwrap_or_default();
            let object = allocate_uncollected(store, known.size().into())?;
            let values: Option<Operands> = match op {
                ConstOp::StructNew(_) => Some(operands.drain(operands.len().saturating_sub(fields.len())..).collect()),
                _ => None,
            };
            write_struct(of(store)?, object, header(ty), known, values.as_deref());
            object
        }
        ConstOp::ArrayNew(ty) | ConstOp::ArrayNewDefault(ty) => {
            let width = element_width(&instance.module, ty.get());
            // SAFETY: validation has checked the types of operands.
            let len = unsafe { operands.pop().unwrap_or_default().i32 } as u32;
            let value = if let ConstOp::ArrayNew(_) = op { operands.pop().unwrap_or_default() } else { raw };
            let array = allocate_uncollected(store, array_size(width, len))?;
            let heap = of(store)?;
            heap.begin_array(array, header(ty), len);
            heap.fill(array + ARRAY_ELEMENTS, width, len.into(), value.words());
            array
        }
        ConstOp::ArrayNewFixed(ty, len) => {
            let width = element_width(&instance.module, ty.get());
            let array = allocate_uncollected(store, array_size(width, len))?;
            let heap = of(store)?;
            heap.begin_array(array, header(ty), len);
            let first = operands.len().saturating_sub(len as usize);
            let values: Vec<ValRaw> = operands.drain(first..).collect();
            write_items(heap, array + ARRAY_ELEMENTS, width, &values);
            array
        }
        _ => return Ok(raw),
    };
    Ok(raw)
}

/// So many bytes of a segment, from one on.
fn part(bytes: &[u8], from: u32, len: u64) -> Result<&[u8], TrapCode> {
    let start = from as usize;
    let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len));
    end.and_then(|end| bytes.get(start..end)).ok_or(TrapCode::MemoryOutOfBounds)
}
