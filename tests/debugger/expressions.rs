//! Expressions: numbers against a C compiler's word, registers and memory of Wasm, variables of the source, what may be
//! assigned and called, what is wrong with a text and where, and texts that nobody would write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use stepwell::base::{Error, ErrorKind};
use stepwell::debug::{
    Action, BreakRequest, Condition, Debugger, EvaluateOptions, Expression, FrameVariable, Reason, Stop, WatchKind,
    error_columns,
};
use stepwell::dwarf::{Scalar, ValueKind};
use stepwell::runtime::{Config, DebugTier, Engine, Instance, Linker, Module, Store, Val};

const TIERS: [DebugTier; 2] = [DebugTier::Simple, DebugTier::Regions];
const ALL: EvaluateOptions = {
    let mut all = EvaluateOptions { level: 0, assign: false, call: false };
    (all.assign, all.call) = (true, true);
    all
};

fn support(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/dwarf");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `work` has two operands on its stack where it adds them.
const TEXT: &str = r#"(module
    (memory (export "m") 1)
    (data (i32.const 16) "\07\00\00\00\ff\ff\ff\ff\00\00\c0\3f")
    (global $counter (export "g") (mut i64) (i64.const 40))
    (global $fixed f64 (f64.const 2.5))
    (table 1 funcref)
    (elem (i32.const 0) $twice)
    (func $twice (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
    (func (export "swap") (param i32 i32) (result i32 i32) (local.get 1) (local.get 0))
    (func (export "set") (param i64) (global.set 0 (local.get 0)))
    (func (export "dies") (unreachable))
    (func (export "self") (result funcref) (ref.func $twice))
    (func (export "takes") (param externref))
    (func $work (export "work") (param $n i32) (param $big i64) (result i32)
        (local $f f32) (local $d f64) (local $v v128) (local $r funcref) (local $x externref)
        (local.set $f (f32.const 1.5))
        (local.set $d (f64.const -0.25))
        (local.set $v (v128.const i32x4 1 2 3 4))
        (local.set $r (ref.func $twice))
        (call $twice (i32.const 20))
        (local.get $n)
        (i32.add)))"#;

/// Runs `work(n, big)` and stops where it adds; what it gives.
fn at_work(tier: DebugTier, look: impl Fn(&mut Stop<'_>) + Send + Sync + 'static) -> i32 {
    let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let stops = Arc::new(Mutex::new(0));
    let seen = stops.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        // A trap of what is called is told as well.
        if matches!(stop.reason(), Reason::Breakpoint(_)) {
            *seen.lock().unwrap() += 1;
            look(stop);
        }
        Action::Continue
    })
    .unwrap();
    let work = module.info().bodies.last().unwrap().bytes.clone();
    // The addition is the last but the end.
    let add = stepwell::base::WasmOffset::from_usize(work.end - 2);
    debugger.break_at(&mut store, &module, add).unwrap();
    let work = instance.export(&mut store, "work").and_then(|item| item.func()).unwrap();
    let mut results = [Val::I32(0)];
    work.call(&mut store, &[Val::I32(-3), Val::I64(1 << 40)], &mut results).unwrap();
    assert_eq!(*stops.lock().unwrap(), 1);
    results[0].i32().unwrap()
}

/// An expression's type and text.
fn told(stop: &mut Stop<'_>, text: &str) -> Result<(String, String), Error> {
    let found = stop.evaluate(0, text, ALL)?;
    let frame = stop.top().unwrap();
    Ok((found.type_name(&frame)?, found.text(&frame)?))
}

/// Holds expressions against types and texts; of one that ends in `..` the start.
fn hold(stop: &mut Stop<'_>, table: &[(&str, &str, &str)]) {
    for (text, ty, value) in table {
        let (found_type, mut found) = told(stop, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let start = value.strip_suffix("..").unwrap_or(value);
        if start.len() < value.len() {
            found.truncate(start.len());
        }
        assert_eq!((&*found_type, &*found), (*ty, start), "{text}");
    }
}

#[test]
fn constants_and_operators_are_those_of_c() {
    at_work(DebugTier::Regions, |stop| {
        hold(
            stop,
            &[
                ("1", "int", "1"),
                ("0x7fffffff", "int", "2147483647"),
                ("0xffffffff", "unsigned int", "4294967295"),
                ("4294967295", "long long", "4294967295"),
                ("-2147483648", "long long", "-2147483648"),
                ("-2147483647 - 1", "int", "-2147483648"),
                ("2147483647 + 1", "int", "-2147483648"),
                ("0u - 1", "unsigned int", "4294967295"),
                ("18446744073709551615", "unsigned long long", "18446744073709551615"),
                ("0777 + 0b101 + 0o10", "int", "524"),
                ("10ull", "unsigned long long", "10"),
                ("10l + 1", "long", "11"),
                ("10L + 1u", "unsigned long", "11"),
                ("10LL + 1u", "long long", "11"),
                ("1_000", "int", "1000"),
                ("200u8 + 100u8", "int", "300"),
                ("255u8", "u8", "255"),
                ("1.5", "double", "1.5"),
                (".5 + 1.", "double", "1.5"),
                ("1e3", "double", "1000.0"),
                ("1.5f", "float", "1.5"),
                ("0.1f + 0.2f", "float", "0.3"),
                ("0.1 + 0.2", "double", "0.30000000000000004"),
                ("1 / 3.0f", "float", "0.33333334"),
                ("'a'", "int", "97"),
                ("'\\n' + '\\x41' + '\\0' + '\\''", "int", "114"),
                ("'\\xff'", "int", "-1"),
                ("'\u{e9}'", "int", "233"),
                ("true", "bool", "true"),
                ("true + true", "int", "2"),
                ("!5", "bool", "false"),
                ("1 < 2", "bool", "true"),
                ("3 > 2 > 1", "bool", "false"),
                ("1 ? 2 : 3", "int", "2"),
                ("0 ? 2 : 3.5", "double", "3.5"),
                ("1 ? 2 : 3.5", "double", "2.0"),
                ("1 ? -1 : 1u", "unsigned int", "4294967295"),
                ("0 ? 1 : 0 ? 2 : 3", "int", "3"),
                ("1 || 1 / 0", "bool", "true"),
                ("0 && 1 / 0", "bool", "false"),
                ("~0", "int", "-1"),
                ("~0u >> 1", "unsigned int", "2147483647"),
                ("-1 >> 1", "int", "-1"),
                ("1 << 31", "int", "-2147483648"),
                ("1ll << 40", "long long", "1099511627776"),
                ("7 / -2", "int", "-3"),
                ("-7 % 3", "int", "-1"),
                ("(-2147483647 - 1) / -1", "int", "-2147483648"),
                ("6 & 3 | 8 ^ 1", "int", "11"),
                ("1 + 2 * 3 - -4", "int", "11"),
                ("-1 < 1u", "bool", "false"),
                ("(char)65", "char", "65 'A'"),
                ("(signed char)200", "signed char", "-56"),
                ("(unsigned char)-1", "unsigned char", "255"),
                ("(unsigned short int)-1", "unsigned short", "65535"),
                ("(long unsigned)1", "unsigned long", "1"),
                ("(unsigned)1.9", "unsigned int", "1"),
                ("(int)-1.9", "int", "-1"),
                ("(float)16777217", "float", "16777216.0"),
                ("(_Bool)0.5", "bool", "true"),
                ("(uint16_t)65537", "unsigned short", "1"),
                ("(int64_t)1", "long long", "1"),
                ("(size_t)-1", "unsigned long", "4294967295"),
                ("(u8)300 + u8(300)", "int", "88"),
                ("u64(-1)", "u64", "18446744073709551615"),
                ("(__int128)1 << 100", "__int128", "1267650600228229401496703205376"),
                ("nan == nan", "bool", "false"),
                ("-inf < 0", "bool", "true"),
                ("nullptr == 0", "bool", "true"),
            ],
        );
    });
}

#[test]
fn registers_and_memory_can_be_computed_with() {
    for tier in TIERS {
        at_work(tier, |stop| {
            let pc = stop.top().unwrap().offset();
            hold(
                stop,
                &[
                    ("$local0", "i32", "-3"),
                    ("local(0)", "i32", "-3"),
                    ("$n", "i32", "-3"),
                    ("$local1", "i64", "1099511627776"),
                    ("$big / 2", "long long", "549755813888"),
                    ("$local2", "f32", "1.5"),
                    ("$f * $d", "double", "-0.375"),
                    ("$local4", "v128", "0x00000004000000030000000200000001"),
                    ("$local5", "funcref", "function 0 twice"),
                    ("$x", "externref", "null"),
                    ("$global0", "i64", "40"),
                    ("$counter", "i64", "40"),
                    ("global(1)", "f64", "2.5"),
                    // The bottom of the stack is the first, as among the frame's operands.
                    ("$stack0", "i32", "40"),
                    ("$stack1", "i32", "-3"),
                    ("$stack0 + $stack1", "int", "37"),
                    ("$pc", "u32", &pc.to_string()),
                    ("i32[16]", "i32", "7"),
                    ("i32[20]", "i32", "-1"),
                    ("u32[20]", "u32", "4294967295"),
                    ("u8[20] + i8[20]", "int", "254"),
                    ("f32[24]", "f32", "1.5"),
                    ("u64[16] >> 32", "unsigned long long", "4294967295"),
                    ("u128[16] & 7", "unsigned __int128", "7"),
                    ("i32[i32[16] + 9]", "i32", "7"),
                    ("&i32[16]", "unsigned int", "16"),
                    ("$local0 < 0 ? i32[16] : 1.5", "double", "7.0"),
                    ("(u32)$local0", "u32", "4294967293"),
                    ("-$local0", "int", "3"),
                ],
            );
            let found = stop.evaluate(0, "i32[16]", ALL).unwrap();
            let frame = stop.top().unwrap();
            assert_eq!(found.address(&frame).unwrap().map(|at| at.get()), Some(16));
            assert_eq!((found.size(&frame).unwrap(), found.kind(&frame).unwrap()), (4, ValueKind::Number));
            assert_eq!(found.number(&frame).unwrap(), Scalar::Signed(7));
            assert_eq!((found.child_count(&frame).unwrap(), found.name()), (0, "i32[16]"));
            let found = frame.variable(0, "$local5").unwrap();
            assert_eq!((found.kind(&frame).unwrap(), found.missing(&frame).unwrap()), (ValueKind::Opaque, None));
            assert_eq!(found.number(&frame).unwrap_err().kind(), ErrorKind::Argument);
            let found = frame.variable(0, "$local0 * 2").unwrap();
            assert_eq!((found.number(&frame).unwrap(), found.address(&frame).unwrap()), (Scalar::Signed(-6), None));
            // What cannot be read is said in the text, and is an error to compute with.
            let far = frame.variable(0, "i32[65533]").unwrap();
            assert!(far.text(&frame).unwrap().contains("no 4 bytes at 0xfffd"));
            assert_eq!(frame.variable(0, "i32[65533] + 1").unwrap_err().kind(), ErrorKind::State);
        });
    }
}

#[test]
fn errors_point_at_what_is_wrong() {
    at_work(DebugTier::Regions, |stop| {
        for (text, columns, words) in [
            ("1 / 0", 3..4, "a division by zero"),
            ("\u{a0}1 %\t0", 4..5, "a division by zero"),
            ("1 << 32", 3..5, "a shift by 32 of a number of 32 bits; 0 to 31 are possible"),
            ("1 >> -1", 3..5, "a shift by -1"),
            ("1.5 & 1", 5..6, "this takes integers"),
            ("'\u{e9}' + 1 % 2.0", 9..10, "this takes integers"),
            ("$local9", 1..8, "has no local 9: it has 7"),
            ("1 + $stack2", 5..12, "no operand 2 here: it has 2"),
            ("$global2", 1..9, "no global 2: it has 2"),
            ("$local99999999999", 1..18, "beyond all indices"),
            ("$", 1..2, "expected a register"),
            ("1 + $nobody", 5..12, "there is no register `$nobody`"),
            ("$local4 + 1", 1..8, "of type v128, which is no number"),
            ("$local5 == 0", 1..8, "of type funcref, which is no number"),
            ("(1 + 2", 7..8, "expected `)`, found the end"),
            ("1 +", 4..5, "expected a value"),
            ("1 2", 3..4, "found `2`"),
            ("1 + name", 5..9, "there is no variable `name` here"),
            ("1 ? 2", 6..7, "expected `:`"),
            ("a::", 4..5, "expected a name behind `::`"),
            ("'ab'", 1..5, "expected one letter"),
            ("'a", 1..3, "no `'` at its end"),
            ("\"text\"", 1..2, "texts cannot be compared"),
            ("09", 1..3, "no number"),
            ("300u8", 1..6, "no number"),
            ("0b2", 1..4, "no number"),
            ("1 = 2", 3..4, "cannot be assigned"),
            ("-$local0 = 2", 10..11, "cannot be assigned"),
            ("$pc = 2", 5..6, "cannot be assigned"),
            ("&$local0", 1..2, "has no address"),
            ("*16", 1..2, "cast it to a pointer"),
            ("$local0->x", 10..11, "a value of type `i32` has no parts"),
            ("$local0[1]", 8..11, "a value of type `i32` has no parts"),
            ("(nothing)$local0", 1..10, "there is no type `nothing`"),
            ("(int *)16", 1..8, "has no type `int`"),
            ("twice()", 1..6, "takes 1 arguments, and 0 are given"),
            ("1 + swap(1, 2)", 5..9, "gives 2 values"),
            ("nobody(1)", 1..7, "exports no function `nobody`"),
            ("m(1)", 1..2, "is no function"),
            ("takes(0)", 1..6, "parameter 0 is of type externref"),
            ("1 + set(5)", 5..8, "gives nothing"),
            ("twice(1", 8..9, "expected `,` or `)`"),
        ] {
            let error = stop.evaluate(0, text, ALL).expect_err(text);
            assert!(error.message().contains(words), "{text}: {error}");
            assert_eq!(error_columns(&error), Some(columns.clone()), "{text}: {error}");
            assert!(error.message().contains(&format!("at column {}: ", columns.start)), "{text}: {error}");
        }
        assert_eq!(error_columns(&stop.evaluate(7, "1", ALL).unwrap_err()), None);
        // Of a long text, only where.
        let long = format!("{}1 +", "1 + ".repeat(60));
        assert!(Expression::new(&long).unwrap_err().message().starts_with("in the expression, at column 244: "));
    });
}

#[test]
fn assignments_and_calls_are_what_was_allowed() {
    for tier in TIERS {
        let given = at_work(tier, |stop| {
            let plain = EvaluateOptions::default();
            for text in ["$local0 = 1", "i32[16] += 1", "0 && (global(0) = 1)"] {
                let error = stop.evaluate(0, text, plain).unwrap_err();
                assert!(error.message().contains("assignments are not allowed here"), "{error}");
                assert!(stop.top().unwrap().variable(0, text).is_err());
                assert!(Condition::text(text).is_err());
            }
            for text in ["twice(1)", "1 || twice(1)"] {
                let error = stop.evaluate(0, text, plain).unwrap_err();
                assert!(error.message().contains("calls are not allowed here"), "{error}");
                assert!(stop.top().unwrap().evaluate(text).is_err() && Condition::text(text).is_err());
            }
            let assign = EvaluateOptions { assign: true, ..plain };
            assert!(stop.evaluate(0, "$local0 = twice(1)", assign).is_err());
            hold(
                stop,
                &[
                    ("$local0 = 9", "i32", "9"),
                    ("$local0 += 2 * 3", "i32", "15"),
                    ("$local0 <<= 2", "i32", "60"),
                    ("$local0 = $local0 / 7.0", "i32", "8"),
                    ("$local0 = $local1 = 3", "i32", "3"),
                    ("$big", "i64", "3"),
                    ("$f = 1", "f32", "1.0"),
                    ("$r = $r", "funcref", "function 0 twice"),
                    ("global(0) -= 1", "i64", "39"),
                    ("u8[16] = 0x1ff", "u8", "255"),
                    ("i32[16]", "i32", "255"),
                    ("f32[24] /= 2", "f32", "0.75"),
                    ("$stack1 = 100", "i32", "100"),
                    ("twice(21)", "i32", "42"),
                    ("twice(1.9) + twice(i32[16] - 254)", "int", "4"),
                    ("half(3)", "f64", "1.5"),
                    ("set(7)", "void", ""),
                    ("$counter", "i64", "7"),
                    ("self()", "funcref", "function 0 twice"),
                    ("0 && twice(1)", "bool", "false"),
                    ("$local0 = twice(twice(5))", "i32", "20"),
                ],
            );
            let error = stop.evaluate(0, "1 + dies()", ALL).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Trap);
            assert!(error.message().contains("the call of `dies`"), "{error}");
            assert!(error.payload::<stepwell::runtime::Trap>().is_some());
            // Text for text: a value that the place does not have is converted in an assignment alone.
            stop.assign(0, "$local0", "twice").unwrap_err();
            stop.assign(0, "$local0", "$stack0 + 2").unwrap();
            assert_eq!(stop.top().unwrap().evaluate("local(0)").unwrap().text, "42");
            stop.assign(0, "i32[16]", "-1").unwrap();
            assert!(stop.assign(0, "1 + 2", "1").unwrap_err().message().contains("no place"));
            assert!(stop.assign(0, "$local0", "$local1 = 2").is_err());
            hold(stop, &[("u8[19]", "u8", "255")]);
        });
        // The stack's bottom is what `twice` gave; the other was assigned.
        assert_eq!(given, 140);
    }
}

/// Runs a guest's `run(5)` and stops at the first line with a text.
fn at_line(guest: &str, file: &str, line: &str, look: impl Fn(&mut Stop<'_>) + Send + Sync + 'static) -> i32 {
    let (module, mut store, instance) = started(guest);
    let first = Arc::new(Mutex::new(true));
    let debugger = Debugger::attach(&mut store, move |stop| {
        if std::mem::take(&mut *first.lock().unwrap()) {
            look(stop);
        }
        Action::Continue
    })
    .unwrap();
    debugger.break_at_line(&mut store, &module, file, line_of(file, line), None).unwrap();
    run(&mut store, instance)
}

fn started(guest: &str) -> (Module, Store, Instance) {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &support(&format!("{guest}.wasm"))).unwrap();
    let mut store = Store::new(&engine);
    let mut linker = Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (module, store, instance)
}

fn line_of(file: &str, text: &str) -> u32 {
    let source = String::from_utf8(support(file)).unwrap();
    1 + source.lines().position(|line| line.contains(text)).unwrap() as u32
}

fn run(store: &mut Store, instance: Instance) -> i32 {
    let run = instance.export(&mut *store, "run").and_then(|item| item.func()).unwrap();
    let mut results = [Val::I32(0)];
    run.call(store, &[Val::I32(5)], &mut results).unwrap();
    results[0].i32().unwrap()
}

#[test]
fn variables_of_c_are_computed_with() {
    for guest in ["c0_4", "c0_5"] {
        let given = at_line(guest, "shapes.c", "counter += n;", |stop| {
            let nodes = stop.top().unwrap().variable(0, "nodes").unwrap();
            let at = nodes.address(&stop.top().unwrap()).unwrap().unwrap().get();
            let second = format!("{:#x}", at + 8);
            hold(
                stop,
                &[
                    ("n + 1", "int", "6"),
                    ("n", "int", "5"),
                    ("n * all.s", "int", "-1500"),
                    ("all.us > all.s", "bool", "true"),
                    ("all.uc + all.sc", "int", "199"),
                    ("all.ull / 10", "unsigned long long", "1000000000000000000"),
                    ("all.ll + n", "long long", "-4999999995"),
                    ("all.f + all.d", "double", "-0.75"),
                    ("all.f * 2", "float", "3.0"),
                    ("all.letter", "char", "120 'x'"),
                    ("all.letter == 'x'", "bool", "true"),
                    ("-all.flags.b", "int", "3"),
                    // A bit field without a sign becomes an `int`.
                    ("all.flags.a - 8 < 0", "bool", "true"),
                    ("all.colour == BLUE", "bool", "true"),
                    ("GREEN", "colour", "GREEN"),
                    ("GREEN + 1", "int", "6"),
                    ("(enum colour)5", "colour", "GREEN"),
                    ("all.yes ? n : 0", "int", "5"),
                    ("all.grid[1][n - 3] + all.grid[0][1]", "int", "8"),
                    ("nodes + 1", "node *", &second),
                    ("&nodes[1]", "node *", &second),
                    ("(nodes + 1)->key", "int", "2"),
                    ("(*(nodes + 2)).key", "int", "3"),
                    ("&nodes[2] - nodes", "int", "2"),
                    ("all.list == nodes", "bool", "true"),
                    ("all.list->next != NULL && all.list->next->next->next == 0", "bool", "true"),
                    ("all.list < all.list->next", "bool", "true"),
                    ("!all.list", "bool", "false"),
                    ("all.list + 1 == all.list->next", "bool", "true"),
                    ("*all.list.next", "node", "{key = 2, next = 0x.."),
                    ("nodes->key", "int", "1"),
                    ("*all.text", "const char", "104 'h'"),
                    ("all.text[1] - 'a'", "int", "4"),
                    ("*(all.text + 4)", "const char", "111 'o'"),
                    ("greeting[0] == all.text[0]", "bool", "true"),
                    ("(unsigned char)all.s", "unsigned char", "212"),
                    ("(u32)all.sc", "u32", "4294967295"),
                    ("(struct node *)all.list", "node *", "0x.."),
                    ("((node *)all.any)->key", "int", "7"),
                    ("*(int *)all.any", "int", "7"),
                    ("((int *)&nodes)[2]", "int", "2"),
                    ("*(const volatile int *)&n", "int", "5"),
                    ("**(node **)&all.list", "node", "{key = 1, next = 0x.."),
                    ("((node **)&all.list)[0]->key", "int", "1"),
                    ("(void *)16 + 1", "void *", "0x11"),
                    ("((struct node *)(unsigned)nodes)[1].key", "int", "2"),
                    ("*&counter", "int", "7"),
                    ("i32[(u32)&counter] == counter", "bool", "true"),
                    ("$local0 == n || 1", "bool", "true"),
                    ("n = 6", "int", "6"),
                ],
            );
            // Children of what an expression comes to.
            let frame = stop.top().unwrap();
            let node = frame.variable(0, "*(nodes + 1)").unwrap();
            assert_eq!(node.child_count(&frame).unwrap(), 2);
            assert_eq!(node.children(&frame, 0..1).unwrap()[0].text(&frame).unwrap(), "2");
            assert_eq!(node.address(&frame).unwrap().unwrap().get(), at + 8);
            let pointer = frame.variable(0, "nodes + 2").unwrap();
            assert_eq!(pointer.size(&frame).unwrap(), 4);
            assert_eq!(pointer.children(&frame, 0..9).unwrap()[0].text(&frame).unwrap(), "{key = 3, next = 0x0}");
            for (text, columns, words) in [
                ("all + 1", 1..4, "a value of type `all` is no number"),
                ("all.list * 2", 10..11, "does not take a pointer"),
                ("n + nodes[7].key", 10..13, "there is no element 7"),
                ("nodes[1.5]", 7..10, "this takes integers"),
                ("all.lis->key", 5..8, "did you mean `list`?"),
                ("n->key", 4..7, "no pointer; use `.`"),
                ("(nod *)n", 1..8, "there is no type `nod`"),
                ("(all)n", 1..6, "only numbers and pointers can be cast to"),
                ("((node *)0xfffffff0)->key + 1", 23..26, "0xfffffff0"),
            ] {
                let error = stop.evaluate(0, text, ALL).expect_err(text);
                assert!(error.message().contains(words), "{text}: {error}");
                assert_eq!(error_columns(&error), Some(columns), "{text}: {error}");
            }
            // C's conversions in an assignment; `assign` refuses what does not fit.
            hold(
                stop,
                &[
                    ("all.sc = 300", "signed char", "44 ','"),
                    ("all.us -= 1", "unsigned short", "59999"),
                    ("all.f = 1", "float", "1.0"),
                    ("all.d *= 4", "double", "-9.0"),
                    ("all.colour = GREEN", "colour", "GREEN"),
                    ("all.flags.a = 9", "unsigned int", "1"),
                    ("all.flags.b", "int", "-3"),
                    ("all.yes = 0.0", "_Bool", "false"),
                    ("nodes[2].key = n = 8", "int", "8"),
                    ("n", "int", "8"),
                    ("all.list = nodes + 2", "node *", &format!("{:#x}", at + 16)),
                    ("all.list->key", "int", "8"),
                    ("all.list -= 1", "node *", &second),
                    ("all.any = (void *)0", "void *", "0x0"),
                ],
            );
            stop.assign(0, "n", "counter - 2").unwrap();
            assert!(stop.assign(0, "all.sc", "300").unwrap_err().message().contains("not between -128 and 127"));
            assert!(stop.assign(0, "all.s", "1.5").unwrap_err().message().contains("no value of type `short`"));
            assert!(stop.assign(0, "all", "1").unwrap_err().message().contains("only numbers can be written"));
            stop.assign(0, "all.colour", "RED").unwrap();
            stop.assign(0, "all.s", "-300").unwrap();
            hold(stop, &[("all.colour", "colour", "RED")]);
            // Of the frames outside, and of statics.
            assert_eq!(stop.top().unwrap().variable(0, "counter").unwrap().name(), "counter");
        });
        // The third key is 8 now, and n is 5.
        let square = |value: i32| value * value + value * 2;
        assert_eq!(given, square(1) + square(2) + square(8) + 5 - 300, "{guest}");
    }
}

#[test]
fn names_of_cpp_rust_and_zig_are_understood() {
    at_line("cpp0_5", "shapes.cpp", "int measured =", |stop| {
        hold(
            stop,
            &[
                ("box.w * box.h", "int", "30"),
                ("geo::Shape::made + Shape::made", "int", "2"),
                ("side == geo::Side::Right", "bool", "true"),
                ("side == Right", "bool", "true"),
                ("(geo::Side)1 == Side::Left", "bool", "true"),
                ("row.items[1] << 3", "int", "16"),
                ("((geo::Box *)&box)->at.y", "int", "4"),
                ("((const Point *)&point)->x", "int", "10"),
                ("((geo::Row<short, 4> *)&row)->items[3]", "short", "4"),
                ("wide == '\u{e9}'", "bool", "true"),
            ],
        );
        assert!(told(stop, "side == Side::Up").is_err());
    });
    at_line("cpp0_5", "shapes.cpp", "int found =", |stop| {
        // References stand for what they refer to.
        hold(stop, &[("shape.at.x + where->y - more", "int", "12"), ("where->x == 11", "bool", "true")]);
        stop.evaluate(0, "more += 1", ALL).unwrap();
        hold(stop, &[("more + 0", "int", "12")]);
    });
}

#[test]
fn conditions_of_the_source_are_held_against_each_place() {
    for tier in TIERS {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        for guest in ["c0_4", "c0_5"] {
            let module = Module::new(&engine, &support(&format!("{guest}.wasm"))).unwrap();
            let mut store = Store::new(&engine);
            let mut linker = Linker::new(&engine);
            linker.fill_missing_with_defaults(&mut store, &module).unwrap();
            let instance = linker.instantiate(&mut store, &module).unwrap();
            let keys = Arc::new(Mutex::new(Vec::new()));
            let seen = keys.clone();
            let debugger = Debugger::attach(&mut store, move |stop| {
                seen.lock().unwrap().push(stop.top().unwrap().evaluate("at->key").unwrap().text);
                Action::Continue
            })
            .unwrap();
            let line = line_of("shapes.c", "limit--;");
            let id =
                debugger.add_breakpoint(&mut store, BreakRequest::line(&module, "shapes.c", line, None)).unwrap().id;
            let stops = |store: &mut Store, text: &str| {
                let condition = Condition::text(text).unwrap();
                assert_eq!(condition.as_text(), Some(text));
                debugger.change_breakpoint(store, id, |options| options.condition = Some(condition)).unwrap();
                run(store, instance);
                std::mem::take(&mut *keys.lock().unwrap())
            };
            assert_eq!(stops(&mut store, "at->key == 2"), ["2"], "{guest}");
            assert_eq!(stops(&mut store, "at->key != 2 && limit > 0"), ["1", "3"], "{guest}");
            assert_eq!(stops(&mut store, "at->next && at->next->key + 1 == 4"), ["2"], "{guest}");
            assert_eq!(stops(&mut store, "at == nodes + 1"), ["2"], "{guest}");
            // What cannot be read or computed is false.
            assert!(stops(&mut store, "*(int *)0xfffffff0 == 0 || 1").is_empty());
            assert!(stops(&mut store, "1 / (at->key - at->key) == 0").is_empty());
            assert_eq!(stops(&mut store, "$pc > 0 && 6 / at->key == 3"), ["2"]);
            let count = debugger.breakpoint(&store, id).unwrap().unwrap().hits;
            assert_eq!(count, 6, "only what holds is counted");
            // A name that is nowhere, at a place that there is.
            let refused = |store: &mut Store, id, text: &str| {
                let condition = Condition::text(text).unwrap();
                debugger.change_breakpoint(store, id, |options| options.condition = Some(condition)).unwrap_err()
            };
            let error = refused(&mut store, id, "limit > 0 && limt > 0");
            assert!(error.message().contains("at column 14: there is no variable `limt` here; did you mean `limit`?"));
            assert_eq!(error_columns(&error), Some(14..18));
            let error = refused(&mut store, id, "at->key % 2.0 == 1 && limit % 1.5 == 0");
            assert!(error.message().contains("this takes integers"), "{error}");
            let error = refused(&mut store, id, "((nodd *)at)->key");
            assert!(error.message().contains("no type `nodd`"), "{error}");
            let other = debugger.break_at_name(&mut store, &module, "look_at").unwrap().id;
            assert!(refused(&mut store, other, "limit > 0").message().contains("no variable `limit`"));
            debugger.remove(&mut store, other).unwrap();
            assert_eq!(stops(&mut store, "at->key == 3"), ["3"], "{guest}");
        }
    }
}

/// Of functions that are inlined, names are those of the innermost.
#[test]
fn conditions_know_what_is_inlined() {
    let (module, mut store, instance) = started("c2_5");
    let values = Arc::new(Mutex::new(Vec::new()));
    let seen = values.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        let frame = stop.top().unwrap();
        seen.lock().unwrap().push(["value", "value * value + 1"].map(|text| frame.evaluate(text).map(|is| is.text)));
        assert!(frame.evaluate("limit").is_err() && frame.variable(1, "limit").is_ok());
        Action::Continue
    })
    .unwrap();
    let line = line_of("shapes.c", "int result =");
    let id = debugger.break_at_line(&mut store, &module, "shapes.c", line, None).unwrap().id;
    run(&mut store, instance);
    let all = std::mem::take(&mut *values.lock().unwrap());
    let keys: Vec<i32> = all.iter().filter_map(|[value, _]| value.as_ref().ok()?.parse().ok()).collect();
    assert!(keys.contains(&2) && all.len() > 1, "{all:?}");
    for [value, computed] in &all {
        if let (Ok(value), Ok(computed)) = (value.as_ref().unwrap().parse::<i32>(), computed) {
            assert_eq!(*computed, (value * value + 1).to_string());
        }
    }
    debugger
        .change_breakpoint(&mut store, id, |options| {
            options.condition = Some(Condition::text("value * value + 1 == 5").unwrap());
        })
        .unwrap();
    run(&mut store, instance);
    let held = values.lock().unwrap().len();
    assert_eq!(held, keys.iter().filter(|key| **key == 2).count());
    let error = debugger
        .change_breakpoint(&mut store, id, |options| options.condition = Some(Condition::text("limit == 1").unwrap()))
        .unwrap_err();
    assert!(error.message().contains("no variable `limit`"), "{error}");
}

