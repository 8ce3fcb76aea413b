//! Exceptions as they were before `try_table`. A `try` has its clauses behind what they are for, and an exception that
//! a clause has caught has no name: `rethrow` says which clause it means. So two things have to be known of a body
//! before it is walked over, and are found here: what a `try` does with exceptions, when it is opened; and, where a
//! clause begins, whether its exception is thrown again in it, and has to be kept until then.
//!
//! What is kept is kept in a local that the function does not declare, behind those that it does. As many of these are
//! needed as clauses that have one stand in each other.
//!
//! ```text
//! try              handles: a clause for $a, one for all
//!   call $f
//! catch $a
//! catch_all        keeps its exception in the first local behind those that are declared
//!   try            delegates: what comes out of it is what comes out of the clause
//!     call $g
//!   delegate 0
//!   rethrow 0
//! end
//! ```

use super::body::{Instructions, Step, Walk};
use crate::base::{Result, TagIndex, WasmOffset};
use wasmparser::{FunctionBody, Operator};

/// The opcode of `try`.
const TRY: u8 = 0x06;

/// What a `try` does with the exceptions that come out of what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handling {
    /// It has clauses, each for the exceptions of a tag, or all. There may be none.
    Clauses(Vec<Option<TagIndex>>),
    /// They are those of the block at this depth, seen from outside of the `try`.
    Delegates(u32),
}

/// The `try`s of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Where each begins, and what it does, in order.
    handling: Vec<(WasmOffset, Handling)>,
    /// The clauses whose exceptions are kept, and in which of the locals for that; in order.
    kept: Vec<(WasmOffset, u32)>,
    /// How many locals that takes.
    locals: u32,
}

/// What is known of an open `try`.
#[derive(Clone, Copy)]
struct OpenTry {
    /// Its row.
    row: usize,
    /// Its clause at hand, how many clauses are open around that, and whether its exception is thrown again.
    clause: Option<(WasmOffset, u32, bool)>,
}

impl Tries {
    /// Those of a body. Most bodies have none, and are not looked through, unless a byte looks so.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`](crate::base::ErrorKind::Panic) for a fault of our own, or a body that was not validated.
    pub(super) fn of(body: &FunctionBody<'_>) -> Result<Tries> {
        if !body.as_bytes().contains(&TRY) {
            return Ok(Tries::default());
        }
        let mut tries = Tries::default();
        let mut walk: Walk<Option<OpenTry>> = Walk::over_all(None);
        // How many clauses are open.
        let mut open = 0;
        for instruction in Instructions::of(body)? {
            let instruction = instruction?;
            match instruction.operator {
                Operator::Catch { .. } | Operator::CatchAll => {
                    if let Some(known) = &mut walk.innermost()?.known {
                        match known.clause.take() {
                            Some(clause) => tries.close_clause(clause),
                            None => open += 1,
                        }
                        known.clause = Some((instruction.at, open - 1, false));
                        let tag = match instruction.operator {
                            Operator::Catch { tag_index } => Some(TagIndex::new(tag_index)),
                            _ => None,
                        };
                        if let Handling::Clauses(clauses) = &mut tries.handling[known.row].1 {
                            clauses.push(tag);
                        }
                    }
                }
                Operator::Delegate { relative_depth } => {
                    if let Some(known) = walk.innermost()?.known {
                        tries.handling[known.row].1 = Handling::Delegates(relative_depth);
                    }
                }
                Operator::Rethrow { relative_depth } => {
                    let target = &mut walk.target(relative_depth)?.known;
                    if let Some((_, _, again)) = target.as_mut().and_then(|known| known.clause.as_mut()) {
                        *again = true;
                    }
                }
                _ => {}
            }
            match walk.step(&instruction)? {
                Step::Open(_) if matches!(instruction.operator, Operator::Try { .. }) => {
                    walk.innermost()?.known = Some(OpenTry { row: tries.handling.len(), clause: None });
                    tries.handling.push((instruction.at, Handling::Clauses(Vec::new())));
                }
                Step::End { block, .. } => {
                    if let Some(clause) = block.known.and_then(|known| known.clause) {
                        tries.close_clause(clause);
                        open -= 1;
                    }
                }
                _ => {}
            }
        }
        tries.kept.sort_unstable();
        Ok(tries)
    }

