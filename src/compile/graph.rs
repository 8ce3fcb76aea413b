//! Which instruction of a function can follow which without the guest: what rerun can do, known from a walk over the
//! body, without compiling. It must agree with what `translate` makes of the same body; a test compares them.

use super::regions::RegionClasses;
use crate::base::{DefinedFuncIndex, Result};
use crate::image::RegionGraph;
use crate::wasm::{BlockKind, Class, Instructions, ModuleInfo, Step, Surroundings, Walk, targets};

/// What is known of an open block.
#[derive(Default)]
struct Leading {
    /// The instructions that lead behind its end.
    from: Vec<u32>,
    /// The `if` whose `else` has not come yet.
    condition: Option<u32>,
}

/// The graph of a function.
pub(super) fn graph(info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex, blocks: bool) -> Result<RegionGraph> {
    let (mut instructions, mut edges) = (Vec::new(), Vec::new());
    // The instructions that lead to the next one.
    let mut arriving: Vec<u32> = Vec::new();
    let mut classes = RegionClasses::new();
    let mut walk = Walk::new(Leading::default());
    let body = info.body(func, binary)?;
    walk.set_surroundings(Surroundings::of(&info.memories, &body, blocks)?);
    for instruction in Instructions::of(&body)? {
        let instruction = instruction?;
        let here = instructions.len() as u32;
        let mut class = Class::Control;
        if walk.reached() {
            instructions.push(instruction.at);
            edges.extend(arriving.drain(..).map(|from| (here, from)));
            class = classes.next(walk.row(&instruction));
        }
        match walk.step(&instruction)? {
            // Only the guest goes behind what ends a region, and into a loop and back.
            Step::Next if class.ends_region() => {}
            Step::Next => arriving.push(here),
            Step::Open(_) => {
                let block = walk.innermost()?;
                // Of an `if` behind which exceptions lead, both ways are the guest's.
                let ends = class.ends_region();
                if block.kind != BlockKind::Loop && !ends {
                    arriving.push(here);
                }
                block.known.condition = (block.kind == BlockKind::If && !ends).then_some(here);
            }
            Step::Else { fallen } => {
                let block = &mut walk.innermost()?.known;
                block.from.extend((fallen && !class.ends_region()).then_some(here));
                arriving.clear();
                arriving.extend(block.condition.take());
            }
            // Behind it only the guest comes, from a call.
            Step::Catch { fallen } => {
                let block = &mut walk.innermost()?.known;
                block.from.extend((fallen && !class.ends_region()).then_some(here));
                arriving.clear();
            }
            Step::End { block, fallen } => {
                arriving = block.known.from;
                arriving.extend(block.known.condition);
                if walk.depth() > 0 && !block.caught {
                    arriving.extend(fallen.then_some(here));
                }
            }
            Step::Branch => {
                for depth in targets(&instruction.operator) {
                    let depth = depth?;
                    let leaves = walk.leaves(depth);
                    let block = walk.target(depth)?;
                    // Out of the function, and where exceptions lead, too, goes the guest alone.
                    if block.kind != BlockKind::Loop && !block.caught && !leaves {
                        block.known.from.push(here);
                    }
                }
                if walk.reached() && !class.ends_region() {
                    arriving.push(here);
                }
            }
            Step::Leave | Step::Unreached => {}
        }
    }
    edges.sort_unstable();
    edges.dedup();
    Ok(RegionGraph { instructions, edges })
}
