//! The two debug tiers held against each other, stop by stop: `support/tiers` says how. Differences name the case and
//! the way it was driven; `STEPWELL_CASE=name` runs it alone, `STEPWELL_KEEP=folder` keeps its modules.

use crate::tiers;
use std::sync::atomic::{AtomicU64, Ordering};
use stepwell::runtime::DebugTier;
use tiers::case::Case;
use tiers::drive::{Drive, Go};
use tiers::{Engines, Report, compare, dead, guests, programs, smith};

/// A number that the environment may set.
fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// All ways of driving, with so many seeds for those that have one.
fn drives(limit: usize, seeds: std::ops::Range<u64>) -> Vec<Drive> {
    let mut drives = vec![Drive::step(limit), Drive::each_instruction(limit), Drive::one_function(limit)];
    drives.extend([Go::StepInstruction, Go::StepOver, Go::StepOut].map(|go| Drive::answers(go, limit)));
    for seed in seeds {
        drives.extend([Drive::breakpoints(seed, limit), Drive::random(seed, limit), Drive::changes(seed, limit)]);
        drives.push(Drive::changes_in_steps(seed, limit));
        drives.extend([2 * seed, 2 * seed + 1].map(|seed| Drive::events(seed, limit)));
        drives.push(Drive::events_and_changes(seed, limit));
    }
    drives
}

/// Drives guests for so many stops in each way.
fn guests_alike(engines: &Engines, guests: impl Iterator<Item = Case>, limit: u64, stops: usize) {
    let mut report = Report::default();
    for case in guests {
        compare(engines, &case, &drives(limit as usize, 0..number("STEPWELL_SEEDS", 1)), &mut report);
    }
    report.demand(stops);
}

/// In another configuration than the default, a part of them each: to compile them is what takes long. `STEPWELL_PARTS`
/// says of how many, `STEPWELL_STOPS` how far.
fn guests_alike_with(engines: &Engines, part: usize) {
    let parts = number("STEPWELL_PARTS", 6) as usize;
    let guests = guests::cases().into_iter().skip(part % parts).step_by(parts);
    guests_alike(engines, guests, number("STEPWELL_STOPS", 400), 20_000 / parts);
}

#[test]
fn hand_written_modules_are_alike_in_both_tiers() {
    guests_alike(&Engines::new(|_| {}), guests::cases().into_iter(), 1500, 50_000);
}

#[test]
fn hand_written_modules_are_alike_without_signals() {
    guests_alike_with(&Engines::new(|config| config.signals = false), 0);
}

#[test]
fn hand_written_modules_are_alike_with_memories_that_move() {
    let small = |config: &mut stepwell::Config| (config.memory_reservation, config.memory_guard) = (1 << 16, 0);
    guests_alike_with(&Engines::new(small), 1);
}

#[test]
fn hand_written_modules_are_alike_when_not_optimised() {
    guests_alike_with(&Engines::new(|config| config.optimize = false), 2);
}

#[test]
fn hand_written_modules_are_alike_when_fuel_is_counted() {
    guests_alike_with(&Engines::new(|config| (config.fuel, config.epoch) = (true, true)), 3);
}

#[test]
fn hand_written_modules_are_alike_when_fuel_is_counted_without_signals() {
    guests_alike_with(&Engines::new(|config| (config.fuel, config.signals) = (true, false)), 4);
}

#[test]
fn hand_written_modules_are_alike_when_fuel_is_laid_out_in_parts() {
    guests_alike_with(&Engines::new(|config| (config.fuel, config.force_fuel_part) = (true, Some(5))), 0);
}

#[test]
fn hand_written_modules_are_alike_in_code_of_their_own() {
    guests_alike_with(&Engines::new(|config| config.force_split_after = Some(1)), 5);
}

#[test]
fn hand_written_modules_are_alike_in_basic_blocks() {
    guests_alike_with(&Engines::new(blocks), 1);
}

/// Regions are basic blocks.
fn blocks(config: &mut stepwell::Config) {
    if config.debug_tier == DebugTier::Regions {
        config.debug_tier = DebugTier::Blocks;
    }
}

