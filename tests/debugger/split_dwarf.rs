//! Split DWARF: what a module's skeleton says alone, and with its package, against what llvm-symbolizer says of the
//! same code with all its DWARF in the module; packages of other modules, and damaged ones.
//! tests/support/split/build.sh makes what is read here.

use crate::locations;
use locations::describe;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};
use std::sync::{Arc, Mutex};
use stepwell::base::{ErrorKind, WasmOffset};
use stepwell::runtime::{Config, Engine, LogLevel, Logger, Module};

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/support/split/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn module(name: &str) -> Module {
    Module::new(&Engine::new(Config::default()).unwrap(), &file(name)).unwrap()
}

/// A module with files that were given.
fn with(name: &str, files: &[&str]) -> Module {
    let module = module(name);
    files.iter().for_each(|name| module.add_split_dwarf(&file(name)).unwrap());
    module
}

/// What is said of each byte of the code.
fn said(module: &Module) -> Vec<String> {
    let info = module.info();
    let code = info.code_start.get()..info.bodies.last().unwrap().bytes.end as u32;
    code.map(|at| describe(&module.locations(WasmOffset::new(at)))).collect()
}

/// What llvm-symbolizer says of each.
fn expected(name: &str, size: usize) -> Vec<String> {
    let text = String::from_utf8(file(name)).unwrap();
    let mut all: Vec<String> = Vec::new();
    for line in text.lines() {
        let (address, said) = line.split_once(' ').unwrap();
        let last = all.last().cloned().unwrap_or_default();
        all.resize(usize::from_str_radix(&address[2..], 16).unwrap(), last);
        all.push(said.to_owned());
    }
    let last = all.last().cloned().unwrap();
    all.resize(size, last);
    all
}

#[track_caller]
fn assert_same(module: &Module, positions: &str) -> Vec<String> {
    let said = said(module);
    let expected = expected(positions, said.len());
    assert_eq!(difference(&said, &expected), None, "{positions}");
    expected
}

#[track_caller]
fn assert_said(module: &Module, positions: &str) {
    let expected = assert_same(module, positions);
    assert!(expected.iter().filter(|said| said.matches(';').count() > 1).count() > 50, "inlined twice");
}

/// The same without names and what is inlined, where there is a line.
fn lines_only(said: &[String]) -> Vec<&str> {
    let places = said.iter().map(|said| said.split("; ").next().unwrap().rsplit(' ').next().unwrap());
    places.map(|place| if place == "?:0:0" { "-" } else { place }).collect()
}

/// The first byte of the code of which one says something else than the other.
fn difference<T: AsRef<str>>(a: &[T], b: &[T]) -> Option<String> {
    let at = a.iter().zip(b).position(|(a, b)| a.as_ref() != b.as_ref())?;
    Some(format!("{at:#x}: {} and {}", a[at].as_ref(), b[at].as_ref()))
}

#[test]
fn a_skeleton_with_what_is_inlined_needs_no_package() {
    for name in ["inlining4.wasm", "inlining5.wasm"] {
        let module = module(name);
        assert_said(&module, "split.positions");
        assert_eq!((module.split_units(), module.missing_split_units().len()), (3, 3));
    }
}

#[test]
fn a_skeleton_without_functions_has_lines() {
    for (name, positions) in
        [("split4.wasm", "split.positions"), ("split5.wasm", "split.positions"), ("least5.wasm", "least5.positions")]
    {
        let module = module(name);
        let alone = said(&module);
        let expected = expected(positions, alone.len());
        assert_eq!(difference(&lines_only(&alone), &lines_only(&expected)), None, "{name}");
        assert!(alone.iter().all(|said| said == "-" || said.starts_with("?? ")), "{name}");
        let quotient = module.offsets_of_line("orders.h", 14);
        assert!(quotient.len() > 4, "{name}: {quotient:?}");
    }
}

#[test]
fn with_its_package_it_is_as_if_the_dwarf_were_in_the_module() {
    for (name, package, positions) in [
        ("split4.wasm", "split4.dwp", "split.positions"),
        ("split5.wasm", "split5.dwp", "split.positions"),
        ("least5.wasm", "least5.dwp", "least5.positions"),
    ] {
        let module = with(name, &[package]);
        assert_said(&module, positions);
        assert!(module.split_units() >= 2);
        assert_eq!(module.missing_split_units().len(), 0, "{name}");
    }
}

#[test]
fn of_a_function_that_two_units_have_the_first_is_shown() {
    for module in [module("kept5.wasm"), with("twice5.wasm", &["twice5.dwp"])] {
        let said = assert_same(&module, "twice5.positions");
        assert!(said.iter().any(|said| said.starts_with("both first.cpp:")));
        assert!(!said.iter().any(|said| said.starts_with("both second.cpp:") || said.contains("left_out")));
    }
}

