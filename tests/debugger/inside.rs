//! Positions inside regions, through the Rust API: whatever a callback does there, everything that is seen, and what
//! the guest does, is what the simple tier gives, where every instruction is a place of its own.

use crate::guests::{call, module};
use std::sync::{Arc, Mutex};
use stepwell::base::{Error, FuncIndex, GlobalIndex, MemoryIndex, TableIndex, WasmOffset};
use stepwell::debug::{Action, BreakpointId, Debugger, Reason, Stop};
use stepwell::runtime::{
    AsStoreMut, Config, DebugTier, Engine, Extern, Func, Global, Instance, Memory, Module, Store, Table, Trap, Val,
};
use stepwell::{FuncType, GlobalType, Limits, MemoryType, RefType, TableType, ValType};

/// What is the same in all tiers: traps by signals or by checks, memories that stay or that move.
#[derive(Clone, Copy, Debug)]
struct Way {
    signals: bool,
    moving: bool,
}

const WAYS: [Way; 3] =
    [Way { signals: true, moving: false }, Way { signals: true, moving: true }, Way { signals: false, moving: true }];

fn engine(tier: DebugTier, way: Way) -> Engine {
    let mut config = Config { debug: true, debug_tier: tier, signals: way.signals, ..Config::default() };
    if way.moving {
        (config.memory_reservation, config.memory_guard) = (0, 0);
    }
    Engine::new(Config { nan_canonicalization: true, ..config }).unwrap()
}

/// What a call came to, with the place of every frame of a trap.
fn outcome(result: &Result<Vec<Val>, Error>) -> String {
    match result {
        Ok(values) => show(values),
        Err(error) => {
            let trap = error.payload::<Trap>();
            let frames: Vec<_> = trap
                .iter()
                .flat_map(|trap| trap.frames().iter().map(|frame| (frame.func().get(), frame.func_offset())))
                .collect();
            format!("{:?} {} {frames:?}", error.kind(), error.message().lines().next().unwrap_or_default())
        }
    }
}

