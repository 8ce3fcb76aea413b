//! What debuggers note of what guests reach, held against a single step through all of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use stepwell::ValType;
use stepwell::base::{ErrorKind, FuncIndex, WasmOffset};
use stepwell::debug::{Action, Condition, Coverage, CoveredBranch, Debugger, Reason};
use stepwell::runtime::{Config, DebugTier, Engine, Extern, Instance, Module, Store, Val};

use crate::smith;

const TIERS: [DebugTier; 2] = [DebugTier::Blocks, DebugTier::Simple];

/// `run(i)` goes other ways for other numbers: branches, loops, tables, calls, a trap, early returns, recursion.
const TEXT: &str = r#"(module
    (memory 1)
    (table funcref (elem $even $odd))
    (type $one (func (param i32) (result i32)))
    (func $even (type $one) (if (result i32) (local.get 0) (then (i32.const 10)) (else (i32.const 20))))
    (func $odd (type $one) (i32.mul (local.get 0) (i32.const 3)) (if (i32.eq (local.get 0) (i32.const 5)) (then unreachable)))
    (func $deep (type $one)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
        (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
    (func $never (type $one) (loop (br 0)) unreachable)
    (func $pick (type $one)
        (block $d (block $c (block $b (block $a
            (br_table $a $b $c $d (local.get 0)))
            (return (i32.const 100)))
            (br $d))
            (drop (call $deep (i32.const 2)))
            (br_if $d (i32.load (i32.const 0)))
            (return (i32.const 102)))
        (local.get 0))
    (func (export "run") (type $one) (local $sum i32) (local $n i32)
        (local.set $n (local.get 0))
        (block $out
            (loop $turn
                (br_if $out (i32.eqz (local.get $n)))
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (i32.store (i32.const 0) (local.get $n))
                (local.set $sum (i32.add (local.get $sum) (i32.and (local.get $n) (i32.const 1))))
                (br_if $turn (i32.and (local.get $n) (i32.const 3)))
                (local.set $sum (i32.add (local.get $sum) (call $deep (local.get $n))))
                (br $turn)))
        (i32.add (local.get $sum) (call $pick (local.get 0)))
        (call_indirect (type $one) (local.get 0) (i32.and (local.get 0) (i32.const 1)))
        (i32.add)))"#;

struct World {
    store: Store,
    module: Module,
    instance: Instance,
    debugger: Debugger,
    /// Where the guest was seen.
    seen: Arc<Mutex<BTreeSet<u32>>>,
}

impl World {
    fn new(tier: DebugTier, binary: &[u8]) -> World {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let module = Module::new(&engine, binary).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let seen: Arc<Mutex<BTreeSet<u32>>> = Arc::default();
        let told = seen.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            // A trap is told to anybody who is attached.
            if !matches!(stop.reason(), Reason::Trap(_)) {
                told.lock().unwrap().insert(stop.top().unwrap().offset().get());
            }
            Action::Continue
        })
        .unwrap();
        World { store, module, instance, debugger, seen }
    }

    fn run(&mut self, arg: i32) -> Result<i32, String> {
        let run = self.instance.typed_func::<i32, i32>(&mut self.store, "run").unwrap();
        run.call(&mut self.store, arg).map_err(|error| error.to_string())
    }

    fn coverage(&self) -> Coverage {
        let mut all = self.debugger.coverage(&self.store).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// The first instructions of the blocks that were reached, and of those that were not.
    fn parts(&self) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let coverage = self.coverage();
        let (reached, others): (Vec<_>, Vec<_>) = coverage.blocks().iter().partition(|block| block.reached);
        let starts =
            |blocks: Vec<stepwell::debug::CoveredBlock>| blocks.iter().map(|block| block.start.get()).collect();
        (starts(reached), starts(others))
    }
}

