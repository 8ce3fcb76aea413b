//! Bytes from outside that are to be copied: a host's, or those of a file that is open. A file may change while it is
//! read, or become shorter: what is read of it is what was there at that moment, and who needs to know whether it fits
//! together looks at the copy. What the bytes mean is not this room's concern.

use super::system::SealedFile;
use super::system::files::{file_error, open_without_waiting};
use crate::base::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Bytes from outside.
#[derive(Debug)]
pub struct Source<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Bytes(&'a [u8]),
    File { file: File, path: &'a Path, len: usize },
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

    /// How many bytes there are, or were when the file was opened.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.len(),
            Kind::File { len, .. } => *len,
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
    pub fn beginning(&self, len: usize) -> Result<Cow<'_, [u8]>> {
        match &self.0 {
            Kind::Bytes(bytes) => Ok(Cow::Borrowed(&bytes[..len.min(bytes.len())])),
            Kind::File { file, path, .. } => {
                let (mut from, mut bytes) = (file, Vec::new());
                let read = from.rewind().and_then(|()| from.take(len as u64).read_to_end(&mut bytes));
                read.map_err(|error| file_error("reading", path, &error))?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// Copies pieces into a file that is not sealed yet, at their places; how many bytes there were. Of those of a file
    /// that has become shorter some are missing. Between two files the kernel does the copying.
    pub(super) fn copy(&self, to: &SealedFile, pieces: impl IntoIterator<Item = Piece>) -> Result<usize> {
        match &self.0 {
            Kind::Bytes(bytes) => pieces.into_iter().try_fold(0, |done, piece| {
                let Range { start, end } = piece.from..piece.from.saturating_add(piece.len).min(bytes.len());
                let piece_bytes = bytes.get(start..end).unwrap_or_default();
                to.write_at(piece.to, piece_bytes)?;
                Ok(done + piece_bytes.len())
            }),
            Kind::File { file, path, .. } => {
                let (mut from, mut to) = (file, to.writer()?);
                pieces.into_iter().try_fold(0, |done, piece| {
                    let copied = from
                        .seek(SeekFrom::Start(piece.from as u64))
                        .and_then(|_| to.seek(SeekFrom::Start(piece.to as u64)))
                        .and_then(|_| std::io::copy(&mut from.take(piece.len as u64), &mut to));
                    Ok(done + copied.map_err(|error| file_error("reading", path, &error))? as usize)
                })
            }
        }
    }
}
