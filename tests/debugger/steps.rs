//! Steps by lines of the source, out of frames, and to a place: where they end, in both debug tiers. Against what gdb
//! does in a native program of the same source, against single steps, and in modules whose lines a test makes up.

use crate::lines;
use lines::{Row, places, with_lines};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::base::{ErrorKind, WasmOffset};
use stepwell::debug::{Action, Debugger, ExceptionStops, Reason, Stop};
use stepwell::runtime::{Caller, Config, DebugTier, Engine, Func, Instance, Linker, Module, Store, Val};

use Action::{Continue, NextLine as Next, StepInstruction, StepLine as Into, StepOver};

const TIERS: [DebugTier; 2] = [DebugTier::Regions, DebugTier::Simple];

fn support(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a function of a guest with its breakpoint at a name, and gives the result. The breakpoint is removed when it
/// is first come to.
fn run_from(
    tier: DebugTier,
    binary: &[u8],
    (export, argument): (&str, i32),
    at: &str,
    handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
) -> i32 {
    let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
    let module = Module::new(&engine, binary).unwrap();
    let mut store = Store::new(&engine);
    let mut linker = Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let debugger = Debugger::attach(&mut store, move |stop| {
        for id in stop.reason().breakpoints().to_vec() {
            stop.debugger().remove(stop, id).unwrap();
        }
        handler(stop)
    })
    .unwrap();
    for place in module.functions_named(at).unwrap() {
        debugger.break_at(&mut store, &module, place.offset).unwrap();
    }
    let func = instance.export(&mut store, export).and_then(|item| item.func()).unwrap();
    let mut results = [Val::I32(0)];
    func.call(&mut store, &[Val::I32(argument)], &mut results).unwrap();
    // Nothing of a step is left, and the debugger has changed nothing.
    debugger.detach(&mut store).unwrap();
    let Val::I32(result) = results[0] else { panic!("{results:?}") };
    result
}

/// Where the innermost frame is: function and line, and whether a statement begins there.
fn line(stop: &Stop<'_>) -> (String, bool) {
    let frame = stop.frame(0).unwrap();
    let known = frame.locations();
    let Some(at) = known.first() else { return ("?".to_owned(), false) };
    let begins = frame.module().line_table().iter().any(|row| row.offset == frame.offset() && row.is_statement);
    (format!("{}:{}", at.function().unwrap_or("?"), at.line()), begins)
}

/// The lines that a guest stops at, with the same answer each time.
fn line_trail(tier: DebugTier, binary: &[u8], call: (&str, i32), at: &str, answer: Action) -> Vec<(String, bool)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    run_from(tier, binary, call, at, move |stop| {
        log.lock().unwrap().push(line(stop));
        answer.clone()
    });
    let seen = seen.lock().unwrap();
    seen.clone()
}

/// gdb stops where we do, but for one thing: when a function returns into the middle of a line, it goes on to the next
/// line by itself. As LLDB, we show where the guest has come to, and the next step ends that line.
#[test]
fn steps_stop_at_the_lines_at_which_gdb_stops() {
    let binary = support("steps/steps.wasm");
    let expected = String::from_utf8(support("steps/steps.gdb")).unwrap();
    for (said, answer) in expected.lines().zip([Into, Next]) {
        let (command, said) = said.split_once(' ').unwrap();
        for tier in TIERS {
            let trail = line_trail(tier, &binary, ("run", 3), "run", answer.clone());
            let statements: Vec<_> = trail.iter().filter(|(_, begins)| *begins).map(|(line, _)| &**line).collect();
            assert_eq!(statements.join(" "), said, "{command} {tier:?}");
            let middles = trail.iter().filter(|(_, begins)| !begins).count();
            // Where `add`, `twice`, `deep` and `calls_back` have returned into the middle of a line.
            assert_eq!(middles, if answer == Next { 0 } else { trail.len() - statements.len() });
            assert!(answer == Next || middles > 10, "{trail:?}");
        }
    }
}

