//! Prints what small modules take that were made to take much: compiling, the debug code of either kind, rerun and
//! resume code. Each runs in a process of its own, so that its memory is known.
//!
//! `cargo run --release --example adversarial [-- PART OF A NAME]`

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use stepwell::base::DefinedFuncIndex;
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Config, DebugTier, Engine, Instance, Module, Store};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction as I, MemorySection, MemoryType,
    RefType, TableSection, TableType, TypeSection, ValType,
};

/// Bytes of a module, at most.
const SIZE: usize = 100_000;
/// What a child may take.
const PATIENCE: Duration = Duration::from_secs(12);
/// The environment's word to a child: which module, which kind of code.
const CHILD: &str = "STEPWELL_ADVERSARIAL_CHILD";
const KINDS: [&str; 4] = ["production", "regions", "simple", "all of one"];

/// A module under way. Type 0 takes and gives nothing, 1 takes and gives 1,000 `i32`, 2 takes and gives one, 3 gives
/// 1,000.
struct Maker {
    types: TypeSection,
    functions: FunctionSection,
    code: CodeSection,
}

impl Maker {
    fn new() -> Maker {
        let mut types = TypeSection::new();
        let many = vec![ValType::I32; 1000];
        types.ty().function([], []);
        types.ty().function(many.clone(), many.clone());
        types.ty().function([ValType::I32], [ValType::I32]);
        types.ty().function([], many);
        Maker { types, functions: FunctionSection::new(), code: CodeSection::new() }
    }

    fn function(&mut self, ty: u32, locals: &[(u32, ValType)], body: impl FnOnce(&mut Function)) {
        self.functions.function(ty);
        let mut function = Function::new(locals.iter().copied());
        body(&mut function);
        function.instruction(&I::End);
        self.code.function(&function);
    }

    fn finish(self) -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            minimum: 1,
            maximum: None,
            table64: false,
            shared: false,
        });
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        let mut globals = GlobalSection::new();
        globals.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(0));
        module.section(&self.types).section(&self.functions).section(&tables).section(&memories).section(&globals);
        module.section(&self.code);
        module.finish()
    }
}

/// One function of type `ty` with these locals.
fn one(ty: u32, locals: &[(u32, ValType)], body: impl FnOnce(&mut Function)) -> Vec<u8> {
    let mut maker = Maker::new();
    maker.function(ty, locals, body);
    maker.finish()
}

