//! `wasm_val_t`: values, and their way between C and the engine.

use super::plumbing::cell::StoreCell;
use super::plumbing::guard::or_abort;
use super::plumbing::handles::wasm_ref_t;
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, plain};
use super::plumbing::{check, v128, vec};
use super::valtype::{kind_of, of_kind, wasm_valkind_t};
use super::vecs::wasm_val_vec_t;
use crate::base::{Error, ErrorKind, Family, Result};
use crate::runtime::{AsStoreMut, ExternRef, Val};
use crate::wasm::{RefType, ValType};
use std::sync::Arc;

/// A 32-bit float.
pub type float32_t = f32;

/// A 64-bit float.
pub type float64_t = f64;

/// What a value holds, by its kind. (A `v128` is looked at by `stepwell_val_v128` of stepwell/value.h.)
#[repr(C)]
#[derive(Clone, Copy)]
pub union wasm_val_union_t {
    /// Of `WASM_I32`.
    pub i32: i32,
    /// Of `WASM_I64`.
    pub i64: i64,
    /// Of `WASM_F32`.
    pub f32: float32_t,
    /// Of `WASM_F64`.
    pub f64: float64_t,
    /// Of `WASM_EXTERNREF`, `WASM_FUNCREF`, `STEPWELL_VALKIND_EXNREF` and `STEPWELL_VALKIND_ANYREF`; NULL is null.
    pub r#ref: *mut wasm_ref_t,
}

/// A value. An owned value owns its reference, or the bytes of its `v128`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wasm_val_t {
    /// What it is, one of `enum wasm_valkind_enum` or of `enum stepwell_valkind_enum`.
    pub kind: wasm_valkind_t,
    /// What it holds.
    pub of: wasm_val_union_t,
}

/// What a value can own.
enum Owned {
    Nothing,
    Reference,
    V128,
}

/// What values of this kind own.
fn owned_by(kind: wasm_valkind_t) -> Owned {
    match of_kind(kind, "") {
        Ok(ValType::V128) => Owned::V128,
        Ok(ValType::Ref(_)) => Owned::Reference,
        _ => Owned::Nothing,
    }
}

/// A copy that is owned on its own.
///
/// # Safety
/// A value that is a reference holds NULL or a live handle, and one that is a `v128` NULL or 16 bytes.
pub(super) unsafe fn copy_val(val: &wasm_val_t) -> wasm_val_t {
    let mut copy = *val;
    match owned_by(val.kind) {
        Owned::Nothing => {}
        // SAFETY: by the contract.
        Owned::Reference => unsafe {
            check::passed(val.of.r#ref.cast_const(), "src");
            if let Some(object) = val.of.r#ref.cast::<Object>().as_ref() {
                copy.of.r#ref = Own::<wasm_ref_t>::new(object.clone()).into_raw();
            }
        },
        // SAFETY: by the contract.
        Owned::V128 => copy.of.r#ref = v128::owned(*unsafe { v128::bytes(val.of.r#ref, "src") }),
    }
    copy
}

