//! Threads to compile on. There are none of these before they are first asked for, and a forked child, which has
//! none of its parent's, gets its own: the pool belongs to the process that has made it.

pub use super::system::thread_id as id;

use crate::base::{Error, ErrorKind, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Bytes of each thread's stack: what compiling takes, twice.
const STACK: usize = 2 << 20;

struct Pool {
    pid: u32,
    threads: ThreadPool,
}

/// Never freed: threads work in it, and one that a forked child has inherited cannot be taken down.
static POOL: AtomicPtr<Pool> = AtomicPtr::new(null_mut());

/// The threads of this process, made now if they are not there. `None` where one thread is all that the processor runs
/// at once.
///
/// # Errors
/// When the system refuses them.
pub fn pool() -> Result<Option<&'static ThreadPool>> {
    let pid = std::process::id();
    let known = POOL.load(Ordering::Acquire);
    // SAFETY: what was published is never freed or changed.
    if let Some(pool) = unsafe { known.as_ref() }
        && pool.pid == pid
    {
        return Ok(Some(&pool.threads));
    }
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    if count < 2 {
        return Ok(None);
    }
    let name = |index| format!("stepwell-{index}");
    let threads = ThreadPoolBuilder::new().num_threads(count).thread_name(name).stack_size(STACK).build();
    let threads = threads
        .map_err(|error| Error::new(ErrorKind::System, format!("no threads can be made to compile on: {error}")))?;
    let ours = Box::into_raw(Box::new(Pool { pid, threads }));
    match POOL.compare_exchange(known, ours, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: published just now, so never freed.
        Ok(_) => Ok(Some(unsafe { &(*ours).threads })),
        Err(theirs) => {
            // Another thread of this process was faster.
            // SAFETY: ours was not published; theirs was.
            unsafe {
                drop(Box::from_raw(ours));
                Ok(Some(&(*theirs).threads))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_get_the_same_threads() {
        let pools: Vec<_> = std::thread::scope(|scope| {
            let ask = || super::pool().unwrap().map(|pool| std::ptr::from_ref(pool).addr());
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(pools.iter().all(|pool| *pool == pools[0]));
        if let Some(pool) = super::pool().unwrap() {
            assert!(pool.install(|| std::thread::current().name().is_some_and(|name| name.starts_with("stepwell-"))));
        }
    }
}
