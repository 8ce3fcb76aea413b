//! Modules with exceptions as they were before `try_table`, written to be hard on regions.

use std::fmt::Write as _;

/// What `try`, its clauses, `delegate` and `rethrow` do beside each other and in each other.
pub const TRIES: &str = r#"(module
  (import "host" "plain" (func $plain (param i32) (result i32)))
  (import "host" "trap" (func $trap))
  (memory (export "memory") 1 2)
  (global $g (export "g") (mut i32) (i32.const 3))
  (table funcref (elem $throws))
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
      try (result i32)
        local.get 0 local.get 1 i32.const 1 i32.sub call $deeper
      catch $none
        global.get $g i32.const 1 i32.add global.set $g
        rethrow 0
      end
      i32.const 1 i32.add
    end)
  (func (export "caught") (param i32) (result i32) (local i32)
    local.get 0 i32.const 10 i32.add local.set 1
    try (result i32)
      local.get 1 i32.const 1 i32.add local.set 1
      local.get 1 i32.const 100 i32.add local.set 1
      local.get 0 call $throws
      local.get 1 i32.add
    catch $none
      local.get 1 i32.const 1000 i32.add
    catch $i
      local.get 1 i32.mul
    catch $many
      drop local.get 1 i32.add local.set 1 drop drop
      local.get 1
    end
    i32.const 3 i32.mul)
  (func (export "operands-below") (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add
    local.get 0
    i32.const 9
    try (result i32)
      local.get 1
      i32.const 4
      local.get 0 i32.const 3 i32.or
      i32.const 17 local.set 0
      call $throws
      i32.add i32.add
    catch $i
      local.get 0 i32.sub
    catch_all
      i32.const 5
      local.set 1
      local.get 1 local.get 0 i32.add
    end
    i32.add i32.add i32.add)
  (func (export "through-frames") (param i32) (result i32)
    try (result i32)
      local.get 0 i32.const 5 call $deeper
    catch_all
      i32.const 50
    end
    global.get $g i32.add)
  (func (export "again") (param i32) (result i32) (local i32)
    try (result i32)
      try (result i32)
        local.get 0 call $throws
      catch $i
        local.set 1
        global.get $g i32.const 1 i32.add global.set $g
        local.get 1 i32.const 4 i32.and if rethrow 1 end
        local.get 1
      catch_all
        i32.const 12 local.set 1
        rethrow 0
      end
    catch $i
      local.get 1 i32.add
    catch $many
      drop drop drop drop i32.const 77
    catch $none
      local.get 1 i32.const 70 i32.add
    end)
  (func (export "outer-again") (param i32) (result i32) (local i32 i32)
    try (result i32)
      try (result i32)
        local.get 0 i32.const 3 i32.or throw $i
      catch $i
        local.set 1
        try (result i32)
          i32.const 800 throw $i
        catch $i
          local.set 2
          local.get 1 i32.const 8 i32.and if rethrow 1 end
          try (result i32)
            local.get 1 i32.const 16 i32.and if rethrow 2 end
            rethrow 1
          catch_all
            i32.const 1 local.get 0 i32.const 15 i32.and i32.div_u
            i32.const 2 i32.and if rethrow 1 end
            i32.const 500 local.get 2 i32.add
            throw $i
          end
        catch_all
          i32.const 900 local.get 1 i32.add
        end
      end
    catch $i
      local.get 2 i32.const 2 i32.mul i32.add
    end)
  (func (export "kept-beside-others") (param i32) (result i32) (local i32)
    try (result i32)
      try (result i32)
        local.get 0 throw $i
      catch $i
        drop
        loop $more
          try
            local.get 1 i32.const 1000 i32.add throw $i
          catch $i
            global.set $g
          end
          try i32.const 3 throw $i catch_all end
          local.get 1 i32.const 1 i32.add local.tee 1 i32.const 3 i32.lt_u br_if $more
        end
        rethrow 0
      end
    catch $i
      global.get $g i32.add
    end)
  (func (export "to-a-loop") (param i32) (result i32) (local i32 i32)
    i32.const 0
    loop $again (param i32) (result i32)
      local.get 2 i32.add local.set 2
      local.get 1 i32.const 1 i32.add local.tee 1
      i32.const 4 i32.gt_u if local.get 2 return end
      try (result i32)
        local.get 0 local.get 1 i32.add i32.const 3 i32.or call $throws
      catch $i
        local.get 1 i32.const 2 i32.eq if i32.const 5 br $again end
        br $again
      end
    end)
  (func (export "leaves-a-clause") (param i32 i32) (result i32) (local i32)
    block $two
      block $one
        try
          local.get 0 i32.const 3 i32.or call $throws drop
        catch $i
          drop
          local.get 1 i32.const 3 i32.and
          br_table $one 0 $two 1
        end
        local.get 2 i32.const 1 i32.add local.set 2
      end
      local.get 2 i32.const 2 i32.add local.set 2
    end
    local.get 2 i32.const 4 i32.load i32.add)
  (func (export "leaves-a-try") (param i32 i32) (result i32) (local i32)
    block $out (result i32)
      try $here (result i32)
        local.get 0 i32.const 7 i32.add
        local.get 0 br_if $here
        drop
        i32.const 4 local.get 1 br_if $out
        local.get 1 i32.const 3 i32.or call $throws
        br $out
      catch_all
        i32.const 40
        local.get 2 br_if $out
        local.get 1 br_if $here
        drop i32.const 41 return
      end
      i32.const 2 i32.mul
    end
    i32.const 100 i32.add)
  (func (export "delegates") (param i32) (result i32) (local i32)
    try $outer (result i32)
      try (result i32)
        try (result i32)
          local.get 0 call $throws
          i32.const 1 local.set 1
        delegate 0
        i32.const 1 i32.add
      catch $i
        drop
        try (result i32)
          local.get 0 i32.const 1 i32.or call $throws
        delegate 0
      end
      try (result i32)
        try (result i32)
          local.get 0 i32.const 1 i32.add call $throws
        delegate $outer
      catch_all
        unreachable
      end
      i32.add
    catch $none
      i32.const 60 local.get 1 i32.add
    catch $i
      i32.const 80 i32.sub
    end
    i32.const 5 i32.xor)
  (func $out (param i32) (result i32)
    try (result i32)
      block (result i32)
        try (result i32)
          local.get 0 call $throws
        delegate 2
      end
    catch_all
      unreachable
    end)
  (func (export "delegates-out") (param i32) (result i32)
    try (result i32)
      local.get 0 call $out
    catch $i
    catch_all
      i32.const 9
    end)
  (func (export "delegates-inside") (param i32) (result i32)
    block $h (result i32)
      try_table (result i32) (catch $i $h)
        try (result i32)
          try (result i32)
            local.get 0 i32.const 3 i32.or call $throws
          delegate 1
        catch_all
          unreachable
        end
      end
      i32.const 2 i32.mul
    end
    i32.const 1 i32.add)
  (func (export "with-tables") (param i32) (result i32) (local exnref)
    try $here (result i32)
      block $h (result exnref)
        try_table (result i32) (catch $i $here) (catch_all_ref $h)
          local.get 0 call $throws
        end
        br $here
      end
      local.tee 1
      throw_ref
    catch $none
      local.get 1 ref.is_null
    catch_all
      try (result i32)
        block $again (result exnref)
          try_table (catch_all_ref $again) rethrow 3 end
          unreachable
        end
        throw_ref
      catch $many
        drop drop drop i32.wrap_i64
      end
    end
    i32.const 4 i32.mul)
  (func (export "params") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    try (param i32 i32) (result i32)
      i32.add
      i32.const 3 i32.or call $throws
    catch $i
      local.get 1 i32.sub
    end
    local.get 0
    if (result i32)
      local.get 1
      try (param i32) (result i32) call $throws catch_all i32.const 6 end
    else
      i32.const 8
    end
    i32.add)
  (func (export "no-clauses") (param i32) (result i32)
    try (result i32)
      try (result i32)
        local.get 0 call $throws
      end
      i32.const 1 i32.add
    catch $i
      i32.const 20 i32.add
    catch_all
      i32.const 2
    end)
  (func (export "no-trap") (param i32) (result i32)
    try
      local.get 0 i32.const 1 i32.and if call $trap end
      i32.const 8 local.get 0 i32.div_u drop
    catch_all
    end
    i32.const 1)
  (func (export "traps-in-a-clause") (param i32 i32) (result i32)
    try (result i32)
      local.get 1 throw $i
    catch $i
      local.get 0 i32.div_u
      local.get 1 i32.load
      i32.add
      local.get 0 i32.const 1 i32.and if rethrow 1 end
    end)
  (func (export "thrown-here") (param i32) (result i32)
    try (result i32)
      local.get 0 i32.const 1 i32.and if throw $none end
      local.get 0 throw $i
    catch $i
      i32.const 6 i32.add return
    catch_all
      i32.const 60
    end)
  (func (export "never-opened") (param i32) (result i32)
    i32.const 7
    block $out (result i32)
      local.get 0 i32.const 5 i32.add
      local.get 0 i32.const 1 i32.and br_if $out
      i32.const 2 i32.and
      if $if (result i32)
        i32.const 30 local.get 0 i32.const 4 i32.and br_if $if
        drop i32.const 40 br $out
        try call $trap catch $i br $out catch_all rethrow 0 end
        unreachable
      else
        try (result i32)
          i32.const 50 return
          try (result i32) i32.const 1 drop try call $trap catch $i rethrow 0 end i32.const 2 delegate 0
        catch $i
          local.get 0 i32.const 8 i32.and br_if $out
          drop
          rethrow 0
        end
      end
      i32.const 2 i32.mul
      return
      try (result i32) i32.const 1 throw $i catch $i end
    end
    i32.add)
  (func (export "never-thrown") (param i32) (result i32) (local i32)
    try (result i32)
      local.get 0 i32.const 1 i32.add local.tee 1
    catch $i
      local.get 1 i32.add
      local.get 0 if i32.const 9 local.set 1 rethrow 1 end
    catch_all
      i32.const 8 local.set 1
      local.get 1
    end
    local.get 1 i32.add)
  (func (export "only-thrown") (param i32) (result i32)
    try (result i32)
      unreachable
    catch_all
      try (result i32) rethrow 1 catch_all i32.const 1 end
    end)
  (func (export "handed-on") (param i32) (result i32)
    try (result i32)
      local.get 0 i32.const 1 i32.and if local.get 0 return_call $throws end
      local.get 0 i32.const 1 i32.or i32.const 0 return_call_indirect (param i32) (result i32)
    catch_all
      unreachable
    end)
  (func (export "uncaught") (param i32) (result i32)
    try (result i32)
      try (result i32) local.get 0 call $plain i32.const 3 i32.or call $throws catch $none i32.const 1 end
    catch $i
      drop rethrow 0
    end)
  (func (export "empty") (param i32) (result i32)
    try catch_all end
    try call $trap catch $i drop end
    try local.get 0 call $throws drop catch_all end
    try local.get 0 call $throws drop catch $none catch $many drop drop drop drop catch_all end
    try delegate 0
    local.get 0))"#;

