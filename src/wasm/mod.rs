//! What a module says: parsing and validation by wasmparser, types, imports, exports, segments, names, custom
//! sections. No machine code, no store.

mod body;
mod dwarf;
mod features;
mod limits;
mod module;
mod names;
pub(crate) mod operators;
mod parse;
mod types;

pub use body::{BlockKind, Instruction, Instructions, Step, Walk, targets, unreadable};
pub use dwarf::{Location, SourceMap, SplitFile};
pub use features::Features;
pub use module::ModuleInfo;
pub use names::readable;
pub use operators::{Class, Flow, Row};
pub use parse::{parse, parse_again};
pub use types::{
    ConstExpr, ConstOp, ElementItems, EntityIndex, EntityType, ExternType, FuncType, GlobalType, Limits, MAX_PAGES,
    MemoryType, PAGE_BYTES, SegmentMode, TableType, ValType, val_type,
};
