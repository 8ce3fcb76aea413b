//! A guest that computes is stopped by another thread, or a signal handler, and goes on afterwards as if nothing had
//! been: whatever breakpoints there are, in both debug tiers, in resume code, and where the system keeps texts in plain
//! memory.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use stepwell::FuncType;
use stepwell::base::WasmOffset;
use stepwell::debug::{Action, Breakpoint, Debugger, Pauser, Reason, Stop};
use stepwell::internals::image::SiteId;
use stepwell::internals::sys::faults;
use stepwell::runtime::{Config, DebugTier, Engine, Func, Instance, Module, Store, Val};

/// One test after the other: they look at the mappings of the process, and have the system refuse things.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const TIERS: [DebugTier; 2] = [DebugTier::Regions, DebugTier::Simple];

/// Adds up what is left to do, and counts that down: `sum + n(n+1)/2` is the same at each stop. `spin` ends when its
/// local 1 is no longer 0. `busy` calls `tick` each turn, and `ask` calls the host.
const GUEST: &str = r#"(module
    (import "host" "f" (func $host))
    (func $tick (export "tick") (param i64) (result i64) (i64.add (local.get 0) (i64.const 3)))
    (func (export "sum") (param $n i64) (result i64) (local $sum i64)
        (loop $turn
            (local.set $sum (i64.add (local.get $sum) (local.get $n)))
            (br_if $turn (i64.ne (i64.const 0) (local.tee $n (i64.sub (local.get $n) (i64.const 1))))))
        (local.get $sum))
    (func (export "busy") (param $n i32) (result i64) (local $sum i64)
        (loop $turn
            (local.set $sum (call $tick (local.get $sum)))
            (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "spin") (param $turns i32) (param $end i32) (result i32)
        (loop $turn
            (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
            (br_if $turn (i32.eqz (local.get $end))))
        (local.get $turns))
    (func (export "ask") (result i32) (call $host) (i32.const 7)))"#;

struct Guest {
    store: Store,
    module: Module,
    instance: Instance,
    debugger: Debugger,
    pauser: Pauser,
}

impl Guest {
    fn new(tier: DebugTier, handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static) -> Guest {
        Guest::with_host(tier, || {}, handler)
    }

    fn with_host(
        tier: DebugTier,
        host: impl Fn() + Send + Sync + 'static,
        handler: impl Fn(&mut Stop<'_>) -> Action + Send + Sync + 'static,
    ) -> Guest {
        let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
        let module = Module::new(&engine, &wat::parse_str(GUEST).unwrap()).unwrap();
        let mut store = Store::new(&engine);
        let host = Func::new(&mut store, FuncType::new([], []), move |_, _, _| {
            host();
            Ok(())
        });
        let debugger = Debugger::attach(&mut store, handler).unwrap();
        let pauser = debugger.pauser(&mut store).unwrap();
        let instance = Instance::new(&mut store, &module, &[host.unwrap().into()]).unwrap();
        Guest { store, module, instance, debugger, pauser }
    }

    fn call(&mut self, name: &str, args: &[Val]) -> Val {
        let func = self.instance.export(&mut self.store, name).and_then(|item| item.func()).unwrap();
        let mut results = [Val::I32(0)];
        func.call(&mut self.store, args, &mut results).unwrap();
        results[0]
    }

    fn break_at(&mut self, name: &str) -> Breakpoint {
        self.debugger.break_at_name(&mut self.store, &self.module, name).unwrap()
    }

    /// How many sites are armed in all of its code.
    fn armed(&self) -> usize {
        let registry = self.store.registry();
        let all = registry.iter().flat_map(|(slot, code)| {
            let count = code.engine.tables().sites.len() as u32;
            (0..count).map(move |site| (slot, SiteId(site)))
        });
        all.filter(|(slot, site)| registry.is_armed(*slot, *site)).count()
    }
}

/// Pauses until it is dropped, each time once the one before was told.
struct Pausing(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Pausing {
    fn new(pauser: &Pauser, wait: Duration) -> Pausing {
        let (end, pauser) = (Arc::new(AtomicBool::new(false)), pauser.clone());
        let ended = end.clone();
        let work = move || {
            while !ended.load(Ordering::Relaxed) {
                if !pauser.is_asked() {
                    assert!(pauser.pause());
                }
                if wait.is_zero() { std::thread::yield_now() } else { std::thread::sleep(wait) }
            }
            pauser.cancel();
        };
        Pausing(end, Some(std::thread::spawn(work)))
    }
}

impl Drop for Pausing {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap();
    }
}

/// The state of `sum` holds together.
fn check_sum(stop: &Stop<'_>, n: u64) {
    let locals = stop.top().unwrap().locals();
    let (Val::I64(left), Val::I64(sum)) = (locals[0], locals[1]) else { panic!("{locals:?}") };
    // Before and behind the subtraction.
    let due = |left: u64| left.wrapping_mul(left.wrapping_add(1)) / 2;
    let rest = due(n) - sum as u64;
    assert!(rest == due(left as u64) || rest == due(left as u64 - 1), "{left} {sum}");
}

#[test]
fn a_guest_goes_on_after_each_pause() {
    let _alone = alone();
    const N: u64 = 60_000_000;
    for tier in TIERS {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        let mut guest = Guest::new(tier, move |stop| {
            assert_eq!(*stop.reason(), Reason::Pause);
            check_sum(stop, N);
            count.fetch_add(1, Ordering::Relaxed);
            Action::Continue
        });
        // What threads take is not meant.
        drop(Pausing::new(&guest.pauser, Duration::ZERO));
        guest.call("sum", &[Val::I64(1)]);
        let before = maps();
        let pausing = Pausing::new(&guest.pauser, Duration::from_micros(200));
        assert_eq!(guest.call("sum", &[Val::I64(N as i64)]), Val::I64((N * (N + 1) / 2) as i64));
        drop(pausing);
        assert!(seen.load(Ordering::Relaxed) > 10, "{seen:?}");
        // One that was taken back may have covered the text.
        let told = seen.load(Ordering::Relaxed);
        assert_eq!(guest.call("sum", &[Val::I64(1)]), Val::I64(1));
        assert_eq!(told, seen.load(Ordering::Relaxed));
        assert_eq!(guest.armed(), 0);
        assert!(maps() <= before + 4, "{before} mappings before, {} now", maps());
    }
}

/// How many mappings the process has.
fn maps() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// `STEPWELL_PAUSE_SECONDS` says for how long, in each tier: a minute in `scripts/test --long`.
#[test]
fn no_breakpoint_is_missed_and_none_is_hit_twice() {
    let _alone = alone();
    const TURNS: i32 = 5_000;
    let seconds = std::env::var("STEPWELL_PAUSE_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
    for tier in TIERS {
        let (hits, pauses) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (hit, paused) = (hits.clone(), pauses.clone());
        let other: Arc<Mutex<Option<Breakpoint>>> = Arc::default();
        let mut guest = Guest::new(tier, move |stop| {
            match stop.reason() {
                Reason::Breakpoint(_) => {
                    assert_eq!(stop.frame_count(), 2);
                    hit.fetch_add(1, Ordering::Relaxed);
                }
                Reason::Pause => {
                    paused.fetch_add(1, Ordering::Relaxed);
                }
                reason => panic!("{reason:?}"),
            }
            // Texts are patched while the other thread would cover them.
            let (debugger, module) = (stop.debugger(), stop.top().unwrap().module().clone());
            let mut other = other.lock().unwrap();
            *other = match other.take() {
                Some(set) => {
                    debugger.remove(stop, set.id).unwrap();
                    None
                }
                None => Some(debugger.break_at_name(stop, &module, "ask").unwrap()),
            };
            Action::Continue
        });
        guest.break_at("tick");
        let pausing = Pausing::new(&guest.pauser, Duration::ZERO);
        let (begin, mut due) = (Instant::now(), 0);
        while due == 0 || begin.elapsed() < Duration::from_secs(seconds) {
            assert_eq!(guest.call("busy", &[Val::I32(TURNS)]), Val::I64(3 * i64::from(TURNS)));
            due += TURNS as usize;
            assert_eq!(hits.load(Ordering::Relaxed), due);
        }
        drop(pausing);
        assert!(pauses.load(Ordering::Relaxed) > 10, "{pauses:?}");
    }
}

/// A frame that was changed goes on in resume code: pauses find it there, and end the loop in the end.
#[test]
fn resume_code_is_paused_too() {
    let _alone = alone();
    for refused in [false, true] {
        let _plain = refused.then(faults::refuse_memfd);
        for tier in TIERS {
            let seen = Arc::new(AtomicUsize::new(0));
            let count = seen.clone();
            let mut guest = Guest::new(tier, move |stop| {
                assert_eq!(*stop.reason(), Reason::Pause);
                let pauses = count.fetch_add(1, Ordering::Relaxed);
                stop.set_local(0, 1, Val::I32(i32::from(pauses >= 20))).unwrap();
                Action::Continue
            });
            let pausing = Pausing::new(&guest.pauser, Duration::from_micros(300));
            let Val::I32(turns) = guest.call("spin", &[Val::I32(0), Val::I32(0)]) else { panic!() };
            assert!(turns != 0);
            drop(pausing);
            assert!(seen.load(Ordering::Relaxed) >= 21);
        }
    }
}

#[test]
fn a_pause_waits_for_the_host_and_for_a_call() {
    let _alone = alone();
    for tier in TIERS {
        let stops: Arc<Mutex<Vec<(Reason, u32, WasmOffset)>>> = Arc::default();
        let pauser: Arc<OnceLock<Pauser>> = Arc::default();
        let (seen, shared) = (stops.clone(), pauser.clone());
        let mut guest = Guest::with_host(
            tier,
            move || assert!(shared.get().unwrap().pause()),
            move |stop| {
                let top = stop.top().unwrap();
                seen.lock().unwrap().push((stop.reason().clone(), top.func().get(), top.offset()));
                Action::Continue
            },
        );
        pauser.set(guest.pauser.clone()).unwrap();
        // `ask`: a call of two bytes, then a constant.
        let start = |guest: &Guest, func: usize| {
            let body = &guest.module.info().bodies[func];
            // Behind the number of locals, which is none.
            WasmOffset::from_usize(body.bytes.start + 1)
        };
        let ask = start(&guest, 4);
        assert_eq!(guest.call("ask", &[]), Val::I32(7));
        let behind = WasmOffset::new(ask.get() + 2);
        assert_eq!(stops.lock().unwrap().split_off(0), [(Reason::Pause, 5, behind)]);
        // None runs: asked for twice, it is one stop, at the first instruction of what is called next.
        assert!(guest.pauser.pause() && guest.pauser.pause() && guest.pauser.is_asked());
        guest.call("tick", &[Val::I64(1)]);
        assert!(!guest.pauser.is_asked());
        let tick = start(&guest, 0);
        assert_eq!(stops.lock().unwrap().split_off(0), [(Reason::Pause, 1, tick)]);
        // A breakpoint comes first; the pause is behind it, where the guest stops next.
        let set = guest.break_at("tick");
        assert!(guest.pauser.pause());
        guest.call("busy", &[Val::I32(1)]);
        let seen = stops.lock().unwrap().split_off(0);
        assert_eq!(
            (seen.len(), &seen[0].0, &seen[1].0),
            (2, &Reason::Pause, &Reason::Breakpoint([set.id].into_iter().collect()))
        );
        assert!(guest.pauser.pause());
        guest.call("tick", &[Val::I64(1)]);
        let seen: Vec<bool> = stops.lock().unwrap().split_off(0).iter().map(|stop| stop.0 == Reason::Pause).collect();
        assert!(seen == [false, true] || seen == [false], "{seen:?}");
        guest.pauser.cancel();
        guest.call("tick", &[Val::I64(1)]);
        assert_eq!(stops.lock().unwrap().split_off(0).len(), 1);
        assert_eq!(guest.armed(), 1);
    }
}

/// Asked for by the callback itself, while others are told; a step from a pause ends as any.
/// Waits for input or time by WASI: `$how` is an event's type, 0 a minute, 1 standard input, which nothing comes from.
const WAITS: &str = r#"(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "sleep") (param $left i64) (result i32)
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (local.get $left))
        (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
    (func (export "read") (param $ignored i64) (result i32)
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 8))
        (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 128))))"#;

