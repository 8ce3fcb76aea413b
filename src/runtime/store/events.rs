//! What a store tells those who listen: the events, who is told, and what a store keeps while anybody is. How events
//! come about is the affair of `control`.
//!
//! # An event, step by step
//!
//! A stop at a site, with a debugger listening that has a breakpoint three instructions further on, inside the region:
//!
//! 1. The armed site calls the stop stub; `control/stop.rs` makes a [`StopInfo`] of the address that it came from.
//!    Where a breakpoint only counts, or its condition is false, [`EventSink::passes`] ends it here. Else there is an
//!    `EventRecord` on its stack, which says for as long as the event is told where the guest stands. The records of
//!    events that nest are linked.
//! 2. `control/tell.rs` calls each listener's [`EventSink::on_event`], the first to come first, with the store and the
//!    listener's own state in a [`Told`].
//! 3. The debugger takes its state ([`Told::with`]) and sees that no breakpoint is at the site, but one is inside the
//!    region. It has the region rerun from the frame's slots (`control/virtual_frame.rs`) and comes to the breakpoint.
//!    It gives the [`VirtualFrame`] to the record ([`StoreMut::set_virtual`]) and its state back to the store.
//! 4. It calls the host's callback. Whoever walks the frames now finds the innermost one where the record says. The
//!    callback may use the debugger, which takes its state out of the store and puts it back each time, and may call
//!    exports, which may stop in turn: another record, and again from 2.
//! 5. The callback answers, say with a step. The debugger takes its state and the frame, joins what its layers want
//!    armed now, and edits the plan. In the region a step is a rerun of one instruction: again from 3, and no machine
//!    code is changed.
//! 6. Where rerun can go no further the debugger gives an [`Answer`]: go on from where the guest stands, or in resume
//!    code. The record is taken back, and the guest goes on.

use crate::abi::{ResumeState, TrapCode, ValRaw};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Pc, Result, TagIndex, ValType, WasmOffset};
use crate::code::{CodeRegistry, CodeSlot, PatchEdit, TextBase};
use crate::image::{Cursor, ImageTables, Place, Point, ShapeId, Site};
use crate::isa::{ResumeJump, StopContext};
use crate::runtime::compiled::module::{ModuleId, StackRatio};
use crate::runtime::objects::handles::{ExnRef, Func, Instance, InstanceId, Memory};
use crate::runtime::objects::owned::Owned;
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
pub use crate::runtime::store::record::StopInfo;
pub(in crate::runtime) use crate::runtime::store::record::{EventRecord, PcKind};
use crate::runtime::store::slots::{instance_in, read_slot};
use crate::runtime::store::views::{AsStore, AsStoreMut, StoreMut, StoreRef};
use std::any::Any;
use std::cell::Cell;
use std::ops::Range;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

