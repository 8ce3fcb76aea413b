//! Stops that are answered later: what is seen, and what the guest does, is what a callback that answers at once gets.

use std::sync::{Arc, Mutex};
use stepwell::debug::{Action, Debugger, Reason, Stop};
use stepwell::runtime::{Call, CallStatus, DebugTier};
use stepwell::*;

const TEXT: &str = r#"(module
    (import "host" "later" (func $later (param i32) (result i32)))
    (memory (export "memory") 1)
    (func $leaf (param $n i32) (result i32)
        (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get $n)))
        (i32.add (i32.mul (local.get $n) (i32.const 3)) (i32.load (i32.const 8))))
    (func $work (export "work") (param $n i32) (result i32)
        (local $sum i32)
        (loop
            (local.set $sum (i32.add (local.get $sum) (call $leaf (local.get $n))))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "asks") (param $n i32) (result i32)
        (local $first i32)
        (local.set $first (call $later (local.get $n)))
        (i32.add (call $leaf (local.get $first)) (call $later (i32.const 1))))
    (func (export "traps") (param $n i32) (result i32)
        (i32.div_u (call $leaf (local.get $n)) (i32.sub (local.get $n) (local.get $n)))))"#;

/// What a stop shows.
fn shown(stop: &mut Stop<'_>) -> String {
    use std::fmt::Write;
    let mut text = match stop.reason() {
        Reason::Breakpoint(_) => "breakpoint".to_owned(),
        Reason::Trap(code) => format!("trap {code:?}"),
        other => format!("{other:?}"),
    };
    for index in 0..stop.frame_count() {
        let frame = stop.frame(index).unwrap();
        let _ = write!(
            text,
            " {}@{:#x} {:?} {:?}",
            frame.func().get(),
            frame.offset().get(),
            frame.locals(),
            frame.operands()
        );
    }
    text
}

struct World {
    store: Store,
    debugger: Debugger,
    instance: Instance,
    told: Arc<Mutex<Vec<String>>>,
}

/// Whether stops are answered later; what is answered.
fn world(debug_tier: DebugTier, later: bool, action: Action) -> World {
    let engine = Engine::new(Config { debug: true, debug_tier, ..Config::default() }).unwrap();
    let mut store = Store::new(&engine);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let debugger = Debugger::attach(&mut store, move |stop| {
        if later {
            return Action::Later;
        }
        let text = shown(stop);
        tell.lock().unwrap().push(text);
        action.clone()
    })
    .unwrap();
    let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
    let host = Func::wrap(&mut store, |n: i32| -> Result<i32> { Err(NotYet(n as u64).into()) }).unwrap();
    let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
    let body = module.info().exports.iter().find(|export| export.name == "work");
    assert!(body.is_some());
    World { store, debugger, instance, told }
}

impl World {
    fn call(&mut self, name: &str, n: i32) -> Call {
        let Some(Extern::Func(func)) = self.instance.export(&mut self.store, name) else { panic!("no {name}") };
        Call::new(&mut self.store, func, &[Val::I32(n)]).unwrap()
    }

    fn break_at(&mut self, name: &str) {
        self.debugger.break_at_name(&mut self.store, None, name).unwrap();
    }

    /// Runs a call to its end, answering every stop with this, and every question of its with 5.
    fn run(&mut self, call: Call, action: &Action) -> String {
        loop {
            match call.run(&mut self.store) {
                Ok(CallStatus::Finished) => return format!("{:?}", call.results(&mut self.store).unwrap()),
                Ok(CallStatus::Waiting(_)) => call.answer(&mut self.store, Ok(&[Val::I32(5)])).unwrap(),
                Ok(CallStatus::Stopped) => self.answer(call, action),
                Ok(other) => panic!("{other:?}"),
                Err(error) => return error.to_string(),
            }
        }
    }

    fn answer(&mut self, call: Call, action: &Action) {
        let text = self.debugger.with_stop(&mut self.store, call, shown).unwrap();
        self.told.lock().unwrap().push(text);
        self.debugger.answer(&mut self.store, call, action.clone()).unwrap();
    }
}

