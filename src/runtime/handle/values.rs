//! Values on their way between the host and compiled code.

use crate::abi::{EXTERN_OF_GUEST, VMException, ValRaw};
use crate::base::{Defined, DefinedKind, Error, ErrorKind, HeapType, Result};
use crate::runtime::objects::externs::ExternSlot;
use crate::runtime::objects::handles::{AnyRef, ExnRef, ExternRef, Func, HeldAt, Root};
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut};
use crate::wasm::{FuncType, Subtype, ValType};
use std::any::Any;
use std::ptr::null_mut;

impl Val {
    /// As compiled code has it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a reference of another store.
    pub fn to_raw(&self, store: impl AsStore) -> Result<ValRaw> {
        self.to_raw_in(store.as_store().inner())
    }

    pub(in crate::runtime) fn to_raw_in(self, store: &StoreInner) -> Result<ValRaw> {
        // All bytes are defined, so that no slot ever holds the remains of another value.
        let mut raw = ValRaw::default();
        match self {
            Val::I32(value) => raw.i32 = value,
            Val::I64(value) => raw.i64 = value,
            Val::F32(bits) => raw.f32 = bits,
            Val::F64(bits) => raw.f64 = bits,
            Val::V128(bytes) => raw.v128 = bytes,
            Val::FuncRef(func) => raw.funcref = func_to_raw(func, store)?,
            Val::ExternRef(value) => raw.externref = extern_to_raw(value, store)?,
            Val::ExnRef(value) => raw.exnref = exn_to_raw(value, store)?,
            Val::AnyRef(value) => raw.anyref = any_to_raw(value, store)?,
        }
        Ok(raw)
    }

    /// From what compiled code has.
    ///
    /// # Safety
    /// `raw` holds a value of type `ty` of this store.
    #[inline]
    pub unsafe fn from_raw(store: impl AsStore, raw: ValRaw, ty: ValType) -> Val {
        // SAFETY: handed on to the caller.
        unsafe { Val::from_raw_in(store.as_store().inner().giving(), raw, ty) }
    }
}

#[inline]
pub(in crate::runtime) fn func_to_raw(func: Option<Func>, store: &StoreInner) -> Result<*mut crate::abi::VMFuncRef> {
    match func {
        None => Ok(null_mut()),
        Some(func) => {
            store.check(func.store)?;
            Ok(func.ptr.as_ptr())
        }
    }
}

#[inline]
pub(in crate::runtime) fn extern_to_raw(value: Option<ExternRef>, store: &StoreInner) -> Result<u64> {
    match value {
        None => Ok(0),
        Some(value) => {
            store.check(value.store)?;
            match value.of_guest {
                Some(held) => {
                    check_held(store, value.index, held)?;
                    Ok(EXTERN_OF_GUEST | u64::from(value.index))
                }
                None => Ok(u64::from(value.index) + 1),
            }
        }
    }
}

#[inline]
pub(in crate::runtime) fn any_to_raw(value: Option<AnyRef>, store: &StoreInner) -> Result<u32> {
    value.map_or(Ok(0), |value| value.checked_word(store))
}

/// Refuses a reference to what a guest has made that the host holds no more: it may have been collected.
#[inline]
fn check_held(store: &StoreInner, word: u32, held: HeldAt) -> Result<()> {
    if store.roots.holds(word, held) { Ok(()) } else { Err(given_up()) }
}

#[cold]
fn given_up() -> Error {
    Error::new(
        ErrorKind::Argument,
        "the reference was given up: what a guest has made is held until the host function or callback returns that \
         was given it, or until the store collects; root it to hold it longer",
    )
}

impl Val {
    /// The same value, as if it came out of the store now: what held it may go. It is one of the store's.
    pub(crate) fn handed_out(self, store: impl AsStore) -> Val {
        let store = store.as_store();
        let inner = store.inner();
        match self {
            Val::AnyRef(Some(value)) => Val::AnyRef(Some(value.held_at(inner.roots.hand_out(value.to_word())))),
            Val::ExternRef(Some(value @ ExternRef { of_guest: Some(_), index, .. })) => {
                Val::ExternRef(Some(ExternRef { of_guest: Some(inner.roots.hand_out(index)), ..value }))
            }
            value => value,
        }
    }
}

impl AnyRef {
    /// As compiled code has it, if it may be used.
    pub(in crate::runtime) fn checked_word(self, store: &StoreInner) -> Result<u32> {
        if let Some(id) = self.store {
            store.check(id)?;
            check_held(store, self.to_word(), self.held)?;
        }
        Ok(self.to_word())
    }

    /// What it refers to: an object's type, `i31`, or `any` for what is the host's.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store.
    pub fn ty(&self, store: impl AsStore) -> Result<HeapType> {
        self.heap_type(store.as_store().inner())
    }

    fn heap_type(self, store: &StoreInner) -> Result<HeapType> {
        let word = self.checked_word(store)?;
        if self.as_i31().is_some() {
            return Ok(HeapType::I31);
        }
        match (&store.heap, self.as_host()) {
            (Some(heap), None) => Ok(heap.type_of(word).heap()),
            _ => Ok(HeapType::Any),
        }
    }
}

#[inline]
pub(in crate::runtime) fn exn_to_raw(value: Option<ExnRef>, store: &StoreInner) -> Result<*mut VMException> {
    match value {
        None => Ok(null_mut()),
        Some(exception) => {
            store.check(exception.store)?;
            Ok(exception.ptr.as_ptr())
        }
    }
}

