//! Tags and exceptions in the host's hand.

use crate::abi::ValRaw;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::control::exceptions::uncaught;
use crate::runtime::handle::values::check_types;
use crate::runtime::objects::exceptions::{tag_of, values_of};
use crate::runtime::objects::handles::{ExnRef, Tag};
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut};
use crate::wasm::FuncType;
use smallvec::SmallVec;

impl Tag {
    /// A tag that is the same as no other. The parameters of the type are what its exceptions carry.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a type with results, [`ErrorKind::Limit`] for more than 1,000 parameters.
    pub fn new(mut store: impl AsStoreMut, ty: FuncType) -> Result<Tag> {
        const MAX_VALUES: usize = 1_000;
        if !ty.results.is_empty() {
            return Err(Error::new(ErrorKind::Argument, format!("a tag's type has results: {ty}")));
        }
        if ty.params.len() > MAX_VALUES {
            return Err(Error::new(ErrorKind::Limit, format!("an exception carries at most {MAX_VALUES} values")));
        }
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let sig = inner.engine.signature_of(&ty)?.id();
        Ok(Tag { store: inner.id, ptr: inner.add_tag(sig, None) })
    }

    /// Its type.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store.
    pub fn ty(&self, store: impl AsStore) -> Result<FuncType> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        Ok(inner.engine.signature(unsafe { self.ptr.as_ref() }.sig).told())
    }
}

impl ExnRef {
    /// An exception of this tag, which carries these values.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where they do not fit the tag, or are of another store; [`ErrorKind::Limit`] where the
    /// store's exceptions take too much memory.
    pub fn new(mut store: impl AsStoreMut, tag: Tag, values: &[Val]) -> Result<ExnRef> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let ty = tag.ty(inner.view())?;
        check_types(inner, values, &ty.params, "value", &ty)?;
        let mut raw: SmallVec<[ValRaw; 8]> = SmallVec::with_capacity(values.len());
        for value in values {
            raw.push(value.to_raw_in(inner)?);
        }
        // SAFETY: tag and values were checked.
        unsafe {
            let ptr = inner.exceptions.add(tag.ptr, raw.as_ptr())?;
            (*ptr.as_ptr()).kept = 1;
            Ok(ExnRef { store: inner.id, ptr })
        }
    }

    fn check(&self, inner: &StoreInner) -> Result<()> {
        inner.check(self.store)
    }

    /// Its tag.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, as in all methods here.
    pub fn tag(&self, store: impl AsStore) -> Result<Tag> {
        self.check(store.as_store().inner())?;
        // SAFETY: just checked.
        Ok(Tag { store: self.store, ptr: unsafe { tag_of(self.ptr) } })
    }

    /// What it carries.
    ///
    /// # Errors
    /// As [`ExnRef::tag`].
    pub fn values(&self, store: impl AsStore) -> Result<Vec<Val>> {
        let store = store.as_store();
        let ty = self.tag(store)?.ty(store)?;
        let of = store.inner().giving();
        // SAFETY: it has values of its tag's types.
        let value = |(i, ty): (usize, &_)| unsafe { Val::from_raw_in(of, *values_of(self.ptr).add(i), *ty) };
        Ok(ty.params.iter().enumerate().map(value).collect())
    }

    /// The error by which a host function throws it. It keeps it from being collected.
    ///
    /// # Errors
    /// As [`ExnRef::tag`].
    pub fn throw(&self, store: impl AsStore) -> Result<Error> {
        let inner = store.as_store().inner();
        self.check(inner)?;
        // SAFETY: just checked.
        Ok(unsafe { uncaught(inner, *self) }.into())
    }
}
