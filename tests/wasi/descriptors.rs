//! Open descriptors: positions, flags, rights, sizes, times, and what is done with numbers.

use super::guest::*;
use std::fs;
use std::os::unix::fs::MetadataExt;
use stepwell::wasi::{Access, WasiConfig};

const ALL: i64 = (1 << 30) - 1;

/// A buffer list at 0x100 with one buffer at 0x2000.
fn buffer(guest: &mut Guest, len: u32) -> [i64; 2] {
    guest.put(0x100, &[0x2000u32.to_le_bytes(), len.to_le_bytes()].concat());
    [0x100, 1]
}

fn pread(guest: &mut Guest, fd: i64, len: u32, offset: i64) -> Result<Vec<u8>, i32> {
    let [list, count] = buffer(guest, len);
    match guest.call("fd_pread", &[fd, list, count, offset, 0x800]) {
        SUCCESS => Ok(guest.get(0x2000, guest.u32(0x800) as usize)),
        errno => Err(errno),
    }
}

fn pwrite(guest: &mut Guest, fd: i64, bytes: &[u8], offset: i64) -> Result<u32, i32> {
    guest.put(0x2000, bytes);
    let [list, count] = buffer(guest, bytes.len() as u32);
    match guest.call("fd_pwrite", &[fd, list, count, offset, 0x800]) {
        SUCCESS => Ok(guest.u32(0x800)),
        errno => Err(errno),
    }
}

fn tell(guest: &mut Guest, fd: i64) -> u64 {
    assert_eq!(guest.call("fd_tell", &[fd, 0x800]), SUCCESS);
    guest.u64(0x800)
}

fn rights(guest: &mut Guest, fd: i64) -> (i64, i64) {
    assert_eq!(guest.call("fd_fdstat_get", &[fd, 0x800]), SUCCESS);
    (guest.u64(0x808) as i64, guest.u64(0x810) as i64)
}

#[test]
fn positions_are_given_and_stay() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let fd = guest.open("file", 1, 0, READ | WRITE).unwrap();
    assert_eq!(guest.read(fd, 3).unwrap(), b"hel");
    assert_eq!(pread(&mut guest, fd, 4, 7).unwrap(), b"file");
    assert_eq!(pread(&mut guest, fd, 100, 9).unwrap(), b"le");
    assert_eq!(pread(&mut guest, fd, 4, 100).unwrap(), b"");
    assert_eq!(pwrite(&mut guest, fd, b"HE", 0), Ok(2));
    assert_eq!(pwrite(&mut guest, fd, b"!", 13), Ok(1));
    assert_eq!(tell(&mut guest, fd), 3);
    assert_eq!(fs::read(folder.0.join("root/file")).unwrap(), b"HEllo, file\0\0!");
    for offset in [-1, i64::MIN] {
        assert_eq!(pread(&mut guest, fd, 1, offset), Err(EINVAL));
        assert_eq!(pwrite(&mut guest, fd, b"x", offset), Err(EINVAL));
    }
    assert!(pwrite(&mut guest, fd, b"x", i64::MAX).is_err());
    let looking = guest.open("file", 1, 0, READ).unwrap();
    assert_eq!(pwrite(&mut guest, looking, b"x", 0), Err(EBADF));
    // Who asks for nothing but to read may seek as well, until the right is given up.
    let sequential = guest.open("file", 1, 0, 1 << 1).unwrap();
    assert_eq!(pread(&mut guest, sequential, 1, 0), Ok(b"H".to_vec()));
    assert_eq!(guest.call("fd_fdstat_set_rights", &[sequential, 1 << 1, 0]), SUCCESS);
    assert_eq!(pread(&mut guest, sequential, 1, 0), Err(ENOTCAPABLE));
    for fd in 0..3 {
        assert_eq!(pread(&mut guest, fd, 1, 0), Err(ESPIPE));
        assert_eq!(pwrite(&mut guest, fd, b"x", 0), Err(ESPIPE));
    }
    assert_eq!(pread(&mut guest, 3, 1, 0), Err(EBADF));
    assert_eq!(pread(&mut guest, 99, 1, 0), Err(EBADF));
}

