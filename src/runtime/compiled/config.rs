//! What an engine is made with.

use crate::base::{Error, ErrorKind, Result};
use crate::compile::{DebugTier, Options, Processor};
use crate::runtime::compiled::cache::Cache;
use crate::runtime::compiled::log::Logger;
use crate::sys::profile::Profiler;
use crate::wasm::{Features, MemoryType};

/// The configuration of an [`Engine`](crate::runtime::Engine). Every field may be set; [`Config::default`] is what most
/// hosts want.
///
/// Messages name a field as it is called here, and so do C and Python: `stepwell_config_FIELD_set`,
/// `Config(FIELD=...)`. A test beside those functions holds the names against each other.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which proposals modules may use.
    pub features: Features,
    /// Stores may have a debugger attached. It costs a store without one nothing.
    pub debug: bool,
    /// Modules have their debug code compiled with them, not when a debugger first needs it. Without `debug` it means
    /// nothing.
    pub debug_eagerly: bool,
    /// What debug code is like: how much it costs, not what can be seen. [`DebugTier::Regions`] by default.
    pub debug_tier: DebugTier,
    /// Bytes of rerun code that the engine keeps, of the functions that debuggers asked for last. What is let go is
    /// compiled again for the next debugger that asks; those that hold it use it on.
    pub rerun_cache: usize,
    /// Traps are found by signals (SIGSEGV, SIGILL, SIGFPE, SIGBUS), which makes guests faster. Without, compiled code
    /// checks by itself and no signal handler is installed.
    pub signals: bool,
    /// Bytes of address space reserved for each memory. With 4 GiB and `signals`, most bounds checks vanish; with less,
    /// a memory that grows beyond it is moved.
    pub memory_reservation: u64,
    /// Inaccessible bytes behind the reservation: what static offsets may reach without a check.
    pub memory_guard: u64,
    /// A module's data becomes an image in a file in memory, once, and memories map it: an instance has pages of its
    /// own for what it writes alone. Without, or where the system has no such files, each instance copies the data.
    pub memory_images: bool,
    /// The most memories of instances that are gone whose address space the engine keeps for the next, with their data
    /// as it was at first: see [`Engine::trim`](crate::runtime::Engine::trim). Each is two of the mappings of which a
    /// process has some 65,000.
    pub kept_memories: usize,
    /// The most stacks of calls that are done ([`Call`](crate::runtime::Call)) that the engine keeps for the next, with
    /// the memory that they have come to use.
    pub kept_stacks: usize,
    /// Bytes of stack that the guests of a store may use, counted from the outermost call.
    pub max_stack: usize,
    /// Bytes of stack kept free below the guests' limit, for host functions, traps and stop callbacks, and for what is
    /// compiled when a guest is stopped.
    pub stop_reserve: usize,
    /// Makes every NaN that arithmetic yields the same one, in both tiers.
    pub nan_canonicalization: bool,
    /// Relaxed vector instructions do what the specification's deterministic profile says, the same on all machines.
    /// Else they do what costs this one least. Off by default.
    pub relaxed_simd_deterministic: bool,
    /// Guests count the instructions that they run, and trap when they have run as many as
    /// [`Store::set_fuel`](crate::runtime::Store::set_fuel) let them.
    pub fuel: bool,
    /// Where a slice of fuel that a [`Call`](crate::runtime::Call) was given is used up, it waits. With `fuel`.
    pub fuel_slices: bool,
    /// Guests look at the engine's epoch, and trap when it has come to their store's deadline, or when another thread
    /// interrupts them.
    pub epoch: bool,
    /// Optimises for speed; else compiles as fast as possible.
    pub optimize: bool,
    /// Validates and compiles the functions of large modules on several threads. They are made when they are first
    /// needed; a forked child makes its own.
    pub parallel: bool,
    /// The processor that code is compiled for, where that is not this machine's. Where this machine lacks something of
    /// it, the engine's modules can be made and serialized, but neither instantiated nor loaded here.
    pub processor: Option<Processor>,
    /// A folder where compiled modules are kept: whoever makes a module of the same bytes, in this process or another,
    /// by an engine of the same configuration and version, does not compile it again. None by default.
    pub cache: Option<Cache>,
    /// Keeps machine code in anonymous memory, copied for each debugged store, as is done anyway on systems that
    /// refuse `memfd`s.
    pub copied_code: bool,
    /// Makes the rerun code of every function for so many instructions at a time. Usually only that of large functions
    /// is made in runs, of a length that is chosen well; short ones are for tests.
    pub force_rerun_runs: Option<u32>,
    /// For tests: functions get code of their own for breakpoints inside regions after so many turns that have come to
    /// none of them, not after thousands.
    #[doc(hidden)]
    pub force_split_after: Option<u32>,
    /// For tests: so much fuel is laid out for guests at a time where they ask for more, whether or not anybody may
    /// want to attach a debugger meanwhile.
    #[doc(hidden)]
    pub force_fuel_part: Option<u32>,
    /// For tests: this machine's processor is taken for one that has no more than this.
    #[doc(hidden)]
    pub force_machine: Option<Processor>,
    /// Collects what guests have made before each object that they make, which takes long: for tests.
    pub force_collections: bool,
    /// Which profilers are told where machine code is, of both tiers. None by default.
    pub profiler: Profiler,
    /// Debuggers of the process (gdb, lldb) are told where machine code is, of both tiers, and how to unwind its
    /// frames: a host's backtrace goes through guests, by the names of their functions. Off by default.
    pub native_debug_info: bool,
    /// Where the engine's messages go. Nowhere by default.
    pub log: Option<Logger>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            features: Features::default(),
            debug: false,
            debug_eagerly: false,
            debug_tier: DebugTier::default(),
            rerun_cache: 64 << 20,
            signals: true,
            memory_reservation: 4 << 30,
            memory_guard: 32 << 20,
            memory_images: true,
            kept_memories: 1000,
            kept_stacks: 128,
            max_stack: 512 << 10,
            stop_reserve: 256 << 10,
            nan_canonicalization: false,
            relaxed_simd_deterministic: false,
            fuel: false,
            fuel_slices: false,
            epoch: false,
            optimize: true,
            parallel: true,
            processor: None,
            cache: None,
            copied_code: false,
            force_rerun_runs: None,
            force_split_after: None,
            force_fuel_part: None,
            force_machine: None,
            force_collections: false,
            profiler: Profiler::None,
            native_debug_info: false,
            log: None,
        }
    }
}

