//! Tables of references. What a table of an instance has from the start is said by its module
//! ([`ModuleInfo::table_image`](crate::wasm::ModuleInfo::table_image)), and not written to it: an element that is
//! untouched is resolved when somebody asks for it, and only then is there a reference to its function.

use crate::abi::{FuncElement, TableElement, TrapCode, VMFuncRef, VMTable, ValRaw};
use crate::base::{Error, ErrorKind, Family, Result, TableIndex};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::objects::elements::Elements;
use crate::runtime::objects::instance::{InstanceData, Place};
use crate::runtime::objects::owned::Owned;
use crate::wasm::{HeapType, IndexType, Limits, RefType, TableType};
use std::ops::Range;
use std::ptr::{NonNull, null_mut};

/// The most elements of a table, also of one whose indices have 64 bits.
const MOST_ELEMENTS: u64 = u32::MAX as u64;

/// The instance that a table is a part of.
#[derive(Clone, Copy)]
pub(in crate::runtime) struct Owner {
    pub(in crate::runtime) instance: NonNull<InstanceData>,
    /// Which of its tables it is.
    pub(in crate::runtime) index: TableIndex,
}

/// The inside of a table.
pub(in crate::runtime) struct TableData {
    /// What compiled code sees: in its instance, or `own`.
    vm: NonNull<VMTable>,
    own: VMTable,
    pub(in crate::runtime) element: RefType,
    index: IndexType,
    max: Option<u64>,
    pub(in crate::runtime) elements: Elements,
    /// The instance it is a part of.
    pub(in crate::runtime) owner: Option<Owner>,
    /// Set during a collection, if it can be reached.
    pub(in crate::runtime) marked: bool,
}