#[test]
fn what_is_reached_is_what_single_steps_come_to() {
    let binary = wat::parse_str(TEXT).unwrap();
    for tier in TIERS {
        let mut stepped = World::new(tier, &binary);
        stepped.debugger.step_always(&mut stepped.store, true).unwrap();
        let mut covered = World::new(tier, &binary);
        covered.debugger.cover(&mut covered.store, Some(&covered.module)).unwrap();
        let (_, all) = covered.parts();
        assert!(all.len() > 25, "{}", all.len());
        let mut left = all.len();
        for arg in [0, 0, 4, 3, 1, 2, 5, 9, 1000] {
            assert_eq!(stepped.run(arg), covered.run(arg), "{arg}");
            let (reached, others) = covered.parts();
            let seen = stepped.seen.lock().unwrap().clone();
            let expected: BTreeSet<u32> = all.intersection(&seen).copied().collect();
            assert_eq!(reached, expected, "{tier:?}, after {arg}");
            assert!(others.len() <= left);
            left = others.len();
        }
        // What is never reached is left, and nothing was told.
        assert!(left >= 2);
        assert!(covered.seen.lock().unwrap().is_empty());
        // What was reached is armed no more, once it was come to again.
        let coverage = covered.coverage();
        left += coverage.branches().iter().flat_map(|branch| &branch.sides).filter(|side| !side.reached).count();
        let slot = covered.store.code_slot(covered.module.id()).unwrap();
        covered.run(1000).unwrap();
        covered.run(1000).unwrap();
        let armed = covered.store.registry().plan().sites().filter(|site| site.0 == slot).count();
        assert!(armed <= left + 8, "{armed} armed of {left}");
    }
}

#[test]
fn each_basic_block_has_a_mark() {
    let binary = wat::parse_str(TEXT).unwrap();
    let mut of_tiers = TIERS.map(|tier| {
        let mut world = World::new(tier, &binary);
        world.debugger.cover(&mut world.store, None).unwrap();
        world.parts().1
    });
    let [blocks, simple] = &mut of_tiers;
    assert_eq!(blocks, simple);
    // Blocks do not overlap, and have their functions.
    let mut world = World::new(DebugTier::Blocks, &binary);
    world.debugger.cover(&mut world.store, None).unwrap();
    let coverage = world.coverage();
    for pair in coverage.blocks().windows(2) {
        assert!(pair[0].start < pair[0].end && pair[0].end <= pair[1].start, "{pair:?}");
        assert!(pair[0].func <= pair[1].func);
    }
}

#[test]
fn breakpoints_are_told_as_ever_beside_it() {
    let binary = wat::parse_str(TEXT).unwrap();
    let told = |covers: bool| {
        let mut world = World::new(DebugTier::Blocks, &binary);
        if covers {
            world.debugger.cover(&mut world.store, None).unwrap();
        }
        // A breakpoint at every third instruction, or behind it.
        let all = |func| world.module.instructions(FuncIndex::new(func), WasmOffset::new(0), usize::MAX).unwrap();
        let functions = 0..world.module.info().bodies.len() as u32;
        let offsets: Vec<WasmOffset> =
            functions.flat_map(all).map(|instruction| instruction.offset).step_by(3).collect();
        let mut set = 0;
        for offset in offsets {
            // Behind the last that can be reached there is none.
            set += usize::from(world.debugger.break_at(&mut world.store, &world.module, offset).is_ok());
        }
        assert!(set > 30);
        let results: Vec<_> = [4, 3, 2, 5].map(|arg| world.run(arg)).into();
        let seen = world.seen.lock().unwrap().clone();
        (results, seen)
    };
    assert_eq!(told(true), told(false));
}

/// Of programs with debug information: a line is reached if any instruction of it is.
#[test]
fn lines_are_those_that_single_steps_come_to() {
    for guest in ["c0_4", "c0_5", "c2_4", "c2_5", "cpp0_4"] {
        let path = format!("{}/tests/support/dwarf/{guest}.wasm", env!("CARGO_MANIFEST_DIR"));
        let binary = std::fs::read(path).unwrap();
        let run = |steps: bool| {
            let mut world = World::new(DebugTier::Blocks, &binary);
            match steps {
                true => world.debugger.step_always(&mut world.store, true).unwrap(),
                false => world.debugger.cover(&mut world.store, None).unwrap(),
            }
            world.run(5).unwrap();
            world
        };
        let (stepped, covered) = (run(true), run(false));
        let mut rows = covered.module.line_table();
        rows.sort_by_key(|row| (row.offset, !row.end_of_sequence));
        let mut expected = BTreeSet::new();
        for offset in stepped.seen.lock().unwrap().iter() {
            let before = rows.partition_point(|row| row.offset.get() <= *offset);
            let row = before.checked_sub(1).map(|row| &rows[row]);
            if let Some((Some(file), line @ 1..)) =
                row.filter(|row| !row.end_of_sequence).map(|row| (row.file, row.line))
            {
                expected.insert((file.to_owned(), line));
            }
        }
        let text = covered.coverage().lcov();
        let (mut reached, mut file, mut others) = (BTreeSet::new(), String::new(), 0);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("SF:") {
                file = name.to_owned();
            } else if let Some((line, count)) = line.strip_prefix("DA:").and_then(|line| line.split_once(',')) {
                match count {
                    "1" => _ = reached.insert((file.clone(), line.parse::<u32>().unwrap())),
                    _ => others += 1,
                }
            }
        }
        assert_eq!(reached, expected, "{guest}");
        assert!(reached.len() > 10 && others > 0, "{guest}: {} reached, {others} not", reached.len());
        assert!(text.contains("FNDA:1,") && text.ends_with("end_of_record\n"), "{guest}");
    }
}

