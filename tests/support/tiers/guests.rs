//! Modules written to be hard on regions. Each export is called with several arguments, zeros first, so each is to end
//! whatever it is given, and whatever memories and globals hold.

use super::case::Case;
use super::{legacy, vectors};

/// All of them; or, where `STEPWELL_WAT` names a file, that one alone.
pub fn cases() -> Vec<Case> {
    if let Ok(path) = std::env::var("STEPWELL_WAT") {
        let binary = wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"));
        return vec![Case::new(path, vec![("m".to_owned(), binary)])];
    }
    let mut cases: Vec<Case> = GUESTS.iter().map(|(name, text)| case(name, &[("m", text)])).collect();
    cases.push(case("linked", &[("a", LINKED_A), ("b", LINKED_B)]));
    cases.push(case("many-locals", &[("m", &many_locals())]));
    cases.push(case("deep-operands", &[("m", &deep_operands(20))]));
    // More than are kept in registers.
    cases.push(case("very-deep-operands", &[("m", &deep_operands(150))]));
    cases.push(case("deep-operands-passed-on", &[("m", &deep_operands_passed_on())]));
    cases.push(case("forty-results", &[("m", &forty_results())]));
    cases.push(case("long-region", &[("m", &long_region())]));
    cases.push(case("deep-blocks", &[("m", &deep_blocks())]));
    cases.push(case("every-numeric-instruction", &[("m", &every_numeric_instruction())]));
    cases.push(case("every-load-and-store", &[("m", &every_load_and_store())]));
    cases.push(case("every-atomic-instruction", &[("m", &every_atomic_instruction("1 3"))]));
    cases.push(case("every-atomic-instruction-shared", &[("m", &every_atomic_instruction("1 3 shared"))]));
    cases.push(case(
        "every-load-of-a-shared-memory",
        &[("m", &every_load_and_store().replacen("1 3)", "1 3 shared)", 1))],
    ));
    cases.push(case(
        "every-vector-load-of-a-shared-memory",
        &[("m", &vectors::every_load_and_store().replacen("1 3)", "1 3 shared)", 1))],
    ));
    cases.push(case("every-vector-instruction", &[("m", &vectors::every_instruction())]));
    cases.push(case("every-vector-load-and-store", &[("m", &vectors::every_load_and_store())]));
    cases.push(case("vectors-passed-on", &[("m", vectors::PASSED_ON)]));
    cases.push(case("legacy-exceptions", &[("m", legacy::TRIES)]));
    cases.push(case("long-try", &[("m", &legacy::long_try())]));
    cases
}

