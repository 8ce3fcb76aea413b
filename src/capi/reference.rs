//! `wasm_ref_t`: a reference to any object. Its functions, and the conversions, are in `refs.rs`.

use super::object::Object;
use super::own::handle;

/// A reference to an object of any kind.
pub struct wasm_ref_t {
    _opaque: [u8; 0],
}
handle!(wasm_ref_t => Object);
