//! Code for another processor: made and serialized here, loaded where that has all that it needs, refused elsewhere.

use stepwell::runtime::{Config, Engine, Func, Instance, Module, Processor, Store};
use stepwell::{ErrorKind, FuncType};

const GUEST: &str = r#"(module (func (export "f") (param i64) (result i64) (i64.popcnt (local.get 0))))"#;

/// Such a machine, and an engine on it that compiles for that.
fn on(machine: Option<&str>, target: Option<&str>) -> Engine {
    let parse = |words: &str| Processor::parse(words).unwrap();
    let config = Config { force_machine: machine.map(parse), processor: target.map(parse), ..Config::default() };
    Engine::new(config).unwrap()
}

fn module(engine: &Engine) -> Module {
    Module::new(engine, &wat::parse_str(GUEST).unwrap()).unwrap()
}

fn run(module: &Module) -> stepwell::Result<i64> {
    let mut store = Store::new(module.engine());
    let instance = Instance::new(&mut store, module, &[])?;
    let f = instance.typed_func::<i64, i64>(&mut store, "f").unwrap();
    Ok(f.call(&mut store, 0xff01).unwrap())
}

#[test]
fn it_runs_where_all_is_there() {
    let small = module(&on(None, Some("")));
    let large = module(&on(None, None));
    assert_eq!((run(&small).unwrap(), run(&large).unwrap()), (9, 9));
    // Without what counts bits, that takes more instructions; with it, the code is another again.
    let counting = module(&on(Some("x86-64-v2"), Some("popcnt sse4.2")));
    assert!(small.text_size() > counting.text_size(), "{} {}", small.text_size(), counting.text_size());
    let bytes = module(&on(Some("x86-64-v2"), Some("x86-64-v2"))).serialize().unwrap();
    for (machine, target) in
        [("x86-64-v2", None), ("x86-64-v3", None), ("x86-64-v4 avx512vbmi", Some("x86-64-v3")), ("x86-64-v2", Some(""))]
    {
        assert_eq!(
            run(&Module::deserialize(&on(Some(machine), target), &bytes).unwrap()).unwrap(),
            9,
            "{machine} {target:?}"
        );
    }
}

#[test]
fn it_is_refused_where_something_is_missing() {
    let elsewhere = on(Some("x86-64-v2"), Some("x86-64-v3 avx512vbmi"));
    let made = module(&elsewhere);
    let names = |error: stepwell::Error| {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        for name in ["avx2", "bmi2", "avx512vbmi"] {
            assert!(error.message().contains(name), "{name}: {error}");
        }
        assert!(!error.message().contains("popcnt"), "that is there: {error}");
    };
    // Where it was made, it does not run, nor does anything else of that engine.
    names(run(&made).unwrap_err());
    let mut store = Store::new(&elsewhere);
    let func = Func::new(&mut store, FuncType::new([], []), |_, _, _| Ok(()));
    let func = func.and_then(|func| func.call(&mut store, &[], &mut []));
    names(func.unwrap_err());
    // Nor is it loaded where something is missing, whatever that engine compiles for.
    let bytes = made.serialize().unwrap();
    for target in [None, Some("x86-64-v2"), Some("x86-64-v4 avx512vbmi")] {
        names(Module::deserialize(&on(Some("x86-64-v2"), target), &bytes).unwrap_err());
    }
    let error = Module::deserialize(&on(Some("x86-64-v3"), None), &bytes).unwrap_err();
    assert!(error.message().contains("avx512vbmi") && !error.message().contains("avx2"), "{error}");
    assert!(Module::deserialize(&on(Some("x86-64-v4 avx512vbmi"), None), &bytes).is_ok());
}
