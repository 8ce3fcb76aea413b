//! The cell that all handles of a store share and keep it alive by; and giving back what no handle, linker or guest
//! holds any more.

use super::handles::wasm_store_t;
use super::info::{ModuleInfo, StoreInfo};
use super::own::handle;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{AsStore, AsStoreMut, Engine, Root, Rooted, Roots, Scope, Store, StoreMut, StorePtr, StoreRef};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

handle!(wasm_store_t => Arc<StoreCell>);

/// The store behind all its handles.
///
/// It is entered for each call. Entering again on the same thread nests (a host function calls back in); entering on
/// another thread meanwhile is an error, which turns a forbidden race into a message in all but the rarest cases.
pub(in crate::capi) struct StoreCell {
    store: StorePtr,
    /// The thread that is inside, or 0.
    owner: AtomicUsize,
    /// How often it is inside; only the owner touches it.
    depth: AtomicUsize,
    /// How often a thread is inside that has lent the store to others: see [`StoreCell::lend`].
    lent_at: AtomicUsize,
    /// The thread that was inside last.
    last: AtomicUsize,
    /// What handles hold.
    roots: Arc<Roots>,
    /// What C keeps with modules.
    pub(in crate::capi) module_info: ModuleInfo,
    /// What it keeps with the store itself; it goes after the store.
    pub(in crate::capi) host_data: StoreInfo,
}

impl StoreCell {
    /// A new store.
    pub(in crate::capi) fn new(engine: &Engine) -> Arc<StoreCell> {
        Arc::new_cyclic(|weak: &Weak<StoreCell>| {
            let mut store = Store::new(engine);
            // Callbacks find the cell by the store they are called in.
            store.set_data(Some(Box::new(weak.clone())));
            let roots = store.as_store().roots().clone();
            StoreCell {
                store: store.into_raw(),
                owner: AtomicUsize::new(0),
                depth: AtomicUsize::new(0),
                lent_at: AtomicUsize::new(0),
                last: AtomicUsize::new(0),
                roots,
                module_info: ModuleInfo::default(),
                host_data: StoreInfo::default(),
            }
        })
    }

    /// The cell of a store that a callback is called in.
    pub(in crate::capi) fn of(store: &StoreMut<'_>) -> Option<Arc<StoreCell>> {
        store.data()?.downcast_ref::<Weak<StoreCell>>()?.upgrade()
    }

    /// Enters the store. While a guest may run, the caller must hold the cell itself, not borrow it from a handle that
    /// a callback could delete.
    ///
    /// Whoever is the first inside may collect what nothing holds: what is held over from before must be rooted, as
    /// what handles are of is. What is made inside is rooted by a handle before the store is entered again.
    pub(in crate::capi) fn enter(&self) -> Result<Entered<'_>> {
        let mut entered = self.enter_to_look()?;
        if self.roots.is_due() {
            entered.collect_if_outermost();
        }
        Ok(entered)
    }

    /// The same, and nothing is collected: what has just come out of the store, and is not rooted yet, is still there.
    pub(in crate::capi) fn enter_to_look(&self) -> Result<Entered<'_>> {
        let me = this_thread();
        if let Err(owner) = self.owner.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed)
            && owner != me
        {
            return Err(Error::new(ErrorKind::State, "the store is in use on another thread"));
        }
        // Only the owner is here.
        self.last.store(me, Ordering::Relaxed);
        self.depth.store(self.depth.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        // SAFETY: the store lives as long as the cell, this thread is its owner, and views made further out on this
        // thread are at rest: they wait for the call that led here.
        Ok(Entered { cell: self, store: unsafe { self.store.as_mut() }, scope: self.roots.scope() })
    }

    /// Whether the thread that was inside last is this one.
    pub(in crate::capi) fn was_last_used_here(&self) -> bool {
        self.last.load(Ordering::Relaxed) == this_thread()
    }

    /// What handles hold.
    pub(in crate::capi) fn roots(&self) -> &Arc<Roots> {
        &self.roots
    }

    /// Whether someone is inside, or has lent the store.
    pub(in crate::capi) fn in_use(&self) -> bool {
        self.owner.load(Ordering::Relaxed) != 0 || self.lent_at.load(Ordering::Relaxed) != 0
    }

    /// Lends the store, which this thread is inside of, to other threads, one at a time, while `wait` runs. What they
    /// enter is nested in what waits here: nothing is collected. Guests that wait on this thread's stack keep others
    /// from being called (`runtime/` sees to that).
    ///
    /// # Errors
    /// [`ErrorKind::State`] where this thread is not inside.
    pub(in crate::capi) fn lend<R>(&self, wait: impl FnOnce() -> R) -> Result<R> {
        if self.owner.load(Ordering::Relaxed) != this_thread() {
            return Err(Error::new(ErrorKind::State, "the store is in use on another thread"));
        }
        let lent_before = self.lent_at.swap(self.depth.load(Ordering::Relaxed), Ordering::Relaxed);
        let lent = Lent { cell: self, lent_before };
        self.owner.store(0, Ordering::Release);
        let result = wait();
        drop(lent);
        Ok(result)
    }
}

