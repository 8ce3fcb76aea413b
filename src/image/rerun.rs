//! Code that runs a function's instructions on a copy of its state, outside any frame, with what is known of each
//! instruction. It reads what the guest can read and writes nothing but the copy.
//!
//! The code is one function of the C convention that starts at its first byte and has no relocation:
//!
//! ```c
//! uint64_t rerun(VMContext *vmctx, uint64_t *values, const uint8_t *stops, uint32_t from);
//! ```
//!
//! `values` are the locals, then the operands, bottom first, one behind the other in words of 8 bytes as [`SlotLayout`]
//! says; what a narrow value leaves of its word is not defined. Where fuel is counted, the 8 bytes in front of them are
//! the fuel that is left; without, they are not touched. The instruction at position `from` of
//! [`RerunImage::instructions`] runs, and then one after the other, until the next one cannot: because its byte in
//! `stops` is not zero, because only the guest itself may run it (a side effect, a call, a return, a step across a stop
//! point), or because it traps. `values` then holds the state before that instruction. The result says which it is, see
//! [`RerunEnd::from_raw`]. It always ends: what is rerun has no cycles. It takes a few dozen bytes of stack, calls
//! nothing and never faults.
//!
//! Of a large function, there is code for a run of instructions at a time. Where what comes next is in another run, the
//! code ends with [`RerunEnd::ONWARD`] and its position.

use crate::abi::TrapCode;
use crate::base::{SlotLayout, SlotRange, ValType, WasmOffset};

/// A function's rerun code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RerunImage {
    /// The machine code.
    pub code: Vec<u8>,
    /// Its locals, parameters first.
    pub locals: SlotLayout,
    /// How many of them, the last ones, the guest does not declare: exceptions that are kept for `rethrow`.
    pub kept: u32,
    /// The words of its deepest operand stack.
    pub deepest: u32,
    /// Every instruction that can be reached, by Wasm offset.
    pub instructions: Vec<RerunInstruction>,
    /// The operand stacks that occur, each as the type on top of another; see [`RerunImage::operands`].
    pub stacks: Vec<(u32, ValType)>,
}

/// An instruction of rerun code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RerunInstruction {
    /// The instruction.
    pub wasm: WasmOffset,
    /// The operand stack before it, a row of [`RerunImage::stacks`] or [`RerunInstruction::NO_STACK`], and
    /// [`RerunInstruction::OF_GUEST`]: a large function has many instructions.
    stack: u32,
}

impl RerunInstruction {
    /// The bit that is set if only the guest may run it.
    const OF_GUEST: u32 = 1 << 31;
    /// The number of no row.
    const NO_STACK: u32 = Self::OF_GUEST - 1;

    /// The instruction at `wasm`, before which the operand stack is a row of [`RerunImage::stacks`] or
    /// [`RerunImage::EMPTY`]. `of_guest`: rerun never runs it, whatever the state.
    ///
    /// # Panics
    /// With more stacks than 31 bits count.
    pub fn new(wasm: WasmOffset, stack: u32, of_guest: bool) -> RerunInstruction {
        let stack = if stack == RerunImage::EMPTY { Self::NO_STACK } else { stack };
        assert!(stack <= Self::NO_STACK, "fewer stacks than 31 bits count");
        RerunInstruction { wasm, stack: stack | if of_guest { Self::OF_GUEST } else { 0 } }
    }

    /// Whether only the guest may run it, whatever the state: rerun ends before it.
    #[inline]
    pub fn is_of_guest(self) -> bool {
        self.stack & Self::OF_GUEST != 0
    }

    /// The operand stack before it, if there is one.
    #[inline]
    fn stack(self) -> u32 {
        match self.stack & Self::NO_STACK {
            Self::NO_STACK => RerunImage::EMPTY,
            row => row,
        }
    }
}

/// How rerun ended, with the position that the state is now before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RerunEnd {
    /// At an instruction that was to be stopped at.
    Stopped(u32),
    /// At one that only the guest can run.
    Native(u32),
    /// At one that traps, so.
    Traps(u32, TrapCode),
}

impl RerunEnd {
    /// [`RerunEnd::Stopped`] in the result's upper half.
    pub const STOPPED: u32 = 0;
    /// [`RerunEnd::Native`] in the result's upper half; a trap is this plus 1 plus its code.
    pub const NATIVE: u32 = 1;

