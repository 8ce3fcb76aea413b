//! Pages of large tables. A mapping of the system's is made for many tables of about the same size at once, and what a
//! table leaves is kept for the next one: to map and unmap for each would cost more than all the rest of a small
//! instance, and so would faults on pages that had memory already.
//!
//! Pages are zero when they are taken. Who gives them back says what was written to: nothing of one instance is seen by
//! the next.

use crate::base::{Result, Stripes};
use crate::sys::pages::PAGE_SIZE;
use crate::sys::zeros::ZeroPages;
use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// From so many bytes on, a table has pages of its own, which nothing touches until they are used. For less the
/// allocator is quicker.
pub(in crate::runtime) const LARGE: usize = PAGE_SIZE;

/// The most words that are made zero one by one where a table was given up, and their pages kept. Above, the system
/// takes the pages back.
pub(in crate::runtime) const MOST_CLEANED: usize = 64;

/// The most bytes that are mapped at once, for more than one table, and that are kept without being used, of each size
/// and for each stripe.
const MOST_BYTES: usize = 16 << 20;

/// The most tables of one mapping: a bit is free for each.
const MOST_SLOTS: usize = 64;

/// Mappings of an engine: a stripe has its own, from which its threads take, so that two that run at once do not wait
/// for each other. A lock is held to find a slot or to note a free one, and no longer.
#[derive(Debug, Default)]
pub(in crate::runtime) struct KeptPages(Stripes<Mutex<Classes>>);

/// Mappings by the size of what they are parted into.
type Classes = HashMap<usize, Class>;

/// The mappings that are parted into slots of one size.
#[derive(Debug, Default)]
struct Class {
    slabs: HashMap<usize, Slab>,
    /// Those that have a free slot, by their addresses. The last one is used first.
    open: Vec<usize>,
    /// How many slots are free.
    free: usize,
}

/// A mapping.
#[derive(Debug)]
struct Slab {
    pages: ZeroPages,
    /// A bit for each slot that is free.
    free: u64,
}

/// Pages of a table, all of them zero when they are taken.
#[derive(Debug)]
pub(in crate::runtime) struct Slot {
    at: NonNull<u8>,
    len: usize,
    /// The address of the mapping that it is of.
    slab: usize,
    /// The stripe that has that mapping.
    stripe: usize,
}

// SAFETY: memory without thread affinity; access to its bytes is by raw pointer and the users' concern.
unsafe impl Send for Slot {}

impl Slot {
    /// The first byte.
    pub(in crate::runtime) fn at(&self) -> NonNull<u8> {
        self.at
    }

    /// Bytes.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.len
    }
}

/// What a slot was written to.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) enum Touched<'a> {
    /// These of its words of 8 bytes.
    Words(&'a [u32]),
    /// It is not known which.
    Unknown,
}

/// How many slots of this size are mapped at once.
fn slots(len: usize) -> usize {
    (MOST_BYTES / len).clamp(1, MOST_SLOTS)
}

/// The size of the slots for so many bytes: a few for each power of two.
fn slot_len(bytes: usize) -> Option<usize> {
    let step = (bytes.checked_next_power_of_two()? / 16).max(PAGE_SIZE);
    bytes.checked_next_multiple_of(step)
}

