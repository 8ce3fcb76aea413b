//! What a host says to growth: limiters, in every kind of code and from everywhere that something grows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::base::ErrorKind;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::DebugTier;
use stepwell::*;

const PAGE: u64 = 65536;

const TEXT: &str = r#"(module
  (memory (export "memory") 1 5)
  (table (export "table") 2 20 externref)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow_table") (param i32) (result i32) (table.grow (ref.null extern) (local.get 0)))
  (func (export "fill_table") (param externref i32) (result i32) (table.grow (local.get 0) (local.get 1))))"#;

/// An instance of it, in a store whose limiter is asked from before.
fn limited(engine: &Engine, limiter: impl Fn(&Growth) -> Result<bool> + Send + Sync + 'static) -> (Store, Instance) {
    let module = Module::new(engine, &wat::parse_str(TEXT).unwrap()).unwrap();
    let mut store = Store::new(engine);
    store.set_limiter(Some(Arc::new(limiter)));
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

fn call(store: &mut Store, instance: Instance, name: &str, by: i32) -> Result<i32> {
    instance.typed_func::<i32, i32>(&mut *store, name).unwrap().call(store, by)
}

fn memory(current: u64, desired: u64) -> Growth {
    Growth { of: Growing::Memory, current: current * PAGE, desired: desired * PAGE, maximum: Some(5 * PAGE) }
}

fn table(current: u64, desired: u64) -> Growth {
    Growth { of: Growing::Table, current, desired, maximum: Some(20) }
}

#[test]
fn everything_that_grows_is_asked_for_in_every_kind_of_code() {
    for (tier, attached) in [(DebugTier::Regions, false), (DebugTier::Regions, true), (DebugTier::Simple, true)] {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, open) = (asked.clone(), Arc::new(AtomicBool::new(true)));
        let says = open.clone();
        let (mut store, instance) = limited(&engine, move |growth| {
            log.lock().unwrap().push(*growth);
            Ok(says.load(Ordering::Relaxed))
        });
        let debugger = attached.then(|| Debugger::attach(&mut store, |_| Action::Continue).unwrap());
        let said = || std::mem::take(&mut *asked.lock().unwrap());
        assert_eq!(said(), [memory(0, 1), table(0, 2)]);
        assert_eq!(call(&mut store, instance, "grow", 2).unwrap(), 1);
        assert_eq!(call(&mut store, instance, "grow_table", 3).unwrap(), 2);
        assert_eq!(said(), [memory(1, 3), table(2, 5)]);
        // Nothing, and what the types do not allow, is no question.
        for (name, by, result) in
            [("grow", 0, 3), ("grow", 3, -1), ("grow", -1, -1), ("grow_table", 0, 5), ("grow_table", 16, -1)]
        {
            assert_eq!(call(&mut store, instance, name, by).unwrap(), result, "{name} {by}");
        }
        assert_eq!(said(), []);
        open.store(false, Ordering::Relaxed);
        assert_eq!(call(&mut store, instance, "grow", 1).unwrap(), -1);
        assert_eq!(call(&mut store, instance, "grow_table", 1).unwrap(), -1);
        // From the host.
        let (of_guest, other) = (
            instance.export(&mut store, "memory").unwrap().memory().unwrap(),
            MemoryType::new(Limits { min: 7, max: None }),
        );
        let error = of_guest.grow(&mut store, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.message().contains("limiter") && error.message().contains("262144 bytes"), "{error}");
        let elements = instance.export(&mut store, "table").unwrap().table().unwrap();
        let error = elements.grow(&mut store, 1, Val::ExternRef(None)).unwrap_err();
        assert!(error.message().contains("limiter") && error.message().contains("6 elements"), "{error}");
        assert_eq!(Memory::new(&mut store, other).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(
            said(),
            [
                memory(3, 4),
                table(5, 6),
                memory(3, 4),
                table(5, 6),
                Growth { of: Growing::Memory, current: 0, desired: 7 * PAGE, maximum: None },
            ]
        );
        assert_eq!((of_guest.size(&store).unwrap(), elements.size(&store).unwrap()), (3, 5));
        // An instance is not made at all.
        let count = store.instances().len();
        let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!((error.kind(), store.instances().len()), (ErrorKind::Limit, count));
        assert_eq!(said(), [memory(0, 1)]);
        open.store(true, Ordering::Relaxed);
        assert_eq!(of_guest.grow(&mut store, 1).unwrap(), 3);
        store.set_limiter(None);
        assert_eq!(call(&mut store, instance, "grow", 1).unwrap(), 4);
        assert_eq!(said(), [memory(3, 4)]);
        if let Some(debugger) = debugger {
            debugger.detach(&mut store).unwrap();
        }
    }
}

#[test]
fn an_error_ends_the_call_and_a_panic_poisons() {
    let engine = Engine::new(Config::default()).unwrap();
    let strict = AtomicU64::new(0);
    let (mut store, instance) = limited(&engine, move |growth| match growth.current {
        0 => Ok(true),
        _ if strict.fetch_add(1, Ordering::Relaxed) < 3 => Err(Trap::new("this much is too much").into()),
        _ => panic!("no more questions"),
    });
    for name in ["grow", "grow_table"] {
        let error = call(&mut store, instance, name, 1).unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!((trap.message(), trap.frames().len()), ("this much is too much", 1));
        assert_eq!(trap.frames()[0].func_name(), Some(name));
    }
    let own = instance.export(&mut store, "memory").unwrap().memory().unwrap();
    assert_eq!(own.grow(&mut store, 1).unwrap_err().kind(), ErrorKind::Trap);
    assert_eq!(own.size(&store).unwrap(), 1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(&mut store, instance, "grow", 1)));
    assert!(panicked.is_err() && store.is_poisoned());
}

