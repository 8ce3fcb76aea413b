//! Names and DWARF, which nobody has validated: a module with custom sections of the input's bytes, asked for
//! positions, names, lines and a backtrace. The input is a list of sections: a byte for the name, two for the length,
//! and the contents. Those of names that files of split DWARF have are put into such a file, which the module is given
//! half-way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use stepwell::base::WasmOffset;
use stepwell::debug::{Action, Debugger};
use stepwell::{Engine, Module, Trap};
use wasm_encoder::{CustomSection, RawSection};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let [engine, _] = stepwell_fuzz::engines();
    engine
});

/// `scripts/fuzz` reads this list.
const SECTIONS: &[&str] = &[
    "name",
    ".debug_info",
    ".debug_abbrev",
    ".debug_line",
    ".debug_str",
    ".debug_line_str",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_addr",
    ".debug_str_offsets",
    ".debug_loc",
    ".debug_aranges",
    ".debug_types",
    ".debug_info.dwo",
    ".debug_abbrev.dwo",
    "producers",
    ".debug_cu_index",
    ".debug_str.dwo",
    ".debug_str_offsets.dwo",
    ".debug_rnglists.dwo",
    ".debug_line.dwo",
    ".debug_loclists.dwo",
];

/// A function that calls another one, which traps.
static CODE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let text = r#"(module (func (export "f") (param i32) (result i32) (call 1 (local.get 0)))
        (func (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0))))"#;
    wat::parse_str(text).expect("a text")
});

fuzz_target!(|bytes: &[u8]| {
    let mut module = wasm_encoder::Module::new();
    for payload in wasmparser::Parser::new(0).parse_all(&CODE) {
        if let Some((id, range)) = payload.expect("a valid module").as_section()
            && id != 0
        {
            module.section(&RawSection { id, data: &CODE[range.start as usize..range.end as usize] });
        }
    }
    let mut split = wasm_encoder::Module::new();
    let mut rest = bytes;
    while let Some((head, behind)) = rest.split_at_checked(3) {
        let length = usize::from(u16::from_le_bytes([head[1], head[2]])).min(behind.len());
        let name = SECTIONS[usize::from(head[0]) % SECTIONS.len()];
        let section = CustomSection { name: name.into(), data: behind[..length].into() };
        let of_split = name.ends_with(".dwo") || name.ends_with("_index");
        if of_split { &mut split } else { &mut module }.section(&section);
        rest = &behind[length..];
    }
    let binary = module.finish();
    let Ok(module) = Module::new(&ENGINE, &binary) else { return };
    for _ in 0..2 {
        for offset in (0..binary.len().min(200) as u32).chain([u32::MAX]) {
            for location in module.locations(WasmOffset::new(offset)) {
                if let Some(file) = location.file() {
                    std::hint::black_box(module.offsets_of_line(file, location.line()));
                }
            }
        }
        // The input itself may be such a file, too.
        let _ = (module.add_split_dwarf(split.as_slice()), module.add_split_dwarf(bytes));
        std::hint::black_box(module.missing_split_units());
    }
    std::hint::black_box((module.name(), module.offsets_of_line("a.c", 1)));
    let mut store = stepwell_fuzz::store(&ENGINE);
    let debugger = Debugger::attach(&mut store, |stop| {
        stepwell_fuzz::look(stop);
        Action::StepInstruction
    });
    let debugger = debugger.expect("the engine debugs");
    let _ = debugger.break_at_name(&mut store, &module, "f");
    debugger.step_always(&mut store, true).expect("it is attached");
    let instance = stepwell_fuzz::instantiate(&mut store, &module).expect("nothing is imported");
    for func in stepwell_fuzz::functions(&mut store, instance) {
        let error = func.call(&mut store, &[stepwell::Val::I32(0)], &mut [stepwell::Val::I32(0)]).expect_err("a trap");
        std::hint::black_box(error.payload::<Trap>().map(|trap| format!("{trap:?} {trap}")));
    }
});
