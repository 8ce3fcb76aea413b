//! Expressions on a stopped frame: variables of the source with their types, pointers, registers, and, where who asks
//! has a stop to change, assignments and calls. The frame is behind a trait: `machine.rs` has those of a debugger.

use super::eval::{Item, Types, World, eval, number};
use super::number::{Binary, Class, Kind, Number, Style, Trouble};
use super::syntax::{Expr, Node, Register, Span, Type};
use crate::base::{Error, ErrorKind, Escaped, Result};
use crate::dwarf::{Context, FrameReader, Inspector, MemoryAddress, SourceFrame, Value, ValueKind, Variable, Write};
use crate::runtime::Val;

/// So many steps from value to value one evaluation may take: an expression has not so many parts, but what is not
/// evaluated is looked at for its type.
const MAX_STEPS: u32 = 4096;

/// What is no number at once.
#[derive(Clone, Debug)]
pub(in crate::debug) enum Thing {
    /// Of the source.
    Value(Value),
    /// A local, an operand, a global or the program counter.
    Register(Register),
    /// A number at an address.
    Memory(Kind, u64),
    /// What a call has given that is no number.
    Wasm(Val),
    /// What a call of nothing gives.
    Nothing,
}

/// A stopped frame.
pub(in crate::debug) trait Machine {
    /// Asks something about it. An error, if not all of what was read is known.
    fn read(&self, ask: &mut dyn FnMut(&dyn FrameReader)) -> Result<()>;

    /// What is in a register, which is no name.
    fn register(&self, register: &Register) -> Result<Val>;

    /// The register of a name in the name section.
    fn named(&self, name: &str) -> Option<Register>;

    /// Whether addresses of the first memory have 64 bits.
    fn is_64(&self) -> bool;

    fn write(&mut self, _write: Write) -> Result<()> {
        Err(no_change())
    }

    fn set_register(&mut self, _register: &Register, _value: Val) -> Result<()> {
        Err(no_change())
    }

    /// Calls an export of the frame's instance.
    fn call(&mut self, _name: &str, _arguments: &[Number]) -> Result<Option<Val>> {
        Err(no_change())
    }
}

#[cold]
fn no_change() -> Error {
    Error::new(ErrorKind::State, "nothing can be changed or called here")
}

/// What names mean at a place of a module: it is the same whenever the guest comes there.
#[derive(Debug, Default)]
pub(in crate::debug) struct Names(Vec<(Box<str>, Meaning)>);

/// What a name means.
#[derive(Clone, Debug)]
pub(in crate::debug) enum Meaning {
    Variable(Variable),
    Enumerator(Value),
    Number(Number),
}

/// Looks a name up: variables before enumerators, and those before what every source has.
pub(in crate::debug) fn meaning(inspector: &Inspector<'_>, name: &str, at: &Context<'_>) -> Result<Meaning> {
    let unknown = match inspector.find_variable(at.frame, name) {
        Ok(variable) => return Ok(Meaning::Variable(variable)),
        Err(error) if error.kind() == ErrorKind::Argument => error,
        Err(error) => return Err(error),
    };
    if let Some(value) = inspector.enumerator_named(at.frame, name, at)? {
        return Ok(Meaning::Enumerator(value));
    }
    match name {
        "NULL" | "nullptr" => Ok(Meaning::Number(Number::int(0))),
        "nan" | "NaN" | "NAN" => Ok(Meaning::Number(Number::double(f64::NAN))),
        "inf" | "INFINITY" => Ok(Meaning::Number(Number::double(f64::INFINITY))),
        _ => Err(unknown),
    }
}

/// What an expression is evaluated against.
pub(in crate::debug) struct Source<'w, 'm> {
    text: &'w str,
    inspector: &'w Inspector<'m>,
    function: Option<&'w SourceFrame>,
    machine: &'w mut dyn Machine,
    names: Names,
    steps: u32,
}

type Found = Item<Thing>;

