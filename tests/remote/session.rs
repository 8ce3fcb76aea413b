//! The session by itself: guests stand, do what clients ask, and go on, whatever becomes of the client.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use stepwell::base::FuncIndex;
use stepwell::debug::{Action, BreakRequest, Reason, Stop};
use stepwell::remote::session::{
    Client, NotStopped, OnDisconnect, Outcome, OutputStream, Refused, Session, SessionEvent, SessionOptions, Stopped,
    ThreadId,
};
use stepwell::{AsStore, AsStoreMut, Config, Engine, Func, Instance, Module, Result, Store, Trap, Val};

/// `spin` runs until its memory's first word is no longer 0, and gives what it has counted modulo 2; `outer` calls
/// `long`, which takes about half a second, and `call` the host.
const GUEST: &str = r#"(module $guest
    (import "host" "f" (func $host))
    (memory (export "memory") 1)
    (func $leaf (export "leaf") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $spin (export "spin") (param i32) (result i32)
        (loop $turn
            (local.set 0 (call $leaf (local.get 0)))
            (br_if $turn (i32.eqz (i32.load (i32.const 0)))))
        (i32.const 42))
    (func $long (export "long") (param i32) (result i32)
        (loop $turn (br_if $turn (local.tee 0 (call $leaf (i32.sub (local.get 0) (i32.const 2))))))
        (local.get 0))
    (func $outer (export "outer") (param i32) (result i32)
        (i32.add (call $long (local.get 0)) (call $leaf (i32.const 6))))
    (func $two (export "two") (result i32)
        (drop (call $leaf (i32.const 1))) (drop (call $leaf (i32.const 2))) (i32.const 3))
    (func (export "call") (result i32) (call $host) (call $host) (i32.const 9))
    (func (export "crash") (result i32) (i32.load (i32.const -1)))
    (func (export "forever") (result i32) (loop $turn (br $turn)) (i32.const 0)))"#;

const SOON: Duration = Duration::from_secs(20);

struct Host {
    store: Store,
    module: Module,
    instance: Instance,
    session: Session,
    thread: ThreadId,
}

fn engine() -> Engine {
    Engine::new(Config { debug: true, ..Config::default() }).unwrap()
}

