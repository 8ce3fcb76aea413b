//! Calls on stacks of their own: left in the middle, gone on with, given up; in every kind of code.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Call, CallStatus, DebugTier, NotYet};
use stepwell::*;

/// The kinds of code that guests run.
const KINDS: [(bool, DebugTier); 3] =
    [(false, DebugTier::Regions), (true, DebugTier::Simple), (true, DebugTier::Regions)];

fn sliced() -> Config {
    Config { fuel: true, fuel_slices: true, ..Config::default() }
}

/// A store of each kind of code, for `check`.
fn each(config: Config, check: impl Fn(&mut Store)) {
    for (debugged, debug_tier) in KINDS {
        let engine = Engine::new(Config { debug: true, debug_tier, ..config.clone() }).unwrap();
        let mut store = Store::new(&engine);
        let debugger = debugged.then(|| Debugger::attach(&mut store, |_| Action::Continue).unwrap());
        check(&mut store);
        if let Some(debugger) = debugger {
            debugger.detach(&mut store).unwrap();
        }
    }
}

/// An instance with one import, which has no answer yet, whatever it is asked.
fn instance(store: &mut Store, text: &str) -> Instance {
    let module = Module::new(store.engine(), &wat::parse_str(text).unwrap()).unwrap();
    let later = Func::wrap(&mut *store, |what: i32| -> Result<i32> { Err(NotYet(what as u64).into()) }).unwrap();
    Instance::new(store, &module, &[later.into()]).unwrap()
}

fn export(store: &mut Store, instance: Instance, name: &str) -> Func {
    match instance.export(&mut *store, name) {
        Some(Extern::Func(func)) => func,
        other => panic!("{other:?} is no function"),
    }
}

fn number(values: &[Val]) -> i32 {
    match values {
        [Val::I32(value)] => *value,
        other => panic!("{other:?} is no number"),
    }
}

const ASKS: &str = r#"(module
    (import "host" "later" (func $later (param i32) (result i32)))
    (memory (export "memory") 1)
    ;; 10 * later(n) + later(n + 1), with something in the frame meanwhile
    (func (export "twice") (param $n i32) (result i32)
        (local $first i32)
        (local.set $first (i32.mul (i32.const 10) (call $later (local.get $n))))
        (i32.add (local.get $first) (call $later (i32.add (local.get $n) (i32.const 1)))))
    (func $deep (export "deep") (param $n i32) (result i32)
        (if (result i32) (local.get $n)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
            (else (call $later (i32.const 0)))))
    (func (export "once") (param i32) (result i32) (call $later (local.get 0)))
    (func $endless (export "endless") (param i32) (result i32) (call $endless (local.get 0)))
    (func (export "stores") (param i32) (result i32)
        (i32.store (i32.const 0) (call $later (local.get 0)))
        (i32.load (i32.add (i32.const 65533) (local.get 0))))
    (func (export "plain") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"#;

#[test]
fn a_guest_waits_for_answers() {
    each(Config::default(), |store| {
        let instance = instance(store, ASKS);
        let twice = export(store, instance, "twice");
        let call = Call::new(&mut *store, twice, &[Val::I32(3)]).unwrap();
        assert_eq!(call.status(&*store).unwrap(), CallStatus::New);
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Waiting(3));
        assert!(store.live_frames());
        // It is not run before it is answered, nor answered with what does not fit.
        assert_eq!(call.run(&mut *store).unwrap_err().kind(), ErrorKind::State);
        assert_eq!(call.answer(&mut *store, Ok(&[])).unwrap_err().kind(), ErrorKind::Argument);
        assert_eq!(call.answer(&mut *store, Ok(&[Val::I64(1)])).unwrap_err().kind(), ErrorKind::Argument);
        assert_eq!(call.awaited_type(&*store).unwrap().params.len(), 1);
        call.answer(&mut *store, Ok(&[Val::I32(4)])).unwrap();
        assert_eq!(call.answer(&mut *store, Ok(&[Val::I32(5)])).unwrap_err().kind(), ErrorKind::State);
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Waiting(4));
        call.answer(&mut *store, Ok(&[Val::I32(2)])).unwrap();
        assert!(call.results(&mut *store).is_err(), "it is answered, and has not returned");
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
        assert_eq!(number(&call.results(&mut *store).unwrap()), 42);
        assert_eq!(call.run(&mut *store).unwrap_err().kind(), ErrorKind::State);
        assert!(!store.live_frames());
        call.delete(&mut *store).unwrap();
        assert_eq!(call.status(&*store).unwrap_err().kind(), ErrorKind::Argument);
        assert_eq!(call.delete(&mut *store).unwrap_err().kind(), ErrorKind::Argument);
        // Its place is another's.
        let plain = export(store, instance, "plain");
        let next = Call::new(&mut *store, plain, &[Val::I32(1)]).unwrap();
        assert!(call.run(&mut *store).is_err());
        assert_eq!(next.run(&mut *store).unwrap(), CallStatus::Finished);
        assert_eq!(number(&next.results(&mut *store).unwrap()), 2);
    });
}

