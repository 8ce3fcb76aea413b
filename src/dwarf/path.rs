//! Paths to values, in a language so small that C, C++, Rust and Zig share it: names (with `::`), `.`, `->`, `[]`,
//! `*`, `&`, parentheses, and integers as indices. Nothing is called, computed or changed.

use super::frame::{Context, Place};
use super::inspect::Inspector;
use super::names;
use super::types::Shape;
use super::value::{Scalar, Value, parse_integer};
use crate::base::{Error, ErrorKind, Escaped, Result};

/// So deep are expressions inside of each other.
const MAX_DEPTH: u32 = 64;
/// The longest path that is read.
const MAX_PATH: usize = 4096;

impl<'a> Inspector<'a> {
    /// The value that a path leads to: `x`, `p->x.y[3]`, `*p`, `&x`, `list[n].next`, `geo::Shape::made`. A `.` behind a
    /// pointer or a reference goes through it, as in Rust and Zig; `.0` is the first of a tuple.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the path is none, or leads nowhere: the message says where and why, and what else
    /// may have been meant. Else as for [`scalar`](Self::scalar).
    pub fn evaluate_path(&self, path: &str, at: &Context<'_>) -> Result<Value> {
        self.begin();
        if path.len() > MAX_PATH {
            return Err(Error::new(ErrorKind::Argument, format!("a path of {} bytes is too long", path.len())));
        }
        let mut parser = Parser { inspector: self, at: *at, path, rest: path, depth: 0 };
        let value = parser.unary()?;
        parser.space();
        match parser.rest.chars().next() {
            None => Ok(value),
            Some(_) => Err(parser.expected("nothing more, `.`, `->` or `[`")),
        }
    }
}

struct Parser<'p, 'i, 'a, 'f> {
    inspector: &'i Inspector<'a>,
    at: Context<'f>,
    path: &'p str,
    rest: &'p str,
    depth: u32,
}