fn case(name: &str, modules: &[(&str, &str)]) -> Case {
    let encode = |(name, text): &(&str, &str)| {
        ((*name).to_owned(), wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    Case::new(name, modules.iter().map(encode).collect())
}

const GUESTS: &[(&str, &str)] = &[
    (
        "wide-arithmetic",
        r#"(module
  (memory (export "memory") 1)
  (data (i32.const 8) "\ff\ff\ff\ff\ff\ff\ff\ff\01\02\03\04\05\06\07\88")
  (global $g (export "g") (mut i64) (i64.const -3))
  (func (export "sums") (param i64 i64 i64 i64) (result i64 i64 i64 i64)
    local.get 0 local.get 1 local.get 2 local.get 3 i64.add128
    local.get 0 local.get 1 local.get 2 local.get 3 i64.sub128)
  (func (export "products") (param i64 i64) (result i64 i64 i64 i64)
    local.get 0 local.get 1 i64.mul_wide_s
    local.get 0 local.get 1 i64.mul_wide_u)
  (func (export "of-memory") (param i32 i64) (result i64 i64) (local i64)
    local.get 0 i64.load local.get 1 i64.mul_wide_u
    local.get 0 i64.load offset=8 local.set 2
    local.get 0 i64.load local.get 2 i64.add128
    local.get 1 local.get 0 i64.load i64.mul_wide_s
    i64.sub128)
  (func (export "across-effects") (param i64) (result i64)
    local.get 0 global.get $g i64.mul_wide_s
    global.set $g
    i32.const 16 local.get 0 i64.store
    global.get $g local.tee 0 i32.const 16 i64.load i64.const 5 i64.const -1 i64.sub128
    i64.xor i64.add)
  (func (export "halves-unused") (param i64 i64) (result i64)
    local.get 0 local.get 1 i64.mul_wide_u drop
    local.get 0 local.get 1 i64.mul_wide_s i64.const 1 i64.const 2 i64.add128 local.set 0 drop
    local.get 0 i64.add)
  (func (export "factorial") (param i32) (result i64 i64) (local i64 i64 i64)
    local.get 0 i32.const 31 i32.and local.set 0
    i64.const 1 local.set 1
    block
      loop
        local.get 0 i32.eqz br_if 1
        local.get 0 i64.extend_i32_u local.set 3
        local.get 1 local.get 3 i64.mul_wide_u
        i64.const 0 local.get 2 local.get 3 i64.mul
        i64.add128 local.set 2 local.set 1
        local.get 0 i32.const 1 i32.sub local.set 0
        br 0
      end
    end
    local.get 1 local.get 2))"#,
    ),
    (
        "tail-calls",
        r#"(module
  (type $one (func (param i32) (result i32)))
  (type $many (func (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 i32 i64 i32 i64) (result i32)))
  (table $t 8 funcref)
  (elem (i32.const 0) func $countdown $even $odd $spread $wrong)
  (memory (export "memory") 1)
  (global $g (export "g") (mut i32) (i32.const 3))
  (func $wrong (param i64))
  (func $countdown (export "countdown") (param i32) (result i32) (local i32)
    local.get 0 i32.const 31 i32.and local.set 0
    local.get 0 i32.const 0 i32.le_s if global.get $g return end
    local.get 0 local.set 1
    global.get $g i32.const 1 i32.add global.set $g
    local.get 0 i32.const 1 i32.sub
    return_call $countdown)
  (func $even (export "even") (param i32) (result i32)
    local.get 0 i32.const 15 i32.and local.set 0
    block (result i32)
      local.get 0 i32.eqz
      if i32.const 1 br 1 end
      local.get 0 i32.const 1 i32.sub
      i32.const 2
      return_call_indirect $t (type $one)
    end)
  (func $odd (export "odd") (param i32) (result i32)
    local.get 0 i32.const 15 i32.and local.tee 0
    if (result i32)
      local.get 0 i32.const 1 i32.sub i32.const 1 return_call_indirect $t (type $one)
    else
      i32.const 0
    end)
  (func $spread (export "spread") (param i32) (result i32)
    i32.const 77
    i32.const 78
    local.get 0 i64.const 2 f32.const 3.5 f64.const 4.5 i32.const 5 i64.const 6 f32.const 7.5 f64.const 8.5
    i32.const 9 i64.const 10 i32.const 11 i64.const 12 local.get 0 i32.const 1 i32.add i64.const 14
    return_call $gather)
  (func $gather (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 i32 i64 i32 i64) (result i32)
    local.get 12 i32.const 1 i32.and
    if
      i32.const 0 local.get 12 i32.store
      local.get 0 local.get 12 i32.add
      return_call $countdown
    end
    local.get 12 local.get 0 i32.sub local.get 13 i32.wrap_i64 i32.add)
  (func $nine (param i32) (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 f64)
    local.get 0 i32.const 1 i32.const 2 i32.const 3 i32.const 4 i32.const 5 i32.const 6 i32.const 7 i32.const 8
    i32.const 9 i64.const 10 f64.const 11.5)
  (func $to-nine (param i32 i32 i64 i64 i64 i64 i64 i64 i64) (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 f64)
    local.get 0 local.get 1 i32.add return_call $nine)
  (func $to-to-nine (export "results-in-memory") (param i32)
      (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 f64)
    local.get 0 local.get 0 i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5 i64.const 6 i64.const 7
    return_call $to-nine)
  (func (export "results-used") (param i32) (result i32)
    local.get 0 call $to-to-nine
    drop drop i32.sub i32.add i32.sub i32.add i32.sub i32.add i32.sub i32.add i32.sub)
  (func (export "wrong-elements") (param i32) (result i32)
    local.get 0 i32.const 1 i32.sub local.get 0 i32.const 15 i32.and return_call_indirect $t (type $one))
  (func $divide (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s)
  (func (export "trap-behind") (param i32 i32) (result i32)
    local.get 0 i32.const 6 i32.mul local.get 1 return_call $divide)
  (func (export "branches-past") (param i32) (result i32) (local i32)
    block
      block
        local.get 0 i32.const 3 i32.and br_table 0 1 0 1
      end
      i32.const 4 local.set 1
      local.get 1 return_call $countdown
    end
    local.get 1 i32.const 2 i32.add local.set 1
    local.get 0 local.get 1 i32.add)
  (func (export "below-a-call") (param i32) (result i32) (local i32)
    local.get 0 i32.const 7 i32.and local.set 1
    local.get 0 call $spread
    local.get 1 call $countdown i32.add
    local.get 1 i32.add)
  (func (export "folded") (param i32) (result i32)
    i32.const 0
    if
      local.get 0 i64.const 2 f32.const 3.5 f64.const 4.5 i32.const 5 i64.const 6 f32.const 7.5 f64.const 8.5
      i32.const 9 i64.const 10 i32.const 11 i64.const 12 local.get 0 i64.const 14
      return_call $gather
    end
    global.get $g local.get 0 i32.add
    return_call $countdown))"#,
    ),
    (
        "pending-operands",
        r#"(module
  (memory (export "memory") 1 3)
  (global $g (export "g") (mut i32) (i32.const 5))
  (func $id (export "id") (param i32) (result i32) local.get 0)
  (func $touch (param i32) (result i32)
    local.get 0 i32.const 3 i32.and i32.const 4 i32.mul
    local.get 0 i32.store
    local.get 0 global.set $g
    local.get 0 i32.const 1 i32.add)
  (func (export "across-calls") (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add
    local.get 1
    local.get 0 call $id
    i32.add
    local.get 0 local.get 1 i32.xor call $touch
    i32.sub
    i32.mul)
  (func (export "across-stores") (param i32 i32) (result i32)
    i32.const 0 i32.load
    local.get 0 i32.const 7 i32.add
    i32.const 0 local.get 1 i32.store
    i32.const 0 i32.load
    i32.const 4 local.get 0 i32.store8 offset=3
    i32.const 4 i32.load
    i32.add i32.add i32.add)
  (func (export "across-a-loop") (param i32) (result i32) (local i32)
    local.get 0 i32.const 100 i32.add
    local.get 0 i32.const 3 i32.mul
    local.get 0 i32.const 7 i32.and local.set 1
    loop
      local.get 1 i32.eqz
      if
      else
        local.get 1 i32.const 1 i32.sub local.set 1
        br 1
      end
    end
    i32.add)
  (func (export "load-then-store-then-use") (param i32) (result i32)
    local.get 0 i32.const 63 i32.and i32.load
    local.get 0 i32.const 63 i32.and local.get 0 i32.store
    local.get 0 i32.const 63 i32.and i32.load
    i32.sub))"#,
    ),
    (
        "overwritten-locals",
        r#"(module
  (func (export "under-a-copy") (param i32) (result i32)
    local.get 0
    i32.const 9 local.set 0
    local.get 0
    i32.add)
  (func (export "swapped") (param i32 i32) (result i32 i32)
    local.get 0 local.get 1 local.set 0 local.set 1
    local.get 0 local.get 1)
  (func (export "many-copies") (param i32) (result i32)
    local.get 0 local.get 0 local.get 0
    local.get 0 i32.const 1 i32.add local.tee 0
    local.get 0
    local.get 0 i32.const 2 i32.mul local.set 0
    local.get 0
    i32.add i32.add i32.add i32.add i32.add)
  (func (export "copies-through-blocks") (param i32) (result i32)
    local.get 0
    block
      i32.const 5 local.set 0
      local.get 0 i32.const 1 i32.and br_if 0
      i32.const 6 local.set 0
    end
    local.get 0 i32.add)
  (func (export "copies-through-if") (param i32 i32) (result i32)
    local.get 0 local.get 1
    local.get 0
    if
      i32.const 77 local.set 1
    else
      i32.const 78 local.set 0
    end
    i32.sub local.get 0 i32.add local.get 1 i32.add)
  (func (export "copies-through-a-loop") (param i32 i32) (result i32)
    local.get 0
    local.get 1 i32.const 7 i32.and local.set 1
    loop
      local.get 0 i32.const 3 i32.add local.set 0
      local.get 1 i32.const 1 i32.sub local.tee 1
      i32.const 0 i32.gt_s br_if 0
    end
    local.get 0 i32.sub)
  (func (export "set-and-reset") (param i32 i64 f32 f64) (result i32)
    local.get 0 local.get 1 local.get 2 local.get 3
    f64.const 1.5 local.set 3
    f32.const 2.5 local.set 2
    i64.const 9 local.set 1
    local.get 3 f64.add drop
    local.get 2 f32.add drop
    local.get 1 i64.add drop
    local.get 0 i32.add))"#,
    ),
    (
        "control",
        r#"(module
  (global $g (export "g") (mut i32) (i32.const 0))
  (func (export "nothing"))
  (func (export "nothing-but-locals") (param i64) (local f64 i32))
  (func (export "tail") (param i32) (result i32) local.get 0)
  (func (export "return-early") (param i32) (result i32)
    i32.const 4 i32.const 5
    local.get 0 if local.get 0 return end
    i32.add)
  (func (export "return-from-the-middle") (param i32) (result i32 i32)
    i32.const 1 local.get 0 i32.const 3 i32.const 4 return)
  (func (export "dead-code") (param i32) (result i32)
    block (result i32)
      i32.const 3
      br 0
      i32.const 4 i32.add drop unreachable
    end
    local.get 0 i32.add)
  (func (export "else-behind-a-way-out") (param i32) (result i32)
    i32.const 40 local.get 0
    local.get 0 i32.const 1 i32.and
    if (param i32) (result i32) i32.const 1 i32.add br 0 else i32.const 2 i32.add end
    local.get 0 i32.const 2 i32.and
    if (param i32 i32) (result i32 i32) drop return else global.get $g drop end
    local.get 0 i32.const 4 i32.and
    if (param i32 i32) (result i32 i32) local.get 0 br_table 0 0 else local.get 0 global.set $g end
    local.get 0 i32.const 24 i32.eq
    if (param i32 i32) (result i32) unreachable else i32.add end)
  (func (export "loop-first") (param i32) (result i32) (local i32)
    loop (result i32)
      local.get 1 i32.const 1 i32.add local.tee 1
      local.get 0 i32.const 7 i32.and i32.lt_u br_if 0
      local.get 1
    end)
  (func (export "loop-with-params") (param i32) (result i32)
    local.get 0 i32.const 7 i32.and
    i32.const 1
    loop (param i32 i32) (result i32)
      local.get 0 i32.add
      local.set 0
      i32.const 1 i32.sub
      local.tee 0
      local.get 0
      i32.const 2
      local.get 0 i32.const 0 i32.gt_s
      br_if 0
      drop drop
    end)
  (func (export "nested-loops") (param i32) (result i32) (local i32 i32 i32)
    loop
      i32.const 0 local.set 2
      loop
        i32.const 0 local.set 3
        loop
          local.get 0 local.get 1 local.get 2 i32.mul i32.add local.get 3 i32.xor local.set 0
          local.get 3 i32.const 1 i32.add local.tee 3 i32.const 3 i32.lt_u br_if 0
          local.get 0 i32.const 5 i32.rem_u i32.eqz br_if 1
        end
        local.get 2 i32.const 1 i32.add local.tee 2 i32.const 4 i32.ge_u
        br_if 0
      end
      local.get 1 i32.const 1 i32.add local.tee 1 i32.const 3 i32.lt_u br_if 0
    end
    local.get 0)
  (func (export "if-with-results") (param i32 i64) (result i32 i64)
    local.get 0
    if (result i32 i64)
      i32.const 1 local.get 1 i64.const 1 i64.add
    else
      i32.const 2 local.get 1
    end)
  (func (export "if-with-params") (param i32 i32) (result i32)
    i32.const 1000
    local.get 0 local.get 1
    local.get 0
    if (param i32 i32) (result i32)
      i32.add
    else
      i32.sub i32.const 5 i32.mul
    end
    i32.add)
  (func (export "if-without-else") (param i32) (result i32)
    local.get 0
    local.get 0 i32.const 1 i32.and
    if (param i32) (result i32) i32.const 10 i32.add end
    local.get 0 i32.const 2 i32.and
    if i32.const 3 local.set 0 end
    local.get 0 i32.add)
  (func (export "table-of-values") (param i32 i32) (result i32)
    block (result i32)
      block (result i32)
        block (result i32)
          local.get 1 i32.const 5 i32.add
          local.get 0
          br_table 0 1 2 1
        end
        i32.const 100 i32.add
      end
      i32.const 1000 i32.add
      global.get $g i32.add
    end
    local.get 0 i32.add)
  (func (export "table-to-a-loop") (param i32) (result i32) (local i32)
    block
      loop
        local.get 1 i32.const 1 i32.add local.tee 1
        i32.const 6 i32.gt_u br_if 1
        local.get 0 local.get 1 i32.add i32.const 3 i32.and
        br_table 0 1 0 0
      end
    end
    local.get 1)
  (func (export "branch-with-a-pile") (param i32) (result i32 f64)
    block (result i32 f64)
      i32.const 11 i64.const 12 f32.const 13
      local.get 0 f64.const 4.5
      local.get 0 br_if 0
      drop drop drop drop drop
      i32.const -1 f64.const -1
    end)
  (func (export "many-results-of-a-block") (param i32) (result i32)
    block (result i32 i32 i32 i32 i32 i32)
      i32.const 1 local.get 0 i32.const 3 local.get 0 i32.const 5 local.get 0
      local.get 0 i32.const 1 i32.and br_if 0
      i32.const 2 i32.mul
    end
    i32.add i32.add i32.sub i32.mul i32.xor)
  (func (export "selects") (param i32 i64 f64) (result i64)
    local.get 0 i32.const 3 local.get 0 select drop
    local.get 2 f64.const 1 local.get 0 select drop
    local.get 1 i64.const 9 local.get 0 i32.eqz select
    local.get 1 i64.const 4 local.get 0 select (result i64) i64.add)
  (func (export "empty-blocks") (param i32) (result i32)
    block end block block end end loop end
    local.get 0 if else end
    nop nop
    block (result i32) local.get 0 end)
  (func (export "infinite-but-for-one-way-out") (param i32) (result i32) (local i32)
    loop
      local.get 1 i32.const 1 i32.add local.set 1
      local.get 1 i32.const 9 i32.eq if local.get 1 return end
      br 0
    end
    unreachable))"#,
    ),
    (
        "traps",
        r#"(module
  (memory (export "memory") 1 1)
  (data (i32.const 0) "\01\02\03\04\05\06\07\08")
  (data $passive "abcdef")
  (table $t (export "t") 6 10 funcref)
  (elem (i32.const 0) $one $two $three)
  (elem $seg func $one $two)
  (type $int (func (result i32)))
  (func $one (result i32) i32.const 1)
  (func $two (param i32) (result i32) local.get 0)
  (func $three (result i32) i32.const 3 i32.const 0 i32.div_u)
  (func (export "div") (param i32 i32) (result i32)
    local.get 0 i32.const 3 i32.add local.tee 0
    local.get 0 local.get 1 i32.div_s
    local.get 0 local.get 1 i32.rem_u i32.add i32.add)
  (func (export "div64") (param i64 i64) (result i64)
    local.get 0 local.get 0 local.get 1 i64.div_s local.tee 0 local.get 1 i64.rem_s i64.add)
  (func (export "trunc") (param f32 f64) (result i64)
    local.get 0 i32.trunc_f32_s i64.extend_i32_s
    local.get 1 i64.trunc_f64_u
    local.get 1 i32.trunc_f64_s drop
    i64.add)
  (func (export "load") (param i32 i32) (result i32)
    local.get 1 i32.const 2 i32.shl local.set 1
    local.get 1 local.get 0 i32.load offset=2
    local.get 0 i32.const 65532 i32.add i32.load16_u
    i32.add i32.add)
  (func (export "load-far") (param i32) (result i64)
    i64.const 7 local.get 0 i64.load offset=65530 i64.add)
  (func (export "store") (param i32 i64)
    local.get 0 i32.const 1 i32.add
    local.tee 0
    local.get 1 i64.store offset=65520)
  (func (export "unreachable") (param i32) (result i32)
    i32.const 4 local.get 0 i32.add local.set 0
    local.get 0 i32.const 3 i32.mul
    unreachable)
  (func (export "after-a-branch") (param i32 i32) (result i32)
    block
      local.get 0 br_if 0
      i32.const 5 local.get 1 i32.div_u local.set 1
    end
    block
      local.get 1 i32.eqz br_if 0
      unreachable
    end
    local.get 1)
  (func (export "in-a-loop") (param i32) (result i32) (local i32)
    loop
      local.get 1 i32.const 1 i32.add local.set 1
      i32.const 60 local.get 1 local.get 0 i32.sub i32.div_s local.set 0
      local.get 1 i32.const 10 i32.lt_u br_if 0
    end
    local.get 0)
  (func (export "deeper") (param i32) (result i32)
    local.get 0 i32.const 5 i32.and local.tee 0
    i32.const 99
    local.get 0 call_indirect (type $int)
    i32.add i32.add)
  (func (export "indirect") (param i32) (result i32)
    i32.const 77 local.get 0 i32.const 1 i32.add call_indirect (type $int) i32.add)
  (func (export "copy") (param i32 i32 i32) (result i32)
    i32.const 1
    local.get 0 local.get 1 local.get 2 memory.copy
    local.get 0 i32.const 8 i32.and i32.load i32.add)
  (func (export "fill") (param i32 i32 i32)
    local.get 0 local.get 1 local.get 2 memory.fill)
  (func (export "init") (param i32 i32 i32)
    local.get 0 local.get 1 local.get 2 memory.init $passive
    data.drop $passive)
  (func (export "tables") (param i32 i32 i32) (result i32)
    local.get 0 local.get 1 local.get 2 table.init $t $seg
    local.get 2 local.get 1 local.get 0 table.copy
    local.get 0 table.get $t ref.is_null
    elem.drop $seg)
  (func (export "set-table") (param i32) (result i32)
    local.get 0 ref.func $one table.set $t
    local.get 0 local.get 0 table.get $t table.set $t
    local.get 0 call_indirect (type $int))
  (func (export "bits") (param i32 i64) (result i32)
    local.get 0 i32.clz local.get 0 i32.ctz i32.add local.get 0 i32.popcnt i32.add
    local.get 1 i64.popcnt i32.wrap_i64 i32.rotl
    local.get 1 i32.wrap_i64 i32.div_u))"#,
    ),
    (
        "globals",
        r#"(module
  (global $a (export "a") (mut i32) (i32.const 1))
  (global $b (export "b") (mut i64) (i64.const 2))
  (global $c (export "c") (mut f32) (f32.const 3))
  (global $d (export "d") (mut f64) (f64.const 4))
  (global $e (export "e") (mut funcref) (ref.null func))
  (global $f (export "f") (mut externref) (ref.null extern))
  (global $k i32 (i32.const 42))
  (func (export "before-and-after") (param i32) (result i32)
    global.get $a
    local.get 0 global.set $a
    global.get $a
    i32.const 5 global.set $a
    global.get $a
    i32.add i32.sub)
  (func (export "all") (param i32 i64 f32 f64 externref) (result i32 i64 f32 f64 externref)
    global.get $a global.get $b global.get $c global.get $d global.get $f
    local.get 0 global.get $a i32.add global.set $a
    local.get 1 global.get $b i64.add global.set $b
    local.get 2 global.get $c f32.add global.set $c
    local.get 3 global.get $d f64.add global.set $d
    local.get 4 global.set $f)
  (func $count (export "count") (result i32)
    global.get $a i32.const 1 i32.add global.set $a global.get $a)
  (func (export "around-a-call") (result i32)
    global.get $a call $count global.get $a call $count i32.add i32.add i32.add)
  (func (export "reference") (param i32) (result i32)
    global.get $e ref.is_null
    ref.func $count global.set $e
    global.get $e ref.is_null
    i32.add global.get $k i32.add)
  (func (export "often-read") (param i32) (result i32) (local i32)
    loop
      local.get 0 global.get $a i32.add global.get $a i32.xor local.set 0
      local.get 1 i32.const 1 i32.add local.tee 1
      i32.const 12 i32.lt_u br_if 0
    end
    local.get 0))"#,
    ),
    (
        "memory",
        r#"(module
  (memory (export "memory") 1 12)
  (data (i32.const 0) "the quick brown fox jumps over the lazy dog, and again and again")
  (func (export "sizes") (param i32) (result i32)
    memory.size
    local.get 0 i32.const 3 i32.and memory.grow
    memory.size
    i32.const 100 i32.mul i32.add i32.add)
  (func (export "behind-the-old-end") (param i32) (result i32)
    memory.size i32.const 16 i32.shl i32.const 4 i32.sub
    local.tee 0
    i32.load
    i32.const 1 memory.grow drop
    local.get 0 i32.load offset=4
    i32.add)
  (func (export "sum") (param i32) (result i32) (local i32 i32)
    local.get 0 i32.const 15 i32.and local.set 0
    loop
      local.get 2
      local.get 1 i32.const 2 i32.shl i32.load
      local.get 1 i32.load8_u offset=7
      i32.xor i32.add local.set 2
      local.get 1 i32.const 1 i32.add local.tee 1
      local.get 0 i32.le_u br_if 0
    end
    local.get 2)
  (func (export "chase") (param i32) (result i32) (local i32)
    loop
      local.get 0 i32.const 63 i32.and i32.load local.set 0
      local.get 1 i32.const 1 i32.add local.tee 1 i32.const 8 i32.lt_u br_if 0
    end
    local.get 0)
  (func (export "one-region-of-loads") (param i32) (result i32)
    local.get 0 i32.const 31 i32.and local.tee 0 i32.load
    local.get 0 i32.load offset=4
    i32.add
    local.get 0 i32.load16_s offset=8
    i32.add
    local.tee 0
    i32.const 28 i32.and i32.load
    local.get 0 i32.const 28 i32.and i32.load8_s offset=1
    i32.mul
    i32.const 32 i32.load
    local.get 0
    i32.add i32.add
    i32.const 0 i32.load i32.const 0 i32.load i32.sub i32.add)
  (func (export "decide-by-memory") (param i32) (result i32)
    i32.const 0 i32.load8_u i32.const 1 i32.and
    if (result i32)
      i32.const 4 i32.load8_u i32.const 3 i32.and
      local.get 0 i32.add
    else
      block (result i32)
        i32.const 8 i32.load
        i32.const 12 i32.load8_u br_if 0
        i32.const 16 i32.load i32.add
      end
    end
    i32.const 20 i32.load8_u i32.const 3 i32.and
    local.get 0 i32.const 0
    i32.const 24 i32.load8_u
    select i32.sub i32.add)
  (func (export "table-by-memory") (param i32) (result i32)
    block block block
      i32.const 2 i32.load8_u i32.const 3 i32.and br_table 0 1 2 0
    end i32.const 10 local.get 0 i32.add return
    end i32.const 3 i32.load8_u return
    end i32.const 30)
  (func (export "divide-by-memory") (param i32) (result i32)
    local.get 0 i32.const 1000 i32.add
    i32.const 1 i32.load8_u i32.const 3 i32.and
    i32.div_u
    i32.const 6 i32.load16_u i32.const 65536 i32.mul i32.load
    i32.add)
  (func (export "copy-about") (param i32 i32) (result i32)
    i32.const 40 i32.load
    i32.const 40 local.get 0 i32.const 31 i32.and i32.const 9 memory.copy
    i32.const 40 i32.load
    local.get 1 i32.const 63 i32.and i32.const 170 i32.const 3 memory.fill
    i32.const 40 i32.load
    i32.sub i32.add))"#,
    ),
    (
        "tables",
        r#"(module
  (table $t (export "t") 8 40 funcref)
  (table $x (export "x") 4 20 externref)
  (elem (table $t) (i32.const 0) func $zero $one $two)
  (type $f (func (param i32) (result i32)))
  (func $zero (type $f) local.get 0)
  (func $one (type $f) local.get 0 i32.const 1 i32.add)
  (func $two (type $f) local.get 0 i32.const 2 i32.mul)
  (func $other (result i64) i64.const 4)
  (func (export "get-and-set") (param i32 externref) (result i32)
    local.get 0 i32.const 3 i32.and local.tee 0
    table.get $x ref.is_null
    local.get 0 local.get 1 table.set $x
    local.get 0 table.get $x ref.is_null
    i32.const 2 i32.mul i32.add)
  (func (export "grow") (param i32) (result i32)
    table.size $t
    ref.func $two local.get 0 i32.const 3 i32.and table.grow $t
    table.size $t i32.add i32.add
    local.get 0 i32.const 3 i32.and ref.func $other i32.const 1 table.fill $t)
  (func (export "dispatch") (param i32) (result i32) (local i32)
    loop
      local.get 0
      local.get 0 i32.const 3 local.get 1 i32.and i32.const 3 i32.rem_u call_indirect (type $f)
      i32.add i32.const 255 i32.and local.set 0
      local.get 1 i32.const 1 i32.add local.tee 1 i32.const 8 i32.lt_u br_if 0
    end
    local.get 0)
  (func (export "references") (param i32 funcref externref) (result i32) (local funcref externref)
    local.get 1 local.get 2 local.get 3 local.get 4
    local.get 1 local.set 3 local.get 2 local.set 4
    ref.is_null local.set 0 ref.is_null local.get 0 i32.add local.set 0
    ref.is_null local.get 0 i32.add local.set 0
    ref.is_null
    local.get 3 local.get 1 local.get 0 select (result funcref) ref.is_null
    i32.add
    local.get 0 i32.add)
  (func (export "keep") (param funcref) (result funcref) (local i32)
    i32.const 7 local.get 0 table.set $t
    i32.const 7 table.get $t
    i32.const 7 ref.null func table.set $t)
  (export "other" (func $other)) (export "two" (func $two)))"#,
    ),
    (
        "recursion",
        r#"(module
  (global $n (export "n") (mut i32) (i32.const 0))
  (func $fib (export "fib") (param i32) (result i32)
    local.get 0 i32.const 7 i32.and local.tee 0
    i32.const 2 i32.lt_u
    if (result i32) local.get 0
    else
      local.get 0 i32.const 1 i32.sub call $fib
      local.get 0 i32.const 2 i32.sub call $fib
      i32.add
    end)
  (func $even (export "even") (param i32) (result i32)
    local.get 0 i32.const 15 i32.and local.tee 0 i32.eqz
    if (result i32) i32.const 1 else local.get 0 i32.const 1 i32.sub call $odd end)
  (func $odd (param i32) (result i32)
    local.get 0 i32.eqz
    if (result i32) i32.const 0 else local.get 0 i32.const 1 i32.sub call $even end)
  (func $ack (export "ack") (param i32 i32) (result i32)
    local.get 0 i32.const 1 i32.and local.set 0
    local.get 1 i32.const 3 i32.and local.set 1
    local.get 0 i32.eqz if local.get 1 i32.const 1 i32.add return end
    local.get 1 i32.eqz if local.get 0 i32.const 1 i32.sub i32.const 1 call $ack return end
    local.get 0 i32.const 1 i32.sub
    local.get 0 local.get 1 i32.const 1 i32.sub call $ack
    call $ack)
  (func $deep (param i32 i64 f64) (result f64)
    local.get 2 f64.const 0.5 f64.add
    local.get 0 i32.eqz
    if (param f64) (result f64)
    else
      local.get 0 i32.const 1 i32.sub local.get 1 i64.const 3 i64.mul local.get 2
      call $deep
      f64.add
    end
    local.get 1 f64.convert_i64_s f64.add)
  (func (export "deep") (param f64) (result f64) i32.const 60 i64.const 7 local.get 0 call $deep)
  (func $trap (param i32) (result i32)
    local.get 0 i32.const 100 local.get 0 i32.div_u
    local.get 0 i32.const 1 i32.sub call $trap i32.add i32.add)
  (func (export "deep-trap") (result i32) i32.const 30 call $trap)
  (func $for-ever (export "for-ever") (param i32) (result i32)
    global.get $n i32.const 1 i32.add global.set $n
    local.get 0 local.get 0 i32.const 1 i32.add call $for-ever i32.add))"#,
    ),
    (
        "host",
        r#"(module
  (import "host" "plain" (func $plain (param i32) (result i32)))
  (import "host" "call" (func $call (param i32) (result i32)))
  (import "host" "change" (func $change (param i32) (result i32)))
  (import "host" "call-many" (func $many (param i32 i64 f32 f64) (result i32 i64 f32 f64)))
  (import "host" "trap" (func $trap))
  (import "host" "g" (global $imported i32))
  (import "host" "memory" (memory 1 4))
  (global $g (export "g") (mut i32) (i32.const 3))
  (func $start i32.const 8 i32.const 1 call $change i32.store)
  (start $start)
  (func (export "plain") (param i32) (result i32)
    local.get 0 i32.const 2 i32.mul
    local.get 0 call $plain
    local.get 0 i32.const 63 i32.and i32.load
    i32.add i32.add)
  (func (export "back") (param i32) (result i32)
    global.get $g
    local.get 0 i32.const 3 i32.add local.tee 0
    i32.const 4 i32.load
    local.get 0 call $call
    i32.const 4 i32.load
    global.get $g
    i32.add i32.add i32.add i32.add i32.add)
  (func (export "changed") (param i32) (result i32)
    i32.const 0 i32.load
    i32.const 0 call $change
    i32.const 0 i32.load
    i32.const 5 call $change
    global.get $g i32.const 0 i32.load
    i32.add i32.add i32.add i32.add i32.add)
  (func (export "many") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
    local.get 0 local.get 1 local.get 2 local.get 3 call $many
    local.set 3 local.set 2 local.set 1
    local.get 1 local.get 2 local.get 3)
  (func (export "trap-there") (param i32) (result i32)
    i32.const 5 local.get 0 i32.const 1 i32.and if call $trap end)
  (func (export "loop-of-calls") (param i32) (result i32) (local i32)
    loop
      local.get 0 local.get 1 call $plain i32.add
      local.get 1 i32.const 1 i32.and if (param i32) (result i32) call $change end
      local.set 0
      local.get 1 i32.const 1 i32.add local.tee 1 i32.const 5 i32.lt_u br_if 0
    end
    local.get 0 global.get $imported i32.add)
  (func (export "store") (param i32 i32) (result i32)
    local.get 0 i32.const 63 i32.and local.get 1 i32.store
    local.get 1 global.set $g
    i32.const 8 i32.load))"#,
    ),
    (
        "floats",
        r#"(module
  (memory (export "memory") 1 2)
  (global $g (export "g") (mut f64) (f64.const 2))
  (func (export "f64") (param f64 f64) (result f64)
    local.get 0 local.get 1 f64.add local.get 0 local.get 1 f64.mul f64.sub
    local.get 0 f64.sqrt f64.max local.get 1 f64.floor f64.min
    local.tee 0 local.get 1 f64.div local.get 0 f64.neg f64.abs f64.copysign
    global.get $g local.get 0 global.set $g f64.nearest f64.trunc f64.ceil f64.add)
  (func (export "f32") (param f32 f32) (result f32)
    local.get 0 local.get 1 f32.add local.get 0 local.get 1 f32.mul f32.sub
    local.get 0 f32.sqrt f32.max local.get 1 f32.floor f32.min
    local.tee 0 local.get 1 f32.div local.get 0 f32.neg f32.abs f32.copysign
    f32.nearest f32.trunc f32.ceil)
  (func (export "conversions") (param i32 i64 f32 f64) (result f64)
    local.get 0 f32.convert_i32_s f64.promote_f32 local.get 0 f32.convert_i32_u f64.promote_f32 f64.add
    local.get 1 f64.convert_i64_s local.get 1 f64.convert_i64_u f64.sub f64.add
    local.get 3 f32.demote_f64 local.get 2 f32.add f64.promote_f32 f64.mul
    local.get 2 i32.trunc_sat_f32_s f64.convert_i32_s f64.add
    local.get 3 i64.trunc_sat_f64_u f64.convert_i64_u f64.add
    local.get 2 i32.reinterpret_f32 f32.reinterpret_i32 f64.promote_f32
    local.get 3 i64.reinterpret_f64 f64.reinterpret_i64 f64.add f64.add)
  (func (export "stores") (param f32 f64) (result f64)
    i32.const 0 f64.load i32.const 8 f32.load
    i32.const 8 local.get 1 f64.store
    i32.const 4 local.get 0 f32.store
    f64.promote_f32 f64.add i32.const 0 f64.load f64.mul)
  (func (export "compare") (param f64 f64 f32) (result i32)
    local.get 0 local.get 1 f64.lt local.get 0 local.get 1 f64.ge i32.add
    local.get 0 local.get 0 f64.ne i32.sub local.get 2 local.get 2 f32.eq i32.add
    local.get 0 local.get 1 f64.le local.get 2 f32.const 0 f32.gt i32.or i32.xor)
  (func (export "newton") (param f64) (result f64) (local i32 f64)
    local.get 0 local.set 2
    loop
      local.get 2 local.get 0 local.get 2 f64.div f64.add f64.const 0.5 f64.mul local.set 2
      local.get 1 i32.const 1 i32.add local.tee 1 i32.const 10 i32.lt_u br_if 0
    end
    local.get 2))"#,
    ),
    (
        "wide-calls",
        r#"(module
  (type $wide (func (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64) (result i64)))
  (table 2 2 funcref) (elem (i32.const 0) $wide $wide)
  (func $wide (export "wide") (type $wide)
    local.get 0 i64.extend_i32_s local.get 1 i64.add local.get 2 i64.trunc_sat_f32_s i64.add local.get 3 i64.trunc_sat_f64_s i64.add
    local.get 16 i64.extend_i32_s i64.add local.get 17 i64.xor
    local.get 18 i64.trunc_sat_f32_s i64.sub local.get 19 i64.trunc_sat_f64_s i64.mul)
  (func (export "call") (param i32 i64 f32 f64) (result i64)
    local.get 1
    local.get 0 local.get 1 local.get 2 local.get 3 local.get 0 local.get 1 local.get 2 local.get 3 local.get 0 local.get 1
    local.get 2 local.get 3 local.get 0 local.get 1 local.get 2 local.get 3 local.get 0 local.get 1 local.get 2 local.get 3
    call $wide
    local.get 0 local.get 1 local.get 2 local.get 3 i32.const 1 i64.const 2 f32.const 3 f64.const 4 local.get 0 local.get 1
    local.get 2 local.get 3 local.get 0 local.get 1 local.get 2 local.get 3 local.get 0 local.get 1 local.get 2 local.get 3
    local.get 0 i32.const 1 i32.and
    call_indirect (type $wide)
    i64.add i64.sub))"#,
    ),
    (
        "exceptions",
        r#"(module
  (import "host" "plain" (func $plain (param i32) (result i32)))
  (import "host" "trap" (func $trap))
  (memory (export "memory") 1 2)
  (global $g (export "g") (mut i32) (i32.const 3))
  (tag $none)
  (tag $i (param i32))
  (tag $many (param i64 f32 i32 f64))
  (func $throws (param i32) (result i32)
    local.get 0 i32.const 3 i32.and
    if (result i32)
      local.get 0 i32.const 1 i32.and
      if (result i32)
        local.get 0 i32.const 2 i32.and if local.get 0 throw $i end
        throw $none
      else
        i64.const 5 f32.const 1.5 local.get 0 f64.const 2.5 throw $many
      end
    else
      local.get 0 i32.const 7 i32.add
    end)
  (func $deeper (param i32 i32) (result i32)
    local.get 1 i32.eqz if (result i32) local.get 0 call $throws else
      local.get 0 local.get 1 i32.const 1 i32.sub call $deeper i32.const 1 i32.add end)
  (func (export "caught") (param i32) (result i32) (local i32)
    local.get 0 i32.const 10 i32.add local.set 1
    block $none
      block $i (result i32)
        block $many (result i64 f32 i32 f64)
          local.get 1 i32.const 1 i32.add local.set 1
          try_table (result i32) (catch $none $none) (catch $i $i) (catch $many $many)
            local.get 1 i32.const 100 i32.add local.set 1
            local.get 0 call $throws
          end
          local.get 1 i32.add
          return
        end
        drop local.get 1 i32.add local.set 1 drop drop
        local.get 1
        return
      end
      local.get 1 i32.mul
      return
    end
    local.get 1 i32.const 1000 i32.add)
  (func (export "operands-below") (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add
    local.get 0
    i32.const 9
    block (result i32)
      local.get 1
      i32.const 4
      try_table (result i32) (catch $i 0)
        local.get 0 i32.const 3 i32.or
        i32.const 17 local.set 0
        call $throws
      end
      i32.add i32.add
    end
    i32.add i32.add i32.add)
  (func (export "through-frames") (param i32) (result i32)
    block $caught (result exnref)
      try_table (result i32) (catch_all_ref $caught)
        local.get 0 i32.const 5 call $deeper
      end
      return
    end
    ref.is_null i32.const 50 i32.add)
  (func (export "again") (param i32) (result i32) (local exnref i32)
    block $outer
      block $inner (result exnref)
        try_table (result i32) (catch_all_ref $inner)
          local.get 0 call $throws
        end
        return
      end
      local.set 1
      global.get $g i32.const 1 i32.add global.set $g
      try_table (catch $none $outer)
        block $i (result i32)
          try_table (catch $i $i) local.get 1 throw_ref end
          unreachable
        end
        local.set 2
      end
      local.get 2
      return
    end
    i32.const -1)
  (func (export "to-a-loop") (param i32) (result i32) (local i32 i32)
    i32.const 0
    loop $again (param i32) (result i32)
      local.get 2 i32.add local.set 2
      local.get 1 i32.const 1 i32.add local.tee 1
      i32.const 4 i32.gt_u if local.get 2 return end
      try_table (result i32) (catch $i $again)
        local.get 0 local.get 1 i32.add i32.const 3 i32.or call $throws
      end
    end)
  (func (export "to-the-function") (param i32) (result i32)
    try_table (result i32) (catch $i 0)
      local.get 0 i32.const 3 i32.and i32.const 3 i32.ne if unreachable end
      local.get 0 call $throws
    end
    i32.const 3 i32.add)
  (func (export "to-an-if") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    if (param i32) (result i32)
      i32.const 1 i32.add
      try_table (param i32) (result i32) (catch $i 0)
        i32.const 3 i32.or call $throws
      end
      i32.const 2 i32.mul
    else
      i32.const 40 i32.add
    end
    i32.const 8 i32.add)
  (func (export "branches-beside") (param i32 i32) (result i32) (local i32)
    block $here
      local.get 0 br_if $here
      local.get 1 i32.const 5 i32.add local.set 2
      try_table (catch_all $here)
        local.get 2 br_if 1
        local.get 1 i32.const 1 i32.or call $throws drop
      end
      local.get 2 i32.const 1 i32.add local.set 2
    end
    local.get 2 i32.const 3 i32.mul
    i32.const 4 i32.load i32.add)
  (func (export "thrown-here") (param i32) (result i32)
    block $none
      block $i (result i32)
        try_table (catch $i $i) (catch_all $none)
          local.get 0 i32.const 1 i32.and if throw $none end
          local.get 0 throw $i
        end
        unreachable
      end
      i32.const 6 i32.add return
    end
    i32.const 60)
  (func (export "nested") (param i32) (result i32) (local i32)
    block $all
      block $outer (result i32)
        try_table (catch $i $outer) (catch_all $all)
          block $inner
            try_table (catch $none $inner)
              local.get 0 call $throws local.set 1
            end
            local.get 1 i32.const 2 i32.add return
          end
          i32.const 500 throw $i
        end
        unreachable
      end
      return
    end
    i32.const 77)
  (func (export "no-trap") (param i32) (result i32)
    block
      try_table (catch_all 0)
        local.get 0 i32.const 1 i32.and if call $trap end
        i32.const 8 local.get 0 i32.div_u drop
      end
      i32.const 1 return
    end
    i32.const 2)
  (func (export "never-opened") (param i32) (result i32)
    i32.const 7
    block $out (result i32)
      local.get 0 i32.const 5 i32.add
      local.get 0 i32.const 1 i32.and br_if $out
      i32.const 2 i32.and
      if $if (result i32)
        i32.const 30 local.get 0 i32.const 4 i32.and br_if $if
        drop i32.const 40 br $out
        try_table (catch $i $if) (catch $i $out) end
        unreachable
      else
        i32.const 50 return
      end
      i32.const 2 i32.mul
      return
      try_table (catch $i $out) end
      unreachable
    end
    i32.add)
  (func (export "named-by-none") (param i32) (result i32)
    local.get 0 i32.const 1 i32.and
    if (result i32)
      block $b (result i32)
        i32.const 9 return
        try_table (catch $i $b) end
        unreachable
      end
      i32.const 1 i32.add
    else
      i32.const 3 local.get 0 i32.add
    end
    i32.const 2 i32.mul)
  (func (export "uncaught") (param i32) (result i32)
    block try_table (catch $none 0) local.get 0 call $plain i32.const 3 i32.or call $throws return end end
    i32.const 0)
  (func (export "null") (param i32) (result i32) (local exnref)
    block try_table (catch_all 0) local.get 1 throw_ref end end
    i32.const 3))"#,
    ),
    (
        "arguments-under-way",
        r#"(module
  (memory (export "memory") 1 2)
  (func $three (param i32 i32 i32) (result i32) local.get 0 local.get 1 i32.sub local.get 2 i32.mul)
  (func (export "nested") (param i32 i32) (result i32)
    i32.const 1000
    local.get 0
    local.get 1 local.get 0 i32.const 3 call $three
    i32.const 4 i32.load
    local.get 0 local.get 1 i32.const 7 call $three
    call $three
    local.get 0 i32.const 5 i32.add local.tee 0
    local.get 0 i32.const 9 local.set 0
    local.get 0 call $three
    i32.add i32.add i32.add)
  (func (export "store-of-a-call") (param i32) (result i32)
    local.get 0 i32.const 60 i32.and
    local.get 0 i32.const 1 local.get 0 call $three
    i32.store
    local.get 0 i32.const 60 i32.and i32.load
    i32.const 8 i32.load i32.add)
  (func (export "constants-across") (result i32)
    i32.const 1 i64.const 2 f32.const 3 f64.const 4
    i32.const 10 i32.const 20 i32.const 30 call $three
    i32.const 16 i32.const 5 i32.store
    drop drop drop drop
    i32.const 16 i32.load i32.add))"#,
    ),
];

