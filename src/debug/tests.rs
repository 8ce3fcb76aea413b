//! Values of 16 bytes under the debugger, in every kind of code: in locals, among operands, as arguments and results,
//! across branches that move them, in rerun and in resume code. The guest moves them, and they come from the host.

use super::{Action, Debugger, Stop};
use crate::base::{FuncIndex, MemoryIndex, WasmOffset};
use crate::runtime::{Config, DebugTier, Engine, Extern, ExternRef, Func, Instance, Module, Store, Val};
use crate::wasm::{FuncType, Instructions, ValType};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use wasmparser::Operator;

/// The guest.
const TEXT: &str = r#"(module
    (import "h" "f" (func $host (param i32 v128) (result v128 i32 v128)))
    (memory 1)
    (global $g (mut v128) (v128.const i64x2 0 0))
    (func $turn (param v128 externref v128 i32) (result v128 externref v128 i32) (local v128)
        local.get 2 local.tee 4 drop local.get 4 local.get 1 local.get 0 local.get 3)
    (func (export "run") (param v128 i32 v128 externref) (result v128 i32 v128 externref v128)
        (local $a v128) (local $n i32) (local $b v128) (local $r externref) (local $c v128)
        ;; Operands that are told from locals, which then change.
        local.get 0 local.get 2 i32.const 7 local.set $n local.set $b local.set $a
        local.get $a local.get 3 local.get $b local.get $a
        local.get 2 local.set $a local.get 0 local.set $b
        local.set $c
        local.get 1 if (param v128 externref v128) (result v128 externref v128)
            local.get 1 call $turn local.set $n local.set $a local.set $r local.get $r local.get $a
        else
            local.set $c local.get $c
        end
        ;; What a branch leaves behind stands between what it takes along and where that goes.
        (block (result externref v128)
            i64.const 3 i32.const 0 i32.load local.get 3 local.get $b local.get 1 br_table 0 0 0)
        global.set $g drop
        i64.const -1 global.get $g i64.const 5 local.get $c drop drop
        local.get $a local.get $b i32.const 0 i32.load (select (result v128))
        local.set $a drop
        ;; Turns of a loop, with operands that it is given anew.
        i32.const 3 local.set $n
        local.get $c
        loop (param v128) (result v128)
            local.set $b
            i32.const 4 local.get $n i32.store
            local.get $a local.get $b local.set $a local.set $c
            local.get $c
            local.get $n i32.const 1 i32.sub local.tee $n br_if 0
        end
        drop
        local.get $n local.get $a call $host local.set $c local.set $n local.set $b
        drop
        ;; Too far out, if so asked.
        local.get 1 i32.const 16 i32.shl i32.load drop
        drop drop
        local.get $n local.get $b
        local.get 3 local.get $c))"#;

/// A place where a frame was seen, and what it had.
#[derive(Clone, PartialEq)]
struct Seen {
    func: FuncIndex,
    at: WasmOffset,
    locals: Vec<Val>,
    operands: Vec<Val>,
}

/// References without their addresses.
fn show(values: &[Val]) -> String {
    let one = |value: &Val| match value {
        Val::ExnRef(reference) => format!("exn:{}", reference.is_some()),
        Val::ExternRef(reference) => format!("extern:{}", reference.is_some()),
        Val::V128(bytes) => format!("v128:{:032x}", u128::from_le_bytes(*bytes)),
        other => format!("{other:?}"),
    };
    values.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Frames as they were seen, innermost first.
type Stack = Vec<(usize, Seen)>;

struct Run {
    module: Module,
    stops: Vec<Stack>,
    outcome: String,
}

/// Runs the guest without a debugger, or steps through it. `meddle` is told of how many stops there were before; where
/// it says so the memory that the guest reads is changed.
fn run(config: Config, debugged: bool, flag: i32, meddle: fn(usize) -> bool) -> Run {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let vector = |low: u64| Val::V128((u128::from(low) << 64 | u128::from(!low)).to_le_bytes());
    let ty = FuncType::new([ValType::I32, ValType::V128], [ValType::V128, ValType::I32, ValType::V128]);
    let host = Func::new(&mut store, ty, move |_, params, results| {
        let Val::V128(mut bytes) = params[1] else { panic!("{params:?}") };
        bytes.reverse();
        results.copy_from_slice(&[Val::V128(bytes), Val::I32(41), params[1]]);
        Ok(())
    });
    let instance = Instance::new(&mut store, &module, &[Extern::Func(host.unwrap())]).unwrap();
    let stops = Arc::new(Mutex::new(Vec::new()));
    if debugged {
        let stops = stops.clone();
        let debugger = Debugger::attach(&mut store, move |stop: &mut Stop<'_>| {
            let frame = |index| {
                let frame = stop.frame(index).unwrap();
                let locals = frame.locals();
                let each: Vec<Val> = (0..locals.len()).map(|local| frame.local(local).unwrap()).collect();
                assert_eq!(each, locals);
                let seen = Seen { func: frame.func(), at: frame.offset(), locals, operands: frame.operands() };
                (frame.id(), seen)
            };
            let stack: Stack = (0..stop.frame_count()).map(frame).collect();
            let count = {
                let mut stops = stops.lock().unwrap();
                stops.push(stack);
                stops.len() - 1
            };
            if meddle(count) {
                let memory = instance.memory(&*stop, MemoryIndex::new(0)).unwrap();
                memory.write(stop, 0, &(count as u32 % 3).to_le_bytes()).unwrap();
            }
            Action::StepInstruction
        });
        let debugger = debugger.unwrap();
        debugger.break_at_function(&mut store, &module, FuncIndex::new(2)).unwrap();
    }
    let func = instance.export(&mut store, "run").and_then(|export| export.func()).unwrap();
    let reference = ExternRef::new(&mut store, Box::new(())).unwrap();
    let params = [vector(0x1111), Val::I32(flag), vector(0x2222), Val::ExternRef(Some(reference))];
    let mut results = [Val::I32(0); 5];
    let outcome = match func.call(&mut store, &params, &mut results) {
        Ok(()) => show(&results),
        Err(error) => format!("{:?}", error.kind()),
    };
    let stops = std::mem::take(&mut *stops.lock().unwrap());
    Run { module, stops, outcome }
}

