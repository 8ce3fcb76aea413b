//! A quick look through a body before it is translated: which loops are ever gone through again. One that no branch
//! leads back to needs no block of its own, and no parameters.

use crate::base::Result;
use crate::wasm::{BlockKind, Instructions, Step, Walk};
use wasmparser::FunctionBody;

/// Whether a branch leads back to each `loop`, in their order, reached or not.
pub(super) fn repeated_loops(body: &FunctionBody<'_>) -> Result<Vec<bool>> {
    let mut loops = Vec::new();
    // Of a loop, its number is known.
    let mut walk = Walk::over_all(0);
    for instruction in Instructions::of(body)? {
        match walk.step(&instruction?)? {
            Step::Open(_) if walk.innermost()?.kind == BlockKind::Loop => {
                walk.innermost()?.known = loops.len();
                loops.push(false);
            }
            Step::End { block, .. } if block.kind == BlockKind::Loop => loops[block.known] = block.branched,
            _ => {}
        }
    }
    Ok(loops)
}
