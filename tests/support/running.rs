//! Attaching a debugger where guests run: the frames that are there go on in production code, what they call is debug
//! code, and all computes what it would have computed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::base::{Error, ErrorKind, FuncIndex, Result};
use stepwell::debug::{Action, BreakRequest, Debugger, Events, ExceptionStops, Reason, Scope, Stop, WatchKind};
use stepwell::internals::sys::faults;
use stepwell::runtime::{
    Attacher, Caller, Config, DebugTier, Engine, Extern, Func, Global, Instance, Linker, Memory, Module, Store, Trap,
    TrapCode, Val,
};
use stepwell::{FuncType, ValType};

/// What guests and hosts of a test share.
#[derive(Default)]
struct Shared {
    debugger: Mutex<Option<Debugger>>,
    /// What was stopped at: why, and the names of the frames, those of production code with a star.
    seen: Mutex<Vec<String>>,
    calls: AtomicUsize,
    instances: Mutex<Vec<Instance>>,
}

impl Shared {
    fn see(&self, what: String) {
        self.seen.lock().unwrap().push(what);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn debugger(&self) -> Debugger {
        self.debugger.lock().unwrap().clone().unwrap()
    }
}

/// Why the guest stands, and the frames.
fn told(stop: &Stop<'_>) -> String {
    let why = match stop.reason() {
        Reason::Breakpoint(_) => "break",
        Reason::Step => "step",
        Reason::Trap(_) => "trap",
        Reason::Exception => "throw",
        Reason::Watchpoint(_) => "watch",
        Reason::HostCall(_) => "call",
        Reason::HostReturn(_) => "return",
        _ => "other",
    };
    let frames = (0..stop.frame_count()).map(|index| {
        let frame = stop.frame(index).unwrap();
        let star = if frame.is_production() { "*" } else { "" };
        let through = if frame.called_through_host() { "^" } else { "" };
        format!("{}{star}{through}", frame.func_name().unwrap_or("?"))
    });
    format!("{why} {}", frames.collect::<Vec<_>>().join(" "))
}

/// Attaches, unless that has been done, with breakpoints at these functions of whatever module.
fn attach(
    caller: &mut Caller<'_>,
    shared: &Arc<Shared>,
    functions: &[&str],
    handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
) -> Result<()> {
    if shared.debugger.lock().unwrap().is_some() {
        return Ok(());
    }
    let debugger = Debugger::attach(caller, handler)?;
    for name in functions {
        debugger.add_breakpoint(caller, BreakRequest::function(None, name))?;
    }
    *shared.debugger.lock().unwrap() = Some(debugger);
    Ok(())
}

/// The same, with what is stopped at written down.
fn attach_and_see(caller: &mut Caller<'_>, shared: &Arc<Shared>, functions: &[&str]) -> Result<()> {
    let see = shared.clone();
    attach(caller, shared, functions, move |stop| {
        see.see(told(stop));
        Action::Continue
    })
}

fn configs() -> Vec<Config> {
    let plain = || Config { debug: true, ..Config::default() };
    vec![
        plain(),
        Config { debug_tier: DebugTier::Simple, ..plain() },
        Config { signals: false, ..plain() },
        Config { copied_code: true, optimize: false, ..plain() },
    ]
}

fn engine(config: Config) -> Engine {
    Engine::new(config).unwrap()
}

/// A store with an instance of a guest, which imports `h.at`: it takes a number and gives it back, one higher, and does
/// what it is told.
struct Guest {
    store: Store,
    instance: Instance,
    shared: Arc<Shared>,
}

impl Guest {
    fn new(
        engine: &Engine,
        text: &str,
        on_call: impl Fn(&mut Caller<'_>, &Arc<Shared>) -> Result<()> + Send + Sync + 'static,
    ) -> Guest {
        let shared = Arc::new(Shared::default());
        let module = Module::new(engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(engine);
        let host = host(&mut store, &shared, on_call);
        let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
        shared.instances.lock().unwrap().push(instance);
        Guest { store, instance, shared }
    }

    fn call(&mut self, name: &str, params: &[Val]) -> Result<Vec<Val>> {
        call(&mut self.store, self.instance, name, params)
    }

    fn one(&mut self, name: &str, param: i32) -> i32 {
        self.call(name, &[Val::I32(param)]).unwrap()[0].i32().unwrap()
    }

    fn detach(&mut self) {
        let debugger = self.shared.debugger.lock().unwrap().take().unwrap();
        debugger.detach(&mut self.store).unwrap();
    }
}

fn host(
    store: &mut Store,
    shared: &Arc<Shared>,
    on_call: impl Fn(&mut Caller<'_>, &Arc<Shared>) -> Result<()> + Send + Sync + 'static,
) -> Func {
    let shared = shared.clone();
    let ty = FuncType::new([ValType::I32], [ValType::I32]);
    let body = move |mut caller: Caller<'_>, params: &[Val], results: &mut [Val]| {
        shared.calls.fetch_add(1, Ordering::Relaxed);
        on_call(&mut caller, &shared)?;
        results[0] = Val::I32(params[0].i32().unwrap().wrapping_add(1));
        Ok(())
    };
    Func::new(store, ty, body).unwrap()
}

fn call(store: &mut Store, instance: Instance, name: &str, params: &[Val]) -> Result<Vec<Val>> {
    let func = instance.export(&mut *store, name).and_then(Extern::func).unwrap();
    let ty = func.ty(&*store).unwrap();
    let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
    func.call(store, params, &mut results)?;
    Ok(results)
}

const CALLS: &str = r#"(module $main
    (import "h" "at" (func $at (param i32) (result i32)))
    (type $f (func (param i32) (result i32)))
    (table 2 funcref) (elem (i32.const 0) $other $at)
    (memory (export "memory") 1 9)
    (global $g (export "g") (mut i32) (i32.const 0))
    (func $leaf (export "leaf") (param i32) (result i32) (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 1)))
    (func $other (param i32) (result i32) (i32.add (call $leaf (local.get 0)) (i32.const 5)))
    (func $deep (export "deep") (param $n i32) (result i32)
        (if (result i32) (local.get $n)
            (then (i32.add (call $deep (i32.sub (local.get $n) (i32.const 1))) (call $leaf (local.get $n))))
            (else (call $at (i32.const 7)))))
    (func $loop (export "loop") (param $n i32) (result i32) (local $sum i32)
        (loop $l
            (local.set $sum (i32.add (local.get $sum) (call $leaf (local.get $n))))
            (local.set $sum (i32.add (local.get $sum) (call_indirect (type $f) (local.get $n) (i32.const 0))))
            (local.set $sum (i32.add (local.get $sum) (call $at (local.get $n))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func $grow (export "grow") (param i32) (result i32)
        (i32.store (i32.const 8) (local.get 0))
        (drop (call $at (i32.const 0)))
        (drop (memory.grow (i32.const 3)))
        (i32.store (i32.const 200000) (i32.const 5))
        (i32.add (call $leaf (memory.size)) (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 200000)))))
    (func $crash (export "crash") (param i32) (result i32)
        (drop (call $at (i32.const 0)))
        (drop (call $leaf (i32.const 0)))
        (i32.div_s (i32.const 1) (local.get 0))))"#;

#[test]
fn frames_of_any_depth_return_through_debug_code() {
    for config in configs() {
        let engine = engine(config);
        let plain = Guest::new(&engine, CALLS, |_, _| Ok(())).one("deep", 200);
        let mut guest = Guest::new(&engine, CALLS, |caller, shared| attach_and_see(caller, shared, &["leaf"]));
        assert_eq!(guest.one("deep", 200), plain);
        let seen = guest.shared.take();
        assert_eq!(seen.len(), 200);
        for (at, seen) in seen.iter().enumerate() {
            assert_eq!(*seen, format!("break leaf{}", " deep*".repeat(200 - at)));
        }
        // From the next call on all is debug code.
        assert_eq!(guest.one("deep", 3), guest.one("deep", 3));
        assert_eq!(guest.shared.take()[0], "break leaf deep deep deep");
        // And back, and again.
        guest.detach();
        for _ in 0..2 {
            assert_eq!(guest.one("deep", 200), plain);
            assert_eq!(guest.shared.take().len(), 200);
            guest.detach();
        }
    }
}

#[test]
fn a_loop_in_production_code_calls_debug_code_whatever_way() {
    for config in configs() {
        let engine = engine(config);
        let plain = Guest::new(&engine, CALLS, |_, _| Ok(())).one("loop", 50);
        let mut guest = Guest::new(&engine, CALLS, |caller, shared| {
            if shared.calls.load(Ordering::Relaxed) == 20 {
                attach_and_see(caller, shared, &["leaf", "other"])
            } else {
                Ok(())
            }
        });
        assert_eq!(guest.one("loop", 50), plain);
        let seen = guest.shared.take();
        let turn = ["break leaf loop*", "break other loop*", "break leaf other loop*"];
        assert_eq!(seen, turn.repeat(30));
        assert_eq!(guest.one("loop", 50), plain);
        assert_eq!(guest.shared.take()[0], "break leaf loop");
    }
}

#[test]
fn instances_of_another_module_and_another_store_are_as_they_should_be() {
    let engine = engine(configs().swap_remove(0));
    let library = r#"(module $lib (func $twice (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;
    let user = r#"(module $user
        (import "h" "at" (func $at (param i32) (result i32)))
        (import "l" "twice" (func $twice (param i32) (result i32)))
        (func $run (export "run") (param $n i32) (result i32) (local $sum i32)
            (loop $l
                (local.set $sum (i32.add (local.get $sum) (call $twice (call $at (local.get $n)))))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $sum)))"#;
    let library = Module::new(&engine, &wat::parse_str(library).unwrap()).unwrap();
    let user = Module::new(&engine, &wat::parse_str(user).unwrap()).unwrap();
    let make = |attaches: bool| {
        let shared = Arc::new(Shared::default());
        let mut store = Store::new(&engine);
        let host =
            host(
                &mut store,
                &shared,
                move |caller, shared| {
                    if attaches { attach_and_see(caller, shared, &["twice"]) } else { Ok(()) }
                },
            );
        let twice = Instance::new(&mut store, &library, &[]).unwrap().export(&mut store, "twice").unwrap();
        let instance = Instance::new(&mut store, &user, &[host.into(), twice]).unwrap();
        (store, instance, shared)
    };
    let (mut store, instance, _) = make(false);
    let plain = call(&mut store, instance, "run", &[Val::I32(10)]).unwrap();
    let (mut debugged, of_debugged, shared) = make(true);
    assert_eq!(call(&mut debugged, of_debugged, "run", &[Val::I32(10)]).unwrap(), plain);
    assert_eq!(shared.take(), ["break twice run*"; 10]);
    assert_eq!(call(&mut store, instance, "run", &[Val::I32(10)]).unwrap(), plain);
    assert_eq!(shared.take(), [""; 0], "another store stops nowhere");
}

/// A guest runs within the host function of another one, of the same store or not, and the innermost attaches.
#[test]
fn all_runs_of_a_store_that_nest_are_left() {
    const NESTED: &str = r#"(module
        (import "h" "at" (func $at (param i32) (result i32)))
        (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 100)))
        (func $nest (export "nest") (param i32) (result i32)
            (i32.add (call $leaf (i32.const 1)) (call $leaf (call $at (local.get 0))))))"#;
    let engine = engine(configs().swap_remove(0));
    // Every second run is one of the other store, which nobody attaches to.
    let run = |attaches: bool| {
        let others = Arc::new(Mutex::new(Guest::new(&engine, NESTED, |_, _| Ok(()))));
        let mut guest = Guest::new(&engine, NESTED, move |caller, shared| {
            let depth = shared.calls.load(Ordering::Relaxed);
            if depth == 6 {
                return if attaches { attach_and_see(caller, shared, &["leaf"]) } else { Ok(()) };
            }
            let instance = shared.instances.lock().unwrap()[0];
            let nest = instance.export(&mut *caller, "nest").and_then(Extern::func).unwrap();
            let mut results = [Val::I32(0)];
            nest.call(&mut *caller, &[Val::I32(depth as i32)], &mut results)?;
            assert!(results[0].i32().unwrap() > 0);
            assert_eq!(others.lock().unwrap().one("nest", 1), 203);
            Ok(())
        });
        let result = guest.one("nest", 0);
        (result, guest.shared.take())
    };
    let (plain, none) = run(false);
    assert!(none.is_empty());
    let (result, seen) = run(true);
    assert_eq!(result, plain);
    // On the way back each calls once more.
    assert_eq!(seen.len(), 6);
    for (at, seen) in seen.iter().enumerate() {
        assert_eq!(*seen, format!("break leaf nest*{}", " nest*^".repeat(5 - at)));
    }
}

