//! What unwinders are told of machine code: an `.eh_frame` section, whose rows say where a function's frame begins and
//! where the registers of its caller are. What changes where is read from the code, by the machine.

use super::{DWARF_RETURN_ADDRESS, ENTRY_RULES, frame_rules, unwound_parts};
use std::ops::Range;

/// What changes for unwinders from a place in a function on. Registers have DWARF's numbers. A frame begins where the
/// stack pointer was before the call: DWARF's *canonical frame address*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameRule {
    /// The frame begins so many bytes above what is in this register.
    Begins {
        /// The register.
        register: u8,
        /// How many bytes it is below.
        below: u32,
    },
    /// It begins so many bytes above the register by which it was found before.
    BeginsBelow(u32),
    /// It begins as many bytes above this register as above the one before.
    BeginsBy(u8),
    /// The caller's value of a register is so many words below where the frame begins.
    Saved {
        /// The register.
        register: u8,
        /// How many words.
        words: u64,
    },
    /// The caller's value of a register is as it was at the function's first instruction.
    Restored(u8),
    /// What is so is remembered.
    Remember,
    /// What was remembered is so again.
    Recall,
}

const DW_CFA_ADVANCE_LOC: u8 = 0x40;
const DW_CFA_OFFSET: u8 = 0x80;
const DW_CFA_RESTORE: u8 = 0xc0;
const DW_CFA_ADVANCE_LOC4: u8 = 0x04;
const DW_CFA_REMEMBER_STATE: u8 = 0x0a;
const DW_CFA_RESTORE_STATE: u8 = 0x0b;
const DW_CFA_DEF_CFA: u8 = 0x0c;
const DW_CFA_DEF_CFA_REGISTER: u8 = 0x0d;
const DW_CFA_DEF_CFA_OFFSET: u8 = 0x0e;

/// Offsets in code are told in bytes.
const CODE_UNIT: u8 = 1;
/// -8 as a signed number of seven bits: registers are told in words, downwards.
const DATA_UNIT: u8 = 0x78;

/// The contents of an `.eh_frame` section with absolute addresses, for functions at these places of a text that is at
/// `base`.
pub fn eh_frame(base: u64, text: &[u8], functions: impl IntoIterator<Item = Range<usize>>) -> Vec<u8> {
    let mut section = Vec::new();
    // One description of what is common: version 1, and no augmentation, so that addresses are absolute.
    let mut common = vec![1, 0, CODE_UNIT, DATA_UNIT, DWARF_RETURN_ADDRESS];
    ENTRY_RULES.iter().for_each(|rule| add_rule(&mut common, *rule));
    push(&mut section, 0, &common);
    for function in functions {
        for part in unwound_parts(text, function) {
            let Some(code) = text.get(part.clone()) else { continue };
            let mut row = Vec::new();
            row.extend((base + part.start as u64).to_le_bytes());
            row.extend((part.len() as u64).to_le_bytes());
            let mut here = 0;
            for (at, rule) in frame_rules(code) {
                advance(&mut row, at - here);
                add_rule(&mut row, rule);
                here = at;
            }
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

/// Goes so many bytes of code on.
fn advance(row: &mut Vec<u8>, by: usize) {
    match by {
        0 => {}
        1..64 => row.push(DW_CFA_ADVANCE_LOC | by as u8),
        _ => {
            row.push(DW_CFA_ADVANCE_LOC4);
            row.extend((by as u32).to_le_bytes());
        }
    }
}

fn add_rule(row: &mut Vec<u8>, rule: FrameRule) {
    match rule {
        FrameRule::Begins { register, below } => {
            row.extend([DW_CFA_DEF_CFA, register]);
            uleb(row, below.into());
        }
        FrameRule::BeginsBelow(below) => {
            row.push(DW_CFA_DEF_CFA_OFFSET);
            uleb(row, below.into());
        }
        FrameRule::BeginsBy(register) => row.extend([DW_CFA_DEF_CFA_REGISTER, register]),
        FrameRule::Saved { register, words } => {
            row.push(DW_CFA_OFFSET | register);
            uleb(row, words);
        }
        FrameRule::Restored(register) => row.push(DW_CFA_RESTORE | register),
        FrameRule::Remember => row.push(DW_CFA_REMEMBER_STATE),
        FrameRule::Recall => row.push(DW_CFA_RESTORE_STATE),
    }
}

fn uleb(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
