//! Steps from value to value, as an expression takes them: members, elements, what a pointer points to, addresses,
//! values of other types; and what is to be written where. How an expression is written down is not known here.

use super::frame::{Context, Place, SourceFrame, Write};
use super::inspect::{EntryId, Inspector};
use super::names;
use super::types::{Shape, is_signed};
use super::value::{Scalar, Value, to_quadruple};
use crate::base::{Error, ErrorKind, Escaped, Result};
use gimli::constants as c;

/// So many pointers and references one behind the other a member is looked for through.
const MAX_POINTERS: usize = 8;

/// What kind of number a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NumberType {
    pub(crate) is_float: bool,
    pub(crate) is_bool: bool,
    pub(crate) is_signed: bool,
    /// How wide it is.
    pub(crate) bits: u64,
    /// Whether it is a bit field.
    pub(crate) is_part: bool,
}

/// A type of the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeId(EntryId);

fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message)
}

impl<'a> Inspector<'a> {
    /// A member of a value, or of what it points to. `0` is the first of a tuple.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is no such member, with what is spelt like it; else as for
    /// [`scalar`](Self::scalar).
    pub(crate) fn member_of(&self, value: &Value, name: &str, at: &Context<'_>) -> Result<Value> {
        self.begin();
        let mut value = value.clone();
        for _ in 0..MAX_POINTERS {
            if !matches!(self.shape_of(&value, at)?, Shape::Pointer { .. }) {
                break;
            }
            value = self.pointee(&value, at)?;
        }
        // A tuple's members have numbers, which are no names in C.
        let tuple = format!("__{name}");
        for name in [name, &tuple] {
            if let Some(found) = self.member_named(&value, name, at)? {
                return Ok(found);
            }
        }
        let known: Vec<_> = self.fields(&value, at)?.into_iter().map(|child| child.name).collect();
        let ty = self.type_name_of(value.ty);
        if known.is_empty() {
            return Err(argument(format!("a value of type `{}` has no members", Escaped(&ty))));
        }
        let hint = names::suggestion(name, known.iter().map(String::as_str));
        Err(argument(format!("`{}` has no member `{}`{hint}", Escaped(&ty), Escaped(name))))
    }

    /// What a pointer, which may be behind references, points to.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is no pointer, or one to nothing that is known.
    pub(crate) fn target_of(&self, value: &Value, at: &Context<'_>) -> Result<Value> {
        self.begin();
        let value = self.referent(value.clone(), at)?;
        if matches!(self.shape_of(&value, at)?, Shape::Pointer { to: None, .. }) && value.pointer < 2 {
            return Err(argument("this points to something of no type"));
        }
        self.pointee(&value, at)
    }

    /// An element of an array, or of what a pointer points to.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what has no elements, or not so many.
    pub(crate) fn element_of(&self, value: &Value, index: i128, at: &Context<'_>) -> Result<Value> {
        self.begin();
        let value = self.referent(value.clone(), at)?;
        self.element(&value, index, at)
    }

    /// A value behind all references.
    pub(crate) fn value_behind(&self, value: &Value, at: &Context<'_>) -> Result<Value> {
        self.begin();
        self.referent(value.clone(), at)
    }

    /// The address of a value, as a value.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is not in memory.
    pub(crate) fn address_of(&self, value: &Value, at: &Context<'_>) -> Result<Value> {
        self.begin();
        let value = self.referent(value.clone(), at)?;
        let Some(address) = value.address() else {
            return Err(argument("this is not in memory and has no address"));
        };
        Ok(pointer(value.ty, value.pointer.saturating_add(1), address.get()))
    }

    /// Whether a value is a pointer, or an array, which C takes for one.
    pub(crate) fn is_pointer(&self, value: &Value, at: &Context<'_>) -> Result<bool> {
        self.begin();
        Ok(matches!(self.shape_of(value, at)?, Shape::Pointer { reference: false, .. } | Shape::Array { .. }))
    }

    /// A pointer that points so many elements further, and what it points to has how many bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is no pointer, and for an array that is not in memory.
    pub(crate) fn moved(&self, value: &Value, by: i128, at: &Context<'_>) -> Result<Value> {
        self.begin();
        let (ty, depth, size) = self.pointed_at(value, at)?;
        let address = self.pointer_address(value, at)?;
        Ok(pointer(ty, depth, address.wrapping_add((by as u64).wrapping_mul(size))))
    }

