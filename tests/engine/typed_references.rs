//! References to functions of one type: between modules, engines and the host.

use stepwell::base::ErrorKind;
use stepwell::runtime::{
    Config, Engine, Extern, Func, Global, Instance, Linker, Module, Store, Table, Tag, Trap, TrapCode, Val,
};
use stepwell::{ExternType, FuncType, GlobalType, HeapType, Limits, RefType, TableType, ValType};

fn engine() -> Engine {
    Engine::new(stepwell::runtime::Config::default()).unwrap()
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

/// Functions of two types, and one that calls what it is given.
const CALLS: &str = r#"(module
    (type $binary (func (param i32 i32) (result i32)))
    (type $unary (func (param i32) (result i32)))
    (func (export "add") (type $binary) local.get 0 local.get 1 i32.add)
    (func (export "twice") (type $unary) local.get 0 i32.const 2 i32.mul)
    (func (export "call") (param (ref $binary)) (result i32) i32.const 40 i32.const 2 local.get 0 call_ref $binary)
    (func (export "call_or_null") (param (ref null $binary)) (result i32)
        i32.const 40 i32.const 2 local.get 0 call_ref $binary)
    (func (export "any") (param funcref) (result i32) local.get 0 ref.is_null))"#;

fn func(store: &mut Store, instance: Instance, name: &str) -> Func {
    instance.export(&mut *store, name).unwrap().func().unwrap()
}

/// A type in a group is another than one that looks alike and stands alone: what a linker makes for it is of that type.
#[test]
fn defaults_are_of_exactly_the_type_that_is_asked_for() {
    let engine = Engine::new(Config::default()).unwrap();
    let text = r#"(module
        (rec (type $f (func (param i32) (result i32))) (type $t (func (param f64))) (type (func)))
        (type $open (sub (func (result i64))))
        (import "m" "f" (func (type $f))) (import "m" "t" (tag (type $t))) (import "m" "o" (func $o (type $open)))
        (func (export "run") (result i64) (call $o)))"#;
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let mut linker = Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.export(&mut store, "run").unwrap().func().unwrap();
    let mut results = [Val::I32(1)];
    run.call(&mut store, &[], &mut results).unwrap();
    assert_eq!(results, [Val::I64(0)]);
}

#[test]
fn the_host_passes_only_what_fits() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let calls = module(&engine, CALLS);
    let instance = Instance::new(&mut store, &calls, &[]).unwrap();
    let [add, twice, call, call_or_null, any] =
        ["add", "twice", "call", "call_or_null", "any"].map(|name| func(&mut store, instance, name));
    let mut run = |func: Func, value: Val| {
        let mut results = [Val::I32(0)];
        func.call(&mut store, &[value], &mut results).map(|()| results[0])
    };
    assert_eq!(run(call, Val::FuncRef(Some(add))).unwrap(), Val::I32(42));
    for wrong in [Val::FuncRef(Some(twice)), Val::FuncRef(None), Val::ExternRef(None), Val::I32(1)] {
        let error = run(call, wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
    }
    assert_eq!(run(any, Val::FuncRef(Some(twice))).unwrap(), Val::I32(0));
    assert_eq!(run(any, Val::FuncRef(None)).unwrap(), Val::I32(1));
    let error = run(call_or_null, Val::FuncRef(None)).unwrap_err();
    assert_eq!(error.payload::<Trap>().and_then(Trap::code), Some(TrapCode::NullReference), "{error}");
    assert_eq!(run(call_or_null, Val::FuncRef(Some(twice))).unwrap_err().kind(), ErrorKind::Argument);
    // Of a store that is not this one.
    let mut other = Store::new(&engine);
    let there = Instance::new(&mut other, &calls, &[]).unwrap();
    let add = func(&mut other, there, "add");
    assert_eq!(run(call, Val::FuncRef(Some(add))).unwrap_err().kind(), ErrorKind::Argument);
}

