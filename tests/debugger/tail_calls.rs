//! Tail calls: the frame is gone, in every kind of code. They need no stack, end when they are to, count the same, show
//! in no backtrace, and a debugger steps right through them.

use crate::{lines::places, replace};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell::debug::{Action, Debugger, Reason, Stop};
use stepwell::runtime::DebugTier;
use stepwell::*;

/// The kinds of code that guests run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Production,
    Simple,
    Regions,
    /// Each instruction in a frame of resume code that was made for it.
    Resume,
    /// Every instruction stops.
    Stepped,
}

const KINDS: [Kind; 5] = [Kind::Production, Kind::Simple, Kind::Regions, Kind::Resume, Kind::Stepped];

/// What makes the imports of a module.
type Imports = fn(&mut Store) -> Vec<Extern>;

/// A store for each kind of code, with signals and without, with a little stack and an instance of a module.
fn each(config: &Config, text: &str, imports: Imports, mut check: impl FnMut(Kind, &mut Store, Instance)) {
    let binary = wat::parse_str(text).unwrap();
    for signals in [true, false] {
        for kind in KINDS {
            let debug_tier = if kind == Kind::Simple { DebugTier::Simple } else { DebugTier::Regions };
            let engine = Engine::new(Config { debug: true, signals, debug_tier, ..config.clone() }).unwrap();
            let module = Module::new(&engine, &binary).unwrap();
            let mut store = Store::new(&engine);
            let imports = imports(&mut store);
            let instance = Instance::new(&mut store, &module, &imports).unwrap();
            match kind {
                Kind::Production => {}
                Kind::Resume => replace::attach(&mut store).unwrap(),
                _ => {
                    let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
                    debugger.step_always(&mut store, kind == Kind::Stepped).unwrap();
                }
            }
            check(kind, &mut store, instance);
        }
    }
}

fn no_imports(_: &mut Store) -> Vec<Extern> {
    Vec::new()
}

fn call(mut store: impl AsStoreMut, instance: Instance, name: &str, n: i32) -> Result<i32> {
    instance.typed_func::<i32, i32>(&mut store, name)?.call(&mut store, n)
}

/// How often something that takes a moment at each stop is done.
fn often(kind: Kind, count: i32) -> i32 {
    if matches!(kind, Kind::Resume | Kind::Stepped) { count / 1000 } else { count }
}

/// The code and the functions of the frames of a trap, with their offsets.
fn trapped(error: &Error) -> (Option<TrapCode>, Vec<(String, u32)>) {
    let trap = error.payload::<Trap>().unwrap_or_else(|| panic!("{error} is no trap"));
    let frame = |frame: &FrameInfo| (frame.func_name().unwrap_or("?").to_owned(), frame.offset().get());
    (trap.code(), trap.frames().iter().map(frame).collect())
}

