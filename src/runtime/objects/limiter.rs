//! What the host is asked before a memory or a table of a store becomes larger. Nobody is asked here: that is
//! `control/limiter.rs`.

use crate::base::Result;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::table::TableData;
use crate::wasm::{MemoryType, TableType};

/// What is to become larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growing {
    /// A memory, whose sizes are told in bytes.
    Memory,
    /// A table, whose sizes are told in elements.
    Table,
}

/// What is asked for: a memory or a table that is to be made, or to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Which of the two.
    pub of: Growing,
    /// Its size now; 0 where it is to be made.
    pub current: u64,
    /// Its size if it may. Never above `maximum`, and above `current` unless it is to be made.
    pub desired: u64,
    /// The most that its type lets it have, if that says anything.
    pub maximum: Option<u64>,
}

/// Whether something may become larger: see [`Store::set_limiter`](crate::runtime::Store::set_limiter).
pub type Limiter = dyn Fn(&Growth) -> Result<bool> + Send + Sync;

impl Growth {
    /// A memory of this type is to be made.
    pub(in crate::runtime) fn new_memory(ty: &MemoryType) -> Growth {
        let maximum = ty.limits.max.map(|_| ty.most_bytes());
        Growth { of: Growing::Memory, current: 0, desired: ty.least_bytes(), maximum }
    }

    /// A table of this type is to be made.
    pub(in crate::runtime) fn new_table(ty: &TableType) -> Growth {
        Growth { of: Growing::Table, current: 0, desired: ty.limits.min, maximum: ty.limits.max }
    }

    /// A memory is to grow by so many pages; `None` where that is nothing, or more than its type lets it have.
    pub(in crate::runtime) fn of_memory(memory: &MemoryData, delta: u64) -> Option<Growth> {
        let ty = memory.ty();
        let pages = ty.limits.min.checked_add(delta).filter(|pages| delta > 0 && *pages <= ty.most_pages())?;
        Some(Growth { current: ty.least_bytes(), desired: ty.bytes(pages)?, ..Growth::new_memory(&ty) })
    }

    /// The same of a table and elements.
    pub(in crate::runtime) fn of_table(table: &TableData, delta: u64) -> Option<Growth> {
        let ty = table.ty();
        let within = |elements: &u64| delta > 0 && ty.limits.max.is_none_or(|max| *elements <= max);
        let desired = ty.limits.min.checked_add(delta).filter(within)?;
        Some(Growth { current: ty.limits.min, desired, ..Growth::new_table(&ty) })
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.of {
            Growing::Memory => write!(f, "a memory of {} bytes", self.desired),
            Growing::Table => write!(f, "a table of {} elements", self.desired),
        }
    }
}