/// A `try` whose body, clause and what is behind both are in several runs of rerun code.
pub fn long_try() -> String {
    let steps = |from: i32, text: &mut String| {
        for i in from..from + 24 {
            _ = writeln!(text, "local.get 1 i32.const {i} i32.mul local.get 0 i32.add local.set 1");
        }
    };
    let mut text = "(module (tag $i (param i32)) (global $g (export \"g\") (mut i32) (i32.const 0))
      (func $throws (param i32) (result i32)
        local.get 0 i32.const 1 i32.and if local.get 0 throw $i end local.get 0)
      (func (export \"f\") (param i32) (result i32) (local i32)
        try $here (result i32) try (result i32) local.get 0\n"
        .to_owned();
    steps(3, &mut text);
    text.push_str("call $throws\n");
    steps(7, &mut text);
    text.push_str("local.get 1 i32.const 64 i32.and br_if $here\ncatch $i\n");
    steps(11, &mut text);
    text.push_str("local.get 1 i32.const 2 i32.and if rethrow 1 end\n");
    steps(13, &mut text);
    text.push_str("local.get 1 i32.const 4 i32.and br_if $here\nend local.get 1 i32.add catch_all\n");
    steps(17, &mut text);
    text.push_str("local.get 1 global.set $g\n");
    steps(19, &mut text);
    text.push_str("local.get 1 end\n");
    steps(23, &mut text);
    text.push_str("local.get 1 i32.add))");
    text
}
