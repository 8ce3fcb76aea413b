//! The one error type. It says what was wrong, where in the Wasm binary if there is a where, and what to do.

use super::{WasmOffset, text};
use std::any::Any;
use std::borrow::Cow;
use std::fmt;

/// `Result` with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] reports. The numbers are the C ABI's error codes: stable, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are no valid Wasm module; or no serialized module, or a damaged one.
    InvalidModule = 1,
    /// The module uses a proposal that is not there or not enabled, or was serialized by an engine of another version,
    /// configuration or kind of machine; the message names it.
    Unsupported = 2,
    /// An import is missing or has another type than the module asks for.
    Link = 3,
    /// A limit was reached: of the configuration, of a type, or of the implementation.
    Limit = 4,
    /// The operating system refused memory, a mapping or a file.
    System = 5,
    /// An argument does not fit: a wrong type, a wrong count, an object of another store.
    Argument = 6,
    /// The call is not allowed in this state, for instance attaching a debugger while a frame is live.
    State = 7,
    /// An earlier panic or exception left the store unusable.
    Poisoned = 8,
    /// A callback or the library panicked; the store it happened in is poisoned.
    Panic = 9,
    /// The guest trapped. The runtime's `Trap` is the payload.
    Trap = 10,
    /// A host function failed with an error of its own.
    Host = 11,
    /// The work was cancelled by its caller.
    Cancelled = 12,
}

/// An error: kind, message, and the Wasm offset it belongs to where there is one.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    offset: Option<WasmOffset>,
    payload: Option<Box<dyn Any + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: text::printable(message.into()).into(), offset: None, payload: None }))
    }

    /// One that says what is known when this is compiled, and carries `payload`: made and dropped quickly.
    pub(crate) fn known(kind: ErrorKind, message: &'static str, payload: Box<dyn Any + Send + Sync>) -> Self {
        Self(Box::new(Inner { kind, message: Cow::Borrowed(message), offset: None, payload: Some(payload) }))
    }

    /// The operating system's last error (`errno`), for the call named `what`.
    #[cold]
    pub fn last_os_error(what: &str) -> Self {
        let error = std::io::Error::last_os_error();
        Self::new(ErrorKind::System, format!("{what} failed: {error}"))
    }

    /// The same error, placed at `offset` of the Wasm binary.
    #[must_use]
    pub fn at(mut self, offset: WasmOffset) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// The same error, carrying `payload` (a trap, a host's own error).
    #[must_use]
    pub fn with_payload(mut self, payload: Box<dyn Any + Send + Sync>) -> Self {
        self.0.payload = Some(payload);
        self
    }

    /// The same error with `context: ` in front of its message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = text::printable(format!("{context}: {}", self.0.message)).into();
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was wrong, without the offset.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where in the Wasm binary, if the error belongs to a place there.
    pub fn offset(&self) -> Option<WasmOffset> {
        self.0.offset
    }

    /// The payload as a `T`, if there is one of that type.
    pub fn payload<T: 'static>(&self) -> Option<&T> {
        self.0.payload.as_ref()?.downcast_ref()
    }

    /// The same, to change.
    pub fn payload_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.0.payload.as_mut()?.downcast_mut()
    }

    /// Takes the payload out as a `T`, or gives the error back.
    pub fn into_payload<T: 'static>(mut self) -> Result<Box<T>, Self> {
        match self.0.payload.take().map(|payload| payload.downcast()) {
            Some(Ok(payload)) => Ok(payload),
            Some(Err(payload)) => {
                self.0.payload = Some(payload);
                Err(self)
            }
            None => Err(self),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match self.0.offset {
            Some(offset) => write!(f, " (at Wasm offset {:#x})", offset.get()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}
