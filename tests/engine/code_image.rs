//! Images as ELF files: what is written is read back, and what was damaged is refused, without a panic.

#[allow(dead_code, reason = "shared with other tests, which use all of it")]
use crate::machine;
use machine::{bytes, call, edit, image, no_cell};
use object::{Object, ObjectSection};
use stepwell::TrapCode;
use stepwell::base::{DefinedFuncIndex, ErrorKind, TagIndex, TextOffset, ValType, WasmOffset};
use stepwell::internals::code::{CodeRegistry, EngineCode, Ownership, StepScope};
use stepwell::internals::compile::{Compiler, DebugTier, Options};
use stepwell::internals::image::{
    AddressEntry, Call, CodeImage, Handler, Place, PointId, Safepoint, Shape, ShapeId, Shapes, SiteId, Slot, Tier, Trap,
};
use stepwell::internals::isa::{PreservedRegister, SavedRegisters};

/// A hand-written image with something in every table.
fn full() -> CodeImage {
    let mut image = image(5, true);
    let tables = &mut image.tables;
    let trap = |at, code, wasm: Option<u32>| Trap { at: TextOffset::new(at), code, wasm: wasm.map(WasmOffset::new) };
    tables.traps = [trap(3, TrapCode::Unreachable, Some(9)), trap(70, TrapCode::Interrupt, None)].into_iter().collect();
    let call = |last, wasm| Call { last: TextOffset::new(last), wasm: WasmOffset::new(wasm) };
    tables.calls = [call(20, 11), call(22, 8)].into_iter().collect();
    tables.addresses = [
        AddressEntry { text: TextOffset::new(0), wasm: None },
        AddressEntry { text: TextOffset::new(7), wasm: Some(WasmOffset::new(9)) },
        AddressEntry { text: TextOffset::new(12), wasm: Some(WasmOffset::new(8)) },
    ]
    .into_iter()
    .collect();
    let slot = |ty, at| Slot { ty, place: Place::Frame(at) };
    tables.locals = ValType::SLOTS.into_iter().collect();
    tables.functions[2].locals = (1, 5);
    tables.functions[2].locals_at = -48;
    tables.functions[2].saved = SavedRegisters::new([PreservedRegister::R12, PreservedRegister::R15], 2).unwrap();
    let shapes = [
        Shape { below: ShapeId::EMPTY, top: slot(ValType::I32, -8) },
        Shape { below: ShapeId(0), top: slot(ValType::V128, i32::MIN) },
        Shape { below: ShapeId(0), top: slot(ValType::EXTERNREF, 8) },
        Shape { below: ShapeId(2), top: Slot { ty: ValType::I64, place: Place::Constant(i32::MIN) } },
    ];
    let handler = |function: usize, after, tag: Option<u32>, landing| {
        let start = tables.functions[function].start.get();
        let tag = tag.map(TagIndex::new);
        Handler { after: TextOffset::new(start + after), tag, landing: TextOffset::new(start + landing) }
    };
    tables.handlers =
        [handler(1, 9, None, 3), handler(2, 7, Some(4), 20), handler(2, 7, None, 7)].into_iter().collect();
    let safepoint = |function: usize, after, any, external| {
        let after = TextOffset::new(tables.functions[function].start.get() + after);
        Safepoint { after, any, external }
    };
    tables.safepoints = [safepoint(1, 9, 1, 0), safepoint(2, 7, 0, 2), safepoint(2, 9, 3, 1)].into_iter().collect();
    tables.functions[1].references_at = -8;
    tables.functions[2].references_at = -32;
    tables.functions[2].vmctx = Some(Place::Frame(-16));
    shapes.into_iter().for_each(|shape| tables.shapes.push(shape).map(|_| ()).unwrap());
    edit(&mut tables.points, |points| points[3].shape = ShapeId(2));
    image
}

fn edit_shapes(image: &mut CodeImage, change: impl FnOnce(&mut Vec<Shape>)) {
    let mut rows: Vec<Shape> = image.tables.shapes.iter().collect();
    change(&mut rows);
    image.tables.shapes = Shapes::new();
    rows.into_iter().for_each(|shape| image.tables.shapes.push(shape).map(|_| ()).unwrap());
}

