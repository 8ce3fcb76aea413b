//! A table of rows that are mostly near the ones before them, kept as the differences: one to three bytes a row instead
//! of eight or twelve. Every [`BLOCK`] rows a head says where to begin, so that a look-up is a binary search over the
//! heads and the reading of one block. Any row can be written; what a table must be (sorted, in range) is for
//! `validate` to check.

use super::{AddressEntry, Call, Handler, Point, PointId, Safepoint, ShapeId, Site, SiteId, Trap};
use crate::abi::TrapCode;
use crate::base::{TagIndex, TextOffset, WasmOffset};
use std::fmt;
use std::marker::PhantomData;

/// Rows of a block, a power of two: more take less memory, fewer less time.
pub const BLOCK: u32 = 32;

/// What the next row is told from: the words of the last one, its key first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    key: u32,
    other: u32,
    /// Kept while rows have none.
    last: u32,
    none: bool,
    /// Whether `other` is of a row before: this one has none.
    no_other: bool,
    /// Whether it is a place on a side of a branch. Then `last` is of a row before, and so is `none`.
    side: bool,
}

/// A row of a [`Packed`] table.
pub trait PackedRow: Copy + fmt::Debug {
    /// What the table is sorted by.
    fn key(&self) -> u32;
    /// What stands for the row before the first one of a block, which is row `id`. The key does not matter.
    fn start(id: u32) -> Words;
    /// Writes the row that follows `words`, and makes them the row's.
    fn write(&self, words: &mut Words, bytes: &mut Vec<u8>);
    /// Reads the words of the row that follows `words`.
    fn read(words: &mut Words, reader: &mut Reader<'_>) -> Option<()>;
    /// The row with these words; `None` when they say something that does not exist.
    fn from_words(words: &Words) -> Option<Self>;
}

/// Reads numbers of seven bits a byte, the lowest first.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// From the first of these bytes on.
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// Whether all bytes are read.
    pub(super) fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// A number of at most 35 bits.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Option<u64> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        if byte < 0x80 {
            return Some(u64::from(byte));
        }
        // By value, so that the reader can stay in registers.
        let (number, at) = long_number(self.bytes, self.at, byte)?;
        self.at = at;
        Some(number)
    }
}

#[cold]
fn long_number(bytes: &[u8], mut at: usize, first: u8) -> Option<(u64, usize)> {
    let mut number = u64::from(first & 0x7f);
    for shift in [7, 14, 21, 28] {
        let byte = *bytes.get(at)?;
        at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((number, at));
        }
    }
    None
}

/// Writes a number as a [`Reader`] reads it.
pub(super) fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// How far it is from `from` to `to` in either direction, small where that is near.
fn distance(from: u32, to: u32) -> u64 {
    let signed = to.wrapping_sub(from) as i32;
    u64::from(((signed << 1) ^ (signed >> 31)) as u32)
}

/// The other end of a [`distance`].
fn at_distance(from: u32, distance: u64) -> u32 {
    let distance = distance as u32;
    from.wrapping_add((distance >> 1) ^ (distance & 1).wrapping_neg())
}

/// Writes 0 for none, or how far a number is from the last one that there was.
fn write_option(number: Option<u32>, words: &mut Words, bytes: &mut Vec<u8>) {
    write_number(bytes, number.map_or(0, |number| 1 + distance(words.last, number)));
    words.none = number.is_none();
    words.last = number.unwrap_or(words.last);
}

#[inline(always)]
fn read_option(words: &mut Words, reader: &mut Reader<'_>) -> Option<()> {
    let number = reader.number()?;
    words.none = number == 0;
    if number != 0 {
        words.last = at_distance(words.last, number - 1);
    }
    Some(())
}

impl Words {
    const fn before(other: u32) -> Words {
        Words { key: 0, other, last: 0, none: false, no_other: false, side: false }
    }
}