impl<'w, 'm> Source<'w, 'm> {
    pub(in crate::debug) fn new(
        text: &'w str,
        inspector: &'w Inspector<'m>,
        function: Option<&'w SourceFrame>,
        machine: &'w mut dyn Machine,
    ) -> Self {
        Source { text, inspector, function, machine, names: Names::default(), steps: 0 }
    }

    /// The same, at a place where these names were looked up before.
    pub(in crate::debug) fn with_names(self, names: Names) -> Self {
        Source { names, ..self }
    }

    /// What was looked up.
    pub(in crate::debug) fn into_names(self) -> Names {
        self.names
    }

    fn wrong<T>(&self, at: Span, what: impl std::fmt::Display) -> Result<T> {
        Err(at.wrong(self.text, what))
    }

    /// Asks what debug information says of something; what is wrong is so at this place of the text.
    fn ask<R>(&self, at: Span, question: impl FnOnce(&Inspector<'m>, &Context<'_>) -> Result<R>) -> Result<R> {
        let mut question = Some(question);
        let mut answer = None;
        let read = self.machine.read(&mut |reader| {
            let context = Context { frame: self.function, reader };
            answer = question.take().map(|question| question(self.inspector, &context));
        });
        let nobody = || Err(Error::new(ErrorKind::State, "the frame is not there any more"));
        read.and_then(|()| answer.unwrap_or_else(nobody)).map_err(|error| at.failed(self.text, error))
    }

    fn name(&mut self, at: Span, name: &str) -> Result<Found> {
        let known = self.names.0.iter().find(|(known, _)| **known == *name).map(|(_, meaning)| meaning.clone());
        let meaning = match known {
            Some(meaning) => meaning,
            None => {
                let meaning = self.ask(at, |inspector, context| meaning(inspector, name, context))?;
                self.names.0.push((name.into(), meaning.clone()));
                meaning
            }
        };
        Ok(match meaning {
            Meaning::Variable(variable) => {
                let value = self.ask(at, |inspector, context| inspector.value(&variable, context))?;
                Item::Thing(Thing::Value(value))
            }
            Meaning::Enumerator(value) => Item::Thing(Thing::Value(value)),
            Meaning::Number(number) => Item::Number(number),
        })
    }

    /// Evaluates what must be a value of the source.
    fn value(&mut self, expr: &Expr, at: Span) -> Result<Value> {
        let ty = match eval(expr, self)? {
            Item::Thing(Thing::Value(value)) => return Ok(value),
            Item::Number(number) => number.kind.name().to_owned(),
            Item::Thing(thing) => self.type_name(&thing)?,
        };
        let hint = "cast it to a pointer, as in `((struct node *)$local0)->key`, or read memory by `i32[...]`";
        self.wrong(at, format_args!("a value of type `{ty}` has no parts and points to nothing; {hint}"))
    }

    /// The name of a thing's type.
    fn type_name(&self, thing: &Thing) -> Result<String> {
        Ok(match thing {
            Thing::Value(value) => self.inspector.type_name(value),
            thing => machine_type(self.machine, thing)?,
        })
    }

    /// What a pointer points to, or an array begins with.
    fn target(&self, at: Span, value: &Value) -> Result<Value> {
        self.ask(at, |inspector, context| {
            let value = inspector.value_behind(value, context)?;
            match inspector.kind(&value, context)? {
                ValueKind::Array => inspector.element_of(&value, 0, context),
                _ => inspector.target_of(&value, context),
            }
        })
    }

    /// A value behind references, if it is a pointer or an array.
    fn pointer(&self, at: Span, item: &Found) -> Result<Option<Value>> {
        let Item::Thing(Thing::Value(value)) = item else { return Ok(None) };
        self.ask(at, |inspector, context| {
            let value = inspector.value_behind(value, context)?;
            Ok(inspector.is_pointer(&value, context)?.then_some(value))
        })
    }

    fn loaded(&mut self, at: Span, item: &Found) -> Result<Number> {
        match item {
            Item::Number(number) => Ok(*number),
            Item::Thing(thing) => self.load(at, thing),
        }
    }

