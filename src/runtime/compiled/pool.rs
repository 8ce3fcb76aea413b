//! Mappings of memories whose stores are gone, kept for the next: to reserve and give back 4 GiB, and to map an image,
//! costs more than instantiating a small module. What is kept is as it was when its memory was made, so that another
//! of the same module has nothing to do.

use crate::base::Result;
use crate::sys::mapping::{MemoryImage, MemoryMapping};
use crate::sys::pages::Reservation;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Memories that were larger than this are not kept: what describes their pages to the processor, some 4 KiB for each
/// 2 MiB that were touched, is given back with the address space alone.
const MAX_KEPT_BYTES: usize = 64 << 20;

/// The most address spaces that are reserved at once, when many memories are made: 64 GiB.
const MOST_AT_ONCE: usize = 16;

/// As many pages that a memory has written get their contents back and stay with its mapping; if it was more, all are
/// given back. To put a page back takes a tenth of the fault that the next write to it is spared.
const STAYING: usize = 16;

/// No pages stay with mappings any more when there are so many already: 4 MiB.
const MOST_STAYING: usize = 1024;

/// Mappings, each with what its memory began with in it, and nothing else; and address space for those to come. No
/// system call is made while either is locked.
#[derive(Debug)]
pub(in crate::runtime) struct Pool {
    most: usize,
    usual: usize,
    kept: Mutex<Kept>,
    spaces: Mutex<Spaces>,
}

/// Mappings that are alike: their address space in bytes, how much of it shows something, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    reserved: usize,
    len: usize,
    /// Where its image is, or null. Who keeps a mapping keeps its image, so that no other can be there.
    image: *const MemoryImage,
}

// SAFETY: the address is compared, never followed.
unsafe impl Send for Kind {}

impl Kind {
    fn new(reserved: usize, len: usize, image: Option<&Arc<MemoryImage>>) -> Kind {
        Kind { reserved, len, image: image.map_or(std::ptr::null(), Arc::as_ptr) }
    }

    fn of(mapping: &MemoryMapping) -> Kind {
        Kind::new(mapping.reserved(), mapping.first(), mapping.image())
    }
}

/// The mappings that are kept.
#[derive(Debug, Default)]
struct Kept {
    /// Of each kind, and when one of it was last taken or given. No list is empty.
    kinds: HashMap<Kind, (Vec<MemoryMapping>, u64)>,
    /// How many mappings there are.
    count: usize,
    /// How many pages have stayed with them.
    pages: usize,
    /// Times something was taken or given.
    now: u64,
}

impl Kept {
    /// Takes one of this kind out.
    fn take(&mut self, kind: Kind) -> Option<MemoryMapping> {
        self.now += 1;
        let (list, last) = self.kinds.get_mut(&kind)?;
        *last = self.now;
        let mapping = list.pop()?;
        if list.is_empty() {
            self.kinds.remove(&kind);
        }
        self.count -= 1;
        self.pages -= mapping.own_pages();
        Some(mapping)
    }

    fn put(&mut self, mapping: MemoryMapping) {
        self.now += 1;
        self.count += 1;
        self.pages += mapping.own_pages();
        let (list, last) = self.kinds.entry(Kind::of(&mapping)).or_default();
        *last = self.now;
        list.push(mapping);
    }

    /// The kind that was not asked for for longest.
    fn oldest(&self) -> Option<Kind> {
        self.kinds.iter().min_by_key(|(_, (_, last))| *last).map(|(kind, _)| *kind)
    }
}

/// Address space in which there is nothing yet.
#[derive(Debug, Default)]
struct Spaces {
    free: Vec<Reservation>,
    /// How many were reserved the last time.
    at_once: usize,
}

impl Pool {
    /// One that keeps so many mappings at most, of memories most of which have so many bytes of address space.
    pub(in crate::runtime) fn new(most: usize, usual: usize) -> Pool {
        Pool { most, usual, kept: Mutex::default(), spaces: Mutex::default() }
    }

