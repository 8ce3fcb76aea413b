//! The boundary every exported function stands behind: panics stop here, errors find the channel the function has.
//!
//! Which that is follows from what the function returns, and so does what NULL does where none may be: an error is
//! returned ([`or_error`]); a pointer or a `bool` says that there is one, and `stepwell_last_error()` has it
//! ([`or_null`]); a number, or nothing, cannot say so, and the process ends with a message that names function and
//! parameter ([`or_abort`], [`or_value`], [`or_last_error`]). `tests/c/misuse` holds each function of the headers
//! against this.

use super::abort::abort;
use super::check;
use super::error_object::ErrorObject;
use super::handles::stepwell_error_t;
use super::last::set_last;
use super::own::{Own, is_misuse};
use crate::base::{Error, ErrorKind, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a function returns when it failed and `stepwell_last_error()` says why.
pub(in crate::capi) trait Outcome {
    /// The value that means failure.
    fn failed() -> Self;
}

impl<T> Outcome for Own<T> {
    fn failed() -> Self {
        Own::null()
    }
}

impl<T> Outcome for *const T {
    fn failed() -> Self {
        std::ptr::null()
    }
}

impl<T> Outcome for *mut T {
    fn failed() -> Self {
        std::ptr::null_mut()
    }
}

impl Outcome for bool {
    fn failed() -> Self {
        false
    }
}

/// Runs the body of `function`, which reports failure by its result (NULL, false) and `stepwell_last_error()`.
pub(in crate::capi) fn or_null<R: Outcome>(function: &str, body: impl FnOnce() -> Result<R>) -> R {
    caught(function, body).unwrap_or_else(|error| {
        set_last(error);
        R::failed()
    })
}

/// Runs the body of `function`, which reports failure by the error it returns.
pub(in crate::capi) fn or_error(function: &str, body: impl FnOnce() -> Result<()>) -> Own<stepwell_error_t> {
    match caught(function, body) {
        Ok(()) => Own::null(),
        Err(error) => Own::new(ErrorObject::new(error)),
    }
}

/// Runs the body of `function`, whose result is a number or nothing, so that no failure can be told by it: it ends the
/// process with a message.
pub(in crate::capi) fn or_abort<R>(function: &str, body: impl FnOnce() -> Result<R>) -> R {
    caught(function, body).unwrap_or_else(|error| end(function, error))
}

/// Ends the process with the error of `function`, which has no way to tell it.
fn end(function: &str, error: Error) -> ! {
    // Errors about arguments name it already.
    let named = error.kind() == ErrorKind::Argument;
    let error = if named { error } else { error.context(format_args!("`{function}`")) };
    abort(&error.to_string())
}

/// Runs the body of `function`, whose result is a number, of which `failed` is what no success gives:
/// `stepwell_last_error()` says why. Where C passed NULL, which is a mistake of the host's and no state that it may
/// have come to, the process ends, as in all functions that return a number.
pub(in crate::capi) fn or_value<R>(function: &str, failed: R, body: impl FnOnce() -> Result<R>) -> R {
    caught(function, body).unwrap_or_else(|error| {
        if is_misuse(&error) {
            end(function, error);
        }
        set_last(error);
        failed
    })
}

/// Runs the body of a `_delete` function, or of another one without a result: its failure `stepwell_last_error()` alone
/// tells. NULL where none may be ends the process, as in all functions without a result.
pub(in crate::capi) fn or_last_error(function: &str, body: impl FnOnce() -> Result<()>) {
    or_value(function, (), body);
}

/// The body's result; a panic is an error, and a misused argument is reported with the function's name.
pub(in crate::capi) fn caught<R>(function: &str, body: impl FnOnce() -> Result<R>) -> Result<R> {
    let _called = check::Called::new(function);
    // The state a panic may leave broken is the store's, which is poisoned on the way (see `store`).
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.kind() == ErrorKind::Argument => Err(error.context(format_args!("`{function}`"))),
        Ok(Err(error)) => Err(error),
        Err(payload) => {
            Err(Error::new(ErrorKind::Panic, format!("`{function}` panicked: {}", panic_message(&*payload))))
        }
    }
}

/// What a panic said.
fn panic_message(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "(no message)",
    }
}
