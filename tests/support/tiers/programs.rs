//! Real programs, with a clock that stands still and chance that repeats itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use stepwell::base::Error;
use stepwell::runtime::{Caller, Extern, Linker, Module, Store, Val};
use stepwell::wasi::{Access, MODULE, WasiConfig};

use super::case::Case;

/// The folder of real programs, which are not part of the repository: `STEPWELL_PROGRAMS`, or beside the project.
fn folder() -> PathBuf {
    let beside = || OsString::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/programs"));
    PathBuf::from(std::env::var_os("STEPWELL_PROGRAMS").unwrap_or_else(beside))
}

fn wasm_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            wasm_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "wasm") {
            found.push(path);
        }
    }
}

/// A case for each of them and for those of the benchmark.
pub fn cases() -> Vec<Case> {
    let mut found = Vec::new();
    wasm_files(&folder(), &mut found);
    if found.is_empty() {
        eprintln!("skipped: there are no programs in {}", folder().display());
    }
    wasm_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/programs"), &mut found);
    found.sort();
    let case = |path: PathBuf| {
        let folder = path.parent().unwrap().to_owned();
        let name = path.strip_prefix(folder.parent().unwrap()).unwrap().display().to_string();
        Case {
            calls: 1,
            program: Some(folder),
            ..Case::new(name, vec![("program".to_owned(), std::fs::read(&path).unwrap())])
        }
    };
    found.into_iter().map(case).collect()
}

/// Where the three times of a file begin in a `filestat`.
const FILESTAT_TIMES: i32 = 40;

/// What a program imports.
pub fn imports(store: &mut Store, module: &Module, folder: &Path) -> Result<Vec<Extern>, Error> {
    let mut linker = Linker::new(store.engine());
    for name in ["start", "end"] {
        linker.func_wrap("bench", name, || {})?;
    }
    let mut wasi = WasiConfig::new();
    wasi.set_args(["program"])?.preopen_dir(folder, ".", Access::ReadOnly)?.set_stdout(|_| {}).set_stderr(|_| {});
    wasi.add_to(&mut linker, &mut *store)?;
    linker.allow_shadowing(true);
    linker.func_wrap(MODULE, "random_get", |mut caller: Caller<'_>, at: i32, length: i32| -> Result<i32, Error> {
        let bytes: Vec<u8> = (0..length as u32).map(|i| (i * 37 + 11) as u8).collect();
        write(&mut caller, at, &bytes)
    })?;
    linker.func_wrap(MODULE, "clock_time_get", |mut caller: Caller<'_>, _: i32, _: i64, at: i32| {
        write(&mut caller, at, &1_000_000_007u64.to_le_bytes())
    })?;
    // When files were last read changes by reading them.
    for (name, at) in [("fd_filestat_get", 1), ("path_filestat_get", 4)] {
        let Some(Extern::Func(real)) = linker.get(&mut *store, MODULE, name)? else { continue };
        linker.func_new(MODULE, name, real.ty(&*store)?, move |mut caller, params, results| {
            real.call(&mut caller, params, results)?;
            let (Val::I32(errno), Val::I32(out)) = (results[0], params[at]) else {
                unreachable!("as preview 1 has it")
            };
            if errno == 0 {
                write(&mut caller, out + FILESTAT_TIMES, &[0; 24])?;
            }
            Ok(())
        })?;
    }
    let mut found = Vec::new();
    for (from, name, _) in module.imports() {
        let missing = || Error::new(stepwell::base::ErrorKind::Link, format!("no {from} {name}"));
        found.push(linker.get(&mut *store, from, name)?.ok_or_else(missing)?);
    }
    Ok(found)
}

fn write(caller: &mut Caller<'_>, at: i32, bytes: &[u8]) -> Result<i32, Error> {
    let memory = caller.export("memory").and_then(Extern::memory).expect("WASI programs export their memory");
    memory.write(caller, at as u32 as usize, bytes)?;
    Ok(0)
}
