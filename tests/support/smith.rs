//! What every test that makes modules with wasm-smith says alike: which features Stepwell has.

use wasm_smith::Config;

/// WebAssembly 3.0: garbage collection, relaxed SIMD, extended constants, tail calls, exceptions, 64-bit memories and
/// tables, several memories; and wide arithmetic, compact imports, and pages of any size: an engine for them has
/// `custom_page_sizes` on, too.
pub fn supported() -> Config {
    Config {
        bulk_memory_enabled: true,
        custom_page_sizes_enabled: true,
        exceptions_enabled: true,
        extended_const_enabled: true,
        memory64_enabled: true,
        multi_value_enabled: true,
        reference_types_enabled: true,
        relaxed_simd_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: true,

        acquire_release_atomics_enabled: false,
        compact_imports_enabled: true,
        custom_descriptors_enabled: false,
        gc_enabled: true,
        multibyte_array_access_enabled: false,
        shared_everything_threads_enabled: false,
        tail_call_enabled: true,
        threads_enabled: false,
        wide_arithmetic_enabled: true,

        max_memories: 3,
        max_memory64_bytes: 1 << 32,
        max_tables: 4,
        ..Config::default()
    }
}
