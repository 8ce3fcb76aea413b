//! Traps: what the host is told, and how a guest is left for one: by a signal or by a builtin, on the guest's own stack, with
//! its frames still there until the debugger has seen them.

use super::call::Exit;
use super::events::{self, EventRecord, TrapInfo};
use super::frames::{self, PcKind};
use super::instance::{Instance, InstanceId};
use super::module::Module;
use super::store::{AsStore, StoreInner};
use crate::abi::TrapCode;
use crate::base::{Error, ErrorKind, Escaped, FuncIndex, Result, WasmOffset, printable};
use crate::sys::activation;
use crate::sys::arch;
use crate::sys::signals::{Fault, Landing};
use crate::wasm::{Location, readable};
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// The most frames a trap keeps; those left out are the outermost.
const MAX_FRAMES: usize = 1024;
/// The most frames a trap prints.
const MAX_SHOWN: usize = 32;

/// A trap: why, and where. The payload of errors of kind [`ErrorKind::Trap`]. Host functions return one to trap with
/// a message of their own.
#[derive(Clone, Debug)]
pub struct Trap {
    code: Option<TrapCode>,
    message: String,
    frames: Vec<FrameInfo>,
    omitted: usize,
    exit_status: Option<i32>,
}

impl Trap {
    /// A trap of the host's.
    pub fn new(message: impl Into<String>) -> Trap {
        Trap { code: None, message: message.into(), frames: Vec::new(), omitted: 0, exit_status: None }
    }

    /// A trap for a reason that the specification knows.
    pub fn from_code(code: TrapCode) -> Trap {
        Trap { code: Some(code), message: code.message().to_owned(), frames: Vec::new(), omitted: 0, exit_status: None }
    }

    /// The end of a program that asked for it, with the exit status that it gave.
    pub fn exit(status: i32) -> Trap {
        Trap { exit_status: Some(status), ..Trap::new(format!("the program exited with status {status}")) }
    }

    /// The exit status, if this is a program's end that it asked for.
    pub fn exit_status(&self) -> Option<i32> {
        self.exit_status
    }

    /// The reason; `None` for a trap of the host's.
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
    module: Module,
    instance: Option<InstanceId>,
    func: FuncIndex,
    offset: WasmOffset,
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

