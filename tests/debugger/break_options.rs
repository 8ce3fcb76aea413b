//! What breakpoints may have: enabled or not, ignored, once, under a condition, of one instance; and sets of them.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use stepwell::base::{Error, ErrorKind, FuncIndex, WasmOffset};
use stepwell::debug::{Action, BreakOptions, BreakRequest, BreakpointId, Condition, Debugger, Reason, error_columns};
use stepwell::internals::sys::faults;
use stepwell::runtime::{AsStoreMut, Config, DebugTier, Engine, Instance, Module, Store, Val};

const TIERS: [DebugTier; 2] = [DebugTier::Simple, DebugTier::Regions];

/// `sum(n)` adds 1 to n; the addition is in the middle of a region.
const TEXT: &str = r#"(module
    (memory (export "m") 1)
    (data (i32.const 16) "\07\00\00\00\ff\ff\ff\ff")
    (global $g (export "g") (mut i64) (i64.const 40))
    (global $f f64 (f64.const 2.5))
    (global $r (mut externref) (ref.null extern))
    (func $one (export "one") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func (export "sum") (param i32) (result i32) (local i32 f64 externref i64)
        (local.set 2 (f64.const 0.5))
        (loop
            (local.set 1 (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const 3))))
            (local.set 4 (i64.extend_i32_s (i32.sub (i32.const 0) (local.get 1))))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1))
    (func (export "run") (param i32) (result i32) (call $one (local.get 0))))"#;

struct World {
    store: Store,
    module: Module,
    instance: Instance,
    debugger: Debugger,
    hits: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl World {
    fn new(tier: DebugTier) -> World {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let hits = Arc::new(Mutex::new(Vec::new()));
        let seen = hits.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            seen.lock().unwrap().push(stop.reason().breakpoints().iter().map(|id| id.get()).collect());
            Action::Continue
        })
        .unwrap();
        World { store, module, instance, debugger, hits }
    }

    fn call(&mut self, name: &str, arg: i32) -> Result<i32, Error> {
        call(&mut self.store, self.instance, name, arg)
    }

    /// The ids of the breakpoints of each stop since.
    fn take(&self) -> Vec<Vec<u32>> {
        std::mem::take(&mut *self.hits.lock().unwrap())
    }

    /// A breakpoint at the multiplication in the loop of `sum`, where the frame is inside a region.
    fn in_loop(&mut self) -> BreakpointId {
        let func = self.module.info().defined(FuncIndex::new(1)).unwrap();
        let body = &self.module.info().bodies[func.index()].bytes;
        let bytes = &self.module.binary()[body.clone()];
        let at = bytes.iter().position(|byte| *byte == 0x6c).unwrap() + body.start;
        self.debugger.break_at(&mut self.store, &self.module, WasmOffset::from_usize(at)).unwrap().id
    }

    /// A breakpoint at a site, where the frame itself is read.
    fn at_entry(&mut self) -> BreakpointId {
        self.debugger.break_at_name(&mut self.store, &self.module, "one").unwrap().id
    }

    fn condition(&mut self, id: BreakpointId, text: &str) -> Result<(), Error> {
        let condition = Condition::text(text)?;
        self.debugger.change_breakpoint(&mut self.store, id, |options| options.condition = Some(condition))
    }

    fn count(&self, id: BreakpointId) -> u64 {
        self.debugger.breakpoint(&self.store, id).unwrap().unwrap().hits
    }
}

fn call(store: &mut impl AsStoreMut, instance: Instance, name: &str, arg: i32) -> Result<i32, Error> {
    let func = instance.export(&mut *store, name).and_then(|item| item.func()).unwrap();
    let mut results = [Val::I32(0)];
    func.call(store, &[Val::I32(arg)], &mut results)?;
    Ok(results[0].i32().unwrap())
}

