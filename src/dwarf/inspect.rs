//! Questions about variables and types: the entries of units, opened as they are needed, and what an attribute of one
//! means. An entry is named by where it stands, so that what was found outlives the inspector that found it. Each
//! question has a budget of work of its own; beyond it there is an error, as for what is damaged.

use super::map::{Budget, Dwarf, Input, Slice, SourceMap};
use super::unit;
use crate::base::{Error, ErrorKind, Result, printable};
use gimli::{AttributeValue, DebugInfoOffset, DebuggingInformationEntry, Unit, UnitOffset, constants as c};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// So many entries are gone through from one to what it was made from.
const MAX_ORIGINS: usize = 16;
/// So many bytes of a name are shown at most.
const MAX_NAME: usize = 4096;

pub(super) type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;
pub(super) type Attribute<'a> = AttributeValue<Slice<'a>>;

/// Where an entry stands: the unit, which part of it, and where in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EntryId {
    pub(super) unit: u32,
    /// Whether it is in the unit's other part.
    pub(super) split: bool,
    pub(super) offset: usize,
}

/// A unit to read entries from.
pub(super) struct Opened<'a> {
    pub(super) input: Input<'a, 'a>,
    pub(super) unit: Unit<Slice<'a>>,
    index: u32,
    split: bool,
}

impl<'a> Opened<'a> {
    /// An entry of this unit.
    pub(super) fn id(&self, offset: UnitOffset) -> EntryId {
        EntryId { unit: self.index, split: self.split, offset: offset.0 }
    }

    pub(super) fn dwarf(&self) -> &Dwarf<'a> {
        &self.input.dwarf
    }
}

/// How to go on from an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// With its children.
    Into,
    /// With what is behind them.
    Over,
    /// Not at all.
    Stop,
}

/// Units and their other parts that were opened; `None` for what cannot be.
type Units<'a> = HashMap<(u32, bool), Option<Rc<Opened<'a>>>>;

/// Answers questions about the variables and types of a module. It is cheap to make, belongs to one thread, and keeps
/// the units that it has opened.
pub struct Inspector<'a> {
    pub(super) map: &'a SourceMap,
    pub(super) binary: &'a [u8],
    module: Input<'a, 'a>,
    units: RefCell<Units<'a>>,
}

impl SourceMap {
    /// Answers questions about the module's variables and types.
    pub fn inspector<'a>(&'a self, binary: &'a [u8]) -> Inspector<'a> {
        let module = self.input_for(binary, &self.question);
        Inspector { map: self, binary, module, units: RefCell::default() }
    }
}

/// What is wrong with debug information.
pub(super) fn damaged(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidModule, format!("the module's debug information is damaged: {what}"))
}

impl<'a> Inspector<'a> {
    /// Begins a question: it may cost what a first one may.
    pub(super) fn begin(&self) {
        self.map.question.refill(self.map.size);
    }

