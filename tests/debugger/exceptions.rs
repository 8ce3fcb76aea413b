//! Exceptions: where they land and with what, across instances and through the host, what the host is told, and what is
//! kept of them. That all kinds of code agree, `tests/tiers/regions.rs` and `tests/spec.rs` hold.

use crate::guests::module;
use std::sync::{Arc, Mutex};
use stepwell::base::{Error, ErrorKind, Result};
use stepwell::debug::{Action, Debugger, ExceptionStops, Reason, Stop};
use stepwell::runtime::{
    Answer, Config, DebugTier, Engine, Event, EventSink, ExnRef, Extern, Func, Instance, Linker, Module, Store, Tag,
    Told, Trap, TrapCode, Val,
};
use stepwell::{Features, FuncType, ValType};

fn engine() -> Engine {
    Engine::new(Config { debug: true, ..Config::default() }).unwrap()
}

fn alone(text: &str) -> (Store, Instance) {
    let engine = engine();
    let mut store = Store::new(&engine);
    let module = module(&engine, text);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

fn call(store: &mut Store, instance: Instance, name: &str, params: &[Val]) -> Result<Vec<Val>> {
    let func = instance.export(&mut *store, name).and_then(Extern::func).unwrap();
    let ty = func.ty(&*store).unwrap();
    let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
    func.call(store, params, &mut results)?;
    Ok(results)
}

fn one(store: &mut Store, instance: Instance, name: &str, param: i32) -> i32 {
    call(store, instance, name, &[Val::I32(param)]).unwrap()[0].i32().unwrap()
}

/// The exception in an error.
fn thrown(error: &Error) -> ExnRef {
    assert_eq!(error.kind(), ErrorKind::Trap, "{error}");
    error.payload::<Trap>().and_then(Trap::exception).unwrap_or_else(|| panic!("no exception: {error}"))
}

#[test]
fn an_exception_carries_values_of_every_type() {
    let (mut store, instance) = alone(
        r#"(module
  (tag $t (param i32 i64 f32 f64 v128 funcref externref))
  (elem declare func $throw)
  (func $throw (param externref)
    i32.const -7 i64.const -8 f32.const 1.5 f64.const 2.5 v128.const i32x4 1 2 3 4 ref.func $throw local.get 0 throw $t)
  (func (export "f") (param externref) (result i32 i64 f32 f64 v128 funcref externref)
    block $h (result i32 i64 f32 f64 v128 funcref externref)
      try_table (catch $t $h) local.get 0 call $throw end
      unreachable
    end)
  (func (export "out") (param externref) local.get 0 call $throw))"#,
    );
    let host = Val::ExternRef(Some(stepwell::ExternRef::new(&mut store, Box::new(5)).unwrap()));
    let vector = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0];
    let expected =
        [Val::I32(-7), Val::I64(-8), Val::F32(1.5f32.to_bits()), Val::F64(2.5f64.to_bits()), Val::V128(vector)];
    let check = |values: &[Val]| {
        assert_eq!(values[..5], expected);
        assert!(matches!(values[5], Val::FuncRef(Some(_))) && values[6] == host, "{values:?}");
    };
    check(&call(&mut store, instance, "f", &[host]).unwrap());
    let exception = thrown(&call(&mut store, instance, "out", &[host]).unwrap_err());
    check(&exception.values(&store).unwrap());
}