#[test]
fn exceptions_land_in_production_frames() {
    const THROWS: &str = r#"(module
        (import "h" "at" (func $at (param i32) (result i32)))
        (tag $t (export "t") (param i32))
        (func $leaf (param i32) (result i32) (throw $t (i32.add (local.get 0) (i32.const 1))))
        (func $between (param i32) (result i32) (i32.add (i32.const 1000) (call $leaf (local.get 0))))
        (func $catch (export "catch") (param $n i32) (result i32) (local $sum i32)
            (drop (call $at (i32.const 0)))
            (loop $l
                (block $caught (result i32)
                    (try_table (result i32) (catch $t $caught) (call $between (local.get $n))))
                (local.set $sum (i32.add (local.get $sum)))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $sum))
        ;; Thrown by a production frame, and caught by one further out.
        (func $throws (param i32) (result i32) (drop (call $at (i32.const 0))) (throw $t (local.get 0)))
        (func $outer (export "outer") (param i32) (result i32)
            (block $caught (result i32) (try_table (result i32) (catch $t $caught) (call $throws (local.get 0))))
            (i32.add (i32.const 1)))
        (func $lost (export "lost") (param i32) (result i32)
            (drop (call $at (i32.const 0)))
            (call $between (local.get 0))))"#;
    for config in configs() {
        let engine = engine(config);
        let mut plain = Guest::new(&engine, THROWS, |_, _| Ok(()));
        let (caught, outer) = (plain.one("catch", 20), plain.one("outer", 20));
        let uncaught = plain.call("lost", &[Val::I32(1)]).unwrap_err();
        for stops in [ExceptionStops::None, ExceptionStops::All] {
            let mut guest = Guest::new(&engine, THROWS, move |caller, shared| {
                attach_and_see(caller, shared, &["leaf"])?;
                shared.debugger().stop_at_exceptions(caller, stops)
            });
            assert_eq!(guest.one("catch", 20), caught);
            let seen = guest.shared.take();
            let one = match stops {
                ExceptionStops::All => vec!["break leaf between catch*", "throw leaf between catch*"],
                _ => vec!["break leaf between catch*"],
            };
            assert_eq!(seen, one.repeat(20));
            guest.detach();
            assert_eq!(guest.one("outer", 20), outer);
            let thrown = vec!["throw throws* outer*"; usize::from(stops == ExceptionStops::All)];
            assert_eq!(guest.shared.take(), thrown);
            guest.detach();
            let error = guest.call("lost", &[Val::I32(1)]).unwrap_err();
            assert_eq!(error.message(), uncaught.message());
            guest.detach();
        }
    }
}

