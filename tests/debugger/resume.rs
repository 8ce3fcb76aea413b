//! Resume code through the runtime: a frame at a stop is replaced by one with a state of its own, anywhere, any number
//! of times, and nobody else notices. Where a frame really is, as its sink says.

use crate::replace;
use replace::{same, state};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::base::{DefinedFuncIndex, WasmOffset};
use stepwell::internals::code::StepScope;
use stepwell::runtime::{DebugTier, EventId, KeptFrame};
use stepwell::*;

const TEXT: &str = r#"(module $m
    (import "h" "f" (func $host (param i32) (result i32)))
    (memory (export "memory") 1 3)
    (global $g (mut i64) (i64.const 5))
    (table 4 4 funcref)
    (elem (i32.const 0) $add $mul $leaf)
    (type $two (func (param i64 i64) (result i64)))
    (func $add (type $two) (i64.add (local.get 0) (local.get 1)))
    (func $mul (type $two) (i64.mul (local.get 0) (i64.sub (local.get 1) (global.get $g))))
    (func $leaf (export "leaf") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
    (func $many (param i32 i64 f32 f64 i32 i64 i32 i64 f64 f64 f64 f64 f64 f64 f64 f32 f64 i32)
        (result i32 i64 f32 f64 i64 i64 i64 i64 i64 f64 i32 i64 i64 f64 f64 f64 f64 f64 f64 f64 f64)
        (local $sum f64)
        (local.set $sum (f64.add (local.get 3) (f64.add (local.get 8) (f64.add (local.get 14) (local.get 16)))))
        (i32.add (local.get 0) (local.get 17))
        (i64.sub (local.get 1) (i64.extend_i32_s (local.get 4)))
        (f32.mul (local.get 2) (local.get 15))
        (local.get $sum)
        (i64.const 4) (local.get 5) (local.get 7) (i64.extend_i32_u (local.get 6)) (local.get 1)
        (local.get 9) (i32.clz (local.get 0)) (i64.const -1) (local.get 5)
        (f64.const 1) (f64.const 2) (f64.const 3) (local.get 10) (local.get 11) (local.get 12) (local.get 13)
        (f64.neg (local.get $sum)))
    (func (export "many") (param i32) (result i32) (local $f f64) (local $g f64)
        (call $many (local.get 0) (i64.const 1) (f32.const 2.5) (f64.const 3) (i32.const 4) (i64.const 5) (i32.const 6)
            (i64.const 7) (f64.const 8) (f64.const 9) (f64.const 10) (f64.const 11) (f64.const 12) (f64.const 13)
            (f64.convert_i32_s (local.get 0)) (f32.const 15) (f64.const 16) (i32.const 17))
        (local.set $f (f64.add (f64.add (f64.add (f64.add (f64.add (f64.add (f64.add))))))))
        (i32.add (i32.wrap_i64 (i64.add)))
        (local.set 0)
        (local.set 0 (i32.add (i32.trunc_f64_s) (local.get 0)))
        (local.set 0 (i32.add (i32.wrap_i64 (i64.add (i64.add (i64.add (i64.add))))) (local.get 0)))
        (local.set $g)
        (local.set 0 (i32.add (i32.trunc_f64_s (f64.add (f64.promote_f32) (local.get $g))) (local.get 0)))
        (i32.add (i32.wrap_i64))
        (i32.add (local.get 0))
        (i32.add (i32.trunc_f64_s (local.get $f))))
    (func $fib (param i64) (result i64)
        (if (result i64) (i64.lt_s (local.get 0) (i64.const 2))
            (then (local.get 0))
            (else (i64.add (call $fib (i64.sub (local.get 0) (i64.const 1))) (call $fib (i64.sub (local.get 0) (i64.const 2)))))))
    (func (export "fib") (param i32) (result i32) (i32.wrap_i64 (call $fib (i64.extend_i32_s (local.get 0)))))
    (func (export "memory_and_globals") (param i32) (result i32) (local i32 i64)
        (loop $l
            (i32.store8 (i32.and (i32.mul (local.get 1) (i32.const 7)) (i32.const 0xffff)) (local.get 1))
            (local.set 2 (i64.rotl (i64.add (local.get 2) (i64.load32_u (local.get 1))) (i64.const 3)))
            (global.set $g (i64.xor (global.get $g) (local.get 2)))
            (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
        (drop (memory.grow (i32.const 1)))
        (memory.fill (i32.const 100) (i32.const 3) (i32.const 50))
        (local.set 2 (i64.add (local.get 2) (i64.add (i64.load (i32.const 120)) (global.get $g))))
        (global.set $g (i64.const 5))
        (i32.wrap_i64 (i64.xor (local.get 2) (i64.shr_u (local.get 2) (i64.const 32)))))
    (func (export "branches") (param i32) (result i32) (local i32 f32)
        (block $done
            (loop $l
                (block $a (block $b (block $c (block $d
                    (br_table $a $b $c $d (i32.rem_u (local.get 0) (i32.const 5))))
                    (local.set 1 (i32.add (local.get 1) (i32.const 1))) (br $a))
                    (local.set 1 (select (i32.const 7) (local.get 1) (i32.and (local.get 0) (i32.const 1)))))
                    (local.set 2 (f32.add (local.get 2) (f32.const 0.5)))
                    (local.set 1 (i32.rotl (local.get 1) (i32.const 5))))
                (br_if $done (i32.eqz (local.get 0)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br $l)))
        (i32.add (local.get 1) (i32.trunc_f32_s (local.get 2))))
    (func (export "ways_out") (param i32) (result i32)
        (local.get 0)
        (if (param i32) (result i32) (i32.lt_u (local.get 0) (i32.const 9))
            (then (i32.add (i32.const 1)) (br 0)) (else (unreachable)))
        (if (param i32) (result i32) (i32.eq (local.get 0) (i32.const 1))
            (then (br_table 0 0 (local.get 0))) (else (i32.mul (i32.const 3))))
        (if (param i32) (result i32) (i32.eq (local.get 0) (i32.const 2))
            (then (return)) (else (i32.add (i32.const 5)))))
    (func (export "indirect") (param i32) (result i32)
        (i32.wrap_i64 (i64.add
            (call_indirect (type $two) (i64.const 70) (i64.const 7) (i32.and (local.get 0) (i32.const 1)))
            (call_indirect (type $two) (i64.const 2) (i64.const 3) (i32.const 1)))))
    (func (export "out") (param i32) (result i32)
        (i32.add (call $host (local.get 0)) (call $leaf (call $host (i32.add (local.get 0) (i32.const 1))))))
    (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 100) (i32.sub (local.get 0) (local.get 0))))
    (func (export "crash") (param i32) (result i32) (i32.load offset=65535 (i32.mul (local.get 0) (i32.const 65536))))
    (func (export "stop") (param i32) (result i32) (if (local.get 0) (then unreachable)) (i32.const 1))
    (func (export "type") (param i32) (result i32) (call $leaf (i32.const 1)) drop
        (call_indirect (param i32) (result i32) (local.get 0) (i32.const 3)))
    (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (else WIDE))))"#;

