//! Modules whose memories, tables and segments are of every shape, with exports that read, write and grow them. They
//! are made from random numbers, and end by themselves.

use super::random::Random;
use std::borrow::Cow;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, HeapType, ImportSection, Instruction, MemArg,
    MemArgTarget, MemorySection, MemoryType, Module, RefType, StartSection, TableSection, TableType, TypeSection,
    ValType,
};

/// Bytes of a page of a memory, and of the pages of the machine below.
const PAGE: i64 = 64 << 10;
const SMALL_PAGE: i64 = 4 << 10;
/// The globals of the host that a module imports: all numbers, none can be changed.
pub const GLOBALS: usize = 3;
/// Functions that tables are filled with; they take nothing and return a number.
const LEAVES: u32 = 6;

/// What a module imports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Import {
    /// A memory, of this type as the module says.
    Memory,
    /// A table.
    Table,
    /// One of the host's globals.
    Global(usize),
}

/// A parameter of an export, by what it is used for.
#[derive(Clone, Copy, Debug)]
pub enum Param {
    /// A place in the memory.
    Address,
    /// How many bytes or elements.
    Length,
    /// How many pages more.
    Delta,
    /// How many elements more. The other engine does not say no to a few thousand million, but fails.
    Elements,
    /// A place in a table.
    Index,
    /// A number to write.
    I32,
    /// The same.
    I64,
}

/// A module.
pub struct Guest {
    /// The module.
    pub binary: Vec<u8>,
    /// Its imports, in order.
    pub imports: Vec<Import>,
    /// Its exports that are called, with their parameters.
    pub calls: Vec<(String, Vec<Param>)>,
    /// Places in its memory at which something begins or ends.
    pub places: Vec<i64>,
}

/// The names of the exports that are no functions: memory, table, a global that can be changed and one that cannot.
pub const MEMORY: &str = "memory";
pub const TABLE: &str = "table";
pub const CHANGING: &str = "changing";
pub const FIXED: &str = "fixed";

/// What an export does, with its parameters on the operand stack: its name, parameters, results, and the instructions.
struct Part {
    name: String,
    params: &'static [Param],
    results: &'static [ValType],
    body: Vec<Instruction<'static>>,
}

struct Maker<'a> {
    random: &'a mut Random,
    /// Values of the globals that it expects to get.
    globals: &'a [i32; GLOBALS],
    pages: i64,
    elements: i64,
    places: Vec<i64>,
    /// How many segments there are.
    datas: u32,
    segments: u32,
}

/// Makes a module that expects globals of these values.
pub fn make(random: &mut Random, globals: &[i32; GLOBALS]) -> Guest {
    let pages = *random.pick(&[0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 5, 5, 17, 17, 40, 130, 700]);
    let elements = *random.pick(&[0, 1, 4, 16, 16, 100, 700, 3000]);
    let mut maker = Maker {
        random,
        globals,
        pages,
        elements,
        places: vec![0, pages * PAGE, pages * PAGE - SMALL_PAGE],
        datas: 0,
        segments: 0,
    };
    maker.module()
}

