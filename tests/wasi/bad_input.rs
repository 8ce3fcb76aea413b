//! What no program passes: every function with random arguments, pointers that lead nowhere, and memories of 4 GiB.

use super::guest::*;
use std::fs;
use stepwell::wasi::{Access, WasiConfig};

/// Where the pointers are among the parameters, by name: (function, arguments that are fine, indexes of pointers).
fn pointers(file: i64) -> Vec<(&'static str, Vec<i64>, Vec<usize>)> {
    vec![
        ("args_sizes_get", vec![0, 4], vec![0, 1]),
        ("environ_sizes_get", vec![0, 4], vec![0, 1]),
        ("clock_res_get", vec![0, 0], vec![1]),
        ("clock_time_get", vec![0, 0, 0], vec![2]),
        ("random_get", vec![0, 16], vec![0]),
        ("poll_oneoff", vec![0x5000, 0x6000, 1, 0], vec![0, 1, 3]),
        ("fd_fdstat_get", vec![file, 0], vec![1]),
        ("fd_filestat_get", vec![file, 0], vec![1]),
        ("fd_pread", vec![file, 0x100, 1, 0, 0], vec![1, 4]),
        ("fd_pwrite", vec![file, 0x100, 1, 0, 0], vec![1, 4]),
        ("fd_prestat_get", vec![3, 0], vec![1]),
        ("fd_prestat_dir_name", vec![3, 0, 5], vec![1]),
        ("fd_read", vec![file, 0x100, 1, 0], vec![1, 3]),
        ("fd_write", vec![file, 0x100, 1, 0], vec![1, 3]),
        ("fd_readdir", vec![3, 0x2000, 100, 0, 0], vec![1, 4]),
        ("fd_seek", vec![file, 0, 0, 0], vec![3]),
        ("fd_tell", vec![file, 0], vec![1]),
        ("path_create_directory", vec![3, 0x1000, 4], vec![1]),
        ("path_filestat_get", vec![3, 0, 0x1000, 4, 0], vec![2, 4]),
        ("path_filestat_set_times", vec![3, 0, 0x1000, 4, 0, 0, 0], vec![2]),
        ("path_link", vec![3, 0, 0x1000, 4, 3, 0x1000, 4], vec![2, 5]),
        ("path_open", vec![3, 0, 0x1000, 4, 0, READ, 0, 0, 0], vec![2, 8]),
        ("path_readlink", vec![3, 0x1000, 4, 0x2000, 8, 0], vec![1, 3, 5]),
        ("path_remove_directory", vec![3, 0x1000, 4], vec![1]),
        ("path_rename", vec![3, 0x1000, 4, 3, 0x1000, 4], vec![1, 4]),
        ("path_symlink", vec![0x1000, 4, 3, 0x1000, 4], vec![0, 3]),
        ("path_unlink_file", vec![3, 0x1000, 4], vec![1]),
    ]
}

#[test]
fn pointers_that_lead_nowhere_are_efault() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let end = guest.get_len() as i64;
    let file = guest.open("file", 1, 0, READ | WRITE).unwrap();
    guest.put(0x1000, b"file");
    guest.put(0x100, &[0x2000u32.to_le_bytes(), 4u32.to_le_bytes()].concat());
    for (name, args, indexes) in pointers(file) {
        for index in indexes {
            // At the end, across it, and so that the sum overflows.
            for bad in [end, end - 1, 0xffff_ffff, 0xffff_fffc] {
                let mut args = args.clone();
                args[index] = bad;
                assert_eq!(guest.call(name, &args), EFAULT, "{name}{args:x?}");
            }
        }
    }
    // Lengths.
    for (name, args) in [
        ("random_get", vec![8, -1]),
        ("fd_readdir", vec![3, 8, -1, 0, 0]),
        ("path_open", vec![3, 0, 8, -1, 0, READ, 0, 0, 0]),
        ("path_readlink", vec![3, 0x1000, 4, 8, -1, 0]),
        ("path_rename", vec![3, 0x1000, 4, 3, 8, -1]),
        ("path_symlink", vec![8, -1, 3, 0x1000, 4]),
    ] {
        assert_eq!(guest.call(name, &args), EFAULT, "{name}{args:x?}");
    }
    for count in [1025, 0x1fff_ffff, 0x2000_0000, 0xffff_ffff] {
        assert_eq!(guest.call("fd_pread", &[file, 0, count, 0, 0x800]), EINVAL);
        assert_eq!(guest.call("fd_pwrite", &[file, 0, count, 0, 0x800]), EINVAL);
    }
    assert_eq!(fs::read(folder.0.join("root/file")).unwrap(), b"hello, file");
}

/// Numbers of a seed, so that a failure can be repeated.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }
}

