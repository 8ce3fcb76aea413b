//! Branch hints: which way an `if` or a `br_if` mostly goes, as the custom section `metadata.code.branch_hint` says. A
//! section that cannot be read, or says what it must not, is as good as none: it says nothing about what a module does.

use super::module::ModuleInfo;
use crate::base::{FuncIndex, WasmOffset};
use wasmparser::{BinaryReader, BranchHintSectionReader};

/// The section's name.
pub(super) const SECTION: &str = "metadata.code.branch_hint";

/// Which way an instruction mostly goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchHint {
    /// The instruction: mostly an `if` or a `br_if`, but nobody has looked.
    pub at: WasmOffset,
    /// Whether it is mostly taken: its condition holds.
    pub taken: bool,
}

/// What the section says, in its own terms: a function, an offset in its body, and whether the branch there is taken.
pub(super) type Raw = Vec<(FuncIndex, u32, bool)>;

/// Reads a section that begins at `start`; nothing where it is damaged.
pub(super) fn read(data: &[u8], start: u64) -> Option<Raw> {
    let mut raw = Raw::new();
    for function in BranchHintSectionReader::new(BinaryReader::new(data, start)).ok()? {
        let function = function.ok()?;
        for hint in function.hints {
            let hint = hint.ok()?;
            raw.push((FuncIndex::new(function.func), hint.func_offset, hint.taken));
        }
    }
    let ascending = raw.windows(2).all(|pair| (pair[0].0, pair[0].1) < (pair[1].0, pair[1].1));
    ascending.then_some(raw)
}

/// The same as offsets in the module; nothing where one is outside its function.
pub(super) fn resolve(module: &ModuleInfo, raw: &Raw) -> Vec<BranchHint> {
    let place = |&(func, offset, taken): &(FuncIndex, u32, bool)| {
        let body = module.bodies.get(module.defined(func)?.index())?;
        let at = body.bytes.start.checked_add(offset as usize).filter(|at| *at < body.bytes.end)?;
        Some(BranchHint { at: WasmOffset::from_usize(at), taken })
    };
    raw.iter().map(place).collect::<Option<_>>().unwrap_or_default()
}

impl ModuleInfo {
    /// The hints of a function, by offset.
    pub fn hints_of(&self, func: crate::base::DefinedFuncIndex) -> &[BranchHint] {
        let body = &self.bodies[func.index()].bytes;
        let behind = |offset: usize| self.branch_hints.partition_point(|hint| hint.at.index() < offset);
        &self.branch_hints[behind(body.start)..behind(body.end)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::DefinedFuncIndex;
    use crate::wasm::{Features, Instructions, parse};
    use wasmparser::Operator;

    fn module(text: &str) -> (Vec<u8>, ModuleInfo) {
        let binary = wat::parse_str(text).unwrap();
        let info = parse(&binary, Features::default(), false).unwrap();
        (binary, info)
    }

    #[test]
    fn hints_are_at_their_instructions() {
        let (binary, info) = module(
            r#"(module (import "a" "b" (func))
                (func (param i32) (local i64) nop (@metadata.code.branch_hint "\01") (if (local.get 0) (then)))
                (func)
                (func (param i32) (block (@metadata.code.branch_hint "\00") (br_if 0 (local.get 0)))))"#,
        );
        let mut told = Vec::new();
        for func in 0..3 {
            let func = DefinedFuncIndex::new(func);
            for hint in info.hints_of(func) {
                let body = info.body(func, &binary).unwrap();
                let read = Instructions::starting_at(&body, hint.at).unwrap().next().unwrap().unwrap();
                told.push((func.get(), matches!(read.operator, Operator::If { .. }), hint.taken));
            }
        }
        assert_eq!(told, [(0, true, true), (2, false, false)]);
    }

    #[test]
    fn bad_sections_say_nothing() {
        let hints = |bytes: &str, place: &str| {
            let custom = format!("(@custom \"{SECTION}\" ({place}) \"{bytes}\")");
            let (_, info) = module(&format!("(module {custom} (func (param i32) (if (local.get 0) (then))) (func))"));
            info.branch_hints.len()
        };
        // One function, index 0, one hint at 3.
        assert_eq!(hints("\\01\\00\\01\\03\\01\\01", "before code"), 1);
        for bad in [
            "",
            "\\02\\00\\01\\03\\01\\01",
            "\\01\\00\\01\\03\\01\\02",
            "\\01\\00\\01\\03\\02\\01\\01",
            "\\01\\00\\01\\7f\\01\\01",
            "\\01\\07\\01\\03\\01\\01",
            "\\01\\00\\02\\03\\01\\01\\03\\01\\01",
            "\\02\\01\\00\\00\\01\\03\\01\\01\\ff",
        ] {
            assert_eq!(hints(bad, "before code"), 0, "{bad}");
        }
        // Behind the code it comes too late.
        assert_eq!(hints("\\01\\00\\01\\03\\01\\01", "after code"), 0);
    }
}
