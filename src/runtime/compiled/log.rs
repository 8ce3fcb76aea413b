//! What an engine tells its host beside results and errors: what it has fallen back to, and what takes time. Each
//! engine has a callback of its own, or none.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

/// How much a message matters; the smaller, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum LogLevel {
    /// Something is not as the configuration asks for; it works all the same.
    Warn = 1,
    /// A module was compiled, or its debug code, or one that was compiled before was found in the cache.
    Info = 2,
    /// Code that is kept for later was let go.
    Debug = 3,
}

type Callback = dyn Fn(LogLevel, &str) + Send + Sync;

/// Where messages go: up to a level, to a callback. It is called by any thread, also by several at once, and may not
/// use the engine.
#[derive(Clone)]
pub struct Logger {
    level: LogLevel,
    callback: Arc<Callback>,
}

impl Logger {
    /// Messages of this level and those that matter more go to `callback`.
    pub fn new(level: LogLevel, callback: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Logger {
        Logger { level, callback: Arc::new(callback) }
    }

    /// Tells it, if it wants to know.
    pub(in crate::runtime) fn tell(&self, level: LogLevel, message: impl FnOnce() -> String) {
        if level <= self.level {
            (self.callback)(level, &message());
        }
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger").field("level", &self.level).finish_non_exhaustive()
    }
}

/// What an engine does in another way than its configuration asks for, since the system refuses: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fallbacks(u32);

impl Fallbacks {
    /// There is no `memfd` for machine code: each debugged store copies it.
    pub const COPIED_CODE: Fallbacks = Fallbacks(1);
    /// Address space cannot be reserved for memories as the configuration says, or is limited (`RLIMIT_AS`) to that of
    /// a few: memories move as they grow, and accesses are checked by instructions.
    pub const NO_RESERVATION: Fallbacks = Fallbacks(2);
    /// No threads can be made: modules are compiled on the thread that asks.
    pub const NO_THREADS: Fallbacks = Fallbacks(4);

    /// No signal handlers can be installed: compiled code checks for traps by itself, as without
    /// [`Config::signals`](crate::runtime::Config::signals).
    pub const NO_SIGNALS: Fallbacks = Fallbacks(8);

    /// Machine code cannot be executed where it was written: pages with breakpoints are written elsewhere and take the
    /// place of the others, which takes somewhat longer.
    pub const REPLACED_CODE: Fallbacks = Fallbacks(16);

    /// There is no `memfd` for a module's data: each instance copies it, as without
    /// [`Config::memory_images`](crate::runtime::Config::memory_images).
    pub const COPIED_DATA: Fallbacks = Fallbacks(32);

    /// The folder of [`Config::cache`](crate::runtime::Config::cache) cannot be read or written, or others may write to
    /// it: compiled modules are not kept there, or not all of them.
    pub const NO_CACHE: Fallbacks = Fallbacks(64);

    /// From the bits.
    pub(in crate::runtime) fn from_bits(bits: u32) -> Fallbacks {
        Fallbacks(bits)
    }

    /// As bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are among them.
    pub fn contains(self, other: Fallbacks) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Config, Engine, Instance, Module, Store};
    use crate::sys::faults;
    use std::sync::Mutex;

    type Said = Arc<Mutex<Vec<(LogLevel, String)>>>;

    fn logger(level: LogLevel) -> (Option<Logger>, Said) {
        let said = Said::default();
        let to = said.clone();
        (Some(Logger::new(level, move |level, message| to.lock().unwrap().push((level, message.to_owned())))), said)
    }

    fn runs(engine: &Engine) {
        let text =
            r#"(module $named (memory 1) (func (export "f") (result i32) (i32.load (memory.grow (i32.const 1)))))"#;
        let module = Module::new(engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(engine);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let f = instance.typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 0);
    }

    #[test]
    fn what_the_system_refuses_is_told_and_works() {
        let (log, said) = logger(LogLevel::Warn);
        let engine = Engine::new(Config { log: log.clone(), ..Config::default() }).unwrap();
        assert_eq!(engine.fallbacks(), Fallbacks::default());
        runs(&engine);
        assert!(said.lock().unwrap().is_empty(), "compiling is no warning");
        {
            let _refused = faults::refuse_memfd();
            let engine = Engine::new(Config { log: log.clone(), ..Config::default() }).unwrap();
            assert_eq!(engine.fallbacks(), Fallbacks::COPIED_CODE);
            runs(&engine);
        }
        let engine = {
            let _refused = faults::fail_nth(1);
            Engine::new(Config { log, copied_code: true, ..Config::default() }).unwrap()
        };
        assert_eq!(engine.fallbacks(), Fallbacks::NO_RESERVATION);
        runs(&engine);
        let (log, more) = logger(LogLevel::Warn);
        let engine = {
            let _refused = faults::refuse_signals();
            Engine::new(Config { log, ..Config::default() }).unwrap()
        };
        assert_eq!(engine.fallbacks(), Fallbacks::NO_SIGNALS);
        assert!(!engine.config().signals);
        runs(&engine);
        let (said, more) = (said.lock().unwrap(), more.lock().unwrap());
        assert_eq!((said.len(), more.len()), (2, 1), "{said:?} {more:?}");
        assert!(said[0].1.contains("memfd") && said[1].1.contains("address space"), "{said:?}");
        assert!(more[0].1.contains("signal handlers"), "{more:?}");
    }

    #[test]
    fn compiling_is_told() {
        let (log, said) = logger(LogLevel::Debug);
        let engine = Engine::new(Config { debug: true, debug_eagerly: true, log, ..Config::default() }).unwrap();
        runs(&engine);
        let said = said.lock().unwrap();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said.iter().all(|(level, text)| *level == LogLevel::Info && text.contains("named")), "{said:?}");
        assert!(said[1].1.contains("debug code"), "{said:?}");
    }
}
