//! The commands that show: frames, values, memory, instructions, the source.

use super::expressions::{self, Number, Value, integer};
use super::fault::{Fault, Outcome};
use super::places;
use super::present::{header, instructions};
use super::session::{Session, Shows};
use super::target::{self, Shown, Target};
use super::terminal::Colour;
use crate::values;
use stepwell::base::{FuncIndex, GlobalIndex, LocalIndex, WasmOffset};
use stepwell::debug::{FrameVariable, Scope, Stop};
use stepwell::dwarf::Scalar;
use stepwell::{AsStoreMut, readable};

/// The most that `x` shows at once.
const MOST_EXAMINED: u64 = 100_000;
/// The longest text that is read from memory.
const LONGEST_TEXT: usize = 4096;

/// How memory was shown last.
pub struct Examined {
    format: char,
    unit: u64,
    /// Where the next is.
    next: u64,
}

impl Default for Examined {
    fn default() -> Self {
        Examined { format: 'x', unit: 4, next: 0 }
    }
}

/// `NFU`: how many, which format, which unit. What is not said is `None`.
fn format_of(text: &str) -> Outcome<(Option<u64>, Option<char>, Option<u64>)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let count = (digits > 0).then(|| text[..digits].parse().unwrap_or(MOST_EXAMINED));
    let (mut format, mut unit) = (None, None);
    for letter in text[digits..].chars() {
        match letter {
            'x' | 'd' | 'u' | 'o' | 't' | 'c' | 'f' | 's' | 'i' | 'a' | 'z' => format = Some(letter),
            'b' => unit = Some(1),
            'h' => unit = Some(2),
            'w' => unit = Some(4),
            'g' => unit = Some(8),
            'r' | 'm' => {}
            _ => {
                return Fault::err(format_args!("`{letter}` is no format (x d u o t c f s i a) and no unit (b h w g)"));
            }
        }
    }
    Ok((count, format, unit))
}

/// A number in a format.
fn formatted(number: Number, format: char) -> String {
    let bits = number.bits();
    let width = (number.size.clamp(1, 16) * 8) as u32;
    match format {
        'x' => format!("{bits:#x}"),
        'z' => format!("{bits:#0width$x}", width = (width / 4 + 2) as usize),
        'a' => format!("{bits:#x}"),
        'o' => {
            if bits == 0 {
                "0".to_owned()
            } else {
                format!("0{bits:o}")
            }
        }
        't' => format!("{bits:b}"),
        'u' => bits.to_string(),
        'd' => {
            let shift = 128 - width.min(128);
            (((bits << shift) as i128) >> shift).to_string()
        }
        'c' => {
            let code = bits as u8;
            let signed = code as i8;
            match code {
                b' '..=b'~' => format!("{signed} '{}'", char::from(code)),
                _ => format!("{signed} '\\{code:03o}'"),
            }
        }
        'f' => match (number.scalar, number.size) {
            (Scalar::Float(value), _) => value.to_string(),
            (_, 4) => f32::from_bits(bits as u32).to_string(),
            (_, 8) => f64::from_bits(bits as u64).to_string(),
            _ => number.signed().to_string(),
        },
        _ => number.signed().to_string(),
    }
}

/// `TO = VALUE`, and not a comparison.
pub fn assignment(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let at = (0..bytes.len()).find(|at| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        bytes[*at] == b'='
            && !matches!(
                before,
                Some(b'=' | b'!' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'|' | b'&' | b'^' | b'%')
            )
            && bytes.get(at + 1) != Some(&b'=')
    })?;
    let (to, value) = (text[..at].trim(), text[at + 1..].trim());
    (!to.is_empty() && !value.is_empty()).then_some((to, value))
}

