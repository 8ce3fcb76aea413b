//! Paths: directories, links, renaming, removing; and that none of it leads out.

use super::guest::*;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use stepwell::wasi::Access;

/// All that is below a folder, links not followed, with what is in it.
fn everything(folder: &std::path::Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        let inside = match () {
            () if kind.is_dir() => {
                all.extend(everything(&path));
                String::new()
            }
            () if kind.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
            () => String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
        };
        all.insert(format!("{} {kind:?} {inside}", path.display()));
    }
    all
}

/// The functions that take one path, with what stands before and behind it, all of which change something.
const CHANGING: &[(&str, &[i64], &[i64])] = &[
    ("path_create_directory", &[3], &[]),
    ("path_remove_directory", &[3], &[]),
    ("path_unlink_file", &[3], &[]),
    ("path_filestat_set_times", &[3, 1], &[0, 0, 10]),
    ("path_open", &[3, 1], &[CREATE, WRITE, 0, 0, 0x800]),
];
/// Those that do not.
const LOOKING: &[(&str, &[i64], &[i64])] = &[
    ("path_filestat_get", &[3, 1], &[0x800]),
    ("path_readlink", &[3], &[0x2000, 100, 0x800]),
    ("path_open", &[3, 1], &[0, READ, 0, 0, 0x800]),
];

/// A function with two paths: rename, link, or symbolic link.
fn two(guest: &mut Guest, name: &str, old: &str, new: &str) -> i32 {
    guest.put(0x4000, old.as_bytes());
    guest.put(0x8000, new.as_bytes());
    let ((old, old_len), (new, new_len)) = ((0x4000, old.len() as i64), (0x8000, new.len() as i64));
    match name {
        "path_rename" => guest.call(name, &[3, old, old_len, 3, new, new_len]),
        "path_link" => guest.call(name, &[3, 0, old, old_len, 3, new, new_len]),
        _ => guest.call(name, &[old, old_len, 3, new, new_len]),
    }
}

#[test]
fn directories_and_files_come_and_go() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let root = folder.0.join("root");
    for (path, errno) in [
        ("new", SUCCESS),
        ("new", EEXIST),
        ("new/deep/er", ENOENT),
        ("file/x", ENOTDIR),
        ("link", EEXIST),
        ("a/", SUCCESS),
    ] {
        assert_eq!(guest.path("path_create_directory", &[3], path, &[]), errno, "{path}");
    }
    assert!(root.join("new").is_dir() && root.join("a").is_dir());
    for (path, errno) in
        [("file", ENOTDIR), ("sub", ENOTEMPTY), ("missing", ENOENT), ("link", ENOTDIR), ("new", SUCCESS)]
    {
        assert_eq!(guest.path("path_remove_directory", &[3], path, &[]), errno, "{path}");
    }
    for (path, errno) in [
        ("sub", EISDIR),
        ("missing", ENOENT),
        ("file/", ENOTDIR),
        ("out", SUCCESS),
        ("file", SUCCESS),
        ("file", ENOENT),
    ] {
        assert_eq!(guest.path("path_unlink_file", &[3], path, &[]), errno, "{path}");
    }
    assert!(!root.join("new").exists() && !root.join("file").exists());
    assert_eq!(fs::read(folder.0.join("secret")).unwrap(), b"secret", "the link went, not what it led to");
    // One that is open when it goes can still be read.
    let inner = guest.open("sub/inner", 1, 0, READ).unwrap();
    assert_eq!(guest.path("path_unlink_file", &[3], "sub/inner", &[]), SUCCESS);
    assert_eq!(guest.read(inner, 10).unwrap(), b"inner");
    assert_eq!(guest.path("path_remove_directory", &[3], "sub", &[]), SUCCESS);
}

#[test]
fn renaming_goes_between_directories() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let root = folder.0.join("root");
    fs::create_dir(root.join("empty")).unwrap();
    for (old, new, errno) in [
        ("file", "moved", SUCCESS),
        ("file", "again", ENOENT),
        ("moved", "sub/inner", SUCCESS),
        ("sub", "empty", SUCCESS),
        ("empty", "empty/below", EINVAL),
        ("empty/inner", "empty", ENOTEMPTY),
        ("empty", "empty/inner", EINVAL),
        ("link", "dangling", SUCCESS),
        ("empty/inner", "missing/x", ENOENT),
        ("empty/inner", "", ENOENT),
    ] {
        assert_eq!(two(&mut guest, "path_rename", old, new), errno, "{old} {new}");
    }
    assert_eq!(fs::read(root.join("empty/inner")).unwrap(), b"hello, file");
    assert!(fs::symlink_metadata(root.join("dangling")).unwrap().is_symlink());
    let file = guest.open("empty/inner", 1, 0, READ).unwrap();
    guest.put(0x4000, b"x");
    assert_eq!(guest.call("path_rename", &[3, 0x4000, 1, file, 0x4000, 1]), ENOTDIR);
    assert_eq!(guest.call("path_rename", &[3, 0x4000, 1, 99, 0x4000, 1]), EBADF);
}

