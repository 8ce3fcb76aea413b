//! Bytes of memories, and code as instructions.

use super::adapter::Adapter;
use super::message::{Answer, Args, compact, failure};
use super::sources::{Address, function_name};
use crate::base::{FuncIndex, MemoryIndex, WasmOffset};
use crate::debug::Stop;
use crate::remote::session::ThreadId;
use crate::runtime::{AsStore, AsStoreMut, Instruction, Memory, Module};
use serde_json::json;
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

/// So many bytes are read at once.
const MAX_BYTES: usize = 1 << 20;

/// So many instructions are told at once, or passed over.
const MAX_INSTRUCTIONS: usize = 10_000;

/// How long a guest that runs is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text, six bits a letter.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let at = |index: usize| u32::from(part.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for letter in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * letter) & 63) as usize];
            text.push(if letter <= part.len() { digit as char } else { '=' });
        }
    }
    text
}

/// The bytes of such a text.
fn decode(text: &str) -> Answer<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() / 4 * 3), 0u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == letter);
        let digit = digit.ok_or_else(|| failure("the argument `data` is no base64"))?;
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Ok(bytes)
}

/// The instructions around an offset: from the one at or behind it, passing over so many, so many; none where there is
/// no code.
fn instructions(module: &Module, from: i64, pass: i64, count: usize) -> Answer<Vec<Option<(Instruction, FuncIndex)>>> {
    let info = module.info();
    let bodies = &info.bodies;
    let load = |body: usize| -> Answer<Vec<(Instruction, FuncIndex)>> {
        let func = FuncIndex::from_usize(body + info.imported_funcs as usize);
        let all = module.instructions(func, WasmOffset::new(0), usize::MAX)?;
        Ok(all.into_iter().map(|instruction| (instruction, func)).collect())
    };
    let behind = bodies.partition_point(|body| (body.bytes.end as i64) <= from);
    let mut found: VecDeque<(Instruction, FuncIndex)> = VecDeque::new();
    let (mut first, mut last) = (behind, behind);
    if behind < bodies.len() {
        found.extend(load(behind)?);
        last += 1;
    }
    let here = found.partition_point(|(instruction, _)| i64::from(instruction.offset.get()) < from) as i64;
    let mut at = here + pass;
    while at < 0 && first > 0 {
        first -= 1;
        let before = load(first)?;
        at += before.len() as i64;
        before.into_iter().rev().for_each(|instruction| found.push_front(instruction));
    }
    while at + count as i64 > found.len() as i64 && last < bodies.len() {
        found.extend(load(last)?);
        last += 1;
    }
    let take = |index: i64| usize::try_from(index).ok().and_then(|index| found.get(index).cloned());
    Ok((at..at + count as i64).map(take).collect())
}

impl Adapter {
    /// The thread and the memory that an address is in, for work there.
    fn at_memory<R: Send + 'static>(
        &self,
        instance: u32,
        work: impl FnOnce(&mut Stop<'_>, Memory) -> Answer<R> + Send + 'static,
    ) -> Answer<R> {
        let no_memory = || failure("there is no memory");
        if instance == 0 {
            let handle = self.any_frame()?;
            return self.at_stop(handle.thread, move |stop| {
                let instance = stop.frame(handle.index).and_then(|frame| frame.instance()).ok_or_else(no_memory)?;
                let memory = instance.memory(stop.as_store(), MemoryIndex::new(0)).ok_or_else(no_memory)?;
                work(stop, memory)
            });
        }
        let known = self.client.instances().into_iter().find(|known| known.number == instance);
        let known = known.ok_or_else(|| failure(format!("there is no instance {instance}")))?;
        let (thread, instance): (ThreadId, _) = (known.thread, known.instance);
        self.client.with_guest(thread, PATIENCE, move |stop| {
            let store = stop.as_store();
            let instance = store.find_instance(instance).ok_or_else(|| failure("the instance is gone"))?;
            let memory = instance.memory(store, MemoryIndex::new(0)).ok_or_else(no_memory)?;
            work(stop, memory)
        })?
    }

    /// The address that a request means, in a memory.
    fn place(&self, args: Args<'_>) -> Answer<(u32, i128)> {
        match self.address(args.str("memoryReference")?)? {
            Address::Memory(instance, address) => {
                Ok((instance, i128::from(address) + i128::from(args.opt_int("offset")?.unwrap_or(0))))
            }
            Address::Code(..) => Err(failure("this is code: ask for it to be disassembled")),
        }
    }

    pub(super) fn request_read_memory(&mut self, args: Args<'_>) -> Answer {
        let (instance, address) = self.place(args)?;
        let wanted = args.opt_count("count")?.unwrap_or(0);
        let (from, bytes) = self.at_memory(instance, move |stop, memory| {
            let size = memory.data_size(stop.as_store())?;
            // What is before the memory, or behind it, cannot be read.
            let from = usize::try_from(address).unwrap_or(if address < 0 { 0 } else { usize::MAX }).min(size);
            let mut bytes = vec![0; if address < 0 { 0 } else { wanted.min(size - from).min(MAX_BYTES) }];
            memory.read(stop.as_store(), from, &mut bytes)?;
            Ok((from, bytes))
        })?;
        let shown = self.memory_address(instance, from as u64).unwrap_or_else(|| format!("{from:#x}"));
        let unreadable = (bytes.len() < wanted).then(|| wanted - bytes.len());
        let data = (!bytes.is_empty()).then(|| encode(&bytes));
        Ok(compact(json!({ "address": shown, "unreadableBytes": unreadable, "data": data })))
    }