impl Session {
    /// `backtrace [full] [N]`.
    pub fn backtrace(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let at = self.at;
        let stop = target.stop()?;
        let is_full = rest.split_whitespace().any(|word| matches!(word, "full" | "-full"));
        let count = rest.split_whitespace().find_map(|word| word.parse::<i64>().ok());
        // All of a deep recursion would be much: they are counted only where the outermost are asked for.
        let skipped = match count {
            Some(outermost) if outermost < 0 => {
                target::shown(stop).count().saturating_sub(outermost.unsigned_abs() as usize)
            }
            _ => 0,
        };
        let most = count.map_or(usize::MAX, |count| count.unsigned_abs() as usize);
        let mut text = String::new();
        let mut frames = target::shown(stop).enumerate().skip(skipped);
        for (number, shown) in frames.by_ref().take(most) {
            let Some(frame) = stop.frame(shown.frame) else { continue };
            let mark = if shown == at { '*' } else { ' ' };
            let number = format!("#{number:<2}");
            let number = if shown == at { self.terminal.paint(Colour::Bold, &number) } else { number };
            text += &format!("{mark} {number} {}\n", header(&self.terminal, &frame, shown));
            if frame.called_through_host() && shown.level == 0 && shown.frame > 0 {
                text += "       (through the host)\n";
            }
            if is_full {
                for variable in frame.variables(shown.level, Scope::Locals).unwrap_or_default() {
                    text += &format!("        {}\n", self.variable_text(&frame, &variable));
                }
            }
        }
        if frames.next().is_some() {
            text += "(More frames follow...)\n";
        }
        if text.is_empty() { Ok("No frames.\n".to_owned()) } else { Ok(text) }
    }

    /// `frame [N]`.
    pub fn frame(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        if !rest.is_empty() {
            let number: usize = rest.parse().map_err(|_| Fault::new(format_args!("`{rest}` is no frame's number")))?;
            let found = target::shown(target.stop()?).nth(number);
            self.at = found.ok_or_else(|| Fault::new(format_args!("there is no frame {number}: `backtrace`")))?;
        }
        self.text_of_frame(target)
    }

    /// `up [N]` and `down [N]`.
    pub fn up_or_down(&mut self, target: &mut Target<'_, '_>, rest: &str, up: bool) -> Outcome<String> {
        let by: usize = match rest {
            "" => 1,
            number => number.parse().map_err(|_| Fault::new(format_args!("`{number}` is no number of frames")))?,
        };
        let at = self.at;
        let stop = target.stop()?;
        let here = target::shown(stop).position(|shown| shown == at).unwrap_or(0);
        let found = match up {
            // Further than the outermost is the outermost.
            true => target::shown(stop).skip(here + 1).take(by).last(),
            false => (here > 0).then(|| target::shown(stop).nth(here.saturating_sub(by))).flatten(),
        };
        let end = if up { "this is the outermost frame" } else { "this is the innermost frame" };
        self.at = found.ok_or_else(|| Fault::new(end))?;
        self.text_of_frame(target)
    }

    /// `print`.
    pub fn print(&mut self, target: &mut Target<'_, '_>, format: &str, rest: &str) -> Outcome<String> {
        if rest.is_empty() {
            return Fault::err("print: what?");
        }
        let at = self.at;
        let shown = match assignment(rest) {
            Some((to, value)) => {
                expressions::assign(target.stop()?, at, to, value)?;
                to
            }
            None => rest,
        };
        let text = self.value_text(target.stop()?, at, format, shown)?;
        self.printed += 1;
        Ok(format!("${} = {text}\n", self.printed))
    }

    /// A value in a format.
    fn value_text(&self, stop: &Stop<'_>, at: Shown, format: &str, text: &str) -> Outcome<String> {
        let (_, format, unit) = format_of(format)?;
        let value = expressions::evaluate(stop, at, text)?;
        let Some(format) = format else { return Ok(value.text) };
        if format == 's' {
            let address = value.number.filter(|_| value.is_pointer).map(|number| number.bits() as u64);
            return match address.or(value.address) {
                Some(address) => read_text(stop, at, address).map(|(text, _)| format!("{text:?}")),
                None => Ok(value.text),
            };
        }
        let Value { number: Some(number), .. } = value else {
            return Fault::err(format_args!("`{text}` is of type {}: only numbers have formats", value.type_name));
        };
        Ok(formatted(Number { size: unit.unwrap_or(number.size), ..number }, format))
    }

