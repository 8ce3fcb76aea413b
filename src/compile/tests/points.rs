//! Where the debug tier can be stopped, and what it shows there.

use super::{GUARDED, compile};
use crate::base::Family;
use crate::compile::{Compiler, DebugTier, Options};
use crate::image::Tier;
use crate::wasm::ValType;
use wasmparser::{Operator, Parser, Payload};

/// The points of a module's only function: instruction names with the kinds of the operands, bottom first.
fn points(source: &str) -> Vec<String> {
    let binary = wat::parse_str(source).unwrap();
    let image = compile(&Compiler::new(GUARDED).unwrap(), &binary, Tier::Debug);
    let mut names = std::collections::HashMap::new();
    for payload in Parser::new(0).parse_all(&binary) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            for operator in body.get_operators_reader().unwrap().into_iter_with_offsets() {
                let (operator, at) = operator.unwrap();
                names.insert(at as u32, name(&operator));
            }
        }
    }
    let show = |ty: ValType| match ty {
        ValType::I32 => 'i',
        ValType::I64 => 'I',
        ValType::F32 => 'f',
        ValType::F64 => 'F',
        ValType::V128 => 'v',
        ValType::Ref(ty) => match ty.heap.family() {
            Family::Func => 'r',
            Family::Extern => 'e',
            Family::Exn => 'x',
            Family::Any => 'a',
        },
    };
    let tables = &image.tables;
    let line = |point: crate::image::Point| {
        let mut operands: Vec<char> = tables.operands(point.shape).map(|slot| show(slot.ty)).collect();
        operands.reverse();
        format!("{}({})", names[&point.wasm.get()], operands.iter().collect::<String>())
    };
    tables.points.iter().map(line).collect()
}

fn name(operator: &Operator<'_>) -> String {
    let text = format!("{operator:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn before_every_instruction() {
    let found = points(
        "(module (func (param i32 f64) (result i64) (local externref)
           nop i32.const 7 drop local.get 1 i64.trunc_f64_s))",
    );
    assert_eq!(found, ["Nop()", "I32Const()", "Drop(i)", "LocalGet()", "I64TruncF64S(F)", "End(I)"]);
}

#[test]
fn ends_and_elses_when_fallen_into() {
    // The first `if` is fallen through on both sides, the second's `then` branches away, the third has no `else`.
    let found = points(
        "(module (func (param i32)
           local.get 0 if nop else nop end
           local.get 0 if br 0 else br 0 end
           local.get 0 if return end
           block br 0 nop end
           loop nop end))",
    );
    let expected = [
        "LocalGet()",
        "If(i)",
        "Nop()",
        "Else()",
        "Nop()",
        "End()", //
        "LocalGet()",
        "If(i)",
        "Br()",
        "Br()", //
        "LocalGet()",
        "If(i)",
        "Return()", //
        "Block()",
        "Br()", //
        "Loop()",
        "Nop()",
        "End()",
        "End()",
    ];
    assert_eq!(found, expected);
}

#[test]
fn none_in_unreachable_code() {
    let found = points(
        "(module (func (result i32)
           block unreachable block loop i32.const 0 if i32.const 0 drop else nop end end end end
           i32.const 1 return i32.const 2))",
    );
    // The block cannot be left, so nothing behind it is reached.
    assert_eq!(found, ["Block()", "Unreachable()"]);
}

#[test]
fn blocks_and_calls_show_their_operands() {
    let found = points(
        "(module (table 1 funcref) (func (param i64) (result f32 i32)
           local.get 0
           (block (param i64) (result f32 i32)
             local.get 0 call 0
             local.get 0 i32.wrap_i64 br_if 0
             drop drop drop
             f32.const 1 i64.const 2 i32.const 0 call_indirect (param i64) (result i32))
           nop))",
    );
    // In `BrIf`, what is below the block's results goes when it branches, and `End` shows the results alone.
    let expected = [
        "LocalGet()",
        "Block(I)",
        "LocalGet(I)",
        "Call(II)",
        "LocalGet(Ifi)",
        "I32WrapI64(IfiI)",
        "BrIf(Ifii)",
        "Drop(Ifi)",
        "Drop(If)",
        "Drop(I)",
        "F32Const()",
        "I64Const(f)",
        "I32Const(fI)",
        "CallIndirect(fIi)",
        "End(fi)",
        "Nop(fi)",
        "End(fi)",
    ];
    assert_eq!(found, expected);
}

/// Each by the distance from its branch. Where a side leads to a block of its own, there is none.
#[test]
fn sides_of_branches_have_places_of_their_own() {
    let binary = wat::parse_str(
        "(module (func (param i32) (result i32)
           local.get 0 if nop end
           local.get 0 if nop else nop end
           loop local.get 0 br_if 0 end
           block local.get 0 br_if 0 nop end
           block block block local.get 0 br_table 0 1 0 2 1 0 end end end
           i32.const 7 local.get 0 br_if 0))",
    )
    .unwrap();
    let mut branches = Vec::new();
    for payload in Parser::new(0).parse_all(&binary) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            for operator in body.get_operators_reader().unwrap().into_iter_with_offsets() {
                let (operator, at) = operator.unwrap();
                if matches!(operator, Operator::If { .. } | Operator::BrIf { .. } | Operator::BrTable { .. }) {
                    branches.push((at as u32, name(&operator)));
                }
            }
        }
    }
    let sides = |debug_tier| {
        let image = compile(&Compiler::new(Options { debug_tier, ..GUARDED }).unwrap(), &binary, Tier::Debug);
        let sides = image.tables.points.iter().filter(|point| point.is_on_side());
        let told = sides.map(|point| {
            let at = point.wasm.get();
            let (branch, name) = branches.iter().rfind(|branch| branch.0 < at).unwrap();
            format!("{name} + {}", at - branch)
        });
        told.collect::<Vec<_>>()
    };
    let expected = ["If + 1", "BrIf + 1", "BrIf + 1", "BrTable + 1", "BrTable + 2", "BrTable + 3", "BrIf + 1"];
    assert_eq!(sides(DebugTier::Blocks), expected);
    assert!(sides(DebugTier::Regions).is_empty() && sides(DebugTier::Simple).is_empty());
}
