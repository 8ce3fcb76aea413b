//! Breakpoints as those who debug expect them: one for a line or a name, at all of its places, in modules that are
//! there and that come later.

use std::sync::{Arc, Mutex};
use stepwell::base::{Error, ErrorKind, FuncIndex, WasmOffset};
use stepwell::debug::{Action, BreakRequest, BreakTarget, Breakpoint, BreakpointSet, Debugger, Stop};
use stepwell::runtime::{AsStoreMut, Config, DebugTier, Engine, Instance, Linker, Module, Store, Val};

const TIERS: [DebugTier; 2] = [DebugTier::Simple, DebugTier::Regions];

fn engine(tier: DebugTier) -> Engine {
    Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap()
}

fn support(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/dwarf");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn guest(engine: &Engine, name: &str) -> Module {
    Module::new(engine, &support(&format!("{name}.wasm"))).unwrap()
}

fn text(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

/// The line of a source that has this text.
fn line(source: &str, text: &str) -> u32 {
    let source = String::from_utf8(support(source)).unwrap();
    1 + source.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text}")) as u32
}

fn instance(store: &mut Store, module: &Module) -> Instance {
    let mut linker = Linker::new(module.engine());
    linker.fill_missing_with_defaults(&mut *store, module).unwrap();
    linker.instantiate(store, module).unwrap()
}

fn call(store: &mut impl AsStoreMut, instance: Instance, name: &str, args: &[Val]) -> Result<i32, Error> {
    let func = instance.export(&mut *store, name).and_then(|item| item.func()).unwrap();
    let mut results = [Val::I32(0)];
    func.call(store, args, &mut results)?;
    Ok(results[0].i32().unwrap())
}

type Log<T> = Arc<Mutex<Vec<T>>>;

/// Attaches a debugger that notes something of each stop.
fn watch<T: Send + 'static>(
    store: &mut Store,
    look: impl Fn(&mut Stop<'_>) -> T + Send + Sync + 'static,
) -> (Debugger, Log<T>) {
    let log = Log::default();
    let seen = log.clone();
    let debugger = Debugger::attach(store, move |stop| {
        let found = look(stop);
        seen.lock().unwrap().push(found);
        Action::Continue
    });
    (debugger.unwrap(), log)
}

/// The line that a stop is at, and the function of the source.
fn place(stop: &mut Stop<'_>) -> (u32, String) {
    let top = stop.top().unwrap();
    let locations = top.locations();
    let innermost = locations.first().unwrap();
    (innermost.line(), innermost.function().unwrap_or_default().to_owned())
}

fn take<T>(log: &Log<T>) -> Vec<T> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn lines(breakpoint: &Breakpoint) -> Vec<Option<u32>> {
    breakpoint.places.iter().map(|place| place.line()).collect()
}

#[test]
fn a_line_stops_wherever_it_runs_inlined_copies_too() {
    let at = line("shapes.c", "int result = value");
    for (tier, name) in TIERS.into_iter().flat_map(|tier| ["c0_4", "c0_5", "c2_4", "c2_5"].map(|name| (tier, name))) {
        let engine = engine(tier);
        let module = guest(&engine, name);
        let mut store = Store::new(&engine);
        let instance = instance(&mut store, &module);
        let (debugger, log) = watch(&mut store, place);
        let placed = debugger.break_at_line(&mut store, &module, "shapes.c", at, None).unwrap();
        assert!(!placed.places.is_empty(), "{name}");
        assert_eq!(placed.line(), Some(at));
        assert!(lines(&placed).iter().all(|line| *line == Some(at)), "{name}: {:?}", lines(&placed));
        assert!(placed.places.windows(2).all(|pair| pair[0].offset < pair[1].offset), "ascending, each once");
        let bare = call(&mut store, instance, "run", &[Val::I32(5)]).unwrap();
        // Three nodes, whatever the compiler has made of the loop; each may pass more than one run of the line's code.
        let stops = take(&log);
        assert!(stops.len() >= 3, "{name}: {stops:?}");
        assert!(stops.iter().all(|stop| *stop == (at, "square".to_owned())), "{name}: {stops:?}");
        // It is one breakpoint: removed once, it is gone everywhere.
        assert_eq!(debugger.breakpoint_count(&store).unwrap(), 1);
        debugger.remove(&mut store, placed.id).unwrap();
        call(&mut store, instance, "run", &[Val::I32(5)]).unwrap();
        assert!(take(&log).is_empty());
        debugger.detach(&mut store).unwrap();
        assert_eq!(bare, 26 + 5 - 300, "what the guest computes is what it was");
    }
}

