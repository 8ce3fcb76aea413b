//! What becomes of a host when the system refuses a call, from the first one or from a later one on: a filter in a child process says
//! no to one system call after the other while the child compiles, runs, traps, debugs, steps and grows a memory. The child ends by
//! itself, with right results or an error that says something. It is never killed by a signal, and never hangs.

use std::arch::naked_asm;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use stepwell::base::{Error, ErrorKind};
use stepwell::debug::{Action, Debugger, Stop};
use stepwell::runtime::{AsStoreMut, Config, Engine, Fallbacks, Instance, Module, Store, Val};

/// How many calls the handler below lets through, and what it answers then.
static LEFT: AtomicI64 = AtomicI64::new(i64::MAX);
static ERRNO: AtomicI64 = AtomicI64::new(0);

/// The one place from which the filter lets the call through.
#[unsafe(naked)]
unsafe extern "C" fn let_through(number: i64, arguments: *const i64) -> i64 {
    naked_asm!(
        "mov rax, rdi",
        "mov r11, rsi",
        "mov rdi, [r11]",
        "mov rsi, [r11 + 8]",
        "mov rdx, [r11 + 16]",
        "mov r10, [r11 + 24]",
        "mov r8, [r11 + 32]",
        "mov r9, [r11 + 40]",
        "syscall",
        "ret",
    )
}

/// The address behind its `syscall`.
fn let_through_at() -> u64 {
    let start = let_through as *const u8;
    // SAFETY: the function is longer than this.
    let bytes = unsafe { std::slice::from_raw_parts(start, 40) };
    let at = bytes.windows(2).position(|two| two == [0x0f, 0x05]).unwrap();
    start as u64 + at as u64 + 2
}

unsafe extern "C" fn on_refused(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a ucontext.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let of = |register: i32| registers[register as usize];
    let number = of(libc::REG_RAX);
    let arguments = [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8, libc::REG_R9].map(of);
    let result = match LEFT.fetch_sub(1, Relaxed) {
        // SAFETY: the call that somebody has made.
        1.. => unsafe { let_through(number, arguments.as_ptr()) },
        _ => -ERRNO.load(Relaxed),
    };
    registers[libc::REG_RAX as usize] = result;
}

/// What the filter refuses.
#[derive(Clone, Copy)]
enum Refuse {
    /// This call, after so many.
    Call { number: i64, errno: i32, after: i64 },
    /// What a service manager's `MemoryDenyWriteExecute` does: memory that is writable and executable, and memory made executable.
    WrittenCode,
    /// The action for one signal.
    Signal(i32),
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | code) as u16, jt, jf, k }
}

fn load(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

/// Offsets in what a filter looks at.
const NUMBER: u32 = 0;
const POINTER: u32 = 8;
const ARGUMENTS: u32 = 16;

fn give(action: u32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, action)
}

fn refuse(errno: i32) -> libc::sock_filter {
    give(libc::SECCOMP_RET_ERRNO | errno as u32)
}

