//! Which instruction of Wasm optimised code belongs to, where optimising has moved, merged or removed what may trap: a
//! trap names the instruction that Wasm says traps, whatever machine instruction faults. Nothing of the code changes
//! but, rarely, that a load and a check stay apart.

use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::ir::{Block, Function, Inst, InstructionData, Opcode, RelSourceLoc, SourceLoc, Value, ValueDef};
use std::collections::{HashMap, HashSet};

/// So deep two addresses are compared.
const MAX_DEPTH: u32 = 6;

/// The stores that may trap, as they stand before optimising, by their blocks.
pub(super) struct Stores(HashMap<Block, Vec<Inst>>);

impl Stores {
    /// Those of a function.
    pub(super) fn of(func: &Function) -> Stores {
        let stores = |block| func.layout.block_insts(block).filter(|inst| store_traps(func, *inst)).collect::<Vec<_>>();
        let blocks = func.layout.blocks().map(|block| (block, stores(block)));
        Stores(blocks.filter(|(_, stores)| !stores.is_empty()).collect())
    }

    /// A store that another one overwrites before anybody sees it may be gone. What is out of bounds then traps in the
    /// other, which tells of the first.
    fn relocate(&self, func: &mut Function, domtree: &DominatorTree) {
        let mut to = Vec::new();
        for (block, stores) in self.0.iter().filter(|(block, _)| func.layout.is_block_inserted(**block)) {
            for (i, store) in stores.iter().enumerate() {
                if func.layout.inst_block(*store).is_none() {
                    self.overwriting(func, domtree, *block, i, &mut to);
                }
            }
        }
        // Of several in a row, all but the last are gone. The first is the one that traps.
        to.sort_by_key(|(_, first)| std::cmp::Reverse(func.srclocs[*first].expand(SourceLoc::new(0)).bits()));
        for (store, first) in to {
            func.srclocs[store] = func.srclocs[first];
        }
    }

    /// Finds the store that has overwritten one that is gone, the `index`-th of its block.
    fn overwriting(
        &self,
        func: &Function,
        domtree: &DominatorTree,
        block: Block,
        index: usize,
        found: &mut Vec<(Inst, Inst)>,
    ) {
        let gone = self.0[&block][index];
        let mut seen = HashSet::new();
        let mut due = vec![(block, index + 1)];
        while let Some((at, from)) = due.pop() {
            let stores = self.0.get(&at).map_or(&[][..], |stores| &stores[from..]);
            let next =
                stores.iter().find(|next| !overwrites(func, **next, gone) || func.layout.inst_block(**next).is_some());
            match next {
                // What is reached without it is not its own.
                Some(next) if overwrites(func, *next, gone) && domtree.block_dominates(block, at) => {
                    found.push((*next, gone));
                }
                Some(_) => {}
                None => due.extend(func.block_successors(at).filter(|next| seen.insert(*next)).map(|next| (next, 0))),
            }
        }
    }
}

/// Says which instruction of Wasm those belong to that optimising has made: the last one before them in their block
/// that does more than compute. And what may be merged with a load that traps belongs to that load.
pub(super) fn locate(func: &mut Function, domtree: &DominatorTree, stores: &Stores) {
    stores.relocate(func, domtree);
    let uses = single_uses(func);
    let mut apart = Vec::new();
    for block in func.layout.blocks().collect::<Vec<_>>() {
        let mut last = RelSourceLoc::default();
        // The loads behind the last instruction with an effect. A load is merged with what uses it only across none;
        // but a load that is merged further on is none any more. With their order.
        let mut loads: HashMap<Inst, usize> = HashMap::new();
        let mut carried: HashMap<Inst, Inst> = HashMap::new();
        for inst in func.layout.block_insts(block).collect::<Vec<_>>() {
            let opcode = func.dfg.insts[inst].opcode();
            let effective = has_effect(opcode);
            let at = &mut func.srclocs[inst];
            if at.is_default() {
                *at = last;
            } else if effective && !opcode.is_branch() {
                last = *at;
            }
            if let Some(load) = merged(func, inst, &loads, &uses, &carried) {
                match opcode {
                    _ if opcode.is_call() || opcode.can_load() => {}
                    // A read, a computation and a write of one place are one machine instruction, whose read traps.
                    _ if store_traps(func, inst) => {
                        if same_place(func, load, inst) {
                            func.srclocs[inst] = func.srclocs[load];
                        }
                    }
                    _ if opcode.can_trap() => apart.push(load),
                    _ => {
                        func.srclocs[inst] = func.srclocs[load];
                        if !effective {
                            carried.insert(inst, load);
                        }
                    }
                }
            }
            if effective || opcode.is_branch() || opcode.is_terminator() {
                let once = |value: &Value| uses[value.as_u32() as usize] == 1;
                if opcode.is_call() || !opcode.can_load() || !func.dfg.inst_results(inst).iter().all(once) {
                    loads.clear();
                }
                loads.insert(inst, loads.len());
            }
        }
    }
    apart.dedup();
    for load in apart {
        // A check that traps by itself has a location of its own. This keeps the load out of it, and is no code.
        let Some(next) = func.layout.next_inst(load) else { continue };
        let point = func.dfg.make_inst(InstructionData::NullAry { opcode: Opcode::SequencePoint });
        func.srclocs[point] = func.srclocs[load];
        func.layout.insert_inst(point, next);
    }
}

