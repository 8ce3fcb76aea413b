//! How a client comes: over TCP, a Unix socket, or a pair of descriptors; and the bytes between it and us. Nothing here
//! waits for ever for a client that stalls, and waiting costs nothing: whoever waits sleeps in the kernel, and is woken
//! by what he waits for or by who wants him to end.
//!
//! # Who may come
//!
//! A debugger can do all that its host can. So it listens on loopback addresses and Unix sockets (which only their
//! owner may connect to) without more ado, and on others only with a *token*, which a client sends before anything
//! else, as the first line: `stepwell TOKEN` and a line feed. The debuggers that speak gdb's protocol cannot do that:
//! they are brought to a loopback address by a tunnel, such as `ssh -L`.

use crate::base::{Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, chmod};
use rustix::net::sockopt;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a client may take to send its token.
const TOKEN_WAIT: Duration = Duration::from_secs(10);

/// What is written at once: as much as a pipe takes that can be written to.
const PIECE: usize = 4096;

/// Where a client is waited for.
#[derive(Debug)]
pub enum Listen {
    /// A TCP address, `ADDR:PORT`, or `PORT` alone for the loopback address 127.0.0.1. Port 0 is any that is free.
    Tcp(String),
    /// A Unix socket of this path, which only its owner may connect to. The file is removed when nobody is waited for
    /// any more.
    Unix(PathBuf),
    /// These descriptors are the one client: the first is read, the second written.
    Pair(OwnedFd, OwnedFd),
}

impl Default for Listen {
    fn default() -> Self {
        Listen::Tcp("0".to_owned())
    }
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
    Pair(Mutex<Option<(File, File)>>),
}

/// What waits for clients.
pub(super) struct Listener {
    socket: Socket,
    token: Option<String>,
    address: String,
    /// Its other end is dropped when nobody is to be waited for.
    stop: PipeReader,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.socket {
            _ = std::fs::remove_file(path);
        }
    }
}

fn refused(what: impl std::fmt::Display, error: &io::Error) -> Error {
    Error::new(ErrorKind::System, format!("{what}: {error}"))
}

/// The addresses that are meant.
fn resolve(address: &str) -> Result<Vec<SocketAddr>> {
    let wrong = || {
        let message = format!("\"{address}\" is no address: give PORT or ADDR:PORT, such as 127.0.0.1:1234");
        Error::new(ErrorKind::Argument, message)
    };
    let full = match address.strip_prefix(':').unwrap_or(address).parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => address.to_owned(),
    };
    let found: Vec<SocketAddr> = full.to_socket_addrs().map_err(|_| wrong())?.collect();
    if found.is_empty() { Err(wrong()) } else { Ok(found) }
}

