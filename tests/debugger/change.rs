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
                assert_eq!(stop.set_local(201, 0, Val::I64(3)).unwrap_err().kind(), ErrorKind::Argument);
                assert_eq!(stop.return_early_from(201, &[Val::I64(3)]).unwrap_err().kind(), ErrorKind::Argument);
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
                assert_eq!(stop.set_local(1, 0, Val::I32(1)).unwrap_err().kind(), ErrorKind::State);
                assert_eq!(stop.return_early(&[Val::I32(1)]).unwrap_err().kind(), ErrorKind::State);
                assert_eq!(stop.return_early_from(1, &[Val::I32(1)]).unwrap_err().kind(), ErrorKind::State);
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

/// A function that calls itself with the same values, and below it one that only stands: `at` is its `nop`.
const DOWN: &str = r#"(module
    (func $leaf nop)
    (func $down (export "down")
        (param i32 i64 f32 f64 v128 externref funcref anyref i32)
        (result i32 i64 f32 f64 v128 externref funcref anyref)
        (if (local.get 8)
            (then
                (call $down (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
                    (local.get 6) (local.get 7) (i32.sub (local.get 8) (i32.const 1)))
                drop drop drop drop drop drop drop drop)
            (else (call $leaf)))
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7))
    (func $other (export "other")))"#;

#[test]
fn locals_of_every_kind_in_frames_that_wait() {
    for tier in TIERS {
        for depth in [1, 2, 5, 200] {
            let given = Arc::new(Mutex::new(None::<Vec<Val>>));
            let values = given.clone();
            let stops = Arc::new(AtomicUsize::new(0));
            let count = stops.clone();
            let mut guest = Guest::new(tier, DOWN, &[], move |stop| {
                count.fetch_add(1, Ordering::Relaxed);
                let new = values.lock().unwrap().clone().unwrap();
                assert_eq!(stop.frame_count(), depth + 1);
                let before: Vec<Vec<Val>> = (0..=depth).map(|frame| stop.frame(frame).unwrap().locals()).collect();
                let place = stop.frame(depth).unwrap().offset();
                for (index, value) in new.iter().enumerate() {
                    stop.set_local(depth, index, *value).unwrap();
                    assert_eq!(stop.frame(depth).unwrap().local(index), Some(*value));
                }
                // All is shown, and nothing else is another one.
                for (frame, before) in before.iter().enumerate().take(depth) {
                    assert_eq!(stop.frame(frame).unwrap().locals(), *before);
                }
                let frame = stop.frame(depth).unwrap();
                assert_eq!((frame.offset(), &frame.locals()[..8]), (place, &new[..]));
                assert_eq!(frame.local(8), before[depth].get(8).copied());
                Action::Continue
            });
            let other = guest.instance.export(&mut guest.store, "other").unwrap().func().unwrap();
            let new = others(&mut guest.store, other);
            *given.lock().unwrap() = Some(new.clone());
            let nop = guest.find("leaf", 0x01, 0);
            let breakpoint = guest.debugger.break_at(&mut guest.store, &guest.module, nop).unwrap();
            let mut args = zeros();
            args.push(Val::I32(depth as i32 - 1));
            // Once more: what was armed for the first is gone, and the second works like it.
            for calls in 1..=2 {
                assert_eq!(guest.call("down", &args).unwrap(), new, "{tier:?} {depth}");
                assert_eq!(stops.load(Ordering::Relaxed), calls);
            }
            guest.debugger.remove(&mut guest.store, breakpoint.id).unwrap();
            assert_eq!(armed(&guest), 0, "{tier:?} {depth}");
            assert_eq!(guest.call("down", &args).unwrap(), zeros(), "{tier:?} {depth}");
        }
    }
}

/// How many sites are armed.
fn armed(guest: &Guest) -> usize {
    guest.store.registry().plan().sites().count()
}

#[test]
fn operands_that_stay_below_a_call() {
    for tier in TIERS {
        let mut guest = Guest::new(tier, LOOP, &[], |stop| {
            if stop.frame(0).unwrap().local(0) == Some(Val::I64(0)) {
                // Frame n is in the call of n!, with n below its argument.
                let frame = |stop: &Stop<'_>, n| stop.frame(n).unwrap().operands();
                assert_eq!(frame(stop, 5), [Val::I64(5), Val::I64(4)]);
                let error = stop.set_operand(5, 1, Val::I64(0)).unwrap_err();
                assert!(error.to_string().contains("operand 1 is gone"), "{error}");
                assert!(stop.set_operand(5, 2, Val::I64(0)).unwrap_err().to_string().contains("the stack has 2"));
                assert_eq!(stop.set_operand(5, 0, Val::I32(0)).unwrap_err().kind(), ErrorKind::Argument);
                assert_eq!(frame(stop, 5), [Val::I64(5), Val::I64(4)]);
                stop.set_operand(5, 0, Val::I64(7)).unwrap();
                stop.set_operand(5, 0, Val::I64(50)).unwrap();
                stop.set_operand(1, 0, Val::I64(-1)).unwrap();
                // The local is read by nobody any more.
                stop.set_local(3, 0, Val::I64(1000)).unwrap();
                assert_eq!(frame(stop, 5), [Val::I64(50), Val::I64(4)]);
                assert_eq!(frame(stop, 3), [Val::I64(3), Val::I64(2)]);
                assert_eq!(frame(stop, 1), [Val::I64(-1), Val::I64(0)]);
            }
            Action::Continue
        });
        let fac = guest.module.info().func_named("fac").unwrap();
        guest.debugger.break_at_function(&mut guest.store, &guest.module, fac).unwrap();
        assert_eq!(guest.call("fac", &[Val::I64(10)]).unwrap(), [Val::I64(-36_288_000)], "{tier:?}");
    }
}