impl ExternRef {
    /// Gives `value` to the store.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] after 2^32 - 1 of them.
    pub fn new(store: impl AsStoreMut, value: Box<dyn Any + Send>) -> Result<ExternRef> {
        ExternRef::add(store, ExternSlot { value, holds: None })
    }

    /// Gives `value` to the store; as long as it is there, so is `holds`.
    ///
    /// # Errors
    /// As [`ExternRef::new`], and [`ErrorKind::Argument`] for an object of another store.
    pub fn holding(
        mut store: impl AsStoreMut,
        value: Box<dyn Any + Send>,
        holds: impl Into<Root>,
    ) -> Result<ExternRef> {
        let holds = holds.into();
        store.as_store_mut().inner().check_root(holds)?;
        ExternRef::add(store, ExternSlot { value, holds: Some(holds) })
    }

    /// What a reference of the family of `anyref` is as an external one, as `extern.convert_any` makes it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, and where the host does not hold it any more.
    pub fn convert_any(store: impl AsStore, value: AnyRef) -> Result<ExternRef> {
        let store = store.as_store();
        value.checked_word(store.inner())?;
        Ok(ExternRef::of_any(store.inner().id, value))
    }

    fn add(mut store: impl AsStoreMut, slot: ExternSlot) -> Result<ExternRef> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        Ok(ExternRef { store: inner.id, index: inner.externrefs.add(slot)?, of_guest: None })
    }

    fn check_host(&self) -> Result<()> {
        if self.of_guest.is_some() { Err(of_guest()) } else { Ok(()) }
    }

    /// The host's value.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, after it was collected, and where a guest has made it of a reference
    /// of its own.
    pub fn data<'a>(&self, store: &'a impl AsStore) -> Result<&'a (dyn Any + Send)> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        self.check_host()?;
        Ok(&*inner.externrefs.get(self.index).ok_or_else(collected)?.value)
    }

    /// The host's value, to change.
    ///
    /// # Errors
    /// As [`ExternRef::data`].
    pub fn data_mut<'a>(&self, store: &'a mut impl AsStoreMut) -> Result<&'a mut (dyn Any + Send)> {
        let inner = store.as_store_mut().into_inner();
        inner.check(self.store)?;
        self.check_host()?;
        let slot = inner.externrefs.slots.get_mut(self.index as usize).and_then(Option::as_mut);
        Ok(&mut *slot.ok_or_else(collected)?.value)
    }
}

#[cold]
fn of_guest() -> Error {
    Error::new(
        ErrorKind::Argument,
        "the external reference is one that a guest has made: it has no value of the host's",
    )
}

#[cold]
pub(in crate::runtime) fn collected() -> Error {
    Error::new(ErrorKind::Argument, "the external reference was collected")
}

impl StoreInner {
    /// Refuses what is not of this store, or is not held any more.
    pub(in crate::runtime) fn check_root(&self, root: Root) -> Result<()> {
        if let Some(id) = root.store() {
            self.check(id)?;
        }
        root.made_by_guest().map_or(Ok(()), |made| check_held(self, made.to_word(), made.held))
    }
}

/// Whether a value may stand where one of this type is asked for.
///
/// # Errors
/// [`ErrorKind::Argument`] for a reference of another store.
#[inline]
pub(in crate::runtime) fn fits(store: &StoreInner, value: Val, wanted: ValType) -> Result<bool> {
    if value.ty() == wanted {
        return Ok(true);
    }
    let ValType::Ref(wanted) = wanted else { return Ok(false) };
    match dynamic_type(store, value)? {
        Some(found) => Ok(found.fits(&wanted.heap)),
        None => Ok(wanted.nullable && ValType::Ref(wanted.top()) == value.ty()),
    }
}

/// What a reference refers to; [`None`] of null, and of what is no reference.
///
/// # Errors
/// [`ErrorKind::Argument`] for a reference of another store.
pub(in crate::runtime) fn dynamic_type(store: &StoreInner, value: Val) -> Result<Option<HeapType>> {
    Ok(match value {
        Val::FuncRef(Some(func)) => {
            store.check(func.store)?;
            // SAFETY: a handle of this store refers to a function that is there.
            let id = unsafe { func.ptr.as_ref() }.sig;
            Some(HeapType::Defined(Defined { kind: DefinedKind::Func, id }))
        }
        Val::ExternRef(Some(_)) => Some(HeapType::Extern),
        Val::ExnRef(Some(_)) => Some(HeapType::Exn),
        Val::AnyRef(Some(value)) => Some(value.heap_type(store)?),
        _ => None,
    })
}

/// Refuses values that are not of these types.
pub(in crate::runtime) fn check_types(
    store: &StoreInner,
    values: &[Val],
    types: &[ValType],
    what: &str,
    ty: &FuncType,
) -> Result<()> {
    if values.len() != types.len() {
        return Err(Error::new(
            ErrorKind::Argument,
            format!("{} {what}s given for a function of type {ty}", values.len()),
        ));
    }
    for (i, (value, wanted)) in values.iter().zip(types).enumerate() {
        if !fits(store, *value, *wanted)? {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("{what} {i} is {}, but the function's type is {ty}", value.ty()),
            ));
        }
    }
    Ok(())
}