/// A limiter that uses its store, which only unsafe code can: nothing that grows, and no guest, but all else.
#[test]
fn a_limiter_may_not_do_what_it_is_asked_for() {
    let engine = Engine::new(Config::default()).unwrap();
    let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
    let at = Store::new(&engine).into_raw();
    // SAFETY: the store is at rest whenever its limiter is asked, and used by this thread alone.
    let enter = move || unsafe { at.as_mut() };
    let instance = Instance::new(&mut enter(), &module, &[]).unwrap();
    let own = instance.export(&mut enter(), "memory").unwrap().memory().unwrap();
    let grow = instance.typed_func::<i32, i32>(&mut enter(), "grow").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let again = module.clone();
    enter().set_limiter(Some(Arc::new(move |_: &Growth| {
        let mut store = enter();
        let mut log = log.lock().unwrap();
        log.push(own.grow(&mut store, 1).unwrap_err().kind());
        log.push(Instance::new(&mut store, &again, &[]).unwrap_err().kind());
        log.push(grow.call(&mut store, 1).unwrap_err().kind());
        own.write(&mut store, 5, b"seen").unwrap();
        // Nor is it missed when it takes itself away.
        store.set_limiter(None);
        Ok(true)
    })));
    assert_eq!(grow.call(&mut enter(), 1).unwrap(), 1);
    assert_eq!(*seen.lock().unwrap(), [ErrorKind::Limit, ErrorKind::Limit, ErrorKind::State]);
    assert_eq!(&own.data(&enter()).unwrap()[5..9], b"seen");
    assert_eq!(grow.call(&mut enter(), 1).unwrap(), 2);
    assert_eq!(seen.lock().unwrap().len(), 3);
    // SAFETY: as above, and nobody has it.
    drop(unsafe { Store::from_raw(at) });
}

