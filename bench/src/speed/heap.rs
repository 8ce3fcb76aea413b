//! What guests make: lists, trees, casts; how long they wait for a collection, and how much memory they take. And calls
//! by reference, what is atomic, and exceptions.

use super::{Table, modules, timed};
use crate::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use stepwell::debug::Debugger;
use stepwell::runtime::{AsStore as _, Caller, Config, Engine, Func, Instance, Module, Store};

/// A row: its name and target, the export, what it is called with, and how many operations that is.
type Row = (&'static str, &'static str, &'static str, i32, f64);

const ROWS: [Row; 13] = [
    ("gc-list", "10 ns, 0.7", "list", 4_000_000, 4_000_000.0),
    ("gc-tree", "10 ns, 0.7", "tree", 600, 600.0 * 4095.0),
    ("gc-array", "0.7", "array", 600_000, 600_000.0),
    ("gc-walk", "1.0", "walk", 1_000_000, 1_000_000.0),
    ("ref-cast-final", "1.0", "cast_final", 1_000_000, 1_000_000.0),
    ("ref-cast-deep", "1.0", "cast_deep", 1_000_000, 1_000_000.0),
    ("call-ref", "1.0", "call_ref", 1_000_000, 1_000_000.0),
    ("call-indirect", "1.0", "call_indirect", 1_000_000, 1_000_000.0),
    ("atomic-load", "1.0", "atomic_load", 1_000_000, 1_000_000.0),
    ("atomic-add", "1.0", "atomic_add", 1_000_000, 1_000_000.0),
    ("atomic-cmpxchg", "1.0", "atomic_cmpxchg", 1_000_000, 1_000_000.0),
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
    let wanted = |row: &Row| table.wants(row.0) || table.wants(&format!("debugged-{}", row.0));
    if !wants_pauses && !ROWS.iter().any(wanted) {
        return Ok(());
    }
    let binary = modules::with_objects()?;
    let since = Instant::now();
    let (ours_seen, theirs_seen) = (Arc::new(Watch::default()), Arc::new(Watch::default()));

    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let make = |seen: &Arc<Watch>| -> Result<(Store, Instance)> {
        let (mut store, seen) = (Store::new(&own), seen.clone());
        let tick = Func::wrap(&mut store, move |caller: Caller<'_>| {
            seen.tick(since, caller.as_store().usage().heap_bytes);
        })?;
        let instance = Instance::new(&mut store, &module, &[tick.into()])?;
        Ok((store, instance))
    };
    let (mut store, instance) = make(&ours_seen)?;
    let (mut debugged, debugged_instance) = make(&Arc::default())?;
    let _debugger = Debugger::attach(&mut debugged, |_| panic!("nothing stops"))?;
    // Its production code in a store of its own: what other rows leave alive there is looked at in each collection.
    let (mut plain, plain_instance) = make(&Arc::default())?;

    let mut config = wasmtime::Config::new();
    config.wasm_gc(true).wasm_function_references(true).wasm_exceptions(true);
    config.wasm_threads(true).shared_memory(true);
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
    for (name, _, export, count, _) in ROWS {
        let name = format!("debugged-{name}");
        if !table.wants(&name) {
            continue;
        }
        let quick = plain_instance.typed_func::<i32, i32>(&mut plain, export)?;
        let slow = debugged_instance.typed_func::<i32, i32>(&mut debugged, export)?;
        let mut production = || timed(|| Ok(quick.call(&mut plain, count)?));
        let mut debug = || timed(|| Ok(slow.call(&mut debugged, count)?));
        let (debug, production) = super::interleaved(15, &mut debug, Some(&mut production))?;
        let ratio = production.map(|production| debug / production);
        table.line(&name, "1.20", [ratio, None, None], |ratio| format!("{ratio:.2}"));
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
