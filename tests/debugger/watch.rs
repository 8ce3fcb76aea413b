//! Watchpoints: each write of what is watched stops the guest behind the instruction that wrote, with what was there
//! and what is; nothing else does. In both debug tiers.

use crate::guests::{call, module};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::base::{Error, ErrorKind, FuncIndex, GlobalIndex, MemoryIndex, WasmOffset};
use stepwell::debug::{Action, Debugger, Reason, Stop, WatchHit, WatchKind, WatchTarget, WatchpointId};
use stepwell::runtime::{
    AsStore, AsStoreMut, Caller, Config, DebugTier, Engine, Extern, Func, Global, Instance, Memory, Module, Root,
    Store, Val,
};
use stepwell::{FuncType, GlobalType, ValType};

const TIERS: [DebugTier; 3] = [DebugTier::Regions, DebugTier::Blocks, DebugTier::Simple];

/// What a stop was for, and where the guest stood.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Hit {
        func: u32,
        offset: u32,
        by_host: bool,
        is_read: bool,
        address: Option<u64>,
        old: Vec<u8>,
        new: Vec<u8>,
        at: u32,
        frame: u32,
    },
    Other(String),
}

type Log = Arc<Mutex<Vec<Seen>>>;

fn note(stop: &Stop<'_>, log: &Log) {
    let top = stop.top().unwrap();
    let mut log = log.lock().unwrap();
    match stop.reason() {
        Reason::Watchpoint(hits) => log.extend(hits.iter().map(|hit| {
            let WatchHit { func, offset, by_host, is_read, address, old, new, .. } = hit.clone();
            let (at, frame) = (top.offset().get(), top.func().get());
            Seen::Hit { func: func.get(), offset: offset.get(), by_host, is_read, address, old, new, at, frame }
        })),
        Reason::Breakpoint(_) => log.push(Seen::Other("breakpoint".to_owned())),
        Reason::Step => log.push(Seen::Other("step".to_owned())),
        other => log.push(Seen::Other(format!("{other:?}"))),
    }
}

fn engine(tier: DebugTier) -> Engine {
    // Where breakpoints are not reached, functions soon have code of their own.
    let force_split_after = Some(2);
    Engine::new(Config { debug: true, debug_tier: tier, force_split_after, ..Config::default() }).unwrap()
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
                        [
                            Seen::Hit {
                                func: 0,
                                offset: by,
                                by_host: false,
                                is_read: false,
                                address: None,
                                old,
                                new,
                                at,
                                frame: 0,
                            },
                        ] => {
                            assert_eq!((*by, *at), (offset, offset + 2));
                            assert!(old == new && old.len() == width);
                        }
                        other => panic!("{other:?}"),
                    },
                    _ => assert_eq!(told, []),
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
            is_read: false,
            address: None,
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
            let tag = stepwell::runtime::Tag::new(&mut *caller, FuncType::new([], []))?;
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
    (func $h (export "h") (global.set $g (i32.const 50)))
    (func (export "quiet") nop nop))"#;

/// The step is the answer to a watchpoint, and the breakpoint is told at the same instruction before it begins.
#[test]
fn what_a_callback_runs_between_a_watchpoint_and_its_step_is_not_stepped() {
    for tier in TIERS {
        let (engine, mut store, debugger, log) = debugged(tier, |stop| match stop.reason() {
            Reason::Watchpoint(hits) if hits[0].new[0] == 1 => Action::StepInstruction,
            Reason::Breakpoint(_) => {
                let instance = stop.top().unwrap().instance().unwrap();
                call(stop, instance, "quiet", &[]).unwrap();
                Action::Continue
            }
            _ => Action::Continue,
        });
        let module = module(&engine, STEPS);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let watched = global(&store, instance, 0);
        debugger.watch_global(&mut store, watched, WatchKind::Change).unwrap();
        let first = set_at(&module, "f", 0);
        debugger.break_at(&mut store, &module, WasmOffset::new(first + 2)).unwrap();
        call(&mut store, instance, "f", &[]).unwrap();
        let others: Vec<_> = taken(&log).into_iter().filter(|seen| matches!(seen, Seen::Other(_))).collect();
        assert_eq!(others, [Seen::Other("breakpoint".to_owned())]);
    }
}

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
            let instance = stop.top().unwrap().instance().unwrap();
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

/// A memory of two pages, with one function for each instruction that accesses it.
struct Bytes {
    store: Store,
    module: Module,
    instance: Instance,
    debugger: Debugger,
    log: Log,
    memory: Memory,
}

impl Bytes {
    fn new(tier: DebugTier, text: &str) -> Bytes {
        let (engine, mut store, debugger, log) = debugged(tier, GO_ON);
        let module = module(&engine, text);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.memory(&store, MemoryIndex::new(0)).unwrap();
        Bytes { store, module, instance, debugger, log, memory }
    }

    fn watch(&mut self, bytes: std::ops::Range<u64>, kind: WatchKind) -> WatchpointId {
        self.debugger.watch_memory(&mut self.store, self.memory, bytes, kind).unwrap()
    }

    fn call(&mut self, name: &str, args: &[Val]) -> Vec<Val> {
        call(&mut self.store, self.instance, name, args).unwrap()
    }
}

/// Each load and store: name, width, whether it reads and writes.
const INSTRUCTIONS: &[(&str, u64, bool, bool)] = &[
    ("i32.load", 4, true, false),
    ("i64.load", 8, true, false),
    ("f32.load", 4, true, false),
    ("f64.load", 8, true, false),
    ("i32.load8_s", 1, true, false),
    ("i32.load16_u", 2, true, false),
    ("i64.load8_u", 1, true, false),
    ("i64.load16_s", 2, true, false),
    ("i64.load32_u", 4, true, false),
    ("v128.load", 16, true, false),
    ("v128.load8x8_s", 8, true, false),
    ("v128.load16_splat", 2, true, false),
    ("v128.load32_zero", 4, true, false),
    ("v128.load64_lane 1", 8, true, false),
    ("i32.store", 4, false, true),
    ("i64.store", 8, false, true),
    ("f32.store", 4, false, true),
    ("f64.store", 8, false, true),
    ("i32.store8", 1, false, true),
    ("i32.store16", 2, false, true),
    ("i64.store8", 1, false, true),
    ("i64.store16", 2, false, true),
    ("i64.store32", 4, false, true),
    ("v128.store", 16, false, true),
    ("v128.store16_lane 2", 2, false, true),
    ("i32.atomic.load", 4, true, false),
    ("i64.atomic.load8_u", 1, true, false),
    ("i32.atomic.store", 4, false, true),
    ("i64.atomic.store16", 2, false, true),
    ("i32.atomic.rmw.add", 4, true, true),
    ("i64.atomic.rmw8.xchg_u", 1, true, true),
    ("i64.atomic.rmw.cmpxchg", 8, true, true),
];

fn each_instruction() -> String {
    let mut text = String::from("(module (memory (export \"memory\") 3)\n");
    for (index, (name, ..)) in INSTRUCTIONS.iter().enumerate() {
        let (name, lane) = name.split_once(' ').unwrap_or((name, ""));
        let ty = name.split('.').next().unwrap();
        let value = match ty {
            "v128" => "(v128.const i64x2 0x1111111111111111 0x1111111111111111)".to_owned(),
            "f32" => "(f32.reinterpret_i32 (i32.const 0x11111111))".to_owned(),
            "f64" => "(f64.reinterpret_i64 (i64.const 0x1111111111111111))".to_owned(),
            "i64" => "(i64.const 0x1111111111111111)".to_owned(),
            _ => "(i32.const 0x11111111)".to_owned(),
        };
        let zero = if ty == "i64" { "(i64.const 0)" } else { "(i32.const 0)" };
        let values = match name {
            _ if name.contains("cmpxchg") => format!("{zero} {value}"),
            _ if name.contains("load") && lane.is_empty() => String::new(),
            _ => value,
        };
        let drop = if name.contains("store") { "" } else { "drop" };
        text +=
            &format!("(func (export \"{index}\") (param i32) nop (local.get 0) {values} {name} {lane} {drop} nop)\n");
    }
    text + ")"
}

