//! Reads expressions, by descent: what stands where in a text. It knows no module, so that a text is read once and held
//! against any. Whatever the text is, reading it ends, and neither the stack nor what is made of it grows beyond
//! limits.

use super::number::{Binary, Class, Kind, Number, Style, Unary};
use super::syntax::{Expr, Node, Register, Span, Type};
use crate::base::{Error, ErrorKind, Escaped, Result};
use std::fmt;

/// The longest text, in bytes.
const MAX_TEXT: usize = 4096;
/// How deep parentheses and signs may be nested.
const MAX_DEPTH: usize = 48;
/// So many operators may be in a text. What is read is a tree, which is walked on the guest's stack.
const MAX_OPERATORS: usize = 128;
/// So many arguments a call has at most.
const MAX_ARGUMENTS: usize = 32;

/// Operators of two, by how tightly they bind; of those that begin alike the longest first.
const OPERATORS: &[(&str, u8, Operator)] = &[
    ("||", 1, Operator::Either),
    ("&&", 2, Operator::Both),
    ("|", 3, Operator::Of(Binary::Or)),
    ("^", 4, Operator::Of(Binary::Xor)),
    ("&", 5, Operator::Of(Binary::And)),
    ("==", 6, Operator::Of(Binary::Equal)),
    ("!=", 6, Operator::Of(Binary::Unequal)),
    ("<<", 8, Operator::Of(Binary::Left)),
    (">>", 8, Operator::Of(Binary::Right)),
    ("<=", 7, Operator::Of(Binary::LessOrEqual)),
    (">=", 7, Operator::Of(Binary::GreaterOrEqual)),
    ("<", 7, Operator::Of(Binary::Less)),
    (">", 7, Operator::Of(Binary::Greater)),
    ("+", 9, Operator::Of(Binary::Add)),
    ("-", 9, Operator::Of(Binary::Subtract)),
    ("*", 10, Operator::Of(Binary::Multiply)),
    ("/", 10, Operator::Of(Binary::Divide)),
    ("%", 10, Operator::Of(Binary::Remainder)),
];

#[derive(Clone, Copy)]
enum Operator {
    Both,
    Either,
    Of(Binary),
}

