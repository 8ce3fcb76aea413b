//! WASI preview 1: each function with what a guest may pass to it, good and bad, and real programs that read files and
//! print.

mod bad_input;
mod blocked;
mod descriptors;
mod directories;
mod guest;
mod no_rights;
mod paths;
mod poll;
mod programs;
mod stores;
mod streams;
mod threads;

use guest::*;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use stepwell::base::{ErrorKind, FuncIndex};
use stepwell::debug::{Action, Debugger, Stop};
use stepwell::wasi::{Access, MODULE, WasiConfig};
use stepwell::*;

#[test]
fn arguments_and_environment_arrive() {
    let mut config = WasiConfig::new();
    config.set_args(["prog", "", "zwei"]).unwrap();
    config.set_env([("A", "1"), ("LONG", "x=y")]).unwrap();
    let mut guest = Guest::new(config);
    assert_eq!(guest.call("args_sizes_get", &[0, 4]), SUCCESS);
    assert_eq!((guest.u32(0), guest.u32(4)), (3, 11));
    assert_eq!(guest.call("args_get", &[16, 64]), SUCCESS);
    assert_eq!(guest.get(64, 11), b"prog\0\0zwei\0");
    assert_eq!([guest.u32(16), guest.u32(20), guest.u32(24)], [64, 69, 70]);
    assert_eq!(guest.call("environ_sizes_get", &[0, 4]), SUCCESS);
    assert_eq!((guest.u32(0), guest.u32(4)), (2, 13));
    assert_eq!(guest.call("environ_get", &[16, 128]), SUCCESS);
    assert_eq!(guest.get(128, 13), b"A=1\0LONG=x=y\0");
}

#[test]
fn impossible_settings_are_refused() {
    let mut config = WasiConfig::new();
    for error in [
        config.set_args(["a\0b"]).err(),
        config.set_env([("", "x")]).err(),
        config.set_env([("a=b", "x")]).err(),
        config.set_env([("a", "\0")]).err(),
        config.preopen_dir("/", "", Access::ReadOnly).err(),
    ] {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Argument));
    }
    let error = config.preopen_dir("/there/is/no/such", ".", Access::ReadOnly).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::System);
    assert!(error.message().contains("/there/is/no/such"), "{error}");
}

#[test]
fn bad_pointers_are_efault_everywhere() {
    let (_folder, mut guest) = with_folder(Access::ReadWrite);
    // Just beyond the end, across it, and so that the sum overflows.
    for bad in [0x4_0000i64, 0x3_fffd, 0xffff_fffc, 0xffff_ffff] {
        for (name, args) in [
            ("args_sizes_get", vec![bad, 0]),
            ("environ_sizes_get", vec![0, bad]),
            ("clock_res_get", vec![0, bad]),
            ("clock_time_get", vec![1, 0, bad]),
            ("random_get", vec![bad, 8]),
            ("random_get", vec![8, bad]),
            ("fd_read", vec![0, bad, 1, 0]),
            ("fd_read", vec![0, 0x100, 0, bad]),
            ("fd_write", vec![1, bad, 1, 0]),
            ("fd_write", vec![1, 0x100, 0, bad]),
            ("fd_fdstat_get", vec![3, bad]),
            ("fd_filestat_get", vec![3, bad]),
            ("fd_prestat_get", vec![3, bad]),
            ("fd_prestat_dir_name", vec![3, bad, 5]),
            ("path_open", vec![3, 0, bad, 4, 0, READ, 0, 0, 0]),
            ("path_open", vec![3, 0, 4, bad, 0, READ, 0, 0, 0]),
            ("path_open", vec![3, 0, 4, 4, 0, READ, 0, 0, bad]),
            ("path_filestat_get", vec![3, 0, bad, 4, 0]),
        ] {
            assert_eq!(guest.call(name, &args), EFAULT, "{name}{args:x?}");
        }
        // Buffers that are not there: nothing is written, also not the good one before.
        for buffer in [(bad as u32, 8u32), (0, 0xffff_fff0)] {
            let good = [0x40u32, 1];
            let list: Vec<u8> = good.into_iter().chain([buffer.0, buffer.1]).flat_map(u32::to_le_bytes).collect();
            guest.put(0x100, &list);
            assert_eq!(guest.call("fd_write", &[1, 0x100, 2, 0]), EFAULT, "{buffer:x?}");
            assert_eq!(guest.call("fd_read", &[0, 0x100, 2, 0]), EFAULT, "{buffer:x?}");
        }
    }
    let mut config = WasiConfig::new();
    config.set_args(["prog"]).unwrap();
    let mut guest = Guest::new(config);
    assert_eq!(guest.call("args_get", &[0x3_ffff, 0]), EFAULT);
    assert_eq!(guest.call("args_get", &[0, 0x3_fffd]), EFAULT);
    assert_eq!(guest.call("args_get", &[0, 0xffff_fffe]), EFAULT);
}

