//! The limits of a module that engines have agreed on: one above each is refused by its name, at its place; one at it
//! is accepted.

use std::time::Instant;
use stepwell::*;

/// A number as the binary format has it.
fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A section's items: how many, and their bytes.
struct Items(u32, Vec<u8>);

/// So many of the same.
fn times(count: u32, item: &[u8]) -> Items {
    Items(count, item.repeat(count as usize))
}

/// One, of these parts.
fn one(parts: &[&[u8]]) -> Items {
    Items(1, parts.concat())
}

/// A module of sections: their numbers and items.
struct Sections(Vec<u8>);

const TYPE: u8 = 1;
const IMPORT: u8 = 2;
const FUNCTION: u8 = 3;
const TABLE: u8 = 4;
const MEMORY: u8 = 5;
const GLOBAL: u8 = 6;
const EXPORT: u8 = 7;
const ELEMENT: u8 = 9;
const CODE: u8 = 10;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;
const TAG: u8 = 13;

impl Sections {
    fn new() -> Sections {
        Sections(b"\0asm\x01\0\0\0".to_vec())
    }

    fn with(mut self, id: u8, Items(count, bytes): Items) -> Sections {
        let count = leb(count);
        self.0.push(id);
        self.0.extend(leb((count.len() + bytes.len()) as u32));
        self.0.extend(count);
        self.0.extend(bytes);
        self
    }

    /// With one type of functions, without parameters and results.
    fn with_type(self) -> Sections {
        self.with(TYPE, one(&[FUNC]))
    }

    /// Where the items of a section of so many bytes would begin that comes next: their number.
    fn next(&self, bytes: usize) -> usize {
        self.0.len() + 1 + leb(bytes as u32).len()
    }
}

/// The type of functions without parameters and results.
const FUNC: &[u8] = &[0x60, 0, 0];
const I32: u8 = 0x7f;
/// A global `i32`, 0.
const GLOBAL_ZERO: &[u8] = &[I32, 0, 0x41, 0, 0x0b];
/// A body without locals and instructions, with its length.
const BODY: &[u8] = &[2, 0, 0x0b];

/// Different names of three bytes, with their length.
fn name(n: u32) -> [u8; 4] {
    let letter = |at: u32| b' ' + (n / 95u32.pow(at) % 95) as u8;
    // No name is more than three characters: a million of them are 96 * 96 * 96 and more.
    [3, letter(0), letter(1), if n < 95u32.pow(3) { letter(2) } else { b'\n' }]
}

fn features() -> Features {
    Features { gc: true, custom_page_sizes: true, ..Features::default() }
}

fn validate(binary: &[u8]) -> Result<()> {
    let engine = Engine::new(Config { features: features(), ..Config::default() })?;
    Module::validate(&engine, binary)
}

/// Both are quick, and say what they should.
fn check(at: Option<Sections>, above: Sections, said: &str, offset: usize) {
    let begin = Instant::now();
    if let Some(Sections(binary)) = at {
        validate(&binary).unwrap_or_else(|error| panic!("{said}: but {error}"));
    }
    let error = validate(&above.0).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Limit, said), "{error}");
    assert_eq!(error.offset().map(|at| at.index()), Some(offset), "{error}");
    eprintln!("{said}: {:?}", begin.elapsed());
    // The machine may be busy.
    assert!(begin.elapsed().as_secs() < 60, "{said}: {:?}", begin.elapsed());
}

/// A limit on a section's items, of which each takes these bytes.
fn check_section(before: fn() -> Sections, id: u8, most: u32, item: &[u8], said: &str) {
    let bytes = |count: u32| leb(count).len() + item.len() * count as usize;
    let offset = before().next(bytes(most + 1));
    check(Some(before().with(id, times(most, item))), before().with(id, times(most + 1, item)), said, offset);
}

#[test]
fn bytes() {
    // A section of the host's, of which nobody looks at the bytes.
    let module = |bytes: usize| {
        let mut binary = Sections::new().0;
        let rest = bytes - binary.len() - 6;
        binary.push(0);
        binary.extend(leb(rest as u32));
        assert_eq!(binary.len() + rest, bytes);
        // It is not written to, so it takes no memory.
        let mut all = vec![0; bytes];
        all[..binary.len()].copy_from_slice(&binary);
        Sections(all)
    };
    let said = "a module has at most 1073741824 bytes, and this has 1073741825";
    check(Some(module(1 << 30)), module((1 << 30) + 1), said, 1 << 30);
}

