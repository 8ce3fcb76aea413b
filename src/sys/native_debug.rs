//! What debuggers of the process (gdb, lldb) are told of machine code: the interface that gdb defines for compilers at
//! run time. A list of ELF files in memory, and a function that is called when it has changed, in which the debugger
//! has a breakpoint.
//!
//! Both names are the debugger's choice, and other compilers in the process may define them too. The debugger looks for
//! them in each library. In the shared library ours are bound to ourselves (`build.rs`), so that each compiler keeps
//! its own list. In a program that is linked statically with another compiler that defines them weakly, both share
//! ours.

use crate::isa::opaque;
use std::ptr::{NonNull, null, null_mut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An ELF file, as the debugger reads it.
#[repr(C)]
#[derive(Debug)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    file: *const u8,
    file_bytes: u64,
}

/// What the debugger looks at.
#[repr(C)]
#[derive(Debug)]
pub struct Descriptor {
    version: u32,
    /// 1: the entry has come; 2: it goes.
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

// SAFETY: it is written under a lock, and read by the debugger while the process is stopped.
unsafe impl Sync for Descriptor {}

const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

/// The list. For debuggers alone.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub static mut __jit_debug_descriptor: Descriptor =
    Descriptor { version: 1, action: 0, relevant: null_mut(), first: null_mut() };

/// The debugger stops here. It must be called, and seen to read what was written before.
#[doc(hidden)]
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn __jit_debug_register_code() {
    opaque();
}

static LOCK: Mutex<()> = Mutex::new(());

fn lock() -> MutexGuard<'static, ()> {
    // Nothing panics while the list is changed.
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An ELF file that debuggers know of, until it is dropped.
#[derive(Debug)]
pub struct Registered {
    entry: NonNull<Entry>,
    _file: Box<[u8]>,
}

// SAFETY: the entry is a heap object of its own; it is changed under the lock.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Registered {
    /// Tells debuggers of an ELF file.
    pub fn new(file: Box<[u8]>) -> Registered {
        let entry =
            Entry { next: null_mut(), previous: null_mut(), file: file.as_ptr(), file_bytes: file.len() as u64 };
        let entry = NonNull::from(Box::leak(Box::new(entry)));
        let _lock = lock();
        // SAFETY: entries in the list are alive, and under the lock we have all of them alone.
        unsafe {
            let list = &raw mut __jit_debug_descriptor;
            let at = entry.as_ptr();
            (*at).next = (*list).first;
            if !(*at).next.is_null() {
                (*(*at).next).previous = at;
            }
            (*list).first = at;
            announce(at, REGISTER);
        }
        Registered { entry, _file: file }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let _lock = lock();
        // SAFETY: as in `new`; the entry was made from a box there, and nobody has it after this.
        unsafe {
            let list = &raw mut __jit_debug_descriptor;
            let at = self.entry.as_ptr();
            let Entry { next, previous, .. } = *at;
            match previous.is_null() {
                true => (*list).first = next,
                false => (*previous).next = next,
            }
            if !next.is_null() {
                (*next).previous = previous;
            }
            announce(at, UNREGISTER);
            (*at).file = null();
            drop(Box::from_raw(at));
        }
    }
}

/// # Safety
/// The lock is held.
unsafe fn announce(entry: *mut Entry, action: u32) {
    // SAFETY: the caller has the list alone.
    unsafe {
        let list = &raw mut __jit_debug_descriptor;
        (*list).relevant = entry;
        (*list).action = action;
        __jit_debug_register_code();
        (*list).action = 0;
        (*list).relevant = null_mut();
    }
}

/// How many files debuggers know of, and whether all links of the list fit.
#[cfg(test)]
pub(crate) fn listed() -> usize {
    let _lock = lock();
    // SAFETY: as in `Registered::new`.
    unsafe {
        let list = &raw const __jit_debug_descriptor;
        let (mut count, mut previous, mut at) = (0, null_mut(), (*list).first);
        while !at.is_null() {
            assert_eq!((*at).previous, previous);
            assert_eq!(std::slice::from_raw_parts((*at).file, 4), b"\x7fELF");
            assert!((*at).file_bytes > 64);
            (previous, at, count) = (at, (*at).next, count + 1);
        }
        count
    }
}