#[test]
fn a_descriptor_gets_another_number() {
    let (_folder, mut guest) = with_folder(Access::ReadWrite);
    let (file, link) = (guest.open("file", 1, 0, READ).unwrap(), guest.open("sub/inner", 1, 0, READ).unwrap());
    assert_eq!(guest.call("fd_renumber", &[file, file]), SUCCESS);
    assert_eq!(guest.call("fd_renumber", &[file, 77]), EBADF, "only where one is");
    assert_eq!(guest.call("fd_renumber", &[77, file]), EBADF);
    assert_eq!(guest.call("fd_renumber", &[77, 77]), EBADF);
    assert_eq!(guest.call("fd_renumber", &[-1, 0]), EBADF);
    assert_eq!(guest.read(file, 5).unwrap(), b"hello");
    assert_eq!(guest.call("fd_renumber", &[link, file]), SUCCESS);
    assert_eq!(guest.read(file, 5).unwrap(), b"inner");
    assert_eq!(guest.read(link, 5), Err(EBADF));
    // Over a standard stream and over the preopened directory, which is closed by it; then it is nobody's any more.
    assert_eq!(guest.call("fd_renumber", &[file, 1]), SUCCESS);
    assert_eq!(guest.call("fd_seek", &[1, 0, 0, 0x800]), SUCCESS);
    assert_eq!(guest.read(1, 5).unwrap(), b"inner");
    assert_eq!(guest.call("fd_renumber", &[3, 0]), SUCCESS);
    assert_eq!(guest.call("fd_prestat_get", &[3, 0x800]), EBADF);
    assert_eq!(guest.call("fd_prestat_get", &[0, 0x800]), SUCCESS, "it moved with its name");
    assert_eq!(guest.open_at(0, b"file", 1, 0, READ, 0, 0), Ok(3));
    assert_eq!(guest.call("fd_close", &[0]), SUCCESS);
    assert_eq!(guest.open_at(0, b"file", 1, 0, READ, 0, 0), Err(EBADF));
    assert_eq!(guest.read(3, 5).unwrap(), b"hello", "what was opened through it stays open");
}

#[test]
fn flags_are_changed_as_far_as_they_can_be() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let flags = |guest: &mut Guest, fd| {
        assert_eq!(guest.call("fd_fdstat_get", &[fd, 0x800]), SUCCESS);
        guest.get(0x802, 2)[0]
    };
    let fd = guest.open_at(3, b"file", 1, 0, ALL & !(1 << 14), 0, 1).unwrap();
    assert_eq!(guest.write(fd, b"+"), Ok(1));
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 0]), SUCCESS);
    assert_eq!(guest.call("fd_seek", &[fd, 0, 0, 0x800]), SUCCESS);
    assert_eq!(guest.write(fd, b"J"), Ok(1));
    assert_eq!(flags(&mut guest, fd), 0);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 1 | 4]), SUCCESS);
    assert_eq!(guest.write(fd, b"!"), Ok(1));
    assert_eq!(flags(&mut guest, fd), 5);
    assert_eq!(fs::read(folder.0.join("root/file")).unwrap(), b"Jello, file+!");
    for how in [2, 8, 16] {
        assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, how]), ENOTSUP, "fixed at opening");
    }
    for unknown in [32, 1 << 16, -1] {
        assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, unknown]), EINVAL);
    }
    let synced = guest.open_at(3, b"file", 1, 0, WRITE | 1 << 3, 0, 16).unwrap();
    assert_eq!(guest.call("fd_fdstat_set_flags", &[synced, 16 | 1]), SUCCESS);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[synced, 0]), ENOTSUP);
    assert_eq!(flags(&mut guest, synced), 17);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[0, 4]), SUCCESS);
    assert_eq!(flags(&mut guest, 0), 4);
    let without = guest.open("file", 1, 0, READ).unwrap();
    assert_eq!(guest.call("fd_fdstat_set_flags", &[without, 1]), SUCCESS);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[99, 0]), EBADF);
}