#[test]
fn huge_counts_of_buffers_are_refused() {
    let mut guest = Guest::new(WasiConfig::new());
    for count in [1025i64, 0x1fff_ffff, 0x2000_0000, 0xffff_ffff] {
        assert_eq!(guest.call("fd_write", &[1, 0, count, 0x8000]), EINVAL);
        assert_eq!(guest.call("fd_read", &[0, 0, count, 0x8000]), EINVAL);
    }
    // The most there may be, each with the whole memory (which a write to nowhere takes).
    let list: Vec<u8> = (0..1024).flat_map(|_| [0u32, 0x1_0000]).flat_map(u32::to_le_bytes).collect();
    guest.put(0x2000, &list);
    assert_eq!(guest.call("fd_write", &[1, 0x2000, 1024, 0]), SUCCESS);
    assert_eq!(guest.u32(0), 1024 * 0x1_0000);
}

#[test]
fn clocks_and_random_bytes() {
    let mut guest = Guest::new(WasiConfig::new());
    let since_1970 = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let before = since_1970();
    assert_eq!(guest.call("clock_time_get", &[0, 1, 0]), SUCCESS);
    let now = guest.u64(0);
    assert!(before <= now && now <= since_1970());
    let mut last = 0;
    for _ in 0..10 {
        assert_eq!(guest.call("clock_time_get", &[1, 0, 0]), SUCCESS);
        assert!(guest.u64(0) >= last);
        last = guest.u64(0);
    }
    for clock in 0..4 {
        assert_eq!(guest.call("clock_res_get", &[clock, 0]), SUCCESS);
        assert!((1..=1_000_000_000).contains(&guest.u64(0)));
        assert_eq!(guest.call("clock_time_get", &[clock, 0, 0]), SUCCESS);
    }
    assert_eq!(guest.call("clock_time_get", &[4, 0, 0]), EINVAL);
    assert_eq!(guest.call("clock_res_get", &[-1, 0]), EINVAL);

    guest.put(0, &[0xaa; 600]);
    assert_eq!(guest.call("random_get", &[0, 512]), SUCCESS);
    let bytes = guest.get(0, 600);
    assert!(bytes[..512].iter().filter(|&&b| b == 0xaa).count() < 64, "512 bytes of chance");
    assert_eq!(bytes[512..], [0xaa; 88]);
    assert_eq!(guest.call("random_get", &[0x1_0000, 0]), SUCCESS);
}

