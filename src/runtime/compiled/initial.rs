//! What a module's memories begin with: images of the active data segments that are known, made when the first instance
//! needs them, or when the module is loaded, and shared by all. What is not in an image is copied at instantiation,
//! segment by segment.

use crate::base::{DataIndex, Error, ErrorKind, GlobalIndex, MemoryIndex, Result};
use crate::image::MOST_LEFT_OUT;
use crate::runtime::compiled::binary::{Binary, LeftOut};
use crate::sys::mapping::MemoryImage;
use crate::sys::pages::{PAGE_SIZE, round_up_to_page};
use crate::sys::source::{Piece, Source};
use crate::wasm::{KnownData, ModuleInfo};
use once_cell::sync::OnceCell;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of a file that small segments far from each other may take beyond twice what is in them. A page is
/// the least that a file has, so ten thousand segments of a byte each, in pages of their own, would take 40 MB where
/// copying them takes 10 KB and a fault each.
const WASTE: usize = 1 << 20;

/// The most bytes from the first segment of an image to the last, beyond twice what is in them. What is between
/// segments takes memory once a guest has read it, for as long as the module lives, and no limit of a store counts it.
const HOLES: usize = 4 << 20;

/// As many sets of images are kept for a module whose data stands where imported globals say. That is for those that
/// are always given the same few; for others segments are copied.
const MOST_PLACES: usize = 4;

/// A data segment is left out of the copy of a file if it is at least as long. To copy so much once more, from memory,
/// costs as much as the calls of the system that leave it out: some 6 us.
const LEAST_LEFT_OUT: usize = 32 << 10;

/// The images of a module's memories.
#[derive(Debug, Default)]
pub(in crate::runtime) struct InitialData {
    /// Of each memory that the module defines, where it has one.
    images: Vec<Option<Arc<MemoryImage>>>,
    /// For each data segment, whether it is in an image.
    inside: Box<[bool]>,
}

impl InitialData {
    /// The image of a memory that the module defines, by its position among those.
    pub(in crate::runtime) fn image(&self, defined: usize) -> Option<&Arc<MemoryImage>> {
        self.images.get(defined)?.as_ref()
    }

    /// For each data segment, whether it is in an image; empty where none is.
    pub(in crate::runtime) fn inside(&self) -> &[bool] {
        &self.inside
    }

    /// All images there are.
    pub(in crate::runtime) fn images(&self) -> impl Iterator<Item = &Arc<MemoryImage>> {
        self.images.iter().flatten()
    }

    /// The images that are planned, of a module's Wasm, which begins at `wasm_at` in a source; `None` where the system
    /// has no file for one.
    fn new(
        info: &ModuleInfo,
        planned: &[Option<Planned>],
        (source, wasm_at): (&Source<'_>, usize),
    ) -> Result<Option<InitialData>> {
        let piece = |data: &PlannedData| Piece {
            from: wasm_at + data.wasm.start,
            to: data.memory.start,
            len: data.memory.len(),
        };
        let mut made = InitialData { images: Vec::new(), inside: vec![false; info.data.len()].into() };
        for planned in planned {
            let mut image = None;
            if let Some(planned) = planned {
                match MemoryImage::copied(planned.range(), planned.filled().map(piece), source)? {
                    Some(made) => image = Some(Arc::new(made)),
                    None => return Ok(None),
                }
                planned.data.iter().for_each(|data| made.inside[data.segment.index()] = true);
            }
            made.images.push(image);
        }
        Ok(Some(made))
    }
}

/// An image that a memory is to have.
struct Planned {
    /// The bytes of the memory, whole pages.
    len: usize,
    /// What is to be in it: not nothing.
    data: Vec<PlannedData>,
}

/// A data segment that is to be in an image.
#[derive(Clone, Debug)]
struct PlannedData {
    segment: DataIndex,
    /// Where it stands in the Wasm.
    wasm: Range<usize>,
    /// Where it is to stand in the memory.
    memory: Range<usize>,
}

impl Planned {
    /// Those for what is known of a module's data: for each memory that it defines, where it is to have one.
    fn all(info: &ModuleInfo, known: &[KnownData]) -> Vec<Option<Planned>> {
        let defined = (info.imported_memories as usize..info.memories.len()).map(MemoryIndex::from_usize);
        let data = |known: &KnownData| {
            let (wasm, start) = (info.data[known.segment.index()].bytes.clone(), known.offset as usize);
            PlannedData { segment: known.segment, memory: start..start + wasm.len(), wasm }
        };
        let plan = |memory: MemoryIndex| {
            // Others may have it already when the next instance is made.
            if info.memory(memory).shared {
                return None;
            }
            let data: Vec<_> = known.iter().filter(|data| data.memory == memory).map(data).collect();
            // What is behind the end of a memory that does not end with a page is no part of it, and zero.
            let len = usize::try_from(info.memory(memory).least_bytes()).ok().and_then(round_up_to_page)?;
            worth_a_file(data.iter().map(|data| data.memory.clone())).then_some(Planned { len, data })
        };
        defined.map(plan).collect()
    }