/// Values, without addresses.
fn show(values: &[Val]) -> String {
    let one = |value: &Val| match value {
        Val::FuncRef(func) => format!("func:{}", func.is_some()),
        other => format!("{other:?}"),
    };
    values.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// All that is to be seen at a stop.
fn look(stop: &Stop<'_>) -> String {
    let reason = match stop.reason() {
        Reason::Breakpoint(ids) => format!("break {:?}", ids.iter().map(|id| id.get()).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    };
    let mut text = reason;
    for index in 0..stop.frame_count() {
        let frame = stop.frame(index).unwrap();
        let start = frame.module().info().defined(frame.func()).unwrap();
        let start = frame.module().info().bodies[start.index()].bytes.start as u32;
        assert_eq!(frame.local_count(), frame.locals().len());
        assert_eq!(frame.operand_count(), frame.operands().len());
        for (local, value) in frame.locals().iter().enumerate() {
            assert_eq!(show(&[frame.local(local).unwrap()]), show(&[*value]));
        }
        assert!(frame.local(frame.local_count()).is_none());
        let host = if frame.called_through_host() { " host" } else { "" };
        let at = frame.offset().get() - start;
        text += &format!(" | {}+{at}{host} {} {}", frame.func().get(), show(&frame.locals()), show(&frame.operands()));
    }
    text
}

/// A store that is debugged.
struct World {
    store: Store,
    module: Module,
    instance: Instance,
    debugger: Debugger,
    log: Log,
}

type Log = Arc<Mutex<Vec<String>>>;

impl World {
    /// `act` is told how many stops there were before.
    fn new(
        tier: DebugTier,
        way: Way,
        text: &str,
        act: impl Fn(&mut Stop<'_>, usize) -> Action + Send + Sync + 'static,
    ) -> World {
        World::with_log(tier, way, text, Log::default(), act)
    }

    /// The same, with a log that others write to as well.
    fn with_log(
        tier: DebugTier,
        way: Way,
        text: &str,
        log: Log,
        act: impl Fn(&mut Stop<'_>, usize) -> Action + Send + Sync + 'static,
    ) -> World {
        let engine = engine(tier, way);
        let module = module(&engine, text);
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let debugger = Debugger::attach(&mut store, {
            let log = log.clone();
            move |stop: &mut Stop<'_>| {
                let seen = look(stop);
                let count = {
                    let mut log = log.lock().unwrap();
                    log.push(seen.clone());
                    log.len() - 1
                };
                let action = act(stop, count);
                // Whatever was done, this stop is what it was.
                assert_eq!(look(stop), seen);
                action
            }
        })
        .unwrap();
        World { store, module, instance, debugger, log }
    }

    fn call(&mut self, name: &str, args: &[i32]) {
        let args: Vec<Val> = args.iter().copied().map(Val::I32).collect();
        let result = call(&mut self.store, self.instance, name, &args);
        self.log.lock().unwrap().push(format!("{name}: {}", outcome(&result)));
    }

    /// Breaks at the instruction of a function, counted from 0.
    fn break_at(&mut self, func: u32, nth: usize) -> BreakpointId {
        break_at(&mut self.store, &self.debugger, &self.module, func, nth)
    }
}

/// The instructions of a function that can be reached.
fn places(module: &Module, func: u32) -> Vec<WasmOffset> {
    let func = module.info().defined(FuncIndex::new(func)).unwrap();
    module.rerun(func).unwrap().image().instructions.iter().map(|row| row.wasm).collect()
}

/// Breaks at the instruction of a function, counted from 0.
fn break_at(store: &mut impl AsStoreMut, debugger: &Debugger, module: &Module, func: u32, nth: usize) -> BreakpointId {
    let at = places(module, func)[nth];
    let placed = debugger.break_at(store, module, at).unwrap();
    assert_eq!((placed.offset(), placed.func()), (Some(at), Some(FuncIndex::new(func))));
    placed.id
}

/// Runs in both tiers, and compares what was seen.
fn same(scenario: impl Fn(DebugTier, Way) -> World) -> Vec<String> {
    let mut seen = Vec::new();
    for way in WAYS {
        let run = |tier| std::mem::take(&mut *scenario(tier, way).log.lock().unwrap());
        let (expected, found) = (run(DebugTier::Simple), run(DebugTier::Regions));
        for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(found, expected, "{way:?}, line {index}");
        }
        assert_eq!(found, expected, "{way:?}");
        seen = found;
    }
    seen
}

#[test]
fn a_branch_to_nothing_but_a_trap_has_the_state_of_the_trap() {
    let changed = "(local.set 0 (i32.add (local.get 0) (i32.const 1)))";
    let five = "(i32.eq (local.get 0) (i32.const 5))";
    let bodies = [
        format!("{changed} (if {five} (then unreachable))"),
        format!("{changed} (if {five} (then) (else unreachable))"),
        format!("{changed} (block (br_if 0 {five}) return) unreachable"),
        format!("{changed} (block (br_if 0 {five}) unreachable)"),
        format!("(block {changed} (block (br_table 0 1 0 {five})) unreachable)"),
        // An operand takes the place of another one.
        format!(
            "local.get 0 i32.const 1 i32.add local.set 0 (i32.popcnt (local.get 0)) (if {five} (then unreachable)) drop"
        ),
        format!(
            "(i32.popcnt (local.get 0)) nop drop (i32.clz (local.get 0)) (block (br_if 0 {five}) {changed} (br_if 0 {five}) br 1) unreachable"
        ),
    ];
    for body in bodies {
        let text = format!(r#"(module (func (export "f") (param i32) {body}))"#);
        let seen = same(|tier, way| {
            let mut world = World::new(tier, way, &text, |_, _| Action::Continue);
            for arg in 2..7 {
                world.call("f", &[arg]);
            }
            world
        });
        assert!(seen.iter().any(|line| line.contains("Trap(Unreachable)")), "{body}: {seen:?}");
    }
}

/// A guest with a bit of everything that a region can hold.
const GUEST: &str = r#"(module
  (type $unary (func (param i32) (result i32)))
  (memory (export "memory") 1 4)
  (global $g (export "g") (mut i32) (i32.const 3))
  (global $h (export "h") (mut i64) (i64.const 5))
  (table $t (export "t") 4 8 funcref)
  (elem (i32.const 0) $inc $dec $poke)
  (data (i32.const 0) "\01\00\00\00\02\00\00\00\03\00\00\00\04\00\00\00")
  (func $inc (type $unary) (i32.add (local.get 0) (i32.load (i32.const 8))))
  (func $dec (type $unary) (i32.sub (local.get 0) (global.get $g)))
  (func $poke (type $unary)
    (i32.store (i32.const 16) (local.get 0))
    (i32.load (i32.const 16)) (i32.load (i32.const 4)) i32.add)
  (func $straight (export "straight") (type $unary) (local i32 i64)
    local.get 0
    (i32.load (i32.const 0))
    i32.add
    local.tee 1
    global.get $g
    i32.xor
    (if (result i32) (i32.and (i32.load (i32.const 4)) (i32.const 2))
      (then (i32.div_u (local.get 1) (i32.load (i32.const 8))))
      (else (i32.rem_s (local.get 1) (i32.load (i32.const 12)))))
    i32.add
    (block (br_if 0 (i32.lt_u (memory.size) (i32.const 2))) (local.set 1 (i32.load (i32.const 0x10000))))
    (i32.mul (i32.add (memory.size) (table.size $t)))
    (i32.add (ref.is_null (table.get $t (i32.const 3))))
    (local.set 2 (i64.extend_i32_s (local.get 1)))
    (block (block (block (br_table 0 1 2 (i32.load8_u (i32.const 1)))) (local.set 1 (i32.const 77))) (local.set 1 (i32.const 88)))
    (i32.wrap_i64 (i64.add (local.get 2) (global.get $h)))
    i32.add
    (i32.add (local.get 1)))
  (func $turns (export "turns") (type $unary) (local $sum i32) (local $i i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (i32.load (i32.shl (i32.and (local.get $i) (i32.const 3)) (i32.const 2)))))
      (if (i32.and (local.get $i) (i32.const 1)) (then (i32.store (i32.const 20) (local.get $sum))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get 0))))
    (i32.add (local.get $sum) (i32.load (i32.const 20))))
  (func $calls (export "calls") (type $unary) (local i32)
    (local.set 1 (call $inc (local.get 0)))
    (i32.add (local.get 1) (call_indirect $t (type $unary) (local.get 1) (i32.and (i32.load (i32.const 4)) (i32.const 3))))
    (global.set $g (i32.add (global.get $g) (i32.const 1)))
    (call $straight (local.get 0))
    i32.sub
    (if (result i32) (i32.eqz (local.get 0)) (then (return (i32.const -1))) (else (call $turns (i32.const 2))))
    (block (param i32) (result i32) (br_if 0 (i32.const 7) (global.get $g)) i32.sub)
    i32.xor)
  (func $down (export "down") (type $unary)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.load (i32.const 0)))
      (else (i32.add (i32.load (i32.const 4)) (call $down (i32.sub (local.get 0) (i32.const 1)))))))
  (func $wide (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64)
    (result i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64)
    (local.set 0 (i32.add (local.get 0) (i32.load (i32.const 0))))
    local.get 0 local.get 1 local.get 2 (f64.add (local.get 3) (f64.const 0.5)) (i32.add (local.get 16) (global.get $g))
    (i64.add (local.get 17) (global.get $h)) local.get 18 local.get 19 (i32.load (i32.const 4)) local.get 9 local.get 10 local.get 11)
  (func $spread (export "spread") (type $unary)
    (call $wide (local.get 0) (i64.const 2) (f32.const 3) (f64.const 4) (i32.const 5) (i64.const 6) (f32.const 7) (f64.const 8)
      (i32.const 9) (i64.const 10) (f32.const 11) (f64.const 12) (i32.const 13) (i64.const 14) (f32.const 15) (f64.const 16)
      (i32.const 17) (i64.const 18) (f32.const 19) (f64.const 20))
    drop drop drop drop drop drop drop drop drop drop drop)
  (func $traps (export "traps") (type $unary) (local i32)
    (local.set 1 (i32.mul (local.get 0) (i32.const 3)))
    local.get 1
    (i32.div_u (i32.const 100) (i32.sub (i32.load (i32.const 0)) (i32.const 1)))
    i32.add)
  (func (export "set") (param i32 i32) (i32.store (local.get 0) (local.get 1)) (global.set $g (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
)"#;
/// The functions of the guest that can be called with a number, by name and index.
const CALLED: [(&str, u32); 6] =
    [("straight", 3), ("turns", 4), ("calls", 5), ("down", 6), ("spread", 8), ("traps", 9)];
/// All with code of interest.
const FUNCTIONS: u32 = 10;

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) as usize % limit
    }
}

