//! Variables of the source as objects: lists of a frame's scopes against gdb's word for native programs of the same
//! sources, and their parts, children and new values. `tests/support/dwarf/` has the guests.

use std::sync::{Arc, Mutex};
use stepwell::base::ErrorKind;
use stepwell::debug::{Action, Debugger, Frame, FrameVariable, Reason, Scope, Stop, WatchKind};
use stepwell::dwarf::{Missing, Scalar, ValueKind, VariableKind};
use stepwell::runtime::{Config, Engine, Linker, Module, Store, Val};

fn support(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/dwarf");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Where to stop.
enum At<'a> {
    Functions(&'a [&'a str]),
    /// Every place of the first line that has this text.
    Line(&'a str, &'a str),
}

/// Runs a guest's `run(5)` and calls `look` at each stop; what the guest returned.
fn run(guest: &str, at: At<'_>, look: impl Fn(&mut Stop<'_>) + Send + Sync + 'static) -> i32 {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &support(&format!("{guest}.wasm"))).unwrap();
    let mut store = Store::new(&engine);
    let mut linker = Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let stops = Arc::new(Mutex::new(0));
    let counted = stops.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        *counted.lock().unwrap() += 1;
        look(stop);
        Action::Continue
    })
    .unwrap();
    let mut places = Vec::new();
    match at {
        At::Functions(names) => {
            for name in names {
                places.extend(module.functions_named(name).unwrap().into_iter().map(|place| place.offset));
            }
        }
        At::Line(file, text) => {
            let source = String::from_utf8(support(file)).unwrap();
            let line = 1 + source.lines().position(|line| line.contains(text)).unwrap() as u32;
            places.extend(module.line_places(file, line, None).unwrap().places.into_iter().map(|place| place.offset));
        }
    }
    for place in places {
        debugger.break_at(&mut store, &module, place).unwrap();
    }
    let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
    let mut results = [Val::I32(0)];
    run.call(&mut store, &[Val::I32(5)], &mut results).unwrap();
    assert!(*stops.lock().unwrap() > 0, "{guest} did not stop");
    let Val::I32(result) = results[0] else { panic!() };
    result
}

/// The frame that a function of the source has, and its level there.
fn frame_of<'s>(stop: &'s Stop<'_>, function: &str) -> (Frame<'s>, usize) {
    for frame in (0..stop.frame_count()).map(|index| stop.frame(index).unwrap()) {
        let level = frame.locations().iter().position(|location| location.function() == Some(function));
        if let Some(level) = level {
            return (frame, level);
        }
    }
    panic!("no frame is of {function}")
}

fn child(variable: &FrameVariable, frame: &Frame<'_>, name: &str) -> FrameVariable {
    let count = variable.child_count(frame).unwrap();
    let children = variable.children(frame, 0..count).unwrap();
    children.into_iter().find(|child| child.name() == name).unwrap_or_else(|| panic!("no child {name}"))
}

/// Names and values of a scope; no value for what is missing.
fn list(frame: &Frame<'_>, level: usize, scope: Scope) -> Vec<(String, Option<String>)> {
    let told = |variable: FrameVariable| {
        let there = variable.missing(frame).unwrap().is_none();
        (variable.name().to_owned(), there.then(|| variable.text(frame).unwrap()))
    };
    frame.variables(level, scope).unwrap().into_iter().map(told).collect()
}