#[test]
fn many_wait_at_once_and_end_in_any_order() {
    each(Config::default(), |store| {
        let instance = instance(store, ASKS);
        let (twice, plain) = (export(store, instance, "twice"), export(store, instance, "plain"));
        let calls: Vec<_> = (0..100).map(|n| Call::new(&mut *store, twice, &[Val::I32(n)]).unwrap()).collect();
        for (n, call) in calls.iter().enumerate() {
            assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Waiting(n as u64));
        }
        for (n, call) in calls.iter().enumerate().rev() {
            call.answer(&mut *store, Ok(&[Val::I32(n as i32)])).unwrap();
            assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Waiting(n as u64 + 1));
            let mut result = [Val::I32(0)];
            plain.call(&mut *store, &[Val::I32(1)], &mut result).unwrap();
            assert_eq!(number(&result), 2);
        }
        for (n, call) in calls.iter().enumerate().filter(|(n, _)| n % 3 != 0) {
            call.answer(&mut *store, Ok(&[Val::I32(7)])).unwrap();
            assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
            assert_eq!(number(&call.results(&mut *store).unwrap()), 10 * n as i32 + 7);
        }
        for call in calls {
            call.delete(&mut *store).unwrap();
        }
        assert!(!store.live_frames());
    });
}

#[test]
fn answers_may_be_errors_and_guests_trap_afterwards() {
    each(Config::default(), |store| {
        let instance = instance(store, ASKS);
        let (deep, stores) = (export(store, instance, "deep"), export(store, instance, "stores"));
        let call = Call::new(&mut *store, deep, &[Val::I32(5)]).unwrap();
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Waiting(0));
        call.answer(&mut *store, Err(Trap::new("no such file").into())).unwrap();
        let error = call.run(&mut *store).unwrap_err();
        let trap = error.payload::<Trap>().unwrap();
        assert_eq!((trap.message(), trap.frames().len()), ("no such file", 6));
        assert_eq!(call.status(&*store).unwrap(), CallStatus::Finished);
        assert!(call.results(&mut *store).is_err());
        let call = Call::new(&mut *store, stores, &[Val::I32(0)]).unwrap();
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Waiting(0));
        call.answer(&mut *store, Ok(&[Val::I32(9)])).unwrap();
        let error = call.run(&mut *store).unwrap_err();
        assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::MemoryOutOfBounds));
        let Some(Extern::Memory(memory)) = instance.export(&mut *store, "memory") else { panic!("no memory") };
        let mut bytes = [0; 4];
        memory.read(&*store, 0, &mut bytes).unwrap();
        assert_eq!(bytes, [9, 0, 0, 0]);
        assert!(!store.live_frames());
    });
}

