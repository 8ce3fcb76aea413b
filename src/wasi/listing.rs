//! What is in a directory, a piece at a time. A cookie of preview 1 is the position that the file system itself gives for the
//! entry behind it, so it stays valid however much of the directory is created or removed in between, as far as `seekdir` is
//! on this file system. A program that reads on from where it was does not even depend on that: as the C library does, a piece
//! of the directory is kept.

use super::errno::{Errno, Failure};
use rustix::fs::{AtFlags, FileType, RawDir, SeekFrom};
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

/// How much of a directory is asked for at once.
const PIECE: usize = 1 << 15;

/// An entry of a directory.
pub(super) struct Item {
    /// The cookie of the entry behind it.
    pub(super) next: u64,
    pub(super) inode: u64,
    pub(super) filetype: FileType,
    pub(super) name: CString,
}

/// The piece of a directory that was read last.
#[derive(Default)]
pub(super) struct Listing {
    /// The cookie of the first item. The directory's own position is behind the last one.
    start: u64,
    items: Vec<Item>,
    /// The item that was asked for last.
    last: usize,
    /// Whether the directory was read at all.
    known: bool,
}

impl Listing {
    /// The entry with this cookie; `None` at the end. `fresh` looks at the directory anew.
    pub(super) fn item(&mut self, dir: impl AsFd, cookie: u64, fresh: bool) -> Result<Option<&Item>, Failure> {
        let here = match fresh || !self.known {
            true => None,
            false => self.find(cookie),
        };
        let index = match here {
            Some(index) if index < self.items.len() => index,
            // Behind the last one stands the directory's own position; elsewhere it must be set.
            other => {
                self.read(dir, cookie, other.is_none())?;
                0
            }
        };
        self.last = index;
        Ok(self.items.get(index))
    }

    /// The index of the item with this cookie, or of the one that would come behind the last.
    fn find(&self, cookie: u64) -> Option<usize> {
        let is = |index: usize| match index.checked_sub(1) {
            None => self.start == cookie,
            Some(before) => self.items[before].next == cookie,
        };
        // Nearly always it is the next one.
        let next = (self.last + 1).min(self.items.len());
        if is(next) { Some(next) } else { (0..=self.items.len()).find(|&index| is(index)) }
    }

    fn read(&mut self, dir: impl AsFd, cookie: u64, seek: bool) -> Result<(), Failure> {
        self.known = false;
        self.items.clear();
        if seek {
            let to = i64::try_from(cookie).map_err(|_| Errno::Invalid)?;
            rustix::fs::seek(&dir, SeekFrom::Start(to as u64))?;
        }
        let mut buffer = vec![MaybeUninit::uninit(); PIECE];
        let mut raw = RawDir::new(&dir, &mut buffer);
        while let Some(entry) = raw.next() {
            let entry = match entry {
                // A directory that is removed and still open is empty, without even `.`; Linux says it so.
                Err(rustix::io::Errno::NOENT) => break,
                entry => entry?,
            };
            let mut filetype = entry.file_type();
            let name = entry.file_name();
            if filetype == FileType::Unknown {
                // Some file systems do not say it here. One that is gone by now stays unknown.
                if let Ok(stat) = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                    filetype = FileType::from_raw_mode(stat.st_mode);
                }
            }
            let item = Item { next: entry.next_entry_cookie(), inode: entry.ino(), filetype, name: name.to_owned() };
            self.items.push(item);
            if raw.is_buffer_empty() {
                break;
            }
        }
        (self.start, self.known) = (cookie, true);
        Ok(())
    }
}
