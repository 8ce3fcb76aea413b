//! Giving back what nobody can reach: what is kept, what goes, and that destructors run once and find a store that is
//! whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stepwell::*;

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

/// Collects with these roots: how many objects went.
fn collect(store: &mut Store, roots: &[Root]) -> usize {
    // SAFETY: the tests use nothing afterwards that cannot be reached from the roots.
    unsafe { store.collect(roots.iter().copied()) }.unwrap().objects()
}

fn func(store: &mut Store, instance: Instance, name: &str) -> Func {
    instance.export(store, name).unwrap().func().unwrap()
}

fn call(store: &mut Store, func: Func) -> Val {
    let mut results = [Val::I32(0)];
    func.call(store, &[], &mut results).unwrap();
    results[0]
}

/// An engine for debugging, and stores with and without a debugger's sink.
struct Quiet;
impl EventSink for Quiet {
    type State = ();
    fn on_event(&self, _: &mut Told<'_, ()>, _: &Event<'_>) -> Result<Answer> {
        Ok(Answer::GoOn)
    }
}

fn stores() -> [Store; 3] {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let moving = Config { memory_reservation: 0, memory_guard: 0, signals: false, ..Config::default() };
    let mut attached = Store::new(&engine);
    attached.attach(Arc::new(Quiet), ()).unwrap();
    [Store::new(&engine), attached, Store::new(&Engine::new(moving).unwrap())]
}

const COUNTER: &str = r#"(module (memory (export "memory") 1) (table (export "table") 4 funcref)
    (global (export "global") (mut i32) (i32.const 7))
    (func (export "get") (result i32) (global.get 0)) (elem (i32.const 0) 0))"#;

/// Holds a function of another instance in a table, and calls it.
const HOLDER: &str = r#"(module (table (export "table") 4 funcref)
    (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0))))"#;

#[test]
fn everything_goes_that_nobody_holds() {
    for mut store in stores() {
        let module = module(store.engine(), COUNTER);
        for _ in 0..10 {
            Instance::new(&mut store, &module, &[]).unwrap();
        }
        let usage = store.usage();
        assert_eq!((usage.instances, usage.memories, usage.tables), (10, 10, 10));
        assert_eq!((usage.memory_bytes, usage.table_elements), (10 << 16, 40));
        assert_eq!(collect(&mut store, &[]), 30);
        assert_eq!(store.usage(), StoreUsage::default());
        assert_eq!(collect(&mut store, &[]), 0);
        // The module is still there, and so is what is made of it.
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let get = func(&mut store, instance, "get");
        assert_eq!(call(&mut store, get), Val::I32(7));
    }
}

#[test]
fn each_part_of_an_instance_keeps_the_whole() {
    for mut store in stores() {
        let module = module(store.engine(), COUNTER);
        for name in ["memory", "table", "global", "get"] {
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let part = instance.export(&mut store, name).unwrap();
            Instance::new(&mut store, &module, &[]).unwrap();
            assert_eq!(collect(&mut store, &[part.into()]), 3, "{name}");
            match part {
                Extern::Memory(memory) => {
                    memory.grow(&mut store, 3).unwrap();
                    memory.write(&mut store, 3 << 16, &[1]).unwrap();
                    assert_eq!(store.usage().memory_bytes, 4 << 16);
                }
                Extern::Table(table) => {
                    table.grow(&mut store, 10, Val::FuncRef(None)).unwrap();
                    let Some(Val::FuncRef(Some(get))) = table.get(&store, 0).unwrap() else { panic!() };
                    assert_eq!(call(&mut store, get), Val::I32(7));
                }
                Extern::Global(global) => global.set(&mut store, Val::I32(1)).unwrap(),
                Extern::Func(get) => assert_eq!(call(&mut store, get), Val::I32(7)),
                Extern::Tag(_) => unreachable!("none has that name"),
            }
            assert_eq!(collect(&mut store, &[]), 3, "{name}");
            assert_eq!(store.usage(), StoreUsage::default());
        }
    }
}

