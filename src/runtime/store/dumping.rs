//! What a store keeps to make core dumps of its traps with: the frames, noted while they are there, and who makes a dump
//! of them once they are gone. How a dump is made is told above, in `handle/core_dump.rs`.

use crate::base::{FuncIndex, Result, WasmOffset};
use crate::code::CodeSlot;
use crate::runtime::objects::handles::Instance;
use crate::runtime::objects::values::Val;
use crate::runtime::store::views::StoreRef;

/// So many frames, locals and operands are noted together; what is further out is left out.
pub(in crate::runtime) const MOST_NOTED: usize = 4 << 20;

/// A frame for a core dump.
#[derive(Debug)]
pub struct DumpedFrame {
    /// The slot of its code.
    pub slot: CodeSlot,
    /// The function, imports counted.
    pub func: FuncIndex,
    /// The instruction.
    pub offset: WasmOffset,
    /// Its instance, where that is known.
    pub instance: Option<Instance>,
    /// Its locals, parameters first, and its operands, bottom first, where they are known.
    pub values: Option<(Vec<Val>, Vec<Val>)>,
}

/// What makes a core dump of a store: these are the frames, innermost first.
pub(in crate::runtime) type MakeDump = fn(StoreRef<'_>, Vec<DumpedFrame>) -> Result<Vec<u8>>;

/// What a store has that is asked for core dumps.
pub(in crate::runtime) struct Dumping {
    pub(in crate::runtime) make: MakeDump,
    /// The frames of the guest that is being left, if that is for a trap.
    pub(in crate::runtime) frames: Vec<DumpedFrame>,
}
