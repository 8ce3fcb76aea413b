//! Calls. In the debug tier the frame's slots hold the state of the caller while the callee runs. What its code keeps
//! in registers besides is its own affair: whoever replaces a frame puts back the registers that the frame has saved.
//!
//! A tail call is the same but for its end: the callee takes the frame's place, whatever kind of function it is, since
//! all have the `tail` convention, those of the host too. In rerun it is an end like a return.

use super::{Translator, trap_code};
use crate::abi::{Builtin, TableElement, TrapCode, VMContext, VMFuncRef};
use crate::base::{FuncIndex, Result, TableIndex};
use crate::compile::debug::NAMESPACE_FUNCTION;
use crate::compile::env::{POINTER, wasm_signature};
use crate::compile::internal;
use crate::wasm::FuncType;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{ExtFuncData, ExternalName, FuncRef, InstBuilder, SigRef, UserExternalName, Value, types};
use std::mem::offset_of;
use wasmparser::Operator;

const CODE: i32 = offset_of!(VMFuncRef, code) as i32;
const VMCTX: i32 = offset_of!(VMFuncRef, vmctx) as i32;
const SIG: i32 = offset_of!(VMFuncRef, sig) as i32;

/// What becomes of the frame that calls.
#[derive(Clone, Copy)]
enum Caller {
    /// It stays, and gets the results.
    Stays,
    /// The callee takes its place: a tail call.
    Leaves,
}

/// What is called.
pub(super) enum Callee {
    Direct(FuncRef),
    Pointer(Value),
}