/// What a callback may do to the guest, by the numbers that it is given.
fn meddle(stop: &mut Stop<'_>, instance: Instance, below: &dyn Fn(usize) -> usize) {
    let value = below(5) as i32;
    let word = 4 * below(6);
    match below(8) {
        0..=2 => {
            let memory = instance.memory(&*stop, MemoryIndex::new(0)).unwrap();
            memory.write(stop, word, &value.to_le_bytes()).unwrap();
        }
        3 => instance.global(&*stop, GlobalIndex::new(0)).unwrap().set(stop, Val::I32(value)).unwrap(),
        4 => instance.global(&*stop, GlobalIndex::new(1)).unwrap().set(stop, Val::I64(value.into())).unwrap(),
        5 => {
            let func = instance.func(&mut *stop, FuncIndex::new(value as u32)).filter(|_| value > 0);
            let table = instance.table(&*stop, TableIndex::new(0)).unwrap();
            table.set(stop, below(4) as u64, Val::FuncRef(func)).unwrap();
        }
        6 => {
            // Beyond what it may grow to, sooner or later.
            let memory = instance.memory(&*stop, MemoryIndex::new(0)).unwrap();
            let _ = memory.grow(stop, below(2) as u64);
        }
        // The guest's own way, which may be trapped on its way.
        _ if stop.frame_count() < 8 => {
            let _ = call(stop, instance, "set", &[Val::I32(word as i32), Val::I32(value)]);
        }
        _ => {}
    }
}

