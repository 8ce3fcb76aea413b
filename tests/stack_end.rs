//! The stack's end: guests, trampolines, host functions and stop callbacks on stacks of all sizes, with a closed page
//! below the stack and pages below that which must stay as they are. Nothing may touch either, whatever the guest does:
//! what does not fit is a trap.

use std::ffi::c_void;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use stepwell::debug::{Action, Debugger, Reason};
use stepwell::runtime::{DebugTier, HostStack};
use stepwell::*;

const PAGE: usize = 4096;
/// Pages below the closed one, which are filled and must stay so.
const CANARY: usize = 16 * PAGE;
const FILL: u8 = 0xa5;

/// A stack with a closed page below it, and filled pages below that.
struct Stack {
    base: *mut u8,
    bytes: usize,
}

impl Stack {
    fn new(bytes: usize) -> Stack {
        // SAFETY: a new mapping, which is ours.
        unsafe {
            let base = libc::mmap(
                std::ptr::null_mut(),
                CANARY + PAGE + bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(base, libc::MAP_FAILED);
            let base = base.cast::<u8>();
            base.write_bytes(FILL, CANARY);
            assert_eq!(libc::mprotect(base.add(CANARY).cast(), PAGE, libc::PROT_NONE), 0);
            Stack { base, bytes }
        }
    }

    fn bounds(&self) -> Range<usize> {
        let start = self.base as usize + CANARY + PAGE;
        start..start + self.bytes
    }

    fn check(&self) {
        // SAFETY: mapped, and nobody writes there.
        let canary = unsafe { std::slice::from_raw_parts(self.base, CANARY) };
        assert!(canary.iter().all(|byte| *byte == FILL), "written to below the closed page");
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: ours; nobody is on it any more.
        unsafe { libc::munmap(self.base.cast(), CANARY + PAGE + self.bytes) };
    }
}

/// Work for another stack.
struct Job<'a> {
    work: Option<Box<dyn FnOnce() + 'a>>,
}

impl Job<'_> {
    fn run(&mut self) {
        self.work.take().expect("once")();
    }
}

