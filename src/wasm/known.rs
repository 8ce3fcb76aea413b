//! What of a module's active data is known before there is an instance: which segments will be copied for certain, and
//! where to. It says nothing about what a memory is made of.

use super::module::ModuleInfo;
use super::types::{ConstExpr, ConstOp, SegmentMode};
use crate::base::{DataIndex, GlobalIndex, MemoryIndex};

/// An active data segment that is copied at each instantiation, whatever the instance is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownData {
    /// Which segment.
    pub segment: DataIndex,
    /// Where to.
    pub memory: MemoryIndex,
    /// The offset; all of the segment is inside of the memory.
    pub offset: u64,
}

impl ModuleInfo {
    /// The imported globals that the offsets of its active segments depend on, ascending.
    pub fn offset_globals(&self) -> Vec<GlobalIndex> {
        let elements = self.elements.iter().filter_map(|segment| offset_of(&segment.mode));
        let data = self.data.iter().filter_map(|segment| offset_of(&segment.mode));
        let mut globals: Vec<_> = elements
            .chain(data)
            .flatten()
            .filter_map(|op| match op {
                ConstOp::GlobalGet(global) if global.get() < self.imported_globals => Some(*global),
                _ => None,
            })
            .collect();
        globals.sort_unstable();
        globals.dedup();
        globals
    }

    /// The active data segments that will be copied for certain, in order, where `global` says what an imported global
    /// holds: none if an element segment may not fit, for what comes behind it is not copied then; and none behind the
    /// first that may not fit itself. What an instance imports is as large as the module asks for, and maybe larger.
    pub fn known_data(&self, global: impl Fn(GlobalIndex) -> Option<i64>) -> Vec<KnownData> {
        let fits = |offset: u64, len: usize, of: u64| offset.checked_add(len as u64).is_some_and(|end| end <= of);
        let elements = self.elements.iter().all(|segment| match &segment.mode {
            SegmentMode::Active(table, offset) => {
                let table = self.table(*table);
                let offset = self.constant(offset, &global).map(|offset| table.index.place(offset));
                offset.is_some_and(|offset| fits(offset, segment.items.len(), table.limits.min))
            }
            SegmentMode::Passive | SegmentMode::Declared => true,
        });
        let mut known = Vec::new();
        for (i, segment) in self.data.iter().enumerate().filter(|_| elements) {
            let SegmentMode::Active(memory, offset) = &segment.mode else { continue };
            let ty = self.memory(*memory);
            match self.constant(offset, &global).map(|offset| ty.index.place(offset)) {
                Some(offset) if fits(offset, segment.bytes.len(), ty.least_bytes()) => {
                    known.push(KnownData { segment: DataIndex::from_usize(i), memory: *memory, offset });
                }
                _ => break,
            }
        }
        known
    }

    /// The value of an integer expression, where `global` says what an imported global holds. Of one that is defined
    /// here it is known if it is a constant, or one that is imported: nothing deeper is looked into.
    fn constant(&self, expr: &ConstExpr, global: &impl Fn(GlobalIndex) -> Option<i64>) -> Option<i64> {
        let mut stack = Vec::new();
        for op in expr {
            let value = match op {
                ConstOp::I32Const(value) => i64::from(*value),
                ConstOp::I64Const(value) => *value,
                ConstOp::GlobalGet(index) => match index.get().checked_sub(self.imported_globals) {
                    None => global(*index)?,
                    Some(defined) => match &**self.global_inits.get(defined as usize)? {
                        [ConstOp::I32Const(value)] => i64::from(*value),
                        [ConstOp::I64Const(value)] => *value,
                        [ConstOp::GlobalGet(index)] if index.get() < self.imported_globals => global(*index)?,
                        _ => return None,
                    },
                },
                _ => {
                    let (right, left) = (stack.pop()?, stack.pop()?);
                    op.of_two(left, right)?
                }
            };
            stack.push(value);
        }
        stack.pop()
    }
}

