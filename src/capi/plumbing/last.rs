//! The last error of each thread, for functions that can say of a failure only that there was one.

use super::error_object::ErrorObject;
use super::handles::stepwell_error_t;
use super::own::lend;
use crate::base::Error;
use std::cell::RefCell;

thread_local! {
    static LAST: RefCell<Option<Box<ErrorObject>>> = const { RefCell::new(None) };
}

/// Remembers the error for `stepwell_last_error`.
pub(in crate::capi) fn set_last(error: Error) {
    // A thread that is going away has nobody left to ask.
    let _ = LAST.try_with(|last| *last.borrow_mut() = Some(Box::new(ErrorObject::new(error))));
}

/// What it is, if there is one.
pub(in crate::capi) fn last() -> *const stepwell_error_t {
    LAST.try_with(|last| match &*last.borrow() {
        Some(error) => lend(&**error),
        None => std::ptr::null(),
    })
    .unwrap_or(std::ptr::null())
}

/// Forgets it.
pub(in crate::capi) fn clear_last() {
    let _ = LAST.try_with(|last| last.borrow_mut().take());
}
