//! Prints what loading a serialized module takes beside compiling it.
//! `cargo run --release --example module_costs -- [MODULE.wasm...]`

use std::time::Instant;
use stepwell::runtime::{Config, Engine, Module};

/// The least that one of `n` calls takes, in milliseconds: what else the machine does is in the others.
fn least<T>(n: usize, mut work: impl FnMut() -> T) -> f64 {
    let time = || {
        let start = Instant::now();
        let made = work();
        let taken = start.elapsed();
        drop(made);
        taken.as_secs_f64() * 1e3
    };
    std::iter::repeat_with(time).take(n).fold(f64::INFINITY, f64::min)
}

fn main() {
    let folder = std::env::temp_dir().join(format!("stepwell-module-costs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let file = folder.join("module");
    println!("milliseconds");
    for path in std::env::args().skip(1) {
        let binary = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        for debug in [false, true] {
            let engine = Engine::new(Config { debug, ..Config::default() }).expect("an engine");
            let compile = || {
                let module = Module::new(&engine, &binary).unwrap_or_else(|error| panic!("{path}: {error}"));
                if debug {
                    module.debug_code(&|_, _| true).expect("debug code");
                }
                module
            };
            let module = compile();
            let bytes = module.serialize().expect("bytes");
            module.serialize_to_file(&file).expect("a file");
            let what = if debug { "with debug code" } else { "production code alone" };
            let text = module.text_size() + module.debug_text_size().unwrap_or(0);
            println!(
                "{path}: {} KB, {what}: {} KB of code, {} KB in all",
                binary.len() >> 10,
                text >> 10,
                bytes.len() >> 10
            );
            println!("  compile                {:9.3}", least(5, compile));
            println!("  serialize              {:9.3}", least(21, || module.serialize()));
            println!("  write a file           {:9.3}", least(11, || module.serialize_to_file(&file)));
            println!(
                "  load a file            {:9.3}",
                least(201, || Module::deserialize_from_file(&engine, &file).expect("a module"))
            );
            println!(
                "  load bytes             {:9.3}",
                least(201, || Module::deserialize(&engine, &bytes).expect("a module"))
            );
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
}
