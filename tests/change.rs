//! What a debugger changes at a stop is what the guest goes on with: locals, operands, the next instruction, an early
//! return. In both debug tiers, at stop points and inside regions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::base::{Error, ErrorKind, WasmOffset};
use stepwell::debug::{Action, Debugger, Reason, Stop};
use stepwell::runtime::{
    AnyRef, AsStoreMut, Config, DebugTier, Engine, ExternRef, Func, Instance, Module, Store, Trap, TrapCode, Val,
};

const TIERS: [DebugTier; 2] = [DebugTier::Regions, DebugTier::Simple];

struct Guest {
    store: Store,
    module: Module,
    instance: Instance,
    debugger: Debugger,
}

impl Guest {
    fn new(
        tier: DebugTier,
        text: &str,
        imports: &[stepwell::runtime::Extern],
        handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
    ) -> Guest {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        Guest::with(&engine, text, |_| imports.to_vec(), handler)
    }

    fn with(
        engine: &Engine,
        text: &str,
        imports: impl FnOnce(&mut Store) -> Vec<stepwell::runtime::Extern>,
        handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
    ) -> Guest {
        let module = Module::new(engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(engine);
        let imports = imports(&mut store);
        let debugger = Debugger::attach(&mut store, handler).unwrap();
        let instance = Instance::new(&mut store, &module, &imports).unwrap();
        Guest { store, module, instance, debugger }
    }

    fn call(&mut self, name: &str, args: &[Val]) -> Result<Vec<Val>, Error> {
        let func = self.instance.export(&mut self.store, name).and_then(|item| item.func()).unwrap();
        let mut results = vec![Val::I32(0); func.ty(&self.store)?.results.len()];
        func.call(&mut self.store, args, &mut results)?;
        Ok(results)
    }

    /// Where the n-th of these bytes, an opcode, is in the code of a function.
    fn find(&self, func: &str, opcode: u8, n: usize) -> WasmOffset {
        let info = self.module.info();
        let body = &info.bodies[info.defined(info.func_named(func).unwrap()).unwrap().index()].bytes;
        let found = body.clone().filter(|at| self.module.binary()[*at] == opcode).nth(n);
        WasmOffset::from_usize(found.unwrap_or_else(|| panic!("no {opcode:#x} in {func}")))
    }
}

fn state(stop: &Stop<'_>) -> (WasmOffset, Vec<Val>, Vec<Val>) {
    let frame = stop.frame(0).unwrap();
    (frame.offset(), frame.locals(), frame.operands())
}

/// Every kind of number, and references, as locals and as operands.
const KINDS: &str = r#"(module
    (func $id (export "locals") (param i32 i64 f32 f64 v128 externref funcref anyref) (result i32 i64 f32 f64 v128 externref funcref anyref)
        nop nop
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7))
    (func $other (export "other")))"#;

fn others(store: &mut impl AsStoreMut, other: Func) -> Vec<Val> {
    let external = ExternRef::new(&mut *store, Box::new(7u8)).unwrap();
    vec![
        Val::I32(-5),
        Val::I64(i64::MIN + 3),
        Val::F32(0x7fc0_1234),
        Val::F64(0x7ff4_0000_0000_0001),
        Val::V128(std::array::from_fn(|i| i as u8 ^ 0xa5)),
        Val::ExternRef(Some(external)),
        Val::FuncRef(Some(other)),
        Val::AnyRef(Some(AnyRef::i31(-9))),
    ]
}

fn zeros() -> Vec<Val> {
    vec![
        Val::I32(1),
        Val::I64(1),
        Val::F32(1),
        Val::F64(1),
        Val::V128([1; 16]),
        Val::ExternRef(None),
        Val::FuncRef(None),
        Val::AnyRef(None),
    ]
}