#[test]
fn the_first_line_of_a_function_is_behind_what_sets_up_its_frame() {
    for (tier, name) in TIERS.into_iter().flat_map(|tier| ["c0_4", "c0_5"].map(|name| (tier, name))) {
        let engine = engine(tier);
        let module = guest(&engine, name);
        let mut store = Store::new(&engine);
        let instance = instance(&mut store, &module);
        // At the function's first instruction nothing is where DWARF says yet.
        let (debugger, log) = watch(&mut store, |stop| stop.top().unwrap().evaluate("limit").unwrap().text);
        let at = line("shapes.c", "int sum(const node");
        let by_line = debugger.break_at_line(&mut store, &module, "shapes.c", at, None).unwrap();
        let entry = module.functions_named("sum").unwrap()[0].entry;
        assert!(by_line.offset().unwrap() > entry, "{name}");
        call(&mut store, instance, "run", &[Val::I32(5)]).unwrap();
        assert_eq!(take(&log), ["5"], "{name}");
        debugger.remove(&mut store, by_line.id).unwrap();
        let by_name = debugger.break_at_name(&mut store, &module, "sum").unwrap();
        assert_eq!(by_name.offset(), Some(entry), "a name means the first instruction");
    }
}

#[test]
fn a_line_without_code_is_the_next_that_has_some() {
    let engine = engine(DebugTier::Regions);
    let module = guest(&engine, "c0_5");
    let mut store = Store::new(&engine);
    let instance = instance(&mut store, &module);
    let (debugger, log) = watch(&mut store, place);
    // A blank line is none in this source; the comment in front has no code, nor have the types behind it.
    let moved = debugger.break_at_line(&mut store, &module, "dwarf/shapes.c", 1, None);
    let moved = match moved {
        Ok(moved) => moved,
        Err(_) => debugger.break_at_line(&mut store, &module, "shapes.c", 1, None).unwrap(),
    };
    assert!(moved.line().unwrap() > 1);
    let BreakTarget::Line { line: asked, .. } = moved.request.target else { panic!("it was asked for by line") };
    assert_eq!(asked, 1);
    // A column: what begins there, or behind it.
    let at = line("shapes.c", "for (const node");
    let all = debugger.break_at_line(&mut store, &module, "shapes.c", at, None).unwrap();
    let some = debugger.break_at_line(&mut store, &module, "shapes.c", at, Some(50)).unwrap();
    assert!(some.offset() > all.offset());
    call(&mut store, instance, "run", &[Val::I32(1)]).unwrap();
    assert!(take(&log).iter().any(|stop| stop.0 == at));
    // What there is not, and what to do about it.
    let message = |file: &str, line| {
        let mut store = Store::new(&engine);
        let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
        let error = debugger.break_at_line(&mut store, &module, file, line, None).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert_eq!(debugger.breakpoint_count(&store).unwrap(), 0);
        error.message().to_owned()
    };
    assert!(message("shapes.c", 9999).contains("at line 9999 or behind it"));
    assert!(message("hapes.c", 1).contains("no code of a file `hapes.c`; there is code of"), "not half a name");
    assert!(message("other/shapes.c", 1).contains("did you mean `"), "{}", message("other/shapes.c", 1));
    let bare = text(&engine, "(module (func))");
    let error = debugger.break_at_line(&mut store, &bare, "shapes.c", 1, None).err().unwrap();
    assert!(error.message().contains("compile it with -g"), "{}", error.message());
}

