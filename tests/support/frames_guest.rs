//! The guest of `replaced_frames.rs`, as Cranelift functions: `work` and its recompiled bodies, its callers, and
//! stores around traps. Says what the code does and where its words stand; knows nothing of stopping it.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, AliasRegionData, Block, BlockArg, DebugTag, ExceptionTableData, ExceptionTableItem, ExceptionTag,
    ExtFuncData, ExternalName, FuncRef, Function, InstBuilder, MemFlagsData, Signature, SourceLoc, StackSlot,
    StackSlotData, StackSlotKind, TrapCode, UserExternalName, UserFuncName, Value, types::F64, types::I64,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

// How a run ends, as the entry reports it.
pub const RETURNED: u64 = 0;
pub const TRAPPED: u64 = 1;
pub const CAUGHT: u64 = 2;
pub const UNCAUGHT: u64 = 3;

pub const ARGS: usize = 15; // a0 and a1 in registers, 13 on the stack: 104 bytes, rounded up to 112
pub const STACK_ARGS: u64 = 112;
pub const RESULTS: usize = 10; // 8 in registers, 2 in the return area
// The state of a frame, in words: its slots, and after them what only a resumed body needs.
pub const DEPTH: usize = 0;
pub const MODE: usize = 1;
pub const A: usize = 2;
pub const X: usize = A + ARGS;
pub const R: usize = X + 1;
pub const SLOTS: usize = R + RESULTS;
pub const PAYLOAD: usize = SLOTS;
pub const STATE: usize = SLOTS + 2;
/// What the host tells a resumed body to do, by its slot `MODE`.
pub const GO_ON: u64 = 0;
pub const TRAP: u64 = 1;
pub const THROW_TO_CALLER: u64 = 2;
pub const THROW_TO_WORK: u64 = 3;
pub const CALLER_TAG: u32 = 7;
pub const WORK_TAG: u32 = 9;
pub const OLD: u64 = 0x1111_0000_1111;
pub const NEW: u64 = 0x2222_0000_2222;
// Functions of the text, in order, and its stubs.
pub const WORK: u32 = 0;
pub const AFTER_STOP: u32 = 1;
pub const AFTER_CALL: u32 = 2;
pub const IN_HANDLER: u32 = 3;
pub const TRY_CALLER: u32 = 4;
pub const STOP_STUB: u32 = 0;
pub const THROW_STUB: u32 = 1;
// What a caller is given, in words.
pub const IN_DEPTH: usize = 0;
pub const IN_RESULTS: usize = 1;
pub const IN_CODE: usize = IN_RESULTS + RESULTS;
pub const IN_ARGS: usize = IN_CODE + 1;
pub const IN_KEEP: usize = IN_ARGS + ARGS + 1;
pub const KEPT: usize = 6;
pub const OUT_KEEP: usize = IN_KEEP + KEPT;
pub const OUT_PAYLOAD: usize = OUT_KEEP + KEPT;
pub const CALLER_WORDS: usize = OUT_PAYLOAD + 2;

fn signature(conv: CallConv, ints: usize, floats: usize, results: usize) -> Signature {
    let mut signature = Signature::new(conv);
    signature.params = vec![AbiParam::new(I64); ints];
    signature.params.extend(vec![AbiParam::new(F64); floats]);
    signature.returns = vec![AbiParam::new(I64); results];
    signature
}

/// (caller's words, mode or the state's address, depth, a0..a14, x) -> 10 results
fn work_signature() -> Signature {
    signature(CallConv::Tail, 3 + ARGS, 1, RESULTS)
}

fn import(b: &mut FunctionBuilder, space: u32, index: u32, signature: Signature, patchable: bool) -> FuncRef {
    let signature = b.import_signature(signature);
    let name = (b.func).declare_imported_user_function(UserExternalName::new(space, index));
    b.import_function(ExtFuncData { name: ExternalName::user(name), signature, colocated: true, patchable })
}

