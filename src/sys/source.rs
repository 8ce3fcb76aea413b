//! Bytes from outside that are to be copied: a host's, or those of a file that is open. A file may change while it is
//! read, or become shorter: what is read of it is what was there at that moment, and who needs to know whether it fits
//! together looks at the copy. What the bytes mean is not this room's concern.

use super::pages::PAGE_SIZE;
use super::system::SealedFile;
use super::system::files::{file_error, open_without_waiting, read_at};
use crate::base::{Error, ErrorKind, Result};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// Bytes from outside.
#[derive(Debug)]
pub struct Source<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Bytes(&'a [u8]),
    File {
        file: File,
        path: &'a Path,
        len: usize,
    },
    /// One that is to be read in these ranges alone, and a copy of it for the rest.
    Copied {
        source: &'a Source<'a>,
        ranges: &'a [Range<usize>],
        copy: &'a Source<'a>,
    },
}

/// A piece that is copied.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Where it stands in the source.
    pub from: usize,
    /// Where it is to stand in what is made of it.
    pub to: usize,
    /// How many bytes it has.
    pub len: usize,
}

impl<'a> From<&'a [u8]> for Source<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Source(Kind::Bytes(bytes))
    }
}

impl<'a> Source<'a> {
    /// The contents of a file.
    ///
    /// # Errors
    /// [`ErrorKind::System`] for what cannot be read, or is no file.
    pub fn open(path: &'a Path) -> Result<Source<'a>> {
        let failed = |error: std::io::Error| file_error("reading", path, &error);
        let file = open_without_waiting(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            return Err(Error::new(ErrorKind::System, format!("reading `{}`: it is no regular file", path.display())));
        }
        Ok(Source(Kind::File { file, path, len: about.len() as usize }))
    }

    /// A source of which there is a copy already, but for the ranges that were left out of it, in ascending order.
    /// Nothing else of it is read again, for it may have changed.
    pub fn copied(source: &'a Source<'a>, left_out: &'a [Range<usize>], copy: &'a Source<'a>) -> Source<'a> {
        Source(Kind::Copied { source, ranges: left_out, copy })
    }

    /// How many bytes there are, or were when the file was opened.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.len(),
            Kind::File { len, .. } => *len,
            Kind::Copied { source, .. } => source.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first so many bytes, or those that there are.
    ///
    /// # Errors
    /// [`ErrorKind::System`] for a file that cannot be read.
    pub fn beginning(&self, len: usize) -> Result<Vec<u8>> {
        let len = len.min(self.len());
        let mut bytes = vec![0; len];
        let there = self.read(&mut bytes, std::iter::once(0..len))?;
        bytes.truncate(there);
        Ok(bytes)
    }

    /// Reads ranges to the same places in `to`, in which they lie; how many bytes there were.
    pub(super) fn read(&self, to: &mut [u8], ranges: impl IntoIterator<Item = Range<usize>>) -> Result<usize> {
        ranges.into_iter().try_fold(0, |done, range| {
            let to = &mut to[range.clone()];
            let there = match self.at(range.start) {
                Place::Bytes(bytes) => {
                    let bytes = part(bytes, range);
                    to[..bytes.len()].copy_from_slice(bytes);
                    bytes.len()
                }
                Place::File(file, path) => {
                    read_at(file, range.start, to).map_err(|error| file_error("reading", path, &error))?
                }
            };
            Ok(done + there)
        })
    }

    /// Copies pieces into a file that is not sealed yet, at their places; how many bytes there were. Of those of a file
    /// that has become shorter some are missing. Between two files the kernel does the copying.
    pub(super) fn copy(&self, to: &SealedFile, pieces: impl IntoIterator<Item = Piece>) -> Result<usize> {
        let mut gathered = Gathered { file: to, at: 0, bytes: Vec::new(), written: 0 };
        let mut done = 0;
        for piece in pieces {
            done += match self.at(piece.from) {
                Place::Bytes(bytes) => {
                    let bytes = part(bytes, piece.from..piece.from.saturating_add(piece.len));
                    gathered.write(piece.to, bytes)?;
                    bytes.len()
                }
                Place::File(file, path) => {
                    gathered.flush()?;
                    gathered.written = gathered.written.max(piece.to.saturating_add(piece.len));
                    let copied = to.copy_at(piece.to, file, piece.from, piece.len);
                    copied.map_err(|error| file_error("reading", path, &error))?
                }
            };
        }
        gathered.flush()?;
        Ok(done)
    }

    /// Where what begins at `from` is to be taken from.
    fn at(&self, from: usize) -> Place<'_> {
        match &self.0 {
            Kind::Bytes(bytes) => Place::Bytes(bytes),
            Kind::File { file, path, .. } => Place::File(file, path),
            Kind::Copied { source, ranges, copy } => {
                let next = ranges.partition_point(|range| range.end <= from);
                if ranges.get(next).is_some_and(|range| range.start <= from) { source.at(from) } else { copy.at(from) }
            }
        }
    }
}

/// Where a piece is taken from.
enum Place<'a> {
    Bytes(&'a [u8]),
    File(&'a File, &'a Path),
}

/// The most bytes of small pieces that are written at once.
const GATHERED: usize = 64 << 10;

/// Writes small pieces to a file that are near to each other: many at once, with the zeros between them.
struct Gathered<'a> {
    file: &'a SealedFile,
    /// What is not written yet, and where it is to stand.
    at: usize,
    bytes: Vec<u8>,
    /// Nothing was written from here on, but what is gathered.
    written: usize,
}

