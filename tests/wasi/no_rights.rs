//! What programs do that were written for engines that look at no rights: everything is asked for with none, or with
//! those to read and to write alone, below a directory that was opened with none.

use super::guest::*;
use std::fs;
use stepwell::wasi::{Access, WasiConfig};

const FD_READ: i64 = 1 << 1;
const APPEND: i64 = 1;
const NONBLOCK: i64 = 4;

/// An empty folder, and a descriptor of it that was opened with no rights below descriptor 3.
fn scratch() -> (Folder, Guest, i64) {
    let folder = Folder::new();
    let mut config = WasiConfig::new();
    config.preopen_dir(&folder.0, "/scratch", Access::ReadWrite).unwrap();
    let mut guest = Guest::new(config);
    let dir = guest.open_at(3, b".", 0, DIRECTORY, 0, 0, 0).unwrap();
    (folder, guest, dir)
}

impl Guest {
    /// Opens a path, with no rights to be passed on.
    fn at(&mut self, dir: i64, path: &str, lookup: i64, oflags: i64, rights: i64) -> Result<i64, i32> {
        self.open_at(dir, path.as_bytes(), lookup, oflags, rights, 0, 0)
    }

    /// Makes an empty file, as those programs do: nothing is asked for but that it is there.
    fn make(&mut self, dir: i64, path: &str) {
        let fd = self.at(dir, path, 0, CREATE, 0).unwrap();
        assert_eq!(self.call("fd_close", &[fd]), SUCCESS);
    }

    fn two(&mut self, name: &str, from: (i64, &str), to: (i64, &str)) -> i32 {
        self.put(0x5000, to.1.as_bytes());
        self.put(0x4000, from.1.as_bytes());
        let (old, new) = ([0x4000, from.1.len() as i64], [0x5000, to.1.len() as i64]);
        match name {
            "path_symlink" => self.call(name, &[old[0], old[1], to.0, new[0], new[1]]),
            "path_link" => self.call(name, &[from.0, 0, old[0], old[1], to.0, new[0], new[1]]),
            _ => self.call(name, &[from.0, old[0], old[1], to.0, new[0], new[1]]),
        }
    }

    fn fdstat(&mut self, fd: i64) -> (u8, u16, u64, u64) {
        assert_eq!(self.call("fd_fdstat_get", &[fd, 0x800]), SUCCESS);
        let flags = u16::from_le_bytes(self.get(0x802, 2).try_into().unwrap());
        (self.get(0x800, 1)[0], flags, self.u64(0x808), self.u64(0x810))
    }

    fn size(&mut self, fd: i64) -> u64 {
        assert_eq!(self.call("fd_filestat_get", &[fd, 0x800]), SUCCESS);
        self.u64(0x820)
    }

    fn seek(&mut self, fd: i64, offset: i64, whence: i64) -> Result<u64, i32> {
        match self.call("fd_seek", &[fd, offset, whence, 0x800]) {
            SUCCESS => Ok(self.u64(0x800)),
            errno => Err(errno),
        }
    }
}

#[test]
fn what_is_reported_is_all_that_the_kind_can() {
    let (_folder, mut guest, dir) = scratch();
    let (ty, flags, base, inheriting) = guest.fdstat(3);
    assert_eq!((ty, flags), (3, 0));
    // All of directories: 9 to 26 without the four that are about files.
    let directories = (9..=26).filter(|bit| ![22].contains(bit)).fold(0, |all, bit| all | 1 << bit);
    assert_eq!(base & directories, directories);
    let files = [0, 1, 2, 3, 4, 5, 6, 7, 8, 21, 22, 23, 27].iter().fold(0, |all, bit| all | 1 << bit);
    assert_eq!(inheriting, directories | files);
    assert_eq!(guest.fdstat(dir), (3, 0, base, inheriting), "one below has as many");
    for (oflags, rights) in
        [(0, base as i64), (0, 0), (DIRECTORY, 0), (DIRECTORY, FD_READ), (DIRECTORY, !WRITE), (0, FD_READ)]
    {
        let fd = guest.open_at(3, b".", 0, oflags, rights, inheriting as i64, 0).unwrap();
        assert_eq!(guest.fdstat(fd), (3, 0, base, inheriting), "{oflags} {rights:x}");
    }
    for oflags in [0, DIRECTORY] {
        assert_eq!(guest.at(3, ".", 0, oflags, FD_READ | WRITE), Err(EISDIR));
    }
    assert!(guest.open_at(dir, b".", 0, 0, 0, 0, NONBLOCK).is_ok());
}

