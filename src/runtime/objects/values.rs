//! Values of guests, as the host sees them.

use crate::abi::{EXTERN_OF_GUEST, ValRaw};
use crate::base::Family;
use crate::runtime::objects::handles::{AnyRef, ExnRef, ExternRef, Func};
use crate::runtime::objects::owned::StoreId;
use crate::runtime::objects::roots::Roots;
use crate::wasm::{HeapType, ValType};
use std::ptr::NonNull;

/// A store that gives its host a value.
#[derive(Clone, Copy)]
pub(in crate::runtime) struct Giving<'a> {
    pub(in crate::runtime) store: StoreId,
    /// What the host holds already.
    pub(in crate::runtime) roots: &'a Roots,
}

/// A value of any type. Floats are their bits, so that no NaN changes on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
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
    /// An exception, or null.
    ExnRef(Option<ExnRef>),
    /// What a guest has made, or null.
    AnyRef(Option<AnyRef>),
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
            Val::FuncRef(_) => ValType::FUNCREF,
            Val::ExternRef(_) => ValType::EXTERNREF,
            Val::ExnRef(_) => ValType::EXNREF,
            Val::AnyRef(_) => ValType::ANYREF,
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
            ValType::Ref(ty) => Val::null(ty.heap),
        }
    }

    /// The null reference to something of this kind.
    pub fn null(heap: HeapType) -> Val {
        match heap.family() {
            Family::Func => Val::FuncRef(None),
            Family::Extern => Val::ExternRef(None),
            Family::Exn => Val::ExnRef(None),
            Family::Any => Val::AnyRef(None),
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

    /// # Safety
    /// `raw` holds a value of type `ty` of the store.
    #[inline(always)]
    pub(in crate::runtime) unsafe fn from_raw_in(of: Giving<'_>, raw: ValRaw, ty: ValType) -> Val {
        // SAFETY: the field read is the one of the type.
        unsafe {
            match ty {
                ValType::I32 => Val::I32(raw.i32),
                ValType::I64 => Val::I64(raw.i64),
                ValType::F32 => Val::F32(raw.f32),
                ValType::F64 => Val::F64(raw.f64),
                ValType::V128 => Val::V128(raw.v128),
                ValType::Ref(ty) => Val::reference_from_raw(of, raw, ty.heap.family()),
            }
        }
    }

    /// The same of a reference: apart, so that numbers are not in its way.
    ///
    /// # Safety
    /// As [`Val::from_raw_in`].
    #[inline(never)]
    unsafe fn reference_from_raw(of: Giving<'_>, raw: ValRaw, family: Family) -> Val {
        // SAFETY: handed on to the caller.
        unsafe {
            match family {
                Family::Func => Val::FuncRef(func_from_raw(of.store, raw)),
                Family::Extern => Val::ExternRef(extern_from_raw(of, raw)),
                Family::Exn => Val::ExnRef(exn_from_raw(of.store, raw)),
                Family::Any => Val::AnyRef(any_from_raw(of, raw)),
            }
        }
    }
}

/// # Safety
/// `raw` holds a `funcref` of the store `id`.
#[inline]
pub(in crate::runtime) unsafe fn func_from_raw(id: StoreId, raw: ValRaw) -> Option<Func> {
    // SAFETY: handed on to the caller.
    NonNull::new(unsafe { raw.funcref }).map(|ptr| Func { store: id, ptr })
}

/// # Safety
/// `raw` holds an `externref` of the store.
#[inline]
pub(in crate::runtime) unsafe fn extern_from_raw(of: Giving<'_>, raw: ValRaw) -> Option<ExternRef> {
    // SAFETY: handed on to the caller.
    let word = unsafe { raw.externref };
    if word & EXTERN_OF_GUEST != 0 {
        let held = of.roots.hand_out(word as u32);
        return Some(ExternRef { store: of.store, index: word as u32, of_guest: Some(held) });
    }
    Some(ExternRef { store: of.store, index: word.checked_sub(1)? as u32, of_guest: None })
}

/// # Safety
/// `raw` holds a reference of the family of `anyref` of the store.
#[inline]
pub(in crate::runtime) unsafe fn any_from_raw(of: Giving<'_>, raw: ValRaw) -> Option<AnyRef> {
    // SAFETY: handed on to the caller.
    let word = unsafe { raw.anyref };
    AnyRef::from_word(of.store, word, of.roots.hand_out(word))
}

/// # Safety
/// `raw` holds an `exnref` of the store `id`.
#[inline]
pub(in crate::runtime) unsafe fn exn_from_raw(id: StoreId, raw: ValRaw) -> Option<ExnRef> {
    // SAFETY: handed on to the caller.
    NonNull::new(unsafe { raw.exnref }).map(|ptr| ExnRef { store: id, ptr })
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
