//! Values: a place and a type. What is in a value is read when it is asked for; what is inside of it are values again.
//! Nothing is written here: a new value becomes what is to be written where.

use super::expression::unreadable;
use super::frame::{Context, MemoryAddress, Missing, Place, Storage, Write};
use super::inspect::{EntryId, Inspector, damaged};
use super::types::{Member, Shape, is_signed};
use crate::base::{Error, ErrorKind, Result};
use gimli::constants as c;
use std::ops::Range;

/// So many bytes are read for one value at most.
const MAX_READ: u64 = 1 << 20;

/// A value of the source: where it is, and of what type. It outlives the stop that it was found at, but what is read
/// of it then may be something else.
#[derive(Clone, Debug)]
pub struct Value {
    pub(super) ty: Option<EntryId>,
    /// How many pointers to something of that type it is.
    pub(super) pointer: u8,
    pub(super) place: Place,
    /// Where in the place it begins.
    pub(super) offset: u64,
    /// Of a bit field: which bits from there on, and how many.
    pub(super) bits: Option<(u64, u64)>,
    /// Of an array of several dimensions: how many of them have an index already.
    pub(super) row: u8,
    /// Whether it is a parameter or a variable of a block, or inside of one.
    pub(super) of_frame: bool,
}

/// Something inside of a value.
#[derive(Clone, Debug)]
pub struct Child {
    /// A member's name, an element's number in brackets, or `*`.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// An integer, a truth value, a letter or a floating-point number.
    Number,
    /// An address of something.
    Pointer,
    /// The same, but the source takes it for what it points to.
    Reference,
    /// Members: a structure, a class, what has variants.
    Structure,
    /// Members that share their place.
    Union,
    /// Elements of one type.
    Array,
    /// A number with names.
    Enumeration,
    /// Something that has no parts to be shown: code, `void`, a pointer to a member.
    Opaque,
}

/// A number of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// An integer that may be negative.
    Signed(i128),
    /// An integer that may not; an address.
    Unsigned(u128),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A letter, as its number.
    Char(u32),
}

impl Value {
    pub(super) fn new(ty: Option<EntryId>, place: Place) -> Value {
        Value { ty, pointer: 0, place, offset: 0, bits: None, row: 0, of_frame: false }
    }

    /// Whether it is a parameter or a variable of a block, or inside of one: its place is something else's once the
    /// frame is gone. What a pointer points to is not.
    pub fn is_of_frame(&self) -> bool {
        self.of_frame
    }

    /// Whether the debug information says that it is not there: the compiler has left it out, or has its place reused.
    pub fn is_optimised_out(&self) -> bool {
        matches!(self.place, Place::OptimisedOut(_))
    }

    /// Why it is not there, if the debug information says that it is not. Of a value in several places, all are meant.
    pub fn missing(&self) -> Option<Missing> {
        match &self.place {
            Place::OptimisedOut(why) => Some(*why),
            Place::Pieces(pieces) => {
                let mut all = pieces.iter().map(|piece| match piece.place {
                    Place::OptimisedOut(why) => Some(why),
                    _ => None,
                });
                let first = all.next()??;
                all.all(|why| why.is_some()).then_some(first)
            }
            _ => None,
        }
    }

    /// Where it is in memory, if it is there; not that of a bit field.
    pub fn address(&self) -> Option<MemoryAddress> {
        match self.place {
            Place::Memory(address) if self.bits.is_none() => {
                Some(MemoryAddress::new(address.wrapping_add(self.offset)))
            }
            _ => None,
        }
    }

    /// What is inside of it, at an offset.
    pub(super) fn inside(&self, ty: Option<EntryId>, offset: u64) -> Value {
        let offset = self.offset.wrapping_add(offset);
        Value { ty, place: self.place.clone(), offset, of_frame: self.of_frame, ..Value::new(ty, Place::Memory(0)) }
    }
}

/// What is said of a value that is optimised out.
pub(super) const NOT_THERE: &str = "the value is optimised out: the debug information says that it is not there";

