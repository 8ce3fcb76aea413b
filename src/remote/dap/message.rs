//! What is in messages: arguments of requests, which may be anything, and why a request fails.

use crate::base::Error;
use crate::remote::session::NotStopped;
use serde_json::{Value, json};

/// Why a request was not done.
#[derive(Debug)]
pub(super) struct Failure {
    /// A word for programs.
    pub(super) short: &'static str,
    /// The same for people.
    pub(super) text: String,
}

/// The body of a response, or why there is none.
pub(super) type Answer<T = Value> = Result<T, Failure>;

pub(super) fn failure(text: impl Into<String>) -> Failure {
    Failure { short: "failed", text: text.into() }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        failure(error.message())
    }
}

impl From<NotStopped> for Failure {
    fn from(error: NotStopped) -> Failure {
        let short = if error == NotStopped::Running { "notStopped" } else { "failed" };
        Failure { short, text: error.to_string() }
    }
}

/// The request that a message asks to be cancelled, if it does.
pub(super) fn cancelled_by(message: &Value) -> Option<i64> {
    let is = message["type"] == "request" && message["command"] == "cancel";
    if is { message["arguments"]["requestId"].as_i64() } else { None }
}

/// The arguments of a request, or an object among them.
#[derive(Clone, Copy)]
pub(super) struct Args<'a>(pub(super) &'a Value);

impl<'a> Args<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn wrong<T>(name: &str, what: &str) -> Answer<T> {
        Err(failure(format!("the argument `{name}` has to be {what}")))
    }

    pub(super) fn opt_str(self, name: &str) -> Answer<Option<&'a str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Self::wrong(name, "a string"),
        }
    }

    pub(super) fn str(self, name: &str) -> Answer<&'a str> {
        self.opt_str(name)?.map_or_else(|| Self::wrong(name, "a string"), Ok)
    }

    pub(super) fn opt_int(self, name: &str) -> Answer<Option<i64>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map_or_else(|| Self::wrong(name, "an integer"), |value| Ok(Some(value))),
        }
    }

    pub(super) fn int(self, name: &str) -> Answer<i64> {
        self.opt_int(name)?.map_or_else(|| Self::wrong(name, "an integer"), Ok)
    }

    /// A count, or a position in a list.
    pub(super) fn opt_count(self, name: &str) -> Answer<Option<usize>> {
        match self.opt_int(name)? {
            None => Ok(None),
            Some(value) => usize::try_from(value).map_or_else(|_| Self::wrong(name, "not negative"), |v| Ok(Some(v))),
        }
    }

    /// Whether it is asked for; false by default.
    pub(super) fn flag(self, name: &str) -> Answer<bool> {
        Ok(self.opt_flag(name)?.unwrap_or(false))
    }

    pub(super) fn opt_flag(self, name: &str) -> Answer<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Self::wrong(name, "true or false"),
        }
    }

    /// An object; an empty one where it is not there.
    pub(super) fn object(self, name: &str) -> Answer<Args<'a>> {
        match self.get(name) {
            None => Ok(Args(&Value::Null)),
            Some(value @ Value::Object(_)) => Ok(Args(value)),
            Some(_) => Self::wrong(name, "an object"),
        }
    }

    /// A list; an empty one where it is not there.
    pub(super) fn list(self, name: &str) -> Answer<&'a [Value]> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Self::wrong(name, "a list"),
        }
    }
}

/// An event.
pub(super) fn event(name: &str, body: Value) -> Value {
    json!({ "type": "event", "event": name, "body": body })
}

/// A response. The number of the message is put in where it is sent.
pub(super) fn response(request: i64, command: &str, answer: Answer) -> Value {
    match answer {
        Ok(Value::Null) => {
            json!({ "type": "response", "request_seq": request, "command": command, "success": true })
        }
        Ok(body) => json!({
            "type": "response", "request_seq": request, "command": command, "success": true, "body": body
        }),
        Err(Failure { short, text }) => {
            // Who shows it replaces names in braces.
            let format = text.replace('{', "(").replace('}', ")");
            json!({
                "type": "response", "request_seq": request, "command": command, "success": false,
                "message": if short == "failed" { text.as_str() } else { short },
                "body": { "error": { "id": 1, "format": format, "showUser": true } }
            })
        }
    }
}

/// Leaves out members that are null: the protocol has no null.
pub(super) fn compact(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, member| !member.is_null());
    }
    value
}
