//! Several who listen to one store: in which order they are told, whose answer counts, and what becomes of an event
//! when one fails, panics, leaves or comes meanwhile. Each has a state of its own, which the store keeps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use stepwell::debug::{Action, Condition, Debugger, Stop};
use stepwell::internals::code::StepScope;
use stepwell::*;

const TEXT: &str = r#"(module
    (func $f (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func (export "crash") (param i32) (result i32) unreachable))"#;

/// What all of a store's listeners were told, in order: whose name, and of what.
type Log = Arc<Mutex<Vec<(&'static str, &'static str)>>>;

type Does = dyn Fn(&mut Told<'_, usize>, &Event<'_>) -> Result<Answer> + Send + Sync;

/// Counts in its state what it is told.
struct Named {
    name: &'static str,
    log: Log,
    does: Box<Does>,
}

impl EventSink for Named {
    type State = usize;
    fn on_event(&self, told: &mut Told<'_, usize>, event: &Event<'_>) -> Result<Answer> {
        let what = match event {
            Event::Stop(_) => "stop",
            Event::Trap(_) => "trap",
            Event::Module(_) => "module",
            Event::Instance(_) => "instance",
            _ => "more",
        };
        self.log.lock().unwrap().push((self.name, what));
        told.with(|count, _| {
            *count += 1;
            Ok(())
        })?;
        (self.does)(told, event)
    }
}

struct World {
    engine: Engine,
    store: Store,
    instance: Instance,
    log: Log,
}

impl World {
    fn new() -> World {
        let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        World { engine, store, instance, log: Log::default() }
    }

    fn named(
        &self,
        name: &'static str,
        does: impl Fn(&mut Told<'_, usize>, &Event<'_>) -> Result<Answer> + Send + Sync + 'static,
    ) -> Arc<Named> {
        Arc::new(Named { name, log: self.log.clone(), does: Box::new(does) })
    }

    fn quiet(&self, name: &'static str) -> Arc<Named> {
        self.named(name, |_, _| Ok(Answer::GoOn))
    }

    /// Stops at every site: in each of the functions there is one.
    fn stop_at_entry(&mut self) {
        let mut edit = self.store.edit();
        edit.set_step(StepScope::All).unwrap();
        edit.commit().unwrap();
    }

    fn call(&mut self, name: &str) -> Result<i32> {
        self.instance.typed_func::<i32, i32>(&mut self.store, name)?.call(&mut self.store, 1)
    }

    fn log(&self) -> Vec<(&'static str, &'static str)> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn count(&self, sink: &Named) -> Option<usize> {
        self.store.as_store().look_at_state(sink, |count| *count).unwrap()
    }
}

