//! Memories and tables of every type from the host's side: several of a module, each with its data, and what a debugger
//! shows of them. What instructions do with them is in `tests/spec.rs`, by scripts.

use std::sync::{Arc, Mutex};
use stepwell::base::{ErrorKind, MemoryIndex};
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Config, Engine, Instance, Memory, Module, Store, StoreLimits, Table, Val};
use stepwell::{Features, IndexType, Limits, MemoryType, PageSize, RefType, TableType};

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
    let features = Features { custom_page_sizes: true, ..Features::default() };
    configs.map(|config| Engine::new(Config { debug: true, features, ..config }).unwrap()).into()
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
            let instance = stop.frame(0).unwrap().instance().unwrap();
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

/// A memory's type.
fn wide(page_size: PageSize, min: u64, max: Option<u64>) -> MemoryType {
    MemoryType { index: IndexType::I64, page_size, shared: false, limits: Limits { min, max } }
}

#[test]
fn memories_of_the_host_have_the_type_they_were_made_with() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        for ty in [
            wide(PageSize::WASM, 2, None),
            wide(PageSize::WASM, 0, Some(1 << 48)),
            wide(PageSize::BYTE, 5, Some(100_000)),
            wide(PageSize::BYTE, 0, None),
            MemoryType { page_size: PageSize::BYTE, ..MemoryType::new(Limits { min: 4097, max: None }) },
        ] {
            let memory = Memory::new(&mut store, ty).unwrap();
            let page = ty.page_size.bytes();
            assert_eq!(memory.ty(&store).unwrap(), ty);
            assert_eq!(memory.data(&store).unwrap().len() as u64, ty.limits.min * page);
            assert_eq!(memory.grow(&mut store, 3).unwrap(), ty.limits.min);
            let size = ty.limits.min + 3;
            assert_eq!(memory.ty(&store).unwrap(), MemoryType { limits: Limits { min: size, ..ty.limits }, ..ty });
            let end = (size * page) as usize;
            memory.write(&mut store, end - 1, &[7]).unwrap();
            assert!(memory.write(&mut store, end, &[7]).is_err());
            memory.grow(&mut store, 5000 / page + 1).unwrap();
            assert_eq!(bytes(&store, &memory, end - 1, 3), [7, 0, 0]);
            for delta in [u64::MAX, u64::MAX - size, 1 << 60, 1 << 47] {
                let error = memory.grow(&mut store, delta).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Limit);
                assert!(error.message().contains(&delta.to_string()), "{error}");
            }
            assert_eq!(bytes(&store, &memory, end - 1, 1), [7]);
        }
    }
}

/// Whether an address in a memory stays one: where all that it may have is reserved from the start.
#[test]
fn memories_within_the_reservation_are_fixed() {
    let fixed = |engine: &Engine, ty: MemoryType| {
        let mut store = Store::new(engine);
        let memory = Memory::new(&mut store, ty).unwrap();
        let (before, fixed) = (memory.data_ptr(&store).unwrap(), memory.is_fixed(&store).unwrap());
        memory.grow(&mut store, ty.limits.max.unwrap_or(80) - ty.limits.min).unwrap();
        assert!(!fixed || memory.data_ptr(&store).unwrap() == before);
        fixed
    };
    let usual = Engine::new(Config::default()).unwrap();
    let narrow = MemoryType::new(Limits { min: 1, max: None });
    assert!(fixed(&usual, narrow) && fixed(&usual, MemoryType { page_size: PageSize::BYTE, ..narrow }));
    assert!(fixed(&usual, wide(PageSize::WASM, 1, Some(100))) && !fixed(&usual, wide(PageSize::WASM, 1, None)));
    assert!(fixed(&usual, wide(PageSize::BYTE, 1, Some(100_000))) && !fixed(&usual, wide(PageSize::BYTE, 1, None)));
    let small = Engine::new(Config { memory_reservation: 1 << 20, ..Config::default() }).unwrap();
    assert!(!fixed(&small, narrow) && fixed(&small, wide(PageSize::WASM, 1, Some(16))));
    assert!(!fixed(&small, wide(PageSize::WASM, 1, Some(17))));
}

