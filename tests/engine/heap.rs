//! Structures and arrays in the host's hand, and their collection: how long handles hold what they refer to, what keeps
//! what, what is given back, and that a heap stays as large as what is live in it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::runtime::DebugTier;
use stepwell::*;

fn config() -> Config {
    let mut config = Config { debug: true, ..Config::default() };
    config.features.gc = true;
    config
}

/// Engines that differ in when they collect, and in what code guests run.
fn engines() -> Vec<Engine> {
    let collecting = |config: Config| Config { force_collections: true, ..config };
    let simple = Config { debug_tier: DebugTier::Simple, ..config() };
    let configs =
        [config(), collecting(config()), collecting(simple), Config { signals: false, ..collecting(config()) }];
    configs.into_iter().map(|config| Engine::new(config).unwrap()).collect()
}

/// A store of each engine in each kind of code.
fn stores() -> Vec<Store> {
    let mut stores = Vec::new();
    for engine in engines() {
        let mut attached = Store::new(&engine);
        attached.attach(Arc::new(Quiet), ()).unwrap();
        stores.extend([Store::new(&engine), attached]);
    }
    stores
}

struct Quiet;
impl EventSink for Quiet {
    type State = ();
    fn on_event(&self, _: &mut Told<'_, ()>, _: &Event<'_>) -> Result<Answer> {
        Ok(Answer::GoOn)
    }
}

fn instance(store: &mut Store, text: &str, imports: &[Extern]) -> Instance {
    let module = Module::new(store.engine(), &wat::parse_str(text).unwrap()).unwrap();
    Instance::new(store, &module, imports).unwrap()
}

fn func(store: &mut Store, instance: Instance, name: &str) -> Func {
    instance.export(store, name).unwrap().func().unwrap()
}

fn call(store: &mut Store, instance: Instance, name: &str, params: &[Val]) -> Result<Val> {
    let func = func(store, instance, name);
    let mut results = vec![Val::I32(0); func.ty(&*store)?.results.len()];
    func.call(store, params, &mut results)?;
    Ok(results.first().copied().unwrap_or(Val::I32(0)))
}

fn object(value: Val) -> AnyRef {
    match value {
        Val::AnyRef(Some(value)) => value,
        other => panic!("{other:?}"),
    }
}

/// Collects with these roots.
fn collect(store: &mut Store, roots: &[Root]) -> usize {
    // SAFETY: the tests use nothing afterwards that cannot be reached from the roots.
    unsafe { store.collect(roots.iter().copied()) }.unwrap().objects()
}

