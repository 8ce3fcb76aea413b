//! The elements of a table: memory that is zero until it is written to, and what is known of where it was.

use crate::abi::TableElement;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::kept_pages::{LARGE, MOST_CLEANED, Slot, Touched};
use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr::NonNull;

/// The elements of a table, all [`TableElement::UNTOUCHED`] at first. Compiled code writes to them too.
pub(in crate::runtime) struct Elements {
    /// The first one; dangling where there is room for none.
    base: NonNull<TableElement>,
    len: usize,
    /// How many there is room for. Those behind `len` are untouched.
    capacity: usize,
    /// Where they are, if not with the allocator, and the engine that it is of.
    pages: Option<(Slot, Engine)>,
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
        if layout.size() >= LARGE {
            let slot = engine.kept_pages().take(layout.size()).map_err(|error| error.context(no_memory()))?;
            let (base, capacity) = (slot.at().cast(), slot.len() / size_of::<TableElement>());
            return Ok(Elements { base, len: 0, capacity, pages: Some((slot, engine.clone())), resolved });
        }
        // SAFETY: there is at least one element.
        let base = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).ok_or_else(no_memory)?;
        Ok(Elements { base: base.cast(), len: 0, capacity: capacity as usize, pages: None, resolved })
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

    /// All of them. Whoever writes to them says so to their table.
    pub(super) fn all_mut(&mut self) -> &mut [TableElement] {
        // SAFETY: they are initialised and ours; compiled code does not run meanwhile.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
    }

    /// Puts what the table's image says in the place of an element that is untouched.
    pub(super) fn resolve(&self, index: usize, element: TableElement) {
        assert!(index < self.len);
        if self.pages.is_some() {
            self.resolved.borrow_mut().note(index);
        }
        // SAFETY: just checked. The store is in hand, and nobody has a reference to it.
        unsafe { self.base.add(index).write(element) };
    }

    /// Adds so many that are untouched. False, and nothing changed, where there is no memory for them.
    pub(super) fn grow(&mut self, engine: &Engine, delta: usize) -> bool {
        let Some(new) = self.len.checked_add(delta) else { return false };
        if new > self.capacity {
            // Twice as many, so that growing little by little does not copy them each time.
            let roomy = (2 * self.capacity).max(new) as u64;
            let larger =
                Elements::with_capacity(engine, roomy).or_else(|_| Elements::with_capacity(engine, new as u64));
            let Ok(mut larger) = larger else { return false };
            *larger.resolved.get_mut() = Resolved::Many;
            // SAFETY: both have that many, in different memory.
            unsafe { self.base.copy_to_nonoverlapping(larger.base, self.len) };
            *self = larger;
        }
        self.len = new;
        true
    }

    /// Gives the pages of a large table back of which nothing was written to but what was resolved. It has no elements
    /// any more.
    pub(super) fn recycle(&mut self) {
        if let (Resolved::Few(few), Some(_)) = (self.resolved.get_mut(), &self.pages) {
            let few = std::mem::take(few);
            self.give(Touched::Words(&few));
        }
    }

    fn give(&mut self, touched: Touched<'_>) {
        if let Some((slot, engine)) = self.pages.take() {
            (self.len, self.capacity) = (0, 0);
            // SAFETY: it was taken there, and nobody uses the elements any more.
            unsafe { engine.kept_pages().give(slot, touched) };
        }
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

/// The memory of so many elements.
fn layout(capacity: usize) -> Option<Layout> {
    Layout::array::<TableElement>(capacity).ok()
}

impl Drop for Elements {
    fn drop(&mut self) {
        if self.pages.is_some() {
            self.give(Touched::Unknown);
        } else if let Some(layout) = layout(self.capacity).filter(|_| self.capacity > 0) {
            // SAFETY: allocated in `with_capacity`, with this layout.
            unsafe { std::alloc::dealloc(self.base.as_ptr().cast(), layout) };
        }
    }
}