/// A `try_call` with handlers `(tag, block)` whose blocks take the two payloads; goes on in a new block,
/// whose parameters are the results.
fn try_call(b: &mut FunctionBuilder, callee: FuncRef, args: &[Value], handlers: &[(u32, Block)]) -> Vec<Value> {
    let signature = b.func.dfg.ext_funcs[callee].signature;
    let results = b.func.dfg.signatures[signature].returns.len();
    let next = b.create_block();
    let rets: Vec<_> = (0..results as u32).map(BlockArg::TryCallRet).collect();
    let values = (0..results).map(|_| b.append_block_param(next, I64)).collect();
    let normal = b.func.dfg.block_call(next, &rets);
    let exn = [BlockArg::TryCallExn(0), BlockArg::TryCallExn(1)];
    let items: Vec<_> = (handlers.iter())
        .map(|&(tag, block)| {
            let tag = ExceptionTag::with_number(tag).expect("a small number");
            ExceptionTableItem::Tag(tag, b.func.dfg.block_call(block, &exn))
        })
        .collect();
    let table = ExceptionTableData::new(signature, normal, items);
    let table = b.func.dfg.exception_tables.push(table);
    let call = b.ins().try_call(callee, args, table);
    b.func.debug_tags.set(call, [DebugTag::User(77)]);
    b.switch_to_block(next);
    values
}

struct Work {
    slot: StackSlot,
    locals: Vec<Variable>,
    throw: FuncRef,
    trapped: Block,
}

impl Work {
    fn get(&self, b: &mut FunctionBuilder, word: usize) -> Value {
        b.use_var(self.locals[word])
    }

    fn set(&self, b: &mut FunctionBuilder, word: usize, value: Value) {
        b.def_var(self.locals[word], value);
        if word < SLOTS {
            b.ins().stack_store(I64, value, self.slot, 8 * word as i32);
        }
    }

    /// Do what the slot `MODE` says.
    fn obey(&self, b: &mut FunctionBuilder) {
        let mode = self.get(b, MODE);
        let (on, bad, throws) = (b.create_block(), b.create_block(), b.create_block());
        b.ins().brif(mode, bad, &[], on, &[]);
        b.switch_to_block(bad);
        let is_trap = b.ins().icmp_imm_u(IntCC::Equal, mode, TRAP as i64);
        b.ins().brif(is_trap, self.trapped, &[], throws, &[]);
        b.switch_to_block(throws);
        let (p0, p1) = (self.get(b, A), self.get(b, A + 1));
        try_call(b, self.throw, &[mode, p0, p1], &[]);
        b.ins().trap(TrapCode::unwrap_user(2)); // a throw never returns
        b.switch_to_block(on);
    }
}