const LINKED_A: &str = r#"(module
  (memory (export "memory") 1 3)
  (global (export "g") (mut i32) (i32.const 1))
  (table (export "t") 4 8 funcref)
  (elem (i32.const 0) $read $write)
  (func $read (export "read") (param i32) (result i32)
    local.get 0 i32.const 63 i32.and i32.load global.get 0 i32.add)
  (func $write (export "write") (param i32) (result i32)
    i32.const 4 local.get 0 i32.store
    local.get 0 global.set 0
    i32.const 4 i32.load))"#;

const LINKED_B: &str = r#"(module
  (import "a" "memory" (memory 1))
  (import "a" "g" (global $g (mut i32)))
  (import "a" "t" (table 4 funcref))
  (import "a" "read" (func $read (param i32) (result i32)))
  (import "a" "write" (func $write (param i32) (result i32)))
  (type $f (func (param i32) (result i32)))
  (func $own (type $f) local.get 0 global.get $g i32.mul)
  (elem (i32.const 2) $own)
  (func (export "across") (param i32) (result i32)
    global.get $g i32.const 4 i32.load
    local.get 0 call $write
    global.get $g i32.const 4 i32.load
    local.get 0 call $read
    i32.add i32.add i32.add i32.add i32.add)
  (func (export "indirect") (param i32) (result i32)
    global.get $g
    local.get 0
    local.get 0 i32.const 3 i32.and
    call_indirect (type $f)
    global.get $g i32.add i32.sub))"#;

