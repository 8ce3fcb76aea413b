//! What guests do that wait for others, and wake them. A guest that waits can be ended as one that runs: it looks at
//! its deadline now and then, and the host is asked if somebody wants that.

use crate::abi::TrapCode;
use crate::runtime::control::{deadline, trap};
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::shared::Word;
use crate::runtime::objects::waiting::{Patience, Waited};
use crate::runtime::store::inner::StoreInner;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

/// How often a guest that waits looks at its deadline. An interrupt may come from a signal handler, which can wake
/// nobody that waits for a lock.
const OFTEN: Duration = Duration::from_millis(5);

/// The offset of an access of `width` bytes at `index` and `offset`, which must be aligned and inside of the memory.
fn check(memory: &MemoryData, (index, offset): (u64, u64), width: u64) -> Result<usize, TrapCode> {
    if !index.wrapping_add(offset).is_multiple_of(width) {
        return Err(TrapCode::UnalignedAtomic);
    }
    let at = index.checked_add(offset).ok_or(TrapCode::MemoryOutOfBounds)?;
    match at.checked_add(width) {
        Some(end) if end <= memory.len() as u64 => Ok(at as usize),
        _ => Err(TrapCode::MemoryOutOfBounds),
    }
}

/// `memory.atomic.notify`. Nobody waits in a memory that is not shared.
///
/// # Safety
/// The memory is live.
pub(super) unsafe fn notify(memory: NonNull<MemoryData>, place: (u64, u64), count: u32) -> Result<u32, TrapCode> {
    // SAFETY: the caller's promise.
    let memory = unsafe { memory.as_ref() };
    let at = check(memory, place, 4)?;
    Ok(memory.shared().map_or(0, |shared| shared.waiting().wake(at, count)))
}

/// `memory.atomic.wait`: its outcome, or `None` if the guest is to be left, with the reason in the store.
///
/// # Safety
/// The store is alive and the memory is one of it, no reference to its inside is held, and the exit frame is noted.
pub(super) unsafe fn wait(
    store: NonNull<StoreInner>,
    memory: NonNull<MemoryData>,
    place: (u64, u64),
    expected: Word,
    timeout: i64,
) -> Option<u32> {
    let width = match expected {
        Word::Narrow(_) => 4,
        Word::Wide(_) => 8,
    };
    let found = {
        // SAFETY: the caller's promise; the reference ends here.
        let memory = unsafe { memory.as_ref() };
        check(memory, place, width)
            .and_then(|at| Ok((at, memory.shared().cloned().ok_or(TrapCode::ExpectedSharedMemory)?)))
    };
    let (at, shared) = match found {
        Ok(found) => found,
        Err(code) => {
            // SAFETY: the caller's promise.
            unsafe { trap::raise_from_builtin(store, code) };
            return None;
        }
    };
    // A time that is not to come in this process's life is never.
    let until = u64::try_from(timeout).ok().and_then(|span| Instant::now().checked_add(Duration::from_nanos(span)));
    // SAFETY: the caller's promise; the store's thread is here, and the memory is kept by `shared` alone.
    let mut goes_on = || unsafe { deadline::due_in_wait(store) };
    // SAFETY: as above.
    let looks = unsafe { (*store.as_ptr()).looks_while_it_waits() };
    let ask: Option<(Duration, &mut dyn FnMut() -> bool)> = if looks { Some((OFTEN, &mut goes_on)) } else { None };
    match shared.waiting().wait(at, || shared.holds(at, expected), Patience { until, ask }) {
        Waited::Woken => Some(0),
        Waited::Different => Some(1),
        Waited::TooLong => Some(2),
        Waited::Ended => None,
    }
}