#[test]
fn one_that_is_not_enabled_arms_nothing_and_comes_back() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let (a, b) = (world.in_loop(), world.in_loop());
        let entry = world.at_entry();
        let armed = |world: &World| world.store.registry().plan().sites().count();
        let both = armed(&world);
        let set = |world: &mut World, id, on| {
            world.debugger.change_breakpoint(&mut world.store, id, |options| options.enabled = on).unwrap();
        };
        set(&mut world, a, false);
        set(&mut world, a, false);
        assert_eq!(world.call("sum", 2).unwrap(), 9);
        assert_eq!(world.take(), [[b.get()], [b.get()]]);
        set(&mut world, b, false);
        set(&mut world, entry, false);
        assert_eq!(armed(&world), 0, "it costs nothing");
        assert_eq!(world.call("sum", 2).unwrap(), 9);
        assert_eq!(world.call("one", 2).unwrap(), 3);
        assert!(world.take().is_empty());
        assert_eq!(world.debugger.breakpoint_count(&world.store).unwrap(), 3);
        for id in [a, b, entry] {
            set(&mut world, id, true);
            set(&mut world, id, true);
        }
        assert_eq!(armed(&world), both);
        assert_eq!(world.call("sum", 1).unwrap(), 3);
        assert_eq!(world.take(), [[a.get(), b.get()]]);
        // One that is removed while it is not enabled.
        set(&mut world, a, false);
        world.debugger.remove(&mut world.store, a).unwrap();
        world.call("sum", 1).unwrap();
        assert_eq!(world.take(), [[b.get()]]);
        world.debugger.remove_all(&mut world.store, &[b, entry]).unwrap();
        assert_eq!(armed(&world), 0);
    }
}

#[test]
fn places_that_come_while_one_is_not_enabled_are_found() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let any = world.debugger.break_at_name(&mut world.store, None, "one").unwrap().id;
        world.debugger.change_breakpoint(&mut world.store, any, |options| options.enabled = false).unwrap();
        let other = Module::new(world.store.engine(), &wat::parse_str(TEXT).unwrap()).unwrap();
        let second = Instance::new(&mut world.store, &other, &[]).unwrap();
        let places = |world: &World| world.debugger.breakpoint(&world.store, any).unwrap().unwrap().places.len();
        assert_eq!(places(&world), 2);
        assert_eq!(call(&mut world.store, second, "one", 1).unwrap(), 2);
        assert!(world.take().is_empty());
        world.debugger.change_breakpoint(&mut world.store, any, |options| options.enabled = true).unwrap();
        call(&mut world.store, second, "one", 1).unwrap();
        world.call("one", 1).unwrap();
        assert_eq!(world.take().len(), 2);
    }
}

/// A count of how often an instruction is come to: nobody is called, whatever code the function has meanwhile.
#[test]
fn what_is_always_ignored_counts() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let id = world.in_loop();
        world.debugger.change_breakpoint(&mut world.store, id, |options| options.ignore = u64::MAX).unwrap();
        let results = [10, 20_000].map(|turns| world.call("sum", turns).unwrap());
        let hits = |world: &World| world.debugger.breakpoint(&world.store, id).unwrap().unwrap().hits;
        assert_eq!((hits(&world), world.take().len()), (20_010, 0), "{tier:?}");
        world.debugger.set_hit_count(&mut world.store, id, 0).unwrap();
        let holds = Condition::text("local(0) == 5").unwrap();
        world.debugger.change_breakpoint(&mut world.store, id, |options| options.condition = Some(holds)).unwrap();
        assert_eq!([10, 20_000].map(|turns| world.call("sum", turns).unwrap()), results);
        assert_eq!((hits(&world), world.take().len()), (2, 0), "{tier:?}");
    }
}

