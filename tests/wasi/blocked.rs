//! Guests of calls on stacks of their own, which wait where WASI would block.

use super::guest::*;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::fs::File;
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stepwell::debug::{Action, Debugger, Events, Reason};
use stepwell::wasi::WasiConfig;
use stepwell::*;

const IN: i64 = 0x1000;
const OUT: i64 = 0x8000;
const COUNT: i64 = 0x800;

/// A guest whose standard input is a pipe, with the end to write to.
fn with_pipe(engine: &Engine) -> (Folder, File, Guest) {
    let folder = Folder::new();
    let path = folder.0.join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
        .unwrap();
    // Open at both ends, so that a read waits.
    let end = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut config = WasiConfig::new();
    config.set_stdin_file(&path).unwrap();
    let guest = Guest::on_engine(engine, config, 4);
    (folder, end, guest)
}

fn engine() -> Engine {
    Engine::new(Config { debug: true, ..Config::default() }).unwrap()
}

/// A call of a WASI function, which waits where that would block.
fn waiting(guest: &mut Guest, name: &str, args: &[i32]) -> Call {
    let func = guest.instance.export(&mut guest.store, name).unwrap().func().unwrap();
    let args: Vec<Val> = args.iter().map(|arg| Val::I32(*arg)).collect();
    let call = Call::new(&mut guest.store, func, &args).unwrap();
    call.set_waits_at_io(&mut guest.store, true).unwrap();
    call
}

/// A subscription of so many milliseconds from now, with the number 1.
fn sleep_of(milliseconds: u64) -> [u8; 48] {
    let mut to = [0; 48];
    to[0] = 1;
    to[16] = 1;
    to[24..32].copy_from_slice(&(milliseconds * 1_000_000).to_le_bytes());
    to
}

/// A subscription of what can be read from standard input, with the number 2.
fn input() -> [u8; 48] {
    let mut to = [0; 48];
    (to[0], to[8]) = (2, 1);
    to
}

fn polling(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> Call {
    guest.put(IN as usize, &subscriptions.concat());
    waiting(guest, "poll_oneoff", &[IN as i32, OUT as i32, subscriptions.len() as i32, COUNT as i32])
}

/// A call that reads up to 8 bytes to 0x2000 and up to 8 to 0x3000.
fn reading(guest: &mut Guest) -> Call {
    guest.put(IN as usize, &[0x2000u32, 8, 0x3000, 8].map(u32::to_le_bytes).concat());
    waiting(guest, "fd_read", &[0, IN as i32, 2, COUNT as i32])
}

fn is_ready(on: BlockedOn) -> bool {
    // SAFETY: the descriptor is the guest's, which waits.
    let fd = unsafe { BorrowedFd::borrow_raw(on.descriptor) };
    let flags = if on.write { PollFlags::OUT } else { PollFlags::IN };
    rustix::event::poll(&mut [PollFd::new(&fd, flags)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
}

fn succeeded(guest: &mut Guest, call: Call) {
    assert_eq!(call.status(&guest.store).unwrap(), CallStatus::Finished);
    assert!(matches!(call.results(&mut guest.store).unwrap()[..], [Val::I32(SUCCESS)]));
    call.delete(&mut guest.store).unwrap();
}

#[test]
fn a_sleep_ends_when_it_was_to_end_however_often_it_is_gone_on_with() {
    for debugged in [false, true] {
        let mut guest = Guest::on_engine(&engine(), WasiConfig::new(), 4);
        let debugger = debugged.then(|| Debugger::attach(&mut guest.store, |_| Action::Continue).unwrap());
        let begun = Instant::now();
        let call = polling(&mut guest, &[sleep_of(400), sleep_of(3_600_000)]);
        assert_eq!(call.blocked(&guest.store).unwrap_err().kind(), ErrorKind::State);
        assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
        assert!(begun.elapsed() < Duration::from_millis(400), "nobody has slept");
        let first = call.blocked(&guest.store).unwrap();
        assert!(first.descriptors.is_empty());
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
        let (before, now) = (first.until.unwrap(), call.blocked(&guest.store).unwrap().until.unwrap());
        assert!(now < before + Duration::from_millis(100), "the sleep has begun anew");
        std::thread::sleep(now.saturating_duration_since(Instant::now()));
        while call.run(&mut guest.store).unwrap() == CallStatus::Blocked {}
        assert!(begun.elapsed() >= Duration::from_millis(400));
        succeeded(&mut guest, call);
        assert_eq!((guest.u32(COUNT as usize), guest.u64(OUT as usize)), (1, 1));
        debugger.into_iter().for_each(|debugger| debugger.detach(&mut guest.store).unwrap());
    }
}

#[test]
fn a_read_waits_for_what_is_written() {
    let (_folder, mut pipe, mut guest) = with_pipe(&engine());
    let call = reading(&mut guest);
    assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
    let blocked = call.blocked(&guest.store).unwrap();
    assert_eq!((blocked.until, blocked.descriptors.len()), (None, 1));
    assert!(!blocked.descriptors[0].write && !is_ready(blocked.descriptors[0]));
    // Not there yet: it waits on, and another call runs meanwhile.
    assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
    assert_eq!(guest.call("sched_yield", &[]), SUCCESS);
    pipe.write_all(b"eight by").unwrap();
    assert!(is_ready(blocked.descriptors[0]));
    // On whichever thread has the store; and what fills one buffer is not waited after for the next.
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Finished)).join().unwrap();
    });
    succeeded(&mut guest, call);
    assert_eq!((guest.u32(COUNT as usize), &guest.get(0x2000, 8)[..]), (8, &b"eight by"[..]));
}

