//! What active element segments make of a module's own tables, as far as that is known before there is an instance: the
//! *image* of each table. An instance need not write it to the table; whoever finds an element that nobody has touched
//! asks the image.
//!
//! A segment is a part of the image of its table if that cannot be told from applying it: its offset is a constant, it
//! is known to fit, its items are functions and nulls, and nothing before it may trap, or has been written to the table
//! in another way. All others are applied one by one, in order. Those behind one that may trap are none of an image:
//! what they would have written is not there if it does.

use super::module::ModuleInfo;
use super::types::{ConstOp, ElementItems, ElementSegment, SegmentMode};
use crate::base::{ElemIndex, Family, FuncIndex, TableIndex};
use std::collections::BTreeMap;

/// What instantiation need not do to tables, and what it has to.
#[derive(Debug, Default)]
pub struct TableImages {
    /// By the tables defined in the module.
    images: Box<[TableImage]>,
    /// Which segments are dropped before any is applied.
    dropped: Box<[bool]>,
    /// The segments that are to be applied, or dropped, one by one.
    due: Box<[ElemIndex]>,
}

/// The functions that a table has from the start.
#[derive(Debug, Default)]
pub struct TableImage {
    /// Which segment says what stands there, ascending, disjoint.
    pieces: Box<[Piece]>,
}

/// A part of a segment, and where it stands in a table.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u32,
    len: u32,
    segment: ElemIndex,
    /// The segment's item that stands at `start`.
    from: u32,
}

impl Piece {
    fn end(&self) -> u32 {
        self.start + self.len
    }

    /// What of it is at `start` and behind.
    fn cut(self, start: u32) -> Piece {
        let off = start - self.start;
        Piece { start, len: self.len - off, from: self.from + off, ..self }
    }
}

/// An image that is being made.
struct Draft {
    /// By where they start.
    pieces: BTreeMap<u32, Piece>,
    /// Nothing has been written to the table in another way.
    open: bool,
}

impl Draft {
    /// Puts a piece over what is there.
    fn put(&mut self, piece: Piece) {
        if let Some((_, before)) = self.pieces.range(..piece.start).next_back()
            && before.end() > piece.start
        {
            let before = *before;
            self.pieces.insert(before.start, Piece { len: piece.start - before.start, ..before });
            if before.end() > piece.end() {
                self.pieces.insert(piece.end(), before.cut(piece.end()));
            }
        }
        while let Some((start, covered)) = self.pieces.range(piece.start..piece.end()).next() {
            let (start, covered) = (*start, *covered);
            self.pieces.remove(&start);
            if covered.end() > piece.end() {
                self.pieces.insert(piece.end(), covered.cut(piece.end()));
            }
        }
        self.pieces.insert(piece.start, piece);
    }
}

impl TableImages {
    /// Those of a module.
    pub(super) fn new(info: &ModuleInfo) -> TableImages {
        let own = info.imported_tables as usize..info.tables.len();
        // One that is filled with something else than null is written to before any segment is.
        let filled = |table: usize| info.table_inits.get(table).is_some_and(Option::is_some);
        let draft = |table| Draft { pieces: BTreeMap::new(), open: !filled(table) };
        let mut drafts: Vec<_> = (0..own.len()).map(draft).collect();
        let mut dropped = vec![false; info.elements.len()];
        let mut due = Vec::new();
        let mut may_have_trapped = false;
        for (i, segment) in info.elements.iter().enumerate() {
            let index = ElemIndex::from_usize(i);
            match &segment.mode {
                SegmentMode::Passive => {}
                _ if may_have_trapped => due.push(index),
                SegmentMode::Declared => dropped[i] = true,
                SegmentMode::Active(table, offset) => {
                    let len = segment.items.len() as u64;
                    let ty = info.table(*table);
                    // An imported table has this size at least. No table that can be made is larger than 32 bits tell.
                    let size = ty.limits.min.min(u32::MAX.into());
                    let start = known_offset(offset)
                        .map(|start| ty.index.place(start))
                        .filter(|start| start.checked_add(len).is_some_and(|end| end <= size))
                        .map(|start| start as u32);
                    let own = table.get().checked_sub(info.imported_tables);
                    let draft = own.map(|own| &mut drafts[own as usize]);
                    match (start, draft) {
                        (Some(start), Some(draft)) if draft.open && only_functions(info, *table, segment) => {
                            dropped[i] = true;
                            if len > 0 {
                                draft.put(Piece { start, len: len as u32, segment: index, from: 0 });
                            }
                        }
                        (_, draft) => {
                            due.push(index);
                            may_have_trapped = start.is_none();
                            if let Some(draft) = draft {
                                draft.open = false;
                            }
                        }
                    }
                }
            }
        }
        let image = |draft: Draft| TableImage { pieces: draft.pieces.into_values().collect() };
        TableImages { images: drafts.into_iter().map(image).collect(), dropped: dropped.into(), due: due.into() }
    }

