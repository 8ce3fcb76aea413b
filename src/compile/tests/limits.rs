//! Bodies that are large in some way: they compile, or are refused by an error.

use super::{ALL_OPTIONS, GUARDED, Options, TIERS, compile};
use crate::base::ErrorKind;
use crate::compile::{Compiler, DebugTier};
use crate::image::Tier;
use crate::wasm::{Features, parse};
use wasm_encoder::{CodeSection, Function, FunctionSection, Instruction, Module, TypeSection, ValType};

/// A module of one function.
fn module(params: Vec<ValType>, results: Vec<ValType>, function: &Function) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function(params, results);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut code = CodeSection::new();
    code.function(function);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

fn in_both_tiers(binary: &[u8]) {
    let compiler = Compiler::new(GUARDED).unwrap();
    for tier in TIERS {
        compile(&compiler, binary, tier);
    }
}

#[test]
fn deep_nesting() {
    let mut function = Function::new([]);
    for opening in [
        Instruction::Block(wasm_encoder::BlockType::Empty),
        Instruction::Loop(wasm_encoder::BlockType::Empty),
        Instruction::Unreachable,
        Instruction::Block(wasm_encoder::BlockType::Empty),
    ] {
        for _ in 0..15_000 {
            function.instruction(&opening);
        }
    }
    for _ in 0..45_001 {
        function.instruction(&Instruction::End);
    }
    in_both_tiers(&module(vec![], vec![], &function));

    let mut function = Function::new([]);
    for _ in 0..8_000 {
        function.instruction(&Instruction::LocalGet(0));
        function.instruction(&Instruction::If(wasm_encoder::BlockType::Empty));
    }
    for _ in 0..8_001 {
        function.instruction(&Instruction::End);
    }
    in_both_tiers(&module(vec![ValType::I32], vec![], &function));
}

#[test]
fn huge_br_table() {
    let mut function = Function::new([]);
    for _ in 0..100 {
        function.instruction(&Instruction::Block(wasm_encoder::BlockType::Empty));
    }
    let targets: Vec<u32> = (0..50_000).map(|i| i % 101).collect();
    function.instruction(&Instruction::LocalGet(0));
    function.instruction(&Instruction::BrTable(targets.into(), 100));
    for _ in 0..101 {
        function.instruction(&Instruction::End);
    }
    in_both_tiers(&module(vec![ValType::I32], vec![], &function));
}

#[test]
fn as_many_locals_as_there_can_be() {
    let mut function = Function::new([(49_998, ValType::I64), (1, ValType::F64), (1, ValType::EXTERNREF)]);
    function.instruction(&Instruction::LocalGet(49_000));
    function.instruction(&Instruction::LocalSet(3));
    function.instruction(&Instruction::End);
    let binary = module(vec![], vec![], &function);
    in_both_tiers(&binary);
    // A frame that is far beyond the reserve: the check stands in an entry of its own, before it is made.
    let compiler = Compiler::new(Options { signals: false, ..GUARDED }).unwrap();
    let image = compile(&compiler, &binary, Tier::Debug);
    assert!(image.tables.functions[0].frame_size >= 400_000);
    let first = image.tables.site(crate::image::SiteId(0)).after.get();
    let traps = &image.tables.traps;
    assert!(traps.iter().any(|trap| trap.at.get() < first && trap.code == crate::abi::TrapCode::StackOverflow));
}

#[test]
fn a_thousand_parameters_and_results() {
    let all = [ValType::I32, ValType::F64, ValType::I64, ValType::F32, ValType::FUNCREF];
    let types: Vec<ValType> = all.iter().cycle().take(1000).copied().collect();
    let mut function = Function::new([]);
    for i in 0..1000 {
        function.instruction(&Instruction::LocalGet(i));
    }
    function.instruction(&Instruction::Call(0));
    function.instruction(&Instruction::End);
    let binary = module(types.clone(), types, &function);
    for options in ALL_OPTIONS {
        for tier in TIERS {
            compile(&Compiler::new(options).unwrap(), &binary, tier);
        }
    }
}

