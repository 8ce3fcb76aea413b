//! `fd_readdir`: entries, cookies, and buffers of every size.

use super::guest::*;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use stepwell::wasi::Access;

const AT: usize = 0x1_0000;

/// An entry: its cookie is what reads on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    cookie: i64,
    inode: u64,
    ty: u8,
    name: Vec<u8>,
}

/// The bytes that one call gives.
fn raw(guest: &mut Guest, fd: i64, len: usize, cookie: i64) -> Result<Vec<u8>, i32> {
    match guest.call("fd_readdir", &[fd, AT as i64, len as i64, cookie, 0x800]) {
        SUCCESS => Ok(guest.get(AT, guest.u32(0x800) as usize)),
        errno => Err(errno),
    }
}

/// The entries that are whole in these bytes.
fn parse(mut bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while bytes.len() >= 24 {
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let len = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
        if bytes.len() < 24 + len {
            break;
        }
        let name = bytes[24..24 + len].to_vec();
        entries.push(Entry { cookie: number(0) as i64, inode: number(8), ty: bytes[20], name });
        bytes = &bytes[24 + len..];
    }
    entries
}

/// Everything from a cookie on, by a buffer of this size; `between` is done after each call.
fn list(guest: &mut Guest, fd: i64, len: usize, cookie: i64, mut between: impl FnMut(&[Entry])) -> Vec<Entry> {
    let (mut all, mut cookie) = (Vec::new(), cookie);
    loop {
        let bytes = raw(guest, fd, len, cookie).unwrap();
        assert!(bytes.len() <= len);
        let entries = parse(&bytes);
        between(&entries);
        if let Some(last) = entries.last() {
            cookie = last.cookie;
        }
        all.extend(entries.iter().cloned());
        if bytes.len() < len {
            return all;
        }
        assert!(!entries.is_empty(), "the buffer is too small for an entry");
    }
}

fn names(entries: &[Entry]) -> BTreeSet<Vec<u8>> {
    let names: BTreeSet<_> = entries.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names.len(), entries.len(), "no name twice");
    names
}

/// The names that the host sees, with `.` and `..`.
fn host_names(folder: &std::path::Path) -> BTreeSet<Vec<u8>> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_vec());
    names.chain([b".".to_vec(), b"..".to_vec()]).collect()
}

#[test]
fn entries_say_what_they_are() {
    let (folder, mut guest) = with_folder(Access::ReadOnly);
    let root = folder.0.join("root");
    let all = list(&mut guest, 3, 4096, 0, |_| {});
    assert_eq!(names(&all), host_names(&root));
    for entry in &all {
        let name = String::from_utf8(entry.name.clone()).unwrap();
        let shown = if name == ".." { root.clone() } else { root.join(&name) };
        let stat = fs::symlink_metadata(shown).unwrap();
        assert_eq!(entry.inode, stat.ino(), "{name}: what is above a preopened directory is not told");
        let ty = if stat.is_dir() {
            3
        } else if stat.is_symlink() {
            7
        } else {
            4
        };
        assert_eq!(entry.ty, ty, "{name}");
    }
    // A directory in it is told with its parent.
    let sub = guest.open("sub", 1, DIRECTORY, 1 << 14).unwrap();
    let inside = list(&mut guest, sub, 4096, 0, |_| {});
    let above = inside.iter().find(|entry| entry.name == b"..").unwrap();
    assert_eq!(above.inode, fs::metadata(&root).unwrap().ino());

    let file = guest.open("file", 1, 0, READ).unwrap();
    assert_eq!(raw(&mut guest, file, 100, 0), Err(ENOTDIR));
    assert_eq!(raw(&mut guest, 0, 100, 0), Err(ENOTDIR));
    assert_eq!(raw(&mut guest, 99, 100, 0), Err(EBADF));
    let without = guest.open("sub", 1, DIRECTORY, 0).unwrap();
    assert!(raw(&mut guest, without, 100, 0).is_ok(), "no rights were asked for, and none taken");
    assert_eq!(guest.call("fd_fdstat_set_rights", &[without, 0, 0]), SUCCESS);
    assert_eq!(raw(&mut guest, without, 100, 0), Err(ENOTCAPABLE));
    for bad in [0x4_0000, 0x3_fffd, 0xffff_ffff_i64] {
        assert_eq!(guest.call("fd_readdir", &[3, bad, 0x100, 0, 0x800]), EFAULT);
        assert_eq!(guest.call("fd_readdir", &[3, AT as i64, 0x100, 0, bad]), EFAULT);
    }
    assert_eq!(guest.call("fd_readdir", &[3, 8, -1, 0, 0x800]), EFAULT);
}

