//! Rust types as Wasm types: the parameters and results of typed calls and of host functions.

use crate::abi::ValRaw;
use crate::base::Result;
use crate::runtime::handle::values::{any_to_raw, extern_to_raw, func_to_raw};
use crate::runtime::objects::handles::{AnyRef, ExternRef, Func};
use crate::runtime::objects::values::{any_from_raw, extern_from_raw, func_from_raw};
use crate::runtime::store::views::StoreRef;
use crate::wasm::{FuncType, ValType};

/// The most parameters or results of a typed call.
pub(in crate::runtime) const MAX_VALUES: usize = 16;

/// A Rust type that stands for a Wasm type.
///
/// # Safety
/// `load` and `store` use the field of [`ValRaw`] that `TYPE` has.
pub unsafe trait WasmTy: Copy + Send + 'static {
    /// The Wasm type.
    const TYPE: ValType;
    /// Writes it.
    ///
    /// # Errors
    /// For a reference of another store.
    ///
    /// # Safety
    /// `raw` may be written.
    unsafe fn store(self, store: StoreRef<'_>, raw: *mut ValRaw) -> Result<()>;
    /// Reads it.
    ///
    /// # Safety
    /// `raw` holds a value of `TYPE` of this store.
    unsafe fn load(store: StoreRef<'_>, raw: *const ValRaw) -> Self;
}

/// Implements [`WasmTy`] for a number.
macro_rules! number {
    ($($type:ty: $wasm:ident, $field:ident, $to:expr, $from:expr;)*) => { $(
        // SAFETY: the field is the one of the type.
        unsafe impl WasmTy for $type {
            const TYPE: ValType = ValType::$wasm;
            #[inline]
            unsafe fn store(self, _: StoreRef<'_>, raw: *mut ValRaw) -> Result<()> {
                // SAFETY: the caller's promise.
                unsafe { (*raw).$field = $to(self) };
                Ok(())
            }
            #[inline]
            unsafe fn load(_: StoreRef<'_>, raw: *const ValRaw) -> Self {
                // SAFETY: the caller's promise.
                $from(unsafe { (*raw).$field })
            }
        }
    )* };
}

number! {
    i32: I32, i32, |v| v, |v| v;
    u32: I32, i32, |v| v as i32, |v| v as u32;
    i64: I64, i64, |v| v, |v| v;
    u64: I64, i64, |v| v as i64, |v| v as u64;
    f32: F32, f32, f32::to_bits, f32::from_bits;
    f64: F64, f64, f64::to_bits, f64::from_bits;
    u128: V128, v128, u128::to_le_bytes, u128::from_le_bytes;
}

// SAFETY: a `funcref` in its field.
unsafe impl WasmTy for Option<Func> {
    const TYPE: ValType = ValType::FUNCREF;
    unsafe fn store(self, store: StoreRef<'_>, raw: *mut ValRaw) -> Result<()> {
        let value = func_to_raw(self, store.inner())?;
        // SAFETY: the caller's promise.
        unsafe { (*raw).funcref = value };
        Ok(())
    }
    unsafe fn load(store: StoreRef<'_>, raw: *const ValRaw) -> Self {
        // SAFETY: the caller's promise.
        unsafe { func_from_raw(store.inner().id, *raw) }
    }
}

// SAFETY: a reference of the family of `anyref` in its field.
unsafe impl WasmTy for Option<AnyRef> {
    const TYPE: ValType = ValType::ANYREF;
    unsafe fn store(self, store: StoreRef<'_>, raw: *mut ValRaw) -> Result<()> {
        let value = any_to_raw(self, store.inner())?;
        // SAFETY: the caller's promise.
        unsafe { (*raw).anyref = value };
        Ok(())
    }
    unsafe fn load(store: StoreRef<'_>, raw: *const ValRaw) -> Self {
        // SAFETY: the caller's promise.
        unsafe { any_from_raw(store.inner().giving(), *raw) }
    }
}

// SAFETY: an `externref` in its field.
unsafe impl WasmTy for Option<ExternRef> {
    const TYPE: ValType = ValType::EXTERNREF;
    unsafe fn store(self, store: StoreRef<'_>, raw: *mut ValRaw) -> Result<()> {
        let value = extern_to_raw(self, store.inner())?;
        // SAFETY: the caller's promise.
        unsafe { (*raw).externref = value };
        Ok(())
    }
    unsafe fn load(store: StoreRef<'_>, raw: *const ValRaw) -> Self {
        // SAFETY: the caller's promise.
        unsafe { extern_from_raw(store.inner().giving(), *raw) }
    }
}

/// The values of a call in one direction: `()`, one [`WasmTy`], or a tuple of up to 16.
///
/// # Safety
/// `store` and `load` go by `TYPES`, and `TYPES` has at most 16.
pub unsafe trait WasmValues: Sized + Send + 'static {
    /// The Wasm types.
    const TYPES: &'static [ValType];
    /// Writes them.
    ///
    /// # Errors
    /// For a reference of another store.
    ///
    /// # Safety
    /// As many values may be written at `raw`.
    unsafe fn store(self, store: StoreRef<'_>, raw: *mut ValRaw) -> Result<()>;
    /// Reads them.
    ///
    /// # Safety
    /// `raw` holds values of `TYPES` of this store.
    unsafe fn load(store: StoreRef<'_>, raw: *const ValRaw) -> Self;
}

// SAFETY: one value.
unsafe impl<T: WasmTy> WasmValues for T {
    const TYPES: &'static [ValType] = &[T::TYPE];
    #[inline]
    unsafe fn store(self, store: StoreRef<'_>, raw: *mut ValRaw) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { WasmTy::store(self, store, raw) }
    }
    #[inline]
    unsafe fn load(store: StoreRef<'_>, raw: *const ValRaw) -> Self {
        // SAFETY: the caller's promise.
        unsafe { <T as WasmTy>::load(store, raw) }
    }
}

/// Implements [`WasmValues`] for a tuple.
macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        // SAFETY: by position, and no more than 16.
        #[allow(unused_variables, clippy::unused_unit)]
        unsafe impl<$($name: WasmTy),*> WasmValues for ($($name,)*) {
            const TYPES: &'static [ValType] = &[$($name::TYPE),*];
            #[inline]
            unsafe fn store(self, store: StoreRef<'_>, raw: *mut ValRaw) -> Result<()> {
                // SAFETY: the caller's promise.
                $(unsafe { WasmTy::store(self.$index, store, raw.add($index))? };)*
                Ok(())
            }
            #[inline]
            unsafe fn load(store: StoreRef<'_>, raw: *const ValRaw) -> Self {
                // SAFETY: the caller's promise.
                ($(unsafe { <$name as WasmTy>::load(store, raw.add($index)) },)*)
            }
        }
    };
}

