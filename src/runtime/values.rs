//! Values as the host has them, and what instances import and export.

use super::collect::Root;
use super::store::{AsStore, AsStoreMut, StoreId, StoreInner};
use super::{Func, Global, Memory, Table};
use crate::abi::ValRaw;
use crate::base::{Error, ErrorKind, Result};
use crate::wasm::{ExternType, FuncType, ValType};
use std::any::Any;
use std::fmt;
use std::ptr::{NonNull, null_mut};

/// A value of any type. Floats are their bits, so that no NaN changes on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Val {
    /// An `i32`.
    I32(i32),
    /// An `i64`.
    I64(i64),
    /// The bits of an `f32`.
    F32(u32),
    /// The bits of an `f64`.
    F64(u64),
    /// The bytes of a `v128`, lane 0 first.
    V128([u8; 16]),
    /// A function, or null.
    FuncRef(Option<Func>),
    /// A value of the host, or null.
    ExternRef(Option<ExternRef>),
}

impl Val {
    /// Its type.
    pub fn ty(&self) -> ValType {
        match self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::FuncRef(_) => ValType::FuncRef,
            Val::ExternRef(_) => ValType::ExternRef,
        }
    }

    /// The default value of a type: zero or null.
    pub fn default_for(ty: ValType) -> Val {
        match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128([0; 16]),
            ValType::FuncRef => Val::FuncRef(None),
            ValType::ExternRef => Val::ExternRef(None),
        }
    }

    /// The `i32`, if it is one.
    pub fn i32(&self) -> Option<i32> {
        if let Val::I32(value) = self { Some(*value) } else { None }
    }

    /// The `i64`, if it is one.
    pub fn i64(&self) -> Option<i64> {
        if let Val::I64(value) = self { Some(*value) } else { None }
    }

    /// The `f32`, if it is one.
    pub fn f32(&self) -> Option<f32> {
        if let Val::F32(bits) = self { Some(f32::from_bits(*bits)) } else { None }
    }

    /// The `f64`, if it is one.
    pub fn f64(&self) -> Option<f64> {
        if let Val::F64(bits) = self { Some(f64::from_bits(*bits)) } else { None }
    }

    /// As compiled code has it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a reference of another store.
    pub fn to_raw(&self, store: impl AsStore) -> Result<ValRaw> {
        self.to_raw_in(store.as_store().inner())
    }

    pub(super) fn to_raw_in(self, store: &StoreInner) -> Result<ValRaw> {
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
        }
        Ok(raw)
    }

    /// From what compiled code has.
    ///
    /// # Safety
    /// `raw` holds a value of type `ty` of this store.
    pub unsafe fn from_raw(store: impl AsStore, raw: ValRaw, ty: ValType) -> Val {
        // SAFETY: handed on to the caller.
        unsafe { Val::from_raw_in(store.as_store().inner().id, raw, ty) }
    }

    /// # Safety
    /// `raw` holds a value of type `ty` of the store `id`.
    pub(super) unsafe fn from_raw_in(id: StoreId, raw: ValRaw, ty: ValType) -> Val {
        // SAFETY: the field read is the one of the type.
        unsafe {
            match ty {
                ValType::I32 => Val::I32(raw.i32),
                ValType::I64 => Val::I64(raw.i64),
                ValType::F32 => Val::F32(raw.f32),
                ValType::F64 => Val::F64(raw.f64),
                ValType::V128 => Val::V128(raw.v128),
                ValType::FuncRef => Val::FuncRef(func_from_raw(id, raw)),
                ValType::ExternRef => Val::ExternRef(extern_from_raw(id, raw)),
            }
        }
    }
}

#[inline]
pub(super) fn func_to_raw(func: Option<Func>, store: &StoreInner) -> Result<*mut crate::abi::VMFuncRef> {
    match func {
        None => Ok(null_mut()),
        Some(func) => {
            store.check(func.store)?;
            Ok(func.ptr.as_ptr())
        }
    }
}

