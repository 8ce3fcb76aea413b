//! Modules with a function for every instruction on vectors, relaxed ones as well.

/// The shapes of whole numbers.
const WHOLE: [&str; 4] = ["i8x16", "i16x8", "i32x4", "i64x2"];
/// The shapes of floats.
const FLOATS: [&str; 2] = ["f32x4", "f64x2"];

/// The instructions of these names of each of these shapes.
fn of_each(shapes: &[&str], names: &str) -> Vec<String> {
    shapes.iter().flat_map(|shape| names.split_whitespace().map(move |name| format!("{shape}.{name}"))).collect()
}

/// The type of a lane, as an operand.
fn lane(shape: &str) -> &'static str {
    match shape {
        "i64x2" => "i64",
        "f32x4" => "f32",
        "f64x2" => "f64",
        _ => "i32",
    }
}

/// A function for each instruction that computes from vectors and numbers.
pub fn every_instruction() -> String {
    let mut text = String::from("(module\n");
    let mut function = |params: &[&str], result: &str, name: &str| {
        let gets: String = (0..params.len()).map(|i| format!("local.get {i} ")).collect();
        // Once more, with something in between that makes another region and takes the first away from its slot.
        text += &format!(
            "(func (export \"{name}\") (param {}) (result {result} {result} v128) (local {result} v128)
               {gets} {name} local.tee {} {gets} {name} local.get 0 local.tee {} )\n",
            params.join(" "),
            params.len(),
            params.len() + 1,
        );
    };
    let two = ["v128"; 2];
    for name in of_each(&WHOLE, "abs neg")
        .into_iter()
        .chain(of_each(&FLOATS, "abs neg sqrt ceil floor trunc nearest"))
        .chain(of_each(&["i16x8"], "extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u"))
        .chain(of_each(&["i32x4"], "extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u"))
        .chain(of_each(
            &["i32x4"],
            "trunc_sat_f32x4_s trunc_sat_f32x4_u trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero relaxed_trunc_f32x4_s \
             relaxed_trunc_f32x4_u relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero",
        ))
        .chain(of_each(&["f32x4"], "convert_i32x4_s convert_i32x4_u demote_f64x2_zero"))
        .chain(of_each(&["f64x2"], "convert_low_i32x4_s convert_low_i32x4_u promote_low_f32x4"))
        .chain(["v128.not".to_owned(), "i8x16.popcnt".to_owned()])
    {
        function(&two[..1], "v128", &name);
    }
    for (wide, narrow) in [("i16x8", "i8x16"), ("i32x4", "i16x8"), ("i64x2", "i32x4")] {
        for half in ["low", "high"] {
            for sign in ["s", "u"] {
                function(&two[..1], "v128", &format!("{wide}.extend_{half}_{narrow}_{sign}"));
                function(&two, "v128", &format!("{wide}.extmul_{half}_{narrow}_{sign}"));
            }
        }
    }
    for name in of_each(&WHOLE, "add sub eq ne lt_s gt_s le_s ge_s")
        .into_iter()
        .chain(of_each(&WHOLE[..3], "lt_u gt_u le_u ge_u min_s min_u max_s max_u"))
        .chain(of_each(&WHOLE[1..], "mul"))
        .chain(of_each(&WHOLE[..2], "add_sat_s add_sat_u sub_sat_s sub_sat_u avgr_u"))
        .chain(of_each(&FLOATS, "add sub mul div min max pmin pmax eq ne lt gt le ge relaxed_min relaxed_max"))
        .chain(of_each(&["v128"], "and andnot or xor"))
        .chain(of_each(&["i8x16"], "swizzle relaxed_swizzle narrow_i16x8_s narrow_i16x8_u"))
        .chain(of_each(
            &["i16x8"],
            "narrow_i32x4_s narrow_i32x4_u q15mulr_sat_s relaxed_q15mulr_s relaxed_dot_i8x16_i7x16_s",
        ))
        .chain(of_each(&["i32x4"], "dot_i16x8_s"))
    {
        function(&two, "v128", &name);
    }
    for name in of_each(&WHOLE, "relaxed_laneselect")
        .into_iter()
        .chain(of_each(&FLOATS, "relaxed_madd relaxed_nmadd"))
        .chain(["v128.bitselect".to_owned(), "i32x4.relaxed_dot_i8x16_i7x16_add_s".to_owned()])
    {
        function(&["v128"; 3], "v128", &name);
    }
    for name in of_each(&WHOLE, "all_true bitmask").into_iter().chain(["v128.any_true".to_owned()]) {
        function(&two[..1], "i32", &name);
    }
    for name in of_each(&WHOLE, "shl shr_s shr_u") {
        function(&["v128", "i32"], "v128", &name);
    }
    for shape in WHOLE.into_iter().chain(FLOATS) {
        let last = shape[shape.len() - 2..].trim_start_matches('x').parse::<u8>().expect("the number of lanes") - 1;
        for at in [0, last / 2, last] {
            for sign in if last > 3 { ["_s", "_u"] } else { ["", ""] } {
                function(&two[..1], lane(shape), &format!("{shape}.extract_lane{sign} {at}"));
            }
            function(&["v128", lane(shape)], "v128", &format!("{shape}.replace_lane {at}"));
        }
    }
    for lanes in [
        "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
        "31 0 30 1 29 2 28 3 27 4 26 5 25 6 24 7",
        "0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23",
        "4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19",
        "3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3",
    ] {
        function(&two, "v128", &format!("i8x16.shuffle {lanes}"));
    }
    for (index, shape) in WHOLE.into_iter().chain(FLOATS).enumerate() {
        text += &format!(
            "(func (export \"splat{index}\") (param {}) (result v128) (local v128)
               local.get 0 {shape}.splat local.tee 1 v128.const i32x4 1 -2 3 {index} {shape}.add local.get 1 v128.xor)\n",
            lane(shape)
        );
    }
    unique_exports(&text) + ")"
}

