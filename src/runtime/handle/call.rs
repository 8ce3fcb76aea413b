//! Calls that can be left in the middle, as hosts have them.

use crate::abi::{HOST_FUNC, VMFuncRef, ValRaw};
use crate::base::{Error, ErrorKind, Result, ValType};
use crate::runtime::control::call::check_stack;
use crate::runtime::control::suspended;
use crate::runtime::handle::values::check_types;
use crate::runtime::objects::handles::Func;
use crate::runtime::objects::not_yet::Blocked;
use crate::runtime::objects::owned::StoreId;
use crate::runtime::objects::values::Val;
use crate::runtime::store::calls::{Awaited, CallName, CallState, Phase};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::leaving;
use crate::runtime::store::views::{AsStore, AsStoreMut, StoreMut, StoreRef};
use crate::wasm::FuncType;
use std::ptr::NonNull;

/// A call of a function on a stack of its own, which can be left in the middle: where a host function that the guest
/// calls has no answer yet ([`NotYet`](crate::runtime::NotYet)), where a slice of fuel or a deadline is over, where
/// WASI would block, or at a stop that a debugger does not answer at once. [`Call::run`] returns then, and goes on from
/// there when it is called again: on whichever thread has the store, and whatever other calls, of this store and of
/// others, have run meanwhile.
///
/// Host functions and callbacks run on the stack of whoever calls `run`, so that nothing of the host's is ever left in
/// the middle. A guest that a host function calls in turn, as usual, cannot wait.
///
/// A call is the store's: it is there until [`Call::delete`], or as long as the store. While there is one whose guest
/// waits, the store is as one with a guest that runs: nothing is collected but what guests make, and no debugger is
/// detached.
///
/// ```
/// use stepwell::runtime::{Call, CallStatus, Config, Engine, Func, NotYet, Store, Val};
/// # fn main() -> stepwell::Result<()> {
/// let engine = Engine::new(Config::default())?;
/// let mut store = Store::new(&engine);
/// let fetch = Func::wrap(&mut store, |key: i32| -> stepwell::Result<i32> { Err(NotYet(key as u64).into()) })?;
/// let call = Call::new(&mut store, fetch, &[Val::I32(7)])?;
/// assert_eq!(call.run(&mut store)?, CallStatus::Waiting(7));
/// // Later:
/// call.answer(&mut store, Ok(&[Val::I32(42)]))?;
/// assert_eq!(call.run(&mut store)?, CallStatus::Finished);
/// assert!(matches!(call.results(&mut store)?[..], [Val::I32(42)]));
/// # call.delete(&mut store)
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    store: StoreId,
    name: CallName,
}

/// Up to where a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallStatus {
    /// It has not been run.
    New,
    /// It runs: who asks is called by its guest.
    Running,
    /// It is done: it has results, or has failed.
    Finished,
    /// A host function that its guest has called has no answer yet. It is known by this number, and given its answer by
    /// [`Call::answer`].
    Waiting(u64),
    /// The slice of fuel is used up.
    OutOfSlice,
    /// The store's deadline is over.
    AtDeadline,
    /// A debugger has said that it will answer a stop later.
    Stopped,
    /// WASI was to wait, for a time or for something to read, and that would block: [`Call::blocked`] says for what.
    Blocked,
}

impl Call {
    /// A call of a function with these parameters, which has not begun.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where values do not fit the function's type, or it is another store's;
    /// [`ErrorKind::Limit`] where the store has as many calls as it may.
    pub fn new(mut store: impl AsStoreMut, func: Func, params: &[Val]) -> Result<Call> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        inner.check(func.store)?;
        // SAFETY: just checked.
        let of = unsafe { func.ptr.as_ref() };
        let signature = inner.engine.signature(of.sig);
        let ty = signature.func();
        check_types(inner, params, &ty.params, "parameter", ty)?;
        let trampoline = match of.func {
            HOST_FUNC => None,
            _ => Some(signature.host_to_wasm(&inner.engine)?),
        };
        let held = raw(inner, &ty.params, params)?;
        let room = ty.params.len().max(ty.results.len());
        if inner.calls.len() >= inner.limits.calls {
            let message =
                format!("the store's limit of {} calls is reached; delete those that are done", inner.limits.calls);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let name = inner.calls.add(CallState::new(func.ptr, trampoline, held, room));
        Ok(Call { store: inner.id, name })
    }

    /// Runs it until it is done, or until its guest waits.
    ///
    /// # Errors
    /// What the guest has ended with, as of [`Func::call`]; then it is done. [`ErrorKind::State`] where it cannot be
    /// run now: it runs, it is done, it has not been answered, or the store runs on another stack.
    /// [`ErrorKind::System`] where the system has no stack for it.
    ///
    /// # Panics
    /// When a host function or a callback panicked: the panic goes on here, and the store is poisoned.
    pub fn run(self, store: impl AsStoreMut) -> Result<CallStatus> {
        self.go_on(store, None)
    }

