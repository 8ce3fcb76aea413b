//! The one walk that evaluates an expression. What it is evaluated against is a trait: `Reading` of `condition.rs` has
//! registers and memory alone, so that nothing is allocated and nothing explained; `source.rs` has all the rest.

use super::number::{Kind, Number, Trouble};
use super::syntax::{Expr, Node, Register, Span};

/// What a part of an expression comes to.
pub(in crate::debug) enum Item<T> {
    Number(Number),
    /// Something else: it is somewhere, or is no number.
    Thing(T),
}

/// What numbers there will be, without evaluating anything.
pub(in crate::debug) trait Types {
    /// Why there is none.
    type Fault;

    /// An operator has no result.
    fn fault(&self, at: Span, trouble: Trouble) -> Self::Fault;

    /// The type of what is no operator of numbers, as far as it is known; `None` where it is none, or not known.
    fn kind_of(&mut self, expr: &Expr) -> Result<Option<Kind>, Self::Fault>;
}

/// What expressions are evaluated against.
pub(in crate::debug) trait World: Types {
    /// What is no number at once.
    type Thing;

    fn register(&mut self, at: Span, register: &Register) -> Result<Item<Self::Thing>, Self::Fault>;

    /// What stands at an address of the first memory.
    fn memory(&mut self, at: Span, kind: Kind, address: Number) -> Result<Item<Self::Thing>, Self::Fault>;

    /// The number that is there, or stands for it.
    fn load(&mut self, at: Span, thing: &Self::Thing) -> Result<Number, Self::Fault>;

    /// An operator of two of which one is a thing.
    fn binary(
        &mut self,
        at: Span,
        op: super::number::Binary,
        a: (&Expr, Item<Self::Thing>),
        b: (&Expr, Item<Self::Thing>),
    ) -> Result<Item<Self::Thing>, Self::Fault>;

    /// What is not of numbers alone.
    fn special(&mut self, expr: &Expr) -> Result<Item<Self::Thing>, Self::Fault>;
}

type Evaluated<W> = Result<Item<<W as World>::Thing>, <W as Types>::Fault>;

/// Evaluates an expression.
pub(in crate::debug) fn eval<W: World>(expr: &Expr, world: &mut W) -> Evaluated<W> {
    let made = |made: Result<Number, Trouble>, world: &W| made.map_err(|trouble| world.fault(expr.at, trouble));
    Ok(Item::Number(match &expr.node {
        Node::Number(number) => *number,
        Node::Register(register) => return world.register(expr.at, register),
        Node::Memory(kind, address) => {
            let address = number(address, world)?;
            if address.kind.is_float() {
                return Err(world.fault(expr.at, Trouble::NoBits));
            }
            return world.memory(expr.at, *kind, address);
        }
        Node::Cast(super::syntax::Type::Number(kind), of) => number(of, world)?.cast(*kind),
        Node::Unary(op, of) => made(number(of, world)?.unary(*op), world)?,
        Node::Not(of) => Number::bool(!truth(of, world)?),
        Node::Both(a, b) => Number::bool(truth(a, world)? && truth(b, world)?),
        Node::Either(a, b) => Number::bool(truth(a, world)? || truth(b, world)?),
        Node::Choose(parts) => {
            let [condition, yes, no] = &**parts;
            let chosen = if truth(condition, world)? { yes } else { no };
            // Two numbers become one type together, whichever of them it is. What the other one is may be unknown.
            match (kind(yes, world).ok().flatten(), kind(no, world).ok().flatten()) {
                (Some(a), Some(b)) if a == b => return eval(chosen, world),
                (Some(a), Some(b)) => number(chosen, world)?.cast(a.common(b)),
                _ => return eval(chosen, world),
            }
        }
        Node::Binary(op, a, b) => match (eval(a, world)?, eval(b, world)?) {
            (Item::Number(a), Item::Number(b)) => made(Number::binary(*op, a, b), world)?,
            (first, second) => return world.binary(expr.at, *op, (a, first), (b, second)),
        },
        _ => return world.special(expr),
    }))
}

/// Evaluates what must be a number.
pub(in crate::debug) fn number<W: World>(expr: &Expr, world: &mut W) -> Result<Number, W::Fault> {
    match eval(expr, world)? {
        Item::Number(number) => Ok(number),
        Item::Thing(thing) => world.load(expr.at, &thing),
    }
}

/// Evaluates what must hold or not.
pub(in crate::debug) fn truth<W: World>(expr: &Expr, world: &mut W) -> Result<bool, W::Fault> {
    number(expr, world).map(Number::truth)
}

/// The type of the number that an expression will be, as far as that is known without evaluating it.
pub(in crate::debug) fn kind<T: Types>(expr: &Expr, types: &mut T) -> Result<Option<Kind>, T::Fault> {
    let fault = |trouble, types: &T| types.fault(expr.at, trouble);
    Ok(match &expr.node {
        Node::Number(number) => Some(number.kind),
        Node::Memory(is, address) => {
            if kind(address, types)?.is_some_and(Kind::is_float) {
                return Err(fault(Trouble::NoBits, types));
            }
            types.kind_of(expr)?;
            Some(*is)
        }
        Node::Cast(super::syntax::Type::Number(is), of) => {
            kind(of, types)?;
            Some(*is)
        }
        Node::Unary(op, of) => match kind(of, types)? {
            Some(of) if of.is_float() && *op == super::number::Unary::Invert => {
                return Err(fault(Trouble::NoBits, types));
            }
            of => of.map(Kind::promoted),
        },
        Node::Not(of) => kind(of, types).map(|_| Some(Kind::BOOL))?,
        Node::Both(a, b) | Node::Either(a, b) => {
            kind(a, types)?;
            kind(b, types)?;
            Some(Kind::BOOL)
        }
        Node::Choose(parts) => {
            let [condition, yes, no] = &**parts;
            kind(condition, types)?;
            match (kind(yes, types)?, kind(no, types)?) {
                (Some(a), Some(b)) if a == b => Some(a),
                (Some(a), Some(b)) => Some(a.common(b)),
                _ => None,
            }
        }
        Node::Binary(op, a, b) => match (kind(a, types)?, kind(b, types)?) {
            (Some(a), Some(b)) => Some(Kind::of_binary(*op, a, b).map_err(|trouble| fault(trouble, types))?),
            _ if op.compares() => Some(Kind::BOOL),
            _ => None,
        },
        _ => return types.kind_of(expr),
    })
}