#[test]
fn locals_of_every_kind_at_every_instruction() {
    for tier in TIERS {
        // The first `nop` (at a stop point), the second (inside a region), and behind the first four reads.
        for at in 0..6 {
            let given = Arc::new(Mutex::new(None::<Vec<Val>>));
            let count = Arc::new(AtomicUsize::new(0));
            let (values, seen) = (given.clone(), count.clone());
            let mut guest = Guest::new(tier, KINDS, &[], move |stop| {
                if seen.fetch_add(1, Ordering::Relaxed) == at {
                    let values = values.lock().unwrap().clone().unwrap();
                    let before = state(stop);
                    for (index, value) in values.iter().enumerate() {
                        stop.set_local(0, index, *value).unwrap();
                    }
                    let after = state(stop);
                    assert_eq!((before.0, before.2, &values), (after.0, after.2, &after.1));
                }
                Action::StepInstruction
            });
            let other = guest.instance.export(&mut guest.store, "other").unwrap().func().unwrap();
            let new = others(&mut guest.store, other);
            *given.lock().unwrap() = Some(new.clone());
            let first = guest.find("locals", 0x01, 0);
            guest.debugger.break_at(&mut guest.store, &guest.module, first).unwrap();
            let results = guest.call("locals", &zeros()).unwrap();
            // What was read before is on the operand stack already.
            let read = at.saturating_sub(2);
            assert_eq!(results[..read], zeros()[..read], "{tier:?} {at}");
            assert_eq!(results[read..], new[read..], "{tier:?} {at}");
            // No instruction was told twice: two, eight reads, the end.
            assert_eq!(count.load(Ordering::Relaxed), 11, "{tier:?} {at}");
        }
    }
}

#[test]
fn operands_of_every_kind() {
    for tier in TIERS {
        let given = Arc::new(Mutex::new(None::<Vec<Val>>));
        let values = given.clone();
        let mut guest = Guest::new(tier, KINDS, &[], move |stop| {
            let values = values.lock().unwrap().clone().unwrap();
            let there = state(stop).2;
            for (index, value) in values.iter().enumerate().take(there.len()) {
                // Null is there: of its type nothing is known.
                let outcome = stop.set_operand(0, index, *value);
                let known = !matches!(there[index], Val::ExternRef(None) | Val::FuncRef(None) | Val::AnyRef(None));
                assert_eq!(outcome.is_ok(), known || there[index] == *value, "{index}");
            }
            Action::Continue
        });
        let other = guest.instance.export(&mut guest.store, "other").unwrap().func().unwrap();
        let new = others(&mut guest.store, other);
        *given.lock().unwrap() = Some(new.clone());
        let end = guest.find("locals", 0x0b, 0);
        guest.debugger.break_at(&mut guest.store, &guest.module, end).unwrap();
        let results = guest.call("locals", &zeros()).unwrap();
        assert_eq!(results, [&new[..5], &zeros()[5..]].concat(), "{tier:?}");
        // References of the types that are there take each other's place.
        let mut given = zeros();
        given[5..].copy_from_slice(&new[5..]);
        let results = guest.call("locals", &given).unwrap();
        assert_eq!(results, new, "{tier:?}");
    }
}

const LOOP: &str = r#"(module
    (memory (export "memory") 1)
    (global $g (export "g") (mut i32) (i32.const 0))
    (func $sum (export "sum") (param $n i32) (result i32) (local $i i32) (local $s i32)
        (loop $l
            (local.set $s (i32.add (local.get $s) (local.get $i)))
            (i32.store (i32.const 8) (local.get $s))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
        (local.get $s))
    (func $fac (export "fac") (param $n i64) (result i64)
        (if (result i64) (i64.eqz (local.get $n))
            (then (i64.const 1))
            (else (i64.mul (local.get $n) (call $fac (i64.sub (local.get $n) (i64.const 1)))))))
    (func $div (export "div") (param i32 i32) (result i32) nop (i32.div_u (local.get 0) (local.get 1)))
    (func $forever (export "forever") (result i32) (loop $l (br $l)) unreachable)
    (func $ways (export "ways") (param i32) (result i32 i64)
        (i64.const 77) (drop)
        (if (local.get 0) (then (f64.const 1) (i32.const 1) (i64.const 2) (return)))
        unreachable)
    (func $skip (export "skip") (result i32)
        (global.set $g (i32.const 1)) (i32.store (i32.const 0) (i32.const 5)) (i32.const 9)))"#;