impl TableData {
    /// A table with nothing in it but what its image says; `of` is the instance it is a part of, with the place where
    /// its compiled code looks, and its index there.
    pub(in crate::runtime) fn new(
        engine: &Engine,
        ty: &TableType,
        of: Option<(Place<VMTable>, TableIndex)>,
    ) -> Result<Owned<TableData>> {
        if ty.limits.min > MOST_ELEMENTS {
            let message =
                format!("a table of {} elements is larger than the {MOST_ELEMENTS} that are possible", ty.limits.min);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let table = Owned::new(Box::new(TableData {
            vm: NonNull::dangling(),
            own: VMTable { base: null_mut(), len: 0, written: 0 },
            element: ty.element,
            index: ty.index,
            max: ty.limits.max,
            elements: Elements::new(engine, ty.limits.min)?,
            owner: of.map(|((instance, _), index)| Owner { instance, index }),
            marked: false,
        }));
        let at = table.ptr().as_ptr();
        // SAFETY: the object is new and ours; a given place is the instance's own, and writable.
        unsafe {
            (*at).vm = of.map(|((_, vm), _)| vm).unwrap_or(NonNull::new_unchecked(&raw mut (*at).own));
            (*at).publish();
        }
        Ok(table)
    }

    pub(in crate::runtime) fn vm_ptr(&self) -> NonNull<VMTable> {
        self.vm
    }

    pub(in crate::runtime) fn ty(&self) -> TableType {
        let limits = Limits { min: self.elements.len() as u64, max: self.max };
        TableType { element: self.element, index: self.index, limits }
    }

    /// Tells compiled code where the elements are.
    fn publish(&mut self) {
        // SAFETY: the place lives as long as the store; the guest that reads it is not running.
        let vm = unsafe { &mut *self.vm.as_ptr() };
        (vm.base, vm.len) = (self.elements.base().as_ptr(), self.elements.len());
    }

    /// Whether anybody has written to it. If not, an element is untouched, or what the table's image says.
    pub(in crate::runtime) fn is_written(&self) -> bool {
        // SAFETY: as in `publish`.
        unsafe { self.vm.as_ref() }.written != 0
    }

    fn note_written(&mut self) {
        // SAFETY: as in `publish`.
        unsafe { (*self.vm.as_ptr()).written = 1 };
    }

    /// Its elements, to be written to.
    pub(in crate::runtime) fn write(&mut self) -> &mut [TableElement] {
        self.note_written();
        self.elements.all_mut()
    }

    /// Gives its elements to the engine's next table. It is being dropped, and its instance is still there.
    pub(in crate::runtime) fn recycle(&mut self) {
        if !self.is_written() {
            self.elements.recycle();
        }
    }

    /// Grows by so many within `budget` more, each the reference `init`; the old size, or `None`.
    pub(in crate::runtime) fn grow(&mut self, engine: &Engine, delta: u64, init: ValRaw, budget: u64) -> Option<u64> {
        let old = self.elements.len() as u64;
        let new = old.checked_add(delta)?;
        if delta > budget || new > self.max.unwrap_or(MOST_ELEMENTS).min(MOST_ELEMENTS) {
            return None;
        }
        // No image says anything of what is new.
        let init = match element_of(self.element.heap, init) {
            TableElement::NULL if self.element.heap.family() == Family::Func => TableElement::UNTOUCHED,
            init => init,
        };
        if !self.elements.grow(engine, delta as usize) {
            return None;
        }
        self.publish();
        if init != TableElement::UNTOUCHED {
            self.write()[old as usize..].fill(init);
        }
        Some(old)
    }

    /// The reference at an index, if there is one. What is untouched is resolved.
    ///
    /// # Safety
    /// The table is live, and so are its elements; no mutable reference to the inside of it or its instance is held.
    pub(in crate::runtime) unsafe fn get(&self, index: u64) -> Option<ValRaw> {
        let element = self.elements.get(usize::try_from(index).ok()?)?;
        let mut raw = ValRaw::default();
        match self.element.heap.family() {
            // SAFETY: the caller's promise.
            Family::Func => raw.funcref = unsafe { self.func(index, element) }.map_or(null_mut(), NonNull::as_ptr),
            Family::Extern | Family::Exn => raw.externref = element.external(),
            Family::Any => raw.anyref = element.any(),
        }
        Some(raw)
    }

    /// What an element, which stands at `index` of this table of functions, says.
    ///
    /// # Safety
    /// As [`TableData::get`].
    unsafe fn func(&self, index: u64, element: TableElement) -> Option<NonNull<VMFuncRef>> {
        match element.func() {
            FuncElement::Null => None,
            FuncElement::Func(func) => Some(func),
            // SAFETY: handed on to the caller.
            FuncElement::Untouched => unsafe { self.resolve(index) },
        }
    }

    /// What the image says of an element, which is untouched; from now on that stands there.
    ///
    /// # Safety
    /// As [`TableData::get`].
    unsafe fn resolve(&self, index: u64) -> Option<NonNull<VMFuncRef>> {
        let func = self.owner.and_then(|owner| {
            // SAFETY: the owner of a live table is live, and nobody is changing it.
            let instance = unsafe { owner.instance.as_ref() };
            let info = instance.module.info();
            Some(instance.func_ref(info.table_image(owner.index)?.function(info, index)?))
        });
        self.elements.resolve(index as usize, TableElement::of_func(func.map_or(null_mut(), NonNull::as_ptr)));
        func
    }

    /// Whether an image says anything of it.
    ///
    /// # Safety
    /// As [`TableData::get`].
    unsafe fn has_image(&self) -> bool {
        // SAFETY: as in `resolve`.
        let image = |owner: Owner| unsafe { owner.instance.as_ref() }.module.info().table_image(owner.index).is_some();
        self.owner.is_some_and(image)
    }
}

/// A reference as a table of such holds it.
pub(in crate::runtime) fn element_of(heap: HeapType, reference: ValRaw) -> TableElement {
    // SAFETY: of a reference, the bytes of its width are defined, whichever field they were written through.
    unsafe {
        match heap.family() {
            Family::Func => TableElement::of_func(reference.funcref),
            Family::Extern | Family::Exn => TableElement::of_extern(reference.externref),
            Family::Any => TableElement::of_any(reference.anyref),
        }
    }
}

/// A range of a table, if it is inside of it.
pub(in crate::runtime) fn range(start: u64, len: u64, of: &Elements) -> Result<Range<usize>, TrapCode> {
    match start.checked_add(len) {
        Some(end) if end <= of.len() as u64 => Ok(start as usize..end as usize),
        _ => Err(TrapCode::TableOutOfBounds),
    }
}

/// Copies between tables, or within one.
///
/// # Safety
/// Both are live, and no reference to their inside, or to that of the instances they are of, is held.
pub(in crate::runtime) unsafe fn copy_elements(
    to: NonNull<TableData>,
    from: NonNull<TableData>,
    destination: u64,
    source: u64,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the caller's promise; the references end before the copy.
    let (source, destination) = unsafe {
        let (from, to) = (from.as_ref(), to.as_ref());
        let source = range(source, len, &from.elements)?;
        let destination = range(destination, len, &to.elements)?;
        // Elsewhere an element that is untouched would mean something else.
        if from.element.heap.family() == Family::Func && (from.has_image() || to.has_image()) {
            for index in source.clone() {
                from.get(index as u64);
            }
        }
        (source, destination)
    };
    if source.is_empty() {
        return Ok(());
    }
    // SAFETY: both ranges were checked; they may overlap. No reference to the elements of either is held.
    unsafe {
        (*to.as_ptr()).note_written();
        let to = to.as_ref().elements.base().add(destination.start);
        from.as_ref().elements.base().add(source.start).copy_to(to, source.len());
    }
    Ok(())
}