#[test]
fn a_file_is_opened_to_read_to_write_or_both() {
    let (folder, mut guest, dir) = scratch();
    guest.make(dir, "file");
    let reading = guest.at(dir, "file", 0, 0, FD_READ).unwrap();
    let rights = guest.fdstat(reading).2 as i64;
    assert_eq!(rights & (FD_READ | WRITE), FD_READ);
    assert_eq!(guest.read(reading, 100).unwrap(), b"");
    assert_eq!(guest.write(reading, b"x"), Err(EBADF));
    let writing = guest.at(dir, "file", 0, 0, WRITE).unwrap();
    let rights = guest.fdstat(writing).2 as i64;
    assert_eq!(rights & (FD_READ | WRITE | 1 << 14), WRITE);
    assert_eq!(guest.read(writing, 1), Err(EBADF));
    assert_eq!(guest.write(writing, b"written"), Ok(7));
    assert_eq!(guest.read(reading, 100).unwrap(), b"written", "at once");
    let both = guest.at(dir, "file", 0, 0, FD_READ | WRITE).unwrap();
    assert_eq!(guest.read(both, 100).unwrap(), b"written");
    assert_eq!(guest.write(both, b"!"), Ok(1));
    assert_eq!(guest.size(both), 8);
    let none = guest.at(dir, "file", 0, 0, 0).unwrap();
    assert_eq!(guest.read(none, 100).unwrap(), b"written!");
    assert_eq!(guest.write(none, b"x"), Err(EBADF));
    // What only writes would need says no more than that something is to be read.
    let odd = guest.at(dir, "file", 0, 0, 1 << 8 | 1 << 22).unwrap();
    assert_eq!(guest.write(odd, b"x"), Err(EBADF));
    assert_eq!(guest.read(odd, 100).unwrap(), b"written!");
    let emptied = guest.at(dir, "file", 0, CREATE | TRUNCATE, FD_READ | WRITE).unwrap();
    assert_eq!(guest.read(emptied, 100).unwrap(), b"");
    assert!(fs::read(folder.0.join("file")).unwrap().is_empty());
    assert_eq!(guest.at(dir, "file", 0, CREATE | EXCLUSIVE, 0), Err(EEXIST));
    assert_eq!(guest.at(dir, "missing", 0, 0, 0), Err(ENOENT));
    assert_eq!(guest.at(emptied, "foo", 0, CREATE, 0), Err(ENOTDIR));
    let made = guest.at(dir, "made", 0, CREATE, FD_READ).unwrap();
    let other = guest.at(dir, "made", 0, 0, WRITE).unwrap();
    assert_eq!(guest.write(other, &[1]), Ok(1));
    assert_eq!(guest.read(made, 1).unwrap(), [1]);
}

