//! Calls between host and guest, on the ways that know the types.

use super::{Table, modules, timed};
use crate::Result;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use stepwell::runtime::{Call, CallStatus, Config, Engine, Extern, Func, Instance, Module, NotYet, Store, Val};

const CALLS: i32 = 10_000;

pub fn rows(table: &Table<'_>) -> Result<()> {
    tail_calls(table)?;
    waiting_calls(table)?;
    const NAMES: [&str; 3] = ["call-nop", "call-add", "call-host"];
    if !NAMES.iter().any(|name| table.wants(name)) {
        return Ok(());
    }
    let binary = modules::small()?;
    let own = Engine::new(Config::default())?;
    let module = Module::new(&own, &binary)?;
    let mut store = Store::new(&own);
    let host = Func::wrap(&mut store, |a: i32, b: i32| a.wrapping_add(b))?;
    let instance = Instance::new(&mut store, &module, &[host.into()])?;
    let nop = instance.typed_func::<(), ()>(&mut store, "nop")?;
    let add = instance.typed_func::<(i32, i32), i32>(&mut store, "add")?;
    let loop_host = instance.typed_func::<i32, ()>(&mut store, "loop_host")?;

    let other = wasmtime::Engine::default();
    let their_module = wasmtime::Module::new(&other, &binary)?;
    let mut their_store = wasmtime::Store::new(&other, ());
    let host = wasmtime::Func::wrap(&mut their_store, |a: i32, b: i32| a.wrapping_add(b));
    let instance = wasmtime::Instance::new(&mut their_store, &their_module, &[host.into()])?;
    let their_nop = instance.get_typed_func::<(), ()>(&mut their_store, "nop")?;
    let their_add = instance.get_typed_func::<(i32, i32), i32>(&mut their_store, "add")?;
    let their_loop_host = instance.get_typed_func::<i32, ()>(&mut their_store, "loop_host")?;

    let each = f64::from(CALLS);
    if table.wants(NAMES[0]) {
        let mut ours = || Ok(timed(|| Ok((0..CALLS).try_for_each(|_| nop.call(&mut store, ()))?))? / each);
        let mut theirs =
            || Ok(timed(|| Ok((0..CALLS).try_for_each(|_| their_nop.call(&mut their_store, ()))?))? / each);
        table.row(NAMES[0], "no slower", 100, &mut ours, Some(&mut theirs))?;
    }
    if table.wants(NAMES[1]) {
        let mut ours = || {
            let mut sum = 0;
            let time = timed(|| {
                for i in 0..CALLS {
                    sum = add.call(&mut store, (sum, i))?;
                }
                Ok(())
            });
            std::hint::black_box(sum);
            Ok(time? / each)
        };
        let mut theirs = || {
            let mut sum = 0;
            let time = timed(|| {
                for i in 0..CALLS {
                    sum = their_add.call(&mut their_store, (sum, i))?;
                }
                Ok(())
            });
            std::hint::black_box(sum);
            Ok(time? / each)
        };
        table.row(NAMES[1], "no slower", 100, &mut ours, Some(&mut theirs))?;
    }
    if table.wants(NAMES[2]) {
        let mut ours = || Ok(timed(|| Ok(loop_host.call(&mut store, CALLS)?))? / each);
        let mut theirs = || Ok(timed(|| Ok(their_loop_host.call(&mut their_store, CALLS)?))? / each);
        table.row(NAMES[2], "no slower", 100, &mut ours, Some(&mut theirs))?;
    }
    Ok(())
}

/// Tail calls from function to function.
fn tail_calls(table: &Table<'_>) -> Result<()> {
    const ROWS: [(&str, &str); 2] = [("tail-call-direct", "direct"), ("tail-call-indirect", "indirect")];
    const CALLS: i32 = 1_000_000;
    let binary = modules::with_tail_calls()?;
    for (row, export) in ROWS {
        if !table.wants(row) {
            continue;
        }
        let own = Engine::new(Config::default())?;
        let mut store = Store::new(&own);
        let instance = Instance::new(&mut store, &Module::new(&own, &binary)?, &[])?;
        let ours = instance.typed_func::<i32, i32>(&mut store, export)?;
        let other = wasmtime::Engine::default();
        let their_module = wasmtime::Module::new(&other, &binary)?;
        let mut their_store = wasmtime::Store::new(&other, ());
        let instance = wasmtime::Instance::new(&mut their_store, &their_module, &[])?;
        let theirs = instance.get_typed_func::<i32, i32>(&mut their_store, export)?;
        let each = f64::from(CALLS);
        let mut ours = || Ok(timed(|| Ok(ours.call(&mut store, CALLS).map(|_| ())?))? / each);
        let mut theirs = || Ok(timed(|| Ok(theirs.call(&mut their_store, CALLS).map(|_| ())?))? / each);
        table.row(row, "no slower", 30, &mut ours, Some(&mut theirs))?;
    }
    Ok(())
}