    /// The instance, where it is known: production code does not keep it in frames, so with several instances of the module it is not.
    /// Nor is it where it is another store's, or has been collected.
    pub fn instance(&self, store: impl AsStore) -> Option<Instance> {
        self.instance?.find(store.as_store().inner())
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

/// Decides whether a fault is a guest's: only if it is in code of the store that this thread runs, at an instruction that
/// may trap. Called in the signal handler: no lock, no allocation.
///
/// # Safety
/// For [`signals::install`](crate::sys::signals::install) alone.
pub(super) unsafe fn classify(fault: &Fault) -> Option<Landing> {
    let act = activation::current();
    if act.is_null() {
        return None;
    }
    // SAFETY: a linked activation is live, and so is its store, which this thread is using. If the fault is in guest code,
    // nobody is in the middle of changing the registry; if not, nothing is found.
    unsafe {
        let store = (*(*act).store).store.cast::<StoreInner>();
        let (slot, at) = (*store).registry.lookup(fault.pc)?;
        let code = (*store).registry.get(slot)?.engine.tables().trap_at(at)?;
        Some(Landing { function: landing, detail: code as usize })
    }
}

/// Where a fault goes on, on the guest's stack.
unsafe extern "C" fn landing(pc: usize, fp: usize, detail: usize) -> ! {
    // SAFETY: `classify` has found the store through this activation.
    unsafe {
        let store = (*(*activation::current()).store).store.cast::<StoreInner>();
        let code = TrapCode::from_u8(detail as u8).unwrap_or(TrapCode::Unreachable);
        raise(NonNull::new_unchecked(store), code, pc, fp, PcKind::Exact);
        // Nothing with a destructor is left in this frame.
        arch::unwind((*store).vm.activation)
    }
}

/// Tells the debugger of a trap, whose frames are intact, and leaves it in the store. The caller unwinds.
///
/// # Safety
/// A frame of the store is live on this thread, stopped at `pc` with frame pointer `fp`; no reference to the store's inside is held.
#[cold]
pub(super) unsafe fn raise(store: NonNull<StoreInner>, code: TrapCode, pc: usize, fp: usize, kind: PcKind) {
    // Functions look whether they fit on the stack before they write to their frames, and nothing else traps so early.
    let set_up = code != TrapCode::StackOverflow;
    // SAFETY: handed on to the caller.
    unsafe { raise_at(store, code, EventRecord { pc, fp, kind, set_up, shown: None, previous: std::ptr::null_mut() }) }
}

/// The same, of a frame that is complete, and has been left by a call.
///
/// # Safety
/// As [`raise`], with the frame noted.
#[cold]
pub(super) unsafe fn raise_at_call(store: NonNull<StoreInner>, code: TrapCode) {
    // SAFETY: handed on to the caller.
    unsafe {
        let vm = &(*store.as_ptr()).vm;
        let (pc, fp, kind) = (vm.exit_pc, vm.exit_fp, PcKind::Return);
        raise_at(store, code, EventRecord { pc, fp, kind, set_up: true, shown: None, previous: std::ptr::null_mut() });
    }
}

/// The same, of a frame that may be elsewhere than the guest stands.
///
/// # Safety
/// As [`raise`].
#[cold]
pub(super) unsafe fn raise_at(store: NonNull<StoreInner>, code: TrapCode, mut record: EventRecord) {
    let EventRecord { pc, fp, kind, .. } = record;
    let at = store.as_ptr();
    if code == TrapCode::Interrupt {
        // SAFETY: the store is alive, and the reference ends here.
        unsafe { (*at).deadline.clear_interrupt() };
    }
    let work = || -> Result<(), Error> {
        // SAFETY: the store is alive; each reference to its inside ends before the sink runs.
        unsafe {
            let at = store.as_ptr();
            (*at).vm.exit_fp = fp;
            (*at).vm.exit_pc = pc;
            let info = TrapInfo {
                code,
                pc: crate::base::Pc::new(pc),
                fp,
                after_call: kind == PcKind::Return,
                at_stop: matches!(kind, PcKind::Stop(_)),
            };
            // What is below the floor has come of telling of a trap already: nobody is told of another one.
            if fp >= (*at).stack_floor {
                events::tell_trap(store, &info)?;
            }
            // Where the sink has said that the frame really is, if it has.
            Err(with_frames(&*at, Trap::from_code(code)).into())
        }
    };
    // SAFETY: the record is taken back before this returns.
    unsafe {
        let record_at = &raw mut record;
        (*record_at).previous = (*at).events;
        (*at).events = record_at;
        let result = catch_unwind(AssertUnwindSafe(work));
        (*at).events = (*record_at).previous;
        (*at).pending = match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Exit::Error(error)),
            Err(payload) => {
                (*at).poisoned = true;
                Some(Exit::Panic(payload))
            }
        };
    }
}

/// The trap with the frames that are live now.
fn with_frames(store: &StoreInner, mut trap: Trap) -> Trap {
    frames::walk(store, |frame| {
        if trap.frames.len() < MAX_FRAMES {
            trap.frames.push(FrameInfo {
                module: frame.module.clone(),
                // SAFETY: an instance whose function is running is not collected.
                instance: frame.instance().map(|instance| unsafe { instance.id() }),
                func: frame.func,
                offset: frame.wasm,
            });
        } else {
            trap.omitted += 1;
        }
        ControlFlow::Continue(())
    });
    trap
}

/// Gives a trap that a host function returned the frames that are live now, if it has none. Other errors stay as they are.
pub(super) fn add_frames(store: &StoreInner, error: Error) -> Error {
    match error.payload::<Trap>() {
        Some(trap) if trap.frames.is_empty() => {}
        _ => return error,
    }
    match error.into_payload::<Trap>() {
        Ok(trap) => with_frames(store, *trap).into(),
        Err(error) => error,
    }
}

/// The error of a call for which there is too little stack.
#[cold]
pub(super) fn no_stack(store: &StoreInner) -> Error {
    with_frames(store, Trap::from_code(TrapCode::StackOverflow)).into()
}

/// The error of a trap outside any function: during instantiation.
pub(super) fn without_frames(store: &StoreInner, code: TrapCode, message: String) -> Error {
    with_frames(store, Trap { code: Some(code), message, frames: Vec::new(), omitted: 0, exit_status: None }).into()
}

/// The trap of a builtin that was called by a guest.
///
/// # Safety
/// As [`raise`], with the exit frame noted by the builtin's shim.
#[cold]
pub(super) unsafe fn raise_from_builtin(store: NonNull<StoreInner>, code: TrapCode) {
    // SAFETY: handed on to the caller.
    unsafe {
        let vm = &(*store.as_ptr()).vm;
        let (pc, fp) = (vm.exit_pc, vm.exit_fp);
        raise(store, code, pc, fp, PcKind::Return);
    }
}
