//! Core dumps: read back, and held against what the debugger shows of the same stop.

use std::sync::{Arc, Mutex};
use stepwell::base::{GlobalIndex, MemoryIndex};
use stepwell::debug::{Action, Debugger, Reason};
use stepwell::runtime::{AsStore, Config, Engine, Instance, Linker, Module, Store, Val};
use wasmparser::{CoreDumpStackFrame, CoreDumpValue, KnownCustom, Parser, Payload, Validator, WasmFeatures};

/// What a dump says.
#[derive(Default)]
struct Dump {
    name: String,
    modules: Vec<String>,
    /// Module, memories, globals.
    instances: Vec<(u32, Vec<u32>, Vec<u32>)>,
    frames: Vec<CoreDumpStackFrame>,
    data_bytes: usize,
    segments: usize,
}

fn read(bytes: &[u8]) -> Dump {
    Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).unwrap();
    let mut dump = Dump::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::CoreDump(core) => dump.name = core.name.to_owned(),
                KnownCustom::CoreDumpModules(modules) => {
                    dump.modules = modules.modules.into_iter().map(str::to_owned).collect();
                }
                KnownCustom::CoreDumpInstances(instances) => {
                    let all = instances.instances.into_iter();
                    dump.instances = all.map(|one| (one.module_index, one.memories, one.globals)).collect();
                }
                KnownCustom::CoreDumpStack(stack) => dump.frames = stack.frames,
                _ => panic!("a section of another kind: {}", section.name()),
            },
            Payload::DataSection(reader) => {
                for segment in reader {
                    dump.segments += 1;
                    dump.data_bytes += segment.unwrap().data.len();
                }
            }
            _ => {}
        }
    }
    dump
}

