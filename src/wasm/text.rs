//! Instructions as the text format writes them, one at a time. Indices stay numbers; who knows names adds them as
//! comments, so that what is written can still be read back. It knows no module, and does not say whether an
//! instruction is valid.

use std::fmt::Write;
use wasmparser::{
    AbstractHeapType, BlockType, BrTable, Catch, HeapType, Ieee32, Ieee64, MemArg, MemArgTarget, Operator, Ordering,
    RefType, ResumeTable, TryTable, UnpackedIndex, V128, ValType,
};

/// What an index in an instruction is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A function.
    Func,
    /// A global.
    Global,
    /// A local of the function.
    Local,
}

/// The text of an instruction. `name` says what is to be told of an index.
pub fn instruction_text(operator: &Operator<'_>, name: &dyn Fn(Named, u32) -> Option<String>) -> String {
    let mut text = String::new();
    special(operator, &mut text).unwrap_or_else(|| plain(operator, &mut text));
    let named = match operator {
        Operator::Call { function_index }
        | Operator::ReturnCall { function_index }
        | Operator::RefFunc { function_index } => Some((Named::Func, *function_index)),
        Operator::GlobalGet { global_index } | Operator::GlobalSet { global_index } => {
            Some((Named::Global, *global_index))
        }
        Operator::LocalGet { local_index }
        | Operator::LocalSet { local_index }
        | Operator::LocalTee { local_index } => Some((Named::Local, *local_index)),
        _ => None,
    };
    if let Some(name) = named.and_then(|(what, index)| name(what, index)) {
        // It is to end where it ends.
        let _ = write!(text, " (;{};)", name.replace(";)", "; )").replace("(;", "( ;"));
    }
    text
}

/// Instructions whose text has another order than their bytes, or another name.
fn special(operator: &Operator<'_>, text: &mut String) -> Option<()> {
    let done = match *operator {
        Operator::CallIndirect { type_index, table_index } => {
            write!(text, "call_indirect {table_index} (type {type_index})")
        }
        Operator::ReturnCallIndirect { type_index, table_index } => {
            write!(text, "return_call_indirect {table_index} (type {type_index})")
        }
        Operator::MemoryInit { data_index, mem } => write!(text, "memory.init {mem} {data_index}"),
        Operator::TableInit { elem_index, table } => write!(text, "table.init {table} {elem_index}"),
        Operator::TypedSelectMulti { ref tys } => {
            write!(text, "select {}", {
                let all: Vec<String> = tys.iter().map(|ty| format!("(result {})", val_type(*ty))).collect();
                all.join(" ")
            })
        }
        Operator::TypedSelect { ty } => write!(text, "select (result {})", val_type(ty)),
        Operator::RefTestNonNull { hty } => write!(text, "ref.test {}", ref_type(false, hty)),
        Operator::RefTestNullable { hty } => write!(text, "ref.test {}", ref_type(true, hty)),
        Operator::RefCastNonNull { hty } => write!(text, "ref.cast {}", ref_type(false, hty)),
        Operator::RefCastNullable { hty } => write!(text, "ref.cast {}", ref_type(true, hty)),
        _ => return None,
    };
    done.ok()
}

/// An instruction as its name and its immediates in order.
macro_rules! operators {
    ($(@$proposal:ident $operator:ident $({ $($argument:ident: $type:ty),* })? => $visit:ident ($($rest:tt)*))*) => {
        fn plain(operator: &Operator<'_>, text: &mut String) {
            match operator {
                $(Operator::$operator $({ $($argument),* })? => {
                    name(stringify!($visit), text);
                    $($($argument.add(text);)*)?
                })*
                #[allow(unreachable_patterns, reason = "there may be more than the macro knows")]
                _ => text.push_str("unknown"),
            }
        }
    };
}

wasmparser::for_each_operator!(operators);

/// What the text format writes a dot behind.
const SPACES: &[&str] = &[
    "i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2", "local", "global",
    "table", "memory", "ref", "struct", "array", "elem", "data", "any", "extern", "i31", "atomic",
];

/// The name of an instruction, by that of the method that visits it.
fn name(visit: &str, text: &mut String) {
    let name = visit.strip_prefix("visit_").unwrap_or(visit);
    let Some((space, rest)) = name.split_once('_').filter(|(space, _)| SPACES.contains(space)) else {
        return text.push_str(name);
    };
    text.push_str(space);
    text.push('.');
    match rest.strip_prefix("atomic_") {
        Some(rest) => {
            text.push_str("atomic.");
            match rest.split_once('_').filter(|(rmw, _)| rmw.starts_with("rmw")) {
                Some((rmw, what)) => text.extend([rmw, ".", what]),
                None => text.push_str(rest),
            }
        }
        None => text.push_str(rest),
    }
}

/// What stands behind an instruction's name.
trait Immediate {
    /// Adds it, with a space in front.
    fn add(&self, text: &mut String);
}

macro_rules! displayed {
    ($($type:ty),*) => {
        $(impl Immediate for $type {
            fn add(&self, text: &mut String) {
                let _ = write!(text, " {self}");
            }
        })*
    };
}

displayed!(u8, u32, i32, i64);

impl Immediate for Ieee32 {
    fn add(&self, text: &mut String) {
        let bits = self.bits();
        let number = f32::from_bits(bits);
        float(text, number.is_nan().then_some((u64::from(bits & 0x7f_ffff), 1 << 22)), bits >> 31 == 1, number);
    }
}

