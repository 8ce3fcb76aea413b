//! How generated code accesses memory of each kind, as Cranelift has to know it.

use cranelift_codegen::ir::{self, AliasRegionData, MemFlagsData};

/// How memory of each kind is accessed. Kinds cannot overlap, so a store of one does not invalidate loads of another.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    /// Never changes while an instance lives: pointers in the `VMContext`.
    pub(super) constant: MemFlagsData,
    /// Changes when something else runs: headers of memories and tables, the store's context.
    pub(super) header: MemFlagsData,
    /// Linear memory that was checked or may fault, by its trap code.
    pub(super) heap: MemFlagsData,
    /// Elements of tables.
    pub(super) table: MemFlagsData,
    /// Globals.
    pub(super) global: MemFlagsData,
    /// `VMFuncRef`s.
    pub(super) func_ref: MemFlagsData,
    /// The frame's slots.
    pub(super) slot: MemFlagsData,
    /// The store's fuel.
    pub(super) fuel: MemFlagsData,
    /// Objects on the heap.
    pub(super) object: MemFlagsData,
}

impl Flags {
    pub(super) fn new(func: &mut ir::Function) -> Flags {
        let mut region = |user_id: u32, description: &'static str| {
            let data = AliasRegionData { user_id, description: description.into() };
            MemFlagsData::trusted().with_alias_region(Some(func.dfg.alias_regions.insert(data)))
        };
        Flags {
            constant: region(1, "constant").with_readonly().with_can_move(),
            header: region(2, "header"),
            heap: region(3, "heap"),
            table: region(4, "table"),
            global: region(5, "global"),
            func_ref: region(6, "func_ref"),
            slot: region(7, "slot"),
            fuel: region(8, "fuel"),
            object: region(9, "object"),
        }
    }
}
