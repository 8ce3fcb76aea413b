//! What a store costs: making one with an instance of a small module in it, and dropping it.

use super::{Table, modules, timed};
use crate::Result;
use stepwell::runtime::{Config, Engine, Instance, Module, Store};

const BATCH: usize = 50;

pub fn rows(table: &Table<'_>) -> Result<()> {
    for (name, debug, memory, target) in [
        ("instantiate", false, false, "< 2 us"),
        ("instantiate-configured", true, false, "< 2 us, as above"),
        ("instantiate-memory", false, true, ""),
        ("instantiate-memory-configured", true, true, "as above"),
    ] {
        if table.wants(name) || table.wants(&format!("drop-{name}")) {
            row(table, name, debug, memory, target)?;
        }
    }
    many_modules(table)
}

/// The last of many modules that are registered in one store.
fn many_modules(table: &Table<'_>) -> Result<()> {
    for (count, target) in [(100, ""), (10_000, "as for 100")] {
        let name = format!("register-{count}");
        if !table.wants(&name) {
            continue;
        }
        let engine = Engine::new(Config { copied_code: true, ..Config::default() })?;
        let binary = modules::tiny(false)?;
        let modules = (0..count).map(|_| Module::new(&engine, &binary)).collect::<stepwell::base::Result<Vec<_>>>()?;
        // Code is mapped once for all stores; that is not measured.
        let mut first = Store::new(&engine);
        modules.iter().try_for_each(|module| first.register(module))?;
        let mut ours = || {
            let mut store = Store::new(&engine);
            let time = timed(|| Ok(modules.iter().try_for_each(|module| store.register(module))?));
            Ok(time? / f64::from(count))
        };
        table.row(&name, target, 20, &mut ours, None)?;
    }
    Ok(())
}

fn row(table: &Table<'_>, name: &str, debug: bool, memory: bool, target: &str) -> Result<()> {
    let binary = modules::tiny(memory)?;
    let own = Engine::new(Config { debug, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let mut config = wasmtime::Config::new();
    // Production code, as in the rows of a peer's users: its debugging would copy the code for every store.
    config.collector(wasmtime::Collector::Null);
    let other = wasmtime::Engine::new(&config)?;
    let their_module = wasmtime::Module::new(&other, &binary)?;

    let mut stores = Vec::with_capacity(BATCH);
    let mut their_stores = Vec::with_capacity(BATCH);
    let each = BATCH as f64;
    let mut ours = || {
        let time = timed(|| {
            for _ in 0..BATCH {
                let mut store = Store::new(&own);
                Instance::new(&mut store, &module, &[])?;
                stores.push(store);
            }
            Ok(())
        });
        stores.clear();
        Ok(time? / each)
    };
    let mut theirs = || {
        let time = timed(|| {
            for _ in 0..BATCH {
                let mut store = wasmtime::Store::new(&other, ());
                wasmtime::Instance::new(&mut store, &their_module, &[])?;
                their_stores.push(store);
            }
            Ok(())
        });
        their_stores.clear();
        Ok(time? / each)
    };
    table.row(name, target, 200, &mut ours, Some(&mut theirs))?;
    let mut ours = || {
        for _ in 0..BATCH {
            let mut store = Store::new(&own);
            Instance::new(&mut store, &module, &[])?;
            stores.push(store);
        }
        let time = timed(|| {
            stores.clear();
            Ok(())
        });
        Ok(time? / each)
    };
    let mut theirs = || {
        for _ in 0..BATCH {
            let mut store = wasmtime::Store::new(&other, ());
            wasmtime::Instance::new(&mut store, &their_module, &[])?;
            their_stores.push(store);
        }
        let time = timed(|| {
            their_stores.clear();
            Ok(())
        });
        Ok(time? / each)
    };
    table.row(&format!("drop-{name}"), "", 200, &mut ours, Some(&mut theirs))
}