extern "C" fn on_thread(job: *mut c_void) -> *mut c_void {
    // SAFETY: the job waits for this.
    unsafe { (*job.cast::<Job<'_>>()).run() };
    std::ptr::null_mut()
}

/// Runs `work` on a thread whose stack this is.
fn as_thread(stack: &Stack, work: &dyn Fn()) {
    let mut job = Job { work: Some(Box::new(work)) };
    // SAFETY: the attributes are initialised before they are used; the stack and the job outlive the thread, which is
    // waited for.
    unsafe {
        let mut attr = std::mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attr), 0);
        assert_eq!(libc::pthread_attr_setstack(&mut attr, stack.bounds().start as *mut c_void, stack.bytes), 0);
        let mut thread = std::mem::zeroed();
        assert_eq!(libc::pthread_create(&mut thread, &attr, on_thread, (&raw mut job).cast()), 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
}

thread_local! {
    static JOB: std::cell::Cell<*mut c_void> = const { std::cell::Cell::new(std::ptr::null_mut()) };
}

extern "C" fn on_coroutine() {
    // SAFETY: the job waits for this.
    unsafe { (*JOB.get().cast::<Job<'_>>()).run() };
}

/// Runs `work` as a coroutine whose stack this is.
fn as_coroutine(stack: &Stack, work: &dyn Fn()) {
    let mut job = Job { work: Some(Box::new(work)) };
    JOB.set((&raw mut job).cast());
    let stated = HostStack::new(stack.bounds()).unwrap();
    // SAFETY: the contexts are initialised before they are used, and the coroutine ends before this returns.
    unsafe {
        let (mut here, mut there): (libc::ucontext_t, libc::ucontext_t) = (std::mem::zeroed(), std::mem::zeroed());
        assert_eq!(libc::getcontext(&mut there), 0);
        there.uc_stack.ss_sp = stack.bounds().start as *mut c_void;
        there.uc_stack.ss_size = stack.bytes;
        there.uc_link = &raw mut here;
        libc::makecontext(&mut there, on_coroutine, 0);
        HostStack::switch(Some(&stated)).unwrap();
        assert_eq!(libc::swapcontext(&mut here, &there), 0);
        HostStack::switch(None).unwrap();
    }
}

/// A module whose `run` calls itself without end with so many values alive across the call, and calls the host with so
/// many parameters on the way, if any.
fn module(values: usize, params: usize) -> Vec<u8> {
    let mut text = String::from("(module ");
    let types = " i64".repeat(params);
    let _ = write!(text, "(import \"h\" \"f\" (func $f (param{types}) (result{types})))");
    let _ = write!(text, "(func $run (export \"run\") (param i64) (result i64)");
    let _ = write!(text, "(local{})", " i64".repeat(values));
    for i in 1..=values {
        let _ = write!(text, "(local.set {i} (i64.add (local.get 0) (i64.const {i})))");
    }
    if params > 0 {
        for _ in 0..params {
            text += "(local.get 0)";
        }
        text += "(call $f)";
        for _ in 0..params {
            text += "drop ";
        }
    }
    text += "(call $run (i64.add (local.get 0) (i64.const 1)))";
    for i in 1..=values {
        let _ = write!(text, "(i64.xor (local.get {i}))");
    }
    // With as many parameters from outside.
    let _ = write!(text, ") (func (export \"many\") (param{types}) (result{types})");
    for i in 0..params {
        let _ = write!(text, "(local.get {i})");
    }
    text += "))";
    wat::parse_str(text).unwrap()
}

/// Runs something on a stack.
type Place = fn(&Stack, &dyn Fn());

/// How the host behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// In production code; host functions do nothing.
    Plain,
    /// Host functions call the guest again, without end.
    Again,
    /// With a debugger that looks at everything.
    Looking,
    /// Whose callback calls the guest again, without end.
    StoppingAgain,
    /// As `Again`, with a core dump of each trap.
    DumpingAgain,
    /// As `Looking`, with a core dump of each trap.
    LookingDumping,
}

const WAYS: [Way; 6] =
    [Way::Plain, Way::Again, Way::Looking, Way::StoppingAgain, Way::DumpingAgain, Way::LookingDumping];

/// What a stop callback that has called the guest ends it with.
const ENOUGH: &str = "stopped once";

/// A guest that calls itself without end is ended by its stack, or by its debugger.
fn expect_the_end(outcome: Result<()>) {
    let error = outcome.expect_err("it has no end of its own");
    let trap = error.payload::<Trap>().unwrap_or_else(|| panic!("{error}"));
    assert!(trap.code() == Some(TrapCode::StackOverflow) || trap.message() == ENOUGH, "{error}");
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

fn run(engine: &Engine, module: &Module, way: Way) {
    let mut store = Store::new(engine);
    store.set_core_dumps(matches!(way, Way::DumpingAgain | Way::LookingDumping));
    let ExternType::Func(ty) = module.imports().next().unwrap().2 else { unreachable!() };
    let host = Func::new(&mut store, ty, move |mut caller, params, results| {
        results.copy_from_slice(params);
        if matches!(way, Way::Again | Way::DumpingAgain) {
            let run = caller.export("run").and_then(Extern::func).unwrap();
            let outcome = run.call(&mut caller, &[Val::I64(0)], &mut [Val::I64(0)]);
            assert!(outcome.is_err());
            return outcome;
        }
        Ok(())
    });
    let instance = Instance::new(&mut store, module, &[host.unwrap().into()]).unwrap();
    let run = instance.export(&mut store, "run").and_then(Extern::func).unwrap();
    if matches!(way, Way::Looking | Way::StoppingAgain | Way::LookingDumping) {
        let debugger = Debugger::attach(&mut store, move |stop| {
            if let Some(frame) = stop.top() {
                std::hint::black_box((frame.locals().len(), frame.operands().len(), frame.offset()));
            }
            // At each call of a deep recursion that would take long.
            if matches!(stop.reason(), Reason::Trap(_)) {
                std::hint::black_box(stop.frame_count());
            }
            if way == Way::StoppingAgain {
                expect_the_end(run.call(&mut *stop, &[Val::I64(0)], &mut [Val::I64(0)]));
            }
            match stop.reason() {
                Reason::Trap(_) => Action::Continue,
                _ if way == Way::StoppingAgain => Action::Trap(ENOUGH.to_owned()),
                _ => Action::Continue,
            }
        });
        let debugger = debugger.unwrap();
        debugger.break_at_name(&mut store, module, "run").unwrap();
    }
    expect_the_end(run.call(&mut store, &[Val::I64(0)], &mut [Val::I64(0)]));
    let many = instance.export(&mut store, "many").and_then(Extern::func).unwrap();
    let ty = many.ty(&store).unwrap();
    let args: Vec<Val> = ty.params.iter().map(|_| Val::I64(7)).collect();
    let mut results = args.clone();
    if let outcome @ Err(_) = many.call(&mut store, &args, &mut results) {
        expect_the_end(outcome);
    }
    assert_eq!(args, results);
    RUNS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn nothing_is_touched_below_a_stack() {
    const KIB: usize = 1 << 10;
    let sizes = [16, 20, 32, 44, 52, 56, 60, 64, 80, 96, 128, 192, 256, 512, 1024].map(|kib| kib * KIB);
    let shapes = [(0, 0), (60, 0), (300, 3), (700, 0), (3000, 0), (0, 100), (2, 1000), (1500, 1000)];
    for signals in [true, false] {
        for (debug_tier, reserve) in
            [(DebugTier::Regions, 16 * KIB), (DebugTier::Simple, 64 * KIB), (DebugTier::Regions, 256 * KIB)]
        {
            let config = Config { signals, debug: true, debug_tier, stop_reserve: reserve, ..Config::default() };
            let engine = Engine::new(config).unwrap();
            for (values, params) in shapes {
                let module = Module::new(&engine, &module(values, params)).unwrap();
                module.debug_code(&|_, _| true).unwrap();
                for size in sizes {
                    for way in WAYS {
                        if std::env::var_os("STEPWELL_VERBOSE").is_some() {
                            eprintln!("{signals} {debug_tier:?} {reserve} {values} {params} {size} {way:?}");
                        }
                        let places: [Place; 2] = [as_thread, as_coroutine];
                        for place in places {
                            let stack = Stack::new(size);
                            place(&stack, &|| run(&engine, &module, way));
                            stack.check();
                        }
                    }
                }
            }
        }
    }
    assert!(RUNS.load(Ordering::Relaxed) > 5000);
}
