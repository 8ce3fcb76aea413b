//! The rows of the instructions on structures, arrays and integers of 31 bits. To make one is an effect: it may move
//! all others, and rerun must not. To read one is like reading memory.

#[rustfmt::skip]
rows! {
    // Operator       Class   Fuel Flow     Operands
    RefEq             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    StructNew         Effect  1    Next     [depends]      "makes a structure";
    StructNewDefault  Effect  1    Next     [0 -> ANYREF]  "makes a structure";
    StructGet         Traps   1    Next     [depends]      "may meet null; reads what only effects change";
    StructGetS        Traps   1    Next     [1 -> I32]     "may meet null; reads what only effects change";
    StructGetU        Traps   1    Next     [1 -> I32]     "may meet null; reads what only effects change";
    StructSet         Effect  1    Next     [2 -> none]    "writes a structure";
    ArrayNew          Effect  1    Next     [2 -> ANYREF]  "makes an array";
    ArrayNewDefault   Effect  1    Next     [1 -> ANYREF]  "makes an array";
    ArrayNewFixed     Effect  1    Next     [depends]      "makes an array";
    ArrayNewData      Effect  1    Next     [2 -> ANYREF]  "makes an array";
    ArrayNewElem      Effect  1    Next     [2 -> ANYREF]  "makes an array";
    ArrayGet          Traps   1    Next     [depends]      "may be out of bounds; reads what only effects change";
    ArrayGetS         Traps   1    Next     [2 -> I32]     "may be out of bounds; reads what only effects change";
    ArrayGetU         Traps   1    Next     [2 -> I32]     "may be out of bounds; reads what only effects change";
    ArraySet          Effect  1    Next     [3 -> none]    "writes an array";
    ArrayLen          Traps   1    Next     [1 -> I32]     "may meet null";
    ArrayFill         Effect  1    Next     [4 -> none]    "writes an array";
    ArrayCopy         Effect  1    Next     [5 -> none]    "writes an array";
    ArrayInitData     Effect  1    Next     [4 -> none]    "writes an array";
    ArrayInitElem     Effect  1    Next     [4 -> none]    "writes an array";
    RefTestNonNull    Pure    1    Next     [1 -> I32]     "looks at what never changes";
    RefTestNullable   Pure    1    Next     [1 -> I32]     "looks at what never changes";
    RefCastNonNull    Traps   1    Next     [depends]      "may meet another type";
    RefCastNullable   Traps   1    Next     [depends]      "may meet another type";
    BrOnCast          Control 1    BranchIf [depends]      "goes on elsewhere or not";
    BrOnCastFail      Control 1    BranchIf [depends]      "goes on elsewhere or not";
    AnyConvertExtern  Pure    1    Next     [1 -> ANYREF]  "computes from its operands alone";
    ExternConvertAny  Pure    1    Next     [1 -> EXTERNREF] "computes from its operands alone";
    RefI31            Pure    1    Next     [1 -> ANYREF]  "computes from its operands alone";
    I31GetS           Traps   1    Next     [1 -> I32]     "may meet null";
    I31GetU           Traps   1    Next     [1 -> I32]     "may meet null";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{Class, Flow, ValType};

    /// The names say what an operator does: a second opinion on the rows.
    #[test]
    fn the_rows_agree_with_the_names() {
        let has = |name: &str, parts: &[&str]| parts.iter().any(|part| name.contains(part));
        for (name, row, why) in ROWS {
            let branches = name.starts_with("BrOn");
            let effect = has(name, &["New", "Set", "Fill", "Copy", "Init"]);
            let traps = has(name, &["Get", "Len", "Cast"]) && !branches;
            let class = match (branches, effect, traps) {
                (true, ..) => Class::Control,
                (_, true, _) => Class::Effect,
                (.., true) => Class::Traps,
                _ => Class::Pure,
            };
            assert_eq!((row.class, row.fuel), (class, 1), "{name}");
            assert_eq!(row.flow, if branches { Flow::BranchIf } else { Flow::Next }, "{name}");
            let gives = match row.operands {
                Some((_, gives)) => gives,
                None => continue,
            };
            let given = match *name {
                _ if has(name, &["GetS", "GetU", "Len", "Test", "RefEq"]) => Some(ValType::I32),
                "ExternConvertAny" => Some(ValType::EXTERNREF),
                _ if has(name, &["New", "RefI31", "AnyConvert"]) => Some(ValType::ANYREF),
                _ => None,
            };
            assert_eq!(gives, given, "{name}");
            assert!(!why.is_empty());
        }
    }
}
