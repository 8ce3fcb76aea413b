//! A host's own signal handler, installed before the engine's, still gets the host's faults: outside of guests, inside
//! a host function that a guest has called, and on a thread that never ran a guest. One test, since handlers belong to
//! the process.

use std::sync::atomic::{AtomicUsize, Ordering};
use stepwell::*;

static PAGE: AtomicUsize = AtomicUsize::new(0);
static FAULTS: AtomicUsize = AtomicUsize::new(0);

/// Opens the page that was touched; any other fault ends the process.
unsafe extern "C" fn open_page(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo; the page is this test's.
    unsafe {
        let page = PAGE.load(Ordering::Relaxed);
        if (*info).si_addr() as usize & !4095 != page {
            libc::abort();
        }
        FAULTS.fetch_add(1, Ordering::Relaxed);
        libc::mprotect(page as *mut _, 4096, libc::PROT_READ);
    }
}

/// Touches a closed page. The host's handler opens it, so the read is 0.
fn fault() -> i32 {
    // SAFETY: the page is mapped for the whole process; the read is done by the processor as written.
    unsafe {
        let page = PAGE.load(Ordering::Relaxed);
        libc::mprotect(page as *mut _, 4096, libc::PROT_NONE);
        i32::from(std::ptr::read_volatile(page as *const u8))
    }
}

#[test]
fn the_hosts_faults_go_to_the_host() {
    // SAFETY: plain system calls with valid arguments.
    unsafe {
        let page =
            libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        PAGE.store(page as usize, Ordering::Relaxed);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = open_page as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()), 0);
    }
    let without = Engine::new(Config { signals: false, ..Config::default() }).unwrap();
    // SAFETY: as above.
    let ours = unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGSEGV, std::ptr::null(), &mut now);
        now.sa_sigaction
    };
    assert_eq!(ours, open_page as *const () as usize, "an engine without signals installs no handler");
    drop(without);

    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let text = r#"(module (import "" "fault" (func $fault (result i32))) (memory 1)
        (func (export "call") (result i32) (call $fault))
        (func (export "trap") (result i32) (i32.load (i32.const -1)))
        (func (export "zero") (result i32) (i32.div_s (i32.const 1) (i32.const 0))))"#;
    let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
    let host = Func::wrap(&mut store, fault).unwrap();
    let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
    for round in 0..3 {
        assert_eq!(fault(), 0);
        let call = instance.typed_func::<(), i32>(&mut store, "call").unwrap();
        assert_eq!(call.call(&mut store, ()).unwrap(), 0);
        std::thread::spawn(fault).join().unwrap();
        assert_eq!(FAULTS.load(Ordering::Relaxed), 3 * (round + 1));
        for (name, code) in [("trap", TrapCode::MemoryOutOfBounds), ("zero", TrapCode::IntegerDivisionByZero)] {
            let trap = instance.typed_func::<(), i32>(&mut store, name).unwrap();
            let error = trap.call(&mut store, ()).unwrap_err();
            assert_eq!(error.payload::<Trap>().unwrap().code(), Some(code));
        }
        assert_eq!(FAULTS.load(Ordering::Relaxed), 3 * (round + 1));
    }
}
