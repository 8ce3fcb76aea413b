//! Breakpoints: the client says which it wants, each time all of a kind; here is what it wants, and each thread's
//! debugger is brought to that whenever its store is in hand. So breakpoints may be asked for before there is a
//! program, and in modules that come later.

mod requests;

use super::data::Watch;
use super::evaluate::{holds, log_text};
use super::message::{Answer, failure};
use super::sources::matching_file;
use super::when::{Hit, When};
use crate::base::WasmOffset;
use crate::debug::{
    BreakOptions, BreakRequest, BreakTarget, Breakpoint, BreakpointId, Condition, Debugger, ExceptionStops, Stop,
};
use crate::remote::session::{ThreadId, Waker};
use crate::runtime::{AsStoreMut, Module};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a guest is waited for that is to do what the client wants. Where none runs, it is done when one does.
const PATIENCE: Duration = Duration::from_millis(150);

/// So many breakpoints may be wanted.
const MAX_WANTED: usize = 20_000;

/// So many bytes of log messages wait to be sent; further ones are left out.
const MAX_LOG: usize = 1 << 20;

/// Whose list a breakpoint is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum List {
    File(String),
    Generated(i64),
    Functions,
    Instructions,
}

/// Where a breakpoint is wanted.
#[derive(Clone)]
enum Target {
    Line { line: u32, column: Option<u32> },
    Function(String),
    Instruction(Module, WasmOffset),
}

impl PartialEq for Target {
    fn eq(&self, other: &Target) -> bool {
        match (self, other) {
            (Target::Line { line: a, column: b }, Target::Line { line, column }) => a == line && b == column,
            (Target::Function(a), Target::Function(b)) => a == b,
            (Target::Instruction(module, a), Target::Instruction(other, b)) => Module::same(module, other) && a == b,
            _ => false,
        }
    }
}

/// What the client has asked for as a breakpoint.
#[derive(Clone, PartialEq)]
struct Asked {
    list: List,
    target: Target,
    when: When,
}

/// What the client is told of a breakpoint.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    verified: bool,
    message: Option<String>,
    file: Option<String>,
    line: u32,
    column: u32,
    code: Option<(crate::runtime::ModuleId, u32)>,
}

struct Wanted {
    id: i64,
    asked: Asked,
    /// Where it is set.
    set: BTreeMap<ThreadId, BreakpointId>,
    /// The file that it was set in.
    file: Option<String>,
    told: Told,
    /// What the client knows of it.
    known: Told,
}

/// Log messages on their way to the client, from guests' threads.
pub(super) struct Log {
    waiting: Mutex<(Vec<String>, usize)>,
    waker: Waker,
}

impl Log {
    fn add(&self, text: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.1 += text.len();
        if waiting.1 <= MAX_LOG {
            waiting.0.push(text);
        }
        drop(waiting);
        self.waker.wake();
    }
}

/// What the client wants, which guests' threads do.
pub(super) struct Table {
    last: i64,
    wanted: Vec<Wanted>,
    /// What is to be removed.
    gone: BTreeMap<ThreadId, Vec<BreakpointId>>,
    pub(super) watches: Vec<Watch>,
    exceptions: ExceptionStops,
    pub(super) log: Arc<Log>,
    waker: Waker,
}

impl Table {
    pub(super) fn new(waker: Waker) -> Table {
        let log = Arc::new(Log { waiting: Mutex::default(), waker: waker.clone() });
        Table {
            last: 0,
            wanted: Vec::new(),
            gone: BTreeMap::new(),
            watches: Vec::new(),
            exceptions: ExceptionStops::None,
            log,
            waker,
        }
    }