#[test]
fn what_is_ignored_is_counted_and_what_stops_once_is_gone_before_the_callback() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let id = world.in_loop();
        world.debugger.change_breakpoint(&mut world.store, id, |options| options.ignore = 3).unwrap();
        assert_eq!(world.call("sum", 5).unwrap(), 45);
        assert_eq!(world.take().len(), 2);
        assert_eq!(world.count(id), 5);
        let shown = world.debugger.breakpoint(&world.store, id).unwrap().unwrap();
        assert_eq!((shown.options.ignore, shown.options.one_shot, shown.options.enabled), (0, false, true));
        world.debugger.set_hit_count(&mut world.store, id, 0).unwrap();
        world
            .debugger
            .change_breakpoint(&mut world.store, id, |options| {
                (options.ignore, options.one_shot) = (1, true);
            })
            .unwrap();
        let entry = world.at_entry();
        let there = Arc::new(Mutex::new(Vec::new()));
        world.debugger.detach(&mut world.store).unwrap();
        // With a callback that looks whether it is still there.
        let seen = there.clone();
        world.debugger = Debugger::attach(&mut world.store, move |stop| {
            let id = stop.reason().breakpoints()[0];
            let debugger = stop.debugger();
            seen.lock().unwrap().push(debugger.breakpoint(stop, id).unwrap().is_some());
            // It is gone: removing it once more is an error, and no more than that.
            assert!(debugger.remove(stop, id).is_err());
            Action::Continue
        })
        .unwrap();
        let _ = entry;
        for id in [world.in_loop(), world.at_entry()] {
            world.debugger.change_breakpoint(&mut world.store, id, |options| options.one_shot = true).unwrap();
        }
        assert_eq!(world.call("sum", 5).unwrap(), 45);
        assert_eq!(world.call("run", 5).unwrap(), 6);
        assert_eq!(world.call("run", 5).unwrap(), 6);
        assert_eq!(*there.lock().unwrap(), [false, false]);
        assert_eq!(world.debugger.breakpoint_count(&world.store).unwrap(), 0);
    }
}

/// Conditions of the loop's locals: in the first turn they are n, 0, 0.5 and 0.
const CONDITIONS: &[(&str, usize)] = &[
    ("local(0) == 2", 1),
    ("local(0) != 2", 2),
    ("local(0) > 1", 2),
    ("local(0) >= 1 && local(0) < 3", 2),
    ("local(0) == 1 || local(0) == 3", 2),
    ("!(local(0) == 1) && !(local(0) == 3)", 1),
    ("(local(0) + 1) * 2 == 8", 1),
    ("local(0) + 1 * 2 == 5", 1),
    ("local(0) & 1 == 1", 2),
    ("3 - 1 - 1 == local(0)", 1),
    ("-local(0) == -3", 1),
    ("local(1) == 9", 1),
    ("local(2) == 0.5", 3),
    ("local(2) < 1", 3),
    ("local(2) * 2 + 1 > 1.5", 3),
    ("f64(local(0)) > 1.5", 2),
    ("local(4) < 0", 2),
    ("local(4) == -9", 1),
    ("u64(local(4)) > 0x7fffffffffffffff", 2),
    ("u32(local(4)) == 0xfffffff7", 1),
    ("u8(local(4)) == 247", 1),
    ("global(0) == 40", 3),
    ("global(1) == 2.5", 3),
    ("i32[16] == 7", 3),
    ("i32[local(0) + 13] == 7", 1),
    ("i32[20] == -1 && u32[20] == 4294967295", 3),
    ("i8[20] == -1 && u8[20] == 255 && i16[20] == -1 && u16[20] == 0xffff", 3),
    ("i64[16] == -4294967289", 3),
    ("u64[16] == 0xffffffff00000007", 3),
    ("f32[16] < 0.1 && f64[16] != f64[16]", 3),
    // What cannot be read makes it false, whatever is around it.
    ("i32[65533] == 0", 0),
    ("!(i32[65533] == 0)", 0),
    ("i32[-1] == 0 || local(0) == 1", 0),
    ("local(0) == 1 || i32[-1] == 0", 1),
    ("local(0) == 1 && i32[-1] == 0", 0),
    ("i32[65532] == 0", 3),
    ("i64[0x100000000] == 0", 3),
    // C's precedence, conversions and values of truth.
    ("local(0)", 3),
    ("!local(1)", 1),
    ("local(0) & 1", 2),
    ("local(0) == 1 | local(0) == 2", 2),
    ("1 + 2 * local(0) << 1 == 10", 1),
    ("local(0) == 2 ? local(1) == 9 : local(1) == 15", 2),
    ("-1 > 1u && -1 < 1", 3),
    ("local(4) == -9 && local(4) / 2 == -4 && local(4) % 2 == -1 && local(4) >> 1 == -5", 1),
    ("global(1) * 2 == 5 && local(0) > 1.5", 2),
    ("$local0 == 2 && $global0 == 40", 1),
    ("u32(-1) == 0xffffffff && (unsigned char)(local(0) - 4) > 250", 3),
    // What has no result is false.
    ("1 / (local(0) - 2) == 1", 1),
    ("1 << (local(0) + 30) == 0 || local(0) == 3", 0),
];

