//! Accesses to watched memories, from the fault to those who listen.

use crate::base::{Error, ErrorKind, Pc, Result};
use crate::image::{SiteId, Tier};
use crate::isa::{self, ResumeJump, StopContext};
use crate::runtime::control::stop::{AfterStop, tell_stop};
use crate::runtime::control::{call, tell};
use crate::runtime::objects::handles::Memory;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::watched::{Found, MemoryWatch, WIDEST, WatchedRange};
use crate::runtime::store::events::{Event, StopInfo, Touched};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::StoreMut;
use crate::sys::activation;
use crate::sys::watching::{self, OnFault, PageFault, Watcher};
use crate::wasm::plain_width;
use std::ops::Range;
use std::ptr::{NonNull, null};

static WATCHER: Watcher = Watcher { fault, stepped };

impl StoreMut<'_> {
    /// Says which bytes of which memories guests are stopped at when they access them, with [`Event::Access`], and
    /// whether at reads, too. Who asks for it keeps the memories. From where the guest next goes on.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a memory of another store, one that is shared, and bytes beyond its end;
    /// [`ErrorKind::State`] in an engine without signals; what the system refuses.
    pub fn watch_memories(&mut self, ranges: &[(Memory, Range<usize>, bool)]) -> Result<()> {
        let store = self.ptr();
        let inner = self.inner();
        if ranges.is_empty() {
            if let Some(watch) = &mut inner.memory_watch {
                watch.ranges.clear();
                watch.quiet = false;
            }
            return Ok(());
        }
        if !inner.engine.config().signals {
            let message = "watchpoints on memories need signals, which this engine is configured without";
            return Err(Error::new(ErrorKind::State, message));
        }
        let mut found = Vec::with_capacity(ranges.len());
        for (memory, bytes, reads) in ranges {
            let data = memory.get(inner)?;
            if data.shared().is_some() {
                let message = "a shared memory cannot be watched: other threads access it";
                return Err(Error::new(ErrorKind::Argument, message));
            }
            if bytes.is_empty() || bytes.end > data.len() {
                let message =
                    format!("bytes {:#x}..{:#x} are not in a memory of {:#x}", bytes.start, bytes.end, data.len());
                return Err(Error::new(ErrorKind::Argument, message));
            }
            found.push(WatchedRange { memory: memory.ptr, bytes: bytes.clone(), reads: *reads });
        }
        watching::install(&WATCHER)?;
        let head = StopContext { on_stop: on_access };
        let watch = inner.memory_watch.get_or_insert_with(|| Box::new(MemoryWatch::new(head, store.cast())));
        (watch.ranges, watch.quiet) = (found, false);
        Ok(())
    }

    /// Has the guest that stands at the stop being told go on with nothing protected, up to its next stop.
    pub fn go_on_quietly(&mut self) {
        if let Some(watch) = &mut self.inner().memory_watch {
            watch.quiet = true;
        }
    }
}

impl StoreMut<'_> {
    /// Whoever was told of an access, and has looked at what the guest did from there on, says whether it accessed any
    /// of the watched pages. Where it did, it is told of the next such access at once, though that is of no watched
    /// byte.
    pub fn looked_at_accesses(&mut self, found: bool) {
        if let Some(watch) = &mut self.inner().memory_watch {
            watch.looked(found);
        }
    }
}

/// What is watched in the store whose guest this thread runs.
///
/// # Safety
/// In a signal handler.
unsafe fn current() -> Option<NonNull<MemoryWatch>> {
    let act = activation::current();
    if act.is_null() {
        return None;
    }
    // SAFETY: a linked activation is live, and so is its store, which this thread is using.
    unsafe {
        let store = (*(*act).store).store.cast::<StoreInner>();
        (*store).memory_watch.as_deref_mut().map(NonNull::from)
    }
}