/// All registers are somebody else's where an exception lands, and many values are needed there again.
#[test]
fn nothing_is_taken_from_a_register_where_an_exception_lands() {
    let count = 24;
    let locals: String = (0..count).map(|i| format!("(local $i{i} i64) (local $f{i} f64) ")).collect();
    let set: String = (0..count)
        .map(|i| {
            format!(
                "local.get 0 i64.extend_i32_s i64.const {} i64.mul local.set $i{i}
                 local.get 0 f64.convert_i32_s f64.const {i}.5 f64.add local.set $f{i}\n",
                i + 3
            )
        })
        .collect();
    let sum: String =
        (0..count).map(|i| format!("local.get $i{i} i64.add local.get $f{i} i64.trunc_sat_f64_s i64.add\n")).collect();
    let spoil: String = (0..count).map(|i| format!("local.get 0 i32.const {i} i32.mul i32.add\n")).collect();
    let (mut store, instance) = alone(&format!(
        r#"(module
  (tag $t (param i32))
  (func $spoil (param i32) (result i32) (local i32 i32 i32 i32 i32 i32)
    loop
      local.get 1 i32.const 1 i32.add local.tee 1 local.get 2 i32.xor local.set 2
      local.get 3 local.get 1 i32.add local.set 3 local.get 4 local.get 3 i32.mul local.set 4
      local.get 5 local.get 4 i32.add local.set 5 local.get 6 local.get 5 i32.sub local.set 6
      local.get 1 i32.const 50 i32.lt_u br_if 0
    end
    i32.const 0 {spoil}
    local.get 2 i32.add local.get 3 i32.add local.get 4 i32.add local.get 5 i32.add local.get 6 i32.add
    throw $t)
  (func (export "f") (param i32) (result i64) {locals}
    {set}
    block $h (result i32)
      try_table (catch $t $h) local.get 0 call $spoil drop end
      unreachable
    end
    drop
    i64.const 0
    {sum}))"#
    ));
    for n in [0, 1, -5, 1000] {
        let expected: i64 = (0..count).map(|i| i64::from(n) * (i + 3) + (f64::from(n) + i as f64 + 0.5) as i64).sum();
        assert_eq!(call(&mut store, instance, "f", &[Val::I32(n)]).unwrap(), [Val::I64(expected)]);
    }
}

const NESTED: &str = r#"(module
  (tag $a (export "a")) (tag $b (param i32)) (tag $c)
  (func $throw (export "throw") (param i32)
    local.get 0 i32.eqz if throw $a end
    local.get 0 i32.const 100 i32.lt_s if local.get 0 throw $b end
    throw $c)
  (func $deep (export "deep") (param i32 i32)
    local.get 1 i32.eqz if local.get 0 call $throw return end
    local.get 0 local.get 1 i32.const 1 i32.sub call $deep)
  (func (export "which") (param i32) (result i32)
    block $all
      block $b (result i32)
        block $a
          try_table (catch_all $all)
            try_table (catch $b $b)
              try_table (catch $a $a) (catch $a $all)
                local.get 0 i32.const 40 call $deep
              end
            end
          end
          i32.const -1 return
        end
        i32.const -2 return
      end
      return
    end
    i32.const -3)
  (func (export "loop") (param i32) (result i32) (local i32)
    loop $again
      block $a
        try_table (catch $a $a) i32.const 0 call $throw end
        unreachable
      end
      local.get 1 i32.const 1 i32.add local.tee 1 local.get 0 i32.lt_s br_if $again
    end
    local.get 1)
  (func (export "keep") (param i32) (result i32) (local exnref i32)
    loop $again
      block $h (result exnref) try_table (catch_all_ref $h) i32.const 7 call $throw end unreachable end
      local.set 1
      local.get 2 i32.const 1 i32.add local.tee 2 local.get 0 i32.lt_s br_if $again
    end
    block $b (result i32) try_table (catch $b $b) local.get 1 throw_ref end unreachable end)
  (func (export "null") (local exnref) local.get 0 throw_ref)
  (func (export "trap") block try_table (catch_all 0) unreachable end end)
  (table $t (export "t") 2 exnref)
  (global $g (mut exnref) (ref.null exn))
  (func (export "hold") (param exnref) local.get 0 global.set $g i32.const 1 local.get 0 table.set $t)
  (func (export "held") (result exnref) i32.const 1 table.get $t))"#;

#[test]
fn the_first_clause_that_fits_catches() {
    let (mut store, instance) = alone(NESTED);
    for (param, expected) in [(0, -2), (5, 5), (99, 99), (100, -3)] {
        assert_eq!(one(&mut store, instance, "which", param), expected);
    }
    // A null reference traps, and no clause catches a trap.
    let error = call(&mut store, instance, "null", &[]).unwrap_err();
    assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::NullReference));
    let error = call(&mut store, instance, "trap", &[]).unwrap_err();
    assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::Unreachable));
}

#[test]
fn what_nobody_refers_to_takes_no_memory() {
    let (mut store, instance) = alone(NESTED);
    assert_eq!(one(&mut store, instance, "loop", 100_000), 100_000);
    assert!(store.usage().exceptions <= 1, "{:?}", store.usage());
    // Those with references are kept until they are collected.
    assert_eq!(one(&mut store, instance, "keep", 1000), 7);
    assert!(store.usage().exceptions >= 1000, "{:?}", store.usage());
    // SAFETY: the instance is a root.
    drop(unsafe { store.collect([instance.into()]) }.unwrap());
    assert_eq!((store.usage().exceptions, store.usage().tags), (0, 3));
    assert_eq!(one(&mut store, instance, "keep", 3), 7);
    // SAFETY: nothing is used again.
    drop(unsafe { store.collect([]) }.unwrap());
    assert_eq!((store.usage().exceptions, store.usage().tags, store.usage().objects()), (0, 0, 0));
}

