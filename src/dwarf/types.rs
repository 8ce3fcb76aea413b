//! Types: what a value of one is made of, how wide it is, and what the source calls it. Types refer to each other in
//! circles, rightly or by damage: each walk has an end.

use super::frame::{Context, Place};
use super::inspect::{Entry, EntryId, Inspector, Opened, Then, damaged};
use crate::base::Result;
use gimli::{AttributeValue, DwAte, constants as c};

/// So many qualifiers and other names a type has at most, and so deep are types named.
const MAX_NESTING: usize = 32;
/// So many dimensions an array has at most.
const MAX_DIMENSIONS: usize = 16;

/// What values of a type are made of. Qualifiers and other names are left behind.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Nothing: C's `void`.
    Void,
    /// A number, a truth value or a letter.
    Number { encoding: DwAte, size: u64 },
    /// An address of something.
    Pointer { to: Option<EntryId>, size: u64, reference: bool },
    /// Members at offsets.
    Composite { id: EntryId, union: bool },
    /// Elements, in as many dimensions as there are counts; a count may be unknown.
    Array { of: Option<EntryId>, counts: Vec<Option<u64>>, stride: Option<u64> },
    /// A number with names.
    Enum { id: EntryId, size: u64, signed: bool },
    /// Code.
    Function,
    /// What has a width and no more: a pointer to a member, for instance.
    Opaque { size: u64 },
}

/// A member of a composite type.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Without a name its own members are as if they were here.
    pub(super) name: Option<String>,
    pub(super) ty: Option<EntryId>,
    pub(super) offset: u64,
    /// Where a bit field is, from the member's offset on: the first bit, and how many.
    pub(super) bits: Option<(u64, u64)>,
    pub(super) base: bool,
}

/// How a member's offset is found.
pub(super) struct Variants {
    /// Says which variant it is.
    pub(super) discriminant: Option<Member>,
    /// The numbers that mean a variant (none means: all others), and its members.
    pub(super) variants: Vec<(Option<u64>, Vec<Member>)>,
}

impl<'a> Inspector<'a> {
    /// A type's own entry, behind other names of it and qualifiers, whole if it is that anywhere.
    pub(super) fn bare(&self, ty: Option<EntryId>) -> Result<Option<EntryId>> {
        let mut at = ty;
        for _ in 0..MAX_NESTING {
            let Some(id) = at else { return Ok(None) };
            let (_, entry) = self.entry(id)?;
            match entry.tag() {
                c::DW_TAG_typedef
                | c::DW_TAG_const_type
                | c::DW_TAG_volatile_type
                | c::DW_TAG_restrict_type
                | c::DW_TAG_atomic_type
                | c::DW_TAG_immutable_type
                | c::DW_TAG_packed_type
                | c::DW_TAG_template_alias => at = self.type_of(id)?,
                _ if Self::flag(&entry, c::DW_AT_declaration) => return Ok(Some(self.definition(id).unwrap_or(id))),
                _ => return Ok(Some(id)),
            }
        }
        Err(damaged("a type is another name of itself"))
    }

