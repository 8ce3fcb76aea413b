//! What debug information says of a stopped guest: functions and lines by name, variables with their types and values,
//! in programs of C, C++, Rust and Zig; against gdb's word for native programs of the same sources; and damaged in
//! every way. `tests/support/dwarf/` has the guests, and says how they were made.

use stepwell::base::{ErrorKind, GlobalIndex, LocalIndex, WasmOffset};
use stepwell::debug::{Action, Debugger, Expression, Frame, WatchKind, Watchpoint};
use stepwell::dwarf::{
    Context, FrameReader, Inspector, MemoryAddress, Scalar, SourceMap, Value, ValueKind, VariableKind, WasmValue, Write,
};
use stepwell::internals::wasm::parse;
use stepwell::runtime::{Config, Engine, Instance, Linker, Memory, Module, Store, Val};

const GUESTS: [&str; 14] = [
    "c0_4",
    "c0_5",
    "c2_4",
    "c2_5",
    "cpp0_4",
    "cpp0_5",
    "cpp2_4",
    "cpp2_5",
    "rs0_4",
    "rs0_5",
    "rs2_4",
    "rs2_5",
    "zig_Debug",
    "zig_ReleaseFast",
];

fn support(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/dwarf");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A frame as it was at a stop.
#[derive(Clone)]
struct Kept {
    offset: WasmOffset,
    locals: Vec<Val>,
    operands: Vec<Val>,
    memory: std::rc::Rc<Vec<u8>>,
}

fn number(value: Option<&Val>) -> Option<WasmValue> {
    match value? {
        Val::I32(value) => Some(WasmValue::I32(*value as u32)),
        Val::I64(value) => Some(WasmValue::I64(*value as u64)),
        Val::F32(value) => Some(WasmValue::F32(*value)),
        Val::F64(value) => Some(WasmValue::F64(*value)),
        _ => None,
    }
}

impl FrameReader for Kept {
    fn local(&self, index: LocalIndex) -> Option<WasmValue> {
        number(self.locals.get(index.index()))
    }

    fn global(&self, _: GlobalIndex) -> Option<WasmValue> {
        None
    }

    fn operand(&self, index: u32) -> Option<WasmValue> {
        number(self.operands.get(index as usize))
    }

    fn memory(&self, address: MemoryAddress, bytes: &mut [u8]) -> bool {
        let start = usize::try_from(address.get()).unwrap_or(usize::MAX);
        let found = self.memory.get(start..start.saturating_add(bytes.len()));
        found.is_some_and(|found| {
            bytes.copy_from_slice(found);
            true
        })
    }
}

/// A guest in a store that can be debugged.
fn started(guest: &str) -> (Module, Store, Instance) {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &support(&format!("{guest}.wasm"))).unwrap();
    let mut store = Store::new(&engine);
    let mut linker = Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (module, store, instance)
}

/// Runs a guest's `run(5)` with breakpoints at functions, and keeps the frames of each stop.
fn stops(guest: &str, functions: &[&str]) -> (Module, Vec<Vec<Kept>>) {
    let (module, mut store, instance) = started(guest);
    let memory: Memory = instance.export(&mut store, "memory").and_then(|item| item.memory()).unwrap();
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = kept.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        let bytes = memory.data(&*stop).unwrap().to_vec();
        let frame = |frame: Frame<'_>| (frame.offset(), frame.locals(), frame.operands());
        let frames: Vec<_> = (0..stop.frame_count()).filter_map(|index| stop.frame(index).map(frame)).collect();
        seen.lock().unwrap().push((frames, bytes));
        Action::Continue
    })
    .unwrap();
    for function in functions {
        let places = module.functions_named(function).unwrap_or_else(|error| panic!("{guest}: {error}"));
        for place in places {
            debugger.break_at(&mut store, &module, place.offset).unwrap();
        }
    }
    let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
    run.call(&mut store, &[Val::I32(5)], &mut [Val::I32(0)]).unwrap();
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    let stops = kept.into_iter().map(|(frames, bytes): (Vec<_>, Vec<u8>)| {
        let memory = std::rc::Rc::new(bytes);
        let frame = |(offset, locals, operands)| Kept { offset, locals, operands, memory: memory.clone() };
        frames.into_iter().map(frame).collect()
    });
    let stops: Vec<Vec<Kept>> = stops.collect();
    assert!(!stops.is_empty(), "{guest} did not stop");
    (module, stops)
}

