//! Replacing a native frame under Cranelift's conventions. It decided the ABI of debug code, and stays as a test of the
//! facts that ABI is built on. It uses no part of the engine. What it tries by `try_call`, so that callees save nothing
//! of worth, debug code does by ordinary calls: the tables say which of the caller's registers a frame has saved, and
//! they are put back when it is replaced.
//!
//! A guest function `work` (13 stack arguments, 10 results, handlers on its calls) calls itself down to depth 0
//! and stops at the start of every activation. There the test puts a *recompiled* body in a frame's place,
//! entered in the middle: the innermost frame at once, an outer one when its callee returns (its callee's return
//! address is made to point at a thunk). Then the new body returns, traps, or throws. A model in Rust says what
//! must come out, and rbx, r12-r15 are full of poison in the host's caller and of live values in a guest's.
//!
//! # Facts of cranelift-codegen 0.135.8, `CallConv::Tail`, x86-64
//!
//! The tests below rest on them or assert them; what is only read in `isa/x64/abi.rs` and `machinst/` says "(read)".
//!
//! *Frame*, from high to low: `[result area][stack arguments][return address][old rbp] <- rbp
//! [callee-saved][spill slots][stack slots][outgoing result area][outgoing arguments] <- rsp`. `push rbp; mov rbp, rsp`
//! is always there. `frame_to_fp_offset` = rbp - rsp, constant in the body; a slot stands at rbp - frame_to_fp_offset +
//! its offset.
//!
//! *Callee-saved*: `tail` saves those of rbx, r12-r15 that the function writes **or a call in it clobbers**. A
//! `try_call` clobbers everything, so a function with one saves all five, in this order, at rbp-48, -40, ... -16. A
//! function without one saves fewer, perhaps none. Which and where is told only by `buffer.unwind_info` (needs the
//! setting `unwind_info`, not the cargo feature): rbp - offset_downward_to_clobbers + clobber_offset.
//!
//! *Arguments*: integers in rdi, rsi, rdx, rcx, r8, r9; floats and vectors in xmm0-7; the rest on the stack, 8 bytes
//! each (vectors 16, aligned (read)), the area rounded up to 16. The callee pops it (`ret N`); the caller lowers rsp
//! again.
//!
//! *Results*: integers in rax, rcx, rdx, rsi, rdi, r8, r9, r10; floats in xmm0-7 (read); the rest in a result area
//! (needs the setting `enable_multi_ret_implicit_sret`). Its address is a hidden first argument in rdi (five integer
//! registers are left), is not handed back, and Cranelift's callers always put the area right above the stack
//! arguments: it is rbp + 16 + N in the callee, and rsp right after the return. So a new body and a return thunk know
//! where it is without knowing where the old body kept the pointer.
//!
//! *A new body* has the old one's signature, is entered as if called (rsp at the return address, rbp the caller's, rdi
//! the result area, callee-saved registers as the old body saved them) and finds its state through a register parameter
//! that is dead by then. What breaks this (read): `return_call` to a larger argument area; the prologue then moves the
//! return address and rbp down and pops the larger area, by an amount that only the `ret N` tells.
//!
//! *`try_call`*: of a `tail` or `preserve_all` callee clobbers everything (a plain `call` clobbers what System V does,
//! of `preserve_all` nothing). The table may be empty, the clobbers are the same; the site then still has a
//! `frame_offset` (= frame_to_fp_offset), which a plain `call` has not. To enter a handler: rbp the frame's, rsp =
//! rbp - frame_offset, payloads in rax and rdx, every other register free.
//!
//! *Patchable call*: 5 bytes, `e8 rel32`, that end at `ret_addr`; results are not allowed; the NOP is `nop_units[1]`.
//! It is listed as a call site as well.
//!
//! *Debug tags* are accepted on `try_call` but of no use: Cranelift places them after everything the call is lowered to
//! (rsp adjustment, loads of stack results, jump), not at the return address, **and drops them where the jump to the
//! normal block falls through** (all three in `work`). On a plain patchable `call` without arguments they stand at its
//! return address, `Post`. For other calls use source locations: the range around `ret_addr - 1` is the call's.
//!
//! *Stores to slots*: dead-store elimination works per alias region; everything that can trap, and every call, counts
//! as an observer of all regions. Stores without a region (`stack_store`) are fences for all others: give slots a
//! region.