#[test]
fn names_are_exact_mangled_unqualified_or_the_end_of_one() {
    for name in ["cpp0_4", "cpp0_5", "cpp2_4", "cpp2_5"] {
        let engine = engine(DebugTier::Regions);
        let module = guest(&engine, name);
        let mut store = Store::new(&engine);
        let instance = instance(&mut store, &module);
        let (debugger, log) = watch(&mut store, place);
        let mut found = Vec::new();
        for meant in ["geo::Box::area", "Box::area", "area", "_ZNK3geo3Box4areaEv", "::geo::Box::area"] {
            let placed = debugger.break_at_name(&mut store, &module, meant).unwrap_or_else(|error| {
                panic!("{name}, {meant}: {error}");
            });
            let places: Vec<_> = placed.places.iter().map(|place| (place.func, place.offset)).collect();
            found.push(places);
            call(&mut store, instance, "run", &[Val::I32(5)]).unwrap();
            assert!(take(&log).iter().any(|stop| stop.1 == "area"), "{name}, {meant}");
            debugger.remove(&mut store, placed.id).unwrap();
        }
        assert!(found.windows(2).all(|pair| pair[0] == pair[1] && !pair[0].is_empty()), "{name}: {found:?}");
        for wrong in ["rea", "o::Box::area", "", "eo::Box::area"] {
            let error = debugger.break_at_name(&mut store, &module, wrong).err().unwrap_or_else(|| panic!("{wrong}"));
            assert_eq!(error.kind(), ErrorKind::Argument);
        }
        let error = debugger.break_at_name(&mut store, &module, "mesure").err().unwrap();
        assert!(error.message().contains("did you mean `measure"), "{}", error.message());
    }
    // All that have the name.
    let engine = engine(DebugTier::Simple);
    let module = text(
        &engine,
        r#"(module (func $a::go (result i32) i32.const 1) (func $b::go (result i32) i32.const 2)
            (func $going) (func (export "run") (param i32) (result i32) (i32.add (call $a::go) (call $b::go))))"#,
    );
    let mut store = Store::new(&engine);
    let instance = instance(&mut store, &module);
    let (debugger, log) = watch(&mut store, |stop| stop.top().unwrap().func().get());
    let both = debugger.break_at_name(&mut store, &module, "go").unwrap();
    assert_eq!(both.places.iter().map(|place| place.func.get()).collect::<Vec<_>>(), [0, 1]);
    call(&mut store, instance, "run", &[Val::I32(0)]).unwrap();
    assert_eq!(take(&log), [0, 1]);
    // An import has no code here: its calls are meant, by every name it has.
    let module = text(
        &engine,
        r#"(module (import "host" "noted" (func $note (param i32))) (import "host" "other" (func))
            (func $twice (call $note (i32.const 1)) (call 1) (call $note (i32.const 2)))
            (func (export "run") (param i32) (result i32) (call $twice) (return_call $last (i32.const 3)))
            (func $last (param i32) (result i32) (call $note (local.get 0)) (i32.const 9)))"#,
    );
    let instance = self::instance(&mut store, &module);
    for name in ["note", "noted", "host.noted"] {
        let calls = debugger.break_at_name(&mut store, &module, name).unwrap();
        assert_eq!(calls.places.iter().map(|place| place.func.get()).collect::<Vec<_>>(), [2, 2, 4], "{name}");
        assert_eq!(call(&mut store, instance, "run", &[Val::I32(0)]).unwrap(), 9);
        assert_eq!(take(&log), [2, 2, 4], "{name}");
        debugger.remove(&mut store, calls.id).unwrap();
    }
    let by_index = debugger.break_at_function(&mut store, &module, FuncIndex::new(1)).unwrap();
    assert_eq!(by_index.places.len(), 1);
    assert!(debugger.break_at_name(&mut store, &module, "host").is_err());
    assert!(debugger.break_at_function(&mut store, &module, FuncIndex::new(99)).is_err());
    // An import that is exported and not called.
    let module = text(&engine, r#"(module (import "m" "f" (func $f)) (export "f" (func $f)))"#);
    let error = debugger.break_at_name(&mut store, &module, "f").err().unwrap();
    assert!(error.message().contains("is imported"), "{}", error.message());
}

