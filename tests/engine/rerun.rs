//! Rerun code by itself, without a debugger: what it computes is what production code computes, it stops where it is
//! told, it ends whatever state it is given, and it changes nothing but that state.

use crate::features;
use std::sync::Arc;
use stepwell::base::{DefinedFuncIndex, GlobalIndex, MemoryIndex, TableIndex};
use stepwell::internals::abi::{TableElement, VMGlobal, VMMemory, VMTable, ValRaw};
use stepwell::internals::compile::vm_layout;
use stepwell::internals::image::{RegionGraph, RerunEnd, RerunImage};
use stepwell::internals::sys::pages::Reservation;
use stepwell::internals::wasm::EntityIndex;
use stepwell::runtime::{Config, Engine, Extern, Instance, Linker, Module, RerunCode, Store, Trap, TrapCode, Val};
use stepwell::{Error, ErrorKind};
use stepwell::{ExternType, Features, GlobalType, ValType};

/// Bytes of the memories here: what is behind them cannot be read.
const MEMORY: usize = 1 << 16;

fn engine(change: impl FnOnce(&mut Config)) -> Engine {
    let features = Features { custom_page_sizes: true, legacy_exceptions: true, ..Features::default() };
    let mut config = Config { features, debug: true, nan_canonicalization: true, ..Config::default() };
    change(&mut config);
    Engine::new(config).unwrap()
}

/// Random numbers, with many at the edges.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound.max(1)
    }

    fn value(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(20) as u64,
            1 => EDGES[self.below(EDGES.len())],
            2 => self.next() & 0xffff,
            _ => self.next(),
        }
    }
}

/// Bits at which some instruction changes its mind, of values of either width.
const EDGES: [u64; 22] = [
    0,
    1,
    2,
    31,
    33,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
    u64::MAX - 1,
    0x3fc0_0000,           // 1.5
    0xbfe0_0000,           // -1.75
    0x7f80_0000,           // infinity
    0x7fa0_0001,           // a signalling NaN
    0x4f00_0000,           // 2^31
    0x3ff8_0000_0000_0000, // 1.5
    0xbfe0_0000_0000_0000, // -0.5
    0x7ff0_0000_0000_0000, // infinity
    0x7ff4_0000_0000_0001, // a signalling NaN
    0xc1e0_0000_0020_0000, // -2^31 - 1
];

/// What rerun code reads of an instance, made by hand: memories with nothing behind them, and no store, so that a step
/// aside is a crash.
struct Machine {
    vmctx: Vec<u128>,
    memory: Reservation,
    table: Box<[TableElement]>,
    // What imports point to.
    memories: Box<[VMMemory]>,
    tables: Box<[VMTable]>,
    globals: Box<[VMGlobal]>,
}

impl Machine {
    fn new(module: &Module, random: &mut Random) -> Machine {
        let info = module.info();
        let layout = vm_layout(info).unwrap();
        let mut memory = Reservation::new(1 << 20).unwrap();
        memory.make_accessible(0..MEMORY).unwrap();
        for at in 0..MEMORY {
            // SAFETY: accessible since just now.
            unsafe { memory.base().add(at).write(random.next() as u8) };
        }
        let mut table: Box<[TableElement]> = vec![TableElement::UNTOUCHED; 16].into();
        let global = |ty: &GlobalType| {
            let number = !ty.content.is_ref();
            VMGlobal { value: ValRaw { externref: if number { random.value() } else { 0 } } }
        };
        let mut machine = Machine {
            vmctx: vec![0; layout.size().div_ceil(16) as usize],
            memories: info.memories.iter().map(|_| VMMemory { base: memory.base(), len: MEMORY }).collect(),
            tables: info
                .tables
                .iter()
                .map(|_| VMTable { base: table.as_mut_ptr(), len: table.len(), written: 0 })
                .collect(),
            globals: info.globals.iter().map(global).collect(),
            memory,
            table,
        };
        for index in 0..machine.memories.len() {
            machine.put(layout.memory(MemoryIndex::from_usize(index)), &raw const machine.memories[index]);
        }
        for index in 0..machine.tables.len() {
            machine.put(layout.table(TableIndex::from_usize(index)), &raw const machine.tables[index]);
        }
        for index in 0..machine.globals.len() {
            machine.put(layout.global(GlobalIndex::from_usize(index)), &raw const machine.globals[index]);
        }
        machine
    }