#[test]
fn every_instruction_is_seen_at_every_byte_around_a_page() {
    let text = each_instruction();
    for tier in TIERS {
        let mut guest = Bytes::new(tier, &text);
        let listed: Vec<_> = (0..INSTRUCTIONS.len() as u32)
            .map(|func| guest.module.instructions(FuncIndex::new(func), WasmOffset::new(0), 100).unwrap())
            .collect();
        // What is watched: up to the end of a page, from its start on, across, one byte, far inside.
        for watched in [4090..4096u64, 4096..4101, 4093..4099, 4096..4097, 4095..4096, 8000..8003] {
            for kind in [WatchKind::Read, WatchKind::Write, WatchKind::Change, WatchKind::Access] {
                let id = guest.watch(watched.clone(), kind);
                let mut hits = 0;
                for (index, (name, width, reads, writes)) in INSTRUCTIONS.iter().enumerate() {
                    let align = if name.contains("atomic") { *width } else { 1 };
                    let places = watched.start - 20..watched.end + 4;
                    for place in places.filter(|place| {
                        place % align == 0 && (tier == DebugTier::Regions || place % 3 == 0 || align > 1)
                    }) {
                        guest.memory.write(&mut guest.store, place as usize, &[0; 16][..*width as usize]).unwrap();
                        guest.call(&index.to_string(), &[Val::I32(place as i32)]);
                        let (start, end) = (place.max(watched.start), (place + width).min(watched.end));
                        let wanted = start < end
                            && match kind {
                                WatchKind::Read => *reads,
                                WatchKind::Access => true,
                                _ => *writes,
                            };
                        let told = taken(&guest.log);
                        if !wanted {
                            assert_eq!(told, [], "{name} at {place}, {watched:?} {kind:?} {tier:?}");
                            continue;
                        }
                        hits += 1;
                        let (len, written) = ((end - start) as usize, *writes && kind != WatchKind::Read);
                        let [Seen::Hit { old, new, offset, at, by_host: false, .. }] = &told[..] else {
                            panic!("{name} at {place}, {watched:?} {kind:?} {tier:?}: {told:?}");
                        };
                        assert_eq!(*old, vec![0; len], "{name}");
                        assert_eq!(*new, vec![if written { 0x11 } else { 0 }; len], "{name} at {place} {watched:?}");
                        let listed = &listed[index];
                        let by = listed.iter().position(|known| known.offset.get() == *offset).unwrap();
                        assert!(
                            listed[by].text.starts_with(name.split(' ').next().unwrap()),
                            "{name} {}",
                            listed[by].text
                        );
                        assert_eq!(listed[by + 1].offset.get(), *at, "{name}");
                    }
                }
                assert!(hits > 20);
                assert_eq!(guest.debugger.watchpoint(&guest.store, id).unwrap().unwrap().hits, hits);
                guest.debugger.remove_watchpoint(&mut guest.store, id).unwrap();
            }
        }
    }
}

fn hits(log: &Log) -> Vec<(bool, u64, Vec<u8>, Vec<u8>)> {
    taken(log)
        .into_iter()
        .map(|seen| match seen {
            Seen::Hit { is_read, address, old, new, .. } => (is_read, address.unwrap(), old, new),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn word(value: u32) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

#[test]
fn what_machine_code_merges_is_told_one_by_one() {
    let text = r#"(module (memory 1)
        (func (export "twice") (result i32) nop (i32.add (i32.load (i32.const 64)) (i32.load (i32.const 64))))
        (func (export "add") (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 5))))
        (func (export "turns") (param i32) (result i32) (local i32)
            (loop (local.set 1 (i32.add (local.get 1) (i32.load (i32.const 64))))
                (i32.store (i32.const 80) (local.get 1))
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1))
        (func (export "either") (param i32) (result i32)
            (if (result i32) (local.get 0) (then (i32.load (i32.const 60))) (else (i32.load (i32.const 64))))))"#;
    for tier in TIERS {
        let mut guest = Bytes::new(tier, text);
        guest.memory.write(&mut guest.store, 64, &[7]).unwrap();
        let id = guest.watch(64..68, WatchKind::Access);
        let read = |value| (true, 64, word(value), word(value));
        assert_eq!(guest.call("twice", &[]), [Val::I32(14)]);
        assert_eq!(hits(&guest.log), [read(7), read(7)]);
        guest.call("add", &[]);
        assert_eq!(hits(&guest.log), [read(7), (false, 64, word(7), word(12))]);
        assert_eq!(guest.call("turns", &[Val::I32(5)]), [Val::I32(60)]);
        assert_eq!(hits(&guest.log), vec![read(12); 5]);
        guest.call("either", &[Val::I32(1)]);
        assert_eq!(hits(&guest.log), []);
        guest.call("either", &[Val::I32(0)]);
        assert_eq!(hits(&guest.log), [read(12)]);
        guest.debugger.remove_watchpoint(&mut guest.store, id).unwrap();
        assert_eq!(guest.call("turns", &[Val::I32(5)]), [Val::I32(60)]);
        assert_eq!(taken(&guest.log), []);
    }
}

#[test]
fn bulk_instructions_are_told_for_what_they_touch() {
    let text = r#"(module (memory 2) (data $d "abcdefgh")
        (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 9) (local.get 1)))
        (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
        (func (export "init") (param i32) (memory.init $d (local.get 0) (i32.const 2) (i32.const 4))))"#;
    for tier in TIERS {
        let mut guest = Bytes::new(tier, text);
        guest.watch(100..104, WatchKind::Access);
        let args = |values: &[i32]| values.iter().map(|value| Val::I32(*value)).collect::<Vec<_>>();
        guest.call("fill", &args(&[0, 100]));
        guest.call("fill", &args(&[104, 100]));
        guest.call("fill", &args(&[101, 0]));
        assert_eq!(hits(&guest.log), []);
        guest.call("fill", &args(&[0, 102]));
        assert_eq!(hits(&guest.log), [(false, 100, vec![0, 0], vec![9, 9])]);
        guest.call("init", &args(&[102]));
        assert_eq!(hits(&guest.log), [(false, 102, vec![0, 0], b"cd".to_vec())]);
        guest.call("copy", &args(&[200, 98, 5]));
        assert_eq!(hits(&guest.log), [(true, 100, b"\x09\x09c".to_vec(), b"\x09\x09c".to_vec())]);
        guest.call("copy", &args(&[103, 101, 3]));
        let read = b"\x09cd".to_vec();
        assert_eq!(hits(&guest.log), [(true, 101, read.clone(), read), (false, 103, b"d".to_vec(), b"\x09".to_vec())]);
        let beyond = call(&mut guest.store, guest.instance, "fill", &args(&[100, 1 << 20])).unwrap_err();
        assert!(beyond.to_string().contains("out of bounds"), "{beyond}");
        assert!(taken(&guest.log).iter().all(|seen| matches!(seen, Seen::Other(_))), "it has written nothing");
        guest.call("fill", &args(&[0, 100]));
        assert_eq!(hits(&guest.log), []);
    }
}

#[test]
fn hosts_use_watched_memories_as_always_and_what_they_write_is_told_at_the_call() {
    let text = r#"(module (import "" "h" (func $h)) (memory (export "memory") 1)
        (func (export "leaf") (i32.store (i32.const 200) (i32.const 7)))
        (func (export "f") (result i32) (i32.store (i32.const 300) (i32.const 1)) (call $h) (i32.load (i32.const 100))))"#;
    for tier in TIERS {
        let (engine, mut store, debugger, log) = debugged(tier, |stop| {
            let memory = stop.top().unwrap().instance().unwrap().memory(&*stop, MemoryIndex::new(0)).unwrap();
            assert_eq!(memory.data(&*stop).unwrap()[50], 5, "a stop looks, too");
            Action::Continue
        });
        let module = module(&engine, text);
        let h = Func::wrap(&mut store, |mut caller: Caller<'_>| -> Result<(), Error> {
            use std::io::Read;
            let instance = caller.instance().unwrap();
            let memory = instance.memory(&caller, MemoryIndex::new(0)).unwrap();
            // The system writes there itself.
            let (mut from, to) = std::os::unix::net::UnixStream::pair().unwrap();
            std::io::Write::write_all(&mut &to, &[1, 2, 3, 4]).unwrap();
            let read = from.read(&mut memory.data_mut(&mut caller).unwrap()[101..105]).unwrap();
            assert_eq!(read, 4);
            call(&mut caller, instance, "leaf", &[]).map(drop)
        })
        .unwrap();
        let instance = Instance::new(&mut store, &module, &[Extern::Func(h)]).unwrap();
        let memory = instance.memory(&store, MemoryIndex::new(0)).unwrap();
        memory.write(&mut store, 50, &[5]).unwrap();
        debugger.watch_memory(&mut store, memory, 96..112, WatchKind::Change).unwrap();
        debugger.watch_memory(&mut store, memory, 96..112, WatchKind::Read).unwrap();
        debugger.watch_memory(&mut store, memory, 200..204, WatchKind::Write).unwrap();
        assert_eq!(call(&mut store, instance, "f", &[]).unwrap(), [Val::I32(0x0302_0100)]);
        let told = taken(&log);
        let by = byte_at(&module, "f", 0x10);
        let short: Vec<_> = told
            .iter()
            .map(|seen| match seen {
                Seen::Hit { by_host, address, new, offset, .. } => {
                    (*by_host, *offset == by, address.unwrap(), new.clone())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let wanted =
            [(false, false, 200, word(7)), (true, true, 101, vec![1, 2, 3, 4]), (false, false, 100, vec![0, 1, 2, 3])];
        assert_eq!(short, wanted);
    }
}

#[test]
fn traps_are_what_they_would_be() {
    let text = r#"(module (memory 1)
        (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
        (func (export "store") (param i32) (i32.store (local.get 0) (i32.const 5)))
        (func (export "divide") (param i32) (result i32) (i32.div_u (i32.load (i32.const 65528)) (local.get 0))))"#;
    for tier in TIERS {
        let mut guest = Bytes::new(tier, text);
        guest.watch(65530..65532, WatchKind::Access);
        for (name, at) in
            [("load", 65533), ("load", 65536), ("load", -1), ("store", 65534), ("store", 1 << 20), ("divide", 0)]
        {
            let trap = call(&mut guest.store, guest.instance, name, &[Val::I32(at)]).unwrap_err();
            let wanted = if name == "divide" { "divi" } else { "out of bounds" };
            assert!(trap.to_string().contains(wanted), "{name} {at}: {trap}");
            let told = taken(&guest.log);
            let traps =
                told.iter().filter(|seen| matches!(seen, Seen::Other(what) if what.starts_with("Trap"))).count();
            assert_eq!((traps, told.len()), (1, if name == "divide" { 2 } else { 1 }), "{name} {at} {told:?}");
        }
        guest.call("store", &[Val::I32(65528)]);
        assert_eq!(hits(&guest.log), [(false, 65530, vec![0, 0], vec![0, 0])]);
        guest.call("load", &[Val::I32(65532)]);
        assert_eq!(hits(&guest.log), []);
    }
}

/// Machine code may read ahead of its turn what a stop changes then.
#[test]
fn what_a_stop_changes_is_read_by_what_is_behind_it() {
    let text = r#"(module (memory 1)
        (func (export "f") (result i32) (local i32 i32)
            (local.set 0 (i32.load (i32.const 64))) (local.set 1 (i32.load (i32.const 128)))
            (i32.add (i32.mul (local.get 0) (i32.const 1000)) (local.get 1)))
        (func (export "g") (result i32) (i32.add (i32.mul (i32.load (i32.const 128)) (i32.const 1000)) (i32.load (i32.const 64)))))"#;
    for tier in TIERS {
        let (engine, mut store, debugger, log) = debugged(tier, |stop| {
            let memory = stop.top().unwrap().instance().unwrap().memory(&*stop, MemoryIndex::new(0)).unwrap();
            memory.write(stop, 128, &[50]).unwrap();
            Action::Continue
        });
        let module = module(&engine, text);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.memory(&store, MemoryIndex::new(0)).unwrap();
        debugger.watch_memory(&mut store, memory, 64..68, WatchKind::Read).unwrap();
        for (name, result) in [("f", 2050), ("g", 3002)] {
            memory.write(&mut store, 64, &[2]).unwrap();
            memory.write(&mut store, 128, &[3]).unwrap();
            assert_eq!(call(&mut store, instance, name, &[]).unwrap(), [Val::I32(result)], "{name} {tier:?}");
            assert_eq!(hits(&log).len(), 1);
        }
    }
}