    /// An integer.
    fn integer(&mut self, at: Span, item: &Found) -> Result<i128> {
        let number = self.loaded(at, item)?;
        if number.kind.is_float() { Err(self.fault(at, Trouble::NoBits)) } else { Ok(number.signed()) }
    }

    fn cast(&mut self, at: Span, ty: &Type, of: &Expr) -> Result<Found> {
        let number = number(of, self)?;
        let function = self.function;
        let (ty, depth) = match ty {
            Type::Number(kind) => return Ok(Item::Number(number.cast(*kind))),
            Type::Named(name, depth) => {
                (Some(self.ask(at, |inspector, _| inspector.type_named(function, name))?), *depth)
            }
            Type::PointerToNumber(kind, depth) => {
                let Some(ty) = self.inspector.type_of_names(function, names_of(*kind)) else {
                    let name = kind.name();
                    let hint = "read memory by `i32[...]`, `u8[...]` and so on";
                    return self.wrong(at, format_args!("the module's debug information has no type `{name}`; {hint}"));
                };
                (Some(ty), *depth)
            }
            Type::PointerToVoid(depth) => (None, *depth),
        };
        let made = match (ty, depth) {
            (Some(ty), 0) => self.ask(at, |inspector, context| {
                let made = inspector.converted(ty, number.scalar(), context);
                made.map_err(|error| error.context("only numbers and pointers can be cast to"))
            })?,
            _ if number.kind.is_float() => return Err(self.fault(at, Trouble::NoBits)),
            (ty, depth) => {
                // An address is narrower than a number may be.
                let address = number.bits as u64;
                self.inspector.pointer_to(
                    ty,
                    depth,
                    if number.kind.bits <= 32 { address & 0xffff_ffff } else { address },
                )
            }
        };
        Ok(Item::Thing(Thing::Value(made)))
    }

    fn assign(&mut self, at: Span, op: Option<Binary>, target: &Expr, value: &Expr) -> Result<Found> {
        let Item::Thing(place) = eval(target, self)? else {
            return self.wrong(at, "what is in front of this cannot be assigned: it is a number");
        };
        let mut new = match (&value.node, &place, op) {
            // Names of the type come before others.
            (Node::Name(name), Thing::Value(of), None) => {
                match self.ask(at, |inspector, context| inspector.enumerator_of(of, name, context))? {
                    Some(named) => Item::Thing(Thing::Value(named)),
                    None => eval(value, self)?,
                }
            }
            _ => eval(value, self)?,
        };
        if let Some(op) = op {
            new = self.binary(at, op, (target, Item::Thing(place.clone())), (value, new))?;
        }
        self.store(at, &place, &new)?;
        Ok(Item::Thing(place))
    }

    /// Writes what an expression comes to where something is.
    pub(in crate::debug) fn set(&mut self, place: &Thing, value: &Expr) -> Result<()> {
        let new = eval(value, self)?;
        self.store(value.at, place, &new)
    }

    /// Writes a number where something is.
    fn store(&mut self, at: Span, place: &Thing, new: &Found) -> Result<()> {
        let text = self.text;
        let failed = |error: Error| at.failed(text, error);
        match place {
            Thing::Value(value) => {
                let number = self.loaded(at, new)?;
                let write =
                    self.ask(at, |inspector, context| inspector.assign_converted(value, number.scalar(), context))?;
                self.machine.write(write).map_err(failed)
            }
            Thing::Memory(kind, address) => {
                let number = self.loaded(at, new)?.cast(*kind);
                let bytes = number.bits.to_le_bytes()[..kind.bytes()].to_vec();
                self.machine.write(Write::Memory(MemoryAddress::new(*address), bytes)).map_err(failed)
            }
            Thing::Register(Register::Pc) => {
                self.wrong(at, "`$pc` cannot be assigned; a stop can jump to another instruction")
            }
            Thing::Register(register) => {
                let old = self.machine.register(register).map_err(failed)?;
                let value = match new {
                    Item::Thing(Thing::Register(from)) => self.machine.register(from).map_err(failed)?,
                    Item::Thing(Thing::Wasm(value)) => *value,
                    new => {
                        let number = self.loaded(at, new)?;
                        let made = number.to_val(old.ty());
                        made.ok_or_else(|| at.wrong(text, format_args!("this is a {}, which is no number", old.ty())))?
                    }
                };
                // Of two registers of numbers, the one becomes the other as C converts it.
                let value = Number::of_val(&value).and_then(|number| number.to_val(old.ty())).unwrap_or(value);
                self.machine.set_register(register, value).map_err(failed)
            }
            Thing::Wasm(_) | Thing::Nothing => self.wrong(at, "a result cannot be assigned"),
        }
    }