#[test]
fn answered_later_is_answered_the_same() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        for action in [Action::Continue, Action::StepInstruction, Action::StepOver, Action::StepOut] {
            for name in ["work", "asks", "traps"] {
                let outcome = |later| {
                    let mut world = world(tier, later, action.clone());
                    world.break_at("leaf");
                    if name == "asks" {
                        world.break_at("asks");
                    }
                    let call = world.call(name, 4);
                    let result = world.run(call, &action);
                    let told = std::mem::take(&mut *world.told.lock().unwrap());
                    assert!(told.len() > 1, "{name} {action:?}");
                    (result, told)
                };
                assert_eq!(outcome(true), outcome(false), "{tier:?} {action:?} {name}");
            }
        }
    }
}

#[test]
fn several_stand_at_once_and_are_answered_in_any_order() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let alone: Vec<_> = (1..8)
            .map(|n| {
                let mut world = world(tier, true, Action::Continue);
                world.break_at("leaf");
                let call = world.call("work", n);
                world.run(call, &Action::Continue)
            })
            .collect();
        let mut world = world(tier, true, Action::Continue);
        world.break_at("leaf");
        let calls: Vec<_> = (1..8).map(|n| world.call("work", n)).collect();
        for call in &calls {
            assert_eq!(call.run(&mut world.store).unwrap(), CallStatus::Stopped);
        }
        let memory = match world.instance.export(&mut world.store, "memory") {
            Some(Extern::Memory(memory)) => memory,
            other => panic!("{other:?}"),
        };
        for (n, call) in calls.iter().enumerate().rev() {
            // They share a memory: each begins with what it is alone.
            memory.write(&mut world.store, 8, &[0; 4]).unwrap();
            assert_eq!(world.run(*call, &Action::Continue), alone[n]);
        }
    }
}

/// A step goes on in its call, whatever other calls do meanwhile.
#[test]
fn a_step_is_of_its_call() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let mut world = world(tier, true, Action::Continue);
        world.break_at("asks");
        let (stepped, other) = (world.call("asks", 4), world.call("work", 3));
        assert_eq!(stepped.run(&mut world.store).unwrap(), CallStatus::Stopped);
        // Over the call of the host function, which waits.
        let mut status = CallStatus::Stopped;
        while status == CallStatus::Stopped {
            world.answer(stepped, &Action::StepOver);
            status = stepped.run(&mut world.store).unwrap();
        }
        assert_eq!(status, CallStatus::Waiting(4));
        assert_eq!(other.run(&mut world.store).unwrap(), CallStatus::Finished, "no step of its");
        stepped.answer(&mut world.store, Ok(&[Val::I32(5)])).unwrap();
        assert_eq!(stepped.run(&mut world.store).unwrap(), CallStatus::Stopped, "behind the call");
        world.answer(stepped, &Action::Continue);
        assert_eq!(stepped.run(&mut world.store).unwrap(), CallStatus::Waiting(1));
        stepped.delete(&mut world.store).unwrap();
        world.debugger.detach(&mut world.store).unwrap();
    }
}

#[test]
fn what_stands_is_changed_and_given_up() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let mut world = world(tier, true, Action::Continue);
        world.break_at("leaf");
        let call = world.call("work", 1);
        assert_eq!(call.run(&mut world.store).unwrap(), CallStatus::Stopped);
        let other = world.call("work", 2);
        let (plain, debugger) = (world.call("work", 1), world.debugger.clone());
        debugger
            .with_stop(&mut world.store, call, |stop| {
                stop.set_local(0, 0, Val::I32(100)).unwrap();
                // It runs, for as long as it is looked at; others are run within.
                assert_eq!(call.run(&mut *stop).unwrap_err().kind(), ErrorKind::State);
                assert_eq!(call.delete(&mut *stop).unwrap_err().kind(), ErrorKind::State);
                assert_eq!(other.run(&mut *stop).unwrap(), CallStatus::Stopped);
                other.delete(&mut *stop).unwrap();
                assert_eq!(stop.frame_count(), 2);
            })
            .unwrap();
        assert!(debugger.with_stop(&mut world.store, plain, |_| ()).is_err(), "it has not begun");
        // 300 + 100, and the memory has 100.
        assert_eq!(call.run(&mut world.store).unwrap(), CallStatus::Finished);
        assert!(matches!(call.results(&mut world.store).unwrap()[..], [Val::I32(400)]));
        assert!(debugger.with_stop(&mut world.store, call, |_| ()).is_err(), "it goes on");
        assert_eq!(plain.run(&mut world.store).unwrap(), CallStatus::Stopped);
        assert!(debugger.detach(&mut world.store).is_err());
        plain.delete(&mut world.store).unwrap();
        assert!(debugger.answer(&mut world.store, plain, Action::Continue).is_err());
        debugger.detach(&mut world.store).unwrap();
        // A store goes with what stands in it.
        let mut world = self::world(tier, true, Action::Continue);
        world.break_at("leaf");
        let call = world.call("work", 1);
        assert_eq!(call.run(&mut world.store).unwrap(), CallStatus::Stopped);
    }
}

