//! What guests make: lists, trees, casts; how long they wait for a collection, and how much memory they take. And calls
//! by reference, and exceptions.

use super::{Table, modules, timed};
use crate::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use stepwell::runtime::{AsStore as _, Caller, Config, Engine, Func, Instance, Module, Store};

/// A row: its name and target, the export, what it is called with, and how many operations that is.
type Row = (&'static str, &'static str, &'static str, i32, f64);

const ROWS: [Row; 10] = [
    ("gc-list", "10 ns, 0.7", "list", 1_000_000, 1_000_000.0),
    ("gc-tree", "10 ns, 0.7", "tree", 40, 40.0 * 4095.0),
    ("gc-array", "0.7", "array", 200_000, 200_000.0),
    ("gc-walk", "1.0", "walk", 1_000_000, 1_000_000.0),
    ("ref-cast-final", "1.0", "cast_final", 1_000_000, 1_000_000.0),
    ("ref-cast-deep", "1.0", "cast_deep", 1_000_000, 1_000_000.0),
    ("call-ref", "1.0", "call_ref", 1_000_000, 1_000_000.0),
    ("call-indirect", "1.0", "call_indirect", 1_000_000, 1_000_000.0),
    ("throw-1", "1 us, 0.7", "throw_1", 100_000, 100_000.0),
    ("throw-100", "0.7", "throw_100", 2_000, 2_000.0),
];

/// How long the guest was away at most between two calls of `tick`, and the most bytes of its heap.
#[derive(Default)]
struct Watch {
    last: AtomicU64,
    longest: AtomicU64,
    peak: AtomicU64,
}

impl Watch {
    fn tick(&self, since: Instant, bytes: u64) {
        let now = since.elapsed().as_nanos() as u64;
        let before = self.last.swap(now, Ordering::Relaxed);
        if before > 0 {
            self.longest.fetch_max(now - before, Ordering::Relaxed);
        }
        self.peak.fetch_max(bytes, Ordering::Relaxed);
    }
}

pub fn rows(table: &Table<'_>) -> Result<()> {
    let wants_pauses = table.wants("gc-pause") || table.wants("gc-peak");
    if !wants_pauses && !ROWS.iter().any(|row| table.wants(row.0)) {
        return Ok(());
    }
    let binary = modules::with_objects()?;
    let since = Instant::now();
    let (ours_seen, theirs_seen) = (Arc::new(Watch::default()), Arc::new(Watch::default()));

    let mut config = Config::default();
    config.features.gc = true;
    let own = Engine::new(config)?;
    let mut store = Store::new(&own);
    let seen = ours_seen.clone();
    let tick = Func::wrap(&mut store, move |caller: Caller<'_>| {
        seen.tick(since, caller.as_store().usage().heap_bytes);
    })?;
    let instance = Instance::new(&mut store, &Module::new(&own, &binary)?, &[tick.into()])?;

    let mut config = wasmtime::Config::new();
    config.wasm_gc(true).wasm_function_references(true).wasm_exceptions(true);
    let other = wasmtime::Engine::new(&config)?;
    let their_module = wasmtime::Module::new(&other, &binary)?;
    let mut their_store = wasmtime::Store::new(&other, ());
    let seen = theirs_seen.clone();
    let tick = wasmtime::Func::wrap(&mut their_store, move || seen.tick(since, 0));
    let their_instance = wasmtime::Instance::new(&mut their_store, &their_module, &[tick.into()])?;

    for (name, target, export, count, operations) in ROWS {
        if !table.wants(name) {
            continue;
        }
        let ours = instance.typed_func::<i32, i32>(&mut store, export)?;
        let theirs = their_instance.get_typed_func::<i32, i32>(&mut their_store, export)?;
        if ours.call(&mut store, 3)? != theirs.call(&mut their_store, 3)? {
            return Err(format!("{name}: the engines differ").into());
        }
        let mut ours = || Ok(timed(|| Ok(ours.call(&mut store, count).map(|_| ())?))? / operations);
        let mut theirs = || Ok(timed(|| Ok(theirs.call(&mut their_store, count).map(|_| ())?))? / operations);
        table.row(name, target, 15, &mut ours, Some(&mut theirs))?;
    }
    if wants_pauses {
        for watch in [&ours_seen, &theirs_seen] {
            watch.longest.store(0, Ordering::Relaxed);
            watch.last.store(0, Ordering::Relaxed);
        }
        instance.typed_func::<i32, i32>(&mut store, "ticking")?.call(&mut store, 20)?;
        their_instance.get_typed_func::<i32, i32>(&mut their_store, "ticking")?.call(&mut their_store, 20)?;
        let longest = |watch: &Watch| Some(watch.longest.load(Ordering::Relaxed) as f64);
        let figures = [longest(&ours_seen), longest(&theirs_seen), None];
        table.line("gc-pause", "printed", figures, super::time);
        let peak = ours_seen.peak.load(Ordering::Relaxed) as f64;
        table.line("gc-peak", "printed; 4 MiB are live", [Some(peak), None, None], |bytes| {
            format!("{:.1} MiB", bytes / f64::from(1 << 20))
        });
    }
    Ok(())
}