/// Whatever line begins on the way of the guest, steps into everything stop at it, or have stopped in its middle.
#[test]
fn steps_come_to_every_line_that_single_steps_come_to() {
    for guest in ["dwarf/c0_4", "dwarf/c0_5", "dwarf/cpp0_5", "dwarf/rs0_5", "dwarf/zig_Debug", "steps/steps"] {
        let binary = support(&format!("{guest}.wasm"));
        for tier in TIERS {
            let (seen, began) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
            let (log, first) = (seen.clone(), began.clone());
            run_from(tier, &binary, ("run", 5), "run", move |stop| {
                let frame = stop.frame(0).unwrap();
                let inspector = frame.module().inspector();
                let info = frame.module().info();
                let body = info.bodies[info.defined(frame.func()).unwrap().index()].bytes.start;
                let behind = inspector.behind_entry(info, WasmOffset::from_usize(body));
                let (line, begins) = line(stop);
                // What sets up a frame is passed, and what only code without lines calls is run through.
                let called_back = stop.frame_count() > 1 && stop.frame(1).unwrap().locations().is_empty();
                let line_0 = line.ends_with(":0") || line == "?";
                if (begins && frame.offset() >= behind && !line_0 && !called_back)
                    || !first.swap(true, Ordering::Relaxed)
                {
                    log.lock().unwrap().insert(line);
                }
                StepInstruction
            });
            let trail = line_trail(tier, &binary, ("run", 5), "run", Into);
            let stepped: BTreeSet<String> = trail.into_iter().map(|(line, _)| line).collect();
            let single = seen.lock().unwrap().clone();
            assert!(single.len() > 8, "{guest}: {single:?}");
            let missed: Vec<_> = single.difference(&stepped).collect();
            assert!(missed.is_empty(), "{guest} {tier:?}: {missed:?} of {single:?}");
            let more: Vec<_> = stepped.difference(&single).filter(|line| !line.ends_with(":0")).collect();
            assert!(more.is_empty(), "{guest} {tier:?}: {more:?} beyond {single:?}");
        }
    }
}

#[test]
fn a_step_over_ends_in_its_own_frame_however_deep_the_calls_are() {
    let binary = support("steps/steps.wasm");
    for tier in TIERS {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let result = run_from(tier, &binary, ("dive", 200), "dive", move |stop| {
            log.lock().unwrap().push((line(stop).0, stop.frame_count()));
            Next
        });
        assert_eq!(result, 201);
        assert_eq!(*seen.lock().unwrap(), [("dive:57".to_owned(), 1), ("dive:58".to_owned(), 1)], "{tier:?}");
        // The same within the function that calls itself.
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        run_from(tier, &binary, ("dive", 200), "deep", move |stop| {
            log.lock().unwrap().push((line(stop).0, stop.frame_count()));
            Next
        });
        let seen = seen.lock().unwrap();
        let expected = [("deep:15", 2), ("deep:17", 2), ("deep:18", 2), ("deep:19", 2), ("dive:57", 1), ("dive:58", 1)];
        assert_eq!(*seen, expected.map(|(line, depth)| (line.to_owned(), depth)), "{tier:?}");
    }
}

#[test]
fn what_is_inlined_is_passed_over_or_gone_into() {
    let binary = support("steps/steps.wasm");
    for tier in TIERS {
        // From the body that is inlined, a step over stays in it, and comes out of it.
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        run_from(tier, &binary, ("run", 3), "area", move |stop| {
            let mut seen = log.lock().unwrap();
            seen.push(line(stop).0);
            if seen.len() < 6 { Next } else { Continue }
        });
        assert_eq!(*seen.lock().unwrap(), ["area:22", "area:23", "area:24", "run:39", "run:40", "run:41"], "{tier:?}");
    }
}