/// What it gives, as a type of references to functions of one type.
fn reference_to(module: &Module, name: &str) -> RefType {
    let stepwell::ExternType::Func(ty) = module.exports().find(|export| export.0 == name).unwrap().1 else {
        panic!("{name}")
    };
    match ty.params[0] {
        ValType::Ref(ty) => ty,
        other => panic!("{other}"),
    }
}

#[test]
fn modules_of_two_engines_mean_the_same_type() {
    let engines = [engine(), engine()];
    let there = module(&engines[0], CALLS);
    let here = module(&engines[1], CALLS);
    let ty = reference_to(&there, "call_or_null");
    assert_eq!(ty, reference_to(&here, "call_or_null"));
    assert!(matches!(ty, RefType { heap: HeapType::Defined(_), nullable: true }));
    // A host function that is given one, of a type that the other engine's module says.
    let mut store = Store::new(&engines[1]);
    let instance = Instance::new(&mut store, &here, &[]).unwrap();
    let add = func(&mut store, instance, "add");
    let taking = FuncType::new([ty.into()], [ty.into()]);
    let same = Func::new(&mut store, taking, |_, params, results| {
        results[0] = params[0];
        Ok(())
    });
    let text = r#"(module (type $binary (func (param i32 i32) (result i32)))
        (import "h" "same" (func $same (param (ref null $binary)) (result (ref null $binary))))
        (func (export "run") (param (ref $binary)) (result i32)
            i32.const 1 i32.const 2 (call $same (local.get 0)) call_ref $binary))"#;
    drop(there);
    let guest = module(&engines[1], text);
    let guest = Instance::new(&mut store, &guest, &[same.unwrap().into()]).unwrap();
    let mut results = [Val::I32(0)];
    func(&mut store, guest, "run").call(&mut store, &[Val::FuncRef(Some(add))], &mut results).unwrap();
    assert_eq!(results, [Val::I32(3)]);
}

#[test]
fn host_functions_return_only_what_fits() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let calls = module(&engine, CALLS);
    let instance = Instance::new(&mut store, &calls, &[]).unwrap();
    let twice = func(&mut store, instance, "twice");
    let never_null = RefType::non_null(reference_to(&calls, "call").heap);
    for given in [Val::FuncRef(Some(twice)), Val::FuncRef(None)] {
        let ty = FuncType::new([], [never_null.into()]);
        let host = Func::new(&mut store, ty, move |_, _, results| {
            results[0] = given;
            Ok(())
        });
        let mut results = [Val::FuncRef(None)];
        let error = host.unwrap().call(&mut store, &[], &mut results).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Host, "{error}");
    }
}