#[path = "support/frames.rs"]
mod frames;
#[path = "support/frames_guest.rs"]
mod frames_guest;

use frames::*;
use frames_guest::*;
use std::cell::Cell;

#[derive(Debug, PartialEq)]
enum Outcome {
    Returned([u64; RESULTS]),
    Trapped,
    Thrown(u32, u64, u64),
}

/// What the host does to the activation of one depth: put a new body in its place, with another a3 and a mode.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plan {
    Leave,
    AtStop(u64),
    AtReturn(u64),
}

/// Numbers that do not resemble each other.
fn scrambled(i: usize) -> u64 {
    (i as u64 + 1).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
}

const POISON: [u64; 5] = [0x0b0b_0b0b, 0x1212_1212, 0x1313_1313, 0x1414_1414, 0x1515_1515];
const ARGUMENT_X: f64 = 1234.5;

fn edited(depth: usize) -> u64 {
    0xed17_0000_0000_0000 | depth as u64
}

/// What must come out of `work` at `depth`.
fn model(plans: &[Plan], depth: usize, mut a: [u64; ARGS], x: f64, replaced: &mut usize) -> Outcome {
    let act = |mode, a: &[u64; ARGS]| match mode {
        TRAP => Some(Outcome::Trapped),
        THROW_TO_CALLER => Some(Outcome::Thrown(CALLER_TAG, a[0], a[1])),
        THROW_TO_WORK => Some(Outcome::Thrown(WORK_TAG, a[0], a[1])),
        _ => None,
    };
    let mut marker = OLD;
    if let Plan::AtStop(mode) = plans[depth] {
        (marker, a[3]) = (NEW, edited(depth));
        *replaced += 1;
        if let Some(outcome) = act(mode, &a) {
            return outcome;
        }
    }
    if depth == 0 {
        return Outcome::Returned(std::array::from_fn(|i| {
            (a[i].wrapping_mul(2 * i as u64 + 3) ^ a[i + 5]).wrapping_add(x.to_bits()).wrapping_add(marker)
        }));
    }
    let args = std::array::from_fn(|i| a[ARGS - 1 - i].wrapping_add(i as u64));
    let inner = model(plans, depth - 1, args, x * 1.5, replaced);
    let resumes = matches!(inner, Outcome::Returned(_) | Outcome::Thrown(WORK_TAG, ..));
    if matches!(plans[depth], Plan::AtReturn(_)) && resumes {
        *replaced += 1;
        (marker, a[3]) = (NEW, edited(depth));
    }
    match (inner, plans[depth]) {
        (Outcome::Returned(_), Plan::AtReturn(mode)) if mode != GO_ON => act(mode, &a).expect("a mode"),
        (Outcome::Returned(r), _) => {
            Outcome::Returned(std::array::from_fn(|i| r[RESULTS - 1 - i].wrapping_mul(3).wrapping_add(a[i]) ^ marker))
        }
        (Outcome::Thrown(WORK_TAG, p0, p1), _) => Outcome::Returned(std::array::from_fn(|i| {
            p1.wrapping_mul(i as u64).wrapping_add(p0).wrapping_add(a[i]) ^ marker
        })),
        (other, _) => other,
    }
}

/// One run of the guest, as the reports from the trampolines need it.
struct Session<'a> {
    text: &'a Text,
    plans: &'a [Plan],
    entry_sp: u64,
    stops: usize,
    replaced: usize,
    /// Outer frames to be replaced: frame pointer, and the return address that the thunk stands for.
    pending: Vec<(u64, u64)>,
    /// What the outermost `work` found in rbx, r12-r15.
    found: Vec<u64>,
    thrown: Option<(u32, u64, u64)>,
    /// At a trap: the offset in the function, and the first word of its slots.
    trapped: Option<(usize, u64)>,
    /// Buffers that resumed bodies read; they live as long as the run.
    states: Vec<Box<[u64]>>,
}

thread_local!(static SESSION: Cell<*mut ()> = const { Cell::new(std::ptr::null_mut()) });