#[test]
fn generated_modules_are_alike_when_fuel_is_counted() {
    generated_alike(&Engines::new(|config| (config.fuel, config.epoch) = (true, true)), 30);
}

/// What is not live is written over before each object that is made, and what debuggers show is live.
#[test]
fn modules_are_alike_when_all_is_collected() {
    let engines = Engines::new(|config| config.force_collections = true);
    generated_alike(&engines, 40);
}

/// What cannot be reached takes no fuel, is not asked whether there is any left, and leaves what follows as it was.
#[test]
fn code_that_cannot_be_reached_is_alike_when_fuel_is_counted() {
    for signals in [true, false] {
        let engines = Engines::new(|config| (config.fuel, config.epoch, config.signals) = (true, true, signals));
        let mut report = Report::default();
        for seed in 0..number("STEPWELL_DEAD", 80) {
            let mut drives = vec![Drive::step(300), Drive::each_instruction(300)];
            drives.extend([Drive::random(seed, 300), Drive::changes(seed, 300)]);
            compare(&engines, &dead::case(seed), &drives, &mut report);
        }
        report.demand(5_000);
    }
}

/// `STEPWELL_SMITH` says how many.
#[test]
fn generated_modules_are_alike_in_both_tiers() {
    generated_alike(&Engines::new(|_| {}), 80);
}

fn generated_alike(engines: &Engines, count: u64) {
    let (first, count) = (number("STEPWELL_SMITH_FIRST", 0), number("STEPWELL_SMITH", count));
    let next = AtomicU64::new(first);
    let mut report = Report::default();
    std::thread::scope(|scope| {
        let work = || {
            let mut report = Report::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + count {
                    return report;
                }
                let Some(case) = smith::case(seed) else { continue };
                let mut drives = drives(400, seed..seed + 1);
                drives.extend([Drive::changes(seed + 1, 400), Drive::events_and_changes(seed + 1, 400)]);
                compare(engines, &case, &drives, &mut report);
            }
        };
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().for_each(|worker| report.add(worker.join().unwrap()));
    });
    report.demand(count as usize * 100);
}

/// The beginning of each real program, since to step through all takes hours.
#[test]
fn programs_are_alike_in_both_tiers() {
    let steps = number("STEPWELL_STEPS", 14_000) as usize;
    let engines = Engines::new(|_| {});
    let mut report = Report::default();
    for case in programs::cases() {
        let drives = [
            Drive::step(steps),
            Drive::answers(Go::StepInstruction, steps / 4),
            Drive::answers(Go::StepOver, steps / 20),
            Drive::breakpoints(3, 2000),
            Drive { go: Go::AnyShort, ..Drive::random(4, steps / 20) },
            Drive { go: Go::AnyShort, ..Drive::random(5, steps / 20) },
            Drive::changes_in_steps(5, steps / 10),
            Drive::changes_in_steps(8, steps / 20),
        ];
        compare(&engines, &case, &drives, &mut report);
    }
    report.demand(steps);
}

/// A harness that sees no difference would pass all of the above.
#[test]
fn differences_are_seen() {
    let engines = Engines::new(|_| {});
    let text = |number: u32| {
        format!("(module (func (export \"f\") (result i32) i32.const 1 i32.const {number} drop i32.const 7 i32.add))")
    };
    let case = |number| Case::new("f", vec![("m".to_owned(), wat::parse_str(text(number)).unwrap())]);
    let drive = Drive::step(100);
    let run = |case: &Case| case.run(&case.prepare([engines.oracle(); 2])[0], Some(&drive), 0..0);
    let (a, b) = (run(&case(2)), run(&case(3)));
    assert_eq!(a.log[..1], b.log[..1]);
    // Before the second constant is on the stack nothing can be seen of it.
    assert_eq!((a.stops.len(), a.first_difference(&b)), (36, Some(2)));
    assert_eq!(a.first_difference(&run(&case(2))), None);
}
