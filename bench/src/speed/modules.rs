//! The modules that are timed.

use crate::Result;
use std::fmt::Write as _;

/// As many functions of some 150 instructions each.
pub fn with_functions(count: usize) -> Result<Vec<u8>> {
    let mut text = String::from("(module (memory 1)\n");
    for func in 0..count {
        write!(text, "(func (export \"f{func}\") (param i32 i32) (result i32) ")?;
        for i in 0..15 {
            let n = func * 31 + i;
            write!(text, "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const {n})) (local.get 1)))")?;
            write!(text, "(i32.store (i32.and (local.get 0) (i32.const 0xfff8)) (local.get 1))")?;
        }
        writeln!(text, "(local.get 0))")?;
    }
    text.push(')');
    Ok(wat::parse_str(&text)?)
}

/// As many functions, all in a table, so that each has an initialised reference.
pub fn with_references(count: usize) -> Result<Vec<u8>> {
    let mut text = format!("(module (table (export \"t\") {count} funcref) (elem (i32.const 0)");
    for func in 0..count {
        write!(text, " {func}")?;
    }
    text.push(')');
    for func in 0..count {
        write!(text, "(func (result i32) (i32.const {func}))")?;
    }
    text.push(')');
    Ok(wat::parse_str(&text)?)
}