impl Maker<'_> {
    fn module(&mut self) -> Guest {
        let mut calls: Vec<(String, Vec<Param>)> = Vec::new();
        let mut imports = Vec::new();
        let mut import_section = ImportSection::new();
        for global in 0..GLOBALS {
            imports.push(Import::Global(global));
            let ty = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
            import_section.import("host", &format!("global{global}"), ty);
        }
        let mut memories = MemorySection::new();
        let max = self.max(self.pages, &[0, 1, 2, 9, 40]);
        if self.random.one_in(4) {
            imports.push(Import::Memory);
            // Of this size it is at least, and its segments go by it.
            let minimum = self.random.below(4);
            self.pages = minimum as i64;
            self.places = vec![0, self.pages * PAGE];
            let ty = MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None };
            import_section.import("host", "memory", ty);
        } else {
            let minimum = self.pages as u64;
            memories.memory(MemoryType { minimum, maximum: max, memory64: false, shared: false, page_size_log2: None });
        }
        let mut tables = TableSection::new();
        let max = self.max(self.elements, &[0, 1, 30, 5000]);
        let table = |minimum, maximum| TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum,
            maximum,
            shared: false,
        };
        if self.random.one_in(4) {
            imports.push(Import::Table);
            self.elements = self.random.below_i64(40);
            import_section.import("host", "table", table(self.elements as u64, None));
        } else {
            tables.table(table(self.elements as u64, max));
        }

        // A global of each kind of its own; what they begin with is known when an instance is made.
        let mut globals = GlobalSection::new();
        let own = GLOBALS as u32;
        for mutable in [true, false] {
            let first = self.offset(17, i64::MAX);
            globals.global(GlobalType { val_type: ValType::I32, mutable, shared: false }, &first);
        }

        let elements = self.element_segments();
        let data = self.data_segments();

        let mut exports = ExportSection::new();
        exports.export(MEMORY, ExportKind::Memory, 0);
        exports.export(TABLE, ExportKind::Table, 0);
        exports.export(CHANGING, ExportKind::Global, own);
        exports.export(FIXED, ExportKind::Global, own + 1);

        // One type for each function: nothing forbids it, but `call_indirect` needs to know that of the leaves.
        let mut types = TypeSection::new();
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        types.ty().function([], [ValType::I32]);
        for leaf in 0..LEAVES {
            functions.function(0);
            let mut body = Function::new_with_locals_types([]);
            let mut code_of = body.instructions();
            match self.random.below(3) {
                0 => {
                    let place = self.place();
                    code_of.i32_const(place as i32).i32_load8_u(memarg(0));
                }
                1 => {
                    code_of.global_get(own).i32_const(leaf as i32).i32_add();
                }
                _ => {
                    code_of.i32_const(self.random.next() as i32);
                }
            }
            code_of.end();
            code.function(&body);
            exports.export(&format!("leaf{leaf}"), ExportKind::Func, leaf);
            calls.push((format!("leaf{leaf}"), Vec::new()));
        }
        let mut count = LEAVES;
        let parts = self.parts();
        for Part { name, params, results, body: instructions } in &parts {
            let param_types = params.iter().map(|param| match param {
                Param::I64 => ValType::I64,
                _ => ValType::I32,
            });
            types.ty().function(param_types, results.iter().copied());
            functions.function(count - LEAVES + 1);
            let mut body = Function::new_with_locals_types([]);
            for param in 0..params.len() as u32 {
                body.instruction(&Instruction::LocalGet(param));
            }
            for instruction in instructions {
                body.instruction(instruction);
            }
            body.instruction(&Instruction::End);
            code.function(&body);
            exports.export(name, ExportKind::Func, count);
            calls.push((name.clone(), params.to_vec()));
            count += 1;
        }
        for (name, body) in [("sum", sum()), ("spray", spray())] {
            types.ty().function([ValType::I32, ValType::I32], [ValType::I32]);
            functions.function(count - LEAVES + 1);
            code.function(&body);
            exports.export(name, ExportKind::Func, count);
            calls.push((name.to_owned(), vec![Param::Address, Param::Length]));
            count += 1;
        }
        // Functions in which several of these come after each other, with everything known when they are compiled.
        let mut start = None;
        for script in 0..3 {
            types.ty().function([], []);
            functions.function(count - LEAVES + 1);
            let mut body = Function::new_with_locals_types([]);
            for _ in 0..2 + self.random.below(10) {
                let part = &parts[self.random.below(parts.len() as u64) as usize];
                for param in part.params {
                    match param {
                        Param::I64 => body.instructions().i64_const(self.random.next() as i64),
                        param => body.instructions().i32_const(argument(self.random, *param, &self.places) as i32),
                    };
                }
                for instruction in &part.body {
                    body.instruction(instruction);
                }
                for result in part.results {
                    let mut sink = body.instructions();
                    if *result == ValType::I64 {
                        sink.i32_wrap_i64();
                    }
                    // What it gives shows in the global.
                    sink.global_get(own).i32_const(31).i32_mul().i32_add().global_set(own);
                }
            }
            body.instruction(&Instruction::End);
            code.function(&body);
            exports.export(&format!("script{script}"), ExportKind::Func, count);
            calls.push((format!("script{script}"), Vec::new()));
            if start.is_none() && self.random.one_in(12) {
                start = Some(count);
            }
            count += 1;
        }

        let mut module = Module::new();
        module.section(&types).section(&import_section).section(&functions);
        if !tables.is_empty() {
            module.section(&tables);
        }
        if !memories.is_empty() {
            module.section(&memories);
        }
        module.section(&globals).section(&exports);
        if let Some(function_index) = start {
            module.section(&StartSection { function_index });
        }
        module.section(&elements);
        module.section(&DataCountSection { count: self.datas });
        module.section(&code).section(&data);
        Guest { binary: module.finish(), imports, calls, places: self.places.clone() }
    }

    /// A largest size, or none.
    fn max(&mut self, min: i64, more: &[u64]) -> Option<u64> {
        let more = *self.random.pick(more);
        (!self.random.one_in(3)).then(|| min as u64 + more)
    }

    /// A place in the memory, most often within it.
    fn place(&mut self) -> i64 {
        place(self.random, &self.places)
    }

    /// An expression whose value is this if the globals are what is expected, or a global's that is not above `most`.
    fn offset(&mut self, value: i64, most: i64) -> ConstExpr {
        let value = value as i32;
        let global = self.random.below(GLOBALS as u64) as u32;
        let of = self.globals[global as usize];
        match self.random.below(10) {
            0 | 5 if i64::from(of) <= most => ConstExpr::global_get(global),
            1 | 2 => ConstExpr::global_get(global).with_i32_const(value.wrapping_sub(of)).with_i32_add(),
            3 => ConstExpr::i32_const(value.wrapping_add(of)).with_global_get(global).with_i32_sub(),
            4 => ConstExpr::i32_const(value / 3)
                .with_i32_const(3)
                .with_i32_mul()
                .with_i32_const(value % 3)
                .with_i32_add(),
            _ => ConstExpr::i32_const(value),
        }
    }

    /// Where a segment of this length goes within `size`. Now and then that is beyond it.
    fn start_of(&mut self, len: i64, size: i64, before: Option<i64>) -> i64 {
        let room = (size - len).max(0);
        match self.random.below(150) {
            0 => room + 1,
            1 if self.random.one_in(3) => -1,
            2..30 => room,
            30..50 => 0,
            // Over another one, or just behind it.
            50..80 if before.is_some() => (before.unwrap_or(0) + self.random.near(len + 1)).clamp(0, room),
            80..105 => (self.random.below_i64(size / PAGE + 1) * PAGE + self.random.near(3)).clamp(0, room),
            105..125 => (self.random.below_i64(size / SMALL_PAGE + 1) * SMALL_PAGE - len / 2).clamp(0, room),
            _ => self.random.below_i64(room + 1),
        }
    }

    fn data_segments(&mut self) -> DataSection {
        let mut section = DataSection::new();
        let size = self.pages * PAGE;
        let count = *self.random.pick(&[0, 1, 1, 2, 3, 5, 9, 20]);
        for _ in 0..count {
            let len = match self.random.below(12) {
                0 => 0,
                1..4 => 1 + self.random.below_i64(16),
                4 => SMALL_PAGE,
                5 => PAGE,
                6 => self.random.below_i64(3 * PAGE),
                7 => (size / 2).min(40 * PAGE),
                _ => self.random.below_i64(2 * SMALL_PAGE),
            };
            // An empty one goes anywhere; one that is larger than the memory nowhere.
            let len = if self.random.one_in(80) { len } else { len.min(size) };
            let start = self.start_of(len, size, self.places.last().copied());
            let bytes = self.bytes(len);
            if self.random.one_in(5) {
                section.passive(bytes);
            } else {
                section.active(0, &self.offset(start, size - len), bytes);
                self.places.extend([start, start + len]);
            }
            self.datas += 1;
        }
        section
    }

    /// Bytes with and without zeros among them.
    fn bytes(&mut self, len: i64) -> Vec<u8> {
        let kind = self.random.below(4);
        let seed = self.random.next();
        (0..len as u64)
            .map(|at| match kind {
                0 => (seed ^ at.wrapping_mul(0x9e37_79b9) >> 7) as u8,
                1 => (seed | 1) as u8,
                // Whole pages of zeros.
                2 if (at >> 12) & 1 == 0 => 0,
                2 => at as u8,
                _ if at % 100 == 7 => seed as u8,
                _ => 0,
            })
            .collect()
    }

    fn element_segments(&mut self) -> ElementSection {
        let mut section = ElementSection::new();
        let count = self.random.below(6);
        let mut before = None;
        for _ in 0..count {
            let len = *self.random.pick(&[0, 1, 2, 7, 60, 700]);
            let len = if self.random.one_in(80) { len } else { len.min(self.elements) };
            let start = self.start_of(len, self.elements, before);
            let funcs: Vec<u32> = (0..len).map(|_| self.random.below(u64::from(LEAVES)) as u32).collect();
            let exprs: Vec<ConstExpr> = funcs
                .iter()
                .map(|func| match func {
                    0 => ConstExpr::ref_null(HeapType::FUNC),
                    func => ConstExpr::ref_func(*func),
                })
                .collect();
            let items = match self.random.below(2) {
                0 => Elements::Functions(Cow::Owned(funcs)),
                _ => Elements::Expressions(RefType::FUNCREF, Cow::Owned(exprs)),
            };
            match self.random.below(8) {
                0 => section.declared(items),
                1 => section.passive(items),
                _ => section.active(None, &self.offset(start, self.elements - len), items),
            };
            self.segments += 1;
            before = Some(start);
        }
        section
    }

    fn parts(&mut self) -> Vec<Part> {
        use Param::{Address, Delta, Elements as More, I32, I64, Index, Length};
        const NUMBER: &[ValType] = &[ValType::I32];
        const LONG: &[ValType] = &[ValType::I64];
        let mut parts: Vec<Part> = Vec::new();
        let mut add =
            |name: &str, params: &'static [Param], results: &'static [ValType], body: &[Instruction<'static>]| {
                parts.push(Part { name: name.to_owned(), params, results, body: body.to_vec() });
            };
        for i in 0..2 {
            let offset = *self.random.pick(&[0, 0, 1, 7, 4095, 65_536, 0x10_0000, 0x7fff_ffff, 0xffff_fff0]);
            let arg = memarg(offset);
            add(&format!("load8.{i}"), &[Address], NUMBER, &[Instruction::I32Load8U(arg)]);
            add(&format!("load64.{i}"), &[Address], LONG, &[Instruction::I64Load(arg)]);
            add(&format!("store8.{i}"), &[Address, I32], &[], &[Instruction::I32Store8(arg)]);
            add(&format!("store64.{i}"), &[Address, I64], &[], &[Instruction::I64Store(arg)]);
        }
        add("size", &[], NUMBER, &[Instruction::MemorySize(0)]);
        for name in ["grow", "grow.2"] {
            add(name, &[Delta], NUMBER, &[Instruction::MemoryGrow(0)]);
        }
        add("fill", &[Address, I32, Length], &[], &[Instruction::MemoryFill(0)]);
        add("copy", &[Address, Address, Length], &[], &[Instruction::MemoryCopy { src_mem: 0, dst_mem: 0 }]);
        for data_index in 0..self.datas {
            let init = Instruction::MemoryInit { mem: 0, data_index };
            add(&format!("init{data_index}"), &[Address, Length, Length], &[], &[init]);
            add(&format!("drop{data_index}"), &[], &[], &[Instruction::DataDrop(data_index)]);
        }
        add("is-null", &[Index], NUMBER, &[Instruction::TableGet(0), Instruction::RefIsNull]);
        add("call", &[Index], NUMBER, &[Instruction::CallIndirect { type_index: 0, table_index: 0 }]);
        add("table-size", &[], NUMBER, &[Instruction::TableSize(0)]);
        for leaf in [1, LEAVES - 1] {
            // The function comes below the number on the stack, which is there already.
            let own = GLOBALS as u32;
            let below = [Instruction::GlobalSet(own), Instruction::RefFunc(leaf), Instruction::GlobalGet(own)];
            let with = |last| [below.as_slice(), &[last]].concat();
            add(&format!("table-grow{leaf}"), &[More], NUMBER, &with(Instruction::TableGrow(0)));
            add(&format!("table-fill{leaf}"), &[Index, Index], &[], &with(Instruction::TableFill(0)));
            add(&format!("set{leaf}"), &[Index], &[], &[Instruction::RefFunc(leaf), Instruction::TableSet(0)]);
        }
        add("unset", &[Index], &[], &[Instruction::RefNull(HeapType::FUNC), Instruction::TableSet(0)]);
        let copy = Instruction::TableCopy { src_table: 0, dst_table: 0 };
        add("table-copy", &[Index, Index, Index], &[], &[copy]);
        for elem_index in 0..self.segments {
            let init = Instruction::TableInit { elem_index, table: 0 };
            add(&format!("table-init{elem_index}"), &[Index, Index, Index], &[], &[init]);
            add(&format!("table-drop{elem_index}"), &[], &[], &[Instruction::ElemDrop(elem_index)]);
        }
        parts
    }
}

