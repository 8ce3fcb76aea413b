//! Mappings of memories whose stores are gone, kept for the next: to reserve and give back 4 GiB, and to map an image,
//! costs more than instantiating a small module. What is kept is as it was when its memory was made, so that another
//! of the same module has nothing to do.
//!
//! Each stripe of threads keeps mappings of its own, and looks for those of others where it has none. The bounds are on
//! all together; how that is told without a count that all threads change is in [`Bound`].

use crate::base::{Result, Stripes};
use crate::sys::mapping::{MemoryImage, MemoryMapping};
use crate::sys::pages::Reservation;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Memories that were larger than this are not kept: what describes their pages to the processor, some 4 KiB for each
/// 2 MiB that were touched, is given back with the address space alone.
const MAX_KEPT_BYTES: usize = 64 << 20;

/// The most address spaces that are reserved at once, when many memories are made: 256 GiB. It is a call less for each,
/// and what is reserved in one piece is described to the system in one.
const MOST_AT_ONCE: usize = 64;

/// As many pages that a memory has written get their contents back and stay with its mapping; if it was more, all are
/// given back. To put a page back takes a tenth of the fault that the next write to it is spared.
const STAYING: usize = 16;

/// No pages stay with mappings any more when there are so many already: 4 MiB.
const MOST_STAYING: usize = 1024;

/// Mappings, each with what its memory began with in it, and nothing else; and address space for those to come. No
/// system call is made while anything is locked, and no two locks are held at once.
#[derive(Debug)]
pub(in crate::runtime) struct Pool {
    usual: usize,
    /// How many mappings are kept.
    mappings: Bound,
    /// How many pages have stayed with them.
    pages: Bound,
    stripes: Stripes<Stripe>,
    /// How often a mapping had to be made, or to be let go for another: the time by which it is told which kind was not
    /// asked for for longest. While neither happens it does not matter, and no thread has to tell another.
    now: AtomicU64,
    spaces: Mutex<Spaces>,
}

/// How much of something is kept at most, by all stripes together. What a stripe gives up it may keep again without
/// anybody else being asked: so threads that take and give in turn change nothing that they share.
#[derive(Debug)]
struct Bound {
    most: usize,
    /// How much is kept, and what stripes may keep without asking.
    claimed: AtomicUsize,
    /// As much a stripe may keep without asking.
    spare: usize,
}

impl Bound {
    fn new(most: usize, spare: usize) -> Bound {
        Bound { most, claimed: AtomicUsize::new(0), spare }
    }

    /// Has a stripe keep so much more; false where that is more than there may be.
    fn claim(&self, spare: &mut usize, count: usize) -> bool {
        if let Some(rest) = spare.checked_sub(count) {
            *spare = rest;
            return true;
        }
        let more = |claimed: usize| claimed.checked_add(count).filter(|claimed| *claimed <= self.most);
        self.claimed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// A stripe keeps so much less.
    fn release(&self, spare: &mut usize, count: usize) {
        *spare += count;
        if *spare > self.spare {
            self.give_up(spare, self.spare / 2);
        }
    }

    /// Leaves a stripe no more than `left` that it may keep without asking.
    fn give_up(&self, spare: &mut usize, left: usize) {
        if let Some(more @ 1..) = spare.checked_sub(left) {
            *spare = left;
            self.claimed.fetch_sub(more, Ordering::Relaxed);
        }
    }
}

/// What the threads of a stripe keep.
#[derive(Debug, Default)]
struct Stripe {
    kept: Mutex<Kept>,
    /// How many mappings, for others to see without waiting.
    count: AtomicUsize,
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

/// The mappings that a stripe keeps.
#[derive(Debug, Default)]
struct Kept {
    /// Of each kind, and when one of it was last taken or given. No list is empty.
    kinds: HashMap<Kind, (Vec<MemoryMapping>, u64)>,
    /// How many mappings there are.
    count: usize,
    /// How many more there may be, and pages with them, without asking.
    spare: Spare,
}

#[derive(Debug, Default)]
struct Spare {
    mappings: usize,
    pages: usize,
}

impl Kept {
    /// Takes one of this kind out.
    fn take(&mut self, kind: Kind, now: u64) -> Option<MemoryMapping> {
        let (list, last) = self.kinds.get_mut(&kind)?;
        *last = now;
        let mapping = list.pop()?;
        if list.is_empty() {
            self.kinds.remove(&kind);
        }
        self.count -= 1;
        Some(mapping)
    }