#[test]
fn all_is_done_with_a_file_that_is_opened_to_read_and_write() {
    let (_folder, mut guest, dir) = scratch();
    let fd = guest.at(dir, "file", 0, CREATE, FD_READ | WRITE).unwrap();
    assert_eq!(guest.size(fd), 0);
    assert_eq!(guest.call("fd_filestat_set_size", &[fd, 100]), SUCCESS);
    assert_eq!(guest.call("fd_advise", &[fd, 10, 50, 0]), SUCCESS);
    assert_eq!(guest.size(fd), 100);
    let (accessed, modified) = (guest.u64(0x828), guest.u64(0x830) as i64 - 100);
    assert_eq!(guest.call("fd_filestat_set_times", &[fd, modified, modified, 4]), SUCCESS);
    assert_eq!(guest.size(fd), 100);
    assert_eq!((guest.u64(0x828), guest.u64(0x830) as i64), (accessed, modified));
    for name in ["fd_sync", "fd_datasync"] {
        assert_eq!(guest.call(name, &[fd]), SUCCESS);
    }
    assert_eq!(guest.seek(fd, 0, 1), Ok(0));
    assert_eq!(guest.write(fd, &[7; 100]), Ok(100));
    for (offset, whence, expected) in
        [(0, 1, Ok(100)), (-50, 1, Ok(50)), (0, 0, Ok(0)), (1000, 1, Ok(1000)), (-2000, 1, Err(EINVAL))]
    {
        assert_eq!(guest.seek(fd, offset, whence), expected);
    }
    assert_eq!(guest.seek(fd, 0, 0), Ok(0));
    assert_eq!(guest.read(fd, 100).unwrap(), [7; 100]);
    assert_eq!(guest.call("fd_tell", &[fd, 0x800]), SUCCESS);
    assert_eq!(guest.u64(0x800), 100);
    // Elsewhere than at the position, which stays; with nothing to write, nothing grows.
    guest.put(0x100, &[0x2000u32.to_le_bytes(), 0u32.to_le_bytes()].concat());
    assert_eq!(guest.call("fd_pwrite", &[fd, 0x100, 1, 500, 0x800]), SUCCESS);
    assert_eq!(guest.size(fd), 100);
    guest.put(0x100, &[0x2000u32.to_le_bytes(), 4u32.to_le_bytes()].concat());
    guest.put(0x2000, &[0, 1, 2, 3]);
    assert_eq!(guest.call("fd_pwrite", &[fd, 0x100, 1, 50, 0x800]), SUCCESS);
    guest.put(0x2000, &[9; 4]);
    assert_eq!(guest.call("fd_pread", &[fd, 0x100, 1, 50, 0x800]), SUCCESS);
    assert_eq!(guest.get(0x2000, 4), [0, 1, 2, 3]);
    assert_eq!(guest.seek(fd, 0, 1), Ok(100));
    // Appending goes to the end, whatever the position; a flag can be taken back.
    let appending = guest.open_at(dir, b"file", 0, 0, FD_READ | WRITE, 0, APPEND).unwrap();
    assert_eq!(guest.fdstat(appending).1, APPEND as u16);
    assert_eq!(guest.call("fd_pwrite", &[appending, 0x100, 1, 0, 0x800]), SUCCESS);
    assert_eq!(guest.size(appending), 104);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[appending, 0]), SUCCESS);
    assert_eq!(guest.seek(appending, 0, 0), Ok(0));
    assert_eq!(guest.write(appending, b"begin"), Ok(5));
    assert_eq!(guest.size(appending), 104);
    let synced = guest.open_at(dir, b"file", 0, 0, FD_READ | WRITE, 0, APPEND | 16).unwrap();
    assert_eq!(guest.fdstat(synced).1, APPEND as u16 | 16);
}