/// The session of the guest on this thread.
fn session<'a>() -> &'a mut Session<'a> {
    // SAFETY: set by `run` around the guest's run, on this thread; reports do not nest.
    unsafe { &mut *SESSION.get().cast() }
}

fn peek(address: u64) -> u64 {
    // SAFETY: addresses come from frames of the guest on this very stack, laid out as the facts above say.
    unsafe { *(address as *const u64) }
}

impl Session<'_> {
    fn state(&self, code: &Compiled, fp: u64) -> Box<[u64; STATE]> {
        let at = fp - u64::from(code.frame_to_fp) + u64::from(code.slots[0]);
        Box::new(std::array::from_fn(|word| match word < SLOTS {
            true => peek(at + 8 * word as u64),
            false => 0,
        }))
    }

    /// Puts function `body` in the place of the frame of `code` at `fp`, with `state`. At a stop `c` has the
    /// registers of the stop; elsewhere all callee-saved ones come from the frame.
    fn replace(
        &mut self,
        c: &mut Context,
        (code, fp): (&Compiled, u64),
        body: u32,
        mut state: Box<[u64; STATE]>,
        mode: u64,
    ) {
        state[A + 3] = edited(state[DEPTH] as usize);
        state[MODE] = mode;
        let words = peek(fp + 16); // not used by the body: any value does
        for register in [RAX, RCX, 8, 9, 10, 11] {
            c.gpr[register] = 0xbad0_0000; // entered as if called: none of these counts
        }
        c.xmm = [[0x7ff8_dead_beef, 0]; 16];
        // What the old body saved is the caller's; what it did not save it has not touched.
        for &(register, offset) in &code.saved {
            c.gpr[register] = peek(fp.wrapping_add_signed(offset));
        }
        c.gpr[RBP] = peek(fp);
        c.gpr[RSP] = fp + 8;
        c.gpr[RDI] = fp + 16 + STACK_ARGS;
        c.gpr[RSI] = words;
        c.gpr[RDX] = state.as_ptr() as u64;
        c.rip = self.text.functions[body as usize].base as u64;
        self.states.push(state);
        self.replaced += 1;
    }

    fn leave(&self, c: &mut Context, status: u64) {
        c.gpr[RAX] = status;
        c.gpr[RSP] = self.entry_sp;
        c.rip = machine_leave as *const () as u64;
    }

    fn plan(&self, state: &[u64; STATE]) -> Plan {
        self.plans[state[DEPTH] as usize]
    }
}

/// A stop: arranges for the caller's frame to be replaced on return, and replaces this one, as planned.
extern "C" fn on_stop(c: &mut Context) {
    let s = session();
    s.stops += 1;
    c.rip = peek(c.gpr[RSP]);
    c.gpr[RSP] += 8;
    let text = s.text;
    let code = text.find(c.rip).expect("a stop in the text");
    let fp = c.gpr[RBP];
    assert_eq!(fp - c.gpr[RSP], u64::from(code.frame_to_fp));
    let state = s.state(code, fp);
    assert_eq!(state[DEPTH] as usize, s.plans.len() - s.stops);
    if s.stops == 1 {
        s.found = (code.saved.iter()).map(|&(_, offset)| peek(fp.wrapping_add_signed(offset))).collect();
    }
    let (ret, caller) = (peek(fp + 8), peek(fp));
    if s.stops > 1
        && let Plan::AtReturn(_) = s.plan(&s.state(text.find(ret).expect("work"), caller))
    {
        s.pending.push((caller, ret));
        // SAFETY: this frame's return address, by the layout above.
        unsafe { *((fp + 8) as *mut u64) = machine_returned as *const () as u64 };
    }
    if let Plan::AtStop(mode) = s.plan(&state) {
        s.replace(c, (code, fp), AFTER_STOP, state, mode);
    }
}

