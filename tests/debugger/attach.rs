//! Attaching to a store and detaching again, events, and the walk over frames: with the simplest of sinks, below any
//! debugger.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::internals::code::StepScope;
use stepwell::*;

const TEXT: &str = r#"(module $prog
    (import "" "host" (func $host (param i32) (result i32)))
    (memory 1)
    (table $t (export "table") 2 funcref) (elem (table $t) (i32.const 0) func $leaf)
    (global $g (export "g") (mut i32) (i32.const 1))
    (func $leaf (export "leaf") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
    (func $sum (export "sum") (param i32) (result i32) (local i32)
        (loop $l
            (local.set 1 (i32.add (local.get 1) (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if $l (local.get 0)))
        (local.get 1))
    (func $out (export "out") (param i32) (result i32) (call $host (call $leaf (local.get 0))))
    (func $crash (export "crash") (param i32) (result i32) (i32.load (i32.const -1)))
    (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0)))))"#;

type OnStop = dyn Fn(StoreMut<'_>, &StopInfo) -> Result<()> + Send + Sync;

/// Counts events and does what it is told at stops.
#[derive(Default)]
struct Recorder {
    stops: AtomicUsize,
    traps: Mutex<Vec<(TrapCode, usize)>>,
    modules: AtomicUsize,
    on_stop: Option<Box<OnStop>>,
}

impl Recorder {
    fn with(on_stop: impl Fn(StoreMut<'_>, &StopInfo) -> Result<()> + Send + Sync + 'static) -> Arc<Recorder> {
        Arc::new(Recorder { on_stop: Some(Box::new(on_stop)), ..Recorder::default() })
    }

    fn stops(&self) -> usize {
        self.stops.swap(0, Ordering::Relaxed)
    }
}

impl EventSink for Recorder {
    type State = ();
    fn on_event(&self, told: &mut Told<'_, ()>, event: &Event<'_>) -> Result<Answer> {
        match event {
            Event::Stop(stop) => {
                self.stops.fetch_add(1, Ordering::Relaxed);
                if let Some(f) = &self.on_stop {
                    f(told.as_store_mut(), stop)?;
                }
            }
            Event::Trap(trap) => {
                self.traps.lock().unwrap().push((trap.code, frames(&told.as_store_mut()).len()));
            }
            Event::Module(_) => _ = self.modules.fetch_add(1, Ordering::Relaxed),
            Event::Instance(_) => {}
            other => panic!("{other:?}"),
        }
        Ok(Answer::GoOn)
    }
}

fn engine() -> Engine {
    Engine::new(Config { debug: true, ..Config::default() }).unwrap()
}

fn program(engine: &Engine) -> Module {
    Module::new(engine, &wat::parse_str(TEXT).unwrap()).unwrap()
}

fn start(store: &mut Store, module: &Module) -> Instance {
    let host = Func::wrap(&mut *store, |n: i32| n + 1).unwrap();
    Instance::new(store, module, &[host.into()]).unwrap()
}

fn call(mut store: impl AsStoreMut, instance: Instance, name: &str, n: i32) -> Result<i32> {
    instance.typed_func::<i32, i32>(&mut store, name)?.call(&mut store, n)
}

fn step(store: &mut Store, scope: StepScope) {
    let mut edit = store.edit();
    edit.set_step(scope).unwrap();
    edit.commit().unwrap();
}

/// The live frames: name, instance known, innermost, after a call, behind frames of the host.
fn frames(store: &StoreMut<'_>) -> Vec<(String, Option<Instance>, bool, bool, bool)> {
    let mut list = Vec::new();
    store.walk_frames(|frame| {
        let name = frame.module.info().func_name(frame.func).unwrap_or("?").to_owned();
        list.push((name, frame.instance(), frame.innermost, frame.after_call, frame.host_boundary_before));
        ControlFlow::Continue(())
    });
    list
}

#[test]
fn attached_and_detached_a_store_does_the_same() {
    let engine = engine();
    let module = program(&engine);
    let mut store = Store::new(&engine);
    let before = start(&mut store, &module);
    let sink = Arc::new(Recorder::default());
    // A handle made before attaching follows.
    let sum = before.typed_func::<i32, i32>(&mut store, "sum").unwrap();
    for _ in 0..3 {
        assert_eq!(sum.call(&mut store, 10).unwrap(), 165);
        assert_eq!(sink.stops(), 0);
        store.attach(sink.clone(), ()).unwrap();
        assert!(store.is_attached());
        let slot = store.code_slot(module.id()).unwrap();
        assert!(store.registry().get(slot).unwrap().store.is_private());
        assert!(Module::same(store.module_in(slot).unwrap(), &module));
        let during = start(&mut store, &module);
        assert_eq!(sum.call(&mut store, 10).unwrap(), 165);
        assert_eq!(sink.stops(), 0);
        step(&mut store, StepScope::All);
        assert_eq!(sum.call(&mut store, 10).unwrap(), 165);
        let stops = sink.stops();
        assert!(stops > 20, "{stops}");
        assert_eq!(call(&mut store, during, "sum", 10).unwrap(), 165);
        assert_eq!(sink.stops(), stops);
        step(&mut store, StepScope::Off);
        assert_eq!(sum.call(&mut store, 10).unwrap(), 165);
        assert_eq!(sink.stops(), 0);
        // Detaching forgets what was patched.
        step(&mut store, StepScope::All);
        store.detach().unwrap();
        assert!(!store.is_attached() && store.code_slot(module.id()).is_none());
        assert_eq!(call(&mut store, during, "sum", 10).unwrap(), 165);
        assert_eq!(sink.stops(), 0);
    }
    assert_eq!(sink.modules.load(Ordering::Relaxed), 0);
}

#[test]
fn a_module_that_comes_while_stepping_is_armed() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let sink = Arc::new(Recorder::default());
    store.attach(sink.clone(), ()).unwrap();
    step(&mut store, StepScope::All);
    let starting = r#"(module (func $s) (start $s))"#;
    let starting = Module::new(&engine, &wat::parse_str(starting).unwrap()).unwrap();
    Instance::new(&mut store, &starting, &[]).unwrap();
    // The function's `end`.
    assert_eq!(sink.stops(), 1);
    assert_eq!(sink.modules.load(Ordering::Relaxed), 1);
    let empty = Module::new(&engine, &wat::parse_str("(module)").unwrap()).unwrap();
    Instance::new(&mut store, &empty, &[]).unwrap();
    assert_eq!(sink.modules.load(Ordering::Relaxed), 2);
}

#[test]
fn other_stores_never_stop() {
    let engine = engine();
    let module = program(&engine);
    let (mut a, mut b) = (Store::new(&engine), Store::new(&engine));
    let (ia, ib) = (start(&mut a, &module), start(&mut b, &module));
    let sink = Arc::new(Recorder::default());
    a.attach(sink.clone(), ()).unwrap();
    step(&mut a, StepScope::All);
    assert_eq!(call(&mut b, ib, "sum", 50).unwrap(), 3825);
    assert_eq!(sink.stops(), 0);
    assert_eq!(call(&mut a, ia, "sum", 50).unwrap(), 3825);
    assert!(sink.stops() > 0);
}

#[test]
fn frames_are_walked_at_stops_through_host_frames_and_instances() {
    let engine = engine();
    let module = program(&engine);
    let mut store = Store::new(&engine);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = seen.clone();
    let sink = Recorder::with(move |store, stop| {
        let list = frames(&store);
        let mut top = None;
        store.walk_frames(|frame| {
            top = Some((frame.fp, frame.wasm));
            ControlFlow::Break(())
        });
        let tables = store.registry().entry(stop.slot).engine.tables();
        let wasm = tables.point(tables.site(stop.site).point).wasm;
        assert_eq!(top, Some((stop.fp, wasm)));
        note.lock().unwrap().push(list);
        Ok(())
    });
    // `outer` calls `out` of the first instance from the host function of the second.
    let first = start(&mut store, &module);
    let host = Func::wrap(&mut store, move |mut caller: Caller<'_>, n: i32| call(&mut caller, first, "out", n));
    let second = Instance::new(&mut store, &module, &[host.unwrap().into()]).unwrap();
    store.attach(sink.clone(), ()).unwrap();
    step(&mut store, StepScope::All);
    assert_eq!(call(&mut store, second, "out", 2).unwrap(), 2 * 9 + 1);
    let seen = seen.lock().unwrap();
    let deepest = seen.iter().find(|list| list.len() == 3).unwrap();
    let expected =
        [("leaf", first, true, false, false), ("out", first, false, true, false), ("out", second, false, true, true)];
    let expected = expected.map(|(name, instance, a, b, c)| (name.to_owned(), Some(instance), a, b, c));
    assert_eq!(*deepest, expected);
}

#[test]
fn a_stop_may_call_exports_of_the_stopped_store() {
    let engine = engine();
    let module = program(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    let depth = Arc::new(AtomicUsize::new(0));
    let sink = Recorder::with(move |mut store, stop| {
        if depth.fetch_add(1, Ordering::Relaxed) == 0 {
            let before = frames(&store).len();
            assert!(before == 1 || before == 2);
            // Stops nest, and so do traps; the outer frames stay in sight, and after them all is as before.
            assert_eq!(call(&mut store, instance, "leaf", 5)?, 15);
            let error = call(&mut store, instance, "crash", 5).unwrap_err();
            assert_eq!(error.payload::<Trap>().unwrap().frames().len(), before + 1);
            assert_eq!(frames(&store).len(), before);
            assert_eq!(store.attach(Arc::new(Recorder::default()), ()).unwrap_err().kind(), ErrorKind::State);
            assert_eq!(store.detach().unwrap_err().kind(), ErrorKind::State);
        } else {
            // Inside of the nested run: its frame, then the stopped one behind the host's.
            let list = frames(&store);
            assert!(list[1].4 && !list[1].3, "{list:?} at {stop:?}");
        }
        depth.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    });
    store.attach(sink.clone(), ()).unwrap();
    step(&mut store, StepScope::All);
    assert_eq!(call(&mut store, instance, "sum", 3).unwrap(), 18);
    assert!(!sink.traps.lock().unwrap().is_empty());
}

#[test]
fn an_edit_inside_a_stop_holds_at_once() {
    let engine = engine();
    let module = program(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    let sink = Recorder::with(|mut store, _| {
        let mut edit = store.edit();
        edit.set_step(StepScope::Off)?;
        edit.commit()
    });
    store.attach(sink.clone(), ()).unwrap();
    step(&mut store, StepScope::All);
    assert_eq!(call(&mut store, instance, "sum", 10).unwrap(), 165);
    assert_eq!(sink.stops(), 1);
}

#[test]
fn traps_are_told_with_their_frames() {
    let engine = engine();
    let module = program(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    let sink = Arc::new(Recorder::default());
    store.attach(sink.clone(), ()).unwrap();
    let error = call(&mut store, instance, "crash", 1).unwrap_err();
    assert_eq!(error.payload::<Trap>().unwrap().frames()[0].instance(&store), Some(instance));
    assert!(call(&mut store, instance, "deep", i32::MAX).is_err());
    let traps = std::mem::take(&mut *sink.traps.lock().unwrap());
    assert_eq!(traps[0], (TrapCode::MemoryOutOfBounds, 1));
    assert_eq!(traps[1].0, TrapCode::StackOverflow);
    assert!(traps[1].1 > 1000);
}

#[test]
fn what_fits_on_the_stack_in_production_fits_in_debug() {
    let engine = Engine::new(Config { debug: true, max_stack: 64 << 10, ..Config::default() }).unwrap();
    let module = program(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    let fits = |store: &mut Store, n: i32| call(store, instance, "deep", n).is_ok();
    let (mut low, mut high) = (10, 1_000_000);
    assert!(fits(&mut store, low) && !fits(&mut store, high));
    while high - low > 1 {
        let middle = (low + high) / 2;
        if fits(&mut store, middle) { low = middle } else { high = middle }
    }
    store.attach(Arc::new(Recorder::default()), ()).unwrap();
    assert!(fits(&mut store, low), "{low} frames fit in production");
    assert!(!fits(&mut store, 1_000_000));
    store.detach().unwrap();
    assert!(!fits(&mut store, high));
}

#[test]
fn a_sink_that_fails_ends_the_call_and_one_that_panics_poisons() {
    let engine = engine();
    let module = program(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    let sink = Recorder::with(|_, stop| match stop.site.0 % 2 {
        0 => Err(Error::new(ErrorKind::Cancelled, "ended by the debugger")),
        _ => Err(Trap::new("stopped for good").into()),
    });
    store.attach(sink, ()).unwrap();
    step(&mut store, StepScope::All);
    for name in ["leaf", "sum", "out"] {
        for _ in 0..3 {
            let error = call(&mut store, instance, name, 2).unwrap_err();
            match error.kind() {
                ErrorKind::Trap => assert_eq!(error.payload::<Trap>().unwrap().frames().len(), 1),
                kind => assert_eq!(kind, ErrorKind::Cancelled),
            }
            assert!(!store.live_frames() && !store.is_poisoned());
        }
    }
    step(&mut store, StepScope::Off);
    assert_eq!(call(&mut store, instance, "out", 2).unwrap(), 7);
    store.detach().unwrap();

    let sink = Recorder::with(|_, _| panic!("a debugger's mistake"));
    store.attach(sink, ()).unwrap();
    step(&mut store, StepScope::All);
    let payload = catch_unwind(AssertUnwindSafe(|| call(&mut store, instance, "leaf", 2))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"a debugger's mistake"));
    assert!(store.is_poisoned());
    assert_eq!(call(&mut store, instance, "leaf", 2).unwrap_err().kind(), ErrorKind::Poisoned);
    store.detach().unwrap();
    assert_eq!(store.attach(Arc::new(Recorder::default()), ()).unwrap_err().kind(), ErrorKind::Poisoned);
}

#[test]
fn attaching_has_its_conditions() {
    let plain = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&plain);
    let error = store.attach(Arc::new(Recorder::default()), ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.message().contains("configured"), "{error}");
    assert!(program(&plain).debug_code(&|_, _| true).is_err());

    let engine = engine();
    let module = program(&engine);
    assert_eq!(module.debug_code(&|_, _| false).unwrap_err().kind(), ErrorKind::Cancelled);
    let mut store = Store::new(&engine);
    assert_eq!(store.detach().unwrap_err().kind(), ErrorKind::State);
    let host = Func::wrap(&mut store, |mut caller: Caller<'_>, n: i32| {
        // While a guest runs it is attached to, and not detached from.
        caller.attach(Arc::new(Recorder::default()), ()).unwrap();
        let error = caller.detach().unwrap_err();
        assert!(error.kind() == ErrorKind::State && error.message().contains("running"), "{error}");
        n
    });
    let instance = Instance::new(&mut store, &module, &[host.unwrap().into()]).unwrap();
    assert_eq!(call(&mut store, instance, "out", 2).unwrap(), 6);
    store.detach().unwrap();
    store.attach(Arc::new(Recorder::default()), ()).unwrap();
    let error = store.attach(Arc::new(Recorder::default()), ()).unwrap_err();
    assert!(error.kind() == ErrorKind::State && error.message().contains("already"), "{error}");
    assert!(stepwell::base::Shared::ptr_eq(
        &module.debug_code(&|_, _| true).unwrap(),
        &module.debug_code(&|_, _| false).unwrap()
    ));
}

#[test]
fn stops_work_in_every_configuration() {
    for config in [
        Config { signals: false, ..Config::default() },
        Config { memory_reservation: 0, ..Config::default() },
        Config { copied_code: true, ..Config::default() },
        Config { nan_canonicalization: true, optimize: false, parallel: false, ..Config::default() },
    ] {
        let engine = Engine::new(Config { debug: true, ..config }).unwrap();
        let module = program(&engine);
        let mut store = Store::new(&engine);
        let instance = start(&mut store, &module);
        let sink = Arc::new(Recorder::default());
        store.attach(sink.clone(), ()).unwrap();
        step(&mut store, StepScope::All);
        assert_eq!(call(&mut store, instance, "sum", 10).unwrap(), 165);
        assert!(sink.stops() > 0);
        let backing = store.registry().entry(store.code_slot(module.id()).unwrap()).engine.backing().unwrap();
        assert_eq!(format!("{backing:?}"), if engine.config().copied_code { "Anonymous" } else { "Memfd" });
        let error = call(&mut store, instance, "crash", 1).unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!(
            (trap.code(), trap.frames()[0].instance(&store)),
            (Some(TrapCode::MemoryOutOfBounds), Some(instance))
        );
        assert!(call(&mut store, instance, "deep", i32::MAX).is_err());
    }
}

#[test]
fn debug_code_is_compiled_with_the_module_where_that_is_configured() {
    for (debug, debug_eagerly) in [(false, false), (false, true), (true, false), (true, true)] {
        let engine = Engine::new(Config { debug, debug_eagerly, parallel: false, ..Config::default() }).unwrap();
        let told = AtomicUsize::new(0);
        let progress = |_, _| told.fetch_add(1, Ordering::Relaxed) < 1000;
        let module = Module::with_progress(&engine, &wat::parse_str(TEXT).unwrap(), &progress).unwrap();
        let both = debug && debug_eagerly;
        assert_eq!(module.debug_text_size().is_some(), both);
        assert_eq!(told.load(Ordering::Relaxed), if both { 2 } else { 1 } * module.info().bodies.len());
        if both {
            // Given up in the debug code.
            let told = AtomicUsize::new(0);
            let progress = |_, _| told.fetch_add(1, Ordering::Relaxed) < module.info().bodies.len() + 2;
            let error = Module::with_progress(&engine, module.binary(), &progress).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cancelled);
        }
    }
}

#[test]
fn attaching_tells_how_far_it_is_and_can_be_cancelled() {
    let engine = Engine::new(Config { debug: true, parallel: false, ..Config::default() }).unwrap();
    let binary = wat::parse_str(TEXT).unwrap();
    let modules = [(); 2].map(|()| Module::new(&engine, &binary).unwrap());
    let mut store = Store::new(&engine);
    let instances = modules.each_ref().map(|module| {
        let host = Func::wrap(&mut store, |value: i32| value).unwrap();
        Instance::new(&mut store, module, &[host.into()]).unwrap()
    });
    let call = |store: &mut Store| instances[1].typed_func::<i32, i32>(&mut *store, "leaf").unwrap().call(store, 2);
    let bodies = modules[0].info().bodies.len();
    let seen = Mutex::new(Vec::new());
    for last in [1, bodies + 1] {
        seen.lock().unwrap().clear();
        let recorder = Arc::new(Recorder::default());
        let progress = |done: usize, total: usize| {
            seen.lock().unwrap().push((done, total));
            seen.lock().unwrap().len() < last
        };
        let error = store.attach_with_progress(recorder, (), &progress).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(!store.is_attached() && modules.iter().all(|module| store.code_slot(module.id()).is_none()));
        assert_eq!(call(&mut store).unwrap(), 6);
        if last == bodies + 1 {
            // The first module has its debug code by then.
            assert_eq!(seen.lock().unwrap()[bodies], (bodies + 1, 2 * bodies));
        }
    }
    seen.lock().unwrap().clear();
    let progress = |done: usize, total: usize| {
        seen.lock().unwrap().push((done, total));
        true
    };
    store.attach_with_progress(Arc::new(Recorder::default()), (), &progress).unwrap();
    // What is there is not told of.
    assert_eq!(*seen.lock().unwrap(), (1..=bodies).map(|done| (done, bodies)).collect::<Vec<_>>());
    assert_eq!(call(&mut store).unwrap(), 6);
    store.detach().unwrap();
}

#[path = "../support/running.rs"]
mod running;
