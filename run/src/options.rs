//! The command line: what there is of options, and what was asked for. Nothing is done here.

use crate::end::{Ending, Run, USAGE};
use crate::values::digits_of;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;
use stepwell::remote::session::Session;

/// What `--help` says.
pub const HELP: &str = "\
usage: stepwell-run [OPTIONS] MODULE [ARGS...]
       stepwell-run --debug [OPTIONS] MODULE [ARGS...]

Runs MODULE (`-`: standard input), a WASI preview 1 program, with ARGS. It is a binary, text (`.wat`), or what
--precompile has made. Its exit status is the program's; 134 after a trap, 124 when a limit ended it, 126 if it
cannot be run, 127 if it is not there, 2 for a wrong command line.

What the program gets:
  --dir HOST[::GUEST][:ro]  give it the directory HOST, as GUEST (else as HOST); `:ro`: to look at only
  --env NAME[=VALUE]        set a variable of its environment, which is empty; without VALUE: as it is here
  --inherit-env             give it the whole environment; --env comes on top
  --preload NAME=FILE       a module whose exports it imports as NAME. Can be repeated
  --stub-missing[=zero]     let imports that nobody provides be functions that return zeros, and zeros
  --stub-missing=trap       the same, but the functions trap when they are called
  --invoke FUNC             call the function FUNC with ARGS, and print its results, a line each
  --fuel N                  end it after N instructions
  --timeout SECONDS         end it after so long
  --max-memory BYTES        let its memories take so much in all; also with K, M, G
  --max-stack BYTES         let its calls take so much stack

Debugging:
  --debug                   a debugger in the terminal: `help` there says more
  -x FILE, --ex COMMAND     commands for it, before it asks for any. Can be repeated
  --batch                   commands from -x and --ex alone; its exit status is then the program's
  --gdb [ADDR:]PORT         serve it to LLDB, at an address of this machine; port 0: any that is free
  --dap [ADDR:]PORT         serve it to an editor, by the Debug Adapter Protocol
  --no-wait                 with these: do not wait for a debugger before the first instruction
  --dap -                   be an editor's debug adapter on standard input and output. Without MODULE: the editor
                            says which program; it gets the folder it is run in, if no --dir is there

Looking inside, while it runs:
  --break WHERE             stop at a function, `FILE:LINE`, offset (12, 0xc) or `#`function index; print the
                            frames with their values; go on. Can be repeated
  --break-count N           go on for good after N stops
  --trace=calls             print every call of a function of the module, with its arguments
  --trace=instructions      print every instruction before it runs, with locals and operands
  -g                        run debug code, and print the frames with their values at a trap
  --core-dump FILE          run debug code, and write the state to FILE at a trap
  --coverage FILE           run debug code, and write to FILE which lines of the source were reached: for lcov,
                            or as a page, if it is called .html
  --simple                  debug code of the simple kind
  --dwarf FILE              a package (.dwp) or .dwo file of MODULE's split DWARF; without, those beside MODULE
                            are taken. Can be repeated
  --stats                   say at the end what it took

Compiling beforehand:
  --precompile FILE         compile MODULE to FILE, and do not run it
  --precompiled             MODULE must be such a file, made with the same options by the same Stepwell

  --version, --help
";

/// What becomes of imports that nobody provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Stubs {
    /// They are an error.
    #[default]
    None,
    /// Functions return zeros.
    Zero,
    /// Functions trap.
    Trap,
}

/// Where the terminal debugger gets a command from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script {
    /// A file of commands.
    File(OsString),
    /// One command.
    Command(String),
}

/// For whom the guest is served, and at which address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// gdb's remote protocol, for LLDB.
    Gdb(String),
    /// The Debug Adapter Protocol; `-` is standard input and output.
    Dap(String),
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The module's path; `-` is standard input.
    pub module: OsString,
    /// What is behind it.
    pub arguments: Vec<OsString>,
    /// `--dir`, as it was said.
    pub directories: Vec<OsString>,
    /// `--env`, as it was said.
    pub environment: Vec<OsString>,
    /// Whether the environment here is the guest's.
    pub inherit_env: bool,
    /// `--preload`: names, and files.
    pub preloads: Vec<(String, OsString)>,
    /// What is made of imports that are missing.
    pub stubs: Stubs,
    /// The function to be called.
    pub invoke: Option<String>,
    /// Units of fuel.
    pub fuel: Option<u64>,
    /// How long the guest may run.
    pub timeout: Option<Duration>,
    /// Bytes of all memories.
    pub max_memory: Option<u64>,
    /// Bytes of stack.
    pub max_stack: Option<u64>,
    /// `--break`, as it was said.
    pub breakpoints: Vec<String>,
    /// After so many stops there are no more.
    pub break_count: Option<u64>,
    /// Calls are printed.
    pub trace_calls: bool,
    /// Instructions are printed.
    pub trace_instructions: bool,
    /// Frames are printed at a trap.
    pub show_trap: bool,
    /// Where the state is written to at a trap.
    pub core_dump: Option<OsString>,
    /// Where coverage is written to.
    pub coverage: Option<OsString>,
    /// Debug code of the simple kind.
    pub simple: bool,
    /// Files of split DWARF.
    pub dwarf: Vec<OsString>,
    /// What it took is said.
    pub stats: bool,
    /// Where the compiled module is written to.
    pub precompile: Option<OsString>,
    /// The module must be a compiled one.
    pub precompiled: bool,
    /// The terminal debugger.
    pub debug: bool,
    /// Its commands.
    pub scripts: Vec<Script>,
    /// It asks for no others.
    pub batch: bool,
    /// `--gdb` and `--dap`.
    pub served: Option<Served>,
    /// A debugger is not waited for.
    pub no_wait: bool,
    /// Who is told what the guest writes, in the place of our standard output, and then nothing is read from our
    /// standard input.
    pub told: Option<Session>,
}

