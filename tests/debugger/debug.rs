//! The debugger through the Rust API: what it stops at, what it shows, and everything a callback may do to break it.

use crate::guests::{call, module};
use std::sync::{Arc, Mutex};
use stepwell::FuncType;
use stepwell::base::{ErrorKind, FuncIndex, WasmOffset};
use stepwell::debug::{Action, Debugger, Reason, Stop};
use stepwell::runtime::{Config, DebugTier, Engine, Func, Instance, Module, Store, TrapCode, Val};

const FIB: &str = r#"(module
  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "twice") (param i32) (result i32)
    (i32.add (call $fib (local.get 0)) (call $fib (local.get 0)))))"#;

fn engine() -> Engine {
    Engine::new(Config { debug: true, ..Config::default() }).unwrap()
}

fn i32s(values: &[Val]) -> Vec<i32> {
    values
        .iter()
        .map(|value| match value {
            Val::I32(value) => *value,
            other => panic!("{other:?} is no i32"),
        })
        .collect()
}

/// A store with an instance of `text`.
fn start(text: &str) -> (Store, Module, Instance) {
    let engine = engine();
    let module = module(&engine, text);
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, module, instance)
}

type Log<T> = Arc<Mutex<Vec<T>>>;

fn log<T>() -> Log<T> {
    Arc::new(Mutex::new(Vec::new()))
}

/// Attaches a callback which notes what `look` sees at every stop and answers `action`.
fn watch<T: Send + 'static>(
    store: &mut Store,
    action: Action,
    look: impl Fn(&mut Stop<'_>) -> T + Send + Sync + 'static,
) -> (Debugger, Log<T>) {
    let seen = log();
    let debugger = Debugger::attach(store, {
        let seen = seen.clone();
        move |stop: &mut Stop<'_>| {
            let what = look(stop);
            seen.lock().unwrap().push(what);
            action.clone()
        }
    })
    .unwrap();
    (debugger, seen)
}