const NODES: &str = r#"(module
    (type $node (sub (struct (field $value (mut i32)) (field $next (mut (ref null $node))) (field i8))))
    (type $bytes (array (mut i8)))
    (type $words (array i16))
    (global $kept (export "kept") (mut (ref null $node)) (ref.null $node))
    (func $new (export "new") (param i32 (ref null $node)) (result (ref $node))
        (struct.new $node (local.get 0) (local.get 1) (i32.const 0x1ff)))
    (func (export "value") (param (ref $node)) (result i32) (struct.get $node $value (local.get 0)))
    (func (export "keep") (param (ref null $node)) (global.set $kept (local.get 0)))
    (func (export "churn") (param i32)
        loop $more
            (drop (struct.new $node (i32.const -1) (ref.null $node) (i32.const 0)))
            (drop (array.new $bytes (i32.const 0xee) (i32.const 400)))
            (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
        end)
    (func (export "large") (param i32 i32)
        loop $more
            (drop (array.new_default $bytes (local.get 1)))
            (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
        end)
    (func (export "list") (param $length i32) (local $list (ref null $node))
        loop $more
            (local.set $list (call $new (local.get $length) (local.get $list)))
            (br_if $more (local.tee $length (i32.sub (local.get $length) (i32.const 1))))
        end)
    (func (export "bytes") (param i32) (result (ref $bytes)) (array.new $bytes (i32.const 0x181) (local.get 0)))
    (func (export "words") (result (ref $words)) (array.new_fixed $words 2 (i32.const -1) (i32.const 7)))
    (func (export "foreign") (param (ref null $node)) (result externref) (extern.convert_any (local.get 0)))
    (func (export "native") (param externref) (result anyref) (any.convert_extern (local.get 0))))"#;

/// Makes much, so that whatever nobody holds is gone.
fn churn(store: &mut Store, instance: Instance) {
    call(store, instance, "churn", &[Val::I32(40)]).unwrap();
}

#[test]
fn what_a_call_gives_is_held_until_the_store_collects() {
    for mut store in stores() {
        let nodes = instance(&mut store, NODES, &[]);
        let node = object(call(&mut store, nodes, "new", &[Val::I32(7), Val::AnyRef(None)]).unwrap());
        churn(&mut store, nodes);
        assert_eq!(call(&mut store, nodes, "value", &[Val::AnyRef(Some(node))]).unwrap(), Val::I32(7));
        collect(&mut store, &[nodes.into()]);
        let error = call(&mut store, nodes, "value", &[Val::AnyRef(Some(node))]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains("given up"), "{error}");
        assert!(node.get(&store, 0).is_err() && node.len(&store).is_err() && node.ty(&store).is_err());
        assert!(store.root(node).is_err(), "it is too late to root it");
    }
}

#[test]
fn a_root_holds_and_is_given_up() {
    for mut store in stores() {
        let nodes = instance(&mut store, NODES, &[]);
        let inner = object(call(&mut store, nodes, "new", &[Val::I32(1), Val::AnyRef(None)]).unwrap());
        let outer = object(call(&mut store, nodes, "new", &[Val::I32(2), Val::AnyRef(Some(inner))]).unwrap());
        let rooted = store.root(outer).unwrap();
        collect(&mut store, &[nodes.into()]);
        churn(&mut store, nodes);
        let Root::AnyRef(outer) = rooted.root() else { panic!() };
        assert_eq!(outer.get(&store, 0).unwrap(), Val::I32(2));
        let inner = object(outer.get(&store, 1).unwrap());
        assert_eq!(inner.get(&store, 0).unwrap(), Val::I32(1));
        drop(rooted);
        assert!(outer.get(&store, 0).is_err(), "a handle of a root that is gone");
        // It came out of the store since.
        assert_eq!(inner.get(&store, 0).unwrap(), Val::I32(1));
    }
}

#[test]
fn scopes_end() {
    for mut store in stores() {
        let nodes = instance(&mut store, NODES, &[]);
        let before = object(call(&mut store, nodes, "new", &[Val::I32(1), Val::AnyRef(None)]).unwrap());
        let new = func(&mut store, nodes, "new");
        let (inside, rooted) = store.scope(|store| {
            let mut made = [Val::I32(0)];
            new.call(&mut *store, &[Val::I32(2), Val::AnyRef(None)], &mut made).unwrap();
            let inside = object(made[0]);
            assert_eq!(inside.get(&*store, 0).unwrap(), Val::I32(2));
            (inside, store.root(inside).unwrap())
        });
        assert!(inside.get(&store, 0).is_err());
        let Root::AnyRef(held) = rooted.root() else { panic!() };
        churn(&mut store, nodes);
        assert_eq!(held, inside, "the same object");
        assert_eq!((held.get(&store, 0).unwrap(), before.get(&store, 0).unwrap()), (Val::I32(2), Val::I32(1)));
    }
}

#[test]
fn what_a_host_function_is_given_is_held_until_it_returns() {
    let module = r#"(module
        (type $node (struct (field i32)))
        (import "" "look" (func $look (param anyref externref) (result anyref)))
        (func $churn (export "churn") (param i32)
            loop $more
                (drop (struct.new $node (i32.const -1)))
                (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
            end)
        (func (export "run") (result i32)
            (call $look (struct.new $node (i32.const 5)) (extern.convert_any (struct.new $node (i32.const 6))))
            (call $churn (i32.const 4))
            (struct.get $node 0 (ref.cast (ref $node)))))"#;
    for mut store in stores() {
        let kept: Arc<Mutex<Vec<Val>>> = Arc::default();
        let seen = kept.clone();
        let ty = FuncType::new([ValType::ANYREF, ValType::EXTERNREF], [ValType::ANYREF]);
        let look = Func::new(&mut store, ty, move |mut caller, params, results| {
            let churn = caller.instance().unwrap().export(&mut caller, "churn").unwrap().func().unwrap();
            churn.call(&mut caller, &[Val::I32(30)], &mut [])?;
            let (Val::AnyRef(Some(first)), Val::ExternRef(Some(second))) = (params[0], params[1]) else { panic!() };
            assert_eq!(first.get(&caller, 0)?, Val::I32(5));
            let second = AnyRef::of_extern(second);
            assert_eq!(second.get(&caller, 0)?, Val::I32(6));
            results[0] = Val::AnyRef(Some(second));
            seen.lock().unwrap().extend_from_slice(params);
            Ok(())
        })
        .unwrap();
        let instance = instance(&mut store, module, &[look.into()]);
        assert_eq!(call(&mut store, instance, "run", &[]).unwrap(), Val::I32(6));
        let kept = kept.lock().unwrap();
        assert!(object(kept[0]).get(&store, 0).is_err());
        let Val::ExternRef(Some(foreign)) = kept[1] else { panic!() };
        assert!(AnyRef::of_extern(foreign).get(&store, 0).is_err());
        assert!(foreign.data(&store).is_err());
    }
}

#[test]
fn objects_are_looked_into_and_changed() {
    for mut store in stores() {
        let nodes = instance(&mut store, NODES, &[]);
        let node = object(call(&mut store, nodes, "new", &[Val::I32(7), Val::AnyRef(None)]).unwrap());
        assert_eq!(node.len(&store).unwrap(), 3);
        assert_eq!(node.get(&store, 2).unwrap(), Val::I32(0xff), "the lowest bits, without sign");
        assert!(node.get(&store, 3).unwrap_err().to_string().contains("there are 3"));
        node.set(&mut store, 0, Val::I32(-9)).unwrap();
        node.set(&mut store, 1, Val::AnyRef(Some(node))).unwrap();
        assert_eq!(node.get(&store, 1).unwrap(), Val::AnyRef(Some(node)));
        assert_eq!(call(&mut store, nodes, "value", &[Val::AnyRef(Some(node))]).unwrap(), Val::I32(-9));
        for (index, value) in [(0, Val::I64(1)), (1, Val::AnyRef(Some(AnyRef::i31(1)))), (1, Val::FuncRef(None))] {
            assert!(node.set(&mut store, index, value).is_err(), "{index} {value:?}");
        }
        assert!(node.set(&mut store, 2, Val::I32(1)).unwrap_err().to_string().contains("may not change"));

        let bytes = object(call(&mut store, nodes, "bytes", &[Val::I32(5)]).unwrap());
        assert_eq!((bytes.len(&store).unwrap(), bytes.get(&store, 4).unwrap()), (5, Val::I32(0x81)));
        assert!(bytes.get(&store, 5).is_err() && bytes.get(&store, u32::MAX).is_err());
        bytes.set(&mut store, 4, Val::I32(0x7ff)).unwrap();
        assert_eq!((bytes.get(&store, 3).unwrap(), bytes.get(&store, 4).unwrap()), (Val::I32(0x81), Val::I32(0xff)));
        let words = object(call(&mut store, nodes, "words", &[]).unwrap());
        assert_eq!((words.get(&store, 0).unwrap(), words.get(&store, 1).unwrap()), (Val::I32(0xffff), Val::I32(7)));
        assert!(words.set(&mut store, 0, Val::I32(1)).is_err());

        let ty = node.object_type(&store).unwrap().unwrap();
        assert_eq!(ty.as_struct().unwrap().fields.len(), 3);
        assert_eq!(node.ty(&store).unwrap(), ty.heap());
        assert!(AnyRef::i31(4).object_type(&store).unwrap().is_none() && AnyRef::i31(4).len(&store).is_err());
        let other = Store::new(store.engine());
        assert!(node.get(&other, 0).is_err() && node.object_type(&other).is_err());
    }
}

#[test]
fn the_host_makes_objects() {
    for mut store in stores() {
        let nodes = instance(&mut store, NODES, &[]);
        let example = object(call(&mut store, nodes, "new", &[Val::I32(7), Val::AnyRef(None)]).unwrap());
        let ty = example.object_type(&store).unwrap().unwrap();
        let mut last = Val::AnyRef(None);
        for value in 0..20 {
            let node = AnyRef::new_struct(&mut store, &ty, &[Val::I32(value), last, Val::I32(value)]).unwrap();
            last = Val::AnyRef(Some(node));
        }
        churn(&mut store, nodes);
        let mut at = last;
        for value in (0..20).rev() {
            assert_eq!(call(&mut store, nodes, "value", &[at]).unwrap(), Val::I32(value));
            at = object(at).get(&store, 1).unwrap();
        }
        assert_eq!(at, Val::AnyRef(None));
        for fields in [&[Val::I32(1)][..], &[Val::I32(1), Val::I32(1), Val::I32(1)], &[last; 3], &[last; 4]] {
            assert!(AnyRef::new_struct(&mut store, &ty, fields).is_err(), "{fields:?}");
        }
        assert!(AnyRef::new_array(&mut store, &ty, &[]).unwrap_err().to_string().contains("no type of arrays"));

        let storage = StorageType::Val(ValType::ANYREF);
        let ty = DefinedType::array(ArrayType { element: FieldType { storage, mutable: true } }).unwrap();
        let array = AnyRef::new_array(&mut store, &ty, &[last, Val::AnyRef(None), Val::AnyRef(Some(AnyRef::i31(-3)))]);
        let array = array.unwrap();
        let same = AnyRef::new_array_of(&mut store, &ty, last, 1000).unwrap();
        churn(&mut store, nodes);
        assert_eq!(array.get(&store, 0).unwrap(), last);
        assert_eq!((same.get(&store, 999).unwrap(), same.len(&store).unwrap()), (last, 1000));
        assert_eq!(object(array.get(&store, 2).unwrap()).as_i31(), Some(-3));
        assert!(AnyRef::new_array_of(&mut store, &ty, Val::I32(1), 1).is_err());
        assert!(AnyRef::new_struct(&mut store, &ty, &[]).is_err());

        let fields = [StorageType::I8, StorageType::Val(ValType::V128), StorageType::Val(ValType::FUNCREF)];
        let fields = fields.map(|storage| FieldType { storage, mutable: true }).into();
        let ty = DefinedType::structure(StructType { fields }).unwrap();
        let function = func(&mut store, nodes, "churn");
        let values = [Val::I32(0x101), Val::V128([7; 16]), Val::FuncRef(Some(function))];
        let made = AnyRef::new_struct(&mut store, &ty, &values).unwrap();
        assert_eq!([0, 1, 2].map(|index| made.get(&store, index).unwrap()), [Val::I32(1), values[1], values[2]]);
    }
    let engine = Engine::new(Config::default()).unwrap();
    let ty = DefinedType::structure(StructType::default()).unwrap();
    if !engine.config().features.gc {
        let error = AnyRef::new_struct(&mut Store::new(&engine), &ty, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn external_references_of_guests_are_held_like_others() {
    for mut store in stores() {
        let nodes = instance(&mut store, NODES, &[]);
        let node = call(&mut store, nodes, "new", &[Val::I32(7), Val::AnyRef(None)]).unwrap();
        let foreign = call(&mut store, nodes, "foreign", &[node]).unwrap();
        let Val::ExternRef(Some(value)) = foreign else { panic!() };
        let rooted = store.root(value).unwrap();
        collect(&mut store, &[nodes.into()]);
        churn(&mut store, nodes);
        assert!(call(&mut store, nodes, "native", &[foreign]).is_err(), "not the one that is rooted");
        let Root::ExternRef(value) = rooted.root() else { panic!() };
        let native = object(call(&mut store, nodes, "native", &[Val::ExternRef(Some(value))]).unwrap());
        assert_eq!(native.get(&store, 0).unwrap(), Val::I32(7));
        // One of the host's, on its way through a guest.
        let own = ExternRef::new(&mut store, Box::new(5_i32)).unwrap();
        let native = object(call(&mut store, nodes, "native", &[Val::ExternRef(Some(own))]).unwrap());
        assert_eq!((native.as_host(), native.is_object()), (Some(own), false));
    }
}

#[test]
fn a_heap_is_as_large_as_what_is_live() {
    let mut config = config();
    for (simple, signals) in [(false, true), (true, true), (false, false)] {
        config.signals = signals;
        config.debug_tier = if simple { DebugTier::Simple } else { DebugTier::Regions };
        let engine = Engine::new(config.clone()).unwrap();
        for attached in [false, true] {
            let mut store = Store::new(&engine);
            store.set_limits(StoreLimits { heap_bytes: 16 << 20, ..StoreLimits::default() });
            if attached {
                store.attach(Arc::new(Quiet), ()).unwrap();
            }
            let nodes = instance(&mut store, NODES, &[]);
            // 300 times the limit, in small and in large pieces.
            for _ in 0..10 {
                call(&mut store, nodes, "list", &[Val::I32(200_000)]).unwrap();
                call(&mut store, nodes, "churn", &[Val::I32(100_000)]).unwrap();
                call(&mut store, nodes, "large", &[Val::I32(300), Val::I32(1 << 20)]).unwrap();
                assert!(store.usage().heap_bytes <= 16 << 20, "{:?}", store.usage());
            }
            // What is live does not fit.
            let error = call(&mut store, nodes, "list", &[Val::I32(2_000_000)]).unwrap_err();
            assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::HeapFull), "{error}");
            let error = call(&mut store, nodes, "large", &[Val::I32(1), Val::I32(17 << 20)]).unwrap_err();
            assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::HeapFull), "{error}");
            // And then there is room again.
            call(&mut store, nodes, "list", &[Val::I32(200_000)]).unwrap();
            collect(&mut store, &[nodes.into()]);
            assert_eq!(store.usage().heap_bytes, 0);
            let bytes = object(call(&mut store, nodes, "bytes", &[Val::I32(1)]).unwrap());
            let ty = bytes.object_type(&store).unwrap().unwrap();
            let error = AnyRef::new_array_of(&mut store, &ty, Val::I32(0), 1 << 30).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        }
    }
}

