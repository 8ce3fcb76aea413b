//! Names of a unit: its functions, with their namespaces and where they are, inlined copies too; its static variables;
//! its types. Read once, when a name is first asked for.

use super::inspect::{Entry, EntryId, Inspector, Opened};
use super::map::Budget;
use super::names_of_unit::{Copy, Item, Kind, MAX_NAME, UnitNames};
use super::unit;
use crate::base::{Escaped, printable};
use gimli::constants as c;
use std::collections::HashMap;

/// Reads the names of a unit; what is damaged or beyond the budget is left out.
pub(super) fn read(opened: &Opened<'_>, split: bool, budget: &Budget) -> UnitNames {
    let mut names = UnitNames { split, ..UnitNames::default() };
    let _ = read_entries(opened, &mut names, budget);
    names
}

fn read_entries(opened: &Opened<'_>, names: &mut UnitNames, budget: &Budget) -> Option<()> {
    let unit = &opened.unit;
    budget.spend(unit.header.unit_length() as u64)?;
    let mut raw = unit.entries_raw(None).ok()?;
    let mut entry = Entry::null();
    // Items around, and how deep they are.
    let mut around: Vec<(isize, u32)> = Vec::new();
    while !raw.is_empty() {
        let (depth, offset) = (raw.next_depth(), raw.next_offset());
        let Some(abbreviation) = raw.read_abbreviation().ok()? else { continue };
        budget.spend(abbreviation.attributes().len() as u64 / 4)?;
        while around.last().is_some_and(|(of, _)| *of >= depth) {
            around.pop();
        }
        let parent = around.last().map(|(_, item)| *item);
        let inside = parent.map(|at| names.items[at as usize].kind);
        let kind = match abbreviation.tag() {
            c::DW_TAG_namespace | c::DW_TAG_module => Some(Kind::Namespace),
            c::DW_TAG_structure_type
            | c::DW_TAG_class_type
            | c::DW_TAG_union_type
            | c::DW_TAG_enumeration_type
            | c::DW_TAG_base_type
            | c::DW_TAG_typedef => Some(Kind::Type),
            c::DW_TAG_subprogram => Some(Kind::Function),
            // What is in a function is that function's.
            c::DW_TAG_variable if inside != Some(Kind::Function) => Some(Kind::Variable),
            // A static member, until DWARF 4.
            c::DW_TAG_member if inside == Some(Kind::Type) => Some(Kind::Variable),
            _ => None,
        };
        let inlined = abbreviation.tag() == c::DW_TAG_inlined_subroutine;
        if kind.is_none() && !inlined {
            raw.skip_attributes(abbreviation.attributes()).ok()?;
            continue;
        }
        raw.read_attributes(abbreviation.attributes(), &mut entry.attrs).ok()?;
        let origin = entry.attr_value(c::DW_AT_abstract_origin).or_else(|| entry.attr_value(c::DW_AT_specification));
        let origin = match origin {
            Some(gimli::AttributeValue::UnitRef(offset)) => Some(offset.0),
            Some(gimli::AttributeValue::DebugInfoRef(offset)) => offset.to_unit_offset(&unit.header).map(|at| at.0),
            _ => None,
        };
        let code = match kind {
            Some(Kind::Function) | None => entered(opened, &entry),
            _ => None,
        };
        let Some(kind) = kind else {
            if let (Some(origin), Some((begin, end))) = (origin, code) {
                names.copies.push(Copy { origin, begin, end });
            }
            continue;
        };
        let text = |name| {
            let mut text = unit::string(&opened.input, unit, entry.attr_value(name)?)?;
            text.truncate(text.floor_char_boundary(MAX_NAME));
            budget.spend(text.len() as u64 / 4)?;
            Some(printable(text).into_boxed_str())
        };
        let line = entry.attr(c::DW_AT_decl_line).and_then(|line| line.udata_value()).unwrap_or(0);
        budget.spend(4)?;
        let declaration = Inspector::flag(&entry, c::DW_AT_declaration) || abbreviation.tag() == c::DW_TAG_member;
        let item = Item {
            kind,
            enumeration: abbreviation.tag() == c::DW_TAG_enumeration_type,
            entry: offset.0,
            parent,
            name: text(c::DW_AT_name),
            linkage: text(c::DW_AT_linkage_name).or_else(|| text(c::DW_AT_MIPS_linkage_name)),
            origin,
            declaration,
            line: u32::try_from(line).unwrap_or(0),
            code,
        };
        let index = u32::try_from(names.items.len()).ok()?;
        names.items.push(item);
        if abbreviation.has_children() {
            around.push((depth, index));
        }
    }
    Some(())
}