#[test]
fn too_many_values_are_refused_early() {
    let types: Vec<ValType> = vec![ValType::I64; 1000];
    let mut tree = Function::new([]);
    for i in 0..1000 {
        tree.instruction(&Instruction::LocalGet(i));
    }
    let (mut branches, mut table, mut calls) = (tree.clone(), tree.clone(), tree);
    for _ in 0..40_000 {
        branches.instruction(&Instruction::I32Const(0)).instruction(&Instruction::BrIf(0));
        calls.instruction(&Instruction::Call(0));
    }
    table.instruction(&Instruction::I32Const(0)).instruction(&Instruction::BrTable(vec![0; 100_000].into(), 0));
    for (mut function, limit) in
        [(branches, "pass on operands"), (table, "br_table has 100000"), (calls, "pass on operands")]
    {
        function.instruction(&Instruction::End);
        let binary = module(types.clone(), types.clone(), &function);
        let error = parse(&binary, Features::default(), false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        assert!(error.message().contains(limit) && error.offset().is_some_and(|at| at.get() > 2000), "{error}");
    }
}

/// A function of operands or locals in number, and loops or ifs in number behind which they are still needed.
fn still_needed(operands: i32, locals: u32, blocks: usize) -> Vec<u8> {
    let mut function = Function::new([(locals, ValType::I32)]);
    for operand in 0..operands {
        function.instruction(&Instruction::I32Const(operand)).instruction(&Instruction::I32Popcnt);
    }
    for _ in 0..blocks {
        function
            .instruction(&Instruction::LocalGet(0))
            .instruction(&Instruction::If(wasm_encoder::BlockType::Empty))
            .instruction(&Instruction::End);
    }
    for local in 0..locals {
        function.instruction(&Instruction::LocalGet(local)).instruction(&Instruction::LocalSet(locals - 1 - local));
    }
    for _ in 0..operands {
        function.instruction(&Instruction::Drop);
    }
    function.instruction(&Instruction::End);
    module(vec![], vec![], &function)
}

#[test]
fn what_is_needed_behind_many_blocks_is_bounded() {
    let compiler = Compiler::new(GUARDED).unwrap();
    for (operands, locals, blocks, limit) in [
        (900, 1, 8_000, None),
        (6_000, 1, 6_000, Some("too many operands at too many blocks")),
        (1, 100, 8_000, None),
        (1, 6_000, 9_000, Some("too large to compile")),
    ] {
        let binary = still_needed(operands, locals, blocks);
        assert!(binary.len() < 100_000);
        let info = parse(&binary, Features::default(), false).unwrap();
        for tier in TIERS {
            let made = compiler.module(&info, &binary, tier, &|_, _| true);
            let refused = made.err().map(|error| {
                assert!(error.kind() == ErrorKind::Limit && error.offset().is_some(), "{error}");
                error.message().to_owned()
            });
            match limit {
                None => assert_eq!(refused, None),
                Some(limit) => assert!(refused.as_ref().is_some_and(|said| said.contains(limit)), "{refused:?}"),
            }
        }
    }
}

/// A thousand operands, and `inside` around them.
fn around_a_thousand(inside: impl FnOnce(&mut Function)) -> Vec<u8> {
    let types: Vec<ValType> = vec![ValType::I64; 1000];
    let mut function = Function::new([]);
    for i in 0..1000 {
        function.instruction(&Instruction::LocalGet(i));
    }
    inside(&mut function);
    function.instruction(&Instruction::End);
    module(types.clone(), types, &function)
}

#[test]
fn blocks_that_nothing_branches_to_take_no_code() {
    let nested = |opening: Instruction<'static>, depth: usize| {
        around_a_thousand(|function| {
            for _ in 0..depth {
                function.instruction(&opening);
            }
            for _ in 0..depth {
                function.instruction(&Instruction::End);
            }
        })
    };
    let ty = wasm_encoder::BlockType::FunctionType(0);
    let compiler = Compiler::new(Options { debug_tier: DebugTier::Regions, ..GUARDED }).unwrap();
    let text = |binary: &[u8], tier| compile(&compiler, binary, tier).text.len();
    let (block, repeat) = (Instruction::Block(ty), Instruction::Loop(ty));
    let plain = text(&nested(block.clone(), 0), Tier::Production);
    assert_eq!(text(&nested(block.clone(), 1_500), Tier::Production), plain);
    assert_eq!(text(&nested(repeat.clone(), 1_500), Tier::Production), plain);
    // Debug code has the operands in their slots before the first of them, and a stop point in each loop.
    assert_eq!(text(&nested(block.clone(), 1_500), Tier::Debug), text(&nested(block, 1), Tier::Debug));
    let [few, more] = [500, 1_000].map(|depth| text(&nested(repeat.clone(), depth), Tier::Debug));
    assert!(more - few < 500 * 8, "{few} {more}");
}