fn parse(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

fn host_with(options: SessionOptions, f: impl Fn(stepwell::Caller<'_>) + Send + Sync + 'static) -> Host {
    let engine = engine();
    let module = parse(&engine, GUEST);
    let mut store = Store::new(&engine);
    let session = Session::new(options);
    let ty = stepwell::FuncType::new(vec![], vec![]);
    let host = Func::new(&mut store, ty, move |caller, _, _| {
        f(caller);
        Ok(())
    });
    let host = host.unwrap();
    let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
    let thread = session.add(&mut store, "main").unwrap();
    Host { store, module, instance, session, thread }
}

fn host(options: SessionOptions) -> Host {
    host_with(options, |_| {})
}

fn plain() -> Host {
    host(SessionOptions::default())
}

/// Calls an export on a thread of its own, which gives the host back.
fn call(mut host: Host, name: &'static str, args: &'static [i32]) -> JoinHandle<(Result<i32>, Host)> {
    spawn(move || (call_here(&mut host, name, args), host))
}

fn call_here(host: &mut Host, name: &str, args: &[i32]) -> Result<i32> {
    let func = host.instance.export(&mut host.store, name).unwrap().func().unwrap();
    let args: Vec<Val> = args.iter().map(|arg| Val::I32(*arg)).collect();
    let mut results = [Val::I32(0)];
    func.call(&mut host.store, &args, &mut results)?;
    match results[0] {
        Val::I32(result) => Ok(result),
        _ => unreachable!(),
    }
}

/// The next event but those that say that something goes on or has come.
fn event(client: &Client) -> SessionEvent {
    loop {
        match client.next_event(Some(SOON)).expect("an event") {
            SessionEvent::Continued(_) | SessionEvent::Instances(_) | SessionEvent::Added(_) => {}
            event => return event,
        }
    }
}

fn stopped(client: &Client) -> Stopped {
    match event(client) {
        SessionEvent::Stopped(stopped) => stopped,
        other => panic!("{other:?}"),
    }
}

fn top(stop: &mut Stop<'_>) -> (String, usize) {
    let top = stop.top().unwrap();
    (top.func_name().unwrap().to_owned(), stop.frame_count())
}

/// The function that a guest stands in, and how many frames there are.
fn at(client: &Client, thread: ThreadId) -> (String, usize) {
    client.at_stop(thread, top).unwrap()
}

fn here(name: &str, frames: usize) -> (String, usize) {
    (name.to_owned(), frames)
}

/// Has a guest that spins end.
fn end_spin(client: &Client, thread: ThreadId, instance: Instance) {
    client.with_guest(thread, SOON, move |stop| set_word(stop, instance)).unwrap();
}

fn set_word(stop: &mut Stop<'_>, instance: Instance) {
    let memory = instance.export(&mut *stop, "memory").unwrap().memory().unwrap();
    memory.write(stop, 0, &[1]).unwrap();
}

fn break_at(module: &Module, name: &str) -> impl FnOnce(&mut Stop<'_>) -> u32 + Send + 'static {
    let request = BreakRequest::function(module, name);
    move |stop| stop.debugger().add_breakpoint(stop, request).unwrap().id.get()
}

fn breakpoints(client: &Client, thread: ThreadId) -> usize {
    client.at_stop(thread, |stop| stop.debugger().breakpoint_count(stop).unwrap()).unwrap()
}

/// A running guest, of which is known that it runs.
fn running(client: &Client, thread: ThreadId) {
    client.with_guest(thread, SOON, |_| {}).unwrap();
}

#[test]
fn the_first_guest_waits_for_a_client_that_has_it_go_on() {
    let host = host(SessionOptions { wait: true, ..SessionOptions::default() });
    let (session, thread, module) = (host.session.clone(), host.thread, host.module.clone());
    let guest = call(host, "two", &[]);
    sleep(Duration::from_millis(100));
    assert!(!guest.is_finished(), "it waits for the client");
    let client = session.connect().unwrap();
    let stop = stopped(&client);
    assert_eq!((stop.thread, stop.depth, stop.frames, &*stop.text), (thread, 1, 1, "paused"));
    assert_eq!(at(&client, thread), here("two", 1));
    let id = client.at_stop(thread, break_at(&module, "leaf")).unwrap();
    for _ in 0..2 {
        assert!(client.resume(thread, Action::Continue).unwrap());
        let stop = stopped(&client);
        assert_eq!((stop.breakpoints(), stop.frames), (vec![id], 2));
        assert_eq!(stop.text, format!("breakpoint {id}"));
        assert_eq!(client.stopped(thread).unwrap().breakpoints(), [id]);
    }
    client.resume(thread, Action::Continue).unwrap();
    let (result, host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 3);
    assert!(client.stopped(thread).is_none());
    drop(host);
    assert!(matches!(event(&client), SessionEvent::Ended(ended, Outcome::Gone) if ended == thread));
    assert!(client.threads().is_empty());
    assert_eq!(client.at_stop(thread, |_| ()), Err(NotStopped::NoThread));
    assert_eq!(client.resume(thread, Action::Continue), Err(NotStopped::NoThread));
}

#[test]
fn a_client_that_has_come_before_finds_the_first_guest_at_its_first_instruction() {
    let host = host(SessionOptions { wait: true, ..SessionOptions::default() });
    let (session, thread) = (host.session.clone(), host.thread);
    let client = session.connect().unwrap();
    assert!(client.next_event(Some(Duration::from_millis(20))).is_none());
    let guest = call(host, "two", &[]);
    assert!(matches!(stopped(&client).reason, Reason::Pause));
    assert_eq!(at(&client, thread), here("two", 1));
    client.resume(thread, Action::Continue).unwrap();
    let (result, mut host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 3);
    assert_eq!(call_here(&mut host, "two", &[]).unwrap(), 3, "only the first one");
    // And it may have said before that it need not stand.
    client.pause(thread).unwrap();
    assert!(!client.resume(thread, Action::Continue).unwrap());
    assert_eq!(call_here(&mut host, "two", &[]).unwrap(), 3);
}

#[test]
fn what_is_set_while_no_guest_runs_is_there_for_the_first_instruction() {
    let mut host = plain();
    let (thread, module) = (host.thread, host.module.clone());
    let client = host.session.connect().unwrap();
    assert_eq!(client.at_stop(thread, |_| ()), Err(NotStopped::Running));
    let done = Arc::new(AtomicBool::new(false));
    let seen = done.clone();
    let late = client.with_guest(thread, Duration::from_millis(20), move |_| seen.store(true, Ordering::Relaxed));
    assert_eq!(late, Err(NotStopped::Late));
    assert_eq!(call_here(&mut host, "two", &[]).unwrap(), 3);
    assert!(!done.load(Ordering::Relaxed), "it was withdrawn");
    // `leaf` is the function that is called, so the guest comes to it and to the work at one instruction.
    let set = break_at(&module, "leaf");
    client.later(thread, move |stop| _ = set(stop)).unwrap();
    let guest = call(host, "leaf", &[1]);
    let stop = stopped(&client);
    assert_eq!((stop.breakpoints().len(), stop.frames), (1, 1));
    client.resume(thread, Action::Continue).unwrap();
    let (result, _host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 2);
    assert!(client.next_event(Some(Duration::ZERO)).is_some(), "it went on");
    assert!(client.next_event(Some(Duration::ZERO)).is_none(), "and was told of once");
}

#[test]
fn a_guest_that_runs_does_work_unseen() {
    let host = plain();
    let (session, thread, instance) = (host.session.clone(), host.thread, host.instance);
    let client = session.connect().unwrap();
    let guest = call(host, "spin", &[0]);
    for _ in 0..20 {
        let (name, frames) = client.with_guest(thread, SOON, top).unwrap();
        assert!((name == "spin" && frames == 1) || (name == "leaf" && frames == 2), "{name} {frames}");
        assert!(client.stopped(thread).is_none());
    }
    client.pause(thread).unwrap();
    let stop = stopped(&client);
    assert!(matches!(stop.reason, Reason::Pause));
    // Standing, it does it as well, and is not moved by it.
    let before = at(&client, thread);
    assert_eq!(client.with_guest(thread, SOON, top).unwrap(), before);
    client.resume(thread, Action::Continue).unwrap();
    end_spin(&client, thread, instance);
    let (result, _host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 42);
    let left: Vec<_> = std::iter::from_fn(|| client.next_event(Some(Duration::ZERO))).collect();
    assert!(matches!(left[..], [SessionEvent::Continued(_)]), "{left:?}");
    assert_eq!(client.resume(thread, Action::Continue), Ok(false));
}

/// Work on the running guest in the middle of a step.
fn step_with_work(action: Action, at_start: &str, name: &'static str, expected: (String, usize)) {
    let host = plain();
    let (session, thread, module) = (host.session.clone(), host.thread, host.module.clone());
    let client = session.connect().unwrap();
    let set = break_at(&module, at_start);
    client.later(thread, move |stop| _ = set(stop)).unwrap();
    let guest = call(host, name, &[20_000_000]);
    stopped(&client);
    client
        .at_stop(thread, |stop| {
            let debugger = stop.debugger();
            let all = debugger.breakpoints(stop).unwrap();
            debugger.remove(stop, all[0].id).unwrap();
        })
        .unwrap();
    if name == at_start {
        // To the call.
        client.resume(thread, Action::StepInstruction).unwrap();
        stopped(&client);
    }
    assert_eq!(client.resume(thread, action), Ok(true));
    assert_eq!(client.at_stop(thread, |_| ()), Err(NotStopped::Running));
    let mut within = 0;
    let stop = loop {
        match client.with_guest(thread, SOON, |stop| stop.frame_count()) {
            Ok(frames) => within += usize::from(frames > 1),
            Err(error) => panic!("{error}"),
        }
        if let Some(stop) = client.stopped(thread) {
            break stop;
        }
    };
    assert!(within > 3, "the step took {within} works");
    assert!(matches!(stop.reason, Reason::Step), "{stop:?}");
    assert_eq!(at(&client, thread), expected);
    client.resume(thread, Action::Continue).unwrap();
    let (result, _host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 7);
}

#[test]
fn a_step_goes_on_behind_work() {
    step_with_work(Action::StepOver, "outer", "outer", here("outer", 1));
    step_with_work(Action::StepOutOf(0), "outer", "outer", here("outer", 1));
    step_with_work(Action::StepOut, "long", "outer", here("outer", 1));
    step_with_work(Action::StepOutOf(1), "long", "outer", here("outer", 1));
}

#[test]
fn a_single_step_goes_on_behind_work() {
    // The guest is in the host when it is asked for; the step ends behind that.
    let (begun, has_begun) = channel();
    let (go, gone) = channel::<()>();
    let gone = Mutex::new(gone);
    let host = host_with(SessionOptions::default(), move |_| {
        begun.send(()).unwrap();
        gone.lock().unwrap().recv().unwrap();
    });
    let (session, thread) = (host.session.clone(), host.thread);
    let client = session.connect().unwrap();
    client.pause(thread).unwrap();
    let guest = call(host, "call", &[]);
    stopped(&client);
    let offset = client.at_stop(thread, |stop| stop.top().unwrap().offset()).unwrap();
    client.resume(thread, Action::StepInstruction).unwrap();
    has_begun.recv().unwrap();
    let (worked, has_worked) = channel();
    client.later(thread, move |_| worked.send(()).unwrap()).unwrap();
    assert_eq!(client.with_guest(thread, Duration::from_millis(30), |_| ()), Err(NotStopped::Late));
    go.send(()).unwrap();
    let stop = stopped(&client);
    assert!(matches!(stop.reason, Reason::Step), "{stop:?}");
    has_worked.recv().unwrap();
    let behind = client.at_stop(thread, |stop| stop.top().unwrap().offset()).unwrap();
    assert_eq!(behind.get(), offset.get() + 2, "the instruction behind the call");
    go.send(()).unwrap();
    client.resume(thread, Action::Continue).unwrap();
    assert_eq!(guest.join().unwrap().0.unwrap(), 9);
}

#[test]
fn where_a_client_goes_its_guests_go_on_and_its_breakpoints_go() {
    for detach in [false, true] {
        let host = plain();
        let (session, thread, module) = (host.session.clone(), host.thread, host.module.clone());
        let client = session.connect().unwrap();
        let set = break_at(&module, "leaf");
        client.later(thread, move |stop| _ = set(stop)).unwrap();
        let guest = call(host, "two", &[]);
        stopped(&client);
        if detach {
            client.detach()
        } else {
            drop(client)
        }
        let (result, mut host) = guest.join().unwrap();
        assert_eq!(result.unwrap(), 3);
        // Nothing is left.
        let client = session.connect().unwrap();
        assert_eq!(call_here(&mut host, "two", &[]).unwrap(), 3);
        client.pause(thread).unwrap();
        let guest = call(host, "two", &[]);
        stopped(&client);
        assert_eq!(breakpoints(&client, thread), 0);
        drop(client);
        guest.join().unwrap().0.unwrap();
    }
}

#[test]
fn breakpoints_of_a_client_that_went_while_the_guest_ran_go_too() {
    let host = plain();
    let (session, thread, module, instance) = (host.session.clone(), host.thread, host.module.clone(), host.instance);
    let client = session.connect().unwrap();
    let guest = call(host, "spin", &[0]);
    client.with_guest(thread, SOON, break_at(&module, "two")).unwrap();
    client
        .with_guest(thread, SOON, move |stop| {
            let memory = instance.export(&mut *stop, "memory").unwrap().memory().unwrap();
            stop.debugger().watch_memory(stop, memory, 8..16, stepwell::debug::WatchKind::Write).unwrap();
        })
        .unwrap();
    drop(client);
    let client = session.connect().unwrap();
    client.pause(thread).unwrap();
    stopped(&client);
    assert_eq!(breakpoints(&client, thread), 0);
    assert_eq!(client.at_stop(thread, |stop| stop.debugger().watchpoints(stop).unwrap().len()).unwrap(), 0);
    client.resume(thread, Action::Continue).unwrap();
    end_spin(&client, thread, instance);
    guest.join().unwrap().0.unwrap();
}

#[test]
fn guests_can_wait_for_the_next_client() {
    let host = host(SessionOptions { on_disconnect: OnDisconnect::Wait, ..SessionOptions::default() });
    let (session, thread, module) = (host.session.clone(), host.thread, host.module.clone());
    let client = session.connect().unwrap();
    let set = break_at(&module, "leaf");
    client.later(thread, move |stop| _ = set(stop)).unwrap();
    let guest = call(host, "two", &[]);
    stopped(&client);
    drop(client);
    sleep(Duration::from_millis(100));
    assert!(!guest.is_finished());
    let client = session.connect().unwrap();
    assert_eq!(stopped(&client).frames, 2, "the next one is told of it");
    assert_eq!(at(&client, thread), here("leaf", 2));
    assert_eq!(breakpoints(&client, thread), 0);
    client.resume(thread, Action::StepOut).unwrap();
    stopped(&client);
    assert_eq!(at(&client, thread), here("two", 1));
    // One that says so leaves it going on nevertheless.
    client.detach();
    assert_eq!(guest.join().unwrap().0.unwrap(), 3);
}

#[test]
fn guests_can_end_with_their_client() {
    let options = || SessionOptions { on_disconnect: OnDisconnect::EndGuests, ..SessionOptions::default() };
    for standing in [false, true] {
        let host = host(options());
        let (session, thread) = (host.session.clone(), host.thread);
        let client = session.connect().unwrap();
        let guest = call(host, "spin", &[0]);
        running(&client, thread);
        if standing {
            client.pause(thread).unwrap();
            stopped(&client);
        }
        drop(client);
        let (result, mut host) = guest.join().unwrap();
        let error = result.unwrap_err();
        assert_eq!(error.message(), "the debugger has gone");
        assert!(error.payload::<Trap>().is_some() || !error.message().is_empty());
        assert_eq!(call_here(&mut host, "two", &[]).unwrap(), 3, "the store is as good as ever");
    }
    let host = host(SessionOptions::default());
    let (session, thread) = (host.session.clone(), host.thread);
    let client = session.connect().unwrap();
    let guest = call(host, "forever", &[]);
    running(&client, thread);
    client.end_guests("killed");
    assert_eq!(guest.join().unwrap().0.unwrap_err().message(), "killed");
    drop(session);
}

#[test]
fn one_client_at_a_time() {
    let host = plain();
    let client = host.session.connect().unwrap();
    assert_eq!(host.session.connect().err(), Some(Refused::Busy));
    assert!(host.session.has_client());
    drop(client);
    assert!(!host.session.has_client());
    assert!(!host.session.wait_for_client(Some(Duration::from_millis(10))));
    let client = host.session.connect().unwrap();
    assert!(host.session.wait_for_client(None));
    host.session.close();
    assert!(matches!(event(&client), SessionEvent::Closed));
    assert_eq!(client.later(host.thread, |_| ()), Err(NotStopped::Closed));
    drop(client);
    assert_eq!(host.session.connect().err(), Some(Refused::Closed));
    assert!(!host.session.wait_for_client(None));
}

#[test]
fn a_closed_session_lets_guests_go_whose_client_is_still_there() {
    let host = host(SessionOptions { wait: true, ..SessionOptions::default() });
    let session = host.session.clone();
    let client = session.connect().unwrap();
    let guest = call(host, "two", &[]);
    stopped(&client);
    session.close();
    assert_eq!(guest.join().unwrap().0.unwrap(), 3);
    drop(client);
}

#[test]
fn a_closed_session_lets_guests_go_and_a_removed_store_runs_production_code() {
    let host = host(SessionOptions { wait: true, ..SessionOptions::default() });
    let (session, thread) = (host.session.clone(), host.thread);
    let guest = call(host, "two", &[]);
    sleep(Duration::from_millis(50));
    session.close();
    let (result, mut host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 3);
    assert!(session.add(&mut host.store, "again").is_err());
    assert!(host.store.is_attached());
    session.remove(&mut host.store, thread).unwrap();
    assert!(!host.store.is_attached());
    assert!(session.remove(&mut host.store, thread).is_err());
    assert_eq!(call_here(&mut host, "two", &[]).unwrap(), 3);
    // Another session may have it.
    let session = Session::new(SessionOptions::default());
    let second = session.add(&mut host.store, "main").unwrap();
    assert_eq!(second.get(), 1);
    let client = session.connect().unwrap();
    assert_eq!(client.instances().len(), 1);
    host.session = session;
    session_end(host, client, second);
}

/// What the host says of a thread's end is told.
fn session_end(host: Host, client: Client, thread: ThreadId) {
    host.session.end(thread, Outcome::Exited(3));
    assert!(matches!(event(&client), SessionEvent::Ended(_, Outcome::Exited(3))));
    // Its debugger is there until it is removed, or the store is gone.
    let mut host = host;
    assert!(host.store.is_attached());
    host.session.remove(&mut host.store, thread).unwrap();
    assert!(!host.store.is_attached());
    drop(host);
    assert!(client.next_event(Some(Duration::from_millis(10))).is_none(), "once");
}

#[test]
fn work_that_panics_has_no_result_and_ends_nothing() {
    let host = plain();
    let (session, thread) = (host.session.clone(), host.thread);
    let client = session.connect().unwrap();
    client.pause(thread).unwrap();
    let guest = call(host, "two", &[]);
    stopped(&client);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let lost: std::result::Result<(), _> = client.at_stop(thread, |_| panic!("on purpose"));
    std::panic::set_hook(hook);
    assert_eq!(lost, Err(NotStopped::Lost));
    assert_eq!(at(&client, thread), here("two", 1));
    client.resume(thread, Action::Continue).unwrap();
    assert_eq!(guest.join().unwrap().0.unwrap(), 3);
}

#[test]
fn work_that_a_client_left_behind_is_dropped() {
    let host = plain();
    let (session, thread, instance) = (host.session.clone(), host.thread, host.instance);
    let client = Arc::new(session.connect().unwrap());
    client.pause(thread).unwrap();
    let guest = call(host, "spin", &[0]);
    stopped(&client);
    let (begun, has_begun) = channel();
    let (go, gone) = channel::<()>();
    let first = client.start_at_stop(thread, move |_| {
        begun.send(()).unwrap();
        gone.recv().unwrap();
        5
    });
    let first = first.unwrap();
    has_begun.recv().unwrap();
    assert_eq!(first.wait_for(Duration::ZERO), Err(NotStopped::Late));
    let done = Arc::new(AtomicBool::new(false));
    let seen = done.clone();
    let second = client.start_at_stop(thread, move |_| seen.store(true, Ordering::Relaxed)).unwrap();
    drop(Arc::into_inner(client).unwrap());
    assert_eq!(second.wait(), Err(NotStopped::Lost));
    go.send(()).unwrap();
    assert_eq!(first.wait(), Ok(5), "what has begun is done");
    let client = session.connect().unwrap();
    end_spin(&client, thread, instance);
    guest.join().unwrap().0.unwrap();
    assert!(!done.load(Ordering::Relaxed));
}

#[test]
fn work_calls_guests_that_pass_their_breakpoints_or_stop() {
    let host = plain();
    let (session, thread, module, instance) = (host.session.clone(), host.thread, host.module.clone(), host.instance);
    let client = session.connect().unwrap();
    client.pause(thread).unwrap();
    let guest = call(host, "two", &[]);
    stopped(&client);
    client.at_stop(thread, break_at(&module, "leaf")).unwrap();
    let leaf = move |stop: &mut Stop<'_>| {
        instance.typed_func::<i32, i32>(&mut *stop, "leaf").unwrap().call(&mut *stop, 10).map_err(|e| e.to_string())
    };
    assert_eq!(client.at_stop(thread, leaf).unwrap(), Ok(11));
    assert_eq!(at(&client, thread), here("two", 1));
    let pending = client.start_at_stop(thread, leaf).unwrap();
    let stop = stopped(&client);
    assert_eq!((stop.depth, stop.frames, stop.breakpoints().len()), (2, 2, 1));
    assert_eq!(at(&client, thread), here("leaf", 2));
    assert_eq!(pending.wait_for(Duration::ZERO), Err(NotStopped::Late));
    client.resume(thread, Action::StepInstruction).unwrap();
    assert_eq!(stopped(&client).depth, 2);
    client.resume(thread, Action::Continue).unwrap();
    assert_eq!(pending.wait().unwrap(), Ok(11));
    assert_eq!(client.stopped(thread).unwrap().depth, 1);
    assert_eq!(at(&client, thread), here("two", 1));
    // What does not end is ended.
    let forever = move |stop: &mut Stop<'_>| {
        let func = instance.typed_func::<(), i32>(&mut *stop, "forever").unwrap();
        func.call(&mut *stop, ()).unwrap_err().message().to_owned()
    };
    let message = std::thread::scope(|scope| {
        let asked = scope.spawn(|| client.at_stop(thread, forever).unwrap());
        sleep(Duration::from_millis(50));
        client.pause(thread).unwrap();
        asked.join().unwrap()
    });
    assert_eq!(message, "it was interrupted");
    assert_eq!(at(&client, thread), here("two", 1));
    // And so is what does not end when its client goes, or stops.
    let pending = client.start_at_stop(thread, forever).unwrap();
    sleep(Duration::from_millis(20));
    drop(client);
    assert_eq!(pending.wait().unwrap(), "it was interrupted");
    assert_eq!(guest.join().unwrap().0.unwrap(), 3);
}

#[test]
fn a_slow_client_holds_nobody_up() {
    let host = plain();
    let client = host.session.connect().unwrap();
    let begun = Instant::now();
    for _ in 0..40_000 {
        host.session.output(OutputStream::Out, &[b'x'; 1000]);
    }
    host.session.output(OutputStream::Err, &vec![b'y'; 10_000_000]);
    assert!(begun.elapsed() < SOON);
    let (mut taken, mut lost) = (0, 0);
    while let Some(event) = client.next_event(Some(Duration::ZERO)) {
        match event {
            SessionEvent::Output(_, bytes) => taken += bytes.len() as u64,
            SessionEvent::Lost(bytes) => lost += bytes,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(taken + lost, 50_000_000);
    assert!(taken <= 1 << 20 && taken > 500_000, "{taken}");
    host.session.output(OutputStream::Out, b"again");
    assert!(matches!(event(&client), SessionEvent::Output(OutputStream::Out, bytes) if bytes == b"again"));
    drop(client);
    host.session.output(OutputStream::Out, b"to nobody");
}

#[test]
fn waking_returns_once() {
    let host = plain();
    let client = host.session.connect().unwrap();
    let waker = client.waker();
    let other = spawn({
        let waker = waker.clone();
        move || {
            sleep(Duration::from_millis(30));
            waker.wake();
        }
    });
    assert!(client.next_event(None).is_none());
    other.join().unwrap();
    assert!(client.next_event(Some(Duration::from_millis(10))).is_none());
    waker.wake();
    assert!(client.next_event(None).is_none(), "as it was called before");
    drop(client);
    waker.wake();
}

const LATER: &str = r#"(module $later
    (func $begin (drop (i32.const 1)))
    (start $begin))"#;

#[test]
fn instances_are_known_by_numbers_and_can_be_stops_before_they_start() {
    let engine = engine();
    let module = parse(&engine, LATER);
    let mut store = Store::new(&engine);
    Instance::new(&mut store, &module, &[]).unwrap();
    let session = Session::new(SessionOptions::default());
    let thread = session.add(&mut store, "main").unwrap();
    let client = session.connect().unwrap();
    Instance::new(&mut store, &module, &[]).unwrap();
    let numbers: Vec<u32> = client.instances().iter().map(|instance| instance.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(client.instances().iter().all(|instance| Module::same(&instance.module, &module)));
    client.stop_at_instances(true);
    let made = spawn(move || {
        Instance::new(&mut store, &module, &[]).unwrap();
        store
    });
    let stop = stopped(&client);
    assert!(matches!(stop.reason, Reason::Instance(_)));
    assert_eq!(stop.frames, 0);
    assert_eq!(client.instances().len(), 3);
    let third = client.instances()[2].module.clone();
    client.at_stop(thread, break_at(&third, "begin")).unwrap();
    client.resume(thread, Action::Continue).unwrap();
    let stop = stopped(&client);
    assert_eq!((stop.breakpoints().len(), stop.frames), (1, 1));
    client.resume(thread, Action::Continue).unwrap();
    drop(made.join().unwrap());
}

#[test]
fn a_step_goes_on_behind_instances_that_come() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let host = host_with(SessionOptions::default(), move |mut caller| {
        let engine = caller.as_store_mut().engine().clone();
        let module = parse(&engine, LATER);
        Instance::new(caller, &module, &[]).unwrap();
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let (session, thread) = (host.session.clone(), host.thread);
    let client = session.connect().unwrap();
    client.pause(thread).unwrap();
    let guest = call(host, "call", &[]);
    stopped(&client);
    for action in [Action::StepOver, Action::StepOver] {
        let offset = client.at_stop(thread, |stop| stop.top().unwrap().offset().get()).unwrap();
        client.resume(thread, action).unwrap();
        let stop = stopped(&client);
        assert!(matches!(stop.reason, Reason::Step));
        let behind = client.at_stop(thread, |stop| stop.top().unwrap().offset().get()).unwrap();
        assert_eq!(behind, offset + 2);
    }
    assert_eq!(count.load(Ordering::Relaxed), 2);
    assert_eq!(client.instances().len(), 3);
    client.resume(thread, Action::Continue).unwrap();
    assert_eq!(guest.join().unwrap().0.unwrap(), 9);
}

#[test]
fn very_many_instances_are_not_all_kept() {
    let engine = engine();
    let module = parse(&engine, "(module)");
    let mut store = Store::new(&engine);
    let session = Session::new(SessionOptions::default());
    session.add(&mut store, "main").unwrap();
    let client = session.connect().unwrap();
    for _ in 0..40 {
        for _ in 0..50 {
            Instance::new(&mut store, &module, &[]).unwrap();
        }
        // SAFETY: no handle is used any more.
        drop(unsafe { store.collect([]) }.unwrap());
    }
    assert!(client.instances().len() < 700, "{}", client.instances().len());
    let events = std::iter::from_fn(|| client.next_event(Some(Duration::ZERO))).count();
    assert_eq!(events, 1, "they are told of at once");
}

#[test]
fn a_trap_is_a_stop() {
    let host = plain();
    let (session, thread) = (host.session.clone(), host.thread);
    let client = session.connect().unwrap();
    let guest = call(host, "crash", &[]);
    let stop = stopped(&client);
    assert_eq!(stop.text, "trap: out of bounds memory access");
    assert!(matches!(stop.reason, Reason::Trap(_)));
    client.resume(thread, Action::Continue).unwrap();
    let (result, mut host) = guest.join().unwrap();
    assert!(result.unwrap_err().message().contains("out of bounds"));
    drop(client);
    assert!(call_here(&mut host, "crash", &[]).is_err(), "and none where nobody looks");
}

#[test]
fn several_stores_are_threads() {
    let engine = engine();
    let module = parse(&engine, LATER.replace("(start $begin)", "(export \"begin\" (func $begin))").as_str());
    let session = Session::new(SessionOptions::default());
    let client = session.connect().unwrap();
    let mut stores = Vec::new();
    for name in ["one", "two"] {
        let mut store = Store::new(&engine);
        let thread = session.add(&mut store, name).unwrap();
        assert!(matches!(client.next_event(Some(SOON)), Some(SessionEvent::Added(added)) if added == thread));
        client.pause(thread).unwrap();
        stores.push(store);
    }
    let mut guests = Vec::new();
    for mut store in stores {
        let module = module.clone();
        guests.push(spawn(move || {
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            instance.typed_func::<(), ()>(&mut store, "begin").unwrap().call(&mut store, ()).unwrap();
        }));
    }
    let mut standing: Vec<u32> = (0..2).map(|_| stopped(&client).thread.get()).collect();
    standing.sort_unstable();
    assert_eq!(standing, [1, 2]);
    let names: Vec<String> = client.threads().into_iter().map(|thread| thread.name).collect();
    assert_eq!(names, ["one", "two"]);
    client.resume(ThreadId::new(2), Action::Continue).unwrap();
    assert!(matches!(event(&client), SessionEvent::Ended(ended, _) if ended.get() == 2));
    assert!(client.stopped(ThreadId::new(1)).is_some());
    client.detach();
    guests.into_iter().for_each(|guest| guest.join().unwrap());
}

#[test]
fn clients_come_and_go_and_the_guest_computes_the_same() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let host = plain();
    let (session, thread, module) = (host.session.clone(), host.thread, host.module.clone());
    let guest = call(host, "outer", &[40_000_000]);
    let mut clients = 0;
    while !guest.is_finished() {
        clients += 1;
        let client = session.connect().unwrap();
        for _ in 0..next(8) {
            match next(7) {
                0 => client.pause(thread).unwrap(),
                1 => _ = client.resume(thread, Action::StepOver),
                2 => _ = client.resume(thread, Action::StepOut),
                3 => _ = client.resume(thread, Action::StepInstruction),
                4 => {
                    let func = FuncIndex::new(1);
                    let request = BreakRequest::function_index(&module, func);
                    let set = move |stop: &mut Stop<'_>| drop(stop.debugger().add_breakpoint(stop, request));
                    _ = client.with_guest(thread, Duration::from_millis(50), set);
                }
                5 => _ = client.start_at_stop(thread, |stop| stop.frame_count()),
                _ => _ = client.next_event(Some(Duration::from_millis(next(3)))),
            }
        }
        if next(2) == 0 { client.detach() } else { drop(client) }
    }
    let (result, mut host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 7);
    assert!(clients > 10, "{clients} clients");
    assert_eq!(call_here(&mut host, "two", &[]).unwrap(), 3);
    assert!(host.store.as_store_mut().as_store().id() == host.store.id());
}