#[test]
fn standard_streams_go_where_they_are_sent() {
    let (out, err) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let mut config = WasiConfig::new();
    config.set_stdin_bytes("some input");
    let (to_out, to_err) = (out.clone(), err.clone());
    config.set_stdout(move |bytes| to_out.lock().unwrap().extend_from_slice(bytes));
    config.set_stderr(move |bytes| to_err.lock().unwrap().extend_from_slice(bytes));
    let mut guest = Guest::new(config);
    assert_eq!(guest.write(1, b"to stdout"), Ok(9));
    assert_eq!(guest.write(2, b"to stderr"), Ok(9));
    assert_eq!(guest.write(1, b""), Ok(0));
    assert_eq!(guest.read(0, 4).unwrap(), b"some");
    assert_eq!(guest.read(0, 0x1000).unwrap(), b" input");
    assert_eq!(guest.read(0, 0x1000).unwrap(), b"");
    // Several buffers, one of them empty; and 64 KiB at once.
    guest.put(0x2000, b"abc");
    let list: Vec<u8> = [0x2000u32, 1, 0xffff, 0, 0x2001, 2].into_iter().flat_map(u32::to_le_bytes).collect();
    guest.put(0x100, &list);
    assert_eq!(guest.call("fd_write", &[1, 0x100, 3, 0x800]), SUCCESS);
    assert_eq!(guest.u32(0x800), 3);
    assert_eq!(*out.lock().unwrap(), b"to stdoutabc");
    assert_eq!(*err.lock().unwrap(), b"to stderr");

    for fd in [0, 1, 2] {
        assert_eq!(guest.call("fd_seek", &[fd, 0, 1, 0x800]), ESPIPE);
        assert_eq!(guest.call("fd_tell", &[fd, 0x800]), ESPIPE);
        assert_eq!(guest.call("fd_prestat_get", &[fd, 0x800]), EBADF);
        assert_eq!(guest.call("fd_fdstat_get", &[fd, 0x800]), SUCCESS);
        assert_eq!(guest.call("fd_filestat_get", &[fd, 0x800]), SUCCESS);
        assert_eq!(guest.open_at(fd, b"file", 0, 0, READ, 0, 0), Err(ENOTDIR));
    }
    assert_eq!(guest.write(0, b"x"), Err(EBADF));
    assert_eq!(guest.read(1, 1), Err(EBADF));
    assert_eq!(guest.write(3, b"x"), Err(EBADF));
    assert_eq!(guest.call("fd_write", &[3, 0, 0, 0x800]), EBADF);
    assert_eq!(guest.call("fd_close", &[1]), SUCCESS);
    assert_eq!(guest.call("fd_close", &[1]), EBADF);
    assert_eq!(guest.write(1, b"x"), Err(EBADF));
}