    /// Those that are the same for all instances of a module: none, where that depends on what it imports.
    fn fixed(info: &ModuleInfo) -> Vec<Option<Planned>> {
        if info.offset_globals().is_empty() { Planned::all(info, &info.known_data(|_| None)) } else { Vec::new() }
    }

    /// The segments in it that have something.
    fn filled(&self) -> impl Iterator<Item = &PlannedData> + Clone {
        self.data.iter().filter(|data| !data.memory.is_empty())
    }

    /// What of the memory it is: whole pages.
    fn range(&self) -> Range<usize> {
        let start = self.filled().map(|data| data.memory.start).min().unwrap_or(0);
        let end = self.filled().map(|data| data.memory.end).max().unwrap_or(start);
        MemoryImage::range_for(self.len, start..end)
    }

    /// The segments of which each byte stands in the image: no other is over them.
    fn apart(&self) -> Vec<&PlannedData> {
        let mut sorted: Vec<_> = self.filled().collect();
        sorted.sort_unstable_by_key(|data| data.memory.start);
        let mut taken = 0;
        let mut apart = Vec::new();
        for (i, data) in sorted.iter().enumerate() {
            let next = sorted.get(i + 1).map_or(usize::MAX, |next| next.memory.start);
            if data.memory.start >= taken && data.memory.end <= next {
                apart.push(*data);
            }
            taken = taken.max(data.memory.end);
        }
        apart
    }
}

/// Which parts of a module's Wasm may be left out of a copy of a file that it is in, ascending: the contents of its
/// large data segments that are in images. The largest, where there are too many.
pub(in crate::runtime) fn may_be_left_out(info: &ModuleInfo) -> Vec<Range<usize>> {
    let planned = Planned::fixed(info);
    let apart = planned.iter().flatten().flat_map(Planned::apart);
    let mut ranges: Vec<_> = apart.map(|data| data.wasm.clone()).filter(|wasm| wasm.len() >= LEAST_LEFT_OUT).collect();
    ranges.sort_by_key(|wasm| Reverse(wasm.len()));
    ranges.truncate(MOST_LEFT_OUT);
    ranges.sort_unstable_by_key(|wasm| wasm.start);
    ranges
}

/// Whether there is something in these ranges of a memory, and they do not waste too much of a file's pages, nor stand
/// too far from each other.
fn worth_a_file(ranges: impl Iterator<Item = Range<usize>>) -> bool {
    let mut filled = 0;
    let mut pages = Vec::new();
    for range in ranges.filter(|range| !range.is_empty()) {
        filled += range.len();
        pages.push((range.start / PAGE_SIZE, (range.end - 1) / PAGE_SIZE));
    }
    pages.sort_unstable();
    let first = pages.first().map_or(0, |(first, _)| *first);
    let (mut taken, mut next) = (0, first);
    for (first, last) in pages {
        let first = first.max(next);
        if last >= first {
            taken += last + 1 - first;
            next = last + 1;
        }
    }
    filled > 0 && taken * PAGE_SIZE <= 2 * filled + WASTE && (next - first) * PAGE_SIZE <= 2 * filled + HOLES
}

/// The images of a module, made on first use.
pub(in crate::runtime) struct Initial {
    /// The imported globals that say where its data stands.
    globals: Box<[GlobalIndex]>,
    /// Those of a module whose data stands at constant offsets.
    fixed: OnceCell<InitialData>,
    placed: Mutex<Vec<Placed>>,
    /// Whether there can be none.
    none: bool,
}

/// The images for instances whose imported globals hold these values.
struct Placed {
    values: Box<[i64]>,
    images: Arc<InitialData>,
}

/// The images for an instance.
pub(in crate::runtime) enum Images<'a> {
    /// There are none.
    None,
    /// They are the same for every instance.
    Fixed(&'a InitialData),
    /// They are for what the imported globals hold.
    Placed(Arc<InitialData>),
}

impl Images<'_> {
    /// Them, if there are any.
    pub(in crate::runtime) fn get(&self) -> Option<&InitialData> {
        match self {
            Images::None => None,
            Images::Fixed(images) => Some(images),
            Images::Placed(images) => Some(images),
        }
    }
}