#[test]
fn a_breakpoint_by_name_shows_arguments_and_callers() {
    let (mut store, module, instance) = start(FIB);
    let (debugger, seen) = watch(&mut store, Action::Continue, |stop| {
        assert!(matches!(stop.reason(), Reason::Breakpoint(_)));
        (0..stop.frame_count())
            .map(|i| {
                let frame = stop.frame(i).unwrap();
                assert_eq!(frame.func_name(), Some("fib"));
                assert_eq!(frame.func(), FuncIndex::new(0));
                i32s(&frame.locals())[0]
            })
            .collect::<Vec<i32>>()
    });
    let placed = debugger.break_at_name(&mut store, &module, "fib").unwrap();
    assert_eq!(placed.func(), Some(FuncIndex::new(0)));
    assert_eq!(i32s(&call(&mut store, instance, "fib", &[Val::I32(4)]).unwrap()), [3]);
    let expected: &[&[i32]] =
        &[&[4], &[3, 4], &[2, 3, 4], &[1, 2, 3, 4], &[0, 2, 3, 4], &[1, 3, 4], &[2, 4], &[1, 2, 4], &[0, 2, 4]];
    assert_eq!(*seen.lock().unwrap(), expected);
    debugger.remove(&mut store, placed.id).unwrap();
    seen.lock().unwrap().clear();
    call(&mut store, instance, "fib", &[Val::I32(10)]).unwrap();
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(debugger.remove(&mut store, placed.id).unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn attach_set_hit_detach_and_again() {
    let (mut store, module, instance) = start(FIB);
    for _ in 0..3 {
        let (debugger, hits) = watch(&mut store, Action::Continue, |_| ());
        debugger.break_at_function(&mut store, &module, FuncIndex::new(1)).unwrap();
        assert_eq!(i32s(&call(&mut store, instance, "twice", &[Val::I32(10)]).unwrap()), [110]);
        assert_eq!(hits.lock().unwrap().len(), 1);
        let second = Debugger::attach(&mut store, |_: &mut Stop<'_>| Action::Continue);
        assert_eq!(second.err().unwrap().kind(), ErrorKind::State);
        debugger.detach(&mut store).unwrap();
        assert_eq!(debugger.detach(&mut store).unwrap_err().kind(), ErrorKind::State);
        let late = debugger.break_at_function(&mut store, &module, FuncIndex::new(1));
        assert_eq!(late.err().unwrap().kind(), ErrorKind::State);
        // Nor does it come back with another one.
        let (other, _) = watch(&mut store, Action::Continue, |_| ());
        let late = debugger.break_at_function(&mut store, &module, FuncIndex::new(1));
        assert_eq!(late.err().unwrap().kind(), ErrorKind::State);
        other.detach(&mut store).unwrap();
        assert_eq!(i32s(&call(&mut store, instance, "twice", &[Val::I32(10)]).unwrap()), [110]);
        assert_eq!(hits.lock().unwrap().len(), 1);
    }
}

#[test]
fn stepping_shows_every_instruction_with_its_operands() {
    let (mut store, module, instance) = start(
        r#"(module (func (export "f") (param i32) (result i32) (local i64)
             local.get 0 i32.const 5 i32.add local.tee 0 i64.extend_i32_s local.set 1 local.get 0))"#,
    );
    let (debugger, seen) = watch(&mut store, Action::StepInstruction, |stop| {
        let frame = stop.frame(0).unwrap();
        assert_eq!(frame.local_count(), 2);
        assert_eq!(frame.operand_count(), frame.operands().len());
        (frame.offset(), format!("{:?} {:?}", frame.locals(), frame.operands()))
    });
    debugger.break_at_name(&mut store, &module, "f").unwrap();
    assert_eq!(i32s(&call(&mut store, instance, "f", &[Val::I32(37)]).unwrap()), [42]);
    let seen = seen.lock().unwrap();
    let shown: Vec<&str> = seen.iter().map(|stop| stop.1.as_str()).collect();
    assert_eq!(
        shown,
        [
            "[I32(37), I64(0)] []",
            "[I32(37), I64(0)] [I32(37)]",
            "[I32(37), I64(0)] [I32(37), I32(5)]",
            "[I32(37), I64(0)] [I32(42)]",
            "[I32(42), I64(0)] [I32(42)]",
            "[I32(42), I64(0)] [I64(42)]",
            "[I32(42), I64(42)] []",
            "[I32(42), I64(42)] [I32(42)]",
        ]
    );
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

/// The depth and function at every stop when each is answered by `action`, from a breakpoint at a function's entry on.
fn trail(export: &str, arg: i32, break_in: u32, action: Action) -> (Vec<(usize, u32)>, i32) {
    let (mut store, module, instance) = start(FIB);
    let (debugger, seen) = watch(&mut store, action, |stop| (stop.frame_count(), stop.frame(0).unwrap().func().get()));
    debugger.break_at_function(&mut store, &module, FuncIndex::new(break_in)).unwrap();
    let results = call(&mut store, instance, export, &[Val::I32(arg)]).unwrap();
    let seen = seen.lock().unwrap().clone();
    (seen, i32s(&results)[0])
}

#[test]
fn step_over_runs_calls_through_and_step_out_ends_in_the_caller() {
    // local.get, call, local.get, call, i32.add, end: each once, never inside fib.
    assert_eq!(trail("twice", 10, 1, Action::StepOver), (vec![(1, 1); 6], 110));
    // Out of fib to its caller, then out of that to the host, with the breakpoint in fib on the way.
    assert_eq!(trail("twice", 1, 0, Action::StepOut), (vec![(2, 0), (1, 1), (2, 0), (1, 1)], 2));
}

#[test]
fn step_over_in_a_recursion_stays_in_its_frame() {
    let (mut store, module, instance) = start(FIB);
    let (debugger, depths) = watch(&mut store, Action::StepOver, |stop| {
        for id in stop.reason().breakpoints().to_vec() {
            stop.debugger().remove(stop, id).unwrap();
        }
        stop.frame_count()
    });
    debugger.break_at_name(&mut store, &module, "fib").unwrap();
    assert_eq!(i32s(&call(&mut store, instance, "fib", &[Val::I32(12)]).unwrap()), [144]);
    let depths = depths.lock().unwrap();
    assert!(depths.len() > 8, "{depths:?}");
    assert!(depths.iter().all(|depth| *depth == 1), "{depths:?}");
}

#[test]
fn a_step_ends_with_its_call() {
    let (mut store, module, instance) = start(FIB);
    let (debugger, stops) = watch(&mut store, Action::StepInstruction, |stop| {
        for id in stop.reason().breakpoints().to_vec() {
            stop.debugger().remove(stop, id).unwrap();
        }
    });
    debugger.break_at_name(&mut store, &module, "fib").unwrap();
    call(&mut store, instance, "fib", &[Val::I32(1)]).unwrap();
    let first = stops.lock().unwrap().len();
    assert!(first > 4);
    for _ in 0..3 {
        call(&mut store, instance, "fib", &[Val::I32(5)]).unwrap();
        assert_eq!(stops.lock().unwrap().len(), first);
    }
}

#[test]
fn an_offset_in_the_middle_of_an_instruction_slips_forward() {
    let (mut store, module, instance) =
        start(r#"(module (func (export "f") (result i32) i32.const 100000 i32.const 2 i32.add))"#);
    let (debugger, hits) = watch(&mut store, Action::Continue, |stop| {
        let frame = stop.frame(0).unwrap();
        (frame.offset(), frame.operands().len())
    });
    let body = module.info().bodies[0].bytes.clone();
    let first = debugger.break_at(&mut store, &module, WasmOffset::from_usize(body.start)).unwrap();
    let inside = debugger.break_at(&mut store, &module, WasmOffset::new(first.offset().unwrap().get() + 1)).unwrap();
    assert!(inside.offset() > first.offset().map(|at| WasmOffset::new(at.get() + 1)));
    assert_eq!(inside.offset().unwrap().get(), first.offset().unwrap().get() + 4);
    for beyond in [body.end as u32, u32::MAX] {
        let error = debugger.break_at(&mut store, &module, WasmOffset::new(beyond)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Argument);
    }
    call(&mut store, instance, "f", &[]).unwrap();
    assert_eq!(*hits.lock().unwrap(), [(first.offset().unwrap(), 0), (inside.offset().unwrap(), 1)]);
}

#[test]
fn breakpoints_at_one_place_are_counted() {
    let (mut store, module, instance) = start(FIB);
    let (debugger, hits) = watch(&mut store, Action::Continue, |stop| stop.reason().breakpoints().len());
    let a = debugger.break_at_name(&mut store, &module, "fib").unwrap();
    let b = debugger.break_at_name(&mut store, &module, "fib").unwrap();
    call(&mut store, instance, "fib", &[Val::I32(0)]).unwrap();
    debugger.remove(&mut store, a.id).unwrap();
    call(&mut store, instance, "fib", &[Val::I32(0)]).unwrap();
    debugger.remove(&mut store, b.id).unwrap();
    call(&mut store, instance, "fib", &[Val::I32(0)]).unwrap();
    assert_eq!(*hits.lock().unwrap(), [2, 1]);
}

#[test]
fn a_callback_may_delete_its_own_breakpoint_and_set_others() {
    let (mut store, module, instance) = start(FIB);
    let target = module.clone();
    let (debugger, hits) = watch(&mut store, Action::Continue, move |stop| {
        let func = stop.frame(0).unwrap().func();
        let debugger = stop.debugger();
        for id in stop.reason().breakpoints().to_vec() {
            debugger.remove(stop, id).unwrap();
        }
        if func == FuncIndex::new(1) {
            debugger.break_at_function(stop, &target, FuncIndex::new(0)).unwrap();
        }
        func.get()
    });
    debugger.break_at_function(&mut store, &module, FuncIndex::new(1)).unwrap();
    assert_eq!(i32s(&call(&mut store, instance, "twice", &[Val::I32(5)]).unwrap()), [10]);
    assert_eq!(*hits.lock().unwrap(), [1, 0]);
    assert!(debugger.breakpoints(&store).unwrap().is_empty());
}

#[test]
fn a_breakpoint_set_in_a_callback_bites_frames_already_on_the_stack() {
    // The outer frame is suspended in its call; the breakpoint behind the call is set from the inner one.
    let (mut store, module, instance) =
        start(r#"(module (func $inner) (func (export "f") (result i32) call $inner i32.const 1 i32.const 2 i32.add))"#);
    let target = module.clone();
    let (debugger, hits) = watch(&mut store, Action::Continue, move |stop| {
        let depth = stop.frame_count();
        if depth == 2 {
            let behind = WasmOffset::new(stop.frame(1).unwrap().offset().get() + 1);
            stop.debugger().break_at(stop, &target, behind).unwrap();
        }
        depth
    });
    debugger.break_at_function(&mut store, &module, FuncIndex::new(0)).unwrap();
    call(&mut store, instance, "f", &[]).unwrap();
    assert_eq!(*hits.lock().unwrap(), [2, 1]);
}

#[test]
fn stops_nest_as_calls_do() {
    let (mut store, module, instance) = start(FIB);
    let (debugger, depths) = watch(&mut store, Action::StepInstruction, |stop| {
        let depth = stop.frame_count();
        if depth < 4 {
            let n = i32s(&stop.frame(0).unwrap().locals())[0];
            let instance = stop.frame(0).unwrap().instance().unwrap();
            let results = call(stop, instance, "fib", &[Val::I32(0)]).unwrap();
            assert_eq!(i32s(&results), [0]);
            // The frame is as it was.
            assert_eq!(i32s(&stop.frame(0).unwrap().locals())[0], n);
            assert_eq!(stop.frame_count(), depth);
        }
        depth
    });
    let placed = debugger.break_at_name(&mut store, &module, "fib").unwrap();
    assert_eq!(i32s(&call(&mut store, instance, "fib", &[Val::I32(1)]).unwrap()), [1]);
    assert!(depths.lock().unwrap().contains(&4));
    debugger.remove(&mut store, placed.id).unwrap();
    debugger.detach(&mut store).unwrap();
    assert_eq!(i32s(&call(&mut store, instance, "fib", &[Val::I32(7)]).unwrap()), [13]);
}

#[test]
fn a_trap_is_shown_before_the_frames_are_gone() {
    let (mut store, _, instance) = start(
        r#"(module
        (func $div (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
        (func (export "f") (param i32) (result i32) (call $div (i32.const 7) (local.get 0))))"#,
    );
    let (debugger, seen) = watch(&mut store, Action::Continue, |stop| {
        let (inner, outer) = (stop.frame(0).unwrap(), stop.frame(1).unwrap());
        format!(
            "{:?} {:?} {:?} / {:?} {:?}",
            stop.reason(),
            inner.locals(),
            inner.operands(),
            outer.locals(),
            outer.operands()
        )
    });
    let error = call(&mut store, instance, "f", &[Val::I32(0)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Trap);
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].contains("IntegerDivisionByZero"), "{}", seen[0]);
    assert!(seen[0].contains("[I32(7), I32(0)] [I32(7), I32(0)] / [I32(0)] [I32(7), I32(0)]"), "{}", seen[0]);
    debugger.detach(&mut store).unwrap();
}

#[test]
fn a_stack_overflow_is_shown_at_the_call_that_did_not_fit() {
    for signals in [true, false] {
        let engine = Engine::new(Config { debug: true, signals, ..Config::default() }).unwrap();
        let module = module(
            &engine,
            r#"(module (func $deep (export "f") (param i32 funcref externref) (result i32) (local i64 funcref)
                 (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)) (local.get 1) (local.get 2)))))"#,
        );
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let (debugger, seen) = watch(&mut store, Action::Continue, |stop| {
            let count = stop.frame_count();
            // Every frame is whole: the counter rises inwards, and the operands are the pending 1 and the arguments.
            for i in 0..count {
                let frame = stop.frame(i).unwrap();
                assert_eq!(frame.locals()[0].i32().unwrap() as usize, count - 1 - i);
                assert_eq!(frame.locals()[3..], [Val::I64(0), Val::FuncRef(None)]);
                assert_eq!(frame.operands().len(), 4);
                assert_eq!(frame.operands()[1].i32().unwrap() as usize, count - i);
            }
            (stop.reason().clone(), count > 100)
        });
        let args = [Val::I32(0), Val::FuncRef(None), Val::ExternRef(None)];
        for _ in 0..2 {
            assert_eq!(call(&mut store, instance, "f", &args).unwrap_err().kind(), ErrorKind::Trap);
        }
        debugger.detach(&mut store).unwrap();
        assert_eq!(*seen.lock().unwrap(), vec![(Reason::Trap(TrapCode::StackOverflow), true); 2]);
    }
}