#[test]
fn a_callback_gets_long_output_whole() {
    let (bytes, calls) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (seen, counted) = (bytes.clone(), calls.clone());
    let mut config = WasiConfig::new();
    config.set_stdout(move |bytes| {
        seen.fetch_add(bytes.len() as u32, Ordering::Relaxed);
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let mut guest = Guest::new(config);
    let list: Vec<u8> = [0u32, 0x1_0000, 0, 0x1_0000].into_iter().flat_map(u32::to_le_bytes).collect();
    guest.put(0x100, &list);
    assert_eq!(guest.call("fd_write", &[1, 0x100, 2, 0x800]), SUCCESS);
    assert_eq!(bytes.load(Ordering::Relaxed), 0x2_0000);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[test]
fn a_file_is_read_written_and_sought() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let fd = guest.open("file", 1, 0, READ).unwrap();
    assert_eq!(fd, 4);
    assert_eq!(guest.read(fd, 5).unwrap(), b"hello");
    assert_eq!(guest.call("fd_tell", &[fd, 0x800]), SUCCESS);
    assert_eq!(guest.u64(0x800), 5);
    for (offset, whence, expected) in [(2, 0, 2), (3, 1, 5), (-4, 2, 7), (100, 0, 100)] {
        assert_eq!(guest.call("fd_seek", &[fd, offset, whence, 0x800]), SUCCESS);
        assert_eq!(guest.u64(0x800), expected);
    }
    assert_eq!(guest.read(fd, 5).unwrap(), b"");
    for (offset, whence) in [(-1, 0), (i64::MIN, 1), (-12, 2), (0, 3), (0, -1)] {
        assert_eq!(guest.call("fd_seek", &[fd, offset, whence, 0x800]), EINVAL, "{offset} {whence}");
    }
    assert_eq!(guest.write(fd, b"x"), Err(EBADF), "opened to read only");

    assert_eq!(guest.call("fd_filestat_get", &[fd, 0x800]), SUCCESS);
    assert_eq!((guest.get(0x810, 1)[0], guest.u64(0x820)), (4, 11));
    assert_eq!(guest.call("fd_fdstat_get", &[fd, 0x800]), SUCCESS);
    // Opened to read: all that can be done with a file, but for writing.
    let all = READ as u64 | 1 << 27 | 1 << 23 | 1 << 7 | 1 << 4 | 1 << 3 | 1;
    assert_eq!((guest.get(0x800, 1)[0], guest.u64(0x808)), (4, all));

    let new = guest.open("new", 1, CREATE | EXCLUSIVE, READ | WRITE).unwrap();
    assert_eq!(guest.write(new, b"written"), Ok(7));
    assert_eq!(guest.call("fd_seek", &[new, 0, 0, 0x800]), SUCCESS);
    assert_eq!(guest.read(new, 100).unwrap(), b"written");
    assert_eq!(fs::read(folder.0.join("root/new")).unwrap(), b"written");
    assert_eq!(guest.open("new", 1, CREATE | EXCLUSIVE, READ | WRITE), Err(EEXIST));
    let append = guest.open_at(3, b"new", 1, 0, WRITE, 0, 1).unwrap();
    assert_eq!(guest.write(append, b"!"), Ok(1));
    assert_eq!(guest.call("fd_fdstat_get", &[append, 0x800]), SUCCESS);
    assert_eq!(guest.get(0x802, 2), [1, 0]);
    assert_eq!(fs::read(folder.0.join("root/new")).unwrap(), b"written!");
    assert_eq!(guest.read(append, 1), Err(EBADF), "opened to write only");
    guest.open("new", 1, TRUNCATE, WRITE).unwrap();
    assert_eq!(fs::read(folder.0.join("root/new")).unwrap(), b"");

    // The lowest free number is the next one.
    assert_eq!(guest.call("fd_close", &[fd]), SUCCESS);
    assert_eq!(guest.read(fd, 1), Err(EBADF));
    assert_eq!(guest.open("file", 1, 0, READ), Ok(fd));
}

#[test]
fn directories_are_opened_and_passed_on() {
    let (_folder, mut guest) = with_folder(Access::ReadWrite);
    assert_eq!(guest.call("fd_prestat_get", &[3, 0x800]), SUCCESS);
    assert_eq!((guest.u32(0x800), guest.u32(0x804)), (0, 5));
    assert_eq!(guest.call("fd_prestat_dir_name", &[3, 0x800, 4]), ENAMETOOLONG);
    assert_eq!(guest.call("fd_prestat_dir_name", &[3, 0x800, 5]), SUCCESS);
    assert_eq!(guest.get(0x800, 5), b"/data");
    assert_eq!(guest.call("fd_prestat_get", &[4, 0x800]), EBADF);

    let sub = guest.open("sub", 1, DIRECTORY, 1 << 13 | 1 << 14).unwrap();
    assert_eq!(guest.call("fd_fdstat_get", &[sub, 0x800]), SUCCESS);
    assert_eq!(guest.get(0x800, 1), [3]);
    assert_eq!(guest.call("fd_prestat_get", &[sub, 0x800]), EBADF, "not a preopened one");
    let inner = guest.open_at(sub, b"inner", 1, 0, READ, 0, 0).unwrap();
    assert_eq!(guest.read(inner, 100).unwrap(), b"inner");
    assert_eq!(guest.open_at(sub, b"../file", 1, 0, READ, 0, 0), Err(EPERM), "out of the directory it is opened in");
    assert_eq!(guest.read(sub, 1), Err(EBADF));
    assert_eq!(guest.call("fd_seek", &[sub, 0, 0, 0x800]), EBADF);
    assert_eq!(guest.open("file", 1, DIRECTORY, READ), Err(ENOTDIR));
    assert_eq!(guest.open_at(inner, b"x", 1, 0, READ, 0, 0), Err(ENOTDIR));
    assert_eq!(guest.open("sub", 1, 0, WRITE), Err(EISDIR));
    // One for which less was asked than is used passes on all, until that is given up.
    let looking = guest.open_at(3, b"sub", 1, DIRECTORY, 1 << 13, READ, 0).unwrap();
    assert!(guest.open_at(looking, b"inner", 1, 0, WRITE, 0, 0).is_ok());
    assert!(guest.open_at(looking, b"made", 1, CREATE, READ, 0, 0).is_ok());
    assert_eq!(guest.call("fd_fdstat_set_rights", &[looking, 1 << 13, READ]), SUCCESS);
    assert_eq!(guest.open_at(looking, b"inner", 1, 0, WRITE, 0, 0), Err(ENOTCAPABLE));
    assert_eq!(guest.open_at(looking, b"made", 1, CREATE, READ, 0, 0), Err(ENOTCAPABLE));
}

#[test]
fn there_is_no_way_out_of_a_directory() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let secret = folder.0.join("secret");
    let absolute = secret.to_str().unwrap().to_owned();
    for path in
        ["../secret", "out", "up/secret", "absolute", &absolute, "sub/../../secret", "..", "/", "up", "/etc/passwd"]
    {
        for (oflags, rights) in [(0, READ), (CREATE, WRITE), (TRUNCATE, WRITE), (DIRECTORY, READ)] {
            assert_eq!(guest.open(path, 1, oflags, rights), Err(EPERM), "{path} {oflags}");
        }
        guest.put(0x1000, path.as_bytes());
        let args = [3, 1, 0x1000, path.len() as i64, 0x800];
        assert_eq!(guest.call("path_filestat_get", &args), EPERM, "{path}");
    }
    assert_eq!(guest.open("../new", 1, CREATE, WRITE), Err(EPERM));
    assert!(!folder.0.join("new").exists());
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    // Inside all is well: links, dots, and a link that is not followed.
    for path in ["file", "./file", "link", "sub/../file", "sub/../sub/.././link"] {
        let fd = guest.open(path, 1, 0, READ).unwrap_or_else(|errno| panic!("{path}: {errno}"));
        assert_eq!(guest.read(fd, 100).unwrap(), b"hello, file");
    }
    assert_eq!(guest.open("link", 0, 0, READ), Err(ELOOP));
    assert_eq!(guest.open("out", 0, 0, READ), Err(ELOOP));
    assert_eq!(guest.open("loop", 1, 0, READ), Err(ELOOP));
    assert_eq!(guest.open("missing", 1, 0, READ), Err(ENOENT));
    assert_eq!(guest.open("", 1, 0, READ), Err(ENOENT));
    assert_eq!(guest.open("a\0b", 1, 0, READ), Err(EINVAL));
    assert_eq!(guest.open_at(3, b"\xff", 1, 0, READ, 0, 0), Err(EILSEQ));
    assert_eq!(guest.open(&"x".repeat(5000), 1, 0, READ), Err(ENAMETOOLONG));

    for (path, lookup, ty, size) in [("link", 1, 4, 11), ("link", 0, 7, 4), ("sub", 1, 3, 0), ("out", 0, 7, 9)] {
        guest.put(0x1000, path.as_bytes());
        assert_eq!(guest.call("path_filestat_get", &[3, lookup, 0x1000, path.len() as i64, 0x800]), SUCCESS, "{path}");
        assert_eq!(guest.get(0x810, 1)[0], ty, "{path}");
        if size > 0 {
            assert_eq!(guest.u64(0x820), size, "{path}");
        }
    }
    assert_eq!(guest.call("path_filestat_get", &[3, 2, 0x1000, 3, 0x800]), EINVAL);
}

#[test]
fn a_read_only_directory_cannot_be_changed() {
    let (folder, mut guest) = with_folder(Access::ReadOnly);
    let all = (1 << 30) - 1;
    for (path, oflags, rights) in [
        ("file", 0, WRITE),
        ("file", 0, READ | WRITE),
        ("file", 0, all),
        ("file", TRUNCATE, READ),
        ("new", CREATE, READ),
        ("new", CREATE | EXCLUSIVE, READ),
        ("sub/new", CREATE, 0),
    ] {
        assert_eq!(guest.open(path, 1, oflags, rights), Err(ENOTCAPABLE), "{path} {oflags} {rights:x}");
    }
    // Through a directory opened in it neither, whatever is asked for.
    let sub = guest.open_at(3, b"sub", 1, DIRECTORY, !WRITE, -1, 0).unwrap();
    assert_eq!(guest.open("sub", 1, DIRECTORY, all), Err(EISDIR), "as on Linux");
    assert_eq!(guest.open_at(sub, b"inner", 1, 0, WRITE, 0, 0), Err(ENOTCAPABLE));
    assert_eq!(guest.open_at(sub, b"new", 1, CREATE, READ, 0, 0), Err(ENOTCAPABLE));
    // What Rust's programs ask for to read: rights for all kinds of things that cannot be had here, and are left out.
    let fd = guest.open("file", 1, 0, all & !WRITE).unwrap();
    assert_eq!(guest.read(fd, 100).unwrap(), b"hello, file");
    // As of any file that was not opened to write.
    for (name, args, errno) in [("fd_allocate", vec![fd, 0, 100], EBADF), ("fd_filestat_set_size", vec![fd, 0], EINVAL)]
    {
        assert_eq!(guest.call(name, &args), errno, "{name}");
    }
    assert_eq!(guest.write(fd, b"x"), Err(EBADF));
    assert_eq!(fs::read(folder.0.join("root/file")).unwrap(), b"hello, file");
    assert!(!folder.0.join("root/new").exists());
}

#[test]
fn unknown_flags_are_refused_and_unknown_rights_are_not() {
    let (_folder, mut guest) = with_folder(Access::ReadWrite);
    assert_eq!(guest.open("file", 2, 0, READ), Err(EINVAL));
    assert_eq!(guest.open("file", -1, 0, READ), Err(EINVAL));
    assert_eq!(guest.open("file", 1, 16, READ), Err(EINVAL));
    assert_eq!(guest.open("file", 1, -1, READ), Err(EINVAL));
    assert_eq!(guest.open("file", 1, DIRECTORY | CREATE, READ), Err(EINVAL));
    assert!(guest.open("file", 1, EXCLUSIVE, READ).is_ok(), "nothing is created: as on Linux, it says nothing");
    for rights in [READ | 1 << 40, -1, i64::MIN, i64::MIN | 1 << 28 | 1 << 29] {
        let fd = guest.open("file", 1, 0, rights).unwrap();
        assert_eq!(guest.read(fd, 5).unwrap(), b"hello", "{rights:x}");
    }
    for fdflags in [32, 1 << 16, -1] {
        assert_eq!(guest.open_at(3, b"file", 1, 0, READ, 0, fdflags), Err(EINVAL));
    }
    // All there are, in all combinations: an answer, whatever it is.
    for oflags in 0..16 {
        for fdflags in 0..32 {
            for rights in [0, READ, WRITE, READ | WRITE] {
                if let Ok(fd) = guest.open_at(3, b"file", 1, oflags, rights, -1, fdflags) {
                    assert_eq!(guest.call("fd_close", &[fd]), SUCCESS);
                }
            }
        }
    }
}

#[test]
fn proc_exit_ends_the_call_with_its_status() {
    for status in [0, 1, 42, -1, i32::MIN] {
        let mut guest = Guest::new(WasiConfig::new());
        let func = guest.instance.export(&mut guest.store, "exit").unwrap().func().unwrap();
        let error = func.call(&mut guest.store, &[Val::I32(status)], &mut []).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Trap);
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!((trap.exit_status(), trap.code()), (Some(status), None));
        assert!(error.message().contains(&status.to_string()), "{error}");
        // The store is as usable as before.
        assert_eq!(guest.call("fd_close", &[0]), SUCCESS);
    }
    assert_eq!(Trap::new("exit").exit_status(), None);
}

