//! What the runtime must keep to: traps with their frames, errors and panics of host functions, nested runs, linking,
//! memories that move, stores that do not mix.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stepwell::*;

fn engine() -> Engine {
    Engine::new(Config::default()).unwrap()
}

/// Engines in every way memory and traps can work.
fn engines() -> Vec<Engine> {
    let small = Config { memory_reservation: 1 << 16, memory_guard: 1 << 16, ..Config::default() };
    let without = Config { signals: false, ..Config::default() };
    let both = Config { signals: false, memory_reservation: 0, memory_guard: 0, ..Config::default() };
    [Config::default(), small, without, both].map(|config| Engine::new(config).unwrap()).into()
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

fn instance(store: &mut Store, text: &str, imports: &[Extern]) -> Instance {
    let module = module(&store.engine().clone(), text);
    Instance::new(store, &module, imports).unwrap()
}

fn trap(error: &Error) -> &Trap {
    assert_eq!(error.kind(), ErrorKind::Trap, "{error:?}");
    error.payload::<Trap>().unwrap()
}

fn names(trap: &Trap) -> Vec<&str> {
    trap.frames().iter().map(|frame| frame.func_name().unwrap_or("?")).collect()
}

#[test]
fn loads_instantiates_and_calls() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        let instance = instance(
            &mut store,
            r#"(module
                (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
                (func (export "swap") (param i64 f32 f64) (result f64 f32 i64)
                    (local.get 2) (local.get 1) (local.get 0))
                (func $fib (export "fib") (param i32) (result i32)
                    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                        (then (local.get 0))
                        (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                                       (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#,
            &[],
        );
        let add = instance.typed_func::<(i32, i32), i32>(&mut store, "add").unwrap();
        assert_eq!(add.call(&mut store, (2, 3)).unwrap(), 5);
        let swap = instance.typed_func::<(i64, f32, f64), (f64, f32, i64)>(&mut store, "swap").unwrap();
        assert_eq!(swap.call(&mut store, (-7, 1.5, 2.5)).unwrap(), (2.5, 1.5, -7));
        let fib = instance.export(&mut store, "fib").unwrap().func().unwrap();
        let mut results = [Val::I32(0)];
        fib.call(&mut store, &[Val::I32(20)], &mut results).unwrap();
        assert_eq!(results, [Val::I32(6765)]);
        for (params, results) in [(&[][..], 1), (&[Val::I64(1)], 1), (&[Val::I32(1)], 0)] {
            let error = fib.call(&mut store, params, &mut vec![Val::I32(0); results]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
        }
        assert!(fib.typed::<i32, i64>(&store).is_err());
        assert!(!store.live_frames());
    }
}

#[test]
fn vectors_are_typed_values() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        let turn = Func::wrap(&mut store, |n: i32, v: u128| (v.swap_bytes(), n + 1)).unwrap();
        let instance = instance(
            &mut store,
            r#"(module
                (import "" "" (func $turn (param i32 v128) (result v128 i32)))
                (func (export "f") (param v128 i32 v128) (result v128 i32)
                    (call $turn (local.get 1) (i32x4.add (local.get 0) (local.get 2)))))"#,
            &[Extern::Func(turn)],
        );
        let f = instance.typed_func::<(u128, i32, u128), (u128, i32)>(&mut store, "f").unwrap();
        let (a, b) = (0x0000_0004_0000_0003_0000_0002_ffff_ffff, 0x0000_0001_0000_0001_0000_0001_0000_0001);
        let sum: u128 = 0x0000_0005_0000_0004_0000_0003_0000_0000;
        assert_eq!(f.call(&mut store, (a, 41, b)).unwrap(), (sum.swap_bytes(), 42));
        let mut results = [Val::I32(0), Val::I32(0)];
        let bytes = |number: u128| Val::V128(number.to_le_bytes());
        f.func().call(&mut store, &[bytes(a), Val::I32(1), bytes(b)], &mut results).unwrap();
        assert_eq!(results, [bytes(sum.swap_bytes()), Val::I32(2)]);
    }
}

/// Functions that trap, by name, each called by `outer_` and its name.
const TRAPS: &[(&str, TrapCode, &str)] = &[
    ("unreachable", TrapCode::Unreachable, "unreachable"),
    ("load", TrapCode::MemoryOutOfBounds, "(drop (i32.load (i32.const 0x7fffffff)))"),
    ("store", TrapCode::MemoryOutOfBounds, "(i64.store offset=0xfffffff0 (i32.const 1000) (i64.const 1))"),
    ("edge", TrapCode::MemoryOutOfBounds, "(drop (i32.load (i32.const 65533)))"),
    ("fill", TrapCode::MemoryOutOfBounds, "(memory.fill (i32.const 65530) (i32.const 1) (i32.const 7))"),
    ("init", TrapCode::MemoryOutOfBounds, "(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 4))"),
    ("get", TrapCode::TableOutOfBounds, "(drop (table.get (i32.const 3)))"),
    ("tcopy", TrapCode::TableOutOfBounds, "(table.copy (i32.const 2) (i32.const 0) (i32.const 2))"),
    ("element", TrapCode::UndefinedElement, "(call_indirect (i32.const 3))"),
    ("null", TrapCode::UninitializedElement, "(call_indirect (i32.const 0))"),
    ("type", TrapCode::IndirectCallTypeMismatch, "(call_indirect (i32.const 1))"),
    ("div", TrapCode::IntegerDivisionByZero, "(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
    ("rem", TrapCode::IntegerDivisionByZero, "(drop (i64.rem_s (i64.const 1) (local.get 0)))"),
    ("overflow", TrapCode::IntegerOverflow, "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"),
    ("trunc", TrapCode::IntegerOverflow, "(drop (i32.trunc_f64_s (f64.const 1e10)))"),
    ("nan", TrapCode::InvalidConversion, "(drop (i32.trunc_f32_u (f32.const nan)))"),
];

fn trap_module() -> String {
    let mut text = String::from(
        r#"(module $traps (memory 1) (data "abc") (table 3 funcref) (elem (i32.const 1) $typed)
            (func $typed (param i32))"#,
    );
    for (name, _, body) in TRAPS {
        text += &format!("(func ${name} (local i64) nop {body})");
        text += &format!("(func $outer_{name} (export \"{name}\") (param i32) (call ${name}) nop)");
    }
    text + ")"
}

/// The body of a function: where it starts and ends in the binary.
fn body(module: &Module, func: base::FuncIndex) -> std::ops::Range<u32> {
    let info = module.info();
    let range = &info.bodies[info.defined(func).unwrap().index()].bytes;
    range.start as u32..range.end as u32
}

#[test]
fn every_trap_says_why_and_where() {
    for engine in engines() {
        for attached in [false, true] {
            let engine = match attached {
                false => engine.clone(),
                true => Engine::new(Config { debug: true, ..engine.config().clone() }).unwrap(),
            };
            let mut store = Store::new(&engine);
            if attached {
                store.attach(Arc::new(Quiet), ()).unwrap();
            }
            let module = module(&engine, &trap_module());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            for (name, code, _) in TRAPS {
                let func = instance.typed_func::<i32, ()>(&mut store, name).unwrap();
                for _ in 0..2 {
                    let error = func.call(&mut store, 7).unwrap_err();
                    let trap = trap(&error);
                    assert_eq!(trap.code(), Some(*code), "{name}: {trap}");
                    assert_eq!(trap.message(), code.message());
                    assert_eq!(names(trap), [*name, &format!("outer_{name}")], "{trap}");
                    assert_eq!(trap.frames()[0].instance(&store), Some(instance));
                    assert_eq!(trap.frames()[0].module_name(), Some("traps"));
                    let at = trap.frames()[0].offset();
                    // Behind the local declaration and the `nop`, before the `end`.
                    let body = body(&module, trap.frames()[0].func());
                    assert!((body.start + 4..body.end - 1).contains(&at.get()), "{name} at {at}");
                    // The call is the instruction after the (empty) local declarations.
                    assert_eq!(trap.frames()[1].func_offset(), 1);
                    assert!(format!("{trap}").contains(&format!("traps!outer_{name}")), "{trap}");
                }
                assert!(!store.live_frames() && !store.is_poisoned());
            }
        }
    }
}

struct Quiet;

impl EventSink for Quiet {
    type State = ();
    fn on_event(&self, _: &mut Told<'_, ()>, _: &Event<'_>) -> Result<Answer> {
        Ok(Answer::GoOn)
    }
}

#[test]
fn the_stack_overflows_into_a_trap_again_and_again() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        let instance = instance(
            &mut store,
            r#"(module (func $f (export "f") (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
                    (else (i32.const 0)))))"#,
            &[],
        );
        let f = instance.typed_func::<i32, i32>(&mut store, "f").unwrap();
        for _ in 0..5 {
            let error = f.call(&mut store, 100_000_000).unwrap_err();
            let trap = trap(&error);
            assert_eq!(trap.code(), Some(TrapCode::StackOverflow));
            assert_eq!(trap.frames().len(), 1024);
            assert!(trap.frames_omitted() > 1000);
            assert!(names(trap).iter().all(|name| *name == "f"));
            assert_eq!(f.call(&mut store, 1000).unwrap(), 1000);
        }
        // On a thread with little stack as well.
        let work = move || {
            let error = f.call(&mut store, 100_000_000).unwrap_err();
            assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::StackOverflow));
        };
        std::thread::Builder::new().stack_size(192 << 10).spawn(work).unwrap().join().unwrap();
    }
}

