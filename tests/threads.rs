//! Shared memories from the host's side: stores on several threads, limits, who may look at the bytes; guests that
//! wait, and what ends them; a debugger at atomic instructions and waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use stepwell::debug::{Action, Debugger};
use stepwell::*;

const GUEST: &str = r#"(module
  (memory (export "memory") (import "env" "memory") 1 10 shared)
  (global $turns (export "turns") (mut i32) (i32.const 0))
  (func (export "add") (param i32 i32) (result i32) (i32.atomic.rmw.add (local.get 0) (local.get 1)))
  (func (export "wait") (param i32 i64) (result i32) (local i32)
    (local.set 2 (i32.const 1234))
    (memory.atomic.wait32 (local.get 0) (i32.const 0) (local.get 1)))
  (func (export "notify") (param i32 i32) (result i32) (memory.atomic.notify (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"#;

fn ty(min: u64, max: u64) -> MemoryType {
    MemoryType { shared: true, ..MemoryType::new(Limits { min, max: Some(max) }) }
}

/// A store with an instance of the guest.
struct World {
    store: Store,
    instance: Instance,
}

impl World {
    fn new(module: &Module, memory: &SharedMemory) -> World {
        let mut store = Store::new(memory.engine());
        let own = Memory::from_shared(&mut store, memory).unwrap();
        let instance = Instance::new(&mut store, module, &[own.into()]).unwrap();
        World { store, instance }
    }

    fn call(&mut self, name: &str, arguments: &[Val]) -> Result<i32> {
        let func = self.instance.export(&mut self.store, name).unwrap().func().unwrap();
        let mut results = [Val::I32(0)];
        func.call(&mut self.store, arguments, &mut results)?;
        Ok(match results {
            [Val::I32(result)] => result,
            _ => unreachable!(),
        })
    }

    fn wait(&mut self, nanoseconds: i64) -> Result<i32> {
        self.call("wait", &[Val::I32(8), Val::I64(nanoseconds)])
    }
}

fn world(config: Config) -> (Module, SharedMemory) {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, &wat::parse_str(GUEST).unwrap()).unwrap();
    (module, SharedMemory::new(&engine, ty(1, 10)).unwrap())
}

/// Wakes until somebody was.
fn wake_one(memory: &SharedMemory) {
    while memory.notify(8, 1) == 0 {
        std::thread::yield_now();
    }
}

#[test]
fn threads_add_and_wake_each_other() {
    for config in [Config::default(), Config { signals: false, ..Config::default() }] {
        let (module, memory) = world(config);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut world = World::new(&module, &memory);
                    for _ in 0..1000 {
                        world.call("add", &[Val::I32(0), Val::I32(1)]).unwrap();
                    }
                    assert_eq!(world.wait(-1).unwrap(), 0);
                });
            }
            let mut world = World::new(&module, &memory);
            let mut woken = 0;
            while woken < 4 {
                woken += world.call("notify", &[Val::I32(8), Val::I32(1)]).unwrap();
            }
        });
        let mut bytes = [0; 4];
        memory.read(0, &mut bytes).unwrap();
        assert_eq!(u32::from_le_bytes(bytes), 4000);
    }
}