/// Where a function is entered: at the address that it says, or at its first.
fn entered<'a>(opened: &Opened<'a>, entry: &Entry<'a>) -> Option<(u32, u32)> {
    let mut ranges = Vec::new();
    unit::ranges(&opened.input, &opened.unit, entry, &mut ranges)?;
    let said = entry.attr_value(c::DW_AT_entry_pc).and_then(|value| match value {
        gimli::AttributeValue::Udata(offset) => {
            ranges.first().and_then(|(begin, _)| u64::from(*begin).checked_add(offset))
        }
        value => opened.dwarf().attr_address(&opened.unit, value).ok()?,
    });
    let around =
        |address: u64| ranges.iter().find(|(begin, end)| (u64::from(*begin)..u64::from(*end)).contains(&address));
    match said.and_then(|said| Some((said as u32, around(said)?.1))) {
        Some(said) => Some(said),
        None => ranges.iter().min().copied(),
    }
}

impl<'a> Inspector<'a> {
    /// The names of a unit, of its other part where that is there.
    pub(super) fn unit_names(&self, index: u32) -> &'a UnitNames {
        let unit = &self.map.units[index as usize];
        if unit.id.is_some()
            && unit.split_names.get().is_none()
            && let Ok(opened) = self.opened(index, true)
        {
            return unit.split_names.get_or_init(|| read(&opened, true, self.question()));
        }
        if let Some(names) = unit.split_names.get() {
            return names;
        }
        unit.names.get_or_init(|| match self.opened(index, false) {
            Ok(opened) => read(&opened, false, self.question()),
            Err(_) => UnitNames::default(),
        })
    }

    /// The names of all units.
    pub(super) fn all_names(&self) -> impl Iterator<Item = (u32, &'a UnitNames)> {
        self.units().map(|index| (index, self.unit_names(index)))
    }

    /// The numbers of all units.
    pub(super) fn units(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.map.units.len() as u32
    }

    /// The whole type that a declaration stands for, in whatever unit it is.
    pub(super) fn definition(&self, declaration: EntryId) -> Option<EntryId> {
        let name = self.qualified_name(declaration)?;
        self.all_names().find_map(|(unit, names)| {
            let offset = names.type_named(&name)?;
            Some(EntryId { unit, split: names.is_split(), offset })
        })
    }

    /// The name of a type, with namespaces.
    pub(super) fn qualified_name(&self, id: EntryId) -> Option<String> {
        let names = self.unit_names(id.unit);
        if names.is_split() == id.split { names.name_of(id.offset) } else { self.name(id).ok()? }
    }
}

/// Whether a name with namespaces is meant by one with less of them: from the start of one of its parts on.
pub(super) fn fits(name: &str, wanted: &str) -> bool {
    let wanted = wanted.strip_prefix("::").unwrap_or(wanted);

    name == wanted || name.strip_suffix(wanted).is_some_and(|front| !wanted.is_empty() && front.ends_with("::"))
}

/// What else might have been meant, as the end of a message.
pub(super) fn suggestion<'n>(wanted: &str, known: impl Iterator<Item = &'n str>) -> String {
    match suggestions(wanted, known).first() {
        Some(name) => format!("; did you mean `{}`?", Escaped(name)),
        None => String::new(),
    }
}

/// The names that are spelt most like one, nearest first: as they are, or their last parts.
pub(super) fn suggestions(wanted: &str, known: impl Iterator<Item = impl AsRef<str>>) -> Vec<String> {
    const MOST: usize = 5;
    // A name of another length by more than this is no slip of the hand.
    let limit = (wanted.chars().count() / 3).max(1);
    let wanted: Vec<char> = wanted.chars().take(64).collect();
    let mut best: HashMap<String, usize> = HashMap::new();
    for name in known {
        let name = name.as_ref();
        let last = name.rsplit("::").next().unwrap_or(name);
        let distance = distance(&wanted, name, limit).min(distance(&wanted, last, limit));
        if distance <= limit {
            best.entry(name.to_owned()).or_insert(distance);
        }
    }
    let mut best: Vec<_> = best.into_iter().map(|(name, distance)| (distance, name)).collect();
    best.sort_unstable();
    best.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// How many letters have to be changed, added or taken away, capitals being letters like others;
/// more than `limit` where that is so.
fn distance(wanted: &[char], name: &str, limit: usize) -> usize {
    let name: Vec<char> = name.chars().take(wanted.len() + limit + 1).collect();
    if name.len().abs_diff(wanted.len()) > limit {
        return limit + 1;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, from) in wanted.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, to) in name.iter().enumerate() {
            let change = corner + usize::from(!from.eq_ignore_ascii_case(to));
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[name.len()]
}
