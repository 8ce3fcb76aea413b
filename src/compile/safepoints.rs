//! References where a collection may look for them. Objects never move, so code keeps its references in registers as it
//! likes; but before a call behind which some are used again they are written to the frame, one behind the other, and
//! the code generator is told how many of each kind. A call in a block that is mostly not come to, as that of a new
//! object for which there is no room at hand, costs the usual way nothing.
//!
//! Which values are references is said by the translator, of what it pushes and takes from the operand stack. What ways
//! bring together where they meet is of one type, so the rest follows.
//!
//! In debug code the slots of a frame's points tell of locals and operands. This tells of what was made since.

use super::internal;
use crate::base::{Error, ErrorKind, Result};
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    Block, BlockArg, Function, Inst, InstBuilder, MemFlagsData, Opcode, StackSlot, StackSlotData, StackSlotKind,
    UserStackMapEntry, Value, ValueDef, types,
};
use std::collections::HashMap;

/// The bytes that each reference takes in the frame.
const PLACE_BYTES: u32 = 8;
const PLACE_ALIGN_SHIFT: u8 = 3;

/// How many references may be written before calls, for each byte of a body, and the least bytes that count.
const WRITTEN_PER_BYTE: usize = 64;
const LEAST_BYTES: usize = 100_000;

/// What a translator says of a function.
pub(super) struct References {
    /// How the frame is written.
    flags: MemFlagsData,
    /// Values that are references; some more than once.
    values: Vec<Value>,
    /// Calls of what never collects, in the order of their numbers.
    quiet: Vec<Inst>,
}

impl References {
    pub(super) fn new(flags: MemFlagsData) -> References {
        References { flags, values: Vec::new(), quiet: Vec::new() }
    }

    /// A value is a reference that the collector has to see.
    pub(super) fn note(&mut self, value: Value) {
        self.values.push(value);
    }

    /// Nothing is collected during a call, which was made last.
    pub(super) fn note_quiet(&mut self, call: Inst) {
        self.quiet.push(call);
    }
}

/// How ways lead through a function.
struct Flow {
    /// The blocks in the order of their layout.
    blocks: Vec<Block>,
    /// By block: those from which it is reached.
    before: HashMap<Block, Vec<Block>>,
}

/// Values that are the same reference wherever ways meet.
struct Classes(Vec<u32>);

impl Classes {
    fn root(&mut self, value: Value) -> u32 {
        let mut at = value.as_u32();
        loop {
            let above = self.0[at as usize];
            if above == at {
                return at;
            }
            // Halves the way for those who come later.
            self.0[at as usize] = self.0[above as usize];
            at = above;
        }
    }

    fn join(&mut self, one: Value, other: Value) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one as usize] = other;
    }
}

/// A set of small numbers, in no order but the same one every time.
struct Live {
    list: Vec<u32>,
    /// Where each is in the list.
    place: Vec<u32>,
}

impl Live {
    const NOWHERE: u32 = u32::MAX;

    fn new(numbers: usize) -> Live {
        Live { list: Vec::new(), place: vec![Live::NOWHERE; numbers] }
    }

    fn add(&mut self, number: u32) {
        if self.place[number as usize] == Live::NOWHERE {
            self.place[number as usize] = self.list.len() as u32;
            self.list.push(number);
        }
    }

    fn remove(&mut self, number: u32) {
        let at = std::mem::replace(&mut self.place[number as usize], Live::NOWHERE);
        if at != Live::NOWHERE {
            self.list.swap_remove(at as usize);
            if let Some(moved) = self.list.get(at as usize) {
                self.place[*moved as usize] = at;
            }
        }
    }

    fn clear(&mut self) {
        for number in self.list.drain(..) {
            self.place[number as usize] = Live::NOWHERE;
        }
    }
}