#[test]
fn a_guest_without_memory_is_told_so() {
    for memory in ["", "(memory 1)", "(func (export \"memory\"))"] {
        let engine = Engine::new(Config::default()).unwrap();
        let mut store = Store::new(&engine);
        let mut linker = Linker::new(&engine);
        WasiConfig::new().add_to(&mut linker, &mut store).unwrap();
        let text = format!(
            "(module (import \"{MODULE}\" \"fd_close\" (func $close (param i32) (result i32))) {memory} \
             (func (export \"run\") (drop (call $close (i32.const 0)))))"
        );
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.export(&mut store, "run").unwrap().func().unwrap();
        let error = run.call(&mut store, &[], &mut []).unwrap_err();
        assert!(error.message().contains("`fd_close`") && error.message().contains("memory"), "{error}");
        // Called by the host itself, there is no memory either.
        let direct = linker.get(&mut store, MODULE, "fd_close").unwrap().unwrap().func().unwrap();
        assert_eq!(direct.call(&mut store, &[Val::I32(0)], &mut [Val::I32(0)]).unwrap_err().kind(), ErrorKind::Host);
    }
}

#[test]
fn what_is_not_there_is_a_missing_import() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let mut linker = Linker::new(&engine);
    WasiConfig::new().add_to(&mut linker, &mut store).unwrap();
    let text = format!("(module (import \"{MODULE}\" \"sock_open\" (func (param i32) (result i32))))");
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    assert!(error.message().contains("sock_open"), "{error}");
    // The draft before preview 1 is refused by its name.
    let text = "(module (import \"wasi_unstable\" \"fd_close\" (func (param i32) (result i32))))";
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    assert!(error.message().contains("wasi_unstable") && error.message().contains(MODULE), "{error}");
    let error = WasiConfig::new().add_to(&mut linker, &mut store).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
}

