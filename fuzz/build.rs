//! Compiles the C driver of the target `c_api`, by the headers as they are.

fn main() {
    println!("cargo::rerun-if-changed=c/c_api.c");
    println!("cargo::rerun-if-changed=../include");
    cc::Build::new()
        .file("c/c_api.c")
        .include("../include")
        .warnings(true)
        .extra_warnings(true)
        .compile("c_api_driver");
}