/// The error of a module of one function of 1,000 parameters and results.
fn refusal(binary: &[u8]) -> Option<(ErrorKind, u32, String)> {
    let error = parse(binary, Features::default(), false).err()?;
    Some((error.kind(), error.offset()?.get(), error.message().to_owned()))
}

#[test]
fn operands_that_are_passed_on_are_counted_for_the_whole_module() {
    let calls = |count: usize| {
        around_a_thousand(|function| {
            for _ in 0..count {
                function.instruction(&Instruction::Call(0));
            }
        })
    };
    // Each passes 2,000, the function's end 1,000; 60,000 and 1 for each byte may be.
    let (mut fits, mut fails) = (0, 1000);
    while fails - fits > 1 {
        let middle = (fits + fails) / 2;
        if refusal(&calls(middle)).is_none() { fits = middle } else { fails = middle }
    }
    let bytes = |count: usize| parse(&calls(count), Features::default(), false).unwrap().bodies[0].bytes.len() as u64;
    assert!(fits as u64 * 2000 + 1000 <= 60_000 + bytes(fits));
    assert!(fails as u64 * 2000 + 1000 > 60_000 + bytes(fits) + 2);
    let (kind, offset, message) = refusal(&calls(fails + 1)).unwrap();
    assert_eq!(kind, ErrorKind::Limit);
    assert!(message.contains("pass on operands") && message.contains("60000"), "{message}");
    assert!(offset as usize >= calls(0).len() - 1, "{offset}");
    // Blocks that nothing branches to pass on nothing; each that something does, its results twice.
    let ty = wasm_encoder::BlockType::FunctionType(0);
    let blocks = |branch: bool| {
        around_a_thousand(|function| {
            for _ in 0..1000 {
                function.instruction(&Instruction::Block(ty));
                if branch {
                    function.instruction(&Instruction::I32Const(0)).instruction(&Instruction::BrIf(0));
                }
                function.instruction(&Instruction::End);
            }
        })
    };
    assert_eq!(refusal(&blocks(false)), None);
    assert_eq!(refusal(&blocks(true)).unwrap().0, ErrorKind::Limit);
}

#[test]
fn locals_are_counted_for_the_whole_module() {
    let functions = |count: usize| {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for _ in 0..count {
            functions.function(0);
            let mut function = Function::new([(50_000, ValType::I64)]);
            function.instruction(&Instruction::End);
            code.function(&function);
        }
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code);
        module.finish()
    };
    assert_eq!(refusal(&functions(10)), None);
    let (kind, offset, message) = refusal(&functions(11)).unwrap();
    assert_eq!((kind, offset as usize), (ErrorKind::Limit, functions(11).len() - 5));
    assert!(message.contains("declare locals") && message.contains("500000"), "{message}");
}