/// What a store tells those who listen. More will come: a listener lets pass what it does not know.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An armed site was reached. The answer says how the guest goes on; an error ends its call with it.
    Stop(&'a StopInfo),
    /// A guest is about to access a watched memory ([`StoreMut::watch_memories`]), at a watched byte or near one, or,
    /// where such accesses follow each other, anywhere on a page with one ([`StoreMut::looked_at_accesses`]). It stands
    /// at the last point before the instruction: the slots of its frame hold the state there, from which rerun comes to
    /// the access. It is answered as a stop; where the guest goes on natively, it goes on from the access, with what
    /// was not told of it done. Nothing is protected meanwhile, and nothing is afterwards if it is to go on
    /// [quietly](StoreMut::go_on_quietly), as it has to.
    Access(&'a StopInfo),
    /// An instruction that copies to memories, or fills them, is about to, where any is watched. The guest's innermost
    /// frame is at the instruction.
    Touching(&'a Touched),
    /// A guest has trapped; its frames are intact, and are left when all have been told. An error takes the trap's
    /// place.
    Trap(&'a TrapInfo),
    /// An exception is thrown, by a guest or by a host function that one has called. Its frames are intact, and are
    /// left when all have been told. An error takes the exception's place.
    Exception(&'a ExceptionInfo),
    /// A module was registered. Its debug code is patched as the plan says already. An error fails the instantiation
    /// that registered it; all are told again when the module is instantiated next.
    Module(ModuleId),
    /// An instance has been made, and its segments applied. Its start function, if it has one, is called next. An error
    /// fails the instantiation.
    Instance(Instance),
    /// A memory has grown, by a guest's instruction, in whose frame that is, or by the host. An error ends the guest's
    /// call, or is the host's.
    Grown(&'a Grown),
    /// A guest calls a host function, which has not begun. This and [`Event::Called`] are told only while
    /// [that is asked for](StoreMut::set_calls_told). An error takes the call's place.
    Calling(&'a HostCalled),
    /// A host function that a guest has called waits for something, and a [pause](crate::debug::Pauser) is asked for.
    /// An error ends the wait, and the guest's call.
    Waiting,
    /// A host function has returned what a guest has called it for, or has failed. An error takes the results' place.
    Called(&'a HostCalled),
    /// The host is about to enter a guest. This and [`Event::Returning`] are told only while
    /// [something is watched](StoreMut::set_watched). An error takes the call's place.
    Entering {
        /// Whether a guest of the store waits for a host function, which calls this one.
        within_call: bool,
    },
    /// A host function has done what it was called for by a guest, or has failed: the guest goes on, or is left. Its
    /// innermost frame is the one that has called. An error takes the outcome's place.
    Returning,
}

/// How a guest goes on after a stop. All other events are answered with [`Answer::GoOn`].
#[derive(Debug)]
pub enum Answer {
    /// From where it stands, with the state of its frame.
    GoOn,
    /// In resume code, which takes the frame's place.
    Replace(Box<Replacement>),
}

/// Who listens to the events of a store. It is called on the guest's thread, with the store in hand, and may call into
/// it.
///
/// Those who listen are told one after the other, in the order in which they came, each event: of a stop, each finds
/// the frame as the guest stands. One alone may answer with another frame; a second such answer is an error. An error
/// ends the telling: those behind are not told. So does a panic, which poisons the store and goes on at the call that
/// entered the guest. Who comes while an event is told is told of the next; who is removed is told of nothing any more.
pub trait EventSink: Send + Sync + 'static {
    /// What it works on. The store owns it; whoever has the store in hand takes it out to work, and puts it back before
    /// anybody else is called.
    type State: Send + 'static;

    /// An event.
    ///
    /// # Errors
    /// What the sink likes.
    fn on_event(&self, told: &mut Told<'_, Self::State>, event: &Event<'_>) -> Result<Answer>;

    /// The guest takes a side of a branch, on which a site is armed: see
    /// [`Point::is_on_side`](crate::image::Point::is_on_side). Where its frame has locals and operands, nobody knows,
    /// so nothing of the store is in hand here but what is patched, and the guest goes on.
    ///
    /// # Errors
    /// What the sink likes: the guest's call ends with it.
    fn on_side(&self, _state: &mut Self::State, _side: &mut Side<'_>) -> Result<()> {
        Ok(())
    }

    /// Whether a guest that has come to a stop is let pass, with nothing told. It is asked before an event is made of
    /// the stop, while [that is wished for](StoreMut::set_passing) and nobody else listens; otherwise, and if it says
    /// no, [`EventSink::on_event`] is told.
    fn passes(&self, _state: &mut Self::State, _frame: &StandingFrame<'_>) -> bool {
        false
    }
}

/// A side of a branch that a guest takes.
pub struct Side<'a> {
    slot: CodeSlot,
    at: WasmOffset,
    registry: &'a mut CodeRegistry,
}

impl<'a> Side<'a> {
    pub(in crate::runtime) fn new(info: &StopInfo, registry: &'a mut CodeRegistry) -> Side<'a> {
        Side { slot: info.slot, at: info.wasm, registry }
    }

    /// The code.
    pub fn slot(&self) -> CodeSlot {
        self.slot
    }

    /// Its [`branch_side`](crate::image::branch_side).
    pub fn at(&self) -> WasmOffset {
        self.at
    }

    /// The store's code.
    pub fn registry(&self) -> &CodeRegistry {
        self.registry
    }

    /// Starts an edit of what is patched.
    pub fn edit(&mut self) -> PatchEdit<'_> {
        self.registry.edit()
    }
}

/// What a listener has while it is told: the store, and its own state.
pub struct Told<'a, T> {
    pub(in crate::runtime) store: StoreMut<'a>,
    state: &'a Cell<Option<Box<T>>>,
    /// Whether it is a guest that waits: floats are computed with as guests do.
    pub(in crate::runtime) of_guest: bool,
}

impl<T> Told<'_, T> {
    /// Takes the state out for `work`, and puts it back.
    ///
    /// # Errors
    /// Those of `work`; [`ErrorKind::State`] where the state is taken out already.
    #[inline]
    pub fn with<R>(&mut self, work: impl FnOnce(&mut T, &mut StoreMut<'_>) -> Result<R>) -> Result<R> {
        with_state(self.state, |state| work(state, &mut self.store))
    }
}

impl<T> AsStore for Told<'_, T> {
    fn as_store(&self) -> StoreRef<'_> {
        self.store.as_store()
    }
}

impl<T> AsStoreMut for Told<'_, T> {
    fn as_store_mut(&mut self) -> StoreMut<'_> {
        self.store.as_store_mut()
    }
}