#[test]
fn a_guest_that_waits_by_wasi_is_paused_there() {
    let _alone = alone();
    let minute = Val::I64(60_000_000_000);
    let soon = Val::I64(300_000_000);
    for tier in TIERS {
        for (func, left, goes_on) in [("sleep", minute, false), ("read", minute, false), ("sleep", soon, true)] {
            let engine = Engine::new(Config { debug: true, debug_tier: tier, ..Config::default() }).unwrap();
            let module = Module::new(&engine, &wat::parse_str(WAITS).unwrap()).unwrap();
            let mut store = Store::new(&engine);
            let stops = Arc::new(AtomicUsize::new(0));
            let seen = stops.clone();
            let debugger = Debugger::attach(&mut store, move |stop| {
                seen.fetch_add(1, Ordering::SeqCst);
                assert_eq!(*stop.reason(), Reason::Pause);
                // It stands in its call, which has the arguments.
                let frame = stop.top().unwrap();
                assert_eq!((frame.local(0), frame.operands().len(), stop.frame_count()), (Some(left), 4, 1));
                assert!(stop.set_local(0, 0, Val::I64(1)).is_err_and(|error| error.message().contains("waits")));
                if goes_on { Action::Continue } else { Action::Trap("enough".to_owned()) }
            });
            let pauser = debugger.unwrap().pauser(&mut store).unwrap();
            let mut linker = stepwell::Linker::new(&engine);
            let mut wasi = stepwell::wasi::WasiConfig::new();
            let (ours, theirs) = std::io::pipe().unwrap();
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&ours));
            wasi.set_stdin_file(path).unwrap();
            wasi.add_to(&mut linker, &mut store).unwrap();
            let instance = linker.instantiate(&mut store, &module).unwrap();
            let asking = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                pauser.pause();
            });
            let begin = Instant::now();
            let func = instance.export(&mut store, func).and_then(|item| item.func()).unwrap();
            let mut results = [Val::I32(-1)];
            let outcome = func.call(&mut store, &[left], &mut results);
            asking.join().unwrap();
            assert_eq!(stops.load(Ordering::SeqCst), 1);
            assert!(begin.elapsed() < Duration::from_secs(30));
            match goes_on {
                // It has slept for as long as it wanted to.
                true => assert!(
                    outcome.is_ok() && results == [Val::I32(0)] && begin.elapsed() >= Duration::from_millis(300)
                ),
                false => assert!(outcome.is_err_and(|error| error.message().contains("enough"))),
            }
            drop(theirs);
        }
    }
}

