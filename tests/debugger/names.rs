//! Names of modules on their way to people: demangled, and without what commands a terminal. Whoever asks for a name
//! gets it as it is.

use stepwell::base::Error;
use stepwell::runtime::{Config, Engine, Instance, Linker, Module, Store, Trap};

const EVIL: &str = "evil\x1b]0;pwned\x07\x1b[31mred\r\nall is fine\u{9b}\u{7f}\u{202e}\u{2028}";

fn unseen(text: &str) -> Option<char> {
    text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{2028}'..='\u{202e}').contains(c))
}

/// A module whose function has this name and traps.
fn module(engine: &Engine, name: &str) -> Module {
    let mut names = wasm_encoder::NameSection::new();
    names.module(name);
    let mut functions = wasm_encoder::NameMap::new();
    functions.append(0, name);
    names.functions(&functions);
    let mut binary = wat::parse_str("(module (func (export \"f\") unreachable))").unwrap();
    let mut section = Vec::new();
    wasm_encoder::Section::append_to(&names, &mut section);
    binary.extend(section);
    Module::new(engine, &binary).unwrap()
}

fn trap(engine: &Engine, name: &str) -> Trap {
    let mut store = Store::new(engine);
    let module = module(engine, name);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.export(&mut store, "f").and_then(|item| item.func()).unwrap();
    *f.call(&mut store, &[], &mut []).unwrap_err().into_payload::<Trap>().unwrap()
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    let engine = Engine::new(Config::default()).unwrap();
    let trap = trap(&engine, EVIL);
    assert_eq!(trap.frames()[0].func_name(), Some(EVIL), "the name itself is as it is");
    let text = trap.to_string();
    assert_eq!(unseen(&text), None, "{text:?}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("evil\\u{1b}]0;pwned\\u{7}"), "{text}");

    // Imports that are missing or of another type, exports that are not there, what wasmparser cites.
    let import = "(module (import \"a\\1b[31m\\0a\" \"b\\07\\e2\\80\\ae\" (func)))";
    let module = Module::new(&engine, &wat::parse_str(import).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let errors: Vec<Error> = vec![
        Instance::new(&mut store, &module, &[]).unwrap_err(),
        Linker::new(&engine).instantiate(&mut store, &module).unwrap_err(),
        Module::new(
            &engine,
            &wat::parse_str("(module (func) (export \"x\\1b\\0a\" (func 0)) (export \"x\\1b\\0a\" (func 0)))").unwrap(),
        )
        .err()
        .unwrap(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(unseen(&text).is_none() && !text.contains('\n'), "{text:?}");
    }
}

#[test]
fn mangled_names_are_shown_as_the_source_has_them() {
    let engine = Engine::new(Config::default()).unwrap();
    for (name, shown) in [
        ("_ZN3foo3barEi", "foo::bar(int)"),
        ("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"),
        ("_ZN4core9panicking5panic17h1234567890abcdefE", "core::panicking::panic"),
        ("plain", "plain"),
    ] {
        let trap = trap(&engine, name);
        assert_eq!(trap.frames()[0].func_name(), Some(name));
        assert!(trap.to_string().ends_with(&format!("!{shown}")), "{trap}");
    }
}
