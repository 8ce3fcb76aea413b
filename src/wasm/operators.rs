//! What each operator is, whatever module it stands in: one table, with a row for every operator of the proposals that
//! Stepwell has. Whoever asks what an operator is to a region, what fuel it costs, where control goes from it or what
//! it does to the operand stack asks the table, whose rows for vectors are in `vectors`, those for what guests make on
//! the heap in `references`, and those of atomic instructions in `atomics`. An operator of these proposals that has no
//! row does not compile; one of a proposal that is switched on in [`Features`](super::Features) without having rows
//! fails a test.

use super::types::ValType;
use wasmparser::{MemArgTarget, Operator};

/// What an operator means to a region of debug code: a stretch of instructions that can be run again with the same
/// outcome. Whatever another thread or the host may change in between is no [`Class::Pure`] read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Can be run again with the same outcome and never traps.
    Pure,
    /// Can be run again with the same outcome, which may be a trap.
    Traps,
    /// Changes something outside the frame, or is where a region has become long, so that only the guest itself may run
    /// it: a region ends behind it. It may trap before. A tail call is one: nothing comes behind it in this frame.
    Effect,
    /// A call, or what the host is told of: other code runs, and the frame is seen from it. A region ends behind it.
    Call,
    /// Says where to go on.
    Control,
}

impl Class {
    /// Whether only the guest itself may run it, so that a region ends behind it.
    pub fn ends_region(self) -> bool {
        matches!(self, Class::Effect | Class::Call)
    }
}

/// Where control goes from an operator. A [`Walk`](super::Walk) says which instructions that are in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// On to the next instruction.
    Next,
    /// On to the next instruction, in a block that this opens. A branch to it goes behind its end.
    Block,
    /// The same, but a branch to the block goes back to its first instruction.
    Loop,
    /// Into a block that this opens, or behind its `else`, or, if it has none, behind its end.
    If,
    /// Behind the end of the innermost block. What follows is reached from the block's `if`.
    Else,
    /// Behind the end of the innermost block, a `try`. What follows is reached from calls in it that an exception comes
    /// out of.
    Catch,
    /// On to the next instruction, where branches to the innermost block come in, or out of the function.
    End,
    /// To the end of blocks that it names, or the first instruction of loops.
    Branch,
    /// The same, or on to the next instruction.
    BranchIf,
    /// Out of the function, by a return, a tail call or a trap.
    Leave,
}

impl Flow {
    /// Whether control always goes on to the next instruction.
    pub fn runs_on(self) -> bool {
        matches!(self, Flow::Next | Flow::Block | Flow::Loop | Flow::End)
    }

    /// Whether the next instruction runs as often as this one: always behind it, and never otherwise.
    pub fn is_straight(self) -> bool {
        matches!(self, Flow::Next | Flow::Block)
    }
}

/// What an operator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it means to a region.
    pub class: Class,
    /// What it takes of a guest's fuel: nothing for what only says where blocks begin and end, and `nop`.
    pub fuel: i64,
    /// Where control goes.
    pub flow: Flow,
    /// How many operands it takes and the type of the one that it gives, if it gives one; `None` where that depends on
    /// where it stands, or on its memory or table.
    pub operands: Option<(usize, Option<ValType>)>,
}

/// Makes a constant of each row, in a module `rows`: operator, class, fuel, flow, operands, and the reason for its
/// class.
macro_rules! rows {
    ($($name:ident $class:ident $fuel:literal $flow:ident $operands:tt $why:literal;)*) => {
        #[allow(non_upper_case_globals, reason = "each is named as its operator")]
        pub(super) mod rows {
            use crate::wasm::operators::{Class, Flow, Row};
            use crate::wasm::ValType;

            $(pub const $name: Row = Row {
                class: Class::$class,
                fuel: $fuel,
                flow: Flow::$flow,
                operands: operands!($operands),
            };)*
        }

        /// These rows, for the tests of the table.
        #[cfg(test)]
        pub(super) const ROWS: &[(&str, $crate::wasm::Row, &str)] = &[$((stringify!($name), rows::$name, $why),)*];
    };
}

macro_rules! operands {
    ([depends]) => {
        None
    };
    ([$takes:literal -> none]) => {
        Some(($takes, None))
    };
    ([$takes:literal -> $gives:ident]) => {
        Some(($takes, Some(ValType::$gives)))
    };
}

