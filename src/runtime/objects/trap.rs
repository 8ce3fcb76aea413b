//! Traps as the host is told of them: data, of no store.

use crate::abi::TrapCode;
use crate::base::{Error, ErrorKind, Escaped, FuncIndex, Result, WasmOffset, printable};
use crate::dwarf::Location;
use crate::runtime::compiled::module::Module;
use crate::runtime::objects::handles::{ExnRef, InstanceId};
use crate::runtime::objects::roots::Rooted;
use crate::wasm::readable;
use std::fmt;
use std::sync::Arc;

/// The most frames a trap prints.
const MAX_SHOWN: usize = 32;

/// A trap: why, and where. The payload of errors of kind [`ErrorKind::Trap`]. Host functions return one to trap with
/// a message of their own.
#[derive(Clone, Debug)]
pub struct Trap {
    pub(in crate::runtime) code: Option<TrapCode>,
    pub(in crate::runtime) message: String,
    pub(in crate::runtime) frames: Vec<FrameInfo>,
    pub(in crate::runtime) omitted: usize,
    pub(in crate::runtime) exit_status: Option<i32>,
    /// What was thrown, if it is an exception that nobody has caught.
    pub(in crate::runtime) exception: Option<Arc<Thrown>>,
    /// The core dump, or why there is none, if one was asked for.
    pub(in crate::runtime) core_dump: Option<Arc<Result<Vec<u8>>>>,
}

/// An exception of a store, on its way through the host. It is kept meanwhile.
#[derive(Debug)]
pub(in crate::runtime) struct Thrown {
    pub(in crate::runtime) exception: ExnRef,
    pub(in crate::runtime) _rooted: Rooted,
}

impl Trap {
    /// A trap of the host's.
    pub fn new(message: impl Into<String>) -> Trap {
        let message = message.into();
        Trap {
            code: None,
            message,
            frames: Vec::new(),
            omitted: 0,
            exit_status: None,
            exception: None,
            core_dump: None,
        }
    }

    /// A trap for a reason that the specification knows.
    pub fn from_code(code: TrapCode) -> Trap {
        Trap { code: Some(code), ..Trap::new(code.message()) }
    }

    /// The end of a program that asked for it, with the exit status that it gave.
    pub fn exit(status: i32) -> Trap {
        Trap { exit_status: Some(status), ..Trap::new(format!("the program exited with status {status}")) }
    }

    /// The exit status, if this is a program's end that it asked for.
    pub fn exit_status(&self) -> Option<i32> {
        self.exit_status
    }

    /// The exception, if this is one that nobody has caught. A host function that returns the error hands it on.
    pub fn exception(&self) -> Option<ExnRef> {
        Some(self.exception.as_ref()?.exception)
    }

    /// The reason; `None` for a trap of the host's, and for an exception.
    pub fn code(&self) -> Option<TrapCode> {
        self.code
    }

    /// What was wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The Wasm frames that were live, innermost first; of very many the innermost 1,024.
    pub fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }

    /// The core dump that was made of it: see [`Store::set_core_dumps`](crate::runtime::Store::set_core_dumps).
    ///
    /// # Errors
    /// [`ErrorKind::State`] where none was made, and what making it has failed with: [`ErrorKind::Limit`] where
    /// memories have more than 1 GiB that is not zero.
    pub fn core_dump(&self) -> Result<&[u8]> {
        match self.core_dump.as_deref() {
            Some(Ok(dump)) => Ok(dump),
            Some(Err(error)) => Err(Error::new(error.kind(), error.message())),
            None => Err(Error::new(ErrorKind::State, self.why_no_dump())),
        }
    }

    #[cold]
    fn why_no_dump(&self) -> &'static str {
        match self.exit_status {
            Some(_) => "a program that has ended itself leaves no core dump",
            None => {
                "the trap has no core dump: none was asked for before the guest was left, or it has left no guest yet"
            }
        }
    }

    /// Whether a core dump is to be made of it where it leaves a guest of a store that is asked for them.
    pub(in crate::runtime) fn wants_core_dump(&self) -> bool {
        self.core_dump.is_none() && self.exit_status.is_none()
    }

    /// How many outer frames were left out.
    pub fn frames_omitted(&self) -> usize {
        self.omitted
    }
}

impl From<Trap> for Error {
    fn from(trap: Trap) -> Error {
        Error::new(ErrorKind::Trap, trap.message.clone()).with_payload(Box::new(trap))
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.message.clone()))?;
        if self.frames.is_empty() {
            return Ok(());
        }
        f.write_str("\nwasm backtrace:")?;
        for (i, frame) in self.frames.iter().take(MAX_SHOWN).enumerate() {
            write!(f, "\n  {i:>3}: {frame}")?;
            let locations = frame.locations();
            for (i, location) in locations.iter().enumerate() {
                match location.function().filter(|_| i + 1 < locations.len()) {
                    Some(inlined) => write!(f, "\n         in {} at {location}, inlined", readable(inlined))?,
                    None => write!(f, "\n         at {location}")?,
                }
            }
        }
        let more = self.frames.len().saturating_sub(MAX_SHOWN) + self.omitted;
        if more > 0 { write!(f, "\n       ... and {more} more") } else { Ok(()) }
    }
}

/// A frame of a trap. It is data, and can be taken to other stores.
#[derive(Clone, Debug)]
pub struct FrameInfo {
    pub(in crate::runtime) module: Module,
    pub(in crate::runtime) instance: Option<InstanceId>,
    pub(in crate::runtime) func: FuncIndex,
    pub(in crate::runtime) offset: WasmOffset,
}

impl FrameInfo {
    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The module's name, if it has one.
    pub fn module_name(&self) -> Option<&str> {
        self.module.name()
    }

    /// The function's index, imports counted.
    pub fn func(&self) -> FuncIndex {
        self.func
    }

    /// The function's name, if it has one, as the module has it. What is displayed is demangled and escaped.
    pub fn func_name(&self) -> Option<&str> {
        self.module.info().func_name(self.func)
    }

    /// The instruction: the one that trapped, or the call the frame is in.
    pub fn offset(&self) -> WasmOffset {
        self.offset
    }

    /// Where in the source that is, if the module has DWARF: see [`Module::locations`].
    pub fn locations(&self) -> Vec<Location<'_>> {
        self.module.locations(self.offset)
    }

    /// The same, counted from the start of the function's body.
    pub fn func_offset(&self) -> u32 {
        self.offset.get().saturating_sub(self.module.body_start(self.func).get())
    }
}

impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} - {}!", self.offset.get(), Escaped(self.module_name().unwrap_or("<unnamed>")))?;
        match self.func_name() {
            Some(name) => f.write_str(&readable(name)),
            None => write!(f, "<function {}>", self.func),
        }
    }
}