    /// `display [/F] EXPR`.
    pub fn display(&mut self, target: &mut Target<'_, '_>, format: &str, rest: &str) -> Outcome<String> {
        if rest.is_empty() {
            return match target {
                Target::Stopped(stop) => Ok(self.display_all(stop)),
                Target::Idle(..) => self.displays_text(),
            };
        }
        format_of(format)?;
        self.last_display += 1;
        let number = self.last_display;
        self.displays.push(Shows { number, format: format.to_owned(), text: rest.to_owned() });
        match target {
            Target::Stopped(stop) => {
                let at = self.at;
                let text = self.value_text(stop, at, format, rest);
                if text.is_err() {
                    self.displays.pop();
                }
                Ok(format!("{number}: {} = {}\n", readable(rest), text?))
            }
            Target::Idle(..) => Ok(String::new()),
        }
    }

    fn displays_text(&self) -> Outcome<String> {
        let line = |shows: &Shows| format!("{}: {}\n", shows.number, readable(&shows.text));
        let text: String = self.displays.iter().map(line).collect();
        Ok(if text.is_empty() { "Nothing is displayed.\n".to_owned() } else { text })
    }

    /// What is displayed at each stop. What cannot be seen from here is left out.
    pub fn display_all(&mut self, stop: &mut Stop<'_>) -> String {
        let at = self.at;
        let line = |shows: &Shows| {
            let text = self.value_text(stop, at, &shows.format, &shows.text).ok()?;
            Some(format!("{}: {} = {text}\n", shows.number, readable(&shows.text)))
        };
        self.displays.iter().filter_map(line).collect()
    }

    /// `undisplay [N...]`.
    pub fn undisplay(&mut self, rest: &str) -> Outcome<String> {
        if rest.is_empty() {
            self.displays.clear();
        }
        for word in rest.split_whitespace() {
            let number: Option<u32> = word.parse().ok();
            let count = self.displays.len();
            self.displays.retain(|shows| Some(shows.number) != number);
            if self.displays.len() == count {
                return Fault::err(format_args!("there is no display {word}: `info display`"));
            }
        }
        Ok(String::new())
    }