/// Steps at the stop where an exception is thrown that production code catches, and out of callees of that.
#[test]
fn steps_go_on_where_production_code_calls_next() {
    const STEPS: &str = r#"(module
        (import "h" "at" (func $at (param i32) (result i32)))
        (tag $t)
        (func $throws (throw $t))
        (func $one (nop) (nop))
        (func $two (nop) (nop))
        (func $run (export "run") (param i32) (result i32)
            (drop (call $at (i32.const 0)))
            (block $caught (try_table (catch $t $caught) (call $throws)))
            (call $one)
            (call $two)
            (i32.const 9)))"#;
    let follow = |actions: fn(usize) -> Action, functions: &'static [&'static str]| {
        let engine = engine(configs().swap_remove(0));
        let mut guest = Guest::new(&engine, STEPS, move |caller, shared| {
            let (see, count) = (shared.clone(), AtomicUsize::new(0));
            attach(caller, shared, functions, move |stop| {
                see.see(told(stop));
                actions(count.fetch_add(1, Ordering::Relaxed))
            })?;
            shared.debugger().stop_at_exceptions(caller, ExceptionStops::All)
        });
        assert_eq!(guest.one("run", 0), 9);
        guest.shared.take()
    };
    // A step into goes on to whatever is called next.
    let steps = follow(|_| Action::StepInstruction, &["throws"]);
    assert_eq!(
        steps,
        ["break throws run*", "throw throws run*"]
            .into_iter()
            .chain(["step one run*"; 3])
            .chain(["step two run*"; 3])
            .collect::<Vec<_>>()
    );
    // Out of the callee there is no place to stop at: the next is a breakpoint's.
    let out = ["break throws run*", "throw throws run*", "break two run*"];
    assert_eq!(follow(|_| Action::StepOut, &["throws", "two"]), out);
    assert_eq!(follow(|_| Action::StepOutOf(1), &["throws", "two"]), out);
    assert_eq!(follow(|_| Action::StepOutOf(9), &["throws", "two"]), out);
    let over = ["break throws run*", "throw throws run*", "break two run*", "step two run*", "step two run*"];
    assert_eq!(follow(|_| Action::StepOver, &["throws", "two"]), over);
    let into = follow(|_| Action::StepLine, &[]);
    assert_eq!(into[..2], ["throw throws run*", "step one run*"]);
}