#[test]
fn a_directory_is_no_file() {
    let (_folder, mut guest, dir) = scratch();
    assert_eq!(guest.call("fd_prestat_dir_name", &[3, 0x800, 0]), ENAMETOOLONG);
    assert_eq!(guest.call("fd_prestat_dir_name", &[3, 0x800, 100]), SUCCESS, "more room than is needed");
    guest.put(0x100, &[0x2000u32.to_le_bytes(), 128u32.to_le_bytes()].concat());
    for fd in [3, dir] {
        assert_eq!(guest.call("fd_filestat_get", &[fd, 0x800]), SUCCESS);
        for (name, args) in [
            ("fd_read", vec![fd, 0x100, 1, 0x800]),
            ("fd_pread", vec![fd, 0x100, 1, 0, 0x800]),
            ("fd_write", vec![fd, 0x100, 1, 0x800]),
            ("fd_pwrite", vec![fd, 0x100, 1, 0, 0x800]),
            ("fd_seek", vec![fd, 0, 0, 0x800]),
            ("fd_seek", vec![fd, 0, 1, 0x800]),
            ("fd_seek", vec![fd, 0, 2, 0x800]),
            ("fd_tell", vec![fd, 0x800]),
            ("fd_advise", vec![fd, 0, 0, 4]),
            ("fd_allocate", vec![fd, 0, 0]),
            ("fd_datasync", vec![fd]),
            ("fd_sync", vec![fd]),
            ("fd_fdstat_set_flags", vec![fd, NONBLOCK]),
            ("fd_filestat_set_size", vec![fd, 0]),
        ] {
            assert_eq!(guest.call(name, &args), EBADF, "{name}");
        }
    }
}

#[test]
fn what_is_no_directory_and_asked_for_as_one() {
    let (_folder, mut guest, dir) = scratch();
    guest.make(dir, "file");
    assert_eq!(guest.path("path_create_directory", &[dir], "sub", &[]), SUCCESS);
    for (target, link) in [("file", "to-file"), ("sub", "to-sub"), ("nowhere", "dangling"), ("loop", "loop")] {
        assert_eq!(guest.two("path_symlink", (0, target), (dir, link)), SUCCESS);
    }
    // None is opened to write; which of the two is wrong is told as on Linux.
    for (path, errno) in [("file", ENOTDIR), ("missing", ENOENT), ("sub", EISDIR), ("..", EPERM)] {
        for rights in [WRITE, FD_READ | WRITE] {
            assert_eq!(guest.at(dir, path, 1, DIRECTORY, rights), Err(errno), "{path}");
            for more in [CREATE, TRUNCATE] {
                assert_eq!(guest.at(dir, path, 1, DIRECTORY | more, rights), Err(EINVAL), "{path}");
            }
        }
    }
    // A slash behind a path: what it names is a directory, also where a link is not followed.
    for behind in ["/", "//", "/."] {
        for lookup in [0, 1] {
            for (path, expected) in [
                ("file", Err(ENOTDIR)),
                ("to-file", Err(ENOTDIR)),
                ("dangling", Err(ENOENT)),
                ("loop", Err(ELOOP)),
                ("sub", Ok(3)),
                ("to-sub", Ok(3)),
            ] {
                let path = format!("{path}{behind}");
                let said = match guest.path("path_filestat_get", &[dir, lookup], &path, &[0x800]) {
                    SUCCESS => Ok(guest.get(0x810, 1)[0]),
                    errno => Err(errno),
                };
                assert_eq!(said, expected, "{path} {lookup}");
                let errno = expected.err().unwrap_or(SUCCESS);
                assert_eq!(guest.path("path_filestat_set_times", &[dir, lookup], &path, &[5, 5, 4]), errno, "{path}");
                assert_eq!(guest.at(dir, &path, lookup, 0, 0).map(drop), expected.map(drop), "{path} {lookup}");
            }
        }
    }
    // What has no position is told before what is wrong with the position.
    for (fd, errno) in [(99, EBADF), (dir, EBADF), (3, EBADF), (0, ESPIPE)] {
        for (offset, whence) in [(-1, 0), (i64::MIN, 0), (0, 3)] {
            assert_eq!(guest.seek(fd, offset, whence), Err(errno), "{fd} {offset} {whence}");
        }
    }
}