const LINES: &str = r#"(module
  (import "h" "f" (func $host (param i32) (result i32)))
  (func $loop (export "loop") (param i32) (result i32)
    nop loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end i32.const 7)
  (func $two (export "two") (param i32) (result i32)
    nop loop nop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end i32.const 7)
  (func $mid (export "mid") (param i32) (result i32)
    block local.get 0 br_if 0 i32.const 3 drop end nop nop i32.const 1)
  (func $back-to-start (export "back-to-start") (param i32) (result i32)
    loop
      local.get 0 i32.const 1 i32.sub local.set 0
      block local.get 0 br_if 0 i32.const 3 drop end
      local.get 0 br_if 0
    end
    i32.const 1)
  (func $odd (export "odd") (param i32) (result i32)
    nop nop nop nop i32.const 1)
  (func $leaf (param i32) (result i32) local.get 0 i32.const 1 i32.add)
  (func $plain (export "plain") (param i32) (result i32) local.get 0 call $leaf call $leaf)
  (func $top (export "top") (param i32) (result i32)
    local.get 0 call $leaf call $plain call $host i32.const 3 i32.add)
  (func $back (export "back") (param i32) (result i32) local.get 0 call $leaf)
  (func $tail (param i32) (result i32) local.get 0 i32.const 2 i32.mul return_call $leaf)
  (func $tail-plain (param i32) (result i32) local.get 0 return_call $plain)
  (func $tail-host (param i32) (result i32) local.get 0 return_call $host)
  (func $tails (export "tails") (param i32) (result i32)
    local.get 0 call $tail call $tail-plain call $tail-host i32.const 1 i32.add)
  (func $bare (export "bare") (param i32) (result i32) local.get 0 call $plain-only)
  (func $plain-only (param i32) (result i32) local.get 0 i32.const 1 i32.add)
  (func $divide (export "divide") (param i32) (result i32) nop i32.const 1 local.get 0 i32.div_s)
  (func $few (export "few") (param i32) (result i32) (call $host (local.get 0)) drop i32.const 5)
  (tag $e)
  (func $thrower (param i32) nop local.get 0 if throw $e end)
  (func $plain-thrower (param i32) local.get 0 call $thrower)
  (func $catcher (export "catcher") (param i32) (result i32)
    block
      try_table (catch $e 0) local.get 0 call $plain-thrower i32.const 9 return end
      unreachable
    end
    nop i32.const 2))"#;

const ROWS: &[(&str, &[Row])] = &[
    ("loop", &[(0, 1, true), (1, 2, true), (8, 3, true), (9, 4, true)]),
    ("two", &[(0, 1, true), (1, 2, true), (2, 3, true), (3, 2, true), (9, 4, true)]),
    ("mid", &[(0, 1, true), (3, 5, true), (7, 6, true), (8, 7, true)]),
    // Line 2, then line 3, in whose middle the guest comes out, and then line 2 again.
    ("back-to-start", &[(0, 2, true), (8, 3, true), (14, 4, true)]),
    ("odd", &[(0, 1, true), (1, 0, true), (2, 3, false), (3, 4, true)]),
    ("leaf", &[(0, 10, true), (1, 11, true), (3, 12, true)]),
    ("top", &[(0, 20, true), (2, 21, true), (3, 22, true), (4, 23, true), (6, 24, true)]),
    ("back", &[(0, 30, true), (1, 31, true), (2, 32, true)]),
    ("tail", &[(0, 40, true), (2, 41, true)]),
    ("tail-plain", &[(0, 44, true), (1, 45, true)]),
    ("tail-host", &[(0, 46, true), (1, 47, true)]),
    ("tails", &[(0, 50, true), (2, 51, true), (3, 52, true), (4, 53, true), (6, 54, true)]),
    ("divide", &[(0, 60, true), (1, 61, true), (4, 62, true)]),
    ("few", &[(0, 65, true), (2, 66, true)]),
    ("thrower", &[(0, 70, true), (1, 71, true), (4, 72, true)]),
    ("catcher", &[(0, 80, true), (2, 81, true), (4, 82, true), (7, 84, true), (10, 85, true), (11, 86, true)]),
];

