//! Bytes from outside that cannot change any more: copied once, all or without some, into a sealed `memfd` that is
//! mapped for reading, or, where the system refuses that, into plain memory. A mapped file could be truncated or
//! rewritten under us; these cannot. Texts among them are mapped executable from where they are. What the bytes mean is
//! not this room's concern.

use super::pages::PAGE_SIZE;
use super::source::{Piece, Source};
use super::system::{SealedFile, unmap};
use super::text::{TextBacking, TextImage};
use crate::base::{Result, gaps};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Bytes that nobody can change.
#[derive(Debug)]
pub struct SealedBytes(Kept);

#[derive(Debug)]
enum Kept {
    /// Bytes of a sealed file, mapped for reading at this address; the file itself as long as texts are to come from
    /// it.
    Mapped { base: usize, len: usize, file: Option<Arc<SealedFile>> },
    /// A copy in plain memory.
    Plain(Vec<u8>),
}

impl SealedBytes {
    /// A copy of a source up to the last byte that is not left out. What is left out are these ranges, ascending and
    /// apart: there are zeros, of which whole pages take no memory. Of a file that has become shorter since it was
    /// opened, the copy is shorter too.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::base::ErrorKind::System) where there is no memory for it, and for a file that
    /// cannot be read.
    ///
    /// # Panics
    /// When a range does not lie in the source, or they are not in order.
    pub fn copy_of(source: &Source<'_>, left_out: &[Range<usize>], wanted: TextBacking) -> Result<SealedBytes> {
        let len = source.len();
        let copied = gaps(left_out, 0..len).filter(|range| !range.is_empty());
        let end = |there: usize| match copied.clone().map(|range| range.len()).sum::<usize>() == there {
            true => copied.clone().last().map_or(0, |range| range.end),
            // As much is there at least.
            false => there,
        };
        if wanted == TextBacking::Memfd && len > 0 {
            let mut there = 0;
            let sealed = SealedFile::filled(|file| {
                let pieces = copied.clone().map(|range| Piece { from: range.start, to: range.start, len: range.len() });
                there = source.copy(file, pieces)?;
                Ok(())
            })?;
            if let Some(sealed) = sealed.filter(|_| there > 0) {
                return SealedBytes::map(sealed, end(there));
            }
        }
        let mut bytes = vec![0; len];
        let there = source.read(&mut bytes, copied.clone())?;
        bytes.truncate(end(there));
        Ok(SealedBytes(Kept::Plain(bytes)))
    }

    fn map(file: SealedFile, len: usize) -> Result<SealedBytes> {
        let base = file.map_readable(len)?;
        Ok(SealedBytes(Kept::Mapped { base, len, file: Some(Arc::new(file)) }))
    }

    /// Where they are.
    pub fn backing(&self) -> TextBacking {
        match self.0 {
            Kept::Mapped { .. } => TextBacking::Memfd,
            Kept::Plain(_) => TextBacking::Anonymous,
        }
    }

    /// A text among them, not empty. From a sealed file it is taken as it is if it begins at a page; else it is copied.
    ///
    /// # Panics
    /// When the range does not lie in the bytes.
    pub fn text(&self, range: Range<usize>) -> Result<TextImage> {
        match &self.0 {
            Kept::Mapped { file: Some(file), len, .. }
                if range.start.is_multiple_of(PAGE_SIZE) && !range.is_empty() =>
            {
                assert!(range.end <= *len, "a text beyond the bytes");
                Ok(TextImage::in_file(file.clone(), range.start, range.len()))
            }
            _ => TextImage::with_backing(&mut self[range].to_vec(), self.backing()),
        }
    }

    /// Lets the file go, of which a process has few. Texts that were taken from it hold it on.
    pub fn close(&mut self) {
        if let Kept::Mapped { file, .. } = &mut self.0 {
            *file = None;
        }
    }
}

impl Deref for SealedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: the mapping is readable, that long, and lives as long as this; the file behind it is sealed, so
            // nobody can change or shorten it.
            Kept::Mapped { base, len, .. } => unsafe { std::slice::from_raw_parts(*base as *const u8, *len) },
            Kept::Plain(bytes) => bytes,
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Kept::Mapped { base, len, .. } = self {
            // SAFETY: the mapping is ours; its owner is gone.
            unsafe { unmap(*base, *len) };
        }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, and some have one")]
