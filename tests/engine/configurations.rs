//! One module, every configuration, both tiers, stepped through: the results, traps, globals and memories are the same
//! to the bit. Modules are wasm-smith's, of fixed seeds.

use crate::features;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Config, Engine, Extern, Linker, Module, Store, Trap, Val};
use stepwell::{ExternType, Features, StoreLimits, ValType};

/// A module that ends by itself, for this seed.
fn smith(seed: u64) -> Option<Vec<u8>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(3000)
    .collect();
    let config = wasm_smith::Config {
        available_imports: None,
        max_memory32_bytes: 1 << 20,
        max_memory64_bytes: 1 << 20,
        memory_max_size_required: true,
        table_max_size_required: true,
        max_table_elements: 1000,
        min_funcs: 1,
        export_everything: true,
        ..features::supported()
    };
    let mut input = arbitrary::Unstructured::new(&bytes);
    let mut module = wasm_smith::Module::new(config, &mut input).ok()?;
    module.ensure_termination(2000).ok()?;
    Some(module.to_bytes())
}

/// A value by its bits; of references only whether they are null.
fn show(value: &Val) -> String {
    match value {
        // Where it is, and in which store, is no configuration's promise.
        Val::AnyRef(value) => format!("anyref {:?}", value.map(|value| value.as_i31())),
        Val::FuncRef(reference) => format!("funcref {}", reference.is_some()),
        Val::ExternRef(reference) => format!("externref {}", reference.is_some()),
        Val::ExnRef(reference) => format!("exnref {}", reference.is_some()),
        other => format!("{other:?}"),
    }
}

/// Calls every export and tells everything that can be seen afterwards.
fn outcome(binary: &[u8], config: Config, stepped: bool) -> String {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, binary).unwrap();
    let mut store = Store::new(&engine);
    store.set_limits(StoreLimits { heap_bytes: 4 << 20, ..StoreLimits::default() });
    if stepped {
        let debugger = Debugger::attach(&mut store, |_| Action::StepInstruction).unwrap();
        debugger.step_always(&mut store, true).unwrap();
    }
    let mut linker = Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    let instance = match linker.instantiate(&mut store, &module) {
        Ok(instance) => instance,
        Err(error) => return format!("instantiate: {}", trap(&error)),
    };
    let mut seen = String::new();
    let exports: Vec<(String, ExternType)> = module.exports().map(|(name, ty)| (name.to_owned(), ty)).collect();
    for (name, ty) in &exports {
        let (ExternType::Func(ty), Some(Extern::Func(func))) = (ty, instance.export(&mut store, name)) else {
            continue;
        };
        for bits in [0u64, 7, u64::MAX - 2, 0x7ff0_1234_8000_0001] {
            let argument = |ty: &ValType| match ty {
                ValType::I32 => Val::I32(bits as i32),
                ValType::I64 => Val::I64(bits as i64),
                ValType::F32 => Val::F32(bits as u32),
                ValType::F64 => Val::F64(bits),
                other => Val::default_for(*other),
            };
            let arguments: Vec<Val> = ty.params.iter().map(argument).collect();
            let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
            let result = func.call(&mut store, &arguments, &mut results);
            // Depth differs between tiers, and with it where a stack overflows: nothing behind it can be compared.
            match result {
                Ok(()) => seen += &format!("{name}: {:?}\n", results.iter().map(show).collect::<Vec<_>>()),
                Err(error) if trap(&error).contains("exhausted") => return seen + "overflow",
                Err(error) => seen += &format!("{name}: {}\n", trap(&error)),
            }
        }
    }
    for (name, _) in &exports {
        match instance.export(&mut store, name) {
            Some(Extern::Global(global)) => seen += &format!("{name} = {}\n", show(&global.get(&mut store).unwrap())),
            Some(Extern::Memory(memory)) => {
                let hash = |bytes: &[u8]| {
                    bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
                        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
                    })
                };
                let bytes = memory.data(&store).unwrap();
                seen += &format!("{name}: {} bytes, {:x}\n", bytes.len(), hash(bytes));
            }
            _ => {}
        }
    }
    seen
}

/// A trap's reason.
fn trap(error: &stepwell::Error) -> String {
    match error.payload::<Trap>() {
        Some(trap) => format!("{:?}", trap.code().map(|code| code.to_string())),
        // Types have other numbers in each engine's modules.
        None => {
            error.to_string().split("$type").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit())).collect()
        }
    }
}

#[test]
fn every_configuration_computes_the_same() {
    let features = Features { custom_page_sizes: true, ..Features::default() };
    let usual = Config { features, debug: true, nan_canonicalization: true, ..Config::default() };
    let small = Config { memory_reservation: 1 << 16, memory_guard: 1 << 16, ..usual.clone() };
    let others = [
        small.clone(),
        Config { signals: false, ..usual.clone() },
        Config { signals: false, ..small },
        Config { optimize: false, ..usual.clone() },
        Config { parallel: false, ..usual.clone() },
    ];
    let mut compared = 0;
    for seed in 0..250 {
        let Some(binary) = smith(seed) else { continue };
        let expected = outcome(&binary, usual.clone(), false);
        assert_eq!(outcome(&binary, usual.clone(), true), expected, "seed {seed}, stepped");
        for (index, config) in others.iter().enumerate() {
            for stepped in [false, true] {
                let found = outcome(&binary, config.clone(), stepped);
                assert_eq!(found, expected, "seed {seed}, configuration {index}, stepped: {stepped}");
            }
        }
        compared += expected.lines().count();
    }
    assert!(compared > 1000, "only {compared} lines to compare");
}