#[test]
fn steps_and_pauses_do_not_disturb_each_other() {
    let _alone = alone();
    for tier in TIERS {
        let reasons: Arc<Mutex<Vec<Reason>>> = Arc::default();
        let pauser: Arc<OnceLock<Pauser>> = Arc::default();
        let (seen, shared) = (reasons.clone(), pauser.clone());
        let mut guest = Guest::new(tier, move |stop| {
            let mut seen = seen.lock().unwrap();
            seen.push(stop.reason().clone());
            match seen.len() {
                1 => Action::StepOut,
                2 => {
                    assert!(shared.get().unwrap().pause());
                    Action::StepInstruction
                }
                3 => Action::StepInstruction,
                _ => Action::Continue,
            }
        });
        pauser.set(guest.pauser.clone()).unwrap();
        guest.break_at("tick");
        guest.call("busy", &[Val::I32(1)]);
        let seen = reasons.lock().unwrap().split_off(0);
        assert!(matches!(seen[0], Reason::Breakpoint(_)));
        assert_eq!(seen[1..4], [Reason::Step, Reason::Pause, Reason::Step], "{seen:?}");
        assert_eq!(seen.len(), 4);
        assert_eq!(guest.armed(), 1);
    }
}

#[test]
fn modules_that_come_later_are_paused_and_what_has_gone_is_not() {
    let _alone = alone();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let mut guest = Guest::new(DebugTier::Regions, move |stop| {
        assert_eq!(*stop.reason(), Reason::Pause);
        count.fetch_add(1, Ordering::Relaxed);
        Action::Continue
    });
    assert!(guest.pauser.pause());
    let text = r#"(module (func $start nop) (start $start) (func (export "f") (result i32) (i32.const 5)))"#;
    let later = Module::new(guest.store.engine(), &wat::parse_str(text).unwrap()).unwrap();
    let instance = Instance::new(&mut guest.store, &later, &[]).unwrap();
    assert_eq!(seen.swap(0, Ordering::Relaxed), 1, "its start function is what runs first");
    assert!(guest.pauser.pause());
    let f = instance.export(&mut guest.store, "f").and_then(|item| item.func()).unwrap();
    let mut results = [Val::I32(0)];
    f.call(&mut guest.store, &[], &mut results).unwrap();
    assert_eq!((seen.swap(0, Ordering::Relaxed), results[0]), (1, Val::I32(5)));
    // The debugger goes while a pause is asked for; another one begins without.
    assert!(guest.pauser.pause());
    guest.debugger.detach(&mut guest.store).unwrap();
    assert!(guest.pauser.pause());
    f.call(&mut guest.store, &[], &mut results).unwrap();
    let debugger = Debugger::attach(&mut guest.store, |_| panic!("nobody asked")).unwrap();
    assert!(guest.pauser.pause());
    f.call(&mut guest.store, &[], &mut results).unwrap();
    assert!(guest.debugger.pauser(&mut guest.store).is_err());
    let pauser = debugger.pauser(&mut guest.store).unwrap();
    drop(guest.store);
    assert!(pauser.pause() && guest.pauser.pause());
}

