//! Which instructions of a module write its globals and its functions' locals, and what an instruction does to a
//! memory: what watchpoints have to know. And what a call takes from the stack. It reads bodies, and keeps nothing.

use super::body::{Instruction, Instructions};
use super::module::ModuleInfo;
use crate::base::{DefinedFuncIndex, FuncIndex, GlobalIndex, LocalIndex, MemoryIndex, Result, WasmOffset};
use wasmparser::{MemArg, MemArgTarget, Operator};

/// An instruction that writes a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlobalWrite {
    /// The global.
    pub global: GlobalIndex,
    /// The function it is in.
    pub func: DefinedFuncIndex,
    /// The instruction.
    pub at: WasmOffset,
    /// The one behind it, which runs next.
    pub behind: WasmOffset,
}

/// All instructions of a module that write globals, sorted.
///
/// # Errors
/// [`ErrorKind::Panic`](crate::base::ErrorKind::Panic) for a fault of our own, or bodies that were not validated.
pub fn global_writes(info: &ModuleInfo, binary: &[u8]) -> Result<Vec<GlobalWrite>> {
    let mut writes = Vec::new();
    for body in &info.bodies {
        // Most functions of most modules write none: the opcode's byte is quick to look for.
        if !binary.get(body.bytes.clone()).is_some_and(|bytes| bytes.contains(&GLOBAL_SET)) {
            continue;
        }
        let global = |operator: &Operator<'_>| match operator {
            Operator::GlobalSet { global_index } => Some(GlobalIndex::new(*global_index)),
            _ => None,
        };
        let func = body.func;
        let write = |(global, at, behind)| GlobalWrite { global, func, at, behind };
        writes.extend(writes_of(info, binary, func, global)?.into_iter().map(write));
    }
    writes.sort_unstable();
    Ok(writes)
}

/// An instruction that writes a local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalWrite {
    /// The instruction behind it, which runs next.
    pub behind: WasmOffset,
    /// The instruction.
    pub at: WasmOffset,
}

/// All instructions of a function that write one of its locals, in their order.
///
/// # Errors
/// As [`global_writes`].
pub fn local_writes(
    info: &ModuleInfo,
    binary: &[u8],
    func: DefinedFuncIndex,
    local: LocalIndex,
) -> Result<Vec<LocalWrite>> {
    let written = |operator: &Operator<'_>| match operator {
        Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
            (*local_index == local.get()).then_some(())
        }
        _ => None,
    };
    let writes = writes_of(info, binary, func, written)?;
    Ok(writes.into_iter().map(|((), at, behind)| LocalWrite { behind, at }).collect())
}

/// The first parameter of its own that a function gives another value, if it does that to any.
///
/// # Errors
/// As [`global_writes`].
pub fn written_param(info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex) -> Result<Option<LocalIndex>> {
    let params = info.func_type(info.func_index(func)).params.len();
    let written = |operator: &Operator<'_>| match operator {
        Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
            Some(LocalIndex::new(*local_index)).filter(|local| local.index() < params)
        }
        _ => None,
    };
    let writes = writes_of(info, binary, func, written)?;
    Ok(writes.into_iter().map(|(param, ..)| param).min())
}

/// Where the module calls a function by its index, tail calls too, ascending.
///
/// # Errors
/// As [`global_writes`].
pub fn calls_of(info: &ModuleInfo, binary: &[u8], callee: FuncIndex) -> Result<Vec<(DefinedFuncIndex, WasmOffset)>> {
    let mut calls = Vec::new();
    for body in &info.bodies {
        for instruction in Instructions::of(&info.body(body.func, binary)?)? {
            let instruction = instruction?;
            if let Operator::Call { function_index } | Operator::ReturnCall { function_index } = instruction.operator
                && function_index == callee.get()
            {
                calls.push((body.func, instruction.at));
            }
        }
    }
    Ok(calls)
}

/// The calls in a function, tail calls too, in their order, each with the function that it names.
///
/// # Errors
/// As [`global_writes`].
pub fn calls_in(
    info: &ModuleInfo,
    binary: &[u8],
    func: DefinedFuncIndex,
) -> Result<Vec<(WasmOffset, Option<FuncIndex>)>> {
    let mut calls = Vec::new();
    for instruction in Instructions::of(&info.body(func, binary)?)? {
        let instruction = instruction?;
        match instruction.operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                calls.push((instruction.at, Some(FuncIndex::new(function_index))));
            }
            Operator::CallIndirect { .. }
            | Operator::CallRef { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. } => calls.push((instruction.at, None)),
            _ => {}
        }
    }
    Ok(calls)
}

