//! Variables: lists of them, what is inside of them, and other values for them.

use super::adapter::Adapter;
use super::evaluate::{Shown, show};
use super::handles::{Container, FrameHandle, Part};
use super::message::{Answer, Args, compact, failure};
use crate::base::{GlobalIndex, LocalIndex};
use crate::debug::{Frame, FrameVariable, Scope, Stop};
use crate::runtime::{AsStore, AsStoreMut, Val};
use serde_json::{Value, json};
use std::ops::Range;

/// So many variables are told at once.
const MAX_VARIABLES: usize = 100_000;

/// How a number of the guest is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Hex,
}

/// A value of the machine as text, and its type.
pub(super) fn value_text(value: &Val, format: Format) -> (String, &'static str) {
    let hex = format == Format::Hex;
    match value {
        Val::I32(value) if hex => (format!("{value:#x}"), "i32"),
        Val::I64(value) if hex => (format!("{value:#x}"), "i64"),
        Val::I32(value) => (value.to_string(), "i32"),
        Val::I64(value) => (value.to_string(), "i64"),
        Val::F32(bits) => (f32::from_bits(*bits).to_string(), "f32"),
        Val::F64(bits) => (f64::from_bits(*bits).to_string(), "f64"),
        Val::V128(bytes) => (format!("{:#034x}", u128::from_le_bytes(*bytes)), "v128"),
        Val::FuncRef(value) => (reference(value.is_some()), "funcref"),
        Val::ExternRef(value) => (reference(value.is_some()), "externref"),
        Val::ExnRef(value) => (reference(value.is_some()), "exnref"),
        Val::AnyRef(value) => (reference(value.is_some()), "anyref"),
    }
}

fn reference(is_some: bool) -> String {
    if is_some { "a reference" } else { "null" }.to_owned()
}

/// A text as a value of the type that another has.
pub(super) fn parse_value(like: &Val, text: &str) -> Answer<Val> {
    let text = text.trim();
    let wrong = |ty: &str| failure(format!("`{text}` is no {ty}"));
    // Without a sign, up to what the bits hold.
    let integer = |bits: u32, ty: &str| -> Answer<i128> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => i128::from_str_radix(hex, 16),
            None => digits.parse::<i128>(),
        };
        // One sign is enough.
        let number = number.ok().filter(|_| !digits.contains(['-', '+']));
        let number = number.and_then(|number| number.checked_mul(sign)).ok_or_else(|| wrong(ty))?;
        let fits = number >= -(1i128 << (bits - 1)) && number < 1i128 << bits;
        if fits { Ok(number) } else { Err(wrong(ty)) }
    };
    Ok(match like {
        Val::I32(_) => Val::I32(integer(32, "i32")? as i32),
        Val::I64(_) => Val::I64(integer(64, "i64")? as i64),
        Val::F32(_) => Val::F32(text.parse::<f32>().map_err(|_| wrong("f32"))?.to_bits()),
        Val::F64(_) => Val::F64(text.parse::<f64>().map_err(|_| wrong("f64"))?.to_bits()),
        Val::V128(_) => {
            let digits = text.strip_prefix("0x").ok_or_else(|| wrong("v128 (0x and hexadecimal digits)"))?;
            let bits = u128::from_str_radix(digits, 16).map_err(|_| wrong("v128"))?;
            Val::V128(bits.to_le_bytes())
        }
        _ => return Err(failure("a reference cannot be given another value here")),
    })
}

/// A variable as it is told.
struct Item {
    name: String,
    shown: Shown,
    /// The expression that leads to it.
    path: Option<String>,
    variable: Option<FrameVariable>,
}

/// The expression that leads from one to something inside of it.
fn path_to(parent: &str, child: &str) -> String {
    if child == "*" {
        return format!("*{parent}");
    }
    let base = if parent.starts_with('*') { format!("({parent})") } else { parent.to_owned() };
    if child.starts_with('[') { format!("{base}{child}") } else { format!("{base}.{child}") }
}

fn source_scope(part: Part) -> Option<Scope> {
    Some(match part {
        Part::Arguments => Scope::Parameters,
        Part::Locals => Scope::Locals,
        Part::Statics => Scope::Statics,
        Part::ModuleStatics => Scope::Module,
        Part::WasmLocals | Part::Operands | Part::Globals => return None,
    })
}

