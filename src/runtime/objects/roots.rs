//! What a store's host holds: handles that are kept from collection, as long as a [`Rooted`] of them is there.

use crate::runtime::objects::handles::{HeldAt, Root, is_object};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The least number of roots given up between two collections that are due by themselves.
const LEAST: usize = 1024;

/// The least number of bytes that memories grow by between them.
const LEAST_BYTES: u64 = 256 << 20;

/// How much rarer collections get, at most, where they find nothing.
const MOST_PATIENCE: usize = 64;

/// The bit of a [`HeldAt`] that says that it is a root's.
const ROOTED: u32 = 1 << 31;

/// Where a scope has begun: see [`Roots::scope`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope(usize);

/// What the host of a store holds. Roots may be given up on any thread.
#[derive(Debug)]
pub struct Roots {
    table: Mutex<Table>,
    /// How many handles of what guests have made there are that are no roots: the length of the table's list.
    handed_out: AtomicUsize,
    /// How many were given up, and how much else has become garbage, since the last collection.
    released: AtomicUsize,
    /// Where `released` makes a collection due.
    threshold: AtomicUsize,
    /// Of [`Roots::is_due_with`].
    bytes: AtomicUsize,
    patience: AtomicUsize,
}

#[derive(Debug)]
struct Table {
    entries: Vec<Entry>,
    /// What guests have made, and the host was given without holding it as a root: references of the family of
    /// `anyref`, those that were given last at the end. 0 where one was given up.
    handed_out: Vec<u32>,
    /// The first free entry, or the number of entries.
    free: u32,
    held: usize,
}

#[derive(Debug)]
enum Entry {
    Held(Root),
    /// Free; the next one.
    Free(u32),
}

