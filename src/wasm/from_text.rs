//! Modules in the text format, made binary, by the crate `wast`: behind the feature `wat`. What it means is looked at
//! when the binary is compiled: a binary that comes from here may be invalid.

use crate::base::Result;

/// The binary of a module in the text format. What is a binary already stays as it is.
///
/// # Errors
/// [`ErrorKind::InvalidModule`](crate::base::ErrorKind::InvalidModule) with line and column of what is wrong;
/// [`ErrorKind::Unsupported`](crate::base::ErrorKind::Unsupported) where the library was built without the feature
/// `wat`.
pub fn wat2wasm(text: &[u8]) -> Result<Vec<u8>> {
    if text.starts_with(b"\0asm") {
        return Ok(text.to_vec());
    }
    convert(text)
}

#[cfg(not(feature = "wat"))]
fn convert(_: &[u8]) -> Result<Vec<u8>> {
    use crate::base::{Error, ErrorKind};
    let message = "this library was built without its feature `wat`, which reads modules in the text format; build it \
                   with that, or give it a binary (`wasm-tools parse`, `wat2wasm`)";
    Err(Error::new(ErrorKind::Unsupported, message))
}

#[cfg(feature = "wat")]
fn convert(text: &[u8]) -> Result<Vec<u8>> {
    use crate::base::{Error, ErrorKind};
    use wast::parser::{ParseBuffer, parse};
    let refused = |line: usize, column: usize, what: &dyn std::fmt::Display| {
        let message = format!("in the module's text, line {}, column {}: {what}", line + 1, column + 1);
        Error::new(ErrorKind::InvalidModule, message)
    };
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let line_begins = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        refused(lines, before.len() - line_begins, &"this is no UTF-8, nor is it a binary")
    })?;
    let wrong = |error: wast::Error| {
        let (line, column) = error.span().linecol_in(text);
        refused(line, column, &error.message())
    };
    let buffer = ParseBuffer::new(text).map_err(wrong)?;
    parse::<Text<'_>>(&buffer).and_then(|Text(mut module)| module.encode()).map_err(wrong)
}

/// A whole text: a module, or the fields of one. Not `wast::Wat`, which brings what reads components, where somebody
/// has asked that crate for it.
#[cfg(feature = "wat")]
struct Text<'a>(wast::core::Module<'a>);

#[cfg(feature = "wat")]
impl<'a> wast::parser::Parse<'a> for Text<'a> {
    fn parse(parser: wast::parser::Parser<'a>) -> wast::parser::Result<Self> {
        use wast::core::{Module, ModuleField, ModuleKind};
        use wast::{kw, token::Span};
        if parser.peek2::<kw::module>()? {
            return parser.parens(|parser| parser.parse()).map(Text);
        }
        if parser.is_empty() {
            return Err(parser.error("there is no module"));
        }
        if parser.peek2::<kw::component>()? {
            return Err(parser.error("this is a component; only core modules run here"));
        }
        let _custom = parser.register_annotation("custom");
        let _producers = parser.register_annotation("producers");
        let _name = parser.register_annotation("name");
        let _hint = parser.register_annotation("metadata.code.branch_hint");
        let mut fields = Vec::new();
        while !parser.is_empty() {
            fields.push(parser.parens(|parser| parser.parse::<ModuleField<'a>>())?);
        }
        Ok(Text(Module { span: Span::from_offset(0), id: None, name: None, kind: ModuleKind::Text(fields) }))
    }
}

#[cfg(feature = "wat")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ErrorKind;

    #[test]
    fn text_becomes_what_it_says() {
        let empty = b"\0asm\x01\0\0\0";
        for text in [
            "(module)",
            " (module $m) ;; m",
            "(module binary \"\\00asm\" \"\\01\\00\\00\\00\")",
            "(; a (; comment ;) ;) (module) ;; end",
        ] {
            assert!(wat2wasm(text.as_bytes()).unwrap().starts_with(empty), "{text}");
        }
        let hinted = "(@custom \"notes\" \"text\") (func (param i32) (@metadata.code.branch_hint \"\\01\") (if (local.get 0) (then)))";
        assert_eq!(wat2wasm(hinted.as_bytes()).unwrap(), wat::parse_str(hinted).unwrap());
        assert_eq!(wat2wasm(b"\0asm and whatever").unwrap(), b"\0asm and whatever");
        let text = "(func (export \"f\") (result i32) i32.const 7)";
        assert_eq!(wat2wasm(text.as_bytes()).unwrap(), wat::parse_str(text).unwrap());
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let cases: [(&[u8], &str); 8] = [
            (b" ;; nothing\n ", "no module"),
            (b"(module", "line 1, column 8"),
            (b"(module\n  (func\n    i32.cnst 1))", "line 3, column 5"),
            (b"(module\n (func call $nobody))", "line 2, column 13"),
            (b"(module\n\n  \xff)", "line 3, column 3"),
            (b"\xff", "line 1, column 1"),
            (b"(component)", "line 1, column 1"),
            (b"(module (func i32.const 99999999999))", "line 1, column 25"),
        ];
        for (text, place) in cases {
            let error = wat2wasm(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidModule);
            assert!(error.message().contains(place), "{:?}: {error}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn no_depth_takes_the_stack() {
        for (open, inside, close) in [("(; ", "", ";)"), ("(block ", "", ")"), ("(i32.eqz ", "(i32.const 0)", ")")] {
            let depth = 200_000;
            let text = format!("(module (func {}{inside}{}))", open.repeat(depth), close.repeat(depth));
            // Whatever it says: it says it, and the process lives.
            let _ = wat2wasm(text.as_bytes());
        }
        let _ = wat2wasm("(".repeat(1_000_000).as_bytes());
        let _ = wat2wasm("(@a ".repeat(1_000_000).as_bytes());
    }
}
