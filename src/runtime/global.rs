//! Globals.

use super::collect::HostGlobal;
use super::store::{AsStore, AsStoreMut, Owned, StoreId};
use super::values::Val;
use crate::abi::VMGlobal;
use crate::base::{Error, ErrorKind, Result};
use crate::wasm::GlobalType;
use std::hash::{Hash, Hasher};
use std::ptr::NonNull;

/// A global of a store.
#[derive(Clone, Copy, Debug)]
pub struct Global {
    pub(super) store: StoreId,
    pub(super) ptr: NonNull<VMGlobal>,
    pub(super) ty: GlobalType,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Global {}
// SAFETY: as above.
unsafe impl Sync for Global {}

impl PartialEq for Global {
    fn eq(&self, other: &Global) -> bool {
        self.store == other.store && self.ptr == other.ptr
    }
}
impl Eq for Global {}
impl Hash for Global {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.store, self.ptr).hash(state);
    }
}

impl Global {
    /// A global of the host.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the value is not of its type, or a reference of another store.
    pub fn new(mut store: impl AsStoreMut, ty: GlobalType, value: Val) -> Result<Global> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        check(&ty, value)?;
        let global = Owned::new(Box::new(HostGlobal::new(value.to_raw_in(inner)?, ty)));
        let ptr = global.ptr().cast();
        inner.globals.push(global);
        Ok(Global { store: inner.id, ptr, ty })
    }

    /// Its type.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, as in all methods here.
    pub fn ty(&self, store: impl AsStore) -> Result<GlobalType> {
        store.as_store().inner().check(self.store)?;
        Ok(self.ty)
    }

    /// Its value.
    ///
    /// # Errors
    /// As [`Global::ty`].
    pub fn get(&self, store: impl AsStore) -> Result<Val> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        // SAFETY: just checked; a global holds a value of its type.
        Ok(unsafe { Val::from_raw_in(inner.id, (*self.ptr.as_ptr()).value, self.ty.content) })
    }

    /// Sets its value.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it is immutable, or the value does not fit.
    pub fn set(&self, mut store: impl AsStoreMut, value: Val) -> Result<()> {
        if !self.ty.mutable {
            return Err(Error::new(ErrorKind::Argument, "the global is immutable"));
        }
        let mut store = store.as_store_mut();
        let inner = store.inner();
        inner.check(self.store)?;
        check(&self.ty, value)?;
        let raw = value.to_raw_in(inner)?;
        // SAFETY: just checked.
        unsafe { (*self.ptr.as_ptr()).value = raw };
        Ok(())
    }
}

fn check(ty: &GlobalType, value: Val) -> Result<()> {
    if value.ty() == ty.content {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Argument, format!("{} given for a global of {}", value.ty(), ty.content)))
}
