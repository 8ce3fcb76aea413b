//! Where traps are: each frame's instruction, read here anew, must be one that this trap can come from.

use std::fmt::Write as _;
use stepwell::runtime::{FrameInfo, Trap, TrapCode};
use wasmparser::{BinaryReader, FunctionBody};

/// The trap with the place of each frame, to be compared with the same trap in other code. How deep a stack may get is
/// no tier's promise: of a stack overflow only its name.
///
/// An error says which frame stands at an instruction that cannot have done this.
pub fn told(trap: &Trap, code: TrapCode) -> Result<String, String> {
    let mut text = format!("{code:?}");
    for (depth, frame) in trap.frames().iter().enumerate() {
        let (name, first) = instruction(frame).ok_or_else(|| format!("{frame}: no instruction begins there"))?;
        let fits = if depth == 0 { causes(code, &name, first) } else { calls(&name) };
        if !fits {
            return Err(format!("{frame}: {name} in frame {depth} of a trap {code:?}"));
        }
        if code != TrapCode::StackOverflow {
            let _ = write!(text, " {}@{:#x}", frame.func(), frame.offset().get());
        }
    }
    Ok(text)
}

/// What the instruction of a frame is called by the parser, and whether it is the first of its function. A frame that
/// does not fit the stack stands at its function's start, in front of that.
fn instruction(frame: &FrameInfo) -> Option<(String, bool)> {
    let (module, offset) = (frame.module(), u64::from(frame.offset().get()));
    let info = module.info();
    let range = info.bodies.get(info.defined(frame.func())?.index())?.bytes.clone();
    if offset == range.start as u64 {
        return Some(("Start".to_owned(), true));
    }
    let body = FunctionBody::new(BinaryReader::new(&module.binary()[range.clone()], range.start as u64));
    for (i, read) in body.get_operators_reader().ok()?.into_iter_with_offsets().enumerate() {
        let (operator, at) = read.ok()?;
        if at == offset {
            let name = format!("{operator:?}");
            return Some((name.split([' ', '{']).next()?.to_owned(), i == 0));
        }
    }
    None
}

fn calls(name: &str) -> bool {
    matches!(name, "Call" | "CallIndirect" | "CallRef")
}

/// Whether an instruction can trap so.
fn causes(code: TrapCode, name: &str, first: bool) -> bool {
    let integer = name.starts_with("I32") || name.starts_with("I64");
    let truncates = integer && name.contains("Trunc") && !name.contains("Sat");
    match code {
        TrapCode::Unreachable => name == "Unreachable",
        TrapCode::MemoryOutOfBounds => {
            name.contains("Load")
                || name.contains("Store")
                || name.contains("Atomic") && name != "AtomicFence"
                || matches!(name, "MemoryFill" | "MemoryCopy" | "MemoryInit" | "ArrayNewData" | "ArrayInitData")
        }
        TrapCode::TableOutOfBounds => {
            matches!(name, "TableGet" | "TableSet" | "TableFill" | "TableCopy" | "TableInit")
                || matches!(name, "ArrayNewElem" | "ArrayInitElem")
        }
        TrapCode::UndefinedElement | TrapCode::UninitializedElement | TrapCode::IndirectCallTypeMismatch => {
            matches!(name, "CallIndirect" | "ReturnCallIndirect")
        }
        TrapCode::UnalignedAtomic => name.contains("Atomic") && name != "AtomicFence" && !name.contains("8U"),
        TrapCode::ExpectedSharedMemory => matches!(name, "MemoryAtomicWait32" | "MemoryAtomicWait64"),
        TrapCode::IntegerDivisionByZero => integer && (name.contains("Div") || name.contains("Rem")),
        TrapCode::IntegerOverflow => truncates || integer && name.ends_with("DivS"),
        TrapCode::InvalidConversion => truncates,
        TrapCode::StackOverflow => first || calls(name),
        // The host's doing, or of proposals that no script of ours is about.
        _ => true,
    }
}