#[test]
fn regions_have_no_place_for_it_and_modules_may_come_later() {
    let binary = wat::parse_str(TEXT).unwrap();
    let mut world = World::new(DebugTier::Regions, &binary);
    let refused = world.debugger.cover(&mut world.store, None).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::State);
    assert!(refused.to_string().contains("Blocks"), "{refused}");

    let mut world = World::new(DebugTier::Blocks, &binary);
    let later = Module::new(world.module.engine(), &binary).unwrap();
    let refused = world.debugger.cover(&mut world.store, Some(&later)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::State);
    world.debugger.cover(&mut world.store, None).unwrap();
    // Twice is once.
    world.debugger.cover(&mut world.store, None).unwrap();
    let instance = Instance::new(&mut world.store, &later, &[]).unwrap();
    let all = world.debugger.coverage(&world.store).unwrap();
    assert_eq!(all.iter().map(|coverage| coverage.module().id()).collect::<Vec<_>>(), [world.module.id(), later.id()]);
    instance.typed_func::<i32, i32>(&mut world.store, "run").unwrap().call(&mut world.store, 3).unwrap();
    let all = world.debugger.coverage(&world.store).unwrap();
    let reached = |coverage: &Coverage| coverage.blocks().iter().filter(|block| block.reached).count();
    assert_eq!(reached(&all[0]), 0);
    assert!(reached(&all[1]) > 5);
    assert_eq!(all[1].lcov(), "");
    world.debugger.detach(&mut world.store).unwrap();
    assert_eq!(world.debugger.coverage(&world.store).unwrap_err().kind(), ErrorKind::State);
}