/// Runs an export with a breakpoint at an instruction, which is removed when it is come to, and answers as is said; at
/// last the guest goes on. Gives where every stop was: the innermost frame's function and instruction, and how many
/// frames there are.
fn trail(
    tier: DebugTier,
    (export, argument): (&str, i32),
    at: (&str, usize),
    answers: &[Action],
    which: ExceptionStops,
) -> Vec<String> {
    let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &with_lines(LINES, ROWS)).unwrap();
    let mut store = Store::new(&engine);
    // The host calls back twice.
    let (instance, calls) = (Arc::new(Mutex::new(None::<Instance>)), Arc::new(AtomicUsize::new(0)));
    let (callee, counted) = (instance.clone(), calls.clone());
    let host = Func::wrap(&mut store, move |mut caller: Caller<'_>, n: i32| -> i32 {
        counted.fetch_add(1, Ordering::Relaxed);
        let callee = callee.lock().unwrap().unwrap();
        let back = callee.export(&mut caller, "back").unwrap().func().unwrap();
        let mut results = [Val::I32(0)];
        for _ in 0..2 {
            back.call(&mut caller, &[Val::I32(n)], &mut results).unwrap();
        }
        let [Val::I32(result)] = results else { panic!("{results:?}") };
        result
    });
    let made = Instance::new(&mut store, &module, &[host.unwrap().into()]).unwrap();
    *instance.lock().unwrap() = Some(made);
    let func = made.export(&mut store, export).and_then(|item| item.func()).unwrap();
    let call = |store: &mut Store| {
        let mut results = [Val::I32(0)];
        func.call(store, &[Val::I32(argument)], &mut results).map(|()| results[0]).map_err(|error| error.to_string())
    };
    let alone = call(&mut store);
    let places = places(&module);
    let offset = |name: &str, instruction: usize| {
        let found = places.iter().find(|place| place.1.0 == name && place.1.1 == instruction);
        WasmOffset::new(*found.unwrap_or_else(|| panic!("no {name}:{instruction}")).0)
    };
    let start = offset(at.0, at.1);
    let (seen, answered) = (Arc::new(Mutex::new(Vec::new())), AtomicUsize::new(0));
    let (log, answers) = (seen.clone(), answers.to_vec());
    let debugger = Debugger::attach(&mut store, move |stop| {
        let (name, instruction) = &places[&stop.frame(0).unwrap().offset().get()];
        let trap = if matches!(stop.reason(), Reason::Trap(_)) { " trap" } else { "" };
        log.lock().unwrap().push(format!("{name}:{instruction}/{}{trap}", stop.frame_count()));
        for id in stop.reason().breakpoints().to_vec() {
            stop.debugger().remove(stop, id).unwrap();
        }
        answers.get(answered.fetch_add(1, Ordering::Relaxed)).cloned().unwrap_or(Continue)
    })
    .unwrap();
    debugger.break_at(&mut store, &module, start).unwrap();
    debugger.stop_at_exceptions(&mut store, which).unwrap();
    assert_eq!(call(&mut store), alone, "the debugger has changed what the guest computes");
    let stops = seen.lock().unwrap().len();
    debugger.stop_at_exceptions(&mut store, ExceptionStops::None).unwrap();
    // Nothing is left of a step.
    assert_eq!(call(&mut store), alone);
    let traps = usize::from(alone.is_err());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), stops + traps, "{seen:?}");
    seen[..stops].to_vec()
}

/// The same in both kinds of debug code.
fn trails(call: (&str, i32), at: (&str, usize), answers: &[Action]) -> Vec<String> {
    let [a, b] = TIERS.map(|tier| trail(tier, call, at, answers, ExceptionStops::None));
    assert_eq!(a, b, "{call:?}, {at:?}, {answers:?}");
    a
}

fn all(answer: Action) -> Vec<Action> {
    vec![answer; 40]
}

#[test]
fn a_loop_on_one_line_goes_on_and_one_through_another_stops() {
    for answer in [Next, Into] {
        assert_eq!(
            trails(("loop", 5), ("loop", 0), &all(answer.clone())),
            ["loop:0/1", "loop:1/1", "loop:8/1", "loop:9/1"]
        );
        let seen = trails(("two", 3), ("two", 0), &all(answer));
        let turns = ["two:0/1", "two:1/1", "two:2/1", "two:3/1", "two:2/1", "two:3/1", "two:2/1", "two:3/1", "two:9/1"];
        assert_eq!(seen, turns);
    }
}