    /// What values of a type are made of.
    pub(super) fn shape(&self, ty: Option<EntryId>, at: &Context<'_>) -> Result<Shape> {
        let Some(id) = self.bare(ty)? else { return Ok(Shape::Void) };
        let (opened, entry) = self.entry(id)?;
        let size = Self::number(&entry, c::DW_AT_byte_size);
        let pointer = u64::from(opened.unit.encoding().address_size);
        let pointer_to = |reference| {
            let size = size.unwrap_or(pointer);
            self.type_of(id).map(|to| Shape::Pointer { to, size, reference })
        };
        Ok(match entry.tag() {
            c::DW_TAG_base_type => {
                let encoding = match entry.attr_value(c::DW_AT_encoding) {
                    Some(AttributeValue::Encoding(encoding)) => encoding,
                    _ => c::DW_ATE_unsigned,
                };
                let bits = Self::number(&entry, c::DW_AT_bit_size);
                match size.or(bits.map(|bits| bits.div_ceil(8))).unwrap_or(0) {
                    0 => Shape::Void,
                    size => Shape::Number { encoding, size },
                }
            }
            c::DW_TAG_pointer_type => pointer_to(false)?,
            c::DW_TAG_reference_type | c::DW_TAG_rvalue_reference_type => pointer_to(true)?,
            c::DW_TAG_structure_type | c::DW_TAG_class_type | c::DW_TAG_interface_type => {
                Shape::Composite { id, union: false }
            }
            c::DW_TAG_union_type => Shape::Composite { id, union: true },
            c::DW_TAG_array_type => {
                let stride = Self::number(&entry, c::DW_AT_byte_stride);
                Shape::Array { of: self.type_of(id)?, counts: self.counts(id, at)?, stride }
            }
            c::DW_TAG_enumeration_type => {
                let under = self.type_of(id)?;
                let number = match under {
                    Some(_) if under != Some(id) => self.number_under(under)?,
                    _ => None,
                };
                let signed = number.map_or_else(|| self.has_negative(id), |(encoding, _)| Ok(is_signed(encoding)))?;
                Shape::Enum { id, size: size.or(number.map(|(_, size)| size)).unwrap_or(4), signed }
            }
            c::DW_TAG_subroutine_type => Shape::Function,
            c::DW_TAG_subrange_type => match self.number_under(self.type_of(id)?)? {
                Some((encoding, size)) => Shape::Number { encoding, size },
                None => Shape::Opaque { size: size.unwrap_or(0) },
            },
            c::DW_TAG_ptr_to_member_type => Shape::Opaque { size: size.unwrap_or(pointer) },
            _ => Shape::Opaque { size: size.unwrap_or(0) },
        })
    }

    /// The number that a type is, if it is nothing else.
    fn number_under(&self, ty: Option<EntryId>) -> Result<Option<(DwAte, u64)>> {
        let Some(id) = self.bare(ty)? else { return Ok(None) };
        let (_, entry) = self.entry(id)?;
        match (entry.attr_value(c::DW_AT_encoding), Self::number(&entry, c::DW_AT_byte_size)) {
            (Some(AttributeValue::Encoding(encoding)), Some(size)) => Ok(Some((encoding, size))),
            _ => Ok(None),
        }
    }

    /// Whether an enumeration has negative numbers.
    fn has_negative(&self, id: EntryId) -> Result<bool> {
        let mut negative = false;
        self.enumerators(id, |_, value| {
            negative |= value < 0;
            !negative
        })?;
        Ok(negative)
    }

    /// The names of an enumeration with their numbers, until `each` says no.
    pub(super) fn enumerators(&self, id: EntryId, mut each: impl FnMut(&str, i128) -> bool) -> Result<()> {
        self.visit(id, |opened, _, entry| {
            if entry.tag() == c::DW_TAG_enumerator
                && let Some(value) = entry.attr_value(c::DW_AT_const_value)
                && let Some(name) = entry.attr_value(c::DW_AT_name).and_then(|name| self.text(opened, name))
            {
                let value = match value {
                    AttributeValue::Sdata(value) => i128::from(value),
                    AttributeValue::Udata(value) => i128::from(value),
                    value => value.sdata_value().map_or(0, i128::from),
                };
                if !each(&name, value) {
                    return Ok(Then::Stop);
                }
            }
            Ok(Then::Over)
        })
    }

    /// How many elements an array has in each dimension.
    fn counts(&self, id: EntryId, at: &Context<'_>) -> Result<Vec<Option<u64>>> {
        let mut counts = Vec::new();
        self.visit(id, |opened, _, entry| {
            if matches!(entry.tag(), c::DW_TAG_subrange_type | c::DW_TAG_enumeration_type)
                && counts.len() < MAX_DIMENSIONS
            {
                let lower = self.bound(opened, entry, c::DW_AT_lower_bound, at)?.unwrap_or(0);
                let count = match self.bound(opened, entry, c::DW_AT_count, at)? {
                    Some(count) => Some(count),
                    None => self.bound(opened, entry, c::DW_AT_upper_bound, at)?.map(|upper| upper - lower + 1),
                };
                counts.push(count.and_then(|count| u64::try_from(count).ok()));
            }
            Ok(Then::Over)
        })?;
        Ok(counts)
    }