/// The values of all variables of a function of the source, in the first frame that is of it.
fn shown(module: &Module, frames: &[Kept], function: &str) -> Vec<String> {
    let inspector = module.inspector();
    for kept in frames {
        let frames = inspector.frames(kept.offset);
        if let Some(frame) = frames.iter().find(|frame| frame.name() == Some(function)) {
            let at = Context { frame: Some(frame), reader: kept };
            let variables = inspector.variables(frame).unwrap();
            let text = |variable| {
                let value = inspector.value(variable, &at).unwrap();
                format!("{} {} = {}", inspector.type_name(&value), variable.name(), inspector.summary(&value, &at))
            };
            return variables.iter().map(text).collect();
        }
    }
    panic!("no frame is of {function}")
}

/// What an expression leads to.
fn lead(inspector: &Inspector<'_>, text: &str, at: &Context<'_>) -> stepwell::Result<Value> {
    Expression::new(text)?.value(inspector, at)
}

/// What a path leads to, in the first frame that is of a function; what is wrong with it otherwise.
fn path(module: &Module, frames: &[Kept], function: &str, path: &str) -> Result<String, String> {
    let inspector = module.inspector();
    for kept in frames {
        let frames = inspector.frames(kept.offset);
        if let Some(frame) = frames.iter().find(|frame| frame.name() == Some(function)) {
            let at = Context { frame: Some(frame), reader: kept };
            let value = lead(&inspector, path, &at);
            return value.map(|value| inspector.summary(&value, &at)).map_err(|error| error.message().to_owned());
        }
    }
    panic!("no frame is of {function}")
}

/// `*.gdb` has gdb's word for the same expressions in a native program, made by `build.sh`.
#[test]
fn values_are_those_of_gdb_in_a_native_program() {
    for (language, function, stop) in [("c", "look_at", 1), ("cpp", "measure", 0)] {
        let expected = String::from_utf8(support(&format!("{language}.gdb"))).unwrap();
        for level in ["0_4", "0_5", "2_4", "2_5"] {
            let guest = format!("{language}{level}");
            let (module, stops) = stops(&guest, &[function]);
            let mut known = 0;
            for line in expected.lines() {
                let (expression, said) = line.split_once(" =").unwrap();
                let found = path(&module, &stops[stop], "run", expression).unwrap_or_else(|error| error);
                // gdb shows more digits of a float than tell it apart, and the kind of a letter.
                let said = said.replace("3.14159274", "3.1415927").replace("233 u'é'", "'é'");
                if level.starts_with('2') && found.contains("optimised out") {
                    continue;
                }
                assert_eq!(found, said, "{guest}: {expression}");
                known += 1;
            }
            // Optimised code keeps what is in memory, which in C is most.
            let least = if level.starts_with('0') { expected.lines().count() } else { 4 };
            assert!(known >= least, "{guest}: only {known} values are known");
        }
    }
}

