//! A module's machine code as data: position-independent text and the tables that describe it. An image has
//! offsets only; it becomes executable in `code/`, which never hands the text out again. No address, no
//! mapping, no system call here. `elf` writes the images of a module as an ELF file and reads them back.

mod elf;
mod native;
mod packed;
mod rerun;
mod rows;
mod shapes;
mod tables;
mod unwind;
mod validate;

pub use elf::{ElfImages, ImageRef, seal_elf, write_elf};
pub use native::native_object;
pub use packed::{Cursor, Packed, PackedRow};
pub use rerun::{RegionGraph, RerunEnd, RerunImage, RerunInstruction};
pub use shapes::Shapes;
pub use tables::{
    AddressEntry, Call, FunctionEntry, ImageTables, Locals, Place, Point, PointId, PreservedRegister, SLOT_BYTES,
    SavedRegisters, Shape, ShapeId, Site, SiteId, Slot, SlotKind, Tier, Trap,
};

use crate::base::TextOffset;

/// Bytes of a stop site: a 5-byte NOP, or the call it becomes.
pub const SITE_BYTES: u32 = 5;
/// An unarmed site: `nop dword ptr [rax + rax]`.
pub const SITE_NOP: [u8; SITE_BYTES as usize] = [0x0f, 0x1f, 0x44, 0x00, 0x00];

/// Position-independent machine code with its tables. No relocation leaves the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeImage {
    /// The machine code. Functions are in the order of their indices; a debug image ends with its stop stub.
    pub text: Vec<u8>,
    /// What is where in it.
    pub tables: ImageTables,
}

/// The bytes that arm the site returning to `site`: a call of the stop stub at `stub`. The same at every base.
pub fn armed_site(site: TextOffset, stub: TextOffset) -> [u8; SITE_BYTES as usize] {
    let distance = stub.get().wrapping_sub(site.get()).to_le_bytes();
    [0xe8, distance[0], distance[1], distance[2], distance[3]]
}
