//! Holding the two debug tiers against each other: the same module, the same calls, the same debugger's doings, in
//! both, and every stop must be the same to the bit. `DebugTier::Simple`, where each instruction has a stop point of
//! its own, is the oracle; production code is held against it where nobody interferes.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod case;
pub mod dead;
pub mod drive;
#[path = "../smith.rs"]
mod features;
pub mod guests;
mod legacy;
pub mod mutate;
pub mod programs;
pub mod random;
pub mod record;
pub mod smith;
pub mod vectors;

use case::{Case, Run};
use drive::Drive;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use stepwell::Features;
use stepwell::runtime::{Config, DebugTier, Engine, Module};

/// Differences that are told in full where `STEPWELL_TOLD` does not say how many; the others are counted.
const TOLD: usize = 4;
/// Stops that are shown before the first that differs.
const SHOWN: usize = 4;

/// An engine for each tier.
pub struct Engines([Engine; 2]);

/// The tiers, the oracle first.
const TIERS: [DebugTier; 2] = [DebugTier::Simple, DebugTier::Regions];

impl Engines {
    /// The one with stop points everywhere.
    pub fn oracle(&self) -> &Engine {
        &self.0[0]
    }

    /// With what `change` makes of the configuration; NaNs are canonical in any case.
    pub fn new(change: impl Fn(&mut Config)) -> Engines {
        Engines(TIERS.map(|debug_tier| {
            let features = Features { custom_page_sizes: true, legacy_exceptions: true, ..Features::default() };
            let mut config =
                Config { features, debug: true, debug_tier, nan_canonicalization: true, ..Config::default() };
            change(&mut config);
            Engine::new(config).unwrap()
        }))
    }
}

/// What is counted over many cases, so that a test can see that it has compared something.
#[derive(Default)]
pub struct Report {
    pub runs: usize,
    pub stops: usize,
    pub differences: Vec<String>,
}

impl Report {
    /// Adds what another thread has found.
    pub fn add(&mut self, other: Report) {
        self.runs += other.runs;
        self.stops += other.stops;
        self.differences.extend(other.differences);
    }

    /// Panics with the differences, if there are any, or where less than `stops` stops were compared.
    pub fn demand(self, stops: usize) {
        if std::env::var_os("STEPWELL_TELL").is_some() {
            eprintln!("{} runs with {} stops compared, {} differ", self.runs, self.stops, self.differences.len());
        }
        if !self.differences.is_empty() {
            let told = std::env::var("STEPWELL_TOLD").ok().and_then(|text| text.parse().ok()).unwrap_or(TOLD);
            let told: Vec<_> = self.differences.iter().take(told).map(String::as_str).collect();
            let count = self.differences.len();
            panic!("{count} differences in {} runs; the first ones:\n\n{}", self.runs, told.join("\n\n"));
        }
        // Where one case alone is asked for, there is less to see.
        assert!(
            self.stops >= stops || selected().is_some() || std::env::var_os("STEPWELL_WAT").is_some(),
            "only {} stops were compared",
            self.stops
        );
    }
}

/// `STEPWELL_CASE`: only cases whose names contain this.
fn selected() -> Option<String> {
    std::env::var("STEPWELL_CASE").ok()
}

/// Runs `case` in each of `drives` in both tiers, and once in production.
pub fn compare(engines: &Engines, case: &Case, drives: &[Drive], report: &mut Report) {
    if selected().is_some_and(|wanted| !case.name.contains(&wanted)) {
        return;
    }
    let prepared = case.prepare(engines.0.each_ref());
    let production = case.run(&prepared[0], None, 0..0);
    let mut singly: Option<(&Drive, Run)> = None;
    for drive in drives {
        if std::env::var_os("STEPWELL_VERBOSE").is_some() {
            eprintln!("{} {drive}", case.name);
        }
        let run = |tier: usize, shown: std::ops::Range<usize>| {
            catch_unwind(AssertUnwindSafe(|| case.run(&prepared[tier], Some(drive), shown)))
                .unwrap_or_else(|panic| Run::panicked(&*panic))
        };
        let mut complain = |what: String| report.differences.push(format!("{} {drive}: {what}", case.name));
        let begun = std::time::Instant::now();
        let (a, b) = (run(0, 0..0), run(1, 0..0));
        if std::env::var_os("STEPWELL_VERBOSE").is_some() {
            eprintln!("  {} stops in {:?}", a.stops.len(), begun.elapsed());
        }
        match a.first_difference(&b) {
            None => {}
            Some(at) => {
                let from = at.saturating_sub(SHOWN);
                let (a, b) = (run(0, from..at + 1), run(1, from..at + 1));
                complain(tell(case, &prepared[0].modules, at, &a, &b));
            }
        }
        if !drive.interferes()
            && let Some((expected, found)) = different_line(&production, &a)
        {
            complain(format!("production: {expected}\nsimple tier: {found}"));
        }
        // The same instructions, whether they were stepped to or had a breakpoint each.
        if drive.stops_everywhere() {
            match &singly {
                None => singly = Some((drive, b)),
                Some((first, expected)) => {
                    if let Some(at) = expected.first_bare_difference(&b) {
                        let from = at.saturating_sub(SHOWN);
                        let expected = case.run(&prepared[1], Some(first), from..at + 1);
                        let found = run(1, from..at + 1);
                        complain(format!(
                            "not as {first}: {}",
                            tell(case, &prepared[0].modules, at, &expected, &found)
                        ));
                    }
                }
            }
        }
        report.runs += 1;
        report.stops += a.stops.len();
    }
}

/// The first line of the outcomes that is not the same.
fn different_line(a: &Run, b: &Run) -> Option<(String, String)> {
    let at = a.first_different_line(b)?;
    let line = |run: &Run| run.log.get(at).cloned().unwrap_or_else(|| "(nothing)".to_owned());
    Some((line(a), line(b)))
}

/// A difference, both sides as they saw it.
fn tell(case: &Case, modules: &[Module], at: usize, a: &Run, b: &Run) -> String {
    let mut text = format!("stop {at} of {} and {} is the first that differs", a.stops.len(), b.stops.len());
    for (name, run) in [("oracle", a), ("regions", b)] {
        let _ = write!(text, "\n {name}:");
        for stop in &run.shown {
            let _ = write!(text, "\n  {stop}");
        }
        if run.shown.is_empty() {
            let _ = write!(text, " no such stop");
        }
    }
    if let Some((expected, found)) = different_line(a, b) {
        let _ = write!(text, "\n outcome of the oracle: {expected}\n outcome in regions:    {found}");
    }
    if let Some(place) = a.shown_at.last().or(b.shown_at.last()) {
        text += &case::disassemble(modules, *place);
    }
    text + &case.keep()
}
