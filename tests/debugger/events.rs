//! Events that are stops where they are asked for: modules, instances, memories that grow, calls of the host. What is
//! told, in which order, with what frames; what answers do; and what runs within a callback.

use std::sync::{Arc, Mutex};
use stepwell::base::{ErrorKind, FuncIndex, GlobalIndex, WasmOffset};
use stepwell::debug::{Action, Debugger, Events, Reason, Stop, WatchKind};
use stepwell::runtime::DebugTier;
use stepwell::*;

const TIERS: [DebugTier; 2] = [DebugTier::Regions, DebugTier::Simple];

/// A module, what it imports, and an instance of it.
type Parts = (Module, Vec<Extern>, Instance);
type Answers = dyn Fn(&mut Stop<'_>, &str) -> Action + Send + Sync;

/// What was told: by a word each, with numbers behind it.
type Log = Arc<Mutex<Vec<String>>>;

struct World {
    store: Store,
    module: Module,
    imports: Vec<Extern>,
    debugger: Debugger,
    log: Log,
    /// How often the host's functions have been called.
    calls: Arc<Mutex<u32>>,
}

/// What a stop is, and how many frames it shows.
fn told(stop: &mut Stop<'_>) -> String {
    let what = match stop.reason().clone() {
        Reason::Module(id) => {
            assert!(stop.as_store_mut().modules().any(|module| module.id() == id));
            "module".to_owned()
        }
        Reason::Instance(instance) => {
            let started = instance.global(&*stop, GlobalIndex::new(0)).unwrap();
            format!("instance started {:?}", started.get(&*stop).unwrap())
        }
        Reason::MemoryGrown(grown) => {
            assert_eq!(grown.memory.size(&*stop).unwrap(), grown.pages);
            format!("grown {} {}", grown.before, grown.pages)
        }
        Reason::HostCall(called) => {
            assert!(!called.failed);
            format!("call {:?} {:?}", stop.host_import().unwrap().1, called.values)
        }
        Reason::HostReturn(called) => {
            let import = stop.host_import().unwrap();
            assert_eq!(import.0, "host");
            format!("return {:?} {:?} {}", import.1, called.values, called.failed)
        }
        Reason::Trap(code) => format!("trap {code:?}"),
        Reason::Step => format!("step {}", stop.top().unwrap().offset().get()),
        Reason::Watchpoint(hits) => format!("watched by host {}", hits[0].by_host),
        other => panic!("{other:?}"),
    };
    format!("{what}; {}", stop.frame_count())
}

impl World {
    fn new(tier: DebugTier, answer: impl Fn(&mut Stop<'_>, &str) -> Action + Send + Sync + 'static) -> World {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/modules/events.wat")).unwrap();
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let log = Log::default();
        let (seen, answer): (Log, Box<Answers>) = (log.clone(), Box::new(answer));
        let debugger = Debugger::attach(&mut store, move |stop| {
            let what = told(stop);
            seen.lock().unwrap().push(what.clone());
            answer(stop, &what)
        })
        .unwrap();
        let calls: Arc<Mutex<u32>> = Arc::default();
        let (one, two) = (calls.clone(), calls.clone());
        let add = Func::wrap(&mut store, move |a: i32, b: i64| {
            *one.lock().unwrap() += 1;
            i64::from(a) + b
        })
        .unwrap();
        let fail = FuncType::new([ValType::I32], []);
        let fail = Func::new(&mut store, fail, move |_, params, _| {
            *two.lock().unwrap() += 1;
            match params[0] {
                Val::I32(0) => Ok(()),
                _ => Err(Trap::new("as asked").into()),
            }
        })
        .unwrap();
        World { store, module, imports: vec![add.into(), fail.into()], debugger, log, calls }
    }

    fn instance(&mut self) -> Result<Instance> {
        Instance::new(&mut self.store, &self.module, &self.imports)
    }

    fn on(&mut self, events: Events) {
        self.debugger.set_events(&mut self.store, events).unwrap();
        assert_eq!(self.debugger.events(&self.store).unwrap(), events);
    }

    fn call(&mut self, instance: Instance, name: &str, args: &[Val]) -> Result<Option<Val>> {
        let func = instance.export(&mut self.store, name).unwrap().func().unwrap();
        let mut results = vec![Val::I32(0); func.ty(&self.store).unwrap().results.len()];
        func.call(&mut self.store, args, &mut results)?;
        Ok(results.first().copied())
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    /// Where an instruction of an exported function is, by how many bytes before the end of its body.
    fn offset(&self, func: usize, before_end: usize) -> usize {
        self.module.info().bodies[func].bytes.end - before_end
    }
}

#[test]
fn each_is_told_once_with_what_it_is_about() {
    for tier in TIERS {
        let mut world = World::new(tier, |_, _| Action::Continue);
        assert_eq!(world.debugger.events(&world.store).unwrap(), Events::TRAP);
        let quiet = world.instance().unwrap();
        world.call(quiet, "add", &[Val::I32(1)]).unwrap();
        world.call(quiet, "grow", &[Val::I32(1)]).unwrap();
        assert_eq!(world.log(), [""; 0]);
        world.on(Events::ALL);
        let one = world.instance().unwrap();
        assert_eq!(world.log(), ["instance started I32(0); 0"], "the module is known");
        assert_eq!(world.call(one, "add", &[Val::I32(2)]).unwrap(), Some(Val::I64(42)));
        assert_eq!(world.log(), ["call \"add\" [I32(2), I64(40)]; 1", "return \"add\" [I64(42)] false; 1"]);
        assert_eq!(world.call(one, "grow", &[Val::I32(2)]).unwrap(), Some(Val::I32(1)));
        assert_eq!(world.call(one, "grow", &[Val::I32(0)]).unwrap(), Some(Val::I32(3)));
        assert_eq!(world.call(one, "grow", &[Val::I32(9)]).unwrap(), Some(Val::I32(-1)));
        let memory = one.export(&mut world.store, "memory").unwrap().memory().unwrap();
        assert_eq!(memory.grow(&mut world.store, 1).unwrap(), 3);
        memory.grow(&mut world.store, 1).unwrap_err();
        assert_eq!(world.log(), ["grown 1 3; 1", "grown 3 4; 0"]);
        world.call(one, "fail", &[Val::I32(0)]).unwrap();
        world.call(one, "fail", &[Val::I32(1)]).unwrap_err();
        assert_eq!(
            world.log(),
            [
                "call \"fail\" [I32(0)]; 1",
                "return \"fail\" [] false; 1",
                "call \"fail\" [I32(1)]; 1",
                "return \"fail\" [] true; 1"
            ]
        );
        world.call(one, "trap", &[]).unwrap_err();
        assert_eq!(world.log(), ["trap Unreachable; 1"]);
        // Each by itself.
        world.on(!Events::TRAP);
        world.call(one, "trap", &[]).unwrap_err();
        assert_eq!(world.log(), [""; 0]);
        world.on(Events::HOST_RETURN | Events::MEMORY_GROWN);
        world.call(one, "add", &[Val::I32(3)]).unwrap();
        assert_eq!(world.log(), ["return \"add\" [I64(43)] false; 1"]);
        // Of a debugger that is gone, nothing is left.
        world.on(Events::ALL);
        world.debugger.detach(&mut world.store).unwrap();
        world.call(one, "add", &[Val::I32(3)]).unwrap();
        let log = world.log.clone();
        world.debugger = Debugger::attach(&mut world.store, move |stop| {
            let what = told(stop);
            log.lock().unwrap().push(what);
            Action::Continue
        })
        .unwrap();
        assert_eq!(world.debugger.events(&world.store).unwrap(), Events::TRAP);
        world.call(one, "add", &[Val::I32(3)]).unwrap();
        assert_eq!(world.log(), [""; 0]);
    }
}

#[test]
fn a_new_module_is_told_before_its_instance() {
    for tier in TIERS {
        let mut world = World::new(tier, |stop, what| {
            if what.starts_with("module") {
                let Reason::Module(id) = stop.reason().clone() else { unreachable!() };
                let module = stop.as_store_mut().modules().find(|module| module.id() == id).unwrap().clone();
                stop.debugger().break_at_name(stop, &module, "add").unwrap();
            }
            Action::Continue
        });
        world.on(Events::ALL);
        world.instance().unwrap();
        assert_eq!(world.log(), ["module; 0", "instance started I32(0); 0"]);
        assert_eq!(world.debugger.breakpoint_count(&world.store).unwrap(), 1);
    }
}

/// Steps begin in the frame that waits, and end where that goes on.
#[test]
fn a_step_goes_on_from_the_call() {
    for tier in TIERS {
        for action in [Action::StepInstruction, Action::StepOver] {
            for at in ["call", "return", "grown"] {
                let answer = action.clone();
                let mut world = World::new(
                    tier,
                    move |_, what| {
                        if what.starts_with(at) { answer.clone() } else { Action::Continue }
                    },
                );
                let instance = world.instance().unwrap();
                world.on(Events::HOST_CALL | Events::HOST_RETURN | Events::MEMORY_GROWN);
                let (name, func) = if at == "grown" { ("grow", 3) } else { ("add", 1) };
                world.call(instance, name, &[Val::I32(1)]).unwrap();
                // The `end`, behind the call.
                let step = format!("step {}; 1", world.offset(func, 1));
                let log = world.log();
                match at {
                    // A step is over where an event is told.
                    "call" => assert_eq!(log.len(), 2, "{log:?}"),
                    _ => assert_eq!(log.last(), Some(&step), "{log:?}"),
                }
            }
        }
    }
}

#[test]
fn a_trap_fails_what_is_told_of() {
    for tier in TIERS {
        for at in ["module", "instance", "grown", "call", "return"] {
            let mut world = World::new(tier, move |_, what| {
                if what.starts_with(at) { Action::Trap(format!("no {at}")) } else { Action::Continue }
            });
            world.on(Events::ALL);
            let expected = format!("no {at}");
            let made = world.instance();
            if matches!(at, "module" | "instance") {
                assert_eq!(made.unwrap_err().to_string(), expected);
                // It is told again, and can be had then.
                world.on(Events::NONE);
                let instance = world.instance().unwrap();
                assert_eq!(world.call(instance, "add", &[Val::I32(1)]).unwrap(), Some(Val::I64(41)));
                continue;
            }
            let instance = made.unwrap();
            let memory = instance.export(&mut world.store, "memory").unwrap().memory().unwrap();
            if at == "grown" {
                assert_eq!(memory.grow(&mut world.store, 1).unwrap_err().to_string(), expected);
                let error = world.call(instance, "grow", &[Val::I32(1)]).unwrap_err();
                assert!(error.to_string().starts_with(&expected), "{error}");
                assert_eq!(memory.size(&world.store).unwrap(), 3);
                continue;
            }
            let error = world.call(instance, "add", &[Val::I32(1)]).unwrap_err();
            assert!(error.to_string().starts_with(&expected), "{error}");
            assert_eq!(*world.calls.lock().unwrap(), u32::from(at == "return"));
        }
    }
}

/// Growing, instances and calls of a callback are its own: nobody is told of them, so that none goes round for ever.
#[test]
fn what_a_callback_does_is_not_told() {
    for tier in TIERS {
        let cell: Arc<Mutex<Option<Parts>>> = Arc::default();
        let shared = cell.clone();
        let mut world = World::new(tier, move |stop, what| {
            if what.starts_with("step") {
                return Action::Continue;
            }
            let (module, imports, instance) = shared.lock().unwrap().clone().unwrap();
            let fresh = Instance::new(&mut *stop, &module, &imports).unwrap();
            for instance in [fresh, instance] {
                let memory = instance.export(&mut *stop, "memory").unwrap().memory().unwrap();
                let _ = memory.grow(&mut *stop, 1);
                let add = instance.export(&mut *stop, "add").unwrap().func().unwrap();
                let mut result = [Val::I32(0)];
                add.call(&mut *stop, &[Val::I32(1)], &mut result).unwrap();
                assert_eq!(result, [Val::I64(41)]);
            }
            let error = stop.set_local(0, 0, Val::I32(0)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State, "{error}");
            Action::StepOver
        });
        let instance = world.instance().unwrap();
        *cell.lock().unwrap() = Some((world.module.clone(), world.imports.clone(), instance));
        world.on(Events::ALL);
        world.call(instance, "grow", &[Val::I32(1)]).unwrap();
        world.call(instance, "add", &[Val::I32(1)]).unwrap();
        world.instance().unwrap();
        let log = world.log();
        let words: Vec<&str> = log.iter().map(|told| told.split(' ').next().unwrap()).collect();
        assert_eq!(words, ["grown", "step", "call", "return", "step", "instance"], "{log:?}");
    }
}

/// What is watched is told of, too, where calls are, and the other way round.
#[test]
fn watchpoints_and_calls_are_told_beside_each_other() {
    for tier in TIERS {
        let mut world = World::new(tier, |_, _| Action::Continue);
        let instance = world.instance().unwrap();
        let memory = instance.export(&mut world.store, "memory").unwrap().memory().unwrap();
        let write = Func::new(&mut world.store, FuncType::new([ValType::I32], []), move |mut caller, params, _| {
            let Val::I32(byte) = params[0] else { unreachable!() };
            memory.write(&mut caller, 3, &[byte as u8])
        })
        .unwrap();
        let imports = [world.imports[0], write.into()];
        let writing = Instance::new(&mut world.store, &world.module, &imports).unwrap();
        let watched = world.debugger.watch_memory(&mut world.store, memory, 3..4, WatchKind::Change).unwrap();
        for events in [Events::NONE, Events::HOST_CALL | Events::HOST_RETURN, Events::HOST_RETURN] {
            world.on(events);
            world.call(writing, "fail", &[Val::I32(events.bits() as i32 + 1)]).unwrap();
            let log = world.log();
            let calls = log.iter().filter(|told| told.starts_with("call") || told.starts_with("return")).count();
            assert_eq!(calls as u32, events.bits().count_ones(), "{log:?}");
            assert_eq!(log.last().map(String::as_str), Some("watched by host true; 1"), "{log:?}");
        }
        world.debugger.remove_watchpoint(&mut world.store, watched).unwrap();
        world.call(writing, "fail", &[Val::I32(77)]).unwrap();
        assert_eq!(world.log(), ["return \"fail\" [] false; 1"]);
    }
}

/// What a guest has made, and gives away, is there as long as it is told of.
#[test]
fn what_values_refer_to_outlives_collections() {
    let text = r#"(module
        (type $box (struct (field i32)))
        (import "host" "take" (func $take (param anyref) (result anyref)))
        (func (export "make") (drop (struct.new $box (i32.const 1))))
        (func (export "give") (param i32) (result i32)
            (struct.get $box 0 (ref.cast (ref $box) (call $take (struct.new $box (local.get 0)))))))"#;
    let engine = Engine::new(Config { debug: true, force_collections: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let debugger = Debugger::attach(&mut store, |stop| {
        let called = stop.reason().host_call().unwrap().clone();
        let Val::AnyRef(Some(object)) = called.values[0] else { panic!("{called:?}") };
        let instance = stop.top().unwrap().instance().unwrap();
        let make = instance.typed_func::<(), ()>(&mut *stop, "make").unwrap();
        // Each collects.
        (0..3).for_each(|_| make.call(&mut *stop, ()).unwrap());
        assert_eq!(object.get(&*stop, 0).unwrap(), Val::I32(7));
        Action::Continue
    })
    .unwrap();
    debugger.set_events(&mut store, Events::HOST_CALL | Events::HOST_RETURN).unwrap();
    let any = ValType::Ref(RefType { nullable: true, heap: HeapType::Any });
    let take = Func::new(&mut store, FuncType::new([any], [any]), |_, params, results| {
        results[0] = params[0];
        Ok(())
    })
    .unwrap();
    let instance = Instance::new(&mut store, &module, &[take.into()]).unwrap();
    let give = instance.typed_func::<i32, i32>(&mut store, "give").unwrap();
    for _ in 0..10 {
        assert_eq!(give.call(&mut store, 7).unwrap(), 7);
    }
}

/// A set knows its bits.
#[test]
fn sets_are_made_of_events() {
    assert_eq!(Events::from_bits(Events::ALL.bits()), Some(Events::ALL));
    assert_eq!(Events::from_bits(Events::ALL.bits() + 1), None);
    assert!(Events::ALL.contains(Events::TRAP | Events::MODULE) && !Events::TRAP.contains(Events::ALL));
    assert_eq!(!Events::NONE, Events::ALL);
}

/// What a guest has at hand where its memory grows stays, whatever is made and collected while that is told: in debug
/// code, and in a frame of production code that was there when the debugger was attached.
#[test]
fn what_is_made_while_a_memory_grows_takes_nothing_away() {
    let text = r#"(module (type $s (struct (field i32)))
        (import "host" "attach" (func $attach)) (memory 1)
        (global $g (export "g") (mut (ref null $s)) (ref.null $s))
        (func $start (global.set $g (struct.new $s (i32.const 42)))) (start $start)
        (func (export "run") (result i32)
            (call $attach)
            (global.get $g)
            (drop (memory.grow (i32.const 1)))
            (struct.get $s 0))
        (func (export "make") (drop (struct.new $s (i32.const 7)))))"#;
    for (tier, before) in TIERS.into_iter().flat_map(|tier| [(tier, true), (tier, false)]) {
        let config = Config { debug: true, debug_tier: tier, force_collections: true, ..Config::default() };
        let engine = Engine::new(config).unwrap();
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        // The global, and what makes objects.
        type Known = Arc<Mutex<Option<(Global, Func)>>>;
        let known = Known::default();
        let attach = |store: &mut StoreMut<'_>, shared: Known| {
            let debugger = Debugger::attach(store, move |stop| {
                assert!(matches!(stop.reason(), Reason::MemoryGrown(_)));
                let (global, make) = shared.lock().unwrap().unwrap();
                global.set(&mut *stop, Val::AnyRef(None)).unwrap();
                for _ in 0..4 {
                    make.call(&mut *stop, &[], &mut []).unwrap();
                }
                Action::Continue
            });
            debugger.unwrap().set_events(store, Events::MEMORY_GROWN).unwrap();
        };
        let shared = known.clone();
        let host = Func::new(&mut store, FuncType::new([], []), move |mut caller, _, _| {
            if !before {
                attach(&mut caller.as_store_mut(), shared.clone());
            }
            Ok(())
        });
        let instance = Instance::new(&mut store, &module, &[host.unwrap().into()]).unwrap();
        let global = instance.export(&mut store, "g").unwrap().global().unwrap();
        let make = instance.export(&mut store, "make").unwrap().func().unwrap();
        *known.lock().unwrap() = Some((global, make));
        if before {
            attach(&mut store.as_store_mut(), known.clone());
        }
        let run = instance.export(&mut store, "run").unwrap().func().unwrap();
        let mut results = [Val::I32(0)];
        run.call(&mut store, &[], &mut results).unwrap();
        assert_eq!(results, [Val::I32(42)], "{tier:?} {before}");
    }
}

/// A frame that waits for a host function says its name, where it has one, and where it is known which it waits for.
#[test]
fn a_frame_says_which_host_function_it_waits_for() {
    const TEXT: &str = r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (import "host" "closure" (func $closure (result i32)))
        (import "host" "guest" (func $guest (result i32)))
        (type $f (func (result i32)))
        (table funcref (elem $yield))
        (elem declare func $yield $inner)
        (memory (export "memory") 1)
        (func $inner (result i32) (i32.const 1))
        (func (export "direct") (result i32) (call $yield))
        (func (export "closure") (result i32) (call $closure))
        (func (export "guest") (result i32) (call $guest))
        (func (export "reference") (result i32) (call_ref $f (ref.func $yield)))
        (func (export "table") (result i32) (call_indirect (type $f) (i32.const 0)))
        (func $tail (result i32) (return_call $yield))
        (func (export "tail") (result i32) (call $tail)))"#;
    for tier in TIERS {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let mut linker = Linker::new(&engine);
        stepwell::wasi::WasiConfig::new().add_to(&mut linker, &mut store).unwrap();
        linker.func_wrap("host", "closure", || 3).unwrap();
        // What is imported is a guest's function, which calls the host in its turn.
        let inner = Module::new(
            &engine,
            &wat::parse_str(
                r#"(module (import "host" "closure" (func $f (result i32)))
                    (func (export "guest") (result i32) (return_call $f)))"#,
            )
            .unwrap(),
        )
        .unwrap();
        let inner = linker.instantiate(&mut store, &inner).unwrap();
        linker.instance(&mut store, "host", inner).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let log: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
        let told = log.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let top = stop.top().unwrap();
            match stop.reason() {
                // It has not called yet.
                Reason::Breakpoint(_) => assert_eq!(top.host_symbol(), None),
                Reason::HostCall(_) => {
                    told.lock().unwrap().push(top.host_symbol());
                    // Frames further out wait for guests.
                    for frame in (1..stop.frame_count()).map(|index| stop.frame(index).unwrap()) {
                        assert_eq!(frame.host_symbol(), None);
                    }
                }
                other => panic!("{other:?}"),
            }
            Action::Continue
        })
        .unwrap();
        debugger.set_events(&mut store, Events::HOST_CALL).unwrap();
        let direct = module.instructions(FuncIndex::new(4), WasmOffset::new(0), 1).unwrap()[0].offset;
        debugger.break_at(&mut store, &module, direct).unwrap();
        let name = Some("wasi_snapshot_preview1.sched_yield".to_owned());
        for (export, expected) in [
            ("direct", name.clone()),
            ("closure", None),
            ("guest", None),
            ("reference", name.clone()),
            ("table", None),
            ("tail", None),
        ] {
            let func = instance.export(&mut store, export).and_then(Extern::func).unwrap();
            func.call(&mut store, &[], &mut [Val::I32(0)]).unwrap();
            assert_eq!(log.lock().unwrap().pop(), Some(expected), "{export} {tier:?}");
        }
    }
}