#[test]
fn a_collection_keeps_what_is_referred_to() {
    let (mut store, instance) = alone(NESTED);
    let error = call(&mut store, instance, "throw", &[Val::I32(9)]).unwrap_err();
    let exception = thrown(&error);
    assert_eq!(error.message(), "uncaught exception: b");
    // SAFETY: the instance is a root; the error keeps its exception.
    drop(unsafe { store.collect([instance.into()]) }.unwrap());
    assert_eq!(exception.values(&store).unwrap(), [Val::I32(9)]);
    call(&mut store, instance, "hold", &[Val::ExnRef(Some(exception))]).unwrap();
    drop(error);
    // SAFETY: as above; the table and the global keep it now.
    drop(unsafe { store.collect([instance.into()]) }.unwrap());
    assert_eq!(call(&mut store, instance, "held", &[]).unwrap(), [Val::ExnRef(Some(exception))]);
    assert_eq!(exception.values(&store).unwrap(), [Val::I32(9)]);
    call(&mut store, instance, "hold", &[Val::ExnRef(None)]).unwrap();
    // SAFETY: as above.
    drop(unsafe { store.collect([instance.into()]) }.unwrap());
    assert_eq!(store.usage().exceptions, 0);
    // It reaches its tag, and that the instance that defines it.
    let error = call(&mut store, instance, "throw", &[Val::I32(0)]).unwrap_err();
    assert_eq!(error.message(), "uncaught exception: a");
    // SAFETY: only what the error keeps is used.
    drop(unsafe { store.collect([]) }.unwrap());
    let tag = thrown(&error).tag(&store).unwrap();
    assert_eq!(instance.export(&mut store, "a"), Some(tag.into()));
}

#[test]
fn a_tag_is_the_same_wherever_it_is_imported() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let a = module(
        &engine,
        r#"(module (tag (export "t") (param i32)) (tag (export "u") (param i32))
             (func (export "throw") (param i32) local.get 0 throw 0))"#,
    );
    let b = module(
        &engine,
        r#"(module (import "a" "t" (tag $t (param i32))) (import "a" "u" (tag $u (param i32)))
             (import "a" "throw" (func $throw (param i32))) (tag $own (param i32)) (export "again" (tag $t))
             (func (export "f") (param i32) (result i32)
               block $t (result i32)
                 block $u (result i32)
                   try_table (catch $own $u) (catch $u $u) (catch $t $t) local.get 0 call $throw end
                   unreachable
                 end
                 i32.const 1000 i32.add
               end))"#,
    );
    let mut linker = Linker::new(&engine);
    let first = Instance::new(&mut store, &a, &[]).unwrap();
    linker.instance(&mut store, "a", first).unwrap();
    let instance = linker.instantiate(&mut store, &b).unwrap();
    assert_eq!(one(&mut store, instance, "f", 4), 4);
    assert_eq!(instance.export(&mut store, "again"), first.export(&mut store, "t"));
    assert_ne!(first.export(&mut store, "u"), first.export(&mut store, "t"));
    // Another instance has tags of its own.
    let second = Instance::new(&mut store, &a, &[]).unwrap();
    let item = |store: &mut Store, of: Instance, name: &str| of.export(store, name).unwrap();
    let mixed = [item(&mut store, second, "t"), item(&mut store, first, "t"), item(&mut store, first, "throw")];
    let mixed = Instance::new(&mut store, &b, &mixed).unwrap();
    assert_eq!(one(&mut store, mixed, "f", 4), 1004);
    // Types are compared, and kinds.
    let wrong = Tag::new(&mut store, FuncType::new([ValType::I64], [])).unwrap();
    for given in [wrong.into(), item(&mut store, first, "throw")] {
        let error = Instance::new(&mut store, &b, &[given, given, given]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link);
        assert!(error.message().contains("expected tag (i32) -> (), got"), "{error}");
    }
    assert!(Tag::new(&mut store, FuncType::new([], [ValType::I32])).is_err());
}

