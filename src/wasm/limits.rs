//! What keeps a small module from becoming much work: a few bytes can declare 50,000 locals, or pass a thousand
//! operands along. How large a module may be is in `js_limits`; `docs/limits.md` lists all limits.

use super::body::{BlockKind, Instruction, Instructions, Step, Walk, catch_labels, targets, unreadable};
use super::defined::DefinedType;
use super::js_limits;
use crate::base::{Error, ErrorKind, Result, WasmOffset};
use std::ops::Range;
use wasmparser::{BlockType, FunctionBody, Operator};

/// The most targets of a `br_table`, the default not counted.
pub const MAX_BR_TABLE_TARGETS: u32 = 65_520;
/// The locals that all functions of a module may declare, parameters too, however small they are; and for each byte of
/// their bodies so many more.
pub const MAX_DECLARED_LOCALS: u64 = 500_000;
const LOCALS_PER_BYTE: u64 = 2;
/// The operands that all branches, calls and returns of a module may pass on, however small it is; and for each byte of
/// its bodies so many more.
pub const MAX_PASSED_OPERANDS: u64 = 60_000;
const OPERANDS_PER_BYTE: u64 = 1;

/// The bytes that the names of all imports may have, each counted by itself, however small the module is; and one more
/// for each byte of it. In a compact section many share one.
const MAX_IMPORT_NAMES: u64 = 16 << 20;

/// What the names of imports may still take.
pub(super) struct ImportNames(u64);

impl ImportNames {
    pub(super) fn of(binary: &[u8]) -> ImportNames {
        ImportNames(MAX_IMPORT_NAMES + binary.len() as u64)
    }

    /// Counts those of an import.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] where they are too much.
    pub(super) fn take(&mut self, module: &str, name: &str, at: u64) -> Result<()> {
        self.0 = self.0.checked_sub(module.len() as u64 + name.len() as u64).ok_or_else(|| {
            let message = format!(
                "the names of its imports take more than {MAX_IMPORT_NAMES} bytes and one for each byte of the module"
            );
            Error::new(ErrorKind::Limit, message).at(offset(at))
        })?;
        Ok(())
    }
}

/// What a body declares and passes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    locals: u64,
    operands: u64,
}

/// A body, and what it declares and passes on.
pub(super) struct Measured<'a> {
    /// The function's index, imports counted.
    pub(super) func: u32,
    pub(super) body: FunctionBody<'a>,
    pub(super) amount: Amount,
}

/// The types that a module says, as far as they count here.
pub(super) struct Arities<'a> {
    pub(super) types: &'a [DefinedType],
    /// The type of each function.
    pub(super) funcs: &'a [crate::base::TypeIndex],
    /// The type of each tag.
    pub(super) tags: &'a [crate::base::TypeIndex],
}

impl Arities<'_> {
    fn of_type(&self, index: u32) -> (u64, u64) {
        self.types
            .get(index as usize)
            .and_then(|ty| ty.as_func())
            .map_or((0, 0), |ty| (ty.params.len() as u64, ty.results.len() as u64))
    }

    fn of_block(&self, ty: BlockType) -> (u64, u64) {
        match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => self.of_type(index),
        }
    }

    fn of_tag(&self, index: u32) -> u64 {
        self.tags.get(index as usize).map_or(0, |ty| self.of_type(ty.get()).0)
    }

    fn of_func(&self, index: u32) -> (u64, u64) {
        self.funcs.get(index as usize).map_or((0, 0), |ty| self.of_type(ty.get()))
    }
}

/// What is known of an open block.
#[derive(Default)]
struct Passing {
    /// What a branch to it passes on.
    branch: u64,
    /// What is passed on where it ends, if something leads there.
    joined: u64,
}

/// What is left of a limit of the whole module.
#[derive(Clone, Copy)]
struct Budget {
    left: u64,
    what: &'static str,
    base: u64,
    per_byte: u64,
}

impl Budget {
    fn new(what: &'static str, base: u64, per_byte: u64, bytes: u64) -> Budget {
        Budget { left: base + per_byte * bytes, what, base, per_byte }
    }

    fn take(&mut self, amount: u64, at: u64) -> Result<()> {
        self.left = self.left.checked_sub(amount).ok_or_else(|| {
            let Budget { what, base, per_byte, .. } = self;
            let message = format!(
                "the module's functions {what} more than {base} and {per_byte} for each byte of their bodies: more than \
                 Stepwell compiles"
            );
            Error::new(ErrorKind::Limit, message).at(offset(at))
        })?;
        Ok(())
    }
}

fn offset(at: u64) -> WasmOffset {
    WasmOffset::new(u32::try_from(at).unwrap_or(u32::MAX))
}

/// The budgets of a module whose bodies have so many bytes.
fn budgets(bytes: u64) -> (Budget, Budget) {
    (
        Budget::new("declare locals and parameters,", MAX_DECLARED_LOCALS, LOCALS_PER_BYTE, bytes),
        Budget::new("pass on operands by branches, calls and returns,", MAX_PASSED_OPERANDS, OPERANDS_PER_BYTE, bytes),
    )
}