    /// Which segments are dropped before any is applied.
    pub fn dropped(&self) -> &[bool] {
        &self.dropped
    }

    /// The active and declared segments that are to be applied, or dropped, one by one, in order.
    pub fn due(&self) -> &[ElemIndex] {
        &self.due
    }
}

impl ModuleInfo {
    /// What a table has from the start; `None` where that is nothing, or the table is imported.
    pub fn table_image(&self, table: TableIndex) -> Option<&TableImage> {
        let own = table.get().checked_sub(self.imported_tables)?;
        self.table_images.images.get(own as usize).filter(|image| !image.pieces.is_empty())
    }

    /// Whether elements of a table that are untouched may be functions.
    pub fn may_have_image(&self, table: TableIndex) -> bool {
        let is_func = self.table(table).element.heap.family() == Family::Func;
        is_func && (table.get() < self.imported_tables || self.table_image(table).is_some())
    }
}

impl TableImage {
    /// The function at `index`; `None` where there is null.
    pub fn function(&self, info: &ModuleInfo, index: u64) -> Option<FuncIndex> {
        let index = u32::try_from(index).ok()?;
        let behind = self.pieces.partition_point(|piece| piece.start <= index);
        let piece = self.pieces[behind.checked_sub(1)?];
        if index >= piece.end() {
            return None;
        }
        let item = (piece.cut(index).from) as usize;
        match &info.elements[piece.segment.index()].items {
            ElementItems::Funcs(funcs) => Some(funcs[item]),
            ElementItems::Exprs(exprs) => match *exprs[item] {
                [ConstOp::RefFunc(func)] => Some(func),
                _ => None,
            },
        }
    }
}

/// The offset of a segment, if it depends on nothing.
fn known_offset(expr: &[ConstOp]) -> Option<i64> {
    let mut stack = Vec::new();
    for op in expr {
        let value = match op {
            ConstOp::I32Const(value) => i64::from(*value),
            ConstOp::I64Const(value) => *value,
            _ => {
                let (right, left) = (stack.pop()?, stack.pop()?);
                op.of_two(left, right)?
            }
        };
        stack.push(value);
    }
    stack.pop()
}

/// Whether a segment puts functions and nulls into a table of functions, and nothing that an instance has to be asked
/// for.
fn only_functions(info: &ModuleInfo, table: TableIndex, segment: &ElementSegment) -> bool {
    let known = |expr: &[ConstOp]| matches!(expr, [ConstOp::RefFunc(_) | ConstOp::RefNull(_)]);
    info.table(table).element.heap.family() == Family::Func
        && match &segment.items {
            ElementItems::Funcs(_) => true,
            ElementItems::Exprs(exprs) => exprs.iter().all(|expr| known(expr)),
        }
}

#[cfg(test)]
mod tests {
    use super::super::{Features, parse};
    use super::*;

    fn info(wat: &str) -> ModuleInfo {
        parse(&wat::parse_str(wat).unwrap(), Features::default(), false).unwrap()
    }

    /// The functions of a table, null where there is none.
    fn shown(info: &ModuleInfo, table: u32) -> Vec<Option<u32>> {
        let index = TableIndex::new(table);
        let function = |i| info.table_image(index)?.function(info, i).map(FuncIndex::get);
        (0..info.table(index).limits.min).map(function).collect()
    }

    fn due(info: &ModuleInfo) -> Vec<u32> {
        info.table_images.due().iter().map(|index| index.get()).collect()
    }

    const FUNCS: &str = "(import \"\" \"g\" (global $g i32)) (import \"\" \"r\" (global $r funcref))
        (import \"\" \"f\" (func $0)) (func $1) (func $2) (func $3)";

    #[test]
    fn later_segments_stand_over_earlier_ones() {
        let info = info(&format!(
            "(module {FUNCS} (table 8 funcref)
                (elem (i32.const 1) $1 $1 $1 $1 $1 $1)
                (elem (i32.const 3) func $2 $0)
                (elem (i32.const 0) funcref (ref.func $3) (ref.null func))
                (elem (i32.const 8))
                (elem (i32.const 4) funcref (ref.null func)))"
        ));
        let table = [Some(3), None, Some(1), Some(2), None, Some(1), Some(1), None];
        assert_eq!(shown(&info, 0), table);
        assert_eq!(info.table_images.dropped(), [true; 5]);
        assert!(due(&info).is_empty() && info.may_have_image(TableIndex::new(0)));
        let image = info.table_image(TableIndex::new(0)).unwrap();
        assert!(image.function(&info, 8).is_none() && image.function(&info, u64::MAX).is_none());
    }

