//! Trampolines between host and Wasm, one per signature. They call indirectly only, so that their code stands on its
//! own: no relocation, no address.

use super::env::{abi_type, wasm_signature};
use super::{codegen_error, internal};
use crate::abi::{Builtin, TrapCode, VMContext, VMFuncRef, VMStoreContext, ValRaw};
use crate::base::Result;
use crate::isa::C_CONVENTION;
use crate::wasm::{FuncType, ValType};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind, UserFuncName, Value, types,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::mem::offset_of;

const POINTER: ir::Type = types::I64;
const VALUE_BYTES: i32 = size_of::<ValRaw>() as i32;

/// Compiles a function of `signature` whose body `build` writes, given the parameters.
fn compile(
    isa: &dyn TargetIsa,
    signature: Signature,
    build: impl FnOnce(&mut FunctionBuilder<'_>, &[Value]),
) -> Result<Vec<u8>> {
    let mut context = Context::for_function(ir::Function::with_name_signature(UserFuncName::default(), signature));
    let mut builder_context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let params = builder.block_params(entry).to_vec();
    build(&mut builder, &params);
    builder.finalize(isa.frontend_config());
    let code = context.compile(isa, &mut ControlPlane::default()).map_err(|error| codegen_error(error.inner))?;
    if !code.buffer.relocs().is_empty() {
        return Err(internal("a trampoline has relocations"));
    }
    Ok(code.buffer.data().to_vec())
}

/// How values of this type in an array of `ValRaw` are accessed: hosts align them to a word.
fn access(ty: ir::Type) -> MemFlagsData {
    if ty.bytes() > align_of::<ValRaw>() as u32 { MemFlagsData::new().with_notrap() } else { MemFlagsData::trusted() }
}

/// Loads values of `types` from an array of `ValRaw`.
fn load_values(builder: &mut FunctionBuilder<'_>, types: &[ValType], array: Value) -> Vec<Value> {
    let load = |(i, ty): (usize, &ValType)| {
        let ty = abi_type(*ty);
        builder.ins().load(ty, access(ty), array, i as i32 * VALUE_BYTES)
    };
    types.iter().enumerate().map(load).collect()
}

/// Stores values to an array of `ValRaw`.
fn store_values(builder: &mut FunctionBuilder<'_>, values: &[Value], array: Value) {
    for (i, value) in values.iter().enumerate() {
        let flags = access(builder.func.dfg.value_type(*value));
        builder.ins().store(flags, *value, array, i as i32 * VALUE_BYTES);
    }
}

/// `fn(callee: *const VMFuncRef, caller: *mut VMContext, values: *mut ValRaw)`, in the C convention.
pub(super) fn host_to_wasm(isa: &dyn TargetIsa, ty: &FuncType) -> Result<Vec<u8>> {
    let mut signature = Signature::new(C_CONVENTION);
    signature.params.extend([AbiParam::new(POINTER); 3]);
    compile(isa, signature, |builder, params| {
        let (func_ref, caller, values) = (params[0], params[1], params[2]);
        let trusted = MemFlagsData::trusted();
        let code = builder.ins().load(POINTER, trusted, func_ref, offset_of!(VMFuncRef, code) as i32);
        let callee = builder.ins().load(POINTER, trusted, func_ref, offset_of!(VMFuncRef, vmctx) as i32);
        let mut arguments = vec![callee, caller];
        arguments.extend(load_values(builder, &ty.params, values));
        let signature = builder.import_signature(wasm_signature(ty));
        let call = builder.ins().call_indirect(signature, code, &arguments);
        let results = builder.inst_results(call).to_vec();
        store_values(builder, &results, values);
        builder.ins().return_(&[]);
    })
}

/// Bytes of values for which a trampoline does not look whether they fit on the stack: little beside the least that the
/// runtime keeps below the guests' limit.
const UNCHECKED_BYTES: u32 = 1024;

/// Compares the stack pointer, below this frame, with the store's limit, before anything is written.
fn check_stack(builder: &mut FunctionBuilder<'_>, caller: Value, store: Value) {
    let trusted = MemFlagsData::trusted();
    let (fits, overflows) = (builder.create_block(), builder.create_block());
    builder.set_cold_block(overflows);
    let limit = builder.ins().load(POINTER, trusted, store, VMStoreContext::STACK_LIMIT);
    let pointer = builder.ins().get_stack_pointer(POINTER);
    let overflow = builder.ins().icmp(IntCC::UnsignedLessThan, pointer, limit);
    builder.ins().brif(overflow, overflows, &[], fits, &[]);
    builder.switch_to_block(overflows);
    call_and_stay_away(builder, caller, Builtin::HostOverflow);
    builder.switch_to_block(fits);
}

/// Calls a builtin that takes nothing and never returns.
fn call_and_stay_away(builder: &mut FunctionBuilder<'_>, caller: Value, builtin: Builtin) {
    let trusted = MemFlagsData::trusted();
    let mut signature = Signature::new(C_CONVENTION);
    signature.params.push(AbiParam::new(POINTER));
    let signature = builder.import_signature(signature);
    let builtins = builder.ins().load(POINTER, trusted, caller, VMContext::BUILTINS);
    let function = builder.ins().load(POINTER, trusted, builtins, builtin as i32 * 8);
    builder.ins().call_indirect(signature, function, &[caller]);
    builder.ins().trap(super::env::trap_code(TrapCode::Unreachable));
}

/// `(callee: the host function's context, caller: *mut VMContext, params...) -> results`, the Wasm convention.
pub(super) fn wasm_to_host(isa: &dyn TargetIsa, ty: &FuncType) -> Result<Vec<u8>> {
    compile(isa, wasm_signature(ty), |builder, params| {
        let (callee, caller) = (params[0], params[1]);
        let trusted = MemFlagsData::trusted();
        // The frame that called out is the caller's, not ours: debuggers and backtraces have no use for this one.
        let store = builder.ins().load(POINTER, trusted, caller, VMContext::STORE);
        let frame = builder.ins().get_frame_pointer(POINTER);
        let exit_fp = builder.ins().load(POINTER, trusted, frame, 0);
        let exit_pc = builder.ins().get_return_address(POINTER);
        builder.ins().store(trusted, exit_fp, store, VMStoreContext::EXIT_FP);
        builder.ins().store(trusted, exit_pc, store, VMStoreContext::EXIT_PC);
        builder.ins().store(trusted, frame, store, VMStoreContext::EXIT_HEAD);

        let count = ty.params.len().max(ty.results.len()) as u32;
        let align_shift = align_of::<ValRaw>().trailing_zeros() as u8;
        let slot = builder.create_sized_stack_slot(StackSlotData::new(
            StackSlotKind::ExplicitSlot,
            count * VALUE_BYTES as u32,
            align_shift,
        ));
        if count * VALUE_BYTES as u32 > UNCHECKED_BYTES {
            check_stack(builder, caller, store);
        }
        let values = builder.ins().stack_addr(POINTER, slot, 0);
        store_values(builder, &params[2..], values);

        let mut host_call = Signature::new(C_CONVENTION);
        host_call.params.extend([AbiParam::new(POINTER); 3]);
        host_call.returns.push(AbiParam::new(types::I8));
        let host_call = builder.import_signature(host_call);
        let function = builder.ins().load(POINTER, trusted, callee, 0);
        let call = builder.ins().call_indirect(host_call, function, &[callee, caller, values]);
        let fine = builder.inst_results(call)[0];
        let (returning, raising) = (builder.create_block(), builder.create_block());
        builder.set_cold_block(raising);
        builder.ins().brif(fine, returning, &[], raising, &[]);

        builder.switch_to_block(raising);
        call_and_stay_away(builder, caller, Builtin::Raise);

        builder.switch_to_block(returning);
        let results = load_values(builder, &ty.results, values);
        builder.ins().return_(&results);
        builder.seal_all_blocks();
    })
}
