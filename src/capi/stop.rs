//! `stepwell_stop_t`: a guest that stands, in the hands of the stop callback.
//!
//! A stop and its frames are numbers that look like pointers, never followed: each use looks the number up among the
//! stops that are live on the thread. So a stop or a frame that is used after its callback returned, or on another
//! thread, is an error, never a dangling pointer.

use super::breakpoint::stepwell_breakpoint_t;
use super::debugger::DebuggerObject;
use super::plumbing::abort::watched;
use super::plumbing::cell::StoreCell;
use super::plumbing::guard::{or_null, or_value};
use super::plumbing::handles::{
    stepwell_debugger_t, stepwell_exception_t, stepwell_frame_t, stepwell_stop_t, wasm_store_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Own, lend, null, string};
use super::trap::stepwell_trap_code_t;
use crate::base::{Error, ErrorKind, NulText, Result, WasmOffset};
use crate::debug::{Action, Debugger, Reason, Stop};
use crate::runtime::Call;
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What the guest is to do after a stop, one of `enum stepwell_action_enum`.
pub type stepwell_action_t = i32;

/// What the guest is to do after a stop. A step ends at the first stop it describes, at a breakpoint on the way, when a
/// guest of the store traps, also one that a host function has called, or when the guest's outermost call returns to
/// the host.
#[repr(C)]
pub enum stepwell_action_enum {
    /// Run to the next breakpoint.
    STEPWELL_ACTION_CONTINUE = 0,
    /// Stop at the next instruction, whatever function it is in: step into calls.
    STEPWELL_ACTION_STEP = 1,
    /// Stop at the next instruction of this frame, or of its caller once it returns; calls run through.
    STEPWELL_ACTION_STEP_OVER = 2,
    /// Stop at the next instruction of the caller.
    STEPWELL_ACTION_STEP_OUT = 3,
    /// End the guest's call with a trap; `stepwell_stop_message_set` sets its message.
    STEPWELL_ACTION_TRAP = 4,
    /// Stop where another line of the source begins, in this function or in one with lines that it calls, there behind
    /// what sets up its frame; functions without lines run through. Once the frame returns, stop at once in the next
    /// one further out that has lines. In a function without lines: step out to one that has some; if there is none, as
    /// `STEPWELL_ACTION_STEP`.
    STEPWELL_ACTION_STEP_LINE = 5,
    /// The same, but calls run through, and so does what is inlined. In a function without lines where no caller has
    /// any, it is `STEPWELL_ACTION_STEP_OVER`.
    STEPWELL_ACTION_NEXT_LINE = 6,
    /// Stop once so many frames are left as `stepwell_stop_step_out_of_set` has said for this stop; without that, one.
    STEPWELL_ACTION_STEP_OUT_OF = 7,
    /// Stop where `stepwell_stop_run_to_offset_set` or `stepwell_stop_run_to_line_set` has said for this stop, in this
    /// frame, or at the next instruction of its caller once it returns; calls run through.
    STEPWELL_ACTION_RUN_TO = 8,
    /// It is not known yet: the guest waits, `stepwell_call_run` returns, and `stepwell_debugger_answer` says it later.
    /// Only a guest that was called by `stepwell_call_run` can wait, and that not by a host function in turn, nor where
    /// a host function is told of: others end with a trap that says so.
    STEPWELL_ACTION_LATER = 9,
}

/// Why a guest was stopped, one of `enum stepwell_stop_enum`.
pub type stepwell_stop_reason_t = i32;