#[test]
fn what_an_expression_leads_to_is_watched() {
    let (module, mut store, instance) = started("c0_5");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        if let Reason::Watchpoint(hits) = stop.reason() {
            let change = |hit: &stepwell::debug::WatchHit| format!("{hit:?}");
            told.lock().unwrap().extend(hits.iter().map(change));
            return Action::Continue;
        }
        let debugger = stop.debugger();
        let found = |stop: &Stop<'_>, text: &str| -> FrameVariable { stop.top().unwrap().variable(0, text).unwrap() };
        for text in ["counter", "*&counter", "i32[(u32)&counter]", "((node *)&counter)->key", "$global0"] {
            let variable = found(stop, text);
            debugger
                .watch_variable(stop, 0, &variable, WatchKind::Change)
                .unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        for text in ["counter + 1", "5", "$pc", "&counter"] {
            let variable = found(stop, text);
            let error = debugger.watch_variable(stop, 0, &variable, WatchKind::Change).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State, "{text}: {error}");
        }
        Action::Continue
    })
    .unwrap();
    let line = line_of("shapes.c", "look_at(&all);");
    let at = debugger.break_at_line(&mut store, &module, "shapes.c", line, None).unwrap().id;
    debugger.change_breakpoint(&mut store, at, |options| options.one_shot = true).unwrap();
    run(&mut store, instance);
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 4, "{seen:?}");
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn of<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.next() as usize % list.len()]
    }
}