impl<'a> Translator<'a, '_> {
    /// Translates an instruction of this kind; `false` for any other.
    pub(super) fn call_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match *operator {
            Operator::Call { function_index } => self.call(FuncIndex::new(function_index), Caller::Stays)?,
            Operator::CallIndirect { type_index, table_index } => {
                self.call_indirect(type_index, TableIndex::new(table_index), Caller::Stays)?;
            }
            Operator::CallRef { type_index } => self.call_ref(type_index, Caller::Stays)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Translates a tail call; `false` for any other instruction. It ends the block.
    pub(super) fn tail_call_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match *operator {
            Operator::ReturnCall { function_index } => self.call(FuncIndex::new(function_index), Caller::Leaves)?,
            Operator::ReturnCallIndirect { type_index, table_index } => {
                self.call_indirect(type_index, TableIndex::new(table_index), Caller::Leaves)?;
            }
            Operator::ReturnCallRef { type_index } => self.call_ref(type_index, Caller::Leaves)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn call(&mut self, func: FuncIndex, caller: Caller) -> Result<()> {
        let info = self.env.info;
        let ty = info.func_type(func);
        let signature = self.signature(info.funcs[func.index()].get())?;
        if !self.env.mode.beside_others() {
            let index = self.index_value(func.get());
            let func_ref = self.call_builtin(Builtin::RefFunc, &[index]);
            let func_ref = func_ref.ok_or_else(|| internal("a builtin without result"))?;
            return self.call_func_ref(ty, signature, func_ref, caller);
        }
        if let Some(defined) = info.defined(func) {
            let function = match self.functions.get(&func) {
                Some(function) => *function,
                None => {
                    let name = UserExternalName { namespace: NAMESPACE_FUNCTION, index: defined.get() };
                    let name = self.builder.func.declare_imported_user_function(name);
                    let function = self.builder.import_function(ExtFuncData {
                        name: ExternalName::user(name),
                        signature,
                        colocated: true,
                        patchable: false,
                    });
                    self.functions.insert(func, function);
                    function
                }
            };
            return self.call_wasm(ty, signature, Callee::Direct(function), self.vmctx, caller);
        }
        let func_ref = self.load_constant(self.env.layout.imported_func(func) as i32);
        self.call_func_ref(ty, signature, func_ref, caller)
    }

    fn call_indirect(&mut self, type_index: u32, table: TableIndex, caller: Caller) -> Result<()> {
        let index = self.pop_place(self.table_index(table))?;
        let element = self.table_element(table, index, TrapCode::UndefinedElement);
        let func_ref = self.builder.ins().load(POINTER, self.flags.table, element, 0);
        let func_ref = self.resolved(table, index, func_ref)?;
        // With signals, reading the signature of a null reference faults, whichever of its two forms it has.
        let flags = if self.env.options.signals {
            self.flags.func_ref.with_trap_code(Some(trap_code(TrapCode::UninitializedElement)))
        } else {
            let most = TableElement::NULL.word() as i64;
            let null = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, func_ref, most);
            self.trap_if(null, TrapCode::UninitializedElement);
            self.flags.func_ref
        };
        let found = self.builder.ins().load(types::I32, flags, func_ref, SIG);
        let signatures = self.load_constant(VMContext::SIGS);
        let wanted = self.builder.ins().load(types::I32, self.flags.constant, signatures, type_index as i32 * 4);
        let mut fits = self.builder.ins().icmp(IntCC::Equal, found, wanted);
        if !self.env.info.types[type_index as usize].is_final {
            fits = self.or_below(fits, found, wanted)?;
        }
        let different = self.builder.ins().icmp_imm_u(IntCC::Equal, fits, 0);
        self.trap_if(different, TrapCode::IndirectCallTypeMismatch);
        let signature = self.signature(type_index)?;
        self.call_func_ref(self.func_type_at(type_index)?, signature, func_ref, caller)
    }

    /// Whether two types are `same`, or `found` is below `wanted`.
    fn or_below(&mut self, same: Value, found: Value, wanted: Value) -> Result<Value> {
        let ask = self.builder.create_block();
        let next = self.builder.create_block();
        let fits = self.builder.append_block_param(next, types::I8);
        self.builder.set_cold_block(ask);
        self.builder.ins().brif(same, next, &[same.into()], ask, &[]);
        self.builder.seal_block(ask);
        self.builder.switch_to_block(ask);
        let below = self.call_builtin(Builtin::IsBelow, &[found, wanted]);
        let below = below.ok_or_else(|| internal("a builtin without result"))?;
        let below = self.builder.ins().ireduce(types::I8, below);
        self.builder.ins().jump(next, &[below.into()]);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        Ok(fits)
    }

    fn call_ref(&mut self, type_index: u32, caller: Caller) -> Result<()> {
        let func_ref = self.pop()?;
        let signature = self.signature(type_index)?;
        // With signals, reading the code of a null reference faults.
        let mut flags = self.flags.func_ref;
        if self.env.options.signals {
            flags = flags.with_trap_code(Some(trap_code(TrapCode::NullReference)));
        } else {
            let null = self.builder.ins().icmp_imm_u(IntCC::Equal, func_ref, 0);
            self.trap_if(null, TrapCode::NullReference);
        }
        let code = self.builder.ins().load(POINTER, flags, func_ref, CODE);
        let vmctx = self.builder.ins().load(POINTER, self.flags.func_ref, func_ref, VMCTX);
        self.call_wasm(self.func_type_at(type_index)?, signature, Callee::Pointer(code), vmctx, caller)
    }

    /// The function type of this index.
    fn func_type_at(&self, type_index: u32) -> Result<&'a FuncType> {
        self.env.info.func_type_at(type_index).ok_or_else(|| internal("no such type"))
    }

    /// The signature of a type of the module.
    fn signature(&mut self, type_index: u32) -> Result<SigRef> {
        if let Some(signature) = self.signatures.get(&type_index) {
            return Ok(*signature);
        }
        let ty = self.func_type_at(type_index)?;
        let signature = self.builder.import_signature(wasm_signature(ty));
        self.signatures.insert(type_index, signature);
        Ok(signature)
    }

    /// Calls what a reference that is not null refers to.
    fn call_func_ref(&mut self, ty: &FuncType, signature: SigRef, func_ref: Value, caller: Caller) -> Result<()> {
        let code = self.builder.ins().load(POINTER, self.flags.func_ref, func_ref, CODE);
        let vmctx = self.builder.ins().load(POINTER, self.flags.func_ref, func_ref, VMCTX);
        self.call_wasm(ty, signature, Callee::Pointer(code), vmctx, caller)
    }

    /// Pops the parameters, calls, pushes the results if the caller is there to have them.
    fn call_wasm(
        &mut self,
        ty: &FuncType,
        signature: SigRef,
        callee: Callee,
        vmctx: Value,
        caller: Caller,
    ) -> Result<()> {
        self.arguments += ty.params.len();
        let mut arguments = vec![vmctx, self.vmctx];
        arguments.extend(self.pop_many(ty.params.len())?);
        let results = match (caller, callee) {
            (Caller::Stays, callee) => self.call_throwing(callee, signature, &arguments),
            (Caller::Leaves, Callee::Direct(function)) => {
                self.builder.ins().return_call(function, &arguments);
                return Ok(());
            }
            (Caller::Leaves, Callee::Pointer(code)) => {
                self.builder.ins().return_call_indirect(signature, code, &arguments);
                return Ok(());
            }
        };
        for (ty, value) in ty.results.iter().zip(results) {
            self.push(*ty, value);
        }
        Ok(())
    }
}