#[test]
fn a_loop_goes_on_with_what_was_written() {
    for tier in TIERS {
        let mut guest = Guest::new(tier, LOOP, &[], |stop| {
            let Val::I32(i) = stop.frame(0).unwrap().local(1).unwrap() else { panic!() };
            if i == 5 {
                // 0 to 4 are summed up; from 5 on as if it were 98.
                stop.set_local(0, 1, Val::I32(98)).unwrap();
            }
            Action::Continue
        });
        let header = guest.find("sum", 0x03, 0);
        // The instruction behind the loop's header, at each turn.
        guest.debugger.break_at(&mut guest.store, &guest.module, WasmOffset::new(header.get() + 2)).unwrap();
        assert_eq!(guest.call("sum", &[Val::I32(100)]).unwrap(), [Val::I32(10 + 98 + 99)], "{tier:?}");
        assert_eq!(guest.call("sum", &[Val::I32(4)]).unwrap(), [Val::I32(6)]);
    }
}

#[test]
fn the_innermost_of_many_frames_and_no_other() {
    for tier in TIERS {
        let stepped = Arc::new(AtomicUsize::new(0));
        let steps = stepped.clone();
        let mut guest = Guest::new(tier, LOOP, &[], move |stop| {
            if stop.frame(0).unwrap().local(0) == Some(Val::I64(0)) && stop.frame_count() == 201 {
                let error = stop.set_local(1, 0, Val::I64(3)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::State);
                assert!(error.to_string().contains("frame 1 waits for a call"), "{error}");
                assert_eq!(stop.set_local(201, 0, Val::I64(3)).unwrap_err().kind(), ErrorKind::Argument);
                // Five more calls, none of which is to end the step.
                let debugger = stop.debugger();
                for breakpoint in debugger.breakpoints(stop).unwrap() {
                    debugger.remove(stop, breakpoint.id).unwrap();
                }
                stop.set_local(0, 0, Val::I64(5)).unwrap();
                return Action::StepOut;
            }
            if matches!(stop.reason(), Reason::Step) {
                // Behind the call, in the caller, with the result of 5!.
                let (_, locals, operands) = state(stop);
                assert_eq!(
                    (stop.frame_count(), locals, operands.last()),
                    (200, vec![Val::I64(1)], Some(&Val::I64(120)))
                );
                steps.fetch_add(1, Ordering::Relaxed);
                stop.set_operand(0, 1, Val::I64(0)).unwrap();
                return Action::Continue;
            }
            Action::Continue
        });
        let fac = guest.module.info().func_named("fac").unwrap();
        guest.debugger.break_at_function(&mut guest.store, &guest.module, fac).unwrap();
        // All that are further out have multiplied by what was 0.
        assert_eq!(guest.call("fac", &[Val::I64(200)]).unwrap(), [Val::I64(0)], "{tier:?}");
        assert!(stepped.load(Ordering::Relaxed) == 1, "the step out of the changed frame has ended");
    }
}

#[test]
fn a_trap_comes_of_what_was_written() {
    for tier in TIERS {
        let trapped = Arc::new(Mutex::new(Vec::new()));
        let traps = trapped.clone();
        let mut guest = Guest::new(tier, LOOP, &[], move |stop| {
            if let Reason::Trap(code) = *stop.reason() {
                let (at, locals, operands) = state(stop);
                traps.lock().unwrap().push((code, at, locals, operands));
                assert_eq!(stop.set_local(0, 0, Val::I32(1)).unwrap_err().kind(), ErrorKind::State);
                assert_eq!(stop.return_early(&[Val::I32(1)]).unwrap_err().kind(), ErrorKind::State);
            } else {
                stop.set_local(0, 1, Val::I32(0)).unwrap();
            }
            Action::Continue
        });
        let div = guest.module.info().func_named("div").unwrap();
        guest.debugger.break_at_function(&mut guest.store, &guest.module, div).unwrap();
        let error = guest.call("div", &[Val::I32(6), Val::I32(2)]).unwrap_err();
        assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::IntegerDivisionByZero), "{tier:?}");
        let at = guest.find("div", 0x6e, 0);
        let values = || vec![Val::I32(6), Val::I32(0)];
        assert_eq!(*trapped.lock().unwrap(), [(TrapCode::IntegerDivisionByZero, at, values(), values())], "{tier:?}");
        assert!(!guest.store.is_poisoned());
    }
}