/// Every kind of branch, by the bits of a number: with and without values, to a loop, to where others lead as well, out
/// of the function; conditions that are constants; tables that name a block more than once.
const KINDS: &str = r#"(module
    (type $s (struct (field i32)))
    (func $bit (param $n i32) (param $bit i32) (result i32) (i32.and (local.get $n) (local.get $bit)))
    (func $out (param i32) (result i32)
        (br_if 0 (i32.const 7) (i32.eq (local.get 0) (i32.const 2))) (drop)
        (block (result i32) (br_table 0 0 1 0 (i32.const 9) (local.get 0))) (drop) (i32.const 3))
    (func $outer (param i32) (result i32)
        (block (result i32) (br_table 0 1 0 1 1 (i32.const 8) (local.get 0))) (drop) (i32.const 4))
    (func $deep (param i32) (result i32) (local i32)
        (if (i32.gt_s (local.get 0) (i32.const 0))
            (then (local.set 1 (call $deep (i32.sub (local.get 0) (i32.const 1))))))
        (block (br_if 0 (i32.and (local.get 0) (i32.const 1))) (local.set 1 (i32.add (local.get 1) (i32.const 1))))
        (local.get 1))
    (func $values (param $n i32) (result i32) (local $x i32)
        (block $b (result i32)
            (br_if $b (i32.const 5) (i32.and (local.get $n) (i32.const 1)))
            (drop) (local.set $x (i32.const 3))
            (br_if $b (i32.add (local.get $x) (local.get $n)) (i32.and (local.get $n) (i32.const 2)))
            (i32.mul (local.get $x)))
        (if (param i32) (result i32) (i32.and (local.get $n) (i32.const 4))
            (then (i32.add (i32.const 1))))
        (if (param i32) (result i32) (i32.and (local.get $n) (i32.const 8))
            (then (i32.add (i32.const 2))) (else (i32.sub (i32.const 1)))))
    (func $references (param $n i32) (result i32) (local $r (ref null $s)) (local $a anyref) (local $x i32)
        (if (i32.and (local.get $n) (i32.const 1))
            (then (local.set $r (struct.new $s (local.get $n))) (local.set $a (local.get $r)))
            (else (local.set $a (ref.i31 (local.get $n)))))
        (block $null
            (br_on_null $null (local.get $r)) (drop) (local.set $x (i32.add (local.get $x) (i32.const 1))))
        (block $some (result (ref $s))
            (br_on_non_null $some (local.get $r)) (struct.new $s (i32.const 20)))
        (struct.get $s 0) (i32.add (local.get $x)) (local.set $x)
        (block $is (result (ref $s))
            (br_on_cast $is anyref (ref $s) (local.get $a)) (drop) (struct.new $s (i32.const 300)))
        (struct.get $s 0) (i32.add (local.get $x)) (local.set $x)
        (block $is_not (result anyref)
            (br_on_cast_fail $is_not anyref (ref $s) (local.get $a)) (drop)
            (local.set $x (i32.add (local.get $x) (i32.const 4000))) (ref.null any))
        (drop) (local.get $x))
    (func (export "run") (param $n i32) (result i32) (local $x i32)
        (if (i32.and (local.get $n) (i32.const 1))
            (then (local.set $x (i32.const 1))) (else (local.set $x (i32.const 2))))
        (if (i32.and (local.get $n) (i32.const 2)) (then (local.set $x (i32.add (local.get $x) (i32.const 1)))))
        (if (i32.and (local.get $n) (i32.const 4)) (then) (else))
        (if (i32.and (local.get $n) (i32.const 8)) (then))
        (if (i32.and (local.get $n) (i32.const 2)) (then (loop)) (else (loop)))
        (loop $turn
            (local.set $x (i32.add (local.get $x) (i32.const 1)))
            (br_if $turn (i32.lt_u (local.get $x) (i32.and (local.get $n) (i32.const 7)))))
        (block $b (br_if $b (call $bit (local.get $n) (i32.const 8))) (local.set $x (i32.const 10)))
        (block $b (br_if $b (i32.and (local.get $n) (i32.const 1))) (br_if $b (i32.and (local.get $n) (i32.const 4))))
        (block (br_if 0 (i32.const 1)) (local.set $x (i32.const 5)))
        (block (br_if 0 (i32.const 0)) (local.set $x (i32.add (local.get $x) (i32.const 5))))
        (if (i32.const 0) (then (local.set $x (i32.const 6))))
        (block $a (block $b (block $c
            (br_table $a $b $a $c $a $b (local.get $n)))
            (local.set $x (i32.add (local.get $x) (i32.const 1))))
            (local.set $x (i32.add (local.get $x) (i32.const 2))))
        (loop $again (block $on
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_table $on $again $on (i32.gt_s (local.get $n) (i32.const 0)))))
        (block (br_table 0 0 0 (local.get $x)))
        (i32.add (call $values (local.get $x)) (call $references (local.get $x)))
        (i32.add (call $deep (i32.and (local.get $x) (i32.const 7))))
        (i32.add (call $outer (i32.and (local.get $x) (i32.const 3))))
        (if (result i32) (i32.and (local.get $x) (i32.const 6))
            (then (call $out (i32.and (local.get $x) (i32.const 3)))) (else (i32.const 0)))
        (i32.add)))"#;

/// Where a single step comes to from each instruction in its frame; nothing where it has left it.
type Ways = BTreeSet<(u32, Option<u32>)>;

#[derive(Default)]
struct Steps {
    ways: Ways,
    last: Option<(usize, u32)>,
}

impl Steps {
    fn come_to(&mut self, frame: Option<(usize, u32)>) {
        if let Some((id, from)) = self.last {
            let to = frame.filter(|frame| frame.0 == id).map(|frame| frame.1);
            self.ways.insert((from, to));
        }
        self.last = frame;
    }
}

/// Calls a module, and what has to be done between two calls; gives what it came to.
type Call = fn(&mut Store, Instance, u32, &dyn Fn()) -> String;

/// A module that is stepped through in code of the kind `Simple`, and one of the same binary that is covered.
struct Both {
    stepped: (Store, Module, Instance, Debugger),
    covered: (Store, Module, Instance, Debugger),
    steps: Arc<Mutex<Steps>>,
}

