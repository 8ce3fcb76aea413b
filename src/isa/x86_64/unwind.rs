//! What unwinders need to know of machine code, read from the code itself: where a function makes its frame, where its
//! prologue saves registers, and where the frame goes. Every compiled function begins with `push rbp; mov rbp, rsp`,
//! saves registers by `mov [rsp + n], register`, and ends with `mov rsp, rbp; pop rbp; ret`; in between, its caller is
//! found by `rbp`. A function whose tail calls have more arguments on the stack than it has itself moves `rbp`, and
//! what that points to, down in its prologue; one whose tail call has fewer moves the return address up before it
//! jumps. Code that begins in another way is the stop stub, which pushes one word.

use super::{FUNCTION_ALIGN, PreservedRegister};
use crate::isa::FrameRule;
use std::ops::Range;

/// DWARF's numbers of registers, by the processor's.
const DWARF: [u8; 16] = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];
const RBP: u8 = 6;
const RSP: u8 = 7;

/// DWARF's number of what holds the return address.
pub const DWARF_RETURN_ADDRESS: u8 = 16;
/// What is so at a function's first instruction: on the stack is the return address.
pub const ENTRY_RULES: &[FrameRule] =
    &[FrameRule::Begins { register: RSP, below: 8 }, FrameRule::Saved { register: DWARF_RETURN_ADDRESS, words: 1 }];

/// `push rbp; mov rbp, rsp`.
const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];
/// `mov rsp, rbp; pop rbp`.
const EPILOGUE: [u8; 4] = [0x48, 0x89, 0xec, 0x5d];
/// Functions, and the body behind an entry that checks the stack for it, begin at multiples of this.
const ALIGNMENT: usize = FUNCTION_ALIGN as usize;

/// A function with a large frame is two: an entry that checks the stack, and its body.
pub fn unwound_parts(text: &[u8], function: Range<usize>) -> Vec<Range<usize>> {
    let begins = |at: &usize| text.get(*at..).is_some_and(|code| code.starts_with(&PROLOGUE));
    let second = (function.start.next_multiple_of(ALIGNMENT)..function.end).step_by(ALIGNMENT).skip(1).find(begins);
    match second {
        Some(second) if begins(&function.start) => vec![function.start..second, second..function.end],
        _ => vec![function],
    }
}

/// What changes where in a function or the stop stub, in order.
pub fn frame_rules(code: &[u8]) -> Vec<(usize, FrameRule)> {
    if !code.starts_with(&PROLOGUE) {
        // push qword ptr [rip + n]
        let stub = code.starts_with(&[0xff, 0x35]);
        return if stub { vec![(6, FrameRule::BeginsBelow(16))] } else { Vec::new() };
    }
    let mut rules = vec![
        (1, FrameRule::BeginsBelow(16)),
        (1, FrameRule::Saved { register: RBP, words: 2 }),
        (PROLOGUE.len(), FrameRule::BeginsBy(RBP)),
    ];
    let lowered = lowering(code);
    if let Some(Lowering { at, end, by }) = lowered {
        rules.extend([(at, FrameRule::BeginsBelow(16 + by)), (end, FrameRule::BeginsBelow(16))]);
    }
    let saved = saves(code, lowered.map_or(PROLOGUE.len(), |lowered| lowered.end));
    let save = |(at, register, below): &(usize, u8, i64)| {
        (*at, FrameRule::Saved { register: *register, words: (below / 8) as u64 })
    };
    rules.extend(saved.iter().map(save));
    let body = saved.last().map_or(PROLOGUE.len(), |last| last.0);
    for (at, end) in epilogues(code, body) {
        let gone = [FrameRule::Remember, FrameRule::Begins { register: RSP, below: 8 }, FrameRule::Restored(RBP)];
        rules.extend(gone.map(|rule| (at, rule)));
        rules.extend(saved.iter().map(|(_, register, _)| (at, FrameRule::Restored(*register))));
        rules.push((end, FrameRule::Recall));
    }
    rules
}

/// Where a prologue moves the frame down.
#[derive(Clone, Copy)]
struct Lowering {
    /// From here on `rbp` is lower.
    at: usize,
    /// From here on it points to what it pointed to before.
    end: usize,
    /// By so many bytes.
    by: u32,
}