impl Drop for StoreCell {
    fn drop(&mut self) {
        // SAFETY: made by `into_raw`, and taken back once, here: no handle is left, and whoever was inside held one.
        drop(unsafe { Store::from_raw(self.store) });
    }
}

/// A store that its thread has lent: it takes it back, once nobody is inside.
struct Lent<'a> {
    cell: &'a StoreCell,
    lent_before: usize,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let take = || self.cell.owner.compare_exchange(0, this_thread(), Ordering::Acquire, Ordering::Relaxed);
        // Who is inside reads or writes something, and calls no guest.
        while take().is_err() {
            std::thread::yield_now();
        }
        self.cell.lent_at.store(self.lent_before, Ordering::Relaxed);
    }
}

/// A number for the thread, never 0.
fn this_thread() -> usize {
    thread_local! {
        static PLACE: u8 = const { 0 };
    }
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}

/// The store, entered.
pub(in crate::capi) struct Entered<'a> {
    cell: &'a StoreCell,
    store: StoreMut<'a>,
    /// What comes out of the store and gets no handle is given up when it is left.
    scope: Scope,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Whoever was in the middle of something has not finished it.
            self.store.poison();
        }
        self.cell.roots.end_scope(self.scope);
        let depth = self.cell.depth.load(Ordering::Relaxed) - 1;
        self.cell.depth.store(depth, Ordering::Relaxed);
        if depth == self.cell.lent_at.load(Ordering::Relaxed) {
            self.cell.owner.store(0, Ordering::Release);
        }
    }
}

impl Entered<'_> {
    /// The cell of the store.
    pub(in crate::capi) fn cell(&self) -> &StoreCell {
        self.cell
    }

    /// Whether the store was entered before, by a call that waits for this one.
    pub(in crate::capi) fn is_nested(&self) -> bool {
        self.cell.depth.load(Ordering::Relaxed) > 1
    }
}

impl<'a> Deref for Entered<'a> {
    type Target = StoreMut<'a>;
    fn deref(&self) -> &StoreMut<'a> {
        &self.store
    }
}

impl<'a> DerefMut for Entered<'a> {
    fn deref_mut(&mut self) -> &mut StoreMut<'a> {
        &mut self.store
    }
}

impl AsStore for Entered<'_> {
    fn as_store(&self) -> StoreRef<'_> {
        self.store.as_store()
    }
}

impl AsStoreMut for Entered<'_> {
    fn as_store_mut(&mut self) -> StoreMut<'_> {
        self.store.as_store_mut()
    }
}

impl StoreCell {
    /// Keeps an object of the store from being collected. An object of another store is nothing to keep here.
    pub(in crate::capi) fn hold(&self, root: Root) -> Rooted {
        self.roots().hold(root)
    }

    /// Says that something has become garbage of which there was no handle.
    pub(in crate::capi) fn note_garbage(&self) {
        self.roots().note_garbage();
    }

    /// Collects, if that is worth its while and nobody is inside: else whoever enters next does.
    #[inline]
    pub(in crate::capi) fn collect_if_due(&self) {
        if self.roots().is_due() {
            self.collect_now();
        }
    }

    #[cold]
    fn collect_now(&self) {
        // A thread that only deletes handles leaves it to the one that uses the store, and does not get in its way.
        if !self.in_use() && self.was_last_used_here() && !std::thread::panicking() {
            // Entering does it. On another thread someone may be faster, and then he does.
            drop(self.enter());
        }
    }
}

impl Entered<'_> {
    /// Collects, unless someone is inside who waits for this call.
    #[cold]
    pub(in crate::capi) fn collect_if_outermost(&mut self) {
        // A store that cannot be collected from is poisoned: it is to be deleted.
        if !self.is_nested() && self.collect_garbage().is_err() {
            self.cell().roots().put_off();
        }
    }

    /// Collects. Destructors run in here, so that what they delete is left to the next time.
    pub(in crate::capi) fn collect_garbage(&mut self) -> Result<usize> {
        if self.is_nested() {
            return Err(Error::new(
                ErrorKind::State,
                "the store is in use: inside a callback of it nothing can be collected; that is done later by itself",
            ));
        }
        // SAFETY: nobody else is inside the store, so no host function of it is running; all handles that C has are
        // rooted, and so is what its linkers have. Host functions of this room capture no handles.
        let collected = unsafe { self.collect([]) }?;
        let count = collected.objects();
        drop(collected);
        Ok(count)
    }

    /// Makes an object. Where much memory is taken, or there is no room, what nothing holds is given back first.
    pub(in crate::capi) fn with_room<T>(&mut self, mut make: impl FnMut(&mut StoreMut<'_>) -> Result<T>) -> Result<T> {
        if self.is_nested() {
            return make(self);
        }
        let bytes = self.as_store().usage().memory_bytes;
        if self.as_store().roots().is_due_with(bytes) {
            self.collect_garbage()?;
        }
        match make(self) {
            Err(_) if self.lacked_room() && self.collect_garbage()? > 0 => make(self),
            outcome => outcome,
        }
    }
}
