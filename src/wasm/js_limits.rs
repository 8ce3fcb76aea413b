//! The limits that engines of the JavaScript API have agreed on: how large a module may be. wasmparser enforces most of
//! them as it validates, in words of its own; here is what we say instead, which names the limit. Enforced here is what
//! it leaves. What a small module may cost is bounded in `limits`.

use crate::base::{Error, ErrorKind, Result, WasmOffset};
use std::fmt::Display;
use wasmparser::Operator;

/// The bytes of a module.
const MAX_MODULE_BYTES: u64 = 1 << 30;
/// The operands of an `array.new_fixed`.
const MAX_ARRAY_NEW_FIXED: u32 = 10_000;

/// What wasmparser says where a limit is passed, and what we say. `tests/engine/module_limits.rs` passes each.
const REFUSALS: &[(&str, &str)] = &[
    ("types count exceeds limit of 1000000", "a module has at most 1000000 types, in at most 1000000 groups"),
    ("rec group types size is out of bounds", "a recursion group has at most 1000000 types"),
    (
        "sub type hierarchy too deep: found depth 64, cannot exceed depth 63",
        "a type has at most 63 types above it, one above the other",
    ),
    ("function params size is out of bounds", "a function type has at most 1000 parameters"),
    ("function returns size is out of bounds", "a function type has at most 1000 results"),
    ("struct fields size is out of bounds", "a struct type has at most 10000 fields"),
    ("functions count exceeds limit of 1000000", "a module has at most 1000000 functions, imported ones among them"),
    ("imports count exceeds limit of 1000000", "a module has at most 1000000 imports"),
    ("exports count exceeds limit of 1000000", "a module has at most 1000000 exports"),
    ("globals count exceeds limit of 1000000", "a module has at most 1000000 globals, imported ones among them"),
    ("tags count exceeds limit of 1000000", "a module has at most 1000000 tags, imported ones among them"),
    ("tables count exceeds limit of 100000", "a module has at most 100000 tables, imported ones among them"),
    ("memories count exceeds limit of 100", "a module has at most 100 memories, imported ones among them"),
    ("element segments count exceeds limit of 100000", "a module has at most 100000 element segments"),
    ("number of elements is out of bounds", "an element segment has at most 10000000 elements"),
    ("data segments count exceeds limit of 100000", TOO_MANY_DATA_SEGMENTS),
    ("data count section specifies too many data segments", TOO_MANY_DATA_SEGMENTS),
    ("function body size count exceeds limit of 7654321", "a function's body has at most 7654321 bytes"),
    ("too many locals: locals exceed maximum", TOO_MANY_LOCALS),
    ("too many locals", TOO_MANY_LOCALS),
    ("catches size is out of bounds", "a try_table has at most 10000 catch clauses"),
    ("br_table size is out of bounds", "a br_table has at most 65520 targets"),
    ("string size out of bounds", "a name has at most 100000 bytes"),
    (
        "effective type size exceeds the limit of 1000000",
        "a module's imports and exports have a size of at most 999998 together: 1 each, and for a function or tag 1 \
         more and 1 for each parameter and result",
    ),
];

const TOO_MANY_DATA_SEGMENTS: &str = "a module has at most 100000 data segments";
const TOO_MANY_LOCALS: &str = "a function has at most 50000 locals, its parameters among them";

/// The limit behind a refusal of wasmparser's, if it is one.
pub(super) fn behind(said: &str) -> Option<&'static str> {
    REFUSALS.iter().find(|(theirs, _)| *theirs == said).map(|(_, ours)| *ours)
}

/// # Errors
/// [`ErrorKind::Limit`] for a module with too many bytes.
pub(super) fn check_size(binary: &[u8]) -> Result<()> {
    if binary.len() as u64 <= MAX_MODULE_BYTES {
        return Ok(());
    }
    let message = format!("a module has at most {MAX_MODULE_BYTES} bytes, and this has {}", binary.len());
    Err(refusal(message, MAX_MODULE_BYTES))
}

/// # Errors
/// [`ErrorKind::Limit`] for an `array.new_fixed` with too many operands.
pub(super) fn check_operands(operator: &Operator<'_>, at: u64) -> Result<()> {
    match operator {
        Operator::ArrayNewFixed { array_size, .. } if *array_size > MAX_ARRAY_NEW_FIXED => {
            let message =
                format!("an array.new_fixed has at most {MAX_ARRAY_NEW_FIXED} operands, and this has {array_size}");
            Err(refusal(message, at))
        }
        _ => Ok(()),
    }
}

fn refusal(message: impl Display, at: u64) -> Error {
    let at = WasmOffset::new(u32::try_from(at).unwrap_or(u32::MAX));
    Error::new(ErrorKind::Limit, message.to_string()).at(at)
}