#[test]
fn a_collection_finds_what_production_frames_hold() {
    const HEAP: &str = r#"(module
        (import "h" "at" (func $at (param i32) (result i32)))
        (type $cell (struct (field (mut i32)) (field (ref null $cell))))
        (func $make (param i32) (result (ref $cell)) (struct.new $cell (local.get 0) (ref.null $cell)))
        (func $churn (param i32) (loop $l
            (drop (call $make (local.get 0)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func $deep (export "deep") (param $n i32) (result i32) (local $cell (ref null $cell))
            (local.set $cell (struct.new $cell (local.get $n) (call $make (i32.const 3))))
            (if (local.get $n)
                (then (drop (call $deep (i32.sub (local.get $n) (i32.const 1)))))
                (else (drop (call $at (i32.const 0)))))
            (call $churn (i32.const 20))
            (struct.set $cell 0 (local.get $cell)
                (i32.add (struct.get $cell 0 (local.get $cell)) (struct.get $cell 0 (struct.get $cell 1 (local.get $cell)))))
            (call $churn (i32.const 20))
            (struct.get $cell 0 (local.get $cell))))"#;
    for config in configs() {
        let engine = engine(Config { force_collections: true, ..config });
        let mut guest = Guest::new(&engine, HEAP, |caller, shared| {
            let values = Mutex::new(Vec::new());
            attach(caller, shared, &["make"], move |stop| {
                // What frames of debug code hold is seen as well.
                values.lock().unwrap().push(stop.frame_count());
                Action::StepOver
            })
        });
        assert_eq!(guest.one("deep", 30), 33);
    }
}

#[test]
fn memories_grow_and_traps_are_told_in_production_frames() {
    for config in configs() {
        let engine = engine(config);
        let plain = Guest::new(&engine, CALLS, |_, _| Ok(())).one("grow", 11);
        let mut guest = Guest::new(&engine, CALLS, |caller, shared| {
            attach_and_see(caller, shared, &["leaf"])?;
            shared.debugger().set_events(caller, Events::ALL)
        });
        assert_eq!(guest.one("grow", 11), plain);
        assert_eq!(guest.shared.take(), ["return grow*", "other grow*", "break leaf grow*"]);
        assert_eq!(guest.call("crash", &[Val::I32(0)]).unwrap_err().kind(), ErrorKind::Trap);
        guest.shared.take();
        guest.detach();
        let error = guest.call("crash", &[Val::I32(0)]).unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!(trap.code(), Some(TrapCode::IntegerDivisionByZero));
        assert_eq!(trap.frames().len(), 1);
        assert_eq!(guest.shared.take(), ["return crash*", "break leaf crash*", "trap crash*"]);
        assert_eq!(guest.one("crash", 1), 1);
    }
}

#[test]
fn tail_calls_leave_production_frames_for_debug_code() {
    const TAILS: &str = r#"(module
        (import "h" "at" (func $at (param i32) (result i32)))
        (import "h" "many" (func $many (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i32)))
        (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 10)))
        (func $to_host (param i32) (result i32) (return_call $at (local.get 0)))
        (func $to_many (param i32) (result i32) (return_call $many
            (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)
            (i64.const 9) (i64.const 10) (i64.const 11) (i64.const 12)))
        (func $fewer (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32) (result i32) (return_call $to_host (local.get 11)))
        (func $tail (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return_call $leaf (i32.const 5))))
            (return_call $tail (i32.sub (local.get 0) (i32.const 1))))
        (func $run (export "run") (param i32) (result i32)
            (i32.add (call $leaf (call $to_host (local.get 0))) (call $tail (local.get 0))))
        (func $lower (export "lower") (param i32) (result i32)
            (i32.add (call $leaf (call $to_many (local.get 0))) (call $tail (local.get 0))))
        (func $higher (export "higher") (param i32) (result i32)
            (i32.add (call $leaf (call $fewer (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
                (i64.const 6) (i64.const 7) (i64.const 8) (i64.const 9) (i64.const 10) (i64.const 11) (local.get 0)))
                (call $tail (local.get 0))))
        (func $then (export "then") (param i32) (result i32)
            (drop (call $at (local.get 0)))
            (return_call $tail (local.get 0))))"#;
    for config in configs() {
        let engine = engine(config);
        let module = Module::new(&engine, &wat::parse_str(TAILS).unwrap()).unwrap();
        let mut results = Vec::new();
        for attaches in [false, true] {
            let mut all = Vec::new();
            for name in ["run", "lower", "higher", "then"] {
                let shared = Arc::new(Shared::default());
                let mut store = Store::new(&engine);
                let on_call = move |caller: &mut Caller<'_>, shared: &Arc<Shared>| match attaches {
                    true => attach_and_see(caller, shared, &["leaf"]),
                    false => Ok(()),
                };
                let at = host(&mut store, &shared, on_call);
                let ty = FuncType::new([ValType::I64; 12], [ValType::I32]);
                let many_shared = shared.clone();
                let many = Func::new(&mut store, ty, move |mut caller, params, results| {
                    on_call(&mut caller, &many_shared)?;
                    results[0] = Val::I32(params.iter().map(|param| param.i64().unwrap() as i32).sum());
                    Ok(())
                });
                let instance = Instance::new(&mut store, &module, &[at.into(), many.unwrap().into()]).unwrap();
                all.push(call(&mut store, instance, name, &[Val::I32(6)]).unwrap());
                if attaches {
                    let at = if name == "then" { "break leaf".to_owned() } else { format!("break leaf {name}*") };
                    assert_eq!(shared.take(), vec![at; if name == "then" { 1 } else { 2 }], "{name}");
                }
            }
            results.push(all);
        }
        assert_eq!(results[0], results[1]);
    }
}