/// Puts a state back to its place.
struct PutBack<'a, T> {
    place: &'a Cell<Option<Box<T>>>,
    state: Option<Box<T>>,
}

impl<T> Drop for PutBack<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.place.set(self.state.take());
    }
}

/// Takes a state out of its place for `work`, and puts it back, even if `work` panics.
#[inline]
fn with_state<T, R>(place: &Cell<Option<Box<T>>>, work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
    let Some(state) = place.take() else { return Err(in_use()) };
    let mut out = PutBack { place, state: Some(state) };
    match out.state.as_deref_mut() {
        Some(state) => work(state),
        None => Err(in_use()),
    }
}

#[cold]
fn in_use() -> Error {
    Error::new(ErrorKind::State, "the listener is at work already: it cannot be used by what it calls")
}

/// A listener, with the state that it works on.
pub(in crate::runtime) struct Listener<S: EventSink> {
    sink: Arc<S>,
    state: Cell<Option<Box<S::State>>>,
}

impl<S: EventSink> Listener<S> {
    pub(in crate::runtime) fn listening(sink: Arc<S>, state: S::State) -> Rc<dyn Listens> {
        Rc::new(Listener { sink, state: Cell::new(Some(Box::new(state))) })
    }
}

/// A [`Listener`] of any kind.
pub(in crate::runtime) trait Listens: Any {
    /// Tells it.
    fn tell(&self, store: StoreMut<'_>, event: &Event<'_>) -> Result<Answer>;
    /// Tells it of a side.
    fn tell_side(&self, side: &mut Side<'_>) -> Result<()>;
    /// Asks it whether a guest is let pass.
    fn passes(&self, frame: &StandingFrame<'_>) -> bool;
}

impl<S: EventSink> Listens for Listener<S> {
    fn tell(&self, store: StoreMut<'_>, event: &Event<'_>) -> Result<Answer> {
        let of_guest = matches!(event, Event::Stop(_) | Event::Access(_) | Event::Trap(_) | Event::Exception(_));
        self.sink.on_event(&mut Told { store, state: &self.state, of_guest }, event)
    }

    fn tell_side(&self, side: &mut Side<'_>) -> Result<()> {
        with_state(&self.state, |state| self.sink.on_side(state, side))
    }

    fn passes(&self, frame: &StandingFrame<'_>) -> bool {
        with_state(&self.state, |state| Ok(self.sink.passes(state, frame))).unwrap_or(false)
    }
}

/// Those who listen, in the order in which they came.
#[derive(Default)]
pub(in crate::runtime) struct Listeners {
    /// Each with its number. An event that is being told keeps who is told, should he be removed.
    list: Vec<(u64, Rc<dyn Listens>)>,
    /// How many have come.
    count: u64,
}

impl Listeners {
    pub(in crate::runtime) fn add(&mut self, listener: Rc<dyn Listens>) {
        self.count += 1;
        self.list.push((self.count, listener));
    }

    /// The number of the one who has come last.
    #[inline]
    pub(in crate::runtime) fn last(&self) -> u64 {
        self.count
    }

    /// Who comes behind the one of this number.
    #[inline]
    pub(in crate::runtime) fn behind(&self, number: u64) -> Option<&(u64, Rc<dyn Listens>)> {
        self.list.iter().find(|listener| listener.0 > number)
    }

    /// The only one.
    #[inline]
    pub(in crate::runtime) fn alone(&self) -> Option<&dyn Listens> {
        match &self.list[..] {
            [(_, listener)] => Some(&**listener),
            _ => None,
        }
    }

    /// Who listens through this sink.
    fn find<S: EventSink>(&self, sink: &S) -> Option<(usize, Rc<Listener<S>>)> {
        self.list.iter().enumerate().find_map(|(index, (_, listener))| {
            let any: Rc<dyn Any> = listener.clone();
            let listener = any.downcast::<Listener<S>>().ok()?;
            std::ptr::eq(&*listener.sink, sink).then_some((index, listener))
        })
    }

    /// Removes who listens through this sink, and gives him back.
    pub(in crate::runtime) fn remove<S: EventSink>(&mut self, sink: &S) -> Option<Rc<Listener<S>>> {
        let (index, listener) = self.find(sink)?;
        self.list.remove(index);
        Some(listener)
    }
}

impl StoreMut<'_> {
    /// Says whether those who listen watch something that the host may change, and are to be told when it enters guests
    /// and returns to them.
    pub fn set_watched(&mut self, watched: bool) {
        let inner = self.inner();
        inner.values_watched = watched;
        inner.say_watched();
    }

    /// Says whether those who listen are told when guests call host functions and when those have returned.
    pub fn set_calls_told(&mut self, told: bool) {
        let inner = self.inner();
        inner.calls_told = told;
        inner.say_watched();
    }

    /// Says whether who listens is asked at each stop whether the guest [passes](EventSink::passes).
    pub fn set_passing(&mut self, passing: bool) {
        self.inner().passing = passing;
    }

    /// Takes the state of a listener out of the store for `work`, and puts it back; [`None`] where the sink does not
    /// listen.
    ///
    /// # Errors
    /// Those of `work`; [`ErrorKind::State`] where the state is taken out already.
    pub fn with_state<S: EventSink, R>(
        &mut self,
        sink: &S,
        work: impl FnOnce(&mut S::State, &mut StoreMut<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        let Some(listener) = self.as_store().listener(sink) else { return Ok(None) };
        with_state(&listener.state, |state| work(state, self)).map(Some)
    }
}

impl StoreRef<'_> {
    /// Looks at the state of a listener; [`None`] where the sink does not listen.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the state is taken out.
    pub fn look_at_state<S: EventSink, R>(self, sink: &S, look: impl FnOnce(&S::State) -> R) -> Result<Option<R>> {
        let Some(listener) = self.listener(sink) else { return Ok(None) };
        with_state(&listener.state, |state| Ok(look(state))).map(Some)
    }

    fn listener<S: EventSink>(self, sink: &S) -> Option<Rc<Listener<S>>> {
        Some(self.inner().attachment.as_ref()?.listeners.find(sink)?.1)
    }
}

/// The frame that stands at a stop, as its slots have it, whatever has been said of it. It is live for `'a`.
#[derive(Clone, Copy)]
pub struct StandingFrame<'a> {
    store: StoreRef<'a>,
    stop: &'a StopInfo,
    /// Those of its code.
    tables: &'a ImageTables,
}

