//! Texts for readers who find their end by a NUL.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::ffi::c_char;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// A text with a NUL behind it.
#[derive(Debug)]
pub struct NulText(Box<str>);

impl NulText {
    /// A copy of `text`, with the NUL.
    pub fn new(text: &str) -> NulText {
        NulText([text, "\0"].concat().into_boxed_str())
    }

    /// The text without the NUL.
    pub fn text(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }

    /// Where it begins. It stays there for as long as this lives, also when this is moved.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

impl Borrow<str> for NulText {
    fn borrow(&self) -> &str {
        self.text()
    }
}

impl PartialEq for NulText {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for NulText {}

impl Hash for NulText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As the `str` that it is found by.
        self.text().hash(state);
    }
}

/// Copies of texts with a NUL behind each. One is made when it is first asked for, and stays for as long as this does.
#[derive(Default)]
pub struct NulTexts(Mutex<HashSet<NulText>>);

impl NulTexts {
    /// Where the copy of `text` begins.
    pub fn get(&self, text: &str) -> *const c_char {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = texts.get(text) {
            return known.as_ptr();
        }
        let new = NulText::new(text);
        let at = new.as_ptr();
        texts.insert(new);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn a_text_is_copied_once_and_stays_where_it_is() {
        let texts = NulTexts::default();
        let first = texts.get("first");
        for i in 0..1000 {
            texts.get(&format!("text {i}"));
        }
        assert_eq!(texts.get("first"), first);
        // SAFETY: it ends in a NUL, and `texts` lives.
        assert_eq!(unsafe { CStr::from_ptr(first) }.to_str(), Ok("first"));
        assert_ne!(texts.get(""), first);
    }

    #[test]
    fn a_text_may_have_a_nul_inside() {
        let text = NulText::new("a\0b");
        assert_eq!(text.text(), "a\0b");
        let texts = NulTexts::default();
        assert_ne!(texts.get("a\0b"), texts.get("a"));
    }
}