fn has_effect(opcode: Opcode) -> bool {
    opcode.can_trap() || opcode.can_load() || opcode.can_store() || opcode.other_side_effects() || opcode.is_call()
}

/// Whether each value is used exactly once, by its number.
fn single_uses(func: &Function) -> Vec<u8> {
    let mut uses = vec![0u8; func.dfg.num_values()];
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            for value in func.dfg.inst_values(inst) {
                let count = &mut uses[value.as_u32() as usize];
                *count = count.saturating_add(1);
            }
        }
    }
    uses
}

/// The load among `loads` that may trap and may be merged with `inst`: by itself, or in what only `inst` uses. Of
/// several it is the last: the others cannot be merged across it.
fn merged(
    func: &Function,
    inst: Inst,
    loads: &HashMap<Inst, usize>,
    uses: &[u8],
    carried: &HashMap<Inst, Inst>,
) -> Option<Inst> {
    let load = |value: &Value| {
        let ValueDef::Result(from, _) = func.dfg.value_def(*value) else { return None };
        let load = carried.get(&from).copied().unwrap_or(from);
        let order = loads.get(&load).filter(|_| uses[value.as_u32() as usize] == 1)?;
        (func.dfg.insts[load].opcode() == Opcode::Load && may_fault(func, load)).then_some((*order, load))
    };
    func.dfg.inst_args(inst).iter().filter_map(load).max_by_key(|(order, _)| *order).map(|(_, load)| load)
}

/// Whether a load or store has a trap.
fn may_fault(func: &Function, inst: Inst) -> bool {
    func.dfg.insts[inst].memflags().is_some_and(|flags| func.dfg.mem_flags[flags].trap_code().is_some())
}

fn store_traps(func: &Function, inst: Inst) -> bool {
    func.dfg.insts[inst].opcode().can_store() && may_fault(func, inst)
}

/// Whether a store writes where a load reads, and no more than that.
fn same_place(func: &Function, load: Inst, store: Inst) -> bool {
    match (&func.dfg.insts[load], &func.dfg.insts[store]) {
        (
            InstructionData::Load { arg, offset: from, .. },
            InstructionData::Store { opcode: Opcode::Store, args, offset: to, .. },
        ) => {
            let [read, written] =
                [func.dfg.first_result(load), args[0]].map(|value| func.dfg.value_type(value).bytes());
            from == to && written <= read && same(func, *arg, args[1], MAX_DEPTH)
        }
        _ => false,
    }
}

/// Whether a store writes exactly what another one has written.
fn overwrites(func: &Function, second: Inst, first: Inst) -> bool {
    match (&func.dfg.insts[first], &func.dfg.insts[second]) {
        (
            InstructionData::Store { opcode: a, args: first, offset: from, .. },
            InstructionData::Store { opcode: b, args: second, offset: to, .. },
        ) => {
            let [one, other] = [first[0], second[0]].map(|value| func.dfg.value_type(value).bytes());
            let widths = a == b && (*a != Opcode::Store || one == other);
            widths && from == to && same(func, first[1], second[1], MAX_DEPTH)
        }
        _ => false,
    }
}

/// Whether two values are the same, as far as their making shows it.
fn same(func: &Function, a: Value, b: Value, depth: u32) -> bool {
    let [a, b] = [a, b].map(|value| func.dfg.resolve_aliases(value));
    if a == b {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return false };
    match (func.dfg.value_def(a), func.dfg.value_def(b)) {
        // Ways to compute one value.
        (ValueDef::Union(one, other), _) => same(func, one, b, depth) || same(func, other, b, depth),
        (_, ValueDef::Union(one, other)) => same(func, a, one, depth) || same(func, a, other, depth),
        (ValueDef::Result(first, _), ValueDef::Result(second, _)) => {
            let [one, other] = [first, second].map(|inst| &func.dfg.insts[inst]);
            let pure = matches!(
                one.opcode(),
                Opcode::Iadd | Opcode::Isub | Opcode::Imul | Opcode::Uextend | Opcode::Ishl | Opcode::Iconst
            );
            let alike = match (one, other) {
                (InstructionData::UnaryImm { imm: one, .. }, InstructionData::UnaryImm { imm: other, .. }) => {
                    one == other
                }
                _ => true,
            };
            let arguments = func.dfg.inst_args(first).iter().zip(func.dfg.inst_args(second));
            pure && one.opcode() == other.opcode()
                && func.dfg.value_type(a) == func.dfg.value_type(b)
                && alike
                && arguments.into_iter().all(|(one, other)| same(func, *one, *other, depth))
        }
        _ => false,
    }
}
