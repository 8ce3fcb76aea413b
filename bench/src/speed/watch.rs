//! How soon a guest that computes is paused, and what watchpoints cost that are hit, and that are not.

use super::{Table, modules, timed};
use crate::Result;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use stepwell::debug::{Action, Debugger, Reason, Stop, WatchKind};
use stepwell::runtime::{Config, Engine, Instance, Module, Store};

pub fn rows(table: &Table<'_>) -> Result<()> {
    if table.wants("pause") {
        pauses(table)?;
    }
    // What is watched, and where the guest writes, of the same page.
    for (name, target, watched) in [
        ("watch-hit", "", Some(modules::WRITTEN..modules::WRITTEN + 4)),
        ("watch-near", "< 3 us", Some(modules::WRITTEN + 64..modules::WRITTEN + 68)),
        ("watch-global", "", None),
    ] {
        if table.wants(name) {
            accesses(table, name, target, watched)?;
        }
    }
    Ok(())
}

/// From the other thread's request to the callback: the median, and what one in a hundred exceeds.
fn pauses(table: &Table<'_>) -> Result<()> {
    const PAUSES: usize = 2000;
    let begin = Instant::now();
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &modules::with_loop()?)?;
    let mut store = Store::new(&own);
    let (asked, taken) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::with_capacity(PAUSES))));
    let (asked_at, times) = (asked.clone(), taken.clone());
    let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
        assert_eq!(*stop.reason(), Reason::Pause);
        let time = begin.elapsed().as_nanos() as u64 - asked_at.load(Relaxed);
        times.lock().unwrap_or_else(PoisonError::into_inner).push(time as f64);
        Action::Continue
    })?;
    let pauser = debugger.pauser(&mut store)?;
    let instance = Instance::new(&mut store, &module, &[])?;
    let run = instance.typed_func::<i32, ()>(&mut store, "run")?;
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    let asking = std::thread::spawn(move || {
        while !end.load(Relaxed) {
            if !pauser.is_asked() {
                asked.store(begin.elapsed().as_nanos() as u64, Relaxed);
                pauser.pause();
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        pauser.cancel();
    });
    while taken.lock().unwrap_or_else(PoisonError::into_inner).len() < PAUSES {
        run.call(&mut store, 100_000_000)?;
    }
    ended.store(true, Relaxed);
    asking.join().map_err(|_| "the thread that pauses has panicked")?;
    let mut times = taken.lock().unwrap_or_else(PoisonError::into_inner);
    times.sort_by(f64::total_cmp);
    table.once("pause", "", times[times.len() / 2]);
    table.once("pause-99", "< 1 ms", times[times.len() * 99 / 100]);
    Ok(())
}

/// A loop that writes once a turn to a memory, or to a global where no memory is watched: beyond the loop without.
fn accesses(table: &Table<'_>, name: &str, target: &str, watched: Option<Range<u64>>) -> Result<()> {
    const TURNS: i32 = 2000;
    let own = Engine::new(Config { debug: true, ..Config::default() })?;
    let module = Module::new(&own, &modules::that_writes(watched.is_some())?)?;
    let mut store = Store::new(&own);
    let instance = Instance::new(&mut store, &module, &[])?;
    let hits = Arc::new(AtomicU64::new(0));
    let count = hits.clone();
    let debugger = Debugger::attach(&mut store, move |_: &mut Stop<'_>| {
        count.fetch_add(1, Relaxed);
        Action::Continue
    })?;
    let run = instance.typed_func::<i32, ()>(&mut store, "run")?;
    let due = if name == "watch-near" { 0 } else { TURNS as u64 };
    let mut ours = || {
        let bare = timed(|| Ok(run.call(&mut store, TURNS)?))?;
        let id = match (&watched, instance.export(&mut store, "watched")) {
            (Some(bytes), Some(export)) => {
                let memory = export.memory().ok_or("no memory")?;
                debugger.watch_memory(&mut store, memory, bytes.clone(), WatchKind::Write)?
            }
            (None, Some(export)) => {
                let global = export.global().ok_or("no global")?;
                debugger.watch_global(&mut store, global, WatchKind::Write)?
            }
            (_, None) => return Err("nothing to be watched".into()),
        };
        let with = timed(|| Ok(run.call(&mut store, TURNS)?))?;
        debugger.remove_watchpoint(&mut store, id)?;
        assert_eq!(hits.swap(0, Relaxed), due);
        Ok((with - bare) / f64::from(TURNS))
    };
    table.row(name, target, 10, &mut ours, None)
}
