//! Who owns machine code: what is shared, what is private, and what patching may touch. The code is written by hand.

#[path = "common/machine.rs"]
mod machine;

use machine::{SITES, Stop, bytes, call, image, no_cell};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use stepwell::base::{DefinedFuncIndex, ErrorKind, Pc, Shared, TextOffset};
use stepwell::internals::code::{CodeRegistry, CodeSlot, EngineCode, Ownership, StepScope};
use stepwell::internals::image::{CodeImage, ImageTables, SiteId};
use stepwell::internals::isa::armed_site;
use stepwell::internals::sys::faults;
use stepwell::internals::sys::text::TextBacking;

fn private(registry: &mut CodeRegistry, code: &Shared<EngineCode>) -> CodeSlot {
    let cell = no_cell();
    registry.register(code, Ownership::Private { cell }).unwrap()
}

#[test]
fn shared_code_runs_and_cannot_be_patched() {
    let code = EngineCode::new(image(100, false));
    let mut a = CodeRegistry::new();
    let mut b = CodeRegistry::new();
    let slot = a.register(&code, Ownership::Shared).unwrap();
    assert_eq!(a.register(&code, Ownership::Shared).unwrap(), slot);
    let other = b.register(&code, Ownership::Shared).unwrap();
    assert_eq!(a.entry(slot).store.base(), b.entry(other).store.base());
    for i in [0, 1, 57, 99] {
        assert_eq!(call(&a, slot, i), u64::from(i));
    }
    let mut edit = a.edit();
    edit.add_site(slot, SiteId(0)).unwrap_err();
    edit.set_step(StepScope::All).unwrap();
    edit.commit().unwrap();
    assert_eq!(call(&a, slot, 7), 7);
    let cell = no_cell();
    a.register(&code, Ownership::Private { cell }).unwrap_err();
}

#[test]
fn a_breakpoint_stops_and_stepping_stops_everywhere() {
    let code = EngineCode::new(image(100, true));
    let stops = RefCell::new(Vec::new());
    let mut stop = Box::pin(Stop(Box::new(|pc| stops.borrow_mut().push(pc))));
    let mut registry = CodeRegistry::new();
    let cell = stop.cell();
    let slot = registry.register(&code, Ownership::Private { cell }).unwrap();
    let original = bytes(&registry, slot);
    let at = |site: u32| registry_pc(&registry, slot, site);
    let (first, second) = (at(3 * SITES), at(3 * SITES + 2));

    let mut edit = registry.edit();
    edit.add_site(slot, SiteId(3 * SITES)).unwrap();
    edit.add_site(slot, SiteId(3 * SITES + 2)).unwrap();
    edit.commit().unwrap();
    assert_eq!(call(&registry, slot, 2), 2);
    assert_eq!(stops.take(), [first, second]);

    let mut edit = registry.edit();
    edit.remove_site(slot, SiteId(3 * SITES)).unwrap();
    edit.set_step(StepScope::All).unwrap();
    edit.commit().unwrap();
    assert_eq!(call(&registry, slot, 96), 96);
    assert_eq!(stops.take().len(), 4 * SITES as usize);

    drop({
        let mut edit = registry.edit();
        edit.set_step(StepScope::Off).unwrap();
        edit
    });
    assert!(registry.last_error().is_none());
    assert_eq!(call(&registry, slot, 2), 2);
    assert_eq!(stops.take(), [second]);

    let mut edit = registry.edit();
    edit.remove_site(slot, SiteId(3 * SITES + 2)).unwrap();
    edit.remove_site(slot, SiteId(3 * SITES + 2)).unwrap_err();
    edit.commit().unwrap();
    assert_eq!(call(&registry, slot, 2), 2);
    assert!(stops.take().is_empty());
    assert_eq!(bytes(&registry, slot), original);
    registry.unregister(slot).unwrap();
    assert!(registry.get(slot).is_none());
    let _ = private(&mut registry, &code);
}

fn registry_pc(registry: &CodeRegistry, slot: CodeSlot, site: u32) -> usize {
    let entry = registry.entry(slot);
    entry.store.pc(entry.engine.tables().site(SiteId(site)).after).get()
}

/// Runs a test body with copy-on-write texts, and again with `memfd`s refused.
fn in_both_backings(body: impl Fn(TextBacking)) {
    body(TextBacking::Memfd);
    let _refused = faults::refuse_memfd();
    body(TextBacking::Anonymous);
}