/// The sum of bytes from a place on, one of each few pages.
fn sum() -> Function {
    let mut body = Function::new_with_locals_types([ValType::I32]);
    let mut code = body.instructions();
    code.local_get(1).i32_const(0x3f).i32_and().local_set(1);
    code.loop_(BlockType::Empty);
    code.local_get(2).i32_const(31).i32_mul();
    code.local_get(0).i32_load8_u(memarg(0)).i32_add().local_set(2);
    code.local_get(0).i32_const(5000).i32_add().local_set(0);
    code.local_get(1).i32_const(1).i32_sub().local_tee(1).i32_const(0).i32_gt_s().br_if(0);
    code.end().local_get(2).end();
    body
}

/// Writes numbers from a place on, one to each few pages.
fn spray() -> Function {
    let mut body = Function::new_with_locals_types([]);
    let mut code = body.instructions();
    code.local_get(1).i32_const(0x3f).i32_and().local_set(1);
    code.loop_(BlockType::Empty);
    code.local_get(0).local_get(0).i32_store(memarg(0));
    code.local_get(0).i32_const(9001).i32_add().local_set(0);
    code.local_get(1).i32_const(1).i32_sub().local_tee(1).i32_const(0).i32_gt_s().br_if(0);
    code.end().local_get(0).end();
    body
}

