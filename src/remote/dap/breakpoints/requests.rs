//! What requests do about breakpoints.

use super::{Asked, List, MAX_LOG, PATIENCE, Target, Told, Wanted};
use crate::debug::{ExceptionStops, Stop};
use crate::remote::dap::adapter::{Adapter, Phase};
use crate::remote::dap::message::{Answer, Args, compact, event, failure};
use crate::remote::dap::sources::{matching_file, path_of};
use crate::remote::dap::when::When;
use crate::remote::session::{NotStopped, ThreadId};
use crate::runtime::Module;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::PoisonError;

impl Adapter {
    /// Has a thread's debugger brought to what is wanted: at once, if its guest can be had.
    pub(in crate::remote::dap) fn bring(&self, thread: ThreadId) {
        let table = self.table.clone();
        let bring = move |stop: &mut Stop<'_>| table.lock().unwrap_or_else(PoisonError::into_inner).bring(stop, thread);
        let later = bring.clone();
        // Before the program is begun, nobody has its store in hand.
        let is_begun = !(self.launched && self.phase < Phase::Configured);
        if !is_begun || self.client.with_guest(thread, PATIENCE, bring) == Err(NotStopped::Late) {
            _ = self.client.later(thread, later);
        }
    }

    /// Files in which the client has breakpoints are where it has them.
    pub(in crate::remote::dap) fn learn_files(&mut self) {
        let of = |wanted: &Wanted| match &wanted.asked.list {
            List::File(path) => Some(path.clone()),
            _ => None,
        };
        let paths: BTreeSet<String> = self.lock().wanted.iter().filter_map(of).collect();
        paths.iter().for_each(|path| self.learn_file(path));
    }

    pub(in crate::remote::dap) fn bring_all(&self) {
        self.client.threads().iter().for_each(|thread| self.bring(thread.id));
    }

    /// What the client is told of a breakpoint.
    fn breakpoint_value(&mut self, id: i64, told: &Told, asked: &Asked) -> Value {
        let code = told.code.and_then(|(module, offset)| {
            let module = self.modules().into_iter().find(|known| known.id() == module)?;
            Some(self.sources.code_address(&module, offset))
        });
        let (source, line) = match (&told.file, &asked.list) {
            (_, List::Generated(reference)) => {
                let line = if let Target::Line { line, .. } = asked.target { line } else { 0 };
                (Some(json!({ "sourceReference": reference })), line)
            }
            (Some(file), _) => (Some(self.sources.file(file)), told.line),
            (None, _) => (None, if let Target::Line { line, .. } = asked.target { line } else { 0 }),
        };
        compact(json!({
            "id": id,
            "verified": told.verified,
            "message": told.message,
            "source": source,
            "line": (line > 0).then(|| self.line_out(line)),
            "column": (told.column > 0 && told.line == line && line > 0).then(|| self.column_out(told.column)),
            "instructionReference": code,
            "reason": (!told.verified).then_some("pending"),
        }))
    }

    /// Brings a list to what the client asks for, and tells what has become of it.
    fn set_list(&mut self, list: &List, asked: Vec<Answer<Asked>>) -> Answer {
        let good = asked.iter().filter_map(|asked| asked.as_ref().ok()).cloned().collect();
        let numbers = self.lock().replace(list, good);
        self.learn_files();
        self.bring_all();
        let mut numbers = numbers?.into_iter();
        let mut values = Vec::with_capacity(asked.len());
        let modules = self.modules();
        for asked in asked {
            let asked = match asked {
                Ok(asked) => asked,
                Err(error) => {
                    values.push(json!({ "verified": false, "message": error.text, "reason": "failed" }));
                    continue;
                }
            };
            let id = numbers.next().ok_or_else(|| failure("a breakpoint is missing"))?;
            let told = {
                let mut table = self.lock();
                let known = table.wanted.iter_mut().find(|wanted| wanted.id == id);
                let Some(wanted) = known else { return Err(failure("a breakpoint is missing")) };
                if wanted.set.is_empty() && wanted.told == Told::default() {
                    wanted.told = wanted.foresee(&modules);
                }
                wanted.known = wanted.told.clone();
                wanted.told.clone()
            };
            values.push(self.breakpoint_value(id, &told, &asked));
        }
        Ok(json!({ "breakpoints": values }))
    }