#[test]
fn conditions_are_held_against_the_frame() {
    for tier in TIERS {
        for (text, expected) in CONDITIONS {
            let mut world = World::new(tier);
            let id = world.in_loop();
            world.condition(id, text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(world.call("sum", 3).unwrap(), 18);
            assert_eq!(world.take().len(), *expected, "{text} in {tier:?}");
            assert_eq!(world.count(id), *expected as u64, "only what holds is counted");
            let shown = world.debugger.breakpoint(&world.store, id).unwrap().unwrap();
            assert_eq!(shown.options.condition.unwrap().as_text(), Some(*text));
        }
        // At a site, in the frame itself.
        let mut world = World::new(tier);
        let id = world.at_entry();
        world.condition(id, "local(0) == 7 && i32[16] == local(0)").unwrap();
        for n in 5..9 {
            assert_eq!(world.call("run", n).unwrap(), n + 1);
        }
        assert_eq!(world.take().len(), 1);
        world.debugger.change_breakpoint(&mut world.store, id, |options| options.condition = None).unwrap();
        world.call("run", 1).unwrap();
        assert_eq!(world.take().len(), 1);
    }
}

#[test]
fn a_text_that_is_no_condition_is_refused_with_the_position() {
    let mut world = World::new(DebugTier::Regions);
    let id = world.in_loop();
    world.condition(id, "local(0) == 2").unwrap();
    for (text, at, said) in [
        ("", 1, "expected a value"),
        ("local(0) ==", 12, "expected a value"),
        ("local(0) == 1 local(1)", 15, "expected an operator, or the end, found `local`"),
        ("local(x) == 1", 7, "expected the index of a local"),
        ("local(-1) == 1", 7, "expected the index of a local"),
        ("local(4294967296) == 1", 7, "beyond all indices"),
        ("local(1.5) == 1", 7, "is an integer"),
        ("local 0 == 1", 7, "expected an operator, or the end, found `0`"),
        ("(local(0) == 1", 15, "expected `)`"),
        ("i32[16 == 1", 12, "expected `]`"),
        ("i31[16] == 1", 1, "no variable `i31`"),
        ("0x == 1", 1, "no number"),
        ("340282366920938463463374607431768211456 == 1", 1, "no number of 128 bits"),
        ("1.5.5 == 1", 1, "no number"),
        ("local(0) == 1 && # ", 18, "found `#`"),
        ("local(0) == 1 && \u{e9} == 1", 18, "no variable `\u{e9}`"),
        ("'\u{e9}' == local(9)", 8, "no local 9"),
        ("local(5) == 1", 1, "function 1 has no local 5: it has 5"),
        ("global(9) == 1", 1, "no global 9: it has 3"),
        ("local(3) == 1", 1, "local 3 is of type externref"),
        ("global(2) == 1", 1, "global 2 is of type externref"),
        ("local(2) & 1 == 1", 10, "this takes integers"),
        ("local(2) % 2 == 1", 10, "this takes integers"),
        ("1 << local(2)", 3, "this takes integers"),
        ("~local(2)", 1, "this takes integers"),
        ("i32[local(2)] == 1", 1, "this takes integers"),
        ("local(0) = 2", 10, "to compare, write `==`"),
        ("local(0) += 2", 10, "assignments are not allowed here"),
        ("one(1) == 2", 1, "calls are not allowed here"),
        ("local(0) == 1 && limit > 2", 18, "there is no variable `limit` here"),
        ("$nobody == 1", 1, ""),
    ] {
        // A name of the name section is looked for at the stop.
        if said.is_empty() {
            world.condition(id, text).unwrap();
            world.condition(id, "local(0) == 2").unwrap();
            continue;
        }
        let error = world.condition(id, text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.message().contains(said), "{text}: {}", error.message());
        assert!(error.message().contains(&format!("at column {at}: ")), "{text}: {}", error.message());
        assert_eq!(error_columns(&error).map(|columns| columns.start), Some(at), "{text}");
    }
    // What was there before is still there.
    world.call("sum", 3).unwrap();
    assert_eq!(world.take().len(), 1);
    for deep in [
        "(".repeat(100_000),
        "!".repeat(4000),
        "-".repeat(4000),
        "i32[".repeat(900),
        "1+".repeat(2000),
        "1+".repeat(200),
    ] {
        assert!(Condition::text(&deep).is_err());
    }
    // The longest are walked on the guest's stack.
    let long = format!("local(0){} == 3", "+0".repeat(127));
    world.condition(id, &long).unwrap();
    let deep = format!("{}local(0) == 3{}", "(".repeat(40), ")".repeat(40));
    world.condition(id, &deep).unwrap();
    world.condition(id, "local(0) == 2").unwrap();
    // A module without memory, and places that come later in functions that the text does not fit.
    let small = Module::new(world.store.engine(), &wat::parse_str("(module (func $one))").unwrap()).unwrap();
    let there = world.debugger.break_at_name(&mut world.store, &small, "one").unwrap().id;
    assert!(world.condition(there, "i32[0] == 0").unwrap_err().message().contains("no memory"));
    let gone = BreakpointId::new(999);
    assert!(world.condition(gone, "1 == 1").unwrap_err().message().contains("there is no breakpoint 999"));
}

/// Conditions are walked on the guest's stack: also where that is almost at its end.
#[test]
fn the_longest_conditions_fit_where_the_stack_ends() {
    for tier in TIERS {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let text = r#"(module (func $deep (export "deep") (param i32) (result i32)
            (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))"#;
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let debugger = Debugger::attach(&mut store, |stop| match stop.reason() {
            Reason::Trap(_) => Action::Continue,
            reason => panic!("{reason:?}"),
        })
        .unwrap();
        let id = debugger.break_at_name(&mut store, &module, "deep").unwrap().id;
        let nested = format!("{}local(0) - {}1{}", "-".repeat(20), "(0 ? 1 : ".repeat(20), ")".repeat(20));
        for text in
            [format!("local(0){} < 0", " + 0".repeat(120)), format!("({nested}) < -100000000"), "$pc == 1".into()]
        {
            let condition = Condition::text(&text).unwrap();
            debugger.change_breakpoint(&mut store, id, |options| options.condition = Some(condition)).unwrap();
            let error = call(&mut store, instance, "deep", 1).unwrap_err();
            assert!(error.to_string().contains("stack"), "{error}");
        }
    }
}