const GO: &str = r#"(module (func $go (export "run") (param i32) (result i32)
    local.get 0 i32.const 1 i32.add))"#;

#[test]
fn a_breakpoint_for_any_module_waits_for_those_that_come() {
    for tier in TIERS {
        let engine = engine(tier);
        let mut store = Store::new(&engine);
        let (debugger, log) = watch(&mut store, |stop| stop.top().unwrap().offset());
        let by_name = debugger.break_at_name(&mut store, None, "go").unwrap();
        let by_line = debugger.break_at_line(&mut store, None, "shapes.c", 9999, None).unwrap();
        assert!(by_name.places.is_empty() && by_name.offset().is_none() && by_name.func().is_none());
        assert!(by_name.line().is_none());
        let places = |store: &Store, of: &Breakpoint| debugger.breakpoint(store, of.id).unwrap().unwrap().places;
        // One without functions, one with others.
        for other in ["(module)", "(module (memory 1))", r#"(module (func $no (export "f")))"#] {
            let other = text(&engine, other);
            instance(&mut store, &other);
            assert!(places(&store, &by_name).is_empty());
        }
        let first = text(&engine, GO);
        let run = instance(&mut store, &first);
        assert_eq!(places(&store, &by_name).len(), 1);
        assert_eq!(call(&mut store, run, "run", &[Val::I32(4)]).unwrap(), 5);
        assert_eq!(take(&log).len(), 1);
        // A second instance of the module is no second place; a second module is.
        instance(&mut store, &first);
        assert_eq!(places(&store, &by_name).len(), 1);
        let second = text(&engine, GO);
        let other = instance(&mut store, &second);
        let found = places(&store, &by_name);
        assert_eq!(found.len(), 2);
        assert!(Module::same(&found[0].module, &first) && Module::same(&found[1].module, &second));
        call(&mut store, run, "run", &[Val::I32(4)]).unwrap();
        call(&mut store, other, "run", &[Val::I32(4)]).unwrap();
        assert_eq!(take(&log).len(), 2);
        assert!(places(&store, &by_line).is_empty());
        // One that is set later finds all that are there.
        let later = debugger.break_at_name(&mut store, None, "run").unwrap();
        assert_eq!(later.places.len(), 2);
        debugger.remove(&mut store, by_name.id).unwrap();
        debugger.remove(&mut store, later.id).unwrap();
        let third = text(&engine, GO);
        let third = instance(&mut store, &third);
        for run in [run, other, third] {
            call(&mut store, run, "run", &[Val::I32(4)]).unwrap();
        }
        assert!(take(&log).is_empty());
        debugger.detach(&mut store).unwrap();
        assert!(debugger.break_at_name(&mut store, None, "go").is_err());
    }
}

#[test]
fn a_line_for_any_module_is_found_in_the_one_that_has_it() {
    let at = line("shapes.c", "int result = value");
    let engine = engine(DebugTier::Regions);
    let mut store = Store::new(&engine);
    let (debugger, log) = watch(&mut store, place);
    let pending = debugger.break_at_line(&mut store, None, "shapes.c", at, None).unwrap();
    assert!(pending.places.is_empty());
    let cpp = guest(&engine, "cpp2_5");
    instance(&mut store, &cpp);
    let module = guest(&engine, "c2_5");
    let guest = instance(&mut store, &module);
    let there = debugger.breakpoint(&store, pending.id).unwrap().unwrap();
    let given = debugger.break_at_line(&mut store, &module, "shapes.c", at, None).unwrap();
    let offsets = |breakpoint: &Breakpoint| breakpoint.places.iter().map(|place| place.offset).collect::<Vec<_>>();
    assert_eq!(offsets(&there), offsets(&given));
    debugger.remove(&mut store, given.id).unwrap();
    call(&mut store, guest, "run", &[Val::I32(5)]).unwrap();
    assert!(take(&log).len() >= 3);
}