/// Everything at once, over and over: breakpoints come and go, steps of all kinds, nested calls, changes.
fn at_random(tier: DebugTier, way: Way, seed: u64, meddling: bool, stops: usize) -> World {
    let random = Mutex::new(Random(seed));
    let nested = Arc::new(Mutex::new(0));
    let log = Log::default();
    let act = {
        let log = log.clone();
        move |stop: &mut Stop<'_>, count: usize| {
            // Calls from here may stop in turn, so nothing is locked meanwhile.
            let below = |limit| random.lock().unwrap().below(limit);
            let debugger = stop.debugger();
            let instance = stop.top().unwrap().instance().unwrap();
            let module = stop.top().unwrap().module().clone();
            if count > stops {
                for breakpoint in debugger.breakpoints(stop).unwrap() {
                    debugger.remove(stop, breakpoint.id).unwrap();
                }
                debugger.step_always(stop, false).unwrap();
                return Action::Continue;
            }
            for _ in 0..below(3) {
                match below(12) {
                    0 => {
                        for id in stop.reason().breakpoints().to_vec() {
                            // It may be gone.
                            let _ = debugger.remove(stop, id);
                        }
                    }
                    1..=4 => {
                        // Mostly in the same function.
                        let here = stop.top().unwrap().func().get();
                        let func = if below(3) == 0 { below(FUNCTIONS as usize) as u32 } else { here };
                        let nth = below(places(&module, func).len());
                        break_at(stop, &debugger, &module, func, nth);
                    }
                    5 => {
                        let all = debugger.breakpoints(stop).unwrap();
                        if !all.is_empty() {
                            debugger.remove(stop, all[below(all.len())].id).unwrap();
                        }
                    }
                    6 if below(6) == 0 => debugger.step_always(stop, true).unwrap(),
                    6 => debugger.step_always(stop, false).unwrap(),
                    7 if *nested.lock().unwrap() < 3 => {
                        *nested.lock().unwrap() += 1;
                        let name = CALLED[below(CALLED.len())].0;
                        let arg = below(4) as i32;
                        let result = call(stop, instance, name, &[Val::I32(arg)]);
                        log.lock().unwrap().push(format!("nested {name} {arg}: {}", outcome(&result)));
                        *nested.lock().unwrap() -= 1;
                        return Action::StepInstruction;
                    }
                    _ if meddling => meddle(stop, instance, &below),
                    _ => {}
                }
            }
            match below(40) {
                0..=15 => Action::StepInstruction,
                16..=23 => Action::StepOver,
                24..=28 => Action::StepOut,
                29 if meddling => Action::Trap("enough".into()),
                _ => Action::Continue,
            }
        }
    };
    let mut world = World::with_log(tier, way, GUEST, log, act);
    let mut random = Random(!seed);
    for round in 0..12 {
        let (name, func) = CALLED[random.below(CALLED.len())];
        let nth = random.below(places(&world.module, func).len());
        world.break_at(func, nth);
        world.call(name, &[round % 5]);
    }
    // What is left behind.
    let memory = world.instance.memory(&world.store, MemoryIndex::new(0)).unwrap();
    let left = format!("{:?} {}", &memory.data(&world.store).unwrap()[..32], memory.size(&world.store).unwrap());
    world.log.lock().unwrap().push(left);
    world
}