const LOOPS: &str = r#"(module
  (type $one (func (param i32) (result i32)))
  (table $t 4 funcref)
  (elem (i32.const 0) $odd $even $fat)
  (func $self (export "self") (type $one)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 42))))
    (return_call $self (i32.sub (local.get 0) (i32.const 1))))
  (func $even (export "even") (type $one)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
    (return_call_indirect $t (type $one) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
  (func $odd (type $one)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
    (return_call_indirect $t (type $one) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))
  (func $thin (export "thin") (type $one)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
    (return_call $fat (local.get 0) (i64.const 1) (f64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
      (i64.const 7) (i64.const 8) (i64.const 9) (i32.sub (local.get 0) (i32.const 1))))
  (func $fat (param i32 i64 f64 i64 i64 i64 i64 i64 i64 i64 i32) (result i32)
    (if (i64.ne (i64.add (local.get 1) (local.get 9)) (i64.const 10)) (then unreachable))
    (if (i32.ne (i32.sub (local.get 0) (local.get 10)) (i32.const 1)) (then unreachable))
    (return_call $thin (local.get 10)))
  (func $spread (param i32) (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (if (i32.eqz (local.get 0)) (then
      (return (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 7)
        (i64.const 8) (i64.const 9) (i64.const 10) (i64.const 11) (i64.const 12))))
    (return_call $wider (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
      (i64.const 7) (i32.sub (local.get 0) (i32.const 1))))
  (func $wider (param i64 i64 i64 i64 i64 i64 i64 i32) (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (return_call $spread (local.get 7)))
  (func (export "results") (param i32) (result i32) (local i64 i64)
    (call $spread (local.get 0))
    (local.set 1) (local.set 2)
    (local.set 1 (i64.sub (i64.mul (local.get 1) (i64.const 100)) (local.get 2)))
    (i64.mul (i64.sub (i64.mul (i64.sub (i64.mul (i64.sub (i64.mul (i64.sub (i64.mul)))))))))
    (local.set 2)
    (i32.wrap_i64 (i64.add (local.get 2) (local.get 1)))))"#;

#[test]
fn ten_million_tail_calls_need_no_stack() {
    let config = Config { max_stack: 64 << 10, ..Config::default() };
    each(&config, LOOPS, no_imports, |kind, store, instance| {
        let many = often(kind, 10_000_000);
        for (name, expected) in [("self", 42), ("even", 1), ("thin", 7)] {
            assert_eq!(call(&mut *store, instance, name, many).unwrap(), expected, "{kind:?} {name}");
        }
        let few = call(&mut *store, instance, "results", 0).unwrap();
        assert_eq!(call(&mut *store, instance, "results", many).unwrap(), few, "{kind:?}");
    });
}

/// Two instances that call each other, and the host between them.
#[test]
fn other_instances_and_the_host_are_called_so() {
    const PING: &str = r#"(module
      (import "h" "pong" (func $host (param i32) (result i32)))
      (table (export "table") 2 funcref)
      (elem (i32.const 0) $ping)
      (func $ping (export "ping") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return_call $host (i32.const 5))))
        (return_call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))))"#;
    const PONG: &str = r#"(module
      (import "ping" "table" (table 2 funcref))
      (import "ping" "ping" (func $ping (param i32) (result i32)))
      (elem (i32.const 1) $pong)
      (func $pong (export "pong") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const -1))))
        (return_call $ping (i32.sub (local.get 0) (i32.const 1)))))"#;
    let config = Config { max_stack: 64 << 10, ..Config::default() };
    let pong = wat::parse_str(PONG).unwrap();
    let host = |store: &mut Store| vec![Func::wrap(store, |n: i32| n * 2).unwrap().into()];
    each(&config, PING, host, |kind, store, ping| {
        let module = Module::new(&store.engine().clone(), &pong).unwrap();
        let imports = ["table", "ping"].map(|name| ping.export(&mut *store, name).unwrap());
        let pong = Instance::new(&mut *store, &module, &imports).unwrap();
        let many = often(kind, 10_000_000);
        assert_eq!(call(&mut *store, ping, "ping", many).unwrap(), 10, "{kind:?}");
        assert_eq!(call(&mut *store, pong, "pong", many).unwrap(), -1, "{kind:?}");
        assert_eq!(call(&mut *store, ping, "ping", many + 1).unwrap(), -1, "{kind:?}");
    });
}

