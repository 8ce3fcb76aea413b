//! The commands that make the guest go on, and breakpoints and watchpoints, which make it stop.

use super::expressions;
use super::fault::{Fault, Outcome};
use super::places;
use super::points::described;
use super::session::{After, Flow, Session};
use super::target::{self, Target};
use stepwell::debug::{Action, ExceptionStops, Reason, Stop, WatchKind};
use stepwell::{AsStoreMut, ValType};

/// How the guest was told to go on, where it is to stop later than it does by itself.
#[derive(Default)]
pub struct Going {
    /// A step.
    steps: Option<Steps>,
    /// A line that is to be passed, for `until`: the frame's id, and the line.
    past: Option<(usize, u32)>,
    /// What the function returns that is run to its end.
    pub returns: Option<Vec<ValType>>,
}

/// A step, and how often it is to be done again.
#[derive(Clone)]
struct Steps {
    action: Action,
    left: u64,
    /// The id of the frame in which it began.
    frame: usize,
}

impl Steps {
    /// Whether the guest has returned into the middle of a line, which is then run to its end, as gdb does.
    fn is_within_line(&self, stop: &Stop<'_>) -> bool {
        let Some(frame) = stop.top().filter(|frame| frame.id() > self.frame) else { return false };
        if !matches!(self.action, Action::StepLine | Action::NextLine) {
            return false;
        }
        let line = frame.locations().first().map_or(0, |place| place.line());
        line > 0 && stop.offsets_of_line(line).is_ok_and(|offsets| !offsets.contains(&frame.offset()))
    }
}

/// A count behind a command; 1 without one.
fn count(text: &str) -> Outcome<u64> {
    if text.is_empty() {
        return Ok(1);
    }
    let number = text.parse().ok().filter(|count| *count > 0);
    number.ok_or_else(|| Fault::new(format_args!("`{text}` is no number of times")))
}

/// Numbers of breakpoints.
fn numbers(text: &str) -> Outcome<Vec<u32>> {
    let number = |word: &str| {
        word.parse().map_err(|_| Fault::new(format_args!("`{word}` is no breakpoint's number: `info breakpoints`")))
    };
    text.split([' ', ',']).filter(|word| !word.is_empty()).map(number).collect()
}

impl Session {
    /// `run`.
    pub fn run(&mut self, _: &mut Target<'_, '_>, rest: &str) -> Outcome<Flow> {
        if !rest.is_empty() {
            self.set_arguments(rest)?;
        }
        Ok(Flow::Leave(After::Run))
    }

    /// `start`.
    pub fn start(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<Flow> {
        let mut found = Fault::new("there is no function to stop at");
        for name in ["main", "__main_argc_argv", "__main_void", "_start", "_initialize"] {
            match self.breaks(target, name, true) {
                Ok(text) => {
                    self.terminal.say(&text);
                    return self.run(target, rest);
                }
                Err(fault) => found = fault,
            }
        }
        Err(found)
    }

    /// `continue [N]`.
    pub fn continues(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<Action> {
        let times = count(rest)?;
        let stop = target.stop()?;
        if times > 1 {
            let here: Vec<u32> = stop
                .reason()
                .breakpoints()
                .iter()
                .filter_map(|id| self.points.of_breakpoint(*id).map(|point| point.number))
                .collect();
            let number =
                *here.first().ok_or_else(|| Fault::new("the program is at no breakpoint that could be passed"))?;
            self.points.change(target, number, Some(times - 1), None)?;
            self.terminal.say(&format!("Breakpoint {number} is passed {} times.\n", times - 1));
        }
        Ok(Action::Continue)
    }

    /// `next`, `step`, and by instructions.
    pub fn steps(&mut self, target: &mut Target<'_, '_>, action: Action, rest: &str) -> Outcome<Action> {
        let times = count(rest)?;
        let stop = target.stop()?;
        if matches!(stop.reason(), Reason::Trap(_)) {
            return Fault::err("the program has trapped and cannot go on: `continue` ends it, `run` starts it again");
        }
        let frame = stop.top().map_or(0, |frame| frame.id());
        self.going.steps = Some(Steps { action: action.clone(), left: times - 1, frame });
        Ok(action)
    }

    /// `finish`.
    pub fn finish(&mut self, target: &mut Target<'_, '_>) -> Outcome<Action> {
        let at = self.at;
        let stop = target.stop()?;
        let frame = stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))?;
        let name = target::function_name(&frame, at);
        let ty = frame.module().info().func_type(frame.func());
        let levels = frame.locations().len();
        if at.frame + 1 >= stop.frame_count() && at.level + 1 >= levels {
            self.terminal.say(&format!("{name} is the outermost frame: run to the end of the program\n"));
            return Ok(Action::Continue);
        }
        self.going.returns = (at.level + 1 >= levels).then(|| ty.results.to_vec());
        self.terminal.say(&format!("Run until {name} returns\n"));
        Ok(Action::StepOutOf(at.frame + 1))
    }

