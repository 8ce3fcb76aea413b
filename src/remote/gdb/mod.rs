//! gdb's remote protocol, as LLDB speaks it to debug WebAssembly, on a [session](crate::remote::session).
//!
//! The packets are our own: what the crate gdbstub knows of the protocol ends before the reasons and descriptions of
//! stops, regions of memory, errors in words and libraries that come while the guest runs, and its loop wants the
//! guest on the thread of the connection. What is left to be done is small.
//!
//! `packet.rs` finds packets among bytes, `places.rs` knows what addresses mean, `talk.rs` answers. Here is who reads,
//! who writes, and when it ends.

mod packet;
mod places;
mod talk;

use super::link::{Input, Link, Output};
use super::session::{Client, SessionEvent, Waker};
use packet::{Item, Reader, Wrong, framed};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use talk::{Reply, Talk};

/// How long a client may take nothing of what it is sent before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many items wait to be answered. Who sends more waits.
const MAX_WAITING: usize = 64;

/// How often a packet is sent again that a client has not understood.
const MAX_AGAIN: usize = 8;

/// What was read, from the thread that reads to the one that answers.
#[derive(Default)]
struct Inbox {
    state: Mutex<Waiting>,
    taken: Condvar,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    /// Nothing more comes.
    ended: bool,
    /// Nobody answers any more.
    closed: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item in; false where nobody answers any more.
    fn put(&self, item: Item) -> bool {
        let mut waiting = self.lock();
        while waiting.items.len() >= MAX_WAITING && !waiting.closed {
            waiting = self.taken.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.items.push_back(item);
        !waiting.closed
    }

    /// The next item; an error where none comes any more.
    fn take(&self) -> Result<Option<Item>, Gone> {
        let mut waiting = self.lock();
        let item = waiting.items.pop_front();
        self.taken.notify_one();
        if item.is_none() && waiting.ended { Err(Gone) } else { Ok(item) }
    }

    fn end(&self) {
        self.lock().ended = true;
    }

    fn close(&self) {
        self.lock().closed = true;
        self.taken.notify_all();
    }
}

/// The client is gone, or is not listened to any further.
struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Gone {
        Gone
    }
}

/// Reads until nothing more comes.
fn read(mut input: Input, inbox: &Inbox, waker: &Waker) {
    let mut reader = Reader::default();
    let mut bytes = [0; 4096];
    'reading: while let Ok(count @ 1..) = input.read(&mut bytes) {
        for byte in &bytes[..count] {
            match reader.take(*byte) {
                Ok(None) => {}
                Ok(Some(item)) => {
                    if !inbox.put(item) {
                        break 'reading;
                    }
                    waker.wake();
                }
                Err(Wrong::TooLong | Wrong::Rubbish) => break 'reading,
            }
        }
    }
    inbox.end();
    waker.wake();
}

/// What is written.
struct Writer {
    output: Output,
    /// Each side says whether it has understood a packet.
    acks: bool,
    last: Vec<u8>,
    again: usize,
}

impl Writer {
    fn say(&mut self, said: &[u8]) -> io::Result<()> {
        let packet = framed(said);
        self.output.write_all(&packet, PATIENCE)?;
        if self.acks {
            self.last = packet;
            self.again = 0;
        }
        Ok(())
    }

    fn sign(&mut self, sign: u8) -> io::Result<()> {
        if self.acks { self.output.write_all(&[sign], PATIENCE) } else { Ok(()) }
    }

    fn say_again(&mut self) -> Result<(), Gone> {
        if !self.acks {
            return Ok(());
        }
        self.again += 1;
        if self.again > MAX_AGAIN {
            return Err(Gone);
        }
        Ok(self.output.write_all(&self.last, PATIENCE)?)
    }
}

/// Serves a client until it leaves or is gone.
pub(super) fn serve(client: Client, link: Link) {
    let Link { input, output, closer } = link;
    let inbox = Arc::new(Inbox::default());
    let reading = {
        let (inbox, waker) = (inbox.clone(), client.waker());
        std::thread::Builder::new().name("stepwell-gdb".to_owned()).spawn(move || read(input, &inbox, &waker))
    };
    // Without a thread to read there is nobody to serve.
    let Ok(reading) = reading else { return };
    let mut writer = Writer { output, acks: true, last: Vec::new(), again: 0 };
    let mut talk = Talk::new(client);
    let ended = converse(&mut talk, &mut writer, &inbox);
    inbox.close();
    drop(closer);
    _ = reading.join();
    match ended {
        Ok(kill) => talk.leave(kill),
        Err(Gone) => drop(talk),
    }
}

/// The conversation; whether guests are to end with it, where the client leaves.
fn converse(talk: &mut Talk, writer: &mut Writer, inbox: &Inbox) -> Result<bool, Gone> {
    loop {
        while let Some(item) = inbox.take()? {
            let packet = match item {
                Item::Packet(packet) => packet,
                Item::Interrupt => {
                    talk.interrupt();
                    continue;
                }
                Item::Damaged => {
                    writer.sign(b'-')?;
                    continue;
                }
                Item::Nack => {
                    writer.say_again()?;
                    continue;
                }
                Item::Ack => continue,
            };
            writer.sign(b'+')?;
            if packet == b"QStartNoAckMode" {
                writer.say(b"OK")?;
                writer.acks = false;
                continue;
            }
            match talk.packet(&packet) {
                Reply::Say(said) => writer.say(&said)?,
                Reply::Failed(what) if talk.speaks_words() => {
                    writer.say(format!("E01;{}", packet::hex(what.as_bytes())).as_bytes())?;
                }
                Reply::Failed(_) => writer.say(b"E01")?,
                Reply::Unknown => writer.say(b"")?,
                Reply::Later => {}
                Reply::Detach(said) => {
                    writer.say(&said)?;
                    return Ok(false);
                }
                Reply::Kill => return Ok(true),
            }
        }
        if let Some(said) = talk.time_is_over() {
            writer.say(&said)?;
        }
        let wait = talk.until().map(|until| until.saturating_duration_since(Instant::now()));
        match talk.client().next_event(wait) {
            Some(SessionEvent::Closed) => return Err(Gone),
            Some(event) => {
                if let Some(said) = talk.event(event) {
                    writer.say(&said)?;
                }
            }
            None => {}
        }
    }
}

/// Tells a client that it is not let in.
pub(super) fn refuse(link: Link, why: &str) {
    let Link { mut output, closer, .. } = link;
    _ = output.write_all(&framed(format!("E.{why}").as_bytes()), Duration::from_secs(1));
    drop(closer);
}