#[test]
fn variables_have_names_types_and_values_in_all_languages() {
    for level in ["4", "5"] {
        let (module, stops) = stops(&format!("c0_{level}"), &["look_at", "sum"]);
        // In the inner block the outer `shadow` is hidden.
        assert_eq!(shown(&module, &stops[0], "run")[0], "int shadow = 6");
        assert!(!shown(&module, &stops[0], "run").contains(&"int shadow = 5".to_owned()));
        assert_eq!(shown(&module, &stops[1], "run")[2], "int shadow = 5");
        let sum = shown(&module, &stops[2], "sum");
        assert!(sum.iter().any(|line| line == "int limit = 5"), "{sum:?}");
        let (module, stops) = self::stops(&format!("rs0_{level}"), &["sum", "area"]);
        let run = shown(&module, &stops[0], "run");
        for line in [
            "shapes::geo::Point point = {x = 5, y = -4}",
            "char letter = 'é'",
            "(bool, u8, i64) tuple = {__0 = true, __1 = 1, __2 = -2}",
            "core::option::Option<u32> nothing = None",
            "u128 wide = 1267650600228229401496703205376",
            "i32 n = 6",
        ] {
            assert!(run.iter().any(|shown| shown == line), "{line} is not in {run:#?}");
        }
        let shapes = run.iter().find(|line| line.contains(" shapes = ")).unwrap();
        assert!(shapes.contains("[Dot, Circle {__0 = 2.5}, Rect {corner = "), "{shapes}");
        let sum = shown(&module, &stops[0], "sum");
        for line in ["&[u16] items = [1, 2, 3, 500]", "&str name = \"hello\""] {
            assert!(sum.iter().any(|shown| shown == line), "{line} is not in {sum:#?}");
        }
        assert!(sum.iter().any(|line| line.ends_with("limit = Some {__0 = 100}")), "{sum:#?}");
        assert_eq!(path(&module, &stops[0], "run", "shapes[2].Rect.corner.y").unwrap(), "-4");
        assert_eq!(path(&module, &stops[0], "run", "tuple.2").unwrap(), "-2");
        assert_eq!(path(&module, &stops[0], "sum", "items[3]").unwrap(), "500");
    }
    for guest in ["zig_Debug", "zig_ReleaseFast"] {
        let (module, stops) = stops(guest, &["lookAt"]);
        let run = shown(&module, &stops[0], "run");
        for line in ["[4]u16 numbers = [1, 2, 3, 500]", "shapes.Pair pair = {first = 5, second = -3, kind = large}"] {
            assert!(run.iter().any(|shown| shown == line), "{line} is not in {run:#?}");
        }
        assert!(guest != "zig_Debug" || run.contains(&"[]const u8 text = \"hello\"".to_owned()), "{run:#?}");
    }
    let (module, stops) = stops("cpp0_5", &["measure"]);
    let run = shown(&module, &stops[0], "run");
    assert!(run.contains(&"geo::Side side = Right".to_owned()), "{run:#?}");
    assert!(run.contains(&"bool yes = true".to_owned()), "{run:#?}");
    let measure = shown(&module, &stops[0], "measure");
    assert!(measure.iter().any(|line| line.starts_with("const geo::Shape & shape = @0x")), "{measure:#?}");
    assert!(measure.iter().any(|line| line.starts_with("int && more = @0x")), "{measure:#?}");
    assert_eq!(path(&module, &stops[0], "measure", "shape.at.y").unwrap(), "4");
    assert_eq!(path(&module, &stops[0], "measure", "where->x").unwrap(), "10");
}