    /// A number for a breakpoint of any kind.
    pub(super) fn number(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// What the client calls breakpoints at which a thread has stopped, and what kind they are.
    pub(super) fn hits(&self, thread: ThreadId, ids: &[u32]) -> (Vec<i64>, &'static str) {
        let hit = |wanted: &&Wanted| wanted.set.get(&thread).is_some_and(|id| ids.contains(&id.get()));
        let found: Vec<&Wanted> = self.wanted.iter().filter(hit).collect();
        let reason = match found.first().map(|wanted| &wanted.asked.list) {
            Some(List::Functions) => "function breakpoint",
            Some(List::Instructions) => "instruction breakpoint",
            _ => "breakpoint",
        };
        (found.iter().map(|wanted| wanted.id).collect(), reason)
    }

    /// The list is to have these breakpoints: those that are there already stay. Their numbers.
    fn replace(&mut self, list: &List, asked: Vec<Asked>) -> Answer<Vec<i64>> {
        let (mut old, others): (Vec<Wanted>, Vec<Wanted>) =
            std::mem::take(&mut self.wanted).into_iter().partition(|wanted| wanted.asked.list == *list);
        self.wanted = others;
        let mut numbers = Vec::with_capacity(asked.len());
        let is_too_many = self.wanted.len() + asked.len() > MAX_WANTED;
        for asked in asked.into_iter().filter(|_| !is_too_many) {
            let wanted = match old.iter().position(|wanted| wanted.asked == asked) {
                Some(at) => old.swap_remove(at),
                None => {
                    let id = self.number();
                    let (set, told) = (BTreeMap::new(), Told::default());
                    Wanted { id, asked, set, file: None, told: told.clone(), known: told }
                }
            };
            numbers.push(wanted.id);
            self.wanted.push(wanted);
        }
        for (thread, id) in old.into_iter().flat_map(|wanted| wanted.set) {
            self.gone.entry(thread).or_default().push(id);
        }
        if is_too_many { Err(failure(format!("at most {MAX_WANTED} breakpoints"))) } else { Ok(numbers) }
    }

    /// A thread has ended, and what was set in it is gone.
    pub(super) fn forget(&mut self, thread: ThreadId) {
        self.gone.remove(&thread);
        for wanted in &mut self.wanted {
            wanted.set.remove(&thread);
        }
        self.watches.retain(|watch| !watch.is_of(thread));
    }

    /// Brings a thread's debugger to what is wanted.
    fn bring(&mut self, stop: &mut Stop<'_>, thread: ThreadId) {
        let debugger = stop.debugger();
        if let Some(gone) = self.gone.remove(&thread) {
            for id in gone {
                // One that is gone already is one that the debugger has removed.
                _ = debugger.remove(stop, id);
            }
        }
        let modules: Vec<Module> = stop.as_store_mut().modules().cloned().collect();
        for wanted in &mut self.wanted {
            let file = wanted.file_in(&modules);
            let is_elsewhere = file.is_some() && file != wanted.file;
            if let Some(id) = wanted.set.get(&thread).copied().filter(|_| is_elsewhere) {
                _ = debugger.remove(stop, id);
                wanted.set.remove(&thread);
            }
            let error = match wanted.set.get(&thread) {
                Some(_) => None,
                None => {
                    wanted.file = file;
                    match wanted.set(stop, &debugger, &self.log) {
                        Ok(id) => {
                            wanted.set.insert(thread, id);
                            None
                        }
                        Err(error) => Some(error.text),
                    }
                }
            };
            let set = wanted.set.get(&thread).and_then(|id| debugger.breakpoint(stop, *id).ok().flatten());
            wanted.told = match (set, error) {
                (Some(set), _) => Told::of(&set),
                (None, Some(error)) if !wanted.told.verified => Told { message: Some(error), ..Told::default() },
                (None, _) => std::mem::take(&mut wanted.told),
            };
        }
        _ = debugger.stop_at_exceptions(stop, self.exceptions);
        self.waker.wake();
    }
}

impl Told {
    fn of(set: &Breakpoint) -> Told {
        let Some(place) = set.places.first() else {
            let message = match &set.request.target {
                BreakTarget::Line { .. } => "no module that is there has code of this file and line",
                _ => "no module that is there has it",
            };
            return Told { message: Some(message.to_owned()), ..Told::default() };
        };
        Told::at(&place.module, place.offset)
    }