/// A socket at a path. What a server has left there that is no more is put away.
fn bind_unix(path: &PathBuf) -> Result<UnixListener> {
    let is_left = || {
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
        is_socket && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if is_left() {
        _ = std::fs::remove_file(path);
    }
    let listener = UnixListener::bind(path).map_err(|error| refused(path.display(), &error))?;
    chmod(path, Mode::RUSR | Mode::WUSR).map_err(|error| refused(path.display(), &error.into()))?;
    Ok(listener)
}

impl Listener {
    /// Begins to listen; until the other end of `stop` is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is no address, and for one that others than this machine can reach where no
    /// token is asked for; [`ErrorKind::System`] where the system refuses it.
    pub(super) fn bind(listen: Listen, token: Option<String>, stop: PipeReader) -> Result<Listener> {
        if token.as_ref().is_some_and(|token| token.is_empty() || token.contains(['\n', '\r'])) {
            return Err(Error::new(ErrorKind::Argument, "a token is one line that is not empty"));
        }
        let (socket, address) = match listen {
            Listen::Tcp(address) => {
                let found = resolve(&address)?;
                if token.is_none() && !found.iter().all(|one| one.ip().to_canonical().is_loopback()) {
                    let message = format!(
                        "{address} can be reached from other machines: ask for a token, or listen on 127.0.0.1 and \
                         have clients come by a tunnel (ssh -L)"
                    );
                    return Err(Error::new(ErrorKind::Argument, message));
                }
                let listener = TcpListener::bind(&found[..]).map_err(|error| refused(&address, &error))?;
                let bound = listener.local_addr().map_err(|error| refused(&address, &error))?;
                (Socket::Tcp(listener), bound.to_string())
            }
            Listen::Unix(path) => {
                let address = path.display().to_string();
                (Socket::Unix(bind_unix(&path)?, path), address)
            }
            Listen::Pair(input, output) => {
                let files = (File::from(input), File::from(output));
                (Socket::Pair(Mutex::new(Some(files))), "descriptors".to_owned())
            }
        };
        Ok(Listener { socket, token, address, stop })
    }

    /// Where it listens: the address with its port, or the path.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The token that clients send first.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The next client; none when nobody is to be waited for any more.
    pub(super) fn accept(&self) -> Option<Link> {
        loop {
            let socket = match &self.socket {
                Socket::Tcp(listener) => listener.as_fd(),
                Socket::Unix(listener, _) => listener.as_fd(),
                Socket::Pair(files) => {
                    let (input, output) = files.lock().ok()?.take()?;
                    return Link::new(Stream::File(input), Stream::File(output)).ok();
                }
            };
            if !wait(socket, PollFlags::IN, &self.stop, None).is_ok_and(|ready| ready) {
                return None;
            }
            let link = match &self.socket {
                Socket::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                    // Else one whose machine has gone would never be found to be gone.
                    let kept = sockopt::set_socket_keepalive(&stream, true)
                        .and_then(|()| sockopt::set_tcp_keepidle(&stream, Duration::from_secs(30)))
                        .and_then(|()| sockopt::set_tcp_keepintvl(&stream, Duration::from_secs(10)));
                    kept?;
                    stream.set_nodelay(true)?;
                    Link::new(Stream::Tcp(stream.try_clone()?), Stream::Tcp(stream))
                }),
                Socket::Unix(listener, _) => listener
                    .accept()
                    .and_then(|(stream, _)| Link::new(Stream::Unix(stream.try_clone()?), Stream::Unix(stream))),
                Socket::Pair(_) => return None,
            };
            match link {
                Ok(link) => return Some(link),
                // One that has gone again; or no descriptors are left, which may pass.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// Waits until a descriptor is ready; false where the end was asked for, or the time is over.
fn wait(fd: BorrowedFd<'_>, flags: PollFlags, stop: &PipeReader, until: Option<Instant>) -> io::Result<bool> {
    loop {
        let mut fds = [PollFd::from_borrowed_fd(fd, flags), PollFd::new(stop, PollFlags::IN)];
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() });
        match poll(&mut fds, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(fds[1].revents().is_empty()),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    File(File),
}

impl Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::File(file) => file.as_fd(),
        }
    }

    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(to),
            Stream::Unix(stream) => stream.read(to),
            Stream::File(file) => file.read(to),
        }
    }

    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(from),
            Stream::Unix(stream) => stream.write(from),
            Stream::File(file) => file.write(from),
        }
    }
}

/// A client's bytes, both ways. The halves are used by different threads.
pub struct Link {
    /// What it sends.
    pub input: Input,
    /// What it is sent.
    pub output: Output,
    /// Ends both.
    pub closer: Closer,
}

/// What a client sends.
pub struct Input {
    stream: Stream,
    stop: PipeReader,
}

/// What a client is sent.
pub struct Output {
    stream: Stream,
    stop: PipeReader,
}