/// 100 operands at once, which need no slot but in resume code: constants, in few enough instructions that none is left
/// to the guest.
fn wide() -> String {
    let get = "i32.const 0 ".repeat(100);
    let add = "i32.add ".repeat(99);
    TEXT.replace("WIDE", &format!("{get}{add}"))
}

const EXPORTS: [&str; 13] = [
    "leaf",
    "many",
    "fib",
    "memory_and_globals",
    "branches",
    "ways_out",
    "indirect",
    "out",
    "divide",
    "crash",
    "stop",
    "type",
    "deep",
];

type OnStop = dyn Fn(StoreMut<'_>, &StopInfo) -> Result<Answer> + Send + Sync;
type OnTrap = dyn Fn(StoreMut<'_>, &TrapInfo) -> Result<()> + Send + Sync;

struct Sink {
    on_stop: Box<OnStop>,
    on_trap: Box<OnTrap>,
}

impl EventSink for Sink {
    type State = ();
    fn on_event(&self, told: &mut Told<'_, ()>, event: &Event<'_>) -> Result<Answer> {
        match event {
            Event::Stop(stop) => (self.on_stop)(told.as_store_mut(), stop),
            Event::Trap(trap) => (self.on_trap)(told.as_store_mut(), trap).map(|()| Answer::GoOn),
            _ => Ok(Answer::GoOn),
        }
    }
}

fn sink(on_stop: impl Fn(StoreMut<'_>, &StopInfo) -> Result<Answer> + Send + Sync + 'static) -> Arc<Sink> {
    Arc::new(Sink { on_stop: Box::new(on_stop), on_trap: Box::new(|_, _| Ok(())) })
}

fn engine(debug_tier: DebugTier, signals: bool) -> Engine {
    Engine::new(Config { debug: true, debug_tier, signals, ..Config::default() }).unwrap()
}

fn module(engine: &Engine) -> Module {
    Module::new(engine, &wat::parse_str(wide()).unwrap()).unwrap()
}

fn start(store: &mut Store, module: &Module) -> Instance {
    let host = Func::wrap(&mut *store, |n: i32| n + 1).unwrap();
    Instance::new(store, module, &[host.into()]).unwrap()
}

fn call(mut store: impl AsStoreMut, instance: Instance, name: &str, n: i32) -> Result<i32> {
    instance.typed_func::<i32, i32>(&mut store, name)?.call(&mut store, n)
}

fn step_all(store: &mut impl AsStoreMut) {
    let mut store = store.as_store_mut();
    let mut edit = store.edit();
    edit.set_step(StepScope::All).unwrap();
    edit.commit().unwrap();
}

/// A result, or what a trap says: why, and the functions and offsets of its frames.
type Outcome = std::result::Result<i32, (String, Vec<(String, u32)>)>;

fn forget_offsets(outcomes: &mut [Outcome]) {
    let frames = outcomes.iter_mut().filter_map(|outcome| outcome.as_mut().err()).flat_map(|(_, frames)| frames);
    frames.for_each(|frame| frame.1 = 0);
}

fn outcome(result: Result<i32>) -> Outcome {
    result.map_err(|error| {
        let trap = error.payload::<Trap>().unwrap_or_else(|| panic!("{error}"));
        let frames = trap.frames().iter().map(|frame| (format!("{:?}", frame.func_name()), frame.offset().get()));
        (trap.message().to_owned(), frames.collect())
    })
}

fn outcomes(store: &mut Store, instance: Instance) -> Vec<Outcome> {
    let cases = EXPORTS.iter().flat_map(|name| [0, 1, 2, 9].map(|n| (name, n)));
    cases.map(|(name, n)| outcome(call(&mut *store, instance, name, n))).collect()
}

#[test]
fn frames_are_replaced_at_every_instruction_and_nothing_changes() {
    // Debug code that never stops says which instruction traps; production code may say the branch that leads there.
    let plain = engine(DebugTier::Simple, true);
    let mut store = Store::new(&plain);
    let instance = start(&mut store, &module(&plain));
    store.attach(sink(|_, _| Ok(Answer::GoOn)), ()).unwrap();
    let mut expected = outcomes(&mut store, instance);
    assert!(expected.iter().filter(|outcome| outcome.is_err()).count() >= 9);
    for (tier, signals) in [(DebugTier::Simple, true), (DebugTier::Regions, true), (DebugTier::Regions, false)] {
        let engine = engine(tier, signals);
        let module = module(&engine);
        // Each time, each second time, and by chance.
        for one_in in [1, 2, 5] {
            let (replaced, resumed, chance) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0), AtomicU64::new(3));
            let count = replaced.clone();
            let sink = sink(move |mut store, stop| {
                let info = store.module_in(stop.slot).unwrap().info();
                assert!(info.bodies[stop.func.index()].bytes.contains(&stop.wasm.index()));
                resumed.fetch_add(
                    usize::from(Some(stop.slot) != store.code_slot(store.module_in(stop.slot).unwrap().id())),
                    Ordering::Relaxed,
                );
                let seed = chance.load(Ordering::Relaxed).wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                chance.store(seed, Ordering::Relaxed);
                if (seed >> 40) % one_in != 0 {
                    return Ok(Answer::GoOn);
                }
                count.fetch_add(1, Ordering::Relaxed);
                Ok(Answer::Replace(Box::new(same(&mut store, stop)?)))
            });
            let mut store = Store::new(&engine);
            let instance = start(&mut store, &module);
            store.attach(sink, ()).unwrap();
            step_all(&mut store);
            let mut found = outcomes(&mut store, instance);
            if tier == DebugTier::Regions {
                // Within a region, the address of a trap may be that of the branch that leads there.
                forget_offsets(&mut found);
                forget_offsets(&mut expected);
            }
            assert_eq!(found, expected, "{tier:?}, signals {signals}, one in {one_in}");
            let replaced = replaced.load(Ordering::Relaxed);
            assert!(replaced > 200, "{replaced}");
            // Every function has resume code now, and each has a slot of its own.
            let mut slots: Vec<_> = store.as_store_mut().resume_slots(module.id()).collect();
            slots.sort_unstable();
            assert!(slots.len() > 12 || one_in != 1, "{slots:?}");
            assert!(slots.windows(2).all(|pair| pair[0].0 != pair[1].0 && pair[0].1 != pair[1].1));
            store.detach().unwrap();
            assert_eq!(store.as_store_mut().resume_slots(module.id()).count(), 0);
            assert_eq!(store.registry().iter().count(), 1);
            assert_eq!(call(&mut store, instance, "fib", 9).unwrap(), 34);
        }
    }
}

#[test]
fn the_new_state_counts_and_so_does_the_new_place() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let engine = engine(tier, true);
        let module = module(&engine);
        let mut store = Store::new(&engine);
        let instance = start(&mut store, &module);
        let leaf = module.info().func_named("leaf").unwrap();
        let leaf = module.info().defined(leaf).unwrap();
        let rerun = module.rerun(leaf).unwrap();
        // `local.get`, `i32.const`, `i32.mul`, `end`: from each, once, with a state of our own.
        let at = Arc::new(AtomicUsize::new(0));
        let entry = at.clone();
        store
            .attach(
                sink(move |mut store, stop| {
                    if Some(stop.slot) != store.code_slot(store.module_in(stop.slot).unwrap().id()) || stop.func != leaf
                    {
                        return Ok(Answer::GoOn);
                    }
                    let entry = entry.load(Ordering::Relaxed);
                    let wasm = rerun.image().instructions[entry].wasm;
                    let values = [&[20][..], &[21, 30], &[22, 31, 40], &[23, 500]][entry].into();
                    let slot = store.resume_code(stop.slot, stop.func)?;
                    Ok(Answer::Replace(Box::new(Replacement {
                        slot,
                        entry: entry as u32,
                        wasm,
                        values,
                        fuel: 0,
                        optional: false,
                        outer: None,
                    })))
                }),
                (),
            )
            .unwrap();
        step_all(&mut store);
        for (entry, result) in [(0, 60), (1, 90), (2, 31 * 40), (3, 500)] {
            at.store(entry, Ordering::Relaxed);
            assert_eq!(call(&mut store, instance, "leaf", 1).unwrap(), result);
        }
    }
}

