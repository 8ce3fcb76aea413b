//! Globals in the host's hand.

use crate::base::{Error, ErrorKind, Result};
use crate::runtime::handle::values::fits;
use crate::runtime::objects::global::HostGlobal;
use crate::runtime::objects::handles::Global;
use crate::runtime::objects::owned::Owned;
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut};
use crate::wasm::GlobalType;

impl Global {
    /// A global of the host.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the value is not of its type, or a reference of another store.
    pub fn new(mut store: impl AsStoreMut, ty: GlobalType, value: Val) -> Result<Global> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        check(inner, &ty, value)?;
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
        Ok(unsafe { Val::from_raw_in(inner.giving(), (*self.ptr.as_ptr()).value, self.ty.content) })
    }

    /// What stands in it, low word first: two globals of a type have the same value if these are the same. Of a
    /// reference it is a number that means nothing else.
    ///
    /// # Errors
    /// As [`Global::ty`].
    pub fn bits(&self, store: impl AsStore) -> Result<[u64; 2]> {
        store.as_store().inner().check(self.store)?;
        // SAFETY: just checked.
        let [low, high] = unsafe { (*self.ptr.as_ptr()).value }.words();
        // Compiled code writes no more than the value takes.
        Ok(match self.ty.content.width() {
            4 => [low & 0xffff_ffff, 0],
            8 => [low, 0],
            _ => [low, high],
        })
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
        check(inner, &self.ty, value)?;
        let raw = value.to_raw_in(inner)?;
        // SAFETY: just checked.
        unsafe { (*self.ptr.as_ptr()).value = raw };
        Ok(())
    }
}

fn check(store: &StoreInner, ty: &GlobalType, value: Val) -> Result<()> {
    if fits(store, value, ty.content)? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Argument, format!("{} given for a global of {}", value.ty(), ty.content)))
}