#[inline]
pub(super) fn extern_to_raw(value: Option<ExternRef>, store: &StoreInner) -> Result<u64> {
    match value {
        None => Ok(0),
        Some(value) => {
            store.check(value.store)?;
            Ok(u64::from(value.index) + 1)
        }
    }
}

/// # Safety
/// `raw` holds a `funcref` of the store `id`.
#[inline]
pub(super) unsafe fn func_from_raw(id: StoreId, raw: ValRaw) -> Option<Func> {
    // SAFETY: handed on to the caller.
    NonNull::new(unsafe { raw.funcref }).map(|ptr| Func { store: id, ptr })
}

/// # Safety
/// `raw` holds an `externref` of the store `id`.
#[inline]
pub(super) unsafe fn extern_from_raw(id: StoreId, raw: ValRaw) -> Option<ExternRef> {
    // SAFETY: handed on to the caller.
    let index = unsafe { raw.externref }.checked_sub(1)?;
    Some(ExternRef { store: id, index: index as u32 })
}

impl From<i32> for Val {
    fn from(value: i32) -> Val {
        Val::I32(value)
    }
}
impl From<i64> for Val {
    fn from(value: i64) -> Val {
        Val::I64(value)
    }
}
impl From<f32> for Val {
    fn from(value: f32) -> Val {
        Val::F32(value.to_bits())
    }
}
impl From<f64> for Val {
    fn from(value: f64) -> Val {
        Val::F64(value.to_bits())
    }
}

/// The external references of a store, each in a slot. A slot that is given back is used again.
#[derive(Default)]
pub(super) struct ExternRefs {
    slots: Vec<Option<ExternSlot>>,
    free: Vec<u32>,
}

/// An external reference's value.
pub(super) struct ExternSlot {
    value: Box<dyn Any + Send>,
    /// What of the store the value holds on to.
    pub(super) holds: Option<Root>,
}

impl ExternRefs {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many slots there are, free ones included.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, index: u32) -> Option<&ExternSlot> {
        self.slots.get(index as usize)?.as_ref()
    }

    fn add(&mut self, slot: ExternSlot) -> Result<u32> {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = Some(slot);
            return Ok(index);
        }
        let index = u32::try_from(self.slots.len())
            .map_err(|_| Error::new(ErrorKind::Limit, "more than 2^32 - 1 external references in one store"))?;
        self.slots.push(Some(slot));
        Ok(index)
    }

    /// Takes out those that are not marked.
    pub(super) fn sweep(&mut self, marked: &[bool]) -> Vec<ExternSlot> {
        let mut gone = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if !marked[index]
                && let Some(slot) = slot.take()
            {
                gone.push(slot);
            }
        }
        // The slots behind the last that is used are given back, too.
        let used = self.slots.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.slots.truncate(used);
        self.slots.shrink_to(2 * used);
        self.free = (0..used as u32).rev().filter(|index| self.slots[*index as usize].is_none()).collect();
        gone
    }
}

/// A value of the host that guests can hold but not look into. The store keeps it until it is collected
/// ([`Store::collect`](super::Store::collect)) or the store is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternRef {
    pub(super) store: StoreId,
    index: u32,
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
        store.as_store_mut().inner().check(holds.store())?;
        ExternRef::add(store, ExternSlot { value, holds: Some(holds) })
    }

    fn add(mut store: impl AsStoreMut, slot: ExternSlot) -> Result<ExternRef> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        Ok(ExternRef { store: inner.id, index: inner.externrefs.add(slot)? })
    }

    /// The host's value.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, or after it was collected.
    pub fn data<'a>(&self, store: &'a impl AsStore) -> Result<&'a (dyn Any + Send)> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        Ok(&*inner.externrefs.get(self.index).ok_or_else(collected)?.value)
    }

    /// The host's value, to change.
    ///
    /// # Errors
    /// As [`ExternRef::data`].
    pub fn data_mut<'a>(&self, store: &'a mut impl AsStoreMut) -> Result<&'a mut (dyn Any + Send)> {
        let inner = store.as_store_mut().into_inner();
        inner.check(self.store)?;
        let slot = inner.externrefs.slots.get_mut(self.index as usize).and_then(Option::as_mut);
        Ok(&mut *slot.ok_or_else(collected)?.value)
    }

    /// A number that is the same for the same reference, and another for every other of its store.
    pub fn number(&self) -> u32 {
        self.index
    }
}

