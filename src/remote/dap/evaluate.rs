//! Expressions: what a client types, watches, hovers over, or gives a breakpoint for its condition. What they mean is
//! the debugger's affair: all that the rest of the adapter knows of them is here, and all that is here is asked of
//! [`Frame::variable`] and [`Stop::evaluate`](crate::debug::Stop::evaluate).

use super::adapter::Adapter;
use super::handles::FrameHandle;
use super::message::{Answer, Args, compact, failure};
use crate::debug::{EvaluateOptions, Frame, FrameVariable, Stop};
use crate::dwarf::{Scalar, ValueKind};
use crate::runtime::InstanceId;

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

/// Whether an expression holds: whether it is another number than 0.
pub(super) fn holds(frame: &Frame<'_>, text: &str) -> Answer<bool> {
    Ok(match frame.variable(0, text)?.number(frame)? {
        Scalar::Signed(number) => number != 0,
        Scalar::Unsigned(number) => number != 0,
        Scalar::Float(number) => number != 0.0,
        Scalar::Bool(holds) => holds,
        Scalar::Char(letter) => letter != 0,
    })
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
        match frame.variable(0, expression.trim()) {
            Ok(variable) => text.push_str(&show(frame, &variable).text),
            Err(error) => {
                text.push('<');
                text.push_str(error.message());
                text.push('>');
            }
        }
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// Evaluates in a frame: what it comes to, as it is shown.
fn evaluate(
    stop: &mut Stop<'_>,
    handle: FrameHandle,
    text: &str,
    allowed: bool,
) -> Answer<(Shown, FrameVariable, Option<InstanceId>)> {
    let options = EvaluateOptions { level: handle.level, assign: allowed, call: allowed };
    let variable = stop.evaluate(handle.index, text, options)?;
    let frame = stop.frame(handle.index).ok_or_else(|| failure("the frame is gone"))?;
    Ok((show(&frame, &variable), variable, frame.instance_id()))
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
        // Hovering and watching change nothing, and call nothing.
        let may_change = args.opt_str("context")? == Some("repl");
        let expression = text.clone();
        let evaluate = move |stop: &mut Stop<'_>| evaluate(stop, handle, &text, may_change);
        let (shown, variable, instance) = self.at_stop(handle.thread, evaluate)?;
        let instance = self.instance_number(instance);
        let mut value = self.shown_value(handle, instance, shown, Some(variable), &expression)?;
        value["result"] = value["value"].take();
        Ok(compact(value))
    }

    pub(super) fn request_set_expression(&mut self, args: Args<'_>) -> Answer {
        let (path, text) = (args.str("expression")?.to_owned(), args.str("value")?.to_owned());
        let handle = self.frame_of(args)?;
        let expression = path.clone();
        let evaluate = move |stop: &mut Stop<'_>| evaluate(stop, handle, &format!("{path} = {text}"), true);
        let (shown, variable, instance) = self.at_stop(handle.thread, evaluate)?;
        let instance = self.instance_number(instance);
        self.shown_value(handle, instance, shown, Some(variable), &expression).map(compact)
    }
}
