//! What all host functions of C's have in common, however they are made and whatever their callback is told: their
//! values on the way to C and back.

use super::plumbing::abort::watched_for_guest;
use super::plumbing::cell::StoreCell;
use super::plumbing::handles::wasm_trap_t;
use super::plumbing::own::Own;
use super::plumbing::v128;
use super::trap::take_error;
use super::val::{delete_val, from_c, lend_to_c, take_back, to_c, wasm_val_t};
use super::valtype::stepwell_valkind_enum;
use super::vecs::wasm_val_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{AsStoreMut, Caller, Val};
use smallvec::SmallVec;

const V128: u8 = stepwell_valkind_enum::STEPWELL_VALKIND_V128 as u8;

/// Calls a C callback with the values of a guest's call.
pub(super) fn call_back(
    caller: &mut Caller<'_>,
    params: &[Val],
    results: &mut [Val],
    call: impl FnOnce(*const wasm_val_vec_t, *mut wasm_val_vec_t) -> Own<wasm_trap_t>,
) -> Result<()> {
    // SAFETY: the callback gives the trap to us.
    call_guarded(caller, params, results, |args, results| unsafe { succeeded(call(args, results)) })
}

/// What a callback says by the trap it gives away.
///
/// # Safety
/// It is NULL or an owned, live trap.
pub(super) unsafe fn succeeded(trap: Own<wasm_trap_t>) -> Result<()> {
    // SAFETY: by the contract.
    if trap.is_null() { Ok(()) } else { Err(unsafe { take_error(trap) }) }
}

/// The same with a callback whose outcome is known to be one.
pub(super) fn call_guarded(
    caller: &mut Caller<'_>,
    params: &[Val],
    results: &mut [Val],
    call: impl FnOnce(*const wasm_val_vec_t, *mut wasm_val_vec_t) -> Result<()>,
) -> Result<()> {
    let cell = StoreCell::of(&caller.as_store_mut())
        .ok_or_else(|| Error::new(ErrorKind::State, "a host function of the C API was called outside it"))?;
    let mut args: SmallVec<[wasm_val_t; 8]> = SmallVec::with_capacity(params.len());
    for param in params {
        args.push(lend_to_c(&cell, &mut *caller, param));
    }
    let mut given: SmallVec<[wasm_val_t; 8]> = SmallVec::with_capacity(results.len());
    for result in results.iter() {
        // Results are preset to zero and null, which own nothing.
        given.push(to_c(&cell, &mut *caller, *result));
    }
    let args_vec = wasm_val_vec_t { size: args.len(), data: args.as_mut_ptr() };
    let mut results_vec = wasm_val_vec_t { size: given.len(), data: given.as_mut_ptr() };
    let mut outcome = watched_for_guest("a host function", || call(&args_vec, &mut results_vec));
    for (i, (result, value)) in results.iter_mut().zip(&mut given).enumerate() {
        if outcome.is_ok() {
            // Whether they are of the function's type is looked at where they are handed on.
            // SAFETY: the callback left valid values, and gives them to us.
            let taken = unsafe { from_c(&cell, &mut *caller, value, "results") };
            let of_host = |error: Error| Error::new(ErrorKind::Host, format!("result {i} of a host function: {error}"));
            // What holds it is deleted below.
            let kept = taken.map(|value| value.handed_out(&*caller));
            outcome = kept.map(|value| *result = value).map_err(of_host);
        }
        // A host that hands an argument on as it is, as the standard lets it with numbers, gives back what was lent.
        // SAFETY: the field of the kind.
        let is_lent = value.kind == V128 && v128::is_lent_of(unsafe { value.of.r#ref }, params);
        if !is_lent {
            // SAFETY: as above; it is not used again.
            unsafe { delete_val(value) };
        }
    }
    for arg in &mut args {
        // SAFETY: made above; the callback has only borrowed them.
        unsafe { take_back(arg) };
    }
    outcome
}