    fn call(&mut self, at: Span, name: &str, arguments: &[Expr]) -> Result<Found> {
        let arguments: Vec<Number> = arguments.iter().map(|argument| number(argument, self)).collect::<Result<_>>()?;
        let made = self.machine.call(name, &arguments);
        // A trap is told as what it is.
        let given = made.map_err(|error| match error.kind() {
            ErrorKind::Argument | ErrorKind::State => at.failed(self.text, error),
            _ => error.context(format_args!("the call of `{}`", Escaped(name))),
        })?;
        Ok(match given {
            None => Item::Thing(Thing::Nothing),
            Some(value) => Number::of_val(&value).map_or(Item::Thing(Thing::Wasm(value)), Item::Number),
        })
    }
}

impl Types for Source<'_, '_> {
    type Fault = Error;

    fn fault(&self, at: Span, trouble: Trouble) -> Error {
        at.wrong(self.text, trouble)
    }

    fn kind_of(&mut self, expr: &Expr) -> Result<Option<Kind>> {
        let mut acts = false;
        expr.each(&mut |part| acts |= matches!(part.node, Node::Assign(..) | Node::Call(..)));
        if acts {
            return Ok(None);
        }
        match eval(expr, self)? {
            Item::Number(number) => Ok(Some(number.kind)),
            Item::Thing(Thing::Value(value)) => self.ask(expr.at, |inspector, context| {
                let value = inspector.value_behind(&value, context)?;
                // A pointer stays one: there is no type that it has together with a number.
                if inspector.is_pointer(&value, context)? {
                    return Ok(None);
                }
                Ok(inspector.number_type(&value, context)?.map(Kind::of_source))
            }),
            Item::Thing(Thing::Register(register)) => Ok(Kind::of_value(self.machine.register(&register)?.ty())),
            Item::Thing(Thing::Memory(kind, _)) => Ok(Some(kind)),
            Item::Thing(_) => Ok(None),
        }
    }
}

impl World for Source<'_, '_> {
    type Thing = Thing;

    fn register(&mut self, at: Span, register: &Register) -> Result<Found> {
        let register = match register {
            Register::Named(name) => match self.machine.named(name) {
                Some(register) => register,
                None => {
                    let known = "there are `$local0`, `$stack0`, `$global0`, `$pc`, and names of the name section";
                    return self.wrong(at, format_args!("there is no register `${}`; {known}", Escaped(name)));
                }
            },
            register => register.clone(),
        };
        self.machine.register(&register).map_err(|error| at.failed(self.text, error))?;
        Ok(Item::Thing(Thing::Register(register)))
    }

    fn memory(&mut self, _: Span, kind: Kind, address: Number) -> Result<Found> {
        Ok(Item::Thing(Thing::Memory(kind, memory_address(self.machine, address))))
    }

    fn load(&mut self, at: Span, thing: &Thing) -> Result<Number> {
        match thing {
            Thing::Value(value) => self.ask(at, |inspector, context| {
                let value = inspector.value_behind(value, context)?;
                if inspector.kind(&value, context)? == ValueKind::Array {
                    return inspector.pointer_address(&value, context).map(|at| Number::new(Kind::UINT, at.into()));
                }
                // What is no number says so itself.
                let scalar = inspector.scalar(&value, context)?;
                let ty = inspector.number_type(&value, context)?;
                ty.map(|ty| Number::of_scalar(scalar, ty)).ok_or_else(no_change)
            }),
            thing => machine_number(self.machine, thing).map_err(|error| at.failed(self.text, error)),
        }
    }

