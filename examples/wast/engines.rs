//! The configurations that scripts can be run with.

use stepwell::runtime::{Config, DebugTier};

/// Name and what it changes.
type Row = (&'static str, fn(&mut Config));

/// All of them, the default first.
const ENGINES: &[Row] = &[
    ("default", |_| {}),
    // Explicit bounds checks; memories that move when they grow.
    ("small-reservation", |config| {
        config.memory_reservation = 1 << 20;
        config.memory_guard = 64 << 10;
    }),
    ("no-reservation", |config| {
        config.memory_reservation = 0;
        config.memory_guard = 0;
    }),
    // Explicit checks for every trap, no signal handler.
    ("no-signals", |config| config.signals = false),
    // Debug code with a stop point before every instruction.
    ("simple", |config| config.debug_tier = DebugTier::Simple),
    ("simple-no-signals", |config| {
        config.debug_tier = DebugTier::Simple;
        config.signals = false;
    }),
    ("unoptimized", |config| config.optimize = false),
    // Relaxed vector instructions as on every machine.
    ("relaxed-deterministic", |config| config.relaxed_simd_deterministic = true),
    ("canonical-nans", |config| config.nan_canonicalization = true),
    // To be compared with the one before.
    ("simple-canonical-nans", |config| {
        config.debug_tier = DebugTier::Simple;
        config.nan_canonicalization = true;
    }),
    // Everything that nobody can reach is gone before each object that is made.
    ("collecting", |config| config.force_collections = true),
    ("simple-collecting", |config| {
        config.debug_tier = DebugTier::Simple;
        config.force_collections = true;
    }),
    ("collecting-no-signals", |config| {
        config.signals = false;
        config.force_collections = true;
    }),
    // Machine code copied into anonymous memory. It holds for the whole process.
    ("copied-code", |config| config.copied_code = true),
];

/// The configuration of this name.
pub fn named(name: &str) -> Result<Config, String> {
    let names = || ENGINES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let row = ENGINES.iter().find(|(known, _)| *known == name);
    let (_, change) = row.ok_or_else(|| format!("no engine `{name}`; there are: {}", names()))?;
    let mut config = Config::default();
    change(&mut config);
    Ok(config)
}
