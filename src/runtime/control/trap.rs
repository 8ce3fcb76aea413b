//! How a guest is left for a trap: by a signal or by a builtin, on the guest's own stack, with its frames still there
//! until the debugger has seen them.

use crate::abi::TrapCode;
use crate::base::{Error, ErrorKind, Pc, Result};
use crate::isa;
use crate::runtime::control::{dump, frames, tell};
use crate::runtime::objects::handles::Instance;
use crate::runtime::objects::trap::{FrameInfo, Trap};
use crate::runtime::store::events::{Event, EventRecord, PcKind, TrapInfo};
use crate::runtime::store::inner::{Exit, StoreInner};
use crate::runtime::store::views::AsStore;
use crate::sys::activation;
use crate::sys::signals::Landing;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null, null_mut};

/// The most frames a trap keeps; those left out are the outermost.
const MAX_FRAMES: usize = 1024;

/// Decides whether a fault is a guest's: only if it is in code of the store that this thread runs, at an instruction
/// that may trap. Called in the signal handler: no lock, no allocation.
///
/// # Safety
/// For [`signals::install`](crate::sys::signals::install) alone.
pub(in crate::runtime) unsafe fn classify(pc: Pc) -> Option<Landing> {
    let act = activation::current();
    if act.is_null() {
        return None;
    }
    // SAFETY: a linked activation is live, and so is its store, which this thread is using. If the fault is in guest
    // code, nobody is in the middle of changing the registry; if not, nothing is found.
    unsafe {
        let store = (*(*act).store).store.cast::<StoreInner>();
        let (slot, at) = (*store).registry.lookup(pc)?;
        let code = (*store).registry.get(slot)?.engine.tables().trap_at(at)?;
        Some(Landing { function: landing, detail: code as usize })
    }
}

/// Where a fault goes on, on the guest's stack.
unsafe extern "C" fn landing(pc: usize, fp: usize, detail: usize) -> ! {
    // SAFETY: `classify` has found the store through this activation.
    unsafe {
        let store = (*(*activation::current()).store).store.cast::<StoreInner>();
        match TrapCode::from_u8(detail as u8) {
            Some(code) => raise(NonNull::new_unchecked(store), code, pc, fp, PcKind::Exact),
            // A damaged code is no trap of the guest's.
            None => (*store).pending = Some(Exit::Error(unknown_code(detail))),
        }
        // Nothing with a destructor is left in this frame.
        isa::unwind((*store).vm.activation)
    }
}

#[cold]
fn unknown_code(code: usize) -> Error {
    Error::new(ErrorKind::Panic, format!("fault of the engine: a fault with the trap code {code}, which is none"))
}

/// Tells the debugger of a trap, whose frames are intact, and leaves it in the store. The caller unwinds.
///
/// # Safety
/// A frame of the store is live on this thread, stopped at `pc` with frame pointer `fp`; no reference to the store's
/// inside is held.
#[cold]
pub(in crate::runtime) unsafe fn raise(store: NonNull<StoreInner>, code: TrapCode, pc: usize, fp: usize, kind: PcKind) {
    // Functions look whether they fit on the stack before they write to their frames, and nothing else traps so early.
    let set_up = code != TrapCode::StackOverflow;
    // SAFETY: handed on to the caller.
    unsafe { raise_at(store, code, record(store, pc, fp, kind, set_up)) }
}

/// The same, of a frame that is complete, and has been left by a call.
///
/// # Safety
/// As [`raise`], with the frame noted.
#[cold]
pub(in crate::runtime) unsafe fn raise_at_call(store: NonNull<StoreInner>, code: TrapCode) {
    // SAFETY: handed on to the caller.
    unsafe {
        let vm = &(*store.as_ptr()).vm;
        let (pc, fp, kind) = (vm.exit_pc, vm.exit_fp, PcKind::Return);
        raise_at(store, code, record(store, pc, fp, kind, true));
    }
}

