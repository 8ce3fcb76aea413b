//! What is in a directory, a piece at a time. What continues reading behind an entry is the position that the file
//! system itself gives for it, so it stays valid however much of the directory is created or removed in between, as far
//! as `seekdir` is on this file system. A program that reads on from where it was does not even depend on that: as the
//! C library does, a piece of the directory is kept.
//!
//! A cookie of preview 1 stands for a position. It has 64 bits, but `telldir` of 32-bit programs gives out 31 of them,
//! while some file systems use 63 for a position. So large positions are numbered, as far as that does not take too
//! much memory.

use super::errno::{Errno, Failure};
use rustix::fs::{AtFlags, FileType, RawDir, SeekFrom};
use std::collections::HashMap;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

/// How much of a directory is asked for at once.
const PIECE: usize = 1 << 15;

/// Positions below are cookies themselves; the numbers of larger ones begin here. Only every second is given out: a
/// program that adds one to a cookie does not come to another position, but to none.
const NUMBERS: u64 = 1 << 30;
const STEP: u64 = 2;
/// How many positions of one descriptor get a number. The cookies of others are the positions with this bit.
const MOST_NUMBERS: usize = 1 << 14;
const UNNUMBERED: u64 = 1 << 63;

/// The large positions that have a number. They keep it as long as the descriptor is open.
#[derive(Default)]
struct Numbers {
    positions: Vec<u64>,
    by_position: HashMap<u64, u64>,
}

impl Numbers {
    fn cookie(&mut self, position: u64) -> u64 {
        if position < NUMBERS {
            return position;
        }
        if let Some(&cookie) = self.by_position.get(&position) {
            return cookie;
        }
        if self.positions.len() >= MOST_NUMBERS {
            return position | UNNUMBERED;
        }
        let cookie = NUMBERS + self.positions.len() as u64 * STEP;
        self.positions.push(position);
        self.by_position.insert(position, cookie);
        cookie
    }

    fn position(&self, cookie: u64) -> Option<u64> {
        if cookie < NUMBERS {
            return Some(cookie);
        }
        if cookie & UNNUMBERED != 0 {
            return Some(cookie & !UNNUMBERED);
        }
        let number = (cookie - NUMBERS) / STEP;
        let known = (cookie - NUMBERS).is_multiple_of(STEP);
        self.positions.get(usize::try_from(number).ok()?).filter(|_| known).copied()
    }
}

/// An entry of a directory.
pub(super) struct Item {
    /// The position of the entry behind it.
    pub(super) next: u64,
    /// What the guest calls that.
    pub(super) cookie: u64,
    pub(super) inode: u64,
    pub(super) filetype: FileType,
    pub(super) name: CString,
}

/// The piece of a directory that was read last.
#[derive(Default)]
pub(super) struct Listing {
    /// The position of the first item. The directory's own position is behind the last one.
    start: u64,
    items: Vec<Item>,
    /// The item that was asked for last.
    last: usize,
    /// Whether the directory was read at all.
    known: bool,
    numbers: Numbers,
}

impl Listing {
    /// The position that a cookie stands for; `None` for one that was never given out: behind that there is nothing.
    pub(super) fn position(&self, cookie: u64) -> Option<u64> {
        self.numbers.position(cookie)
    }

    /// The entry at a position; `None` at the end. `fresh` looks at the directory anew.
    pub(super) fn item(&mut self, dir: impl AsFd, position: u64, fresh: bool) -> Result<Option<&Item>, Failure> {
        let here = match fresh || !self.known {
            true => None,
            false => self.find(position),
        };
        let index = match here {
            Some(index) if index < self.items.len() => index,
            // Behind the last one stands the directory's own position; elsewhere it must be set.
            other => {
                self.read(dir, position, other.is_none())?;
                0
            }
        };
        self.last = index;
        Ok(self.items.get(index))
    }

    /// The index of the item at this position, or of the one that would come behind the last.
    fn find(&self, position: u64) -> Option<usize> {
        let is = |index: usize| match index.checked_sub(1) {
            None => self.start == position,
            Some(before) => self.items[before].next == position,
        };
        // Nearly always it is the next one.
        let next = (self.last + 1).min(self.items.len());
        if is(next) { Some(next) } else { (0..=self.items.len()).find(|&index| is(index)) }
    }

    fn read(&mut self, dir: impl AsFd, position: u64, seek: bool) -> Result<(), Failure> {
        self.known = false;
        self.items.clear();
        if seek {
            let to = i64::try_from(position).map_err(|_| Errno::Invalid)?;
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
            let next = entry.next_entry_cookie();
            let cookie = self.numbers.cookie(next);
            let item = Item { next, cookie, inode: entry.ino(), filetype, name: name.to_owned() };
            self.items.push(item);
            if raw.is_buffer_empty() {
                break;
            }
        }
        (self.start, self.known) = (position, true);
        Ok(())
    }
}