#[test]
fn lists_are_those_of_gdb_in_a_native_program() {
    for (language, functions) in [("c", &["look_at", "sum"][..]), ("cpp", &["measure"])] {
        let expected = String::from_utf8(support(&format!("{language}.lists"))).unwrap();
        let expected: Vec<(&str, Vec<(&str, &str)>)> = expected
            .trim_start_matches('@')
            .split("\n@")
            .map(|section| {
                let (head, lines) = section.split_once('\n').unwrap();
                (head, lines.lines().map(|line| line.split_once(" = ").unwrap()).collect())
            })
            .collect();
        for level in ["0_4", "0_5", "2_4", "2_5"] {
            let guest = format!("{language}{level}");
            let found = Arc::new(Mutex::new(Vec::new()));
            let seen = found.clone();
            run(&guest, At::Functions(functions), move |stop| {
                let here = stop.frame(0).unwrap().locations().last().unwrap().function().unwrap().to_owned();
                for function in [&*here, "run"] {
                    let (frame, level) = frame_of(stop, function);
                    let head = format!("{function} args");
                    seen.lock().unwrap().push((head, list(&frame, level, Scope::Parameters)));
                    if function == "run" {
                        seen.lock().unwrap().push(("run locals".to_owned(), list(&frame, level, Scope::Locals)));
                    }
                }
            });
            let found = found.lock().unwrap();
            assert_eq!(found.len(), expected.len(), "{guest}: {found:#?}");
            let mut values = 0;
            for ((head, found), (said, lines)) in found.iter().zip(&expected) {
                assert_eq!(head, said, "{guest}");
                let names = |list: &[(String, Option<String>)]| list.iter().map(|(name, _)| name.clone()).collect();
                let found_names: Vec<String> = names(found);
                let said_names: Vec<String> = lines.iter().map(|(name, _)| (*name).to_owned()).collect();
                assert_eq!(found_names, said_names, "{guest}: {head}");
                for ((name, value), (_, said)) in found.iter().zip(lines) {
                    // Addresses are others in a native program, and structures are shown as far as there is room.
                    let Some(value) = value.as_ref().filter(|_| said.parse::<i64>().is_ok() || *said == "true") else {
                        continue;
                    };
                    // A reference is shown with its address, which is another.
                    let value = value.strip_prefix('@').and_then(|value| value.split(": ").nth(1)).unwrap_or(value);
                    assert_eq!(value, *said, "{guest}: {head}: {name}");
                    values += 1;
                }
            }
            let least = if level.starts_with('0') { if language == "c" { 8 } else { 3 } } else { 1 };
            assert!(values >= least, "{guest}: {values} values");
        }
    }
}

#[test]
fn a_variable_has_parts_and_children() {
    run("c0_5", At::Functions(&["look_at"]), |stop| {
        let (frame, level) = frame_of(stop, "run");
        let locals = frame.variables(level, Scope::Locals).unwrap();
        let named = |name: &str| locals.iter().find(|local| local.name() == name).unwrap();
        let all = named("all");
        assert_eq!(all.kind(&frame).unwrap(), ValueKind::Structure);
        assert_eq!((all.variable_kind(), all.line(), all.depth()), (Some(VariableKind::Local), 34, 0));
        assert_eq!((all.type_name(&frame).unwrap(), all.size(&frame).unwrap()), ("all".to_owned(), 112));
        assert_eq!(all.child_count(&frame).unwrap(), 21);
        assert_eq!(all.number(&frame).unwrap_err().kind(), ErrorKind::Argument);
        let at = all.address(&frame).unwrap().unwrap().get();
        let part = |name: &str| child(all, &frame, name);
        assert_eq!(part("us").address(&frame).unwrap().unwrap().get(), at + 4);
        for (name, number, kind) in [
            ("sc", Scalar::Signed(-1), ValueKind::Number),
            ("ull", Scalar::Unsigned(10_000_000_000_000_000_000), ValueKind::Number),
            ("d", Scalar::Float(-2.25), ValueKind::Number),
            ("yes", Scalar::Bool(true), ValueKind::Number),
            ("colour", Scalar::Signed(-2), ValueKind::Enumeration),
        ] {
            assert_eq!(
                (part(name).number(&frame).unwrap(), part(name).kind(&frame).unwrap()),
                (number, kind),
                "{name}"
            );
        }
        assert_eq!(part("text").kind(&frame).unwrap(), ValueKind::Pointer);
        assert_eq!(part("word").kind(&frame).unwrap(), ValueKind::Union);
        // Bit fields have no address, and are numbers all the same.
        let flags = part("flags");
        let b = child(&flags, &frame, "b");
        assert_eq!((b.address(&frame).unwrap(), b.number(&frame).unwrap()), (None, Scalar::Signed(-3)));
        // Arrays of arrays, and pages of them.
        let grid = part("grid");
        assert_eq!((grid.kind(&frame).unwrap(), grid.child_count(&frame).unwrap()), (ValueKind::Array, 2));
        let row = grid.children(&frame, 1..u64::MAX).unwrap();
        assert_eq!((row.len(), row[0].name(), row[0].text(&frame).unwrap()), (1, "[1]", "[4, 5, 6]".to_owned()));
        assert_eq!(row[0].type_name(&frame).unwrap(), "int[3]");
        assert_eq!(row[0].variable_kind(), None);
        assert!(grid.children(&frame, 2..9).unwrap().is_empty());
        let nothing = std::ops::Range { start: 1, end: 0 };
        assert!(grid.children(&frame, nothing).unwrap().is_empty());
        // A pointer's child is what it points to, and so on.
        let node = child(&part("list"), &frame, "*");
        assert_eq!(
            child(&child(&node, &frame, "next"), &frame, "*").text(&frame).unwrap(),
            "{key = 2, next = 0x1000a0}"
        );
        // By its path it is the same.
        let found = frame.variable(level, " all.list->next ").unwrap();
        assert_eq!((found.name(), found.variable_kind()), ("all.list->next", None));
        assert_eq!(found.number(&frame).unwrap(), child(&node, &frame, "next").number(&frame).unwrap());
        // Statics, with what the linker has left out.
        let statics = frame.variables(level, Scope::Statics).unwrap();
        let names: Vec<_> = statics.iter().map(FrameVariable::name).collect();
        assert_eq!(names, ["counter", "pinned", "greeting", "nodes"]);
        assert!(statics.iter().all(|variable| variable.variable_kind() == Some(VariableKind::Static)));
        assert_eq!(statics[1].missing(&frame).unwrap(), Some(Missing::LeftOut));
        assert_eq!(
            (statics[1].type_name(&frame).unwrap(), statics[1].size(&frame).unwrap()),
            ("const int *const".to_owned(), 4)
        );
        assert_eq!((statics[1].child_count(&frame).unwrap(), statics[1].children(&frame, 0..9).unwrap().len()), (0, 0));
        assert_eq!(statics[1].number(&frame).unwrap_err().kind(), ErrorKind::State);
        assert_eq!(frame.variables(level, Scope::Module).unwrap().len(), 4);
        assert!(
            frame
                .variables(1, Scope::Locals)
                .unwrap_err()
                .to_string()
                .contains("no function 1 of the source here: there are 1")
        );
        // The inner of two of a name hides the outer one.
        let shadows: Vec<_> = locals.iter().filter(|local| local.name() == "shadow").collect();
        let told: Vec<_> = shadows.iter().map(|v| (v.is_shadowed(), v.depth(), v.text(&frame).unwrap())).collect();
        match &told[..] {
            [(false, 1, six), (true, 0, five)] => assert_eq!((&**six, &**five), ("6", "5")),
            [(false, 0, five)] => assert_eq!(five, "5"),
            other => panic!("{other:?}"),
        }
    });
}