#[test]
fn rights_are_given_up_for_good() {
    let (_folder, mut guest) = with_folder(Access::ReadWrite);
    let fd = guest.open("file", 1, 0, READ | WRITE).unwrap();
    let (base, inheriting) = rights(&mut guest, fd);
    assert_eq!((base & (READ | WRITE), inheriting), (READ | WRITE, 0));
    assert_eq!(guest.call("fd_fdstat_set_rights", &[fd, base | 1 << 13, inheriting]), ENOTCAPABLE);
    assert_eq!(guest.call("fd_fdstat_set_rights", &[fd, base, inheriting | 1 << 40]), ENOTCAPABLE);
    assert_eq!(guest.call("fd_fdstat_set_rights", &[fd, -1, 0]), ENOTCAPABLE);
    assert_eq!(rights(&mut guest, fd), (base, inheriting), "nothing was changed");
    assert_eq!(guest.call("fd_fdstat_set_rights", &[fd, base & !WRITE, 0]), SUCCESS);
    assert_eq!(guest.write(fd, b"x"), Err(EBADF));
    assert_eq!(guest.call("fd_fdstat_set_rights", &[fd, base, 0]), ENOTCAPABLE);
    assert_eq!(guest.read(fd, 5).unwrap(), b"hello");
    assert_eq!(guest.call("fd_fdstat_set_rights", &[99, 0, 0]), EBADF);
    // What a directory may no longer pass on cannot be had through it.
    let (base, inheriting) = rights(&mut guest, 3);
    assert_eq!(guest.call("fd_fdstat_set_rights", &[3, base & !(1 << 19), inheriting & !WRITE]), SUCCESS);
    assert_eq!(guest.open("file", 1, 0, WRITE), Err(ENOTCAPABLE));
    assert_eq!(guest.open("file", 1, TRUNCATE, READ), Err(ENOTCAPABLE));
    assert!(guest.open("file", 1, 0, READ).is_ok());
    assert_eq!(guest.call("fd_fdstat_set_rights", &[3, 0, 0]), SUCCESS);
    assert_eq!(guest.open("file", 1, 0, READ), Err(ENOTCAPABLE));
}

