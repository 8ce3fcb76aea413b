//! What a stop costs beyond the instruction, with a callback that does nothing; what reading its values costs, and what
//! a breakpoint that is never reached.

use super::{Table, modules, timed};
use crate::Result;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use stepwell::base::WasmOffset;
use stepwell::debug::{Action, Condition, Debugger, Stop};
use stepwell::runtime::{Config, Engine, Instance, Module, Store};

const TURNS: i32 = 20_000;

struct Quiet;

impl wasmtime::DebugHandler for Quiet {
    type Data = ();
    fn handle(
        &self,
        _: wasmtime::StoreContextMut<'_, ()>,
        _: wasmtime::DebugEvent<'_>,
    ) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

impl Clone for Quiet {
    fn clone(&self) -> Quiet {
        Quiet
    }
}

/// Polls to the end: nothing here ever waits.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

pub fn rows(table: &Table<'_>) -> Result<()> {
    for (name, target) in [
        ("hit", "< 60 ns"),
        ("step", "< 60 ns"),
        ("step-region", "< 20 ns"),
        ("step-native", "< 40 ns"),
        ("step-answer", ""),
        ("step-position", ""),
        ("step-values", ""),
    ] {
        if table.wants(name) {
            row(table, name, target)?;
        }
    }
    if table.wants("hit-counted") {
        counted(table, "hit-counted", "< 40 ns")?;
    }
    if table.wants("hit-condition-false") {
        condition(table, "hit-condition-false", "< 30 ns")?;
    }
    if table.wants("values-12") {
        values(table, "values-12", "< 250 ns")?;
    }
    if table.wants("step-first-large") {
        first_in_large(table, "step-first-large", "< 20 ms")?;
    }
    if table.wants("breakpoint-untaken") {
        untaken(table, "breakpoint-untaken")?;
    }
    Ok(())
}

/// An engine that can be debugged guest by guest.
fn their_engine() -> Result<wasmtime::Engine> {
    let mut config = wasmtime::Config::new();
    config.guest_debug(true).collector(wasmtime::Collector::Null);
    Ok(wasmtime::Engine::new(&config)?)
}

fn row(table: &Table<'_>, name: &str, target: &str) -> Result<()> {
    let (binary, turns, steps) = match name {
        "step-region" => (modules::with_body("(local.set 1 (i32.add (local.get 1) (i32.const 3)))", 50)?, 500, 205),
        "step-native" => (modules::with_body("(data.drop 0)", 50)?, 2000, 55),
        _ => (modules::with_loop()?, TURNS, 6),
    };
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &module, &[])?;
    let look = name.to_owned();
    let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
        match look.as_str() {
            "step-position" => {
                let frame = stop.top().expect("a stop has a frame");
                std::hint::black_box((frame.func(), frame.offset()));
            }
            "step-values" => {
                let frame = stop.top().expect("a stop has a frame");
                std::hint::black_box((frame.locals(), frame.operands()));
            }
            "step-answer" => return Action::StepInstruction,
            _ => {}
        }
        Action::Continue
    })?;
    let run = instance.typed_func::<i32, ()>(&mut store, "run")?;

    let other = their_engine()?;
    let their_module = wasmtime::Module::new(&other, &binary)?;
    let mut their_store = wasmtime::Store::new(&other, ());
    their_store.set_debug_handler(Quiet);
    let their_instance = finish(wasmtime::Instance::new_async(&mut their_store, &their_module, &[]))?;
    let their_run = their_instance.get_typed_func::<i32, ()>(&mut their_store, "run")?;

    // Without stops first, to be taken off.
    let mut our_bare = || timed(|| Ok(run.call(&mut store, turns)?));
    let mut their_bare = || timed(|| Ok(finish(their_run.call_async(&mut their_store, turns))?));
    let (our_bare, their_bare) = super::interleaved(20, &mut our_bare, Some(&mut their_bare))?;
    let their_bare = their_bare.ok_or("no samples")?;

    let mut count = f64::from(turns);
    let mut edit = their_store.edit_breakpoints().ok_or("guest debugging is off")?;
    if name == "hit" {
        // The `nop` follows the `loop` and its block type.
        let nop = binary.iter().position(|byte| *byte == 0x01 && binary.len() > 8).ok_or("no nop")?;
        let nop = binary[nop + 1..].windows(3).position(|bytes| bytes == [0x03, 0x40, 0x01]).map(|at| nop + 1 + at + 2);
        let nop = u32::try_from(nop.ok_or("no nop")?)?;
        let placed = debugger.break_at(&mut store, &module, WasmOffset::new(nop))?;
        assert_eq!(placed.offset().map(WasmOffset::get), Some(nop));
        edit.add_breakpoint(&their_module, wasmtime::ModulePC::new(nop))?;
    } else if name == "step-answer" {
        // The first stop; the answers do the rest.
        debugger.break_at_name(&mut store, &module, "run")?;
        edit.single_step(true)?;
        count *= f64::from(steps);
    } else {
        debugger.step_always(&mut store, true)?;
        edit.single_step(true)?;
        count *= f64::from(steps);
    }
    drop(edit);
    let mut ours = || Ok((timed(|| Ok(run.call(&mut store, turns)?))? - our_bare) / count);
    let mut theirs =
        || Ok((timed(|| Ok(finish(their_run.call_async(&mut their_store, turns))?))? - their_bare) / count);
    // Their handler does nothing in any row.
    let theirs: Option<super::Sampler<'_>> =
        if matches!(name, "step-answer" | "step-position" | "step-values") { None } else { Some(&mut theirs) };
    table.row(name, target, 20, &mut ours, theirs)
}

