//! What is said when the guest stops, and how frames are shown.

use super::expressions;
use super::fault::{Fault, Outcome};
use super::points::Kind;
use super::session::Session;
use super::target::{self, Shown, Target, shortened};
use super::terminal::{Colour, Terminal};
use crate::values;
use stepwell::base::WasmOffset;
use stepwell::debug::{Frame, Reason, Stop};
use stepwell::{Module, readable};

/// So many lines of the source are shown before the one that the guest is at, and behind it.
const AROUND: u32 = 4;
/// So many instructions are shown from a little before the one that the guest is at.
const INSTRUCTIONS: usize = 9;
/// So many bytes before it, the first of them is looked for.
const BYTES_BEFORE: u32 = 10;

/// A line about a frame: `fib (n=6) at program.c:12`.
pub fn header(terminal: &Terminal, frame: &Frame<'_>, at: Shown) -> String {
    let name = terminal.paint(Colour::Yellow, &target::function_name(frame, at));
    let parameters = match frame.check_values() {
        Ok(()) => target::parameters(frame, at)
            .into_iter()
            .map(|(name, text)| format!("{}={text}", terminal.paint(Colour::Cyan, &readable(&name))))
            .collect::<Vec<_>>()
            .join(", "),
        Err(_) => "...".to_owned(),
    };
    match target::place(frame, at) {
        Some(place) => {
            let file = place.file().unwrap_or("<unknown file>");
            let file = readable(file.rsplit('/').next().unwrap_or(file));
            format!("{name} ({parameters}) at {}", terminal.paint(Colour::Green, &format!("{file}:{}", place.line())))
        }
        None => {
            let offset = terminal.paint(Colour::Blue, &format!("{:#x}", frame.offset().get()));
            format!("{offset} in {name} ({parameters})")
        }
    }
}

/// Instructions of a function from an offset on, with a mark at `marked`.
pub fn instructions(
    terminal: &Terminal,
    module: &Module,
    func: stepwell::base::FuncIndex,
    from: WasmOffset,
    count: usize,
    marked: Option<WasmOffset>,
) -> Outcome<String> {
    let mut text = String::new();
    for instruction in module.instructions(func, from, count)? {
        let is_marked = marked == Some(instruction.offset);
        let mark = if is_marked { "=>" } else { "  " };
        let offset = format!("{:#x}", instruction.offset.get());
        let head = match is_marked {
            true => terminal.paint(Colour::Bold, &format!("{mark} {offset}")),
            false => format!("{mark} {}", terminal.paint(Colour::Blue, &offset)),
        };
        text += &format!("{head}:  {}\n", wasm_text(terminal, &instruction.text));
    }
    Ok(text)
}

/// An instruction's text in colours.
fn wasm_text(terminal: &Terminal, text: &str) -> String {
    let (code, comment) = match text.find("(;").or_else(|| text.find(";;")) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let end = code.find(' ').unwrap_or(code.len());
    let (name, operands) = code.split_at(end);
    let comment = if comment.is_empty() { String::new() } else { terminal.paint(Colour::Dim, comment) };
    format!("{}{operands}{comment}", terminal.paint(Colour::Yellow, name))
}