/// `work`, or the same body entered elsewhere with its state in a buffer. The arithmetic is what `model` does.
pub fn build_work(entry: u32, marker: u64, config: TargetFrontendConfig) -> Function {
    let name = UserFuncName::user(0, entry);
    let mut function = Function::with_name_signature(name, work_signature());
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let b = &mut builder;
    let first = b.create_block();
    b.append_block_params_for_function_params(first);
    b.switch_to_block(first);
    b.set_srcloc(SourceLoc::new(1));
    let params = b.block_params(first).to_vec();
    let stop = import(b, 1, STOP_STUB, Signature::new(CallConv::PreserveAll), true);
    let w = Work {
        slot: b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8 * SLOTS as u32, 3)),
        locals: (0..STATE).map(|word| b.declare_var(if word == X { F64 } else { I64 })).collect(),
        throw: import(b, 1, THROW_STUB, signature(CallConv::Tail, 3, 0, 0), false),
        trapped: b.create_block(),
    };
    let this = import(b, 0, WORK, work_signature(), false);
    let marker = b.ins().iconst(I64, marker as i64);
    let (after_stop, after_call) = (b.create_block(), b.create_block());
    let (in_handler, caught) = (b.create_block(), b.create_block());

    // Entry: from the parameters, or from the buffer that the second parameter points to.
    for word in 0..STATE {
        let value = match (entry, word) {
            (WORK, DEPTH) => params[2],
            (WORK, MODE) => params[1],
            (WORK, X) => params[3 + ARGS],
            (WORK, A..X) => params[3 + word - A],
            (WORK, _) => b.ins().iconst(I64, 0),
            _ => {
                let ty = if word == X { F64 } else { I64 };
                let flags = MemFlagsData::trusted();
                b.ins().load(ty, flags, params[1], 8 * word as i32)
            }
        };
        w.set(b, word, value);
    }
    match entry {
        WORK => {
            b.set_srcloc(SourceLoc::new(2));
            let call = b.ins().call(stop, &[]);
            b.func.debug_tags.set(call, [DebugTag::User(1)]);
            b.ins().jump(after_stop, &[]);
        }
        AFTER_STOP => _ = b.ins().jump(after_stop, &[]),
        AFTER_CALL => _ = b.ins().jump(after_call, &[]),
        _ => _ = b.ins().jump(in_handler, &[]),
    }

    // After the stop: the innermost activation computes, others call.
    b.switch_to_block(after_stop);
    w.obey(b);
    let depth = w.get(b, DEPTH);
    let (leaf, inner) = (b.create_block(), b.create_block());
    b.ins().brif(depth, inner, &[], leaf, &[]);
    b.switch_to_block(leaf);
    let x = w.get(b, X);
    let bits = b.ins().bitcast(I64, MemFlagsData::new(), x);
    let mut results = vec![];
    for i in 0..RESULTS {
        let (low, high) = (w.get(b, A + i), w.get(b, A + i + 5));
        let value = b.ins().imul_imm_s(low, 2 * i as i64 + 3);
        let value = b.ins().bxor(value, high);
        let value = b.ins().iadd(value, bits);
        results.push(b.ins().iadd(value, marker));
    }
    b.ins().return_(&results);
    b.switch_to_block(inner);
    b.set_srcloc(SourceLoc::new(3));
    let (go_on, one) = (b.ins().iconst(I64, GO_ON as i64), b.ins().iconst(I64, 1));
    let mut args = vec![params[0], go_on, b.ins().isub(depth, one)];
    for i in 0..ARGS {
        let value = w.get(b, A + ARGS - 1 - i);
        let add = b.ins().iconst(I64, i as i64);
        args.push(b.ins().iadd(value, add));
    }
    let (x, factor) = (w.get(b, X), b.ins().f64const(1.5));
    args.push(b.ins().fmul(x, factor));
    let exn = [0, 1].map(|_| b.append_block_param(caught, I64));
    let values = try_call(b, this, &args, &[(WORK_TAG, caught)]);
    b.set_srcloc(SourceLoc::new(4));
    for (i, value) in values.into_iter().enumerate() {
        w.set(b, R + i, value);
    }
    b.ins().jump(after_call, &[]);

    b.switch_to_block(after_call);
    w.obey(b);
    let mut results = vec![];
    for i in 0..RESULTS {
        let (r, a) = (w.get(b, R + RESULTS - 1 - i), w.get(b, A + i));
        let value = b.ins().imul_imm_s(r, 3);
        let value = b.ins().iadd(value, a);
        results.push(b.ins().bxor(value, marker));
    }
    b.ins().return_(&results);

    b.switch_to_block(caught);
    w.set(b, PAYLOAD, exn[0]);
    w.set(b, PAYLOAD + 1, exn[1]);
    b.ins().jump(in_handler, &[]);
    b.switch_to_block(in_handler);
    let (p0, p1) = (w.get(b, PAYLOAD), w.get(b, PAYLOAD + 1));
    let mut results = vec![];
    for i in 0..RESULTS {
        let value = b.ins().imul_imm_s(p1, i as i64);
        let value = b.ins().iadd(value, p0);
        let a = w.get(b, A + i);
        let value = b.ins().iadd(value, a);
        results.push(b.ins().bxor(value, marker));
    }
    b.ins().return_(&results);
    b.switch_to_block(w.trapped);
    b.ins().trap(TrapCode::unwrap_user(1));
    b.seal_all_blocks();
    builder.finalize(config);
    function
}

/// The caller in debug code: calls `work` while six loaded values are live, and catches `CALLER_TAG`.
pub fn build_caller(config: TargetFrontendConfig) -> Function {
    let name = UserFuncName::user(0, TRY_CALLER);
    let mut function = Function::with_name_signature(name, signature(CallConv::Tail, 1, 0, 1));
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let b = &mut builder;
    let first = b.create_block();
    b.append_block_params_for_function_params(first);
    b.switch_to_block(first);
    let words = b.block_params(first)[0];
    let flags = MemFlagsData::trusted();
    let load = |b: &mut FunctionBuilder, word| b.ins().load(I64, flags, words, 8 * word as i32);
    let keep: Vec<_> = (0..KEPT).map(|i| load(b, IN_KEEP + i)).collect();
    let go_on = b.ins().iconst(I64, GO_ON as i64);
    let mut args = vec![words, go_on, load(b, IN_DEPTH)];
    args.extend((0..ARGS).map(|i| load(b, IN_ARGS + i)));
    let x = load(b, IN_ARGS + ARGS);
    args.push(b.ins().bitcast(F64, MemFlagsData::new(), x));
    let work = import(b, 0, WORK, work_signature(), false);
    let caught = b.create_block();
    let exn = [0, 1].map(|_| b.append_block_param(caught, I64));
    let finish = |b: &mut FunctionBuilder, at: usize, values: &[Value], status: i64| {
        for (i, &value) in values.iter().enumerate() {
            b.ins().store(flags, value, words, 8 * (at + i) as i32);
        }
        for (i, &value) in keep.iter().enumerate() {
            b.ins().store(flags, value, words, 8 * (OUT_KEEP + i) as i32);
        }
        let status = b.ins().iconst(I64, status);
        b.ins().return_(&[status]);
    };
    let values = try_call(b, work, &args, &[(CALLER_TAG, caught)]);
    finish(b, IN_RESULTS, &values, RETURNED as i64);
    b.switch_to_block(caught);
    finish(b, OUT_PAYLOAD, &exn, CAUGHT as i64);
    b.seal_all_blocks();
    builder.finalize(config);
    function
}