/// The thunk: the callee of a frame to be replaced has returned, with rsp at its return area.
extern "C" fn on_returned(c: &mut Context) {
    let s = session();
    let fp = c.gpr[RBP];
    let at = (s.pending.iter().position(|&(frame, _)| frame == fp)).expect("a frame to replace");
    let (_, ret) = s.pending.remove(at);
    let text = s.text;
    let code = text.find(ret).expect("the frame's body");
    let mut state = s.state(code, fp);
    for (i, register) in [RAX, RCX, RDX, RSI, RDI, 8, 9, 10].into_iter().enumerate() {
        state[R + i] = c.gpr[register];
    }
    state[R + 8] = peek(c.gpr[RSP]);
    state[R + 9] = peek(c.gpr[RSP] + 8);
    let Plan::AtReturn(mode) = s.plan(&state) else {
        panic!("no plan for this frame");
    };
    s.replace(c, (code, fp), AFTER_CALL, state, mode);
}

/// A throw: finds the handler by the call-site tables and enters it; to the host's entry if there is none.
extern "C" fn on_throw(c: &mut Context) {
    let s = session();
    let text = s.text;
    let tag = match c.gpr[RDI] {
        THROW_TO_CALLER => CALLER_TAG,
        _ => WORK_TAG,
    };
    let (p0, p1) = (c.gpr[RSI], c.gpr[RDX]);
    let (mut pc, mut fp) = (peek(c.gpr[RSP]), c.gpr[RBP]);
    loop {
        let pending = s.pending.iter().find(|&&(frame, _)| frame == fp).copied();
        let Some(code) = text.find(pending.map_or(pc, |(_, ret)| ret)) else {
            s.thrown = Some((tag, p0, p1));
            return s.leave(c, UNCAUGHT);
        };
        let offset = pending.map_or(pc, |(_, ret)| ret) as usize - code.base;
        let site = (code.call_sites.iter().find(|site| site.ret as usize == offset)).expect("a call");
        if let Some(&(_, handler)) = site.handlers.iter().find(|&&(t, _)| t == tag) {
            s.pending.retain(|&(frame, _)| frame > fp);
            if pending.is_some() {
                let mut state = s.state(code, fp);
                (state[PAYLOAD], state[PAYLOAD + 1]) = (p0, p1);
                return s.replace(c, (code, fp), IN_HANDLER, state, GO_ON);
            }
            c.gpr = std::array::from_fn(|i| 0xbad1_0000 + i as u64);
            (c.gpr[RAX], c.gpr[RDX], c.gpr[RBP]) = (p0, p1, fp);
            c.gpr[RSP] = fp - u64::from(site.frame_offset.expect("given for a try_call"));
            c.rip = (code.base + handler as usize) as u64;
            return;
        }
        (pc, fp) = (peek(fp + 8), peek(fp));
    }
}

/// SIGILL and SIGSEGV: a trap in guest code goes to the host's entry; anything else dies as it would have.
extern "C" fn on_signal(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid ucontext to a handler installed with SA_SIGINFO.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let (pc, fp) = (registers[libc::REG_RIP as usize] as u64, registers[libc::REG_RBP as usize] as u64);
    let code = match SESSION.get().is_null() {
        true => None,
        false => session().text.find(pc),
    };
    let Some(code) = code.filter(|f| f.traps.contains(&((pc as usize - f.base) as u32))) else {
        // SAFETY: restores the default action; returning raises the signal again.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    };
    let s = session();
    let slots = fp - u64::from(code.frame_to_fp) + u64::from(code.slots[0]);
    s.trapped = Some((pc as usize - code.base, peek(slots)));
    registers[libc::REG_RIP as usize] = machine_leave as *const () as i64;
    registers[libc::REG_RSP as usize] = s.entry_sp as i64;
    registers[libc::REG_RAX as usize] = TRAPPED as i64;
}

/// Runs the function at `code` with a pointer to `words`, checks the poison, and gives back its status.
fn enter(s: &mut Session, code: usize, words: &mut [u64]) -> u64 {
    static SIGNALS: std::sync::Once = std::sync::Once::new();
    SIGNALS.call_once(|| {
        for signal in [libc::SIGILL, libc::SIGSEGV] {
            // SAFETY: a complete sigaction; the handler touches this thread's session only.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_signal as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO;
                assert_eq!(0, libc::sigaction(signal, &action, std::ptr::null_mut()));
            }
        }
    });
    let mut registers = [0; 10];
    registers[..5].copy_from_slice(&POISON);
    let entry_sp = &raw mut s.entry_sp;
    SESSION.set((&raw mut *s).cast());
    // SAFETY: linked code with one pointer argument under `tail`, which here is as System V has it.
    let status = unsafe { machine_enter(code, words.as_mut_ptr(), registers.as_mut_ptr(), entry_sp) };
    SESSION.set(std::ptr::null_mut());
    if status == RETURNED || status == CAUGHT {
        assert_eq!(registers[5..], POISON, "rbx, r12-r15 came back as they went");
    }
    status
}