    /// `x/NFU ADDRESS`.
    pub fn examine(&mut self, target: &mut Target<'_, '_>, format: &str, rest: &str) -> Outcome<String> {
        let at = self.at;
        let (count, format, unit) = format_of(format)?;
        let count = count.unwrap_or(1).min(MOST_EXAMINED);
        let format = format.unwrap_or(self.examined.format);
        let unit = unit.unwrap_or(if format == 'c' { 1 } else { self.examined.unit });
        if format == 'i' {
            let module = self.module.clone();
            let around = self.around(target, &module);
            let offset = match (rest, around.offset) {
                ("" | "$pc", Some(offset)) => offset,
                _ => match integer(rest).and_then(|offset| u32::try_from(offset).ok()) {
                    Some(offset) => WasmOffset::new(offset),
                    None => return Fault::err("x/i: the offset of an instruction, or `$pc`"),
                },
            };
            let stop = target.stop()?;
            let frame = stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))?;
            let here = frame.offset();
            return instructions(&self.terminal, frame.module(), frame.func(), offset, count as usize, Some(here));
        }
        let stop = target.stop()?;
        let mut address = match rest {
            "" => self.examined.next,
            text => expressions::address(stop, at, text)?,
        };
        let mut text = String::new();
        if format == 's' {
            for _ in 0..count {
                let (shown, bytes) = read_text(stop, at, address)?;
                text += &format!("{}:  {shown:?}\n", self.terminal.paint(Colour::Blue, &format!("{address:#x}")));
                address += bytes as u64 + 1;
            }
        } else {
            let per_line = match unit {
                8 => 2,
                4 => 4,
                _ => 8,
            };
            for index in 0..count {
                let number = read_number(stop, at, address, unit)?;
                if index % per_line == 0 {
                    let head = self.terminal.paint(Colour::Blue, &format!("{address:#x}"));
                    text += &format!("{}{head}:", if index > 0 { "\n" } else { "" });
                }
                let format = if format == 'x' { 'z' } else { format };
                text += &format!("  {}", formatted(number, format));
                address = address.wrapping_add(unit);
            }
            text += "\n";
        }
        self.examined = Examined { format, unit, next: address };
        Ok(text)
    }

    /// LLDB's `memory read`.
    pub fn memory_read(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let at = self.at;
        let mut words = rest.split_whitespace();
        let (mut count, mut size, mut format, mut places) = (None, None, None, Vec::new());
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(integer).map(|number| number as u64);
            match word {
                "-c" | "--count" => count = number(),
                "-s" | "--size" => size = number(),
                "-f" | "--format" => format = words.next(),
                _ => places.push(word),
            }
        }
        let [begin, end @ ..] = &places[..] else { return Fault::err("memory read: which address?") };
        if let Some(format) = format {
            let letter = format.chars().next().unwrap_or('x');
            let unit = match size.unwrap_or(4) {
                1 => 'b',
                2 => 'h',
                8 => 'g',
                _ => 'w',
            };
            return self.examine(target, &format!("{}{letter}{unit}", count.unwrap_or(8)), begin);
        }
        let stop = target.stop()?;
        let begin = expressions::address(stop, at, begin)?;
        let bytes = match end {
            [] => count.unwrap_or(32) * size.unwrap_or(1),
            [end, ..] => expressions::address(stop, at, end)?.saturating_sub(begin),
        };
        let memory = expressions::memory(stop, at)?;
        let mut data = vec![0; bytes.min(MOST_EXAMINED) as usize];
        memory.read(&*stop, begin as usize, &mut data)?;
        let mut text = String::new();
        for (line, bytes) in data.chunks(16).enumerate() {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x} ")).collect();
            let seen = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' };
            let letters: String = bytes.iter().map(seen).collect();
            let head = self.terminal.paint(Colour::Blue, &format!("{:#010x}", begin + line as u64 * 16));
            text += &format!("{head}: {hex:<48} {letters}\n");
        }
        Ok(text)
    }

    /// LLDB's `memory write`.
    pub fn memory_write(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let at = self.at;
        let mut words = rest.split_whitespace();
        let (mut size, mut places) = (1, Vec::new());
        while let Some(word) = words.next() {
            match word {
                "-s" | "--size" => size = words.next().and_then(integer).unwrap_or(1).clamp(1, 8) as usize,
                _ => places.push(word),
            }
        }
        let [to, given @ ..] = &places[..] else { return Fault::err("memory write: `memory write ADDRESS BYTES`") };
        let stop = target.stop()?;
        let to = expressions::address(stop, at, to)?;
        let mut bytes = Vec::new();
        for word in given {
            // As in LLDB, bytes are hexadecimal with `0x` or without.
            let number = integer(word).filter(|_| size > 1 || word.starts_with("0x") || word.len() > 2);
            let number = number.or_else(|| i128::from_str_radix(word.trim_start_matches("0x"), 16).ok());
            let number = number.ok_or_else(|| Fault::new(format_args!("`{word}` is no number")))?;
            bytes.extend(&number.to_le_bytes()[..size]);
        }
        let memory = expressions::memory(stop, at)?;
        memory.write(&mut *stop, to as usize, &bytes)?;
        Ok(format!("{} bytes were written\n", bytes.len()))
    }

    /// `disassemble [FUNCTION]`.
    pub fn disassemble(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let at = self.at;
        let rest = rest.trim_start_matches("-n ").trim_start_matches("--name ").trim();
        if !rest.is_empty() && !rest.starts_with('-') {
            let module = self.module.clone();
            let func = match rest.strip_prefix('#').and_then(|index| index.parse().ok()) {
                Some(index) => FuncIndex::new(index),
                None => module
                    .functions_named(rest)?
                    .first()
                    .map(|found| found.function)
                    .ok_or_else(|| Fault::new(format_args!("there is no function `{rest}`")))?,
            };
            return instructions(&self.terminal, &module, func, WasmOffset::new(0), usize::MAX, None);
        }
        let stop = target.stop()?;
        let frame = stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))?;
        let here = frame.offset();
        let head =
            format!("{}:\n", target::function_name(&frame, Shown { level: frame.locations().len().max(1) - 1, ..at }));
        let text =
            instructions(&self.terminal, frame.module(), frame.func(), WasmOffset::new(0), usize::MAX, Some(here))?;
        Ok(head + &text)
    }

    /// `list [WHERE]`.
    pub fn list(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let module = self.module.clone();
        let size = self.list_size;
        let around =
            |line: u32| (line.saturating_sub(size / 2).max(1), line.saturating_sub(size / 2).max(1) + size - 1);
        let here = self.around(target, &module).source.filter(|_| matches!(target, Target::Stopped(_)));
        let (file, first, last) = match (rest, self.listed.clone()) {
            ("", Some((file, _, last))) => (file, last + 1, last.saturating_add(size)),
            ("-", Some((file, first, _))) => (file, first.saturating_sub(size).max(1), first.saturating_sub(1).max(1)),
            ("" | "-", None) => {
                let main = ["main", "__main_argc_argv", "__main_void", "_start"].iter();
                let main = main.filter_map(|name| places::Typed::Function((*name).to_owned()).source(&module).ok());
                let (file, line) = here.clone().or(main.into_iter().next()).ok_or_else(|| {
                    Fault::new("there is no source here (the module has no DWARF: -g of its compiler)")
                })?;
                let (first, last) = around(line);
                (file, first, last)
            }
            (range, _) if range.contains(',') => {
                let (first, last) = range.split_once(',').unwrap_or((range, ""));
                let (file, first) = self.source_of(target, first)?;
                let last = match last.trim() {
                    "" => first.saturating_add(size - 1),
                    text => self.source_of(target, text)?.1,
                };
                (file, first, last)
            }
            (place, _) => {
                let (file, line) = self.source_of(target, place)?;
                let (first, last) = around(line);
                (file, first, last)
            }
        };
        let marked = here.filter(|(known, _)| *known == file).map(|(_, line)| line);
        let text = self.sources.excerpt(&self.terminal, &file, (first, last), marked);
        let text = match text {
            Some(text) => text,
            None if self.sources.lines(&file).is_some() => {
                return Fault::err(format_args!("{} has no line {first}", readable(&file)));
            }
            None => {
                return Fault::err(format_args!(
                    "{} is not here: `directory FOLDER` says where to look for it",
                    readable(&file)
                ));
            }
        };
        self.listed = Some((file, first, last));
        Ok(text)
    }

    /// A place's file and line.
    fn source_of(&mut self, target: &mut Target<'_, '_>, text: &str) -> Outcome<(String, u32)> {
        let module = self.module.clone();
        let around = self.around(target, &module);
        places::read(text, &around)?.source(&module)
    }

    fn variable_text(&self, frame: &stepwell::debug::Frame<'_>, variable: &FrameVariable) -> String {
        let name = self.terminal.paint(Colour::Cyan, &readable(variable.name()));
        match variable.text(frame) {
            Ok(text) => format!("{name} = {text}"),
            Err(error) => format!("{name} = <{}>", error.message()),
        }
    }

    fn variables(&self, target: &mut Target<'_, '_>, scopes: &[Scope], none: &str) -> Outcome<String> {
        let at = self.at;
        let stop = target.stop()?;
        let frame = stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))?;
        frame.check_values()?;
        let mut text = String::new();
        for scope in scopes {
            for variable in frame.variables(at.level, *scope)? {
                text += &self.variable_text(&frame, &variable);
                text += "\n";
            }
        }
        if text.is_empty() && target::place(&frame, at).is_none() {
            return Ok("This function has no debug information: `info registers` shows what is there.\n".to_owned());
        }
        Ok(if text.is_empty() { format!("{none}\n") } else { text })
    }

    /// `info`.
    pub fn info(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        const WHAT: &[&str] = &[
            "args",
            "breakpoints",
            "display",
            "frame",
            "functions",
            "line",
            "locals",
            "modules",
            "program",
            "registers",
            "sharedlibrary",
            "source",
            "sources",
            "stack",
            "symbol",
            "threads",
            "variables",
            "variables-here",
            "watchpoints",
            "all-registers",
        ];
        let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let behind = behind.trim();
        let short = match word {
            "b" | "br" => "breakpoints",
            "r" | "reg" => "registers",
            "s" => "stack",
            "f" => "frame",
            "l" => "locals",
            "wat" | "watch" => "watchpoints",
            "" => return Fault::err(format_args!("info: {}", WHAT[..WHAT.len() - 3].join(", "))),
            word => word,
        };
        let found: Vec<&str> = WHAT.iter().copied().filter(|what| what.starts_with(short)).collect();
        let what = found.iter().copied().find(|what| *what == short).or(found.first().copied());
        let module = self.module.clone();
        match what {
            Some("args") => self.variables(target, &[Scope::Parameters], "No arguments."),
            Some("locals") => self.variables(target, &[Scope::Locals], "No locals."),
            Some("variables-here") => self.variables(target, &[Scope::Parameters, Scope::Locals], "No variables."),
            Some("variables") => self.variables(target, &[Scope::Module], "No static variables."),
            Some("breakpoints") => self.points.table(target, false),
            Some("watchpoints") => self.points.table(target, true),
            Some("display") => self.displays_text(),
            Some("frame") => self.text_of_frame(target),
            Some("stack") => self.backtrace(target, behind),
            Some("registers" | "all-registers") => self.registers(target),
            Some("functions") => Ok(functions(&module, behind)),
            Some("line" | "symbol") => self.info_line(target, behind),
            Some("source") => {
                let (file, line) = self.source_of(target, "+0").or_else(|_| self.source_of(target, "main"))?;
                let here = self.sources.find(&file);
                let here = here.map_or("not here: `directory FOLDER`".to_owned(), |path| path.display().to_string());
                Ok(format!("{}, line {line}; {}\n", readable(&file), readable(&here)))
            }
            Some("sources") => {
                let files = module.source_files();
                let text: String = files.iter().map(|file| format!("{}\n", readable(file))).collect();
                Ok(if text.is_empty() { "The module has no DWARF (-g of its compiler).\n".to_owned() } else { text })
            }
            Some("sharedlibrary" | "modules") => {
                let store = target.as_store_mut();
                let mut text = String::new();
                for module in store.modules() {
                    let name = readable(module.name().unwrap_or("<unnamed>"));
                    let sources = if module.source_files().is_empty() { "no DWARF" } else { "DWARF" };
                    text += &format!("{name}: {} functions, {sources}\n", module.info().funcs.len());
                }
                Ok(text)
            }
            Some("threads") => Ok("* 1  the program\n".to_owned()),
            Some("program") => Ok(match target {
                Target::Stopped(stop) => format!("It stands; why: {:?}\n", stop.reason()),
                Target::Idle(..) => "It is not running: `run` starts it.\n".to_owned(),
            }),
            _ => {
                Fault::err(format_args!("there is no `info {}`: {}", readable(word), WHAT[..WHAT.len() - 3].join(", ")))
            }
        }
    }

    /// What Wasm has in the place of registers: locals, operands, globals.
    fn registers(&self, target: &mut Target<'_, '_>) -> Outcome<String> {
        let at = self.at;
        let stop = target.stop()?;
        let frame = stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))?;
        frame.check_values()?;
        let line = |name: String, also: Option<String>, value: &stepwell::Val| {
            let also = also.map_or(String::new(), |also| format!(" ({also})"));
            let named = format!("{}{also}", self.terminal.paint(Colour::Cyan, &name));
            format!("{named:<16} {:<5} {}\n", value.ty().to_string(), values::text_of(value))
        };
        let mut text = format!("{:<16} {:#x}\n", "pc", frame.offset().get());
        for (index, value) in frame.locals().iter().enumerate() {
            let name = frame.local_name(LocalIndex::new(index as u32)).map(readable);
            text += &line(format!("$local{index}"), name, value);
        }
        for (index, value) in frame.operands().iter().enumerate() {
            text += &line(format!("$stack{index}"), None, value);
        }
        if let Some(instance) = frame.instance() {
            let names = &frame.module().info().names.globals;
            for index in (0..frame.module().info().globals.len() as u32).map(GlobalIndex::new) {
                let Some(global) = instance.global(&*stop, index) else { continue };
                text += &line(
                    format!("$global{index}"),
                    names.get(&index).map(|name| readable(name)),
                    &global.get(&*stop)?,
                );
            }
        }
        Ok(text)
    }

    /// `info line WHERE`.
    fn info_line(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let module = self.module.clone();
        let around = self.around(target, &module);
        let typed = places::read(rest, &around)?;
        let offset = match &typed {
            places::Typed::Offset(offset) => vec![*offset],
            places::Typed::Function(name) => module.functions_named(name)?.iter().map(|found| found.offset).collect(),
            places::Typed::Line(file, line) => {
                let places = module.line_places(file, *line, None);
                let places = places.ok_or_else(|| Fault::new(format_args!("line {line} has no code")))?;
                places.places.iter().map(|place| place.offset).collect()
            }
            places::Typed::Index(index) => {
                let found = module.function_list(*index..index.saturating_add(1));
                found.iter().filter_map(|found| found.entry).collect()
            }
        };
        let text: String =
            offset.iter().map(|offset| super::points::described_place(&module, *offset) + "\n").collect();
        Ok(if text.is_empty() { "No code.\n".to_owned() } else { text })
    }
}