fn not_there() -> Error {
    Error::new(ErrorKind::State, NOT_THERE)
}

fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message)
}

impl<'a> Inspector<'a> {
    /// Bytes of a place; `None` where they are optimised out.
    pub(super) fn read_place(
        &self,
        place: &Place,
        offset: u64,
        size: u64,
        at: &Context<'_>,
    ) -> Result<Option<Vec<u8>>> {
        if size > MAX_READ {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("a value of {size} bytes is too large to be read at once"),
            ));
        }
        self.spend(size / 8 + 1)?;
        let part = |bytes: Option<&[u8]>| {
            let bytes = bytes?;
            let start = usize::try_from(offset).ok()?;
            bytes.get(start..start.checked_add(size as usize)?).map(<[u8]>::to_vec)
        };
        let narrow = || damaged("a value is wider than the place it is in");
        let number = |value: Option<super::frame::WasmValue>| match value {
            Some(value) => part(Some(&value.bytes())).map(Some).ok_or_else(narrow),
            None => Ok(None),
        };
        match place {
            Place::Memory(address) => {
                let address = address.wrapping_add(offset);
                let mut bytes = vec![0; size as usize];
                if !at.reader.memory(MemoryAddress::new(address), &mut bytes) {
                    return Err(unreadable(address, size));
                }
                Ok(Some(bytes))
            }
            Place::Local(index) => number(at.reader.local(*index)),
            Place::Global(index) => number(at.reader.global(*index)),
            Place::Operand(index) => number(at.reader.operand(*index)),
            Place::Bytes(bytes) => part(Some(bytes)).map(Some).ok_or_else(narrow),
            Place::OptimisedOut(_) => Ok(None),
            Place::Pieces(pieces) => {
                let mut found = Vec::new();
                let (mut begin, end) = (0u64, offset.checked_add(size).ok_or_else(narrow)?);
                for piece in pieces.iter() {
                    let next = begin.checked_add(piece.bytes).ok_or_else(narrow)?;
                    let (from, to) = (offset.max(begin), end.min(next));
                    if from < to {
                        let inside = piece.offset.checked_add(from - begin).ok_or_else(narrow)?;
                        match self.read_place(&piece.place, inside, to - from, at)? {
                            Some(bytes) => found.extend(bytes),
                            None => return Ok(None),
                        }
                    }
                    begin = next;
                }
                // What no piece has is not there.
                Ok((found.len() as u64 == size).then_some(found))
            }
        }
    }

    /// Bytes of a value.
    pub(super) fn read(&self, value: &Value, size: u64, at: &Context<'_>) -> Result<Vec<u8>> {
        self.read_place(&value.place, value.offset, size, at)?.ok_or_else(not_there)
    }

    pub(super) fn shape_of(&self, value: &Value, at: &Context<'_>) -> Result<Shape> {
        if value.pointer > 0 {
            // Computed ones have eight bytes, those in memory as many as the guest's.
            let size = if matches!(value.place, Place::Bytes(_)) { 8 } else { self.address_size(value.ty) };
            return Ok(Shape::Pointer { to: value.ty, size, reference: false });
        }
        let mut shape = self.shape(value.ty, at)?;
        if let Shape::Array { counts, stride, .. } = &mut shape
            && value.row > 0
        {
            counts.drain(..usize::from(value.row).min(counts.len()));
            *stride = None;
        }
        Ok(shape)
    }

    /// What a value is made of.
    ///
    /// # Errors
    /// As for [`value`](Self::value).
    pub fn kind(&self, value: &Value, at: &Context<'_>) -> Result<ValueKind> {
        self.begin();
        Ok(match self.shape_of(value, at)? {
            Shape::Number { encoding: c::DW_ATE_complex_float, .. } => ValueKind::Opaque,
            Shape::Number { .. } => ValueKind::Number,
            Shape::Pointer { reference: false, .. } => ValueKind::Pointer,
            Shape::Pointer { reference: true, .. } => ValueKind::Reference,
            Shape::Composite { union: false, .. } => ValueKind::Structure,
            Shape::Composite { union: true, .. } => ValueKind::Union,
            Shape::Array { .. } => ValueKind::Array,
            Shape::Enum { .. } => ValueKind::Enumeration,
            Shape::Void | Shape::Function | Shape::Opaque { .. } => ValueKind::Opaque,
        })
    }

    /// What the source calls its type.
    pub fn type_name(&self, value: &Value) -> String {
        self.begin();
        let name = self.row_name(value).unwrap_or_else(|| self.type_name_of(value.ty));
        match usize::from(value.pointer) {
            0 => name,
            count if name.ends_with('*') => name + &"*".repeat(count),
            count => name + " " + &"*".repeat(count),
        }
    }

    /// The name of a row of an array.
    fn row_name(&self, value: &Value) -> Option<String> {
        let id = self.bare(value.ty).ok()?.filter(|_| value.row > 0)?;
        let counts = self.fixed_counts(id).ok()?;
        let of = self.type_name_of(self.type_of(id).ok()?);
        let rest = counts.iter().skip(value.row.into());
        Some(rest.fold(of, |name, count| name + &count.map_or_else(|| "[]".to_owned(), |count| format!("[{count}]"))))
    }

    /// How many bytes it takes.
    ///
    /// # Errors
    /// As for [`value`](Self::value).
    pub fn size(&self, value: &Value, at: &Context<'_>) -> Result<u64> {
        self.begin();
        match self.shape_of(value, at)? {
            Shape::Pointer { .. } if value.pointer > 0 => Ok(self.address_size(value.ty)),
            Shape::Pointer { size, .. } => Ok(size),
            Shape::Array { of, counts, .. } if value.row > 0 => {
                let size = self.size_of(of, at)?;
                Ok(counts.iter().fold(size, |size, count| size.saturating_mul(count.unwrap_or(0))))
            }
            _ => self.size_of(value.ty, at),
        }
    }

    /// Where a value stands, as a whole: the bytes of a memory, or what it is in or a part of. Of a reference, what it
    /// refers to. And whether that is [of the frame](Value::is_of_frame).
    ///
    /// # Errors
    /// [`ErrorKind::State`] for what is optimised out, computed, in several places, or among the operands; else as for
    /// [`value`](Self::value).
    pub fn storage(&self, value: &Value, at: &Context<'_>) -> Result<(Storage, bool)> {
        self.begin();
        let value = &self.referent(value.clone(), at)?;
        let size = self.size(value, at)?;
        // Of a bit field, the bytes that it is in.
        let (from, size) = match value.bits {
            Some((first, width)) => (first / 8, (first % 8).saturating_add(width).div_ceil(8)),
            None => (0, size),
        };
        let mut found = storage(&value.place, value.offset.wrapping_add(from), size)?;
        if let (Some((first, width)), Storage::Memory(_, _, mask)) = (value.bits, &mut found) {
            let bits = first % 8..(first % 8).saturating_add(width);
            let byte =
                |index: u64| (0..8).filter(|bit| bits.contains(&(8 * index + bit))).fold(0, |all, bit| all | 1 << bit);
            mask.extend((0..size.min(MAX_READ)).map(byte));
        }
        Ok((found, value.is_of_frame()))
    }

    /// The number that a value is, or that stands for it: of a pointer the address, of an enumeration the number.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is no number, [`ErrorKind::State`] for what is optimised out or in memory that
    /// is not there; else as for [`value`](Self::value).
    pub fn scalar(&self, value: &Value, at: &Context<'_>) -> Result<Scalar> {
        self.begin();
        self.scalar_of(value, at)
    }

    pub(super) fn scalar_of(&self, value: &Value, at: &Context<'_>) -> Result<Scalar> {
        let (encoding, size) = match self.shape_of(value, at)? {
            Shape::Number { encoding, size } => (encoding, size),
            Shape::Pointer { size, .. } => (c::DW_ATE_unsigned, size),
            Shape::Enum { size, signed, .. } => (if signed { c::DW_ATE_signed } else { c::DW_ATE_unsigned }, size),
            _ => return Err(argument(format!("a value of type `{}` is no number", self.type_name_of(value.ty)))),
        };
        let (bits, width) = self.bits_of(value, size, at)?;
        let signed = ((bits << (128 - width)) as i128) >> (128 - width);
        Ok(match encoding {
            c::DW_ATE_float if size == 4 => Scalar::Float(f32::from_bits(bits as u32).into()),
            c::DW_ATE_float if size == 8 => Scalar::Float(f64::from_bits(bits as u64)),
            c::DW_ATE_float if size == 2 => Scalar::Float(half(bits as u16)),
            c::DW_ATE_float if size == 16 => Scalar::Float(quadruple(bits)),
            c::DW_ATE_complex_float => return Err(complex()),
            c::DW_ATE_boolean => Scalar::Bool(bits != 0),
            c::DW_ATE_UTF | c::DW_ATE_UCS | c::DW_ATE_ASCII => Scalar::Char(bits as u32),
            _ if is_signed(encoding) => Scalar::Signed(signed),
            _ => Scalar::Unsigned(bits),
        })
    }

    /// The bits of a number, and how many.
    fn bits_of(&self, value: &Value, size: u64, at: &Context<'_>) -> Result<(u128, u32)> {
        let (first, width) = value.bits.unwrap_or((0, size.saturating_mul(8)));
        if width == 0 || width > 128 {
            return Err(argument(format!("a number of {width} bits cannot be shown")));
        }
        let (skip, from) = ((first % 8) as u32, first / 8);
        let bytes = u64::from(skip).saturating_add(width).div_ceil(8);
        let inside = Value { offset: value.offset.wrapping_add(from), ..value.clone() };
        let bytes = self.read(&inside, bytes, at)?;
        let low = bytes.iter().take(16).rev().fold(0u128, |all, byte| all << 8 | u128::from(*byte));
        let mut bits = low >> skip;
        if let Some(top) = bytes.get(16) {
            bits |= u128::from(*top) << (128 - skip);
        }
        let width = width as u32;
        Ok((bits & (u128::MAX >> (128 - width)), width))
    }

    /// What a pointer or reference points to.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is none; else as for [`scalar`](Self::scalar).
    pub fn dereference(&self, value: &Value, at: &Context<'_>) -> Result<Value> {
        self.begin();
        self.pointee(value, at)
    }

    pub(super) fn pointee(&self, value: &Value, at: &Context<'_>) -> Result<Value> {
        let Shape::Pointer { to, .. } = self.shape_of(value, at)? else {
            return Err(argument(format!("a value of type `{}` points to nothing", self.type_name_of(value.ty))));
        };
        match self.scalar_of(value, at)? {
            Scalar::Unsigned(address) => {
                let pointer = value.pointer.saturating_sub(1);
                Ok(Value { pointer, ..Value::new(to, Place::Memory(address as u64)) })
            }
            _ => Err(damaged("an address is no number")),
        }
    }

    /// A value behind all references: what the source takes it for.
    pub(super) fn referent(&self, value: Value, at: &Context<'_>) -> Result<Value> {
        match self.shape_of(&value, at)? {
            Shape::Pointer { reference: true, .. } => self.pointee(&value, at),
            _ => Ok(value),
        }
    }

    /// The members of a composite value, those of its variant, and those of members without a name in their place.
    pub(super) fn fields(&self, value: &Value, at: &Context<'_>) -> Result<Vec<Child>> {
        let mut found = Vec::new();
        self.add_fields(value, at, &mut found, 0)?;
        Ok(found)
    }

    fn add_fields(&self, value: &Value, at: &Context<'_>, found: &mut Vec<Child>, depth: u32) -> Result<()> {
        let Shape::Composite { id, .. } = self.shape_of(value, at)? else { return Ok(()) };
        let address = value.address().map(MemoryAddress::get);
        let (mut members, variants) = self.members(id, at, address)?;
        if let Some(variants) = variants {
            members.extend(self.active(value, &variants, at)?);
        }
        for member in members {
            self.spend(1)?;
            let inside = field(value, &member);
            match member.name {
                Some(name) => found.push(Child { name, value: inside }),
                None if depth < 8 => self.add_fields(&inside, at, found, depth + 1)?,
                None => {}
            }
        }
        Ok(())
    }

    /// The members of the variant that a value is.
    fn active(&self, value: &Value, variants: &super::types::Variants, at: &Context<'_>) -> Result<Vec<Member>> {
        let tag = match &variants.discriminant {
            Some(member) => {
                let tag = field(value, member);
                let size = self.size_of(member.ty, at)?;
                Some(self.bits_of(&tag, size, at)?)
            }
            None => None,
        };
        // Compilers write the number with or without its sign.
        let is = |said: u64| {
            tag.is_some_and(|(bits, width)| {
                (bits ^ u128::from(said)) & (u128::from(u64::MAX) & (u128::MAX >> (128 - width))) == 0
            })
        };
        let exact = variants.variants.iter().find(|(said, _)| said.is_some_and(is));
        let other = || variants.variants.iter().find(|(said, _)| said.is_none());
        Ok(exact.or_else(other).map(|(_, members)| members.clone()).unwrap_or_default())
    }

    /// A member of a composite value, also one of its base classes'.
    pub(super) fn member_named(&self, value: &Value, name: &str, at: &Context<'_>) -> Result<Option<Value>> {
        let mut level = vec![value.clone()];
        for _ in 0..16 {
            let mut below = Vec::new();
            for value in &level {
                let Shape::Composite { id, .. } = self.shape_of(value, at)? else { continue };
                if let Some(child) = self.fields(value, at)?.into_iter().find(|child| child.name == name) {
                    return Ok(Some(child.value));
                }
                let address = value.address().map(MemoryAddress::get);
                let (members, _) = self.members(id, at, address)?;
                below.extend(members.iter().filter(|member| member.base).map(|member| field(value, member)));
            }
            if below.is_empty() || below.len() > 256 {
                break;
            }
            level = below;
        }
        Ok(None)
    }

    /// An element of an array, a slice, or of what a pointer points to.
    pub(super) fn element(&self, value: &Value, index: i128, at: &Context<'_>) -> Result<Value> {
        let outside = |count| argument(format!("there is no element {index}: there are {count}"));
        let step = |base: &Value, of, index: i128| {
            let size = i128::from(self.size_of(of, at)?);
            let offset = size.checked_mul(index).and_then(|offset| i64::try_from(offset).ok());
            let offset = offset.ok_or_else(|| argument(format!("element {index} is outside of every memory")))?;
            Ok(base.inside(of, offset as u64))
        };
        if let Some(sequence) = self.sequence(value, at)? {
            return match u64::try_from(index) {
                Ok(number) if number < sequence.count => step(&sequence.first, sequence.first.ty, index),
                _ => Err(outside(sequence.count)),
            };
        }
        match self.shape_of(value, at)? {
            Shape::Array { of, counts, stride } => {
                let count = counts.first().copied().flatten();
                if index < 0 || count.is_some_and(|count| index >= i128::from(count)) {
                    return Err(outside(count.unwrap_or(0)));
                }
                // Of several dimensions the rest is an array that has no type of its own.
                if let Some(rest @ [_, ..]) = counts.get(1..) {
                    let rest = rest.iter().map(|count| i128::from(count.unwrap_or(0)));
                    let size = rest.fold(i128::from(self.size_of(of, at)?), i128::saturating_mul);
                    let offset = u64::try_from(size.saturating_mul(index)).map_err(|_| outside(0))?;
                    return Ok(Value { row: value.row + 1, ..value.inside(value.ty, offset) });
                }
                match stride {
                    Some(stride) => {
                        let offset = u64::try_from(index).ok().and_then(|index| index.checked_mul(stride));
                        Ok(value.inside(of, offset.ok_or_else(|| outside(0))?))
                    }
                    None => step(value, of, index),
                }
            }
            Shape::Pointer { .. } => {
                let first = self.pointee(value, at)?;
                if first.pointer == 0 {
                    return step(&first, first.ty, index);
                }
                let size = i128::from(self.address_size(first.ty));
                let offset = size.checked_mul(index).and_then(|offset| i64::try_from(offset).ok());
                let offset = offset.ok_or_else(|| argument(format!("element {index} is outside of every memory")))?;
                Ok(Value { pointer: first.pointer, ..first.inside(first.ty, offset as u64) })
            }
            _ => Err(argument(format!("a value of type `{}` has no elements", self.type_name_of(value.ty)))),
        }
    }

    /// How many values are inside of it: members, elements, what a pointer points to.
    ///
    /// # Errors
    /// As for [`value`](Self::value).
    pub fn child_count(&self, value: &Value, at: &Context<'_>) -> Result<u64> {
        self.begin();
        if let Some(sequence) = self.sequence(value, at)? {
            return Ok(sequence.count);
        }
        Ok(match self.shape_of(value, at)? {
            Shape::Pointer { to: None, .. } => 0,
            Shape::Pointer { .. } => 1,
            Shape::Composite { .. } => self.fields(value, at)?.len() as u64,
            Shape::Array { counts, .. } => counts.first().copied().flatten().unwrap_or(0),
            _ => 0,
        })
    }

    /// The values inside of it whose numbers are in `range`, as far as there are any: an array of millions is looked at
    /// page by page.
    ///
    /// # Errors
    /// As for [`scalar`](Self::scalar).
    pub fn children(&self, value: &Value, range: Range<u64>, at: &Context<'_>) -> Result<Vec<Child>> {
        let count = self.child_count(value, at)?;
        let range = range.start..range.end.min(count);
        let is_array = matches!(self.shape_of(value, at)?, Shape::Array { .. });
        if is_array || self.sequence(value, at)?.is_some() {
            let element = |index: u64| {
                self.spend(4)?;
                Ok(Child { name: format!("[{index}]"), value: self.element(value, index.into(), at)? })
            };
            return range.map(element).collect();
        }
        if let Shape::Pointer { .. } = self.shape_of(value, at)? {
            return range.map(|_| Ok(Child { name: "*".to_owned(), value: self.pointee(value, at)? })).collect();
        }
        let fields = self.fields(value, at)?.into_iter();
        Ok(fields.skip(range.start as usize).take(range.end.saturating_sub(range.start) as usize).collect())
    }

    /// What is to be written so that a place has these bytes.
    pub(super) fn write_bytes(
        &self,
        value: &Value,
        more: u64,
        bytes: &[u8],
        signed: bool,
        at: &Context<'_>,
    ) -> Result<Write> {
        let offset = value.offset.wrapping_add(more);
        // A number that is narrower than its local fills it, as compiled code expects.
        let patched = |old: Option<super::frame::WasmValue>| {
            let old = old.ok_or_else(not_there)?;
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let mut new = bytes.to_vec();
            if start == 0 && value.bits.is_none() && matches!(value.place, Place::Local(_) | Place::Operand(_)) {
                let fill = if signed && bytes.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 };
                new.resize(old.bytes().len().max(new.len()), fill);
            }
            old.patched(start, &new).ok_or_else(|| damaged("a value is wider than the place it is in"))
        };
        match &value.place {
            Place::Memory(address) => {
                Ok(Write::Memory(MemoryAddress::new(address.wrapping_add(offset)), bytes.to_vec()))
            }
            Place::Local(index) => Ok(Write::Local(*index, patched(at.reader.local(*index))?)),
            Place::Global(index) => Ok(Write::Global(*index, patched(at.reader.global(*index))?)),
            Place::Operand(index) => Ok(Write::Operand(*index, patched(at.reader.operand(*index))?)),
            Place::OptimisedOut(_) => Err(not_there()),
            Place::Bytes(_) => {
                Err(Error::new(ErrorKind::State, "the value is a constant: there is no place to write another one to"))
            }
            Place::Pieces(pieces) => {
                let mut begin = 0u64;
                for piece in pieces.iter() {
                    let end = begin.saturating_add(piece.bytes);
                    if begin <= offset && offset.saturating_add(bytes.len() as u64) <= end {
                        let place = piece.place.clone();
                        let inside =
                            Value { place, offset: piece.offset.wrapping_add(offset - begin), ..value.clone() };
                        return self.write_bytes(&inside, 0, bytes, signed, at);
                    }
                    begin = end;
                }
                Err(Error::new(ErrorKind::State, "the value is in several places and cannot be written as one"))
            }
        }
    }
}

