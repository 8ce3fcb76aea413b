//! Where objects stand: blocks of lines, holes between what is live, and blocks of their own for what is large.

use crate::abi::{HEAP_OBJECTS, HEAP_RANGE, VMHeap};
use crate::sys::pages::Reservation;

/// Bytes of a block.
pub(super) const BLOCK: u32 = 32 << 10;
/// Bytes of a line.
pub(super) const LINE: u32 = 128;
const LINES: usize = (BLOCK / LINE) as usize;
/// What is longer has blocks of its own, unless compiled code has found room for it in a hole.
const LARGE: u64 = BLOCK as u64 / 4;
/// So many blocks are made accessible at once.
const STEP: usize = 32;
/// The least that is made between two collections: what is made again and again in so little stays near the processor.
const LEAST: u64 = 4 << 20;
/// The most that is made between two collections beyond twice what was live.
const BEYOND: u64 = 8 << 20;
/// The most blocks that there can be.
const MOST: usize = ((HEAP_RANGE - HEAP_OBJECTS as u64) / BLOCK as u64) as usize;

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Full {
    /// So much was made since the last collection that there should be another.
    Due,
    /// All that the heap may have is taken: without a collection there is no room.
    Limit,
}

/// What a block is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Nothing.
    Free,
    /// Objects in lines.
    Lines,
    /// A large object begins there, which has so many blocks.
    Large(u32),
    /// A large object goes on there.
    Rest,
}

/// The most blocks within so many bytes.
fn most_within(limit: u64) -> usize {
    usize::try_from(limit / u64::from(BLOCK)).unwrap_or(MOST).min(MOST)
}

/// The blocks of a heap.
pub(super) struct Blocks {
    uses: Vec<Use>,
    /// For each line of each block the number of the last collection that has found something live in it.
    lines: Vec<u8>,
    /// The number of the last collection, never 0.
    number: u8,
    /// Blocks that are free, the lowest last.
    free: Vec<u32>,
    /// Blocks with holes that nobody has filled yet, the lowest last.
    holed: Vec<u32>,
    /// The block that holes are taken of, and its first line that was not looked at.
    at: (usize, usize),
    /// Room for what is longer than a line.
    next: u64,
    end: u64,
    accessible: usize,
    /// The most blocks that there may be.
    most: usize,
    /// Bytes that are live, and those made since, and how many these may become.
    live: u64,
    made: u64,
    budget: u64,
}

impl Blocks {
    pub(super) fn new(limit: u64) -> Blocks {
        Blocks {
            uses: Vec::new(),
            lines: Vec::new(),
            number: 1,
            free: Vec::new(),
            holed: Vec::new(),
            at: (0, LINES),
            next: 0,
            end: 0,
            accessible: 0,
            most: most_within(limit),
            live: 0,
            made: 0,
            budget: LEAST,
        }
    }

    pub(super) fn set_limit(&mut self, limit: u64) {
        self.most = most_within(limit);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.live + self.made
    }

    /// Where a block begins.
    fn start(block: usize) -> u64 {
        u64::from(HEAP_OBJECTS) + block as u64 * u64::from(BLOCK)
    }

    /// Whether something of the heap is at this offset.
    #[inline]
    pub(super) fn contains(&self, at: u32) -> bool {
        at >= HEAP_OBJECTS && u64::from(at) < Blocks::start(self.uses.len())
    }

