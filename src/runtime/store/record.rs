//! What a store knows of events that are being told: where guests stand.

use crate::abi::Activation;
use crate::base::{DefinedFuncIndex, Pc, WasmOffset};
use crate::code::CodeSlot;
use crate::image::{ShapeId, SiteId};
use crate::runtime::objects::owned::EventId;
use crate::runtime::store::virtual_frame::VirtualFrame;

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
    /// Whether the code has regions: instructions with no stop point before them.
    pub regions: bool,
}

/// An event that is being told: where the guest stands. On the stack of whoever tells.
pub(in crate::runtime) struct EventRecord {
    pub(in crate::runtime) id: EventId,
    /// In which the guest was left.
    pub(in crate::runtime) activation: *const Activation,
    pub(in crate::runtime) pc: usize,
    pub(in crate::runtime) fp: usize,
    pub(in crate::runtime) kind: PcKind,
    /// Whether the frame is set up: see [`RawFrame::set_up`](crate::runtime::RawFrame::set_up).
    pub(in crate::runtime) set_up: bool,
    /// The stop, which stands for as long as this does; null if it is none.
    pub(in crate::runtime) stop: *const StopInfo,
    /// The fuel that the guest has paid since the point at which it is shown, where it stands behind that.
    pub(in crate::runtime) paid: i64,
    /// Where a listener says that the frame really is.
    pub(in crate::runtime) shown: Option<Box<VirtualFrame>>,
    pub(in crate::runtime) previous: *mut EventRecord,
}

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