/// Why a guest was stopped. More reasons may come.
#[repr(C)]
pub enum stepwell_stop_enum {
    /// It is about to run an instruction with a breakpoint.
    STEPWELL_STOP_BREAKPOINT = 1,
    /// A step came to its end.
    STEPWELL_STOP_STEP = 2,
    /// It trapped; its frames stand, and are left when the callback returns, whatever it answers. A trap that a host
    /// function returns is none of the guest's.
    STEPWELL_STOP_TRAP = 3,
    /// An exception is thrown, and `stepwell_debugger_stop_at_exceptions_set` asks for its like; its frames stand, and
    /// those that do not catch it are left when the callback returns. A step from here ends where it is caught.
    STEPWELL_STOP_EXCEPTION = 4,
    /// `stepwell_pauser_pause` was called, perhaps by another thread. A step that was under way is over.
    STEPWELL_STOP_PAUSE = 5,
    /// What a watchpoint watches was written, by the instruction before the one that it is about to run:
    /// `stepwell_stop_watchpoint` says by which. A step that was under way is over; breakpoints at the instruction are
    /// told behind this.
    STEPWELL_STOP_WATCHPOINT = 6,
    /// The store has a module that it had not: `stepwell_stop_module`. None of its instances is there yet; breakpoints
    /// may be set in it. This and what follows are told where `stepwell_debugger_events_set` asks for it.
    STEPWELL_STOP_MODULE = 7,
    /// An instance has been made: `stepwell_stop_instance`. Its start function has not been called.
    STEPWELL_STOP_INSTANCE = 8,
    /// A memory has grown, by the `memory.grow` that the guest is at, or by the host: `stepwell_stop_memory`.
    STEPWELL_STOP_MEMORY_GROWN = 9,
    /// A guest calls a host function, which has not begun: `stepwell_stop_host_func`.
    STEPWELL_STOP_HOST_CALL = 10,
    /// A host function returns to the guest that has called it.
    STEPWELL_STOP_HOST_RETURN = 11,
}

/// The stop callback. It runs on the guest's thread, with the store in its hands: it may read state, write memories,
/// globals and tables, change frames, edit breakpoints, call exports (which may stop in turn), and says
/// what the guest is to do. What it changes is seen by the instructions behind the stop, and by none before it. It may
/// not throw or `longjmp`.
pub type stepwell_stop_callback_t =
    Option<unsafe extern "C-unwind" fn(env: *mut c_void, stop: *mut stepwell_stop_t) -> stepwell_action_t>;

/// A stop whose callback is running. It stands in the frame that called the callback, and what it lends is made when it
/// is asked for: most stops are only glanced at.
struct Live {
    /// Never reused, never 0.
    id: u64,
    /// The stop, borrowed by the callback's caller for as long as this is listed. Of one that is answered later: while
    /// it is looked at, else null.
    stop: Cell<*mut Stop<'static>>,
    /// The store, known to the debugger's closure.
    store: *const Weak<StoreCell>,
    cell: OnceCell<Arc<StoreCell>>,
    debugger: OnceCell<DebuggerObject>,
    message: RefCell<Option<String>>,
    /// How many frames are to be left, and where the guest is to run to: what C has said for the actions that need it.
    frames: Cell<Option<usize>>,
    offsets: RefCell<Option<Vec<WasmOffset>>>,
    /// The trap's message, once C has asked.
    trap_message: OnceCell<NulText>,
    /// Whether an expression that is evaluated at the stop may be calling: who is called may not look at it.
    calling: Cell<bool>,
    /// By what the host function of the stop is imported, once C has asked.
    import: OnceCell<Option<(NulText, NulText)>>,
    /// The stop of the thread that began before, and the one that began after. They need not end in that order: each
    /// may stand on a coroutine of its own.
    before: Cell<*const Live>,
    after: Cell<*const Live>,
}

/// A stop, listed for as long as this is there.
struct Listed<'a>(&'a Live);

impl<'a> Listed<'a> {
    fn new(live: &'a Live) -> Self {
        let newest = LIVE.get();
        live.before.set(newest);
        // SAFETY: what is listed stands in a frame of this thread that waits for its callback.
        if let Some(newest) = unsafe { newest.as_ref() } {
            newest.after.set(live);
        }
        LIVE.set(live);
        Listed(live)
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let (before, after) = (self.0.before.get(), self.0.after.get());
        // SAFETY: as above: a stop takes itself out before its frame goes, so its neighbours stand.
        unsafe {
            match after.as_ref() {
                Some(after) => after.before.set(before),
                None => LIVE.set(before),
            }
            if let Some(before) = before.as_ref() {
                before.after.set(after);
            }
        }
    }
}

