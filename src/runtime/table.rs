//! Tables of references.

use super::instance::{InstanceData, Place};
use super::store::{AsStore, AsStoreMut, Owned, StoreId, StoreInner};
use super::values::Val;
use crate::abi::{TrapCode, VMTable, ValRaw};
use crate::base::{Error, ErrorKind, Result};
use crate::wasm::{Limits, TableType, ValType};
use std::ptr::NonNull;

/// The inside of a table.
pub(super) struct TableData {
    /// What compiled code sees: in its instance, or `own`.
    vm: NonNull<VMTable>,
    own: VMTable,
    element: ValType,
    max: Option<u64>,
    elements: Vec<u64>,
    /// The instance it is a part of.
    pub(super) owner: Option<NonNull<InstanceData>>,
    /// Set during a collection, if it can be reached.
    pub(super) marked: bool,
}

impl TableData {
    pub(super) fn vm_ptr(&self) -> NonNull<VMTable> {
        self.vm
    }

    pub(super) fn ty(&self) -> TableType {
        TableType { element: self.element, limits: Limits { min: self.elements.len() as u64, max: self.max } }
    }

    /// Its references, as compiled code has them.
    pub(super) fn elements_mut(&mut self) -> &mut [u64] {
        &mut self.elements
    }

    /// Tells compiled code where the elements are.
    fn publish(&mut self) {
        let vm = VMTable { base: self.elements.as_mut_ptr(), len: self.elements.len() };
        // SAFETY: the place lives as long as the store; the guest that reads it is not running.
        unsafe { self.vm.as_ptr().write(vm) };
    }

    fn grow(&mut self, delta: u64, init: u64, budget: u64) -> Option<u64> {
        let old = self.elements.len() as u64;
        let new = old.checked_add(delta)?;
        if delta > budget || new > self.max.unwrap_or(u64::from(u32::MAX)).min(u64::from(u32::MAX)) {
            return None;
        }
        self.elements.try_reserve(delta as usize).ok()?;
        self.elements.resize(new as usize, init);
        self.publish();
        Some(old)
    }
}

/// Adds a table of nulls to a store; `of` is the instance it is a part of, with the place where its compiled code looks.
pub(super) fn add(store: &mut StoreInner, ty: &TableType, of: Option<Place<VMTable>>) -> Result<NonNull<TableData>> {
    let len = ty.limits.min;
    if len > store.limits.table_elements.saturating_sub(store.usage.table_elements) {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("a table of {len} elements is beyond the store's limit on table elements"),
        ));
    }
    let mut elements = Vec::new();
    elements
        .try_reserve_exact(len as usize)
        .map_err(|_| Error::new(ErrorKind::System, format!("no memory for a table of {len} elements")))?;
    elements.resize(len as usize, 0);
    let table = Owned::new(Box::new(TableData {
        vm: NonNull::dangling(),
        own: VMTable { base: std::ptr::null_mut(), len: 0 },
        element: ty.element,
        max: ty.limits.max,
        elements,
        owner: of.map(|(owner, _)| owner),
        marked: false,
    }));
    let at = table.ptr().as_ptr();
    // SAFETY: the object is new and ours; a given place is the instance's own, and writable.
    unsafe {
        (*at).vm = of.map(|(_, vm)| vm).unwrap_or(NonNull::new_unchecked(&raw mut (*at).own));
        (*at).publish();
    }
    store.usage.table_elements += len;
    let ptr = table.ptr();
    store.tables.push(table);
    Ok(ptr)
}

/// Grows a table within the store's limits; the old size, or `None`.
///
/// # Safety
/// The table is one of the store, and so is the reference.
pub(super) unsafe fn grow(store: &mut StoreInner, table: NonNull<TableData>, delta: u64, init: u64) -> Option<u64> {
    let budget = store.limits.table_elements.saturating_sub(store.usage.table_elements);
    // SAFETY: the caller's promise; objects of a store live as long as it, apart from its inside.
    let old = unsafe { (*table.as_ptr()).grow(delta, init, budget)? };
    store.usage.table_elements += delta;
    Some(old)
}

