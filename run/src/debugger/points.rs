//! Breakpoints and watchpoints as their user knows them: they have one row of numbers, and outlive the runs of the
//! program. In a new run the breakpoints are set again; watchpoints end with theirs.

use super::expressions;
use super::fault::{Fault, Outcome};
use super::target::{Shown, Target};
use stepwell::debug::{BreakOptions, BreakRequest, Breakpoint, BreakpointId, Stop, WatchKind, WatchpointId};
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
        /// What that means.
        request: BreakRequest,
        /// The condition, as it was typed.
        condition: Option<String>,
        /// Whether it is gone once it has stopped.
        once: bool,
        /// How often it is passed.
        ignore: u64,
        /// The breakpoint of this run.
        id: Option<BreakpointId>,
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
        self.all.iter().find(|point| matches!(&point.kind, Kind::Break { id: known, .. } if *known == Some(id)))
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
        (place, request): (&str, BreakRequest),
        condition: Option<&str>,
        once: bool,
    ) -> Outcome<(u32, Breakpoint)> {
        let debugger = target.debugger();
        let checked = condition.map(expressions::condition).transpose()?;
        let mut set = debugger.add_breakpoint(target, request.clone())?;
        if set.places.is_empty() {
            // It is for any module; the one that is run says what is wrong.
            let of_this = BreakRequest { module: Some(module.clone()), target: request.target.clone() };
            let wrong = debugger.add_breakpoint(target, of_this);
            debugger.remove(target, set.id)?;
            set = wrong?;
        }
        let change = |options: &mut BreakOptions| {
            options.one_shot = once;
            options.condition = checked;
        };
        if let Err(error) = debugger.change_breakpoint(target, set.id, change) {
            debugger.remove(target, set.id)?;
            return Err(error.into());
        }
        let number = self.next();
        let kind = Kind::Break {
            place: place.to_owned(),
            request: set.request.clone(),
            condition: condition.map(str::to_owned),
            once,
            ignore: 0,
            id: Some(set.id),
        };
        self.all.push(Point { number, kind, enabled: true, hits_before: 0 });
        Ok((number, set))
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

    /// Removes one.
    pub fn remove(&mut self, target: &mut Target<'_, '_>, number: u32) -> Outcome<()> {
        let debugger = target.debugger();
        match &self.get(number)?.kind {
            Kind::Break { id: Some(id), .. } => debugger.remove(target, *id)?,
            Kind::Break { id: None, .. } => {}
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
            Kind::Break { id: Some(id), .. } => {
                debugger.change_breakpoint(target, *id, |options| options.enabled = on)?;
            }
            Kind::Break { id: None, .. } => {}
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
        let Kind::Break { condition, ignore, id, .. } = &mut self.get(number)?.kind else {
            return Fault::err(format_args!("{number} is a watchpoint, which has none"));
        };
        let checked = new_condition.map(|text| text.map(expressions::condition).transpose()).transpose()?;
        if let Some(id) = id {
            debugger.change_breakpoint(target, *id, |options| {
                if let Some(passed) = passed {
                    options.ignore = passed;
                }
                if let Some(checked) = checked {
                    options.condition = checked;
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
            let Kind::Break { request, condition, once, ignore, id, place } = &mut point.kind else { continue };
            let set = debugger.add_breakpoint(target, request.clone()).map_err(Fault::from).and_then(|set| {
                let condition = condition.as_deref().map(expressions::condition).transpose()?;
                debugger.change_breakpoint(target, set.id, |options| {
                    options.one_shot = *once;
                    options.enabled = point.enabled;
                    options.ignore = *ignore;
                    options.condition = condition;
                })?;
                Ok(set.id)
            });
            match set {
                Ok(set) => *id = Some(set),
                Err(fault) => {
                    *id = None;
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
            if let Kind::Break { id: Some(id), ignore, .. } = &mut point.kind
                && let Ok(Some(breakpoint)) = debugger.breakpoint(target, *id)
            {
                point.hits_before += breakpoint.hits;
                *ignore = breakpoint.options.ignore;
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
                Kind::Break { place, condition, once, id, request, .. } if !watchpoints_alone => {
                    let set = id.map(|id| debugger.breakpoint(target, id)).transpose()?.flatten();
                    let disposition = if *once { "del" } else { "keep" };
                    let what = match &set {
                        Some(set) if !set.places.is_empty() => described(set),
                        _ => format!("<not set> {}", readable(place)),
                    };
                    text += &format!("{:<4} {:<14} {disposition:<4} {on}   {what}\n", point.number, "breakpoint");
                    if let Some(set) = set.as_ref().filter(|set| set.places.len() > 1) {
                        for (index, place) in set.places.iter().enumerate() {
                            let what = described_place(&place.module, place.offset);
                            text += &format!("{}.{:<2} {:<14} {:<4} {on}   {what}\n", point.number, index + 1, "", "");
                        }
                    }
                    if let Some(condition) = condition {
                        text += &format!("        stop only if {}\n", readable(condition));
                    }
                    let set_options = set.as_ref().map(|set| set.options.ignore).filter(|left| *left > 0);
                    if let Some(left) = set_options {
                        text += &format!("        ignore next {left} hits\n");
                    }
                    let hits = point.hits_before + set.map_or(0, |set| set.hits);
                    if hits > 0 {
                        text += &format!("        breakpoint already hit {}\n", times(hits));
                    }
                    let _ = request;
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
pub fn described_place(module: &Module, offset: stepwell::base::WasmOffset) -> String {
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

/// Where a breakpoint stands, in words.
pub fn described(set: &Breakpoint) -> String {
    match &set.places[..] {
        [] => "nowhere yet".to_owned(),
        [place] => described_place(&place.module, place.offset),
        places => format!("{} places", places.len()),
    }
}