/// Calls a macro with every list of up to 16 names and positions.
macro_rules! for_each_arity {
    ($macro:ident) => {
        $macro!();
        $macro!(A 0);
        $macro!(A 0, B 1);
        $macro!(A 0, B 1, C 2);
        $macro!(A 0, B 1, C 2, D 3);
        $macro!(A 0, B 1, C 2, D 3, E 4);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11, N 12);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11, N 12, O 13);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11, N 12, O 13, P 14);
        $macro!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11, N 12, O 13, P 14, Q 15);
    };
}

pub(in crate::runtime) use for_each_arity;

for_each_arity!(tuple);

/// What a host function may return: values, or a `Result` of them.
pub trait WasmRet: 'static {
    /// The values.
    type Values: WasmValues;
    /// As a result.
    ///
    /// # Errors
    /// What the host function returned.
    fn into_result(self) -> Result<Self::Values>;
}

impl<V: WasmValues> WasmRet for V {
    type Values = V;
    #[inline]
    fn into_result(self) -> Result<V> {
        Ok(self)
    }
}

impl<V: WasmValues> WasmRet for Result<V> {
    type Values = V;
    #[inline]
    fn into_result(self) -> Result<V> {
        self
    }
}

/// The function type of Rust types.
pub(in crate::runtime) fn func_type<P: WasmValues, R: WasmValues>() -> FuncType {
    FuncType::new(P::TYPES.iter().copied(), R::TYPES.iter().copied())
}
