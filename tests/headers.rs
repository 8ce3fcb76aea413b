//! The headers are what the sources say, and compile: alone, twice, in two units, as every standard from C99 and
//! C++11 on, without a warning. What the library exports is what they declare.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const C_STANDARDS: &[&str] = &["c99", "c11", "c17", "c2x"];
const CXX_STANDARDS: &[&str] = &["c++11", "c++14", "c++17", "c++20"];
const WARNINGS: &[&str] = &["-pedantic-errors", "-Wall", "-Wextra", "-Wundef", "-Wstrict-prototypes", "-Werror"];

/// Compiles `source` as each standard; the compiler must say nothing.
fn compile(name: &str, source: &str) {
    let dir = support::scratch(&format!("headers-{name}"));
    for (compiler, extension, standards) in [("cc", "c", C_STANDARDS), ("c++", "cc", CXX_STANDARDS)] {
        let file = dir.join(name).with_extension(extension);
        std::fs::write(&file, source).unwrap();
        for standard in standards {
            let warnings = WARNINGS.iter().filter(|warning| extension == "c" || **warning != "-Wstrict-prototypes");
            let output = Command::new(compiler)
                .arg(format!("-std={standard}"))
                .args(warnings)
                .arg("-I")
                .arg(support::root().join("include"))
                .args(["-c", "-o"])
                .arg(dir.join(format!("{name}-{standard}.o")))
                .arg(&file)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{name} as {standard}:\n{said}");
        }
    }
}

#[test]
fn each_compiles_alone() {
    compile("wasm", "#include <wasm.h>\ntypedef wasm_valtype_t one;\n");
    compile("stepwell", "#include <stepwell.h>\ntypedef stepwell_error_t one;\n");
    for path in groups() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        compile(&format!("group-{name}"), &format!("#include <stepwell/{name}.h>\nint x;\n"));
    }
}

/// The headers of groups of nouns.
fn groups() -> Vec<PathBuf> {
    let folder = support::root().join("include/stepwell");
    let mut groups: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    groups.sort();
    assert!(groups.len() >= 8, "{groups:?}");
    groups
}

/// `stepwell.h` includes each of them, and declares nothing by itself.
#[test]
fn the_umbrella_includes_all_groups() {
    let umbrella = std::fs::read_to_string(support::root().join("include/stepwell.h")).unwrap();
    for path in groups() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(umbrella.contains(&format!("#include \"stepwell/{name}\"")), "{name}");
    }
    assert!(!umbrella.contains("STEPWELL_API"), "all functions are in the groups");
}

#[test]
fn both_compile_twice_and_in_any_order() {
    compile("twice", "#include <wasm.h>\n#include <wasm.h>\n#include <stepwell.h>\n#include <stepwell.h>\nint x;\n");
    compile("reversed", "#include <stepwell.h>\n#include <wasm.h>\n#include <stepwell.h>\nint x;\n");
}

#[test]
fn two_units_link() {
    let uses = "
        int f(void) {
          own_test *type = wasm_functype_new_2_1(wasm_valtype_new_i32(), wasm_valtype_new_funcref(), wasm_valtype_new_f64());
          int count = (int)wasm_functype_params(type)->size;
          wasm_functype_delete(type);
          return count + (int)MEMORY_PAGE_SIZE + (int)stepwell_version_number();
        }\n";
    for (compiler, extension) in [("cc", "c"), ("c++", "cc")] {
        let dir = support::scratch(&format!("headers-units-{extension}"));
        let head = "#include <stepwell.h>\ntypedef wasm_functype_t own_test;\n";
        let (one, two) = (dir.join("one").with_extension(extension), dir.join("two").with_extension(extension));
        std::fs::write(&one, format!("{head}{uses}")).unwrap();
        std::fs::write(
            &two,
            format!(
                "{head}{}int f(void);\nint main(void) {{ return f() == 65538 + STEPWELL_VERSION_NUMBER && g() == f() ? 0 : 1; }}\n",
                uses.replace("int f(", "static int g(")
            ),
        )
        .unwrap();
        support::compile(compiler, &[&one, &two], &dir.join("units"), &[]);
        support::run(&dir.join("units"), &[]);
    }
}

/// A struct has the same size and the same fields at the same places in C as in Rust.
macro_rules! layout {
    ($checks:ident, $($type:ident { $($field:ident),* })*) => { $(
        $checks += &format!(
            "_Static_assert(sizeof({0}) == {1}, \"{0}\");\n", stringify!($type), size_of::<$type>());
        $($checks += &format!(
            "_Static_assert(offsetof({0}, {1}) == {2}, \"{0}.{1}\");\n",
            stringify!($type), stringify!($field), std::mem::offset_of!($type, $field));)*
    )* };
}

