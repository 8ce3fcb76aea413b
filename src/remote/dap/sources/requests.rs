//! What requests do about sources, modules, and addresses.

use super::{Address, CODE, INSTANCE_SHIFT, MAX_PLACES, matching_file, path_of};
use crate::remote::dap::adapter::Adapter;
use crate::remote::dap::message::{Answer, Args, compact, event, failure};
use crate::runtime::{InstanceId, Module};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Adapter {
    /// The modules that there are now, those that are new at the end.
    pub(in crate::remote::dap) fn modules(&self) -> Vec<Module> {
        let mut modules: Vec<Module> = Vec::new();
        for instance in self.client.instances() {
            if !modules.iter().any(|known| Module::same(known, &instance.module)) {
                modules.push(instance.module);
            }
        }
        modules
    }

    fn module_value(&mut self, module: &Module) -> Value {
        let number = self.sources.number_of(module);
        let name = module.name().map_or_else(|| format!("module {}", number + 1), str::to_owned);
        let has_lines = !module.source_files().is_empty();
        json!({
            "id": number + 1, "name": name, "isUserCode": true,
            "symbolStatus": if has_lines { "DWARF" } else { "no debug information" }
        })
    }

    /// Tells of modules and files that are new.
    pub(in crate::remote::dap) fn tell_modules(&mut self) {
        let (modules, mut has_learnt) = (self.modules(), false);
        for module in modules {
            let number = self.sources.number_of(&module);
            if !self.sources.told.insert(number) {
                continue;
            }
            if !std::mem::replace(&mut has_learnt, true) {
                self.learn_files();
            }
            let value = self.module_value(&module);
            self.send(event("module", json!({ "reason": "new", "module": value })));
            for file in module.source_files() {
                if self.sources.files.insert(file.to_owned()) {
                    let source = self.sources.file(file);
                    self.send(event("loadedSource", json!({ "reason": "new", "source": source })));
                }
            }
        }
    }

    /// The number by which the client calls a module.
    pub(in crate::remote::dap) fn module_id(&mut self, module: &Module) -> usize {
        self.sources.number_of(module) + 1
    }

    /// The client has a file at this path: that is where it is shown from now on.
    pub(in crate::remote::dap) fn learn_file(&mut self, path: &str) {
        for module in self.modules() {
            if let Some(file) = matching_file(&module, path) {
                self.sources.learn(file, path);
            }
        }
    }

    pub(in crate::remote::dap) fn request_modules(&mut self, args: Args<'_>) -> Answer {
        let (from, count) = (args.opt_count("startModule")?.unwrap_or(0), args.opt_count("moduleCount")?.unwrap_or(0));
        let modules = self.modules();
        let count = if count == 0 { modules.len() } else { count };
        let values: Vec<Value> =
            modules.iter().skip(from).take(count).map(|module| self.module_value(module)).collect();
        Ok(json!({ "modules": values, "totalModules": modules.len() }))
    }

    pub(in crate::remote::dap) fn request_loaded_sources(&mut self) -> Answer {
        let modules = self.modules();
        let files: BTreeSet<&str> = modules.iter().flat_map(|module| module.source_files()).collect();
        Ok(json!({ "sources": files.into_iter().map(|file| self.sources.file(file)).collect::<Vec<Value>>() }))
    }

    pub(in crate::remote::dap) fn request_source(&mut self, args: Args<'_>) -> Answer {
        let source = args.object("source")?;
        let reference = match source.opt_int("sourceReference")? {
            Some(reference) if reference > 0 => reference,
            _ => args.int("sourceReference")?,
        };
        let text = self.sources.text(reference)?;
        Ok(json!({ "content": text, "mimeType": "text/x-wat" }))
    }

    pub(in crate::remote::dap) fn request_breakpoint_locations(&mut self, args: Args<'_>) -> Answer {
        let first = self.line_in(args.int("line")?)?;
        let last = args.opt_int("endLine")?.map_or(Ok(first), |line| self.line_in(line))?;
        let from = args.opt_int("column")?.and_then(|column| self.column_in(column)).unwrap_or(0);
        let to = args.opt_int("endColumn")?.and_then(|column| self.column_in(column)).unwrap_or(u32::MAX);
        let source = args.object("source")?;
        let mut found = BTreeSet::new();
        if let Some(reference) = source.opt_int("sourceReference")?.filter(|reference| *reference > 0) {
            let (module, func) = self.sources.function(reference)?;
            let lines = self.sources.offsets_of(module, func).len() as u32 + 1;
            let last = last.min(lines).min(first.saturating_add(MAX_PLACES as u32));
            found.extend((first.max(2)..=last).map(|line| (line, 0)));
        } else {
            let path = path_of(source.str("path")?);
            for module in self.modules() {
                let Some(file) = matching_file(&module, path) else { continue };
                let rows = module.line_table().into_iter();
                let rows = rows.filter(|row| row.is_statement && !row.end_of_sequence && row.file == Some(&file));
                let inside = |line: u32, column: u32| {
                    (first..=last).contains(&line) && (line > first || column >= from) && (line < last || column <= to)
                };
                found.extend(rows.map(|row| (row.line, row.column)).filter(|(line, column)| inside(*line, *column)));
            }
        }
        let place = |(line, column): &(u32, u32)| {
            let column = (*column > 0).then(|| self.column_out(*column));
            compact(json!({ "line": self.line_out(*line), "column": column }))
        };
        Ok(json!({ "breakpoints": found.iter().take(MAX_PLACES).map(place).collect::<Vec<Value>>() }))
    }

    /// The number of an instance in the session.
    pub(in crate::remote::dap) fn instance_number(&self, instance: Option<InstanceId>) -> u32 {
        let known = self.client.instances().into_iter().find(|known| Some(known.instance) == instance);
        known.map_or(0, |known| known.number)
    }

    /// An address in the first memory of an instance.
    pub(in crate::remote::dap) fn memory_address(&self, instance: u32, address: u64) -> Option<String> {
        let fits = address < 1 << INSTANCE_SHIFT && instance < 1 << (62 - INSTANCE_SHIFT);
        fits.then(|| format!("{:#x}", u64::from(instance) << INSTANCE_SHIFT | address))
    }

    /// What a text of the client's is the address of.
    pub(in crate::remote::dap) fn address(&self, text: &str) -> Answer<Address> {
        let text = text.trim();
        let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        let number = number.map_err(|_| failure(format!("`{text}` is no address")))?;
        if number & CODE == 0 {
            let instance = (number >> INSTANCE_SHIFT) as u32 & 0x7fff;
            return Ok(Address::Memory(instance, number & ((1 << INSTANCE_SHIFT) - 1)));
        }
        let module = ((number & !CODE) >> 32) as usize;
        let known = module.checked_sub(1).filter(|module| *module < self.sources.modules.len());
        let known = known.ok_or_else(|| failure(format!("`{text}` is in no module")))?;
        Ok(Address::Code(known, i64::from(number as u32)))
    }
}
