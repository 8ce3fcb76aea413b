//! Linkers that are copied, what stands in for imports that are not there, and modules whose exports are names.

use stepwell::base::ErrorKind;
use stepwell::*;

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

fn run(store: &mut Store, instance: Instance, name: &str) -> Result<i32> {
    instance.typed_func::<(), i32>(&mut *store, name).unwrap().call(store, ())
}

#[test]
fn a_copy_goes_its_own_way() {
    let engine = Engine::new(Config::default()).unwrap();
    let user = module(
        &engine,
        r#"(module (import "a" "f" (func $f (result i32))) (import "a" "g" (func $g (result i32)))
            (func (export "run") (result i32) (i32.add (call $f) (call $g))))"#,
    );
    let mut first = Linker::new(&engine);
    first.func_wrap("a", "f", || 1).unwrap();
    let mut second = first.clone();
    first.func_wrap("a", "g", || 10).unwrap();
    assert_eq!(second.instantiate_pre(&user).unwrap_err().kind(), ErrorKind::Link);
    second.func_wrap("a", "g", || 100).unwrap();
    // What was defined before is defined in both, and no more than once.
    assert_eq!(second.func_wrap("a", "f", || 2).unwrap_err().kind(), ErrorKind::Argument);
    let mut store = Store::new(&engine);
    for (linker, sum) in [(&first, 11), (&second, 101)] {
        let instance = linker.instantiate(&mut store, &user).unwrap();
        assert_eq!(run(&mut store, instance, "run").unwrap(), sum);
    }
}

#[test]
fn unknown_imports_trap_with_their_names() {
    let engine = Engine::new(Config::default()).unwrap();
    let user = module(
        &engine,
        r#"(module (import "a" "there" (func $there (result i32)))
            (import "env" "absent\0a" (func $absent (param i64 externref) (result i32)))
            (import "env" "absent\0a" (func $twice (param i64 externref) (result i32)))
            (func (export "there") (result i32) (call $there))
            (func (export "absent") (result i32) (call $absent (i64.const 1) (ref.null extern)))
            (func (export "twice") (result i32) (call $twice (i64.const 1) (ref.null extern))))"#,
    );
    let mut linker = Linker::new(&engine);
    linker.func_wrap("a", "there", || 5).unwrap();
    linker.define_unknown_imports_as_traps(&user).unwrap();
    // Once more there is nothing to do.
    linker.define_unknown_imports_as_traps(&user).unwrap();
    let pre = linker.instantiate_pre(&user).unwrap();
    for _ in 0..2 {
        let mut store = Store::new(&engine);
        let instance = pre.instantiate(&mut store).unwrap();
        assert_eq!(run(&mut store, instance, "there").unwrap(), 5);
        for name in ["absent", "twice"] {
            let error = run(&mut store, instance, name).unwrap_err();
            let trap = error.payload::<Trap>().unwrap();
            assert!(
                trap.message().contains("\"env\".\"absent\\n\"") && trap.message().contains("not defined"),
                "{error}"
            );
            assert_eq!(trap.frames()[0].func_name(), Some(name));
        }
    }
    // What is no function stays as it is.
    let other = module(&engine, r#"(module (import "env" "memory" (memory 1)))"#);
    linker.define_unknown_imports_as_traps(&other).unwrap();
    assert!(linker.instantiate_pre(&other).unwrap_err().message().contains("\"env\".\"memory\""));
    let foreign = Engine::new(Config::default()).unwrap();
    let other = module(&foreign, "(module)");
    assert_eq!(linker.define_unknown_imports_as_traps(&other).unwrap_err().kind(), ErrorKind::Argument);
}

const COMMAND: &str = r#"(module
  (import "host" "step" (func $step (result i32)))
  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (func (export "_start") (global.set $calls (i32.const 7)))
  (func (export "count") (result i32)
    (global.set $calls (i32.add (global.get $calls) (call $step)))
    (global.get $calls))
  (func (export "pass") (param i64 f32 externref) (result externref f32 i64)
    (local.get 2) (local.get 1) (local.get 0))
  (func (export "fail") (result i32) unreachable))"#;