    fn at(module: &Module, offset: WasmOffset) -> Told {
        let locations = module.locations(offset);
        let at = locations.first().filter(|location| location.line() > 0);
        Told {
            verified: true,
            message: None,
            file: at.and_then(|location| location.file()).map(str::to_owned),
            line: at.map_or(0, |location| location.line()),
            column: at.map_or(0, |location| location.column()),
            code: Some((module.id(), offset.get())),
        }
    }
}

impl Wanted {
    /// The file of a module that the client's path means.
    fn file_in(&self, modules: &[Module]) -> Option<String> {
        let List::File(path) = &self.asked.list else { return None };
        modules.iter().filter_map(|module| matching_file(module, path)).max_by_key(|file| file == path)
    }

    fn request(&self) -> BreakRequest {
        match &self.asked.target {
            Target::Function(name) => BreakRequest::function(None, name),
            Target::Instruction(module, offset) => BreakRequest::offset(module, *offset),
            Target::Line { line, column } => {
                let path = match &self.asked.list {
                    List::File(path) => path.as_str(),
                    _ => "",
                };
                BreakRequest::line(None, self.file.as_deref().unwrap_or(path), *line, *column)
            }
        }
    }

    /// Sets it.
    fn set(&self, stop: &mut Stop<'_>, debugger: &Debugger, log: &Arc<Log>) -> Answer<BreakpointId> {
        let id = debugger.add_breakpoint(stop, self.request())?.id;
        let When { condition, hit, log: message } = &self.asked.when;
        if condition.is_none() && hit.is_none() && message.is_none() {
            return Ok(id);
        }
        // What the engine can do by itself, it does: nobody is called for what does not hold.
        let by_engine = match (message, hit) {
            (None, None) => Some(0),
            (None, Some(Hit::From(number))) => Some(number.saturating_sub(1)),
            _ => None,
        };
        let text = condition.as_deref().map(Condition::text);
        if let Some(ignore) = by_engine
            && !matches!(text, Some(Err(_)))
        {
            let condition = text.and_then(Result::ok);
            let change = |options: &mut BreakOptions| {
                (options.ignore, options.condition) = (ignore, condition);
            };
            if debugger.change_breakpoint(stop, id, change).is_ok() {
                return Ok(id);
            }
        }
        let callback = Condition::callback(self.asked.when.clone().asker(log.clone()));
        let change = |options: &mut BreakOptions| options.condition = Some(callback);
        if let Err(error) = debugger.change_breakpoint(stop, id, change) {
            _ = debugger.remove(stop, id);
            return Err(error.into());
        }
        Ok(id)
    }
}

impl When {
    /// What says it of one time after the other.
    pub(super) fn asker(self, log: Arc<Log>) -> impl Fn(&Stop<'_>) -> bool + Send + Sync + 'static {
        let count = AtomicU64::new(0);
        move |stop: &Stop<'_>| self.stops(stop, &count, &log)
    }

    /// Whether a guest that has come to it stops. It is on the guest's thread.
    fn stops(&self, stop: &Stop<'_>, count: &AtomicU64, log: &Log) -> bool {
        let Some(frame) = stop.top() else { return false };
        if let Some(condition) = &self.condition {
            match holds(&frame, condition) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => {
                    log.add(format!("the condition `{condition}` cannot be evaluated: {}\n", error.text));
                    return self.log.is_none();
                }
            }
        }
        let count = count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.hit.is_some_and(|hit| !hit.holds(count)) {
            return false;
        }
        match &self.log {
            Some(message) => {
                log.add(log_text(&frame, message) + "\n");
                false
            }
            None => true,
        }
    }
}
