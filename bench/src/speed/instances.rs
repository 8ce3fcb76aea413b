//! What instances cost whose memories have something in them: making them, keeping many, touching their memory first,
//! dropping them.

use super::alive::{self, Figures};
use super::sides::{REQUEST, Side, Sides};
use super::{Table, median, modules, time, timed};
use crate::Result;
use std::any::Any;
use std::cell::RefCell;
use std::sync::Barrier;
use std::time::Instant;

/// 64 KiB pages of 1 MB.
pub const MEGABYTE: usize = 16;
/// 4 KiB pages of a 64 KiB page.
const TOUCHED_PER_PAGE: usize = 16;
/// How often each thread makes and drops an instance.
const ON_EACH_THREAD: usize = 20_000;
/// And before that is timed.
const BEFORE: usize = 100;

pub fn rows(table: &Table<'_>) -> Result<()> {
    data(table)?;
    table_of_functions(table)?;
    touches(table)?;
    threads(table)?;
    many(table)
}

/// Instances of a module with data, and one more where there is one.
fn data(table: &Table<'_>) -> Result<()> {
    for (size, megabytes, batch, rounds) in [("1m", 1, 20, 60), ("16m", 16, 8, 20)] {
        let name = |what: &str| format!("{what}-{size}");
        let all = ["instance-data", "drop-instance-data", "instance-again", "instance-again-request", "request"];
        if !all.iter().any(|what| table.wants(&name(what))) {
            continue;
        }
        let sides = Sides::new(&modules::with_data(megabytes * MEGABYTE)?)?;
        let target = if megabytes == 1 { "0.5 of default, 1.0 of pooled" } else { "within 20 % of 1m" };
        table.three(&name(all[0]), target, rounds, &sides, &Making(batch))?;
        table.three(&name(all[1]), "0.5 of default", rounds, &sides, &Dropping(batch))?;
        table.three(&name(all[2]), "< 2 us", rounds, &sides, &Again { times: batch, request: false })?;
        table.three(&name(all[3]), "", rounds, &sides, &Again { times: batch, request: true })?;
        table.three(&name(all[4]), "", rounds, &sides, &Requests(batch))?;
    }
    if table.wants("instance-again") {
        let sides = Sides::new(&modules::tiny(true)?)?;
        table.three("instance-again", "< 2 us", 200, &sides, &Again { times: 50, request: false })?;
    }
    Ok(())
}

/// As many functions, all in a table.
fn table_of_functions(table: &Table<'_>) -> Result<()> {
    const NAME: &str = "instance-table-10000";
    if table.wants(NAME) {
        let sides = Sides::new(&modules::with_references(10_000)?)?;
        table.three(NAME, "< 3 us", 60, &sides, &Making(20))?;
    }
    Ok(())
}

/// The first touch of each page of the data, and of as many pages of zeros behind it: in memory that no instance had
/// before, and where others have read and written, and are gone.
fn touches(table: &Table<'_>) -> Result<()> {
    const PAGES: usize = 4 * MEGABYTE;
    let count = PAGES * TOUCHED_PER_PAGE;
    for (export, first, what) in
        [("read", 0, "read"), ("write", 0, "write"), ("read", count, "read-zeros"), ("write", count, "write-zeros")]
    {
        for (kind, target) in [("first", "a fault"), ("again", "")] {
            let name = format!("touch-{kind}-{what}");
            if table.wants(&name) {
                // Engines of its own: what they keep is what this row has made.
                let sides = Sides::new(&modules::with_data(PAGES)?)?;
                let kept = (kind == "first").then(RefCell::default);
                table.three(&name, target, 20, &sides, &Touching { export, first, count, kept })?;
            }
        }
    }
    Ok(())
}

/// How much longer two threads take for as many instances each as one alone.
fn threads(table: &Table<'_>) -> Result<()> {
    for (name, pages) in [("instances-2-threads", 0), ("instances-2-threads-1m", MEGABYTE)] {
        if table.wants(name) {
            let binary = if pages == 0 { modules::tiny(true)? } else { modules::with_data(pages)? };
            let sides = Sides::new(&binary)?;
            table.three_as(name, "1.0 on two idle cores", 10, &sides, &OnTwoThreads, |ratio| format!("{ratio:.2}"))?;
        }
    }
    Ok(())
}

