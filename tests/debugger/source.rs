//! Source positions: what a module's DWARF says of its instructions, held against what another program said, and DWARF
//! that is damaged in every way.

use crate::locations;
use locations::describe;
use stepwell::base::WasmOffset;
use stepwell::dwarf::SourceMap;
use stepwell::internals::wasm::parse;
use stepwell::runtime::{Config, Engine, Linker, Module, Store, Trap, Val};
use stepwell::{Features, Location};

/// A guest of the examples.
fn guest(name: &str) -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/c-examples/guest/").to_owned() + name).unwrap()
}

/// `*.positions` are llvm-symbolizer's answers for every byte of the code; see c-examples/guest/positions.py.
#[test]
fn positions_are_those_of_llvm_symbolizer() {
    for name in ["warehouse", "program"] {
        let binary = guest(&format!("{name}.wasm"));
        let info = parse(&binary, Features::default(), false).unwrap();
        let map = SourceMap::new(&info, &binary);
        let expected = String::from_utf8(guest(&format!("{name}.positions"))).unwrap();
        let (start, end) = (info.code_start.get(), info.bodies.last().unwrap().bytes.end as u32);
        let mut changes = expected.lines().map(|line| {
            let (address, said) = line.split_once(' ').unwrap();
            (u32::from_str_radix(&address[2..], 16).unwrap(), said)
        });
        let (mut said, mut next) = ("-", changes.next());
        let (mut compared, mut inlined) = (0, 0);
        for address in 0..end - start {
            if let Some((_, now)) = next.filter(|(at, _)| *at == address) {
                (said, next) = (now, changes.next());
            }
            let locations = map.locations(&binary, WasmOffset::new(start + address));
            assert_eq!(describe(&locations), said, "{name} at {address:#x} of the code");
            compared += usize::from(!locations.is_empty());
            inlined += usize::from(locations.len() > 2);
        }
        assert!(next.is_none() && compared > 3000, "{name}: {compared} compared");
        assert!(name != "program" || inlined > 100, "{name}: {inlined} with functions inlined twice");
    }
}

/// Where the source has a text first, as a line from 1.
fn line_of(source: &str, text: &str) -> u32 {
    let text_of = String::from_utf8(guest(source)).unwrap();
    1 + text_of.lines().position(|line| line.contains(text)).unwrap() as u32
}

#[test]
fn the_backtrace_of_a_trap_names_files_and_lines_and_what_is_inlined() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let module = Module::new(&engine, &guest("program.wasm")).unwrap();
    let mut linker = Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let divide = instance.export(&mut store, "divide").and_then(|item| item.func()).unwrap();
    let error = divide.call(&mut store, &[Val::I32(7), Val::I32(0)], &mut [Val::I32(0)]).unwrap_err();
    let trap = error.payload::<Trap>().unwrap();
    let quotient = line_of("program.h", "return a / b");
    let ratio = line_of("program.h", "return quotient");
    let outer = line_of("program.c", "return ratio(a, b)");
    let text = trap.to_string();
    for line in [
        format!("in quotient at program.h:{quotient}:14, inlined"),
        format!("in ratio at program.h:{ratio}:12, inlined"),
        format!("at program.c:{outer}:12\n").trim_end().to_owned(),
    ] {
        assert!(text.contains(&line), "`{line}` is not in:\n{text}");
    }
    let locations = trap.frames()[0].locations();
    assert_eq!(locations.len(), 3);
    assert_eq!((locations[2].function(), locations[2].line()), (Some("divide"), outer));
}