    /// The same without a stop: what is counted by a variable is not known.
    pub(super) fn fixed_counts(&self, id: EntryId) -> Result<Vec<Option<u64>>> {
        self.counts(id, &Context { frame: None, reader: &Nobody })
    }

    /// A bound of an array: a number, or a variable that has it.
    fn bound(
        &self,
        opened: &Opened<'a>,
        entry: &Entry<'a>,
        name: gimli::DwAt,
        at: &Context<'_>,
    ) -> Result<Option<i128>> {
        let Some(attribute) = entry.attr(name) else { return Ok(None) };
        let value = attribute.value();
        if let Some(number) = attribute.udata_value() {
            return Ok(Some(number.into()));
        }
        if let Some(number) = attribute.sdata_value() {
            return Ok(Some(number.into()));
        }
        // Where it is not known now, nor is the count: that is no error of the array's.
        let Some(id) = self.reference(opened, value) else { return Ok(None) };
        let Ok(place) = self.place_of(id, at) else { return Ok(None) };
        let Some((_, size)) = self.number_under(self.type_of(id)?)? else { return Ok(None) };
        let bytes = self.read_place(&place, 0, size.min(8), at).ok().flatten();
        Ok(bytes.map(|bytes| bytes.iter().rev().fold(0, |all, byte| all << 8 | i128::from(*byte))))
    }

    /// How many bytes a value of a type takes.
    pub(super) fn size_of(&self, ty: Option<EntryId>, at: &Context<'_>) -> Result<u64> {
        let mut factor: u64 = 1;
        let mut ty = ty;
        let too_wide = || damaged("a type is wider than a memory");
        for _ in 0..MAX_NESTING {
            let size = match self.shape(ty, at)? {
                Shape::Void | Shape::Function => 1,
                Shape::Number { size, .. }
                | Shape::Pointer { size, .. }
                | Shape::Enum { size, .. }
                | Shape::Opaque { size } => size,
                Shape::Composite { id, .. } => Self::number(&self.entry(id)?.1, c::DW_AT_byte_size).unwrap_or(0),
                Shape::Array { of, counts, stride } => {
                    for count in counts {
                        factor = factor.checked_mul(count.unwrap_or(0)).ok_or_else(too_wide)?;
                    }
                    match stride {
                        Some(stride) => stride,
                        None => {
                            ty = of;
                            continue;
                        }
                    }
                }
            };
            return factor.checked_mul(size).filter(|size| *size <= i64::MAX as u64).ok_or_else(too_wide);
        }
        Err(damaged("a type is inside of itself"))
    }

    /// The members of a composite type, base classes first as the source has them, and what tells its variants apart.
    pub(super) fn members(
        &self,
        id: EntryId,
        at: &Context<'_>,
        address: Option<u64>,
    ) -> Result<(Vec<Member>, Option<Variants>)> {
        let mut members = Vec::new();
        let mut parts = None;
        self.visit(id, |opened, _, entry| {
            match entry.tag() {
                c::DW_TAG_variant_part => parts = Some(opened.id(entry.offset())),
                _ => members.extend(self.member(opened, entry, at, address)?),
            }
            Ok(Then::Over)
        })?;
        let variants = parts.map(|part| self.variants(part, at, address)).transpose()?;
        Ok((members, variants))
    }