/// Reads a text.
pub(super) fn read(text: &str) -> Result<Expr> {
    if text.len() > MAX_TEXT {
        let message = format!("an expression of {} bytes is too long; the most is {MAX_TEXT}", text.len());
        return Err(Error::new(ErrorKind::Argument, message));
    }
    let mut parser = Parser { text, at: 0, depth: 0, operators: 0 };
    let root = parser.assignment()?;
    if !parser.rest().is_empty() {
        return parser.expected("an operator, or the end");
    }
    Ok(root)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    operators: usize,
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The name at the start of a text, which may be empty.
fn word(text: &str) -> &str {
    if !text.starts_with(is_name_start) {
        return "";
    }
    &text[..text.find(|c| !is_name_part(c)).unwrap_or(text.len())]
}

/// The operator of two at the start of a text: its sign, how tightly it binds, and whether an `=` makes it assign.
fn operator(rest: &str) -> Option<(&'static str, u8, Operator, bool)> {
    let &(sign, binds, operator) = OPERATORS.iter().find(|(sign, ..)| rest.starts_with(sign))?;
    let assigns = matches!(operator, Operator::Of(op) if !op.compares())
        && rest[sign.len()..].starts_with('=')
        && !rest[sign.len()..].starts_with("==");
    Some((sign, binds, operator, assigns))
}

impl<'t> Parser<'t> {
    /// What is left, behind spaces.
    fn rest(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn span(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    fn wrong<T>(&self, at: Span, what: impl fmt::Display) -> Result<T> {
        Err(at.wrong(self.text, what))
    }

    /// What is wrong with what stands here.
    fn expected<T>(&mut self, what: &str) -> Result<T> {
        let rest = self.rest();
        let name = word(rest);
        let length = match rest.chars().next() {
            None => return self.wrong(self.span(self.at), format_args!("expected {what}, found the end")),
            Some(_) if !name.is_empty() => name.len(),
            Some(first) => first.len_utf8(),
        };
        let at = Span::new(self.at, self.at + length);
        self.wrong(at, format_args!("expected {what}, found `{}`", Escaped(&rest[..length])))
    }

    fn takes(&mut self, sign: &str) -> bool {
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len();
        }
        there
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.takes(sign) { Ok(()) } else { self.expected(&format!("`{sign}`")) }
    }

    /// One more operator.
    fn count(&mut self, at: Span) -> Result<()> {
        self.operators += 1;
        match self.operators > MAX_OPERATORS {
            true => self.wrong(at, format_args!("an expression has {MAX_OPERATORS} operators at most")),
            false => Ok(()),
        }
    }

    /// Reads what is inside of something.
    fn inside(&mut self, read: impl FnOnce(&mut Self) -> Result<Expr>) -> Result<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let at = self.span(self.at);
            return self.wrong(at, format_args!("this is nested too deep: more than {MAX_DEPTH} levels"));
        }
        let inner = read(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    /// All that there is: what binds least.
    fn assignment(&mut self) -> Result<Expr> {
        let target = self.choice()?;
        let rest = self.rest();
        let start = self.at;
        let (length, op) = match operator(rest) {
            Some((sign, _, Operator::Of(op), true)) => (sign.len() + 1, Some(op)),
            None if rest.starts_with('=') => (1, None),
            _ => return Ok(target),
        };
        self.at += length;
        let at = self.span(start);
        self.count(at)?;
        let is_place = matches!(
            target.node,
            Node::Name(_)
                | Node::Register(Register::Local(_) | Register::Operand(_) | Register::Global(_) | Register::Named(_))
                | Node::Memory(..)
                | Node::Member(..)
                | Node::Arrow(..)
                | Node::Index(..)
                | Node::Dereference(_)
        );
        if !is_place {
            let what = "what is in front of this cannot be assigned: it is no variable, register or memory";
            return self.wrong(at, what);
        }
        let value = self.inside(Parser::assignment)?;
        Ok(Expr { at, node: Node::Assign(op, Box::new(target), Box::new(value)) })
    }

    fn choice(&mut self) -> Result<Expr> {
        let condition = self.operation(1)?;
        if !self.rest().starts_with('?') {
            return Ok(condition);
        }
        self.at += 1;
        let at = self.span(self.at - 1);
        self.count(at)?;
        let yes = self.inside(Parser::assignment)?;
        self.expect(":")?;
        let no = self.inside(Parser::choice)?;
        Ok(Expr { at, node: Node::Choose(Box::new([condition, yes, no])) })
    }

    /// What binds at least so tightly. Operators that bind alike go from left to right.
    fn operation(&mut self, least: u8) -> Result<Expr> {
        let mut left = self.unary()?;
        loop {
            let rest = self.rest();
            let Some((sign, binds, operator, false)) = operator(rest) else { return Ok(left) };
            if binds < least {
                return Ok(left);
            }
            let start = self.at;
            self.at += sign.len();
            let at = self.span(start);
            self.count(at)?;
            let (a, b) = (Box::new(left), Box::new(self.operation(binds + 1)?));
            let node = match operator {
                Operator::Both => Node::Both(a, b),
                Operator::Either => Node::Either(a, b),
                Operator::Of(op) => Node::Binary(op, a, b),
            };
            left = Expr { at, node };
        }
    }

    fn unary(&mut self) -> Result<Expr> {
        let rest = self.rest();
        let start = self.at;
        let first = rest.chars().next();
        if let Some(sign @ ('*' | '&' | '-' | '+' | '!' | '~')) = first {
            self.at += 1;
            let at = self.span(start);
            self.count(at)?;
            let of = Box::new(self.inside(Parser::unary)?);
            // What is a constant with its sign is one.
            if let ('-', Node::Number(number)) = (sign, &of.node)
                && let Ok(mut number) = number.unary(Unary::Minus)
            {
                // The least that there is has no counterpart.
                if number.bits == 1 << 127 {
                    number.kind.class = Class::Signed;
                }
                return Ok(Expr { at: self.span(start), node: Node::Number(number) });
            }
            let node = match sign {
                '*' => Node::Dereference(of),
                '&' => Node::AddressOf(of),
                '-' => Node::Unary(Unary::Minus, of),
                '+' => Node::Unary(Unary::Plus, of),
                '!' => Node::Not(of),
                _ => Node::Unary(Unary::Invert, of),
            };
            return Ok(Expr { at, node });
        }
        if first == Some('(')
            && let Some(ty) = self.cast()
        {
            let at = self.span(start);
            self.count(at)?;
            let of = Box::new(self.inside(Parser::unary)?);
            return Ok(Expr { at, node: Node::Cast(ty, of) });
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Expr> {
        let mut value = self.primary()?;
        loop {
            self.rest();
            let start = self.at;
            if self.takes("->") {
                let (at, name) = self.member(start)?;
                value = Expr { at, node: Node::Arrow(Box::new(value), name) };
            } else if self.takes(".") {
                let (at, name) = self.member(start)?;
                value = Expr { at, node: Node::Member(Box::new(value), name) };
            } else if self.takes("[") {
                self.count(self.span(start))?;
                let index = self.inside(Parser::assignment)?;
                self.expect("]")?;
                let at = self.span(start);
                value = Expr { at, node: Node::Index(Box::new(value), Box::new(index)) };
            } else {
                return Ok(value);
            }
        }
    }

    /// A member's name: of a tuple, its number.
    fn member(&mut self, start: usize) -> Result<(Span, Box<str>)> {
        self.count(self.span(start))?;
        let rest = self.rest();
        let length = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
        if length == 0 {
            return self.expected("a member's name");
        }
        let start = self.at;
        self.at += length;
        Ok((self.span(start), rest[..length].into()))
    }

    /// What no operator stands in.
    fn primary(&mut self) -> Result<Expr> {
        let rest = self.rest();
        let start = self.at;
        match rest.chars().next() {
            Some('(') => {
                self.at += 1;
                let inner = self.inside(Parser::assignment)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some('$') => self.register(),
            Some('\'') => self.letter(),
            Some('"') => {
                self.at += 1;
                let at = self.span(start);
                self.wrong(at, "texts cannot be compared or written; letters can, as in `name[0] == 'x'`")
            }
            Some('0'..='9') => self.constant(),
            Some('.') if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.constant(),
            Some(first) if is_name_start(first) || rest.starts_with("::") => self.named(),
            _ => self.expected("a value: a variable, a number, `$local0`, `i32[...]`"),
        }
    }

    fn register(&mut self) -> Result<Expr> {
        let rest = self.rest();
        let start = self.at;
        let length = 1 + rest[1..].find(|c: char| !(is_name_part(c) || c == '.')).unwrap_or(rest.len() - 1);
        let name = &rest[1..length];
        self.at += length;
        let at = self.span(start);
        if name.is_empty() {
            return self.wrong(at, "expected a register: `$local0`, `$stack0`, `$global0`, `$pc`, or the name of one");
        }
        let numbered = |kind: &str, make: fn(u32) -> Register| {
            let digits = name.strip_prefix(kind).filter(|rest| !rest.is_empty())?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().map(make))
        };
        let found = numbered("local", Register::Local)
            .or_else(|| numbered("stack", Register::Operand))
            .or_else(|| numbered("global", Register::Global));
        let register = match found {
            Some(Ok(register)) => register,
            Some(Err(_)) => return self.wrong(at, format_args!("`${name}` is beyond all indices")),
            None if name == "pc" => Register::Pc,
            None => Register::Named(name.into()),
        };
        Ok(Expr { at, node: Node::Register(register) })
    }

    fn letter(&mut self) -> Result<Expr> {
        let rest = self.rest();
        let start = self.at;
        // Up to the quote that ends it.
        let mut escaped = false;
        let end = rest[1..].char_indices().find(|(_, c)| {
            let ends = *c == '\'' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((length, _)) = end else {
            self.at = self.text.len();
            return self.wrong(self.span(start), "this letter has no `'` at its end");
        };
        let inside = &rest[1..1 + length];
        self.at += length + 2;
        match letter(inside) {
            Some(number) => Ok(Expr { at: self.span(start), node: Node::Number(Number::int(number as i32)) }),
            None => self.wrong(self.span(start), "expected one letter between the quotes, as in 'x' or '\\n'"),
        }
    }

    fn constant(&mut self) -> Result<Expr> {
        let rest = self.rest();
        let start = self.at;
        let hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
        let end = rest
            .char_indices()
            .find(|(i, c)| {
                let exponent = !hexadecimal && *i > 0 && matches!(rest.as_bytes()[i - 1], b'e' | b'E');
                !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || (matches!(c, '+' | '-') && exponent))
            })
            .map_or(rest.len(), |(i, _)| i);
        let word = &rest[..end];
        self.at += end;
        match constant(&word.replace('_', "")) {
            Some(number) => Ok(Expr { at: self.span(start), node: Node::Number(number) }),
            None => self.wrong(self.span(start), format_args!("`{}` is no number of 128 bits", Escaped(word))),
        }
    }

    /// A name with its namespaces, and what it means where something in parentheses or brackets follows.
    fn named(&mut self) -> Result<Expr> {
        let rest = self.rest();
        let start = self.at;
        let mut end = 0;
        loop {
            let colons = if rest[end..].starts_with("::") { 2 } else { 0 };
            let part = word(&rest[end + colons..]);
            if part.is_empty() {
                if end + colons == 0 || colons > 0 {
                    self.at += end + colons;
                    return self.expected("a name behind `::`");
                }
                break;
            }
            end += colons + part.len();
            if !rest[end..].starts_with("::") {
                break;
            }
        }
        let name = &rest[..end];
        self.at += end;
        let at = self.span(start);
        let next = self.rest().chars().next();
        match next {
            Some('(') if matches!(name, "local" | "global") => {
                self.at += 1;
                return self.indexed(start, name);
            }
            Some('(') => {
                self.at += 1;
                self.count(at)?;
                if let Some(kind) = number_type(&[name]) {
                    let of = Box::new(self.inside(Parser::assignment)?);
                    self.expect(")")?;
                    return Ok(Expr { at, node: Node::Cast(Type::Number(kind), of) });
                }
                return self.call(at, name);
            }
            Some('[') if Kind::of_wasm(name).is_some() => {
                self.at += 1;
                self.count(at)?;
                let address = Box::new(self.inside(Parser::assignment)?);
                self.expect("]")?;
                let kind = Kind::of_wasm(name).unwrap_or(Kind::INT);
                return Ok(Expr { at, node: Node::Memory(kind, address) });
            }
            _ => {}
        }
        let node = match name {
            "true" => Node::Number(Number::bool(true)),
            "false" => Node::Number(Number::bool(false)),
            _ => Node::Name(name.into()),
        };
        Ok(Expr { at, node })
    }

    /// `local(0)` and `global(0)`, behind the parenthesis.
    fn indexed(&mut self, start: usize, name: &str) -> Result<Expr> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
        if !rest.starts_with(|c: char| c.is_ascii_digit()) {
            return self.expected(&format!("the index of a {name}"));
        }
        let index_at = Span::new(self.at, self.at + length);
        self.at += length;
        let Some(index) = constant(&rest[..length]).filter(|index| !index.kind.is_float()) else {
            return self.wrong(index_at, format_args!("the index of a {name} is an integer"));
        };
        let Ok(index) = u32::try_from(index.bits) else {
            return self.wrong(index_at, format_args!("{} is beyond all indices", index.bits));
        };
        self.expect(")")?;
        let register = if name == "local" { Register::Local(index) } else { Register::Global(index) };
        Ok(Expr { at: self.span(start), node: Node::Register(register) })
    }

    /// The arguments of a call, behind the parenthesis.
    fn call(&mut self, at: Span, name: &str) -> Result<Expr> {
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                if arguments.len() == MAX_ARGUMENTS {
                    return self.wrong(at, format_args!("a call has {MAX_ARGUMENTS} arguments at most"));
                }
                let argument = self.inside(Parser::assignment)?;
                self.count(argument.at)?;
                arguments.push(argument);
                if self.takes(")") {
                    break;
                }
                if !self.takes(",") {
                    return self.expected("`,` or `)`");
                }
            }
        }
        Ok(Expr { at, node: Node::Call(name.into(), arguments) })
    }

    /// The type of a cast, if there is one in the parentheses that stand here; behind them then.
    fn cast(&mut self) -> Option<Type> {
        let begin = self.at;
        let found = self.type_in_parentheses();
        if found.is_none() {
            self.at = begin;
        }
        found
    }

    fn type_in_parentheses(&mut self) -> Option<Type> {
        self.takes("(");
        let mut words: Vec<&str> = Vec::new();
        let mut tagged = false;
        loop {
            let rest = self.rest();
            let end = type_word(rest)?;
            if end == 0 {
                break;
            }
            self.at += end;
            match &rest[..end] {
                "const" | "volatile" | "restrict" => {}
                "struct" | "union" | "enum" | "class" => tagged = true,
                word => words.push(word),
            }
        }
        let mut pointers = 0u8;
        while self.takes("*") {
            pointers = pointers.checked_add(1)?;
            while let qualifier @ ("const" | "volatile" | "restrict") = word(self.rest()) {
                self.at += qualifier.len();
            }
        }
        if !self.takes(")") {
            return None;
        }
        match (&words[..], number_type(&words)) {
            (_, Some(kind)) if !tagged && pointers == 0 => Some(Type::Number(kind)),
            (_, Some(kind)) if !tagged => Some(Type::PointerToNumber(kind, pointers)),
            (["void"], _) if !tagged && pointers > 0 => Some(Type::PointerToVoid(pointers)),
            // `(name)` in front of a value can be nothing else, nor can `(name *)`.
            ([name], _) if tagged || pointers > 0 || begins_value(self.rest()) => {
                Some(Type::Named((*name).into(), pointers))
            }
            _ => None,
        }
    }
}

/// Whether what follows parentheses can only be a value that they are a cast of.
fn begins_value(rest: &str) -> bool {
    let is_not = rest.starts_with('!') && !rest.starts_with("!=");
    is_not || rest.starts_with(|c: char| is_name_start(c) || c.is_ascii_digit() || matches!(c, '(' | '$' | '\'' | '~'))
}

/// How long the word at the start of a type is: a name with its namespaces and their arguments in `<>`. `None` for what
/// is no type.
fn type_word(text: &str) -> Option<usize> {
    let mut end = 0;
    loop {
        let part = word(&text[end..]);
        if part.is_empty() {
            return if end == 0 { Some(0) } else { None };
        }
        end += part.len();
        if text[end..].starts_with('<') {
            let mut open = 0;
            let closed = text[end..].char_indices().find(|(_, c)| {
                open += i32::from(*c == '<') - i32::from(*c == '>');
                open == 0
            });
            end += closed?.0 + 1;
        }
        if !text[end..].starts_with("::") {
            return Some(end);
        }
        end += 2;
    }
}

/// A number's type by its words: C's, in whatever order, or one of Wasm and Rust.
fn number_type(words: &[&str]) -> Option<Kind> {
    if let [word] = words {
        if let Some(kind) = Kind::of_wasm(word) {
            return Some(kind);
        }
        match *word {
            "size_t" | "uintptr_t" | "usize" => return Some(Kind::of(Class::Unsigned, 32, Style::Long)),
            "ssize_t" | "intptr_t" | "ptrdiff_t" | "isize" => return Some(Kind::of(Class::Signed, 32, Style::Long)),
            _ => {}
        }
        let fixed = word.strip_suffix("_t").and_then(|word| Some((word.find("int")?, word.replacen("int", "i", 1))));
        if let Some((0 | 1, name)) = fixed {
            let kind =
                Kind::of_wasm(name.strip_prefix("ui").map(|bits| format!("u{bits}")).as_deref().unwrap_or(&name));
            return kind.map(|kind| Kind { style: Style::C, ..kind });
        }
    }
    let count = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
    let known = ["signed", "unsigned", "char", "short", "int", "long", "float", "double", "bool", "_Bool", "__int128"];
    if words.is_empty() || words.iter().any(|word| !known.contains(word)) {
        return None;
    }
    let (signed, unsigned, longs) = (count("signed"), count("unsigned"), count("long"));
    let class = if unsigned > 0 { Class::Unsigned } else { Class::Signed };
    let rest: Vec<&str> =
        words.iter().copied().filter(|word| !matches!(*word, "signed" | "unsigned" | "long" | "int")).collect();
    if signed + unsigned > 1 || longs > 2 || count("int") > 1 || rest.len() > 1 {
        return None;
    }
    let plain = signed + unsigned + longs + count("int") == 0;
    Some(match (rest.first().copied(), longs) {
        (None, 0) => Kind::of(class, 32, Style::C),
        (None, 1) => Kind::of(class, 32, Style::Long),
        (None, _) => Kind::of(class, 64, Style::C),
        (Some("char"), 0) if plain => Kind::of(Class::Signed, 8, Style::Char),
        (Some("char"), 0) if count("int") == 0 => Kind::of(class, 8, Style::C),
        (Some("short"), 0) => Kind::of(class, 16, Style::C),
        (Some("__int128"), 0) if count("int") == 0 => Kind::of(class, 128, Style::C),
        (Some("float"), 0) if plain => Kind::FLOAT,
        (Some("double"), 0 | 1) if signed + unsigned + count("int") == 0 => Kind::DOUBLE,
        (Some("bool" | "_Bool"), 0) if plain => Kind::BOOL,
        _ => return None,
    })
}

/// A number as it is written, without `_`: with its base in front, and what says its type behind.
fn constant(word: &str) -> Option<Number> {
    let (base, digits) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &word[2..]),
        [b'0', b'b' | b'B', ..] => (2, &word[2..]),
        [b'0', b'o' | b'O', ..] => (8, &word[2..]),
        _ => (10, word),
    };
    if base == 10 {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let behind = &word[digits..];
        let is_float = behind.starts_with(['.', 'e', 'E']) || matches!(behind, "f32" | "f64" | "f" | "F");
        if is_float {
            let (text, kind) = match word {
                _ if word.ends_with("f32") => (&word[..word.len() - 3], Kind::FLOAT),
                _ if word.ends_with("f64") => (&word[..word.len() - 3], Kind::DOUBLE),
                _ if word.ends_with(['f', 'F']) => (&word[..word.len() - 1], Kind::FLOAT),
                _ if word.ends_with(['l', 'L']) => (&word[..word.len() - 1], Kind::DOUBLE),
                _ => (word, Kind::DOUBLE),
            };
            let bits = match kind {
                Kind::FLOAT => u128::from(text.parse::<f32>().ok()?.to_bits()),
                _ => u128::from(text.parse::<f64>().ok()?.to_bits()),
            };
            return Some(Number::new(kind, bits));
        }
    }
    // C takes a 0 in front for the base 8.
    let base = if base == 10 && digits.len() > 1 && digits.starts_with('0') { 8 } else { base };
    let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(base)).count();
    let (digits, suffix) = digits.split_at(length);
    let value = u128::from_str_radix(digits, base).ok()?;
    if let Some(kind) = Kind::of_wasm(suffix).filter(|kind| !kind.is_float()) {
        let fits = match kind.class {
            Class::Signed => value >> (kind.bits - 1) == 0,
            _ => kind.bits == 128 || value >> kind.bits == 0,
        };
        return fits.then(|| Number::new(kind, value));
    }
    let (unsigned, long) = match suffix.to_ascii_lowercase().as_str() {
        "" => (false, 0),
        "u" => (true, 0),
        "l" | "z" | "isize" => (false, 1),
        "ul" | "lu" | "uz" | "zu" | "usize" => (true, 1),
        "ll" => (false, 2),
        "ull" | "llu" => (true, 2),
        _ => return None,
    };
    // The first that it fits: in the base 10 one with a sign, where there is one.
    let of = |class, bits, style| Kind::of(class, bits, style);
    let is_decimal = base == 10;
    let short = if long == 1 { Style::Long } else { Style::C };
    let kind = match value {
        _ if long < 2 && !unsigned && value >> 31 == 0 => of(Class::Signed, 32, short),
        _ if long < 2 && (unsigned || !is_decimal) && value >> 32 == 0 => of(Class::Unsigned, 32, short),
        _ if !unsigned && value >> 63 == 0 => of(Class::Signed, 64, Style::C),
        _ if value >> 64 == 0 => of(Class::Unsigned, 64, Style::C),
        _ if !unsigned && value >> 127 == 0 => of(Class::Signed, 128, Style::C),
        _ => of(Class::Unsigned, 128, Style::C),
    };
    Some(Number::new(kind, value))
}

