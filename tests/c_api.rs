//! The C tests of `tests/c`, compiled and run against the shared library of this build. `ctest` runs the same programs.

mod support;

use std::fmt::Write;
use std::path::PathBuf;

/// Compiles and runs one of them.
fn program(name: &str) {
    modules();
    let source = support::root().join("tests/c").join(name).with_extension("c");
    let program = support::scratch("c").join(name);
    // What is not static in it has a symbol that the system knows.
    support::compile("cc", &[&source], &program, &["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-rdynamic"]);
    support::run(&program, &[]);
    // Nothing that they do with handles is a mistake, but for those that the test itself is about.
    support::run_with(&program, &[], &[("STEPWELL_CHECK_HANDLES", "1")]);
}

/// Declares a test for each program.
macro_rules! programs {
    ($($name:ident),* $(,)?) => { $(
        #[test]
        fn $name() {
            program(stringify!($name));
        }
    )* };
}

programs!(
    types,
    crossing,
    faults,
    module,
    objects,
    func,
    suspended,
    trap,
    source,
    variables,
    listing,
    core_dump,
    host_frames,
    debugger,
    change,
    steps,
    pause,
    attach,
    events,
    watch,
    delete_orders,
    embed,
    config,
    limits,
    misuse,
    serialize,
    serving,
    wasi,
    collect,
    hosts,
    fork,
    corners,
    handles,
    heap_hosts,
    heap_objects,
    vectors,
);

/// `tests/c/modules.h` has the modules of `tests/c/modules` as arrays: the C tests need no assembler.
/// `STEPWELL_BLESS=1` writes it.
fn modules() {
    let dir = support::root().join("tests/c/modules");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut text = String::from(
        "/* The modules of tests/c/modules. Written by `STEPWELL_BLESS=1 cargo test --test c_api`: do not edit. */\n",
    );
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_uppercase();
        let bytes = wat::parse_file(&file).unwrap();
        write!(text, "\n__attribute__((unused)) static const unsigned char {name}[] = {{").unwrap();
        for (i, byte) in bytes.iter().enumerate() {
            let space = if i % 16 == 0 { "\n  " } else { " " };
            write!(text, "{space}0x{byte:02x},").unwrap();
        }
        text.push_str("\n};\n");
    }
    let header = support::root().join("tests/c/modules.h");
    if std::env::var_os("STEPWELL_BLESS").is_some() {
        let temporary = header.with_extension(format!("{:?}", std::thread::current().id()));
        std::fs::write(&temporary, text).unwrap();
        std::fs::rename(temporary, header).unwrap();
    } else {
        assert_eq!(std::fs::read_to_string(header).unwrap(), text, "tests/c/modules.h is not what the sources say");
    }
}

/// Every function of the headers, misused as `tests/c/misuse/generate.py` says.
#[test]
fn misuse_of_every_function() {
    modules();
    let (scratch, root) = (support::scratch("c-misuse"), support::root());
    let (source, program) = (scratch.join("misuse_all.c"), scratch.join("misuse_all"));
    let generator = std::process::Command::new("python3")
        .arg(root.join("tests/c/misuse/generate.py"))
        .arg(root.join("include"))
        .arg(&source)
        .status();
    assert!(generator.unwrap().success());
    let include = format!("-I{}", root.join("tests/c").display());
    support::compile("cc", &[&source], &program, &["-std=c99", "-D_POSIX_C_SOURCE=200809L", &include]);
    support::run(&program, &[]);
    support::run_with(&program, &[], &[("STEPWELL_CHECK_HANDLES", "1")]);
}

#[test]
fn every_program_is_run() {
    let mut names: Vec<String> = std::fs::read_dir(support::root().join("tests/c"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    let source = include_str!("c_api.rs");
    let list = source.split("programs!(").nth(1).unwrap().split(')').next().unwrap();
    let mut run: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    run.sort_unstable();
    assert_eq!(names, run);
}