#[test]
fn sizes_and_advice() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let size = || fs::metadata(folder.0.join("root/file")).unwrap().len();
    let fd = guest.open("file", 1, 0, READ | WRITE | 1 << 7 | 1 << 8 | 1 << 22 | 1 << 4 | 1).unwrap();
    for (wanted, errno, after) in [(5, SUCCESS, 5), (100, SUCCESS, 100), (-1, EINVAL, 100), (i64::MIN, EINVAL, 100)] {
        assert_eq!(guest.call("fd_filestat_set_size", &[fd, wanted]), errno, "{wanted}");
        assert_eq!(size(), after);
    }
    assert_eq!(guest.call("fd_filestat_set_size", &[fd, 5]), SUCCESS);
    for (offset, len, errno, after) in
        [(0, 0, EINVAL, 5), (0, 3, SUCCESS, 5), (0, 10, SUCCESS, 10), (10, 6, SUCCESS, 16), (-1, 1, EINVAL, 16)]
    {
        // Not every file system can.
        let said = guest.call("fd_allocate", &[fd, offset, len]);
        assert!(said == errno || said == ENOTSUP, "{offset} {len}: {said}");
        assert!(said == ENOTSUP || size() == after);
    }
    assert_ne!(guest.call("fd_allocate", &[fd, i64::MAX, i64::MAX]), SUCCESS);
    assert_eq!(guest.call("fd_allocate", &[fd, 0, -1]), EINVAL);
    for advice in 0..6 {
        assert_eq!(guest.call("fd_advise", &[fd, 0, 0, advice]), SUCCESS);
        assert_eq!(guest.call("fd_advise", &[fd, i64::MAX, i64::MAX, advice]), SUCCESS);
    }
    for (offset, len, advice) in [(0, 0, 6), (0, 0, -1), (-1, 0, 0), (0, -1, 0)] {
        assert_eq!(guest.call("fd_advise", &[fd, offset, len, advice]), EINVAL);
    }
    for name in ["fd_sync", "fd_datasync"] {
        assert_eq!(guest.call(name, &[fd]), SUCCESS);
        assert_eq!(guest.call(name, &[3]), EBADF, "a directory, as in other engines");
        assert_eq!(guest.call(name, &[1]), EINVAL);
        assert_eq!(guest.call(name, &[99]), EBADF);
    }
    let looking = guest.open("file", 1, 0, READ).unwrap();
    for (name, args, errno) in [
        ("fd_filestat_set_size", vec![looking, 1], EINVAL),
        ("fd_allocate", vec![looking, 0, 1], EBADF),
        ("fd_advise", vec![looking, 0, 1, 0], SUCCESS),
        ("fd_sync", vec![looking], SUCCESS),
        ("fd_datasync", vec![looking], SUCCESS),
        ("fd_filestat_set_times", vec![looking, 0, 0, 0], SUCCESS),
    ] {
        assert_eq!(guest.call(name, &args), errno, "{name}");
        let closed: Vec<i64> = [99].into_iter().chain(args[1..].iter().copied()).collect();
        assert_eq!(guest.call(name, &closed), EBADF, "{name}");
    }
    // One that was opened to write and has given the right away is told just that.
    let given_away = guest.open("file", 1, 0, WRITE).unwrap();
    assert_eq!(guest.call("fd_fdstat_set_rights", &[given_away, WRITE, 0]), SUCCESS);
    assert_eq!(guest.call("fd_filestat_set_size", &[given_away, 1]), ENOTCAPABLE);
    assert_eq!(guest.call("fd_allocate", &[given_away, 0, 1]), ENOTCAPABLE);
    let only_size = guest.open("file", 1, 0, WRITE).unwrap();
    assert_eq!(guest.call("fd_fdstat_set_rights", &[only_size, 1 << 22, 0]), SUCCESS);
    assert_eq!(guest.call("fd_filestat_set_size", &[only_size, 16]), SUCCESS);
    assert_eq!(guest.call("fd_advise", &[0, 0, 0, 0]), ESPIPE);
    assert_eq!(guest.call("fd_advise", &[3, 0, 0, 0]), EBADF);
    assert_eq!(guest.call("fd_allocate", &[3, 0, 1]), EBADF);
    assert_eq!(guest.call("fd_filestat_set_size", &[3, 0]), EBADF);
    assert_eq!(guest.call("fd_filestat_set_size", &[1, 0]), EINVAL);
}

