//! What the dynamic linker knows of addresses: symbols that are exported.

use std::ffi::CStr;
use std::mem::MaybeUninit;

/// The symbol of the function that begins at an address, if a library, or the program, exports it for dynamic linking.
pub fn symbol_at(address: usize) -> Option<String> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: the address is looked up, and not read; there is room for what is told of it.
    if unsafe { libc::dladdr(address as *const libc::c_void, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: it was zero, which is a value of it, and has been filled.
    let info = unsafe { info.assume_init() };
    // Where the function itself is not exported, it is told of one in front of it.
    if info.dli_sname.is_null() || info.dli_saddr as usize != address {
        return None;
    }
    // SAFETY: a text of a library that is loaded, for the address is in it.
    Some(unsafe { CStr::from_ptr(info.dli_sname) }.to_string_lossy().into_owned())
}
