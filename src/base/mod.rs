//! What every room may use: index, offset and address types that cannot be mixed up, and the error
//! type. Nothing here knows about modules, machine code or the operating system.

mod error;
mod index;
mod text;

pub use error::{Error, ErrorKind, Result};
pub use index::{
    DataIndex, DefinedFuncIndex, ElemIndex, FuncIndex, GlobalIndex, LocalIndex, MemoryIndex, Pc, SigId, TableIndex,
    TextOffset, TypeIndex, WasmOffset,
};
pub use text::{Escaped, is_unseen, printable};