#[test]
fn any_arguments_get_an_answer() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let outside = fs::read_dir(&folder.0).unwrap().count();
    let mut chance = Chance(0x5eed_0001);
    let small: &[i64] = &[0, 1, 2, 3, 4, 5, 6, 8, 16, 48, 64, 100];
    let places: &[i64] = &[0, 0x100, 0x1000, 0x1004, 0x2000, 0x4000, 0xfff0, 0x1_0000, 0x3_fff8, 0x4_0000, -1, -8];
    let large: &[i64] = &[-1, i64::MIN, i64::MAX, 1 << 62, 0xffff_ffff, 1 << 30];
    for _ in 0..60_000 {
        // What is in memory: paths, lists of buffers, subscriptions.
        let path =
            chance.of(&["file", "sub", "sub/new", "link", "loop", "out", "..", "new", "a/b/../c", "\0", "sub/inner"]);
        guest.put(0x1000, path.as_bytes());
        let mut list = Vec::new();
        for _ in 0..8 {
            list.extend((chance.of(places) as u32).to_le_bytes());
            list.extend((chance.of(small) as u32).to_le_bytes());
        }
        guest.put(0x100, &list);
        let (name, params) = chance.of(FUNCTIONS);
        let args: Vec<i64> = params
            .chars()
            .map(|c| match (c, chance.next() % 8) {
                ('i', 0..4) => chance.of(small),
                ('i', 4..7) => chance.of(places),
                ('I', 0..4) => chance.of(small),
                ('I', 4..6) => (1 << 30) - 1,
                _ => chance.of(large),
            })
            .collect();
        if name == "poll_oneoff" {
            // Times that are over, so that nobody waits for ever.
            guest.put(0x1_8000, &[[0; 48]; 4].concat());
            assert!((0..77).contains(&guest.call(name, &[0x1_8000, args[1], args[2], args[3]])));
            continue;
        }
        if name == "fd_allocate" && args[1].saturating_add(args[2]) > 1 << 20 {
            continue; // the disk is ours
        }
        let errno = guest.call(name, &args);
        assert!((0..77).contains(&errno), "{name}{args:x?}: {errno}");
    }
    assert_eq!(fs::read(folder.0.join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), outside);
}

#[test]
fn buffers_of_4_gib() {
    let folder = Folder::new();
    fs::write(folder.0.join("file"), "some bytes").unwrap();
    let mut config = WasiConfig::new();
    config.preopen_dir(&folder.0, ".", Access::ReadWrite).unwrap();
    let mut guest = Guest::with_pages(config, 65536);
    let most = 0x7fff_f000;
    let fd = guest.open("file", 1, 0, READ | WRITE).unwrap();
    guest.put(0x100, &[0x1000u32.to_le_bytes(), 0xffff_efffu32.to_le_bytes()].concat());
    assert_eq!(guest.call("fd_read", &[fd, 0x100, 1, 0x800]), SUCCESS);
    assert_eq!((guest.u32(0x800), guest.get(0x1000, 11)), (10, b"some bytes\0".to_vec()));
    assert_eq!(guest.call("fd_pread", &[fd, 0x100, 1, 5, 0x800]), SUCCESS);
    assert_eq!(guest.u32(0x800), 5);
    // Swallowed by a stream that leads nowhere: no more than Linux takes at once.
    assert_eq!(guest.call("fd_write", &[1, 0x100, 1, 0x800]), SUCCESS);
    assert_eq!(guest.u32(0x800), most);
    guest.put(0x100, &[0u32, 0x6000_0000, 0x1000, 0x6000_0000, 0, 0xffff_ffff].map(u32::to_le_bytes).concat());
    assert_eq!(guest.call("fd_write", &[1, 0x100, 3, 0x800]), SUCCESS);
    assert_eq!(guest.u32(0x800), most);
    guest.put(0x100, &[1u32, 0xffff_ffff].map(u32::to_le_bytes).concat());
    assert_eq!(guest.call("fd_write", &[1, 0x100, 1, 0x800]), SUCCESS, "to the very end");
    guest.put(0x100, &[2u32, 0xffff_ffff].map(u32::to_le_bytes).concat());
    assert_eq!(guest.call("fd_write", &[1, 0x100, 1, 0x800]), EFAULT, "one beyond it");
    assert_eq!(guest.call("fd_readdir", &[3, 0x1_0000, 0xfffe_0000, 0, 0x800]), SUCCESS);
    assert!((24..1000).contains(&guest.u32(0x800)));
    assert_eq!(guest.path("path_open", &[3, 0], "file", &[0, READ, 0, 0, 0xffff_fffc]), SUCCESS, "the last four bytes");
    let name = "x".repeat(300);
    guest.put(0xffff_fe00, name.as_bytes());
    assert_eq!(guest.call("path_open", &[3, 0, 0xffff_fe00, 512, 0, READ, 0, 0, 0]), EINVAL, "NULs behind the name");
    assert_eq!(guest.call("path_open", &[3, 0, 0, 0xffff_ffff, 0, READ, 0, 0, 0]), ENAMETOOLONG);
}