/// What the command line asks for.
pub enum Asked {
    /// To run.
    Run(Box<Options>),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

impl Options {
    /// Whether frames are to be shown while the guest runs, and not only kept.
    pub fn shows(&self) -> bool {
        self.show_trap || self.simple || self.trace_calls || self.trace_instructions || !self.breakpoints.is_empty()
    }

    /// Whether an editor says what is to be done.
    pub fn is_adapter(&self) -> bool {
        matches!(&self.served, Some(Served::Dap(address)) if address == "-")
    }

    /// Whether a debugger is attached.
    pub fn needs_debugger(&self) -> bool {
        self.shows() || self.core_dump.is_some() || self.coverage.is_some() || self.debug || self.served.is_some()
    }
}

/// Goes through the arguments.
struct Reader {
    arguments: std::vec::IntoIter<OsString>,
}

impl Reader {
    /// The value of an option: behind `=`, or the next argument.
    fn value(&mut self, name: &str, behind: Option<&OsStr>) -> Run<OsString> {
        match behind {
            Some(value) => Ok(value.to_owned()),
            None => self
                .arguments
                .next()
                .ok_or_else(|| Ending::new(USAGE, format_args!("{name} needs a value; see --help"))),
        }
    }

    /// The same, of text.
    fn text(&mut self, name: &str, behind: Option<&OsStr>) -> Run<String> {
        self.value(name, behind)?
            .into_string()
            .map_err(|value| Ending::new(USAGE, format_args!("{name}: `{}` is no UTF-8", value.to_string_lossy())))
    }
}

fn number(option: &str, text: &str) -> Run<u64> {
    let number = digits_of(text.strip_prefix('+').unwrap_or(text)).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Ending::new(USAGE, format_args!("{option}: `{text}` is no number")))
}

/// A number of bytes, with K, M or G.
fn bytes(option: &str, text: &str) -> Run<u64> {
    let shift = match text.chars().last() {
        Some('K' | 'k') => 10,
        Some('M' | 'm') => 20,
        Some('G' | 'g') => 30,
        _ => return number(option, text),
    };
    let count = number(option, &text[..text.len() - 1])?;
    let too_much = || Ending::new(USAGE, format_args!("{option}: `{text}` is too much"));
    count.checked_mul(1 << shift).ok_or_else(too_much)
}

fn seconds(option: &str, text: &str) -> Run<Duration> {
    let number: Option<f64> = text.parse().ok().filter(|number| (1e-6..=1e9).contains(number));
    let number =
        number.ok_or_else(|| Ending::new(USAGE, format_args!("{option}: `{text}` is no number of seconds")))?;
    Ok(Duration::from_secs_f64(number))
}

/// `NAME=FILE`.
fn preload(said: OsString) -> Run<(String, OsString)> {
    let bytes = said.as_bytes();
    let parts = bytes.iter().position(|byte| *byte == b'=').and_then(|at| {
        let name = std::str::from_utf8(&bytes[..at]).ok()?;
        (at > 0 && at + 1 < bytes.len()).then(|| (name.to_owned(), OsString::from_vec(bytes[at + 1..].to_vec())))
    });
    parts.ok_or_else(|| Ending::new(USAGE, format_args!("--preload: `{}` is not NAME=FILE", said.to_string_lossy())))
}