/// The folder of real programs, which are not part of the repository: `STEPWELL_PROGRAMS`, or beside the project.
fn programs() -> PathBuf {
    let beside = || OsString::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/programs"));
    PathBuf::from(std::env::var_os("STEPWELL_PROGRAMS").unwrap_or_else(beside))
}

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Production,
    /// A breakpoint at every function, each removed when it was hit a few times.
    Debug,
    /// This many instructions singly, then on without.
    Step(u64),
    /// As `Debug`, by a debugger that is attached so many milliseconds after the measured part has begun.
    Attached(u64),
}

/// What a debugger of this mode saw: how many stops.
fn attach(store: &mut StoreMut<'_>, module: &Module, mode: Mode) -> Option<(Debugger, Arc<AtomicU64>)> {
    let stops = Arc::new(AtomicU64::new(0));
    let count = stops.clone();
    let hits: Mutex<Vec<u32>> = Mutex::default();
    let on_stop = move |stop: &mut Stop<'_>| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let debugger = stop.debugger();
        if let Mode::Step(limit) = mode {
            if number < limit {
                return Action::StepInstruction;
            }
            debugger.step_always(stop, false).unwrap();
            return Action::Continue;
        }
        let mut hits = hits.lock().unwrap();
        for id in stop.reason().breakpoints().to_vec() {
            let index = id.get() as usize;
            if hits.len() <= index {
                hits.resize(index + 1, 0);
            }
            hits[index] += 1;
            if hits[index] == 20 {
                debugger.remove(stop, id).unwrap();
            }
        }
        Action::Continue
    };
    if mode == Mode::Production {
        return None;
    }
    let debugger = Debugger::attach(store, on_stop).unwrap();
    if let Mode::Step(_) = mode {
        debugger.step_always(store, true).unwrap();
    } else {
        let info = module.info();
        for index in 0..info.funcs.len() {
            // Imported functions have no place for one.
            let _ = debugger.break_at_function(store, module, FuncIndex::new(index as u32));
        }
        assert!(!debugger.breakpoints(&store).unwrap().is_empty());
    }
    Some((debugger, stops))
}

