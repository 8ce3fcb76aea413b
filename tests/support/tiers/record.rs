//! What a stop showed, as a hash, and in words where asked for.

use std::fmt::Write as _;
use stepwell::debug::{Frame, Reason, Stop};
use stepwell::runtime::{AnyRef, AsStore, Val};

/// Outer frames that are read: all up to twice as many, else so many at either end.
const FRAMES_AT_EITHER_END: usize = 8;

/// A stop, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Seen {
    /// Everything.
    pub all: u64,
    /// Without what led to the stop: the place and the values.
    pub bare: u64,
}

/// A stop that is being looked at.
pub struct Observation {
    seen: Seen,
    text: Option<String>,
}

impl Observation {
    /// In words too, if `shown`.
    pub fn new(shown: bool) -> Observation {
        Observation { seen: Seen { all: 1, bare: 1 }, text: shown.then(String::new) }
    }

    pub fn finish(self) -> (Seen, Option<String>) {
        (self.seen, self.text)
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            text.push(' ');
            text.push_str(&what());
        }
    }

    /// Notes a number.
    pub fn put(&mut self, label: &str, word: u64) {
        self.seen.all = step(self.seen.all, word);
        self.seen.bare = step(self.seen.bare, word);
        self.say(|| format!("{label}={word}"));
    }

    /// Notes words.
    pub fn put_text(&mut self, label: &str, text: &str) {
        let hash = hash_bytes(text.as_bytes());
        self.seen.all = step(self.seen.all, hash);
        self.seen.bare = step(self.seen.bare, hash);
        self.say(|| format!("{label}: {text:?}"));
    }

    /// Notes a number that tells what led here.
    pub fn put_cause(&mut self, label: &str, word: u64) {
        self.seen.all = step(self.seen.all, word);
        self.say(|| format!("{label}={word}"));
    }

    /// Notes a value, by its bits.
    pub fn put_val(&mut self, store: impl AsStore, val: &Val) {
        let (tag, bits) = bits(store, val);
        for hash in [&mut self.seen.all, &mut self.seen.bare] {
            *hash = step(step(*hash, tag), bits);
        }
        let name = ["i32", "i64", "f32", "f64", "v128", "funcref", "externref", "exnref", "anyref"][tag as usize];
        self.say(|| format!("{name}:{bits:x}"));
    }

    fn put_vals(&mut self, store: impl AsStore, label: &str, vals: &[Val]) {
        self.put(label, vals.len() as u64);
        for val in vals {
            self.put_val(&store, val);
        }
    }

    pub fn put_reason(&mut self, reason: &Reason) {
        match reason {
            Reason::Step => self.put_cause("step", 1),
            Reason::Breakpoint(ids) => {
                for id in ids {
                    self.put_cause("breakpoint", u64::from(id.get()));
                }
            }
            Reason::Watchpoint(hits) => {
                for hit in hits {
                    self.put_cause("watchpoint", u64::from(hit.id.get()));
                    self.put("by", u64::from(hit.offset.get()));
                    self.put("end", u64::from(hit.is_end));
                    self.put("old", hash_bytes(&hit.old));
                    self.put("new", hash_bytes(&hit.new));
                }
            }
            Reason::Exception => self.put_cause("exception", 1),
            Reason::Pause => self.put_cause("pause", 1),
            Reason::Module(_) => self.put_cause("event", 1),
            Reason::Instance(_) => self.put_cause("event", 2),
            Reason::MemoryGrown(_) => self.put_cause("event", 3),
            Reason::HostCall(_) => self.put_cause("event", 4),
            Reason::HostReturn(_) => self.put_cause("event", 5),
            Reason::Trap(code) => {
                self.put("trap", *code as u64);
                self.say(|| format!("({code:?})"));
            }
        }
    }

    /// Notes where a frame stands.
    pub fn put_place(&mut self, frame: &Frame<'_>) {
        self.put("| func", u64::from(frame.func().get()));
        self.put("at", u64::from(frame.offset().get()));
        self.put("module", frame.module().binary().len() as u64);
    }

    /// Notes where a frame stands and all of its values.
    pub fn put_frame(&mut self, stop: &Stop<'_>, frame: &Frame<'_>) {
        self.put_place(frame);
        self.put_vals(stop, "locals", &frame.locals());
        self.put_vals(stop, "operands", &frame.operands());
    }

    /// Notes all frames but the innermost; `outermost_first` says in which order they are read.
    pub fn put_outer_frames(&mut self, stop: &Stop<'_>, outermost_first: bool) {
        let count = stop.frame_count();
        self.put("depth", count as u64);
        let mut wanted: Vec<usize> =
            (1..count).filter(|i| *i < FRAMES_AT_EITHER_END || i + FRAMES_AT_EITHER_END >= count).collect();
        if outermost_first {
            wanted.reverse();
        }
        for index in wanted {
            let frame = stop.frame(index).expect("a frame below the count");
            self.put("host", u64::from(frame.called_through_host()));
            self.put_frame(stop, &frame);
        }
    }

    /// Notes values of results or arguments.
    pub fn put_list(&mut self, store: impl AsStore, label: &str, vals: &[Val]) {
        self.put_vals(store, label, vals);
    }
}