#[test]
fn types() {
    let said = "a module has at most 1000000 types, in at most 1000000 groups";
    check_section(Sections::new, TYPE, 1_000_000, FUNC, said);
    check_section(Sections::new, TYPE, 1_000_000, &[0x4e, 0], said);
    // Two groups with that many together: the second is one too many.
    let group = |count: u32| [&[0x4e][..], &leb(count), &FUNC.repeat(count as usize)].concat();
    let two = |count: u32| Sections::new().with(TYPE, Items(2, [group(600_000), group(count)].concat()));
    let second = two(400_001).0.len() - group(400_001).len();
    check(Some(two(400_000)), two(400_001), said, second);
}

#[test]
fn types_of_a_group() {
    let group =
        |count: u32| Sections::new().with(TYPE, one(&[&[0x4e], &leb(count), &[0x5f, 0].repeat(count as usize)]));
    let offset = group(1_000_001).0.len() - 2 * 1_000_001 - 3;
    let said = "a recursion group has at most 1000000 types";
    check(Some(group(1_000_000)), group(1_000_001), said, offset);
    // A group that says so and is not there takes no memory.
    let said_only = Sections::new().with(TYPE, one(&[&[0x4e], &leb(1_000_000)]));
    assert_eq!(validate(&said_only.0).unwrap_err().kind(), ErrorKind::InvalidModule);
}

#[test]
fn types_above_a_type() {
    // Each an open structure below the one before.
    let types = |count: u32| {
        let below = (1..count).flat_map(|n| [&[0x50, 1][..], &leb(n - 1), &[0x5f, 0]].concat());
        Sections::new().with(TYPE, Items(count, [0x50, 0, 0x5f, 0].into_iter().chain(below).collect()))
    };
    let said = "a type has at most 63 types above it, one above the other";
    let last = types(65).0.len() - 5;
    check(Some(types(64)), types(65), said, last);
}

#[test]
fn parameters_and_results() {
    let ty = |params: u32, results: u32| {
        let list = |count: u32| [leb(count), vec![I32; count as usize]].concat();
        Sections::new().with(TYPE, one(&[&[0x60], &list(params), &list(results)]))
    };
    let start = ty(1001, 0).0.len() - 1001 - 3;
    check(Some(ty(1000, 1000)), ty(1001, 0), "a function type has at most 1000 parameters", start);
    let start = ty(5, 1001).0.len() - 1001 - 2;
    check(None, ty(5, 1001), "a function type has at most 1000 results", start);
}

#[test]
fn fields() {
    let ty = |count: u32| Sections::new().with(TYPE, one(&[&[0x5f], &leb(count), &[I32, 0].repeat(count as usize)]));
    let start = ty(10_001).0.len() - 2 * 10_001 - 2;
    check(Some(ty(10_000)), ty(10_001), "a struct type has at most 10000 fields", start);
}

#[test]
fn functions() {
    let said = "a module has at most 1000000 functions, imported ones among them";
    let functions = |count: u32| Sections::new().with_type().with(FUNCTION, times(count, &[0]));
    let start = Sections::new().with_type().next(3 + 1_000_001);
    check(Some(functions(1_000_000).with(CODE, times(1_000_000, BODY))), functions(1_000_001), said, start);
    // One of them is imported.
    let one_more = Sections::new().with_type().with(IMPORT, one(&[&[0, 0, 0, 0]]));
    let start = one_more.next(3 + 1_000_000);
    check(None, one_more.with(FUNCTION, times(1_000_000, &[0])), said, start);
}

#[test]
fn imports() {
    // Of globals: names may be the same.
    let import: &[u8] = &[0, 0, 3, I32, 0];
    let imports = |count: u32| Sections::new().with(IMPORT, times(count, import));
    let start = Sections::new().next(3 + 5 * 1_000_001);
    check(Some(imports(999_998)), imports(1_000_001), "a module has at most 1000000 imports", start);
}

#[test]
fn exports() {
    let exports = |count: u32| {
        let items = (0..count).flat_map(|n| [&name(n)[..], &[3, 0]].concat()).collect();
        Sections::new().with(GLOBAL, one(&[GLOBAL_ZERO])).with(EXPORT, Items(count, items))
    };
    let start = Sections::new().with(GLOBAL, one(&[GLOBAL_ZERO])).next(3 + 6 * 1_000_001);
    check(Some(exports(850_000)), exports(1_000_001), "a module has at most 1000000 exports", start);
}

