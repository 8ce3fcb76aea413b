//! WASI calls with any arguments, in any order, on a folder of their own. Nothing outside the folder may be reached: a
//! file beside it must stay as it is, and what it says never be read.
#![no_main]

#[path = "../../tests/wasi/guest.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod guest;

use guest::{FUNCTIONS, Folder, Guest};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::LazyLock;
use stepwell::wasi::{Access, WasiConfig};
use stepwell::{Config, Engine};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(Config { parallel: false, ..Config::default() }).expect("an engine"));
/// What must not be read.
const SECRET: &[u8] = b"nobody is to know this";
/// Where paths are put, one each 64 bytes.
const PATHS_AT: usize = 0x4000;
const PATHS: [&str; 16] = [
    "file",
    "sub",
    "sub/inner",
    "new",
    "new/deeper",
    "link",
    "out",
    "up",
    "absolute",
    "loop",
    "..",
    "../secret",
    "up/secret",
    "/etc",
    "sub/../..",
    ".",
];
/// An argument that makes WASI wait is cut to so many nanoseconds.
const SKIPPED: [&str; 1] = ["poll_oneoff"];

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let root = folder.0.join("root");
    fs::create_dir_all(root.join("sub")).expect("a folder");
    fs::write(root.join("file"), "hello, file").expect("a file");
    fs::write(root.join("sub/inner"), "inner").expect("a file");
    fs::write(folder.0.join("secret"), SECRET).expect("a file");
    for (to, name) in
        [("file", "link"), ("../secret", "out"), ("..", "up"), ("/etc/hostname", "absolute"), ("loop", "loop")]
    {
        symlink(to, root.join(name)).expect("a link");
    }
    let Some((access, calls)) = bytes.split_first() else { return };
    let access = if access % 4 == 0 { Access::ReadOnly } else { Access::ReadWrite };
    let mut config = WasiConfig::new();
    config.preopen_dir(&root, "/data", access).expect("the folder");
    config.set_stdin_bytes(*b"input").set_stdout(|_| {}).set_stderr(|_| {}).set_max_descriptors(40);
    let mut guest = Guest::on_engine(&ENGINE, config, 2);
    for (i, path) in PATHS.iter().enumerate() {
        guest.put(PATHS_AT + i * 64, path.as_bytes());
    }
    // A list of buffers.
    guest.put(0x100, &[0x2000u32, 64, 0x3000, 16, 0xffff_fff0, 64].map(u32::to_le_bytes).concat());
    let before = listing(&root);
    for call in calls.chunks(12).take(64) {
        let (name, params) = FUNCTIONS[usize::from(call[0]) % FUNCTIONS.len()];
        if SKIPPED.contains(&name) {
            continue;
        }
        let mut chosen = call[1..].iter().copied().chain(std::iter::repeat(0));
        let mut args = Vec::new();
        let mut path = None;
        for param in params.chars() {
            let byte = chosen.next().unwrap_or(0);
            // A length behind a path's place is the path's, for the most part.
            if let Some(length) = path.take().filter(|_| byte < 200) {
                args.push(length as i64);
                continue;
            }
            args.push(match byte {
                0..=15 => i64::from(byte),
                16..=79 => {
                    let index = usize::from(byte) % PATHS.len();
                    path = Some(PATHS[index].len());
                    (PATHS_AT + index * 64) as i64
                }
                80..=127 => 0x100,
                128..=175 => 0x800,
                176..=199 => i64::from(byte) - 170,
                200..=229 if param == 'I' => -1 >> (byte % 60),
                200..=229 => 1 << (byte - 200),
                230..=239 => 0x1_fff0 + i64::from(byte),
                _ => i64::from(byte) - 256,
            });
        }
        guest.call(name, &args);
    }
    assert!(!guest.get(0, guest.get_len()).windows(SECRET.len()).any(|bytes| bytes == SECRET), "the secret was read");
    assert_eq!(fs::read(folder.0.join("secret")).expect("the secret"), SECRET);
    assert_eq!(fs::read_dir(&folder.0).expect("the folder").count(), 2, "something was made outside");
    if access == Access::ReadOnly {
        assert_eq!(listing(&root), before, "something was changed");
    }
});

/// What is in a folder, with what is in the files.
fn listing(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder").flatten() {
        let kind = entry.file_type().expect("a kind");
        let name = entry.path().display().to_string();
        if kind.is_dir() {
            found.extend(listing(&entry.path()));
        }
        found.push((name, if kind.is_file() { fs::read(entry.path()).expect("a file") } else { Vec::new() }));
    }
    found.sort();
    found
}