impl Live {
    /// A stop that is not listed yet.
    fn new(stop: *mut Stop<'_>, store: *const Weak<StoreCell>) -> Live {
        Live {
            id: next_id(),
            stop: Cell::new(stop.cast()),
            store,
            cell: OnceCell::new(),
            debugger: OnceCell::new(),
            message: RefCell::new(None),
            frames: Cell::new(None),
            offsets: RefCell::new(None),
            trap_message: OnceCell::new(),
            import: OnceCell::new(),
            calling: Cell::new(false),
            before: Cell::new(std::ptr::null()),
            after: Cell::new(std::ptr::null()),
        }
    }

    /// What C knows it by.
    fn handle(&self) -> *mut stepwell_stop_t {
        std::ptr::without_provenance_mut((self.id << ID_SHIFT) as usize)
    }

    /// The store.
    fn cell(&self) -> Result<&Arc<StoreCell>> {
        if self.cell.get().is_none() {
            // SAFETY: the callback's caller lends it for as long as this is listed.
            let cell = unsafe { &*self.store }.upgrade();
            let cell = cell.ok_or_else(|| Error::new(ErrorKind::State, "the store is going away"))?;
            let _ = self.cell.set(cell);
        }
        Ok(self.cell.get().expect("just set"))
    }
}

impl Live {
    /// What C says is to be done, with what it has said besides.
    fn action(&self, action: stepwell_action_t) -> Action {
        use stepwell_action_enum as a;
        match action {
            _ if action == a::STEPWELL_ACTION_CONTINUE as i32 => Action::Continue,
            _ if action == a::STEPWELL_ACTION_STEP as i32 => Action::StepInstruction,
            _ if action == a::STEPWELL_ACTION_STEP_OVER as i32 => Action::StepOver,
            _ if action == a::STEPWELL_ACTION_STEP_OUT as i32 => Action::StepOut,
            _ if action == a::STEPWELL_ACTION_STEP_LINE as i32 => Action::StepLine,
            _ if action == a::STEPWELL_ACTION_NEXT_LINE as i32 => Action::NextLine,
            _ if action == a::STEPWELL_ACTION_STEP_OUT_OF as i32 => Action::StepOutOf(self.frames.get().unwrap_or(1)),
            _ if action == a::STEPWELL_ACTION_RUN_TO as i32 => match self.offsets.take() {
                Some(offsets) => Action::RunTo(offsets),
                None => Action::Trap("the stop callback has the guest run to a place, and has said none".to_owned()),
            },
            _ if action == a::STEPWELL_ACTION_LATER as i32 => Action::Later,
            _ if action == a::STEPWELL_ACTION_TRAP as i32 => {
                Action::Trap(self.message.take().unwrap_or_else(|| "ended by the debugger".to_owned()))
            }
            _ => Action::Trap(format!("the stop callback returned {action}, which is no action")),
        }
    }
}

thread_local! {
    /// The live stop of this thread that began last, or null.
    static LIVE: Cell<*const Live> = const { Cell::new(std::ptr::null()) };
    /// The numbers this thread may still give out: taken in blocks, so that threads do not contend.
    static IDS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Bits of a stop's number in a pointer; a frame's index stands below.
const ID_SHIFT: u32 = 20;

/// Marks a frame's pointer: a stop's has it clear, so that neither passes for the other.
const FRAME: u64 = 1;

/// The most frames that can be looked at.
const MAX_FRAMES: usize = (1 << (ID_SHIFT - 1)) - 1;

/// The next number.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    const BLOCK: u64 = 1024;
    IDS.with(|ids| {
        let (mut next, mut end) = ids.get();
        if next == end {
            next = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
            end = next + BLOCK;
        }
        ids.set((next + 1, end));
        next
    })
}