/// A host function with arguments on the stack and results in memory, which looks at its caller, calls back, fails.
#[test]
fn the_host_has_the_guest_that_called_it_and_no_frame_of_it() {
    const TEXT: &str = r#"(module
      (import "h" "wide" (func $wide (param i64 i64 i64 i64 i64 i64 i64 i64 f32 i32)
        (result i32 i64 i64 i64 i64 i64 i64 i64 i64 f32 i32)))
      (import "h" "fail" (func $fail (param i32) (result i32)))
      (import "h" "again" (func $again (param i32) (result i32)))
      (global (export "mine") i32 (i32.const 77))
      (func $forward (param i32) (result i32 i64 i64 i64 i64 i64 i64 i64 i64 f32 i32)
        (return_call $wide (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
          (i64.const 7) (i64.const 8) (f32.const 9.5) (local.get 0)))
      (func $sum (export "sum") (param i32) (result i32) (local i32 f32)
        (call $forward (local.get 0)) (local.set 1) (local.set 2)
        i64.sub i64.sub i64.sub i64.sub i64.sub i64.sub i64.sub
        i32.wrap_i64 i32.sub (local.get 1) i32.add (i32.trunc_f32_s (local.get 2)) i32.add)
      (func $direct (export "direct") (param i32) (result i32) (return_call $fail (local.get 0)))
      (func $below (export "below") (param i32) (result i32) (i32.add (i32.const 1) (call $direct (local.get 0))))
      (func $recurse (export "recurse") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 100))))
        (return_call $again (i32.sub (local.get 0) (i32.const 1)))))"#;
    fn imports(store: &mut Store) -> Vec<Extern> {
        let params = [vec![ValType::I64; 8], vec![ValType::F32, ValType::I32]].concat();
        let results = [vec![ValType::I32], vec![ValType::I64; 8], vec![ValType::F32, ValType::I32]].concat();
        let ty = FuncType::new(params.iter().copied(), results.iter().copied());
        let wide = Func::new(&mut *store, ty, |mut caller: Caller<'_>, params, results| {
            let mine = caller.export("mine").and_then(|item| item.global()).unwrap().get(&mut caller)?;
            assert_eq!(mine, Val::I32(77));
            results[0] = params[9];
            results[1..9].copy_from_slice(&params[..8]);
            results[9..].copy_from_slice(&[params[8], params[9]]);
            Ok(())
        });
        let fail = Func::wrap(&mut *store, |n: i32| -> Result<i32> { Err(Trap::new(format!("told {n}")).into()) });
        let again = Func::wrap(&mut *store, |mut caller: Caller<'_>, n: i32| -> Result<i32> {
            let func = caller.export("recurse").and_then(|item| item.func()).unwrap();
            let func = func.typed::<i32, i32>(&caller)?;
            Ok(func.call(&mut caller, n)? + 1)
        });
        [wide, fail, again].map(|func| func.unwrap().into()).to_vec()
    }
    each(&Config::default(), TEXT, imports, |kind, store, instance| {
        // 5 - (1 - (2 - ... 8)) + 5 + 9
        assert_eq!(call(&mut *store, instance, "sum", 5).unwrap(), 5 + 4 + 5 + 9, "{kind:?}");
        let told = |result: Result<i32>| {
            let error = result.unwrap_err();
            let (code, frames) = trapped(&error);
            assert_eq!((code, error.message()), (None, "told 3"));
            frames.into_iter().map(|frame| frame.0).collect::<Vec<_>>()
        };
        assert!(told(call(&mut *store, instance, "direct", 3)).is_empty(), "{kind:?}");
        assert_eq!(told(call(&mut *store, instance, "below", 3)), ["below"], "{kind:?}");
        assert_eq!(call(&mut *store, instance, "recurse", 20).unwrap(), 120, "{kind:?}");
    });
}

const ENDLESS: &str = r#"(module
  (func $self (export "self") (param i32) (result i32) (return_call $self (local.get 0)))
  (table funcref (elem $there))
  (func $there (export "there") (param i32) (result i32) (return_call $back (local.get 0) (local.get 0)))
  (func $back (param i32 i32) (result i32)
    (return_call_indirect (param i32) (result i32) (local.get 1) (i32.const 0))))"#;

#[test]
fn endless_tail_calls_are_ended() {
    each(&Config { fuel: true, ..Config::default() }, ENDLESS, no_imports, |kind, store, instance| {
        for name in ["self", "there"] {
            store.set_fuel(often(kind, 3_000_000) as u64).unwrap();
            let error = call(&mut *store, instance, name, 0).unwrap_err();
            let (code, frames) = trapped(&error);
            assert_eq!((code, frames.len()), (Some(TrapCode::OutOfFuel), 1), "{kind:?} {name}: {frames:?}");
            assert_eq!(store.fuel().unwrap(), 0);
        }
    });
    each(&Config { epoch: true, ..Config::default() }, ENDLESS, no_imports, |kind, store, instance| {
        let engine = store.engine().clone();
        for name in ["self", "there"] {
            store.set_epoch_deadline(1).unwrap();
            let error = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(20));
                    engine.increment_epoch();
                });
                call(&mut *store, instance, name, 0).unwrap_err()
            });
            let (code, frames) = trapped(&error);
            assert_eq!((code, frames.len()), (Some(TrapCode::Interrupt), 1), "{kind:?} {name}: {frames:?}");
        }
    });
}

#[test]
fn every_kind_of_code_counts_the_same() {
    let mut expected = BTreeMap::new();
    each(&Config { fuel: true, ..Config::default() }, LOOPS, no_imports, |kind, store, instance| {
        // Who replaces frames says what fuel is left, and here that is none.
        if kind == Kind::Resume {
            return;
        }
        for name in ["self", "even", "thin", "results"] {
            for n in [0, 1, 2, 77] {
                store.set_fuel(100_000).unwrap();
                call(&mut *store, instance, name, n).unwrap();
                let used = 100_000 - store.fuel().unwrap();
                assert_eq!(*expected.entry((name, n)).or_insert(used), used, "{kind:?} {name}({n})");
            }
        }
    });
    // By hand: the condition and its `if`; the way out, or the rest.
    assert_eq!((expected[&("self", 0)], expected[&("self", 2)]), (5, 5 + 2 * 7));
}