/// A breakpoint that counts and never stops, beyond the instruction: nobody is called.
fn counted(table: &Table<'_>, name: &str, target: &str) -> Result<()> {
    let binary = modules::with_loop()?;
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &module, &[])?;
    let debugger = Debugger::attach(&mut store, |_| panic!("it counts and does not stop"))?;
    let run = instance.typed_func::<i32, ()>(&mut store, "run")?;
    let bare = timed(|| Ok(run.call(&mut store, TURNS)?))?;
    let nop = binary.windows(3).position(|bytes| bytes == [0x03, 0x40, 0x01]).ok_or("no nop")? + 2;
    let placed = debugger.break_at(&mut store, &module, WasmOffset::new(u32::try_from(nop)?))?;
    debugger.change_breakpoint(&mut store, placed.id, |options| options.ignore = u64::MAX)?;
    let mut rounds = 0u64;
    let mut ours = || {
        let time = timed(|| Ok(run.call(&mut store, TURNS)?))? - bare;
        rounds += 1;
        let hits = debugger.breakpoint(&store, placed.id)?.map(|breakpoint| breakpoint.hits);
        assert_eq!(hits, Some(rounds * TURNS as u64));
        Ok(time / f64::from(TURNS))
    };
    table.row(name, target, 20, &mut ours, None)
}

/// A breakpoint whose condition, a text, is false each time, beyond the instruction.
fn condition(table: &Table<'_>, name: &str, target: &str) -> Result<()> {
    let binary = modules::with_loop()?;
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &module, &[])?;
    let debugger = Debugger::attach(&mut store, |_| panic!("the condition is false"))?;
    let run = instance.typed_func::<i32, ()>(&mut store, "run")?;
    let nop = binary.windows(3).position(|bytes| bytes == [0x03, 0x40, 0x01]).ok_or("no nop")? + 2;
    let placed = debugger.break_at(&mut store, &module, WasmOffset::new(u32::try_from(nop)?))?;
    let condition = Condition::text("local(0) == -5")?;
    debugger.change_breakpoint(&mut store, placed.id, |options| options.condition = Some(condition))?;
    let mut ours = || {
        let with = timed(|| Ok(run.call(&mut store, TURNS)?))?;
        debugger.change_breakpoint(&mut store, placed.id, |options| options.enabled = false)?;
        let bare = timed(|| Ok(run.call(&mut store, TURNS)?))?;
        debugger.change_breakpoint(&mut store, placed.id, |options| options.enabled = true)?;
        Ok((with - bare) / f64::from(TURNS))
    };
    table.row(name, target, 20, &mut ours, None)
}

/// Reads all that the top frame has, while its flag is set.
#[derive(Clone)]
struct Reading(Arc<AtomicBool>);

impl wasmtime::DebugHandler for Reading {
    type Data = ();
    fn handle(
        &self,
        mut store: wasmtime::StoreContextMut<'_, ()>,
        _: wasmtime::DebugEvent<'_>,
    ) -> impl Future<Output = ()> + Send {
        if self.0.load(Relaxed) {
            read_all(&mut store).expect("the frame can be read");
        }
        std::future::ready(())
    }
}

fn read_all(store: &mut wasmtime::StoreContextMut<'_, ()>) -> wasmtime::Result<()> {
    let Some(frame) = store.debug_exit_frames().next() else {
        return Ok(());
    };
    for index in 0..frame.num_locals(&mut *store)? {
        std::hint::black_box(frame.local(&mut *store, index)?);
    }
    for index in 0..frame.num_stacks(&mut *store)? {
        std::hint::black_box(frame.stack(&mut *store, index)?);
    }
    Ok(())
}

