//! Module bytes through everything: refused, or compiled in both tiers, run, and single-stepped. The first byte says
//! whether the rest is a module as it is, or what wasm-smith makes one of, function bodies that need not be valid
//! included.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use stepwell::{Engine, Module};

static ENGINES: LazyLock<[Engine; 2]> = LazyLock::new(stepwell_fuzz::engines);

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let binary = match kind % 3 {
        0 => rest.to_vec(),
        kind => {
            let config = wasm_smith::Config {
                allow_invalid_funcs: kind == 2,
                export_everything: true,
                generate_custom_sections: true,
                max_memory32_bytes: 64 << 16,
                max_memory64_bytes: 64 << 16,
                max_table_elements: 1000,
                ..stepwell_fuzz::features::supported()
            };
            let Ok(module) = wasm_smith::Module::new(config, &mut Unstructured::new(rest)) else { return };
            module.to_bytes()
        }
    };
    for engine in &*ENGINES {
        let mut data = Unstructured::new(rest);
        let valid = Module::validate(engine, &binary);
        let Ok(module) = Module::new(engine, &binary) else { continue };
        valid.expect("what compiles is valid");
        let mut store = stepwell_fuzz::store(engine);
        if let Some(instance) = stepwell_fuzz::instantiate(&mut store, &module) {
            stepwell_fuzz::call_all(&mut store, instance, &mut data);
        }
        let mut store = stepwell_fuzz::store(engine);
        let Some(debugger) = stepwell_fuzz::attach(&mut store, &module, &mut data) else { continue };
        if let Some(instance) = stepwell_fuzz::instantiate(&mut store, &module) {
            stepwell_fuzz::call_all(&mut store, instance, &mut data);
        }
        debugger.detach(&mut store).expect("no guest runs");
    }
});
