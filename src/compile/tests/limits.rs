//! Bodies that are large in some way: they compile, or are refused by an error.

use super::{ALL_OPTIONS, GUARDED, Options, TIERS, compile};
use crate::base::ErrorKind;
use crate::compile::Compiler;
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
    let compiler = Compiler::new(GUARDED).unwrap();
    for mut function in [branches, table, calls] {
        function.instruction(&Instruction::End);
        let binary = module(types.clone(), types.clone(), &function);
        let info = parse(&binary, Features::default(), false).unwrap();
        for tier in TIERS {
            let error = compiler.module(&info, &binary, tier, &|_, _| true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
            assert!(error.offset().is_some());
        }
    }
}