#[test]
fn files_and_directories_go_while_they_are_open() {
    let (_folder, mut guest, dir) = scratch();
    guest.make(dir, "file");
    let file = guest.at(dir, "file", 0, 0, 0).unwrap();
    assert_eq!(guest.path("path_unlink_file", &[dir], "file", &[]), SUCCESS);
    guest.make(dir, "file");
    assert_eq!(guest.path("path_create_directory", &[dir], "sub", &[]), SUCCESS);
    let sub = guest.at(dir, "sub", 0, DIRECTORY, 0).unwrap();
    assert_eq!(guest.path("path_remove_directory", &[dir], "sub", &[]), SUCCESS);
    assert_eq!(guest.path("path_create_directory", &[dir], "sub", &[]), SUCCESS);
    assert_eq!(guest.at(sub, "new", 0, CREATE, 0), Err(ENOENT), "the one that is gone");
    assert_eq!(guest.read(file, 1).unwrap(), b"");
    // The preopened directory is closed, or another takes its number; what was opened in it stays.
    assert_eq!(guest.call("fd_close", &[3]), SUCCESS);
    assert_eq!(guest.call("fd_fdstat_get", &[3, 0x800]), EBADF);
    assert_eq!(guest.fdstat(dir).0, 3);
    let one = guest.at(dir, "one", 0, CREATE, FD_READ | WRITE).unwrap();
    let two = guest.at(dir, "two", 0, CREATE, FD_READ | WRITE).unwrap();
    let before = guest.fdstat(one);
    assert_eq!(guest.call("fd_renumber", &[one, two]), SUCCESS);
    assert_eq!(guest.call("fd_close", &[one]), EBADF);
    assert_eq!(guest.fdstat(two), before);
}

#[test]
fn paths_with_dots_slashes_and_nothing_above() {
    let (folder, mut guest, dir) = scratch();
    for path in ["dir", "dir/nested"] {
        assert_eq!(guest.path("path_create_directory", &[dir], path, &[]), SUCCESS);
    }
    guest.make(dir, "dir/nested/file");
    let own = folder.0.file_name().unwrap().to_str().unwrap();
    for (path, expected) in [
        ("/dir/nested/file", Err(EPERM)),
        ("dir/.//nested/../../dir/nested/../nested///./file", Ok(())),
        ("dir/nested/file\0", Err(EINVAL)),
        ("dir/nested/file/", Err(ENOTDIR)),
        ("dir/nested/file///", Err(ENOTDIR)),
        ("dir/nested/", Ok(())),
        ("dir/nested///", Ok(())),
        (&format!("dir/nested/../../../{own}/dir/nested/file"), Err(EPERM)),
    ] {
        assert_eq!(guest.at(dir, path, 0, 0, 0).map(drop), expected, "{path}");
    }
    assert_eq!(guest.path("path_remove_directory", &[dir], "dir", &[]), ENOTEMPTY);
    for (path, errno) in
        [("dir", EISDIR), ("dir/", EISDIR), ("dir/nested/file/", ENOTDIR), ("dir/nested/file", SUCCESS)]
    {
        assert_eq!(guest.path("path_unlink_file", &[dir], path, &[]), errno, "{path}");
    }
    guest.make(dir, "file");
    for path in ["file", "file/"] {
        assert_eq!(guest.path("path_remove_directory", &[dir], path, &[]), ENOTDIR, "{path}");
    }
}

