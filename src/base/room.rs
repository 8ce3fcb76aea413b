//! Memory of a size that others decide: having none is an error, not an end.

use super::{Error, ErrorKind, Result};

/// As many times `value`; `what` it is for is told where there is no memory for it.
///
/// # Errors
/// [`ErrorKind::Limit`].
pub fn filled<T: Clone>(value: T, count: usize, what: &str) -> Result<Vec<T>> {
    let mut row = Vec::new();
    row.try_reserve_exact(count).map_err(|_| no_room(count.saturating_mul(size_of::<T>()), what))?;
    row.resize(count, value);
    Ok(row)
}

/// Says that there is no memory for something.
#[cold]
pub fn no_room(bytes: usize, what: &str) -> Error {
    Error::new(ErrorKind::Limit, format!("no memory for {what} ({bytes} bytes)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_an_error() {
        assert_eq!(filled(7_u16, 3, "a row").unwrap(), [7; 3]);
        for count in [usize::MAX, usize::MAX / 2, 1 << 60] {
            let error = filled(0_u16, count, "the instructions of a function").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit);
            assert!(error.message().starts_with("no memory for the instructions of a function ("), "{error}");
        }
    }
}
