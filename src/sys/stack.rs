//! Where this thread's stack ends.

use crate::base::{Error, ErrorKind, Result};
use std::cell::OnceCell;
use std::ops::Range;
use std::panic::resume_unwind;

thread_local! {
    static LIMITS: OnceCell<Range<usize>> = const { OnceCell::new() };
}

/// The addresses of the current thread's stack, lowest first, guard pages excluded; asked for once per thread. Where the
/// system does not say, 512 KiB below the caller.
pub fn limits() -> Range<usize> {
    LIMITS.with(|limits| limits.get_or_init(|| ask().unwrap_or_else(guess)).clone())
}

/// Does `work` where it has at least `needed` bytes of stack: here, or where so much is not left, or is not known to be left, on a
/// thread of its own that this one waits for.
///
/// # Errors
/// When there is too little stack here and the system refuses the thread.
pub fn with_room<T: Send>(needed: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    let here = 0u8;
    let at = std::ptr::from_ref(&here) as usize;
    let limits = limits();
    if limits.contains(&at) && at - limits.start >= needed {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("stepwell".into()).stack_size(needed.next_power_of_two());
        let thread = thread.spawn_scoped(scope, work).map_err(|error| {
            Error::new(
                ErrorKind::System,
                format!("there is too little stack here to compile, and no thread can be made for it: {error}"),
            )
        })?;
        thread.join().or_else(|payload| resume_unwind(payload))
    })
}

fn guess() -> Range<usize> {
    let here = 0u8;
    let at = std::ptr::from_ref(&here) as usize;
    at.saturating_sub(512 << 10)..at
}

fn ask() -> Option<Range<usize>> {
    // SAFETY: the attribute object is initialised by pthread_getattr_np before it is read, and destroyed once.
    unsafe {
        let mut attr = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
        if libc::pthread_getattr_np(libc::pthread_self(), attr.as_mut_ptr()) != 0 {
            return None;
        }
        let mut start = std::ptr::null_mut();
        let mut size = 0;
        let mut guard = 0;
        let failed = libc::pthread_attr_getstack(attr.as_ptr(), &mut start, &mut size) != 0
            || libc::pthread_attr_getguardsize(attr.as_ptr(), &mut guard) != 0;
        libc::pthread_attr_destroy(attr.as_mut_ptr());
        // The main thread's guard is a gap that the kernel keeps free below what it reports.
        (!failed && size > guard).then(|| start as usize + guard..start as usize + size)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn work_gets_the_room_it_needs() {
        let here = || {
            let here = 0u8;
            std::ptr::from_ref(&here) as usize
        };
        let before = super::limits();
        assert!(before.contains(&super::with_room(1 << 10, here).unwrap()));
        assert!(!before.contains(&super::with_room(before.len() + 1, here).unwrap()));
        let value = 7;
        assert_eq!(super::with_room(before.len() + 1, || value + 1).unwrap(), 8);
        let panic = std::panic::catch_unwind(|| super::with_room(before.len() + 1, || panic!("as it should")));
        assert!(panic.is_err());
    }

    #[test]
    fn a_local_is_inside() {
        let here = 0u8;
        let at = std::ptr::from_ref(&here) as usize;
        assert!(super::limits().contains(&at));
        std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(|| {
                let here = 0u8;
                let limits = super::limits();
                assert!(limits.contains(&(std::ptr::from_ref(&here) as usize)));
                assert!(limits.len() <= 512 << 10);
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