    /// The same for so much fuel, of what the store has: when that is used up, its guest waits where it next begins a
    /// function or a turn of a loop. A guest that a host function has called goes on beyond that, until it has
    /// returned.
    ///
    /// # Errors
    /// As [`Call::run`]; [`ErrorKind::State`] without [`Config::fuel_slices`](crate::runtime::Config::fuel_slices).
    ///
    /// # Panics
    /// As [`Call::run`].
    pub fn run_slice(self, store: impl AsStoreMut, fuel: u64) -> Result<CallStatus> {
        self.go_on(store, Some(i64::try_from(fuel).unwrap_or(i64::MAX).max(1)))
    }

    fn go_on(self, mut store: impl AsStoreMut, slice: Option<i64>) -> Result<CallStatus> {
        let mut store = store.as_store_mut();
        store.inner().check(self.store)?;
        // SAFETY: the store is lent to us.
        let awaited = unsafe { suspended::run(store.ptr(), self.name, slice)? };
        Ok(awaited.map_or(CallStatus::Finished, status))
    }

    /// Whether its guest waits where the store's deadline in epochs is over, in the place of a trap. When it goes on
    /// with a deadline that is still over, it has until the next epoch. It does not at first.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, and for a call that was deleted.
    pub fn set_waits_at_deadline(self, mut store: impl AsStoreMut, waits: bool) -> Result<()> {
        let mut store = store.as_store_mut();
        let call = self.state(store.inner())?;
        // SAFETY: the call is one of the store, which is lent to us.
        unsafe { (*call.as_ptr()).yields = waits };
        Ok(())
    }

    /// Whether its guest waits where WASI would block: where it sleeps, or reads what is not there yet. When it is gone
    /// on with before that is there, it waits again. It does not wait at first: whoever runs it is blocked. Where a
    /// host function has called the guest in turn, that is always so, and for what is written.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, and for a call that was deleted.
    pub fn set_waits_at_io(self, mut store: impl AsStoreMut, waits: bool) -> Result<()> {
        let mut store = store.as_store_mut();
        let call = self.state(store.inner())?;
        // SAFETY: the call is one of the store, which is lent to us.
        unsafe { (*call.as_ptr()).leaves_to_block = waits };
        Ok(())
    }

    /// What its guest waits for whose WASI would block: the call is to be gone on with at the time, or when the first
    /// of the descriptors is ready.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where its guest does not wait for that; [`ErrorKind::Argument`] as of [`Call::status`].
    pub fn blocked(self, store: impl AsStore) -> Result<Blocked> {
        let call = self.state(store.as_store().inner())?;
        // SAFETY: the call is one of the store, which is lent to us.
        match unsafe { call.as_ref() } {
            CallState { phase: Phase::Waits(Awaited::Io), blocked: Some(blocked), .. } => Ok(blocked.on.clone()),
            _ => Err(Error::new(ErrorKind::State, "the call's guest does not wait where WASI would block")),
        }
    }

    /// Up to where it has come.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, and for a call that was deleted.
    pub fn status(self, store: impl AsStore) -> Result<CallStatus> {
        let call = self.state(store.as_store().inner())?;
        // SAFETY: the call is one of the store, which is lent to us.
        Ok(match unsafe { call.as_ref() }.phase {
            Phase::New => CallStatus::New,
            Phase::Runs => CallStatus::Running,
            Phase::Done => CallStatus::Finished,
            Phase::Waits(awaited) => status(awaited),
        })
    }

    /// The type of the host function that has no answer yet.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where its guest waits for none; [`ErrorKind::Argument`] as of [`Call::status`].
    pub fn awaited_type(self, store: impl AsStore) -> Result<FuncType> {
        let store = store.as_store();
        let (_, asked) = self.asked(store)?;
        // SAFETY: a host function that a guest has called is live.
        Ok(store.inner().engine.signature(unsafe { asked.as_ref() }.sig).told())
    }

    /// Answers the host function that had no answer yet: with its results, or with the error that it has come to, a
    /// [`Trap`](crate::runtime::Trap) for instance. The guest has it when the call is run next.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where its guest waits for no answer, or has got one; [`ErrorKind::Argument`] where the
    /// results are not of the function's type, and as of [`Call::status`]. Then it is not answered.
    pub fn answer(self, mut store: impl AsStoreMut, answer: Result<&[Val]>) -> Result<()> {
        let mut store = store.as_store_mut();
        let (call, asked) = self.asked(store.as_store())?;
        let inner = store.inner();
        // SAFETY: as above; the call is one of the store, which is lent to us.
        unsafe {
            let call = &mut *call.as_ptr();
            if call.answer.is_some() {
                return Err(Error::new(ErrorKind::State, "the host function has been answered already"));
            }
            match answer {
                Ok(results) => {
                    let signature = inner.engine.signature(asked.as_ref().sig);
                    let ty = signature.func();
                    check_types(inner, results, &ty.results, "result", ty)?;
                    call.held.clear();
                    for (ty, value) in ty.results.iter().zip(results) {
                        call.held.push((*ty, value.to_raw_in(inner)?));
                    }
                    call.answer = Some(Ok(()));
                }
                Err(error) => call.answer = Some(Err(error)),
            }
        }
        Ok(())
    }