#[test]
fn a_file_of_one_unit_is_used_for_that_one() {
    let missing = module("split5.wasm");
    assert_eq!(missing.missing_split_units(), [Some("nothing.dwo"), Some("orders.dwo"), Some("settle.dwo")]);
    let missing = module("split4.wasm");
    assert_eq!(missing.missing_split_units(), [Some("nothing.dwo"), Some("orders.dwo"), Some("settle.dwo")]);
    let module = with("split5.wasm", &["orders5.dwo"]);
    assert_eq!(module.missing_split_units(), [Some("nothing.dwo"), Some("settle.dwo")]);
    assert_eq!((module.split_units(), module.missing_split_units().len()), (3, 2));
    let said = said(&module);
    let expected = expected("split.positions", said.len());
    let in_settle = |said: &String| said.contains("settle.cpp");
    let first = expected.iter().position(in_settle).unwrap();
    assert_eq!(difference(&said[..first - 1], &expected[..first - 1]), None);
    assert_eq!(difference(&lines_only(&said), &lines_only(&expected)), None);
    assert!(said[first].starts_with("?? "));
}

#[test]
fn it_may_be_given_after_positions_were_asked_for() {
    let module = module("split5.wasm");
    let alone = said(&module);
    let kept = module.locations(module.offsets_of_line("orders.h", 14)[0]);
    assert!(module.offsets_of_line("orders.h", 14).iter().all(|at| module.locations(*at)[0].function().is_none()));
    module.add_split_dwarf(&file("split5.dwp")).unwrap();
    assert_said(&module, "split.positions");
    assert_eq!(kept[0].line(), 14);
    assert!(difference(&alone, &said(&module)).is_some());
    // Once more changes nothing.
    module.add_split_dwarf(&file("split5.dwp")).unwrap();
    module.add_split_dwarf(&file("orders5.dwo")).unwrap();
    assert_said(&module, "split.positions");
}

#[test]
fn a_serialized_module_is_given_it_again() {
    let module = with("split5.wasm", &["split5.dwp"]);
    let engine = module.engine().clone();
    let loaded = Module::deserialize(&engine, &module.serialize().unwrap()).unwrap();
    assert_eq!(loaded.missing_split_units().len(), 3);
    loaded.add_split_dwarf(&file("split5.dwp")).unwrap();
    assert_said(&loaded, "split.positions");
}

#[test]
fn nothing_of_another_modules_package_is_used_and_the_log_says_so() {
    for (name, package) in [("split4.wasm", "split5.dwp"), ("split5.wasm", "least5.dwp"), ("split5.wasm", "split4.dwp")]
    {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = told.clone();
        let log = Logger::new(LogLevel::Warn, move |_, text| log.lock().unwrap().push(text.to_owned()));
        let engine = Engine::new(Config { log: Some(log), ..Config::default() }).unwrap();
        let other = Module::new(&engine, &file(name)).unwrap();
        other.add_split_dwarf(&file(package)).unwrap();
        assert!(told.lock().unwrap().is_empty(), "it is read when it is needed");
        assert_eq!(difference(&said(&other), &said(&module(name))), None, "{name} with {package}");
        assert_eq!(other.missing_split_units().len(), 3);
        let told = told.lock().unwrap();
        assert!(told.len() == 1 && told[0].contains("has none of its units"), "{told:?}");
    }
}

#[test]
fn a_file_without_units_is_none_of_another_module() {
    // It is written where all of a unit is in the module.
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let log = Logger::new(LogLevel::Warn, move |_, text| log.lock().unwrap().push(text.to_owned()));
    let engine = Engine::new(Config { log: Some(log), ..Config::default() }).unwrap();
    let module = Module::new(&engine, &file("split5.wasm")).unwrap();
    module.add_split_dwarf(b"\0asm\x01\0\0\0").unwrap();
    assert_eq!(module.missing_split_units().len(), 3);
    assert!(told.lock().unwrap().is_empty());
}

#[test]
fn a_unit_without_an_id_is_not_split() {
    let mut binary = file("split5.wasm");
    let (_, info) = sections(&binary).into_iter().find(|(name, _)| name == ".debug_info").unwrap();
    binary[info.start + 12..info.start + 20].fill(0);
    let module = Module::new(&Engine::new(Config::default()).unwrap(), &binary).unwrap();
    assert_eq!((module.split_units(), module.missing_split_units().len()), (2, 2));
    module.add_split_dwarf(&file("split5.dwp")).unwrap();
    assert_eq!((module.split_units(), module.missing_split_units().len()), (2, 0));
}