fn say(function: &mut Function, instructions: &[I<'_>]) {
    for instruction in instructions {
        function.instruction(instruction);
    }
}

fn repeat(function: &mut Function, times: usize, instructions: &[I<'_>]) {
    (0..times).for_each(|_| say(function, instructions));
}

fn thousand(function: &mut Function) {
    (0..1000).for_each(|i| say(function, &[I::LocalGet(i)]));
}

const VOID: BlockType = BlockType::Empty;
const MANY: BlockType = BlockType::FunctionType(1);

/// Every module, by name.
fn modules() -> Vec<(&'static str, Vec<u8>)> {
    let ints = [(1000, ValType::I32)];
    let nest = |head: I<'static>, inside: &'static [I<'static>], depth: usize, foot: &'static [I<'static>]| {
        one(1, &[], |f| {
            thousand(f);
            for _ in 0..depth {
                say(f, std::slice::from_ref(&head));
                say(f, inside);
            }
            for _ in 0..depth {
                say(f, foot);
                say(f, &[I::End]);
            }
        })
    };
    let locals_and = |count: u32, depth: usize, head: &[I<'_>], foot: &[I<'_>]| {
        one(0, &[(count, ValType::I32)], |f| {
            repeat(f, depth, head);
            for i in 0..count {
                say(f, &[I::LocalGet(i), I::I32Const(1), I::I32Add, I::LocalSet((i * 7 + 1) % count)]);
            }
            repeat(f, depth, foot);
        })
    };
    vec![
        ("blocks with 1,000 parameters", nest(I::Block(MANY), &[], 17_000, &[])),
        ("the same, left by br_if", nest(I::Block(MANY), &[I::I32Const(0), I::BrIf(0)], 100, &[])),
        ("loops with 1,000 parameters", nest(I::Loop(MANY), &[], 17_000, &[])),
        ("the same, repeated", nest(I::Loop(MANY), &[], 80, &[I::I32Const(0), I::BrIf(0)])),
        (
            "ifs with 1,000 results",
            one(1, &[], |f| {
                thousand(f);
                repeat(f, 100, &[I::I32Const(1), I::If(MANY), I::Else, I::End]);
            }),
        ),
        (
            "calls with 1,000 parameters and results",
            one(1, &[], |f| {
                thousand(f);
                repeat(f, 180, &[I::Call(0)]);
            }),
        ),
        ("a function for each call of those", {
            let mut maker = Maker::new();
            for _ in 0..90 {
                maker.function(3, &[], |f| say(f, &[I::Call(0), I::Call(1), I::Unreachable]));
            }
            maker.function(1, &[], |f| say(f, &[I::Unreachable]));
            maker.finish()
        }),
        ("functions of 1,000 parameters", {
            let mut maker = Maker::new();
            (0..12_000).for_each(|_| maker.function(1, &[], |f| say(f, &[I::Unreachable])));
            maker.finish()
        }),
        ("loops around 300 locals", locals_and(300, 9_000, &[I::Loop(VOID)], &[I::LocalGet(0), I::BrIf(0), I::End])),
        (
            "loops around 3,000 locals",
            locals_and(3_000, 6_000, &[I::Loop(VOID)], &[I::LocalGet(0), I::BrIf(0), I::End]),
        ),
        (
            "blocks around 3,000 locals",
            locals_and(3_000, 9_000, &[I::Block(VOID), I::LocalGet(0), I::BrIf(0)], &[I::End]),
        ),
        (
            "ifs before 6,000 locals",
            one(0, &[(6_000, ValType::I32)], |f| {
                repeat(f, 9_000, &[I::LocalGet(0), I::If(VOID), I::End]);
                (0..6_000).for_each(|i| say(f, &[I::LocalGet(0), I::LocalSet(i)]));
            }),
        ),
        (
            "ifs that set 6,000 locals",
            one(0, &[(6_000, ValType::I32)], |f| {
                for i in 0..6_000 {
                    say(f, &[I::LocalGet(0), I::If(VOID), I::I32Const(7), I::LocalSet(i), I::End]);
                }
                (0..6_000).for_each(|i| say(f, &[I::LocalGet(i), I::Drop]));
            }),
        ),
        ("50,000 locals in one function", one(0, &[(50_000, ValType::I32)], |f| say(f, &[I::Nop]))),
        ("50,000 locals in each of 13", {
            let mut maker = Maker::new();
            (0..13).for_each(|_| maker.function(0, &[(50_000, ValType::I64)], |_| {}));
            maker.finish()
        }),
        ("50,000 locals in each of 1,000", {
            let mut maker = Maker::new();
            (0..1_000).for_each(|_| maker.function(0, &[(50_000, ValType::I64)], |_| {}));
            maker.finish()
        }),
        ("50,000 locals and calls", one(0, &[(50_000, ValType::F64)], |f| repeat(f, 40_000, &[I::Call(0)]))),
        (
            "50,000 locals and loops",
            one(0, &[(50_000, ValType::F64)], |f| {
                repeat(f, 11_000, &[I::Loop(VOID), I::LocalGet(9), I::Drop, I::Br(0), I::End]);
            }),
        ),
        (
            "a br_table of 65,520 targets",
            one(0, &[], |f| {
                repeat(f, 10_000, &[I::Block(VOID)]);
                let targets: Vec<u32> = (0..60_000).map(|i| i % 100).collect();
                say(f, &[I::I32Const(1), I::BrTable(targets.into(), 0)]);
                repeat(f, 10_000, &[I::End]);
            }),
        ),
        (
            "a br_table to 10,000 labels",
            one(0, &ints, |f| {
                repeat(f, 10_000, &[I::Block(VOID)]);
                let targets: Vec<u32> = (0..10_000).collect();
                say(f, &[I::LocalGet(1), I::BrTable(targets.into(), 0)]);
                for i in 0..10_000 {
                    say(f, &[I::End, I::LocalGet(i % 900), I::LocalSet((i + 1) % 900)]);
                }
            }),
        ),
        (
            "br_tables with 1,000 operands",
            nest(I::Block(MANY), &[I::LocalGet(0), I::BrTable(std::borrow::Cow::Borrowed(&[0; 100]), 0)], 4, &[]),
        ),
        (
            "calls in a fan of br_table",
            one(0, &[], |f| {
                repeat(f, 8_000, &[I::Block(VOID)]);
                let targets: Vec<u32> = (0..8_000).collect();
                say(f, &[I::I32Const(1), I::BrTable(targets.into(), 0)]);
                repeat(f, 8_000, &[I::End, I::Call(0)]);
            }),
        ),
        (
            "operands alive over calls",
            one(0, &[(1, ValType::I32)], |f| {
                repeat(f, 10_000, &[I::GlobalGet(0)]);
                repeat(f, 25_000, &[I::Call(0)]);
                repeat(f, 10_000, &[I::Drop]);
            }),
        ),
        (
            "operands alive over loops",
            one(0, &[(1, ValType::I32)], |f| {
                repeat(f, 10_000, &[I::GlobalGet(0)]);
                repeat(f, 6_000, &[I::Loop(VOID), I::LocalGet(0), I::BrIf(0), I::End]);
                repeat(f, 9_999, &[I::I32Add]);
                say(f, &[I::GlobalSet(0)]);
            }),
        ),
        (
            "loaded operands alive over loops",
            one(0, &[(1, ValType::I32)], |f| {
                for address in 0..6_000 {
                    say(
                        f,
                        &[
                            I::I32Const(4 * address),
                            I::I32Load(wasm_encoder::MemArg {
                                offset: 0,
                                align: 0,
                                target: Default::default(),
                                ordering: None,
                            }),
                        ],
                    );
                }
                repeat(f, 6_000, &[I::Loop(VOID), I::LocalGet(0), I::BrIf(0), I::End]);
                repeat(f, 5_999, &[I::I32Add]);
                say(f, &[I::GlobalSet(0)]);
            }),
        ),
        (
            "operands alive over calls, then added",
            one(0, &[], |f| {
                repeat(f, 10_000, &[I::GlobalGet(0), I::I32Const(3), I::I32Mul]);
                repeat(f, 10_000, &[I::Call(0)]);
                repeat(f, 9_999, &[I::I32Add]);
                say(f, &[I::GlobalSet(0)]);
            }),
        ),
        (
            "ifs over operands",
            one(0, &[], |f| {
                repeat(f, 10_000, &[I::GlobalGet(0)]);
                repeat(f, 9_000, &[I::GlobalGet(0), I::If(VOID), I::Call(0), I::End]);
                repeat(f, 10_000, &[I::Drop]);
            }),
        ),
        (
            "a deep expression",
            one(2, &[], |f| {
                repeat(f, 30_000, &[I::LocalGet(0)]);
                repeat(f, 29_999, &[I::I32Add]);
            }),
        ),
        (
            "a long chain of additions",
            one(2, &[], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(f, 32_000, &[I::LocalGet(0), I::I32Add]);
            }),
        ),
        (
            "a chain of selects",
            one(2, &[], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(f, 19_000, &[I::I32Const(1), I::LocalGet(0), I::Select]);
            }),
        ),
        (
            "a chain of conversions",
            one(2, &[], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(f, 48_000, &[I::I64ExtendI32U, I::I32WrapI64]);
            }),
        ),
        (
            "a chain of xor, shift and masks",
            one(2, &[], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(
                    f,
                    5_500,
                    &[
                        I::I32Const(5),
                        I::I32Shl,
                        I::I32Const(-1),
                        I::I32Xor,
                        I::I32Const(3),
                        I::I32ShrU,
                        I::LocalGet(0),
                        I::I32And,
                        I::I32Const(9),
                        I::I32Or,
                        I::I32Eqz,
                    ],
                );
            }),
        ),
        (
            "doubling",
            one(2, &[(1, ValType::I32)], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(f, 14_000, &[I::LocalTee(1), I::LocalGet(1), I::I32Add]);
            }),
        ),
        (
            "products of sums",
            one(2, &[(1, ValType::I32)], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(f, 9_000, &[I::LocalTee(1), I::I32Const(3), I::I32Add, I::LocalGet(1), I::I32Mul]);
            }),
        ),
        (
            "stores",
            one(2, &[], |f| {
                repeat(
                    f,
                    10_000,
                    &[
                        I::I32Const(8),
                        I::LocalGet(0),
                        I::I32Store(wasm_encoder::MemArg {
                            offset: 4,
                            align: 2,
                            target: Default::default(),
                            ordering: None,
                        }),
                    ],
                );
                say(f, &[I::LocalGet(0)]);
            }),
        ),
        (
            "loads",
            one(2, &[], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(
                    f,
                    33_000,
                    &[I::I32Load(wasm_encoder::MemArg {
                        offset: 4,
                        align: 2,
                        target: Default::default(),
                        ordering: None,
                    })],
                );
            }),
        ),
        (
            "divisions",
            one(2, &[], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(f, 32_000, &[I::LocalGet(0), I::I32DivS]);
            }),
        ),
        (
            "truncations",
            one(2, &[], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(f, 24_000, &[I::F32ConvertI32S, I::I32TruncF32S]);
            }),
        ),
        (
            "growing and indirect calls",
            one(2, &[], |f| {
                say(f, &[I::LocalGet(0)]);
                repeat(
                    f,
                    12_000,
                    &[I::MemoryGrow(0), I::LocalGet(0), I::CallIndirect { type_index: 2, table_index: 0 }],
                );
            }),
        ),
        (
            "nested blocks",
            one(0, &[], |f| {
                repeat(f, 33_000, &[I::Block(VOID)]);
                repeat(f, 33_000, &[I::End]);
            }),
        ),
        (
            "nested loops",
            one(0, &[], |f| {
                repeat(f, 19_000, &[I::Loop(VOID)]);
                repeat(f, 19_000, &[I::Br(0), I::End]);
            }),
        ),
        (
            "nested ifs",
            one(2, &[], |f| {
                repeat(f, 19_000, &[I::LocalGet(0), I::If(VOID)]);
                repeat(f, 19_000, &[I::End]);
                say(f, &[I::LocalGet(0)]);
            }),
        ),
        (
            "nested ifs with results",
            one(2, &[], |f| {
                repeat(f, 10_000, &[I::LocalGet(0), I::If(BlockType::Result(ValType::I32))]);
                say(f, &[I::LocalGet(0)]);
                repeat(f, 10_000, &[I::Else, I::LocalGet(0), I::End]);
            }),
        ),
        ("tiny functions", {
            let mut maker = Maker::new();
            (0..24_000).for_each(|_| maker.function(0, &[], |_| {}));
            maker.finish()
        }),
        ("tiny functions that call", {
            let mut maker = Maker::new();
            (0..19_000).for_each(|_| maker.function(0, &[], |f| say(f, &[I::Call(0)])));
            maker.finish()
        }),
        ("types", {
            let mut maker = Maker::new();
            (0..30_000).for_each(|_| {
                maker.types.ty().function([], []);
            });
            maker.finish()
        }),
        ("types of 1,000 parameters", {
            let mut maker = Maker::new();
            (0..90).for_each(|_| {
                maker.types.ty().function(vec![ValType::I32; 1000], []);
            });
            (0..90u32).for_each(|i| maker.function(4 + i, &[], |_| {}));
            maker.finish()
        }),
        ("imports and exports", {
            let mut module = wasm_encoder::Module::new();
            let mut types = TypeSection::new();
            types.ty().function([], []);
            let mut imports = ImportSection::new();
            (0..10_000).for_each(|_| {
                let _ = imports.import("", "", EntityType::Function(0));
            });
            let mut exports = ExportSection::new();
            for i in 0..5_000u32 {
                exports.export(&format!("{:06}", i), ExportKind::Func, i);
            }
            module.section(&types).section(&imports).section(&exports);
            module.finish()
        }),
        ("tables of the largest size", {
            let mut module = wasm_encoder::Module::new();
            let mut tables = TableSection::new();
            for _ in 0..100 {
                tables.table(TableType {
                    element_type: RefType::FUNCREF,
                    minimum: 10_000_000,
                    maximum: None,
                    table64: false,
                    shared: false,
                });
            }
            module.section(&tables);
            module.finish()
        }),
        ("a memory of the largest size", {
            let mut module = wasm_encoder::Module::new();
            let mut memories = MemorySection::new();
            memories.memory(MemoryType {
                minimum: 65_536,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
            module.section(&memories);
            module.finish()
        }),
        ("globals and long initialisers", {
            let mut module = wasm_encoder::Module::new();
            let mut globals = GlobalSection::new();
            let ty = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
            (0..10_000).for_each(|_| {
                let _ = globals.global(ty, &ConstExpr::i32_const(0));
            });
            let mut long = ConstExpr::extended([wasm_encoder::Instruction::I32Const(1)]);
            for _ in 0..15_000 {
                long = long.with_i32_const(1).with_i32_add();
            }
            globals.global(ty, &long);
            module.section(&globals);
            module.finish()
        }),
        ("segments", {
            let mut module = wasm_encoder::Module::new();
            let mut tables = TableSection::new();
            tables.table(TableType {
                element_type: RefType::FUNCREF,
                minimum: 10,
                maximum: None,
                table64: false,
                shared: false,
            });
            let mut memories = MemorySection::new();
            memories.memory(MemoryType {
                minimum: 1,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
            let mut elements = ElementSection::new();
            (0..9_000).for_each(|_| {
                let _ = elements.active(None, &ConstExpr::i32_const(0), Elements::Functions((&[]).into()));
            });
            let mut data = DataSection::new();
            (0..9_000).for_each(|_| {
                let _ = data.active(0, &ConstExpr::i32_const(0), []);
            });
            module.section(&tables).section(&memories).section(&elements).section(&data);
            module.finish()
        }),
    ]
}

/// What the child of this module does.
fn work(binary: &[u8], kind: &str) -> Result<(), stepwell::Error> {
    let debug_tier = if kind == "simple" { DebugTier::Simple } else { DebugTier::Regions };
    let engine = Engine::new(Config { debug: true, debug_tier, ..Config::default() })?;
    let module = Module::new(&engine, binary)?;
    let mut store = Store::new(&engine);
    if module.imports().len() == 0 {
        Instance::new(&mut store, &module, &[])?;
    }
    match kind {
        "production" => return Ok(()),
        "all of one" => {
            if !module.info().bodies.is_empty() {
                module.rerun(DefinedFuncIndex::new(0))?;
            }
        }
        _ => drop(Debugger::attach(&mut store, |_| Action::Continue)?),
    }
    Ok(())
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let modules = modules();
    if let Ok(child) = std::env::var(CHILD) {
        let (index, kind) = child.split_once(' ').expect("a module and a kind");
        let binary = &modules[index.parse::<usize>().expect("a number")].1;
        let begun = Instant::now();
        let result = work(binary, kind);
        let taken = begun.elapsed().as_secs_f64();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim().to_owned();
        let peak: u64 = peak.trim_end_matches(" kB").parse().unwrap_or(0);
        let note = result.err().map(|error| error.to_string()).unwrap_or_default();
        println!("{taken:7.2} s {:6} MB  {note:.140}", peak >> 10);
        std::process::exit(0);
    }
    let me = std::env::current_exe().expect("this program");
    for (index, (name, binary)) in modules.iter().enumerate() {
        if !name.contains(&wanted) {
            continue;
        }
        let note = if binary.len() > SIZE { " (too large!)" } else { "" };
        println!("{name}: {} bytes{note}", binary.len());
        for kind in KINDS {
            let mut command = Command::new(&me);
            command.env(CHILD, format!("{index} {kind}")).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().expect("a child");
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE && child.try_wait().expect("a child").is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = child.kill();
            let output = child.wait_with_output().expect("what it said");
            let told = String::from_utf8_lossy(&output.stdout);
            let told = if output.status.success() { told.trim_end() } else { "died, or was too long" };
            println!("  {kind:12} {told}");
        }
    }
}
