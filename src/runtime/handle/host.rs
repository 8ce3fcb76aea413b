//! Host functions: what compiled code calls when it calls the host, one wrapper per way of writing one. No panic
//! and no error crosses into guest code: both are left in the store, and the guest is unwound.

use crate::abi::{HOST_FUNC, HostCall, VMContext, VMFuncRef, ValRaw};
use crate::base::{Error, ErrorKind, Result, Shared, TypeId};
use crate::code::broken;
use crate::runtime::compiled::engine::Engine;
use crate::runtime::control::{announce, attachers, call, suspended};
use crate::runtime::handle::typed::{WasmRet, WasmTy, WasmValues, for_each_arity, func_type};
use crate::runtime::handle::values::fits;
use crate::runtime::objects::handles::Func;
use crate::runtime::objects::host::{HostFunc, HostHead, HostOrigin};
use crate::runtime::objects::owned::Owned;
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut, Caller, StoreMut};
use crate::sys::floats::KeptFloats;
use crate::wasm::{FuncType, ValType};
use once_cell::sync::OnceCell;
use smallvec::SmallVec;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// The most parameters or results of a host function.
const MAX_HOST_VALUES: usize = 1000;

/// What an engine has for host functions of a type.
#[derive(Clone, Copy, Debug)]
pub struct KnownType {
    sig: TypeId,
    code: *const c_void,
    above: *const u32,
}

// SAFETY: the addresses of code and of numbers, which are the same on every thread.
unsafe impl Send for KnownType {}
// SAFETY: as above.
unsafe impl Sync for KnownType {}

impl KnownType {
    fn new(engine: &Engine, ty: &FuncType) -> Result<KnownType> {
        if ty.params.len().max(ty.results.len()) > MAX_HOST_VALUES {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("a host function may have at most {MAX_HOST_VALUES} parameters or results"),
            ));
        }
        // The engine keeps the signature, and so the code.
        let signature = engine.signature_of(ty)?;
        Ok(KnownType { sig: signature.id(), code: signature.wasm_to_host(engine)?, above: signature.list() })
    }
}

/// A host function that belongs to no store yet: its type, and what an engine has for it, which is looked up once. What
/// many threads make of it at once they count apart.
pub(in crate::runtime) struct SharedHost<F> {
    ty: FuncType,
    known: OnceCell<(Engine, KnownType)>,
    body: Shared<F>,
}

impl<F> SharedHost<F> {
    pub(in crate::runtime) fn new(ty: FuncType, body: F) -> SharedHost<F> {
        SharedHost { ty, known: OnceCell::new(), body: Shared::new(body) }
    }

    /// Its body, and its type in the engine of a store.
    fn parts(&self, store: &StoreMut<'_>) -> Result<(Shared<F>, KnownType)> {
        let engine = store.engine();
        let (of, known) =
            self.known.get_or_try_init(|| Ok::<_, Error>((engine.clone(), KnownType::new(engine, &self.ty)?)))?;
        let known = if Engine::same(of, engine) { *known } else { KnownType::new(engine, &self.ty)? };
        Ok((self.body.near(), known))
    }
}

impl<F: Fn(Caller<'_>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static> SharedHost<F> {
    /// Makes a function on checked values.
    pub(in crate::runtime) fn checked(&self, store: &mut StoreMut<'_>) -> Result<Func> {
        let (shared, known) = self.parts(store)?;
        let body = move |caller: Caller<'_>, params: &[Val], results: &mut [Val]| shared(caller, params, results);
        checked(store, known, self.ty.clone(), body)
    }
}

