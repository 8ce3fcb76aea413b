//! What a module's memories begin with: images of the active data segments that are known, made when the first instance
//! needs them, or when the module is serialized, and shared by all. One that is loaded brings them. What is not in an
//! image is copied at instantiation, segment by segment.

use crate::base::{Error, ErrorKind, GlobalIndex, MemoryIndex, Result};
use crate::image::{FileOffset, ImageOf, MOST_MEMORY_BYTES, MemoryContents, StoredMemory};
use crate::sys::mapping::MemoryImage;
use crate::sys::pages::{PAGE_SIZE, round_up_to_page};
use crate::sys::source::{Piece, Source};
use crate::wasm::{KnownData, ModuleInfo};
use once_cell::sync::OnceCell;
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

    /// The images of what is known of a module's data; `None` where the system has no file for one.
    fn new(info: &ModuleInfo, binary: &[u8], known: &[KnownData]) -> Result<Option<InitialData>> {
        InitialData::of(info, Planned::all(info, binary, known), |planned| {
            MemoryImage::new(planned.len, planned.chunks(info, binary))
        })
    }

    /// The images that are planned, made by `make`.
    fn of(
        info: &ModuleInfo,
        planned: Vec<Option<Planned>>,
        mut make: impl FnMut(&Planned) -> Result<Option<MemoryImage>>,
    ) -> Result<Option<InitialData>> {
        let mut made = InitialData { images: Vec::new(), inside: vec![false; info.data.len()].into() };
        for planned in planned {
            let mut image = None;
            if let Some(planned) = planned {
                match make(&planned)? {
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
    memory: MemoryIndex,
    /// The bytes of the memory, whole pages.
    len: usize,
    /// What is to be in it.
    data: Vec<KnownData>,
}

impl Planned {
    /// Those for what is known of a module's data: for each memory that it defines, where it is to have one.
    fn all(info: &ModuleInfo, binary: &[u8], known: &[KnownData]) -> Vec<Option<Planned>> {
        let defined = (info.imported_memories as usize..info.memories.len()).map(MemoryIndex::from_usize);
        let plan = |memory: MemoryIndex| {
            let data = known.iter().filter(|data| data.memory == memory).copied().collect();
            // What is behind the end of a memory that does not end with a page is no part of it, and zero.
            let len = usize::try_from(info.memory(memory).least_bytes()).ok().and_then(round_up_to_page)?;
            if len > MOST_MEMORY_BYTES {
                return None;
            }
            let planned = Planned { memory, len, data };
            worth_a_file(planned.chunks(info, binary)).then_some(planned)
        };
        defined.map(plan).collect()
    }

    /// What is to stand where.
    fn chunks<'a>(&self, info: &ModuleInfo, binary: &'a [u8]) -> impl Iterator<Item = (usize, &'a [u8])> + Clone {
        self.data.iter().map(|data| (data.offset as usize, &binary[info.data[data.segment.index()].bytes.clone()]))
    }

    /// Where that stands in the memory.
    fn filled(&self, info: &ModuleInfo) -> impl Iterator<Item = Range<usize>> {
        self.data.iter().map(|data| {
            let start = data.offset as usize;
            start..start + info.data[data.segment.index()].bytes.len()
        })
    }

    /// What its image is of; there is something in it.
    fn image_of(&self, info: &ModuleInfo) -> ImageOf {
        let filled = || self.filled(info).filter(|range| !range.is_empty());
        let start = filled().map(|range| range.start).min().unwrap_or(0);
        let end = filled().map(|range| range.end).max().unwrap_or(start);
        ImageOf {
            memory: self.memory,
            range: MemoryImage::range_for(self.len, start..end),
            segments: self.data.iter().map(|data| data.segment).collect(),
        }
    }
}

/// Whether there is something in these chunks, and they do not waste too much of a file's pages, nor stand too far from
/// each other.
fn worth_a_file<'a>(chunks: impl Iterator<Item = (usize, &'a [u8])>) -> bool {
    let mut filled = 0;
    let mut pages = Vec::new();
    for (at, bytes) in chunks.filter(|(_, bytes)| !bytes.is_empty()) {
        filled += bytes.len();
        pages.push((at / PAGE_SIZE, (at + bytes.len() - 1) / PAGE_SIZE));
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
        binary: &[u8],
        global: impl Fn(GlobalIndex) -> i64,
        refused: impl Fn(Option<Error>),
    ) -> Images<'_> {
        if self.none {
            return Images::None;
        }
        let make = |values: &[i64]| {
            let known = info.known_data(|global| Some(values[self.globals.iter().position(|known| *known == global)?]));
            InitialData::new(info, binary, &known).map_err(Some)?.ok_or(None)
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

    /// Whether the images are the same for every instance, if there are any.
    pub(in crate::runtime) fn is_fixed(&self) -> bool {
        !self.none && self.globals.is_empty()
    }

    /// What is to be written of the images that are the same for every instance: those that have been made. A module
    /// whose images are not, or that has none, has nothing to be written.
    pub(in crate::runtime) fn contents(&self, info: &ModuleInfo, binary: &[u8]) -> Vec<MemoryContents<'_>> {
        let Some(made) = self.fixed.get() else { return Vec::new() };
        let planned = Planned::all(info, binary, &info.known_data(|_| None));
        let both = planned.iter().zip(&made.images).filter_map(|(planned, image)| Some((planned.as_ref()?, image)));
        both.filter_map(|(planned, image)| {
            Some(MemoryContents::new(planned.image_of(info), image.as_ref()?.bytes(), planned.filled(info)))
        })
        .collect()
    }

    /// Takes the images that a serialized module brings, copied from where it comes from. Where the system has no file
    /// for one, all are left to be made on first use.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] for those of another module, or damaged ones; [`ErrorKind::System`] where there is
    /// no memory for them, and where they cannot be read.
    pub(in crate::runtime) fn load(
        &self,
        info: &ModuleInfo,
        binary: &[u8],
        (stored, source): (&[StoredMemory], &Source<'_>),
    ) -> Result<()> {
        let planned = match self.is_fixed() {
            true => Planned::all(info, binary, &info.known_data(|_| None)),
            false => Vec::new(),
        };
        let expected: Vec<ImageOf> = planned.iter().flatten().map(|planned| planned.image_of(info)).collect();
        if let Some(wrong) = stored.iter().zip(&expected).find(|(stored, expected)| stored.of != **expected) {
            return Err(other_data(format_args!("memory {}", wrong.0.of.memory)));
        }
        if stored.len() != expected.len() {
            return Err(other_data(format_args!("{} memories of {}", stored.len(), expected.len())));
        }
        let mut stored = stored.iter();
        let made = InitialData::of(info, planned, |_| {
            let Some(stored) = stored.next() else { return Ok(None) };
            let piece =
                |(from, to): (FileOffset, Range<usize>)| Piece { from: from.get(), to: to.start, len: to.len() };
            let image = MemoryImage::copied(stored.of.range.clone(), stored.runs().map(piece), source)?;
            image.as_ref().map_or(Ok(()), |image| stored.verify(image.bytes()))?;
            Ok(image)
        })?;
        if let Some(made) = made {
            // Nobody has the module yet.
            let _ = self.fixed.set(made);
        }
        Ok(())
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

    #[test]
    fn what_wastes_pages_is_not_worth_a_file() {
        let far = |count: usize, len: usize, step: usize| -> Vec<(usize, Vec<u8>)> {
            (0..count).map(|i| (i * step, vec![1; len])).collect()
        };
        for (chunks, worth) in [
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
            let chunks = chunks.iter().rev().map(|(at, bytes)| (*at, &**bytes));
            assert_eq!(worth_a_file(chunks.clone()), worth, "{} chunks", chunks.count());
        }
    }
}