impl Session {
    /// Says why the guest stops, and where.
    pub fn present(&mut self, stop: &mut Stop<'_>) {
        let reason = stop.reason().clone();
        let mut text = String::new();
        let mut head = String::new();
        match &reason {
            Reason::Breakpoint(ids) => {
                let known: Vec<(u32, bool)> = ids
                    .iter()
                    .filter_map(|id| self.points.of_breakpoint(*id))
                    .map(|point| (point.number, matches!(point.kind, Kind::Break { once: true, .. })))
                    .collect();
                for (number, once) in &known {
                    head += &format!("{} {number}, ", if *once { "Temporary breakpoint" } else { "Breakpoint" });
                    if *once && let Err(fault) = self.points.remove(&mut Target::Stopped(stop), *number) {
                        text += &format!("{}\n", fault.0);
                    }
                }
            }
            Reason::Watchpoint(hits) => {
                for hit in hits {
                    text += &self.watch_text(stop, hit);
                }
            }
            // Behind the `^C` that the terminal shows.
            Reason::Pause if self.is_interactive() => text += "\nThe program was paused.\n",
            Reason::Pause => text += "The program was paused.\n",
            Reason::Trap(code) => {
                let message = format!("The program traps: {code}");
                text += &format!("{}\n", self.terminal.paint(Colour::Red, &message));
            }
            Reason::Exception => {
                let caught = match stop.catching_frame() {
                    Some(frame) => format!("frame {frame} catches it"),
                    None => "nobody catches it".to_owned(),
                };
                let message = format!("The program throws an exception: {caught}");
                text += &format!("{}\n", self.terminal.paint(Colour::Red, &message));
            }
            _ => {}
        }
        if let Some(types) = self.going.returns.take()
            && let Some(frame) = stop.top()
        {
            let operands = frame.operands();
            let results = operands.iter().rev().take(types.len()).rev().map(values::text_of).collect::<Vec<_>>();
            if !results.is_empty() && matches!(reason, Reason::Step) {
                text += &format!("Value returned: {}\n", results.join(", "));
            }
        }
        let at = Shown::default();
        if let Some(frame) = stop.top() {
            let name = target::function_name(&frame, at);
            let is_same = self.last_frame == Some((frame.id(), name.clone()));
            if !matches!(reason, Reason::Step) || !is_same || target::place(&frame, at).is_none() {
                text += &format!("{head}{}\n", header(&self.terminal, &frame, at));
            }
            self.last_frame = Some((frame.id(), name));
            text += &self.surroundings(&frame, at);
        }
        self.terminal.say(&text);
        let displays = self.display_all(stop);
        self.terminal.say(&displays);
    }

    /// The source around a frame's place, or its instructions where that is not here.
    pub fn surroundings(&mut self, frame: &Frame<'_>, at: Shown) -> String {
        let place = target::place(frame, at).and_then(|place| Some((place.file()?.to_owned(), place.line())));
        if let Some((file, line)) = place.filter(|(_, line)| *line > 0) {
            let (first, last) = (line.saturating_sub(AROUND).max(1), line.saturating_add(AROUND));
            if let Some(text) = self.sources.excerpt(&self.terminal, &file, (first, last), Some(line)) {
                self.listed = Some((file, first, last));
                return text;
            }
        }
        let offset = frame.offset();
        let from = WasmOffset::new(offset.get().saturating_sub(BYTES_BEFORE));
        let text = instructions(&self.terminal, frame.module(), frame.func(), from, INSTRUCTIONS, Some(offset));
        text.unwrap_or_else(|fault: Fault| format!("{}\n", fault.0))
    }

    /// What a watchpoint has seen.
    fn watch_text(&mut self, stop: &mut Stop<'_>, hit: &stepwell::debug::WatchHit) -> String {
        let now = |text: &str| expressions::evaluate(stop, Shown::default(), text).ok().map(|value| value.text);
        let Some(point) = self.points.of_watchpoint(hit.id) else { return String::new() };
        let number = point.number;
        let Kind::Watch { text, seen, .. } = &mut point.kind else { return String::new() };
        let shown = readable(text);
        if hit.is_end {
            self.points.forget(number);
            return format!("Watchpoint {number} ({shown}) is gone: its frame has returned.\n");
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        // Where the variable cannot be seen from here, its bytes can.
        let of_bytes = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
            Ok(bytes) => i32::from_le_bytes(bytes).to_string(),
            Err(_) => hex(bytes),
        };
        let new = now(text).unwrap_or_else(|| of_bytes(&hit.new));
        let old = seen.replace(new.clone()).unwrap_or_else(|| of_bytes(&hit.old));
        let (old, new) = (shortened(old), shortened(new));
        let by = if hit.by_host { " (by the host)" } else { "" };
        match hit.is_read {
            true => format!("Watchpoint {number}: {shown}\n\nValue = {new}\n"),
            false => format!("Watchpoint {number}: {shown}\n\nOld value = {old}\nNew value = {new}{by}\n"),
        }
    }

    /// The selected frame, and the source around it.
    pub fn text_of_frame(&mut self, target: &mut Target<'_, '_>) -> Outcome<String> {
        let at = self.at;
        let stop = target.stop()?;
        let number = target::shown(stop).position(|shown| shown == at).unwrap_or(0);
        let frame = stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))?;
        let header = header(&self.terminal, &frame, at);
        Ok(format!("#{number}  {header}\n{}", self.surroundings(&frame, at)))
    }
}