    /// Tells the client what has changed on guests' threads: breakpoints, and log messages.
    pub(in crate::remote::dap) fn tell_table(&mut self) {
        let (changed, log) = {
            let mut table = self.lock();
            let changed = table.wanted.iter_mut().filter(|wanted| wanted.known != wanted.told).map(|wanted| {
                wanted.known = wanted.told.clone();
                (wanted.id, wanted.told.clone(), wanted.asked.clone())
            });
            let changed: Vec<(i64, Told, Asked)> = changed.collect();
            let log = std::mem::take(&mut *table.log.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            (changed, log)
        };
        for (id, told, asked) in changed {
            let value = self.breakpoint_value(id, &told, &asked);
            self.send(event("breakpoint", json!({ "reason": "changed", "breakpoint": value })));
        }
        let is_cut = log.1 > MAX_LOG;
        for text in log.0 {
            self.send(event("output", json!({ "category": "console", "output": text })));
        }
        if is_cut {
            let text = "(log messages came too fast, and some were left out)\n";
            self.send(event("output", json!({ "category": "console", "output": text })));
        }
    }

    /// What all kinds of breakpoints have.
    fn asked(list: &List, target: Target, args: Args<'_>) -> Answer<Asked> {
        Ok(Asked { list: list.clone(), target, when: When::new(args)? })
    }

    pub(in crate::remote::dap) fn request_set_breakpoints(&mut self, args: Args<'_>) -> Answer {
        let source = args.object("source")?;
        let generated = source.opt_int("sourceReference")?.filter(|reference| *reference > 0);
        let list = match generated {
            Some(reference) => List::Generated(reference),
            None => List::File(path_of(source.str("path")?).to_owned()),
        };
        let mut asked = Vec::new();
        for wanted in args.list("breakpoints")? {
            let wanted = Args(wanted);
            asked.push((|| {
                let line = self.line_in(wanted.int("line")?)?;
                let target = match generated {
                    Some(reference) => {
                        let (module, offset, _) = self.sources.instruction_of(reference, line)?;
                        Target::Instruction(module, offset)
                    }
                    None => {
                        let column = wanted.opt_int("column")?.and_then(|column| self.column_in(column));
                        Target::Line { line, column }
                    }
                };
                Adapter::asked(&list, target, wanted)
            })());
        }
        let mut answer = self.set_list(&list, asked)?;
        if generated.is_some() {
            // These are at the lines that were asked for, unless they are refused.
            let lines: Vec<Value> = args.list("breakpoints")?.iter().map(|wanted| wanted["line"].clone()).collect();
            for (value, line) in answer["breakpoints"].as_array_mut().into_iter().flatten().zip(lines) {
                if value["verified"] == true {
                    value["line"] = line;
                }
            }
        }
        Ok(answer)
    }

    pub(in crate::remote::dap) fn request_set_function_breakpoints(&mut self, args: Args<'_>) -> Answer {
        let of = |wanted: &Value| {
            let wanted = Args(wanted);
            Adapter::asked(&List::Functions, Target::Function(wanted.str("name")?.to_owned()), wanted)
        };
        let asked = args.list("breakpoints")?.iter().map(of).collect();
        self.set_list(&List::Functions, asked)
    }

    pub(in crate::remote::dap) fn request_set_instruction_breakpoints(&mut self, args: Args<'_>) -> Answer {
        let of = |wanted: &Value| {
            let wanted = Args(wanted);
            let offset = wanted.opt_int("offset")?.unwrap_or(0);
            let (module, offset) = self.code(wanted.str("instructionReference")?, offset)?;
            Adapter::asked(&List::Instructions, Target::Instruction(module, offset), wanted)
        };
        let asked = args.list("breakpoints")?.iter().map(of).collect();
        self.set_list(&List::Instructions, asked)
    }

    pub(in crate::remote::dap) fn request_set_exception_breakpoints(&mut self, args: Args<'_>) -> Answer {
        let mut filters: Vec<&str> = args.list("filters")?.iter().filter_map(Value::as_str).collect();
        for option in args.list("filterOptions")? {
            filters.push(Args(option).str("filterId")?);
        }
        if let Some(unknown) = filters.iter().find(|filter| !["traps", "all", "uncaught"].contains(*filter)) {
            return Err(failure(format!("there is no filter `{unknown}`: there are traps, all and uncaught")));
        }
        self.traps = filters.contains(&"traps");
        self.lock().exceptions = match (filters.contains(&"all"), filters.contains(&"uncaught")) {
            (true, _) => ExceptionStops::All,
            (false, true) => ExceptionStops::Uncaught,
            (false, false) => ExceptionStops::None,
        };
        self.bring_all();
        Ok(Value::Null)
    }
}

impl Wanted {
    /// Where it will stand, as far as that is known without a store.
    fn foresee(&self, modules: &[Module]) -> Told {
        let place = modules.iter().find_map(|module| {
            let offset = match &self.asked.target {
                Target::Function(name) => module.functions_named(name).ok()?.first()?.offset,
                Target::Instruction(own, offset) => Some(*offset).filter(|_| Module::same(own, module))?,
                Target::Line { line, column } => {
                    let List::File(path) = &self.asked.list else { return None };
                    let file = matching_file(module, path)?;
                    module.line_places(&file, *line, *column)?.places.first()?.offset
                }
            };
            Some(Told::at(module, offset))
        });
        let message = "it is set when a module comes that has it".to_owned();
        place.unwrap_or(Told { message: Some(message), ..Told::default() })
    }
}
