//! A module's machine code as data: position-independent text and the tables that describe it. An image has
//! offsets only; it becomes executable in `code/`, which never hands the text out again. No address, no
//! mapping, no system call here. `elf` writes the images of a module as an ELF file, and reads them back; the file's
//! `head` says which data of it may be left out of a copy.

mod elf;
mod head;
mod native;
mod packed;
mod rerun;
mod rows;
mod shapes;
mod tables;
mod validate;

pub use elf::{ElfImages, ImageRef, write_elf};
pub use head::{BEGINNING, FileHead, MOST_LEFT_OUT, seal_elf};
pub use native::native_object;
pub use packed::{Cursor, Packed, PackedRow};
pub use rerun::{RegionGraph, RerunEnd, RerunImage, RerunInstruction};
pub use shapes::Shapes;
pub use tables::{
    AddressEntry, Call, FunctionEntry, Handler, ImageTables, Locals, Place, Point, PointId, Safepoint, Shape, ShapeId,
    Site, SiteId, Slot, Tier, Trap, branch_side,
};

/// Position-independent machine code with its tables. No relocation leaves the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeImage {
    /// The machine code. Functions are in the order of their indices; a debug image ends with its stop stub.
    pub text: Vec<u8>,
    /// What is where in it.
    pub tables: ImageTables,
}
