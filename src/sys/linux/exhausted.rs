//! Why there is no memory: the system has one word (`ENOMEM`) for mappings, address space and memory that have run
//! out, and what to do differs. This looks, after the fact, and says.

use super::errors::{last_error, set_last_error};
use super::memory::address_space_limit;
use crate::base::{Error, ErrorKind};
use std::fs::File;
use std::io::Read as _;

/// Within so many of the limit, it is what refused: a call may need some mappings at once, and the kernel stops short
/// of it in places.
const NEAR: u64 = 16;

/// The error for a call about `len` bytes that has just failed; if it was for lack of memory, with the reason. The
/// system's last error stays.
#[cold]
pub(super) fn call_failed(call: &str, len: usize) -> Error {
    let code = last_error();
    let error = Error::last_os_error(call);
    if code != libc::ENOMEM {
        return error;
    }
    let why = why(len as u64);
    set_last_error(code);
    match why {
        Some(why) => Error::new(ErrorKind::System, format!("{}: {why}", error.message())),
        None => error,
    }
}

/// Why there may be none, where that can be seen.
fn why(len: u64) -> Option<String> {
    let mappings = Mappings::of_this_process()?;
    if let Some(most) = read_number("/proc/sys/vm/max_map_count")
        && mappings.count + NEAR >= most
    {
        return Some(format!(
            "the process has {} mappings of memory, and the system allows {most} (vm.max_map_count). Raise that with \
             `sysctl -w vm.max_map_count={}`, or keep fewer memories and stores at a time",
            mappings.count,
            most.saturating_mul(4)
        ));
    }
    let do_what = "Give an engine a smaller `memory_reservation`, or keep fewer memories at a time";
    if let Some(most) = address_space_limit()
        && mappings.bytes.saturating_add(len) > most
    {
        return Some(format!(
            "the process uses {} bytes of address space, {len} more are needed, and its limit is {most} (RLIMIT_AS, \
             `ulimit -v`). {do_what}",
            mappings.bytes
        ));
    }
    if mappings.largest_gap < len {
        return Some(format!(
            "the process uses {} bytes of address space, and {len} more in a row are nowhere free. {do_what}",
            mappings.bytes
        ));
    }
    None
}

/// What the process has mapped.
#[derive(Debug, Default)]
struct Mappings {
    count: u64,
    bytes: u64,
    /// Between them.
    largest_gap: u64,
}

impl Mappings {
    /// Reads them without keeping them: there may be many, and little memory.
    fn of_this_process() -> Option<Mappings> {
        let mut file = File::open("/proc/thread-self/maps").or_else(|_| File::open("/proc/self/maps")).ok()?;
        let mut found = Mappings::default();
        let (mut start, mut number, mut field) = (0_u64, 0_u64, Field::Start);
        let mut end_before = 0_u64;
        let mut bytes = [0; 4096];
        loop {
            let read = match file.read(&mut bytes) {
                Ok(0) => return Some(found),
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => return None,
            };
            for byte in &bytes[..read] {
                match (field, byte) {
                    (_, b'\n') => (field, number) = (Field::Start, 0),
                    (Field::Rest, _) => {}
                    (Field::Start, b'-') => (start, number, field) = (number, 0, Field::End),
                    (Field::End, b' ') => {
                        field = Field::Rest;
                        // A page of the kernel's own may be listed, in the upper half.
                        if start >> 63 == 0 {
                            found.count += 1;
                            found.bytes += number.saturating_sub(start);
                            found.largest_gap = found.largest_gap.max(start.saturating_sub(end_before));
                            end_before = number;
                        }
                    }
                    _ => number = number << 4 | u64::from(char::from(*byte).to_digit(16)?),
                }
            }
        }
    }
}

/// Where in a line.
#[derive(Clone, Copy)]
enum Field {
    Start,
    End,
    Rest,
}

fn read_number(path: &str) -> Option<u64> {
    let mut text = [0; 32];
    let read = File::open(path).ok()?.read(&mut text).ok()?;
    std::str::from_utf8(&text[..read]).ok()?.trim().parse().ok()
}
