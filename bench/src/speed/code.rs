//! What code ownership costs: attaching to a store, adding and removing a breakpoint, switching stepping on and off.

use super::{Table, modules, timed};
use crate::Result;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use stepwell::base::FuncIndex;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Config, Engine, Extern, Instance, Module, Store};

/// Debug text of some 50 KB, 500 KB and 5 MB.
const SIZES: [(&str, usize); 3] = [("50k", 26), ("500k", 260), ("5m", 2600)];

/// Breakpoints at once, for the rows about further ones.
const FURTHER: usize = 100;

pub fn rows(table: &Table<'_>) -> Result<()> {
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let mut config = wasmtime::Config::new();
    config.guest_debug(true).collector(wasmtime::Collector::Null);
    let other = wasmtime::Engine::new(&config)?;
    for (size, functions) in SIZES {
        let (attach, detach) = (format!("attach-{size}"), format!("detach-{size}"));
        let (add, remove) = (format!("breakpoint-add-{size}"), format!("breakpoint-remove-{size}"));
        if ![&attach, &detach, &add, &remove].iter().any(|name| table.wants(name)) {
            continue;
        }
        let binary = modules::with_functions(functions)?;
        let module = Module::new(&own, &binary)?;
        println!("  (debug text {} KB)", module.debug_code(&|_, _| true)?.text_len() / 1000);
        attaching(table, size, &own, &module)?;
        breakpoints(table, &add, &remove, &own, &module, &other, &wasmtime::Module::new(&other, &binary)?, functions)?;
    }
    for references in [10, 10_000] {
        let name = format!("refs-{references}");
        if table.wants(&format!("attach-{name}")) || table.wants(&format!("detach-{name}")) {
            let module = Module::new(&own, &modules::with_references(references)?)?;
            attaching(table, &name, &own, &module)?;
        }
    }
    stepping(table)
}

/// Switching stepping, with some 16 MB of debug text that have been run.
fn stepping(table: &Table<'_>) -> Result<()> {
    const NAMES: [&str; 3] = ["step-on-16m-first", "step-on-16m", "step-off-16m"];
    if !NAMES.iter().any(|name| table.wants(name)) {
        return Ok(());
    }
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let few = Module::new(&own, &modules::with_functions(100)?)?;
    let functions = (16 << 20) * 100 / few.debug_code(&|_, _| true)?.text_len() as usize;
    let module = Module::new(&own, &modules::with_functions(functions)?)?;
    println!("  (debug text {} KB)", module.debug_code(&|_, _| true)?.text_len() / 1000);
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &module, &[])?;
    let stops = Arc::new(AtomicU32::new(0));
    let counter = stops.clone();
    let debugger = Debugger::attach(&mut store, move |_| {
        counter.fetch_add(1, Relaxed);
        Action::Continue
    })?;
    let call = |store: &mut Store, func: usize| {
        let func = instance.typed_func::<(i32, i32), i32>(&mut *store, &format!("f{func}"))?;
        func.call(store, (1, 2))
    };
    for func in 0..functions {
        call(&mut store, func)?;
    }
    // There is one first time, so it is no median.
    let first = timed(|| Ok(debugger.step_always(&mut store, true)?))?;
    call(&mut store, functions - 1)?;
    assert_ne!(stops.load(Relaxed), 0, "stepping has stopped nowhere");
    debugger.step_always(&mut store, false)?;
    if table.wants(NAMES[0]) {
        table.once(NAMES[0], "", first);
    }
    for (name, on) in [(NAMES[1], true), (NAMES[2], false)] {
        let mut switch = || {
            debugger.step_always(&mut store, !on)?;
            timed(|| Ok(debugger.step_always(&mut store, on)?))
        };
        if table.wants(name) {
            table.row(name, "< 25 us", 50, &mut switch, None)?;
        }
        debugger.step_always(&mut store, false)?;
    }
    Ok(())
}

/// To a store of its own each time, which has an instance.
/// A store with an instance whose references to functions are made: those in its table, if it exports one.
fn started(engine: &Engine, module: &Module) -> Result<Store> {
    let mut store = Store::new(engine);
    let instance = Instance::new(&mut store, module, &[])?;
    if let Some(Extern::Table(table)) = instance.export(&mut store, "t") {
        for index in 0..table.size(&store)? {
            table.get(&store, index)?;
        }
    }
    Ok(store)
}

