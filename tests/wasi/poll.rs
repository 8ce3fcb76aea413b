//! `poll_oneoff`: clocks, files, pipes, standard streams, and numbers that make no sense.

use super::guest::*;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use stepwell::wasi::{Access, OutputBuffer, WasiConfig};
use stepwell::{Config, Engine, Trap, TrapCode};

const IN: usize = 0x1000;
const OUT: usize = 0x8000;

/// A subscription's bytes, its number as what the guest calls it.
fn clock(user: u64, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
    let mut to = [0; 48];
    to[..8].copy_from_slice(&user.to_le_bytes());
    to[16..20].copy_from_slice(&id.to_le_bytes());
    to[24..32].copy_from_slice(&timeout.to_le_bytes());
    to[40..42].copy_from_slice(&flags.to_le_bytes());
    to
}

fn descriptor(user: u64, write: bool, fd: i64) -> [u8; 48] {
    let mut to = [0; 48];
    to[..8].copy_from_slice(&user.to_le_bytes());
    to[8] = 1 + u8::from(write);
    to[16..20].copy_from_slice(&(fd as u32).to_le_bytes());
    to
}

/// What happened: the guest's name for it, error number, type, bytes, and whether the other side is gone.
type Event = (u64, i32, u8, u64, bool);

fn poll(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> Result<Vec<Event>, i32> {
    guest.put(IN, &subscriptions.concat());
    match guest.call("poll_oneoff", &[IN as i64, OUT as i64, subscriptions.len() as i64, 0x800]) {
        SUCCESS => {}
        errno => return Err(errno),
    }
    let count = guest.u32(0x800) as usize;
    assert!((1..=subscriptions.len()).contains(&count));
    let event = |i: usize| {
        let bytes = guest.get(OUT + 32 * i, 32);
        let errno = i32::from(u16::from_le_bytes(bytes[8..10].try_into().unwrap()));
        (guest.u64(OUT + 32 * i), errno, bytes[10], guest.u64(OUT + 32 * i + 16), bytes[24] & 1 != 0)
    };
    Ok((0..count).map(event).collect())
}

const MILLISECOND: u64 = 1_000_000;

#[test]
fn clocks_are_waited_for() {
    let mut guest = Guest::new(WasiConfig::new());
    let since = |start: Instant| start.elapsed().as_nanos() as u64;
    for id in [0, 1] {
        let start = Instant::now();
        let events = poll(&mut guest, &[clock(7, id, 30 * MILLISECOND, 0), clock(8, id, 3_600_000 * MILLISECOND, 0)]);
        assert_eq!(events, Ok(vec![(7, 0, 0, 0, false)]));
        assert!(since(start) >= 30 * MILLISECOND);
    }
    // Absolute: of the clock that is named.
    let start = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert_eq!(poll(&mut guest, &[clock(1, 0, now + 30 * MILLISECOND, 1)]).unwrap().len(), 1);
    assert!(since(start) >= 29 * MILLISECOND);
    assert_eq!(guest.call("clock_time_get", &[1, 0, 0x900]), SUCCESS);
    let (now, start) = (guest.u64(0x900), Instant::now());
    assert_eq!(poll(&mut guest, &[clock(1, 1, now + 30 * MILLISECOND, 1)]).unwrap().len(), 1);
    assert!(since(start) >= 25 * MILLISECOND);
    // Past, and no time at all: at once, both.
    let both = poll(&mut guest, &[clock(1, 0, 1, 1), clock(2, 1, 0, 0), clock(3, 1, u64::MAX, 0)]).unwrap();
    assert_eq!(both, [(1, 0, 0, 0, false), (2, 0, 0, 0, false)]);
    // Clocks that cannot be waited for; what is asked for beside them is told, too.
    for (id, flags, errno) in [(2, 0, ENOTSUP), (3, 1, ENOTSUP), (4, 0, EINVAL), (u32::MAX, 0, EINVAL), (1, 2, EINVAL)]
    {
        let events = poll(&mut guest, &[clock(5, id, u64::MAX, flags), clock(6, 1, 0, 0)]);
        assert_eq!(events, Ok(vec![(5, errno, 0, 0, false), (6, 0, 0, 0, false)]), "{id} {flags}");
    }
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let mut guest = Guest::new(WasiConfig::new());
    for count in [0i64, 0xffff_ffff, 0x8000_0000, 0x0555_5556, 100_000] {
        assert_eq!(guest.call("poll_oneoff", &[0, 0, count, 0]), EINVAL, "{count}");
    }
    guest.put(IN, &clock(1, 1, 0, 0));
    for bad in [0x4_0000i64, 0x3_fffd, 0xffff_ffff] {
        assert_eq!(guest.call("poll_oneoff", &[bad, OUT as i64, 1, 0x800]), EFAULT);
        assert_eq!(guest.call("poll_oneoff", &[IN as i64, bad, 1, 0x800]), EFAULT);
        assert_eq!(guest.call("poll_oneoff", &[IN as i64, OUT as i64, 1, bad]), EFAULT);
    }
    let mut unknown = clock(1, 1, 0, 0);
    unknown[8] = 3;
    assert_eq!(poll(&mut guest, &[unknown]), Err(EINVAL));
    // What comes out may lie where what went in was.
    guest.put(IN, &[clock(1, 1, 0, 0), clock(2, 9, 0, 0)].concat());
    assert_eq!(guest.call("poll_oneoff", &[IN as i64, IN as i64, 2, 0x800]), SUCCESS);
    assert_eq!((guest.u32(0x800), guest.u64(IN), guest.u64(IN + 32)), (2, 1, 2));
    // Many at once.
    let many: Vec<_> = (0..300).map(|i| clock(i, 1, if i == 299 { 0 } else { u64::MAX }, 0)).collect();
    assert_eq!(poll(&mut guest, &many), Ok(vec![(299, 0, 0, 0, false)]));
}

#[test]
fn descriptors_that_are_ready_or_not_there() {
    let (folder, _) = with_folder(Access::ReadWrite);
    let mut config = WasiConfig::new();
    config.preopen_dir(folder.0.join("root"), ".", Access::ReadWrite).unwrap();
    config.set_stdin_bytes("12345").set_stdout_buffer(&OutputBuffer::new(10));
    let mut guest = Guest::new(config);
    let poll_right = 1 << 27;
    let (file, unpolled) =
        (guest.open("file", 1, 0, READ | WRITE | poll_right).unwrap(), guest.open("file", 1, 0, READ).unwrap());
    // A regular file is always ready, whatever it was opened for.
    let looking = guest.open("file", 1, 0, READ | poll_right).unwrap();
    let writing = guest.open("file", 1, 0, WRITE).unwrap();
    assert_eq!(guest.call("fd_seek", &[file, 4, 0, 0x800]), SUCCESS);
    let asked = [
        descriptor(0, false, 0),
        descriptor(1, true, 1),
        descriptor(2, true, 2),
        descriptor(3, false, file),
        descriptor(4, true, file),
        descriptor(5, false, 99),
        descriptor(6, false, 3),
        descriptor(7, false, 1),
        descriptor(8, true, 0),
        descriptor(9, false, unpolled),
        descriptor(10, true, looking),
        descriptor(12, false, writing),
        clock(11, 1, u64::MAX, 0),
    ];
    let events = poll(&mut guest, &asked).unwrap();
    let told: Vec<_> = events.iter().map(|&(user, errno, ty, ..)| (user, errno, ty)).collect();
    assert_eq!(
        told,
        [
            (0, 0, 1),
            (1, 0, 2),
            (2, 0, 2),
            (3, 0, 1),
            (4, 0, 2),
            (5, EBADF, 1),
            (6, EBADF, 1),
            (7, EBADF, 1),
            (8, EBADF, 2),
            (9, 0, 1),
            (10, 0, 2),
            (12, 0, 1),
        ]
    );
    assert_eq!((events[0].3, events[0].4), (5, false));
    assert_eq!(events[3].3, 7, "what is left of the file");
    assert_eq!(guest.read(0, 100).unwrap(), b"12345");
    let end = poll(&mut guest, &[descriptor(1, false, 0)]).unwrap();
    assert_eq!(end, [(1, 0, 1, 0, true)]);
}

/// A pipe of the file system, which the guest opens without waiting and then waits for.
#[test]
fn a_pipe_is_really_waited_for() {
    let (folder, mut guest) = with_folder(Access::ReadWrite);
    let path = folder.0.join("root/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
        .unwrap();
    let fd = guest.open_at(3, b"pipe", 1, 0, READ | 1 << 27, 0, 4).unwrap();
    let mut other = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    assert_eq!(guest.read(fd, 10), Err(EAGAIN));
    let start = Instant::now();
    let wait = |guest: &mut Guest, limit: u64| poll(guest, &[descriptor(1, false, fd), clock(2, 1, limit, 0)]).unwrap();
    assert_eq!(wait(&mut guest, 40 * MILLISECOND), [(2, 0, 0, 0, false)], "nothing came");
    assert!(start.elapsed() >= Duration::from_millis(40));
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(40));
        other.write_all(b"hello").unwrap();
        other
    });
    let start = Instant::now();
    assert_eq!(wait(&mut guest, 60_000 * MILLISECOND), [(1, 0, 1, 5, false)]);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(guest.read(fd, 10).unwrap(), b"hello");
    drop(writer.join().unwrap());
    let gone = wait(&mut guest, 60_000 * MILLISECOND);
    assert_eq!((gone[0].0, gone[0].4), (1, true), "the other side is gone");
    assert_eq!(guest.read(fd, 10).unwrap(), b"");
}

