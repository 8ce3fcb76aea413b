//! Modules with lines that a test says: DWARF 4, with one unit, one function of the source for each that has lines, and
//! a line table.

use std::collections::BTreeMap;
use stepwell::base::DefinedFuncIndex;
use stepwell::internals::wasm::Instructions;
use stepwell::runtime::{Config, Engine, Module};

/// A row: from this instruction of the function on, code is of this line; whether a statement begins there.
pub type Row = (usize, u32, bool);

/// Where instructions are: the function's name, and which of its instructions it is, by offset.
pub fn places(module: &Module) -> BTreeMap<u32, (String, usize)> {
    let info = module.info();
    let mut places = BTreeMap::new();
    for body in 0..info.bodies.len() {
        let defined = DefinedFuncIndex::new(body as u32);
        let name = info.func_name(info.func_index(defined)).unwrap_or("?").to_owned();
        for (i, read) in Instructions::of(&info.body(defined, module.binary()).unwrap()).unwrap().enumerate() {
            places.insert(read.unwrap().at.get(), (name.clone(), i));
        }
    }
    places
}

/// A module from its text, with lines for these functions.
pub fn with_lines(text: &str, functions: &[(&str, &[Row])]) -> Vec<u8> {
    let mut binary = wat::parse_str(text).unwrap();
    let engine = Engine::new(Config::default()).unwrap();
    let module = Module::new(&engine, &binary).unwrap();
    let places = places(&module);
    let code = module.code_start().get();
    let address = |name: &str, instruction: usize| {
        let found = places.iter().find(|place| place.1.0 == name && place.1.1 == instruction);
        found.unwrap_or_else(|| panic!("no instruction {instruction} in {name}")).0 - code
    };
    let body = |name: &str| {
        let info = module.info();
        let func = info.defined(info.func_named(name).unwrap()).unwrap();
        let bytes = &info.bodies[func.index()].bytes;
        (bytes.start as u32 - code, bytes.end as u32 - code)
    };
    let end = module.info().bodies.last().unwrap().bytes.end as u32 - code;
    let mut info = vec![1];
    info.extend(0u32.to_le_bytes());
    info.extend(0u32.to_le_bytes());
    info.extend(end.to_le_bytes());
    info.extend(b"t.c\0");
    let mut line = Vec::new();
    for (name, rows) in functions {
        let (begin, end) = body(name);
        info.push(2);
        info.extend(name.bytes());
        info.push(0);
        info.extend(begin.to_le_bytes());
        info.extend((end - begin).to_le_bytes());
        let (mut at, mut statement) = (1i64, true);
        for &(instruction, number, is) in *rows {
            line.extend([0, 5, 2]);
            // A function's first row is of what is before its first instruction, too.
            let address = if instruction == 0 { begin } else { address(name, instruction) };
            line.extend(address.to_le_bytes());
            line.push(3);
            sleb(&mut line, i64::from(number) - at);
            at = i64::from(number);
            if statement != is {
                line.push(6);
                statement = is;
            }
            line.push(1);
        }
        line.extend([0, 5, 2]);
        line.extend(end.to_le_bytes());
        line.extend([0, 1, 1]);
    }
    info.push(0);
    let abbreviations = b"\x01\x11\x01\x10\x17\x11\x01\x12\x06\x03\x08\0\0\x02\x2e\0\x03\x08\x11\x01\x12\x06\0\0\0";
    let mut unit = Vec::new();
    unit.extend((info.len() as u32 + 7).to_le_bytes());
    unit.extend(4u16.to_le_bytes());
    unit.extend(0u32.to_le_bytes());
    unit.push(4);
    unit.extend(info);
    let mut header = vec![1, 1, 1, 0xfb, 14, 13];
    header.extend([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]);
    header.extend(b"\0t.c\0\0\0\0\0");
    let mut table = Vec::new();
    table.extend((2 + 4 + header.len() as u32 + line.len() as u32).to_le_bytes());
    table.extend(4u16.to_le_bytes());
    table.extend((header.len() as u32).to_le_bytes());
    table.extend(header);
    table.extend(line);
    for (name, contents) in [(".debug_abbrev", &abbreviations[..]), (".debug_info", &unit), (".debug_line", &table)] {
        let mut section = vec![name.len() as u8];
        section.extend(name.bytes());
        section.extend(contents);
        binary.push(0);
        uleb(&mut binary, section.len());
        binary.extend(section);
    }
    binary
}

fn uleb(to: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn sleb(to: &mut Vec<u8>, mut number: i64) {
    while !(-0x40..0x40).contains(&number) {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8 & 0x7f);
}