#[test]
fn resume_code_stops_where_it_is_armed() {
    let engine = engine(DebugTier::Regions, true);
    let module = module(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = seen.clone();
    store
        .attach(
            sink(move |mut store, stop| {
                note.lock().unwrap().push((stop.slot, stop.wasm));
                let module = store.module_in(stop.slot).unwrap().id();
                let known = store.resume_slots(module).find(|known| known.0 == stop.func);
                let resume = store.resume_code(stop.slot, stop.func)?;
                assert!(known.is_none_or(|known| known.1 == resume));
                if resume == stop.slot {
                    return Ok(Answer::GoOn);
                }
                let main = store.code_slot(module);
                assert_eq!(main, Some(stop.slot));
                // Only at the third and the last instruction.
                let tables = store.registry().entry(resume).engine.tables();
                let point = |bytes| tables.point_at(WasmOffset::new(stop.wasm.get() + bytes)).unwrap();
                let (third, last) = (tables.point(point(4)).site.unwrap(), tables.point(point(5)).site.unwrap());
                if known.is_none() {
                    let mut edit = store.edit();
                    edit.add_site(resume, third)?;
                    edit.add_site(resume, last)?;
                    edit.commit()?;
                }
                Ok(Answer::Replace(Box::new(same(&mut store, stop)?)))
            }),
            (),
        )
        .unwrap();
    let main = store.code_slot(module.id()).unwrap();
    let leaf = module.info().defined(module.info().func_named("leaf").unwrap()).unwrap();
    let entry = store.registry().entry(main).engine.tables().points_of(leaf).next().unwrap();
    let mut edit = store.edit();
    edit.add_site(main, entry.site.unwrap()).unwrap();
    edit.commit().unwrap();
    for _ in 0..3 {
        assert_eq!(call(&mut store, instance, "leaf", 5).unwrap(), 15);
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        let offsets: Vec<u32> = seen.iter().map(|(_, wasm)| wasm.get() - entry.wasm.get()).collect();
        assert_eq!(offsets, [0, 4, 5]);
        assert!(seen[0].0 == main && seen[1].0 == seen[2].0 && seen[1].0 != main);
    }
}

/// The deepest call of `deep` that ends well.
fn deepest(store: &mut Store, instance: Instance) -> i32 {
    let (mut low, mut high) = (1, 100_000);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if call(&mut *store, instance, "deep", middle).is_ok() { low = middle } else { high = middle }
    }
    low
}