/// What nobody can reach is not in the way of what constant expressions make.
#[test]
fn instances_find_room() {
    const MAKES: &str = r#"(module (type $bytes (array (mut i8)))
        (global (ref $bytes) (array.new_default $bytes (i32.const 600000))))"#;
    for mut store in stores() {
        store.set_limits(StoreLimits { heap_bytes: 1 << 20, ..StoreLimits::default() });
        let nodes = instance(&mut store, NODES, &[]);
        let module = Module::new(store.engine(), &wat::parse_str(MAKES).unwrap()).unwrap();
        for _ in 0..3 {
            call(&mut store, nodes, "large", &[Val::I32(1), Val::I32(900_000)]).unwrap();
            Instance::new(&mut store, &module, &[]).unwrap();
            collect(&mut store, &[nodes.into()]);
        }
        Instance::new(&mut store, &module, &[]).unwrap();
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert!(error.to_string().contains("finds no room"), "{error}");
    }
}

/// Objects refer to instances, exceptions and values of the host, and these to objects: rings of all go.
#[test]
fn rings_through_the_heap_are_collected() {
    const RING: &str = r#"(module
        (type $ring (struct (field (mut funcref)) (field (mut externref)) (field (mut anyref)) (field (mut exnref))))
        (tag $tag (param anyref))
        (global $held (mut anyref) (ref.null any))
        (table $table 2 anyref)
        (func $me (export "me"))
        (func (export "tie") (param externref) (local $ring (ref null $ring))
            (local.set $ring (struct.new $ring (ref.func $me) (local.get 0) (ref.null any) (ref.null exn)))
            (struct.set $ring 2 (local.get $ring) (struct.new $ring (ref.func $me) (local.get 0) (local.get $ring) (ref.null exn)))
            (struct.set $ring 3 (local.get $ring)
                (block $h (result exnref) (try_table (catch_all_ref $h) (throw $tag (local.get $ring))) unreachable))
            (table.set $table (i32.const 1) (local.get $ring))
            (global.set $held (local.get $ring)))
        (func (export "get") (result anyref) (global.get $held))
        (elem declare func $me))"#;
    for mut store in stores() {
        for round in 0..3 {
            let value = ExternRef::new(&mut store, Box::new(())).unwrap();
            let ring = instance(&mut store, RING, &[]);
            call(&mut store, ring, "tie", &[Val::ExternRef(Some(value))]).unwrap();
            let held = object(call(&mut store, ring, "get", &[]).unwrap());
            let rooted = store.root(held).unwrap();
            // The object alone keeps the instance, by a function, and all else.
            collect(&mut store, &[]);
            let usage = store.usage();
            let found = (usage.instances, usage.externrefs, usage.exceptions, usage.tables, usage.tags);
            assert_eq!(found, (1, 1, 1, 1, 1), "{round}");
            let Root::AnyRef(held) = rooted.root() else { panic!() };
            assert!(matches!(held.get(&store, 0).unwrap(), Val::FuncRef(Some(_))));
            let Val::ExnRef(Some(exception)) = held.get(&store, 3).unwrap() else { panic!() };
            assert_eq!(exception.values(&store).unwrap(), [Val::AnyRef(Some(held))]);
            assert_eq!(object(object(held.get(&store, 2).unwrap()).get(&store, 2).unwrap()), held);
            drop(rooted);
            collect(&mut store, &[]);
            assert_eq!(store.usage(), StoreUsage::default(), "{round}");
        }
    }
}