fn add(registry: &mut CodeRegistry, slot: CodeSlot, sites: &[u32]) {
    let mut edit = registry.edit();
    for site in sites {
        edit.add_site(slot, SiteId(*site)).unwrap();
    }
    edit.commit().unwrap();
}

fn step(registry: &mut CodeRegistry, scope: StepScope) {
    let mut edit = registry.edit();
    edit.set_step(scope).unwrap();
    edit.commit().unwrap();
}

/// What the text should be with these sites armed.
fn expected(image: &CodeImage, armed: impl Fn(u32) -> bool) -> Vec<u8> {
    let mut text = image.text.clone();
    for (i, site) in image.tables.sites.iter().enumerate() {
        if armed(i as u32) {
            let after = site.after.index();
            let bytes = armed_site(site.after, image.tables.stop_stub.unwrap());
            text[after - bytes.len()..after].copy_from_slice(&bytes);
        }
    }
    text
}

/// Takes the detours of these functions out of what a text is, after a look at where each leads: to the function of the
/// same number of another slot.
fn without_detours(registry: &CodeRegistry, slot: CodeSlot, image: &CodeImage, to: CodeSlot, funcs: &[u32]) -> Vec<u8> {
    let mut is = bytes(registry, slot);
    for func in funcs {
        let func = DefinedFuncIndex::new(*func);
        let start = image.tables.function(func).unwrap().start.index();
        let detour = &mut is[start..start + 6];
        assert_eq!(detour[..2], [0xff, 0x25], "function {func} has no detour");
        let distance = i32::from_le_bytes(detour[2..].try_into().unwrap());
        let pointer = (registry.entry(slot).store.base().get() + start + 6).wrapping_add_signed(distance as isize);
        // SAFETY: the jump reads it.
        let target = unsafe { *(pointer as *const usize) };
        let other = registry.entry(to);
        assert_eq!(target, other.store.pc(other.engine.tables().function(func).unwrap().start).get());
        detour.copy_from_slice(&image.text[start..start + 6]);
    }
    is
}

#[test]
fn a_function_with_a_detour_goes_on_elsewhere() {
    in_both_backings(|_| {
        let image = image(100, true);
        let mut registry = CodeRegistry::new();
        let slot = private(&mut registry, &EngineCode::new(image.clone()));
        let stops = RefCell::new(Vec::new());
        let mut stop = Box::pin(Stop(Box::new(|pc| stops.borrow_mut().push(pc))));
        let cell = stop.cell();
        let other = registry.register(&EngineCode::new(image.clone()), Ownership::Private { cell }).unwrap();
        let third = private(&mut registry, &EngineCode::new(image.clone()));
        let func = DefinedFuncIndex::new;
        let detour = |registry: &mut CodeRegistry, of: u32, to| {
            let mut edit = registry.edit();
            edit.set_detour(slot, func(of), to).unwrap();
            edit.commit().unwrap();
        };
        add(&mut registry, other, &[90 * SITES]);
        // Called from the host, and from the function before it.
        detour(&mut registry, 90, Some(other));
        assert_eq!(registry.plan().detour(slot, func(90)), Some(other));
        assert_eq!((call(&registry, slot, 90), call(&registry, slot, 89), call(&registry, slot, 91)), (90, 89, 91));
        assert_eq!(stops.take(), [registry_pc(&registry, other, 90 * SITES); 2]);
        assert!(without_detours(&registry, slot, &image, other, &[90]) == image.text);
        // It leads elsewhere, and nowhere.
        detour(&mut registry, 90, Some(third));
        assert_eq!(call(&registry, slot, 90), 90);
        assert!(without_detours(&registry, slot, &image, third, &[90]) == image.text);
        detour(&mut registry, 90, None);
        assert!(bytes(&registry, slot) == image.text && stops.take().is_empty());
        // What an edit is not to be had for.
        let mut edit = registry.edit();
        assert_eq!(edit.set_detour(slot, func(100), Some(other)).unwrap_err().kind(), ErrorKind::Argument);
        edit.abort();
        // There is room for so many; the next one changes nothing.
        for of in 0..100 {
            detour(&mut registry, of, Some(other));
        }
        assert_eq!(call(&registry, slot, 3), 3);
        registry.unregister(other).unwrap();
        assert_eq!(registry.plan().detour(slot, func(3)), None);
    });
}

