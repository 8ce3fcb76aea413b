//! Breakpoints and watchpoints as their user knows them: they have one row of numbers, and outlive the runs of the
//! program. In a new run the breakpoints are set again; watchpoints end with theirs.

use super::expressions;
use super::fault::{Fault, Outcome};
use super::target::{Shown, Target};
use stepwell::base::WasmOffset;
use stepwell::debug::{
    BreakOptions, BreakPlace, BreakRequest, Breakpoint, BreakpointId, Stop, WatchKind, WatchpointId,
};
use stepwell::{Module, readable};

/// A breakpoint or a watchpoint.
pub struct Point {
    /// Its number.
    pub number: u32,
    /// What stops.
    pub kind: Kind,
    /// Whether it stops anything.
    pub enabled: bool,
    /// Of a run before this one.
    hits_before: u64,
}

/// What stops.
pub enum Kind {
    /// A place.
    Break {
        /// As it was typed.
        place: String,
        /// What that means: one, or several places.
        requests: Vec<BreakRequest>,
        /// The condition, as it was typed.
        condition: Option<String>,
        /// Whether it is gone once it has stopped.
        once: bool,
        /// How often it is passed.
        ignore: u64,
        /// The breakpoints of this run.
        ids: Vec<BreakpointId>,
    },
    /// A value.
    Watch {
        /// As it was typed.
        text: String,
        /// What of it.
        kind: WatchKind,
        /// The value when it was last seen.
        seen: Option<String>,
        /// The watchpoint of this run.
        id: WatchpointId,
    },
}

/// All of them.
#[derive(Default)]
pub struct Points {
    /// In the order in which they were set.
    pub all: Vec<Point>,
    last: u32,
}

impl Points {
    fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// The one of a number.
    pub fn get(&mut self, number: u32) -> Outcome<&mut Point> {
        let found = self.all.iter_mut().find(|point| point.number == number);
        found.ok_or_else(|| Fault::new(format_args!("there is no breakpoint number {number}: `info breakpoints`")))
    }

    /// The number of a breakpoint of this run.
    pub fn of_breakpoint(&self, id: BreakpointId) -> Option<&Point> {
        self.all.iter().find(|point| matches!(&point.kind, Kind::Break { ids, .. } if ids.contains(&id)))
    }

    /// The one of a watchpoint of this run.
    pub fn of_watchpoint(&mut self, wanted: WatchpointId) -> Option<&mut Point> {
        self.all.iter_mut().find(|point| matches!(&point.kind, Kind::Watch { id, .. } if *id == wanted))
    }

    /// Sets a breakpoint: its number, and what became of it.
    pub fn add_break(
        &mut self,
        target: &mut Target<'_, '_>,
        module: &Module,
        (place, requests): (&str, Vec<BreakRequest>),
        condition: Option<&str>,
        once: bool,
    ) -> Outcome<(u32, Vec<BreakPlace>)> {
        let debugger = target.debugger();
        let checked = condition.map(expressions::condition).transpose()?;
        let ids = debugger.break_at_all(target, &requests)?;
        let places = match places_of(target, &ids)? {
            places if places.is_empty() => {
                // They are for any module; the one that is run says what is wrong.
                let target_of = |request: &BreakRequest| request.target.clone();
                let of_this = requests.first().map(target_of);
                let of_this = of_this.map(|target| BreakRequest { module: Some(module.clone()), target });
                let wrong = of_this.map(|request| debugger.break_at_all(target, &[request]));
                debugger.remove_all(target, &ids)?;
                return match wrong {
                    Some(Err(error)) => Err(error.into()),
                    _ => Fault::err(format_args!("there is no code at `{place}`")),
                };
            }
            places => places,
        };
        let change = |options: &mut BreakOptions| {
            options.one_shot = once;
            options.condition = checked.clone();
        };
        let changed = ids.iter().try_for_each(|id| debugger.change_breakpoint(target, *id, change));
        if let Err(error) = changed {
            debugger.remove_all(target, &ids)?;
            return Err(error.into());
        }
        let number = self.next();
        let condition = condition.map(str::to_owned);
        let kind = Kind::Break { place: place.to_owned(), requests, condition, once, ignore: 0, ids };
        self.all.push(Point { number, kind, enabled: true, hits_before: 0 });
        Ok((number, places))
    }

    /// Watches a value: its number.
    pub fn add_watch(&mut self, stop: &mut Stop<'_>, at: Shown, text: &str, kind: WatchKind) -> Outcome<u32> {
        let id = expressions::watch(stop, at, text, kind)?;
        let seen = expressions::evaluate(stop, at, text).ok().map(|value| value.text);
        let number = self.next();
        let kind = Kind::Watch { text: text.to_owned(), kind, seen, id };
        self.all.push(Point { number, kind, enabled: true, hits_before: 0 });
        Ok(number)
    }

