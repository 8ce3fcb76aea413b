//! Where values stand that are kept one behind the other in slots: the locals of a frame, its operands, and both in the
//! buffers that rerun and resume code take their state from. There is one rule, and this file has it.
//!
//! Positions are counted in words of 8 bytes. A narrow value takes one word, whatever its width; a wide one takes two.
//! Wide ones are not aligned beyond their words: so the place of a value follows from how many words go before it and
//! from nothing else, it is the same in a frame as in a buffer, and state can be copied a word at a time. Compiled code
//! moves them by instructions that need no alignment, which cost the same.
//!
//! Say a function has the locals `i32 v128 f64`: they are at words 0, 1 and 3, and all take 4.

use super::value::ValType;

/// The types of values that stand one behind the other, and so where each is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotLayout {
    types: Vec<ValType>,
    /// Which of them take two words, in ascending order: mostly none, and then a value's word is its index.
    wide: Vec<u32>,
}

impl SlotLayout {
    /// Of no values.
    pub const fn new() -> SlotLayout {
        SlotLayout { types: Vec::new(), wide: Vec::new() }
    }

    /// Adds a value at the end.
    ///
    /// # Panics
    /// With more values than 32 bits count.
    pub fn push(&mut self, ty: ValType) {
        if ty.words() > 1 {
            self.wide.push(u32::try_from(self.types.len()).expect("fewer values than 32 bits count"));
        }
        self.types.push(ty);
    }

    /// The types of all values, if each takes one word: mostly so, and then a value's word is its number.
    #[inline(always)]
    pub fn narrow(&self) -> Option<&[ValType]> {
        self.wide.is_empty().then_some(&self.types)
    }

    /// All values.
    #[inline]
    pub fn all(&self) -> SlotRange<'_> {
        SlotRange { types: &self.types, wide: &self.wide, first: 0 }
    }

    /// The values from the `start`-th to before the `end`-th, as if they stood by themselves.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub fn range(&self, start: u32, end: u32) -> SlotRange<'_> {
        let types = &self.types[start as usize..end as usize];
        let wide = match self.wide.is_empty() {
            true => &self.wide[..],
            false => {
                let below = |bound: u32| self.wide.partition_point(|index| *index < bound);
                &self.wide[below(start)..below(end)]
            }
        };
        SlotRange { types, wide, first: start }
    }

    /// How many values there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The words that all values take.
    #[inline]
    pub fn words(&self) -> u32 {
        self.all().words()
    }

    /// The bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        self.types.capacity() * size_of::<ValType>() + self.wide.capacity() * size_of::<u32>()
    }

    /// Gives back memory that was kept for further values.
    pub fn shrink_to_fit(&mut self) {
        self.types.shrink_to_fit();
        self.wide.shrink_to_fit();
    }
}

impl Extend<ValType> for SlotLayout {
    fn extend<T: IntoIterator<Item = ValType>>(&mut self, types: T) {
        types.into_iter().for_each(|ty| self.push(ty));
    }
}

impl FromIterator<ValType> for SlotLayout {
    fn from_iter<T: IntoIterator<Item = ValType>>(types: T) -> SlotLayout {
        let mut layout = SlotLayout::new();
        layout.extend(types);
        layout
    }
}

/// Some of the values of a [`SlotLayout`], with the first one at word 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotRange<'a> {
    types: &'a [ValType],
    /// Numbers in the whole layout.
    wide: &'a [u32],
    /// The number of the first value in the whole layout.
    first: u32,
}

impl<'a> SlotRange<'a> {
    /// The types.
    #[inline]
    pub fn types(self) -> &'a [ValType] {
        self.types
    }

    /// How many values there are.
    #[inline]
    pub fn len(self) -> usize {
        self.types.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.types.is_empty()
    }

    /// The words that all of them take.
    #[inline]
    pub fn words(self) -> u32 {
        (self.types.len() + self.wide.len()) as u32
    }

    /// A value's type and word.
    #[inline]
    pub fn get(self, index: usize) -> Option<(ValType, u32)> {
        let ty = *self.types.get(index)?;
        let wide = match self.wide.is_empty() {
            true => 0,
            false => self.wide.partition_point(|wide| ((*wide - self.first) as usize) < index),
        };
        Some((ty, (index + wide) as u32))
    }

    /// All of them, in order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = (ValType, u32)> + 'a {
        let mut next = 0;
        self.types.iter().map(move |ty| {
            let word = next;
            next += ty.words();
            (*ty, word)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists of types, mostly narrow, only wide, and mixed.
    fn lists() -> Vec<Vec<ValType>> {
        let mut seed = 5_u64;
        let mut below = |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % bound
        };
        let list = |_| {
            let (len, wide) = (below(40), below(4));
            let ty = |_| match below(3) < wide {
                true => ValType::V128,
                false => ValType::SLOTS[below(ValType::SLOTS.len())],
            };
            (0..len).map(ty).collect()
        };
        (0..500).map(list).collect()
    }

    /// Asserts that these values are `types`, one behind the other without overlapping, whichever way they are asked
    /// for.
    fn check(row: SlotRange<'_>, types: &[ValType]) {
        assert_eq!((row.types(), row.len(), row.is_empty()), (types, types.len(), types.is_empty()));
        let mut free = 0;
        for (index, (ty, word)) in row.iter().enumerate() {
            assert_eq!((ty, word), (types[index], free), "{types:?}");
            assert_eq!(row.get(index), Some((ty, word)), "{types:?}");
            free = word + if ty == ValType::V128 { 2 } else { 1 };
        }
        assert_eq!(row.words(), free, "{types:?}");
        assert_eq!(row.get(types.len()), None);
    }

    #[test]
    fn places_do_not_overlap() {
        for types in lists() {
            let layout: SlotLayout = types.iter().copied().collect();
            assert_eq!((layout.len(), layout.is_empty()), (types.len(), types.is_empty()));
            check(layout.all(), &types);
        }
    }

    #[test]
    fn a_part_stands_by_itself() {
        for types in lists() {
            let layout: SlotLayout = types.iter().copied().collect();
            for start in 0..=types.len() {
                for end in start..=types.len() {
                    check(layout.range(start as u32, end as u32), &types[start..end]);
                }
            }
        }
    }

    #[test]
    fn narrow_values_are_a_word_each() {
        let types = ValType::SLOTS.into_iter().filter(|ty| ty.width() <= 8);
        let layout: SlotLayout = types.cycle().take(1000).collect();
        assert!(layout.all().iter().enumerate().all(|(index, (_, word))| index == word as usize));
        assert_eq!(layout.words(), 1000);
    }
}
