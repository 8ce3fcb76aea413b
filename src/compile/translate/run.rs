//! Rerun code for one run of a function's instructions. What stands before the run is not translated: the operands and
//! the open blocks come from the function's outline. Whatever leads out of the run returns the position that it leads
//! to.

use super::Translator;
use super::storage::buffer;
use crate::base::{DefinedFuncIndex, Result, WasmOffset};
use crate::compile::env::Env;
use crate::compile::internal;
use crate::compile::outline::{NONE, Outline};
use crate::image::RerunImage;
use crate::wasm::{Flow, Instructions, ValType, Walk, catch_labels, targets};
use cranelift_codegen::ir;
use cranelift_frontend::FunctionBuilderContext;

/// Translates the run of this number into `into`, which has the signature of rerun code.
pub(in crate::compile) fn translate_run(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    into: &mut ir::Function,
    context: &mut FunctionBuilderContext,
    (outline, known): (&Outline, &RerunImage),
    number: u32,
) -> Result<()> {
    let body = env.info.body(func, env.binary)?;
    let first = number * outline.run;
    let from = known.instructions.get(first as usize).ok_or_else(|| internal("no such run"))?.wasm;
    let end = first.saturating_add(outline.run);
    let to = known.instructions.get(end as usize).map(|row| row.wasm);
    let begin = &outline.begins[number as usize];

    let mut translator = Translator::new(env, body.range().start as u32, into, context);
    translator.locate(from.get());
    translator.locals = env.info.frame_locals(func, env.binary);
    let (flags, locals, params) = (translator.flags, &*translator.locals, &*translator.params);
    let mut state = buffer::begin(&mut translator.builder, flags, locals, params, (first, begin.classes))?;
    let mut operands: Vec<ValType> = known.operand_types(first).collect();
    operands.reverse();
    for ty in operands {
        state.push_placed(&mut translator.stack, ty);
    }
    translator.storage = Box::new(state);
    let count = blocks_needed(Instructions::starting_at(&body, from)?, to, begin.depth)?;
    translator.walk = Walk::inside((begin.depth - count) as usize);
    translator.walk.set_surroundings(outline.surroundings.clone());
    let mut blocks = Vec::with_capacity(count as usize);
    let mut at = begin.block;
    for _ in 0..count {
        let block = outline.blocks.get(at as usize).ok_or_else(|| internal("a block that is not open"))?;
        blocks.push(block);
        at = block.outer;
    }
    for block in blocks.into_iter().rev() {
        if block.outer == NONE {
            translator.open_function(env.info.func_type(env.info.func_index(func)));
        } else {
            translator.open_again(block, first)?;
        }
    }
    translator.limits.set_due(begin.due);

    let mut instructions = Instructions::starting_at(&body, from)?;
    let mut due = None;
    while let Some(instruction) = instructions.next().transpose()? {
        if Some(instruction.at) == to {
            due = Some(instruction);
            break;
        }
        translator.instruction(&instruction)?;
    }
    // What the last instructions take belongs to the same run of fuel as what follows.
    while due.is_some_and(|instruction| translator.count_on(instruction.row)) {
        due = instructions.next().transpose()?;
    }
    if to.is_some() {
        let last = outline.begins.get(number as usize + 1).ok_or_else(|| internal("no such run"))?;
        translator.leave_run(end, last.block, outline)?;
    }
    translator.finish()?;
    Ok(())
}

/// How many of the innermost blocks that are open before these instructions are ended or branched to in them, up to the
/// one at `to`. The function itself, where it is only branched to, does not count.
fn blocks_needed(instructions: Instructions<'_>, to: Option<WasmOffset>, total: u32) -> Result<u32> {
    let (mut inside, mut closed, mut needed) = (0, 0, 0);
    let led_to = |depth: u32, inside: u32, closed: u32, needed: &mut u32| {
        if let Some(outer) = depth.checked_sub(inside)
            && closed + outer + 1 < total
        {
            *needed = (*needed).max(closed + outer + 1);
        }
    };
    for instruction in instructions {
        let instruction = instruction?;
        if Some(instruction.at) == to {
            break;
        }
        match instruction.row.flow {
            Flow::Block | Flow::Loop | Flow::If => {
                catch_labels(&instruction.operator).for_each(|label| led_to(label, inside, closed, &mut needed));
                inside += 1;
            }
            Flow::End if inside > 0 => inside -= 1,
            Flow::End => {
                closed += 1;
                needed = needed.max(closed);
            }
            Flow::Else | Flow::Catch if inside == 0 => needed = needed.max(closed + 1),
            Flow::Branch | Flow::BranchIf => {
                for target in targets(&instruction.operator) {
                    led_to(target?, inside, closed, &mut needed);
                }
            }
            _ => {}
        }
    }
    Ok(needed)
}
