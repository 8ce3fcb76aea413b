//! Proposals that are small: what they do, and what is said of a module that has them where they are switched off.

use stepwell::*;

fn engine(features: Features) -> Engine {
    Engine::new(Config { features, ..Config::default() }).unwrap()
}

/// The error of a module where a proposal is switched off.
fn refused(text: &str, off: impl FnOnce(&mut Features)) -> Error {
    let binary = wat::parse_str(text).unwrap();
    Module::new(&engine(Features::default()), &binary).unwrap();
    let mut features = Features::default();
    off(&mut features);
    Module::new(&engine(features), &binary).unwrap_err()
}

const COMPACT: &str = r#"(module
  (import "long module name"
    (item "a" (func (param i32) (result i32)))
    (item "m" (memory 1))
    (item "g" (global i32)))
  (import "other" (item "b") (item "c") (func (param i32) (result i32)))
  (import "plain" "d" (func (param i32) (result i32)))
  (import "plain" "" (func (param i32) (result i32)))
  (func (export "all") (param i32) (result i32)
    (call 4 (call 3 (call 2 (call 1 (call 0 (i32.add (local.get 0) (global.get 0)))))))))"#;

#[test]
fn proposals_that_are_off_are_named_with_the_place() {
    let tail = refused("(module (func $f (return_call $f)))", |features| features.tail_call = false);
    let wide = refused("(module (func (result i64 i64) (i64.mul_wide_s (i64.const 1) (i64.const 2))))", |features| {
        features.wide_arithmetic = false
    });
    let compact = refused(COMPACT, |features| features.compact_imports = false);
    let shared = refused("(module (memory 1 2 shared))", |features| features.threads = false);
    let atomic = "(module (memory 1) (func (result i32) (i32.atomic.load (i32.const 0))))";
    let atomic = refused(atomic, |features| features.threads = false);
    for (error, name) in [
        (tail, "tail-call"),
        (wide, "wide-arithmetic"),
        (compact, "compact-import-section"),
        (shared, "threads"),
        (atomic, "threads"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains(&format!("{name} (switched off in the configuration)")), "{error}");
        assert!(error.offset().is_some_and(|at| at.get() > 8), "{error}");
    }
}

#[test]
fn imports_that_share_names_and_types_are_imports() {
    let engine = engine(Features::default());
    let module = Module::new(&engine, &wat::parse_str(COMPACT).unwrap()).unwrap();
    let names: Vec<_> = module.imports().map(|(module, name, _)| format!("{module}/{name}")).collect();
    let expected =
        ["long module name/a", "long module name/m", "long module name/g", "other/b", "other/c", "plain/d", "plain/"];
    assert_eq!(names, expected);
    let mut store = Store::new(&engine);
    let func = |store: &mut Store, n: i32| Extern::from(Func::wrap(store, move |x: i32| x * 10 + n).unwrap());
    let memory = Memory::new(&mut store, MemoryType::new(Limits { min: 1, max: None })).unwrap();
    let global = Global::new(&mut store, GlobalType { content: ValType::I32, mutable: false }, Val::I32(3)).unwrap();
    let imports = [
        func(&mut store, 1),
        memory.into(),
        global.into(),
        func(&mut store, 2),
        func(&mut store, 3),
        func(&mut store, 4),
        func(&mut store, 5),
    ];
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    let all = instance.typed_func::<i32, i32>(&mut store, "all").unwrap();
    assert_eq!(all.call(&mut store, 4).unwrap(), 712_345);
}

/// A name that is said once for many imports is not to fill the memory.
#[test]
fn names_that_many_imports_share_are_limited() {
    let name = "n".repeat(90_000);
    let items = "(item \"\" (func))".repeat(1000);
    let binary = wat::parse_str(format!("(module (import \"{name}\" {items}))")).unwrap();
    assert!(binary.len() < 100_000);
    let error = Module::new(&engine(Features::default()), &binary).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.message().contains("names of its imports"), "{error}");
    let few = wat::parse_str(format!("(module (import \"{name}\" {}))", "(item \"\" (func))".repeat(100))).unwrap();
    assert_eq!(Module::new(&engine(Features::default()), &few).unwrap().imports().count(), 100);
}

#[test]
fn wide_arithmetic_is_that_of_128_bits() {
    let text = r#"(module
      (func (export "add") (param i64 i64 i64 i64) (result i64 i64)
        (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
      (func (export "sub") (param i64 i64 i64 i64) (result i64 i64)
        (i64.sub128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
      (func (export "mul_s") (param i64 i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 1)))
      (func (export "mul_u") (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1))))"#;
    let binary = wat::parse_str(text).unwrap();
    for optimize in [true, false] {
        let engine = Engine::new(Config { optimize, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &binary).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut seed = 5u64;
        let mut next = || {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            // Near the ends of what there is, often.
            match seed >> 61 {
                0 => (seed >> 32) as i64 & 3,
                1 => -((seed >> 32) as i64 & 3),
                2 => i64::MIN + (seed >> 32) as i64 % 2,
                3 => i64::MAX,
                _ => (seed ^ seed >> 29) as i64,
            }
        };
        let whole = |low: i64, high: i64| (high as i128) << 64 | i128::from(low as u64);
        let halves = |n: i128| (n as i64, (n >> 64) as i64);
        let two = |store: &mut Store, name: &str| instance.typed_func::<(i64, i64), (i64, i64)>(store, name).unwrap();
        let four = |store: &mut Store, name: &str| {
            instance.typed_func::<(i64, i64, i64, i64), (i64, i64)>(store, name).unwrap()
        };
        let (add, sub) = (four(&mut store, "add"), four(&mut store, "sub"));
        let (mul_s, mul_u) = (two(&mut store, "mul_s"), two(&mut store, "mul_u"));
        for _ in 0..5000 {
            let (a, b, c, d) = (next(), next(), next(), next());
            let (x, y) = (whole(a, b), whole(c, d));
            assert_eq!(add.call(&mut store, (a, b, c, d)).unwrap(), halves(x.wrapping_add(y)), "{x} + {y}");
            assert_eq!(sub.call(&mut store, (a, b, c, d)).unwrap(), halves(x.wrapping_sub(y)), "{x} - {y}");
            assert_eq!(mul_s.call(&mut store, (a, c)).unwrap(), halves(i128::from(a) * i128::from(c)), "{a} * {c}");
            let product = u128::from(a as u64) * u128::from(c as u64);
            assert_eq!(mul_u.call(&mut store, (a, c)).unwrap(), halves(product as i128), "{a} * {c}");
        }
    }
}