#[test]
fn a_step_goes_on_from_the_middle_of_a_line_to_where_one_begins() {
    assert_eq!(trails(("mid", 1), ("mid", 0), &all(Next)), ["mid:0/1", "mid:7/1", "mid:8/1"]);
    assert_eq!(trails(("mid", 0), ("mid", 0), &all(Next)), ["mid:0/1", "mid:3/1", "mid:7/1", "mid:8/1"]);
    // In between it was in another line: the one that it began in begins anew.
    let seen = trails(("back-to-start", 3), ("back-to-start", 1), &all(Next));
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert_eq!(seen[3..], ["back-to-start:8/1", "back-to-start:14/1"], "{seen:?}");
    assert!(seen[1..3].iter().all(|at| at == "back-to-start:0/1" || at == "back-to-start:1/1"), "{seen:?}");
}

#[test]
fn what_is_of_no_line_or_no_statement_is_passed() {
    assert_eq!(trails(("odd", 1), ("odd", 0), &all(Next)), ["odd:0/1", "odd:3/1"]);
    // From code of no line, too.
    assert_eq!(trails(("odd", 1), ("odd", 1), &all(Into)), ["odd:1/1", "odd:3/1"]);
    assert_eq!(trails(("odd", 1), ("odd", 2), &all(Into)), ["odd:2/1", "odd:3/1"]);
}

#[test]
fn a_step_into_ends_in_what_has_lines() {
    // `plain` has none, and what it calls is run through; what the host calls is not, both times.
    let back = ["back:1/2", "leaf:1/3", "leaf:3/3", "back:2/2"];
    let seen = trails(("top", 5), ("top", 0), &all(Into));
    let mut expected = vec!["top:0/1", "leaf:1/2", "leaf:3/2", "top:2/1", "top:3/1"];
    expected.extend(back.iter().chain(&back));
    expected.extend(["top:4/1", "top:6/1"]);
    assert_eq!(seen, expected);
    assert_eq!(trails(("top", 5), ("top", 0), &all(Next)), ["top:0/1", "top:2/1", "top:3/1", "top:4/1", "top:6/1"]);
    // Over from within what the host has called, it comes out where there are lines.
    assert_eq!(trails(("top", 5), ("back", 1), &all(Next)), ["back:1/2", "back:2/2", "top:4/1", "top:6/1"]);
}

#[test]
fn without_lines_a_step_leads_out_to_where_there_are_some() {
    for answer in [Next, Into] {
        let seen = trails(("top", 5), ("plain", 1), &[answer.clone(), answer.clone()]);
        let second = if answer == Next { "top:4/1" } else { "back:1/2" };
        assert_eq!(seen, ["plain:1/2", "top:3/1", second], "{answer:?}");
        // Out of a function that one without lines has called, and will call again, in the same place on the stack.
        let seen = trails(("top", 5), ("top", 2), &[StepInstruction, StepInstruction, StepInstruction]);
        assert_eq!(seen, ["top:2/1", "plain:0/2", "plain:1/2", "leaf:0/3"]);
        let answers =
            [StepInstruction, StepInstruction, StepInstruction, answer.clone(), answer.clone(), answer.clone()];
        let seen = trails(("top", 5), ("top", 2), &answers);
        assert_eq!(seen[3..], ["leaf:0/3", "leaf:1/3", "leaf:3/3", "top:3/1"], "{answer:?}");
    }
    // Where no caller has lines, instructions are what is left.
    assert_eq!(
        trails(("bare", 5), ("bare", 0), &[Into, Into, Into]),
        ["bare:0/1", "bare:1/1", "plain-only:0/2", "plain-only:1/2"]
    );
    assert_eq!(trails(("bare", 5), ("bare", 0), &[Next, Next, Next]), ["bare:0/1", "bare:1/1", "bare:2/1"]);
    let seen = trails(("plain", 5), ("plain", 0), &[Next, Into, Next, Next, Next]);
    assert_eq!(seen, ["plain:0/1", "plain:1/1", "leaf:0/2", "leaf:1/2", "leaf:3/2"]);
}

