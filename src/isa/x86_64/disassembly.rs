//! Machine code as text. What is code in a function is found by going where it leads: the code generator puts constants
//! behind functions and tables of jumps between instructions, and those are not taken for instructions.
//!
//! The crate that does it is there with the feature `disassembler` alone, and in tests of this library.

use crate::isa::Decoded;

/// The instructions of a function, and what stands between them. [`None`] where the library was built without the
/// feature `disassembler`.
///
/// `code` is the function, which begins `start` bytes into its text; at each of `known`, in bytes from its start, an
/// instruction begins, as at its first byte.
#[cfg(not(any(feature = "disassembler", test)))]
pub fn disassemble(_code: &[u8], _start: u32, _known: &[usize]) -> Option<Vec<Decoded>> {
    None
}

/// The same, with the feature.
#[cfg(any(feature = "disassembler", test))]
pub fn disassemble(code: &[u8], start: u32, known: &[usize]) -> Option<Vec<Decoded>> {
    Some(decode::Decoding::of(code, start, known))
}

#[cfg(any(feature = "disassembler", test))]
mod decode {
    use super::Decoded;
    use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Formatter, Instruction, IntelFormatter, OpKind};

    /// The bytes of an entry of a table of jumps, which says how far it is from the table to where it leads.
    const ENTRY: usize = 4;

    /// A function that is being decoded.
    pub(super) struct Decoding<'a> {
        code: &'a [u8],
        start: u64,
        /// For each byte, whether it is of an instruction that was found.
        covered: Vec<bool>,
        found: Vec<(usize, Instruction)>,
        due: Vec<usize>,
        /// What addresses were taken of: there may be tables.
        taken: Vec<usize>,
    }

    impl<'a> Decoding<'a> {
        pub(super) fn of(code: &'a [u8], start: u32, known: &[usize]) -> Vec<Decoded> {
            let mut decoding = Decoding {
                code,
                start: u64::from(start),
                covered: vec![false; code.len()],
                found: Vec::new(),
                due: Vec::new(),
                taken: Vec::new(),
            };
            // What is certain comes first.
            for at in std::iter::once(&0).chain(known) {
                decoding.due.push(*at);
                decoding.follow(known);
            }
            decoding.told()
        }

        /// Decodes what is due, and what it leads to.
        fn follow(&mut self, known: &[usize]) {
            while let Some(mut at) = self.due.pop() {
                while let Some(instruction) = self.decode(at) {
                    let end = at + instruction.len();
                    if self.covered[at..end].iter().any(|covered| *covered) {
                        break;
                    }
                    self.covered[at..end].fill(true);
                    self.found.push((at, instruction));
                    if let Some(taken) = self.address_taken(&instruction) {
                        self.taken.push(taken);
                    }
                    match instruction.flow_control() {
                        FlowControl::UnconditionalBranch => {
                            self.due.extend(self.target(&instruction));
                            break;
                        }
                        FlowControl::ConditionalBranch => self.due.extend(self.target(&instruction)),
                        FlowControl::IndirectBranch => {
                            if self.taken.contains(&end) {
                                self.read_table(end, known);
                            }
                            break;
                        }
                        FlowControl::Return | FlowControl::Exception => break,
                        _ => {}
                    }
                    at = end;
                }
            }
        }

        fn decode(&self, at: usize) -> Option<Instruction> {
            let mut decoder = Decoder::with_ip(64, self.code.get(at..)?, self.start + at as u64, DecoderOptions::NONE);
            if !decoder.can_decode() {
                return None;
            }
            let instruction = decoder.decode();
            (instruction.code() != Code::INVALID).then_some(instruction)
        }

        /// An offset in the text as one in the function.
        fn inside(&self, offset: u64) -> Option<usize> {
            usize::try_from(offset.checked_sub(self.start)?).ok().filter(|at| *at < self.code.len())
        }

        fn target(&self, instruction: &Instruction) -> Option<usize> {
            let near =
                matches!(instruction.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
            if near { self.inside(instruction.near_branch_target()) } else { None }
        }

        /// What a `lea` of the function's own text gives.
        fn address_taken(&self, instruction: &Instruction) -> Option<usize> {
            let is_lea = instruction.code() == Code::Lea_r64_m && instruction.is_ip_rel_memory_operand();
            if is_lea { self.inside(instruction.ip_rel_memory_address()) } else { None }
        }

        /// Where the entries of a table lead. It ends where an instruction begins.
        fn read_table(&mut self, table: usize, known: &[usize]) {
            let mut end = known.iter().copied().filter(|at| *at >= table).min().unwrap_or(usize::MAX);
            end = end.min(self.code.len());
            let mut at = table;
            while at + ENTRY <= end && !self.covered[at] {
                let Some(bytes) = self.code[at..].first_chunk::<ENTRY>() else { break };
                let distance = i64::from(i32::from_le_bytes(*bytes));
                let target = usize::try_from(table as i64 + distance).ok();
                let Some(target) = target.filter(|target| *target < self.code.len()) else { break };
                if target > table {
                    end = end.min(target);
                }
                self.due.push(target);
                at += ENTRY;
            }
        }

        /// All of it, in order.
        fn told(mut self) -> Vec<Decoded> {
            self.found.sort_by_key(|(at, _)| *at);
            let mut formatter = IntelFormatter::new();
            let options = formatter.options_mut();
            options.set_hex_prefix("0x");
            options.set_hex_suffix("");
            options.set_uppercase_hex(false);
            options.set_branch_leading_zeros(false);
            options.set_space_after_operand_separator(true);
            let mut told = Vec::with_capacity(self.found.len());
            let mut next = 0;
            for (at, instruction) in &self.found {
                if *at > next {
                    told.push(Decoded { bytes: next..*at, text: None });
                }
                let mut text = String::new();
                formatter.format(instruction, &mut text);
                next = at + instruction.len();
                told.push(Decoded { bytes: *at..next, text: Some(text) });
            }
            if next < self.code.len() {
                told.push(Decoded { bytes: next..self.code.len(), text: None });
            }
            told
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Rows of a function that begins at 0x100.
        fn rows(code: &[u8], known: &[usize]) -> Vec<(usize, Option<String>)> {
            let rows = Decoding::of(code, 0x100, known);
            let mut next = 0;
            for row in &rows {
                assert_eq!(row.bytes.start, next, "rows follow each other");
                next = row.bytes.end;
            }
            assert_eq!(next, code.len());
            rows.into_iter().map(|row| (row.bytes.start, row.text)).collect()
        }

        fn text(text: &str) -> Option<String> {
            Some(text.to_owned())
        }

        #[test]
        fn data_is_no_code() {
            // push rbp; mov rbp, rsp; jmp over two bytes that look like code; pop rbp; ret; a constant.
            let code: [u8; 16] =
                [0x55, 0x48, 0x89, 0xe5, 0xeb, 0x02, 0xb8, 0x01, 0x5d, 0xc3, 0x00, 0x00, 0xf0, 0x3f, 0x0f, 0x0b];
            let expected = vec![
                (0, text("push rbp")),
                (1, text("mov rbp, rsp")),
                (4, text("jmp short 0x108")),
                (6, None),
                (8, text("pop rbp")),
                (9, text("ret")),
                (10, None),
            ];
            assert_eq!(rows(&code, &[]), expected);
            // What nothing leads to is code where it is known to be.
            let known = rows(&code, &[14]);
            assert_eq!(known[..6], expected[..6]);
            assert_eq!(known[6..], [(10, None), (14, text("ud2"))]);
            // What is wrongly said to be code does not hide what is.
            assert_eq!(rows(&code, &[5])[..3], expected[..3]);
        }

        #[test]
        fn tables_of_jumps_lead_to_code() {
            let mut code = vec![
                0x48, 0x8d, 0x05, 0x09, 0x00, 0x00, 0x00, // lea rax, [the table]
                0x48, 0x63, 0x0c, 0xb8, // movsxd rcx, [rax + rdi * 4]
                0x48, 0x01, 0xc8, // add rax, rcx
                0xff, 0xe0, // jmp rax
            ];
            let table = code.len();
            code.extend(8i32.to_le_bytes());
            code.extend(9i32.to_le_bytes());
            code.extend([0x90, 0xc3]);
            let rows = rows(&code, &[]);
            assert_eq!(rows[4..], [(table, None), (table + 8, text("nop")), (table + 9, text("ret"))]);
            // Where no address of it was taken, it is none.
            code[3] = 0x0a;
            assert_eq!(super::tests::rows(&code, &[])[4..], [(table, None)]);
            // One that leads nowhere ends there.
            code[3] = 0x09;
            code[table + 4..table + 8].copy_from_slice(&i32::MAX.to_le_bytes());
            assert_eq!(
                super::tests::rows(&code, &[])[4..],
                [(table, None), (table + 8, text("nop")), (table + 9, text("ret"))]
            );
        }

        #[test]
        fn nothing_is_read_beyond_the_end() {
            for code in [&[][..], &[0xe8, 0, 0][..], &[0xff, 0xe0][..], &[0x06][..], &[0xeb, 0x7f][..]] {
                let rows = rows(code, &[0, 1, 2, 100]);
                assert!(rows.len() <= code.len());
            }
        }
    }
}
