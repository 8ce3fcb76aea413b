//! Which instructions of a module write its globals: what a watchpoint has to know ahead of time. It reads bodies, and
//! keeps nothing.

use super::body::Instructions;
use super::module::ModuleInfo;
use crate::base::{DefinedFuncIndex, GlobalIndex, Result, WasmOffset};
use wasmparser::Operator;

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
        let mut last: Option<(GlobalIndex, WasmOffset)> = None;
        for instruction in Instructions::of(&info.body(body.func, binary)?)? {
            let instruction = instruction?;
            let behind = instruction.at;
            writes.extend(last.map(|(global, at)| GlobalWrite { global, func: body.func, at, behind }));
            last = match instruction.operator {
                Operator::GlobalSet { global_index } => Some((GlobalIndex::new(global_index), behind)),
                _ => None,
            };
        }
    }
    writes.sort_unstable();
    Ok(writes)
}

/// The opcode of `global.set`.
const GLOBAL_SET: u8 = 0x24;

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
}