#[test]
fn whatever_a_callback_does_all_is_as_in_the_simple_tier() {
    let mut lines = 0;
    // The last has a step that ends with a call beside the next one.
    for seed in (0..20).chain([1013]) {
        lines += same(|tier, way| at_random(tier, way, seed, seed % 4 != 0, 400)).len();
    }
    assert!(lines > 2000, "{lines}");
}

/// What is answered from now on, for as many stops; then everything runs on.
type Answer = Arc<Mutex<(Action, usize)>>;

fn answering(tier: DebugTier, way: Way, text: &str) -> (World, Answer) {
    let answer: Answer = Arc::new(Mutex::new((Action::Continue, 0)));
    let asked = answer.clone();
    let world = World::new(tier, way, text, move |_, _| {
        let (action, left) = &mut *asked.lock().unwrap();
        *left = left.saturating_sub(1);
        if *left == 0 { Action::Continue } else { action.clone() }
    });
    (world, answer)
}

#[test]
fn steps_of_every_kind_from_every_instruction() {
    let seen = same(|tier, way| {
        let (mut world, answer) = answering(tier, way, GUEST);
        for (name, func) in CALLED.into_iter().chain([("spread", 7), ("calls", 0), ("calls", 1), ("calls", 2)]) {
            for nth in 0..places(&world.module, func).len() {
                let id = world.break_at(func, nth);
                for action in
                    [Action::StepInstruction, Action::StepOver, Action::StepOut, Action::Trap("here".to_owned())]
                {
                    *answer.lock().unwrap() = (action, 12);
                    world.call(name, &[2]);
                }
                world.debugger.remove(&mut world.store, id).unwrap();
            }
        }
        world
    });
    assert!(seen.len() > 2000, "{}", seen.len());
}