mod tests {
    use super::super::faults;
    use super::super::system::files::write_whole;
    use super::*;
    use crate::base::ErrorKind;
    use std::path::Path;

    fn read(path: &Path, wanted: TextBacking) -> Result<SealedBytes> {
        SealedBytes::copy_of(&Source::open(path)?, &[], wanted)
    }

    #[test]
    fn bytes_stay_what_they_were() {
        let folder = std::env::temp_dir().join(format!("stepwell-sealed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("bytes");
        let bytes: Vec<u8> = (0..3 * PAGE_SIZE + 5).map(|i| (i * 7) as u8).collect();
        write_whole(&path, b"old").unwrap();
        write_whole(&path, &bytes).unwrap();
        for wanted in [TextBacking::Memfd, TextBacking::Anonymous] {
            let mut read = read(&path, wanted).unwrap();
            let mut copied = SealedBytes::copy_of(&Source::from(&*bytes), &[], wanted).unwrap();
            assert_eq!((read.backing(), copied.backing()), (wanted, wanted));
            for range in [PAGE_SIZE..2 * PAGE_SIZE + 9, 5..77, 2 * PAGE_SIZE..bytes.len()] {
                let text = read.text(range.clone()).unwrap();
                assert_eq!(text.to_vec().unwrap(), bytes[range.clone()]);
                assert_eq!(text.map_exec().unwrap().to_vec(), bytes[range]);
            }
            let text = read.text(0..PAGE_SIZE).unwrap();
            [&mut read, &mut copied].into_iter().for_each(SealedBytes::close);
            std::fs::write(&path, b"other").unwrap();
            assert_eq!((&*read, &*copied), (&*bytes, &*bytes));
            drop((read, copied));
            assert_eq!(text.map_exec().unwrap().to_vec(), bytes[..PAGE_SIZE]);
            std::fs::write(&path, &bytes).unwrap();
            // With something left out; and of a file that has become shorter since it was opened, what there is.
            let left_out = [1..9, 9..2 * PAGE_SIZE, 2 * PAGE_SIZE + 7..2 * PAGE_SIZE + 8];
            let mut expected = bytes.clone();
            left_out.iter().for_each(|range| expected[range.clone()].fill(0));
            for source in [Source::from(&*bytes), Source::open(&path).unwrap()] {
                assert_eq!(&*SealedBytes::copy_of(&source, &left_out, wanted).unwrap(), expected);
                let end = bytes.len() - 9;
                let cut = SealedBytes::copy_of(&source, &[3..4, end..bytes.len()], wanted).unwrap();
                assert_eq!((cut.len(), &cut[4..]), (end, &bytes[4..end]));
            }
            let source = Source::open(&path).unwrap();
            std::fs::write(&path, &bytes[..PAGE_SIZE]).unwrap();
            for left_out in [&[][..], &left_out, &[8..9], &[PAGE_SIZE..bytes.len() - 1]] {
                let shorter = SealedBytes::copy_of(&source, left_out, wanted).unwrap();
                assert_eq!(source.len(), bytes.len());
                assert!(shorter.len() <= PAGE_SIZE, "{left_out:?}");
                assert!(shorter[..] == bytes[..shorter.len()] || !left_out.is_empty());
            }
            std::fs::write(&path, &bytes).unwrap();
        }
        {
            let _refused = faults::refuse_memfd();
            let read = read(&path, TextBacking::Memfd).unwrap();
            assert_eq!((read.backing(), &*read), (TextBacking::Anonymous, &*bytes));
        }
        std::fs::write(&path, b"").unwrap();
        assert!(read(&path, TextBacking::Memfd).unwrap().is_empty());
        assert!(SealedBytes::copy_of(&Source::from(&b""[..]), &[], TextBacking::Memfd).unwrap().is_empty());
        for (wrong, says) in [(folder.as_path(), "no regular file"), (&folder.join("nobody"), "No such file")] {
            let error = read(wrong, TextBacking::Memfd).unwrap_err();
            assert!(error.kind() == ErrorKind::System && error.message().contains(says), "{error}");
        }
        for wrong in [folder.as_path(), &folder.join("nowhere/file"), Path::new("/")] {
            assert_eq!(write_whole(wrong, b"x").unwrap_err().kind(), ErrorKind::System);
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left lying about");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
