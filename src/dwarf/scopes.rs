//! What the source sees at an instruction: the chain of inlined functions, and in each the parameters and variables of
//! the blocks around it. The innermost of a name hides the others.

use super::frame::{Context, Missing, Place, SourceFrame};
use super::inspect::{Entry, EntryId, Inspector, Opened, Then};
use super::map::CodeAddress;
use super::value::Value;
use super::{names, unit};
use crate::base::{Error, ErrorKind, Escaped, Result, WasmOffset};
use gimli::constants as c;
use std::collections::HashSet;

/// So many variables of one function are listed at most.
const MAX_VARIABLES: usize = 4096;

/// What a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableKind {
    /// A parameter of its function.
    Parameter,
    /// A variable of a block.
    Local,
    /// A variable that there is once, of a function or outside of all.
    Static,
}

/// A variable of the source.
#[derive(Clone, Debug)]
pub struct Variable {
    pub(super) entry: EntryId,
    name: String,
    kind: VariableKind,
    line: u32,
    depth: u32,
    shadowed: bool,
}

impl Variable {
    /// Its name; of a static variable outside of functions with its namespaces.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn kind(&self) -> VariableKind {
        self.kind
    }

    /// The line that it is declared in, from 1; 0 where that is not known.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Whether another one of its name, in a block further in, hides it from the source.
    pub fn is_shadowed(&self) -> bool {
        self.shadowed
    }

    /// How many blocks of its function it is inside of: 0 for parameters, and for what is in no function.
    pub fn depth(&self) -> u32 {
        self.depth
    }
}

impl<'a> Inspector<'a> {
    /// The functions of the source at an instruction: the innermost inlined one first, last the one that the module
    /// has. Empty where the debug information does not say.
    pub fn frames(&self, offset: WasmOffset) -> Vec<SourceFrame> {
        self.begin();
        let Some((address, index, split, scopes)) = self.map.scopes_at(self.binary, offset) else { return Vec::new() };
        let id = |offset| EntryId { unit: index, split, offset };
        let Some(function) = scopes.first().map(|offset| id(*offset)) else { return Vec::new() };
        let frame = |offset: &usize| {
            let scope = id(*offset);
            SourceFrame { address, scope, function, name: self.name(scope).ok().flatten() }
        };
        scopes.iter().rev().map(frame).collect()
    }

    /// The variables that a function of the source sees: those of the innermost block first, and of each name the
    /// innermost only.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] where the debug information is damaged, [`ErrorKind::Limit`] where it takes too
    /// long to read.
    pub fn variables(&self, frame: &SourceFrame) -> Result<Vec<Variable>> {
        let mut all = self.all_variables(frame)?;
        all.retain(|variable| !variable.shadowed);
        Ok(all)
    }

    /// The same with those that are [hidden](Variable::is_shadowed) by others of their names.
    ///
    /// # Errors
    /// As of [`variables`](Self::variables).
    pub fn all_variables(&self, frame: &SourceFrame) -> Result<Vec<Variable>> {
        self.begin();
        // What is at hand in the order of the source; blocks that the address is not in are left out with all in them.
        let mut found: Vec<(u32, Variable)> = Vec::new();
        let mut origins = HashSet::new();
        // How deep in the entries the blocks around the address are.
        let mut blocks: Vec<isize> = Vec::new();
        let mut order = 0;
        self.visit(frame.scope, |opened, depth, entry| {
            while blocks.last().is_some_and(|block| *block >= depth) {
                blocks.pop();
            }
            match entry.tag() {
                c::DW_TAG_lexical_block | c::DW_TAG_try_block | c::DW_TAG_catch_block => {
                    if !covers(opened, entry, frame.address)? {
                        return Ok(Then::Over);
                    }
                    blocks.push(depth);
                    Ok(Then::Into)
                }
                c::DW_TAG_formal_parameter | c::DW_TAG_variable if found.len() < MAX_VARIABLES => {
                    origins.extend(self.origin(opened, entry));
                    let id = opened.id(entry.offset());
                    if let Some(variable) = self.variable(id, entry, blocks.len() as u32)? {
                        order += 1;
                        found.push((order, variable));
                    }
                    Ok(Then::Over)
                }
                _ => Ok(Then::Over),
            }
        })?;
        self.add_lost(frame, &origins, &mut found)?;
        // Of one block the last declared first.
        found.sort_by_key(|(order, variable)| (u32::MAX - variable.depth, u32::MAX - order));
        let mut seen = HashSet::new();
        for (_, variable) in &mut found {
            variable.shadowed = !seen.insert(variable.name.clone());
        }
        // For people, those of one block stand in the order of the source.
        found.sort_by_key(|(order, variable)| (u32::MAX - variable.depth, variable.line, *order));
        Ok(found.into_iter().map(|(_, variable)| variable).collect())
    }

    /// Adds variables that a function has, but not the copy of it that is inlined or out of line: nothing is left of
    /// them there, which is to be said.
    fn add_lost(
        &self,
        frame: &SourceFrame,
        origins: &HashSet<EntryId>,
        found: &mut Vec<(u32, Variable)>,
    ) -> Result<()> {
        let (opened, entry) = self.entry(frame.scope)?;
        let abstracted = entry.attr_value(c::DW_AT_abstract_origin);
        let Some(origin) = abstracted.and_then(|value| self.reference(&opened, value)) else { return Ok(()) };
        let mut order = found.len() as u32;
        self.visit(origin, |opened, _, entry| {
            let id = opened.id(entry.offset());
            if matches!(entry.tag(), c::DW_TAG_formal_parameter | c::DW_TAG_variable)
                && !origins.contains(&id)
                && found.len() < MAX_VARIABLES
                && let Some(variable) = self.variable(id, entry, 0)?
            {
                order += 1;
                found.push((order, variable));
            }
            Ok(Then::Over)
        })
    }