impl<'a> StandingFrame<'a> {
    /// # Safety
    /// The frame of the store stands there for `'a`, in code with these tables.
    #[inline]
    pub(in crate::runtime) unsafe fn new(store: StoreRef<'a>, stop: &'a StopInfo, tables: &'a ImageTables) -> Self {
        StandingFrame { store, stop, tables }
    }

    /// The store.
    #[inline]
    pub fn store(&self) -> StoreRef<'a> {
        self.store
    }

    /// The stop.
    #[inline]
    pub fn stop(&self) -> &'a StopInfo {
        self.stop
    }

    /// A local's type and value.
    #[inline(always)]
    pub fn local(&self, index: u32) -> Option<(ValType, ValRaw)> {
        let slot = self.tables.declared_local(self.stop.func, index)?;
        // SAFETY: the frame is live, it belongs to debug code whose tables place the slot inside it, and debug code
        // keeps the slot written at every place a frame is read at.
        Some((slot.ty, ValRaw::from_words(unsafe { read_slot(self.stop.fp, slot) })))
    }

    /// Its instance.
    pub fn instance(&self) -> Option<Instance> {
        let Some(Place::Frame(offset)) = self.tables.function(self.stop.func)?.vmctx else { return None };
        // SAFETY: a frame at a stop is set up, and is of debug code, which keeps its vmctx there.
        unsafe { instance_in(self.store.id(), self.stop.fp, offset) }
    }

    /// What names it.
    pub fn instance_id(&self) -> Option<InstanceId> {
        self.instance()?.id(&self.store).ok()
    }
}