#[test]
fn times_are_set_singly() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let root = folder.0.join("root");
    let times = |name: &str| {
        let stat = fs::symlink_metadata(root.join(name)).unwrap();
        let one = |seconds: i64, rest: i64| seconds * 1_000_000_000 + rest;
        (one(stat.atime(), stat.atime_nsec()), one(stat.mtime(), stat.mtime_nsec()))
    };
    let (a, m) = (1_234_567_890_123_456_789, 987_654_321_000_000_001);
    let fd = guest.open("file", 1, 0, READ | 1 << 23).unwrap();
    assert_eq!(guest.call("fd_filestat_set_times", &[fd, a, m, 1 | 4]), SUCCESS);
    assert_eq!(times("file"), (a, m));
    assert_eq!(guest.call("fd_filestat_set_times", &[fd, 7, 7, 0]), SUCCESS);
    assert_eq!(guest.call("fd_filestat_set_times", &[fd, 7, 8, 4]), SUCCESS);
    assert_eq!(times("file"), (a, 8));
    assert_eq!(guest.call("fd_filestat_set_times", &[fd, 7, 7, 2]), SUCCESS);
    assert!(times("file").0 > a && times("file").1 == 8);
    for flags in [3, 12, 15, 16, -1] {
        assert_eq!(guest.call("fd_filestat_set_times", &[fd, 7, 7, flags]), EINVAL);
        assert_eq!(guest.path("path_filestat_set_times", &[3, 1], "file", &[7, 7, flags]), EINVAL);
    }
    assert_eq!(guest.call("fd_filestat_set_times", &[3, a, m, 5]), SUCCESS, "a directory's");
    assert_eq!(guest.call("fd_filestat_set_times", &[0, a, m, 5]), EINVAL);

    assert_eq!(guest.path("path_filestat_set_times", &[3, 1], "link", &[a, m, 5]), SUCCESS);
    assert_eq!(times("file"), (a, m), "through the link");
    assert_eq!(guest.path("path_filestat_set_times", &[3, 0], "link", &[5, 6, 5]), SUCCESS);
    assert_eq!((times("link"), times("file")), ((5, 6), (a, m)), "the link's own");
    assert_eq!(guest.path("path_filestat_set_times", &[3, 0], "out", &[5, 6, 5]), SUCCESS);
    assert_eq!(guest.path("path_filestat_set_times", &[3, 1], "out", &[5, 6, 5]), EPERM);
    assert_eq!(guest.path("path_filestat_set_times", &[3, 1], "missing", &[5, 6, 5]), ENOENT);
    assert_eq!(guest.path("path_filestat_set_times", &[3, 2], "file", &[5, 6, 5]), EINVAL);
    assert_eq!(guest.path("path_filestat_set_times", &[3, 1], "file", &[-1, -1, 5]), SUCCESS, "far away, but a time");
}

#[test]
fn the_number_of_descriptors_is_bounded() {
    let folder = Folder::new();
    let mut config = WasiConfig::new();
    config.preopen_dir(&folder.0, ".", Access::ReadWrite).unwrap();
    config.set_max_descriptors(6);
    let mut guest = Guest::new(config);
    let opened: Vec<_> = (0..4).map(|i| guest.open(&format!("{i}"), 0, CREATE, WRITE)).collect();
    assert_eq!(opened, [Ok(4), Ok(5), Err(EMFILE), Err(EMFILE)]);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2, "nothing is made without a number to give");
    assert_eq!(guest.call("fd_close", &[4]), SUCCESS);
    assert_eq!(guest.open("2", 0, CREATE, WRITE), Ok(4));
}

#[test]
fn sockets_signals_and_yielding() {
    let (_folder, mut guest) = with_folder(Access::ReadWrite);
    let file = guest.open("file", 1, 0, READ).unwrap();
    for fd in [0, 1, 2, 3, file] {
        assert_eq!(guest.call("sock_accept", &[fd, 0, 0x800]), ENOTSOCK);
        assert_eq!(guest.call("sock_recv", &[fd, 0x100, 1, 0, 0x800, 0x804]), ENOTSOCK);
        assert_eq!(guest.call("sock_send", &[fd, 0x100, 1, 0, 0x800]), ENOTSOCK);
        assert_eq!(guest.call("sock_shutdown", &[fd, 3]), ENOTSOCK);
    }
    assert_eq!(guest.call("sock_accept", &[99, 0, -1]), EBADF);
    assert_eq!(guest.call("sock_recv", &[99, -1, -1, -1, -1, -1]), EBADF);
    assert_eq!(guest.call("sock_send", &[99, -1, -1, -1, -1]), EBADF);
    assert_eq!(guest.call("sock_shutdown", &[99, 0]), EBADF);
    for signal in 0..31 {
        assert_eq!(guest.call("proc_raise", &[signal]), ENOTSUP);
    }
    assert_eq!(guest.call("proc_raise", &[31]), EINVAL);
    assert_eq!(guest.call("sched_yield", &[]), SUCCESS);
}