/// See [`Watcher::fault`].
///
/// # Safety
/// In a signal handler.
unsafe fn fault(fault: &PageFault) -> OnFault {
    // SAFETY: if the fault is in guest code, nobody is in the middle of changing what is watched, or the registry.
    unsafe {
        let Some(watch) = current() else { return OnFault::NotOurs };
        let watch = &mut *watch.as_ptr();
        let mut found = watch.look(fault, WIDEST);
        let store = &*watch.store.cast::<StoreInner>().as_ptr();
        let Some((slot, at)) = store.registry.lookup(fault.pc).filter(|_| !matches!(found, Found::Elsewhere)) else {
            return OnFault::NotOurs;
        };
        // In production code nobody can say what led there: its accesses are not told.
        if store.registry.get(slot).is_some_and(|code| code.engine.tables().tier == Tier::Production) {
            return if watch.begin_step(fault) { OnFault::Step } else { OnFault::NotOurs };
        }
        // Most instructions are narrower than the widest.
        if matches!(found, Found::Near)
            && let Some(code) = store.registry.get(slot)
            && let Some(wasm) = code.engine.tables().wasm_at(at)
            && let Some(width) = plain_width(store.modules.of_slot(slot).module.binary(), wasm)
        {
            found = watch.look(fault, width);
        }
        if matches!(found, Found::Far) && watch.passes() {
            return if watch.begin_step(fault) { OnFault::Step } else { OnFault::NotOurs };
        }
        watch.fault = Some(*fault);
        OnFault::Stop(&raw mut watch.head)
    }
}

/// See [`Watcher::stepped`].
///
/// # Safety
/// In a signal handler.
unsafe fn stepped() -> bool {
    // SAFETY: handed on to the caller.
    unsafe { current().is_some_and(|watch| (*watch.as_ptr()).end_step()) }
}

/// Called where a guest has accessed what is watched, on its stack, with all its registers saved. What is returned is
/// as from a stop at a site.
unsafe extern "C" fn on_access(context: *mut StopContext, _: usize, fp: usize) -> *const ResumeJump {
    // SAFETY: the context is the head of a store's `MemoryWatch`. When the guest is to end, nothing with a destructor
    // is left here.
    unsafe {
        let store = (*context.cast::<MemoryWatch>()).store.cast::<StoreInner>();
        match accessed(context.cast(), fp) {
            AfterStop::Native => null(),
            AfterStop::Leave => isa::unwind((*store.as_ptr()).vm.activation),
            AfterStop::Replace(jump) => jump,
        }
    }
}

/// Tells those who listen: the guest stands at the last point before the instruction, as if it had not run what is
/// between, which it may run again with the same outcome.
unsafe fn accessed(watch: *mut MemoryWatch, fp: usize) -> AfterStop {
    // SAFETY: the watch and its store are alive; each reference to their insides ends before anybody is told.
    unsafe {
        let store = (*watch).store.cast::<StoreInner>();
        let found = (*watch).fault.take().and_then(|fault| {
            let registry = &(*store.as_ptr()).registry;
            let (slot, at) = registry.lookup(fault.pc)?;
            let tables = registry.get(slot)?.engine.tables();
            let (func, wasm) = (tables.function_at(at)?, tables.wasm_at(at)?);
            let point = tables.complete_before(func, wasm)?;
            let (wasm, shape) = (point.wasm, point.shape);
            let site = point.site.unwrap_or(SiteId(u32::MAX));
            let regions = tables.regions;
            Some(StopInfo { slot, func, site, wasm, shape, pc: Pc::new(fault.pc.get()), fp, regions })
        });
        let Some(info) = found else {
            call::leave_with_error(store, unknown());
            return AfterStop::Leave;
        };
        tell_stop(store, &info, &Event::Access(&info))
    }
}

#[cold]
fn unknown() -> Error {
    Error::new(ErrorKind::Panic, "fault of the debugger: an access to a watched memory by no known instruction")
}

/// Tells those who listen what a bulk instruction is about to do to memories, if it can.
///
/// # Safety
/// As [`lift`]; a guest has called a builtin, and its frame is noted.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn touch(
    store: NonNull<StoreInner>,
    memory: NonNull<MemoryData>,
    (start, len): (u64, u64),
    is_write: bool,
) -> Result<()> {
    // SAFETY: the caller's promise; the memory is one of the store, and each reference ends before anybody is told.
    unsafe {
        let inner = &*store.as_ptr();
        let Some(end) = start.checked_add(len).filter(|end| *end <= memory.as_ref().len() as u64) else {
            return Ok(());
        };
        if len == 0 || inner.memory_watch.as_ref().is_none_or(|watch| watch.ranges.is_empty()) {
            return Ok(());
        }
        let touched = Touched { memory: Memory { store: inner.id, ptr: memory }, bytes: start..end, is_write };
        tell::tell(store, &Event::Touching(&touched)).map(drop)
    }
}
