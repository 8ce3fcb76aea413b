//! A step by lines of the source, as a debugger's user means it: which instructions of a frame belong to the line that
//! it began in, and which one ends it. It is asked about one instruction after the other, and knows no store: which
//! frames it is in, and which code is armed for it, is the affair of `stepping.rs`.

use crate::base::{DefinedFuncIndex, WasmOffset};
use crate::dwarf::{FunctionLines, RowLine, RowScope};
use crate::runtime::{Module, ModuleId};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// So many functions are kept.
const MOST_KNOWN: usize = 256;

/// The lines of the functions that steps have come to.
#[derive(Default)]
pub(super) struct KnownLines(HashMap<(ModuleId, DefinedFuncIndex), Arc<FunctionLines>>);

impl KnownLines {
    /// Those of a function.
    pub(super) fn of(&mut self, module: &Module, func: DefinedFuncIndex) -> Arc<FunctionLines> {
        let key = (module.id(), func);
        if let Some(known) = self.0.get(&key) {
            return known.clone();
        }
        if self.0.len() >= MOST_KNOWN {
            self.0.clear();
        }
        let lines = Arc::new(module.function_lines(func));
        self.0.insert(key, lines.clone());
        lines
    }

    /// Forgets all: who gives a module more debug information is heard when the next step begins.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// What a step through lines goes into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Enters {
    /// Nothing that is called or inlined.
    Nothing,
    /// All of it.
    All,
    /// What the call at this instruction of its frame's function calls.
    Call(WasmOffset),
}

impl Enters {
    /// Whether it goes into what a call at an instruction calls.
    pub(super) fn into_call_at(self, wasm: WasmOffset) -> bool {
        self == Enters::All || self == Enters::Call(wasm)
    }
}

/// A step through lines.
pub(super) struct LineStep {
    /// What it goes into.
    enters: Enters,
    /// Whether it goes into what is called where it is.
    into: bool,
    /// The frame that it goes through, by its id.
    frame: usize,
    lines: Arc<FunctionLines>,
    /// The line that it goes through; `None` where whatever line begins next ends it.
    line: Option<RowLine>,
    /// The function of the source that it began in: what is inlined into that is passed over, unless it goes into it.
    scope: Option<RowScope>,
    /// It has come into a function, and ends behind what sets up its frame: there.
    until: Option<WasmOffset>,
    /// Instructions that are known to belong to it.
    same: Range<WasmOffset>,
    /// Whether the instruction that was seen last hands the frame on to another function.
    pub(super) leaves: bool,
    /// Whether a function without lines is being run through, until it returns.
    pub(super) running_through: bool,
}

impl LineStep {
    /// A step from an instruction of a frame, whose function has lines.
    pub(super) fn new(enters: Enters, frame: usize, lines: Arc<FunctionLines>, wasm: WasmOffset) -> LineStep {
        let row = lines.row_at(wasm);
        let line = row.map(|row| row.line);
        let same = row.map_or(wasm..wasm, |row| row.code.clone());
        LineStep {
            enters,
            into: enters.into_call_at(wasm),
            frame,
            line: line.filter(|line| line.is_some()),
            scope: line.map(RowLine::scope),
            lines,
            until: None,
            same,
            leaves: false,
            running_through: false,
        }
    }

    /// Whether it goes into what is called.
    pub(super) fn goes_in(&self) -> bool {
        self.into
    }

    /// Whether it goes into one call alone, and has not come into another frame.
    pub(super) fn has_chosen(&self) -> bool {
        matches!(self.enters, Enters::Call(_))
    }

    /// It comes to an instruction of its frame: whether it goes into calls from there on, and has not before, or not
    /// any more.
    pub(super) fn turns_at(&mut self, wasm: WasmOffset) -> bool {
        let now = self.enters.into_call_at(wasm);
        std::mem::replace(&mut self.into, now) != now
    }

    /// The lines of its function.
    pub(super) fn lines(&self) -> Arc<FunctionLines> {
        self.lines.clone()
    }

    /// The id of its frame.
    pub(super) fn frame(&self) -> usize {
        self.frame
    }

    /// Whether it has come into a function and is still where that sets up its frame.
    pub(super) fn sets_up(&self) -> bool {
        self.until.is_some()
    }

    /// Whether who comes to this instruction in its frame has just been called, and the frame that was there is gone.
    pub(super) fn is_entered_anew(&self, wasm: WasmOffset) -> bool {
        self.lines.is_entered_at(wasm)
    }

    /// It goes on in this frame, and ends wherever a line begins.
    pub(super) fn move_to(&mut self, frame: usize, lines: Arc<FunctionLines>) {
        (self.frame, self.lines) = (frame, lines);
        (self.line, self.scope, self.until) = (None, None, None);
        self.enters = if self.into { Enters::All } else { Enters::Nothing };
        self.same = WasmOffset::new(0)..WasmOffset::new(0);
        (self.leaves, self.running_through) = (false, false);
    }

    /// It has come into a function that was called, and ends behind what sets up its frame.
    pub(super) fn enter(&mut self, frame: usize, lines: Arc<FunctionLines>) {
        let body = lines.body();
        self.move_to(frame, lines);
        self.until = Some(body);
    }

    /// Whether it ends at this instruction of its frame.
    #[inline]
    pub(super) fn ends_at(&mut self, wasm: WasmOffset) -> bool {
        if self.same.contains(&wasm) { false } else { self.ends_at_other(wasm) }
    }

    fn ends_at_other(&mut self, wasm: WasmOffset) -> bool {
        if let Some(until) = self.until {
            if wasm < until {
                return false;
            }
            self.until = None;
            if wasm == until {
                return true;
            }
        }
        let Some(row) = self.lines.row_at(wasm) else { return false };
        let line = row.line;
        if !line.is_some() || self.line == Some(line) || self.passes_over(line.scope()) {
            self.same = row.code.clone();
            return false;
        }
        if row.begins_at(wasm) {
            return true;
        }
        // In the middle of another line. Should the guest come back to the one that the step began in, that is a line
        // which begins, too.
        (self.line, self.scope) = (None, Some(line.scope()));
        self.same = wasm..row.code.end;
        false
    }

    /// Whether code of this function of the source is inlined into the one that the step stays in.
    fn passes_over(&self, scope: RowScope) -> bool {
        !self.into && self.scope.is_some_and(|own| self.lines.is_inside(scope, own))
    }
}