#[test]
fn host_functions_of_every_kind() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        let calls = Arc::new(AtomicUsize::new(0));
        let count = calls.clone();
        let plain = Func::wrap(&mut store, move |a: i32, b: i64| {
            count.fetch_add(1, Ordering::Relaxed);
            i64::from(a) + b
        });
        let ty = FuncType::new([ValType::F32, ValType::F64], [ValType::F64, ValType::F32]);
        let checked = Func::new(&mut store, ty.clone(), |_, params, results| {
            results[0] = params[1];
            results[1] = params[0];
            Ok(())
        });
        // SAFETY: one i32 in, one out.
        let raw = unsafe {
            Func::new_raw(&mut store, FuncType::new([ValType::I32], [ValType::I32]), |_, values| {
                (*values).i32 *= 2;
                Ok(())
            })
        };
        let caller = Func::wrap(&mut store, |mut caller: Caller<'_>, at: u32| -> Result<u32> {
            let memory = caller.export("memory").unwrap().memory().unwrap();
            let mut bytes = [0; 4];
            memory.read(&caller, at as usize, &mut bytes)?;
            Ok(u32::from_le_bytes(bytes))
        });
        let imports = [plain.unwrap(), checked.unwrap(), raw.unwrap(), caller.unwrap()];
        let instance = instance(
            &mut store,
            r#"(module
                (import "h" "plain" (func $plain (param i32 i64) (result i64)))
                (import "h" "checked" (func $checked (param f32 f64) (result f64 f32)))
                (import "h" "raw" (func $raw (param i32) (result i32)))
                (import "h" "caller" (func $caller (param i32) (result i32)))
                (memory (export "memory") 1) (data (i32.const 8) "\01\02\03\04")
                (func (export "plain") (result i64) (call $plain (i32.const -1) (i64.const 0x100000000)))
                (func (export "checked") (result f64 f32) (call $checked (f32.const 1.5) (f64.const -0.0)))
                (func (export "raw") (result i32) (call $raw (i32.const 21)))
                (func (export "caller") (param i32) (result i32) (call $caller (local.get 0)))
                (export "import" (func $plain)))"#,
            &imports.map(Extern::Func),
        );
        let call = |store: &mut Store, name: &str, params: &[Val], results: usize| {
            let mut values = vec![Val::I32(0); results];
            let func = instance.export(&mut *store, name).unwrap().func().unwrap();
            func.call(&mut *store, params, &mut values).map(|()| values)
        };
        assert_eq!(call(&mut store, "plain", &[], 1).unwrap(), [Val::I64(0xffff_ffff)]);
        let swapped = [Val::F64((-0.0f64).to_bits()), Val::F32(1.5f32.to_bits())];
        assert_eq!(call(&mut store, "checked", &[], 2).unwrap(), swapped);
        assert_eq!(call(&mut store, "raw", &[], 1).unwrap(), [Val::I32(42)]);
        assert_eq!(call(&mut store, "caller", &[Val::I32(8)], 1).unwrap(), [Val::I32(0x0403_0201)]);
        // The host calls its own function, with and without types; a host's function exported again is the same.
        assert_eq!(instance.export(&mut store, "import").unwrap(), Extern::Func(imports[0]));
        let typed = imports[0].typed::<(i32, i64), i64>(&store).unwrap();
        assert_eq!(typed.call(&mut store, (1, 2)).unwrap(), 3);
        assert_eq!(call(&mut store, "import", &[Val::I32(3), Val::I64(4)], 1).unwrap(), [Val::I64(7)]);
        assert_eq!(calls.load(Ordering::Relaxed), 3);
        assert_eq!(imports[1].ty(&store).unwrap(), ty);
        assert_eq!(imports[1].module_function(&store).unwrap(), None);
        // An error of the host's comes out as it went in.
        let error = call(&mut store, "caller", &[Val::I32(65536)], 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.message().contains("beyond a memory"), "{error}");
    }
}