#[test]
fn a_call_has_a_stack_that_ends() {
    for (debugged, debug_tier) in KINDS {
        for stop_reserve in [16 << 10, 256 << 10] {
            let engine = Engine::new(Config { debug: true, debug_tier, stop_reserve, ..Config::default() }).unwrap();
            let mut store = Store::new(&engine);
            let _debugger = debugged.then(|| Debugger::attach(&mut store, |_| Action::Continue).unwrap());
            let instance = instance(&mut store, ASKS);
            let (endless, deep) = (export(&mut store, instance, "endless"), export(&mut store, instance, "deep"));
            let call = Call::new(&mut store, endless, &[Val::I32(0)]).unwrap();
            let error = call.run(&mut store).unwrap_err();
            assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::StackOverflow));
            // What fits on a stack as usual fits on this one.
            let call = Call::new(&mut store, deep, &[Val::I32(4000)]).unwrap();
            assert_eq!(call.run(&mut store).unwrap(), CallStatus::Waiting(0));
            call.answer(&mut store, Ok(&[Val::I32(1)])).unwrap();
            assert_eq!(call.run(&mut store).unwrap(), CallStatus::Finished);
            assert_eq!(number(&call.results(&mut store).unwrap()), 4001);
        }
    }
}

#[test]
fn what_waits_is_given_up_as_by_a_trap() {
    struct Dropped(Arc<AtomicU32>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let engine = Engine::new(Config::default()).unwrap();
    let count = Arc::new(AtomicU32::new(0));
    for delete in [true, false] {
        let mut store = Store::new(&engine);
        let dropped = Dropped(count.clone());
        store.set_data(Some(Box::new(dropped)));
        let instance = instance(&mut store, ASKS);
        let deep = export(&mut store, instance, "deep");
        let calls: Vec<_> = (0..10).map(|n| Call::new(&mut store, deep, &[Val::I32(n)]).unwrap()).collect();
        for call in &calls {
            call.run(&mut store).unwrap();
        }
        if delete {
            calls.into_iter().for_each(|call| call.delete(&mut store).unwrap());
            assert!(!store.live_frames());
            assert!(!store.is_poisoned());
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn another_thread_goes_on() {
    each(Config::default(), |store| {
        let instance = instance(store, ASKS);
        let (twice, stores) = (export(store, instance, "twice"), export(store, instance, "stores"));
        let calls = [twice, stores].map(|func| Call::new(&mut *store, func, &[Val::I32(0)]).unwrap());
        for call in calls {
            call.run(&mut *store).unwrap();
        }
        // A view of it, which is handed from thread to thread.
        struct Sent(StorePtr);
        // SAFETY: one thread has it at a time.
        unsafe impl Send for Sent {}
        let sent = Sent(store.as_ptr());
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    let sent = sent;
                    // SAFETY: as above; the store outlives the scope.
                    let mut store = unsafe { sent.0.as_mut() };
                    calls[0].answer(&mut store, Ok(&[Val::I32(4)])).unwrap();
                    assert_eq!(calls[0].run(&mut store).unwrap(), CallStatus::Waiting(1));
                    // A trap by a signal, on a thread that has had none.
                    calls[1].answer(&mut store, Ok(&[Val::I32(4)])).unwrap();
                    let error = calls[1].run(&mut store).unwrap_err();
                    assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::MemoryOutOfBounds));
                })
                .join()
                .unwrap();
        });
        calls[0].answer(&mut *store, Ok(&[Val::I32(2)])).unwrap();
        assert_eq!(calls[0].run(&mut *store).unwrap(), CallStatus::Finished);
        assert_eq!(number(&calls[0].results(&mut *store).unwrap()), 42);
    });
}

#[test]
fn who_was_called_as_usual_cannot_wait() {
    each(Config::default(), |store| {
        let instance = instance(store, ASKS);
        let once = export(store, instance, "once");
        let error = once.call(&mut *store, &[Val::I32(1)], &mut [Val::I32(0)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(error.message().contains("call on a stack of its own"), "{error}");
        // Nor can who was called by a host function.
        let calls_back = Func::wrap(&mut *store, move |mut caller: Caller<'_>, n: i32| -> Result<i32> {
            let mut results = [Val::I32(0)];
            once.call(&mut caller, &[Val::I32(n)], &mut results)?;
            Ok(number(&results))
        })
        .unwrap();
        let module = Module::new(
            store.engine(),
            &wat::parse_str(
                r#"(module (import "" "" (func (param i32) (result i32)))
                    (func (export "run") (param i32) (result i32) (call 0 (local.get 0))))"#,
            )
            .unwrap(),
        )
        .unwrap();
        let outer = Instance::new(&mut *store, &module, &[calls_back.into()]).unwrap();
        let run = export(store, outer, "run");
        let call = Call::new(&mut *store, run, &[Val::I32(1)]).unwrap();
        let error = call.run(&mut *store).unwrap_err();
        assert!(error.message().contains("cannot wait"), "{error}");
        assert!(!store.live_frames());
    });
}