#[test]
fn types_of_imports_and_exports() {
    let said = "a module's imports and exports have a size of at most 999998 together: 1 each, and for a function or \
                tag 1 more and 1 for each parameter and result";
    // Of a size of 1,002, all but those of globals.
    let list = [leb(1000), vec![I32; 1000]].concat();
    let module = |globals: u32| {
        let ty = one(&[&[0x60], &list, &[0]]);
        let imports = [[0, 0, 0, 0].repeat(998), [0, 0, 3, I32, 0].repeat(globals as usize)].concat();
        Sections::new().with(TYPE, ty).with(IMPORT, Items(998 + globals, imports))
    };
    let last = module(3).0.len() - 5;
    check(Some(module(2)), module(3), said, last);
    // Each counts that shares a name and a type.
    let compact = |count: u32| {
        let group = [&[0, 0, 0x7e, 3, I32, 0][..], &leb(count), &vec![0; count as usize]].concat();
        Sections::new().with(IMPORT, one(&[&group]))
    };
    let last = compact(999_999).0.len() - 1;
    check(Some(compact(999_998)), compact(999_999), said, last);
}

#[test]
fn globals() {
    let said = "a module has at most 1000000 globals, imported ones among them";
    check_section(Sections::new, GLOBAL, 1_000_000, GLOBAL_ZERO, said);
}

#[test]
fn tags() {
    let said = "a module has at most 1000000 tags, imported ones among them";
    check_section(|| Sections::new().with_type(), TAG, 1_000_000, &[0, 0], said);
}

#[test]
fn tables() {
    let said = "a module has at most 100000 tables, imported ones among them";
    check_section(Sections::new, TABLE, 100_000, &[0x70, 0, 0], said);
    let imported = || Sections::new().with(IMPORT, one(&[&[0, 0, 1, 0x70, 0, 0]]));
    let start = imported().next(3 + 3 * 100_000);
    check(None, imported().with(TABLE, times(100_000, &[0x70, 0, 0])), said, start);
}

#[test]
fn memories() {
    check_section(Sections::new, MEMORY, 100, &[0, 0], "a module has at most 100 memories, imported ones among them");
}

#[test]
fn element_segments() {
    check_section(Sections::new, ELEMENT, 100_000, &[1, 0, 0], "a module has at most 100000 element segments");
}

#[test]
fn elements() {
    let module = |count: u32, expressions: bool| {
        let function = Sections::new().with_type().with(IMPORT, one(&[&[0, 0, 0, 0]]));
        let (head, item): (&[u8], &[u8]) =
            if expressions { (&[5, 0x70], &[0xd0, 0x70, 0x0b]) } else { (&[1, 0], &[0]) };
        function.with(ELEMENT, one(&[head, &leb(count), &item.repeat(count as usize)]))
    };
    let said = "an element segment has at most 10000000 elements";
    for (expressions, size) in [(false, 1), (true, 3)] {
        let start = module(10_000_001, expressions).0.len() - size * 10_000_001 - 4 - 2;
        check(Some(module(10_000_000, expressions)), module(10_000_001, expressions), said, start);
    }
}

#[test]
fn data_segments() {
    let said = "a module has at most 100000 data segments";
    check_section(Sections::new, DATA, 100_000, &[1, 0], said);
    let count = Sections::new().with(DATA_COUNT, Items(100_001, vec![]));
    let start = count.0.len() - 3;
    check(None, count, said, start);
}

/// A module of one function without parameters: its locals, and its instructions without the last `end`.
fn function(locals: &[u8], instructions: &[u8]) -> Sections {
    let body = [locals, instructions, &[0x0b]].concat();
    let one_function = Sections::new().with_type().with(FUNCTION, one(&[&[0]]));
    one_function.with(CODE, one(&[&leb(body.len() as u32), &body]))
}

#[test]
fn bytes_of_a_body() {
    // `nop`s.
    let module = |bytes: usize| function(&[0], &vec![1; bytes - 2]);
    let above = module(7_654_322);
    let start = above.0.len() - 7_654_322;
    check(Some(module(7_654_321)), above, "a function's body has at most 7654321 bytes", start);
}

#[test]
fn locals() {
    let said = "a function has at most 50000 locals, its parameters among them";
    let module =
        |first: u32, second: u32| function(&[&[2], &leb(first)[..], &[I32], &leb(second), &[0x70]].concat(), &[]);
    let above = module(1, 50_000);
    let second = above.0.len() - 1 - 4;
    check(Some(module(1, 49_999)), above, said, second);
    // More than there are numbers for.
    let above = module(0xffff_ffff, 0xffff_ffff);
    let error = validate(&above.0).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Limit, said));
    // A parameter is one.
    let module = |count: u32| {
        let body = [&[1][..], &leb(count), &[I32, 0x0b]].concat();
        let ty = Sections::new().with(TYPE, one(&[&[0x60, 1, I32, 0]]));
        ty.with(FUNCTION, one(&[&[0]])).with(CODE, one(&[&leb(body.len() as u32), &body]))
    };
    let above = module(50_000);
    let first = above.0.len() - 1 - 4;
    check(Some(module(49_999)), above, said, first);
}