/// Calls on stacks of their own: made, run and given back; and left and gone on with where a host function has no
/// answer yet. The other engine's are its asynchronous calls, polled by hand.
fn waiting_calls(table: &Table<'_>) -> Result<()> {
    slices(table)?;
    const NAMES: [&str; 2] = ["call-own-stack", "call-waits"];
    if !NAMES.iter().any(|name| table.wants(name)) {
        return Ok(());
    }
    let binary = modules::small()?;
    let own = Engine::new(Config::default())?;
    let module = Module::new(&own, &binary)?;
    let mut store = Store::new(&own);
    let host = Func::wrap(&mut store, |_: i32, _: i32| -> stepwell::Result<i32> { Err(NotYet(0).into()) })?;
    let instance = Instance::new(&mut store, &module, &[host.into()])?;
    let mut export = |name: &str| match instance.export(&mut store, name) {
        Some(Extern::Func(func)) => Ok(func),
        _ => Err(format!("no function {name}")),
    };
    let (nop, loop_host) = (export("nop")?, export("loop_host")?);

    let other = wasmtime::Engine::default();
    let their_module = wasmtime::Module::new(&other, &binary)?;
    let mut their_store = wasmtime::Store::new(&other, ());
    let host = wasmtime::Func::wrap_async(&mut their_store, |_, (_, b): (i32, i32)| {
        let mut waited = false;
        Box::new(std::future::poll_fn(move |_| match std::mem::replace(&mut waited, true) {
            false => Poll::Pending,
            true => Poll::Ready(b),
        }))
    });
    let imports = [host.into()];
    let instance = polled(wasmtime::Instance::new_async(&mut their_store, &their_module, &imports))?;
    let their_nop = instance.get_typed_func::<(), ()>(&mut their_store, "nop")?;
    let their_loop_host = instance.get_typed_func::<i32, ()>(&mut their_store, "loop_host")?;

    let each = f64::from(CALLS);
    if table.wants(NAMES[0]) {
        let mut ours = || {
            let mut run = || -> stepwell::Result<()> {
                for _ in 0..CALLS {
                    let call = Call::new(&mut store, nop, &[])?;
                    call.run(&mut store)?;
                    call.delete(&mut store)?;
                }
                Ok(())
            };
            Ok(timed(|| Ok(run()?))? / each)
        };
        let mut theirs = || {
            Ok(timed(|| Ok((0..CALLS).try_for_each(|_| polled(their_nop.call_async(&mut their_store, ())))?))? / each)
        };
        table.row(NAMES[0], "150 ns more than a call", 100, &mut ours, Some(&mut theirs))?;
    }
    if table.wants(NAMES[1]) {
        let mut ours = || {
            let mut run = || -> stepwell::Result<()> {
                let call = Call::new(&mut store, loop_host, &[Val::I32(CALLS)])?;
                while let CallStatus::Waiting(_) = call.run(&mut store)? {
                    call.answer(&mut store, Ok(&[Val::I32(1)]))?;
                }
                call.delete(&mut store)
            };
            Ok(timed(|| Ok(run()?))? / each)
        };
        let mut theirs = || Ok(timed(|| Ok(polled(their_loop_host.call_async(&mut their_store, CALLS))?))? / each);
        table.row(NAMES[1], "60 ns", 100, &mut ours, Some(&mut theirs))?;
    }
    Ok(())
}

/// A call that is left and gone on with at each turn of a loop, with nothing to be answered. The other engine's yields
/// as often, by its fuel.
fn slices(table: &Table<'_>) -> Result<()> {
    const NAME: &str = "call-slice";
    const FUEL: u64 = 1 << 40;
    if !table.wants(NAME) {
        return Ok(());
    }
    let text = "(module (func (export \"f\") (param i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))";
    let binary = wat::parse_str(text)?;
    let own = Engine::new(Config { fuel: true, fuel_slices: true, ..Config::default() })?;
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &Module::new(&own, &binary)?, &[])?;
    let Some(Extern::Func(ours)) = instance.export(&mut store, "f") else { return Err("no function".into()) };
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true);
    let other = wasmtime::Engine::new(&config)?;
    let mut their_store = wasmtime::Store::new(&other, ());
    let module = wasmtime::Module::new(&other, &binary)?;
    let instance = polled(wasmtime::Instance::new_async(&mut their_store, &module, &[]))?;
    let theirs = instance.get_typed_func::<i32, ()>(&mut their_store, "f")?;
    // A turn takes 5 units here and 6 there, so each has about one.
    their_store.fuel_async_yield_interval(Some(6))?;
    let each = f64::from(CALLS);
    let mut ours = || {
        store.set_fuel(FUEL)?;
        let call = Call::new(&mut store, ours, &[Val::I32(CALLS)])?;
        let mut runs = 0;
        let time = timed(|| {
            while call.run_slice(&mut store, 5)? != CallStatus::Finished {
                runs += 1;
            }
            Ok(())
        })?;
        call.delete(&mut store)?;
        Ok(time / f64::from(runs.max(CALLS / 2)))
    };
    let mut theirs = || {
        their_store.set_fuel(FUEL)?;
        Ok(timed(|| Ok(polled(theirs.call_async(&mut their_store, CALLS))?))? / each)
    };
    table.row(NAME, "60 ns", 100, &mut ours, Some(&mut theirs))
}

/// Polls a future until it is ready.
fn polled<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}