mod atomics;
mod references;
mod vectors;

/// The row of an operator of wasmparser's, if Stepwell has the proposal that it belongs to.
macro_rules! row_of {
    (mvp $name:ident) => {
        Some(&rows::$name)
    };
    (sign_extension $name:ident) => {
        Some(&rows::$name)
    };
    (saturating_float_to_int $name:ident) => {
        Some(&rows::$name)
    };
    (bulk_memory $name:ident) => {
        Some(&rows::$name)
    };
    (reference_types $name:ident) => {
        Some(&rows::$name)
    };
    (function_references $name:ident) => {
        Some(&rows::$name)
    };
    (tail_call $name:ident) => {
        Some(&rows::$name)
    };
    (wide_arithmetic $name:ident) => {
        Some(&rows::$name)
    };
    (simd $name:ident) => {
        Some(&vectors::rows::$name)
    };
    (exceptions $name:ident) => {
        Some(&rows::$name)
    };
    (legacy_exceptions $name:ident) => {
        Some(&rows::$name)
    };
    (relaxed_simd $name:ident) => {
        Some(&vectors::rows::$name)
    };
    (gc $name:ident) => {
        Some(&references::rows::$name)
    };
    (threads $name:ident) => {
        Some(&atomics::rows::$name)
    };
    ($other:ident $name:ident) => {
        None
    };
}

/// `if`, `else`, `catch` and `end` of a block behind which exceptions lead: the guest alone goes there, for a region
/// begins where it may have come from a call. And what may branch, where a region begins on both ways.
pub(super) const OF_GUEST: [Row; 5] = [
    Row { class: Class::Effect, ..rows::If },
    Row { class: Class::Effect, ..rows::Else },
    Row { class: Class::Effect, ..rows::Catch },
    Row { class: Class::Effect, ..rows::End },
    Row { class: Class::Effect, ..rows::BrIf },
];

/// An instruction that reads a memory, where that is shared: only the guest itself may run it, for other threads change
/// what it reads. By what it takes and gives: the rows of those that only read are alike in all else.
const SHARED: [Row; 7] = {
    const fn row(operands: Option<(usize, Option<ValType>)>) -> Row {
        Row { class: Class::Effect, operands, ..rows::MemorySize }
    }
    [
        row(rows::MemorySize.operands),
        row(rows::I32Load.operands),
        row(rows::I64Load.operands),
        row(rows::F32Load.operands),
        row(rows::F64Load.operands),
        row(vectors::rows::V128Load.operands),
        row(vectors::rows::V128Load8Lane.operands),
    ]
};