#[test]
fn paths_say_what_is_wrong_with_them() {
    let (module, stops) = stops("c0_5", &["look_at"]);
    let run = |text: &str| path(&module, &stops[1], "run", text);
    for (text, words) in [
        ("al", "there is no variable `al` here; did you mean `all`?"),
        ("all.flag", "in `all.flag`, at column 5: `all` has no member `flag`; did you mean `flags`?"),
        ("all.grid[2]", "there is no element 2: there are 2"),
        ("all.grid[-1]", "there is no element -1"),
        ("n.x", "has no members"),
        ("n->x", "at column 4: what is in front of `->` is no pointer; use `.`"),
        ("*n", "points to nothing"),
        ("*all.any", "of no type"),
        ("all.", "at column 5: expected a member's name, found the end"),
        ("all.sc + 1", "this is a number, and no value of the source"),
        ("all.sc 1", "at column 8: expected an operator, or the end, found `1`"),
        ("(n", "expected `)`"),
        ("", "at column 1: expected a value: a variable, a number, `$local0`, `i32[...]`, found the end"),
        ("&&n", "this is not in memory"),
        (&"*".repeat(100), "nested too deep"),
        (&"x".repeat(5000), "too long"),
    ] {
        let error = run(text).unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
    // The linker has left it out, as nothing uses it.
    assert!(run("*pinned").unwrap_err().contains("optimised out"));
    assert!(run("&n").unwrap().starts_with("0x"));
    assert_eq!(run("*&n").unwrap(), "5");
    assert_eq!(run("all.grid[1]").unwrap(), "[4, 5, 6]");
    assert_eq!(run("nodes[nodes[0].key].key").unwrap(), "2");
}

#[test]
fn children_are_paged_and_have_addresses() {
    let (module, stops) = stops("c0_5", &["look_at"]);
    let inspector = module.inspector();
    let kept = &stops[1][1];
    let frames = inspector.frames(kept.offset);
    let at = Context { frame: Some(&frames[0]), reader: kept };
    let value = |path: &str| lead(&inspector, path, &at).unwrap();
    let nodes = value("nodes");
    assert_eq!(
        (inspector.kind(&nodes, &at).unwrap(), inspector.child_count(&nodes, &at).unwrap()),
        (ValueKind::Array, 3)
    );
    let page = inspector.children(&nodes, 1..100, &at).unwrap();
    assert_eq!(page.iter().map(|child| &*child.name).collect::<Vec<_>>(), ["[1]", "[2]"]);
    assert_eq!(page[0].value.address().unwrap().get(), nodes.address().unwrap().get() + 8);
    assert_eq!(inspector.size(&value("all.grid[1]"), &at).unwrap(), 12);
    assert_eq!(inspector.type_name(&value("all.grid[1]")), "int[3]");
    assert_eq!(inspector.type_name(&value("all.grid")), "int[2][3]");
    assert_eq!(inspector.type_name(&value("all.compare")), "int (*)(const void *, int)");
    assert_eq!(inspector.type_name(&value("&all.list")), "node **");
    assert_eq!(inspector.type_name(&value("all.fixed")), "const volatile int");
    // Members of a member without a name are in its place.
    let names: Vec<_> = inspector.children(&value("all"), 0..100, &at).unwrap().into_iter().map(|c| c.name).collect();
    assert!(names.contains(&"inner_x".to_owned()) && names.len() == 21, "{names:?}");
}

#[test]
fn what_is_to_be_written_is_said() {
    let (module, stops) = stops("c0_5", &["look_at"]);
    let inspector = module.inspector();
    let kept = &stops[1][1];
    let frames = inspector.frames(kept.offset);
    let at = Context { frame: Some(&frames[0]), reader: kept };
    let assign =
        |path: &str, text: &str| Expression::new(text)?.write(&inspector, &lead(&inspector, path, &at).unwrap(), &at);
    let address = |path: &str| lead(&inspector, path, &at).unwrap().address().unwrap();
    for (path, text, bytes) in [
        ("all.s", "-2", &[0xfe, 0xff][..]),
        ("all.colour", "GREEN", &[5, 0, 0, 0]),
        ("all.f", "1.5", &1.5f32.to_le_bytes()),
        ("all.ull", "0xffffffffffffffff", &[0xff; 8]),
        ("all.yes", "false", &[0]),
        ("all.letter", "'A'", &[65]),
        ("all.any", "0x10", &[16, 0, 0, 0]),
    ] {
        let expected = Write::Memory(address(path), bytes.to_vec());
        assert_eq!(assign(path, text).unwrap(), expected, "{path} = {text}");
    }
    // Of a bit field the other bits stay.
    let Write::Memory(_, bytes) = assign("all.flags.b", "7").unwrap() else { panic!("in memory") };
    assert_eq!(bytes, [5 | 7 << 3]);
    for (path, text, words) in [
        ("all.sc", "128", "not between -128 and 127"),
        ("all.flags.a", "8", "not between 0 and 7"),
        ("all.us", "-1", "not between 0 and 65535"),
        ("all.colour", "PINK", "no variable `PINK`"),
        ("all.yes", "2", "no value of type"),
        ("all.sc", "1.5", "1.5 is no value of type `signed char`"),
        ("all", "1", "only numbers can be written"),
        ("&n", "1", "no place"),
    ] {
        let error = assign(path, text).unwrap_err();
        assert!(error.message().contains(words), "{path} = {text}: {error}");
    }
    // A parameter that is in a local is written there.
    let (module, stops) = self::stops("c2_5", &["sum"]);
    let inspector = module.inspector();
    let kept = &stops[0][0];
    let frames = inspector.frames(kept.offset);
    let at = Context { frame: Some(&frames[0]), reader: kept };
    let limit = lead(&inspector, "limit", &at).unwrap();
    assert_eq!(
        inspector.assign(&limit, Scalar::Signed(-1), &at).unwrap(),
        Write::Local(LocalIndex::new(1), WasmValue::I32(u32::MAX))
    );
}

#[test]
fn functions_are_found_by_every_name_they_have() {
    for guest in ["cpp0_4", "cpp0_5"] {
        let binary = support(&format!("{guest}.wasm"));
        let info = parse(&binary, Default::default(), false).unwrap();
        let map = SourceMap::new(&info, &binary);
        let inspector = map.inspector(&binary);
        let whole = inspector.functions(&info, "geo::Box::area").unwrap();
        for name in ["area", "Box::area", "::geo::Box::area", "_ZNK3geo3Box4areaEv"] {
            assert_eq!(inspector.functions(&info, name).unwrap(), whole, "{name}");
        }
        assert_eq!((whole.len(), &*whole[0].name), (1, "geo::Box::area"));
        assert!(whole[0].offset > whole[0].entry);
        assert_eq!(map.locations(&binary, whole[0].offset)[0].line(), 14);
        let error = inspector.functions(&info, "aria").unwrap_err();
        assert!(error.message().contains("did you mean `geo::Box::area`?"), "{error}");
        assert!(inspector.suggest_functions(&info, "measur").contains(&"measure".to_owned()));
        assert!(inspector.functions(&info, "").is_err() && inspector.functions(&info, "rea").is_err());
        // A constructor, and a template's member by its plain name.
        assert!(!inspector.functions(&info, "Box").unwrap().is_empty());
        assert!(!inspector.functions(&info, "first").unwrap().is_empty());
    }
    // Without debug information the name section and the exports are what there is.
    let binary = wat::parse_str(r#"(module (func $geo::plain (export "out") (local i32) nop) (func $other))"#).unwrap();
    let info = parse(&binary, Default::default(), false).unwrap();
    let map = SourceMap::new(&info, &binary);
    let found = map.inspector(&binary).functions(&info, "out").unwrap();
    assert_eq!((found.len(), found[0].function.get(), found[0].offset), (1, 0, found[0].entry));
    assert_eq!(map.inspector(&binary).functions(&info, "plain").unwrap()[0].offset, found[0].offset);
}

#[test]
fn an_inlined_copy_is_a_place_of_its_function() {
    for guest in ["c2_4", "c2_5"] {
        let binary = support(&format!("{guest}.wasm"));
        let info = parse(&binary, Default::default(), false).unwrap();
        let map = SourceMap::new(&info, &binary);
        let copies = map.inspector(&binary).functions(&info, "square").unwrap();
        assert!(!copies.is_empty() && copies.iter().all(|copy| copy.inlined), "{copies:?}");
        for copy in copies {
            assert_eq!(map.locations(&binary, copy.offset)[0].function(), Some("square"));
        }
    }
}

#[test]
fn lines_have_places_columns_and_the_next_line_with_code() {
    let binary = support("c2_5.wasm");
    let info = parse(&binary, Default::default(), false).unwrap();
    let map = SourceMap::new(&info, &binary);
    let source = String::from_utf8(support("shapes.c")).unwrap();
    let line = |text: &str| 1 + source.lines().position(|line| line.contains(text)).unwrap() as u32;
    let comment = map.places_of(&binary, "shapes.c", line("/* What"), None).unwrap();
    assert!(comment.moved && comment.line > 1 && !comment.places.is_empty());
    let inlined = map.places_of(&binary, "shapes.c", line("int result"), None).unwrap();
    assert!(!inlined.moved && inlined.places.iter().any(|place| place.inlined));
    assert!(inlined.places.iter().all(|place| place.function.as_deref() == Some("square")));
    // With a column, only what begins there or at the next.
    let loop_line = line("for (const node");
    let all = map.places_of(&binary, "shapes.c", loop_line, None).unwrap();
    let first = map.places_of(&binary, "shapes.c", loop_line, Some(1)).unwrap();
    assert!(first.column.is_some_and(|column| column > 1) && first.places.len() <= all.places.len());
    assert_eq!(map.places_of(&binary, "hapes.c", 1, None), None);
    assert_eq!(map.places_of(&binary, "shapes.c", 9999, None), None);
    assert!(map.files(&binary).iter().all(|file| file.ends_with("shapes.c")));
}

/// The line table is what the positions are taken from: each row's place is that of its instruction.
#[test]
fn the_line_table_agrees_with_the_positions() {
    for guest in GUESTS {
        let binary = support(&format!("{guest}.wasm"));
        let info = parse(&binary, Default::default(), false).unwrap();
        let map = SourceMap::new(&info, &binary);
        let table = map.line_table(&binary);
        let mut compared = 0;
        for pair in table.windows(2) {
            let (row, next) = (pair[0], pair[1]);
            if row.end_of_sequence || row.offset == next.offset {
                continue;
            }
            let locations = map.locations(&binary, row.offset);
            let found = locations.first().map(|place| (place.file(), place.line(), place.column()));
            assert_eq!(found, Some((row.file, row.line, row.column)), "{guest} at {:#x}", row.offset.get());
            compared += 1;
        }
        assert!(compared > 20 && table.last().unwrap().end_of_sequence, "{guest}: {compared}");
        assert!(table.iter().any(|row| row.prologue_end), "{guest}");
        // Every line with a statement is found, and its places are of that line.
        for row in table.iter().filter(|row| row.is_statement && row.line > 0) {
            let Some(found) = map.places_of(&binary, row.file.unwrap(), row.line, None) else { continue };
            for place in &found.places {
                assert_eq!(map.locations(&binary, place.offset)[0].line(), found.line, "{guest}");
            }
        }
    }
}

/// Asks everything there is to ask, and holds nothing against the answers.
fn ask_all(inspector: &Inspector<'_>, code: std::ops::Range<u32>, reader: &dyn FrameReader, step: usize) -> usize {
    let mut answers = 0;
    let mut look = |at: &Context<'_>, variables: Vec<stepwell::dwarf::Variable>| {
        for variable in variables.iter().take(40) {
            let Ok(value) = inspector.value(variable, at) else { continue };
            let _ = (inspector.type_name(&value), inspector.size(&value, at), inspector.kind(&value, at));
            let _ = (
                inspector.summary(&value, at),
                inspector.assign(&value, Scalar::Signed(1), at),
                inspector.scalar(&value, at),
            );
            let path = format!("{}.x[1]", variable.name());
            let _ = lead(inspector, &path, at);
            for child in inspector.children(&value, 0..3, at).unwrap_or_default() {
                let _ = (inspector.summary(&child.value, at), inspector.dereference(&child.value, at));
            }
            answers += 1;
        }
    };
    for offset in code.step_by(step) {
        for frame in inspector.frames(WasmOffset::new(offset)) {
            let at = Context { frame: Some(&frame), reader };
            look(&at, inspector.variables(&frame).unwrap_or_default());
        }
    }
    look(&Context { frame: None, reader }, inspector.statics());
    answers
}

#[test]
fn everything_can_be_asked_everywhere() {
    for guest in GUESTS {
        let binary = support(&format!("{guest}.wasm"));
        let info = parse(&binary, Default::default(), false).unwrap();
        let map = SourceMap::new(&info, &binary);
        let (start, end) = (info.code_start.get(), info.bodies.last().unwrap().bytes.end as u32);
        let reader = garbage(1);
        assert!(ask_all(&map.inspector(&binary), start..end, &reader, 3) > 100, "{guest}");
    }
}

/// A frame and a memory of numbers without sense, the same for each seed.
fn garbage(seed: u64) -> Kept {
    let mut random = Random(seed);
    let locals = (0..12).map(|_| Val::I32(random.next() as i32 & 0x1_ffff)).collect();
    let memory = (0..1 << 17).map(|_| if random.next().is_multiple_of(3) { random.next() as u8 } else { 0 }).collect();
    Kept { offset: WasmOffset::new(0), locals, operands: vec![Val::I32(7)], memory: std::rc::Rc::new(memory) }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

#[test]
fn damaged_debug_information_ends_every_question() {
    let seeds = std::env::var("STEPWELL_SEEDS").map_or(12, |seeds| seeds.parse().unwrap());
    let reader = garbage(2);
    for guest in GUESTS {
        let whole = support(&format!("{guest}.wasm"));
        let info = parse(&whole, Default::default(), false).unwrap();
        let sections: Vec<_> = info.custom.iter().filter(|(name, _)| name.starts_with(".debug_")).collect();
        let (start, end) = (info.code_start.get(), info.bodies.last().unwrap().bytes.end as u32);
        for seed in 0..seeds {
            let mut random = Random(seed * 977 + guest.len() as u64);
            let mut binary = whole.clone();
            for _ in 0..1 + random.next() % 24 {
                let (_, range) = sections[random.next() as usize % sections.len()];
                if !range.is_empty() {
                    let at = range.start + random.next() as usize % range.len();
                    binary[at] = if random.next().is_multiple_of(2) {
                        random.next() as u8
                    } else {
                        binary[at] ^ 1 << (seed % 8)
                    };
                }
            }
            let began = std::time::Instant::now();
            let map = SourceMap::new(&info, &binary);
            let inspector = map.inspector(&binary);
            ask_all(&inspector, start..end, &reader, 29);
            let _ = (inspector.functions(&info, "run"), map.line_table(&binary), map.files(&binary));
            let _ = map.places_of(&binary, "shapes.c", 20, Some(3));
            assert!(began.elapsed().as_secs() < 60, "{guest}, seed {seed}, took {:?}", began.elapsed());
        }
    }
}

#[test]
fn variables_are_what_they_are() {
    let (module, stops) = stops("rs0_5", &["look_at"]);
    let inspector = module.inspector();
    // `run` calls it first, `sum` then.
    let kept = &stops[1][1];
    let frames = inspector.frames(kept.offset);
    let variables = inspector.variables(&frames[0]).unwrap();
    let kind = |name: &str| variables.iter().find(|variable| variable.name() == name).map(|v| (v.kind(), v.line()));
    assert_eq!(kind("items"), Some((VariableKind::Parameter, 34)));
    assert_eq!(kind("total").map(|(kind, _)| kind), Some(VariableKind::Local));
    let statics: Vec<_> = inspector.statics().iter().map(|variable| variable.name().to_owned()).collect();
    assert_eq!(statics, ["shapes::COUNTER"]);
    let at = Context { frame: None, reader: kept };
    for name in ["COUNTER", "shapes::COUNTER"] {
        let value = lead(&inspector, name, &at).unwrap();
        assert_eq!(inspector.summary(&value, &at), "8");
    }
}

/// Through the debugger: asked in each frame, and changed where the guest goes on with it.
#[test]
fn variables_of_stopped_frames_are_told_and_changed() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    for guest in ["c0_4", "c0_5"] {
        let module = Module::new(&engine, &support(&format!("{guest}.wasm"))).unwrap();
        let mut store = Store::new(&engine);
        let mut linker = Linker::new(&engine);
        linker.fill_missing_with_defaults(&mut store, &module).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = told.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let mut lines = Vec::new();
            for index in 0..stop.frame_count() {
                let frame = stop.frame(index).unwrap();
                let inspector = frame.module().inspector();
                let Some(function) = inspector.frames(frame.offset()).into_iter().next() else { continue };
                let mut names: Vec<String> = Vec::new();
                for variable in inspector.variables(&function).unwrap() {
                    // Of two of one name the inner one is told.
                    if names.iter().all(|name| name != variable.name()) {
                        names.push(variable.name().to_owned());
                    }
                }
                for name in names {
                    let found = stop.frame(index).unwrap().evaluate(&name).unwrap();
                    // What is written back is the same.
                    if found.text.parse::<i32>().is_ok() && found.type_name == "int" {
                        stop.assign(index, &name, "-77").unwrap();
                        assert_eq!(stop.frame(index).unwrap().evaluate(&name).unwrap().text, "-77");
                        stop.assign(index, &name, &found.text).unwrap();
                        assert_eq!(stop.frame(index).unwrap().evaluate(&name).unwrap(), found);
                    }
                    lines.push(format!("{} {name} = {}", found.type_name, found.text));
                }
            }
            let frame = stop.frame(0).unwrap();
            assert!(frame.evaluate("no_such_name").unwrap_err().to_string().contains("no_such_name"));
            assert!(stop.assign(0, "no_such_name", "1").is_err());
            assert!(stop.assign(99, "x", "1").unwrap_err().to_string().contains("no frame 99"));
            seen.lock().unwrap().push(lines);
            Action::Continue
        })
        .unwrap();
        for name in module.inspector().function_names(module.info()) {
            for place in module.functions_named(&name).unwrap_or_default() {
                debugger.break_at(&mut store, &module, place.offset).unwrap();
            }
        }
        let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
        let mut results = [Val::I32(0)];
        run.call(&mut store, &[Val::I32(5)], &mut results).unwrap();
        let stops = told.lock().unwrap();
        let lines: usize = stops.iter().map(Vec::len).sum();
        assert!(stops.len() > 3 && lines > 10, "{guest}: {stops:?}");
    }
}