/// A guest that a host function calls in turn is on the stack of whoever runs the call, and so is one of another call.
#[test]
fn calls_are_run_within_calls() {
    each(Config::default(), |store| {
        let inner = instance(store, ASKS);
        let (twice, plain, endless) =
            (export(store, inner, "twice"), export(store, inner, "plain"), export(store, inner, "endless"));
        let waits = Call::new(&mut *store, twice, &[Val::I32(1)]).unwrap();
        assert_eq!(waits.run(&mut *store).unwrap(), CallStatus::Waiting(1));
        let host = Func::wrap(&mut *store, move |mut caller: Caller<'_>, n: i32| -> Result<i32> {
            let mut results = [Val::I32(0)];
            plain.call(&mut caller, &[Val::I32(n)], &mut results)?;
            let deep = endless.call(&mut caller, &[Val::I32(0)], &mut [Val::I32(0)]).unwrap_err();
            assert_eq!(deep.payload::<Trap>().unwrap().code(), Some(TrapCode::StackOverflow));
            // One that waits, and one that is new, of the same store.
            waits.answer(&mut caller, Ok(&[Val::I32(n)]))?;
            assert_eq!(waits.run(&mut caller)?, CallStatus::Waiting(2));
            let new = Call::new(&mut caller, twice, &[Val::I32(5)])?;
            assert_eq!(new.run(&mut caller)?, CallStatus::Waiting(5));
            new.delete(&mut caller)?;
            Ok(number(&results))
        })
        .unwrap();
        let text = r#"(module (import "" "" (func (param i32) (result i32)))
            (func (export "run") (param i32) (result i32) (i32.mul (call 0 (local.get 0)) (i32.const 2))))"#;
        let module = Module::new(store.engine(), &wat::parse_str(text).unwrap()).unwrap();
        let outer = Instance::new(&mut *store, &module, &[host.into()]).unwrap();
        let run = export(store, outer, "run");
        let call = Call::new(&mut *store, run, &[Val::I32(3)]).unwrap();
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
        assert_eq!(number(&call.results(&mut *store).unwrap()), 8);
        waits.answer(&mut *store, Ok(&[Val::I32(4)])).unwrap();
        assert_eq!(waits.run(&mut *store).unwrap(), CallStatus::Finished);
        assert_eq!(number(&waits.results(&mut *store).unwrap()), 34);
    });
}

#[test]
fn a_call_that_runs_is_left_alone() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let itself = Arc::new(std::sync::Mutex::new(None::<Call>));
    let told = itself.clone();
    let host = Func::wrap(&mut store, move |mut caller: Caller<'_>| -> Result<()> {
        let call = told.lock().unwrap().unwrap();
        assert_eq!(call.status(&caller)?, CallStatus::Running);
        assert_eq!(call.run(&mut caller).unwrap_err().kind(), ErrorKind::State);
        assert_eq!(call.delete(&mut caller).unwrap_err().kind(), ErrorKind::State);
        assert!(call.results(&mut caller).is_err());
        Ok(())
    })
    .unwrap();
    let call = Call::new(&mut store, host, &[]).unwrap();
    *itself.lock().unwrap() = Some(call);
    assert_eq!(call.run(&mut store).unwrap(), CallStatus::Finished);
    // Of another store it is nothing.
    let mut other = Store::new(&engine);
    assert_eq!(call.run(&mut other).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(Call::new(&mut other, host, &[]).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(Call::new(&mut store, host, &[Val::I32(1)]).unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn a_panic_goes_on_with_whoever_runs_the_call() {
    each(Config::default(), |store| {
        let host = Func::wrap(&mut *store, |_: i32| -> i32 { panic!("as it should") }).unwrap();
        let text = r#"(module (import "" "" (func (param i32) (result i32)))
            (func (export "run") (param i32) (result i32) (call 0 (local.get 0))))"#;
        let module = Module::new(store.engine(), &wat::parse_str(text).unwrap()).unwrap();
        let instance = Instance::new(&mut *store, &module, &[host.into()]).unwrap();
        let run = export(store, instance, "run");
        let call = Call::new(&mut *store, run, &[Val::I32(1)]).unwrap();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call.run(&mut *store)));
        assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "as it should");
        assert!(store.is_poisoned());
        assert!(!store.live_frames());
        call.delete(&mut *store).unwrap();
    });
}

