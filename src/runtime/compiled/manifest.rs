//! What compiled code depends on besides the Wasm it is of, in words: the manifest of serialized modules. Two engines
//! with the same one can use each other's code; where they cannot, it says why. It is made from the whole of the
//! compiler's options, so that a new one need not be remembered here.

use crate::base::{Error, ErrorKind, Result};
use crate::compile::{Compiler, Processor};
use crate::runtime::compiled::config::Config;
use std::fmt::{Debug, Display};

const VERSION: &str = "stepwell";

const BUILD: &str = "build";

const TARGET: &str = "target";

const PROCESSOR: &str = "processor";

const FEATURES: &str = "proposals";

const DEBUG: &str = "debug";

const REFUEL: &str = "refuel";

/// Lines of a name and a value each; and the processor that code is to run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Manifest {
    lines: Vec<(String, String)>,
    machine: Processor,
}

/// What an engine can use of a serialized module that it does not refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Usable {
    /// The module may use only proposals that the engine has as well. If not, it is to be validated again.
    pub(in crate::runtime) validated: bool,
    /// Debug code in it is of the kind that the engine's debuggers want.
    pub(in crate::runtime) debug: bool,
    /// Its code asks for more where the fuel is used up that was laid out. It counts the same either way.
    pub(in crate::runtime) refuels: bool,
}

/// The fields of a value, by name, as its `Debug` tells them.
fn fields(value: &impl Debug) -> Vec<(String, String)> {
    let text = format!("{value:#?}");
    let fields = text.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Manifest {
    /// That of an engine on a machine with this processor.
    pub(in crate::runtime) fn new(config: &Config, compiler: &Compiler, machine: Processor) -> Manifest {
        let on = fields(&config.features).into_iter().filter(|(_, value)| value == "true");
        let features: Vec<String> = on.map(|(name, _)| name).collect();
        let debug = if config.debug { format!("{:?}", config.debug_tier) } else { String::new() };
        let mut lines = vec![
            (VERSION.into(), env!("CARGO_PKG_VERSION").into()),
            (BUILD.into(), env!("STEPWELL_BUILD").into()),
            (TARGET.into(), compiler.target()),
            (PROCESSOR.into(), compiler.processor().to_string()),
            (FEATURES.into(), features.join(" ")),
            (DEBUG.into(), debug),
        ];
        // Neither is anything to production code: debug code has a line of its own, and on how many threads something
        // was compiled cannot be seen.
        let decides = |(name, _): &(String, String)| name != "parallel" && name != "debug_tier";
        lines.extend(fields(compiler.options()).into_iter().filter(decides));
        Manifest { lines, machine }
    }

    /// As text, a line for each.
    pub(in crate::runtime) fn to_text(&self) -> String {
        self.lines.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    /// What an engine of this manifest can use of a module of that one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], naming what is different, where that is nothing.
    pub(in crate::runtime) fn accept(&self, text: &str) -> Result<Usable> {
        let mut usable = Usable { validated: true, debug: true, refuels: false };
        let mut theirs = text.lines().map(|line| line.split_once(": ").unwrap_or((line, "")));
        for (name, ours) in &self.lines {
            let theirs = match theirs.next() {
                Some((their_name, value)) if their_name == name => value,
                // Only another version has other lines; it was to be found by its first.
                _ => return Err(other_build()),
            };
            match name.as_str() {
                FEATURES => usable.validated = missing(theirs, ours).is_empty(),
                REFUEL => usable.refuels = theirs == "true",
                DEBUG => usable.debug = !ours.is_empty() && theirs == ours,
                PROCESSOR => {
                    // What it is to run on, whatever this engine itself compiles for.
                    let machine = self.machine.to_string();
                    let missing = missing(theirs, &machine);
                    if !missing.is_empty() {
                        let missing = missing.join(", ");
                        return Err(refused(format_args!(
                            "for a processor that has {missing}, which this one has not"
                        )));
                    }
                }
                _ if theirs == ours => {}
                VERSION => return Err(refused(format_args!("by version {theirs} of Stepwell, this is {ours}"))),
                BUILD => return Err(other_build()),
                TARGET => return Err(refused(format_args!("for {theirs}, this is {ours}"))),
                setting => {
                    let what = format_args!("with `{setting}` = {theirs}, this engine is configured with {ours}");
                    return Err(refused(what));
                }
            }
        }
        if theirs.next().is_some() { Err(other_build()) } else { Ok(usable) }
    }
}

/// The words that are among theirs, but not among ours.
fn missing<'a>(theirs: &'a str, ours: &str) -> Vec<&'a str> {
    theirs.split_whitespace().filter(|word| !ours.split_whitespace().any(|ours| ours == *word)).collect()
}