#[test]
fn a_function_in_a_table_of_another_instance_stays() {
    for mut store in stores() {
        let (holder, counter) = (module(store.engine(), HOLDER), module(store.engine(), COUNTER));
        let holder = Instance::new(&mut store, &holder, &[]).unwrap();
        let table = holder.export(&mut store, "table").unwrap().table().unwrap();
        let get = Instance::new(&mut store, &counter, &[]).unwrap();
        let get = func(&mut store, get, "get");
        table.set(&mut store, 0, Val::FuncRef(Some(get))).unwrap();
        let through = func(&mut store, holder, "call");
        assert_eq!(collect(&mut store, &[through.into()]), 0);
        assert_eq!(call(&mut store, through), Val::I32(7));
        // A function of the host's, too.
        let seven = Func::wrap(&mut store, || 77).unwrap();
        table.set(&mut store, 0, Val::FuncRef(Some(seven))).unwrap();
        assert_eq!(collect(&mut store, &[through.into()]), 3);
        assert_eq!(call(&mut store, through), Val::I32(77));
        table.set(&mut store, 0, Val::FuncRef(None)).unwrap();
        assert_eq!(collect(&mut store, &[through.into()]), 1);
        assert_eq!(store.usage().host_functions, 0);
        assert_eq!(store.usage().instances, 1);
    }
}

#[test]
fn cycles_through_tables_go_as_a_whole() {
    for mut store in stores() {
        let module = module(store.engine(), HOLDER);
        let ring: Vec<_> = (0..50).map(|_| Instance::new(&mut store, &module, &[]).unwrap()).collect();
        for (i, instance) in ring.iter().enumerate() {
            let table = instance.export(&mut store, "table").unwrap().table().unwrap();
            let next = func(&mut store, ring[(i + 1) % 50], "call");
            table.set(&mut store, 1, Val::FuncRef(Some(next))).unwrap();
        }
        let table = ring[20].export(&mut store, "table").unwrap();
        assert_eq!(collect(&mut store, &[table.into()]), 0);
        assert_eq!(collect(&mut store, &[]), 100);
        assert_eq!(store.usage(), StoreUsage::default());
    }
}