const LOOPS: &str = r#"(module
    (import "host" "later" (func $later (param i32) (result i32)))
    (func (export "count") (param $n i32) (result i32) (local $i i32)
        (loop
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $i) (local.get $n))))
        (local.get $i)))"#;

#[test]
fn slices_of_fuel_are_what_they_are_said_to_be() {
    each(sliced(), |store| {
        let instance = instance(store, LOOPS);
        let count = export(store, instance, "count");
        store.set_fuel(1_000_000).unwrap();
        count.call(&mut *store, &[Val::I32(1000)], &mut [Val::I32(0)]).unwrap();
        let whole = 1_000_000 - store.fuel().unwrap();
        for slice in [1, 10, 100, 777, whole - 1, whole, u64::MAX] {
            store.set_fuel(1_000_000).unwrap();
            let call = Call::new(&mut *store, count, &[Val::I32(1000)]).unwrap();
            let mut runs = 1u64;
            loop {
                let before = store.fuel().unwrap();
                let status = call.run_slice(&mut *store, slice).unwrap();
                let left = store.fuel().unwrap();
                assert!(before - left <= slice.saturating_add(20), "a slice of {slice}: {before} {left}");
                match status {
                    CallStatus::OutOfSlice => runs += 1,
                    CallStatus::Finished => break,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(1_000_000 - store.fuel().unwrap(), whole, "with slices of {slice}");
            // The last turn ends in what it has paid for.
            assert!(runs + 8 >= whole / slice && runs <= whole / slice + 2, "{runs} runs of {slice}");
            assert_eq!(number(&call.results(&mut *store).unwrap()), 1000);
        }
        // What the store has comes first.
        store.set_fuel(100).unwrap();
        let call = Call::new(&mut *store, count, &[Val::I32(1000)]).unwrap();
        let error = call.run_slice(&mut *store, 1000).unwrap_err();
        assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::OutOfFuel));
        // Without a slice it runs to its end, from wherever it was.
        store.set_fuel(1_000_000).unwrap();
        let call = Call::new(&mut *store, count, &[Val::I32(1000)]).unwrap();
        assert_eq!(call.run_slice(&mut *store, 100).unwrap(), CallStatus::OutOfSlice);
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
        assert_eq!(1_000_000 - store.fuel().unwrap(), whole);
    });
    let engine = Engine::new(Config { fuel: true, ..Config::default() }).unwrap();
    let mut store = Store::new(&engine);
    let instance = instance(&mut store, LOOPS);
    let count = export(&mut store, instance, "count");
    let call = Call::new(&mut store, count, &[Val::I32(10)]).unwrap();
    let error = call.run_slice(&mut store, 100).unwrap_err();
    assert!(error.message().contains("slices of it"), "{error}");
    store.set_fuel(1000).unwrap();
    assert_eq!(call.run(&mut store).unwrap(), CallStatus::Finished);
}

