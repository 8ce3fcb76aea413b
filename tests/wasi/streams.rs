//! Standard streams: callbacks, buffers, files, and the streams of the process.

use super::guest::*;
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell::base::ErrorKind;
use stepwell::wasi::{OutputBuffer, WasiConfig};

#[test]
fn a_callback_gives_the_input() {
    let mut pieces = vec![&b"first"[..], b"and the second", b""].into_iter();
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let asked = sizes.clone();
    let mut config = WasiConfig::new();
    config.set_stdin(move |to| {
        asked.lock().unwrap().push(to.len());
        match pieces.next() {
            Some(piece) => {
                let len = piece.len().min(to.len());
                to[..len].copy_from_slice(&piece[..len]);
                len
            }
            None => to.len() + 1,
        }
    });
    let mut guest = Guest::new(config);
    assert_eq!(guest.read(0, 100).unwrap(), b"first");
    assert_eq!(guest.read(0, 3).unwrap(), b"and");
    assert_eq!(guest.read(0, 100).unwrap(), b"", "the end");
    assert_eq!(guest.read(0, 100), Err(EIO), "more than there was room for is a failure");
    assert_eq!(guest.read(0, 0).unwrap(), b"");
    assert_eq!(*sizes.lock().unwrap(), [100, 3, 100, 100]);
    // A piece of a large buffer at a time, and what fills several buffers.
    let mut config = WasiConfig::new();
    config.set_stdin(|to| {
        to.fill(b'x');
        to.len()
    });
    let mut guest = Guest::new(config);
    guest.put(0x100, &[0x1000u32, 3, 0x2000, 0x2_0000, 0x3000, 5].map(u32::to_le_bytes).concat());
    assert_eq!(guest.call("fd_read", &[0, 0x100, 3, 0x800]), SUCCESS);
    assert_eq!(guest.u32(0x800), 3 + 0x1_0000);
    assert_eq!(guest.get(0x1000, 4), b"xxx\0");
}

#[test]
fn a_callback_goes_when_nothing_can_call_it() {
    struct Counted(Arc<AtomicU32>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let gone = Arc::new(AtomicU32::new(0));
    let output = || {
        let counted = Counted(gone.clone());
        move |_: &[u8]| {
            let _ = &counted;
        }
    };
    let mut config = WasiConfig::new();
    config.set_stdout(output());
    config.set_stdout(output());
    assert_eq!(gone.load(Ordering::Relaxed), 1, "replaced");
    config.set_stderr(output());
    let mut guest = Guest::new(config);
    assert_eq!(guest.call("fd_close", &[1]), SUCCESS);
    assert_eq!(gone.load(Ordering::Relaxed), 2, "closed");
    assert_eq!(guest.call("fd_renumber", &[0, 2]), SUCCESS);
    assert_eq!(gone.load(Ordering::Relaxed), 3, "replaced by another descriptor");
}

#[test]
fn buffers_are_read_back() {
    let (out, small) = (OutputBuffer::new(usize::MAX), OutputBuffer::new(8));
    let mut config = WasiConfig::new();
    config.set_stdout_buffer(&out).set_stderr_buffer(&out);
    let mut guest = Guest::new(config);
    assert_eq!(guest.write(1, b"one "), Ok(4));
    assert_eq!(guest.write(2, b"two "), Ok(4));
    assert_eq!((out.len(), out.contents()), (8, b"one two ".to_vec()));
    assert_eq!(guest.write(1, b"three"), Ok(5));
    assert_eq!(out.take(), b"one two three");
    assert!(out.is_empty());
    assert_eq!(guest.write(1, b"more"), Ok(4));
    drop(guest);
    assert_eq!(out.take(), b"more", "it outlives the store");

    let mut config = WasiConfig::new();
    config.set_stdout_buffer(&small);
    let mut guest = Guest::new(config);
    assert_eq!(guest.write(1, b"12345"), Ok(5));
    assert_eq!(guest.write(1, b"67890"), Ok(3), "what there is room for");
    assert_eq!(guest.write(1, b"x"), Err(ENOSPC));
    assert_eq!(guest.write(1, b""), Ok(0));
    assert_eq!(small.take(), b"12345678");
    assert_eq!(guest.write(1, b"x"), Ok(1));
}

#[test]
fn files_of_the_host_as_streams() {
    let folder = Folder::new();
    let path = |name: &str| folder.0.join(name);
    fs::write(path("in"), "what is read").unwrap();
    fs::write(path("out"), "old").unwrap();
    fs::write(path("both"), "old ").unwrap();
    let mut config = WasiConfig::new();
    config.set_stdin_file(path("in")).unwrap().set_stdout_file(path("out"), false).unwrap();
    config.set_stderr_file(path("both"), true).unwrap();
    let mut guest = Guest::new(config);
    assert_eq!(guest.read(0, 4).unwrap(), b"what");
    assert_eq!(guest.call("fd_seek", &[0, 1, 1, 0x800]), SUCCESS);
    assert_eq!(guest.read(0, 100).unwrap(), b"is read");
    assert_eq!(guest.write(0, b"x"), Err(EBADF));
    assert_eq!(guest.write(1, b"new"), Ok(3));
    assert_eq!(guest.read(1, 3), Err(EBADF));
    assert_eq!(fs::read(path("out")).unwrap(), b"new");
    let mut config = WasiConfig::new();
    config.set_stdout_file(path("both"), true).unwrap();
    let mut other = Guest::new(config);
    assert_eq!((guest.write(2, b"a"), other.write(1, b"b"), guest.write(2, b"c")), (Ok(1), Ok(1), Ok(1)));
    assert_eq!(fs::read(path("both")).unwrap(), b"old abc");
    for error in [
        WasiConfig::new().set_stdin_file(path("missing")).err(),
        WasiConfig::new().set_stdout_file(path("missing/x"), true).err(),
        WasiConfig::new().set_stderr_file(&folder.0, false).err(),
    ] {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::System);
        assert!(error.message().contains(folder.0.to_str().unwrap()), "{error}");
    }
}