    fn spaces(&self) -> MutexGuard<'_, Spaces> {
        // A list is never left half-changed by a panic that could be survived.
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Address space of `bytes`. The more of the usual size are asked for, the more are reserved with it.
    fn space(&self, bytes: usize) -> Result<Reservation> {
        if bytes != self.usual {
            return Reservation::new(bytes);
        }
        let at_once = {
            let mut spaces = self.spaces();
            if let Some(space) = spaces.free.pop() {
                return Ok(space);
            }
            spaces.at_once = (2 * spaces.at_once).clamp(1, MOST_AT_ONCE);
            spaces.at_once
        };
        let Ok(mut several) = Reservation::several(bytes, at_once) else {
            return Reservation::new(bytes);
        };
        let first = several.pop();
        self.spaces().free.append(&mut several);
        first.map_or_else(|| Reservation::new(bytes), Ok)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing is ever left half-changed by a panic that could be survived.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A mapping with `reserved` bytes of address space that shows the image, if there is one, and zeros for the rest
    /// of `len` bytes.
    pub(in crate::runtime) fn take(
        &self,
        reserved: usize,
        len: usize,
        image: Option<&Arc<MemoryImage>>,
    ) -> Result<MemoryMapping> {
        let kept = self.kept().take(Kind::new(reserved, len, image));
        if let Some(mapping) = kept {
            return Ok(mapping);
        }
        let make = || MemoryMapping::new(self.space(reserved)?, len, image);
        make().or_else(|error| match self.trim() {
            0 => Err(error),
            // What was kept may have been in the way.
            _ => make(),
        })
    }

    /// Keeps a mapping that no memory uses any more; `touched` says whether anybody may have written to it. Where there
    /// is no room, one of another kind makes it that was not asked for for long.
    pub(in crate::runtime) fn give(&self, mut mapping: MemoryMapping, touched: bool) {
        let full = |kept: &Kept| kept.count >= self.most;
        let of_no_use = |kept: &Kept| full(kept) && kept.oldest().is_none_or(|oldest| oldest == Kind::of(&mapping));
        let staying = {
            let kept = self.kept();
            if mapping.accessible() > MAX_KEPT_BYTES || of_no_use(&kept) {
                // It is unmapped when nobody waits for the list.
                drop(kept);
                return;
            }
            if kept.pages < MOST_STAYING { STAYING } else { 0 }
        };
        let pristine = !touched && mapping.accessible() == mapping.first();
        if !pristine && !mapping.reset(staying).unwrap_or(false) {
            return;
        }
        let mut kept = self.kept();
        let oldest = if full(&kept) { kept.oldest().and_then(|kind| kept.take(kind)) } else { None };
        kept.put(mapping);
        drop(kept);
        drop(oldest);
    }

    /// Lets go of the mappings that show an image, of which there will be no other memory.
    pub(in crate::runtime) fn forget(&self, image: &Arc<MemoryImage>) {
        let gone: Vec<_> = {
            let mut kept = self.kept();
            let gone: Vec<_> = kept.kinds.extract_if(|kind, _| kind.image == Arc::as_ptr(image)).collect();
            for mapping in gone.iter().flat_map(|(_, (list, _))| list) {
                kept.count -= 1;
                kept.pages -= mapping.own_pages();
            }
            gone
        };
        drop(gone);
    }

    /// Lets go of all that is kept; how many address spaces that was.
    pub(in crate::runtime) fn trim(&self) -> usize {
        let spaces = std::mem::take(&mut *self.spaces());
        let gone = std::mem::take(&mut *self.kept());
        gone.count + spaces.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(byte: u8) -> Arc<MemoryImage> {
        let bytes = [byte; 100_000];
        Arc::new(MemoryImage::new(1 << 20, [(7, &bytes[..])].into_iter()).unwrap().unwrap())
    }

    fn bytes(mapping: &MemoryMapping) -> &[u8] {
        // SAFETY: that much of it can be accessed, and nothing writes to it meanwhile.
        unsafe { std::slice::from_raw_parts(mapping.base(), mapping.accessible()) }
    }

    #[test]
    fn what_comes_back_is_what_was_asked_for() {
        let (pool, reserved) = (Pool::new(4, 128 << 20), 128 << 20);
        let images = [None, Some(image(1)), Some(image(2))];
        let lens = [0, 65536, 1 << 20, 4 << 20, MAX_KEPT_BYTES + 65536];
        let mut bases = Vec::new();
        for round in 0..40 {
            let (image, len) = (images[round % 3].as_ref(), lens[round % 5].max((round % 3).min(1) << 20));
            let mut mapping = pool.take(reserved, len, image).unwrap();
            assert_eq!(mapping.accessible(), len);
            let inside = image.map_or(0..0, |_| 7..100_007);
            for (at, byte) in bytes(&mapping).iter().enumerate() {
                let wanted = if inside.contains(&at) { (round % 3) as u8 } else { 0 };
                assert!(*byte == wanted, "round {round}: {byte} at {at}");
            }
            mapping.grow(len + 65536).unwrap();
            // SAFETY: that much of it can be accessed.
            unsafe { std::slice::from_raw_parts_mut(mapping.base(), len + 65536) }.fill(0xee);
            bases.push(mapping.base());
            pool.give(mapping, true);
        }
        bases.sort_unstable();
        bases.dedup();
        assert!(bases.len() < 40, "none was used again");
    }

    /// How many mappings are kept, of how many kinds.
    fn counts(pool: &Pool) -> (usize, usize) {
        let kept = pool.kept();
        (kept.count, kept.kinds.len())
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let pool = Pool::new(3, 1 << 30);
        let own = image(1);
        let many: Vec<_> = (0..5).map(|_| pool.take(1 << 30, 1 << 20, Some(&own)).unwrap()).collect();
        many.into_iter().for_each(|mapping| pool.give(mapping, true));
        assert_eq!(pool.kept().count, 3);
        // One of another kind takes the place of one of those.
        pool.give(pool.take(1 << 29, 1 << 20, None).unwrap(), true);
        assert_eq!(counts(&pool), (3, 2));
        // And one of the kind that was asked for last is let go itself.
        let (first, second) = (pool.take(1 << 30, 1 << 20, Some(&own)), pool.take(1 << 30, 1 << 20, Some(&own)));
        pool.give(first.unwrap(), true);
        pool.give(second.unwrap(), true);
        assert_eq!(counts(&pool), (3, 2));
        pool.forget(&image(1));
        assert_eq!(pool.kept().count, 3);
        pool.forget(&own);
        assert_eq!(pool.kept().count, 1);
        assert_eq!(Arc::strong_count(&own), 1);
        pool.give(pool.take(1 << 30, 65536, None).unwrap(), true);
        assert!(pool.trim() >= 2);
        assert_eq!(pool.trim(), 0);
        let none = Pool::new(0, 0);
        none.give(none.take(1 << 30, 65536, None).unwrap(), true);
        assert_eq!(none.trim(), 0);
    }
}