/// A guest that catches what `host.f` throws.
const THROUGH_HOST: &str = r#"(module
  (import "host" "tag" (tag $t (param i32 f64)))
  (import "host" "f" (func $f (param i32) (result i32)))
  (func (export "f") (param i32) (result i32 f64)
    block $h (result i32 f64)
      try_table (catch $t $h) local.get 0 call $f f64.const 0 return end
      unreachable
    end)
  (func (export "throw") (param i32) local.get 0 f64.const 0.25 throw $t)
  (func (export "plain") (param i32) (result i32) local.get 0 call $f))"#;

#[test]
fn a_host_function_throws_and_hands_on() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let tag = Tag::new(&mut store, FuncType::new([ValType::I32, ValType::F64], [])).unwrap();
    let host = Func::wrap(&mut store, move |mut caller: stepwell::Caller<'_>, what: i32| -> Result<i32> {
        match what {
            0 => Ok(1),
            1 => Err(Error::new(ErrorKind::Host, "the host's own")),
            2 => {
                let exception = ExnRef::new(&mut caller, tag, &[Val::I32(what), Val::F64(0)])?;
                Err(exception.throw(&caller)?)
            }
            _ => {
                // A guest throws, and nobody catches it there.
                let Some(Extern::Func(throw)) = caller.export("throw") else { panic!("no export") };
                let error = throw.call(&mut caller, &[Val::I32(what)], &mut []).unwrap_err();
                assert_eq!(thrown(&error).tag(&caller).unwrap(), tag);
                Err(error)
            }
        }
    })
    .unwrap();
    let module = module(&engine, THROUGH_HOST);
    let instance = Instance::new(&mut store, &module, &[tag.into(), host.into()]).unwrap();
    let f = |store: &mut Store, what| call(store, instance, "f", &[Val::I32(what)]);
    let quarter = Val::F64(0.25f64.to_bits());
    for _ in 0..3 {
        assert_eq!(f(&mut store, 0).unwrap(), [Val::I32(1), Val::F64(0)]);
        assert_eq!(f(&mut store, 1).unwrap_err().kind(), ErrorKind::Host);
        assert_eq!(f(&mut store, 2).unwrap(), [Val::I32(2), Val::F64(0)]);
        assert_eq!(f(&mut store, 3).unwrap(), [Val::I32(3), quarter]);
    }
    // What the guest does not catch is the host's.
    let error = call(&mut store, instance, "plain", &[Val::I32(2)]).unwrap_err();
    assert_eq!(error.message(), "uncaught exception");
    assert_eq!(error.payload::<Trap>().unwrap().frames().len(), 1);
    assert_eq!(thrown(&error).values(&store).unwrap(), [Val::I32(2), Val::F64(0)]);
    let error = call(&mut store, instance, "plain", &[Val::I32(5)]).unwrap_err();
    assert_eq!(thrown(&error).values(&store).unwrap(), [Val::I32(5), quarter]);
    // The host called directly.
    let error = host.call(&mut store, &[Val::I32(2)], &mut [Val::I32(0)]).unwrap_err();
    assert_eq!(thrown(&error).tag(&store).unwrap(), tag);
    // One of another store is an error like any other.
    let mut other = Store::new(&engine);
    let foreign = Tag::new(&mut other, FuncType::new([ValType::I32, ValType::F64], [])).unwrap();
    let exception = ExnRef::new(&mut other, foreign, &[Val::I32(1), Val::F64(0)]).unwrap();
    assert!(exception.tag(&store).is_err() && exception.throw(&store).is_err());
    assert!(ExnRef::new(&mut store, foreign, &[Val::I32(1), Val::F64(0)]).is_err());
    assert!(ExnRef::new(&mut store, tag, &[Val::I32(1)]).is_err());
    let error = exception.throw(&other).unwrap();
    let error = Mutex::new(Some(error));
    let host = Func::wrap(&mut store, move |_: i32| -> Result<i32> { Err(error.lock().unwrap().take().unwrap()) });
    let instance = Instance::new(&mut store, &module, &[tag.into(), host.unwrap().into()]).unwrap();
    let error = call(&mut store, instance, "f", &[Val::I32(0)]).unwrap_err();
    assert_eq!(thrown(&error), exception);
}

#[test]
fn modules_with_exceptions_are_serialized() {
    let engine = engine();
    let module = module(&engine, NESTED);
    module.debug_code(&|_, _| true).unwrap();
    let again = Module::deserialize(&engine, &module.serialize().unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &again, &[]).unwrap();
    for (param, expected) in [(0, -2), (5, 5), (100, -3)] {
        assert_eq!(one(&mut store, instance, "which", param), expected);
    }
}