fn memarg(offset: u64) -> MemArg {
    MemArg { offset, align: 0, target: MemArgTarget::Memory(0), ordering: None }
}

/// An argument for such a parameter.
pub fn argument(random: &mut Random, param: Param, places: &[i64]) -> i64 {
    match param {
        Param::Address => place(random, places),
        Param::Length => match random.below(8) {
            0 => 0,
            1..4 => random.below_i64(40),
            4 => SMALL_PAGE + random.near(2),
            5 => PAGE + random.near(2),
            6 => place(random, places) / 2,
            _ => random.below_i64(9000),
        },
        Param::Delta => *random.pick(&[0, 1, 1, 2, 3, 8, 30, 65_537, -1]),
        Param::Elements => *random.pick(&[0, 1, 1, 2, 3, 30, 2000]),
        Param::Index => match random.below(6) {
            0 => random.near(3),
            1 => random.below_i64(4000),
            _ => random.below_i64(18),
        },
        Param::I32 | Param::I64 => random.next() as i64,
    }
}

/// A place in a memory: most often near where something begins or ends.
fn place(random: &mut Random, places: &[i64]) -> i64 {
    match random.below(8) {
        0 => random.below_i64(PAGE),
        1 => random.below_i64(20) * SMALL_PAGE + random.near(9),
        2 if random.one_in(4) => random.next() as i64,
        _ => *random.pick(places) + random.near(12),
    }
}

impl Random {
    /// A number below this one, which is not zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn below_i64(&mut self, end: i64) -> i64 {
        (self.next() % end.max(1) as u64) as i64
    }

    /// A number at most so far from zero.
    fn near(&mut self, far: i64) -> i64 {
        self.below_i64(2 * far + 1) - far
    }

    /// Whether it is one of so many.
    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