/// The only test that touches the process's own standard input.
#[test]
fn standard_input_is_waited_for() {
    let (input, output) = rustix::pipe::pipe().unwrap();
    let kept = rustix::io::dup(rustix::stdio::stdin());
    rustix::stdio::dup2_stdin(&input).unwrap();
    let mut other = fs::File::from(output);
    let mut config = WasiConfig::new();
    config.inherit_stdin();
    let mut guest = Guest::new(config);
    let mut subscriptions = [[0u8; 48]; 2];
    subscriptions[0][8] = 1;
    subscriptions[1][16] = 1;
    let mut poll = |guest: &mut Guest, limit: u64| {
        subscriptions[1][24..32].copy_from_slice(&limit.to_le_bytes());
        guest.put(0x1000, &subscriptions.concat());
        assert_eq!(guest.call("poll_oneoff", &[0x1000, 0x2000, 2, 0x800]), SUCCESS);
        assert_eq!(guest.u32(0x800), 1);
        (guest.get(0x200a, 1)[0], guest.u64(0x2010))
    };
    assert_eq!(guest.call("fd_fdstat_set_flags", &[0, 4]), SUCCESS);
    assert_eq!(guest.read(0, 10), Err(EAGAIN), "it does not wait");
    assert!(
        !rustix::fs::fcntl_getfl(&input).unwrap().contains(rustix::fs::OFlags::NONBLOCK),
        "the host's are as they were"
    );
    assert_eq!(poll(&mut guest, 40_000_000), (0, 0), "the time was over");
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(40));
        other.write_all(b"typed").unwrap();
        other
    });
    assert_eq!(poll(&mut guest, 60_000_000_000), (1, 5));
    assert_eq!(guest.read(0, 10).unwrap(), b"typed");
    drop(writer.join().unwrap());
    assert_eq!(poll(&mut guest, 60_000_000_000), (1, 0));
    assert_eq!(guest.get(0x2018, 1), [1], "the other side is gone");
    assert_eq!(guest.read(0, 10).unwrap(), b"");
    if let Ok(kept) = kept {
        rustix::stdio::dup2_stdin(&kept).unwrap();
    }
}