    /// The variants of a type (of a Rust `enum`).
    fn variants(&self, part: EntryId, at: &Context<'_>, address: Option<u64>) -> Result<Variants> {
        let (opened, entry) = self.entry(part)?;
        let discriminant = match entry.attr_value(c::DW_AT_discr).and_then(|value| self.reference(&opened, value)) {
            Some(id) => {
                let (opened, entry) = self.entry(id)?;
                self.member(&opened, &entry, at, address)?
            }
            None => None,
        };
        let mut variants: Vec<(Option<u64>, Vec<Member>)> = Vec::new();
        self.visit(part, |opened, depth, entry| {
            if entry.tag() == c::DW_TAG_variant && depth == 1 {
                let value = entry
                    .attr(c::DW_AT_discr_value)
                    .and_then(|value| value.udata_value().or_else(|| value.sdata_value().map(|value| value as u64)));
                variants.push((value, Vec::new()));
                return Ok(Then::Into);
            }
            if depth == 2
                && let Some((_, members)) = variants.last_mut()
            {
                members.extend(self.member(opened, entry, at, address)?);
            }
            Ok(Then::Over)
        })?;
        Ok(Variants { discriminant, variants })
    }

    /// A member that each value has.
    fn member(
        &self,
        opened: &std::rc::Rc<Opened<'a>>,
        entry: &Entry<'a>,
        at: &Context<'_>,
        address: Option<u64>,
    ) -> Result<Option<Member>> {
        let base = entry.tag() == c::DW_TAG_inheritance;
        let is_static = Self::flag(entry, c::DW_AT_external) || Self::flag(entry, c::DW_AT_declaration);
        if !(base || entry.tag() == c::DW_TAG_member) || is_static {
            return Ok(None);
        }
        let ty = self.type_of(opened.id(entry.offset()))?;
        let mut offset = 0;
        match entry.attr_value(c::DW_AT_data_member_location) {
            // Where it is depends on the object (a virtual base): its address is what the expression begins with.
            Some(AttributeValue::Exprloc(expression)) => {
                let Some(address) = address else { return Ok(None) };
                if let Place::Memory(found) = self.evaluate(opened, expression.0, at, &[address])? {
                    offset = found.wrapping_sub(address);
                }
            }
            Some(value) => offset = value.udata_value().unwrap_or(0),
            None => {}
        }
        let number = |name| Self::number(entry, name);
        let bits = match (number(c::DW_AT_bit_size), number(c::DW_AT_data_bit_offset), number(c::DW_AT_bit_offset)) {
            (Some(size), Some(first), _) => Some((first, size)),
            // DWARF 3 counts from the other end of the word that the field is in.
            (Some(size), None, Some(from_top)) => {
                let word = number(c::DW_AT_byte_size).map_or_else(|| self.size_of(ty, at), Ok)?;
                let first = word.saturating_mul(8).checked_sub(from_top.saturating_add(size));
                Some((first.ok_or_else(|| damaged("a bit field is outside of its word"))?, size))
            }
            (Some(size), None, None) => Some((0, size)),
            (None, Some(first), _) if first % 8 == 0 => {
                offset = first / 8;
                None
            }
            _ => None,
        };
        if bits.is_some_and(|(first, size)| size == 0 || size > 128 || first > u64::from(u32::MAX)) {
            return Err(damaged("a bit field is wider than a number"));
        }
        let name = entry.attr_value(c::DW_AT_name).and_then(|name| self.text(opened, name));
        let name = if base { Some(self.type_name_of(ty)) } else { name };
        Ok(Some(Member { name, ty, offset, bits, base }))
    }

    /// What the source calls a type.
    pub(super) fn type_name_of(&self, ty: Option<EntryId>) -> String {
        let (mut front, back) = self.declared(ty, 0).unwrap_or_else(|_| ("<damaged type>".to_owned(), String::new()));
        front.push_str(&back);
        front.truncate(front.floor_char_boundary(4096));
        front
    }

