//! Fuel, epochs and interrupts: what is counted, the same in every kind of code; who is ended, where, and by whom.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell::debug::{Action, Debugger, Reason};
use stepwell::runtime::DebugTier;
use stepwell::*;

/// The kinds of code that guests run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Production,
    Simple,
    Regions,
}

const KINDS: [Kind; 3] = [Kind::Production, Kind::Simple, Kind::Regions];

/// Stores for each kind of code, with signals and without, with their modules instantiated.
fn each(config: Config, text: &str, mut check: impl FnMut(Kind, &mut Store, Instance)) {
    let parts: &[Option<u32>] = if config.fuel { &[None, Some(1), Some(7)] } else { &[None] };
    for (signals, force_fuel_part) in
        [true, false].into_iter().flat_map(|signals| parts.iter().map(move |part| (signals, *part)))
    {
        for kind in KINDS {
            let debug_tier = if kind == Kind::Simple { DebugTier::Simple } else { DebugTier::Regions };
            let engine =
                Engine::new(Config { debug: true, signals, debug_tier, force_fuel_part, ..config.clone() }).unwrap();
            let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
            let mut store = Store::new(&engine);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let debugger =
                (kind != Kind::Production).then(|| Debugger::attach(&mut store, |_| Action::Continue).unwrap());
            check(kind, &mut store, instance);
            if let Some(debugger) = debugger {
                debugger.detach(&mut store).unwrap();
            }
        }
    }
}

fn fueled() -> Config {
    Config { fuel: true, ..Config::default() }
}

fn timed() -> Config {
    Config { epoch: true, ..Config::default() }
}

fn func(store: &mut Store, instance: Instance, name: &str) -> TypedFunc<i32, i32> {
    instance.typed_func(&mut *store, name).unwrap()
}

/// The trap of a call, with the name of the function that trapped.
fn trapped(error: &Error) -> (TrapCode, String) {
    let trap = error.payload::<Trap>().unwrap_or_else(|| panic!("{error} is no trap"));
    (trap.code().unwrap(), trap.frames()[0].func_name().unwrap().to_owned())
}

const TEXT: &str = r#"(module
    (memory 1)
    (func $line (export "line") (param i32) (result i32)
        nop (i32.add (i32.mul (local.get 0) (i32.const 2)) (i32.const 1)))
    (func $empty (export "empty") (param i32) (result i32) (call $nothing) (local.get 0))
    (func $nothing)
    (func $ways (export "ways") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.const 5)) (else (i32.add (i32.const 6) (i32.const 1)))))
    (func $skip (export "skip") (param i32) (result i32)
        (block (br_if 0 (local.get 0)) (i32.store (i32.const 0) (i32.const 1)))
        (i32.load (i32.const 0)))
    (func $loop (export "loop") (param i32) (result i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 0))
    (func $forever (export "forever") (param i32) (result i32) (loop (br 0)) unreachable)
    (func $recurse (export "recurse") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (call $recurse (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 0))))
    (func $trap (export "trap") (param i32) (result i32)
        (i32.store (i32.const 8) (local.get 0))
        (i32.div_u (i32.const 1) (local.get 0)))
    (func $divide_forever (export "divide_forever") (param i32) (result i32)
        (loop (drop (i32.div_u (i32.const 7) (local.get 0))) (br 0)) unreachable))"#;

#[test]
fn instructions_are_counted_alike_in_every_kind_of_code() {
    // Counted by hand: what runs, but for `nop`, `block`, `loop`, `else` and `end`.
    let cases = [
        ("line", 3, 5),
        ("empty", 3, 2),
        ("ways", 1, 3),
        ("ways", 0, 5),
        ("skip", 1, 4),
        ("skip", 0, 7),
        ("loop", 1, 6),
        ("loop", 100, 501),
        // `if`, its condition and the four of its way; the last time round the other.
        ("recurse", 3, 3 * 6 + 3),
        // What is paid for together: the instructions that the trap keeps from running, too.
        ("trap", 0, 6),
        ("trap", 1, 6),
    ];
    each(fueled(), TEXT, |kind, store, instance| {
        for (name, argument, expected) in cases {
            store.set_fuel(1000).unwrap();
            let result = func(store, instance, name).call(&mut *store, argument);
            assert_eq!(result.is_err(), (name, argument) == ("trap", 0), "{kind:?} {name}({argument}): {result:?}");
            assert_eq!(1000 - store.fuel().unwrap(), expected, "{kind:?} {name}({argument})");
        }
    });
}