const TRAPS: &str = r#"(module
  (type $one (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (table $t 5 5 funcref)
  (elem (i32.const 0) $divide $two)
  (func $two (param i32 i32))
  (func $divide (type $one) (i32.div_s (i32.const 10) (local.get 0)))
  (func $before (type $one) (drop (i32.load (i32.const 0))) (return_call $divide (local.get 0)))
  (func $more (param i32 i64 i64 i64 i64 i64 i64) (result i32)
    (return_call $before (local.get 0)))
  (func $outer (export "outer") (type $one)
    (i32.sub (i32.const 1)
      (call $fat (local.get 0))))
  (func $fat (type $one)
    (return_call $more (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)))
  (func $elements (export "elements") (type $one)
    (return_call_indirect $t (type $one) (i32.const 5) (i32.sub (local.get 0) (i32.const 1))))
  (func $over (export "over") (type $one) (call $elements (local.get 0)))
  (func $deep (export "deep") (type $one)
    (if (i32.eq (local.get 0) (i32.const -1)) (then
      (return_call $more (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6))))
    (call $deep (i32.add (local.get 0) (i32.const 1)))))"#;

#[test]
fn who_made_a_tail_call_is_in_no_backtrace() {
    let mut first: BTreeMap<(&str, i32), _> = BTreeMap::new();
    each(&Config::default(), TRAPS, no_imports, |kind, store, instance| {
        let mut traps = |name: &'static str, n: i32| {
            let told = trapped(&call(&mut *store, instance, name, n).unwrap_err());
            let names: Vec<String> = told.1.iter().map(|frame| frame.0.clone()).collect();
            let code = told.0.unwrap();
            assert_eq!(*first.entry((name, n)).or_insert_with(|| told.clone()), told, "{kind:?}");
            (code, names)
        };
        assert_eq!(traps("outer", 0), (TrapCode::IntegerDivisionByZero, vec!["divide".into(), "outer".into()]));
        let elements = |n: i32, code: TrapCode, traps: &mut dyn FnMut(&'static str, i32) -> _| {
            assert_eq!(traps("elements", n), (code, vec!["elements".to_owned()]));
            assert_eq!(traps("over", n), (code, vec!["elements".to_owned(), "over".to_owned()]));
        };
        elements(2, TrapCode::IndirectCallTypeMismatch, &mut traps);
        elements(3, TrapCode::UninitializedElement, &mut traps);
        elements(6, TrapCode::UndefinedElement, &mut traps);
        elements(0, TrapCode::UndefinedElement, &mut traps);
        assert_eq!(call(&mut *store, instance, "over", 1).unwrap(), 2, "{kind:?}");
        assert_eq!(call(&mut *store, instance, "outer", 5).unwrap(), -1, "{kind:?}");
    });
}

/// Functions that could make tail calls with many arguments and recurse instead until the stack ends.
#[test]
fn frames_with_room_for_more_arguments_end_at_the_stack() {
    let params = "i64 ".repeat(900);
    let wide = format!(
        "(module
           (func $wide (param i32 {params}) (result i32) (local.get 0))
           (func $deep (export \"deep\") (param i32) (result i32)
             (if (i32.eqz (local.get 0)) (then (return_call $wide (i32.const 9) {})))
             (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))))",
        "(i64.const 1) ".repeat(900)
    );
    each(&Config::default(), &wide, no_imports, |kind, store, instance| {
        assert_eq!(call(&mut *store, instance, "deep", 10).unwrap(), 19, "{kind:?}");
        if kind == Kind::Stepped {
            return;
        }
        let (code, frames) = trapped(&call(&mut *store, instance, "deep", 1_000_000).unwrap_err());
        assert_eq!(code, Some(TrapCode::StackOverflow), "{kind:?}");
        assert!(frames.len() > 10 && frames.iter().all(|frame| frame.0 == "deep"), "{kind:?}");
        assert_eq!(call(&mut *store, instance, "deep", 10).unwrap(), 19, "{kind:?}");
    });
}

