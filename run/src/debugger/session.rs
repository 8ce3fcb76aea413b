//! The session: asks for commands, does them, and knows what has to be known from one to the next.

use super::commands::{self, Command as C, Typed};
use super::fault::{Fault, Outcome};
use super::moving::Going;
use super::places::Around;
use super::points::Points;
use super::source::Sources;
use super::target::{self, Shown, Target};
use super::terminal::{Line, ModuleWords, Terminal, Words};
use crate::end::{FAILURE, Run};
use crate::options::{Options, Script};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use stepwell::debug::{Action, Scope, Stop};
use stepwell::{Module, readable};

/// What is to be done once the guest has been left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It is run again.
    Run,
    /// Nothing: somebody wanted its end.
    Kill,
    /// The debugger ends, too.
    Quit,
}

/// What follows a command.
pub enum Flow {
    /// The next one.
    Stay,
    /// The guest goes on.
    Go(Action),
    /// The guest is left, or begins.
    Leave(After),
}

/// A value that is printed at each stop.
pub struct Shows {
    /// Its number.
    pub number: u32,
    /// How.
    pub format: String,
    /// What.
    pub text: String,
}

/// A line of a script.
struct Scripted {
    text: String,
    /// Where it stands.
    origin: String,
    /// Lines of one script have the same: where one fails, the others are left out.
    script: usize,
}

/// A session.
pub struct Session {
    /// What was asked for, with the arguments as they are now.
    pub options: Arc<Options>,
    /// Whether the arguments are others than the store has.
    pub is_changed: bool,
    /// What is debugged.
    pub module: Module,
    /// Where it is said.
    pub terminal: Terminal,
    /// Where the source is.
    pub sources: Sources,
    /// Breakpoints and watchpoints.
    pub points: Points,
    /// What is printed at each stop.
    pub displays: Vec<Shows>,
    /// How many there have been.
    pub last_display: u32,
    /// The selected frame.
    pub at: Shown,
    /// The lines that were listed last: file, first, last.
    pub listed: Option<(String, u32, u32)>,
    /// How many lines are listed.
    pub list_size: u32,
    /// Values that were printed.
    pub printed: u32,
    /// What memory was shown as last, and up to where.
    pub examined: super::looking::Examined,
    /// How the guest was told to go on, if it is to stop later than it does by itself.
    pub going: Going,
    /// The frame and the function that were shown last.
    pub last_frame: Option<(usize, String)>,
    /// What is to be done once the guest has been left.
    pub after: Option<After>,
    /// Names of the module, for completion.
    words: ModuleWords,
    scripts: VecDeque<Scripted>,
    script_count: usize,
    /// What an empty line does.
    again: Option<String>,
    /// A command of a script has failed, and nobody was there to see it.
    failed: bool,
}

impl Session {
    /// A session with the scripts that were asked for.
    pub fn new(options: Arc<Options>, module: Module, terminal: Terminal) -> Run<Session> {
        let sources = Sources::new(Path::new(&options.module));
        let words = ModuleWords::new(&module);
        let mut session = Session {
            words,
            options,
            is_changed: false,
            module,
            terminal,
            sources,
            points: Points::default(),
            displays: Vec::new(),
            last_display: 0,
            at: Shown::default(),
            listed: None,
            list_size: 10,
            printed: 0,
            examined: super::looking::Examined::default(),
            going: Going::default(),
            last_frame: None,
            after: None,
            scripts: VecDeque::new(),
            script_count: 0,
            again: None,
            failed: false,
        };
        for script in session.options.clone().scripts.iter().rev() {
            match script {
                Script::Command(text) => session.add_script(text, "--ex"),
                Script::File(path) => session
                    .add_script_file(Path::new(path))
                    .map_err(|fault| crate::end::Ending::new(crate::end::USAGE, format_args!("-x: {}", fault.0)))?,
            }
        }
        if session.terminal.is_interactive() {
            let name = readable(&session.options.module.to_string_lossy());
            session
                .terminal
                .say(&format!("stepwell-run {}: {name}. `help` lists commands.\n", env!("CARGO_PKG_VERSION")));
        }
        Ok(session)
    }