#[test]
fn without_the_proposal_they_are_refused_by_name() {
    let features = Features { exceptions: false, ..Features::default() };
    let engine = Engine::new(Config { features, ..Config::default() }).unwrap();
    for text in [
        "(module (tag))",
        r#"(module (import "a" "b" (tag)))"#,
        "(module (func try_table end))",
        "(module (func (param exnref)))",
    ] {
        let error = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}: {error}");
        assert!(error.message().contains("exception-handling"), "{text}: {error}");
    }
}

/// What an exception carries, and who catches it: the function and how many frames are left.
type Seen = (Vec<Val>, Option<(u32, usize)>);

struct Thrown(Mutex<Vec<Seen>>);

impl EventSink for Thrown {
    type State = ();
    fn on_event(&self, told: &mut Told<'_, ()>, event: &Event<'_>) -> Result<Answer> {
        use stepwell::runtime::AsStore;
        if let Event::Exception(info) = event {
            let mut depth = 0;
            let mut found = None;
            told.as_store().walk_frames(|frame| {
                if info.caught.is_some_and(|catcher| catcher.fp == frame.fp) {
                    assert_eq!(info.caught.unwrap().wasm, Some(frame.wasm));
                    found = Some((frame.func.get(), depth));
                }
                depth += 1;
                std::ops::ControlFlow::Continue(())
            });
            assert_eq!(found.is_some(), info.caught.is_some());
            let values = info.exception().values(&*told)?;
            self.0.lock().unwrap().push((values, found));
        }
        Ok(Answer::GoOn)
    }
}

#[test]
fn those_who_listen_are_told_before_frames_are_left() {
    for debug_tier in [DebugTier::Regions, DebugTier::Simple] {
        let engine = Engine::new(Config { debug: true, debug_tier, ..Config::default() }).unwrap();
        let mut store = Store::new(&engine);
        let module = module(&engine, NESTED);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let sink = Arc::new(Thrown(Mutex::default()));
        store.attach(sink.clone(), ()).unwrap();
        assert_eq!(one(&mut store, instance, "which", 5), 5);
        assert_eq!(one(&mut store, instance, "loop", 1), 1);
        assert!(call(&mut store, instance, "deep", &[Val::I32(6), Val::I32(3)]).is_err());
        let told = std::mem::take(&mut *sink.0.lock().unwrap());
        let expected = [(vec![Val::I32(5)], Some((2, 42))), (vec![], Some((3, 1))), (vec![Val::I32(6)], None)];
        assert_eq!(told, expected);
    }
}

/// A step over a throw, or over a call that does not come back, ends where the function goes on that catches it; so
/// does a step out.
#[test]
fn steps_end_where_an_exception_is_caught() {
    const TEXT: &str = r#"(module
  (tag $t)
  (func $throw throw $t)
  (func $middle call $throw)
  (func $outer (export "f") (result i32)
    block $h try_table (catch $t $h) call $middle end end
    i32.const 5
    i32.const 6
    i32.add))"#;
    for debug_tier in [DebugTier::Regions, DebugTier::Simple] {
        for (start, action) in [
            ("throw", Action::StepInstruction),
            ("throw", Action::StepOver),
            ("throw", Action::StepOut),
            ("middle", Action::StepInstruction),
            ("middle", Action::StepOver),
            ("middle", Action::StepOut),
            ("outer", Action::StepOver),
        ] {
            let engine = Engine::new(Config { debug: true, debug_tier, ..Config::default() }).unwrap();
            let mut store = Store::new(&engine);
            let module = module(&engine, TEXT);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let (log, answer) = (seen.clone(), action.clone());
            let debugger = Debugger::attach(&mut store, move |stop| {
                let frame = stop.frame(0).unwrap();
                let mut log = log.lock().unwrap();
                log.push((frame.func().get(), frame.offset().get(), frame.operands().len()));
                // Out of that one there is nothing to step to.
                let done = frame.func().get() == 2 && frame.operands().len() == 1;
                match &answer {
                    _ if done => Action::Continue,
                    Action::StepOut if frame.func().get() == 2 => Action::StepOver,
                    action => action.clone(),
                }
            })
            .unwrap();
            debugger.break_at_name(&mut store, &module, start).unwrap();
            assert_eq!(one_of(&mut store, instance), 11);
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            // The last before is the instruction behind the block: `i32.const 5`, with nothing on the stack.
            let [.., caught, last] = &seen[..] else { panic!("{start} {action:?}: {seen:?}") };
            assert_eq!((caught.0, caught.2, last.0, last.2), (2, 0, 2, 1), "{start} {action:?}: {seen:?}");
            assert_eq!(last.1 - caught.1, 2, "{start} {action:?}: {seen:?}");
        }
    }
}

