//! Tables in the host's hand.

use crate::abi::ValRaw;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::control::limiter;
use crate::runtime::handle::values::fits;
use crate::runtime::objects::handles::Table;
use crate::runtime::objects::limiter::Growth;
use crate::runtime::objects::table::{TableData, element_of};
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut};
use crate::wasm::{RefType, TableType};

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
        let init_is_null =
            matches!(init, Val::FuncRef(None) | Val::ExternRef(None) | Val::ExnRef(None) | Val::AnyRef(None));
        let init = to_raw(inner, ty.element, init)?;
        // SAFETY: the store is in hand, and no reference to its inside is held.
        unsafe { limiter::check(store.ptr(), &Growth::new_table(&ty)) }?;
        let inner = store.inner();
        let ptr = inner.add_table(&ty, None).inspect_err(|_| inner.lacked_room = true)?;
        if !init_is_null {
            // SAFETY: the table is new.
            unsafe { (*ptr.as_ptr()).write().fill(element_of(ty.element.heap, init)) };
        }
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
        // SAFETY: with the store in hand no mutable reference to the inside of anything is held. A table holds
        // references of its type and store.
        unsafe { Ok(table.get(index).map(|raw| Val::from_raw_in(inner.giving(), raw, table.element.into()))) }
    }

    /// Sets an element.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] beyond its end, or for a value that is not of the element type.
    pub fn set(&self, mut store: impl AsStoreMut, index: u64, value: Val) -> Result<()> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let (element, len) = (self.at(inner)?.element, self.at(inner)?.elements.len());
        let value = element_of(element.heap, to_raw(inner, element, value)?);
        if index >= len as u64 {
            return Err(Error::new(ErrorKind::Argument, format!("element {index} is beyond a table of {len}")));
        }
        // SAFETY: checked above; no other reference to its inside is held.
        unsafe { (*self.ptr.as_ptr()).write()[index as usize] = value };
        Ok(())
    }

    /// Grows it by `delta` elements, each `init`; its old size.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a value that is not of the element type, [`ErrorKind::Limit`] beyond its maximum or
    /// the store's limit, and where the store's limiter says no.
    pub fn grow(&self, mut store: impl AsStoreMut, delta: u64, init: Val) -> Result<u64> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let element = self.at(inner)?.element;
        let init = to_raw(inner, element, init)?;
        if let Some(growth) = Growth::of_table(self.at(inner)?, delta) {
            // SAFETY: the store is in hand, and no reference to its inside is held.
            unsafe { limiter::check(store.ptr(), &growth) }?;
        }
        let inner = store.inner();
        // SAFETY: checked above.
        unsafe { inner.grow_table(self.ptr, delta, init) }
            .ok_or_else(|| Error::new(ErrorKind::Limit, format!("the table cannot grow by {delta} elements")))
    }
}

/// A reference for a table of such.
fn to_raw(inner: &StoreInner, element: RefType, value: Val) -> Result<ValRaw> {
    if !fits(inner, value, element.into())? {
        return Err(Error::new(ErrorKind::Argument, format!("{} given for a table of {element}", value.ty())));
    }
    value.to_raw_in(inner)
}