#[test]
fn what_an_instance_imports_stays() {
    for mut store in stores() {
        let importer = module(
            store.engine(),
            r#"(module (import "" "get" (func $get (result i32))) (import "" "memory" (memory 1)) (import "" "table" (table 4 funcref))
                (import "" "global" (global $g (mut i32))) (import "" "host" (func $host (result i32)))
                (import "" "host global" (global $h (mut funcref)))
                (func (export "sum") (result i32) (i32.store (i32.const 0) (call $get))
                    (i32.add (i32.add (i32.load (i32.const 0)) (global.get $g)) (call $host))))"#,
        );
        let counter = module(store.engine(), COUNTER);
        // Each import from an instance of its own.
        let mut imports = Vec::new();
        for name in ["get", "memory", "table", "global"] {
            let instance = Instance::new(&mut store, &counter, &[]).unwrap();
            imports.push(instance.export(&mut store, name).unwrap());
        }
        imports.push(Func::wrap(&mut store, || 100).unwrap().into());
        // A global of the host's that alone holds a function of one more instance.
        let last = Instance::new(&mut store, &counter, &[]).unwrap();
        let last = func(&mut store, last, "get");
        let ty = GlobalType { content: ValType::FUNCREF, mutable: true };
        let global = Global::new(&mut store, ty, Val::FuncRef(Some(last))).unwrap();
        imports.push(global.into());
        let instance = Instance::new(&mut store, &importer, &imports).unwrap();
        let sum = func(&mut store, instance, "sum");
        Instance::new(&mut store, &counter, &[]).unwrap();
        assert_eq!(collect(&mut store, &[sum.into()]), 3);
        assert_eq!(call(&mut store, sum), Val::I32(114));
        let Val::FuncRef(Some(last)) = global.get(&store).unwrap() else { panic!() };
        assert_eq!(call(&mut store, last), Val::I32(7));
        global.set(&mut store, Val::FuncRef(None)).unwrap();
        assert_eq!(collect(&mut store, &[sum.into()]), 3);
        assert_eq!(call(&mut store, sum), Val::I32(114));
        assert_eq!(collect(&mut store, &[]), 4 * 3 + 3);
        assert_eq!(store.usage(), StoreUsage::default());
    }
}

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn external_references_stay_where_guests_hold_them() {
    for mut store in stores() {
        let keeper = module(
            store.engine(),
            r#"(module (global (export "global") (mut externref) (ref.null extern)) (table (export "table") 2 externref)
                (func (export "keep") (param externref) (global.set 0 (local.get 0)))
                (func (export "get") (result externref) (global.get 0)))"#,
        );
        let dropped = Arc::new(AtomicUsize::new(0));
        let keeper = Instance::new(&mut store, &keeper, &[]).unwrap();
        let make = |store: &mut Store| ExternRef::new(store, Box::new(Counted(dropped.clone()))).unwrap();
        for _ in 0..5 {
            make(&mut store);
        }
        let (a, b, c) = (make(&mut store), make(&mut store), make(&mut store));
        let keep = func(&mut store, keeper, "keep");
        keep.call(&mut store, &[Val::ExternRef(Some(a))], &mut []).unwrap();
        let table = keeper.export(&mut store, "table").unwrap().table().unwrap();
        table.set(&mut store, 1, Val::ExternRef(Some(b))).unwrap();
        assert_eq!(collect(&mut store, &[keeper.into(), c.into()]), 5);
        assert_eq!((dropped.load(Ordering::Relaxed), store.usage().externrefs), (5, 3));
        let get = func(&mut store, keeper, "get");
        let mut results = [Val::I32(0)];
        get.call(&mut store, &[], &mut results).unwrap();
        assert_eq!(results, [Val::ExternRef(Some(a))]);
        for value in [a, b, c] {
            assert!(value.data(&store).unwrap().is::<Counted>());
        }
        // One that holds an instance, which holds one that holds a function.
        let counter = module(store.engine(), COUNTER);
        let counter = Instance::new(&mut store, &counter, &[]).unwrap();
        let counter = func(&mut store, counter, "get");
        let inner = ExternRef::holding(&mut store, Box::new(counter), counter).unwrap();
        table.set(&mut store, 1, Val::ExternRef(Some(inner))).unwrap();
        let outer = ExternRef::holding(&mut store, Box::new(()), keeper).unwrap();
        assert_eq!(collect(&mut store, &[outer.into()]), 2);
        assert_eq!(dropped.load(Ordering::Relaxed), 7);
        let held = *inner.data(&store).unwrap().downcast_ref::<Func>().unwrap();
        assert_eq!(call(&mut store, held), Val::I32(7));
        // The slots are used again; a handle of what is gone is an error, not another's value.
        assert!(b.data(&store).is_err() || b.data(&store).unwrap().is::<Counted>());
        table.set(&mut store, 1, Val::ExternRef(None)).unwrap();
        keep.call(&mut store, &[Val::ExternRef(None)], &mut []).unwrap();
        assert_eq!(collect(&mut store, &[keeper.into()]), 6);
        assert_eq!((dropped.load(Ordering::Relaxed), store.usage().externrefs), (8, 0));
        assert_eq!(inner.data(&store).unwrap_err().kind(), ErrorKind::Argument);
    }
}

#[test]
fn destructors_run_once() {
    let dropped = Arc::new(AtomicUsize::new(0));
    for mut store in stores() {
        let (kept, before) = (Counted(dropped.clone()), dropped.load(Ordering::Relaxed));
        let kept = Func::wrap(&mut store, move || {
            let _ = &kept;
        });
        let kept = kept.unwrap();
        for _ in 0..10 {
            let counted = Counted(dropped.clone());
            Func::wrap(&mut store, move || {
                let _ = &counted;
            })
            .unwrap();
        }
        // SAFETY: only `kept` is used again.
        let gone = unsafe { store.collect([kept.into()]) }.unwrap();
        assert_eq!((gone.objects(), dropped.load(Ordering::Relaxed) - before), (10, 0));
        assert_eq!(store.usage().host_functions, 1);
        drop(gone);
        assert_eq!(dropped.load(Ordering::Relaxed) - before, 10);
        kept.call(&mut store, &[], &mut []).unwrap();
        drop(store);
        assert_eq!(dropped.load(Ordering::Relaxed) - before, 11);
    }
}

