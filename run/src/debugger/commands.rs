//! What can be typed: the commands, by gdb's names and by LLDB's, and what a line means. What each does is elsewhere.

use super::fault::{Fault, Outcome};

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command {
    Advance,
    Backtrace,
    Break,
    Catch,
    Condition,
    Continue,
    Delete,
    Directory,
    Disable,
    Disassemble,
    Display,
    Down,
    Echo,
    Enable,
    Examine,
    Finish,
    Frame,
    Help,
    Ignore,
    Info,
    Jump,
    Kill,
    List,
    MemoryRead,
    MemoryWrite,
    Next,
    NextInstruction,
    Print,
    Quit,
    Return,
    Run,
    Set,
    Show,
    Source,
    Start,
    Step,
    StepInstruction,
    TemporaryBreak,
    Undisplay,
    Until,
    Up,
    Watch,
    WatchAccess,
    WatchRead,
}

use Command as C;

/// What there is: the names of a command, the first of which is its own; what stands behind it; what it does; whether
/// an empty line does it again.
pub struct Row {
    /// The command.
    pub command: Command,
    /// Its names. A name is known by its beginning, too, where that means no other.
    pub names: &'static [&'static str],
    /// What stands behind it.
    pub arguments: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Whether an empty line does it again.
    pub repeats: bool,
}

const fn row(
    command: Command,
    names: &'static [&'static str],
    arguments: &'static str,
    help: &'static str,
    repeats: bool,
) -> Row {
    Row { command, names, arguments, help, repeats }
}

/// All commands, in the order of `help`.
pub const ROWS: &[Row] = &[
    row(C::Run, &["run", "r"], "[ARGS]", "start the program, from the beginning if it runs already", false),
    row(C::Start, &["start"], "[ARGS]", "run up to `main`", false),
    row(C::Continue, &["continue", "c", "fg"], "[N]", "go on; pass the breakpoint here N-1 times", true),
    row(C::Next, &["next", "n"], "[N]", "to the next line, over calls", true),
    row(C::Step, &["step", "s"], "[N]", "to the next line, into calls", true),
    row(C::NextInstruction, &["nexti", "ni"], "[N]", "to the next instruction, over calls", true),
    row(C::StepInstruction, &["stepi", "si"], "[N]", "to the next instruction, into calls", true),
    row(C::Finish, &["finish", "fin"], "", "until the selected frame returns", true),
    row(C::Until, &["until", "u"], "[WHERE]", "to a line of this function; without, out of a loop", true),
    row(C::Advance, &["advance"], "WHERE", "until a place is come to", true),
    row(C::Jump, &["jump", "j"], "LINE | *OFFSET", "go on at another place of this function", false),
    row(C::Return, &["return"], "[VALUE...]", "leave the selected frame at once, with these results", false),
    row(C::Kill, &["kill", "k"], "", "end the program", false),
    row(C::Break, &["break", "b"], "WHERE [if COND]", "stop at FUNCTION, FILE:LINE, LINE, *OFFSET or #INDEX", false),
    row(C::TemporaryBreak, &["tbreak", "tb", "thbreak"], "WHERE [if COND]", "the same, once", false),
    row(C::Watch, &["watch", "wa"], "EXPR", "stop when a value changes", false),
    row(C::WatchRead, &["rwatch", "rw"], "EXPR", "stop when it is read", false),
    row(C::WatchAccess, &["awatch", "aw"], "EXPR", "stop when it is read or written", false),
    row(C::Catch, &["catch"], "throw | uncaught | none", "stop at exceptions", false),
    row(
        C::Delete,
        &["delete", "d", "del"],
        "[N...]",
        "remove breakpoints and watchpoints, all without a number",
        false,
    ),
    row(C::Disable, &["disable", "dis"], "[N...]", "have them stop nothing", false),
    row(C::Enable, &["enable", "en"], "[N...]", "have them stop again", false),
    row(C::Ignore, &["ignore"], "N COUNT", "pass breakpoint N so many times", false),
    row(C::Condition, &["condition", "cond"], "N [COND]", "stop at breakpoint N only where it holds", false),
    row(C::Backtrace, &["backtrace", "bt", "where"], "[N]", "the frames; the innermost N, or outermost of -N", false),
    row(C::Frame, &["frame", "f"], "[N]", "select frame N, and show it", false),
    row(C::Up, &["up"], "[N]", "select the frame that has called", true),
    row(C::Down, &["down", "dow"], "[N]", "select the frame that was called", true),
    row(C::Print, &["print", "p", "inspect", "call"], "[/F] EXPR", "a value; F: x d u o t c a f", false),
    row(C::Set, &["set"], "VAR = VALUE", "give a variable another value; also `set args ...`, `set listsize N`", false),
    row(C::Display, &["display"], "[/F] EXPR", "print a value at every stop", false),
    row(C::Undisplay, &["undisplay"], "[N...]", "no longer", false),
    row(C::Examine, &["x"], "/NFU ADDRESS", "memory: N of format F (x d u o t c f s i a) and unit U (b h w g)", true),
    row(C::Disassemble, &["disassemble", "disas"], "[FUNCTION]", "the instructions of a function", false),
    row(C::List, &["list", "l"], "[WHERE]", "the source: around here, and on from there", true),
    row(
        C::Info,
        &["info", "i", "inf"],
        "WHAT",
        "locals, args, breakpoints, watchpoints, registers, functions, line, source, modules, display, frame",
        false,
    ),
    row(C::Show, &["show"], "args | listsize | version", "a setting", false),
    row(C::Directory, &["directory", "dir"], "FOLDER", "look for the source there, too", false),
    row(C::Source, &["source"], "FILE", "do the commands of a file", false),
    row(C::Echo, &["echo"], "TEXT", "write text", false),
    row(C::Help, &["help", "h"], "[COMMAND]", "this", false),
    row(C::Quit, &["quit", "q", "exit"], "", "end the program, and the debugger", false),
];

