//! Where this thread's stack ends.

use std::cell::OnceCell;
use std::ops::Range;

thread_local! {
    static LIMITS: OnceCell<Range<usize>> = const { OnceCell::new() };
}

/// The addresses of the current thread's stack, lowest first, guard pages excluded; asked for once per thread. Where the
/// system does not say, 512 KiB below the caller.
pub fn limits() -> Range<usize> {
    LIMITS.with(|limits| limits.get_or_init(|| ask().unwrap_or_else(guess)).clone())
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