/// Bytes of stack, at least, that are kept below the address under which no guest is entered: for a trampoline with the
/// most parameters and results, and for what leaves a guest that traps at once.
pub(in crate::runtime) const LEAST_BELOW_FLOOR: usize = 40 << 10;

/// Bytes, at least, that are kept below the guests' limit.
pub(in crate::runtime) const LEAST_RESERVE: usize = LEAST_BELOW_FLOOR + (8 << 10);

/// The least stack guests and callbacks are given.
const MIN_STACK: usize = 16 << 10;

/// The most address space one memory may reserve.
const MAX_RESERVATION: u64 = 1 << 40;

impl Config {
    /// Refuses what cannot work.
    pub(in crate::runtime) fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(ErrorKind::Argument, format!("in the configuration, {what}")));
        if self.max_stack < MIN_STACK {
            return refuse("`max_stack` must be at least 16 KiB");
        }
        if self.stop_reserve < MIN_STACK {
            return refuse("`stop_reserve` must be at least 16 KiB");
        }
        if self.memory_reservation > MAX_RESERVATION || self.memory_guard > MAX_RESERVATION {
            return refuse("`memory_reservation` and `memory_guard` must be at most 1 TiB");
        }
        Ok(())
    }

    pub(in crate::runtime) fn compile_options(&self) -> Options {
        Options {
            signals: self.signals,
            memory_reservation: self.memory_reservation,
            memory_guard: self.memory_guard,
            nan_canonicalization: self.nan_canonicalization,
            relaxed_simd_deterministic: self.relaxed_simd_deterministic,
            fuel: self.fuel,
            refuel: self.refuels(),
            epoch: self.epoch,
            optimize: self.optimize,
            parallel: self.parallel,
            debug_tier: self.debug_tier,
        }
    }

    /// Whether guests ask for more where the fuel is used up that was laid out for them: for slices, or since nothing
    /// else has them hear those who ask for a debugger.
    #[inline]
    pub(in crate::runtime) fn refuels(&self) -> bool {
        self.fuel && (self.fuel_slices || self.debug && !self.epoch)
    }

    /// Bytes of stack kept below the guests' limit, at least.
    #[inline]
    pub(in crate::runtime) fn stack_reserve(&self) -> usize {
        self.stop_reserve.max(LEAST_RESERVE)
    }

    /// How many bytes of address space a memory has that never moves, its guard included.
    pub(in crate::runtime) fn memory_space(&self) -> usize {
        (self.memory_reservation + self.memory_guard) as usize
    }

    /// Whether memories of this type never move: code has their base at hand.
    pub(in crate::runtime) fn is_fixed_memory(&self, ty: &MemoryType) -> bool {
        self.compile_options().is_fixed(ty)
    }

    /// Whether memories of this type have the whole reservation.
    pub(in crate::runtime) fn is_reserved_memory(&self, ty: &MemoryType) -> bool {
        self.compile_options().is_reserved(ty)
    }

    /// Whether memories with addresses of 32 bits never move.
    pub(in crate::runtime) fn fixed_memories(&self) -> bool {
        self.signals && self.memory_reservation >= 4 << 30
    }
}
