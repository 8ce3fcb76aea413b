//! The rows of atomic instructions. All are effects: what they read, other threads may change, also where the memory is
//! not shared, for a module's code is the same for all. What waits is a call.

#[rustfmt::skip]
rows! {
    // Operator              Class  Fuel Flow     Operands
    MemoryAtomicNotify       Effect 1    Next     [2 -> I32]   "wakes other threads";
    MemoryAtomicWait32       Call   1    Next     [3 -> I32]   "other threads run meanwhile, and the frame is seen from it";
    MemoryAtomicWait64       Call   1    Next     [3 -> I32]   "other threads run meanwhile, and the frame is seen from it";
    AtomicFence              Effect 1    Next     [0 -> none]  "orders what is before it and behind it, as other threads see it";
    I32AtomicLoad            Effect 1    Next     [1 -> I32]   "reads what other threads may change";
    I64AtomicLoad            Effect 1    Next     [1 -> I64]   "reads what other threads may change";
    I32AtomicLoad8U          Effect 1    Next     [1 -> I32]   "reads what other threads may change";
    I32AtomicLoad16U         Effect 1    Next     [1 -> I32]   "reads what other threads may change";
    I64AtomicLoad8U          Effect 1    Next     [1 -> I64]   "reads what other threads may change";
    I64AtomicLoad16U         Effect 1    Next     [1 -> I64]   "reads what other threads may change";
    I64AtomicLoad32U         Effect 1    Next     [1 -> I64]   "reads what other threads may change";
    I32AtomicStore           Effect 1    Next     [2 -> none]  "writes memory";
    I64AtomicStore           Effect 1    Next     [2 -> none]  "writes memory";
    I32AtomicStore8          Effect 1    Next     [2 -> none]  "writes memory";
    I32AtomicStore16         Effect 1    Next     [2 -> none]  "writes memory";
    I64AtomicStore8          Effect 1    Next     [2 -> none]  "writes memory";
    I64AtomicStore16         Effect 1    Next     [2 -> none]  "writes memory";
    I64AtomicStore32         Effect 1    Next     [2 -> none]  "writes memory";
    I32AtomicRmwAdd          Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmwAdd          Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmw8AddU        Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I32AtomicRmw16AddU       Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmw8AddU        Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw16AddU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw32AddU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmwSub          Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmwSub          Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmw8SubU        Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I32AtomicRmw16SubU       Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmw8SubU        Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw16SubU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw32SubU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmwAnd          Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmwAnd          Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmw8AndU        Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I32AtomicRmw16AndU       Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmw8AndU        Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw16AndU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw32AndU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmwOr           Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmwOr           Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmw8OrU         Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I32AtomicRmw16OrU        Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmw8OrU         Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw16OrU        Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw32OrU        Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmwXor          Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmwXor          Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmw8XorU        Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I32AtomicRmw16XorU       Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmw8XorU        Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw16XorU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw32XorU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmwXchg         Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmwXchg         Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmw8XchgU       Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I32AtomicRmw16XchgU      Effect 1    Next     [2 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmw8XchgU       Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw16XchgU      Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw32XchgU      Effect 1    Next     [2 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmwCmpxchg      Effect 1    Next     [3 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmwCmpxchg      Effect 1    Next     [3 -> I64]   "changes memory at once, as other threads see it";
    I32AtomicRmw8CmpxchgU    Effect 1    Next     [3 -> I32]   "changes memory at once, as other threads see it";
    I32AtomicRmw16CmpxchgU   Effect 1    Next     [3 -> I32]   "changes memory at once, as other threads see it";
    I64AtomicRmw8CmpxchgU    Effect 1    Next     [3 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw16CmpxchgU   Effect 1    Next     [3 -> I64]   "changes memory at once, as other threads see it";
    I64AtomicRmw32CmpxchgU   Effect 1    Next     [3 -> I64]   "changes memory at once, as other threads see it";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{Class, Flow, ValType};

    /// The names say what an operator does: a second opinion on the rows. How many operands are taken, wasmparser says.
    #[test]
    fn the_rows_agree_with_the_names() {
        assert_eq!(ROWS.len(), 67);
        for (name, row, why) in ROWS {
            let class = if name.contains("Wait") { Class::Call } else { Class::Effect };
            assert_eq!((row.class, row.fuel, row.flow), (class, 1, Flow::Next), "{name}");
            let gives = match *name {
                name if name.contains("Store") || name.contains("Fence") => None,
                name if name.starts_with("I64") => Some(ValType::I64),
                _ => Some(ValType::I32),
            };
            assert_eq!(row.operands.map(|(_, gives)| gives), Some(gives), "{name}");
            assert!(!why.is_empty());
        }
    }
}
