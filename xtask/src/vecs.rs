//! `src/capi/vecs.rs` from a table: the vectors of the C ABI, every signature spelled out.

use std::fmt::Write;

/// How a vector's elements stand in `data`.
enum Element {
    /// Owned pointers to handles.
    Handle,
    /// Plain bytes.
    Byte,
    /// Values, which may own a reference.
    Value,
}

/// Every vector: the noun, what its elements are.
const VECS: &[(&str, Element, &str)] = &[
    ("byte", Element::Byte, "bytes"),
    ("valtype", Element::Handle, "value types"),
    ("functype", Element::Handle, "function types"),
    ("globaltype", Element::Handle, "global types"),
    ("tabletype", Element::Handle, "table types"),
    ("memorytype", Element::Handle, "memory types"),
    ("tagtype", Element::Handle, "tag types"),
    ("externtype", Element::Handle, "types of things imported or exported"),
    ("importtype", Element::Handle, "imports"),
    ("exporttype", Element::Handle, "exports"),
    ("val", Element::Value, "values"),
    ("frame", Element::Handle, "frames"),
    ("extern", Element::Handle, "things imported or exported"),
];

/// The file's text.
pub fn generate() -> String {
    let mut text = String::from(
        "//! The vectors of the C ABI. Written by `cargo xtask headers` from the table in `xtask/src/vecs.rs`: do not edit.\n\n\
         use super::bytes::wasm_byte_t;\n",
    );
    let handles: Vec<String> = VECS
        .iter()
        .filter(|(_, element, _)| matches!(element, Element::Handle))
        .map(|(noun, ..)| format!("wasm_{noun}_t"))
        .collect();
    writeln!(text, "use super::plumbing::handles::{{{}}};", handles.join(", ")).expect("a string takes everything");
    text.push_str(
        "use super::plumbing::own::{Out, Take};\n\
         use super::plumbing::vec::{self, CVec};\n\
         use super::val::{copy_val, delete_val, wasm_val_t};\n",
    );
    for (noun, element, plural) in VECS {
        vec(&mut text, noun, element, plural);
    }
    text
}

/// One vector: its struct, what its elements need, its five functions.
fn vec(text: &mut String, noun: &str, element: &Element, plural: &str) {
    let (ty, copy, delete) = match element {
        Element::Handle => (
            format!("*mut wasm_{noun}_t"),
            "// SAFETY: by the contract.\nunsafe { vec::copy_handle(*element) }".to_owned(),
            "// SAFETY: by the contract.\nunsafe { vec::delete_handle(*element) }".to_owned(),
        ),
        Element::Byte => ("wasm_byte_t".to_owned(), "*element".to_owned(), "let _ = element;".to_owned()),
        Element::Value => (
            "wasm_val_t".to_owned(),
            "// SAFETY: by the contract.\nunsafe { copy_val(element) }".to_owned(),
            "// SAFETY: by the contract.\nunsafe { delete_val(element) }".to_owned(),
        ),
    };
    let handle = match element {
        Element::Handle => {
            "fn handle_of(element: &Self::Element, param: &str) -> *const u8 { vec::look_at_handle(*element, param) }"
        }
        Element::Byte | Element::Value => "",
    };
    let elements_own = !matches!(element, Element::Byte);
    let owned = if elements_own { " and its elements" } else { "" };
    write!(
        text,
        "
/// A vector of {plural}. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_{noun}_vec_t {{
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut {ty},
}}

impl Default for wasm_{noun}_vec_t {{
    fn default() -> Self {{
        Self {{ size: 0, data: std::ptr::null_mut() }}
    }}
}}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_{noun}_vec_t {{
    type Element = {ty};
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {{
        Self {{ size, data }}
    }}
    fn parts(&self) -> (usize, *mut Self::Element) {{
        (self.size, self.data)
    }}
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {{
        {copy}
    }}
    unsafe fn delete_element(element: &mut Self::Element) {{
        {delete}
    }}
    {handle}
}}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_vec_new_empty(out: Out<wasm_{noun}_vec_t>) {{
    // SAFETY: `out` is C's.
    unsafe {{ vec::new_empty(\"wasm_{noun}_vec_new_empty\", out) }}
}}

/// Writes a vector of `size` {plural} to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_vec_new_uninitialized(out: Out<wasm_{noun}_vec_t>, size: usize) {{
    // SAFETY: `out` is C's.
    unsafe {{ vec::new_uninitialized(\"wasm_{noun}_vec_new_uninitialized\", out, size) }}
}}

/// Writes a vector of the `size` {plural} at `data` to `out`{moved}.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_vec_new(out: Out<wasm_{noun}_vec_t>, size: usize, data: *const {ty}) {{
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe {{ vec::new(\"wasm_{noun}_vec_new\", out, size, data) }}
}}

/// Writes a copy{owned_copy} to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_vec_copy(out: Out<wasm_{noun}_vec_t>, source: *const wasm_{noun}_vec_t) {{
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe {{ vec::copy(\"wasm_{noun}_vec_copy\", out, source) }}
}}

/// Deletes a vector{owned}, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_vec_delete(vec: Take<wasm_{noun}_vec_t>) {{
    // SAFETY: the vector is valid or NULL.
    unsafe {{ vec::delete(\"wasm_{noun}_vec_delete\", vec) }}
}}
",
        moved = if elements_own { ", which takes them" } else { "" },
        owned_copy = if elements_own { " with copies of the elements" } else { "" },
    )
    .expect("a string takes everything");
}