impl<F: Fn(Caller<'_>, *mut ValRaw) -> Result<()> + Send + Sync + 'static> SharedHost<F> {
    /// Makes a function on raw values.
    ///
    /// # Safety
    /// As [`Func::new_raw`].
    pub(in crate::runtime) unsafe fn raw(&self, store: &mut StoreMut<'_>) -> Result<Func> {
        let (shared, known) = self.parts(store)?;
        // SAFETY: handed on to the caller.
        unsafe { raw(store, known, move |caller: Caller<'_>, values| shared(caller, values)) }
    }
}

/// Adds a host function to a store, of whose engine the type is.
///
/// # Safety
/// `call` takes a `HostFunc<F>` as its callee and values of the type.
unsafe fn add<F: Send + Sync + 'static>(
    store: &mut StoreMut<'_>,
    KnownType { sig, code, above }: KnownType,
    body: F,
    call: HostCall,
) -> Result<Func> {
    let at = store.ptr();
    let inner = store.inner();
    let host = Owned::new(Box::new(HostFunc {
        head: HostHead {
            call,
            store: at.cast(),
            func_ref: VMFuncRef { code, vmctx: std::ptr::null_mut(), sig, func: HOST_FUNC, above },
            marked: false,
            origin: HostOrigin::Closure,
        },
        body,
    }));
    let object = host.ptr().as_ptr();
    // SAFETY: the object is new and ours.
    let func_ref = unsafe {
        (*object).head.func_ref.vmctx = object.cast();
        NonNull::new_unchecked(&raw mut (*object).head.func_ref)
    };
    let id = inner.id;
    inner.host.push(host.erase());
    Ok(Func { store: id, ptr: func_ref })
}

/// Runs a host function's body; errors and panics are left in the store.
///
/// # Safety
/// `callee` is a live `HostFunc<F>`, `caller` null or a vmctx of its store; the values are its parameters, and its
/// results once the body has succeeded.
#[inline]
unsafe fn guard<F>(
    callee: *mut c_void,
    caller_vmctx: *mut VMContext,
    values: *mut ValRaw,
    body: impl FnOnce(Caller<'_>, &F) -> Result<()>,
) -> bool {
    let host = callee.cast::<HostFunc<F>>();
    // A guest called, unless the host calls its own function.
    let from_guest = !caller_vmctx.is_null();
    // SAFETY: the caller's promise. The closure is only borrowed: host functions are dropped with the store, or by a
    // collection, while none is running.
    let (store, func_ref, caller, closure) = unsafe {
        // A store's inside starts with what guests see of it.
        let store = (*host).head.store.cast::<StoreInner>();
        let func_ref = NonNull::new_unchecked(&raw mut (*host).head.func_ref);
        (store, func_ref, Caller::new(store, caller_vmctx), &(*host).body)
    };
    // SAFETY: the guest that called has been entered.
    let waits = unsafe {
        match from_guest {
            true => match suspended::call_of_newest(store) {
                None => false,
                Some(call) if call.outside > 0 => true,
                // The same once more, from outside of its stack.
                Some(_) => return suspended::call_outside(store, func_ref, caller_vmctx, values),
            },
            false => suspended::calls_host(store),
        }
    };
    // SAFETY: the guest that called has been entered.
    let _floats = from_guest.then(|| unsafe { KeptFloats::of((*store.as_ptr()).vm.activation) });
    // SAFETY: the store is alive; the roots are what it shares with handles.
    let scope = unsafe { (*store.as_ptr()).roots.scope() };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the store is alive, and nothing is borrowed of it.
        unsafe {
            if from_guest && (*store.as_ptr()).watched {
                announce::calling(store, func_ref, values)?;
            }
        }
        let outcome = body(caller, closure);
        // SAFETY: the store is alive, and what the body had of it is at rest.
        unsafe {
            let outcome = match outcome {
                Ok(()) => Ok(()),
                Err(error) => match suspended::is_to_wait(error, waits) {
                    // What has come of it is told when there is an answer.
                    (error, true) => return Err(error),
                    (error, false) => Err(error),
                },
            };
            if from_guest && (*store.as_ptr()).attachers.are_asked() && outcome.is_ok() {
                attachers::serve(store)?;
            }
            if from_guest && (*store.as_ptr()).watched {
                announce::called(store, func_ref, values, outcome)
            } else {
                outcome
            }
        }
    }));
    // SAFETY: as above. The guest, or who has called, has the results now.
    unsafe { (*store.as_ptr()).roots.end_scope(scope) };
    match outcome {
        // SAFETY: as below.
        Ok(Ok(())) if from_guest && unsafe { (*store.as_ptr()).registry.is_broken() } => unsafe {
            // What it goes back to may not be there any more: an edit on the way could neither be done nor be undone.
            call::leave_with_error(store, broken())
        },
        Ok(Ok(())) => true,
        // SAFETY: the store is alive, and no reference to its inside is held here.
        Ok(Err(error)) => unsafe { call::leave_with_error(store, error) },
        // SAFETY: as above.
        Err(payload) => unsafe { call::leave_with_panic(store, payload) },
    }
}