/// What an instruction that only moves values makes of a state; `None` for another.
fn moved(operator: &Operator<'_>, seen: &Seen) -> Option<Seen> {
    let mut next = seen.clone();
    match *operator {
        Operator::LocalGet { local_index } => next.operands.push(seen.locals[local_index as usize]),
        Operator::LocalSet { local_index } => next.locals[local_index as usize] = next.operands.pop()?,
        Operator::LocalTee { local_index } => next.locals[local_index as usize] = *next.operands.last()?,
        Operator::Drop => _ = next.operands.pop()?,
        Operator::I32Const { value } => next.operands.push(Val::I32(value)),
        Operator::I64Const { value } => next.operands.push(Val::I64(value)),
        Operator::TypedSelect { .. } => {
            let (condition, second) = (next.operands.pop()?, next.operands.pop()?);
            if condition.i32()? == 0 {
                *next.operands.last_mut()? = second;
            }
        }
        _ => return None,
    }
    Some(next)
}

/// Holds what was seen after such instructions against what was seen before. Gives how many there were with wide
/// operands.
fn check_moves(run: &Run) -> usize {
    let info = run.module.info();
    let mut operators = HashMap::new();
    for body in &info.bodies {
        let binary = wat::parse_str(TEXT).unwrap();
        let mut before: Option<WasmOffset> = None;
        for instruction in Instructions::of(&info.body(body.func, &binary).unwrap()).unwrap() {
            let instruction = instruction.unwrap();
            if let Some((_, next)) = before.and_then(|before| operators.get_mut(&before)) {
                *next = instruction.at;
            }
            // `br_table` borrows the binary and moves nothing here.
            let known = match instruction.operator {
                Operator::LocalGet { local_index } => Operator::LocalGet { local_index },
                Operator::LocalSet { local_index } => Operator::LocalSet { local_index },
                Operator::LocalTee { local_index } => Operator::LocalTee { local_index },
                Operator::I32Const { value } => Operator::I32Const { value },
                Operator::I64Const { value } => Operator::I64Const { value },
                Operator::TypedSelect { ty } => Operator::TypedSelect { ty },
                Operator::Drop => Operator::Drop,
                _ => Operator::Nop,
            };
            operators.insert(instruction.at, (known, instruction.at));
            before = Some(instruction.at);
        }
    }
    let mut wide = 0;
    for pair in run.stops.windows(2) {
        let [(fp, before), (next_fp, after)] = [&pair[0][0], &pair[1][0]];
        let (operator, next) = &operators[&before.at];
        if let Some(mut expected) = moved(operator, before)
            && fp == next_fp
        {
            expected.at = *next;
            assert!(
                expected == *after,
                "{operator:?} of {} | {} gives {} | {} at {}, not {} | {} at {next}",
                show(&before.locals),
                show(&before.operands),
                show(&after.locals),
                show(&after.operands),
                after.at,
                show(&expected.locals),
                show(&expected.operands),
            );
            wide += usize::from(after.operands.iter().any(|value| value.ty() == ValType::V128));
        }
    }
    wide
}

#[test]
fn wide_values_are_shown_and_kept_in_every_kind_of_code() {
    let never: fn(usize) -> bool = |_| false;
    let often: fn(usize) -> bool = |count| count % 3 == 1;
    for signals in [true, false] {
        let config = |debug_tier| Config { debug: true, debug_tier, signals, ..Config::default() };
        for flag in [0, 1] {
            let production = run(config(DebugTier::Regions), false, flag, never);
            assert!(production.stops.is_empty());
            if flag == 0 {
                let low = "1111".to_owned() + &"f".repeat(12) + "eeee";
                assert!(
                    production.outcome.contains("I32(41)") && production.outcome.contains(&low),
                    "{low}: {}",
                    production.outcome
                );
            }
            for meddle in [never, often] {
                let [simple, regions] =
                    [DebugTier::Simple, DebugTier::Regions].map(|tier| run(config(tier), true, flag, meddle));
                if !meddle(1) {
                    assert_eq!(simple.outcome, production.outcome);
                }
                assert_eq!(regions.outcome, simple.outcome);
                assert_eq!(simple.stops.len(), regions.stops.len());
                for (simple, regions) in simple.stops.iter().zip(&regions.stops) {
                    let show = |stack: &Stack| -> Vec<String> {
                        let one = |(_, seen): &(usize, Seen)| {
                            format!("{} {} {} | {}", seen.func, seen.at, show(&seen.locals), show(&seen.operands))
                        };
                        stack.iter().map(one).collect()
                    };
                    assert_eq!(show(regions), show(simple));
                }
                for run in [simple, regions] {
                    let wide = check_moves(&run);
                    assert!(wide > 50, "{wide} of {} stops", run.stops.len());
                }
            }
        }
    }
}
