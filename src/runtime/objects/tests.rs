//! Tables of instances from within: what is made, what is written to, and what the next one finds.

use crate::abi::TableElement;
use crate::base::TableIndex;
use crate::debug::{Action, Debugger};
use crate::runtime::{Config, Engine, Extern, Instance, Module, Store, Table, Val};
use std::fmt::Write as _;

/// A module with a table of so many functions, the `i`-th of which adds `i`.
fn module(engine: &Engine, functions: usize) -> Module {
    let mut text = String::from("(module (type $f (func (param i32) (result i32)))");
    for i in 0..functions {
        let _ = write!(text, "(func $f{i} (type $f) (i32.add (local.get 0) (i32.const {i})))");
    }
    let _ = write!(text, "(table $t (export \"t\") {functions} funcref) (elem (i32.const 0) func");
    for i in 0..functions {
        let _ = write!(text, " $f{i}");
    }
    text += ")
        (func (export \"call\") (param i32 i32) (result i32) (call_indirect (type $f) (local.get 1) (local.get 0)))
        (func (export \"set\") (param i32 i32) (table.set $t (local.get 0) (table.get $t (local.get 1))))
        (func (export \"clear\") (param i32 i32) (table.fill $t (local.get 0) (ref.null func) (local.get 1)))
        (func (export \"copy\") (param i32 i32) (table.copy (local.get 0) (i32.const 0) (local.get 1)))
        (func (export \"grow\") (param i32 i32) (drop (table.grow $t (ref.null func) (local.get 1)))))";
    Module::new(engine, &wat::parse_str(&text).unwrap()).unwrap()
}

fn call(store: &mut Store, instance: Instance, (index, value): (i32, i32)) -> i32 {
    let call = instance.typed_func::<(i32, i32), i32>(&mut *store, "call").unwrap();
    call.call(&mut *store, (index, value)).unwrap()
}

fn made(instance: Instance) -> usize {
    // SAFETY: the instance lives, and nobody changes it.
    unsafe { instance.ptr.as_ref() }.func_refs()
}

fn table(store: &Store, instance: Instance) -> Table {
    instance.table(store, TableIndex::new(0)).unwrap()
}

#[test]
fn an_instance_has_references_to_what_it_uses_only() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = module(&engine, 10_000);
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    assert_eq!(made(instance), 0);
    assert!(matches!(instance.export(&mut store, "t"), Some(Extern::Table(_))));
    assert_eq!(made(instance), 0);
    // Besides, the exported function.
    for (index, references) in [(5, 2), (5, 2), (9_999, 3), (70, 4), (5, 4)] {
        assert_eq!(call(&mut store, instance, (index, 1)), index + 1);
        assert_eq!(made(instance), references);
    }
    let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
    assert_eq!(made(instance), 4);
    for (index, references) in [(5, 4), (71, 5), (70, 5)] {
        assert_eq!(call(&mut store, instance, (index, 2)), index + 2);
        assert_eq!(made(instance), references);
    }
    debugger.detach(&mut store).unwrap();
    for (index, references) in [(71, 5), (5, 5), (72, 6)] {
        assert_eq!(call(&mut store, instance, (index, 3)), index + 3);
        assert_eq!(made(instance), references);
    }
    // The host asks.
    let table = table(&store, instance);
    let Some(Val::FuncRef(Some(func))) = table.get(&store, 100).unwrap() else { panic!("no function") };
    assert_eq!(table.get(&store, 100).unwrap(), Some(Val::FuncRef(Some(func))));
    assert_eq!(instance.func(&mut store, crate::base::FuncIndex::new(100)), Some(func));
    assert_eq!(made(instance), 7);
}

/// Tables of each kind of memory are written to in every way; the next one has nothing of it.
#[test]
fn nothing_of_a_table_is_seen_by_the_next() {
    let engine = Engine::new(Config::default()).unwrap();
    for functions in [40, 600, 10_000] {
        let module = module(&engine, functions);
        let last = functions as i32 - 1;
        let fresh = |store: &mut Store| {
            let instance = Instance::new(&mut *store, &module, &[]).unwrap();
            // SAFETY: the table lives, and nobody changes it.
            let inside = unsafe { table(store, instance).ptr.as_ref() };
            assert!(!inside.is_written() && inside.elements.len() == functions);
            for index in 0..functions {
                assert_eq!(inside.elements.get(index), Some(TableElement::UNTOUCHED), "{functions}: {index}");
            }
            assert_eq!(made(instance), 0);
            (instance, inside.elements.base())
        };
        for round in 0..9 {
            let mut store = Store::new(&engine);
            let (instance, base) = fresh(&mut store);
            let of_host = table(&store, instance);
            match round {
                0 => assert_eq!(call(&mut store, instance, (last, 1)), last + 1),
                1 => (0..=last).for_each(|index| assert_eq!(call(&mut store, instance, (index, 1)), index + 1)),
                2 => (0..functions as u64).for_each(|index| assert!(of_host.get(&store, index).unwrap().is_some())),
                3 => of_host.set(&mut store, last as u64, Val::FuncRef(None)).unwrap(),
                4 => {
                    let func = of_host.get(&store, 3).unwrap().unwrap();
                    assert_eq!(of_host.grow(&mut store, 5, func).unwrap(), functions as u64);
                }
                _ => {
                    let name = ["set", "clear", "copy", "grow"][round - 5];
                    let change = instance.typed_func::<(i32, i32), ()>(&mut store, name).unwrap();
                    let values = [(last, 7), (0, last), (1, last), (0, 100_000)][round - 5];
                    change.call(&mut store, values).unwrap();
                }
            }
            // By a collection and with its store.
            if round % 2 == 0 {
                // SAFETY: nothing is used afterwards.
                drop(unsafe { store.collect([]) }.unwrap());
                assert_eq!(store.usage().tables, 0);
            }
            drop(store);
            let (_, again) = fresh(&mut Store::new(&engine));
            // What is kept is used. A table that has grown has moved.
            assert!(functions < 600 || base == again || round == 8 || round == 4, "{functions}, {round}");
        }
    }
}

/// What only a table has written to it is looked at by a collection.
#[test]
fn a_table_keeps_what_was_put_into_it_and_what_its_image_says() {
    let engine = Engine::new(Config::default()).unwrap();
    for functions in [40, 600] {
        let module = module(&engine, functions);
        let mut store = Store::new(&engine);
        let [keeper, kept] = [(); 2].map(|()| Instance::new(&mut store, &module, &[]).unwrap());
        let (of_keeper, of_kept) = (table(&store, keeper), table(&store, kept));
        let func = of_kept.get(&store, 3).unwrap().unwrap();
        of_keeper.set(&mut store, 7, func).unwrap();
        // SAFETY: what is used afterwards can be reached from the table.
        let collect = |store: &mut Store| unsafe { store.collect([of_keeper.into()]) }.unwrap().objects();
        assert_eq!(collect(&mut store), 0);
        assert_eq!(call(&mut store, keeper, (7, 1)), 4);
        assert_eq!(call(&mut store, keeper, (8, 1)), 9);
        of_keeper.set(&mut store, 7, Val::FuncRef(None)).unwrap();
        assert_eq!(collect(&mut store), 2);
        assert_eq!(call(&mut store, keeper, (9, 1)), 10);
        assert_eq!(of_keeper.get(&store, 7).unwrap(), Some(Val::FuncRef(None)));
    }
}

/// Many at once, on two threads, of one engine: each has its own.
#[test]
fn tables_of_threads_are_apart() {
    let engine = Engine::new(Config::default()).unwrap();
    let module = module(&engine, 600);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (engine, module) = (&engine, &module);
            scope.spawn(move || {
                for round in 0..20 {
                    let mut all: Vec<(Store, Instance)> = (0..100)
                        .map(|_| {
                            let mut store = Store::new(engine);
                            let instance = Instance::new(&mut store, module, &[]).unwrap();
                            (store, instance)
                        })
                        .collect();
                    for (i, (store, instance)) in all.iter_mut().enumerate() {
                        let index = (i + 300 * thread + round) as i32;
                        assert_eq!(call(store, *instance, (index, 1)), index + 1);
                        assert_eq!(made(*instance), 2);
                    }
                }
            });
        }
    });
}

/// What is resolved costs no fuel, and needs no host's answer.
#[test]
fn first_calls_cost_as_much_as_later_ones() {
    for signals in [true, false] {
        let engine = Engine::new(Config { fuel: true, epoch: true, signals, ..Config::default() }).unwrap();
        let module = module(&engine, 600);
        let mut store = Store::new(&engine);
        store.set_epoch_deadline(1).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let costs = [5, 5, 599, 5].map(|index| {
            store.set_fuel(1000).unwrap();
            assert_eq!(call(&mut store, instance, (index, 1)), index + 1);
            1000 - store.fuel().unwrap()
        });
        assert!(costs[0] > 0 && costs == [costs[0]; 4], "{costs:?}");
    }
}
