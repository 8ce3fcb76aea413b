//! What the debugger does during a case: where it stops, what it looks at, how it goes on, what it changes. Everything
//! is decided by a seed and the stop's number, so that the same stops lead to the same doings.

use super::case::{Seat, Shared};
use super::mutate;
use super::random::Random;
use super::record::Observation;
use std::fmt;
use std::sync::Arc;
use stepwell::base::WasmOffset;
use stepwell::debug::{Action, Condition, Debugger, Events, Reason, Stop, WatchKind};
use stepwell::runtime::{AsStoreMut, Module, ModuleId, Store, TrapCode};
use wasmparser::{BinaryReader, FunctionBody};

/// Breakpoints that a case has at a time, at most, where they are random.
const MOST_BREAKPOINTS: usize = 24;

/// The same of watched locals.
const MOST_WATCHPOINTS: usize = 4;

/// Where the guest stops at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Everywhere, by `step_always`.
    Stepping,
    /// At each function's first instruction.
    Entries,
    /// At each instruction of all functions, by a breakpoint.
    EachInstruction,
    /// At the instructions of one function after the other: of that one whose number is the call's.
    OneFunction,
    /// At so many random offsets, which may be in the middle of instructions or in code that is never reached.
    Random(usize),
}

/// How the guest goes on from a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    Continue,
    StepInstruction,
    StepOver,
    StepOut,
    /// Any of them.
    Any,
    /// The same, but those steps that go through every instruction on a long way.
    AnyShort,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// All of the innermost frame at every stop, all others at some.
    All,
    /// Nothing at some stops, the place alone at others.
    Some,
}

/// What happens after so many stops in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The rest runs without stops.
    Run,
    /// The call is ended by a trap.
    Trap,
}

#[derive(Clone, Copy, Debug)]
pub struct Drive {
    pub begin: Begin,
    pub go: Go,
    pub look: Look,
    /// Breakpoints are set and cleared, and stepping switched, inside stops.
    pub edit: bool,
    /// Memories, globals and tables are changed, memories grown, exports called, inside stops.
    pub change: bool,
    /// So are locals and operands. A guest may run astray by that, so each instruction is stopped at.
    pub change_frames: bool,
    /// Any events are stops, other ones from time to time.
    pub events: bool,
    /// Stops in one call.
    pub limit: usize,
    pub end: End,
    pub seed: u64,
}

impl fmt::Display for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:?}, then {:?}, looking at {:?}", self.begin, self.go, self.look)?;
        for (on, what) in [(self.edit, "editing"), (self.change, "changing"), (self.events, "events")] {
            if on {
                write!(f, ", {what}")?;
            }
        }
        write!(f, ", {} stops, then {:?}, seed {}]", self.limit, self.end, self.seed)
    }
}

impl Drive {
    /// Every instruction.
    pub fn step(limit: usize) -> Drive {
        Drive {
            begin: Begin::Stepping,
            go: Go::Continue,
            look: Look::All,
            edit: false,
            change: false,
            change_frames: false,
            events: false,
            limit,
            end: End::Run,
            seed: 0,
        }
    }

    /// A breakpoint at every instruction.
    pub fn each_instruction(limit: usize) -> Drive {
        Drive { begin: Begin::EachInstruction, ..Drive::step(limit) }
    }

    /// Breakpoints at every instruction of one function, another one in each call.
    pub fn one_function(limit: usize) -> Drive {
        Drive { begin: Begin::OneFunction, ..Drive::step(limit) }
    }

    /// Steps by the callback's answers, from each entry on.
    pub fn answers(go: Go, limit: usize) -> Drive {
        Drive { begin: Begin::Entries, go, look: Look::Some, ..Drive::step(limit) }
    }

    /// Random breakpoints.
    pub fn breakpoints(seed: u64, limit: usize) -> Drive {
        let look = if seed.is_multiple_of(2) { Look::All } else { Look::Some };
        Drive { begin: Begin::Random(1 + seed as usize % 9), look, seed, ..Drive::step(limit) }
    }

    /// Random steps and edits.
    pub fn random(seed: u64, limit: usize) -> Drive {
        let look = if seed.is_multiple_of(2) { Look::All } else { Look::Some };
        Drive { begin: Begin::Random(6), go: Go::Any, look, edit: true, seed, ..Drive::step(limit) }
    }

    /// The same, and changes of what the guest sees.
    pub fn changes(seed: u64, limit: usize) -> Drive {
        let begin = match seed % 4 {
            0 => Begin::Stepping,
            1 => Begin::EachInstruction,
            _ => Begin::Random(8),
        };
        Drive { begin, change: true, end: End::Trap, ..Drive::random(seed, limit) }
    }