/// The row of an instruction that reads or writes a shared memory.
pub(super) fn of_shared(row: &'static Row) -> &'static Row {
    match row.class {
        Class::Pure | Class::Traps => SHARED.iter().find(|shared| shared.operands == row.operands).unwrap_or(row),
        _ => row,
    }
}

/// The memory that the immediates of an operator name, which are given as names and values; of those that copy none.
macro_rules! memory_in {
    ([memarg $memarg:ident $($rest:tt)*]) => {
        match $memarg.target {
            MemArgTarget::Memory(memory) => Some(memory),
            _ => None,
        }
    };
    ([mem $mem:ident]) => {
        Some(*$mem)
    };
    ([$($other:tt)*]) => {
        None
    };
}

macro_rules! find_memory {
    ($(@$proposal:ident $name:ident $({ $($field:ident: $ty:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
        /// The memory that an instruction reads or writes whose memory is its only immediate, or the first.
        #[allow(unused_variables, reason = "most immediates are no memories")]
        pub(super) fn memory_of(operator: &Operator<'_>) -> Option<u32> {
            match operator {
                $(Operator::$name $({ $($field,)* })? => memory_in!([$($($field $field)*)?]),)*
                _ => None,
            }
        }
    };
}
wasmparser::for_each_operator!(find_memory);

macro_rules! find_row {
    ($(@$proposal:ident $name:ident $({ $($field:ident: $ty:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
        /// The row of an operator; `None` for one of a proposal that Stepwell does not have.
        #[inline]
        pub fn row(operator: &Operator<'_>) -> Option<&'static Row> {
            match operator {
                $(Operator::$name { .. } => row_of!($proposal $name),)*
                _ => None,
            }
        }

        /// All that wasmparser knows: proposal, name, and how many operands are taken and given, for the tests of the
        /// table.
        #[cfg(test)]
        const KNOWN: &[(&str, &str, &str, Option<&Row>)] =
            &[$((stringify!($proposal), stringify!($name), stringify!($($arity)*), row_of!($proposal $name)),)*];
    };
}
wasmparser::for_each_operator!(find_row);

#[rustfmt::skip]
rows! {
    // Operator       Class   Fuel Flow     Operands
    Nop               Pure    0    Next     [0 -> none]    "does nothing";
    Drop              Pure    1    Next     [1 -> none]    "forgets an operand";
    Select            Pure    1    Next     [depends]      "computes from its operands alone";
    TypedSelect       Pure    1    Next     [depends]      "computes from its operands alone";
    TypedSelectMulti  Pure    1    Next     [depends]      "stands in no valid body yet";
    LocalGet          Pure    1    Next     [depends]      "copies a local";
    LocalSet          Pure    1    Next     [1 -> none]    "changes a local, which rerun has a copy of";
    LocalTee          Pure    1    Next     [depends]      "changes a local, which rerun has a copy of";
    GlobalGet         Pure    1    Next     [depends]      "reads what only effects change";
    GlobalSet         Effect  1    Next     [1 -> none]    "writes a global";
    Unreachable       Traps   1    Leave    [0 -> none]    "always traps";
    Block             Control 0    Block    [depends]      "opens a block";
    Loop              Control 0    Loop     [depends]      "enters a loop: a stop point stands in it";
    If                Control 1    If       [depends]      "chooses by an operand";
    Else              Control 0    Else     [depends]      "ends a block";
    End               Control 0    End      [depends]      "ends a block, or returns";
    Br                Control 1    Branch   [depends]      "goes on elsewhere";
    BrIf              Control 1    BranchIf [depends]      "goes on elsewhere or not";
    BrTable           Control 1    Branch   [depends]      "goes on elsewhere";
    Return            Control 1    Leave    [depends]      "leaves the frame";
    Call              Call    1    Next     [depends]      "runs other code";
    CallIndirect      Call    1    Next     [depends]      "runs other code";
    TryTable          Control 0    Block    [depends]      "opens a block, which a call may leave for another";
    Throw             Call    1    Leave    [depends]      "runs other code: who catches it";
    ThrowRef          Call    1    Leave    [1 -> none]    "runs other code: who catches it";
    Try               Control 0    Block    [depends]      "opens a block, which a call may leave for its clauses";
    Catch             Control 0    Catch    [depends]      "ends what is before it in the block";
    CatchAll          Control 0    Catch    [depends]      "ends what is before it in the block";
    Delegate          Control 0    End      [depends]      "ends a block";
    Rethrow           Call    1    Leave    [0 -> none]    "runs other code: who catches it";
    ReturnCall        Effect  1    Leave    [depends]      "runs other code in the frame's place: nobody sees that again";
    ReturnCallIndirect Effect 1    Leave    [depends]      "runs other code in the frame's place: nobody sees that again";
    ReturnCallRef     Effect  1    Leave    [depends]      "runs other code in the frame's place: nobody sees that again";
    CallRef           Call    1    Next     [depends]      "runs other code";
    RefAsNonNull      Traps   1    Next     [depends]      "may meet null";
    BrOnNull          Control 1    BranchIf [depends]      "goes on elsewhere or not";
    BrOnNonNull       Control 1    BranchIf [depends]      "goes on elsewhere or not";
    I32Load           Traps   1    Next     [1 -> I32]     "reads memory, which only effects change";
    I64Load           Traps   1    Next     [1 -> I64]     "reads memory, which only effects change";
    F32Load           Traps   1    Next     [1 -> F32]     "reads memory, which only effects change";
    F64Load           Traps   1    Next     [1 -> F64]     "reads memory, which only effects change";
    I32Load8S         Traps   1    Next     [1 -> I32]     "reads memory, which only effects change";
    I32Load8U         Traps   1    Next     [1 -> I32]     "reads memory, which only effects change";
    I32Load16S        Traps   1    Next     [1 -> I32]     "reads memory, which only effects change";
    I32Load16U        Traps   1    Next     [1 -> I32]     "reads memory, which only effects change";
    I64Load8S         Traps   1    Next     [1 -> I64]     "reads memory, which only effects change";
    I64Load8U         Traps   1    Next     [1 -> I64]     "reads memory, which only effects change";
    I64Load16S        Traps   1    Next     [1 -> I64]     "reads memory, which only effects change";
    I64Load16U        Traps   1    Next     [1 -> I64]     "reads memory, which only effects change";
    I64Load32S        Traps   1    Next     [1 -> I64]     "reads memory, which only effects change";
    I64Load32U        Traps   1    Next     [1 -> I64]     "reads memory, which only effects change";
    I32Store          Effect  1    Next     [2 -> none]    "writes memory";
    F32Store          Effect  1    Next     [2 -> none]    "writes memory";
    I64Store          Effect  1    Next     [2 -> none]    "writes memory";
    F64Store          Effect  1    Next     [2 -> none]    "writes memory";
    I32Store8         Effect  1    Next     [2 -> none]    "writes memory";
    I64Store8         Effect  1    Next     [2 -> none]    "writes memory";
    I32Store16        Effect  1    Next     [2 -> none]    "writes memory";
    I64Store16        Effect  1    Next     [2 -> none]    "writes memory";
    I64Store32        Effect  1    Next     [2 -> none]    "writes memory";
    MemorySize        Pure    1    Next     [depends]      "reads a size that only effects change";
    MemoryGrow        Call    1    Next     [depends]      "changes a size, and debuggers are told of it: they see the frame";
    MemoryCopy        Effect  1    Next     [3 -> none]    "writes memory";
    MemoryFill        Effect  1    Next     [3 -> none]    "writes memory";
    MemoryInit        Effect  1    Next     [3 -> none]    "writes memory";
    DataDrop          Effect  1    Next     [0 -> none]    "changes a segment";
    RefNull           Pure    1    Next     [depends]      "is the same value always";
    RefIsNull         Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    RefFunc           Effect  1    Next     [0 -> FUNCREF] "may make the reference: the runtime does it";
    TableGet          Effect  1    Next     [depends]      "may make the reference: the runtime does it";
    TableSet          Effect  1    Next     [2 -> none]    "writes a table";
    TableSize         Pure    1    Next     [depends]      "reads a size that only effects change";
    TableGrow         Effect  1    Next     [depends]      "changes a size";
    TableFill         Effect  1    Next     [3 -> none]    "writes a table";
    TableCopy         Effect  1    Next     [3 -> none]    "writes a table";
    TableInit         Effect  1    Next     [3 -> none]    "writes a table";
    ElemDrop          Effect  1    Next     [0 -> none]    "changes a segment";
    I32Const          Pure    1    Next     [0 -> I32]     "is the same value always";
    I64Const          Pure    1    Next     [0 -> I64]     "is the same value always";
    F32Const          Pure    1    Next     [0 -> F32]     "is the same value always";
    F64Const          Pure    1    Next     [0 -> F64]     "is the same value always";
    I32Eqz            Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I64Eqz            Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32Eq             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64Eq             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Ne             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64Ne             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32LtS            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64LtS            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32LtU            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64LtU            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32GtS            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64GtS            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32GtU            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64GtU            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32LeS            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64LeS            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32LeU            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64LeU            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32GeS            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64GeS            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32GeU            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64GeU            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F32Eq             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F64Eq             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F32Ne             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F64Ne             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F32Lt             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F64Lt             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F32Gt             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F64Gt             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F32Le             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F64Le             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F32Ge             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    F64Ge             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Clz            Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32Ctz            Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32Popcnt         Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I64Clz            Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64Ctz            Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64Popcnt         Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I32Add            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Sub            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Mul            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32And            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Or             Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Xor            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Shl            Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32ShrS           Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32ShrU           Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Rotl           Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I32Rotr           Pure    1    Next     [2 -> I32]     "computes from its operands alone";
    I64Add            Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64Sub            Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64Mul            Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64And            Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64Or             Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64Xor            Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64Shl            Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64ShrS           Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64ShrU           Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64Rotl           Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I64Rotr           Pure    1    Next     [2 -> I64]     "computes from its operands alone";
    I32DivS           Traps   1    Next     [2 -> I32]     "may divide by zero or overflow";
    I32DivU           Traps   1    Next     [2 -> I32]     "may divide by zero or overflow";
    I32RemS           Traps   1    Next     [2 -> I32]     "may divide by zero or overflow";
    I32RemU           Traps   1    Next     [2 -> I32]     "may divide by zero or overflow";
    I64DivS           Traps   1    Next     [2 -> I64]     "may divide by zero or overflow";
    I64DivU           Traps   1    Next     [2 -> I64]     "may divide by zero or overflow";
    I64RemS           Traps   1    Next     [2 -> I64]     "may divide by zero or overflow";
    I64RemU           Traps   1    Next     [2 -> I64]     "may divide by zero or overflow";
    F32Abs            Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32Neg            Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32Ceil           Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32Floor          Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32Trunc          Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32Nearest        Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32Sqrt           Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32Add            Pure    1    Next     [2 -> F32]     "computes from its operands alone";
    F32Sub            Pure    1    Next     [2 -> F32]     "computes from its operands alone";
    F32Mul            Pure    1    Next     [2 -> F32]     "computes from its operands alone";
    F32Div            Pure    1    Next     [2 -> F32]     "computes from its operands alone";
    F32Min            Pure    1    Next     [2 -> F32]     "computes from its operands alone";
    F32Max            Pure    1    Next     [2 -> F32]     "computes from its operands alone";
    F32Copysign       Pure    1    Next     [2 -> F32]     "computes from its operands alone";
    F64Abs            Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64Neg            Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64Ceil           Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64Floor          Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64Trunc          Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64Nearest        Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64Sqrt           Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64Add            Pure    1    Next     [2 -> F64]     "computes from its operands alone";
    F64Sub            Pure    1    Next     [2 -> F64]     "computes from its operands alone";
    F64Mul            Pure    1    Next     [2 -> F64]     "computes from its operands alone";
    F64Div            Pure    1    Next     [2 -> F64]     "computes from its operands alone";
    F64Min            Pure    1    Next     [2 -> F64]     "computes from its operands alone";
    F64Max            Pure    1    Next     [2 -> F64]     "computes from its operands alone";
    F64Copysign       Pure    1    Next     [2 -> F64]     "computes from its operands alone";
    I32WrapI64        Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I64ExtendI32S     Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64ExtendI32U     Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I32Extend8S       Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32Extend16S      Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I64Extend8S       Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64Extend16S      Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64Extend32S      Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    F32ConvertI32S    Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32ConvertI64S    Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32ConvertI32U    Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32ConvertI64U    Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F64ConvertI32S    Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64ConvertI64S    Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64ConvertI32U    Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64ConvertI64U    Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F32DemoteF64      Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F64PromoteF32     Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    I32ReinterpretF32 Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I64ReinterpretF64 Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    F32ReinterpretI32 Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F64ReinterpretI64 Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    I32TruncF32S      Traps   1    Next     [1 -> I32]     "may meet a value out of range";
    I32TruncF64S      Traps   1    Next     [1 -> I32]     "may meet a value out of range";
    I32TruncF32U      Traps   1    Next     [1 -> I32]     "may meet a value out of range";
    I32TruncF64U      Traps   1    Next     [1 -> I32]     "may meet a value out of range";
    I64TruncF32S      Traps   1    Next     [1 -> I64]     "may meet a value out of range";
    I64TruncF64S      Traps   1    Next     [1 -> I64]     "may meet a value out of range";
    I64TruncF32U      Traps   1    Next     [1 -> I64]     "may meet a value out of range";
    I64TruncF64U      Traps   1    Next     [1 -> I64]     "may meet a value out of range";
    I32TruncSatF32S   Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32TruncSatF64S   Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32TruncSatF32U   Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32TruncSatF64U   Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I64TruncSatF32S   Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64TruncSatF64S   Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64TruncSatF32U   Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64TruncSatF64U   Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    // Two results.
    I64Add128         Pure    1    Next     [depends]      "computes from its operands alone";
    I64Sub128         Pure    1    Next     [depends]      "computes from its operands alone";
    I64MulWideS       Pure    1    Next     [depends]      "computes from its operands alone";
    I64MulWideU       Pure    1    Next     [depends]      "computes from its operands alone";
}

#[cfg(test)]
mod tests {
    use super::super::Features;
    use super::*;

    /// All that can be switched on has rows, and nothing else has. wasmparser's groups of operators are named as the
    /// fields of [`Features`]; some of these have no operators.
    #[test]
    fn every_operator_of_our_proposals_has_a_row() {
        assert!(KNOWN.len() > 500);
        for (proposal, name, _, row) in KNOWN {
            let ours = *proposal == "mvp" || Features::FLAGS.contains(&&*proposal.to_uppercase());
            assert_eq!(row.is_some(), ours, "{name} of {proposal}");
        }
        assert_eq!(
            KNOWN.iter().filter(|known| known.3.is_some()).count(),
            ROWS.len() + vectors::ROWS.len() + references::ROWS.len() + atomics::ROWS.len()
        );
    }

    /// Whatever reads a memory, and is not an effect anyway, is one where that is shared.
    #[test]
    fn what_reads_a_shared_memory_is_an_effect() {
        let mut reads = 0;
        for (_, name, _, row) in KNOWN {
            let Some(row) = row else { continue };
            let read =
                matches!(row.class, Class::Pure | Class::Traps) && (name.contains("Load") || *name == "MemorySize");
            if read {
                assert_eq!(*of_shared(row), Row { class: Class::Effect, ..**row }, "{name}");
                reads += 1;
            }
        }
        assert_eq!(reads, 14 + 1 + 17);
        assert_eq!(memory_of(&Operator::MemorySize { mem: 3 }), Some(3));

        let memarg =
            wasmparser::MemArg { align: 0, max_align: 0, offset: 0, target: MemArgTarget::Memory(5), ordering: None };
        assert_eq!(memory_of(&Operator::I32Load { memarg }), Some(5));
        assert_eq!(memory_of(&Operator::V128Load8Lane { memarg, lane: 1 }), Some(5));
        assert_eq!(memory_of(&Operator::I32Const { value: 1 }), None);
    }

    /// wasmparser has an opinion on how many operands are taken and given.
    #[test]
    fn the_table_agrees_with_wasmparser() {
        for (_, name, arity, row) in KNOWN {
            let Some(Row { operands: Some((takes, gives)), .. }) = row else { continue };
            let ours = format!(" {takes} -> {}", usize::from(gives.is_some()));
            assert!(arity.ends_with(&ours), "{name}: {arity}");
        }
    }

    /// The names say what an operator does: a second opinion on the table.
    #[test]
    fn the_table_agrees_with_the_names() {
        let effect = ["Store", "Set", "Grow", "Fill", "Copy", "Init", "Drop", "RefFunc", "TableGet", "ReturnCall"];
        let pure_names = ["LocalSet", "Drop", "F32Copysign", "F64Copysign"];
        let free = ["Nop", "Block", "Loop", "Else", "End", "TryTable", "Try", "Catch", "CatchAll", "Delegate"];
        assert!(ROWS.len() > 190);
        for (name, Row { class, fuel, flow, operands }, why) in ROWS {
            let grows = *name == "MemoryGrow";
            let effect = effect.iter().any(|part| name.contains(part)) && !pure_names.contains(name) && !grows;
            assert_eq!(effect, *class == Class::Effect, "{name}");
            let throws = name.starts_with("Throw") || *name == "Rethrow";
            assert_eq!(name.starts_with("Call") || throws || grows, *class == Class::Call, "{name}");
            let sat = name.contains("Sat");
            let traps = ["Load", "Div", "Rem", "Unreachable", "RefAsNonNull"].iter().any(|part| name.contains(part))
                && !name.starts_with("F32Div")
                && !name.starts_with("F64Div")
                || name.contains("TruncF") && !sat;
            assert_eq!(traps, *class == Class::Traps, "{name}");
            assert_eq!(*fuel, i64::from(!free.contains(name)), "{name}");
            let leaves = *name == "Unreachable" || name.starts_with("ReturnCall") || throws;
            assert_eq!(*flow != Flow::Next, *class == Class::Control || leaves, "{name}");
            assert!(!leaves || *flow == Flow::Leave, "{name}");
            if let Some((_, Some(given))) = operands
                && name.starts_with(&given.to_string().to_uppercase())
            {
                continue;
            }
            let compares =
                ["Eq", "Ne", "Lt", "Gt", "Le", "Ge"].iter().any(|part| name[3.min(name.len())..].starts_with(part));
            let gives_i32 = compares || *name == "RefIsNull";
            let given = operands.and_then(|(_, given)| given);
            let expected = match *name {
                "RefFunc" => Some(ValType::FUNCREF),
                _ if gives_i32 => Some(ValType::I32),
                _ => None,
            };
            assert_eq!(given, expected, "{name}");
            assert!(!why.is_empty());
        }
    }
}