#[test]
fn there_is_room_for_so_many_detours() {
    let image = image(600, false);
    let mut registry = CodeRegistry::new();
    let slot = private(&mut registry, &EngineCode::new(image.clone()));
    let other = private(&mut registry, &EngineCode::new(image.clone()));
    let detours = |registry: &mut CodeRegistry, funcs: std::ops::Range<u32>| {
        let mut edit = registry.edit();
        funcs.for_each(|of| edit.set_detour(slot, DefinedFuncIndex::new(of), Some(other)).unwrap());
        edit.commit()
    };
    detours(&mut registry, 0..500).unwrap();
    let before = bytes(&registry, slot);
    assert_eq!(detours(&mut registry, 500..600).unwrap_err().kind(), ErrorKind::Limit);
    assert!(bytes(&registry, slot) == before && !registry.is_broken());
    assert_eq!((call(&registry, slot, 499), call(&registry, slot, 599)), (499, 599));
}

#[test]
fn the_backing_is_what_was_asked_for() {
    in_both_backings(|backing| {
        let code = EngineCode::new(image(10, false));
        assert_eq!(code.backing(), None);
        private(&mut CodeRegistry::new(), &code);
        assert_eq!(code.backing(), Some(backing));
    });
}

#[test]
fn a_patch_in_one_store_is_in_no_other() {
    in_both_backings(|_| {
        let image = image(500, true);
        let code = EngineCode::new(image.clone());
        let (mut a, mut b, mut c) = Default::default();
        let in_a = private(&mut a, &code);
        let in_b = private(&mut b, &code);
        let in_c = CodeRegistry::register(&mut c, &code, Ownership::Shared).unwrap();
        add(&mut a, in_a, &[0, 5, 999, 1000, 1999]);
        assert_eq!(bytes(&a, in_a), expected(&image, |site| [0, 5, 999, 1000, 1999].contains(&site)));
        step(&mut a, StepScope::All);
        assert_eq!(bytes(&a, in_a), expected(&image, |_| true));
        assert_eq!(bytes(&b, in_b), image.text);
        assert_eq!(bytes(&c, in_c), image.text);
        // A copy made later is one of the original.
        let mut d = CodeRegistry::new();
        let in_d = private(&mut d, &code);
        assert_eq!(bytes(&d, in_d), image.text);
        assert_eq!(call(&b, in_b, 3), 3);
        assert_eq!(call(&c, in_c, 3), 3);
        // The cells are apart, too.
        let counts = [Cell::new(0), Cell::new(0)];
        let mut stops = counts.each_ref().map(|n| Box::pin(Stop(Box::new(|_| n.set(n.get() + 1)))));
        a.set_cell(in_a, stops[0].cell()).unwrap();
        b.set_cell(in_b, stops[1].cell()).unwrap();
        assert_eq!(call(&a, in_a, 490), 490);
        assert_eq!((counts[0].get(), counts[1].get()), (10 * SITES, 0));
    });
}

#[test]
fn one_store_stopped_and_one_at_full_speed() {
    in_both_backings(|backing| {
        let code = EngineCode::new(image(50, false));
        let running = AtomicU64::new(0);
        let stopped = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Refusing is a thread's own affair.
                let _refused = (backing == TextBacking::Anonymous).then(faults::refuse_memfd);
                let mut stop = Box::pin(Stop(Box::new(|_| {
                    stopped.store(true, Relaxed);
                    // In the stop, until the other store has made progress.
                    let from = running.load(Relaxed);
                    while running.load(Relaxed) < from + 10_000 {
                        std::hint::spin_loop();
                    }
                })));
                let mut registry = CodeRegistry::new();
                let cell = stop.cell();
                let slot = registry.register(&code, Ownership::Private { cell }).unwrap();
                add(&mut registry, slot, &[7 * SITES]);
                assert_eq!(call(&registry, slot, 7), 7);
                running.store(u64::MAX, Relaxed);
            });
            let mut registry = CodeRegistry::new();
            let slot = registry.register(&code, Ownership::Shared).unwrap();
            while !stopped.load(Relaxed) {
                std::thread::yield_now();
            }
            while running.load(Relaxed) != u64::MAX {
                assert_eq!(call(&registry, slot, 7), 7);
                let _ = running.fetch_update(Relaxed, Relaxed, |n| n.checked_add(1));
            }
        });
    });
}