fn session_for<'a>(text: &'a Text, plans: &'a [Plan]) -> Session<'a> {
    Session {
        text,
        plans,
        entry_sp: 0,
        stops: 0,
        replaced: 0,
        pending: vec![],
        found: vec![],
        thrown: None,
        trapped: None,
        states: vec![],
    }
}

fn text() -> Text {
    let isa = target();
    let config = isa.frontend_config();
    let functions = [
        build_work(WORK, OLD, config),
        build_work(AFTER_STOP, NEW, config),
        build_work(AFTER_CALL, NEW, config),
        build_work(IN_HANDLER, NEW, config),
        build_caller(config),
    ];
    let compiled = functions.map(|function| compile(&*isa, function));
    let stubs = [machine_stop as *const () as usize, machine_throw as *const () as usize];
    Text::link(compiled.into(), &stubs)
}

fn callers(text: &Text) -> [usize; 2] {
    let plain = machine_plain_caller as *const () as usize;
    [text.functions[TRY_CALLER as usize].base, plain]
}

/// Runs `work` under `plans` (index = depth) from `caller` and holds it against the model.
fn run(text: &Text, caller: usize, plans: &[Plan], armed: bool) {
    let mut words = [0; CALLER_WORDS];
    for (i, word) in words.iter_mut().enumerate() {
        *word = scrambled(100 + i);
    }
    words[IN_DEPTH] = plans.len() as u64 - 1;
    words[IN_CODE] = text.functions[WORK as usize].base as u64;
    for (i, word) in words[IN_ARGS..][..ARGS].iter_mut().enumerate() {
        *word = scrambled(i);
    }
    words[IN_ARGS + ARGS] = ARGUMENT_X.to_bits();
    let tries = caller != machine_plain_caller as *const () as usize;
    let keep = words[IN_KEEP..OUT_KEEP].to_vec();
    let mut s = session_for(text, plans);
    let status = enter(&mut s, caller, &mut words);
    let outcome = match status {
        RETURNED => Outcome::Returned(std::array::from_fn(|i| words[IN_RESULTS + i])),
        TRAPPED => Outcome::Trapped,
        CAUGHT => Outcome::Thrown(CALLER_TAG, words[OUT_PAYLOAD], words[OUT_PAYLOAD + 1]),
        _ => s.thrown.map(|(t, p0, p1)| Outcome::Thrown(t, p0, p1)).expect("thrown"),
    };
    let mut replaced = 0;
    let expected = model(plans, plans.len() - 1, std::array::from_fn(scrambled), ARGUMENT_X, &mut replaced);
    assert_eq!(outcome, expected, "{plans:?}, tries: {tries}");
    if tries && (status == RETURNED || status == CAUGHT) {
        assert_eq!(words[OUT_KEEP..OUT_PAYLOAD], keep, "{plans:?}: live values of the caller");
    }
    assert_eq!(s.stops > 0, armed);
    if armed && !tries {
        assert_eq!(s.found, POISON, "what `work` saved was live in its caller");
    }
    if armed {
        assert_eq!(s.replaced, replaced, "{plans:?}: frames replaced");
    }
}

#[test]
fn a_stop_changes_nothing() {
    let text = text();
    for caller in callers(&text) {
        for depth in 1..5 {
            run(&text, caller, &vec![Plan::Leave; depth], false);
        }
        text.arm(true);
        for depth in 1..5 {
            run(&text, caller, &vec![Plan::Leave; depth], true);
        }
        text.arm(false);
        run(&text, caller, &[Plan::Leave; 2], false);
    }
}