/// What one makes of it, all see; growing moves nothing.
#[test]
fn a_shared_memory_is_one_for_all() {
    let (module, memory) = world(Config::default());
    let (mut a, mut b) = (World::new(&module, &memory), World::new(&module, &memory));
    let base = memory.data_ptr();
    assert_eq!(a.call("grow", &[Val::I32(2)]).unwrap(), 1);
    assert_eq!((b.call("size", &[]).unwrap(), memory.size(), memory.len()), (3, 3, 3 << 16));
    assert_eq!(memory.grow(3).unwrap(), 3);
    assert_eq!(b.call("grow", &[Val::I32(5)]).unwrap(), -1);
    assert_eq!(memory.grow(5).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(memory.data_ptr(), base);
    memory.write((6 << 16) - 4, &7u32.to_le_bytes()).unwrap();
    assert_eq!(b.call("load", &[Val::I32((6 << 16) - 4)]).unwrap(), 7);
    assert_eq!(memory.write((6 << 16) - 3, &[0; 4]).unwrap_err().kind(), ErrorKind::Argument);

    let own = a.instance.export(&mut a.store, "memory").and_then(Extern::memory).unwrap();
    assert!(SharedMemory::same(&own.shared(&a.store).unwrap().unwrap(), &memory));
    assert!(own.is_fixed(&a.store).unwrap());
    assert_eq!(own.data_ptr(&a.store).unwrap(), base);
    assert_eq!(own.ty(&a.store).unwrap(), ty(6, 10));
    assert_eq!(own.data_size(&a.store).unwrap(), 6 << 16);
    assert_eq!(own.data(&a.store).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(own.data_mut(&mut a.store).unwrap_err().kind(), ErrorKind::State);
    let mut bytes = [0; 5];
    own.write(&mut a.store, 3, b"bytes").unwrap();
    own.read(&b.store, 3, &mut bytes).unwrap_err();
    own.read(&a.store, 3, &mut bytes).unwrap();
    assert_eq!(&bytes, b"bytes");
    // It outlives who has made it.
    drop((a, module));
    assert_eq!(b.call("load", &[Val::I32(3)]).unwrap(), i32::from_le_bytes(*b"byte"));
}

#[test]
fn a_module_may_make_one_and_others_have_it() {
    let engine = Engine::new(Config::default()).unwrap();
    let text = r#"(module (memory (export "m") 1 2 shared) (data (i32.const 0) "data")
      (func (export "load") (result i32) (i32.load (i32.const 0))))"#;
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let memory = instance.export(&mut store, "m").and_then(Extern::memory).unwrap();
    let shared = memory.shared(&store).unwrap().unwrap();
    drop(store);
    let mut bytes = [0; 4];
    shared.read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"data");
    let mut other = Store::new(&engine);
    let plain = Memory::new(&mut other, MemoryType::new(Limits { min: 1, max: Some(1) })).unwrap();
    assert!(plain.shared(&other).unwrap().is_none());
    let made = Memory::new(&mut other, ty(1, 2)).unwrap();
    assert!(!SharedMemory::same(&made.shared(&other).unwrap().unwrap(), &shared));
}

#[test]
fn what_is_no_shared_memory_is_refused() {
    let engine = Engine::new(Config::default()).unwrap();
    let refused = |ty| SharedMemory::new(&engine, ty).unwrap_err();
    assert_eq!(refused(MemoryType { shared: false, ..ty(1, 2) }).kind(), ErrorKind::Argument);
    assert_eq!(refused(ty(3, 2)).kind(), ErrorKind::Argument);
    let endless = MemoryType { limits: Limits { min: 1, max: None }, ..ty(1, 2) };
    assert_eq!(refused(endless).kind(), ErrorKind::Argument);
    assert_eq!(refused(ty(1 << 17, 1 << 17)).kind(), ErrorKind::Limit);
    // All its address space is reserved at once, and there is not so much.
    let huge = refused(MemoryType { index: IndexType::I64, ..ty(1, 1 << 40) });
    assert!(huge.message().contains("all address space"), "{huge}");
    let other = Engine::new(Config::default()).unwrap();
    let memory = SharedMemory::new(&engine, ty(1, 2)).unwrap();
    let error = Memory::from_shared(&mut Store::new(&other), &memory).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Argument, "the shared memory was made for another engine"));
}

/// What a store has when it gets a shared memory, and what it makes it grow by, counts for its limit.
#[test]
fn shared_memories_count_for_the_limits_of_stores() {
    let (module, memory) = world(Config::default());
    let mut world = World::new(&module, &memory);
    let page = 1 << 16;
    world.store.set_limits(StoreLimits { memory_bytes: 4 * page, ..StoreLimits::default() });
    assert_eq!(world.store.usage().memory_bytes, page);
    memory.grow(2).unwrap();
    assert_eq!(world.store.usage().memory_bytes, page);
    assert_eq!(world.call("grow", &[Val::I32(4)]).unwrap(), -1);
    assert_eq!(world.call("grow", &[Val::I32(3)]).unwrap(), 3);
    assert_eq!(world.store.usage().memory_bytes, 4 * page);
    assert_eq!(Memory::from_shared(&mut world.store, &memory).unwrap_err().kind(), ErrorKind::Limit);
    // SAFETY: no handle is used any more.
    drop(unsafe { world.store.collect([]) }.unwrap());
    assert_eq!(world.store.usage().memory_bytes, 0);
    assert_eq!(memory.size(), 6);
}

#[test]
fn waits_end_in_time() {
    let (module, memory) = world(Config::default());
    let mut world = World::new(&module, &memory);
    let begun = Instant::now();
    assert_eq!(world.wait(30_000_000).unwrap(), 2);
    assert!(begun.elapsed() >= Duration::from_millis(30));
    assert_eq!(world.wait(0).unwrap(), 2);
    memory.write(8, &[1]).unwrap();
    assert_eq!(world.wait(-1).unwrap(), 1);
    assert_eq!(memory.notify(8, 1), 0);
}