#[test]
fn what_is_in_a_production_frame_is_an_error_and_the_rest_is_shown() {
    let engine = engine(configs().swap_remove(0));
    let mut guest = Guest::new(&engine, CALLS, |caller, shared| {
        let see = shared.clone();
        attach(caller, shared, &["leaf"], move |stop| {
            let module = stop.frame(0).unwrap().module().clone();
            let frame = stop.frame(1).unwrap();
            assert!(frame.is_production() && !stop.frame(0).unwrap().is_production());
            assert_eq!((frame.func(), frame.func_name()), (FuncIndex::new(3), Some("deep")));
            assert!(Module::same(frame.module(), &module));
            assert_eq!(frame.instance(), stop.frame(0).unwrap().instance(), "there is one alone");
            let body = &module.info().bodies[module.info().defined(frame.func()).unwrap().index()];
            assert!(body.bytes.contains(&frame.offset().index()));
            assert_eq!(module.binary()[frame.offset().index()], 0x10, "it stands at the call");
            assert_eq!((frame.local_count(), frame.local(0), frame.locals()), (1, None, vec![]));
            assert_eq!((frame.operand_count(), frame.operands()), (0, vec![]));
            let error = frame.check_values().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State);
            assert!(error.message().contains("production code"), "{error}");
            assert!(frame.id() > stop.frame(0).unwrap().id());
            assert!(frame.evaluate("n").is_err());
            assert_eq!(stop.set_local(1, 0, Val::I32(1)).unwrap_err().kind(), ErrorKind::State);
            assert_eq!(stop.return_early_from(1, &[Val::I32(1)]).unwrap_err().kind(), ErrorKind::State);
            let debugger = stop.debugger();
            let refused = debugger.watch_local(stop, 1, 0, WatchKind::Write).unwrap_err();
            assert!(refused.message().contains("production code"), "{refused}");
            assert!(!stop.core_dump().unwrap().is_empty());
            see.see(told(stop));
            Action::Continue
        })
    });
    guest.one("deep", 4);
    assert_eq!(guest.shared.take().len(), 4);
}

#[test]
fn of_several_instances_production_frames_do_not_say_which() {
    let engine = engine(configs().swap_remove(0));
    let mut guest = Guest::new(&engine, CALLS, |caller, shared| {
        let see = shared.clone();
        attach(caller, shared, &["leaf"], move |stop| {
            let (top, outer) = (stop.frame(0).unwrap(), stop.frame(1).unwrap());
            assert!(top.instance().is_some());
            assert_eq!(outer.instance(), None);
            see.see(told(stop));
            Action::Continue
        })
    });
    let module = guest.instance.module(&guest.store).unwrap().clone();
    let shared = Arc::new(Shared::default());
    let at = host(&mut guest.store, &shared, |_, _| Ok(()));
    Instance::new(&mut guest.store, &module, &[at.into()]).unwrap();
    guest.one("deep", 4);
    assert_eq!(guest.shared.take().len(), 4);
}

#[test]
fn attaching_within_a_guest_is_refused_as_elsewhere_and_detaching_waits() {
    let without = Engine::new(Config::default()).unwrap();
    let mut guest = Guest::new(&without, CALLS, |caller, _| {
        let refused = Debugger::attach(caller, |_| Action::Continue).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::State);
        Ok(())
    });
    guest.one("deep", 4);
    let engine = engine(configs().swap_remove(0));
    let mut guest = Guest::new(&engine, CALLS, |caller, shared| {
        let cancelled = Debugger::attach_with_progress(caller, |_| Action::Continue, &|_, _| false);
        if shared.debugger.lock().unwrap().is_none() {
            assert_eq!(cancelled.err().unwrap().kind(), ErrorKind::Cancelled);
        }
        attach_and_see(caller, shared, &["leaf"])?;
        assert_eq!(Debugger::attach(caller, |_| Action::Continue).err().unwrap().kind(), ErrorKind::State);
        let debugger = shared.debugger();
        assert_eq!(debugger.detach(caller).unwrap_err().kind(), ErrorKind::State);
        Ok(())
    });
    guest.one("deep", 4);
    assert_eq!(guest.shared.take().len(), 4);
}

/// Functions with large frames, in code that looks at the stack by itself, have an entry of their own.
#[test]
fn the_stack_is_enough_for_what_fits_without_a_debugger() {
    let locals = "i64 ".repeat(300);
    let sets: String =
        (1..300).map(|n| format!("(local.set {n} (i64.mul (local.get {}) (i64.const 3)))", n - 1)).collect();
    let adds: String = (1..300).map(|n| format!("(i64.add (local.get {n}))")).collect();
    let text = format!(
        r#"(module
        (import "h" "at" (func $at (param i32) (result i32)))
        (func $large (export "large") (param i64) (result i64) (local {locals})
            {sets}
            (if (i64.ne (local.get 0) (i64.const 0))
                (then (local.set 300 (call $large (i64.sub (local.get 0) (i64.const 1)))))
                (else (local.set 300 (i64.extend_i32_s (call $at (i32.const 3))))))
            (local.get 300) {adds})
        (func $run (export "run") (param i32) (result i64)
            (i64.add (call $large (i64.const 20)) (call $large (i64.extend_i32_s (local.get 0))))))"#
    );
    let all = move || {
        for config in configs() {
            let engine = engine(Config { max_stack: 256 << 10, ..config });
            let run = |attaches: bool, depth: i32| {
                let mut guest = Guest::new(&engine, &text, move |caller, shared| match attaches {
                    true => attach_and_see(caller, shared, &[]),
                    false => Ok(()),
                });
                guest.call("run", &[Val::I32(depth)]).map_err(|error: Error| error.payload::<Trap>().unwrap().code())
            };
            let deepest = (20..4000).step_by(20).take_while(|depth| run(false, *depth).is_ok()).last().unwrap();
            assert_eq!(run(true, deepest), run(false, deepest));
            assert_eq!(run(true, 1 << 20), Err(Some(TrapCode::StackOverflow)));
        }
    };
    // The thread's own stack is to be no limit.
    std::thread::Builder::new().stack_size(64 << 20).spawn(all).unwrap().join().unwrap();
}

#[test]
fn fuel_and_deadlines_are_what_they_would_have_been() {
    for tier in [DebugTier::Regions, DebugTier::Simple] {
        let engine = engine(Config { fuel: true, epoch: true, debug: true, debug_tier: tier, ..Config::default() });
        let run = |attaches: bool, fuel: u64| {
            let mut guest = Guest::new(&engine, CALLS, move |caller, shared| match attaches {
                true => attach_and_see(caller, shared, &["leaf"]),
                false => Ok(()),
            });
            guest.store.set_fuel(fuel).unwrap();
            let result = guest.call("loop", &[Val::I32(9)]).map_err(|error| error.message().to_owned());
            (result, guest.store.fuel().unwrap())
        };
        for fuel in (0..400).chain([100_000]) {
            assert_eq!(run(true, fuel), run(false, fuel), "{fuel}");
        }
    }
}

