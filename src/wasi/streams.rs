//! Where the standard streams come from and go to.

use super::errno::{Errno, Failure};
use std::io::IsTerminal;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::ThreadId;

/// A host's function that gets what a guest writes, each write as it comes. It may call into the store, but a guest
/// that then writes to the same stream gets `EDEADLK`.
pub type OutputFn = Box<dyn FnMut(&[u8]) + Send>;

/// A host's function that fills a buffer from its front when a guest reads, and says how many bytes it wrote there.
/// None is the end of the input; more than the buffer holds is a failure, which the guest sees as `EIO`. It may call
/// into the store, but a guest that then reads the same stream gets `EDEADLK`.
pub type InputFn = Box<dyn FnMut(&mut [u8]) -> usize + Send>;

/// A callback. Who is called from inside it does not get it; other threads of a program wait until it is free.
pub(super) struct Callback<F>(Arc<Running<F>>);

struct Running<F> {
    function: Mutex<F>,
    /// The thread that has it.
    thread: Mutex<Option<ThreadId>>,
}

/// A callback that nobody else runs meanwhile.
pub(super) struct Held<'a, F> {
    function: MutexGuard<'a, F>,
    thread: &'a Mutex<Option<ThreadId>>,
}

impl<F> Deref for Held<'_, F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.function
    }
}

impl<F> DerefMut for Held<'_, F> {
    fn deref_mut(&mut self) -> &mut F {
        &mut self.function
    }
}

impl<F> Drop for Held<'_, F> {
    fn drop(&mut self) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl<F> Clone for Callback<F> {
    fn clone(&self) -> Self {
        Callback(self.0.clone())
    }
}

impl<F> Callback<F> {
    pub(super) fn new(function: F) -> Self {
        Callback(Arc::new(Running { function: Mutex::new(function), thread: Mutex::default() }))
    }

    /// The function, unless this thread runs it.
    pub(super) fn get(&self) -> Result<Held<'_, F>, Failure> {
        let Running { function, thread } = &*self.0;
        let runs = || thread.lock().unwrap_or_else(PoisonError::into_inner);
        let own = std::thread::current().id();
        let function = match function.try_lock() {
            Ok(function) => function,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) if *runs() == Some(own) => return Err(Errno::WouldDeadlock.into()),
            Err(TryLockError::WouldBlock) => function.lock().unwrap_or_else(PoisonError::into_inner),
        };
        *runs() = Some(own);
        Ok(Held { function, thread })
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
