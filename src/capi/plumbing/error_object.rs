//! What stands behind `stepwell_error_t`.

use super::handles::stepwell_error_t;
use super::own::handle;
use crate::base::{Error, NulText};
use std::sync::OnceLock;

handle!(stepwell_error_t => ErrorObject);

/// An error in C's hands.
pub(in crate::capi) struct ErrorObject {
    pub(in crate::capi) error: Error,
    /// What it says, once C has asked.
    text: OnceLock<NulText>,
}

impl ErrorObject {
    /// The object of an error.
    pub(in crate::capi) fn new(error: Error) -> ErrorObject {
        ErrorObject { error, text: OnceLock::new() }
    }

    /// What it says, with the offset, if there is one.
    pub(in crate::capi) fn text(&self) -> &NulText {
        self.text.get_or_init(|| NulText::new(&self.error.to_string()))
    }
}
