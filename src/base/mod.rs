//! What every room may use: index, offset and address types that cannot be mixed up, what kinds of values there are and
//! how they are laid out in slots, the error type, memory that may be refused, objects that many threads count apart,
//! what is between ranges, texts with a NUL behind them, and what messages say of bytes that are something else.
//! Nothing here knows about modules, machine code or the operating system.

mod error;
mod fields;
mod foreign;
mod gaps;
mod index;
mod layout;
mod nul;
mod room;
mod shared;
mod text;
mod value;

pub use error::{Error, ErrorKind, Result};
pub use fields::StructLayout;
pub use foreign::Foreign;
pub use gaps::gaps;
pub use index::{
    DataIndex, DefinedFuncIndex, ElemIndex, FuncIndex, GlobalIndex, LocalIndex, MemoryIndex, Pc, TableIndex, TagIndex,
    TextOffset, TypeId, TypeIndex, WasmOffset,
};
pub use layout::{SlotLayout, SlotRange};
pub use nul::{NulText, NulTexts};
pub use room::{filled, no_room};
pub use shared::{Shared, Stripes};
pub use text::{Escaped, is_unseen, printable};
pub use value::{Defined, DefinedKind, Family, HeapType, RefType, ValType, WORD_BYTES};