#[test]
fn a_guest_without_fuel_is_ended_where_a_function_or_a_loop_begins() {
    each(fueled(), TEXT, |kind, store, instance| {
        let mut ends = |name: &str, argument: i32, fuel: u64| {
            store.set_fuel(fuel).unwrap();
            let result = func(store, instance, name).call(&mut *store, argument);
            let outcome = result.map_err(|error| trapped(&error));
            (outcome, store.fuel().unwrap())
        };
        let out = |name: &str| Err((TrapCode::OutOfFuel, name.to_owned()));
        // A new store has none; here the last call has left none.
        assert_eq!(ends("line", 1, 0), (out("line"), 0), "{kind:?}");
        assert_eq!(ends("line", 1, 4), (out("line"), 0), "{kind:?}");
        assert_eq!(ends("line", 1, 5), (Ok(3), 0), "{kind:?}");
        assert_eq!(ends("loop", 100, 499), (out("loop"), 0), "{kind:?}");
        // Nothing begins behind the loop.
        assert_eq!(ends("loop", 100, 500), (Ok(0), 0), "{kind:?}");
        assert_eq!(ends("forever", 0, 1_000_000), (out("forever"), 0), "{kind:?}");
        assert_eq!(ends("recurse", 1000, 600), (out("recurse"), 0), "{kind:?}");
        assert_eq!(ends("divide_forever", 1, 12345), (out("divide_forever"), 0), "{kind:?}");
        // The other trap comes first.
        assert_eq!(ends("trap", 0, 6), (Err((TrapCode::IntegerDivisionByZero, "trap".to_owned())), 0), "{kind:?}");
        assert_eq!(ends("line", 1, u64::MAX), (Ok(3), i64::MAX as u64 - 5), "{kind:?}");
    });
}

#[test]
fn fuel_is_the_same_at_every_instruction() {
    let stepped = |tier: DebugTier, name: &str, argument: i32| {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..fueled() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let at = stop.frame(0).map(|frame| frame.offset().get());
            log.lock().unwrap().push((at, stop.as_store_mut().fuel().unwrap()));
            Action::StepInstruction
        })
        .unwrap();
        debugger.step_always(&mut store, true).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        store.set_fuel(200).unwrap();
        let _ = func(&mut store, instance, name).call(&mut store, argument);
        let left = store.fuel().unwrap();
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        (seen, left)
    };
    for (name, argument) in
        [("line", 1), ("ways", 0), ("skip", 0), ("loop", 7), ("loop", 100), ("recurse", 90), ("trap", 0)]
    {
        let simple = stepped(DebugTier::Simple, name, argument);
        assert!(simple.0.len() > 4);
        assert_eq!(simple, stepped(DebugTier::Regions, name, argument), "{name}({argument})");
    }
}

/// Loops that cannot be reached, and what comes behind them: a look at the fuel, or at the epoch, stands only where a
/// function or a loop begins that can be reached.
const DEAD: &str = r#"(module
    (func $br (export "br") (param i32) (result i32)
        (block (br 0) (loop)) nop (i32.const 1))
    (func $inside (export "inside") (param i32) (result i32)
        (block (br 0) (loop (loop (nop)) (br 0))) (i32.const 1))
    (func $else (export "else") (param i32) (result i32)
        (if (result i32) (i32.const 1)
            (then (br 0 (i32.const 1)) (loop))
            (else (br 0 (i32.const 2)) (loop))))
    (func $table (export "table") (param i32) (result i32)
        (block (block (br_table 0 1 (i32.and (local.get 0) (i32.const 1))) (loop (br 0))) nop) (i32.const 1))
    (func $loop (export "loop") (param i32) (result i32)
        (loop (block (br 0) (loop)) (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))
        (i32.const 1)))"#;

#[test]
fn a_loop_that_cannot_be_reached_is_no_place_where_a_guest_is_ended() {
    // Counted by hand: what it takes in all, and how much of it has to be there before the last place where it may be
    // ended.
    let cases = [
        ("br", 1, 2, 1),
        ("inside", 1, 2, 1),
        ("else", 1, 4, 2),
        ("table", 0, 5, 4),
        ("table", 1, 5, 4),
        ("loop", 1, 8, 1),
        ("loop", 5, 36, 29),
    ];
    each(fueled(), DEAD, |kind, store, instance| {
        for (name, argument, whole, needed) in cases {
            let mut ends = |fuel: u64| {
                store.set_fuel(fuel).unwrap();
                let result = func(store, instance, name).call(&mut *store, argument);
                (result.map(drop).map_err(|error| trapped(&error)), store.fuel().unwrap())
            };
            assert_eq!(ends(1000), (Ok(()), 1000 - whole), "{kind:?} {name}({argument})");
            assert_eq!(ends(needed), (Ok(()), 0), "{kind:?} {name}({argument})");
            let out = Err((TrapCode::OutOfFuel, name.to_owned()));
            assert_eq!(ends(needed - 1), (out, 0), "{kind:?} {name}({argument})");
        }
    });
}

