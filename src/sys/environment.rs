//! What the environment asks this library for.

/// Whether a variable of the environment is set to anything but nothing and `0`.
pub fn asks_for(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}