/// Runs an export with a breakpoint at an instruction, answers there as is said, and tells where every stop was:
/// `function:instruction` of each frame, innermost first. After the answer every step goes into everything, or, if so
/// many are given, the answers are those.
fn trail(tier: DebugTier, text: &str, export: (&str, i32), at: (&str, usize), answers: &[Action]) -> Vec<String> {
    let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let host = Func::wrap(&mut store, |n: i32| n + 1000).unwrap();
    let imports: Vec<Extern> = module.imports().map(|_| host.into()).collect();
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    let places = places(&module);
    let offset = places.iter().find(|place| (place.1.0.as_str(), place.1.1) == at).map(|place| *place.0).unwrap();
    let (seen, answered) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (log, answers, known) = (seen.clone(), answers.to_vec(), places.clone());
    let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
        let frame = |index| {
            let frame = stop.frame(index).unwrap();
            let (name, instruction) = &known[&frame.offset().get()];
            format!("{name}:{instruction}")
        };
        let frames: Vec<String> = (0..stop.frame_count()).map(frame).collect();
        let ids: Vec<usize> = (0..stop.frame_count()).map(|index| stop.frame(index).unwrap().id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{frames:?}: {ids:?}");
        log.lock().unwrap().push(frames.join(" "));
        answers.get(answered.fetch_add(1, Ordering::Relaxed)).cloned().unwrap_or(Action::Continue)
    })
    .unwrap();
    let breakpoint = debugger.break_at(&mut store, &module, stepwell::base::WasmOffset::new(offset)).unwrap();
    assert_eq!(breakpoint.offset().unwrap().get(), offset);
    let result = call(&mut store, instance, export.0, export.1).unwrap();
    // The debugger changes nothing.
    debugger.detach(&mut store).unwrap();
    assert_eq!(call(&mut store, instance, export.0, export.1).unwrap(), result);
    Arc::try_unwrap(seen).map(|seen| seen.into_inner().unwrap()).unwrap_or_else(|seen| seen.lock().unwrap().clone())
}

/// The same in both kinds of debug code.
fn trails(text: &str, export: (&str, i32), at: (&str, usize), answers: &[Action]) -> Vec<String> {
    let [a, b] = [DebugTier::Simple, DebugTier::Regions].map(|tier| trail(tier, text, export, at, answers));
    assert_eq!(a, b, "{export:?}, {at:?}, {answers:?}");
    a
}

use Action::{StepInstruction as Into, StepOut as Out, StepOver as Over};

const STEPS: &str = r#"(module
  (import "h" "f" (func $host (param i32) (result i32)))
  (type $one (func (param i32) (result i32)))
  (table funcref (elem $leaf))
  (func $leaf (param i32) (result i32) local.get 0 i32.const 1 i32.add)
  (func $mid (param i32) (result i32) local.get 0 i32.const 10 i32.mul return_call $leaf)
  (func $top (export "top") (param i32) (result i32) local.get 0 call $mid i32.const 5 i32.add)
  (func $mid-host (param i32) (result i32) local.get 0 return_call $host)
  (func $top-host (export "top-host") (param i32) (result i32) local.get 0 call $mid-host i32.const 5 i32.add)
  (func $mid-indirect (param i32) (result i32) local.get 0 i32.const 0 return_call_indirect (type $one))
  (func $top-indirect (export "top-indirect") (param i32) (result i32) local.get 0 call $mid-indirect i32.const 5 i32.add)
  ;; A caller that is called again in the place of what it has called, with less on the stack than that has.
  (func $again (export "again") (param i32) (result i32)
    local.get 0 i32.eqz if i32.const 7 return end
    local.get 0 i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5 i64.const 6 i64.const 7
    call $fat
    i32.const 100
    i32.add)
  (func $fat (param i32 i64 i64 i64 i64 i64 i64 i64) (result i32)
    local.get 0 i32.const 1 i32.sub return_call $again)
  ;; Calls between, in frames above and below of where those were that are gone.
  (func $thin (export "thin") (param i32) (result i32)
    local.get 0 call $grown i32.const 3 i32.add)
  (func $grown (param i32) (result i32)
    local.get 0 i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5 i64.const 6 i64.const 7
    return_call $calls)
  (func $calls (param i32 i64 i64 i64 i64 i64 i64 i64) (result i32)
    local.get 0 i32.const 1 i32.sub local.tee 0 i32.const 0 i32.gt_s
    if (result i32) local.get 0 call $thin else i32.const 9 end))"#;