    /// The parts of a type's name in front of and behind what is declared.
    fn declared(&self, ty: Option<EntryId>, depth: usize) -> Result<(String, String)> {
        let Some(id) = ty else { return Ok(("void".to_owned(), String::new())) };
        if depth > MAX_NESTING {
            return Ok(("...".to_owned(), String::new()));
        }
        let (opened, entry) = self.entry(id)?;
        let named = entry.attr_value(c::DW_AT_name).and_then(|name| self.text(&opened, name));
        let inner = || self.declared(self.type_of(id)?, depth + 1);
        let plain = |text: String| Ok((text, String::new()));
        match entry.tag() {
            c::DW_TAG_const_type => Ok(qualified("const", inner()?)),
            c::DW_TAG_volatile_type => Ok(qualified("volatile", inner()?)),
            c::DW_TAG_restrict_type => Ok(qualified("restrict", inner()?)),
            c::DW_TAG_atomic_type => Ok(qualified("_Atomic", inner()?)),
            _ if let Some(name) = named => plain(self.qualified_name(id).unwrap_or(name)),
            c::DW_TAG_pointer_type => Ok(pointed("*", inner()?)),
            c::DW_TAG_reference_type => Ok(pointed("&", inner()?)),
            c::DW_TAG_rvalue_reference_type => Ok(pointed("&&", inner()?)),
            c::DW_TAG_array_type => {
                let (front, back) = inner()?;
                let counts = self.fixed_counts(id)?;
                let count = |count: Option<u64>| count.map_or_else(|| "[]".to_owned(), |count| format!("[{count}]"));
                Ok((front, counts.into_iter().map(count).collect::<String>() + &back))
            }
            c::DW_TAG_subroutine_type => {
                let (front, back) = inner()?;
                let mut parameters = Vec::new();
                self.visit(id, |opened, _, entry| {
                    match entry.tag() {
                        c::DW_TAG_formal_parameter => {
                            let ty = self.type_of(opened.id(entry.offset()))?;
                            let (front, back) = self.declared(ty, depth + 1)?;
                            parameters.push(front + &back);
                        }
                        c::DW_TAG_unspecified_parameters => parameters.push("...".to_owned()),
                        _ => {}
                    }
                    Ok(if parameters.len() < 64 { Then::Over } else { Then::Stop })
                })?;
                Ok((front, format!("({}){back}", parameters.join(", "))))
            }
            c::DW_TAG_ptr_to_member_type => {
                let class = entry.attr_value(c::DW_AT_containing_type).and_then(|ty| self.reference(&opened, ty));
                let (front, back) = inner()?;
                let class = class.map(|class| self.declared(Some(class), depth + 1)).transpose()?;
                Ok(pointed(&format!("{}::*", class.map_or_else(|| "?".to_owned(), |(name, _)| name)), (front, back)))
            }
            c::DW_TAG_structure_type => plain("<unnamed struct>".to_owned()),
            c::DW_TAG_class_type => plain("<unnamed class>".to_owned()),
            c::DW_TAG_union_type => plain("<unnamed union>".to_owned()),
            c::DW_TAG_enumeration_type => plain("<unnamed enum>".to_owned()),
            _ => plain("<unnamed type>".to_owned()),
        }
    }
}

/// A qualifier stands in front of a type, but behind a pointer.
fn qualified(word: &str, (front, back): (String, String)) -> (String, String) {
    if front.ends_with(['*', '&']) { (format!("{front}{word}"), back) } else { (format!("{word} {front}"), back) }
}

/// A pointer to something: inside of parentheses where what it points to has something behind it.
fn pointed(sign: &str, (front, back): (String, String)) -> (String, String) {
    if !back.is_empty() {
        return (format!("{front} ({sign}"), format!("){back}"));
    }
    let gap = if front.ends_with(['*', '&']) { "" } else { " " };
    (format!("{front}{gap}{sign}"), back)
}

/// Whether numbers of an encoding may be negative.
pub(super) fn is_signed(encoding: DwAte) -> bool {
    matches!(encoding, c::DW_ATE_signed | c::DW_ATE_signed_char | c::DW_ATE_signed_fixed)
}

/// Reads nothing: for what has to be known without a stop.
struct Nobody;

impl super::frame::FrameReader for Nobody {
    fn local(&self, _: crate::base::LocalIndex) -> Option<super::frame::WasmValue> {
        None
    }

    fn global(&self, _: crate::base::GlobalIndex) -> Option<super::frame::WasmValue> {
        None
    }

    fn operand(&self, _: u32) -> Option<super::frame::WasmValue> {
        None
    }

    fn memory(&self, _: super::frame::MemoryAddress, _: &mut [u8]) -> bool {
        false
    }
}
