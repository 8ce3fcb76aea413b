//! `src/capi/vecs.rs` from a table: the vectors of the C ABI, every signature spelled out.

use std::fmt::Write;

/// How a vector's elements stand in `data`.
enum Element {
    /// Owned pointers to handles, freed and copied by the noun's own functions.
    Handle,
    /// Plain bytes.
    Byte,
    /// Values, which may own a reference.
    Value,
}

/// Every vector: the noun, where its element's type stands, what its elements are.
const VECS: &[(&str, &str, Element, &str)] = &[
    ("byte", "bytes", Element::Byte, "bytes"),
    ("valtype", "valtype", Element::Handle, "value types"),
    ("functype", "functype", Element::Handle, "function types"),
    ("globaltype", "globaltype", Element::Handle, "global types"),
    ("tabletype", "tabletype", Element::Handle, "table types"),
    ("memorytype", "memorytype", Element::Handle, "memory types"),
    ("tagtype", "tagtype", Element::Handle, "tag types"),
    ("externtype", "externtype", Element::Handle, "types of things imported or exported"),
    ("importtype", "importtype", Element::Handle, "imports"),
    ("exporttype", "exporttype", Element::Handle, "exports"),
    ("val", "val", Element::Value, "values"),
    ("frame", "frame", Element::Handle, "frames"),
    ("extern", "external", Element::Handle, "things imported or exported"),
];

/// The file's text; nouns whose file does not exist are left out.
pub fn generate(exists: impl Fn(&str) -> bool) -> String {
    let mut text = String::from(
        "//! The vectors of the C ABI. Written by `cargo xtask headers` from the table in `xtask/src/vecs.rs`: do not edit.\n\
         \n\
         use super::own::{Out, Take};\n\
         use super::vec::{self, CVec};\n",
    );
    let vecs = || VECS.iter().filter(|(_, module, ..)| exists(module));
    let mut uses: Vec<String> = vecs()
        .map(|(noun, module, element, _)| match element {
            Element::Handle => {
                format!("use super::{module}::{{wasm_{noun}_copy, wasm_{noun}_delete, wasm_{noun}_t}};\n")
            }
            Element::Byte => "use super::bytes::wasm_byte_t;\n".to_owned(),
            Element::Value => "use super::val::{copy_val, delete_val, wasm_val_t};\n".to_owned(),
        })
        .collect();
    if vecs().any(|(_, _, element, _)| matches!(element, Element::Handle)) {
        uses.push("use super::own::Own;\n".to_owned());
    }
    uses.iter().for_each(|line| text.push_str(line));
    for (noun, _, element, plural) in vecs() {
        vec(&mut text, noun, element, plural);
    }
    text
}

/// One vector: its struct, what its elements need, its five functions.
fn vec(text: &mut String, noun: &str, element: &Element, plural: &str) {
    let (ty, copy, delete) = match element {
        Element::Handle => (
            format!("*mut wasm_{noun}_t"),
            format!(
                "if element.is_null() {{ return *element; }}\n\
                 // SAFETY: by the contract.\n\
                 unsafe {{ wasm_{noun}_copy(*element) }}.into_raw()"
            ),
            format!(
                "// SAFETY: by the contract.\n\
                 unsafe {{ wasm_{noun}_delete(Own::from_raw(*element)) }}"
            ),
        ),
        Element::Byte => ("wasm_byte_t".to_owned(), "*element".to_owned(), "let _ = element;".to_owned()),
        Element::Value => (
            "wasm_val_t".to_owned(),
            "// SAFETY: by the contract.\nunsafe { copy_val(element) }".to_owned(),
            "// SAFETY: by the contract.\nunsafe { delete_val(element) }".to_owned(),
        ),
    };
    let elements_own = !matches!(element, Element::Byte);
    let owned = if elements_own { " and its elements" } else { "" };
    write!(
        text,
        "
/// A vector of {plural}. An owned vector owns its elements; its memory comes from this library.
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