impl PackedRow for Site {
    fn key(&self) -> u32 {
        self.after.get()
    }
    fn start(id: u32) -> Words {
        // Where every point has a site, they mostly have the same number.
        Words::before(id.wrapping_sub(1))
    }
    fn write(&self, words: &mut Words, bytes: &mut Vec<u8>) {
        // Two bits for the point: how many are passed over since the last one, or that it is further away.
        let next = words.other.wrapping_add(1);
        let passed = self.point.0.wrapping_sub(next).min(3);
        write_number(bytes, u64::from(self.after.get().wrapping_sub(words.key)) << 2 | u64::from(passed));
        if passed == 3 {
            write_number(bytes, distance(next, self.point.0));
        }
        (words.key, words.other) = (self.after.get(), self.point.0);
    }
    #[inline(always)]
    fn read(words: &mut Words, reader: &mut Reader<'_>) -> Option<()> {
        let number = reader.number()?;
        words.key = words.key.wrapping_add((number >> 2) as u32);
        let next = words.other.wrapping_add(1);
        words.other = match number as u32 & 3 {
            3 => at_distance(next, reader.number()?),
            passed => next.wrapping_add(passed),
        };
        Some(())
    }
    fn from_words(words: &Words) -> Option<Self> {
        Some(Site { after: TextOffset::new(words.key), point: PointId(words.other) })
    }
}

impl PackedRow for Point {
    fn key(&self) -> u32 {
        self.wasm.get()
    }
    fn start(id: u32) -> Words {
        Words::before(id.wrapping_sub(1))
    }
    fn write(&self, words: &mut Words, bytes: &mut Vec<u8>) {
        // Two bits for the site: the one after the last that there was, another, none, or one on a side, which has no
        // shape.
        let expected = words.other.wrapping_add(1);
        words.side = self.is_on_side() && self.site.is_some();
        let way = match self.site {
            None => 2,
            Some(_) if words.side => 3,
            Some(site) => u64::from(site.0 != expected),
        };
        write_number(bytes, u64::from(self.wasm.get().wrapping_sub(words.key)) << 2 | way);
        words.key = self.wasm.get();
        words.no_other = self.site.is_none();
        if let Some(site) = self.site {
            if way % 2 == 1 {
                write_number(bytes, distance(expected, site.0));
            }
            words.other = site.0;
        }
        if words.side {
            return;
        }
        write_option((self.shape != ShapeId::EMPTY).then_some(self.shape.0), words, bytes);
    }
    #[inline(always)]
    fn read(words: &mut Words, reader: &mut Reader<'_>) -> Option<()> {
        let number = reader.number()?;
        words.key = words.key.wrapping_add((number >> 2) as u32);
        let way = number & 3;
        (words.no_other, words.side) = (way == 2, way == 3);
        if !words.no_other {
            words.other = words.other.wrapping_add(1);
            if way != 0 {
                words.other = at_distance(words.other, reader.number()?);
            }
        }
        if words.side { Some(()) } else { read_option(words, reader) }
    }
    fn from_words(words: &Words) -> Option<Self> {
        let shape = match words {
            Words { side: true, .. } => ShapeId::SIDE,
            Words { none: true, .. } => ShapeId::EMPTY,
            _ => ShapeId(words.last),
        };
        let site = (!words.no_other).then_some(SiteId(words.other));
        Some(Point { wasm: WasmOffset::new(words.key), site, shape })
    }
}

impl PackedRow for AddressEntry {
    fn key(&self) -> u32 {
        self.text.get()
    }
    fn start(_: u32) -> Words {
        Words::before(0)
    }
    fn write(&self, words: &mut Words, bytes: &mut Vec<u8>) {
        write_number(bytes, u64::from(self.text.get().wrapping_sub(words.key)));
        words.key = self.text.get();
        write_option(self.wasm.map(WasmOffset::get), words, bytes);
    }
    #[inline(always)]
    fn read(words: &mut Words, reader: &mut Reader<'_>) -> Option<()> {
        words.key = words.key.wrapping_add(reader.number()? as u32);
        read_option(words, reader)
    }
    fn from_words(words: &Words) -> Option<Self> {
        let wasm = (!words.none).then(|| WasmOffset::new(words.last));
        Some(AddressEntry { text: TextOffset::new(words.key), wasm })
    }
}

impl PackedRow for Call {
    fn key(&self) -> u32 {
        self.last.get()
    }
    fn start(_: u32) -> Words {
        Words::before(0)
    }
    fn write(&self, words: &mut Words, bytes: &mut Vec<u8>) {
        write_number(bytes, u64::from(self.last.get().wrapping_sub(words.key)));
        write_number(bytes, distance(words.other, self.wasm.get()));
        (words.key, words.other) = (self.last.get(), self.wasm.get());
    }
    #[inline(always)]
    fn read(words: &mut Words, reader: &mut Reader<'_>) -> Option<()> {
        words.key = words.key.wrapping_add(reader.number()? as u32);
        words.other = at_distance(words.other, reader.number()?);
        Some(())
    }
    fn from_words(words: &Words) -> Option<Self> {
        Some(Call { last: TextOffset::new(words.key), wasm: WasmOffset::new(words.other) })
    }
}