/// Every combination of plans for three nested activations, from both callers: 900 runs.
#[test]
fn a_replaced_frame_returns_traps_and_throws() {
    let text = text();
    text.arm(true);
    let modes = [GO_ON, TRAP, THROW_TO_CALLER, THROW_TO_WORK];
    let plans: Vec<_> =
        [Plan::Leave].into_iter().chain(modes.map(Plan::AtStop)).chain(modes.map(Plan::AtReturn)).collect();
    for caller in callers(&text) {
        for &outer in &plans {
            for &middle in &plans {
                for &inner in &plans {
                    if !matches!(inner, Plan::AtReturn(_)) {
                        run(&text, caller, &[inner, middle, outer], true);
                    }
                }
                if !matches!(outer, Plan::AtReturn(_)) {
                    run(&text, caller, &[outer, middle], true);
                }
            }
        }
    }
}

#[test]
fn what_cranelift_says_of_a_frame() {
    let text = text();
    let work = &text.functions[WORK as usize];
    let saved = [(RBX, -48), (R12, -40), (13, -32), (14, -24), (R15, -16)];
    assert_eq!(work.saved, saved);
    assert_eq!(text.functions[TRY_CALLER as usize].saved, saved);
    let isa = target();
    let without_calls = compile(&*isa, build_stores(true, isa.frontend_config()));
    assert_eq!(without_calls.saved, []);
    assert_eq!(work.bytes[..4], [0x55, 0x48, 0x89, 0xe5], "push rbp; mov rbp, rsp");
    let popped = [0xc2, STACK_ARGS as u8, 0];
    assert!(work.bytes.windows(3).any(|bytes| bytes == popped), "ret 112");

    let [(stop, 5)] = work.stops[..] else {
        panic!("one stop of five bytes: {:?}", work.stops);
    };
    assert_eq!(work.bytes[stop as usize - 5], 0xe8);
    assert!(work.tags.contains(&(stop, true, 1)), "the stop's tag stands at its return address");
    let site = |ret| work.call_sites.iter().find(|site| site.ret == ret).expect("a call site");
    assert_eq!(site(stop).frame_offset, None);
    let tries: Vec<_> = work.call_sites.iter().filter(|site| site.ret != stop).collect();
    assert!(tries.iter().all(|site| site.frame_offset == Some(work.frame_to_fp)));
    let handlers: Vec<_> = tries.iter().map(|site| site.handlers.len()).collect();
    assert_eq!(handlers.iter().filter(|&&n| n == 1).count(), 1, "the call of itself");
    assert_eq!(handlers.iter().filter(|&&n| n == 0).count(), 2, "two throws, empty tables");
    // Each of the three carries a tag, and each falls through to its normal block: the tags are gone.
    assert_eq!(work.tags, [(stop, true, 1)]);
    let call = work.call_sites.iter().find(|site| site.handlers.len() == 1).expect("found above");
    let around = |pc| work.srclocs.iter().find(|&&(start, end, _)| (start..end).contains(&pc));
    assert_eq!(around(call.ret - 1).map(|loc| loc.2), Some(3));
    assert_eq!(around(stop - 1).map(|loc| loc.2), Some(2));
}

#[test]
fn a_slot_store_before_a_trap_survives() {
    let isa = target();
    let functions = [true, false].map(|traps| compile(&*isa, build_stores(traps, isa.frontend_config())));
    let text = Text::link(functions.into(), &[]);
    let has = |function: usize, value: i64| {
        let needle = (value as u32).to_le_bytes();
        (text.functions[function].bytes.windows(4)).any(|bytes| bytes == needle)
    };
    assert!([FIRST, SECOND, THIRD].iter().all(|&value| has(0, value)));
    assert!(!has(1, FIRST) && !has(1, SECOND) && has(1, THIRD), "without a trap the stores are dead");
    let good = 7u64;
    let good_pointer = &raw const good as u64;
    for (condition, pointer, slot) in [(0, good_pointer, Some(FIRST)), (1, 8, Some(SECOND)), (1, good_pointer, None)] {
        let mut s = session_for(&text, &[]);
        let status = enter(&mut s, text.functions[0].base, &mut [condition, pointer]);
        assert_eq!(s.trapped.map(|(_, word)| word as i64), slot);
        assert_eq!(status, if slot.is_some() { TRAPPED } else { RETURNED });
    }
}
