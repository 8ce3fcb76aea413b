//! Making engines. It stands here, above the stores, because an engine installs what tells a guest's fault from others,
//! and that looks into the store that a guest is of.

use crate::base::Result;
use crate::runtime::compiled::config::Config;
use crate::runtime::compiled::engine::Engine;
use crate::runtime::control::trap;

impl Engine {
    /// An engine with this configuration. With `signals`, signal handlers are installed for the process, once, in front
    /// of those that are there.
    ///
    /// # Errors
    /// When the configuration contradicts itself, the machine is too old, or a profiler's file cannot be made.
    pub fn new(config: Config) -> Result<Engine> {
        Engine::with(config, trap::classify)
    }
}