#[test]
fn a_host_function_that_lies_about_its_results_is_an_error() {
    let mut store = Store::new(&engine());
    let ty = FuncType::new([], [ValType::I32]);
    let liar = Func::new(&mut store, ty, |_, _, results| {
        results[0] = Val::F32(0);
        Ok(())
    });
    let error = liar.unwrap().call(&mut store, &[], &mut [Val::I32(0)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host, "{error}");
    let many = FuncType::new(vec![ValType::I32; 1001], []);
    assert_eq!(Func::new(&mut store, many, |_, _, _| Ok(())).unwrap_err().kind(), ErrorKind::Limit);
}

/// guest -> host -> guest -> host: `run(n)` calls `host(n)`, which calls `run(n - 1)` until 0, then does `last`.
fn nested(engine: &Engine, last: impl Fn() -> Result<i32> + Send + Sync + 'static) -> (Store, Instance) {
    let mut store = Store::new(engine);
    let host = Func::wrap(&mut store, move |mut caller: Caller<'_>, n: i32| -> Result<i32> {
        assert!(caller.live_frames());
        if n == 0 {
            return last();
        }
        let instance = caller.instance().unwrap();
        let run = instance.typed_func::<i32, i32>(&mut caller, "run")?;
        Ok(run.call(&mut caller, n - 1)? + 1)
    });
    let instance = instance(
        &mut store,
        r#"(module $nest (import "" "" (func $host (param i32) (result i32)))
            (func $inner (param i32) (result i32) (i32.add (call $host (local.get 0)) (i32.const 100)))
            (func $run (export "run") (param i32) (result i32) (i32.add (call $inner (local.get 0)) (i32.const 1000)))
            (func (export "fail") unreachable))"#,
        &[host.unwrap().into()],
    );
    (store, instance)
}

