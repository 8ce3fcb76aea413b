//! A trap names its instruction, in every tier: code, function and offset of each frame, the innermost included.
//! Optimised code merges loads with what uses them, branches with the trap they lead to, and stores with those that
//! overwrite them; a guest's host must not see that.

use crate::tiers;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use stepwell::Features;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Config, DebugTier, Engine, Instance, Module, Store, Trap, Val};
use tiers::drive::Drive;
use tiers::{Engines, Report, compare, smith};

/// Addresses that are in memory, partly in it, and out of it.
const ADDRESSES: [i32; 5] = [0, 65_528, 65_533, 65_536, -1];
const OTHERS: [i32; 6] = [0, 1, 5, -1, i32::MIN, 65_535];

/// What comes of a call: results, or why and where it trapped.
fn outcome(store: &mut Store, instance: Instance, name: &str, args: &[Val]) -> String {
    let func = instance.export(&mut *store, name).and_then(|export| export.func()).unwrap();
    let ty = func.ty(&*store).unwrap();
    let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
    match func.call(&mut *store, args, &mut results) {
        Ok(()) => format!("{results:?}"),
        Err(error) => {
            let trap = error.payload::<Trap>().unwrap_or_else(|| panic!("{error}"));
            let mut text = format!("{:?}", trap.code());
            for frame in trap.frames() {
                let _ = write!(text, " {}@{:#x}", frame.func(), frame.offset().get());
            }
            text
        }
    }
}

/// The engines that are held against each other, and whether a debugger is attached. The first is the oracle.
fn engines() -> Vec<(&'static str, Engine, bool)> {
    let engine = |change: &dyn Fn(&mut Config)| {
        let features = Features { custom_page_sizes: true, ..Features::default() };
        let mut config = Config { features, debug: true, nan_canonicalization: true, ..Config::default() };
        change(&mut config);
        Engine::new(config).unwrap()
    };
    vec![
        ("simple", engine(&|config| config.debug_tier = DebugTier::Simple), true),
        ("production", engine(&|_| {}), false),
        ("regions", engine(&|_| {}), true),
        ("production without signals", engine(&|config| config.signals = false), false),
        ("regions without signals", engine(&|config| config.signals = false), true),
        (
            "production with memories that move",
            engine(&|config| (config.memory_reservation, config.memory_guard) = (1 << 16, 0)),
            false,
        ),
        (
            "regions with memories that move",
            engine(&|config| (config.memory_reservation, config.memory_guard) = (1 << 16, 0)),
            true,
        ),
        ("production not optimised", engine(&|config| config.optimize = false), false),
        ("regions not optimised", engine(&|config| config.optimize = false), true),
    ]
}

/// Calls every export of a module with many arguments in every tier; says how many calls trapped.
fn alike(text: &str) -> usize {
    let binary = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut expected: Vec<String> = Vec::new();
    for (i, (name, engine, debugged)) in engines().into_iter().enumerate() {
        let module = Module::new(&engine, &binary).unwrap();
        let mut store = Store::new(&engine);
        let _debugger = debugged.then(|| Debugger::attach(&mut store, |_| Action::Continue).unwrap());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut found = Vec::new();
        for (export, _) in module.exports() {
            for address in ADDRESSES {
                for other in OTHERS {
                    let args = [Val::I32(address), Val::I32(other)];
                    let outcome = outcome(&mut store, instance, export, &args);
                    found.push(format!("{export}({address}, {other}): {outcome}"));
                }
            }
        }
        if i == 0 {
            expected = found;
            continue;
        }
        for (expected, found) in expected.iter().zip(&found) {
            let function = expected.split('(').next().unwrap();
            let source = text.split("(func ").find(|part| part.contains(&format!("\"{function}\""))).unwrap();
            assert_eq!(expected, found, "{name}\n{source}");
        }
        assert_eq!(expected.len(), found.len());
    }
    expected.iter().filter(|line| line.contains('@')).count()
}

/// A module of functions of two parameters, from their results and bodies.
fn module(functions: &[(&str, String)]) -> String {
    let mut text = "(module (memory 1 1) (global $g (mut i32) (i32.const 0)) (table 2 funcref)\n".to_owned();
    for (i, (result, body)) in functions.iter().enumerate() {
        let result = if result.is_empty() { String::new() } else { format!("(result {result})") };
        let _ = writeln!(text, "(func (export \"f{i}\") (param i32 i32) {result} {body})");
    }
    text + ")"
}