impl Initial {
    /// Those of a module; `wanted` says whether the engine has images at all.
    pub(in crate::runtime) fn new(info: &ModuleInfo, wanted: bool) -> Initial {
        let none = !wanted || info.memories.len() == info.imported_memories as usize || info.data.is_empty();
        let globals = if none { Box::default() } else { info.offset_globals().into() };
        Initial { globals, fixed: OnceCell::new(), placed: Mutex::default(), none }
    }

    /// The images for an instance whose imported globals hold what `global` says. `refused` is called where the system
    /// has no file for one, or an error says why there is none: then there are none now, and the next time it is tried
    /// again.
    pub(in crate::runtime) fn images(
        &self,
        info: &ModuleInfo,
        binary: &Binary,
        global: impl Fn(GlobalIndex) -> i64,
        refused: impl Fn(Option<Error>),
    ) -> Images<'_> {
        if self.none {
            return Images::None;
        }
        let make = |values: &[i64]| {
            let known = info.known_data(|global| Some(values[self.globals.iter().position(|known| *known == global)?]));
            let source = Source::from(binary.whole());
            InitialData::new(info, &Planned::all(info, &known), (&source, 0)).map_err(Some)?.ok_or(None)
        };
        if self.globals.is_empty() {
            return match self.fixed.get_or_try_init(|| make(&[])) {
                Ok(images) => Images::Fixed(images),
                Err(why) => {
                    refused(why);
                    Images::None
                }
            };
        }
        let values: Box<[i64]> = self.globals.iter().map(|index| global(*index)).collect();
        // A list is never left half-changed by a panic that could be survived.
        let find =
            |placed: &[Placed]| placed.iter().find(|known| known.values == values).map(|known| known.images.clone());
        {
            let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = find(&placed) {
                return Images::Placed(found);
            }
            if placed.len() >= MOST_PLACES {
                return Images::None;
            }
        }
        // Another thread may make the same meanwhile; the first to be done is kept.
        let made = match make(&values) {
            Ok(made) => Arc::new(made),
            Err(why) => {
                refused(why);
                return Images::None;
            }
        };
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        match find(&placed) {
            Some(found) => Images::Placed(found),
            None if placed.len() >= MOST_PLACES => Images::None,
            None => {
                placed.push(Placed { values, images: made.clone() });
                Images::Placed(made)
            }
        }
    }

    /// Those of a module whose file has been copied without what `left_out` says, and what of its Wasm is in them
    /// alone: ascending, as in the file. Those that are the same for all instances are made now. `None` where the
    /// system has no file for one. What is not left out is taken from the copy, so that it is what the Wasm says.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] where something else is left out than what would be in an image;
    /// [`ErrorKind::System`] where there is no memory for them, and where the file cannot be read.
    pub(in crate::runtime) fn loaded(
        info: &ModuleInfo,
        (source, wasm_at): (&Source<'_>, usize),
        left_out: &[Range<usize>],
    ) -> Result<Option<(Initial, Vec<LeftOut>)>> {
        let planned = Planned::fixed(info);
        let in_file = |data: &PlannedData| wasm_at + data.wasm.start..wasm_at + data.wasm.end;
        let is_left_out = |data: &&PlannedData| {
            let Range { start, end } = in_file(data);
            left_out.binary_search_by_key(&(start, end), |range| (range.start, range.end)).is_ok()
        };
        let found = planned.iter().flatten().flat_map(Planned::filled).filter(is_left_out).count();
        if found != left_out.len() {
            return Err(other_data(format_args!("{found} segments of {}", left_out.len())));
        }
        let initial = Initial::new(info, true);
        if initial.none || !initial.globals.is_empty() {
            return Ok(Some((initial, Vec::new())));
        }
        let Some(made) = InitialData::new(info, &planned, (source, wasm_at))? else { return Ok(None) };
        let mut inside = Vec::with_capacity(found);
        for (planned, image) in planned.iter().zip(&made.images) {
            let (Some(planned), Some(image)) = (planned, image) else { continue };
            inside.extend(planned.filled().filter(is_left_out).map(|data| LeftOut {
                wasm: data.wasm.clone(),
                image: image.clone(),
                at: data.memory.start - image.range().start,
            }));
        }
        inside.sort_unstable_by_key(|left_out| left_out.wasm.start);
        Ok(Some((Initial { fixed: OnceCell::with_value(made), ..initial }, inside)))
    }

    /// All that have been made. The module is being dropped.
    pub(in crate::runtime) fn made(&mut self) -> Vec<Arc<MemoryImage>> {
        let placed = self.placed.get_mut().unwrap_or_else(PoisonError::into_inner);
        let all = self.fixed.get().into_iter().chain(placed.iter().map(|placed| &*placed.images));
        all.flat_map(InitialData::images).cloned().collect()
    }
}