#[test]
fn all_are_told_in_the_order_in_which_they_came() {
    let mut world = World::new();
    let (a, b, c) = (world.quiet("a"), world.quiet("b"), world.quiet("c"));
    let error = world.store.add_listener(a.clone(), 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    world.store.attach(a.clone(), 10).unwrap();
    world.store.add_listener(b.clone(), 20).unwrap();
    world.store.add_listener(c.clone(), 30).unwrap();
    world.stop_at_entry();
    assert_eq!(world.call("f").unwrap(), 2);
    assert_eq!(world.log(), [("a", "stop"), ("b", "stop"), ("c", "stop")]);
    assert!(world.call("crash").is_err());
    let stop_and_trap = [("a", "stop"), ("b", "stop"), ("c", "stop"), ("a", "trap"), ("b", "trap"), ("c", "trap")];
    assert_eq!(world.log(), stop_and_trap);
    let other = Module::new(&world.engine, &wat::parse_str("(module)").unwrap()).unwrap();
    Instance::new(&mut world.store, &other, &[]).unwrap();
    // The instance, once the module is known.
    let log = world.log();
    assert_eq!(log[..3], [("a", "module"), ("b", "module"), ("c", "module")]);
    assert_eq!(log[3..], [("a", "instance"), ("b", "instance"), ("c", "instance")]);
    assert_eq!([&a, &b, &c].map(|sink| world.count(sink)), [Some(15), Some(25), Some(35)]);
    // One leaves, and comes again behind the others.
    world.store.remove_listener(&*a).unwrap();
    assert_eq!(world.store.remove_listener(&*a).unwrap_err().kind(), ErrorKind::Argument);
    world.call("f").unwrap();
    assert_eq!(world.log(), [("b", "stop"), ("c", "stop")]);
    assert_eq!(world.count(&a), None);
    world.store.add_listener(a.clone(), 0).unwrap();
    world.call("f").unwrap();
    assert_eq!(world.log(), [("b", "stop"), ("c", "stop"), ("a", "stop")]);
    // Their states go with them.
    world.store.detach().unwrap();
    assert_eq!([&a, &b, &c].map(|sink| (world.count(sink), Arc::strong_count(sink))), [(None, 1); 3]);
    world.call("f").unwrap();
    assert!(world.log().is_empty());
}

#[test]
fn an_error_ends_the_telling() {
    let mut world = World::new();
    let b = world.named("b", |_, event| match event {
        Event::Module(_) => Ok(Answer::GoOn),
        _ => Err(Error::new(ErrorKind::Argument, "so b says")),
    });
    world.store.attach(world.quiet("a"), 0).unwrap();
    world.store.add_listener(b.clone(), 0).unwrap();
    world.store.add_listener(world.quiet("c"), 0).unwrap();
    // A trap's place is taken by it.
    let error = world.call("crash").unwrap_err();
    assert!(error.message().contains("so b says") && error.payload::<Trap>().is_none(), "{error}");
    assert_eq!(world.log(), [("a", "trap"), ("b", "trap")]);
    world.stop_at_entry();
    let error = world.call("f").unwrap_err();
    assert!(error.message().contains("so b says"), "{error}");
    assert_eq!(world.log(), [("a", "stop"), ("b", "stop")]);
    assert!(!world.store.is_poisoned() && !world.store.live_frames());
    world.store.remove_listener(&*b).unwrap();
    assert_eq!(world.call("f").unwrap(), 2);
    assert_eq!(world.log(), [("a", "stop"), ("c", "stop")]);
}

#[test]
fn a_panic_ends_the_telling_and_leaves_every_state_in_its_place() {
    for (function, what) in [("f", "stop"), ("crash", "trap")] {
        let mut world = World::new();
        let a = world.quiet("a");
        // While its state is out.
        let b = world.named("b", |told, _| told.with(|_, _| panic!("b panics")));
        world.store.attach(a.clone(), 0).unwrap();
        world.store.add_listener(b.clone(), 0).unwrap();
        world.store.add_listener(world.quiet("c"), 0).unwrap();
        if what == "stop" {
            world.stop_at_entry();
        }
        let panic = catch_unwind(AssertUnwindSafe(|| world.call(function))).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"b panics"));
        assert_eq!(world.log(), [("a", what), ("b", what)]);
        assert!(world.store.is_poisoned() && !world.store.live_frames());
        assert_eq!((world.count(&a), world.count(&b)), (Some(1), Some(1)));
        world.store.remove_listener(&*b).unwrap();
        assert_eq!(Arc::strong_count(&b), 1);
    }
}