#[test]
fn jumps_to_where_the_operands_fit() {
    for tier in TIERS {
        let to = Arc::new(Mutex::new(Vec::new()));
        let wanted = to.clone();
        let mut guest = Guest::new(tier, LOOP, &[], move |stop| {
            while let Some((offset, errors)) = wanted.lock().unwrap().pop() {
                let before = state(stop);
                let outcome = stop.jump(offset);
                assert_eq!(outcome.is_err(), errors, "{outcome:?}");
                let after = state(stop);
                assert_eq!(after.0, if errors { before.0 } else { offset });
                assert_eq!((before.1, before.2), (after.1, after.2));
            }
            Action::StepInstruction
        });
        let (store_at, nine) = (guest.find("skip", 0x36, 0), guest.find("skip", 0x41, 3));
        let skip = guest.module.info().func_named("skip").unwrap();
        guest.debugger.break_at_function(&mut guest.store, &guest.module, skip).unwrap();
        // The last first: another function's; two operands are missing; no instruction; over both side effects.
        *to.lock().unwrap() = vec![
            (nine, false),
            (WasmOffset::new(nine.get() + 1), true),
            (store_at, true),
            (guest.find("div", 0x01, 0), true),
        ];
        let at = |guest: &mut Guest| {
            let global = guest.instance.export(&mut guest.store, "g").unwrap().global().unwrap();
            global.set(&mut guest.store, Val::I32(0)).unwrap();
            assert_eq!(guest.call("skip", &[]).unwrap(), [Val::I32(9)]);
            global.get(&guest.store).unwrap()
        };
        assert_eq!(at(&mut guest), Val::I32(0), "both are skipped");
        assert!(to.lock().unwrap().is_empty());
        assert_eq!(at(&mut guest), Val::I32(1));
        // There and back again.
        let first = guest.find("skip", 0x41, 0);
        *to.lock().unwrap() = vec![(first, false), (nine, false)];
        assert_eq!(at(&mut guest), Val::I32(1));
        // Backwards: the loop's first turn once more.
        let again = guest.find("sum", 0x20, 0);
        let sum = guest.module.info().func_named("sum").unwrap();
        let written = guest.find("sum", 0x36, 0);
        let breakpoint = guest.debugger.break_at(&mut guest.store, &guest.module, written).unwrap();
        assert_eq!(breakpoint.func(), Some(sum));
        *to.lock().unwrap() = vec![(again, true)];
        assert_eq!(guest.call("sum", &[Val::I32(3)]).unwrap(), [Val::I32(3)], "two operands were on the stack");
    }
}

#[test]
fn returns_early() {
    for tier in TIERS {
        let mut guest = Guest::new(tier, LOOP, &[], |stop| {
            let name = stop.frame(0).unwrap().func_name().unwrap().to_owned();
            match name.as_str() {
                "sum" => {
                    assert_eq!(stop.return_early(&[]).unwrap_err().kind(), ErrorKind::Argument);
                    assert_eq!(stop.return_early(&[Val::I64(1)]).unwrap_err().kind(), ErrorKind::Argument);
                    stop.return_early(&[Val::I32(-7)]).unwrap();
                    assert_eq!(state(stop).2, [Val::I32(-7)]);
                }
                "ways" => stop.return_early(&[Val::I32(3), Val::I64(4)]).unwrap(),
                "fac" if stop.frame(0).unwrap().local(0) == Some(Val::I64(2)) => {
                    stop.return_early(&[Val::I64(1000)]).unwrap();
                }
                "forever" => {
                    let error = stop.return_early(&[Val::I32(1)]).unwrap_err();
                    assert!(error.to_string().contains("never returns"), "{error}");
                    return Action::Trap("enough".to_owned());
                }
                _ => {}
            }
            Action::Continue
        });
        for name in ["sum", "ways", "fac", "forever"] {
            let func = guest.module.info().func_named(name).unwrap();
            guest.debugger.break_at_function(&mut guest.store, &guest.module, func).unwrap();
        }
        assert_eq!(guest.call("sum", &[Val::I32(1 << 30)]).unwrap(), [Val::I32(-7)], "{tier:?}");
        assert_eq!(guest.call("ways", &[Val::I32(0)]).unwrap(), [Val::I32(3), Val::I64(4)], "{tier:?}");
        assert_eq!(guest.call("fac", &[Val::I64(4)]).unwrap(), [Val::I64(4 * 3 * 1000)], "{tier:?}");
        assert!(guest.call("forever", &[]).unwrap_err().to_string().contains("enough"));
    }
}