impl Roots {
    pub(in crate::runtime) fn new() -> Arc<Roots> {
        Arc::new(Roots {
            table: Mutex::new(Table { entries: Vec::new(), handed_out: Vec::new(), free: 0, held: 0 }),
            handed_out: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            threshold: AtomicUsize::new(LEAST),
            bytes: AtomicUsize::new(LEAST_BYTES as usize),
            patience: AtomicUsize::new(1),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an object, which is of this store, from being collected.
    pub(crate) fn hold(self: &Arc<Self>, root: Root) -> Rooted {
        let mut table = self.table();
        let slot = table.free;
        let root = root.held_at(HeldAt(slot | ROOTED));
        match table.entries.get_mut(slot as usize) {
            Some(entry) => {
                let Entry::Free(next) = std::mem::replace(entry, Entry::Held(root)) else {
                    unreachable!("the list of free entries has only such")
                };
                table.free = next;
            }
            None => {
                table.entries.push(Entry::Held(root));
                table.free = u32::try_from(table.entries.len()).expect("fewer than 2^31 roots fit into memory");
            }
        }
        table.held += 1;
        drop(table);
        Rooted { roots: self.clone(), slot, root }
    }

    fn release(&self, slot: u32) {
        let mut table = self.table();
        table.entries[slot as usize] = Entry::Free(table.free);
        table.free = slot;
        table.held -= 1;
        drop(table);
        self.note_garbage();
    }

    /// The host is given a reference to what a guest has made: it is held until [`Roots::end_scope`].
    pub(in crate::runtime) fn hand_out(&self, word: u32) -> HeldAt {
        if !is_object(word) {
            return HeldAt::NOWHERE;
        }
        let mut table = self.table();
        // Mostly it is asked for what was asked for before.
        if table.handed_out.last() != Some(&word) {
            table.handed_out.push(word);
            self.handed_out.store(table.handed_out.len(), Ordering::Relaxed);
        }
        HeldAt(table.handed_out.len() as u32 - 1)
    }

    /// Whether a reference to what a guest has made is held there.
    pub(in crate::runtime) fn holds(&self, word: u32, held: HeldAt) -> bool {
        if !is_object(word) {
            return true;
        }
        let table = self.table();
        match held.0 & ROOTED {
            0 => table.handed_out.get(held.0 as usize) == Some(&word),
            _ => match table.entries.get((held.0 & !ROOTED) as usize) {
                Some(Entry::Held(root)) => root.made_by_guest().is_some_and(|made| made.to_word() == word),
                _ => false,
            },
        }
    }

    /// Begins a scope: what the host is given from here on is held until it ends.
    #[inline]
    pub(crate) fn scope(&self) -> Scope {
        Scope(self.handed_out.load(Ordering::Relaxed))
    }

    /// Ends a scope.
    #[inline]
    pub(crate) fn end_scope(&self, scope: Scope) {
        if self.handed_out.load(Ordering::Relaxed) > scope.0 {
            self.give_up_from(scope.0);
        }
    }

    /// Copies what was given since a scope has begun to `kept`, by which it is held from now on.
    pub(in crate::runtime) fn park(&self, scope: Scope, kept: &mut Vec<u32>) {
        if self.handed_out.load(Ordering::Relaxed) > scope.0 {
            let table = self.table();
            kept.extend(table.handed_out[scope.0..].iter().filter(|word| **word != 0));
        }
    }

    #[cold]
    #[inline(never)]
    fn give_up_from(&self, first: usize) {
        let mut table = self.table();
        table.handed_out.truncate(first);
        self.handed_out.store(table.handed_out.len(), Ordering::Relaxed);
    }

    /// Gives up what the host was given and does not hold as a root, but for these.
    pub(in crate::runtime) fn give_up_but(&self, kept: &[Root]) {
        let mut table = self.table();
        let kept = |word: u32| kept.iter().filter_map(Root::made_by_guest).any(|made| made.to_word() == word);
        table.handed_out.iter_mut().filter(|word| !kept(**word)).for_each(|word| *word = 0);
        let end = table.handed_out.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        table.handed_out.truncate(end);
        self.handed_out.store(end, Ordering::Relaxed);
    }

    /// Calls `see` with all references to what guests have made.
    pub(in crate::runtime) fn made_by_guests(&self, mut see: impl FnMut(u32)) {
        let table = self.table();
        table.handed_out.iter().copied().filter(|word| *word != 0).for_each(&mut see);
        for entry in &table.entries {
            if let Entry::Held(root) = entry
                && let Some(made) = root.made_by_guest()
            {
                see(made.to_word());
            }
        }
    }

    /// How many there are.
    pub fn held(&self) -> usize {
        self.table().held
    }

    pub(in crate::runtime) fn all(&self) -> Vec<Root> {
        let held = |entry: &Entry| if let Entry::Held(root) = entry { Some(*root) } else { None };
        self.table().entries.iter().filter_map(held).collect()
    }

    /// Says that something may have become garbage without a root being given up.
    pub fn note_garbage(&self) {
        self.released.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether so many roots were given up that a collection is worth its while: it takes time for every live object,
    /// so the number goes with theirs.
    #[inline]
    pub fn is_due(&self) -> bool {
        self.released.load(Ordering::Relaxed) >= self.threshold.load(Ordering::Relaxed)
    }

    /// Whether it is, with so many bytes of memories taken.
    pub fn is_due_with(&self, memory_bytes: u64) -> bool {
        self.is_due()
            || memory_bytes >= self.bytes.load(Ordering::Relaxed) as u64 && self.released.load(Ordering::Relaxed) > 0
    }

    /// Nothing can be collected now: it is looked at again after as many more.
    pub fn put_off(&self) {
        self.released.store(0, Ordering::Relaxed);
    }

    /// A collection has taken out `gone` objects and has found `live` things to look at, with so many bytes of
    /// memories.
    pub(in crate::runtime) fn collected(&self, gone: usize, live: usize, memory_bytes: u64) {
        let useful = gone >= self.threshold.load(Ordering::Relaxed) / 8;
        let patience = match (useful, self.patience.load(Ordering::Relaxed)) {
            (true, _) => 1,
            (false, before) if self.is_due() => (2 * before).min(MOST_PATIENCE),
            // It was asked for: that says nothing.
            (false, before) => before,
        };
        self.patience.store(patience, Ordering::Relaxed);
        self.threshold.store(LEAST.max(live).saturating_mul(patience), Ordering::Relaxed);
        self.bytes.store((2 * memory_bytes).max(LEAST_BYTES) as usize, Ordering::Relaxed);
        self.released.store(0, Ordering::Relaxed);
    }
}

/// Keeps an object of a store from being collected until it is dropped. It does not keep the store.
#[derive(Debug)]
pub struct Rooted {
    roots: Arc<Roots>,
    slot: u32,
    root: Root,
}

impl Rooted {
    /// The object.
    pub fn root(&self) -> Root {
        self.root
    }
}

impl Clone for Rooted {
    fn clone(&self) -> Rooted {
        self.roots.hold(self.root)
    }
}

impl Drop for Rooted {
    fn drop(&mut self) {
        self.roots.release(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{AsStore as _, Config, Engine, ExternRef, Store};

    #[test]
    fn collections_are_due_after_as_many_as_there_are_objects_and_rarer_where_they_find_nothing() {
        let engine = Engine::new(Config::default()).unwrap();
        let mut store = Store::new(&engine);
        let value = ExternRef::new(&mut store, Box::new(())).unwrap();
        let roots = store.as_store().roots().clone();
        let kept = store.root(value).unwrap();
        for _ in 0..LEAST {
            assert!(!roots.is_due());
            let more = kept.clone();
            assert_eq!((more.slot, roots.held()), (1, 2));
            drop(more);
        }
        assert_eq!((roots.all(), kept.root()), (vec![value.into()], value.into()));
        assert!(roots.is_due());
        roots.collected(LEAST, 10 * LEAST, 0);
        assert!(!roots.is_due());
        assert_eq!(roots.threshold.load(Ordering::Relaxed), 10 * LEAST);
        roots.collected(0, LEAST, 0);
        assert_eq!(roots.threshold.load(Ordering::Relaxed), LEAST);
        for patience in [2, 4, 8, 16, 32, 64, 64] {
            roots.released.store(64 * LEAST, Ordering::Relaxed);
            roots.collected(0, LEAST, 0);
            assert_eq!(roots.threshold.load(Ordering::Relaxed), patience * LEAST);
        }
        roots.collected(100 * LEAST, 0, 0);
        assert_eq!(roots.threshold.load(Ordering::Relaxed), LEAST);
        assert!(!roots.is_due_with(u64::MAX));
        roots.note_garbage();
        assert!(roots.is_due_with(LEAST_BYTES) && !roots.is_due_with(LEAST_BYTES - 1));
    }
}
