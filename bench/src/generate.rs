//! Modules of wasm-smith and the calls that are made of them, for the comparison with another engine: functions are all
//! that they import, they end by themselves, and export everything under plain names.

#[path = "../../tests/support/smith.rs"]
mod features;

#[path = "random.rs"]
mod random;

use features::supported;
pub use random::Random;
use std::fmt::Write as _;

use arbitrary::Unstructured;
use wasm_encoder::{ExportKind, ExportSection, RawSection, SectionId};
use wasm_smith::{Config, Module};
use wasmparser::{CompositeInnerType, FuncType, Operator, Parser, Payload, TypeRef, ValType, Validator, WasmFeatures};

/// How often a function or a loop may be entered before the module stops itself.
const FUEL: u32 = 300;
/// The sections that stand behind the exports.
const AFTER_EXPORTS: [u8; 5] = [
    SectionId::Start as u8,
    SectionId::Element as u8,
    SectionId::DataCount as u8,
    SectionId::Code as u8,
    SectionId::Data as u8,
];
/// Modules that turn out unsuitable are made again from the next numbers of the same seed.
const ATTEMPTS: usize = 500;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// A module, and the calls, a line each: the export's name and the arguments.
pub struct Made {
    /// The module.
    pub binary: Vec<u8>,
    /// The calls.
    pub calls: String,
}

/// Which proposals modules use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Proposals {
    /// Those that the other engine has without its collector.
    Uncollected,
    /// Exceptions, structures and arrays as well, by the seed.
    All,
}

impl Proposals {
    fn exceptions(self, seed: u64) -> bool {
        self == Proposals::All && seed % 4 < 3
    }

    fn gc(self, seed: u64) -> bool {
        self == Proposals::All && seed % 4 > 1
    }
}

/// What a seed makes.
pub fn make(seed: u64, proposals: Proposals) -> Result<Made> {
    let mut random = Random(seed);
    let mut last = String::from("no attempt was made");
    for _ in 0..ATTEMPTS {
        let mut bytes = vec![0; 4096 << (random.next() % 4)];
        random.fill(&mut bytes);
        match make_of(seed, proposals, &bytes, &mut random) {
            Ok(made) => return Ok(made),
            Err(error) => last = error.to_string(),
        }
    }
    Err(format!("no suitable module in {ATTEMPTS} attempts, the last one because of: {last}").into())
}

/// What these bytes make, with the configuration that the seed chooses.
pub fn make_of(seed: u64, proposals: Proposals, bytes: &[u8], random: &mut Random) -> Result<Made> {
    let mut module = Module::new(config(seed, proposals), &mut Unstructured::new(bytes))?;
    module.ensure_termination(FUEL)?;
    let mut binary = module.to_bytes();
    replace_where_profiles_differ(&mut binary)?;
    let items = Items::read(&binary)?;
    if items.imports_other_than_functions {
        return Err("imports that are not functions".into());
    }
    if items.has_import_without_zeros() {
        return Err("an import that cannot return zeros".into());
    }
    let binary = items.export_all(&binary)?;
    // A generator that steps out of the feature set would only show the other side's refusal.
    Validator::new_with_features(accepted(proposals)).validate_all(&binary)?;
    let calls = items.calls(random);
    Ok(Made { binary, calls })
}

fn accepted(proposals: Proposals) -> WasmFeatures {
    let collected = match proposals {
        Proposals::Uncollected => WasmFeatures::empty(),
        Proposals::All => WasmFeatures::EXCEPTIONS | WasmFeatures::FUNCTION_REFERENCES | WasmFeatures::GC,
    };
    collected
        | WasmFeatures::WASM2
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::MEMORY64
        | WasmFeatures::CUSTOM_PAGE_SIZES
        | WasmFeatures::WIDE_ARITHMETIC
}

/// Puts others, of as many operands, in the place of the relaxed instructions that the other engine does not do as the
/// deterministic profile says: it multiplies and adds with one rounding, and sums of products do not saturate.
fn replace_where_profiles_differ(binary: &mut [u8]) -> Result<()> {
    let mut places = Vec::new();
    for payload in Parser::new(0).parse_all(binary) {
        let Payload::CodeSectionEntry(body) = payload? else { continue };
        for operator in body.get_operators_reader()?.into_iter_with_offsets() {
            let (operator, at) = operator?;
            let by: u8 = match operator {
                Operator::F32x4RelaxedMadd | Operator::I32x4RelaxedDotI8x16I7x16AddS => 0x89,
                Operator::F32x4RelaxedNmadd => 0x8a,
                Operator::F64x2RelaxedMadd => 0x8b,
                Operator::F64x2RelaxedNmadd => 0x8c,
                Operator::I16x8RelaxedDotI8x16I7x16S => 0x91,
                _ => continue,
            };
            places.push((usize::try_from(at)?, by));
        }
    }
    // All are the prefix 0xfd and a number in two bytes, of which the second is the same.
    for (at, by) in places {
        binary[at + 1] = by;
    }
    Ok(())
}

