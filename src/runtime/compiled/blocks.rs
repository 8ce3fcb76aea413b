//! Memory that is kept for the next instance: of large tables, and of the structures that compiled code works on. It is
//! zero when it is taken. Who gives it back says what was written to, so that only that is made zero again. Nothing of
//! one instance is seen by the next.

use crate::base::{Result, no_room};
use crate::sys::zeros::ZeroPages;
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// The most mappings for tables that an engine keeps. At most [`MOST_CLEANED`] pages of each have memory.
const MAX_PAGES_KEPT: usize = 64;

/// So many places of a table are made zero one by one, and their pages kept: that costs the next instance no faults.
/// Above, the system takes the pages back.
pub(in crate::runtime) const MOST_CLEANED: usize = 64;

/// From so many bytes on, memory is in pages of its own, which nothing touches until they are used. Less is had from the
/// allocator in less time than the first fault takes.
pub(in crate::runtime) const LARGE: usize = 32 << 10;

/// Structures of fewer bytes are quicker to have from the allocator than to clean.
const LEAST_BLOCK: usize = 8 << 10;

/// The most bytes of structures that a module keeps. Those of them that no instance has written to take no memory.
const MAX_BLOCK_BYTES: usize = 16 << 20;

/// Mappings for tables, all of them zero. The lock is held to take one out or put one in, and no longer.
#[derive(Debug, Default)]
pub(in crate::runtime) struct KeptPages(Mutex<Vec<ZeroPages>>);

impl KeptPages {
    /// Pages for so many bytes, all zero.
    pub(in crate::runtime) fn take(&self, bytes: usize) -> Result<ZeroPages> {
        let kept = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fits = |pages: &ZeroPages| pages.len() >= bytes && pages.len() / 2 <= bytes;
            kept.iter().rposition(fits).map(|index| kept.remove(index))
        };
        kept.map_or_else(|| ZeroPages::new(bytes), Ok)
    }

    /// Keeps pages, which are zero. Where there are too many, those that were used longest ago are given up.
    ///
    /// # Safety
    /// They are zero, from end to end, and nobody has a pointer to them.
    pub(in crate::runtime) unsafe fn give(&self, pages: ZeroPages) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one_more = (kept.len() >= MAX_PAGES_KEPT).then(|| kept.remove(0));
        kept.push(pages);
        drop(kept);
        drop(one_more);
    }
}

/// A zeroed block of memory for an instance's structure.
#[derive(Debug)]
pub(in crate::runtime) struct Block {
    at: NonNull<u8>,
    layout: Layout,
    /// Where it is, if not with the allocator.
    pages: Option<ZeroPages>,
}

// SAFETY: memory without thread affinity; access to its bytes is by raw pointer and the users' concern.
unsafe impl Send for Block {}

impl Block {
    fn new(layout: Layout) -> Result<Block> {
        if layout.size() >= LARGE {
            let pages = ZeroPages::new(layout.size())?;
            return Ok(Block { at: pages.base(), layout, pages: Some(pages) });
        }
        // SAFETY: a structure is never empty.
        let at = unsafe { std::alloc::alloc_zeroed(layout) };
        let at = NonNull::new(at).ok_or_else(|| no_room(layout.size(), "an instance"))?;
        Ok(Block { at, layout, pages: None })
    }

    /// Its first byte.
    pub(in crate::runtime) fn at(&self) -> NonNull<u8> {
        self.at
    }

    /// Its bytes.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.pages.is_none() {
            // SAFETY: allocated in `new` with this layout.
            unsafe { std::alloc::dealloc(self.at.as_ptr(), self.layout) };
        }
    }
}

/// Blocks for the instances of one module, all of them zero.
#[derive(Debug)]
pub(in crate::runtime) struct Blocks {
    layout: Layout,
    kept: Mutex<Vec<Block>>,
}

impl Blocks {
    /// None yet, of this layout, which is not that of nothing.
    pub(in crate::runtime) fn new(layout: Layout) -> Blocks {
        Blocks { layout, kept: Mutex::default() }
    }

    /// A zeroed block.
    pub(in crate::runtime) fn take(&self) -> Result<Block> {
        let kept = match self.are_kept() {
            true => self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop(),
            false => None,
        };
        kept.map_or_else(|| Block::new(self.layout), Ok)
    }

    /// Keeps a block, if it is worth it, and there is room. `clean` makes it zero, if it is kept.
    ///
    /// # Safety
    /// It was taken here, `clean` leaves it zero from end to end, and nobody has a pointer to it.
    pub(in crate::runtime) unsafe fn give(&self, block: Block, clean: impl FnOnce(&Block)) {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let most = (MAX_BLOCK_BYTES / self.layout.size()).max(1);
        if self.are_kept() && kept().len() < most {
            clean(&block);
            kept().push(block);
        }
    }

    fn are_kept(&self) -> bool {
        self.layout.size() >= LEAST_BLOCK
    }
}