#[test]
fn a_call_waits_at_a_deadline() {
    each(Config { epoch: true, ..Config::default() }, |store| {
        let instance = instance(store, LOOPS);
        let count = export(store, instance, "count");
        store.set_epoch_deadline(0).unwrap();
        let call = Call::new(&mut *store, count, &[Val::I32(1_000_000)]).unwrap();
        call.set_waits_at_deadline(&mut *store, true).unwrap();
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::AtDeadline);
        store.engine().clone().increment_epoch();
        // It has until the next epoch; which has come, so that it waits once more, somewhere else.
        assert_eq!(call.status(&*store).unwrap(), CallStatus::AtDeadline);
        let interrupter = store.interrupter().unwrap();
        store.set_epoch_deadline(1).unwrap();
        store.engine().clone().increment_epoch();
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
        // An interrupt is none.
        store.set_epoch_deadline(100).unwrap();
        let call = Call::new(&mut *store, count, &[Val::I32(1_000_000)]).unwrap();
        call.set_waits_at_deadline(&mut *store, true).unwrap();
        interrupter.interrupt();
        let error = call.run(&mut *store).unwrap_err();
        assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::Interrupt));
        // Other calls trap.
        store.set_epoch_deadline(0).unwrap();
        let error = count.call(&mut *store, &[Val::I32(1)], &mut [Val::I32(0)]).unwrap_err();
        assert_eq!(error.payload::<Trap>().unwrap().code(), Some(TrapCode::Interrupt));
    });
}

#[test]
fn a_store_has_as_many_calls_as_it_may() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    store.set_limits(StoreLimits { calls: 2, ..StoreLimits::default() });
    let host = Func::wrap(&mut store, || {}).unwrap();
    let first = Call::new(&mut store, host, &[]).unwrap();
    Call::new(&mut store, host, &[]).unwrap();
    assert_eq!(Call::new(&mut store, host, &[]).unwrap_err().kind(), ErrorKind::Limit);
    first.delete(&mut store).unwrap();
    Call::new(&mut store, host, &[]).unwrap();
}

/// What frames on stacks that were left refer to is looked at by the collector, and so are values on their way.
#[test]
fn what_waits_holds_what_guests_have_made() {
    const TEXT: &str = r#"(module
        (type $box (struct (field (mut i32))))
        (import "host" "later" (func $later (param i32) (result i32)))
        (func $make (export "make") (param i32) (result (ref null $box)) (struct.new $box (local.get 0)))
        (func (export "garbage") (param $n i32) (result i32)
            (loop
                (drop (struct.new $box (local.get $n)))
                (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $n))
        (func (export "holds") (param $n i32) (result i32)
            (local $mine (ref null $box))
            (local.set $mine (call $make (local.get $n)))
            (struct.new $box (i32.const 1000))
            (struct.set $box 0 (local.get $mine)
                (i32.add (struct.get $box 0 (local.get $mine)) (call $later (i32.const 1))))
            (i32.add (struct.get $box 0) (struct.get $box 0 (local.get $mine))))
        (func (export "takes") (param $given (ref null $box)) (result (ref null $box))
            (drop (call $later (i32.const 2)))
            (local.get $given)))"#;
    for force_collections in [false, true] {
        each(Config { force_collections, ..Config::default() }, |store| {
            let instance = instance(store, TEXT);
            let names = ["holds", "garbage", "make", "takes"];
            let [holds, garbage, make, takes] = names.map(|name| export(store, instance, name));
            let collect = |store: &mut Store| {
                garbage.call(&mut *store, &[Val::I32(2000)], &mut [Val::I32(0)]).unwrap();
            };
            let calls: Vec<_> = (0..20).map(|n| Call::new(&mut *store, holds, &[Val::I32(n)]).unwrap()).collect();
            for call in &calls {
                call.run(&mut *store).unwrap();
                collect(store);
            }
            for (n, call) in calls.iter().enumerate() {
                call.answer(&mut *store, Ok(&[Val::I32(100)])).unwrap();
                collect(store);
                assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
                collect(store);
                assert_eq!(number(&call.results(&mut *store).unwrap()), 1100 + n as i32);
            }
            // A parameter that only the call holds, and a result.
            let call = store.scope(|store| {
                let mut made = [Val::AnyRef(None)];
                make.call(&mut *store, &[Val::I32(77)], &mut made).unwrap();
                Call::new(store, takes, &made).unwrap()
            });
            collect(store);
            assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Waiting(2));
            collect(store);
            call.answer(&mut *store, Ok(&[Val::I32(0)])).unwrap();
            assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
            collect(store);
            let results = call.results(&mut *store).unwrap();
            let [Val::AnyRef(Some(kept))] = results[..] else { panic!("{results:?}") };
            assert!(matches!(kept.get(&*store, 0).unwrap(), Val::I32(77)));
        });
    }
}