fn world(
    tier: DebugTier,
    binary: &[u8],
    handler: impl Fn(&mut stepwell::debug::Stop<'_>) -> Action + Send + Sync + 'static,
) -> Option<(Store, Module, Instance, Debugger)> {
    let config = Config { debug: true, debug_tier: tier, nan_canonicalization: true, ..Config::default() };
    let features = stepwell::Features { custom_page_sizes: true, ..config.features };
    let engine = Engine::new(Config { features, ..config }).unwrap();
    let module = Module::new(&engine, binary).unwrap();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &[]).ok()?;
    let debugger = Debugger::attach(&mut store, handler).unwrap();
    Some((store, module, instance, debugger))
}

impl Both {
    /// None where the module cannot be instantiated.
    fn new(binary: &[u8]) -> Option<Both> {
        let steps: Arc<Mutex<Steps>> = Arc::default();
        let told = steps.clone();
        let mut stepped = world(DebugTier::Simple, binary, move |stop| {
            let top = stop.top().map(|frame| (frame.id(), frame.offset().get()));
            match stop.reason() {
                Reason::Trap(_) => told.lock().unwrap().last = None,
                _ => told.lock().unwrap().come_to(top),
            }
            Action::Continue
        })?;
        stepped.3.step_always(&mut stepped.0, true).unwrap();
        let mut covered = world(DebugTier::Blocks, binary, |stop| {
            assert!(matches!(stop.reason(), Reason::Trap(_)), "{:?}", stop.reason());
            Action::Continue
        })?;
        covered.3.cover(&mut covered.0, None).unwrap();
        Some(Both { stepped, covered, steps })
    }

    fn call(&mut self, call: Call, number: u32) {
        let ended = || self.steps.lock().unwrap().come_to(None);
        let expected = call(&mut self.stepped.0, self.stepped.2, number, &ended);
        assert_eq!(call(&mut self.covered.0, self.covered.2, number, &|| ()), expected, "call {number}");
    }

    fn coverage(&self) -> Coverage {
        self.covered.3.coverage(&self.covered.0).unwrap().remove(0)
    }

    /// Compares what was noted with the steps. Gives how many sides were taken, and how many were not.
    fn compare(&self, case: &str) -> [usize; 2] {
        let coverage = self.coverage();
        let ways = self.steps.lock().unwrap().ways.clone();
        let mut count = [0; 2];
        for CoveredBranch { func, at, sides } in coverage.branches() {
            let last = coverage.blocks().iter().rfind(|block| block.func == *func).unwrap();
            let places: BTreeSet<u32> = sides.iter().map(|side| side.to.get()).collect();
            assert_eq!(places.len(), sides.len(), "{case}: the branch at {at} has two sides to one place");
            for side in sides {
                let to = (side.to != last.end).then_some(side.to.get());
                let expected = ways.contains(&(at.get(), to));
                assert_eq!(side.reached, expected, "{case}: from {at} to {}, of {sides:?}", side.to);
                count[usize::from(!expected)] += 1;
            }
            // There is no other way.
            let taken = ways.range((at.get(), None)..(at.get() + 1, None)).count();
            assert_eq!(taken, sides.iter().filter(|side| side.reached).count(), "{case}: at {at}");
        }
        count
    }
}

fn run(store: &mut Store, instance: Instance, number: u32) -> String {
    let run = instance.typed_func::<i32, i32>(&mut *store, "run").unwrap();
    format!("{:?}", run.call(store, number as i32).map_err(|error| error.to_string()))
}

fn call_run(store: &mut Store, instance: Instance, number: u32, ended: &dyn Fn()) -> String {
    let text = run(store, instance, number);
    ended();
    text
}

#[test]
fn sides_of_branches_are_those_that_single_steps_take() {
    for (text, branches, never) in [(KINDS, 25, 8), (TEXT, 7, 3)] {
        let mut both = Both::new(&wat::parse_str(text).unwrap()).unwrap();
        let all = both.coverage();
        assert!(all.branches().len() >= branches, "{}", all.branches().len());
        assert_eq!(both.compare("before")[0], 0);
        let mut taken = 0;
        for number in [0, 0, 1, 2, 8, 4, 9, 31, 100, 5, 6, 7, 200] {
            both.call(call_run, number);
            let now = both.compare(&format!("after {number}"))[0];
            assert!(now >= taken);
            taken = now;
        }
        let [taken, left] = both.compare("after all");
        assert!(taken > branches && left <= never, "{taken} taken, {left} not");
    }
}

