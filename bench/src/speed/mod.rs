//! The rows of the table, and how one is measured and printed.

pub mod alive;
pub mod calls;
pub mod code;
pub mod coverage;
pub mod heap;
pub mod instances;
pub mod modules;
pub mod programs;
pub mod sides;
pub mod stops;
pub mod stores;
pub mod watch;

use crate::Result;
use instances::Sample;
use sides::Sides;
use std::time::Instant;

/// A sample, in nanoseconds per operation.
pub type Sampler<'a> = &'a mut dyn FnMut() -> Result<f64>;

/// Prints all rows, or those whose names begin with one of `wanted`.
pub fn run(wanted: &[String]) -> Result<()> {
    let table = Table { wanted };
    heading();
    code::rows(&table)?;
    stops::rows(&table)?;
    watch::rows(&table)?;
    coverage::rows(&table)?;
    stores::rows(&table)?;
    instances::rows(&table)?;
    calls::rows(&table)?;
    heap::rows(&table)?;
    programs::rows(&table)
}

/// What the debug tier costs: these programs, or those of this package, and the rows about stepping and breakpoints.
pub fn tier(programs: &[String]) -> Result<()> {
    let paths = if programs.is_empty() { programs::own_programs()? } else { programs.iter().map(Into::into).collect() };
    // Refused programs are told of after everything else.
    let printed = programs::print(&paths);
    println!();
    heading();
    let table = Table { wanted: &["hit", "step", "values", "breakpoint"].map(String::from) };
    stops::rows(&table)?;
    code::rows(&table)?;
    printed
}

fn heading() {
    println!("{:34} {:>12} {:>12} {:>12}  target", "", "stepwell", "wasmtime", "its pooling");
}

/// Which rows are asked for.
pub struct Table<'a> {
    wanted: &'a [String],
}

impl Table<'_> {
    /// Whether a row is asked for; making ready for it may take long.
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| name.starts_with(wanted.as_str()))
    }

    /// Measures in turn and prints a row.
    pub fn row(
        &self,
        name: &str,
        target: &str,
        rounds: usize,
        ours: Sampler<'_>,
        theirs: Option<Sampler<'_>>,
    ) -> Result<()> {
        self.row_as(name, target, rounds, ours, theirs, time)
    }

    /// Prints a row that was measured once.
    pub fn once(&self, name: &str, target: &str, ours: f64) {
        self.line(name, target, [Some(ours), None, None], time);
    }

    /// The same as [`Table::row`], for what is no time.
    pub fn row_as(
        &self,
        name: &str,
        target: &str,
        rounds: usize,
        ours: Sampler<'_>,
        theirs: Option<Sampler<'_>>,
        shown: impl Fn(f64) -> String,
    ) -> Result<()> {
        let (ours, theirs) = interleaved(rounds, ours, theirs)?;
        self.line(name, target, [Some(ours), theirs, None], shown);
        Ok(())
    }

    /// Measures all three sides in turn and prints a row, if it is asked for.
    pub fn three(&self, name: &str, target: &str, rounds: usize, sides: &Sides, sample: &impl Sample) -> Result<()> {
        self.three_as(name, target, rounds, sides, sample, time)
    }

    /// The same, for what is no time.
    pub fn three_as(
        &self,
        name: &str,
        target: &str,
        rounds: usize,
        sides: &Sides,
        sample: &impl Sample,
        shown: impl Fn(f64) -> String,
    ) -> Result<()> {
        if !self.wants(name) {
            return Ok(());
        }
        let mut samples: [Vec<f64>; 3] = Default::default();
        for round in 0..=rounds {
            let taken = [sample.take(&sides.ours)?, sample.take(&sides.theirs)?, sample.take(&sides.pooled)?];
            // The first one warms up.
            if round > 0 {
                samples.iter_mut().zip(taken).for_each(|(samples, taken)| samples.push(taken));
            }
        }
        self.line(name, target, samples.each_mut().map(|samples| Some(median(samples))), shown);
        Ok(())
    }

    /// Prints a row: Stepwell's figure, the other engine's, and the other's with its pooling allocator.
    pub fn line(&self, name: &str, target: &str, figures: [Option<f64>; 3], shown: impl Fn(f64) -> String) {
        let [ours, theirs, pooled] = figures.map(|figure| figure.map_or_else(|| String::from("-"), &shown));
        println!("{name:34} {ours:>12} {theirs:>12} {pooled:>12}  {target}");
    }
}

/// The medians of both, measured in turn.
pub fn interleaved(rounds: usize, ours: Sampler<'_>, mut theirs: Option<Sampler<'_>>) -> Result<(f64, Option<f64>)> {
    let mut our_samples = Vec::with_capacity(rounds);
    let mut their_samples = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let our = ours()?;
        let their = theirs.as_mut().map(|theirs| theirs()).transpose()?;
        // The first one warms up.
        if round > 0 {
            our_samples.push(our);
            their_samples.extend(their);
        }
    }
    Ok((median(&mut our_samples), (!their_samples.is_empty()).then(|| median(&mut their_samples))))
}

/// The middle one.
pub fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Nanoseconds that `work` takes; dropping what it yields is not counted.
pub fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    let yielded = work()?;
    let time = start.elapsed().as_nanos() as f64;
    drop(yielded);
    Ok(time)
}

/// A time as people write it.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        t if t < 1e3 => format!("{t:.1} ns"),
        t if t < 1e6 => format!("{:.2} us", t / 1e3),
        t => format!("{:.2} ms", t / 1e6),
    }
}