#[cold]
fn other_data(what: impl std::fmt::Display) -> Error {
    let message = format!("the serialized module's data is not that of its Wasm ({what}); compile the module again");
    Error::new(ErrorKind::InvalidModule, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{Features, parse};

    #[test]
    fn what_wastes_pages_is_not_worth_a_file() {
        let far = |count: usize, len: usize, step: usize| -> Vec<Range<usize>> {
            (0..count).map(|i| i * step..i * step + len).collect()
        };
        for (ranges, worth) in [
            (far(0, 1, 1), false),
            (far(5, 0, 1), false),
            (far(1, 1, 1), true),
            (far(256, 1, PAGE_SIZE), true),
            (far(257, 1, PAGE_SIZE), false),
            (far(10_000, 1, PAGE_SIZE), false),
            (far(10_000, 1, 8), true),
            (far(2, 1, HOLES - PAGE_SIZE), true),
            (far(2, 1, HOLES), false),
            (far(2, 1 << 20, 6 << 20), true),
            (far(2, 1 << 20, 8 << 20), false),
            (far(10_000, PAGE_SIZE, PAGE_SIZE), true),
            (far(10_000, PAGE_SIZE / 2, PAGE_SIZE), true),
            // The same pages again and again are taken once.
            (far(10_000, 9, 0), true),
        ] {
            assert_eq!(worth_a_file(ranges.iter().rev().cloned()), worth, "{} ranges", ranges.len());
        }
    }

    /// A module with these segments, in a memory of 200 Wasm pages: where each is, and how long it is.
    fn info(segments: &[(usize, usize)]) -> ModuleInfo {
        let segment = |(at, len): &(usize, usize)| format!("(data (i32.const {at}) \"{}\")", "a".repeat(*len));
        let text = format!("(module (memory 200) {})", segments.iter().map(segment).collect::<String>());
        parse(&wat::parse_str(text).unwrap(), Features::default(), false).unwrap()
    }

    #[test]
    fn large_segments_that_no_other_is_over_are_left_out() {
        const LEN: usize = LEAST_LEFT_OUT;
        for (segments, expected) in [
            (vec![], vec![]),
            (vec![(5, LEN - 1)], vec![]),
            (vec![(5, LEN)], vec![0]),
            // One behind the other, in any order.
            (vec![(LEN, LEN), (0, LEN), (2 * LEN, 9), (3 * LEN, LEN)], vec![0, 1, 3]),
            // Over each other: the end, the beginning, something inside, all of it. Nothing is over nothing.
            (vec![(0, LEN), (LEN - 1, 1)], vec![]),
            (vec![(5, LEN), (0, 6), (2 * LEN, LEN)], vec![2]),
            (vec![(0, LEN), (100, 1), (LEN, LEN)], vec![2]),
            (vec![(0, 3 * LEN), (LEN, LEN), (2 * LEN, LEN)], vec![]),
            (vec![(0, LEN), (0, LEN)], vec![]),
            (vec![(0, LEN), (100, 0), (LEN, 0)], vec![0]),
            // Where an image would be mostly zeros there is none.
            (vec![(0, LEN), (90 << 16, LEN)], vec![]),
        ] {
            let info = info(&segments);
            let expected: Vec<_> = expected.into_iter().map(|i: usize| info.data[i].bytes.clone()).collect();
            assert_eq!(may_be_left_out(&info), expected, "{segments:?}");
        }
        // The largest, if there are too many.
        let many: Vec<_> = (0..MOST_LEFT_OUT + 9).map(|i| (i * (LEN + 1), LEN + usize::from(i >= 9))).collect();
        let (info, expected) = (info(&many), MOST_LEFT_OUT);
        let left_out = may_be_left_out(&info);
        assert_eq!((left_out.len(), left_out[0].clone()), (expected, info.data[9].bytes.clone()));
    }
}