/// `mov rbp, rsp; mov r11, [rsp + n]; mov [rsp], r11; mov r11, [rsp + n + 8]; mov [rsp + 8], r11`, where a stack check
/// may come before.
fn lowering(code: &[u8]) -> Option<Lowering> {
    const FARTHEST: usize = 64;
    const LOWERED: [u8; 3] = [0x48, 0x89, 0xe5];
    let behind = code.get(PROLOGUE.len()..)?;
    let first =
        behind.windows(5).take(FARTHEST).position(|code| code.starts_with(&LOWERED) && code[3..] == [0x4c, 0x8b]);
    let at = PROLOGUE.len() + first? + LOWERED.len();
    // The offset of a load, which is of one byte or of four, and the bytes of the instruction.
    let load = |at: usize| match code.get(at..)? {
        [0x4c, 0x8b, 0x5c, 0x24, n, ..] => Some((u32::from(*n), 5)),
        [0x4c, 0x8b, 0x9c, 0x24, a, b, c, d, ..] => Some((u32::from_le_bytes([*a, *b, *c, *d]), 8)),
        _ => None,
    };
    let (by, first) = load(at)?;
    let (_, second) = load(at + first + 4)?;
    let end = at + first + 4 + second + 5;
    Some(Lowering { at, end, by })
}

/// What a prologue saves: where the instruction ends, the register by DWARF's number, and how far below the CFA it
/// stands.
fn saves(code: &[u8], from: usize) -> Vec<(usize, u8, i64)> {
    let (mut saved, mut at) = (Vec::new(), from);
    // How far the stack pointer is below the CFA.
    let mut depth: i64 = 16;
    let word = |bytes: [&u8; 4]| i64::from(i32::from_le_bytes(bytes.map(|byte| *byte)));
    loop {
        match code.get(at..).unwrap_or_default() {
            // sub rsp, n
            [0x48, 0x83, 0xec, n, ..] => (depth, at) = (depth + i64::from(*n as i8), at + 4),
            [0x48, 0x81, 0xec, a, b, c, d, ..] => (depth, at) = (depth + word([a, b, c, d]), at + 7),
            // mov [rsp + n], register
            [rex @ (0x48 | 0x4c), 0x89, modrm, 0x24, rest @ ..] if modrm & 7 == 4 => {
                let register = modrm >> 3 & 7 | (rex & 4) << 1;
                let (above, bytes) = match (modrm >> 6, rest) {
                    (0, _) => (0, 4),
                    (1, [n, ..]) => (i64::from(*n as i8), 5),
                    (2, [a, b, c, d, ..]) => (word([a, b, c, d]), 8),
                    _ => return saved,
                };
                let below = depth - above;
                // One that callees preserve; stores of others belong to the body.
                if PreservedRegister::numbered(register).is_none() || below < 24 || below % 8 != 0 {
                    return saved;
                }
                at += bytes;
                saved.push((at, DWARF[usize::from(register)], below));
            }
            _ => return saved,
        }
    }
}

/// Where the frame pointer is the caller's again, until the end of the instruction that leaves.
fn epilogues(code: &[u8], from: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(next) = code.get(at..).and_then(|rest| rest.windows(4).position(|bytes| bytes == EPILOGUE)) {
        let leaves = at + next + EPILOGUE.len();
        at = leaves;
        // From before a return address that is moved up until the stack pointer is, both are one.
        let moved = moved_up(code, leaves);
        let bytes = moved
            + match code.get(leaves + moved..).unwrap_or_default() {
                // ret; ret n; jmp n; jmp register
                [0xc3, ..] => 1,
                [0xc2, _, _, ..] => 3,
                [0xe9, _, _, _, _, ..] => 5,
                [0xff, 0xe0..=0xe7, ..] => 2,
                [0x41, 0xff, 0xe0..=0xe7, ..] => 3,
                _ => continue,
            };
        found.push((leaves, leaves + bytes));
        at = leaves + bytes;
    }
    found
}

/// The bytes of `mov register, [rsp]; mov [rsp + n], register; add rsp, n`, if they stand there.
fn moved_up(code: &[u8], at: usize) -> usize {
    // Of an instruction that ends with a number, by what it has in front of a number of one byte, or of four.
    let with_number = |code: &[u8], short: &dyn Fn(&[u8]) -> bool, long: &dyn Fn(&[u8]) -> bool, len: usize| {
        let head = code.get(..len)?;
        if short(head) { Some(len + 1) } else { long(head).then_some(len + 4) }
    };
    let found = || {
        let rest = code.get(at..)?;
        let [0x48 | 0x4c, 0x8b, load, 0x24, ..] = rest else { return None };
        let register = load & 0x38;
        let stored = rest.get(4..)?;
        let store = |mode: u8| move |head: &[u8]| matches!(head, [0x48 | 0x4c, 0x89, modrm, 0x24] if *modrm == mode | register | 4);
        let store = with_number(stored, &store(0x40), &store(0x80), 4)?;
        let added = stored.get(store..)?;
        let add = with_number(added, &|head| head == [0x48, 0x83, 0xc4], &|head| head == [0x48, 0x81, 0xc4], 3)?;
        (load & 0xc7 == 4).then_some(4 + store + add)
    };
    found().unwrap_or(0)
}