#[test]
fn a_frame_that_does_not_fit_the_stack_is_a_trap_where_the_guest_stands() {
    for signals in [true, false] {
        let config = Config { debug: true, debug_tier: DebugTier::Regions, signals, ..Config::default() };
        let engine = Engine::new(Config { max_stack: 64 << 10, ..config }).unwrap();
        let module = module(&engine);
        let mut store = Store::new(&engine);
        let instance = start(&mut store, &module);
        let deep = module.info().defined(module.info().func_named("deep").unwrap()).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let note = told.clone();
        let on_stop = move |mut store: StoreMut<'_>, stop: &StopInfo| {
            // The innermost frame alone, one instruction further on than it is.
            let values = state(&store, stop);
            let module = store.module_in(stop.slot).unwrap().clone();
            if stop.func != deep || values[0] != 0 || Some(stop.slot) != store.code_slot(module.id()) {
                return Ok(Answer::GoOn);
            }
            let mut inside = store.look_inside(None)?;
            inside.step(&mut store)?;
            let wasm = inside.wasm();
            assert_eq!(wasm, module.rerun(stop.func)?.image().instructions[1].wasm);
            assert!(store.set_virtual(inside));
            let slot = store.resume_code(stop.slot, stop.func)?;
            Ok(Answer::Replace(Box::new(Replacement {
                slot,
                entry: 1,
                wasm,
                values: vec![0, 0].into(),
                fuel: 0,
                optional: false,
                outer: None,
            })))
        };
        let on_trap = move |store: StoreMut<'_>, trap: &TrapInfo| {
            let mut top = None;
            store.walk_frames(|frame| {
                top = Some((frame.wasm, frame.virtual_frame.is_some(), frame.fp));
                ControlFlow::Break(())
            });
            note.lock().unwrap().push((trap.code, trap.at_stop, trap.fp, top.unwrap()));
            Ok(())
        };
        store.attach(Arc::new(Sink { on_stop: Box::new(on_stop), on_trap: Box::new(on_trap) }), ()).unwrap();
        let fits = deepest(&mut store, instance);
        assert!(fits > 20, "{fits}");
        step_all(&mut store);
        told.lock().unwrap().clear();
        // In resume code it has 100 operands in its frame, elsewhere few or none.
        let frame = module.debug_code(&|_, _| true).unwrap().tables().function(deep).unwrap().frame_size as i32;
        let less = fits - 1000 / frame;
        assert_eq!(call(&mut store, instance, "deep", less).unwrap(), less);
        assert!(told.lock().unwrap().is_empty());
        let error = call(&mut store, instance, "deep", fits).unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!(trap.code(), Some(TrapCode::StackOverflow));
        assert_eq!(trap.frames().len() + trap.frames_omitted(), fits as usize + 1);
        let told = std::mem::take(&mut *told.lock().unwrap());
        let [(code, at_stop, fp, top)] = told[..] else { panic!("{told:?}") };
        assert_eq!((code, at_stop, fp, top.1), (TrapCode::StackOverflow, true, top.2, true));
        assert_eq!(top.0, trap.frames()[0].offset());
        assert_eq!(module.info().defined(trap.frames()[0].func()), Some(deep));
        assert!(!store.live_frames() && !store.is_poisoned());
        assert_eq!(call(&mut store, instance, "deep", 3).unwrap(), 3);
    }
}