/// A debugger comes while guests wait on stacks of their own: they go on in their code, what they call is debug code.
#[test]
fn a_debugger_comes_while_guests_wait() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let mut store = Store::new(&engine);
    let instance = instance(&mut store, ASKS);
    let names = ["deep", "twice"];
    let [deep, twice] = names.map(|name| export(&mut store, instance, name));
    let calls = [deep, twice].map(|func| Call::new(&mut store, func, &[Val::I32(9)]).unwrap());
    for call in &calls {
        assert!(matches!(call.run(&mut store).unwrap(), CallStatus::Waiting(_)));
    }
    let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
    for (call, expected) in calls.into_iter().zip([13, 44]) {
        while let CallStatus::Waiting(_) = call.status(&store).unwrap() {
            call.answer(&mut store, Ok(&[Val::I32(4)])).unwrap();
            assert!(debugger.clone().detach(&mut store).is_err(), "there are frames");
            call.run(&mut store).unwrap();
        }
        assert_eq!(number(&call.results(&mut store).unwrap()), expected);
    }
    debugger.detach(&mut store).unwrap();
}

/// What is asked at a deadline, and for growth, is asked on the stack of whoever runs the call.
#[test]
fn those_who_are_asked_are_asked_outside() {
    const GROWS: &str = r#"(module
        (import "host" "later" (func $later (param i32) (result i32)))
        (memory 1 10)
        (func (export "grow") (param $n i32) (result i32) (memory.grow (local.get $n)))
        (func (export "count") (param $n i32) (result i32)
            (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $n)))"#;
    each(Config { epoch: true, ..Config::default() }, |store| {
        let here = || {
            let here = 0u8;
            std::ptr::from_ref(&here).addr()
        };
        let thread = here();
        let is_outside = move || here().abs_diff(thread) < 4 << 20;
        let instance = instance(store, GROWS);
        store.set_limiter(Some(Arc::new(move |growth: &Growth| {
            assert!(is_outside());
            Ok(growth.desired <= 3 << 16)
        })));
        let grow = export(store, instance, "grow");
        for (pages, before) in [(1, 1), (1, 2), (1, -1)] {
            let call = Call::new(&mut *store, grow, &[Val::I32(pages)]).unwrap();
            assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
            assert_eq!(number(&call.results(&mut *store).unwrap()), before);
        }
        let answers = Arc::new(AtomicU32::new(0));
        let asked = answers.clone();
        store
            .set_at_deadline(Some(Arc::new(move || {
                assert!(is_outside());
                Ok(match asked.fetch_add(1, Ordering::SeqCst) {
                    0 => AtDeadline::Wait,
                    1 => AtDeadline::Extend(1),
                    _ => AtDeadline::End,
                })
            })))
            .unwrap();
        let count = export(store, instance, "count");
        store.set_epoch_deadline(0).unwrap();
        let call = Call::new(&mut *store, count, &[Val::I32(1000)]).unwrap();
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::AtDeadline);
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
        assert_eq!(answers.load(Ordering::SeqCst), 1, "it has until the next epoch");
        // Who cannot wait is told so.
        answers.store(0, Ordering::SeqCst);
        store.set_epoch_deadline(0).unwrap();
        let error = count.call(&mut *store, &[Val::I32(1000)], &mut [Val::I32(0)]).unwrap_err();
        assert!(error.message().contains("cannot wait"), "{error}");
        store.set_epoch_deadline(0).unwrap();
        let call = Call::new(&mut *store, count, &[Val::I32(1000)]).unwrap();
        assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Finished);
        assert_eq!(answers.load(Ordering::SeqCst), 2);
    });
}