/// Calls C's stop callback, by `call`; without an action, the guest ends with the message.
pub(super) fn call_back(
    stop: &mut Stop<'_>,
    store: &Weak<StoreCell>,
    call: impl FnOnce(*mut stepwell_stop_t) -> Result<stepwell_action_t>,
) -> Action {
    let live = Live::new(stop, store);
    let listed = Listed::new(&live);
    // If C unwinds through this call, the process ends.
    let action = watched("a stop callback", || call(live.handle()));
    drop(listed);
    match action {
        Ok(action) => live.action(action),
        Err(error) => Action::Trap(error.to_string()),
    }
}

/// Asks C whether a breakpoint's condition holds, by `call`.
pub(super) fn ask(
    stop: &mut Stop<'_>,
    store: &Weak<StoreCell>,
    call: impl FnOnce(*mut stepwell_stop_t) -> Result<bool>,
) -> Result<bool> {
    let live = Live::new(stop, store);
    let _listed = Listed::new(&live);
    // If C unwinds through this call, the process ends.
    watched("a condition", || call(live.handle()))
}

/// A stop whose thread has lent the store, and waits.
struct Lent {
    id: u64,
    live: *const Live,
}

// SAFETY: who finds it here has entered its store before he looks at it, and so has it alone: its own thread waits
// until it is off the list and nobody is inside.
unsafe impl Send for Lent {}

/// The stops whose threads have lent their stores.
fn lent() -> MutexGuard<'static, Vec<Lent>> {
    static LENT: Mutex<Vec<Lent>> = Mutex::new(Vec::new());
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a stop off the list.
struct OffList(u64);

impl Drop for OffList {
    fn drop(&mut self) {
        lent().retain(|lent| lent.id != self.0);
    }
}

/// Lends the store of a live stop of this thread, and the stop, to other threads, one at a time, while `wait` runs.
pub(super) fn serve<R>(stop: *const stepwell_stop_t, wait: impl FnOnce() -> R) -> Result<R> {
    let number = number_of(stop)?;
    let mut at = LIVE.get();
    // SAFETY: as in `with`.
    while let Some(live) = unsafe { at.as_ref() } {
        if live.id == number {
            // Nothing that belongs to this thread is made by another.
            let cell = live.cell()?.clone();
            return cell.lend(|| {
                lent().push(Lent { id: number, live });
                let _off = OffList(number);
                wait()
            });
        }
        at = live.before.get();
    }
    Err(over("stop"))
}

/// Does something with a live stop of this thread, or with one that its thread has lent.
fn with<R>(number: u64, what: &str, body: impl FnOnce(&Live) -> Result<R>) -> Result<R> {
    let mut at = LIVE.get();
    // SAFETY: what is listed stands in a frame of this thread that waits for its callback.
    while let Some(live) = unsafe { at.as_ref() } {
        if live.id == number {
            return at_hand(live, body);
        }
        at = live.before.get();
    }
    // Rare, and so it is there once, whatever is done.
    let mut body = Some(body);
    let mut done = None;
    with_lent(number, what, &mut |live| {
        done = body.take().map(|body| body(live));
        Ok(())
    })?;
    done.unwrap_or_else(|| Err(over(what)))
}

/// Does something with a stop, unless an expression that is evaluated at it has it in its hands.
#[inline]
fn at_hand<R>(live: &Live, body: impl FnOnce(&Live) -> Result<R>) -> Result<R> {
    if live.calling.get() {
        let message =
            "an expression that is evaluated at this stop is calling: until it is done the stop cannot be used";
        return Err(Error::new(ErrorKind::State, message));
    }
    body(live)
}

/// Does something with a stop that its thread has lent.
#[cold]
fn with_lent(number: u64, what: &str, body: &mut dyn FnMut(&Live) -> Result<()>) -> Result<()> {
    let list = lent();
    let Some(found) = list.iter().find(|lent| lent.id == number) else {
        drop(list);
        return with_standing(number, what, body);
    };
    // SAFETY: it stands while it is on the list, which is locked. Its cell was asked for before it came there.
    let live = unsafe { &*found.live };
    let cell = live.cell()?.clone();
    let entered = cell.enter_to_look()?;
    drop(list);
    // Its thread may find it off the list now, and waits until the store is left.
    let result = at_hand(live, body);
    drop(entered);
    result
}