#[test]
fn nested_runs_return_and_trap_with_all_their_frames() {
    for engine in engines() {
        let (mut store, instance) = nested(&engine, || Ok(5));
        let run = instance.typed_func::<i32, i32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, 3).unwrap(), 5 + 3 + 4 * 1100);

        let (mut store, instance) = nested(&engine, || Err(Trap::new("enough").into()));
        let run = instance.typed_func::<i32, i32>(&mut store, "run").unwrap();
        for _ in 0..3 {
            let error = run.call(&mut store, 2).unwrap_err();
            let trap = trap(&error);
            assert_eq!((trap.message(), trap.code()), ("enough", None));
            assert_eq!(names(trap), ["inner", "run", "inner", "run", "inner", "run"], "{trap}");
            assert!(!store.live_frames());
        }

        let (mut store, instance) =
            nested(&engine, || Err(Error::new(ErrorKind::Cancelled, "mine").with_payload(Box::new(17u8))));
        let run = instance.typed_func::<i32, i32>(&mut store, "run").unwrap();
        let error = run.call(&mut store, 2).unwrap_err();
        assert_eq!((error.kind(), error.message(), error.payload()), (ErrorKind::Cancelled, "mine", Some(&17u8)));
    }
}

#[test]
fn a_trap_in_an_inner_run_can_be_caught_by_the_host_between() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        let host = Func::wrap(&mut store, |mut caller: Caller<'_>| -> Result<i32> {
            let instance = caller.instance().unwrap();
            let fail = instance.typed_func::<(), ()>(&mut caller, "fail")?;
            let error = fail.call(&mut caller, ()).unwrap_err();
            let trap = error.payload::<Trap>().unwrap();
            Ok(trap.frames().len() as i32)
        });
        let instance = instance(
            &mut store,
            r#"(module (import "" "" (func $host (result i32)))
                (func (export "run") (result i32) (i32.add (call $host) (call $host)))
                (func (export "fail") unreachable))"#,
            &[host.unwrap().into()],
        );
        let run = instance.typed_func::<(), i32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 4);
    }
}

#[test]
fn a_panic_passes_the_guest_and_poisons_the_store_alone() {
    for engine in engines() {
        let (mut store, instance) = nested(&engine, || panic!("on purpose"));
        let run = instance.typed_func::<i32, i32>(&mut store, "run").unwrap();
        let payload = catch_unwind(AssertUnwindSafe(|| run.call(&mut store, 2))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
        assert!(store.is_poisoned() && !store.live_frames());
        let error = run.call(&mut store, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        let module = instance.module(&store).unwrap().clone();
        assert_eq!(Instance::new(&mut store, &module, &[]).unwrap_err().kind(), ErrorKind::Poisoned);
        drop(store);
        let (mut other, instance) = nested(&engine, || Ok(1));
        let run = instance.typed_func::<i32, i32>(&mut other, "run").unwrap();
        assert_eq!(run.call(&mut other, 0).unwrap(), 1101);
    }
}

#[test]
fn two_stores_interleaved_keep_their_frames_apart() {
    let engine = engine();
    let (mut inner, instance_of_inner) = nested(&engine, || Err(Trap::new("deep").into()));
    let run = instance_of_inner.typed_func::<i32, i32>(&mut inner, "run").unwrap();
    let inner = std::sync::Mutex::new(inner);
    let (mut outer, instance) = nested(&engine, move || {
        let error = run.call(&mut *inner.lock().unwrap(), 1).unwrap_err();
        assert_eq!(error.payload::<Trap>().unwrap().frames().len(), 4);
        Err(Trap::new("outer").into())
    });
    let run = instance.typed_func::<i32, i32>(&mut outer, "run").unwrap();
    let error = run.call(&mut outer, 1).unwrap_err();
    assert_eq!((trap(&error).message(), trap(&error).frames().len()), ("outer", 4));
}

#[test]
fn all_four_kinds_link_across_instances() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        let mut linker = Linker::new(&engine);
        let exporter = instance(
            &mut store,
            r#"(module
                (memory (export "m") 1 3)
                (table (export "t") 4 funcref)
                (global $g (export "g") (mut i32) (i32.const 7))
                (global (export "c") i32 (i32.const 2))
                (func (export "f") (result i32) (global.get $g)))"#,
            &[],
        );
        linker.instance(&mut store, "a", exporter).unwrap();
        let text = r#"(module
            (import "a" "m" (memory 1 3)) (import "a" "t" (table 4 funcref))
            (import "a" "g" (global $g (mut i32))) (import "a" "f" (func $f (result i32)))
            (import "a" "c" (global $c i32))
            (type $get (func (result i32)))
            (elem (global.get $c) $f $own) (data (global.get $c) "xyz")
            (func $own (result i32) (i32.const 99))
            (func (export "bump") (global.set $g (i32.add (global.get $g) (i32.const 1))))
            (func (export "f") (result i32) (call $f))
            (func (export "at") (param i32) (result i32) (call_indirect (type $get) (local.get 0)))
            (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0)))
            (func (export "grow") (result i32) (memory.grow (i32.const 1)))
            (export "again" (func $f)))"#;
        let importer = module(&engine, text);
        let b = linker.instantiate(&mut store, &importer).unwrap();
        let call = |store: &mut Store, name: &str| {
            b.typed_func::<(), i32>(&mut *store, name).unwrap().call(&mut *store, ()).unwrap()
        };
        b.typed_func::<(), ()>(&mut store, "bump").unwrap().call(&mut store, ()).unwrap();
        assert_eq!(call(&mut store, "f"), 8);
        let at = b.typed_func::<i32, i32>(&mut store, "at").unwrap();
        assert_eq!(at.call(&mut store, 2).unwrap(), 8);
        assert_eq!(at.call(&mut store, 3).unwrap(), 99);
        assert_eq!(trap(&at.call(&mut store, 1).unwrap_err()).code(), Some(TrapCode::UninitializedElement));
        assert_eq!(trap(&at.call(&mut store, 4).unwrap_err()).code(), Some(TrapCode::UndefinedElement));
        let byte = b.typed_func::<i32, i32>(&mut store, "byte").unwrap();
        assert_eq!(byte.call(&mut store, 3).unwrap(), i32::from(b'y'));
        // Growing is seen on both sides, and by the host, until the maximum.
        let memory = exporter.export(&mut store, "m").unwrap().memory().unwrap();
        assert_eq!(call(&mut store, "grow"), 1);
        assert_eq!(memory.size(&store).unwrap(), 2);
        assert_eq!(memory.grow(&mut store, 1).unwrap(), 2);
        assert_eq!(call(&mut store, "grow"), -1);
        assert_eq!(memory.grow(&mut store, 1).unwrap_err().kind(), ErrorKind::Limit);
        memory.write(&mut store, 3 * 65536 - 1, &[200]).unwrap();
        assert_eq!(byte.call(&mut store, 3 * 65536 - 1).unwrap(), 200);
        assert!(byte.call(&mut store, 3 * 65536).is_err());
        // The same function through whatever instance is one handle.
        let exported = exporter.export(&mut store, "f").unwrap();
        assert_eq!(b.export(&mut store, "again").unwrap(), exported);
        let table = exporter.export(&mut store, "t").unwrap().table().unwrap();
        assert_eq!(table.get(&store, 2).unwrap(), Some(Val::FuncRef(exported.func())));
        assert_eq!(table.get(&store, 4).unwrap(), None);
        // Through a table set by the host.
        let own = b.func(&mut store, base::FuncIndex::new(1));
        table.set(&mut store, 0, Val::FuncRef(own)).unwrap();
        assert_eq!(at.call(&mut store, 0).unwrap(), 99);
        assert!(table.set(&mut store, 4, Val::FuncRef(None)).is_err());
        assert!(table.set(&mut store, 0, Val::ExternRef(None)).is_err());
    }
}