#[test]
fn writes_of_production_code_are_silent_and_those_of_its_callees_are_told() {
    const WRITES: &str = r#"(module
        (import "h" "at" (func $at (param i32) (result i32)))
        (memory (export "memory") 1)
        (global $g (export "g") (mut i32) (i32.const 0))
        (func $set (param i32)
            (i32.store (i32.const 16) (local.get 0))
            (global.set $g (local.get 0)))
        (func $run (export "run") (param $n i32) (result i32)
            (loop $l
                (drop (call $at (i32.const 0)))
                (i32.store (i32.const 16) (i32.const 77))
                (global.set $g (i32.const 77))
                (i32.store (i32.const 12) (i32.load (i32.const 16)))
                (memory.fill (i32.const 16) (i32.const 1) (i32.const 2))
                (call $set (local.get $n))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.add (i32.load (i32.const 16)) (i32.add (global.get $g) (i32.load (i32.const 12))))))"#;
    let engine = engine(configs().swap_remove(0));
    let plain = Guest::new(&engine, WRITES, |_, _| Ok(())).one("run", 5);
    let mut guest = Guest::new(&engine, WRITES, |caller, shared| {
        let first = shared.debugger.lock().unwrap().is_none();
        attach_and_see(caller, shared, &[])?;
        if first {
            let instance = shared.instances.lock().unwrap()[0];
            let memory: Memory = instance.export(&mut *caller, "memory").and_then(Extern::memory).unwrap();
            let global: Global = instance.export(&mut *caller, "g").and_then(Extern::global).unwrap();
            let debugger = shared.debugger();
            debugger.watch_memory(caller, memory, 16..20, WatchKind::Access)?;
            debugger.watch_global(caller, global, WatchKind::Write)?;
        }
        Ok(())
    });
    assert_eq!(guest.one("run", 5), plain);
    assert_eq!(guest.shared.take(), ["watch set run*"; 10]);
    assert_eq!(guest.one("run", 5), plain);
    assert!(guest.shared.take().len() > 10, "from the next call on all are told");
}

#[test]
fn a_store_of_many_modules_finds_the_code_of_each() {
    let engine = engine(configs().swap_remove(0));
    let mut guest = Guest::new(&engine, CALLS, |caller, shared| attach_and_see(caller, shared, &["leaf"]));
    let names: Vec<Module> = (0..20)
        .map(|n| format!("(module (func $f{n} (export \"f\") (param i32) (result i32) (i32.const {n})))"))
        .map(|text| Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap())
        .collect();
    for module in &names[..10] {
        Instance::new(&mut guest.store, module, &[]).unwrap();
    }
    let plain = Guest::new(&engine, CALLS, |_, _| Ok(())).one("deep", 5);
    for round in 0..3 {
        assert_eq!(guest.one("deep", 5), plain, "{round}");
        assert_eq!(guest.shared.take().len(), 5);
        for (n, module) in names.iter().enumerate() {
            let instance = Instance::new(&mut guest.store, module, &[]).unwrap();
            assert_eq!(call(&mut guest.store, instance, "f", &[Val::I32(0)]).unwrap(), [Val::I32(n as i32)]);
        }
        let own = guest.instance.module(&guest.store).unwrap().clone();
        let at = host(&mut guest.store, &guest.shared.clone(), |_, _| Ok(()));
        let again = Instance::new(&mut guest.store, &own, &[at.into()]).unwrap();
        assert_eq!(call(&mut guest.store, again, "leaf", &[Val::I32(1)]).unwrap(), [Val::I32(4)]);
        assert_eq!(guest.shared.take(), ["break leaf"]);
        guest.detach();
    }
}

const ASKS: &str = r#"(module
    (import "h" "at" (func $at (param i32) (result i32)))
    (global $end (export "end") (mut i32) (i32.const 0))
    (global $turns (export "turns") (mut i32) (i32.const 0))
    (func $tick (export "tick") (global.set $turns (i32.add (global.get $turns) (i32.const 1))))
    (func $spin (export "spin") (param i32) (result i32)
        (loop $l (call $tick) (br_if $l (i32.eqz (global.get $end))))
        (local.get 0))
    ;; Looks at nothing but its deadline.
    (func $alone (export "alone") (param i32) (result i32) (local $n i32)
        (loop $l
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $n) (local.get 0))))
        (call $tick)
        (local.get $n))
    (func $twice (export "twice") (param i32) (result i32)
        (i32.add (call $at (local.get 0)) (call $at (i32.const 10)))))"#;

