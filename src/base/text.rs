//! Text of others' on its way to people: names and paths may hold what terminals take for commands, or what makes a
//! line look like another.

use std::fmt::{self, Write as _};

/// Whether a character commands a terminal or a log rather than being seen: controls (C0, DEL, C1), ends of lines, and
/// marks that change the direction of what follows or are not seen at all.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A name or path as it is shown: what is not seen is escaped, as `\n` or `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_unseen) {
            f.write_str(&rest[..at])?;
            let mut chars = rest[at..].chars();
            match chars.next() {
                Some(c @ ('\n' | '\r' | '\t')) => write!(f, "{}", c.escape_default())?,
                Some(c) => write!(f, "{}", c.escape_unicode())?,
                None => {}
            }
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

/// A whole message, which may have lines: all else that is not seen is escaped.
pub fn printable(text: String) -> String {
    // Mostly it is plain, which is seen without taking it apart.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    let unseen = |c: char| is_unseen(c) && !matches!(c, '\n' | '\t');
    if text.bytes().all(is_plain) || !text.contains(unseen) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match unseen(c) {
            true => {
                let mut buffer = [0; 4];
                // Writing to a string does not fail.
                let _ = write!(shown, "{}", Escaped(c.encode_utf8(&mut buffer)));
            }
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped_and_nothing_else() {
        let shown = |text: &str| Escaped(text).to_string();
        assert_eq!(shown("plain näme →日本 \\ \""), "plain näme →日本 \\ \"");
        assert_eq!(shown("a\x1b[31m\r\n\tb"), "a\\u{1b}[31m\\r\\n\\tb");
        for code in (0..0x20).chain(0x7f..0xa0).chain([0x200e, 0x200f, 0x2028, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff])
        {
            let c = char::from_u32(code).unwrap();
            let text = shown(&format!("x{c}y"));
            assert!(!text.contains(c) && text.starts_with("x\\") && text.ends_with('y'), "{code:#x}: {text}");
        }
    }

    #[test]
    fn messages_keep_their_lines() {
        assert_eq!(printable("one\n\ttwo".to_owned()), "one\n\ttwo");
        assert_eq!(printable("one\n\u{202e}two\x07".to_owned()), "one\n\\u{202e}two\\u{7}");
    }
}