/// The record of a trap, for [`raise_at`].
///
/// # Safety
/// As [`raise`].
unsafe fn record(store: NonNull<StoreInner>, pc: usize, fp: usize, kind: PcKind, set_up: bool) -> EventRecord {
    // SAFETY: the store is alive, and the reference ends here.
    let (id, activation) = unsafe { ((*store.as_ptr()).event_ids.next(), (*store.as_ptr()).vm.activation) };
    EventRecord { id, activation, pc, fp, kind, set_up, stop: null(), paid: 0, shown: None, previous: null_mut() }
}

/// The same, of a frame that may be elsewhere than the guest stands.
///
/// # Safety
/// As [`raise`].
#[cold]
pub(in crate::runtime) unsafe fn raise_at(store: NonNull<StoreInner>, code: TrapCode, mut record: EventRecord) {
    let EventRecord { pc, fp, kind, .. } = record;
    let at = store.as_ptr();
    if code == TrapCode::Interrupt {
        // SAFETY: the store is alive, and the reference ends here.
        unsafe { (*at).deadline.clear_interrupt() };
    }
    let work = || -> Result<(), Error> {
        // SAFETY: the store is alive; each reference to its inside ends before anybody is told.
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
            let told = match fp >= (*at).stack_floor {
                true => tell::tell(store, &Event::Trap(&info)).map(drop),
                false => Ok(()),
            };
            // Where it has been said that the frame really is, if it has.
            dump::note(store, told.as_ref().err());
            told?;
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
pub(in crate::runtime) fn with_frames(store: &StoreInner, mut trap: Trap) -> Trap {
    frames::walk(store, |frame| {
        if trap.frames.len() < MAX_FRAMES {
            trap.frames.push(FrameInfo {
                module: frame.module.clone(),
                // SAFETY: an instance whose function is running is not collected.
                instance: frame.instance().map(|instance| unsafe { instance.id_unchecked() }),
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

/// Gives a trap that a host function returned the frames that are live now, if it has none. Other errors stay as they
/// are.
pub(in crate::runtime) fn add_frames(store: &StoreInner, error: Error) -> Error {
    match error.payload::<Trap>() {
        // An exception gets them when it is known that nobody catches it.
        Some(trap) if trap.frames.is_empty() && trap.exception.is_none() => place(store, error),
        _ => error,
    }
}

/// Gives an exception that a host function has thrown, and nobody catches, the frames that are live now, if it has
/// none.
pub(in crate::runtime) fn add_frames_to_exception(store: &StoreInner, error: Error) -> Error {
    match error.payload::<Trap>() {
        Some(trap) if trap.frames.is_empty() => place(store, error),
        _ => error,
    }
}

fn place(store: &StoreInner, error: Error) -> Error {
    match error.into_payload::<Trap>() {
        Ok(trap) => with_frames(store, *trap).into(),
        Err(error) => error,
    }
}

/// The error of a call for which there is too little stack.
#[cold]
pub(in crate::runtime) fn no_stack(store: &StoreInner) -> Error {
    with_frames(store, Trap::from_code(TrapCode::StackOverflow)).into()
}

/// The error of a trap outside any function: during instantiation.
pub(in crate::runtime) fn without_frames(store: &StoreInner, code: TrapCode, message: String) -> Error {
    with_frames(store, Trap { message, ..Trap::from_code(code) }).into()
}

/// The trap of a builtin that was called by a guest.
///
/// # Safety
/// As [`raise`], with the exit frame noted by the builtin's shim.
#[cold]
pub(in crate::runtime) unsafe fn raise_from_builtin(store: NonNull<StoreInner>, code: TrapCode) {
    // SAFETY: handed on to the caller.
    unsafe {
        let vm = &(*store.as_ptr()).vm;
        let (pc, fp) = (vm.exit_pc, vm.exit_fp);
        raise(store, code, pc, fp, PcKind::Return);
    }
}

impl FrameInfo {
    /// The instance, where it is known: production code does not keep it in frames, so with several instances of the
    /// module it is not. Nor is it where it is another store's, or has been collected.
    pub fn instance(&self, store: impl AsStore) -> Option<Instance> {
        store.as_store().inner().instance(self.instance?)
    }
}
