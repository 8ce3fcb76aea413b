//! Building and running C programs against the shared library of this build.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder for the files of one test.
pub fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// The shared library that cargo built for this test.
pub fn library() -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let library = deps.join("libstepwell.so");
    assert!(library.exists(), "{} is not there", library.display());
    library
}

/// A folder with the library under its SONAME, to link and run with.
pub fn library_dir() -> PathBuf {
    let dir = scratch("lib");
    for name in ["libstepwell.so", "libstepwell.so.0"] {
        // Tests run at once: a link is made under a name of its own and moved into place.
        let link = dir.join(format!("{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
        std::os::unix::fs::symlink(library(), &link).unwrap();
        std::fs::rename(&link, dir.join(name)).unwrap();
    }
    dir
}

/// Compiles and links a program with the library; the compiler must say nothing.
pub fn compile(compiler: &str, sources: &[&Path], program: &Path, flags: &[&str]) {
    let dir = library_dir();
    let output = Command::new(compiler)
        .args(["-g", "-Wall", "-Wextra", "-Werror", "-pthread"])
        .args(flags)
        .arg("-I")
        .arg(root().join("include"))
        .args(sources)
        .arg("-o")
        .arg(program)
        .arg("-L")
        .arg(&dir)
        .arg(format!("-Wl,-rpath,{}", dir.display()))
        .args(["-lstepwell", "-lm"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{sources:?}:\n{said}");
}

/// Runs a program, which must succeed.
pub fn run(program: &Path, args: &[&str]) -> Output {
    run_with(program, args, &[])
}

/// As [`run`], with these variables in its environment.
#[allow(dead_code)] // not every test binary uses it
pub fn run_with(program: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let output = Command::new(program).args(args).envs(environment.iter().copied()).output().unwrap();
    assert!(
        output.status.success(),
        "{} {args:?}: {}\n{}{}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