#[test]
fn memories_of_every_kind_that_grow() {
    let guests = [
        ("(memory 1 4)", "i32"),
        ("(memory 1)", "i32"),
        ("(memory i64 1 4)", "i64"),
        ("(memory i64 1)", "i64"),
        ("(memory 70000 200000 (pagesize 1))", "i32"),
    ];
    for tier in TIERS {
        for (memory, ty) in guests {
            let text = format!(
                r#"(module {memory}
                (func (export "store") (param i32) (i64.store ({ty}.const 4090) (i64.extend_i32_u (local.get 0))))
                (func (export "load") (result i64) (i64.load ({ty}.const 4094)))
                (func (export "grow") (drop (memory.grow ({ty}.const 2)))))"#
            );
            let features = stepwell::Features { custom_page_sizes: true, ..Default::default() };
            let config =
                Config { debug: true, debug_tier: tier, features, memory_reservation: 1 << 17, ..Config::default() };
            let engine = Engine::new(config).unwrap();
            let mut store = Store::new(&engine);
            let log = Log::default();
            let seen = log.clone();
            let debugger = Debugger::attach(&mut store, move |stop| {
                note(stop, &seen);
                Action::Continue
            })
            .unwrap();
            let module = module(&engine, &text);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = instance.memory(&store, MemoryIndex::new(0)).unwrap();
            debugger.watch_memory(&mut store, memory, 4095..4097, WatchKind::Access).unwrap();
            for turn in 0..3u32 {
                call(&mut store, instance, "store", &[Val::I32(turn as i32 + 1)]).unwrap();
                call(&mut store, instance, "load", &[]).unwrap();
                call(&mut store, instance, "grow", &[]).unwrap();
                let told: Vec<_> = hits(&log).into_iter().map(|hit| (hit.0, hit.1)).collect();
                assert_eq!(told, [(false, 4095), (true, 4095)], "{memory:?} {ty} {turn}");
            }
        }
    }
}

#[test]
fn what_cannot_be_watched_of_memories_is_refused() {
    let mut guest = Bytes::new(DebugTier::Regions, "(module (memory 1) (memory 1 2 shared))");
    let shared = guest.instance.memory(&guest.store, MemoryIndex::new(1)).unwrap();
    let (debugger, store) = (guest.debugger.clone(), &mut guest.store);
    let refused = debugger.watch_memory(store, shared, 0..4, WatchKind::Read).unwrap_err();
    assert!(refused.kind() == ErrorKind::Argument && refused.to_string().contains("shared"), "{refused}");
    for bytes in [65536..65537, 65535..65537, 5..5, 0..u64::MAX, u64::MAX..u64::MAX] {
        let refused = debugger.watch_memory(store, guest.memory, bytes, WatchKind::Write).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Argument, "{refused}");
    }
    assert!(debugger.watchpoints(store).unwrap().is_empty());

    let engine = Engine::new(Config { debug: true, signals: false, ..Config::default() }).unwrap();
    let mut store = Store::new(&engine);
    let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
    let module = module(&engine, STEPS);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let ty = stepwell::MemoryType::new(stepwell::Limits { min: 1, max: None });
    let memory = Memory::new(&mut store, ty).unwrap();
    let refused = debugger.watch_memory(&mut store, memory, 0..4, WatchKind::Write).unwrap_err();
    assert!(refused.kind() == ErrorKind::State && refused.to_string().contains("signals"), "{refused}");
    assert!(debugger.watchpoints(&store).unwrap().is_empty());
    let watched = global(&store, instance, 0);
    debugger.watch_global(&mut store, watched, WatchKind::Write).unwrap();
    let refused = debugger.watch_global(&mut store, watched, WatchKind::Read).unwrap_err();
    assert!(refused.to_string().contains("reads"), "{refused}");
}

/// A guest that mixes its memory, with what is watched chosen and changed at random at its stops: it computes the same.
#[test]
fn watching_changes_nothing() {
    let text = r#"(module (memory 3) (global (mut i32) (i32.const 1))
        (func $next (result i32) (local i32)
            (global.set 0 (i32.add (i32.mul (global.get 0) (i32.const 1103515245)) (i32.const 12345)))
            (i32.and (i32.shr_u (global.get 0) (i32.const 8)) (i32.const 16383)))
        (func (export "f") (param i32) (result i32) (local i32 i32 i64)
            (loop
                (local.set 1 (call $next)) (local.set 2 (call $next))
                (i32.store16 (local.get 1) (i32.add (i32.load (local.get 2)) (i32.load8_u (local.get 1))))
                (local.set 3 (i64.add (i64.load (local.get 1)) (i64.rotl (local.get 3) (i64.const 7))))
                (i64.store offset=3 (local.get 2) (i64.xor (i64.load offset=5 (local.get 1)) (local.get 3)))
                (if (i32.eqz (i32.and (local.get 0) (i32.const 7)))
                    (then (memory.copy (local.get 1) (local.get 2) (i32.const 40))))
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (i32.xor (i32.wrap_i64 (local.get 3)) (global.get 0))))"#;
    for tier in TIERS {
        let run = |seed: u64| {
            let state = Mutex::new((seed, None::<WatchpointId>, None::<WatchpointId>, 0u32));
            let told = Arc::new(AtomicU32::new(0));
            let count = told.clone();
            let (engine, mut store, debugger, _) = debugged(tier, move |stop| {
                let mut state = state.lock().unwrap();
                count.fetch_add(u32::from(matches!(stop.reason(), Reason::Watchpoint(_))), Ordering::Relaxed);
                let mut next = |below: u64| {
                    state.0 = state.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state.0 >> 33) % below
                };
                let kinds = [WatchKind::Read, WatchKind::Write, WatchKind::Change, WatchKind::Access];
                let most = if seed % 2 == 1 { 8000 } else { 300 };
                let (at, len, kind) = (next(16384), next(most) + 1, kinds[next(4) as usize]);
                let (act, which) = (next(5), next(2));
                let debugger = stop.debugger();
                let memory = stop.top().unwrap().instance().unwrap().memory(&*stop, MemoryIndex::new(0)).unwrap();
                if next(3) == 0 {
                    let old = if which == 0 { state.1.take() } else { state.2.take() };
                    if let Some(id) = old {
                        debugger.remove_watchpoint(stop, id).unwrap();
                    }
                    let new = debugger.watch_memory(stop, memory, at..at + len, kind).unwrap();
                    *(if which == 0 { &mut state.1 } else { &mut state.2 }) = Some(new);
                }
                state.3 += 1;
                match act {
                    0 => Action::StepInstruction,
                    1 => Action::StepOver,
                    _ => Action::Continue,
                }
            });
            let module = module(&engine, text);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = instance.memory(&store, MemoryIndex::new(0)).unwrap();
            for (at, byte) in memory.data_mut(&mut store).unwrap().iter_mut().enumerate() {
                *byte = (at * 7 + at / 256) as u8;
            }
            let before = memory.data(&store).unwrap().to_vec();
            if seed % 2 == 1 {
                // Watched only once it is in code of its own, for a breakpoint in the middle of its region.
                let all = |func| module.instructions(FuncIndex::new(func), WasmOffset::new(0), usize::MAX).unwrap();
                let functions = (0..module.info().funcs.len() as u32).map(all);
                let f = functions
                    .into_iter()
                    .find(|all| all.iter().any(|one| one.text.starts_with("memory.copy")))
                    .unwrap();
                let copy = f.iter().position(|one| one.text.starts_with("memory.copy")).unwrap();
                debugger.break_at(&mut store, &module, f[copy - 1].offset).unwrap();
            } else if seed > 0 {
                debugger.watch_memory(&mut store, memory, 1000..9000, WatchKind::Access).unwrap();
            }
            let result = call(&mut store, instance, "f", &[Val::I32(200)]).unwrap();
            let hits = told.load(Ordering::Relaxed);
            let bytes = memory.data(&store).unwrap().to_vec();
            assert!(seed == 0 || hits > 50, "{seed}: {hits}");
            assert!(bytes != before);
            (result, bytes)
        };
        let plain = run(0);
        for seed in 1..10 {
            assert!(run(seed) == plain, "seed {seed}, {tier:?}");
        }
    }
}