    /// Changes while every instruction is stopped at, so that a guest which runs astray by them comes to its end.
    pub fn changes_in_steps(seed: u64, limit: usize) -> Drive {
        let changes = Drive { change_frames: true, edit: false, ..Drive::changes(seed, limit) };
        Drive { begin: Begin::Stepping, go: Go::StepInstruction, ..changes }
    }

    /// Events, and steps from them on; the guest does what it would do alone.
    pub fn events(seed: u64, limit: usize) -> Drive {
        let go = [Go::Continue, Go::StepInstruction, Go::StepOver, Go::StepOut][seed as usize / 2 % 4];
        Drive { begin: Begin::Random(seed as usize % 5), go, events: true, ..Drive::breakpoints(seed, limit) }
    }

    /// Events among everything else.
    pub fn events_and_changes(seed: u64, limit: usize) -> Drive {
        Drive { events: true, ..Drive::changes(seed, limit) }
    }

    /// Whether the guest does not do what it would do alone.
    pub fn interferes(&self) -> bool {
        self.change || self.end == End::Trap || matches!(self.go, Go::Any | Go::AnyShort)
    }

    /// Whether all instructions are stopped at.
    pub fn stops_everywhere(&self) -> bool {
        matches!(self.begin, Begin::Stepping | Begin::EachInstruction)
            && !self.interferes()
            && self.look == Look::All
            && self.go == Go::Continue
    }

    /// To be called before each call from outside: sets what the guest stops at.
    pub fn prepare(&self, debugger: &Debugger, store: &mut Store, shared: &Shared, call: usize) {
        let modules = shared.modules().to_vec();
        let mut random = Random::of(self.seed, 0x1000_0000 + call as u64);
        if self.events {
            debugger.set_events(store, some_events(&mut random)).unwrap();
        }
        match self.begin {
            Begin::Stepping => debugger.step_always(store, true).unwrap(),
            Begin::Entries if debugger.breakpoint_count(store).unwrap() == 0 => {
                for module in &modules {
                    for body in &module.info().bodies {
                        let func = module.info().func_index(body.func);
                        debugger.break_at_function(store, module, func).unwrap();
                    }
                }
            }
            Begin::EachInstruction if debugger.breakpoint_count(store).unwrap() == 0 => {
                for (module, places) in modules.iter().zip(shared.places()) {
                    for offset in (0..module.info().bodies.len()).flat_map(|func| instructions(module, func)) {
                        if places.binary_search(&offset).is_ok() {
                            debugger.break_at(store, module, WasmOffset::new(offset)).unwrap();
                        }
                    }
                }
            }
            Begin::OneFunction => {
                clear(debugger, store);
                let (module, places) = (&modules[call % modules.len()], &shared.places()[call % modules.len()]);
                let count = module.info().bodies.len().max(1);
                for offset in instructions(module, call / modules.len() % count) {
                    if places.binary_search(&offset).is_ok() {
                        debugger.break_at(store, module, WasmOffset::new(offset)).unwrap();
                    }
                }
            }
            Begin::Random(count) => {
                let there = debugger.breakpoint_count(store).unwrap();
                for _ in there.min(count)..count {
                    scatter(debugger, store, shared, &mut random);
                }
            }
            Begin::Entries | Begin::EachInstruction => {}
        }
    }
}

/// Each as often as not.
fn some_events(random: &mut Random) -> Events {
    Events::from_bits(random.below(Events::ALL.bits() as usize + 1) as u32).expect("bits of events alone")
}

/// Notes what an event tells of, in words that are the same for both engines.
fn put_event(shared: &Shared, stop: &Stop<'_>, seen: &mut Observation) {
    let number = |module: ModuleId| shared.modules().iter().position(|known| known.id() == module).unwrap_or(99);
    match stop.reason() {
        Reason::Module(module) => seen.put("module", number(*module) as u64),
        Reason::Instance(instance) => seen.put("instance of", number(instance.module(stop).unwrap().id()) as u64),
        Reason::MemoryGrown(grown) => {
            seen.put("grown from", grown.before);
            seen.put("to", grown.pages);
            seen.put("size", grown.memory.size(stop).unwrap());
        }
        Reason::HostCall(called) | Reason::HostReturn(called) => {
            seen.put("failed", u64::from(called.failed));
            seen.put("takes", called.func.ty(stop).unwrap().params.len() as u64);
            seen.put_list(stop, "values", &called.values);
        }
        _ => {}
    }
}