#[test]
fn a_trap_that_a_branch_leads_to_is_its_own() {
    let mut functions: Vec<(&str, String)> = Vec::new();
    for condition in [
        "(local.get 1)",
        "(i32.eqz (local.get 1))",
        "(i32.lt_s (local.get 1) (i32.const 5))",
        "(i32.load (local.get 0))",
        "(i32.eq (i32.load (local.get 0)) (local.get 1))",
        "(i32.and (i32.load (local.get 0)) (i32.const 4))",
        "(i64.eqz (i64.load (local.get 0)))",
        "(f64.lt (f64.load (local.get 0)) (f64.const 1))",
        "(i32.div_s (i32.const -2147483648) (local.get 1))",
    ] {
        for before in ["", "nop nop", "(global.set $g (i32.const 3))", "(drop (i32.load (local.get 1)))"] {
            functions.extend([
                ("i32", format!("(if {condition} (then {before} unreachable)) (i32.const 1)")),
                ("i32", format!("(if {condition} (then) (else {before} unreachable)) (i32.const 1)")),
                ("i32", format!("(block (br_if 0 {condition}) (return (i32.const 7))) {before} unreachable")),
                ("i32", format!("(block (br_if 0 {condition}) {before} unreachable) (i32.const 7)")),
                ("i32", format!("(if (result i32) {condition} (then {before} unreachable) (else nop {before} unreachable))")),
                (
                    "i32",
                    format!(
                        "(block (block (block (br_table 0 1 2 {condition})) {before} unreachable) nop {before} unreachable) {before} (i32.const 1)"
                    ),
                ),
            ]);
        }
    }
    // Traps that many branches share.
    functions.push((
        "i32",
        "(block (br_if 0 (local.get 1)) (br_if 0 (i32.load (local.get 0))) (return (i32.const 1))) nop unreachable"
            .into(),
    ));
    assert!(alike(&module(&functions)) > 1000);
}

