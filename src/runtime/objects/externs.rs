//! External references: the values of the host that a store keeps for its guests.

use crate::abi::HOST_SHIFT;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::objects::handles::Root;
use std::any::Any;

/// The external references of a store, each in a slot. A slot that is given back is used again.
#[derive(Default)]
pub(in crate::runtime) struct ExternRefs {
    pub(in crate::runtime) slots: Vec<Option<ExternSlot>>,
    free: Vec<u32>,
}

/// An external reference's value.
pub(in crate::runtime) struct ExternSlot {
    pub(in crate::runtime) value: Box<dyn Any + Send>,
    /// What of the store the value holds on to.
    pub(in crate::runtime) holds: Option<Root>,
}

impl ExternRefs {
    /// How many there are.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many slots there are, free ones included.
    pub(in crate::runtime) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(in crate::runtime) fn get(&self, index: u32) -> Option<&ExternSlot> {
        self.slots.get(index as usize)?.as_ref()
    }

    pub(in crate::runtime) fn add(&mut self, slot: ExternSlot) -> Result<u32> {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = Some(slot);
            return Ok(index);
        }
        // As a guest's own reference it has two bits less.
        let index = u32::try_from(self.slots.len()).ok().filter(|index| *index < 1 << (u32::BITS - HOST_SHIFT));
        let index =
            index.ok_or_else(|| Error::new(ErrorKind::Limit, "more than 2^30 external references in one store"))?;
        self.slots.push(Some(slot));
        Ok(index)
    }

    /// Takes out those that are not marked.
    pub(in crate::runtime) fn sweep(&mut self, marked: &[bool]) -> Vec<ExternSlot> {
        let mut gone = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if !marked[index]
                && let Some(slot) = slot.take()
            {
                gone.push(slot);
            }
        }
        // The slots behind the last that is used are given back, too.
        let used = self.slots.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.slots.truncate(used);
        self.slots.shrink_to(2 * used);
        self.free = (0..used as u32).rev().filter(|index| self.slots[*index as usize].is_none()).collect();
        gone
    }
}