#[test]
fn imports_that_do_not_fit_are_named_with_both_types() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let func = Func::wrap(&mut store, |_: i32| ()).unwrap();
    let memory = Memory::new(&mut store, MemoryType::new(Limits { min: 1, max: Some(9) })).unwrap();
    let ty = GlobalType { content: ValType::I32, mutable: false };
    let global = Global::new(&mut store, ty, Val::I32(1)).unwrap();
    let element = TableType::new(RefType::FUNCREF, Limits { min: 2, max: None });
    let table = Table::new(&mut store, element, Val::FuncRef(None)).unwrap();
    let given: [Extern; 4] = [func.into(), memory.into(), global.into(), table.into()];
    let cases = [
        ("(func (param i64))", "func (i64) -> ()", [false; 4]),
        ("(func (param i32))", "", [true, false, false, false]),
        ("(memory 1 9)", "", [false, true, false, false]),
        ("(memory 2)", "memory of 2.. pages", [false; 4]),
        ("(memory 1 8)", "memory of 1..=8 pages", [false; 4]),
        ("(global i32)", "", [false, false, true, false]),
        ("(global (mut i32))", "mutable global of i32", [false; 4]),
        ("(table 2 funcref)", "", [false, false, false, true]),
        ("(table 1 3 funcref)", "table of funcref with 1..=3 elements", [false; 4]),
        ("(table 1 externref)", "table of externref with 1.. elements", [false; 4]),
    ];
    for (wanted, shown, fits) in cases {
        let module = module(&engine, &format!("(module (import \"mod\" \"name\" {wanted}))"));
        for (given, fits) in given.iter().zip(fits) {
            let result = Instance::new(&mut store, &module, &[*given]);
            assert_eq!(result.is_ok(), fits, "{wanted}");
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Link);
                let message = error.message();
                assert!(
                    message.starts_with("import \"mod\".\"name\": expected ") && message.contains(shown),
                    "{message}"
                );
            }
        }
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert!(error.message().contains("is missing"), "{error}");
        let error = Linker::new(&engine).instantiate(&mut store, &module).unwrap_err();
        assert!(error.message().contains("\"mod\".\"name\""), "{error}");
        let mut linker = Linker::new(&engine);
        linker.fill_missing_with_defaults(&mut store, &module).unwrap();
        linker.instantiate(&mut store, &module).unwrap();
        assert!(Instance::new(&mut store, &module, &[given[0], given[0]]).is_err());
    }
}

