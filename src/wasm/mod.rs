//! What a module says: parsing and validation by wasmparser, types, imports, exports, segments, names;
//! what each instruction is (`operators`), the walk over a body (`body`), and what has to be known ahead
//! of it (`legacy`). No machine code, no store.

mod accesses;
mod body;
mod defined;
mod elements;
mod features;
mod from_text;
mod hints;
mod js_limits;
mod known;
mod legacy;
mod limits;
mod module;
mod names;
pub(crate) mod operators;
mod parse;
mod subtypes;
mod text;
mod types;

pub use accesses::{
    GlobalWrite, LocalWrite, call_operands, calls_in, calls_of, global_writes, local_writes, memory_access,
    plain_width, written_param,
};
pub use body::{
    BlockKind, Called, Instruction, Instructions, Step, Surroundings, Walk, behind_structure, called, catch_labels,
    is_loop, is_return, is_tail_call, targets, unreadable,
};
pub use defined::{Composite, DefinedType};
pub use features::Features;
pub use from_text::wat2wasm;
pub use hints::BranchHint;
pub use known::KnownData;
pub use legacy::{Handling, Tries};
pub use module::ModuleInfo;
pub use names::{demangled, readable};
pub use operators::{Class, Flow, Row};
pub use parse::{parse, parse_again};
pub use subtypes::{Subtype, is_below};
pub use text::{Named, instruction_text};
pub use types::{
    ArrayType, ConstExpr, ConstOp, ElementItems, EntityIndex, EntityType, ExternType, FieldType, FuncType, GlobalType,
    HeapType, Import, IndexType, Limits, MemoryType, PageSize, RefType, SegmentMode, StorageType, StructType,
    TableType, ValType,
};