/// A stop that is answered later.
struct Standing {
    live: Live,
    call: Call,
    debugger: Debugger,
}

// SAFETY: whoever looks at what is in it has entered its store, and so has it alone.
unsafe impl Send for Standing {}
// SAFETY: as above.
unsafe impl Sync for Standing {}

/// The stops that are answered later, and which C has asked for.
fn standing() -> MutexGuard<'static, Vec<Arc<Standing>>> {
    static STANDING: Mutex<Vec<Arc<Standing>>> = Mutex::new(Vec::new());
    STANDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with a stop that is answered later.
fn with_standing(number: u64, what: &str, body: &mut dyn FnMut(&Live) -> Result<()>) -> Result<()> {
    let found = standing().iter().find(|standing| standing.live.id == number).cloned();
    let standing = found.ok_or_else(|| over(what))?;
    let mut store = standing.live.cell()?.enter_to_look()?;
    if !standing.live.stop.get().is_null() {
        // In a callback of something that was called there.
        return at_hand(&standing.live, body);
    }
    standing.debugger.with_stop(&mut *store, standing.call, |stop| {
        let at: *mut Stop<'_> = stop;
        standing.live.stop.set(at.cast());
        let done = body(&standing.live);
        standing.live.stop.set(std::ptr::null_mut());
        done
    })?
}

/// What C knows a stop by that is answered later: until [`forget`].
pub(super) fn stand(cell: &Arc<StoreCell>, debugger: &Debugger, call: Call) -> Result<(u64, *mut stepwell_stop_t)> {
    // That there is one.
    debugger.with_stop(&mut *cell.enter_to_look()?, call, |_| ())?;
    let live = Live::new(std::ptr::null_mut(), std::ptr::null());
    let _ = live.cell.set(cell.clone());
    let (id, handle) = (live.id, live.handle());
    standing().push(Arc::new(Standing { live, call, debugger: debugger.clone() }));
    Ok((id, handle))
}

/// A stop is answered: what C knows it by is nothing any more.
pub(super) fn forget(id: u64) {
    let mut list = standing();
    let gone = list.iter().position(|standing| standing.live.id == id).map(|index| list.swap_remove(index));
    drop(list);
    drop(gone);
}

/// What C says is to be done at a stop that is answered later, with what it has said of it besides.
pub(super) fn later_action(id: Option<u64>, action: stepwell_action_t) -> Action {
    let found = id.and_then(|id| standing().iter().find(|standing| standing.live.id == id).cloned());
    match found {
        Some(standing) => standing.live.action(action),
        None => Live::new(std::ptr::null_mut(), std::ptr::null()).action(action),
    }
}

#[cold]
fn over(what: &str) -> Error {
    let message = format!("`{what}` is used after its stop callback returned, or on another thread");
    Error::new(ErrorKind::Argument, message)
}