/// As many instances alive at once, each round in a process of its own.
fn many(table: &Table<'_>) -> Result<()> {
    let bytes = |bytes: f64| format!("{:.1} KB", bytes / 1024.0);
    let count = |count: f64| format!("{count:.2}");
    for (size, rounds) in [(1_000, 5), (10_000, 3)] {
        let name = |what: &str| format!("{what}instances-{size}");
        let parts = ["", "last-", "drop-", "private-", "pagetables-", "mappings-", "again-", "drop-again-"];
        if !parts.iter().any(|part| table.wants(&name(part))) {
            continue;
        }
        let mut samples: [Vec<Figures>; 3] = Default::default();
        for _ in 0..rounds {
            for (samples, engine) in samples.iter_mut().zip(alive::ENGINES) {
                samples.push(alive::measure(engine, size)?);
            }
        }
        let middle = |of: fn(&Figures) -> f64| {
            samples.each_ref().map(|samples| Some(median(&mut samples.iter().map(of).collect::<Vec<_>>())))
        };
        table.line(&name(parts[0]), "0.5 of default, 1.0 of pooled", middle(|all| all.make), time);
        table.line(&name(parts[1]), "within 20 % of the first 1000", middle(|all| all.make_last), time);
        table.line(&name(parts[2]), "0.5 of default", middle(|all| all.delete), time);
        table.line(&name(parts[3]), "< 6 KB", middle(|all| all.private), bytes);
        table.line(&name(parts[4]), "< 8 KB", middle(|all| all.page_tables), bytes);
        table.line(&name(parts[5]), "1 or 2", middle(|all| all.mappings), count);
        table.line(&name(parts[6]), "", middle(|all| all.make_again), time);
        table.line(&name(parts[7]), "", middle(|all| all.delete_again), time);
    }
    Ok(())
}

/// What is measured, on whichever side, in nanoseconds.
pub trait Sample {
    fn take<S: Side>(&self, side: &S) -> Result<f64>;
}

/// Making so many, which all stay until the last is made.
struct Making(usize);

impl Sample for Making {
    fn take<S: Side>(&self, side: &S) -> Result<f64> {
        let mut made = Vec::with_capacity(self.0);
        let time = timed(|| {
            for _ in 0..self.0 {
                made.push(side.make()?);
            }
            Ok(())
        })?;
        Ok(time / self.0 as f64)
    }
}

/// Dropping so many.
struct Dropping(usize);

impl Sample for Dropping {
    fn take<S: Side>(&self, side: &S) -> Result<f64> {
        let made = (0..self.0).map(|_| side.make()).collect::<Result<Vec<_>>>()?;
        let time = timed(|| {
            drop(made);
            Ok(())
        })?;
        Ok(time / self.0 as f64)
    }
}

/// One more, given back, so often; with a request of each or without.
struct Again {
    times: usize,
    request: bool,
}

impl Sample for Again {
    fn take<S: Side>(&self, side: &S) -> Result<f64> {
        let mut first = side.make()?;
        let time = timed(|| {
            for _ in 0..self.times {
                side.again(&mut first, self.request)?;
            }
            Ok(())
        })?;
        Ok(time / self.times as f64)
    }
}

/// An instance made for each of so many calls, which read and write four pages of it.
struct Requests(usize);

impl Sample for Requests {
    fn take<S: Side>(&self, side: &S) -> Result<f64> {
        let time = timed(|| {
            for _ in 0..self.0 {
                side.call(&mut side.make()?, "request", REQUEST)?;
            }
            Ok(())
        })?;
        Ok(time / self.0 as f64)
    }
}

/// A call that touches pages for the first time.
struct Touching {
    export: &'static str,
    first: usize,
    count: usize,
    /// Where the instances are kept that were touched, so that none has what was another's.
    kept: Option<RefCell<Vec<Box<dyn Any>>>>,
}

impl Sample for Touching {
    fn take<S: Side>(&self, side: &S) -> Result<f64> {
        let mut made = side.make()?;
        let time = timed(|| side.call(&mut made, self.export, (self.first as i32, self.count as i32)))?;
        if let Some(kept) = &self.kept {
            kept.borrow_mut().push(Box::new(made));
        }
        Ok(time / self.count as f64)
    }
}

/// Two threads at once over one.
struct OnTwoThreads;

impl Sample for OnTwoThreads {
    fn take<S: Side>(&self, side: &S) -> Result<f64> {
        let work = |count| (0..count).try_for_each(|_| side.make().map(drop).map_err(|error| error.to_string()));
        Ok(on_threads(2, &work)? / on_threads(1, &work)?)
    }
}

/// Does the same on so many new threads at once: the time from when the first begins to when the last is done. What a
/// thread needs at first, such as memory of its own, it has before.
fn on_threads(count: usize, work: &(impl Fn(usize) -> std::result::Result<(), String> + Sync)) -> Result<f64> {
    let begin = Barrier::new(count);
    let each = || -> std::result::Result<_, String> {
        work(BEFORE)?;
        begin.wait();
        let start = Instant::now();
        work(ON_EACH_THREAD)?;
        Ok((start, Instant::now()))
    };
    let times = std::thread::scope(|scope| -> Result<Vec<_>> {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(each)).collect();
        threads.into_iter().map(|thread| Ok(thread.join().map_err(|_| "a thread panicked")??)).collect()
    })?;
    let (first, last) = (times.iter().map(|times| times.0).min(), times.iter().map(|times| times.1).max());
    Ok(first.zip(last).map_or(0.0, |(first, last)| (last - first).as_nanos() as f64))
}