/// Has the system refuse this to the calling thread, and those that it makes.
fn install(what: Refuse) {
    let (equal, any) = (libc::BPF_JEQ | libc::BPF_K, libc::BPF_JSET | libc::BPF_K);
    let allow = give(libc::SECCOMP_RET_ALLOW);
    let program = match what {
        Refuse::Call { number, errno, after: 0 } => {
            vec![load(NUMBER), jump(equal, number as u32, 0, 1), refuse(errno), allow]
        }
        Refuse::Call { number, errno, after } => {
            LEFT.store(after, Relaxed);
            ERRNO.store(i64::from(errno), Relaxed);
            let at = let_through_at();
            // SAFETY: the handler looks at its own statics and the context.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_refused as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
                assert_eq!(libc::sigaction(libc::SIGSYS, &action, std::ptr::null_mut()), 0);
            }
            vec![
                load(NUMBER),
                jump(equal, number as u32, 0, 5),
                load(POINTER),
                jump(equal, at as u32, 0, 2),
                load(POINTER + 4),
                jump(equal, (at >> 32) as u32, 1, 0),
                give(libc::SECCOMP_RET_TRAP),
                allow,
            ]
        }
        Refuse::WrittenCode => {
            let exec = libc::PROT_EXEC as u32;
            vec![
                load(NUMBER),
                jump(equal, libc::SYS_mprotect as u32, 5, 0),
                jump(equal, libc::SYS_pkey_mprotect as u32, 4, 0),
                jump(equal, libc::SYS_mmap as u32, 0, 6),
                load(ARGUMENTS + 16),
                jump(any, exec, 0, 4),
                jump(any, libc::PROT_WRITE as u32, 2, 3),
                load(ARGUMENTS + 16),
                jump(any, exec, 0, 1),
                refuse(libc::EPERM),
                allow,
            ]
        }
        Refuse::Signal(signal) => vec![
            load(NUMBER),
            jump(equal, libc::SYS_rt_sigaction as u32, 0, 5),
            load(ARGUMENTS),
            jump(equal, signal as u32, 0, 3),
            // Asking, without a new action, is allowed.
            load(ARGUMENTS + 8),
            jump(equal, 0, 1, 0),
            refuse(libc::EPERM),
            allow,
        ],
    };
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program is as long as it says, and outlives the calls.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter), 0);
    }
}

const GUEST: &str = r#"(module
  (memory (export "memory") 1 20)
  (func (export "sum") (param $n i32) (result i32)
    (local $sum i32)
    (loop
      (i32.store (local.get $n) (local.get $sum))
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (call $keep (local.get $sum)))
  (func $keep (param i32) (result i32) (local.get 0))
  (func (export "beyond") (result i32) (i32.load (i32.const -1)))
  (func (export "grow") (result i32) (memory.grow (i32.const 3))))"#;

fn call(store: &mut impl AsStoreMut, instance: Instance, name: &str, args: &[Val]) -> Result<i32, Error> {
    let func = instance.export(&mut *store, name).and_then(|item| item.func()).unwrap();
    let mut results = [Val::I32(0)];
    func.call(store, args, &mut results)?;
    let [Val::I32(result)] = results else { panic!("no i32") };
    Ok(result)
}

fn sum(store: &mut impl AsStoreMut, instance: Instance) -> Result<(), Error> {
    assert_eq!(call(store, instance, "sum", &[Val::I32(10)])?, 55);
    Ok(())
}

fn said(error: &Error) {
    assert!(!error.message().is_empty());
    eprintln!("said: {error}");
}

/// All that a host does. Errors of debugging are told, and what is not debugged goes on.
fn scenario(begin: impl FnOnce(&str), config: Config) -> Result<(), Error> {
    begin("engine");
    let engine = Engine::new(Config { debug: true, ..config })?;
    let module = Module::new(&engine, &wat::parse_str(GUEST).unwrap())?;
    let mut stores = Vec::new();
    for _ in 0..3 {
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &[])?;
        sum(&mut store, instance)?;
        let error = call(&mut store, instance, "beyond", &[]).unwrap_err();
        // What an error is made by may be refused, too.
        assert!(error.message().contains("memory") || error.kind() == ErrorKind::System, "{error}");
        stores.push((store, instance));
    }
    for (store, instance) in &mut stores {
        if let Err(error) = debug(store, *instance, &module) {
            said(&error);
            match sum(store, *instance) {
                Ok(()) => {}
                Err(error) => said(&error),
            }
        }
        let memory = instance.export(&mut *store, "memory").and_then(|item| item.memory()).unwrap();
        let before = memory.size(&*store)?;
        match call(store, *instance, "grow", &[])? {
            -1 => assert_eq!(memory.size(&*store)?, before),
            pages => assert_eq!((pages as u64, memory.size(&*store)?), (before, before + 3)),
        }
        sum(store, *instance)?;
    }
    Ok(())
}

