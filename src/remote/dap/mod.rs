//! The Debug Adapter Protocol, which editors speak: [`serve`] talks to one client of a session, over any stream of
//! bytes.
//!
//! Threads are the stores of the session, and stand and go on each by itself. Frames are those of the source, inlined
//! ones included; where a function has no lines, its instructions are its source. Addresses of code and of memories are
//! numbers in which the module or the instance is told too (`sources.rs`).
//!
//! # Files
//!
//! `wire.rs` has messages as bytes, `message.rs` their contents; `adapter.rs` what the adapter has in hand,
//! `dispatch.rs` which requests there are and when, `events.rs` what the client is told without having asked. The rest
//! is requests by their kinds: `frames.rs`, `variables.rs`, `evaluate.rs`, `breakpoints.rs` and `when.rs`, `data.rs`,
//! `stepping.rs`, `sources.rs`, `memory.rs`. `launch.rs` is for hosts that begin programs.
//!
//! # What holds whatever the client sends
//!
//! One thread reads and one does everything else, so requests are answered in order. A message has a greatest size, few
//! wait, and all that is kept for the client has a bound. What is no message ends its session, and then the guests do
//! what [`SessionOptions`](super::session::SessionOptions) says. Numbers of frames and variables are of one stop, and
//! refused behind it.

mod adapter;
mod breakpoints;
mod data;
mod dispatch;
mod evaluate;
mod events;
mod frames;
mod handles;
mod launch;
mod memory;
mod message;
mod sources;
mod stepping;
mod variables;
mod when;
mod wire;

pub use launch::{Launch, LaunchArguments};
pub use wire::Stream;

use super::session::Client;
use adapter::{Adapter, Phase};
use dispatch::End;
use message::{failure, response};
use std::io::{BufReader, Read};
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::Duration;
use wire::{Cancelled, Sent};

/// How long a client may take to say goodbye when the session is closed.
const FAREWELL: Duration = Duration::from_millis(1500);

/// What guests end with that a client has begun or ended.
const DISCONNECTED: &str = "the debugger has ended it";

/// Talks to a client until it goes, or the session is closed. With `launch` the client may begin a program; else it
/// attaches to what the host runs.
pub fn serve(client: Client, stream: Stream, launch: Option<Box<dyn Launch>>) {
    let Stream { input, output, close } = stream;
    let cancelled = Cancelled::default();
    let waker = client.waker();
    let mut adapter = Adapter::new(client, output, launch);
    let end = match wire::listen(input, waker, cancelled.clone()) {
        Ok(messages) => talk(&mut adapter, &messages, &cancelled),
        Err(error) => {
            adapter.complain(&error.to_string());
            None
        }
    };
    match end {
        Some(End::Detach) => adapter.client.detach(),
        Some(End::EndGuests) => adapter.client.end_guests(DISCONNECTED),
        // It has gone: the host has said what happens then. A program that it has begun is nobody's without it.
        None if adapter.launched => adapter.client.end_guests(DISCONNECTED),
        None => drop(adapter.client),
    }
    close();
}

fn talk(adapter: &mut Adapter, messages: &std::sync::mpsc::Receiver<Sent>, cancelled: &Cancelled) -> Option<End> {
    let mut is_open = true;
    while !adapter.is_gone {
        let message = if is_open {
            messages.try_recv()
        } else {
            messages.recv_timeout(FAREWELL).map_err(|error| match error {
                RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            })
        };
        let wait = match message {
            Ok(Ok(message)) => {
                if let Some(end) = adapter.received(&message, cancelled) {
                    return Some(end);
                }
                Some(Duration::ZERO)
            }
            Ok(Err(why)) => {
                adapter.complain(&why);
                return None;
            }
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => None,
        };
        if !is_open {
            continue;
        }
        if adapter.phase >= Phase::Begun {
            adapter.tell_table();
        }
        if let Some(told) = adapter.client.next_event(wait) {
            is_open = adapter.happened(told);
        }
    }
    None
}

/// Tells a client that it is not let in: its first request is refused with this message.
pub fn refuse(stream: Stream, why: &str) {
    let Stream { input, mut output, close } = stream;
    let mut input = BufReader::new(input as Box<dyn Read>);
    if let Ok(Some(body)) = wire::read(&mut input)
        && let Ok(message) = serde_json::from_slice::<serde_json::Value>(&body)
        && let (Some(number), Some(command)) = (message["seq"].as_i64(), message["command"].as_str())
    {
        let mut refusal = response(number, command, Err(failure(why)));
        refusal["seq"] = 1.into();
        _ = wire::write(&mut *output, &refusal);
    }
    close();
}
