//! The heap of a store's guests: structures and arrays. `abi/` says what objects look like; here is where they stand,
//! and what becomes of those that nobody can reach.
//!
//! # Why regions, and why nothing moves
//!
//! Three ways were measured under the same programs, before any of this was written: copying between two halves;
//! *regions*, where compiled code fills holes of whole lines by adding to a pointer, and what is live is marked where
//! it is; and lists of free cells. Nanoseconds per object of 16 bytes, collections included, in several runs on a
//! machine that had other work, with the most memory that each took:
//!
//! | | copying | regions | free lists |
//! |---|---|---|---|
//! | short lists that are dropped | 2.2 to 3.6, 1 to 4 MiB | 2.5 to 2.8, the same | 3.3 to 4.7, the same |
//! | trees, one of half a million nodes stays | 15 to 16, 25 MiB | 16 to 19, 25 MiB | 16 to 21, 25 MiB |
//! | lists in the leaves of a tree, replaced at random | 28 to 48, 16 MiB | 28 to 53, 18 MiB | 35 to 53, 16 MiB |
//!
//! (With marks in a table of bits beside the objects, and without fetching them ahead, marking took twice as long.)
//! Given the same memory, copying and regions take the same time, and lists take longer to allocate from. What decides
//! is what else it costs. Where objects move, compiled code reads every reference again behind whatever may collect; in
//! debug code that would be every stop point, in the middle of loops that follow references. Rerun buffers, frames that
//! were shown, handles of the host and hashes of references would all be changed under whoever holds them. Where
//! nothing moves, all of these are only looked at. So objects stay where they were made. What that costs is memory in
//! lines that are not quite empty: a hole is a line at least.
//!
//! # How
//!
//! Objects stand in *blocks* of 32 KiB, each of 256 *lines*. Compiled code makes them in a hole, a run of lines with
//! nothing live in them: [`VMHeap::next`] to [`VMHeap::end`]. What does not fit there comes here ([`Heap::allocate`]):
//! the next hole, or, for what is longer than a line, a block that is free; what is longer than a quarter of a block
//! has blocks of its own. Nothing is written before an object is: whoever makes one writes all of it.
//!
//! A collection marks what can be reached from its roots, by a bit in each object whose meaning changes every time, and
//! the lines that it stands in, by the number of the collection. Then it looks through the lines for what is free. It
//! does not look at what is not live. It runs when as much was made as twice what was live after the last, in small
//! heaps four times, and a few megabytes at least: so that the time for it is in proportion, and short-lived objects
//! are made in memory that is in the cache.
//!
//! References inside objects are checked against the range and the types before they are followed: a damaged heap ends
//! in a panic, which poisons the store, and touches nothing outside.

mod blocks;
mod marking;
#[cfg(test)]
mod tests;
mod types;

use crate::abi::{ARRAY_ELEMENTS, ARRAY_LENGTH, HEAP_OBJECTS, HEAP_RANGE, HEAP_TYPES, OBJECT_ALIGN, VMHeap};
use crate::base::{Error, ErrorKind, Result};
use crate::sys::pages::Reservation;
use crate::wasm::DefinedType;
use blocks::Blocks;
use types::Types;

pub(in crate::runtime) use blocks::Full;
pub(in crate::runtime) use marking::{Beyond, Marking};

/// What is written over what is not live, in tests: no reference, no descriptor, and no small number.
const SCRIBBLED: u8 = 0xf4;

/// The heap of a store.
pub(in crate::runtime) struct Heap {
    space: Reservation,
    types: Types,
    blocks: Blocks,
    /// The value of [`OBJECT_MARK`](crate::abi::OBJECT_MARK) in objects that were made or marked since the last
    /// collection began.
    mark: u32,
    /// What the marking still has to look at; empty outside of it.
    due: Vec<u32>,
}

impl Heap {
    /// A heap that objects take at most so many bytes of.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where there is no address space for it.
    pub(in crate::runtime) fn new(limit: u64) -> Result<Heap> {
        let bytes = usize::try_from(HEAP_RANGE).unwrap_or(usize::MAX).saturating_add(HEAP_TYPES as usize);
        let space = Reservation::new(bytes).map_err(|error| error.context("the heap of a store's guests"))?;
        Ok(Heap { space, types: Types::default(), blocks: Blocks::new(limit), mark: 0, due: Vec::new() })
    }

    /// From here on objects take at most so many bytes; what was taken already stays.
    pub(in crate::runtime) fn set_limit(&mut self, limit: u64) {
        self.blocks.set_limit(limit);
    }

    /// What compiled code sees of it before it has made anything.
    pub(in crate::runtime) fn vm(&self) -> VMHeap {
        VMHeap { base: self.space.base(), next: 0, end: 0 }
    }

    /// Makes a type known, if it is not: the first word of its objects, until the next collection.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] when there are too many.
    pub(in crate::runtime) fn define(&mut self, ty: &DefinedType) -> Result<u32> {
        Ok(self.types.define(&mut self.space, ty)? | self.mark)
    }

    /// The type of an object.
    pub(in crate::runtime) fn type_of(&self, object: u32) -> &DefinedType {
        self.types.of(self.header(object)).ty()
    }

    /// The value of a word of an object.
    fn word(&self, at: u32) -> u32 {
        // SAFETY: objects are accessible as a whole, and nobody holds Rust references into them.
        unsafe { self.space.base().add(at as usize).cast::<u32>().read() }
    }

