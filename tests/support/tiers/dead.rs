//! Modules full of code that cannot be reached, from fixed seeds: behind `br`, `br_table`, `return` and `unreachable`
//! stand loops, blocks with parameters, `if` with and without `else`, and instructions that take operands which are not
//! there. wasm-smith makes little of that.

use super::case::Case;
use super::random::Random;

/// Blocks in blocks, at most.
const DEEPEST: usize = 4;

/// The case of a seed. Its loops need not end: the engine is to count fuel.
pub fn case(seed: u64) -> Case {
    let mut writer = Writer { random: Random::of(seed, 77), text: String::new(), labels: Vec::new() };
    for name in ["a", "b"] {
        writer.text += &format!("(func ${name} (export \"{name}\") (param i32 i32) (result i32) (local i32 i64)\n");
        writer.labels = vec![true];
        writer.body(0, true);
        writer.text += ")\n";
    }
    let text = format!(
        "(module (memory 1) (global (mut i32) (i32.const 3)) (func $c (export \"c\") (param i32) (result i32) local.get 0)\n{})",
        writer.text
    );
    let binary = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    Case { calls: 3, ..Case::new(format!("dead-{seed}"), vec![("dead".to_owned(), binary)]) }
}

struct Writer {
    random: Random,
    text: String,
    /// Whether a branch to each open block takes an `i32`.
    labels: Vec<bool>,
}

impl Writer {
    fn say(&mut self, text: &str) {
        self.text += text;
        self.text.push('\n');
    }

    /// A block's instructions; they leave an `i32` where there is to be a `result`.
    fn body(&mut self, depth: usize, result: bool) {
        for _ in 0..self.random.below(5) {
            self.statement(depth);
        }
        let mut dead = self.random.below(3) > 0 && depth > 0;
        if dead {
            dead = self.leave();
            for _ in 0..self.random.below(4) {
                if dead && self.random.one_in(2) {
                    self.junk(depth);
                } else {
                    self.statement(depth);
                }
            }
        }
        if result && !(dead && self.random.one_in(2)) {
            self.value();
        }
    }

    fn value(&mut self) {
        match self.random.below(5) {
            0..=1 => {
                let text = format!("local.get {}", self.random.below(3));
                self.say(&text);
            }
            2 => self.say("global.get 0"),
            3 => self.say("i32.const 8 i32.load"),
            _ => {
                let text = format!("i32.const {}", self.random.below(4));
                self.say(&text);
            }
        }
    }

    /// An open block, by its depth, among those that take an `i32` or those that do not.
    fn label(&mut self, takes: bool) -> Option<usize> {
        let depths: Vec<usize> =
            (0..self.labels.len()).filter(|depth| self.labels[self.labels.len() - 1 - depth] == takes).collect();
        (!depths.is_empty()).then(|| self.random.pick(&depths))
    }

    /// Leaves the block for good; `false` where it did not.
    fn leave(&mut self) -> bool {
        let takes = self.random.one_in(2);
        match (self.random.below(8), self.label(takes)) {
            (0, _) => self.say("unreachable"),
            (1, _) => {
                self.value();
                self.say("return");
            }
            (_, None) => return false,
            (2..=3, Some(first)) => {
                let others: Vec<_> = (0..self.random.below(3)).filter_map(|_| self.label(takes)).collect();
                if takes {
                    self.value();
                }
                self.value();
                let others: String = others.iter().map(|depth| format!("{depth} ")).collect();
                self.say(&format!("br_table {others}{first}"));
            }
            (_, Some(depth)) => {
                if takes {
                    self.value();
                }
                self.say(&format!("br {depth}"));
            }
        }
        true
    }

    /// What is valid only where control does not come.
    fn junk(&mut self, depth: usize) {
        match self.random.below(12) {
            0 => self.say("loop end"),
            1 => self.say("i32.add drop"),
            2 => self.say("loop (param i32) (result i32) br 0 end drop"),
            3 => self.say("if else loop end end"),
            4 => self.say("block (param i32 i64) (result i64 i32) loop nop end unreachable end drop drop"),
            5 => self.say("select drop"),
            6 => self.say("unreachable loop nop end"),
            7 => self.say("call $c drop"),
            8 => self.say("local.set 3 local.tee 2 drop"),
            9 => self.say("loop loop unreachable return end end"),
            10 => self.say("i32.store drop loop end"),
            _ => {
                self.say("loop");
                self.labels.push(false);
                self.body(depth + 1, false);
                self.labels.pop();
                self.say("end");
            }
        }
    }

    fn block(&mut self, depth: usize, head: &str, takes: bool, result: bool) {
        self.say(head);
        self.labels.push(takes);
        self.body(depth + 1, result);
        self.labels.pop();
    }

    /// Something that leaves the operand stack as it was.
    fn statement(&mut self, depth: usize) {
        if depth >= DEEPEST || self.random.one_in(2) {
            return self.plain();
        }
        match self.random.below(7) {
            0 => self.block(depth, "block", false, false),
            1 => self.block(depth, "loop", false, false),
            2 => {
                self.block(depth, "block (result i32)", true, true);
                return self.say("end drop");
            }
            3 => {
                self.value();
                self.block(depth, "block (param i32) (result i32) drop", true, true);
                return self.say("end drop");
            }
            4 => {
                self.value();
                self.block(depth, "loop (param i32) (result i32) local.set 2", true, true);
                return self.say("end local.set 1");
            }
            5 => {
                self.value();
                self.block(depth, "if", false, false);
                if self.random.one_in(2) {
                    self.block(depth, "else", false, false);
                }
            }
            _ => {
                self.value();
                self.block(depth, "if (result i32)", true, true);
                self.block(depth, "else", true, true);
                return self.say("end local.set 2");
            }
        }
        self.say("end");
    }

    fn plain(&mut self) {
        match self.random.below(9) {
            0 => self.say("nop"),
            1 => self.say("local.get 0 local.get 1 i32.sub local.set 0"),
            2 => self.say("i32.const 8 local.get 0 i32.store"),
            3 => self.say("local.get 1 i32.const 1 i32.add global.set 0"),
            4 => self.say("local.get 2 call $c local.set 2"),
            5 => self.say("local.get 0 local.get 1 i32.div_u local.set 1"),
            6 => match self.label(false) {
                Some(depth) => {
                    self.value();
                    self.say(&format!("br_if {depth}"));
                }
                None => self.say("nop"),
            },
            7 => match self.label(true) {
                Some(depth) => {
                    self.value();
                    self.value();
                    self.say(&format!("br_if {depth} drop"));
                }
                None => self.say("nop"),
            },
            _ => self.say("i64.const 5 local.set 3"),
        }
    }
}
