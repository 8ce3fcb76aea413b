//! Asking the host whether a memory or a table may become larger. It is asked with the store at rest: before anything
//! is changed, and while nobody has a reference to its inside. So the host may look at the store and change it; guests
//! are not called meanwhile, and nothing becomes larger.

use crate::base::{Error, ErrorKind, MemoryIndex, Result, TableIndex};
use crate::runtime::compiled::module::Module;
use crate::runtime::objects::limiter::Growth;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::leaving::outside;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

/// Whether the host lets something become larger. A panic of the host's poisons the store and goes on.
///
/// # Safety
/// The store is alive, and no reference to its inside is held. If guests of it wait, where they have been left is
/// noted.
pub(in crate::runtime) unsafe fn allows(store: NonNull<StoreInner>, growth: &Growth) -> Result<bool> {
    // SAFETY: the caller's promise; each reference to the inside ends before the host is called.
    unsafe {
        let at = store.as_ptr();
        let Some(limiter) = (*at).limiter.clone() else { return Ok(true) };
        if std::mem::replace(&mut (*at).limiting, true) {
            // What the host does while it is asked has no one to ask.
            return Ok(false);
        }
        // Where it was being asked something else already, guests are not called anyway.
        let first = (*at).deadline.begin_asking();
        let answer = catch_unwind(AssertUnwindSafe(|| outside(store, || limiter(growth))));
        if first {
            (*at).deadline.answer(None);
        }
        (*at).limiting = false;
        answer.unwrap_or_else(|payload| {
            (*at).poisoned = true;
            resume_unwind(payload)
        })
    }
}

/// Asks for something that the host is making.
///
/// # Safety
/// As [`allows`].
///
/// # Errors
/// [`ErrorKind::Limit`] where the answer is no, and errors of who answers.
pub(in crate::runtime) unsafe fn check(store: NonNull<StoreInner>, growth: &Growth) -> Result<()> {
    // SAFETY: handed on to the caller.
    if unsafe { allows(store, growth) }? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Limit, format!("the store's limiter has refused {growth}")))
}

/// Asks for all memories and tables that an instance of a module has for itself.
///
/// # Safety
/// As [`allows`].
///
/// # Errors
/// As [`check`].
pub(in crate::runtime) unsafe fn check_instance(store: NonNull<StoreInner>, module: &Module) -> Result<()> {
    // SAFETY: the caller's promise.
    if unsafe { &(*store.as_ptr()).limiter }.is_none() {
        return Ok(());
    }
    let info = module.info();
    for i in info.imported_memories as usize..info.memories.len() {
        let growth = Growth::new_memory(&info.memory(MemoryIndex::from_usize(i)));
        // SAFETY: handed on to the caller.
        unsafe { check(store, &growth) }?;
    }
    for i in info.imported_tables as usize..info.tables.len() {
        let growth = Growth::new_table(&info.table(TableIndex::from_usize(i)));
        // SAFETY: as above.
        unsafe { check(store, &growth) }?;
    }
    Ok(())
}