#[test]
fn a_line_is_found_in_each_function_it_has_code_in() {
    let engine = Engine::new(Config::default()).unwrap();
    let module = Module::new(&engine, &guest("program.wasm")).unwrap();
    let quotient = line_of("program.h", "return a / b");
    let found = module.offsets_of_line("program.h", quotient);
    assert_eq!(found.len(), 2, "it is inlined in two functions");
    for offset in &found {
        let locations = module.locations(*offset);
        assert_eq!((locations[0].function(), locations[0].line()), (Some("quotient"), quotient));
    }
    assert_eq!(module.offsets_of_line("./program.h", quotient), found);
    // A line without code stands for the next one with.
    let comment = line_of("program.c", "/* ---- exports to be called one by one");
    let next = module.offsets_of_line("program.c", comment);
    assert_eq!(module.locations(next[0]).last().unwrap().function(), Some("divide"));
    assert_eq!(next, module.offsets_of_line("program.c", line_of("program.c", "int divide(")));
    for (file, line) in [("program.c", 100_000), ("rogram.c", 1), ("other.c", 1), ("", 1), ("/", 1), ("x/program.c", 1)]
    {
        assert!(module.offsets_of_line(file, line).is_empty(), "{file}:{line}");
    }
}

#[test]
fn a_line_is_found_at_every_place_it_has_code_at() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/places");
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &std::fs::read(folder.join("several_places.wasm")).unwrap()).unwrap();
    let code = module.info().code_start.get();
    for (line, addresses) in [
        (4, &[0x40, 0x6c][..]),
        (26, &[0x12, 0x1d, 0x98]),
        (32, &[0x17, 0xa1]),
        (9, &[0x51]),
        (5, &[0x58]),
        (30, &[0x8c]),
    ] {
        let found: Vec<u32> =
            module.offsets_of_line("several_places.c", line).iter().map(|at| at.get() - code).collect();
        assert_eq!(found, addresses, "line {line}");
        assert_eq!(module.line_with_code("several_places.c", line), Some(line));
        for offset in module.offsets_of_line("several_places.c", line) {
            assert_eq!(module.locations(offset)[0].line(), line);
        }
    }
    // A line without code is the next one with.
    assert_eq!(module.line_with_code("several_places.c", 31), Some(32));
    assert_eq!(module.offsets_of_line("several_places.c", 31), module.offsets_of_line("several_places.c", 32));
    assert_eq!(module.line_with_code("several_places.c", 33), None);

    // Whenever the body of the loop runs, its line stops, by whatever place it is entered.
    let mut store = Store::new(&engine);
    let stops = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = stops.clone();
    let debugger = stepwell::debug::Debugger::attach(&mut store, move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        stepwell::debug::Action::Continue
    })
    .unwrap();
    let instance = stepwell::runtime::Instance::new(&mut store, &module, &[]).unwrap();
    let work = instance.export(&mut store, "work").and_then(|item| item.func()).unwrap();
    for (line, least) in [(4, 5), (26, 5), (32, 1)] {
        let placed: Vec<_> = module
            .offsets_of_line("several_places.c", line)
            .into_iter()
            .map(|offset| debugger.break_at(&mut store, &module, offset).unwrap().id)
            .collect();
        for rounds in [5, 0] {
            stops.store(0, std::sync::atomic::Ordering::Relaxed);
            work.call(&mut store, &[Val::I32(rounds)], &mut [Val::I32(0)]).unwrap();
            let seen = stops.load(std::sync::atomic::Ordering::Relaxed);
            let wanted = if rounds == 0 { usize::from(line != 4) } else { least };
            assert!(seen >= wanted, "line {line}, {rounds} rounds: {seen} stops");
        }
        placed.into_iter().for_each(|id| debugger.remove(&mut store, id).unwrap());
    }
}

#[test]
fn a_breakpoint_outside_every_body_is_refused() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let text = "(module (func (export \"f\") (result i32) i32.const 7) (func (local i32 i64) nop nop))";
    let binary = wat::parse_str(text).unwrap();
    let module = Module::new(&engine, &binary).unwrap();
    let mut store = Store::new(&engine);
    let debugger = stepwell::debug::Debugger::attach(&mut store, |_| stepwell::debug::Action::Continue).unwrap();
    let bodies: Vec<_> = module.info().bodies.iter().map(|body| body.bytes.clone()).collect();
    for offset in (0..binary.len() + 9).chain([u32::MAX as usize]) {
        let placed = debugger.break_at(&mut store, &module, WasmOffset::new(offset as u32));
        match bodies.iter().position(|body| body.contains(&offset)) {
            Some(body) => assert_eq!(placed.unwrap().func().unwrap().get() as usize, body, "{offset}"),
            None => assert!(placed.err().unwrap().message().contains("in no function's body"), "{offset}"),
        }
    }
}

