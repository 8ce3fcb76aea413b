//! Vectors as arguments of a call.

/// A vector as the number that its bytes are, lane 0 in the lowest: in decimal, or `0x` and hexadecimal.
///
/// # Errors
/// For anything else.
pub fn parse(text: &str) -> Result<u128, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16),
        None => text.parse(),
    }
}
