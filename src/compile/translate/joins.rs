//! What it takes to know which value of a local arrives where ways of control come together. Locals become values as
//! they are used, and a block that several branches lead to gets a parameter for each local that differs: then each of
//! these branches is looked through, all targets of a `br_table`, and gets an argument. A loop has a parameter first
//! for each local that is used in it, and those that do not differ are taken out again, each past those behind it. All
//! of that grows faster than the body, so it is counted.

use super::Translator;
use crate::base::{Error, ErrorKind, Result, WasmOffset};
use cranelift_codegen::ir::{Block, Function};
use std::collections::HashMap;

/// So many values more, and it is counted again.
const INTERVAL: usize = 1024;

/// The branches that lead to a block.
#[derive(Default)]
struct Ways {
    /// The arguments that they have for one parameter of the block.
    arguments: u64,
    /// The targets that are gone through for one.
    targets: u64,
}

/// The blocks that branches lead to, and the work that locals are there.
#[derive(Default)]
pub(super) struct Joins {
    ways: HashMap<Block, Ways>,
    /// How many values there were when it was counted last.
    values: usize,
    /// The work of loops that have been closed, which do not count among the others any more.
    closed: u64,
    /// What was counted last.
    arguments: u64,
    work: u64,
}

impl Joins {
    /// A branch leads to a block.
    pub(super) fn branch(&mut self, block: Block) {
        let ways = self.ways.entry(block).or_default();
        ways.arguments += 1;
        ways.targets += 1;
    }

    /// A branch of so many targets leads to each of these blocks.
    pub(super) fn table(&mut self, mut blocks: Vec<Block>) {
        let targets = blocks.len() as u64;
        blocks.sort_unstable();
        blocks.dedup();
        for block in blocks {
            self.ways.entry(block).or_default().targets += targets;
        }
    }

    /// All branches back to a loop are known: it is about to have its parameters sorted out.
    fn close_loop(&mut self, func: &Function, header: Block) {
        let params = func.dfg.num_block_params(header) as u64;
        let Some(ways) = self.ways.get_mut(&header) else { return };
        let targets = std::mem::take(&mut ways.targets);
        // How many of them will be left nobody knows yet: not all, as a rule.
        self.arguments = self.arguments.max(params * ways.arguments / 4);
        let work = params * params / 2 + params * targets;
        self.closed += work;
        self.work += work;
    }

    /// Counts, where there may be much more than before.
    pub(super) fn grown(&mut self, func: &Function) {
        if func.dfg.num_values() - self.values >= INTERVAL {
            self.count(func);
        }
    }

    fn count(&mut self, func: &Function) {
        self.values = func.dfg.num_values();
        (self.arguments, self.work) = (0, self.closed);
        for (block, ways) in &self.ways {
            let params = func.dfg.num_block_params(*block) as u64;
            self.arguments += params * ways.arguments;
            // Registers are allocated for each parameter in a list of all that leads there.
            self.work += params * (ways.targets + ways.arguments * ways.arguments);
        }
    }
}

impl Translator<'_, '_> {
    /// Refuses a function whose locals have become too much where ways come together.
    pub(super) fn check_joins(&self) -> Result<()> {
        if self.joins.work > self.max_joining || self.joins.arguments > self.max_values as u64 {
            return Err(Error::new(
                ErrorKind::Limit,
                "the function is too large to compile: it has too many locals at too many branches and loops; split it",
            ));
        }
        Ok(())
    }

    /// Counts once more, when the whole body is translated, and refuses it likewise.
    pub(super) fn finish_joins(&mut self) -> Result<()> {
        self.joins.count(self.builder.func);
        self.check_joins().map_err(|error| error.at(WasmOffset::new(self.at)))
    }

    /// Ends a loop: no other branch leads back to it.
    pub(super) fn seal_loop(&mut self, header: Block) -> Result<()> {
        self.joins.close_loop(self.builder.func, header);
        self.check_joins()?;
        // Otherwise it is sealed when the ways are known.
        if !self.ways_in.as_ref().is_some_and(|ways| ways.lead_to(header)) {
            self.builder.seal_block(header);
        }
        Ok(())
    }
}
