//! Tables of references.

use crate::abi::{TrapCode, VMTable, ValRaw};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::objects::instance::{InstanceData, Place};
use crate::runtime::objects::owned::Owned;
use crate::wasm::{Limits, RefType, TableType};
use std::ptr::NonNull;

/// The inside of a table.
pub(in crate::runtime) struct TableData {
    /// What compiled code sees: in its instance, or `own`.
    pub(in crate::runtime) vm: NonNull<VMTable>,
    pub(in crate::runtime) own: VMTable,
    pub(in crate::runtime) element: RefType,
    max: Option<u64>,
    pub(in crate::runtime) elements: Vec<u64>,
    /// The instance it is a part of.
    pub(in crate::runtime) owner: Option<NonNull<InstanceData>>,
    /// Set during a collection, if it can be reached.
    pub(in crate::runtime) marked: bool,
}

impl TableData {
    /// A table of nulls; `of` is the instance it is a part of, with the place where its compiled code looks.
    pub(in crate::runtime) fn new(ty: &TableType, of: Option<Place<VMTable>>) -> Result<Owned<TableData>> {
        let len = ty.limits.min;
        let no_memory = || Error::new(ErrorKind::System, format!("no memory for a table of {len} elements"));
        let mut elements = Vec::new();
        elements.try_reserve_exact(usize::try_from(len).map_err(|_| no_memory())?).map_err(|_| no_memory())?;
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
        Ok(table)
    }

    pub(in crate::runtime) fn vm_ptr(&self) -> NonNull<VMTable> {
        self.vm
    }

    pub(in crate::runtime) fn ty(&self) -> TableType {
        TableType { element: self.element, limits: Limits { min: self.elements.len() as u64, max: self.max } }
    }

    /// Its references, as compiled code has them.
    pub(in crate::runtime) fn elements_mut(&mut self) -> &mut [u64] {
        &mut self.elements
    }

    /// Tells compiled code where the elements are.
    fn publish(&mut self) {
        let vm = VMTable { base: self.elements.as_mut_ptr(), len: self.elements.len() };
        // SAFETY: the place lives as long as the store; the guest that reads it is not running.
        unsafe { self.vm.as_ptr().write(vm) };
    }

    pub(in crate::runtime) fn grow(&mut self, delta: u64, init: u64, budget: u64) -> Option<u64> {
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

/// Copies between tables, or within one.
///
/// # Safety
/// Both are live, and no reference to their inside is held.
pub(in crate::runtime) unsafe fn copy_elements(
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

/// The table element of a reference.
pub(in crate::runtime) fn element_of(raw: ValRaw) -> u64 {
    // SAFETY: of a reference, the first eight bytes are defined, whichever field they were written through.
    unsafe { raw.externref }
}

/// The reference of a table element.
pub(in crate::runtime) fn from_element(element: u64) -> ValRaw {
    let mut raw = ValRaw::default();
    raw.externref = element;
    raw
}