/// The values of the machine that a scope has, with their names.
fn machine_values(frame: &Frame<'_>, store: &impl AsStore, part: Part, range: Range<usize>) -> Vec<(String, Val)> {
    let take = |values: Vec<Val>| values.into_iter().enumerate().skip(range.start).take(range.len());
    match part {
        Part::WasmLocals => {
            let name = |index| frame.local_name(LocalIndex::from_usize(index));
            let named =
                |index| name(index).map_or_else(|| format!("local{index}"), |name| format!("local{index} {name}"));
            take(frame.locals()).map(|(index, value)| (named(index), value)).collect()
        }
        Part::Operands => take(frame.operands()).map(|(index, value)| (format!("stack{index}"), value)).collect(),
        _ => {
            let names = &frame.module().info().names.globals;
            let count = frame.module().info().globals.len();
            let Some(instance) = frame.instance() else { return Vec::new() };
            let values = (range.start..range.end.min(count)).filter_map(|index| {
                let global = GlobalIndex::from_usize(index);
                let value = instance.global(store.as_store(), global)?.get(store.as_store()).ok()?;
                let name = names.get(&global);
                Some((name.map_or_else(|| format!("global{index}"), |name| format!("global{index} {name}")), value))
            });
            values.collect()
        }
    }
}

/// The number behind a name such as `local3 x`.
fn index_of(name: &str) -> Option<usize> {
    let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    digits.split(' ').next()?.parse().ok()
}

/// What is inside of something.
fn items(stop: &Stop<'_>, container: &Container, range: Range<usize>, format: Format) -> Answer<Vec<Item>> {
    let handle = container.frame();
    let frame = stop.frame(handle.index).ok_or_else(|| failure("the frame is gone"))?;
    let item = |variable: FrameVariable, path: String| Item {
        name: variable.name().to_owned(),
        shown: show(&frame, &variable),
        path: Some(path),
        variable: Some(variable),
    };
    match container {
        Container::Variable(_, variable, path) => {
            let children = variable.children(&frame, range.start as u64..range.end as u64)?.into_iter();
            Ok(children
                .map(|child| {
                    let path = path_to(path, child.name());
                    item(child, path)
                })
                .collect())
        }
        Container::Scope(_, part) => match source_scope(*part) {
            Some(scope) => {
                let all = frame.variables(handle.level, scope)?.into_iter();
                let all = all.filter(|variable| !variable.is_shadowed()).skip(range.start).take(range.len());
                Ok(all
                    .map(|variable| {
                        let path = variable.name().to_owned();
                        item(variable, path)
                    })
                    .collect())
            }
            None => {
                let values = machine_values(&frame, stop, *part, range).into_iter();
                let item = |(name, value): (String, Val)| {
                    let path = name.split(' ').next().map(|name| format!("${name}"));
                    let (text, ty) = value_text(&value, format);
                    Item { name, shown: Shown::plain(text, ty), path, variable: None }
                };
                Ok(values.map(item).collect())
            }
        },
    }
}

impl Adapter {
    pub(super) fn request_variables(&mut self, args: Args<'_>) -> Answer {
        let container = self.handles.container(args.int("variablesReference")?)?;
        let from = args.opt_count("start")?.unwrap_or(0);
        let count = match args.opt_count("count")? {
            None | Some(0) => MAX_VARIABLES,
            Some(count) => count.min(MAX_VARIABLES),
        };
        let indexed = args.opt_str("filter")?.map(|filter| filter == "indexed");
        let hex = args.object("format")?.flag("hex")?;
        let format = if hex { Format::Hex } else { Format::Plain };
        let handle = container.frame();
        let (found, instance) = self.at_stop(handle.thread, move |stop| {
            let mut found = items(stop, &container, from..from.saturating_add(count), format)?;
            found.retain(|item| indexed.is_none_or(|indexed| indexed == item.name.starts_with('[')));
            Ok((found, stop.frame(handle.index).and_then(|frame| frame.instance_id())))
        })?;
        let instance = self.instance_number(instance);
        let mut variables = Vec::with_capacity(found.len());
        for Item { name, shown, path, variable } in found {
            let mut value = self.shown_value(handle, instance, shown, variable, path.as_deref().unwrap_or(&name))?;
            value["name"] = name.into();
            value["evaluateName"] = path.into();
            variables.push(compact(value));
        }
        Ok(json!({ "variables": variables }))
    }

    /// What a value is told as, without a name; what is inside of it can be asked for.
    pub(super) fn shown_value(
        &mut self,
        handle: FrameHandle,
        instance: u32,
        shown: Shown,
        variable: Option<FrameVariable>,
        path: &str,
    ) -> Answer {
        let reference = match variable {
            Some(variable) if shown.children > 0 => {
                self.handles.add(Container::Variable(handle, Box::new(variable), path.to_owned()))?
            }
            _ => 0,
        };
        let count = (reference > 0).then(|| shown.children.min(i32::MAX as u64));
        let hint = (!shown.is_writable).then(|| json!({ "attributes": ["readOnly"] }));
        Ok(json!({
            "value": shown.text,
            "type": shown.type_name,
            "variablesReference": reference,
            "indexedVariables": count.filter(|_| shown.is_array),
            "namedVariables": count.filter(|_| !shown.is_array),
            "memoryReference": shown.address.and_then(|address| self.memory_address(instance, address)),
            "presentationHint": hint,
        }))
    }