    /// Whether somebody sits at a terminal.
    pub fn is_interactive(&self) -> bool {
        self.terminal.is_interactive()
    }

    /// The exit status of the whole.
    pub fn status(&self, of_the_program: i32) -> i32 {
        match (self.failed, self.options.batch) {
            (true, _) => FAILURE,
            (false, true) => of_the_program,
            (false, false) => 0,
        }
    }

    /// Lines to be done before all others.
    fn add_script(&mut self, text: &str, name: &str) {
        self.script_count += 1;
        let script = self.script_count;
        for (number, line) in text.lines().enumerate().collect::<Vec<_>>().into_iter().rev() {
            let origin = format!("{name}:{}", number + 1);
            self.scripts.push_front(Scripted { text: line.to_owned(), origin, script });
        }
    }

    /// The same, of a file.
    pub fn add_script_file(&mut self, path: &Path) -> Outcome<()> {
        let text = std::fs::read(path);
        let text =
            text.map_err(|error| Fault::new(format_args!("{}: {}", path.display(), crate::end::reason(&error))))?;
        self.add_script(&String::from_utf8_lossy(&text), &path.display().to_string());
        Ok(())
    }

    /// Asks for commands while no guest runs.
    pub fn idle(&mut self, target: &mut Target<'_, '_>) -> After {
        loop {
            match self.command(target) {
                Flow::Stay | Flow::Go(_) => {}
                Flow::Leave(after) => return after,
            }
        }
    }

    /// The guest stops: asks for commands until it is to go on.
    pub fn stopped(&mut self, stop: &mut Stop<'_>) -> Action {
        if self.after.is_some() {
            return Action::Continue;
        }
        self.at = Shown::default();
        if let Some(action) = self.goes_further(stop) {
            return action;
        }
        self.present(stop);
        loop {
            match self.command(&mut Target::Stopped(stop)) {
                Flow::Stay => {}
                Flow::Go(action) => return action,
                Flow::Leave(after) => {
                    self.after = Some(after);
                    return Action::Trap("the debugger has ended it".to_owned());
                }
            }
        }
    }

    /// Asks for one command, and does it.
    fn command(&mut self, target: &mut Target<'_, '_>) -> Flow {
        let (line, origin) = match self.scripts.pop_front() {
            Some(scripted) => (scripted.text, Some((scripted.origin, scripted.script))),
            None => {
                self.set_words(target);
                match self.terminal.ask() {
                    Line::Text(line) => (line, None),
                    Line::Nothing => return Flow::Stay,
                    Line::End => {
                        if self.is_interactive() {
                            self.terminal.say("quit\n");
                        }
                        return Flow::Leave(After::Quit);
                    }
                }
            }
        };
        let mut line = line.trim().to_owned();
        if line.starts_with('#') {
            return Flow::Stay;
        }
        if line.is_empty() {
            match self.again.clone().filter(|_| origin.is_none()) {
                Some(again) => line = again,
                None => return Flow::Stay,
            }
        }
        let typed = commands::read(&line);
        let again = typed.as_ref().ok().and_then(|typed| typed.again(&line));
        match typed.and_then(|typed| self.perform(target, typed)) {
            Ok(flow) => {
                self.again = again;
                flow
            }
            Err(fault) => {
                self.again = None;
                self.complain(&fault, origin);
                match self.failed && !self.terminal.asks() {
                    true => Flow::Leave(After::Quit),
                    false => Flow::Stay,
                }
            }
        }
    }

    /// Says why a command was not done. The rest of its script is not done either.
    fn complain(&mut self, fault: &Fault, origin: Option<(String, usize)>) {
        let place = origin.as_ref().map_or(String::new(), |(origin, _)| format!("{origin}: "));
        let text = self.terminal.paint(super::terminal::Colour::Red, &fault.0);
        self.terminal.say(&format!("{place}{text}\n"));
        if let Some((_, script)) = origin {
            self.scripts.retain(|scripted| scripted.script != script);
            self.failed = !self.terminal.is_interactive();
        }
    }

