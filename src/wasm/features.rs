//! The proposals that can be switched on and off, as one table.

use wasmparser::WasmFeatures;

/// Declares the table: field, wasmparser flag, whether on by default, the proposal's name.
macro_rules! features {
    ($($(#[$doc:meta])* $field:ident: $flag:ident = $default:literal, $name:literal;)*) => {
        /// Which proposals a module may use. Default: all that Stepwell implements.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct Features {
            $($(#[$doc])* pub $field: bool,)*
        }

        impl Default for Features {
            fn default() -> Self {
                Features { $($field: $default,)* }
            }
        }

        impl Features {
            /// wasmparser's names of them.
            #[cfg(test)]
            pub(super) const FLAGS: &[&str] = &[$(stringify!($flag),)*];

            /// WebAssembly 1.0 alone.
            pub const WASM_1: Features = Features { $($field: false,)* };

            /// The same set for wasmparser.
            pub(super) fn to_wasmparser(self) -> WasmFeatures {
                let mut set = WasmFeatures::FLOATS | WasmFeatures::GC_TYPES | WasmFeatures::MUTABLE_GLOBAL;
                $(set.set(WasmFeatures::$flag, self.$field);)*
                if self.bulk_memory {
                    set |= WasmFeatures::BULK_MEMORY_OPT;
                }
                if self.reference_types {
                    set |= WasmFeatures::CALL_INDIRECT_OVERLONG;
                }
                set
            }
        }

        /// The name of a proposal that Stepwell has but that is switched off.
        fn known_name(flag: WasmFeatures) -> Option<&'static str> {
            $(if flag.contains(WasmFeatures::$flag) {
                return Some($name);
            })*
            None
        }
    };
}

features! {
    /// `i32.extend8_s` and its kin.
    sign_extension: SIGN_EXTENSION = true, "sign-extension-ops";
    /// `i32.trunc_sat_f32_s` and its kin.
    saturating_float_to_int: SATURATING_FLOAT_TO_INT = true, "nontrapping-float-to-int-conversions";
    /// Several results, and blocks with parameters.
    multi_value: MULTI_VALUE = true, "multi-value";
    /// `memory.copy`, `table.init` and their kin; passive segments.
    bulk_memory: BULK_MEMORY = true, "bulk-memory-operations";
    /// `externref`, `table.get`, `ref.null` and their kin; several tables.
    reference_types: REFERENCE_TYPES = true, "reference-types";
    /// References to functions of one type, and those that are never null.
    function_references: FUNCTION_REFERENCES = true, "function-references";
    /// Vectors of 128 bits.
    simd: SIMD = true, "simd";
    /// Operations on them whose outcome may differ between machines.
    relaxed_simd: RELAXED_SIMD = true, "relaxed-simd";
    /// Exceptions: tags, `throw`, `try_table`, `throw_ref`, `exnref`.
    exceptions: EXCEPTIONS = true, "exception-handling";
    /// Additions, subtractions and multiplications in constant expressions.
    extended_const: EXTENDED_CONST = true, "extended-const";
    /// Several memories in a module.
    multi_memory: MULTI_MEMORY = true, "multi-memory";
    /// Memories and tables with places of 64 bits.
    memory64: MEMORY64 = true, "memory64";
    /// Memories with pages of one byte.
    custom_page_sizes: CUSTOM_PAGE_SIZES = false, "custom-page-sizes";
    /// `return_call` and `return_call_indirect`.
    tail_call: TAIL_CALL = true, "tail-call";
    /// Sums, differences and products of 128 bits, in two numbers of 64 bits.
    wide_arithmetic: WIDE_ARITHMETIC = true, "wide-arithmetic";
    /// Imports that share a module's name, or a type, in the binary.
    compact_imports: COMPACT_IMPORTS = true, "compact-import-section";
    /// Shared memories, atomic instructions, waiting and waking.
    threads: THREADS = true, "threads";
    /// Structures, arrays and integers of 31 bits that guests make, and types below types.
    gc: GC = true, "gc";
    /// Exceptions as they were before `try_table`: `try`, `catch`, `catch_all`, `delegate`, `rethrow`. They need
    /// `exceptions`.
    legacy_exceptions: LEGACY_EXCEPTIONS = false, "legacy-exceptions";
}

/// The name of the proposal behind a wasmparser flag, whether or not Stepwell has it.
pub(super) fn proposal_name(flag: WasmFeatures) -> String {
    if let Some(name) = known_name(flag) {
        return format!("{name} (switched off in the configuration)");
    }
    let foreign = [
        (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything-threads"),
        (WasmFeatures::STACK_SWITCHING, "stack-switching"),
        (WasmFeatures::MEMORY_CONTROL, "memory-control"),
        (WasmFeatures::COMPONENT_MODEL, "component-model"),
        (WasmFeatures::CUSTOM_DESCRIPTORS, "custom-descriptors"),
    ];
    for (known, name) in foreign {
        if flag.intersects(known) {
            return name.to_owned();
        }
    }
    format!("{flag:?}").to_lowercase()
}

/// Everything wasmparser knows, to tell a proposal that is off from bytes that are no Wasm at all.
pub(super) fn everything() -> WasmFeatures {
    WasmFeatures::all()
}