const TYPED: &str = r#"(module
    (type $point (sub (struct (field (mut i32)))))
    (type $wide (sub $point (struct (field (mut i32)) (field i64))))
    (type $other (struct (field i64)))
    (type $f (func (result i32)))
    (type $g (func (result i64)))
    (func $f (export "f") (type $f) (i32.const 1))
    (func $h (export "h") (type $f) (i32.const 2))
    (func $g (export "g") (type $g) (i64.const 3))
    (func (export "point") (param i32) (result anyref) (struct.new $point (local.get 0)))
    (func (export "wide") (param i32) (result anyref) (struct.new $wide (local.get 0) (i64.const 1)))
    (func (export "none") (result anyref) (struct.new $other (i64.const 1)))
    (func $read (param $p (ref null $point)) (param $c (ref $f)) (result i32) (local $q (ref $point))
        nop
        (i32.add (struct.get $point 0 (local.get $p)) (call_ref $f (local.get $c))))
    (func (export "run") (result i32) (call $read (struct.new $point (i32.const 10)) (ref.func $f))))"#;

#[test]
fn references_are_what_the_module_declares() {
    for tier in TIERS {
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        let mut guest = Guest::new(tier, TYPED, &[], move |stop| {
            if stop.frame(0).unwrap().func_name() != Some("read") {
                return Action::Continue;
            }
            let instance = stop.frame(0).unwrap().instance().unwrap();
            let make = |stop: &mut Stop<'_>, name: &str, args: &[Val]| {
                let func = instance.export(&mut *stop, name).unwrap().func().unwrap();
                let mut results = [Val::I32(0)];
                func.call(&mut *stop, args, &mut results).unwrap();
                results[0]
            };
            let func = |stop: &mut Stop<'_>, name: &str| {
                Val::FuncRef(Some(instance.export(&mut *stop, name).unwrap().func().unwrap()))
            };
            let refused = |stop: &mut Stop<'_>, local, value| {
                let error = stop.set_local(0, local, value).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
            };
            if count.fetch_add(1, Ordering::Relaxed) == 0 {
                let none = make(stop, "none", &[]);
                let g = func(stop, "g");
                for value in [none, g, Val::ExternRef(None), Val::FuncRef(None), Val::I32(0)] {
                    refused(stop, 0, value);
                }
                for value in [none, g, Val::FuncRef(None), Val::AnyRef(None)] {
                    refused(stop, 1, value);
                }
                refused(stop, 2, Val::AnyRef(None));
                refused(stop, 3, Val::I32(0));
                let error = stop.jump(stop.frame(0).unwrap().offset()).unwrap_err();
                assert!(error.to_string().contains("may not be null"), "{error}");
                let wide = make(stop, "wide", &[Val::I32(20)]);
                stop.set_local(0, 0, wide).unwrap();
                let h = func(stop, "h");
                stop.set_local(0, 1, h).unwrap();
                return Action::StepInstruction;
            }
            // Operands: what may stand where the wide one does is a wide one.
            if let [Val::AnyRef(Some(_))] = state(stop).2[..] {
                let point = make(stop, "point", &[Val::I32(30)]);
                assert_eq!(stop.set_operand(0, 0, point).unwrap_err().kind(), ErrorKind::Argument);
                assert_eq!(stop.set_operand(0, 0, Val::AnyRef(None)).unwrap_err().kind(), ErrorKind::Argument);
                let wide = make(stop, "wide", &[Val::I32(40)]);
                stop.set_operand(0, 0, wide).unwrap();
                return Action::Continue;
            }
            Action::StepInstruction
        });
        let nop = guest.find("read", 0x01, 0);
        guest.debugger.break_at(&mut guest.store, &guest.module, nop).unwrap();
        assert_eq!(guest.call("run", &[]).unwrap(), [Val::I32(42)], "{tier:?}");
        assert!(told.load(Ordering::Relaxed) >= 3);
    }
}