    pub(super) fn allocate(&mut self, space: &mut Reservation, vm: &mut VMHeap, bytes: u64) -> Result<u32, Full> {
        if bytes > LARGE {
            return self.large(space, bytes);
        }
        // Compiled code has looked there before it came here; the host has not.
        if bytes <= vm.end - vm.next {
            let at = vm.next;
            vm.next += bytes;
            return Ok(at as u32);
        }
        if bytes > u64::from(LINE) {
            if bytes > self.end - self.next {
                let block = self.fresh(space)?;
                (self.next, self.end) = (Blocks::start(block), Blocks::start(block + 1));
                self.made += u64::from(BLOCK);
            }
            let at = self.next;
            self.next += bytes;
            return Ok(at as u32);
        }
        loop {
            if let Some((start, end)) = self.hole() {
                self.made += end - start;
                (vm.next, vm.end) = (start + bytes, end);
                return Ok(start as u32);
            }
            let block = match self.holed.pop() {
                Some(_) if self.made >= self.budget => return Err(Full::Due),
                Some(block) => block as usize,
                None => self.fresh(space)?,
            };
            self.at = (block, 0);
        }
    }

    /// The next hole of the block at hand.
    fn hole(&mut self) -> Option<(u64, u64)> {
        let (block, from) = self.at;
        if from >= LINES {
            return None;
        }
        let lines = &self.lines[block * LINES..(block + 1) * LINES];
        let is_free = |line: &u8| *line != self.number;
        let first = from + lines[from..].iter().position(is_free).unwrap_or(LINES - from);
        let end = first + lines[first..].iter().position(|line| !is_free(line)).unwrap_or(LINES - first);
        self.at = (block, end);
        let at = |line: usize| Blocks::start(block) + line as u64 * u64::from(LINE);
        (end > first).then(|| (at(first), at(end)))
    }

    /// A block with nothing in it, for objects in lines.
    fn fresh(&mut self, space: &mut Reservation) -> Result<usize, Full> {
        if self.made >= self.budget {
            return Err(Full::Due);
        }
        self.check_limit(1)?;
        let block = match self.free.pop() {
            Some(block) => block as usize,
            None => self.extend(space, 1)?,
        };
        self.uses[block] = Use::Lines;
        Ok(block)
    }

    /// How many blocks are not free.
    fn in_use(&self) -> usize {
        self.uses.len() - self.free.len()
    }

    /// Refuses to use so many blocks more, if that is too many. The limit may be lower than what there is by now.
    fn check_limit(&self, count: usize) -> Result<(), Full> {
        if count <= self.most.saturating_sub(self.in_use()) { Ok(()) } else { Err(Full::Limit) }
    }

    /// So many blocks more, one behind the other: the first.
    fn extend(&mut self, space: &mut Reservation, count: usize) -> Result<usize, Full> {
        let first = self.uses.len();
        let end = first.checked_add(count).filter(|end| *end <= self.most).ok_or(Full::Limit)?;
        if end > self.accessible {
            let accessible = end.next_multiple_of(STEP).min(self.most.max(end));
            let range = Blocks::start(self.accessible) as usize..Blocks::start(accessible) as usize;
            // What the system does not give is no room either.
            space.make_accessible(range).map_err(|_| Full::Limit)?;
            self.accessible = accessible;
        }
        self.uses.resize(end, Use::Free);
        self.lines.resize(end * LINES, 0);
        Ok(first)
    }

    /// Room for a large object.
    fn large(&mut self, space: &mut Reservation, bytes: u64) -> Result<u32, Full> {
        if self.made > 0 && self.made.saturating_add(bytes) > self.budget {
            return Err(Full::Due);
        }
        let count = usize::try_from(bytes.div_ceil(u64::from(BLOCK))).map_err(|_| Full::Limit)?;
        self.check_limit(count)?;
        let first = match self.free_run(count) {
            Some(first) => first,
            None => self.extend(space, count)?,
        };
        self.uses[first] = Use::Large(count as u32);
        self.uses[first + 1..first + count].fill(Use::Rest);
        self.made += count as u64 * u64::from(BLOCK);
        Ok(Blocks::start(first) as u32)
    }