fn one_of(store: &mut Store, instance: Instance) -> i32 {
    call(store, instance, "f", &[]).unwrap()[0].i32().unwrap()
}

/// What a debugger's callback sees of an exception: what it carries, the functions of the frames, and which of them
/// catches.
type AtThrow = (Vec<Val>, Vec<u32>, Option<usize>);

fn at_throw(stop: &Stop<'_>) -> AtThrow {
    let values = stop.exception().unwrap().values(stop).unwrap();
    let frames = (0..stop.frame_count()).map(|index| stop.frame(index).unwrap().func().get()).collect();
    (values, frames, stop.catching_frame())
}

const CAUGHT_OR_NOT: &str = r#"(module
  (tag $t (param i32))
  (func $throw (param i32) local.get 0 throw $t)
  (func $middle (param i32) local.get 0 call $throw)
  (func $outer (export "caught") (result i32)
    block $h (result i32)
      try_table (catch $t $h) i32.const 7 call $middle end
      i32.const 0
    end
    i32.const 1
    i32.add)
  (func (export "uncaught") (result i32) i32.const 9 call $middle i32.const 0))"#;

/// Attaches a debugger that notes what it sees where an exception is thrown.
fn watch_throws(store: &mut Store) -> (Debugger, Arc<Mutex<Vec<AtThrow>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let debugger = Debugger::attach(store, move |stop| {
        assert_eq!(*stop.reason(), Reason::Exception);
        log.lock().unwrap().push(at_throw(stop));
        Action::Continue
    });
    (debugger.unwrap(), seen)
}

#[test]
fn debuggers_stop_at_exceptions_that_they_ask_for() {
    for debug_tier in [DebugTier::Regions, DebugTier::Simple] {
        let engine = Engine::new(Config { debug: true, debug_tier, ..Config::default() }).unwrap();
        let mut store = Store::new(&engine);
        let module = module(&engine, CAUGHT_OR_NOT);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let (debugger, seen) = watch_throws(&mut store);
        let caught = (vec![Val::I32(7)], vec![0, 1, 2], Some(2));
        let uncaught = (vec![Val::I32(9)], vec![0, 1, 3], None);
        for (which, expected) in [
            (ExceptionStops::None, vec![]),
            (ExceptionStops::Uncaught, vec![uncaught.clone()]),
            (ExceptionStops::All, vec![caught, uncaught]),
        ] {
            debugger.stop_at_exceptions(&mut store, which).unwrap();
            assert_eq!(call(&mut store, instance, "caught", &[]).unwrap(), [Val::I32(8)]);
            assert!(call(&mut store, instance, "uncaught", &[]).is_err());
            assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected, "{which:?}");
        }
    }
}

/// From where an exception is thrown each step ends where it is caught. Ended there, the guest's call ends so, and
/// nothing catches.
#[test]
fn answers_where_an_exception_is_thrown() {
    for debug_tier in [DebugTier::Regions, DebugTier::Simple] {
        for action in [Action::StepInstruction, Action::StepOver, Action::StepOut, Action::Trap("no".into())] {
            let engine = Engine::new(Config { debug: true, debug_tier, ..Config::default() }).unwrap();
            let mut store = Store::new(&engine);
            let module = module(&engine, CAUGHT_OR_NOT);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let (log, answer) = (seen.clone(), action.clone());
            let debugger = Debugger::attach(&mut store, move |stop| {
                if *stop.reason() == Reason::Exception {
                    return answer.clone();
                }
                let frame = stop.top().unwrap();
                log.lock().unwrap().push((stop.frame_count(), frame.func().get(), frame.operands()));
                Action::Continue
            })
            .unwrap();
            debugger.stop_at_exceptions(&mut store, ExceptionStops::All).unwrap();
            let said = call(&mut store, instance, "caught", &[]);
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            if let Action::Trap(_) = action {
                assert_eq!((said.unwrap_err().message(), seen), ("no", vec![]));
            } else {
                assert_eq!(said.unwrap(), [Val::I32(8)]);
                assert_eq!(seen, [(1, 2, vec![Val::I32(7)])], "{action:?}");
            }
        }
    }
}

