//! The elements of a table: memory that is zero until it is written to, and what is known of where it was.

use crate::abi::{TABLE_WRITTEN, TableElement};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::compiled::blocks::{LARGE, MOST_CLEANED};
use crate::runtime::compiled::engine::Engine;
use crate::sys::zeros::ZeroPages;
use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr::NonNull;

/// The elements of a table, all [`TableElement::UNTOUCHED`] at first.
///
/// Compiled code writes to them too, and says so by the word in front of them, [`TABLE_WRITTEN`].
pub(in crate::runtime) struct Elements {
    /// The first one, behind that word; dangling where there is room for none.
    base: NonNull<TableElement>,
    len: usize,
    /// How many there is room for. Those behind `len` are untouched.
    capacity: usize,
    /// Where they are, if not with the allocator, and the engine that it is of.
    pages: Option<(ZeroPages, Engine)>,
    resolved: RefCell<Resolved>,
}

/// Which elements of a large table stand there in the place of what the table's image says.
enum Resolved {
    /// These.
    Few(Vec<u32>),
    /// Too many to tell.
    Many,
}

impl Elements {
    /// So many.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where there is no memory for them.
    pub(in crate::runtime) fn new(engine: &Engine, len: u64) -> Result<Elements> {
        let mut elements = Elements::with_capacity(engine, len)?;
        elements.len = len as usize;
        Ok(elements)
    }

    /// None, with room for so many.
    fn with_capacity(engine: &Engine, capacity: u64) -> Result<Elements> {
        let no_memory = || Error::new(ErrorKind::System, format!("no memory for a table of {capacity} elements"));
        let resolved = RefCell::new(Resolved::Few(Vec::new()));
        if capacity == 0 {
            return Ok(Elements { base: NonNull::dangling(), len: 0, capacity: 0, pages: None, resolved });
        }
        let layout = usize::try_from(capacity).ok().and_then(layout).ok_or_else(no_memory)?;
        let capacity = capacity as usize;
        let (head, pages) = if layout.size() >= LARGE {
            let pages = engine.kept_pages().take(layout.size()).map_err(|error| error.context(no_memory()))?;
            (pages.base(), Some((pages, engine.clone())))
        } else {
            // SAFETY: there is at least one element.
            let head = unsafe { std::alloc::alloc_zeroed(layout) };
            (NonNull::new(head).ok_or_else(no_memory)?, None)
        };
        // SAFETY: the memory begins with that word.
        let base = unsafe { head.byte_offset(-TABLE_WRITTEN as isize) };
        Ok(Elements { base: base.cast(), len: 0, capacity, pages, resolved })
    }

    /// How many there are.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.len
    }

    /// The first one.
    pub(in crate::runtime) fn base(&self) -> NonNull<TableElement> {
        self.base
    }

    /// One of them.
    pub(in crate::runtime) fn get(&self, index: usize) -> Option<TableElement> {
        // SAFETY: it is one of them, and nobody writes to it meanwhile: the store is in hand.
        (index < self.len).then(|| unsafe { self.base.add(index).read() })
    }

    /// Somebody writes to them.
    pub(in crate::runtime) fn note_written(&mut self) {
        if let Some(written) = self.written_word() {
            // SAFETY: the word is ours.
            unsafe { written.write(1) };
        }
    }

    /// All of them, to be written to.
    pub(in crate::runtime) fn write(&mut self) -> &mut [TableElement] {
        self.note_written();
        // SAFETY: they are initialised and ours; compiled code does not run meanwhile.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
    }

    /// Whether anybody has written to them. If not, they are untouched, or what the table's image says.
    pub(in crate::runtime) fn are_written(&self) -> bool {
        // SAFETY: the word is ours.
        self.written_word().is_some_and(|written| unsafe { written.read() } != 0)
    }

    fn written_word(&self) -> Option<NonNull<u64>> {
        // SAFETY: where there is room for an element, the word is in front of it.
        (self.capacity > 0).then(|| unsafe { self.base.byte_offset(TABLE_WRITTEN as isize) }.cast())
    }

    /// Puts what the table's image says in the place of an element that is untouched.
    pub(in crate::runtime) fn resolve(&self, index: usize, element: TableElement) {
        assert!(index < self.len);
        if self.pages.is_some() {
            self.resolved.borrow_mut().note(index);
        }
        // SAFETY: just checked. The store is in hand, and nobody has a reference to it.
        unsafe { self.base.add(index).write(element) };
    }

    /// Adds so many, all of them `init`. False, and nothing changed, where there is no memory for them.
    pub(in crate::runtime) fn grow(&mut self, engine: &Engine, delta: usize, init: TableElement) -> bool {
        let Some(new) = self.len.checked_add(delta) else { return false };
        let old = self.len;
        if new > self.capacity {
            // Twice as many, so that growing little by little does not copy them each time.
            let roomy = (2 * self.capacity).max(new) as u64;
            let larger =
                Elements::with_capacity(engine, roomy).or_else(|_| Elements::with_capacity(engine, new as u64));
            let Ok(mut larger) = larger else { return false };
            larger.len = old;
            // What is copied is not told apart from what is written.
            let written = self.are_written();
            *larger.resolved.get_mut() = Resolved::Many;
            // SAFETY: both have that many, in different memory.
            unsafe { self.base.copy_to_nonoverlapping(larger.base, old) };
            *self = larger;
            if written {
                self.note_written();
            }
        }
        self.len = new;
        if init != TableElement::UNTOUCHED {
            self.write()[old..].fill(init);
        }
        true
    }
}

impl Resolved {
    fn note(&mut self, index: usize) {
        match self {
            Resolved::Few(few) if few.len() < MOST_CLEANED => few.push(index as u32),
            _ => *self = Resolved::Many,
        }
    }
}

/// The memory of so many elements and the word in front of them.
fn layout(capacity: usize) -> Option<Layout> {
    Layout::array::<TableElement>(capacity.checked_add(1)?).ok()
}

impl Drop for Elements {
    fn drop(&mut self) {
        let Some((mut pages, engine)) = self.pages.take() else {
            if let Some(layout) = layout(self.capacity).filter(|_| self.capacity > 0) {
                // SAFETY: allocated in `with_capacity`, with this layout.
                unsafe { std::alloc::dealloc(self.base.as_ptr().byte_offset(TABLE_WRITTEN as isize).cast(), layout) };
            }
            return;
        };
        match &*self.resolved.borrow() {
            // SAFETY: they are elements.
            Resolved::Few(few) if !self.are_written() => few.iter().for_each(|index| unsafe {
                self.base.add(*index as usize).write(TableElement::UNTOUCHED);
            }),
            // Those of no known state are not kept.
            _ => {
                if pages.reset().is_err() {
                    return;
                }
            }
        }
        // SAFETY: all that was written to is zero again. The table is gone.
        unsafe { engine.kept_pages().give(pages) };
    }
}