fn compiled(tier: Tier, debug_tier: DebugTier) -> CodeImage {
    let text = r#"(module
        (memory 1)
        (func (export "sum") (param i32) (result i64) (local f64 i64)
            (loop (local.set 2 (i64.add (local.get 2) (i64.load (local.get 0))))
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 8)))))
            (drop (i64.div_u (local.get 2) (i64.const 7)))
            (local.get 2))
        (tag $t (param i32))
        (func (export "call") (result i64) (call 0 (i32.const 64)) (i64.const 1) (i64.add))
        (func (export "catch") (result i32)
            (block (result i32)
                (block (try_table (catch $t 1) (catch_all 0) (drop (call 1)) (throw $t (i32.const 1))))
                (i32.const 2))))"#;
    let binary = wat::parse_str(text).unwrap();
    let info = stepwell::internals::wasm::parse(&binary, Default::default(), false).unwrap();
    let options = Options {
        signals: true,
        memory_reservation: 4 << 30,
        memory_guard: 32 << 20,
        nan_canonicalization: false,
        relaxed_simd_deterministic: false,
        optimize: true,
        parallel: false,
        fuel: false,
        refuel: false,
        epoch: false,
        debug_tier,
    };
    Compiler::new(options).unwrap().module(&info, &binary, tier, &|_, _| true).unwrap()
}

#[test]
fn images_round_trip() {
    let empty = {
        let mut image = image(0, false);
        image.text.clear();
        image.tables.stop_stub = None;
        image
    };
    let mut images = vec![full(), empty, image(1000, false)];
    images.push(compiled(Tier::Production, DebugTier::Simple));
    images.extend([DebugTier::Simple, DebugTier::Regions].map(|debug_tier| compiled(Tier::Debug, debug_tier)));
    for image in images {
        image.validate().unwrap();
        let elf = image.to_elf();
        assert_eq!(CodeImage::from_elf(&elf).unwrap(), image);
        assert_eq!(image.to_elf(), elf);
    }
}

#[test]
fn a_file_read_back_runs() {
    let code = EngineCode::new(CodeImage::from_elf(&full().to_elf()).unwrap());
    let mut registry = CodeRegistry::new();
    let slot = registry.register(&code, Ownership::Shared).unwrap();
    assert_eq!(call(&registry, slot, 4), 4);
}

#[test]
fn other_tools_can_read_it() {
    let elf = full().to_elf();
    let file = object::File::parse(&*elf).unwrap();
    assert_eq!(file.architecture(), object::Architecture::X86_64);
    let text = file.section_by_name(".text.debug").unwrap();
    assert_eq!(text.kind(), object::SectionKind::Text);
    let rest = text.data().unwrap().strip_prefix(&*full().text).unwrap();
    assert!(rest.len() < 4096 && rest.iter().all(|byte| *byte == 0xcc));
}