impl<'p> Parser<'p, '_, '_, '_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn accept(&mut self, sign: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// What is wrong here.
    fn expected(&self, what: &str) -> Error {
        let column = 1 + self.path[..self.path.len() - self.rest.len()].chars().count();
        let found = match self.rest.chars().next() {
            Some(found) => format!("`{}`", Escaped(found.encode_utf8(&mut [0; 4]))),
            None => "the end".to_owned(),
        };
        let path = Escaped(self.path);
        Error::new(ErrorKind::Argument, format!("in `{path}`, at {column}: expected {what}, found {found}"))
    }

    /// What is wrong with what has been read so far.
    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        let read = self.path[..self.path.len() - self.rest.len()].trim_end();
        Error::new(ErrorKind::Argument, format!("`{}`: {what}", Escaped(read)))
    }

    fn unary(&mut self) -> Result<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("this is nested too deep"));
        }
        let value = if self.accept("*") {
            let value = self.unary()?;
            self.through(value)
        } else if self.accept("&") {
            let value = self.unary()?;
            self.address_of(value)
        } else {
            self.postfix()
        };
        self.depth -= 1;
        value
    }

    fn through(&self, value: Value) -> Result<Value> {
        let value = self.inspector.referent(value, &self.at)?;
        let to_nothing = matches!(self.inspector.shape_of(&value, &self.at)?, Shape::Pointer { to: None, .. });
        if to_nothing {
            return Err(self.wrong("this points to something of no type"));
        }
        self.inspector.pointee(&value, &self.at)
    }

    fn address_of(&self, value: Value) -> Result<Value> {
        let value = self.inspector.referent(value, &self.at)?;
        let Some(address) = value.address().filter(|_| !value.pointer) else {
            return Err(self.wrong("this is not in memory and has no address"));
        };
        let bytes = address.get().to_le_bytes().to_vec();
        Ok(Value { pointer: true, ..Value::new(value.ty, Place::Bytes(bytes.into())) })
    }

    fn postfix(&mut self) -> Result<Value> {
        let mut value = self.primary()?;
        loop {
            if self.accept("->") {
                value = self.inspector.referent(value, &self.at)?;
                if !matches!(self.inspector.shape_of(&value, &self.at)?, Shape::Pointer { .. }) {
                    return Err(self.wrong("this is no pointer; use `.`"));
                }
                value = self.inspector.pointee(&value, &self.at)?;
                value = self.member(value)?;
            } else if self.accept(".") {
                value = self.member(value)?;
            } else if self.accept("[") {
                let index = self.index()?;
                if !self.accept("]") {
                    return Err(self.expected("`]`"));
                }
                value = self.inspector.referent(value, &self.at)?;
                let element = self.inspector.element(&value, index, &self.at);
                value = element.map_err(|error| error.context(format!("`{}`", Escaped(self.path))))?;
            } else {
                return Ok(value);
            }
        }
    }

    /// A member of a value, or of what it points to.
    fn member(&mut self, mut value: Value) -> Result<Value> {
        self.space();
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err(self.expected("a member's name"));
        }
        self.rest = rest;
        for _ in 0..8 {
            if !matches!(self.inspector.shape_of(&value, &self.at)?, Shape::Pointer { .. }) {
                break;
            }
            value = self.inspector.pointee(&value, &self.at)?;
        }
        // A tuple's members have numbers, which are no names in C.
        let tuple = format!("__{name}");
        for name in [name, &tuple] {
            if let Some(found) = self.inspector.member_named(&value, name, &self.at)? {
                return Ok(found);
            }
        }
        let known: Vec<_> = self.inspector.fields(&value, &self.at)?.into_iter().map(|child| child.name).collect();
        let ty = self.inspector.type_name_of(value.ty);
        if known.is_empty() {
            return Err(self.wrong(format!("a value of type `{}` has no members", Escaped(&ty))));
        }
        let hint = names::suggestion(name, known.iter().map(String::as_str));
        Err(self.wrong(format!("`{}` has no member `{}`{hint}", Escaped(&ty), Escaped(name))))
    }

    /// A number, or a path to one.
    fn index(&mut self) -> Result<i128> {
        self.space();
        if self.rest.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            let end = self.rest[1..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(self.rest.len(), |end| end + 1);
            let Some(index) = parse_integer(&self.rest[..end]) else { return Err(self.expected("a number")) };
            self.rest = &self.rest[end..];
            return Ok(index);
        }
        let value = self.unary()?;
        let value = self.inspector.referent(value, &self.at)?;
        match self.inspector.scalar_of(&value, &self.at)? {
            Scalar::Signed(index) => Ok(index),
            Scalar::Unsigned(index) => i128::try_from(index).map_err(|_| self.wrong("this is no index")),
            Scalar::Char(index) => Ok(index.into()),
            Scalar::Float(_) | Scalar::Bool(_) => Err(self.wrong("this is no index")),
        }
    }

    fn primary(&mut self) -> Result<Value> {
        if self.accept("(") {
            let value = self.unary()?;
            return if self.accept(")") { Ok(value) } else { Err(self.expected("`)`")) };
        }
        self.space();
        let name = self.name();
        if name.is_empty() {
            return Err(self.expected("a variable's name"));
        }
        let variable = self.inspector.find_variable(self.at.frame, name)?;
        self.inspector.value(&variable, &self.at)
    }

    /// A name with its namespaces.
    fn name(&mut self) -> &'p str {
        let start = self.rest;
        let mut end = 0;
        loop {
            let part = &start[end..];
            let first = part.chars().next();
            if !first.is_some_and(|c| c.is_alphabetic() || c == '_' || c == '$') && !part.starts_with("::") {
                break;
            }
            if part.starts_with("::") {
                end += 2;
            }
            let part = &start[end..];
            end += part.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(part.len());
            if !start[end..].starts_with("::") {
                break;
            }
        }
        self.rest = &start[end..];
        &start[..end]
    }
}