    fn binary(&mut self, at: Span, op: Binary, a: (&Expr, Found), b: (&Expr, Found)) -> Result<Found> {
        let ((first, a), (second, b)) = (a, b);
        let (left, right) = (self.pointer(first.at, &a)?, self.pointer(second.at, &b)?);
        if left.is_none() && right.is_none() {
            let (a, b) = (self.loaded(first.at, &a)?, self.loaded(second.at, &b)?);
            let made = Number::binary(op, a, b).map_err(|trouble| self.fault(at, trouble))?;
            return Ok(Item::Number(made));
        }
        let moved = |world: &Self, pointer: &Value, by: i128| {
            let moved = world.ask(at, |inspector, context| inspector.moved(pointer, by, context))?;
            Ok(Item::Thing(Thing::Value(moved)))
        };
        let address = |world: &Self, pointer: &Value| {
            world.ask(at, |inspector, context| inspector.pointer_address(pointer, context))
        };
        match (op, &left, &right) {
            (Binary::Add, Some(pointer), None) => {
                let by = self.integer(second.at, &b)?;
                moved(self, pointer, by)
            }
            (Binary::Add, None, Some(pointer)) => {
                let by = self.integer(first.at, &a)?;
                moved(self, pointer, by)
            }
            (Binary::Subtract, Some(pointer), None) => {
                let by = self.integer(second.at, &b)?;
                moved(self, pointer, by.wrapping_neg())
            }
            (Binary::Subtract, Some(left), Some(right)) => {
                let (a, b) = (address(self, left)?, address(self, right)?);
                let size = self.ask(at, |inspector, context| inspector.step_of(left, context))?;
                let count = (i128::from(a) - i128::from(b)).wrapping_div(size.into());
                Ok(Item::Number(Number::new(Kind::INT, count as u128)))
            }
            _ if op.compares() => {
                let mut addressed = |pointer: &Option<Value>, item: &Found, is: Span| match pointer {
                    Some(pointer) => address(self, pointer),
                    None => self.integer(is, item).map(|number| number as u64),
                };
                let (a, b) = (addressed(&left, &a, first.at)?, addressed(&right, &b, second.at)?);
                Ok(Item::Number(Number::bool(op.fits(Some(a.cmp(&b))))))
            }
            _ => {
                let what = "this does not take a pointer; cast it to a number, as in `(unsigned)p`";
                self.wrong(at, what)
            }
        }
    }

    fn special(&mut self, expr: &Expr) -> Result<Found> {
        let at = expr.at;
        self.steps += 1;
        if self.steps > MAX_STEPS {
            let error = Error::new(ErrorKind::Limit, "the expression takes too long to evaluate");
            return Err(at.failed(self.text, error));
        }
        let found = match &expr.node {
            Node::Name(name) => return self.name(at, name),
            Node::Member(of, name) => {
                let of = self.value(of, at)?;
                self.ask(at, |inspector, context| inspector.member_of(&of, name, context))?
            }
            Node::Arrow(of, name) => {
                let of = self.value(of, at)?;
                let target = match self.pointer(at, &Item::Thing(Thing::Value(of)))? {
                    Some(pointer) => self.target(at, &pointer)?,
                    None => return self.wrong(at, "what is in front of `->` is no pointer; use `.`"),
                };
                self.ask(at, |inspector, context| inspector.member_of(&target, name, context))?
            }
            Node::Index(of, index) => {
                let of = self.value(of, at)?;
                let number = eval(index, self)?;
                let number = self.integer(index.at, &number)?;
                self.ask(at, |inspector, context| inspector.element_of(&of, number, context))?
            }
            Node::Dereference(of) => {
                let value = self.value(of, at)?;
                self.target(at, &value)?
            }
            Node::AddressOf(of) => match eval(of, self)? {
                Item::Thing(Thing::Value(value)) => {
                    self.ask(at, |inspector, context| inspector.address_of(&value, context))?
                }
                Item::Thing(Thing::Memory(_, address)) => {
                    return Ok(Item::Number(Number::new(Kind::UINT, address.into())));
                }
                _ => return self.wrong(at, "this is not in memory and has no address"),
            },
            Node::Cast(ty, of) => return self.cast(at, ty, of),
            Node::Assign(op, target, value) => return self.assign(at, *op, target, value),
            Node::Call(name, arguments) => return self.call(at, name, arguments),
            _ => return self.wrong(at, "this cannot be evaluated"),
        };
        Ok(Item::Thing(Thing::Value(found)))
    }
}