    /// Puts what is at `value`, or its address, where the layout says.
    fn put<T: Copy>(&mut self, (offset, imported): (u32, bool), value: *const T) {
        let at = self.vmctx.as_mut_ptr().wrapping_byte_add(offset as usize);
        // SAFETY: the layout has the offset, and the vector is as long as the layout; the value is a live one.
        unsafe { if imported { at.cast::<*const T>().write(value) } else { at.cast::<T>().write(*value) } }
    }

    fn memory(&mut self) -> &mut [u8] {
        // SAFETY: accessible since the machine was made.
        unsafe { std::slice::from_raw_parts_mut(self.memory.base(), MEMORY) }
    }

    /// All that rerun may read.
    fn everything(&mut self) -> (Vec<u128>, Vec<u8>, Vec<TableElement>, Vec<u64>) {
        // SAFETY: all globals were written as such.
        let globals = self.globals.iter().map(|global| unsafe { global.value.externref }).collect();
        (self.vmctx.clone(), self.memory().to_vec(), self.table.to_vec(), globals)
    }

    /// Runs rerun code.
    fn run(&mut self, code: &RerunCode, values: &mut Values, stops: &[u8], from: u32) -> RerunEnd {
        let Values(values) = values;
        assert_eq!(stops.len(), code.image().instructions.len());
        assert_eq!(values.len(), code.image().words() + 1);
        assert!(from < stops.len() as u32);
        // SAFETY: all is as long as it must be, and nobody else has it. The machine stands for an instance.
        let end =
            unsafe { code.run(&mut None, self.vmctx.as_mut_ptr().cast(), values.as_mut_ptr(), stops.as_ptr(), from) };
        assert_eq!(values.last(), Some(&CANARY), "it wrote behind the values");
        end.unwrap()
    }
}

/// A state, with a canary behind it.
#[derive(Clone)]
struct Values(Vec<u64>);

/// The locals, then the operands before an instruction, bottom first: types and words.
fn state(image: &RerunImage, position: u32) -> Vec<(ValType, u32)> {
    let mut operands: Vec<_> = image.operands(position).collect();
    operands.reverse();
    image.locals.all().iter().chain(operands).collect()
}

const CANARY: u64 = 0x5a5a_1234_a5a5_4321;

impl Values {
    fn new(image: &RerunImage, mut value: impl FnMut() -> u64) -> Values {
        let mut values: Vec<u64> = (0..image.words()).map(|_| value()).collect();
        values.push(CANARY);
        Values(values)
    }

    /// What is defined of it before an instruction: locals, then operands, bottom first.
    fn seen(&self, image: &RerunImage, position: u32) -> Vec<u64> {
        let bits = |(ty, word): (ValType, u32)| match ty.width() {
            4 => self.0[word as usize] & 0xffff_ffff,
            _ => self.0[word as usize],
        };
        state(image, position).into_iter().map(bits).collect()
    }
}

/// What a function gives: the bits of its results, or a trap.
type Outcome = Result<Vec<u64>, TrapCode>;

fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(*value as u32),
        Val::I64(value) => *value as u64,
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        other => panic!("{other:?}"),
    }
}

fn val(ty: ValType, bits: u64) -> Val {
    match ty {
        ValType::I32 => Val::I32(bits as i32),
        ValType::I64 => Val::I64(bits as i64),
        ValType::F32 => Val::F32(bits as u32),
        ValType::F64 => Val::F64(bits),
        other => panic!("{other:?}"),
    }
}

