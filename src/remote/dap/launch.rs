//! Programs that a client has begun: what a host offers for that.

use serde_json::Value;

/// What a client's `launch` says of the program. Members that are not there are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaunchArguments {
    /// The program: `program`.
    pub program: Option<String>,
    /// Its arguments: `args`.
    pub args: Vec<String>,
    /// Its folder: `cwd`.
    pub cwd: Option<String>,
    /// Its environment: `env`, in the order of the names.
    pub env: Vec<(String, String)>,
    /// Whether it is to run without being debugged: `noDebug`.
    pub no_debug: bool,
    /// All that the client has said, as JSON.
    pub json: String,
}

impl LaunchArguments {
    /// From what the client has sent. Members of other types are left out: the host has all of it as JSON.
    pub(super) fn new(sent: &Value) -> LaunchArguments {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let args = sent["args"].as_array().map_or(Vec::new(), |args| args.iter().filter_map(text).collect());
        let pair = |(name, value): (&String, &Value)| Some((name.clone(), text(value)?));
        let env = sent["env"].as_object().map_or(Vec::new(), |env| env.iter().filter_map(pair).collect());
        LaunchArguments {
            program: text(&sent["program"]),
            args,
            cwd: text(&sent["cwd"]),
            env,
            no_debug: sent["noDebug"] == true,
            json: sent.to_string(),
        }
    }
}

/// A host's way to begin a program for a client. Both are called on the adapter's thread, which does nothing else
/// meanwhile.
pub trait Launch: Send {
    /// Makes the program ready: its store has to be in the session when this returns, so that what the client sets
    /// now is set when the first instruction runs. Nothing of it runs yet.
    ///
    /// # Errors
    /// Why that cannot be: the client is told so, and may try again.
    fn prepare(&mut self, arguments: &LaunchArguments) -> Result<(), String>;

    /// Has it run, on another thread: the client has said all that it wants. Called once, behind
    /// [`Launch::prepare`] that has succeeded.
    fn begin(&mut self);
}
