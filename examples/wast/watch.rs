//! The debugger that the modes `debug`, `serialized` and `step` attach to the script's store, and what it checks at
//! every stop.
//!
//! *debug*: breakpoints are set and cleared at random sites, between calls and inside stops, with random steps in
//! between; each stop must stand where one of its breakpoints was asked for (or where a step may end), and a breakpoint
//! at the called function's first instruction must be hit. Now and then the debugger is detached and attached again.
//!
//! *serialized*: the same, with the debugger attached half of the time only.
//!
//! *step*: every instruction of every call stops. The first stop must be the called function's first instruction with
//! its arguments in its locals; after an instruction that does not branch, the frame's next stop must be the
//! instruction behind it. Every local and operand of the frames is read.

use super::code::Bodies;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stepwell::base::{FuncIndex, Result, WasmOffset};
use stepwell::debug::{Action, Breakpoint, BreakpointId, Debugger, Frame, Reason, Stop};
use stepwell::runtime::{Func, Module, ModuleId, Store, Val};

/// How scripts are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Optimised code, no debugger.
    Production,
    /// Random breakpoints.
    Debug,
    /// Single steps.
    Step,
    /// Every instruction in resume code: see `replace`.
    Resume,
    /// Every module serialized by another engine, with its debug code; some calls in production, others with random
    /// breakpoints.
    Serialized,
}

impl Mode {
    /// Whether there is a debugger that has breakpoints at random places.
    fn random(self) -> bool {
        matches!(self, Mode::Debug | Mode::Serialized)
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Mode, String> {
        match text {
            "production" => Ok(Mode::Production),
            "debug" => Ok(Mode::Debug),
            "step" => Ok(Mode::Step),
            "resume" => Ok(Mode::Resume),
            "serialized" => Ok(Mode::Serialized),
            _ => Err(format!("unknown mode `{text}` (production, debug, step, resume or serialized)")),
        }
    }
}

/// Frames that are read at each stop: all up to this many, else half of it at either end.
const FRAMES_READ: usize = 32;
/// After this many hits in one call a breakpoint is cleared from inside the stop, so that hot loops come to an end.
const HITS_PER_CALL: u32 = 200;

/// A small random number generator (xorshift64*), seeded, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % limit.max(1)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What the script's runner holds.
pub struct Watch {
    mode: Mode,
    debugger: Option<Debugger>,
    seen: Arc<Mutex<Seen>>,
    /// Modules that were instantiated, as places for breakpoints.
    modules: Vec<Module>,
}

/// What the stop callback shares with it.
struct Seen {
    random: Random,
    bodies: Bodies,
    /// What went wrong since the last verdict.
    problems: Vec<String>,
    /// The breakpoints there are: where each was placed, and its hits in this call.
    placed: HashMap<BreakpointId, (ModuleId, WasmOffset, u32)>,
    /// The breakpoint that this call must hit.
    expected: Option<BreakpointId>,
    /// The latest answer to a stop was a step.
    stepping: bool,
    /// The function and arguments of this call, until its first stop.
    entry: Option<(Module, FuncIndex, Vec<Val>)>,
    /// The live frames, outermost first: id, function, latest offset.
    trail: Vec<(usize, ModuleId, FuncIndex, WasmOffset)>,
    /// The stack of this call was too deep to be followed, and so many of its stops are overlooked.
    lost: Option<u32>,
    /// Of everything that was shown so far.
    digest: DefaultHasher,
}

/// Live frames above which most stops are overlooked: walking them all at each takes time that grows with the square.
const FRAMES_FOLLOWED: usize = 1000;
/// How many are overlooked then, before one is looked at.
const OVERLOOKED: u32 = 255;

/// Live frames above which nothing shown counts for the digest: how deep a stack may get is no tier's promise.
const FRAMES_DIGESTED: usize = 200;

impl Seen {
    fn problem(&mut self, what: impl FnOnce() -> String) {
        if self.problems.len() < 10 {
            self.problems.push(what());
        }
    }

    fn placed(&mut self, breakpoint: &Breakpoint) {
        for place in &breakpoint.places {
            self.placed.insert(breakpoint.id, (place.module.id(), place.offset, 0));
        }
    }

    /// A random offset in a function body of `module`.
    fn random_offset(&mut self, module: &Module) -> Option<WasmOffset> {
        let bodies = &module.info().bodies;
        let body = bodies.get(self.random.below(bodies.len()))?;
        let at = body.bytes.start + self.random.below(body.bytes.len());
        Some(WasmOffset::from_usize(at))
    }