#[test]
fn a_callback_may_give_and_take_fuel() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..fueled() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut stops = 0;
        let count = Arc::new(Mutex::new(0));
        let counted = count.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            if !matches!(stop.reason(), Reason::Trap(_)) {
                let left = stop.as_store_mut().fuel().unwrap();
                // Each instruction is given back; virtual positions, too.
                stop.as_store_mut().set_fuel(left + 1).unwrap();
                *counted.lock().unwrap() += 1;
            }
            Action::StepInstruction
        })
        .unwrap();
        debugger.step_always(&mut store, true).unwrap();
        store.set_fuel(1000).unwrap();
        func(&mut store, instance, "loop").call(&mut store, 50).unwrap();
        std::mem::swap(&mut stops, &mut count.lock().unwrap());
        assert!(stops > 250, "{stops}");
        assert_eq!(store.fuel().unwrap(), 1000 + stops - (5 * 50 + 1), "{tier:?}");
        debugger.detach(&mut store).unwrap();
        // And taken: the guest ends at the next turn.
        let debugger = Debugger::attach(&mut store, |stop| {
            if !matches!(stop.reason(), Reason::Trap(_)) {
                stop.as_store_mut().set_fuel(0).unwrap();
            }
            Action::Continue
        })
        .unwrap();
        debugger.break_at_name(&mut store, &module, "forever").unwrap();
        store.set_fuel(1000).unwrap();
        let error = func(&mut store, instance, "forever").call(&mut store, 0).unwrap_err();
        assert_eq!(trapped(&error), (TrapCode::OutOfFuel, "forever".to_owned()));
        debugger.detach(&mut store).unwrap();
    }
}

/// What is changed at a stop may be what the way to it was chosen by. Another way to the same state is not the one that
/// was paid for.
#[test]
fn the_way_that_was_taken_is_paid_for_and_no_other() {
    const WAYS: &str = r#"(module (memory (export "memory") 1) (data (i32.const 8) "\01")
        (func $f (export "f") (param i32) (result i32)
            (block (br_if 0 (i32.load (i32.const 8))) (local.set 0 (local.get 0)))
            (i32.const 1)))"#;
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        // Short and then long, and the other way round: 4 units, and 2 more for the long way.
        for (before, after, taken) in [(1, 0, 4), (0, 1, 6), (1, 1, 4), (0, 0, 6)] {
            let engine = Engine::new(Config { debug: true, debug_tier: tier, ..fueled() }).unwrap();
            let module = Module::new(&engine, &wat::parse_str(WAYS).unwrap()).unwrap();
            let mut store = Store::new(&engine);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = instance.export(&mut store, "memory").unwrap().memory().unwrap();
            memory.write(&mut store, 8, &[before]).unwrap();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let log = seen.clone();
            let debugger = Debugger::attach(&mut store, move |stop| {
                log.lock().unwrap().push(stop.as_store_mut().fuel().unwrap());
                memory.write(&mut stop.as_store_mut(), 8, &[after]).unwrap();
                Action::Continue
            })
            .unwrap();
            // `i32.const 1`, before the `end` of the body.
            let end = module.info().bodies[0].bytes.end as u32;
            debugger.break_at(&mut store, &module, stepwell::base::WasmOffset::new(end - 3)).unwrap();
            store.set_fuel(1000).unwrap();
            func(&mut store, instance, "f").call(&mut store, 7).unwrap();
            assert_eq!(seen.lock().unwrap().len(), 1);
            assert_eq!(1000 - store.fuel().unwrap(), taken, "{tier:?}: {before}, then {after}");
        }
    }
}

#[test]
fn what_is_not_configured_is_refused() {
    let mut store = Store::new(&Engine::new(Config::default()).unwrap());
    let refusals = [
        store.set_fuel(1).unwrap_err(),
        store.fuel().unwrap_err(),
        store.set_epoch_deadline(1).unwrap_err(),
        store.interrupter().unwrap_err(),
    ];
    for (error, field) in refusals.iter().zip(["fuel", "fuel", "epoch", "epoch"]) {
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(error.message().contains(&format!("`{field}`")), "{error}");
    }
    store.clear_interrupt();
}