    pub(super) fn request_write_memory(&mut self, args: Args<'_>) -> Answer {
        let (instance, address) = self.place(args)?;
        let mut bytes = decode(args.str("data")?)?;
        let partial = args.flag("allowPartial")?;
        let written = self.at_memory(instance, move |stop, memory| {
            let from = usize::try_from(address).map_err(|_| failure("the address is in front of the memory"))?;
            if partial {
                bytes.truncate(memory.data_size(stop.as_store())?.saturating_sub(from));
            }
            if !bytes.is_empty() {
                memory.write(stop.as_store_mut(), from, &bytes)?;
            }
            Ok(bytes.len())
        })?;
        Ok(json!({ "bytesWritten": written }))
    }

    pub(super) fn request_disassemble(&mut self, args: Args<'_>) -> Answer {
        let Address::Code(number, offset) = self.address(args.str("memoryReference")?)? else {
            return Err(failure("this is no code"));
        };
        let from = offset.saturating_add(args.opt_int("offset")?.unwrap_or(0));
        let pass = args.opt_int("instructionOffset")?.unwrap_or(0);
        let count = args.opt_count("instructionCount")?.unwrap_or(0);
        if count > MAX_INSTRUCTIONS || pass.unsigned_abs() > MAX_INSTRUCTIONS as u64 {
            return Err(failure(format!("at most {MAX_INSTRUCTIONS} instructions are told at once")));
        }
        let symbols = args.flag("resolveSymbols")?;
        let module = self.sources.module(number).cloned().ok_or_else(|| failure("the module is gone"))?;
        let found = instructions(&module, from, pass, count)?;
        let (mut told, mut file, mut line) = (Vec::with_capacity(found.len()), None, 0);
        // Each has an address of its own, ascending: in front of the first are those that nothing has.
        let first = found.iter().position(Option::is_some).unwrap_or(0);
        let start = found.iter().flatten().next().map_or(from, |(instruction, _)| i64::from(instruction.offset.get()));
        let mut end = start;
        for (index, found) in found.into_iter().enumerate() {
            let Some((instruction, func)) = found else {
                let offset = if index < first { start - (first - index) as i64 } else { end };
                end += i64::from(index >= first);
                let address = self.sources.code_address(&module, u32::try_from(offset).unwrap_or(0));
                told.push(json!({ "address": address, "instruction": "", "presentationHint": "invalid" }));
                continue;
            };
            let (at, size) = (instruction.offset.get(), instruction.size);
            end = i64::from(at + size);
            let bytes = module.binary().get(at as usize..(at + size) as usize).unwrap_or(&[]);
            let mut hex = String::new();
            for byte in bytes {
                _ = write!(hex, "{}{byte:02x}", if hex.is_empty() { "" } else { " " });
            }
            let locations = module.locations(instruction.offset);
            let known = locations.first().filter(|location| location.line() > 0 && location.file().is_some());
            let new_file = known.and_then(|location| location.file()).map(str::to_owned);
            let new_line = known.map_or(0, |location| location.line());
            let source = new_file.as_deref().filter(|_| new_file != file).map(|file| self.sources.file(file));
            let shown_line = (new_line > 0 && (new_line != line || new_file != file)).then(|| self.line_out(new_line));
            (file, line) = (new_file, new_line);
            told.push(compact(json!({
                "address": self.sources.code_address(&module, at),
                "instructionBytes": hex,
                "instruction": instruction.text,
                "symbol": symbols.then(|| function_name(&module, func)),
                "location": source,
                "line": shown_line,
            })));
        }
        Ok(json!({ "instructions": told }))
    }
}

/// Where code of a client's is meant, a breakpoint for one.
impl Adapter {
    pub(super) fn code(&self, reference: &str, offset: i64) -> Answer<(Module, WasmOffset)> {
        let Address::Code(number, at) = self.address(reference)? else { return Err(failure("this is no code")) };
        let at = u32::try_from(at.saturating_add(offset)).map_err(|_| failure("this is no code"))?;
        let module = self.sources.module(number).ok_or_else(|| failure("the module is gone"))?;
        Ok((module.clone(), WasmOffset::new(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_and_bytes_again() {
        assert_eq!(encode(b""), "");
        assert_eq!(encode(b"f"), "Zg==");
        assert_eq!(encode(b"fo"), "Zm8=");
        assert_eq!(encode(b"foo"), "Zm9v");
        assert_eq!(encode(b"foobar"), "Zm9vYmFy");
        let all: Vec<u8> = (0..=255).collect();
        for length in 0..all.len() {
            assert_eq!(decode(&encode(&all[..length])).unwrap(), all[..length]);
        }
        assert!(decode("a b").is_err() && decode("ä").is_err());
    }
}
