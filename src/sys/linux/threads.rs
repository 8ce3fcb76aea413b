//! What the system knows of a thread: its number, and where its stack is.

use std::ops::Range;

/// The system's number of this thread, which is not 0.
pub fn thread_id() -> u32 {
    // SAFETY: a system call without arguments.
    unsafe { libc::gettid() }.cast_unsigned()
}

/// The addresses of the stack that the system has made for this thread, lowest first, guard pages excluded; `None`
/// where it does not say.
pub(in crate::sys) fn stack_bounds() -> Option<Range<usize>> {
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
