//! What machine code is compiled for: a processor, of this machine or another, in words.

use super::Compiler;
use crate::base::{Error, ErrorKind, Escaped, Result};
use crate::isa::{LEVELS, NEEDED_FEATURES, feature_name};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::Configurable;
use std::fmt;

/// What a processor has beside what every one has: the features that code may use. A processor of the machine's kind,
/// with at least what compiled code needs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Processor(Vec<String>);

impl Processor {
    /// The processor that has these: words with spaces or commas between them, each one of the machine's [`LEVELS`] or
    /// a feature. Without any word, one that has the least.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a word that is neither, naming it.
    pub fn parse(words: &str) -> Result<Processor> {
        let mut features: Vec<String> = NEEDED_FEATURES.iter().map(|name| (*name).to_owned()).collect();
        for word in words.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            if let Some((_, has)) = LEVELS.iter().find(|(level, _)| word.eq_ignore_ascii_case(level)) {
                features.extend(has.iter().map(|name| (*name).to_owned()));
                continue;
            }
            let name = feature_name(word);
            if !is_feature(&name)? {
                let levels: Vec<&str> = LEVELS.iter().map(|(level, _)| *level).collect();
                let message = format!(
                    "`{}` is no feature of a processor that compiled code could use, nor one of the levels {}",
                    Escaped(word),
                    levels.join(", ")
                );
                return Err(Error::new(ErrorKind::Argument, message));
            }
            features.push(name);
        }
        features.sort_unstable();
        features.dedup();
        Ok(Processor(features))
    }

    /// This machine's.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the code generator knows no such machine.
    pub fn of_this_machine() -> Result<Processor> {
        let isa = cranelift_native::builder().map_err(|error| Error::new(ErrorKind::Unsupported, error))?;
        let flags = cranelift_codegen::settings::Flags::new(cranelift_codegen::settings::builder());
        let isa = isa.finish(flags).map_err(|error| Error::new(ErrorKind::Unsupported, error.to_string()))?;
        Ok(Processor::of(isa.as_ref()))
    }

    /// What code of a target may use.
    fn of(isa: &dyn TargetIsa) -> Processor {
        let flags = isa.isa_flags();
        let on = flags.iter().filter(|flag| flag.as_bool() == Some(true));
        let mut names: Vec<_> = on.map(|flag| flag.name.strip_prefix("has_").unwrap_or(flag.name).to_owned()).collect();
        names.sort_unstable();
        Processor(names)
    }

    /// What it has, sorted.
    pub fn features(&self) -> &[String] {
        &self.0
    }

    /// What it has that the other has not.
    pub fn beyond<'a>(&'a self, other: &Processor) -> Vec<&'a str> {
        self.0.iter().filter(|name| !other.0.contains(name)).map(String::as_str).collect()
    }
}

impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Processor({self})")
    }
}

/// What the code generator calls the switch of a feature.
pub(super) fn switch(feature: &str) -> String {
    format!("has_{feature}")
}

/// Whether the code generator has a switch of that name.
fn is_feature(name: &str) -> Result<bool> {
    let mut isa =
        cranelift_native::builder_with_options(false).map_err(|error| Error::new(ErrorKind::Unsupported, error))?;
    Ok(isa.enable(&switch(name)).is_ok())
}

impl Compiler {
    /// The target that code is made for.
    pub fn target(&self) -> String {
        self.isa.triple().to_string()
    }

    /// The processor that code is made for: this machine's, unless another was asked for.
    pub fn processor(&self) -> Processor {
        Processor::of(self.isa.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_levels_and_features() {
        let of = |words: &str| Processor::parse(words).unwrap().to_string();
        let levels: Vec<Processor> = LEVELS.iter().map(|(level, _)| Processor::parse(level).unwrap()).collect();
        for pair in levels.windows(2) {
            assert!(pair[0].beyond(&pair[1]).is_empty() && !pair[1].beyond(&pair[0]).is_empty());
        }
        let least = Processor::parse("").unwrap();
        assert!(least.features().len() == NEEDED_FEATURES.len() && least.beyond(&levels[0]).is_empty());
        let (level, has) = LEVELS[1];
        for name in has {
            assert!(is_feature(name).unwrap(), "{level} has {name}");
            assert_eq!(of(&format!("{level}, {name}")), of(&level.to_uppercase()), "it is among them");
            assert_eq!(of(&name.to_uppercase()), of(name));
        }
        for wrong in ["pentium", "has_", LEVELS[0].0.trim_end_matches("-v2"), "native", "-", "a\x1b[31m"] {
            let error = Processor::parse(&format!("{level} {wrong}")).unwrap_err();
            assert!(error.kind() == ErrorKind::Argument && error.message().contains(LEVELS[0].0), "{error}");
            assert!(!error.message().contains('\x1b'));
        }
    }

    #[test]
    fn code_is_made_for_the_processor_that_was_asked_for() {
        let options = super::super::tests::GUARDED;
        for (level, _) in LEVELS {
            let wanted = Processor::parse(level).unwrap();
            assert_eq!(Compiler::for_processor(options, Some(&wanted)).unwrap().processor(), wanted);
        }
        let own = Compiler::new(options).unwrap().processor();
        assert_eq!(own, Processor::of_this_machine().unwrap());
    }
}
