//! Where the standard streams come from and go to.

use super::errno::{Errno, Failure};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// A host's function that gets what a guest writes, each write as it comes. It may call into the store, but a guest
/// that then writes to the same stream gets `EDEADLK`.
pub type OutputFn = Box<dyn FnMut(&[u8]) + Send>;

/// A host's function that fills a buffer from its front when a guest reads, and says how many bytes it wrote there.
/// None is the end of the input; more than the buffer holds is a failure, which the guest sees as `EIO`. It may call
/// into the store, but a guest that then reads the same stream gets `EDEADLK`.
pub type InputFn = Box<dyn FnMut(&mut [u8]) -> usize + Send>;

/// A callback. Its lock is only ever tried: who does not get it is called from inside it.
pub(super) struct Callback<F>(Arc<Mutex<F>>);

impl<F> Clone for Callback<F> {
    fn clone(&self) -> Self {
        Callback(self.0.clone())
    }
}

impl<F> Callback<F> {
    pub(super) fn new(function: F) -> Self {
        Callback(Arc::new(Mutex::new(function)))
    }

    /// The function, unless it is running.
    pub(super) fn get(&self) -> Result<MutexGuard<'_, F>, Failure> {
        match self.0.try_lock() {
            Ok(function) => Ok(function),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Errno::WouldDeadlock.into()),
        }
    }
}

/// What guests wrote, kept in memory for the host, which can read it while they run and afterwards. Clones are the same
/// buffer. A guest that fills it up to its limit gets `ENOSPC`.
#[derive(Clone, Debug)]
pub struct OutputBuffer {
    limit: usize,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl OutputBuffer {
    /// An empty buffer that holds at most `limit` bytes.
    pub fn new(limit: usize) -> OutputBuffer {
        OutputBuffer { limit, bytes: Arc::default() }
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of what is in it.
    pub fn contents(&self) -> Vec<u8> {
        self.bytes().clone()
    }

    /// What is in it; afterwards it is empty.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes())
    }

    /// Adds as much of this as there is room for: how much that is.
    pub(super) fn append(&self, more: &[u8]) -> Result<usize, Failure> {
        let mut bytes = self.bytes();
        let room = self.limit.saturating_sub(bytes.len());
        if room == 0 && !more.is_empty() {
            return Err(Errno::NoSpace.into());
        }
        let len = more.len().min(room);
        bytes.try_reserve(len).map_err(|_| Errno::NoSpace)?;
        bytes.extend_from_slice(&more[..len]);
        Ok(len)
    }
}

/// Where standard input comes from.
pub(super) enum Input {
    Empty,
    Inherit,
    Bytes { bytes: Vec<u8>, at: usize },
    Callback(Callback<InputFn>),
}

/// Where standard output goes to.
pub(super) enum Output {
    Null,
    Stdout,
    Stderr,
    Callback(Callback<OutputFn>),
    Buffer(OutputBuffer),
}

/// A standard stream.
pub(super) enum Stream {
    Input(Input),
    Output(Output),
}

impl Stream {
    pub(super) fn is_terminal(&self) -> bool {
        match self {
            Stream::Input(Input::Inherit) => std::io::stdin().is_terminal(),
            Stream::Output(Output::Stdout) => std::io::stdout().is_terminal(),
            Stream::Output(Output::Stderr) => std::io::stderr().is_terminal(),
            _ => false,
        }
    }
}