/// Does something with the stop that C means.
fn with_stop<R>(stop: *const stepwell_stop_t, body: impl FnOnce(&Live, &Stop<'_>) -> Result<R>) -> Result<R> {
    // SAFETY: the stop is listed, so it stands; its one user waits for the callback. What is called here only reads it.
    with(number_of(stop)?, "stop", |live| body(live, unsafe { &*live.stop.get() }))
}

/// Looks at why the stop that C means is.
pub(super) fn with_reason<R>(stop: *const stepwell_stop_t, body: impl FnOnce(&Reason) -> R) -> Result<R> {
    with_stop(stop, |_, stop| Ok(body(stop.reason())))
}

/// Looks at the module and name by which the host function of a stop is imported; null if it is not.
pub(super) fn with_import(
    stop: *mut stepwell_stop_t,
    look: impl FnOnce(&(NulText, NulText)) -> *const c_char,
) -> Result<*const c_char> {
    with(number_of(stop)?, "stop", |live| {
        let import = live.import.get_or_init(|| {
            // SAFETY: as in `with_stop`; nothing else is lent of the stop meanwhile.
            let (module, name) = unsafe { &mut *live.stop.get() }.host_import()?;
            Some((NulText::new(&module), NulText::new(&name)))
        });
        Ok(import.as_ref().map_or(std::ptr::null(), look))
    })
}

/// The number of a stop.
fn number_of(stop: *const stepwell_stop_t) -> Result<u64> {
    if stop.is_null() {
        return Err(null("stop"));
    }
    let number = stop.addr() as u64;
    if number & ((1 << ID_SHIFT) - 1) != 0 {
        return Err(Error::new(ErrorKind::Argument, "`stop` is no stop"));
    }
    Ok(number >> ID_SHIFT)
}

/// Says how many frames of a stop are to be left.
pub(super) fn set_frames(stop: *const stepwell_stop_t, frames: usize) -> Result<()> {
    with_stop(stop, |live, stop| {
        let count = stop.frame_count();
        if frames >= count {
            let message = format!("{frames} frames cannot be left: there are {count}, and one must stay");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        live.frames.set(Some(frames));
        Ok(())
    })
}

/// Says where the guest of a stop is to run to.
pub(super) fn set_offsets(
    stop: *const stepwell_stop_t,
    offsets: impl FnOnce(&Stop<'_>) -> Result<Vec<WasmOffset>>,
) -> Result<()> {
    with_stop(stop, |live, stop| {
        *live.offsets.borrow_mut() = Some(offsets(stop)?);
        Ok(())
    })
}

/// Does something with the stop that C means, which changes it.
pub(super) fn with_stop_to_change<R>(
    stop: *mut stepwell_stop_t,
    body: impl FnOnce(&Arc<StoreCell>, &mut Stop<'_>) -> Result<R>,
) -> Result<R> {
    // SAFETY: as in `with_stop`; nothing else is lent of the stop meanwhile.
    with(number_of(stop)?, "stop", |live| body(live.cell()?, unsafe { &mut *live.stop.get() }))
}

/// The same, of one of its frames, by its number.
pub(super) fn with_frame_to_change<R>(
    frame: *const stepwell_frame_t,
    body: impl FnOnce(&Arc<StoreCell>, &mut Stop<'_>, usize) -> Result<R>,
) -> Result<R> {
    with_frame_of_to_change("frame", frame, body)
}

/// The same, for what C calls by another name.
pub(super) fn with_frame_of_to_change<R>(
    what: &str,
    frame: *const stepwell_frame_t,
    body: impl FnOnce(&Arc<StoreCell>, &mut Stop<'_>, usize) -> Result<R>,
) -> Result<R> {
    let (stop, index) = parts_of(frame)?;
    with(stop, what, |live| {
        // SAFETY: as in `with_stop`; nothing is lent of the stop meanwhile.
        body(live.cell()?, unsafe { &mut *live.stop.get() }, index)
    })
}

/// The same as [`with_frame_to_change`], of what may call guests: those that they call cannot use the stop meanwhile.
pub(super) fn with_frame_to_call<R>(
    frame: *const stepwell_frame_t,
    body: impl FnOnce(&mut Stop<'_>, usize) -> Result<R>,
) -> Result<R> {
    /// Gives the stop back, also where the host panics.
    struct Calling<'a>(&'a Live);

    impl Drop for Calling<'_> {
        fn drop(&mut self) {
            self.0.calling.set(false);
        }
    }

    let (stop, index) = parts_of(frame)?;
    with(stop, "frame", |live| {
        live.cell()?;
        live.calling.set(true);
        let _calling = Calling(live);
        // SAFETY: as in `with_stop`; nothing is lent of the stop meanwhile, as whoever asks for it is refused.
        body(unsafe { &mut *live.stop.get() }, index)
    })
}

/// The number of a frame's stop, and its own.
fn parts_of(frame: *const stepwell_frame_t) -> Result<(u64, usize)> {
    if frame.is_null() {
        return Err(null("frame"));
    }
    let number = frame.addr() as u64;
    if number & FRAME == 0 {
        return Err(Error::new(ErrorKind::Argument, "`frame` is no frame"));
    }
    Ok((number >> ID_SHIFT, (number as usize >> 1) & MAX_FRAMES))
}

/// Does something with the frame that C means.
pub(super) fn with_frame<R>(
    frame: *const stepwell_frame_t,
    body: impl FnOnce(&Arc<StoreCell>, &crate::debug::Frame<'_>) -> Result<R>,
) -> Result<R> {
    with_frame_of("frame", frame, body)
}

/// The same, for what C calls by another name: it was found in this frame.
pub(super) fn with_frame_of<R>(
    what: &str,
    frame: *const stepwell_frame_t,
    body: impl FnOnce(&Arc<StoreCell>, &crate::debug::Frame<'_>) -> Result<R>,
) -> Result<R> {
    let (stop, index) = parts_of(frame)?;
    with(stop, what, |live| {
        // SAFETY: as in `with_stop`.
        let stop = unsafe { &*live.stop.get() };
        let frame = if index == 0 { stop.top() } else { stop.frame(index) };
        let frame = frame.ok_or_else(|| Error::new(ErrorKind::Argument, "`frame` is no frame of its stop"))?;
        body(live.cell()?, &frame)
    })
}

/// Why the guest was stopped, one of `enum stepwell_stop_enum`; 0 if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_reason(stop: *const stepwell_stop_t) -> stepwell_stop_reason_t {
    or_value("stepwell_stop_reason", 0, || {
        with_stop(stop, |_, stop| {
            Ok(match stop.reason() {
                Reason::Breakpoint(_) => stepwell_stop_enum::STEPWELL_STOP_BREAKPOINT as i32,
                Reason::Step => stepwell_stop_enum::STEPWELL_STOP_STEP as i32,
                Reason::Trap(_) => stepwell_stop_enum::STEPWELL_STOP_TRAP as i32,
                Reason::Exception => stepwell_stop_enum::STEPWELL_STOP_EXCEPTION as i32,
                Reason::Watchpoint(_) => stepwell_stop_enum::STEPWELL_STOP_WATCHPOINT as i32,
                Reason::Pause => stepwell_stop_enum::STEPWELL_STOP_PAUSE as i32,
                Reason::Module(_) => stepwell_stop_enum::STEPWELL_STOP_MODULE as i32,
                Reason::Instance(_) => stepwell_stop_enum::STEPWELL_STOP_INSTANCE as i32,
                Reason::MemoryGrown(_) => stepwell_stop_enum::STEPWELL_STOP_MEMORY_GROWN as i32,
                Reason::HostCall(_) => stepwell_stop_enum::STEPWELL_STOP_HOST_CALL as i32,
                Reason::HostReturn(_) => stepwell_stop_enum::STEPWELL_STOP_HOST_RETURN as i32,
            })
        })
    })
}

/// How many Wasm frames of the store are live, in all nested runs; 0 if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_frame_count(stop: *const stepwell_stop_t) -> usize {
    or_value("stepwell_stop_frame_count", 0, || with_stop(stop, |_, stop| Ok(stop.frame_count())))
}

/// A frame, 0 the innermost; NULL beyond the outermost. Borrowed: valid until the stop callback returns. Used later, it
/// is an error.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_frame(stop: *const stepwell_stop_t, index: usize) -> *const stepwell_frame_t {
    or_null("stepwell_stop_frame", || {
        with_stop(stop, |live, stop| {
            let there = if index == 0 { stop.top().is_some() } else { index < stop.frame_count() };
            Ok(if there { frame_of(live, index) } else { std::ptr::null() })
        })
    })
}

/// The handle of a frame that there is; null beyond those that can be looked at.
fn frame_of(live: &Live, index: usize) -> *const stepwell_frame_t {
    if index > MAX_FRAMES {
        return std::ptr::null();
    }
    let number = live.id << ID_SHIFT | (index as u64) << 1 | FRAME;
    std::ptr::without_provenance(number as usize)
}

/// How many breakpoints stand at the instruction; 0 if they are not the reason.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_breakpoint_count(stop: *const stepwell_stop_t) -> usize {
    or_value("stepwell_stop_breakpoint_count", 0, || with_stop(stop, |_, stop| Ok(stop.reason().breakpoints().len())))
}

/// The number of a breakpoint that was hit, in the order they were set; 0 beyond the last.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_breakpoint(stop: *const stepwell_stop_t, index: usize) -> stepwell_breakpoint_t {
    or_value("stepwell_stop_breakpoint", 0, || {
        with_stop(stop, |_, stop| Ok(stop.reason().breakpoints().get(index).map_or(0, |id| id.get())))
    })
}

/// Why the guest trapped, one of `enum stepwell_trap_enum`; 0 if a trap is not the reason.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_trap_code(stop: *const stepwell_stop_t) -> stepwell_trap_code_t {
    or_value("stepwell_stop_trap_code", 0, || {
        with_stop(stop, |_, stop| if let Reason::Trap(code) = stop.reason() { Ok(*code as i32) } else { Ok(0) })
    })
}

/// The trap's message; NULL if a trap is not the reason. Borrowed: valid until the stop callback returns.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_trap_message(stop: *const stepwell_stop_t) -> *const c_char {
    or_null("stepwell_stop_trap_message", || {
        with_stop(stop, |live, stop| {
            let Reason::Trap(code) = stop.reason() else { return Ok(std::ptr::null()) };
            Ok(live.trap_message.get_or_init(|| NulText::new(code.message())).as_ptr())
        })
    })
}