    pub(super) fn request_set_variable(&mut self, args: Args<'_>) -> Answer {
        let container = self.handles.container(args.int("variablesReference")?)?;
        let (name, text) = (args.str("name")?.to_owned(), args.str("value")?.to_owned());
        let handle = container.frame();
        let found = self.at_stop(handle.thread, move |stop| {
            let variable = match &container {
                Container::Scope(_, part) if source_scope(*part).is_none() => {
                    return set_machine_value(stop, handle.index, *part, &name, &text).map(|shown| (shown, None, None));
                }
                _ => find(stop, &container, &name)?,
            };
            stop.assign_variable(handle.index, &variable, &text)?;
            let frame = stop.frame(handle.index).ok_or_else(|| failure("the frame is gone"))?;
            Ok((show(&frame, &variable), Some(variable), frame.instance_id()))
        });
        let (shown, variable, instance) = found?;
        let instance = self.instance_number(instance);
        let path = args.str("name")?;
        self.shown_value(handle, instance, shown, variable, path).map(|mut value| {
            value["presentationHint"] = Value::Null;
            compact(value)
        })
    }
}

/// The variable of a name in a container.
pub(super) fn find(stop: &Stop<'_>, container: &Container, name: &str) -> Answer<FrameVariable> {
    let frame = stop.frame(container.frame().index).ok_or_else(|| failure("the frame is gone"))?;
    let missing = || failure(format!("there is no variable `{name}` here"));
    let all = match container {
        Container::Variable(_, variable, _) => {
            // Elements are looked for by their numbers alone, however many there are.
            let number = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|n| n.parse().ok());
            match number {
                Some(number) => variable.children(&frame, number..number + 1)?,
                None => variable.children(&frame, 0..MAX_VARIABLES as u64)?,
            }
        }
        Container::Scope(handle, part) => {
            let scope = source_scope(*part).ok_or_else(missing)?;
            let mut all = frame.variables(handle.level, scope)?;
            all.retain(|variable| !variable.is_shadowed());
            all
        }
    };
    all.into_iter().find(|variable| variable.name() == name).ok_or_else(missing)
}

/// A local, a global or an operand, as what is watched or changed.
pub(super) fn machine_index(part: Part, name: &str) -> Answer<usize> {
    let known = source_scope(part).is_none().then(|| index_of(name)).flatten();
    known.ok_or_else(|| failure(format!("there is no `{name}` here")))
}

fn set_machine_value(stop: &mut Stop<'_>, frame: usize, part: Part, name: &str, text: &str) -> Answer<Shown> {
    let index = machine_index(part, name)?;
    let missing = || failure(format!("there is no `{name}` here"));
    let shown = stop.frame(frame).ok_or_else(|| failure("the frame is gone"))?;
    let old = machine_values(&shown, stop, part, index..index + 1).pop().ok_or_else(missing)?.1;
    let value = parse_value(&old, text)?;
    match part {
        Part::WasmLocals => stop.set_local(frame, index, value)?,
        Part::Operands => stop.set_operand(frame, index, value)?,
        _ => {
            let instance = shown.instance().ok_or_else(missing)?;
            let global = instance.global(stop.as_store(), GlobalIndex::from_usize(index)).ok_or_else(missing)?;
            global.set(stop.as_store_mut(), value)?;
        }
    }
    let (text, ty) = value_text(&value, Format::Plain);
    Ok(Shown::plain(text, ty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_lead_on() {
        assert_eq!(path_to("p", "*"), "*p");
        assert_eq!(path_to("*p", "x"), "(*p).x");
        assert_eq!(path_to("(*p).x", "[3]"), "(*p).x[3]");
        assert_eq!(path_to("*p", "[3]"), "(*p)[3]");
        assert_eq!(path_to("*p", "*"), "**p");
    }

    #[test]
    fn values_of_the_machine_are_read_as_they_are_written() {
        for value in [
            Val::I32(-1),
            Val::I64(i64::MIN),
            Val::F32(1.5f32.to_bits()),
            Val::F64((-0.25f64).to_bits()),
            Val::V128([7; 16]),
        ] {
            for format in [Format::Plain, Format::Hex] {
                let text = value_text(&value, format).0;
                assert_eq!(parse_value(&value, &text).unwrap(), value, "{text}");
            }
        }
        assert_eq!(parse_value(&Val::I32(0), "0xffffffff").unwrap(), Val::I32(-1));
        for wrong in ["", "x", "4294967296", "-2147483649", "1.5", "0x", "--1"] {
            assert!(parse_value(&Val::I32(0), wrong).is_err(), "{wrong}");
        }
        assert!(parse_value(&Val::FuncRef(None), "0").is_err());
    }
}