#[test]
fn what_is_no_package_is_refused() {
    let module = module("split5.wasm");
    let before = said(&module);
    let package = file("split5.dwp");
    for (bytes, why) in [
        (&b""[..], "neither a DWARF package nor a .dwo file"),
        (b"hello there", "neither a DWARF package nor a .dwo file"),
        (b"\x7fELF", "damaged ELF file"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0", "damaged ELF file"),
        (b"\0asm\x0d\0\x01\0", "no section .debug_info.dwo"),
        (&file("split5.wasm"), "no section .debug_info.dwo"),
        (&package[..package.len() / 2], "damaged Wasm file"),
    ] {
        let error = module.add_split_dwarf(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.message().contains(why), "{}", error.message());
    }
    assert_eq!(difference(&said(&module), &before), None);
}

/// The custom sections of a Wasm file.
fn sections(bytes: &[u8]) -> Vec<(String, std::ops::Range<usize>)> {
    let payloads = wasmparser::Parser::new(0).parse_all(bytes).map(Result::unwrap);
    let custom = payloads.filter_map(|payload| match payload {
        wasmparser::Payload::CustomSection(section) => {
            let start = section.data_offset() as usize;
            Some((section.name().to_owned(), start..start + section.data().len()))
        }
        _ => None,
    });
    custom.collect()
}

#[test]
fn a_package_may_be_an_elf_file() {
    let package = file("split5.dwp");
    let mut elf = object::write::Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    for (name, range) in sections(&package).into_iter().filter(|(name, _)| name.starts_with(".debug")) {
        let id = elf.add_section(Vec::new(), name.into_bytes(), SectionKind::Debug);
        elf.append_section_data(id, &package[range], 1);
    }
    let elf = elf.write().unwrap();
    let module = module("split5.wasm");
    module.add_split_dwarf(&elf).unwrap();
    assert_said(&module, "split.positions");
    // Cut off anywhere, it is refused or has fewer names.
    for end in (0..elf.len()).step_by(17) {
        let module = self::module("split5.wasm");
        let _ = module.add_split_dwarf(&elf[..end]);
        assert_eq!(module.offsets_of_line("settle.cpp", 30).len(), 2);
    }
}

#[test]
fn a_damaged_package_takes_no_line_away() {
    let engine = Engine::new(Config::default()).unwrap();
    for (name, other) in [
        ("split4.wasm", "split4.dwp"),
        ("split5.wasm", "split5.dwp"),
        ("split5.wasm", "orders5.dwo"),
        ("inlining5.wasm", "split5.dwp"),
    ] {
        let (binary, whole) = (file(name), file(other));
        let alone = said(&module(name));
        let lines = lines_only(&alone);
        let sections: Vec<_> = sections(&whole).into_iter().filter(|(_, range)| !range.is_empty()).collect();
        let mut random = 0x2545_f491_4f6c_dd1du64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below as u64) as usize
        };
        let mut changed = 0;
        let intact = said(&with(name, &[other]));
        for round in 0..250 {
            let mut damaged = whole.clone();
            for _ in 0..=round % 3 {
                let (_, range) = &sections[next(sections.len())];
                let at = range.start + next(range.len());
                match next(4) {
                    0 => damaged[at] ^= 1 << next(8),
                    1 => damaged[at] = 0xff,
                    2 => damaged[at] = next(256) as u8,
                    _ => damaged[at..range.end].fill(if next(2) == 0 { 0 } else { 0xff }),
                }
            }
            let module = Module::new(&engine, &binary).unwrap();
            if module.add_split_dwarf(&damaged).is_err() {
                continue;
            }
            let said = said(&module);
            changed += usize::from(said != intact);
            // The innermost place is the module's.
            assert_eq!(difference(&lines_only(&said), &lines), None, "{name} with {other}, round {round}");
        }
        assert!(changed > 25, "{name} with {other}: hardly anything was damaged ({changed})");
    }
}

/// A .dwo file of units of DWARF 5, each with the id and the entries given, and all of one table of abbreviations.
fn dwo(abbreviations: &[u8], units: &[([u8; 8], &[u8])]) -> Vec<u8> {
    use wasm_encoder::Section;
    let mut info = Vec::new();
    for (id, entries) in units {
        info.extend((16 + entries.len() as u32).to_le_bytes());
        info.extend([5, 0, 5, 4, 0, 0, 0, 0]); // version, DW_UT_split_compile, size of an address, table of abbreviations
        info.extend(id);
        info.extend(*entries);
    }
    let mut file = b"\0asm\x01\0\0\0".to_vec();
    for (name, data) in [(".debug_abbrev.dwo", abbreviations), (".debug_info.dwo", &info)] {
        wasm_encoder::CustomSection { name: name.into(), data: data.into() }.append_to(&mut file);
    }
    file
}

