//! What a stopped guest is to debug information: a trait by which locals, globals, operands and linear memory are read,
//! and where something can be written. It knows no store and no debugger; whoever has a stop implements the trait.

use super::inspect::EntryId;
use super::map::CodeAddress;
use crate::base::{GlobalIndex, LocalIndex};
use std::fmt;
use std::sync::Arc;

/// An address in linear memory. No offset in a module, and no address of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryAddress(u64);

impl MemoryAddress {
    /// The address that is so many bytes from the memory's start.
    pub const fn new(address: u64) -> Self {
        MemoryAddress(address)
    }

    /// How many bytes it is from the memory's start.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MemoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A number of the guest, as its bits. References are none: debug information says nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WasmValue {
    /// An `i32`.
    I32(u32),
    /// An `i64`.
    I64(u64),
    /// The bits of an `f32`.
    F32(u32),
    /// The bits of an `f64`.
    F64(u64),
    /// A `v128`, its first lane lowest.
    V128(u128),
}

impl WasmValue {
    /// Its bytes as memory would have them.
    pub(super) fn bytes(self) -> Vec<u8> {
        match self {
            WasmValue::I32(bits) | WasmValue::F32(bits) => bits.to_le_bytes().to_vec(),
            WasmValue::I64(bits) | WasmValue::F64(bits) => bits.to_le_bytes().to_vec(),
            WasmValue::V128(bits) => bits.to_le_bytes().to_vec(),
        }
    }

    /// Its bits as a number to calculate with; a vector is none.
    pub(super) fn bits(self) -> Option<u64> {
        match self {
            WasmValue::I32(bits) | WasmValue::F32(bits) => Some(bits.into()),
            WasmValue::I64(bits) | WasmValue::F64(bits) => Some(bits),
            WasmValue::V128(_) => None,
        }
    }

    /// The same with other bytes in front: those that are not given stay.
    pub(super) fn patched(self, at: usize, new: &[u8]) -> Option<WasmValue> {
        let mut bytes = self.bytes();
        bytes.get_mut(at..at.checked_add(new.len())?)?.copy_from_slice(new);
        let wide = |bytes: &[u8]| bytes.iter().rev().fold(0u128, |all, byte| all << 8 | u128::from(*byte));
        Some(match self {
            WasmValue::I32(_) => WasmValue::I32(wide(&bytes) as u32),
            WasmValue::I64(_) => WasmValue::I64(wide(&bytes) as u64),
            WasmValue::F32(_) => WasmValue::F32(wide(&bytes) as u32),
            WasmValue::F64(_) => WasmValue::F64(wide(&bytes) as u64),
            WasmValue::V128(_) => WasmValue::V128(wide(&bytes)),
        })
    }
}

/// Reads what a stopped frame has. Nothing is asked that the value in question does not need.
pub trait FrameReader {
    /// A local of the frame, parameters first; `None` where there is none such, or where it is a reference.
    fn local(&self, index: LocalIndex) -> Option<WasmValue>;

    /// A global of the frame's instance.
    fn global(&self, index: GlobalIndex) -> Option<WasmValue>;

    /// An operand of the frame, counted from the bottom of its stack.
    fn operand(&self, index: u32) -> Option<WasmValue>;

    /// Reads the first memory of the frame's instance; false, and whatever it likes in `bytes`, where not all of them
    /// are in it.
    fn memory(&self, address: MemoryAddress, bytes: &mut [u8]) -> bool;
}

/// A function of the source at an instruction: the one that the module has, or one that is inlined there.
#[derive(Clone, Debug)]
pub struct SourceFrame {
    pub(super) address: CodeAddress,
    /// The entry of the function, or of what is inlined.
    pub(super) scope: EntryId,
    /// The entry of the function that the module has.
    pub(super) function: EntryId,
    pub(super) name: Option<String>,
}

impl SourceFrame {
    /// The function's name as the source has it, without namespaces.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the function is inlined into the next one.
    pub fn is_inlined(&self) -> bool {
        self.scope != self.function
    }
}

/// A stopped frame, and how to read it.
#[derive(Clone, Copy)]
pub struct Context<'f> {
    /// The function, and where in it; without it there are static variables only.
    pub frame: Option<&'f SourceFrame>,
    /// Reads locals, globals, operands and memory.
    pub reader: &'f dyn FrameReader,
}

/// Where a variable is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// In linear memory.
    Memory(u64),
    Local(LocalIndex),
    Global(GlobalIndex),
    Operand(u32),
    /// Nowhere, but its value is known.
    Bytes(Arc<[u8]>),
    /// Here a part, there a part, from its start on.
    Pieces(Arc<[Piece]>),
    /// The debug information says that it is not there.
    OptimisedOut(Missing),
}

/// Why a value is not there, though the source has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The debug information has no place for it anywhere: compiler or linker have left it out.
    LeftOut,
    /// It has a place, but not at this instruction: it is not there yet, or what had it there is used for something
    /// else.
    NotHere,
    /// Where it is, or what it is, follows from something that nobody knows any more.
    Unknown,
}

impl Missing {
    /// The reason, for people.
    pub const fn message(self) -> &'static str {
        match self {
            Missing::LeftOut => "optimised out: the debug information has no place for it",
            Missing::NotHere => "optimised out: the debug information has no place for it at this instruction",
            Missing::Unknown => "optimised out: the debug information computes it from what is no longer known",
        }
    }
}

/// A part of a variable.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) bytes: u64,
    /// From where on in the place.
    pub(super) offset: u64,
    pub(super) place: Place,
}

/// Where something stands as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In the first memory: from where on, and how many bytes; of a bit field, a mask of its bits in these.
    Memory(MemoryAddress, u64, Vec<u8>),
    /// In a local of the frame, or in a part of one.
    Local(LocalIndex),
    /// In a global of the frame's instance, or in a part of one.
    Global(GlobalIndex),
}

/// What is to be written where, so that a variable has a new value. Nobody in this room writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Bytes of the first memory.
    Memory(MemoryAddress, Vec<u8>),
    /// A local of the frame.
    Local(LocalIndex, WasmValue),
    /// A global of the frame's instance.
    Global(GlobalIndex, WasmValue),
    /// An operand of the frame, counted from the bottom of its stack.
    Operand(u32, WasmValue),
}