#[test]
fn globals_and_tables_hold_only_what_fits() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let calls = module(&engine, CALLS);
    let instance = Instance::new(&mut store, &calls, &[]).unwrap();
    let [add, twice] = ["add", "twice"].map(|name| Val::FuncRef(Some(func(&mut store, instance, name))));
    let nullable = reference_to(&calls, "call_or_null");
    let never_null = reference_to(&calls, "call");
    assert_eq!(never_null, RefType { nullable: false, ..nullable });
    let global = |content: RefType| GlobalType { content: content.into(), mutable: true };
    for (ty, value) in [(never_null, Val::FuncRef(None)), (nullable, twice), (RefType::EXTERNREF, add)] {
        assert_eq!(Global::new(&mut store, global(ty), value).unwrap_err().kind(), ErrorKind::Argument);
    }
    let holds = Global::new(&mut store, global(never_null), add).unwrap();
    assert_eq!(holds.set(&mut store, Val::FuncRef(None)).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(holds.get(&store).unwrap(), add);
    let table = |element: RefType| TableType::new(element, Limits { min: 3, max: None });
    assert_eq!(Table::new(&mut store, table(never_null), Val::FuncRef(None)).unwrap_err().kind(), ErrorKind::Argument);
    let rows = Table::new(&mut store, table(never_null), add).unwrap();
    assert_eq!(rows.set(&mut store, 0, twice).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(rows.grow(&mut store, 1, Val::FuncRef(None)).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(rows.get(&store, 2).unwrap(), Some(add));
    // What a module asks for is compared with what they are.
    let asks = |what: &str| {
        let types = "(type $binary (func (param i32 i32) (result i32))) (type $unary (func (param i32) (result i32)))";
        module(&engine, &format!(r#"(module {types} (import "m" "x" {what}))"#))
    };
    let wanted: [(&str, Extern, bool); 8] = [
        ("(global (mut (ref $binary)))", holds.into(), true),
        ("(global (mut (ref null $binary)))", holds.into(), false),
        ("(global (mut (ref $unary)))", holds.into(), false),
        ("(global (ref $binary))", holds.into(), false),
        ("(table 3 (ref $binary))", rows.into(), true),
        ("(table 3 (ref null $binary))", rows.into(), false),
        ("(table 4 (ref $binary))", rows.into(), false),
        ("(table 3 funcref)", rows.into(), false),
    ];
    for (what, given, fits) in wanted {
        let made = Instance::new(&mut store, &asks(what), &[given]);
        assert_eq!(made.is_ok(), fits, "{what}");
    }
    let constant = GlobalType { content: never_null.into(), mutable: false };
    let constant = Global::new(&mut store, constant, add).unwrap();
    for what in ["(ref $binary)", "(ref null $binary)", "(ref func)", "funcref"] {
        Instance::new(&mut store, &asks(&format!("(global {what})")), &[constant.into()]).unwrap();
    }
    for what in ["(ref $unary)", "externref"] {
        assert!(Instance::new(&mut store, &asks(&format!("(global {what})")), &[constant.into()]).is_err(), "{what}");
    }
}

#[test]
fn tables_are_filled_with_what_they_say_before_segments_are_applied() {
    let engine = engine();
    let mut store = Store::new(&engine);
    let text = r#"(module
        (type $t (func (result i32)))
        (func $one (type $t) i32.const 1)
        (func $two (type $t) i32.const 2)
        (global $g (ref $t) (ref.func $two))
        (table $filled 5 (ref $t) (ref.func $one))
        (table $plain 5 funcref)
        (elem (table $filled) (i32.const 1) (ref $t) (ref.func $two))
        (elem (table $plain) (i32.const 1) (ref $t) (ref.func $two))
        (func (export "filled") (param i32) (result i32) local.get 0 call_indirect $filled (type $t))
        (func (export "ref") (param i32) (result i32) local.get 0 table.get $filled call_ref $t)
        (func (export "grow") (param i32) (result i32) ref.func $two local.get 0 table.grow $filled)
        (func (export "plain") (param i32) (result i32) local.get 0 call_indirect $plain (type $t)))"#;
    let instance = Instance::new(&mut store, &module(&engine, text), &[]).unwrap();
    let mut run = |name: &str, value: i32| {
        let mut results = [Val::I32(0)];
        func(&mut store, instance, name).call(&mut store, &[Val::I32(value)], &mut results).map(|()| results[0])
    };
    for (index, value) in [(0, 1), (1, 2), (2, 1), (4, 1)] {
        assert_eq!(run("filled", index).unwrap(), Val::I32(value));
        assert_eq!(run("ref", index).unwrap(), Val::I32(value));
    }
    assert_eq!(run("grow", 2).unwrap(), Val::I32(5));
    assert_eq!(run("ref", 6).unwrap(), Val::I32(2));
    assert_eq!(run("plain", 1).unwrap(), Val::I32(2));
    assert!(run("plain", 0).is_err());
}

#[test]
fn without_the_proposal_it_is_named() {
    use stepwell::Features;
    let config = stepwell::runtime::Config {
        features: Features { function_references: false, ..Features::default() },
        ..Default::default()
    };
    let error = Module::new(&Engine::new(config).unwrap(), &wat::parse_str(CALLS).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("function-references"), "{error}");
}

/// Its types stand in a group, and one has a type below it: none is what its parameters and results alone would be.
const GROUPED: &str = r#"(module
    (rec (type $unary (func (param i32) (result i32))) (type $point (struct (field i32))))
    (type $open (sub (func (param i32) (result i32))))
    (rec (type $carries (func (param i32))) (type (struct)))
    (import "host" "unary" (func $unary (type $unary)))
    (import "host" "open" (func $open (type $open)))
    (import "host" "tag" (tag $tag (type $carries)))
    (export "unary" (func $unary)) (export "open" (func $open)) (export "tag" (tag $tag))
    (table funcref (elem $unary $open))
    (func (export "run") (param i32) (result i32)
        (call_indirect (type $unary) (local.get 0) (i32.const 0))
        (call_indirect (type $open) (i32.const 1))
        (i32.add (call $unary (i32.const 1)))))"#;

/// Imports made of the types that somebody tells: functions that add 10, and a tag.
fn made(store: &mut Store, types: impl Iterator<Item = ExternType>) -> Vec<Extern> {
    let one = |ty| match ty {
        ExternType::Func(ty) => Func::new(&mut *store, ty, |_, params, results| {
            results[0] = Val::I32(params[0].i32().unwrap() + 10);
            Ok(())
        })
        .unwrap()
        .into(),
        ExternType::Tag(ty) => Tag::new(&mut *store, ty).unwrap().into(),
        other => panic!("{other}"),
    };
    types.map(one).collect()
}

#[test]
fn host_functions_and_tags_are_of_the_type_that_a_module_tells() {
    let engine = engine();
    let module = module(&engine, GROUPED);
    let wanted: Vec<ExternType> = module.imports().map(|(_, _, ty)| ty).collect();
    let mut store = Store::new(&engine);
    let imports = made(&mut store, wanted.iter().cloned());
    let first = Instance::new(&mut store, &module, &imports).unwrap();
    // What objects tell is as good: a guest's exports, and the host's own.
    let told: Vec<ExternType> =
        ["unary", "open", "tag"].map(|name| first.export(&mut store, name).unwrap().ty(&store).unwrap()).into();
    assert_eq!(told, wanted);
    for types in [told, imports.iter().map(|item| item.ty(&store).unwrap()).collect()] {
        let imports = made(&mut store, types.into_iter());
        let instance = Instance::new(&mut store, &module, &imports).unwrap();
        let mut results = [Val::I32(0)];
        func(&mut store, instance, "run").call(&mut store, &[Val::I32(1)], &mut results).unwrap();
        assert_eq!(results, [Val::I32(32)]);
    }
    // Names of a linker, for any store.
    let mut linker = Linker::new(&engine);
    let types = wanted.iter().cloned().zip(["unary", "open"]);
    for (ty, name) in types {
        let ExternType::Func(ty) = ty else { panic!("{ty}") };
        linker.func_new("host", name, ty, |_, _, _| Ok(())).unwrap();
    }
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    linker.instantiate(&mut store, &module).unwrap();
    // Types that were made anew look alike, and are others. So is that of another place.
    let unary = || FuncType::new([ValType::I32], [ValType::I32]);
    let open = wanted[1].clone();
    for (place, ty) in [
        (0, ExternType::Func(unary())),
        (0, open),
        (1, ExternType::Func(unary())),
        (2, ExternType::Tag(FuncType::new([ValType::I32], []))),
    ] {
        assert_eq!(ty, wanted[place]);
        let mut given = imports.clone();
        given[place] = made(&mut store, [ty].into_iter())[0];
        let error = Instance::new(&mut store, &module, &given).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link);
        assert!(error.to_string().contains("looks alike"), "{error}");
    }
    // The type is there as long as somebody has it.
    drop((store, module, linker));
    let mut store = Store::new(&engine);
    let imports = made(&mut store, wanted.into_iter());
    let module = Module::new(&engine, &wat::parse_str(GROUPED).unwrap()).unwrap();
    Instance::new(&mut store, &module, &imports).unwrap();
}