    pub(super) fn question(&self) -> &'a Budget {
        &self.map.question
    }

    pub(super) fn spend(&self, work: u64) -> Result<()> {
        self.question().spend(work).ok_or_else(|| {
            Error::new(ErrorKind::Limit, "the module's debug information takes too long to read; it may be damaged")
        })
    }

    /// A unit, or its other part.
    pub(super) fn opened(&self, index: u32, split: bool) -> Result<Rc<Opened<'a>>> {
        let known = self.units.borrow().get(&(index, split)).cloned();
        let opened = known.unwrap_or_else(|| {
            let opened = self.open(index, split).map(Rc::new);
            self.units.borrow_mut().insert((index, split), opened.clone());
            opened
        });
        opened.ok_or_else(|| damaged(format!("unit {index} cannot be read")))
    }

    fn open(&self, index: u32, split: bool) -> Option<Opened<'a>> {
        let unit = self.module.open_unit(index as usize)?;
        if !split {
            return Some(Opened { input: self.map.input_for(self.binary, self.question()), unit, index, split });
        }
        let id = unit.dwo_id?;
        let file = self.map.files.iter().find(|file| file.has(&self.module, id))?;
        let (input, unit) = file.find(&self.module, &unit, Some(self.question()))?;
        Some(Opened { input, unit, index, split })
    }

    /// An entry and its unit.
    pub(super) fn entry(&self, id: EntryId) -> Result<(Rc<Opened<'a>>, Entry<'a>)> {
        let opened = self.opened(id.unit, id.split)?;
        let entry = opened.unit.entry(UnitOffset(id.offset)).map_err(|error| damaged(format!("an entry: {error}")))?;
        self.spend(entry.attrs().len() as u64 + 2)?;
        Ok((opened, entry))
    }

    /// Goes through what is inside an entry, in order. The depth of its children is 1.
    pub(super) fn visit(
        &self,
        id: EntryId,
        mut each: impl FnMut(&Rc<Opened<'a>>, isize, &Entry<'a>) -> Result<Then>,
    ) -> Result<()> {
        let opened = self.opened(id.unit, id.split)?;
        let broken = |error: gimli::Error| damaged(format!("entries: {error}"));
        let mut raw = opened.unit.entries_raw(Some(UnitOffset(id.offset))).map_err(broken)?;
        let (mut first, mut over) = (true, isize::MAX);
        let mut entry = Entry::null();
        while !raw.is_empty() {
            let depth = raw.next_depth();
            if !first && depth <= 0 {
                break;
            }
            entry.offset = raw.next_offset();
            let Some(abbreviation) = raw.read_abbreviation().map_err(broken)? else {
                self.spend(1)?;
                continue;
            };
            self.spend(abbreviation.attributes().len() as u64 / 2 + 1)?;
            if first || depth > over {
                raw.skip_attributes(abbreviation.attributes()).map_err(broken)?;
                if first && !abbreviation.has_children() {
                    break;
                }
                first = false;
                continue;
            }
            over = isize::MAX;
            (entry.tag, entry.has_children, entry.depth) = (abbreviation.tag(), abbreviation.has_children(), depth);
            raw.read_attributes(abbreviation.attributes(), &mut entry.attrs).map_err(broken)?;
            match each(&opened, depth, &entry)? {
                Then::Into => {}
                Then::Over => over = depth,
                Then::Stop => break,
            }
        }
        Ok(())
    }

    /// The entry that an attribute refers to.
    pub(super) fn reference(&self, opened: &Opened<'a>, value: Attribute<'a>) -> Option<EntryId> {
        match value {
            AttributeValue::UnitRef(offset) => Some(opened.id(offset)),
            AttributeValue::DebugInfoRef(offset) => {
                if let Some(here) = offset.to_unit_offset(&opened.unit.header) {
                    return Some(opened.id(here));
                }
                // Across units only in the module: no compiler lets the other parts of units know each other.
                let unit = self.module.unit_of_info(offset.0).filter(|_| !opened.split)?;
                let opened = self.opened(unit as u32, false).ok()?;
                Some(opened.id(DebugInfoOffset(offset.0).to_unit_offset(&opened.unit.header)?))
            }
            _ => None,
        }
    }

    /// An attribute of an entry, or of what it was made from.
    pub(super) fn attribute(
        &self,
        mut id: EntryId,
        name: gimli::DwAt,
    ) -> Result<Option<(Rc<Opened<'a>>, Attribute<'a>)>> {
        for _ in 0..MAX_ORIGINS {
            let (opened, entry) = self.entry(id)?;
            if let Some(value) = entry.attr_value(name) {
                return Ok(Some((opened, value)));
            }
            match self.origin(&opened, &entry) {
                Some(origin) => id = origin,
                None => return Ok(None),
            }
        }
        Err(damaged("an entry is made from itself"))
    }

    /// What an entry was made from.
    pub(super) fn origin(&self, opened: &Opened<'a>, entry: &Entry<'a>) -> Option<EntryId> {
        let value = entry.attr_value(c::DW_AT_abstract_origin).or_else(|| entry.attr_value(c::DW_AT_specification));
        self.reference(opened, value?)
    }

    /// The type of an entry; `None` for none, which is C's `void`.
    pub(super) fn type_of(&self, id: EntryId) -> Result<Option<EntryId>> {
        match self.attribute(id, c::DW_AT_type)? {
            None => Ok(None),
            Some((opened, value)) => {
                let id = self.reference(&opened, value);
                id.map(Some).ok_or_else(|| damaged("a type is nowhere"))
            }
        }
    }

    /// A text, for people to read.
    pub(super) fn text(&self, opened: &Opened<'a>, value: Attribute<'a>) -> Option<String> {
        let mut text = unit::string(&opened.input, &opened.unit, value)?;
        text.truncate(text.floor_char_boundary(MAX_NAME));
        // Many entries may have one long name, and each that is found keeps it.
        self.question().spend(text.len() as u64 / 2)?;
        Some(printable(text))
    }

    /// The name of an entry, or of what it was made from.
    pub(super) fn name(&self, id: EntryId) -> Result<Option<String>> {
        Ok(self.attribute(id, c::DW_AT_name)?.and_then(|(opened, value)| self.text(&opened, value)))
    }

    /// A number among the attributes of an entry itself.
    pub(super) fn number(entry: &Entry<'a>, name: gimli::DwAt) -> Option<u64> {
        entry.attr(name)?.udata_value()
    }

    /// Whether an entry has a flag.
    pub(super) fn flag(entry: &Entry<'a>, name: gimli::DwAt) -> bool {
        matches!(entry.attr_value(name), Some(AttributeValue::Flag(true)))
    }
}