/// Two hundred locals of all types, changed and read in turn.
fn many_locals() -> String {
    let types = ["i32", "i64", "f32", "f64"];
    let locals: String = (0..200).map(|i| format!(" {}", types[i % 4])).collect();
    let mut body = String::new();
    for i in 0..200 {
        let ty = types[i % 4];
        body += &format!("{ty}.const {i} local.get {} {ty}.add local.set {}\n", i + 4, i + 4);
        if i % 50 == 49 {
            body += &format!("i32.const {i} local.get 4 i32.store\n");
        }
        if i % 70 == 69 {
            body += "local.get 0 i32.const 1 i32.and if local.get 8 local.set 12 else local.get 12 local.set 8 end\n";
        }
    }
    format!(
        "(module (memory (export \"memory\") 1 2)
           (func (export \"f\") (param i32 i64 f32 f64) (result i32 i64) (local{locals})
             local.get 0 local.set 8 local.get 1 local.set 9 {body} local.get 8 local.get 9))"
    )
}

/// Many operands on the stack, across effects and branches.
fn deep_operands(count: usize) -> String {
    let push: String = (0..count).map(|i| format!("local.get {} i32.const {i} i32.add\n", i % 2)).collect();
    let copies: String = (0..count).map(|i| format!("local.get {}\n", i % 2)).collect();
    let add = "i32.add\n".repeat(count - 1);
    format!(
        "(module (memory (export \"memory\") 1 2)
           (func $id (param i32) (result i32) local.get 0)
           (func (export \"computed\") (param i32 i32) (result i32)
             {push} i32.const 0 i32.const 1 i32.store i32.const 3 call $id drop {add})
           (func (export \"copied\") (param i32 i32) (result i32)
             {copies} i32.const 5 local.set 0 i32.const 6 local.set 1
             local.get 0 if i32.const 7 local.set 0 end {add} local.get 0 i32.add)
           (func (export \"loop\") (param i32 i32) (result i32) (local i32)
             {push}
             loop local.get 2 i32.const 1 i32.add local.tee 2 i32.const 3 i32.lt_u br_if 0 end
             {add}))"
    )
}

/// A hundred operands below and a hundred that blocks of all kinds take and give: left as they are, changed, or left by
/// a branch.
fn deep_operands_passed_on() -> String {
    let push: String = (0..100).map(|i| format!("local.get {} i32.const {i} i32.mul\n", i % 2)).collect();
    let many = " i32".repeat(100);
    let ty = format!("(param{many}) (result{many})");
    let add = "i32.add\n".repeat(199);
    let ways = [
        ("block", format!("block {ty} local.get 1 br_if 0 drop drop local.get 0 call $id local.get 1 end")),
        ("if", format!("local.get 0 if {ty} drop drop i32.const 8 call $id i32.const 9 end")),
        ("else", format!("local.get 0 if {ty} drop local.get 1 call $id else call $id end")),
        (
            "loop",
            format!("loop {ty} call $id local.get 2 i32.const 1 i32.add local.tee 2 i32.const 3 i32.lt_u br_if 0 end"),
        ),
        (
            "table",
            format!("block {ty} block {ty} call $id local.get 0 br_table 0 1 0 end drop i32.const 5 call $id end"),
        ),
        ("call", "i32.const 3 call $id drop call $many".to_owned()),
    ];
    let mut text = format!(
        "(module (global $g (mut i32) (i32.const 0))
           (func $id (param i32) (result i32) local.get 0 global.set $g local.get 0)
           (func $many {ty} {} )\n",
        (0..100).map(|i| format!("local.get {i} ")).collect::<String>()
    );
    for (name, way) in ways {
        text +=
            &format!("(func (export \"{name}\") (param i32 i32) (result i32) (local i32) {push}{push}{way} {add})\n");
    }
    text + ")"
}

/// A function with forty results, of a block, and of a call.
fn forty_results() -> String {
    let types = ["i32", "i64", "f32", "f64"];
    let results: String = (0..40).map(|i| format!(" {}", types[i % 4])).collect();
    let values: String = (0..40).map(|i| format!("local.get {} ", i % 4)).collect();
    let drops = "drop ".repeat(39);
    format!(
        "(module
           (func $many (export \"many\") (param i32 i64 f32 f64) (result{results})
             local.get 0 if (result{results}) {values} else i32.const 9 local.set 0 {values} end)
           (func (export \"use\") (param i32 i64 f32 f64) (result i32)
             i32.const 17
             local.get 0 local.get 1 local.get 2 local.get 3 call $many {drops} i32.add)
           (func (export \"block\") (param i32 i64 f32 f64) (result i32)
             block (result{results}) {values} local.get 0 br_if 0 {drops} drop unreachable end {drops}))"
    )
}

/// Eight hundred instructions without an effect, with a division at the end that may trap.
fn long_region() -> String {
    let mut body = String::new();
    for i in 0..120 {
        body += &match i % 4 {
            0 => format!("local.get 0 i32.const {i} i32.add local.set 2\n"),
            1 => "local.get 2 local.get 1 i32.mul local.get 0 i32.xor local.tee 0 drop\n".to_owned(),
            2 => format!(
                "local.get 0 i32.const {} i32.and if local.get 1 i32.const 3 i32.rotl local.set 1 end\n",
                1 << (i % 31)
            ),
            _ => {
                format!("local.get 2 i32.const 63 i32.and i32.load offset={} local.get 1 i32.sub local.set 1\n", i % 8)
            }
        };
    }
    format!(
        "(module (memory (export \"memory\") 1 2) (data (i32.const 0) \"abcdefghijklmnopqrstuvwxyz0123456789\")
           (func (export \"f\") (param i32 i32) (result i32) (local i32)
             {body} local.get 0 local.get 1 i32.div_s local.get 2 i32.const 3 i32.and i32.div_u))"
    )
}

/// Sixty blocks in each other, left at all depths.
fn deep_blocks() -> String {
    let open = "block\n".repeat(60);
    let mut close = String::new();
    for i in 0..60 {
        close += &format!("end local.get 1 i32.const {i} i32.add local.set 1\n");
        if i % 7 == 3 {
            close += &format!("local.get 1 i32.const 5 i32.and br_if {}\n", (59 - i).min(2));
        }
    }
    let targets: String = (0..60).map(|i| format!(" {i}")).collect();
    format!(
        "(module (func (export \"f\") (param i32) (result i32) (local i32)
           block {open} local.get 0 br_table{targets} 60 {close} end local.get 1))"
    )
}

/// A function for each instruction that takes one or two numbers and gives one.
fn every_numeric_instruction() -> String {
    let mut text = String::from("(module\n");
    let mut function = |params: &[&str], result: &str, name: &str| {
        let gets: String = (0..params.len()).map(|i| format!("local.get {i} ")).collect();
        text += &format!(
            "(func (export \"{name}\") (param {}) (result {result} {result}) (local {result})
               {gets} {name} local.tee {} {gets} {name})\n",
            params.join(" "),
            params.len()
        );
    };
    for ty in ["i32", "i64"] {
        for name in ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"] {
            function(&[ty], ty, &format!("{ty}.{name}"));
        }
        for name in "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr".split(' ') {
            function(&[ty, ty], ty, &format!("{ty}.{name}"));
        }
        for name in "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split(' ') {
            function(&[ty, ty], "i32", &format!("{ty}.{name}"));
        }
        function(&[ty], "i32", &format!("{ty}.eqz"));
        for float in ["f32", "f64"] {
            for sign in ["s", "u"] {
                function(&[float], ty, &format!("{ty}.trunc_{float}_{sign}"));
                function(&[float], ty, &format!("{ty}.trunc_sat_{float}_{sign}"));
                function(&[ty], float, &format!("{float}.convert_{ty}_{sign}"));
            }
        }
    }
    for ty in ["f32", "f64"] {
        for name in "abs neg ceil floor trunc nearest sqrt".split(' ') {
            function(&[ty], ty, &format!("{ty}.{name}"));
        }
        for name in "add sub mul div min max copysign".split(' ') {
            function(&[ty, ty], ty, &format!("{ty}.{name}"));
        }
        for name in "eq ne lt gt le ge".split(' ') {
            function(&[ty, ty], "i32", &format!("{ty}.{name}"));
        }
    }
    function(&["i64"], "i64", "i64.extend32_s");
    function(&["i64"], "i32", "i32.wrap_i64");
    function(&["i32"], "i64", "i64.extend_i32_s");
    function(&["i32"], "i64", "i64.extend_i32_u");
    function(&["f64"], "f32", "f32.demote_f64");
    function(&["f32"], "f64", "f64.promote_f32");
    function(&["f32"], "i32", "i32.reinterpret_f32");
    function(&["f64"], "i64", "i64.reinterpret_f64");
    function(&["i32"], "f32", "f32.reinterpret_i32");
    function(&["i64"], "f64", "f64.reinterpret_i64");
    text + ")"
}

