//! The table of operand stacks: a word a row, for what is on top, in which way it is held, and how far before the row
//! of the rest is. What does not fit is in a second table. Any row is read at once: a stop reads several.

use super::{Place, Shape, ShapeId, Slot};
use crate::base::{ValType, WORD_BYTES};

/// The number of the type on top: the word's lowest bits. Or [`WIDE`].
const TYPE_BITS: u32 = 3;
/// Whether the value on top is a constant.
const CONSTANT_BITS: u32 = 1;
/// How many rows before the one of what is below is; 0 when nothing is.
const BELOW_BITS: u32 = 12;
/// A position in the frame, in words, or a constant; signed.
const VALUE_BITS: u32 = 16;

/// In place of a type, and of those that have this number or a higher one: the rest of the word, but for [`CONSTANT`],
/// is the number of a row of the second table.
const WIDE: u32 = mask(TYPE_BITS);
/// The bit of a row whose value is a constant.
const CONSTANT: u32 = 1 << TYPE_BITS;
/// Where the rest begins.
const REST: u32 = TYPE_BITS + CONSTANT_BITS;

/// The bytes that positions in the frame are counted in.
const WORD: i32 = WORD_BYTES as i32;

const _: () = assert!(TYPE_BITS + CONSTANT_BITS + BELOW_BITS + VALUE_BITS == u32::BITS);
const _: () = assert!(ValType::SLOTS.len() >= WIDE as usize);

const fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}

/// A row that does not fit a word: the type's number, what is below, and the position in bytes or the constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wide {
    ty: u32,
    below: u32,
    value: i32,
}

/// Operand stacks by [`ShapeId`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shapes {
    rows: Vec<u32>,
    wide: Vec<Wide>,
}

impl Shapes {
    /// A table without rows.
    pub const fn new() -> Self {
        Shapes { rows: Vec::new(), wide: Vec::new() }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u32>() + self.wide.capacity() * size_of::<Wide>()
    }

    /// Gives back memory that was kept for further rows.
    pub fn shrink_to_fit(&mut self) {
        self.rows.shrink_to_fit();
        self.wide.shrink_to_fit();
    }

    /// Adds a row; `None` if there are too many to be counted.
    #[must_use]
    pub fn push(&mut self, shape: Shape) -> Option<ShapeId> {
        let id = u32::try_from(self.rows.len()).ok().filter(|id| *id != ShapeId::EMPTY.0)?;
        let below = match shape.below {
            ShapeId::EMPTY => Some(0),
            ShapeId(below) => id.checked_sub(below).filter(|distance| (1..1 << BELOW_BITS).contains(distance)),
        };
        let (way, value, short) = match shape.top.place {
            Place::Frame(at) => (0, at, (at % WORD == 0).then_some(at / WORD)),
            Place::Constant(value) => (CONSTANT, value, Some(value)),
        };
        let half = 1 << (VALUE_BITS - 1);
        let short = short.filter(|value| (-half..half).contains(value));
        let ty = shape.top.ty.number();
        let (ty, rest) = match below.zip(short) {
            Some((below, value)) if ty < WIDE => (ty, below | (value as u32) << BELOW_BITS),
            _ => {
                let index = u32::try_from(self.wide.len()).ok().filter(|index| *index <= u32::MAX >> REST)?;
                self.wide.push(Wide { ty, below: shape.below.0, value });
                (WIDE, index)
            }
        };
        self.rows.push(ty | way | rest << REST);
        Some(ShapeId(id))
    }

    /// The row of this number.
    #[inline]
    pub fn get(&self, id: ShapeId) -> Option<Shape> {
        let row = *self.rows.get(id.0 as usize)?;
        let ty = row & mask(TYPE_BITS);
        let constant = row & CONSTANT != 0;
        let (ty, below, value) = if ty != WIDE {
            let distance = row >> REST & mask(BELOW_BITS);
            let value = row as i32 >> (u32::BITS - VALUE_BITS);
            let below = if distance == 0 { ShapeId::EMPTY } else { ShapeId(id.0.checked_sub(distance)?) };
            (ValType::SLOTS[ty as usize], below, if constant { value } else { value * WORD })
        } else {
            let wide = self.wide.get((row >> REST) as usize)?;
            (ValType::from_number(wide.ty)?, ShapeId(wide.below), wide.value)
        };
        let place = if constant { Place::Constant(value) } else { Place::Frame(value) };
        Some(Shape { below, top: Slot { ty, place } })
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Shape> + '_ {
        (0..self.rows.len() as u32).filter_map(|id| self.get(ShapeId(id)))
    }

