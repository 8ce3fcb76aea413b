//! The opt-in check of handles: a register of all that C was given, asked before a pointer that C passes is looked at.
//! What it finds is a fault of the host's that would be undefined behaviour, so it ends the process, with a message
//! that names function and parameter. It hangs in the few places through which all pointers pass (`own`, `vec`,
//! `guard`), so no function can forget it.
//!
//! Handles exist before any engine does, so the check is of the process: by the environment variable
//! `STEPWELL_CHECK_HANDLES`, by `stepwell_config_check_handles_set`, or always, in the build with AddressSanitizer.
//! While it is off, a pointer costs a load and a branch.
//!
//! What C gives back stays allocated for a while, so that its address is nobody else's and the second use is known for
//! one.

use super::abort::abort;
use super::own::Handle;
use crate::sys::environment;
use std::alloc::Layout;
use std::any::type_name;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// The environment variable that turns the check on: anything but nothing and `0`.
const VARIABLE: &str = "STEPWELL_CHECK_HANDLES";

/// How much that was given back is kept at most: so many objects, and so many bytes of them.
const KEPT: usize = 1 << 16;

const KEPT_BYTES: usize = 32 << 20;

/// Nobody has asked for the variable yet.
const UNKNOWN: u8 = 0;

/// Off, and nothing was made yet; one thing was, which can only be the configuration that turns the check on; more
/// were.
const OFF: u8 = 1;

const OFF_ONE_MADE: u8 = 2;

const OFF_MANY_MADE: u8 = 3;

const ON: u8 = 4;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether all there is is known, so that a pointer that is not known is none of ours.
static COMPLETE: AtomicBool = AtomicBool::new(false);

/// Whether pointers are checked.
#[inline]
pub(in crate::capi) fn on() -> bool {
    match STATE.load(Ordering::Relaxed) {
        UNKNOWN => ask(),
        state => state == ON,
    }
}

/// Asks for the environment variable.
#[cold]
fn ask() -> bool {
    let wanted = cfg!(stepwell_check_handles) || environment::asks_for(VARIABLE);
    if wanted {
        COMPLETE.store(true, Ordering::Relaxed);
    }
    let state = if wanted { ON } else { OFF };
    // Whoever was first has said it.
    let _ = STATE.compare_exchange(UNKNOWN, state, Ordering::Relaxed, Ordering::Relaxed);
    STATE.load(Ordering::Relaxed) == ON
}