#[test]
fn a_callback_can_end_the_call_with_a_trap() {
    let (mut store, module, instance) = start(FIB);
    let (debugger, _) = watch(&mut store, Action::Trap("enough of this".to_owned()), |_| ());
    let placed = debugger.break_at_name(&mut store, &module, "fib").unwrap();
    let error = call(&mut store, instance, "twice", &[Val::I32(3)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Trap);
    assert!(error.message().contains("enough of this"), "{error}");
    debugger.remove(&mut store, placed.id).unwrap();
    assert_eq!(i32s(&call(&mut store, instance, "twice", &[Val::I32(3)]).unwrap()), [4]);
}

#[test]
fn a_panic_in_the_callback_poisons_the_store_alone() {
    let (mut store, module, instance) = start(FIB);
    let debugger = Debugger::attach(&mut store, |_: &mut Stop<'_>| panic!("the callback's own fault")).unwrap();
    debugger.break_at_name(&mut store, &module, "fib").unwrap();
    let result =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(&mut store, instance, "fib", &[Val::I32(3)])));
    assert!(result.is_err());
    assert_eq!(call(&mut store, instance, "fib", &[Val::I32(3)]).unwrap_err().kind(), ErrorKind::Poisoned);
    drop(store);
    let (mut other, _, instance) = start(FIB);
    assert_eq!(i32s(&call(&mut other, instance, "fib", &[Val::I32(3)]).unwrap()), [2]);
}