#[test]
fn without_dwarf_there_are_no_positions() {
    let engine = Engine::new(Config::default()).unwrap();
    let binary = wat::parse_str("(module (func (export \"f\") unreachable))").unwrap();
    let module = Module::new(&engine, &binary).unwrap();
    for offset in (0..binary.len() as u32 + 8).chain([u32::MAX]) {
        assert!(module.locations(WasmOffset::new(offset)).is_empty());
    }
    assert!(module.offsets_of_line("f.c", 1).is_empty());
}

/// Asks for everything; gives back how much was known.
fn ask_all(binary: &[u8], step: usize) -> usize {
    let info = parse(binary, Features::default(), false).unwrap();
    let map = SourceMap::new(&info, binary);
    let (start, end) = (info.code_start.index(), info.bodies.last().unwrap().bytes.end);
    let describe = |locations: &[Location<'_>]| {
        let text = if locations.is_empty() { String::new() } else { describe(locations) };
        assert!(!text.contains(char::is_control), "{text:?}");
        text
    };
    let all = (start..end + 2).step_by(step).chain([0, u32::MAX as usize]);
    let known: usize = all.map(|at| describe(&map.locations(binary, WasmOffset::new(at as u32))).len()).sum();
    known + map.offsets_of(binary, "program.c", 1).len()
}

/// Where the DWARF sections' contents are.
fn dwarf_sections(binary: &[u8]) -> Vec<(String, std::ops::Range<usize>)> {
    let info = parse(binary, Features::default(), false).unwrap();
    info.custom.into_iter().filter(|(name, _)| name.starts_with(".debug_")).collect()
}

#[test]
fn damaged_dwarf_is_never_more_than_positions_that_are_missing_or_wrong() {
    for name in ["program.wasm", "warehouse.wasm"] {
        let whole = guest(name);
        let sections = dwarf_sections(&whole);
        assert!(sections.len() >= 5);
        let mut random = 0x2545_f491_4f6c_dd1du64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below as u64) as usize
        };
        let mut unharmed = 0;
        let everything = ask_all(&whole, 7);
        for round in 0..1500 {
            let mut binary = whole.clone();
            for _ in 0..=round % 4 {
                let (_, range) = &sections[next(sections.len())];
                let at = range.start + next(range.len());
                match next(4) {
                    0 => binary[at] ^= 1 << next(8),
                    1 => binary[at] = 0xff,
                    2 => binary[at] = next(256) as u8,
                    // What follows is as good as cut off.
                    _ => binary[at..range.end].fill(if next(2) == 0 { 0 } else { 0xff }),
                }
            }
            unharmed += usize::from(ask_all(&binary, 7) == everything);
        }
        assert!(unharmed < 1400, "{name}: hardly anything was damaged");
    }
}

#[test]
fn sections_that_are_cut_off_or_missing_are_read_as_far_as_they_go() {
    let whole = guest("program.wasm");
    let sections = dwarf_sections(&whole);
    let everything = ask_all(&whole, 7);
    for (name, range) in &sections {
        for kept in [0, 1, 3, 11, 12, 13, 64, range.len() / 2, range.len() - 1] {
            // The section keeps its size on paper only: the rest is moved into a section of another name.
            let mut binary = whole[..8].to_vec();
            for payload in wasmparser_sections(&whole) {
                if payload.end != range.end {
                    binary.extend(&whole[payload]);
                }
            }
            custom(&mut binary, name, &whole[range.start..range.start + kept.min(range.len())]);
            assert!(ask_all(&binary, 7) <= everything.max(1) * 2, "{name} cut off at {kept}");
        }
    }
}

