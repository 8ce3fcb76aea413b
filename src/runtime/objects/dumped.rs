//! Frames for a core dump, noted while they are there. How a dump is made is told above, in `handle/core_dump.rs`.

use crate::base::{FuncIndex, WasmOffset};
use crate::code::CodeSlot;
use crate::runtime::objects::handles::Instance;
use crate::runtime::objects::values::Val;

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