#[cold]
fn collected() -> Error {
    Error::new(ErrorKind::Argument, "the external reference was collected")
}

/// What instances import and export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A global.
    Global(Global),
}

impl Extern {
    /// Its type; memories and tables with their current size.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store.
    pub fn ty(&self, store: impl AsStore) -> Result<ExternType> {
        Ok(match self {
            Extern::Func(func) => ExternType::Func(func.ty(store)?),
            Extern::Table(table) => ExternType::Table(table.ty(store)?),
            Extern::Memory(memory) => ExternType::Memory(memory.ty(store)?),
            Extern::Global(global) => ExternType::Global(global.ty(store)?),
        })
    }

    /// The function, if it is one.
    pub fn func(self) -> Option<Func> {
        if let Extern::Func(func) = self { Some(func) } else { None }
    }

    /// The table, if it is one.
    pub fn table(self) -> Option<Table> {
        if let Extern::Table(table) = self { Some(table) } else { None }
    }

    /// The memory, if it is one.
    pub fn memory(self) -> Option<Memory> {
        if let Extern::Memory(memory) = self { Some(memory) } else { None }
    }

    /// The global, if it is one.
    pub fn global(self) -> Option<Global> {
        if let Extern::Global(global) = self { Some(global) } else { None }
    }

    pub(super) fn store(&self) -> StoreId {
        match self {
            Extern::Func(func) => func.store,
            Extern::Table(table) => table.store,
            Extern::Memory(memory) => memory.store,
            Extern::Global(global) => global.store,
        }
    }
}

impl From<Func> for Extern {
    fn from(func: Func) -> Extern {
        Extern::Func(func)
    }
}
impl From<Table> for Extern {
    fn from(table: Table) -> Extern {
        Extern::Table(table)
    }
}
impl From<Memory> for Extern {
    fn from(memory: Memory) -> Extern {
        Extern::Memory(memory)
    }
}
impl From<Global> for Extern {
    fn from(global: Global) -> Extern {
        Extern::Global(global)
    }
}

/// A type as error messages show it.
pub(super) struct Shown<'a>(pub(super) &'a ExternType);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = |f: &mut fmt::Formatter<'_>, limits: &crate::wasm::Limits| match limits.max {
            Some(max) => write!(f, "{}..={max}", limits.min),
            None => write!(f, "{}..", limits.min),
        };
        match self.0 {
            ExternType::Func(ty) => write!(f, "func {ty}"),
            ExternType::Table(ty) => {
                write!(f, "table of {} with ", ty.element)?;
                limits(f, &ty.limits)?;
                f.write_str(" elements")
            }
            ExternType::Memory(ty) => {
                f.write_str("memory of ")?;
                limits(f, &ty.limits)?;
                f.write_str(" pages")
            }
            ExternType::Global(ty) => {
                write!(f, "{} global of {}", if ty.mutable { "mutable" } else { "immutable" }, ty.content)
            }
        }
    }
}

/// Refuses values that are not of these types.
pub(super) fn check_types(values: &[Val], types: &[ValType], what: &str, ty: &FuncType) -> Result<()> {
    if values.len() != types.len() {
        return Err(Error::new(
            ErrorKind::Argument,
            format!("{} {what}s given for a function of type {ty}", values.len()),
        ));
    }
    for (i, (value, wanted)) in values.iter().zip(types).enumerate() {
        if value.ty() != *wanted {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("{what} {i} is {}, but the function's type is {ty}", value.ty()),
            ));
        }
    }
    Ok(())
}