#[test]
fn code_registered_while_stepping_is_armed() {
    in_both_backings(|_| {
        let mut registry = CodeRegistry::new();
        step(&mut registry, StepScope::All);
        let stops = RefCell::new(Vec::new());
        let mut stop = Box::pin(Stop(Box::new(|pc| stops.borrow_mut().push(pc))));
        let cell = stop.cell();
        let slot = registry.register(&EngineCode::new(image(3, true)), Ownership::Private { cell }).unwrap();
        assert_eq!(call(&registry, slot, 0), 0);
        assert_eq!(stops.borrow()[0], registry_pc(&registry, slot, 0));
        assert_eq!(stops.borrow().len(), 3 * SITES as usize);
    });
}

#[test]
fn code_without_functions_registers() {
    in_both_backings(|_| {
        let empty = CodeImage { text: Vec::new(), ..image(0, false) };
        let empty = CodeImage { tables: ImageTables { stop_stub: None, ..empty.tables }, ..empty };
        let code = EngineCode::new(empty);
        let full = EngineCode::new(image(3, false));
        let mut registry = CodeRegistry::new();
        step(&mut registry, StepScope::All);
        let slot = private(&mut registry, &code);
        let other = private(&mut registry, &full);
        let stub_only = private(&mut registry, &EngineCode::new(image(0, false)));
        registry.set_cell(slot, no_cell()).unwrap();
        step(&mut registry, StepScope::Off);
        registry.edit().add_site(slot, SiteId(0)).unwrap_err();
        assert_eq!(registry.entry(slot).store.text_len(), 0);
        assert_eq!(registry.entry(slot).store.offset_of(Pc::new(0)), None);
        assert_eq!(registry.lookup(Pc::new(0)), None);
        let stub = registry.entry(stub_only).store.base();
        assert_eq!(registry.lookup(stub), Some((stub_only, TextOffset::new(0))));
        assert_eq!(call(&registry, other, 2), 2);
        registry.unregister(slot).unwrap();
        let mut sharing = CodeRegistry::new();
        sharing.register(&code, Ownership::Shared).unwrap();
    });
}

#[test]
fn every_address_finds_its_code() {
    let codes: Vec<_> = (1..40).map(|n| EngineCode::new(image(n * 7, false))).collect();
    let mut registry = CodeRegistry::new();
    let slots: Vec<_> = codes.iter().map(|code| private(&mut registry, code)).collect();
    for slot in slots.iter().step_by(3) {
        registry.unregister(*slot).unwrap();
        registry.unregister(*slot).unwrap_err();
    }
    for (i, slot) in slots.iter().enumerate() {
        assert_eq!(registry.get(*slot).is_none(), i % 3 == 0);
        let Some(entry) = registry.get(*slot) else { continue };
        let len = entry.store.text_len();
        for offset in [0, 1, len / 2, len - 1].map(TextOffset::new) {
            let pc = entry.store.pc(offset);
            assert_eq!(registry.lookup(pc), Some((*slot, offset)));
            assert_eq!(entry.store.offset_of(pc), Some(offset));
        }
        let end = entry.store.pc(TextOffset::new(len));
        assert!(registry.lookup(end).is_none_or(|(found, _)| found != *slot));
        assert_eq!(entry.store.offset_of(end), None);
        assert_eq!(registry.find(&codes[i]), Some(*slot));
        assert_eq!(private(&mut registry, &codes[i]), *slot);
        assert_eq!(call(&registry, *slot, 6), 6);
    }
    assert_eq!(registry.lookup(Pc::new(usize::MAX)), None);
    assert_eq!(registry.iter().count(), slots.len() - slots.len() / 3);
}

#[test]
fn code_is_found_among_much_that_came_and_went() {
    let codes: Vec<_> = (0..40).map(|_| EngineCode::new(image(2, false))).collect();
    let mut registry = CodeRegistry::new();
    let mut slots = vec![None; codes.len()];
    let mut seed = 1u32;
    for round in 0..2000 {
        seed = seed.wrapping_mul(0x9e37_79b1).wrapping_add(7);
        // First few, then many, then few again.
        let most = if (200..1800).contains(&round) { codes.len() } else { 5 };
        let i = (seed >> 16) as usize % codes.len();
        match slots[i].take() {
            Some(slot) => registry.unregister(slot).unwrap(),
            None if slots.iter().flatten().count() < most => {
                slots[i] = Some(registry.register(&codes[i], Ownership::Shared).unwrap());
            }
            None => {}
        }
        for (code, slot) in codes.iter().zip(&slots) {
            assert_eq!(registry.find(code), *slot);
            if let Some(slot) = *slot {
                let base = registry.entry(slot).store.base();
                assert_eq!(registry.lookup(base), Some((slot, TextOffset::new(0))));
            }
        }
        assert_eq!(registry.iter().count(), slots.iter().flatten().count());
    }
}