#[test]
fn tail_calls_end_their_frame() {
    let seen = trails(("tails", 5), ("tail", 0), &all(Into));
    let begin = ["tail:0/2", "tail:2/2", "leaf:1/2", "leaf:3/2", "tails:2/1"];
    assert_eq!(seen[..5], begin);
    // `tail-plain` hands its frame to a function without lines, `tail-host` to the host, which calls back.
    let back = ["back:1/2", "leaf:1/3", "leaf:3/3", "back:2/2"];
    let mut expected = vec!["tail-plain:1/2", "tails:3/1", "tail-host:1/2"];
    expected.extend(back.iter().chain(&back));
    expected.extend(["tails:4/1", "tails:6/1"]);
    assert_eq!(seen[5..], expected);
    assert_eq!(
        trails(("tails", 5), ("tail", 0), &all(Next)),
        ["tail:0/2", "tail:2/2", "tails:2/1", "tails:3/1", "tails:4/1", "tails:6/1"]
    );
    assert_eq!(trails(("tails", 5), ("tail", 3), &[Next]), ["tail:3/2", "tails:2/1"]);
    assert_eq!(trails(("tails", 5), ("tail", 3), &[Into]), ["tail:3/2", "leaf:1/2"]);
}

#[test]
fn a_step_ends_where_an_exception_is_caught() {
    // The handler is in the middle of line 84, which never begins.
    assert_eq!(trails(("catcher", 1), ("catcher", 2), &all(Next)), ["catcher:2/1", "catcher:10/1", "catcher:11/1"]);
    assert_eq!(trails(("catcher", 0), ("catcher", 2), &all(Next)), ["catcher:2/1", "catcher:4/1"]);
    for answer in [Next, Into] {
        let seen = trails(("catcher", 1), ("thrower", 0), &all(answer));
        assert_eq!(seen, ["thrower:0/3", "thrower:1/3", "catcher:10/1", "catcher:11/1"]);
    }
    // The function between has no lines: what it calls is run through.
    assert_eq!(trails(("catcher", 1), ("catcher", 3), &[Into]), ["catcher:3/1", "catcher:10/1"]);
    // Whatever else waits for a frame that is left ends at the handler's first instruction.
    for answer in [Action::RunTo(vec![]), Action::StepOutOf(1), Action::StepOut] {
        let seen = trails(("catcher", 1), ("thrower", 1), &[answer]);
        assert!(seen.len() == 2 && ["catcher:8/1", "catcher:9/1"].contains(&&*seen[1]), "{seen:?}");
    }
}

#[test]
fn a_step_from_where_an_exception_is_thrown_ends_where_it_is_caught() {
    for tier in TIERS {
        for answer in [Next, Into] {
            let answers = [Continue, answer.clone(), answer.clone()];
            let seen = trail(tier, ("catcher", 1), ("thrower", 1), &answers, ExceptionStops::All);
            assert_eq!(seen, ["thrower:1/3", "thrower:3/3", "catcher:10/1", "catcher:11/1"], "{tier:?} {answer:?}");
        }
    }
}

#[test]
fn a_trap_ends_a_step() {
    for answer in [Next, Into] {
        assert_eq!(trails(("divide", 0), ("divide", 0), &all(answer)), ["divide:0/1", "divide:1/1", "divide:3/1 trap"]);
    }
}