    fn put(&mut self, mapping: MemoryMapping, now: u64) {
        self.count += 1;
        let (list, last) = self.kinds.entry(Kind::of(&mapping)).or_default();
        *last = now;
        list.push(mapping);
    }
}

/// Address space in which there is nothing yet.
#[derive(Debug, Default)]
struct Spaces {
    free: Vec<Reservation>,
    /// How many were reserved the last time.
    at_once: usize,
}

/// What was claimed for a mapping that is given back.
struct Claimed {
    /// Room for it.
    room: bool,
    /// So many pages with it.
    pages: usize,
}

impl Pool {
    /// One that keeps so many mappings at most, of memories most of which have so many bytes of address space.
    pub(in crate::runtime) fn new(most: usize, usual: usize) -> Pool {
        Pool {
            usual,
            mappings: Bound::new(most, 16),
            pages: Bound::new(MOST_STAYING, 4 * STAYING),
            stripes: Stripes::default(),
            now: AtomicU64::new(0),
            spaces: Mutex::default(),
        }
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

    /// Works on what a stripe keeps.
    fn with<T>(&self, stripe: usize, work: impl FnOnce(&mut Kept) -> T) -> T {
        let Stripe { kept, count } = &self.stripes[stripe];
        // Nothing is ever left half-changed by a panic that could be survived.
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.count;
        let outcome = work(&mut kept);
        if kept.count != before {
            count.store(kept.count, Ordering::Relaxed);
        }
        outcome
    }

    /// Works on what each stripe keeps that keeps something. One that another thread gives something just now may be
    /// missing.
    fn with_each<T>(&self, mut work: impl FnMut(&mut Kept) -> Option<T>) -> Option<T> {
        let full = self.stripes.iter().filter(|(_, stripe)| stripe.count.load(Ordering::Relaxed) > 0);
        full.map(|(stripe, _)| stripe).find_map(|stripe| self.with(stripe, &mut work))
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// A mapping with `reserved` bytes of address space that shows the image, if there is one, and zeros for the rest
    /// of `len` bytes.
    pub(in crate::runtime) fn take(
        &self,
        reserved: usize,
        len: usize,
        image: Option<&Arc<MemoryImage>>,
    ) -> Result<MemoryMapping> {
        let (kind, now) = (Kind::new(reserved, len, image), self.now());
        let take = |kept: &mut Kept| {
            let mapping = kept.take(kind, now)?;
            self.mappings.release(&mut kept.spare.mappings, 1);
            self.pages.release(&mut kept.spare.pages, mapping.own_pages());
            Some(mapping)
        };
        if let Some(mapping) = self.with(self.stripes.own(), take).or_else(|| self.with_each(take)) {
            return Ok(mapping);
        }
        self.now.fetch_add(1, Ordering::Relaxed);
        let make = || MemoryMapping::new(self.space(reserved)?, len, image);
        make().or_else(|error| match self.trim() {
            0 => Err(error),
            // What was kept may have been in the way.
            _ => make(),
        })
    }

    /// Keeps a mapping that no memory uses any more; `touched` says whether anybody may have written to it. Where there
    /// is no room, one of another kind makes it that was not asked for for long.
    pub(in crate::runtime) fn give(&self, mapping: MemoryMapping, touched: bool) {
        if mapping.accessible() > MAX_KEPT_BYTES {
            return;
        }
        let (own, now) = (self.stripes.own(), self.now());
        let pristine = !touched && mapping.accessible() == mapping.first();
        let wanted = if pristine { mapping.own_pages() } else { STAYING };
        let left = self.with(own, |kept| {
            let room = self.mappings.claim(&mut kept.spare.mappings, 1);
            let pages = if room && self.pages.claim(&mut kept.spare.pages, wanted) { wanted } else { 0 };
            if room && pristine && pages == wanted {
                kept.put(mapping, now);
                return None;
            }
            Some((mapping, Claimed { room, pages }))
        });
        if let Some((mapping, claimed)) = left {
            self.keep(own, mapping, claimed, pristine);
        }
    }

    /// Keeps a mapping that is not fit to be kept yet, or for which there is no room yet.
    fn keep(&self, own: usize, mut mapping: MemoryMapping, claimed: Claimed, pristine: bool) {
        let kind = Kind::of(&mapping);
        let room = claimed.room || self.find_room(own);
        let oldest = if room { None } else { self.oldest_but(kind) };
        if !room && oldest.is_none() {
            // It is unmapped when nobody waits for the list.
            return;
        }
        let fit = pristine && mapping.own_pages() <= claimed.pages || mapping.reset(claimed.pages).unwrap_or(false);
        let gone = oldest.filter(|_| fit).and_then(|oldest| {
            let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.with_each(|kept| {
                let mapping = kept.take(oldest, now)?;
                self.pages.release(&mut kept.spare.pages, mapping.own_pages());
                Some(mapping)
            })
        });
        // The room of what is gone is this one's.
        let room = room || gone.is_some();
        let left = self.with(own, |kept| {
            if fit && room {
                self.pages.release(&mut kept.spare.pages, claimed.pages - mapping.own_pages());
                kept.put(mapping, self.now());
                return None;
            }
            self.pages.release(&mut kept.spare.pages, claimed.pages);
            if room {
                self.mappings.release(&mut kept.spare.mappings, 1);
            }
            Some(mapping)
        });
        drop((gone, left));
    }

    /// Claims room for a mapping of what stripes could keep without asking.
    fn find_room(&self, own: usize) -> bool {
        let kept: usize = self.stripes.iter().map(|(_, stripe)| stripe.count.load(Ordering::Relaxed)).sum();
        if kept >= self.mappings.most {
            return false;
        }
        for (stripe, _) in self.stripes.iter() {
            self.with(stripe, |kept| self.mappings.give_up(&mut kept.spare.mappings, 0));
        }
        self.with(own, |kept| self.mappings.claim(&mut kept.spare.mappings, 1))
    }

    /// The kind that was not asked for for longest, over all stripes; `None` where that is this one, or nothing is
    /// kept. Of kinds that were asked for since the last mapping was made, none counts as older.
    fn oldest_but(&self, this: Kind) -> Option<Kind> {
        let mut lasts: HashMap<Kind, u64> = HashMap::new();
        self.with_each(|kept| {
            for (kind, (_, last)) in &kept.kinds {
                let known = lasts.entry(*kind).or_default();
                *known = (*last).max(*known);
            }
            None::<()>
        });
        let this = lasts.remove(&this).unwrap_or(u64::MAX);
        lasts.into_iter().filter(|(_, last)| *last <= this).min_by_key(|(_, last)| *last).map(|(kind, _)| kind)
    }

    /// Lets go of the mappings that show an image, of which there will be no other memory.
    pub(in crate::runtime) fn forget(&self, image: &Arc<MemoryImage>) {
        let mut all = Vec::new();
        self.with_each(|kept| {
            let gone = kept.kinds.extract_if(|kind, _| kind.image == Arc::as_ptr(image));
            let gone: Vec<_> = gone.flat_map(|(_, (list, _))| list).collect();
            kept.count -= gone.len();
            self.mappings.release(&mut kept.spare.mappings, gone.len());
            self.pages.release(&mut kept.spare.pages, gone.iter().map(MemoryMapping::own_pages).sum());
            all.push(gone);
            None::<()>
        });
        // They are unmapped when nobody waits for the lists.
        drop(all);
    }

    /// Lets go of all that is kept; how many address spaces that was.
    pub(in crate::runtime) fn trim(&self) -> usize {
        let mut all = Vec::new();
        let spaces = std::mem::take(&mut *self.spaces());
        for (stripe, _) in self.stripes.iter() {
            let gone = self.with(stripe, |kept| {
                let Kept { kinds, count, mut spare } = std::mem::take(kept);
                spare.mappings += count;
                let mappings = kinds.values().flat_map(|(list, _)| list);
                spare.pages += mappings.map(MemoryMapping::own_pages).sum::<usize>();
                self.mappings.give_up(&mut spare.mappings, 0);
                self.pages.give_up(&mut spare.pages, 0);
                kinds
            });
            all.push(gone);
        }
        let lists = all.iter().flat_map(HashMap::values);
        lists.map(|(list, _)| list.len()).sum::<usize>() + spaces.free.len()
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

    /// How many mappings are kept, of how many kinds of each stripe.
    fn counts(pool: &Pool) -> (usize, usize) {
        let counts = |stripe| pool.with(stripe, |kept| (kept.count, kept.kinds.len()));
        let all = pool.stripes.iter().map(|(stripe, _)| counts(stripe));
        all.fold((0, 0), |(mappings, kinds), (more, others)| (mappings + more, kinds + others))
    }

    /// What is claimed is what is kept and what may be kept without asking.
    fn check(pool: &Pool) {
        let (mut mappings, mut pages) = (0, 0);
        for (stripe, Stripe { count, .. }) in pool.stripes.iter() {
            pool.with(stripe, |kept| {
                let all = || kept.kinds.values().flat_map(|(list, _)| list);
                assert_eq!((all().count(), kept.count), (kept.count, count.load(Ordering::Relaxed)));
                assert!(kept.kinds.values().all(|(list, _)| !list.is_empty()));
                mappings += kept.count + kept.spare.mappings;
                pages += all().map(MemoryMapping::own_pages).sum::<usize>() + kept.spare.pages;
            });
        }
        let claimed = [&pool.mappings, &pool.pages].map(|bound| bound.claimed.load(Ordering::Relaxed));
        assert_eq!(claimed, [mappings, pages]);
        assert!(mappings <= pool.mappings.most && pages <= MOST_STAYING);
    }

    /// Runs it on so many threads of different stripes, as far as there are as many.
    fn on_threads(pool: &Pool, count: usize, work: impl Fn() + Sync) {
        let taken = Mutex::new(vec![pool.stripes.own()]);
        std::thread::scope(|scope| {
            for _ in 0..count {
                // Other tests number threads meanwhile: some are too many.
                for _ in 0..100 {
                    let own = scope.spawn(|| {
                        let (own, mut taken) = (pool.stripes.own(), taken.lock().unwrap());
                        let new = !taken.contains(&own);
                        taken.push(own);
                        drop(taken);
                        if new {
                            work();
                        }
                        new
                    });
                    if own.join().unwrap() {
                        break;
                    }
                }
            }
        });
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let pool = Pool::new(3, 1 << 30);
        let own = image(1);
        let many: Vec<_> = (0..5).map(|_| pool.take(1 << 30, 1 << 20, Some(&own)).unwrap()).collect();
        many.into_iter().for_each(|mapping| pool.give(mapping, true));
        assert_eq!(counts(&pool).0, 3);
        // One of another kind takes the place of one of those.
        pool.give(pool.take(1 << 29, 1 << 20, None).unwrap(), true);
        assert_eq!(counts(&pool), (3, 2));
        // And one of the kind that was asked for last is let go itself.
        let (first, second) = (pool.take(1 << 30, 1 << 20, Some(&own)), pool.take(1 << 30, 1 << 20, Some(&own)));
        pool.give(first.unwrap(), true);
        pool.give(second.unwrap(), true);
        assert_eq!(counts(&pool), (3, 2));
        pool.forget(&image(1));
        assert_eq!(counts(&pool).0, 3);
        pool.forget(&own);
        assert_eq!(counts(&pool).0, 1);
        assert_eq!(Arc::strong_count(&own), 1);
        pool.give(pool.take(1 << 30, 65536, None).unwrap(), true);
        check(&pool);
        assert!(pool.trim() >= 2);
        assert_eq!(pool.trim(), 0);
        check(&pool);
        let none = Pool::new(0, 0);
        none.give(none.take(1 << 30, 65536, None).unwrap(), true);
        assert_eq!(none.trim(), 0);
    }

    #[test]
    fn threads_keep_apart_within_one_bound() {
        let (pool, own, reserved) = (Pool::new(20, 1 << 30), image(1), 1 << 30);
        let take = |count: usize| -> Vec<_> {
            (0..count).map(|_| pool.take(reserved, 1 << 20, Some(&own)).unwrap()).collect()
        };
        let give = |all: Vec<_>| all.into_iter().for_each(|mapping| pool.give(mapping, false));
        // What one thread may keep without asking is no loss to another.
        give(take(20));
        drop(take(15));
        assert_eq!(counts(&pool), (5, 1));
        on_threads(&pool, 1, || {
            let more: Vec<_> = (0..15).map(|_| pool.take(reserved, 65536, None).unwrap()).collect();
            give(more);
        });
        check(&pool);
        assert_eq!(counts(&pool).0, 20);
        // What one thread keeps another finds.
        let before = pool.now();
        on_threads(&pool, 1, || drop(take(5)));
        assert_eq!(pool.now(), before);
        // A kind that nobody asks for goes, whoever kept it.
        on_threads(&pool, 1, || {
            let others: Vec<_> = (0..20).map(|_| pool.take(reserved / 2, 1 << 20, None).unwrap()).collect();
            give(others);
        });
        check(&pool);
        assert_eq!(counts(&pool).0, 20);
        let (before, now) = (counts(&pool).0, pool.now());
        drop(pool.take(reserved / 2, 1 << 20, None).unwrap());
        assert_eq!((counts(&pool).0, pool.now()), (before - 1, now));
        give(take(1));
        pool.forget(&own);
        check(&pool);
        pool.trim();
        check(&pool);
        assert_eq!(counts(&pool).0, 0);
    }

    #[test]
    fn pages_stay_within_one_bound() {
        let (pool, own) = (Pool::new(1000, 1 << 30), image(1));
        let many = || {
            let all: Vec<_> = (0..60).map(|_| pool.take(1 << 30, 1 << 20, Some(&own)).unwrap()).collect();
            for mapping in &all {
                // SAFETY: that much of it can be accessed.
                unsafe { std::slice::from_raw_parts_mut(mapping.base(), 10 << 12) }.fill(7);
            }
            all.into_iter().for_each(|mapping| pool.give(mapping, true));
        };
        for _ in 0..3 {
            many();
            on_threads(&pool, 1, many);
            check(&pool);
        }
        let all: Vec<_> = (0..60).map(|_| pool.take(1 << 30, 1 << 20, Some(&own)).unwrap()).collect();
        for mapping in &all {
            let wanted = |at: usize| if (7..100_007).contains(&at) { 1 } else { 0 };
            assert!(bytes(mapping).iter().enumerate().all(|(at, byte)| *byte == wanted(at)));
        }
    }

    #[test]
    fn many_threads_take_and_give() {
        let (pool, images) = (Pool::new(6, 1 << 30), [image(1), image(2), image(3)]);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (pool, images) = (&pool, &images);
                scope.spawn(move || {
                    for round in 0..300 {
                        let image = &images[(round / 7 + thread) % 3];
                        let mapping = pool.take(1 << 30, 1 << 20, Some(image)).unwrap();
                        let byte = bytes(&mapping)[7];
                        assert!(
                            Arc::ptr_eq(mapping.image().unwrap(), image)
                                && images[byte as usize - 1].bytes()[7] == byte
                        );
                        if round % 3 == 0 {
                            // SAFETY: that much of it can be accessed.
                            unsafe { mapping.base().add(7).write(99) };
                        }
                        pool.give(mapping, round % 3 == 0);
                        if round % 100 == 99 {
                            pool.trim();
                        }
                    }
                });
            }
        });
        check(&pool);
        images.iter().for_each(|image| pool.forget(image));
        check(&pool);
        assert_eq!(counts(&pool), (0, 0));
        assert!(images.iter().all(|image| Arc::strong_count(image) == 1));
    }
}