fn production(store: &mut Store, instance: &Instance, name: &str, arguments: &[u64]) -> Outcome {
    let func = instance.export(&mut *store, name).and_then(Extern::func).unwrap();
    let ty = func.ty(&*store).unwrap();
    let arguments: Vec<Val> = ty.params.iter().zip(arguments).map(|(ty, bits)| val(*ty, *bits)).collect();
    let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
    match func.call(store, &arguments, &mut results) {
        Ok(()) => Ok(results.iter().map(bits).collect()),
        Err(error) => Err(error.payload::<Trap>().unwrap().code().unwrap()),
    }
}

/// Every exported function, which has no loops and no side effects, by production code and by rerun: for each, once as
/// far as it goes and once step by step. Gives how many were compared and how many of them trapped.
fn alike(engine: &Engine, text: &str, arguments: &[u64]) -> (usize, usize) {
    let module = Module::new(engine, &wat::parse_str(text).unwrap()).unwrap();
    let mut machine = Machine::new(&module, &mut Random(77));
    let mut store = Store::new(engine);
    let instance = Linker::new(engine).instantiate(&mut store, &module).unwrap();
    if let Some(memory) = instance.export(&mut store, "memory").and_then(Extern::memory) {
        memory.data_mut(&mut store).unwrap().copy_from_slice(machine.memory());
    }
    let (mut compared, mut trapped) = (0, 0);
    for (name, ty) in module.exports() {
        let ExternType::Func(ty) = ty else { continue };
        let Some(EntityIndex::Func(index)) = module.info().export(name).map(|export| export.index) else { continue };
        let code = module.rerun(module.info().defined(index).unwrap()).unwrap();
        let image = code.image();
        let nowhere = vec![0; image.instructions.len()];
        for combination in 0..arguments.len().pow(ty.params.len() as u32) {
            let mut rest = combination;
            let given: Vec<u64> = ty
                .params
                .iter()
                .map(|_| {
                    let value = arguments[rest % arguments.len()];
                    rest /= arguments.len();
                    value
                })
                .collect();
            let wanted = production(&mut store, &instance, name, &given);
            let mut at = given.iter().copied().chain(std::iter::repeat(0));
            let start = Values::new(image, || at.next().unwrap());
            for stops in [&nowhere[..], code.all_stops()] {
                let mut values = start.clone();
                let mut end = machine.run(&code, &mut values, stops, 0);
                while let RerunEnd::Stopped(at) = end {
                    assert_eq!(stops[at as usize], 1);
                    end = machine.run(&code, &mut values, stops, at);
                }
                let outcome = match end {
                    RerunEnd::Traps(_, code) => Err(code),
                    RerunEnd::Native(at) => {
                        let mut operands = values.seen(image, at).split_off(image.locals.len());
                        // A conditional branch out of the function: the guest takes its operand as well.
                        let opcode = module.binary()[image.instructions[at as usize].wasm.index()];
                        if [0x0d, 0x0e].contains(&opcode) {
                            operands.pop();
                        }
                        // Below the results there may be others.
                        Ok(operands.split_off(operands.len() - ty.results.len()))
                    }
                    RerunEnd::Stopped(_) => unreachable!(),
                };
                assert_eq!(outcome, wanted, "{name}{given:x?}: {end:?}");
            }
            compared += 1;
            trapped += usize::from(wanted.is_err());
        }
    }
    (compared, trapped)
}

/// `operators`, each as a function of its name.
fn functions(operators: &str, params: &[&str], result: &str) -> String {
    let mut text = String::new();
    for operator in operators.split_whitespace() {
        let gets: String = (0..params.len()).map(|i| format!("(local.get {i})")).collect();
        text += &format!(
            "(func (export \"{operator}\") (param {}) (result {result}) ({operator} {gets}))\n",
            params.join(" ")
        );
    }
    text
}

/// `names`, of a type.
fn of(ty: &str, names: &str) -> String {
    names.split_whitespace().map(|name| format!("{ty}.{name} ")).collect()
}

