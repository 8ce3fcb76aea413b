//! How code ends where it does not go on in Wasm: traps, by a signal or by an explicit check and a call of the runtime;
//! returns; and the ends of rerun, which hands back to its caller what only the guest may do.

use super::{Translator, return_raw, trap_code};
use crate::abi::{Builtin, TrapCode};
use crate::base::Result;
use crate::image::RerunEnd;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Translator<'_, '_> {
    /// Traps if `condition` is not zero.
    pub(super) fn trap_if(&mut self, condition: Value, code: TrapCode) {
        if self.env.options.signals {
            self.builder.ins().trapnz(condition, trap_code(code));
            return;
        }
        let trapping = self.builder.create_block();
        let next = self.new_block();
        self.builder.set_cold_block(trapping);
        self.builder.ins().brif(condition, trapping, &[], next, &[]);
        self.builder.seal_block(trapping);
        self.builder.seal_block(next);
        self.builder.switch_to_block(trapping);
        self.trap(code);
        self.builder.switch_to_block(next);
    }

    /// Traps; ends the block.
    pub(super) fn trap(&mut self, code: TrapCode) {
        if self.env.options.signals {
            // Else a jump to nothing but this becomes a conditional trap of the jump: at its place, and where the slots
            // are not those of its last point.
            self.builder.ins().sequence_point();
            self.make_cold();
            self.builder.ins().trap(trap_code(code));
        } else if !self.end_rerun(RerunEnd::trap_to_raw(code)) {
            let number = self.index_value(u32::from(code as u8));
            self.call_builtin(Builtin::Trap, &[number]);
            self.builder.ins().trap(trap_code(code));
        }
    }

    /// Returns the topmost `count` operands; ends the block.
    pub(super) fn return_top(&mut self, count: usize) -> Result<()> {
        if !self.end_rerun(RerunEnd::NATIVE) {
            let results = self.pop_many(count)?;
            self.builder.ins().return_(&results);
        }
        Ok(())
    }

    /// Only the guest goes on from here. In rerun, what is translated behind it is never run; it says what the
    /// instructions do to the operand stack.
    pub(super) fn leave_to_guest(&mut self) {
        if self.end_rerun(RerunEnd::NATIVE) {
            let dead = self.builder.create_block();
            self.builder.switch_to_block(dead);
        }
    }

    /// In rerun, ends the block and the rerun so, before the instruction at hand.
    pub(super) fn end_rerun(&mut self, kind: u32) -> bool {
        let Some(end) = self.storage.end_of_rerun(kind) else { return false };
        self.give_fuel_back();
        return_raw(&mut self.builder, end);
        true
    }

    /// The block that ends here is out of the way, as conditional traps are.
    fn make_cold(&mut self) {
        let block = self.builder.current_block();
        if let Some(block) = block.filter(|block| self.builder.func.layout.entry_block() != Some(*block)) {
            self.builder.set_cold_block(block);
        }
    }
}