/// Whatever a text is, reading and evaluating it ends with a value or an error, and it changes nothing it may not.
#[test]
fn texts_that_nobody_would_write_end_in_values_or_errors() {
    const TOKENS: &[&str] = &[
        "n",
        "all",
        "all.grid",
        "nodes",
        "all.list",
        "counter",
        "GREEN",
        "node",
        "x",
        "local",
        "global",
        "i32",
        "u8",
        "f64",
        "int",
        "unsigned",
        "struct",
        "const",
        "void",
        "$local0",
        "$stack0",
        "$global0",
        "$pc",
        "$",
        "1",
        "0",
        "-1",
        "0xffffffff",
        "1.5",
        "1e308",
        "18446744073709551615",
        "'a'",
        "'",
        "\"",
        "true",
        "nullptr",
        "nan",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "+",
        "-",
        "*",
        "/",
        "%",
        "&",
        "|",
        "^",
        "~",
        "!",
        "<",
        ">",
        "<<",
        ">>",
        "==",
        "!=",
        "&&",
        "||",
        "?",
        ":",
        "::",
        ",",
        ".",
        "->",
        "=",
        "+=",
        "<<=",
        "\u{e9}",
        "\u{202e}",
        "\0",
        " ",
        "\n",
        "#",
    ];
    at_line("c0_5", "shapes.c", "counter += n;", |stop| {
        let mut random = Random(7);
        let (mut values, mut errors) = (0, HashMap::new());
        for _ in 0..40_000 {
            let length = 1 + random.next() % 14;
            let text: String = (0..length)
                .map(|_| {
                    let token = *random.of(TOKENS);
                    if random.next().is_multiple_of(3) { format!("{token} ") } else { token.to_owned() }
                })
                .collect();
            match stop.top().unwrap().variable(0, &text) {
                Ok(found) => {
                    let frame = stop.top().unwrap();
                    let _ = (found.type_name(&frame), found.text(&frame), found.number(&frame), found.size(&frame));
                    let _ = found.children(&frame, 0..3);
                    values += 1;
                }
                Err(error) => {
                    let columns = error_columns(&error).unwrap_or_else(|| panic!("{text}: {error}"));
                    let length = text.chars().count();
                    assert!(columns.start >= 1 && columns.end <= length + 2 && columns.start < columns.end, "{text}");
                    let what = error.message().rsplit(": ").next().unwrap_or_default().to_owned();
                    *errors.entry(what).or_insert(0) += 1;
                }
            }
        }
        assert!(values > 500 && errors.len() > 50, "{values} values, {} errors", errors.len());
        assert_eq!(stop.top().unwrap().evaluate("n").unwrap().text, "5");
        // The longest and the deepest.
        for text in [
            "(".repeat(4000),
            "!".repeat(4000),
            "*".repeat(4000),
            "n?".repeat(2000),
            "(n)".repeat(1000),
            "(int)".repeat(800),
            "n[".repeat(2000),
            "all.".repeat(1000),
            "1+".repeat(2000),
            "n=".repeat(2000),
            "f(".repeat(2000),
            format!("twice({})", "1,".repeat(1000)),
            "nodes->next".to_owned() + &"->next".repeat(500),
            "x".repeat(5000),
            "(a<".repeat(1000),
        ] {
            assert!(stop.evaluate(0, &text, ALL).is_err(), "{text}");
        }
        // What is looked at for its type alone does not multiply.
        let mut deep = "0".to_owned();
        for _ in 0..22 {
            deep = format!("nodes[n ? {deep} : {deep}].key");
            if deep.len() > 1500 {
                break;
            }
        }
        let mut narrow = "0".to_owned();
        for _ in 0..22 {
            narrow = format!("nodes[1 ? {narrow} : 0].key - 1");
        }
        let began = std::time::Instant::now();
        let _ = (stop.evaluate(0, &deep, ALL), stop.evaluate(0, &narrow, ALL));
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    });
}