#[test]
fn a_place_that_a_text_does_not_fit_does_not_stop() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let any = world.debugger.break_at_name(&mut world.store, None, "one").unwrap().id;
        world.condition(any, "local(0) == 1 && i32[16] == 7").unwrap();
        let text = r#"(module (func $one (export "one") (param i32) (result i32) (i32.const 5)))"#;
        let other = Module::new(world.store.engine(), &wat::parse_str(text).unwrap()).unwrap();
        let other = Instance::new(&mut world.store, &other, &[]).unwrap();
        assert_eq!(call(&mut world.store, other, "one", 1).unwrap(), 5);
        assert!(world.take().is_empty());
        world.call("one", 1).unwrap();
        assert_eq!(world.take().len(), 1);
    }
}

#[test]
fn a_host_that_is_asked_may_do_what_it_likes() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let (a, b) = (world.in_loop(), world.in_loop());
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let holds = Condition::callback(move |stop| {
            count.fetch_add(1, Relaxed);
            assert_eq!(stop.reason().breakpoints().len(), 1);
            assert_eq!(stop.frame_count(), 1);
            stop.top().unwrap().local(0) == Some(Val::I32(2))
        });
        world.debugger.change_breakpoint(&mut world.store, a, |options| options.condition = Some(holds)).unwrap();
        world.condition(b, "local(0) == 1").unwrap();
        assert_eq!(world.call("sum", 3).unwrap(), 18);
        assert_eq!(asked.load(Relaxed), 3);
        assert_eq!(world.take(), [[a.get()], [b.get()]]);
        assert_eq!((world.count(a), world.count(b)), (1, 1));
        // Steps go on over what does not hold, and end there.
        world.debugger.step_always(&mut world.store, true).unwrap();
        assert_eq!(world.call("sum", 1).unwrap(), 3);
        let stops = world.take();
        assert_eq!(stops.iter().filter(|ids| !ids.is_empty()).count(), 1);
        assert!(stops.len() > 10);
        world.debugger.step_always(&mut world.store, false).unwrap();
        // A panic ends the guest's call, and the process goes on.
        let panics = Condition::callback(|_| panic!("a condition that fails"));
        world.debugger.change_breakpoint(&mut world.store, a, |options| options.condition = Some(panics)).unwrap();
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.call("sum", 1)));
        assert!(failed.is_err());
        assert!(world.store.is_poisoned());
    }
}