#[test]
fn who_is_removed_meanwhile_is_told_nothing_more_and_who_comes_is_told_of_the_next() {
    let mut world = World::new();
    let (c, d) = (world.quiet("c"), world.quiet("d"));
    let (gone, new) = (c.clone(), d.clone());
    let b: Arc<Mutex<Option<Arc<Named>>>> = Arc::default();
    let me = b.clone();
    let does = move |told: &mut Told<'_, usize>, _: &Event<'_>| {
        let mut store = told.as_store_mut();
        store.remove_listener(&*gone)?;
        store.add_listener(new.clone(), 0)?;
        // And itself, at work though it is.
        let me = me.lock().unwrap().take().unwrap();
        store.remove_listener(&*me)?;
        drop(me);
        assert!(told.with(|count, _| Ok(*count))? > 0);
        Ok(Answer::GoOn)
    };
    let sink = world.named("b", does);
    *b.lock().unwrap() = Some(sink.clone());
    world.store.attach(world.quiet("a"), 0).unwrap();
    world.store.add_listener(sink.clone(), 0).unwrap();
    world.store.add_listener(c.clone(), 0).unwrap();
    world.store.add_listener(world.quiet("e"), 0).unwrap();
    world.stop_at_entry();
    assert_eq!(world.call("f").unwrap(), 2);
    assert_eq!(world.log(), [("a", "stop"), ("b", "stop"), ("e", "stop")]);
    assert_eq!(Arc::strong_count(&sink), 1);
    assert_eq!(world.call("f").unwrap(), 2);
    assert_eq!(world.log(), [("a", "stop"), ("e", "stop"), ("d", "stop")]);
}

#[test]
fn one_alone_may_replace_a_frame() {
    let replace = |told: &mut Told<'_, usize>, event: &Event<'_>| {
        let Event::Stop(stop) = event else { return Ok(Answer::GoOn) };
        let mut store = told.as_store_mut();
        // In resume code too it would stop.
        if Some(stop.slot) != store.code_slot(store.module_in(stop.slot).unwrap().id()) {
            return Ok(Answer::GoOn);
        }
        let slot = store.resume_code(stop.slot, stop.func)?;
        let values = vec![40].into();
        Ok(Answer::Replace(Box::new(Replacement {
            slot,
            entry: 0,
            wasm: stop.wasm,
            values,
            fuel: 0,
            optional: false,
            outer: None,
        })))
    };
    let mut world = World::new();
    let b = world.named("b", replace);
    world.store.attach(world.quiet("a"), 0).unwrap();
    world.store.add_listener(b.clone(), 0).unwrap();
    world.store.add_listener(world.quiet("c"), 0).unwrap();
    world.stop_at_entry();
    assert_eq!(world.call("f").unwrap(), 41);
    assert_eq!(world.log()[..3], [("a", "stop"), ("b", "stop"), ("c", "stop")]);
    world.store.add_listener(world.named("d", replace), 0).unwrap();
    let error = world.call("f").unwrap_err();
    assert!(error.kind() == ErrorKind::State && error.message().contains("two listeners"), "{error}");
    // Nothing but a stop can be answered so.
    world.store.remove_listener(&*b).unwrap();
    let slot = world.store.code_slot(world.store.modules().next().unwrap().id()).unwrap();
    let wasm = stepwell::base::WasmOffset::new(0);
    let with =
        move || Replacement { slot, entry: 0, wasm, values: Box::default(), fuel: 0, optional: false, outer: None };
    let e = world.named("e", move |_, event| match event {
        Event::Trap(_) => Ok(Answer::Replace(Box::new(with()))),
        _ => Ok(Answer::GoOn),
    });
    world.store.add_listener(e, 0).unwrap();
    let error = world.call("crash").unwrap_err();
    assert!(error.kind() == ErrorKind::Argument && error.message().contains("at a stop only"), "{error}");
}

#[test]
fn a_state_that_is_out_is_not_given_twice() {
    let mut world = World::new();
    let me: Arc<Mutex<Option<Arc<Named>>>> = Arc::default();
    let sink = {
        let me = me.clone();
        world.named("a", move |told, _| {
            let me = me.lock().unwrap().clone().unwrap();
            let nested = told.with(|_, store| store.with_state(&*me, |_, _| Ok(())));
            assert_eq!(nested.unwrap_err().kind(), ErrorKind::State);
            // Between, it is there.
            let mut store = told.as_store_mut();
            assert_eq!(store.with_state(&*me, |count, _| Ok(std::mem::replace(count, 77)))?, Some(1));
            told.with(|count, _| {
                assert_eq!(*count, 77);
                Ok(())
            })?;
            Ok(Answer::GoOn)
        })
    };
    *me.lock().unwrap() = Some(sink.clone());
    world.store.attach(sink.clone(), 0).unwrap();
    world.stop_at_entry();
    assert_eq!(world.call("f").unwrap(), 2);
    assert_eq!(world.count(&sink), Some(77));
    *me.lock().unwrap() = None;
}