#[test]
fn a_module_that_comes_within_a_stop_is_broken_at() {
    for tier in TIERS {
        let engine = engine(tier);
        let module = text(&engine, GO);
        let inner = text(&engine, GO);
        let mut store = Store::new(&engine);
        let outer = instance(&mut store, &module);
        let log: Log<usize> = Log::default();
        let seen = log.clone();
        let debugger = Debugger::attach(&mut store, move |stop| {
            let depth = stop.frame_count();
            seen.lock().unwrap().push(depth);
            if depth == 1 {
                // The callback removes its own breakpoint, and the inner module is placed for the other.
                let id = stop.reason().breakpoints()[0];
                let debugger = stop.debugger();
                debugger.remove(stop, id).unwrap();
                let run = Instance::new(&mut *stop, &inner, &[]).unwrap();
                assert_eq!(call(stop, run, "run", &[Val::I32(1)]).unwrap(), 2);
            }
            Action::Continue
        })
        .unwrap();
        debugger.break_at_name(&mut store, &module, "go").unwrap();
        let any = debugger.break_at_name(&mut store, None, "go").unwrap();
        assert_eq!(any.places.len(), 1);
        call(&mut store, outer, "run", &[Val::I32(0)]).unwrap();
        assert_eq!(*log.lock().unwrap(), [1, 2]);
        assert_eq!(debugger.breakpoint(&store, any.id).unwrap().unwrap().places.len(), 2);
    }
}

#[test]
fn a_module_of_another_engine_and_an_offset_in_no_function_are_refused() {
    let engines = [engine(DebugTier::Regions), engine(DebugTier::Regions)];
    let mut store = Store::new(&engines[0]);
    let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
    let foreign = text(&engines[1], GO);
    let error = debugger.break_at_name(&mut store, &foreign, "go").err().unwrap();
    assert!(error.message().contains("another engine"));
    let empty = text(&engines[0], "(module)");
    for request in [
        BreakRequest::offset(&empty, WasmOffset::new(8)),
        BreakRequest::function(&empty, "f"),
        BreakRequest::line(&empty, "f.c", 1, None),
        BreakRequest::function_index(&empty, stepwell::base::FuncIndex::new(0)),
    ] {
        let error = debugger.add_breakpoint(&mut store, request).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Argument);
    }
    assert_eq!(debugger.breakpoint_count(&store).unwrap(), 0);
}

/// The programs with debug information that are here, and what their exports may be called with.
fn programs() -> Vec<(String, Vec<u8>)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> =
        ["c-examples/guest/warehouse", "c-examples/guest/program", "tests/support/steps/steps"]
            .map(String::from)
            .to_vec();
    names.extend(
        ["c0_4", "c2_5", "cpp0_5", "cpp2_4", "rs0_5", "rs2_4", "zig_Debug"]
            .map(|name| format!("tests/support/dwarf/{name}")),
    );
    let read = |name: String| (name.clone(), std::fs::read(root.join(name + ".wasm")).unwrap());
    names.into_iter().map(read).collect()
}

/// The line that a breakpoint is for, and its places with the lines that they are at.
type Expected = (String, u32, Vec<(WasmOffset, Option<u32>)>);

