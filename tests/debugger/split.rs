//! Functions with breakpoints inside regions get code of their own once rerun has come to none of them often: what
//! stops, where and with what state stays the same, and what is not reached costs nothing from then on.
//! `tests/tiers/regions.rs` holds all guests against the other tier in such code.

use std::sync::{Arc, Mutex};
use stepwell::base::{DefinedFuncIndex, FuncIndex, WasmOffset};
use stepwell::debug::{Action, Breakpoint, Debugger, Reason, Stop};
use stepwell::runtime::{Config, Engine, Instance, Module, Store, Val};

/// `run(n, rare)` goes round a loop n times, and adds the turn to a sum where that is `rare`; `twice` calls it two
/// times, each for half of the turns. `dig` calls itself before its loop, which is as that of `run`.
const TEXT: &str = r#"(module
    (func $run (export "run") (param $n i32) (param $rare i32) (result i32) (local $sum i32)
        (loop $turn
            (if (i32.eq (local.get $n) (local.get $rare))
                (then (local.set $sum (i32.add (local.get $sum) (local.get $n)))))
            (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "twice") (param $n i32) (param $rare i32) (result i32)
        (call $run (local.get $n) (local.get $rare))
        (call $run (local.get $n) (local.get $rare))
        (i32.add))
    (func $dig (export "dig") (param $depth i32) (param $n i32) (result i32) (local $below i32)
        (if (local.get $depth)
            (then (local.set $below (call $dig (i32.sub (local.get $depth) (i32.const 1)) (local.get $n)))))
        (loop $turn
            (if (i32.eq (local.get $n) (local.get $depth))
                (then (local.set $below (i32.add (local.get $below) (i32.const 1)))))
            (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $below)))"#;

/// Where a guest stopped, why, and its locals.
type Seen = (u32, Reason, Vec<Val>);
type Answers = dyn Fn(&mut Stop<'_>, usize) -> Action + Send + Sync;

struct World {
    store: Store,
    module: Module,
    instance: Instance,
    debugger: Debugger,
    stops: Arc<Mutex<Vec<Seen>>>,
}

impl World {
    /// Functions get code of their own after so many turns.
    fn new(after: u32, answer: Box<Answers>) -> World {
        let config = Config { debug: true, force_split_after: Some(after), ..Config::default() };
        let engine = Engine::new(config).unwrap();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let stops: Arc<Mutex<Vec<_>>> = Arc::default();
        let seen = stops.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let top = stop.top().unwrap();
            let locals = top.locals();
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push((top.offset().get(), stop.reason().clone(), locals));
                seen.len()
            };
            answer(stop, number)
        })
        .unwrap();
        World { store, module, instance, debugger, stops }
    }

    fn call(&mut self, name: &str, args: [i32; 2]) -> i32 {
        let func = self.instance.typed_func::<(i32, i32), i32>(&mut self.store, name).unwrap();
        func.call(&mut self.store, (args[0], args[1])).unwrap()
    }

    /// The offsets of the instructions of a function, by their text.
    fn offset(&self, func: u32, text: &str, nth: usize) -> WasmOffset {
        let instructions = self.module.instructions(FuncIndex::new(func), WasmOffset::new(0), usize::MAX).unwrap();
        let mut found = instructions.iter().filter(|instruction| instruction.text.starts_with(text));
        found.nth(nth).unwrap_or_else(|| panic!("no {text} in {instructions:?}")).offset
    }

    /// Whether calls of a function go on in code of its own.
    fn is_split(&self, func: u32) -> bool {
        let slot = self.store.code_slot(self.module.id()).unwrap();
        self.store.registry().plan().detour(slot, DefinedFuncIndex::new(func)).is_some()
    }

    fn break_at(&mut self, at: WasmOffset) -> Breakpoint {
        self.debugger.break_at(&mut self.store, &self.module, at).unwrap()
    }

    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.stops.lock().unwrap())
    }
}

/// The instruction that is reached in the rare turn alone: `local.get $sum` behind the `if`.
fn rare(world: &World) -> WasmOffset {
    WasmOffset::new(world.offset(0, "if", 0).get() + 2)
}

#[test]
fn what_is_not_reached_leaves_the_guest_alone() {
    for after in [1, 10] {
        let mut world = World::new(after, Box::new(|_, _| Action::Continue));
        let at = rare(&world);
        let placed = world.break_at(at);
        assert!(!world.is_split(0));
        assert_eq!(world.call("run", [100, -1]), 0);
        assert!(world.is_split(0), "after {after}");
        assert_eq!(world.call("run", [100, -1]), 0);
        assert_eq!(world.take(), []);
        // It is reached in the code of its own, in the turn that it is rare in, and with the state that it has there.
        assert_eq!(world.call("run", [100, 40]), 40);
        let stops = world.take();
        assert_eq!(stops.len(), 1);
        assert_eq!(stops[0].0, rare(&world).get());
        assert_eq!(stops[0].2, [40, 40, 0].map(Val::I32));
        assert_eq!(world.call("twice", [100, 7]), 14);
        assert_eq!(world.take().len(), 2);
        assert_eq!(world.debugger.breakpoint(&world.store, placed.id).unwrap().unwrap().hits, 3);
        // Without it the function is as it was.
        world.debugger.remove(&mut world.store, placed.id).unwrap();
        assert!(!world.is_split(0));
        assert_eq!(world.call("run", [100, 40]), 40);
        assert_eq!(world.take(), []);
    }
}