#[test]
fn numbers_are_those_of_production_code() {
    let mut text = String::new();
    for ty in ["i32", "i64"] {
        let binary = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
        text += &functions(&of(ty, binary), &[ty, ty], ty);
        text += &functions(&of(ty, "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"), &[ty, ty], "i32");
        text += &functions(&of(ty, "clz ctz popcnt extend8_s extend16_s"), &[ty], ty);
        text += &functions(&of(ty, "eqz"), &[ty], "i32");
        for from in ["f32", "f64"] {
            let names = ["trunc_F_s", "trunc_F_u", "trunc_sat_F_s", "trunc_sat_F_u"].join(" ").replace('F', from);
            text += &functions(&of(ty, &names), &[from], ty);
        }
    }
    for ty in ["f32", "f64"] {
        text += &functions(&of(ty, "add sub mul div min max copysign"), &[ty, ty], ty);
        text += &functions(&of(ty, "eq ne lt gt le ge"), &[ty, ty], "i32");
        text += &functions(&of(ty, "abs neg ceil floor trunc nearest sqrt"), &[ty], ty);
        for from in ["i32", "i64"] {
            text += &functions(&of(ty, &format!("convert_{from}_s convert_{from}_u")), &[from], ty);
        }
    }
    text += &functions("i32.wrap_i64", &["i64"], "i32");
    text += &functions("i64.extend_i32_s i64.extend_i32_u", &["i32"], "i64");
    text += &functions("i64.extend32_s", &["i64"], "i64");
    text += &functions("f32.demote_f64", &["f64"], "f32");
    text += &functions("f64.promote_f32", &["f32"], "f64");
    text += &functions("i32.reinterpret_f32", &["f32"], "i32");
    text += &functions("f32.reinterpret_i32", &["i32"], "f32");
    text += &functions("i64.reinterpret_f64", &["f64"], "i64");
    text += &functions("f64.reinterpret_i64", &["i64"], "f64");
    for ty in ["i32", "i64", "f32", "f64"] {
        text += &format!(
            "(func (export \"select {ty}\") (param {ty} {ty} i32) (result {ty})
                (select (local.get 0) (local.get 1) (local.get 2)))"
        );
    }
    let text = format!("(module {text})");
    for engine in [engine(|_| {}), engine(|config| config.signals = false), engine(|config| config.optimize = false)] {
        let (compared, trapped) = alike(&engine, &text, &EDGES);
        assert!(compared > 60_000 && trapped > 300, "{compared} {trapped}");
    }
}

#[test]
fn loads_are_those_of_production_code_and_never_reach_beyond_the_memory() {
    let mut text = String::from("(memory (export \"memory\") 1 1)");
    let loads = [
        ("i32", "load load8_s load8_u load16_s load16_u"),
        ("i64", "load load8_s load8_u load16_s load16_u load32_s load32_u"),
        ("f32", "load"),
        ("f64", "load"),
    ];
    for (ty, names) in loads {
        for name in names.split_whitespace() {
            for offset in [0u32, 1, 100, 65_528, 65_535, 65_536, 0x7fff_ffff, 0xffff_ffff] {
                text += &format!(
                    "(func (export \"{ty}.{name} {offset}\") (param i32) (result {ty})
                        ({ty}.{name} offset={offset} (local.get 0)))"
                );
            }
        }
    }
    text += "(func (export \"size\") (result i32) (memory.size))";
    let text = format!("(module {text})");
    let mut addresses: Vec<u64> = vec![0, 1, 8, 100, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff];
    addresses.extend((1..18).map(|back| 65_537 - back));
    let engines = [
        engine(|_| {}),
        engine(|config| config.signals = false),
        engine(|config| (config.memory_reservation, config.memory_guard) = (1 << 16, 1 << 16)),
        engine(|config| config.memory_guard = 16 << 30),
    ];
    for engine in engines {
        let (compared, trapped) = alike(&engine, &text, &addresses);
        assert!(trapped > 1000 && compared - trapped > 500, "{compared} {trapped}");
    }
}