/// What LLDB calls things: the words, which may be shortened, and what they mean.
const LLDB: &[(&[&str], &str)] = &[
    (&["breakpoint", "list"], "info breakpoints"),
    (&["breakpoint", "delete"], "delete"),
    (&["breakpoint", "disable"], "disable"),
    (&["breakpoint", "enable"], "enable"),
    (&["process", "launch"], "run"),
    (&["process", "continue"], "continue"),
    (&["process", "kill"], "kill"),
    (&["process", "status"], "frame"),
    (&["thread", "backtrace"], "backtrace"),
    (&["thread", "continue"], "continue"),
    (&["thread", "step-in"], "step"),
    (&["thread", "step-over"], "next"),
    (&["thread", "step-out"], "finish"),
    (&["thread", "step-inst"], "stepi"),
    (&["thread", "step-inst-over"], "nexti"),
    (&["thread", "until"], "until"),
    (&["thread", "return"], "return"),
    (&["thread", "jump"], "jump"),
    (&["thread", "list"], "info threads"),
    (&["thread", "info"], "frame"),
    (&["frame", "variable"], "frame-variable"),
    (&["frame", "select"], "frame"),
    (&["frame", "info"], "frame"),
    (&["expression"], "expression"),
    (&["memory", "read"], "memory-read"),
    (&["memory", "write"], "memory-write"),
    (&["register", "read"], "info registers"),
    (&["watchpoint", "list"], "info watchpoints"),
    (&["watchpoint", "delete"], "delete"),
    (&["watchpoint", "disable"], "disable"),
    (&["watchpoint", "enable"], "enable"),
    (&["watchpoint", "set", "variable"], "watchpoint-set"),
    (&["watchpoint", "set", "expression"], "watchpoint-set"),
    (&["breakpoint", "set"], "breakpoint-set"),
    (&["breakpoint", "modify"], "breakpoint-modify"),
    (&["target", "variable"], "print"),
    (&["target", "modules", "list"], "info sharedlibrary"),
    (&["image", "list"], "info sharedlibrary"),
    (&["source", "list"], "source-list"),
    (&["settings", "set", "target.run-args"], "set args"),
    (&["settings", "set"], "set ignored"),
];

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The command.
    pub command: Command,
    /// `/FORMAT`, without the slash.
    pub format: String,
    /// What stands behind it.
    pub rest: String,
}