/// The exception that is thrown; NULL if that is not the reason. It may be deleted in the callback or after it.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_exception(stop: *const stepwell_stop_t) -> Own<stepwell_exception_t> {
    or_null("stepwell_stop_exception", || {
        with_stop(stop, |live, stop| match stop.exception() {
            Some(exception) => Ok(Own::new(Object::new(live.cell()?, exception))),
            None => Ok(Own::null()),
        })
    })
}

/// The frame that catches the exception, at the instruction inside its `try_table` that threw it or called what did;
/// NULL if no frame does up to the last that the host has entered, or if no exception is the reason. Borrowed as by
/// `stepwell_stop_frame`.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_catching_frame(stop: *const stepwell_stop_t) -> *const stepwell_frame_t {
    or_null("stepwell_stop_catching_frame", || {
        with_stop(stop, |live, stop| Ok(stop.catching_frame().map_or(std::ptr::null(), |index| frame_of(live, index))))
    })
}

/// Sets the message of the trap that `STEPWELL_ACTION_TRAP` ends the guest with. False if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_message_set(stop: *mut stepwell_stop_t, message: *const c_char) -> bool {
    or_null("stepwell_stop_message_set", || {
        with_stop(stop, |live, _| {
            // SAFETY: C passes a C string or NULL.
            let message = unsafe { string(message, "message") }?;
            *live.message.borrow_mut() = Some(message.to_owned());
            Ok(true)
        })
    })
}

/// The store, borrowed from the stop.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_store(stop: *const stepwell_stop_t) -> *mut wasm_store_t {
    or_null("stepwell_stop_store", || with_stop(stop, |live, _| Ok(lend::<wasm_store_t>(live.cell()?).cast_mut())))
}

/// The debugger, borrowed from the stop.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_debugger(stop: *const stepwell_stop_t) -> *mut stepwell_debugger_t {
    or_null("stepwell_stop_debugger", || {
        with_stop(stop, |live, stop| {
            let cell = live.cell()?.clone();
            let object = live.debugger.get_or_init(|| DebuggerObject { cell, debugger: stop.debugger() });
            Ok(lend::<stepwell_debugger_t>(object).cast_mut())
        })
    })
}