    fn random_breakpoint(&mut self) -> Option<BreakpointId> {
        let mut ids: Vec<_> = self.placed.keys().copied().collect();
        ids.sort_unstable();
        let index = self.random.below(ids.len());
        ids.get(index).copied()
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Attaches a debugger to `store`, in the modes that have one.
    pub fn new(mode: Mode, seed: u64, store: &mut Store) -> Result<Watch> {
        let seen = Seen {
            random: Random(seed | 1),
            bodies: Bodies::default(),
            problems: Vec::new(),
            placed: HashMap::new(),
            expected: None,
            stepping: false,
            entry: None,
            trail: Vec::new(),
            lost: None,
            digest: DefaultHasher::new(),
        };
        let mut watch = Watch { mode, debugger: None, seen: Arc::new(Mutex::new(seen)), modules: Vec::new() };
        watch.attach(store)?;
        Ok(watch)
    }

    fn attach(&mut self, store: &mut Store) -> Result<()> {
        let seen = self.seen.clone();
        self.debugger = match self.mode {
            Mode::Production => None,
            Mode::Serialized if lock(&seen).random.one_in(2) => None,
            Mode::Debug | Mode::Serialized => Some(Debugger::attach(store, move |stop| at_stop(&seen, stop))?),
            Mode::Step => {
                let debugger = Debugger::attach(store, move |stop| at_step(&seen, stop))?;
                debugger.step_always(store, true)?;
                Some(debugger)
            }
            Mode::Resume => {
                super::replace::attach(store)?;
                None
            }
        };
        Ok(())
    }

    /// To be called before a module is instantiated (its start function runs then).
    pub fn before_instance(&mut self, store: &mut Store, module: &Module) -> Result<()> {
        if matches!(self.mode, Mode::Production | Mode::Resume) {
            return Ok(());
        }
        self.modules.push(module.clone());
        self.reset(None);
        if self.mode.random() {
            self.scatter(store)?;
        }
        Ok(())
    }

    /// To be called before a function is called, with its arguments.
    pub fn before_call(&mut self, store: &mut Store, func: Func, arguments: &[Val]) -> Result<()> {
        if matches!(self.mode, Mode::Production | Mode::Resume) {
            return Ok(());
        }
        let target = match func.module_function(&*store)? {
            Some((instance, index)) => Some((instance.module(&*store)?.clone(), index)),
            None => None,
        };
        let target = target.filter(|(module, index)| module.info().defined(*index).is_some());
        self.reset(target.clone().map(|(module, index)| (module, index, arguments.to_vec())));
        if self.mode == Mode::Step {
            return Ok(());
        }
        if lock(&self.seen).random.one_in(16) {
            if let Some(debugger) = self.debugger.take() {
                debugger.detach(store)?;
            }
            lock(&self.seen).placed.clear();
            self.attach(store)?;
        }
        self.scatter(store)?;
        let expect = lock(&self.seen).random.one_in(2);
        if let (true, Some((module, index)), Some(debugger)) = (expect, target, &self.debugger) {
            let breakpoint = debugger.break_at_function(store, &module, index)?;
            let mut seen = lock(&self.seen);
            seen.placed(&breakpoint);
            seen.expected = Some(breakpoint.id);
        }
        Ok(())
    }

    /// A number for everything that the debugger has shown: the same in every tier.
    pub fn digest(&self) -> u64 {
        lock(&self.seen).digest.finish()
    }

    /// To be called after either.
    pub fn after_call(&mut self) {
        let mut seen = lock(&self.seen);
        if self.mode.random() && seen.expected.is_some() {
            seen.expected = None;
            seen.problem(|| "the breakpoint at the called function was not hit".into());
        }
        if self.mode == Mode::Step && seen.entry.is_some() {
            seen.entry = None;
            seen.problem(|| "the call did not stop at all".into());
        }
    }

    /// Whether all stops were right since this was asked last.
    pub fn verdict(&mut self) -> std::result::Result<(), String> {
        let problems = std::mem::take(&mut lock(&self.seen).problems);
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    fn reset(&mut self, entry: Option<(Module, FuncIndex, Vec<Val>)>) {
        let mut seen = lock(&self.seen);
        seen.trail.clear();
        seen.lost = None;
        seen.stepping = false;
        seen.entry = entry;
        for placed in seen.placed.values_mut() {
            placed.2 = 0;
        }
    }

    /// Sets and clears a few breakpoints.
    fn scatter(&mut self, store: &mut Store) -> Result<()> {
        let Some(debugger) = &self.debugger else { return Ok(()) };
        let count = lock(&self.seen).random.below(3);
        for _ in 0..count {
            let mut seen = lock(&self.seen);
            let clear = if seen.placed.len() > 12 { true } else { seen.random.one_in(3) };
            if clear {
                let Some(id) = seen.random_breakpoint() else { continue };
                seen.placed.remove(&id);
                drop(seen);
                debugger.remove(store, id)?;
                continue;
            }
            // Mostly in one of the latest modules.
            let back = seen.random.below(4) + 1;
            let Some(module) = self.modules.get(self.modules.len().saturating_sub(back)) else { continue };
            let Some(offset) = seen.random_offset(module) else { continue };
            drop(seen);
            // A place behind the last instruction that can be reached has none to slip to.
            if let Ok(breakpoint) = debugger.break_at(store, module, offset) {
                let mut seen = lock(&self.seen);
                if breakpoint.offset() < Some(offset) {
                    seen.problem(|| format!("a breakpoint asked for at {offset} was placed before it"));
                }
                seen.placed(&breakpoint);
            }
        }
        Ok(())
    }
}

/// Reads all of a frame and checks what can be checked alone.
fn read(seen: &mut Seen, frame: &Frame<'_>) {
    let module = frame.module();
    let (func, offset) = (frame.func(), frame.offset());
    let Some(body) = seen.bodies.of(module, func) else {
        return seen.problem(|| format!("a frame of function {func}, which has no body"));
    };
    let expected = body.locals.clone();
    let known = body.instructions.contains_key(&offset.get());
    if !known {
        seen.problem(|| format!("a frame of function {func} stands at {offset}, where no instruction starts"));
    }
    let locals = frame.locals();
    if !locals.iter().map(Val::ty).eq(expected.iter().copied()) {
        seen.problem(|| format!("the locals {locals:?} of function {func} should be {expected:?}"));
    }
    let operands = frame.operands();
    if operands.len() != frame.operand_count() {
        seen.problem(|| format!("{} operands, but {} were counted", operands.len(), frame.operand_count()));
    }
}

/// The stop callback of the mode `debug`.
fn at_stop(shared: &Mutex<Seen>, stop: &mut Stop<'_>) -> Action {
    let mut seen = lock(shared);
    if let Some(frame) = stop.frame(0) {
        read(&mut seen, &frame);
    } else {
        seen.problem(|| "a stop without a frame".into());
    }
    let here = stop.frame(0).map(|frame| (frame.module().id(), frame.offset()));
    let mut tired = None;
    match stop.reason().clone() {
        Reason::Breakpoint(ids) => {
            for id in ids {
                match seen.placed.get_mut(&id) {
                    Some((module, offset, hits)) => {
                        let asked = (*module, *offset);
                        *hits += 1;
                        if *hits > HITS_PER_CALL {
                            tired = Some(id);
                        }
                        if here != Some(asked) {
                            seen.problem(|| format!("breakpoint {id:?} at {asked:?} hit at {here:?}"));
                        }
                    }
                    None => seen.problem(|| format!("a stop at a breakpoint that is not set: {id:?}")),
                }
                if seen.expected == Some(id) {
                    seen.expected = None;
                }
            }
        }
        Reason::Step if seen.stepping => {}
        Reason::Step => seen.problem(|| format!("a step ended at {here:?} that nobody asked for")),
        Reason::Exception => seen.problem(|| format!("a stop at an exception at {here:?} that nobody asked for")),
        reason @ (Reason::Pause
        | Reason::Module(_)
        | Reason::Instance(_)
        | Reason::MemoryGrown(_)
        | Reason::HostCall(_)
        | Reason::HostReturn(_)) => {
            seen.problem(|| format!("{reason:?} at {here:?}, for which nobody has asked"));
        }
        Reason::Watchpoint(hits) => seen.problem(|| format!("a watchpoint at {here:?}, but none was set: {hits:?}")),
        Reason::Trap { .. } => return Action::Continue,
    }
    // Edit breakpoints from inside.
    let debugger = stop.debugger();
    if let Some(id) = tired.or_else(|| seen.random.one_in(40).then(|| seen.random_breakpoint()).flatten()) {
        seen.placed.remove(&id);
        if seen.expected == Some(id) {
            seen.expected = None;
        }
        if let Err(error) = debugger.remove(stop, id) {
            seen.problem(|| format!("clearing a breakpoint inside a stop: {error}"));
        }
    }
    if seen.random.one_in(40) {
        let module = stop.frame(0).map(|frame| frame.module().clone());
        let place = module.and_then(|module| seen.random_offset(&module).map(|offset| (module, offset)));
        if let Some(Ok(breakpoint)) = place.map(|(module, offset)| debugger.break_at(stop, &module, offset)) {
            seen.placed(&breakpoint);
        }
    }
    let action = match seen.random.below(8) {
        0 => Action::StepInstruction,
        1 => Action::StepOver,
        2 => Action::StepOut,
        _ => Action::Continue,
    };
    seen.stepping = action != Action::Continue;
    action
}

/// Adds what a frame shows.
fn digest(digest: &mut DefaultHasher, frame: &Frame<'_>) {
    (frame.func().get(), frame.offset().get(), frame.called_through_host()).hash(digest);
    for value in frame.locals().into_iter().chain(frame.operands()) {
        match value {
            Val::I32(value) => value.hash(digest),
            Val::I64(value) => value.hash(digest),
            Val::F32(bits) => bits.hash(digest),
            Val::F64(bits) => bits.hash(digest),
            Val::V128(bytes) => bytes.hash(digest),
            // Where they are is no tier's promise.
            Val::FuncRef(function) => function.is_some().hash(digest),
            Val::ExternRef(value) => value.is_some().hash(digest),
            Val::ExnRef(value) => value.is_some().hash(digest),
            Val::AnyRef(value) => value.map(|value| value.as_i31()).hash(digest),
        }
    }
}

/// The stop callback of the mode `step`.
fn at_step(shared: &Mutex<Seen>, stop: &mut Stop<'_>) -> Action {
    let mut seen = lock(shared);
    if let Some(left @ 1..) = &mut seen.lost {
        *left -= 1;
        return Action::Continue;
    }
    let depth = stop.frame_count();
    if depth > FRAMES_FOLLOWED {
        seen.lost = Some(OVERLOOKED);
    }
    for index in 0..depth {
        let wanted = depth <= FRAMES_READ || index < FRAMES_READ / 2 || index >= depth - FRAMES_READ / 2;
        if let Some(frame) = stop.frame(index).filter(|_| wanted) {
            read(&mut seen, &frame);
            if depth <= FRAMES_DIGESTED {
                digest(&mut seen.digest, &frame);
            }
        }
    }
    let Some(frame) = stop.frame(0) else {
        seen.problem(|| "a stop without a frame".into());
        return Action::Continue;
    };
    match stop.reason() {
        Reason::Step => {}
        Reason::Trap { .. } => return Action::Continue,
        reason => {
            let reason = format!("{reason:?}, for which nobody has asked");
            seen.problem(|| reason);
        }
    }
    let (module, func, offset) = (frame.module(), frame.func(), frame.offset());
    if let Some((called, index, arguments)) = seen.entry.take() {
        let locals = frame.locals();
        if (called.id(), index, 1) != (module.id(), func, depth) {
            seen.problem(|| format!("the first stop of a call to function {index} is in {func}, depth {depth}"));
        } else if !same(&locals[..arguments.len()], &arguments) {
            seen.problem(|| format!("called with {arguments:?}, the function's locals are {locals:?}"));
        }
    }
    if seen.lost.is_none() {
        follow(&mut seen, (frame.id(), module, func, offset), depth);
    }
    Action::Continue
}

/// Checks that a stop follows from the frame's previous one.
fn follow(seen: &mut Seen, at: (usize, &Module, FuncIndex, WasmOffset), depth: usize) {
    let (id, module, func, offset) = at;
    seen.trail.truncate(depth);
    let current = (id, module.id(), func, offset);
    let previous = if seen.trail.len() == depth { seen.trail.pop() } else { None };
    if seen.trail.len() + 1 != depth {
        seen.problem(|| format!("a frame was entered at {offset} that never stopped at its first instruction"));
        seen.trail.resize(depth - 1, current);
    }
    seen.trail.push(current);
    let Some(body) = seen.bodies.of(module, func) else { return };
    let expected = match previous {
        Some((last_id, last_module, last_func, last))
            if (last_id, last_module, last_func) == (id, module.id(), func) =>
        {
            body.instructions.get(&last.get()).copied().flatten()
        }
        _ => body.instructions.keys().min().copied(),
    };
    if let Some(expected) = expected.filter(|expected| *expected != offset.get()) {
        seen.problem(|| format!("function {func}: the next stop is at {offset}, but {expected} comes first"));
    }
}

/// Whether two lists of values are the same to the bit; references by whether they are null.
fn same(a: &[Val], b: &[Val]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| match (a, b) {
            (Val::I32(a), Val::I32(b)) => a == b,
            (Val::I64(a), Val::I64(b)) => a == b,
            (Val::F32(a), Val::F32(b)) => a == b,
            (Val::F64(a), Val::F64(b)) => a == b,
            (Val::V128(a), Val::V128(b)) => a == b,
            (Val::FuncRef(a), Val::FuncRef(b)) => a.is_some() == b.is_some(),
            (Val::ExternRef(a), Val::ExternRef(b)) => a.is_some() == b.is_some(),
            (Val::ExnRef(a), Val::ExnRef(b)) => a.is_some() == b.is_some(),
            (Val::AnyRef(a), Val::AnyRef(b)) => a.map(|a| a.as_i31()) == b.map(|b| b.as_i31()),
            _ => false,
        })
}
