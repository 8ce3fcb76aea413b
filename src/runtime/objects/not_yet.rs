//! What a host function says that cannot answer yet: that the host will, or that it would block.

use crate::base::{Error, ErrorKind};
use std::time::Instant;

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

/// What the system is waited for with: see [`Call::blocked`](crate::runtime::Call::blocked).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// The time that is waited for, if one is.
    pub until: Option<Instant>,
    /// The descriptors that are waited for: it goes on with the first that is ready.
    pub descriptors: Vec<BlockedOn>,
}

/// A descriptor of the process that a guest waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockedOn {
    /// Its number.
    pub descriptor: i32,
    /// Whether there is to be room to write, in the place of something to read.
    pub write: bool,
}

/// The word of a host function of ours that it would block, and has done nothing yet: returned as its error, it has the
/// guest wait, and the function be called again with the same parameters when the call is gone on with. Only those may
/// say it that have asked [`Caller::may_wait`](crate::runtime::Caller::may_wait).
#[derive(Clone, Debug)]
pub(crate) struct WouldBlock {
    /// What it waits for.
    pub(crate) on: Blocked,
    /// What it is to be told when it is called again.
    pub(crate) memo: u64,
}

impl From<WouldBlock> for Error {
    fn from(blocked: WouldBlock) -> Error {
        Error::known(ErrorKind::State, "a host function would block where nobody can wait for it", Box::new(blocked))
    }
}