impl PackedRow for Handler {
    fn key(&self) -> u32 {
        self.after.get()
    }
    fn start(_: u32) -> Words {
        Words::before(0)
    }
    fn write(&self, words: &mut Words, bytes: &mut Vec<u8>) {
        write_number(bytes, u64::from(self.after.get().wrapping_sub(words.key)));
        write_number(bytes, distance(words.other, self.landing.get()));
        (words.key, words.other) = (self.after.get(), self.landing.get());
        write_option(self.tag.map(TagIndex::get), words, bytes);
    }
    #[inline(always)]
    fn read(words: &mut Words, reader: &mut Reader<'_>) -> Option<()> {
        words.key = words.key.wrapping_add(reader.number()? as u32);
        words.other = at_distance(words.other, reader.number()?);
        read_option(words, reader)
    }
    fn from_words(words: &Words) -> Option<Self> {
        let tag = (!words.none).then(|| TagIndex::new(words.last));
        Some(Handler { after: TextOffset::new(words.key), tag, landing: TextOffset::new(words.other) })
    }
}

impl PackedRow for Safepoint {
    fn key(&self) -> u32 {
        self.after.get()
    }
    fn start(_: u32) -> Words {
        Words::before(0)
    }
    fn write(&self, words: &mut Words, bytes: &mut Vec<u8>) {
        // Mostly there are no external ones.
        let distance = u64::from(self.after.get().wrapping_sub(words.key));
        write_number(bytes, distance << 1 | u64::from(self.external != 0));
        write_number(bytes, u64::from(self.any));
        if self.external != 0 {
            write_number(bytes, u64::from(self.external));
        }
        (words.key, words.other, words.last) = (self.after.get(), self.any, self.external);
    }
    #[inline(always)]
    fn read(words: &mut Words, reader: &mut Reader<'_>) -> Option<()> {
        let number = reader.number()?;
        words.key = words.key.wrapping_add((number >> 1) as u32);
        words.other = u32::try_from(reader.number()?).ok()?;
        words.last = if number & 1 == 0 { 0 } else { u32::try_from(reader.number()?).ok()? };
        Some(())
    }
    fn from_words(words: &Words) -> Option<Self> {
        Some(Safepoint { after: TextOffset::new(words.key), any: words.other, external: words.last })
    }
}

impl PackedRow for Trap {
    fn key(&self) -> u32 {
        self.at.get()
    }
    fn start(_: u32) -> Words {
        Words::before(0)
    }
    fn write(&self, words: &mut Words, bytes: &mut Vec<u8>) {
        let (key, code) = (self.at.get(), u32::from(self.code as u8));
        let differs = u64::from(code != words.other);
        let ways = differs | u64::from(self.wasm.is_some()) << 1;
        write_number(bytes, u64::from(key.wrapping_sub(words.key)) << 2 | ways);
        if code != words.other {
            write_number(bytes, u64::from(code));
        }
        (words.key, words.other, words.none) = (key, code, self.wasm.is_none());
        if let Some(wasm) = self.wasm {
            write_number(bytes, distance(words.last, wasm.get()));
            words.last = wasm.get();
        }
    }
    #[inline(always)]
    fn read(words: &mut Words, reader: &mut Reader<'_>) -> Option<()> {
        let number = reader.number()?;
        words.key = words.key.wrapping_add((number >> 2) as u32);
        if number & 1 != 0 {
            words.other = u32::try_from(reader.number()?).ok()?;
        }
        words.none = number & 2 == 0;
        if !words.none {
            words.last = at_distance(words.last, reader.number()?);
        }
        Some(())
    }
    fn from_words(words: &Words) -> Option<Self> {
        let code = TrapCode::from_u8(u8::try_from(words.other).ok()?)?;
        let wasm = (!words.none).then(|| WasmOffset::new(words.last));
        Some(Trap { at: TextOffset::new(words.key), code, wasm })
    }
}

/// Where a block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    /// The key of its first row.
    key: u32,
    /// Where its bytes are.
    at: u32,
}

