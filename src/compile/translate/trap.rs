//! Traps: by a signal, or by an explicit check and a call of the runtime.

use super::{Translator, trap_code};
use crate::abi::{Builtin, TrapCode};
use crate::image::ReplayEnd;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Translator<'_, '_> {
    /// Traps if `condition` is not zero.
    pub(super) fn trap_if(&mut self, condition: Value, code: TrapCode) {
        if self.is_replay() {
            let trapping = self.builder.create_block();
            let next = self.builder.create_block();
            self.builder.set_cold_block(trapping);
            self.builder.ins().brif(condition, trapping, &[], next, &[]);
            self.builder.switch_to_block(trapping);
            self.end_replay(ReplayEnd::trap_to_raw(code));
            self.builder.switch_to_block(next);
            return;
        }
        if self.env.options.signals {
            self.builder.ins().trapnz(condition, trap_code(code));
            return;
        }
        let trapping = self.builder.create_block();
        let next = self.builder.create_block();
        self.builder.set_cold_block(trapping);
        self.builder.ins().brif(condition, trapping, &[], next, &[]);
        self.builder.seal_block(trapping);
        self.builder.seal_block(next);
        self.builder.switch_to_block(trapping);
        self.trap_call(code);
        self.builder.switch_to_block(next);
    }

    /// Traps.
    pub(super) fn trap(&mut self, code: TrapCode) {
        if self.is_replay() {
            self.end_replay(ReplayEnd::trap_to_raw(code));
        } else if self.env.options.signals {
            // Else a jump to nothing but this becomes a conditional trap of the jump: at its place, and where the slots
            // are not those of its last point.
            self.builder.ins().sequence_point();
            self.make_cold();
            self.builder.ins().trap(trap_code(code));
        } else {
            self.trap_call(code);
        }
    }

    /// The block that ends here is out of the way, as conditional traps are.
    fn make_cold(&mut self) {
        let block = self.builder.current_block();
        if let Some(block) = block.filter(|block| self.builder.func.layout.entry_block() != Some(*block)) {
            self.builder.set_cold_block(block);
        }
    }

    /// Has the runtime raise a trap; ends the block.
    fn trap_call(&mut self, code: TrapCode) {
        let number = self.index_value(u32::from(code as u8));
        self.call_builtin(Builtin::Trap, &[number]);
        self.builder.ins().trap(trap_code(code));
    }
}