/// A callback's way to change something.
type Change = fn(&mut Stop<'_>, Instance);

fn write(stop: &mut Stop<'_>, instance: Instance, at: usize, value: i32) {
    instance.memory(&*stop, MemoryIndex::new(0)).unwrap().write(stop, at, &value.to_le_bytes()).unwrap();
}

const CHANGES: [Change; 9] = [
    |stop, instance| write(stop, instance, 0, 0x0002_0001),
    |stop, instance| write(stop, instance, 4, 0),
    |stop, instance| write(stop, instance, 8, 0),
    |stop, instance| instance.global(&*stop, GlobalIndex::new(0)).unwrap().set(stop, Val::I32(99)).unwrap(),
    |stop, instance| instance.global(&*stop, GlobalIndex::new(1)).unwrap().set(stop, Val::I64(-1)).unwrap(),
    |stop, instance| assert!(instance.memory(&*stop, MemoryIndex::new(0)).unwrap().grow(stop, 1).unwrap() > 0),
    |stop, instance| assert!(call(stop, instance, "grow", &[Val::I32(1)]).is_ok()),
    |stop, instance| assert!(call(stop, instance, "set", &[Val::I32(0), Val::I32(1)]).is_ok()),
    |stop, instance| {
        let inc = instance.func(&mut *stop, FuncIndex::new(0));
        instance.table(&*stop, TableIndex::new(0)).unwrap().set(stop, 3, Val::FuncRef(inc)).unwrap();
    },
];

#[test]
fn a_change_is_seen_by_all_that_follows_and_by_nothing_before() {
    let mut traps = 0;
    for (name, func) in [("straight", 3), ("turns", 4), ("calls", 5), ("down", 6), ("spread", 7), ("traps", 9)] {
        let (first, second) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let seen = same(|tier, way| {
            // An instruction, and a change; then a step, and another change in what has taken the frame's place.
            let (one, two) = (first.clone(), second.clone());
            let busy = Mutex::new(0);
            let mut world = World::new(tier, way, GUEST, move |stop, _| {
                if stop.top().unwrap().func().get() > 9 || matches!(stop.reason(), Reason::Trap(_)) {
                    return Action::Continue;
                }
                let turn = {
                    let mut busy = busy.lock().unwrap();
                    *busy += 1;
                    *busy
                };
                let instance = stop.top().unwrap().instance().unwrap();
                match turn % 5 {
                    1 => CHANGES[*one.lock().unwrap()](stop, instance),
                    3 => CHANGES[*two.lock().unwrap()](stop, instance),
                    _ => {}
                }
                if turn % 5 == 0 { Action::Continue } else { Action::StepOver }
            });
            for nth in 0..places(&world.module, func).len() {
                for change in 0..CHANGES.len() {
                    (*first.lock().unwrap(), *second.lock().unwrap()) = (change, (change + nth) % 5);
                    // All from the start again.
                    let instance = Instance::new(&mut world.store, &world.module, &[]).unwrap();
                    world.instance = instance;
                    let id = world.break_at(func, nth);
                    world.call(name, &[2]);
                    world.debugger.remove(&mut world.store, id).unwrap();
                    world.call(name, &[3]);
                }
            }
            world
        });
        traps += seen.iter().filter(|line| line.contains(": Trap ")).count();
    }
    assert!(traps > 30, "{traps}");
}

#[test]
fn breakpoints_move_within_a_region() {
    let text = r#"(module (memory 1) (func (export "f") (param i32) (result i32) (local i32)
        (loop (local.set 1 (i32.add (local.get 1) (i32.mul (local.get 0) (i32.load (i32.const 4)))))
          (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) local.get 1))"#;
    for start in 1..11 {
        let seen = same(|tier, way| {
            let mut world = World::new(tier, way, text, move |stop, count| {
                let module = stop.top().unwrap().module().clone();
                let debugger = stop.debugger();
                for id in stop.reason().breakpoints().to_vec() {
                    debugger.remove(stop, id).unwrap();
                }
                let all = places(&module, 0);
                let here = all.iter().position(|at| *at == stop.top().unwrap().offset()).unwrap();
                // One further on, one behind, and one here, for the next turn.
                for nth in [here + 1 + count % 3, here.saturating_sub(1 + count % 4), here] {
                    if nth < all.len() && debugger.breakpoint_count(stop).unwrap() < 4 {
                        break_at(stop, &debugger, &module, 0, nth);
                    }
                }
                Action::Continue
            });
            world.break_at(0, start);
            world.call("f", &[6]);
            world
        });
        assert!(seen.len() > 6, "{start}: {seen:?}");
    }
}

#[test]
fn runs_nest_inside_regions_and_outer_frames_stay_where_they_are() {
    for ends in [Action::Continue, Action::StepOver, Action::StepOut, Action::Trap("inside".to_owned())] {
        let seen = same(|tier, way| {
            let ends = ends.clone();
            let mut world = World::new(tier, way, GUEST, move |stop, _| {
                let frames = stop.frame_count();
                let instance = stop.top().unwrap().instance().unwrap();
                if frames < 4 && matches!(stop.reason(), Reason::Breakpoint(_)) {
                    // `look` sees to it that nothing has changed for the outer ones. Then they see the change.
                    let result = call(stop, instance, "straight", &[Val::I32(frames as i32)]);
                    assert!(result.is_err() || !matches!(ends, Action::Trap(_)));
                    write(stop, instance, 4, frames as i32);
                }
                ends.clone()
            });
            for nth in [3, 7, 12, 17, 25] {
                world.break_at(3, nth);
            }
            world.call("straight", &[9]);
            world.call("straight", &[10]);
            world
        });
        assert!(seen.iter().any(|line| line.matches(" host ").count() == 3), "{seen:?}");
    }
}

#[test]
fn a_trap_in_a_call_from_a_trap_event() {
    let seen = same(|tier, way| {
        let mut world = World::new(tier, way, GUEST, |stop, _| {
            let instance = stop.top().unwrap().instance().unwrap();
            if matches!(stop.reason(), Reason::Trap(_)) && stop.frame_count() < 4 {
                assert!(call(stop, instance, "traps", &[Val::I32(stop.frame_count() as i32)]).is_err());
                write(stop, instance, 0, 1);
            }
            if stop.frame_count() == 2 { Action::StepInstruction } else { Action::StepOver }
        });
        world.break_at(9, 2);
        for arg in 0..3 {
            world.call("traps", &[arg]);
        }
        world
    });
    assert!(seen.iter().any(|line| line.starts_with("Trap") && line.matches(" host ").count() == 3), "{seen:?}");
}

