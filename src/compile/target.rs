//! What machine code is compiled for, in words: for the manifest of serialized modules.

use super::Compiler;

impl Compiler {
    /// The target that code is made for.
    pub fn target(&self) -> String {
        self.isa.triple().to_string()
    }

    /// The features of the processor that code may use, sorted: those that were found on this machine.
    pub fn processor(&self) -> Vec<&'static str> {
        let flags = self.isa.isa_flags();
        let on = flags.iter().filter(|flag| flag.as_bool() == Some(true));
        let mut names: Vec<_> = on.map(|flag| flag.name.strip_prefix("has_").unwrap_or(flag.name)).collect();
        names.sort_unstable();
        names
    }
}