/// The instructions of a function that write something, as `what` says: what, the instruction, and the one behind it.
fn writes_of<T>(
    info: &ModuleInfo,
    binary: &[u8],
    func: DefinedFuncIndex,
    what: impl Fn(&Operator<'_>) -> Option<T>,
) -> Result<Vec<(T, WasmOffset, WasmOffset)>> {
    let (mut writes, mut last) = (Vec::new(), None);
    for instruction in Instructions::of(&info.body(func, binary)?)? {
        let instruction = instruction?;
        let behind = instruction.at;
        writes.extend(last.map(|(written, at)| (written, at, behind)));
        last = what(&instruction.operator).map(|written| (written, behind));
    }
    Ok(writes)
}

/// The opcode of `global.set`.
const GLOBAL_SET: u8 = 0x24;

/// What an instruction does to a memory by itself, without calling the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAccess {
    /// The memory.
    pub memory: MemoryIndex,
    /// What is added to the index.
    pub offset: u64,
    /// How many bytes.
    pub width: u64,
    /// Which operand the index is, from the top of the stack.
    pub operand: usize,
    /// Whether it reads.
    pub reads: bool,
    /// Whether it writes.
    pub writes: bool,
}

/// What the instruction at an offset of a validated module does to a memory, if anything.
///
/// # Errors
/// As [`global_writes`].
pub fn memory_access(
    info: &ModuleInfo,
    binary: &[u8],
    func: DefinedFuncIndex,
    at: WasmOffset,
) -> Result<Option<MemoryAccess>> {
    let body = info.body(func, binary)?;
    let Some(instruction) = Instructions::starting_at(&body, at)?.next() else { return Ok(None) };
    let Instruction { operator, row, .. } = instruction?;
    let (Some(memarg), Some((takes, gives))) = (memarg_of(&operator), row.operands) else { return Ok(None) };
    let MemArgTarget::Memory(memory) = memarg.target else { return Ok(None) };
    // Waiters are told of nothing but shared memories, which is none of the bytes.
    if takes == 0 || matches!(operator, Operator::MemoryAtomicNotify { .. }) {
        return Ok(None);
    }
    let lane = matches!(
        operator,
        Operator::V128Load8Lane { .. }
            | Operator::V128Load16Lane { .. }
            | Operator::V128Load32Lane { .. }
            | Operator::V128Load64Lane { .. }
    );
    let (reads, writes) = (gives.is_some(), gives.is_none() || (takes > 1 && !lane));
    Ok(Some(MemoryAccess {
        memory: MemoryIndex::new(memory),
        offset: memarg.offset,
        // No access may promise to be aligned better than to its own width.
        width: 1 << memarg.max_align,
        operand: takes - 1,
        reads,
        writes,
    }))
}

/// How many operands the call at an offset of a validated module takes; none of any other instruction, a tail call
/// among them.
///
/// # Errors
/// As [`global_writes`].
pub fn call_operands(
    info: &ModuleInfo,
    binary: &[u8],
    func: DefinedFuncIndex,
    at: WasmOffset,
) -> Result<Option<usize>> {
    let body = info.body(func, binary)?;
    let Some(instruction) = Instructions::starting_at(&body, at)?.next() else { return Ok(None) };
    let of_type = |index| info.func_type_at(index).map(|ty| ty.params.len() + 1);
    Ok(match instruction?.operator {
        Operator::Call { function_index } => Some(info.func_type(FuncIndex::new(function_index)).params.len()),
        Operator::CallIndirect { type_index, .. } | Operator::CallRef { type_index } => of_type(type_index),
        _ => None,
    })
}

/// How many bytes the instruction at an offset accesses, if it is a load or store of one number: looked up at once, for
/// who may not do more.
pub fn plain_width(binary: &[u8], at: WasmOffset) -> Option<usize> {
    /// From `i32.load` on, in the order of opcodes.
    const WIDTHS: [u8; 23] = [4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4, 4, 8, 4, 8, 1, 2, 1, 2, 4];
    const FIRST: u8 = 0x28;
    let opcode = *binary.get(at.index())?;
    WIDTHS.get(usize::from(opcode.checked_sub(FIRST)?)).map(|width| usize::from(*width))
}

/// The immediates of an operator, which are given as names and values, that say where in a memory.
macro_rules! memarg_in {
    ([memarg $memarg:ident $($rest:tt)*]) => {
        Some(*$memarg)
    };
    ([$($other:tt)*]) => {
        None
    };
}