#[test]
fn the_same_at_every_base() {
    in_both_backings(|_| {
        let code = EngineCode::new(image(200, true));
        let mut stores: Vec<_> = (0..5)
            .map(|_| {
                let mut registry = CodeRegistry::new();
                let slot = private(&mut registry, &code);
                add(&mut registry, slot, &[17]);
                (registry, slot)
            })
            .collect();
        let mut bases: Vec<_> = stores.iter().map(|(r, slot)| r.entry(*slot).store.base()).collect();
        bases.sort();
        bases.dedup();
        assert_eq!(bases.len(), 5);
        let text = bytes(&stores[0].0, stores[0].1);
        for (registry, slot) in &mut stores {
            assert_eq!(bytes(registry, *slot), text);
            let hits = Cell::new(0);
            let mut stop = Box::pin(Stop(Box::new(|_| hits.set(hits.get() + 1))));
            registry.set_cell(*slot, stop.cell()).unwrap();
            assert_eq!(call(registry, *slot, 4), 4);
            assert_eq!(hits.get(), 1);
        }
    });
}

#[test]
fn stepping_some_functions() {
    in_both_backings(|_| {
        let image = image(300, true);
        let mut registry = CodeRegistry::new();
        let slot = private(&mut registry, &EngineCode::new(image.clone()));
        let functions =
            |list: &[u32]| StepScope::Functions(list.iter().map(|f| (slot, DefinedFuncIndex::new(*f))).collect());
        add(&mut registry, slot, &[4, 1190]);
        let check = |registry: &CodeRegistry, list: &[u32]| {
            let armed = |site| site == 4 || site == 1190 || list.contains(&(site / SITES));
            assert!(bytes(registry, slot) == expected(&image, armed), "{list:?}");
        };
        for list in [&[0, 1, 2][..], &[2, 2, 299, 7], &[], &[297]] {
            step(&mut registry, functions(list));
            check(&registry, list);
        }
        step(&mut registry, StepScope::All);
        assert!(bytes(&registry, slot) == expected(&image, |_| true));
        step(&mut registry, functions(&[100]));
        check(&registry, &[100]);
        registry.edit().set_step(functions(&[300])).unwrap_err();
        step(&mut registry, StepScope::Off);
        check(&registry, &[]);
    });
}

/// A cheap generator of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % u64::from(n)) as u32
    }
}

