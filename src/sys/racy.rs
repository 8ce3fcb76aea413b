//! Bytes that other threads write at the same time: how the host reads and writes a shared memory. Each access is an
//! atomic one, so that there is no data race in Rust's sense; several bytes are not read or written at once. What the
//! bytes mean is for those above.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Bytes of a word.
const WORD: usize = size_of::<AtomicU64>();

/// How many single bytes come before the first whole word of a range, and how many words follow.
fn parts(start: usize, len: usize) -> (usize, usize) {
    let head = (start.next_multiple_of(WORD) - start).min(len);
    (head, (len - head) / WORD)
}

/// Reads a byte.
///
/// # Safety
/// It can be accessed, and is accessed by atomic instructions alone.
unsafe fn load(at: *const u8) -> u8 {
    // SAFETY: the caller's promise.
    unsafe { AtomicU8::from_ptr(at.cast_mut()) }.load(Ordering::Relaxed)
}

/// Writes a byte.
///
/// # Safety
/// As [`load`].
unsafe fn store(at: *mut u8, byte: u8) {
    // SAFETY: the caller's promise.
    unsafe { AtomicU8::from_ptr(at) }.store(byte, Ordering::Relaxed);
}

/// Reads a word.
///
/// # Safety
/// As [`load`], and it is aligned.
unsafe fn load_word(at: *const u8) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { AtomicU64::from_ptr(at.cast_mut().cast()) }.load(Ordering::Relaxed)
}

/// Writes a word.
///
/// # Safety
/// As [`load_word`].
unsafe fn store_word(at: *mut u8, word: u64) {
    // SAFETY: the caller's promise.
    unsafe { AtomicU64::from_ptr(at.cast()) }.store(word, Ordering::Relaxed);
}

/// Copies bytes out.
///
/// # Safety
/// So many bytes at `from` can be read. Whoever writes them meanwhile is a guest, or uses this module.
pub unsafe fn read(from: *const u8, to: &mut [u8]) {
    let (head, words) = parts(from.addr(), to.len());
    let (first, rest) = to.split_at_mut(head);
    let (middle, last) = rest.split_at_mut(words * WORD);
    let at = |offset: usize| from.wrapping_add(offset);
    // SAFETY: the caller's promise; words begin where they are aligned.
    unsafe {
        first.iter_mut().enumerate().for_each(|(i, byte)| *byte = load(at(i)));
        for (i, word) in middle.chunks_exact_mut(WORD).enumerate() {
            word.copy_from_slice(&load_word(at(head + i * WORD)).to_ne_bytes());
        }
        last.iter_mut().enumerate().for_each(|(i, byte)| *byte = load(at(head + words * WORD + i)));
    }
}

/// Copies bytes in.
///
/// # Safety
/// As [`read`]: so many bytes at `to` can be written.
pub unsafe fn write(from: &[u8], to: *mut u8) {
    let (head, words) = parts(to.addr(), from.len());
    let (first, rest) = from.split_at(head);
    let (middle, last) = rest.split_at(words * WORD);
    let at = |offset: usize| to.wrapping_add(offset);
    // SAFETY: the caller's promise; words begin where they are aligned.
    unsafe {
        first.iter().enumerate().for_each(|(i, byte)| store(at(i), *byte));
        for (i, word) in middle.as_chunks::<WORD>().0.iter().enumerate() {
            store_word(at(head + i * WORD), u64::from_ne_bytes(*word));
        }
        last.iter().enumerate().for_each(|(i, byte)| store(at(head + words * WORD + i), *byte));
    }
}

/// Makes all of `len` bytes this one.
///
/// # Safety
/// As [`write`].
pub unsafe fn fill(to: *mut u8, byte: u8, len: usize) {
    let (head, words) = parts(to.addr(), len);
    let at = |offset: usize| to.wrapping_add(offset);
    // SAFETY: the caller's promise; words begin where they are aligned.
    unsafe {
        (0..head).for_each(|i| store(at(i), byte));
        (0..words).for_each(|i| store_word(at(head + i * WORD), u64::from_ne_bytes([byte; WORD])));
        (head + words * WORD..len).for_each(|i| store(at(i), byte));
    }
}

/// Copies bytes, as if by way of a place of their own: the two ranges may overlap.
///
/// # Safety
/// As [`read`] and [`write`], of both.
pub unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    let alike = from.addr() % WORD == to.addr() % WORD;
    let (head, words) = if alike { parts(to.addr(), len) } else { (len, 0) };
    // SAFETY: the caller's promise; words begin where both are aligned.
    let byte = |i: usize| unsafe { store(to.wrapping_add(i), load(from.wrapping_add(i))) };
    let word = |i: usize| {
        let at = head + i * WORD;
        // SAFETY: as above.
        unsafe { store_word(to.wrapping_add(at), load_word(from.wrapping_add(at))) }
    };
    let tail = head + words * WORD..len;
    if to.addr().wrapping_sub(from.addr()) >= len {
        // What is written is not to be read any more.
        (0..head).for_each(byte);
        (0..words).for_each(word);
        tail.for_each(byte);
    } else {
        tail.rev().for_each(byte);
        (0..words).rev().for_each(word);
        (0..head).rev().for_each(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every start and length about a word, against plain copies.
    #[test]
    fn copies_are_as_plain_ones() {
        let fresh: Vec<u8> = (0..64).collect();
        for (from, to, len) in
            (0..18).flat_map(|from| (0..18).flat_map(move |to| (0..40).map(move |len| (from, to, len))))
        {
            let (mut copied, mut expected) = (fresh.clone(), fresh.clone());
            expected.copy_within(from..from + len, to);
            let at = copied.as_mut_ptr();
            // SAFETY: inside of the vector.
            unsafe { copy(at.wrapping_add(from), at.wrapping_add(to), len) };
            assert_eq!(copied, expected, "{len} bytes from {from} to {to}");
            let mut out = vec![0; len];
            // SAFETY: inside of the vector.
            unsafe { read(at.wrapping_add(from), &mut out) };
            assert_eq!(out, copied[from..from + len]);
            let (mut written, mut expected) = (fresh.clone(), fresh.clone());
            expected[to..to + len].copy_from_slice(&out);
            // SAFETY: inside of the vector.
            unsafe { write(&out, written.as_mut_ptr().wrapping_add(to)) };
            assert_eq!(written, expected);
            expected[from..from + len].fill(0xee);
            // SAFETY: inside of the vector.
            unsafe { fill(written.as_mut_ptr().wrapping_add(from), 0xee, len) };
            assert_eq!(written, expected);
        }
    }
}