    /// `until [WHERE]`.
    pub fn until(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<Action> {
        let module = self.module.clone();
        let here = self.around(target, &module).source;
        let stop = target.stop()?;
        if rest.is_empty() {
            let frame = stop.top().ok_or_else(|| Fault::new("there is no frame"))?;
            self.going.past = here.map(|(_, line)| (frame.id(), line));
            return Ok(Action::NextLine);
        }
        let around = self.around(target, &module);
        match places::read(rest, &around)? {
            places::Typed::Line(_, line) => Ok(Action::RunTo(target.stop()?.offsets_of_line(line)?)),
            places::Typed::Offset(offset) => Ok(Action::RunTo(target.stop()?.offset_in_function(offset)?)),
            _ => self.advance(target, rest),
        }
    }

    /// `advance WHERE`.
    pub fn advance(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<Action> {
        target.stop()?;
        if rest.is_empty() {
            return Fault::err("advance: to where?");
        }
        let text = self.breaks(target, rest, true)?;
        self.terminal.say(&text);
        Ok(Action::Continue)
    }

    /// `jump WHERE`. A breakpoint there is come to at once: who sets one and jumps wants to stand there.
    pub fn jump(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<Flow> {
        if rest.is_empty() {
            return Fault::err("jump: to which line, or `*OFFSET`?");
        }
        let module = self.module.clone();
        let typed = places::read(rest, &self.around(target, &module))?;
        let stop = target.stop()?;
        let to = match typed {
            places::Typed::Offset(offset) => offset,
            places::Typed::Line(_, line) => match stop.offsets_of_line(line)?.first() {
                Some(offset) => *offset,
                None => return Fault::err(format_args!("line {line} has no code in this function")),
            },
            _ => return Fault::err("jump: to a line of this function, or `*OFFSET`"),
        };
        stop.jump(to)?;
        let module = stop.top().map(|frame| frame.module().clone());
        let here = self.points.at(target, module.as_ref(), to)?;
        if here.is_empty() {
            return Ok(Flow::Go(Action::Continue));
        }
        let mut head = String::new();
        for (number, once) in here {
            head += &format!("{} {number}, ", if once { "Temporary breakpoint" } else { "Breakpoint" });
            if once {
                self.points.remove(target, number)?;
            }
        }
        self.at = target::Shown::default();
        let text = self.text_of_frame(target)?;
        let text = text.split_once("  ").map_or(text.as_str(), |(_, text)| text);
        self.terminal.say(&format!("{head}{text}"));
        Ok(Flow::Stay)
    }

    /// `return [VALUE...]`.
    pub fn returns(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let at = self.at;
        let stop = target.stop()?;
        let types = {
            let frame = stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))?;
            frame.module().info().func_type(frame.func()).results.to_vec()
        };
        let given: Vec<&str> = match types.len() {
            1 if !rest.is_empty() => vec![rest],
            _ => rest.split_whitespace().collect(),
        };
        if given.len() != types.len() {
            let names: Vec<String> = types.iter().map(ToString::to_string).collect();
            return Fault::err(format_args!(
                "this function returns ({}): `return` takes as many values",
                names.join(", ")
            ));
        }
        let values = given.iter().zip(&types).map(|(text, ty)| expressions::result(stop, at, text, *ty));
        let values = values.collect::<Outcome<Vec<_>>>()?;
        stop.return_early_from(at.frame, &values)?;
        self.at = target::Shown::default();
        self.text_of_frame(target)
    }

    /// Whether the guest is to go on at a stop, before anybody is told of it.
    pub fn goes_further(&mut self, stop: &mut Stop<'_>) -> Option<Action> {
        if !matches!(stop.reason(), Reason::Step) {
            self.going.steps = None;
            self.going.past = None;
            self.going.returns = None;
            return None;
        }
        if let Some((id, line)) = self.going.past {
            let frame = stop.top()?;
            let here = frame.locations().first().map_or(0, |place| place.line());
            if frame.id() == id && here <= line {
                return Some(Action::NextLine);
            }
            self.going.past = None;
        }
        let mut steps = self.going.steps.take()?;
        if !steps.is_within_line(stop) {
            if steps.left == 0 {
                return None;
            }
            steps.left -= 1;
        }
        steps.frame = stop.top().map_or(0, |frame| frame.id());
        let action = steps.action.clone();
        self.going.steps = Some(steps);
        Some(action)
    }

    /// `break` and `tbreak`.
    pub fn breaks(&mut self, target: &mut Target<'_, '_>, rest: &str, once: bool) -> Outcome<String> {
        let (place, condition) = match rest.strip_prefix("if ").map(|condition| ("", condition)) {
            Some(parts) => (parts.0, Some(parts.1)),
            None => match rest.split_once(" if ") {
                Some((place, condition)) => (place.trim(), Some(condition)),
                None => (rest, None),
            },
        };
        let module = self.module.clone();
        let around = self.around(target, &module);
        let typed = places::read(place, &around)?;
        let of = around.module.clone();
        let all: Vec<stepwell::Module> = target.as_store_mut().modules().cloned().collect();
        let requests = typed.requests(&of, &all);
        let condition = condition.map(str::trim);
        let (number, places) = self.points.add_break(target, &module, (place, requests), condition, once)?;
        let what = if once { "Temporary breakpoint" } else { "Breakpoint" };
        let mut text = format!("{what} {number} at {}\n", described(&places));
        if let (places::Typed::Line(_, asked), Some(line)) = (&typed, places.first().and_then(|place| place.line()))
            && line != *asked
        {
            text += &format!("Line {asked} has no code; it is at line {line}.\n");
        }
        Ok(text)
    }

    /// `watch` and its like.
    pub fn watch(&mut self, target: &mut Target<'_, '_>, rest: &str, kind: WatchKind) -> Outcome<String> {
        let text = rest.trim_start_matches("-l ").trim_start_matches("-location ").trim();
        if text.is_empty() {
            return Fault::err("watch: which variable?");
        }
        let at = self.at;
        let number = self.points.add_watch(target.stop()?, at, text, kind)?;
        Ok(format!("Watchpoint {number}: {text}\n"))
    }

    /// `catch`.
    pub fn catch(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let which = match rest {
            "throw" | "catch" | "exception" => ExceptionStops::All,
            "uncaught" => ExceptionStops::Uncaught,
            "none" => ExceptionStops::None,
            _ => return Fault::err("catch: throw, uncaught or none"),
        };
        target.debugger().stop_at_exceptions(target, which)?;
        Ok(String::new())
    }

    /// `delete`.
    pub fn delete(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        for number in self.numbers(rest)? {
            self.points.remove(target, number)?;
        }
        Ok(String::new())
    }

    /// `enable` and `disable`.
    pub fn enable(&mut self, target: &mut Target<'_, '_>, rest: &str, on: bool) -> Outcome<String> {
        for number in self.numbers(rest)? {
            self.points.enable(target, number, on)?;
        }
        Ok(String::new())
    }

    /// Those that are named; without one, all.
    fn numbers(&self, rest: &str) -> Outcome<Vec<u32>> {
        let rest = rest.strip_prefix("breakpoints").unwrap_or(rest);
        let named = numbers(rest)?;
        Ok(if named.is_empty() { self.points.all.iter().map(|point| point.number).collect() } else { named })
    }

    /// `ignore N COUNT`.
    pub fn ignore(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let parts: Vec<u64> = rest.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [number, passed] = parts[..] else { return Fault::err("ignore: `ignore N COUNT`") };
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.points.change(target, number, Some(passed), None)?;
        Ok(format!("The next {passed} times breakpoint {number} is come to are passed.\n"))
    }

    /// `condition N [COND]`.
    pub fn condition(&mut self, target: &mut Target<'_, '_>, rest: &str) -> Outcome<String> {
        let (number, condition) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let number = number.parse().map_err(|_| Fault::new("condition: `condition N COND`"))?;
        let condition = condition.trim().trim_start_matches("if ").trim();
        let condition = (!condition.is_empty()).then_some(condition);
        self.points.change(target, number, None, Some(condition))?;
        Ok(match condition {
            Some(_) => String::new(),
            None => format!("Breakpoint {number} now stops always.\n"),
        })
    }
}