#[test]
fn where_the_system_refuses_the_pause_waits_for_a_stop() {
    let _alone = alone();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let mut guest = Guest::new(DebugTier::Regions, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Action::Continue
    });
    let refused = faults::refuse_from(1);
    assert!(!guest.pauser.pause());
    drop(refused);
    assert_eq!(guest.call("tick", &[Val::I64(1)]), Val::I64(4));
    assert_eq!(seen.load(Ordering::Relaxed), 0);
    // An edit has what is asked for done.
    guest.break_at("busy");
    assert_eq!(guest.call("tick", &[Val::I64(1)]), Val::I64(4));
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    assert_eq!(guest.armed(), 1);
}

static FROM_SIGNAL: OnceLock<Pauser> = OnceLock::new();

extern "C" fn on_alarm(_: libc::c_int) {
    // SAFETY: this thread's own errno, put back as it was.
    unsafe {
        let errno = *libc::__errno_location();
        FROM_SIGNAL.get().unwrap().pause();
        *libc::__errno_location() = errno;
    }
}

/// The signal comes while the guest runs, while its texts are edited, and while the callback runs.
#[test]
fn a_signal_handler_pauses() {
    let _alone = alone();
    let pauses = Arc::new(AtomicUsize::new(0));
    let count = pauses.clone();
    let mut guest = Guest::new(DebugTier::Regions, move |stop| {
        if *stop.reason() == Reason::Pause {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let (debugger, module) = (stop.debugger(), stop.top().unwrap().module().clone());
        let set = debugger.break_at_name(stop, &module, "ask").unwrap();
        debugger.remove(stop, set.id).unwrap();
        Action::Continue
    });
    guest.break_at("tick");
    FROM_SIGNAL.set(guest.pauser.clone()).unwrap();
    // SAFETY: a handler that does what signal handlers may, and a thread of our own that is alive while signals are
    // sent to it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_alarm as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()), 0);
        let me = libc::pthread_self();
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    libc::pthread_kill(me, libc::SIGUSR2);
                    std::thread::sleep(Duration::from_micros(70));
                }
            });
            assert_eq!(guest.call("busy", &[Val::I32(5_000)]), Val::I64(15_000));
            end.store(true, Ordering::Relaxed);
        });
    }
    assert!(pauses.load(Ordering::Relaxed) > 10, "{pauses:?}");
}

#[test]
fn a_pauser_crosses_threads() {
    fn crosses<T: Send + Sync + Clone + 'static>() {}
    crosses::<Pauser>();
}
