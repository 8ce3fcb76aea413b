//! What is printed while the guest runs: `--break`, `--trace`, `-g`, and what is written at a trap and at the end. No
//! stop waits for anybody.

use crate::end::{Ending, FAILURE, OrEnd, Run, USAGE, reason, say, write_error};
use crate::options::Options;
use crate::page;
use crate::show;
use crate::values::integer;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stepwell::base::{FuncIndex, WasmOffset};
use stepwell::debug::{Action, BreakpointId, Debugger, Reason, Stop};
use stepwell::{Module, Store};

/// So many columns is a traced call indented at most.
const MOST_INDENT: usize = 30;

/// What was seen so far.
#[derive(Default)]
struct Seen {
    /// The breakpoints of `--break`, and what of it asked for each.
    breakpoints: HashMap<BreakpointId, usize>,
    stops: u64,
    hits: u64,
}

/// What is printed, and what was seen so far.
pub struct Looking {
    options: Arc<Options>,
    seen: Mutex<Seen>,
}

impl Looking {
    /// Looks for what the options ask for.
    pub fn new(options: &Arc<Options>) -> Arc<Looking> {
        Arc::new(Looking { options: options.clone(), seen: Mutex::default() })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops so far, and how many of them were at breakpoints of `--break`.
    pub fn counts(&self) -> (u64, u64) {
        let seen = self.seen();
        (seen.stops, seen.hits)
    }

    /// Attaches a debugger that prints.
    pub fn attach(self: &Arc<Looking>, store: &mut Store) -> Run<Debugger> {
        let looking = self.clone();
        Debugger::attach(store, move |stop| looking.stopped(stop)).or_end(FAILURE, "attaching a debugger")
    }

    /// Sets the breakpoints that are asked for, in the module that is run.
    pub fn set_breakpoints(&self, debugger: &Debugger, store: &mut Store, module: &Module) -> Run<()> {
        for (asked, place) in self.options.breakpoints.iter().enumerate() {
            let id = match integer(place, 64) {
                Some(offset) => {
                    let offset = WasmOffset::new(u32::try_from(offset).unwrap_or(u32::MAX));
                    debugger.break_at(store, module, offset)
                }
                None => match place.strip_prefix('#').and_then(|index| integer(index, 32)) {
                    Some(index) => debugger.break_at_function(store, module, FuncIndex::new(index as u32)),
                    None => debugger.break_at_name(store, module, place),
                },
            };
            match id {
                Ok(set) => drop(self.seen().breakpoints.insert(set.id, asked)),
                Err(_) => self.break_at_line(debugger, store, module, asked)?,
            }
        }
        // An imported function has no place for one.
        let functions = if self.options.trace_calls { module.info().funcs.len() as u32 } else { 0 };
        for index in (module.info().imported_funcs..functions).map(FuncIndex::new) {
            debugger.break_at_function(store, module, index).or_end(FAILURE, "--trace")?;
        }
        debugger.step_always(store, self.options.trace_instructions).or_end(FAILURE, "stepping")
    }

    /// Sets breakpoints at the code of `FILE:LINE`.
    fn break_at_line(&self, debugger: &Debugger, store: &mut Store, module: &Module, asked: usize) -> Run<()> {
        let place = &self.options.breakpoints[asked];
        let line = place.rsplit_once(':').and_then(|(file, line)| Some((file, integer(line, 32)? as u32)));
        let offsets = line.map_or(Vec::new(), |(file, line)| module.offsets_of_line(file, line));
        for offset in &offsets {
            let set = debugger.break_at(store, module, *offset).or_end(FAILURE, "--break")?;
            self.seen().breakpoints.insert(set.id, asked);
        }
        let Some((file, line)) = line.filter(|_| !offsets.is_empty()) else {
            return Err(Ending::new(USAGE, format_args!("--break: there is no code at `{place}`")));
        };
        if let Some(moved) = module.line_with_code(file, line).filter(|found| *found != line) {
            say(format_args!("--break: line {line} has no code; it is at line {moved}"));
        }
        Ok(())
    }

    /// The callback of the debugger.
    fn stopped(&self, stop: &mut Stop<'_>) -> Action {
        self.seen().stops += 1;
        match stop.reason() {
            Reason::Trap(code) => {
                let message = format!("about to trap: {code}");
                self.trapped(stop, &message);
            }
            Reason::Breakpoint(ids) => {
                let ids: Vec<BreakpointId> = ids.iter().copied().collect();
                self.at_breakpoints(stop, &ids);
            }
            _ => {}
        }
        if self.options.trace_instructions && !matches!(stop.reason(), Reason::Trap(_)) {
            trace_instruction(stop);
        }
        Action::Continue
    }

    fn trapped(&self, stop: &Stop<'_>, message: &str) {
        if let Some(file) = &self.options.core_dump {
            match stop.core_dump() {
                Ok(dump) => write_file(file, "a core dump", &dump),
                Err(error) => say(format_args!("--core-dump: {error}")),
            }
        }
        if self.options.shows() {
            say(message);
            write_error(&show::frames(stop));
        }
    }

    fn at_breakpoints(&self, stop: &mut Stop<'_>, ids: &[BreakpointId]) {
        let (asked, others, is_last) = {
            let mut seen = self.seen();
            let asked = ids.iter().find_map(|id| seen.breakpoints.get(id).copied());
            let others = ids.iter().any(|id| !seen.breakpoints.contains_key(id));
            seen.hits += u64::from(asked.is_some());
            if let Some(asked) = asked {
                say(format_args!("stop {}, at {}", seen.hits, self.options.breakpoints[asked]));
            }
            (asked, others, Some(seen.hits) == self.options.break_count)
        };
        if asked.is_some() {
            write_error(&show::frames(stop));
            if is_last {
                // It goes on for good.
                let all: Vec<BreakpointId> = self.seen().breakpoints.drain().map(|(id, _)| id).collect();
                if let Err(error) = stop.debugger().remove_all(stop, &all) {
                    say(format_args!("removing breakpoints: {error}"));
                }
            }
        }
        if others {
            trace_call(stop);
        }
    }

    /// Writes which lines were reached, if that was asked for.
    pub fn write_coverage(&self, debugger: Option<&Debugger>, store: &Store) -> Run<()> {
        let (Some(file), Some(debugger)) = (&self.options.coverage, debugger) else { return Ok(()) };
        let all = debugger.coverage(store).or_end(FAILURE, "--coverage")?;
        let lines: String = all.iter().map(|coverage| coverage.lcov()).collect();
        let is_page = Path::new(file).extension().is_some_and(|ending| ending == "html" || ending == "htm");
        let text = if is_page { page::of(&lines, Path::new(&self.options.module)) } else { lines };
        write_file(file, "coverage", text.as_bytes());
        Ok(())
    }
}

/// One line before an instruction.
fn trace_instruction(stop: &Stop<'_>) {
    let Some(frame) = stop.top() else { return };
    let place = frame.locations().first().map(|place| format!("{place} ")).unwrap_or_default();
    write_error(&format!(
        "{} {} {:#x} {place}[{}] [{}]\n",
        stop.frame_count(),
        show::func_name(&frame),
        frame.offset().get(),
        show::locals(&frame, usize::MAX, " ", true),
        show::operands(&frame)
    ));
}

/// One line for a call, when the function begins.
fn trace_call(stop: &Stop<'_>) {
    let Some(frame) = stop.top() else { return };
    let indent = " ".repeat(2 * (stop.frame_count() - 1).min(MOST_INDENT));
    let parameters = frame.module().info().func_type(frame.func()).params.len();
    let values = show::locals(&frame, parameters, ", ", false);
    write_error(&format!("{indent}{}({values})\n", show::func_name(&frame)));
}

/// Writes a file that was asked for. That it cannot be written is said, and is no reason to end.
fn write_file(name: &OsStr, what: &str, bytes: &[u8]) {
    let shown = name.to_string_lossy();
    match std::fs::write(name, bytes) {
        Ok(()) => say(format_args!("{shown}: {what} of {} bytes", bytes.len())),
        Err(error) => say(format_args!("{shown}: {}", reason(&error))),
    }
}