const CALLS: &str = r#"(module
    (type $two (func (param i32) (result i32)))
    (import "" "back" (func $back (param i32) (result i32)))
    (tag $t (param i32))
    (tag $empty)
    (table funcref (elem $leaf $throws))
    (global $flag (export "flag") (mut i32) (i32.const 0))
    (memory (export "memory") 1)
    (func $leaf (export "leaf") (type $two) nop (local.get 0))
    (func $throws (type $two)
        nop
        (if (global.get $flag) (then (throw $t (i32.const 7))))
        (i32.const 5))
    (func $turns (export "turns") (param $n i32) (result i32) (local $s i32)
        (loop $l
            (local.set $s (i32.add (local.get $s) (call $leaf (local.get $n))))
            (i32.store (i32.const 16) (local.get $s))
            (local.tee $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $l))
        (local.get $s))
    (func $catches (export "catches") (param $x i32) (result i32)
        (i32.const 1000)
        (block $h (result i32)
            (i32.const 50)
            (try_table (result i32) (catch $t $h) (call $throws (i32.const 0)))
            (i32.add))
        (i32.add)
        (i32.add (local.get $x)))
    (func $by_ref (export "by_ref") (param $x i32) (result i32)
        (i32.const 1000)
        (block $h (result i32 exnref)
            (i32.const 50)
            (try_table (result i32) (catch_ref $t $h) (call $throws (i32.const 0)))
            (i32.add)
            (ref.null exn))
        (drop)
        (i32.add)
        (i32.add (local.get $x)))
    (func $all (export "all") (param $x i32) (result i32)
        (i32.const 1000)
        (block $h
            (loop $again
                (try_table (catch_all $again)
                    (br_if $h (i32.gt_u (local.get $x) (i32.const 9)))
                    (drop (call $throws (i32.const 0))))))
        (i32.add (local.get $x)))
    (func $out (export "out") (param $x i32) (result i32)
        (i32.const 1000)
        (try_table (result i32) (catch $t 0) (call $throws (i32.const 0)))
        (i32.add)
        (i32.add (local.get $x)))
    (func $out_twice (export "out_twice") (param $x i32) (result i32)
        (i32.mul (call $out (local.get $x)) (call $out (local.get $x))))
    (func $passes (export "passes") (param $x i32) (result i32)
        (i32.add (call $throws (i32.const 0)) (local.get $x)))
    (func $indirect (export "indirect") (param $x i32) (result i32)
        (i32.const 3)
        (call_indirect (type $two) (local.get $x) (i32.const 0))
        (i32.mul)
        (i32.add (local.get $x)))
    (func $refs (export "refs") (param $x i32) (result i32)
        (i32.const 3)
        (call_ref $two (local.get $x) (ref.func $leaf))
        (i32.mul)
        (i32.add (local.get $x)))
    (func $host (export "host") (param $x i32) (result i32)
        (i32.add (call $back (local.get $x)) (local.get $x)))
    (func $inner (export "inner") (param $x i32) (result i32)
        (i32.const 100)
        (i32.add (call $leaf (local.get $x)))
        (i32.add (local.get $x)))
    (func $nested (export "nested") (param $n i32) (result i32)
        (if (result i32) (local.get $n)
            (then (call $nested (i32.sub (local.get $n) (i32.const 1))))
            (else (call $leaf (local.get $n)))))
    (func $many (export "many") (param $turns i32) (param $depth i32) (result i32) (local $s i32)
        (loop $l
            (local.set $s (i32.add (local.get $s) (call $nested (local.get $depth))))
            (br_if $l (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
        (local.get $s)))"#;

/// What the host function `back` does with its store.
type Back = dyn Fn(&mut stepwell::runtime::Caller<'_>, i32) -> Result<i32, Error> + Send + Sync;

/// A guest of [`CALLS`] that stops at the `nop` of a function.
fn calling(
    tier: DebugTier,
    func: &str,
    back: impl Fn(&mut stepwell::runtime::Caller<'_>, i32) -> Result<i32, Error> + Send + Sync + 'static,
    handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
) -> Guest {
    let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
    let back: Arc<Back> = Arc::new(back);
    let import = |store: &mut Store| {
        let func = Func::wrap(store, move |mut caller: stepwell::runtime::Caller<'_>, x: i32| back(&mut caller, x));
        vec![func.unwrap().into()]
    };
    let mut guest = Guest::with(&engine, CALLS, import, handler);
    let nop = guest.find(func, 0x01, 0);
    guest.debugger.break_at(&mut guest.store, &guest.module, nop).unwrap();
    guest
}

fn no_host(_: &mut stepwell::runtime::Caller<'_>, _: i32) -> Result<i32, Error> {
    Ok(0)
}

fn one(guest: &mut Guest, name: &str, arg: i32) -> i32 {
    match guest.call(name, &[Val::I32(arg)]).unwrap()[..] {
        [Val::I32(result)] => result,
        ref other => panic!("{other:?}"),
    }
}

fn set_flag(guest: &mut Guest, flag: i32) {
    let global = guest.instance.export(&mut guest.store, "flag").unwrap().global().unwrap();
    global.set(&mut guest.store, Val::I32(flag)).unwrap();
}

#[test]
fn a_loop_that_calls_goes_on_with_what_was_written() {
    for tier in TIERS {
        let mut guest = calling(tier, "leaf", no_host, |stop| {
            // 10, 9, then as if it were 3.
            if stop.frame(1).unwrap().local(0) == Some(Val::I32(9)) {
                stop.set_local(1, 0, Val::I32(4)).unwrap();
            }
            if stop.frame(1).unwrap().local(0) == Some(Val::I32(2)) {
                let Some(Val::I32(sum)) = stop.frame(1).unwrap().local(1) else { panic!() };
                stop.set_local(1, 1, Val::I32(sum + 100)).unwrap();
            }
            Action::Continue
        });
        // The sum is on the stack already when it is changed the second time.
        assert_eq!(one(&mut guest, "turns", 10), 10 + 9 + 3 + 2 + 1, "{tier:?}");
        let memory = guest.instance.export(&mut guest.store, "memory").unwrap().memory().unwrap();
        let mut bytes = [0; 4];
        memory.read(&guest.store, 16, &mut bytes).unwrap();
        assert_eq!(i32::from_le_bytes(bytes), 25, "{tier:?}");
    }
}

#[test]
fn a_frame_that_catches_goes_on_with_what_was_written() {
    for tier in TIERS {
        let mut guest = calling(tier, "throws", no_host, |stop| {
            let name = stop.frame(1).unwrap().func_name().unwrap().to_owned();
            let operands = stop.frame(1).unwrap().operands().len() - 1;
            if operands > 0 {
                // In the loop's second turn it is what it was given in the first.
                let there = stop.frame(1).unwrap().operands()[0];
                assert!(there == Val::I32(1000) || (name == "all" && there == Val::I32(2000)));
                stop.set_operand(1, 0, Val::I32(2000)).unwrap();
            }
            if operands > 1 {
                stop.set_operand(1, 1, Val::I32(60)).unwrap();
            }
            let Some(Val::I32(x)) = stop.frame(1).unwrap().local(0) else { panic!() };
            stop.set_local(1, 0, Val::I32(if name == "all" { x + 5 } else { x + 30_000 })).unwrap();
            Action::Continue
        });
        for name in ["catches", "by_ref"] {
            set_flag(&mut guest, 0);
            assert_eq!(one(&mut guest, name, 4), 2000 + 5 + 60 + 30_004, "{tier:?} {name}");
            set_flag(&mut guest, 1);
            assert_eq!(one(&mut guest, name, 4), 2000 + 7 + 30_004, "{tier:?} {name}");
        }
        // Each exception leads to the loop's next turn; the changes of one are there in the next.
        set_flag(&mut guest, 1);
        assert_eq!(one(&mut guest, "all", 1), 2000 + 11, "{tier:?}");
        // The exception's value is what the function returns at once: nothing of it goes on.
        assert_eq!(one(&mut guest, "out", 4), 7, "{tier:?}");
        assert_eq!(one(&mut guest, "out_twice", 4), 49, "{tier:?}");
        set_flag(&mut guest, 0);
        assert_eq!(one(&mut guest, "out", 4), 2000 + 5 + 30_004, "{tier:?}");
        assert_eq!(one(&mut guest, "passes", 4), 5 + 30_004, "{tier:?}");
        // Nobody catches it: what was made of the frame goes with it.
        set_flag(&mut guest, 1);
        guest.call("passes", &[Val::I32(4)]).unwrap_err();
        let there = guest.debugger.breakpoints(&guest.store).unwrap();
        guest.debugger.remove(&mut guest.store, there[0].id).unwrap();
        set_flag(&mut guest, 0);
        assert_eq!(one(&mut guest, "passes", 4), 5 + 4, "{tier:?}");
        assert_eq!(one(&mut guest, "out_twice", 4), 1009 * 1009, "{tier:?}");
        assert_eq!(armed(&guest), 0, "{tier:?}");
        assert_eq!(*guest.store.registry().plan().step(), stepwell::internals::code::StepScope::Off, "{tier:?}");
    }
}

#[test]
fn callers_by_references_and_of_other_instances() {
    for tier in TIERS {
        let mut guest = calling(tier, "leaf", no_host, |stop| {
            let operands = stop.frame(1).unwrap().operands();
            assert_eq!((operands.len(), operands[0]), (3, Val::I32(3)));
            for index in 1..3 {
                let error = stop.set_operand(1, index, operands[index]).unwrap_err();
                assert!(error.to_string().contains("is gone"), "{error}");
            }
            stop.set_operand(1, 0, Val::I32(10)).unwrap();
            stop.set_local(1, 0, Val::I32(1)).unwrap();
            Action::Continue
        });
        assert_eq!(one(&mut guest, "indirect", 6), 61, "{tier:?}");
        assert_eq!(one(&mut guest, "refs", 6), 61, "{tier:?}");
        // Another module's function waits for this one's.
        const CALLER: &str = r#"(module
            (import "" "leaf" (func $leaf (param i32) (result i32)))
            (func $f (export "f") (param $x i32) (result i32)
                (i32.const 3) (call $leaf (local.get $x)) (ref.null func) (drop) (i32.mul) (i32.add (local.get $x))))"#;
        let module = Module::new(guest.store.engine(), &wat::parse_str(CALLER).unwrap()).unwrap();
        let leaf = guest.instance.export(&mut guest.store, "leaf").unwrap();
        let there = guest.debugger.breakpoints(&guest.store).unwrap();
        guest.debugger.remove(&mut guest.store, there[0].id).unwrap();
        let instance = Instance::new(&mut guest.store, &module, &[leaf]).unwrap();
        let f = instance.export(&mut guest.store, "f").unwrap().func().unwrap();
        let mut results = [Val::I32(0)];
        f.call(&mut guest.store, &[Val::I32(6)], &mut results).unwrap();
        assert_eq!(results, [Val::I32(24)], "{tier:?}");
    }
}

#[test]
fn a_caller_in_another_instance() {
    const CALLER: &str = r#"(module
        (import "" "leaf" (func $leaf (param i32) (result i32)))
        (func $f (export "f") (param $x i32) (result i32)
            (i32.const 3) (call $leaf (local.get $x)) (i32.mul) (i32.add (local.get $x))))"#;
    for tier in TIERS {
        let mut guest = calling(tier, "leaf", no_host, |stop| {
            assert_ne!(stop.frame(0).unwrap().instance(), stop.frame(1).unwrap().instance());
            stop.set_operand(1, 0, Val::I32(10)).unwrap();
            stop.set_local(1, 0, Val::I32(1)).unwrap();
            Action::Continue
        });
        let module = Module::new(guest.store.engine(), &wat::parse_str(CALLER).unwrap()).unwrap();
        let leaf = guest.instance.export(&mut guest.store, "leaf").unwrap();
        let instance = Instance::new(&mut guest.store, &module, &[leaf]).unwrap();
        let f = instance.export(&mut guest.store, "f").unwrap().func().unwrap();
        let mut results = [Val::I32(0)];
        f.call(&mut guest.store, &[Val::I32(6)], &mut results).unwrap();
        assert_eq!(results, [Val::I32(61)], "{tier:?}");
    }
}

#[test]
fn a_frame_that_waits_for_the_host() {
    for tier in TIERS {
        let back = |caller: &mut stepwell::runtime::Caller<'_>, x: i32| {
            let inner = caller.export("inner").and_then(|item| item.func()).unwrap();
            let mut results = [Val::I32(0)];
            inner.call(&mut *caller, &[Val::I32(x)], &mut results)?;
            let [Val::I32(result)] = results else { panic!() };
            Ok(result)
        };
        let mut guest = calling(tier, "leaf", back, |stop| {
            assert_eq!(stop.frame_count(), 3);
            assert!(stop.frame(2).unwrap().called_through_host());
            let error = stop.return_early_from(2, &[Val::I32(0)]).unwrap_err();
            assert!(error.to_string().contains("a host function stands between"), "{error}");
            assert_eq!(error.kind(), ErrorKind::State);
            stop.set_local(2, 0, Val::I32(10_000)).unwrap();
            stop.set_local(1, 0, Val::I32(2_000)).unwrap();
            assert_eq!(stop.frame(2).unwrap().locals(), [Val::I32(10_000)]);
            Action::Continue
        });
        assert_eq!(one(&mut guest, "host", 7), 10_000 + 100 + 7 + 2_000, "{tier:?}");
    }
}

/// A frame that the host leaves takes with it what was made of it, though the next one stands at the same address.
#[test]
fn what_a_host_function_gives_up_does_not_come_back() {
    for tier in TIERS {
        let back = |caller: &mut stepwell::runtime::Caller<'_>, x: i32| {
            let inner = caller.export("inner").and_then(|item| item.func()).unwrap();
            let mut results = [Val::I32(0)];
            inner.call(&mut *caller, &[Val::I32(x)], &mut results).unwrap_err();
            inner.call(&mut *caller, &[Val::I32(x)], &mut results)?;
            let [Val::I32(result)] = results else { panic!() };
            Ok(result)
        };
        let stops = Arc::new(AtomicUsize::new(0));
        let count = stops.clone();
        let mut guest = calling(tier, "leaf", back, move |stop| {
            if count.fetch_add(1, Ordering::Relaxed) % 2 == 0 {
                stop.set_local(1, 0, Val::I32(2_000)).unwrap();
                return Action::Trap("the first".to_owned());
            }
            assert_eq!(stop.frame(1).unwrap().locals(), [Val::I32(7)]);
            Action::Continue
        });
        for _ in 0..1000 {
            assert_eq!(one(&mut guest, "host", 7), 7 + 100 + 7 + 7, "{tier:?}");
        }
        assert_eq!(stops.load(Ordering::Relaxed), 2000);
        let there = guest.debugger.breakpoints(&guest.store).unwrap();
        guest.debugger.remove(&mut guest.store, there[0].id).unwrap();
        assert_eq!(armed(&guest), 0, "{tier:?}");
    }
}

/// What stops right behind the call sees what was written: a breakpoint, a step, a condition.
#[test]
fn stops_behind_the_call_see_what_was_written() {
    for tier in TIERS {
        for action in [Action::Continue, Action::StepOut, Action::StepOver, Action::StepOutOf(1)] {
            let told = Arc::new(Mutex::new(Vec::new()));
            let (log, wanted) = (told.clone(), action.clone());
            let mut guest = calling(tier, "leaf", no_host, move |stop| {
                let name = stop.frame(0).unwrap().func_name().unwrap().to_owned();
                if name == "leaf" {
                    if stop.frame(1).unwrap().local(0) != Some(Val::I32(40)) {
                        stop.set_local(1, 0, Val::I32(40)).unwrap();
                        stop.set_operand(1, 0, Val::I32(500)).unwrap();
                    }
                    return wanted.clone();
                }
                let (_, locals, operands) = state(stop);
                log.lock().unwrap().push((matches!(stop.reason(), Reason::Step), locals, operands));
                // Here it is the innermost: once more.
                stop.set_local(0, 0, Val::I32(41)).unwrap();
                Action::Continue
            });
            // The instruction behind the call: `i32.add`.
            let behind = guest.find("inner", 0x6a, 0);
            let steps = !matches!(action, Action::Continue);
            let mut breakpoints = vec![None];
            if !steps {
                breakpoints.push(Some("local(0) == 40"));
            }
            for condition in breakpoints {
                if !steps {
                    let at = guest.debugger.break_at(&mut guest.store, &guest.module, behind).unwrap();
                    if let Some(text) = condition {
                        let condition = stepwell::debug::Condition::text(text).unwrap();
                        let change = |options: &mut stepwell::debug::BreakOptions| options.condition = Some(condition);
                        guest.debugger.change_breakpoint(&mut guest.store, at.id, change).unwrap();
                    }
                }
                assert_eq!(one(&mut guest, "inner", 6), 500 + 6 + 41, "{tier:?} {action:?} {condition:?}");
                let told = std::mem::take(&mut *told.lock().unwrap());
                let state = (vec![Val::I32(40)], vec![Val::I32(500), Val::I32(6)]);
                // A step over comes there by the leaf's own instructions.
                let last = told.last().unwrap().clone();
                assert_eq!((last.1, last.2), state, "{tier:?} {action:?}");
                assert_eq!((told.len(), last.0), (1, steps), "{tier:?} {action:?}");
            }
        }
    }
}

/// A watched local: what the debugger writes is nobody's write, what the guest writes then is told with it.
#[test]
fn watchpoints_of_frames_that_wait() {
    for tier in TIERS {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = told.clone();
        let mut guest = calling(tier, "leaf", no_host, move |stop| {
            for hit in stop.reason().watchpoints() {
                log.lock().unwrap().push((hit.is_end, hit.old.clone(), hit.new.clone()));
            }
            if stop.frame(0).unwrap().func_name() == Some("leaf")
                && stop.frame(1).unwrap().local(0) == Some(Val::I32(2))
            {
                let debugger = stop.debugger();
                debugger.watch_local(stop, 1, 0, stepwell::debug::WatchKind::Write).unwrap();
                stop.set_local(1, 0, Val::I32(9)).unwrap();
                for breakpoint in debugger.breakpoints(stop).unwrap() {
                    debugger.remove(stop, breakpoint.id).unwrap();
                }
            }
            if let Some(Val::I32(8)) = stop.frame(0).unwrap().local(0) {
                stop.set_local(0, 0, Val::I32(1)).unwrap();
            }
            Action::Continue
        });
        one(&mut guest, "turns", 2);
        let bytes = |number: i32| number.to_le_bytes().to_vec();
        assert_eq!(*told.lock().unwrap(), [(false, bytes(9), bytes(8)), (false, bytes(1), bytes(0))], "{tier:?}");
        // The frame has ended in the host, which is seen when it calls next.
        assert_eq!(one(&mut guest, "turns", 3), 6);
        assert_eq!(armed(&guest), 0);
    }
}

#[test]
fn returns_early_from_frames_that_wait() {
    for tier in TIERS {
        for depth in [0, 1, 4, 199] {
            let stacks = Arc::new(Mutex::new(std::collections::HashSet::new()));
            let seen = stacks.clone();
            let mut guest = calling(tier, "leaf", no_host, move |stop| {
                let here = 0u8;
                seen.lock().unwrap().insert(std::ptr::from_ref(&here) as usize);
                assert_eq!(stop.frame_count(), depth + 3);
                let outermost = stop.frame(depth + 2).unwrap().id();
                let kept = stop.frame(depth + 1).unwrap().id();
                for wrong in [vec![], vec![Val::I64(1)], vec![Val::I32(1), Val::I32(2)]] {
                    let error = stop.return_early_from(depth + 1, &wrong).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Argument);
                    assert_eq!(stop.frame_count(), depth + 3);
                }
                stop.return_early_from(depth + 1, &[Val::I32(3)]).unwrap();
                assert_eq!(stop.frame_count(), 2);
                let top = stop.frame(0).unwrap();
                assert_eq!((top.func_name(), top.id(), top.operands()), (Some("nested"), kept, vec![Val::I32(3)]));
                assert_eq!(top.locals(), [Val::I32(depth as i32)]);
                assert_eq!(stop.frame(1).unwrap().id(), outermost);
                // It is the innermost now, and can be changed like that.
                stop.set_operand(0, 0, Val::I32(2)).unwrap();
                Action::Continue
            });
            let results = guest.call("many", &[Val::I32(1000), Val::I32(depth as i32)]).unwrap();
            assert_eq!(results, [Val::I32(2000)], "{tier:?} {depth}");
            // The stack is as deep in the last turn as in the first. (The caller goes on in the same code.)
            assert!(stacks.lock().unwrap().len() <= 2, "{tier:?} {depth} {:?}", stacks.lock().unwrap());
        }
    }
}