/// A guest, and what attaches to it when somebody asks, with a breakpoint at `tick`; `on_stop` is called there.
fn asked(engine: &Engine, on_stop: impl Fn(&mut Stop<'_>) + Send + Sync + Clone + 'static) -> (Guest, Attacher) {
    let mut guest = Guest::new(engine, ASKS, |_, _| Ok(()));
    let shared = guest.shared.clone();
    let attacher = guest.store.attacher(move |store| {
        shared.calls.fetch_add(100, Ordering::Relaxed);
        if shared.debugger.lock().unwrap().is_some() {
            return Ok(());
        }
        let (see, on_stop) = (shared.clone(), on_stop.clone());
        let debugger = Debugger::attach(store, move |stop| {
            see.see(told(stop));
            on_stop(stop);
            Action::Continue
        })?;
        debugger.add_breakpoint(store, BreakRequest::function(None, "tick"))?;
        *shared.debugger.lock().unwrap() = Some(debugger);
        Ok(())
    });
    (guest, attacher.unwrap())
}

/// What has guests look that compute.
fn looking() -> [Config; 3] {
    let plain = || Config { debug: true, ..Config::default() };
    [
        Config { epoch: true, ..plain() },
        Config { fuel: true, ..plain() },
        Config { fuel: true, signals: false, ..plain() },
    ]
}

/// As much fuel as there can be, where it is counted.
fn fill(store: &mut Store) {
    let counted = store.engine().config().fuel;
    assert_eq!(store.set_fuel(u64::MAX).is_ok(), counted);
}

fn set(stop: &mut Stop<'_>, name: &str, value: i32) {
    let instance = stop.top().unwrap().instance().unwrap();
    let global = instance.export(&mut *stop, name).and_then(Extern::global).unwrap();
    global.set(&mut *stop, Val::I32(value)).unwrap();
}

#[test]
fn a_guest_that_computes_is_attached_to_from_another_thread() {
    let tiers = [DebugTier::Regions, DebugTier::Simple];
    for config in
        looking().into_iter().flat_map(|config| tiers.map(|debug_tier| Config { debug_tier, ..config.clone() }))
    {
        let engine = engine(config);
        let mut met = 0;
        for round in 0..20 {
            let (mut guest, attacher) = asked(&engine, |stop| set(stop, "end", 1));
            fill(&mut guest.store);
            let thread = std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_micros(round * round * 100));
                attacher.request();
                attacher
            });
            assert_eq!(guest.one("spin", 9), 9);
            let attacher = thread.join().unwrap();
            let seen = guest.shared.take();
            assert_eq!(seen.len(), 1);
            met += usize::from(seen[0] == "break tick spin*");
            // One request is one call.
            assert_eq!(guest.shared.calls.load(Ordering::Relaxed), 100);
            assert_eq!(guest.one("spin", 9), 9);
            assert_eq!(guest.shared.calls.load(Ordering::Relaxed), 100);
            attacher.request();
            attacher.request();
            attacher.cancel();
            assert_eq!(guest.one("spin", 9), 9);
            assert_eq!(guest.shared.calls.load(Ordering::Relaxed), 100);
        }
        assert!(met > 5, "most were in the loop: {met}");
    }
}

#[test]
fn without_deadlines_a_request_is_heard_where_the_host_is() {
    for epoch in [false, true] {
        let engine = engine(Config { debug: true, epoch, ..Config::default() });
        // At the next entry.
        let (mut guest, attacher) = asked(&engine, |_| {});
        attacher.request();
        assert_eq!(guest.one("alone", 5), 5);
        assert_eq!(guest.shared.take(), ["break tick alone"]);
        // Where a host function returns, whatever it is, and not before.
        let shared = Arc::new(Mutex::new(None::<Attacher>));
        let ask = shared.clone();
        let mut guest = Guest::new(&engine, ASKS, move |_, shared| {
            if let Some(attacher) = &*ask.lock().unwrap() {
                // Of the call before this one it has been told.
                let before = shared.calls.load(Ordering::Relaxed) - 1;
                assert_eq!(shared.seen.lock().unwrap().len(), before);
                attacher.request();
                assert_eq!(shared.seen.lock().unwrap().len(), before);
            }
            Ok(())
        });
        let see = guest.shared.clone();
        *shared.lock().unwrap() = Some(
            guest
                .store
                .attacher(move |store| {
                    let mut frames = Vec::new();
                    store.walk_frames(|frame| {
                        frames.push(frame.module.info().func_name(frame.func).unwrap().to_owned());
                        std::ops::ControlFlow::Continue(())
                    });
                    see.see(frames.join(" "));
                    Ok(())
                })
                .unwrap(),
        );
        assert_eq!(guest.one("twice", 1), 13);
        assert_eq!(guest.shared.take(), ["twice", "twice"]);
        // One that is gone is not called.
        *shared.lock().unwrap() = None;
        assert_eq!(guest.one("twice", 1), 13);
        assert_eq!(guest.shared.take(), [""; 0]);
    }
}

#[test]
fn what_a_request_fails_with_ends_the_guest() {
    let without = Engine::new(Config::default()).unwrap();
    let refused = Store::new(&without).attacher(|_| Ok(())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::State);
    for config in looking() {
        let engine = engine(config);
        let mut guest = Guest::new(&engine, ASKS, |_, _| Ok(()));
        fill(&mut guest.store);
        let instance = guest.instance;
        let attacher = guest.store.attacher(move |store| {
            if store.live_frames() {
                // It waits where nobody may be called.
                let error = call_in(store, instance, "alone", &[Val::I32(1)]).unwrap_err();
                assert!(error.message().contains("asked"), "{error}");
            }
            Err(Trap::new("enough").into())
        });
        let attacher = attacher.unwrap();
        let other = attacher.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            other.request();
        });
        assert_eq!(guest.call("spin", &[Val::I32(1)]).unwrap_err().message(), "enough");
        thread.join().unwrap();
        attacher.request();
        assert_eq!(guest.call("alone", &[Val::I32(1)]).unwrap_err().message(), "enough");
        // It is as if nothing had been.
        assert_eq!(guest.one("alone", 4), 4);
        if guest.store.engine().config().epoch {
            // A question is another thing.
            let asked = Arc::new(AtomicUsize::new(0));
            let count = asked.clone();
            let ask = move || {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            guest.store.set_ask(Some(Arc::new(ask))).unwrap();
            attacher.request();
            assert!(guest.call("alone", &[Val::I32(1)]).is_err());
            assert_eq!(guest.one("alone", 4), 4);
            assert_eq!(asked.load(Ordering::Relaxed), 0);
            guest.store.interrupter().unwrap().ask();
            assert_eq!(guest.one("alone", 4), 4);
            assert_eq!(asked.load(Ordering::Relaxed), 1);
        }
        drop(guest);
        attacher.request();
        attacher.cancel();
    }
}

fn call_in(store: &mut stepwell::StoreMut<'_>, instance: Instance, name: &str, params: &[Val]) -> Result<()> {
    let func = instance.export(&mut *store, name).and_then(Extern::func).unwrap();
    func.call(store, params, &mut [Val::I32(0)])
}