fn with_legacy(debug_tier: DebugTier) -> Engine {
    let features = Features { legacy_exceptions: true, ..Features::default() };
    Engine::new(Config { debug: true, debug_tier, features, ..Config::default() }).unwrap()
}

#[test]
fn the_old_form_is_refused_by_name_and_offset() {
    for text in [
        "(module (func try catch_all end))",
        "(module (tag) (func try catch 0 end))",
        "(module (func try delegate 0))",
        "(module (func nop try end))",
    ] {
        let binary = wat::parse_str(text).unwrap();
        // `try`, of no type.
        let at = binary.windows(2).position(|bytes| bytes == [0x06, 0x40]).unwrap();
        let error = Module::new(&engine(), &binary).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}: {error}");
        assert!(error.message().contains("legacy-exceptions (switched off in the configuration)"), "{text}: {error}");
        assert_eq!(error.offset().map(|offset| offset.index()), Some(at), "{text}: {error}");
        Module::new(&with_legacy(DebugTier::Regions), &binary).unwrap();
    }
    // It has tags by the proposal that came later.
    let features = Features { legacy_exceptions: true, exceptions: false, ..Features::default() };
    let engine = Engine::new(Config { features, ..Config::default() }).unwrap();
    let error = Module::new(&engine, &wat::parse_str("(module (tag) (func try catch 0 end))").unwrap()).unwrap_err();
    assert!(error.message().contains("exception-handling"), "{error}");
}

/// Guests of the old form.
const LEGACY: &str = r#"(module
  (import "host" "f" (func $f (param i32)))
  (import "host" "tag" (tag $t (param i32)))
  (tag $other)
  (func $throw (param i32) local.get 0 throw $t)
  (func $delegates (param i32)
    try
      try local.get 0 call $throw delegate 1
    catch_all
      unreachable
    end)
  (func $again (param i32) (local f64)
    try
      local.get 0 call $delegates
    catch $other
    catch_all
      nop
      rethrow 0
    end)
  (func (export "caught") (param i32) (result i32)
    try (result i32)
      local.get 0 call $again
      i32.const 0
    catch $other
      i32.const 0
    catch $t
      i32.const 1
      i32.add
    end)
  (func (export "uncaught") (param i32) local.get 0 call $again)
  (func (export "host") (param i32) (result i32)
    try (result i32)
      try
        local.get 0 call $f
      catch_all
        i32.const 1 call $f
        rethrow 0
      end
      i32.const -1
    catch $t
    end)
  (func (export "loop") (param i32) (result i32) (local i32)
    loop $again
      try i32.const 0 call $throw catch $t drop end
      try i32.const 0 call $throw catch_all end
      local.get 1 i32.const 1 i32.add local.tee 1 local.get 0 i32.lt_s br_if $again
    end
    local.get 1)
  (func (export "keep") (param i32) (result i32) (local i32)
    loop $again
      try
        try local.get 1 call $throw catch_all rethrow 0 end
      catch $t
        drop
      end
      local.get 1 i32.const 1 i32.add local.tee 1 local.get 0 i32.lt_s br_if $again
    end
    local.get 1))"#;

/// A guest of the old form in a store; its host's function throws what it is given, unless that is 1.
fn legacy(engine: &Engine) -> (Store, Module, Instance) {
    let mut store = Store::new(engine);
    let tag = Tag::new(&mut store, FuncType::new([ValType::I32], [])).unwrap();
    let host = Func::wrap(&mut store, move |mut caller: stepwell::Caller<'_>, what: i32| -> Result<()> {
        match what {
            1 => Ok(()),
            _ => Err(ExnRef::new(&mut caller, tag, &[Val::I32(what)])?.throw(&caller)?),
        }
    });
    let module = module(engine, LEGACY);
    let instance = Instance::new(&mut store, &module, &[host.unwrap().into(), tag.into()]).unwrap();
    (store, module, instance)
}

#[test]
fn clauses_of_the_old_form_catch_what_comes_through_the_host() {
    let (mut store, _, instance) = legacy(&with_legacy(DebugTier::Regions));
    assert_eq!(one(&mut store, instance, "host", 1), -1);
    assert_eq!(one(&mut store, instance, "host", 7), 7);
    assert_eq!(one(&mut store, instance, "caught", 7), 8);
    let error = call(&mut store, instance, "uncaught", &[Val::I32(9)]).unwrap_err();
    assert_eq!(thrown(&error).values(&store).unwrap(), [Val::I32(9)]);
}