    /// In the result's upper half of code that knows some of the function's instructions only: the next one, whose stop
    /// was not looked at, is another's.
    pub const ONWARD: u32 = 1 << 16;

    /// What the code's result means; `None` for one that no rerun code gives.
    pub fn from_raw(raw: u64) -> Option<RerunEnd> {
        let at = raw as u32;
        match (raw >> 32) as u32 {
            Self::STOPPED => Some(RerunEnd::Stopped(at)),
            Self::NATIVE => Some(RerunEnd::Native(at)),
            trap => Some(RerunEnd::Traps(at, TrapCode::from_u8(u8::try_from(trap - Self::NATIVE - 1).ok()?)?)),
        }
    }

    /// The result that means an end by `code`.
    pub const fn trap_to_raw(code: TrapCode) -> u32 {
        Self::NATIVE + 1 + code as u32
    }
}

/// Which instruction of a function can follow which in rerun: known before any code is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionGraph {
    /// Every instruction that can be reached, as in [`RerunImage::instructions`].
    pub instructions: Vec<WasmOffset>,
    /// Which can follow which, as positions: what follows, then what it follows; sorted, each once. Where only the
    /// guest can go on there is no edge.
    pub edges: Vec<(u32, u32)>,
}

impl RegionGraph {
    /// The positions that can come right before one in rerun.
    pub fn before(&self, position: u32) -> impl Iterator<Item = u32> + '_ {
        let from = self.edges.partition_point(|edge| edge.0 < position);
        self.edges[from..].iter().take_while(move |edge| edge.0 == position).map(|edge| edge.1)
    }
}

impl RerunImage {
    /// The empty operand stack.
    pub const EMPTY: u32 = u32::MAX;

    /// The locals that the guest declares: what is shown.
    #[inline]
    pub fn declared_locals(&self) -> SlotRange<'_> {
        self.locals.range(0, self.locals.len() as u32 - self.kept)
    }

    /// The position of the instruction at `wasm`.
    pub fn position(&self, wasm: WasmOffset) -> Option<u32> {
        self.instructions.binary_search_by_key(&wasm, |row| row.wasm).ok().map(|row| row as u32)
    }

    /// The same. These positions are tried first.
    #[inline]
    pub fn position_near(&self, wasm: WasmOffset, near: [u32; 2]) -> Option<u32> {
        let is_at = |at: &u32| self.instructions.get(*at as usize).is_some_and(|row| row.wasm == wasm);
        near.into_iter().find(is_at).or_else(|| self.position(wasm))
    }

    /// The types of the operands before an instruction, top first.
    #[inline]
    pub fn operand_types(&self, position: u32) -> impl Iterator<Item = ValType> + '_ {
        let mut at = self.instructions.get(position as usize).map_or(Self::EMPTY, |row| row.stack());
        std::iter::from_fn(move || {
            let (below, ty) = *self.stacks.get(at as usize)?;
            at = below;
            Some(ty)
        })
    }

    /// The operands before an instruction, top first: the type of each, and its word in the state.
    pub fn operands(&self, position: u32) -> impl Iterator<Item = (ValType, u32)> + '_ {
        let mut end = self.live_words(position);
        self.operand_types(position).map(move |ty| {
            end -= ty.words();
            (ty, end)
        })
    }

    /// What the collector has to see of a state before an instruction: locals, then operands, the type and the word of
    /// each.
    pub fn roots(&self, position: u32) -> impl Iterator<Item = (ValType, u32)> + '_ {
        self.locals.all().iter().chain(self.operands(position)).filter(|(ty, _)| ty.is_root())
    }

    /// How many words the state before an instruction takes: the locals, then the operands that are there.
    pub fn live_words(&self, position: u32) -> u32 {
        let mut words = self.locals.words();
        for ty in self.operand_types(position) {
            words += ty.words();
        }
        words
    }

    /// How many words the state of the function takes, whatever the instruction.
    pub fn words(&self) -> usize {
        (self.locals.words() + self.deepest) as usize
    }

    /// The bytes of memory that it takes, its machine code included.
    pub fn bytes(&self) -> usize {
        self.code.capacity()
            + self.locals.bytes()
            + self.instructions.capacity() * size_of::<RerunInstruction>()
            + self.stacks.capacity() * size_of::<(u32, ValType)>()
    }
}
