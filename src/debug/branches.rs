//! The conditional branches of a function, and where each side of one leads. It reads bodies, and knows no store and no
//! code.

use crate::base::{DefinedFuncIndex, Result, WasmOffset};
use crate::image::branch_side;
use crate::wasm::{BlockKind, Flow, Instructions, ModuleInfo, Step, Walk, targets};
use smallvec::SmallVec;

/// An instruction from which control goes one of several ways.
pub(super) struct Branch {
    pub(super) at: WasmOffset,
    /// Where the condition holds first, then where it does not; of a `br_table` each block that it names once, in the
    /// order in which they are named, the default last.
    pub(super) sides: SmallVec<[BranchSide; 2]>,
}

/// One of the ways.
#[derive(Clone, Copy)]
pub(super) struct BranchSide {
    /// The instruction that it leads to; where the body ends, if that is out of the function.
    pub(super) to: WasmOffset,
    /// Which of the branch's places on sides it is, if other ways lead there, too. Otherwise whoever comes there has
    /// taken it.
    number: Option<u32>,
}

impl Branch {
    /// Where the guest comes to on a side, and in no other way: an instruction, or a place on the side.
    pub(super) fn witness(&self, side: &BranchSide) -> Witness {
        match side.number {
            None => Witness::Instruction(side.to),
            Some(number) => Witness::OnSide(branch_side(self.at, number)),
        }
    }
}

/// See [`Branch::witness`].
#[derive(Clone, Copy)]
pub(super) enum Witness {
    Instruction(WasmOffset),
    /// A [`branch_side`].
    OnSide(WasmOffset),
}

/// A side of a branch, by their places in the lists.
type Known = (usize, usize);

/// What is known of an open block.
#[derive(Default)]
struct Open {
    /// The first instruction of a loop.
    start: WasmOffset,
    /// The sides that lead behind its end.
    behind: Vec<Known>,
    /// The branch that an `if` is, before its `else`.
    condition: Option<usize>,
}

/// Those of a function that can be reached, by their offsets.
///
/// # Errors
/// [`ErrorKind::Panic`](crate::base::ErrorKind::Panic) for a fault of our own.
pub(super) fn branches_of(info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex) -> Result<Vec<Branch>> {
    let body = info.body(func, binary)?;
    let end = WasmOffset::from_usize(info.bodies[func.index()].bytes.end);
    let mut found = Vec::new();
    // The sides that lead to the next instruction, and whether that is the first of a loop.
    let (mut due, mut in_loop): (Vec<Known>, bool) = (Vec::new(), false);
    let mut walk = Walk::new(Open::default());
    for instruction in Instructions::of(&body)? {
        let instruction = instruction?;
        arrive(&mut found, &mut due, instruction.at);
        if std::mem::take(&mut in_loop) {
            walk.innermost()?.known.start = instruction.at;
        }
        let branch = found.len();
        match walk.step(&instruction)? {
            Step::Open(_) => {
                let block = walk.innermost()?;
                in_loop = block.kind == BlockKind::Loop;
                if block.kind == BlockKind::If {
                    block.known.condition = Some(branch);
                    due.push((branch, 0));
                    let sides = [None, None].map(|number| BranchSide { to: end, number });
                    found.push(Branch { at: instruction.at, sides: sides.into() });
                }
            }
            Step::Else { .. } => due.extend(walk.innermost()?.known.condition.take().map(|branch| (branch, 1))),
            Step::End { block, .. } => {
                due = block.known.behind;
                if let Some(branch) = block.known.condition {
                    // There is no `else`: what it leaves out leads there, too.
                    found[branch].sides[1].number = Some(0);
                    due.push((branch, 1));
                }
            }
            Step::Branch => {
                let mut depths: SmallVec<[u32; 4]> = SmallVec::new();
                let mut named = std::collections::HashSet::new();
                for depth in targets(&instruction.operator) {
                    let depth = depth?;
                    if named.insert(depth) {
                        depths.push(depth);
                    }
                }
                let falls = instruction.row.flow == Flow::BranchIf;
                if depths.len() + usize::from(falls) < 2 {
                    continue;
                }
                let mut sides = SmallVec::with_capacity(depths.len() + 1);
                for (side, depth) in depths.into_iter().enumerate() {
                    let block = walk.target(depth)?;
                    let to = if block.kind == BlockKind::Loop { block.known.start } else { end };
                    if block.kind != BlockKind::Loop {
                        block.known.behind.push((branch, side));
                    }
                    sides.push(BranchSide { to, number: Some(side as u32) });
                }
                if falls {
                    due.push((branch, sides.len()));
                    sides.push(BranchSide { to: end, number: None });
                }
                found.push(Branch { at: instruction.at, sides });
            }
            _ => {}
        }
    }
    // What leads behind the end of the function leads out of it.
    arrive(&mut found, &mut due, end);
    Ok(found)
}

/// The sides that are due lead to the instruction at `at`.
fn arrive(found: &mut [Branch], due: &mut Vec<Known>, at: WasmOffset) {
    for (branch, side) in due.drain(..) {
        found[branch].sides[side].to = at;
    }
}