/// What a table is to be filled with is there when the host has said yes, whatever that took.
#[test]
fn what_a_table_is_filled_with_outlives_the_question() {
    const HEAP: &str = r#"(module
      (type $s (struct (field i32)))
      (table $t 1 100 (ref null $s))
      (func (export "fill") (param i32) (result i32)
        (drop (table.grow $t (struct.new $s (local.get 0)) (i32.const 1)))
        (struct.get $s 0 (table.get $t (i32.sub (table.size $t) (i32.const 1))))))"#;
    let engine =
        Engine::new(Config { features: Features { gc: true, ..Features::default() }, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat::parse_str(HEAP).unwrap()).unwrap();
    let small = Module::new(&engine, &wat::parse_str("(module (type (struct (field i64))))").unwrap()).unwrap();
    let at = Store::new(&engine).into_raw();
    // SAFETY: as above.
    let enter = move || unsafe { at.as_mut() };
    let instance = Instance::new(&mut enter(), &module, &[]).unwrap();
    let limits = StoreLimits { heap_bytes: 1 << 16, ..enter().limits() };
    enter().set_limits(limits);
    let ty = Arc::new(
        DefinedType::structure(StructType {
            fields: [FieldType { storage: StorageType::Val(ValType::I64), mutable: true }].into(),
        })
        .unwrap(),
    );
    let made = Arc::new(AtomicU64::new(0));
    let count = made.clone();
    enter().set_limiter(Some(Arc::new(move |_: &Growth| {
        let mut store = enter();
        // So many that the heap is collected, several times.
        for _ in 0..8 {
            Instance::new(&mut store, &small, &[]).unwrap();
        }
        for i in 0..10_000 {
            store.scope(|store| AnyRef::new_struct(store, &ty, &[Val::I64(i)]).map(drop)).unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(true)
    })));
    let fill = instance.typed_func::<i32, i32>(&mut enter(), "fill").unwrap();
    for i in 1..4 {
        assert_eq!(fill.call(&mut enter(), 77 * i).unwrap(), 77 * i);
    }
    assert_eq!(made.load(Ordering::Relaxed), 30_000);
    // SAFETY: as above.
    drop(unsafe { Store::from_raw(at) });
}

#[test]
fn the_limits_that_are_fixed_hold_besides() {
    let engine = Engine::new(Config::default()).unwrap();
    let (mut store, instance) = limited(&engine, |_| Ok(true));
    store.set_limits(StoreLimits { memory_bytes: 2 * PAGE, table_elements: 3, ..StoreLimits::default() });
    assert_eq!(call(&mut store, instance, "grow", 2).unwrap(), -1);
    assert_eq!(call(&mut store, instance, "grow", 1).unwrap(), 1);
    assert_eq!(call(&mut store, instance, "grow_table", 2).unwrap(), -1);
    assert_eq!(call(&mut store, instance, "grow_table", 1).unwrap(), 2);
}

#[test]
fn shared_memories_ask_the_store_by_which_they_grow() {
    let engine = Engine::new(Config::default()).unwrap();
    let text = r#"(module (import "m" "m" (memory 1 9 shared))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let shared =
        SharedMemory::new(&engine, MemoryType { shared: true, ..MemoryType::new(Limits { min: 1, max: Some(9) }) })
            .unwrap();
    let store = |most: u64| {
        let mut store = Store::new(&engine);
        store.set_limiter(Some(Arc::new(move |growth: &Growth| Ok(growth.desired <= most * PAGE))));
        let memory = Memory::from_shared(&mut store, &shared).unwrap();
        let instance = Instance::new(&mut store, &module, &[memory.into()]).unwrap();
        (store, instance)
    };
    let ((mut a, of_a), (mut b, of_b)) = (store(3), store(9));
    assert_eq!(call(&mut a, of_a, "grow", 1).unwrap(), 1);
    assert_eq!(call(&mut b, of_b, "grow", 2).unwrap(), 2);
    assert_eq!(call(&mut a, of_a, "grow", 1).unwrap(), -1);
    assert_eq!(shared.grow(1).unwrap(), 4);
    // It has become too large for a store.
    let mut c = Store::new(&engine);
    c.set_limiter(Some(Arc::new(|growth: &Growth| Ok(growth.desired <= PAGE))));
    assert_eq!(Memory::from_shared(&mut c, &shared).unwrap_err().kind(), ErrorKind::Limit);
}