/// Writes references to the frame before calls. Gives where in the frame, if there are any: those of the family of
/// `anyref` first, then external ones, as the stack map of a call counts them.
///
/// # Errors
/// [`ErrorKind::Limit`] for too many references at too many calls.
pub(super) fn write_references(
    func: &mut Function,
    references: &References,
    body_bytes: usize,
) -> Result<Option<StackSlot>> {
    if references.values.is_empty() {
        return Ok(None);
    }
    let flow = flow_of(func);
    let tracked = tracked(func, &flow, references);
    let calls = calls_with_live(func, &flow, references, &tracked, WRITTEN_PER_BYTE * body_bytes.max(LEAST_BYTES))?;
    let Some(most) = calls.iter().map(|(_, live)| live.len()).max() else { return Ok(None) };
    let bytes = u32::try_from(most).ok().and_then(|most| most.checked_mul(PLACE_BYTES));
    let bytes = bytes.ok_or_else(too_many)?;
    let slot = func.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, PLACE_ALIGN_SHIFT));
    for (call, live) in calls {
        let mut cursor = FuncCursor::new(func).at_inst(call);
        let at = cursor.func.srcloc(call);
        cursor.set_srcloc(at);
        let base = cursor.ins().stack_addr(types::I64, slot, 0);
        for (index, value) in live.into_iter().enumerate() {
            let offset = index as u32 * PLACE_BYTES;
            let ty = cursor.func.dfg.value_type(value);
            cursor.ins().store(references.flags, value, base, offset as i32);
            cursor.func.dfg.append_user_stack_map_entry(call, UserStackMapEntry { ty, slot, offset });
        }
    }
    Ok(Some(slot))
}

#[cold]
fn too_many() -> Error {
    Error::new(
        ErrorKind::Limit,
        "the function is too large to compile: it has too many references at too many calls; split it",
    )
}

/// How many references of each kind a call's map has: of the family of `anyref`, and external ones.
pub(super) fn counts(entries: impl Iterator<Item = (cranelift_codegen::ir::Type, u32)>) -> Result<(u32, u32)> {
    let (mut any, mut external) = (0, 0);
    for (ty, _) in entries {
        match ty {
            types::I32 => any += 1,
            types::I64 => external += 1,
            other => return Err(internal(format!("a reference of type {other}"))),
        }
    }
    Ok((any, external))
}

/// Calls each of the function's ways between blocks, with what it brings.
fn for_each_way(func: &Function, blocks: &[Block], mut visit: impl FnMut(Block, Block, &[BlockArg])) {
    let pools = (&func.dfg.jump_tables, &func.dfg.exception_tables);
    for block in blocks {
        let Some(last) = func.layout.last_inst(*block) else { continue };
        for way in func.dfg.insts[last].branch_destination(pools.0, pools.1) {
            let arguments: Vec<BlockArg> = way.args(&func.dfg.value_lists).collect();
            visit(*block, way.block(&func.dfg.value_lists), &arguments);
        }
    }
}

fn flow_of(func: &Function) -> Flow {
    let blocks: Vec<Block> = func.layout.blocks().collect();
    let mut before: HashMap<Block, Vec<Block>> = HashMap::new();
    for_each_way(func, &blocks, |from, to, _| before.entry(to).or_default().push(from));
    Flow { blocks, before }
}

/// Whether a value is a constant: null, which no collection has to see, and which may be of several types.
fn is_constant(func: &Function, value: Value) -> bool {
    matches!(func.dfg.value_def(value), ValueDef::Result(inst, _) if func.dfg.insts[inst].opcode() == Opcode::Iconst)
}

/// All values that are references, each with a number.
struct Tracked {
    values: Vec<Value>,
    numbers: HashMap<Value, u32>,
}

fn tracked(func: &Function, flow: &Flow, references: &References) -> Tracked {
    let mut classes = Classes((0..func.dfg.num_values() as u32).collect());
    for_each_way(func, &flow.blocks, |_, to, arguments| {
        for (param, argument) in func.dfg.block_params(to).iter().zip(arguments) {
            if let BlockArg::Value(value) = argument {
                let value = func.dfg.resolve_aliases(*value);
                if !is_constant(func, value) {
                    classes.join(*param, value);
                }
            }
        }
    });
    let mut marked = vec![false; classes.0.len()];
    for value in &references.values {
        let value = func.dfg.resolve_aliases(*value);
        if !is_constant(func, value) {
            marked[classes.root(value) as usize] = true;
        }
    }
    let mut tracked = Tracked { values: Vec::new(), numbers: HashMap::new() };
    let mut add = |value: Value| {
        if marked[classes.root(value) as usize] {
            tracked.numbers.insert(value, tracked.values.len() as u32);
            tracked.values.push(value);
        }
    };
    for block in &flow.blocks {
        func.dfg.block_params(*block).iter().copied().for_each(&mut add);
        for inst in func.layout.block_insts(*block) {
            func.dfg.inst_results(inst).iter().copied().for_each(&mut add);
        }
    }
    tracked
}