#[test]
fn links_are_made_read_and_followed() {
    let (_folder, mut guest, dir) = scratch();
    assert_eq!(guest.two("path_symlink", (0, "target"), (dir, "link")), SUCCESS);
    assert!([ENOTDIR, ELOOP].contains(&guest.at(dir, "link", 0, DIRECTORY, 0).unwrap_err()), "it leads nowhere");
    assert_eq!(guest.at(dir, "link", 0, 0, 0), Err(ELOOP));
    assert_eq!(guest.path("path_create_directory", &[dir], "target", &[]), SUCCESS);
    assert!([ENOTDIR, ELOOP].contains(&guest.at(dir, "link", 0, DIRECTORY, 0).unwrap_err()));
    assert_eq!(guest.at(dir, "link", 0, 0, 0), Err(ELOOP));
    assert!(guest.at(dir, "link", 1, DIRECTORY, 0).is_ok());
    assert_eq!(guest.path("path_remove_directory", &[dir], "target", &[]), SUCCESS);
    guest.make(dir, "target");
    assert_eq!(guest.at(dir, "link", 1, DIRECTORY, 0), Err(ENOTDIR));
    assert!(guest.at(dir, "link", 1, 0, 0).is_ok());
    for (path, lookup, ty) in [("target", 0, 4), ("target", 1, 4), ("link", 0, 7), ("link", 1, 4)] {
        assert_eq!(guest.path("path_filestat_get", &[dir, lookup], path, &[0x800]), SUCCESS);
        assert_eq!(guest.get(0x810, 1), [ty], "{path}");
    }
    let times = |guest: &mut Guest, lookup, path: &str| {
        assert_eq!(guest.path("path_filestat_get", &[dir, lookup], path, &[0x800]), SUCCESS);
        guest.u64(0x830) as i64
    };
    let (file, link) = (times(&mut guest, 0, "target"), times(&mut guest, 0, "link"));
    assert_eq!(guest.path("path_filestat_set_times", &[dir, 0], "link", &[0, link - 200, 4]), SUCCESS);
    assert_eq!((times(&mut guest, 0, "link"), times(&mut guest, 1, "link")), (link - 200, file));
    assert_eq!(guest.path("path_filestat_set_times", &[dir, 1], "link", &[0, link, 4]), SUCCESS);
    assert_eq!(times(&mut guest, 0, "target"), link);
    for flags in [4 | 8, 1 | 2] {
        assert_eq!(guest.path("path_filestat_set_times", &[dir, 0], "target", &[0, 0, flags]), EINVAL);
    }
    for room in [0, 4, 6, 10] {
        guest.put(0x2000, &[0; 12]);
        assert_eq!(guest.path("path_readlink", &[dir], "link", &[0x2000, room, 0x800]), SUCCESS);
        let expected = &b"target"[..6.min(room as usize)];
        assert_eq!(guest.u32(0x800) as usize, expected.len());
        assert_eq!(guest.get(0x2000, 12), [expected, &vec![0; 12 - expected.len()]].concat());
    }
    assert_eq!(guest.two("path_symlink", (0, "self"), (dir, "self")), SUCCESS);
    for lookup in [0, 1] {
        assert_eq!(guest.at(dir, "self", lookup, 0, 0), Err(ELOOP));
    }
    assert_ne!(guest.two("path_symlink", (0, "/"), (dir, "root")), SUCCESS);
    // Slashes behind the new name.
    assert_eq!(guest.two("path_symlink", (0, "source"), (dir, "new/")), ENOENT);
    assert_eq!(guest.path("path_create_directory", &[dir], "taken", &[]), SUCCESS);
    for (path, errno) in [("taken", EEXIST), ("taken/", EEXIST), ("target", EEXIST), ("target/", ENOTDIR)] {
        assert_eq!(guest.two("path_symlink", (0, "source"), (dir, path)), errno, "{path}");
    }
}

