//! Replay code for one run of a function's instructions. What stands before the run is not translated: the operands and
//! the open blocks come from the function's outline. Whatever leads out of the run returns the position that it leads
//! to.

use super::{Translator, unreadable};
use crate::base::{DefinedFuncIndex, Result, WasmOffset};
use crate::compile::env::Env;
use crate::compile::outline::{NONE, Operators, Outline};
use crate::compile::{internal, row};
use crate::image::{ReplayImage, SlotKind};
use crate::wasm::ValType;
use cranelift_codegen::ir;
use cranelift_frontend::FunctionBuilderContext;
use wasmparser::{BinaryReader, FunctionBody, Operator};

/// Translates the run of this number into `into`, which has the signature of replay code.
pub(in crate::compile) fn translate_run(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    into: &mut ir::Function,
    context: &mut FunctionBuilderContext,
    (outline, known): (&Outline, &ReplayImage),
    number: u32,
) -> Result<()> {
    let range = env.info.bodies[func.index()].bytes.clone();
    let start = range.start as u32;
    let bytes = env.binary.get(range).ok_or_else(|| internal("a body lies outside its binary"))?;
    let body = FunctionBody::new(BinaryReader::new(bytes, u64::from(start)));
    let ty = env.info.func_type(env.info.func_index(func));

    let first = number * outline.run;
    let from = known.instructions.get(first as usize).ok_or_else(|| internal("no such run"))?.wasm.get();
    let end = first.saturating_add(outline.run);
    let to = known.instructions.get(end as usize).map(|row| row.wasm.get());
    let begin = &outline.begins[number as usize];
    let rest = bytes.get((from - start) as usize..).ok_or_else(|| internal("an instruction outside its body"))?;
    let reader = BinaryReader::new(rest, u64::from(from));

    let mut translator = Translator::new(env, start, into, context);
    translator.locate(from);
    translator.declare_locals(ty, &body)?;
    let mut operands: Vec<SlotKind> = known.operands(first).collect();
    operands.reverse();
    for kind in operands {
        translator.push_placed(val_type(kind));
    }
    if let Some(single) = &mut translator.single {
        single.first = first;
    }
    let count = blocks_needed(Operators::new(reader.clone()), to, begin.depth)?;
    let mut blocks = Vec::with_capacity(count as usize);
    let mut at = begin.block;
    for _ in 0..count {
        let block = outline.blocks.get(at as usize).ok_or_else(|| internal("a block that is not open"))?;
        blocks.push(block);
        at = block.outer;
    }
    for block in blocks.into_iter().rev() {
        if block.outer == NONE {
            translator.open_function(ty);
        } else {
            translator.open_again(block, first)?;
        }
    }
    translator.outer = (begin.depth - count) as usize;
    translator.limits.set_due(begin.due);
    translator.classes = begin.classes;

    let mut operators = Operators::new(reader);
    let mut due = None;
    while let Some((operator, at)) = operators.next()? {
        if Some(at) == to {
            due = Some(operator);
            break;
        }
        translator.locate(at);
        let done = translator.operator(&operator).and_then(|()| translator.check_size());
        done.map_err(|error| error.at(WasmOffset::new(at)))?;
    }
    // What the last instructions take belongs to the same run of fuel as what follows.
    while let Some(operator) = due {
        if !translator.count_on(row(&operator)?) {
            break;
        }
        due = operators.next()?.map(|(operator, _)| operator);
    }
    if to.is_some() {
        let last = outline.begins.get(number as usize + 1).ok_or_else(|| internal("no such run"))?;
        translator.leave_run(end, last.block, outline)?;
    }
    translator.finish_single()?;
    translator.builder.finalize(env.isa.frontend_config());
    Ok(())
}

/// How many of the innermost blocks that are open before these instructions are ended or branched to in them, up to the
/// one at `to`. The function itself, where it is only branched to, does not count.
fn blocks_needed(mut operators: Operators<'_>, to: Option<u32>, depth: u32) -> Result<u32> {
    let (mut inside, mut closed, mut needed) = (0, 0, 0);
    while let Some((operator, at)) = operators.next()? {
        if Some(at) == to {
            break;
        }
        let mut branch = |relative: u32| {
            if let Some(outer) = relative.checked_sub(inside)
                && closed + outer + 1 < depth
            {
                needed = needed.max(closed + outer + 1);
            }
        };
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => inside += 1,
            Operator::End if inside > 0 => inside -= 1,
            Operator::End => {
                closed += 1;
                needed = needed.max(closed);
            }
            Operator::Else if inside == 0 => needed = needed.max(closed + 1),
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => branch(relative_depth),
            Operator::BrTable { targets } => {
                for target in targets.targets() {
                    branch(target.map_err(unreadable)?);
                }
                branch(targets.default());
            }
            _ => {}
        }
    }
    Ok(needed)
}

fn val_type(kind: SlotKind) -> ValType {
    match kind {
        SlotKind::I32 => ValType::I32,
        SlotKind::I64 => ValType::I64,
        SlotKind::F32 => ValType::F32,
        SlotKind::F64 => ValType::F64,
        SlotKind::V128 => ValType::V128,
        SlotKind::FuncRef => ValType::FuncRef,
        SlotKind::ExternRef => ValType::ExternRef,
    }
}