#[test]
fn a_step_into_a_tail_call_ends_in_the_callee() {
    let seen = trails(STEPS, ("top", 3), ("mid", 2), &[Into, Into, Into, Into, Into, Into, Into, Into]);
    let expected = [
        "mid:2 top:1",
        "mid:3 top:1",
        "leaf:0 top:1",
        "leaf:1 top:1",
        "leaf:2 top:1",
        "leaf:3 top:1",
        "top:2",
        "top:3",
        "top:4",
    ];
    assert_eq!(seen, expected);
    let seen = trails(STEPS, ("top-indirect", 3), ("mid-indirect", 1), &[Into, Into, Into]);
    assert_eq!(
        seen,
        [
            "mid-indirect:1 top-indirect:1",
            "mid-indirect:2 top-indirect:1",
            "leaf:0 top-indirect:1",
            "leaf:1 top-indirect:1"
        ]
    );
    // The host has no instructions.
    let seen = trails(STEPS, ("top-host", 3), ("mid-host", 0), &[Into, Into, Into]);
    assert_eq!(seen, ["mid-host:0 top-host:1", "mid-host:1 top-host:1", "top-host:2", "top-host:3"]);
}

#[test]
fn a_step_over_a_tail_call_ends_in_the_caller() {
    assert_eq!(
        trails(STEPS, ("top", 3), ("mid", 2), &[Over, Over, Over]),
        ["mid:2 top:1", "mid:3 top:1", "top:2", "top:3"]
    );
    assert_eq!(trails(STEPS, ("top-indirect", 3), ("mid-indirect", 2), &[Over])[1..], ["top-indirect:2"]);
    assert_eq!(trails(STEPS, ("top-host", 3), ("mid-host", 1), &[Over])[1..], ["top-host:2"]);
    // The function that is called is the caller's, but the frame is another.
    assert_eq!(trails(STEPS, ("again", 1), ("fat", 3), &[Over, Over]), ["fat:3 again:14", "again:15", "again:16"]);
    assert_eq!(
        trails(STEPS, ("again", 2), ("fat", 3), &[Over]),
        ["fat:3 again:14", "fat:3 again:14 again:14", "again:15"].map(str::to_owned)[..2]
    );
    // Over the whole call, from the caller.
    assert_eq!(trails(STEPS, ("again", 3), ("again", 14), &[Over])[..2], ["again:14", "again:14 again:14"]);
    assert_eq!(trails(STEPS, ("top", 3), ("top", 1), &[Over, Over]), ["top:1", "top:2", "top:3"]);
}

#[test]
fn a_step_out_of_a_tail_called_function_ends_in_the_real_caller() {
    assert_eq!(trails(STEPS, ("top", 3), ("leaf", 1), &[Out, Out]), ["leaf:1 top:1", "top:2"]);
    assert_eq!(trails(STEPS, ("top", 3), ("mid", 0), &[Out]), ["mid:0 top:1", "top:2"]);
    assert_eq!(
        trails(STEPS, ("top", 3), ("mid", 2), &[Into, Into, Out]),
        ["mid:2 top:1", "mid:3 top:1", "leaf:0 top:1", "top:2"]
    );
    // Between there are calls of the same functions, whose frames are elsewhere than those that are gone.
    for n in [1, 2, 5] {
        let seen = trails(STEPS, ("thin", n), ("grown", 0), &[Out]);
        if n == 1 {
            assert_eq!(seen, ["grown:0 thin:1", "thin:2"]);
        }
    }
}

