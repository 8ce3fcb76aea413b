//! `stepwell-run`: runs a WASI program, or calls a function of a module; shows what it does; debugs it in a terminal.
//! `stepwell-run --help` says how, `docs/stepwell-run.md` says more.
//!
//! It is built on the library's public interface and nothing else of it. Where each thing is:
//!
//! - `options.rs` reads the command line, `end.rs` has the exit statuses;
//! - `load.rs` and `split.rs` read files, `host.rs` gives the guest what it gets, `guest.rs` runs it;
//! - `looking.rs` and `show.rs` print while it runs, `page.rs` makes a page of coverage;
//! - `values.rs` reads and writes values;
//! - `debugger/` is the debugger in the terminal, `serve.rs` has those of other programs.

mod debugger;
mod end;
mod guest;
mod host;
mod load;
mod looking;
mod options;
mod page;
mod serve;
mod show;
mod split;
mod values;

use crate::end::{Run, write_error};
use crate::guest::{Failed, Room, Running};
use crate::load::Loaded;
use crate::looking::Looking;
use crate::options::{Asked, Options};
use std::sync::Arc;

fn main() {
    // As a shell's user expects: what writes to nobody ends.
    // SAFETY: no other thread is there yet, and the default is no handler of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let code = match ask() {
        Ok(code) => code,
        Err(ending) => {
            ending.say();
            ending.code
        }
    };
    std::process::exit(code);
}

/// Does what the command line asks for; gives the exit status.
fn ask() -> Run<i32> {
    match options::read(std::env::args_os().skip(1).collect())? {
        Asked::Help => guest::print(options::HELP).map(|()| 0),
        Asked::Version => guest::print(concat!("stepwell-run ", env!("CARGO_PKG_VERSION"), "\n")).map(|()| 0),
        Asked::Run(options) if options.debug => debugger::debug(Arc::new(*options)),
        Asked::Run(options) if options.is_adapter() => serve::adapter(*options),
        Asked::Run(options) => match &options.served {
            Some(served) => serve::run(&options, served),
            None => run(&Arc::new(*options)),
        },
    }
}

/// Runs the module, and prints what is asked for meanwhile.
fn run(options: &Arc<Options>) -> Run<i32> {
    let engine = load::engine(options)?;
    let looking = Looking::new(options);
    let attach = |store: &mut stepwell::Store| match options.needs_debugger() {
        true => looking.attach(store).map(Some),
        false => Ok(None),
    };
    let mut room = Room::new(options, &engine, attach)?;
    let loaded = room.load(options, &engine)?;
    if let Some(to) = &options.precompile {
        load::write_compiled(&loaded.module, to)?;
        print_stats(options, &loaded, None, &looking);
        return Ok(0);
    }
    split::give_asked(&loaded.module, options)?;
    room.prepare(options, &loaded.module)?;
    if let Some(debugger) = room.debugger.clone() {
        split::give_beside(&loaded.module, options);
        looking.set_breakpoints(&debugger, &mut room.store, &loaded.module)?;
        if options.coverage.is_some() {
            use crate::end::{FAILURE, OrEnd};
            debugger.cover(&mut room.store, None).or_end(FAILURE, "--coverage")?;
        }
    }
    let mut running = Running::new(options, &mut room, &loaded.module);
    let code = match running.run() {
        Ok(()) => 0,
        Err(Failed::Trap(trap)) => running.end_with_trap(&trap),
        Err(Failed::End(ending)) => return Err(ending),
    };
    looking.write_coverage(running.room.debugger.as_ref(), &running.room.store)?;
    print_stats(options, &loaded, Some(&running), &looking);
    Ok(code)
}

/// Says what it took, if that was asked for.
fn print_stats(options: &Options, loaded: &Loaded, running: Option<&Running<'_>>, looking: &Looking) {
    if !options.stats {
        return;
    }
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let how = match loaded.bytes {
        Some(bytes) => format!("compiled {bytes} bytes"),
        None => "loaded".to_owned(),
    };
    let module = &loaded.module;
    let took = milliseconds(loaded.took);
    let mut text = format!("stepwell-run: {how} in {took:.3} ms, to {} bytes of code", module.text_size());
    if let Some(bytes) = module.debug_text_size() {
        text += &format!(" (and {bytes} of debug code)");
    }
    text += "\n";
    let times = running.map(|running| running.times).unwrap_or_default();
    text += &format!(
        "stepwell-run: instantiated in {:.3} ms, ran for {:.3} ms\n",
        milliseconds(times.instantiate),
        milliseconds(times.run)
    );
    if let Some(running) = running {
        let store = &running.room.store;
        let memories =
            (0..).map_while(|index| running.instance?.memory(store, stepwell::base::MemoryIndex::new(index)));
        for (index, memory) in memories.enumerate() {
            let (Ok(pages), Ok(bytes)) = (memory.size(store), memory.data_size(store)) else { continue };
            text += &format!("stepwell-run: memory {index} has {pages} pages ({bytes} bytes)\n");
        }
        if let (Some(given), Ok(left)) = (options.fuel, store.fuel()) {
            text += &format!("stepwell-run: {} units of fuel were used\n", given - left);
        }
    }
    let (stops, hits) = looking.counts();
    if stops > 0 {
        text += &format!("stepwell-run: {stops} stops, {hits} of them at breakpoints\n");
    }
    write_error(&text);
}