/// The call of closures on raw values.
unsafe extern "C" fn call_raw<F>(callee: *mut c_void, caller: *mut VMContext, values: *mut ValRaw) -> bool
where
    F: Fn(Caller<'_>, *mut ValRaw) -> Result<()>,
{
    // SAFETY: made for this closure by `raw` below.
    unsafe { guard::<F>(callee, caller, values, |caller, body| body(caller, values)) }
}

/// A closure on checked values, with its type.
struct Checked<F> {
    ty: FuncType,
    body: F,
}

unsafe extern "C" fn call_checked<F>(callee: *mut c_void, caller: *mut VMContext, values: *mut ValRaw) -> bool
where
    F: Fn(Caller<'_>, &[Val], &mut [Val]) -> Result<()>,
{
    let body = |caller: Caller<'_>, host: &Checked<F>| {
        let store = StoreMut::from_inner(caller.as_store_ptr());
        let FuncType { params, results, .. } = &host.ty;
        let mut list: SmallVec<[Val; 8]> = SmallVec::with_capacity(params.len() + results.len());
        for (i, ty) in params.iter().enumerate() {
            // SAFETY: the trampoline passes parameters of this type.
            list.push(unsafe { Val::from_raw(&store, *values.add(i), *ty) });
        }
        list.extend(results.iter().map(|ty| Val::default_for(*ty)));
        let (given, wanted) = list.split_at_mut(params.len());
        (host.body)(caller, given, wanted)?;
        for (i, (value, ty)) in wanted.iter().zip(results).enumerate() {
            if !fits(AsStore::as_store(&store).inner(), *value, *ty)? {
                return Err(wrong_result(i, value.ty(), &host.ty));
            }
            // SAFETY: the array has room for the results.
            unsafe { *values.add(i) = value.to_raw(&store)? };
        }
        Ok(())
    };
    // SAFETY: made for this closure by `checked` below.
    unsafe { guard::<Checked<F>>(callee, caller, values, body) }
}

/// Adds a host function on checked values.
fn checked<F>(store: &mut StoreMut<'_>, known: KnownType, ty: FuncType, body: F) -> Result<Func>
where
    F: Fn(Caller<'_>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
{
    // SAFETY: `call_checked` is for this structure and goes by its type.
    unsafe { add(store, known, Checked { ty, body }, call_checked::<F>) }
}

/// Adds a host function on raw values.
///
/// # Safety
/// As [`Func::new_raw`].
unsafe fn raw<F>(store: &mut StoreMut<'_>, known: KnownType, body: F) -> Result<Func>
where
    F: Fn(Caller<'_>, *mut ValRaw) -> Result<()> + Send + Sync + 'static,
{
    // SAFETY: `call_raw` is for this closure, which keeps to the type.
    unsafe { add(store, known, body, call_raw::<F>) }
}

#[cold]
fn wrong_result(i: usize, got: ValType, ty: &FuncType) -> Error {
    Error::new(ErrorKind::Host, format!("a host function of type {ty} returned {got} as result {i}"))
}

impl Func {
    /// A host function: `body` gets the caller, the parameters, and results to overwrite (preset to zero or null).
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for more than 1,000 parameters or results; errors of making its trampoline.
    pub fn new(
        mut store: impl AsStoreMut,
        ty: FuncType,
        body: impl Fn(Caller<'_>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Func> {
        let mut store = store.as_store_mut();
        let known = KnownType::new(store.engine(), &ty)?;
        checked(&mut store, known, ty, body)
    }

    /// A host function on raw values: parameters come in the array, results are written over them from its start.
    ///
    /// # Safety
    /// `body` reads and writes the array as `ty` says, with references of this store only.
    ///
    /// # Errors
    /// As [`Func::new`].
    pub unsafe fn new_raw(
        mut store: impl AsStoreMut,
        ty: FuncType,
        body: impl Fn(Caller<'_>, *mut ValRaw) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Func> {
        let mut store = store.as_store_mut();
        let known = KnownType::new(store.engine(), &ty)?;
        // SAFETY: handed on to the caller.
        unsafe { raw(&mut store, known, body) }
    }

    /// A host function with Rust's types: `Fn(params...) -> results`, or with [`Caller`] as the first parameter; the
    /// result may be a [`Result`].
    ///
    /// # Errors
    /// As [`Func::new`].
    pub fn wrap<Params, Results>(mut store: impl AsStoreMut, body: impl IntoFunc<Params, Results>) -> Result<Func> {
        body.into_func(&mut store.as_store_mut())
    }
}

/// How a function that belongs to no store yet is made.
pub type MakeFunc = dyn Fn(&mut StoreMut<'_>) -> Result<Func> + Send + Sync;

/// Closures that [`Func::wrap`] takes; `Params` and `Results` tell them apart.
pub trait IntoFunc<Params, Results>: Send + Sync + 'static {
    /// The Wasm type.
    fn func_type() -> FuncType;
    /// Makes the function.
    ///
    /// # Errors
    /// As [`Func::wrap`].
    fn into_func(self, store: &mut StoreMut<'_>) -> Result<Func>
    where
        Self: Sized,
    {
        let known = KnownType::new(store.engine(), &Self::func_type())?;
        self.into_known(store, known)
    }
    /// The same, where it is known what the store's engine has for the type.
    ///
    /// # Errors
    /// As [`Func::wrap`].
    fn into_known(self, store: &mut StoreMut<'_>, known: KnownType) -> Result<Func>;
    /// The same closure, shared: what a [`Linker`](crate::runtime::Linker) adds to several stores.
    ///
    /// # Errors
    /// As [`Func::wrap`].
    fn share(self) -> Box<MakeFunc>;
}

/// Implements [`IntoFunc`] for closures of one arity, with and without a caller.
macro_rules! into_func {
    ($($name:ident $index:tt),*) => {
        #[allow(unused_variables, non_snake_case)]
        impl<F, R, $($name),*> IntoFunc<($($name,)*), R> for F
        where
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
            $($name: WasmTy,)*
        {
            fn func_type() -> FuncType {
                func_type::<($($name,)*), R::Values>()
            }
            fn into_known(self, store: &mut StoreMut<'_>, known: KnownType) -> Result<Func> {
                let body = move |_: Caller<'_>, $($name: $name),*| self($($name),*);
                IntoFunc::<(Caller<'_>, $($name,)*), R>::into_known(body, store, known)
            }
            fn share(self) -> Box<MakeFunc> {
                let body = move |_: Caller<'_>, $($name: $name),*| self($($name),*);
                IntoFunc::<(Caller<'_>, $($name,)*), R>::share(body)
            }
        }

        #[allow(unused_variables, non_snake_case)]
        impl<F, R, $($name),*> IntoFunc<(Caller<'_>, $($name,)*), R> for F
        where
            F: Fn(Caller<'_>, $($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
            $($name: WasmTy,)*
        {
            fn func_type() -> FuncType {
                func_type::<($($name,)*), R::Values>()
            }
            fn into_known(self, store: &mut StoreMut<'_>, known: KnownType) -> Result<Func> {
                unsafe extern "C" fn call<F, R, $($name),*>(
                    callee: *mut c_void,
                    caller: *mut VMContext,
                    values: *mut ValRaw,
                ) -> bool
                where
                    F: Fn(Caller<'_>, $($name),*) -> R,
                    R: WasmRet,
                    $($name: WasmTy,)*
                {
                    let run = |caller: Caller<'_>, body: &F| {
                        let store = StoreMut::from_inner(caller.as_store_ptr());
                        // SAFETY: the trampoline passes parameters of these types.
                        $(let $name = unsafe { <$name as WasmTy>::load(store.as_store(), values.add($index)) };)*
                        let results = body(caller, $($name),*).into_result()?;
                        // SAFETY: the array has room for the results.
                        unsafe { results.store(store.as_store(), values) }
                    };
                    // SAFETY: added with this closure below.
                    unsafe { guard::<F>(callee, caller, values, run) }
                }
                // SAFETY: `call` is for this closure and goes by its types.
                unsafe { add(store, known, self, call::<F, R, $($name),*>) }
            }
            fn share(self) -> Box<MakeFunc> {
                let ty = <Self as IntoFunc<(Caller<'_>, $($name,)*), R>>::func_type();
                let host = SharedHost::new(ty, self);
                Box::new(move |store| {
                    let (shared, known) = host.parts(store)?;
                    let body = move |caller: Caller<'_>, $($name: $name),*| shared(caller, $($name),*);
                    IntoFunc::<(Caller<'_>, $($name,)*), R>::into_known(body, store, known)
                })
            }
        }
    };
}

for_each_arity!(into_func);