/// Copies between tables, or within one.
///
/// # Safety
/// Both are live, and no reference to their inside is held.
pub(super) unsafe fn copy(
    to: NonNull<TableData>,
    from: NonNull<TableData>,
    destination: u64,
    source: u64,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the caller's promise; the two references end before the copy.
    let (to_len, from_len) = unsafe { (to.as_ref().elements.len() as u64, from.as_ref().elements.len() as u64) };
    let fits = |start: u64, of: u64| start.checked_add(len).is_some_and(|end| end <= of);
    if !fits(source, from_len) || !fits(destination, to_len) {
        return Err(TrapCode::TableOutOfBounds);
    }
    // SAFETY: both ranges were checked; they may overlap.
    unsafe {
        let from = (*from.as_ptr()).elements.as_ptr().add(source as usize);
        let to = (*to.as_ptr()).elements.as_mut_ptr().add(destination as usize);
        std::ptr::copy(from, to, len as usize);
    }
    Ok(())
}

/// A table of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    pub(super) store: StoreId,
    pub(super) ptr: NonNull<TableData>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// A table filled with `init`.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where `init` is not of the element type or the limits contradict each other;
    /// [`ErrorKind::Limit`].
    pub fn new(mut store: impl AsStoreMut, ty: TableType, init: Val) -> Result<Table> {
        if ty.limits.max.is_some_and(|max| max < ty.limits.min) {
            return Err(Error::new(ErrorKind::Argument, "the table's least size is above its largest"));
        }
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let init = to_element(inner, ty.element, init)?;
        let ptr = add(inner, &ty, None).inspect_err(|_| inner.lacked_room = true)?;
        // SAFETY: the table is new.
        unsafe { (*ptr.as_ptr()).elements.fill(init) };
        Ok(Table { store: inner.id, ptr })
    }

    fn at<'a>(&self, inner: &'a StoreInner) -> Result<&'a TableData> {
        inner.check(self.store)?;
        // SAFETY: just checked.
        Ok(unsafe { self.ptr.as_ref() })
    }

    /// Its type, with its current size as the least.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, as in all methods here.
    pub fn ty(&self, store: impl AsStore) -> Result<TableType> {
        Ok(self.at(store.as_store().inner())?.ty())
    }

    /// Its size.
    ///
    /// # Errors
    /// As [`Table::ty`].
    pub fn size(&self, store: impl AsStore) -> Result<u64> {
        Ok(self.at(store.as_store().inner())?.elements.len() as u64)
    }

    /// An element, or `None` beyond its end.
    ///
    /// # Errors
    /// As [`Table::ty`].
    pub fn get(&self, store: impl AsStore, index: u64) -> Result<Option<Val>> {
        let inner = store.as_store().inner();
        let table = self.at(inner)?;
        let Some(element) = usize::try_from(index).ok().and_then(|index| table.elements.get(index)) else {
            return Ok(None);
        };
        // SAFETY: a table holds references of its type and store.
        Ok(Some(unsafe { Val::from_raw_in(inner.id, from_element(*element), table.element) }))
    }

    /// Sets an element.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] beyond its end, or for a value that is not of the element type.
    pub fn set(&self, mut store: impl AsStoreMut, index: u64, value: Val) -> Result<()> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let (element, len) = (self.at(inner)?.element, self.at(inner)?.elements.len());
        let value = to_element(inner, element, value)?;
        if index >= len as u64 {
            return Err(Error::new(ErrorKind::Argument, format!("element {index} is beyond a table of {len}")));
        }
        // SAFETY: checked above; no other reference to its inside is held.
        unsafe { (*self.ptr.as_ptr()).elements_mut()[index as usize] = value };
        Ok(())
    }

    /// Grows it by `delta` elements, each `init`; its old size.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a value that is not of the element type, [`ErrorKind::Limit`] beyond its maximum or the
    /// store's limit.
    pub fn grow(&self, mut store: impl AsStoreMut, delta: u64, init: Val) -> Result<u64> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let element = self.at(inner)?.element;
        let init = to_element(inner, element, init)?;
        // SAFETY: checked above.
        unsafe { grow(inner, self.ptr, delta, init) }
            .ok_or_else(|| Error::new(ErrorKind::Limit, format!("the table cannot grow by {delta} elements")))
    }
}

/// A reference as a table holds it.
fn to_element(inner: &StoreInner, element: ValType, value: Val) -> Result<u64> {
    if value.ty() != element {
        return Err(Error::new(ErrorKind::Argument, format!("{} given for a table of {element}", value.ty())));
    }
    let raw = value.to_raw_in(inner)?;
    Ok(element_of(raw))
}

/// The table element of a reference.
pub(super) fn element_of(raw: ValRaw) -> u64 {
    // SAFETY: of a reference, the first eight bytes are defined, whichever field they were written through.
    unsafe { raw.externref }
}

/// The reference of a table element.
pub(super) fn from_element(element: u64) -> ValRaw {
    let mut raw = ValRaw::default();
    raw.externref = element;
    raw
}