#[test]
fn what_cannot_be_made_is_refused_by_its_size() {
    for engine in engines() {
        let mut store = Store::new(&engine);
        for (ty, shown) in [
            (wide(PageSize::WASM, 1 << 32, None), "281474976710656"),
            (wide(PageSize::WASM, 1 << 48, None), "281474976710656 pages"),
            (wide(PageSize::WASM, (1 << 48) + 1, None), "281474976710657 pages"),
            (wide(PageSize::BYTE, u64::MAX, None), "18446744073709551615 pages"),
            (MemoryType::new(Limits { min: 65537, max: None }), "65537 pages"),
        ] {
            let error = Memory::new(&mut store, ty).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Limit | ErrorKind::System), "{error:?}");
            assert!(error.message().contains(shown), "{error}");
        }
        // With data that is far inside, and so would be known.
        let text = r#"(module (memory i64 0x100000000) (data (i64.const 0xff0000000000) "far"))"#;
        let error = Instance::new(&mut store, &module(&engine, text), &[]).unwrap_err();
        assert!(error.message().contains("281474976710656"), "{error}");
        store.set_limits(StoreLimits {
            memory_bytes: 100,
            table_elements: 10,
            instances: 5,
            heap_bytes: 0,
            ..StoreLimits::default()
        });
        let memory = Memory::new(&mut store, wide(PageSize::BYTE, 60, None)).unwrap();
        assert_eq!(memory.grow(&mut store, 40).unwrap(), 60);
        assert_eq!(memory.grow(&mut store, 1).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(Memory::new(&mut store, wide(PageSize::BYTE, 1, None)).unwrap_err().kind(), ErrorKind::Limit);
    }
}

#[test]
fn tables_of_64_bits() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let ty =
        TableType { index: IndexType::I64, ..TableType::new(RefType::FUNCREF, Limits { min: 2, max: Some(u64::MAX) }) };
    let table = Table::new(&mut store, ty, Val::FuncRef(None)).unwrap();
    assert_eq!(table.grow(&mut store, 5, Val::FuncRef(None)).unwrap(), 2);
    assert_eq!(table.ty(&store).unwrap(), TableType { limits: Limits { min: 7, ..ty.limits }, ..ty });
    assert!(table.get(&store, 1 << 32).unwrap().is_none());
    store.set_limits(StoreLimits { table_elements: u64::MAX, ..StoreLimits::default() });
    for delta in [1 << 32, u64::MAX] {
        assert_eq!(table.grow(&mut store, delta, Val::FuncRef(None)).unwrap_err().kind(), ErrorKind::Limit);
    }
    let huge = TableType { limits: Limits { min: 1 << 32, max: None }, ..ty };
    let error = Table::new(&mut store, huge, Val::FuncRef(None)).unwrap_err();
    assert!(error.message().contains("4294967296 elements"), "{error}");
}

/// What a memory had behind its end, in the last page of the system's, is not seen by the next one, nor when it grows.
#[test]
fn what_is_behind_the_end_of_a_memory_is_zero() {
    let text = r#"(module (memory (export "m") 5000 9000 (pagesize 1)) (data (i32.const 4990) "0123456789")
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "fill") (memory.fill (i32.const 0) (i32.const 0xee) (memory.size))))"#;
    for engine in engines() {
        let module = module(&engine, text);
        for round in 0..4 {
            let mut store = Store::new(&engine);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = by_index(&store, &instance, 0);
            let grow = instance.typed_func::<i32, i32>(&mut store, "grow").unwrap();
            let fill = instance.typed_func::<(), ()>(&mut store, "fill").unwrap();
            assert_eq!(bytes(&store, &memory, 4989, 11), b"\x000123456789", "round {round}");
            assert_eq!(grow.call(&mut store, 100).unwrap(), 5000);
            assert_eq!(bytes(&store, &memory, 4999, 101)[1..], [0; 100]);
            assert_eq!(grow.call(&mut store, 3900).unwrap(), 5100);
            assert_eq!(bytes(&store, &memory, 5000, 4000), [0; 4000]);
            assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
            fill.call(&mut store, ()).unwrap();
        }
    }
}