/// What watching a guest's variables has told: the variable's name, the number before and now, none of an end.
type Watched = Vec<(String, u64, Option<u64>)>;

/// Runs a guest's `run(5)`, twice, with variables watched from the first stop at a line of `shapes.c` on. What was
/// told, the paths that were refused, with why, and what is watched at the end.
fn watching(
    guest: &str,
    text: &str,
    paths: &'static [&'static str],
    kind: WatchKind,
) -> (Watched, Vec<String>, Vec<Watchpoint>) {
    let (module, mut store, instance) = started(guest);
    let told = std::sync::Arc::new(std::sync::Mutex::new((Vec::new(), Vec::new(), Vec::new())));
    let seen = told.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        let mut seen = seen.lock().unwrap();
        let debugger = stop.debugger();
        if let Some(id) = stop.reason().breakpoints().first().copied() {
            debugger.remove(stop, id).unwrap();
            for path in paths {
                let variable = stop.top().unwrap().variable(0, path).unwrap();
                match debugger.watch_variable(stop, 0, &variable, kind) {
                    Ok(id) => seen.2.push((id, *path)),
                    Err(error) => seen.1.push(format!("{path}: {error}")),
                }
            }
            // Of another frame it is none.
            let variable = stop.top().unwrap().variable(0, paths[0]).unwrap();
            if stop.frame_count() > 1 {
                let refused = debugger.watch_variable(stop, 1, &variable, kind).unwrap_err();
                let says = refused.to_string();
                assert!(refused.kind() == ErrorKind::State && says.contains("another frame"), "{says}");
            }
            let refused = debugger.watch_variable(stop, 99, &variable, kind).unwrap_err();
            assert!(refused.kind() == ErrorKind::Argument && refused.to_string().contains("no frame 99"), "{refused}");
        }
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
        for hit in stop.reason().watchpoints() {
            let name = seen.2.iter().find(|known| known.0 == hit.id).unwrap().1.to_owned();
            seen.0.push((name, number(&hit.old), (!hit.is_end).then(|| number(&hit.new))));
        }
        Action::Continue
    })
    .unwrap();
    let source = String::from_utf8(support("shapes.c")).unwrap();
    let line = 1 + source.lines().position(|line| line.contains(text)).unwrap() as u32;
    debugger.break_at_line(&mut store, &module, "shapes.c", line, None).unwrap();
    let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
    for _ in 0..2 {
        run.call(&mut store, &[Val::I32(5)], &mut [Val::I32(0)]).unwrap();
    }
    let left = debugger.watchpoints(&store).unwrap();
    let (hits, refused, _) = std::mem::take(&mut *told.lock().unwrap());
    (hits, refused, left)
}