#[test]
fn branches_take_their_operands_where_production_code_does() {
    let text = r#"(module
        (global $g (mut i32) (i32.const 9))
        (func (export "if") (param i32 i32) (result i32)
            (local.get 1)
            (if (param i32) (result i32) (local.get 0)
                (then (i32.const 3) (i32.mul))
                (else (i32.const 5) (i32.add) (local.set 1) (i32.sub (local.get 1) (i32.const 1)))))
        (func (export "br_if") (param i32 i64) (result i64)
            (i64.const 1) (i64.const 2) (i64.const 3)
            (block (result i64)
                (i32.const 7) (i64.const 8)
                (local.get 1)
                (br_if 0 (i32.eqz (local.get 0)))
                (i64.add)
                (br_if 0 (i32.eq (local.get 0) (i32.const 2)))
                (local.set 1) (drop)
                (i64.mul (local.get 1) (i64.const 10)))
            (i64.add) (i64.add) (i64.add))
        (func (export "several") (param i32 i64 f64) (result i32 i64 f64)
            (f64.const 1)
            (block (result i32 i64 f64)
                (i32.const -1) (i64.const -2)
                (local.get 0) (local.get 1) (local.get 2)
                (br_if 0 (i32.lt_s (local.get 0) (i32.const 3)))
                (f64.neg)
                (br 0))
            (local.set 2) (local.set 1) (local.set 0) (drop)
            (local.get 0) (local.get 1) (local.get 2))
        (func (export "table") (param i32 i32) (result i32)
            (block $a (result i32)
                (i32.const 50)
                (block $b (result i32)
                    (i32.const 60)
                    (block $c (result i32)
                        (i32.const 70)
                        (local.get 1)
                        (br_table $a $b $c $a $b (local.get 0)))
                    (i32.add)
                    (return))
                (i32.sub)))
        (func (export "out") (param i32 i32) (result i32)
            (i32.const 11)
            (br_if 0 (local.get 0) (local.get 1))
            (i32.add)
            (if (i32.ge_u (local.get 1) (i32.const 0x7fffffff)) (then (unreachable)))
            (i32.xor (i32.const 3)))
        (func (export "early") (param i32 i32) (result i32)
            (if (local.get 0) (then (i32.const 1) (i32.const 2) (return (local.tee 1 (i32.const 4)))))
            (i32.div_s (local.get 1) (local.get 0)))
        (func (export "nothing"))
        (func (export "tee") (param i32 i64) (result i64)
            (local i64 f32)
            (i64.add (local.tee 2 (i64.extend_i32_s (local.tee 0 (i32.const 6)))) (local.get 1))
            (drop (f32.add (local.get 3) (f32.const 1)))
            (i64.shl (local.get 2)) (nop)))"#;
    for engine in [engine(|_| {}), engine(|config| config.optimize = false)] {
        let (compared, trapped) = alike(&engine, text, &EDGES);
        assert!(compared > 10_000 && trapped > 100, "{compared} {trapped}");
    }
}