/// Stops by a breakpoint, steps, and does it once more with other breakpoints.
fn debug(store: &mut Store, instance: Instance, module: &Module) -> Result<(), Error> {
    let stops = Arc::new(AtomicU32::new(0));
    let count = stops.clone();
    let debugger = Debugger::attach(store, move |stop: &mut Stop<'_>| {
        assert!(stop.frame_count() > 0);
        match count.fetch_add(1, Relaxed) % 4 {
            0..2 => Action::StepInstruction,
            2 => Action::StepOut,
            _ => Action::Continue,
        }
    })?;
    let outcome = (|| {
        sum(store, instance)?;
        assert_eq!(stops.load(Relaxed), 0);
        let first = debugger.break_at_name(store, module, "sum")?;
        sum(store, instance)?;
        assert!(stops.swap(0, Relaxed) > 2);
        let body = module.info().bodies[0].bytes.clone();
        for offset in body.clone().step_by(7) {
            debugger.break_at(store, module, stepwell::base::WasmOffset::from_usize(offset))?;
        }
        sum(store, instance)?;
        assert!(stops.swap(0, Relaxed) > 2);
        debugger.step_always(store, true)?;
        sum(store, instance)?;
        assert!(stops.swap(0, Relaxed) > 50);
        debugger.step_always(store, false)?;
        debugger.remove(store, first.id)?;
        for breakpoint in debugger.breakpoints(store)? {
            debugger.remove(store, breakpoint.id)?;
        }
        sum(store, instance)?;
        assert_eq!(stops.load(Relaxed), 0);
        Ok(())
    })();
    debugger.detach(store)?;
    outcome
}

/// The child's side. It does nothing in the parent.
#[test]
fn child() {
    let Ok(task) = std::env::var("STEPWELL_REFUSED") else { return };
    let words: Vec<&str> = task.split(' ').collect();
    let number = |at: usize| words[at].parse::<i64>().unwrap();
    let mut config = Config { parallel: words[1] == "parallel", ..Config::default() };
    config.copied_code = words[1] == "copied";
    let place = words[2];
    let begin = |what: Refuse| {
        move |here: &str| {
            if here == place {
                install(what);
            }
        }
    };
    let outcome = match words[0] {
        "call" => {
            let what = Refuse::Call { number: number(3), errno: number(4) as i32, after: number(5) };
            scenario(begin(what), config)
        }
        "code" => scenario(begin(Refuse::WrittenCode), config).inspect(|()| {
            let fallbacks = Engine::new(Config { debug: true, ..Config::default() }).unwrap().fallbacks();
            assert_eq!(fallbacks, Fallbacks::REPLACED_CODE);
            println!("as if nothing were refused");
        }),
        "mdwe" => {
            // PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN.
            // SAFETY: arguments are plain numbers.
            if unsafe { libc::prctl(65, 1, 0, 0, 0) } != 0 {
                println!("as if nothing were refused");
                return;
            }
            scenario(|_| {}, config).inspect(|()| println!("as if nothing were refused"))
        }
        "signal" => {
            // The handler of Rust's library runs a fault again until it may put the default back.
            // SAFETY: the default action.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
            install(Refuse::Signal(number(3) as i32));
            let outcome = scenario(|_| {}, config.clone()).and_then(|()| scenario(|_| {}, config));
            // What was half-installed twice is not taken for the host's: a real fault ends the process at once.
            outcome.inspect(|()| {
                // SAFETY: it faults, which is the point.
                unsafe { std::ptr::without_provenance::<u8>(8).read_volatile() };
            })
        }
        "space" | "file" => {
            let limit = libc::rlimit { rlim_cur: number(3) as u64, rlim_max: number(3) as u64 };
            let of = if words[0] == "space" { libc::RLIMIT_AS } else { libc::RLIMIT_FSIZE };
            // SAFETY: a value of the type that the call reads.
            assert_eq!(unsafe { libc::setrlimit(of, &limit) }, 0);
            scenario(|_| {}, config).inspect(|()| println!("as if nothing were refused"))
        }
        other => panic!("{other}"),
    };
    if let Err(error) = outcome {
        said(&error);
    }
    // A thread that ends has its signals blocked, and calls the system all the same: what is counted would kill it.
    std::process::exit(0);
}