#[test]
fn variables_are_watched_until_their_frame_ends() {
    let wanted = |rows: &[(&str, u64, Option<u64>)]| -> Watched {
        rows.iter().map(|(name, old, new)| ((*name).to_owned(), *old, *new)).collect()
    };
    for guest in ["c0_4", "c0_5"] {
        // In the frame's part of the memory; each ends with the frame, and the second call is not watched.
        let (told, refused, left) = watching(guest, "limit--;", &["total", "limit", "&total"], WatchKind::Change);
        let all = [
            ("limit", 5, Some(4)),
            ("total", 0, Some(3)),
            ("limit", 4, Some(3)),
            ("total", 3, Some(11)),
            ("limit", 3, Some(2)),
            ("total", 11, Some(26)),
            ("total", 26, None),
            ("limit", 2, None),
        ];
        assert_eq!(told, wanted(&all), "{guest}");
        assert!(
            refused.len() == 1 && refused[0].contains("&total: ") && refused[0].contains("computed"),
            "{refused:?}"
        );
        assert_eq!(left, []);

        // Static ones stay, and so does what a pointer points to: `counter += n`, once more.
        let (told, refused, left) =
            watching(guest, "limit--;", &["counter", "at->key", "nodes[1].key"], WatchKind::Change);
        assert_eq!(told, wanted(&[("counter", 12, Some(17))]), "{guest}");
        assert!(
            refused.is_empty() && left.len() == 3 && left.iter().all(|one| one.frame.is_none()),
            "{refused:?} {left:?}"
        );

        // Members, bit fields, and reads.
        let members = &["all.flags.b", "all.grid[1]", "all.inner_y"];
        let (told, refused, _) = watching(guest, "look_at(&all);", members, WatchKind::Access);
        assert_eq!((told, refused), (vec![], vec![]), "{guest}");
        let (told, _, left) = watching(guest, "look_at(&all);", &["all.s", "n"], WatchKind::Read);
        assert_eq!(told[..2], wanted(&[("n", 5, Some(5)), ("n", 5, Some(5))]), "{guest}");
        assert!(told.iter().any(|row| *row == ("all.s".to_owned(), 0x1_0000 - 300, Some(0x1_0000 - 300))), "{told:?}");
        // The host has called it: it ends without a word.
        assert!(left.is_empty() && told.iter().all(|row| row.2.is_some()), "{left:?} {told:?}");
    }
    // Optimised, in locals of the frame.
    for guest in ["c2_4", "c2_5"] {
        let paths = &["total", "limit", "at"];
        let (told, refused, left) = watching(guest, "for (const node", paths, WatchKind::Change);
        let nodes: Vec<u64> = told.iter().filter(|row| row.0 == "at").map(|row| row.1).collect();
        let [first, second, third, 0] = nodes[..] else { panic!("{guest}: {told:?}") };
        let all = [
            ("at", first, Some(second)),
            ("limit", 5, Some(4)),
            ("at", second, Some(third)),
            ("limit", 4, Some(3)),
            ("at", third, Some(0)),
            ("limit", 3, None),
            ("at", 0, None),
        ];
        assert_eq!(told, wanted(&all), "{guest}");
        assert!((second - first, third - second) == (8, 8) && left.is_empty(), "{told:?} {left:?}");
        assert!(refused.len() == 1 && refused[0].contains("total: ") && refused[0].contains("constant"), "{refused:?}");
        let (told, refused, _) = watching(guest, "total += square", paths, WatchKind::Change);
        assert!(told.is_empty() && refused.len() == 3 && refused[2].contains("optimised out"), "{told:?} {refused:?}");
    }
}