/// What a valid body declares and passes on.
///
/// # Errors
/// [`ErrorKind::Limit`] for a `br_table` with too many targets, or an `array.new_fixed` with too many operands.
pub(super) fn measure(arities: &Arities<'_>, func: u32, body: &FunctionBody<'_>) -> Result<Amount> {
    let mut amount = Amount::default();
    walk(arities, func, body, &mut |locals, operands, _| {
        amount.locals += locals;
        amount.operands += operands;
        Ok(())
    })?;
    Ok(amount)
}

/// Refuses a module whose functions together declare or pass on too much, where it is too much. `amounts` are those of
/// its bodies.
///
/// # Errors
/// [`ErrorKind::Limit`].
pub(super) fn check(arities: &Arities<'_>, bodies: &[Measured<'_>]) -> Result<()> {
    let bytes = bodies.iter().map(|measured| length(measured.body.range())).sum();
    let (mut locals, mut operands) = budgets(bytes);
    for Measured { func, body, amount } in bodies {
        if amount.locals > locals.left || amount.operands > operands.left {
            return walk(arities, *func, body, &mut |more_locals, more_operands, at| {
                locals.take(more_locals, at)?;
                operands.take(more_operands, at)
            });
        }
        locals.left -= amount.locals;
        operands.left -= amount.operands;
    }
    Ok(())
}

fn length(range: Range<u64>) -> u64 {
    range.end - range.start
}

/// Tells `take` of the locals and operands of each place of a body.
fn walk(
    arities: &Arities<'_>,
    func: u32,
    body: &FunctionBody<'_>,
    take: &mut dyn FnMut(u64, u64, u64) -> Result<()>,
) -> Result<()> {
    let mut locals = body.get_locals_reader().map_err(unreadable)?;
    for _ in 0..locals.get_count() {
        let at = locals.original_position();
        let (count, _) = locals.read().map_err(unreadable)?;
        take(u64::from(count), 0, at)?;
    }
    let (params, returned) = arities.of_func(func);
    // A function of a few bytes may have a type of a thousand parameters.
    take(params, 0, body.range().start)?;
    let mut walk = Walk::over_all(Passing { branch: returned, joined: returned });
    for instruction in Instructions::of(body)? {
        let instruction = instruction?;
        js_limits::check_operands(&instruction.operator, instruction.at.get().into())?;
        let passed = match walk.step(&instruction)? {
            Step::Open(ty) => {
                let (params, results) = arities.of_block(ty);
                let block = walk.innermost()?;
                let joined = if block.kind == BlockKind::Loop { params } else { results };
                block.known = Passing { branch: joined, joined };
                let mut passed = if block.kind == BlockKind::If { params + results } else { 0 };
                for label in catch_labels(&instruction.operator) {
                    // Seen from inside the block that the instruction has opened.
                    passed += walk.target(label + 1)?.known.branch;
                }
                passed
            }
            Step::End { block, .. } if block.branched || block.kind == BlockKind::If || walk.depth() == 0 => {
                block.known.joined
            }
            // What falls into it is passed on to the end, and the exception's values to what is behind it.
            Step::Catch { .. } => {
                let caught = match instruction.operator {
                    Operator::Catch { tag_index } => arities.of_tag(tag_index),
                    _ => 0,
                };
                walk.innermost()?.known.joined + caught
            }
            Step::Branch => {
                few_targets(&instruction)?;
                let mut passed = 0;
                for depth in targets(&instruction.operator) {
                    passed += walk.target(depth?)?.known.branch;
                }
                passed
            }
            Step::Next => match instruction.operator {
                Operator::Call { function_index } => sum(arities.of_func(function_index)),
                Operator::CallIndirect { type_index, .. } | Operator::CallRef { type_index } => {
                    sum(arities.of_type(type_index))
                }
                _ => 0,
            },
            Step::Leave => match instruction.operator {
                Operator::Return => returned,
                Operator::ReturnCall { function_index } => arities.of_func(function_index).0,
                Operator::ReturnCallIndirect { type_index, .. } | Operator::ReturnCallRef { type_index } => {
                    arities.of_type(type_index).0
                }
                _ => 0,
            },
            _ => 0,
        };
        if passed > 0 {
            take(0, passed, u64::from(instruction.at.get()))?;
        }
    }
    Ok(())
}

fn sum((params, results): (u64, u64)) -> u64 {
    params + results
}

fn few_targets(instruction: &Instruction<'_>) -> Result<()> {
    if let Operator::BrTable { targets } = &instruction.operator
        && targets.len() > MAX_BR_TABLE_TARGETS
    {
        let message = format!("a br_table has {} targets; at most {MAX_BR_TABLE_TARGETS} are allowed", targets.len());
        return Err(Error::new(ErrorKind::Limit, message).at(instruction.at));
    }
    Ok(())
}