/// Frees what a value owns, and leaves null.
///
/// # Safety
/// As [`copy_val`], and what it owns is not used again.
pub(super) unsafe fn delete_val(val: &mut wasm_val_t) {
    match owned_by(val.kind) {
        Owned::Nothing => {}
        // SAFETY: by the contract.
        Owned::Reference => unsafe {
            Own::<wasm_ref_t>::from_raw(val.of.r#ref).delete("wasm_val_delete", "v");
            val.of.r#ref = std::ptr::null_mut();
        },
        // SAFETY: by the contract.
        Owned::V128 => unsafe { v128::delete(&mut val.of.r#ref) },
    }
}

/// A value as C has it, owned by C.
#[inline]
pub(super) fn to_c(cell: &Arc<StoreCell>, store: impl AsStoreMut, val: Val) -> wasm_val_t {
    // All bytes are defined.
    let mut of = wasm_val_union_t { i64: 0 };
    match val {
        Val::I32(value) => of.i32 = value,
        Val::I64(value) => of.i64 = value,
        // As bits, so that no NaN changes on the way.
        Val::F32(bits) => of.i32 = bits as i32,
        Val::F64(bits) => of.i64 = bits as i64,
        Val::V128(_) | Val::FuncRef(_) | Val::ExternRef(_) | Val::ExnRef(_) | Val::AnyRef(_) => {
            return owning_to_c(cell, store, val);
        }
    }
    wasm_val_t { kind: kind_of(val.ty()), of }
}

/// The same for what C has a pointer to: apart, so that numbers are not in its way.
#[inline(never)]
fn owning_to_c(cell: &Arc<StoreCell>, store: impl AsStoreMut, val: Val) -> wasm_val_t {
    let pointer = match val {
        Val::V128(bytes) => v128::owned(bytes),
        val => ref_to_c(cell, store, val).into_raw(),
    };
    let of = wasm_val_union_t { r#ref: pointer };
    wasm_val_t { kind: kind_of(val.ty()), of }
}

/// A reference as C has it; NULL is null.
pub(super) fn ref_to_c(cell: &Arc<StoreCell>, mut store: impl AsStoreMut, val: Val) -> Own<wasm_ref_t> {
    let kind = match val {
        Val::FuncRef(Some(func)) => Kind::Func(func),
        Val::ExternRef(Some(reference)) => match reference.data(&store.as_store_mut()) {
            Ok(data) => data.downcast_ref::<Kind>().cloned().unwrap_or(Kind::Foreign(reference)),
            Err(_) => Kind::Foreign(reference),
        },
        Val::ExnRef(Some(exception)) => Kind::Exception(exception),
        Val::AnyRef(Some(reference)) => Kind::Any(reference),
        _ => return Own::null(),
    };
    Own::new(Object::new(cell, kind))
}

/// A value as C is shown it, for no longer than `val` is there. [`take_back`] ends it.
pub(super) fn lend_to_c(cell: &Arc<StoreCell>, store: impl AsStoreMut, val: &Val) -> wasm_val_t {
    match val {
        Val::V128(bytes) => {
            wasm_val_t { kind: kind_of(ValType::V128), of: wasm_val_union_t { r#ref: v128::lent(bytes) } }
        }
        val => to_c(cell, store, *val),
    }
}

/// Frees what was made to lend a value.
///
/// # Safety
/// It was made by [`lend_to_c`], and is not used again.
pub(super) unsafe fn take_back(val: &mut wasm_val_t) {
    if val.kind != kind_of(ValType::V128) {
        // SAFETY: a reference was made for it.
        unsafe { delete_val(val) };
    }
}

/// A value that C passed, which C keeps.
///
/// # Safety
/// As [`copy_val`].
pub(super) unsafe fn from_c(
    cell: &Arc<StoreCell>,
    store: impl AsStoreMut,
    val: &wasm_val_t,
    param: &str,
) -> Result<Val> {
    let ty = of_kind(val.kind, param)?;
    // SAFETY: the field of the kind; a reference as the contract says.
    unsafe {
        Ok(match ty {
            ValType::I32 => Val::I32(val.of.i32),
            ValType::I64 => Val::I64(val.of.i64),
            ValType::F32 => Val::F32(val.of.i32 as u32),
            ValType::F64 => Val::F64(val.of.i64 as u64),
            ValType::V128 => Val::V128(*v128::bytes(val.of.r#ref, param)),
            ValType::Ref(ty) => return ref_from_c(cell, store, ty, val.of.r#ref, param),
        })
    }
}

/// A reference of type `ty` that C passed, which C keeps.
///
/// # Safety
/// The pointer is NULL or a live handle.
pub(super) unsafe fn ref_from_c(
    cell: &Arc<StoreCell>,
    store: impl AsStoreMut,
    ty: RefType,
    reference: *const wasm_ref_t,
    param: &str,
) -> Result<Val> {
    check::passed(reference, param);
    // SAFETY: by the contract.
    let Some(object) = (unsafe { reference.cast::<Object>().as_ref() }) else { return Ok(Val::null(ty.heap)) };
    if !Arc::ptr_eq(cell, &object.cell) {
        return Err(Error::new(ErrorKind::Argument, format!("`{param}` is a reference of another store")));
    }
    match (ty.heap.family(), &object.kind) {
        (Family::Func, Kind::Func(func)) => Ok(Val::FuncRef(Some(*func))),
        (Family::Func, _) => Err(Error::new(ErrorKind::Argument, format!("`{param}` is no function"))),
        (Family::Exn, Kind::Exception(exception)) => Ok(Val::ExnRef(Some(*exception))),
        (Family::Exn, _) => Err(Error::new(ErrorKind::Argument, format!("`{param}` is no exception"))),
        (Family::Extern, Kind::Foreign(reference)) => Ok(Val::ExternRef(Some(*reference))),
        (Family::Any, Kind::Any(reference)) => Ok(Val::AnyRef(Some(*reference))),
        (Family::Any, _) => Err(Error::new(ErrorKind::Argument, format!("`{param}` is nothing that a guest has made"))),
        // Any object of the host can be an external reference.
        (Family::Extern, kind) => {
            // Each time it is a new one, of which no handle is ever made.
            cell.note_garbage();
            let value = Box::new(kind.clone());
            Ok(Val::ExternRef(Some(match kind.root() {
                Some(root) => ExternRef::holding(store, value, root)?,
                None => ExternRef::new(store, value)?,
            })))
        }
    }
}

/// The values of a vector that C passed, which C keeps; NULL counts as empty.
///
/// # Safety
/// The vector is valid, or the pointer NULL.
pub(super) unsafe fn list_from_c(
    cell: &Arc<StoreCell>,
    mut store: impl AsStoreMut,
    vec: *const wasm_val_vec_t,
    param: &str,
) -> Result<smallvec::SmallVec<[Val; 8]>> {
    // SAFETY: by the contract.
    let Some(vec) = (unsafe { vec.as_ref() }) else { return Ok(smallvec::SmallVec::new()) };
    if vec.size > 0 && vec.data.is_null() {
        return Err(Error::new(ErrorKind::Argument, format!("`{param}` has a size of {} but no data", vec.size)));
    }
    // SAFETY: by the contract.
    unsafe { vec::elements(vec).iter().map(|val| from_c(cell, store.as_store_mut(), val, param)).collect() }
}

/// Frees what a value owns. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_delete(val: Own<wasm_val_t>) {
    or_abort("wasm_val_delete", || {
        // SAFETY: C passes a valid value or NULL.
        if let Some(val) = unsafe { val.into_raw().as_mut() } {
            // SAFETY: as above.
            unsafe { delete_val(val) };
        }
        Ok(())
    });
}

/// Writes a copy of a value to `out`, which owns a reference of its own.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_copy(out: Out<wasm_val_t>, source: *const wasm_val_t) {
    or_abort("wasm_val_copy", || {
        let out = out.check("out")?;
        // SAFETY: C passes a valid value or NULL.
        let copy = unsafe { copy_val(plain(source, "source")?) };
        // SAFETY: `out` is C's.
        unsafe { out.write(copy) };
        Ok(())
    });
}