/// Frames whose callers keep values in registers: what was saved of them is put back, by whichever of the frames.
#[test]
fn callers_have_their_registers_when_frames_are_left() {
    const REGISTERS: &str = r#"(module
        (memory 1)
        (func $leaf (param i64) (result i64) nop (local.get 0))
        (func $busy (param $n i64) (param $depth i32) (result i64) (local i64 i64 i64 i64 i64 i64)
            (local.set 2 (i64.mul (local.get $n) (i64.const 3)))
            (local.set 3 (i64.add (local.get $n) (i64.load (i32.const 8))))
            (local.set 4 (i64.xor (local.get $n) (i64.load (i32.const 16))))
            (local.set 5 (i64.sub (local.get $n) (i64.load (i32.const 24))))
            (local.set 6 (i64.or (local.get $n) (i64.load (i32.const 32))))
            (local.set 7 (i64.add (local.get $n) (i64.const 77)))
            (if (result i64) (local.get $depth)
                (then (call $busy (i64.add (local.get $n) (i64.const 1)) (i32.sub (local.get $depth) (i32.const 1))))
                (else (call $leaf (local.get $n))))
            (i64.add (local.get 2)) (i64.add (local.get 3)) (i64.add (local.get 4))
            (i64.add (local.get 5)) (i64.add (local.get 6)) (i64.add (local.get 7)))
        ;; It needs no register over its call, and so saves none.
        (func $thin (param i64 i32) (result i64) (call $busy (local.get 0) (local.get 1)))
        (func (export "run") (param $n i64) (param $depth i32) (result i64) (local i64 i64 i64)
            (local.set 2 (i64.add (local.get $n) (i64.const 1)))
            (local.set 3 (i64.add (local.get $n) (i64.const 2)))
            (local.set 4 (i64.add (local.get $n) (i64.const 3)))
            (call $thin (local.get $n) (local.get $depth))
            (i64.add (local.get 2)) (i64.add (local.get 3)) (i64.add (local.get 4)) (i64.add (local.get $n))))"#;
    // What a frame of `busy` adds to what it calls: 3n, five times n, and 77.
    let adds = |n: i64| 8 * n + 77;
    for tier in TIERS {
        for depth in 0..6 {
            for from in 0..depth + 3 {
                let mut guest = Guest::new(tier, REGISTERS, &[], move |stop| {
                    stop.return_early_from(from, &[Val::I64(5)]).unwrap();
                    Action::Continue
                });
                let nop = guest.find("leaf", 0x01, 0);
                guest.debugger.break_at(&mut guest.store, &guest.module, nop).unwrap();
                // Frame 0 is the leaf's; frame i the call of `busy` with n + depth + 1 - i; then that of `thin`.
                let outer = (0..(depth + 1).saturating_sub(from)).map(|level| adds(10 + level as i64));
                let expected = 5 + outer.sum::<i64>() + 4 * 10 + 6;
                let results = guest.call("run", &[Val::I64(10), Val::I32(depth as i32)]).unwrap();
                assert_eq!(results, [Val::I64(expected)], "{tier:?} {depth} {from}");
            }
        }
    }
}