#[test]
fn a_panic_inside_a_region_poisons_the_store_alone() {
    for way in WAYS {
        let (mut world, answer) = answering(DebugTier::Regions, way, GUEST);
        let mut other = World::new(DebugTier::Regions, way, GUEST, |_, count| {
            if count == 2 { panic!("on purpose") } else { Action::StepInstruction }
        });
        other.break_at(3, 4);
        let run = || call(&mut other.store, other.instance, "straight", &[Val::I32(1)]);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        assert!(other.store.is_poisoned() && !other.store.live_frames());
        *answer.lock().unwrap() = (Action::StepInstruction, 100);
        world.break_at(3, 4);
        world.call("straight", &[1]);
        assert!(world.log.lock().unwrap().len() > 20);
    }
}

#[test]
fn two_stores_on_two_threads_with_hardly_any_room_for_rerun_code() {
    let engine = Engine::new(Config { debug: true, rerun_cache: 1, ..Config::default() }).unwrap();
    let module = module(&engine, GUEST);
    let run = || {
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut logs = Vec::new();
        for round in 0..3 {
            let log = Log::default();
            let note = log.clone();
            let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
                note.lock().unwrap().push(look(stop));
                if note.lock().unwrap().len() % 40 == 3 {
                    write(stop, stop.top().unwrap().instance().unwrap(), 0, 6);
                }
                Action::StepInstruction
            })
            .unwrap();
            break_at(&mut store, &debugger, &module, 3, 5);
            break_at(&mut store, &debugger, &module, 5, 9);
            for name in ["straight", "calls"] {
                let result = call(&mut store, instance, name, &[Val::I32(round)]);
                log.lock().unwrap().push(outcome(&result));
            }
            debugger.detach(&mut store).unwrap();
            logs.append(&mut log.lock().unwrap());
        }
        logs
    };
    let (first, second) = std::thread::scope(|scope| {
        let (first, second) = (scope.spawn(run), scope.spawn(run));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert!(first.len() > 300, "{}", first.len());
    assert_eq!(first, second);
}

#[test]
fn a_module_without_functions_and_one_that_is_there_twice() {
    let seen = same(|tier, way| {
        let engine = engine(tier, way);
        let empty = module(&engine, "(module (memory 1) (global i32 (i32.const 1)))");
        let mut store = Store::new(&engine);
        Instance::new(&mut store, &empty, &[]).unwrap();
        let debugger = Debugger::attach(&mut store, |_: &mut Stop<'_>| Action::Continue).unwrap();
        debugger.step_always(&mut store, true).unwrap();
        Instance::new(&mut store, &empty, &[]).unwrap();
        assert!(debugger.break_at(&mut store, &empty, WasmOffset::new(8)).is_err());
        debugger.detach(&mut store).unwrap();

        let mut world = World::new(tier, way, GUEST, |stop, count| {
            let instance = stop.top().unwrap().instance().unwrap();
            if count % 7 == 3 {
                // Its own memory, not that of the other one.
                write(stop, instance, 0, count as i32);
            }
            if count % 50 == 49 { Action::StepOut } else { Action::StepInstruction }
        });
        let second = Instance::new(&mut world.store, &world.module, &[]).unwrap();
        let first = world.instance;
        call(&mut world.store, second, "set", &[Val::I32(4), Val::I32(40)]).unwrap();
        world.break_at(3, 6);
        world.break_at(4, 11);
        for (instance, name) in [(first, "straight"), (second, "straight"), (first, "turns"), (second, "calls")] {
            world.instance = instance;
            world.call(name, &[3]);
        }
        world
    });
    assert!(seen.len() > 100, "{}", seen.len());
}

#[test]
fn what_modules_share_changes_between_regions_alone() {
    let text = r#"(module
      (import "" "m" (memory 1)) (import "" "g" (global $g (mut i32))) (import "" "t" (table $t 2 funcref)) (import "" "host" (func $host))
      (func (export "bump") (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (global.set $g (i32.add (global.get $g) (i32.const 10))) (table.set $t (i32.const 0) (ref.null func)))
      (func (export "f") (param i32) (result i32)
        (i32.add (i32.load (i32.const 0)) (global.get $g)) (ref.is_null (table.get $t (i32.const 0))) i32.add
        call $host
        (i32.add (i32.load (i32.const 0)) (global.get $g)) (ref.is_null (table.get $t (i32.const 0))) i32.add i32.mul
        local.get 0 i32.add))"#;
    let seen = same(|tier, way| {
        let engine = engine(tier, way);
        let module = module(&engine, text);
        let mut store = Store::new(&engine);
        let limits = Limits { min: 1, max: None };
        let memory = Memory::new(&mut store, MemoryType::new(limits)).unwrap();
        let ty = GlobalType { content: ValType::I32, mutable: true };
        let global = Global::new(&mut store, ty, Val::I32(4)).unwrap();
        let limits = Limits { min: 2, max: None };
        let ty = TableType::new(RefType::FUNCREF, limits);
        let table = Table::new(&mut store, ty, Val::FuncRef(None)).unwrap();
        let other: Arc<Mutex<Option<Instance>>> = Arc::default();
        let callee = other.clone();
        let host = Func::new(&mut store, FuncType::new([], []), move |mut caller, _, _| {
            // The host itself, then another instance, then a size.
            memory.write(&mut caller, 1, &[1])?;
            let instance = callee.lock().unwrap().unwrap();
            call(&mut caller, instance, "bump", &[])?;
            memory.grow(&mut caller, 1)?;
            Ok(())
        })
        .unwrap();
        let imports: [Extern; 4] = [memory.into(), global.into(), table.into(), host.into()];
        let instances = [(); 2].map(|()| Instance::new(&mut store, &module, &imports).unwrap());
        *other.lock().unwrap() = Some(instances[1]);
        table.set(&mut store, 0, Val::FuncRef(Some(host))).unwrap();
        let log = Log::default();
        let note = log.clone();
        let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
            let seen = look(stop);
            note.lock().unwrap().push(seen.clone());
            if note.lock().unwrap().len() % 5 == 2 {
                memory.write(&mut *stop, 0, &[7]).unwrap();
                memory.grow(&mut *stop, 1).unwrap();
                global.set(&mut *stop, Val::I32(-3)).unwrap();
                table.set(&mut *stop, 0, Val::FuncRef(Some(host))).unwrap();
            }
            assert_eq!(look(stop), seen);
            Action::StepInstruction
        })
        .unwrap();
        break_at(&mut store, &debugger, &module, 2, 1);
        let mut world = World { store, module, instance: instances[0], debugger, log };
        for arg in 0..5 {
            world.call("f", &[arg]);
        }
        world
    });
    assert!(seen.len() > 60, "{}", seen.len());
}