#[test]
fn host_data_goes_with_its_object() {
    for mut store in stores() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let counter = module(store.engine(), COUNTER);
        let mut roots: Vec<Root> = Vec::new();
        for _ in 0..2 {
            let instance = Instance::new(&mut store, &counter, &[]).unwrap();
            roots.push(instance.into());
            for name in ["memory", "table", "global", "get"] {
                roots.push(instance.export(&mut store, name).unwrap().into());
            }
            roots.push(Func::wrap(&mut store, || ()).unwrap().into());
            roots.push(ExternRef::new(&mut store, Box::new(())).unwrap().into());
            let ty = GlobalType { content: ValType::I32, mutable: false };
            roots.push(Global::new(&mut store, ty, Val::I32(1)).unwrap().into());
        }
        for (i, root) in roots.iter().enumerate() {
            let data = Box::new((i, Counted(dropped.clone())));
            assert!(store.as_store_mut().set_host_data(*root, Some(data)).unwrap().is_none());
        }
        // The first half stays.
        assert_eq!(collect(&mut store, &roots[..8]), 3 + 3);
        assert_eq!(dropped.load(Ordering::Relaxed), 8);
        for (i, root) in roots[..8].iter().enumerate() {
            let data = store.as_store_mut().set_host_data(*root, None).unwrap().unwrap();
            assert_eq!(data.downcast_ref::<(usize, Counted)>().unwrap().0, i);
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 16);
        assert!(store.as_store().host_data(roots[0]).is_none());
    }
}

#[test]
fn what_is_rooted_or_in_a_linker_stays() {
    for mut store in stores() {
        let counter = module(store.engine(), COUNTER);
        let instance = Instance::new(&mut store, &counter, &[]).unwrap();
        let rooted = store.root(instance).unwrap();
        let twice = rooted.clone();
        drop(rooted);
        let other = Instance::new(&mut store, &counter, &[]).unwrap();
        let mut linker = Linker::new(store.engine());
        linker.instance(&mut store, "other", other).unwrap();
        let late = Func::wrap(&mut store, || 5).unwrap();
        linker.define("", "late", late).unwrap();
        linker.root(&store);
        assert_eq!(collect(&mut store, &[]), 0);
        let importer =
            module(store.engine(), r#"(module (import "other" "get" (func (result i32))) (import "" "late" (func)))"#);
        // Looking at the host function, whose type is another, is no use of what is gone.
        assert_eq!(linker.instantiate(&mut store, &importer).unwrap_err().kind(), ErrorKind::Link);
        drop(twice);
        assert_eq!(collect(&mut store, &[]), 3);
        let copy = linker.clone();
        drop(linker);
        assert_eq!(collect(&mut store, &[]), 0);
        drop(copy);
        assert_eq!(collect(&mut store, &[]), 4);
        let mut foreign = Store::new(store.engine());
        let root: Root = Func::wrap(&mut foreign, || ()).unwrap().into();
        assert_eq!(store.root(root).unwrap_err().kind(), ErrorKind::Argument);
        // SAFETY: nothing is used again.
        assert_eq!(unsafe { store.collect([root]) }.unwrap_err().kind(), ErrorKind::Argument);
    }
}

#[test]
fn not_while_a_guest_runs() {
    for mut store in stores() {
        let counter = module(store.engine(), COUNTER);
        Instance::new(&mut store, &counter, &[]).unwrap();
        let host = Func::wrap(&mut store, |mut caller: Caller<'_>| {
            // SAFETY: it is refused.
            let error = unsafe { caller.as_store_mut().collect([]) }.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State, "{error}");
        });
        let imports = [host.unwrap().into()];
        let caller = module(store.engine(), r#"(module (import "" "" (func $f)) (func (export "call") (call $f)))"#);
        let instance = Instance::new(&mut store, &caller, &imports).unwrap();
        let through = func(&mut store, instance, "call");
        through.call(&mut store, &[], &mut []).unwrap();
        assert_eq!(store.usage().instances, 2);
        assert_eq!(collect(&mut store, &[instance.into()]), 3);
        through.call(&mut store, &[], &mut []).unwrap();
    }
}