/// The calls during which something may be collected, each with the references that are used behind it.
fn calls_with_live(
    func: &Function,
    flow: &Flow,
    references: &References,
    tracked: &Tracked,
    most: usize,
) -> Result<Vec<(Inst, Vec<Value>)>> {
    let collects = |inst: Inst| {
        let opcode = func.dfg.insts[inst].opcode();
        // A patchable site is none: what is stopped there has its frame complete.
        opcode.is_call()
            && !opcode.is_return()
            && !is_patchable(func, inst)
            && references.quiet.binary_search(&inst).is_err()
    };
    let number = |value: Value| tracked.numbers.get(&func.dfg.resolve_aliases(value)).copied();

    // Where each is used without being made there, and which blocks have such calls.
    let mut used_from_before: Vec<Vec<Block>> = vec![Vec::new(); tracked.values.len()];
    let mut with_calls: HashMap<Block, Vec<u32>> = HashMap::new();
    let mut made: Vec<Option<Block>> = vec![None; tracked.values.len()];
    for block in &flow.blocks {
        for param in func.dfg.block_params(*block) {
            if let Some(number) = number(*param) {
                made[number as usize] = Some(*block);
            }
        }
        for inst in func.layout.block_insts(*block) {
            for value in func.dfg.inst_values(inst) {
                if let Some(number) = number(value)
                    && made[number as usize] != Some(*block)
                    && used_from_before[number as usize].last() != Some(block)
                {
                    used_from_before[number as usize].push(*block);
                }
            }
            for result in func.dfg.inst_results(inst) {
                if let Some(number) = number(*result) {
                    made[number as usize] = Some(*block);
                }
            }
            if collects(inst) {
                with_calls.entry(*block).or_default();
            }
        }
    }

    // Up the ways from each use to where it is made.
    let mut seen: HashMap<Block, u32> = HashMap::new();
    let mut due = Vec::new();
    let mut steps = 0usize;
    for (index, uses) in used_from_before.iter().enumerate() {
        let number = index as u32;
        due.extend_from_slice(uses);
        while let Some(block) = due.pop() {
            for before in flow.before.get(&block).into_iter().flatten() {
                if seen.insert(*before, number) == Some(number) {
                    continue;
                }
                steps += 1;
                if steps > most {
                    return Err(too_many());
                }
                if let Some(live) = with_calls.get_mut(before) {
                    live.push(number);
                }
                if made[index] != Some(*before) {
                    due.push(*before);
                }
            }
        }
    }

    let mut found = Vec::new();
    let mut live = Live::new(tracked.values.len());
    let mut written = 0usize;
    for block in &flow.blocks {
        let Some(behind) = with_calls.get(block) else { continue };
        live.clear();
        behind.iter().for_each(|number| live.add(*number));
        let mut inst = func.layout.last_inst(*block);
        while let Some(at) = inst {
            for result in func.dfg.inst_results(at) {
                if let Some(number) = number(*result) {
                    live.remove(number);
                }
            }
            // What a call that ends a block hands to those behind is there across it.
            if func.dfg.insts[at].opcode().is_branch() {
                let pools = (&func.dfg.jump_tables, &func.dfg.exception_tables);
                for way in func.dfg.insts[at].branch_destination(pools.0, pools.1) {
                    for argument in way.args(&func.dfg.value_lists) {
                        if let BlockArg::Value(value) = argument
                            && let Some(number) = number(value)
                        {
                            live.add(number);
                        }
                    }
                }
            }
            if collects(at) && !live.list.is_empty() {
                written += live.list.len();
                if written > most {
                    return Err(too_many());
                }
                let of_type = |ty| {
                    let values = live.list.iter().map(|number| tracked.values[*number as usize]);
                    values.filter(move |value| func.dfg.value_type(*value) == ty)
                };
                found.push((at, of_type(types::I32).chain(of_type(types::I64)).collect()));
            }
            for value in func.dfg.inst_values(at) {
                if let Some(number) = number(value) {
                    live.add(number);
                }
            }
            inst = func.layout.prev_inst(at);
        }
    }
    Ok(found)
}

/// Whether a call is a stop site.
fn is_patchable(func: &Function, inst: Inst) -> bool {
    match func.dfg.insts[inst].analyze_call(&func.dfg.value_lists, &func.dfg.exception_tables) {
        cranelift_codegen::ir::instructions::CallInfo::Direct(callee, _) => func.dfg.ext_funcs[callee].patchable,
        _ => false,
    }
}