/// A memory goes back to the engine as it was, whatever watches it.
#[test]
fn watched_memories_are_given_back_accessible() {
    let engine = engine(DebugTier::Regions);
    let module = module(
        &engine,
        r#"(module (memory (export "memory") 1) (func (export "f") (i32.store (i32.const 8) (i32.const 1))))"#,
    );
    for turn in 0..6 {
        let mut store = Store::new(&engine);
        let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.memory(&store, MemoryIndex::new(0)).unwrap();
        assert!(memory.data(&store).unwrap().iter().all(|byte| *byte == 0));
        let id = debugger.watch_memory(&mut store, memory, 0..65536, WatchKind::Access).unwrap();
        call(&mut store, instance, "f", &[]).unwrap();
        assert_eq!(debugger.watchpoint(&store, id).unwrap().unwrap().hits, 1);
        memory.data_mut(&mut store).unwrap().fill(7);
        if turn % 2 == 0 {
            debugger.detach(&mut store).unwrap();
            call(&mut store, instance, "f", &[]).unwrap();
            assert_eq!(memory.data(&store).unwrap()[8..10], [1, 0]);
        }
    }
}

/// Where the n-th instruction of a function is that begins with this text.
fn place_of(module: &Module, func: &str, text: &str, n: usize) -> u32 {
    let all = module.instructions(module.info().func_named(func).unwrap(), WasmOffset::new(0), usize::MAX).unwrap();
    let mut found = all.iter().filter(|one| one.text == text || one.text.starts_with(&format!("{text} ")));
    found.nth(n).unwrap_or_else(|| panic!("no {n}. {text} in {func}: {all:?}")).offset.get()
}

/// What a watchpoint on a local has told: by which instruction, the values as numbers, and where the guest stood.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    Write { watchpoint: u32, by: u32, old: u64, new: u64, func: u32, at: u32 },
    End { watchpoint: u32, by: u32, old: u64, func: u32, at: u32 },
    Other(String),
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// What a stop tells, with all that is always so looked at.
fn told_of(stop: &Stop<'_>) -> Vec<Told> {
    let top = stop.top().unwrap();
    let (at, func) = (top.offset().get(), top.func().get());
    let hits = match stop.reason() {
        Reason::Watchpoint(hits) => hits,
        other => return vec![Told::Other(format!("{other:?}").split('(').next().unwrap().to_owned())],
    };
    let told = |hit: &WatchHit| {
        assert!(!hit.by_host && !hit.is_read && (hit.is_end || hit.address.is_none()), "{hit:?}");
        let (watchpoint, by, old) = (hit.id.get(), hit.offset.get(), number(&hit.old));
        let known = stop.debugger().watchpoint(stop, hit.id).unwrap();
        match hit.is_end {
            true => {
                assert!(hit.new.is_empty() && known.is_none());
                Told::End { watchpoint, by, old, func, at }
            }
            false => {
                assert!(hit.func.get() == func && known.unwrap().hits > 0);
                Told::Write { watchpoint, by, old, new: number(&hit.new), func, at }
            }
        }
    };
    hits.iter().map(told).collect()
}

/// A guest under a debugger that notes what watchpoints on locals tell.
struct Locals {
    store: Store,
    module: Module,
    instance: Instance,
    debugger: Debugger,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Locals {
    /// `answer` is called at every stop behind the note of it.
    fn new(
        tier: DebugTier,
        text: &str,
        imports: impl FnOnce(&mut Store) -> Vec<Extern>,
        answer: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
    ) -> Locals {
        let engine = engine(tier);
        let mut store = Store::new(&engine);
        let told = Arc::new(Mutex::new(Vec::new()));
        let noted = told.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let told = told_of(stop);
            noted.lock().unwrap().extend(told);
            answer(stop)
        })
        .unwrap();
        let module = module(&engine, text);
        let imports = imports(&mut store);
        let instance = Instance::new(&mut store, &module, &imports).unwrap();
        Locals { store, module, instance, debugger, told }
    }

    fn break_at(&mut self, func: &str, text: &str, n: usize) -> stepwell::debug::BreakpointId {
        let at = WasmOffset::new(place_of(&self.module, func, text, n));
        self.debugger.break_at(&mut self.store, &self.module, at).unwrap().id
    }

    fn at(&self, func: &str, text: &str, n: usize) -> u32 {
        place_of(&self.module, func, text, n)
    }

    fn call(&mut self, name: &str, args: &[Val]) -> Result<Vec<Val>, Error> {
        call(&mut self.store, self.instance, name, args)
    }

    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    /// The old and new values that were told, breakpoints aside.
    fn values(&self) -> Vec<(u64, u64)> {
        let values = self.told().into_iter().filter_map(|told| match told {
            Told::Write { old, new, .. } => Some((old, new)),
            Told::End { .. } => panic!("{told:?}"),
            Told::Other(_) => None,
        });
        values.collect()
    }
}

/// Has the innermost frame's local watched where a breakpoint stops.
fn watch_top(local: usize, kind: WatchKind) -> impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static {
    watch_frame(0, local, kind)
}

fn watch_frame(
    frame: usize,
    local: usize,
    kind: WatchKind,
) -> impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static {
    move |stop| {
        if matches!(stop.reason(), Reason::Breakpoint(_)) {
            stop.debugger().watch_local(stop, frame, local, kind).unwrap();
        }
        Action::Continue
    }
}

fn nothing(_: &mut Store) -> Vec<Extern> {
    Vec::new()
}

#[test]
fn locals_of_every_type() {
    let types = ["i32", "i64", "f32", "f64", "v128", "funcref", "externref", "anyref"];
    let (mut sets, mut fetched) = (String::new(), String::new());
    for index in 0..8 {
        // Parameters are written by what is declared behind them, and those by parameters.
        sets += &format!("(local.set {index} (local.tee {} (local.get {index})))", index + 8);
        fetched += &format!("(local.set {index} (global.get {index}))");
    }
    let text = format!(
        r#"(module (global i32 (i32.const -1)) (global i64 (i64.const -2)) (global f32 (f32.const 3)) (global f64 (f64.const 4))
            (global v128 (v128.const i64x2 5 6)) (global funcref (ref.func $f)) (global externref (ref.null extern))
            (global anyref (ref.i31 (i32.const 7)))
            (func $f (export "f") (param {params}) (local {params}) nop {sets} {fetched}))"#,
        params = types.join(" "),
    );
    for tier in TIERS {
        for (kind, local) in (0..32).map(|n| ([WatchKind::Write, WatchKind::Change][n / 16], n % 16)) {
            let mut guest = Locals::new(tier, &text, nothing, watch_top(local, kind));
            guest.break_at("f", "nop", 0);
            let args = [
                &[Val::I32(1), Val::I64(2), Val::F32(7), Val::F64(8), Val::V128([9; 16])][..],
                &[Val::FuncRef(None), Val::ExternRef(None), Val::AnyRef(None)],
            ]
            .concat();
            guest.call("f", &args).unwrap();
            let writes: Vec<_> = guest.told().into_iter().filter(|told| matches!(told, Told::Write { .. })).collect();
            let set = |n| guest.at("f", &format!("local.set {local}"), n);
            let by: Vec<u32> = writes
                .iter()
                .map(|told| {
                    if let Told::Write { by, at, .. } = told {
                        assert_eq!(*at, by + 2);
                        *by
                    } else {
                        0
                    }
                })
                .collect();
            let wanted: Vec<u32> = match (local < 8, kind) {
                (true, WatchKind::Write) => vec![set(0), set(1)],
                // The null of `externref` stays one.
                (true, _) if local == 6 => vec![],
                (true, _) => vec![set(1)],
                (false, WatchKind::Write) => vec![guest.at("f", &format!("local.tee {local}"), 0)],
                // Nulls.
                (false, _) if local >= 13 => vec![],
                (false, _) => vec![guest.at("f", &format!("local.tee {local}"), 0)],
            };
            assert_eq!(by, wanted, "{local} {kind:?} {tier:?}");
            if let (Some(Told::Write { old, new, .. }), true) = (writes.last(), local < 4) {
                let wanted = [(1, 0xffff_ffff), (2, -2i64 as u64), (7, 3f32.to_bits().into()), (8, 4f64.to_bits())];
                assert_eq!((*old, *new), wanted[local], "{local}");
            }
            assert_eq!(guest.debugger.watchpoints(&guest.store).unwrap(), [], "its frame is gone");
        }
    }
}