fn attaching(table: &Table<'_>, what: &str, engine: &Engine, module: &Module) -> Result<()> {
    let mut attach = || {
        let mut store = started(engine, module)?;
        timed(|| {
            Debugger::attach(&mut store, |_| Action::Continue)?;
            Ok(())
        })
    };
    let name = format!("attach-{what}");
    if table.wants(&name) {
        table.row(&name, "< 15 us, flat", 200, &mut attach, None)?;
    }
    let mut detach = || {
        let mut store = started(engine, module)?;
        let debugger = Debugger::attach(&mut store, |_| Action::Continue)?;
        timed(|| Ok(debugger.detach(&mut store)?))
    };
    let name = format!("detach-{what}");
    if table.wants(&name) {
        table.row(&name, "", 200, &mut detach, None)?;
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "two engines, each with its module")]
fn breakpoints(
    table: &Table<'_>,
    add: &str,
    remove: &str,
    own: &Engine,
    our_module: &Module,
    other: &wasmtime::Engine,
    their_module: &wasmtime::Module,
    functions: usize,
) -> Result<()> {
    let mut store = Store::new(own);
    Instance::new(&mut store, our_module, &[])?;
    let debugger = Debugger::attach(&mut store, |_| Action::Continue)?;
    let mut their_store = wasmtime::Store::new(other, ());
    wasmtime::Instance::new(&mut their_store, their_module, &[])?;
    // Each round another function, spread over the text.
    let (mut ours, mut theirs) = (0, 0);
    let next = |round: &mut usize| {
        *round += 1;
        FuncIndex::from_usize(*round * 7919 % functions)
    };
    let offset_of =
        |func: FuncIndex| wasmtime::ModulePC::new(our_module.info().bodies[func.index()].bytes.start as u32 + 1);
    if table.wants(add) {
        let mut our = || {
            let (func, mut id) = (next(&mut ours), None);
            let time = timed(|| {
                id = Some(debugger.break_at_function(&mut store, our_module, func)?.id);
                Ok(())
            })?;
            debugger.remove(&mut store, id.ok_or("no breakpoint")?)?;
            Ok(time)
        };
        let mut their = || {
            let offset = offset_of(next(&mut theirs));
            let time = timed(|| Ok(edit(&mut their_store)?.add_breakpoint(their_module, offset)?))?;
            edit(&mut their_store)?.remove_breakpoint(their_module, offset)?;
            Ok(time)
        };
        table.row(add, "< 12 us, flat", 200, &mut our, Some(&mut their))?;
    }
    if table.wants(remove) {
        let mut our = || {
            let id = debugger.break_at_function(&mut store, our_module, next(&mut ours))?.id;
            timed(|| Ok(debugger.remove(&mut store, id)?))
        };
        let mut their = || {
            let offset = offset_of(next(&mut theirs));
            edit(&mut their_store)?.add_breakpoint(their_module, offset)?;
            timed(|| Ok(edit(&mut their_store)?.remove_breakpoint(their_module, offset)?))
        };
        table.row(remove, "< 12 us, flat", 200, &mut our, Some(&mut their))?;
    }
    // While others are set, each on pages that nothing has touched yet.
    let ids = RefCell::new(Vec::new());
    let mut func = 0;
    if table.wants(add) {
        let mut our = || {
            func += functions.div_ceil(FURTHER + 1);
            timed(|| {
                let func = FuncIndex::from_usize(func % functions);
                ids.borrow_mut().push(debugger.break_at_function(&mut store, our_module, func)?.id);
                Ok(())
            })
        };
        table.row(&format!("{add}-further"), "< 10 us, flat", FURTHER, &mut our, None)?;
    }
    if table.wants(remove) && !ids.borrow().is_empty() {
        let mut our = || {
            let id = ids.borrow_mut().pop().ok_or("no breakpoint")?;
            timed(|| Ok(debugger.remove(&mut store, id)?))
        };
        table.row(&format!("{remove}-further"), "< 10 us, flat", FURTHER, &mut our, None)?;
    }
    Ok(())
}

fn edit(store: &mut wasmtime::Store<()>) -> Result<wasmtime::BreakpointEdit<'_>> {
    Ok(store.edit_breakpoints().ok_or("guest debugging is off")?)
}
