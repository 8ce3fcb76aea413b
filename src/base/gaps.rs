//! What is between ranges.

use std::ops::Range;

/// What of `all` is in none of these ranges, which lie in it, ascending and apart: the pieces before, between and
/// behind them, empty ones too.
pub fn gaps(ranges: &[Range<usize>], all: Range<usize>) -> impl Iterator<Item = Range<usize>> + Clone {
    let starts = std::iter::once(all.start).chain(ranges.iter().map(|range| range.end));
    let ends = ranges.iter().map(|range| range.start).chain(std::iter::once(all.end));
    starts.zip(ends).map(|(start, end)| start..end)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, and some have one")]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_ranges_are_all_there_is() {
        assert_eq!(gaps(&[], 3..9).collect::<Vec<_>>(), [3..9]);
        assert_eq!(gaps(&[4..5, 5..7], 3..9).collect::<Vec<_>>(), [3..4, 5..5, 7..9]);
        assert_eq!(gaps(&[3..9], 3..9).collect::<Vec<_>>(), [3..3, 9..9]);
    }
}