/// An address of the first memory, taken modulo the size of its address space.
fn memory_address(machine: &dyn Machine, address: Number) -> u64 {
    match machine.is_64() {
        true => address.signed() as u64,
        false => u64::from(address.signed() as u32),
    }
}

/// The number that is in a register or in memory.
pub(in crate::debug) fn machine_number(machine: &dyn Machine, thing: &Thing) -> Result<Number> {
    let no_number = |ty: &dyn std::fmt::Display| {
        Err(Error::new(ErrorKind::Argument, format!("this is of type {ty}, which is no number")))
    };
    match thing {
        Thing::Register(Register::Pc) => {
            let Val::I32(offset) = machine.register(&Register::Pc)? else { return Err(no_change()) };
            Ok(Number::new(Kind::of(Class::Unsigned, 32, Style::Wasm), (offset as u32).into()))
        }
        Thing::Register(register) => {
            let value = machine.register(register)?;
            Number::of_val(&value).map_or_else(|| no_number(&value.ty()), Ok)
        }
        Thing::Memory(kind, address) => {
            let mut bytes = [0; 16];
            let mut there = false;
            machine.read(&mut |reader| {
                there = reader.memory(MemoryAddress::new(*address), &mut bytes[..kind.bytes()]);
            })?;
            if !there {
                let message = format!("the memory has no {} bytes at {address:#x}", kind.bytes());
                return Err(Error::new(ErrorKind::State, message));
            }
            Ok(Number::new(*kind, u128::from_le_bytes(bytes)))
        }
        Thing::Wasm(value) => no_number(&value.ty()),
        Thing::Nothing => Err(Error::new(ErrorKind::Argument, "the function that was called gives nothing")),
        Thing::Value(_) => Err(no_change()),
    }
}

/// The name of the type of what is not of the source.
pub(in crate::debug) fn machine_type(machine: &dyn Machine, thing: &Thing) -> Result<String> {
    Ok(match thing {
        Thing::Register(Register::Pc) => "u32".to_owned(),
        Thing::Register(register) => machine.register(register)?.ty().to_string(),
        Thing::Memory(kind, _) => kind.name().to_owned(),
        Thing::Wasm(value) => value.ty().to_string(),
        Thing::Value(_) | Thing::Nothing => "void".to_owned(),
    })
}

/// What the languages call a type of numbers.
fn names_of(kind: Kind) -> &'static [&'static str] {
    match (kind.class, kind.bits) {
        (Class::Bool, _) => &["bool", "_Bool"],
        (Class::Float, 32) => &["float", "f32"],
        (Class::Float, _) => &["double", "f64"],
        (Class::Signed, 8) if kind.style == Style::Char => &["char", "i8", "u8"],
        (Class::Signed, 8) => &["signed char", "i8", "char"],
        (Class::Unsigned, 8) => &["unsigned char", "u8"],
        (Class::Signed, 16) => &["short", "short int", "i16"],
        (Class::Unsigned, 16) => &["unsigned short", "short unsigned int", "u16"],
        (Class::Signed, 32) => &["int", "i32", "long", "long int"],
        (Class::Unsigned, 32) => &["unsigned int", "u32", "unsigned long", "long unsigned int", "usize"],
        (Class::Signed, 64) => &["long long", "long long int", "i64"],
        (Class::Unsigned, 64) => &["unsigned long long", "long long unsigned int", "u64"],
        (Class::Signed, _) => &["__int128", "i128"],
        (Class::Unsigned, _) => &["unsigned __int128", "u128"],
    }
}