#[test]
fn others_listen_beside_a_debugger() {
    let mut world = World::new();
    let stops = Arc::new(AtomicUsize::new(0));
    let count = stops.clone();
    let debugger = Debugger::attach(&mut world.store, move |stop: &mut Stop<'_>| {
        count.fetch_add(1, Relaxed);
        // Its own state is at hand, beside the others'.
        let debugger = stop.debugger();
        assert_eq!(debugger.breakpoint_count(stop).unwrap(), 1);
        Action::StepInstruction
    })
    .unwrap();
    let place = |told: &mut Told<'_, usize>, event: &Event<'_>| {
        // The frame stands at the site again, wherever the debugger has shown it.
        let Event::Stop(stop) = event else { return Ok(Answer::GoOn) };
        let mut store = told.as_store_mut();
        assert!(store.take_virtual().is_none());
        store.walk_frames(|frame| {
            assert_eq!(frame.wasm, stop.wasm);
            std::ops::ControlFlow::Break(())
        });
        Ok(Answer::GoOn)
    };
    let sink = world.named("a", place);
    world.store.add_listener(sink.clone(), 0).unwrap();
    let second = Debugger::attach(&mut world.store, |_: &mut Stop<'_>| Action::Continue).err().unwrap();
    assert!(
        second.kind() == ErrorKind::State && second.message().contains("attached to this store already"),
        "{second}"
    );
    let module = world.store.modules().next().unwrap().clone();
    debugger.break_at_name(&mut world.store, &module, "f").unwrap();
    assert_eq!(world.call("f").unwrap(), 2);
    // Of four instructions one has a site.
    assert_eq!((stops.load(Relaxed), world.log().len()), (4, 1));
    debugger.detach(&mut world.store).unwrap();
    assert_eq!(world.count(&sink), None);
    assert_eq!(debugger.breakpoints(&world.store).err().unwrap().kind(), ErrorKind::State);
}

#[test]
fn others_are_told_of_a_stop_that_a_breakpoint_lets_pass() {
    let mut world = World::new();
    let debugger = Debugger::attach(&mut world.store, |_| panic!("the guest passes")).unwrap();
    let module = world.instance.module(&world.store).unwrap().clone();
    let placed = debugger.break_at_name(&mut world.store, &module, "f").unwrap();
    let set = |world: &mut World, text: Option<&str>, ignore| {
        let condition = text.map(|text| Condition::text(text).unwrap());
        let change = |options: &mut stepwell::debug::BreakOptions| {
            (options.condition, options.ignore) = (condition, ignore);
        };
        debugger.change_breakpoint(&mut world.store, placed.id, change).unwrap();
    };
    let hits = |world: &World| debugger.breakpoint(&world.store, placed.id).unwrap().unwrap().hits;
    let b = world.quiet("b");
    for told in [0, 1, 0] {
        set(&mut world, Some("local(0) == 2"), 0);
        assert_eq!(world.call("f").unwrap(), 2);
        assert_eq!(world.log().len(), told);
        let before = hits(&world);
        set(&mut world, None, 5);
        assert_eq!(world.call("f").unwrap(), 2);
        assert_eq!((world.log().len(), hits(&world)), (told, before + 1));
        match told {
            0 => world.store.add_listener(b.clone(), 0).unwrap(),
            _ => world.store.remove_listener(&*b).unwrap(),
        }
    }
}
