//! A frame inside a region: between two stop points, where the guest itself does not stand. It is shown as if it did.
//! What a listener has found by rerun is here as plain values; how it is found is in `control/virtual_frame.rs`.

use crate::abi::{Activation, ValRaw};
use crate::base::{DefinedFuncIndex, TagIndex, ValType, WasmOffset};
use crate::code::CodeSlot;
use crate::image::{RerunImage, ShapeId};
use crate::runtime::compiled::module::ModuleId;
use crate::runtime::compiled::rerun::{LastRun, RerunCode};
use crate::runtime::objects::owned::EventId;
use std::sync::Arc;

/// Where the frame of an event really is: at an instruction that the guest has not run to, with a state that is not in
/// the frame. It is made for one event ([`StoreMut::look_inside`](crate::runtime::StoreMut::look_inside)), and serves
/// as room for the next.
pub struct VirtualFrame {
    /// The event whose frame it is.
    pub(in crate::runtime) event: EventId,
    pub(in crate::runtime) slot: CodeSlot,
    pub(in crate::runtime) module: ModuleId,
    pub(in crate::runtime) func: DefinedFuncIndex,
    pub(in crate::runtime) fp: usize,
    /// The address of its vmctx, which is live while the event is told.
    pub(in crate::runtime) vmctx: usize,
    /// The function's rerun code.
    pub(in crate::runtime) code: Arc<RerunCode>,
    /// The run of it that was rerun last.
    pub(in crate::runtime) run: LastRun,
    /// The stop point, and the operand stack there.
    pub(in crate::runtime) start: u32,
    pub(in crate::runtime) shape: ShapeId,
    /// What the guest has paid of its fuel since then.
    pub(in crate::runtime) paid: i64,
    /// The instruction about to run: one of the code's.
    pub(in crate::runtime) position: u32,
    /// In words: the fuel that is left ([`FUEL`]), then the locals, then the operands before it, as many as the code
    /// needs.
    pub(in crate::runtime) state: Vec<u64>,
    /// While it is shown: the fuel that the store had. The guest, when it goes on from its stop point, pays by itself.
    pub(in crate::runtime) had: Option<i64>,
    /// Whether that was changed while it was shown.
    pub(in crate::runtime) given: bool,
    /// For rerunning once more.
    pub(in crate::runtime) again: Vec<u64>,
    /// A stop nowhere: a byte for each instruction.
    pub(in crate::runtime) nowhere: Vec<u8>,
}

/// Room for a frame: one that is used no more, so that the next one allocates nothing. What is in it is of no meaning.
#[derive(Debug)]
pub struct Room(pub(in crate::runtime) Box<VirtualFrame>);

impl From<Box<VirtualFrame>> for Room {
    #[inline]
    fn from(frame: Box<VirtualFrame>) -> Room {
        Room(frame)
    }
}

/// A frame that waits for a call, and is to go on behind it with other values than it has.
pub(in crate::runtime) struct ChangedCaller {
    /// What is to be in it, at the call. It is of no event: its id is one that none has.
    pub(in crate::runtime) frame: Box<VirtualFrame>,
    /// The entry into guests that the frame is of. It is gone when that is left.
    pub(in crate::runtime) activation: *const Activation,
    /// How many of its operands, from the bottom of the stack, the call leaves there.
    pub(in crate::runtime) stays: usize,
    /// Whether it catches an exception, and goes on where that lands.
    pub(in crate::runtime) lands: Option<Landed>,
}

/// An exception that lands in a frame.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct Landed {
    /// The tag of the clause that catches it, which carries this tag's values; none, if the clause has no tag.
    pub(in crate::runtime) tag: Option<TagIndex>,
}

/// What [`StoreMut::look_ahead`](crate::runtime::StoreMut::look_ahead) has found.
#[derive(Debug)]
pub enum Looked {
    /// The frame at its stop point, from where rerun can go on.
    Inside(Box<VirtualFrame>),
    /// Only the guest may run what comes next: the room was not needed.
    OfGuest(Room),
}

/// Where the fuel is in a state, and where the values begin.
pub(in crate::runtime) const FUEL: usize = 0;
pub(in crate::runtime) const VALUES: usize = 1;

impl std::fmt::Debug for VirtualFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VirtualFrame").field("func", &self.func).field("wasm", &self.wasm()).finish_non_exhaustive()
    }
}

impl VirtualFrame {
    fn image(&self) -> &RerunImage {
        self.code.image()
    }

    /// The instruction about to run, or the one that trapped.
    pub fn wasm(&self) -> WasmOffset {
        self.image().instructions[self.position as usize].wasm
    }

    /// The stop point from which it was come to: where the frame itself stands.
    pub(in crate::runtime) fn begun(&self) -> WasmOffset {
        self.image().instructions[self.start as usize].wasm
    }

    /// The locals, then the operands, in words; what is above them is of no meaning.
    pub fn values(&self) -> &[u64] {
        &self.state[VALUES..]
    }

    /// A local: its type and value.
    pub fn local(&self, index: usize) -> Option<(ValType, ValRaw)> {
        self.image().declared_locals().get(index).map(|at| self.value(at))
    }

    /// The locals, parameters first.
    pub fn locals(&self) -> impl ExactSizeIterator<Item = (ValType, ValRaw)> + '_ {
        self.image().declared_locals().iter().map(|at| self.value(at))
    }

    /// The types and the words of the locals, if each takes one word.
    #[inline]
    pub(in crate::runtime) fn narrow_locals(&self) -> Option<(&[ValType], &[u64])> {
        let locals = self.image().declared_locals();
        (locals.words() as usize == locals.len()).then(|| (locals.types(), self.values()))
    }

    /// How many operands there are, and each, top first.
    #[inline]
    pub(in crate::runtime) fn counted_operands(&self) -> (usize, impl Iterator<Item = (ValType, ValRaw)> + '_) {
        let image = self.image();
        let (count, words) =
            image.operand_types(self.position).fold((0, 0), |(count, words), ty| (count + 1, words + ty.words()));
        let mut end = image.locals.words() + words;
        let operands = image.operand_types(self.position).map(move |ty| {
            end -= ty.words();
            self.value((ty, end))
        });
        (count, operands)
    }

    /// The operands, top first.
    pub fn operands(&self) -> impl Iterator<Item = (ValType, ValRaw)> + '_ {
        self.image().operands(self.position).map(|at| self.value(at))
    }

    /// The value of this type at a word of the state.
    pub(in crate::runtime) fn value_at(&self, ty: ValType, word: u32) -> ValRaw {
        self.value((ty, word)).1
    }

    /// Writes a value of this type at a word of the state.
    pub(in crate::runtime) fn write(&mut self, word: u32, ty: ValType, value: ValRaw) {
        let at = VALUES + word as usize;
        let words = value.words();
        self.state[at..at + ty.words() as usize].copy_from_slice(&words[..ty.words() as usize]);
    }

    /// Makes words of the state zero.
    pub(in crate::runtime) fn clear(&mut self, words: std::ops::Range<u32>) {
        self.state[VALUES..][words.start as usize..words.end as usize].fill(0);
    }

    /// The value of this type at a word of the state.
    #[inline(always)]
    fn value(&self, (ty, word): (ValType, u32)) -> (ValType, ValRaw) {
        let words = &self.values()[word as usize..];
        (ty, ValRaw::from_words([words[0], if ty.is_wide() { words[1] } else { 0 }]))
    }
}