impl KeptPages {
    fn lock(&self, stripe: usize) -> MutexGuard<'_, Classes> {
        // What is noted is noted in one step, after all that could panic.
        self.0[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pages for so many bytes.
    pub(in crate::runtime) fn take(&self, bytes: usize) -> Result<Slot> {
        let len = slot_len(bytes).unwrap_or(usize::MAX);
        let stripe = self.0.own();
        if let Some(slot) = self.lock(stripe).get_mut(&len).and_then(|class| class.take(len, stripe)) {
            return Ok(slot);
        }
        let pages = ZeroPages::new(len.saturating_mul(slots(len)))?;
        debug_assert_eq!(pages.len(), len * slots(len));
        let mut classes = self.lock(stripe);
        let class = classes.entry(len).or_default();
        class.add(pages, slots(len));
        Ok(class.take(len, stripe).expect("a mapping with free slots was added"))
    }

    /// Makes pages zero and keeps them.
    ///
    /// # Safety
    /// They were taken here, nobody has a pointer to them, and nothing else of them was written to.
    pub(in crate::runtime) unsafe fn give(&self, slot: Slot, touched: Touched<'_>) {
        match touched {
            Touched::Words([]) => {}
            // Many that are free do not all keep pages.
            Touched::Words(words)
                if self.lock(slot.stripe).get(&slot.len).is_some_and(|class| class.free < slots(slot.len)) =>
            {
                for word in words {
                    assert!((*word as usize) < slot.len / 8);
                    // SAFETY: just checked; the caller's promise.
                    unsafe { slot.at.cast::<u64>().add(*word as usize).write(0) };
                }
            }
            Touched::Words(_) | Touched::Unknown => {
                // SAFETY: the caller's promise.
                if unsafe { ZeroPages::reset(slot.at, slot.len) }.is_err() {
                    // It is never used again.
                    return;
                }
            }
        }
        let unused = self.lock(slot.stripe).get_mut(&slot.len).and_then(|class| class.give(&slot));
        drop(unused);
    }
}

impl KeptPages {
    /// Gives back the mappings of which nothing is used.
    pub(in crate::runtime) fn trim(&self) {
        let mut unused = Vec::new();
        for (stripe, _) in self.0.iter() {
            for (len, class) in &mut *self.lock(stripe) {
                let slots = slots(*len);
                let all_free = |slab: &mut Slab| slab.free.count_ones() as usize == slots;
                unused.extend(class.slabs.extract_if(|_, slab| all_free(slab)));
                class.open.retain(|open| class.slabs.contains_key(open));
                class.free = class.slabs.values().map(|slab| slab.free.count_ones() as usize).sum();
            }
        }
        // They are unmapped when nobody waits for the lists.
        drop(unused);
    }
}

impl Class {
    fn add(&mut self, pages: ZeroPages, slots: usize) {
        let at = pages.base().as_ptr().addr();
        self.slabs.insert(at, Slab { pages, free: u64::MAX >> (MOST_SLOTS - slots) });
        self.open.push(at);
        self.free += slots;
    }

    fn take(&mut self, len: usize, stripe: usize) -> Option<Slot> {
        let slab = *self.open.last()?;
        let Slab { pages, free } = self.slabs.get_mut(&slab)?;
        let index = free.trailing_zeros() as usize;
        *free &= *free - 1;
        if *free == 0 {
            self.open.pop();
        }
        self.free -= 1;
        // SAFETY: inside the mapping.
        Some(Slot { at: unsafe { pages.base().add(index * len) }, len, slab, stripe })
    }

    /// Notes a free slot. Gives a mapping that is not needed any more.
    fn give(&mut self, slot: &Slot) -> Option<Slab> {
        let slots = slots(slot.len);
        let slab = self.slabs.get_mut(&slot.slab).expect("a slot is of a mapping that is there");
        if slab.free == 0 {
            self.open.push(slot.slab);
        }
        slab.free |= 1 << ((slot.at.as_ptr().addr() - slot.slab) / slot.len);
        self.free += 1;
        if slab.free.count_ones() as usize == slots && self.free >= 2 * slots {
            self.free -= slots;
            self.open.retain(|open| *open != slot.slab);
            return self.slabs.remove(&slot.slab);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::mut_from_ref,
        reason = "the words are the slot's, and each caller is done with them before the next"
    )]
    fn words(slot: &Slot) -> &mut [u64] {
        // SAFETY: the slot is in use, and zero or written to.
        unsafe { std::slice::from_raw_parts_mut(slot.at().cast().as_ptr(), slot.len() / 8) }
    }