macro_rules! find_memarg {
    ($(@$proposal:ident $name:ident $({ $($field:ident: $ty:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
        #[allow(unused_variables, reason = "most immediates say nothing of a memory")]
        fn memarg_of(operator: &Operator<'_>) -> Option<MemArg> {
            match operator {
                $(Operator::$name $({ $($field,)* })? => memarg_in!([$($($field $field)*)?]),)*
                _ => None,
            }
        }
    };
}
wasmparser::for_each_operator!(find_memarg);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{Features, parse};

    #[test]
    fn writes_are_found_with_what_is_behind_them() {
        let binary = wat::parse_str(
            "(module (global $a (mut i32) (i32.const 36)) (global $b (mut i64) (i64.const 0))
               (func) (func i32.const 36 drop)
               (func (global.set $b (i64.const 1)) (global.set $a (i32.const 2)) (drop (global.get $a)))
               (func (block (global.set $a (i32.const 3)))))",
        )
        .unwrap();
        let info = parse(&binary, Features::default(), false).unwrap();
        let writes = global_writes(&info, &binary).unwrap();
        let told: Vec<_> = writes.iter().map(|write| (write.global.get(), write.func.get())).collect();
        assert_eq!(told, [(0, 2), (0, 3), (1, 2)]);
        for write in &writes {
            assert_eq!(binary[write.at.index()], GLOBAL_SET);
            assert_eq!(write.behind.index(), write.at.index() + 2);
        }
        // The last is behind by nothing but the `end` of its block.
        assert_eq!(binary[writes[1].behind.index()], 0x0b);
    }

    #[test]
    fn writes_of_locals_are_those_of_one_function_and_one_index() {
        let binary = wat::parse_str(
            "(module (func (param i32) (local i32 i64)
                 (local.set 1 (local.tee 0 (i32.const 1))) (block (local.set 1 (i32.const 2))) (local.set 2 (i64.const 3)))
               (func (param i32) (local i32) (local.set 1 (i32.const 4))))",
        )
        .unwrap();
        let info = parse(&binary, Features::default(), false).unwrap();
        let found = |func, local| {
            let writes = local_writes(&info, &binary, DefinedFuncIndex::new(func), LocalIndex::new(local)).unwrap();
            for write in &writes {
                // `local.set` or `local.tee`, with the index.
                assert!(matches!(&binary[write.at.index()..][..2], [0x21 | 0x22, index] if u32::from(*index) == local));
                assert_eq!(write.behind.index(), write.at.index() + 2);
            }
            writes.len()
        };
        assert_eq!([found(0, 0), found(0, 1), found(0, 2), found(1, 0), found(1, 1), found(1, 9)], [1, 2, 1, 0, 1, 0]);
        let param = |func| written_param(&info, &binary, DefinedFuncIndex::new(func)).unwrap();
        assert_eq!((param(0), param(1)), (Some(LocalIndex::new(0)), None));
    }

    /// All operators that have a place in a memory, each as its name says.
    #[test]
    fn accesses_are_what_the_names_say() {
        let text = [
            ("i32.load", 4, "r"),
            ("i64.load", 8, "r"),
            ("f32.load", 4, "r"),
            ("f64.load", 8, "r"),
            ("i32.load8_s", 1, "r"),
            ("i32.load16_u", 2, "r"),
            ("i64.load32_s", 4, "r"),
            ("v128.load", 16, "r"),
            ("v128.load8x8_s", 8, "r"),
            ("v128.load32_splat", 4, "r"),
            ("v128.load64_zero", 8, "r"),
            ("v128.load16_lane 3", 2, "R"),
            ("i32.store", 4, "w"),
            ("i64.store8", 1, "w"),
            ("i64.store32", 4, "w"),
            ("f64.store", 8, "w"),
            ("v128.store", 16, "w"),
            ("v128.store64_lane 1", 8, "W"),
            ("i32.atomic.load", 4, "r"),
            ("i64.atomic.store16", 2, "w"),
            ("i32.atomic.rmw8.add_u", 1, "x"),
            ("i64.atomic.rmw.cmpxchg", 8, "c"),
        ];
        for (name, width, kind) in text {
            let value = match name.split_once(['.', ' ']).unwrap().0 {
                _ if kind == "r" => "",
                "v128" => "(v128.const i64x2 0 0)",
                "i64" => "(i64.const 0)",
                "f64" => "(f64.const 0)",
                _ => "(i32.const 0)",
            };
            let value = if kind == "c" { format!("{value}{value}") } else { value.to_owned() };
            let dropped = if matches!(kind, "w" | "W") { "" } else { "drop" };
            let (name, lane) = name.split_once(' ').unwrap_or((name, ""));
            let aligned = format!(
                "(module (memory 1) (memory 1) (func (i32.const 7) {value} {name} 1 offset=9 {lane} {dropped}))"
            );
            let binary = wat::parse_str(&aligned).unwrap();
            let info = parse(&binary, Features::default(), false).unwrap();
            let body = info.body(DefinedFuncIndex::new(0), &binary).unwrap();
            let found: Vec<_> = Instructions::of(&body)
                .unwrap()
                .filter_map(|known| memory_access(&info, &binary, DefinedFuncIndex::new(0), known.unwrap().at).unwrap())
                .collect();
            let operand = match kind {
                "r" => 0,
                "c" => 2,
                _ => 1,
            };
            let (reads, writes) = (matches!(kind, "r" | "R" | "x" | "c"), matches!(kind, "w" | "W" | "x" | "c"));
            let wanted = MemoryAccess { memory: MemoryIndex::new(1), offset: 9, width, operand, reads, writes };
            assert_eq!(found, [wanted], "{name}");
            let plain: Vec<_> =
                Instructions::of(&body).unwrap().filter_map(|known| plain_width(&binary, known.unwrap().at)).collect();
            let is_plain = !name.starts_with("v128") && !name.contains("atomic");
            assert_eq!(plain, if is_plain { vec![width as usize] } else { vec![] }, "{name}");
        }
    }
}