/// `run(n)` goes round an empty loop n times; `nop`, `add` and `loop_host(n)`, which calls the import as often.
pub fn small() -> Result<Vec<u8>> {
    Ok(wat::parse_str(
        r#"(module
        (import "" "host" (func $host (param i32 i32) (result i32)))
        (func (export "nop"))
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func (export "loop_host") (param i32)
          (loop $again
            (drop (call $host (local.get 0) (i32.const 1)))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    )?)
}

/// `direct(n)` and `indirect(n)` make n tail calls, the latter through a table.
pub fn with_tail_calls() -> Result<Vec<u8>> {
    Ok(wat::parse_str(
        r#"(module
        (type $one (func (param i32) (result i32)))
        (table 1 1 funcref)
        (elem (i32.const 0) $indirect)
        (func $direct (export "direct") (type $one)
          (if (i32.eqz (local.get 0)) (then (return (local.get 0))))
          (return_call $direct (i32.sub (local.get 0) (i32.const 1))))
        (func $indirect (export "indirect") (type $one)
          (if (i32.eqz (local.get 0)) (then (return (local.get 0))))
          (return_call_indirect (type $one) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))"#,
    )?)
}

/// `run(n)` is one function of 300,000 instructions, most of them in small blocks.
pub fn with_large_function() -> Result<Vec<u8>> {
    let turn = "(local.set 0 (i32.add (local.get 0) (i32.const 1))) (block (br_if 0 (i32.eqz (local.get 0))) (drop (local.get 0)))";
    Ok(wat::parse_str(format!("(module (func (export \"run\") (param i32) {}))", turn.repeat(27_273)))?)
}

/// `run(n)` goes round a loop n times, six instructions each; the first is a `nop`.
pub fn with_loop() -> Result<Vec<u8>> {
    Ok(wat::parse_str(
        r#"(module
        (func (export "run") (param i32)
          (loop $again
            nop
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    )?)
}

/// Where [`that_writes`] writes.
pub const WRITTEN: u64 = 256;

/// `run(n)` goes round a loop n times and writes each time: to a memory, or else to a global. It exports it as
/// `watched`.
pub fn that_writes(to_memory: bool) -> Result<Vec<u8>> {
    let (item, write) = match to_memory {
        true => ("(memory (export \"watched\") 1)", format!("(i32.store (i32.const {WRITTEN}) (local.get 0))")),
        false => ("(global (export \"watched\") (mut i32) (i32.const 0))", "(global.set 0 (local.get 0))".to_owned()),
    };
    Ok(wat::parse_str(format!(
        r#"(module {item}
        (func (export "run") (param i32)
          (loop $again
            {write}
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    ))?)
}

/// `run(n)` goes round a loop n times, with `body` in it as often as `times` says, and then five instructions. There
/// are a second local and a passive data segment.
pub fn with_body(body: &str, times: usize) -> Result<Vec<u8>> {
    Ok(wat::parse_str(format!(
        r#"(module
        (memory 1)
        (data "")
        (func (export "run") (param i32) (local i32)
          (loop $again
            {}
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
        body.repeat(times)
    ))?)
}

/// The same, with eight locals, four operands below, and a hundred instructions that change the one on top.
pub fn with_twelve_values() -> Result<Vec<u8>> {
    Ok(wat::parse_str(format!(
        r#"(module
        (func (export "run") (param i32) (local i32 i64 i64 f32 f32 f64)
          (local i32)
          (loop $again
            local.get 2
            local.get 4
            local.get 6
            local.get 7
            {}
            local.set 7
            local.set 6
            local.set 4
            local.set 2
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
        "i32.eqz ".repeat(100)
    ))?)
}

/// `run(n)` goes round a loop n times, with a branch that it never takes.
pub fn with_untaken_branch() -> Result<Vec<u8>> {
    Ok(wat::parse_str(
        r#"(module
        (memory 1)
        (func (export "run") (param i32) (local i32)
          (loop $again
            (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 31)) (local.get 0)))
            (if (i32.eq (local.get 0) (i32.const -1))
              (then (local.set 1 (i32.const 0))))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
          (i32.store (i32.const 0) (local.get 1))))"#,
    )?)
}

/// A module as small hosts make many of: one page of memory or none, a function or two.
pub fn tiny(memory: bool) -> Result<Vec<u8>> {
    let memory = if memory { "(memory 1)" } else { "" };
    Ok(wat::parse_str(format!("(module {memory} (func (export \"f\") (result i32) (i32.const 1)))"))?)
}

/// A memory of so many bytes of data, in pages of 64 KiB, and as many pages of zeros behind them; no byte of the data
/// is zero. `read(first, count)` and `write(first, count)` touch pages of 4 KiB in turn, from the page `first` on;
/// `request` reads and writes four pages, far from each other. There is an import, as the modules of a host have that
/// looks its imports up once for many instances.
pub fn with_data(pages: usize) -> Result<Vec<u8>> {
    let text = format!(
        r#"(module
        (import "host" "log" (func (param i32)))
        (memory (export "memory") {})
        (func (export "read") (param i32 i32) (result i32) (local i32)
          (local.set 0 (i32.shl (local.get 0) (i32.const 12)))
          (loop $again
            (local.set 2 (i32.add (local.get 2) (i32.load (local.get 0))))
            (local.set 0 (i32.add (local.get 0) (i32.const 4096)))
            (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
          (local.get 2))
        (func (export "write") (param i32 i32) (result i32)
          (local.set 0 (i32.shl (local.get 0) (i32.const 12)))
          (loop $again
            (i32.store (local.get 0) (local.get 1))
            (local.set 0 (i32.add (local.get 0) (i32.const 4096)))
            (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
          (local.get 1))
        (func (export "request") (param i32 i32) (result i32) (local i32)
          (loop $again
            (local.set 2 (i32.add (local.get 2) (i32.load (local.get 0))))
            (i32.store offset=64 (local.get 0) (local.get 2))
            (local.set 0 (i32.add (local.get 0) (i32.const {})))
            (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
          (local.get 2)))"#,
        pages * 2,
        pages * (64 << 10) / 4,
    );
    let mut binary = wat::parse_str(text)?;
    let bytes = (0..pages * (64 << 10)).map(|at| (at % 255 + 1) as u8);
    let mut data = wasm_encoder::DataSection::new();
    data.active(0, &wasm_encoder::ConstExpr::i32_const(0), bytes);
    // Nothing has to stand behind it.
    wasm_encoder::Section::append_to(&data, &mut binary);
    Ok(binary)
}

/// What guests make: each export takes a number of operations and gives a sum.
pub fn with_objects() -> Result<Vec<u8>> {
    Ok(wat::parse_str(
        r#"(module
        (type $node (struct (field i32) (field (mut (ref null $node)))))
        (type $tree (struct (field (ref null $tree)) (field (ref null $tree))))
        (type $array (array (mut i32)))
        (type $a (sub (struct (field i32))))
        (type $b (sub $a (struct (field i32))))
        (type $c (sub $b (struct (field i32))))
        (type $d (sub $c (struct (field i32))))
        (type $e (sub $d (struct (field i32))))
        (type $f (sub final $e (struct (field i32))))
        (type $one (func (param i32) (result i32)))
        (tag $tag (param i32))
        (import "" "tick" (func $tick))
        (global $kept (mut (ref null $tree)) (ref.null $tree))
        (table $table 1 1 funcref)
        (elem (table $table) (i32.const 0) func $next)
        (elem declare func $next)

        ;; Lists of 100, each dropped.
        (func (export "list") (param $n i32) (result i32) (local $list (ref null $node)) (local $sum i32)
          (loop $more
            (local.set $list (struct.new $node (local.get $n) (local.get $list)))
            (if (i32.eqz (i32.rem_u (local.get $n) (i32.const 100))) (then
              (local.set $sum (i32.add (local.get $sum) (struct.get $node 0 (local.get $list))))
              (local.set $list (ref.null $node))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))

        (func $make (param $depth i32) (result (ref $tree))
          (if (result (ref $tree)) (local.get $depth)
            (then (struct.new $tree
              (call $make (i32.sub (local.get $depth) (i32.const 1)))
              (call $make (i32.sub (local.get $depth) (i32.const 1)))))
            (else (struct.new_default $tree))))
        (func $count (param $tree (ref null $tree)) (result i32)
          (if (result i32) (ref.is_null (local.get $tree))
            (then (i32.const 0))
            (else (i32.add (i32.const 1) (i32.add
              (call $count (struct.get $tree 0 (local.get $tree)))
              (call $count (struct.get $tree 1 (local.get $tree))))))))
        ;; Trees of 4,095 nodes beside one of 131,071 that stays.
        (func $trees (export "tree") (param $n i32) (result i32) (local $last (ref null $tree))
          (if (ref.is_null (global.get $kept)) (then (global.set $kept (call $make (i32.const 16)))))
          (loop $more
            (local.set $last (call $make (i32.const 11)))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (call $count (local.get $last)))
        ;; The same; the host looks at the clock after each of 127 nodes.
        (func (export "ticking") (param $n i32) (result i32) (local $i i32) (local $last (ref null $tree))
          (if (ref.is_null (global.get $kept)) (then (global.set $kept (call $make (i32.const 16)))))
          (loop $more
            (local.set $i (i32.const 320))
            (loop $inner
              (local.set $last (call $make (i32.const 6)))
              (call $tick)
              (br_if $inner (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (call $count (local.get $last)))

        (func (export "array") (param $n i32) (result i32) (local $array (ref null $array)) (local $sum i32)
          (loop $more
            (local.set $array (array.new $array (local.get $n) (i32.const 16)))
            (local.set $sum (i32.add (local.get $sum) (array.get $array (local.get $array) (i32.const 7))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))
        ;; Along a ring of 64 nodes.
        (func (export "walk") (param $n i32) (result i32)
          (local $i i32) (local $first (ref null $node)) (local $at (ref null $node)) (local $sum i32)
          (local.set $first (struct.new $node (i32.const 1) (ref.null $node)))
          (local.set $at (local.get $first))
          (loop $more
            (local.set $at (struct.new $node (local.get $i) (local.get $at)))
            (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 63))))
          (struct.set $node 1 (local.get $first) (local.get $at))
          (loop $more
            (local.set $sum (i32.add (local.get $sum) (struct.get $node 0 (local.get $at))))
            (local.set $at (struct.get $node 1 (local.get $at)))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))

        (func (export "cast_final") (param $n i32) (result i32) (local $it anyref) (local $other anyref) (local $sum i32)
          (local.set $it (struct.new $f (i32.const 3)))
          (local.set $other (struct.new $f (i32.const 4)))
          (loop $more
            (local.set $sum (i32.add (local.get $sum) (struct.get $f 0 (ref.cast (ref $f)
              (select (result anyref) (local.get $it) (local.get $other) (i32.and (local.get $n) (i32.const 1)))))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))
        (func (export "cast_deep") (param $n i32) (result i32) (local $it anyref) (local $other anyref) (local $sum i32)
          (local.set $it (struct.new $f (i32.const 3)))
          (local.set $other (struct.new $e (i32.const 4)))
          (loop $more
            (local.set $sum (i32.add (local.get $sum) (struct.get $d 0 (ref.cast (ref $d)
              (select (result anyref) (local.get $it) (local.get $other) (i32.and (local.get $n) (i32.const 1)))))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))

        (func $next (type $one) (i32.add (local.get 0) (i32.const 1)))
        (func (export "call_ref") (param $n i32) (result i32) (local $sum i32) (local $f (ref null $one))
          (local.set $f (ref.func $next))
          (loop $more
            (local.set $sum (call_ref $one (local.get $sum) (local.get $f)))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))
        (func (export "call_indirect") (param $n i32) (result i32) (local $sum i32)
          (loop $more
            (local.set $sum (call_indirect $table (type $one) (local.get $sum) (i32.const 0)))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))

        (memory $shared 1 1 shared)
        (func (export "atomic_load") (param $n i32) (result i32) (local $sum i32)
          (loop $more
            (local.set $sum (i32.add (local.get $sum)
              (i32.atomic.load (i32.and (local.get $n) (i32.const 0xfffc)))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))
        (func (export "atomic_add") (param $n i32) (result i32) (local $sum i32)
          (loop $more
            (local.set $sum (i32.add (local.get $sum)
              (i32.atomic.rmw.add (i32.and (local.get $n) (i32.const 0xffc)) (i32.const 0))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))
        (func (export "atomic_cmpxchg") (param $n i32) (result i32) (local $sum i32)
          (loop $more
            (local.set $sum (i32.add (local.get $sum)
              (i32.atomic.rmw.cmpxchg (i32.and (local.get $n) (i32.const 0xffc)) (i32.const 0) (i32.const 0))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))

        (func $down (param $depth i32) (param $value i32) (result i32)
          (if (result i32) (local.get $depth)
            (then (i32.add (call $down (i32.sub (local.get $depth) (i32.const 1)) (local.get $value)) (i32.const 1)))
            (else (throw $tag (local.get $value)))))
        (func $throws (param $n i32) (param $depth i32) (result i32) (local $sum i32)
          (loop $more
            (local.set $sum (i32.add (local.get $sum)
              (block $caught (result i32)
                (try_table (result i32) (catch $tag $caught) (call $down (local.get $depth) (local.get $n))))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $sum))
        (func (export "throw_1") (param i32) (result i32) (call $throws (local.get 0) (i32.const 0)))
        (func (export "throw_100") (param i32) (result i32) (call $throws (local.get 0) (i32.const 99)))
        )"#,
    )?)
}
