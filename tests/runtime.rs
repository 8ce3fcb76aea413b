//! What the runtime must keep to: traps with their frames, errors and panics of host functions, nested runs, linking,
//! memories that move, stores that do not mix, attaching and detaching.

use stepwell::*;

fn engine() -> Engine {
    Engine::new(Config::default()).unwrap()
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

#[test]
fn loads_instantiates_and_calls() {
    let engine = engine();
    let module = module(
        &engine,
        r#"(module
            (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
            (func $fib (export "fib") (param i32) (result i32)
                (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                    (then (local.get 0))
                    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                                   (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#,
    );
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let add = instance.typed_func::<(i32, i32), i32>(&mut store, "add").unwrap();
    assert_eq!(add.call(&mut store, (2, 3)).unwrap(), 5);
    let fib = instance.export(&mut store, "fib").unwrap().func().unwrap();
    let mut results = [Val::I32(0)];
    fib.call(&mut store, &[Val::I32(20)], &mut results).unwrap();
    assert_eq!(results, [Val::I32(6765)]);
}
