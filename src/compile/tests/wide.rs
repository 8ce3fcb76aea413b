//! Values of 16 bytes: in frames they overlap nothing, and rerun code knows where they are.

use super::check::check;
use super::{ALL_OPTIONS, Compiler, DefinedFuncIndex, TIERS};
use crate::image::{Place, RerunImage};
use crate::wasm::{Features, ValType, parse_again};

/// A function with locals of any types, of which it pushes some, with side effects in between, and takes them one by
/// one. Numbers are what `below` gives.
fn function(below: &mut impl FnMut(usize) -> usize) -> String {
    let names = ["i32", "i64", "f32", "f64", "v128", "funcref", "externref", "v128"];
    let locals: Vec<&str> = (0..1 + below(12)).map(|_| names[below(names.len())]).collect();
    let mut text = format!("(func (param i32) (local {}) ", locals.join(" "));
    let mut depth = 0;
    for _ in 0..below(40) {
        let local = 1 + below(locals.len());
        match below(6) {
            0 => text += "i32.const 0 memory.grow drop ",
            1 if depth > 0 => {
                text += "drop ";
                depth -= 1;
            }
            2 => text += &format!("local.get {local} local.set {local} "),
            _ => {
                text += &format!("local.get {local} ");
                depth += 1;
            }
        }
    }
    // All of them at once in their slots, told from locals or not, and then moved down by a branch.
    text += "i32.const 0 memory.grow drop ";
    text += &"drop ".repeat(depth);
    let taken = 1 + below(locals.len());
    let (below_it, ty) = (1 + below(locals.len()), locals[taken - 1]);
    text += &format!(
        "(block (result {ty}) local.get {below_it} local.get {taken} local.get 0 br_if 0 drop drop local.get {taken}) drop)"
    );
    text
}

#[test]
fn places_of_wide_values_do_not_overlap() {
    let mut seed = 11_u64;
    let mut below = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let functions: Vec<String> = (0..60).map(|_| function(&mut below)).collect();
    let binary = wat::parse_str(format!("(module (memory 1) {})", functions.join("\n"))).unwrap();
    let info = parse_again(&binary, Features::default()).unwrap();
    let (mut seen, mut stops) = (0, 0);
    for options in ALL_OPTIONS {
        let compiler = Compiler::new(options).unwrap();
        for tier in TIERS {
            let image = compiler.module(&info, &binary, tier, &|_, _| true).unwrap();
            check(&info, &binary, &image, tier);
            let wide = |place| matches!(place, Place::Frame(_));
            seen += image.tables.shapes.iter().filter(|row| row.top.ty == ValType::V128 && wide(row.top.place)).count();
        }
        for func in (0..functions.len()).map(DefinedFuncIndex::from_usize) {
            let resume = compiler.resume(&info, &binary, func).unwrap();
            resume.validate().unwrap();
            let rerun = compiler.rerun(&info, &binary, func).unwrap();
            let (_, outline) = compiler.outline(&info, &binary, func, 7).unwrap();
            assert_eq!((&outline.locals, &outline.instructions.len()), (&rerun.locals, &rerun.instructions.len()));
            assert!(outline.deepest >= rerun.deepest);
            for position in 0..rerun.instructions.len() as u32 {
                let state = |image: &RerunImage| image.operands(position).collect::<Vec<_>>();
                assert_eq!(state(&outline), state(&rerun));
                // From the locals up without a hole, whatever the code: the frame of resume code takes it as it is.
                let mut free = rerun.locals.words();
                for (ty, word) in state(&rerun).into_iter().rev() {
                    assert_eq!(word, free);
                    free += ty.words();
                }
                assert_eq!(free, rerun.live_words(position));
                assert!(free as usize <= rerun.words());
                let mut roots: Vec<u32> = rerun.roots(position).map(|(_, word)| word).collect();
                let values = rerun.locals.all().iter().chain(state(&rerun));
                let mut expected: Vec<u32> = values.filter(|(ty, _)| ty.is_ref()).map(|(_, word)| word).collect();
                roots.sort_unstable();
                expected.sort_unstable();
                assert_eq!(roots, expected);
                // Resume code has a stop before each instruction that another one leads to, with the same operands.
                let at = rerun.instructions[position as usize].wasm;
                if let Some(point) = resume.tables.point_at(at).map(|id| resume.tables.point(id)) {
                    let types = resume.tables.operands(point.shape).map(|slot| slot.ty);
                    assert!(types.eq(rerun.operand_types(position)), "{func} at {at}");
                    stops += 1;
                }
            }
        }
    }
    assert!(stops > 10_000, "{stops} stops in resume code");
    assert!(seen > 1000, "{seen} wide operands in slots of their own");
}