/// Written values of the same: nothing is different, no stop is told twice, and no frame is replaced.
#[test]
fn what_is_written_back_changes_nothing() {
    for tier in TIERS {
        let run = |writes: bool| {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let log = seen.clone();
            let mut guest = Guest::new(tier, LOOP, &[], move |stop| {
                let (at, locals, operands) = state(stop);
                if writes {
                    for (index, value) in locals.iter().enumerate() {
                        let other = if let Val::I32(number) = value { Val::I32(!number) } else { Val::I64(9) };
                        stop.set_local(0, index, other).unwrap();
                        stop.set_local(0, index, *value).unwrap();
                    }
                    for (index, value) in operands.iter().enumerate() {
                        stop.set_operand(0, index, *value).unwrap();
                    }
                    assert_eq!(state(stop), (at, locals.clone(), operands.clone()));
                }
                log.lock().unwrap().push((at, stop.frame_count(), locals, operands));
                Action::StepInstruction
            });
            guest.debugger.step_always(&mut guest.store, true).unwrap();
            let results = [guest.call("fac", &[Val::I64(9)]).unwrap(), guest.call("sum", &[Val::I32(20)]).unwrap()];
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            (results, seen)
        };
        let (plain, written) = (run(false), run(true));
        assert_eq!(plain.0, written.0);
        assert_eq!(plain.1.len(), written.1.len());
        assert!(plain.1 == written.1, "{tier:?}");
    }
}

/// A run within a stop stops in turn: the outer frame is not to be touched meanwhile, the inner one is.
#[test]
fn the_frame_of_an_outer_stop_waits() {
    for tier in TIERS {
        let depth = Arc::new(AtomicUsize::new(0));
        let level = depth.clone();
        let mut guest = Guest::new(tier, LOOP, &[], move |stop| {
            if level.fetch_add(1, Ordering::Relaxed) > 0 {
                stop.set_local(0, 0, Val::I32(50)).unwrap();
                return Action::Continue;
            }
            let instance = stop.frame(0).unwrap().instance().unwrap();
            let div = instance.export(&mut *stop, "div").unwrap().func().unwrap();
            let mut results = [Val::I32(0)];
            stop.set_local(0, 0, Val::I32(60)).unwrap();
            div.call(&mut *stop, &[Val::I32(1), Val::I32(5)], &mut results).unwrap();
            assert_eq!(results, [Val::I32(10)]);
            assert_eq!(state(stop).1, [Val::I32(60), Val::I32(3)]);
            Action::Continue
        });
        let div = guest.module.info().func_named("div").unwrap();
        guest.debugger.break_at_function(&mut guest.store, &guest.module, div).unwrap();
        assert_eq!(guest.call("div", &[Val::I32(6), Val::I32(3)]).unwrap(), [Val::I32(20)], "{tier:?}");
    }
}

/// In a `catch` block of before 3.0 an exception is at hand, which a jump into it would not have.
#[test]
fn nothing_jumps_into_a_block_that_has_caught() {
    const CAUGHT: &str = r#"(module
        (tag $t)
        (func $f (export "f") (result i32) (local i32)
            (if (local.get 0) (then try (throw $t) catch_all (rethrow 0) end))
            (i32.const 3)))"#;
    let mut config = Config { debug: true, ..Config::default() };
    config.features.legacy_exceptions = true;
    let engine = Engine::new(config).unwrap();
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let mut guest = Guest::with(
        &engine,
        CAUGHT,
        |_| Vec::new(),
        move |stop| {
            let (at, ..) = state(stop);
            let error = stop.jump(at).unwrap_err();
            assert!(error.to_string().contains("before 3.0"), "{error}");
            count.fetch_add(1, Ordering::Relaxed);
            stop.return_early(&[Val::I32(8)]).unwrap();
            Action::Continue
        },
    );
    let f = guest.module.info().func_named("f").unwrap();
    guest.debugger.break_at_function(&mut guest.store, &guest.module, f).unwrap();
    assert_eq!(guest.call("f", &[]).unwrap(), [Val::I32(8)]);
    assert_eq!(refused.load(Ordering::Relaxed), 1);
}
