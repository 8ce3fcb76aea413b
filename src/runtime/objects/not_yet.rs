//! What a host function says that cannot answer yet.

use crate::base::{Error, ErrorKind};

/// A host function's word that it has no answer yet: returned as its error, it has the guest wait, if that was called
/// by a [`Call`](crate::runtime::Call), which is told the number and is given the answer later. Where a guest cannot
/// wait, it ends with the error that this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NotYet(
    /// Whatever the host wants to know it by.
    pub u64,
);

impl From<NotYet> for Error {
    fn from(not_yet: NotYet) -> Error {
        let message = "a host function has no answer yet, and the guest cannot wait for it: it was called as usual, or \
                       by a host function; call it by a call on a stack of its own";
        Error::known(ErrorKind::State, message, Box::new(not_yet))
    }
}