/// All that a step may mean where frames were left; and a jump of the frame that has become the innermost.
#[test]
fn steps_and_jumps_after_frames_were_left() {
    for tier in TIERS {
        for action in [Action::StepInstruction, Action::StepOver, Action::StepOut, Action::StepOutOf(1)] {
            let told = Arc::new(Mutex::new(Vec::new()));
            let (log, wanted) = (told.clone(), action.clone());
            let mut guest = calling(tier, "leaf", no_host, move |stop| {
                if matches!(stop.reason(), Reason::Step) {
                    let frame = stop.frame(0).unwrap();
                    log.lock().unwrap().push((frame.func_name().unwrap().to_owned(), frame.operands()));
                    return Action::Continue;
                }
                stop.return_early_from(3, &[Val::I32(9)]).unwrap();
                wanted.clone()
            });
            let results = guest.call("many", &[Val::I32(1), Val::I32(2)]).unwrap();
            assert_eq!(results, [Val::I32(9)], "{tier:?} {action:?}");
            let there = ("many".to_owned(), vec![Val::I32(0), Val::I32(9)]);
            assert_eq!(*told.lock().unwrap(), [there], "{tier:?} {action:?}");
        }
        let to = Arc::new(Mutex::new(WasmOffset::new(0)));
        let wanted = to.clone();
        let stops = Arc::new(AtomicUsize::new(0));
        let count = stops.clone();
        let mut guest = calling(tier, "leaf", no_host, move |stop| {
            if count.fetch_add(1, Ordering::Relaxed) == 0 {
                let frame = stop.frame_count() - 1;
                stop.return_early_from(frame, &[Val::I32(9)]).unwrap();
                let error = stop.jump(*wanted.lock().unwrap()).unwrap_err();
                assert!(error.to_string().contains("other operands are needed"), "{error}");
                stop.set_local(0, 0, Val::I32(1)).unwrap();
            }
            Action::Continue
        });
        *to.lock().unwrap() = guest.find("nested", 0x20, 0);
        assert_eq!(one(&mut guest, "nested", 3), 9, "{tier:?}");
    }
}