/// Each function that is inlined at an instruction has variables of its own.
#[test]
fn levels_are_those_of_inlined_functions() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    run("c2_5", At::Line("shapes.c", "int result ="), move |stop| {
        let frame = stop.frame(0).unwrap();
        let names: Vec<Option<&str>> = frame.locations().iter().map(|location| location.function()).collect();
        assert_eq!(names, [Some("square"), Some("sum")]);
        let of = |level| {
            let mut list = list(&frame, level, Scope::Parameters);
            list.extend(self::list(&frame, level, Scope::Locals));
            list.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(of(0), ["value", "twice", "result"]);
        assert_eq!(of(1), ["from", "limit", "key", "at", "total"]);
        assert!(frame.variable(0, "limit").is_err() && frame.variable(1, "limit").is_ok());
        let missing = frame.variables(1, Scope::Parameters).unwrap()[0].missing(&frame).unwrap();
        told.lock().unwrap().push(missing);
    });
    // A place that it has elsewhere, but not here.
    assert!(seen.lock().unwrap().contains(&Some(Missing::NotHere)));
}

#[test]
fn an_array_of_millions_costs_a_page() {
    run("rs0_5", At::Functions(&["sum"]), |stop| {
        let length = stop.frame(0).unwrap().variable(0, "items.length").unwrap();
        let before = length.text(&stop.frame(0).unwrap()).unwrap();
        stop.assign_variable(0, &length, "5000000").unwrap();
        let frame = stop.frame(0).unwrap();
        let items = frame.variable(0, "items").unwrap();
        assert_eq!(items.child_count(&frame).unwrap(), 5_000_000);
        let start = std::time::Instant::now();
        for page in 0..50 {
            let first = page * 100_000;
            let children = items.children(&frame, first..first + 4).unwrap();
            assert_eq!((children.len(), children[3].name()), (4, &*format!("[{}]", first + 3)));
        }
        // All of them once would take seconds.
        assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
        // What is behind the memory's end says so, and harms nobody.
        assert!(
            items.children(&frame, 4_999_999..u64::MAX).unwrap()[0].text(&frame).unwrap().starts_with("<2 bytes at")
        );
        assert!(items.text(&frame).unwrap().starts_with("[1, 2, 3, 500, "));
        let length = frame.variable(0, "items.length").unwrap();
        stop.assign_variable(0, &length, &before).unwrap();
    });
}