/// A side that is not taken waits without a stop point at what is run: what is armed afterwards is nothing of that.
#[test]
fn nothing_that_is_run_again_is_armed() {
    let binary = wat::parse_str(
        r#"(module (func (export "run") (param i32) (result i32) (local i32)
            (loop $turn
                (block $rare (br_if $rare (i32.eq (local.get 1) (i32.const -1))) (local.set 1 (i32.add (local.get 1) (i32.const 1))))
                (if (i32.and (local.get 1) (i32.const 0x40000000)) (then (local.set 1 (i32.const 0))))
                (block $x (block $y (br_table $x $y $x (i32.eqz (local.get 0)))) (local.set 1 (i32.const 9)))
                (br_if $turn (i32.lt_u (local.get 1) (local.get 0))))
            (local.get 1)))"#,
    )
    .unwrap();
    let mut both = Both::new(&binary).unwrap();
    let slot = both.covered.0.code_slot(both.covered.1.id()).unwrap();
    let armed = |both: &Both| {
        let plan = both.covered.0.registry().plan();
        plan.sites().filter(|site| site.0 == slot).count()
    };
    let marks = armed(&both);
    both.call(call_run, 5);
    both.call(call_run, 5);
    assert_eq!(both.compare("a loop")[1], 3);
    let coverage = both.coverage();
    let blocks = coverage.blocks().iter().filter(|block| !block.reached).count();
    // The side of the `if` is the block behind it; those of `br_if` and of `br_table` are marks of their own.
    assert_eq!((blocks, armed(&both)), (2, blocks + 2));
    assert!(marks > armed(&both));
}

/// What a condition holds up ends in code of its own, and a changed frame in other code: sides are known there, too.
#[test]
fn sides_are_noted_in_code_that_takes_the_place_of_a_function() {
    let text = r#"(module (func (export "run") (param $n i32) (result i32) (local $x i32) (local $i i32)
        (loop $turn
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (local.set $x (i32.add (local.get $x) (i32.mul (local.get $i) (i32.const 3))))
            (block (br_if 0 (i32.lt_u (local.get $i) (i32.const 4000))) (local.set $x (i32.add (local.get $x) (i32.const 5))))
            (if (i32.gt_u (local.get $i) (i32.const 4500)) (then (local.set $x (i32.const 1))))
            (block $a (block $b (br_table $a $b $a (i32.div_u (local.get $i) (i32.const 4800)))) (local.set $x (i32.const 2)))
            (br_if $turn (i32.lt_u (local.get $i) (local.get $n))))
        (local.get $x)))"#;
    let binary = wat::parse_str(text).unwrap();
    let multiplies = binary.iter().position(|byte| *byte == 0x6c).unwrap();
    let mut both = Both::new(&binary).unwrap();
    let (store, module, _, debugger) = &mut both.covered;
    let id = debugger.break_at(store, module, WasmOffset::from_usize(multiplies)).unwrap().id;
    let never = Condition::text("local(2) < 0").unwrap();
    debugger.change_breakpoint(store, id, |options| options.condition = Some(never)).unwrap();
    both.call(call_run, 3000);
    assert_eq!(both.compare("split, the beginning")[1], 3);
    both.call(call_run, 5000);
    assert_eq!(both.compare("split")[1], 0);
    let slots = both.covered.0.registry().iter().count();
    assert!(slots > 1, "the function has code of its own");

    // From the first turn on in resume code.
    let changing = Arc::new(Mutex::new(true));
    let change = changing.clone();
    let (mut store, module, instance, debugger) = world(DebugTier::Blocks, &binary, move |stop| {
        if std::mem::take(&mut *change.lock().unwrap()) {
            stop.set_local(0, 2, Val::I32(4700)).unwrap();
        }
        Action::Continue
    })
    .unwrap();
    debugger.cover(&mut store, None).unwrap();
    let id = debugger.break_at(&mut store, &module, WasmOffset::from_usize(multiplies)).unwrap().id;
    debugger.change_breakpoint(&mut store, id, |options| options.one_shot = true).unwrap();
    run(&mut store, instance, 4790);
    assert!(!*changing.lock().unwrap());
    let coverage = debugger.coverage(&store).unwrap().remove(0);
    let reached = |branch: &CoveredBranch| branch.sides.iter().map(|side| side.reached).collect::<Vec<_>>();
    let taken: Vec<Vec<bool>> = coverage.branches().iter().map(reached).collect();
    assert_eq!(taken, [vec![false, true], vec![true, false], vec![true, false], vec![true, true]]);
}