#[test]
fn deep_stacks_and_many_locals() {
    for (deep, locals, shown) in [(15, 3, true), (16, 3, true), (17, 3, true), (18, 1000, false), (1000, 1000, false)] {
        let pushes: String = (0..deep).map(|i| format!("local.get {} ", i % locals)).collect();
        let sums = "i32.add ".repeat(deep - 1);
        let text = format!(
            r#"(module (memory (export "memory") 1) (func (export "f") (param i32) (result i32) (local {})
              (local.set 1 (i32.const 3)) {pushes} (local.set 0 (i32.load (i32.const 0))) (local.set {} (local.get 0))
              (local.set 1 (i32.load (i32.const 4))) {pushes} {sums} (i32.store (i32.const 8) (i32.const 1)) i32.xor {sums}))"#,
            "i32 ".repeat(locals - 1),
            locals - 1,
        );
        let seen = same(|tier, way| {
            let mut world = World::new(tier, way, &text, move |stop, count| {
                let instance = stop.top().unwrap().instance().unwrap();
                if count % 3 == 2 {
                    write(stop, instance, 4 * (count % 2), count as i32);
                }
                if shown || count % 8 < 5 { Action::StepInstruction } else { Action::Continue }
            });
            for nth in [1, deep / 2, deep + 1, deep + 2, deep + 4, deep + 9, 2 * deep, 3 * deep] {
                world.break_at(0, nth);
            }
            world.call("f", &[5]);
            world.call("f", &[6]);
            world
        });
        assert!(seen.len() > 12, "{deep}: {}", seen.len());
    }
}