/// Reads a command line, without the program's name.
pub fn read(arguments: Vec<OsString>) -> Run<Asked> {
    let mut reader = Reader { arguments: arguments.into_iter() };
    let mut options = Options::default();
    let module = loop {
        let Some(argument) = reader.arguments.next() else { break None };
        let bytes = argument.as_bytes();
        if bytes == b"--" {
            break reader.arguments.next();
        }
        if !bytes.starts_with(b"-") || bytes == b"-" {
            break Some(argument);
        }
        let equals = bytes.iter().position(|byte| *byte == b'=').filter(|_| bytes.starts_with(b"--"));
        let (name, behind) = match equals {
            Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]))),
            None => (bytes, None),
        };
        let unknown =
            || Ending::new(USAGE, format_args!("there is no option `{}`; see --help", argument.to_string_lossy()));
        let name = std::str::from_utf8(name).map_err(|_| unknown())?;
        match (name, behind) {
            ("--help" | "-h", None) => return Ok(Asked::Help),
            ("--version", None) => return Ok(Asked::Version),
            ("-g", None) => options.show_trap = true,
            ("--debug", None) => options.debug = true,
            ("--batch", None) => (options.batch, options.debug) = (true, true),
            ("--gdb", _) => options.served = Some(Served::Gdb(reader.text(name, behind)?)),
            ("--dap", _) => options.served = Some(Served::Dap(reader.text(name, behind)?)),
            ("--no-wait", None) => options.no_wait = true,
            ("--simple", None) => options.simple = true,
            ("--stats", None) => options.stats = true,
            ("--precompiled", None) => options.precompiled = true,
            ("--inherit-env", None) => options.inherit_env = true,
            ("--stub-missing", None) => options.stubs = Stubs::Zero,
            ("--stub-missing", Some(kind)) => {
                options.stubs = match kind.to_str() {
                    Some("zero") => Stubs::Zero,
                    Some("trap") => Stubs::Trap,
                    _ => {
                        let kind = kind.to_string_lossy();
                        let message = format!("--stub-missing: `zero` or `trap`, not `{kind}`");
                        return Err(Ending::new(USAGE, message));
                    }
                }
            }
            ("--dir", _) => options.directories.push(reader.value(name, behind)?),
            ("--env", _) => options.environment.push(reader.value(name, behind)?),
            ("--preload", _) => options.preloads.push(preload(reader.value(name, behind)?)?),
            ("--invoke", _) => options.invoke = Some(reader.text(name, behind)?),
            ("--precompile", _) => options.precompile = Some(reader.value(name, behind)?),
            ("--core-dump", _) => options.core_dump = Some(reader.value(name, behind)?),
            ("--coverage", _) => options.coverage = Some(reader.value(name, behind)?),
            ("--dwarf", _) => options.dwarf.push(reader.value(name, behind)?),
            ("--break", _) => options.breakpoints.push(reader.text(name, behind)?),
            ("--break-count", _) => {
                let count = number(name, &reader.text(name, behind)?)?;
                if count == 0 {
                    return Err(Ending::new(USAGE, "--break-count: 0 stops are no stops"));
                }
                options.break_count = Some(count);
            }
            ("--trace", _) => match reader.text(name, behind)?.as_str() {
                "calls" => options.trace_calls = true,
                "instructions" => options.trace_instructions = true,
                other => {
                    let message = format!("--trace: `calls` or `instructions`, not `{other}`");
                    return Err(Ending::new(USAGE, message));
                }
            },
            ("--fuel", _) => options.fuel = Some(number(name, &reader.text(name, behind)?)?),
            ("--timeout", _) => options.timeout = Some(seconds(name, &reader.text(name, behind)?)?),
            ("--max-memory", _) => options.max_memory = Some(bytes_option(&mut reader, name, behind)?),
            ("--max-stack", _) => options.max_stack = Some(bytes_option(&mut reader, name, behind)?),
            ("-x", None) | ("--command", _) => options.scripts.push(Script::File(reader.value(name, behind)?)),
            ("--ex" | "-ex", _) => options.scripts.push(Script::Command(reader.text(name, behind)?)),
            _ => return Err(unknown()),
        }
    };
    if options.is_adapter() != module.is_none() {
        let message = match module {
            Some(_) => "--dap -: the editor says which module; give --dap a port to debug this one",
            None => "which module? See --help",
        };
        return Err(Ending::new(USAGE, message));
    }
    options.module = module.unwrap_or_default();
    options.arguments = reader.arguments.collect();
    if !options.debug && !options.scripts.is_empty() {
        return Err(Ending::new(
            USAGE,
            "`-x` and `--ex` are commands for the debugger: they go with --debug or --batch",
        ));
    }
    let others = [
        ("--timeout", options.timeout.is_some()),
        ("--precompile", options.precompile.is_some()),
        ("--break", !options.breakpoints.is_empty()),
        ("--trace", options.trace_calls || options.trace_instructions),
        ("--core-dump", options.core_dump.is_some()),
        ("--coverage", options.coverage.is_some()),
        ("--stats", options.stats),
    ];
    let debugs = match &options.served {
        _ if options.debug => Some("--debug"),
        Some(Served::Gdb(_)) => Some("--gdb"),
        Some(Served::Dap(_)) => Some("--dap"),
        None => None,
    };
    if options.debug && options.served.is_some() {
        return Err(Ending::new(USAGE, "--debug goes with neither --gdb nor --dap: one debugger at a time"));
    }
    if let (Some(debugs), Some((other, _))) = (debugs, others.iter().find(|(_, is_asked)| *is_asked)) {
        return Err(Ending::new(USAGE, format_args!("{other} and {debugs} do not go together")));
    }
    Ok(Asked::Run(Box::new(options)))
}

fn bytes_option(reader: &mut Reader, name: &str, behind: Option<&OsStr>) -> Run<u64> {
    let text = reader.text(name, behind)?;
    bytes(name, &text)
}