#[test]
fn a_value_of_the_host_keeps_what_it_holds_on_to() {
    for mut store in stores() {
        let nodes = instance(&mut store, NODES, &[]);
        let node = object(call(&mut store, nodes, "new", &[Val::I32(7), Val::AnyRef(None)]).unwrap());
        let value = ExternRef::holding(&mut store, Box::new(node), node).unwrap();
        let rooted = store.root(value).unwrap();
        let set = call(&mut store, nodes, "keep", &[Val::AnyRef(Some(node))]);
        set.unwrap();
        collect(&mut store, &[nodes.into()]);
        churn(&mut store, nodes);
        let kept = nodes.export(&mut store, "kept").unwrap().global().unwrap();
        assert_eq!(object(kept.get(&store).unwrap()), node);
        drop(rooted);
        let node = object(kept.get(&store).unwrap());
        assert!(store.as_store_mut().set_host_data(node, None).is_err());
    }
}

/// A debugger that calls the guest at each stop, where all is collected that it does not show.
#[test]
fn what_a_stopped_frame_shows_is_held() {
    use stepwell::debug::{Action, Debugger};
    const MODULE: &str = r#"(module
        (type $node (struct (field (mut i32)) (field (mut (ref null $node)))))
        (func (export "churn") (param i32)
            loop $more
                (drop (struct.new $node (i32.const -1) (ref.null $node)))
                (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
            end)
        (func (export "run") (param i32) (result i32) (local $a (ref null $node)) (local $b (ref null $node))
            (local.set $a (struct.new $node (i32.const 3) (struct.new $node (i32.const 4) (ref.null $node))))
            (local.set $b (struct.get $node 1 (local.get $a)))
            ;; Behind this nothing but the operand refers to the second.
            (local.get $b)
            (local.set $b (ref.null $node))
            (struct.set $node 1 (local.get $a) (ref.null $node))
            (struct.get $node 0)
            (i32.add (struct.get $node 0 (local.get $a)))
            (i32.add (local.get 0))))"#;
    for engine in engines() {
        let mut store = Store::new(&engine);
        let module = Module::new(&engine, &wat::parse_str(MODULE).unwrap()).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let churn = func(&mut store, instance, "churn");
        let (nested, stops) = (AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
        let count = stops.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            if nested.swap(true, Ordering::Relaxed) {
                return Action::Continue;
            }
            let values = |stop: &debug::Stop<'_>| {
                let frame = stop.top().unwrap();
                [frame.locals(), frame.operands()].concat()
            };
            for _ in 0..2 {
                for value in values(stop) {
                    if let Val::AnyRef(Some(value)) = value {
                        let Val::I32(number) = value.get(&*stop, 0).unwrap() else { panic!() };
                        assert!((3..5).contains(&number), "{number}");
                    }
                }
                churn.call(&mut *stop, &[Val::I32(3)], &mut []).unwrap();
            }
            count.fetch_add(1, Ordering::Relaxed);
            nested.store(false, Ordering::Relaxed);
            Action::StepInstruction
        })
        .unwrap();
        debugger.break_at_name(&mut store, &module, "run").unwrap();
        assert_eq!(call(&mut store, instance, "run", &[Val::I32(10)]).unwrap(), Val::I32(17));
        assert!(stops.load(Ordering::Relaxed) > 20);
    }
}