/// What was bound to the frames that are left ends with them, and is told where the caller goes on.
#[test]
fn watchpoints_end_with_frames_that_are_left() {
    for tier in TIERS {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = told.clone();
        let mut guest = calling(tier, "leaf", no_host, move |stop| {
            let hits: Vec<_> = stop.reason().watchpoints().iter().map(|hit| (hit.is_end, hit.old.clone())).collect();
            let debugger = stop.debugger();
            if !hits.is_empty() {
                log.lock().unwrap().push((stop.frame(0).unwrap().func_name().unwrap().to_owned(), hits));
                return Action::Continue;
            }
            if debugger.watchpoints(stop).unwrap().is_empty() && log.lock().unwrap().is_empty() {
                // The leaf's, one of a frame between, that of the frame which returns, and that of its caller.
                for frame in [0, 1, 3, 4] {
                    debugger.watch_local(stop, frame, 0, stepwell::debug::WatchKind::Change).unwrap();
                }
                // What is to be in a frame that is left is nobody's any more.
                stop.set_local(2, 0, Val::I32(77)).unwrap();
                stop.set_local(4, 2, Val::I32(1000)).unwrap();
                stop.return_early_from(3, &[Val::I32(9)]).unwrap();
            }
            Action::Continue
        });
        let results = guest.call("many", &[Val::I32(1), Val::I32(2)]).unwrap();
        // The sum was on the stack when it was changed, and is set anew.
        assert_eq!(results, [Val::I32(9)], "{tier:?}");
        let end = |number: i32| (true, number.to_le_bytes().to_vec());
        let told = std::mem::take(&mut *told.lock().unwrap());
        assert_eq!(told[0], ("many".to_owned(), vec![end(0), end(0), end(2)]), "{tier:?} {told:?}");
        // The caller's own is told of its write, and ends in the host without a word.
        assert_eq!(told.len(), 2, "{tier:?} {told:?}");
        assert!(!told[1].1[0].0, "{tier:?}");
        assert!(guest.debugger.watchpoints(&guest.store).unwrap().is_empty());
        let there = guest.debugger.breakpoints(&guest.store).unwrap();
        guest.debugger.remove(&mut guest.store, there[0].id).unwrap();
        assert_eq!(one(&mut guest, "nested", 3), 0);
        assert_eq!(armed(&guest), 0, "{tier:?}");
    }
}

