//! How long a region of debug code may become. What an instruction is to a region by itself stands in the table of
//! operators; here the instructions of a body are counted as they come, and now and then one ends a region though it
//! could be run again.

use crate::wasm::{Class, Flow, Row};

/// The classes of a function's instructions, in their order. Regions are kept short by it: now and then an instruction
/// is left to the guest though it could be run again, wherever a way through the body may have come far without. Every
/// walk over a body that asks what a region is goes by one of these.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegionClasses {
    /// How many may still come before one is left to the guest, if it computes.
    left: u32,
    /// How many came since the last `end` behind which one was left to the guest: as far may a branch have come to
    /// here.
    jumped: u32,
}

impl RegionClasses {
    /// The most instructions in a row: as many as rerun code is made of at a time.
    pub(super) const MOST: u32 = 256;
    /// The most that a branch may leave out, or branches one behind the other.
    const MOST_JUMPED: u32 = RegionClasses::MOST / 2;

    /// From the start of a function.
    pub(super) fn new() -> RegionClasses {
        RegionClasses { left: RegionClasses::MOST, jumped: 0 }
    }

    /// The class of the next instruction that can be reached.
    pub(super) fn next(&mut self, row: &Row) -> Class {
        self.jumped = self.jumped.saturating_add(1);
        if row.flow == Flow::End && self.jumped > RegionClasses::MOST_JUMPED {
            (self.left, self.jumped) = (0, 0);
        } else if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
        } else if row.class == Class::Pure {
            self.left = RegionClasses::MOST;
            return Class::Effect;
        }
        row.class
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::operators::row;
    use wasmparser::Operator;

    fn next(classes: &mut RegionClasses, operator: Operator<'_>) -> Class {
        classes.next(row(&operator).unwrap())
    }

    #[test]
    fn of_many_in_a_row_one_is_left_to_the_guest() {
        let mut classes = RegionClasses::new();
        for _ in 0..3 {
            for _ in 0..RegionClasses::MOST {
                assert_eq!(next(&mut classes, Operator::Nop), Class::Pure);
            }
            // What may trap, or says where to go on, is not.
            assert_eq!(next(&mut classes, Operator::Unreachable), Class::Traps);
            assert_eq!(next(&mut classes, Operator::Return), Class::Control);
            assert_eq!(next(&mut classes, Operator::Nop), Class::Effect);
        }
    }

    #[test]
    fn behind_a_long_block_one_is_left_to_the_guest() {
        let mut classes = RegionClasses::new();
        let pass = |classes: &mut RegionClasses, instructions| {
            for _ in 0..instructions {
                next(classes, Operator::Nop);
            }
        };
        let most = RegionClasses::MOST_JUMPED;
        for inside in [most, most + 1, 3 * RegionClasses::MOST] {
            pass(&mut classes, inside);
            assert_eq!(next(&mut classes, Operator::End), Class::Control);
            assert_eq!(next(&mut classes, Operator::Nop), Class::Effect, "behind {inside}");
        }
        // Short ones count together.
        for inside in [most / 2, most / 2 - 4] {
            pass(&mut classes, inside);
            assert_eq!(next(&mut classes, Operator::End), Class::Control);
            assert_eq!(next(&mut classes, Operator::Nop), Class::Pure, "behind {inside}");
        }
        assert_eq!(next(&mut classes, Operator::End), Class::Control);
        assert_eq!(next(&mut classes, Operator::Nop), Class::Effect);
    }
}