/// The functions of a module whose names have a text in them.
fn functions(module: &stepwell::Module, text: &str) -> String {
    let mut all = String::new();
    for function in module.function_list(0..module.info().funcs.len() as u32) {
        let name = function.name.clone().unwrap_or_else(|| format!("<function {}>", function.function));
        if !name.contains(text) {
            continue;
        }
        let place = match (function.file, function.entry) {
            (Some(file), _) if function.line > 0 => format!("{}:{}", readable(file), function.line),
            (_, Some(entry)) => format!("{:#x}", entry.get()),
            (_, None) => "imported".to_owned(),
        };
        all += &format!("#{:<5} {}  {place}\n", function.function, readable(&name));
    }
    if all.is_empty() { format!("No function has `{}` in its name.\n", readable(text)) } else { all }
}

/// Text in memory, up to its NUL, and how many bytes it has.
fn read_text(stop: &Stop<'_>, at: Shown, address: u64) -> Outcome<(String, usize)> {
    let memory = expressions::memory(stop, at)?;
    let mut bytes = Vec::new();
    let mut byte = [0];
    while bytes.len() < LONGEST_TEXT {
        memory.read(stop, address as usize + bytes.len(), &mut byte)?;
        if byte[0] == 0 {
            break;
        }
        bytes.push(byte[0]);
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), bytes.len()))
}

/// An unsigned number in memory.
fn read_number(stop: &Stop<'_>, at: Shown, address: u64, size: u64) -> Outcome<Number> {
    let memory = expressions::memory(stop, at)?;
    let mut bytes = [0; 16];
    memory.read(stop, address as usize, &mut bytes[..size as usize])?;
    Ok(Number { scalar: Scalar::Unsigned(u128::from_le_bytes(bytes)), size })
}
