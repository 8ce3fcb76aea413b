//! Between the values of a script and the engine's.

use stepwell::base::{DefinedKind, HeapType as Type};
use stepwell::runtime::{AnyRef, ExternRef, Store, Val};
use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};

/// A script's argument as a value in `store`.
pub fn argument(store: &mut Store, arg: &WastArgCore<'_>) -> Result<Val, String> {
    Ok(match arg {
        WastArgCore::I32(x) => Val::I32(*x),
        WastArgCore::I64(x) => Val::I64(*x),
        WastArgCore::F32(x) => Val::F32(x.bits),
        WastArgCore::F64(x) => Val::F64(x.bits),
        WastArgCore::V128(x) => Val::V128(x.to_le_bytes()),
        WastArgCore::RefNull(ty) if is_func(ty) => Val::FuncRef(None),
        WastArgCore::RefNull(ty) if is_extern(ty) => Val::ExternRef(None),
        WastArgCore::RefNull(ty) if is_exn(ty) => Val::ExnRef(None),
        WastArgCore::RefNull(ty) if is_any(ty) => Val::AnyRef(None),
        WastArgCore::RefHost(x) => {
            let value = ExternRef::new(&mut *store, Box::new(*x)).map_err(|e| e.to_string())?;
            Val::AnyRef(Some(AnyRef::of_extern(value)))
        }
        WastArgCore::RefExtern(x) => {
            Val::ExternRef(Some(ExternRef::new(&mut *store, Box::new(*x)).map_err(|e| e.to_string())?))
        }
        other => return Err(format!("no value of Stepwell's corresponds to the argument {other:?}")),
    })
}

/// Whether references to this are to functions.
fn is_func(ty: &HeapType<'_>) -> bool {
    use AbstractHeapType::{Func, NoFunc};
    matches!(ty, HeapType::Abstract { ty: Func | NoFunc, .. })
}

/// Whether references to this are to what is the host's.
fn is_extern(ty: &HeapType<'_>) -> bool {
    use AbstractHeapType::{Extern, NoExtern};
    matches!(ty, HeapType::Abstract { ty: Extern | NoExtern, .. })
}

/// Whether references to this are to exceptions.
fn is_exn(ty: &HeapType<'_>) -> bool {
    use AbstractHeapType::{Exn, NoExn};
    matches!(ty, HeapType::Abstract { ty: Exn | NoExn, .. })
}

/// Whether references to this are to what guests make.
fn is_any(ty: &HeapType<'_>) -> bool {
    use AbstractHeapType::{Any, Array, Eq, I31, None, Struct};
    matches!(ty, HeapType::Abstract { ty: Any | Eq | I31 | Struct | Array | None, .. })
}

/// Whether `value` is what the script expects.
pub fn fits(store: &Store, expected: &WastRetCore<'_>, value: &Val) -> bool {
    match (expected, value) {
        (WastRetCore::I32(x), Val::I32(y)) => x == y,
        (WastRetCore::I64(x), Val::I64(y)) => x == y,
        (WastRetCore::F32(x), Val::F32(y)) => fits_f32(x, *y),
        (WastRetCore::F64(x), Val::F64(y)) => fits_f64(x, *y),
        (WastRetCore::V128(x), Val::V128(y)) => fits_v128(x, *y),
        (WastRetCore::RefNull(ty), Val::FuncRef(None)) => ty.as_ref().is_none_or(is_func),
        (WastRetCore::RefNull(ty), Val::ExternRef(None)) => ty.as_ref().is_none_or(is_extern),
        (WastRetCore::RefNull(ty), Val::ExnRef(None)) => ty.as_ref().is_none_or(is_exn),
        (WastRetCore::RefExtern(None), Val::ExternRef(Some(_))) => true,
        (WastRetCore::RefExtern(Some(x)), Val::ExternRef(Some(y))) => {
            y.data(store).is_ok_and(|data| data.downcast_ref::<u32>() == Some(x))
        }
        (WastRetCore::RefFunc(None), Val::FuncRef(Some(_))) => true,
        (WastRetCore::RefNull(ty), Val::AnyRef(None)) => ty.as_ref().is_none_or(is_any),
        (WastRetCore::RefAny, Val::AnyRef(Some(_))) => true,
        (WastRetCore::RefHost(x), Val::AnyRef(Some(y))) => {
            y.as_host().is_some_and(|y| y.data(store).is_ok_and(|data| data.downcast_ref::<u32>() == Some(x)))
        }
        (WastRetCore::RefI31, Val::AnyRef(Some(value))) => value.as_i31().is_some(),
        (WastRetCore::RefEq, Val::AnyRef(Some(value))) => value.as_host().is_none(),
        (WastRetCore::RefStruct | WastRetCore::RefArray, Val::AnyRef(Some(value))) => match value.ty(store) {
            Ok(Type::Defined(ty)) => {
                ty.kind
                    == if matches!(expected, WastRetCore::RefArray) { DefinedKind::Array } else { DefinedKind::Struct }
            }
            _ => false,
        },
        (WastRetCore::Either(cases), _) => cases.iter().any(|case| fits(store, case, value)),
        _ => false,
    }
}

/// Whether `bits` fit the pattern: canonical NaNs have the top payload bit alone, arithmetic ones at least that.
fn fits_f32(pattern: &NanPattern<F32>, bits: u32) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => bits & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(x) => x.bits == bits,
    }
}

/// As [`fits_f32`].
fn fits_f64(pattern: &NanPattern<F64>, bits: u64) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => bits & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(x) => x.bits == bits,
    }
}

/// Whether each lane fits.
fn fits_v128(pattern: &V128Pattern, bytes: [u8; 16]) -> bool {
    let number = u128::from_le_bytes(bytes);
    let lane = |index: usize, bits: usize| (number >> (index * bits)) as u64;
    let all = |width: usize, expected: &[u64]| {
        let mask = if width == 64 { u64::MAX } else { (1u64 << width) - 1 };
        expected.iter().enumerate().all(|(i, &x)| x & mask == lane(i, width) & mask)
    };
    match pattern {
        V128Pattern::I8x16(x) => all(8, &x.map(|x| x as u64)),
        V128Pattern::I16x8(x) => all(16, &x.map(|x| x as u64)),
        V128Pattern::I32x4(x) => all(32, &x.map(|x| x as u64)),
        V128Pattern::I64x2(x) => all(64, &x.map(|x| x as u64)),
        V128Pattern::F32x4(x) => x.iter().enumerate().all(|(i, x)| fits_f32(x, lane(i, 32) as u32)),
        V128Pattern::F64x2(x) => x.iter().enumerate().all(|(i, x)| fits_f64(x, lane(i, 64))),
    }
}

/// A value for a failure's message, floats with their bits.
pub fn show(value: &Val) -> String {
    match value {
        Val::F32(bits) => format!("f32 {} ({bits:#010x})", f32::from_bits(*bits)),
        Val::F64(bits) => format!("f64 {} ({bits:#018x})", f64::from_bits(*bits)),
        other => format!("{other:?}"),
    }
}