#[test]
fn structs_are_laid_out_alike() {
    use stepwell::internals::capi::type_object::wasm_limits_t;
    use stepwell::internals::capi::val::{wasm_val_t, wasm_val_union_t};
    use stepwell::internals::capi::vecs::{
        wasm_byte_vec_t, wasm_extern_vec_t, wasm_frame_vec_t, wasm_val_vec_t, wasm_valtype_vec_t,
    };
    let mut checks = "#include <stepwell.h>\n".to_owned();
    layout!(checks,
        wasm_val_t { kind, of }
        wasm_val_union_t { i32, i64, f32, f64 }
        wasm_limits_t { min, max }
        wasm_byte_vec_t { size, data }
        wasm_valtype_vec_t { size, data }
        wasm_val_vec_t { size, data }
        wasm_frame_vec_t { size, data }
        wasm_extern_vec_t { size, data }
    );
    assert_eq!(size_of::<wasm_val_t>(), 16, "as in the standard's header");
    let dir = support::scratch("headers-layout");
    let (source, program) = (dir.join("layout.c"), dir.join("layout"));
    std::fs::write(&source, checks + "int main(void) { return 0; }\n").unwrap();
    support::compile("cc", &[&source], &program, &["-std=c11"]);
}

#[test]
fn they_are_what_the_sources_say() {
    xtask(&["headers", "--check"]);
}

#[test]
fn the_library_exports_what_they_declare() {
    xtask(&["symbols", support::library().to_str().unwrap()]);
}

#[test]
fn the_library_has_its_soname_and_stays_loaded() {
    let output = Command::new("readelf").args(["-d", "-W"]).arg(support::library()).output().unwrap();
    let dynamic = String::from_utf8_lossy(&output.stdout);
    assert!(dynamic.contains("[libstepwell.so.0]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

/// Runs a developer command.
fn xtask(args: &[&str]) {
    let output = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--package",
            "xtask",
            "--profile",
            if cfg!(debug_assertions) { "dev" } else { "release" },
        ])
        .arg("--")
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The names that C's functions give to the settings of a configuration.
fn settings() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in groups() {
        let text = std::fs::read_to_string(path).unwrap();
        for part in text.split("stepwell_config_").skip(1) {
            if let Some((name, _)) = part.split_once("_set(") {
                names.insert(name.to_owned());
            }
        }
    }
    assert!(names.contains("debug") && names.contains("max_stack"), "{names:?}");
    names
}

/// Messages name settings, so that a setting is called the same in all languages.
#[test]
fn settings_have_one_name() {
    let source = std::fs::read_to_string(support::root().join("src/runtime/compiled/config.rs")).unwrap();
    let fields = source.split_once("pub struct Config {").unwrap().1.split_once("\n}").unwrap().0;
    let fields: BTreeSet<&str> =
        fields.lines().filter_map(|line| line.strip_prefix("    pub ")?.split(':').next()).collect();
    let settings = settings();
    // Features are set one at a time, and for tests alone is one that no message names.
    let other =
        ["features", "force_rerun_runs", "force_split_after", "force_fuel_part", "force_machine", "force_collections"];
    let missing: Vec<_> = fields.iter().filter(|name| !settings.contains(**name) && !other.contains(name)).collect();
    assert!(missing.is_empty(), "Config has {missing:?}, which C has no setting of the same name for");
}

/// What a message calls by name is called so in C: no field, type or function of the Rust sources alone.
#[test]
fn messages_name_nothing_that_c_does_not_know() {
    let settings = settings();
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for path in sources(&support::root().join("src")) {
        let source = std::fs::read_to_string(&path).unwrap();
        // Unit tests stand last; what begins with a dot is assembly.
        let source = source.split("#[cfg(test)]\nmod ").next().unwrap();
        for literal in literals(source).filter(|text| text.contains(' ') && !text.starts_with('.')) {
            looked_at += 1;
            for word in literal.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':') {
                let word = word.trim_matches([':', '_']);
                let of_c = ["stepwell_", "wasm_", "pthread_"].iter().any(|prefix| word.starts_with(prefix))
                    || settings.contains(word)
                    // WebAssembly's, DWARF's and Linux's own.
                    || ["br_table", "try_table", "new_fixed", "debug_info", "max_map_count", "call_indirect", "return_call_indirect", "catch_ref", "catch_all", "catch_all_ref", "seq_cst", "acq_rel"].contains(&word);
                let snake = word.contains('_') && word.starts_with(|c: char| c.is_ascii_lowercase());
                if (snake || word.contains("::")) && !of_c {
                    wrong.push(format!("{}: {word} in \"{literal}\"", path.display()));
                }
            }
        }
    }
    assert!(looked_at > 200, "{looked_at}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The Rust sources below a folder, without those that are tests alone.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            found.extend(sources(&path));
        } else if path.ends_with("tests.rs") || path.ends_with("src/lib.rs") {
            // What `lib.rs` says, it says to who ports it.
            continue;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The string literals of Rust source, without those of comments and attributes, and without what is formatted into
/// them.
fn literals(source: &str) -> impl Iterator<Item = String> {
    let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with(['/', '#'])).collect();
    let code = code.join("\n").replace("'\"'", "' '").replace("\\\"", "'");
    let pieces: Vec<String> = code.split('"').map(str::to_owned).collect();
    pieces.into_iter().skip(1).step_by(2).map(|text| {
        let mut rest = text.as_str();
        let mut shown = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            shown += before;
            rest = after.split_once('}').map_or("", |(_, after)| after);
        }
        shown + rest
    })
}