/// How often debuggers that were attached meanwhile have stopped programs.
static STOPS_IN_ATTACHED: AtomicU64 = AtomicU64::new(0);

/// Runs a program as it would be run by a shell in its folder: exit status, standard output, standard error.
fn run(folder: &Path, wasm: &str, mode: Mode) -> (i32, Vec<u8>, Vec<u8>) {
    // Who is attached to is heard where it looks at epochs, or counts fuel.
    let (epoch, fuel) = match mode {
        Mode::Attached(delay) => (delay % 2 == 0, delay % 2 == 1),
        _ => (false, false),
    };
    let engine = Engine::new(Config { debug: true, epoch, fuel, ..Config::default() }).unwrap();
    let mut store = Store::new(&engine);
    if fuel {
        store.set_fuel(u64::MAX).unwrap();
    }
    let module = Module::new(&engine, &fs::read(folder.join(wasm)).unwrap()).unwrap();
    let attached = Arc::new(Mutex::new(None));
    let attacher = match mode {
        Mode::Attached(_) => {
            let (attached, module) = (attached.clone(), module.clone());
            let attacher = store.attacher(move |store| {
                *attached.lock().unwrap() = attach(store, &module, mode);
                Ok(())
            });
            Some(attacher.unwrap())
        }
        _ => {
            *attached.lock().unwrap() = attach(&mut store.as_store_mut(), &module, mode);
            None
        }
    };
    let (out, err) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (to_out, to_err) = (out.clone(), err.clone());
    let mut config = WasiConfig::new();
    config.set_args([wasm]).unwrap();
    config.set_stdout(move |bytes| to_out.lock().unwrap().extend_from_slice(bytes));
    config.set_stderr(move |bytes| to_err.lock().unwrap().extend_from_slice(bytes));
    config.preopen_dir(folder, ".", Access::ReadOnly).unwrap();
    let mut linker = Linker::new(&engine);
    config.add_to(&mut linker, &mut store).unwrap();
    let (started, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let asking = Arc::new(Mutex::new(None));
    for (name, count) in [("start", started.clone()), ("end", ended.clone())] {
        let (attacher, asking) = (attacher.clone(), asking.clone());
        let note = move || {
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            match (name, attacher.clone(), mode) {
                ("start", Some(attacher), Mode::Attached(delay)) if first => {
                    let ask = move || {
                        std::thread::sleep(std::time::Duration::from_millis(delay));
                        attacher.request();
                    };
                    *asking.lock().unwrap() = Some(std::thread::spawn(ask));
                }
                ("start", ..) => {}
                // Fast programs are attached to here at the latest.
                _ => {
                    _ = asking.lock().unwrap().take().map(|asking: std::thread::JoinHandle<()>| asking.join().unwrap())
                }
            }
        };
        linker.func_wrap("bench", name, note).unwrap();
    }
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let start = instance.export(&mut store, "_start").unwrap().func().unwrap();
    let status = match start.call(&mut store, &[], &mut []) {
        Ok(()) => 0,
        Err(error) => match error.payload::<Trap>().and_then(Trap::exit_status) {
            Some(status) => status,
            None => panic!("{}: {error}", folder.display()),
        },
    };
    assert_eq!((started.load(Ordering::Relaxed), ended.load(Ordering::Relaxed)), (1, 1), "the measured part was run");
    let debugger = attached.lock().unwrap().take();
    assert_eq!(debugger.is_some(), mode != Mode::Production, "{wasm} {mode:?}");
    if let Some((_, stops)) = debugger {
        let stops = stops.load(Ordering::Relaxed);
        match mode {
            Mode::Step(limit) => assert_eq!(stops, limit),
            // What is on the way may be over.
            Mode::Attached(_) => _ = STOPS_IN_ATTACHED.fetch_add(stops, Ordering::Relaxed),
            _ => assert!(stops > 100, "{stops} stops"),
        }
    }
    let take = |buffer: Arc<Mutex<Vec<u8>>>| std::mem::take(&mut *buffer.lock().unwrap());
    (status, take(out), take(err))
}

fn matches_what_is_expected(program: &str, mode: Mode) {
    let all = programs();
    let (folder, stem) = match program.strip_prefix("shootout/") {
        Some(name) => (all.join("shootout"), format!("shootout-{name}")),
        None => (all.join(program), "benchmark".to_owned()),
    };
    if !folder.exists() {
        eprintln!("skipped: there is no {}", folder.display());
        return;
    }
    let (status, out, err) = run(&folder, &format!("{stem}.wasm"), mode);
    let expected = |what: &str| fs::read(folder.join(format!("{stem}.{what}.expected"))).unwrap();
    assert_eq!(status, 0, "{program}");
    // Not `assert_eq`: what is printed is long.
    assert!(out == expected("stdout"), "{program}: standard output: {}", String::from_utf8_lossy(&out));
    assert!(err == expected("stderr"), "{program}: standard error: {}", String::from_utf8_lossy(&err));
}

const PROGRAMS: &[&str] =
    &["bz2", "pulldown-cmark", "shootout/ed25519", "shootout/heapsort", "shootout/keccak", "shootout/minicsv"];

#[test]
fn real_programs_print_what_is_expected_in_production() {
    PROGRAMS.iter().for_each(|program| matches_what_is_expected(program, Mode::Production));
}

#[test]
fn real_programs_print_what_is_expected_at_breakpoints() {
    PROGRAMS[..2].iter().for_each(|program| matches_what_is_expected(program, Mode::Debug));
}

#[test]
fn real_programs_print_what_is_expected_when_attached_to() {
    for delay in [0, 1, 3, 10] {
        PROGRAMS.iter().for_each(|program| matches_what_is_expected(program, Mode::Attached(delay)));
    }
    assert!(STOPS_IN_ATTACHED.load(Ordering::Relaxed) > 0 || !programs().exists());
}

#[test]
fn real_programs_print_what_is_expected_when_stepped() {
    PROGRAMS[..2].iter().for_each(|program| matches_what_is_expected(program, Mode::Step(3_000_000)));
}