#[test]
fn an_interrupt_ends_a_wait() {
    let engine = Engine::new(Config { epoch: true, ..Config::default() }).unwrap();
    let folder = Folder::new();
    let path = folder.0.join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
        .unwrap();
    let mut config = WasiConfig::new();
    // Open at both ends, so that a read waits.
    let _other = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    config.set_stdin_file(&path).unwrap();
    let mut guest = Guest::on_engine(&engine, config, 4);
    let interrupter = guest.store.interrupter().unwrap();
    for name in ["poll_oneoff", "fd_read"] {
        guest.put(IN, &clock(1, 1, u64::MAX, 0));
        guest.put(0x100, &[0x2000u32, 8].map(u32::to_le_bytes).concat());
        let args = if name == "fd_read" { [0, 0x100, 1, 0x800] } else { [IN as i64, OUT as i64, 1, 0x800] };
        let raised = interrupter.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            raised.interrupt();
        });
        let start = Instant::now();
        let ended = guest.try_call(name, &args).unwrap_err();
        assert_eq!(ended.payload::<Trap>().and_then(Trap::code), Some(TrapCode::Interrupt), "{name}");
        assert!(start.elapsed() < Duration::from_secs(30));
        thread.join().unwrap();
        // It has done what it was for: the next call is not ended.
        assert_eq!(guest.call("sched_yield", &[]), 0);
    }
}

#[test]
fn where_there_is_nothing_but_bad_descriptors_the_call_says_so() {
    let (_folder, mut guest) = with_folder(Access::ReadWrite);
    assert_eq!(poll(&mut guest, &[descriptor(1, false, 99)]).unwrap_err(), EBADF);
    assert_eq!(poll(&mut guest, &[descriptor(1, false, -1), descriptor(2, true, -1)]).unwrap_err(), EBADF);
    let events = poll(&mut guest, &[descriptor(1, false, 99), clock(2, 1, 0, 0)]).unwrap();
    assert_eq!((events[0].0, events[0].1), (1, EBADF), "one of several is told by its event");
}
