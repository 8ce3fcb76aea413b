//! What unwinders need to know of machine code, read from the code itself: where a function makes its frame, where its prologue saves
//! registers, and where the frame goes. Every compiled function begins with `push rbp; mov rbp, rsp`, saves registers by
//! `mov [rsp + n], register`, and ends with `mov rsp, rbp; pop rbp; ret`; in between, its caller is found by `rbp`. Code that begins in
//! another way is the stop stub, which pushes one word. What comes of it are the contents of an `.eh_frame` section with
//! absolute addresses.

use super::{FUNCTION_ALIGN, PreservedRegister};
use std::ops::Range;

/// DWARF's numbers of registers, by the processor's.
const DWARF: [u8; 16] = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];
const RBP: u8 = 6;
const RSP: u8 = 7;
const RETURN_ADDRESS: u8 = 16;

const DW_CFA_ADVANCE_LOC: u8 = 0x40;
const DW_CFA_OFFSET: u8 = 0x80;
const DW_CFA_RESTORE: u8 = 0xc0;
const DW_CFA_ADVANCE_LOC4: u8 = 0x04;
const DW_CFA_REMEMBER_STATE: u8 = 0x0a;
const DW_CFA_RESTORE_STATE: u8 = 0x0b;
const DW_CFA_DEF_CFA: u8 = 0x0c;
const DW_CFA_DEF_CFA_REGISTER: u8 = 0x0d;
const DW_CFA_DEF_CFA_OFFSET: u8 = 0x0e;

/// `push rbp; mov rbp, rsp`.
const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];
/// `mov rsp, rbp; pop rbp`.
const EPILOGUE: [u8; 4] = [0x48, 0x89, 0xec, 0x5d];
/// Functions, and the body behind an entry that checks the stack for it, begin at multiples of this.
const ALIGNMENT: usize = FUNCTION_ALIGN as usize;

/// The contents of an `.eh_frame` section for functions at these places of a text that is at `base`.
pub fn eh_frame(base: u64, text: &[u8], functions: impl IntoIterator<Item = Range<usize>>) -> Vec<u8> {
    let mut section = Vec::new();
    // One description of what is common: no augmentation, so that addresses are absolute.
    let mut common = vec![1, 0, 1, 0x78, RETURN_ADDRESS];
    common.extend([DW_CFA_DEF_CFA, RSP, 8, DW_CFA_OFFSET | RETURN_ADDRESS, 1]);
    push(&mut section, 0, &common);
    for function in functions {
        for part in parts(text, function) {
            let Some(code) = text.get(part.clone()) else { continue };
            let mut row = Vec::new();
            row.extend((base + part.start as u64).to_le_bytes());
            row.extend((part.len() as u64).to_le_bytes());
            Rows { row: &mut row, at: 0 }.describe(code);
            let distance = section.len() as u32 + 4;
            push(&mut section, distance, &row);
        }
    }
    section.extend(0u32.to_le_bytes());
    section
}

/// Adds an entry: what is common has no distance to it.
fn push(section: &mut Vec<u8>, distance: u32, contents: &[u8]) {
    // No-operations fill the entry up.
    let len = (contents.len() + 8).next_multiple_of(8) - 4;
    section.extend((len as u32).to_le_bytes());
    section.extend(distance.to_le_bytes());
    section.extend(contents);
    section.resize(section.len() + len - 4 - contents.len(), 0);
}

/// A function with a large frame is two: an entry that checks the stack, and its body.
fn parts(text: &[u8], function: Range<usize>) -> Vec<Range<usize>> {
    let begins = |at: &usize| text.get(*at..).is_some_and(|code| code.starts_with(&PROLOGUE));
    let second = (function.start.next_multiple_of(ALIGNMENT)..function.end).step_by(ALIGNMENT).skip(1).find(begins);
    match second {
        Some(second) if begins(&function.start) => vec![function.start..second, second..function.end],
        _ => vec![function],
    }
}

/// The rows of one function.
struct Rows<'a> {
    row: &'a mut Vec<u8>,
    /// What is described so far.
    at: usize,
}

impl Rows<'_> {
    fn describe(&mut self, code: &[u8]) {
        if !code.starts_with(&PROLOGUE) {
            // push qword ptr [rip + n]
            if code.starts_with(&[0xff, 0x35]) {
                self.advance(6);
                self.row.extend([DW_CFA_DEF_CFA_OFFSET, 16]);
            }
            return;
        }
        self.advance(1);
        self.row.extend([DW_CFA_DEF_CFA_OFFSET, 16, DW_CFA_OFFSET | RBP, 2]);
        self.advance(PROLOGUE.len());
        self.row.extend([DW_CFA_DEF_CFA_REGISTER, RBP]);
        let saved = saves(code);
        for (at, register, below) in &saved {
            self.advance(*at);
            self.row.push(DW_CFA_OFFSET | register);
            uleb(self.row, (below / 8) as u64);
        }
        let body = saved.last().map_or(PROLOGUE.len(), |last| last.0);
        for (at, end) in epilogues(code, body) {
            self.advance(at);
            self.row.extend([DW_CFA_REMEMBER_STATE, DW_CFA_DEF_CFA, RSP, 8, DW_CFA_RESTORE | RBP]);
            self.row.extend(saved.iter().map(|(_, register, _)| DW_CFA_RESTORE | register));
            self.advance(end);
            self.row.push(DW_CFA_RESTORE_STATE);
        }
    }

    fn advance(&mut self, to: usize) {
        match to - self.at {
            by @ 0..64 => self.row.push(DW_CFA_ADVANCE_LOC | by as u8),
            by => {
                self.row.push(DW_CFA_ADVANCE_LOC4);
                self.row.extend((by as u32).to_le_bytes());
            }
        }
        self.at = to;
    }
}

fn uleb(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// What a prologue saves: where the instruction ends, the register by DWARF's number, and how far below the CFA it stands.
fn saves(code: &[u8]) -> Vec<(usize, u8, i64)> {
    let (mut saved, mut at) = (Vec::new(), PROLOGUE.len());
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
        let bytes = match code.get(leaves..).unwrap_or_default() {
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
