//! `wasm_store_t`, and the cell that all handles of a store share and keep it alive by.

use super::engine::wasm_engine_t;
use super::guard::{or_error, or_last_error, or_null};
use super::host_info::ModuleInfo;
use super::own::{Own, borrow, handle};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{AsStore, AsStoreMut, Engine, Roots, Store, StoreLimits, StoreMut, StorePtr, StoreRef};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::error::stepwell_error_t;

/// A store: instances and all they own. It belongs to one thread at a time.
///
/// Every object made in a store keeps it alive: handles may be deleted in any order.
pub struct wasm_store_t {
    _opaque: [u8; 0],
}
handle!(wasm_store_t => Arc<StoreCell>);

/// The store behind all its handles.
///
/// It is entered for each call. Entering again on the same thread nests (a host function calls back in); entering on
/// another thread meanwhile is an error, which turns a forbidden race into a message in all but the rarest cases.
pub(super) struct StoreCell {
    store: StorePtr,
    /// The thread that is inside, or 0.
    owner: AtomicUsize,
    /// How often it is inside; only the owner touches it.
    depth: AtomicUsize,
    /// The thread that was inside last.
    last: AtomicUsize,
    /// What handles hold.
    roots: Arc<Roots>,
    /// What C keeps with modules.
    pub(super) module_info: ModuleInfo,
}

impl StoreCell {
    /// A new store.
    pub(super) fn new(engine: &Engine) -> Arc<StoreCell> {
        Arc::new_cyclic(|weak: &Weak<StoreCell>| {
            let mut store = Store::new(engine);
            // Callbacks find the cell by the store they are called in.
            store.set_data(Some(Box::new(weak.clone())));
            let roots = store.as_store().roots().clone();
            StoreCell {
                store: store.into_raw(),
                owner: AtomicUsize::new(0),
                depth: AtomicUsize::new(0),
                last: AtomicUsize::new(0),
                roots,
                module_info: ModuleInfo::default(),
            }
        })
    }

    /// The cell of a store that a callback is called in.
    pub(super) fn of(store: &StoreMut<'_>) -> Option<Arc<StoreCell>> {
        store.data()?.downcast_ref::<Weak<StoreCell>>()?.upgrade()
    }

    /// Enters the store. While a guest may run, the caller must hold the cell itself, not borrow it from a handle that
    /// a callback could delete.
    ///
    /// Whoever is the first inside may collect what nothing holds: what is held over from before must be rooted, as what handles
    /// are of is. What is made inside is rooted by a handle before the store is entered again.
    pub(super) fn enter(&self) -> Result<Entered<'_>> {
        let mut entered = self.enter_to_look()?;
        if self.roots.is_due() {
            entered.collect_if_outermost();
        }
        Ok(entered)
    }

    /// The same, and nothing is collected: what has just come out of the store, and is not rooted yet, is still there.
    pub(super) fn enter_to_look(&self) -> Result<Entered<'_>> {
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
        Ok(Entered { cell: self, store: unsafe { self.store.as_mut() } })
    }

    /// Whether the thread that was inside last is this one.
    pub(super) fn was_last_used_here(&self) -> bool {
        self.last.load(Ordering::Relaxed) == this_thread()
    }

    /// What handles hold.
    pub(super) fn roots(&self) -> &Arc<Roots> {
        &self.roots
    }

    /// Whether someone is inside.
    pub(super) fn in_use(&self) -> bool {
        self.owner.load(Ordering::Relaxed) != 0
    }
}

impl Drop for StoreCell {
    fn drop(&mut self) {
        // SAFETY: made by `into_raw`, and taken back once, here: no handle is left, and whoever was inside held one.
        drop(unsafe { Store::from_raw(self.store) });
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
pub(super) struct Entered<'a> {
    cell: &'a StoreCell,
    store: StoreMut<'a>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Whoever was in the middle of something has not finished it.
            self.store.poison();
        }
        let depth = self.cell.depth.load(Ordering::Relaxed) - 1;
        self.cell.depth.store(depth, Ordering::Relaxed);
        if depth == 0 {
            self.cell.owner.store(0, Ordering::Release);
        }
    }
}

impl Entered<'_> {
    /// The cell of the store.
    pub(super) fn cell(&self) -> &StoreCell {
        self.cell
    }

    /// Whether the store was entered before, by a call that waits for this one.
    pub(super) fn is_nested(&self) -> bool {
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

/// A new, empty store of an engine.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_new(engine: *mut wasm_engine_t) -> Own<wasm_store_t> {
    or_null("wasm_store_new", || {
        // SAFETY: C passes a live engine or NULL.
        let engine = unsafe { borrow(engine, "engine") }?;
        if engine.config().signals {
            // It was possible when the engine was made; a system that refuses it now leaves what there is.
            let _ = Engine::renew_signal_handlers();
        }
        Ok(Own::new(StoreCell::new(engine)))
    })
}

/// Deletes the handle of a store; the store goes with the last handle of an object in it. NULL does nothing.
///
/// Refused while a call into the store is running, that is, inside a callback of it: the handle stays valid, and
/// `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_delete(store: Own<wasm_store_t>) {
    or_last_error("wasm_store_delete", || {
        if store.is_null() {
            return Ok(());
        }
        // SAFETY: C passes a live store.
        if unsafe { borrow(store.as_ptr(), "store") }?.in_use() {
            let message = "the store cannot be deleted inside a callback of it; the handle stays valid";
            return Err(Error::new(ErrorKind::State, message));
        }
        // SAFETY: C gives it back.
        unsafe { store.delete("wasm_store_delete", "store") };
        Ok(())
    });
}

/// Sets what a store may take: bytes of all memories together, elements of all tables together, instances. What was taken already
/// stays; what nothing holds any more makes room.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_limits_set(
    store: *mut wasm_store_t,
    memory_bytes: u64,
    table_elements: u64,
    instances: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_store_limits_set", || {
        // SAFETY: C passes a live store or NULL.
        let mut store = unsafe { borrow(store, "store") }?.enter()?;
        store.set_limits(StoreLimits { memory_bytes, table_elements, instances });
        Ok(())
    })
}

/// Whether two handles are of the same store, as those of a caller, of a stop, and the host's own may be. False if one is NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_same(a: *const wasm_store_t, b: *const wasm_store_t) -> bool {
    or_null("stepwell_store_same", || {
        // SAFETY: C passes live stores or NULL.
        let (a, b) = unsafe { (borrow(a, "a")?, borrow(b, "b")?) };
        Ok(Arc::ptr_eq(a, b))
    })
}

/// Whether an earlier panic or failure left the store unusable: calls fail, deleting works.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_store_is_poisoned(store: *const wasm_store_t) -> bool {
    // SAFETY: C passes a live store or NULL.
    or_null("stepwell_store_is_poisoned", || Ok(unsafe { borrow(store, "store") }?.enter()?.is_poisoned()))
}