    /// Does a command: what follows.
    fn perform(&mut self, target: &mut Target<'_, '_>, typed: Typed) -> Outcome<Flow> {
        let Typed { command, format, rest } = typed;
        let rest = rest.as_str();
        let text = match command {
            C::Run => return self.run(target, rest),
            C::Start => return self.start(target, rest),
            C::Continue => return self.continues(target, rest).map(Flow::Go),
            C::Next => return self.steps(target, Action::NextLine, rest).map(Flow::Go),
            C::Step => return self.steps(target, Action::StepLine, rest).map(Flow::Go),
            C::NextInstruction => return self.steps(target, Action::StepOver, rest).map(Flow::Go),
            C::StepInstruction => return self.steps(target, Action::StepInstruction, rest).map(Flow::Go),
            C::Finish => return self.finish(target).map(Flow::Go),
            C::Until => return self.until(target, rest).map(Flow::Go),
            C::Advance => return self.advance(target, rest).map(Flow::Go),
            C::Jump => return self.jump(target, rest),
            C::Kill => {
                target.stop()?;
                return Ok(Flow::Leave(After::Kill));
            }
            C::Quit => return Ok(Flow::Leave(After::Quit)),
            C::Return => self.returns(target, rest)?,
            C::Break => self.breaks(target, rest, false)?,
            C::TemporaryBreak => self.breaks(target, rest, true)?,
            C::Watch => self.watch(target, rest, stepwell::debug::WatchKind::Change)?,
            C::WatchRead => self.watch(target, rest, stepwell::debug::WatchKind::Read)?,
            C::WatchAccess => self.watch(target, rest, stepwell::debug::WatchKind::Access)?,
            C::Catch => self.catch(target, rest)?,
            C::Delete => self.delete(target, rest)?,
            C::Disable => self.enable(target, rest, false)?,
            C::Enable => self.enable(target, rest, true)?,
            C::Ignore => self.ignore(target, rest)?,
            C::Condition => self.condition(target, rest)?,
            C::Backtrace => self.backtrace(target, rest)?,
            C::Frame => self.frame(target, rest)?,
            C::Up => self.up_or_down(target, rest, true)?,
            C::Down => self.up_or_down(target, rest, false)?,
            C::Print => self.print(target, &format, rest)?,
            C::Set => self.set(target, rest)?,
            C::Show => self.show(rest)?,
            C::Display => self.display(target, &format, rest)?,
            C::Undisplay => self.undisplay(rest)?,
            C::Examine => self.examine(target, &format, rest)?,
            C::MemoryRead => self.memory_read(target, rest)?,
            C::MemoryWrite => self.memory_write(target, rest)?,
            C::Disassemble => self.disassemble(target, rest)?,
            C::List => self.list(target, rest)?,
            C::Info => self.info(target, rest)?,
            C::Directory => {
                if rest.is_empty() {
                    return Fault::err("directory: which folder?");
                }
                self.sources.add_folder(rest.into());
                String::new()
            }
            C::Source => {
                self.add_script_file(Path::new(rest))?;
                String::new()
            }
            C::Echo => rest.replace("\\n", "\n"),
            C::Help => commands::help(rest)?,
        };
        self.terminal.say(&text);
        Ok(Flow::Stay)
    }

    /// A setting, or a variable.
    fn set(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match word {
            "args" => {
                self.set_arguments(behind)?;
                return Ok(String::new());
            }
            "listsize" => {
                let size = behind.trim().parse().ok().filter(|size| *size > 0);
                self.list_size = size.ok_or_else(|| Fault::new("set listsize: how many lines?"))?;
                return Ok(String::new());
            }
            // Scripts set these; here they mean nothing.
            "confirm" | "pagination" | "width" | "height" | "style" | "logging" | "breakpoint" | "history"
            | "verbose" | "disassembly-flavor" | "python"
                if !behind.trim_start().starts_with('=') =>
            {
                return Ok(String::new());
            }
            "print" if !behind.trim_start().starts_with('=') => return Ok(String::new()),
            _ => {}
        }
        let assignment = if word == "var" || word == "variable" { behind } else { rest };
        let (to, value) = super::looking::assignment(assignment)
            .ok_or_else(|| Fault::new("set: `set VARIABLE = VALUE`, `set args ARGS` or `set listsize N`"))?;
        let at = self.at;
        super::expressions::assign(target.stop()?, at, to, value)?;
        Ok(String::new())
    }