impl Immediate for Ieee64 {
    fn add(&self, text: &mut String) {
        let bits = self.bits();
        let number = f64::from_bits(bits);
        float(text, number.is_nan().then_some((bits & 0xf_ffff_ffff_ffff, 1 << 51)), bits >> 63 == 1, number);
    }
}

/// A number; of what is none its payload, and the one that it usually has.
fn float(text: &mut String, payload: Option<(u64, u64)>, negative: bool, number: impl std::fmt::Debug) {
    let sign = if negative { "-" } else { "" };
    let _ = match payload {
        Some((payload, usual)) if payload == usual => write!(text, " {sign}nan"),
        Some((payload, _)) => write!(text, " {sign}nan:{payload:#x}"),
        None => write!(text, " {number:?}"),
    };
}

impl Immediate for V128 {
    fn add(&self, text: &mut String) {
        text.push_str(" i32x4");
        for lane in self.bytes().chunks_exact(4) {
            let lane = lane.iter().rev().fold(0u32, |all, byte| all << 8 | u32::from(*byte));
            let _ = write!(text, " {lane:#010x}");
        }
    }
}

impl Immediate for [u8; 16] {
    fn add(&self, text: &mut String) {
        self.iter().for_each(|lane| lane.add(text));
    }
}

impl Immediate for MemArg {
    fn add(&self, text: &mut String) {
        match self.target {
            MemArgTarget::Memory(0) => {}
            MemArgTarget::Memory(index) => index.add(text),
            MemArgTarget::Array(index) => {
                let _ = write!(text, " (type {index})");
            }
        }
        if self.offset != 0 {
            let _ = write!(text, " offset={}", self.offset);
        }
        if self.align != self.max_align {
            let _ = write!(text, " align={}", 1u64 << self.align.min(63));
        }
    }
}

impl Immediate for BlockType {
    fn add(&self, text: &mut String) {
        let _ = match self {
            BlockType::Empty => Ok(()),
            BlockType::Type(ty) => write!(text, " (result {})", val_type(*ty)),
            BlockType::FuncType(index) => write!(text, " (type {index})"),
        };
    }
}

impl Immediate for BrTable<'_> {
    fn add(&self, text: &mut String) {
        self.targets().map_while(Result::ok).for_each(|target| target.add(text));
        self.default().add(text);
    }
}

impl Immediate for TryTable {
    fn add(&self, text: &mut String) {
        self.ty.add(text);
        for catch in &self.catches {
            let _ = match catch {
                Catch::One { tag, label } => write!(text, " (catch {tag} {label})"),
                Catch::OneRef { tag, label } => write!(text, " (catch_ref {tag} {label})"),
                Catch::All { label } => write!(text, " (catch_all {label})"),
                Catch::AllRef { label } => write!(text, " (catch_all_ref {label})"),
            };
        }
    }
}

impl Immediate for HeapType {
    fn add(&self, text: &mut String) {
        text.push(' ');
        text.push_str(&heap_type(*self));
    }
}

impl Immediate for RefType {
    fn add(&self, text: &mut String) {
        text.push(' ');
        text.push_str(&ref_type(self.is_nullable(), self.heap_type()));
    }
}

impl Immediate for ValType {
    fn add(&self, text: &mut String) {
        text.push(' ');
        text.push_str(&val_type(*self));
    }
}

impl Immediate for Vec<ValType> {
    fn add(&self, text: &mut String) {
        self.iter().for_each(|ty| ty.add(text));
    }
}

impl Immediate for Ordering {
    fn add(&self, text: &mut String) {
        text.push_str(match self {
            Ordering::SeqCst => " seq_cst",
            Ordering::AcqRel => " acq_rel",
        });
    }
}

impl Immediate for ResumeTable {
    // Of a proposal that no module here has.
    fn add(&self, _: &mut String) {}
}

fn val_type(ty: ValType) -> String {
    match ty {
        ValType::I32 => "i32".to_owned(),
        ValType::I64 => "i64".to_owned(),
        ValType::F32 => "f32".to_owned(),
        ValType::F64 => "f64".to_owned(),
        ValType::V128 => "v128".to_owned(),
        ValType::Ref(ty) => ref_type(ty.is_nullable(), ty.heap_type()),
    }
}

fn ref_type(nullable: bool, heap: HeapType) -> String {
    let null = if nullable { "null " } else { "" };
    format!("(ref {null}{})", heap_type(heap))
}

fn heap_type(ty: HeapType) -> String {
    let index =
        |index: UnpackedIndex| index.as_module_index().map_or_else(|| "?".to_owned(), |index| index.to_string());
    match ty {
        HeapType::Concrete(at) => index(at),
        HeapType::Exact(at) => format!("(exact {})", index(at)),
        HeapType::Abstract { shared, ty } => {
            let name = match ty {
                AbstractHeapType::Func => "func",
                AbstractHeapType::Extern => "extern",
                AbstractHeapType::Any => "any",
                AbstractHeapType::None => "none",
                AbstractHeapType::NoExtern => "noextern",
                AbstractHeapType::NoFunc => "nofunc",
                AbstractHeapType::Eq => "eq",
                AbstractHeapType::Struct => "struct",
                AbstractHeapType::Array => "array",
                AbstractHeapType::I31 => "i31",
                AbstractHeapType::Exn => "exn",
                AbstractHeapType::NoExn => "noexn",
                AbstractHeapType::Cont => "cont",
                AbstractHeapType::NoCont => "nocont",
            };
            if shared { format!("(shared {name})") } else { name.to_owned() }
        }
    }
}
