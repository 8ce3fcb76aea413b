//! How values look: one line for each, as debuggers show them; texts and lists of the languages' own libraries as what
//! they mean. What cannot be read is said in its place; nothing here fails.

use super::frame::{Context, Place};
use super::inspect::Inspector;
use super::types::Shape;
use super::value::{NOT_THERE, Scalar, Value, quadruple};
use crate::base::{Escaped, Result};
use gimli::constants as c;

/// So many letters of a text are shown.
const MAX_TEXT: u64 = 200;
/// So many elements or members are shown in a line.
const MAX_SHOWN: usize = 10;
/// So deep are values inside of values shown in a line.
const MAX_DEPTH: u32 = 3;
/// So many elements a list can have: more is a memory that was overwritten, or not yet written.
const MAX_COUNT: u64 = 1 << 32;

/// Elements that stand one behind the other, in memory or elsewhere.
pub(super) struct Sequence {
    /// The first of them: its place, and the type of all.
    pub(super) first: Value,
    pub(super) count: u64,
    /// Whether it is a text.
    text: bool,
}

impl<'a> Inspector<'a> {
    /// A value in a line. Members, elements and texts are shown as far as there is room; what cannot be read is said.
    pub fn summary(&self, value: &Value, at: &Context<'_>) -> String {
        self.begin();
        self.show(value, at, 0)
    }

    fn show(&self, value: &Value, at: &Context<'_>, depth: u32) -> String {
        if value.is_optimised_out() {
            return "<optimised out>".to_owned();
        }
        match self.try_show(value, at, depth) {
            Ok(text) => text,
            Err(error) if error.message() == NOT_THERE => "<optimised out>".to_owned(),
            Err(error) => format!("<{}>", error.message()),
        }
    }

    fn try_show(&self, value: &Value, at: &Context<'_>, depth: u32) -> Result<String> {
        self.spend(4)?;
        if let Some(sequence) = self.sequence(value, at)? {
            return self.show_sequence(&sequence, at, depth);
        }
        match self.shape_of(value, at)? {
            Shape::Void => Ok("{}".to_owned()),
            Shape::Function => Ok("<code>".to_owned()),
            Shape::Opaque { .. } => Ok(format!("<{}>", self.type_name_of(value.ty))),
            Shape::Number { encoding: c::DW_ATE_complex_float, size } => self.show_complex(value, size / 2, at),
            Shape::Number { encoding, size } => {
                let scalar = self.scalar_of(value, at)?;
                Ok(match scalar {
                    // What C calls a letter has one byte, of which half may be no letters.
                    Scalar::Signed(number) if is_letter(encoding) => format!("{number} {}", byte_letter(number as u8)),
                    Scalar::Unsigned(number) if is_letter(encoding) && self.calls_itself_char(value) => {
                        format!("{number} {}", byte_letter(number as u8))
                    }
                    Scalar::Float(number) if size == 4 => format!("{:?}", number as f32),
                    scalar => scalar.to_string(),
                })
            }
            Shape::Enum { id, .. } => {
                let number = match self.scalar_of(value, at)? {
                    Scalar::Signed(number) => number,
                    Scalar::Unsigned(number) => number as i128,
                    _ => 0,
                };
                let mut named = None;
                // Where none has the number, it may be flags that are set together.
                let (mut flags, mut apart, mut known) = (Vec::new(), true, 0);
                self.enumerators(id, |name, value| {
                    if value == number {
                        named = Some(name.to_owned());
                    }
                    apart &= known & value == 0;
                    known |= value;
                    if value != 0 && number & value == value {
                        flags.push(name.to_owned());
                    }
                    named.is_none()
                })?;
                if named.is_none() && apart && number != 0 && number & known == number {
                    return Ok(flags.join(" | "));
                }
                Ok(named.unwrap_or_else(|| number.to_string()))
            }
            Shape::Pointer { to, reference, .. } => {
                let Scalar::Unsigned(address) = self.scalar_of(value, at)? else { return Ok("?".to_owned()) };
                let pointee = Value::new(to, Place::Memory(address as u64));
                if reference {
                    let seen = if depth < MAX_DEPTH { self.show(&pointee, at, depth + 1) } else { "...".to_owned() };
                    return Ok(format!("@{address:#x}: {seen}"));
                }
                let mut text = format!("{address:#x}");
                if address != 0
                    && to.is_some()
                    && value.pointer < 2
                    && self.is_char(&pointee, at)?
                    && let Some(seen) = self.c_string(address as u64, at)
                {
                    text = format!("{text} {seen}");
                }
                Ok(text)
            }
            Shape::Array { of, counts, .. } => {
                let count = counts.first().copied().flatten().unwrap_or(0);
                let first = value.inside(of, 0);
                if counts.len() == 1 && self.is_char(&first, at)? {
                    let sequence = Sequence { first, count, text: true };
                    let shown = self.text_of(&sequence, at)?;
                    // What C keeps in an array is a text up to the first zero.
                    let whole = shown.iter().position(|byte| *byte == 0);
                    return Ok(quoted(&shown[..whole.unwrap_or(shown.len())], whole.is_none() && count > MAX_TEXT));
                }
                self.show_list(value, count, at, depth)
            }
            Shape::Composite { id, .. } => {
                let fields = self.fields(value, at)?;
                if depth >= MAX_DEPTH && !fields.is_empty() {
                    return Ok("{...}".to_owned());
                }
                // A variant is shown by its name, as it is written.
                let is_variant = fields.len() == 1 && self.members(id, at, None)?.1.is_some();
                if let ([variant], true) = (&fields[..], is_variant) {
                    let inside = self.show(&variant.value, at, depth + 1);
                    let inside = if inside == "{}" { String::new() } else { format!(" {inside}") };
                    return Ok(variant.name.clone() + &inside);
                }
                let mut shown = Vec::new();
                for child in fields.iter().take(MAX_SHOWN) {
                    shown.push(format!("{} = {}", child.name, self.show(&child.value, at, depth + 1)));
                }
                if fields.len() > MAX_SHOWN {
                    shown.push("...".to_owned());
                }
                Ok(format!("{{{}}}", shown.join(", ")))
            }
        }
    }