    fn show(&self, rest: &str) -> Outcome<String> {
        Ok(match rest.trim() {
            "args" => {
                let arguments: Vec<_> = self.options.arguments.iter().map(|text| text.to_string_lossy()).collect();
                format!("The program's arguments are: {}\n", arguments.join(" "))
            }
            "listsize" => format!("{} lines are listed\n", self.list_size),
            "version" => format!("stepwell-run {}\n", env!("CARGO_PKG_VERSION")),
            _ => return Fault::err("show: args, listsize or version"),
        })
    }

    /// Gives the program other arguments from its next run on.
    pub fn set_arguments(&mut self, text: &str) -> Outcome<()> {
        let arguments = words(text)?;
        Arc::make_mut(&mut self.options).arguments = arguments.into_iter().map(Into::into).collect();
        self.is_changed = true;
        Ok(())
    }

    /// What places are relative to.
    pub fn around<'m>(&self, target: &'m mut Target<'_, '_>, module: &'m Module) -> Around<'m> {
        let at = self.at;
        let listed = self.listed.clone().map(|(file, first, last)| (file, first.midpoint(last)));
        let Target::Stopped(stop) = target else { return Around { module, source: listed, offset: None } };
        let Some(frame) = stop.frame(at.frame) else { return Around { module, source: listed, offset: None } };
        let place = target::place(&frame, at);
        let here = place.and_then(|place| Some((place.file()?.to_owned(), place.line())));
        Around { module: frame.module(), source: here.or(listed), offset: Some(frame.offset()) }
    }

    /// A run begins.
    pub fn begin_run(&mut self) {
        self.at = Shown::default();
        self.last_frame = None;
        self.going = Going::default();
        self.after = None;
    }

    /// A run is over.
    pub fn end_run(&mut self, target: &mut Target<'_, '_>) {
        self.points.run_is_over(target);
        self.at = Shown::default();
        self.going = Going::default();
    }

    /// Sets the breakpoints in the store of the next run.
    pub fn set_again(&mut self, target: &mut Target<'_, '_>) {
        for text in self.points.set_again(target) {
            self.terminal.say(&format!("{text}\n"));
        }
    }

    /// Says how a run has ended.
    pub fn say_end(&mut self, text: &str) {
        self.terminal.say(&format!("{text}\n"));
    }

    /// What can be typed, for completion.
    fn set_words(&mut self, target: &mut Target<'_, '_>) {
        if !self.is_interactive() {
            return;
        }
        let at = self.at;
        let of_module = self.words.clone();
        let variables = match target {
            Target::Stopped(stop) => stop.frame(at.frame).map_or(Vec::new(), |frame| {
                let of = |scope| frame.variables(at.level, scope).unwrap_or_default();
                let all = [Scope::Parameters, Scope::Locals, Scope::Statics].into_iter().flat_map(of);
                all.map(|variable| variable.name().to_owned()).collect()
            }),
            Target::Idle(..) => Vec::new(),
        };
        self.terminal.set_words(|| {
            let all = commands::ROWS.iter();
            let commands = all.map(|row| row.names[0].to_owned());
            let lldb = ["breakpoint", "thread", "process", "memory", "register", "watchpoint", "expression"];
            let commands = commands.chain(lldb.map(str::to_owned)).collect();
            let mut names: Vec<String> = variables;
            let what =
                ["locals", "args", "breakpoints", "watchpoints", "registers", "functions", "line", "source", "display"];
            names.extend(what.map(str::to_owned));
            names.retain(|name| !name.contains(stepwell::base::is_unseen));
            Words { commands, names, of_module }
        });
    }
}

/// Words as a shell takes them apart: quotes keep blanks.
fn words(text: &str) -> Outcome<Vec<String>> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(rest.next()),
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => all.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Fault::err("a quote is not closed");
    }
    all.extend(word);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_those_of_a_shell() {
        let all = |text: &str| words(text).map_err(|fault| fault.0);
        assert_eq!(
            all("a 'b c' \"d\\\" e\" f\\ g ''"),
            Ok(["a", "b c", "d\" e", "f g", ""].map(str::to_owned).to_vec())
        );
        assert!(all("'a").is_err());
    }
}
