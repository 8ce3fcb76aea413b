//! Code of their own for functions that have breakpoints inside regions. Where such a breakpoint is not reached, each
//! turn through its region stops at the region's head and is rerun, to see that it is not: many times slower than the
//! guest. So a function in which that has happened often is compiled once more, with a stop point at exactly those
//! instructions, and goes on there from its next call on. Should a call go on and on in a loop, the function is
//! compiled so that it can be entered there, and that takes the place of the call's frame. What is decided here is what
//! is compiled, and when it can be used again; arming it is the affair of `breakpoints.rs`.
//!
//! In split code a region may so be in two parts, with a *split* between: an instruction before which a stop point
//! stands although rerun could go on past it. There the guest stops by itself, if anything wants it to. So rerun, which
//! would show it as well, leaves the guest to come there, unless the guest would not: then it was shown something, or
//! given something, that leads elsewhere.

use crate::base::{DefinedFuncIndex, Result, WasmOffset, filled};
use crate::code::CodeSlot;
use crate::runtime::StoreMut;

/// So many turns are rerun for nothing before a function is compiled, and so many again before that is entered, with so
/// many more for each byte of its Wasm: together they take about as long as that.
const PATIENCE: u32 = 256;
const PATIENCE_PER_BYTE: u32 = 16;
/// The most bytes of Wasm of a function that is compiled, while its guest waits.
const MAX_BYTES: usize = 1 << 20;
/// The most codes of one function, of those that are called and of those that are entered.
const MAX_CODES: usize = 8;
/// Earlier splits are kept up to so many, lest breakpoints that come and go have a function compiled each time.
const MAX_SPLITS: usize = 64;

/// How many turns are rerun for nothing before a function of so many bytes gets code of its own.
pub(super) fn patience(store: &StoreMut<'_>, slot: CodeSlot, func: DefinedFuncIndex) -> u32 {
    if let Some(forced) = store.engine().config().force_split_after {
        return forced;
    }
    let bytes = store.module_in(slot).map_or(0, |module| module.info().bodies[func.index()].bytes.len());
    PATIENCE.saturating_add(PATIENCE_PER_BYTE.saturating_mul(u32::try_from(bytes).unwrap_or(u32::MAX)))
}

/// The split code of one store.
#[derive(Default)]
pub(super) struct SplitCodes(Vec<SplitCode>);

struct SplitCode {
    /// The module's debug code.
    base: CodeSlot,
    func: DefinedFuncIndex,
    slot: CodeSlot,
    offsets: Vec<WasmOffset>,
    /// A byte for each instruction of the function's rerun code: whether it is a split.
    splits: Vec<u8>,
    /// Where it is entered: the first instructions of loops, in the order of their numbers from 1 on. [`None`] for code
    /// that is called.
    ways_in: Option<Vec<WasmOffset>>,
}

impl SplitCodes {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The splits of what is in a slot, if that is split code.
    #[inline]
    pub(super) fn splits(&self, slot: CodeSlot) -> Option<&[u8]> {
        self.0.iter().find(|code| code.slot == slot).map(|code| &*code.splits)
    }

    /// The slot of the module's debug code whose function is in this slot.
    pub(super) fn base(&self, slot: CodeSlot) -> CodeSlot {
        self.0.iter().find(|code| code.slot == slot).map_or(slot, |code| code.base)
    }

    /// Where a function has code of its own.
    pub(super) fn of(&self, base: CodeSlot, func: DefinedFuncIndex) -> impl Iterator<Item = CodeSlot> + '_ {
        self.0.iter().filter(move |code| (code.base, code.func) == (base, func)).map(|code| code.slot)
    }

    /// The number by which code is entered where the guest stands at a stop point before this instruction, if it can
    /// be.
    #[inline]
    pub(super) fn way_in(&self, slot: CodeSlot, at: WasmOffset) -> Option<u32> {
        let ways = self.0.iter().find(|code| code.slot == slot)?.ways_in.as_ref()?;
        ways.iter().position(|way| *way == at).map(|way| way as u32 + 1)
    }

    /// The codes of a function that are called, or entered.
    fn known(
        &self,
        base: CodeSlot,
        func: DefinedFuncIndex,
        entered: bool,
    ) -> impl DoubleEndedIterator<Item = &SplitCode> {
        self.0.iter().filter(move |code| (code.base, code.func, code.ways_in.is_some()) == (base, func, entered))
    }

    /// Code of a function that is split at all of these instructions, which ascend, and is called, or entered, if there
    /// is such.
    pub(super) fn get(
        &self,
        (base, func): (CodeSlot, DefinedFuncIndex),
        offsets: &[WasmOffset],
        entered: bool,
    ) -> Option<CodeSlot> {
        let covers = |code: &&SplitCode| offsets.iter().all(|offset| code.offsets.binary_search(offset).is_ok());
        self.known(base, func, entered).find(covers).map(|code| code.slot)
    }

    /// The same; if there is none it is compiled, unless that is not worth it.
    ///
    /// # Errors
    /// Those of compiling and mapping.
    pub(super) fn get_or_make(
        &mut self,
        store: &mut StoreMut<'_>,
        (base, func): (CodeSlot, DefinedFuncIndex),
        offsets: &[WasmOffset],
        entered: bool,
    ) -> Result<Option<CodeSlot>> {
        if let Some(slot) = self.get((base, func), offsets, entered) {
            return Ok(Some(slot));
        }
        let Some(module) = store.module_in(base).cloned() else { return Ok(None) };
        let bytes = module.info().bodies[func.index()].bytes.len();
        if offsets.is_empty() || bytes > MAX_BYTES || self.known(base, func, entered).count() >= MAX_CODES {
            return Ok(None);
        }
        let mut all = offsets.to_vec();
        let before = self.known(base, func, entered).next_back().map_or(&[][..], |code| &code.offsets);
        if all.len() + before.len() <= MAX_SPLITS {
            all.extend_from_slice(before);
            all.sort_unstable();
            all.dedup();
        }
        let graph = module.region_graph(func)?;
        let mut splits = filled(0, graph.instructions.len(), "the stops of a function")?;
        for (position, offset) in graph.instructions.iter().enumerate() {
            splits[position] = u8::from(all.binary_search(offset).is_ok());
        }
        let (slot, loops) = store.split_code(base, func, &all, entered)?;
        // A turn begins with what stands behind the `loop`.
        let behind = |at: &WasmOffset| {
            let next = graph.instructions.partition_point(|instruction| instruction <= at);
            graph.instructions.get(next).copied().unwrap_or(*at)
        };
        let ways_in = entered.then(|| loops.iter().map(behind).collect());
        self.0.push(SplitCode { base, func, slot, offsets: all, splits, ways_in });
        Ok(Some(slot))
    }
}