/// A random expression of C, of numbers alone, an integer or a float: its value is never undefined.
fn expression(random: &mut Random, depth: u32, is_float: bool) -> String {
    if depth == 0 || random.next().is_multiple_of(6) {
        return match (random.next() % 7, is_float) {
            (0 | 1, true) => format!("{}.{}", random.next() % 1000, random.next() % 1000),
            (2, true) => format!("{}.5f", random.next() % 1000),
            (_, true) => random.of(&["$f", "$d"]).to_string(),
            (0, _) => (random.next() % 100).to_string(),
            (1, _) => format!("{}", random.next() as u32),
            (2, _) => format!("{:#x}u", random.next() as u32),
            (3, _) => format!("{}ll", random.next() << 20),
            (4, _) => format!("{:#x}ull", u64::MAX - random.next()),
            (5, _) => format!("'{}'", random.of(&['a', 'Z', '0', ' '])),
            _ => random.of(&["$n", "$big"]).to_string(),
        };
    }
    let mut of = |is_float| atom(expression(random, depth - 1, is_float));
    let (whole, other, float) = (of(false), of(false), of(true));
    let any = |random: &mut Random| if random.next().is_multiple_of(2) { whole.clone() } else { float.clone() };
    if is_float {
        return match random.next() % 6 {
            0 => format!("-{float}"),
            1 => format!("({}){}", random.of(&["float", "double"]), any(random)),
            2 => format!("{} ? {whole} : {float}", any(random)),
            _ => {
                let mut sign = || *random.of(&["+", "-", "*", "/"]);
                let (first, then) = (sign(), sign());
                let second = any(random);
                // Of two integers the second may be 0, and a division shows the sign of a 0.
                let second = if first == "/" { "3.25" } else { &second };
                let last = if then == "/" { "0.75f" } else { &other };
                format!("{float} {first} {second} {then} {last}")
            }
        };
    }
    let types = ["char", "signed char", "unsigned char", "short", "int", "unsigned", "long long", "unsigned long long"];
    match random.next() % 12 {
        0 => format!("-{whole}"),
        1 => format!("!{}", any(random)),
        2 => format!("~{whole}"),
        3 => format!("{} ? {whole} : {other}", any(random)),
        4 => format!("({}){whole}", random.of(&types)),
        5 => format!("{whole} {} {}", random.of(&["<<", ">>"]), random.next() % 32),
        6 => format!("{whole} {} {}", random.of(&["/", "%"]), 1 + random.next() % 1000),
        7 => format!("{} {} {}", any(random), random.of(&["==", "!=", "<", "<=", ">", ">="]), any(random)),
        8 => format!("{} {} {}", any(random), random.of(&["&&", "||"]), any(random)),
        // Without parentheses: what binds more tightly is the language's to say. No float is among them.
        _ => {
            let mut sign = || *random.of(&["+", "-", "*", "&", "|", "^", "==", "<", "&&", "||", "<= 7 +", "<< 3 ^"]);
            let (first, second) = (sign(), sign());
            format!("{whole} {first} {other} {second} 9")
        }
    }
}