const COUNT: &str = r#"(module (func $f (export "f") (param i32) (result i32) (local i32 i32) nop
    (loop (local.set 1 (i32.div_u (local.get 0) (i32.const 1000))) (local.set 2 (i32.add (local.get 2) (local.get 1)))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 2)))"#;

#[test]
fn of_ten_thousand_writes_those_are_told_that_change() {
    for tier in TIERS {
        for kind in [WatchKind::Change, WatchKind::Write] {
            let mut guest = Locals::new(tier, COUNT, nothing, watch_top(1, kind));
            let breakpoint = guest.break_at("f", "nop", 0);
            let plain = (1..=10_000u32).map(|n| n / 1000).sum::<u32>();
            assert_eq!(guest.call("f", &[Val::I32(10_000)]).unwrap(), [Val::I32(plain as i32)], "{tier:?}");
            let values = guest.values();
            match kind {
                WatchKind::Change => {
                    let wanted: Vec<_> = std::iter::once((0, 10)).chain((1..=10).rev().map(|n| (n, n - 1))).collect();
                    assert_eq!(values, wanted, "{tier:?}");
                }
                _ => assert!(values.len() == 10_000 && values[1] == (10, 9) && values[2] == (9, 9)),
            }
            // The own breakpoints were nobody's, and are gone.
            assert_eq!(guest.debugger.breakpoints(&guest.store).unwrap().len(), 1);
            guest.debugger.remove(&mut guest.store, breakpoint).unwrap();
            assert_eq!(guest.break_at("f", "nop", 0).get(), breakpoint.get() + 1);
        }
    }
}

const FAC: &str = r#"(module (func $fac (export "fac") (param i64) (result i64) (local i64)
        (local.set 1 (local.get 0))
        (if (i64.gt_s (local.get 0) (i64.const 1))
            (then (local.set 1 (i64.mul (local.get 1) (call $fac (i64.sub (local.get 0) (i64.const 1)))))))
        nop (local.get 1))
    (func $main (export "main") (result i64) (i64.add (call $fac (i64.const 5)) (i64.const 0))))"#;

/// Frames of the same function have locals of their own: two are watched, of five.
#[test]
fn recursion_confuses_nothing_and_ends_are_told_in_the_callers() {
    for tier in TIERS {
        let mut guest = Locals::new(tier, FAC, nothing, |stop| {
            // In the innermost.
            let depth = stop.frame_count();
            if depth == 6
                && matches!(stop.reason(), Reason::Breakpoint(_))
                && stop.debugger().watchpoints(stop).unwrap().is_empty()
            {
                for frame in [1, 3] {
                    stop.debugger().watch_local(stop, frame, 1, WatchKind::Change).unwrap();
                }
                let watched = stop.debugger().watchpoints(stop).unwrap();
                assert_eq!(watched[1].frame, Some(stop.frame(3).unwrap().id()));
                assert_eq!(watched[1].target, WatchTarget::Local(stepwell::base::LocalIndex::new(1)));
            }
            Action::Continue
        });
        guest.break_at("fac", "nop", 0);
        assert_eq!(guest.call("main", &[]).unwrap(), [Val::I64(120)]);
        let told: Vec<_> = guest.told().into_iter().filter(|told| !matches!(told, Told::Other(_))).collect();
        let (by, call) = (guest.at("fac", "local.set", 1), guest.at("fac", "call", 0));
        let write = |watchpoint, old, new| Told::Write { watchpoint, by, old, new, func: 0, at: by + 2 };
        let end = |watchpoint, old| Told::End { watchpoint, by: call, old, func: 0, at: call + 2 };
        // Two times one is no change.
        assert_eq!(told, [end(1, 2), write(2, 4, 24), end(2, 24)], "{tier:?}");
    }
}

const WAYS_OUT: &str = r#"(module
    (import "" "h" (func $h (param i32)))
    (memory 1) (tag $t) (tag $u)
    (func $leaf (export "leaf") (param i32) (result i32) (local i32) nop (local.set 1 (i32.const 3)) (local.get 1))
    (func $calls (export "calls") (param i32) (result i32) (local i32) (local.set 1 (call $leaf (local.get 0))) (local.get 1))
    (func $self (export "self") (param i32) (result i32) nop (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (if (local.get 0) (then (return_call $self (local.get 0)))) (i32.const 9))
    (func $calls_self (export "calls_self") (param i32) (result i32) (call $self (local.get 0)) (drop (i32.const 1)))
    (func $other (export "other") (param i32) (result i32) nop (local.set 0 (i32.const 8)) (return_call $leaf (local.get 0)))
    (func $calls_other (export "calls_other") (param i32) (result i32) (call $other (local.get 0)))
    (func $throws (export "throws") (param i32) nop (local.set 0 (i32.const 5)) (if (local.get 0) (then (throw $t))))
    (func $between (param i32) (call $throws (local.get 0)) (call $throws (local.get 0)))
    (func $catches (export "catches") (param i32)
        (block $on (try_table (catch $t $on) (call $between (local.get 0)))) (drop (i32.const 2)))
    (func $traps (export "traps") (param i32) nop (local.set 0 (i32.const 6)) (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func $calls_traps (export "calls_traps") (param i32) (call $traps (local.get 0)))
    (func $hosts (export "hosts") (param i32) (call $h (local.get 0)) (drop (i32.const 3))))"#;

/// What `h` of that does: calls an export, and goes on whatever comes of it.
fn calling(name: &'static str) -> impl FnOnce(&mut Store) -> Vec<Extern> {
    move |store| {
        let h = Func::wrap(store, move |mut caller: Caller<'_>, to: i32| -> Result<(), Error> {
            let instance = caller.instance().unwrap();
            let _whatever = call(&mut caller, instance, name, &[Val::I32(to)]);
            Ok(())
        });
        vec![Extern::Func(h.unwrap())]
    }
}

/// How a frame ends, what is told of that, and that nothing is left.
#[test]
fn frames_end_in_every_way() {
    // The export that is called, the function whose frame is watched, what is told of its end: the caller, and where.
    type Case = (&'static str, &'static str, &'static str, Option<(&'static str, &'static str, &'static str)>);
    let cases: [Case; 10] = [
        ("leaf", "leaf", "leaf", None),
        ("calls", "leaf", "leaf", Some(("calls", "call", "local.set"))),
        ("self", "self", "leaf", None),
        ("calls_self", "self", "leaf", Some(("calls_self", "call", "i32.const"))),
        ("calls_other", "other", "leaf", Some(("calls_other", "call", "end"))),
        ("catches", "throws", "leaf", Some(("between", "call", "catches"))),
        ("throws", "throws", "leaf", None),
        ("calls_traps", "traps", "leaf", None),
        ("hosts", "leaf", "leaf", Some(("hosts", "call", "i32.const"))),
        ("hosts", "traps", "traps", None),
    ];
    for tier in TIERS {
        for (name, func, called, end) in cases {
            let local = usize::from(func == "leaf");
            let mut guest = Locals::new(tier, WAYS_OUT, calling(called), move |stop| {
                let is_first = matches!(stop.reason(), Reason::Breakpoint(ids) if ids[0].get() == 1);
                if is_first {
                    let id = stop.reason().breakpoints()[0];
                    stop.debugger().remove(stop, id).unwrap();
                    stop.debugger().watch_local(stop, 0, local, WatchKind::Change).unwrap();
                }
                Action::Continue
            });
            guest.break_at(func, "nop", 0);
            let outcome = guest.call(name, &[Val::I32(3)]);
            assert_eq!(outcome.is_err(), matches!(name, "throws" | "calls_traps"), "{name}: {outcome:?}");
            let by = guest.at(func, "local.set", 0);
            let told: Vec<_> = guest.told().into_iter().filter(|told| !matches!(told, Told::Other(_))).collect();
            let index = |name| guest.module.info().func_named(name).unwrap().get();
            let new = [("leaf", 3), ("self", 2), ("other", 8), ("throws", 5), ("traps", 6)];
            let new = new.iter().find(|row| row.0 == func).unwrap().1;
            let old = if func == "leaf" { 0 } else { 3 };
            let mut wanted = vec![Told::Write { watchpoint: 1, by, old, new, func: index(func), at: by + 2 }];
            wanted.extend(end.map(|(caller, call, at)| {
                let by = guest.at(caller, call, 0);
                let (func, at) = match at {
                    // Where the exception lands.
                    "catches" => (index("catches"), guest.at("catches", "i32.const", 0)),
                    "end" => (index(caller), by + 2),
                    _ => (index(caller), guest.at(caller, at, 0)),
                };
                Told::End { watchpoint: 1, by, old: new, func, at }
            }));
            assert_eq!(told, wanted, "{name} {func} {tier:?}");
            let watched = guest.debugger.watchpoints(&guest.store).unwrap();
            assert_eq!(watched, [], "{name} {func} {tier:?}");
            // Others in the same place are not taken for it, and nothing is armed any more.
            for again in ["calls", "calls_self", "calls_other", "catches", "hosts", "leaf"] {
                guest.call(again, &[Val::I32(3)]).unwrap();
            }
            let told = guest.told();
            assert!(told.iter().all(|told| matches!(told, Told::Other(_))), "{name} {func} {tier:?} {told:?}");
        }
    }
}