/// Where so many bytes of a place stand, from an offset on.
fn storage(place: &Place, offset: u64, size: u64) -> Result<Storage> {
    let refuse = |what: &str| Err(Error::new(ErrorKind::State, what));
    match place {
        Place::Memory(address) => {
            Ok(Storage::Memory(MemoryAddress::new(address.wrapping_add(offset)), size, Vec::new()))
        }
        Place::Local(index) => Ok(Storage::Local(*index)),
        Place::Global(index) => Ok(Storage::Global(*index)),
        Place::Operand(_) => refuse("the value is an operand, which is nowhere but on the stack for a moment"),
        Place::Bytes(_) => refuse("the value is a constant or is computed: there is no place that it is in"),
        Place::OptimisedOut(_) => Err(not_there()),
        Place::Pieces(pieces) => {
            let mut begin = 0u64;
            for piece in pieces.iter() {
                let end = begin.saturating_add(piece.bytes);
                if begin <= offset && offset.saturating_add(size) <= end {
                    return storage(&piece.place, piece.offset.wrapping_add(offset - begin), size);
                }
                begin = end;
            }
            refuse("the value is in several places, and has none as a whole; its members may have")
        }
    }
}

/// A member of a value.
fn field(value: &Value, member: &Member) -> Value {
    Value { bits: member.bits, ..value.inside(member.ty, member.offset) }
}