#[test]
fn a_deadline_ends_guests_until_it_is_moved() {
    each(timed(), TEXT, |kind, store, instance| {
        let engine = store.engine().clone();
        let line = func(store, instance, "line");
        // A new store has none.
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3);
        store.set_epoch_deadline(0).unwrap();
        assert!(line.call(&mut *store, 1).is_err(), "{kind:?}: in an engine whose epoch nobody has moved yet");
        store.set_epoch_deadline(u64::MAX).unwrap();
        engine.increment_epoch();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3);
        store.set_epoch_deadline(2).unwrap();
        engine.increment_epoch();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3);
        engine.increment_epoch();
        for _ in 0..2 {
            let error = line.call(&mut *store, 1).unwrap_err();
            assert_eq!(trapped(&error), (TrapCode::Interrupt, "line".to_owned()), "{kind:?}");
        }
        store.set_epoch_deadline(0).unwrap();
        assert!(line.call(&mut *store, 1).is_err());
        store.set_epoch_deadline(u64::MAX).unwrap();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3);
        // From another thread, in the middle of a loop.
        for name in ["forever", "divide_forever"] {
            store.set_epoch_deadline(3).unwrap();
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(1));
                        engine.increment_epoch();
                    }
                });
                let error = func(store, instance, name).call(&mut *store, 1).unwrap_err();
                done.store(true, Ordering::Relaxed);
                assert_eq!(trapped(&error), (TrapCode::Interrupt, name.to_owned()), "{kind:?}");
            });
        }
    });
}

#[test]
fn an_interrupt_ends_one_guest() {
    each(timed(), TEXT, |kind, store, instance| {
        let interrupter = store.interrupter().unwrap();
        let line = func(store, instance, "line");
        for _ in 0..3 {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(2));
                    interrupter.interrupt();
                });
                let error = func(store, instance, "forever").call(&mut *store, 0).unwrap_err();
                assert_eq!(trapped(&error), (TrapCode::Interrupt, "forever".to_owned()), "{kind:?}");
            });
            // It has done what it was for.
            assert_eq!(line.call(&mut *store, 1).unwrap(), 3);
        }
        // Before a guest runs: it waits for one.
        interrupter.interrupt();
        assert!(line.call(&mut *store, 1).is_err());
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3);
        interrupter.interrupt();
        store.clear_interrupt();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3);
        // A deadline that is set meanwhile does not make up for it, and holds afterwards.
        interrupter.interrupt();
        store.set_epoch_deadline(100).unwrap();
        assert!(line.call(&mut *store, 1).is_err());
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3);
        (0..100).for_each(|_| store.engine().increment_epoch());
        assert!(line.call(&mut *store, 1).is_err());
        assert!(line.call(&mut *store, 1).is_err());
    });
}

#[test]
fn a_host_that_is_asked_lets_guests_go_on_or_ends_them() {
    each(timed(), TEXT, |kind, store, instance| {
        let interrupter = store.interrupter().unwrap();
        let line = func(store, instance, "line");
        // Without anybody who answers, it does nothing.
        interrupter.ask();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3, "{kind:?}");
        // The third question is answered by no.
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        let again = interrupter.clone();
        let answer = move || match counted.fetch_add(1, Ordering::Relaxed) {
            2 => Err(Trap::new("enough").into()),
            _ => {
                again.ask();
                Ok(())
            }
        };
        store.set_ask(Some(Arc::new(answer))).unwrap();
        interrupter.ask();
        let error = func(store, instance, "forever").call(&mut *store, 0).unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!((trap.message(), trap.code()), ("enough", None), "{kind:?}");
        assert_eq!(trap.frames().len(), 1, "{kind:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 3, "{kind:?}");
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3, "{kind:?}");
        // An interrupt and a deadline are no questions.
        interrupter.ask();
        interrupter.interrupt();
        assert!(line.call(&mut *store, 1).is_err());
        store.set_epoch_deadline(0).unwrap();
        interrupter.ask();
        assert!(line.call(&mut *store, 1).is_err());
        store.set_epoch_deadline(1000).unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 3, "{kind:?}");
        // Nobody answers any more.
        store.set_ask(None).unwrap();
        interrupter.ask();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3, "{kind:?}");
    });
}