/// The sections of a module, with their heads.
fn wasmparser_sections(binary: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut sections, mut at) = (Vec::new(), 8);
    while at < binary.len() {
        let (start, mut size, mut shift) = (at, 0, 0);
        loop {
            at += 1;
            size |= usize::from(binary[at] & 0x7f) << shift;
            shift += 7;
            if binary[at] & 0x80 == 0 {
                break;
            }
        }
        at += 1 + size;
        sections.push(start..at);
    }
    sections
}

/// Adds a custom section.
fn custom(binary: &mut Vec<u8>, name: &str, contents: &[u8]) {
    use wasm_encoder::Section;
    wasm_encoder::CustomSection { name: name.into(), data: contents.into() }.append_to(binary);
}

/// DWARF 4 with one unit, whose root has nothing but these children.
fn unit(abbreviations: &[u8], children: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut info = Vec::new();
    info.extend((7 + 1 + children.len() as u32 + 1).to_le_bytes());
    info.extend([4, 0, 0, 0, 0, 0, 4]); // version, table of abbreviations, size of an address
    info.push(1);
    info.extend(children);
    info.push(0);
    let mut table = vec![1, 0x11, 1, 0, 0]; // 1: DW_TAG_compile_unit, with children, without attributes
    table.extend(abbreviations);
    table.push(0);
    vec![(".debug_abbrev", table), (".debug_info", info)]
}

/// Reads sections beside a function, under a limit of time that only work out of proportion can pass.
fn read_in_time(what: &str, sections: &[(&str, Vec<u8>)]) -> usize {
    // Its code section has 14 bytes.
    let mut binary =
        wat::parse_str("(module (func (export \"f\") nop nop nop nop nop nop nop nop nop unreachable))").unwrap();
    for (name, contents) in sections {
        custom(&mut binary, name, contents);
    }
    let begin = std::time::Instant::now();
    let known = ask_all(&binary, 1);
    assert!(begin.elapsed().as_secs() < 20, "{what}: {:?}", begin.elapsed());
    known
}

#[test]
fn work_is_in_proportion_to_the_size() {
    // A function with one range is found this way.
    let ranges = [2u32, 9, 0, 0].map(u32::to_le_bytes).concat();
    let subprogram = [2, 0x2e, 0, 0x55, 0x17, 0, 0]; // 2: DW_TAG_subprogram, DW_AT_ranges as DW_FORM_sec_offset
    let mut sections = unit(&subprogram, &[2, 0, 0, 0, 0]);
    sections.push((".debug_ranges", ranges));
    assert!(read_in_time("one function", &sections) > 0);

    // As many functions as fit, all with the same long list of ranges, which are live, dead, or nothing.
    for range in [[2u32, 9], [u32::MAX, 9], [5, 5], [0, 9]] {
        let many = [2, 0, 0, 0, 0].repeat(200_000);
        let mut sections = unit(&subprogram, &many);
        sections.push((".debug_ranges", range.map(u32::to_le_bytes).concat().repeat(100_000)));
        assert_eq!(read_in_time("shared ranges", &sections) > 0, range == [2, 9], "{range:?}");
    }

    // As many units as fit, all with the same long table of abbreviations, or with tables that overlap.
    for overlap in [0u32, 1] {
        let mut info = Vec::new();
        for i in 0..80_000u32 {
            info.extend(8u32.to_le_bytes());
            info.extend([4, 0]);
            info.extend((i * overlap).to_le_bytes());
            info.extend([4, 1]);
        }
        let table =
            [1, 0x11, 0, 0, 0].into_iter().chain((0..200_000u32).flat_map(|i| [(2 + i % 120) as u8, 0x2e, 0, 0, 0]));
        let sections = vec![(".debug_abbrev", table.collect::<Vec<u8>>()), (".debug_info", info)];
        read_in_time("shared abbreviations", &sections);
    }

    // An abbreviation with very many attributes that take no space.
    let flags = [vec![2, 0x2e, 0], [0x3f, 0x19].repeat(200_000), vec![0, 0]].concat();
    read_in_time("attributes of no size", &unit(&flags, &[2].repeat(1_000_000)));

    // A name that is most of the module, and full of commands to a terminal.
    let named = [2, 0x2e, 0, 0x55, 0x17, 0x03, 0x08, 0, 0];
    let name = "\x1b[2J\u{e4}".repeat(200_000);
    let mut sections = unit(&named, &[[2, 0, 0, 0, 0].as_slice(), name.as_bytes(), &[0]].concat());
    sections.push((".debug_ranges", [2u32, 9, 0, 0].map(u32::to_le_bytes).concat()));
    let known = read_in_time("a long name", &sections);
    assert!(known > 4000 && known < 50_000, "{known}");

    // Functions inlined into each other without end, and names that lead in a circle.
    let nested =
        [vec![2, 0x2e, 1, 0x55, 0x17, 0x31, 0x13, 0, 0], vec![3, 0x1d, 1, 0x55, 0x17, 0x31, 0x13, 0, 0]].concat();
    let children = [vec![2, 0, 0, 0, 0, 12, 0, 0, 0], [3, 0, 0, 0, 0, 12, 0, 0, 0].repeat(100_000)].concat();
    let mut sections = unit(&nested, &children);
    sections.push((".debug_ranges", [2u32, 9, 0, 0].map(u32::to_le_bytes).concat()));
    let known = read_in_time("inlined without end", &sections);
    assert!(known > 7 * 32 && known < 100_000, "{known}");
}