#[cold]
fn refused(what: impl Display) -> Error {
    let message = format!("the serialized module was compiled {what}; compile the module again");
    Error::new(ErrorKind::Unsupported, message)
}

#[cold]
fn other_build() -> Error {
    refused("by another build of this version of Stepwell")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::samples::OLD_FEATURE;
    use crate::wasm::Features;

    fn of(config: &Config) -> Manifest {
        let compiler = Compiler::new(config.compile_options()).unwrap();
        Manifest::new(config, &compiler, compiler.processor())
    }

    /// How an engine with this manifest takes one in which the value of a line is another.
    fn with(manifest: &Manifest, name: &str, value: &str) -> Result<Usable> {
        let mut other = manifest.clone();
        other.lines.iter_mut().find(|line| line.0 == name).unwrap().1 = value.to_owned();
        manifest.accept(&other.to_text())
    }

    #[test]
    fn every_option_but_two_has_a_line() {
        let config = Config { debug: true, ..Config::default() };
        let manifest = of(&config);
        let options = fields(&config.compile_options());
        assert!(options.len() >= 7, "{options:?}");
        for (name, _) in options {
            let has = manifest.lines.iter().any(|line| line.0 == name);
            assert_eq!(has, !["parallel", "debug_tier"].contains(&name.as_str()), "{name}");
        }
        assert_eq!(
            manifest.accept(&manifest.to_text()).unwrap(),
            Usable { validated: true, debug: true, refuels: false }
        );
    }

    #[test]
    fn what_differs_is_named() {
        let manifest = of(&Config { debug: true, ..Config::default() });
        for (name, _) in manifest.lines.clone() {
            let result = with(&manifest, &name, "something_else");
            match name.as_str() {
                FEATURES => assert!(!result.unwrap().validated),
                DEBUG => assert!(!result.unwrap().debug),
                REFUEL => assert!(!result.unwrap().refuels),
                BUILD => assert!(result.unwrap_err().message().contains("another build")),
                _ => {
                    let error = result.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Unsupported);
                    assert!(error.message().contains("something_else"), "{name}: {error}");
                    let setting = ![VERSION, TARGET, PROCESSOR].contains(&name.as_str());
                    assert!(!setting || error.message().contains(&format!("`{name}`")), "{name}: {error}");
                }
            }
        }
        let text = manifest.to_text();
        for wrong in [String::new(), text.clone() + "more: 1\n", text.lines().skip(1).collect()] {
            assert!(manifest.accept(&wrong).unwrap_err().message().contains("another build"));
        }
    }

    #[test]
    fn who_asks_for_more_fuel_and_who_traps_take_each_others_code() {
        let fueled = Config { fuel: true, ..Config::default() };
        let asks = of(&Config { debug: true, ..fueled.clone() });
        let traps = of(&fueled);
        assert!(asks.accept(&asks.to_text()).unwrap().refuels);
        assert!(!asks.accept(&traps.to_text()).unwrap().refuels);
        assert!(traps.accept(&asks.to_text()).unwrap().refuels);
        let timed = of(&Config { debug: true, epoch: true, ..fueled });
        assert!(!timed.accept(&timed.to_text()).unwrap().refuels, "the epoch has guests look");
    }

    #[test]
    fn less_than_there_is_will_do() {
        let manifest = of(&Config::default());
        assert!(with(&manifest, PROCESSOR, OLD_FEATURE).is_ok());
        assert!(with(&manifest, PROCESSOR, "").is_ok());
        assert!(with(&manifest, FEATURES, "").unwrap().validated);
        assert!(!with(&manifest, DEBUG, "Regions").unwrap().debug, "this engine has no debuggers");
        let old = of(&Config { features: Features::WASM_1, ..Config::default() });
        assert!(manifest.accept(&old.to_text()).unwrap().validated);
        assert!(!old.accept(&manifest.to_text()).unwrap().validated);
    }
}