/// Reading eight locals and four operands of the top frame at every step, beyond the step.
fn values(table: &Table<'_>, name: &str, target: &str) -> Result<()> {
    const TURNS: i32 = 500;
    let binary = modules::with_twelve_values()?;
    let reading = Arc::new(AtomicBool::new(false));
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &module, &[])?;
    let steps = Arc::new(AtomicU32::new(0));
    let (read, counter) = (reading.clone(), steps.clone());
    let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
        counter.fetch_add(1, Relaxed);
        if read.load(Relaxed) {
            let frame = stop.top().expect("a stop has a frame");
            std::hint::black_box((frame.locals(), frame.operands()));
        }
        Action::Continue
    })?;
    debugger.step_always(&mut store, true)?;
    let run = instance.typed_func::<i32, ()>(&mut store, "run")?;

    let other = their_engine()?;
    let their_module = wasmtime::Module::new(&other, &binary)?;
    let mut their_store = wasmtime::Store::new(&other, ());
    their_store.set_debug_handler(Reading(reading.clone()));
    let their_instance = finish(wasmtime::Instance::new_async(&mut their_store, &their_module, &[]))?;
    let their_run = their_instance.get_typed_func::<i32, ()>(&mut their_store, "run")?;
    their_store.edit_breakpoints().ok_or("guest debugging is off")?.single_step(true)?;

    // Both engines stop at the same instructions.
    run.call(&mut store, TURNS)?;
    let count = f64::from(steps.load(Relaxed));
    let beyond = |run: &mut dyn FnMut() -> Result<()>| {
        reading.store(true, Relaxed);
        let with = timed(&mut *run)?;
        reading.store(false, Relaxed);
        Ok((with - timed(run)?) / count)
    };
    let mut ours = || beyond(&mut || Ok(run.call(&mut store, TURNS)?));
    let mut theirs = || beyond(&mut || Ok(finish(their_run.call_async(&mut their_store, TURNS))?));
    table.row(name, target, 20, &mut ours, Some(&mut theirs))
}

/// A stop in the middle of a huge function and a step from it, with all that is made for them. Nothing is kept from
/// round to round.
fn first_in_large(table: &Table<'_>, name: &str, target: &str) -> Result<()> {
    let binary = modules::with_large_function()?;
    let own = Engine::new(Config { debug: true, optimize: false, rerun_cache: 0, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &module, &[])?;
    let stops = Arc::new(AtomicU32::new(0));
    let told = stops.clone();
    let debugger = Debugger::attach(&mut store, move |_| {
        if told.fetch_add(1, Relaxed).is_multiple_of(2) { Action::StepInstruction } else { Action::Continue }
    })?;
    let run = instance.typed_func::<i32, ()>(&mut store, "run")?;
    let bare = timed(|| Ok(run.call(&mut store, 1)?))?;
    debugger.break_at(&mut store, &module, WasmOffset::new(u32::try_from(binary.len() / 2)?))?;
    let mut ours = || {
        stops.store(0, Relaxed);
        let with = timed(|| Ok(run.call(&mut store, 1)?))?;
        assert_eq!(stops.load(Relaxed), 2);
        Ok(with - bare)
    };
    table.row(name, target, 20, &mut ours, None)
}

/// What a loop takes with a breakpoint on a branch that it never takes, over what it takes without.
fn untaken(table: &Table<'_>, name: &str) -> Result<()> {
    const TURNS: i32 = 200_000;
    let binary = modules::with_untaken_branch()?;
    let branch = binary.windows(2).position(|bytes| bytes == [0x04, 0x40]).ok_or("no branch")?;
    // The instruction behind the `if` and its block type.
    let branch = u32::try_from(branch + 2)?;
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &binary)?;
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &module, &[])?;
    let debugger = Debugger::attach(&mut store, |_| panic!("the branch is never taken"))?;
    let run = instance.typed_func::<i32, ()>(&mut store, "run")?;

    let other = their_engine()?;
    let their_module = wasmtime::Module::new(&other, &binary)?;
    let mut their_store = wasmtime::Store::new(&other, ());
    their_store.set_debug_handler(Quiet);
    let their_instance = finish(wasmtime::Instance::new_async(&mut their_store, &their_module, &[]))?;
    let their_run = their_instance.get_typed_func::<i32, ()>(&mut their_store, "run")?;

    let mut ours = || {
        let without = timed(|| Ok(run.call(&mut store, TURNS)?))?;
        let placed = debugger.break_at(&mut store, &module, WasmOffset::new(branch))?;
        assert_eq!(placed.offset().map(WasmOffset::get), Some(branch));
        let with = timed(|| Ok(run.call(&mut store, TURNS)?))?;
        debugger.remove(&mut store, placed.id)?;
        Ok(with / without)
    };
    let mut theirs = || {
        let at = wasmtime::ModulePC::new(branch);
        let without = timed(|| Ok(finish(their_run.call_async(&mut their_store, TURNS))?))?;
        their_store.edit_breakpoints().ok_or("guest debugging is off")?.add_breakpoint(&their_module, at)?;
        let with = timed(|| Ok(finish(their_run.call_async(&mut their_store, TURNS))?))?;
        their_store.edit_breakpoints().ok_or("guest debugging is off")?.remove_breakpoint(&their_module, at)?;
        Ok(with / without)
    };
    table.row_as(name, "slowdown of the loop", 20, &mut ours, Some(&mut theirs), |ratio| format!("{ratio:.2}"))
}