#[cold]
fn complex() -> Error {
    argument("a complex number is shown, but is no number that could be compared or written")
}

/// The number of 128 bits that a number of 64 is.
pub(super) fn to_quadruple(number: f64) -> u128 {
    let bits = number.to_bits();
    let (sign, exponent, fraction) =
        (u128::from(bits >> 63) << 127, bits >> 52 & 0x7ff, u128::from(bits & ((1 << 52) - 1)));
    let (exponent, fraction) = match (exponent, fraction) {
        (0, 0) => (0, 0),
        // The first bit that is set is the one that is not written.
        (0, fraction) => {
            let shift = fraction.leading_zeros() - 75;
            (16383 - 1022 - u128::from(shift), fraction << shift & ((1 << 52) - 1))
        }
        (0x7ff, fraction) => (0x7fff, fraction),
        (exponent, fraction) => (u128::from(exponent) + 16383 - 1023, fraction),
    };
    sign | exponent << 112 | fraction << 60
}

/// A number of 16 bits.
fn half(bits: u16) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 31, f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(exponent) - 15),
    };
    if sign == 1 { -size } else { size }
}

/// A number of 128 bits, as near as one of 64 is.
pub(super) fn quadruple(bits: u128) -> f64 {
    let (sign, exponent) = (bits >> 127, (bits >> 112 & 0x7fff) as i32);
    let fraction = (bits & ((1 << 112) - 1)) as f64 / 2f64.powi(112);
    let size = match exponent {
        0 => 0.0,
        0x7fff if fraction == 0.0 => f64::INFINITY,
        0x7fff => f64::NAN,
        // In two steps: the smallest numbers are less than what a power can be that is computed by a division.
        _ => {
            let exponent = exponent - 16383;
            (1.0 + fraction) * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
        }
    };
    if sign == 1 { -size } else { size }
}
