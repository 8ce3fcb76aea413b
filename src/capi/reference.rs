//! `wasm_ref_t`: a reference to any object. Its functions, and the conversions, are in `refs.rs`.

use super::plumbing::guard::or_abort;
use super::plumbing::handles::wasm_ref_t;
use super::plumbing::object::Object;
use super::plumbing::own::{borrow, handle};

handle!(wasm_ref_t => Object);

/// A number for an object: the same for all handles of it, and for another object that lives at the same time most
/// probably another. For tables of what has been met.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_ref_hash(r#ref: *const wasm_ref_t) -> u64 {
    // SAFETY: C passes a live reference or NULL.
    or_abort("stepwell_ref_hash", || Ok(unsafe { borrow(r#ref, "ref") }?.hash()))
}