/// Remembers that there is something that the register does not know.
#[inline]
fn unseen() {
    let state = STATE.load(Ordering::Relaxed);
    if (OFF..OFF_MANY_MADE).contains(&state) {
        let _ = STATE.compare_exchange(state, state + 1, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Turns the check on for good. `config` is there already.
pub(in crate::capi) fn turn_on<T: Handle>(config: &T::Rust) {
    if on() {
        return;
    }
    if STATE.load(Ordering::Relaxed) <= OFF_ONE_MADE {
        COMPLETE.store(true, Ordering::Relaxed);
    }
    STATE.store(ON, Ordering::Relaxed);
    insert::<T>(std::ptr::from_ref(config).addr(), State::Live);
}

/// What has become of something.
enum State {
    /// C owns it, or the vector does that C owns.
    Live,
    /// C may look at it; its owner is another object.
    Lent,
    /// It is gone: how, and by which function.
    Gone(&'static str, String),
}

struct Entry {
    /// C's name of its type.
    noun: &'static str,
    state: State,
}

/// An address, and the Rust type behind it: an object and its first field have one address.
type Key = (usize, &'static str);

/// The type that the memory of vectors stands under.
const VECTOR: &str = "a vector's elements";

const SHARDS: usize = 64;

static REGISTER: [LazyLock<Mutex<HashMap<Key, Entry>>>; SHARDS] = [const { LazyLock::new(Default::default) }; SHARDS];

/// What was given back and is still allocated.
#[derive(Default)]
struct Kept {
    blocks: VecDeque<(Key, Block)>,
    bytes: usize,
}

/// Memory that is to be freed.
enum Block {
    Rust(Layout),
    C(unsafe fn(usize)),
}

static KEPT_BLOCKS: LazyLock<Mutex<Kept>> = LazyLock::new(Default::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shard(address: usize) -> MutexGuard<'static, HashMap<Key, Entry>> {
    lock(&REGISTER[(address >> 4) % SHARDS])
}

/// C's name of a type.
fn noun<T>() -> &'static str {
    type_name::<T>().rsplit("::").next().unwrap_or("a handle")
}

fn insert<T: Handle>(address: usize, state: State) {
    shard(address).insert((address, type_name::<T::Rust>()), Entry { noun: noun::<T>(), state });
}

thread_local! {
    /// The function that C has called, while pointers are checked.
    static FUNCTION: Cell<Option<*const str>> = const { Cell::new(None) };
}

/// The function that C has called, until this is dropped.
pub(in crate::capi) struct Called(Option<*const str>);

impl Called {
    /// C called `function`.
    pub(in crate::capi) fn new(function: &str) -> Option<Called> {
        if !on() {
            return None;
        }
        Some(Called(FUNCTION.replace(Some(std::ptr::from_ref(function)))))
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        FUNCTION.set(self.0);
    }
}

fn function() -> String {
    match FUNCTION.get() {
        // SAFETY: it was borrowed for as long as the `Called` is there that put it there.
        Some(name) => unsafe { &*name }.to_owned(),
        None => "a function of Stepwell".to_owned(),
    }
}

#[cold]
pub(in crate::capi) fn misused(param: &str, what: impl std::fmt::Display) -> ! {
    abort(&format!("`{}`: `{param}` {what}", function()))
}

/// Says what is wrong with a pointer that is no live one of its kind.
#[cold]
fn refuse(address: usize, wanted: &str, found: Option<&Entry>, others: &[&'static str], param: &str) -> ! {
    match found {
        Some(Entry { state: State::Gone(how, by), .. }) => misused(param, format_args!("was {how} before, by `{by}`")),
        _ if !others.is_empty() => {
            misused(param, format_args!("is a handle of another kind: `{}`, not `{wanted}`", others.join("` or `")))
        }
        _ => misused(
            param,
            format_args!("is no handle that Stepwell gave out ({address:#x}): other memory, or freed long ago"),
        ),
    }
}

/// Checks a pointer that C passes. A live one may be of any C type with the same Rust type; those are told apart
/// elsewhere.
fn look<T: Handle>(address: usize, lent_too: bool, param: &str) {
    let rust = type_name::<T::Rust>();
    let shard = shard(address);
    let found = shard.get(&(address, rust));
    match found {
        Some(Entry { state: State::Live, .. }) => return,
        Some(Entry { state: State::Lent, noun }) if !lent_too => {
            misused(param, format_args!("is borrowed: a `{noun}` that belongs to another object"))
        }
        Some(Entry { state: State::Lent, .. }) => return,
        _ => {}
    }
    let others: Vec<_> = shard
        .iter()
        .filter(|((at, ty), entry)| *at == address && *ty != rust && !matches!(entry.state, State::Gone(..)))
        .map(|(_, entry)| entry.noun)
        .collect();
    if found.is_some() || !others.is_empty() || COMPLETE.load(Ordering::Relaxed) {
        refuse(address, noun::<T>(), found, &others, param);
    }
}

/// C was given an object of its own.
#[inline]
pub(in crate::capi) fn made<T: Handle>(object: *const T::Rust) {
    if on() {
        insert::<T>(object.addr(), State::Live);
    } else {
        unseen();
    }
}

/// C was shown an object that belongs to another.
#[inline]
pub(in crate::capi) fn lent<T: Handle>(object: *const T::Rust) {
    if on() {
        insert::<T>(object.addr(), State::Lent);
    }
}

/// C passes a pointer to be looked at.
#[inline]
pub(in crate::capi) fn passed<T: Handle>(pointer: *const T, param: &str) {
    if on() && !pointer.is_null() {
        look::<T>(pointer.addr(), true, param);
    }
}

/// C passes a pointer that may be to memory of its own, but not to an object of ours that it has given back.
#[inline]
pub(in crate::capi) fn not_gone<T: Handle>(pointer: *const T, param: &str) {
    if on() && !pointer.is_null() {
        look_for_gone::<T>(pointer.addr(), param);
    }
}

#[cold]
fn look_for_gone<T: Handle>(address: usize, param: &str) {
    let shard = shard(address);
    let found = shard.get(&(address, type_name::<T::Rust>()));
    if let Some(Entry { state: State::Gone(..), .. }) = found {
        refuse(address, noun::<T>(), found, &[], param);
    }
}

/// C gives an object back: `how` says what becomes of it. Its memory is kept.
///
/// # Safety
/// Where this returns, the pointer was a live object of ours, and nobody uses it again.
#[cold]
pub(in crate::capi) unsafe fn given<T: Handle>(pointer: *mut T, param: &str, how: &'static str) -> Box<T::Rust> {
    let address = pointer.addr();
    look::<T>(address, false, param);
    insert::<T>(address, State::Gone(how, function()));
    // SAFETY: by the contract it is a live object, and what stays behind is not looked at again.
    let object = Box::new(unsafe { pointer.cast::<T::Rust>().read() });
    let layout = Layout::new::<T::Rust>();
    keep((address, type_name::<T::Rust>()), Block::Rust(layout), layout.size());
    object
}

/// Keeps memory, and frees what has been kept longest.
fn keep(key: Key, block: Block, bytes: usize) {
    let mut kept = lock(&KEPT_BLOCKS);
    kept.blocks.push_back((key, block));
    kept.bytes += bytes;
    while kept.blocks.len() > KEPT || kept.bytes > KEPT_BYTES {
        let Some((key, block)) = kept.blocks.pop_front() else { break };
        shard(key.0).remove(&key);
        match block {
            Block::Rust(layout) => {
                kept.bytes -= layout.size();
                if layout.size() > 0 {
                    // SAFETY: it was a box of this layout, and its contents were moved out.
                    unsafe { std::alloc::dealloc(std::ptr::with_exposed_provenance_mut(key.0), layout) };
                }
            }
            Block::C(free) => {
                kept.bytes -= VECTOR_BYTES;
                // SAFETY: it is the memory of a vector, and no longer used.
                unsafe { free(key.0) };
            }
        }
    }
}

/// What the memory of a vector counts for: how much it is nobody says.
const VECTOR_BYTES: usize = 256;

/// The memory of a vector was allocated.
#[inline]
pub(in crate::capi) fn vector_made(data: *const u8) {
    if on() && !data.is_null() {
        let entry = Entry { noun: VECTOR, state: State::Live };
        shard(data.addr()).insert((data.addr(), VECTOR), entry);
    } else if !data.is_null() {
        unseen();
    }
}

/// A vector is read, which C may have deleted. (One that was given away may have been lent back.)
#[inline]
pub(in crate::capi) fn vector_passed(data: *const u8) {
    if on() && !data.is_null() {
        look_for_deleted(data.addr());
    }
}

#[cold]
fn look_for_deleted(address: usize) {
    if let Some(Entry { state: State::Gone("deleted", by), .. }) = shard(address).get(&(address, VECTOR)) {
        misused("a vector", format_args!("was deleted before, by `{by}`"));
    }
}

/// C gives a vector, or deletes it: `how` says which.
#[inline]
pub(in crate::capi) fn vector_given(data: *const u8, param: &str, how: &'static str) {
    if on() && !data.is_null() {
        look_at_vector(data.addr(), param, how);
    }
}

#[cold]
fn look_at_vector(address: usize, param: &str, how: &'static str) {
    let mut shard = shard(address);
    match shard.get_mut(&(address, VECTOR)) {
        Some(entry) => match &entry.state {
            State::Gone(how, by) => misused(param, format_args!("is a vector that was {how} before, by `{by}`")),
            _ => entry.state = State::Gone(how, function()),
        },
        None if COMPLETE.load(Ordering::Relaxed) => misused(
            param,
            format_args!(
                "is a vector whose elements ({address:#x}) are not of Stepwell's: other memory, or freed long ago"
            ),
        ),
        None => {}
    }
}

/// Frees the memory of a vector, or keeps it for a while.
///
/// # Safety
/// It is of a vector that is not used again, and `free` frees it.
#[inline]
pub(in crate::capi) unsafe fn vector_free(data: *mut u8, free: unsafe fn(usize)) {
    if data.is_null() {
        return;
    }
    if on() {
        let key = (data.addr(), VECTOR);
        // A vector of our own was not given by anybody.
        shard(key.0).entry(key).and_modify(|entry| {
            if !matches!(entry.state, State::Gone(..)) {
                entry.state = State::Gone("deleted", function());
            }
        });
        data.expose_provenance();
        keep(key, Block::C(free), VECTOR_BYTES);
    } else {
        // SAFETY: passed on.
        unsafe { free(data.expose_provenance()) };
    }
}
