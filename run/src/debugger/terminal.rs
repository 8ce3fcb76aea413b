//! Where commands come from and where what the debugger says goes to: a terminal, with history and completion, or no
//! terminal at all. The guest's standard streams are never read for commands where there is a terminal, and never
//! written to.

use crate::end::{Ending, FAILURE, Run};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Behavior, CompletionType, Config, Context, Editor, Helper};
use std::cell::OnceCell;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Write};
use std::rc::Rc;
use stepwell::Module;
use stepwell::base::printable;

/// What stands before a command.
pub const PROMPT: &str = "(stepwell) ";

/// A colour, by its number in the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Of what is wrong.
    Red = 31,
    /// Of functions, and of instructions.
    Yellow = 33,
    /// Of files.
    Green = 32,
    /// Of names of variables.
    Cyan = 36,
    /// Of offsets and numbers.
    Blue = 34,
    /// Of what matters less.
    Dim = 2,
    /// Of what matters more.
    Bold = 1,
}

/// What can be typed, for completion.
#[derive(Default)]
pub struct Words {
    /// Commands.
    pub commands: Vec<String>,
    /// What can stand behind a command here: variables.
    pub names: Vec<String>,
    /// What can wherever the program is.
    pub of_module: ModuleWords,
}

/// Names of a module's functions and files, which are looked for when they are first asked for.
#[derive(Clone, Default)]
pub struct ModuleWords {
    module: Option<Module>,
    names: Rc<OnceCell<Vec<String>>>,
}

impl ModuleWords {
    /// Those of a module.
    pub fn new(module: &Module) -> ModuleWords {
        ModuleWords { module: Some(module.clone()), names: Rc::default() }
    }

    fn get(&self) -> &[String] {
        self.names.get_or_init(|| {
            let Some(module) = &self.module else { return Vec::new() };
            let functions = module.function_list(0..module.info().funcs.len() as u32);
            let files =
                module.source_files().into_iter().map(|file| file.rsplit('/').next().unwrap_or(file).to_owned());
            let mut names: Vec<String> = functions.into_iter().filter_map(|function| function.name).collect();
            names.extend(files);
            names.retain(|name| !name.contains(stepwell::base::is_unseen));
            names
        })
    }
}

impl Helper for Words {}
impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..at];
        let begin = before.rfind([' ', ',', '(', '*', '&', '=']).map_or(0, |space| space + 1);
        let word = &before[begin..];
        let is_first = before[..begin].trim().is_empty();
        let (among, of_module) = match is_first {
            true => (&self.commands, &[][..]),
            false => (&self.names, self.of_module.get()),
        };
        let mut found: Vec<&String> = among.iter().chain(of_module).filter(|name| name.starts_with(word)).collect();
        found.sort();
        found.dedup();
        let pair = |name: &String| Pair { display: name.clone(), replacement: format!("{name} ") };
        Ok((begin, found.into_iter().map(pair).collect()))
    }
}

/// What came of asking for a command.
pub enum Line {
    /// A command.
    Text(String),
    /// Ctrl-C: what was typed is forgotten.
    Nothing,
    /// There are no more.
    End,
}

/// Where commands come from.
enum Input {
    /// A terminal.
    Editor(Box<Editor<Words, MemHistory>>),
    /// Standard input, where nobody has a terminal.
    Stdin,
    /// Nowhere.
    None,
}

/// The terminal, or what stands in for one.
pub struct Terminal {
    input: Input,
    /// The terminal; else it is standard error.
    output: Option<File>,
    colours: bool,
}

impl Terminal {
    /// The terminal of the process; with `batch`, none is asked for anything.
    pub fn new(batch: bool) -> Run<Terminal> {
        if batch {
            let colours = std::io::stderr().is_terminal() && wants_colours();
            return Ok(Terminal { input: Input::None, output: None, colours });
        }
        let Ok(output) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
            if std::io::stdin().is_terminal() {
                return Err(Ending::new(
                    FAILURE,
                    "--debug: there is no /dev/tty to ask for commands; --batch takes them from -x",
                ));
            }
            return Ok(Terminal { input: Input::Stdin, output: None, colours: false });
        };
        let config = Config::builder()
            .behavior(Behavior::PreferTerm)
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .build();
        let editor = Editor::with_history(config, MemHistory::new());
        let mut editor =
            editor.map_err(|error| Ending::new(FAILURE, format_args!("--debug: the terminal: {error}")))?;
        editor.set_helper(Some(Words::default()));
        Ok(Terminal { input: Input::Editor(Box::new(editor)), output: Some(output), colours: wants_colours() })
    }

    /// Whether somebody sits there.
    pub fn is_interactive(&self) -> bool {
        matches!(self.input, Input::Editor(_))
    }

    /// Whether commands come from somewhere else than scripts.
    pub fn asks(&self) -> bool {
        !matches!(self.input, Input::None)
    }

    /// What can be typed from now on.
    pub fn set_words(&mut self, words: impl FnOnce() -> Words) {
        if let Input::Editor(editor) = &mut self.input {
            editor.set_helper(Some(words()));
        }
    }

    /// Asks for a command.
    pub fn ask(&mut self) -> Line {
        match &mut self.input {
            Input::None => Line::End,
            Input::Stdin => read_line(),
            Input::Editor(editor) => {
                // What the guest has begun to write stands before the prompt, not in it.
                let _ = std::io::stdout().flush();
                match editor.readline(PROMPT) {
                    Ok(line) => {
                        if !line.trim().is_empty() {
                            let _ = editor.add_history_entry(line.as_str());
                        }
                        Line::Text(line)
                    }
                    Err(ReadlineError::Interrupted) => Line::Nothing,
                    Err(_) => Line::End,
                }
            }
        }
    }

    /// Says something. What terminals take for commands is escaped, but for colours made by [`Terminal::paint`].
    pub fn say(&mut self, text: &str) {
        let text: String = text
            .split(MARK)
            .enumerate()
            .map(|(index, part)| match index % 2 {
                0 => printable(part.to_owned()),
                _ => format!("\x1b[{part}m"),
            })
            .collect();
        // Where nobody listens there is nobody to tell.
        let _ = match &mut self.output {
            Some(terminal) => terminal.write_all(text.as_bytes()),
            None => std::io::stderr().write_all(text.as_bytes()),
        };
    }

    /// Text in a colour, where there are colours.
    pub fn paint(&self, colour: Colour, text: &str) -> String {
        let text = text.replace(MARK, "");
        match self.colours {
            true => format!("{MARK}{}{MARK}{text}{MARK}0{MARK}", colour as u8),
            false => text,
        }
    }
}

/// What colours stand between until they are written: no text has it.
const MARK: char = '\u{f8ff}';

/// Whether colours are wanted: <https://no-color.org>.
fn wants_colours() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// A line of standard input, and nothing of what is behind it: that is the guest's.
fn read_line() -> Line {
    let mut bytes = Vec::new();
    // SAFETY: the descriptor is open as long as the process, and the file is not dropped, which would close it.
    let mut stdin = std::mem::ManuallyDrop::new(unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(0) });
    let mut byte = [0];
    loop {
        match stdin.read(&mut byte) {
            Ok(1) if byte[0] != b'\n' => bytes.push(byte[0]),
            Ok(1) => break,
            Ok(_) if !bytes.is_empty() => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            _ => return Line::End,
        }
    }
    Line::Text(String::from_utf8_lossy(&bytes).into_owned())
}