/// What the host makes stands side by side, as what guests make.
#[test]
fn small_objects_of_the_host_share_lines() {
    let engine = Engine::new(config()).unwrap();
    let mut store = Store::new(&engine);
    let element = FieldType { storage: StorageType::I8, mutable: true };
    let ty = DefinedType::array(ArrayType { element }).unwrap();
    for _ in 0..1000 {
        AnyRef::new_array_of(&mut store, &ty, Val::I32(7), 8).unwrap();
    }
    // Of 16 bytes each, in blocks of 32 KiB.
    assert_eq!(store.usage().heap_bytes, 1 << 15);
}

/// A limit that was lowered holds for what is made from then on, also where there was more before.
#[test]
fn a_lower_limit_holds_for_memory_that_was_used_before() {
    let engine = Engine::new(config()).unwrap();
    let mut store = Store::new(&engine);
    let element = FieldType { storage: StorageType::I8, mutable: true };
    let ty = DefinedType::array(ArrayType { element }).unwrap();
    let make = |store: &mut Store, length| AnyRef::new_array_of(store, &ty, Val::I32(7), length);
    for _ in 0..10 {
        make(&mut store, 1_000_000).unwrap();
    }
    collect(&mut store, &[]);
    store.set_limits(StoreLimits { heap_bytes: 3_000_000, ..store.limits() });
    let mut held = Vec::new();
    let error = loop {
        match make(&mut store, 1_000_000) {
            Ok(made) => held.push(store.root(made).unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!((held.len(), error.kind()), (2, ErrorKind::Limit));
    assert!(error.message().contains("takes at most 3000000 bytes"), "{error}");
    held.clear();
    collect(&mut store, &[]);
    let made = make(&mut store, 1_000_000).unwrap();
    assert_eq!(made.len(&store).unwrap(), 1_000_000);
}

/// Arrays around the sizes of lines, of blocks, and of what has blocks of its own, among small objects, made by
/// compiled code: each stays what it is.
#[test]
fn objects_of_every_size_stay_whole() {
    const SLOTS: u64 = 40;
    const TEXT: &str = r#"(module
        (type $bytes (array (mut i8)))
        (type $links (array (mut (ref null $bytes))))
        (type $small (struct (field i32) (field (ref null $bytes))))
        (global $kept (mut (ref null $links)) (ref.null $links))
        (global $small (export "small") (mut (ref null $small)) (ref.null $small))
        (func (export "begin") (global.set $kept (array.new_default $links (i32.const 40))))
        (func (export "make") (param $slot i32) (param $length i32) (param $garbage i32)
            (array.set $links (global.get $kept) (local.get $slot)
                (array.new $bytes (i32.add (i32.const 1) (local.get $slot)) (local.get $length)))
            (loop $l
                (global.set $small (struct.new $small (i32.const -1) (array.new $bytes (i32.const 255) (i32.const 20))))
                (br_if $l (i32.gt_s (local.tee $garbage (i32.sub (local.get $garbage) (i32.const 1))) (i32.const 0)))))
        (func (export "check") (param $slot i32) (param $length i32) (result i32)
            (local $array (ref null $bytes)) (local $i i32)
            (local.set $array (array.get $links (global.get $kept) (local.get $slot)))
            (if (i32.ne (array.len (local.get $array)) (local.get $length)) (then (return (i32.const -2))))
            (loop $l
                (if (i32.lt_u (local.get $i) (local.get $length)) (then
                    (if (i32.ne (array.get_u $bytes (local.get $array) (local.get $i))
                            (i32.add (i32.const 1) (local.get $slot)))
                        (then (return (local.get $i))))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br $l))))
            (i32.const -1)))"#;
    for mut store in stores() {
        let forced = store.engine().config().force_collections;
        let instance = instance(&mut store, TEXT, &[]);
        call(&mut store, instance, "begin", &[]).unwrap();
        let mut random = 0x1234_5678_9abc_def0u64;
        let mut below = |most: u64| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (random >> 33) % most
        };
        let mut lengths = [None; SLOTS as usize];
        for _ in 0..if forced { 150 } else { 1500 } {
            let slot = below(SLOTS);
            let around = [16u64, 128, 4096, 8192, 16384, 32768, 65536][below(7) as usize];
            let length = if below(2) == 0 { around.saturating_sub(24) + below(40) } else { below(around) };
            lengths[slot as usize] = Some(length);
            let (slot, length) = (Val::I32(slot as i32), Val::I32(length as i32));
            call(&mut store, instance, "make", &[slot, length, Val::I32(below(300) as i32)]).unwrap();
            let slot = below(SLOTS);
            if let Some(length) = lengths[slot as usize] {
                let found = call(&mut store, instance, "check", &[Val::I32(slot as i32), Val::I32(length as i32)]);
                assert_eq!(found.unwrap(), Val::I32(-1), "an array of {length} bytes");
            }
        }
        for (slot, length) in lengths.iter().enumerate() {
            let Some(length) = length else { continue };
            let found = call(&mut store, instance, "check", &[Val::I32(slot as i32), Val::I32(*length as i32)]);
            assert_eq!(found.unwrap(), Val::I32(-1), "an array of {length} bytes");
        }
    }
}