    #[test]
    fn what_comes_back_is_zero() {
        let kept = KeptPages::default();
        for bytes in [1, 8 * PAGE_SIZE, 100_000, MOST_BYTES + 1] {
            for (touched, fill) in
                [(Touched::Words(&[]), false), (Touched::Words(&[0, 511]), false), (Touched::Unknown, true)]
            {
                let slot = kept.take(bytes).unwrap();
                assert!(slot.len() >= bytes && slot.len() < 2 * bytes.next_multiple_of(PAGE_SIZE));
                assert!(words(&slot).iter().all(|word| *word == 0));
                match touched {
                    Touched::Words(these) => these.iter().for_each(|word| words(&slot)[*word as usize] = u64::MAX),
                    Touched::Unknown => words(&slot).fill(7),
                }
                let at = slot.at();
                // SAFETY: it was taken, and nothing else was written to.
                unsafe { kept.give(slot, touched) };
                let slot = kept.take(bytes).unwrap();
                assert_eq!(slot.at(), at, "{fill}");
                assert!(words(&slot).iter().all(|word| *word == 0));
                // SAFETY: as above.
                unsafe { kept.give(slot, Touched::Words(&[])) };
            }
        }
    }

    #[test]
    fn slots_are_apart_and_few_are_kept() {
        let kept = KeptPages::default();
        let len = 20 * PAGE_SIZE;
        for rounds in 0..3 {
            let mut taken: Vec<Slot> = (0..1000).map(|_| kept.take(len - rounds).unwrap()).collect();
            for (i, slot) in taken.iter().enumerate() {
                assert!(words(slot).iter().step_by(64).all(|word| *word == 0));
                let (last, i) = (slot.len() / 8 - 1, i as u64 + 1);
                (words(slot)[0], words(slot)[last]) = (i, i);
            }
            assert_eq!(kept.lock(kept.0.own())[&len].slabs.len(), 1000usize.div_ceil(slots(len)));
            if rounds == 1 {
                taken.reverse();
            }
            for slot in taken {
                let last = slot.len() / 8 - 1;
                assert!(words(&slot)[0] != 0 && words(&slot)[0] == words(&slot)[last]);
                // SAFETY: all that was written to.
                unsafe { kept.give(slot, Touched::Words(&[0, last as u32])) };
            }
            let classes = kept.lock(kept.0.own());
            assert_eq!(classes.len(), 1);
            let class = &classes[&len];
            assert!(class.free < 2 * slots(len) && class.open.len() == class.slabs.len());
            assert_eq!(class.free, class.slabs.values().map(|slab| slab.free.count_ones() as usize).sum::<usize>());
        }
        let used = kept.take(len).unwrap();
        kept.trim();
        assert_eq!(kept.lock(kept.0.own())[&len].slabs.len(), 1);
        assert!(kept.take(len).unwrap().at() != used.at());
        // SAFETY: nothing was written to.
        unsafe { kept.give(used, Touched::Words(&[])) };
    }

    #[test]
    fn threads_have_slots_of_their_own_and_give_back_those_of_others() {
        let kept = KeptPages::default();
        let len = 4 * PAGE_SIZE;
        let take = || (0..100).map(|_| kept.take(len).unwrap()).collect::<Vec<_>>();
        let here = take();
        let there = std::thread::scope(|scope| scope.spawn(take).join()).unwrap();
        let mut places: Vec<_> = here.iter().chain(&there).map(Slot::at).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 200);
        let slabs = |kept: &KeptPages| -> usize {
            let of = |stripe| kept.lock(stripe).values().map(|class| class.slabs.len()).sum::<usize>();
            kept.0.iter().map(|(stripe, _)| of(stripe)).sum()
        };
        assert!(slabs(&kept) >= 4);
        for slot in here.into_iter().chain(there) {
            // SAFETY: nothing was written to.
            unsafe { kept.give(slot, Touched::Words(&[])) };
        }
        kept.trim();
        assert_eq!(slabs(&kept), 0);
    }

    #[test]
    fn more_than_there_can_be_is_an_error() {
        let kept = KeptPages::default();
        assert!(kept.take(usize::MAX).is_err());
        assert!(kept.take(isize::MAX as usize).is_err());
        assert!(kept.lock(kept.0.own()).is_empty());
    }
}