/// The offsets of a function's instructions.
pub fn instructions(module: &Module, func: usize) -> Vec<u32> {
    let Some(body) = module.info().bodies.get(func) else { return Vec::new() };
    let range = body.bytes.clone();
    let body = FunctionBody::new(BinaryReader::new(&module.binary()[range.clone()], range.start as u64));
    let operators = body.get_operators_reader().unwrap().into_iter_with_offsets();
    operators.map(|operator| operator.unwrap().1 as u32).collect()
}

fn clear(debugger: &Debugger, store: &mut impl AsStoreMut) {
    for breakpoint in debugger.breakpoints(store).unwrap() {
        debugger.remove(store, breakpoint.id).unwrap();
    }
    for watchpoint in debugger.watchpoints(store).unwrap() {
        debugger.remove_watchpoint(store, watchpoint.id).unwrap();
    }
}

/// Has a local of some frame watched, or one no longer, or switches it off or on.
fn watch(debugger: &Debugger, stop: &mut Stop<'_>, seen: &mut Observation, random: &mut Random) {
    let there = debugger.watchpoints(stop).unwrap();
    seen.put("watched", there.len() as u64);
    if !there.is_empty() && (there.len() >= MOST_WATCHPOINTS || random.one_in(3)) {
        let one = &there[random.below(there.len())];
        match random.one_in(2) {
            true => debugger.remove_watchpoint(stop, one.id).unwrap(),
            false => debugger.enable_watchpoint(stop, one.id, !one.enabled).unwrap(),
        }
        return;
    }
    // Mostly one of those further in, since the outermost do little.
    let frames = stop.frame_count();
    let frame = if random.one_in(2) { random.below(frames.min(2)) } else { random.below(frames) };
    let count = stop.frame(frame).expect("a frame below the count").local_count();
    if count > 0 {
        let (local, kind) = (random.below(count), [WatchKind::Write, WatchKind::Change][random.below(2)]);
        let id = debugger.watch_local(stop, frame, local, kind).unwrap();
        seen.put("watch", u64::from(id.get()) << 16 | (frame as u64) << 8 | local as u64);
    }
}

/// Sets a breakpoint somewhere; tells where it came to stand.
fn scatter(debugger: &Debugger, store: &mut impl AsStoreMut, shared: &Shared, random: &mut Random) -> u64 {
    let index = random.below(shared.modules().len());
    let (module, places) = (&shared.modules()[index], &shared.places()[index]);
    if places.is_empty() {
        return 0;
    }
    let offset = WasmOffset::new(random.pick(places));
    u64::from(debugger.break_at(store, module, offset).unwrap().offset().unwrap().get())
}

/// The callback.
pub fn on_stop(drive: &Drive, shared: &Arc<Shared>, stop: &mut Stop<'_>) -> Action {
    let Some(Seat { number, in_call, host, shown, nesting }) = shared.take_seat() else {
        return Action::Trap("what a stack overflow has left is not compared".into());
    };
    let mut random = Random::of(drive.seed, number as u64);
    let mut seen = Observation::new(shown);
    let place = stop.top().map(|frame| (frame.func(), frame.offset()));
    seen.put_reason(stop.reason());
    put_event(shared, stop, &mut seen);
    seen.put("host", host);
    // What is left is the same at each instruction, whichever way the guest has come there.
    if let Ok(left) = stop.as_store_mut().fuel() {
        seen.put("fuel", left);
    }
    let trap = matches!(stop.reason(), Reason::Trap(_));
    if *stop.reason() == Reason::Trap(TrapCode::StackOverflow) {
        shared.overflowed();
    }
    let debugger = stop.debugger();
    look(drive, stop, &mut seen, &mut random, number, trap);
    if drive.change && !trap && random.one_in(4) {
        let mut may_call = nesting < mutate::DEEPEST;
        for _ in 0..1 + random.below(3) {
            mutate::at_stop(drive, shared, stop, &mut seen, &mut random, &mut may_call);
        }
        // Nothing of the state is to have changed with it.
        look(drive, stop, &mut seen, &mut random, number, false);
    }
    let mut action = match drive.go {
        Go::Continue => Action::Continue,
        Go::StepInstruction => Action::StepInstruction,
        Go::StepOver => Action::StepOver,
        Go::StepOut => Action::StepOut,
        Go::AnyShort => match random.below(8) {
            0..=2 => Action::StepInstruction,
            3 => Action::StepOver,
            4 => Action::StepOut,
            5 => Action::StepOutOf(random.below(4)),
            _ => Action::Continue,
        },
        Go::Any => match random.below(12) {
            0..=2 => Action::StepInstruction,
            3 => Action::StepOver,
            4 => Action::StepOut,
            5 => Action::StepLine,
            6 => Action::NextLine,
            7 => Action::StepOutOf(random.below(4)),
            8 => Action::RunTo(somewhere(shared, stop, &mut random)),
            _ => Action::Continue,
        },
    };
    if drive.events && random.one_in(4) {
        let events = some_events(&mut random);
        debugger.set_events(stop, events).unwrap();
        seen.put("events", u64::from(events.bits()));
    }
    if drive.edit {
        edit(&debugger, stop, shared, &mut seen, &mut random);
        if random.one_in(3000) {
            action = Action::Trap("enough of it".into());
        }
    }
    // Not in real programs, in whose loops each write of a watched local stops the guest for a moment.
    let watches = (drive.edit || drive.change_frames) && drive.go != Go::AnyShort;
    if watches && random.one_in(9) && stop.frame_count() > 0 {
        watch(&debugger, stop, &mut seen, &mut random);
    }
    if in_call >= drive.limit {
        action = match drive.end {
            End::Trap => Action::Trap("enough stops".into()),
            End::Run => {
                debugger.step_always(stop, false).unwrap();
                debugger.set_events(stop, Events::TRAP).unwrap();
                clear(&debugger, stop);
                Action::Continue
            }
        };
    }
    shared.give_back(seen, place);
    action
}