#[test]
fn a_full_buffer_does_not_wait_for_the_next_one() {
    let (_folder, mut pipe, mut guest) = with_pipe(&engine());
    pipe.write_all(b"eight by").unwrap();
    guest.put(IN as usize, &[0x2000u32, 8, 0x3000, 8].map(u32::to_le_bytes).concat());
    assert_eq!(guest.call("fd_read", &[0, IN, 2, COUNT]), SUCCESS);
    assert_eq!(guest.u32(COUNT as usize), 8);
}

#[test]
fn times_and_descriptors_are_waited_for_at_once() {
    let (_folder, mut pipe, mut guest) = with_pipe(&engine());
    let call = polling(&mut guest, &[sleep_of(3_600_000), input()]);
    assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
    let blocked = call.blocked(&guest.store).unwrap();
    assert!(blocked.until.unwrap() > Instant::now() + Duration::from_secs(3000));
    assert_eq!(blocked.descriptors.len(), 1);
    pipe.write_all(b"x").unwrap();
    assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Finished);
    succeeded(&mut guest, call);
    assert_eq!((guest.u32(COUNT as usize), guest.u64(OUT as usize)), (1, 2));
}

#[test]
fn who_waits_is_given_up_and_interrupted() {
    let engine = Engine::new(Config { epoch: true, ..Config::default() }).unwrap();
    let (_folder, _pipe, mut guest) = with_pipe(&engine);
    for waits in [true, false] {
        let call = if waits { reading(&mut guest) } else { polling(&mut guest, &[sleep_of(3_600_000)]) };
        assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
        call.delete(&mut guest.store).unwrap();
        assert_eq!(guest.call("sched_yield", &[]), SUCCESS);
        let call = if waits { reading(&mut guest) } else { polling(&mut guest, &[sleep_of(3_600_000)]) };
        assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
        guest.store.interrupter().unwrap().interrupt();
        let ended = call.run(&mut guest.store).unwrap_err();
        assert_eq!(ended.payload::<Trap>().and_then(Trap::code), Some(TrapCode::Interrupt));
        assert_eq!(call.status(&guest.store).unwrap(), CallStatus::Finished);
        assert_eq!(guest.call("sched_yield", &[]), SUCCESS);
    }
    // The store goes with one that waits.
    let call = reading(&mut guest);
    assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
}

#[test]
fn whoever_has_not_asked_for_it_is_blocked() {
    let (_folder, mut pipe, mut guest) = with_pipe(&engine());
    let call = polling(&mut guest, &[sleep_of(30)]);
    call.set_waits_at_io(&mut guest.store, false).unwrap();
    let begun = Instant::now();
    assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Finished);
    assert!(begun.elapsed() >= Duration::from_millis(30));

    // Nor can a guest wait that a host function has called in turn.
    let Guest { mut store, instance, .. } = guest;
    let inner = instance.export(&mut store, "fd_read").unwrap().func().unwrap();
    let host = Func::wrap(&mut store, move |mut caller: Caller<'_>| -> stepwell::Result<i32> {
        let mut results = [Val::I32(-1)];
        let args = [0, IN as i32, 1, COUNT as i32].map(Val::I32);
        inner.call(&mut caller, &args, &mut results)?;
        match results[0] {
            Val::I32(errno) => Ok(errno),
            _ => unreachable!(),
        }
    });
    let text = r#"(module (import "" "" (func $f (result i32))) (func (export "f") (result i32) (call $f)))"#;
    let module = Module::new(store.engine(), &wat::parse_str(text).unwrap()).unwrap();
    let outer = Instance::new(&mut store, &module, &[host.unwrap().into()]).unwrap();
    let func = outer.export(&mut store, "f").unwrap().func().unwrap();
    let call = Call::new(&mut store, func, &[]).unwrap();
    call.set_waits_at_io(&mut store, true).unwrap();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        pipe.write_all(b"late").unwrap();
        pipe
    });
    assert_eq!(call.run(&mut store).unwrap(), CallStatus::Finished);
    assert!(matches!(call.results(&mut store).unwrap()[..], [Val::I32(SUCCESS)]));
    thread.join().unwrap();
}

#[test]
fn a_debugger_is_told_once_of_a_function_that_waits() {
    let (_folder, mut pipe, mut guest) = with_pipe(&engine());
    let (begun, done) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (begins, ends) = (begun.clone(), done.clone());
    let debugger = Debugger::attach(&mut guest.store, move |stop| {
        match stop.reason() {
            Reason::HostCall(_) => drop(begins.fetch_add(1, Ordering::Relaxed)),
            Reason::HostReturn(called) => ends.lock().unwrap().push((called.failed, called.values.len())),
            other => panic!("{other:?}"),
        }
        Action::Continue
    });
    let debugger = debugger.unwrap();
    debugger.set_events(&mut guest.store, Events::HOST_CALL | Events::HOST_RETURN).unwrap();
    let call = reading(&mut guest);
    for _ in 0..3 {
        assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Blocked);
        assert_eq!((begun.load(Ordering::Relaxed), done.lock().unwrap().len()), (1, 0));
    }
    pipe.write_all(b"x").unwrap();
    assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Finished);
    assert_eq!((begun.load(Ordering::Relaxed), &done.lock().unwrap()[..]), (1, &[(false, 1)][..]));
    // The next is told of again.
    pipe.write_all(b"x").unwrap();
    let call = reading(&mut guest);
    assert_eq!(call.run(&mut guest.store).unwrap(), CallStatus::Finished);
    assert_eq!((begun.load(Ordering::Relaxed), done.lock().unwrap().len()), (2, 2));
}