#[test]
fn what_takes_too_much_work_takes_no_line_away() {
    let skeleton = file("split5.wasm");
    let (_, info) = sections(&skeleton).into_iter().find(|(name, _)| name == ".debug_info").unwrap();
    let id: [u8; 8] = skeleton[info.start + 12..info.start + 20].try_into().unwrap();
    let unit = [1, 0x11, 1, 0, 0]; // 1: DW_TAG_compile_unit, with children, without attributes
    // 2: a function at the unit's first address, of one byte, with very many attributes that take no space.
    let flags = [&[2, 0x2e, 0, 0x11, 0x1b, 0x12, 0x0b], [0x3f, 0x19].repeat(200_000).as_slice(), &[0, 0, 0]].concat();
    let function = [2, 0, 1];
    let many = [&[1][..], &function.repeat(300_000), &[0]].concat();
    let heavy = dwo(&[&unit, &flags[..]].concat(), &[(id, &many)]);
    // Very many units that share a long table.
    let long: Vec<u8> = (0x4000..60_000u32)
        .flat_map(|code| [code as u8 | 0x80, (code >> 7) as u8 | 0x80, (code >> 14) as u8, 0x2e, 0, 0, 0])
        .collect();
    let shared = dwo(&[&unit[..], &long].concat(), &vec![(id, &[1, 0][..]); 100_000]);
    for (what, bytes) in [("entries", heavy), ("units", shared)] {
        let begin = std::time::Instant::now();
        let with_all = with("split5.wasm", &["split5.dwp"]);
        with_all.add_split_dwarf(&bytes).unwrap();
        assert_said(&with_all, "split.positions");
        for name in ["split5.wasm", "inlining5.wasm"] {
            let module = module(name);
            let alone = said(&module);
            module.add_split_dwarf(&bytes).unwrap();
            assert_eq!(difference(&said(&module), &alone), None, "{what} for {name}");
            assert_eq!(module.missing_split_units().len(), 2, "{what} for {name}");
            module.add_split_dwarf(&file("split5.dwp")).unwrap();
            let sum = module.locations(module.offsets_of_line("settle.cpp", 30)[0]);
            assert_eq!(sum[0].function(), Some("settle"), "what is not damaged is found in the next file");
        }
        assert!(begin.elapsed().as_secs() < 20, "{what}: {:?}", begin.elapsed());
    }
}

#[test]
fn a_full_index_takes_no_longer() {
    use wasm_encoder::Section;
    // A module of many units that are split, and a package whose index has a table of very many ids, all of them
    // others.
    let mut info = Vec::new();
    for id in 0..30_000u64 {
        info.extend(17u32.to_le_bytes());
        info.extend([5, 0, 4, 4, 0, 0, 0, 0]); // version, DW_UT_skeleton, size of an address, table of abbreviations
        info.extend((1 + id).to_le_bytes());
        info.push(1);
    }
    let mut binary = wat::parse_str("(module (func nop))").unwrap();
    for (name, data) in [(".debug_abbrev", &[1, 0x4a, 0, 0, 0, 0][..]), (".debug_info", &info)] {
        wasm_encoder::CustomSection { name: name.into(), data: data.into() }.append_to(&mut binary);
    }
    let slots = 1u32 << 19;
    let mut index: Vec<u8> = [5, 0, 0, slots].into_iter().flat_map(u32::to_le_bytes).collect();
    index.extend((0..slots).flat_map(|_| u64::MAX.to_le_bytes()));
    index.extend(vec![0; 4 * slots as usize]);
    let mut package = b"\0asm\x01\0\0\0".to_vec();
    for (name, data) in [(".debug_cu_index", &index[..]), (".debug_info.dwo", &[0][..])] {
        wasm_encoder::CustomSection { name: name.into(), data: data.into() }.append_to(&mut package);
    }
    let module = Module::new(&Engine::new(Config::default()).unwrap(), &binary).unwrap();
    module.add_split_dwarf(&package).unwrap();
    let begin = std::time::Instant::now();
    let missing = module.missing_split_units().len();
    assert!(missing > 1000, "{missing} units");
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
}

#[test]
fn a_package_without_its_index_is_not_read_as_another_file() {
    let mut package = file("split5.dwp");
    let (_, index) = sections(&package).into_iter().find(|(name, _)| name == ".debug_cu_index").unwrap();
    package[index.start] = 77; // its version
    let module = module("split5.wasm");
    let alone = said(&module);
    module.add_split_dwarf(&package).unwrap();
    assert_eq!(difference(&said(&module), &alone), None);
    assert_eq!(module.missing_split_units().len(), 3);
}

#[test]
fn asking_often_does_not_use_up_what_may_be_read() {
    // The second unit is in no file, and there are more files than are needed.
    let module = with("split5.wasm", &["orders5.dwo", "orders5.dwo"]);
    let settle = module.offsets_of_line("settle.cpp", 30)[0];
    for _ in 0..20_000 {
        assert_eq!(module.locations(settle)[0].line(), 30);
    }
    module.add_split_dwarf(&file("split5.dwp")).unwrap();
    assert_said(&module, "split.positions");
}
