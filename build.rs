//! Link options of the shared library: its SONAME, and that it stays loaded (its signal handlers do).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libstepwell.so.0");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