#[test]
fn a_failed_instantiation_leaves_what_it_did() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let element = TableType::new(RefType::FUNCREF, Limits { min: 2, max: None });
    let table = Table::new(&mut store, element, Val::FuncRef(None)).unwrap();
    let memory = Memory::new(&mut store, MemoryType::new(Limits { min: 1, max: None })).unwrap();
    let failing = module(
        &engine,
        r#"(module (import "" "t" (table 2 funcref)) (import "" "m" (memory 1))
            (func $escaped (result i32) (i32.const 41))
            (elem (i32.const 1) $escaped)
            (data (i32.const 0) "ok") (data (i32.const 65535) "no") (data (i32.const 4) "never"))"#,
    );
    let error = Instance::new(&mut store, &failing, &[table.into(), memory.into()]).unwrap_err();
    assert_eq!(trap(&error).code(), Some(TrapCode::MemoryOutOfBounds));
    assert!(error.message().contains("data segment 1"), "{error}");
    assert_eq!(&memory.data(&store).unwrap()[..6], b"ok\0\0\0\0");
    let Some(Val::FuncRef(Some(escaped))) = table.get(&store, 1).unwrap() else { panic!() };
    assert_eq!(escaped.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 41);

    let start = module(&engine, "(module (func $s unreachable) (start $s))");
    let error = Instance::new(&mut store, &start, &[]).unwrap_err();
    assert_eq!(names(trap(&error)), ["s"]);
    let called = Arc::new(AtomicUsize::new(0));
    let count = called.clone();
    let host = Func::wrap(&mut store, move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let start = module(&engine, "(module (import \"\" \"\" (func $s)) (start $s))");
    Instance::new(&mut store, &start, &[host.unwrap().into()]).unwrap();
    assert_eq!(called.load(Ordering::Relaxed), 1);
}

#[test]
fn memories_that_grow_keep_their_contents_and_move_where_they_must() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        let instance = instance(
            &mut store,
            r#"(module (memory (export "m") 1)
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
                (func (export "sum") (param i32) (result i64) (local i64)
                    (loop $l
                        (local.set 1 (i64.add (local.get 1) (i64.load8_u (local.get 0))))
                        (drop (memory.grow (i32.const 4)))
                        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                        (br_if $l (i32.ge_s (local.get 0) (i32.const 0))))
                    (local.get 1)))"#,
            &[],
        );
        let memory = instance.export(&mut store, "m").unwrap().memory().unwrap();
        for (i, byte) in memory.data_mut(&mut store).unwrap().iter_mut().enumerate() {
            *byte = i as u8;
        }
        let before = memory.data_ptr(&store).unwrap();
        let sum = instance.typed_func::<i32, i64>(&mut store, "sum").unwrap();
        assert_eq!(sum.call(&mut store, 255).unwrap(), 255 * 256 / 2);
        assert_eq!(memory.size(&store).unwrap(), 1 + 4 * 256);
        let moved = memory.data_ptr(&store).unwrap() != before;
        let may_move = !engine.config().signals || engine.config().memory_reservation < 4 << 30;
        assert!(may_move || !moved);
        assert!(moved || engine.config().memory_reservation >= 4 << 30);
        let data = memory.data(&store).unwrap();
        assert!(data[..65536].iter().enumerate().all(|(i, byte)| *byte == i as u8));
        assert!(data[65536..].iter().all(|byte| *byte == 0));
        let grow = instance.typed_func::<u32, i32>(&mut store, "grow").unwrap();
        assert_eq!(grow.call(&mut store, u32::MAX).unwrap(), -1);
        assert_eq!(grow.call(&mut store, 65536 - 1024).unwrap(), -1);
        assert_eq!(grow.call(&mut store, 0).unwrap(), 1025);
    }
}