#[test]
fn one_instance_alone_can_be_stopped() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let second = Instance::new(&mut world.store, &world.module, &[]).unwrap();
        for id in [world.in_loop(), world.at_entry()] {
            let of = second.id(&world.store).unwrap();
            world.debugger.change_breakpoint(&mut world.store, id, |options| options.instance = Some(of)).unwrap();
        }
        assert_eq!(world.call("sum", 2).unwrap(), 9);
        assert_eq!(world.call("run", 2).unwrap(), 3);
        assert!(world.take().is_empty());
        call(&mut world.store, second, "sum", 2).unwrap();
        call(&mut world.store, second, "run", 2).unwrap();
        assert_eq!(world.take().len(), 3);
        // An instance of another store is refused.
        let mut other = Store::new(world.store.engine());
        let foreign = Instance::new(&mut other, &world.module, &[]).unwrap().id(&other).unwrap();
        let id = world.at_entry();
        let refused =
            world.debugger.change_breakpoint(&mut world.store, id, |options| options.instance = Some(foreign));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Argument);
    }
}

#[test]
fn a_breakpoint_of_an_instance_that_is_gone_stops_nobody_else() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let gone = Instance::new(&mut world.store, &world.module, &[]).unwrap();
        let name = gone.id(&world.store).unwrap();
        assert_eq!(world.store.find_instance(name), Some(gone));
        let id = world.at_entry();
        world.debugger.change_breakpoint(&mut world.store, id, |options| options.instance = Some(name)).unwrap();
        // SAFETY: no handle of what is given back is used any more.
        drop(unsafe { world.store.collect([world.instance.into()]) }.unwrap());
        assert_eq!(world.store.find_instance(name), None);
        // It may stand where the other one has stood.
        world.instance = Instance::new(&mut world.store, &world.module, &[]).unwrap();
        assert_ne!(world.instance.id(&world.store).unwrap(), name);
        world.call("run", 2).unwrap();
        assert!(world.take().is_empty());
        world.debugger.change_breakpoint(&mut world.store, id, |options| options.ignore = 1).unwrap();
        assert_eq!(world.debugger.breakpoint(&world.store, id).unwrap().unwrap().options.instance, Some(name));
        let other = world.at_entry();
        let refused =
            world.debugger.change_breakpoint(&mut world.store, other, |options| options.instance = Some(name));
        assert!(refused.unwrap_err().message().contains("collected"));
        world.debugger.change_breakpoint(&mut world.store, id, |options| *options = BreakOptions::default()).unwrap();
        world.call("run", 2).unwrap();
        assert!(!world.take().is_empty());
    }
}

#[test]
fn a_false_condition_ends_no_step_and_a_step_over_passes_it() {
    for tier in TIERS {
        let mut world = World::new(tier);
        world.debugger.detach(&mut world.store).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = log.clone();
        world.debugger = Debugger::attach(&mut world.store, move |stop| {
            let top = stop.top().unwrap();
            seen.lock().unwrap().push((top.func().get(), *stop.reason() == Reason::Step));
            Action::StepOver
        })
        .unwrap();
        world.debugger.break_at_name(&mut world.store, &world.module, "run").unwrap();
        let inner = world.at_entry();
        world.condition(inner, "local(0) == 1000").unwrap();
        world.call("run", 3).unwrap();
        let steps = std::mem::take(&mut *log.lock().unwrap());
        assert!(steps.iter().all(|(func, _)| *func == 2), "{steps:?}");
        assert_eq!(steps.len(), 3, "{steps:?}");
        world.call("run", 1000).unwrap();
        assert!(log.lock().unwrap().iter().any(|(func, step)| *func == 0 && !step));
    }
}