/// A stop within a stop: callers of both can be changed, the frame of the outer stop cannot.
#[test]
fn callers_of_nested_stops() {
    for tier in TIERS {
        let depth = Arc::new(AtomicUsize::new(0));
        let level = depth.clone();
        let mut guest = calling(tier, "leaf", no_host, move |stop| {
            match level.fetch_add(1, Ordering::Relaxed) {
                0 => {
                    let instance = stop.frame(0).unwrap().instance().unwrap();
                    let nested = instance.export(&mut *stop, "inner").unwrap().func().unwrap();
                    let mut results = [Val::I32(0)];
                    nested.call(&mut *stop, &[Val::I32(1)], &mut results).unwrap();
                    assert_eq!(results, [Val::I32(100 + 1 + 500)]);
                    assert_eq!(stop.frame(1).unwrap().locals(), [Val::I32(30)]);
                    stop.set_operand(1, 0, Val::I32(4)).unwrap();
                }
                _ => {
                    // leaf, inner; then leaf and inner of the outer stop.
                    assert_eq!(stop.frame_count(), 4);
                    stop.set_local(1, 0, Val::I32(500)).unwrap();
                    let error = stop.set_local(2, 0, Val::I32(5)).unwrap_err();
                    assert!(error.to_string().contains("event further out"), "{error}");
                    assert_eq!(stop.return_early_from(2, &[Val::I32(5)]).unwrap_err().kind(), ErrorKind::State);
                    assert_eq!(stop.return_early_from(3, &[Val::I32(5)]).unwrap_err().kind(), ErrorKind::State);
                    stop.set_local(3, 0, Val::I32(30)).unwrap();
                }
            }
            Action::Continue
        });
        assert_eq!(one(&mut guest, "inner", 7), 4 + 7 + 30, "{tier:?}");
    }
}