#[test]
fn out_of_so_many_frames() {
    let out = Action::StepOutOf;
    assert_eq!(trails(("top", 5), ("back", 1), &[StepInstruction, out(1)]), ["back:1/2", "leaf:0/3", "back:2/2"]);
    assert_eq!(trails(("top", 5), ("back", 1), &[StepInstruction, out(2)]), ["back:1/2", "leaf:0/3", "top:4/1"]);
    assert_eq!(trails(("top", 5), ("leaf", 2), &[out(0), out(0)]), ["leaf:2/2", "leaf:3/2", "top:2/1"]);
    for count in [3, 4, usize::MAX] {
        assert_eq!(trails(("top", 5), ("back", 1), &[StepInstruction, out(count)]), ["back:1/2", "leaf:0/3"]);
    }
    assert_eq!(trails(("tails", 5), ("tail", 3), &[out(0)]), ["tail:3/2", "tails:2/1"]);
    // Frames of one function are told apart.
    let binary = support("steps/steps.wasm");
    for tier in TIERS {
        let (ids, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (known, log) = (ids.clone(), seen.clone());
        run_from(tier, &binary, ("dive", 50), "dive", move |stop| {
            let depth = stop.frame_count();
            let mut known = known.lock().unwrap();
            if known.is_empty() && depth < 40 {
                return Into;
            }
            if known.is_empty() {
                known.extend((0..depth).map(|index| stop.frame(index).unwrap().id()));
                return out(7);
            }
            log.lock().unwrap().push((stop.frame(0).unwrap().id(), depth, line(stop).0));
            Continue
        });
        let (ids, seen) = (ids.lock().unwrap(), seen.lock().unwrap());
        assert_eq!(ids.len(), 40, "{tier:?}");
        assert_eq!(*seen, [(ids[7], 33, "deep:17".to_owned())], "{tier:?}");
    }
}

#[test]
fn to_a_line_in_this_frame_or_out_of_it() {
    let binary = support("steps/steps.wasm");
    for tier in TIERS {
        for (to, expected) in [(18, ("deep:18", 5)), (19, ("deep:19", 5)), (16, ("deep:18", 4))] {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let log = seen.clone();
            run_from(tier, &binary, ("dive", 20), "dive", move |stop| {
                let mut seen = log.lock().unwrap();
                let depth = stop.frame_count();
                let here = line(stop).0;
                let answer = match seen.last() {
                    // In the middle of the recursion: the calls below come to these lines as well.
                    None if depth == 5 && here == "deep:17" => Action::RunTo(stop.offsets_of_line(to).unwrap()),
                    None => return Into,
                    Some(_) => Continue,
                };
                let id = stop.frame(usize::from(depth == 5)).unwrap().id();
                seen.push((here, depth, id));
                answer
            });
            let seen = seen.lock().unwrap();
            assert_eq!(seen.len(), 2, "{tier:?} {to}: {seen:?}");
            // Line 17 goes on in the caller once a call has returned.
            let expected = if to == 16 { ("deep:17", 4) } else { expected };
            assert_eq!((&*seen[1].0, seen[1].1, seen[1].2), (expected.0, expected.1, seen[0].2), "{tier:?} {to}");
        }
    }
}

#[test]
fn to_an_instruction() {
    let binary = with_lines(LINES, ROWS);
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &binary).unwrap();
    let places = places(&module);
    let offset = |name: &str, instruction: usize| {
        WasmOffset::new(*places.iter().find(|place| place.1.0 == name && place.1.1 == instruction).unwrap().0)
    };
    let to = |at: &[(&str, usize)]| Action::RunTo(at.iter().map(|at| offset(at.0, at.1)).collect());
    assert_eq!(
        trails(("loop", 3), ("loop", 2), &[to(&[("loop", 2)]), to(&[("loop", 8)])]),
        ["loop:2/1", "loop:2/1", "loop:8/1"]
    );
    // The first of several; those of another function, and those that are none, are not come to.
    assert_eq!(trails(("top", 3), ("top", 0), &[to(&[("top", 5), ("leaf", 1), ("top", 3)])]), ["top:0/1", "top:3/1"]);
    assert_eq!(trails(("top", 3), ("leaf", 1), &[to(&[("top", 5)])]), ["leaf:1/2", "top:2/1"]);
    assert_eq!(trails(("top", 3), ("leaf", 1), &[Action::RunTo(vec![])]), ["leaf:1/2", "top:2/1"]);
    // The host calls the function once more: that is another frame, though it is in the same place.
    assert_eq!(trails(("top", 3), ("back", 1), &[to(&[("back", 0), ("back", 1)])]), ["back:1/2", "top:4/1"]);
    assert_eq!(trails(("top", 3), ("top", 0), &[Action::RunTo(vec![WasmOffset::new(u32::MAX)])]), ["top:0/1"]);
    assert_eq!(trails(("tails", 3), ("tail", 0), &[to(&[("leaf", 1), ("tail", 9)][..1])]), ["tail:0/2", "tails:2/1"]);
}

#[test]
fn what_cannot_be_run_to_is_said() {
    let binary = with_lines(LINES, ROWS);
    run_from(DebugTier::Regions, &binary, ("plain", 1), "plain", |stop| {
        let error = stop.offsets_of_line(10).unwrap_err();
        assert!(error.kind() == ErrorKind::Argument && error.message().contains("no lines"), "{error}");
        let error = stop.offset_in_function(WasmOffset::new(1)).unwrap_err();
        assert!(error.kind() == ErrorKind::Argument && error.message().contains("outside of function"), "{error}");
        Continue
    });
    run_from(DebugTier::Regions, &binary, ("loop", 1), "loop", |stop| {
        assert_eq!(stop.offsets_of_line(2).unwrap().first(), Some(&(stop.frame(0).unwrap().offset())));
        let error = stop.offsets_of_line(20).unwrap_err();
        assert!(error.message().contains("from line 1 to 4"), "{error}");
        Continue
    });
}