/// How a child ends: its output, or that a signal has ended it.
fn run(task: &str) -> Result<String, String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env("STEPWELL_REFUSED", task).env_remove("RUST_BACKTRACE");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if begin.elapsed() > Duration::from_secs(60) => {
                child.kill().unwrap();
                return Err(format!("{task}: it hangs"));
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if status.success() { Ok(said) } else { Err(format!("{task}: {status}\n{said}")) }
}

fn all(tasks: impl IntoIterator<Item = String>) {
    let failed: Vec<String> = tasks.into_iter().filter_map(|task| run(&task).err()).collect();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn written_code_that_may_not_be_executed() {
    for task in ["code one engine", "code copied engine", "code parallel engine", "mdwe one -", "mdwe copied -"] {
        let said = run(task).unwrap();
        assert!(said.contains("as if nothing were refused"), "{task}: {said}");
    }
}

/// Address space for one memory, for a few, and for none.
#[test]
fn little_address_space() {
    for gigabytes in [2u64, 3, 6, 10, 20] {
        let said = run(&format!("space one - {}", gigabytes << 30)).unwrap();
        assert!(said.contains("as if nothing were refused"), "{gigabytes}: {said}");
    }
}

/// A limit on the size of files is one on files in memory: to pass it is a signal.
#[test]
fn little_room_in_files() {
    for bytes in [0, 4096, 1 << 30] {
        let said = run(&format!("file one - {bytes}")).unwrap();
        assert!(said.contains("as if nothing were refused"), "{bytes}: {said}");
    }
}

#[test]
fn half_of_the_signal_handlers() {
    use std::os::unix::process::ExitStatusExt as _;
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL] {
        let said = run(&format!("signal one - {signal}")).unwrap_err();
        let status = std::process::ExitStatus::from_raw(libc::SIGSEGV);
        assert!(said.contains(&status.to_string()) || said.contains("signal: 11"), "{said}");
    }
}

/// The calls that the library makes, by itself or by what it stands on.
const CALLS: [i64; 24] = [
    libc::SYS_memfd_create,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_munmap,
    libc::SYS_fcntl,
    libc::SYS_ftruncate,
    libc::SYS_pwrite64,
    libc::SYS_pread64,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_close,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_prlimit64,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_openat,
    libc::SYS_read,
    libc::SYS_gettid,
    libc::SYS_brk,
];

#[test]
fn each_call_from_the_start() {
    let errors = [libc::EPERM, libc::ENOSYS, libc::ENOMEM];
    let kinds = ["one", "parallel"];
    let tasks = CALLS.iter().flat_map(|number| errors.map(|errno| (*number, errno)));
    // Rust's hash maps panic for what this call never answers.
    let tasks = tasks.filter(|(number, errno)| (*number, *errno) != (libc::SYS_getrandom, libc::ENOMEM));
    all(tasks.flat_map(|(number, errno)| kinds.map(|kind| format!("call {kind} engine {number} {errno} 0"))));
}

/// The calls by which code and memories are made and changed, each refused from one of its uses on.
#[test]
fn each_call_from_a_later_one_on() {
    let calls = [
        (libc::SYS_memfd_create, 12),
        (libc::SYS_mmap, 40),
        (libc::SYS_mprotect, 70),
        (libc::SYS_mremap, 16),
        (libc::SYS_madvise, 20),
        (libc::SYS_fcntl, 10),
        (libc::SYS_pwrite64, 10),
        (libc::SYS_fstat, 16),
        (libc::SYS_rt_sigaction, 9),
    ];
    let tasks = calls.iter().flat_map(|(number, most)| {
        (1..*most).flat_map(move |after| {
            let errno = if after % 2 == 0 { libc::ENOMEM } else { libc::EPERM };
            ["one", "copied"].map(|kind| format!("call {kind} engine {number} {errno} {after}"))
        })
    });
    all(tasks);
}