    /// A variable, if it has a name.
    fn variable(&self, id: EntryId, entry: &Entry<'a>, depth: u32) -> Result<Option<Variable>> {
        let Some(name) = self.name(id)? else { return Ok(None) };
        let kind = match entry.tag() {
            c::DW_TAG_formal_parameter => VariableKind::Parameter,
            _ if Self::flag(entry, c::DW_AT_external) || self.is_at_an_address(id)? => VariableKind::Static,
            _ => VariableKind::Local,
        };
        let line = self.attribute(id, c::DW_AT_decl_line)?.and_then(|(_, value)| value.udata_value());
        let line = line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
        Ok(Some(Variable { entry: id, name, kind, line, depth, shadowed: false }))
    }

    /// Whether a variable is at one address for as long as the module runs.
    fn is_at_an_address(&self, id: EntryId) -> Result<bool> {
        let Some((opened, value)) = self.attribute(id, c::DW_AT_location)? else { return Ok(false) };
        let Some(expression) = value.exprloc_value() else { return Ok(false) };
        let first = expression.operations(opened.unit.encoding()).next();
        Ok(matches!(first, Ok(Some(gimli::Operation::Address { .. } | gimli::Operation::AddressIndex { .. }))))
    }

    /// The static variables of the module that are outside of functions, unit by unit, with their namespaces.
    pub fn statics(&self) -> Vec<Variable> {
        self.statics_of_units(|_| true)
    }

    /// The same of the unit that a function is in.
    pub fn statics_around(&self, frame: &SourceFrame) -> Vec<Variable> {
        self.statics_of_units(|unit| unit == frame.scope.unit)
    }

    fn statics_of_units(&self, wanted: impl Fn(u32) -> bool) -> Vec<Variable> {
        self.begin();
        let mut found = Vec::new();
        for index in self.units().filter(|unit| wanted(*unit)) {
            let names = self.unit_names(index);
            for (name, entry, line) in names.variables() {
                let entry = EntryId { unit: index, split: names.is_split(), offset: entry };
                found.push(Variable { entry, name, kind: VariableKind::Static, line, depth: 0, shadowed: false });
            }
        }
        found
    }

    /// The variable of a name: one that the frame sees, a member of what `this` or `self` is not asked; else a static
    /// one, by its name with or without namespaces.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is none, with what is spelt like it.
    pub fn find_variable(&self, frame: Option<&SourceFrame>, name: &str) -> Result<Variable> {
        let mut near = Vec::new();
        if let Some(frame) = frame {
            for variable in self.variables(frame)? {
                if variable.name == name {
                    return Ok(variable);
                }
                near.push(variable.name);
            }
        }
        let mut statics = self.statics();
        let fits = |variable: &Variable| names::fits(&variable.name, name);
        // The unit that the frame is in knows its own first.
        statics.sort_by_key(|variable| frame.is_none_or(|frame| frame.scope.unit != variable.entry.unit));
        let (exact, other) = (statics.iter().position(|known| known.name == name), statics.iter().position(fits));
        if let Some(at) = exact.or(other) {
            return Ok(statics.swap_remove(at));
        }
        near.extend(statics.into_iter().map(|variable| variable.name));
        let hint = names::suggestion(name, near.iter().map(String::as_str));
        let message = format!("there is no variable `{}` here{hint}", Escaped(name));
        Err(Error::new(ErrorKind::Argument, message))
    }

    /// A variable's value: where it is, and of what type. Nothing of it is read yet. Where the debug information says
    /// that it is not there, the value is [optimised out](Value::is_optimised_out).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] where the debug information is damaged, [`ErrorKind::Unsupported`] where it uses
    /// what WebAssembly lacks, [`ErrorKind::State`] where memory that has to be read on the way is not there.
    pub fn value(&self, variable: &Variable, at: &Context<'_>) -> Result<Value> {
        self.begin();
        let place = self.place_of(variable.entry, at)?;
        let of_frame = variable.kind != VariableKind::Static;
        Ok(Value { of_frame, ..Value::new(self.type_of(variable.entry)?, place) })
    }

    /// A value of a variable's type that is nowhere: its type can be told where the variable's place cannot.
    pub(crate) fn typed(&self, variable: &Variable) -> Result<Value> {
        self.begin();
        Ok(Value::new(self.type_of(variable.entry)?, Place::OptimisedOut(Missing::LeftOut)))
    }
}

/// Whether a block has an address. One that does not say where its code is has all of what is around it.
fn covers<'a>(opened: &Opened<'a>, entry: &Entry<'a>, address: CodeAddress) -> Result<bool> {
    let mut ranges = Vec::new();
    if !entry.has_attr(c::DW_AT_low_pc) && !entry.has_attr(c::DW_AT_ranges) {
        return Ok(true);
    }
    let limit = || Error::new(ErrorKind::Limit, "the module's debug information has too many ranges");
    unit::ranges(&opened.input, &opened.unit, entry, &mut ranges).ok_or_else(limit)?;
    Ok(ranges.iter().any(|(begin, end)| (*begin..*end).contains(&address.get())))
}