/// The offset of an active segment.
fn offset_of<Target>(mode: &SegmentMode<Target>) -> Option<&ConstExpr> {
    match mode {
        SegmentMode::Active(_, offset) => Some(offset),
        SegmentMode::Passive | SegmentMode::Declared => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{Features, parse};

    /// The offsets that are known, where imported globals hold `globals`.
    fn offsets(text: &str, globals: &[i64]) -> Vec<u64> {
        let info = parse(&wat::parse_str(text).unwrap(), Features::default(), false).unwrap();
        let known = info.known_data(|global| globals.get(global.index()).copied());
        known.into_iter().map(|data| data.offset).collect()
    }

    #[test]
    fn segments_are_known_up_to_the_first_that_may_not_fit() {
        let text = r#"(module (memory 1)
            (data (i32.const 65535) "a") (data "passive") (data (i32.const 7) "") (data (i32.const 65535) "ab")
            (data (i32.const 0) "c"))"#;
        assert_eq!(offsets(text, &[]), [65535, 7]);
        assert_eq!(offsets(r#"(module (memory 1) (data (i32.const -1) ""))"#, &[]), [0; 0]);
        assert_eq!(offsets(r#"(module (memory 0) (data (i32.const 0) "") (data (i32.const 1) ""))"#, &[]), [0]);
        assert_eq!(offsets(r#"(module (import "m" "m" (memory 1 2)) (data (i32.const 65535) "a"))"#, &[]), [65535]);
        assert_eq!(offsets(r#"(module (import "m" "m" (memory 1 2)) (data (i32.const 65536) "a"))"#, &[]), [0; 0]);
    }

    /// Offsets of 64 bits, and memories whose length is no multiple of anything.
    #[test]
    fn what_fits_depends_on_the_memory() {
        let wide = |data: &str| offsets(&format!("(module (memory i64 65537) {data})"), &[]);
        assert_eq!(
            wide(r#"(data (i64.const 0x100000000) "a") (data (i64.const 0x10000ffff) "b")"#),
            [1 << 32, 0x1_0000_ffff]
        );
        assert_eq!(wide(r#"(data (i64.const 0x10000ffff) "ab")"#), [0; 0]);
        assert_eq!(wide(r#"(data (i64.const -1) "")"#), [0; 0]);
        assert_eq!(wide(r#"(data (i64.const -1) "ab")"#), [0; 0]);
        assert_eq!(wide(r#"(data (i64.add (i64.const 0xffffffff) (i64.const 1)) "a")"#), [1 << 32]);
        let text = r#"(module (import "m" "g" (global $g i64)) (memory $n 1) (memory $w i64 1)
            (data (memory $w) (global.get $g) "a") (data (memory $n) (i32.const 65535) "b"))"#;
        assert_eq!(offsets(text, &[65535]), [65535, 65535]);
        assert_eq!(offsets(text, &[1 << 32]), [0; 0]);
        let features = Features { custom_page_sizes: true, ..Features::default() };
        let text = r#"(module (memory 5 (pagesize 1)) (data (i32.const 2) "abc") (data (i32.const 3) "abc"))"#;
        let info = parse(&wat::parse_str(text).unwrap(), features, false).unwrap();
        assert_eq!(info.known_data(|_| None).iter().map(|data| data.offset).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_element_segment_that_may_not_fit_leaves_no_data_known() {
        for (offset, known) in [("i32.const 8", vec![1]), ("i32.const 9", vec![]), ("global.get $i", vec![])] {
            let text = format!(
                r#"(module (import "m" "i" (global $i i32)) (import "m" "t" (table 9 funcref)) (memory 1) (func $f)
                    (elem ({offset}) $f) (data (i32.const 1) "a"))"#
            );
            assert_eq!(offsets(&text, &[]), known, "{offset}");
        }
    }

    #[test]
    fn offsets_are_computed_from_what_imported_globals_hold() {
        let text = r#"(module (import "m" "i" (global $i i32)) (import "m" "j" (global $j i32)) (memory 1)
            (data (i32.const 3) "a")
            (data (i32.add (global.get $j) (i32.mul (i32.const 2) (i32.sub (global.get $i) (i32.const 1)))) "a")
            (data (global.get $i) "a"))"#;
        assert_eq!(offsets(text, &[]), [3]);
        assert_eq!(offsets(text, &[5, 10]), [3, 18, 5]);
        assert_eq!(offsets(text, &[0, 0]), [3]);
        assert_eq!(offsets(text, &[0, 65537]), [3, 65535, 0]);
        let info = parse(&wat::parse_str(text).unwrap(), Features::default(), false).unwrap();
        assert_eq!(info.offset_globals(), [GlobalIndex::new(0), GlobalIndex::new(1)]);
    }
}