/// What only the guest may do ends rerun before it, with the state untouched.
#[test]
fn stops_before_what_only_the_guest_may_run() {
    let engine = engine(|_| {});
    let text = r#"(module
        (import "" "f" (func $f (param i32) (result i32)))
        (memory 1) (table 4 funcref) (global $g (mut i32) (i32.const 0)) (data "x") (elem func $f)
        (func (param i32) (i32.store (local.get 0) (i32.const 7)) (nop))
        (func (param i32) (global.set $g (local.get 0)) (nop))
        (func (param i32) (drop (memory.grow (local.get 0))) (nop))
        (func (param i32) (memory.fill (local.get 0) (i32.const 1) (i32.const 2)) (nop))
        (func (param i32) (memory.copy (local.get 0) (i32.const 1) (i32.const 2)) (nop))
        (func (param i32) (memory.init 0 (local.get 0) (i32.const 1) (i32.const 2)) (nop))
        (func (param i32) (data.drop 0) (nop))
        (func (param i32) (drop (call $f (local.get 0))) (nop))
        (func (param i32) (drop (call_indirect (param i32) (result i32) (local.get 0) (local.get 0))) (nop))
        (func (param i32) (table.set (local.get 0) (ref.null func)) (nop))
        (func (param i32) (drop (table.grow (ref.null func) (local.get 0))) (nop))
        (func (param i32) (elem.drop 0) (nop))
        (func (param i32) (loop (br_if 0 (local.get 0))) (nop)))"#;
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let mut random = Random(5);
    let mut machine = Machine::new(&module, &mut random);
    let before = machine.everything();
    const END: u8 = 0x0b;
    const BR_IF: u8 = 0x0d;
    let expected = [0x36, 0x24, 0x40, 0xfc, 0xfc, 0xfc, 0xfc, 0x10, 0x11, 0x26, 0xfc, 0xfc, 0x03];
    assert_eq!(module.info().bodies.len(), expected.len());
    for (func, expected) in expected.into_iter().enumerate() {
        let code = module.rerun(DefinedFuncIndex::from_usize(func)).unwrap();
        let image = code.image();
        let mut native = Vec::new();
        for from in 0..image.instructions.len() as u32 {
            let mut values = Values::new(image, || random.value());
            let start = values.seen(image, from);
            let end = machine.run(&code, &mut values, code.all_stops(), from);
            if end == RerunEnd::Native(from) {
                assert_eq!(values.seen(image, from), start);
                native.push(from);
            }
        }
        let opcode = |position: &u32| module.binary()[image.instructions[*position as usize].wasm.index()];
        assert_eq!(native.pop().as_ref().map(opcode), Some(END), "function {func}");
        // A branch back to the loop may be taken or not.
        native.retain(|position| opcode(position) != BR_IF);
        assert_eq!(native.iter().map(opcode).collect::<Vec<_>>(), [expected], "function {func}");
        let graph = module.region_graph(DefinedFuncIndex::from_usize(func)).unwrap();
        assert!(!graph.edges.iter().any(|edge| edge.1 == native[0]), "function {func}: an edge where there is no way");
    }
    assert!(machine.everything() == before, "rerun changed something");
}

/// A module of wasm-smith's.
fn smith(random: &mut Random) -> Vec<u8> {
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.next() as u8).take(4000).collect();
    // Code relies on a memory being no smaller than its module says.
    let config = wasm_smith::Config { min_funcs: 2, max_memory64_bytes: MEMORY as u128, ..features::supported() };
    wasm_smith::Module::new(config, &mut arbitrary::Unstructured::new(&bytes)).unwrap().to_bytes()
}

/// How often each thing was seen, so that a test that sees nothing fails.
#[derive(Debug, Default)]
struct Seen {
    modules: usize,
    steps: usize,
    stopped: usize,
    native: usize,
    traps: usize,
}

/// From every instruction of a function, with any state: step by step, in one go, and with stops anywhere.
fn from_anywhere(machine: &mut Machine, code: &RerunCode, graph: &RegionGraph, random: &mut Random, seen: &mut Seen) {
    let image = code.image();
    let count = image.instructions.len();
    assert!(graph.instructions.iter().eq(image.instructions.iter().map(|row| &row.wasm)), "a walk finds others");
    assert!(graph.edges.is_sorted() && graph.edges.iter().all(|(to, from)| from < to && (*to as usize) < count));
    for from in 0..count as u32 {
        let mut start = Values::new(image, || random.value());
        for (_, word) in state(image, from).into_iter().filter(|(ty, _)| ty.is_ref()) {
            start.0[word as usize] = 0;
        }
        // Step by step, with the state at every position.
        let mut values = start.clone();
        let mut at = from;
        let mut trace = vec![(at, values.seen(image, at))];
        let end = loop {
            match machine.run(code, &mut values, code.all_stops(), at) {
                RerunEnd::Stopped(next) => {
                    assert!(next > at, "a cycle: from {at} to {next}");
                    assert!(graph.before(next).any(|before| before == at), "no edge from {at} to {next}");
                    at = next;
                    trace.push((at, values.seen(image, at)));
                }
                end => break end,
            }
        };
        let ended_at = match end {
            RerunEnd::Native(at) => {
                seen.native += 1;
                at
            }
            RerunEnd::Traps(at, _) => {
                seen.traps += 1;
                at
            }
            RerunEnd::Stopped(at) => at,
        };
        assert_eq!(ended_at, at, "{end:?}");
        assert_eq!(trace.last(), Some(&(at, values.seen(image, at))), "what ends rerun changes nothing: {end:?}");
        seen.steps += trace.len();

        let mut values = start.clone();
        assert_eq!(machine.run(code, &mut values, &vec![0; count], from), end);
        assert_eq!(values.seen(image, at), trace[trace.len() - 1].1);

        let stops: Vec<u8> = (0..count).map(|_| u8::from(random.below(8) == 0) * 0x80).collect();
        let mut values = start;
        match (machine.run(code, &mut values, &stops, from), trace[1..].iter().find(|row| stops[row.0 as usize] != 0)) {
            (RerunEnd::Stopped(at), Some((wanted, state))) => {
                assert_eq!((at, &values.seen(image, at)), (*wanted, state));
                seen.stopped += 1;
            }
            (other, None) => assert_eq!(other, end),
            (other, wanted) => panic!("{other:?} for {wanted:?}"),
        }
    }
}