/// The same text with a number behind the name of each export: two may be called the same.
fn unique_exports(text: &str) -> String {
    let mut parts = text.split("(export \"");
    let mut unique = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        unique += &format!("(export \"{index} {part}");
    }
    unique
}

/// A function for each load and store, wherever and at the end of memory.
pub fn every_load_and_store() -> String {
    let mut text =
        String::from("(module (memory (export \"memory\") 1 3) (data (i32.const 0) \"\\ff\\80\\7f some bytes\")\n");
    let loads = "load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u load8_splat load16_splat \
                 load32_splat load64_splat load32_zero load64_zero";
    for name in loads.split_whitespace() {
        text += &format!(
            "(func (export \"{name}\") (param i32) (result v128 v128)
               local.get 0 v128.{name} local.get 0 i32.const 7 i32.and v128.{name} offset=1)
             (func (export \"{name}-joined\") (param i32 v128) (result v128)
               local.get 1 local.get 0 i32.const 65535 i32.and v128.{name} i32x4.add)
             (func (export \"{name}-at-the-end\") (param i32) (result v128)
               local.get 0 i32.const 31 i32.and i32.const 65505 i32.add v128.{name})\n"
        );
    }
    for bits in [8, 16, 32, 64] {
        let last = 128 / bits - 1;
        text += &format!(
            "(func (export \"load{bits}_lane\") (param i32 v128) (result v128)
               local.get 0 i32.const 31 i32.and i32.const 65505 i32.add local.get 1 v128.load{bits}_lane {last})
             (func (export \"store{bits}_lane\") (param i32 v128) (result v128)
               local.get 0 i32.const 15 i32.and local.get 1 v128.store{bits}_lane offset=3 {last}
               local.get 0 i32.const 31 i32.and i32.const 65505 i32.add local.get 1 v128.store{bits}_lane 0
               i32.const 8 v128.load)\n"
        );
    }
    text += "(func (export \"store\") (param i32 v128) (result v128)
               i32.const 8 v128.load
               local.get 0 local.get 1 v128.store offset=8
               local.get 0 i32.const 31 i32.and i32.const 65505 i32.add local.get 1 v128.store
               drop i32.const 8 v128.load)\n";
    text + ")"
}

/// Vectors as operands below calls and branches, copies of locals, constants, in loops, and given to the host.
pub const PASSED_ON: &str = r#"(module
    (import "host" "any" (func $host (param v128 i32 v128) (result v128 i64 v128)))
    (memory 1)
    (global $kept (mut v128) (v128.const i32x4 5 6 7 8))
    (type $many (func (param v128 i32 v128 f64 v128 v128 i64 v128 v128 v128 v128 v128 f32 v128) (result v128 i32 v128 v128)))
    (table funcref (elem $many))
    (func $many (export "many") (type $many) (local $sum v128)
        local.get 0 local.get 2 i64x2.add local.get 13 f32x4.add local.tee $sum
        local.get 1
        local.get 11 local.get 9 i8x16.swizzle
        local.get $sum i16x8.neg)
    (func (export "indirect") (param v128 i32) (result v128 i32 v128 v128) (local v128)
        v128.const f64x2 1 nan
        local.get 0 local.get 1 local.get 0 f64.const 1.5 local.get 2 local.get 0 i64.const 9
        local.get 0 v128.not local.tee 2 local.get 2 local.get 0 local.get 2 local.get 0 f32.const 0 local.get 2
        i32.const 0 call_indirect (type $many)
        local.set 2
        local.set 0
        local.set 1
        v128.or
        local.get 1 local.get 0 local.get 2)
    (func (export "hosts") (param v128 i32) (result v128 i64 v128) (local i64)
        local.get 0
        v128.const i32x4 1 2 3 4
        local.get 1
        local.get 0
        call $host
        global.get $kept
        v128.xor
        local.tee 0
        global.set $kept
        local.set 2
        v128.and
        local.get 2
        local.get 0)
    (func (export "turns") (param v128 i32) (result v128 v128) (local $a v128) (local $b v128) (local $n i32)
        local.get 1 i32.const 15 i32.and local.set $n
        local.get 0
        loop $turn (param v128) (result v128)
            local.get $a
            v128.const i16x8 1 2 3 4 5 6 7 8
            i16x8.add
            local.tee $a
            local.get $b
            i8x16.shuffle 1 2 3 0 5 6 7 4 9 10 11 8 13 14 15 12
            local.set $b
            local.get $n i32.const 4 i32.shl local.get $a v128.store
            local.get $n i32.const 3 i32.shl v128.load
            local.get $b
            local.get $n i32.const 1 i32.and
            select (result v128)
            v128.xor
            local.get $n i32.const 1 i32.sub local.tee $n
            i32.const 0 i32.gt_s
            br_if $turn
        end
        local.get $b)
    (func (export "branches") (param v128 i32 v128) (result v128) (local v128)
        (block $out (result v128)
            i32.const 3
            local.get 0
            (block $in (result v128)
                local.get 2
                local.get 0
                local.get 1 i32.const 3 i32.and
                br_table $in $out $in $out)
            local.tee 3
            i32x4.mul
            local.get 1 br_if $out
            local.get 3
            f32x4.min
            br $out))
)"#;
