//! Link options of the shared library: its SONAME, that it stays loaded (its signal handlers do), and that it uses its
//! own symbols. And a number for what machine code and its tables depend on besides the configuration, for serialized
//! modules: those of another are refused. And whether there is a port to what is built for.

use std::path::Path;
use std::{env, fs};

/// What decides about machine code: the code generator's version, how it is used, the contract with the runtime, the
/// tables.
const DECISIVE: &[&str] = &["Cargo.lock", "src/abi", "src/compile", "src/image", "src/isa"];

/// Machines and systems that `src/isa/` and `src/sys/` have folders for.
const PORTS: &[(&str, &str)] = &[("x86_64", "linux")];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(stepwell_ported)");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).expect("cargo says what it builds for");
    if PORTS.contains(&(target("ARCH").as_str(), target("OS").as_str())) {
        println!("cargo:rustc-cfg=stepwell_ported");
    }
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libstepwell.so.0");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Another library that defines what we export (`__jit_debug_*`, for debuggers) does not come between us and ours.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    let root = env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for path in DECISIVE {
        let path = Path::new(&root).join(path);
        // A package that somebody else's workspace depends on has no lock file here.
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
            add(&path, &mut hash);
        }
    }
    println!("cargo:rustc-env=STEPWELL_BUILD={hash:016x}");
}

/// Adds a file, or the files of a folder by name, to a hash (FNV-1a).
fn add(path: &Path, hash: &mut u64) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("sources can be read");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("sources can be read").path()).collect();
        paths.sort();
        return paths.iter().for_each(|path| add(path, hash));
    }
    for byte in fs::read(path).expect("sources can be read") {
        *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}
