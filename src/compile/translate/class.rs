//! What each instruction means to a region: whether it can be run again with the same outcome. One row per instruction,
//! with the reason. An instruction without a row is not compiled in the debug tier, so what later proposals bring cannot be
//! forgotten here. Whatever another thread or the host may change in between is no [`Class::Pure`] read.

use crate::compile::outline::Outline;
use wasmparser::Operator;

/// What an instruction means to a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compile) enum Class {
    /// Can be run again with the same outcome and never traps.
    Pure,
    /// Can be run again with the same outcome, which may be a trap.
    Traps,
    /// Changes something outside the frame, or is where a region has become long, so that only the guest itself may run it: a region ends
    /// behind it. It may trap before.
    Effect,
    /// A call: other code runs, and the frame is seen from it. A region ends behind it.
    Call,
    /// Says where to go on.
    Control,
}

/// The classes of a function's instructions, in their order. Regions are kept short by it: now and then an instruction is left to the guest
/// though it could be run again, wherever a way through the body may have come far without. Every walk over a body that asks what a region is
/// goes by one of these.
#[derive(Clone, Copy, Debug)]
pub(in crate::compile) struct Classes {
    /// How many may still come before one is left to the guest, if it computes.
    left: u32,
    /// How many came since the last `end` behind which one was left to the guest: as far may a branch have come to here.
    jumped: u32,
}

impl Classes {
    /// The most instructions in a row: as many as replay code is made of at a time.
    const MOST: u32 = Outline::RUN;
    /// The most that a branch may leave out, or branches one behind the other.
    const MOST_JUMPED: u32 = Classes::MOST / 2;

    /// From the start of a function.
    pub(in crate::compile) fn new() -> Classes {
        Classes { left: Classes::MOST, jumped: 0 }
    }

    /// The class of the next instruction that can be reached; `None` for one that has none yet.
    pub(in crate::compile) fn next(&mut self, operator: &Operator<'_>) -> Option<Class> {
        let class = class(operator)?;
        self.jumped = self.jumped.saturating_add(1);
        if matches!(operator, Operator::End) && self.jumped > Classes::MOST_JUMPED {
            (self.left, self.jumped) = (0, 0);
        } else if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
        } else if class == Class::Pure {
            self.left = Classes::MOST;
            return Some(Class::Effect);
        }
        Some(class)
    }
}

/// Declares [`class`] from rows of instruction, class and reason.
macro_rules! classes {
    ($($name:ident $class:ident $why:literal;)*) => {
        /// The class of an instruction; `None` for one that has none yet.
        fn class(operator: &Operator<'_>) -> Option<Class> {
            match operator {
                $(Operator::$name { .. } => Some(Class::$class),)*
                _ => None,
            }
        }

        /// The table, for its tests.
        #[cfg(test)]
        const ROWS: &[(&str, Class, &str)] = &[$((stringify!($name), Class::$class, $why),)*];
    };
}