/// A table of rows, packed.
#[derive(Clone)]
pub struct Packed<R> {
    heads: Vec<Head>,
    bytes: Vec<u8>,
    len: u32,
    /// The last row's words.
    end: Words,
    rows: PhantomData<R>,
}

/// A row and where it is: from here the following rows are read without a search.
pub struct Cursor<R> {
    id: u32,
    /// Behind the row's bytes.
    at: u32,
    words: Words,
    rows: PhantomData<R>,
}

impl<R> Clone for Cursor<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Cursor<R> {}

impl<R: PackedRow> Cursor<R> {
    /// The number of the row.
    #[inline]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The row's key.
    #[inline]
    pub fn key(&self) -> u32 {
        self.words.key
    }

    /// The row.
    #[inline]
    pub fn row(&self) -> R {
        R::from_words(&self.words).expect("rows are checked when they are read from outside")
    }
}

impl<R: PackedRow> Packed<R> {
    /// A table without rows.
    pub const fn new() -> Self {
        Packed { heads: Vec::new(), bytes: Vec::new(), len: 0, end: Words::before(0), rows: PhantomData }
    }

    /// How many rows there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.heads.capacity() * size_of::<Head>() + self.bytes.capacity()
    }

    /// Gives back memory that was kept for further rows.
    pub fn shrink_to_fit(&mut self) {
        self.heads.shrink_to_fit();
        self.bytes.shrink_to_fit();
    }

    /// Adds a row at the end.
    ///
    /// # Panics
    /// With more rows or bytes than 32 bits count: texts and modules are smaller.
    pub fn push(&mut self, row: R) {
        self.begin_row(row.key(), self.bytes.len());
        row.write(&mut self.end, &mut self.bytes);
        self.len = self.len.checked_add(1).expect("fewer rows than 32 bits count");
    }

    /// Makes the head and the words that the next row needs when it begins a block.
    fn begin_row(&mut self, key: u32, at: usize) {
        if self.len.is_multiple_of(BLOCK) {
            let at = u32::try_from(at).expect("a table is smaller than 4 GiB");
            self.heads.push(Head { key, at });
            // The key goes on, so that the bytes say all without the heads.
            self.end = Words { key: self.end.key, ..R::start(self.len) };
        }
    }

    /// All rows as bytes, for [`Packed::from_stream`].
    pub(super) fn stream(&self) -> &[u8] {
        &self.bytes
    }

    /// The table of `len` rows that these bytes say, or the number of the row that is wrong.
    pub(super) fn from_stream(len: u32, bytes: &[u8]) -> Result<Self, u32> {
        let mut table = Self::new();
        let mut reader = Reader::new(bytes);
        while table.len < len {
            let (id, at) = (table.len, reader.at);
            // The key of a head is known when the row has been read.
            u32::try_from(at).map_err(|_| id)?;
            table.begin_row(0, at);
            R::read(&mut table.end, &mut reader).ok_or(id)?;
            R::from_words(&table.end).ok_or(id)?;
            if id.is_multiple_of(BLOCK) {
                table.heads[(id / BLOCK) as usize].key = table.end.key;
            }
            table.len += 1;
        }
        if !reader.is_done() {
            return Err(len);
        }
        table.heads.shrink_to_fit();
        table.bytes = bytes.to_vec();
        Ok(table)
    }

    /// The row that begins a block.
    #[inline(always)]
    fn block(&self, block: usize) -> Cursor<R> {
        let head = self.heads[block];
        let id = block as u32 * BLOCK;
        let mut cursor = Cursor { id, at: head.at, words: R::start(id), rows: PhantomData };
        self.read_at(&mut cursor);
        cursor.words.key = head.key;
        cursor
    }

    #[inline(always)]
    fn read_at(&self, cursor: &mut Cursor<R>) {
        let mut reader = Reader { bytes: &self.bytes, at: cursor.at as usize };
        R::read(&mut cursor.words, &mut reader).expect("a table has all bytes of its rows");
        cursor.at = reader.at as u32;
    }

    /// Goes to the next row; `false`, and nowhere, if there is none.
    #[inline(always)]
    pub fn advance(&self, cursor: &mut Cursor<R>) -> bool {
        let id = cursor.id.saturating_add(1);
        if id >= self.len {
            return false;
        }
        if id.is_multiple_of(BLOCK) {
            *cursor = self.block((id / BLOCK) as usize);
        } else {
            cursor.id = id;
            self.read_at(cursor);
        }
        true
    }

    /// The row of this number.
    pub fn cursor(&self, id: u32) -> Option<Cursor<R>> {
        (id < self.len).then(|| self.forward(self.block((id / BLOCK) as usize), id))
    }

    /// Goes to the row of this number, quickly if that is shortly behind; `false`, and nowhere, if there is none.
    #[inline]
    pub fn go_to(&self, cursor: &mut Cursor<R>, id: u32) -> bool {
        if id == cursor.id.wrapping_add(1) {
            return self.advance(cursor);
        }
        if id >= self.len {
            return false;
        }
        if id < cursor.id || id / BLOCK != cursor.id / BLOCK {
            *cursor = self.block((id / BLOCK) as usize);
        }
        *cursor = self.forward(*cursor, id);
        true
    }

    /// Goes to a row of the same block.
    #[inline(always)]
    fn forward(&self, mut cursor: Cursor<R>, id: u32) -> Cursor<R> {
        while cursor.id < id {
            cursor.id += 1;
            self.read_at(&mut cursor);
        }
        cursor
    }

    /// The row of this number.
    pub fn get(&self, id: u32) -> Option<R> {
        Some(self.cursor(id)?.row())
    }

    /// The first row with exactly this key. The table must be sorted.
    pub fn find(&self, key: u32) -> Option<Cursor<R>> {
        self.first_from(key).filter(|cursor| cursor.key() == key)
    }

    /// The first row with this key or a higher one. The table must be sorted.
    pub fn first_from(&self, key: u32) -> Option<Cursor<R>> {
        // The last block that begins before the key; if it has no such row, the next one begins with it.
        let block = self.heads.partition_point(|head| head.key < key).saturating_sub(1);
        let mut cursor = self.block_or_none(block)?;
        let end = self.block_end(block);
        while cursor.key() < key {
            if cursor.id + 1 == end {
                return self.block_or_none(block + 1);
            }
            cursor.id += 1;
            self.read_at(&mut cursor);
        }
        Some(cursor)
    }

    /// The last row with this key or a lower one. The table must be sorted.
    pub fn last_to(&self, key: u32) -> Option<Cursor<R>> {
        let block = self.heads.partition_point(|head| head.key <= key).checked_sub(1)?;
        let mut found = self.block_or_none(block)?;
        let end = self.block_end(block);
        while found.id + 1 < end {
            let mut next = found;
            next.id += 1;
            self.read_at(&mut next);
            if next.key() > key {
                break;
            }
            found = next;
        }
        Some(found)
    }

    /// The row behind a block.
    fn block_end(&self, block: usize) -> u32 {
        (block as u32 + 1).saturating_mul(BLOCK).min(self.len)
    }

    fn block_or_none(&self, block: usize) -> Option<Cursor<R>> {
        (block < self.heads.len()).then(|| self.block(block))
    }

    /// All rows in order.
    pub fn iter(&self) -> Rows<'_, R> {
        self.range(0, self.len)
    }

    /// The rows from `start` to before `end`, as far as there are any.
    pub fn range(&self, start: u32, end: u32) -> Rows<'_, R> {
        let end = end.min(self.len);
        Rows { table: self, next: self.cursor(start).filter(|_| start < end), end }
    }
}

