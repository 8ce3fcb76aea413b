//! What a stop costs beyond the instruction, with a callback that does nothing.

use super::{Table, modules, timed};
use crate::Result;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use stepwell::base::WasmOffset;
use stepwell::debug::{Action, Debugger, Stop};
use stepwell::runtime::{Config, Engine, Instance, Module, Store};

const TURNS: i32 = 20_000;
/// Instructions of a turn.
const STEPS: f64 = 6.0;

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
    for (name, target) in
        [("hit", "< 60 ns"), ("step", "< 60 ns"), ("step-answer", ""), ("step-position", ""), ("step-values", "")]
    {
        if table.wants(name) {
            row(table, name, target)?;
        }
    }
    Ok(())
}

fn row(table: &Table<'_>, name: &str, target: &str) -> Result<()> {
    let binary = modules::with_loop()?;
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

    let mut config = wasmtime::Config::new();
    config.guest_debug(true).collector(wasmtime::Collector::Null);
    let other = wasmtime::Engine::new(&config)?;
    let their_module = wasmtime::Module::new(&other, &binary)?;
    let mut their_store = wasmtime::Store::new(&other, ());
    their_store.set_debug_handler(Quiet);
    let their_instance = finish(wasmtime::Instance::new_async(&mut their_store, &their_module, &[]))?;
    let their_run = their_instance.get_typed_func::<i32, ()>(&mut their_store, "run")?;

    // Without stops first, to be taken off.
    let mut our_bare = || timed(|| Ok(run.call(&mut store, TURNS)?));
    let mut their_bare = || timed(|| Ok(finish(their_run.call_async(&mut their_store, TURNS))?));
    let (our_bare, their_bare) = super::interleaved(20, &mut our_bare, Some(&mut their_bare))?;
    let their_bare = their_bare.ok_or("no samples")?;

    let mut count = f64::from(TURNS);
    let mut edit = their_store.edit_breakpoints().ok_or("guest debugging is off")?;
    if name == "hit" {
        // The `nop` follows the `loop` and its block type.
        let nop = binary.iter().position(|byte| *byte == 0x01 && binary.len() > 8).ok_or("no nop")?;
        let nop = binary[nop + 1..].windows(3).position(|bytes| bytes == [0x03, 0x40, 0x01]).map(|at| nop + 1 + at + 2);
        let nop = u32::try_from(nop.ok_or("no nop")?)?;
        let placed = debugger.break_at(&mut store, &module, WasmOffset::new(nop))?;
        assert_eq!(placed.offset.get(), nop);
        edit.add_breakpoint(&their_module, wasmtime::ModulePC::new(nop))?;
    } else if name == "step-answer" {
        // The first stop; the answers do the rest.
        debugger.break_at_name(&mut store, &module, "run")?;
        edit.single_step(true)?;
        count *= STEPS;
    } else {
        debugger.step_always(&mut store, true)?;
        edit.single_step(true)?;
        count *= STEPS;
    }
    drop(edit);
    let mut ours = || Ok((timed(|| Ok(run.call(&mut store, TURNS)?))? - our_bare) / count);
    let mut theirs =
        || Ok((timed(|| Ok(finish(their_run.call_async(&mut their_store, TURNS))?))? - their_bare) / count);
    // Their handler does nothing in any row.
    let theirs: Option<super::Sampler<'_>> = if matches!(name, "hit" | "step") { Some(&mut theirs) } else { None };
    table.row(name, target, 20, &mut ours, theirs)
}