/// Ends a [`Link`] when it is dropped: who reads is told that nothing more comes, who writes that nothing can be.
pub struct Closer(#[expect(dead_code, reason = "that it is dropped is what counts")] PipeWriter);

impl Link {
    fn new(input: Stream, output: Stream) -> io::Result<Link> {
        let (stop, closer) = io::pipe()?;
        let output = Output { stream: output, stop: stop.try_clone()? };
        Ok(Link { input: Input { stream: input, stop }, output, closer: Closer(closer) })
    }

    /// Reads the token, which is the first line. Whether it is the right one.
    pub(super) fn check_token(&mut self, token: &str) -> bool {
        let until = Instant::now() + TOKEN_WAIT;
        let expected = format!("stepwell {token}\n");
        let mut line = Vec::new();
        // Byte by byte: what follows is not ours.
        while line.last() != Some(&b'\n') && line.len() < expected.len() + 2 {
            let mut byte = [0];
            match self.input.read_until(&mut byte, Some(until)) {
                Ok(1) => line.push(byte[0]),
                _ => return false,
            }
        }
        if line.ends_with(b"\r\n") {
            line.remove(line.len() - 2);
        }
        // How much of it is right is not told by the time it takes.
        let differences = line.iter().zip(expected.as_bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        line.len() == expected.len() && differences == 0
    }
}

impl Input {
    /// Reads what there is, waiting for the first byte; 0 where nothing more comes, or the link was closed.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.read_until(to, None)
    }

    fn read_until(&mut self, to: &mut [u8], until: Option<Instant>) -> io::Result<usize> {
        loop {
            if !wait(self.stream.as_fd(), PollFlags::IN, &self.stop, until)? {
                return Ok(0);
            }
            match self.stream.read(to) {
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                done => return done,
            }
        }
    }
}

impl Output {
    /// Writes all of it.
    ///
    /// # Errors
    /// Those of the system; [`io::ErrorKind::TimedOut`] where the client takes nothing for so long, or the link was
    /// closed.
    pub fn write_all(&mut self, mut from: &[u8], patience: Duration) -> io::Result<()> {
        while !from.is_empty() {
            if !wait(self.stream.as_fd(), PollFlags::OUT, &self.stop, Some(Instant::now() + patience))? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.stream.write(&from[..from.len().min(PIECE)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => from = &from[written..],
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(listen: Listen, token: Option<&str>) -> Result<(Listener, PipeWriter)> {
        let (stop, closer) = io::pipe().unwrap();
        Listener::bind(listen, token.map(str::to_owned), stop).map(|listener| (listener, closer))
    }

    #[test]
    fn only_loopback_without_a_token() {
        for address in ["0.0.0.0:0", "[::]:0"] {
            let error = bind(Listen::Tcp(address.to_owned()), None).err().unwrap();
            assert!(error.message().contains("tunnel"), "{error}");
        }
        for address in ["0", ":0", "127.0.0.1:0", "127.9.9.9:0"] {
            let (listener, _stop) = bind(Listen::Tcp(address.to_owned()), None).unwrap();
            assert!(!listener.address().ends_with(":0"), "{}", listener.address());
        }
        assert!(bind(Listen::Tcp("0.0.0.0:0".to_owned()), Some("secret")).is_ok());
        for wrong in ["", "x", "70000", "127.0.0.1", "127.0.0.1:x"] {
            let error = bind(Listen::Tcp(wrong.to_owned()), None).err().unwrap();
            assert!(error.message().contains("is no address"), "{wrong}: {error}");
        }
        for token in ["", "a\nb"] {
            assert!(bind(Listen::default(), Some(token)).is_err());
        }
    }

    #[test]
    fn the_token_is_the_first_line() {
        for (sent, right) in [
            (&b"stepwell secret\nrest"[..], true),
            (b"stepwell secret\r\nrest", true),
            (b"stepwell secres\n", false),
            (b"stepwell secret2\n", false),
            (b"stepwell secre\n", false),
            (b"stepwell secret", false),
            (b"POST / HTTP/1.1\r\n", false),
            (b"", false),
        ] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(sent).unwrap();
            theirs.shutdown(std::net::Shutdown::Write).unwrap();
            let mut link = Link::new(Stream::Unix(ours.try_clone().unwrap()), Stream::Unix(ours)).unwrap();
            assert_eq!(link.check_token("secret"), right, "{}", String::from_utf8_lossy(sent));
            if right {
                let mut rest = [0; 8];
                assert_eq!(link.input.read(&mut rest).unwrap(), 4, "what follows is left");
            }
        }
    }

    #[test]
    fn who_waits_is_woken_by_the_end() {
        let (listener, stop) = bind(Listen::default(), None).unwrap();
        let waiting = std::thread::spawn(move || listener.accept().is_none());
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let link = Link::new(Stream::Unix(ours.try_clone().unwrap()), Stream::Unix(ours)).unwrap();
        let Link { mut input, mut output, closer } = link;
        let reading = std::thread::spawn(move || input.read(&mut [0; 8]).unwrap());
        // The other side takes nothing: it is not waited for without end.
        let begun = Instant::now();
        let full = output.write_all(&vec![0; 64 << 20], Duration::from_millis(100)).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(30));
        assert!(!waiting.is_finished() && !reading.is_finished());
        drop((stop, closer));
        assert!(waiting.join().unwrap());
        assert_eq!(reading.join().unwrap(), 0);
    }

    #[test]
    fn a_socket_that_was_left_is_put_away_and_one_in_use_is_not() {
        let path = std::env::temp_dir().join(format!("stepwell-link-{}", std::process::id()));
        let (first, stop) = bind(Listen::Unix(path.clone()), None).unwrap();
        assert!(bind(Listen::Unix(path.clone()), None).is_err(), "somebody listens there");
        drop((first, stop));
        assert!(!path.exists());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(bind(Listen::Unix(path.clone()), None).unwrap());
        std::fs::write(&path, "a file").unwrap();
        assert!(bind(Listen::Unix(path.clone()), None).is_err());
        assert!(path.exists(), "no socket, so not ours");
        std::fs::remove_file(&path).unwrap();
    }
}