impl<R: PackedRow> Default for Packed<R> {
    fn default() -> Self {
        Self::new()
    }
}

/// The same rows are the same bytes.
impl<R> PartialEq for Packed<R> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.bytes == other.bytes
    }
}
impl<R> Eq for Packed<R> {}

impl<R: PackedRow> fmt::Debug for Packed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<R: PackedRow> Extend<R> for Packed<R> {
    fn extend<T: IntoIterator<Item = R>>(&mut self, rows: T) {
        rows.into_iter().for_each(|row| self.push(row));
    }
}

impl<R: PackedRow> FromIterator<R> for Packed<R> {
    fn from_iter<T: IntoIterator<Item = R>>(rows: T) -> Self {
        let mut table = Self::new();
        table.extend(rows);
        table.shrink_to_fit();
        table
    }
}

impl<'a, R: PackedRow> IntoIterator for &'a Packed<R> {
    type Item = R;
    type IntoIter = Rows<'a, R>;
    fn into_iter(self) -> Rows<'a, R> {
        self.iter()
    }
}

/// Goes through rows of a table.
#[derive(Clone)]
pub struct Rows<'a, R> {
    table: &'a Packed<R>,
    next: Option<Cursor<R>>,
    end: u32,
}

impl<R: PackedRow> Iterator for Rows<'_, R> {
    type Item = R;
    #[inline]
    fn next(&mut self) -> Option<R> {
        let cursor = self.next.as_mut()?;
        let row = cursor.row();
        if cursor.id + 1 >= self.end || !self.table.advance(cursor) {
            self.next = None;
        }
        Some(row)
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.next.map_or(0, |cursor| (self.end - cursor.id) as usize);
        (left, Some(left))
    }
}

