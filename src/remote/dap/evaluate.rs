//! Expressions: what a client types, watches, hovers over, or gives a breakpoint for its condition. All that the rest
//! of the adapter knows of them is here, and all that is here is asked of [`Frame::variable`], [`Frame::evaluate`] and
//! [`Stop::assign`](crate::debug::Stop::assign).

use super::adapter::Adapter;
use super::handles::FrameHandle;
use super::message::{Answer, Args, compact, failure};
use crate::debug::{Frame, FrameVariable, Stop};
use crate::dwarf::{Scalar, ValueKind};

/// The longest text that a log message comes to.
const MAX_LOG: usize = 16 << 10;

/// A value as it is shown.
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) type_name: String,
    /// How many variables are inside of it.
    pub(super) children: u64,
    pub(super) is_array: bool,
    /// What of the memory may be looked at for it: what it points to, or where it is.
    pub(super) address: Option<u64>,
    pub(super) is_writable: bool,
}

impl Shown {
    /// One with nothing inside.
    pub(super) fn plain(text: String, type_name: &str) -> Shown {
        let type_name = type_name.to_owned();
        Shown { text, type_name, children: 0, is_array: false, address: None, is_writable: true }
    }
}

/// A number that is an address, if it is.
fn pointer(number: Scalar) -> Option<u64> {
    match number {
        Scalar::Unsigned(number) => u64::try_from(number).ok(),
        Scalar::Signed(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

/// A variable as it is shown. What cannot be read is said in its place.
pub(super) fn show(frame: &Frame<'_>, variable: &FrameVariable) -> Shown {
    let said = |error: crate::base::Error| format!("<{}>", error.message());
    let kind = variable.kind(frame).ok();
    let place = variable.address(frame).ok().flatten().map(|address| address.get());
    let pointed = match kind {
        Some(ValueKind::Pointer | ValueKind::Reference) => variable.number(frame).ok().and_then(pointer),
        _ => None,
    };
    Shown {
        text: variable.text(frame).unwrap_or_else(said),
        type_name: variable.type_name(frame).unwrap_or_default(),
        children: variable.child_count(frame).unwrap_or(0),
        is_array: kind == Some(ValueKind::Array),
        address: pointed.or(place),
        is_writable: !matches!(kind, Some(ValueKind::Structure | ValueKind::Union | ValueKind::Array)),
    }
}

/// What an expression comes to, and what is inside of it, if it is something that can be looked into.
fn evaluate(frame: &Frame<'_>, level: usize, text: &str) -> Answer<(Shown, Option<FrameVariable>)> {
    let found = match frame.variable(level, text) {
        Ok(variable) => return Ok((show(frame, &variable), Some(variable))),
        Err(error) => error,
    };
    // It may be more than a variable.
    match frame.evaluate(text) {
        Ok(value) if level == 0 => {
            let shown = Shown { is_writable: false, ..Shown::plain(value.text, &value.type_name) };
            Ok((shown, None))
        }
        _ => Err(found.into()),
    }
}

/// Whether an expression holds: whether it is another number than 0.
pub(super) fn holds(frame: &Frame<'_>, text: &str) -> Answer<bool> {
    if let Ok(number) = frame.variable(0, text).and_then(|variable| variable.number(frame)) {
        return Ok(match number {
            Scalar::Signed(number) => number != 0,
            Scalar::Unsigned(number) => number != 0,
            Scalar::Float(number) => number != 0.0,
            Scalar::Bool(holds) => holds,
            Scalar::Char(letter) => letter != 0,
        });
    }
    let value = frame.evaluate(text)?;
    let value = value.text.split_whitespace().next().unwrap_or("");
    Ok(!matches!(value, "0" | "0x0" | "0.0" | "false" | "nullptr" | "null"))
}

/// A log message with the values of the expressions in its braces; `\{` is a brace.
pub(super) fn log_text(frame: &Frame<'_>, message: &str) -> String {
    let (mut text, mut rest) = (String::new(), message);
    while let Some(at) = rest.find(['{', '\\']).filter(|_| text.len() < MAX_LOG) {
        text.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        if rest[at..].starts_with('\\') {
            let brace = behind.chars().next().filter(|next| matches!(next, '{' | '}'));
            text.push(brace.unwrap_or('\\'));
            rest = &behind[usize::from(brace.is_some())..];
            continue;
        }
        let Some((expression, behind)) = behind.split_once('}') else {
            rest = &rest[at..];
            break;
        };
        match evaluate(frame, 0, expression.trim()) {
            Ok((shown, _)) => text.push_str(&shown.text),
            Err(error) => {
                text.push('<');
                text.push_str(&error.text);
                text.push('>');
            }
        }
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// `path = value`, if that is what a text is.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=')?;
    let is_operator = bytes.get(at + 1) == Some(&b'=') || at > 0 && b"=!<>+-*/%&|^".contains(&bytes[at - 1]);
    (!is_operator).then(|| (text[..at].trim(), text[at + 1..].trim()))
}

/// Gives what an expression leads to another value.
fn assign(stop: &mut Stop<'_>, frame: FrameHandle, path: &str, value: &str) -> Answer<()> {
    let gone = || failure("the frame is gone");
    if frame.level == 0 {
        return Ok(stop.assign(frame.index, path, value)?);
    }
    let variable = stop.frame(frame.index).ok_or_else(gone)?.variable(frame.level, path)?;
    Ok(stop.assign_variable(frame.index, &variable, value)?)
}

impl Adapter {
    fn frame_of(&self, args: Args<'_>) -> Answer<FrameHandle> {
        match args.opt_int("frameId")? {
            Some(number) => self.handles.frame(number),
            None => self.any_frame(),
        }
    }

    pub(super) fn request_evaluate(&mut self, args: Args<'_>) -> Answer {
        let text = args.str("expression")?.trim().to_owned();
        let handle = self.frame_of(args)?;
        // Hovering and watching change nothing.
        let may_assign = args.opt_str("context")? == Some("repl");
        let expression = text.clone();
        let (shown, variable, instance) = self.at_stop(handle.thread, move |stop| {
            let gone = || failure("the frame is gone");
            let target = assignment(&text).filter(|_| may_assign);
            let found = match target {
                Some((path, value)) => {
                    assign(stop, handle, path, value)?;
                    evaluate(&stop.frame(handle.index).ok_or_else(gone)?, handle.level, path)
                }
                None => evaluate(&stop.frame(handle.index).ok_or_else(gone)?, handle.level, &text),
            };
            let (shown, variable) = found?;
            Ok((shown, variable, stop.frame(handle.index).and_then(|frame| frame.instance())))
        })?;
        let instance = self.instance_number(instance);
        let mut value = self.shown_value(handle, instance, shown, variable, &expression)?;
        value["result"] = value["value"].take();
        Ok(compact(value))
    }

    pub(super) fn request_set_expression(&mut self, args: Args<'_>) -> Answer {
        let (path, text) = (args.str("expression")?.to_owned(), args.str("value")?.to_owned());
        let handle = self.frame_of(args)?;
        let expression = path.clone();
        let (shown, variable, instance) = self.at_stop(handle.thread, move |stop| {
            assign(stop, handle, &path, &text)?;
            let frame = stop.frame(handle.index).ok_or_else(|| failure("the frame is gone"))?;
            let (shown, variable) = evaluate(&frame, handle.level, &path)?;
            Ok((shown, variable, frame.instance()))
        })?;
        let instance = self.instance_number(instance);
        self.shown_value(handle, instance, shown, variable, &expression).map(compact)
    }
}

#[cfg(test)]
mod tests {
    use super::assignment;

    #[test]
    fn an_assignment_is_no_comparison() {
        assert_eq!(assignment("p->x = 3"), Some(("p->x", "3")));
        assert_eq!(assignment("x=-1"), Some(("x", "-1")));
        for other in ["x == 3", "x != 3", "x <= 3", "x >= 3", "x += 3", "x"] {
            assert_eq!(assignment(other), None, "{other}");
        }
    }
}