#[test]
fn a_variable_takes_another_value() {
    let undisturbed = run("c0_5", At::Functions(&["look_at"]), |_| {});
    for guest in ["c0_4", "c0_5", "c2_4", "c2_5"] {
        let result = run(guest, At::Functions(&["look_at"]), |stop| {
            let index = (0..stop.frame_count())
                .find(|index| stop.frame(*index).unwrap().locations().iter().any(|l| l.function() == Some("run")))
                .unwrap();
            let frame = stop.frame(index).unwrap();
            let all = frame.variables(0, Scope::Locals).unwrap().into_iter().find(|v| v.name() == "all").unwrap();
            let s = child(&all, &frame, "s");
            let flag = child(&child(&all, &frame, "flags"), &frame, "a");
            if s.text(&frame).unwrap() == "-200" {
                return; // the second stop
            }
            assert_eq!(s.text(&frame).unwrap(), "-300");
            let refused = stop.assign_variable(index, &s, "40000").unwrap_err();
            assert!(refused.to_string().contains("not between -32768 and 32767"), "{refused}");
            assert!(stop.assign_variable(index, &all, "1").is_err());
            let greeting = stop.frame(index).unwrap().variable(0, "&counter").unwrap();
            assert_eq!(stop.assign_variable(index, &greeting, "1").unwrap_err().kind(), ErrorKind::State);
            assert!(stop.assign_variable(99, &s, "1").unwrap_err().to_string().contains("no frame 99"));
            stop.assign_variable(index, &s, "-200").unwrap();
            stop.assign_variable(index, &flag, "7").unwrap();
            // What was found before is read anew.
            let frame = stop.frame(index).unwrap();
            assert_eq!((s.text(&frame).unwrap(), flag.text(&frame).unwrap()), ("-200".to_owned(), "7".to_owned()));
        });
        // In optimised code `all.s` is known to be -300 where it is added.
        assert!(result == undisturbed + 100 || guest.starts_with("c2"), "{guest}: {result}, {undisturbed}");
    }
}

/// It belongs to the frame that it was found in, where that stood.
#[test]
fn a_variable_of_another_frame_or_place_is_an_error() {
    let kept: Arc<Mutex<Vec<FrameVariable>>> = Arc::default();
    run("c0_5", At::Functions(&["sum", "look_at"]), move |stop| {
        let mut kept = kept.lock().unwrap();
        for old in kept.iter().filter(|old| old.name() != "at") {
            let frame = stop.frame(0).unwrap();
            let error = old.text(&frame).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State);
            assert!(error.to_string().contains("was found in another frame, or at another instruction"), "{error}");
            assert!(
                old.type_name(&frame).is_err() && old.children(&frame, 0..1).is_err() && old.missing(&frame).is_err()
            );
            assert_eq!(stop.assign_variable(0, old, "1").unwrap_err().kind(), ErrorKind::State);
        }
        let frame = stop.frame(0).unwrap();
        kept.extend(frame.variables(0, Scope::Parameters).unwrap());
        let caller = stop.frame(1).unwrap();
        kept.extend(caller.variables(0, Scope::Locals).unwrap());
        let own = kept.last().unwrap();
        assert!(own.text(&frame).is_err() && own.text(&caller).is_ok());
        // Sent on to another instruction, the frame is somewhere else.
        let here = stop.frame(0).unwrap();
        let (offset, parameter) = (here.offset(), here.variables(0, Scope::Parameters).unwrap().remove(0));
        let to = here.module().functions_named("sum").unwrap()[0].entry;
        if here.locations()[0].function() == Some("sum") && here.operand_count() == 0 {
            stop.jump(to).unwrap();
            assert!(parameter.text(&stop.frame(0).unwrap()).is_err());
            stop.jump(offset).unwrap();
            assert!(parameter.text(&stop.frame(0).unwrap()).is_ok());
        }
    });
}

#[test]
fn without_debug_information_there_are_none() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let binary = wat::parse_str(r#"(module (memory 1) (func (export "run") (param i32) nop))"#).unwrap();
    let module = Module::new(&engine, &binary).unwrap();
    let mut store = Store::new(&engine);
    let instance = Linker::new(&engine).instantiate(&mut store, &module).unwrap();
    let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
    let debugger = Debugger::attach(&mut store, |stop| {
        let frame = stop.frame(0).unwrap();
        for scope in [Scope::Parameters, Scope::Locals, Scope::Statics, Scope::Module] {
            assert!(frame.variables(0, scope).unwrap().is_empty());
            assert!(frame.variables(1, scope).unwrap_err().to_string().contains("there are 0"));
        }
        assert!(frame.variable(0, "x").unwrap_err().to_string().contains("no variable `x`"));
        Action::Continue
    })
    .unwrap();
    debugger.step_always(&mut store, true).unwrap();
    run.call(&mut store, &[Val::I32(5)], &mut []).unwrap();
}

