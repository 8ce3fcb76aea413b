//! Which library this is, at run time.

use std::ffi::{CStr, c_char};

/// This library's version as one number: `major * 1000000 + minor * 1000 + patch`. Compare it with
/// `STEPWELL_VERSION_NUMBER`, the version of the header a program was compiled with.
///
/// Thread: any, async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_version_number() -> u32 {
    const fn number(text: &str) -> u32 {
        let (bytes, mut i, mut value) = (text.as_bytes(), 0, 0);
        while i < bytes.len() {
            value = value * 10 + (bytes[i] - b'0') as u32;
            i += 1;
        }
        value
    }
    const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
        + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
        + number(env!("CARGO_PKG_VERSION_PATCH"));
    VERSION
}

/// This library's version as text, `"major.minor.patch"`. Static: never deleted.
///
/// Thread: any, async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_version_string() -> *const c_char {
    const TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version has no NUL"),
    };
    TEXT.as_ptr()
}