#[rustfmt::skip]
classes! {
    Nop               Pure    "does nothing";
    Drop              Pure    "forgets an operand";
    Select            Pure    "computes from its operands alone";
    TypedSelect       Pure    "computes from its operands alone";
    LocalGet          Pure    "copies a local";
    LocalSet          Pure    "changes a local, which replay has a copy of";
    LocalTee          Pure    "changes a local, which replay has a copy of";
    GlobalGet         Pure    "reads what only effects change";
    GlobalSet         Effect  "writes a global";
    Unreachable       Traps   "always traps";
    Block             Control "opens a block";
    Loop              Control "enters a loop: a stop point stands in it";
    If                Control "chooses by an operand";
    Else              Control "ends a block";
    End               Control "ends a block, or returns";
    Br                Control "goes on elsewhere";
    BrIf              Control "goes on elsewhere or not";
    BrTable           Control "goes on elsewhere";
    Return            Control "leaves the frame";
    Call              Call    "runs other code";
    CallIndirect      Call    "runs other code";
    I32Load           Traps   "reads memory of this store, which nobody else changes within a region";
    I64Load           Traps   "reads memory of this store, which nobody else changes within a region";
    F32Load           Traps   "reads memory of this store, which nobody else changes within a region";
    F64Load           Traps   "reads memory of this store, which nobody else changes within a region";
    I32Load8S         Traps   "reads memory of this store, which nobody else changes within a region";
    I32Load8U         Traps   "reads memory of this store, which nobody else changes within a region";
    I32Load16S        Traps   "reads memory of this store, which nobody else changes within a region";
    I32Load16U        Traps   "reads memory of this store, which nobody else changes within a region";
    I64Load8S         Traps   "reads memory of this store, which nobody else changes within a region";
    I64Load8U         Traps   "reads memory of this store, which nobody else changes within a region";
    I64Load16S        Traps   "reads memory of this store, which nobody else changes within a region";
    I64Load16U        Traps   "reads memory of this store, which nobody else changes within a region";
    I64Load32S        Traps   "reads memory of this store, which nobody else changes within a region";
    I64Load32U        Traps   "reads memory of this store, which nobody else changes within a region";
    I32Store          Effect  "writes memory";
    F32Store          Effect  "writes memory";
    I64Store          Effect  "writes memory";
    F64Store          Effect  "writes memory";
    I32Store8         Effect  "writes memory";
    I64Store8         Effect  "writes memory";
    I32Store16        Effect  "writes memory";
    I64Store16        Effect  "writes memory";
    I64Store32        Effect  "writes memory";
    MemorySize        Pure    "reads a size that only effects change";
    MemoryGrow        Effect  "changes a size";
    MemoryCopy        Effect  "writes memory";
    MemoryFill        Effect  "writes memory";
    MemoryInit        Effect  "writes memory";
    DataDrop          Effect  "changes a segment";
    RefNull           Pure    "is the same value always";
    RefIsNull         Pure    "computes from its operands alone";
    RefFunc           Effect  "may make the reference: the runtime does it";
    TableGet          Traps   "reads a table of this store, which nobody else changes within a region";
    TableSet          Effect  "writes a table";
    TableSize         Pure    "reads a size that only effects change";
    TableGrow         Effect  "changes a size";
    TableFill         Effect  "writes a table";
    TableCopy         Effect  "writes a table";
    TableInit         Effect  "writes a table";
    ElemDrop          Effect  "changes a segment";
    I32Const          Pure    "is the same value always";
    I64Const          Pure    "is the same value always";
    F32Const          Pure    "is the same value always";
    F64Const          Pure    "is the same value always";
    I32Eqz            Pure    "computes from its operands alone";
    I64Eqz            Pure    "computes from its operands alone";
    I32Eq             Pure    "computes from its operands alone";
    I64Eq             Pure    "computes from its operands alone";
    I32Ne             Pure    "computes from its operands alone";
    I64Ne             Pure    "computes from its operands alone";
    I32LtS            Pure    "computes from its operands alone";
    I64LtS            Pure    "computes from its operands alone";
    I32LtU            Pure    "computes from its operands alone";
    I64LtU            Pure    "computes from its operands alone";
    I32GtS            Pure    "computes from its operands alone";
    I64GtS            Pure    "computes from its operands alone";
    I32GtU            Pure    "computes from its operands alone";
    I64GtU            Pure    "computes from its operands alone";
    I32LeS            Pure    "computes from its operands alone";
    I64LeS            Pure    "computes from its operands alone";
    I32LeU            Pure    "computes from its operands alone";
    I64LeU            Pure    "computes from its operands alone";
    I32GeS            Pure    "computes from its operands alone";
    I64GeS            Pure    "computes from its operands alone";
    I32GeU            Pure    "computes from its operands alone";
    I64GeU            Pure    "computes from its operands alone";
    F32Eq             Pure    "computes from its operands alone";
    F64Eq             Pure    "computes from its operands alone";
    F32Ne             Pure    "computes from its operands alone";
    F64Ne             Pure    "computes from its operands alone";
    F32Lt             Pure    "computes from its operands alone";
    F64Lt             Pure    "computes from its operands alone";
    F32Gt             Pure    "computes from its operands alone";
    F64Gt             Pure    "computes from its operands alone";
    F32Le             Pure    "computes from its operands alone";
    F64Le             Pure    "computes from its operands alone";
    F32Ge             Pure    "computes from its operands alone";
    F64Ge             Pure    "computes from its operands alone";
    I32Clz            Pure    "computes from its operands alone";
    I32Ctz            Pure    "computes from its operands alone";
    I32Popcnt         Pure    "computes from its operands alone";
    I64Clz            Pure    "computes from its operands alone";
    I64Ctz            Pure    "computes from its operands alone";
    I64Popcnt         Pure    "computes from its operands alone";
    I32Add            Pure    "computes from its operands alone";
    I32Sub            Pure    "computes from its operands alone";
    I32Mul            Pure    "computes from its operands alone";
    I32And            Pure    "computes from its operands alone";
    I32Or             Pure    "computes from its operands alone";
    I32Xor            Pure    "computes from its operands alone";
    I32Shl            Pure    "computes from its operands alone";
    I32ShrS           Pure    "computes from its operands alone";
    I32ShrU           Pure    "computes from its operands alone";
    I32Rotl           Pure    "computes from its operands alone";
    I32Rotr           Pure    "computes from its operands alone";
    I64Add            Pure    "computes from its operands alone";
    I64Sub            Pure    "computes from its operands alone";
    I64Mul            Pure    "computes from its operands alone";
    I64And            Pure    "computes from its operands alone";
    I64Or             Pure    "computes from its operands alone";
    I64Xor            Pure    "computes from its operands alone";
    I64Shl            Pure    "computes from its operands alone";
    I64ShrS           Pure    "computes from its operands alone";
    I64ShrU           Pure    "computes from its operands alone";
    I64Rotl           Pure    "computes from its operands alone";
    I64Rotr           Pure    "computes from its operands alone";
    I32DivS           Traps   "may divide by zero or overflow; else computes from its operands";
    I32DivU           Traps   "may divide by zero or overflow; else computes from its operands";
    I32RemS           Traps   "may divide by zero or overflow; else computes from its operands";
    I32RemU           Traps   "may divide by zero or overflow; else computes from its operands";
    I64DivS           Traps   "may divide by zero or overflow; else computes from its operands";
    I64DivU           Traps   "may divide by zero or overflow; else computes from its operands";
    I64RemS           Traps   "may divide by zero or overflow; else computes from its operands";
    I64RemU           Traps   "may divide by zero or overflow; else computes from its operands";
    F32Abs            Pure    "computes from its operands alone";
    F32Neg            Pure    "computes from its operands alone";
    F32Ceil           Pure    "computes from its operands alone";
    F32Floor          Pure    "computes from its operands alone";
    F32Trunc          Pure    "computes from its operands alone";
    F32Nearest        Pure    "computes from its operands alone";
    F32Sqrt           Pure    "computes from its operands alone";
    F32Add            Pure    "computes from its operands alone";
    F32Sub            Pure    "computes from its operands alone";
    F32Mul            Pure    "computes from its operands alone";
    F32Div            Pure    "computes from its operands alone";
    F32Min            Pure    "computes from its operands alone";
    F32Max            Pure    "computes from its operands alone";
    F32Copysign       Pure    "computes from its operands alone";
    F64Abs            Pure    "computes from its operands alone";
    F64Neg            Pure    "computes from its operands alone";
    F64Ceil           Pure    "computes from its operands alone";
    F64Floor          Pure    "computes from its operands alone";
    F64Trunc          Pure    "computes from its operands alone";
    F64Nearest        Pure    "computes from its operands alone";
    F64Sqrt           Pure    "computes from its operands alone";
    F64Add            Pure    "computes from its operands alone";
    F64Sub            Pure    "computes from its operands alone";
    F64Mul            Pure    "computes from its operands alone";
    F64Div            Pure    "computes from its operands alone";
    F64Min            Pure    "computes from its operands alone";
    F64Max            Pure    "computes from its operands alone";
    F64Copysign       Pure    "computes from its operands alone";
    I32WrapI64        Pure    "computes from its operands alone";
    I64ExtendI32S     Pure    "computes from its operands alone";
    I64ExtendI32U     Pure    "computes from its operands alone";
    I32Extend8S       Pure    "computes from its operands alone";
    I32Extend16S      Pure    "computes from its operands alone";
    I64Extend8S       Pure    "computes from its operands alone";
    I64Extend16S      Pure    "computes from its operands alone";
    I64Extend32S      Pure    "computes from its operands alone";
    F32ConvertI32S    Pure    "computes from its operands alone";
    F32ConvertI64S    Pure    "computes from its operands alone";
    F32ConvertI32U    Pure    "computes from its operands alone";
    F32ConvertI64U    Pure    "computes from its operands alone";
    F64ConvertI32S    Pure    "computes from its operands alone";
    F64ConvertI64S    Pure    "computes from its operands alone";
    F64ConvertI32U    Pure    "computes from its operands alone";
    F64ConvertI64U    Pure    "computes from its operands alone";
    F32DemoteF64      Pure    "computes from its operands alone";
    F64PromoteF32     Pure    "computes from its operands alone";
    I32ReinterpretF32 Pure    "computes from its operands alone";
    I64ReinterpretF64 Pure    "computes from its operands alone";
    F32ReinterpretI32 Pure    "computes from its operands alone";
    F64ReinterpretI64 Pure    "computes from its operands alone";
    I32TruncF32S      Traps   "may meet a value out of range; else computes from its operand";
    I32TruncF64S      Traps   "may meet a value out of range; else computes from its operand";
    I32TruncF32U      Traps   "may meet a value out of range; else computes from its operand";
    I32TruncF64U      Traps   "may meet a value out of range; else computes from its operand";
    I64TruncF32S      Traps   "may meet a value out of range; else computes from its operand";
    I64TruncF64S      Traps   "may meet a value out of range; else computes from its operand";
    I64TruncF32U      Traps   "may meet a value out of range; else computes from its operand";
    I64TruncF64U      Traps   "may meet a value out of range; else computes from its operand";
    I32TruncSatF32S   Pure    "computes from its operands alone";
    I32TruncSatF64S   Pure    "computes from its operands alone";
    I32TruncSatF32U   Pure    "computes from its operands alone";
    I32TruncSatF64U   Pure    "computes from its operands alone";
    I64TruncSatF32S   Pure    "computes from its operands alone";
    I64TruncSatF64S   Pure    "computes from its operands alone";
    I64TruncSatF32U   Pure    "computes from its operands alone";
    I64TruncSatF64U   Pure    "computes from its operands alone";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_in_a_row_one_is_left_to_the_guest() {
        let mut classes = Classes::new();
        for _ in 0..3 {
            for _ in 0..Classes::MOST {
                assert_eq!(classes.next(&Operator::Nop), Some(Class::Pure));
            }
            // What may trap, or says where to go on, is not.
            assert_eq!(classes.next(&Operator::Unreachable), Some(Class::Traps));
            assert_eq!(classes.next(&Operator::Return), Some(Class::Control));
            assert_eq!(classes.next(&Operator::Nop), Some(Class::Effect));
        }
    }

    #[test]
    fn behind_a_long_block_one_is_left_to_the_guest() {
        let mut classes = Classes::new();
        let pass = |classes: &mut Classes, instructions| {
            (0..instructions).for_each(|_| assert!(classes.next(&Operator::Nop).is_some()));
        };
        let most = Classes::MOST_JUMPED;
        for inside in [most, most + 1, 3 * Classes::MOST] {
            pass(&mut classes, inside);
            assert_eq!(classes.next(&Operator::End), Some(Class::Control));
            assert_eq!(classes.next(&Operator::Nop), Some(Class::Effect), "behind {inside}");
        }
        // Short ones count together.
        for inside in [most / 2, most / 2 - 4] {
            pass(&mut classes, inside);
            assert_eq!(classes.next(&Operator::End), Some(Class::Control));
            assert_eq!(classes.next(&Operator::Nop), Some(Class::Pure), "behind {inside}");
        }
        assert_eq!(classes.next(&Operator::End), Some(Class::Control));
        assert_eq!(classes.next(&Operator::Nop), Some(Class::Effect));
    }

    /// The names say what an instruction does: a second opinion on the table.
    #[test]
    fn the_table_agrees_with_the_names() {
        let effect = ["Store", "Set", "Grow", "Fill", "Copy", "Init", "Drop", "RefFunc"];
        let pure_names = ["LocalSet", "Drop", "F32Copysign", "F64Copysign"];
        assert!(ROWS.len() > 190);
        for (name, class, why) in ROWS {
            let effect = effect.iter().any(|part| name.contains(part)) && !pure_names.contains(name);
            assert_eq!(effect, *class == Class::Effect, "{name}");
            assert_eq!(name.starts_with("Call"), *class == Class::Call, "{name}");
            let sat = name.contains("Sat");
            let traps = ["Load", "Div", "Rem", "TableGet", "Unreachable"].iter().any(|part| name.contains(part))
                && !name.starts_with("F32Div")
                && !name.starts_with("F64Div")
                || name.contains("TruncF") && !sat;
            assert_eq!(traps, *class == Class::Traps, "{name}");
            assert!(!why.is_empty());
        }
    }
}