/// Random edits of two texts, some of which are given up, against a model of what should be armed. `fail` asks for
/// failures.
fn random_edits(seed: u64, fail: bool) {
    let mut random = Random(seed);
    // Every 13th function has a site that straddles a page boundary; see `padded`.
    let images = [padded(image(400, false), 2 * SITES), padded(image(90, false), 0)];
    let mut registry = CodeRegistry::new();
    let slots = images.each_ref().map(|image| private(&mut registry, &EngineCode::new(image.clone())));
    let mut model: [Vec<u32>; 2] = images.each_ref().map(|image| vec![0; image.tables.sites.len()]);
    let mut scope = StepScope::Off;
    // The functions of the first text that go on in the second.
    let mut detours: BTreeSet<u32> = BTreeSet::new();
    let (mut failures, mut rounds) = (0, 0);
    while rounds < 300 || (fail && failures < 60) {
        rounds += 1;
        let (mut next, mut next_scope, mut next_detours) = (model.clone(), scope.clone(), detours.clone());
        let mut edit = registry.edit();
        for _ in 0..random.below(12) {
            let text = random.below(2) as usize;
            let count = next[text].len() as u32;
            // Mostly few neighbours, so that pages fill and empty.
            let site = (random.below(8) * (count / 8) + random.below(3)).min(count - 1);
            if random.below(2) == 0 {
                edit.add_site(slots[text], SiteId(site)).unwrap();
                next[text][site as usize] += 1;
            } else if next[text][site as usize] > 0 {
                edit.remove_site(slots[text], SiteId(site)).unwrap();
                next[text][site as usize] -= 1;
            } else {
                edit.remove_site(slots[text], SiteId(site)).unwrap_err();
            }
        }
        if random.below(3) == 0 {
            let func = random.below(12) * 7;
            let to = if next_detours.insert(func) { Some(slots[1]) } else { None };
            if to.is_none() {
                next_detours.remove(&func);
            }
            edit.set_detour(slots[0], DefinedFuncIndex::new(func), to).unwrap();
        }
        if random.below(3) == 0 {
            next_scope = match random.below(4) {
                0 => StepScope::All,
                1 => {
                    let function = |_| (slots[random.below(2) as usize], DefinedFuncIndex::new(random.below(90)));
                    StepScope::Functions((0..3).map(function).collect())
                }
                _ => StepScope::Off,
            };
            edit.set_step(next_scope.clone()).unwrap();
        }
        let ok = match random.below(8) {
            0 => {
                edit.abort();
                false
            }
            _ if fail => {
                let guard = faults::fail_nth(1 + random.below(6));
                let result = edit.commit();
                assert!(result.is_ok() || guard.hit(), "{result:?}");
                failures += u32::from(result.is_err());
                result.is_ok()
            }
            _ => {
                edit.commit().unwrap();
                true
            }
        };
        if ok {
            (model, scope, detours) = (next, next_scope, next_detours);
        }
        assert_eq!(*registry.plan().step(), scope);
        for text in 0..2 {
            let stepped = |site: u32| match &scope {
                StepScope::Off => false,
                StepScope::All => true,
                StepScope::Functions(list) => list.contains(&(slots[text], DefinedFuncIndex::new(site / SITES))),
            };
            let armed = |site: u32| stepped(site) || model[text][site as usize] > 0;
            // The step image has none.
            let stands = text == 0 && !(scope == StepScope::All && shows_step_image(&registry, slots[0], &detours));
            let detours: Vec<u32> = detours.iter().copied().filter(|_| stands).collect();
            let is = without_detours(&registry, slots[text], &images[text], slots[1], &detours);
            assert!(is == expected(&images[text], armed), "seed {seed}, round {rounds}, text {text}, {scope:?}");
            for site in [0, 1, 7] {
                assert_eq!(registry.is_armed(slots[text], SiteId(site)), armed(site));
            }
        }
    }
}

/// Whether none of these functions has its detour, while all is stepped.
fn shows_step_image(registry: &CodeRegistry, slot: CodeSlot, detours: &BTreeSet<u32>) -> bool {
    let entry = registry.entry(slot);
    let first = |func| entry.engine.tables().function(DefinedFuncIndex::new(func)).unwrap().start.index();
    detours.first().is_some_and(|func| bytes(registry, slot)[first(*func)] != 0xff)
}

/// The image with bytes put in front such that the first site of some function straddles a page boundary.
fn padded(mut image: CodeImage, site: u32) -> CodeImage {
    let start = image.tables.site(SiteId(site)).after.get() - 5;
    let shift = (4096 - 2) - start;
    let mut text = vec![0xcc; shift as usize];
    text.append(&mut image.text);
    image.text = text;
    let tables = &mut image.tables;
    tables.functions.iter_mut().for_each(|f| f.start = f.start.add(shift));
    machine::edit(&mut tables.sites, |sites| sites.iter_mut().for_each(|s| s.after = s.after.add(shift)));
    tables.stop_stub = tables.stop_stub.map(|stub| stub.add(shift));
    image
}

#[test]
fn random_edits_against_a_model() {
    in_both_backings(|_| (0..12).for_each(|seed| random_edits(seed, false)));
}

#[test]
fn random_edits_that_run_out_of_memory() {
    in_both_backings(|_| (100..112).for_each(|seed| random_edits(seed, true)));
}

/// Tries `work` with the first system call failing, then the second, until none fails; `check` looks after each
/// failure.
fn until_nothing_fails<T>(
    state: &mut T,
    mut work: impl FnMut(&mut T) -> stepwell::base::Result<()>,
    mut check: impl FnMut(&T),
) -> u32 {
    for n in 1..100 {
        let guard = faults::fail_nth(n);
        let result = work(state);
        let hit = guard.hit();
        drop(guard);
        match result {
            Ok(()) if !hit => return n - 1,
            // The failure was one that has another way.
            Ok(()) => {}
            Err(error) => {
                assert!(hit, "{error:?}");
                assert_eq!(error.kind(), ErrorKind::System);
                check(state);
            }
        }
    }
    panic!("still failing after 100 calls");
}

