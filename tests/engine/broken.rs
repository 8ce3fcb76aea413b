//! Changes of machine code that the system refuses at the worst moments: in a host function, in the middle of an
//! instantiation. No guest goes on in code of which nobody knows what it does, and no breakpoint is forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use stepwell::base::{ErrorKind, FuncIndex};
use stepwell::debug::{Action, Debugger};
use stepwell::internals::sys::faults;
use stepwell::runtime::{Caller, Config, DebugTier, Engine, Func, Instance, Module, Store};

const GUEST: &str = r#"(module (import "" "host" (func $host))
    (func (export "run") (call $host) (call $work) (call $work))
    (func $work (local i32)
        (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if 0 (i32.lt_u (local.get 0) (i32.const 9))))))"#;

fn engine(debug_tier: DebugTier) -> Engine {
    Engine::new(Config { debug: true, debug_tier, ..Config::default() }).unwrap()
}

#[test]
fn no_guest_goes_on_in_a_store_whose_code_is_broken() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let engine = engine(tier);
        let module = Module::new(&engine, &wat::parse_str(GUEST).unwrap()).unwrap();
        let (mut broken, mut n) = (0, 0);
        loop {
            n += 1;
            let mut store = Store::new(&engine);
            let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
            let (in_host, of) = (debugger.clone(), module.clone());
            let hit = Arc::new(AtomicU32::new(0));
            let seen = hit.clone();
            let host = Func::wrap(&mut store, move |mut caller: Caller<'_>| {
                let guard = faults::refuse_from(n);
                // The host does not mind.
                let _ = in_host.break_at_function(&mut caller, &of, FuncIndex::new(2));
                seen.store(guard.hit().into(), Relaxed);
            })
            .unwrap();
            let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
            let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
            let result = run.call(&mut store, &[], &mut []);
            if store.is_poisoned() {
                broken += 1;
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Poisoned);
                assert_eq!(run.call(&mut store, &[], &mut []).unwrap_err().kind(), ErrorKind::Poisoned);
                let further = debugger.break_at_function(&mut store, &module, FuncIndex::new(1)).map(drop);
                assert_eq!(further.unwrap_err().kind(), ErrorKind::Poisoned);
                debugger.detach(&mut store).unwrap();
            } else {
                result.unwrap();
            }
            if hit.load(Relaxed) == 0 {
                break;
            }
        }
        assert!(broken > 0, "{tier:?}: none of {n}");
    }
}

#[test]
fn a_module_that_could_not_be_told_of_is_told_again() {
    for tier in [DebugTier::Simple, DebugTier::Regions] {
        let engine = engine(tier);
        let module = Module::new(&engine, &wat::parse_str(GUEST).unwrap()).unwrap();
        let mut refused = 0;
        for n in 1.. {
            let mut store = Store::new(&engine);
            let stops = Arc::new(AtomicU32::new(0));
            let counted = stops.clone();
            let debugger = Debugger::attach(&mut store, move |_| {
                counted.fetch_add(1, Relaxed);
                Action::Continue
            })
            .unwrap();
            debugger.break_at_function(&mut store, &module, FuncIndex::new(2)).unwrap();
            let host = Func::wrap(&mut store, |_: Caller<'_>| ()).unwrap();
            let guard = faults::fail_nth(n);
            let first = Instance::new(&mut store, &module, &[host.into()]);
            let hit = guard.hit();
            drop(guard);
            refused += u32::from(first.is_err());
            let instance = first.or_else(|_| Instance::new(&mut store, &module, &[host.into()])).unwrap();
            let run = instance.export(&mut store, "run").and_then(|item| item.func()).unwrap();
            run.call(&mut store, &[], &mut []).unwrap();
            assert_eq!(stops.load(Relaxed), 2, "{tier:?}, call {n} failed");
            if !hit {
                break;
            }
        }
        assert!(refused > 2, "{tier:?}: {refused}");
    }
}