/// A line with a row for each of very many addresses, in a function in which the same long list of ranges is inlined
/// many times.
#[test]
fn a_line_with_many_rows_is_found_in_time() {
    let nops = 60_000;
    let mut binary = wat::parse_str(format!("(module (func (export \"f\") {}))", "nop ".repeat(nops))).unwrap();
    let end = nops as u32;
    let mut abbreviations = vec![1, 0x11, 1, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0, 0]; // unit: lines, low and high address
    abbreviations.extend([2, 0x2e, 1, 0x11, 0x01, 0x12, 0x06, 0, 0]); // function: low and high address
    abbreviations.extend([3, 0x1d, 0, 0x55, 0x17, 0, 0, 0]); // inlined: ranges
    let mut entries = vec![4, 0, 0, 0, 0, 0, 4];
    for root in [[1].as_slice(), &0u32.to_le_bytes(), &1u32.to_le_bytes(), &end.to_le_bytes()] {
        entries.extend(root);
    }
    entries.push(2);
    entries.extend([1u32.to_le_bytes(), end.to_le_bytes()].concat());
    entries.extend([3, 0, 0, 0, 0].repeat(100));
    entries.extend([0, 0]);
    let info = [(entries.len() as u32).to_le_bytes().as_slice(), &entries].concat();
    // All near the end, where none of the rows but the last is, counted from the start of the unit.
    let ranges: Vec<u8> =
        (0..4000u32).flat_map(|i| [end - 2 - i % 2, end - 1].map(u32::to_le_bytes).concat()).chain([0; 8]).collect();
    let header =
        [[1u8, 1, 1, 0xfb, 14, 13].as_slice(), &[0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0], b"program.c\0\0\0\0\0"];
    let header = header.concat();
    let mut lines = vec![4, 0];
    lines.extend((header.len() as u32).to_le_bytes());
    lines.extend(header);
    lines.extend([0, 5, 2, 1, 0, 0, 0]);
    lines.extend(std::iter::repeat_n(13 + 5 + 14, nops - 2)); // the next address, the same line
    lines.extend([0, 1, 1]);
    let lines = [(lines.len() as u32).to_le_bytes().as_slice(), &lines].concat();
    for (name, contents) in
        [(".debug_abbrev", abbreviations), (".debug_info", info), (".debug_ranges", ranges), (".debug_line", lines)]
    {
        custom(&mut binary, name, &contents);
    }
    let info = parse(&binary, Features::default(), false).unwrap();
    let map = SourceMap::new(&info, &binary);
    let begin = std::time::Instant::now();
    let offsets = map.offsets_of(&binary, "program.c", 1);
    assert!(begin.elapsed().as_millis() < 3000, "{:?}", begin.elapsed());
    // The function's own, and where something is inlined.
    assert_eq!(offsets.len(), 2, "{offsets:?}");
}