unsafe extern "C" {
    /// The caller in production code, by hand: calls `work` with the entry's poison live in rbx, r12-r15, and
    /// passes 13 stack arguments and the address of the return area as `tail` wants them.
    pub fn machine_plain_caller();
}

core::arch::global_asm!(
    ".globl machine_plain_caller",
    "machine_plain_caller:",
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 16 + 16 + {area}", // the pointer, the return area, the stack arguments
    "mov [rbp - 8], rdi",
    "mov rdx, rdi",
    "lea rsi, [rdx + 8 * {args} + 16]",
    "mov rdi, rsp",
    "mov ecx, 13",
    "rep movsq",
    "movsd xmm0, [rsi]",
    "mov rsi, rdx",
    "mov r8, [rdx + 8 * {args}]",
    "mov r9, [rdx + 8 * {args} + 8]",
    "mov rcx, [rdx + 8 * {depth}]",
    "mov rax, [rdx + 8 * {code}]",
    "xor edx, edx",
    "lea rdi, [rsp + {area}]",
    "call rax",
    "mov r11, [rbp - 8]",
    "mov [r11 + 8 * {results}], rax",
    "mov [r11 + 8 * {results} + 8], rcx",
    "mov [r11 + 8 * {results} + 16], rdx",
    "mov [r11 + 8 * {results} + 24], rsi",
    "mov [r11 + 8 * {results} + 32], rdi",
    "mov [r11 + 8 * {results} + 40], r8",
    "mov [r11 + 8 * {results} + 48], r9",
    "mov [r11 + 8 * {results} + 56], r10",
    "pop qword ptr [r11 + 8 * {results} + 64]", // the arguments are popped: rsp is at the return area
    "pop qword ptr [r11 + 8 * {results} + 72]",
    "xor eax, eax",
    "leave",
    "ret",
    area = const STACK_ARGS,
    args = const IN_ARGS,
    depth = const IN_DEPTH,
    code = const IN_CODE,
    results = const IN_RESULTS,
);

/// Three stores to a slot in an alias region of its own, with or without something that may trap between them.
pub fn build_stores(traps: bool, config: TargetFrontendConfig) -> Function {
    let mut function = Function::with_name_signature(UserFuncName::default(), signature(CallConv::Tail, 1, 0, 1));
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let b = &mut builder;
    let first = b.create_block();
    b.append_block_params_for_function_params(first);
    b.switch_to_block(first);
    let words = b.block_params(first)[0];
    let slot = b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3));
    let region = b.func.dfg.alias_regions.insert(AliasRegionData { user_id: 1, description: "frame slots".into() });
    let slots = MemFlagsData::trusted().with_alias_region(Some(region));
    let heap = MemFlagsData::new().with_trap_code(Some(TrapCode::HEAP_OUT_OF_BOUNDS));
    let address = b.ins().stack_addr(I64, slot, 0);
    let store = |b: &mut FunctionBuilder, value: i64| {
        let value = b.ins().iconst(I64, value);
        b.ins().store(slots, value, address, 0);
    };
    let condition = b.ins().load(I64, MemFlagsData::trusted(), words, 0);
    let pointer = b.ins().load(I64, MemFlagsData::trusted(), words, 8);
    store(b, FIRST);
    if traps {
        b.ins().trapz(condition, TrapCode::unwrap_user(1));
    }
    store(b, SECOND);
    let loaded = match traps {
        true => b.ins().load(I64, heap, pointer, 0),
        false => pointer,
    };
    store(b, THIRD);
    let zero = b.ins().iconst(I64, 0);
    let status = b.ins().band(loaded, zero);
    b.ins().return_(&[status]);
    b.seal_all_blocks();
    builder.finalize(config);
    function
}

pub const FIRST: i64 = 0x5151_0001;
pub const SECOND: i64 = 0x5151_0002;
pub const THIRD: i64 = 0x5151_0003;
