//! Generated modules in both debug tiers and in production, by the harness of `tests/tiers/regions.rs`: stepped, with
//! breakpoints, changed at stops, and called again from stops and host functions. Every stop must be the same.
#![no_main]

#[path = "../../tests/support/tiers/mod.rs"]
mod tiers;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use tiers::drive::{Drive, Go};
use tiers::{Engines, Report, compare, smith};

/// Plain, and with fuel and epochs counted.
static ENGINES: LazyLock<[Engines; 2]> =
    LazyLock::new(|| [Engines::new(|_| {}), Engines::new(|config| (config.fuel, config.epoch) = (true, true))]);
/// Stops in a call.
const STOPS: usize = 150;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_at_checked(9) else { return };
    let seed = u64::from_le_bytes(head[..8].try_into().expect("eight bytes"));
    let Some(case) = smith::case_of(seed, rest) else { return };
    let drive = match head[8] % 6 {
        0 => Drive::step(STOPS),
        1 => Drive::each_instruction(STOPS),
        2 => Drive::breakpoints(seed, STOPS),
        3 => Drive::random(seed, STOPS),
        4 => Drive::answers([Go::StepOver, Go::StepOut, Go::StepInstruction][seed as usize % 3], STOPS),
        _ => Drive::changes(seed, STOPS),
    };
    let mut report = Report::default();
    compare(&ENGINES[usize::from(head[8] / 6 % 2)], &case, &[drive], &mut report);
    report.demand(0);
});