    /// As words, for [`Shapes::from_words`].
    pub(super) fn to_words(&self) -> Vec<u32> {
        let wide = self.wide.iter().flat_map(|wide| [wide.ty, wide.below, wide.value as u32]);
        [self.rows.len() as u32].into_iter().chain(self.rows.iter().copied()).chain(wide).collect()
    }

    /// From words, or the number of the row that is wrong.
    pub(super) fn from_words(words: &[u32]) -> Result<Self, u32> {
        let (len, words) = words.split_first().ok_or(0u32)?;
        let (rows, wide) = words.split_at_checked(*len as usize).ok_or(*len)?;
        let (wide, []) = wide.as_chunks::<3>() else { return Err(*len) };
        let wide =
            wide.iter().map(|[ty, below, value]| Wide { ty: *ty, below: *below, value: *value as i32 }).collect();
        let shapes = Shapes { rows: rows.to_vec(), wide };
        match (0..*len).find(|id| shapes.get(ShapeId(*id)).is_none()) {
            Some(id) => Err(id),
            None => Ok(shapes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_was_pushed() {
        let numbers = [0, 1, -1, 7, 8, -8, 32767, 32768, -32768, -32769, 262_136, 262_144, -262_144, -262_152]
            .into_iter()
            .chain([i32::MIN, i32::MIN + 8, i32::MAX, i32::MAX - 7]);
        let places: Vec<Place> = numbers.flat_map(|number| [Place::Frame(number), Place::Constant(number)]).collect();
        let belows = [1, 2, 4095, 4096, 4097, 20_000];
        let mut shapes = Shapes::new();
        let mut pushed = Vec::new();
        for round in 0..25_000u32 {
            let ty = ValType::SLOTS[round as usize % ValType::SLOTS.len()];
            let place = places[round as usize % places.len()];
            let below = match round.checked_sub(belows[round as usize / 7 % belows.len()]) {
                Some(below) if round % 5 != 0 => ShapeId(below),
                _ => ShapeId::EMPTY,
            };
            let shape = Shape { below, top: Slot { ty, place } };
            assert_eq!(shapes.push(shape), Some(ShapeId(round)));
            pushed.push(shape);
        }
        assert_eq!(shapes.len(), pushed.len());
        assert!(shapes.iter().eq(pushed.iter().copied()));
        assert_eq!(shapes.get(ShapeId(25_000)), None);
        assert_eq!(shapes.get(ShapeId::EMPTY), None);
        assert_eq!(Shapes::from_words(&shapes.to_words()).unwrap(), shapes);
    }

    #[test]
    fn usual_rows_are_a_word() {
        let mut shapes = Shapes::new();
        for i in 0..1000 {
            let below = if i % 4 == 0 { ShapeId::EMPTY } else { ShapeId(i - 1) };
            let place = if i % 3 == 0 { Place::Constant(i as i32 * 10) } else { Place::Frame(i as i32 * -8) };
            shapes.push(Shape { below, top: Slot { ty: ValType::I32, place } }).unwrap();
        }
        shapes.shrink_to_fit();
        assert_eq!(shapes.bytes(), 4000);
    }

    #[test]
    fn wrong_words_are_refused() {
        assert!(Shapes::from_words(&[]).is_err());
        assert!(Shapes::from_words(&[1]).is_err());
        assert!(Shapes::from_words(&[u32::MAX, 0]).is_err());
        assert!(Shapes::from_words(&[1, 0, 0]).is_err(), "a third of a row of the second table");
        assert!(Shapes::from_words(&[1, 0, 0, 0]).is_err(), "two thirds");
        assert_eq!(Shapes::from_words(&[1, 1 << REST]), Err(0), "below the first row");
        assert_eq!(Shapes::from_words(&[2, 0, WIDE, 0, 0]), Err(2));
        assert_eq!(Shapes::from_words(&[2, 0, WIDE | 1 << REST, 0, 0, 0]), Err(1), "no such row");
        assert_eq!(Shapes::from_words(&[2, 0, WIDE, u32::MAX, 0, 0]), Err(1), "a type that is none");
        let none = ValType::SLOTS.len() as u32;
        assert_eq!(Shapes::from_words(&[2, 0, WIDE, none, 0, 0]), Err(1), "the first number that no type has");
        assert!(Shapes::from_words(&[2, 0, WIDE, 0, 0, 0]).is_ok());
    }
}