/// Frames that stand later where those of a callback's call have stood are not taken for them.
#[test]
fn frames_that_a_callback_has_called_are_gone_when_it_answers() {
    // Frames of all sizes outside of it have the recursion come to each place of the stack.
    let (mut pads, mut calls) = (String::new(), String::new());
    for size in 0..64 {
        let locals = "i64 ".repeat(size);
        pads += &format!("(func $pad{size} (result i32) (local {locals}) (call $down (i32.const 400)))");
        calls += &format!("(drop (call $pad{size}))");
    }
    let text = format!(
        r#"(module
            (func $down (export "down") (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
                    (else nop (i32.const 0))))
            {pads}
            (func $main (export "main") nop {calls}))"#
    );
    for tier in TIERS {
        let depth = AtomicU32::new(0);
        let mut guest = Locals::new(tier, &text, nothing, move |stop| match depth.fetch_add(1, Ordering::Relaxed) {
            0 => {
                let instance = stop.top().unwrap().instance().unwrap();
                assert!(call(stop, instance, "down", &[Val::I32(3)]).is_err());
                Action::Continue
            }
            1 => {
                stop.debugger().watch_local(stop, 0, 0, WatchKind::Write).unwrap();
                Action::Trap("gone".to_owned())
            }
            _ => Action::Continue,
        });
        guest.break_at("main", "nop", 0);
        let inner = guest.break_at("down", "nop", 0);
        guest.debugger.change_breakpoint(&mut guest.store, inner, |options| options.one_shot = true).unwrap();
        guest.call("main", &[]).unwrap();
        let told = guest.told();
        assert!(told.len() == 2 && told.iter().all(|told| matches!(told, Told::Other(_))), "{tier:?} {told:?}");
    }
}

#[test]
fn what_is_written_to_a_frame_by_a_callback_is_told_to_nobody() {
    for tier in TIERS {
        for before in [false, true] {
            let mut guest = Locals::new(tier, COUNT, nothing, move |stop| {
                match stop.reason() {
                    Reason::Breakpoint(_) => {
                        if before {
                            stop.set_local(0, 1, Val::I32(77)).unwrap();
                        }
                        stop.debugger().watch_local(stop, 0, 1, WatchKind::Change).unwrap();
                        if !before {
                            stop.set_local(0, 1, Val::I32(77)).unwrap();
                        }
                    }
                    // 8, 8, 8, 7: another value, which is written over by the next 8.
                    Reason::Watchpoint(hits) if number(&hits[0].new) == 8 && number(&hits[0].old) != 55 => {
                        stop.set_local(0, 1, Val::I32(55)).unwrap();
                    }
                    _ => {}
                }
                Action::Continue
            });
            guest.break_at("f", "nop", 0);
            guest.call("f", &[Val::I32(9000)]).unwrap();
            let values = guest.values();
            assert_eq!(values[..4], [(77, 9), (9, 8), (55, 8), (8, 7)], "{tier:?}");
        }
    }
}

#[test]
fn watched_locals_are_switched_off_and_on_and_removed_where_they_are_told() {
    for tier in TIERS {
        let mut guest = Locals::new(tier, COUNT, nothing, |stop| {
            let debugger = stop.debugger();
            match stop.reason() {
                Reason::Breakpoint(ids) if ids[0].get() == 1 => {
                    debugger.watch_local(stop, 0, 1, WatchKind::Write).unwrap();
                    debugger.watch_local(stop, 0, 0, WatchKind::Write).unwrap();
                }
                Reason::Watchpoint(hits) if hits[0].id.get() == 1 => {
                    debugger.enable_watchpoint(stop, hits[0].id, false).unwrap();
                    assert!(!debugger.watchpoints(stop).unwrap()[0].enabled);
                }
                Reason::Watchpoint(hits) if number(&hits[0].new) == 5 => {
                    debugger.enable_watchpoint(stop, WatchpointId::new(1), true).unwrap();
                }
                Reason::Watchpoint(hits) if number(&hits[0].new) == 2 => {
                    debugger.remove_watchpoint(stop, hits[0].id).unwrap();
                    assert_eq!(debugger.watchpoints(stop).unwrap().len(), 1);
                }
                _ => {}
            }
            Action::Continue
        });
        guest.break_at("f", "nop", 0);
        assert_eq!(guest.call("f", &[Val::I32(8)]).unwrap(), [Val::I32(0)]);
        let told = guest.told().into_iter().filter_map(|told| match told {
            Told::Write { watchpoint, new, .. } => Some((watchpoint, new)),
            _ => None,
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [(1, 0), (2, 7), (2, 6), (2, 5), (1, 0), (2, 4), (2, 3), (2, 2)],
            "{tier:?}"
        );
    }
}

#[test]
fn jumps_and_early_returns_of_watched_frames() {
    for tier in TIERS {
        let mut guest = Locals::new(tier, WAYS_OUT, calling("leaf"), |stop| {
            let top = stop.top().unwrap();
            let (module, func) = (top.module().clone(), top.func());
            let name = module.info().func_name(func).unwrap().to_owned();
            match (stop.reason(), &*name) {
                (Reason::Breakpoint(_), "leaf") => {
                    stop.debugger().watch_local(stop, 0, 1, WatchKind::Write).unwrap();
                }
                (Reason::Watchpoint(hits), "leaf")
                    if stop.debugger().watchpoint(stop, hits[0].id).unwrap().unwrap().hits == 1 =>
                {
                    // It is written once more.
                    stop.jump(WasmOffset::new(place_of(&module, "leaf", "i32.const", 0))).unwrap();
                }
                (Reason::Watchpoint(_), "leaf") => stop.return_early(&[Val::I32(40)]).unwrap(),
                // A tail call that does not come to be: the frame is still there.
                (Reason::Breakpoint(ids), "self") if ids[0].get() == 2 => {
                    let id = ids[0];
                    stop.debugger().watch_local(stop, 0, 0, WatchKind::Write).unwrap();
                    stop.debugger().remove(stop, id).unwrap();
                }
                (Reason::Breakpoint(ids), "self") if ids[0].get() == 3 => {
                    let id = ids[0];
                    stop.debugger().remove(stop, id).unwrap();
                    stop.set_operand(0, 0, Val::I32(70)).unwrap();
                    let drop = place_of(&module, "self", "local.set", 0);
                    stop.jump(WasmOffset::new(drop)).unwrap();
                }
                _ => {}
            }
            Action::Continue
        });
        guest.break_at("leaf", "nop", 0);
        assert_eq!(guest.call("calls", &[Val::I32(1)]).unwrap(), [Val::I32(40)]);
        let short = |told: Vec<Told>| -> Vec<(u64, u64)> {
            let values = told.into_iter().filter_map(|told| match told {
                Told::Write { old, new, .. } => Some((old, new)),
                Told::End { old, .. } => Some((old, 99)),
                Told::Other(_) => None,
            });
            values.collect()
        };
        assert_eq!(short(guest.told()), [(0, 3), (3, 3), (3, 99)], "{tier:?}");
        guest.break_at("self", "nop", 0);
        guest.break_at("self", "return_call", 0);
        assert_eq!(guest.call("calls_self", &[Val::I32(2)]).unwrap(), [Val::I32(9)]);
        assert_eq!(short(guest.told()), [(2, 1), (1, 70), (70, 99)], "{tier:?}");
    }
}

#[test]
fn a_write_to_a_watched_local_ends_a_step_and_a_step_goes_on_from_it() {
    for tier in TIERS {
        let mut guest = Locals::new(tier, WAYS_OUT, calling("leaf"), |stop| match stop.reason() {
            Reason::Breakpoint(ids) if ids[0].get() == 1 => {
                stop.debugger().watch_local(stop, 0, 1, WatchKind::Change).unwrap();
                Action::StepOut
            }
            Reason::Watchpoint(hits) if !hits[0].is_end => Action::StepInstruction,
            Reason::Step => Action::StepOut,
            _ => Action::Continue,
        });
        guest.break_at("leaf", "nop", 0);
        guest.break_at("calls", "local.set", 0);
        guest.break_at("leaf", "local.get", 0);
        guest.call("calls", &[Val::I32(3)]).unwrap();
        let kinds = guest.told().into_iter().map(|told| match told {
            Told::Write { .. } => "write".to_owned(),
            Told::End { .. } => "end".to_owned(),
            Told::Other(what) => what,
        });
        let kinds: Vec<_> = kinds.collect();
        // Breakpoints come behind what watchpoints tell at the same instruction, and the step behind those.
        assert_eq!(kinds, ["Breakpoint", "write", "Breakpoint", "end", "Breakpoint"], "{tier:?}");
    }
}

#[test]
fn what_cannot_be_watched_of_locals_is_refused() {
    let refusals = Arc::new(Mutex::new(Vec::new()));
    let seen = refusals.clone();
    let mut guest = Locals::new(DebugTier::Regions, COUNT, nothing, move |stop| {
        let debugger = stop.debugger();
        let tries =
            [(0, 3, WatchKind::Write), (1, 0, WatchKind::Write), (0, 0, WatchKind::Read), (0, 0, WatchKind::Access)];
        let refused = tries.map(|(frame, local, kind)| debugger.watch_local(stop, frame, local, kind).unwrap_err());
        seen.lock().unwrap().extend(refused.map(|error| (error.kind(), error.to_string())));
        let mut other = Store::new(stop.as_store_mut().engine());
        let elsewhere = Debugger::attach(&mut other, |_| Action::Continue).unwrap();
        let refused = elsewhere.watch_local(stop, 0, 0, WatchKind::Write).unwrap_err();
        seen.lock().unwrap().push((refused.kind(), refused.to_string()));
        assert_eq!(debugger.watchpoints(stop).unwrap(), []);
        Action::Continue
    });
    guest.break_at("f", "nop", 0);
    guest.call("f", &[Val::I32(3)]).unwrap();
    let refused = refusals.lock().unwrap();
    let says =
        ["no local 3: it has 3", "no frame 1: there are 1", "reads of locals", "reads of locals", "another store"];
    assert_eq!(refused.len(), says.len());
    for ((kind, message), says) in refused.iter().zip(says) {
        assert!(*kind == ErrorKind::Argument && message.contains(says), "{message}");
    }
}

/// What a region reads is watched, too: the guest is stopped at the access when it was shown what is behind it already.
#[test]
fn locals_and_memory_are_watched_together() {
    let text = r#"(module (memory 1) (func (export "f") (result i32) (local i32) nop
        (local.set 0 (i32.const 1)) (drop (i32.load (i32.const 60))) (local.set 0 (i32.const 2)) (local.set 0 (i32.load (i32.const 64)))
        (local.set 0 (i32.add (local.get 0) (i32.load (i32.const 68)))) (i32.store (i32.const 72) (local.get 0)) (local.get 0)))"#;
    for tier in TIERS {
        for late in [false, true] {
            let engine = engine(tier);
            let mut store = Store::new(&engine);
            let log = Arc::new(Mutex::new(Vec::new()));
            let seen = log.clone();
            let debugger = Debugger::attach(&mut store, move |stop| {
                let hits = stop.reason().watchpoints().to_vec();
                let memory = stop.top().unwrap().instance().unwrap().memory(&*stop, MemoryIndex::new(0)).unwrap();
                let watch =
                    |stop: &mut Stop<'_>| stop.debugger().watch_memory(stop, memory, 64..72, WatchKind::Read).unwrap();
                if hits.is_empty() {
                    stop.debugger().watch_local(stop, 0, 0, WatchKind::Write).unwrap();
                    if !late {
                        watch(stop);
                    }
                }
                if late && hits.iter().any(|hit| number(&hit.new) == 1) {
                    // What is behind is told, and what is before is not.
                    stop.debugger().watch_memory(stop, memory, 60..72, WatchKind::Read).unwrap();
                }
                seen.lock().unwrap().extend(hits.iter().map(|hit| (hit.is_read, number(&hit.old), number(&hit.new))));
                Action::Continue
            })
            .unwrap();
            let module = module(&engine, text);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = instance.memory(&store, MemoryIndex::new(0)).unwrap();
            memory.write(&mut store, 60, &[7, 0, 0, 0, 10, 0, 0, 0, 20]).unwrap();
            let nop = module.instructions(FuncIndex::new(0), WasmOffset::new(0), 1).unwrap()[0].offset;
            debugger.break_at(&mut store, &module, nop).unwrap();
            assert_eq!(call(&mut store, instance, "f", &[]).unwrap(), [Val::I32(30)]);
            let mut wanted = vec![
                (false, 0, 1),
                (true, 7, 7),
                (false, 1, 2),
                (true, 10, 10),
                (false, 2, 10),
                (true, 20, 20),
                (false, 10, 30),
            ];
            if !late {
                wanted.remove(1);
            }
            assert_eq!(*log.lock().unwrap(), wanted, "{late} {tier:?}");
        }
    }
}