    /// A complex number, of two parts of so many bytes.
    fn show_complex(&self, value: &Value, size: u64, at: &Context<'_>) -> Result<String> {
        let part = |offset| -> Result<String> {
            let bytes = self.read(&value.inside(value.ty, offset), size, at)?;
            let bits = bytes.iter().take(16).rev().fold(0u128, |all, byte| all << 8 | u128::from(*byte));
            Ok(match size {
                4 => format!("{:?}", f32::from_bits(bits as u32)),
                8 => format!("{:?}", f64::from_bits(bits as u64)),
                _ => format!("{:?}", quadruple(bits)),
            })
        };
        let (real, imaginary) = (part(0)?, part(size)?);
        Ok(match imaginary.strip_prefix('-') {
            Some(imaginary) => format!("{real} - {imaginary}i"),
            None => format!("{real} + {imaginary}i"),
        })
    }

    /// The elements of an array or a list.
    fn show_list(&self, value: &Value, count: u64, at: &Context<'_>, depth: u32) -> Result<String> {
        if depth >= MAX_DEPTH {
            return Ok("[...]".to_owned());
        }
        let mut shown = Vec::new();
        for index in 0..count.min(MAX_SHOWN as u64) {
            shown.push(self.show(&self.element(value, index.into(), at)?, at, depth + 1));
        }
        if count > MAX_SHOWN as u64 {
            shown.push("...".to_owned());
        }
        Ok(format!("[{}]", shown.join(", ")))
    }

    fn show_sequence(&self, sequence: &Sequence, at: &Context<'_>, depth: u32) -> Result<String> {
        if sequence.text {
            return Ok(quoted(&self.text_of(sequence, at)?, sequence.count > MAX_TEXT));
        }
        if depth >= MAX_DEPTH {
            return Ok("[...]".to_owned());
        }
        let size = self.size_of(sequence.first.ty, at)?;
        let mut shown = Vec::new();
        for index in 0..sequence.count.min(MAX_SHOWN as u64) {
            let element = sequence.first.inside(sequence.first.ty, size.saturating_mul(index));
            shown.push(self.show(&element, at, depth + 1));
        }
        if sequence.count > MAX_SHOWN as u64 {
            shown.push("...".to_owned());
        }
        Ok(format!("[{}]", shown.join(", ")))
    }

    /// The bytes of a text, as many as are shown.
    fn text_of(&self, sequence: &Sequence, at: &Context<'_>) -> Result<Vec<u8>> {
        if sequence.count == 0 {
            return Ok(Vec::new());
        }
        self.read(&sequence.first, sequence.count.min(MAX_TEXT), at)
    }

    /// Whether a value is a letter of a text.
    fn is_char(&self, value: &Value, at: &Context<'_>) -> Result<bool> {
        let shape = self.shape_of(value, at)?;
        Ok(matches!(shape, Shape::Number { encoding, size: 1 } if is_letter(encoding)) && self.calls_itself_char(value))
    }

    /// Rust's and Zig's `u8` have the encoding of letters, too.
    fn calls_itself_char(&self, value: &Value) -> bool {
        let bare = self.bare(value.ty).ok().flatten();
        bare.and_then(|id| self.name(id).ok()?).is_some_and(|name| name.contains("char"))
    }

