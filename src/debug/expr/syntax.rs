//! Expressions as they are kept once they are read: a tree, in which each part knows where in the text it stands.

use super::number::{Binary, Kind, Number, Unary};
use crate::base::{Error, ErrorKind, Escaped};
use std::fmt;
use std::ops::Range;

/// A longer text is not repeated in messages about it.
const MAX_SHOWN: usize = 160;

/// Bytes of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug) struct Span {
    pub(in crate::debug) start: u16,
    pub(in crate::debug) end: u16,
}

/// A part of an expression.
#[derive(Debug)]
pub(in crate::debug) struct Expr {
    /// Its sign, its name, its constant: what an error of it points at.
    pub(in crate::debug) at: Span,
    pub(in crate::debug) node: Node,
}

/// What has a number or a name in the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::debug) enum Register {
    Local(u32),
    /// From the bottom of the stack, which is 0.
    Operand(u32),
    Global(u32),
    /// The offset of the instruction.
    Pc,
    /// A local, else a global, by its name in the name section.
    Named(Box<str>),
}

/// The type of a cast.
#[derive(Debug)]
pub(in crate::debug) enum Type {
    Number(Kind),
    /// One that the module has, or so many pointers to it.
    Named(Box<str>, u8),
    /// Pointers to a number.
    PointerToNumber(Kind, u8),
    PointerToVoid(u8),
}

#[derive(Debug)]
pub(in crate::debug) enum Node {
    Number(Number),
    Register(Register),
    /// A number of this type in the first memory.
    Memory(Kind, Box<Expr>),
    Cast(Type, Box<Expr>),
    Unary(Unary, Box<Expr>),
    Not(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Both(Box<Expr>, Box<Expr>),
    Either(Box<Expr>, Box<Expr>),
    Choose(Box<[Expr; 3]>),
    /// A variable of the source, or an enumerator, with its namespaces.
    Name(Box<str>),
    Member(Box<Expr>, Box<str>),
    /// A member of what a pointer points to.
    Arrow(Box<Expr>, Box<str>),
    Index(Box<Expr>, Box<Expr>),
    Dereference(Box<Expr>),
    AddressOf(Box<Expr>),
    Assign(Option<Binary>, Box<Expr>, Box<Expr>),
    Call(Box<str>, Vec<Expr>),
}

/// What an [`Error`] of an expression carries: where in the text it is.
#[derive(Debug)]
struct Columns(Range<usize>);

/// Where in its text an expression is wrong: columns in characters, from 1, of the sign, the name or the constant. Of
/// what is missing at the end, the column behind it. `None` for errors of anything else.
pub fn error_columns(error: &Error) -> Option<Range<usize>> {
    error.payload::<Columns>().map(|columns| columns.0.clone())
}

impl Span {
    pub(in crate::debug) fn new(start: usize, end: usize) -> Span {
        // No text is longer: see `parse.rs`.
        Span { start: start as u16, end: end as u16 }
    }

    /// An error that points here.
    #[cold]
    pub(in crate::debug) fn wrong(self, text: &str, what: impl fmt::Display) -> Error {
        self.failed(text, Error::new(ErrorKind::Argument, what.to_string()))
    }

    /// The same of what is wrong for another reason.
    #[cold]
    pub(in crate::debug) fn failed(self, text: &str, error: Error) -> Error {
        if error.payload::<Columns>().is_some() {
            return error;
        }
        let column = |byte: u16| 1 + text.char_indices().take_while(|(at, _)| *at < usize::from(byte)).count();
        let (first, behind) = (column(self.start), column(self.end));
        let place = match text.len() {
            0..=MAX_SHOWN => format!("in `{}`, at column {first}", Escaped(text)),
            _ => format!("in the expression, at column {first}"),
        };
        error.context(place).with_payload(Box::new(Columns(first..behind.max(first + 1))))
    }
}

impl Expr {
    /// Looks at this and all that is in it, from the outside in.
    pub(in crate::debug) fn each<'e>(&'e self, look: &mut impl FnMut(&'e Expr)) {
        look(self);
        match &self.node {
            Node::Number(_) | Node::Register(_) | Node::Name(_) => {}
            Node::Memory(_, of)
            | Node::Cast(_, of)
            | Node::Unary(_, of)
            | Node::Not(of)
            | Node::Member(of, _)
            | Node::Arrow(of, _)
            | Node::Dereference(of)
            | Node::AddressOf(of) => of.each(look),
            Node::Binary(_, a, b)
            | Node::Both(a, b)
            | Node::Either(a, b)
            | Node::Index(a, b)
            | Node::Assign(_, a, b) => {
                a.each(look);
                b.each(look);
            }
            Node::Choose(parts) => parts.iter().for_each(|part| part.each(look)),
            Node::Call(_, arguments) => arguments.iter().for_each(|argument| argument.each(look)),
        }
    }
}
