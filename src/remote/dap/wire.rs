//! Messages as they are on the wire: a header with `Content-Length`, an empty line, and as many bytes of JSON. What a
//! client may send has a bound, and nothing that it sends ends more than its session.

use super::message::cancelled_by;
use crate::remote::link::{Input, Link, Output};
use crate::remote::session::Waker;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// The longest header, in bytes.
const MAX_HEADER: u64 = 4096;

/// The longest message, in bytes.
const MAX_MESSAGE: usize = 4 << 20;

/// So many messages wait for their turn; further ones are read later.
const MAX_WAITING: usize = 8;

/// So many requests that are to be cancelled are known at once.
const MAX_CANCELLED: usize = 1024;

/// A client's bytes, both ways, over whatever it is.
pub struct Stream {
    /// What it sends. A thread of the adapter reads it; it is to end once [`Stream::close`] was called.
    pub input: Box<dyn Read + Send>,
    /// What it is sent. Who writes may give up with an error: then the client is gone.
    pub output: Box<dyn Write + Send>,
    /// Ends both: called once, when nothing is to be said any more.
    pub close: Box<dyn FnOnce() + Send>,
}

/// How long a client may take nothing of what it is sent.
const PATIENCE: Duration = Duration::from_secs(10);

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        Input::read(self, to)
    }
}

impl Write for Output {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.write_all(from, PATIENCE).map(|()| from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<Link> for Stream {
    fn from(link: Link) -> Stream {
        let Link { input, output, closer } = link;
        Stream { input: Box::new(input), output: Box::new(output), close: Box::new(move || drop(closer)) }
    }
}

/// Reads a message; none where nothing more comes. An error says what was wrong with it: what follows cannot be told
/// apart any more.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut header = input.by_ref().take(MAX_HEADER);
    let (mut length, mut line, mut first) = (None, Vec::new(), true);
    loop {
        line.clear();
        header.read_until(b'\n', &mut line)?;
        let Some(text) = line.strip_suffix(b"\n") else {
            let message = if header.limit() == 0 { "a header is too long" } else { "it ends in a header" };
            return if first && line.is_empty() { Ok(None) } else { Err(wrong(message)) };
        };
        first = false;
        let text = std::str::from_utf8(text).map_err(|_| wrong("a header is no text"))?.trim_end_matches('\r');
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').ok_or_else(|| wrong("a line of a header has no colon"))?;
        if name.trim().eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse::<usize>().map_err(|_| wrong("a length is no number"))?;
            length = Some(value);
        }
    }
    let length = length.ok_or_else(|| wrong("a header has no Content-Length"))?;
    if length > MAX_MESSAGE {
        return Err(wrong(&format!("a message has {length} bytes; the most is {MAX_MESSAGE}")));
    }
    let mut body = Vec::new();
    input.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length { Err(wrong("it ends in a message")) } else { Ok(Some(body)) }
}

/// Writes a message.
pub(super) fn write(output: &mut dyn Write, message: &Value) -> io::Result<()> {
    let body = message.to_string();
    // At once: a stream may send each part by itself.
    output.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    output.flush()
}

/// The requests that are to be answered as cancelled, by their numbers.
#[derive(Clone, Default)]
pub(super) struct Cancelled(Arc<Mutex<BTreeSet<i64>>>);

impl Cancelled {
    fn add(&self, number: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MAX_CANCELLED {
            all.insert(number);
        }
    }

    /// Whether this one is; it is asked once.
    pub(super) fn take(&self, number: i64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is = all.remove(&number);
        // Those before it have been answered.
        *all = all.split_off(&number);
        is
    }
}

/// What a client has sent: a message, or why no more can be read.
pub(super) type Sent = Result<Value, String>;

/// Has a thread read what a client sends, which has the session's client look around. It ends with the stream.
pub(super) fn listen(input: Box<dyn Read + Send>, waker: Waker, cancelled: Cancelled) -> io::Result<Receiver<Sent>> {
    let (sender, receiver) = sync_channel(MAX_WAITING);
    let run = move || {
        listen_until_end(input, &sender, &waker, &cancelled);
        drop(sender);
        waker.wake();
    };
    Builder::new().name("stepwell-dap".to_owned()).spawn(run)?;
    Ok(receiver)
}

fn listen_until_end(input: Box<dyn Read + Send>, sender: &SyncSender<Sent>, waker: &Waker, cancelled: &Cancelled) {
    let mut input = BufReader::new(input);
    loop {
        let message = match read(&mut input) {
            Ok(None) => return,
            Ok(Some(body)) => serde_json::from_slice(&body).map_err(|error| format!("this is no JSON: {error}")),
            Err(error) => Err(error.to_string()),
        };
        if let Ok(message) = &message
            && let Some(number) = cancelled_by(message)
        {
            cancelled.add(number);
        }
        let ended = message.is_err();
        // Where the queue is full, whoever takes from it does not sleep.
        if sender.send(message).is_err() || ended {
            return;
        }
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<Result<Vec<u8>, String>> {
        let mut input = BufReader::with_capacity(3, text);
        let mut found = Vec::new();
        loop {
            match read(&mut input) {
                Ok(None) => return found,
                Ok(Some(body)) => found.push(Ok(body)),
                Err(error) => {
                    found.push(Err(error.to_string()));
                    return found;
                }
            }
        }
    }

    #[test]
    fn messages_are_read_one_behind_the_other() {
        let text = b"Content-Length: 2\r\n\r\n{}content-length:3\r\nX: y\r\n\r\nabcContent-Length: 0\n\n";
        assert_eq!(all(text), [Ok(b"{}".to_vec()), Ok(b"abc".to_vec()), Ok(Vec::new())]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn rubbish_is_told() {
        let long = [b'x'; 10_000];
        for (text, said) in [
            (&b"Content-Length: 2\r\n"[..], "ends in a header"),
            (b"Content-Length: 2", "ends in a header"),
            (b"Content-Length: 3\r\n\r\n{}", "ends in a message"),
            (b"Content-Length: -1\r\n\r\n", "no number"),
            (b"Content-Length: 99999999999\r\n\r\n", "the most is"),
            (b"Content-Length: 99999999999999999999999\r\n\r\n", "no number"),
            (b"\r\n", "no Content-Length"),
            (b"GET / HTTP/1.1\r\n\r\n", "no colon"),
            (b"\xff\xfe: 1\r\n\r\n", "no text"),
            (&long, "too long"),
        ] {
            let found = all(text);
            assert!(found[0].as_ref().is_err_and(|error| error.contains(said)), "{said}: {found:?}");
        }
    }

    #[test]
    fn cancelled_requests_are_known_until_their_turn_is_over() {
        let cancelled = Cancelled::default();
        (0..5000).for_each(|number| cancelled.add(number));
        assert!(cancelled.take(7));
        assert!(!cancelled.take(7));
        assert!(!cancelled.take(3), "its turn is over");
        assert!(cancelled.take(1000) && !cancelled.take(4000));
    }
}