/// As `a_step_...`, but nothing stops on the way: the breakpoint is taken away.
#[test]
fn steps_run_through_calls_of_the_same_functions() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        for (export, n, at, action, expected) in [
            ("again", 4, ("fat", 3), Over, "again:15"),
            ("again", 4, ("fat", 1), Out, "again:15"),
            ("thin", 6, ("grown", 8), Over, "thin:2"),
            ("thin", 6, ("grown", 2), Out, "thin:2"),
            ("thin", 6, ("calls", 3), Out, "thin:2"),
            ("again", 4, ("again", 14), Over, "again:15"),
        ] {
            let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
            let module = Module::new(&engine, &wat::parse_str(STEPS).unwrap()).unwrap();
            let mut store = Store::new(&engine);
            let host = Func::wrap(&mut store, |n: i32| n).unwrap();
            let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
            let places = places(&module);
            let offset = places.iter().find(|place| (place.1.0.as_str(), place.1.1) == at).unwrap();
            let offset = stepwell::base::WasmOffset::new(*offset.0);
            let seen = Arc::new(Mutex::new(Vec::new()));
            let (log, known) = (seen.clone(), places.clone());
            let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
                let (name, instruction) = &known[&stop.frame(0).unwrap().offset().get()];
                log.lock().unwrap().push((format!("{name}:{instruction}"), stop.frame_count()));
                match stop.reason().clone() {
                    Reason::Breakpoint(ids) => {
                        for id in ids {
                            stop.debugger().remove(stop, id).unwrap();
                        }
                        action.clone()
                    }
                    _ => Action::Continue,
                }
            })
            .unwrap();
            debugger.break_at(&mut store, &module, offset).unwrap();
            call(&mut store, instance, export, n).unwrap();
            let seen = seen.lock().unwrap().clone();
            assert_eq!(seen.len(), 2, "{tier:?} {export} {at:?}: {seen:?}");
            assert_eq!(seen[1], (expected.to_owned(), 1), "{tier:?} {export} {at:?}: {seen:?}");
        }
    }
}

#[test]
fn a_breakpoint_is_hit_behind_a_million_tail_calls() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(LOOPS).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let places = places(&module);
        let at = |wanted: (&str, usize)| {
            let place = places.iter().find(|place| (place.1.0.as_str(), place.1.1) == wanted).unwrap();
            stepwell::base::WasmOffset::new(*place.0)
        };
        let hits = Arc::new(Mutex::new(Vec::new()));
        let log = hits.clone();
        let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
            let frame = stop.frame(0).unwrap();
            log.lock().unwrap().push((frame.offset(), frame.locals(), stop.frame_count()));
            Action::Continue
        })
        .unwrap();
        // The `i32.const 42` of the last one.
        let last = at(("self", 3));
        debugger.break_at(&mut store, &module, last).unwrap();
        assert_eq!(call(&mut store, instance, "self", 1_000_000).unwrap(), 42);
        assert_eq!(hits.lock().unwrap().drain(..).collect::<Vec<_>>(), [(last, vec![Val::I32(0)], 1)]);
        // At the callee's first instruction, and at the tail call: once for each.
        for place in [("self", 0), ("self", 8)] {
            let breakpoint = debugger.break_at(&mut store, &module, at(place)).unwrap();
            assert_eq!(call(&mut store, instance, "self", 3).unwrap(), 42);
            let hits: Vec<_> = hits.lock().unwrap().drain(..).filter(|hit| hit.0 != last).collect();
            let locals: Vec<_> = hits.iter().map(|hit| (hit.1[0], hit.2)).collect();
            let expected = if place.1 == 0 { &[3, 2, 1, 0][..] } else { &[3, 2, 1] };
            assert_eq!(locals, expected.iter().map(|n| (Val::I32(*n), 1)).collect::<Vec<_>>(), "{tier:?} {place:?}");
            debugger.remove(&mut store, breakpoint.id).unwrap();
        }
    }
}

