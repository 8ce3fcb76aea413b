//! A quick look through a body before it is translated: which loops are ever gone through again. One that no branch
//! leads back to needs no block of its own, and no parameters.

use super::unreadable;
use crate::base::Result;
use wasmparser::{FunctionBody, Operator};

/// Whether a branch leads back to each `loop`, in their order, reachable or not.
pub(super) fn repeated_loops(body: &FunctionBody<'_>) -> Result<Vec<bool>> {
    let mut loops = Vec::new();
    // The number of each open block, if it is a loop; the function's is none.
    let mut open: Vec<Option<usize>> = vec![None];
    let mut reader = body.get_operators_reader().map_err(unreadable)?;
    while !reader.eof() {
        let operator = reader.read().map_err(unreadable)?;
        let mut branch = |depth: u32| {
            let index = open.len().checked_sub(depth as usize + 1);
            if let Some(repeated) = index.and_then(|index| open[index]).and_then(|number| loops.get_mut(number)) {
                *repeated = true;
            }
        };
        match operator {
            Operator::Block { .. } | Operator::If { .. } => open.push(None),
            Operator::Loop { .. } => {
                open.push(Some(loops.len()));
                loops.push(false);
            }
            Operator::End => drop(open.pop()),
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => branch(relative_depth),
            Operator::BrTable { targets } => {
                branch(targets.default());
                for target in targets.targets() {
                    branch(target.map_err(unreadable)?);
                }
            }
            _ => {}
        }
    }
    Ok(loops)
}
