//! Watchpoints: each write of what is watched stops the guest behind the instruction that wrote, with what was there
//! and what is; nothing else does. In both debug tiers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::base::{Error, ErrorKind, GlobalIndex, WasmOffset};
use stepwell::debug::{Action, Debugger, Reason, Stop, WatchHit, WatchKind, WatchTarget, WatchpointId};
use stepwell::runtime::{
    AsStore, AsStoreMut, Caller, Config, DebugTier, Engine, Extern, Func, Global, Instance, Module, Root, Store, Val,
};
use stepwell::{FuncType, GlobalType, ValType};

const TIERS: [DebugTier; 2] = [DebugTier::Regions, DebugTier::Simple];

/// What a stop was for, and where the guest stood.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Hit { func: u32, offset: u32, by_host: bool, old: Vec<u8>, new: Vec<u8>, at: u32, frame: u32 },
    Other(String),
}

type Log = Arc<Mutex<Vec<Seen>>>;

fn note(stop: &Stop<'_>, log: &Log) {
    let top = stop.top().unwrap();
    let mut log = log.lock().unwrap();
    match stop.reason() {
        Reason::Watchpoint(hits) => log.extend(hits.iter().map(|hit| {
            let WatchHit { func, offset, by_host, old, new, .. } = hit.clone();
            let (at, frame) = (top.offset().get(), top.func().get());
            Seen::Hit { func: func.get(), offset: offset.get(), by_host, old, new, at, frame }
        })),
        Reason::Breakpoint(_) => log.push(Seen::Other("breakpoint".to_owned())),
        Reason::Step => log.push(Seen::Other("step".to_owned())),
        other => log.push(Seen::Other(format!("{other:?}"))),
    }
}

fn engine(tier: DebugTier) -> Engine {
    Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap()
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

fn call(store: &mut impl AsStoreMut, instance: Instance, name: &str, args: &[Val]) -> Result<Vec<Val>, Error> {
    let func = instance.export(&mut *store, name).and_then(|item| item.func()).unwrap();
    let mut results = vec![Val::I32(0); func.ty(&*store)?.results.len()];
    func.call(&mut *store, args, &mut results)?;
    Ok(results)
}

fn global(store: &impl AsStore, instance: Instance, index: u32) -> Global {
    instance.global(store, GlobalIndex::new(index)).unwrap()
}

/// Where the n-th `global.set` of a function is: none of the modules here has its byte elsewhere.
fn set_at(module: &Module, func: &str, n: usize) -> u32 {
    let info = module.info();
    let body = &info.bodies[info.defined(info.func_named(func).unwrap()).unwrap().index()].bytes;
    body.clone().filter(|at| module.binary()[*at] == 0x24).nth(n).unwrap() as u32
}

/// A store with a debugger that notes all stops and goes on with what `answer` says.
fn debugged(
    tier: DebugTier,
    answer: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
) -> (Engine, Store, Debugger, Log) {
    let engine = engine(tier);
    let mut store = Store::new(&engine);
    let log = Log::default();
    let seen = log.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        note(stop, &seen);
        answer(stop)
    })
    .unwrap();
    (engine, store, debugger, log)
}