impl Typed {
    /// What an empty line does behind this one: the same again, or what comes next in memory and in the source.
    pub fn again(&self, line: &str) -> Option<String> {
        match self.command {
            C::Examine => Some(format!("x/{}", self.format)),
            C::List if self.rest == "-" => Some("list -".to_owned()),
            C::List => Some("list".to_owned()),
            command => row_of(command).filter(|row| row.repeats).map(|_| line.to_owned()),
        }
    }
}

/// The row of a command.
pub fn row_of(command: Command) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.command == command)
}

/// Whether a format may stand behind a command.
fn takes_format(command: Command) -> bool {
    matches!(command, C::Print | C::Display | C::Examine | C::MemoryRead | C::Disassemble)
}

/// What a line means.
pub fn read(line: &str) -> Outcome<Typed> {
    let line = line.trim();
    let (line, alias) = match from_lldb(line)? {
        Some(line) => (line, true),
        None => (line.to_owned(), false),
    };
    // `x/4xw`, `p/x`: the format may stand right behind.
    let end = line.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let command = match word {
        "memory-read" if alias => C::MemoryRead,
        "memory-write" if alias => C::MemoryWrite,
        _ => find(word)?,
    };
    let mut rest = rest.trim_start();
    let mut format = "";
    if let Some(behind) = rest.strip_prefix('/').filter(|_| takes_format(command)) {
        let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
        (format, rest) = (&behind[..end], behind[end..].trim_start());
    }
    Ok(Typed { command, format: format.to_owned(), rest: rest.trim().to_owned() })
}

/// The command of a name, or of the beginning of one.
fn find(word: &str) -> Outcome<Command> {
    if let Some(row) = ROWS.iter().find(|row| row.names.contains(&word)) {
        return Ok(row.command);
    }
    let begins = |row: &&Row| !word.is_empty() && row.names.iter().any(|name| name.starts_with(word));
    let found: Vec<&Row> = ROWS.iter().filter(begins).collect();
    match &found[..] {
        [row] => Ok(row.command),
        [] => {
            let near = ROWS.iter().find(|row| row.names[0].starts_with(word.get(..2).unwrap_or("?")));
            let near = near.map_or(String::new(), |row| format!("; did you mean `{}`?", row.names[0]));
            Fault::err(format_args!("there is no command `{word}`{near} `help` lists what there is"))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|row| row.names[0]).collect();
            Fault::err(format_args!("`{word}` may be {}: type more of it", names.join(", ")))
        }
    }
}

/// What a line in LLDB's words is in ours; `None` for a line that is not in those.
fn from_lldb(line: &str) -> Outcome<Option<String>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(first) = words.first() else { return Ok(None) };
    match *first {
        "v" | "var" => return frame_variable(&words[1..].join(" ")).map(Some),
        "po" | "e" | "expr" => return Ok(Some(expression(line[first.len()..].trim()))),
        "di" => return Ok(Some(format!("disassemble{}", &line[2..]))),
        _ => {}
    }
    let is_ours = ROWS.iter().any(|row| row.names.contains(first));
    // `frame 2` and `source FILE` are gdb's.
    let fits = |(all, _): &&(&[&str], &str)| {
        let fit = words.len() >= all.len() && all.iter().zip(&words).all(|(all, word)| all.starts_with(word));
        fit && (!is_ours || all[0] == *first) && first.len() > 1 && (all.len() > 1 || first.len() > 3)
    };
    let exact = |(all, _): &&(&[&str], &str)| all.iter().zip(&words).all(|(all, word)| all == word);
    let found: Vec<_> = LLDB.iter().filter(fits).collect();
    let Some((all, ours)) = found.iter().copied().find(exact).or(found.first().copied()) else {
        let groups = ["breakpoint", "process", "thread", "memory", "register", "watchpoint"];
        if !is_ours && groups.contains(first) {
            let known = LLDB.iter().filter(|(all, _)| all[0] == *first).map(|(all, _)| all.join(" "));
            return Fault::err(format_args!("`{first}` has: {}", known.collect::<Vec<_>>().join(", ")));
        }
        return Ok(None);
    };
    let rest = words[all.len()..].join(" ");
    Ok(Some(match *ours {
        "breakpoint-set" => breakpoint_set(&words[all.len()..])?,
        "breakpoint-modify" => breakpoint_modify(&words[all.len()..])?,
        "frame-variable" => frame_variable(&rest)?,
        "expression" => expression(&rest),
        "watchpoint-set" => watchpoint_set(&words[all.len()..]),
        "source-list" => source_list(&words[all.len()..]),
        "set ignored" => "set confirm off".to_owned(),
        "set args" => format!("set args {}", rest.trim_start_matches("--").trim()),
        "backtrace" => format!("backtrace {}", rest.trim_start_matches("-c").trim()),
        ours => format!("{ours} {rest}").trim().to_owned(),
    }))
}