/// What can stand behind and in front of every operator.
fn atom(text: String) -> String {
    if text.contains(' ') && text.len() > 3 || text.starts_with(['-', '!', '~', '(']) {
        format!("({text})")
    } else {
        text
    }
}

#[test]
fn numbers_are_those_of_a_c_compiler() {
    const COUNT: usize = 1500;
    let folder = std::env::temp_dir().join(format!("stepwell-expressions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut random = Random(11);
    let mut texts = Vec::new();
    while texts.len() < COUNT {
        let is_float = random.next().is_multiple_of(3);
        let text = expression(&mut random, 4, is_float);
        // What has more operators than an expression may have is left out.
        if text.len() < 700 && Expression::new(&text).is_ok() {
            texts.push(text);
        }
    }
    let mut source = String::from(
        "#include <stdio.h>\n#include <string.h>\n\
         #define TYPE(x) _Generic((x), int: \"int\", unsigned: \"unsigned int\", long: \"long long\", \
         unsigned long: \"unsigned long long\", long long: \"long long\", unsigned long long: \"unsigned long long\", \
         float: \"float\", double: \"double\", char: \"char\", signed char: \"signed char\", \
         unsigned char: \"unsigned char\", short: \"short\")\n\
         #define IS(x, type) __builtin_types_compatible_p(__typeof__(x), type)\n\
         #define SHOW(x) do { __typeof__(x) v = (x); double d = (double)v; unsigned long long bits; memcpy(&bits, &d, 8); \
         if (!IS(x, float) && !IS(x, double)) printf(\"%s %lld\\n\", TYPE(x), (long long)v); \
         else if (d != d) printf(\"%s nan\\n\", TYPE(x)); else printf(\"%s %016llx\\n\", TYPE(x), bits); } while (0)\n\
         int $n = -3; long long $big = 1ll << 40; float $f = 1.5f; double $d = -0.25;\nint main(void) {\n",
    );
    for text in &texts {
        source += &format!("SHOW(({text}));\n");
    }
    source += "return 0; }\n";
    let (file, program) = (folder.join("numbers.c"), folder.join("numbers"));
    std::fs::write(&file, source).unwrap();
    let built = std::process::Command::new("cc")
        .args(["-fwrapv", "-O0", "-w", "-std=gnu11", "-ffp-contract=off", "-o"])
        .arg(&program)
        .arg(&file)
        .output();
    let built = built.expect("a C compiler");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = std::process::Command::new(&program).output().unwrap();
    let expected: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert!(output.status.success(), "{}: {}", program.display(), output.status);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(expected.len(), COUNT);
    at_work(DebugTier::Regions, move |stop| {
        let mut floats = 0;
        for (text, expected) in texts.iter().zip(&expected) {
            let found = stop.evaluate(0, text, ALL).unwrap_or_else(|error| panic!("{text}: {error}"));
            let frame = stop.top().unwrap();
            let (ty, mut value) = expected.rsplit_once(' ').unwrap();
            if value == "8000000000000000" && matches!(ty, "float" | "double") {
                value = "0000000000000000";
            }
            let name = found.type_name(&frame).unwrap();
            let number = match found.number(&frame).unwrap() {
                Scalar::Float(number) if number.is_nan() => "nan".to_owned(),
                // GCC takes `0.0 - x` for `-x`.
                Scalar::Float(number) => format!("{:016x}", (number + 0.0).to_bits()),
                Scalar::Signed(number) => (number as i64).to_string(),
                Scalar::Unsigned(number) => (number as i64).to_string(),
                Scalar::Bool(yes) => i32::from(yes).to_string(),
                Scalar::Char(letter) => letter.to_string(),
            };
            floats += usize::from(ty == "double" || ty == "float");
            assert_eq!(number, value, "{text}: {ty}, and here {name}");
            // What C calls an `int` may be a truth value here; and a register says what it is.
            let known = match &*name {
                "bool" | "i32" => "int",
                "i64" => "long long",
                "f32" => "float",
                "f64" => "double",
                name => name,
            };
            assert_eq!(known, ty, "{text}");
        }
        assert!(floats > COUNT / 5, "{floats} are floats");
    });
}