#[test]
fn out_of_memory_at_every_call() {
    in_both_backings(|_| {
        let image = image(2000, false);
        // Registering, with stepping on: nothing is left registered after a failure.
        let mut registry = CodeRegistry::new();
        step(&mut registry, StepScope::All);
        let failed = until_nothing_fails(
            &mut registry,
            |registry| {
                let slot =
                    registry.register(&EngineCode::new(image.clone()), Ownership::Private { cell: no_cell() })?;
                assert!(bytes(registry, slot) == expected(&image, |_| true));
                registry.unregister(slot)
            },
            |registry| assert_eq!(registry.iter().count(), 0),
        );
        assert!(failed >= 3, "{failed}");
        // Code whose first mapping failed is as good as new.
        let code = EngineCode::new(image.clone());
        let mut registry = CodeRegistry::new();
        let shared = |registry: &mut CodeRegistry| registry.register(&code, Ownership::Shared).map(|_| ());
        until_nothing_fails(&mut registry, shared, |registry| assert_eq!(registry.iter().count(), 0));
        let mut registry = CodeRegistry::new();
        let slot = private(&mut registry, &code);
        assert!(bytes(&registry, slot) == image.text);

        // Scattered breakpoints, then stepping, then back: all or nothing.
        let before = [3, 4000];
        add(&mut registry, slot, &before);
        let scattered = [1, 3, 1700, 3500, 5000, 7999];
        let edits: [&dyn Fn(&mut stepwell::internals::code::PatchEdit<'_>); 3] = [
            &|edit| scattered.iter().for_each(|site| edit.add_site(slot, SiteId(*site)).unwrap()),
            &|edit| edit.set_step(StepScope::All).unwrap(),
            &|edit| {
                edit.set_step(StepScope::Off).unwrap();
                edit.remove_site(slot, SiteId(3)).unwrap();
                edit.remove_site(slot, SiteId(4000)).unwrap();
            },
        ];
        for edit_plan in edits {
            let old = bytes(&registry, slot);
            let mut done = false;
            let mut n = 1;
            while !done {
                let guard = faults::fail_nth(n);
                let mut edit = registry.edit();
                edit_plan(&mut edit);
                done = edit.commit().is_ok();
                assert!(done || guard.hit());
                assert!(done || bytes(&registry, slot) == old, "changed by a failed edit, call {n}");
                n += 1;
                assert!(n < 100);
            }
            assert!(bytes(&registry, slot) != old);
        }
        let left = |site| site == 3 || scattered.contains(&site);
        assert!(bytes(&registry, slot) == expected(&image, left));
    });
}

/// One call fails, or from a call on everything is refused: mapping, protecting, moving, giving back. What an edit
/// finds, and what it is to do, are of every kind; each ends done, or as it was before, or the registry says that
/// nothing can run any more.
#[test]
fn each_call_of_each_edit_refused() {
    type Change<'a> = &'a dyn Fn(&mut stepwell::internals::code::PatchEdit<'_>, CodeSlot);
    let (first, scattered) = ([3, 4000], [1, 3, 1700, 3500, 5000, 7999]);
    let add_scattered = |edit: &mut stepwell::internals::code::PatchEdit<'_>, slot| {
        scattered.iter().for_each(|site| edit.add_site(slot, SiteId(*site)).unwrap());
    };
    let few = |slot| StepScope::Functions(vec![(slot, DefinedFuncIndex::new(7)), (slot, DefinedFuncIndex::new(1500))]);
    let detour = |edit: &mut stepwell::internals::code::PatchEdit<'_>, slot, func, to| {
        edit.set_detour(slot, DefinedFuncIndex::new(func), to).unwrap();
    };
    let before: [Change<'_>; 5] = [
        &|_, _| {},
        &add_scattered,
        &|edit, slot| detour(edit, slot, 9, Some(slot)),
        &|edit, _| edit.set_step(StepScope::All).unwrap(),
        &|edit, slot| edit.set_step(few(slot)).unwrap(),
    ];
    let then: [Change<'_>; 6] = [
        &add_scattered,
        &|edit, slot| {
            detour(edit, slot, 9, None);
            detour(edit, slot, 1000, Some(slot));
        },
        &|edit, slot| edit.set_step(few(slot)).unwrap(),
        &|edit, _| edit.set_step(StepScope::All).unwrap(),
        &|edit, slot| {
            edit.set_step(StepScope::Off).unwrap();
            first.iter().for_each(|site| edit.remove_site(slot, SiteId(*site)).unwrap());
        },
        &|edit, slot| {
            edit.set_step(StepScope::Off).unwrap();
            add_scattered(edit, slot);
        },
    ];
    in_both_backings(|_| {
        let image = image(2000, false);
        let code = EngineCode::new(image.clone());
        let [mut failed, mut broken] = [0; 2];
        let edits = before.iter().flat_map(|before| then.iter().map(move |then| (before, then)));
        for ((before, then), once) in edits.flat_map(|edit| [(edit, true), (edit, false)]) {
            for n in 1.. {
                let mut registry = CodeRegistry::new();
                let slot = private(&mut registry, &code);
                add(&mut registry, slot, &first);
                let mut edit = registry.edit();
                before(&mut edit, slot);
                edit.commit().unwrap();
                let old = (bytes(&registry, slot), registry.plan().sites().collect::<Vec<_>>());
                let scope = registry.plan().step().clone();
                let guard = if once { faults::fail_nth(n) } else { faults::refuse_from(n) };
                let mut edit = registry.edit();
                then(&mut edit, slot);
                let done = edit.commit().is_ok();
                let hit = guard.hit();
                drop(guard);
                if !hit {
                    assert!(done);
                    break;
                }
                failed += u32::from(!done);
                broken += u32::from(registry.is_broken());
                assert!(!registry.is_broken() || !done && !once);
                if registry.is_broken() {
                    continue;
                }
                if !done {
                    assert!(bytes(&registry, slot) == old.0, "call {n}");
                    assert_eq!(registry.plan().sites().collect::<Vec<_>>(), old.1);
                    assert_eq!(*registry.plan().step(), scope);
                }
                let mut edit = registry.edit();
                [9, 1000].iter().for_each(|func| detour(&mut edit, slot, *func, None));
                edit.commit().unwrap();
                // Nothing is left over for the edits behind it.
                let sites: Vec<u32> = registry.plan().sites().map(|(_, site)| site.0).collect();
                step(&mut registry, StepScope::All);
                assert!(bytes(&registry, slot) == expected(&image, |_| true), "call {n}");
                step(&mut registry, StepScope::Off);
                assert!(bytes(&registry, slot) == expected(&image, |site| sites.contains(&site)), "call {n}");
            }
        }
        assert!(failed > 20 && broken > 0, "{failed} failed, {broken} of them broken");
    });
}