fn frame_variable(rest: &str) -> Outcome<String> {
    let names: Vec<&str> = rest.split_whitespace().filter(|word| !word.starts_with('-')).collect();
    Ok(match names[..] {
        [] => "info variables-here".to_owned(),
        _ => format!("print {}", names.join(" ")),
    })
}

fn expression(rest: &str) -> String {
    let behind = rest.split_once("-- ").map_or(rest, |(_, behind)| behind);
    format!("print {behind}")
}

/// The value behind an option, short or long.
fn option<'a>(words: &[&'a str], short: &str, long: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == short || *word == long)?;
    words.get(at + 1).copied()
}

fn breakpoint_set(words: &[&str]) -> Outcome<String> {
    let place = match (option(words, "-n", "--name"), option(words, "-l", "--line"), option(words, "-a", "--address")) {
        (Some(name), ..) => name.to_owned(),
        (_, Some(line), _) => match option(words, "-f", "--file") {
            Some(file) => format!("{file}:{line}"),
            None => line.to_owned(),
        },
        (.., Some(offset)) => format!("*{offset}"),
        _ => {
            return Fault::err(
                "breakpoint set: `-n FUNCTION`, `-f FILE -l LINE` or `-a OFFSET`; then `-c CONDITION`, `-o true`",
            );
        }
    };
    let once = words.iter().any(|word| matches!(*word, "-o" | "--one-shot"));
    let command = if once { "tbreak" } else { "break" };
    // A condition may have spaces.
    let condition = match words.iter().position(|word| matches!(*word, "-c" | "--condition")) {
        Some(at) => format!(" if {}", words[at + 1..].join(" ").trim_matches(['"', '\''])),
        None => String::new(),
    };
    Ok(format!("{command} {place}{condition}"))
}

fn breakpoint_modify(words: &[&str]) -> Outcome<String> {
    let number = words.iter().rev().find(|word| word.parse::<u32>().is_ok());
    match (words.iter().position(|word| matches!(*word, "-c" | "--condition")), number) {
        (Some(at), Some(number)) => {
            let condition: Vec<&str> = words[at + 1..].iter().copied().filter(|word| word != number).collect();
            Ok(format!("condition {number} {}", condition.join(" ").trim_matches(['"', '\''])))
        }
        _ => Fault::err("breakpoint modify: `-c CONDITION N`"),
    }
}

fn watchpoint_set(words: &[&str]) -> String {
    let kind = match option(words, "-w", "--watch") {
        Some("read") => "rwatch",
        Some("read_write") => "awatch",
        _ => "watch",
    };
    let mut names = words.iter().copied().filter(|word| *word != "--").peekable();
    let mut rest = Vec::new();
    while let Some(word) = names.next() {
        match word {
            "-w" | "--watch" | "-s" | "--size" => drop(names.next()),
            _ => rest.push(word),
        }
    }
    format!("{kind} {}", rest.join(" "))
}

