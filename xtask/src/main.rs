//! Developer commands: `cargo xtask headers [--check]`.
fn main() {}