    /// A text of C's in memory.
    fn c_string(&self, address: u64, at: &Context<'_>) -> Option<String> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < MAX_TEXT {
            let place = Place::Memory(address.checked_add(bytes.len() as u64)?);
            let next = self.read_place(&place, 0, 1, at).ok().flatten();
            match next.as_deref() {
                Some([0]) => return Some(quoted(&bytes, false)),
                Some([byte]) => bytes.push(*byte),
                // A text that runs out of the memory is none.
                _ => return None,
            }
        }
        Some(quoted(&bytes, true))
    }

    /// The elements of a slice, a list or a text of a language's own library, by what their members are called.
    pub(super) fn sequence(&self, value: &Value, at: &Context<'_>) -> Result<Option<Sequence>> {
        let Shape::Composite { id, union: false } = self.shape_of(value, at)? else { return Ok(None) };
        let Some(name) = self.name(id)? else { return Ok(None) };
        let member = |name| self.member_named(value, name, at);
        let rust_slice =
            name.starts_with(['&', '*']) || name.starts_with("Box<") || name.starts_with("alloc::boxed::Box<");
        let (first, count, text) = if rust_slice {
            let (Some(data), Some(length)) = (member("data_ptr")?, member("length")?) else { return Ok(None) };
            (self.pointee(&data, at)?, self.count(&length, at)?, name.contains("str"))
        } else if name.starts_with("[]") || name.starts_with("[:") {
            let (Some(data), Some(length)) = (member("ptr")?, member("len")?) else { return Ok(None) };
            let text = name.ends_with("u8") && name.contains("const");
            (self.pointee(&data, at)?, self.count(&length, at)?, text)
        } else if name == "String" {
            let Some(inner) = member("vec")? else { return Ok(None) };
            let of = self.bare(inner.ty)?.map(|id| self.name(id)).transpose()?.flatten();
            // What is damaged may have itself in there.
            if !of.is_some_and(|name| name.starts_with("Vec<")) {
                return Ok(None);
            }
            return Ok(self.sequence(&inner, at)?.map(|bytes| Sequence { text: true, ..bytes }));
        } else if name.starts_with("Vec<") {
            let (Some(buffer), Some(length)) = (member("buf")?, member("len")?) else { return Ok(None) };
            let Some(data) = self.first_pointer(&buffer, at, 0)? else { return Ok(None) };
            let of = self.template_type(id)?;
            (Value { ty: of.or(data.ty), ..data }, self.count(&length, at)?, false)
        } else if name.starts_with("vector<") {
            let (Some(begin), Some(end)) = (member("__begin_")?, member("__end_")?) else { return Ok(None) };
            let first = self.pointee(&begin, at)?;
            let size = self.size_of(first.ty, at)?.max(1);
            let (from, to) = (self.count(&begin, at)?, self.count(&end, at)?);
            (first, to.saturating_sub(from) / size, false)
        } else {
            return Ok(None);
        };
        Ok((count <= MAX_COUNT).then_some(Sequence { first, count, text }))
    }

    fn count(&self, value: &Value, at: &Context<'_>) -> Result<u64> {
        Ok(match self.scalar_of(value, at)? {
            Scalar::Unsigned(count) => count as u64,
            Scalar::Signed(count) => u64::try_from(count).unwrap_or(u64::MAX),
            _ => u64::MAX,
        })
    }

    /// What the first pointer in a value points to.
    fn first_pointer(&self, value: &Value, at: &Context<'_>, depth: u32) -> Result<Option<Value>> {
        match self.shape_of(value, at)? {
            Shape::Pointer { .. } => self.pointee(value, at).map(Some),
            Shape::Composite { .. } if depth < 8 => {
                for child in self.fields(value, at)?.into_iter().take(8) {
                    if let Some(found) = self.first_pointer(&child.value, at, depth + 1)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// The first type that a generic type was made with.
    fn template_type(&self, id: super::inspect::EntryId) -> Result<Option<super::inspect::EntryId>> {
        let mut found = None;
        self.visit(id, |opened, _, entry| {
            if found.is_none() && entry.tag() == c::DW_TAG_template_type_parameter {
                found = self.type_of(opened.id(entry.offset()))?;
            }
            Ok(super::inspect::Then::Over)
        })?;
        Ok(found)
    }
}

fn is_letter(encoding: gimli::DwAte) -> bool {
    matches!(encoding, c::DW_ATE_signed_char | c::DW_ATE_unsigned_char)
}

/// A byte of a text in quotes. One that is no letter by itself is shown by its number.
fn byte_letter(byte: u8) -> String {
    if (b' '..0x7f).contains(&byte) { letter(byte.into()) } else { format!("'\\{byte:03o}'") }
}

/// A letter in quotes.
fn letter(number: u32) -> String {
    match char::from_u32(number) {
        Some('\'') => "'\\''".to_owned(),
        Some(letter) => format!("'{}'", Escaped(letter.encode_utf8(&mut [0; 4]))),
        None => format!("'\\u{{{number:x}}}'"),
    }
}

/// A text in quotes, with dots where there is more of it.
fn quoted(bytes: &[u8], more: bool) -> String {
    let mut text = String::new();
    for letter in String::from_utf8_lossy(bytes).chars() {
        match letter {
            '\n' => text.push_str(r"\n"),
            '\\' | '\u{22}' => text.extend(['\\', letter]),
            letter => text.push(letter),
        }
    }
    format!("\"{}\"{}", Escaped(&text), if more { "..." } else { "" })
}

/// As the source writes it.
impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Signed(number) => write!(f, "{number}"),
            Scalar::Unsigned(number) => write!(f, "{number}"),
            Scalar::Float(number) => write!(f, "{number:?}"),
            Scalar::Bool(yes) => write!(f, "{yes}"),
            Scalar::Char(number) => f.write_str(&letter(*number)),
        }
    }
}