/// What is to be in a frame is not collected, and what is in it neither: it may go on with that after all.
#[test]
fn references_are_kept_until_the_frame_goes_on() {
    const OBJECTS: &str = r#"(module
        (type $box (struct (field (mut i32))))
        (func $make (export "make") (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
        (func $leaf
            nop
            (drop (call $make (i32.const 1))) (drop (call $make (i32.const 2))) (drop (call $make (i32.const 3))))
        (func $sum (export "sum") (result i32) (local $a (ref null $box)) (local $b (ref null $box))
            (local.set $a (call $make (i32.const 10)))
            (local.set $b (call $make (i32.const 20)))
            (call $make (i32.const 40))
            (call $leaf)
            (struct.get $box 0)
            (i32.add (struct.get $box 0 (local.get $a)))
            (i32.add (struct.get $box 0 (local.get $b)))))"#;
    for tier in TIERS {
        let config = Config { debug: true, debug_tier: tier, force_collections: true, ..Config::default() };
        let engine = Engine::new(config).unwrap();
        let handler = |stop: &mut Stop<'_>| {
            let instance = stop.frame(0).unwrap().instance().unwrap();
            let make = instance.export(&mut *stop, "make").unwrap().func().unwrap();
            let new = |stop: &mut Stop<'_>, number| {
                let mut results = [Val::I32(0)];
                make.call(&mut *stop, &[Val::I32(number)], &mut results).unwrap();
                results[0]
            };
            let value = new(stop, 100);
            stop.set_local(1, 0, value).unwrap();
            let value = new(stop, 4000);
            stop.set_operand(1, 0, value).unwrap();
            assert_eq!(
                stop.set_local(1, 1, Val::AnyRef(Some(AnyRef::i31(3)))).unwrap_err().kind(),
                ErrorKind::Argument
            );
            new(stop, 5);
            Action::Continue
        };
        let mut guest = Guest::with(&engine, OBJECTS, |_| Vec::new(), handler);
        let nop = guest.find("leaf", 0x01, 0);
        guest.debugger.break_at(&mut guest.store, &guest.module, nop).unwrap();
        assert_eq!(guest.call("sum", &[]).unwrap(), [Val::I32(4000 + 100 + 20)], "{tier:?}");
    }
}