#[test]
fn dropping_an_edit_commits_and_keeps_the_error() {
    let mut registry = CodeRegistry::new();
    let slot = private(&mut registry, &EngineCode::new(image(10, false)));
    let guard = faults::fail_nth(1);
    registry.edit().add_site(slot, SiteId(1)).unwrap();
    assert!(guard.hit());
    assert_eq!(registry.last_error().unwrap().kind(), ErrorKind::System);
    assert!(registry.last_error().is_none());
    assert!(!registry.is_armed(slot, SiteId(1)));
    registry.edit().add_site(slot, SiteId(1)).unwrap();
    assert!(registry.is_armed(slot, SiteId(1)));
    assert_eq!(registry.plan().references(slot, SiteId(1)), 1);
    let mut edit = registry.edit();
    edit.add_site(slot, SiteId(40)).unwrap_err();
    edit.abort();
}

#[test]
fn detached_code_is_forgotten() {
    let code = EngineCode::new(image(10, false));
    let mut registry = CodeRegistry::new();
    let slot = private(&mut registry, &code);
    add(&mut registry, slot, &[1, 2]);
    step(&mut registry, StepScope::Functions(vec![(slot, DefinedFuncIndex::new(3))]));
    let pc = registry.entry(slot).store.base();
    registry.unregister(slot).unwrap();
    assert_eq!(registry.lookup(pc), None);
    assert_eq!(registry.plan().sites().count(), 0);
    assert!(!registry.is_armed(slot, SiteId(1)));
    registry.edit().add_site(slot, SiteId(1)).unwrap_err();
    let slot = private(&mut registry, &code);
    assert_eq!(bytes(&registry, slot), image(10, false).text);
    // Another store's engine code goes when the last holder does.
    assert!(Shared::has_clones(&code));
    drop(registry);
    assert!(!Shared::has_clones(&code));
}