impl Gathered<'_> {
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        let (end, last) = (self.at + self.bytes.len(), at + bytes.len());
        // Less than a page: no page becomes one of zeros by that. And there is nothing that zeros are written over.
        let near = at >= end && at - end < PAGE_SIZE && (at == end || end >= self.written);
        if !near || last - self.at > GATHERED {
            self.flush()?;
            self.at = at;
        }
        self.written = self.written.max(last);
        if bytes.len() >= GATHERED / 2 && self.bytes.is_empty() {
            return self.file.write_at(at, bytes);
        }
        self.bytes.resize(at - self.at, 0);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_at(self.at, &self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

/// What there is of a range.
fn part(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range.start..range.end.min(bytes.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `pieces` of a source make of zeros.
    fn copied(source: &Source<'_>, pieces: &[Piece], len: usize) -> Vec<u8> {
        let fill = |to: &SealedFile| source.copy(to, pieces.iter().copied()).map(drop);
        SealedFile::sparse(len, fill).unwrap().unwrap().read(0, len).unwrap()
    }

    #[test]
    fn pieces_are_copied_in_order_whatever_their_sizes() {
        const LEN: usize = 300_000;
        let bytes: Vec<u8> = (0..LEN).map(|i| (i * 7 + i / 999) as u8 | 1).collect();
        let mut random = 1_u32;
        let mut below = |most: usize| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as usize % most
        };
        for round in 0..300 {
            let mut to = 0;
            let mut pieces = Vec::new();
            for _ in 0..round {
                // Mostly one behind the other, near or far; some anywhere.
                let (gap, most) = (below(3), below(4));
                to += below([2, 60, 5000][gap]);
                if below(50) == 0 || to >= LEN {
                    to = below(LEN);
                }
                let from = below(LEN);
                let len = below([10, 3000, 3000, 50_000][most]).min(LEN - to.max(from));
                pieces.push(Piece { from, to, len });
                to += len;
            }
            let mut expected = vec![0; LEN];
            for Piece { from, to, len } in pieces.iter().copied() {
                expected[to..to + len].copy_from_slice(&bytes[from..from + len]);
            }
            assert!(copied(&Source::from(&*bytes), &pieces, LEN) == expected, "round {round}");
        }
    }

    #[test]
    fn what_is_there_already_is_not_read_again() {
        let (old, new) = (vec![1; 100], vec![2; 100]);
        let (copy, source) = (Source::from(&*old), Source::from(&*new));
        let both = Source::copied(&source, &[10..20, 20..21, 90..100], &copy);
        assert_eq!((both.len(), both.is_empty()), (100, false));
        for (from, expected) in [(0, 1), (9, 1), (10, 2), (19, 2), (20, 2), (21, 1), (89, 1), (90, 2), (99, 2)] {
            assert_eq!(copied(&both, &[Piece { from, to: 3, len: 1 }], 5), [0, 0, 0, expected, 0], "{from}");
        }
    }
}