/// Every line of every program is broken at, and its exports are called: each stop is at the line of its breakpoint.
#[test]
fn every_line_of_many_programs_stops_at_that_line() {
    use std::collections::{BTreeMap, BTreeSet};
    let mut all = (0, 0);
    for (name, binary) in programs() {
        let engine = Engine::new(Config { debug: true, fuel: true, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &binary).unwrap();
        let rows = module.line_table();
        let lines: BTreeSet<(String, u32)> = rows
            .iter()
            .filter(|row| row.is_statement && !row.end_of_sequence && row.line > 0)
            .filter_map(|row| Some((row.file?.to_owned(), row.line)))
            .collect();
        // What sets up a frame: from where a function begins to where a breakpoint in it first stands.
        let entries: BTreeSet<WasmOffset> =
            module.function_list(0..u32::MAX).iter().filter_map(|function| function.entry).collect();
        let sets_up = |offset: WasmOffset| {
            let end = module.info().bodies.iter().find(|body| body.bytes.contains(&offset.index())).unwrap().bytes.end;
            entries.range(offset..).find(|entry| **entry > offset).is_some_and(|entry| entry.index() < end)
        };
        let mut store = Store::new(&engine);
        store.set_fuel(1_000_000).unwrap();
        let instance = instance(&mut store, &module);
        let expected: Arc<Mutex<BTreeMap<_, Expected>>> = Arc::default();
        let known = expected.clone();
        let label = name.clone();
        let (debugger, log) = watch(&mut store, move |stop| {
            let top = stop.top().unwrap();
            let locations = top.locations();
            let innermost = locations.first().unwrap();
            for id in stop.reason().breakpoints() {
                let known = known.lock().unwrap();
                let (file, line, places) = &known[id];
                let place = places.iter().find(|place| place.0 == top.offset()).unwrap();
                assert_eq!(Some(innermost.line()), place.1, "{label}");
                // A function's first line may be moved into what is inlined there.
                assert!(place.1 != Some(*line) || innermost.file() == Some(file), "{label}: {file}:{line}");
            }
            innermost.line()
        });
        let requests: Vec<BreakRequest> =
            lines.iter().map(|(file, line)| BreakRequest::line(&module, file, *line, None)).collect();
        let ids = debugger.break_at_all(&mut store, &requests).unwrap();
        for (id, (file, line)) in ids.iter().zip(&lines) {
            let placed = debugger.breakpoint(&store, *id).unwrap().unwrap();
            let places: Vec<_> = placed.places.iter().map(|place| (place.offset, place.line())).collect();
            assert!(!places.is_empty(), "{name}: {file}:{line}");
            // Only that is passed.
            let moved = places.iter().any(|place| place.1 != Some(*line));
            let mut of_line = rows.iter().filter(|row| row.line == *line && row.file == Some(file));
            assert!(!moved || of_line.any(|row| sets_up(row.offset)), "{name}: {file}:{line} is moved to {places:?}");
            expected.lock().unwrap().insert(*id, (file.clone(), *line, places));
        }
        for (_, item) in instance.exports(&mut store).unwrap() {
            let Some(func) = item.func() else { continue };
            let ty = func.ty(&store).unwrap();
            for number in [0, 1, 3] {
                let args: Vec<Val> = ty
                    .params
                    .iter()
                    .map(|ty| match ty {
                        stepwell::ValType::I32 => Val::I32(number),
                        stepwell::ValType::I64 => Val::I64(number.into()),
                        other => Val::default_for(*other),
                    })
                    .collect();
                let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
                store.set_fuel(1_000_000).unwrap();
                // Many trap, given nonsense: that is as good.
                let _ = func.call(&mut store, &args, &mut results);
            }
        }
        let seen: BTreeSet<u32> = take(&log).into_iter().collect();
        assert!(!seen.is_empty(), "{name}");
        all = (all.0 + lines.len(), all.1 + seen.len());
    }
    assert!(all.0 > 400 && all.1 > 300, "lines, and those that were come to: {all:?}");
}

/// Code that the compiler knows not to be reached has places like any other: a callback may have the guest go there.
#[test]
fn code_that_only_a_callback_leads_to_has_places() {
    let source = r#"(module (func (export "f") (result i32)
        (if (result i32) (i32.const 0) (then (i32.const 7)) (else (i32.const 8)))))"#;
    for tier in TIERS {
        let engine = engine(tier);
        let module = text(&engine, source);
        let mut store = Store::new(&engine);
        let instance = instance(&mut store, &module);
        let seven = module.binary().windows(2).position(|bytes| bytes == [0x41, 7]).unwrap() as u32;
        let at_if = WasmOffset::new(seven - 2);
        let (debugger, log) = watch(&mut store, move |stop| {
            let at = stop.top().unwrap().offset();
            if at == at_if {
                stop.set_operand(0, 0, Val::I32(1)).unwrap();
            }
            at.get()
        });
        let placed = debugger.break_at(&mut store, &module, WasmOffset::new(seven)).unwrap();
        assert_eq!(placed.offset(), Some(WasmOffset::new(seven)), "{tier:?}");
        assert_eq!(call(&mut store, instance, "f", &[]).unwrap(), 8);
        assert_eq!(take(&log), [0; 0]);
        debugger.break_at(&mut store, &module, at_if).unwrap();
        assert_eq!(call(&mut store, instance, "f", &[]).unwrap(), 7);
        assert_eq!(take(&log), [at_if.get(), seven], "{tier:?}");
    }
}