#[test]
fn a_host_may_move_a_deadline_that_is_over() {
    each(timed(), TEXT, |kind, store, instance| {
        let engine = store.engine().clone();
        let line = func(store, instance, "line");
        let asked = Arc::new(AtomicU32::new(0));
        let (count, clock) = (asked.clone(), engine.clone());
        // Each time another epoch is over; the fourth is the last.
        let answer = move || match count.fetch_add(1, Ordering::Relaxed) {
            3 => Ok(AtDeadline::End),
            4 => Err(Trap::new("late").into()),
            5 => Ok(AtDeadline::Extend(0)),
            6 => Ok(AtDeadline::Extend(u64::MAX)),
            i => {
                clock.increment_epoch();
                Ok(AtDeadline::Extend(u64::from(i)))
            }
        };
        store.set_at_deadline(Some(Arc::new(answer))).unwrap();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3, "{kind:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 0, "{kind:?}: nothing is over");
        store.set_epoch_deadline(0).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                    engine.increment_epoch();
                }
            });
            let error = func(store, instance, "forever").call(&mut *store, 1).unwrap_err();
            done.store(true, Ordering::Relaxed);
            assert_eq!(trapped(&error), (TrapCode::Interrupt, "forever".to_owned()), "{kind:?}");
        });
        assert_eq!(asked.load(Ordering::Relaxed), 4, "{kind:?}");
        let error = line.call(&mut *store, 1).unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!((trap.message(), trap.code(), trap.frames().len()), ("late", None, 1), "{kind:?}");
        // An interrupt is not asked about.
        let interrupter = store.interrupter().unwrap();
        interrupter.interrupt();
        assert!(line.call(&mut *store, 1).is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 5, "{kind:?}");
        // Until the next epoch, and for ever.
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3, "{kind:?}");
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3, "{kind:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 6, "{kind:?}");
        engine.increment_epoch();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3, "{kind:?}");
        engine.increment_epoch();
        assert_eq!(line.call(&mut *store, 1).unwrap(), 3, "{kind:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 7, "{kind:?}");
        store.set_at_deadline(None).unwrap();
        store.set_epoch_deadline(0).unwrap();
        assert!(line.call(&mut *store, 1).is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 7, "{kind:?}");
    });
    let mut store = Store::new(&Engine::new(Config::default()).unwrap());
    assert_eq!(store.set_at_deadline(None).unwrap_err().kind(), ErrorKind::State);
}

#[test]
fn an_interrupter_outlives_its_store() {
    let store = Store::new(&Engine::new(timed()).unwrap());
    let interrupter = store.interrupter().unwrap();
    drop(store);
    interrupter.interrupt();
}

#[test]
fn an_interrupt_at_a_stop_ends_the_guest_when_it_goes_on() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..timed() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let interrupter = store.interrupter().unwrap();
        let reasons = Arc::new(Mutex::new(Vec::new()));
        let log = reasons.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            log.lock().unwrap().push(format!("{:?}", stop.reason()));
            interrupter.interrupt();
            Action::Continue
        })
        .unwrap();
        debugger.break_at_name(&mut store, &module, "recurse").unwrap();
        let error = func(&mut store, instance, "recurse").call(&mut store, 10).unwrap_err();
        assert_eq!(trapped(&error), (TrapCode::Interrupt, "recurse".to_owned()));
        let reasons = reasons.lock().unwrap();
        assert_eq!(reasons.len(), 2, "{tier:?}: {reasons:?}");
        assert!(reasons[0].contains("Breakpoint") && reasons[1].contains("Trap(Interrupt)"), "{reasons:?}");
    }
}

#[test]
fn imports_are_found_once_for_many_instances() {
    let engine = Engine::new(Config::default()).unwrap();
    let module = Module::new(
        &engine,
        &wat::parse_str(
            r#"(module (import "host" "twice" (func $f (param i32) (result i32)))
                (func (export "f") (param i32) (result i32) (call $f (local.get 0))))"#,
        )
        .unwrap(),
    )
    .unwrap();
    let mut linker = Linker::new(&engine);
    let error = linker.instantiate_pre(&module).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    assert!(error.message().contains("\"host\".\"twice\""), "{error}");
    linker.func_wrap("host", "twice", |x: i32| x * 2).unwrap();
    let pre = linker.instantiate_pre(&module).unwrap();
    // Nothing that the linker is told later matters.
    linker.allow_shadowing(true).func_wrap("host", "twice", |x: i32| x * 3).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut store = Store::new(&engine);
                    let (a, b) = (pre.instantiate(&mut store).unwrap(), pre.instantiate(&mut store).unwrap());
                    assert_ne!(a, b);
                    assert_eq!(func(&mut store, b, "f").call(&mut store, 21).unwrap(), 42);
                }
            });
        }
    });
    let other = Engine::new(Config::default()).unwrap();
    assert_eq!(pre.instantiate(&mut Store::new(&other)).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(Linker::new(&other).instantiate_pre(&module).unwrap_err().kind(), ErrorKind::Argument);
}