/// Only a clause that throws again keeps what it has caught.
#[test]
fn what_is_not_thrown_again_takes_no_memory() {
    let (mut store, _, instance) = legacy(&with_legacy(DebugTier::Regions));
    assert_eq!(one(&mut store, instance, "loop", 10_000), 10_000);
    assert!(store.usage().exceptions <= 1, "{:?}", store.usage());
    assert_eq!(one(&mut store, instance, "keep", 100), 100);
    assert!(store.usage().exceptions >= 100, "{:?}", store.usage());
    // SAFETY: the instance is a root.
    drop(unsafe { store.collect([instance.into()]) }.unwrap());
    assert_eq!(store.usage().exceptions, 0);
}

/// The frame that catches is the one whose clause it is, past those that delegate; and an exception is told of again
/// where it is thrown again.
#[test]
fn debuggers_are_told_which_clause_of_the_old_form_catches() {
    for debug_tier in [DebugTier::Regions, DebugTier::Simple] {
        let (mut store, _, instance) = legacy(&with_legacy(debug_tier));
        let (debugger, seen) = watch_throws(&mut store);
        let (seven, nine) = (vec![Val::I32(7)], vec![Val::I32(9)]);
        let caught = [(seven.clone(), vec![1, 2, 3, 4], Some(2)), (seven, vec![3, 4], Some(1))];
        let uncaught = [(nine.clone(), vec![1, 2, 3, 5], Some(2)), (nine, vec![3, 5], None)];
        for (which, expected) in
            [(ExceptionStops::Uncaught, vec![uncaught[1].clone()]), (ExceptionStops::All, [caught, uncaught].concat())]
        {
            debugger.stop_at_exceptions(&mut store, which).unwrap();
            assert_eq!(one(&mut store, instance, "caught", 7), 8);
            assert!(call(&mut store, instance, "uncaught", &[Val::I32(9)]).is_err());
            assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected, "{which:?}");
        }
    }
}

/// A step over a call that does not come back ends behind the clause that catches, with what the exception carries and
/// nothing else: what a clause keeps is neither a local nor an operand.
#[test]
fn steps_end_behind_the_clause_of_the_old_form_that_catches() {
    for debug_tier in [DebugTier::Regions, DebugTier::Simple] {
        let (mut store, module, instance) = legacy(&with_legacy(debug_tier));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let frame = stop.frame(0).unwrap();
            let at = frame.offset().index();
            let opcode = frame.module().binary()[at];
            log.lock().unwrap().push((frame.func().get(), opcode, frame.locals(), frame.operands()));
            Action::StepOver
        })
        .unwrap();
        debugger.break_at_name(&mut store, &module, "again").unwrap();
        assert_eq!(one(&mut store, instance, "caught", 7), 8);
        let seven = Val::I32(7);
        let locals = vec![seven, Val::F64(0)];
        let (try_, get, call, nop, again, constant, add, end) = (0x06, 0x20, 0x10, 0x01, 0x09, 0x41, 0x6a, 0x0b);
        let expected = [
            (3, try_, locals.clone(), vec![]),
            (3, get, locals.clone(), vec![]),
            (3, call, locals.clone(), vec![seven]),
            (3, nop, locals.clone(), vec![]),
            (3, again, locals, vec![]),
            (4, constant, vec![seven], vec![seven]),
            (4, add, vec![seven], vec![seven, Val::I32(1)]),
            (4, end, vec![seven], vec![Val::I32(8)]),
            (4, end, vec![seven], vec![Val::I32(8)]),
        ];
        assert_eq!(*seen.lock().unwrap(), expected, "{debug_tier:?}");
    }
}

#[test]
fn modules_of_the_old_form_are_serialized() {
    let engine = with_legacy(DebugTier::Regions);
    let module = module(&engine, LEGACY);
    module.debug_code(&|_, _| true).unwrap();
    let bytes = module.serialize().unwrap();
    let again = Module::deserialize(&engine, &bytes).unwrap();
    let mut store = Store::new(&engine);
    let mut linker = Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &again).unwrap();
    let instance = linker.instantiate(&mut store, &again).unwrap();
    assert_eq!(one(&mut store, instance, "caught", 7), 8);
    // Who has the proposal off does not get it by the way of a file.
    let error = Module::deserialize(&self::engine(), &bytes).unwrap_err();
    assert!(error.message().contains("legacy"), "{error}");
}