fn source_list(words: &[&str]) -> String {
    match (option(words, "-n", "--name"), option(words, "-f", "--file"), option(words, "-l", "--line")) {
        (Some(name), ..) => format!("list {name}"),
        (_, Some(file), Some(line)) => format!("list {file}:{line}"),
        (_, None, Some(line)) => format!("list {line}"),
        _ => "list".to_owned(),
    }
}

/// The text of `help`.
pub fn help(of: &str) -> Outcome<String> {
    if !of.is_empty() {
        let row = row_of(read(of)?.command).ok_or_else(|| Fault::new("there is no help for that"))?;
        let aliases = row.names[1..].join(", ");
        let aliases = if aliases.is_empty() { String::new() } else { format!(" ({aliases})") };
        return Ok(format!("{} {}{aliases}\n    {}\n", row.names[0], row.arguments, row.help));
    }
    let mut text = String::new();
    for row in ROWS {
        let short = row.names.get(1).map_or(String::new(), |name| format!(", {name}"));
        let head = format!("{}{short} {}", row.names[0], row.arguments);
        text += &format!("{:<32} {}\n", head.trim_end(), row.help);
    }
    text += "LLDB's words do as well: `breakpoint set -n f`, `frame variable`, `thread backtrace`, `memory read`...\n\
             An empty line does the last command again. Ctrl-C pauses the program.\n";
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(line: &str) -> (Command, String, String) {
        let typed = read(line).unwrap_or_else(|fault| panic!("{line}: {}", fault.0));
        (typed.command, typed.format, typed.rest)
    }

    #[test]
    fn names_of_commands_mean_one() {
        let mut all: Vec<&str> = ROWS.iter().flat_map(|row| row.names).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn gdbs_lines() {
        for (line, command, format, rest) in [
            ("b main", C::Break, "", "main"),
            ("p/x *p->q", C::Print, "x", "*p->q"),
            ("p /x a", C::Print, "x", "a"),
            ("print a / b", C::Print, "", "a / b"),
            ("x/4xw &a", C::Examine, "4xw", "&a"),
            ("fin", C::Finish, "", ""),
            ("cont 3", C::Continue, "", "3"),
            ("tb f if x == 3", C::TemporaryBreak, "", "f if x == 3"),
            ("i b", C::Info, "", "b"),
            ("info line 7", C::Info, "", "line 7"),
            ("frame 2", C::Frame, "", "2"),
            ("f 1", C::Frame, "", "1"),
            ("source file.gdb", C::Source, "", "file.gdb"),
            ("disp/x n", C::Display, "x", "n"),
            ("dis 1", C::Disable, "", "1"),
            ("set var x = 3", C::Set, "", "var x = 3"),
        ] {
            assert_eq!(means(line), (command, format.to_owned(), rest.to_owned()), "{line}");
        }
        for line in ["", "nothing", "un", "breakpoint sit"] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn lldbs_lines() {
        for (line, ours) in [
            ("breakpoint set -n main", "break main"),
            ("br s -n main", "break main"),
            ("breakpoint set --name main -c 'x == 3'", "break main if x == 3"),
            ("breakpoint set -f a.c -l 7 -o true", "tbreak a.c:7"),
            ("breakpoint list", "info breakpoints"),
            ("thread backtrace", "backtrace"),
            ("thread step-inst-over", "nexti"),
            ("thread step-inst", "stepi"),
            ("th step-o", "next"),
            ("frame variable x", "print x"),
            ("fr v x", "print x"),
            ("v x", "print x"),
            ("frame select 2", "frame 2"),
            ("expression -- x = 3", "print x = 3"),
            ("process launch", "run"),
            ("register read", "info registers"),
            ("watchpoint set variable -w read_write x", "awatch x"),
            ("image list", "info sharedlibrary"),
            ("settings set target.run-args a b", "set args a b"),
        ] {
            assert_eq!(means(line), means(ours), "{line}");
        }
        assert_eq!(means("memory read 16").0, C::MemoryRead);
    }
}