/// Where nothing is refused for its own sake, and where a frame that waits cannot be changed.
#[test]
fn what_is_refused_of_frames_that_wait() {
    for tier in TIERS {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let mut guest = calling(tier, "leaf", no_host, move |stop| {
            count.fetch_add(1, Ordering::Relaxed);
            assert!(stop.set_local(1, 1, Val::I32(1)).unwrap_err().to_string().contains("there is no local 1"));
            assert!(stop.set_local(1, 0, Val::I64(1)).unwrap_err().to_string().contains("of type i32"));
            assert_eq!(stop.set_local(usize::MAX, 0, Val::I32(1)).unwrap_err().kind(), ErrorKind::Argument);
            assert_eq!(stop.frame(1).unwrap().locals(), [Val::I32(7)]);
            Action::Continue
        });
        assert_eq!(one(&mut guest, "inner", 7), 114, "{tier:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let there = guest.debugger.breakpoints(&guest.store).unwrap();
        guest.debugger.remove(&mut guest.store, there[0].id).unwrap();
        assert_eq!(armed(&guest), 0, "{tier:?}");
    }
}

/// At a stop for a watched read, in the middle of a region, the guest stands behind the access: what it leaves then is
/// paid for once, and the access is not done again.
#[test]
fn frames_are_left_at_a_watched_access() {
    const READS: &str = r#"(module
        (memory (export "memory") 1)
        (func $reads (param $x i32) (result i32)
            (i32.add (i32.load (i32.const 64)) (i32.load (i32.const 128)))
            (i32.store (i32.const 64) (i32.const 1)))
        (func $outer (export "outer") (param $x i32) (result i32)
            (i32.const 5)
            (i32.mul (call $reads (local.get $x)))
            (i32.add (local.get $x))))"#;
    for tier in TIERS {
        for leaves in [false, true] {
            let engine =
                Engine::new(Config { debug: true, debug_tier: tier, fuel: true, ..Config::default() }).unwrap();
            let told = Arc::new(Mutex::new(Vec::new()));
            let log = told.clone();
            let handler = move |stop: &mut Stop<'_>| {
                let hit = stop.reason().watchpoints()[0].clone();
                log.lock().unwrap().push((hit.is_read, stop.as_store_mut().fuel().unwrap()));
                assert_eq!(stop.frame_count(), 2);
                if leaves {
                    stop.return_early_from(1, &[Val::I32(77)]).unwrap();
                } else {
                    stop.set_operand(1, 0, Val::I32(6)).unwrap();
                    stop.set_local(1, 0, Val::I32(1000)).unwrap();
                }
                Action::Continue
            };
            let mut guest = Guest::with(&engine, READS, |_| Vec::new(), handler);
            guest.store.set_fuel(10_000).unwrap();
            let memory = guest.instance.export(&mut guest.store, "memory").unwrap().memory().unwrap();
            memory.write(&mut guest.store, 64, &[3, 0, 0, 0]).unwrap();
            memory.write(&mut guest.store, 128, &[4, 0, 0, 0]).unwrap();
            let kind = stepwell::debug::WatchKind::Access;
            guest.debugger.watch_memory(&mut guest.store, memory, 64..68, kind).unwrap();
            let result = one(&mut guest, "outer", 9);
            let told = std::mem::take(&mut *told.lock().unwrap());
            if leaves {
                assert_eq!((result, told.len(), told[0].0), (77, 1, true), "{tier:?}");
                // Of the region it has paid for nothing twice, and behind it runs but the end.
                let left = guest.store.fuel().unwrap();
                assert!((told[0].1.saturating_sub(1)..10_000).contains(&left), "{tier:?} {told:?} {left}");
            } else {
                assert_eq!(result, 6 * 7 + 1000, "{tier:?}");
                assert_eq!(told.iter().map(|told| told.0).collect::<Vec<_>>(), [true, false], "{tier:?}");
            }
            let mut bytes = [0; 1];
            memory.read(&guest.store, 64, &mut bytes).unwrap();
            assert_eq!(bytes, [if leaves { 3 } else { 1 }], "{tier:?}");
        }
    }
}