impl<'a> StoreRef<'a> {
    /// The frame that stands at a stop; [`None`] where that is not the stop being told.
    #[inline]
    pub fn standing_at(self, stop: &'a StopInfo) -> Option<StandingFrame<'a>> {
        let store = self.inner();
        // The slots can be read as long as the record stands.
        store.newest_event().filter(|record| std::ptr::eq(record.stop, stop))?;
        let tables = store.registry.get(stop.slot)?.engine.tables();
        Some(StandingFrame { store: self, stop, tables })
    }
}

/// What an instruction is about to access at once.
#[derive(Clone, Debug)]
pub struct Touched {
    /// The memory.
    pub memory: Memory,
    /// The bytes.
    pub bytes: Range<u64>,
    /// Whether they are to be written; else they are read.
    pub is_write: bool,
}

/// A memory that has grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grown {
    /// The memory.
    pub memory: Memory,
    /// How many pages it had.
    pub before: u64,
    /// How many it has.
    pub pages: u64,
}

/// A call of a host function by a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCalled {
    /// The function.
    pub func: Func,
    /// The parameters, or once it has returned, the results. What they refer to is there until the event has been told.
    pub values: Vec<Val>,
    /// Whether it has failed, so that there are no results.
    pub failed: bool,
}

/// A trap, before its frames are left.
#[derive(Clone, Copy, Debug)]
pub struct TrapInfo {
    /// Why.
    pub code: TrapCode,
    /// The instruction, or the return address where a function of the runtime raised it.
    pub pc: Pc,
    /// The guest's frame pointer.
    pub fp: usize,
    /// Whether `pc` is a return address.
    pub after_call: bool,
    /// Whether the guest stands at a stop: it was to go on in resume code, for which the stack is too small.
    pub at_stop: bool,
}

/// An exception, before the frames are left that do not catch it.
#[derive(Clone, Debug)]
pub struct ExceptionInfo {
    /// It is there for as long as the event is told, and then only if somebody has asked for it.
    pub(in crate::runtime) exception: ExnRef,
    /// The return address of what throws it: `throw`, `throw_ref`, or the call of a host function.
    pub pc: Pc,
    /// The guest's frame pointer.
    pub fp: usize,
    /// Who catches it. If no frame does up to the last that the host has entered, it is an error for the host, which
    /// may hand it on to those that it was called from.
    pub caught: Option<Catcher>,
}

