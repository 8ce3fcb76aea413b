//! What a client says with a breakpoint of any kind: of which times that a guest comes to it stops, and what is said
//! then. Plain data; who asks guests is in `breakpoints.rs`.

use super::message::{Answer, Args, Failure, failure};
use crate::debug::Condition;

/// Of which times that a breakpoint is come to it stops, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    From(u64),
    Exactly(u64),
    UpTo(u64),
    Each(u64),
}

impl Hit {
    /// `5` is the fifth time and all behind it; `== 5`, `>= 5`, `> 5`, `<= 5`, `< 5`; `% 5` is each fifth time.
    pub(super) fn parse(text: &str) -> Answer<Hit> {
        let text = text.trim();
        let digits = text.trim_start_matches(['=', '>', '<', '%']).trim();
        let operator = &text[..text.len() - text.trim_start_matches(['=', '>', '<', '%']).len()];
        let wrong = || failure(format!("`{text}` is no count of hits: 5, == 5, >= 5, > 5, <= 5, < 5 or % 5"));
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        Ok(match operator {
            "" | ">=" => Hit::From(number),
            ">" => Hit::From(number.checked_add(1).ok_or_else(wrong)?),
            "=" | "==" => Hit::Exactly(number),
            "<=" => Hit::UpTo(number),
            "<" => Hit::UpTo(number.saturating_sub(1)),
            "%" if number > 0 => Hit::Each(number),
            _ => return Err(wrong()),
        })
    }

    pub(super) fn holds(self, count: u64) -> bool {
        match self {
            Hit::From(number) => count >= number,
            Hit::Exactly(number) => count == number,
            Hit::UpTo(number) => count <= number,
            Hit::Each(number) => count.is_multiple_of(number),
        }
    }
}

/// Of which times that a guest comes to it, and what is said then.
#[derive(Clone, Default, PartialEq)]
pub(super) struct When {
    pub(super) condition: Option<String>,
    pub(super) hit: Option<Hit>,
    pub(super) log: Option<String>,
}

impl When {
    /// What a client says with a breakpoint.
    pub(super) fn new(args: Args<'_>) -> Answer<When> {
        let text = |name| Ok::<_, Failure>(args.opt_str(name)?.filter(|text| !text.trim().is_empty()));
        let hit = text("hitCondition")?.map(Hit::parse).transpose()?;
        let (condition, log) = (text("condition")?.map(str::to_owned), text("logMessage")?.map(str::to_owned));
        Ok(When { condition, hit, log })
    }

    /// Whether each time stops.
    pub(super) fn is_always(&self) -> bool {
        *self == When::default()
    }

    /// Refuses a condition that is no expression.
    pub(super) fn check(&self) -> Answer<()> {
        self.condition.as_deref().map_or(Ok(()), |text| Condition::text(text).map(drop).map_err(Failure::from))
    }
}

#[cfg(test)]
mod tests {
    use super::Hit;

    #[test]
    fn counts_of_hits() {
        let stops = |text: &str| -> Vec<u64> {
            let hit = Hit::parse(text).unwrap();
            (1..=6).filter(|count| hit.holds(*count)).collect()
        };
        assert_eq!(stops("3"), [3, 4, 5, 6]);
        assert_eq!(stops(">= 5"), [5, 6]);
        assert_eq!(stops(">5"), [6]);
        assert_eq!(stops("== 2"), [2]);
        assert_eq!(stops("<=2"), [1, 2]);
        assert_eq!(stops("<2"), [1]);
        assert_eq!(stops("% 3"), [3, 6]);
        for wrong in ["", "x", "%0", "!5", "-1", "=> 5", "5 5"] {
            assert!(Hit::parse(wrong).is_err(), "{wrong}");
        }
    }
}