fn config(seed: u64, proposals: Proposals) -> Config {
    let imports = !seed.is_multiple_of(3);
    Config {
        allow_start_export: true,
        disallow_traps: seed.is_multiple_of(2),
        // What is exported is rewritten afterwards, so that the names can be typed.
        export_everything: false,
        max_exports: 0,
        generate_custom_sections: false,

        min_funcs: 2,
        max_funcs: 12,
        min_types: 2,
        max_types: 12,
        min_imports: 0,
        max_imports: if imports { 3 } else { 0 },
        max_globals: 8,
        min_memories: 1,
        // Growing must succeed or fail alike on both sides, so the limits are the module's own and small.
        max_memory32_bytes: 8 << 16,
        max_memory64_bytes: 8 << 16,
        memory_max_size_required: true,
        max_table_elements: 100,
        table_max_size_required: true,
        max_elements: 12,
        max_element_segments: 8,
        max_data_segments: 8,
        max_instructions: 300,
        max_nesting_depth: 8,
        exceptions_enabled: proposals.exceptions(seed),
        gc_enabled: proposals.gc(seed),
        // The other engine does not have them.
        compact_imports_enabled: false,
        ..supported()
    }
}

/// What of a module has an index and can be exported.
#[derive(Default)]
struct Items {
    /// Those of functions.
    types: Vec<Option<FuncType>>,
    funcs: Vec<u32>,
    imported_funcs: usize,
    tables: u32,
    memories: u32,
    globals: u32,
    imports_other_than_functions: bool,
}

impl Items {
    fn read(binary: &[u8]) -> Result<Items> {
        let mut items = Items::default();
        for payload in Parser::new(0).parse_all(binary) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        for ty in group?.into_types() {
                            items.types.push(match ty.composite_type.inner {
                                CompositeInnerType::Func(ty) => Some(ty),
                                _ => None,
                            });
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Func(index) => items.funcs.push(index),
                            _ => items.imports_other_than_functions = true,
                        }
                    }
                    items.imported_funcs = items.funcs.len();
                }
                // Whether the host, called so, sees the instance, nothing says.
                Payload::StartSection { func, .. } if (func as usize) < items.imported_funcs => {
                    return Err("a start function that is imported".into());
                }
                Payload::FunctionSection(section) => {
                    for index in section {
                        items.funcs.push(index?);
                    }
                }
                Payload::TableSection(section) => items.tables += section.count(),
                Payload::MemorySection(section) => items.memories += section.count(),
                Payload::GlobalSection(section) => items.globals += section.count(),
                _ => {}
            }
        }
        Ok(items)
    }

    fn func_type(&self, func: usize) -> Option<&FuncType> {
        self.types[self.funcs[func] as usize].as_ref()
    }

    /// Whether something is imported that returns a reference that is never null: no trace can make one up.
    fn has_import_without_zeros(&self) -> bool {
        let results = |func| self.func_type(func).map_or(&[][..], FuncType::results);
        (0..self.imported_funcs).any(|func| results(func).iter().any(|ty| !ty.is_defaultable()))
    }

    fn export_all(&self, binary: &[u8]) -> Result<Vec<u8>> {
        let mut exports = ExportSection::new();
        let kinds = [
            ("f", ExportKind::Func, u32::try_from(self.funcs.len())?),
            ("t", ExportKind::Table, self.tables),
            ("m", ExportKind::Memory, self.memories),
            ("g", ExportKind::Global, self.globals),
        ];
        for (letter, kind, count) in kinds {
            for index in 0..count {
                exports.export(&format!("{letter}{index}"), kind, index);
            }
        }
        let mut exports = Some(exports);
        let mut module = wasm_encoder::Module::new();
        for payload in Parser::new(0).parse_all(binary) {
            let payload = payload?;
            let Some((id, range)) = payload.as_section() else {
                continue;
            };
            let section = &binary[usize::try_from(range.start)?..usize::try_from(range.end)?];
            if AFTER_EXPORTS.contains(&id)
                && let Some(exports) = exports.take()
            {
                module.section(&exports);
            }
            if id != SectionId::Export as u8 {
                module.section(&RawSection { id, data: section });
            }
        }
        if let Some(exports) = exports {
            module.section(&exports);
        }
        Ok(module.finish())
    }

    /// Each function defined here with zeros, and with numbers where it takes some.
    fn calls(&self, random: &mut Random) -> String {
        let mut calls = String::new();
        for index in self.imported_funcs..self.funcs.len() {
            let params = self.func_type(index).map_or(&[][..], FuncType::params);
            if params.iter().any(|ty| !ty.is_defaultable()) {
                continue;
            }
            let mut zeros = format!("f{index}");
            let mut numbers = zeros.clone();
            for ty in params {
                let (zero, number) = match ty {
                    ValType::I32 => ("0", random.int(32).to_string()),
                    ValType::I64 => ("0", random.int(64).to_string()),
                    ValType::F32 | ValType::F64 => ("0", random.float()),
                    ValType::V128 => ("0", random.vector()),
                    ValType::Ref(_) => ("null", String::from("null")),
                };
                // Writing to a string cannot fail.
                let _ = write!(zeros, " {zero}");
                let _ = write!(numbers, " {number}");
            }
            calls.push_str(&zeros);
            calls.push('\n');
            if numbers != zeros {
                calls.push_str(&numbers);
                calls.push('\n');
            }
        }
        calls
    }
}

impl Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    /// A signed number of at most so many bits, small ones as often as large ones.
    fn int(&mut self, bits: u32) -> i64 {
        let shift = 64 - bits + (self.next() % u64::from(bits)) as u32;
        (self.next() as i64) >> shift
    }

    /// A vector, as often of four small numbers as of any bits.
    fn vector(&mut self) -> String {
        let any = self.next().is_multiple_of(2);
        let mut bits = 0_u128;
        for _ in 0..4 {
            let lane = if any { self.next() as u32 } else { self.int(32) as u32 };
            bits = bits << 32 | u128::from(lane);
        }
        format!("{bits:#x}")
    }

    fn float(&mut self) -> String {
        format!("{}.{}", self.int(24), self.next() % 1000)
    }
}