#[test]
fn failed_instances_go_and_limits_are_for_what_is_there() {
    for mut store in stores() {
        let trapping = module(store.engine(), "(module (memory 1) (func $start unreachable) (start $start))");
        store.set_limits(StoreLimits {
            memory_bytes: 10 << 16,
            table_elements: 10,
            instances: 10,
            heap_bytes: 0,
            ..StoreLimits::default()
        });
        for _ in 0..10 {
            assert_eq!(Instance::new(&mut store, &trapping, &[]).unwrap_err().kind(), ErrorKind::Trap);
            assert!(!store.as_store_mut().lacked_room());
        }
        for _ in 0..3 {
            assert_eq!(Instance::new(&mut store, &trapping, &[]).unwrap_err().kind(), ErrorKind::Limit);
            assert!(store.as_store_mut().lacked_room() && !store.as_store_mut().lacked_room());
        }
        assert_eq!(collect(&mut store, &[]), 20);
        assert_eq!(Instance::new(&mut store, &trapping, &[]).unwrap_err().kind(), ErrorKind::Trap);
        let large = module(store.engine(), "(module (memory 9) (table 10 funcref))");
        let large = Instance::new(&mut store, &large, &[]).unwrap();
        assert_eq!(Instance::new(&mut store, &trapping, &[]).unwrap_err().kind(), ErrorKind::Limit);
        // What it got so far stays until the next time.
        assert_eq!(collect(&mut store, &[large.into()]), 2 + 1);
        assert_eq!(Instance::new(&mut store, &trapping, &[]).unwrap_err().kind(), ErrorKind::Trap);
    }
}

#[test]
fn passive_segments_find_what_they_refer_to() {
    for mut store in stores() {
        let counter = module(store.engine(), COUNTER);
        let get = Instance::new(&mut store, &counter, &[]).unwrap();
        let get = func(&mut store, get, "get");
        let segments = module(
            store.engine(),
            r#"(module (import "" "get" (func $get (result i32))) (import "" "g" (global $g funcref)) (table $t 2 funcref)
                (elem $funcs func $get) (elem $exprs funcref (global.get $g))
                (func (export "init") (table.init $funcs (i32.const 0) (i32.const 0) (i32.const 1))
                    (table.init $exprs (i32.const 1) (i32.const 0) (i32.const 1)))
                (func (export "sum") (result i32) (i32.add (call_indirect (result i32) (i32.const 0))
                    (call_indirect (result i32) (i32.const 1)))))"#,
        );
        let other = Func::wrap(&mut store, || 9).unwrap();
        let ty = GlobalType { content: ValType::FUNCREF, mutable: false };
        let global = Global::new(&mut store, ty, Val::FuncRef(Some(other))).unwrap();
        let instance = Instance::new(&mut store, &segments, &[get.into(), global.into()]).unwrap();
        let (init, sum) = (func(&mut store, instance, "init"), func(&mut store, instance, "sum"));
        assert_eq!(collect(&mut store, &[instance.into()]), 0);
        init.call(&mut store, &[], &mut []).unwrap();
        assert_eq!(collect(&mut store, &[instance.into()]), 0);
        assert_eq!(call(&mut store, sum), Val::I32(16));
    }
}

#[test]
fn a_hundred_thousand_instances_come_and_go() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let module = module(&engine, COUNTER);
    let first = Instance::new(&mut store, &module, &[]).unwrap();
    for _ in 0..100 {
        for _ in 0..1000 {
            Instance::new(&mut store, &module, &[]).unwrap();
        }
        assert_eq!(collect(&mut store, &[first.into()]), 3000);
        assert_eq!(store.usage().objects(), 3);
    }
    let get = func(&mut store, first, "get");
    assert_eq!(call(&mut store, get), Val::I32(7));
}
