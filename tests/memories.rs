//! Memories and tables of every type from the host's side: several of a module, each with its data, and what a debugger
//! shows of them. What instructions do with them is in `tests/spec.rs`, by scripts.

use std::sync::{Arc, Mutex};
use stepwell::base::MemoryIndex;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Config, Engine, Instance, Memory, Module, Store};

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

/// Engines in every way that memories work.
fn engines() -> Vec<Engine> {
    let configs = [
        Config::default(),
        Config { memory_images: false, ..Config::default() },
        Config { kept_memories: 0, ..Config::default() },
        Config { signals: false, ..Config::default() },
        Config { memory_reservation: 1 << 20, memory_guard: 1 << 16, ..Config::default() },
        Config { memory_reservation: 0, memory_guard: 0, ..Config::default() },
    ];
    configs.map(|config| Engine::new(Config { debug: true, ..config }).unwrap()).into()
}

fn bytes(store: &Store, memory: &Memory, at: usize, len: usize) -> Vec<u8> {
    memory.data(store).unwrap()[at..at + len].to_vec()
}

fn by_index(store: &Store, instance: &Instance, index: u32) -> Memory {
    instance.memory(store, MemoryIndex::new(index)).unwrap()
}

/// Three memories of its own and one of the host's between them and the data.
const SEVERAL: &str = r#"(module
    (import "host" "m" (memory $host 1))
    (memory $a 1) (memory $b 20) (memory $empty 1)
    (data (memory $a) (i32.const 100) "of the first")
    (data (memory $b) (i32.const 1200000) "of the second")
    (data (memory $host) (i32.const 7) "of the host")
    (data (memory $b) (i32.const 1200003) "!")
    (func (export "write") (param i32)
        (i32.store8 $a (i32.const 100) (local.get 0))
        (i32.store8 $b (i32.const 1200000) (i32.add (local.get 0) (i32.const 1)))
        (i32.store8 $host (i32.const 7) (i32.add (local.get 0) (i32.const 2)))
        (i32.store8 $empty (i32.const 9) (i32.add (local.get 0) (i32.const 3)))))"#;

/// Again and again, so that what one instance has written would be seen by the next.
#[test]
fn each_of_several_memories_has_its_own_data() {
    for engine in engines() {
        let module = module(&engine, SEVERAL);
        for round in 0..4 {
            let mut store = Store::new(&engine);
            let ty = module.info().memory(MemoryIndex::new(0));
            let host = Memory::new(&mut store, ty).unwrap();
            let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
            let [a, b, empty] = [1, 2, 3].map(|index| by_index(&store, &instance, index));
            assert_eq!(bytes(&store, &host, 7, 11), b"of the host");
            assert_eq!(bytes(&store, &by_index(&store, &instance, 0), 7, 11), b"of the host");
            assert_eq!(bytes(&store, &a, 100, 12), b"of the first");
            assert_eq!(bytes(&store, &b, 1_200_000, 13), b"of !he second");
            assert!(empty.data(&store).unwrap().iter().all(|byte| *byte == 0));
            let others = |memory: &Memory| memory.data(&store).unwrap().iter().filter(|byte| **byte != 0).count();
            assert_eq!([others(&a), others(&b), others(&host)], [12, 13, 11], "round {round}");
            let write = instance.typed_func::<i32, ()>(&mut store, "write").unwrap();
            write.call(&mut store, 65 + round).unwrap();
            let written = [bytes(&store, &a, 100, 1), bytes(&store, &b, 1_200_000, 1)];
            assert_eq!(written, [[65 + round as u8], [66 + round as u8]]);
            assert_eq!(bytes(&store, &host, 7, 2), [67 + round as u8, b'f']);
            assert_eq!(bytes(&store, &empty, 9, 1), [68 + round as u8]);
        }
    }
}

/// At each stop a debugger sees the memory of the number it asks for, as it is there, and may write to that one alone.
#[test]
fn a_debugger_sees_the_memory_it_asks_for() {
    let text = r#"(module
        (memory $a 1) (memory $b 1)
        (func (export "run") (result i32 i32)
            (i32.store8 $a (i32.const 0) (i32.const 1))
            (i32.store8 $b (i32.const 0) (i32.const 2))
            (i32.store8 $a (i32.const 0) (i32.const 3))
            (i32.load8_u $a (i32.const 0)) (i32.load8_u $b (i32.const 0))))"#;
    for engine in engines() {
        let module = module(&engine, text);
        let mut store = Store::new(&engine);
        let seen = Arc::new(Mutex::new(Vec::<[u8; 2]>::new()));
        let noted = seen.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let instance = stop.frame(0).unwrap().instance();
            let memories = [0, 1].map(|index| instance.memory(&*stop, MemoryIndex::new(index)).unwrap());
            let now = memories.map(|memory| memory.data(&*stop).unwrap()[0]);
            let mut seen = noted.lock().unwrap();
            if seen.last() != Some(&now) {
                seen.push(now);
                if now == [3, 2] {
                    memories[1].write(&mut *stop, 0, &[77]).unwrap();
                }
            }
            Action::StepInstruction
        })
        .unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        debugger.step_always(&mut store, true).unwrap();
        let run = instance.typed_func::<(), (i32, i32)>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), (3, 77));
        assert_eq!(*seen.lock().unwrap(), [[0, 0], [1, 0], [1, 2], [3, 2], [3, 77]]);
    }
}