    /// The host function that has no answer yet.
    fn asked(self, store: StoreRef<'_>) -> Result<(NonNull<CallState>, NonNull<VMFuncRef>)> {
        let call = self.state(store.inner())?;
        // SAFETY: the call is one of the store, which is lent to us.
        let (phase, asked) = unsafe { (call.as_ref().phase, call.as_ref().asked) };
        match (phase, asked) {
            (Phase::Waits(Awaited::Answer(_)), Some(asked)) => Ok((call, asked)),
            _ => Err(Error::new(ErrorKind::State, "the call's guest waits for no answer of a host function")),
        }
    }

    /// Its results, once it has returned. They may be asked for again.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where it has not returned, or has failed; [`ErrorKind::Argument`] as of [`Call::status`].
    pub fn results(self, mut store: impl AsStoreMut) -> Result<Vec<Val>> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let call = self.state(inner)?;
        // SAFETY: the call is one of the store, and its results are of their types.
        unsafe {
            let call = call.as_ref();
            if call.phase != Phase::Done || !call.returned {
                return Err(Error::new(
                    ErrorKind::State,
                    "the call has no results: it has not returned, or has failed",
                ));
            }
            Ok(call.held.iter().map(|(ty, value)| Val::from_raw_in(inner.giving(), *value, *ty)).collect())
        }
    }

    /// Gives it up. A guest that waits is left where it stands, as by a trap that no debugger is told of.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where it runs, or its store on another stack; [`ErrorKind::Argument`] as of
    /// [`Call::status`].
    pub fn delete(self, mut store: impl AsStoreMut) -> Result<()> {
        let mut store = store.as_store_mut();
        let call = self.state(store.inner())?;
        // SAFETY: the call is one of the store, which is lent to us; nobody else has it.
        unsafe {
            if (*call.as_ptr()).phase == Phase::Runs {
                let message = "the call runs: it can be deleted when that has come to its end, or waits";
                return Err(Error::new(ErrorKind::State, message));
            }
            check_stack(store.ptr())?;
            leaving::give_up(store.ptr(), call);
            // What its destructors find is whole.
            let gone = store.inner().calls.remove(self.name);
            drop(gone);
        }
        Ok(())
    }

    /// Does something while its guest stands at a stop that is to be answered: as in a callback that is told of it.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where it stands at none; [`ErrorKind::Argument`] as of [`Call::status`].
    pub fn visit<R>(self, mut store: impl AsStoreMut, look: impl FnOnce(StoreMut<'_>) -> R) -> Result<R> {
        let mut store = store.as_store_mut();
        store.inner().check(self.store)?;
        let at = store.ptr();
        let mut look = Some(look);
        let mut seen = None;
        let mut work = || seen = look.take().map(|look| look(StoreMut::from_inner(at)));
        // SAFETY: the store is lent to us; the view is one of it at that stop.
        unsafe { suspended::visit(at, self.name, &mut work) }?;
        seen.ok_or_else(|| Error::new(ErrorKind::State, "the stop was not looked at"))
    }

    /// What stands behind it.
    fn state(self, inner: &StoreInner) -> Result<NonNull<CallState>> {
        inner.check(self.store)?;
        inner.call_of(self.name)
    }
}

impl StoreRef<'_> {
    /// The call whose guest can wait where it stands: it is the newest, and what asks was not called by a host function
    /// of its.
    pub fn current_call(self) -> Option<Call> {
        let inner = self.inner();
        let call = inner.call_here()?;
        Some(Call { store: inner.id, name: inner.calls.name_of(call)? })
    }

    /// Whether the call that had this number, [`Store::run`](crate::runtime::Store::run), has not ended, whatever runs
    /// now.
    pub fn is_run_live(self, run: u64) -> bool {
        self.inner().is_run_live(run)
    }
}

fn status(awaited: Awaited) -> CallStatus {
    match awaited {
        Awaited::Answer(number) => CallStatus::Waiting(number),
        Awaited::Slice => CallStatus::OutOfSlice,
        Awaited::Deadline => CallStatus::AtDeadline,
        Awaited::Stop => CallStatus::Stopped,
        Awaited::Io => CallStatus::Blocked,
    }
}

/// Values that are of these types, as compiled code has them.
fn raw(inner: &StoreInner, types: &[ValType], values: &[Val]) -> Result<Vec<(ValType, ValRaw)>> {
    types.iter().zip(values).map(|(ty, value)| Ok((*ty, value.to_raw_in(inner)?))).collect()
}