const GO_ON: fn(&mut Stop<'_>) -> Action = |_| Action::Continue;

fn taken(log: &Log) -> Vec<Seen> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// The old and new values of all hits, nothing else having stopped.
fn values(log: &Log) -> Vec<(Vec<u8>, Vec<u8>)> {
    taken(log)
        .into_iter()
        .map(|seen| match seen {
            Seen::Hit { old, new, .. } => (old, new),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn words(values: &[(u32, u32)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    values.iter().map(|(old, new)| (old.to_le_bytes().to_vec(), new.to_le_bytes().to_vec())).collect()
}

#[test]
fn globals_of_every_type() {
    let text = r#"(module
        (global (mut i32) (i32.const 1)) (global (mut i64) (i64.const 2)) (global (mut f32) (f32.const 3))
        (global (mut f64) (f64.const 4)) (global (mut v128) (v128.const i64x2 5 6)) (global (mut funcref) (ref.null func))
        (global (mut externref) (ref.null extern)) (global (mut anyref) (ref.null any))
        (func $f (export "f") (param i32 i64 f32 f64 v128 funcref externref anyref)
            (global.set 0 (local.get 0)) (global.set 1 (local.get 1)) (global.set 2 (local.get 2)) (global.set 3 (local.get 3))
            (global.set 4 (local.get 4)) (global.set 5 (local.get 5)) (global.set 6 (local.get 6)) (global.set 7 (local.get 7))))"#;
    for tier in TIERS {
        for index in 0..8usize {
            for kind in [WatchKind::Write, WatchKind::Change] {
                let (engine, mut store, debugger, log) = debugged(tier, GO_ON);
                let module = module(&engine, text);
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let watched = global(&store, instance, index as u32);
                let id = debugger.watch_global(&mut store, watched, kind).unwrap();
                let func = instance.export(&mut store, "f").and_then(|item| item.func());
                let nulls = [Val::FuncRef(None), Val::ExternRef(None), Val::AnyRef(None)];
                let same = [
                    &[Val::I32(1), Val::I64(2), Val::F32(3f32.to_bits()), Val::F64(4f64.to_bits())][..],
                    &[Val::V128(std::array::from_fn(|i| [5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0][i]))],
                    &nulls,
                ]
                .concat();
                call(&mut store, instance, "f", &same).unwrap();
                let offset = set_at(&module, "f", index);
                let width = [4, 8, 4, 8, 16, 0, 0, 0][index];
                let told = taken(&log);
                match kind {
                    WatchKind::Write => match &told[..] {
                        [Seen::Hit { func: 0, offset: by, by_host: false, old, new, at, frame: 0 }] => {
                            assert_eq!((*by, *at), (offset, offset + 2));
                            assert!(old == new && old.len() == width);
                        }
                        other => panic!("{other:?}"),
                    },
                    WatchKind::Change => assert_eq!(told, []),
                }
                let external = stepwell::runtime::ExternRef::new(&mut store, Box::new(7u8)).unwrap();
                let other = [
                    &[Val::I32(-1), Val::I64(-2), Val::F32(0x7fc0_0001), Val::F64(1), Val::V128([9; 16])][..],
                    &[Val::FuncRef(func), Val::ExternRef(Some(external))],
                    &[Val::AnyRef(Some(stepwell::runtime::AnyRef::i31(3)))],
                ]
                .concat();
                call(&mut store, instance, "f", &other).unwrap();
                match &taken(&log)[..] {
                    [Seen::Hit { offset: by, old, new, .. }] => {
                        assert_eq!(*by, offset);
                        assert!(old.len() == width && new.len() == width && (width == 0 || old != new));
                    }
                    other => panic!("{kind:?} {index} {other:?}"),
                }
                let known = debugger.watchpoint(&store, id).unwrap().unwrap();
                let hits = if kind == WatchKind::Write { 2 } else { 1 };
                assert_eq!((known.hits, known.kind, known.enabled), (hits, kind, true));
                assert_eq!(known.target, WatchTarget::Global(watched));
                assert_eq!(debugger.watchpoints(&store).unwrap(), [known]);
            }
        }
    }
}

#[test]
fn instances_share_code_and_not_what_is_watched() {
    let text = r#"(module (global $g (export "g") (mut i32) (i32.const 5))
        (func $f (export "f") (param i32) (loop (global.set $g (i32.sub (global.get $g) (i32.const 1)))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;
    for tier in TIERS {
        let (engine, mut store, debugger, log) = debugged(tier, GO_ON);
        let module = module(&engine, text);
        let first = Instance::new(&mut store, &module, &[]).unwrap();
        let second = Instance::new(&mut store, &module, &[]).unwrap();
        let watched = global(&store, first, 0);
        debugger.watch_global(&mut store, watched, WatchKind::Change).unwrap();
        let third = Instance::new(&mut store, &module, &[]).unwrap();
        call(&mut store, second, "f", &[Val::I32(3)]).unwrap();
        call(&mut store, third, "f", &[Val::I32(3)]).unwrap();
        assert_eq!(values(&log), []);
        call(&mut store, first, "f", &[Val::I32(3)]).unwrap();
        assert_eq!(values(&log), words(&[(5, 4), (4, 3), (3, 2)]));
    }
}

#[test]
fn imported_globals_are_watched_in_every_module_also_those_that_come_later() {
    let owner = r#"(module (global (export "g") (mut i64) (i64.const 0)) (global (mut i64) (i64.const 0))
        (func (export "f") (global.set 1 (i64.const 9)) (global.set 0 (i64.const 1))))"#;
    let user = r#"(module (import "" "a" (global (mut i64))) (import "" "g" (global (mut i64))) (global (mut i64) (i64.const 0))
        (func (export "f") (global.set 0 (i64.const 7)) (global.set 1 (i64.const 8)) (global.set 2 (i64.const 9)))
        (func $start (global.set 1 (i64.const 3))) (start $start))"#;
    for tier in TIERS {
        for early in [false, true] {
            let (engine, mut store, debugger, log) = debugged(tier, GO_ON);
            let (owner, user) = (module(&engine, owner), module(&engine, user));
            let first = Instance::new(&mut store, &owner, &[]).unwrap();
            let other =
                Global::new(&mut store, GlobalType { content: ValType::I64, mutable: true }, Val::I64(0)).unwrap();
            let watched = global(&store, first, 0);
            let imports = [Extern::Global(other), Extern::Global(watched)];
            if early {
                Instance::new(&mut store, &user, &[Extern::Global(other), Extern::Global(other)]).unwrap();
            }
            debugger.watch_global(&mut store, watched, WatchKind::Write).unwrap();
            let second = Instance::new(&mut store, &user, &imports).unwrap();
            call(&mut store, first, "f", &[]).unwrap();
            call(&mut store, second, "f", &[]).unwrap();
            let long = |old: u64, new: u64| (old.to_le_bytes().to_vec(), new.to_le_bytes().to_vec());
            assert_eq!(values(&log), [long(0, 3), long(3, 1), long(1, 8)]);
        }
    }
}

/// A host function `h` that does `work` with a global, and a guest that calls it.
fn with_host(
    tier: DebugTier,
    work: impl Fn(&mut Caller<'_>, Global) -> Result<(), Error> + Send + Sync + 'static,
) -> (Store, Module, Instance, Debugger, Log) {
    let text = r#"(module (import "" "g" (global $g (mut i32))) (import "" "h" (func $h (param i32)))
        (func $leaf (export "leaf") (param i32) (global.set $g (local.get 0)))
        (func $f (export "f") (param i32) (call $h (local.get 0)) (drop (i32.const 11)))
        (func $tail (export "tail") (param i32) (return_call $h (local.get 0)))
        (func $g (export "g") (call $tail (i32.const 4)) (drop (i32.const 12)))
        (func $catch (export "catch") (param i32) (block $on (try_table (catch_all $on) (call $h (local.get 0))) (return)) (drop (i32.const 13))))"#;
    let (engine, mut store, debugger, log) = debugged(tier, GO_ON);
    let module = module(&engine, text);
    let g = Global::new(&mut store, GlobalType { content: ValType::I32, mutable: true }, Val::I32(0)).unwrap();
    let h = Func::wrap(&mut store, move |mut caller: Caller<'_>, to: i32| {
        g.set(&mut caller, Val::I32(to))?;
        work(&mut caller, g)
    })
    .unwrap();
    let instance = Instance::new(&mut store, &module, &[Extern::Global(g), Extern::Func(h)]).unwrap();
    debugger.watch_global(&mut store, g, WatchKind::Change).unwrap();
    (store, module, instance, debugger, log)
}

/// Where the n-th of these bytes is in a function.
fn byte_at(module: &Module, func: &str, byte: u8) -> u32 {
    let info = module.info();
    let body = &info.bodies[info.defined(info.func_named(func).unwrap()).unwrap().index()].bytes;
    body.clone().find(|at| module.binary()[*at] == byte).unwrap() as u32
}

#[test]
fn what_the_host_writes_is_told_at_the_call() {
    for tier in TIERS {
        let (mut store, module, instance, debugger, log) = with_host(tier, |_, _| Ok(()));
        call(&mut store, instance, "f", &[Val::I32(7)]).unwrap();
        let by = byte_at(&module, "f", 0x10);
        let hit = |old: u32, new: u32, by: u32, func: u32| Seen::Hit {
            func,
            offset: by,
            by_host: true,
            old: old.to_le_bytes().to_vec(),
            new: new.to_le_bytes().to_vec(),
            at: by + 2,
            frame: func,
        };
        assert_eq!(taken(&log), [hit(0, 7, by, 2)]);
        call(&mut store, instance, "f", &[Val::I32(7)]).unwrap();
        assert_eq!(taken(&log), [], "the same value again");
        // The frame that has called is gone: its caller goes on.
        call(&mut store, instance, "g", &[]).unwrap();
        assert_eq!(taken(&log), [hit(7, 4, byte_at(&module, "g", 0x10), 4)]);
        call(&mut store, instance, "tail", &[Val::I32(5)]).unwrap();
        assert_eq!(taken(&log), [], "no guest goes on");
        // What was written while no guest waited is nobody's.
        call(&mut store, instance, "leaf", &[Val::I32(5)]).unwrap();
        assert_eq!(taken(&log), []);
        let g = global(&store, instance, 0);
        g.set(&mut store, Val::I32(6)).unwrap();
        call(&mut store, instance, "leaf", &[Val::I32(8)]).unwrap();
        assert_eq!(values(&log), words(&[(6, 8)]));
        assert_eq!(debugger.watchpoints(&store).unwrap()[0].hits, 3);
    }
}

#[test]
fn what_the_host_writes_before_it_calls_a_guest_is_told_when_it_returns() {
    for tier in TIERS {
        let (mut store, module, instance, _, log) = with_host(tier, |caller, g| {
            let instance = caller.instance().unwrap();
            call(caller, instance, "leaf", &[Val::I32(100)])?;
            g.set(&mut *caller, Val::I32(101))
        });
        call(&mut store, instance, "f", &[Val::I32(7)]).unwrap();
        let told = taken(&log);
        let short = |seen: &Seen| match seen {
            Seen::Hit { by_host, old, new, offset, .. } => (*by_host, old[0], new[0], *offset),
            other => panic!("{other:?}"),
        };
        let by = byte_at(&module, "f", 0x10);
        let told: Vec<_> = told.iter().map(short).collect();
        assert_eq!(told, [(false, 7, 100, set_at(&module, "leaf", 0)), (true, 0, 7, by), (true, 100, 101, by)]);
        assert_eq!(global(&store, instance, 0).get(&store).unwrap(), Val::I32(101));
    }
}

#[test]
fn what_the_host_writes_before_it_throws_is_told_where_that_is_caught() {
    for tier in TIERS {
        let (mut store, module, instance, _, log) = with_host(tier, |caller, _| {
            let tag = stepwell::runtime::Tag::new(&mut *caller, FuncType { params: [].into(), results: [].into() })?;
            Err(stepwell::runtime::ExnRef::new(&mut *caller, tag, &[])?.throw(&mut *caller)?)
        });
        call(&mut store, instance, "catch", &[Val::I32(7)]).unwrap();
        match &taken(&log)[..] {
            [Seen::Hit { by_host: true, offset, frame: 5, at, .. }] => {
                assert_eq!(*offset, byte_at(&module, "catch", 0x10));
                assert!(*at > *offset + 2);
            }
            other => panic!("{other:?}"),
        }
        assert!(call(&mut store, instance, "f", &[Val::I32(8)]).is_err());
        assert_eq!(taken(&log), [], "its frame is gone");
        call(&mut store, instance, "leaf", &[Val::I32(9)]).unwrap();
        assert_eq!(values(&log), words(&[(8, 9)]));
    }
}

const STEPS: &str = r#"(module (global $g (export "g") (mut i32) (i32.const 0))
    (func $f (export "f") (global.set $g (i32.const 1)) (drop (i32.const 5)) (global.set $g (i32.const 2)) nop nop)
    (func $h (export "h") (global.set $g (i32.const 50))))"#;

#[test]
fn a_watchpoint_ends_a_step_and_breakpoints_come_behind_it() {
    for tier in TIERS {
        let (engine, mut store, debugger, log) = debugged(tier, |stop| match stop.reason() {
            Reason::Watchpoint(_) => Action::Continue,
            _ => Action::StepOut,
        });
        let module = module(&engine, STEPS);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let watched = global(&store, instance, 0);
        debugger.watch_global(&mut store, watched, WatchKind::Change).unwrap();
        let first = set_at(&module, "f", 0);
        debugger.break_at(&mut store, &module, WasmOffset::new(first)).unwrap();
        debugger.break_at(&mut store, &module, WasmOffset::new(first + 2)).unwrap();
        call(&mut store, instance, "f", &[]).unwrap();
        let kinds: Vec<_> = taken(&log)
            .into_iter()
            .map(|seen| match seen {
                Seen::Hit { old, new, at, .. } => format!("{}>{} {}", old[0], new[0], at - first),
                Seen::Other(what) => what,
            })
            .collect();
        let second = set_at(&module, "f", 1);
        assert_eq!(kinds, ["breakpoint", "0>1 2", "breakpoint", &format!("1>2 {}", second + 2 - first)]);
    }
}

#[test]
fn steps_that_begin_at_a_watchpoint_end_at_the_next_instruction() {
    for tier in TIERS {
        for action in [Action::StepInstruction, Action::StepOver] {
            let steps = AtomicU32::new(0);
            let (engine, mut store, debugger, log) = debugged(tier, move |stop| {
                let first =
                    matches!(stop.reason(), Reason::Watchpoint(_)) && steps.fetch_add(1, Ordering::Relaxed) == 0;
                if first { action.clone() } else { Action::Continue }
            });
            let module = module(&engine, STEPS);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let watched = global(&store, instance, 0);
            debugger.watch_global(&mut store, watched, WatchKind::Change).unwrap();
            call(&mut store, instance, "f", &[]).unwrap();
            let told = taken(&log);
            assert!(
                matches!(&told[..], [Seen::Hit { .. }, Seen::Other(step), Seen::Hit { .. }] if step == "step"),
                "{told:?}"
            );
        }
    }
}

#[test]
fn stops_may_write_switch_off_remove_and_call() {
    for tier in TIERS {
        let (engine, mut store, debugger, log) = debugged(tier, |stop| {
            let instance = stop.top().unwrap().instance();
            let g = global(stop, instance, 0);
            let debugger = stop.debugger();
            match stop.reason().watchpoints() {
                [hit] if hit.new[0] == 1 => {
                    // Its own write is nobody's; that of the guest that it calls is told within.
                    g.set(&mut *stop, Val::I32(40)).unwrap();
                    call(stop, instance, "h", &[]).unwrap();
                    g.set(&mut *stop, Val::I32(60)).unwrap();
                }
                [hit] if hit.new[0] == 2 => {
                    debugger.remove_watchpoint(stop, hit.id).unwrap();
                    assert!(debugger.watchpoints(stop).unwrap().is_empty());
                }
                _ => {}
            }
            Action::Continue
        });
        let module = module(&engine, STEPS);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let watched = global(&store, instance, 0);
        let id = debugger.watch_global(&mut store, watched, WatchKind::Change).unwrap();
        debugger.enable_watchpoint(&mut store, id, false).unwrap();
        call(&mut store, instance, "f", &[]).unwrap();
        assert_eq!(taken(&log), []);
        debugger.enable_watchpoint(&mut store, id, true).unwrap();
        call(&mut store, instance, "f", &[]).unwrap();
        assert_eq!(values(&log), words(&[(2, 1), (40, 50), (60, 2)]));
        call(&mut store, instance, "f", &[]).unwrap();
        assert_eq!(taken(&log), []);
        for refused in [
            debugger.remove_watchpoint(&mut store, id),
            debugger.enable_watchpoint(&mut store, id, true),
            debugger.remove_watchpoint(&mut store, WatchpointId::new(0)),
        ] {
            let refused = refused.unwrap_err();
            assert!(
                refused.kind() == ErrorKind::Argument && refused.to_string().contains("no watchpoint"),
                "{refused}"
            );
        }
        assert_eq!(debugger.watchpoint(&store, id).unwrap(), None);
    }
}

#[test]
fn two_of_one_global_are_both_told_and_ids_are_not_used_again() {
    for tier in TIERS {
        let (engine, mut store, debugger, log) = debugged(tier, GO_ON);
        let module = module(&engine, STEPS);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let watched = global(&store, instance, 0);
        let first = debugger.watch_global(&mut store, watched, WatchKind::Change).unwrap();
        let second = debugger.watch_global(&mut store, watched, WatchKind::Write).unwrap();
        call(&mut store, instance, "h", &[]).unwrap();
        call(&mut store, instance, "h", &[]).unwrap();
        assert_eq!(values(&log), words(&[(0, 50), (0, 50), (50, 50)]));
        debugger.remove_watchpoint(&mut store, second).unwrap();
        debugger.remove_watchpoint(&mut store, first).unwrap();
        let third = debugger.watch_global(&mut store, watched, WatchKind::Write).unwrap();
        assert!(third > second && second > first);
        debugger.detach(&mut store).unwrap();
        assert_eq!(debugger.watchpoints(&store).unwrap_err().kind(), ErrorKind::State);
        call(&mut store, instance, "h", &[]).unwrap();
        assert_eq!(taken(&log), []);
    }
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let (engine, mut store, debugger, _) = debugged(DebugTier::Regions, GO_ON);
    let ty = GlobalType { content: ValType::I32, mutable: false };
    let fixed = Global::new(&mut store, ty, Val::I32(1)).unwrap();
    let refused = debugger.watch_global(&mut store, fixed, WatchKind::Write).unwrap_err();
    assert!(refused.kind() == ErrorKind::Argument && refused.to_string().contains("immutable"), "{refused}");
    let mut other = Store::new(&engine);
    let foreign = Global::new(&mut other, GlobalType { mutable: true, ..ty }, Val::I32(1)).unwrap();
    assert_eq!(debugger.watch_global(&mut store, foreign, WatchKind::Write).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(debugger.watch_global(&mut other, foreign, WatchKind::Write).unwrap_err().kind(), ErrorKind::Argument);
    assert!(debugger.watchpoints(&store).unwrap().is_empty());
}

#[test]
fn a_watched_global_is_not_collected() {
    let (engine, mut store, debugger, log) = debugged(DebugTier::Regions, GO_ON);
    let ty = GlobalType { content: ValType::I32, mutable: true };
    let g = Global::new(&mut store, ty, Val::I32(1)).unwrap();
    let id = debugger.watch_global(&mut store, g, WatchKind::Change).unwrap();
    // SAFETY: of what is not rooted, nothing is used afterwards.
    drop(unsafe { store.collect(std::iter::empty::<Root>()) }.unwrap());
    assert_eq!(store.usage().globals, 1);
    let module = module(
        &engine,
        r#"(module (import "" "g" (global (mut i32))) (func (export "f") (global.set 0 (i32.const 3))))"#,
    );
    let instance = Instance::new(&mut store, &module, &[Extern::Global(g)]).unwrap();
    call(&mut store, instance, "f", &[]).unwrap();
    assert_eq!(values(&log), words(&[(1, 3)]));
    debugger.remove_watchpoint(&mut store, id).unwrap();
    // SAFETY: as above.
    drop(unsafe { store.collect(std::iter::empty::<Root>()) }.unwrap());
    assert_eq!(store.usage().globals, 0);
}

/// A frame that is changed goes on in resume code, which has sites of its own.
#[test]
fn frames_that_were_replaced_are_watched() {
    let text = r#"(module (global $g (export "g") (mut i32) (i32.const 0))
        (func $f (export "f") (param i32) (result i32) nop nop
            (global.set $g (local.get 0)) (global.set $g (i32.add (local.get 0) (i32.const 1))) (local.get 0)))"#;
    for tier in TIERS {
        for before in [true, false] {
            let (engine, mut store, debugger, log) = debugged(tier, |stop| {
                if matches!(stop.reason(), Reason::Breakpoint(_)) {
                    stop.set_local(0, 0, Val::I32(30)).unwrap();
                }
                Action::Continue
            });
            let module = module(&engine, text);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let watched = global(&store, instance, 0);
            let start = module.info().bodies[0].bytes.start as u32 + 1;
            let nop = WasmOffset::new(start + 1);
            debugger.break_at(&mut store, &module, nop).unwrap();
            if before {
                debugger.watch_global(&mut store, watched, WatchKind::Change).unwrap();
            } else {
                // The resume code is there when the watchpoint is set.
                call(&mut store, instance, "f", &[Val::I32(3)]).unwrap();
                taken(&log);
                watched.set(&mut store, Val::I32(0)).unwrap();
                debugger.watch_global(&mut store, watched, WatchKind::Change).unwrap();
            }
            assert_eq!(call(&mut store, instance, "f", &[Val::I32(3)]).unwrap()[0], Val::I32(30));
            let told: Vec<_> = taken(&log).into_iter().filter(|seen| matches!(seen, Seen::Hit { .. })).collect();
            let told = told.iter().map(|seen| match seen {
                Seen::Hit { old, new, .. } => (old[0], new[0]),
                Seen::Other(_) => unreachable!(),
            });
            assert_eq!(told.collect::<Vec<_>>(), [(0, 30), (30, 31)]);
        }
    }
}