#[test]
fn a_set_is_set_as_a_whole_or_not_at_all_and_removed_so() {
    for tier in TIERS {
        let mut world = World::new(tier);
        let offsets = |module: &Module| -> Vec<WasmOffset> {
            let bodies = &module.info().bodies;
            bodies.iter().flat_map(|body| (body.bytes.start..body.bytes.end).map(WasmOffset::from_usize)).collect()
        };
        let all = offsets(&world.module);
        let requests: Vec<_> = all.iter().map(|at| BreakRequest::offset(&world.module, *at)).collect();
        let armed = |world: &World| world.store.registry().plan().sites().count();
        // One that cannot be set, at the end: none is.
        let mut bad = requests.clone();
        bad.push(BreakRequest::offset(&world.module, WasmOffset::new(0)));
        assert!(world.debugger.break_at_all(&mut world.store, &bad).is_err());
        assert_eq!((world.debugger.breakpoint_count(&world.store).unwrap(), armed(&world)), (0, 0));
        let ids = world.debugger.break_at_all(&mut world.store, &requests).unwrap();
        assert_eq!(ids.len(), all.len());
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(armed(&world) > 0);
        assert_eq!(world.call("run", 4).unwrap(), 5);
        let stops = world.take();
        // The same as if they had been set one by one.
        let mut other = World::new(tier);
        for at in &all {
            other.debugger.break_at(&mut other.store, &other.module, *at).unwrap();
        }
        other.call("run", 4).unwrap();
        let (count, one_by_one) = (stops.len(), other.take());
        assert_eq!(stops, one_by_one);
        assert!(count >= 6, "{count}");
        assert_eq!(armed(&world), armed(&other));
        // One that there is not: all stay.
        let mut wrong = ids.clone();
        wrong.push(BreakpointId::new(9999));
        assert!(world.debugger.remove_all(&mut world.store, &wrong).is_err());
        assert_eq!(world.debugger.breakpoint_count(&world.store).unwrap(), all.len());
        world.call("run", 4).unwrap();
        assert_eq!(world.take().len(), count);
        // Half of them, some named twice; then the rest.
        let half: Vec<_> = ids.iter().step_by(2).chain(ids.iter().step_by(4)).copied().collect();
        world.debugger.remove_all(&mut world.store, &half).unwrap();
        assert_eq!(world.debugger.breakpoint_count(&world.store).unwrap(), all.len() / 2);
        assert_eq!(world.call("sum", 2).unwrap(), 9);
        let rest: Vec<_> = world.debugger.breakpoints(&world.store).unwrap().iter().map(|at| at.id).collect();
        world.debugger.remove_all(&mut world.store, &rest).unwrap();
        world.debugger.remove_all(&mut world.store, &[]).unwrap();
        assert!(world.debugger.break_at_all(&mut world.store, &[]).unwrap().is_empty());
        world.take();
        assert_eq!(world.call("sum", 2).unwrap(), 9);
        assert!(world.take().is_empty());
        assert_eq!(armed(&world), 0);
    }
}

/// How many mapping calls some work in a new world makes: one after the other is made to fail, until none does.
fn calls(tier: DebugTier, work: impl Fn(&mut World) -> bool) -> u32 {
    for n in 1..10_000 {
        let mut world = World::new(tier);
        world.at_entry();
        let guard = faults::fail_nth(n);
        let done = work(&mut world);
        if !guard.hit() {
            assert!(done);
            return n - 1;
        }
        drop(guard);
        let count = world.debugger.breakpoint_count(&world.store).unwrap();
        if !done {
            assert_eq!(count, 1, "a set that fails leaves nothing behind");
        }
        assert_eq!(world.call("run", 4).unwrap(), 5);
    }
    panic!("it does not end");
}

#[test]
fn a_set_is_one_edit() {
    for tier in TIERS {
        // Functions of a few bytes, on one page.
        let requests = |world: &World| -> Vec<BreakRequest> {
            (1..3).map(|func| BreakRequest::function_index(&world.module, FuncIndex::new(func))).collect()
        };
        let one = calls(tier, |world| {
            let request = requests(world).remove(0);
            world.debugger.add_breakpoint(&mut world.store, request).is_ok()
        });
        let set = calls(tier, |world| {
            let requests: Vec<_> = (0..50).flat_map(|_| requests(world)).collect();
            world.debugger.break_at_all(&mut world.store, &requests).is_ok()
        });
        assert!(one > 0);
        assert_eq!(set, one, "a hundred take no more calls of the system than one");
    }
}