/// The guest comes by itself to where it was shown what is behind: what it does on the way is nobody's news.
#[test]
fn what_a_region_read_before_a_watchpoint_was_set_is_not_told() {
    let text = r#"(module (memory 1) (func (export "f") (result i32)
        (i32.load (i32.const 60)) nop (i32.load (i32.const 64)) i32.add))"#;
    for tier in TIERS {
        let guest = Bytes::new(tier, text);
        let (mut store, log) = (guest.store, guest.log);
        guest.debugger.detach(&mut store).unwrap();
        let seen = log.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            note(stop, &seen);
            if matches!(stop.reason(), Reason::Breakpoint(_)) {
                stop.debugger().watch_memory(stop, guest.memory, 60..68, WatchKind::Read).unwrap();
            }
            Action::Continue
        })
        .unwrap();
        let nop = guest.module.instructions(FuncIndex::new(0), WasmOffset::new(0), 3).unwrap()[2].clone();
        assert_eq!(nop.text, "nop");
        debugger.break_at(&mut store, &guest.module, nop.offset).unwrap();
        call(&mut store, guest.instance, "f", &[]).unwrap();
        let told = taken(&log).into_iter().filter_map(|seen| match seen {
            Seen::Hit { address, .. } => address,
            Seen::Other(_) => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [64], "{tier:?}");
    }
}

/// A guest with loops, calls and recursion, whose locals are watched at random stops, in any frame, and no longer at
/// others: it computes the same.
#[test]
fn watching_locals_changes_nothing() {
    let text = r#"(module (global $g (mut i32) (i32.const 1))
        (func $mix (param i32 i64) (result i32) (local i32)
            (local.set 2 (i32.wrap_i64 (local.get 1)))
            (if (i32.and (local.get 0) (i32.const 1))
                (then (local.set 0 (i32.mul (local.get 0) (i32.const 3)))) (else (local.set 2 (i32.add (local.get 2) (i32.const 1)))))
            (if (i32.gt_u (local.get 0) (i32.const 20))
                (then (return_call $mix (i32.shr_u (local.get 0) (i32.const 2)) (i64.extend_i32_u (local.tee 2 (i32.xor (local.get 2) (local.get 0)))))))
            (global.set $g (i32.add (global.get $g) (local.get 2)))
            (i32.add (local.get 0) (local.get 2)))
        (func $deep (param i32) (result i32) (local i32)
            (local.set 1 (call $mix (local.get 0) (i64.const 99)))
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (local.set 1 (i32.add (local.get 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1))
        (func (export "f") (param i32) (result i32) (local i32 i32)
            (loop
                (local.set 1 (i32.add (local.get 1) (call $deep (i32.rem_u (local.get 0) (i32.const 5)))))
                (local.set 2 (i32.rotl (local.get 1) (local.tee 2 (i32.and (local.get 2) (i32.const 0xffff)))))
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (i32.xor (i32.add (local.get 1) (local.get 2)) (global.get $g))))"#;
    for tier in TIERS {
        let run = |seed: u64| {
            let state = Mutex::new(seed);
            let hits = Arc::new(Mutex::new([0usize; 2]));
            let seen = hits.clone();
            let mut guest = Locals::new(tier, text, nothing, move |stop| {
                let mut state = state.lock().unwrap();
                let mut next = |below: usize| {
                    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (*state >> 33) as usize % below
                };
                for hit in stop.reason().watchpoints() {
                    seen.lock().unwrap()[usize::from(hit.is_end)] += 1;
                }
                let debugger = stop.debugger();
                let there = debugger.watchpoints(stop).unwrap();
                if next(3) == 0 && there.len() < 6 {
                    let frame = next(stop.frame_count());
                    let local = next(stop.frame(frame).unwrap().local_count());
                    let kind = [WatchKind::Write, WatchKind::Change][next(2)];
                    debugger.watch_local(stop, frame, local, kind).unwrap();
                } else if next(4) == 0 && !there.is_empty() {
                    let one = &there[next(there.len())];
                    match next(3) {
                        0 => debugger.remove_watchpoint(stop, one.id).unwrap(),
                        _ => debugger.enable_watchpoint(stop, one.id, !one.enabled).unwrap(),
                    }
                }
                match next(8) {
                    0 => Action::StepInstruction,
                    1 => Action::StepOver,
                    2 => Action::StepOut,
                    _ => Action::Continue,
                }
            });
            if seed > 0 {
                guest.break_at("mix", "if", 0);
                guest.break_at("deep", "i32.sub", 0);
            }
            let result = guest.call("f", &[Val::I32(60)]).unwrap();
            let hits = *hits.lock().unwrap();
            assert!(seed == 0 || hits[0].min(hits[1]) > 10, "{seed}: {hits:?}");
            assert_eq!(guest.debugger.watchpoints(&guest.store).unwrap(), []);
            (result, global(&guest.store, guest.instance, 0).get(&guest.store).unwrap())
        };
        let plain = run(0);
        for seed in 1..8 {
            assert!(run(seed) == plain, "seed {seed}, {tier:?}");
        }
    }
}

/// The compiler knows that the second write is never come to; a callback has the frame come there, in resume code.
#[test]
fn writes_that_only_a_changed_frame_comes_to() {
    let text = r#"(module (func (export "f") (param i32) (result i32)
        (local.get 0)
        (block (local.set 0 (i32.const 5))
            (br_if 0 (i32.and (local.get 0) (i32.const 1)))
            (local.set 0 (i32.const 6)))
        (i32.add (local.get 0))))"#;
    for tier in TIERS {
        for early in [false, true] {
            let engine = engine(tier);
            let mut store = Store::new(&engine);
            let log = Log::default();
            let seen = log.clone();
            let debugger = Debugger::attach(&mut store, move |stop| {
                note(stop, &seen);
                let watch = |stop: &mut Stop<'_>| stop.debugger().watch_local(stop, 0, 0, WatchKind::Write).unwrap();
                match stop.reason() {
                    Reason::Breakpoint(ids) if ids[0].get() == 1 && early => _ = watch(stop),
                    Reason::Breakpoint(ids) if ids[0].get() == 2 => {
                        stop.set_operand(0, 1, Val::I32(0)).unwrap();
                        return Action::StepInstruction;
                    }
                    Reason::Step if !early => _ = watch(stop),
                    _ => {}
                }
                Action::Continue
            })
            .unwrap();
            let module = module(&engine, text);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let all = module.instructions(FuncIndex::new(0), WasmOffset::new(0), 20).unwrap();
            for text in ["block", "br_if"] {
                let at = all.iter().find(|one| one.text.starts_with(text)).unwrap().offset;
                debugger.break_at(&mut store, &module, at).unwrap();
            }
            assert_eq!(call(&mut store, instance, "f", &[Val::I32(4)]).unwrap(), [Val::I32(10)]);
            let told: Vec<_> = taken(&log).into_iter().filter(|seen| matches!(seen, Seen::Hit { .. })).collect();
            let new = told.iter().map(|seen| if let Seen::Hit { new, .. } = seen { new[0] } else { 0 });
            assert_eq!(new.collect::<Vec<_>>(), if early { vec![5, 6] } else { vec![6] }, "{tier:?}");
        }
    }
}