#[test]
fn links_of_both_kinds() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let root = folder.0.join("root");
    for (old, new, errno) in [
        ("file", "hard", SUCCESS),
        ("file", "hard", EEXIST),
        ("sub", "dir", EPERM),
        ("missing", "x", ENOENT),
        ("link", "to_link", SUCCESS),
    ] {
        assert_eq!(two(&mut guest, "path_link", old, new), errno, "{old} {new}");
    }
    assert_eq!(fs::metadata(root.join("file")).unwrap().nlink(), 2);
    assert!(fs::symlink_metadata(root.join("to_link")).unwrap().is_symlink());
    guest.put(0x4000, b"link");
    assert_eq!(guest.call("path_link", &[3, 1, 0x4000, 4, 3, 0x4000, 1]), EINVAL, "what a link leads to");

    for (target, new, errno) in [
        ("file", "soft", SUCCESS),
        ("file", "soft", EEXIST),
        ("../secret", "sub/up", SUCCESS),
        ("../../secret", "sub/out", SUCCESS),
        ("nowhere", "dangling", SUCCESS),
        ("/etc/passwd", "abs", EPERM),
        ("/", "abs", EPERM),
        ("", "empty", ENOENT),
    ] {
        assert_eq!(two(&mut guest, "path_symlink", target, new), errno, "{target} {new}");
    }
    assert!(fs::symlink_metadata(root.join("abs")).is_err());
    let fd = guest.open("soft", 1, 0, READ).unwrap();
    assert_eq!(guest.read(fd, 100).unwrap(), b"hello, file");
    assert_eq!(guest.open("sub/out", 1, 0, READ), Err(EPERM), "made, but followed no further than the directory");
    assert_eq!(guest.open("dangling", 1, 0, READ), Err(ENOENT));

    for (room, expected) in [(0, ""), (4, "../s"), (9, "../secret"), (100, "../secret")] {
        guest.put(0x2000, &[0xee; 16]);
        assert_eq!(guest.path("path_readlink", &[3], "sub/up", &[0x2000, room, 0x800]), SUCCESS);
        let len = guest.u32(0x800) as usize;
        assert_eq!(guest.get(0x2000, len), expected.as_bytes());
        assert_eq!(guest.get(0x2000 + len, 4), [0xee; 4], "nothing behind it");
    }
    assert_eq!(guest.path("path_readlink", &[3], "file", &[0x2000, 100, 0x800]), EINVAL);
    assert_eq!(guest.path("path_readlink", &[3], "missing", &[0x2000, 100, 0x800]), ENOENT);
    assert_eq!(guest.path("path_readlink", &[3], "absolute", &[0x2000, 100, 0x800]), EPERM, "a path of the host");
}

#[test]
fn no_function_leads_out() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    fs::create_dir(folder.0.join("beside")).unwrap();
    fs::write(folder.0.join("beside/kept"), "kept").unwrap();
    let before = everything(&folder.0);
    let absolute = folder.0.join("secret").display().to_string();
    let paths = [
        "../secret",
        "../new",
        "../beside",
        "up/new",
        "up/secret",
        "up/beside",
        "sub/../../new",
        &absolute,
        "/new",
        "/",
        "..",
    ];
    for path in paths {
        for (name, front, back) in CHANGING.iter().chain(LOOKING) {
            let errno = guest.path(name, front, path, back);
            assert_eq!(errno, EPERM, "{name} {path}");
        }
        for name in ["path_rename", "path_link"] {
            assert_eq!(two(&mut guest, name, "file", path), EPERM, "{name} file {path}");
            assert_eq!(two(&mut guest, name, path, "here"), EPERM, "{name} {path} here");
        }
        assert_eq!(two(&mut guest, "path_symlink", "file", path), EPERM, "{path}");
    }
    assert_eq!(everything(&folder.0), before);
}

