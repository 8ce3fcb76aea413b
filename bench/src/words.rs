//! Traps and values of both engines in the same words.

use std::fmt::Write as _;
use stepwell::runtime::{Trap, Val};

/// A trap of Stepwell; any other error is passed on.
pub fn own_trap(error: stepwell::base::Error) -> stepwell::base::Result<String> {
    let trap = error.payload::<Trap>().map(|trap| trap.code().map_or(trap.message(), |code| code.message()));
    match trap {
        // wasmtime has one trap for both.
        Some("undefined element") => Ok(String::from("trap out of bounds table access")),
        Some(message) => Ok(format!("trap {message}")),
        None => Err(error),
    }
}

/// A value of Stepwell; of a reference, whether there is one.
pub fn own_value(text: &mut String, value: &Val) {
    // Writing to a string cannot fail.
    let _ = match value {
        Val::I32(bits) => write!(text, " {bits:x}"),
        Val::I64(bits) => write!(text, " {bits:x}"),
        Val::F32(bits) => write!(text, " {bits:x}"),
        Val::F64(bits) => write!(text, " {bits:x}"),
        Val::V128(bytes) => write!(text, " {bytes:x?}"),
        Val::FuncRef(func) => write!(text, " {}", func.is_some()),
        Val::ExternRef(value) => write!(text, " {}", value.is_some()),
        Val::ExnRef(value) => write!(text, " {}", value.is_some()),
        Val::AnyRef(value) => write!(text, " {}", value.is_some()),
    };
}

/// A value of the other engine.
pub fn their_value(text: &mut String, value: &wasmtime::Val) {
    use wasmtime::Val;
    // Writing to a string cannot fail.
    let _ = match value {
        Val::I32(bits) => write!(text, " {bits:x}"),
        Val::I64(bits) => write!(text, " {bits:x}"),
        Val::F32(bits) => write!(text, " {bits:x}"),
        Val::F64(bits) => write!(text, " {bits:x}"),
        Val::V128(bits) => write!(text, " {:x?}", bits.as_u128().to_le_bytes()),
        other => write!(text, " {}", other.ref_().is_some_and(|value| !value.is_null())),
    };
}

/// A trap of the other engine; `Err` says what else it is, at `line`.
pub fn their_trap(error: &wasmtime::Error, line: &str) -> Result<String, String> {
    use wasmtime::Trap;
    let Some(trap) = error.downcast_ref::<Trap>() else {
        return Err(format!("{line}: {error:?}"));
    };
    let message = match trap {
        Trap::UnreachableCodeReached => "unreachable",
        Trap::MemoryOutOfBounds => "out of bounds memory access",
        Trap::TableOutOfBounds => "out of bounds table access",
        Trap::IndirectCallToNull => "uninitialized element",
        Trap::BadSignature => "indirect call type mismatch",
        Trap::IntegerDivisionByZero => "integer divide by zero",
        Trap::IntegerOverflow => "integer overflow",
        Trap::BadConversionToInteger => "invalid conversion to integer",
        Trap::StackOverflow => "call stack exhausted",
        other => return Err(other.to_string()),
    };
    Ok(format!("trap {message}"))
}
