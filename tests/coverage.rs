//! What debuggers note of what guests reach, held against a single step through all of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use stepwell::base::{ErrorKind, FuncIndex, WasmOffset};
use stepwell::debug::{Action, Coverage, Debugger, Reason};
use stepwell::runtime::{Config, DebugTier, Engine, Instance, Module, Store};

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