#[test]
fn a_command_is_made_anew_for_each_call() {
    let engine = Engine::new(Config::default()).unwrap();
    let user = module(
        &engine,
        r#"(module (import "cmd" "count" (func $count (result i32))) (import "cmd" "fail" (func $fail (result i32)))
            (import "cmd" "_start" (func $start))
            (import "cmd" "pass" (func $pass (param i64 f32 externref) (result externref f32 i64)))
            (export "pass" (func $pass))
            (func (export "run") (result i32) (call $start) (drop (call $count)) (call $count))
            (func (export "fail") (result i32) (call $fail)))"#,
    );
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "step", || 1).unwrap();
    let mut store = Store::new(&engine);
    linker.module(&mut store, "cmd", &module(&engine, COMMAND)).unwrap();
    assert_eq!(store.instances().len(), 0, "nothing is made before it is called");
    // The memory is none of the names.
    assert!(linker.get(&mut store, "cmd", "memory").unwrap().is_none());
    // It is of no store.
    for _ in 0..2 {
        let mut store = Store::new(&engine);
        let instance = linker.instantiate(&mut store, &user).unwrap();
        assert_eq!(run(&mut store, instance, "run").unwrap(), 1);
        assert_eq!(store.instances().len(), 4);
        let reference = ExternRef::new(&mut store, Box::new(42i32)).unwrap();
        let pass = instance.export(&mut store, "pass").unwrap().func().unwrap();
        let mut results = [Val::ExternRef(None), Val::F32(0), Val::I64(0)];
        pass.call(
            &mut store,
            &[Val::I64(-9), Val::F32(1.5f32.to_bits()), Val::ExternRef(Some(reference))],
            &mut results,
        )
        .unwrap();
        assert!(matches!(results, [Val::ExternRef(Some(_)), Val::F32(_), Val::I64(-9)]));
        let error = run(&mut store, instance, "fail").unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!((trap.code(), trap.frames().len()), (Some(TrapCode::Unreachable), 2));
    }
    // Its imports are found when it is defined.
    let error = Linker::new(&engine).module(&mut store, "cmd", &module(&engine, COMMAND)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
}

const REACTOR: &str = r#"(module
  (memory (export "memory") 1)
  (global $state (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $state (i32.add (global.get $state) (i32.const 10))))
  (func (export "next") (result i32) (global.set $state (i32.add (global.get $state) (i32.const 1))) (global.get $state)))"#;

#[test]
fn a_reactor_is_initialised_once() {
    let engine = Engine::new(Config::default()).unwrap();
    let user = module(
        &engine,
        r#"(module (import "lib" "next" (func $next (result i32))) (import "lib" "memory" (memory 1))
            (func (export "run") (result i32) (call $next)))"#,
    );
    let mut store = Store::new(&engine);
    let mut linker = Linker::new(&engine);
    linker.module(&mut store, "lib", &module(&engine, REACTOR)).unwrap();
    assert!(linker.get(&mut store, "lib", "_initialize").unwrap().is_none(), "nobody calls it again");
    for expected in [11, 12] {
        let instance = linker.instantiate(&mut store, &user).unwrap();
        assert_eq!(run(&mut store, instance, "run").unwrap(), expected);
    }
    // It is of its store.
    assert_eq!(linker.instantiate(&mut Store::new(&engine), &user).unwrap_err().kind(), ErrorKind::Argument);
    // Without `_initialize` it is one, too; and one that fails defines nothing.
    linker.module(&mut store, "plain", &module(&engine, r#"(module (func (export "f")))"#)).unwrap();
    assert!(linker.get(&mut store, "plain", "f").unwrap().is_some());
    let broken = module(&engine, r#"(module (func (export "_initialize") unreachable) (func (export "f")))"#);
    assert_eq!(linker.module(&mut store, "broken", &broken).unwrap_err().kind(), ErrorKind::Trap);
    assert!(linker.get(&mut store, "broken", "f").unwrap().is_none());
    for name in ["_start", "_initialize"] {
        let odd = module(&engine, &format!(r#"(module (func (export "{name}") (param i32)))"#));
        let error = linker.module(&mut store, "odd", &odd).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link);
        assert!(error.message().contains(name), "{error}");
    }
}