/// What a callback changes before a tail call is what it passes on: the frame goes on in resume code, whose tail calls
/// need other room than the old frame has.
#[test]
fn what_was_changed_before_a_tail_call_counts() {
    const TEXT: &str = r#"(module
      (global $g (export "g") (mut i32) (i32.const 1))
      (func $fat (param i32 i64 i64 i64 i64 i64 i64 i64) (result i32 i64 i64 i64 i64 i64 i64 i64 i64 i64)
        local.get 0 i32.const 3 i32.mul
        i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5 i64.const 6 i64.const 7 local.get 7 i64.const 9)
      ;; The optimiser knows which way is taken, so the frame has no room for the other's arguments. Resume code has.
      (func $folded (param i32) (result i32 i64 i64 i64 i64 i64 i64 i64 i64 i64)
        i32.const 0
        if
          local.get 0 i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5 i64.const 6 i64.const 88
          return_call $fat
        end
        global.get $g
        local.get 0
        i32.add
        return_call $thin)
      (func $thin (param i32) (result i32 i64 i64 i64 i64 i64 i64 i64 i64 i64)
        local.get 0
        i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5 i64.const 6 i64.const 7 i64.const 8 i64.const 9)
      (func $grown (param i32 i64 i64 i64 i64 i64) (result i32 i64 i64 i64 i64 i64 i64 i64 i64 i64)
        global.get $g
        local.get 0
        i32.add
        i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5 i64.const 6 i64.const 88
        return_call $fat)
      (func $run (export "run-folded") (param i32) (result i32)
        local.get 0 call $folded drop drop drop drop drop drop drop drop drop)
      (func $run-grown (export "run-grown") (param i32) (result i32) (local i64)
        local.get 0 i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5
        call $grown drop local.set 1 drop drop drop drop drop drop drop
        local.get 1 i32.wrap_i64 i32.const 88 i32.eq i32.mul))"#;
    for signals in [true, false] {
        let engine = Engine::new(Config { debug: true, signals, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let places = places(&module);
        for (name, at, plain, changed) in [("folded", 14, 6, 105), ("grown", 3, 18, 315)] {
            let run = format!("run-{name}");
            assert_eq!(call(&mut store, instance, &run, 5).unwrap(), plain);
            let ids = Arc::new(Mutex::new(Vec::new()));
            let log = ids.clone();
            let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
                let frame = stop.frame(0).unwrap();
                log.lock().unwrap().push((frame.func_name().map(str::to_owned), frame.id()));
                if matches!(stop.reason(), Reason::Breakpoint(_)) {
                    let global = instance.export(&mut *stop, "g").unwrap().global().unwrap();
                    global.set(&mut *stop, Val::I32(100)).unwrap();
                }
                Action::StepInstruction
            })
            .unwrap();
            // Behind the `global.get`, which the region has run: the guest goes on in a frame of its own.
            let place = places.iter().find(|place| (place.1.0.as_str(), place.1.1) == (name, at)).unwrap();
            let offset = stepwell::base::WasmOffset::new(*place.0);
            let breakpoint = debugger.break_at(&mut store, &module, offset).unwrap();
            assert_eq!(breakpoint.offset(), Some(offset));
            let result = call(&mut store, instance, &run, 5).unwrap();
            debugger.detach(&mut store).unwrap();
            // What was on the operand stack was seen before the change.
            assert_eq!(result, plain, "{name}");
            let ids = ids.lock().unwrap().clone();
            let outer =
                |(func, _): &&(Option<String>, usize)| func.as_ref().is_some_and(|name| name.starts_with("run"));
            let tail: Vec<_> = ids.iter().take_while(|seen| !outer(seen)).collect();
            assert!(tail.len() > 5 && tail.iter().all(|seen| seen.1 == tail[0].1), "{name}: {ids:?}");
            let global = instance.export(&mut store, "g").unwrap().global().unwrap();
            assert_eq!(global.get(&mut store).unwrap(), Val::I32(100));
            assert_eq!(call(&mut store, instance, &run, 5).unwrap(), changed);
            global.set(&mut store, Val::I32(1)).unwrap();
        }
    }
}

#[test]
fn a_debugger_comes_and_goes_between_calls() {
    const TEXT: &str = r#"(module
      (import "h" "f" (func $host (param i32) (result i32)))
      (func $first (export "first") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return_call $host (i32.const 1))))
        (return_call $first (i32.sub (local.get 0) (i32.const 1)))))"#;
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    // No frame of Wasm is there, but a call is under way.
    let host = Func::wrap(&mut store, |mut caller: Caller<'_>, n: i32| -> i32 {
        if !caller.is_attached() {
            Debugger::attach(&mut caller, |_| Action::Continue).unwrap();
            assert!(caller.detach().is_err());
        }
        n + 10
    });
    let instance = Instance::new(&mut store, &module, &[host.unwrap().into()]).unwrap();
    let stops = Arc::new(AtomicUsize::new(0));
    for round in 1..4 {
        assert_eq!(call(&mut store, instance, "first", 1000).unwrap(), 11);
        store.detach().unwrap();
        let count = stops.clone();
        let debugger = Debugger::attach(&mut store, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Action::StepOver
        })
        .unwrap();
        debugger.break_at_name(&mut store, &module, "first").unwrap();
        assert_eq!(call(&mut store, instance, "first", 2).unwrap(), 11);
        debugger.detach(&mut store).unwrap();
        // Six instructions up to each tail call, of which the first is a breakpoint; four and the call in the last.
        assert_eq!(stops.load(Ordering::Relaxed), round * (7 + 7 + 5));
    }
}
