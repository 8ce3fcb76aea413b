//! Generated modules in production, under breakpoints and single-stepped, and in another engine (wasmtime): all must do
//! the same, with imported functions that change what there is and call back in. As `bench/`'s `smith` and `agree` do
//! with fixed seeds.
#![no_main]

#[path = "../../bench/src/compare.rs"]
mod compare;
#[path = "../../bench/src/generate.rs"]
#[allow(dead_code, reason = "the bytes are the fuzzer's")]
mod generate;

use compare::{Mode, OVERFLOW, call_ours, call_theirs};
use generate::{Proposals, Random, make_of};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use stepwell::{Engine, Module};

static ENGINES: LazyLock<(Engine, wasmtime::Engine)> = LazyLock::new(|| {
    let mut config = compare::other_config();
    // Whose signal is whose is not to be found out under a sanitizer.
    config.signals_based_traps(false);
    let other = wasmtime::Engine::new(&config).expect("the other engine");
    (compare::own_engine().expect("an engine"), other)
});

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return };
    let seed = u64::from_le_bytes(*head);
    let Ok(made) = make_of(seed, Proposals::Uncollected, rest, &mut Random(seed)) else { return };
    let (own, other) = &*ENGINES;
    let theirs = wasmtime::Module::new(other, &made.binary).expect("a valid module");
    let ours = Module::new(own, &made.binary).expect("a valid module");
    for line in made.calls.lines().take(12) {
        // A trap that the comparison does not know is the other engine's own affair.
        let Ok(expected) = call_theirs(other, &theirs, line) else { continue };
        for mode in [Mode::Production, Mode::Breakpoints, Mode::Steps] {
            let found = call_ours(own, &ours, line, mode).expect("results or a trap");
            if !expected.contains(OVERFLOW) && !found.contains(OVERFLOW) {
                assert_eq!(found, expected, "{line}: {mode:?}");
            }
        }
    }
});
