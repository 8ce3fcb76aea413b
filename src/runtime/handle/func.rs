//! Functions as the host has them: handles, dynamic and typed calls.

use crate::abi::{HOST_FUNC, VMContext, VMFuncRef, ValRaw};
use crate::base::{Error, ErrorKind, FuncIndex, Result};
use crate::isa::HostToWasm;
use crate::runtime::control::call;
use crate::runtime::handle::typed::{MAX_VALUES, WasmValues, func_type};
use crate::runtime::handle::values::check_types;
use crate::runtime::objects::handles::{Func, Instance};
use crate::runtime::objects::host::{HostHead, HostOrigin};
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut};
use crate::sys::symbol_at;
use crate::wasm::{FuncType, HeapType, readable};
use smallvec::SmallVec;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

impl Func {
    /// # Safety
    /// The handle was checked against the store.
    #[inline]
    unsafe fn get(self, _: &StoreInner) -> &VMFuncRef {
        // SAFETY: the caller's promise.
        unsafe { self.ptr.as_ref() }
    }

    /// Its type.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store.
    pub fn ty(&self, store: impl AsStore) -> Result<FuncType> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        Ok(inner.engine.signature(unsafe { self.get(inner) }.sig).told())
    }

    /// Its type as what references to it refer to.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store.
    pub fn heap_type(&self, store: impl AsStore) -> Result<HeapType> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        Ok(inner.engine.signature(unsafe { self.get(inner) }.sig).heap())
    }

    /// How many parameters and results it has.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store.
    pub fn arity(&self, store: impl AsStore) -> Result<(usize, usize)> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        let signature = inner.engine.signature(unsafe { self.get(inner) }.sig);
        let ty = signature.func();
        Ok((ty.params.len(), ty.results.len()))
    }

    /// Calls it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where values do not fit its type; [`ErrorKind::Trap`], with a
    /// [`Trap`](crate::runtime::Trap) as payload, where the guest trapped; whatever error a host function returned.
    ///
    /// # Panics
    /// When a host function panicked: the panic goes on here, and the store is poisoned.
    pub fn call(&self, mut store: impl AsStoreMut, params: &[Val], results: &mut [Val]) -> Result<()> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        let signature = inner.engine.signature(unsafe { self.get(inner) }.sig);
        let ty = signature.func();
        check_types(inner, params, &ty.params, "parameter", ty)?;
        if results.len() != ty.results.len() {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("room for {} results given for a function of type {ty}", results.len()),
            ));
        }
        let mut values: SmallVec<[ValRaw; 8]> = SmallVec::new();
        for value in params {
            values.push(value.to_raw_in(inner)?);
        }
        values.resize(params.len().max(results.len()), ValRaw::default());
        let trampoline = self.trampoline(inner)?;
        // SAFETY: the values are of the function's type, and no reference to the store's inside is held.
        unsafe { call::invoke(store.ptr(), self.ptr, trampoline, values.as_mut_ptr())? };
        let of = store.as_store().inner().giving();
        for ((to, raw), ty) in results.iter_mut().zip(&values).zip(&ty.results) {
            // SAFETY: the function wrote results of its type.
            *to = unsafe { Val::from_raw_in(of, *raw, *ty) };
        }
        Ok(())
    }

    /// Calls it on raw values: parameters are taken from the array, results written over them from its start.
    ///
    /// # Safety
    /// The array has room for the larger of parameters and results, and holds parameters of the function's type,
    /// references of this store.
    ///
    /// # Errors
    /// As [`Func::call`], without the check of types.
    pub unsafe fn call_raw(&self, mut store: impl AsStoreMut, values: *mut ValRaw) -> Result<()> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        inner.check(self.store)?;
        let trampoline = self.trampoline(inner)?;
        // SAFETY: the caller's promise.
        unsafe { call::invoke(store.ptr(), self.ptr, trampoline, values) }
    }

    /// How to call it: `None` for a function of the host, which is called directly.
    fn trampoline(&self, inner: &StoreInner) -> Result<Option<HostToWasm>> {
        // SAFETY: the callers have checked the handle.
        let func = unsafe { self.get(inner) };
        if func.func == HOST_FUNC {
            return Ok(None);
        }
        Ok(Some(inner.engine.signature(func.sig).host_to_wasm(&inner.engine)?))
    }

    /// The same function with its type known to Rust, for fast calls.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where its type is another.
    pub fn typed<P: WasmValues, R: WasmValues>(&self, store: impl AsStore) -> Result<TypedFunc<P, R>> {
        const {
            assert!(P::TYPES.len() <= MAX_VALUES && R::TYPES.len() <= MAX_VALUES);
        }
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        let signature = inner.engine.signature(unsafe { self.get(inner) }.sig);
        let ty = signature.func();
        if *ty.params != *P::TYPES || *ty.results != *R::TYPES {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("the function's type is {}, not {}", ty, func_type::<P, R>()),
            ));
        }
        Ok(TypedFunc { func: *self, trampoline: self.trampoline(inner)?, types: PhantomData })
    }

    /// The same function, ready for fast calls on raw values by hosts that know its type at run time only.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where its type is another.
    pub fn prepare(&self, store: impl AsStore, ty: &FuncType) -> Result<RawFunc> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        // SAFETY: just checked.
        let signature = inner.engine.signature(unsafe { self.get(inner) }.sig);
        let found = signature.func();
        if found != ty {
            let message = format!("the function's type is {found}, not {ty}");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        Ok(RawFunc { func: *self, trampoline: self.trampoline(inner)? })
    }

    /// The instance it belongs to and its index there, or `None` for a function of the host.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store.
    pub fn module_function(&self, store: impl AsStore) -> Result<Option<(Instance, FuncIndex)>> {
        let inner = store.as_store().inner();
        inner.check(self.store)?;
        // SAFETY: just checked; the vmctx of a guest's function is its instance's.
        unsafe {
            let func = self.get(inner);
            if func.func == HOST_FUNC {
                return Ok(None);
            }
            let instance = (*func.vmctx.cast::<VMContext>()).instance.cast::<InstanceData>();
            let instance = NonNull::new_unchecked(instance);
            Ok(Some((Instance::from_parts(inner.id, instance), FuncIndex::new(func.func))))
        }
    }

    /// Says where a host function comes from. Of a guest's function nothing is said.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store.
    pub fn set_origin(&self, mut store: impl AsStoreMut, origin: HostOrigin) -> Result<()> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        inner.check(self.store)?;
        // SAFETY: just checked; the vmctx of a host function is its head, which nobody else looks at now.
        unsafe {
            let func = self.get(inner);
            if func.func == HOST_FUNC {
                (*func.vmctx.cast::<HostHead>()).origin = origin;
            }
        }
        Ok(())
    }

    /// Where a host function comes from; none for a guest's function, and with another store.
    pub fn origin(&self, store: impl AsStore) -> Option<HostOrigin> {
        let inner = store.as_store().inner();
        inner.check(self.store).ok()?;
        // SAFETY: as above.
        unsafe {
            let func = self.get(inner);
            (func.func == HOST_FUNC).then(|| (*func.vmctx.cast::<HostHead>()).origin)
        }
    }

    /// The name of a host function, as far as it has one: of the engine's own the names by which they are imported, of
    /// others the symbol of the function at that address, demangled. The system knows only symbols that are exported
    /// for dynamic linking, by a library or by a program that was linked for it (`-rdynamic`). None for a closure of
    /// Rust's, for a guest's function, and with another store.
    pub fn host_symbol(&self, store: impl AsStore) -> Option<String> {
        match self.origin(store)? {
            HostOrigin::Closure => None,
            HostOrigin::Callback(address) => Some(readable(&symbol_at(address)?)),
            HostOrigin::Ours(name) => Some(name.to_owned()),
        }
    }

    /// As compiled code has it, without a check.
    pub fn as_raw(&self) -> *mut VMFuncRef {
        self.ptr.as_ptr()
    }
}