/// What the callback runs while a step is under way is no part of it, and neither is a guest that comes to a breakpoint
/// on the way.
#[test]
fn breakpoints_and_nested_calls_on_the_way_of_a_step() {
    for tier in TIERS {
        for answer in [Next, Into, StepOver, Action::StepOutOf(1), Action::RunTo(vec![])] {
            let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
            let module = Module::new(&engine, &with_lines(LINES, ROWS)).unwrap();
            let mut store = Store::new(&engine);
            let host = Func::wrap(&mut store, |n: i32| n + 1).unwrap();
            let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let (log, wanted, known) = (seen.clone(), answer.clone(), places(&module));
            let debugger = Debugger::attach(&mut store, move |stop| {
                let (name, instruction) = known[&stop.frame(0).unwrap().offset().get()].clone();
                let kind = if stop.reason().breakpoints().is_empty() { "step" } else { "break" };
                log.lock().unwrap().push(format!("{kind} {name}:{instruction}"));
                if (name.as_str(), instruction) == ("leaf", 2) {
                    // It deletes its own breakpoint, and calls what the step began in.
                    for id in stop.reason().breakpoints().to_vec() {
                        stop.debugger().remove(stop, id).unwrap();
                    }
                    // Nothing of this is a step into it.
                    let other = instance.export(&mut *stop, "loop").unwrap().func().unwrap();
                    other.call(&mut *stop, &[Val::I32(2)], &mut [Val::I32(0)]).unwrap();
                    let top = instance.export(&mut *stop, "top").unwrap().func().unwrap();
                    top.call(&mut *stop, &[Val::I32(1)], &mut [Val::I32(0)]).unwrap();
                    return Continue;
                }
                wanted.clone()
            })
            .unwrap();
            let at = |name: &str, instruction: usize| {
                let known = places(&module);
                WasmOffset::new(*known.iter().find(|at| at.1.0 == name && at.1.1 == instruction).unwrap().0)
            };
            debugger.break_at(&mut store, &module, at("top", 1)).unwrap();
            debugger.break_at(&mut store, &module, at("leaf", 2)).unwrap();
            let top = instance.export(&mut store, "top").unwrap().func().unwrap();
            top.call(&mut store, &[Val::I32(1)], &mut [Val::I32(0)]).unwrap();
            let seen = seen.lock().unwrap();
            let steps: Vec<_> = seen.iter().filter(|at| at.starts_with("step")).collect();
            let breaks: Vec<_> = seen.iter().filter(|at| at.starts_with("break")).collect();
            // The nested call stops at its own breakpoint, and steps from there by its own answer.
            assert_eq!(breaks, ["break top:1", "break leaf:2", "break top:1"], "{tier:?} {answer:?}: {seen:?}");
            let first = if answer == Into { vec!["step leaf:1"] } else { vec![] };
            assert!(!seen.iter().any(|at| at.contains("loop")), "{tier:?} {answer:?}: {seen:?}");
            assert_eq!(steps.iter().take(first.len()).map(|at| at.as_str()).collect::<Vec<_>>(), first, "{seen:?}");
            // After the outer one has answered to go on, nothing steps: the last stop is one of the nested call.
            assert!(!seen.last().unwrap().contains("break leaf"), "{seen:?}");
        }
    }
}

/// Steps through lines in the store in which nothing has lines are steps by instructions, and end with the call.
#[test]
fn the_last_step_of_a_call_is_not_left_to_the_next() {
    for answer in [Next, Into, Action::StepOutOf(1), Action::RunTo(vec![])] {
        let seen = trails(("few", 1), ("few", 3), &all(answer));
        assert_eq!(seen, ["few:3/1", "few:4/1"][..seen.len()], "{seen:?}");
    }
}