#[test]
fn limits_of_a_store_hold() {
    let engine = engine();
    let mut store = Store::new(&engine);
    store.set_limits(StoreLimits {
        memory_bytes: 3 << 16,
        table_elements: 10,
        instances: 2,
        heap_bytes: 0,
        ..StoreLimits::default()
    });
    let text = r#"(module (memory 1) (table 4 externref)
        (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "table") (param i32) (result i32) (table.grow (ref.null extern) (local.get 0))))"#;
    let a = instance(&mut store, text, &[]);
    let module = a.module(&store).unwrap().clone();
    let b = Instance::new(&mut store, &module, &[]).unwrap();
    let call = |store: &mut Store, of: Instance, name: &str, n: i32| {
        of.typed_func::<i32, i32>(&mut *store, name).unwrap().call(&mut *store, n).unwrap()
    };
    assert_eq!(call(&mut store, a, "memory", 2), -1);
    assert_eq!(call(&mut store, a, "memory", 1), 1);
    assert_eq!(call(&mut store, b, "memory", 1), -1);
    assert_eq!(call(&mut store, b, "table", 3), -1);
    assert_eq!(call(&mut store, b, "table", 2), 4);
    assert_eq!(call(&mut store, a, "table", 1), -1);
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    let mut store = Store::new(&engine);
    store.set_limits(StoreLimits { memory_bytes: 1, ..StoreLimits::default() });
    assert_eq!(Instance::new(&mut store, &module, &[]).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn handles_of_another_store_are_refused() {
    let engine = engine();
    let (mut a, mut b) = (Store::new(&engine), Store::new(&engine));
    let text = r#"(module (memory (export "m") 1) (table (export "t") 1 funcref) (table (export "x") 1 externref)
        (global (export "g") (mut funcref) (ref.null func)) (func (export "f") (param funcref)))"#;
    let ia = instance(&mut a, text, &[]);
    let ib = instance(&mut b, text, &[]);
    let get = |store: &mut Store, of: Instance, name: &str| of.export(&mut *store, name).unwrap();
    let (fa, fb) = (get(&mut a, ia, "f").func().unwrap(), get(&mut b, ib, "f").func().unwrap());
    let refused = |result: Result<()>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Argument);
    refused(fa.call(&mut b, &[Val::FuncRef(None)], &mut []));
    refused(fb.call(&mut b, &[Val::FuncRef(Some(fa))], &mut []));
    refused(fa.typed::<Option<Func>, ()>(&b).map(|_| ()));
    let typed = fb.typed::<Option<Func>, ()>(&b).unwrap();
    refused(typed.call(&mut b, Some(fa)));
    refused(typed.call(&mut a, None));
    typed.call(&mut b, Some(fb)).unwrap();
    let memory = get(&mut a, ia, "m").memory().unwrap();
    refused(memory.size(&b).map(|_| ()));
    refused(memory.data_mut(&mut b).map(|_| ()));
    refused(memory.grow(&mut b, 1).map(|_| ()));
    let table = get(&mut b, ib, "t").table().unwrap();
    refused(table.set(&mut b, 0, Val::FuncRef(Some(fa))));
    refused(table.get(&a, 0).map(|_| ()));
    refused(table.grow(&mut a, 1, Val::FuncRef(None)).map(|_| ()));
    let global = get(&mut b, ib, "g").global().unwrap();
    refused(global.set(&mut b, Val::FuncRef(Some(fa))));
    refused(global.get(&a).map(|_| ()));
    refused(ia.module(&b).map(|_| ()));
    assert!(ia.export(&mut b, "f").is_none());
    assert!(ia.func(&mut b, base::FuncIndex::new(0)).is_none());
    let foreign = ExternRef::new(&mut a, Box::new(1)).unwrap();
    let externs = get(&mut b, ib, "x").table().unwrap();
    refused(externs.set(&mut b, 0, Val::ExternRef(Some(foreign))));
    let module = module(&engine, "(module (import \"\" \"\" (func (param funcref))))");
    refused(Instance::new(&mut b, &module, &[fa.into()]).map(|_| ()));
    let other = Engine::new(Config::default()).unwrap();
    refused(Instance::new(&mut Store::new(&other), ia.module(&a).unwrap(), &[]).map(|_| ()));
}

#[test]
fn external_references_come_back_as_they_went_in() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let instance = instance(
        &mut store,
        r#"(module (table $t (export "t") 2 externref)
            (func (export "keep") (param externref) (result externref)
                (table.set $t (i32.const 1) (local.get 0)) (table.get $t (i32.const 1)))
            (func (export "null") (param externref) (result i32) (ref.is_null (local.get 0))))"#,
        &[],
    );
    let text = ExternRef::new(&mut store, Box::new(String::from("mine"))).unwrap();
    let keep = instance.typed_func::<Option<ExternRef>, Option<ExternRef>>(&mut store, "keep").unwrap();
    assert_eq!(keep.call(&mut store, None).unwrap(), None);
    let back = keep.call(&mut store, Some(text)).unwrap().unwrap();
    assert_eq!(back, text);
    assert_eq!(back.data(&store).unwrap().downcast_ref::<String>().unwrap(), "mine");
    back.data_mut(&mut store).unwrap().downcast_mut::<String>().unwrap().push('!');
    let null = instance.typed_func::<Option<ExternRef>, i32>(&mut store, "null").unwrap();
    assert_eq!((null.call(&mut store, None).unwrap(), null.call(&mut store, Some(back)).unwrap()), (1, 0));
    let table = instance.export(&mut store, "t").unwrap().table().unwrap();
    assert_eq!(table.get(&store, 1).unwrap(), Some(Val::ExternRef(Some(text))));
}