/// A function for each load and store. Every atomic instruction of a memory: aligned, with an offset, at the end, at
/// any address; with effects on both sides.
fn every_atomic_instruction(memory: &str) -> String {
    let mut text = format!(
        "(module (memory (export \"memory\") {memory}) (data (i32.const 0) \"\\ff\\80\\7f some more bytes\")\n"
    );
    let mut add = |name: &str, ty: &str, operands: usize, gives: bool, width: usize| {
        let params = format!("(param i32{})", format!(" {ty}").repeat(operands));
        let values: String = (1..=operands).map(|i| format!(" local.get {i}")).collect();
        let outcome = if gives { String::new() } else { format!("{ty}.const 7") };
        text += &format!(
            "(func (export \"{name}\") {params} (result {ty} {ty} i64)
               local.get 0 i32.const {} i32.and{values} {name} {outcome}
               local.get 0 i32.const 7 i32.and i32.const {width} i32.mul{values} {name} offset={width} {outcome}
               i32.const 8 i64.load)
             (func (export \"{name}-anywhere\") {params} (result {ty}) local.get 0{values} {name} offset=1 {outcome})
             (func (export \"{name}-at-the-end\") {params} (result {ty})
               local.get 0 i32.const 15 i32.and i32.const 65528 i32.add{values} {name} {outcome})\n",
            64 - width
        );
    };
    for (ty, widths) in [("i32", &[8, 16, 32][..]), ("i64", &[8, 16, 32, 64])] {
        for width in widths {
            let full = ty[1..] == width.to_string();
            let (of, u) = if full { (String::new(), "") } else { (width.to_string(), "_u") };
            add(&format!("{ty}.atomic.load{of}{u}"), ty, 0, true, width / 8);
            add(&format!("{ty}.atomic.store{of}"), ty, 1, false, width / 8);
            for op in ["add", "sub", "and", "or", "xor", "xchg"] {
                add(&format!("{ty}.atomic.rmw{of}.{op}{u}"), ty, 1, true, width / 8);
            }
            add(&format!("{ty}.atomic.rmw{of}.cmpxchg{u}"), ty, 2, true, width / 8);
        }
    }
    text + r#"
  (func (export "unused") (param i32 i32)
    local.get 0 i32.const 60 i32.and local.set 0
    local.get 0 local.get 1 i32.atomic.rmw.add drop
    local.get 0 local.get 1 i32.atomic.rmw.sub offset=4 drop
    local.get 0 local.get 1 i32.atomic.rmw.and offset=8 drop
    local.get 0 local.get 1 i32.atomic.rmw.or offset=12 drop
    atomic.fence
    local.get 0 local.get 1 i32.atomic.rmw.xor offset=16 drop)
  (func (export "waits") (param i32 i32 i64) (result i32 i32 i32 i64)
    local.get 0 i32.const 56 i32.and local.set 0
    local.get 2
    local.get 0 local.get 1 i64.const 1000 memory.atomic.wait32 offset=4
    local.get 0 local.get 0 i32.load i64.const 0 memory.atomic.wait32
    local.get 0 local.get 2 i64.const 0 memory.atomic.wait64 offset=8
    i32.add i32.add local.set 1 local.set 2
    local.get 1 local.get 0 i32.const 16 i32.load local.get 2)
  (func (export "notifies") (param i32 i32) (result i32 i32)
    local.get 0 i32.const 60 i32.and local.get 1 memory.atomic.notify
    local.get 0 local.get 1 memory.atomic.notify offset=2)
  (func (export "sizes") (param i32) (result i32 i32 i32)
    memory.size
    local.get 0 i32.const 1 i32.and memory.grow
    memory.size)
  (func (export "turns") (param i32) (result i32) (local i32)
    local.get 0 i32.const 15 i32.and local.set 0
    loop (result i32)
      i32.const 32 local.get 0 i32.atomic.rmw.add
      local.get 1 i32.add local.set 1
      local.get 1
      i32.const 32 i32.load i32.add
      local.get 0 i32.eqz if local.get 1 return end
      local.get 0 i32.const 1 i32.sub local.set 0
      drop br 0
    end)
)"#
}

fn every_load_and_store() -> String {
    let loads = "i32.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load i64.load8_s i64.load8_u i64.load16_s \
                 i64.load16_u i64.load32_s i64.load32_u f32.load f64.load";
    let stores = "i32.store i32.store8 i32.store16 i64.store i64.store8 i64.store16 i64.store32 f32.store f64.store";
    let mut text =
        String::from("(module (memory (export \"memory\") 1 3) (data (i32.const 0) \"\\ff\\80\\7f some bytes\")\n");
    for name in loads.split_whitespace() {
        let ty = &name[..3];
        text += &format!(
            "(func (export \"{name}\") (param i32) (result {ty} {ty})
               local.get 0 {name} local.get 0 i32.const 7 i32.and {name} offset=1)\n"
        );
        text += &format!(
            "(func (export \"{name}-at-the-end\") (param i32) (result {ty})
               local.get 0 i32.const 15 i32.and i32.const 65520 i32.add {name})\n"
        );
    }
    for name in stores.split_whitespace() {
        let ty = &name[..3];
        let load = format!("{ty}.load");
        text += &format!(
            "(func (export \"{name}\") (param i32 {ty}) (result {ty})
               i32.const 8 {load}
               local.get 0 local.get 1 {name} offset=8
               i32.const 10 local.get 1 {name}
               drop i32.const 8 {load})\n"
        );
    }
    text + ")"
}