#[test]
fn every_truncation_is_refused() {
    let elf = full().to_elf();
    for len in 0..elf.len() {
        let error = CodeImage::from_elf(&elf[..len]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModule, "{len}: {error}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let image = full();
    let elf = image.to_elf();
    for at in 0..elf.len() {
        // The text is most of it; there, a bit of each byte will do.
        let bits = if elf[at] == 0xcc || at % 7 != 0 { at % 8..at % 8 + 1 } else { 0..8 };
        for bit in bits {
            let mut flipped = elf.clone();
            flipped[at] ^= 1 << bit;
            let error = CodeImage::from_elf(&flipped).expect_err("a flipped bit");
            assert!([ErrorKind::InvalidModule, ErrorKind::Unsupported].contains(&error.kind()), "{at}: {error}");
        }
    }
    assert!(elf.len() > image.text.len());
}

#[test]
fn broken_tables_are_refused() {
    type Break = dyn Fn(&mut CodeImage);
    let breaks: &[(&str, &Break)] = &[
        ("functions overlap", &|i| i.tables.functions[2].start = TextOffset::new(100)),
        ("function beyond the text", &|i| i.tables.functions[4].len = u32::MAX),
        ("locals beyond", &|i| i.tables.functions[2].locals = (1, 99)),
        ("locals backwards", &|i| i.tables.functions[2].locals = (5, 1)),
        ("points beyond", &|i| i.tables.functions[0].points = (0, 99)),
        ("function numbers beyond 32 bits", &|i| i.tables.first = DefinedFuncIndex::new(u32::MAX - 4)),
        ("vmctx is a constant", &|i| i.tables.functions[2].vmctx = Some(Place::Constant(4))),
        ("registers saved outside the frame", &|i| i.tables.functions[2].frame_size = 8),
        ("arguments without end", &|i| i.tables.functions[2].arguments = 1 << 17),
        ("regions in production", &|i| (i.tables.regions, i.tables.tier) = (true, Tier::Production)),
        ("traps fall", &|i| edit(&mut i.tables.traps, |t| t.swap(0, 1))),
        ("trap twice", &|i| edit(&mut i.tables.traps, |t| t[1] = t[0])),
        ("trap beyond the text", &|i| edit(&mut i.tables.traps, |t| t[1].at = TextOffset::new(1 << 20))),
        ("calls fall", &|i| edit(&mut i.tables.calls, |t| t.swap(0, 1))),
        ("call twice", &|i| edit(&mut i.tables.calls, |t| t[1] = t[0])),
        ("call beyond the text", &|i| edit(&mut i.tables.calls, |t| t[1].last = TextOffset::new(1 << 20))),
        ("handlers fall", &|i| edit(&mut i.tables.handlers, |t| t.swap(0, 1))),
        ("handler beyond the text", &|i| edit(&mut i.tables.handlers, |t| t[2].after = TextOffset::new(1 << 20))),
        ("handler before the text", &|i| edit(&mut i.tables.handlers, |t| t[0].after = TextOffset::new(0))),
        ("landing in another function", &|i| edit(&mut i.tables.handlers, |t| t[1].landing = t[0].landing)),
        ("landing beyond the text", &|i| edit(&mut i.tables.handlers, |t| t[0].landing = TextOffset::new(1 << 20))),
        ("tag without vmctx", &|i| i.tables.functions[2].vmctx = None),
        ("landing in no frame", &|i| i.tables.functions[1].frame_size = 8),
        ("safepoints fall", &|i| edit(&mut i.tables.safepoints, |t| t.swap(0, 1))),
        ("safepoint twice", &|i| edit(&mut i.tables.safepoints, |t| t[2].after = t[1].after)),
        ("safepoint beyond the text", &|i| edit(&mut i.tables.safepoints, |t| t[2].after = TextOffset::new(1 << 20))),
        ("references above the frame", &|i| i.tables.functions[2].references_at = -24),
        ("references below the frame", &|i| i.tables.functions[2].references_at = i32::MIN),
        ("more references than a frame has", &|i| edit(&mut i.tables.safepoints, |t| t[0].any = u32::MAX)),
        ("more external ones", &|i| edit(&mut i.tables.safepoints, |t| t[0].external = u32::MAX)),
        ("addresses fall", &|i| edit(&mut i.tables.addresses, |t| t.swap(0, 2))),
        ("shape below itself", &|i| edit_shapes(i, |t| t[1].below = ShapeId(1))),
        ("shape below a later one", &|i| edit_shapes(i, |t| t[0].below = ShapeId(2))),
        ("no stub", &|i| i.tables.stop_stub = None),
        ("stub beyond the text", &|i| i.tables.stop_stub = Some(TextOffset::new(i.text.len() as u32))),
        ("site is no NOP", &|i| i.text[i.tables.site(SiteId(3)).after.index() - 5] = 0xe8),
        ("sites fall", &|i| edit(&mut i.tables.sites, |t| t.swap(0, 1))),
        ("site before the text", &|i| edit(&mut i.tables.sites, |t| t[0].after = TextOffset::new(4))),
        ("site beyond the text", &|i| edit(&mut i.tables.sites, |t| t[19].after = TextOffset::new(u32::MAX))),
        ("site without point", &|i| edit(&mut i.tables.sites, |t| t[1].point = PointId(20))),
        ("point without site", &|i| edit(&mut i.tables.points, |t| t[1].site = Some(SiteId(20)))),
        ("side without site", &|i| edit(&mut i.tables.points, |t| (t[1].shape, t[1].site) = (ShapeId::SIDE, None))),
        ("point without shape", &|i| edit(&mut i.tables.points, |t| t[1].shape = ShapeId(4))),
        ("points fall", &|i| edit(&mut i.tables.points, |t| t.swap(5, 6))),
        ("point twice", &|i| edit(&mut i.tables.points, |t| t[6].wasm = t[5].wasm)),
    ];
    for (name, break_it) in breaks {
        let mut image = full();
        break_it(&mut image);
        assert_eq!(image.validate().expect_err(name).kind(), ErrorKind::InvalidModule);
        // With a right checksum, too.
        CodeImage::from_elf(&image.to_elf()).expect_err(name);
    }
}

/// Files with a right checksum and tables that are wrong at random: what is accepted can be looked up and patched.
#[test]
fn what_is_accepted_cannot_break_anything() {
    let mut seed = 7u64;
    let mut random = |n: u32| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((seed >> 33) % u64::from(n)) as u32
    };
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut image = full();
        let len = image.text.len() as u32;
        let mut value = || match random(4) {
            0 => random(8),
            1 => u32::MAX - random(3),
            2 => len - random(6),
            _ => random(len),
        };
        let (row, n, at) = (value(), value(), value());
        let tables = &mut image.tables;
        match row % 12 {
            0 => tables.functions[n as usize % 5].len = at,
            1 => tables.functions[n as usize % 5].start = TextOffset::new(at),
            2 => tables.functions[n as usize % 5].points.1 = at,
            3 => edit(&mut tables.traps, |t| t[n as usize % 2].at = TextOffset::new(at)),
            4 => edit(&mut tables.addresses, |t| t[n as usize % 3].text = TextOffset::new(at)),
            5 => edit_shapes(&mut image, |t| t[n as usize % 3].below = ShapeId(at)),
            6 => edit(&mut tables.sites, |t| t[n as usize % 20].after = TextOffset::new(at)),
            7 => edit(&mut tables.points, |t| t[n as usize % 20].site = Some(SiteId(at))),
            8 => edit(&mut tables.points, |t| t[n as usize % 20].shape = ShapeId(at)),
            9 => edit(&mut tables.calls, |t| t[n as usize % 2].last = TextOffset::new(at)),
            10 => tables.first = DefinedFuncIndex::new(at),
            _ => tables.stop_stub = Some(TextOffset::new(at)),
        }
        let Ok(read) = CodeImage::from_elf(&image.to_elf()) else { continue };
        assert_eq!(read, image);
        accepted += 1;
        let tables = &read.tables;
        for at in 0..len {
            let at = TextOffset::new(at);
            let _ = (tables.function_at(at), tables.trap_at(at), tables.wasm_at(at), tables.site_returning_to(at));
        }
        let functions = (0..5).map(|func| DefinedFuncIndex::new(tables.first.get() + func));
        let functions: Vec<DefinedFuncIndex> = functions.collect();
        for func in functions.iter().copied() {
            assert!(tables.function(func).is_some());
            assert!(tables.locals_of(func).iter().eq((0..4).map_while(|local| tables.locals_of(func).get(local))));
            for point in tables.points_of(func) {
                point.site.map(|site| tables.site(site));
                assert!(tables.operands(point.shape).count() <= 3);
            }
        }
        if accepted % 8 == 0 {
            let mut registry = CodeRegistry::new();
            let code = EngineCode::new(read);
            let slot = registry.register(&code, Ownership::Private { cell: no_cell() }).unwrap();
            registry.edit().add_site(slot, SiteId(19)).unwrap();
            for func in functions {
                registry.edit().set_step(StepScope::Functions(vec![(slot, func)])).unwrap();
            }
            registry.edit().set_step(StepScope::All).unwrap();
            registry.edit().set_step(StepScope::Off).unwrap();
            registry.edit().remove_site(slot, SiteId(19)).unwrap();
            assert!(registry.last_error().is_none());
            assert_eq!(bytes(&registry, slot), image.text);
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn other_files_are_refused() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    for (bytes, says) in [
        (&[][..], "it is empty"),
        (b"\0as", "00 61 73"),
        (b"\0asm\x01\0\0\0", "WebAssembly"),
        (b"(module)", "text format"),
        (b"\x7fELF", "cut short"),
        (&own, "another ELF file"),
    ] {
        let error = CodeImage::from_elf(bytes).unwrap_err();
        assert!(error.kind() == ErrorKind::InvalidModule && error.message().contains(says), "{error}");
    }
}