#[test]
fn strange_paths_are_refused_everywhere() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let before = everything(&folder.0);
    let long = "x".repeat(10_000);
    let many = "./".repeat(5_000);
    let component = "x".repeat(256);
    for (path, errno) in [
        (&b"a\0b"[..], EINVAL),
        (b"file\0", EINVAL),
        (b"\0", EINVAL),
        (b"\xff", EILSEQ),
        (b"ok\xc3", EILSEQ),
        (b"", ENOENT),
        (long.as_bytes(), ENAMETOOLONG),
        (many.as_bytes(), ENAMETOOLONG),
        (component.as_bytes(), ENAMETOOLONG),
    ] {
        for (name, front, back) in CHANGING.iter().chain(LOOKING) {
            let shown = String::from_utf8_lossy(&path[..path.len().min(20)]).into_owned();
            assert_eq!(guest.path_bytes(name, front, path, back), errno, "{name} {shown:?}");
        }
        guest.put(0x4000, path);
        guest.put(0x8000, b"file");
        let len = path.len() as i64;
        for (name, args) in [
            ("path_rename", vec![3, 0x4000, len, 3, 0x8000, 4]),
            ("path_rename", vec![3, 0x8000, 4, 3, 0x4000, len]),
            ("path_link", vec![3, 0, 0x4000, len, 3, 0x8000, 4]),
            ("path_link", vec![3, 0, 0x8000, 4, 3, 0x4000, len]),
            ("path_symlink", vec![0x8000, 4, 3, 0x4000, len]),
        ] {
            assert_eq!(
                guest.call(name, &args),
                errno,
                "{name} {:?}",
                String::from_utf8_lossy(&path[..len.min(20) as usize])
            );
        }
    }
    assert_eq!(everything(&folder.0), before);
}

#[test]
fn a_read_only_directory_stays_as_it_is() {
    let (folder, mut guest) = with_folder(Access::ReadOnly);
    let before = everything(&folder.0);
    for path in ["file", "sub", "sub/inner", "link", "new", "sub/new"] {
        for (name, front, back) in CHANGING {
            assert_eq!(guest.path(name, front, path, back), ENOTCAPABLE, "{name} {path}");
        }
        for name in ["path_rename", "path_link", "path_symlink"] {
            assert_eq!(two(&mut guest, name, "file", path), ENOTCAPABLE, "{name} {path}");
            assert_eq!(two(&mut guest, name, path, "x"), ENOTCAPABLE, "{name} {path}");
        }
    }
    // Nor through what is opened in it, whatever it asks for.
    let sub = guest.open("sub", 1, DIRECTORY, 0).unwrap();
    assert_eq!(guest.path("path_unlink_file", &[sub], "inner", &[]), ENOTCAPABLE);
    let file = guest.open("file", 1, 0, READ | 1 << 23 | 1 << 3).unwrap();
    assert_eq!(guest.call("fd_filestat_set_times", &[file, 0, 0, 5]), ENOTCAPABLE);
    assert_eq!(guest.call("fd_filestat_set_times", &[3, 0, 0, 5]), ENOTCAPABLE);
    assert_eq!(guest.call("fd_filestat_set_size", &[file, 0]), EINVAL, "as of a file that is only read");
    assert_eq!(guest.call("fd_allocate", &[file, 0, 100]), EBADF);
    assert_eq!(everything(&folder.0), before);
    assert_eq!(guest.path("path_readlink", &[3], "link", &[0x2000, 10, 0x800]), SUCCESS);
    assert_eq!(guest.get(0x2000, 4), b"file");
}

#[test]
fn a_link_that_appears_in_between_leads_nowhere() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let root = folder.0.join("root");
    fs::create_dir(folder.0.join("beside")).unwrap();
    fs::write(folder.0.join("beside/inner"), "secret").unwrap();
    symlink("../beside", root.join("swap")).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Somebody else lets `sub` be the directory and a link out of it in turns.
        scope.spawn(|| {
            let (sub, swap, aside) = (root.join("sub"), root.join("swap"), root.join("aside"));
            while !ended.load(Ordering::Relaxed) {
                for (from, to) in [(&sub, &aside), (&swap, &sub), (&sub, &swap), (&aside, &sub)] {
                    fs::rename(from, to).unwrap();
                }
            }
        });
        let mut read = 0;
        for i in 0..20_000 {
            match guest.open("sub/inner", 1, 0, READ) {
                Ok(fd) => {
                    assert_eq!(guest.read(fd, 10).unwrap(), b"inner");
                    assert_eq!(guest.call("fd_close", &[fd]), SUCCESS);
                    read += 1;
                }
                Err(errno) => assert!([ENOENT, EPERM, ENOTDIR, ELOOP].contains(&errno), "{errno}"),
            }
            let _ = guest.path("path_unlink_file", &[3], "sub/none", &[]);
            let _ = guest.path("path_create_directory", &[3], &format!("sub/d{}", i % 8), &[]);
            if read > 500 {
                break;
            }
        }
        ended.store(true, Ordering::Relaxed);
        assert!(read > 0);
    });
    let beside: Vec<_> =
        fs::read_dir(folder.0.join("beside")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["inner"], "nothing was made outside");
}
