//! `stepwell-run --debug`: a debugger in the terminal. What is typed is gdb's or LLDB's; what is done is the library's.
//!
//! The guest runs on this thread, and so does the debugger at its stops: the library's callback asks for commands until
//! one has the guest go on. Between runs the same commands are asked for without a stop. Each run has a store of its
//! own; the module is compiled once.
//!
//! - `commands.rs` says what a line means, `session.rs` asks for lines and does them;
//! - `moving.rs` has the commands that make the guest go on, `looking.rs` those that show, `points.rs` breakpoints and
//!   watchpoints, `places.rs` the places that are typed, `expressions.rs` all that is done with expressions;
//! - `target.rs` has the frames as they are shown, `source.rs` the text of the source, `present.rs` what is said at a
//!   stop;
//! - `terminal.rs` is the terminal, `interrupt.rs` Ctrl-C.

mod commands;
mod expressions;
mod fault;
mod interrupt;
mod looking;
mod moving;
mod places;
mod points;
mod present;
mod session;
pub mod source;
mod target;
mod terminal;

use crate::end::{FAILURE, OrEnd, Run};
use crate::guest::{Failed, Room, Running};
use crate::load;
use crate::options::Options;
use crate::split;
use session::{After, Session};
use std::cell::RefCell;
use std::sync::Arc;
use stepwell::debug::{Action, Debugger, ExceptionStops, Stop};
use stepwell::{Engine, Module, Store};
use target::Target;
use terminal::Terminal;

thread_local! {
    /// The session while a guest runs: its callback takes it from here.
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// The callback of the debugger.
fn stopped(stop: &mut Stop<'_>) -> Action {
    let Some(mut session) = SESSION.take() else { return Action::Continue };
    let action = session.stopped(stop);
    SESSION.set(Some(session));
    action
}

/// A store in which the module can be run, with the debugger attached.
fn room(options: &Options, engine: &Engine) -> Run<Room> {
    Room::new(options, engine, |store: &mut Store| {
        let debugger = Debugger::attach(store, stopped).or_end(FAILURE, "attaching a debugger")?;
        debugger.stop_at_exceptions(store, ExceptionStops::Uncaught).or_end(FAILURE, "attaching a debugger")?;
        Ok(Some(debugger))
    })
}

/// What a run came to.
enum Ended {
    /// With this status.
    Exit(i32),
    /// By a trap.
    Trap(i32, String),
    /// The debugger has ended it.
    Asked,
}

/// Runs the guest from its beginning to its end. The session is where the callback takes it from.
fn run(options: &Options, room: &mut Room, module: &Module) -> Run<Ended> {
    let mut running = Running::new(options, room, module);
    let outcome = running.run();
    let was_asked = SESSION.with_borrow(|session| session.as_ref().is_some_and(|session| session.after.is_some()));
    match outcome {
        Ok(()) => Ok(Ended::Exit(0)),
        Err(Failed::Trap(_)) if was_asked => Ok(Ended::Asked),
        Err(Failed::Trap(trap)) => match trap.exit_status() {
            Some(status) => Ok(Ended::Exit(status)),
            None => Ok(Ended::Trap(running.status_of(&trap), trap.to_string())),
        },
        Err(Failed::End(ending)) => Err(ending),
    }
}

/// Debugs the module that the options name; gives the exit status.
pub fn debug(options: Arc<Options>) -> Run<i32> {
    let engine = load::engine(&options)?;
    let mut room = room(&options, &engine)?;
    let module = room.load(&options, &engine)?.module;
    split::give_asked(&module, &options)?;
    split::give_beside(&module, &options);
    room.prepare(&options, &module)?;
    let terminal = Terminal::new(options.batch)?;
    let mut session = Session::new(options, module.clone(), terminal)?;
    let mut status = 0;
    let mut run_now = false;
    loop {
        let Some(debugger) = room.debugger.clone() else { return Ok(FAILURE) };
        if !run_now {
            match session.idle(&mut Target::Idle(&mut room.store, &debugger)) {
                After::Run => {}
                After::Quit | After::Kill => return Ok(session.status(status)),
            }
        }
        if std::mem::take(&mut session.is_changed) {
            // Its arguments are not those that this store has.
            room = new_room(&mut session, &engine, &module)?;
            run_now = true;
            continue;
        }
        if session.is_interactive() {
            interrupt::pauses(debugger.pauser(&mut room.store).or_end(FAILURE, "attaching a debugger")?);
        }
        session.begin_run();
        let options = session.options.clone();
        SESSION.set(Some(session));
        let ended = run(&options, &mut room, &module);
        let Some(again) = SESSION.take() else { return Ok(FAILURE) };
        session = again;
        session.end_run(&mut Target::Idle(&mut room.store, &debugger));
        match ended {
            Ok(Ended::Exit(exit)) => {
                status = exit;
                session.say_end(&match exit {
                    0 => "[The program exited normally]".to_owned(),
                    other => format!("[The program exited with status {other}]"),
                });
            }
            Ok(Ended::Trap(code, text)) => {
                status = code;
                session.say_end(&format!("[The program trapped: {text}]"));
            }
            Ok(Ended::Asked) => {}
            Err(ending) => {
                status = ending.code;
                session.say_end(&ending.message.unwrap_or_default());
            }
        }
        run_now = match session.after.take() {
            Some(After::Quit) => return Ok(session.status(status)),
            Some(After::Run) => true,
            Some(After::Kill) => {
                session.say_end("[The program was killed]");
                false
            }
            None => false,
        };
        room = new_room(&mut session, &engine, &module)?;
    }
}

/// A store for the next run, with the breakpoints in it.
fn new_room(session: &mut Session, engine: &Engine, module: &Module) -> Run<Room> {
    let options = session.options.clone();
    let mut room = room(&options, engine)?;
    room.prepare(&options, module)?;
    session.is_changed = false;
    if let Some(debugger) = room.debugger.clone() {
        session.set_again(&mut Target::Idle(&mut room.store, &debugger));
    }
    Ok(room)
}