/// The letter that is written so between quotes.
fn letter(text: &str) -> Option<u32> {
    let mut letters = text.chars();
    let first = letters.next()?;
    if first != '\\' {
        return letters.next().is_none().then_some(first.into());
    }
    let escape = letters.next()?;
    let rest = letters.as_str();
    let hexadecimal = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| plain)
    };
    let plain = |number: u32| rest.is_empty().then_some(number);
    match escape {
        'n' => plain(0x0a),
        'r' => plain(0x0d),
        't' => plain(0x09),
        'a' => plain(0x07),
        'b' => plain(0x08),
        'f' => plain(0x0c),
        'v' => plain(0x0b),
        'e' => plain(0x1b),
        '\\' | '\'' | '"' | '?' => plain(escape.into()),
        // C's `char` has a sign.
        'x' => hexadecimal(rest).filter(|number| *number <= 0xff).map(|number| number as u8 as i8 as u32),
        'u' => match rest.strip_prefix('{') {
            Some(digits) => digits.strip_suffix('}').and_then(hexadecimal),
            None => hexadecimal(rest).filter(|_| rest.len() == 4),
        },
        '0'..='7' => {
            let digits = &text[1..];
            let octal = digits.len() <= 3 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
            let number = u32::from_str_radix(digits, 8).ok().filter(|number| octal && *number <= 0xff)?;
            Some(number as u8 as i8 as u32)
        }
        _ => None,
    }
}