#[test]
fn it_is_reached_in_the_same_call() {
    // In the middle of one long call the frame goes on in code of its own.
    for rare_turn in [99, 98, 97, 96, 95, 90, 50, 1] {
        let mut world = World::new(2, Box::new(|_, _| Action::Continue));
        let at = rare(&world);
        world.break_at(at);
        assert_eq!(world.call("run", [100, rare_turn]), rare_turn);
        let stops = world.take();
        assert_eq!(stops.len(), 1, "{rare_turn}");
        assert_eq!(stops[0].2, [rare_turn, rare_turn, 0].map(Val::I32));
    }
}

#[test]
fn frames_below_and_above_go_on_in_what_they_are_in() {
    let mut world = World::new(3, Box::new(|_, _| Action::Continue));
    let at = WasmOffset::new(world.offset(2, "if", 1).get() + 2);
    world.break_at(at);
    for _ in 0..3 {
        // Each depth from 1 on is come to once, in each of the frames that count to it.
        assert_eq!(world.call("dig", [20, 50]), 20);
        let depths: Vec<Val> = world.take().iter().map(|stop| stop.2[0]).collect();
        assert_eq!(depths, (1..=20).map(Val::I32).collect::<Vec<_>>());
    }
    assert!(world.is_split(2));
}

#[test]
fn steps_in_code_of_its_own_are_the_steps_of_the_other() {
    let walk = |after| {
        let mut world = World::new(
            after,
            Box::new(|_, number| match number % 9 {
                0 => Action::Continue,
                3 | 6 => Action::StepOver,
                _ => Action::StepInstruction,
            }),
        );
        let at = rare(&world);
        world.break_at(at);
        let next = world.offset(0, "i32.add", 0);
        world.break_at(next);
        let results: Vec<i32> = [(30, -1), (30, -1), (30, 12), (30, 30), (30, 1), (30, 29)]
            .map(|(n, rare)| world.call("twice", [n, rare]))
            .into();
        (world.is_split(0), results, world.take())
    };
    let (split, results, stops) = walk(u32::MAX);
    assert!(!split && stops.len() > 50);
    for after in [1, 2, 5] {
        let (split, others, theirs) = walk(after);
        assert!(split);
        assert_eq!((others, theirs), (results.clone(), stops.clone()), "after {after}");
    }
}

#[test]
fn what_is_changed_before_a_split_decides_whether_it_is_reached() {
    // Stopped before the comparison, the guest is given another turn, or another rare one.
    for after in [1, u32::MAX] {
        let mut world = World::new(
            after,
            Box::new(|stop, _| {
                let local = |index| stop.top().unwrap().local(index);
                match (local(0), local(1)) {
                    // Not reached, though it would have been.
                    (Some(Val::I32(5)), Some(Val::I32(5))) if stop.top().unwrap().operands().len() == 1 => {
                        stop.set_operand(0, 0, Val::I32(0)).unwrap();
                    }
                    // Reached, though it would not have been.
                    (Some(Val::I32(3)), Some(Val::I32(5))) if stop.top().unwrap().operands().len() == 1 => {
                        stop.set_operand(0, 0, Val::I32(1)).unwrap();
                    }
                    _ => {}
                }
                Action::Continue
            }),
        );
        let at = rare(&world);
        world.break_at(at);
        assert_eq!(world.call("run", [20, -1]), 0);
        assert_eq!(world.is_split(0), after == 1);
        // Set later: it is inside a region of the code of its own, too.
        let at = world.offset(0, "if", 0);
        world.break_at(at);
        assert_eq!(world.call("run", [8, 5]), 3);
        let stops = world.take();
        let rare = rare(&world).get();
        let seen: Vec<Val> = stops.iter().filter(|stop| stop.0 == rare).map(|stop| stop.2[0]).collect();
        assert_eq!(seen, [Val::I32(3)], "after {after}");
        assert_eq!(stops.len(), 9);
    }
}

#[test]
fn breakpoints_that_come_and_go_have_it_compiled_few_times() {
    let mut world = World::new(1, Box::new(|_, _| Action::Continue));
    let places = [rare(&world), world.offset(0, "i32.add", 0), world.offset(0, "i32.eq", 0)];
    for round in 0..300 {
        let set: Vec<_> =
            (0..3).filter(|place| round >> place & 1 == 1).map(|place| world.break_at(places[place]).id).collect();
        assert_eq!(world.call("run", [10, 4]), 4);
        let expected = [1, 1, 10].iter().enumerate().filter(|(place, _)| round >> place & 1 == 1);
        assert_eq!(world.take().len(), expected.map(|(_, stops)| *stops).sum::<usize>(), "round {round}");
        for id in set {
            world.debugger.remove(&mut world.store, id).unwrap();
        }
        assert!(!world.is_split(0));
    }
    let codes = world.store.registry().iter().count();
    assert!(codes <= 2 + 2 * 8, "{codes} codes");
}
