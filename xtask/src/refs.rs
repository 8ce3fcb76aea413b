//! `src/capi/refs.rs` from a table: what all references of the C ABI have in common, every signature spelled out.

use std::fmt::Write;

/// Every reference: the noun, what one is called, with its article, whether instances import and export it.
const REFS: &[(&str, &str, bool)] = &[
    ("ref", "a reference", false),
    ("trap", "a trap", false),
    ("foreign", "a foreign object", false),
    ("module", "a module", false),
    ("func", "a function", true),
    ("global", "a global", true),
    ("table", "a table", true),
    ("memory", "a memory", true),
    ("extern", "an import or export", false),
    ("instance", "an instance", false),
];

/// The file's text.
pub fn generate() -> String {
    let mut text = String::from(
        "//! What all references of the C ABI have in common. Written by `cargo xtask headers` from the table in\n\
         //! `xtask/src/refs.rs`: do not edit.\n\
         \n\
         use super::plumbing::guard::or_last_error;\n\
         use super::plumbing::host_info;\n\
         use super::plumbing::object::{convert, copy, same};\n\
         use super::plumbing::own::Own;\n\
         use std::ffi::c_void;\n",
    );
    let handles: Vec<String> = REFS.iter().map(|(noun, ..)| format!("wasm_{noun}_t")).collect();
    writeln!(text, "use super::plumbing::handles::{{{}}};", handles.join(", ")).expect("a string takes everything");
    for (noun, what, external) in REFS {
        reference(&mut text, noun, what);
        if *noun != "ref" {
            conversions(&mut text, noun, "ref", what, "a reference");
        }
        if *external {
            conversions(&mut text, noun, "extern", what, "an import or export");
        }
    }
    text
}

/// Deleting, copying, comparing.
fn reference(text: &mut String, noun: &str, what: &str) {
    let bare = what.split_once(' ').map_or(what, |(_, bare)| bare);
    write!(
        text,
        "
/// Deletes the handle of {what}; what nothing else holds is given back sooner or later. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_delete(object: Own<wasm_{noun}_t>) {{
    or_last_error(\"wasm_{noun}_delete\", || {{
        // SAFETY: C gives it back.
        unsafe {{ object.delete(\"wasm_{noun}_delete\", \"object\") }};
        Ok(())
    }});
}}

/// Another handle of the same {bare}. NULL for NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_copy(object: *const wasm_{noun}_t) -> Own<wasm_{noun}_t> {{
    // SAFETY: C passes a live handle or NULL.
    unsafe {{ copy(\"wasm_{noun}_copy\", object) }}
}}

/// Whether two handles are of the same {bare}.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_same(a: *const wasm_{noun}_t, b: *const wasm_{noun}_t) -> bool {{
    // SAFETY: C passes live handles or NULL.
    unsafe {{ same(\"wasm_{noun}_same\", a, b) }}
}}

/// What the host keeps with {what}: the pointer that was set last with any handle of it, or NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_get_host_info(object: *const wasm_{noun}_t) -> *mut c_void {{
    // SAFETY: C passes a live handle or NULL.
    unsafe {{ host_info::get(\"wasm_{noun}_get_host_info\", object) }}
}}

/// Keeps a pointer with {what}, in place of the one that was there.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_set_host_info(object: *mut wasm_{noun}_t, info: *mut c_void) {{
    // SAFETY: C passes a live handle or NULL.
    unsafe {{ host_info::set(\"wasm_{noun}_set_host_info\", object, info, None) }}
}}

/// Keeps a pointer with {what}, in place of the one that was there. `finalizer(info)` runs once: when the
/// object goes (not: a handle of it), when another pointer takes its place, or when this fails. The finalizer may be
/// NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_set_host_info_with_finalizer(
    object: *mut wasm_{noun}_t,
    info: *mut c_void,
    finalizer: Option<unsafe extern \"C\" fn(info: *mut c_void)>,
) {{
    // SAFETY: C passes a live handle or NULL.
    unsafe {{ host_info::set(\"wasm_{noun}_set_host_info_with_finalizer\", object, info, finalizer) }}
}}
"
    )
    .expect("a string takes everything");
}

/// Looking at a handle as a more or less general one.
fn conversions(text: &mut String, noun: &str, general: &str, what: &str, general_what: &str) {
    for (suffix, pointer) in [("", "*mut"), ("_const", "*const")] {
        write!(
            text,
            "
/// The same handle, borrowed, as {general_what}. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{noun}_as_{general}{suffix}(object: {pointer} wasm_{noun}_t) -> {pointer} wasm_{general}_t {{
    // SAFETY: C passes a live handle or NULL.
    unsafe {{ convert(\"wasm_{noun}_as_{general}{suffix}\", object) }}
}}

/// The same handle, borrowed, as that of {what}; NULL for NULL and for anything else.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern \"C\" fn wasm_{general}_as_{noun}{suffix}(object: {pointer} wasm_{general}_t) -> {pointer} wasm_{noun}_t {{
    // SAFETY: C passes a live handle or NULL.
    unsafe {{ convert(\"wasm_{general}_as_{noun}{suffix}\", object) }}
}}
"
        )
        .expect("a string takes everything");
    }
}
