//! Modules of wasm-smith, from fixed seeds.

use super::case::Case;
use super::features::supported;
use super::random::Random;
use wasm_smith::{Config, Module};

/// How often functions and loops are entered in a call before the module stops itself.
const FUEL: u32 = 200;
/// Seeds from which no module can be made are tried again with other numbers.
const ATTEMPTS: u64 = 20;

/// The case of a seed. Each second one avoids traps, since one that does not is over after a few instructions.
pub fn case(seed: u64) -> Option<Case> {
    (0..ATTEMPTS).find_map(|attempt| {
        let mut random = Random::of(seed, attempt);
        let length = 2048 << random.below(4);
        let bytes: Vec<u8> = (0..length / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        case_of(seed, &bytes)
    })
}

/// The case of these bytes, with the configuration that the seed chooses.
pub fn case_of(seed: u64, bytes: &[u8]) -> Option<Case> {
    let mut module = Module::new(config(seed), &mut arbitrary::Unstructured::new(bytes)).ok()?;
    let fuel = module.ensure_termination(FUEL).ok()?;
    Some(Case {
        fuel: Some((fuel, FUEL as i32)),
        calls: 2,
        ..Case::new(format!("smith-{seed}"), vec![("smith".to_owned(), module.to_bytes())])
    })
}

/// What is supported, in different sizes.
fn config(seed: u64) -> Config {
    Config {
        disallow_traps: seed.is_multiple_of(2),
        export_everything: true,
        generate_custom_sections: false,
        min_funcs: 2,
        max_funcs: 8,
        min_types: 2,
        max_types: 10,
        max_imports: if seed.is_multiple_of(3) { 0 } else { 4 },
        max_globals: 8,
        min_globals: 1,
        min_memories: 1,
        max_memory32_bytes: 12 << 16,
        max_memory64_bytes: 12 << 16,
        memory_max_size_required: true,
        memory_offset_choices: wasm_smith::MemoryOffsetChoices(90, 9, 1),
        max_table_elements: 100,
        table_max_size_required: true,
        max_elements: 12,
        max_element_segments: 8,
        max_data_segments: 8,
        max_instructions: if seed % 5 == 4 { 1500 } else { 250 },
        max_nesting_depth: 8,
        ..supported()
    }
}