#[test]
fn modules_without_functions_or_anything() {
    for debug in [false, true] {
        let engine = Engine::new(Config { debug, ..Config::default() }).unwrap();
        let mut store = Store::new(&engine);
        if debug {
            store.attach(Arc::new(Quiet), ()).unwrap();
        }
        instance(&mut store, "(module)", &[]);
        let data = instance(&mut store, r#"(module (memory (export "m") 1) (data (i32.const 1) "x"))"#, &[]);
        let memory = data.export(&mut store, "m").unwrap().memory().unwrap();
        assert_eq!(memory.data(&store).unwrap()[1], b'x');
        let global =
            instance(&mut store, r#"(module (global (export "g") i32 (i32.add (i32.const 40) (i32.const 2))))"#, &[]);
        let global = global.export(&mut store, "g").unwrap().global().unwrap();
        assert_eq!(global.get(&store).unwrap(), Val::I32(42));
        assert!(global.set(&mut store, Val::I32(1)).is_err());
        assert_eq!((store.modules().len(), store.instances().len()), (3, 3));
    }
}

#[test]
fn stores_of_one_engine_run_on_two_threads() {
    let engine = engine();
    let module = module(&engine, &trap_module());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut store = Store::new(&engine);
                    let instance = Instance::new(&mut store, &module, &[]).unwrap();
                    for (name, code, _) in TRAPS {
                        let func = instance.typed_func::<i32, ()>(&mut store, name).unwrap();
                        let error = func.call(&mut store, 0).unwrap_err();
                        assert_eq!(error.payload::<Trap>().unwrap().code(), Some(*code));
                    }
                }
            });
        }
    });
}

#[test]
fn a_store_may_move_between_threads() {
    let (mut store, instance) = nested(&engine(), || Err(Trap::new("x").into()));
    for _ in 0..3 {
        store = std::thread::spawn(move || {
            let run = instance.typed_func::<i32, i32>(&mut store, "run").unwrap();
            assert!(run.call(&mut store, 1).is_err());
            store
        })
        .join()
        .unwrap();
    }
}

#[test]
fn invalid_modules_and_configurations_are_refused() {
    let engine = engine();
    assert_eq!(Module::new(&engine, b"nonsense").unwrap_err().kind(), ErrorKind::InvalidModule);
    let foreign = wat::parse_str("(module (type $ft (func)) (type (cont $ft)))").unwrap();
    let error = Module::new(&engine, &foreign).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("stack-switching"), "{error}");
    assert!(error.offset().is_some() && Module::validate(&engine, &foreign).is_err());
    let ok = wat::parse_str("(module (func))").unwrap();
    Module::validate(&engine, &ok).unwrap();
    let cancelled = Module::with_progress(&engine, &ok, &|_, _| false).unwrap_err();
    assert_eq!(cancelled.kind(), ErrorKind::Cancelled);
    for config in [
        Config { max_stack: 0, ..Config::default() },
        Config { stop_reserve: 1, ..Config::default() },
        Config { memory_reservation: u64::MAX, ..Config::default() },
    ] {
        assert_eq!(Engine::new(config).unwrap_err().kind(), ErrorKind::Argument);
    }
}

#[test]
fn linkers_serve_many_stores() {
    let engine = engine();
    let mut linker = Linker::new(&engine);
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    linker
        .func_wrap("h", "count", move |by: u32| {
            count.fetch_add(by as usize, Ordering::Relaxed);
        })
        .unwrap()
        .func_new("h", "one", FuncType::new([], [ValType::I32]), |_, _, results| {
            results[0] = Val::I32(1);
            Ok(())
        })
        .unwrap();
    assert_eq!(linker.func_wrap("h", "one", || ()).unwrap_err().kind(), ErrorKind::Argument);
    let module = module(
        &engine,
        r#"(module (import "h" "count" (func $count (param i32))) (import "h" "one" (func $one (result i32)))
            (func (export "f") (call $count (call $one)) (call $count (i32.const 2))))"#,
    );
    for _ in 0..5 {
        let mut store = Store::new(&engine);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        instance.typed_func::<(), ()>(&mut store, "f").unwrap().call(&mut store, ()).unwrap();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 15);
}

/// Calls `body(argument)` on another stack, as a coroutine library does.
unsafe fn on_stack(top: *mut u8, body: extern "C" fn(*mut std::ffi::c_void), argument: *mut std::ffi::c_void) {
    // SAFETY: the caller gives a stack that is free, and a function that returns.
    unsafe {
        std::arch::asm!(
            "mov r12, rsp",
            "mov rsp, {top}",
            "call {body}",
            "mov rsp, r12",
            top = in(reg) top,
            body = in(reg) body,
            in("rdi") argument,
            out("r12") _,
            clobber_abi("C"),
        );
    }
}

#[test]
fn a_guest_runs_and_overflows_on_a_stack_of_the_hosts_own() {
    extern "C" fn body(seen: *mut std::ffi::c_void) {
        let engine = Engine::new(Config::default()).unwrap();
        let text = r#"(module (func $f (export "f") (param i32) (result i32)
            (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
              (else (i32.const 0)))))"#;
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let f = instance.typed_func::<i32, i32>(&mut store, "f").unwrap();
        let fits = f.call(&mut store, 100).unwrap();
        let overflow = f.call(&mut store, i32::MAX).unwrap_err();
        assert_eq!(overflow.payload::<Trap>().unwrap().code(), Some(TrapCode::StackOverflow));
        // SAFETY: the test passes this.
        unsafe { *seen.cast::<i32>() = fits };
    }
    let mut stack = vec![0u128; (4 << 20) / 16];
    let top = stack.as_mut_ptr_range().end.cast();
    let mut seen = 0;
    // SAFETY: the stack is ours and large enough for the compiler as well; the body returns.
    unsafe { on_stack(top, body, (&raw mut seen).cast()) };
    assert_eq!(seen, 100);
}