/// A function that is called on raw values. Calling it allocates nothing and compares no types.
#[derive(Clone, Copy, Debug)]
pub struct RawFunc {
    func: Func,
    trampoline: Option<HostToWasm>,
}

impl RawFunc {
    /// Calls it: parameters are taken from the array, results written over them from its start.
    ///
    /// # Safety
    /// As [`Func::call_raw`].
    ///
    /// # Errors
    /// As [`Func::call`], without the check of types.
    #[inline]
    pub unsafe fn call(&self, mut store: impl AsStoreMut, values: *mut ValRaw) -> Result<()> {
        let mut store = store.as_store_mut();
        store.inner().check(self.func.store)?;
        // SAFETY: the caller's promise.
        unsafe { call::invoke(store.ptr(), self.func.ptr, self.trampoline, values) }
    }
}

/// A function whose type Rust knows. Calling it allocates nothing.
pub struct TypedFunc<P, R> {
    func: Func,
    trampoline: Option<HostToWasm>,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}

impl<P: WasmValues, R: WasmValues> TypedFunc<P, R> {
    /// Calls it.
    ///
    /// # Errors
    /// As [`Func::call`].
    ///
    /// # Panics
    /// As [`Func::call`].
    #[inline]
    pub fn call(&self, mut store: impl AsStoreMut, params: P) -> Result<R> {
        let mut store = store.as_store_mut();
        store.inner().check(self.func.store)?;
        let mut values = [MaybeUninit::<ValRaw>::uninit(); MAX_VALUES];
        let array = values.as_mut_ptr().cast::<ValRaw>();
        // SAFETY: the array has room for all parameters and results, `typed` has compared the types, and no reference
        // to the store's inside is held during the call.
        unsafe {
            params.store(store.as_store(), array)?;
            call::invoke(store.ptr(), self.func.ptr, self.trampoline, array)?;
            Ok(R::load(store.as_store(), array))
        }
    }

    /// The function.
    pub fn func(&self) -> Func {
        self.func
    }
}