#[test]
fn under_a_live_frame_attaching_is_done_and_detaching_refused() {
    let engine = engine();
    let module = module(&engine, r#"(module (import "" "" (func)) (func (export "f") call 0))"#);
    let mut store = Store::new(&engine);
    let outcomes = log();
    let host = Func::new(&mut store, FuncType::new([], []), {
        let outcomes = outcomes.clone();
        move |mut caller, _, _| {
            let attached = Debugger::attach(&mut caller, |_: &mut Stop<'_>| Action::Continue);
            outcomes.lock().unwrap().push(attached.err().map(|error| error.kind()));
            Ok(())
        }
    });
    let instance = Instance::new(&mut store, &module, &[host.unwrap().into()]).unwrap();
    call(&mut store, instance, "f", &[]).unwrap();
    // The second is one too many.
    call(&mut store, instance, "f", &[]).unwrap();
    assert_eq!(*outcomes.lock().unwrap(), [None, Some(ErrorKind::State)]);
    store.detach().unwrap();
    let (debugger, tried) =
        watch(&mut store, Action::Continue, |stop| stop.debugger().detach(stop).unwrap_err().kind());
    debugger.break_at_name(&mut store, &module, "f").unwrap();
    call(&mut store, instance, "f", &[]).unwrap();
    assert_eq!(*tried.lock().unwrap(), [ErrorKind::State]);
    debugger.detach(&mut store).unwrap();
}

#[test]
fn a_module_registered_while_stepping_stops_at_its_first_instruction() {
    let engine = engine();
    let first = module(&engine, FIB);
    let second = module(&engine, r#"(module (func $start (local i32) nop) (start $start))"#);
    let empty = module(&engine, "(module)");
    let mut store = Store::new(&engine);
    Instance::new(&mut store, &first, &[]).unwrap();
    let (debugger, seen) = watch(&mut store, Action::Continue, |stop| stop.reason().clone());
    debugger.step_always(&mut store, true).unwrap();
    Instance::new(&mut store, &empty, &[]).unwrap();
    Instance::new(&mut store, &second, &[]).unwrap();
    debugger.step_always(&mut store, false).unwrap();
    Instance::new(&mut store, &second, &[]).unwrap();
    // `nop` and `end`, once.
    assert_eq!(*seen.lock().unwrap(), [Reason::Step, Reason::Step]);
}

#[test]
fn a_breakpoint_waits_for_its_module() {
    let engine = engine();
    let module = module(&engine, r#"(module (func $start nop) (start $start))"#);
    let mut store = Store::new(&engine);
    let (debugger, hits) = watch(&mut store, Action::Continue, |stop| stop.frame(0).unwrap().func().get());
    debugger.break_at_function(&mut store, &module, FuncIndex::new(0)).unwrap();
    Instance::new(&mut store, &module, &[]).unwrap();
    assert_eq!(*hits.lock().unwrap(), [0]);
}

#[test]
fn an_engine_without_debugging_says_so() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let error = Debugger::attach(&mut store, |_: &mut Stop<'_>| Action::Continue).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::State);
}

#[test]
fn wrong_functions_names_and_stores_are_errors() {
    let engine = engine();
    let module = module(&engine, r#"(module (import "a" "b" (func)) (func $x))"#);
    let mut store = Store::new(&engine);
    let (debugger, _) = watch(&mut store, Action::Continue, |_| ());
    for func in [0, 2, u32::MAX] {
        let error = debugger.break_at_function(&mut store, &module, FuncIndex::new(func)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Argument);
    }
    assert!(debugger.break_at_name(&mut store, &module, "").is_err());
    assert!(debugger.break_at_name(&mut store, &module, "x").is_ok());
    let mut other = Store::new(&engine);
    assert_eq!(debugger.step_always(&mut other, true).unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn one_debugged_store_beside_one_at_full_speed() {
    let engine = engine();
    let module = module(&engine, FIB);
    let (started, wait) = std::sync::mpsc::channel();
    let (resume, resumed) = std::sync::mpsc::channel::<()>();
    let debugged = std::thread::spawn({
        let (engine, module) = (engine.clone(), module.clone());
        move || {
            let mut store = Store::new(&engine);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let channel = Mutex::new((started, resumed));
            let debugger = Debugger::attach(&mut store, move |_: &mut Stop<'_>| {
                let channel = channel.lock().unwrap();
                channel.0.send(()).unwrap();
                channel.1.recv().unwrap();
                Action::Continue
            })
            .unwrap();
            debugger.break_at_function(&mut store, &module, FuncIndex::new(1)).unwrap();
            i32s(&call(&mut store, instance, "twice", &[Val::I32(15)]).unwrap())
        }
    });
    wait.recv().unwrap();
    // The other store stands in its callback; this one runs the same module.
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    for _ in 0..100 {
        assert_eq!(i32s(&call(&mut store, instance, "twice", &[Val::I32(15)]).unwrap()), [1220]);
    }
    resume.send(()).unwrap();
    assert_eq!(debugged.join().unwrap(), [1220]);
}

/// The operands at every instruction of `run(7)`, stepped from end to end.
fn operands_of_run(body: &str) -> Vec<Vec<Val>> {
    let text = format!(r#"(module (table 1 externref) (func (export "run") (param i32) {body}))"#);
    let (mut store, _, instance) = start(&text);
    let (debugger, seen) = watch(&mut store, Action::StepInstruction, |stop| stop.top().unwrap().operands());
    debugger.step_always(&mut store, true).unwrap();
    call(&mut store, instance, "run", &[Val::I32(7)]).unwrap();
    seen.lock().unwrap().clone()
}

#[test]
fn an_operand_keeps_its_value_when_the_local_it_was_read_from_changes() {
    let i = Val::I32;
    let shown = operands_of_run("local.get 0 local.get 0 i32.const 8 local.tee 0 drop local.get 0 drop drop drop");
    let expected = [
        vec![],
        vec![i(7)],
        vec![i(7), i(7)],
        vec![i(7), i(7), i(8)],
        vec![i(7), i(7), i(8)],
        vec![i(7), i(7)],
        vec![i(7), i(7), i(8)],
        vec![i(7), i(7)],
        vec![i(7)],
        vec![],
    ];
    assert_eq!(format!("{shown:?}"), format!("{expected:?}"));
}

#[test]
fn an_operand_keeps_its_value_on_every_way_through_a_block() {
    // The local changes on one of two ways, in each turn of a loop, and below a branch out.
    let ways = [
        "local.get 0 (if (i32.const %) (then (local.set 0 (i32.const 9))) (else (nop))) nop drop",
        "local.get 0 (block (br_if 0 (i32.const %)) (local.set 0 (i32.const 9))) nop drop",
        "local.get 0 (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (i32.eq (local.get 0) (i32.const 6)))) nop drop",
        "local.get 0 (block (result i32) (local.get 0) (local.set 0 (i32.const 9)) (br_if 0 (i32.const %))) nop drop drop",
        "local.get 0 local.get 0 (if (param i32) (i32.const %) (then (local.set 0)) (else drop (local.set 0 (i32.const 9)))) nop drop",
    ];
    for way in ways {
        for condition in ["0", "1"] {
            let shown = operands_of_run(&way.replace('%', condition));
            let below: Vec<&Vec<Val>> = shown.iter().filter(|operands| !operands.is_empty()).collect();
            assert!(below.len() > 3 && shown.len() - below.len() == 2, "{way}: {shown:?}");
            assert!(below.iter().all(|operands| matches!(operands[0], Val::I32(7))), "{way}, {condition}: {shown:?}");
        }
    }
}

#[test]
fn constants_are_shown_to_the_bit() {
    let shown = operands_of_run(
        "i32.const -1 i64.const -2 i64.const 0x1_0000_0000 i64.const 0x8000_0000 f32.const -nan:0x200001 f64.const -0.5 \
         ref.null extern drop drop drop drop drop drop drop",
    );
    let deepest = shown.iter().max_by_key(|operands| operands.len()).unwrap();
    let expected = [
        Val::I32(-1),
        Val::I64(-2),
        Val::I64(0x1_0000_0000),
        Val::I64(0x8000_0000),
        Val::F32(0xffa0_0001),
        Val::F64(0xbfe0_0000_0000_0000),
        Val::ExternRef(None),
    ];
    assert_eq!(format!("{deepest:?}"), format!("{expected:?}"));
}

/// More operands than are told from locals: they are stored when the stack gets deep, each with its own value.
#[test]
fn a_deep_stack_keeps_every_value() {
    for depth in [7, 8, 9, 15, 16, 17, 200] {
        let pushes = "local.get 0 (local.set 0 (i32.add (local.get 0) (i32.const 1))) ".repeat(depth);
        let reads = "local.get 0 ".repeat(depth);
        let shown =
            operands_of_run(&format!("{pushes} {reads} (local.set 0 (i32.const 5)) {}", "drop ".repeat(2 * depth)));
        let (mut below, last) = ((7..).take(depth).collect::<Vec<i32>>(), 7 + depth as i32);
        below.extend(std::iter::repeat_n(last, depth));
        let deepest = shown.iter().position(|operands| operands.len() == 2 * depth).unwrap();
        assert_eq!(i32s(&shown[deepest]), below, "{depth}, before the change");
        // The constant is on top for one stop.
        assert_eq!(i32s(&shown[deepest + 1])[..2 * depth], below, "{depth}");
        for operands in &shown[deepest + 2..] {
            assert_eq!(i32s(operands), below[..operands.len()], "{depth}, after the change");
        }
    }
}

/// A jump to nothing but a trap tempts a compiler to let the jump itself trap, with slots that are not those of its
/// last point.
#[test]
fn traps_behind_branches_are_shown_where_they_are() {
    const ADD: &str = "(local.set 0 (i32.add (local.get 0) (i32.const 1)))";
    let bodies = [
        "(if (i32.eq (local.get 0) (i32.const 4)) (then (unreachable)))",
        "(if (i32.eq (local.get 0) (i32.const 4)) (then) (else (unreachable)))",
        "(block (br_if 0 (i32.ne (local.get 0) (i32.const 4))) (unreachable))",
        "(block (br_if 0 (i32.ge_u (local.get 0) (i32.const 4))) (return (local.get 0))) (unreachable)",
        "(block (block (br_table 0 1 0 1 (local.get 0))) (unreachable))",
        "(block (block (br_table 0 1 0 1 0 1 (local.get 0))) (unreachable))",
    ];
    for signals in [true, false] {
        let mut trapped = 0;
        for body in bodies {
            let text = format!(r#"(module (func (export "f") (param i32) (result i32) {ADD} {body} (local.get 0)))"#);
            let mut seen = Vec::new();
            for debug_tier in [DebugTier::Simple, DebugTier::Regions] {
                let engine = Engine::new(Config { debug: true, debug_tier, signals, ..Config::default() }).unwrap();
                let module = module(&engine, &text);
                let mut store = Store::new(&engine);
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let stops = log();
                let noted = stops.clone();
                Debugger::attach(&mut store, move |stop| {
                    let top = stop.top().unwrap();
                    let (locals, operands) = (i32s(&top.locals()), i32s(&top.operands()));
                    noted.lock().unwrap().push((stop.reason().clone(), top.offset(), locals, operands));
                    Action::Continue
                })
                .unwrap();
                let result = call(&mut store, instance, "f", &[Val::I32(3)]).map(|results| i32s(&results));
                let stops = stops.lock().unwrap().clone();
                trapped += usize::from(!stops.is_empty());
                assert!(stops.iter().all(|stop| stop.0 == Reason::Trap(TrapCode::Unreachable) && stop.2 == [4]));
                seen.push((stops, result.map_err(|error| error.to_string())));
            }
            assert_eq!(seen[0], seen[1], "{body}");
        }
        assert!(trapped >= 6, "{trapped}");
    }
}

/// Rerun and resume code are compiled at stops, and compiling takes more stack than is kept for callbacks.
#[test]
fn a_small_stack_is_no_obstacle_to_compiling_at_a_stop() {
    const DEEP: &str = r#"(module (memory (export "m") 1)
      (func $f (export "f") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (call $f (i32.sub (local.get 0) (i32.const 1))))
          (else (call $g (local.get 0)))))
      (func $g (param i32) (result i32)
        (i32.mul (i32.add (local.get 0) (i32.const 3)) (i32.load8_u (local.get 0)))))"#;
    for (stack, stop_reserve) in [(128 << 10, 256 << 10), (512 << 10, 16 << 10)] {
        let run = move || {
            let engine = Engine::new(Config { debug: true, stop_reserve, ..Config::default() }).unwrap();
            let module = module(&engine, DEEP);
            let mut store = Store::new(&engine);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let depth = Arc::new(Mutex::new(0));
            let deepest = depth.clone();
            let watching = Debugger::attach(&mut store, move |stop| {
                *deepest.lock().unwrap() = stop.frame_count();
                Action::Continue
            })
            .unwrap();
            call(&mut store, instance, "f", &[Val::I32(1 << 30)]).unwrap_err();
            let depth = *depth.lock().unwrap() as i32;
            assert!(depth > 100, "{depth}");
            watching.detach(&mut store).unwrap();

            let steps = log();
            let noted = steps.clone();
            let debugger = Debugger::attach(&mut store, move |stop| {
                let mut steps = noted.lock().unwrap();
                steps.push(stop.top().unwrap().offset());
                // What was loaded just before must not be loaded again: resume code is compiled as well.
                if steps.len() == 6 {
                    let instance = stop.top().unwrap().instance().unwrap();
                    let memory = instance.export(&mut *stop, "m").and_then(|item| item.memory()).unwrap();
                    memory.write(&mut *stop, 0, &[7]).unwrap();
                }
                if steps.len() < 20 { Action::StepInstruction } else { Action::Continue }
            })
            .unwrap();
            debugger.break_at_function(&mut store, &module, FuncIndex::new(1)).unwrap();
            let result = call(&mut store, instance, "f", &[Val::I32(depth - 5)]).map(|results| i32s(&results));
            assert_eq!(result.unwrap(), [0]);
            assert_eq!(steps.lock().unwrap().len(), 20);
        };
        std::thread::Builder::new().stack_size(stack).spawn(run).unwrap().join().unwrap();
    }
}