    /// How many bytes what a pointer points to has; 1 where that is not known.
    pub(crate) fn step_of(&self, value: &Value, at: &Context<'_>) -> Result<u64> {
        self.begin();
        Ok(self.pointed_at(value, at)?.2.max(1))
    }

    /// What a pointer points to, by a type and how many pointers to it, and its size.
    fn pointed_at(&self, value: &Value, at: &Context<'_>) -> Result<(Option<EntryId>, u8, u64)> {
        if value.pointer > 1 {
            return Ok((value.ty, value.pointer, self.address_size(value.ty)));
        }
        let to = match self.shape_of(value, at)? {
            Shape::Pointer { to, reference: false, .. } => to,
            Shape::Array { of, counts, .. } => {
                // Of several dimensions, elements are arrays.
                let rest = counts.iter().skip(1).map(|count| count.unwrap_or(0));
                return Ok((of, 1, rest.fold(self.size_of(of, at)?, u64::saturating_mul)));
            }
            _ => return Err(argument(format!("a value of type `{}` is no pointer", self.type_name_of(value.ty)))),
        };
        Ok((to, 1, self.size_of(to, at)?))
    }

    /// The address that a pointer or an array is to C.
    pub(crate) fn pointer_address(&self, value: &Value, at: &Context<'_>) -> Result<u64> {
        self.begin();
        if let Shape::Array { .. } = self.shape_of(value, at)? {
            let address = value.address();
            return address.map(|address| address.get()).ok_or_else(|| argument("this array is not in memory"));
        }
        match self.scalar_of(value, at)? {
            Scalar::Unsigned(address) => Ok(address as u64),
            _ => Err(argument("this is no pointer")),
        }
    }

    /// What kind of number a value is, as far as it is one. Nothing is read of it.
    pub(crate) fn number_type(&self, value: &Value, at: &Context<'_>) -> Result<Option<NumberType>> {
        self.begin();
        let (encoding, size) = match self.shape_of(value, at)? {
            Shape::Number { encoding: c::DW_ATE_complex_float, .. } => return Ok(None),
            Shape::Number { encoding, size } => (encoding, size),
            Shape::Pointer { size, .. } => (c::DW_ATE_unsigned, size),
            Shape::Enum { size, signed, .. } => (if signed { c::DW_ATE_signed } else { c::DW_ATE_unsigned }, size),
            _ => return Ok(None),
        };
        Ok(Some(NumberType {
            is_float: encoding == c::DW_ATE_float,
            is_bool: encoding == c::DW_ATE_boolean,
            is_signed: is_signed(encoding),
            bits: value.bits.map_or(size.saturating_mul(8), |(_, width)| width),
            is_part: value.bits.is_some(),
        }))
    }

    /// A type by its name, with or without namespaces; one of the frame's unit first.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is none.
    pub(crate) fn type_named(&self, frame: Option<&SourceFrame>, name: &str) -> Result<TypeId> {
        self.begin();
        let mut found = None;
        for (unit, names) in self.all_names() {
            let id = |offset| EntryId { unit, split: names.is_split(), offset };
            let Some(offset) = names.type_like(name, names::fits) else { continue };
            if frame.is_none_or(|frame| frame.scope.unit == unit) {
                return Ok(TypeId(id(offset)));
            }
            found = found.or(Some(id(offset)));
        }
        let known = || self.all_names().flat_map(|(_, names)| names.type_names());
        found.map(TypeId).ok_or_else(|| {
            let hint = names::suggestions(name, known());
            let hint = hint.first().map_or_else(String::new, |name| format!("; did you mean `{}`?", Escaped(name)));
            argument(format!("there is no type `{}` in the module's debug information{hint}", Escaped(name)))
        })
    }

    /// A type of one of these names, if the module has any.
    pub(crate) fn type_of_names(&self, frame: Option<&SourceFrame>, names: &[&str]) -> Option<TypeId> {
        names.iter().find_map(|name| self.type_named(frame, name).ok())
    }

    /// So many pointers to a type; without one, to nothing that is known.
    pub(crate) fn pointer_to(&self, ty: Option<TypeId>, depth: u8, address: u64) -> Value {
        pointer(ty.map(|ty| ty.0), depth, address)
    }