/// A guest with more at hand than there are registers makes two objects in each turn, by the call that is to leave
/// every register as it was where there is no room in the hole: always, if collections are forced.
#[test]
fn new_objects_change_nothing_else() {
    const EACH: usize = 18;
    let each = |line: &dyn Fn(usize) -> String| (0..EACH).map(line).collect::<String>();
    let locals = each(&|i| format!("(local $a{i} i64) (local $f{i} f64) (local $v{i} v128)"));
    let first = each(&|i| format!("(local.set $a{i} (i64.const {i}))"));
    let turn = each(&|i| {
        format!(
            "(local.set $a{i} (i64.add (i64.mul (local.get $a{i}) (i64.const 31)) (i64.const {i})))
             (local.set $f{i} (f64.add (local.get $f{i}) (f64.const {i}.5)))
             (local.set $v{i} (i64x2.add (local.get $v{i}) (i64x2.splat (local.get $a{i}))))"
        )
    });
    let sum = each(&|i| {
        format!(
            "(local.set $sum (i64.mul (i64.const 0x100000001b3) (i64.xor (local.get $sum) (i64.add (local.get $a{i})
                (i64.add (i64.reinterpret_f64 (local.get $f{i})) (i64x2.extract_lane 1 (local.get $v{i})))))))"
        )
    });
    let text = format!(
        "(module
            (type $box (struct (field i64) (field f64) (field (ref null $box))))
            (func (export \"turns\") (param $n i32) (result i64)
                (local $sum i64) (local $one (ref null $box)) (local $other (ref null $box)) {locals}
                {first}
                loop $more
                    {turn}
                    (local.set $one (struct.new $box (local.get $a1) (local.get $f2) (ref.null $box)))
                    (local.set $other (struct.new $box (local.get $a3) (local.get $f4) (local.get $one)))
                    (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
                end
                {sum}
                (i64.add (local.get $sum) (i64.add (struct.get $box 0 (local.get $other))
                    (struct.get $box 0 (struct.get $box 2 (local.get $other)))))))"
    );
    let expected = |turns: i32| {
        let (mut a, mut f, mut v) = ([0i64; EACH], [0f64; EACH], [0i64; EACH]);
        (0..EACH).for_each(|i| a[i] = i as i64);
        for _ in 0..turns {
            for i in 0..EACH {
                a[i] = a[i].wrapping_mul(31).wrapping_add(i as i64);
                f[i] += i as f64 + 0.5;
                v[i] = v[i].wrapping_add(a[i]);
            }
        }
        let sum = (0..EACH).fold(0i64, |sum, i| {
            let one = a[i].wrapping_add(f[i].to_bits() as i64).wrapping_add(v[i]);
            (sum ^ one).wrapping_mul(0x100_0000_01b3)
        });
        sum.wrapping_add(a[3]).wrapping_add(a[1])
    };
    for mut store in stores() {
        let instance = instance(&mut store, &text, &[]);
        for turns in [1, 2, 300] {
            let found = call(&mut store, instance, "turns", &[Val::I32(turns)]).unwrap();
            assert_eq!(found, Val::I64(expected(turns)), "{turns} turns");
        }
    }
}