    /// The breakpoints that stop at an instruction, with their numbers, and whether they stop once.
    pub fn at(
        &self,
        target: &mut Target<'_, '_>,
        module: Option<&Module>,
        offset: WasmOffset,
    ) -> Outcome<Vec<(u32, bool)>> {
        let is_there = |place: &BreakPlace| {
            place.offset == offset && module.is_some_and(|module| Module::same(&place.module, module))
        };
        let mut found = Vec::new();
        for point in self.all.iter().filter(|point| point.enabled) {
            if let Kind::Break { ids, once, .. } = &point.kind
                && places_of(target, ids)?.iter().any(is_there)
            {
                found.push((point.number, *once));
            }
        }
        Ok(found)
    }

    /// Removes one.
    pub fn remove(&mut self, target: &mut Target<'_, '_>, number: u32) -> Outcome<()> {
        let debugger = target.debugger();
        match &self.get(number)?.kind {
            Kind::Break { ids, .. } => {
                // One of several that stopped once is gone already.
                let left: Vec<_> = debugger.breakpoints(target)?.iter().map(|set| set.id).collect();
                let ids: Vec<_> = ids.iter().copied().filter(|id| left.contains(id)).collect();
                debugger.remove_all(target, &ids)?;
            }
            Kind::Watch { id, .. } => debugger.remove_watchpoint(target, *id)?,
        }
        self.forget(number);
        Ok(())
    }

    /// Forgets one that is gone.
    pub fn forget(&mut self, number: u32) {
        self.all.retain(|point| point.number != number);
    }

    /// Has one stop, or stop nothing.
    pub fn enable(&mut self, target: &mut Target<'_, '_>, number: u32, on: bool) -> Outcome<()> {
        let debugger = target.debugger();
        let point = self.get(number)?;
        match &point.kind {
            Kind::Break { ids, .. } => {
                for id in ids {
                    debugger.change_breakpoint(target, *id, |options| options.enabled = on)?;
                }
            }
            Kind::Watch { id, .. } => debugger.enable_watchpoint(target, *id, on)?,
        }
        point.enabled = on;
        Ok(())
    }

    /// Changes what a breakpoint has: how often it is passed, or its condition.
    pub fn change(
        &mut self,
        target: &mut Target<'_, '_>,
        number: u32,
        passed: Option<u64>,
        new_condition: Option<Option<&str>>,
    ) -> Outcome<()> {
        let debugger = target.debugger();
        let Kind::Break { condition, ignore, ids, .. } = &mut self.get(number)?.kind else {
            return Fault::err(format_args!("{number} is a watchpoint, which has none"));
        };
        let checked = new_condition.map(|text| text.map(expressions::condition).transpose()).transpose()?;
        for id in ids {
            debugger.change_breakpoint(target, *id, |options| {
                if let Some(passed) = passed {
                    options.ignore = passed;
                }
                if let Some(checked) = &checked {
                    options.condition = checked.clone();
                }
            })?;
        }
        *ignore = passed.unwrap_or(*ignore);
        if let Some(text) = new_condition {
            *condition = text.map(str::to_owned);
        }
        Ok(())
    }

    /// Sets the breakpoints in a new run. What could not be set, and the watchpoints that have ended.
    pub fn set_again(&mut self, target: &mut Target<'_, '_>) -> Vec<String> {
        let debugger = target.debugger();
        let mut said = Vec::new();
        self.all.retain(|point| match &point.kind {
            Kind::Watch { text, .. } => {
                said.push(format!("Watchpoint {} ({}) has ended with the run before", point.number, readable(text)));
                false
            }
            Kind::Break { .. } => true,
        });
        for point in &mut self.all {
            let Kind::Break { requests, condition, once, ignore, ids, place } = &mut point.kind else { continue };
            let set = debugger.break_at_all(target, requests).map_err(Fault::from).and_then(|set| {
                let condition = condition.as_deref().map(expressions::condition).transpose()?;
                for id in &set {
                    debugger.change_breakpoint(target, *id, |options| {
                        options.one_shot = *once;
                        options.enabled = point.enabled;
                        options.ignore = *ignore;
                        options.condition = condition.clone();
                    })?;
                }
                Ok(set)
            });
            match set {
                Ok(set) => *ids = set,
                Err(fault) => {
                    ids.clear();
                    said.push(format!("Breakpoint {} at {} is not set: {}", point.number, readable(place), fault.0));
                }
            }
        }
        said
    }

