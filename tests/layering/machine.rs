//! That what is of the machine, and of the system, stands where a port looks for it.

use super::files::tree;
use super::source::{mentions, rust_files, strip};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Words that are of one kind of machine: registers, instructions, bytes of code, names for all of it. In small
/// letters; `*` stands for whatever letters and digits.
const WORDS: &[&str] = &[
    // Registers.
    "rax",
    "rbx",
    "rcx",
    "rdx",
    "rsi",
    "rdi",
    "rbp",
    "rsp",
    "rip",
    "eax",
    "ebx",
    "ecx",
    "edx",
    "esp",
    "ebp",
    "eip",
    "r8",
    "r9",
    "r10",
    "r11",
    "r12",
    "r13",
    "r14",
    "r15",
    "xmm*",
    "ymm*",
    "zmm*",
    "mxcsr",
    "eflags",
    "rflags",
    "gregs",
    "reg_*",
    // Instructions and features.
    "int3",
    "ud2",
    "endbr64",
    "movups",
    "ldmxcsr",
    "stmxcsr",
    "qword",
    "modrm",
    "rex",
    "sse*",
    "avx*",
    "asm",
    "naked_asm",
    "global_asm",
    // Bytes.
    "0x0f",
    "0x1f",
    "0x48",
    "0x4c",
    "0x55",
    "0x89",
    "0xb8",
    "0xc3",
    "0xcc",
    "0xe5",
    "0xe8",
    "0xe9",
    // Names.
    "x86*",
    "amd64",
    "em_x86_64",
    "is_x86_feature_detected",
    "sysv",
    "systemv",
    "system v",
    "x64",
    "arm64",
    "aarch64",
];

/// The lines of a source that have such a word, in code or comment.
fn of_a_machine(source: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (line, text) in source.to_lowercase().lines().enumerate() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for word in WORDS {
            let (start, open) = word.strip_suffix('*').map_or((*word, false), |start| (start, true));
            let there = text.match_indices(start).any(|(at, _)| {
                let ends = open || !text[at + start.len()..].starts_with(is_word);
                !text[..at].ends_with(is_word) && ends
            });
            if there {
                found.push((line + 1, *word));
            }
        }
    }
    found
}

fn src() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[test]
fn only_one_room_knows_the_machine() {
    let mut files = Vec::new();
    rust_files(&src(), &mut files);
    let mut found = String::new();
    let mut inside = 0;
    for file in files {
        let path = file.strip_prefix(src()).unwrap();
        let words = of_a_machine(&read(&file));
        if path.starts_with("isa") {
            inside += words.len();
        } else if path != Path::new("lib.rs") {
            // That one tells where the library runs.
            words.iter().for_each(|(line, word)| found += &format!("src/{}:{line}: {word}\n", path.display()));
        }
    }
    assert!(found.is_empty(), "what is of the machine belongs into src/isa/:\n{found}");
    assert!(inside > 200, "{inside}");
}

#[test]
fn words_of_a_machine_are_seen() {
    let seen = |source: &str| !of_a_machine(source).is_empty();
    for source in
        ["// saved in RBX", "let x = [0xCC; 3];", "asm!(\"\")", "Architecture::X86_64", "xmm15", "use libc::REG_RIP;"]
    {
        assert!(seen(source), "{source}");
    }
    for source in ["traps", "0x48ff", "script", "r16", "let xr8 = r8_x;", "assemble"] {
        assert!(!seen(source), "{source}");
    }
}

/// What of a source stands behind `prefix::`, by its first name.
fn used_of(source: &str, prefix: &str) -> BTreeSet<String> {
    let uses = mentions(source, prefix).filter(|at| source[at + prefix.len()..].starts_with("::"));
    let names = prefix.split("::").count();
    uses.flat_map(|at| tree(&source[at..])).filter_map(|path| path.get(names).cloned()).collect()
}

/// The names in the first column of a room's tables.
fn told(source: &str) -> BTreeSet<String> {
    let cells = source.lines().filter_map(|line| line.strip_prefix("//! | ")).filter_map(|row| row.split('|').next());
    let names = |cell: &str| {
        let parts: Vec<_> = cell.split('`').map(str::to_owned).collect();
        parts.into_iter().skip(1).step_by(2).collect::<Vec<_>>()
    };
    cells.flat_map(names).collect()
}

/// What the error says behind this.
fn said(error: &str, behind: &str) -> BTreeSet<String> {
    let list = error.split(behind).nth(1).unwrap_or_else(|| panic!("the error has no {behind}"));
    let words = list.split('.').next().unwrap_or_default().split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty() && *word != "and").map(str::to_owned).collect()
}

#[test]
fn what_a_port_has_to_write_is_told() {
    let (isa, sys, lib) = (read(src().join("isa/mod.rs")), read(src().join("sys/mod.rs")), read(src().join("lib.rs")));
    let machine: BTreeSet<_> = used_of(&isa, "machine").into_iter().filter(|name| name != "samples").collect();
    assert!(machine.len() > 30, "{machine:?}");
    assert_eq!(machine, told(&isa), "the tables of src/isa/mod.rs");
    assert_eq!(machine, said(&lib, "src/isa/ with "), "the error of src/lib.rs");

    let mut files = Vec::new();
    rust_files(&src().join("sys"), &mut files);
    let beside = files.iter().filter(|file| file.parent().unwrap().ends_with("sys"));
    let mut system: BTreeSet<_> = beside.flat_map(|file| used_of(&read(file), "super::system")).collect();
    system.extend(used_of(&sys, "system"));
    assert!(system.len() > 15, "{system:?}");
    let functions = [
        "allow",
        "duplicate",
        "filled_pages",
        "Mark",
        "install",
        "install_again",
        "open",
        "path_of",
        "prepare_thread",
        "private_pages",
        "set_writable",
        "without_pipe_signal",
        "write",
        "write_whole",
    ];
    let told: BTreeSet<_> = told(&sys).into_iter().filter(|name| !functions.contains(&name.as_str())).collect();
    assert_eq!(system, told, "the tables of src/sys/mod.rs");
    assert_eq!(system, said(&lib, "src/sys/ with "), "the error of src/lib.rs");
}

#[test]
fn without_a_port_there_is_one_error() {
    let folder = std::env::temp_dir().join(format!("stepwell-unported-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let out = std::process::Command::new(rustc)
        .args([
            "--edition",
            "2024",
            "--crate-name",
            "stepwell",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
            "--out-dir",
        ])
        .arg(&folder)
        .arg(src().join("lib.rs"))
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success());
    assert!(said.contains("error: Stepwell runs on x86-64 Linux; there is no port"), "{said}");
    assert!(said.contains("due to 1 previous error"), "{said}");
}

#[test]
fn what_is_the_same_on_all_systems_names_none() {
    let mut files = Vec::new();
    rust_files(&src().join("sys"), &mut files);
    for file in files.iter().filter(|file| file.parent().unwrap().ends_with("sys")) {
        let source = strip(&read(file));
        for name in ["libc", "rustix", "std::os", "linux"] {
            // The list of systems is in `mod.rs`.
            let there = mentions(&source, name).next().is_some() && !(name == "linux" && file.ends_with("mod.rs"));
            assert!(!there, "{} uses {name}, which belongs into a folder of src/sys/", file.display());
        }
    }
}