#[test]
fn a_br_table_has_so_many_targets() {
    let table = |count: usize| {
        let mut function = Function::new([]);
        function.instruction(&Instruction::I32Const(0)).instruction(&Instruction::BrTable(vec![0; count].into(), 0));
        function.instruction(&Instruction::End);
        module(vec![], vec![], &function)
    };
    assert_eq!(refusal(&table(65_520)), None);
    let (kind, _, message) = refusal(&table(65_521)).unwrap();
    assert_eq!(kind, ErrorKind::Limit);
    assert!(message.contains("65521 targets") && message.contains("65520"), "{message}");
}

#[test]
fn parameters_count_as_locals_of_the_whole_module() {
    let functions = |count: usize| {
        let mut types = TypeSection::new();
        types.ty().function(vec![ValType::I32; 1000], []);
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for _ in 0..count {
            functions.function(0);
            let mut function = Function::new([]);
            function.instruction(&Instruction::End);
            code.function(&function);
        }
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code);
        module.finish()
    };
    assert_eq!(refusal(&functions(500)), None);
    // Four bytes each.
    let (kind, offset, message) = refusal(&functions(20_000)).unwrap();
    assert_eq!(kind, ErrorKind::Limit);
    assert!(offset > 20_000 && message.contains("locals and parameters"), "{message}");
}

/// Locals that change in a number of loops within each other, or that do not, and branches to all of these at the end:
/// tables or others.
fn joined(locals: u32, changed: bool, loops: u32, tables: u32, branches: u32) -> Vec<u8> {
    let empty = wasm_encoder::BlockType::Empty;
    let mut function = Function::new([(locals, ValType::I32)]);
    for local in 0..locals {
        function.instruction(&Instruction::I32Const(0)).instruction(&Instruction::I32Popcnt);
        function.instruction(&Instruction::LocalSet(local));
    }
    for _ in 0..loops {
        function.instruction(&Instruction::Loop(empty));
    }
    for local in 0..locals {
        function.instruction(&Instruction::LocalGet(local));
        match changed {
            true => function.instruction(&Instruction::I32Popcnt).instruction(&Instruction::LocalSet(local)),
            false => function.instruction(&Instruction::Drop),
        };
    }
    for _ in 0..tables {
        let targets: Vec<u32> = (1..loops + 1).collect();
        function.instruction(&Instruction::Block(empty)).instruction(&Instruction::LocalGet(0));
        function.instruction(&Instruction::BrTable(targets.into(), 0)).instruction(&Instruction::End);
    }
    for _ in 0..branches {
        function.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::BrIf(0));
    }
    for _ in 0..loops {
        function.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::BrIf(0));
        function.instruction(&Instruction::End);
    }
    function.instruction(&Instruction::End);
    module(vec![], vec![], &function)
}

#[test]
fn locals_at_many_branches_are_bounded() {
    let compiler = Compiler::new(GUARDED).unwrap();
    for (locals, changed, loops, tables, branches, refused) in [
        (60, true, 60, 60, 0, false),
        (20, true, 10, 0, 1000, false),
        (60, true, 1, 0, 12_000, true),
        (500, false, 300, 0, 0, false),
        (2_000, true, 500, 60, 0, true),
        (3_000, true, 1, 0, 12_000, true),
        (7_000, false, 900, 0, 0, true),
    ] {
        let binary = joined(locals, changed, loops, tables, branches);
        assert!(binary.len() < 100_000, "{}", binary.len());
        let info = parse(&binary, Features::default(), false).unwrap();
        for tier in TIERS {
            let begin = std::time::Instant::now();
            let error = compiler.module(&info, &binary, tier, &|_, _| true).err();
            assert_eq!(error.is_some(), refused, "{locals} {loops} {tables} {branches}: {error:?}");
            assert!(error.is_none_or(|error| error.kind() == ErrorKind::Limit && error.offset().is_some()));
            // The machine may be busy; without a bound it is minutes.
            assert!(begin.elapsed().as_secs() < 20, "{locals} {loops} {tables} {branches}: {:?}", begin.elapsed());
        }
    }
}