#[test]
fn hard_links_are_the_file() {
    let (_folder, mut guest, dir) = scratch();
    guest.make(dir, "file");
    let file = guest.at(dir, "file", 0, 0, 0).unwrap();
    assert_eq!(guest.path("path_create_directory", &[dir], "sub", &[]), SUCCESS);
    let sub = guest.at(dir, "sub", 0, DIRECTORY, 0).unwrap();
    for to in [dir, sub] {
        assert_eq!(guest.two("path_link", (dir, "file"), (to, "link")), SUCCESS);
        let link = guest.at(to, "link", 0, 0, 0).unwrap();
        assert_eq!(guest.fdstat(link), guest.fdstat(file));
        guest.size(link);
        let stat = guest.get(0x800, 64);
        guest.size(file);
        assert_eq!(guest.get(0x800, 64), stat);
        assert_eq!(guest.path("path_unlink_file", &[to], "link", &[]), SUCCESS);
    }
    guest.two("path_symlink", (0, "nowhere"), (dir, "dangling"));
    for (from, to, errno) in [
        ("file", "file", EEXIST),
        ("file", "sub", EEXIST),
        ("file", "dangling", EEXIST),
        ("sub", "link", EPERM),
        ("file", "link/", ENOENT),
        ("dangling", "link", SUCCESS),
    ] {
        assert_eq!(guest.two("path_link", (dir, from), (dir, to)), errno, "{from} {to}");
    }
}

#[test]
fn renaming() {
    let (folder, mut guest, dir) = scratch();
    let fresh = |guest: &mut Guest| {
        for entry in fs::read_dir(&folder.0).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        for path in ["dir", "empty", "full"] {
            assert_eq!(guest.path("path_create_directory", &[dir], path, &[]), SUCCESS);
        }
        for path in ["file", "other", "full/file"] {
            guest.make(dir, path);
        }
    };
    for (from, to, errno) in [
        ("dir", "new", SUCCESS),
        ("dir", "empty", SUCCESS),
        ("dir", "full", ENOTEMPTY),
        ("dir", "full/file", ENOTDIR),
        ("file", "new", SUCCESS),
        ("file", "other", SUCCESS),
        ("file", "empty", EISDIR),
        ("dir/", "new", SUCCESS),
        ("dir", "new/", SUCCESS),
        ("dir/", "new/", SUCCESS),
        ("file/", "new", ENOTDIR),
        ("file", "new/", ENOTDIR),
        ("file/", "new/", ENOTDIR),
    ] {
        fresh(&mut guest);
        assert_eq!(guest.two("path_rename", (dir, from), (dir, to)), errno, "{from} {to}");
        let there = guest.at(dir, from.trim_end_matches('/'), 0, 0, 0);
        assert_eq!(there.is_ok(), errno != SUCCESS, "{from} {to}");
        assert!(errno != SUCCESS || guest.at(dir, to, 0, 0, 0).is_ok(), "{from} {to}");
    }
}

#[test]
fn a_directory_that_was_opened_with_no_rights_is_listed() {
    let (_folder, mut guest, dir) = scratch();
    for count in 0..1000 {
        guest.make(dir, &format!("file.{count}"));
    }
    let nested = {
        assert_eq!(guest.path("path_create_directory", &[dir], "nested", &[]), SUCCESS);
        guest.at(dir, "nested", 0, 0, 0).unwrap()
    };
    for (fd, expected) in [(dir, 1003), (nested, 2)] {
        let (mut total, mut cookie) = (0, 0);
        loop {
            assert_eq!(guest.call("fd_readdir", &[fd, 0x8000, 256, cookie, 0x800]), SUCCESS);
            let used = guest.u32(0x800) as usize;
            let bytes = guest.get(0x8000, used);
            let mut at = 0;
            while at + 24 <= used {
                let name = u32::from_le_bytes(bytes[at + 16..at + 20].try_into().unwrap()) as usize;
                if at + 24 + name > used {
                    break;
                }
                cookie = i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
                total += 1;
                at += 24 + name;
            }
            if used < 256 {
                break;
            }
        }
        assert_eq!(total, expected);
    }
}

#[test]
fn files_are_opened_thousands_of_times() {
    let (_folder, mut guest, dir) = scratch();
    guest.make(dir, "file");
    for _ in 0..2000 {
        let fd = guest.at(dir, "file", 0, 0, FD_READ | WRITE).unwrap();
        assert_eq!(guest.write(fd, &[0; 100]), Ok(100));
        assert_eq!(guest.call("fd_close", &[fd]), SUCCESS);
    }
}