fn is(found: &[CoreDumpValue], shown: &[Val]) {
    assert_eq!(found.len(), shown.len());
    for (found, shown) in found.iter().zip(shown) {
        match (found, shown) {
            (CoreDumpValue::I32(a), Val::I32(b)) => assert_eq!(a, b),
            (CoreDumpValue::I64(a), Val::I64(b)) => assert_eq!(a, b),
            (CoreDumpValue::F32(a), Val::F32(b)) => assert_eq!(a.bits(), *b),
            (CoreDumpValue::F64(a), Val::F64(b)) => assert_eq!(a.bits(), *b),
            (CoreDumpValue::Missing, Val::V128(_) | Val::FuncRef(_) | Val::ExternRef(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

const LIBRARY: &str = r#"(module $library
    (memory (export "memory") 3 9) (global (export "shared") (mut i64) (i64.const 5))
    (data (i32.const 10) "hello") (data (i32.const 131071) "over the pages")
    (func (export "deep") (param i32) (result i32)
        (i32.store (i32.const 70000) (local.get 0))
        (global.set 0 (i64.const -9))
        (i32.const 11)
        (i32.div_s (i32.const 1) (local.get 0))
        i32.add))"#;

const PROGRAM: &str = r#"(module $program
    (import "library" "memory" (memory 1))
    (import "library" "shared" (global (mut i64)))
    (import "library" "deep" (func $deep (param i32) (result i32)))
    (memory 1)
    (global f32 (f32.const nan:0x200001)) (global (mut f64) (f64.const 2.5)) (global v128 (v128.const i64x2 1 -1))
    (global funcref (ref.func $run)) (global externref (ref.null extern))
    (func $run (export "run") (param i32) (result i32)
        (local i64 f32 f64 v128 funcref externref)
        (local.set 1 (i64.const -3)) (local.set 2 (f32.const 1.5)) (local.set 3 (f64.const -0.0))
        (local.set 5 (ref.func $run))
        (i32.store8 1 (i32.const 65535) (i32.const 7))
        (i64.const 77)
        (call $deep (local.get 0))
        (br 0)))"#;

/// At a trap two frames deep, and at a breakpoint: frames, values, memories and globals are those that are shown.
#[test]
fn a_dump_has_what_the_debugger_shows() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let library = Module::new(&engine, &wat::parse_str(LIBRARY).unwrap()).unwrap();
    let program = Module::new(&engine, &wat::parse_str(PROGRAM).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let below = Instance::new(&mut store, &library, &[]).unwrap();
    let mut linker = Linker::new(&engine);
    linker.instance(&mut store, "library", below).unwrap();
    let instance = linker.instantiate(&mut store, &program).unwrap();
    // Another instance of the same module has memories of its own.
    let second = linker.instantiate(&mut store, &program).unwrap();
    let dumps = Arc::new(Mutex::new(Vec::new()));
    let seen = dumps.clone();
    let other = engine.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        let bytes = stop.core_dump().unwrap();
        let dump = read(&bytes);
        assert_eq!((&*dump.name, &dump.modules[..]), ("program", &["library".to_owned(), "program".to_owned()][..]));
        assert_eq!(dump.instances.len(), 3);
        assert_eq!(dump.instances[0], (0, vec![0], vec![0]));
        assert_eq!(dump.instances[1], (1, vec![0, 1], vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(dump.instances[2], (1, vec![0, 2], vec![0, 6, 7, 8, 9, 10]));
        assert_eq!(dump.frames.len(), stop.frame_count());
        for (index, found) in dump.frames.iter().enumerate() {
            let frame = stop.frame(index).unwrap();
            let instances = [below, instance, second];
            assert_eq!(instances[found.instanceidx as usize], frame.instance().unwrap());
            assert_eq!(found.funcidx, frame.func().get());
            let function = frame.module().function_list(found.funcidx..found.funcidx + 1).remove(0);
            assert_eq!(function.body.unwrap().start.get() + found.codeoffset, frame.offset().get());
            is(&found.locals, &frame.locals());
            is(&found.stack, &frame.operands());
        }
        // Instantiated, the dump is the memories and globals.
        let module = Module::new(&other, &bytes).unwrap();
        let mut copy = Store::new(&other);
        let restored = Instance::new(&mut copy, &module, &[]).unwrap();
        for (of, at) in [(below, 0), (instance, 1), (second, 2)] {
            let (_, memories, globals) = &dump.instances[at];
            for (index, number) in memories.iter().enumerate() {
                let shown = of.memory(stop.as_store(), MemoryIndex::from_usize(index)).unwrap();
                let found = restored.memory(&copy, MemoryIndex::new(*number)).unwrap();
                assert!(shown.data(&*stop).unwrap() == found.data(&copy).unwrap(), "memory {number}");
                assert_eq!(shown.ty(&*stop).unwrap(), found.ty(&copy).unwrap());
            }
            for (index, number) in globals.iter().enumerate() {
                let shown = of.global(stop.as_store(), GlobalIndex::from_usize(index)).unwrap();
                let found = restored.global(&copy, GlobalIndex::new(*number)).unwrap();
                assert_eq!(shown.ty(&*stop).unwrap(), found.ty(&copy).unwrap());
                match (shown.get(&*stop).unwrap(), found.get(&copy).unwrap()) {
                    (Val::FuncRef(Some(_)), Val::FuncRef(None)) | (Val::ExternRef(None), Val::ExternRef(None)) => {}
                    (shown, found) => assert_eq!(format!("{shown:?}"), format!("{found:?}")),
                }
            }
        }
        // What is zero is left out.
        assert!(dump.data_bytes < 40, "{}", dump.data_bytes);
        assert!(dump.segments == 3, "{}", dump.segments);
        let trapped = matches!(stop.reason(), Reason::Trap(_));
        if trapped {
            assert_eq!(dump.frames.len(), 2);
            assert!(!dump.frames[0].stack.is_empty());
        }
        seen.lock().unwrap().push(trapped);
        Action::Continue
    })
    .unwrap();
    debugger.break_at_name(&mut store, &library, "deep").unwrap();
    let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
    let error = run.call(&mut store, &[Val::I32(0)], &mut [Val::I32(0)]).unwrap_err();
    assert!(error.to_string().contains("integer divide by zero"), "{error}");
    assert_eq!(*dumps.lock().unwrap(), [false, true]);
}

/// Large memories of zeros, 64-bit memories, and none at all.
#[test]
fn a_dump_is_as_small_as_what_is_there() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    for (text, memories, most) in [
        (r#"(module (func (export "run") nop))"#, 0, 0),
        (r#"(module (memory 2000) (func (export "run") nop))"#, 1, 0),
        (r#"(module (memory i64 3) (func (export "run") (i64.store (i64.const 100000) (i64.const 1)) nop))"#, 1, 1),
        // Two that are far from each other are two segments.
        (
            r#"(module (memory 100) (data (i32.const 1) "a") (data (i32.const 6000000) "b") (func (export "run") nop))"#,
            1,
            2,
        ),
    ] {
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let seen = sizes.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let dump = read(&stop.core_dump().unwrap());
            assert_eq!(dump.instances[0].1.len(), memories);
            assert_eq!((&*dump.name, &*dump.modules[0], dump.frames.len()), ("", "", stop.frame_count()));
            seen.lock().unwrap().push(dump.data_bytes);
            Action::StepInstruction
        })
        .unwrap();
        debugger.step_always(&mut store, true).unwrap();
        let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
        run.call(&mut store, &[], &mut []).unwrap();
        let sizes = sizes.lock().unwrap();
        assert!(!sizes.is_empty() && sizes.iter().all(|size| *size <= most), "{text}: {sizes:?}");
        assert!(most == 0 || sizes.last() > Some(&0), "{text}: {sizes:?}");
    }
}

/// What a trap leaves without a debugger.
mod of_traps {
    use super::read;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use stepwell::base::{ErrorKind, MemoryIndex};
    use stepwell::debug::{Action, Debugger};
    use stepwell::runtime::{
        Caller, Config, Engine, Extern, Func, Instance, Memory, Module, Store, Trap, TrapCode, Val,
    };
    use stepwell::{AsStoreMut, Error, FuncType, Tag, ValType};
    use wasmparser::CoreDumpValue;

    fn module(engine: &Engine, text: &str) -> Module {
        Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
    }

    /// A store that is asked for dumps.
    fn asked(engine: &Engine) -> Store {
        let mut store = Store::new(engine);
        store.set_core_dumps(true);
        store
    }

    fn run(store: &mut Store, instance: Instance, name: &str) -> Error {
        let func = instance.export(&mut *store, name).and_then(Extern::func).unwrap();
        func.call(store, &[], &mut []).unwrap_err()
    }

    fn trap(error: &Error) -> &Trap {
        error.payload::<Trap>().unwrap_or_else(|| panic!("{error:?}"))
    }

    /// The function of each frame, how many locals and operands it has, and how many of those are known.
    fn frames(bytes: &[u8]) -> Vec<(u32, usize, usize, usize)> {
        let known = |values: &[CoreDumpValue]| values.iter().filter(|v| !matches!(v, CoreDumpValue::Missing)).count();
        let frames = read(bytes).frames.into_iter();
        frames.map(|f| (f.funcidx, f.locals.len(), f.stack.len(), known(&f.locals) + known(&f.stack))).collect()
    }

    /// What a memory of a dump begins with, once it is instantiated.
    fn memory(engine: &Engine, bytes: &[u8], index: u32) -> Vec<u8> {
        let mut store = Store::new(engine);
        let module = Module::new(engine, bytes).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        instance.memory(&store, MemoryIndex::new(index)).unwrap().data(&store).unwrap()[..8].to_vec()
    }

    const GUEST: &str = r#"(module $guest
        (import "host" "call" (func $host (param i32)))
        (memory (export "memory") 1) (global (mut i64) (i64.const 3))
        (func $deep (param i32) (local i64 f32)
            (i32.store8 (i32.const 1) (i32.const 7))
            (global.set 0 (i64.const 12))
            (i32.const 5) (i32.const 6)
            (i32.div_u (i32.const 1) (local.get 0))
            drop drop drop)
        (func (export "trap") (local i32) (i32.store8 (i32.const 0) (i32.const 9)) (call $deep (local.get 0)))
        (func (export "through") (i64.const 1) (call $host (i32.const 4)) drop)
        (func (export "inner") (i32.store8 (i32.const 2) (i32.const 8)) unreachable)
        (func $forever (export "forever") (param i32 i32 i32 i32) (result i32)
            (call $forever (local.get 0) (local.get 1) (local.get 2) (local.get 3)) (i32.const 1) (i32.add))
        (func (export "overflow") (drop (call $forever (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1))))
        (func (export "loop") (loop (br 0))))"#;

    fn guest(store: &mut Store, host: Func) -> Instance {
        let module = module(&store.engine().clone(), GUEST);
        Instance::new(store, &module, &[host.into()]).unwrap()
    }

    fn nothing(store: &mut Store) -> Func {
        Func::wrap(store, |_: i32| {}).unwrap()
    }

    /// Frames with as many locals and operands as there are, all missing; memories and globals as they were.
    #[test]
    fn a_trap_in_production_code_leaves_a_dump() {
        let engine = Engine::new(Config::default()).unwrap();
        let mut store = Store::new(&engine);
        let host = nothing(&mut store);
        let instance = guest(&mut store, host);
        let error = run(&mut store, instance, "trap");
        let none = trap(&error).core_dump().unwrap_err();
        assert_eq!(none.kind(), ErrorKind::State);
        assert!(none.message().contains("none was asked for"), "{none}");
        store.set_core_dumps(true);
        assert!(store.core_dumps());
        let error = run(&mut store, instance, "trap");
        let trap = trap(&error);
        assert_eq!(trap.code(), Some(TrapCode::IntegerDivisionByZero));
        let bytes = trap.core_dump().unwrap();
        let dump = read(bytes);
        assert_eq!((&*dump.name, &dump.modules[..]), ("guest", &["guest".to_owned()][..]));
        assert_eq!(dump.instances, [(0, vec![0], vec![0])]);
        // The operands are those before the division; the call's argument is still there.
        assert_eq!(frames(bytes), [(1, 3, 4, 0), (2, 1, 1, 0)]);
        for (found, told) in dump.frames.iter().zip(trap.frames()) {
            assert_eq!((found.instanceidx, found.funcidx), (0, told.func().get()));
            assert_eq!(found.codeoffset, told.func_offset());
        }
        assert_eq!(memory(&engine, bytes, 0)[..4], [9, 7, 0, 0]);
        let mut copy = Store::new(&engine);
        let restored = Instance::new(&mut copy, &Module::new(&engine, bytes).unwrap(), &[]).unwrap();
        let global = restored.global(&copy, stepwell::base::GlobalIndex::new(0)).unwrap();
        assert!(matches!(global.get(&copy).unwrap(), Val::I64(12)));
        // A copy of the error has it, too, and it needs no store.
        let again: Error = trap.clone().into();
        drop(store);
        assert_eq!(super::of_traps::trap(&again).core_dump().unwrap(), bytes);
    }

    /// A guest within a host function within a guest: the dump is the innermost trap's, whatever the host does then.
    #[test]
    fn the_innermost_trap_leaves_the_dump() {
        let engine = Engine::new(Config::default()).unwrap();
        let mut store = asked(&engine);
        let made = Arc::new(AtomicUsize::new(0));
        let seen = made.clone();
        // 0: hands the trap on. 1: makes another. 2: goes on.
        let way = Arc::new(AtomicUsize::new(0));
        let ways = way.clone();
        let host = Func::wrap(&mut store, move |mut caller: Caller<'_>, _: i32| -> Result<(), Error> {
            let inner = caller.export("inner").and_then(Extern::func).unwrap();
            let memory: Memory = caller.export("memory").and_then(Extern::memory).unwrap();
            let error = inner.call(&mut caller, &[], &mut []).unwrap_err();
            seen.store(trap(&error).core_dump().unwrap().len(), Ordering::Relaxed);
            // Behind the trap.
            memory.write(&mut caller, 3, &[6]).unwrap();
            match ways.load(Ordering::Relaxed) {
                0 => Err(error),
                1 => Err(Trap::new("another").into()),
                _ => Ok(()),
            }
        })
        .unwrap();
        let instance = guest(&mut store, host);
        let error = run(&mut store, instance, "through");
        let bytes = trap(&error).core_dump().unwrap();
        assert_eq!(bytes.len(), made.load(Ordering::Relaxed));
        // The frames further out are there; of the memory, nothing of what came later.
        assert_eq!(frames(bytes), [(4, 0, 0, 0), (3, 0, 2, 0)]);
        assert_eq!(memory(&engine, bytes, 0)[..4], [0, 0, 8, 0]);
        way.store(1, Ordering::Relaxed);
        let error = run(&mut store, instance, "through");
        let bytes = trap(&error).core_dump().unwrap();
        assert_eq!(trap(&error).message(), "another");
        assert_eq!(frames(bytes), [(3, 0, 2, 0)]);
        assert_eq!(memory(&engine, bytes, 0)[..4], [0, 0, 8, 6]);
        way.store(2, Ordering::Relaxed);
        let through = instance.export(&mut store, "through").and_then(Extern::func).unwrap();
        through.call(&mut store, &[], &mut []).unwrap();
        // Nothing is left of it for another error.
        let module = module(&engine, r#"(module (memory 0) (data (i32.const 1) "a"))"#);
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(trap(&error).core_dump().unwrap_err().kind(), ErrorKind::State);
    }

    /// A trap of another store on its way through: it keeps the dump that it has, and gets one if it has none.
    #[test]
    fn a_trap_of_another_store_gets_a_dump_of_the_one_that_is_asked() {
        let engine = Engine::new(Config::default()).unwrap();
        for inner_asked in [false, true] {
            let mut outer = asked(&engine);
            let module = module(&engine, GUEST);
            let host = Func::wrap(&mut outer, move |caller: Caller<'_>, _: i32| -> Result<(), Error> {
                let mut store = Store::new(caller.engine());
                store.set_core_dumps(inner_asked);
                let host = nothing(&mut store);
                let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
                Err(run(&mut store, instance, "trap"))
            })
            .unwrap();
            let instance = guest(&mut outer, host);
            let error = run(&mut outer, instance, "through");
            let bytes = trap(&error).core_dump().unwrap();
            let (expected, first) = match inner_asked {
                true => (vec![(1, 3, 4, 0), (2, 1, 1, 0)], 9),
                false => (vec![(3, 0, 2, 0)], 0),
            };
            assert_eq!(frames(bytes), expected);
            assert_eq!(memory(&engine, bytes, 0)[0], first);
        }
    }

    /// All the ways in which a trap leaves a guest, and those in which nothing is left.
    #[test]
    fn every_trap_that_leaves_a_guest_has_a_dump() {
        let config = || Config { fuel: true, epoch: true, ..Config::default() };
        let engine = Engine::new(config()).unwrap();
        let mut store = asked(&engine);
        store.set_fuel(u64::MAX >> 1).unwrap();
        store.set_epoch_deadline(1000).unwrap();
        let host = Func::wrap(&mut store, |way: i32| -> Result<(), Error> {
            match way {
                4 => Err(Trap::new("of the host").into()),
                _ => Err(Trap::exit(way).into()),
            }
        })
        .unwrap();
        let instance = guest(&mut store, host);
        let error = run(&mut store, instance, "through");
        assert_eq!(trap(&error).message(), "of the host");
        assert_eq!(frames(trap(&error).core_dump().unwrap()), [(3, 0, 2, 0)]);
        // The stack is full: all frames are in it, also more than a trap keeps.
        let error = run(&mut store, instance, "overflow");
        assert_eq!(trap(&error).code(), Some(TrapCode::StackOverflow));
        let deep = frames(trap(&error).core_dump().unwrap());
        assert_eq!(deep.len(), trap(&error).frames().len() + trap(&error).frames_omitted());
        assert!(deep.len() > 2000 && deep[1] == (5, 4, 4, 0) && deep.last() == Some(&(6, 0, 4, 0)), "{}", deep.len());
        store.set_epoch_deadline(0).unwrap();
        let error = run(&mut store, instance, "loop");
        assert_eq!(trap(&error).code(), Some(TrapCode::Interrupt));
        assert_eq!(frames(trap(&error).core_dump().unwrap()).len(), 1);
        store.set_epoch_deadline(1000).unwrap();
        store.set_fuel(1000).unwrap();
        let error = run(&mut store, instance, "loop");
        assert_eq!(trap(&error).code(), Some(TrapCode::OutOfFuel));
        assert_eq!(frames(trap(&error).core_dump().unwrap()), [(7, 0, 0, 0)]);
        store.set_fuel(u64::MAX >> 1).unwrap();
        // A start function, whose instance is one of the store's.
        let starting = module(&engine, r#"(module $starting (func $s (local f64) unreachable) (start $s))"#);
        let error = Instance::new(&mut store, &starting, &[]).unwrap_err();
        let dump = read(trap(&error).core_dump().unwrap());
        assert_eq!((&*dump.name, dump.instances.len(), dump.frames[0].instanceidx), ("starting", 2, 1));
        // An exception that nobody catches; one that is caught leaves none, and goes on.
        let tag = Tag::new(&mut store, FuncType::new([ValType::I32], [])).unwrap();
        let throwing = module(
            &engine,
            r#"(module (import "" "t" (tag $t (param i32)))
                (func $f (throw $t (i32.const 1)))
                (func (export "f") (call $f))
                (func (export "g") (block (result i32) (try_table (catch $t 0) (call $f)) (unreachable)) drop unreachable))"#,
        );
        let thrower = Instance::new(&mut store, &throwing, &[tag.into()]).unwrap();
        let error = run(&mut store, thrower, "f");
        assert!(trap(&error).exception().is_some());
        assert_eq!(frames(trap(&error).core_dump().unwrap()), [(0, 0, 1, 0), (1, 0, 0, 0)]);
        let error = run(&mut store, thrower, "g");
        assert_eq!(frames(trap(&error).core_dump().unwrap()), [(2, 0, 0, 0)]);
        // The end that a program asks for, and a host function that no guest has called.
        let exit = Func::wrap(&mut store, || -> Result<(), Error> { Err(Trap::exit(3).into()) }).unwrap();
        let ending = module(&engine, r#"(module (import "" "" (func $e)) (func (export "f") (call $e)))"#);
        let ender = Instance::new(&mut store, &ending, &[exit.into()]).unwrap();
        let error = run(&mut store, ender, "f");
        assert_eq!(trap(&error).exit_status(), Some(3));
        assert!(trap(&error).core_dump().unwrap_err().message().contains("has ended itself"));
        let alone = Func::wrap(&mut store, || -> Result<(), Error> { Err(Trap::new("alone").into()) }).unwrap();
        let error = alone.call(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(trap(&error).core_dump().unwrap_err().kind(), ErrorKind::State);
        // What a host function says of it stays.
        let wordy = Func::wrap(&mut store, |_: i32| -> Result<(), Error> {
            Err(Error::from(Trap::new("x")).context("in the host"))
        })
        .unwrap();
        let other = Instance::new(&mut store, &module(&engine, GUEST), &[wordy.into()]).unwrap();
        let error = run(&mut store, other, "through");
        assert!(trap(&error).core_dump().is_ok());
        store.set_core_dumps(false);
        let error = run(&mut store, instance, "trap");
        assert!(trap(&error).core_dump().is_err());
    }

    /// Of two instances of a module, production code does not say whose a frame is.
    #[test]
    fn what_is_not_known_of_a_frame_is_not_said() {
        let engine = Engine::new(Config::default()).unwrap();
        let mut store = asked(&engine);
        let first = module(&engine, "(module (func (export \"f\") unreachable))");
        let one = Instance::new(&mut store, &first, &[]).unwrap();
        let error = run(&mut store, one, "f");
        assert_eq!(read(trap(&error).core_dump().unwrap()).frames[0].instanceidx, 0);
        Instance::new(&mut store, &first, &[]).unwrap();
        let error = run(&mut store, one, "f");
        assert_eq!(read(trap(&error).core_dump().unwrap()).frames[0].instanceidx, u32::MAX);
    }

    /// With a debugger, frames of debug code have what is in them: at the trap, not where the region began.
    #[test]
    fn frames_of_debug_code_have_their_values() {
        let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
        let mut store = asked(&engine);
        let host = nothing(&mut store);
        let instance = guest(&mut store, host);
        let stopped = Arc::new(std::sync::Mutex::new(Vec::new()));
        let stops = stopped.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            stops.lock().unwrap().push(stop.core_dump().unwrap());
            Action::Continue
        })
        .unwrap();
        let error = run(&mut store, instance, "trap");
        let bytes = trap(&error).core_dump().unwrap().to_vec();
        assert_eq!(stopped.lock().unwrap().pop().unwrap(), bytes, "as at the stop");
        assert_eq!(frames(&bytes), [(1, 3, 4, 7), (2, 1, 1, 2)]);
        // Nobody looks at the trap: what is known of it is the same.
        debugger.set_events(&mut store.as_store_mut(), stepwell::debug::Events::NONE).unwrap();
        let error = run(&mut store, instance, "trap");
        assert_eq!(trap(&error).core_dump().unwrap(), bytes);
        let error = run(&mut store, instance, "overflow");
        let deep = frames(trap(&error).core_dump().unwrap());
        // The function that did not fit has no frame yet.
        assert_eq!((deep[0], deep[1]), ((5, 4, 0, 0), (5, 4, 4, 8)));
        debugger.detach(&mut store).unwrap();
        let error = run(&mut store, instance, "trap");
        assert_eq!(frames(trap(&error).core_dump().unwrap()), [(1, 3, 4, 0), (2, 1, 1, 0)]);
    }

    /// What cannot be written is the dump's own error: the trap is what it was.
    #[test]
    fn a_dump_that_is_too_large_is_an_error_of_its_own() {
        let engine = Engine::new(Config::default()).unwrap();
        let mut store = asked(&engine);
        let large = module(
            &engine,
            // Bytes as far from each other that the zeros between them are written, too.
            r#"(module (memory 16400)
                (func (export "f") (local i32)
                    (loop
                        (i32.store8 (local.get 0) (i32.const 1))
                        (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 65536))) (i32.const 1074790400))))
                    unreachable))"#,
        );
        let instance = Instance::new(&mut store, &large, &[]).unwrap();
        let error = run(&mut store, instance, "f");
        assert_eq!(trap(&error).code(), Some(TrapCode::Unreachable));
        let refused = trap(&error).core_dump().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Limit);
        assert!(refused.message().contains("1 GiB"), "{refused}");
    }
}