    fn close_clause(&mut self, (at, around, again): (WasmOffset, u32, bool)) {
        if again {
            self.kept.push((at, around));
            self.locals = self.locals.max(around + 1);
        }
    }

    /// What the `try` at an offset does.
    pub fn handling(&self, at: WasmOffset) -> Option<&Handling> {
        let row = self.handling.binary_search_by_key(&at, |row| row.0).ok()?;
        Some(&self.handling[row].1)
    }

    /// In which of the locals for that the clause that begins at an offset keeps its exception, if it does.
    pub fn kept_at(&self, at: WasmOffset) -> Option<u32> {
        let row = self.kept.binary_search_by_key(&at, |row| row.0).ok()?;
        Some(self.kept[row].1)
    }

    /// How many locals are needed for what is kept.
    pub fn kept(&self) -> u32 {
        self.locals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::DefinedFuncIndex;
    use crate::wasm::{Features, parse};

    fn tries(text: &str, legacy_exceptions: bool) -> (Tries, Vec<(WasmOffset, String)>) {
        let module = format!("(module (tag $a) (tag $b (param i32)) (func $f) (func (export \"f\") {text}))");
        let binary = wat::parse_str(module).unwrap();
        let features = Features { legacy_exceptions: true, ..Features::default() };
        let mut info = parse(&binary, features, false).unwrap();
        info.legacy_exceptions = legacy_exceptions;
        let func = DefinedFuncIndex::new(1);
        let body = info.body(func, &binary).unwrap();
        let tries = info.tries(&body).unwrap();
        assert_eq!(info.kept_count(func, &binary), tries.kept());
        assert_eq!(
            info.frame_locals(func, &binary).len() as u64,
            info.locals_count(func, &binary) + u64::from(tries.kept())
        );
        let listed = |instruction: Result<crate::wasm::Instruction<'_>>| {
            let instruction = instruction.unwrap();
            (instruction.at, format!("{:?}", instruction.operator))
        };
        (tries, Instructions::of(&body).unwrap().map(listed).collect())
    }

    /// What each `try` does, and where the clauses keep what they have caught, in the order of the body.
    fn known(text: &str) -> (Vec<Handling>, Vec<Option<u32>>) {
        let (tries, instructions) = tries(text, true);
        let named = |names: &'static [&str]| {
            instructions.iter().filter(move |(_, name)| names.iter().any(|begin| name.starts_with(begin)))
        };
        let handling = named(&["Try "]).map(|(at, _)| tries.handling(*at).unwrap().clone()).collect();
        let kept = named(&["Catch ", "CatchAll"]).map(|(at, _)| tries.kept_at(*at)).collect();
        (handling, kept)
    }

    #[test]
    fn what_a_try_does_is_known_where_it_begins() {
        let text = "try try call $f delegate 1 try end catch $b drop catch $a catch_all try call $f delegate 0 end";
        let (a, b) = (Some(TagIndex::new(0)), Some(TagIndex::new(1)));
        let expected = [
            Handling::Clauses(vec![b, a, None]),
            Handling::Delegates(1),
            Handling::Clauses(vec![]),
            Handling::Delegates(0),
        ];
        assert_eq!(known(text), (expected.to_vec(), vec![None; 3]));
    }

    #[test]
    fn clauses_beside_each_other_share_a_local() {
        let text = "
            try call $f
            catch $a rethrow 0
            catch $b drop
              try call $f catch_all block rethrow 1 end end
              try call $f catch_all block rethrow 2 end end
              try rethrow 1 catch_all rethrow 0 end
            catch_all
            end
            try call $f catch_all try call $f catch_all try call $f catch_all rethrow 0 end end end";
        let (handling, kept) = known(text);
        assert_eq!(handling.len(), 7);
        assert_eq!(kept, [Some(0), Some(0), Some(1), None, Some(1), None, None, None, Some(2)]);
    }

    #[test]
    fn where_the_proposal_is_off_no_body_is_looked_through() {
        let text = "try call $f catch_all rethrow 0 end";
        assert_eq!(tries(text, true).0.kept(), 1);
        assert_eq!(tries(text, false).0, Tries::default());
        // Bytes that look so do no harm.
        assert_eq!(tries("i32.const 6 drop", true).0, Tries::default());
    }
}