#[test]
fn a_load_that_is_merged_with_what_uses_it_traps_by_itself() {
    let mut functions: Vec<(&str, String)> = Vec::new();
    let loads = [
        ("i32", "(i32.load (local.get 0))"),
        ("i32", "(i32.load offset=4 (local.get 0))"),
        ("i32", "(i32.load8_u (local.get 0))"),
        ("i32", "(i32.load16_s (local.get 0))"),
        ("i64", "(i64.load (local.get 0))"),
        ("i64", "(i64.load32_u (local.get 0))"),
        ("f32", "(f32.load (local.get 0))"),
        ("f64", "(f64.load (local.get 0))"),
    ];
    for (ty, load) in loads {
        let other = match ty {
            "i32" => "(local.get 1)",
            "i64" => "(i64.extend_i32_s (local.get 1))",
            "f32" => "(f32.convert_i32_s (local.get 1))",
            _ => "(f64.convert_i32_s (local.get 1))",
        };
        let integer = ty.starts_with('i');
        let binary: &[&str] = match integer {
            true => {
                &["add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "rotl", "div_s", "div_u", "rem_s", "rem_u"]
            }
            false => &["add", "sub", "mul", "div", "min", "max", "copysign"],
        };
        let compare: &[&str] = if integer { &["eq", "ne", "lt_s", "lt_u", "ge_u"] } else { &["eq", "lt", "ge", "ne"] };
        for op in binary {
            functions.extend([
                (ty, format!("nop ({ty}.{op} {load} {other})")),
                (ty, format!("({ty}.{op} {other} {load})")),
                (ty, format!("({ty}.{op} {load} ({ty}.load (local.get 1)))")),
                ("", format!("(drop ({ty}.{op} {other} {load}))")),
                ("", format!("({ty}.store (local.get 0) ({ty}.{op} {load} {other}))")),
                ("", format!("({ty}.store offset=4 (local.get 0) ({ty}.{op} {load} {other}))")),
                ("", format!("({ty}.store (local.get 1) ({ty}.{op} {load} {other}))")),
                (ty, format!("({ty}.{op} {load} ({ty}.const 7))")),
            ]);
        }
        for op in compare {
            functions.extend([
                ("i32", format!("({ty}.{op} {load} {other})")),
                ("i32", format!("(i32.add (i32.const 1) ({ty}.{op} {other} {load}))")),
                (
                    "i32",
                    format!("(if (result i32) ({ty}.{op} {load} {other}) (then (i32.const 1)) (else (i32.const 2)))"),
                ),
                ("i32", format!("(select (i32.const 1) (local.get 1) ({ty}.{op} {load} {other}))")),
                ("i32", format!("(if ({ty}.{op} {load} {other}) (then unreachable)) (i32.const 2)")),
                ("i32", format!("(i32.load ({ty}.{op} {load} {other}))")),
                ("i32", format!("(i32.div_u (i32.const 9) ({ty}.{op} {load} {other}))")),
                ("i32", format!("({ty}.{op} {load} ({ty}.load (local.get 1)))")),
            ]);
        }
        let unary: &[(&str, &str)] = match ty {
            "i32" => &[
                ("i32", "i32.eqz"),
                ("i32", "i32.clz"),
                ("i32", "i32.popcnt"),
                ("i32", "i32.extend8_s"),
                ("i64", "i64.extend_i32_s"),
                ("i64", "i64.extend_i32_u"),
                ("f64", "f64.convert_i32_u"),
                ("f32", "f32.reinterpret_i32"),
                ("i32", "i32.load"),
                ("i32", "call_indirect (param i32) (result i32) (i32.const 1)"),
            ],
            "i64" => &[("i32", "i64.eqz"), ("i64", "i64.ctz"), ("i32", "i32.wrap_i64"), ("f64", "f64.convert_i64_s")],
            "f32" => &[
                ("f32", "f32.sqrt"),
                ("f32", "f32.neg"),
                ("f32", "f32.nearest"),
                ("f64", "f64.promote_f32"),
                ("i32", "i32.trunc_f32_s"),
                ("i64", "i64.trunc_f32_u"),
                ("i32", "i32.trunc_sat_f32_u"),
                ("i32", "i32.reinterpret_f32"),
            ],
            _ => &[
                ("f64", "f64.sqrt"),
                ("f64", "f64.abs"),
                ("f32", "f32.demote_f64"),
                ("i32", "i32.trunc_f64_u"),
                ("i64", "i64.trunc_f64_s"),
                ("i64", "i64.reinterpret_f64"),
            ],
        };
        for (result, op) in unary {
            let (op, first) = match op.split_once(" (i32.const 1)") {
                Some((op, _)) => (op, "(local.get 1) "),
                None => (*op, ""),
            };
            functions.push((result, format!("nop ({op} {first}{load})")));
            functions.push(("", format!("(drop ({op} {first}{load}))")));
        }
    }
    assert!(alike(&module(&functions)) > 5000);
}

#[test]
fn a_store_that_is_overwritten_traps_by_itself() {
    let mut functions: Vec<(&str, String)> = Vec::new();
    for (ty, store, value) in [
        ("i32", "i32.store", "i32.const 1"),
        ("i32", "i32.store8", "i32.const 2"),
        ("i32", "i32.store16", "i32.const 2"),
        ("i64", "i64.store", "i64.const 3"),
        ("i64", "i64.store32", "i64.const 3"),
        ("f64", "f64.store", "f64.const 4"),
    ] {
        let one = format!("({store} (local.get 0) ({value}))");
        let two = format!("({store} (local.get 0) ({value}7))");
        let moved = |more: i32| format!("({store} (i32.add (local.get 0) (i32.const 4)) ({value}{more}))");
        functions.extend([
            ("", format!("{one} {two}")),
            ("", format!("{one} {one}")),
            ("", format!("{one} {two} {one} {two}")),
            ("", format!("{} {}", moved(1), moved(2))),
            ("", format!("{one} {} {two}", moved(1))),
            ("", format!("{one} (i32.store (local.get 1) (i32.const 1)) {two}")),
            ("", format!("{one} (drop (i32.load (local.get 1))) {two}")),
            ("", format!("{one} (global.set $g (local.get 1)) {two}")),
            ("", format!("{one} (if (local.get 1) (then {two}))")),
            ("", format!("{one} (if (local.get 1) (then (global.set $g (i32.const 1)))) {two}")),
            ("", format!("{one} (if (local.get 1) (then {one}) (else {two})) {two}")),
            ("", format!("{one} (block (br_if 0 (local.get 1)) nop) {two}")),
            (ty, format!("{one} ({ty}.load (local.get 0))")),
        ]);
        if ty == "i32" {
            functions.push(("", format!("({store} (local.get 0) (i32.load (local.get 0))) {two}")));
            functions.push(("", format!("{two} (drop (i32.div_u (i32.const 1) (local.get 1))) {one}")));
        }
    }
    assert!(alike(&module(&functions)) > 500);
}

#[test]
fn what_is_computed_twice_traps_the_first_time() {
    let mut functions: Vec<(&str, String)> = Vec::new();
    for twice in [
        "(i32.load (local.get 0))",
        "(i32.div_s (i32.const -2147483648) (local.get 1))",
        "(i32.rem_u (local.get 0) (local.get 1))",
        "(i32.trunc_f32_s (f32.div (f32.convert_i32_s (local.get 0)) (f32.convert_i32_s (local.get 1))))",
        "(i32.trunc_f64_u (f64.convert_i32_s (local.get 1)))",
        "(call_indirect (result i32) (local.get 1))",
        "(i32.load offset=65536 (local.get 1))",
    ] {
        functions.extend([
            ("i32", format!("(i32.add {twice} {twice})")),
            ("i32", format!("(if (local.get 1) (then (drop {twice}))) {twice}")),
            ("i32", format!("(if (result i32) (local.get 0) (then nop {twice}) (else {twice}))")),
            ("i32", format!("(drop {twice}) (loop (result i32) nop {twice})")),
            ("i32", format!("(i32.xor (i32.const 1) (i32.add {twice} (i32.load (local.get 0))))")),
            (
                "i32",
                format!(
                    "(local $i i32) (loop (drop {twice}) (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3)))) {twice}"
                ),
            ),
        ]);
    }
    for bulk in ["memory.fill", "memory.copy"] {
        functions.push(("", format!("({bulk} (local.get 0) (i32.const 1) (local.get 1)) nop unreachable")));
    }
    assert!(alike(&module(&functions)) > 500);
}

/// `STEPWELL_TRAPS` says how many modules. Two thousand take minutes.
/// A load that is merged further on lets another one be merged across it.
#[test]
fn loads_that_are_merged_across_loads_trap_by_themselves() {
    let mut functions: Vec<(&str, String)> = Vec::new();
    for (one, other) in [("or", "xor"), ("and", "add"), ("add", "and"), ("xor", "sub")] {
        functions.extend([
            ("i32", format!("(i32.{other} (i32.{one} (local.get 1) (i32.load (local.get 0))) (global.get $g))")),
            (
                "i64",
                format!("(i64.{other} (i64.{one} (i64.const 5) (i64.load (local.get 0))) (i64.load offset=65520 (local.get 1)))"),
            ),
            (
                "i32",
                format!(
                    "(i32.load (local.get 0)) (i32.load offset=8 (local.get 1)) (global.get $g)
                     (i32.load offset=60000 (local.get 0)) i32.{one} i32.{other} i32.{one}"
                ),
            ),
            (
                "",
                format!(
                    "(global.set $g (i32.{other} (i32.{one} (local.get 1) (i32.load (local.get 0))) (global.get $g)))"
                ),
            ),
        ]);
    }
    assert!(alike(&module(&functions)) > 50);
}

#[test]
fn generated_modules_trap_at_the_same_places() {
    let count: u64 = std::env::var("STEPWELL_TRAPS").ok().map_or(400, |text| text.parse().unwrap());
    let engines = Engines::new(|_| {});
    let next = AtomicU64::new(0);
    let mut report = Report::default();
    std::thread::scope(|scope| {
        let work = || {
            let mut report = Report::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return report;
                }
                // Those with odd seeds may trap.
                let Some(case) = smith::case(2 * number + 1) else { continue };
                compare(&engines, &case, &[Drive::breakpoints(number, 20)], &mut report);
            }
        };
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().for_each(|worker| report.add(worker.join().unwrap()));
    });
    report.demand(count as usize / 10);
}