    fn header(&self, object: u32) -> u32 {
        self.word(object)
    }

    /// The bytes of an element of an array that begins so.
    pub(in crate::runtime) fn element_of(&self, header: u32) -> u32 {
        self.types.of(header).element()
    }

    /// Writes what an array begins with.
    pub(in crate::runtime) fn begin_array(&mut self, array: u32, header: u32, length: u32) {
        self.write(array, &header.to_le_bytes());
        self.write(array + ARRAY_LENGTH as u32, &length.to_le_bytes());
    }

    /// The elements of an array.
    pub(in crate::runtime) fn length(&self, array: u32) -> u32 {
        self.word(array + ARRAY_LENGTH as u32)
    }

    /// Reads bytes of an object.
    pub(in crate::runtime) fn read(&self, at: u32, bytes: &mut [u8]) {
        let from = self.place(at, bytes.len() as u64);
        // SAFETY: what is in blocks is accessible, and what it is read to is elsewhere.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
    }

    /// The offset of an array's element and the bytes of each, if there are so many from there on.
    pub(in crate::runtime) fn elements(&self, array: u32, index: u32, count: u32) -> Option<(u32, u32)> {
        let width = self.element_of(self.header(array));
        let fits = u64::from(index) + u64::from(count) <= u64::from(self.length(array));
        fits.then(|| ((array + ARRAY_ELEMENTS).wrapping_add(index.wrapping_mul(width)), width))
    }

    /// The address of so many bytes of objects.
    fn place(&self, at: u32, bytes: u64) -> *mut u8 {
        let end = u64::from(at) + bytes;
        if bytes > 0 && (end > HEAP_RANGE || !self.blocks.contains(at) || !self.blocks.contains((end - 1) as u32)) {
            damaged("no object is at", at);
        }
        self.space.base().wrapping_add(at as usize)
    }

    /// Writes bytes of an object.
    pub(in crate::runtime) fn write(&mut self, at: u32, bytes: &[u8]) {
        let to = self.place(at, bytes.len() as u64);
        // SAFETY: what is in blocks is accessible, and what is written comes from elsewhere.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// Copies what is in objects; they may overlap.
    pub(in crate::runtime) fn copy(&mut self, to: u32, from: u32, bytes: u64) {
        let (to, from) = (self.place(to, bytes), self.place(from, bytes));
        // SAFETY: as above.
        unsafe { from.copy_to(to, bytes as usize) };
    }

    /// Fills so many elements of an array with the lowest bytes of a value.
    pub(in crate::runtime) fn fill(&mut self, first: u32, width: u32, count: u64, value: [u64; 2]) {
        let bytes = count.saturating_mul(width.into());
        let (to, count) = (self.place(first, bytes), count as usize);
        // SAFETY: what is in blocks is accessible. Elements are aligned to their width, or to 8 bytes; nobody else has
        // references to them.
        unsafe {
            match width {
                1 => to.write_bytes(value[0] as u8, count),
                2 => std::slice::from_raw_parts_mut(to.cast::<u16>(), count).fill(value[0] as u16),
                4 => std::slice::from_raw_parts_mut(to.cast::<u32>(), count).fill(value[0] as u32),
                8 => std::slice::from_raw_parts_mut(to.cast::<u64>(), count).fill(value[0]),
                16 => std::slice::from_raw_parts_mut(to.cast::<[u64; 2]>(), count).fill(value),
                _ => damaged("no element has the width", width),
            }
        }
    }

    /// Whether so much was made, or so little room is left, that there should be a collection.
    pub(in crate::runtime) fn is_due(&self) -> bool {
        self.blocks.is_due()
    }

    /// There is no collection when one is due: so many bytes are to be had, and a little more.
    pub(in crate::runtime) fn put_off(&mut self, bytes: u64) {
        self.blocks.put_off(bytes);
    }

    /// Room for an object of so many bytes, which is not in the hole that compiled code has. The hole may be another
    /// then. What is in the room is not defined.
    ///
    /// # Errors
    /// Why there is none.
    pub(in crate::runtime) fn allocate(&mut self, vm: &mut VMHeap, bytes: u64) -> std::result::Result<u32, Full> {
        debug_assert!(bytes.is_multiple_of(u64::from(OBJECT_ALIGN)) && bytes > 0);
        self.blocks.allocate(&mut self.space, vm, bytes)
    }

    /// Writes over all in which nothing is live, after a collection: for tests.
    pub(in crate::runtime) fn scribble(&mut self) {
        for range in self.blocks.free_ranges() {
            // SAFETY: what is in blocks is accessible, and nothing is there.
            unsafe {
                self.space.base().add(range.start as usize).write_bytes(SCRIBBLED, (range.end - range.start) as usize)
            };
        }
    }

    /// Bytes of what was live after the last collection, and of what was made since, holes as a whole.
    pub(in crate::runtime) fn bytes(&self) -> u64 {
        self.blocks.bytes()
    }
}

/// The error for more types than a heap has room for.
#[cold]
fn too_many_types() -> Error {
    let most = (HEAP_OBJECTS - HEAP_TYPES) / crate::abi::DESCRIPTOR_BYTES;
    Error::new(ErrorKind::Limit, format!("a store may have about {most} types of structures and arrays at most"))
}

/// What a reference inside the heap says that cannot be.
#[cold]
fn damaged(what: &str, word: u32) -> ! {
    panic!("the heap is damaged: {what} {word:#x}")
}