/// What two instructions of one region do is looked at once, whether it is a hit or not, and whoever stops there.
#[test]
fn breakpoints_before_an_access_are_counted_once() {
    let text = r#"(module (memory (export "m") 1)
        (func (export "store") (param i32) (drop (i32.const 41)) (i32.store8 (i32.const 33) (local.get 0)))
        (func (export "load") (param i32) (drop (i32.const 41)) (drop (i32.load8_u (i32.const 33)))))"#;
    let kinds = [WatchKind::Write, WatchKind::Change, WatchKind::Read, WatchKind::Access];
    for (tier, kind) in TIERS.into_iter().flat_map(|tier| kinds.map(|kind| (tier, kind))) {
        for (index, name) in ["store", "load"].into_iter().enumerate() {
            for ignore in [u64::MAX, 1] {
                let (engine, mut store, debugger, log) = debugged(tier, GO_ON);
                let module = module(&engine, text);
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let memory = instance.export(&mut store, "m").and_then(|item| item.memory()).unwrap();
                // The `drop` of the first instruction's value.
                let found: Vec<usize> = module
                    .binary()
                    .windows(3)
                    .enumerate()
                    .filter(|(_, w)| w == &[0x41, 41, 0x1a])
                    .map(|(i, _)| i)
                    .collect();
                let at = WasmOffset::from_usize(found[index] + 2);
                let placed = debugger.break_at(&mut store, &module, at).unwrap();
                debugger.change_breakpoint(&mut store, placed.id, |options| options.ignore = ignore).unwrap();
                debugger.watch_memory(&mut store, memory, 33..34, kind).unwrap();
                for turn in 1..=2 {
                    call(&mut store, instance, name, &[Val::I32(turn)]).unwrap();
                    let hits = debugger.breakpoint(&store, placed.id).unwrap().unwrap().hits;
                    let stops = taken(&log).iter().filter(|seen| matches!(seen, Seen::Other(_))).count();
                    let due = usize::from(turn == 2 && ignore == 1);
                    assert_eq!((hits, stops), (turn as u64, due), "{name} {kind:?} {tier:?} {ignore}");
                }
            }
        }
    }
}

/// A frame that a callback has changed goes on in resume code: what it writes there is told once.
#[test]
fn a_write_is_told_once_by_a_frame_that_was_changed() {
    let text = r#"(module (memory (export "m") 1) (func $f (result i32) (i32.const 5))
        (func (export "run") (result i32)
            (i32.store (i32.const 1000) (i32.add (call $f) (i32.const 0)))
            (i32.store (i32.const 1000) (i32.const 1))
            (i32.load (i32.const 1000))))"#;
    for (tier, before) in TIERS.into_iter().flat_map(|tier| [(tier, true), (tier, false)]) {
        let watched = Mutex::new(None);
        let shared = Arc::new(watched);
        let memory = shared.clone();
        let (engine, mut store, debugger, log) = debugged(tier, move |stop| {
            if matches!(stop.reason(), Reason::Breakpoint(_)) {
                if let Some(memory) = memory.lock().unwrap().take() {
                    stop.debugger().watch_memory(stop, memory, 1000..1004, WatchKind::Access).unwrap();
                }
                stop.set_operand(0, 1, Val::I32(11)).unwrap();
            }
            Action::Continue
        });
        let module = module(&engine, text);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.export(&mut store, "m").and_then(|item| item.memory()).unwrap();
        if before {
            debugger.watch_memory(&mut store, memory, 1000..1004, WatchKind::Access).unwrap();
        } else {
            *shared.lock().unwrap() = Some(memory);
        }
        // `i32.const 0`, behind the call.
        let at = module.binary().windows(3).position(|w| w == [0x41, 0, 0x6a]).unwrap();
        debugger.break_at(&mut store, &module, WasmOffset::from_usize(at)).unwrap();
        assert_eq!(call(&mut store, instance, "run", &[]).unwrap(), [Val::I32(1)]);
        let hits: Vec<(u8, u8)> = taken(&log)
            .iter()
            .filter_map(|seen| match seen {
                Seen::Hit { old, new, .. } => Some((old[0], new[0])),
                _ => None,
            })
            .collect();
        assert_eq!(hits, [(0, 11), (11, 1), (1, 1)], "{tier:?} {before}");
    }
}

/// Accesses beside what is watched, one behind the other, in loops and by functions that are called, and then none for
/// long: nothing is told but what is watched, whether the guest is followed or not.
#[test]
fn a_guest_that_is_followed_misses_nothing() {
    let text = r#"(module (memory (export "m") 2)
        (func $near (param i32) (i32.store (i32.const 64) (local.get 0)) (drop (i64.load (i32.const 72))))
        (func $far (param i32) (i32.store (i32.const 70000) (local.get 0)))
        (func (export "run") (param $n i32) (result i32) (local $sum i32)
            (loop $turn
                (call $near (local.get $n))
                (if (i32.eqz (i32.rem_u (local.get $n) (i32.const 7))) (then (i32.store16 (i32.const 34) (local.get $n))))
                (if (i32.eqz (i32.rem_u (local.get $n) (i32.const 11))) (then
                    (local.set $sum (i32.add (local.get $sum) (i32.load8_u (i32.const 33))))))
                (if (i32.eqz (i32.and (local.get $n) (i32.const 63))) (then
                    (loop $far
                        (call $far (local.get $sum))
                        (br_if $far (i32.and (local.tee $sum (i32.add (local.get $sum) (i32.const 1))) (i32.const 127))))))
                (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $sum)))"#;
    const TURNS: u32 = 400;
    let engine = engine(DebugTier::Regions);
    let plain = {
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module(&engine, text), &[]).unwrap();
        call(&mut store, instance, "run", &[Val::I32(TURNS as i32)]).unwrap()
    };
    for (tier, kind) in
        TIERS.into_iter().flat_map(|tier| [WatchKind::Write, WatchKind::Access].map(|kind| (tier, kind)))
    {
        let (engine, mut store, debugger, log) = debugged(tier, GO_ON);
        let instance = Instance::new(&mut store, &module(&engine, text), &[]).unwrap();
        let memory = instance.export(&mut store, "m").and_then(|item| item.memory()).unwrap();
        let id = debugger.watch_memory(&mut store, memory, 32..36, kind).unwrap();
        for _ in 0..2 {
            assert_eq!(call(&mut store, instance, "run", &[Val::I32(TURNS as i32)]).unwrap(), plain);
            let reads = taken(&log).iter().filter(|seen| matches!(seen, Seen::Hit { is_read: true, .. })).count();
            let due = if kind == WatchKind::Access { TURNS / 11 } else { 0 };
            assert_eq!(reads, due as usize, "{tier:?} {kind:?}");
        }
        let hits = debugger.watchpoint(&store, id).unwrap().unwrap().hits;
        let reads = if kind == WatchKind::Access { TURNS / 11 } else { 0 };
        assert_eq!(hits, u64::from(2 * (TURNS / 7 + reads)), "{tier:?} {kind:?}");
    }
}