fn trap_of(error: &Error) -> TrapCode {
    error.payload::<Trap>().and_then(Trap::code).unwrap()
}

/// A guest that waits is ended by an interrupt, and by its deadline; then it can be called again.
#[test]
fn guests_that_wait_are_interrupted() {
    for debug in [false, true] {
        let (module, memory) = world(Config { epoch: true, debug, ..Config::default() });
        let mut world = World::new(&module, &memory);
        if debug {
            Debugger::attach(&mut world.store, |_| Action::Continue).unwrap();
        }
        let interrupter = world.store.interrupter().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                interrupter.interrupt();
            });
            let error = world.wait(-1).unwrap_err();
            assert_eq!(trap_of(&error), TrapCode::Interrupt);
            let trap = error.payload::<Trap>().unwrap();
            assert_eq!(trap.frames().len(), 1);
        });
        // Nobody is left on the list.
        assert_eq!(memory.notify(8, 9), 0);
        world.store.set_epoch_deadline(1).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                memory.engine().increment_epoch();
            });
            assert_eq!(trap_of(&world.wait(-1).unwrap_err()), TrapCode::Interrupt);
        });
        world.store.set_epoch_deadline(1000).unwrap();
        assert_eq!(world.wait(1_000_000).unwrap(), 2);
    }
}

/// The host is asked while a guest waits, and may wake it.
#[test]
fn guests_that_wait_ask() {
    let (module, memory) = world(Config { epoch: true, ..Config::default() });
    let mut world = World::new(&module, &memory);
    let asked = Arc::new(AtomicU32::new(0));
    let (counted, woken) = (asked.clone(), memory.clone());
    let ask = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        wake_one(&woken);
        Ok(())
    };
    world.store.set_ask(Some(Arc::new(ask))).unwrap();
    let interrupter = world.store.interrupter().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Not before it waits: who is woken must be there.
            std::thread::sleep(Duration::from_millis(50));
            interrupter.ask();
        });
        assert_eq!(world.wait(-1).unwrap(), 0);
    });
    let refuse = || Err(Error::new(ErrorKind::Host, "no more of this"));
    world.store.set_ask(Some(Arc::new(refuse))).unwrap();
    let interrupter = world.store.interrupter().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            interrupter.ask();
        });
        let error = world.wait(-1).unwrap_err();
        assert!(error.message().contains("no more of this"), "{error}");
    });
    assert!(asked.load(Ordering::Relaxed) >= 1);
}

/// Stops before and behind each instruction on a shared memory: what other threads have changed meanwhile is seen.
/// Waits are stepped over, and into nothing.
#[test]
fn a_debugger_sees_what_other_threads_do() {
    const STEPPED: &str = r#"(module
      (memory (import "env" "memory") 1 10 shared)
      (func (export "run") (result i32)
        (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 0)))
        (i32.add (i32.atomic.load (i32.const 0)))
        (i32.add (memory.size))
        (i32.add (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1)))))"#;
    for debug_tier in [runtime::DebugTier::Regions, runtime::DebugTier::Simple] {
        let engine = Engine::new(Config { debug: true, debug_tier, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(STEPPED).unwrap()).unwrap();
        let memory = SharedMemory::new(&engine, ty(1, 10)).unwrap();
        let mut world = World::new(&module, &memory);
        let own = Memory::from_shared(&mut world.store, &memory).unwrap();
        let count = Arc::new(AtomicU32::new(0));
        let (counted, written) = (count.clone(), memory.clone());
        let debugger = Debugger::attach(&mut world.store, move |stop| {
            // Another thread: each instruction finds another number, and from the third on another page.
            let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
            let written = written.clone();
            std::thread::spawn(move || written.write(0, &(1u32 << number).to_le_bytes())).join().unwrap().unwrap();
            let mut bytes = [0; 4];
            own.read(&*stop, 0, &mut bytes).unwrap();
            assert_eq!(u32::from_le_bytes(bytes), 1u32 << number);
            Action::StepInstruction
        })
        .unwrap();
        debugger.step_always(&mut world.store, true).unwrap();
        let result = std::thread::scope(|scope| {
            scope.spawn(|| wake_one(&memory));
            world.call("run", &[]).unwrap()
        });
        // The constants stand at the stops 1, 3, 6; the loads behind them. In the end one page, and woken.
        assert_eq!(result, (1 << 2) + (1 << 4) + (1 << 7) + 1, "{debug_tier:?}");
        assert_eq!(count.load(Ordering::Relaxed), 16, "{debug_tier:?}");
    }
}
