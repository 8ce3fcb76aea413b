//! What ends a guest that runs too long: fuel, which counts instructions, and the epoch, which is compared with a
//! deadline. Neither is part of Wasm's state, and both tiers count the same.
//!
//! Fuel is taken for a straight run of instructions at once, before the first of them. What is taken belongs to that
//! instruction: it stands behind its stop point, so a guest that goes on from there, natively or by rerun, takes it,
//! and one that goes on in resume code at an instruction in the middle of the run does not take it twice. Where rerun
//! ends at that instruction, which it has not run, it gives back what it has taken. Whether there was enough is checked
//! only where a function or a turn of a loop begins: without those nothing runs long. Debug code has a stop point
//! there, in both its tiers.

use super::Translator;
use crate::abi::{Builtin, TrapCode, VMContext, VMStoreContext};
use crate::compile::env::{Mode, POINTER};
use crate::compile::fuel::Due;
use crate::wasm::Row;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Imm64;
use cranelift_codegen::ir::{Block, Inst, InstBuilder, InstructionData, Value, types};

/// What is due, and what has been counted.
#[derive(Default)]
pub(super) struct Limits {
    due: Due,
    /// The constant that says what the run takes, once that is known, and what it takes so far.
    run: Option<(Inst, i64)>,
    /// Rerun: the fuel before the run that the instruction at hand begins.
    before: Option<Value>,
}

impl Limits {
    /// Where a translation begins in the middle of a function.
    pub(super) fn set_due(&mut self, due: Due) {
        self.due = due;
    }
}

impl Translator<'_, '_> {
    /// Before an instruction, behind its stop point: takes the fuel of the run that it begins, and checks what is to be
    /// checked.
    pub(super) fn keep_limits(&mut self, row: &Row) {
        let check = std::mem::take(&mut self.limits.due.check);
        if self.env.options.fuel {
            if std::mem::take(&mut self.limits.due.run) {
                self.begin_run(check);
            }
            self.count(row.fuel);
        }
        if self.env.options.epoch && check {
            self.check_epoch();
        }
    }

    /// Behind an instruction that could not be reached.
    pub(super) fn limits_behind_unreachable(&mut self) {
        self.limits.due.behind_unreachable();
    }

    /// Behind an instruction that could be reached: whether what follows is run as often as it was.
    pub(super) fn limits_behind(&mut self, row: &Row) {
        self.limits.due.behind(row);
        self.limits.before = None;
    }

    /// Rerun ends before the instruction at hand: what its run takes is taken by who runs it.
    pub(super) fn give_fuel_back(&mut self) {
        if let (Some(before), Some((base, offset))) = (self.limits.before, self.storage.fuel_of_rerun()) {
            self.builder.ins().store(self.flags.fuel, before, base, offset);
        }
    }

    /// Rerun: an instruction behind the one that was translated last, in another piece of code. Whether it and those
    /// behind it may still belong to the same run.
    pub(super) fn count_on(&mut self, row: &Row) -> bool {
        if !self.env.options.fuel || self.limits.due.run {
            return false;
        }
        self.count(row.fuel);
        self.limits_behind(row);
        !self.limits.due.run
    }

    /// Takes the fuel of the run that begins here: how much is filled in by [`Translator::count`].
    fn begin_run(&mut self, check: bool) {
        let (base, offset) = match self.storage.fuel_of_rerun() {
            Some(place) => place,
            None => (self.load_constant(VMContext::STORE), VMStoreContext::FUEL),
        };
        let asks = check && self.env.options.refuel && self.env.mode != Mode::Rerun;
        let head = asks.then(|| self.begin_asking());
        let fuel = self.builder.ins().load(types::I64, self.flags.fuel, base, offset);
        self.limits.before = Some(fuel);
        let cost = self.builder.ins().iconst(types::I64, 0);
        self.limits.run = self.builder.func.dfg.value_def(cost).inst().map(|inst| (inst, 0));
        if let Some(head) = head {
            let lacks = self.builder.ins().icmp(IntCC::SignedLessThan, fuel, cost);
            self.ask_if(lacks, base, head);
        }
        let left = self.builder.ins().isub(fuel, cost);
        self.builder.ins().store(self.flags.fuel, left, base, offset);
        if check && !asks {
            let none = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
            self.trap_if(none, TrapCode::OutOfFuel);
        }
    }

    /// A block in which it is looked how much fuel is laid out.
    fn begin_asking(&mut self) -> Block {
        let head = self.new_block();
        self.builder.ins().jump(head, &[]);
        self.builder.switch_to_block(head);
        head
    }

    /// Where what is laid out of the fuel is less than a run takes, asks for more, and looks again, from `head` on. The
    /// runtime traps if there is none. On the way of a guest that has enough there are as many instructions as
    /// without: nothing is needed for the call but the store's context, and no register is lost to it.
    fn ask_if(&mut self, lacks: Value, store: Value, head: Block) {
        let ask = self.builder.create_block();
        let next = self.new_block();
        self.builder.set_cold_block(ask);
        self.builder.ins().brif(lacks, ask, &[], next, &[]);
        self.builder.seal_block(ask);
        self.builder.seal_block(next);
        self.builder.switch_to_block(ask);
        self.call_preserving(store, VMStoreContext::REFUEL);
        self.builder.ins().jump(head, &[]);
        self.builder.seal_block(head);
        self.builder.switch_to_block(next);
    }

    fn count(&mut self, cost: i64) {
        if let Some((inst, sum)) = &mut self.limits.run {
            *sum += cost;
            if let InstructionData::UnaryImm { imm, .. } = &mut self.builder.func.dfg.insts[*inst] {
                *imm = Imm64::new(*sum);
            }
        }
    }

    /// Compares the epoch with the deadline. Both are changed by other threads, so both loads are atomic: others might
    /// be taken for those of an earlier turn of the loop.
    fn check_epoch(&mut self) {
        let store = self.load_constant(VMContext::STORE);
        let mut read = |offset| {
            let at = self.builder.ins().load(POINTER, self.flags.constant, store, offset);
            self.builder.ins().atomic_load(types::I64, self.flags.header, at)
        };
        let (epoch, deadline) = (read(VMStoreContext::EPOCH), read(VMStoreContext::DEADLINE));
        let over = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, epoch, deadline);
        // The runtime has the last word: it traps, unless the host, once asked, lets the guest go on.
        let due = self.builder.create_block();
        let next = self.new_block();
        self.builder.set_cold_block(due);
        self.builder.ins().brif(over, due, &[], next, &[]);
        self.builder.seal_block(due);
        self.builder.switch_to_block(due);
        self.call_builtin(Builtin::Due, &[]);
        self.builder.ins().jump(next, &[]);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
    }
}