#[test]
fn ends_from_anywhere_with_any_state() {
    let engines = [
        engine(|_| {}),
        engine(|config| config.signals = false),
        engine(|config| config.force_rerun_runs = Some(5)),
        engine(|config| config.optimize = false),
        engine(|config| config.force_rerun_runs = Some(1)),
    ];
    let mut random = Random(0x1357_9bdf_0246_8ace);
    let mut seen = Seen::default();
    for round in 0..500 {
        let binary = smith(&mut random);
        let engine = &engines[round % engines.len()];
        // A few of the tool's modules are larger than an implementation takes.
        let Ok(module) = Module::new(engine, &binary) else { continue };
        let mut machine = Machine::new(&module, &mut random);
        let before = machine.everything();
        for func in 0..module.info().bodies.len() {
            let func = DefinedFuncIndex::from_usize(func);
            let (code, graph) = (module.rerun(func).unwrap(), module.region_graph(func).unwrap());
            from_anywhere(&mut machine, &code, &graph, &mut random, &mut seen);
        }
        assert!(machine.everything() == before, "rerun changed something: round {round}");
        seen.modules += 1;
    }
    let Seen { modules, steps, stopped, native, traps } = seen;
    assert!(modules >= 450 && steps > 50_000 && stopped > 3000 && native > 10_000 && traps > 2000, "{seen:?}");
}

#[test]
fn the_engine_keeps_it_for_all_stores() {
    let text = "(module (func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))";
    let binary = wat::parse_str(text).unwrap();
    let engine = engine(|_| {});
    let module = Module::new(&engine, &binary).unwrap();
    let first = DefinedFuncIndex::new(0);
    let threads: Vec<Arc<RerunCode>> = std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| module.rerun(first).unwrap()));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert!(threads.iter().all(|code| Arc::ptr_eq(code, &module.clone().rerun(first).unwrap())));
    let error = |result: Result<Arc<RerunCode>, Error>| result.unwrap_err().kind();
    assert_eq!(error(module.rerun(DefinedFuncIndex::new(1))), ErrorKind::Argument);
    let production = Module::new(&Engine::new(Config::default()).unwrap(), &binary).unwrap();
    assert_eq!(error(production.rerun(first)), ErrorKind::State);
    // The code outlives the module.
    let code = module.rerun(first).unwrap();
    let mut machine = Machine::new(&module, &mut Random(1));
    drop((threads, module, engine));
    let mut values = Values::new(code.image(), || 41);
    let nowhere = vec![0; code.image().instructions.len()];
    assert_eq!(machine.run(&code, &mut values, &nowhere, 0), RerunEnd::Native(3));
    assert_eq!(values.seen(code.image(), 3), [41, 42]);
}
