//! `wasm_byte_vec_t` and `wasm_name_t`: bytes, names and messages.

use super::plumbing::check;
use super::plumbing::own::Out;
use super::plumbing::vec::{self, CVec};
use super::vecs::wasm_byte_vec_t;
use crate::runtime::Module;
use std::ffi::c_char;

/// A byte, as the standard's header has it.
pub type byte_t = std::ffi::c_char;

/// A byte of a vector.
pub type wasm_byte_t = byte_t;

/// A name: UTF-8, not NUL-terminated.
pub type wasm_name_t = wasm_byte_vec_t;

impl wasm_byte_vec_t {
    /// An owned vector of these bytes.
    pub(super) fn bytes(bytes: &[u8]) -> Self {
        vec::from_elements(bytes.iter().map(|byte| *byte as wasm_byte_t))
    }

    /// An owned, NUL-terminated text; the NUL is counted.
    pub(super) fn text_nul(text: &str) -> Self {
        vec::from_elements(text.bytes().chain([0]).map(|byte| byte as wasm_byte_t).collect::<Vec<_>>())
    }

    /// The bytes.
    ///
    /// # Safety
    /// The vector is valid.
    pub(super) unsafe fn as_bytes(&self) -> &[u8] {
        let (size, data) = self.parts();
        if size == 0 || data.is_null() {
            return &[];
        }
        check::vector_passed(data.cast());
        // SAFETY: by the contract; a `char` is a byte.
        unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) }
    }

    /// A message's text: a NUL at its end is no part of it, and what is no UTF-8 is replaced.
    ///
    /// # Safety
    /// The vector is valid.
    pub(super) unsafe fn as_message(&self) -> String {
        // SAFETY: by the contract.
        let bytes = unsafe { self.as_bytes() };
        String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned()
    }
}

/// Lends C a name that `module` has, and writes its length to `size_out`, unless that is NULL; NULL without a name.
///
/// # Safety
/// `size_out` is NULL or C's.
pub(super) unsafe fn lend_name(module: &Module, name: Option<&str>, size_out: *mut usize) -> *const c_char {
    let Some(name) = name else { return std::ptr::null() };
    if let Some(out) = Out::plain(size_out).optional() {
        // SAFETY: by the contract.
        unsafe { out.write(name.len()) };
    }
    module.name_with_nul(name)
}