#[test]
fn what_is_wrong_ends_the_call_and_nothing_else() {
    let engine = engine(DebugTier::Regions, true);
    let module = module(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    let which = Arc::new(AtomicUsize::new(0));
    let case = which.clone();
    store
        .attach(
            sink(move |mut store, stop| {
                let mut with = same(&mut store, stop)?;
                match case.load(Ordering::Relaxed) {
                    0 => with.slot = stop.slot,
                    1 => with.slot = store.resume_code(stop.slot, DefinedFuncIndex::new(0))?,
                    2 => with.values = Box::default(),
                    3 => return Err(store.resume_code(stop.slot, DefinedFuncIndex::new(999)).unwrap_err()),
                    // More than it takes.
                    _ => with.values = [&with.values[..], &[7; 5000]].concat().into(),
                }
                Ok(Answer::Replace(Box::new(with)))
            }),
            (),
        )
        .unwrap();
    step_all(&mut store);
    for (case, message) in [(0, "resume code"), (1, "resume code"), (2, "locals"), (3, "function 999")] {
        which.store(case, Ordering::Relaxed);
        let error = call(&mut store, instance, "leaf", 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.message().contains(message), "{error}");
        assert!(!store.live_frames() && !store.is_poisoned());
    }
    which.store(4, Ordering::Relaxed);
    assert_eq!(call(&mut store, instance, "leaf", 2).unwrap(), 6);
    let slot = store.code_slot(module.id()).unwrap();
    store.detach().unwrap();
    let error = store.as_store_mut().resume_code(slot, DefinedFuncIndex::new(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(store.as_store_mut().look_inside(None).is_err());
}

/// What is seen of the live frames: the offset, and whether a listener has said it.
fn offsets(store: &StoreMut<'_>) -> Vec<(u32, bool)> {
    let mut list = Vec::new();
    store.walk_frames(|frame| {
        list.push((frame.wasm.get(), frame.virtual_frame.is_some()));
        ControlFlow::Continue(())
    });
    list
}

#[test]
fn frames_are_where_their_sink_says_in_all_nested_runs() {
    let engine = engine(DebugTier::Regions, true);
    let module = module(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    let depth = Arc::new(AtomicUsize::new(0));
    let (in_trap, further) = (depth.clone(), Arc::new(AtomicUsize::new(0)));
    let count = further.clone();
    let on_stop = move |mut store: StoreMut<'_>, stop: &StopInfo| {
        let level = depth.fetch_add(1, Ordering::Relaxed);
        if level > 2 {
            depth.fetch_sub(1, Ordering::Relaxed);
            return Ok(Answer::GoOn);
        }
        assert_eq!(offsets(&store)[0], (stop.wasm.get(), false));
        let outer = store.as_store().event().unwrap();
        let mut inside = store.look_inside(None)?;
        inside.step(&mut store)?;
        let wasm = inside.wasm().get();
        count.fetch_add(usize::from(wasm > stop.wasm.get()), Ordering::Relaxed);
        assert!(store.set_virtual(inside));
        let before = offsets(&store);
        assert_eq!(before[0], (wasm, true));
        assert_eq!(before.iter().filter(|frame| frame.1).count(), level + 1, "{before:?}");
        let kept = store.as_store().keep_frames(outer, usize::MAX);
        assert_eq!(
            kept.iter().map(|frame| frame.wasm().get()).collect::<Vec<_>>(),
            before.iter().map(|frame| frame.0).collect::<Vec<_>>()
        );
        // The innermost alone is what a walk finds first.
        let top = store.as_store().keep_top(outer).unwrap();
        let about = |kept: &KeptFrame| {
            let state = store.as_store().state_of(kept).unwrap();
            let id = store.as_store().id_of(kept);
            let at = (kept.func(), kept.slot(), kept.wasm(), id, kept.instance(), kept.called_through_host());
            (at, state.locals(), state.operands(), state.local_count(), state.operand_count())
        };
        assert_eq!(about(&top), about(&kept[0]));
        // A call that stops again, and one that traps.
        assert_eq!(call(&mut store, instance, "leaf", 4)?, 12);
        assert!(call(&mut store, instance, "divide", 4).is_err());
        assert_eq!(offsets(&store), before);
        let mut inside = store.take_virtual().unwrap();
        assert!(store.take_virtual().is_none());
        assert_eq!(offsets(&store)[0], (stop.wasm.get(), false));
        assert_eq!(offsets(&store)[1..], before[1..]);
        // Nothing was changed: the guest will come by itself to where rerun cannot go on.
        inside.run_out(&mut store)?;
        assert!(inside.leave(&mut store, None)?.is_none());
        depth.fetch_sub(1, Ordering::Relaxed);
        Ok(Answer::GoOn)
    };
    let on_trap = move |mut store: StoreMut<'_>, trap: &TrapInfo| {
        let before = offsets(&store);
        let inside = store.look_at_trap(trap.code, None)?.unwrap();
        let wasm = inside.wasm().get();
        assert!(store.set_virtual(inside));
        let after = offsets(&store);
        assert_eq!((after[0], &after[1..]), ((wasm, true), &before[1..]));
        assert_eq!(after.len(), before.len());
        assert!(in_trap.load(Ordering::Relaxed) > 0);
        Ok(())
    };
    let sink = Arc::new(Sink { on_stop: Box::new(on_stop), on_trap: Box::new(on_trap) });
    store.attach(sink, ()).unwrap();
    step_all(&mut store);
    assert_eq!(call(&mut store, instance, "out", 1).unwrap(), 2 + 9);
    assert!(further.load(Ordering::Relaxed) > 3);
    assert!(store.as_store_mut().take_virtual().is_none());
}

#[test]
fn what_an_event_has_shown_is_of_no_use_when_it_is_over() {
    let engine = engine(DebugTier::Regions, true);
    let module = module(&engine);
    let mut store = Store::new(&engine);
    let instance = start(&mut store, &module);
    type Left = (Box<VirtualFrame>, EventId, KeptFrame);
    let left: Arc<Mutex<Option<Left>>> = Arc::default();
    let keep = left.clone();
    let on_stop = move |mut store: StoreMut<'_>, _: &StopInfo| {
        let mut left = keep.lock().unwrap();
        if let Some((mut inside, from, kept)) = left.take() {
            // Of the stop before this.
            let run = inside.step(&mut store).unwrap_err();
            assert_eq!(
                (run.kind(), inside.leave(&mut store, None).unwrap_err().kind()),
                (ErrorKind::State, ErrorKind::State)
            );
            assert!(!store.set_virtual(inside));
            assert!(store.as_store().keep_frames(from, 1).is_empty());
            assert!(store.as_store().keep_top(from).is_none());
            assert!(store.as_store().state_of(&kept).is_none());
        }
        let from = store.as_store().event().unwrap();
        let kept = store.as_store().keep_frames(from, 1)[0];
        assert!(store.as_store().state_of(&kept).unwrap().local_count() > 0);
        // Not shown elsewhere, it has its operands from the stop.
        let top = store.as_store().keep_top(from).unwrap();
        let values = |kept| store.as_store().state_of(kept).map(|state| (state.locals(), state.operands()));
        assert_eq!((top.wasm(), values(&top)), (kept.wasm(), values(&kept)));
        *left = Some((store.look_inside(None)?, from, kept));
        Ok(Answer::GoOn)
    };
    store.attach(sink(on_stop), ()).unwrap();
    step_all(&mut store);
    assert_eq!(call(&mut store, instance, "fib", 4).unwrap(), 3);
    let (mut inside, from, kept) = left.lock().unwrap().take().unwrap();
    assert!(inside.step(&mut store.as_store_mut()).is_err());
    assert!(store.as_store().keep_frames(from, 1).is_empty() && store.as_store().state_of(&kept).is_none());
}

#[test]
fn stores_of_one_engine_share_resume_code_on_any_thread() {
    let engine = engine(DebugTier::Regions, true);
    let module = module(&engine);
    let run = || {
        let mut store = Store::new(&engine);
        let instance = start(&mut store, &module);
        for _ in 0..5 {
            store.attach(sink(|mut store, stop| Ok(Answer::Replace(Box::new(same(&mut store, stop)?)))), ()).unwrap();
            step_all(&mut store);
            assert_eq!(call(&mut store, instance, "fib", 7).unwrap(), 13);
            store.detach().unwrap();
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(run)));
}