#[test]
fn branches_are_kept_with_a_serialized_module() {
    let binary = wat::parse_str(KINDS).unwrap();
    let (_, module, ..) = world(DebugTier::Blocks, &binary, |_| Action::Continue).unwrap();
    let bytes = module.serialize().unwrap();
    let again = Module::deserialize(module.engine(), &bytes).unwrap();
    let noted = |module: &Module| {
        let mut store = Store::new(module.engine());
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
        debugger.cover(&mut store, Some(module)).unwrap();
        (0..9).for_each(|number| drop(run(&mut store, instance, number)));
        debugger.coverage(&store).unwrap().remove(0).branches().to_vec()
    };
    let branches = noted(&module);
    assert!(branches.iter().flat_map(|branch| &branch.sides).filter(|side| side.reached).count() > 30);
    assert_eq!(noted(&again), branches);
}

#[test]
fn code_without_regions_knows_no_branches() {
    let (mut store, _, instance, debugger) =
        world(DebugTier::Simple, &wat::parse_str(KINDS).unwrap(), |_| Action::Continue).unwrap();
    debugger.cover(&mut store, None).unwrap();
    run(&mut store, instance, 3);
    let coverage = debugger.coverage(&store).unwrap().remove(0);
    assert!(coverage.branches().is_empty() && coverage.blocks().iter().any(|block| block.reached));
}

/// Steps and pauses arm all that can be stopped at; nobody is told of sides.
#[test]
fn steps_pass_sides() {
    let told = |tier, covers: bool| {
        let seen: Arc<Mutex<Vec<u32>>> = Arc::default();
        let told = seen.clone();
        let (mut store, module, instance, debugger) = world(tier, &wat::parse_str(KINDS).unwrap(), move |stop| {
            told.lock().unwrap().push(stop.top().unwrap().offset().get());
            Action::StepInstruction
        })
        .unwrap();
        if covers {
            debugger.cover(&mut store, None).unwrap();
        }
        let run_index = module.info().func_named("run").unwrap();
        debugger.break_at_function(&mut store, &module, run_index).unwrap();
        let results: Vec<String> = (0..12).map(|number| run(&mut store, instance, number)).collect();
        (results, std::mem::take(&mut *seen.lock().unwrap()))
    };
    let expected = told(DebugTier::Simple, false);
    assert!(expected.1.len() > 1000);
    assert!(told(DebugTier::Blocks, true) == expected);
}

/// Calls each exported function with numbers.
fn call_all(store: &mut Store, instance: Instance, number: u32, ended: &dyn Fn()) -> String {
    let mut text = String::new();
    for (name, item) in instance.exports(&mut *store).unwrap() {
        let Extern::Func(func) = item else { continue };
        let ty = func.ty(&mut *store).unwrap();
        let value = |ty: &ValType| match ty {
            ValType::I32 => Some(Val::I32(number as i32)),
            ValType::I64 => Some(Val::I64(i64::from(number))),
            ValType::F32 => Some(Val::F32((number as f32).to_bits())),
            ValType::F64 => Some(Val::F64(f64::from(number).to_bits())),
            _ => None,
        };
        let Some(params) = ty.params.iter().map(value).collect::<Option<Vec<Val>>>() else { continue };
        let mut results = vec![Val::I32(0); ty.results.len()];
        let outcome = func.call(&mut *store, &params, &mut results);
        ended();
        // References have no names.
        results.retain(|result| matches!(result, Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_)));
        text += &format!("{name} {:?} {results:?}\n", outcome.map_err(|error| error.to_string()));
    }
    text
}

