//! Fuel in the parts in which it is laid out where somebody may ask for a debugger: whatever the parts are, and whoever
//! asks meanwhile, guests take what they take without, end where they do, and find their registers as they were.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell::debug::{Action, BreakRequest, Debugger, WatchKind};
use stepwell::runtime::{Attacher, Config, DebugTier, Engine, Instance, Module, Store, Trap, TrapCode};
use stepwell::{AsStoreMut, ErrorKind, Extern, Result, Val};

/// So much is laid out at a time.
const PART: u64 = 1 << 17;

fn fueled() -> Config {
    Config { debug: true, fuel: true, ..Config::default() }
}

/// Guests that keep much in registers over turns and calls, of all kinds.
const GUESTS: &str = r#"(module
    (memory (export "memory") 17)
    (global $end (export "end") (mut i32) (i32.const 0))
    (global $turns (export "turns") (mut i32) (i32.const 0))
    (type $box (struct (field (mut i64))))
    (tag $t (param i64))
    (func $leaf (param i64) (result i64) (i64.add (i64.rotl (local.get 0) (i64.const 5)) (i64.const 77)))
    (func $mix (export "mix") (param $n i32) (result i64)
        (local $a i64) (local $b i64) (local $c i64) (local $d i64) (local $e i64) (local $f i64) (local $g i64)
        (local $h i64) (local $i i64) (local $j i64) (local $k i64)
        (local $p f64) (local $q f64) (local $r f32) (local $s f64) (local $u f64)
        (local $v v128) (local $w v128) (local $x v128) (local $y v128)
        (local.set $p (f64.const 1.5)) (local.set $q (f64.const 0.25)) (local.set $r (f32.const 3)) (local.set $s (f64.const 7))
        (local.set $v (v128.const i64x2 1 2)) (local.set $w (v128.const i64x2 3 4)) (local.set $x (v128.const i32x4 5 6 7 8))
        (loop $l
            (local.set $a (i64.add (local.get $a) (i64.extend_i32_u (local.get $n))))
            (local.set $b (i64.xor (local.get $b) (i64.rotl (local.get $a) (i64.const 7))))
            (local.set $c (i64.sub (local.get $c) (local.get $b)))
            (local.set $d (i64.add (i64.mul (local.get $d) (i64.const 31)) (local.get $c)))
            (local.set $e (i64.xor (local.get $e) (local.get $d)))
            (local.set $f (i64.add (local.get $f) (i64.shr_u (local.get $e) (i64.const 3))))
            (local.set $g (i64.xor (local.get $g) (local.get $f)))
            (local.set $h (i64.add (local.get $h) (local.get $g)))
            (local.set $i (i64.sub (local.get $i) (local.get $h)))
            (local.set $j (i64.xor (local.get $j) (i64.rotr (local.get $i) (i64.const 9))))
            (local.set $k (i64.add (local.get $k) (local.get $j)))
            (local.set $p (f64.add (f64.mul (local.get $p) (f64.const 0.5)) (local.get $q)))
            (local.set $q (f64.sub (local.get $s) (local.get $p)))
            (local.set $s (f64.div (local.get $s) (f64.const 1.0625)))
            (local.set $u (f64.max (local.get $u) (local.get $p)))
            (local.set $r (f32.add (local.get $r) (f32.const 0.125)))
            (local.set $v (i64x2.add (local.get $v) (local.get $w)))
            (local.set $w (v128.xor (local.get $w) (local.get $x)))
            (local.set $x (i32x4.add (local.get $x) (v128.const i32x4 1 2 3 4)))
            (local.set $y (v128.xor (local.get $y) (local.get $v)))
            (if (i32.and (local.get $n) (i32.const 8)) (then (local.set $k (i64.add (local.get $k) (i64.const 1)))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i64.xor (i64.xor (i64.xor (local.get $a) (local.get $b)) (i64.xor (local.get $c) (local.get $d)))
            (i64.xor (i64.xor (local.get $e) (local.get $f)) (i64.xor (i64.xor (local.get $g) (local.get $h)) (i64.xor (local.get $i) (local.get $j)))))
        (i64.add (local.get $k))
        (i64.xor (i64.reinterpret_f64 (f64.add (local.get $p) (local.get $q))))
        (i64.xor (i64.reinterpret_f64 (f64.add (local.get $s) (local.get $u))))
        (i64.xor (i64.reinterpret_f64 (f64.promote_f32 (local.get $r))))
        (i64.xor (i64x2.extract_lane 0 (local.get $v)))
        (i64.xor (i64x2.extract_lane 1 (local.get $w)))
        (i64.xor (i64x2.extract_lane 1 (local.get $x)))
        (i64.xor (i64x2.extract_lane 0 (local.get $y))))
    (func $calls (export "calls") (param $n i32) (result i64) (local $x i64)
        (loop $l
            (local.set $x (call $leaf (local.get $x)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $x))
    (func $deep (param $n i32) (result i64)
        (if (result i64) (local.get $n)
            (then (i64.add (call $deep (i32.sub (local.get $n) (i32.const 1))) (call $leaf (i64.extend_i32_u (local.get $n)))))
            (else (i64.const 3))))
    (func (export "recurses") (param $n i32) (result i64) (local $x i64)
        (loop $l
            (local.set $x (i64.add (local.get $x) (call $deep (i32.and (local.get $n) (i32.const 63)))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $x))
    (func $tail (export "tail") (param $n i32) (param $x i64) (result i64)
        (if (i32.eqz (local.get $n)) (then (return (local.get $x))))
        (return_call $tail (i32.sub (local.get $n) (i32.const 1)) (i64.add (i64.mul (local.get $x) (i64.const 3)) (i64.const 1))))
    (func (export "tails") (param $n i32) (result i64) (call $tail (local.get $n) (i64.const 1)))
    ;; What is held over a turn by a register alone.
    (func (export "boxes") (param $n i32) (result i64) (local $old (ref null $box)) (local $x i64)
        (local.set $old (struct.new $box (i64.const 1)))
        (loop $l
            (struct.set $box 0 (local.get $old)
                (i64.add (struct.get $box 0 (local.get $old)) (struct.get $box 0 (struct.new $box (i64.const 5)))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (struct.get $box 0 (local.get $old)))
    (func (export "throws") (param $n i32) (result i64) (local $x i64)
        (loop $l
            (block $caught (result i64)
                (try_table (catch $t $caught)
                    (loop $inner
                        (local.set $x (i64.add (local.get $x) (i64.const 3)))
                        (br_if $inner (i32.wrap_i64 (i64.and (local.get $x) (i64.const 31)))))
                    (throw $t (local.get $x)))
                (unreachable))
            (local.set $x)
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $x))
    (func (export "fills") (param $n i32) (result i64)
        (loop $l
            (memory.fill (i32.const 0) (local.get $n) (i32.const 0x100000))
            (global.set $turns (i32.add (global.get $turns) (i32.const 1)))
            (br_if $l (i32.eqz (global.get $end))))
        (i64.const 1))
    (func (export "counts") (param i32) (result i64)
        (loop (global.set $turns (i32.add (global.get $turns) (i32.const 1))) (br 0))
        unreachable)
    (func (export "forever") (param i32) (result i64) (loop (br 0)) unreachable))"#;

const ENDING: [(&str, i32); 7] = [
    ("mix", 20_000),
    ("calls", 100_000),
    ("recurses", 3_000),
    ("tails", 80_000),
    ("boxes", 40_000),
    ("throws", 9_000),
    ("mix", 1),
];

fn module(engine: &Engine) -> Module {
    Module::new(engine, &wat::parse_str(GUESTS).unwrap()).unwrap()
}

struct Guest {
    store: Store,
    instance: Instance,
}

impl Guest {
    fn new(engine: &Engine, module: &Module) -> Guest {
        let mut store = Store::new(engine);
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        Guest { store, instance }
    }

    /// What it gives or why it ends, and what it leaves of so much fuel.
    fn run(&mut self, name: &str, argument: i32, fuel: u64) -> (std::result::Result<i64, TrapCode>, u64) {
        self.store.set_fuel(fuel).unwrap();
        let result = self.call(name, argument);
        let result =
            result.map_err(|error| error.payload::<Trap>().unwrap_or_else(|| panic!("{error}")).code().unwrap());
        (result, self.store.fuel().unwrap())
    }

    fn call(&mut self, name: &str, argument: i32) -> Result<i64> {
        let func = self.instance.typed_func::<i32, i64>(&mut self.store, name).unwrap();
        func.call(&mut self.store, argument)
    }

    fn set(&mut self, name: &str, value: i32) {
        let global = self.instance.export(&mut self.store, name).and_then(Extern::global).unwrap();
        global.set(&mut self.store, Val::I32(value)).unwrap();
    }

    fn get(&mut self, name: &str) -> i32 {
        let global = self.instance.export(&mut self.store, name).and_then(Extern::global).unwrap();
        global.get(&self.store).unwrap().i32().unwrap()
    }
}

/// What a guest is to give and to leave: that of an engine without debugging.
fn plain() -> Guest {
    let engine = Engine::new(Config { debug: false, ..fueled() }).unwrap();
    Guest::new(&engine, &module(&engine))
}

fn configs() -> Vec<Config> {
    let part = |force_fuel_part| Config { force_fuel_part, ..fueled() };
    vec![
        part(None),
        part(Some(1)),
        part(Some(50)),
        Config { signals: false, ..part(Some(50)) },
        Config { optimize: false, copied_code: true, ..part(Some(1000)) },
        Config { debug_tier: DebugTier::Simple, ..part(Some(50)) },
        Config { force_collections: true, ..part(Some(50)) },
    ]
}

#[test]
fn parts_are_nothing_that_a_guest_could_tell() {
    let mut plain = plain();
    for config in configs() {
        let engine = Engine::new(config.clone()).unwrap();
        let module = module(&engine);
        for attached in [false, true] {
            let mut guest = Guest::new(&engine, &module);
            let _attacher = guest.store.attacher(|_| Ok(())).unwrap();
            let debugger = attached.then(|| Debugger::attach(&mut guest.store, |_| Action::Continue).unwrap());
            for (name, turns) in ENDING {
                let turns = if attached || config.force_collections { turns / 50 + 1 } else { turns };
                let (result, left) = plain.run(name, turns, 1 << 40);
                let taken = (1 << 40) - left;
                let mut amounts = vec![0, 1, 17, taken / 3, taken - 1, taken, taken + 1, u64::MAX];
                amounts.extend([PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 5].iter().filter(|fuel| **fuel < taken));
                for fuel in amounts {
                    let expected = plain.run(name, turns, fuel);
                    assert_eq!(
                        guest.run(name, turns, fuel),
                        expected,
                        "{name} {fuel} of {taken}, {attached}: {config:?}"
                    );
                    assert!(fuel < taken || expected.0 == result);
                }
            }
            if let Some(debugger) = debugger {
                debugger.detach(&mut guest.store).unwrap();
            }
        }
    }
}

/// Somebody asks all the time, and the host looks at the fuel, spoils registers and makes what is collected.
#[test]
fn whoever_asks_meanwhile_a_guest_goes_on_as_it_was() {
    let mut plain = plain();
    for config in configs() {
        let engine = Engine::new(config.clone()).unwrap();
        let module = module(&engine);
        let heard = Arc::new(AtomicUsize::new(0));
        for attaches in [false, true] {
            let mut guest = Guest::new(&engine, &module);
            let (count, last) = (heard.clone(), Arc::new(AtomicU64::new(u64::MAX)));
            let lowest = last.clone();
            let debugger = Arc::new(Mutex::new(None));
            let (attached, instance) = (debugger.clone(), guest.instance);
            let attacher = guest.store.attacher(move |store| {
                if !store.live_frames() {
                    return Ok(());
                }
                count.fetch_add(1, Ordering::Relaxed);
                let left = store.fuel().unwrap();
                assert!(left <= lowest.swap(left, Ordering::Relaxed), "it grows less");
                let mut sum = [1.0f64; 16];
                for (at, one) in sum.iter_mut().enumerate() {
                    *one = (*one + left as f64).sqrt() * at as f64;
                }
                std::hint::black_box(sum);
                store.set_fuel(left).unwrap();
                let mut frames = 0;
                store.walk_frames(|frame| {
                    frames += usize::from(frame.instance().is_some_and(|found| found == instance) || attaches);
                    std::ops::ControlFlow::Continue(())
                });
                assert!(frames > 0);
                let mut attached = attached.lock().unwrap();
                if attaches && attached.is_none() {
                    let debugger = Debugger::attach(store, |_| Action::Continue)?;
                    debugger.add_breakpoint(store, BreakRequest::function(None, "leaf"))?;
                    *attached = Some(debugger);
                }
                Ok(())
            });
            let attacher = attacher.unwrap();
            let done = Arc::new(AtomicBool::new(false));
            let thread = storm(attacher, done.clone());
            for (name, turns) in ENDING {
                let turns = if config.force_collections { turns / 20 + 1 } else { turns };
                for _ in 0..3 {
                    last.store(u64::MAX, Ordering::Relaxed);
                    assert_eq!(
                        guest.run(name, turns, 1 << 40),
                        plain.run(name, turns, 1 << 40),
                        "{name} {attaches}: {config:?}"
                    );
                    let debugger = debugger.lock().unwrap().take();
                    if let Some(debugger) = debugger {
                        debugger.detach(&mut guest.store).unwrap();
                    }
                    let short = plain.run(name, turns, 10_000);
                    last.store(u64::MAX, Ordering::Relaxed);
                    assert_eq!(guest.run(name, turns, 10_000), short, "{name} {attaches}: {config:?}");
                }
            }
            done.store(true, Ordering::Relaxed);
            thread.join().unwrap();
            if let Some(debugger) = debugger.lock().unwrap().take() {
                debugger.detach(&mut guest.store).unwrap();
            }
        }
        assert!(heard.load(Ordering::Relaxed) > 20, "{heard:?}: {config:?}");
    }
}

fn storm(attacher: Attacher, done: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        while !done.load(Ordering::Relaxed) {
            attacher.request();
            std::thread::sleep(Duration::from_micros(30));
        }
    })
}

/// A turn may take long for little fuel.
#[test]
fn a_request_is_heard_behind_an_instruction_that_takes_long() {
    let engine = Engine::new(fueled()).unwrap();
    let mut guest = Guest::new(&engine, &module(&engine));
    let at = Arc::new(AtomicUsize::new(0));
    let (heard, instance) = (at.clone(), guest.instance);
    let attacher = guest.store.attacher(move |store| {
        if store.live_frames() {
            heard.fetch_add(1, Ordering::Relaxed);
            let global = instance.export(&mut *store, "end").and_then(Extern::global).unwrap();
            global.set(&mut *store, Val::I32(1)).unwrap();
        }
        Ok(())
    });
    let attacher = attacher.unwrap();
    // 8 units for each turn: a part is 16384 of them, which is half a second and more.
    let other = attacher.clone();
    guest.set("turns", 0);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(10));
        other.request();
    });
    let (result, left) = guest.run("fills", 3, 1 << 40);
    thread.join().unwrap();
    assert_eq!((result, at.load(Ordering::Relaxed)), (Ok(1), 1));
    let turns = guest.get("turns");
    assert!(turns < 5000, "{turns}");
    let mut plain = plain();
    plain.set("end", 1);
    let (_, one) = plain.run("fills", 3, 1 << 40);
    assert_eq!((1 << 40) - left, ((1u64 << 40) - one - 1) * turns as u64 + 1);
}

/// Who is called may give fuel to a guest that has none, and take what it has.
#[test]
fn who_is_called_says_how_much_is_left() {
    for config in [fueled(), Config { force_fuel_part: Some(3), ..fueled() }, Config { signals: false, ..fueled() }] {
        let engine = Engine::new(config).unwrap();
        let mut guest = Guest::new(&engine, &module(&engine));
        let (given, calls) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (gives, called) = (given.clone(), calls.clone());
        let attacher = guest.store.attacher(move |store| {
            if store.live_frames() {
                called.fetch_add(1, Ordering::Relaxed);
                if let Some(fuel) = gives.lock().unwrap().pop() {
                    store.set_fuel(fuel).unwrap();
                }
            }
            Ok(())
        });
        let attacher = attacher.unwrap();
        let mut ends = |amounts: Vec<u64>, name: &str| {
            *given.lock().unwrap() = amounts;
            calls.store(0, Ordering::Relaxed);
            let done = Arc::new(AtomicBool::new(false));
            let thread = storm(attacher.clone(), done.clone());
            let ended = guest.run(name, 50_000_000, 30_000_000_000);
            done.store(true, Ordering::Relaxed);
            thread.join().unwrap();
            assert!(given.lock().unwrap().is_empty());
            (ended, calls.load(Ordering::Relaxed))
        };
        assert_eq!(ends(vec![0], "forever").0, (Err(TrapCode::OutOfFuel), 0));
        // It goes on with what it is given, and no more: at the end with so much.
        assert_eq!(ends(vec![50_000_000, u64::MAX, u64::MAX / 2], "forever").0, (Err(TrapCode::OutOfFuel), 0));
        let ((result, left), calls) = ends(vec![u64::MAX, 1_000_000_000], "calls");
        assert!(result.is_ok() && calls > 1);
        assert!(left <= i64::MAX as u64 && left > i64::MAX as u64 - 1_000_000_000, "{left}");
    }
}

/// Who is called says that there is what there is: the guest goes on with that, to its last unit.
#[test]
fn what_is_left_may_be_said_once_more() {
    for part in [None, Some(1 << 30), Some(7)] {
        let engine = Engine::new(Config { force_fuel_part: part, ..fueled() }).unwrap();
        let mut guest = Guest::new(&engine, &module(&engine));
        let heard = Arc::new(AtomicUsize::new(0));
        let count = heard.clone();
        let attacher = guest.store.attacher(move |store| {
            if store.live_frames() {
                count.fetch_add(1, Ordering::Relaxed);
                let left = store.fuel().unwrap();
                store.set_fuel(left).unwrap();
            }
            Ok(())
        });
        let done = Arc::new(AtomicBool::new(false));
        let thread = storm(attacher.unwrap(), done.clone());
        let mut plain = plain();
        for _ in 0..10 {
            guest.set("turns", 0);
            plain.set("turns", 0);
            let ended = guest.run("counts", 1, 3_000_000);
            assert_eq!(ended, plain.run("counts", 1, 3_000_000));
            assert_eq!(ended.0, Err(TrapCode::OutOfFuel));
            assert_eq!(guest.get("turns"), plain.get("turns"), "{part:?}");
        }
        done.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        assert!(heard.load(Ordering::Relaxed) > 0);
    }
}

/// A run of instructions that takes more than is ever laid out.
#[test]
fn a_run_of_any_length_is_paid_for() {
    let text = format!(
        "(module (func (export \"f\") (param i32) (result i64) (local $x i64) (loop $l {} \
         (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get $x)))",
        "(local.set $x (i64.add (local.get $x) (i64.const 3)))".repeat(50_000)
    );
    let binary = wat::parse_str(&text).unwrap();
    let taken = |turns: u64| turns * (50_000 * 4 + 5) + 1;
    for debug in [false, true] {
        let engine = Engine::new(Config { debug, optimize: false, ..fueled() }).unwrap();
        let mut guest = Guest::new(&engine, &Module::new(&engine, &binary).unwrap());
        let _attacher = debug.then(|| guest.store.attacher(|_| Ok(())).unwrap());
        for turns in [1, 2, 7] {
            let whole = taken(turns);
            let result = Ok(turns as i64 * 150_000);
            assert_eq!(guest.run("f", turns as i32, whole), (result, 0));
            assert_eq!(guest.run("f", turns as i32, whole + 1000), (result, 1000));
            // Nothing is checked behind the loop.
            assert_eq!(guest.run("f", turns as i32, whole - 1), (result, 0));
            assert_eq!(guest.run("f", turns as i32, whole - 2), (Err(TrapCode::OutOfFuel), 0));
        }
    }
}

/// Code that traps by itself has all its fuel laid out, whatever comes before and after it.
#[test]
fn serialized_modules_of_engines_without_debugging_count_the_same() {
    let (with, without) = (Engine::new(fueled()).unwrap(), Engine::new(Config { debug: false, ..fueled() }).unwrap());
    let traps = module(&without).serialize().unwrap();
    let asks = module(&with).serialize().unwrap();
    let mut plain = plain();
    for (engine, bytes) in [(&with, &traps), (&without, &asks), (&with, &asks)] {
        let loaded = Module::deserialize(engine, bytes).unwrap();
        // One that is compiled here may be in the store already, and has been laid out parts.
        for first in [false, true] {
            let mut store = Store::new(engine);
            store.set_fuel(12 * PART).unwrap();
            let _attacher = store.attacher(|_| Ok(()));
            let compiled = first.then(|| Instance::new(&mut store, &module(engine), &[]).unwrap());
            let instance = Instance::new(&mut store, &loaded, &[]).unwrap();
            assert_eq!(store.fuel().unwrap(), 12 * PART);
            for instance in [Some(instance), compiled].into_iter().flatten() {
                let mut guest = Guest { store, instance };
                for (name, turns) in ENDING {
                    for fuel in [PART, 2 * PART, 1 << 40] {
                        assert_eq!(guest.run(name, turns, fuel), plain.run(name, turns, fuel), "{name} {fuel}");
                    }
                }
                store = guest.store;
            }
        }
    }
    // Who asks is heard in code that asks, whoever has compiled it for this engine.
    let mut guest = Guest::new(&with, &Module::deserialize(&with, &asks).unwrap());
    let attacher =
        guest.store.attacher(|store| if store.live_frames() { Err(Trap::new("enough").into()) } else { Ok(()) });
    let done = Arc::new(AtomicBool::new(false));
    let thread = storm(attacher.unwrap(), done.clone());
    guest.store.set_fuel(u64::MAX).unwrap();
    assert_eq!(guest.call("forever", 0).unwrap_err().message(), "enough");
    done.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

#[test]
fn a_guest_that_waits_for_another_thread_hears_who_asks() {
    const WAITS: &str = r#"(module (memory 1 1 shared)
        (func (export "waits") (param i32) (result i64)
            (i64.extend_i32_u (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 20_000_000_000)))))"#;
    let mut config = fueled();
    config.features.threads = true;
    let engine = Engine::new(config).unwrap();
    let mut guest = Guest::new(&engine, &Module::new(&engine, &wat::parse_str(WAITS).unwrap()).unwrap());
    let attacher =
        guest.store.attacher(|store| if store.live_frames() { Err(Trap::new("enough").into()) } else { Ok(()) });
    let done = Arc::new(AtomicBool::new(false));
    let thread = storm(attacher.unwrap(), done.clone());
    guest.store.set_fuel(1000).unwrap();
    let start = std::time::Instant::now();
    let error = guest.call("waits", 0).unwrap_err();
    assert_eq!(error.message(), "enough");
    assert_ne!(error.kind(), ErrorKind::Panic);
    assert!(start.elapsed() < Duration::from_secs(10));
    done.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

/// Regions of several runs of instructions, with reads on and between them, and writes that begin a run.
const READS: &str = r#"(module
    (memory (export "memory") 1)
    (data (i32.const 64) "\03\00\00\00\04\00\00\00\05\00\00\00\06\00\00\00")
    (global $g (mut i32) (i32.const 0))
    (func $f (param $x i32) (result i32) (local $s i32)
        (local.set $s (i32.load (i32.const 64)))
        (if (i32.and (local.get $x) (i32.const 1))
            (then (local.set $s (i32.add (local.get $s) (i32.load (i32.const 68)))))
            (else (local.set $s (i32.mul (local.get $s) (i32.const 3))) (nop)))
        (block (br_if 0 (i32.load (i32.const 76))) (local.set $s (i32.add (local.get $s) (i32.const 7))))
        (local.set $s (i32.add (local.get $s) (i32.load (i32.const 72))))
        (i32.store (i32.const 64)
            (i32.add (local.get $s) (if (result i32) (local.get $x) (then (i32.const 5)) (else (i32.load (i32.const 200))))))
        (if (i32.gt_u (local.get $s) (i32.const 9)) (then (local.set $x (i32.add (local.get $x) (i32.const 1)))))
        (i32.store (i32.const 76) (if (result i32) (local.get $x) (then (i32.const 1)) (else (i32.const 0))))
        (global.set $g (i32.add (global.get $g) (local.get $s)))
        (i32.add (local.get $s) (i32.load (i32.const 68))))
    (func (export "run") (param $n i32) (result i64) (local $sum i64)
        (loop $l
            (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (call $f (local.get $n)))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))"#;

/// Where a guest is stopped at an access, which is in the middle of what is paid for at once, there is as much fuel as
/// in code that stops before each instruction; and what the host makes of it stays, whichever way the guest goes on.
#[test]
fn at_an_access_there_is_as_much_fuel_as_there_is_right_there() {
    let watched: [&[(u64, u64)]; 6] =
        [&[(64, 68)], &[(68, 72)], &[(72, 76), (64, 66)], &[(76, 80)], &[(64, 80)], &[(200, 204), (72, 73)]];
    for (ranges, what) in watched.into_iter().flat_map(|ranges| (0..7).map(move |what| (ranges, what))) {
        let seen = [DebugTier::Simple, DebugTier::Regions].map(|debug_tier| {
            let engine = Engine::new(Config { debug_tier, nan_canonicalization: true, ..fueled() }).unwrap();
            let module = Module::new(&engine, &wat::parse_str(READS).unwrap()).unwrap();
            let mut guest = Guest::new(&engine, &module);
            let memory = guest.instance.export(&mut guest.store, "memory").and_then(Extern::memory).unwrap();
            let log = Arc::new(Mutex::new(Vec::new()));
            let told = log.clone();
            let debugger = Debugger::attach(&mut guest.store, move |stop| {
                let (at, locals) = {
                    let top = stop.top().unwrap();
                    (top.offset().get(), format!("{:?}", top.locals()))
                };
                let hits = stop.reason().watchpoints().iter().map(|hit| hit.is_read).collect::<Vec<_>>();
                let left = stop.as_store_mut().fuel().unwrap();
                let mut told = told.lock().unwrap();
                told.push((at, locals, hits.clone(), left));
                let turn = told.len();
                assert!(turn < 5000);
                let mut action = Action::Continue;
                match what {
                    1 => stop.as_store_mut().set_fuel(left + 1000).unwrap(),
                    2 => stop.set_local(0, 1, Val::I32(turn as i32)).unwrap(),
                    // What has been read on the way here, and what is to be read.
                    3 => memory.write(&mut stop.as_store_mut(), 68, &[turn as u8]).unwrap(),
                    4 => {
                        memory.write(&mut stop.as_store_mut(), 76, &[(turn & 1) as u8]).unwrap();
                        stop.as_store_mut().set_fuel(left - 1).unwrap();
                    }
                    5 if turn % 4 != 0 => action = Action::StepInstruction,
                    // Not in the caller, whose loop counts by it.
                    6 if !hits.is_empty() => {
                        stop.set_local(0, 0, Val::I32(turn as i32 & 3)).unwrap();
                        stop.as_store_mut().set_fuel(left + turn as u64).unwrap();
                        if turn % 3 != 0 {
                            action = Action::StepInstruction;
                        }
                    }
                    _ => {}
                }
                action
            })
            .unwrap();
            for &(start, end) in ranges {
                debugger.watch_memory(&mut guest.store, memory, start..end, WatchKind::Access).unwrap();
            }
            let ended = guest.run("run", 9, 100_000);
            debugger.detach(&mut guest.store).unwrap();
            let log = std::mem::take(&mut *log.lock().unwrap());
            (log, ended)
        });
        let [simple, regions] = seen;
        assert!(simple.0.len() >= 4, "{ranges:?} {what}");
        for (at, (one, other)) in simple.0.iter().zip(&regions.0).enumerate() {
            assert_eq!(one, other, "stop {at} of {ranges:?}, {what}");
        }
        assert_eq!((simple.0.len(), simple.1), (regions.0.len(), regions.1), "{ranges:?} {what}");
    }
}