impl ExceptionInfo {
    /// The exception.
    pub fn exception(&self) -> ExnRef {
        // SAFETY: it is there while the event is told, and this is lent out for no longer.
        unsafe { (*self.exception.ptr.as_ptr()).kept = 1 };
        self.exception
    }
}

/// A frame that catches an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Catcher {
    /// Its code.
    pub slot: CodeSlot,
    /// Its function.
    pub func: DefinedFuncIndex,
    /// Its frame pointer.
    pub fp: usize,
    /// The instruction that it is in: a call, `throw` or `throw_ref`, inside the `try_table` that catches.
    pub wasm: Option<WasmOffset>,
    /// The tag that the clause names which catches it, in the frame's module; none, if it catches all.
    pub tag: Option<TagIndex>,
}

/// What a store has while anybody listens.
pub(in crate::runtime) struct Attachment {
    pub(in crate::runtime) listeners: Listeners,
    /// The contexts that stop cells point to.
    pub(in crate::runtime) contexts: Vec<Owned<StopTarget>>,
    /// How much more stack the debug code of the store's modules takes.
    pub(in crate::runtime) stack_ratio: StackRatio,
}

/// What an armed site of one text finds: the store and the slot.
#[repr(C)]
pub(in crate::runtime) struct StopTarget {
    pub(in crate::runtime) head: StopContext,
    pub(in crate::runtime) store: NonNull<StoreInner>,
    pub(in crate::runtime) slot: CodeSlot,
    /// Where the text is.
    pub(in crate::runtime) base: TextBase,
    /// The tables of the code in the slot, which outlives this.
    pub(in crate::runtime) tables: *const ImageTables,
    /// Where in `recent` the last site is: the next one mostly follows it.
    pub(in crate::runtime) last: usize,
    /// Sites hit before, by the lower bits of where they return to: the turns of loops find theirs here, and nothing is
    /// unpacked.
    pub(in crate::runtime) recent: [Option<KnownSite>; RECENT],
}

/// A site as it was found in the tables, with its point.
#[derive(Clone, Copy)]
pub(in crate::runtime) struct KnownSite {
    pub(in crate::runtime) site: Cursor<Site>,
    pub(in crate::runtime) point: Cursor<Point>,
    pub(in crate::runtime) shape: ShapeId,
    /// Its function.
    pub(in crate::runtime) func: DefinedFuncIndex,
}

/// How many sites are remembered, a power of two.
pub(in crate::runtime) const RECENT: usize = 64;

/// With what a frame is replaced.
#[derive(Debug)]
pub struct Replacement {
    /// The resume code of the frame's function, or split code of it that is entered: see [`StoreMut::resume_code`] and
    /// [`StoreMut::split_code`].
    pub slot: CodeSlot,
    /// The position of the next instruction to run, among the reachable ones of the function; or what split code has
    /// for it.
    pub entry: u32,
    /// The same instruction.
    pub wasm: WasmOffset,
    /// The locals, then the operands before that instruction, bottom first, one behind the other in words as
    /// [`SlotLayout`](crate::base::SlotLayout) says.
    pub values: Box<[u64]>,
    /// The fuel that is left before it.
    pub fuel: i64,
    /// Whether the guest may as well go on where it stands: it does, where the stack is too small, and with the fuel
    /// that it has.
    pub optional: bool,
    /// The frame pointer of the frame that gives way, if it is one further out than the one that stands: those within
    /// it are left, with no host function among them.
    pub outer: Option<usize>,
}

/// What the latest frame that was replaced goes on with, for as long as that may be read: until the next one.
pub(in crate::runtime) struct Resuming {
    pub(in crate::runtime) state: ResumeState,
    pub(in crate::runtime) jump: ResumeJump,
    /// Read by the resume code alone.
    pub(in crate::runtime) values: Vec<u64>,
}