/// What C++ has beyond the plain kinds: shown as gdb shows it, and written as the source would.
#[test]
fn numbers_of_two_parts_and_of_128_bits_references_and_flags() {
    let result = run("odd", At::Functions(&["look_at"]), |stop| {
        let index = (0..stop.frame_count())
            .find(|index| stop.frame(*index).unwrap().locations().iter().any(|l| l.function() == Some("run")))
            .unwrap();
        let text = |stop: &Stop<'_>, path: &str| stop.frame(index).unwrap().evaluate(path).unwrap().text;
        if text(stop, "bits.c") == "0" || text(stop, "letter") != "120 'x'" {
            return; // not set yet, or seen before
        }
        for (path, shown) in [
            ("both", "1.5 - 2.0i"),
            ("narrow", "5.0 + 0.0i"),
            ("wide", "-1"),
            ("large", "170141183460469231731687303715884105728"),
            ("precise", "1.25"),
            ("flags", "READ | RUN"),
            ("none", "8"),
        ] {
            assert_eq!(text(stop, path), shown, "{path}");
        }
        for (path, written, shown) in [
            ("wide", "-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"),
            ("wide", "170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
            ("large", "340282366920938463463374607431768211455", "340282366920938463463374607431768211455"),
            ("large", "0x10", "16"),
            ("precise", "-2.5", "-2.5"),
            ("precise", "5e-324", "5e-324"),
            ("precise", "0", "0.0"),
            ("flags", "6", "WRITE | RUN"),
            ("letter", r"'\n'", r"10 '\012'"),
            ("letter", r"'\0'", r"0 '\000'"),
            ("letter", r"'\101'", "65 'A'"),
            ("letter", r"'\\'", r"92 '\'"),
            ("letter", r"'\u{62}'", "98 'b'"),
            // What it refers to.
            ("other", "100", "@"),
            ("value", "41", "41"),
            ("other", "99", "@"),
        ] {
            stop.assign(index, path, written).unwrap_or_else(|error| panic!("{path} = {written}: {error}"));
            assert!(text(stop, path).starts_with(shown), "{path} = {written}: {}", text(stop, path));
        }
        assert_eq!(text(stop, "value"), "99");
        for (path, written) in [
            ("both", "3"),
            ("large", "-1"),
            ("large", "340282366920938463463374607431768211456"),
            ("wide", "170141183460469231731687303715884105728"),
            ("letter", r"'\q'"),
            ("letter", r"'\400'"),
            ("letter", r"'\u{}'"),
        ] {
            let before = text(stop, path);
            let error = stop.assign(index, path, written).unwrap_err();
            assert_eq!((error.kind(), text(stop, path)), (ErrorKind::Argument, before), "{path} = {written}: {error}");
        }
    });
    assert_eq!(result, 100);
}

/// A change of a bit field is one of its own bits, and a reference is watched where it refers to.
#[test]
fn bit_fields_and_references_are_watched() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = told.clone();
    let result = run("odd", At::Functions(&["look_at"]), move |stop| {
        let index = (0..stop.frame_count())
            .find(|index| stop.frame(*index).unwrap().locations().iter().any(|l| l.function() == Some("run")))
            .unwrap();
        let (debugger, frame) = (stop.debugger(), stop.frame(index).unwrap());
        if let Reason::Watchpoint(_) = stop.reason() {
            seen.lock().unwrap().push(format!(
                "{} {} {}",
                frame.evaluate("bits.b").unwrap().text,
                frame.evaluate("bits.c").unwrap().text,
                frame.evaluate("value").unwrap().text
            ));
        } else if debugger.watchpoints(stop).unwrap().is_empty() {
            for path in ["bits.b", "other"] {
                let variable = stop.frame(index).unwrap().variable(0, path).unwrap();
                debugger.watch_variable(stop, index, &variable, WatchKind::Change).unwrap();
            }
        }
    });
    assert_eq!(result, 6);
    // `b` becomes 1 where `a` is 4 already and `c` is not yet.
    assert_eq!(*told.lock().unwrap(), ["1 3 5", "1 5 6"]);
}
