//! Serialized modules that were changed: as they are, and with the hash made to fit. They are refused, or taken; what
//! is taken is not run, since a serialized module with a right hash is trusted as a shared library is.
//!
//! The input is a list of edits (place, byte) of a module's file. Its first byte chooses the module, whether the hash
//! is put right, and whether the engine that loads it has images of memories.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use stepwell::base::WasmOffset;
use stepwell::{Config, Engine, Module};

struct Files {
    /// One that has images of memories, and one that has not.
    engines: [Engine; 2],
    files: Vec<Vec<u8>>,
}

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let [engine, _] = stepwell_fuzz::engines();
    let plain = Engine::new(Config { memory_images: false, ..engine.config().clone() }).expect("an engine");
    let texts = [
        "(module)",
        r#"(module (import "e" "f" (func)) (memory 1) (table 3 funcref) (elem (i32.const 0) func 1) (data (i32.const 8) "abc")
            (func (export "g") (param i32 i64) (result i32) (local f32) call 0
              (block (loop (br_if 1 (local.get 0)) (i32.store (i32.const 0) (i32.div_u (i32.const 1) (local.get 0)))))
              i32.const 7))"#,
        // Data of which some is left out of copies, and segments over each other.
        r#"(module (memory 40) LARGE (data (i32.const 4000) "across pages") (data (i32.const 4090) "over") (data "passive")
            (data (i32.const 1500000) "far") (data (i32.const 0) ""))"#,
    ];
    let files = texts.iter().map(|text| {
        let text = text.replace("LARGE", &format!("(data (i32.const 9000) \"{}\")", "large".repeat(10_000)));
        let module = Module::new(&engine, &wat::parse_str(&text).expect("a text")).expect("a module");
        module.debug_code(&|_, _| true).expect("debug code");
        module.serialize().expect("a file")
    });
    let files = files.collect();
    Files { engines: [engine, plain], files }
});

fuzz_target!(|bytes: &[u8]| {
    let Some((how, edits)) = bytes.split_first() else { return };
    let mut file = FILES.files[usize::from(how / 8) % FILES.files.len()].clone();
    for edit in edits.chunks_exact(5).take(200) {
        let at = u32::from_le_bytes([edit[0], edit[1], edit[2], 0]) as usize;
        match edit[3] % 8 {
            0 => file.truncate(at),
            1 => file.extend_from_slice(&[edit[4]; 3]),
            _ => {
                let length = file.len().max(1);
                if let Some(byte) = file.get_mut(at % length) {
                    *byte = edit[4];
                }
            }
        }
    }
    if how & 2 == 0 {
        stepwell::internals::image::seal_elf(&mut file);
    }
    if let Ok(module) = Module::deserialize(&FILES.engines[usize::from(how & 1)], &file) {
        std::hint::black_box((module.exports().count(), module.imports().count(), module.text_size()));
        std::hint::black_box((module.binary().len(), module.serialize().is_ok()));
        std::hint::black_box(module.locations(WasmOffset::new(40)));
    }
});
