//! What every function of a module is translated with: its module, its layout, the options; and how Wasm's types
//! and trap codes are Cranelift's.

use super::{Compiler, DebugTier, Options, internal, vm_layout};
use crate::abi::{Builtin, BuiltinArg, TrapCode, VmLayout};
use crate::base::{Family, Result, WasmOffset};
use crate::image::Tier;
use crate::isa::C_CONVENTION;
use crate::wasm::{FuncType, ModuleInfo, RefType, ValType};
use cranelift_codegen::ir::{self, AbiParam, ArgumentPurpose, Signature, types};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use wasmparser::HeapType;

/// A pointer of the target.
pub(super) const POINTER: ir::Type = types::I64;

/// What kind of code is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The production tier.
    Production,
    /// The debug tier with a stop point before every instruction.
    Simple,
    /// The debug tier with stop points where regions begin.
    Regions,
    /// Rerun: see [`RerunImage`](crate::image::RerunImage).
    Rerun,
    /// A function that goes on at any instruction, in the place of a frame of the debug tier.
    Resume,
    /// One function as by [`Mode::Regions`], with further stop points; it is called in the place of what is in the
    /// debug image, or goes on in a loop in the place of a frame of the debug tier.
    Split {
        /// Whether it takes a frame's place.
        entered: bool,
    },
}

impl Mode {
    /// The image it is for.
    pub(super) fn tier(self) -> Tier {
        if self == Mode::Production { Tier::Production } else { Tier::Debug }
    }

    /// Whether it stands in one text with the other functions of the module, and can call them directly.
    pub(super) fn beside_others(self) -> bool {
        !matches!(self, Mode::Resume | Mode::Split { .. })
    }

    /// Whether stop points stand where regions begin, and not before every instruction.
    pub(super) fn has_regions(self) -> bool {
        matches!(self, Mode::Regions | Mode::Split { .. })
    }
}

/// What the functions of one image are translated with.
pub(super) struct Env<'a> {
    /// The module.
    pub(super) info: &'a ModuleInfo,
    /// Its bytes.
    pub(super) binary: &'a [u8],
    /// Which image this is for.
    pub(super) tier: Tier,
    /// What kind of code it is.
    pub(super) mode: Mode,
    /// Of [`Mode::Split`], the instructions that have further stop points, ascending.
    pub(super) splits: &'a [WasmOffset],
    /// The configuration.
    pub(super) options: Options,
    /// The layout of the module's `VMContext`.
    pub(super) layout: VmLayout,
    /// The target.
    pub(super) isa: &'a dyn TargetIsa,
}

impl<'a> Env<'a> {
    pub(super) fn new(compiler: &'a Compiler, info: &'a ModuleInfo, binary: &'a [u8], mode: Mode) -> Result<Self> {
        let layout = vm_layout(info)?;
        let (mut options, mut isa) = (compiler.options, &compiler.isa);
        if mode == Mode::Rerun {
            // Nothing may fault in it, no clock ends it, and it is made while a debugger waits.
            (options.signals, options.epoch) = (false, false);
            isa = &compiler.quick;
        }
        Ok(Env { info, binary, tier: mode.tier(), mode, splits: &[], options, layout, isa: isa.as_ref() })
    }

    /// Whether each side of a branch is to have a place where it can be stopped that no other way comes to: in all code
    /// that runs in the place of debug code whose regions are basic blocks.
    pub(super) fn has_sides(&self) -> bool {
        self.options.debug_tier == DebugTier::Blocks && !matches!(self.mode, Mode::Production | Mode::Rerun)
    }
}

/// A Wasm type as Cranelift's.
pub(super) fn abi_type(ty: ValType) -> ir::Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 => types::I64,
        ValType::Ref(ty) => match ty.heap.family() {
            Family::Func | Family::Extern | Family::Exn => types::I64,
            Family::Any => types::I32,
        },
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => types::I8X16,
    }
}

/// The type of a null reference.
pub(super) fn null_type(info: &ModuleInfo, ty: HeapType) -> Result<ValType> {
    let heap = info.heap_type(ty).ok_or_else(|| internal("a null of unknown type"))?;
    Ok(ValType::Ref(RefType::nullable(heap)))
}

/// The signature of Wasm functions of type `ty`, as `abi` describes it.
pub(super) fn wasm_signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.push(AbiParam::special(POINTER, ArgumentPurpose::VMContext));
    signature.params.push(AbiParam::new(POINTER));
    signature.params.extend(ty.params.iter().map(|ty| AbiParam::new(abi_type(*ty))));
    signature.returns.extend(ty.results.iter().map(|ty| AbiParam::new(abi_type(*ty))));
    signature
}

/// The signature of rerun code: see [`RerunImage`](crate::image::RerunImage).
pub(super) fn rerun_signature() -> Signature {
    let mut signature = Signature::new(C_CONVENTION);
    signature.params.extend([POINTER, POINTER, POINTER, types::I32].map(AbiParam::new));
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

/// The signature of a builtin. Those that throw are called as Wasm functions are, whose callers do not count on any
/// register where an exception lands; both conventions pass so few integers in the same registers.
pub(super) fn builtin_signature(builtin: Builtin) -> Signature {
    let abi = |ty: BuiltinArg| {
        AbiParam::new(match ty {
            BuiltinArg::I32 => types::I32,
            BuiltinArg::I64 => types::I64,
        })
    };
    let mut signature = Signature::new(match builtin {
        Builtin::Throw | Builtin::ThrowRef => CallConv::Tail,
        _ => C_CONVENTION,
    });
    signature.params.push(AbiParam::new(POINTER));
    signature.params.extend(builtin.params().iter().map(|ty| abi(*ty)));
    signature.returns.extend(builtin.result().map(abi));
    signature
}

/// A trap code as Cranelift's.
pub(super) fn trap_code(code: TrapCode) -> ir::TrapCode {
    const { assert!(ir::TrapCode::user(TrapCode::ExpectedSharedMemory as u8).is_some()) };
    ir::TrapCode::unwrap_user(code as u8)
}

/// A trap code of Cranelift's as ours; `None` for one that no code of ours has.
pub(super) fn our_trap_code(code: ir::TrapCode) -> Option<TrapCode> {
    match code {
        ir::TrapCode::STACK_OVERFLOW => Some(TrapCode::StackOverflow),
        ir::TrapCode::INTEGER_OVERFLOW => Some(TrapCode::IntegerOverflow),
        ir::TrapCode::HEAP_OUT_OF_BOUNDS => Some(TrapCode::MemoryOutOfBounds),
        ir::TrapCode::INTEGER_DIVISION_BY_ZERO => Some(TrapCode::IntegerDivisionByZero),
        ir::TrapCode::BAD_CONVERSION_TO_INTEGER => Some(TrapCode::InvalidConversion),
        user => TrapCode::from_u8(user.as_raw().get()),
    }
}