#[test]
fn a_panic_of_what_is_asked_for_poisons_the_store_and_goes_on() {
    for (config, running) in
        looking().into_iter().flat_map(|config| [false, true].map(|running| (config.clone(), running)))
    {
        let engine = engine(config);
        let mut guest = Guest::new(&engine, ASKS, |_, _| Ok(()));
        fill(&mut guest.store);
        let attacher = guest.store.attacher(|_| panic!("a mistake")).unwrap();
        if !running {
            attacher.request();
        }
        let thread = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            attacher.request();
            attacher
        });
        let call = || guest.call("spin", &[Val::I32(1)]);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(*panicked.downcast::<&str>().unwrap(), "a mistake");
        let _attacher = thread.join().unwrap();
        assert_eq!(guest.call("alone", &[Val::I32(1)]).unwrap_err().kind(), ErrorKind::Poisoned);
    }
}

/// Whatever the system refuses, the guest goes on as it was, and what is refused can be done later.
#[test]
fn an_attach_that_fails_changes_nothing() {
    for refuses_memfd in [false, true] {
        let tried = Arc::new(AtomicUsize::new(0));
        let count = tried.clone();
        let engine = engine(configs().swap_remove(0));
        let plain = Guest::new(&engine, CALLS, |_, _| Ok(())).one("deep", 20);
        let mut guest = Guest::new(&engine, CALLS, move |caller, shared| {
            let _refused = refuses_memfd.then(faults::refuse_memfd);
            for n in 1.. {
                count.fetch_add(1, Ordering::Relaxed);
                let guard = faults::fail_nth(n);
                let outcome = attach_and_see(caller, shared, &[]);
                let hit = guard.hit();
                drop(guard);
                match outcome {
                    Err(_) => assert!(hit && !caller.is_attached()),
                    Ok(()) => {
                        assert!(caller.is_attached());
                        // Some are done another way.
                        if !hit {
                            break;
                        }
                        return Ok(());
                    }
                }
            }
            shared.debugger().add_breakpoint(caller, BreakRequest::function(None, "leaf")).map(drop)
        });
        assert_eq!(guest.one("deep", 20), plain);
        assert!(tried.load(Ordering::Relaxed) > 3);
        guest.detach();
        assert_eq!(guest.one("deep", 20), plain);
        guest.detach();
    }
}

#[test]
fn a_pause_waits_until_production_code_calls() {
    let engine = engine(configs().swap_remove(0));
    let mut guest = Guest::new(&engine, CALLS, |caller, shared| {
        let first = shared.debugger.lock().unwrap().is_none();
        let see = shared.clone();
        attach(caller, shared, &[], move |stop| {
            assert_eq!(*stop.reason(), Reason::Pause);
            see.see(told(stop));
            Action::Continue
        })?;
        if first {
            assert!(shared.debugger().pauser(caller)?.pause());
        }
        Ok(())
    });
    let plain = Guest::new(&engine, CALLS, |_, _| Ok(())).one("loop", 5);
    assert_eq!(guest.one("loop", 5), plain);
    assert_eq!(guest.shared.take(), ["other leaf loop*"]);
}

/// What the source sees in such a frame: what is static, and nothing else.
#[test]
fn static_variables_are_those_of_production_frames_too() {
    let engine = engine(Config { debug: true, epoch: true, ..Config::default() });
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/dwarf");
    for name in ["c0_4", "c0_5"] {
        let module = Module::new(&engine, &std::fs::read(folder.join(name).with_extension("wasm")).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = linker_of(&engine, &mut store, &module);
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        let attacher = store.attacher(move |store| {
            let count = count.clone();
            let debugger = Debugger::attach(store, move |stop| {
                count.fetch_add(1, Ordering::Relaxed);
                let frame = stop.frame(1).unwrap();
                assert!(frame.is_production() && !frame.locations().is_empty());
                assert_eq!(frame.func_name(), Some("run"));
                assert_eq!(frame.evaluate("counter").unwrap().text, "7");
                let unknown = frame.evaluate("n").unwrap_err();
                assert!(unknown.message().contains("production code"), "{unknown}");
                for scope in [Scope::Parameters, Scope::Locals] {
                    for variable in frame.variables(0, scope).unwrap() {
                        assert!(!variable.type_name(&frame).unwrap().is_empty());
                        assert!(variable.text(&frame).unwrap().contains("production code"), "{variable:?}");
                        let error = variable.number(&frame).unwrap_err();
                        assert!(error.message().contains("production code"), "{error}");
                        assert!(variable.address(&frame).is_err());
                    }
                }
                assert!(stop.assign(1, "n", "3").unwrap_err().message().contains("production code"));
                stop.assign(1, "counter", "8").unwrap();
                assert_eq!(stop.frame(1).unwrap().evaluate("counter").unwrap().text, "8");
                stop.assign(1, "counter", "7").unwrap();
                let variable = stop.frame(1).unwrap().variable(0, "counter").unwrap();
                let debugger = stop.debugger();
                let watched = debugger.watch_variable(stop, 1, &variable, WatchKind::Write).unwrap();
                debugger.remove_watchpoint(stop, watched).unwrap();
                Action::Continue
            })?;
            debugger.add_breakpoint(store, BreakRequest::function(None, "look_at")).map(drop)
        });
        // The first function asks whether it may go on, and the host has the next one attached to.
        let attacher = attacher.unwrap();
        store
            .set_ask(Some(Arc::new(move || {
                attacher.request();
                Ok(())
            })))
            .unwrap();
        store.interrupter().unwrap().ask();
        let run = instance.typed_func::<i32, i32>(&mut store, "run").unwrap();
        let first = run.call(&mut store, 5).unwrap();
        assert!(seen.load(Ordering::Relaxed) > 0, "{name}");
        let mut plain = Store::new(&engine);
        let again = linker_of(&engine, &mut plain, &module);
        assert_eq!(again.typed_func::<i32, i32>(&mut plain, "run").unwrap().call(&mut plain, 5).unwrap(), first);
    }
}

fn linker_of(engine: &Engine, store: &mut Store, module: &Module) -> Instance {
    let mut linker = Linker::new(engine);
    linker.fill_missing_with_defaults(&mut *store, module).unwrap();
    linker.instantiate(store, module).unwrap()
}