    /// Notes what was hit in a run that is over.
    pub fn run_is_over(&mut self, target: &mut Target<'_, '_>) {
        let debugger = target.debugger();
        for point in &mut self.all {
            let Kind::Break { ids, ignore, .. } = &mut point.kind else { continue };
            for id in ids {
                if let Ok(Some(breakpoint)) = debugger.breakpoint(target, *id) {
                    point.hits_before += breakpoint.hits;
                    *ignore = breakpoint.options.ignore;
                }
            }
        }
    }

    /// A table, as of `info breakpoints`.
    pub fn table(&self, target: &mut Target<'_, '_>, watchpoints_alone: bool) -> Outcome<String> {
        let debugger = target.debugger();
        let mut text = String::new();
        for point in &self.all {
            let on = if point.enabled { "y" } else { "n" };
            match &point.kind {
                Kind::Break { place, condition, once, ids, .. } if !watchpoints_alone => {
                    let places = places_of(target, ids)?;
                    let disposition = if *once { "del" } else { "keep" };
                    let what = match places.is_empty() {
                        true => format!("<not set> {}", readable(place)),
                        false => described(&places),
                    };
                    text += &format!("{:<4} {:<14} {disposition:<4} {on}   {what}\n", point.number, "breakpoint");
                    for (index, place) in places.iter().enumerate().filter(|_| places.len() > 1) {
                        let what = described_place(&place.module, place.offset);
                        text += &format!("{}.{:<2} {:<14} {:<4} {on}   {what}\n", point.number, index + 1, "", "");
                    }
                    let sets = ids.iter().map(|id| debugger.breakpoint(target, *id));
                    let sets: Vec<Breakpoint> = sets.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
                    if let Some(condition) = condition {
                        text += &format!("        stop only if {}\n", readable(condition));
                    }
                    if let Some(left) = sets.first().map(|set| set.options.ignore).filter(|left| *left > 0) {
                        text += &format!("        ignore next {left} hits\n");
                    }
                    let hits = point.hits_before + sets.iter().map(|set| set.hits).sum::<u64>();
                    if hits > 0 {
                        text += &format!("        breakpoint already hit {}\n", times(hits));
                    }
                }
                Kind::Break { .. } => {}
                Kind::Watch { text: watched, kind, id, .. } => {
                    let name = match kind {
                        WatchKind::Read => "read watch",
                        WatchKind::Access => "access watch",
                        WatchKind::Write | WatchKind::Change => "watchpoint",
                    };
                    text += &format!("{:<4} {name:<14} keep {on}   {}\n", point.number, readable(watched));
                    let hits = debugger.watchpoint(target, *id)?.map_or(0, |watchpoint| watchpoint.hits);
                    if hits > 0 {
                        text += &format!("        watchpoint already hit {}\n", times(hits));
                    }
                }
            }
        }
        if text.is_empty() {
            let what = if watchpoints_alone { "watchpoints" } else { "breakpoints or watchpoints" };
            return Ok(format!("No {what}.\n"));
        }
        Ok(format!("{:<4} {:<14} {:<4} on  what\n{text}", "num", "type", "disp"))
    }
}

fn times(count: u64) -> String {
    if count == 1 { "1 time".to_owned() } else { format!("{count} times") }
}

/// Where an instruction is, in words: `fib at program.c:12`, `<function 3> at 0x1234`.
pub fn described_place(module: &Module, offset: WasmOffset) -> String {
    let places = module.locations(offset);
    match places.first() {
        Some(place) => {
            let function = place.function().map_or(String::new(), |name| format!("in {} ", readable(name)));
            let file = place.file().unwrap_or("<unknown file>").rsplit('/').next().unwrap_or_default();
            format!("{:#x} {function}at {}:{}", offset.get(), readable(file), place.line())
        }
        None => {
            let info = module.info();
            let func = (0..info.funcs.len() as u32).map(stepwell::base::FuncIndex::new).find(|func| {
                let body = info.defined(*func).and_then(|defined| info.bodies.get(defined.index()));
                body.is_some_and(|body| body.bytes.contains(&offset.index()))
            });
            let name = func.map(|func| match info.func_name(func) {
                Some(name) => readable(name),
                None => format!("<function {func}>"),
            });
            format!("{:#x} in {}", offset.get(), name.unwrap_or_else(|| "no function".to_owned()))
        }
    }
}

/// Where breakpoints stand.
fn places_of(target: &mut Target<'_, '_>, ids: &[BreakpointId]) -> Outcome<Vec<BreakPlace>> {
    let debugger = target.debugger();
    let mut places = Vec::new();
    for id in ids {
        places.extend(debugger.breakpoint(target, *id)?.map_or(Vec::new(), |set| set.places));
    }
    Ok(places)
}

/// Where a breakpoint stands, in words.
pub fn described(places: &[BreakPlace]) -> String {
    match places {
        [] => "nowhere yet".to_owned(),
        [place] => described_place(&place.module, place.offset),
        places => format!("{} places", places.len()),
    }
}
