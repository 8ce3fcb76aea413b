//! Many instances alive at once: what each costs the process. It is measured in a process that does nothing else, since
//! what one batch leaves behind (free memory of the heap, slots of a pool) would be missing in the figures of the next.

use super::instances::MEGABYTE;
use super::modules;
use super::sides::{Ours, Side, Theirs};
use crate::Result;
use std::process::Command;
use std::time::Instant;

/// The word by which this program is told to be such a process.
pub const WORD: &str = "alive";
/// The engines' names.
pub const ENGINES: [&str; 3] = ["stepwell", "wasmtime", "wasmtime-pooled"];
/// As many of a batch are its first and its last.
const PART: usize = 1_000;
/// Instances that are made before, so that what is made once is not counted.
const BEFORE: usize = 2;

/// What each of them cost: nanoseconds, bytes, mappings.
pub struct Figures {
    /// Making one.
    pub make: f64,
    /// Making one of the last thousand.
    pub make_last: f64,
    /// Dropping it with its store.
    pub delete: f64,
    /// Memory that no other process has, without page tables.
    pub private: f64,
    /// Page tables.
    pub page_tables: f64,
    /// Mappings, of which a process may have only so many.
    pub mappings: f64,
    /// Making one of as many again, after the first were dropped.
    pub make_again: f64,
    /// Dropping those.
    pub delete_again: f64,
}

impl Figures {
    fn values(&self) -> [f64; 8] {
        let Figures { make, make_last, delete, private, page_tables, mappings, make_again, delete_again } = *self;
        [make, make_last, delete, private, page_tables, mappings, make_again, delete_again]
    }
}

/// Measures in a process of its own.
pub fn measure(engine: &str, count: usize) -> Result<Figures> {
    let out = Command::new(std::env::current_exe()?).args([WORD, engine, &count.to_string()]).output()?;
    if !out.status.success() {
        return Err(format!("{engine} with {count} instances: {}", String::from_utf8_lossy(&out.stderr).trim()).into());
    }
    let values = String::from_utf8(out.stdout)?.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let [make, make_last, delete, private, page_tables, mappings, make_again, delete_again] =
        values.try_into().map_err(|_| "not as many figures as there should be")?;
    Ok(Figures { make, make_last, delete, private, page_tables, mappings, make_again, delete_again })
}

/// Is that process: prints the figures.
pub fn print(words: &[String]) -> Result<()> {
    let [engine, count] = words else { return Err("usage: alive ENGINE COUNT".into()) };
    let count: usize = count.parse()?;
    let binary = modules::with_data(MEGABYTE)?;
    let figures = match ENGINES.iter().position(|name| name == engine) {
        Some(0) => figures(&Ours::new(&binary)?, count),
        Some(engine) => figures(&Theirs::new(&binary, engine == 2)?, count),
        None => Err("there is no such engine".into()),
    }?;
    figures.values().iter().for_each(|figure| println!("{figure}"));
    Ok(())
}

fn figures<S: Side>(side: &S, count: usize) -> Result<Figures> {
    let _before = (0..BEFORE).map(|_| side.make()).collect::<Result<Vec<_>>>()?;
    let part = PART.min(count);
    let each = count as f64;
    let mut made = Vec::with_capacity(count);
    let before = Taken::now()?;
    let start = Instant::now();
    for _ in 0..count - part {
        made.push(side.make()?);
    }
    let last = Instant::now();
    for _ in 0..part {
        made.push(side.make()?);
    }
    let (make, make_last) = (start.elapsed().as_nanos() as f64 / each, last.elapsed().as_nanos() as f64 / part as f64);
    let after = Taken::now()?;
    let delete = dropping(&mut made);
    let start = Instant::now();
    for _ in 0..count {
        made.push(side.make()?);
    }
    let make_again = start.elapsed().as_nanos() as f64 / each;
    let delete_again = dropping(&mut made);
    Ok(Figures {
        make,
        make_last,
        delete,
        private: (after.private - before.private) / each,
        page_tables: (after.page_tables - before.page_tables) / each,
        mappings: (after.mappings - before.mappings) / each,
        make_again,
        delete_again,
    })
}

/// Drops all; nanoseconds for each.
fn dropping<T>(made: &mut Vec<T>) -> f64 {
    let count = made.len() as f64;
    let start = Instant::now();
    made.clear();
    start.elapsed().as_nanos() as f64 / count
}

/// What the process has taken so far.
struct Taken {
    private: f64,
    page_tables: f64,
    mappings: f64,
}

impl Taken {
    fn now() -> Result<Taken> {
        let sizes = std::fs::read_to_string("/proc/self/smaps_rollup")?;
        let status = std::fs::read_to_string("/proc/self/status")?;
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        Ok(Taken {
            private: kilobytes(&sizes, "Private_Clean:")? + kilobytes(&sizes, "Private_Dirty:")?,
            page_tables: kilobytes(&status, "VmPTE:")?,
            mappings: maps.lines().count() as f64,
        })
    }
}

/// The bytes of a line `NAME: N kB`.
fn kilobytes(text: &str, name: &str) -> Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("a line is missing in /proc")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
}