impl<R: PackedRow> ExactSizeIterator for Rows<'_, R> {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u32) -> u32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 33) % u64::from(bound)) as u32
        }
        /// Mostly small, sometimes at either end of what there is.
        fn number(&mut self) -> u32 {
            match self.below(8) {
                0 => u32::MAX - self.below(3),
                1 => self.below(3),
                2 => self.below(u32::MAX),
                3 => (1 << self.below(31)) + self.below(2),
                _ => self.below(200),
            }
        }
    }

    /// Asserts that a table answers as its rows do.
    fn check<R: PackedRow + PartialEq>(rows: &[R]) {
        let table: Packed<R> = rows.iter().copied().collect();
        let count = rows.len() as u32;
        assert_eq!(table.len(), rows.len());
        assert_eq!(table.is_empty(), rows.is_empty());
        assert_eq!(table.iter().collect::<Vec<_>>(), rows);
        assert_eq!(Packed::<R>::from_stream(count, table.stream()).unwrap().iter().collect::<Vec<_>>(), rows);
        for (id, row) in rows.iter().enumerate() {
            let cursor = table.cursor(id as u32).unwrap();
            assert_eq!((table.get(id as u32).unwrap(), cursor.key(), cursor.id()), (*row, row.key(), id as u32));
            let mut next = cursor;
            assert_eq!(table.advance(&mut next), id + 1 < rows.len());
            assert_eq!(next.row(), *rows.get(id + 1).unwrap_or(row));
            for near in [0, 1, id.saturating_sub(BLOCK as usize), id.saturating_sub(1), id, id + 1, id + 20] {
                let Some(mut near) = table.cursor(near as u32) else { continue };
                assert!(!table.go_to(&mut near, count));
                assert!(table.go_to(&mut near, id as u32));
                assert_eq!((near.row(), near.id()), (*row, id as u32));
            }
        }
        assert!(table.get(count).is_none() && table.get(u32::MAX).is_none());
        for start in [0, 1, count / 2, count.saturating_sub(1), count, u32::MAX] {
            for end in [0, 1, count / 3, count, u32::MAX] {
                let range = table.range(start, end);
                let wanted = rows.get(start as usize..end.min(count) as usize).unwrap_or_default();
                assert_eq!(range.len(), wanted.len());
                assert_eq!(range.collect::<Vec<_>>(), wanted);
            }
        }
    }

    /// Asserts that look-ups in a sorted table find what is there.
    fn check_sorted<R: PackedRow + PartialEq>(rows: &[R]) {
        check(rows);
        let table: Packed<R> = rows.iter().copied().collect();
        let around = rows.iter().flat_map(|row| [row.key().saturating_sub(1), row.key(), row.key().saturating_add(1)]);
        for key in around.chain([0, 1, u32::MAX - 1, u32::MAX]) {
            let from = rows.partition_point(|row| row.key() < key);
            let to = rows.partition_point(|row| row.key() <= key);
            assert_eq!(table.first_from(key).map(|c| c.id() as usize), (from < rows.len()).then_some(from), "{key}");
            assert_eq!(table.last_to(key).map(|c| c.id() as usize), to.checked_sub(1), "{key}");
            assert_eq!(table.find(key).map(|c| c.id() as usize), (from < to).then_some(from), "{key}");
        }
    }

    fn site([after, point, _]: [u32; 3]) -> Site {
        Site { after: TextOffset::new(after), point: PointId(point) }
    }
    fn point([wasm, site, shape]: [u32; 3]) -> Point {
        let site = (site % 4 > 0).then_some(SiteId(site));
        let shape = if shape % 5 == 0 { ShapeId::SIDE } else { ShapeId(shape) };
        Point { wasm: WasmOffset::new(wasm), site, shape }
    }
    fn address([text, wasm, some]: [u32; 3]) -> AddressEntry {
        AddressEntry { text: TextOffset::new(text), wasm: (some % 3 > 0).then(|| WasmOffset::new(wasm)) }
    }
    fn call([last, wasm, _]: [u32; 3]) -> Call {
        Call { last: TextOffset::new(last), wasm: WasmOffset::new(wasm) }
    }
    fn trap([text, code, wasm]: [u32; 3]) -> Trap {
        let codes: Vec<TrapCode> = (0..=u8::MAX).filter_map(TrapCode::from_u8).collect();
        let wasm = (wasm % 3 > 0).then(|| WasmOffset::new(wasm));
        Trap { at: TextOffset::new(text), code: codes[code as usize % codes.len()], wasm }
    }

    #[test]
    fn rows_are_what_was_packed() {
        let mut random = Random(1);
        for len in (0..5).chain([BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 3]) {
            for _ in 0..20 {
                let mut words: Vec<[u32; 3]> = (0..len).map(|_| [(); 3].map(|()| random.number())).collect();
                check(&words.iter().copied().map(site).collect::<Vec<_>>());
                check(&words.iter().copied().map(point).collect::<Vec<_>>());
                check(&words.iter().copied().map(address).collect::<Vec<_>>());
                check(&words.iter().copied().map(call).collect::<Vec<_>>());
                check(&words.iter().copied().map(trap).collect::<Vec<_>>());
                // Equal keys are allowed: addresses may have them.
                words.sort_unstable();
                check_sorted(&words.iter().copied().map(site).collect::<Vec<_>>());
                check_sorted(&words.iter().copied().map(point).collect::<Vec<_>>());
                check_sorted(&words.iter().copied().map(address).collect::<Vec<_>>());
                check_sorted(&words.iter().copied().map(call).collect::<Vec<_>>());
                check_sorted(&words.iter().copied().map(trap).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn usual_rows_are_small() {
        let sites: Packed<Site> = (0..1600).map(|i| site([100 + i * 20, i, 0])).collect();
        assert!(sites.bytes() <= 1600 * 7 / 4, "{}", sites.bytes());
        let row = |i| Point { shape: ShapeId(i), ..point([100 + i * 2, i, i]) };
        let points: Packed<Point> = (0..1600).map(row).collect();
        assert!(points.bytes() <= 1600 * 3, "{}", points.bytes());
        let on_side = |i: u32| if i % 4 == 1 { ShapeId::SIDE } else { ShapeId(i) };
        let sides = (0..1600).map(|i| Point { shape: on_side(i), ..row(i) });
        let sides: Packed<Point> = sides.collect();
        assert!(sides.bytes() <= 1600 * 3, "{}", sides.bytes());
    }

    /// Whatever the bytes, they are a table that can be read or they are refused.
    #[test]
    fn any_bytes_can_be_read_or_are_refused() {
        fn read<R: PackedRow>(len: u32, bytes: &[u8]) -> u32 {
            match Packed::<R>::from_stream(len, bytes) {
                Ok(table) => {
                    assert_eq!(table.iter().count(), len as usize);
                    for key in [0, 100, u32::MAX] {
                        let _ = (table.first_from(key), table.last_to(key), table.find(key));
                    }
                    1
                }
                Err(row) => {
                    assert!(row <= len);
                    0
                }
            }
        }
        let mut random = Random(2);
        let mut accepted = [0; 5];
        for _ in 0..20_000 {
            let len = random.below(40);
            let bytes: Vec<u8> = (0..random.below(60))
                .map(|_| if random.below(4) == 0 { random.below(256) as u8 } else { random.below(64) as u8 })
                .collect();
            accepted[0] += read::<Site>(len, &bytes);
            accepted[1] += read::<Point>(len, &bytes);
            accepted[2] += read::<AddressEntry>(len, &bytes);
            accepted[3] += read::<Trap>(len, &bytes);
            accepted[4] += read::<Call>(len, &bytes);
        }
        assert!(accepted.iter().all(|count| *count > 5), "{accepted:?}");
        assert!(Packed::<Site>::from_stream(u32::MAX, &[0; 100]).is_err());
        assert!(Packed::<Site>::from_stream(0, &[0]).is_err());
        assert!(Packed::<Site>::from_stream(1, &[0xff; 9]).is_err());
    }
}