    /// A value of a type that a number becomes, as C converts it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a type that is no number.
    pub(crate) fn converted(&self, ty: TypeId, number: Scalar, at: &Context<'_>) -> Result<Value> {
        self.begin();
        let nowhere = Value::new(Some(ty.0), Place::Bytes(Vec::new().into()));
        let (bits, size, _) = self.bits_for(&nowhere, number, false, at)?;
        Ok(Value::new(Some(ty.0), Place::Bytes(bits.to_le_bytes()[..size.min(16) as usize].into())))
    }

    /// The enumerator of a name, of the enumeration that a value is of.
    pub(crate) fn enumerator_of(&self, value: &Value, name: &str, at: &Context<'_>) -> Result<Option<Value>> {
        self.begin();
        let value = self.referent(value.clone(), at)?;
        let Shape::Enum { id, .. } = self.shape_of(&value, at)? else { return Ok(None) };
        self.enumerator(id, name, at)
    }

    /// The enumerator of a name, with or without namespaces, of any enumeration; those of the frame's unit first.
    pub(crate) fn enumerator_named(
        &self,
        frame: Option<&SourceFrame>,
        name: &str,
        at: &Context<'_>,
    ) -> Result<Option<Value>> {
        self.begin();
        let own = frame.map(|frame| frame.scope.unit);
        let around = name.rsplit_once("::").map(|(around, _)| around).filter(|around| !around.is_empty());
        for is_own in [true, false] {
            for (unit, names) in self.all_names().filter(|(unit, _)| (Some(*unit) == own) == is_own) {
                for (qualified, offset) in names.enumerations() {
                    // In C++ and Rust they are in their enumeration, in C around it.
                    if let Some(around) = around {
                        let outside = qualified.as_deref().and_then(|name| name.rsplit_once("::")).map(|name| name.0);
                        let fits = |known: Option<&str>| known.is_some_and(|known| names::fits(known, around));
                        if !fits(qualified.as_deref()) && !fits(outside) {
                            continue;
                        }
                    }
                    let id = EntryId { unit, split: names.is_split(), offset };
                    if let Some(found) = self.enumerator(id, name, at)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
    }

    fn enumerator(&self, id: EntryId, name: &str, at: &Context<'_>) -> Result<Option<Value>> {
        let last = name.rsplit("::").next().unwrap_or(name);
        let mut number = None;
        self.enumerators(id, |known, value| {
            if known == last {
                number = Some(value);
            }
            number.is_none()
        })?;
        number.map(|number| self.converted(TypeId(id), Scalar::Signed(number), at)).transpose()
    }

    /// What is to be written where, so that a value becomes a number: which must be one of its type. What a reference
    /// refers to becomes that. A variable that a local has is written there, with all that the compiler keeps in that
    /// local at this place.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is no number, or one that does not fit; [`ErrorKind::State`] for what is
    /// nowhere; else as for [`scalar`](Self::scalar).
    pub fn assign(&self, value: &Value, number: Scalar, at: &Context<'_>) -> Result<Write> {
        self.write_of(value, number, true, at)
    }

    /// The same, of a number that becomes one of the type as C converts it.
    pub(crate) fn assign_converted(&self, value: &Value, number: Scalar, at: &Context<'_>) -> Result<Write> {
        self.write_of(value, number, false, at)
    }

    fn write_of(&self, value: &Value, number: Scalar, exact: bool, at: &Context<'_>) -> Result<Write> {
        self.begin();
        if matches!(value.place, Place::Bytes(_)) {
            return Err(Error::new(
                ErrorKind::State,
                "the value is computed: there is no place to write another one to",
            ));
        }
        let value = &self.referent(value.clone(), at)?;
        let (bits, size, signed) = self.bits_for(value, number, exact, at)?;
        let Some((first, width)) = value.bits else {
            return self.write_bytes(value, 0, &bits.to_le_bytes()[..size.min(16) as usize], signed, at);
        };
        let (skip, from) = (first % 8, first / 8);
        let inside = Value { offset: value.offset.wrapping_add(from), bits: None, ..value.clone() };
        let mut bytes = self.read(&inside, (skip + width).div_ceil(8), at)?;
        for bit in 0..width {
            let (byte, mask) = (((skip + bit) / 8) as usize, 1u8 << ((skip + bit) % 8));
            let set = bits >> bit & 1 != 0;
            bytes[byte] = if set { bytes[byte] | mask } else { bytes[byte] & !mask };
        }
        self.write_bytes(&inside, 0, &bytes, false, at)
    }

    /// The bits of a number of a value's type, how many bytes that takes, and whether it has a sign. If it is to be
    /// `exact`, what the type does not have is refused.
    fn bits_for(&self, value: &Value, number: Scalar, exact: bool, at: &Context<'_>) -> Result<(u128, u64, bool)> {
        let (encoding, size) = match self.shape_of(value, at)? {
            Shape::Number { encoding: c::DW_ATE_complex_float, .. } => {
                return Err(argument("a complex number is shown, but is no number that could be compared or written"));
            }
            Shape::Number { encoding, size } => (encoding, size),
            Shape::Pointer { size, .. } => (c::DW_ATE_unsigned, size),
            Shape::Enum { size, signed, .. } => (if signed { c::DW_ATE_signed } else { c::DW_ATE_unsigned }, size),
            _ => {
                let name = self.type_name_of(value.ty);
                return Err(argument(format!(
                    "only numbers can be written, and `{}` is none; write its parts",
                    Escaped(&name)
                )));
            }
        };
        let wrong = || argument(format!("{number} is no value of type `{}`", Escaped(&self.type_name(value))));
        let signed = is_signed(encoding);
        let width = value.bits.map_or(size.saturating_mul(8), |(_, width)| width);
        if width == 0 || width > 128 {
            return Err(argument(format!("a number of {width} bits cannot be written")));
        }
        // As a float; as an integer, where it has no more bits than one with a sign; and all bits of one that has.
        let (float, integer, bits) = match number {
            Scalar::Float(number) => (number, Some(number as i128).filter(|_| !exact), number as i128 as u128),
            Scalar::Signed(number) => (number as f64, Some(number), number as u128),
            Scalar::Unsigned(number) => (number as f64, i128::try_from(number).ok(), number),
            Scalar::Bool(yes) => (f64::from(u8::from(yes)), Some(yes.into()), yes.into()),
            Scalar::Char(letter) => (letter.into(), Some(letter.into()), letter.into()),
        };
        let bits = match encoding {
            c::DW_ATE_float => match (size, number) {
                (4, Scalar::Float(number)) => u128::from((number as f32).to_bits()),
                // In one step, as C has it.
                (4, Scalar::Signed(number)) => u128::from((number as f32).to_bits()),
                (4, Scalar::Unsigned(number)) => u128::from((number as f32).to_bits()),
                (4, _) => u128::from((float as f32).to_bits()),
                (8, _) => float.to_bits().into(),
                (16, _) => to_quadruple(float),
                _ => return Err(wrong()),
            },
            c::DW_ATE_boolean if exact => integer.filter(|number| matches!(number, 0 | 1)).ok_or_else(wrong)? as u128,
            c::DW_ATE_boolean => u128::from(float != 0.0),
            _ if !exact => bits,
            _ => {
                let refused = matches!(number, Scalar::Float(_));
                let (least, most) = match signed {
                    true => (i128::MIN >> (128 - width), i128::MAX >> (128 - width)),
                    false => (0, i128::MAX >> (127 - width.min(127))),
                };
                let fits = match integer {
                    Some(integer) => (least..=most).contains(&integer),
                    None => width == 128 && !signed,
                };
                if refused {
                    return Err(wrong());
                }
                if !fits {
                    return Err(argument(format!("{number} is not between {least} and {most}")));
                }
                bits
            }
        };
        Ok((bits & (u128::MAX >> (128 - width)), size, signed))
    }

    /// How many bytes an address has in the unit that a type is of.
    pub(super) fn address_size(&self, ty: Option<EntryId>) -> u64 {
        let size =
            ty.and_then(|id| self.opened(id.unit, id.split).ok()).map(|opened| opened.unit.encoding().address_size);
        size.map_or(4, u64::from)
    }
}

/// So many pointers to a type.
fn pointer(ty: Option<EntryId>, depth: u8, address: u64) -> Value {
    Value { pointer: depth, ..Value::new(ty, Place::Bytes(address.to_le_bytes().into())) }
}