/// What a host function is answered may be an exception, which the guest that has waited catches, or hands on.
#[test]
fn an_answer_may_be_an_exception() {
    const CATCHES: &str = r#"(module
        (import "host" "later" (func $later (param i32) (result i32)))
        (import "host" "tag" (tag $tag (param i32)))
        (func $asks (param $n i32) (result i32) (call $later (local.get $n)))
        (func (export "catches") (param $n i32) (result i32)
            (block $caught (result i32)
                (return (try_table (result i32) (catch $tag $caught) (call $asks (local.get $n)))))
            (i32.add (i32.const 1000)))
        (func (export "hands") (param $n i32) (result i32) (call $asks (local.get $n))))"#;
    each(Config::default(), |store| {
        let later = Func::wrap(&mut *store, |what: i32| -> Result<i32> { Err(NotYet(what as u64).into()) }).unwrap();
        let tag = Tag::new(&mut *store, FuncType::new([ValType::I32], [])).unwrap();
        let module = Module::new(store.engine(), &wat::parse_str(CATCHES).unwrap()).unwrap();
        let instance = Instance::new(&mut *store, &module, &[later.into(), tag.into()]).unwrap();
        for (name, caught) in [("catches", true), ("hands", false)] {
            let func = export(store, instance, name);
            let call = Call::new(&mut *store, func, &[Val::I32(1)]).unwrap();
            assert_eq!(call.run(&mut *store).unwrap(), CallStatus::Waiting(1));
            let exception = ExnRef::new(&mut *store, tag, &[Val::I32(7)]).unwrap();
            let thrown = exception.throw(&*store).unwrap();
            call.answer(&mut *store, Err(thrown)).unwrap();
            match call.run(&mut *store) {
                Ok(status) => {
                    assert!(caught && status == CallStatus::Finished);
                    assert_eq!(number(&call.results(&mut *store).unwrap()), 1007);
                }
                Err(error) => assert!(!caught && error.payload::<Trap>().unwrap().exception().is_some()),
            }
        }
    });
}

/// A call that has not begun holds its function and parameters, one that is done its results, whatever is collected.
#[test]
fn what_has_not_begun_and_what_is_done_holds_what_it_needs() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    let instance = instance(
        &mut store,
        r#"(module
            (type $box (struct (field i32)))
            (import "host" "later" (func $later (param i32) (result i32)))
            (func (export "make") (param i32) (result (ref null $box)) (struct.new $box (local.get 0)))
            (func (export "both") (param externref (ref null $box)) (result externref (ref null $box) funcref)
                (local.get 0) (local.get 1) (ref.func $itself))
            (func $itself (export "itself") (param i32) (result i32) (local.get 0)))"#,
    );
    let (make, both) = (export(&mut store, instance, "make"), export(&mut store, instance, "both"));
    // SAFETY: no handle is used afterwards but that of the call.
    let collect = |store: &mut Store| drop(unsafe { store.collect([]) }.unwrap());
    let call = store.scope(|store| {
        let mut made = [Val::AnyRef(None)];
        make.call(&mut *store, &[Val::I32(42)], &mut made).unwrap();
        let of_host = ExternRef::new(&mut *store, Box::new(1234u32)).unwrap();
        Call::new(store, both, &[Val::ExternRef(Some(of_host)), made[0]]).unwrap()
    });
    collect(&mut store);
    assert_eq!(call.run(&mut store).unwrap(), CallStatus::Finished);
    collect(&mut store);
    let results = call.results(&mut store).unwrap();
    let [Val::ExternRef(Some(of_host)), Val::AnyRef(Some(made)), Val::FuncRef(Some(func))] = results[..] else {
        panic!("{results:?}")
    };
    assert!(of_host.data(&store).unwrap().downcast_ref::<u32>() == Some(&1234));
    assert!(matches!(made.get(&store, 0).unwrap(), Val::I32(42)));
    let mut result = [Val::I32(0)];
    func.call(&mut store, &[Val::I32(3)], &mut result).unwrap();
    assert_eq!(number(&result), 3);
    call.delete(&mut store).unwrap();
    collect(&mut store);
    assert_eq!(store.usage().instances, 0, "nothing holds it any more");
}