#[test]
fn clauses() {
    // Each catches all, and branches to the body's end.
    let module = |count: u32| {
        function(&[0], &[&[0x1f, 0x40][..], &leb(count), &[2, 0].repeat(count as usize), &[0x0b]].concat())
    };
    let above = module(10_001);
    let count = above.0.len() - 2 - 2 * 10_001 - 2;
    check(Some(module(10_000)), above, "a try_table has at most 10000 catch clauses", count);
}

#[test]
fn targets() {
    let module =
        |count: u32| function(&[0], &[&[0x41, 0, 0x0e][..], &leb(count), &vec![0; count as usize + 1]].concat());
    let above = module(65_521);
    let instruction = above.0.len() - 1 - 65_522 - 3 - 1;
    check(Some(module(65_520)), above, "a br_table has 65521 targets; at most 65520 are allowed", instruction);
    // More than there are bytes for.
    let claimed = function(&[0], &[&[0x41, 0, 0x0e][..], &leb(7_654_322)].concat());
    let count = claimed.0.len() - 1 - 4;
    check(None, claimed, "a br_table has at most 65520 targets", count);
}

#[test]
fn bytes_of_a_name() {
    let module = |bytes: u32| {
        let export = [&leb(bytes)[..], &vec![b'a'; bytes as usize], &[3, 0]].concat();
        Sections::new().with(GLOBAL, one(&[GLOBAL_ZERO])).with(EXPORT, Items(1, export))
    };
    let above = module(100_001);
    let end_of_length = above.0.len() - 2 - 100_001 - 1;
    check(Some(module(100_000)), above, "a name has at most 100000 bytes", end_of_length);
}

#[test]
fn operands_of_a_new_array() {
    let said = "an array.new_fixed has at most 10000 operands, and this has 10001";
    let array = || Sections::new().with(TYPE, Items(2, [FUNC, &[0x5e, I32, 0]].concat()));
    let zeros = |count: u32| [[0x41, 0].repeat(count as usize), [0xfb, 8, 1].to_vec(), leb(count)].concat();
    let code = |instructions: &[u8]| {
        let body = [&[0], instructions, &[0x1a, 0x0b]].concat();
        array().with(FUNCTION, one(&[&[0]])).with(CODE, one(&[&leb(body.len() as u32), &body]))
    };
    let above = code(&zeros(10_001));
    let instruction = above.0.len() - 2 - 5;
    check(Some(code(&zeros(10_000))), above, said, instruction);
    // Where nothing leads to it, too.
    let above = code(&[&[0][..], &[0xfb, 8, 1], &leb(10_001)].concat());
    let instruction = above.0.len() - 2 - 5;
    check(Some(code(&[&[0][..], &[0xfb, 8, 1], &leb(10_000)].concat())), above, said, instruction);
    // And what a global is at first.
    let global = |count: u32| array().with(GLOBAL, one(&[&[0x63, 1, 0], &zeros(count), &[0x0b]]));
    let above = global(10_001);
    let instruction = above.0.len() - 1 - 5;
    check(Some(global(10_000)), above, said, instruction);
}

/// Blocks within each other are limited by the bytes of a body alone.
#[test]
fn nesting() {
    let module =
        |opening: u8, count: usize| function(&[0], &[[opening, 0x40].repeat(count), vec![0x0b; count]].concat());
    let engine = Engine::new(Config { debug: true, debug_eagerly: true, ..Config::default() }).unwrap();
    for opening in [0x02, 0x03] {
        let begin = Instant::now();
        validate(&module(opening, 2_551_000).0).unwrap();
        Module::new(&engine, &module(opening, 200_000).0).unwrap();
        assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
    }
}

/// What a few bytes ask for is not done before it is known whether they may.
#[test]
fn small_modules_that_ask_for_much_are_refused_quickly() {
    // Each of a million functions has as many locals as one may have.
    let body: &[u8] = &[6, 1, 0xd0, 0x86, 3, I32, 0x0b];
    let Sections(binary) =
        Sections::new().with_type().with(FUNCTION, times(1_000_000, &[0])).with(CODE, times(1_000_000, body));
    let begin = Instant::now();
    let error = validate(&binary).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    eprintln!("{:?}", begin.elapsed());
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}
