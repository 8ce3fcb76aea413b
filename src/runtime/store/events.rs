//! What a debugger's side of a store is made of: the sink that events go to, what they say, and what a store keeps while one is attached.
//! How they come about is the affair of `control`.

use crate::abi::{ResumeState, TrapCode};
use crate::base::{DefinedFuncIndex, Pc, Result, WasmOffset};
use crate::code::{CodeSlot, TextBase};
use crate::image::{Cursor, ImageTables, Point, ShapeId, Site, SiteId};
use crate::isa::{ResumeJump, StopContext};
use crate::runtime::compiled::module::{ModuleId, StackRatio};
use crate::runtime::objects::owned::Owned;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::StoreMut;
use std::ptr::NonNull;
use std::sync::Arc;

/// Where events go while a debugger is attached. Methods run on the guest's thread, with the store in hand; they may call into it.
/// A panic poisons the store and goes on at the call that entered the guest.
pub trait EventSink: Send + Sync {
    /// An armed site was reached. The answer says how the guest goes on; an error ends its call with it.
    ///
    /// # Errors
    /// What the sink likes.
    fn on_stop(&self, store: StoreMut<'_>, stop: &StopInfo) -> Result<Resume>;

    /// A guest has trapped; its frames are intact. An error takes the trap's place.
    ///
    /// # Errors
    /// What the sink likes.
    fn on_trap(&self, store: StoreMut<'_>, trap: &TrapInfo) -> Result<()>;

    /// A module was registered while attached. Its debug code is patched as the plan says already.
    ///
    /// # Errors
    /// What the sink likes; the instantiation that registered the module fails with it.
    fn on_module(&self, store: StoreMut<'_>, module: ModuleId) -> Result<()>;
}

/// A stop.
#[derive(Clone, Copy, Debug)]
pub struct StopInfo {
    /// The code.
    pub slot: CodeSlot,
    /// The function.
    pub func: DefinedFuncIndex,
    /// The site that was hit.
    pub site: SiteId,
    /// The instruction about to run.
    pub wasm: WasmOffset,
    /// The operand stack before it, a row of the code's tables.
    pub shape: ShapeId,
    /// The address behind it.
    pub pc: Pc,
    /// The guest's frame pointer.
    pub fp: usize,
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

/// An event that is being told: where the guest stands. On the stack of whoever tells.
pub(in crate::runtime) struct EventRecord {
    pub(in crate::runtime) pc: usize,
    pub(in crate::runtime) fp: usize,
    pub(in crate::runtime) kind: PcKind,
    /// Whether the frame is set up: see [`RawFrame::set_up`](crate::runtime::RawFrame::set_up).
    pub(in crate::runtime) set_up: bool,
    /// Where the sink says that it is.
    pub(in crate::runtime) shown: Option<VirtualFrame>,
    pub(in crate::runtime) previous: *mut EventRecord,
}

/// What a store has while a debugger is attached.
pub(in crate::runtime) struct Attachment {
    pub(in crate::runtime) sink: Arc<dyn EventSink>,
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
    /// Sites hit before, by the lower bits of where they return to: the turns of loops find theirs here, and nothing is unpacked.
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

/// What a program counter of a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum PcKind {
    /// A return address: the frame is in a call.
    Return,
    /// The return address of an armed stop site: this instruction is about to run.
    Stop(WasmOffset),
    /// The instruction that faulted.
    Exact,
}

/// Where the frame of an event really is, as the sink says it: at an instruction that the guest has not run to, with a state that
/// is not in the frame.
#[derive(Clone, Copy, Debug)]
pub struct VirtualFrame {
    /// The instruction about to run, or the one that trapped.
    pub wasm: WasmOffset,
    /// Where the sink has that state: its own affair. It sees to it that this is valid for as long as it is set, and nothing here
    /// follows it.
    pub about: *const (),
}

/// How the guest goes on after a stop.
#[derive(Debug)]
pub enum Resume {
    /// From where it stands, with the state of its frame.
    Native,
    /// In resume code, which takes the frame's place.
    Replace(Box<Replacement>),
}

/// With what a frame is replaced.
#[derive(Debug)]
pub struct Replacement {
    /// The resume code of the frame's function: see [`StoreMut::resume_code`].
    pub slot: CodeSlot,
    /// The position of the next instruction to run, among the reachable ones of the function.
    pub entry: u32,
    /// The same instruction.
    pub wasm: WasmOffset,
    /// The locals, then the operands before that instruction, bottom first, one behind the other in words as
    /// [`SlotLayout`](crate::base::SlotLayout) says.
    pub values: Box<[u64]>,
    /// The fuel that is left before it.
    pub fuel: i64,
}

/// What the latest frame that was replaced goes on with, for as long as that may be read: until the next one.
pub(in crate::runtime) struct Resuming {
    pub(in crate::runtime) state: ResumeState,
    pub(in crate::runtime) jump: ResumeJump,
    /// Read by the resume code alone.
    pub(in crate::runtime) values: Vec<u64>,
}