    /// So many free blocks one behind the other, which are taken off the list.
    fn free_run(&mut self, count: usize) -> Option<usize> {
        // From the lowest on: the list is in descending order.
        let mut run = 0;
        for at in (0..self.free.len()).rev() {
            let follows = run > 0 && self.free[at + 1] + 1 == self.free[at];
            run = if follows { run + 1 } else { 1 };
            if run == count {
                let first = self.free[at + count - 1] as usize;
                self.free.drain(at..at + count);
                return Some(first);
            }
        }
        None
    }

    /// Whether so much was made, or so little room is left, that there should be a collection.
    pub(super) fn is_due(&self) -> bool {
        let left = self.most.saturating_sub(self.in_use());
        // Not each time that somebody asks: where a heap is nearly full of what is live, half the rest is used first.
        let scarce = left < self.most / 4 && self.made > left as u64 * u64::from(BLOCK) / 2;
        self.made >= self.budget || scarce
    }

    /// There is no collection when one is due, but a little later.
    pub(super) fn put_off(&mut self, bytes: u64) {
        self.budget = self.made.saturating_add(bytes).saturating_add(LEAST);
    }

    /// A collection begins. The holes that were filled are none any more.
    pub(super) fn begin(&mut self, vm: &mut VMHeap) {
        (vm.next, vm.end, self.next, self.end) = (0, 0, 0, 0);
        self.at = (0, LINES);
        self.number = match self.number.checked_add(1) {
            Some(number) => number,
            None => {
                self.lines.fill(0);
                1
            }
        };
        self.live = 0;
    }

    /// An object of so many bytes at this offset is live.
    #[inline]
    pub(super) fn mark(&mut self, at: u32, bytes: u64) {
        let from = u64::from(at - HEAP_OBJECTS);
        self.live += bytes;
        // Whatever its size: compiled code puts what fits into the hole at hand, which may be all of a block.
        let (first, last) = (from / u64::from(LINE), (from + bytes - 1) / u64::from(LINE));
        // Most are in one line, and no call is made for it.
        self.lines[first as usize] = self.number;
        if last > first {
            self.lines[first as usize + 1..=last as usize].fill(self.number);
        }
    }

    /// The ranges of offsets in which nothing is live, after a collection.
    pub(super) fn free_ranges(&self) -> impl Iterator<Item = std::ops::Range<u64>> + '_ {
        let lines = self.lines.chunks(LINES).zip(&self.uses).enumerate();
        lines.flat_map(move |(block, (lines, of))| {
            let free = move |line: &u8| match of {
                Use::Free => true,
                Use::Lines => *line != self.number,
                Use::Large(_) | Use::Rest => false,
            };
            let at = move |line: usize| Blocks::start(block) + line as u64 * u64::from(LINE);
            let free = lines.iter().enumerate().filter(move |(_, line)| free(line));
            free.map(move |(line, _)| at(line)..at(line + 1))
        })
    }

    /// All that is live is marked; of large objects `is_live` knows.
    pub(super) fn end(&mut self, is_live: impl Fn(u32) -> bool) {
        self.free.clear();
        self.holed.clear();
        for block in (0..self.uses.len()).rev() {
            match self.uses[block] {
                Use::Free => self.free.push(block as u32),
                Use::Lines => {
                    let lines = &self.lines[block * LINES..(block + 1) * LINES];
                    let live = lines.iter().filter(|line| **line == self.number).count();
                    if live == 0 {
                        self.uses[block] = Use::Free;
                        self.free.push(block as u32);
                    } else if live < LINES {
                        self.holed.push(block as u32);
                    }
                }
                Use::Large(count) if !is_live(Blocks::start(block) as u32) => {
                    let blocks = block..block + count as usize;
                    self.uses[blocks.clone()].fill(Use::Free);
                    // Those behind the first were passed over already.
                    self.free.extend(blocks.rev().map(|block| block as u32));
                }
                Use::Large(_) | Use::Rest => {}
            }
        }
        self.made = 0;
        // Small heaps are looked through less often than their size says: that memory is soon there.
        self.budget = LEAST.max(2 * self.live + (2 * self.live).min(BEYOND));
    }
}