/// A hash with one more number in it.
pub fn step(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25).rotate_left(9) ^ hash
}

/// A value's type and bits; a function by its index, a value of the host by its number.
fn bits(store: impl AsStore, val: &Val) -> (u64, u64) {
    match val {
        Val::I32(x) => (0, u64::from(*x as u32)),
        Val::I64(x) => (1, *x as u64),
        Val::F32(x) => (2, u64::from(*x)),
        Val::F64(x) => (3, *x),
        Val::V128(x) => {
            let half = |from: usize| u64::from_le_bytes(x[from..from + 8].try_into().unwrap());
            (4, step(half(0), half(8)))
        }
        Val::FuncRef(None) => (5, 0),
        Val::FuncRef(Some(func)) => {
            let index = func.module_function(store).unwrap().map(|(_, index)| u64::from(index.get()));
            (5, 1 + index.unwrap_or(u64::from(u32::MAX)))
        }
        Val::ExternRef(None) => (6, 0),
        Val::ExternRef(Some(value)) => match AnyRef::of_extern(*value) {
            host if host.as_host().is_some() => (6, 1 + u64::from(value.number())),
            object => (6, 1 + object_bits(store, object)),
        },
        // Where it is is no tier's promise.
        Val::ExnRef(value) => (7, u64::from(value.is_some())),
        Val::AnyRef(None) => (8, 0),
        Val::AnyRef(Some(value)) => (8, 1 + object_bits(store, *value)),
    }
}

/// What an object of a guest is: its type, and the numbers in it. Where it is is no tier's promise.
fn object_bits(store: impl AsStore, object: AnyRef) -> u64 {
    const MOST: u32 = 12;
    let store = store.as_store();
    if let Some(value) = object.as_i31() {
        return u64::from(value as u32);
    }
    if let Some(value) = object.as_host() {
        return 1 << 32 | u64::from(value.number());
    }
    let ty = object.object_type(store).unwrap().expect("an object");
    let len = object.len(store).unwrap();
    let mut hash = step(u64::from(ty.id().get()), u64::from(len));
    for index in (0..len).take(MOST as usize) {
        let word = match object.get(store, index).unwrap() {
            Val::AnyRef(value) => u64::from(value.is_some()),
            Val::ExternRef(value) => u64::from(value.is_some()),
            value => bits(store, &value).1,
        };
        hash = step(hash, word);
    }
    hash >> 1
}

/// Values for the outcome, floats by their bits.
pub fn show(store: impl AsStore, vals: &[Val]) -> String {
    let mut text = String::new();
    for val in vals {
        let (tag, bits) = bits(&store, val);
        let name = ["i32", "i64", "f32", "f64", "v128", "funcref", "externref", "exnref", "anyref"][tag as usize];
        let _ = write!(text, " {name}:{bits:x}");
    }
    text
}

/// A hash of many bytes.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| step(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| step(hash, u64::from(*byte)))
}