#[test]
fn buffers_of_every_size_are_filled() {
    let (_folder, mut guest) = with_folder(Access::ReadOnly);
    let whole = raw(&mut guest, 3, 4096, 0).unwrap();
    for len in 0..=whole.len() + 1 {
        guest.put(AT, &vec![0xee; whole.len() + 8]);
        let part = raw(&mut guest, 3, len, 0).unwrap();
        assert_eq!(part, whole[..len.min(whole.len())], "{len}");
        assert_eq!(guest.get(AT + part.len(), 4), [0xee; 4]);
    }
    // From each entry on.
    let mut at = 0;
    for entry in parse(&whole) {
        at += 24 + entry.name.len();
        assert_eq!(raw(&mut guest, 3, 4096, entry.cookie).unwrap(), whole[at..]);
    }
}

#[test]
fn one_more_than_the_last_cookie_is_behind_the_end() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let some = folder.0.join("root/some");
    fs::create_dir(&some).unwrap();
    let fd = guest.open("some", 1, DIRECTORY, 0).unwrap();
    // Also where the descriptor has seen the positions of entries that are gone.
    for count in [0, 1, 2, 1000, 3] {
        for i in 0..count {
            fs::write(some.join(format!("{i}")), "").unwrap();
        }
        let last = list(&mut guest, fd, 256, 0, |_| {}).pop().unwrap().cookie;
        for behind in [last, last + 1] {
            assert_eq!(raw(&mut guest, fd, 256, behind), Ok(Vec::new()), "{count}");
        }
        for i in 0..count {
            fs::remove_file(some.join(format!("{i}"))).unwrap();
        }
    }
}

#[test]
fn cookies_stay_valid() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let many = folder.0.join("root/many");
    fs::create_dir(&many).unwrap();
    for i in 0..3000 {
        fs::write(many.join(format!("{i}{}", "x".repeat(i % 60))), "").unwrap();
    }
    let expected = host_names(&many);
    let fd = guest.open("many", 1, DIRECTORY, 1 << 14).unwrap();
    let all = list(&mut guest, fd, 4096, 0, |_| {});
    assert_eq!(names(&all), expected);
    for len in [120, 1000, 0x1_0000] {
        assert_eq!(list(&mut guest, fd, len, 0, |_| {}), all, "by {len} bytes");
    }
    // From anywhere, forwards and backwards.
    // Each descriptor knows its own cookies, which are the same for what was read in the same order.
    let other = guest.open("many", 1, DIRECTORY, 1 << 14).unwrap();
    assert_eq!(list(&mut guest, other, 300, 0, |_| {}), all);
    for i in (0..3000).step_by(37).chain((0..3000).step_by(113).rev()) {
        for fd in [fd, other] {
            let bytes = raw(&mut guest, fd, 200, all[i].cookie).unwrap();
            assert_eq!(parse(&bytes)[0], all[i + 1]);
        }
    }
    assert_eq!(raw(&mut guest, fd, 200, all.last().unwrap().cookie), Ok(Vec::new()), "the end stays the end");
    // There is nothing behind a cookie that was never given out; one more than one that was is none.
    for never in [(1 << 30) + 12_345, i64::MAX] {
        assert_eq!(raw(&mut guest, fd, 200, never), Ok(Vec::new()));
    }
    assert!(all.iter().all(|entry| (1..1 << 31).contains(&entry.cookie)), "`telldir` of 32-bit programs can say them");
    for cookie in [1, 12345, -1, i64::MIN, i64::MIN + 12345] {
        // Nobody gave these out; whatever comes, it is an answer.
        let _ = raw(&mut guest, fd, 200, cookie);
    }
    // Half of them go while the rest is read: what stays is there, once.
    let mut gone = BTreeSet::new();
    let seen = list(&mut guest, fd, 500, 0, |entries| {
        for entry in entries.iter().step_by(2).filter(|entry| !entry.name.starts_with(b".")) {
            fs::remove_file(many.join(String::from_utf8(entry.name.clone()).unwrap())).unwrap();
            gone.insert(entry.name.clone());
        }
    });
    assert_eq!(names(&seen), expected);
    let left = list(&mut guest, fd, 4096, 0, |_| {});
    assert_eq!(names(&left), expected.difference(&gone).cloned().collect());
    // As `rm -r` has it: all go, by the guest itself.
    let mut last = Vec::new();
    let fd = guest.open("many", 1, DIRECTORY, 1 << 14 | 1 << 26).unwrap();
    loop {
        let entries = parse(&raw(&mut guest, fd, 600, last.last().map_or(0, |entry: &Entry| entry.cookie)).unwrap());
        for entry in entries.iter().filter(|entry| !entry.name.starts_with(b".")) {
            assert_eq!(guest.path_bytes("path_unlink_file", &[fd], &entry.name, &[]), SUCCESS);
        }
        if entries.is_empty() {
            break;
        }
        last = entries;
    }
    assert_eq!(guest.path("path_remove_directory", &[3], "many", &[]), SUCCESS);
    assert_eq!(raw(&mut guest, fd, 100, 0).map(|bytes| bytes.len()), Ok(0), "removed, and still open");
}