    /// Against a table that is written item by item.
    #[test]
    fn pieces_are_what_writing_them_would_leave() {
        let mut random = 1u32;
        let mut next = |below: u32| {
            random = random.wrapping_mul(1664525).wrapping_add(1013904223);
            (random >> 8) % below
        };
        for _ in 0..200 {
            let mut wat = String::from("(module (func) (func) (func) (table 20 funcref)");
            let mut expected = vec![None; 20];
            for _ in 0..next(12) {
                let (start, len) = (next(20), next(12));
                let len = len.min(20 - start);
                wat += &format!("(elem (i32.const {start}) funcref");
                for at in start..start + len {
                    let item = next(4).checked_sub(1);
                    expected[at as usize] = item;
                    wat += &item.map_or("(ref.null func)".into(), |func| format!("(ref.func {func})"));
                }
                wat += ")";
            }
            wat += ")";
            let info = info(&wat);
            assert_eq!(shown(&info, 0), expected, "{wat}");
            assert!(due(&info).is_empty());
        }
    }

    #[test]
    fn behind_what_may_trap_all_is_applied_in_order() {
        let info = info(&format!(
            "(module (import \"\" \"t\" (table 3 funcref)) {FUNCS} (table $own 4 funcref) (table $other 4 funcref)
                (elem $0 (table $own) (i32.const 0) func $1)
                (elem $1 (i32.const 1) func $2 $2)
                (elem $2 declare func $3)
                (elem $3 (table $own) (i32.const 1) func $2)
                (elem $4 func $1)
                (elem $5 (table 0) (i32.const 2) func $2 $2)
                (elem $6 (table $own) (i32.const 2) func $3)
                (elem $7 declare func $3))"
        ));
        assert_eq!(due(&info), [1, 5, 6, 7]);
        assert_eq!(info.table_images.dropped(), [true, false, true, true, false, false, false, false]);
        assert_eq!(shown(&info, 1), [Some(1), Some(2), None, None]);
        assert!(info.may_have_image(TableIndex::new(0)) && !info.may_have_image(TableIndex::new(2)));
        for (offset, table, trapping) in [
            ("(global.get $g)", 8, true),
            ("(i32.const 4)", 4, true),
            ("(i32.const -1)", 8, true),
            ("(i32.const 3)", 4, false),
        ] {
            let info = super::tests::info(&format!(
                "(module {FUNCS} (table {table} funcref)
                    (elem {offset} func $1) (elem (i32.const 0) func $2))"
            ));
            assert_eq!(due(&info), if trapping { vec![0, 1] } else { vec![] }, "{offset}");
        }
    }

    #[test]
    fn offsets_have_as_many_bits_as_their_table() {
        for (offset, known) in [
            ("(i64.const 2)", true),
            ("(i64.sub (i64.const 0x100000000) (i64.const 0xfffffffe))", true),
            ("(i64.const 3)", false),
            ("(i64.const 0x100000000)", false),
            ("(i64.const -1)", false),
        ] {
            let info = info(&format!("(module {FUNCS} (table i64 4 funcref) (elem {offset} func $1 $2))"));
            assert_eq!(due(&info).is_empty(), known, "{offset}");
            assert_eq!(shown(&info, 0), if known { [None, None, Some(1), Some(2)] } else { [None; 4] });
        }
        // No such table can be made, and what is far inside of it is in no image.
        let info =
            info(&format!("(module {FUNCS} (table i64 0x200000000 funcref) (elem (i64.const 0x100000000) func $1))"));
        assert_eq!(due(&info), [0]);
    }

    /// What an instance has to be asked for is written to the table; what comes later must not be found below it.
    #[test]
    fn nothing_is_put_below_what_is_written() {
        let info = info(&format!(
            "(module {FUNCS} (table 4 funcref) (table $x 4 externref)
                (elem (i32.const 0) func $1 $1)
                (elem (i32.const 1) funcref (global.get $r))
                (elem (i32.const 1) func $2)
                (elem (table $x) (i32.const 1) externref (ref.null extern)))"
        ));
        assert_eq!(due(&info), [1, 2, 3]);
        assert_eq!(shown(&info, 0), [Some(1), Some(1), None, None]);
        assert!(!info.may_have_image(TableIndex::new(1)));
    }
}
