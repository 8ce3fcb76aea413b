//! The heap of a store's guests: what compiled code and the runtime agree on. References to it are offsets of 32 bits
//! into a range of address space that is as large, so that no reference leaves it, whatever it says.
//!
//! | from | what |
//! |---|---|
//! | 0 | nothing: whatever field of null is accessed, it faults |
//! | [`HEAP_TYPES`] | descriptors of types, a slot of [`DESCRIPTOR_BYTES`] or more for each |
//! | [`HEAP_OBJECTS`] | objects |
//! | [`HEAP_RANGE`] | nothing, as much as before the types: no field of an object that ends here is beyond |
//!
//! # References
//!
//! 0 is null. The lowest bit says that it is an integer, [`I31_TAG`]. The next says that it is the host's, made by
//! `any.convert_extern`: the index of its external reference stands above the two bits. Anything else is the offset of
//! an object, a multiple of [`OBJECT_ALIGN`].
//!
//! # Objects
//!
//! An object begins with a word of 32 bits: the offset of its type's descriptor, with the lowest bit for the collector,
//! [`OBJECT_MARK`]. A structure's fields follow, as [`StructLayout`](crate::base::StructLayout) says. An array has its
//! length in the second word, and its elements behind.

use crate::base::StructLayout;

/// Bytes of the range that references lie in.
pub const HEAP_RANGE: u64 = 1 << 32;
/// Where the descriptors of types begin. Nothing is accessible before it, nor as far behind the range.
pub const HEAP_TYPES: u32 = 256 << 10;
/// Where objects begin.
pub const HEAP_OBJECTS: u32 = 64 << 20;

/// What objects are aligned to.
pub const OBJECT_ALIGN: u32 = 8;
/// The bit of an object's first word that is the collector's. The rest is its type's descriptor.
pub const OBJECT_MARK: u32 = 1;
/// Where an array has its length.
pub const ARRAY_LENGTH: i32 = 4;
/// Where its elements begin.
pub const ARRAY_ELEMENTS: u32 = 8;

/// The bit of a reference that is an integer: it stands in the others.
pub const I31_TAG: u32 = 1;
/// The bit of a reference to what is the host's.
pub const HOST_TAG: u32 = 2;
/// How far above its tag such a reference has its index.
pub const HOST_SHIFT: u32 = 2;
/// The bit of an external reference that a guest has made of one of its own, by `extern.convert_any`: the lower half is
/// that.
pub const EXTERN_OF_GUEST: u64 = 1 << 63;

/// Bytes of a slot for descriptors. A descriptor of a type that many others are above takes several.
pub const DESCRIPTOR_BYTES: u32 = 64;
/// Where a descriptor says what it describes: one of [`DESCRIBES_STRUCT`] and [`DESCRIBES_ARRAY`].
pub const DESCRIPTOR_KIND: i32 = 0;
/// Where it says how many types there are in its list.
pub const DESCRIPTOR_DEPTH: i32 = 4;
/// Where its list begins: the descriptors of the types above it, the topmost first, and itself.
pub const DESCRIPTOR_CHAIN: i32 = 8;
/// So many of the list can be read of any descriptor; where there are fewer types, they are 0.
pub const DESCRIPTOR_LEAST: u32 = (DESCRIPTOR_BYTES - DESCRIPTOR_CHAIN as u32) / 4;
/// A type of structures.
pub const DESCRIBES_STRUCT: u32 = 1;
/// A type of arrays.
pub const DESCRIBES_ARRAY: u32 = 2;

const _: () = assert!(4 + 4 + StructLayout::MOST_FIELDS * StructLayout::WIDEST <= HEAP_TYPES);

/// The bytes of an array of so many elements.
pub const fn array_size(element: u32, length: u32) -> u64 {
    (ARRAY_ELEMENTS as u64 + element as u64 * length as u64).next_multiple_of(OBJECT_ALIGN as u64)
}

/// What compiled code knows of the heap: where it is, and the hole that it makes objects in.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMHeap {
    /// Where the range begins.
    pub base: *mut u8,
    /// The offset of the next object.
    pub next: u64,
    /// The end of the hole: what does not fit in front of it is made by the runtime.
    pub end: u64,
}

impl VMHeap {
    /// Of a store without one: nothing fits in it.
    pub const NONE: VMHeap = VMHeap { base: std::ptr::null_mut(), next: 0, end: 0 };
}
