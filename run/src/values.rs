//! Values as people write and read them. Nothing here knows a store.

use std::ffi::CString;
use std::fmt::Write;
use stepwell::{Val, ValType};

/// A value, as `--invoke` prints it: integers decimal, floats in as few digits as tell them from all others of their
/// type, vectors as one hexadecimal number with lane 0 last.
pub fn text_of(value: &Val) -> String {
    let reference = |is_null: bool, name: &str| if is_null { "null" } else { name }.to_owned();
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => {
            let value = f32::from_bits(*bits);
            float(value.into(), value.is_sign_negative(), format!("{:e}", value.abs()))
        }
        Val::F64(bits) => {
            let value = f64::from_bits(*bits);
            float(value, value.is_sign_negative(), format!("{:e}", value.abs()))
        }
        Val::V128(bytes) => {
            let mut text = "0x".to_owned();
            for byte in bytes.iter().rev() {
                // Writing to a string does not fail.
                let _ = write!(text, "{byte:02x}");
            }
            text
        }
        Val::FuncRef(func) => reference(func.is_none(), "funcref"),
        Val::ExternRef(value) => reference(value.is_none(), "externref"),
        Val::ExnRef(value) => reference(value.is_none(), "exnref"),
        Val::AnyRef(value) => reference(value.is_none(), "anyref"),
    }
}

/// A float as C's `%g` writes it, from its shortest digits, which are `1.25e-7` of 0.000000125.
fn float(value: f64, negative: bool, shortest: String) -> String {
    let sign = if negative { "-" } else { "" };
    if value.is_nan() {
        return format!("{sign}nan");
    }
    if value.is_infinite() {
        return format!("{sign}inf");
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let count = digits.len() as i32;
    if exponent < -4 || exponent >= count {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat((-exponent - 1) as usize);
        return format!("{sign}0.{zeros}{digits}");
    }
    let (whole, rest) = digits.split_at(exponent as usize + 1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{rest}")
}

/// The bits of an integer of `width` bits (at most 64), signed or unsigned, decimal or `0x` hexadecimal.
pub fn integer(text: &str, width: u32) -> Option<u64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = digits_of(digits)?;
    let most = match (negative, width) {
        (true, _) => 1 << (width - 1),
        (false, 64) => u64::MAX,
        (false, _) => (1 << width) - 1,
    };
    let magnitude = u64::try_from(magnitude).ok().filter(|value| *value <= most)?;
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// A number of up to 128 bits without a sign, decimal or `0x` hexadecimal.
pub fn digits_of(text: &str) -> Option<u128> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    if !digits.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    u128::from_str_radix(digits, radix).ok()
}

/// A value of a type; `None` if the text is none.
pub fn parse(text: &str, ty: ValType) -> Option<Val> {
    Some(match ty {
        ValType::I32 => Val::I32(integer(text, 32)? as u32 as i32),
        ValType::I64 => Val::I64(integer(text, 64)? as i64),
        ValType::F32 => Val::F32(
            float_of(text, |digits, end| {
                // SAFETY: both pointers are `float_of`'s, as `strtof` wants them.
                unsafe { libc::strtof(digits, end) }
            })?
            .to_bits(),
        ),
        ValType::F64 => Val::F64(
            float_of(text, |digits, end| {
                // SAFETY: as above.
                unsafe { libc::strtod(digits, end) }
            })?
            .to_bits(),
        ),
        ValType::V128 => Val::V128(digits_of(text)?.to_le_bytes()),
        ValType::Ref(ty) if text == "null" => Val::null(ty.heap.family().top()),
        ValType::Ref(_) => return None,
    })
}

/// What C's functions read: all of the text, and no finite number that is too large.
fn float_of<T: PartialEq + Into<f64> + Copy>(
    text: &str,
    read: impl FnOnce(*const libc::c_char, *mut *mut libc::c_char) -> T,
) -> Option<T> {
    let digits = CString::new(text).ok()?;
    let mut end = std::ptr::null_mut();
    let value = read(digits.as_ptr(), &mut end);
    let read = (end as usize).wrapping_sub(digits.as_ptr() as usize);
    let is_infinite = value.into().is_infinite();
    let says_so = text.trim_start().trim_start_matches(['-', '+']).to_ascii_lowercase().starts_with("inf");
    (read > 0 && read == text.len() && (!is_infinite || says_so)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_as_few_digits_as_tell_them_apart() {
        let f64_text = |value: f64| text_of(&Val::F64(value.to_bits()));
        for (value, text) in [
            (0.1, "0.1"),
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (10.0, "1e+01"),
            (12.0, "12"),
            (5e299, "5e+299"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (f64::INFINITY, "inf"),
            (1.0 / 3.0, "0.3333333333333333"),
            (123456.75, "123456.75"),
        ] {
            assert_eq!(f64_text(value), text);
        }
        assert_eq!(text_of(&Val::F32(0.1f32.to_bits())), "0.1");
        assert_eq!(f64_text(-f64::NAN.copysign(1.0)), "-nan");
    }

    #[test]
    fn integers_fit_their_width() {
        for (text, width, bits) in [
            ("0", 32, Some(0)),
            ("4294967295", 32, Some(u32::MAX.into())),
            ("4294967296", 32, None),
            ("-2147483648", 32, Some(0u64.wrapping_sub(1 << 31))),
            ("-2147483649", 32, None),
            ("0xffffffffffffffff", 64, Some(u64::MAX)),
            ("-9223372036854775808", 64, Some(1 << 63)),
            ("+7", 64, Some(7)),
            ("", 64, None),
            ("-", 64, None),
            ("0x", 64, None),
            ("+-1", 64, None),
            ("0x+1", 64, None),
            ("1_0", 64, None),
            (" 1", 64, None),
        ] {
            assert_eq!(integer(text, width), bits, "{text}");
        }
    }

    #[test]
    fn floats_are_read_whole() {
        assert_eq!(parse("0x1p-3", ValType::F64), Some(Val::F64(0.125f64.to_bits())));
        assert_eq!(parse("-inf", ValType::F32), Some(Val::F32(f32::NEG_INFINITY.to_bits())));
        for text in ["", "x", "1,5", "1e999", "1 "] {
            assert_eq!(parse(text, ValType::F64), None, "{text}");
        }
    }
}
