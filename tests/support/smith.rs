//! What every test that makes modules with wasm-smith says alike: which features Stepwell has.

use wasm_smith::Config;

/// WebAssembly 2.0 without SIMD, extended constants, tail calls, wide arithmetic and compact imports; with one memory and a few tables.
pub fn supported() -> Config {
    Config {
        bulk_memory_enabled: true,
        extended_const_enabled: true,
        multi_value_enabled: true,
        reference_types_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,

        acquire_release_atomics_enabled: false,
        compact_imports_enabled: true,
        custom_descriptors_enabled: false,
        custom_page_sizes_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        multibyte_array_access_enabled: false,
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        simd_enabled: false,
        tail_call_enabled: true,
        threads_enabled: false,
        wide_arithmetic_enabled: true,

        max_memories: 1,
        max_tables: 4,
        ..Config::default()
    }
}