/// Some instructions of the innermost frame's function, and one that may be of another.
fn somewhere(shared: &Shared, stop: &Stop<'_>, random: &mut Random) -> Vec<WasmOffset> {
    let Some(frame) = stop.top() else { return Vec::new() };
    let info = frame.module().info();
    let func = info.defined(frame.func()).expect("what runs is defined");
    let own = instructions(frame.module(), func.index());
    let places = shared.places();
    let any = &places[random.below(places.len())];
    let other = (!any.is_empty()).then(|| random.pick(any));
    (0..2).map(|_| random.pick(&own)).chain(other).map(WasmOffset::new).collect()
}

fn look(drive: &Drive, stop: &Stop<'_>, seen: &mut Observation, random: &mut Random, number: usize, trap: bool) {
    let level = match drive.look {
        Look::All if number.is_multiple_of(5) => 3,
        Look::All => 2,
        Look::Some => random.below(4),
    };
    let level = if trap { 3 } else { level };
    let outer_first = level == 3 && random.one_in(3);
    if outer_first {
        seen.put_outer_frames(stop, random.one_in(2));
    }
    match (level, stop.top()) {
        (0, _) => {}
        (1, Some(frame)) => seen.put_place(&frame),
        (_, Some(frame)) => {
            if random.one_in(8) {
                // One by one, from the other end.
                seen.put("operands", frame.operand_count() as u64);
                for index in (0..frame.local_count()).rev() {
                    seen.put_val(stop, &frame.local(index).expect("a local below the count"));
                }
            }
            seen.put_frame(stop, &frame);
        }
        (_, None) => seen.put("no frame", 0),
    }
    if level == 3 && !outer_first {
        seen.put_outer_frames(stop, random.one_in(2));
    }
}

/// Sets, clears and changes breakpoints, switches stepping.
fn edit(debugger: &Debugger, stop: &mut Stop<'_>, shared: &Arc<Shared>, seen: &mut Observation, random: &mut Random) {
    if random.one_in(6) {
        let there = debugger.breakpoints(stop).unwrap();
        if there.len() > MOST_BREAKPOINTS || (random.one_in(2) && there.len() > 2) {
            let id = there[random.below(there.len())].id;
            debugger.remove(stop, id).unwrap();
            seen.put("cleared", u64::from(id.get()));
        } else {
            seen.put("set", scatter(debugger, stop, shared, random));
        }
    }
    if random.one_in(8) {
        let there = debugger.breakpoints(stop).unwrap();
        if !there.is_empty() {
            let id = there[random.below(there.len())].id;
            let (what, count) = (random.below(5), random.below(4) as u64);
            let condition = Condition::text("local(0) != 1").unwrap();
            let changed = debugger.change_breakpoint(stop, id, |options| match what {
                0 | 1 => options.enabled = !options.enabled,
                2 => options.ignore = count,
                3 => options.one_shot = true,
                _ => options.condition = Some(condition),
            });
            // A function without a local, or with one that is no number, has no such condition.
            assert!(changed.is_ok() || what == 4, "{changed:?}");
            seen.put("changed", u64::from(id.get()) << 8 | (what as u64) << 1 | u64::from(changed.is_ok()));
        }
    }
    if random.one_in(12) && !stop.reason().breakpoints().is_empty() {
        let id = stop.reason().breakpoints()[0];
        debugger.remove(stop, id).unwrap_or_default();
    }
    if random.one_in(40) {
        debugger.step_always(stop, random.one_in(3)).unwrap();
    }
}
