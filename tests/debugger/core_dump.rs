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