#[test]
fn who_cannot_wait_ends_and_says_so() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let mut world = world(tier, true, Action::Continue);
        world.break_at("leaf");
        let Some(Extern::Func(func)) = world.instance.export(&mut world.store, "work") else { panic!() };
        let error = func.call(&mut world.store, &[Val::I32(1)], &mut [Val::I32(0)]).unwrap_err();
        assert!(error.message().contains("cannot wait"), "{error}");
        assert!(!world.store.is_poisoned());
    }
}

/// A guest that is paused waits likewise, wherever it is.
#[test]
fn a_pause_is_answered_later() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let alone = {
            let mut world = world(tier, true, Action::Continue);
            let call = world.call("work", 5000);
            world.run(call, &Action::Continue)
        };
        let mut world = world(tier, true, Action::Continue);
        let pauser = world.debugger.pauser(&mut world.store).unwrap();
        let call = world.call("work", 5000);
        for _ in 0..20 {
            assert!(pauser.pause());
            assert_eq!(call.run(&mut world.store).unwrap(), CallStatus::Stopped);
            let debugger = world.debugger.clone();
            let is_pause = debugger.with_stop(&mut world.store, call, |stop| matches!(stop.reason(), Reason::Pause));
            assert!(is_pause.unwrap());
        }
        assert_eq!(world.run(call, &Action::Continue), alone);
    }
}

/// Whoever asks to be called back before a guest is entered may delete the call that is about to be run, or run it.
#[test]
fn a_call_is_looked_for_again_behind_a_callback() {
    for deletes in [true, false] {
        let mut world = world(DebugTier::Regions, false, Action::Continue);
        let call = world.call("work", 3);
        let attacher = world
            .store
            .attacher(move |store: &mut StoreMut<'_>| match deletes {
                true => call.delete(store),
                false => call.run(store).map(drop),
            })
            .unwrap();
        attacher.request();
        let error = call.run(&mut world.store).unwrap_err();
        assert_eq!(error.kind(), if deletes { ErrorKind::Argument } else { ErrorKind::State }, "{error}");
    }
}

/// A step is of its call wherever that is gone on with, and of no call within which it is.
#[test]
fn a_step_goes_with_its_call_into_others() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let mut world = world(tier, true, Action::Continue);
        world.break_at("asks");
        let stepped = world.call("asks", 4);
        let mut status = stepped.run(&mut world.store).unwrap();
        while status == CallStatus::Stopped {
            world.answer(stepped, &Action::StepOver);
            status = stepped.run(&mut world.store).unwrap();
        }
        assert_eq!(status, CallStatus::Waiting(4));
        let host = Func::wrap(&mut world.store, move |mut caller: Caller<'_>, n: i32| -> Result<i32> {
            stepped.answer(&mut caller, Ok(&[Val::I32(5)]))?;
            assert_eq!(stepped.run(&mut caller)?, CallStatus::Stopped, "behind the call");
            Ok(n)
        })
        .unwrap();
        let module = Module::new(world.store.engine(), &wat::parse_str(TEXT).unwrap()).unwrap();
        let outer = Instance::new(&mut world.store, &module, &[host.into()]).unwrap();
        let Some(Extern::Func(func)) = outer.export(&mut world.store, "asks") else { panic!() };
        world.debugger.breakpoints(&world.store).unwrap().into_iter().for_each(|breakpoint| {
            world.debugger.remove(&mut world.store, breakpoint.id).unwrap();
        });
        let call = Call::new(&mut world.store, func, &[Val::I32(1)]).unwrap();
        // It asks twice; the second time the other one stands, and is answered nothing.
        let error = call.run(&mut world.store).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State, "{error}");
        assert_eq!(stepped.status(&world.store).unwrap(), CallStatus::Stopped);
    }
}