#[test]
fn a_set_is_prepared_once_and_set_in_every_store() {
    for tier in TIERS {
        let engine = engine(tier);
        let modules = ["c0_5", "cpp2_5"].map(|name| guest(&engine, name));
        let mut set = BreakpointSet::new();
        let requests: Vec<BreakRequest> = modules
            .iter()
            .flat_map(|module| {
                let rows = module.line_table().into_iter().filter(|row| row.is_statement && row.line > 0);
                let lines: std::collections::BTreeSet<(String, u32)> =
                    rows.filter_map(|row| Some((row.file?.to_owned(), row.line))).collect();
                let names = module.exports().filter(|(_, ty)| matches!(ty, stepwell::ExternType::Func(_)));
                let names: Vec<_> = names.map(|(name, _)| BreakRequest::function(module, name)).collect();
                let lines = lines.into_iter().map(|(file, line)| BreakRequest::line(module, &file, line, None));
                lines.chain(names).collect::<Vec<_>>()
            })
            .collect();
        assert!(set.is_empty() && requests.len() > 20);
        requests.iter().for_each(|request| set.add(request.clone()).unwrap());
        assert_eq!(set.len(), requests.len());
        // What cannot be prepared adds nothing.
        for wrong in [
            BreakRequest::function(None, "area"),
            BreakRequest::function(&modules[0], "no such name"),
            BreakRequest::offset(&modules[0], WasmOffset::new(0)),
        ] {
            assert_eq!(set.add(wrong).unwrap_err().kind(), ErrorKind::Argument);
        }
        assert_eq!(set.len(), requests.len());
        let places = |debugger: &Debugger, store: &Store| -> Vec<_> {
            let all = debugger.breakpoints(store).unwrap().into_iter();
            all.map(|found| found.places.iter().map(|place| (place.func, place.offset)).collect::<Vec<_>>()).collect()
        };
        let armed = |store: &Store| store.registry().plan().sites().count();
        let mut store = Store::new(&engine);
        modules.iter().for_each(|module| _ = instance(&mut store, module));
        let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
        let one_by_one = debugger.break_at_all(&mut store, &requests).unwrap();
        let expected = (places(&debugger, &store), armed(&store));
        for before in [true, false] {
            let mut store = Store::new(&engine);
            if before {
                modules.iter().for_each(|module| _ = instance(&mut store, module));
            }
            let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
            let ids = debugger.break_at_set(&mut store, &set).unwrap();
            if !before {
                modules.iter().for_each(|module| _ = instance(&mut store, module));
            }
            assert_eq!(ids, one_by_one);
            assert_eq!((places(&debugger, &store), armed(&store)), expected);
            debugger.remove_all(&mut store, &ids).unwrap();
            assert_eq!(armed(&store), 0);
        }
        let other = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let mut store = Store::new(&other);
        let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
        assert_eq!(debugger.break_at_set(&mut store, &set).unwrap_err().kind(), ErrorKind::Argument);
        assert_eq!(debugger.breakpoint_count(&store).unwrap(), 0);
    }
}