#[test]
fn sides_are_known_in_random_modules() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut count, mut modules) = ([0; 2], 0);
    for case in 0..60 {
        let bytes: Vec<u8> = (0..(256 << (case % 4))).flat_map(|_| next().to_le_bytes()).collect();
        let config = wasm_smith::Config {
            disallow_traps: case % 2 == 0,
            export_everything: true,
            generate_custom_sections: false,
            min_funcs: 3,
            max_funcs: 8,
            max_imports: 0,
            max_instructions: 300,
            max_memory32_bytes: 1 << 20,
            max_memory64_bytes: 1 << 20,
            memory_max_size_required: true,
            max_table_elements: 100,
            table_max_size_required: true,
            allow_start_export: false,
            ..smith::supported()
        };
        let Ok(mut module) = wasm_smith::Module::new(config, &mut arbitrary::Unstructured::new(&bytes)) else {
            continue;
        };
        let Ok(_) = module.ensure_termination(500) else { continue };
        let Some(mut both) = Both::new(&module.to_bytes()) else { continue };
        modules += 1;
        for number in 0..3 {
            both.call(call_all, number);
        }
        let [taken, left] = both.compare(&format!("case {case}"));
        count = [count[0] + taken, count[1] + left];
    }
    assert!(modules > 20 && count[0] > 200 && count[1] > 200, "{modules} modules, {count:?}");
}

/// Of programs with debug information: what the tracefile says of branches is what is noted of them, by their lines.
#[test]
fn branches_have_lines() {
    let mut states = BTreeSet::new();
    for guest in ["c0_4", "c2_5", "c2_4"] {
        let path = format!("{}/tests/support/dwarf/{guest}.wasm", env!("CARGO_MANIFEST_DIR"));
        let mut world = World::new(DebugTier::Blocks, &std::fs::read(path).unwrap());
        world.debugger.cover(&mut world.store, None).unwrap();
        let before = world.coverage().lcov();
        assert!(before.contains(",-\n") && before.contains("BRH:0\n"), "{guest}");
        assert!(!before.lines().any(|line| line.starts_with("BRDA") && !line.ends_with(",-")), "{guest}");
        world.run(5).unwrap();
        let coverage = world.coverage();
        let text = coverage.lcov();
        let mut rows = world.module.line_table();
        rows.sort_by_key(|row| (row.offset, !row.end_of_sequence));
        let mut expected: Vec<(String, u32, String)> = Vec::new();
        for branch in coverage.branches() {
            let row = rows.iter().rfind(|row| row.offset <= branch.at);
            let Some((Some(file), line @ 1..)) = row.filter(|row| !row.end_of_sequence).map(|row| (row.file, row.line))
            else {
                continue;
            };
            let come_to = branch.sides.iter().any(|side| side.reached);
            for side in &branch.sides {
                let state = if side.reached {
                    "1"
                } else if come_to {
                    "0"
                } else {
                    "-"
                };
                expected.push((file.to_owned(), line, state.to_owned()));
            }
        }
        let (mut found, mut file, mut lines) = (Vec::new(), String::new(), BTreeSet::new());
        let (mut numbers, mut counts) = (BTreeSet::new(), [0; 2]);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("SF:") {
                file = name.to_owned();
                numbers.clear();
                (counts, lines) = ([0; 2], BTreeSet::new());
            } else if let Some(branch) = line.strip_prefix("BRDA:") {
                let [line, block, side, state] = branch.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
                let line = line.parse::<u32>().unwrap();
                assert!(numbers.insert((line, block.to_owned(), side.to_owned())), "{guest}: twice {branch}");
                counts[0] += 1;
                counts[1] += usize::from(state == "1");
                lines.insert((line, state == "1"));
                found.push((file.clone(), line, state.to_owned()));
            } else if let Some(count) = line.strip_prefix("BRF:") {
                assert_eq!(count, counts[0].to_string());
            } else if let Some(count) = line.strip_prefix("BRH:") {
                assert_eq!(count, counts[1].to_string());
            } else if let Some((line, count)) = line.strip_prefix("DA:").and_then(|line| line.split_once(',')) {
                // A branch that was taken is on a line that was reached, and each is on a line that is known.
                let line = line.parse::<u32>().unwrap();
                assert!(count == "1" || !lines.contains(&(line, true)), "{guest}: line {line}");
                lines.retain(|known| known.0 != line);
            } else if line == "end_of_record" {
                assert!(lines.is_empty(), "{guest}: branches on lines {lines:?} that are not known");
            }
        }
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{guest}");
        assert!(found.len() > 4, "{guest}: {}", found.len());
        states.extend(found.into_iter().map(|found| found.2));
    }
    assert_eq!(states.len(), 3, "{states:?}");
}
